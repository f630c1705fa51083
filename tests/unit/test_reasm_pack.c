/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reasm/pack: a half that was packed, released and unpacked tells what its twin tells, which never was: the callbacks, their
 * marks and every figure. (Between any two operations of any case: tests/property/test_reasm_model.c.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/pack.h"
#include "reasm_tape.h"

/* Through bytes of exactly their size into other memory. @return how many */
static size_t pack_and_unpack(struct tape *t)
{
	uint8_t room[REASM_PACK_MAX], *bytes;
	struct reasm_half before = t->half;
	struct pack pack;
	size_t len;

	assert_true(reasm_half_is_packable(&t->half));
	pack_to(&pack, room, sizeof(room));
	reasm_half_pack(&pack, &t->half, &t->pool, t->now);
	assert_false(pack.failed);
	assert_memory_equal(&before, &t->half, sizeof(before)); /* writing changes nothing */
	len = (size_t)(pack.at - room);
	bytes = malloc(len);
	assert_non_null(bytes);
	memcpy(bytes, room, len);
	reasm_half_packed(&t->half, &t->pool);
	assert_int_equal(reasm_pool_trim(&t->pool) > 0,
			 before.queue != NULL || before.cold != NULL);
	assert_int_equal(t->budget.used, 0);
	memset(&t->half, 0xa5, sizeof(t->half));
	pack_from(&pack, bytes, len);
	reasm_half_pack(&pack, &t->half, &t->pool, t->now);
	assert_ptr_equal(pack.at, pack.end);
	free(bytes);
	return len;
}

/* What a case does: before it is packed, and afterwards. */
struct script {
	const char *name;
	void (*before)(struct tape *t);
	void (*after)(struct tape *t);
	const char *told; /* in the end */
	size_t most;      /* bytes packed, at most */
};

static void nothing(struct tape *t)
{
}

static void in_order(struct tape *t)
{
	(void)push(t, 0, "hello ");
	(void)push(t, 6, "world");
}

static void more_in_order(struct tape *t)
{
	(void)push(t, 11, "!");
	(void)fin(t, 12);
}

static void one_waits(struct tape *t)
{
	in_order(t);
	wait_ms(t, 5);
	(void)push(t, 13, "cd");
	packet_by(t);
}

static void the_hole_is_filled(struct tape *t)
{
	wait_ms(t, 7);
	(void)push(t, 11, "ab");
	(void)push(t, 15, "e");
}

static void the_hole_grows_old(struct tape *t)
{
	wait_ms(t, 2000);
	packet_by(t);
	tape_add(t, "|");
	wait_ms(t, 1);
	packet_by(t);
}

static void two_wait(struct tape *t)
{
	(void)push(t, 2, "cd");
	wait_ms(t, 1);
	(void)push(t, 4, "ef");
	wait_ms(t, 1);
	(void)push(t, 8, "ij");
	acked(t, 6);
	packet_by(t);
}

static void the_acknowledged_one_is_due(struct tape *t)
{
	wait_ms(t, 19);
	packet_by(t);
	tape_add(t, "|");
	wait_ms(t, 1);
	packet_by(t);
	(void)push(t, 6, "gh");
}

static void acknowledged_and_packets(struct tape *t)
{
	packet_by(t);
	packet_by(t);
	tape_add(t, "|");
	packet_by(t);
}

static void cut_by_snaplen(struct tape *t)
{
	(void)push_cut(t, 2, "cd", 3);
	(void)push_cut(t, 9, "", 2);
}

static void the_rest_comes(struct tape *t)
{
	(void)push(t, 0, "ab");
	(void)push(t, 7, "hi");
}

static void fin_before_data(struct tape *t)
{
	(void)push(t, 0, "ab");
	(void)fin(t, 4);
	packet_by(t);
}

static void the_data_before_it(struct tape *t)
{
	wait_ms(t, 1);
	(void)push(t, 4, "x"); /* beyond it */
	(void)push(t, 2, "cd");
}

static void disorder_behind_it(struct tape *t)
{
	(void)push(t, 0, "ab");
	(void)push(t, 0, "ab"); /* again */
	(void)push(t, 4, "ef");
	(void)push(t, 4, "eX"); /* differs */
	reasm_half_reject(&t->half, &t->pool, 3, WEIR_REJECT_PAWS);
	reasm_half_reject(&t->half, &t->pool, 5, WEIR_REJECT_CHECKSUM);
	wait_ms(t, 2001);
	packet_by(t);
	acked(t, 900); /* ahead of all that was seen */
}

static void it_ends(struct tape *t)
{
	(void)push(t, 6, "gh");
	finish(t);
	(void)push(t, 8, "ij");
}

static void held(struct tape *t)
{
	t->half.hold = 1;
	(void)push(t, 0, "abcd");
	acked(t, 2);
	packet_by(t);
	(void)push(t, 6, "gh");
}

static void it_is_acknowledged(struct tape *t)
{
	acked(t, 4);
	packet_by(t);
	tape_add(t, "|");
	wait_ms(t, 20);
	acked(t, 8);
	packet_by(t);
	wait_ms(t, 20);
	packet_by(t);
}

static void sacked(struct tape *t)
{
	(void)push(t, 4, "ef");
	(void)push(t, 8, "ij");
	reasm_half_sacked(&t->half, 4, 10, t->now);
	packet_by(t);
}

static void the_sacked_one_is_due(struct tape *t)
{
	wait_ms(t, 20);
	packet_by(t);
	tape_add(t, "|");
	(void)push(t, 0, "abcd");
	packet_by(t);
}

static void ended(struct tape *t)
{
	(void)push(t, 0, "ab");
	(void)fin(t, 2);
}

static void data_after_the_end(struct tape *t)
{
	(void)push(t, 2, "cd");
	(void)push(t, 0, "ab");
	assert_int_equal(fin(t, 2), 1);
	assert_int_equal(fin(t, 3), 0);
}

static void oneway_bsd(struct tape *t)
{
	t->half.oneway = 1;
	t->half.dir = 1;
	t->half.policy = WEIR_OVERLAP_BSD;
	(void)push(t, 4, "efgh");
}

static void an_older_start_wins(struct tape *t)
{
	(void)push(t, 2, "cdEF");
	wait_ms(t, 200);
	packet_by(t);
	tape_add(t, "|");
	wait_ms(t, 1);
	packet_by(t);
}

static const struct script scripts[] = {
	{"new", nothing, in_order, "hello world", 7},
	{"in order", in_order, more_in_order, "hello world!$", 7},
	{"one waits", one_waits, the_hole_is_filled, "hello worldabcde", 24},
	{"one grows old", one_waits, the_hole_grows_old, "hello world|[11+2 age]cd", 24},
	{"two wait", two_wait, the_acknowledged_one_is_due, "|[0+2 acked]cdefghij", 64},
	{"packets", two_wait, acknowledged_and_packets, "|[0+2 acked]cdef", 64},
	{"cut", cut_by_snaplen, the_rest_comes, "abcd[4+3 snaplen]hi[9+2 snaplen]", 48},
	{"fin", fin_before_data, the_data_before_it, "abcd$", 32},
	{"figures", disorder_behind_it, it_ends, "ab{5 f/X}[2+2 age]efgh[8+892 end]", 32},
	{"held", held, it_is_acknowledged, "abcd|[4+2 acked]gh", 48},
	{"sack", sacked, the_sacked_one_is_due, "|abcdef[6+2 acked]ij", 64},
	{"ended", ended, data_after_the_end, "ab$", 8},
	{"policy", oneway_bsd, an_older_start_wins, "{4 EF/ef}|[0+2 age]cdEFgh", 32},
};

static void compare(const char *name, struct tape *a, struct tape *b)
{
	struct weir_ledger la, lb;

	ledger_balances(a, &la);
	ledger_balances(b, &lb);
	if (strcmp(a->text, b->text) != 0 || memcmp(&la, &lb, sizeof(la)) != 0) {
		print_error("%s:\n%s\n%s\n", name, a->text, b->text);
	}
	assert_string_equal(a->text, b->text);
	assert_memory_equal(&la, &lb, sizeof(la));
	assert_int_equal(a->nmarks, b->nmarks);
	assert_memory_equal(a->marks, b->marks, a->nmarks * sizeof(a->marks[0]));
	assert_int_equal(a->half.stall_ns, b->half.stall_ns);
	assert_int_equal(a->half.next_seq, b->half.next_seq);
	assert_int_equal(a->half.dir, b->half.dir);
	assert_int_equal(reasm_half_deadline(&a->half, &a->pool),
			 reasm_half_deadline(&b->half, &b->pool));
	assert_int_equal(reasm_half_oldest(&a->half), reasm_half_oldest(&b->half));
}

static void a_packed_half_goes_on_as_its_twin(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		const struct script *s = &scripts[i];
		struct tape *twin = tape_new(0xfffffffa), *t = tape_new(0xfffffffa);
		size_t len;

		s->before(twin);
		s->before(t);
		len = pack_and_unpack(t);
		compare(s->name, t, twin);
		s->after(twin);
		s->after(t);
		compare(s->name, t, twin);
		if (strcmp(t->text, s->told) != 0 || len > s->most) {
			print_error("%s: %s, %zu bytes\n", s->name, t->text, len);
		}
		assert_string_equal(t->text, s->told);
		assert_true(len <= s->most);
		tape_free_all(t);
		tape_free_all(twin);
	}
}

/* A flow of megabytes, with times of today and packets of a long run: what the two common states take. */
static void an_idle_half_takes_16_bytes_and_a_waiting_segment_35_and_its_own(void **state)
{
	struct tape *t = tape_new(0);

	t->now = 1790000000LL * 1000 * MS;
	t->packet = 1000000000;
	t->half.next = t->half.captured = 5000000;
	t->isn = t->half.next_seq - 5000000;
	t->half.id = 2000000;
	assert_true(pack_and_unpack(t) <= 16);
	(void)push(t, 5001448, "hello");
	wait_ms(t, 3);
	packet_by(t);
	assert_true(reasm_half_waits(&t->half));
	assert_true(pack_and_unpack(t) <= 16 + 19 + 5);
	(void)push_cut(t, 5000000, "", 1448);
	told(t, "[5000000+1448 snaplen]hello");
}

/* No memory when it is read: what waited is rejected, as the ledger wants it, and the flow goes on. */
static void what_there_is_no_memory_for_is_rejected(void **state)
{
	struct weir_ledger ledger;
	uint64_t allocations;

	for (allocations = 0; allocations < 4; allocations++) {
		struct tape *t = tape_new(0);
		uint8_t room[REASM_PACK_MAX];
		struct pack pack;

		disorder_behind_it(t);
		(void)push(t, 8, "ij");
		ledger_balances(t, &ledger);
		assert_int_equal(ledger.captured, 18);
		assert_int_equal(ledger.pending, 2);
		pack_to(&pack, room, sizeof(room));
		reasm_half_pack(&pack, &t->half, &t->pool, t->now);
		reasm_half_packed(&t->half, &t->pool);
		(void)reasm_pool_trim(&t->pool);
		t->fail_from = t->allocations + 1 + allocations;
		pack_from(&pack, room, sizeof(room));
		reasm_half_pack(&pack, &t->half, &t->pool, t->now);
		ledger_balances(t, &ledger);
		t->fail_from = 0;
		assert_int_equal(ledger.pending, 0);
		/* without the 192 bytes of figures the 2 bytes of the gap count as delivered: 6, and 12 others */
		assert_int_equal(ledger.captured, 18);
		assert_int_equal(ledger.delivered, allocations == 0 ? 6 : 4);
		assert_int_equal(ledger.rejected[WEIR_REJECT_BUDGET], allocations == 0 ? 12 : 2);
		assert_int_equal(t->pool.untold, allocations == 0);
		assert_int_equal(push(t, 6, "gh"), 2);
		told(t, "ab{5 f/X}[2+2 age]efgh");
	}
}

static void what_is_much_is_not_packable(void **state)
{
	struct tape *t = tape_new(0);
	char text[REASM_PACK_BYTES + 1];
	int64_t i;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	(void)push(t, 2, text);
	assert_true(reasm_half_is_packable(&t->half));
	assert_true(pack_and_unpack(t) < REASM_PACK_BYTES + 64);
	(void)push(t, 2 + REASM_PACK_BYTES, "y");
	assert_false(reasm_half_is_packable(&t->half));
	tape_free_all(t);
	t = tape_new(0);
	for (i = 2; i <= 2 * REASM_PACK_INTERVALS; i += 2) {
		(void)push(t, i, "x");
	}
	assert_true(reasm_half_is_packable(&t->half));
	(void)push(t, i, "x");
	assert_false(reasm_half_is_packable(&t->half));
	tape_free_all(t);
	t = tape_new(0);
	for (i = 2; i < 2 + 16; i++) {
		(void)push(t, i, "x"); /* one interval of 16 segments */
	}
	assert_true(reasm_half_is_packable(&t->half));
	(void)push(t, i, "x");
	assert_false(reasm_half_is_packable(&t->half));
	tape_free_all(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packed_half_goes_on_as_its_twin),
		cmocka_unit_test(an_idle_half_takes_16_bytes_and_a_waiting_segment_35_and_its_own),
		cmocka_unit_test(what_there_is_no_memory_for_is_rejected),
		cmocka_unit_test(what_is_much_is_not_packable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reasm/half: one behaviour a test, as literal calls beside what they must tell. A tape collects what the half tells:
 * bytes as they are, a gap as [offset+length cause], a conflict as {offset kept/lost}, the end as $.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "reasm/half.h"
#include "reasm/segq.h"
#include "weir/error.h"

#define MS 1000000LL

struct tape {
	char text[8192];
	size_t len;
	struct weir_mark marks[64]; /* of all chunks */
	size_t nmarks;
	size_t nchunks;
	const uint8_t *last_data; /* where the last chunk's bytes were */
	struct budget budget;
	struct reasm_pool pool;
	struct reasm_half half;
	uint32_t isn;
	int64_t now;
	uint64_t packet;
	uint64_t allocations, fail_from; /* from this one on, none succeeds; 0: all do */
	struct weir_allocator allocator;
};

__attribute__((format(printf, 2, 3))) static void tape_add(struct tape *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	t->len += (size_t)vsnprintf(t->text + t->len, sizeof(t->text) - t->len, format, args);
	va_end(args);
	assert_true(t->len < sizeof(t->text));
}

static void on_data(void *owner, struct reasm_half *half, const struct weir_chunk *chunk)
{
	struct tape *t = owner;
	size_t i;

	tape_add(t, "%.*s", (int)chunk->len, (const char *)chunk->data);
	for (i = 0; i < chunk->nmarks && t->nmarks < 64; i++) {
		t->marks[t->nmarks++] = chunk->marks[i];
	}
	t->nchunks++;
	t->last_data = chunk->data;
}

static void on_gap(void *owner, struct reasm_half *half, uint64_t offset, uint64_t length,
		   enum weir_gap_cause cause, const struct weir_mark *mark)
{
	tape_add(owner, "[%llu+%llu %s]", (unsigned long long)offset, (unsigned long long)length,
		 weir_gap_cause_name(cause));
}

static void on_overlap(void *owner, struct reasm_half *half, uint64_t offset, const uint8_t *kept,
		       const uint8_t *lost, size_t len, const struct weir_mark *mark)
{
	tape_add(owner, "{%llu %.*s/%.*s}", (unsigned long long)offset, (int)len,
		 (const char *)kept, (int)len, (const char *)lost);
}

static void on_end(void *owner, struct reasm_half *half)
{
	tape_add(owner, "$");
}

static const struct reasm_ops ops = {on_data, on_gap, on_overlap, on_end};

static void ignore_data(void *owner, struct reasm_half *half, const struct weir_chunk *chunk)
{
}

static void ignore_gap(void *owner, struct reasm_half *half, uint64_t offset, uint64_t length,
		       enum weir_gap_cause cause, const struct weir_mark *mark)
{
}

static const struct reasm_ops count_ops = {ignore_data, ignore_gap, on_overlap, on_end};

static void *tape_alloc(void *context, size_t size)
{
	struct tape *t = context;

	t->allocations++;
	return t->fail_from != 0 && t->allocations >= t->fail_from ? NULL : malloc(size);
}

static void tape_free(void *context, void *ptr, size_t size)
{
	free(ptr);
}

static struct tape *tape_new(uint32_t seq)
{
	struct tape *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->allocator = (struct weir_allocator){tape_alloc, tape_free, t};
	budget_init(&t->budget, 64 << 20, &t->allocator);
	reasm_pool_init(&t->pool, &t->budget, &ops);
	reasm_half_init(&t->half, 0);
	reasm_half_start(&t->half, seq);
	t->isn = seq;
	t->now = 1000 * MS;
	return t;
}

static void ledger_balances(struct tape *t, struct weir_ledger *ret)
{
	uint64_t sum;
	unsigned i;

	reasm_half_ledger(&t->half, ret);
	sum = ret->delivered + ret->duplicate + ret->overlap + ret->pending;
	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		sum += ret->rejected[i];
	}
	assert_int_equal(ret->captured, sum);
}

/* Bytes at an offset; cut: how many more the segment had than was captured. @return what push() said */
static ssize_t push_cut(struct tape *t, int64_t at, const char *text, uint32_t cut)
{
	size_t len = strlen(text);
	uint8_t *copy = malloc(len + 1); /* gone after the call: nobody may keep it */
	struct reasm_seg seg = {.data = copy,
				.len = (uint32_t)len + cut,
				.caplen = (uint32_t)len,
				.seq = t->isn + (uint32_t)at,
				.ts_ns = t->now,
				.now_ns = t->now,
				.packet = ++t->packet,
				.peer_ack = 500 + t->packet};
	struct weir_ledger ledger;
	ssize_t got;

	memcpy(copy, text, len);
	got = reasm_half_push(&t->half, &t->pool, t, &seg);
	free(copy);
	ledger_balances(t, &ledger);
	return got;
}

static ssize_t push(struct tape *t, int64_t at, const char *text)
{
	return push_cut(t, at, text, 0);
}

static void wait_ms(struct tape *t, int64_t ms)
{
	t->now += ms * MS;
}

static void packet_by(struct tape *t)
{
	reasm_half_poll(&t->half, &t->pool, t, t->now, true);
}

static void acked(struct tape *t, uint64_t offset)
{
	reasm_half_acked(&t->half, &t->pool, offset, t->now);
}

static int fin(struct tape *t, int64_t at)
{
	return reasm_half_fin(&t->half, &t->pool, t, t->isn + (uint32_t)at);
}

static void finish(struct tape *t)
{
	reasm_half_finish(&t->half, &t->pool, t, WEIR_GAP_END, t->now);
}

static void tape_free_all(struct tape *t)
{
	reasm_half_fini(&t->half, &t->pool);
	reasm_pool_fini(&t->pool);
	assert_int_equal(t->budget.used, 0);
	free(t);
}

/* What was told is `text`; then the tape is gone. */
static void told(struct tape *t, const char *text)
{
	assert_string_equal(t->text, text);
	tape_free_all(t);
}

/* Segments only, in order of arrival, then the end: a table. */

struct segment {
	int64_t at;
	const char *text; /* NULL: FIN at `at` */
	uint32_t cut;
};

#define SEG(at, text)                                                                              \
	{                                                                                          \
		at, text, 0                                                                        \
	}
#define CUT(at, text, cut)                                                                         \
	{                                                                                          \
		at, text, cut                                                                      \
	}
#define FIN(at)                                                                                    \
	{                                                                                          \
		at, NULL, 0                                                                        \
	}

static const struct {
	const char *name;
	struct segment segment[6];
	const char *told;
	/* ledger at the end */
	uint64_t captured, duplicate, overlap;
	uint64_t rejected; /* all causes */
} cases[] = {
	{"in order", {SEG(0, "abc"), SEG(3, "def")}, "abcdef", 6, 0, 0, 0},
	{"two swapped", {SEG(3, "def"), SEG(0, "abc")}, "abcdef", 6, 0, 0, 0},
	{"three reversed", {SEG(6, "ghi"), SEG(3, "def"), SEG(0, "abc")}, "abcdefghi", 9, 0, 0, 0},
	{"exact retransmission", {SEG(0, "abc"), SEG(0, "abc"), SEG(3, "d")}, "abcd", 7, 3, 0, 0},
	{"a longer one delivers its new tail",
	 {SEG(0, "abc"), SEG(0, "abcdef")},
	 "abcdef",
	 9,
	 3,
	 0,
	 0},
	{"overlap at the left is trimmed", {SEG(0, "abcd"), SEG(2, "cdef")}, "abcdef", 8, 2, 0, 0},
	{"overlap of what waits, left",
	 {SEG(4, "efgh"), SEG(2, "cdef"), SEG(0, "ab")},
	 "abcdefgh",
	 10,
	 2,
	 0,
	 0},
	{"overlap of what waits, right",
	 {SEG(2, "cdef"), SEG(4, "efgh"), SEG(0, "ab")},
	 "abcdefgh",
	 10,
	 2,
	 0,
	 0},
	{"inside what waits",
	 {SEG(2, "cdefgh"), SEG(4, "ef"), SEG(0, "ab")},
	 "abcdefgh",
	 10,
	 2,
	 0,
	 0},
	{"around what waits",
	 {SEG(4, "ef"), SEG(2, "cdefgh"), SEG(0, "ab")},
	 "abcdefgh",
	 10,
	 2,
	 0,
	 0},
	{"over two that wait",
	 {SEG(2, "c"), SEG(5, "f"), SEG(1, "bcdefg"), SEG(0, "a")},
	 "abcdefg",
	 9,
	 2,
	 0,
	 0},
	{"in order over two that wait",
	 {SEG(2, "c"), SEG(5, "f"), SEG(0, "abcdefg")},
	 "abcdefg",
	 9,
	 2,
	 0,
	 0},
	{"first copy wins",
	 {SEG(4, "efgh"), SEG(2, "cdXXgh"), SEG(0, "ab")},
	 "{4 efgh/XXgh}abcdefgh",
	 12,
	 2,
	 2,
	 0},
	{"first copy wins in order too",
	 {SEG(2, "cd"), SEG(0, "abXd")},
	 "{2 cd/Xd}abcd",
	 6,
	 1,
	 1,
	 0},
	{"a hole is told at the end", {SEG(0, "ab"), SEG(4, "ef")}, "ab[2+2 end]ef", 4, 0, 0, 0},
	{"a leading hole", {SEG(3, "def")}, "[0+3 end]def", 3, 0, 0, 0},
	{"two holes", {SEG(2, "c"), SEG(5, "f")}, "[0+2 end]c[3+2 end]f", 2, 0, 0, 0},
	{"a trailing hole before FIN", {SEG(0, "ab"), FIN(5)}, "ab[2+3 end]$", 2, 0, 0, 0},
	{"FIN in order", {SEG(0, "ab"), FIN(2)}, "ab$", 2, 0, 0, 0},
	{"FIN before its data", {FIN(2), SEG(0, "ab")}, "ab$", 2, 0, 0, 0},
	{"FIN twice", {SEG(0, "ab"), FIN(2), FIN(2)}, "ab$", 2, 0, 0, 0},
	{"a second FIN elsewhere is ignored",
	 {SEG(0, "ab"), FIN(4), FIN(2), SEG(2, "cd")},
	 "abcd$",
	 4,
	 0,
	 0,
	 0},
	{"FIN before what was delivered is ignored",
	 {SEG(0, "abcd"), FIN(2), SEG(4, "e")},
	 "abcde",
	 5,
	 0,
	 0,
	 0},
	{"data beyond FIN", {SEG(0, "ab"), FIN(2), SEG(2, "XX"), SEG(9, "Y")}, "ab$", 5, 0, 0, 3},
	{"data across FIN", {FIN(3), SEG(0, "abcXX")}, "abc$", 5, 0, 0, 2},
	{"what waits beyond FIN is rejected",
	 {SEG(4, "XXX"), SEG(8, "YY"), FIN(5), SEG(0, "abcd")},
	 "abcdX$",
	 9,
	 0,
	 0,
	 4},
	{"old data after the end is duplicate",
	 {SEG(0, "ab"), FIN(2), SEG(0, "ab")},
	 "ab$",
	 4,
	 2,
	 0,
	 0},
	{"before the start", {SEG(-3, "XXXab"), SEG(2, "c")}, "abc", 6, 0, 0, 3},
	{"keep-alive probe of 1 byte", {SEG(0, "ab"), SEG(1, "b"), SEG(2, "c")}, "abc", 4, 1, 0, 0},
	{"keep-alive probe of 0 bytes", {SEG(0, "ab"), SEG(1, ""), SEG(2, "c")}, "abc", 3, 0, 0, 0},
	{"snaplen in order", {CUT(0, "ab", 3), SEG(5, "fg")}, "ab[2+3 snaplen]fg", 4, 0, 0, 0},
	{"cut to nothing", {CUT(0, "", 4), SEG(4, "ef")}, "[0+4 snaplen]ef", 2, 0, 0, 0},
	{"snaplen out of order",
	 {CUT(5, "fg", 2), SEG(9, "jk"), SEG(0, "abcde")},
	 "abcdefg[7+2 snaplen]jk",
	 9,
	 0,
	 0,
	 0},
	{"cut to nothing out of order",
	 {CUT(5, "", 4), SEG(9, "jk"), SEG(0, "abcde")},
	 "abcde[5+4 snaplen]jk",
	 7,
	 0,
	 0,
	 0},
	{"a whole retransmission fills the cut",
	 {CUT(5, "f", 3), SEG(5, "fghi"), SEG(0, "abcde")},
	 "abcdefghi",
	 10,
	 1,
	 0,
	 0},
	{"part of the cut is filled",
	 {CUT(5, "f", 5), SEG(8, "i"), SEG(0, "abcde")},
	 "abcdef[6+2 snaplen]i[9+2 snaplen]",
	 7,
	 0,
	 0,
	 0},
	{"cut and hole side by side",
	 {CUT(5, "f", 2), SEG(10, "k"), SEG(0, "abcde")},
	 "abcdef[6+2 snaplen][8+2 end]k",
	 7,
	 0,
	 0,
	 0},
};

static void run_case(size_t i, uint32_t seq)
{
	struct tape *t = tape_new(seq);
	struct weir_ledger ledger;
	uint64_t rejected = 0;
	size_t k;

	for (k = 0; k < 6 && (cases[i].segment[k].at != 0 || cases[i].segment[k].text != NULL);
	     k++) {
		const struct segment *s = &cases[i].segment[k];

		if (s->text == NULL) {
			(void)fin(t, s->at);
		} else {
			(void)push_cut(t, s->at, s->text, s->cut);
		}
	}
	finish(t);
	ledger_balances(t, &ledger);
	if (strcmp(t->text, cases[i].told) != 0) {
		fail_msg("%s, first sequence number 0x%08x: %s, expected %s", cases[i].name, seq,
			 t->text, cases[i].told);
	}
	for (k = 0; k < WEIR_REJECT_NCAUSES; k++) {
		rejected += ledger.rejected[k];
	}
	if (ledger.captured != cases[i].captured || ledger.duplicate != cases[i].duplicate ||
	    ledger.overlap != cases[i].overlap || rejected != cases[i].rejected ||
	    ledger.pending != 0) {
		fail_msg("%s: captured %llu duplicate %llu overlap %llu rejected %llu",
			 cases[i].name, (unsigned long long)ledger.captured,
			 (unsigned long long)ledger.duplicate, (unsigned long long)ledger.overlap,
			 (unsigned long long)rejected);
	}
	tape_free_all(t);
}

static void segments_give_what_the_table_says(void **state)
{
	/* the wrap falls before, on, inside and after each segment */
	static const uint32_t seqs[] = {0,          1000,       0x7ffffffe, 0xffffffff, 0xfffffffe,
					0xfffffffd, 0xfffffffc, 0xfffffffb, 0xfffffff9};
	size_t i, k;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (k = 0; k < sizeof(seqs) / sizeof(seqs[0]); k++) {
			run_case(i, seqs[k]);
		}
	}
}

static void in_order_costs_no_allocation_and_no_copy(void **state)
{
	struct tape *t = tape_new(7);
	const uint8_t data[] = "abc";
	struct reasm_seg seg = {.data = data, .len = 3, .caplen = 3, .seq = 7, .packet = 9};

	assert_int_equal(reasm_half_push(&t->half, &t->pool, t, &seg), 3);
	assert_ptr_equal(t->last_data, data);
	assert_int_equal(t->marks[0].offset, 0);
	assert_int_equal(t->marks[0].packet, 9);
	assert_int_equal(t->allocations, 0);
	acked(t, 3);
	assert_int_equal(t->allocations, 0);
	told(t, "abc");
}

static void a_half_is_one_cache_line(void **state)
{
	assert_int_equal(sizeof(struct reasm_half), 64);
}

static void offsets_go_beyond_4_gib(void **state)
{
	struct tape *t = tape_new(0xffffff00);

	t->half.next =
		(1ull << 33) +
		0x100; /* as if that much had been delivered: the sequence number is back at 0 */
	t->half.next_seq = 0;
	t->isn = 0;
	assert_int_equal(reasm_half_offset(&t->half, 5), (1ull << 33) + 0x105);
	assert_int_equal(reasm_half_offset(&t->half, 0xfffffffe), (1ull << 33) + 0xfe);
	assert_int_equal(reasm_half_push(&t->half, &t->pool, t,
					 &(struct reasm_seg){.data = (const uint8_t *)"cd",
							     .len = 2,
							     .caplen = 2,
							     .seq = 2}),
			 0);
	reasm_half_finish(&t->half, &t->pool, t, WEIR_GAP_END, t->now);
	told(t, "[8589934848+2 end]cd");
}

static void marks_survive_coalescing(void **state)
{
	struct tape *t = tape_new(0);

	(void)push(t, 3, "d"); /* packet 1 */
	wait_ms(t, 1);
	(void)push(t, 4, "ef"); /* packet 2, behind it */
	wait_ms(t, 1);
	(void)push(t, 2, "c"); /* packet 3, before it */
	wait_ms(t, 1);
	(void)push(t, 0, "ab"); /* packet 4 */
	assert_int_equal(t->nchunks, 2);
	assert_int_equal(t->nmarks, 4);
	assert_int_equal(t->marks[0].packet, 4);
	assert_int_equal(t->marks[1].offset, 2);
	assert_int_equal(t->marks[1].packet, 3);
	assert_int_equal(t->marks[1].ts_ns, 1002 * MS);
	assert_int_equal(t->marks[1].peer_ack, 503);
	assert_int_equal(t->marks[2].offset, 3);
	assert_int_equal(t->marks[2].packet, 1);
	assert_int_equal(t->marks[3].offset, 4);
	assert_int_equal(t->marks[3].packet, 2);
	told(t, "abcdef");
}

static void last_copy_wins_under_that_policy(void **state)
{
	struct tape *t = tape_new(0);

	t->pool.policy = WEIR_OVERLAP_LAST;
	(void)push(t, 2, "cdef");
	(void)push(t, 3, "XX");
	(void)push(t, 0, "ab");
	assert_int_equal(t->nmarks, 4);
	assert_int_equal(t->marks[2].offset, 3);
	assert_int_equal(t->marks[2].packet, 2);
	assert_int_equal(t->marks[3].offset, 5);
	assert_int_equal(t->marks[3].packet, 1);
	told(t, "{3 XX/de}abcXXf");
}

static void evidence_is_64_bytes_from_the_first_difference(void **state)
{
	struct tape *t = tape_new(0);
	char a[101], b[101], expected[300];

	memset(a, 'a', 100);
	memset(b, 'a', 100);
	a[100] = b[100] = 0;
	b[10] = 'X';
	(void)push(t, 5, a);
	(void)push(t, 5, b);
	(void)snprintf(expected, sizeof(expected), "{15 %.64s/%.64s}", a + 10, b + 10);
	told(t, expected);
}

/* Gaps: when, and why */

static void an_acknowledged_hole_waits_20_ms(void **state)
{
	struct tape *t = tape_new(0);

	(void)push(t, 2, "cd");
	acked(t, 4);
	packet_by(t);
	assert_int_equal(reasm_half_deadline(&t->half, &t->pool), 1020 * MS);
	wait_ms(t, 19);
	reasm_half_poll(&t->half, &t->pool, t, t->now, false);
	assert_string_equal(t->text, "");
	wait_ms(t, 1);
	reasm_half_poll(&t->half, &t->pool, t, t->now, false);
	assert_false(reasm_half_waits(&t->half));
	told(t, "[0+2 acked]cd");
}

static void an_acknowledged_hole_waits_for_3_more_packets(void **state)
{
	struct tape *t = tape_new(0);
	int i;

	(void)push(t, 2, "cd");
	packet_by(t);
	acked(t, 4);
	packet_by(t); /* the acknowledgement itself */
	for (i = 0; i < 2; i++) {
		packet_by(t);
		assert_string_equal(t->text, "");
	}
	packet_by(t);
	told(t, "[0+2 acked]cd");
}

static void data_after_its_acknowledgement_is_in_time(void **state)
{
	struct tape *t = tape_new(0);

	(void)push(t, 2, "cd");
	packet_by(t);
	acked(t, 4);
	packet_by(t);
	wait_ms(t, 5);
	(void)push(t, 0, "ab");
	packet_by(t);
	told(t, "abcd");
}

static void an_acknowledgement_up_to_the_hole_is_no_evidence(void **state)
{
	struct tape *t = tape_new(0);

	(void)push(t, 0, "ab");
	(void)push(t, 4, "ef");
	acked(t, 2);
	packet_by(t);
	wait_ms(t, 1999);
	reasm_half_poll(&t->half, &t->pool, t, t->now, true);
	assert_string_equal(t->text, "ab");
	assert_int_equal(reasm_half_deadline(&t->half, &t->pool), 3000 * MS);
	wait_ms(t, 1);
	reasm_half_poll(&t->half, &t->pool, t, t->now, false);
	told(t, "ab[2+2 age]ef");
}

static void an_acknowledgement_beyond_anything_sent_makes_no_gap(void **state)
{
	struct tape *t = tape_new(0);
	int i;

	(void)push(t, 0, "ab");
	acked(t, 100);
	for (i = 0; i < 10; i++) {
		wait_ms(t, 1000);
		packet_by(t);
	}
	(void)push(t, 2, "cd");
	told(t, "abcd");
}

static void an_acknowledgement_that_came_before_the_data_counts_from_then(void **state)
{
	struct tape *t = tape_new(0);

	acked(t, 4);
	wait_ms(t, 500);
	(void)push(t, 2, "cd");
	packet_by(t);
	assert_string_equal(t->text, "");
	wait_ms(t, 20);
	packet_by(t);
	told(t, "[0+2 acked]cd");
}

static void each_hole_has_its_own_evidence_and_age(void **state)
{
	struct tape *t = tape_new(0);

	(void)push(t, 1, "b");
	wait_ms(t, 1500);
	(void)push(t, 3, "d");
	acked(t, 2);
	packet_by(t);
	wait_ms(t, 20);
	reasm_half_poll(&t->half, &t->pool, t, t->now, false);
	assert_string_equal(t->text, "[0+1 acked]b");
	assert_int_equal(reasm_half_oldest(&t->half), 2500 * MS);
	wait_ms(t, 1980);
	reasm_half_poll(&t->half, &t->pool, t, t->now, false);
	told(t, "[0+1 acked]b[2+1 age]d");
}

static void a_split_hole_keeps_its_age(void **state)
{
	struct tape *t = tape_new(0);

	(void)push(t, 6, "g");
	wait_ms(t, 1500);
	(void)push(t, 3, "d");
	assert_int_equal(reasm_half_oldest(&t->half), 1000 * MS);
	wait_ms(t, 500);
	reasm_half_poll(&t->half, &t->pool, t, t->now, false);
	told(t, "[0+3 age]d[4+2 age]g");
}

static void one_way_traffic_waits_200_ms_or_64_kib(void **state)
{
	struct tape *t = tape_new(0);
	char big[1025];
	ssize_t got = 0;
	int i;

	t->half.oneway = 1;
	(void)push(t, 1, "b");
	assert_int_equal(reasm_half_deadline(&t->half, &t->pool), 1200 * MS);
	wait_ms(t, 200);
	reasm_half_poll(&t->half, &t->pool, t, t->now, false);
	assert_string_equal(t->text, "[0+1 age]b");
	memset(big, 'x', 1024);
	big[1024] = 0;
	for (i = 0; i < 64; i++) {
		assert_int_equal(push(t, 3 + i * 1024, big), 0);
	}
	big[1] = 0;
	t->pool.ops = &count_ops; /* too much for the tape */
	got = push(t, 3 + 65536, big);
	assert_int_equal(got, 65537);
	assert_int_equal(t->half.next, 3 + 65537);
	told(t, "[0+1 age]b");
}

static void too_many_bytes_make_the_first_hole_a_gap(void **state)
{
	struct tape *t = tape_new(0);

	t->pool.limit = 4;
	assert_int_equal(push(t, 1, "bc"), 0);
	assert_int_equal(push(t, 5, "fg"), 0);
	assert_int_equal(push(t, 9, "j"), 2);
	assert_string_equal(t->text, "[0+1 limit]bc");
	finish(t);
	told(t, "[0+1 limit]bc[3+2 end]fg[7+2 end]j");
}

static void too_many_intervals_make_the_first_hole_a_gap(void **state)
{
	struct tape *t = tape_new(0);

	t->pool.intervals = 2;
	(void)push(t, 2, "c");
	(void)push(t, 4, "e");
	(void)push(t, 5, "f"); /* touches: no new interval */
	assert_string_equal(t->text, "");
	(void)push(t, 8, "i");
	assert_string_equal(t->text, "[0+2 limit]c");
	finish(t);
	told(t, "[0+2 limit]c[3+1 end]ef[6+2 end]i");
}

static void the_hole_before_fin_is_acknowledged_too(void **state)
{
	struct tape *t = tape_new(0);

	(void)push(t, 0, "ab");
	assert_int_equal(fin(t, 5), 1);
	packet_by(t);
	assert_true(reasm_half_waits(&t->half));
	acked(t, 6); /* FIN counts one */
	packet_by(t);
	wait_ms(t, 20);
	reasm_half_poll(&t->half, &t->pool, t, t->now, false);
	assert_false(reasm_half_waits(&t->half));
	told(t, "ab[2+3 acked]$");
}

static const struct {
	uint64_t acked;
	const char *told;
} trailing[] = {
	{2, "ab"},
	{3, "ab"}, /* a FIN that was not captured */
	{4, "ab[2+2 end]"},
	{2 + REASM_ACK_WINDOW, "ab[2+1048576 end]"},
	{3 + REASM_ACK_WINDOW, "ab"}, /* nothing anyone sent */
};

static void a_hole_at_the_end_is_told_by_the_acknowledgement(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(trailing) / sizeof(trailing[0]); i++) {
		struct tape *t = tape_new(0);

		(void)push(t, 0, "ab");
		acked(t, trailing[i].acked);
		finish(t);
		told(t, trailing[i].told);
	}
}

static void late_data_of_a_declared_gap_is_duplicate(void **state)
{
	struct tape *t = tape_new(0);
	struct weir_ledger ledger;

	(void)push(t, 2, "cd");
	wait_ms(t, 2000);
	reasm_half_poll(&t->half, &t->pool, t, t->now, false);
	(void)push(t, 0, "abcd");
	ledger_balances(t, &ledger);
	assert_int_equal(ledger.duplicate, 4);
	assert_int_equal(ledger.gap_bytes, 2);
	assert_int_equal(ledger.gaps, 1);
	told(t, "[0+2 age]cd");
}

static void giving_up_declares_one_hole_and_gives_memory_back(void **state)
{
	struct tape *t = tape_new(0);
	size_t used;

	(void)push(t, 2, "c");
	(void)push(t, 5, "f");
	used = t->budget.used;
	assert_true(reasm_half_give_up(&t->half, &t->pool, t, WEIR_GAP_BUDGET, t->now) > 0);
	assert_true(t->budget.used < used);
	assert_string_equal(t->text, "[0+2 budget]c");
	finish(t);
	assert_int_equal(reasm_half_give_up(&t->half, &t->pool, t, WEIR_GAP_BUDGET, t->now), 0);
	told(t, "[0+2 budget]c[3+2 end]f");
}

static void without_memory_nothing_is_taken_and_nothing_counted(void **state)
{
	struct tape *t = tape_new(0);
	struct weir_ledger ledger;

	t->fail_from = 1;
	assert_int_equal(push(t, 2, "cd"), WEIR_EBUDGET);
	assert_int_equal(t->half.captured, 0);
	reasm_half_reject(&t->half, &t->pool, 2, WEIR_REJECT_BUDGET);
	assert_int_equal(push(t, 0, "ab"), 2);
	assert_int_equal(push(t, 0, "ab"),
			 0); /* no memory to say more than that it was not delivered */
	ledger_balances(t, &ledger);
	assert_int_equal(ledger.captured, 6);
	assert_int_equal(ledger.delivered, 2);
	assert_int_equal(ledger.rejected[WEIR_REJECT_BUDGET], 4);
	told(t, "ab");
}

static void what_waits_when_dropped_is_rejected(void **state)
{
	struct tape *t = tape_new(0);
	struct weir_ledger ledger;

	(void)push(t, 2, "cde");
	reasm_half_drop(&t->half, &t->pool);
	ledger_balances(t, &ledger);
	assert_int_equal(ledger.rejected[WEIR_REJECT_BUDGET], 3);
	assert_int_equal(ledger.pending, 0);
	told(t, "");
}

static void a_rejected_segment_is_counted_by_cause(void **state)
{
	struct tape *t = tape_new(0);
	struct weir_ledger ledger;

	reasm_half_reject(&t->half, &t->pool, 10, WEIR_REJECT_PAWS);
	reasm_half_reject(&t->half, &t->pool, 5, WEIR_REJECT_RST);
	ledger_balances(t, &ledger);
	assert_int_equal(ledger.captured, 15);
	assert_int_equal(ledger.rejected[WEIR_REJECT_PAWS], 10);
	assert_int_equal(ledger.rejected[WEIR_REJECT_RST], 5);
	told(t, "");
}

static void before_the_start_is_outside_the_window_and_after_fin_has_its_own_cause(void **state)
{
	struct tape *t = tape_new(0xfffffffe);
	struct weir_ledger ledger;

	(void)push(t, -2, "XXab");
	(void)fin(t, 2);
	(void)push(t, 2, "YYY");
	ledger_balances(t, &ledger);
	assert_int_equal(ledger.rejected[WEIR_REJECT_WINDOW], 2);
	assert_int_equal(ledger.rejected[WEIR_REJECT_AFTER_FIN], 3);
	told(t, "ab$");
}

static void stall_runs_from_the_first_segment_behind_the_hole(void **state)
{
	struct tape *t = tape_new(0);

	(void)push(t, 0, "a"); /* 1000 ms: nothing blocked yet */
	wait_ms(t, 10);
	(void)push(t, 2, "c"); /* from here */
	wait_ms(t, 30);
	(void)push(t, 4, "e");
	wait_ms(t, 5);
	(void)push(t, 1, "b"); /* 35 ms; the second hole goes on blocking */
	wait_ms(t, 100);
	(void)push(t, 3, "d");
	wait_ms(t, 50);
	(void)push(t, 5, "f");
	assert_int_equal(t->nmarks, 6);
	assert_int_equal(t->marks[0].stall_ns, 0);
	assert_int_equal(t->marks[1].stall_ns, 35 * MS); /* b */
	assert_int_equal(t->marks[2].stall_ns, 35 * MS); /* c */
	assert_int_equal(t->marks[3].stall_ns, 135 * MS);
	assert_int_equal(t->marks[5].stall_ns, 135 * MS); /* f: nothing blocked it */
	told(t, "abcdef");
}

/* The ring: conflicts with bytes delivered already */

static const struct {
	const char *again; /* at 3, where "defghi" was delivered */
	const char *told;
	uint64_t overlap;
} recent[] = {
	{"defghi", "abcdefghi", 0},
	{"deXghi", "abcdefghi{5 fghi/Xghi}", 1},
	{"deX", "abcdefghi{5 f/X}", 1},
	{"dXfgXijk", "abcdefghi{4 efghi/XfgXi}jk", 2},
};

static void a_conflict_with_delivered_bytes_is_told_by_the_ring(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(recent) / sizeof(recent[0]); i++) {
		struct tape *t = tape_new(0);
		struct weir_ledger ledger;

		assert_int_equal(reasm_pool_ring(&t->pool, 8), 0);
		(void)push(t, 0, "abc");
		(void)push(t, 3, "defghi");
		(void)push(t, 3, recent[i].again);
		ledger_balances(t, &ledger);
		assert_int_equal(ledger.overlap, recent[i].overlap);
		told(t, recent[i].told);
	}
}

static void the_ring_knows_segments_that_waited(void **state)
{
	struct tape *t = tape_new(0);

	assert_int_equal(reasm_pool_ring(&t->pool, 64), 0);
	(void)push(t, 3, "de");
	(void)push(t, 5, "fg");
	(void)push(t, 0, "abc");
	(void)push(t, 5, "fX");
	told(t, "abcdefg{6 g/X}");
}

static void a_difference_beyond_the_evidence_is_told_by_the_hash(void **state)
{
	struct tape *t = tape_new(0);
	struct weir_ledger ledger;
	char text[201], expected[512];

	memset(text, 'a', 200);
	text[200] = 0;
	assert_int_equal(reasm_pool_ring(&t->pool, 8), 0);
	(void)push(t, 0, text);
	(void)push(t, 0, text);
	text[150] = 'X';
	(void)push(t, 0, text);
	ledger_balances(t, &ledger);
	assert_int_equal(ledger.overlap, 160); /* somewhere behind the 40 bytes that are kept */
	assert_int_equal(ledger.duplicate, 240);
	memset(text, 'a', 200);
	(void)snprintf(expected, sizeof(expected), "%s{0 %.40s/%.40s}", text, text, text);
	told(t, expected);
}

/* Time: a segment costs the logarithm of what waits, whatever the order. Steps of searching are counted, not seconds. */

static uint64_t steps_of(uint32_t n, unsigned order)
{
	struct tape *t = tape_new(0);
	uint64_t steps;
	uint32_t i;

	t->pool.intervals = n + 1;
	t->pool.limit = 1 << 30;
	for (i = 0; i < n; i++) {
		uint32_t k = order == 0 ? i : order == 1 ? n - 1 - i : (uint32_t)(i * 40503ull % n);

		struct reasm_seg seg = {.data = (const uint8_t *)"x",
					.len = 1,
					.caplen = 1,
					.seq = 1 + 2 * k,
					.now_ns = t->now};
		assert_int_equal(reasm_half_push(&t->half, &t->pool, t, &seg), 0);
	}
	assert_int_equal(t->half.queue->count, n);
	steps = t->half.queue->steps;
	reasm_half_drop(&t->half, &t->pool);
	tape_free_all(t);
	return steps;
}

static void searching_takes_logarithmic_time_in_any_order(void **state)
{
	unsigned order;

	for (order = 0; order < 3; order++) {
		uint64_t small = steps_of(4096, order), large = steps_of(65536, order);

		/* 16 times the segments: 16 * (2 log2 65536) / (2 log2 4096) = 21; a list would give 256 */
		assert_true(large < 28 * small);
		assert_true(large < 65536ull * 3 * 34);
	}
}

/* The rules of an AA tree, and that it holds the list. @return number of nodes */
static uint32_t check_tree(const struct reasm_node *at, const struct reasm_node **ret_last)
{
	unsigned left = 0, right = 0;
	uint32_t n = 1;

	if (at == NULL) {
		return 0;
	}
	left = at->left != NULL ? at->left->level : 0;
	right = at->right != NULL ? at->right->level : 0;
	assert_int_equal(left, at->level - 1);
	assert_true(right == at->level || right + 1u == at->level);
	assert_true(at->right == NULL || at->right->right == NULL ||
		    at->right->right->level < at->level);
	n += check_tree(at->left, ret_last);
	assert_ptr_equal(*ret_last, at->prev);
	*ret_last = at;
	n += check_tree(at->right, ret_last);
	return n;
}

static void the_tree_stays_balanced_and_complete(void **state)
{
	struct tape *t = tape_new(0);
	uint32_t roll = 1, i, with_tree = 0;

	t->pool.ops = &count_ops;
	for (i = 0; i < 20000; i++) {
		const struct reasm_node *last = NULL;
		uint64_t at;

		roll = roll * 1664525u + 1013904223u;
		/* mostly behind holes; now and then what is next, so that intervals leave at the head */
		at = (roll >> 24) < 200 ? t->half.next + 1 + (roll >> 8) % 600 : t->half.next;
		(void)push(t, (int64_t)at, "x");
		if (t->half.queue != NULL && t->half.queue->root != NULL) {
			assert_int_equal(check_tree(t->half.queue->root, &last),
					 t->half.queue->count);
			assert_ptr_equal(last, t->half.queue->tail);
			with_tree++;
		}
	}
	assert_true(with_tree > 10000);
	finish(t);
	tape_free_all(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_give_what_the_table_says),
		cmocka_unit_test(in_order_costs_no_allocation_and_no_copy),
		cmocka_unit_test(a_half_is_one_cache_line),
		cmocka_unit_test(offsets_go_beyond_4_gib),
		cmocka_unit_test(marks_survive_coalescing),
		cmocka_unit_test(last_copy_wins_under_that_policy),
		cmocka_unit_test(evidence_is_64_bytes_from_the_first_difference),
		cmocka_unit_test(an_acknowledged_hole_waits_20_ms),
		cmocka_unit_test(an_acknowledged_hole_waits_for_3_more_packets),
		cmocka_unit_test(data_after_its_acknowledgement_is_in_time),
		cmocka_unit_test(an_acknowledgement_up_to_the_hole_is_no_evidence),
		cmocka_unit_test(an_acknowledgement_beyond_anything_sent_makes_no_gap),
		cmocka_unit_test(an_acknowledgement_that_came_before_the_data_counts_from_then),
		cmocka_unit_test(each_hole_has_its_own_evidence_and_age),
		cmocka_unit_test(a_split_hole_keeps_its_age),
		cmocka_unit_test(one_way_traffic_waits_200_ms_or_64_kib),
		cmocka_unit_test(too_many_bytes_make_the_first_hole_a_gap),
		cmocka_unit_test(too_many_intervals_make_the_first_hole_a_gap),
		cmocka_unit_test(the_hole_before_fin_is_acknowledged_too),
		cmocka_unit_test(a_hole_at_the_end_is_told_by_the_acknowledgement),
		cmocka_unit_test(late_data_of_a_declared_gap_is_duplicate),
		cmocka_unit_test(giving_up_declares_one_hole_and_gives_memory_back),
		cmocka_unit_test(without_memory_nothing_is_taken_and_nothing_counted),
		cmocka_unit_test(what_waits_when_dropped_is_rejected),
		cmocka_unit_test(a_rejected_segment_is_counted_by_cause),
		cmocka_unit_test(
			before_the_start_is_outside_the_window_and_after_fin_has_its_own_cause),
		cmocka_unit_test(stall_runs_from_the_first_segment_behind_the_hole),
		cmocka_unit_test(a_conflict_with_delivered_bytes_is_told_by_the_ring),
		cmocka_unit_test(the_ring_knows_segments_that_waited),
		cmocka_unit_test(a_difference_beyond_the_evidence_is_told_by_the_hash),
		cmocka_unit_test(the_tree_stays_balanced_and_complete),
		cmocka_unit_test(searching_takes_logarithmic_time_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

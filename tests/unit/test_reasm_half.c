/* SPDX-License-Identifier: Apache-2.0 */
/* reasm/half: segments and what they must give, as literal calls beside literal tapes (tests/lib/reasm_tape.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "reasm_tape.h"

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

	t->half.policy = WEIR_OVERLAP_LAST;
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

		assert_int_equal(reasm_pool_ring(&t->pool, 8, false), 0);
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

	assert_int_equal(reasm_pool_ring(&t->pool, 64, false), 0);
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
	assert_int_equal(reasm_pool_ring(&t->pool, 8, true), 0);
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
		cmocka_unit_test(a_conflict_with_delivered_bytes_is_told_by_the_ring),
		cmocka_unit_test(the_ring_knows_segments_that_waited),
		cmocka_unit_test(a_difference_beyond_the_evidence_is_told_by_the_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

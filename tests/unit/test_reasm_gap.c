/* SPDX-License-Identifier: Apache-2.0 */
/* reasm/half: when a hole becomes a gap and why; limits, memory, time. One behaviour a test (tests/lib/reasm_tape.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "reasm_tape.h"

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

static void three_packets_within_a_millisecond_may_be_a_short_flow(void **state)
{
	struct tape *t = tape_new(0);
	int i;

	t->pool.acked_min_ns = MS;
	(void)push(t, 2, "cd");
	acked(t, 4);
	for (i = 0; i < 10; i++) {
		packet_by(t);
	}
	assert_string_equal(t->text, "");
	wait_ms(t, 1);
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
	wait_ms(t, 2000); /* just then is in time */
	reasm_half_poll(&t->half, &t->pool, t, t->now, true);
	assert_string_equal(t->text, "ab");
	assert_int_equal(reasm_half_deadline(&t->half, &t->pool), 3000 * MS + 1);
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
	wait_ms(t, 1981);
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
	wait_ms(t, 501);
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
	assert_int_equal(reasm_half_deadline(&t->half, &t->pool), 1200 * MS + 1);
	wait_ms(t, 201);
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
	wait_ms(t, 2001);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_acknowledged_hole_waits_20_ms),
		cmocka_unit_test(an_acknowledged_hole_waits_for_3_more_packets),
		cmocka_unit_test(three_packets_within_a_millisecond_may_be_a_short_flow),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* flow/timer: exact order against a plain reference, jumps of years, many timers of one nanosecond. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/time.h"
#include "flow/timer.h"

enum { NTIMERS = 600 };

/* An entry's tie-break is not its index, so that the two cannot be taken for one another. */
struct entry {
	struct timer_node node;
	uint64_t order;
	bool set; /* the reference */
	int64_t deadline_ns;
};

static struct timer_node *entry_node(void *context, uint32_t index)
{
	return &((struct entry *)context)[index].node;
}

static uint64_t entry_order(void *context, uint32_t index)
{
	return ((struct entry *)context)[index].order;
}

static uint64_t random_u64(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t reference_first(const struct entry *entries, uint32_t n)
{
	uint32_t first = UINT32_MAX;
	uint32_t i;

	for (i = 0; i < n; i++) {
		const struct entry *entry = &entries[i];

		if (!entry->set) {
			continue;
		}
		if (first == UINT32_MAX || entry->deadline_ns < entries[first].deadline_ns ||
		    (entry->deadline_ns == entries[first].deadline_ns &&
		     entry->order < entries[first].order)) {
			first = i;
		}
	}
	return first;
}

/* Delays of every magnitude, also negative, often equal to the last */
static int64_t random_delay(uint64_t *seed)
{
	static int64_t last;
	uint64_t r = random_u64(seed);

	if ((r & 7) != 0) {
		last = (int64_t)(random_u64(seed) >> (8 + (r >> 8) % 55));
		if ((r & 0x70) == 0) {
			last = -last;
		}
	}
	return last;
}

static void set_entry(struct timer_wheel *wheel, struct entry *entries, uint32_t i,
		      int64_t deadline)
{
	timer_wheel_set(wheel, i, &entries[i].node, deadline);
	entries[i].set = true;
	entries[i].deadline_ns = deadline;
}

static void pop_all_due(struct timer_wheel *wheel, struct entry *entries, int64_t now)
{
	uint32_t expected = reference_first(entries, NTIMERS);

	while (expected != UINT32_MAX && entries[expected].deadline_ns <= now) {
		assert_true(timer_wheel_next(wheel) <= entries[expected].deadline_ns);
		assert_int_equal(timer_wheel_pop(wheel, now), expected);
		assert_int_equal(entries[expected].node.slot, 0);
		entries[expected].set = false;
		expected = reference_first(entries, NTIMERS);
	}
	assert_int_equal(timer_wheel_pop(wheel, now), UINT32_MAX);
	if (expected == UINT32_MAX) {
		assert_true(timer_wheel_next(wheel) == TIMER_NONE);
	} else {
		assert_true(timer_wheel_next(wheel) <= entries[expected].deadline_ns);
	}
}

static void random_operations_agree_with_reference(void **state)
{
	struct entry *entries = calloc(NTIMERS, sizeof(*entries));
	struct budget budget;
	struct timer_wheel *wheel;
	uint64_t seed = 7;
	int round;

	assert_non_null(entries);
	budget_init(&budget, SIZE_MAX, NULL);
	for (round = 0; round < 60; round++) {
		int64_t now = (int64_t)(random_u64(&seed) >> 2) * (round % 4 == 0 ? -1 : 1);
		int n;

		memset(entries, 0, NTIMERS * sizeof(*entries));
		for (n = 0; n < NTIMERS; n++) {
			entries[n].order = (uint64_t)((n * 7919) % 10007);
		}
		assert_int_equal(timer_wheel_new(&budget, entry_node, entry_order, entries, &wheel),
				 0);
		for (n = 0; n < 3000; n++) {
			uint64_t r = random_u64(&seed);
			uint32_t i = (uint32_t)((r >> 32) % NTIMERS);

			if ((r & 15) < 10) {
				set_entry(wheel, entries, i, now + random_delay(&seed));
			} else if ((r & 15) < 13) {
				timer_wheel_cancel(wheel, i, &entries[i].node);
				entries[i].set = false;
				assert_int_equal(entries[i].node.slot, 0);
			} else {
				/* back a little at times: the clock is clamped by others, not here */
				now += random_delay(&seed) / 8;
				pop_all_due(wheel, entries, now);
			}
		}
		pop_all_due(wheel, entries, INT64_MAX);
		timer_wheel_free(wheel);
	}
	assert_int_equal(budget.used, 0);
	free(entries);
}

static void equal_deadlines_go_by_order(void **state)
{
	static const uint64_t orders[5] = {30, 10, 50, 20, 40};
	static const uint32_t expected[5] = {1, 3, 0, 4, 2};
	struct entry entries[5];
	struct budget budget;
	struct timer_wheel *wheel;
	uint32_t i;

	memset(entries, 0, sizeof(entries));
	budget_init(&budget, SIZE_MAX, NULL);
	assert_int_equal(timer_wheel_new(&budget, entry_node, entry_order, entries, &wheel), 0);
	for (i = 0; i < 5; i++) {
		entries[i].order = orders[i];
		timer_wheel_set(wheel, i, &entries[i].node, 5 * NS_PER_S);
	}
	assert_int_equal(timer_wheel_pop(wheel, 5 * NS_PER_S - 1), UINT32_MAX);
	for (i = 0; i < 5; i++) {
		assert_int_equal(timer_wheel_pop(wheel, 5 * NS_PER_S), expected[i]);
	}
	assert_int_equal(timer_wheel_pop(wheel, INT64_MAX), UINT32_MAX);
	timer_wheel_free(wheel);
}

static void deadlines_one_nanosecond_apart_are_told_apart(void **state)
{
	struct entry entries[3];
	struct budget budget;
	struct timer_wheel *wheel;
	int64_t base = INT64_C(1700000000) * NS_PER_S;

	memset(entries, 0, sizeof(entries));
	budget_init(&budget, SIZE_MAX, NULL);
	assert_int_equal(timer_wheel_new(&budget, entry_node, entry_order, entries, &wheel), 0);
	timer_wheel_set(wheel, 0, &entries[0].node, base + 2);
	timer_wheel_set(wheel, 1, &entries[1].node, base + 1);
	timer_wheel_set(wheel, 2, &entries[2].node, base + 3);
	assert_int_equal(timer_wheel_pop(wheel, base), UINT32_MAX);
	assert_int_equal(timer_wheel_pop(wheel, base + 1), 1);
	assert_int_equal(timer_wheel_pop(wheel, base + 1), UINT32_MAX);
	assert_true(timer_wheel_next(wheel) == base + 2);
	assert_int_equal(timer_wheel_pop(wheel, base + 400 * 365 * INT64_C(86400)), 0);
	assert_int_equal(timer_wheel_pop(wheel, INT64_MAX), 2);
	timer_wheel_free(wheel);
}

static void extreme_deadlines_and_jumps_need_no_walk(void **state)
{
	struct entry entries[6];
	struct budget budget;
	struct timer_wheel *wheel;
	int n;

	memset(entries, 0, sizeof(entries));
	budget_init(&budget, SIZE_MAX, NULL);
	assert_int_equal(timer_wheel_new(&budget, entry_node, entry_order, entries, &wheel), 0);
	for (n = 0; n < 100000; n++) {
		/* 250 years forward, time and again: millions of empty slots each */
		timer_wheel_set(wheel, 0, &entries[0].node, INT64_MIN);
		timer_wheel_set(wheel, 1, &entries[1].node, INT64_MAX - 1);
		assert_int_equal(timer_wheel_pop(wheel, INT64_MIN), 0);
		assert_int_equal(timer_wheel_pop(wheel, INT64_MAX - 2), UINT32_MAX);
		assert_int_equal(timer_wheel_pop(wheel, INT64_MAX - 1), 1);
	}
	timer_wheel_free(wheel);
}

static void many_timers_of_one_time_stay_fast(void **state)
{
	enum { N = 200000 };
	struct entry *entries = calloc(N, sizeof(*entries));
	struct budget budget;
	struct timer_wheel *wheel;
	uint32_t i;

	assert_non_null(entries);
	budget_init(&budget, SIZE_MAX, NULL);
	assert_int_equal(timer_wheel_new(&budget, entry_node, entry_order, entries, &wheel), 0);
	for (i = 0; i < N; i++) {
		entries[i].order = (uint64_t)N - i;
		timer_wheel_set(wheel, i, &entries[i].node, NS_PER_S);
	}
	for (i = 0; i < N; i += 2) {
		timer_wheel_set(wheel, i, &entries[i].node, 2 * NS_PER_S);
	}
	for (i = N; i-- > 0;) {
		if (i % 2 == 1) {
			assert_int_equal(timer_wheel_pop(wheel, NS_PER_S), i);
		}
	}
	assert_int_equal(timer_wheel_pop(wheel, NS_PER_S), UINT32_MAX);
	for (i = 0; i < N; i += 4) {
		timer_wheel_set(wheel, i, &entries[i].node,
				0); /* in the past: into the heap of the due */
	}
	for (i = 0; i < N; i += 8) {
		timer_wheel_cancel(wheel, i, &entries[i].node);
	}
	for (i = N; i-- > 0;) {
		if (i % 8 == 4) {
			assert_int_equal(timer_wheel_pop(wheel, NS_PER_S), i);
		}
	}
	assert_int_equal(timer_wheel_pop(wheel, NS_PER_S), UINT32_MAX);
	timer_wheel_free(wheel);
	free(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_reference),
		cmocka_unit_test(equal_deadlines_go_by_order),
		cmocka_unit_test(deadlines_one_nanosecond_apart_are_told_apart),
		cmocka_unit_test(extreme_deadlines_and_jumps_need_no_walk),
		cmocka_unit_test(many_timers_of_one_time_stay_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered memory: slots do not overlap, numbers find them again, pages go back to the budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "engine/slots.h"

enum { MANY = 3000 };

static void sizes_are_rounded_up_a_little(void **state)
{
	size_t size;

	for (size = 1; size <= SLOT_MAX; size++) {
		size_t got = slots_size(size);

		assert_true(got >= size && got % SLOT_UNIT == 0 && got <= SLOT_MAX);
		assert_true(got - size < (size <= 512 ? SLOT_UNIT : size / 7 + SLOT_UNIT));
	}
	assert_int_equal(slots_size(1), 16);
	assert_int_equal(slots_size(48), 48);
	assert_int_equal(slots_size(513), 576);
	assert_int_equal(slots_size(4096), 4096);
}

/* Every slot filled with its own letter; a hole in the middle is used again. */
static void slots_keep_their_bytes(void **state)
{
	static uint32_t number[MANY];
	static size_t size[MANY];
	struct budget budget;
	struct slots slots;
	unsigned i, round;

	budget_init(&budget, (size_t)64 << 20, NULL);
	slots_init(&slots, &budget);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < MANY; i++) {
			if (round > 0 && i % 3 != 0) {
				continue;
			}
			size[i] = 1 + (i * 7919u + round * 131u) % SLOT_MAX;
			number[i] = slots_take(&slots, i & 1, size[i]);
			assert_int_not_equal(number[i], SLOT_NONE);
			assert_true(number[i] < 1u << 27);
			assert_int_equal(slots_kind(&slots, number[i]), i & 1);
			memset(slots_at(&slots, number[i]), (int)(i % 251), size[i]);
		}
		for (i = 0; i < MANY; i++) {
			const uint8_t *p = slots_at(&slots, number[i]);

			assert_int_equal(p[0], i % 251);
			assert_int_equal(p[size[i] - 1], i % 251);
			assert_int_equal((uintptr_t)p % 8, 0);
		}
		for (i = 0; i < MANY; i += 3) {
			slots_give(&slots, number[i]);
		}
	}
	for (i = 0; i < MANY; i++) {
		if (i % 3 != 0) {
			slots_give(&slots, number[i]);
		}
	}
	/* every page has gone back: only the list of pages is left */
	assert_int_equal(budget.used, slots.bytes);
	assert_true(slots.bytes < SLOT_PAGE);
	slots_fini(&slots);
	assert_int_equal(budget.used, 0);
}

static void without_memory_there_is_no_slot(void **state)
{
	struct budget budget;
	struct slots slots;
	uint32_t last = SLOT_NONE, number;
	unsigned n = 0;

	budget_init(&budget, SLOT_PAGE + 1024, NULL);
	slots_init(&slots, &budget);
	while ((number = slots_take(&slots, 0, 48)) != SLOT_NONE) {
		last = number;
		n++;
	}
	assert_int_equal(n, SLOT_PAGE / 48);
	slots_give(&slots, last);
	assert_int_equal(slots_take(&slots, 0, 48), last);
	assert_int_equal(slots_take(&slots, 0, 64), SLOT_NONE);
	while (n-- > 0) {
		slots_give(&slots, (last & ~1023u) | n * 3);
	}
	slots_fini(&slots);
	assert_int_equal(budget.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_rounded_up_a_little),
		cmocka_unit_test(slots_keep_their_bytes),
		cmocka_unit_test(without_memory_there_is_no_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that go from one flow to the next: zeroed, charged, given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/spare.h"

static bool is_zero(const uint8_t *p, size_t n)
{
	while (n > 0 && *p == 0) {
		p++;
		n--;
	}
	return n == 0;
}

static void the_last_block_is_the_next_one_and_zeroed(void **state)
{
	struct budget budget;
	struct spares spares;
	uint8_t *a, *b, *other;

	(void)state;
	budget_init(&budget, 1 << 20, NULL);
	spares_init(&spares, &budget);
	a = spares_take(&spares, 200);
	assert_non_null(a);
	memset(a, 0xee, 200);
	spares_give(&spares, a, 200);
	b = spares_take(&spares, 250); /* of the same class: 193 to 256 bytes */
	assert_ptr_equal(a, b);
	assert_true(is_zero(b, 250));
	other = spares_take(&spares, 257);
	assert_ptr_not_equal(other, b);
	assert_int_equal(budget.used, 256 + 320);
	spares_give(&spares, b, 250);
	spares_give(&spares, other, 257);
	assert_int_equal(budget.used, 256 + 320);
	assert_int_equal(spares_trim(&spares), 256 + 320);
	assert_int_equal(budget.used, 0);
	assert_int_equal(spares_trim(&spares), 0);
}

static void few_are_kept_and_large_ones_not_at_all(void **state)
{
	void *block[SPARE_KEEP + 4], *large;
	struct budget budget;
	struct spares spares;
	int i;

	(void)state;
	budget_init(&budget, 1 << 20, NULL);
	spares_init(&spares, &budget);
	for (i = 0; i < SPARE_KEEP + 4; i++) {
		block[i] = spares_take(&spares, 64);
		assert_non_null(block[i]);
	}
	for (i = 0; i < SPARE_KEEP + 4; i++) {
		spares_give(&spares, block[i], 64);
	}
	assert_int_equal(budget.used, SPARE_KEEP * 64);
	large = spares_take(&spares, SPARE_STEP * SPARE_CLASSES + 1);
	assert_int_equal(budget.used, SPARE_KEEP * 64 + SPARE_STEP * SPARE_CLASSES + 1);
	assert_true(is_zero(large, SPARE_STEP * SPARE_CLASSES + 1));
	spares_give(&spares, large, SPARE_STEP * SPARE_CLASSES + 1);
	assert_int_equal(spares_trim(&spares), SPARE_KEEP * 64);
	assert_int_equal(budget.used, 0);
}

static void without_memory_there_is_none_but_a_kept_one(void **state)
{
	struct budget budget;
	struct spares spares;
	void *block;

	(void)state;
	budget_init(&budget, 128, NULL);
	spares_init(&spares, &budget);
	block = spares_take(&spares, 100);
	assert_non_null(block);
	assert_null(spares_take(&spares, 1));
	assert_int_equal(budget.refused, 1);
	spares_give(&spares, NULL, 100);
	spares_give(&spares, block, 100);
	block = spares_take(&spares, 128);
	assert_non_null(block);
	spares_give(&spares, block, 128);
	assert_int_equal(spares_trim(&spares), 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_block_is_the_next_one_and_zeroed),
		cmocka_unit_test(few_are_kept_and_large_ones_not_at_all),
		cmocka_unit_test(without_memory_there_is_none_but_a_kept_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

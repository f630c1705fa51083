/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reassembly against a byte map (tests/lib/reasm_model.h): random segmentation, reorder, duplication, overlap with equal and
 * conflicting content, loss, sequence wrap, FIN, acknowledgements, snaplen, time. docs/testing.md says which planted bugs
 * it was shown to catch.
 *
 * WEIR_MODEL_CASES=n runs n cases (20,000 by default), WEIR_MODEL_SEED=s begins with seed s: a failure names its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "reasm_model.h"

static uint64_t current_seed;

void rm_fail(const struct rm_case *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "WEIR_MODEL_SEED=%llu: packet %llu: ", (unsigned long long)current_seed,
		(unsigned long long)c->model.packets);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value != NULL ? strtoull(value, NULL, 0) : otherwise;
}

static void engine_agrees_with_the_byte_map(void **state)
{
	uint64_t cases = number_from("WEIR_MODEL_CASES", 20000);
	uint64_t seed = number_from("WEIR_MODEL_SEED", 1), i;

	for (i = 0; i < cases; i++) {
		struct rm_dice dice = {.state = 0};

		current_seed = seed + i;
		dice.state = current_seed * 0xd1342543de82ef95ull;
		(void)rm_run(&dice, 10 + current_seed % 90, 0);
	}
}

/* The n-th allocation fails, for each n of each case: nothing crashes, everything is still counted. */
static void every_failing_allocation_is_survived(void **state)
{
	uint64_t seed, n, total;

	for (seed = 1; seed <= 60; seed++) {
		total = 1;
		for (n = 0; n <= total; n++) {
			struct rm_dice dice = {.state = seed * 77777};
			uint64_t made;

			current_seed = seed;
			made = rm_run(&dice, 40, n);
			total = n == 0 ? made : total;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(engine_agrees_with_the_byte_map),
		cmocka_unit_test(every_failing_allocation_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* reasm/segq: the cost of searching, in steps, and the tree that bounds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "reasm_tape.h"
#include "reasm/segq.h"

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
		cmocka_unit_test(searching_takes_logarithmic_time_in_any_order),
		cmocka_unit_test(the_tree_stays_balanced_and_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

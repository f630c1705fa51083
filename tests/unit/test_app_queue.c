/* SPDX-License-Identifier: Apache-2.0 */
/* app/queue: everything that goes in comes out once and in order, whatever the limit, with both ends waiting for each other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <pthread.h>
#include <sched.h>
#include <cmocka.h>

#include "app/queue.h"

enum { ITEMS = 20000 };

struct ends {
	struct queue there;
	struct queue back;
	unsigned pauses; /* of the consumer: one in so many */
};

static void *consume(void *context)
{
	struct ends *ends = context;
	uintptr_t i;

	for (i = 1; i <= ITEMS; i++) {
		void *item = queue_pop(&ends->there);

		if ((uintptr_t)item != i) {
			return item;
		}
		if (i % ends->pauses == 0) {
			sched_yield();
		}
		queue_push(&ends->back, item);
	}
	return NULL;
}

/* The producer takes back what comes when it likes, as long as both queues have room for all that is on its way. */
static void items_arrive_once_and_in_order(void **state)
{
	static const struct {
		size_t there, back;
		unsigned pauses;
	} cases[] = {{1, 1, 3}, {1, 64, 1000}, {2, 3, 7}, {64, 64, 2}, {64, 1, 50}, {5, 64, 1}};
	size_t k;

	for (k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		size_t room = cases[k].there + cases[k].back;
		struct ends ends = {.pauses = cases[k].pauses};
		uintptr_t sent = 0, got = 0;
		pthread_t thread;
		void *wrong;

		queue_init(&ends.there, cases[k].there);
		queue_init(&ends.back, cases[k].back);
		assert_int_equal(pthread_create(&thread, NULL, consume, &ends), 0);
		while (got < ITEMS) {
			while (sent < ITEMS && sent - got < room) {
				queue_push(&ends.there, (void *)++sent);
			}
			do {
				assert_int_equal((uintptr_t)queue_pop(&ends.back), ++got);
			} while (got < sent && got % 3 != 0);
		}
		pthread_join(thread, &wrong);
		assert_null(wrong);
		queue_fini(&ends.there);
		queue_fini(&ends.back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_arrive_once_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

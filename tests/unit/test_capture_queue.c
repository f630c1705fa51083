/* SPDX-License-Identifier: Apache-2.0 */
/* capture/: packets between two threads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "capture/queue.h"

enum { SIZE = 4096, HEAD = 24 };

static bool put(struct queue *queue, int64_t ts_ns, const char *text, uint32_t caplen)
{
	struct queue_packet head = {.ts_ns = ts_ns,
				    .caplen = caplen,
				    .wirelen = caplen + 4,
				    .drops = 3,
				    .interface = 7};
	static uint8_t bytes[SIZE];

	memset(bytes, text[0], sizeof(bytes));
	return queue_put(queue, &head, bytes);
}

static void expect(struct queue *queue, int64_t ts_ns, const char *text, uint32_t caplen)
{
	const struct queue_packet *packet = queue_peek(queue);

	assert_non_null(packet);
	assert_int_equal(packet->ts_ns, ts_ns);
	assert_int_equal(packet->caplen, caplen);
	assert_int_equal(packet->wirelen, caplen + 4);
	assert_int_equal(packet->drops, 3);
	assert_int_equal(packet->interface, 7);
	if (caplen > 0) {
		assert_int_equal(packet->bytes[0], text[0]);
		assert_int_equal(packet->bytes[caplen - 1], text[0]);
	}
	queue_pop(queue, packet);
}

static void nothing_is_seen_before_it_is_published(void **state)
{
	struct queue queue;

	(void)state;
	assert_int_equal(queue_init(&queue, SIZE), 0);
	assert_null(queue_peek(&queue));
	assert_true(put(&queue, 5, "a", 10));
	assert_true(put(&queue, 6, "b", 0));
	assert_null(queue_peek(&queue));
	assert_true(queue_publish(&queue));
	expect(&queue, 5, "a", 10);
	assert_true(put(&queue, 4, "c", 1));
	assert_false(queue_publish(&queue)); /* it was not empty */
	expect(&queue, 6, "b", 0);
	expect(&queue, 4, "c", 1);
	assert_null(queue_peek(&queue));
	queue_give_back(&queue);
	assert_false(queue_publish(&queue)); /* nothing was put */
	queue_fini(&queue);
}

/* 4,096 bytes: four packets of 24 + 1,000; a fifth one when one was given back, not when it was only looked at. */
static void a_full_queue_takes_nothing(void **state)
{
	struct queue queue;
	unsigned i;

	(void)state;
	assert_int_equal(queue_init(&queue, SIZE), 0);
	for (i = 0; i < 4; i++) {
		assert_true(put(&queue, i, "x", 1000));
	}
	assert_false(put(&queue, 4, "x", 0));
	assert_false(queue_has_room(&queue, 0));
	assert_int_equal(queue_fill(&queue), 0);
	(void)queue_publish(&queue);
	assert_int_equal(queue_fill(&queue), 4096);
	expect(&queue, 0, "x", 1000);
	assert_false(put(&queue, 4, "x", 1000));
	queue_give_back(&queue);
	assert_int_equal(queue_fill(&queue), 3072);
	assert_true(put(&queue, 4, "y", 1000));
	(void)queue_publish(&queue);
	for (i = 1; i < 4; i++) {
		expect(&queue, i, "x", 1000);
	}
	expect(&queue, 4, "y", 1000);
	assert_null(queue_peek(&queue));
	queue_fini(&queue);
}

/* What does not fit before the end begins at the beginning, also where not even a head fits (16 bytes are left). */
static void packets_lie_in_one_piece(void **state)
{
	static const uint32_t first[] = {3000, 4096 - HEAD - 16, 4096 - HEAD - 24};
	struct queue queue;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(queue_init(&queue, SIZE), 0);
		assert_true(put(&queue, 1, "a", first[i]));
		(void)queue_publish(&queue);
		expect(&queue, 1, "a", first[i]);
		queue_give_back(&queue);
		assert_true(put(&queue, 2, "b", 2000));
		assert_true(queue_publish(&queue));
		expect(&queue, 2, "b", 2000);
		assert_null(queue_peek(&queue));
		queue_give_back(&queue);
		assert_int_equal(queue_fill(&queue), 0);
		queue_fini(&queue);
	}
}

/* Room for a packet of n bytes is room for it wherever the ring stands. */
static void room_is_kept(void **state)
{
	struct queue queue;
	unsigned i;

	(void)state;
	assert_int_equal(queue_init(&queue, SIZE), 0);
	for (i = 0; i < 2000; i++) {
		uint32_t small = i * 37 % 400;

		assert_true(queue_has_room(&queue, 1900));
		assert_true(put(&queue, i, "p", small));
		(void)queue_publish(&queue);
		expect(&queue, i, "p", small);
		queue_give_back(&queue);
		assert_true(queue_has_room(&queue, 1900));
		assert_true(put(&queue, i, "q", 1900));
		(void)queue_publish(&queue);
		expect(&queue, i, "q", 1900);
		queue_give_back(&queue);
	}
	queue_fini(&queue);
}

enum { PACKETS = 200000 };

static void *write_all(void *context)
{
	struct queue *queue = context;
	unsigned i;

	for (i = 0; i < PACKETS; i++) {
		while (!put(queue, i, "z", i * 31 % 700)) {
			(void)queue_publish(queue);
			sched_yield();
		}
		if (i % 5 == 0) {
			(void)queue_publish(queue);
		}
	}
	(void)queue_publish(queue);
	return NULL;
}

static void two_threads(void **state)
{
	struct queue queue;
	pthread_t thread;
	unsigned i;

	(void)state;
	assert_int_equal(queue_init(&queue, SIZE), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_all, &queue), 0);
	for (i = 0; i < PACKETS; i++) {
		while (queue_peek(&queue) == NULL) {
			queue_give_back(&queue);
			sched_yield();
		}
		expect(&queue, i, "z", i * 31 % 700);
		if (i % 3 == 0) {
			queue_give_back(&queue);
		}
	}
	assert_null(queue_peek(&queue));
	pthread_join(thread, NULL);
	queue_fini(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_seen_before_it_is_published),
		cmocka_unit_test(a_full_queue_takes_nothing),
		cmocka_unit_test(packets_lie_in_one_piece),
		cmocka_unit_test(room_is_kept),
		cmocka_unit_test(two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

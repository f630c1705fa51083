/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink/batch: what a sink gets that is quick, slow, broken or stuck. The sink of these tests writes down the number of each
 * record (packet.first), and can be held at a gate.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "sample_record.h"
#include "sink/batch.h"
#include "weir/error.h"

enum { MAX_SEEN = 100000 };

#define REOPENED    UINT32_MAX
#define NS_PER_TEST (60 * INT64_C(1000000000))

/* Everything but `held` is under the lock. */
struct gate_sink {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool closed_gate; /* records wait at the gate */
	bool waiting;     /* one does */
	uint32_t seen[MAX_SEEN];
	size_t nseen;
	size_t flushed;   /* of nseen */
	size_t nflushes;  /* with something new */
	size_t fail_from; /* the record of this index fails; 0: none */
	bool fail_flush;
	bool fail_reopen;
	bool closed;
	pthread_t thread; /* of the last record */
	int troubles[4];  /* by enum sink_trouble */
	int error;
};

static struct gate_sink gate;

static void set_gate(bool closed)
{
	pthread_mutex_lock(&gate.lock);
	gate.closed_gate = closed;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
}

static int gate_record(struct weir_sink *sink, const struct weir_record *rec)
{
	int err = 0;

	pthread_mutex_lock(&gate.lock);
	while (gate.closed_gate) {
		gate.waiting = true;
		pthread_cond_broadcast(&gate.moved);
		pthread_cond_wait(&gate.moved, &gate.lock);
	}
	gate.waiting = false;
	gate.thread = pthread_self();
	if (gate.fail_from != 0 && gate.nseen >= gate.fail_from) {
		errno = ENOSPC;
		err = WEIR_EIO;
	} else {
		assert_true(gate.nseen < MAX_SEEN);
		gate.seen[gate.nseen++] = (uint32_t)rec->values[WEIR_F_PACKET_FIRST].v.u64;
		pthread_cond_broadcast(&gate.moved);
	}
	pthread_mutex_unlock(&gate.lock);
	return err;
}

static int gate_flush(struct weir_sink *sink)
{
	pthread_mutex_lock(&gate.lock);
	gate.nflushes += gate.flushed < gate.nseen;
	gate.flushed = gate.nseen;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
	errno = EIO;
	return gate.fail_flush ? WEIR_EIO : 0;
}

static int gate_reopen(struct weir_sink *sink)
{
	pthread_mutex_lock(&gate.lock);
	gate.seen[gate.nseen++] = REOPENED;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
	errno = EACCES;
	return gate.fail_reopen ? WEIR_EIO : 0;
}

static int gate_close(struct weir_sink *sink)
{
	pthread_mutex_lock(&gate.lock);
	gate.closed = true;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
	return 0;
}

static const struct weir_sink_type gate_type = {
	.name = "gate",
	.record = gate_record,
	.flush = gate_flush,
	.reopen = gate_reopen,
	.close = gate_close,
};

static void on_trouble(void *context, enum sink_trouble trouble, int error)
{
	gate.troubles[trouble]++;
	gate.error = error;
}

static struct sample sample;

static int set_up(void **state)
{
	memset(&gate, 0, sizeof(gate));
	pthread_mutex_init(&gate.lock, NULL);
	pthread_cond_init(&gate.moved, NULL);
	sample_init(&sample, &sample_schema);
	sample_fill(sample.rec);
	return 0;
}

static int tear_down(void **state)
{
	sample_fini(&sample);
	return 0;
}

static struct sink_batch *start(size_t memory, bool may_lose)
{
	struct sink_batch_options options = {
		.type = &gate_type, .memory = memory, .may_lose = may_lose, .failed = on_trouble};
	struct sink_batch *batch = NULL;

	assert_int_equal(sink_batch_new(&options, &batch), 0);
	return batch;
}

/* Records number from, from + 1 ... */
static void give(struct sink_batch *batch, uint32_t from, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		weir_record_set_u64(sample.rec, WEIR_F_PACKET_FIRST, from + i);
		sink_batch_record(batch, sample.rec);
	}
}

static void assert_seen(size_t at, uint32_t from, uint32_t n)
{
	uint32_t i;

	assert_true(gate.nseen >= at + n);
	for (i = 0; i < n; i++) {
		assert_int_equal(gate.seen[at + i], from + i);
	}
}

/* Wait until the sink has seen so many. */
static void wait_seen(size_t n)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.nseen < n) {
		pthread_cond_wait(&gate.moved, &gate.lock);
	}
	pthread_mutex_unlock(&gate.lock);
}

static void wait_flushed(size_t n)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.flushed < n) {
		pthread_cond_wait(&gate.moved, &gate.lock);
	}
	pthread_mutex_unlock(&gate.lock);
}

static void wait_at_gate(void)
{
	pthread_mutex_lock(&gate.lock);
	while (!gate.waiting) {
		pthread_cond_wait(&gate.moved, &gate.lock);
	}
	pthread_mutex_unlock(&gate.lock);
}

static void without_memory_the_caller_writes(void **state)
{
	struct sink_batch *batch = start(0, false);
	struct sink_batch_stats stats;

	give(batch, 1, 3);
	assert_int_equal(gate.nseen, 3);
	assert_true(pthread_equal(gate.thread, pthread_self()));
	assert_int_equal(gate.flushed, 0);
	sink_batch_settle(batch);
	assert_int_equal(gate.flushed, 3);
	assert_int_equal(sink_batch_close(batch, 0, &stats), 0);
	assert_true(gate.closed);
	assert_int_equal(stats.written, 3);
}

static void records_arrive_in_order_on_another_thread(void **state)
{
	struct sink_batch *batch = start(1 << 20, false);
	struct sink_batch_stats stats;

	give(batch, 1, 50000);
	assert_int_equal(sink_batch_close(batch, 0, &stats), 0);
	assert_int_equal(gate.nseen, 50000);
	assert_seen(0, 1, 50000);
	assert_false(pthread_equal(gate.thread, pthread_self()));
	assert_int_equal(stats.written, 50000);
	assert_true(gate.closed);
	/* a budget of 1 MiB held 50 000 records of more than 1 KiB one after another */
	assert_true(stats.memory_peak <= 1 << 20);
	assert_true(stats.memory_peak >= 1 << 17);
}

static void a_record_is_copied(void **state)
{
	struct sink_batch *batch = start(1 << 20, false);
	struct sink_batch_stats stats;

	set_gate(true);
	give(batch, 7, 1);
	weir_record_set_u64(sample.rec, WEIR_F_PACKET_FIRST, 8);
	set_gate(false);
	assert_int_equal(sink_batch_close(batch, 0, &stats), 0);
	assert_int_equal(gate.nseen, 1);
	assert_int_equal(gate.seen[0], 7);
}

static void settle_brings_a_single_record_out(void **state)
{
	struct sink_batch *batch = start(1 << 20, true);
	struct sink_batch_stats stats;

	give(batch, 1, 1);
	sink_batch_settle(batch);
	wait_flushed(1);
	give(batch, 2, 1);
	sink_batch_settle(batch);
	wait_flushed(2);
	assert_int_equal(sink_batch_close(batch, NS_PER_TEST, &stats), 0);
	assert_seen(0, 1, 2);
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Live: records that come one after the other go out together, every 5 ms. */
static void a_busy_sink_is_not_woken_for_each_record(void **state)
{
	struct sink_batch *batch = start(1 << 20, true);
	struct timespec pause = {.tv_nsec = 500000};
	int64_t began = clock_ms(), took;
	struct sink_batch_stats stats;
	uint32_t i;

	for (i = 0; i < 100; i++) {
		give(batch, 1 + i, 1);
		sink_batch_settle(batch);
		nanosleep(&pause, NULL);
	}
	took = clock_ms() - began;
	pthread_mutex_lock(&gate.lock);
	assert_true((int64_t)gate.nflushes <= took / 5 + 2);
	pthread_mutex_unlock(&gate.lock);
	assert_int_equal(sink_batch_close(batch, NS_PER_TEST, &stats), 0);
	assert_seen(0, 1, 100);
	assert_int_equal(stats.written, 100);
}

/* Whoever is watching waits for the interval's end, and nobody has to ask again. */
static void a_sink_that_holds_is_flushed_once_an_interval(void **state)
{
	struct weir_sink_type type = gate_type;
	struct sink_batch_options options = {.type = &type,
					     .sink = (struct weir_sink *)&gate,
					     .memory = 1 << 20,
					     .may_lose = true,
					     .failed = on_trouble};
	struct sink_batch_stats stats;
	struct sink_batch *batch;
	int64_t began = clock_ms(), took;
	bool seen;
	uint32_t n;

	type.hold_ms = 300;
	assert_int_equal(sink_batch_new(&options, &batch), 0);
	for (n = 0; clock_ms() - began < 1000; n++) {
		give(batch, n + 1, 1);
		sink_batch_settle(batch);
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	/* settling is asked for until it is done, as by a pipeline */
	for (seen = false; !seen;) {
		sink_batch_settle(batch);
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
		pthread_mutex_lock(&gate.lock);
		seen = gate.nseen == n;
		pthread_mutex_unlock(&gate.lock);
	}
	wait_flushed(n);
	took = clock_ms() - began;
	/* at once, then every 300 ms */
	assert_true(gate.nflushes >= 2 && (int64_t)gate.nflushes <= took / 300 + 1);
	assert_int_equal(sink_batch_close(batch, NS_PER_TEST, &stats), 0);
	assert_int_equal(stats.written, n);
	assert_seen(0, 1, n);
}

/* Also while it is never idle, and without a thread. */
static void a_sink_that_holds_is_flushed_when_it_is_time(void **state)
{
	struct weir_sink_type type = gate_type;
	struct sink_batch_options options = {
		.type = &type, .sink = (struct weir_sink *)&gate, .failed = on_trouble};
	struct sink_batch_stats stats;
	struct sink_batch *batch;
	int64_t began = clock_ms();
	uint32_t n;

	type.hold_ms = 100;
	type.confirm = MAX_SEEN;
	assert_int_equal(sink_batch_new(&options, &batch), 0);
	for (n = 0; clock_ms() - began < 350; n++) {
		give(batch, 256 * n + 1, 256);
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	assert_true(gate.nflushes >= 2 && gate.nflushes <= 5);
	assert_int_equal(sink_batch_close(batch, 0, &stats), 0);
	assert_int_equal(stats.written, 256 * n);
}

/* What was put in before the queue was full comes out, in order and whole; what came after is counted, and later ones come again. */
static void a_slow_sink_that_may_lose_never_holds_the_producer(void **state)
{
	struct sink_batch *batch = start(1 << 20, true);
	struct sink_batch_stats stats;
	struct timespec before, after;
	size_t queued;

	set_gate(true);
	give(batch, 1, 1);
	sink_batch_settle(batch);
	wait_at_gate();
	clock_gettime(CLOCK_MONOTONIC, &before);
	give(batch, 2, 20000);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 5); /* 0.2 s of waiting, once */
	sink_batch_get_stats(batch, &stats);
	assert_int_equal(stats.written, 0);
	assert_true(stats.lost[SINK_LOSS_FULL] > 10000);
	assert_true(stats.memory_peak <= 1 << 20);
	queued = 20001 - stats.lost[SINK_LOSS_FULL];
	assert_true(queued > 400); /* of about 1.5 KiB in 1 MiB */
	set_gate(false);
	wait_seen(queued);
	give(batch, 30000, 1);
	assert_int_equal(sink_batch_close(batch, NS_PER_TEST, &stats), 0);
	assert_seen(0, 1, (uint32_t)queued);
	assert_int_equal(gate.seen[queued], 30000);
	assert_int_equal(gate.nseen, queued + 1);
	assert_int_equal(stats.written, queued + 1);
	assert_int_equal(stats.written + stats.lost[SINK_LOSS_FULL], 20002);
}

static void *open_gate_soon(void *context)
{
	struct timespec pause = {0, 50000000};

	nanosleep(&pause, NULL);
	set_gate(false);
	return NULL;
}

/* A thread that was not given the processor for a moment is waited for. */
static void a_short_pause_of_a_sink_that_may_lose_loses_nothing(void **state)
{
	struct sink_batch *batch = start(1 << 18, true);
	struct sink_batch_stats stats;
	pthread_t opener;

	set_gate(true);
	assert_int_equal(pthread_create(&opener, NULL, open_gate_soon, NULL), 0);
	give(batch, 1, 1000); /* five times what there is memory for */
	pthread_join(opener, NULL);
	assert_int_equal(sink_batch_close(batch, NS_PER_TEST, &stats), 0);
	assert_seen(0, 1, 1000);
	assert_int_equal(stats.written, 1000);
}

static void a_slow_sink_that_may_not_lose_holds_the_producer(void **state)
{
	struct sink_batch *batch = start(1 << 18, false);
	struct sink_batch_stats stats;
	pthread_t opener;

	set_gate(true);
	assert_int_equal(pthread_create(&opener, NULL, open_gate_soon, NULL), 0);
	give(batch, 1, 5000);
	assert_true(gate.nseen > 3000); /* it had to wait until so many were through */
	pthread_join(opener, NULL);
	assert_int_equal(sink_batch_close(batch, 0, &stats), 0);
	assert_seen(0, 1, 5000);
	assert_int_equal(stats.written, 5000);
}

/* Larger than all memory: written by the producer, in its place. */
static void a_record_beyond_the_memory_is_not_lost_when_reading_files(void **state)
{
	static char body[1 << 18];
	struct sink_batch *batch = start(1 << 17, false);
	struct sink_batch_stats stats;

	give(batch, 1, 100);
	weir_record_set_bytes(sample.rec, S_RESPONSE_BODY, body, sizeof(body), sizeof(body));
	give(batch, 101, 2);
	assert_int_equal(sink_batch_close(batch, 0, &stats), 0);
	assert_seen(0, 1, 102);
	assert_int_equal(stats.written, 102);
}

static void a_record_beyond_the_memory_is_counted_live(void **state)
{
	static char body[1 << 18];
	struct sink_batch *batch = start(1 << 17, true);
	struct sink_batch_stats stats;

	weir_record_set_bytes(sample.rec, S_RESPONSE_BODY, body, sizeof(body), sizeof(body));
	give(batch, 1, 1);
	assert_int_equal(sink_batch_close(batch, NS_PER_TEST, &stats), 0);
	assert_int_equal(gate.nseen, 0);
	assert_int_equal(stats.lost[SINK_LOSS_MEMORY], 1);
}

static void a_failure_is_told_once_and_the_rest_counted(void **state)
{
	size_t memory;

	for (memory = 0; memory <= 1 << 20; memory += 1 << 20) {
		struct sink_batch *batch;
		struct sink_batch_stats stats;

		gate.nseen = 0;
		gate.troubles[SINK_TROUBLE_WRITE] = 0;
		gate.fail_from = 1000;
		batch = start(memory, false);
		give(batch, 1, 3000);
		assert_int_equal(sink_batch_close(batch, 0, &stats), WEIR_EIO);
		assert_int_equal(gate.troubles[SINK_TROUBLE_WRITE], 1);
		assert_int_equal(gate.error, ENOSPC);
		assert_int_equal(gate.nseen, 1000);
		/* those after the last flush are not known to be written */
		assert_int_equal(stats.written, 768);
		assert_int_equal(stats.lost[SINK_LOSS_FAILED], 3000 - 768);
	}
}

/* One that recovers: what was lost is what came since its last flush, and what it would not take; then it goes on. */
static void a_sink_that_recovers_is_asked_again(void **state)
{
	struct weir_sink_type type = gate_type;
	struct sink_batch_options options = {
		.type = &type, .sink = (struct weir_sink *)&gate, .failed = on_trouble};
	struct sink_batch_stats stats;
	struct sink_batch *batch;

	type.recovers = true;
	type.confirm = 100;
	gate.fail_from = 150;
	assert_int_equal(sink_batch_new(&options, &batch), 0);
	give(batch, 1, 160); /* 100 flushed, 50 taken and void, 10 refused */
	assert_int_equal(gate.troubles[SINK_TROUBLE_PASSING], 1);
	assert_int_equal(gate.troubles[SINK_TROUBLE_OVER], 0);
	gate.fail_from = 0;
	give(batch, 161, 100);
	assert_int_equal(gate.troubles[SINK_TROUBLE_OVER], 1);
	give(batch, 261, 10);
	assert_int_equal(sink_batch_close(batch, 0, &stats), WEIR_EIO);
	assert_int_equal(stats.written, 210);
	assert_int_equal(stats.lost[SINK_LOSS_FAILED], 60);
	assert_int_equal(gate.troubles[SINK_TROUBLE_PASSING], 1);
	assert_int_equal(gate.troubles[SINK_TROUBLE_WRITE], 0);
}

static void a_flush_that_fails_loses_what_was_not_flushed(void **state)
{
	struct sink_batch *batch = start(0, false);
	struct sink_batch_stats stats;

	give(batch, 1, 5);
	sink_batch_settle(batch);
	give(batch, 6, 4);
	gate.fail_flush = true;
	assert_int_equal(sink_batch_close(batch, 0, &stats), WEIR_EIO);
	assert_int_equal(stats.written, 5);
	assert_int_equal(stats.lost[SINK_LOSS_FAILED], 4);
	assert_int_equal(gate.error, EIO);
}

static void reopening_is_behind_what_was_given(void **state)
{
	struct sink_batch *batch = start(1 << 20, true);
	struct sink_batch_stats stats;

	set_gate(true);
	give(batch, 1, 100);
	gate.fail_reopen = true;
	sink_batch_reopen(batch);
	give(batch, 101, 100);
	set_gate(false);
	assert_int_equal(sink_batch_close(batch, NS_PER_TEST, &stats), 0);
	assert_seen(0, 1, 100);
	assert_int_equal(gate.seen[100], REOPENED);
	assert_seen(101, 101, 100);
	assert_int_equal(gate.troubles[SINK_TROUBLE_REOPEN], 1);
	assert_int_equal(stats.written, 200);
}

/* It hangs for ever: the run ends all the same, and says how many are not written. */
static void a_sink_that_hangs_is_given_up(void **state)
{
	struct sink_batch *batch = start(1 << 20, true);
	struct sink_batch_stats stats;
	struct timespec before, after;

	set_gate(true);
	give(batch, 1, 50);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(sink_batch_close(batch, 100000000, &stats), WEIR_EIO);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 5);
	assert_int_equal(stats.written, 0);
	assert_int_equal(stats.lost[SINK_LOSS_STUCK], 50);
	assert_false(gate.closed);
	/* should it come back, it closes what is its own */
	set_gate(false);
	pthread_mutex_lock(&gate.lock);
	while (!gate.closed) {
		pthread_cond_wait(&gate.moved, &gate.lock);
	}
	pthread_mutex_unlock(&gate.lock);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(without_memory_the_caller_writes),
		TEST(records_arrive_in_order_on_another_thread),
		TEST(a_record_is_copied),
		TEST(settle_brings_a_single_record_out),
		TEST(a_busy_sink_is_not_woken_for_each_record),
		TEST(a_sink_that_holds_is_flushed_once_an_interval),
		TEST(a_sink_that_holds_is_flushed_when_it_is_time),
		TEST(a_slow_sink_that_may_lose_never_holds_the_producer),
		TEST(a_short_pause_of_a_sink_that_may_lose_loses_nothing),
		TEST(a_slow_sink_that_may_not_lose_holds_the_producer),
		TEST(a_record_beyond_the_memory_is_not_lost_when_reading_files),
		TEST(a_record_beyond_the_memory_is_counted_live),
		TEST(a_failure_is_told_once_and_the_rest_counted),
		TEST(a_sink_that_recovers_is_asked_again),
		TEST(a_flush_that_fails_loses_what_was_not_flushed),
		TEST(reopening_is_behind_what_was_given),
		TEST(a_sink_that_hangs_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

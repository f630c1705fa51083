/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sink's queue and thread: see batch.h.
 *
 * The queue is a ring of parcels (records copied into an arena), with one producer and one consumer. A parcel goes through
 * three numbers that only rise: `filled` (handed over), `done` (written), `freed` (its memory taken back by the producer, whose
 * arenas they are): freed <= done <= filled <= freed + nparcels. The one being filled is at `filled`.
 *
 * A parcel that is not full is handed over when the sink has nothing else to do, so that records come out at once while it
 * keeps up, and in large pieces when it does not. Where records are lost rather than waited for, the thread naps between two looks (NAP_NS): waking
 * it for every round of packets costs both threads more than writing the few records of one.
 */
#include "sink/batch.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "record/record.h"
#include "weir/error.h"

enum {
	PARCELS_MAX = 512,        /* may lose: the memory is what bounds the queue */
	PARCELS_WAITING = 16,     /* else: more would only be out of the cache */
	PARCEL_BYTES = 128 << 10, /* of records in a parcel */
	PARCEL_RECORDS = 1024,
	BLOCK_BYTES = 16 << 10, /* its memory comes in */
	CONFIRM_RECORDS =
		256, /* flushed at least after so many: what is flushed is known to be written */
	CLOCK_RECORDS = 256, /* without a thread: the clock is looked at */
	NAP_PARCELS = 8      /* so many waiting end a nap */
};

#define NAP_NS      (5 * NS_PER_MS)
#define CREDIT_NS   (200 * NS_PER_MS)
#define CREDIT_PART 32 /* of the time that passes comes back */

struct entry {
	struct entry *next;
	const struct weir_record *rec;
};

struct parcel {
	struct weir_arena arena;
	struct entry *first, *last;
	size_t n;
};

struct sink_batch {
	struct sink_batch_options options;
	/* of either thread */
	atomic_uint_fast64_t written;
	atomic_uint_fast64_t lost[SINK_NLOSSES];
	atomic_bool failed;
	atomic_uint_fast64_t taken; /* records that the sink has returned from */
	uint64_t unconfirmed; /* the writing thread's: given to the sink since its last flush */
	bool troubled;        /* ... and that it fails has been told */
	int64_t flushed_ns;   /* ... when */
	/* the producer's */
	uint64_t given;
	uint64_t freed;
	int64_t credit_ns;   /* may lose: that may be waited ... */
	int64_t credited_ns; /* ... as of this time */
	bool ready;          /* the parcel at `filled` can be filled */
	bool dirty; /* records were given since the last sink_batch_settle() that found the sink idle */
	struct budget budget;
	struct arena_pool pool;
	size_t nparcels; /* 0: no thread */
	struct parcel parcels[PARCELS_MAX];
	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t work; /* for the sink's thread */
	pthread_cond_t room; /* for the producer: a parcel was written, or the thread has ended */
	uint64_t filled;
	uint64_t done;
	uint64_t reopen_at; /* reopen when so many are done */
	bool reopen;
	bool flush;
	bool busy;   /* the thread is in the sink */
	bool rested; /* it has done nothing since its last nap */
	bool naps;   /* it looks for itself soon */
	bool closing;
	bool ended;
	bool abandoned;
	pthread_t thread;
};

const char *sink_loss_name(enum sink_loss loss)
{
	static const char *const names[SINK_NLOSSES] = {"queue_full", "no_memory", "failed",
							"stuck"};

	return names[loss];
}

static void lose(struct sink_batch *batch, enum sink_loss loss, uint64_t n)
{
	atomic_fetch_add_explicit(&batch->lost[loss], n, memory_order_relaxed);
}

/* ---- writing: on the sink's thread, or the only one ---- */

static void tell(struct sink_batch *batch, enum sink_trouble trouble)
{
	int error = errno;

	pthread_mutex_lock(&batch->lock);
	/* after the end of the run nobody listens */
	if (!batch->abandoned) {
		batch->options.failed(batch->options.context, trouble, error);
	}
	pthread_mutex_unlock(&batch->lock);
}

static void fail(struct sink_batch *batch)
{
	if (batch->options.type->recovers) {
		if (!batch->troubled) {
			tell(batch, SINK_TROUBLE_PASSING);
		}
		batch->troubled = true;
	} else if (!atomic_exchange_explicit(&batch->failed, true, memory_order_relaxed)) {
		tell(batch, SINK_TROUBLE_WRITE);
	}
	lose(batch, SINK_LOSS_FAILED, batch->unconfirmed);
	batch->unconfirmed = 0;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static struct timespec in_ns(int64_t ns)
{
	struct timespec then;

	clock_gettime(CLOCK_MONOTONIC, &then);
	then.tv_sec += ns / NS_PER_S;
	then.tv_nsec += ns % NS_PER_S;
	if (then.tv_nsec >= NS_PER_S) {
		then.tv_nsec -= NS_PER_S;
		then.tv_sec++;
	}
	return then;
}

/* Nanoseconds until a flush is due; 0 or below: it is. Of a sink that holds what it is given for a while. */
static int64_t due_ns(const struct sink_batch *batch)
{
	return batch->flushed_ns + (int64_t)batch->options.type->hold_ms * NS_PER_MS - now_ns();
}

static void flush(struct sink_batch *batch)
{
	const struct weir_sink_type *type = batch->options.type;

	batch->flushed_ns = now_ns();
	if (atomic_load_explicit(&batch->failed, memory_order_relaxed)) {
		return;
	}
	if (type->flush != NULL && type->flush(batch->options.sink) < 0) {
		fail(batch);
		return;
	}
	if (batch->troubled && batch->unconfirmed > 0) {
		batch->troubled = false;
		tell(batch, SINK_TROUBLE_OVER);
	}
	atomic_fetch_add_explicit(&batch->written, batch->unconfirmed, memory_order_relaxed);
	batch->unconfirmed = 0;
}

/* Records between two flushes while nobody waits for them. */
static uint64_t confirm_records(const struct sink_batch *batch)
{
	return batch->options.type->confirm > 0 ? batch->options.type->confirm : CONFIRM_RECORDS;
}

static void write_record(struct sink_batch *batch, const struct weir_record *rec)
{
	if (atomic_load_explicit(&batch->failed, memory_order_relaxed)) {
		lose(batch, SINK_LOSS_FAILED, 1);
		return;
	}
	batch->unconfirmed++;
	if (batch->options.type->record(batch->options.sink, rec) < 0) {
		fail(batch);
	} else if (batch->unconfirmed >= confirm_records(batch)) {
		flush(batch);
	}
	/* one thread at a time writes */
	atomic_store_explicit(&batch->taken,
			      atomic_load_explicit(&batch->taken, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static void reopen(struct sink_batch *batch)
{
	const struct weir_sink_type *type = batch->options.type;

	if (type->reopen != NULL && type->reopen(batch->options.sink) < 0) {
		tell(batch, SINK_TROUBLE_REOPEN);
	}
}

static void flush_when_due(struct sink_batch *batch)
{
	if (batch->options.type->hold_ms > 0 && batch->unconfirmed > 0 && due_ns(batch) <= 0) {
		flush(batch);
	}
}

static void write_parcel(struct sink_batch *batch, const struct parcel *parcel)
{
	const struct entry *entry;

	for (entry = parcel->first; entry != NULL; entry = entry->next) {
		write_record(batch, entry->rec);
	}
	flush_when_due(batch);
}

/* What is to be done next; called with the lock, which is given up meanwhile. @return was there something? */
static bool work_once(struct sink_batch *batch)
{
	bool is_parcel = batch->done != batch->filled;
	bool is_reopen = batch->reopen && batch->done >= batch->reopen_at;
	bool is_flush = batch->flush && (batch->options.type->hold_ms == 0 || due_ns(batch) <= 0);

	if (batch->abandoned || (!is_parcel && !is_reopen && !is_flush)) {
		return false;
	}
	batch->busy = true;
	batch->rested = false;
	if (is_reopen) {
		batch->reopen = false;
	} else if (!is_parcel) {
		batch->flush = false;
	}
	pthread_mutex_unlock(&batch->lock);
	if (is_reopen) {
		reopen(batch);
	} else if (is_parcel) {
		write_parcel(batch, &batch->parcels[batch->done % batch->nparcels]);
	} else {
		flush(batch);
	}
	pthread_mutex_lock(&batch->lock);
	batch->busy = false;
	batch->done += is_parcel && !is_reopen ? 1 : 0;
	pthread_cond_signal(&batch->room);
	return true;
}

/* The memory of what has been written is free again. Call with the number of parcels done. */
static void recycle(struct sink_batch *batch, uint64_t done)
{
	for (; batch->freed < done; batch->freed++) {
		arena_fini(&batch->parcels[batch->freed % batch->nparcels].arena);
	}
}

static void free_batch(struct sink_batch *batch)
{
	if (batch->nparcels > 0) {
		recycle(batch, batch->filled);
		if (batch->ready) {
			arena_fini(&batch->parcels[batch->filled % batch->nparcels].arena);
		}
		arena_pool_fini(&batch->pool);
	}
	pthread_mutex_destroy(&batch->lock);
	pthread_cond_destroy(&batch->work);
	pthread_cond_destroy(&batch->room);
	free(batch);
}

/* There is something to do for the thread. Called with the lock. */
static void call(struct sink_batch *batch, bool now)
{
	if (!batch->naps || now) {
		batch->naps = false;
		pthread_cond_signal(&batch->work);
	}
}

/* Called with the lock. */
static void nap(struct sink_batch *batch)
{
	struct timespec until = in_ns(NAP_NS);
	int err = 0;

	batch->naps = true;
	while (batch->naps && err != ETIMEDOUT) {
		err = pthread_cond_timedwait(&batch->work, &batch->lock, &until);
	}
	batch->naps = false;
	batch->rested = true;
}

/* Called with the lock. A flush that was asked for and is not due yet will be. */
static void wait_for_work(struct sink_batch *batch)
{
	struct timespec until;
	int64_t due;

	if (batch->options.may_lose && !batch->rested) {
		nap(batch);
		return;
	}
	if (!batch->flush) {
		pthread_cond_wait(&batch->work, &batch->lock);
		return;
	}
	due = due_ns(batch);
	until = in_ns(due > 0 ? due : 0);
	(void)pthread_cond_timedwait(&batch->work, &batch->lock, &until);
}

static void *thread_main(void *context)
{
	struct sink_batch *batch = context;
	bool left_alone;

	pthread_mutex_lock(&batch->lock);
	for (;;) {
		if (work_once(batch)) {
			continue;
		}
		if (batch->closing || batch->abandoned) {
			break;
		}
		wait_for_work(batch);
	}
	pthread_mutex_unlock(&batch->lock);
	flush(batch);
	pthread_mutex_lock(&batch->lock);
	batch->ended = true;
	pthread_cond_signal(&batch->room);
	left_alone = batch->abandoned;
	pthread_mutex_unlock(&batch->lock);
	if (left_alone) {
		(void)batch->options.type->close(batch->options.sink);
		free_batch(batch);
	}
	return NULL;
}

/* ---- the producer ---- */

/* Called with the lock. */
static bool is_behind(const struct sink_batch *batch, size_t left)
{
	return batch->filled - batch->done > left || (left == 0 && batch->busy);
}

/*
 * A producer that may lose waits, too, but not for long: a thread that only was not given the processor catches up at once,
 * and the kernel's ring holds much more than what comes meanwhile. What it may wait is a credit that comes back slowly, so that a
 * sink which is too slow for good, or stands still, costs CREDIT_NS once and then a CREDIT_PART of the time.
 */
static void wait_on_credit(struct sink_batch *batch, size_t left)
{
	int64_t before = now_ns(), after = before;
	struct timespec until;
	int err = 0;

	batch->credit_ns += (before - batch->credited_ns) / CREDIT_PART;
	batch->credit_ns = batch->credit_ns < CREDIT_NS ? batch->credit_ns : CREDIT_NS;
	until = in_ns(batch->credit_ns);
	call(batch, true);
	while (batch->credit_ns >= NS_PER_MS && err != ETIMEDOUT && is_behind(batch, left)) {
		err = pthread_cond_timedwait(&batch->room, &batch->lock, &until);
		after = now_ns();
	}
	batch->credit_ns -= after - before;
	batch->credited_ns = after;
}

/* How far the sink is; waits until `left` parcels or fewer are left to be written, unless it may lose and waited enough. */
static uint64_t wait_for_sink(struct sink_batch *batch, size_t left)
{
	uint64_t done;

	pthread_mutex_lock(&batch->lock);
	if (batch->options.may_lose && is_behind(batch, left)) {
		wait_on_credit(batch, left);
	}
	while (!batch->options.may_lose && is_behind(batch, left)) {
		pthread_cond_wait(&batch->room, &batch->lock);
	}
	done = batch->done;
	pthread_mutex_unlock(&batch->lock);
	recycle(batch, done);
	return done;
}

/* A parcel to fill. @return false: the queue is full */
static bool begin_parcel(struct sink_batch *batch)
{
	struct parcel *parcel = &batch->parcels[batch->filled % batch->nparcels];

	if (batch->ready) {
		return true;
	}
	if (batch->filled - wait_for_sink(batch, batch->nparcels - 1) == batch->nparcels) {
		return false;
	}
	arena_init(&parcel->arena, &batch->pool);
	parcel->first = NULL;
	parcel->last = NULL;
	parcel->n = 0;
	batch->ready = true;
	return true;
}

static void hand_over(struct sink_batch *batch)
{
	pthread_mutex_lock(&batch->lock);
	batch->filled++;
	call(batch, batch->filled - batch->done >= NAP_PARCELS);
	pthread_mutex_unlock(&batch->lock);
	batch->ready = false;
}

/* @return false: no memory */
static bool copy_into(struct parcel *parcel, const struct weir_record *rec)
{
	struct entry *entry = arena_alloc(&parcel->arena, sizeof(*entry));
	const struct weir_record *copy = entry == NULL ? NULL : record_copy(rec, &parcel->arena);

	if (copy == NULL) {
		return false;
	}
	entry->next = NULL;
	entry->rec = copy;
	if (parcel->last == NULL) {
		parcel->first = entry;
	} else {
		parcel->last->next = entry;
	}
	parcel->last = entry;
	parcel->n++;
	return true;
}

/* The memory is spent: take back what is written, or wait until all is. @return false: the record was dealt with */
static bool make_room(struct sink_batch *batch, const struct weir_record *rec)
{
	struct parcel *parcel = &batch->parcels[batch->filled % batch->nparcels];
	size_t left;

	if (parcel->n > 0) {
		hand_over(batch);
	}
	if (batch->ready) {
		/* the attempt has left something in it */
		arena_fini(&parcel->arena);
		arena_init(&parcel->arena, &batch->pool);
	}
	left = batch->options.may_lose ? (size_t)(batch->filled - batch->freed) / 2 : 0;
	if (wait_for_sink(batch, left) == batch->filled) {
		arena_pool_trim(&batch->pool);
	}
	if (!begin_parcel(batch)) {
		lose(batch, SINK_LOSS_FULL, 1);
		return false;
	}
	parcel = &batch->parcels[batch->filled % batch->nparcels];
	if (copy_into(parcel, rec)) {
		return true;
	}
	if (!batch->options.may_lose) {
		write_record(batch, rec); /* the sink's thread has nothing to do and is not in it */
	} else {
		lose(batch, batch->freed == batch->filled ? SINK_LOSS_MEMORY : SINK_LOSS_FULL, 1);
	}
	return false;
}

void sink_batch_record(struct sink_batch *batch, const struct weir_record *rec)
{
	struct parcel *parcel;

	batch->given++;
	if (batch->nparcels == 0) {
		write_record(batch, rec);
		if (batch->given % CLOCK_RECORDS == 0) {
			flush_when_due(batch);
		}
		return;
	}
	if (atomic_load_explicit(&batch->failed, memory_order_relaxed)) {
		lose(batch, SINK_LOSS_FAILED, 1);
		return;
	}
	if (!begin_parcel(batch)) {
		lose(batch, SINK_LOSS_FULL, 1);
		return;
	}
	batch->dirty = true;
	parcel = &batch->parcels[batch->filled % batch->nparcels];
	if (!copy_into(parcel, rec) && !make_room(batch, rec)) {
		return;
	}
	parcel = &batch->parcels[batch->filled % batch->nparcels];
	if (parcel->n >= PARCEL_RECORDS || parcel->arena.used >= PARCEL_BYTES) {
		hand_over(batch);
	}
}

void sink_batch_text(struct sink_batch *batch, const struct iovec *text, int n, uint64_t nrecords)
{
	assert(batch->nparcels == 0);
	batch->given += nrecords;
	if (atomic_load_explicit(&batch->failed, memory_order_relaxed)) {
		lose(batch, SINK_LOSS_FAILED, nrecords);
		return;
	}
	batch->unconfirmed += nrecords;
	if (batch->options.type->formatter->write(batch->options.sink, text, n) < 0) {
		fail(batch);
	} else if (batch->unconfirmed >= confirm_records(batch)) {
		flush(batch);
	} else {
		flush_when_due(batch);
	}
}

void sink_batch_settle(struct sink_batch *batch)
{
	bool idle;

	if (batch->nparcels == 0) {
		flush(batch);
		return;
	}
	if (!batch->dirty) {
		return;
	}
	pthread_mutex_lock(&batch->lock);
	idle = batch->done == batch->filled;
	if (idle && batch->ready && batch->parcels[batch->filled % batch->nparcels].n > 0) {
		batch->filled++;
		batch->ready = false;
	}
	batch->flush = true;
	call(batch, false);
	pthread_mutex_unlock(&batch->lock);
	batch->dirty = !idle;
}

void sink_batch_reopen(struct sink_batch *batch)
{
	if (batch->nparcels == 0) {
		reopen(batch);
		return;
	}
	if (batch->ready && batch->parcels[batch->filled % batch->nparcels].n > 0) {
		hand_over(batch);
	}
	pthread_mutex_lock(&batch->lock);
	batch->reopen = true;
	batch->reopen_at = batch->filled;
	call(batch, true);
	pthread_mutex_unlock(&batch->lock);
}

void sink_batch_get_stats(const struct sink_batch *batch, struct sink_batch_stats *ret)
{
	int i;

	ret->written = atomic_load_explicit(&batch->written, memory_order_relaxed);
	for (i = 0; i < SINK_NLOSSES; i++) {
		ret->lost[i] = atomic_load_explicit(&batch->lost[i], memory_order_relaxed);
	}
	ret->memory_peak = batch->budget.peak;
}

/* ---- life ---- */

/* Signals go to the thread that waits for packets. */
static int start_thread(struct sink_batch *batch)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&batch->thread, NULL, thread_main, batch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err == 0 ? 0 : WEIR_ENOMEM;
}

int sink_batch_new(const struct sink_batch_options *options, struct sink_batch **ret)
{
	struct sink_batch *batch = calloc(1, sizeof(*batch));
	pthread_condattr_t monotonic;

	if (batch == NULL) {
		return WEIR_ENOMEM;
	}
	batch->options = *options;
	batch->credit_ns = CREDIT_NS;
	batch->credited_ns = now_ns();
	pthread_mutex_init(&batch->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&batch->work, &monotonic);
	pthread_cond_init(&batch->room, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (options->memory > 0) {
		batch->nparcels = options->may_lose ? PARCELS_MAX : PARCELS_WAITING;
		budget_init(&batch->budget, options->memory, NULL);
		arena_pool_init_blocks(&batch->pool, &batch->budget, options->memory / BLOCK_BYTES,
				       BLOCK_BYTES);
		if (start_thread(batch) < 0) {
			free_batch(batch);
			return WEIR_ENOMEM;
		}
	}
	*ret = batch;
	return 0;
}

/* Wait for the thread's end. @return false: the sink takes nothing any more, and is left alone. Called with the lock. */
static bool wait_for_end(struct sink_batch *batch, int64_t patience_ns)
{
	while (!batch->ended && !batch->abandoned) {
		uint64_t taken = atomic_load_explicit(&batch->taken, memory_order_relaxed);
		struct timespec until = in_ns(patience_ns);
		int err = 0;

		if (!batch->options.may_lose) {
			pthread_cond_wait(&batch->room, &batch->lock);
			continue;
		}
		while (!batch->ended && err != ETIMEDOUT) {
			err = pthread_cond_timedwait(&batch->room, &batch->lock, &until);
		}
		batch->abandoned =
			!batch->ended &&
			taken == atomic_load_explicit(&batch->taken, memory_order_relaxed);
	}
	return batch->ended;
}

/* What it was given and neither written nor lost otherwise. */
static uint64_t left_behind(const struct sink_batch *batch, const struct sink_batch_stats *stats)
{
	uint64_t counted = stats->written;
	int i;

	for (i = 0; i < SINK_NLOSSES; i++) {
		counted += stats->lost[i];
	}
	return batch->given - counted;
}

/* @return false: it was given up, and is its thread's from here on */
static bool end_thread(struct sink_batch *batch, int64_t patience_ns, struct sink_batch_stats *ret)
{
	bool ended;

	if (batch->ready && batch->parcels[batch->filled % batch->nparcels].n > 0) {
		hand_over(batch);
	}
	pthread_mutex_lock(&batch->lock);
	batch->closing = true;
	call(batch, true);
	ended = wait_for_end(batch, patience_ns);
	if (!ended) {
		sink_batch_get_stats(batch, ret);
		ret->lost[SINK_LOSS_STUCK] = left_behind(batch, ret);
		pthread_detach(batch->thread);
	}
	pthread_mutex_unlock(&batch->lock);
	return ended;
}

static int result_of(const struct sink_batch_stats *stats, int closed)
{
	return closed < 0 || stats->lost[SINK_LOSS_FAILED] > 0 || stats->lost[SINK_LOSS_STUCK] > 0
		       ? WEIR_EIO
		       : 0;
}

int sink_batch_close(struct sink_batch *batch, int64_t patience_ns, struct sink_batch_stats *ret)
{
	int err;

	if (batch->nparcels == 0) {
		flush(batch);
	} else if (!end_thread(batch, patience_ns, ret)) {
		return WEIR_EIO;
	} else {
		pthread_join(batch->thread, NULL);
	}
	err = batch->options.type->close(batch->options.sink);
	if (err < 0) {
		fail(batch);
	}
	sink_batch_get_stats(batch, ret);
	free_batch(batch);
	return result_of(ret, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery to one record sink: through a bounded queue and on a thread of its own, or at once where one thread is enough.
 *
 * Whoever has the records (the producer, one thread) copies them into batches, and the sink's thread writes them. The queue
 * is bounded in memory. When it is full there are two answers, and the options choose: the producer waits (reading a file,
 * so nothing is ever lost), or the record is counted as lost and the producer goes on (live: the capture does not stand still
 * for a sink; 0.2 s at once and 3 % of the time it may wait, which the kernel's ring bridges). A sink that fails once gets nothing more; what it was given since its last good flush counts as lost, because
 * nobody can know how much of it was written. A sink that `recovers` is asked again for the next record.
 *
 * Without a thread a record is written at once, uncopied.
 */
#ifndef SINK_BATCH_H
#define SINK_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/sink.h"

struct sink_batch;

/* Why a sink did not get a record. */
enum sink_loss {
	SINK_LOSS_FULL,   /* its queue was full: it is slower than what comes */
	SINK_LOSS_MEMORY, /* no memory for the copy, though nothing waited */
	SINK_LOSS_FAILED, /* writing failed, now or before */
	SINK_LOSS_STUCK,  /* it was given up at the end of the run: it took nothing for too long */
	SINK_NLOSSES
};

/* What could not be done, for options.failed. */
enum sink_trouble {
	SINK_TROUBLE_WRITE,
	SINK_TROUBLE_REOPEN,
	SINK_TROUBLE_PASSING, /* writing failed and will be tried again */
	SINK_TROUBLE_OVER     /* it works again */
};

struct sink_batch_options {
	const struct weir_sink_type *type;
	struct weir_sink *sink; /* open; given: sink_batch_close() closes it */
	size_t memory;          /* of records that wait; 0: no thread, no queue */
	bool may_lose;          /* full: count the record as lost (else wait) */
	/* Told once for writing, each time for reopening; on the sink's thread when it has one, which holds a lock
	 * meanwhile: it must not call the batch, nor wait for who may be doing so. error: errno */
	void (*failed)(void *context, enum sink_trouble trouble, int error);
	void *context;
};

struct sink_batch_stats {
	uint64_t written; /* flushed, as far as is known */
	uint64_t lost[SINK_NLOSSES];
	size_t memory_peak;
};

/** Start. @return 0, WEIR_ENOMEM (also: no thread to be had): the sink is still the caller's */
int sink_batch_new(const struct sink_batch_options *options, struct sink_batch **ret);

/** One record, borrowed. From the producer's thread, as all below. */
void sink_batch_record(struct sink_batch *batch, const struct weir_record *rec);

/**
 * Text of so many records, made by a formatter of the sink's, borrowed: instead of those records, to a batch without a thread.
 */
void sink_batch_text(struct sink_batch *batch, const struct iovec *text, int n, uint64_t nrecords);

/** Somebody may be watching: what is held back goes out as soon as the sink has time. Does not wait for it. */
void sink_batch_settle(struct sink_batch *batch);

/** Reopen the sink's file (SIGHUP) behind the records given so far. Does not wait for it. */
void sink_batch_reopen(struct sink_batch *batch);

/** As of now. */
void sink_batch_get_stats(const struct sink_batch *batch, struct sink_batch_stats *ret);

/**
 * Write what waits, close the sink, free the batch.
 *
 * @param patience_ns  a sink that may lose and takes nothing for so long is given up: its thread closes it, should it ever
 *                     come back, and options.context is not used any more
 * @return 0, or WEIR_EIO when something was not written; final figures in *ret
 */
int sink_batch_close(struct sink_batch *batch, int64_t patience_ns, struct sink_batch_stats *ret);

/** "queue_full" ...: part of the counter's name. */
const char *sink_loss_name(enum sink_loss loss);

#endif

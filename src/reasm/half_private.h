/* SPDX-License-Identifier: Apache-2.0 */
/* What the files reasm/half*.c share: figures that only some halves need, and a segment on its way. */
#ifndef REASM_HALF_PRIVATE_H
#define REASM_HALF_PRIVATE_H

#include "reasm/segq.h"

/* What only a half needs in which something was late, doubled, cut or missing. */
struct reasm_cold {
	struct weir_ledger ledger; /* captured, delivered and pending are not kept here */
	uint64_t acked;            /* highest acknowledgement of something that was seen */
	uint64_t ahead;            /* highest plausible one of something that was not */
};

_Static_assert(sizeof(struct reasm_cold) <= 192, "a block of the second class");

/* A segment in stream space: content [lo, data_hi), known length without content [data_hi, hi). */
struct reasm_span {
	uint64_t lo;
	uint64_t data_hi;
	uint64_t hi;
	const uint8_t *data; /* at lo */
	struct weir_mark mark;
	int64_t now_ns;
	uint16_t sum; /* of all of the content; 0: not known */
};

/* Bytes wait for their acknowledgement: where there is somebody who acknowledges. */
static inline bool reasm_half_is_holding(const struct reasm_half *half)
{
	return half->hold && !half->oneway;
}

/* NULL: no memory. */
struct reasm_cold *reasm_half_cold(struct reasm_half *half, struct reasm_pool *pool);

/** Delivery is blocked since the queue has intervals; whatever ends or interrupts that comes here first. */
void reasm_half_stall_until(struct reasm_half *half, int64_t now_ns);

/** Everything up to `until` is a gap; half->cold must be there to count it. */
void reasm_half_give_gap(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			 uint64_t until, enum weir_gap_cause cause, const struct weir_mark *mark);

/** Deliver what has become contiguous, and may be delivered. */
void reasm_half_drain(struct reasm_half *half, struct reasm_pool *pool, void *owner);

/** Deliver what is contiguous: what may go, or `all` of it. */
void reasm_half_release(struct reasm_half *half, struct reasm_pool *pool, void *owner, bool all,
			int64_t now_ns);

/** After anything that may have moved next: is the queue empty, is the stream at its end? Last in each call. */
void reasm_half_settle(struct reasm_half *half, struct reasm_pool *pool, void *owner);

/** The hole that blocks becomes a gap; without one, what was held is delivered. Something must wait. */
void reasm_half_declare_first(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			      enum weir_gap_cause cause, int64_t now_ns);

/** This hole is known to be lost. */
void reasm_half_hole_acked(const struct reasm_queue *queue, struct reasm_hole *hole,
			   int64_t now_ns);

/** More was seen: an acknowledgement that was ahead of it may be evidence now. */
void reasm_half_promote_acked(struct reasm_half *half, int64_t now_ns);

/** Keep a span that begins behind `next`. @return 0, or WEIR_EBUDGET: nothing was changed */
int reasm_half_store(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		     const struct reasm_span *span);

/** Compare a span with all intervals that it overlaps, from `node` on. */
void reasm_half_resolve(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			struct reasm_node *node, const struct reasm_span *span);

/** Is more waiting than may? */
bool reasm_half_is_full(const struct reasm_half *half, const struct reasm_pool *pool);

#endif

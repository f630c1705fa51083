/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reassembly of one direction: segments in, in-order chunks and declared gaps out.
 *
 * Pure: it knows numbers and bytes, neither flows nor packets. All halves of a shard share a struct reasm_pool (budget,
 * limits, callbacks, free nodes). In order, a segment costs no allocation and no copy: the chunk is the caller's bytes.
 *
 * States of a half:
 *   unstarted  no sequence number is known; only reasm_half_start() is legal
 *   open       data is taken; holes wait
 *   ended      FIN's offset is known and everything before it was delivered or declared: pushes are rejected (after_fin)
 *
 * Gaps (REASSEMBLY.md): a hole becomes a gap at the first of: the peer acknowledged past it and acked_ns of capture time or
 * acked_packets more packets of the flow went by; age_ns went by; limit bytes or intervals wait behind it; the caller says
 * so (budget, end). An acknowledgement beyond anything sent never makes a gap.
 *
 * Ledger: captured = delivered + duplicate + overlap + rejected + pending holds after every call.
 * Spec: RFC 9293 §3.4 (arithmetic), §3.10.7.4.
 */
#ifndef REASM_HALF_H
#define REASM_HALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/budget.h"
#include "weir/flow.h"
#include "weir/stream.h"

struct reasm_half;
struct reasm_queue; /* segments that wait, and the holes before them; only while there are any */

/* What the halves of a shard call back. `owner` is the half's owner pointer given to reasm_half_push() and friends. */
struct reasm_ops {
	/* in-order bytes; valid until return */
	void (*data)(void *owner, struct reasm_half *half, const struct weir_chunk *chunk);
	/* a hole was given up: length >= 1. `mark` is that of the segment after the hole, or NULL (trailing) */
	void (*gap)(void *owner, struct reasm_half *half, uint64_t offset, uint64_t length,
		    enum weir_gap_cause cause, const struct weir_mark *mark);
	/* a segment's bytes differ from those seen before at [offset, offset+len): both copies, len <= 64 */
	void (*overlap)(void *owner, struct reasm_half *half, uint64_t offset, const uint8_t *kept,
			const uint8_t *lost, size_t len, const struct weir_mark *mark);
	/* everything up to FIN was delivered or declared */
	void (*end)(void *owner, struct reasm_half *half);
};

struct reasm_pool {
	struct budget *budget;
	const struct reasm_ops *ops;
	/* limits: see weir/config.h */
	int64_t acked_ns;
	uint32_t acked_packets;
	int64_t age_ns;
	size_t limit;
	uint32_t intervals;
	enum weir_overlap_policy policy;
	/* private: free lists of the slab live here */
	void *slabs[16];
	size_t slab_bytes;
};

void reasm_pool_init(struct reasm_pool *pool, struct budget *budget, const struct reasm_ops *ops);
/** All halves must have been finished. */
void reasm_pool_fini(struct reasm_pool *pool);

struct reasm_half {
	uint64_t next;     /* stream offset of the next byte to deliver */
	uint32_t next_seq; /* its sequence number */
	uint8_t started : 1;
	uint8_t fin_known : 1;
	uint8_t ended : 1;
	uint8_t dir;               /* free for the owner: which direction this is */
	uint64_t fin;              /* offset of the end, when fin_known */
	uint64_t captured;         /* payload bytes pushed (captured ones) */
	int64_t stall_ns;          /* total time that holes blocked delivery, closed holes only */
	struct reasm_queue *queue; /* NULL while nothing waits */
	struct weir_ledger *
		ledger; /* NULL until something is not simply delivered; allocated from the budget */
};

/* One TCP segment's payload. */
struct reasm_seg {
	const uint8_t *data;
	uint32_t len;      /* payload bytes by the IP header */
	uint32_t caplen;   /* of those at data: the rest is a snaplen gap inside the segment */
	uint32_t seq;      /* of data[0] */
	int64_t ts_ns;     /* capture time of the packet, for marks */
	int64_t now_ns;    /* capture clock (monotone) */
	uint64_t packet;   /* run-wide number */
	uint64_t peer_ack; /* offset in the other direction, or WEIR_NO_ACK */
};

/** To the unstarted state; nothing is allocated. */
void reasm_half_init(struct reasm_half *half, uint8_t dir);

/** Offset 0 is at `seq`. */
void reasm_half_start(struct reasm_half *half, uint32_t seq);

/** Stream offset of a sequence number, by the nearest reading around `next`; may be negative (before the start). */
int64_t reasm_half_offset(const struct reasm_half *half, uint32_t seq);

/**
 * Take one segment; deliver what became contiguous.
 * @return bytes delivered (0 or more). When the budget is spent and the segment would have to wait: WEIR_EBUDGET, the
 *         segment was not taken and nothing was counted: the caller makes room (reasm_half_give_up) and tries again, or
 *         counts it with reasm_half_reject(..., WEIR_REJECT_BUDGET)
 */
ssize_t reasm_half_push(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			const struct reasm_seg *seg);

/** Count captured payload bytes as rejected. */
void reasm_half_reject(struct reasm_half *half, struct reasm_pool *pool, uint32_t caplen,
		       enum weir_reject cause);

/** FIN at this sequence number: the stream ends there. A second FIN elsewhere is ignored. 1: accepted, 0: ignored. */
int reasm_half_fin(struct reasm_half *half, struct reasm_pool *pool, void *owner, uint32_t seq);

/**
 * The peer acknowledged everything before `offset`. Remembered as evidence for holes below it, when something beyond it
 * was seen or it is within what was sent; never makes a gap at once.
 */
void reasm_half_acked(struct reasm_half *half, struct reasm_pool *pool, uint64_t offset,
		      int64_t now_ns);

/** One more packet of the flow went by, or time did: declare what is due. Call when reasm_half_waits(). */
void reasm_half_poll(struct reasm_half *half, struct reasm_pool *pool, void *owner, int64_t now_ns,
		     bool packet);

/** Is there a hole or undelivered data? */
static inline bool reasm_half_waits(const struct reasm_half *half)
{
	return half->queue != NULL;
}

/** When poll should run at the latest: INT64_MAX when nothing waits. */
int64_t reasm_half_deadline(const struct reasm_half *half, const struct reasm_pool *pool);

/** Deadline of the oldest hole (its birth), for eviction by age; INT64_MAX: none. */
int64_t reasm_half_oldest(const struct reasm_half *half);

/** Declare the first hole a gap now, and deliver what follows it. @return bytes of memory given back */
size_t reasm_half_give_up(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			  enum weir_gap_cause cause, int64_t now_ns);

/**
 * The direction is over: every hole becomes a gap with this cause, all that waits is delivered, a hole between the last
 * byte and a known FIN (or `acked` beyond the last byte seen, within the sender's window) too. pending is 0 afterwards.
 */
void reasm_half_finish(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		       enum weir_gap_cause cause, int64_t now_ns);

/** Release memory. What still waits is counted as rejected[budget] (evicted before delivery). */
void reasm_half_fini(struct reasm_half *half, struct reasm_pool *pool);

/** The direction's figures, put together from hot and cold parts. */
void reasm_half_ledger(const struct reasm_half *half, struct weir_ledger *ret);

#endif

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
 * acked_packets more packets of the flow went by; age_ns went by; more than limit bytes or intervals wait behind it (or
 * more than 4 * limit + 256 * intervals + 64 KiB of memory: tiny segments); the caller says so (budget, end). An acknowledgement beyond anything sent never makes a gap.
 *
 * An acknowledgement counts as evidence when it is at or below the highest byte seen (FIN included). One that is beyond, by no
 * more than REASM_ACK_WINDOW, is kept aside: it becomes evidence when data beyond it is seen (captures reorder), and at the
 * end of the direction it is the only sign of a hole after the last byte. Beyond that it is ignored.
 *
 * Cause: of a hole that was acknowledged, grew old or met the end it is capture_drop when the capture told of drops later than
 * REASM_DROP_NS before the hole was seen: what it lost is not known, but that something was.
 *
 * With `hold`, bytes wait until they are acknowledged, too (by the evidence above), but for a direction that is `oneway`: nobody
 * acknowledges there. A limit, the budget and the end deliver what is held.
 *
 * Ledger: captured = delivered + duplicate + overlap + rejected + pending holds after every call. Bytes of a range that was
 * already declared a gap are late: duplicate. Bytes before offset 0 (a flow picked up mid-stream) were never ours to
 * deliver: rejected[window]. A byte that differs from the copy seen before is overlap, one that does not is duplicate.
 *
 * Callbacks may not call anything on the same half but reasm_half_ledger(); on other halves of the pool they may.
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

struct pack; /* base/pack.h */
struct reasm_half;
struct reasm_queue; /* segments that wait, and the holes before them; only while there are any */
struct reasm_cold;  /* figures of a half that was not simply in order */
struct reasm_ring;  /* recently delivered segments, to tell a conflicting retransmission */

#define REASM_NCLASSES   16 /* size classes of the slab */
#define REASM_DROP_NS    INT64_C(1000000000)
#define REASM_RING_BYTES 40 /* of a delivered segment that are remembered */

/* How far beyond the highest byte seen an acknowledgement is still believed to be about bytes that were sent. */
#define REASM_ACK_WINDOW (1u << 20)

/* What the halves of a shard call back. `owner` is the half's owner pointer given to reasm_half_push() and friends. */
struct reasm_ops {
	/* in-order bytes; valid until return */
	void (*data)(void *owner, struct reasm_half *half, const struct weir_chunk *chunk);
	/* a hole was given up: length >= 1. `mark` is that of the segment after the hole (snaplen: of the segment that was
	 * cut), or NULL (trailing) */
	void (*gap)(void *owner, struct reasm_half *half, uint64_t offset, uint64_t length,
		    enum weir_gap_cause cause, const struct weir_mark *mark);
	/* a segment's bytes differ from those seen before at [offset, offset+len): both copies, len <= 64. `mark` is that
	 * segment's, kept_packet that of the copy that is or will be delivered (0: not known) */
	void (*overlap)(void *owner, struct reasm_half *half, uint64_t offset, const uint8_t *kept,
			const uint8_t *lost, size_t len, const struct weir_mark *mark,
			uint64_t kept_packet);
	/* everything up to FIN was delivered or declared */
	void (*end)(void *owner, struct reasm_half *half);
};

struct reasm_pool {
	struct budget *budget;
	const struct reasm_ops *ops;
	/* limits: see weir/config.h */
	int64_t acked_ns;
	uint32_t acked_packets;
	int64_t acked_min_ns; /* so many packets count only after this time: short flows pass within microseconds */
	int64_t age_ns;
	size_t limit;
	uint32_t intervals;
	int64_t oneway_age_ns; /* instead of age_ns and limit for halves with the bit `oneway` */
	size_t oneway_limit;
	const int64_t *dropped_ns; /* when the capture last told of drops; NULL: it never does */
	/* private */
	void *slabs[REASM_NCLASSES]; /* free blocks, kept for the next one that waits */
	size_t slab_bytes;           /* of those */
	size_t charged;              /* bytes of the budget held, free ones included */
	struct reasm_ring *ring;     /* NULL: off */
	uint32_t next_id;
	uint64_t
		untold; /* trailing gaps that could not be counted for want of 200 bytes: not declared */
};

/** Limits are set to the defaults of REASSEMBLY.md; change them before the first half starts. */
void reasm_pool_init(struct reasm_pool *pool, struct budget *budget, const struct reasm_ops *ops);

/**
 * Remember the last `entries` (a power of two) delivered segments of the whole pool, 64 bytes each, so that a retransmission
 * from the same byte with other content is told (overlap). Off unless called. The first REASM_RING_BYTES of a segment are
 * compared; with `whole` a hash of all of it too, which reads every byte that is delivered.
 * @return 0 or WEIR_EBUDGET (stays off)
 */
int reasm_pool_ring(struct reasm_pool *pool, uint32_t entries, bool whole);

/** Give free blocks back to the budget. @return bytes */
size_t reasm_pool_trim(struct reasm_pool *pool);

/** All halves must have been finished (reasm_half_fini()). */
void reasm_pool_fini(struct reasm_pool *pool);

/* 64 bytes: one cache line when the owner aligns it. */
struct reasm_half {
	uint64_t next;     /* stream offset of the next byte to deliver */
	uint32_t next_seq; /* its sequence number */
	uint8_t started : 1;
	uint8_t fin_known : 1;
	uint8_t ended : 1;
	uint8_t oneway : 1; /* set by the owner: only this direction is captured */
	uint8_t busy : 1;   /* private: a callback runs */
	uint8_t hold : 1;   /* set by the owner: nothing is delivered before it was acknowledged */
	uint8_t dir;        /* free for the owner: which direction this is */
	uint8_t policy;     /* set by the owner: enum weir_overlap_policy */
	uint64_t fin;       /* offset of the end, when fin_known */
	uint64_t captured;  /* payload bytes pushed (captured ones) */
	int64_t stall_ns;   /* total time that holes blocked delivery, up to the last delivery */
	struct reasm_queue *queue; /* NULL while nothing waits */
	struct reasm_cold *cold; /* NULL until something is not simply delivered; from the budget */
	uint32_t refused;        /* rejected[budget] while there was no memory for `cold` */
	uint32_t id;             /* unique in the pool, for the ring; 0: none yet */
};

/* One TCP segment's payload. */
struct reasm_seg {
	const uint8_t *data;
	uint32_t len; /* payload bytes by the IP header */
	uint32_t
		caplen; /* of those at data (<= len): the rest is a snaplen gap inside the segment */
	uint32_t seq;   /* of data[0] */
	uint16_t
		sum; /* of data, any; 0: not known. Two segments of the same bytes have the same or none */
	int64_t ts_ns;     /* capture time of the packet, for marks */
	int64_t now_ns;    /* capture clock (monotone) */
	uint64_t packet;   /* run-wide number */
	uint64_t peer_ack; /* offset in the other direction, or WEIR_NO_ACK */
};

/** To the unstarted state; nothing is allocated. */
void reasm_half_init(struct reasm_half *half, uint8_t dir);

/** Offset 0 is at `seq`. */
void reasm_half_start(struct reasm_half *half, uint32_t seq);

/** Offset 0 is at `seq` after all: no effect once something was delivered or waits. */
void reasm_half_restart(struct reasm_half *half, uint32_t seq);

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

/**
 * FIN at this sequence number: the stream ends there; what waits beyond is rejected (after_fin). Ignored: a FIN before
 * bytes already delivered, and a second one elsewhere. Whether it is in the window is the caller's to judge.
 * 1: accepted (or the same again), 0: ignored.
 */
int reasm_half_fin(struct reasm_half *half, struct reasm_pool *pool, void *owner, uint32_t seq);

/**
 * The peer acknowledged everything before `offset`. Remembered as evidence for holes below it, when something beyond it
 * was seen or it is within what was sent; never makes a gap at once.
 */
void reasm_half_acked(struct reasm_half *half, struct reasm_pool *pool, uint64_t offset,
		      int64_t now_ns);

/**
 * The peer holds [lo, hi) though not all before it (RFC 2018): a hole in there was lost by the capture. Evidence as an
 * acknowledgement past it is, and never a delivery. What is not within what was seen is passed over.
 */
void reasm_half_sacked(struct reasm_half *half, uint64_t lo, uint64_t hi, int64_t now_ns);

/**
 * One more packet of the flow went by, or time did: declare what is due. Call when reasm_half_waits(): with packet = true
 * once for each packet of the flow (either direction), after its acked() and push(); with false when the deadline came.
 */
void reasm_half_poll(struct reasm_half *half, struct reasm_pool *pool, void *owner, int64_t now_ns,
		     bool packet);

/** Is there a hole or undelivered data? */
static inline bool reasm_half_waits(const struct reasm_half *half)
{
	return half->queue != NULL;
}

/** When poll should run at the latest: INT64_MAX when nothing waits. */
int64_t reasm_half_deadline(const struct reasm_half *half, const struct reasm_pool *pool);

/** Birth of the oldest hole (the first), for eviction by age; INT64_MAX: none. */
int64_t reasm_half_oldest(const struct reasm_half *half);

/**
 * Declare the first hole a gap now, and deliver what follows it. @return bytes given back to the budget; 0 also when there
 * is nothing to give up or when called from a callback of the same half
 */
size_t reasm_half_give_up(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			  enum weir_gap_cause cause, int64_t now_ns);

/**
 * The direction is over: every hole becomes a gap with this cause, all that waits is delivered, a hole between the last
 * byte and a known FIN too. Without FIN, one up to the highest acknowledgement, if that is beyond the last byte seen by 2 to
 * REASM_ACK_WINDOW bytes (1 byte is a FIN that was not captured). pending is 0 afterwards and pushes are rejected (closed).
 */
void reasm_half_finish(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		       enum weir_gap_cause cause, int64_t now_ns);

/** What still waits is counted as rejected[budget] (evicted before delivery) and its memory released. */
void reasm_half_drop(struct reasm_half *half, struct reasm_pool *pool);

/** Release all memory, after drop() if something waits: read the ledger before. */
void reasm_half_fini(struct reasm_half *half, struct reasm_pool *pool);

/* What a half may have waiting to be packed. */
#define REASM_PACK_INTERVALS 4
#define REASM_PACK_BYTES     2048 /* of content */
#define REASM_PACK_MAX       3072 /* bytes that it takes then, at most */

/** Does it fit reasm_half_pack()? Not while a callback runs, nor when much waits. dir must be 3 or less. */
bool reasm_half_is_packable(const struct reasm_half *half);

/**
 * Its state to bytes or back, with what waits and all figures: an open half in order takes 7 to 16 bytes, one segment that
 * waits about 25 and its bytes. What goes on afterwards cannot tell.
 *
 * Writing (it must be packable) changes nothing: reasm_half_packed() afterwards. Reading fills all of `half`, whatever was in
 * it. What there is no memory for then is given up as reasm_half_drop() does: bytes that waited are rejected[budget] and a
 * hole again. Without 192 bytes for the figures these are gone, too: all before `next` counts as delivered, all else that was
 * captured as rejected[budget], and pool->untold has the gaps that were known. pack->failed is not set.
 *
 * @param base_ns  a time near those that wait (the last packet's): the same for both ways
 */
void reasm_half_pack(struct pack *pack, struct reasm_half *half, struct reasm_pool *pool,
		     int64_t base_ns);

/** It was written: release its memory, with nothing counted. Only to be read into again. */
void reasm_half_packed(struct reasm_half *half, struct reasm_pool *pool);

/** The direction's figures, put together from hot and cold parts. */
void reasm_half_ledger(const struct reasm_half *half, struct weir_ledger *ret);
/** Add them to others. */
void reasm_half_add_ledger(const struct reasm_half *half, struct weir_ledger *to);

#endif

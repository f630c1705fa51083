/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recently delivered segments of all halves of a pool: what tells that a retransmission of bytes already delivered has other
 * content. "Copies nothing in order" rules out keeping the bytes, so a 64-byte entry holds who, where, how long, the first
 * bytes, which whoever looked at the header has in the cache anyway, and the sum that verifying the TCP checksum gave for
 * nothing. A hash of the whole segment is an option: it makes the bodies that nobody reads cost 45 ns a segment. The same segment
 * again is compared by its bytes and its sum; one with another cut by the bytes that are known of those it overlaps, which
 * are then looked for in the whole table. Equal content is never called different.
 *
 * One direct-mapped table for the pool instead of one ring a half: conflicting copies race within milliseconds, and flows
 * that carry nothing unusual must not pay hundreds of bytes each.
 */
#ifndef REASM_RING_H
#define REASM_RING_H

#include "reasm/half.h"

/* What is known of a conflict. */
struct reasm_conflict {
	uint64_t offset;     /* first byte of `kept` and `lost` */
	const uint8_t *kept; /* valid until the next note() */
	const uint8_t *lost;
	size_t len;
	uint64_t differing; /* bytes known to differ, 1 or more */
	uint64_t packet;    /* that brought what was delivered; 0: not known */
};

/* A segment of a half. */
struct reasm_recent {
	uint64_t offset;
	const uint8_t *data;
	size_t len;
	uint64_t packet; /* that brought it */
	uint16_t sum;    /* 0: not known */
};

/** It was delivered. */
void reasm_ring_note(struct reasm_pool *pool, struct reasm_half *half,
		     const struct reasm_recent *delivered);

/** Does it, which begins below half->next, differ from what was delivered? false: not known to. */
bool reasm_ring_check(const struct reasm_pool *pool, const struct reasm_half *half,
		      const struct reasm_recent *again, struct reasm_conflict *ret);

void reasm_ring_free(struct reasm_pool *pool);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP fragments → whole datagrams (RFC 791 §3.2, RFC 8200 §4.5, RFC 5722).
 *
 * IPv4: the first copy of a byte wins; differing bytes count as a conflict (and mark the datagram). IPv6: any overlap that
 * is not an exact repeat drops the datagram. Bounded: a datagram is at most 65,535 bytes of payload, the table holds at
 * most `limit` bytes (oldest datagram given up first), each waits at most `timeout_ns` on the capture clock. All counted.
 *
 * A capture may hold each packet twice (a SPAN of both ports). The repeats that come after the datagram was completed are
 * absorbed for a short while, so that they do not wait as the beginning of another.
 */
#ifndef DEFRAG_DEFRAG_H
#define DEFRAG_DEFRAG_H

#include <stdint.h>

#include "base/budget.h"
#include "decode/layers.h"

/* A sender cannot come round to an identification (16 bits) so soon: what comes in this time is a repeat. */
#define DEFRAG_REPEAT_NS (100 * INT64_C(1000000))

struct defrag;

struct defrag_stats {
	uint64_t fragments; /* taken in */
	uint64_t datagrams; /* put together */
	uint64_t conflicts; /* IPv4: bytes that differed from the first copy */
	uint64_t overlaps;  /* IPv6: datagrams dropped for overlap */
	uint64_t timeouts;  /* datagrams given up for age */
	uint64_t evicted;   /* datagrams given up for the limit */
	uint64_t
		invalid; /* fragments refused: beyond 65,535, length not a multiple of 8, two ends, cut by snaplen */
	uint64_t waiting;    /* fragments in datagrams not complete (now) */
	uint64_t duplicates; /* fragments of a datagram completed DEFRAG_REPEAT_NS ago or less */
};

/** limit: bytes charged to budget at most. WEIR_ENOMEM. */
int defrag_new(struct budget *budget, size_t limit, int64_t timeout_ns, struct defrag **ret);
void defrag_free(struct defrag *defrag);

enum { DEFRAG_EVIDENCE = 32 }; /* bytes of each copy */

/* A datagram put together. */
struct defrag_datagram {
	const uint8_t *
		ip; /* header with the fragment fields cleared and the length corrected, then the payload */
	uint32_t len;
	uint8_t nconflict;    /* bytes of evidence; 0: all copies were equal */
	uint32_t conflict_at; /* the first byte that differed, in the payload */
	uint8_t kept[DEFRAG_EVIDENCE];
	uint8_t lost[DEFRAG_EVIDENCE];
};

/**
 * Take a fragment.
 * @param layers kind LAYERS_FRAGMENT; borrowed
 * @param now_ns capture clock
 * @param ret    written when 1 is returned; valid until the next call
 * @return 1: it completed a datagram; 0: kept, or refused and counted
 */
int defrag_push(struct defrag *defrag, const struct layers *layers, int64_t now_ns,
		struct defrag_datagram *ret);

/** Give up what has waited too long. */
void defrag_expire(struct defrag *defrag, int64_t now_ns);

const struct defrag_stats *defrag_stats(const struct defrag *defrag);

#endif

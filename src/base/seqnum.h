/* SPDX-License-Identifier: Apache-2.0 */
/* TCP sequence numbers, mod 2^32 (RFC 9293 §3.4). They are compared with these and never with `<`. */
#ifndef BASE_SEQNUM_H
#define BASE_SEQNUM_H

#include <stdbool.h>
#include <stdint.h>

/** How far a is ahead of b: -2^31 .. 2^31-1. */
static inline int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) < 0;
}

static inline bool seq_leq(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) <= 0;
}

#endif

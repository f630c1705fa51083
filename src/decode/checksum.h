/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum (RFC 1071), summed as little-endian words: the sum's byte order does not matter (§2 B). */
#ifndef DECODE_CHECKSUM_H
#define DECODE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/** Add n bytes to a running sum. All but the last piece of a sum must have an even length. */
uint64_t checksum_add(uint64_t sum, const uint8_t *p, size_t n);

/** Add a 16-bit value in host order as it would stand in the packet. */
static inline uint64_t checksum_add_u16(uint64_t sum, uint16_t value)
{
	return sum + __builtin_bswap16(value);
}

/** Fold to 16 bits: 0xffff when what was summed holds its own right checksum. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded reader of captured bytes with a sticky error: read first, ask `wire_ok()` once. After a short read every
 * further read gives 0 and moves nothing. Network byte order unless the name says le.
 */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the loads below assume a little-endian machine"
#endif

struct wire {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline void wire_init(struct wire *wire, const void *p, size_t len)
{
	wire->at = p;
	wire->end = wire->at + len;
	wire->failed = false;
}

static inline bool wire_ok(const struct wire *wire)
{
	return !wire->failed;
}

static inline size_t wire_left(const struct wire *wire)
{
	return (size_t)(wire->end - wire->at);
}

/** The next n bytes, moved past; NULL (and failed) when there are fewer. */
static inline const uint8_t *wire_bytes(struct wire *wire, size_t n)
{
	const uint8_t *p = wire->at;

	if (wire->failed || wire_left(wire) < n) {
		wire->failed = true;
		return NULL;
	}
	wire->at += n;
	return p;
}

static inline bool wire_skip(struct wire *wire, size_t n)
{
	return wire_bytes(wire, n) != NULL;
}

static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t load_be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

static inline uint16_t load_le16(const uint8_t *p)
{
	return (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t load_le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t load_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint8_t wire_u8(struct wire *wire)
{
	const uint8_t *p = wire_bytes(wire, 1);

	return p == NULL ? 0 : *p;
}

static inline uint16_t wire_u16(struct wire *wire)
{
	const uint8_t *p = wire_bytes(wire, 2);

	return p == NULL ? 0 : load_be16(p);
}

static inline uint32_t wire_u32(struct wire *wire)
{
	const uint8_t *p = wire_bytes(wire, 4);

	return p == NULL ? 0 : load_be32(p);
}

static inline uint64_t wire_u64(struct wire *wire)
{
	const uint8_t *p = wire_bytes(wire, 8);

	return p == NULL ? 0 : load_be64(p);
}

#endif

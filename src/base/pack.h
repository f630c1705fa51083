/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers and bytes in little room: for state that waits in memory until it is needed again. Nothing of it leaves the process.
 *
 * One function describes a state for both ways: each call writes the value it is given and returns it, or reads one and
 * returns that, so that what is read can never differ from what was written:
 *
 *	half->next = pack_u64(pack, half->next);
 *
 * Numbers are LEB128: 7 bits a byte. Differences to a number that is near (`base`) are short, also when they are negative.
 * Writing beyond the room sets `failed` and writes nothing more; reading is of what was written by the same calls.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct pack {
	uint8_t *at;
	uint8_t *end;
	bool reading;
	bool failed; /* writing: it does not fit. Reading: what reads may set it (no memory) */
};

static inline void pack_to(struct pack *pack, uint8_t *buffer, size_t size)
{
	*pack = (struct pack){.at = buffer, .end = buffer + size};
}

/* The bytes are only read. */
static inline void pack_from(struct pack *pack, const uint8_t *buffer, size_t size)
{
	memcpy(&pack->at, &buffer, sizeof(pack->at));
	pack->end = pack->at + size;
	pack->reading = true;
	pack->failed = false;
}

static inline uint64_t pack_u64(struct pack *pack, uint64_t value)
{
	uint64_t rest;

	if (pack->reading) {
		unsigned shift = 0;
		uint8_t byte;

		value = 0;
		do {
			assert(pack->at < pack->end && shift < 64);
			byte = *pack->at++;
			value |= (uint64_t)(byte & 0x7f) << shift;
			shift += 7;
		} while (byte & 0x80);
		return value;
	}
	if (pack->end - pack->at < 10) {
		pack->failed = true;
		return value;
	}
	for (rest = value; rest >= 0x80; rest >>= 7) {
		*pack->at++ = (uint8_t)(rest | 0x80);
	}
	*pack->at++ = (uint8_t)rest;
	return value;
}

/* Neither is far from the other, in whichever direction. */
static inline uint64_t pack_near(struct pack *pack, uint64_t value, uint64_t base)
{
	int64_t diff = (int64_t)(value - base);
	uint64_t coded =
		pack_u64(pack, ((uint64_t)diff << 1) ^ (diff < 0 ? UINT64_MAX : UINT64_C(0)));

	return base + ((coded >> 1) ^ (UINT64_C(0) - (coded & 1)));
}

static inline int64_t pack_time(struct pack *pack, int64_t value, int64_t base)
{
	return (int64_t)pack_near(pack, (uint64_t)value, (uint64_t)base);
}

/* Sequence numbers: modulo 2^32. */
static inline uint32_t pack_seq(struct pack *pack, uint32_t value, uint32_t base)
{
	int32_t diff = (int32_t)(value - base);

	return base + (uint32_t)pack_near(pack, (uint64_t)(int64_t)diff, 0);
}

static inline uint32_t pack_u32(struct pack *pack, uint32_t value)
{
	return (uint32_t)pack_u64(pack, value);
}

static inline uint8_t pack_u8(struct pack *pack, uint8_t value)
{
	if (!pack->reading && pack->at == pack->end) {
		pack->failed = true;
		return value;
	}
	if (pack->reading) {
		assert(pack->at < pack->end);
		return *pack->at++;
	}
	*pack->at++ = value;
	return value;
}

/* n bytes as they are; nothing when it does not fit. */
static inline void pack_bytes(struct pack *pack, void *bytes, size_t n)
{
	if (pack->reading) {
		assert((size_t)(pack->end - pack->at) >= n);
		memcpy(bytes, pack->at, n);
	} else if ((size_t)(pack->end - pack->at) < n) {
		pack->failed = true;
		return;
	} else {
		memcpy(pack->at, bytes, n);
	}
	pack->at += n;
}

/**
 * Text, and a bit with it. Of bytes that stand between `begin` and here already, only where is written: a state says many
 * things twice. The same `begin` for both ways, in bytes that stay together.
 * @return p, or reading where the bytes are in the pack (or anything, for none of them)
 */
const uint8_t *pack_text(struct pack *pack, const uint8_t *begin, const uint8_t *p, uint32_t *len,
			 bool *bit);

/**
 * A struct of which most bytes are 0, as it is: what it points to must stay where it is. Reading, it must be all 0 before.
 */
void pack_sparse(struct pack *pack, void *p, size_t size);

#endif

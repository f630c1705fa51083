/* SPDX-License-Identifier: Apache-2.0 */
/* Recently delivered segments: see ring.h. */
#include "reasm/ring.h"

#include <assert.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "weir/error.h"

struct recent {
	uint64_t offset;
	uint32_t id; /* 0: empty */
	uint16_t len;
	uint16_t sum; /* 0: not known */
	union {
		uint64_t hash;   /* of all of it, when the ring is `whole` */
		uint64_t packet; /* else */
	};
	uint8_t bytes[REASM_RING_BYTES]; /* the first ones */
};

struct reasm_ring {
	uint32_t mask;
	bool whole; /* entries have a hash */
	struct recent entry[];
};

static size_t ring_size(uint32_t entries)
{
	return sizeof(struct reasm_ring) + (size_t)entries * sizeof(struct recent);
}

static struct recent *slot_of(const struct reasm_pool *pool, uint32_t id, uint64_t offset)
{
	uint64_t mixed = (offset ^ ((uint64_t)id << 40)) * 0x9e3779b97f4a7c15ull;

	return &pool->ring->entry[(uint32_t)(mixed >> 40) & pool->ring->mask];
}

int reasm_pool_ring(struct reasm_pool *pool, uint32_t entries, bool whole)
{
	assert(entries > 0 && (entries & (entries - 1)) == 0 && entries <= 1u << 24);
	assert(pool->ring == NULL);
	pool->ring = budget_calloc(pool->budget, 1, ring_size(entries));
	if (pool->ring == NULL) {
		return WEIR_EBUDGET;
	}
	pool->ring->mask = entries - 1;
	pool->ring->whole = whole;
	pool->charged += ring_size(entries);
	return 0;
}

void reasm_ring_free(struct reasm_pool *pool)
{
	size_t size;

	if (pool->ring == NULL) {
		return;
	}
	size = ring_size(pool->ring->mask + 1);
	budget_free(pool->budget, pool->ring, size);
	pool->charged -= size;
	pool->ring = NULL;
}

void reasm_ring_note(struct reasm_pool *pool, struct reasm_half *half,
		     const struct reasm_recent *delivered)
{
	bool fits = delivered->len <= UINT16_MAX;
	struct recent *entry;

	if (half->id == 0) {
		half->id = ++pool->next_id;
		if (half->id == 0) {
			/* 2^32 halves later numbers come again: nothing old may be taken for theirs */
			memset(pool->ring->entry, 0,
			       ((size_t)pool->ring->mask + 1) * sizeof(struct recent));
			half->id = pool->next_id = 1;
		}
	}
	entry = slot_of(pool, half->id, delivered->offset);
	entry->offset = delivered->offset;
	entry->id = half->id;
	entry->len = fits ? (uint16_t)delivered->len : UINT16_MAX;
	entry->sum = fits ? delivered->sum : 0;
	if (pool->ring->whole) {
		entry->hash = XXH3_64bits(delivered->data, entry->len);
	} else {
		entry->packet = delivered->packet;
	}
	if (delivered->len >= REASM_RING_BYTES) {
		memcpy(entry->bytes, delivered->data, REASM_RING_BYTES);
	} else {
		memcpy(entry->bytes, delivered->data, delivered->len);
	}
}

/* Compare with the bytes that are known of an entry, where they overlap. */
static bool differs(const struct reasm_ring *ring, const struct recent *entry,
		    const struct reasm_recent *again, struct reasm_conflict *ret)
{
	uint64_t known = entry->len < REASM_RING_BYTES ? entry->len : REASM_RING_BYTES;
	uint64_t lo = entry->offset > again->offset ? entry->offset : again->offset;
	uint64_t hi = entry->offset + known, at, first = 0;

	hi = again->offset + again->len < hi ? again->offset + again->len : hi;
	ret->differing = 0;
	for (at = lo; at < hi; at++) {
		if (entry->bytes[at - entry->offset] != again->data[at - again->offset]) {
			first = ret->differing++ == 0 ? at : first;
		}
	}
	if (ret->differing == 0) {
		return false;
	}
	ret->packet = ring->whole ? 0 : entry->packet;
	ret->offset = first;
	ret->kept = entry->bytes + (first - entry->offset);
	ret->lost = again->data + (first - again->offset);
	ret->len = hi - first;
	return true;
}

/* The bytes that are known are equal: does a hash or a sum tell of a difference further on? The evidence is what begins both. */
static bool differs_further_on(const struct reasm_ring *ring, const struct recent *entry,
			       const struct reasm_recent *again, struct reasm_conflict *ret)
{
	if (entry->len <= REASM_RING_BYTES || again->len < entry->len) {
		return false;
	}
	if (ring->whole ? XXH3_64bits(again->data, entry->len) == entry->hash
			: entry->sum == 0 || again->sum == 0 || again->len != entry->len ||
				  again->sum == entry->sum) {
		return false;
	}
	ret->differing = ring->whole ? entry->len - REASM_RING_BYTES : 1;
	ret->packet = ring->whole ? 0 : entry->packet;
	ret->offset = again->offset;
	ret->kept = entry->bytes;
	ret->lost = again->data;
	ret->len = REASM_RING_BYTES;
	return true;
}

bool reasm_ring_check(const struct reasm_pool *pool, const struct reasm_half *half,
		      const struct reasm_recent *again, struct reasm_conflict *ret)
{
	const struct reasm_ring *ring = pool->ring;
	const struct recent *entry;
	uint32_t i;

	if (ring == NULL || half->id == 0 || again->len == 0) {
		return false;
	}
	entry = slot_of(pool, half->id, again->offset);
	if (entry->id == half->id && entry->offset == again->offset) {
		if (differs(ring, entry, again, ret) ||
		    differs_further_on(ring, entry, again, ret)) {
			return true;
		}
		if (again->len <= entry->len) {
			return false; /* the same segment, or its beginning: nearly all of them */
		}
	}
	for (i = 0; i <= ring->mask; i++) {
		entry = &ring->entry[i];
		if (entry->id == half->id && entry->offset < again->offset + again->len &&
		    again->offset < entry->offset + entry->len &&
		    differs(ring, entry, again, ret)) {
			return true;
		}
	}
	return false;
}

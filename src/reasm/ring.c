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
	uint32_t len;
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

void reasm_ring_note(struct reasm_pool *pool, struct reasm_half *half, uint64_t offset,
		     const uint8_t *data, size_t len, uint64_t packet)
{
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
	entry = slot_of(pool, half->id, offset);
	entry->offset = offset;
	entry->id = half->id;
	entry->len = (uint32_t)len;
	if (pool->ring->whole) {
		entry->hash = XXH3_64bits(data, len);
	} else {
		entry->packet = packet;
	}
	if (len >= REASM_RING_BYTES) {
		memcpy(entry->bytes, data, REASM_RING_BYTES);
	} else {
		memcpy(entry->bytes, data, len);
	}
}

bool reasm_ring_check(const struct reasm_pool *pool, const struct reasm_half *half, uint64_t offset,
		      const uint8_t *data, size_t len, struct reasm_conflict *ret)
{
	const struct recent *entry;
	size_t first, i, n;

	if (pool->ring == NULL || half->id == 0 || len == 0) {
		return false;
	}
	entry = slot_of(pool, half->id, offset);
	if (entry->id != half->id || entry->offset != offset) {
		return false;
	}
	n = entry->len < len ? entry->len : len;
	n = n < REASM_RING_BYTES ? n : REASM_RING_BYTES;
	ret->differing = 0;
	first = n;
	for (i = 0; i < n; i++) {
		if (entry->bytes[i] != data[i]) {
			first = first < i ? first : i;
			ret->differing++;
		}
	}
	if (ret->differing == 0) {
		/* the difference is further on: the evidence is what begins both, and only the hash knows */
		if (!pool->ring->whole || entry->len > len || entry->len <= n ||
		    XXH3_64bits(data, entry->len) == entry->hash) {
			return false;
		}
		first = 0;
		ret->differing = entry->len - n;
	}
	ret->packet = pool->ring->whole ? 0 : entry->packet;
	ret->offset = offset + first;
	ret->kept = entry->bytes + first;
	ret->lost = data + first;
	ret->len = n - first;
	return true;
}

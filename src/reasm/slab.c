/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of a few sizes, and the pool that holds their free lists: see slab.h and half.h. */
#include "reasm/slab.h"

#include <assert.h>
#include <string.h>

#include "reasm/ring.h"
#include "weir/error.h"

/* 1536: a segment of 1,448 or 1,460 bytes and its mark. Never more than a third of a block is wasted by rounding. */
const uint32_t reasm_class_size[REASM_NCLASSES] = {
	128,  192,  256,  384,  512,   768,   1024,  1536,
	2048, 3072, 4096, 8192, 16384, 32768, 49152, REASM_BLOCK_MAX,
};

unsigned reasm_class_of(size_t size)
{
	unsigned i = size > 1024 ? 7 : 0;

	while (i < REASM_NCLASSES && reasm_class_size[i] < size) {
		i++;
	}
	return i;
}

void *reasm_slab_alloc_slow(struct reasm_pool *pool, unsigned class)
{
	uint32_t size = reasm_class_size[class];
	void *block;

	if (!budget_has(pool->budget, size)) {
		(void)reasm_pool_trim(pool);
	}
	block = budget_alloc(pool->budget, size);
	if (block == NULL && pool->slab_bytes > 0) {
		(void)reasm_pool_trim(pool);
		block = budget_alloc(pool->budget, size);
	}
	if (block != NULL) {
		pool->charged += size;
	}
	return block;
}

void reasm_slab_free(struct reasm_pool *pool, void *block, unsigned class)
{
	uint32_t size = reasm_class_size[class];

	if (pool->slab_bytes + size > REASM_CACHE) {
		pool->charged -= size;
		budget_free(pool->budget, block, size);
		return;
	}
	memcpy(block, &pool->slabs[class], sizeof(void *));
	pool->slabs[class] = block;
	pool->slab_bytes += size;
}

size_t reasm_pool_trim(struct reasm_pool *pool)
{
	size_t given = pool->slab_bytes;
	unsigned i;

	for (i = 0; i < REASM_NCLASSES; i++) {
		while (pool->slabs[i] != NULL) {
			void *block = pool->slabs[i];

			memcpy(&pool->slabs[i], block, sizeof(void *));
			budget_free(pool->budget, block, reasm_class_size[i]);
			pool->slab_bytes -= reasm_class_size[i];
			pool->charged -= reasm_class_size[i];
		}
	}
	assert(pool->slab_bytes == 0);
	return given;
}

void reasm_pool_init(struct reasm_pool *pool, struct budget *budget, const struct reasm_ops *ops)
{
	memset(pool, 0, sizeof(*pool));
	pool->budget = budget;
	pool->ops = ops;
	pool->acked_ns = 20 * 1000000LL;
	pool->acked_packets = 3;
	pool->age_ns = 2000 * 1000000LL;
	pool->limit = 1 << 20;
	pool->intervals = 1024;
	pool->oneway_age_ns = 200 * 1000000LL;
	pool->oneway_limit = 64 * 1024;
}

void reasm_pool_fini(struct reasm_pool *pool)
{
	reasm_ring_free(pool);
	(void)reasm_pool_trim(pool);
	assert(pool->charged == 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of reassembly: blocks of a few sizes, each charged to the budget with its real size. Blocks given back are kept in
 * the pool's free lists up to REASM_CACHE bytes, so that the swapped pair, the commonest disorder, does not go to the
 * allocator; they are the first to go when the budget is spent.
 */
#ifndef REASM_SLAB_H
#define REASM_SLAB_H

#include <string.h>

#include "reasm/half.h"

#define REASM_CACHE     (64u * 1024)
#define REASM_BLOCK_MAX 69632u /* a 64 KiB super-segment and its marks */

/* Which size, by index: that of these is known when compiling. */
enum reasm_class {
	REASM_CLASS_128 = 0, /* a node, a queue */
	REASM_CLASS_192 = 1, /* the cold part of a half */
};

/** Sizes by class, ascending. */
extern const uint32_t reasm_class_size[REASM_NCLASSES];

/** The class for blocks of `size` bytes; REASM_NCLASSES: larger than REASM_BLOCK_MAX. */
unsigned reasm_class_of(size_t size);

/** Not zeroed. NULL: the budget is spent, even without the free blocks */
void *reasm_slab_alloc_slow(struct reasm_pool *pool, unsigned class);

/** Back to the budget, or to the free list when there is room in it. */
void reasm_slab_free(struct reasm_pool *pool, void *block, unsigned class);

/** As reasm_slab_alloc_slow(); a block from the free list costs a few instructions. */
static inline void *reasm_slab_alloc(struct reasm_pool *pool, unsigned class)
{
	void *block = pool->slabs[class];

	if (block == NULL) {
		return reasm_slab_alloc_slow(pool, class);
	}
	memcpy(&pool->slabs[class], block, sizeof(void *));
	pool->slab_bytes -= reasm_class_size[class];
	return block;
}

#endif

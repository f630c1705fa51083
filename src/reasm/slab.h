/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of reassembly: blocks of a few sizes, each charged to the budget with its real size. Blocks given back are kept in
 * the pool's free lists up to REASM_CACHE bytes, so that the swapped pair, the commonest disorder, does not go to the
 * allocator; they are the first to go when the budget is spent.
 */
#ifndef REASM_SLAB_H
#define REASM_SLAB_H

#include "reasm/half.h"

#define REASM_CACHE     (64u * 1024)
#define REASM_BLOCK_MAX 69632u /* a 64 KiB super-segment and its marks */

/** The size that a block for `size` bytes has; 0: larger than REASM_BLOCK_MAX. */
uint32_t reasm_slab_round(size_t size);

/** Not zeroed. @param size as reasm_slab_round() gives it. NULL: the budget is spent, even without the free blocks */
void *reasm_slab_alloc(struct reasm_pool *pool, uint32_t size);

/** @param size as allocated. NULL is fine */
void reasm_slab_free(struct reasm_pool *pool, void *block, uint32_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas over a budget: see arena.h. */
#include "base/arena.h"

#include "base/copy.h"
#include "weir/error.h"

#include <assert.h>
#include <string.h>

void arena_pool_init(struct arena_pool *pool, struct budget *budget, size_t keep)
{
	arena_pool_init_blocks(pool, budget, keep, ARENA_BLOCK);
}

void arena_pool_init_blocks(struct arena_pool *pool, struct budget *budget, size_t keep,
			    size_t block)
{
	assert(block >= ARENA_BLOCK);
	memset(pool, 0, sizeof(*pool));
	pool->budget = budget;
	pool->keep = keep;
	pool->block = block;
}

size_t arena_pool_trim(struct arena_pool *pool)
{
	size_t freed = pool->nfree * pool->block;

	while (pool->free != NULL) {
		struct arena_block *block = pool->free;

		pool->free = block->next;
		budget_free(pool->budget, block, block->size);
	}
	pool->nfree = 0;
	return freed;
}

void arena_pool_fini(struct arena_pool *pool)
{
	arena_pool_trim(pool);
}

void arena_init(struct weir_arena *arena, struct arena_pool *pool)
{
	memset(arena, 0, sizeof(*arena));
	arena->pool = pool;
}

void arena_fini(struct weir_arena *arena)
{
	struct arena_pool *pool = arena->pool;

	while (arena->blocks != NULL) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->next;
		if (block->size == pool->block && pool->nfree < pool->keep) {
			block->next = pool->free;
			pool->free = block;
			pool->nfree++;
		} else {
			budget_free(pool->budget, block, block->size);
		}
	}
	arena->at = NULL;
	arena->end = NULL;
	arena->used = 0;
}

/* A block for `size` bytes at any alignment up to 8. NULL: no memory */
static struct arena_block *take_block(struct arena_pool *pool, size_t size)
{
	struct arena_block *block = pool->free;
	size_t want = sizeof(*block) + size + 8;

	if (want <= pool->block && block != NULL) {
		pool->free = block->next;
		pool->nfree--;
		return block;
	}
	if (want < pool->block) {
		want = pool->block;
	}
	block = budget_alloc(pool->budget, want);
	if (block != NULL) {
		block->size = want;
	}
	return block;
}

struct weir_arena *arena_new_within(struct arena_pool *pool, size_t before, size_t size)
{
	struct arena_block *block = take_block(pool, size);
	struct weir_arena *arena;

	if (block == NULL) {
		return NULL;
	}
	assert(before % 8 == 0 && before + sizeof(*arena) <= size);
	arena = (struct weir_arena *)((uint8_t *)(block + 1) + before);
	block->next = NULL;
	arena->pool = pool;
	arena->blocks = block;
	arena->at = (uint8_t *)(block + 1) + size;
	arena->end = (uint8_t *)block + block->size;
	arena->used = size;
	arena->failed = 0;
	return arena;
}

/* Make room for `size` bytes. 1: in a block of their own behind the newest */
static int grow(struct weir_arena *arena, size_t size)
{
	struct arena_pool *pool = arena->pool;
	struct arena_block *block = take_block(pool, size);

	if (block == NULL) {
		arena->failed++;
		return WEIR_ENOMEM;
	}
	if (block->size > pool->block && arena->blocks != NULL &&
	    (size_t)(arena->end - arena->at) > 64) {
		/* a large block of its own: go on filling the current one afterwards */
		block->next = arena->blocks->next;
		arena->blocks->next = block;
		return 1;
	}
	block->next = arena->blocks;
	arena->blocks = block;
	arena->at = (uint8_t *)(block + 1);
	arena->end = (uint8_t *)block + block->size;
	return 0;
}

void *arena_bytes_more(struct weir_arena *arena, size_t size)
{
	int err = WEIR_ENOMEM;

	if (size <= SIZE_MAX / 2) {
		err = grow(arena, size);
	} else {
		arena->failed++;
	}
	if (err < 0) {
		return NULL;
	}
	arena->used += size;
	if (err == 1) {
		return arena->blocks->next + 1;
	}
	arena->at += size;
	assert(arena->at <= arena->end);
	return arena->at - size;
}

void *arena_alloc(struct weir_arena *arena, size_t size)
{
	size_t pad = (size_t)(-(uintptr_t)arena->at & 7);

	/* a fresh block begins aligned, as malloc's memory does: its header's size is a multiple of 8 */
	if (arena->at != NULL) {
		arena->at = (size_t)(arena->end - arena->at) < pad ? arena->end : arena->at + pad;
	}
	return arena_bytes(arena, size);
}

void *arena_dup(struct weir_arena *arena, const void *p, size_t n)
{
	void *copy = arena_bytes(arena, n);

	if (copy != NULL) {
		copy_bytes(copy, p, n);
	}
	return copy;
}

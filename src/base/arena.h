/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arena: memory that is given back all at once (one transaction, one batch of records).
 *
 * Blocks come from a budget, through a pool that keeps emptied blocks of the standard size for the next arena: a
 * transaction then costs no call to the allocator.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"

enum {
	ARENA_BLOCK = 2304
}; /* bytes of a standard block, its header included, unless the pool says otherwise */

struct arena_block {
	struct arena_block *next;
	size_t size; /* bytes, this header included */
};

/* Free standard blocks, charged to the budget while kept. */
struct arena_pool {
	struct budget *budget;
	struct arena_block *free;
	size_t nfree;
	size_t keep;  /* at most this many are kept */
	size_t block; /* bytes of a standard block */
};

struct weir_arena {
	struct arena_pool *pool;
	struct arena_block *blocks; /* newest first */
	uint8_t *at;                /* next free byte of the newest block */
	uint8_t *end;
	size_t used;     /* bytes handed out */
	uint32_t failed; /* requests refused for lack of memory */
};

void arena_pool_init(struct arena_pool *pool, struct budget *budget, size_t keep);
/** The same with blocks of another size: for batches of things that would each fill a block. */
void arena_pool_init_blocks(struct arena_pool *pool, struct budget *budget, size_t keep,
			    size_t block);
/** Give the kept blocks back. All arenas of the pool must have been finished. */
void arena_pool_fini(struct arena_pool *pool);
/** The same, but the pool stays usable: called when the budget is short. Returns bytes given back. */
size_t arena_pool_trim(struct arena_pool *pool);

void arena_init(struct weir_arena *arena, struct arena_pool *pool);
void arena_fini(struct weir_arena *arena);

/** Aligned to 8 bytes, not zeroed; NULL when memory is spent (counted in arena->failed). size 0 gives a valid pointer. */
void *arena_alloc(struct weir_arena *arena, size_t size);
/** arena_bytes(), when the newest block is full. */
void *arena_bytes_more(struct weir_arena *arena, size_t size);
/** Unaligned bytes: for text. */
static inline void *arena_bytes(struct weir_arena *arena, size_t size)
{
	uint8_t *p = arena->at;

	/* an arena without blocks has no place, not even for nothing */
	if ((size_t)(arena->end - p) < size || p == NULL) {
		return arena_bytes_more(arena, size);
	}
	arena->at = p + size;
	arena->used += size;
	return p;
}
/** Of `size` bytes at p, which arena_bytes() gave last, `used` are kept. Those of a large block of its own all are. */
static inline void arena_give_back(struct weir_arena *arena, uint8_t *p, size_t size, size_t used)
{
	if (arena->at == p + size) {
		arena->at = p + used;
		arena->used -= size - used;
	}
}

/**
 * Room for at most `size` unaligned bytes that is not taken yet: the next call but of this kind must be arena_bytes() for what
 * was used of it, which gives the same place. NULL: memory is spent.
 */
static inline void *arena_peek(struct weir_arena *arena, size_t size)
{
	uint8_t *p = arena_bytes(arena, size);

	/* a large block of its own is not the newest one: its bytes cannot be given back */
	if (p != NULL && arena->at == p + size) {
		arena->at = p;
		arena->used -= size;
		return p;
	}
	return NULL;
}

/**
 * An arena that lies in the first of its own blocks, `before` bytes (a multiple of 8) from where its memory begins; the first
 * `size` bytes are handed out, which it is among. arena_fini() of a copy of it releases it. NULL: memory is spent.
 */
struct weir_arena *arena_new_within(struct arena_pool *pool, size_t before, size_t size);

/** A copy of n bytes; NULL when memory is spent. */
void *arena_dup(struct weir_arena *arena, const void *p, size_t n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that traffic can grow, with a limit. Every allocation made on behalf of traffic is charged here, so that the sum
 * over all budgets never passes --memory. Sizes are given back by the caller: there is no hidden header.
 */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stddef.h>
#include <stdint.h>

#include "weir/config.h"

struct budget {
	size_t limit;                           /* bytes */
	size_t used;                            /* <= limit */
	size_t peak;                            /* largest `used` so far */
	uint64_t refused;                       /* allocations refused for the limit */
	uint64_t failed;                        /* allocations that the allocator refused */
	const struct weir_allocator *allocator; /* not owned; NULL: malloc and free */
};

/** @param allocator borrowed, must outlive the budget; NULL means libc's */
void budget_init(struct budget *budget, size_t limit, const struct weir_allocator *allocator);

/** NULL when the limit would be passed or the allocator has nothing; size must not be 0. Not zeroed. */
void *budget_alloc(struct budget *budget, size_t size);

/** As budget_alloc() of n * size bytes, zeroed, checked for overflow. */
void *budget_calloc(struct budget *budget, size_t n, size_t size);

/** Grow or shrink; NULL: ptr is unchanged and still charged with old_size. ptr may be NULL with old_size 0. */
void *budget_realloc(struct budget *budget, void *ptr, size_t old_size, size_t new_size);

/** size as allocated (n * size for calloc). NULL is fine. */
void budget_free(struct budget *budget, void *ptr, size_t size);

/** Would an allocation of size pass the limit now? */
static inline bool budget_has(const struct budget *budget, size_t size)
{
	return size <= budget->limit - budget->used;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Memory with a limit: see budget.h. */
#include "base/budget.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void budget_init(struct budget *budget, size_t limit, const struct weir_allocator *allocator)
{
	memset(budget, 0, sizeof(*budget));
	budget->limit = limit;
	budget->allocator = allocator;
}

static void *raw_alloc(struct budget *budget, size_t size)
{
	if (budget->allocator != NULL) {
		return budget->allocator->alloc(budget->allocator->context, size);
	}
	return malloc(size);
}

void *budget_alloc(struct budget *budget, size_t size)
{
	void *ptr;

	assert(size > 0);
	if (!budget_has(budget, size)) {
		budget->refused++;
		return NULL;
	}
	ptr = raw_alloc(budget, size);
	if (ptr == NULL) {
		budget->failed++;
		return NULL;
	}
	budget->used += size;
	if (budget->used > budget->peak) {
		budget->peak = budget->used;
	}
	return ptr;
}

void *budget_calloc(struct budget *budget, size_t n, size_t size)
{
	size_t total;
	void *ptr;

	if (__builtin_mul_overflow(n, size, &total)) {
		budget->refused++;
		return NULL;
	}
	ptr = budget_alloc(budget, total);
	if (ptr != NULL) {
		memset(ptr, 0, total);
	}
	return ptr;
}

void *budget_realloc(struct budget *budget, void *ptr, size_t old_size, size_t new_size)
{
	void *copy = budget_alloc(budget, new_size);

	if (copy == NULL) {
		return NULL;
	}
	if (ptr != NULL) {
		memcpy(copy, ptr, old_size < new_size ? old_size : new_size);
		budget_free(budget, ptr, old_size);
	}
	return copy;
}

void budget_free(struct budget *budget, void *ptr, size_t size)
{
	if (ptr == NULL) {
		return;
	}
	assert(budget->used >= size);
	budget->used -= size;
	if (budget->allocator != NULL) {
		budget->allocator->free(budget->allocator->context, ptr, size);
	} else {
		free(ptr);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks on their way from one flow to the next: see spare.h. */
#include "base/spare.h"

#include <string.h>

/* SPARE_CLASSES: too large to be kept */
static size_t class_of(size_t size)
{
	size_t class = (size - 1) / SPARE_STEP;

	return class < SPARE_CLASSES ? class : SPARE_CLASSES;
}

static size_t size_of(size_t class, size_t size)
{
	return class < SPARE_CLASSES ? (class + 1) * SPARE_STEP : size;
}

void spares_init(struct spares *spares, struct budget *budget)
{
	memset(spares, 0, sizeof(*spares));
	spares->budget = budget;
}

static void *pop(struct spares *spares, size_t class)
{
	struct spare_block *block = spares->free[class];

	spares->free[class] = block->next;
	spares->kept[class]--;
	return block;
}

size_t spares_trim(struct spares *spares)
{
	size_t class, bytes = 0;

	for (class = 0; class < SPARE_CLASSES; class ++) {
		while (spares->free[class] != NULL) {
			budget_free(spares->budget, pop(spares, class), size_of(class, 0));
			bytes += size_of(class, 0);
		}
	}
	return bytes;
}

void *spares_take(struct spares *spares, size_t size)
{
	size_t class = class_of(size);
	void *block;

	if (class < SPARE_CLASSES && spares->free[class] != NULL) {
		block = pop(spares, class);
	} else {
		block = budget_alloc(spares->budget, size_of(class, size));
		if (block == NULL) {
			return NULL;
		}
	}
	memset(block, 0, size);
	return block;
}

void spares_give(struct spares *spares, void *block, size_t size)
{
	struct spare_block *spare = block;
	size_t class = class_of(size);

	if (block == NULL) {
		return;
	}
	if (class == SPARE_CLASSES || spares->kept[class] == SPARE_KEEP) {
		budget_free(spares->budget, block, size_of(class, size));
		return;
	}
	spare->next = spares->free[class];
	spares->free[class] = spare;
	spares->kept[class]++;
}

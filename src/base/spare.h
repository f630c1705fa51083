/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spare blocks: what flows need one after another (a session, its parser's state, a tail) is taken from the last one that gave it
 * back, which is in the cache still, without asking the allocator.
 *
 * Blocks are charged to the budget while they are kept; SPARE_KEEP of a size at most are.
 */
#ifndef BASE_SPARE_H
#define BASE_SPARE_H

#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"

enum {
	SPARE_STEP = 64,    /* bytes: sizes are multiples of it */
	SPARE_CLASSES = 24, /* larger blocks are not kept */
	SPARE_KEEP = 16
};

struct spare_block {
	struct spare_block *next;
};

struct spares {
	struct budget *budget;
	struct spare_block *free[SPARE_CLASSES];
	uint8_t kept[SPARE_CLASSES];
};

void spares_init(struct spares *spares, struct budget *budget);

/** Give the kept blocks back to the budget; more may come. @return bytes */
size_t spares_trim(struct spares *spares);

/** At least `size` bytes (not 0), zeroed up to there. NULL: the budget is spent */
void *spares_take(struct spares *spares, size_t size);

/** The size is that of spares_take(). NULL is fine. */
void spares_give(struct spares *spares, void *block, size_t size);

#endif

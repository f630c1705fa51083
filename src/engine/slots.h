/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots: memory in pieces of a few sizes, addressed by a number of 27 bits, for the very many small things of a shard that
 * wait (parked flows, lone SYNs). A page holds slots of one size and goes back to the budget when its last slot does.
 *
 * A slot's number is that of its page and its place in it, so that it finds the memory with one look-up and no table of
 * pointers. What a page is for (`kind`) can be asked for of each of its slots.
 */
#ifndef ENGINE_SLOTS_H
#define ENGINE_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"

enum {
	SLOT_UNIT = 16,       /* bytes: slots are a multiple of it, and aligned to half of it */
	SLOT_MAX = 4096,      /* bytes of the largest */
	SLOT_PAGE = 16 << 10, /* bytes of a page */
	SLOT_UNIT_BITS = 10,  /* of a number: the place in the page, in units */
	SLOT_PAGE_BITS = 17,
	SLOT_KINDS = 3,
	SLOT_CLASSES = 56 /* sizes: each unit up to 512 bytes, then coarser */
};

#define SLOT_NONE UINT32_MAX

struct slot_page {
	uint8_t *memory; /* NULL: the page's number is free */
	uint32_t next; /* page + 1 with free slots of the same class and kind, or free number + 1 */
	uint32_t prev;
	uint16_t free;  /* unit + 1 of the first free slot; the slots chain themselves */
	uint16_t used;  /* slots */
	uint16_t fresh; /* slots never used are from here on (index) */
	uint8_t class;
	uint8_t kind;
};

struct slots {
	struct budget *budget;
	struct slot_page *pages;
	uint32_t npages;                            /* numbers ever given */
	uint32_t room;                              /* of the array */
	uint32_t free;                              /* number + 1 of a page that is not there */
	uint32_t partial[SLOT_KINDS][SLOT_CLASSES]; /* page + 1 with free slots */
	size_t bytes;                               /* charged now */
};

void slots_init(struct slots *slots, struct budget *budget);
/** All slots must have been given back. */
void slots_fini(struct slots *slots);

/** Bytes that a slot for `size` takes; size is 1 to SLOT_MAX. */
size_t slots_size(size_t size);

/** A slot of at least `size` bytes, not zeroed. SLOT_NONE: the budget is spent */
uint32_t slots_take(struct slots *slots, unsigned kind, size_t size);
void slots_give(struct slots *slots, uint32_t number);
/** The slot that would be taken is on its way into the cache. */
void slots_fetch(const struct slots *slots, unsigned kind, size_t size);

static inline uint8_t *slots_at(const struct slots *slots, uint32_t number)
{
	return slots->pages[number >> SLOT_UNIT_BITS].memory +
	       (size_t)(number & ((1u << SLOT_UNIT_BITS) - 1)) * SLOT_UNIT;
}

static inline unsigned slots_kind(const struct slots *slots, uint32_t number)
{
	return slots->pages[number >> SLOT_UNIT_BITS].kind;
}

#endif

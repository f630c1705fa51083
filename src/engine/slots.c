/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered memory in pages of one size each: see slots.h. */
#include "engine/slots.h"

#include <assert.h>
#include <string.h>

enum {
	CACHE_LINE = 64,
	FINE = 512, /* bytes: up to here each unit is a class */
	FINE_CLASSES = FINE / SLOT_UNIT,
	COARSE_FIRST = 576 /* then eighths of the power of two below */
};

_Static_assert(SLOT_PAGE / SLOT_UNIT <= 1 << SLOT_UNIT_BITS, "places fit their bits");

/* Sizes from 576 on: 576, 640 ... 1024, 1152, 1280 ... 2048, 2304 ... 4096. */
static size_t coarse_size(unsigned step)
{
	return ((size_t)COARSE_FIRST + (step % 8) * 64) << (step / 8);
}

static size_t class_size(unsigned class)
{
	return class < FINE_CLASSES ? (class + 1) * (size_t)SLOT_UNIT
				    : coarse_size(class - FINE_CLASSES);
}

static unsigned class_of(size_t size)
{
	unsigned step = 0;

	assert(size > 0 && size <= SLOT_MAX);
	if (size <= FINE) {
		return (unsigned)((size + SLOT_UNIT - 1) / SLOT_UNIT) - 1;
	}
	while (coarse_size(step) < size) {
		step++;
	}
	assert(FINE_CLASSES + step < SLOT_CLASSES);
	return FINE_CLASSES + step;
}

size_t slots_size(size_t size)
{
	return class_size(class_of(size));
}

static unsigned slots_in_page(unsigned class)
{
	return (unsigned)(SLOT_PAGE / class_size(class));
}

void slots_init(struct slots *slots, struct budget *budget)
{
	memset(slots, 0, sizeof(*slots));
	slots->budget = budget;
}

void slots_fini(struct slots *slots)
{
	assert(slots->bytes == slots->room * sizeof(*slots->pages));
	budget_free(slots->budget, slots->pages, slots->room * sizeof(*slots->pages));
	slots->pages = NULL;
}

/* ---- pages with free slots, in lists by class and kind ---- */

static void link_page(struct slots *slots, uint32_t number)
{
	struct slot_page *page = &slots->pages[number];
	uint32_t *head = &slots->partial[page->kind][page->class];

	page->prev = 0;
	page->next = *head;
	if (*head != 0) {
		slots->pages[*head - 1].prev = number + 1;
	}
	*head = number + 1;
}

static void unlink_page(struct slots *slots, uint32_t number)
{
	struct slot_page *page = &slots->pages[number];

	if (page->prev != 0) {
		slots->pages[page->prev - 1].next = page->next;
	} else {
		slots->partial[page->kind][page->class] = page->next;
	}
	if (page->next != 0) {
		slots->pages[page->next - 1].prev = page->prev;
	}
	page->prev = 0;
	page->next = 0;
}

/* A number for a page, or SLOT_NONE. */
static uint32_t take_number(struct slots *slots)
{
	uint32_t number = slots->free;

	if (number != 0) {
		slots->free = slots->pages[number - 1].next;
		return number - 1;
	}
	if (slots->npages == slots->room) {
		uint32_t room = slots->room == 0 ? 16 : slots->room * 2;
		struct slot_page *pages;

		if (slots->room == 1u << SLOT_PAGE_BITS) {
			return SLOT_NONE;
		}
		pages = budget_realloc(slots->budget, slots->pages, slots->room * sizeof(*pages),
				       room * sizeof(*pages));
		if (pages == NULL) {
			return SLOT_NONE;
		}
		slots->bytes += (room - slots->room) * sizeof(*pages);
		slots->pages = pages;
		slots->room = room;
	}
	return slots->npages++;
}

static void give_number(struct slots *slots, uint32_t number)
{
	slots->pages[number].memory = NULL;
	slots->pages[number].next = slots->free;
	slots->free = number + 1;
}

static uint32_t new_page(struct slots *slots, unsigned kind, unsigned class)
{
	uint32_t number = take_number(slots);
	struct slot_page *page;

	if (number == SLOT_NONE) {
		return SLOT_NONE;
	}
	page = &slots->pages[number];
	memset(page, 0, sizeof(*page));
	page->memory = budget_alloc(slots->budget, SLOT_PAGE);
	if (page->memory == NULL) {
		give_number(slots, number);
		return SLOT_NONE;
	}
	slots->bytes += SLOT_PAGE;
	page->kind = (uint8_t)kind;
	page->class = (uint8_t) class;
	link_page(slots, number);
	return number;
}

/* ---- slots ---- */

uint32_t slots_take(struct slots *slots, unsigned kind, size_t size)
{
	unsigned class = class_of(size);
	uint32_t number = slots->partial[kind][class];
	struct slot_page *page;
	uint32_t unit;

	number = number != 0 ? number - 1 : new_page(slots, kind, class);
	if (number == SLOT_NONE) {
		return SLOT_NONE;
	}
	page = &slots->pages[number];
	if (page->free != 0) {
		unit = page->free - 1u;
		memcpy(&page->free, page->memory + (size_t)unit * SLOT_UNIT, sizeof(page->free));
	} else {
		unit = (uint32_t)(page->fresh++ * class_size(class) / SLOT_UNIT);
	}
	page->used++;
	if (page->used == slots_in_page(class)) {
		unlink_page(slots, number);
	}
	return number << SLOT_UNIT_BITS | unit;
}

void slots_fetch(const struct slots *slots, unsigned kind, size_t size)
{
	unsigned class = class_of(size);
	uint32_t number = slots->partial[kind][class];
	const struct slot_page *page;
	const uint8_t *at;
	size_t i;

	if (number == 0) {
		return;
	}
	page = &slots->pages[number - 1];
	at = page->memory + (page->free != 0 ? (page->free - 1u) * (size_t)SLOT_UNIT
					     : page->fresh * class_size(class));
	for (i = 0; i < size; i += CACHE_LINE) {
		__builtin_prefetch(at + i, 1);
	}
}

void slots_give(struct slots *slots, uint32_t number)
{
	uint32_t at = number >> SLOT_UNIT_BITS;
	struct slot_page *page = &slots->pages[at];
	uint32_t unit = number & ((1u << SLOT_UNIT_BITS) - 1);

	assert(page->memory != NULL && page->used > 0);
	if (page->used == slots_in_page(page->class)) {
		link_page(slots, at);
	}
	memcpy(page->memory + (size_t)unit * SLOT_UNIT, &page->free, sizeof(page->free));
	page->free = (uint16_t)(unit + 1);
	page->used--;
	if (page->used == 0) {
		unlink_page(slots, at);
		budget_free(slots->budget, page->memory, SLOT_PAGE);
		slots->bytes -= SLOT_PAGE;
		give_number(slots, at);
	}
}

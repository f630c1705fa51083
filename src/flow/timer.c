/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timer wheel: see timer.h.
 *
 * Time is cut into ticks of 2^20 ns. A timer of a later tick waits in one of 8 levels of 64 slots: its level is that of the
 * highest group of six bits in which its tick differs from the wheel's. So all timers of a level come before all of the next
 * level, and the lowest slot in use of the lowest level in use is the earliest: bitmaps find it, and empty time costs nothing
 * however far the clock jumps. When the wheel reaches a slot, its timers move to lower levels (each at most 8 times in
 * its life).
 *
 * Timers of the wheel's own tick or before are in a pairing heap, ordered by (deadline, order): exact, and logarithmic
 * also when a hostile capture gives a million timers the same nanosecond. The heap needs no memory but the nodes.
 *
 * Invariants: timers in the heap have tick <= wheel->tick, timers in slots have tick > wheel->tick; no slot in use begins
 * at or before wheel->tick.
 */
#include "flow/timer.h"

#include <assert.h>
#include <string.h>

#include "weir/error.h"

enum {
	TICK_BITS = 20,
	LEVEL_BITS = 6,
	LEVEL_SLOTS = 1 << LEVEL_BITS,
	LEVELS = 8, /* 8 * 6 bits hold the 44 bits of a tick */
	SLOT_HEAP = LEVELS * LEVEL_SLOTS
};

struct timer_wheel {
	int64_t next_ns;        /* what timer_wheel_next() says */
	uint64_t tick;          /* of the clock, as far as it was told by timer_wheel_pop() */
	uint32_t heap;          /* root + 1; 0: empty */
	uint32_t levels;        /* bit l: level l has a slot in use */
	uint64_t slots[LEVELS]; /* bit s: slot s of the level is in use */
	uint32_t head[LEVELS * LEVEL_SLOTS]; /* index + 1 */
	struct budget *budget;
	timer_node_fn node;
	timer_order_fn order;
	void *context;
};

int timer_wheel_new(struct budget *budget, timer_node_fn node, timer_order_fn order, void *context,
		    struct timer_wheel **ret)
{
	struct timer_wheel *wheel = budget_calloc(budget, 1, sizeof(*wheel));

	if (wheel == NULL) {
		return budget_has(budget, sizeof(*wheel)) ? WEIR_ENOMEM : WEIR_EBUDGET;
	}
	wheel->next_ns = TIMER_NONE;
	wheel->budget = budget;
	wheel->node = node;
	wheel->order = order;
	wheel->context = context;
	*ret = wheel;
	return 0;
}

void timer_wheel_free(struct timer_wheel *wheel)
{
	if (wheel != NULL) {
		budget_free(wheel->budget, wheel, sizeof(*wheel));
	}
}

/* Times before 1970 sort below: the sign bit is flipped. */
static uint64_t tick_of(int64_t time_ns)
{
	return ((uint64_t)time_ns ^ (UINT64_C(1) << 63)) >> TICK_BITS;
}

static int64_t time_of(uint64_t tick)
{
	return (int64_t)((tick << TICK_BITS) ^ (UINT64_C(1) << 63));
}

static struct timer_node *node_at(const struct timer_wheel *wheel, uint32_t ref)
{
	return wheel->node(wheel->context, ref - 1);
}

/* ---- the heap ---- */

static bool comes_before(const struct timer_wheel *wheel, uint32_t a, uint32_t b)
{
	int64_t deadline_a = node_at(wheel, a)->deadline_ns;
	int64_t deadline_b = node_at(wheel, b)->deadline_ns;

	if (deadline_a != deadline_b) {
		return deadline_a < deadline_b;
	}
	return wheel->order(wheel->context, a - 1) < wheel->order(wheel->context, b - 1);
}

/* Join two heaps (0: empty); both roots without siblings. */
static uint32_t heap_meld(struct timer_wheel *wheel, uint32_t a, uint32_t b)
{
	struct timer_node *parent, *child;

	if (a == 0 || b == 0) {
		return a == 0 ? b : a;
	}
	if (comes_before(wheel, b, a)) {
		uint32_t swap = a;

		a = b;
		b = swap;
	}
	parent = node_at(wheel, a);
	child = node_at(wheel, b);
	child->prev = a;
	child->next = parent->child;
	if (parent->child != 0) {
		node_at(wheel, parent->child)->prev = b;
	}
	parent->child = b;
	return a;
}

/* Make one heap of a list of siblings: pairs from left to right, then the pairs from right to left. */
static uint32_t heap_merge_siblings(struct timer_wheel *wheel, uint32_t first)
{
	uint32_t pairs = 0; /* melded pairs, last first, by `next` */
	uint32_t root = 0;

	while (first != 0) {
		uint32_t a = first;
		uint32_t b = node_at(wheel, a)->next;
		uint32_t pair;

		first = b == 0 ? 0 : node_at(wheel, b)->next;
		node_at(wheel, a)->prev = node_at(wheel, a)->next = 0;
		if (b != 0) {
			node_at(wheel, b)->prev = node_at(wheel, b)->next = 0;
		}
		pair = heap_meld(wheel, a, b);
		node_at(wheel, pair)->next = pairs;
		pairs = pair;
	}
	while (pairs != 0) {
		uint32_t next = node_at(wheel, pairs)->next;

		node_at(wheel, pairs)->next = 0;
		root = heap_meld(wheel, root, pairs);
		pairs = next;
	}
	return root;
}

static void heap_add(struct timer_wheel *wheel, uint32_t ref, struct timer_node *node)
{
	node->prev = node->next = node->child = 0;
	node->slot = SLOT_HEAP + 1;
	wheel->heap = heap_meld(wheel, wheel->heap, ref);
}

static void heap_remove(struct timer_wheel *wheel, uint32_t ref, struct timer_node *node)
{
	uint32_t orphans = heap_merge_siblings(wheel, node->child);

	if (wheel->heap == ref) {
		wheel->heap = orphans;
	} else {
		struct timer_node *before = node_at(wheel, node->prev);

		if (before->child == ref) {
			before->child = node->next;
		} else {
			before->next = node->next;
		}
		if (node->next != 0) {
			node_at(wheel, node->next)->prev = node->prev;
		}
		wheel->heap = heap_meld(wheel, wheel->heap, orphans);
	}
	node->prev = node->next = node->child = node->slot = 0;
}

/* ---- the slots ---- */

/* The slot for a tick after the wheel's. */
static uint32_t slot_of(const struct timer_wheel *wheel, uint64_t tick)
{
	unsigned top = 63 - (unsigned)__builtin_clzll(tick ^ wheel->tick);
	unsigned level = top / LEVEL_BITS;

	return level * LEVEL_SLOTS + (uint32_t)((tick >> (level * LEVEL_BITS)) & (LEVEL_SLOTS - 1));
}

static void slot_add(struct timer_wheel *wheel, uint32_t ref, struct timer_node *node,
		     uint32_t slot)
{
	node->prev = node->child = 0;
	node->next = wheel->head[slot];
	node->slot = slot + 1;
	if (node->next != 0) {
		node_at(wheel, node->next)->prev = ref;
	}
	wheel->head[slot] = ref;
	wheel->slots[slot / LEVEL_SLOTS] |= UINT64_C(1) << (slot % LEVEL_SLOTS);
	wheel->levels |= 1u << (slot / LEVEL_SLOTS);
}

static void slot_mark_empty(struct timer_wheel *wheel, uint32_t slot)
{
	wheel->head[slot] = 0;
	wheel->slots[slot / LEVEL_SLOTS] &= ~(UINT64_C(1) << (slot % LEVEL_SLOTS));
	if (wheel->slots[slot / LEVEL_SLOTS] == 0) {
		wheel->levels &= ~(1u << (slot / LEVEL_SLOTS));
	}
}

static void slot_remove(struct timer_wheel *wheel, struct timer_node *node)
{
	uint32_t slot = node->slot - 1;

	if (node->next != 0) {
		node_at(wheel, node->next)->prev = node->prev;
	}
	if (node->prev != 0) {
		node_at(wheel, node->prev)->next = node->next;
	} else if (node->next != 0) {
		wheel->head[slot] = node->next;
	} else {
		slot_mark_empty(wheel, slot);
	}
	node->prev = node->next = node->slot = 0;
}

/* The earliest slot in use and the tick it begins at. False when all are empty. */
static bool first_slot(const struct timer_wheel *wheel, uint32_t *ret_slot, uint64_t *ret_tick)
{
	unsigned level, shift, slot;

	if (wheel->levels == 0) {
		return false;
	}
	level = (unsigned)__builtin_ctz(wheel->levels);
	slot = (unsigned)__builtin_ctzll(wheel->slots[level]);
	shift = level * LEVEL_BITS;
	*ret_slot = level * LEVEL_SLOTS + slot;
	/* above its level the slot's tick has the wheel's bits, below it zeros */
	*ret_tick = (wheel->tick >> (shift + LEVEL_BITS) << (shift + LEVEL_BITS)) |
		    (uint64_t)slot << shift;
	return true;
}

static void add(struct timer_wheel *wheel, uint32_t ref, struct timer_node *node)
{
	uint64_t tick = tick_of(node->deadline_ns);

	if (tick <= wheel->tick) {
		heap_add(wheel, ref, node);
	} else {
		slot_add(wheel, ref, node, slot_of(wheel, tick));
	}
}

static void unlink_node(struct timer_wheel *wheel, uint32_t ref, struct timer_node *node)
{
	if (node->slot == SLOT_HEAP + 1) {
		heap_remove(wheel, ref, node);
	} else {
		slot_remove(wheel, node);
	}
}

void timer_wheel_set(struct timer_wheel *wheel, uint32_t index, struct timer_node *node,
		     int64_t deadline_ns)
{
	uint64_t tick = tick_of(deadline_ns);

	assert(index != UINT32_MAX);
	if (deadline_ns < wheel->next_ns) {
		wheel->next_ns = deadline_ns;
	}
	if (node->slot != 0) {
		/* moved within its slot, as most are: nothing to relink */
		if (node->slot != SLOT_HEAP + 1 && tick > wheel->tick &&
		    slot_of(wheel, tick) == node->slot - 1) {
			node->deadline_ns = deadline_ns;
			return;
		}
		unlink_node(wheel, index + 1, node);
	}
	node->deadline_ns = deadline_ns;
	add(wheel, index + 1, node);
}

void timer_wheel_cancel(struct timer_wheel *wheel, uint32_t index, struct timer_node *node)
{
	if (node->slot != 0) {
		unlink_node(wheel, index + 1, node);
	}
}

int64_t timer_wheel_next(const struct timer_wheel *wheel)
{
	return wheel->next_ns;
}

/* By what is in the wheel now. */
static int64_t find_next(const struct timer_wheel *wheel)
{
	uint32_t slot;
	uint64_t tick;

	if (wheel->heap != 0) {
		return node_at(wheel, wheel->heap)->deadline_ns;
	}
	return first_slot(wheel, &slot, &tick) ? time_of(tick) : TIMER_NONE;
}

/* Move the wheel to a tick at which its first slot begins, and that slot's timers to where they belong now. */
static void enter_slot(struct timer_wheel *wheel, uint32_t slot, uint64_t tick)
{
	uint32_t ref = wheel->head[slot];

	slot_mark_empty(wheel, slot);
	wheel->tick = tick;
	while (ref != 0) {
		struct timer_node *node = node_at(wheel, ref);
		uint32_t next = node->next;

		add(wheel, ref, node);
		ref = next;
	}
}

uint32_t timer_wheel_pop(struct timer_wheel *wheel, int64_t now_ns)
{
	uint64_t now = tick_of(now_ns);
	struct timer_node *node;
	uint64_t tick;
	uint32_t slot, ref;

	/* the heap is earlier than any slot: slots are looked at only when it is empty */
	while (wheel->heap == 0 && first_slot(wheel, &slot, &tick) && tick <= now) {
		enter_slot(wheel, slot, tick);
	}
	if (wheel->heap == 0) {
		/* No slot in use begins up to now, so none changes its level by moving on to it. */
		if (now > wheel->tick) {
			wheel->tick = now;
		}
		wheel->next_ns = find_next(wheel);
		return UINT32_MAX;
	}
	ref = wheel->heap;
	node = node_at(wheel, ref);
	if (node->deadline_ns > now_ns) {
		wheel->next_ns = node->deadline_ns;
		return UINT32_MAX;
	}
	heap_remove(wheel, ref, node);
	return ref - 1;
}

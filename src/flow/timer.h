/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers on the capture clock: a hierarchical wheel over intrusive nodes addressed by 32-bit index.
 *
 * Deadlines are exact to the nanosecond: timer_wheel_pop() gives due timers in ascending (deadline, index of tie-break)
 * order, so that what happens is the same for any number of workers. Setting, moving and cancelling are O(1); a wheel of
 * idle timers costs nothing per packet but one comparison with timer_wheel_next().
 */
#ifndef FLOW_TIMER_H
#define FLOW_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/budget.h"

#define TIMER_NONE INT64_MAX

/* Embedded in the entry that is timed. All zero: not set. */
struct timer_node {
	int64_t deadline_ns;
	uint32_t prev; /* index + 1; 0: none */
	uint32_t next;
	uint32_t child; /* in the heap of timers that are due soon: first child */
	uint32_t slot;  /* slot + 1; 0: not set */
};

struct timer_wheel;

/** The node of an entry. */
typedef struct timer_node *(*timer_node_fn)(void *context, uint32_t index);
/** Tie-break among equal deadlines: unique and stable (the flow's first packet). */
typedef uint64_t (*timer_order_fn)(void *context, uint32_t index);

int timer_wheel_new(struct budget *budget, timer_node_fn node, timer_order_fn order, void *context,
		    struct timer_wheel **ret);
void timer_wheel_free(struct timer_wheel *wheel);

/** Set or move. `node` is that of `index`, which who calls has at hand. Deadlines in the past are due at once. */
void timer_wheel_set(struct timer_wheel *wheel, uint32_t index, struct timer_node *node,
		     int64_t deadline_ns);
/** Cancel; no effect when not set. */
void timer_wheel_cancel(struct timer_wheel *wheel, uint32_t index, struct timer_node *node);
/**
 * A lower bound of the earliest deadline (never later than it), as of the last timer_wheel_pop() that gave none, or lower when
 * an earlier one was set since; TIMER_NONE when none was set. One load.
 */
int64_t timer_wheel_next(const struct timer_wheel *wheel);
/**
 * Take the earliest due timer (deadline <= now), in ascending (deadline, order).
 * @return its index (it is no longer set), or UINT32_MAX when none is due
 */
uint32_t timer_wheel_pop(struct timer_wheel *wheel, int64_t now_ns);

#endif

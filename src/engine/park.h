/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parked flows: a flow that nothing comes for waits in a few hundred bytes instead of its struct, its session and its parser's
 * state, and is brought back as it was when something does.
 *
 * A shard has so many flows at hand (a sixteenth of config flows_at_hand, and fewer the more memory is used); the idlest beyond are parked. Which are is a matter of the
 * shard's own packets, so nothing that is told depends on it, nor on the number of workers.
 *
 * What is packed: the flow and its halves with what waits in them (when it is little); the session, when nothing waits in it
 * and its parser can (weir_parser.park). What cannot be packed stays where it is, and its pointer is packed.
 */
#ifndef ENGINE_PARK_H
#define ENGINE_PARK_H

#include "engine/flow.h"

struct shard;

/* A flow in a slot. Behind it: struct flow_link of the list of holes, if it waits; the key; the rest of the flow. */
struct parked {
	struct timer_node timer;
	struct flow_link lru; /* in the shard's list of parked flows of its kind */
	uint64_t first_packet : 48;
	uint64_t size : 13;     /* bytes of all of it */
	uint64_t waiting : 1;   /* is in the list of holes */
	uint64_t list : 1;      /* enum flow_list */
	uint64_t short_key : 1; /* struct tuple_short */
	uint8_t data[];
};

static inline struct flow_link *parked_holes(struct parked *parked)
{
	return (struct flow_link *)(void *)parked->data;
}

/** The key of a parked flow. */
void parked_tuple(const struct parked *parked, struct tuple *ret);
bool parked_is(const struct parked *parked, const struct tuple *tuple);

/**
 * Write a flow to a slot of the shard and release what it owned. Lists, table and timer are the caller's.
 * @return the slot's number, or SLOT_NONE: no memory, or too much to pack; nothing was changed
 */
uint32_t park_pack(struct shard *shard, struct flow *flow);

/**
 * Fill an entry, whatever was in it but `self`, from a parked flow; its slot stays the caller's, as do lists, table and timer.
 * What there is no memory for is lost, and told: waiting bytes as rejected[budget], a session as one that had none.
 */
void park_unpack(struct shard *shard, const struct parked *parked, struct flow *flow);

#endif

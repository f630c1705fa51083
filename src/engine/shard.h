/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shard: a sixteenth of the flows with its own table, budget, reassembly pool and record memory. Nothing in it depends on
 * which worker owns it.
 *
 * When its budget is spent (DESIGN.md, Memory and time), by what is short. Entries: the oldest half-open flow goes first, then
 * the idlest one is closed. Bytes: the oldest hole is declared a gap, then the idlest flow that owns any is closed; a half-open
 * flow owns none but its entry. Entries take three quarters of the budget at most. Each eviction is counted.
 */
#ifndef ENGINE_SHARD_H
#define ENGINE_SHARD_H

#include "base/arena.h"
#include "engine/flow.h"
#include "engine/front.h"
#include "flow/table.h"

struct engine;

enum {
	SHARD_BLOCK = 64, /* flows allocated at a time */
	SHARD_MAX_BLOCKS = 1 << 20,
	SHARD_GONE = 256 /* closed flows remembered; a power of two */
};

/*
 * A flow that was closed and whose tombstone is gone. Captures of a ring whose frames were given out again hold old packets once
 * more, with their old times, seconds and minutes later: a packet whose own time lies in the life of such a flow is one of
 * its, and no new flow.
 */
struct shard_gone {
	uint64_t hash; /* of the tuple; 0: the entry is empty */
	int64_t ended_ns;
	uint16_t input;
};

struct shard {
	struct engine *engine;
	unsigned number;
	struct budget budget;
	struct flow_table *table;
	struct reasm_pool reasm;
	struct arena_pool arenas;
	struct flow **blocks; /* of SHARD_BLOCK flows */
	size_t nblocks;
	size_t block_room;                 /* capacity of blocks */
	uint32_t free;                     /* index + 1 of a free entry, chained through lru.next */
	struct flow_link lru[FLOW_NLISTS]; /* .next: oldest, .prev: newest (index + 1) */
	struct flow_link holes;            /* .next: the flow whose hole is oldest */
	uint64_t nflows;
	struct shard_gone gone[SHARD_GONE]; /* by hash; a later one takes the entry over */
};

int shard_new(struct engine *engine, unsigned number, size_t memory, struct shard **ret);
void shard_free(struct shard *shard);

static inline struct flow *shard_flow(const struct shard *shard, uint32_t index)
{
	return &shard->blocks[index / SHARD_BLOCK][index % SHARD_BLOCK];
}

/** The flow that a segment to come is probably of, its memory on the way into the cache. NULL: there is none yet. */
struct flow *shard_expect(const struct shard *shard, const struct item *item);
/** Handle one TCP segment of this shard. `expected` is what shard_expect() gave for it, or NULL. */
void shard_item(struct shard *shard, const struct item *item, struct flow *expected);

/** A new flow for the item's tuple, in the table; makes room if it must. NULL: no memory even so (counted). */
struct flow *shard_open(struct shard *shard, const struct item *item);
/** The flow was closed by its ends, and goes: remember when that was. */
void shard_remember(struct shard *shard, const struct flow *flow);
/** Take the flow out of the table and free its entry. Everything it owned must have been released. */
void shard_remove(struct shard *shard, struct flow *flow);

/* What is short: entries for flows, or bytes for what flows own. */
enum shard_room { SHARD_ENTRY, SHARD_BYTES };

/** Make room in the budget. `keep` is not evicted (NULL: any may be). false: nothing left to give. */
bool shard_make_room(struct shard *shard, enum shard_room what, const struct flow *keep);

/** The flow was active: move it to the young end of its list (at most once a second of the capture clock). */
void shard_touch(struct shard *shard, struct flow *flow, const struct item *item);
/** Put into the list that fits its phase. */
void shard_list(struct shard *shard, struct flow *flow, enum flow_list list);
/** Keep the list of holes right after anything that may have changed what waits. */
void shard_update_waiting(struct shard *shard, struct flow *flow);

#endif

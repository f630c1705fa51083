/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shard: a sixteenth of the flows with its own table, budget, reassembly pool and record memory. Nothing in it depends on
 * which worker owns it.
 *
 * When its budget is spent (DESIGN.md, Memory and time), by what is short. Entries: the oldest half-open flow at hand goes first, then
 * the idlest one is closed. Bytes: the oldest parked half-open flow or lone SYN goes first, then the oldest hole is declared a gap, then the
 * idlest flow that owns any is closed; a half-open flow at hand owns none but its entry. Entries take three quarters of the budget at
 * most; blocks of them that are free as a whole are given back. Each eviction is counted.
 *
 * Before it comes to that, the idlest flows are parked (park.h): a flow is either at hand (an entry, a struct flow) or parked (a
 * slot). Table, lists and timers name both by index: below SHARD_PARKED an entry, from there on a slot. One entry is always
 * kept free while flows are parked, so that a parked one can be brought back whatever the budget says.
 */
#ifndef ENGINE_SHARD_H
#define ENGINE_SHARD_H

#include "base/arena.h"
#include "base/spare.h"
#include "engine/flow.h"
#include "engine/front.h"
#include "engine/lone_syn.h"
#include "engine/park.h"
#include "engine/slots.h"
#include "engine/tomb.h"
#include "flow/table.h"

struct engine;

enum {
	SHARD_BLOCK = 64, /* flows allocated at a time */
	SHARD_MAX_BLOCKS = 1 << 20,
	SHARD_GONE = 256, /* closed flows remembered; a power of two */
	SHARD_BITS = 28,  /* of an index; above, in a timer's: the shard */
	SHARD_PARKED = 1 << 27,
	SHARD_SYN_TIMER = 1 << 26, /* an index that no flow has */
	SHARD_RELEASE = 512,       /* free entries that are no reason to look for free blocks */
	SHARD_CROWD = 64           /* half-open flows at hand: further SYNs are kept as such */
};

#define SHARD_TOUCH_NS INT64_C(1000000000) /* between two moves in the list */

/* What slots hold. */
enum { PARK_FLOWS, PARK_SYNS, PARK_TOMBS };

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

struct shard_block {
	struct flow *flows; /* SHARD_BLOCK; NULL: given back */
	uint32_t used;
};

struct shard {
	struct engine *engine;
	unsigned number;
	struct budget budget;
	size_t enough; /* bytes of it used: more, and the idlest make room in time for what cannot wait */
	struct flow_table *table;
	struct reasm_pool reasm;
	struct arena_pool arenas;
	struct spares spares; /* of sessions and what they own */
	struct shard_block *blocks;
	size_t nblocks; /* numbers ever given; some blocks are not there any more */
	size_t nmissing;
	size_t block_room;                 /* capacity of blocks */
	uint32_t free;                     /* index + 1 of a free entry, chained through lru.next */
	struct flow_link lru[FLOW_NLISTS]; /* .next: oldest, .prev: newest (index + 1) */
	struct flow_link parked[FLOW_NLISTS];
	struct flow_link syns;       /* lone ones */
	struct timer_node syn_timer; /* of the first */
	struct flow_link tombs;      /* by the time when they ended */
	int64_t tombs_due_ns;        /* when the first one's time is over; TIMER_NONE */
	struct flow_link sorted;     /* at the end of the run: all of them */
	bool finishing;              /* ... it is that */
	const struct flow *current;  /* is being handled: neither parked nor evicted */
	struct slots slots;
	uint32_t nfree;      /* entries */
	uint32_t release_at; /* so many free ones: look for blocks that can go */
	uint32_t at_hand;    /* flows */
	uint32_t may_be;     /* ... at hand; UINT32_MAX: none is parked */
	uint32_t nhalf_open; /* at hand */
	uint64_t nsyns;
	int64_t epoch_ns; /* with has_epoch: what times of parked flows are told from */
	bool has_epoch;
	struct engine_stats *figures; /* of the parked ones, SYNs left out */
	unsigned nplaces;
	struct lone_place places[LONE_PLACES];
	struct flow_link holes; /* .next: the flow whose hole is oldest */
	uint64_t nflows;
	struct shard_gone gone[SHARD_GONE]; /* by hash; a later one takes the entry over */
};

int shard_new(struct engine *engine, unsigned number, size_t memory, struct shard **ret);
void shard_free(struct shard *shard);

/** A flow at hand. */
static inline struct flow *shard_flow(const struct shard *shard, uint32_t index)
{
	return &shard->blocks[index / SHARD_BLOCK].flows[index % SHARD_BLOCK];
}

/** Table entries, as long as anybody looks for them: at the end of the run the table goes as a whole. */
static inline void shard_forget(struct shard *shard, uint64_t hash, uint32_t index)
{
	if (!shard->finishing) {
		flow_table_remove(shard->table, hash, index);
	}
}

static inline void shard_rename(struct shard *shard, uint64_t hash, uint32_t from, uint32_t to)
{
	if (!shard->finishing) {
		flow_table_replace(shard->table, hash, from, to);
	}
}

static inline bool shard_is_parked(uint32_t index)
{
	return index >= SHARD_PARKED;
}

static inline bool shard_is_tomb(const struct shard *shard, uint32_t index)
{
	return shard_is_parked(index) &&
	       slots_kind(&shard->slots, index - SHARD_PARKED) == PARK_TOMBS;
}

static inline bool shard_is_syn(const struct shard *shard, uint32_t index)
{
	return shard_is_parked(index) &&
	       slots_kind(&shard->slots, index - SHARD_PARKED) == PARK_SYNS;
}

static inline struct lone_syn *shard_syn(const struct shard *shard, uint32_t index)
{
	return (struct lone_syn *)(void *)slots_at(&shard->slots, index - SHARD_PARKED);
}

static inline struct tomb *shard_tomb(const struct shard *shard, uint32_t index)
{
	return (struct tomb *)(void *)slots_at(&shard->slots, index - SHARD_PARKED);
}

static inline struct parked *shard_parked(const struct shard *shard, uint32_t index)
{
	return (struct parked *)(void *)slots_at(&shard->slots, index - SHARD_PARKED);
}

/** Of a flow, wherever it is. */
struct timer_node *shard_timer(struct shard *shard, uint32_t index);
uint64_t shard_first_packet(const struct shard *shard, uint32_t index);
/** Bring it to hand. Never fails; others may be parked or evicted for it. */
struct flow *shard_bring(struct shard *shard, uint32_t index);
/** Park the idlest flows beyond those that may be at hand; `keep` stays. */
void shard_park_idle(struct shard *shard, const struct flow *keep);
/** Park this one. false: it cannot be, and stays */
bool shard_park(struct shard *shard, struct flow *flow);

/** A lone SYN in this slot is the youngest. */
void shard_enlist_syn(struct shard *shard, uint32_t index);
/** If it is a lone SYN whose record nobody wants: it has ended, and is gone. */
bool shard_end_syn(struct shard *shard, uint32_t index, enum weir_close how);
/** The first lone SYN's time is up, or was: set the timer to that of the one that is first now. */
void shard_time_syns(struct shard *shard);

/** Put all flows into one list, `sorted`, by first packet. */
void shard_sort(struct shard *shard);
/** The first of them, taken out of it and brought to hand. It must not be empty. NULL: it was a lone SYN, and is gone */
struct flow *shard_pop_sorted(struct shard *shard);

/**
 * The flow that a segment to come is probably of, its memory on the way into the cache. NULL: there is none yet.
 * @param bucket of flow_table_prefetch() with its hash, some segments ago
 */
struct flow *shard_expect(const struct shard *shard, const void *bucket, uint64_t hash);
/** Handle one TCP segment of this shard. `expected` is what shard_expect() gave for it, or NULL. */
void shard_item(struct shard *shard, const struct item *item, struct flow *expected);

/** A new flow for the item's tuple, in the table; makes room if it must. NULL: no memory even so (counted). */
struct flow *shard_open(struct shard *shard, const struct item *item);
/** The flow was closed by its ends, and goes: remember when that was. */
void shard_remember(struct shard *shard, uint64_t hash, int64_t ended_ns, uint16_t input);
/** Take the flow out of the table and free its entry. Everything it owned must have been released. */
void shard_remove(struct shard *shard, struct flow *flow);

/* What is short: entries for flows, or bytes for what flows own. */
enum shard_room { SHARD_ENTRY, SHARD_BYTES };

/** Set up an entry for the item's flow; it is in no table and no list. */
void shard_fill(struct shard *shard, struct flow *flow, const struct item *item);

/** A free entry, made room for. NULL: there is none to be had */
struct flow *shard_take_entry(struct shard *shard);
void shard_give_entry(struct shard *shard, struct flow *flow);
/** Something is to be parked that never had an entry: is there one to bring it to? Others may be parked for it. */
bool shard_spare_entry(struct shard *shard);
/** Give blocks of entries back that are free as a whole. No pointer to a free entry may be held. */
void shard_release_blocks(struct shard *shard);
/** Put a new flow into its list; take one out of it. */
void shard_enlist(struct shard *shard, struct flow *flow, enum flow_list list);
void shard_delist(struct shard *shard, struct flow *flow);

/** Make room in the budget. `keep` is not evicted (NULL: any may be). false: nothing left to give. */
bool shard_make_room(struct shard *shard, enum shard_room what, const struct flow *keep);

/** The flow was active: move it to the young end of its list (at most once a second of the capture clock). */
void shard_touch(struct shard *shard, struct flow *flow, const struct item *item);
void shard_move_young(struct shard *shard, struct flow *flow, int64_t clock_ns);
/** The same, but for its first packet: that one may be ahead of the clock. */
static inline void shard_touch_again(struct shard *shard, struct flow *flow,
				     const struct item *item)
{
	flow->last_ns = item->clock_ns;
	if (item->clock_ns - flow->touched_ns >= SHARD_TOUCH_NS) {
		shard_move_young(shard, flow, item->clock_ns);
	}
}

/** Put into the list that fits its phase. */
void shard_list(struct shard *shard, struct flow *flow, enum flow_list list);
/** Keep the list of holes right after anything that may have changed what waits. */
void shard_update_waiting(struct shard *shard, struct flow *flow);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Flows of one shard, their memory and their lists: see shard.h. */
#include "engine/shard.h"

#include <assert.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/tcp.h"
#include "weir/error.h"

enum {
	ARENA_KEEP = 256, /* free record blocks kept for the next transactions */
	ROOM_STEPS = 64,  /* flows looked at for one that owns memory */
	ROOM_TRIES = 64,  /* evictions for one segment at most */
	RING_ENTRIES =
		256, /* delivered segments remembered against conflicting resends: 16 KiB a shard */
	RING_LEAST = 1 << 20 /* not when a shard has less than this */
};

/* ---- lists ---- */

static struct flow_link *link_of(struct shard *shard, uint32_t ref, bool holes)
{
	struct flow *flow = shard_flow(shard, ref - 1);

	return holes ? &flow->holes : &flow->lru;
}

static void list_append(struct shard *shard, struct flow_link *head, struct flow *flow, bool holes)
{
	struct flow_link *link = holes ? &flow->holes : &flow->lru;

	link->next = 0;
	link->prev = head->prev;
	if (head->prev != 0) {
		link_of(shard, head->prev, holes)->next = flow->self + 1;
	} else {
		head->next = flow->self + 1;
	}
	head->prev = flow->self + 1;
}

static void list_remove(struct shard *shard, struct flow_link *head, struct flow *flow, bool holes)
{
	struct flow_link *link = holes ? &flow->holes : &flow->lru;

	if (link->prev != 0) {
		link_of(shard, link->prev, holes)->next = link->next;
	} else {
		head->next = link->next;
	}
	if (link->next != 0) {
		link_of(shard, link->next, holes)->prev = link->prev;
	} else {
		head->prev = link->prev;
	}
	link->prev = 0;
	link->next = 0;
}

void shard_touch(struct shard *shard, struct flow *flow, const struct item *item)
{
	int64_t clock_ns = item->clock_ns;

	/* A flow that begins with a jump forward has its time: when the next packet confirms the jump, the flow is new and not
	 * as old as the silence before it. */
	flow->last_ns = item->index == flow->first_packet ? item->seen_ns : clock_ns;
	if (clock_ns - flow->touched_ns < INT64_C(1000000000)) {
		return;
	}
	flow->touched_ns = clock_ns;
	list_remove(shard, &shard->lru[flow->list], flow, false);
	list_append(shard, &shard->lru[flow->list], flow, false);
}

void shard_list(struct shard *shard, struct flow *flow, enum flow_list list)
{
	if (flow->list == (uint8_t)list) {
		return;
	}
	list_remove(shard, &shard->lru[flow->list], flow, false);
	flow->list = (uint8_t)list;
	list_append(shard, &shard->lru[list], flow, false);
}

void shard_update_waiting(struct shard *shard, struct flow *flow)
{
	bool waits = reasm_half_waits(&flow->half[0]) || reasm_half_waits(&flow->half[1]);

	if (waits == (flow->waiting != 0)) {
		return;
	}
	if (waits) {
		list_append(shard, &shard->holes, flow, true);
	} else {
		list_remove(shard, &shard->holes, flow, true);
	}
	flow->waiting = waits;
}

/* ---- memory ---- */

static bool key_equals(const void *context, uint32_t index, const void *key)
{
	return tuple_equal(&shard_flow(context, index)->tuple, key);
}

static uint64_t hash_of(const void *context, uint32_t index)
{
	return shard_flow(context, index)->hash;
}

int shard_new(struct engine *engine, unsigned number, size_t memory, struct shard **ret)
{
	const struct weir_config *config = engine->options.config;
	struct budget budget;
	struct shard *shard;
	int err = WEIR_ENOMEM;

	budget_init(&budget, memory, config->allocator);
	shard = budget_calloc(&budget, 1, sizeof(*shard));
	if (shard == NULL) {
		return WEIR_ENOMEM;
	}
	shard->budget = budget;
	shard->engine = engine;
	shard->number = number;
	arena_pool_init(&shard->arenas, &shard->budget, ARENA_KEEP);
	reasm_pool_init(&shard->reasm, &shard->budget, &tcp_reasm_ops);
	shard->reasm.acked_ns = config->hole_acked_ns;
	shard->reasm.acked_packets = config->hole_acked_packets;
	shard->reasm.acked_min_ns = config->hole_acked_min_ns;
	shard->reasm.age_ns = config->hole_age_ns;
	shard->reasm.oneway_age_ns = config->hole_age_oneway_ns;
	shard->reasm.oneway_limit = config->hole_oneway_limit;
	shard->reasm.limit = config->hole_limit;
	shard->reasm.intervals = config->hole_intervals;
	shard->reasm.dropped_ns = &engine->dropped_ns;
	if (memory >= RING_LEAST) {
		(void)reasm_pool_ring(&shard->reasm, RING_ENTRIES, false);
	}
	err = flow_table_new(&shard->budget, key_equals, hash_of, shard, &shard->table);
	if (err < 0) {
		shard_free(shard);
		return err;
	}
	*ret = shard;
	return 0;
}

void shard_free(struct shard *shard)
{
	struct budget budget;
	size_t i;

	if (shard == NULL) {
		return;
	}
	for (i = 0; i < shard->nblocks; i++) {
		budget_free(&shard->budget, shard->blocks[i], SHARD_BLOCK * sizeof(struct flow));
	}
	budget_free(&shard->budget, shard->blocks, shard->block_room * sizeof(struct flow *));
	flow_table_free(shard->table);
	reasm_pool_fini(&shard->reasm);
	arena_pool_fini(&shard->arenas);
	budget = shard->budget;
	budget_free(&budget, shard, sizeof(*shard));
	assert(budget.used == 0);
}

/* Another block of entries. */
static int grow(struct shard *shard)
{
	struct flow *block;
	uint32_t i;

	/* entries are never given back: a quarter of the budget is for what flows own */
	if (shard->nblocks == SHARD_MAX_BLOCKS ||
	    (shard->nblocks + 1) * SHARD_BLOCK * sizeof(struct flow) >
		    shard->budget.limit / 4 * 3) {
		return WEIR_ELIMIT;
	}
	if (shard->nblocks == shard->block_room) {
		size_t room = shard->block_room == 0 ? 16 : shard->block_room * 2;
		struct flow **blocks = budget_realloc(&shard->budget, shard->blocks,
						      shard->block_room * sizeof(struct flow *),
						      room * sizeof(struct flow *));

		if (blocks == NULL) {
			return WEIR_EBUDGET;
		}
		shard->blocks = blocks;
		shard->block_room = room;
	}
	block = budget_calloc(&shard->budget, SHARD_BLOCK, sizeof(struct flow));
	if (block == NULL) {
		return WEIR_EBUDGET;
	}
	shard->blocks[shard->nblocks] = block;
	for (i = SHARD_BLOCK; i-- > 0;) {
		block[i].self = (uint32_t)(shard->nblocks * SHARD_BLOCK) + i;
		block[i].lru.next = shard->free;
		shard->free = block[i].self + 1;
	}
	shard->nblocks++;
	return 0;
}

/* The oldest of a list but `keep`; 0: there is none. */
static uint32_t oldest(const struct shard *shard, enum flow_list list, const struct flow *keep)
{
	uint32_t ref = shard->lru[list].next;

	if (ref != 0 && shard_flow(shard, ref - 1) == keep) {
		ref = keep->lru.next;
	}
	return ref;
}

static void evict(struct shard *shard, uint32_t ref)
{
	struct engine *engine = shard->engine;
	struct flow *flow = shard_flow(shard, ref - 1);

	if (flow->list == FLOW_HALF_OPEN) {
		engine->stats.evicted_half_open++;
	} else {
		engine->stats.evicted_flows++;
	}
	tcp_finalise(engine, flow, WEIR_CLOSE_EVICTED);
}

/* Entries: the oldest half-open flow, else the idlest one. */
static bool make_entry(struct shard *shard, const struct flow *keep)
{
	uint32_t ref = oldest(shard, FLOW_HALF_OPEN, keep);

	if (ref == 0) {
		ref = oldest(shard, FLOW_ESTABLISHED, keep);
	}
	if (ref != 0) {
		evict(shard, ref);
	}
	return ref != 0;
}

static bool owns_bytes(const struct flow *flow)
{
	return flow->session != NULL || flow->waiting || flow->doubts != NULL ||
	       flow->tcp.more != NULL || flow->tcp.syn.data != NULL || flow->observed != NULL;
}

/* Bytes: the oldest hole is given up, else the idlest flow that owns any is closed (an entry alone gives none back). */
static bool make_bytes(struct shard *shard, const struct flow *keep)
{
	struct engine *engine = shard->engine;
	int list, steps;

	if (shard->holes.next != 0) {
		struct flow *flow = shard_flow(shard, shard->holes.next - 1);
		int64_t a = reasm_half_oldest(&flow->half[0]);
		int64_t b = reasm_half_oldest(&flow->half[1]);

		engine->stats.evicted_holes++;
		(void)reasm_half_give_up(&flow->half[b < a], &shard->reasm, flow, WEIR_GAP_BUDGET,
					 engine->clock_ns);
		shard_update_waiting(shard, flow);
		return true;
	}
	for (list = FLOW_HALF_OPEN; list < FLOW_NLISTS; list++) {
		uint32_t ref = oldest(shard, (enum flow_list)list, keep);

		for (steps = 0; ref != 0 && steps < ROOM_STEPS; steps++) {
			struct flow *flow = shard_flow(shard, ref - 1);

			if (flow != keep && owns_bytes(flow)) {
				evict(shard, ref);
				return true;
			}
			ref = flow->lru.next;
		}
	}
	return false;
}

bool shard_make_room(struct shard *shard, enum shard_room what, const struct flow *keep)
{
	if (arena_pool_trim(&shard->arenas) > 0 || reasm_pool_trim(&shard->reasm) > 0) {
		return true;
	}
	return what == SHARD_ENTRY ? make_entry(shard, keep) : make_bytes(shard, keep);
}

/* A free entry, made room for. */
static struct flow *take_entry(struct shard *shard)
{
	struct flow *flow;
	uint32_t self;
	int tries = 0;

	while (shard->free == 0 && grow(shard) < 0) {
		if (++tries > ROOM_TRIES || !shard_make_room(shard, SHARD_ENTRY, NULL)) {
			return NULL;
		}
	}
	flow = shard_flow(shard, shard->free - 1);
	shard->free = flow->lru.next;
	self = flow->self;
	memset(flow, 0, sizeof(*flow));
	flow->self = self;
	return flow;
}

static void give_entry(struct shard *shard, struct flow *flow)
{
	flow->shard = NULL;
	flow->lru.next = shard->free;
	shard->free = flow->self + 1;
}

struct flow *shard_open(struct shard *shard, const struct item *item)
{
	struct engine *engine = shard->engine;
	struct flow *flow = take_entry(shard);
	int tries = 0, err;

	while (flow != NULL &&
	       (err = flow_table_insert(shard->table, item->hash, flow->self)) < 0) {
		/* the table cannot grow: bytes for it, else the slot of a flow that goes. Hashes that are made to collide
		 * (WEIR_ELIMIT) are no reason to send others away: that flow is refused */
		if (err == WEIR_ELIMIT || ++tries > ROOM_TRIES ||
		    (!shard_make_room(shard, SHARD_BYTES, NULL) &&
		     !shard_make_room(shard, SHARD_ENTRY, NULL))) {
			give_entry(shard, flow);
			flow = NULL;
		}
	}
	if (flow == NULL) {
		engine->stats.refused_flows++;
		return NULL;
	}
	flow->shard = shard;
	flow->tuple = item->tuple;
	flow->hash = item->hash;
	flow->first_packet = item->index;
	flow->last_packet = item->index;
	flow->first_ts_ns = item->ts_ns;
	flow->last_ns = item->seen_ns;
	flow->touched_ns = item->clock_ns;
	flow->tick_ns = TIMER_NONE;
	flow->interface = item->interface;
	flow->interface_name = item->interface_name;
	flow->input = item->input;
	reasm_half_init(&flow->half[0], 0);
	reasm_half_init(&flow->half[1], 1);
	flow->half[0].oneway = 1;
	flow->half[1].oneway = 1;
	if (!engine->plain) {
		engine_apply_policies(engine->options.config, flow);
	}
	tcp_state_init(&flow->tcp, item->side, item->layers.sport, item->layers.dport);
	flow->list = FLOW_HALF_OPEN;
	list_append(shard, &shard->lru[FLOW_HALF_OPEN], flow, false);
	shard->nflows++;
	engine->stats.flows++;
	return flow;
}

void shard_remove(struct shard *shard, struct flow *flow)
{
	assert(flow->session == NULL && flow->half[0].queue == NULL && flow->half[1].queue == NULL);
	timer_wheel_cancel(shard->engine->timers, shard->number << 28 | flow->self);
	if (flow->waiting) {
		list_remove(shard, &shard->holes, flow, true);
	}
	list_remove(shard, &shard->lru[flow->list], flow, false);
	flow_table_remove(shard->table, flow->hash, flow->self);
	give_entry(shard, flow);
	shard->nflows--;
}

/* Show a fresh flow to the observer. Who is the client is guessed as far as this segment tells. */
static int observe(struct engine *engine, struct flow *flow, const struct item *item,
		   const struct tcp_candidate *syn)
{
	const struct engine_options *options = &engine->options;
	uint8_t was = flow->tcp.client;
	int err;

	if (syn->packet != 0) {
		flow->tcp.client = syn->side;
		flow->first_packet = syn->packet;
		flow->first_ts_ns = syn->ts_ns;
	} else if (item->layers.flags & LAYERS_SYN) {
		flow->tcp.client = item->layers.flags & LAYERS_ACK ? !item->side : item->side;
	}
	err = options->observer->opened(options->observer_context, flow);
	flow->tcp.client = was;
	return err;
}

struct flow *shard_expect(const struct shard *shard, const struct item *item)
{
	uint32_t index = flow_table_candidate(shard->table, item->hash);
	struct flow *flow;
	size_t at;

	if (index == FLOW_TABLE_NONE) {
		return NULL;
	}
	flow = shard_flow(shard, index);
	for (at = 0; at < sizeof(*flow); at += 64) {
		__builtin_prefetch((const uint8_t *)flow + at);
	}
	return flow;
}

/* The expected one, if it is still there and no other of the same tag. */
static struct flow *find_flow(struct shard *shard, const struct item *item, struct flow *expected)
{
	uint32_t index;

	if (expected != NULL && expected->hash == item->hash && expected->shard == shard &&
	    tuple_equal(&expected->tuple, &item->tuple)) {
		return expected;
	}
	index = flow_table_lookup(shard->table, item->hash, &item->tuple);
	return index == FLOW_TABLE_NONE ? NULL : shard_flow(shard, index);
}

void shard_remember(struct shard *shard, const struct flow *flow)
{
	struct shard_gone *gone = &shard->gone[flow->hash % SHARD_GONE];

	gone->hash = flow->hash;
	gone->ended_ns = flow->ended_ns;
	gone->input = flow->input;
}

/* A packet of a flow that is gone, captured once more? */
static bool is_of_the_past(const struct shard *shard, const struct item *item)
{
	const struct shard_gone *gone = &shard->gone[item->hash % SHARD_GONE];

	return item->ts_ns < item->clock_ns - shard->engine->options.config->tombstone_ns &&
	       gone->hash == item->hash && gone->input == item->input &&
	       item->ts_ns <= gone->ended_ns;
}

/* A segment for which there is no flow: its payload is told as rejected. */
static void reject_item(struct engine *engine, const struct item *item, enum weir_reject cause)
{
	engine->stats.segments++;
	engine->stats.ledger.captured += item->layers.payload_caplen;
	engine->stats.ledger.rejected[cause] += item->layers.payload_caplen;
}

void shard_item(struct shard *shard, const struct item *item, struct flow *expected)
{
	struct engine *engine = shard->engine;
	struct tcp_candidate syn;
	struct flow *flow = find_flow(shard, item, expected);

	if (flow == NULL) {
		memset(&syn, 0, sizeof(syn));
	} else if (tcp_input(engine, flow, item, &syn)) {
		return;
	}
	if (flow == NULL && is_of_the_past(shard, item)) {
		reject_item(engine, item, WEIR_REJECT_CLOSED);
		engine->stats.late_segments++;
		engine->stats.late_bytes += item->layers.payload_caplen;
		return;
	}
	flow = shard_open(shard, item);
	if (flow != NULL && engine->options.observer != NULL &&
	    observe(engine, flow, item, &syn) < 0) {
		shard_remove(shard, flow);
		engine->stats.flows--;
		engine->stats.refused_flows++;
		flow = NULL;
	}
	if (flow == NULL) {
		reject_item(engine, item, WEIR_REJECT_BUDGET);
		if (syn.data != NULL) {
			engine->stats.ledger.captured += syn.data_len;
			engine->stats.ledger.rejected[WEIR_REJECT_BUDGET] += syn.data_len;
			budget_free(&shard->budget, syn.data, syn.data_len);
		}
		return;
	}
	if (syn.packet != 0) {
		tcp_seed(flow, &syn);
	}
	if (flow->ignored == FLOW_IGNORE_ASKED) {
		tcp_ignore(engine, flow);
	}
	(void)tcp_input(engine, flow, item, &syn);
}

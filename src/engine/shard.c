/* SPDX-License-Identifier: Apache-2.0 */
/* Flows of one shard, their memory and their lists: see shard.h. */
#include "engine/shard.h"

#include <assert.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/tcp.h"
#include "weir/error.h"

enum {
	ARENA_KEEP = 64,    /* free record blocks kept for the next transactions */
	FLOW_WEIGHT = 1024, /* bytes of a flow at hand that is idle, about */
	ROOM_TRIES = 64,    /* evictions for one segment at most */
	RING_ENTRIES =
		256, /* delivered segments remembered against conflicting resends: 16 KiB a shard */
	RING_LEAST = 1 << 20,  /* not when a shard has less than this */
	RESERVE_MAX = 1 << 20, /* bytes kept free for what cannot wait */
	PARKED_LINES = 4       /* cache lines of a parked flow, most of them */
};

/* ---- memory ---- */

static bool key_equals(const void *context, uint32_t index, const void *key)
{
	const struct shard *shard = context;

	if (!shard_is_parked(index)) {
		return tuple_equal(&shard_flow(shard, index)->tuple, key);
	}
	switch (slots_kind(&shard->slots, index - SHARD_PARKED)) {
	case PARK_SYNS:
		return tuple_short_equal(&shard_syn(shard, index)->key, key);
	case PARK_TOMBS:
		return tuple_short_equal(&shard_tomb(shard, index)->key, key);
	default:
		return parked_is(shard_parked(shard, index), key);
	}
}

static uint64_t hash_of(const void *context, uint32_t index)
{
	const struct shard *shard = context;
	uint64_t seed = shard->engine->options.seed;
	struct tuple tuple;

	if (!shard_is_parked(index)) {
		return shard_flow(shard, index)->hash;
	}
	switch (slots_kind(&shard->slots, index - SHARD_PARKED)) {
	case PARK_SYNS:
		return tuple_short_hash(&shard_syn(shard, index)->key, seed);
	case PARK_TOMBS:
		return tuple_short_hash(&shard_tomb(shard, index)->key, seed);
	default:
		parked_tuple(shard_parked(shard, index), &tuple);
		return tuple_hash(&tuple, seed);
	}
}

/* How many flows may be at hand. An observer has its own memory for each, and their addresses. */
static uint32_t at_hand_limit(const struct engine *engine, size_t memory)
{
	size_t most = memory / 4 / FLOW_WEIGHT;
	size_t wanted = engine->options.config->flows_at_hand / ENGINE_SHARDS;

	if (engine->options.observer != NULL) {
		return UINT32_MAX;
	}
	return (uint32_t)(wanted < most ? wanted : most);
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
	spares_init(&shard->spares, &shard->budget);
	slots_init(&shard->slots, &shard->budget);
	shard->may_be = at_hand_limit(engine, memory);
	shard->release_at = SHARD_RELEASE;
	shard->tombs_due_ns = TIMER_NONE;
	shard->enough = memory - (memory / 8 < RESERVE_MAX ? memory / 8 : RESERVE_MAX);
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
	shard->figures = budget_calloc(&shard->budget, 1, sizeof(*shard->figures));
	err = shard->figures == NULL
		      ? WEIR_ENOMEM
		      : flow_table_new(&shard->budget, key_equals, hash_of, shard, &shard->table);
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
		budget_free(&shard->budget, shard->blocks[i].flows,
			    SHARD_BLOCK * sizeof(struct flow));
	}
	budget_free(&shard->budget, shard->blocks, shard->block_room * sizeof(*shard->blocks));
	flow_table_free(shard->table);
	slots_fini(&shard->slots);
	budget_free(&shard->budget, shard->figures, sizeof(*shard->figures));
	reasm_pool_fini(&shard->reasm);
	arena_pool_fini(&shard->arenas);
	(void)spares_trim(&shard->spares);
	budget = shard->budget;
	budget_free(&budget, shard, sizeof(*shard));
	assert(budget.used == 0);
}

void shard_fill(struct shard *shard, struct flow *flow, const struct item *item)
{
	struct engine *engine = shard->engine;
	uint32_t self = flow->self;

	memset(flow, 0, sizeof(*flow));
	flow->self = self;
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
	flow->list = FLOW_UNLISTED;
}

struct flow *shard_open(struct shard *shard, const struct item *item)
{
	struct engine *engine = shard->engine;
	struct flow *flow = shard_take_entry(shard);
	int tries = 0, err;

	while (flow != NULL &&
	       (err = flow_table_insert(shard->table, item->hash, flow->self)) < 0) {
		/* the table cannot grow: bytes for it, else the slot of a flow that goes. Hashes that are made to collide
		 * (WEIR_ELIMIT) are no reason to send others away: that flow is refused */
		if (err == WEIR_ELIMIT || ++tries > ROOM_TRIES ||
		    (!shard_make_room(shard, SHARD_BYTES, NULL) &&
		     !shard_make_room(shard, SHARD_ENTRY, NULL))) {
			shard->at_hand--;
			shard_give_entry(shard, flow);
			flow = NULL;
		}
	}
	if (flow == NULL) {
		engine->stats.refused_flows++;
		return NULL;
	}
	shard_fill(shard, flow, item);
	shard_enlist(shard, flow, FLOW_HALF_OPEN);
	shard->nflows++;
	engine->stats.flows++;
	return flow;
}

void shard_remove(struct shard *shard, struct flow *flow)
{
	assert(flow->session == NULL && flow->half[0].queue == NULL && flow->half[1].queue == NULL);
	timer_wheel_cancel(shard->engine->timers, shard->number << SHARD_BITS | flow->self,
			   &flow->timer);
	assert(!flow->waiting);
	shard_delist(shard, flow);
	shard_forget(shard, flow->hash, flow->self);
	shard->at_hand--;
	shard_give_entry(shard, flow);
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
		flow->tcp.client = syn->answers ? !syn->side : syn->side;
		flow->first_packet = syn->packet;
		flow->first_ts_ns = syn->ts_ns;
	} else if (item->layers.flags & LAYERS_SYN) {
		flow->tcp.client = item->layers.flags & LAYERS_ACK ? !item->side : item->side;
	}
	err = options->observer->opened(options->observer_context, flow);
	flow->tcp.client = was;
	return err;
}

struct flow *shard_expect(const struct shard *shard, const void *bucket, uint64_t hash)
{
	uint32_t index = flow_table_candidate(shard->table, bucket, hash);
	struct flow *flow;
	size_t at;

	if (index == FLOW_TABLE_NONE) {
		return NULL;
	}
	if (shard_is_parked(index)) {
		for (at = 0; at < PARKED_LINES * 64; at += 64) {
			__builtin_prefetch(slots_at(&shard->slots, index - SHARD_PARKED) + at);
		}
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

	if (expected != NULL && expected->shard == shard &&
	    tuple_equal(&expected->tuple, &item->tuple)) {
		return expected;
	}
	index = flow_table_lookup(shard->table, item->hash, &item->tuple);
	if (index == FLOW_TABLE_NONE) {
		return NULL;
	}
	if (shard->tombs_due_ns <= item->clock_ns && shard_is_tomb(shard, index)) {
		/* its time may be over: if so, it is not there any more */
		tomb_expire(shard, item->clock_ns);
		index = flow_table_lookup(shard->table, item->hash, &item->tuple);
		if (index == FLOW_TABLE_NONE) {
			return NULL;
		}
	}
	return shard_is_parked(index) ? shard_bring(shard, index) : shard_flow(shard, index);
}

/* One SYN more where there are many: kept as such. */
static bool keep_syn(struct shard *shard, const struct item *item)
{
	struct engine *engine = shard->engine;

	if (shard->nhalf_open < SHARD_CROWD || shard->may_be == UINT32_MAX ||
	    !shard_spare_entry(shard) || !lone_syn_keep(shard, item)) {
		return false;
	}
	engine->stats.segments++;
	engine->stats.flows++;
	return true;
}

static bool take_item(struct shard *shard, const struct item *item, struct flow *flow,
		      struct tcp_candidate *ret_syn)
{
	bool ours;

	shard->current = flow;
	ours = tcp_input(shard->engine, flow, item, ret_syn);
	shard->current = NULL;
	if (ours && flow->ended != 0 && tomb_bury(shard, flow)) {
		return true;
	}
	if (shard->may_be == 0) {
		shard_park_idle(shard, NULL);
	}
	return ours;
}

void shard_remember(struct shard *shard, uint64_t hash, int64_t ended_ns, uint16_t input)
{
	struct shard_gone *gone = &shard->gone[hash % SHARD_GONE];

	gone->hash = hash;
	gone->ended_ns = ended_ns;
	gone->input = input;
}

/* A packet of a flow that is gone, captured once more? */
static bool is_of_the_past(struct shard *shard, const struct item *item)
{
	const struct shard_gone *gone = &shard->gone[item->hash % SHARD_GONE];

	if (item->ts_ns >= item->clock_ns - shard->engine->options.config->tombstone_ns) {
		return false;
	}
	tomb_expire(shard, item->clock_ns);
	return gone->hash == item->hash && gone->input == item->input &&
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
	} else if (take_item(shard, item, flow, &syn)) {
		return;
	}
	if (flow == NULL && is_of_the_past(shard, item)) {
		reject_item(engine, item, WEIR_REJECT_CLOSED);
		engine->stats.late_segments++;
		engine->stats.late_bytes += item->layers.payload_caplen;
		return;
	}
	if (syn.packet == 0 && keep_syn(shard, item)) {
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
	(void)take_item(shard, item, flow, &syn);
}

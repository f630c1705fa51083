/* SPDX-License-Identifier: Apache-2.0 */
/* Ended flows in few bytes: see tomb.h. */
#include "engine/tomb.h"

#include <assert.h>
#include <string.h>

#include "base/seqnum.h"
#include "engine/engine.h"
#include "engine/lone_syn.h"
#include "engine/shard.h"
#include "engine/tcp.h"
#include "engine/tcp_private.h"

enum { LIST_STEPS = 16 /* tombs of flows that ended later, passed over for one */ };

/* ---- the list ---- */

static struct tomb *tomb_of(const struct shard *shard, uint32_t ref)
{
	return shard_tomb(shard, ref - 1);
}

/* The first of the list is another one now. */
static void set_due(struct shard *shard)
{
	int64_t wait_ns = shard->engine->options.config->tombstone_ns;

	shard->tombs_due_ns = shard->tombs.next == 0
				      ? TIMER_NONE
				      : tomb_of(shard, shard->tombs.next)->ended_ns + wait_ns;
}

/* Behind those that ended before, or at the same time. false: too many have ended since */
static bool enlist(struct shard *shard, uint32_t ref)
{
	struct tomb *tomb = tomb_of(shard, ref);
	uint32_t before = shard->tombs.prev;
	int steps = 0;

	while (before != 0 && tomb_of(shard, before)->ended_ns > tomb->ended_ns) {
		if (++steps > LIST_STEPS) {
			return false;
		}
		before = tomb_of(shard, before)->lru.prev;
	}
	tomb->lru.prev = before;
	tomb->lru.next = before != 0 ? tomb_of(shard, before)->lru.next : shard->tombs.next;
	if (tomb->lru.next != 0) {
		tomb_of(shard, tomb->lru.next)->lru.prev = ref;
	} else {
		shard->tombs.prev = ref;
	}
	if (before != 0) {
		tomb_of(shard, before)->lru.next = ref;
	} else {
		shard->tombs.next = ref;
		set_due(shard);
	}
	return true;
}

/* Out of the list and of its slot. */
static void release(struct shard *shard, uint32_t ref)
{
	struct flow_link link = tomb_of(shard, ref)->lru;

	slots_give(&shard->slots, ref - 1 - SHARD_PARKED);
	if (link.next != 0) {
		tomb_of(shard, link.next)->lru.prev = link.prev;
	} else {
		shard->tombs.prev = link.prev;
	}
	if (link.prev != 0) {
		tomb_of(shard, link.prev)->lru.next = link.next;
	} else {
		shard->tombs.next = link.next;
		set_due(shard);
	}
}

/* ---- what is buried ---- */

/* Both FINs are acknowledged, or it was reset: what comes now is a copy, or late. */
static bool is_over(const struct flow *flow)
{
	int i;

	if (flow->ended != WEIR_CLOSE_FIN + 1) {
		return flow->ended == WEIR_CLOSE_RST + 1;
	}
	for (i = 0; i < 2; i++) {
		if (!flow->tcp.side[i].has_ack ||
		    !seq_lt(flow->half[!i].next_seq, flow->tcp.side[i].last_ack)) {
			return false;
		}
	}
	return true;
}

static bool is_plain_half(const struct reasm_half *half)
{
	return half->ended && half->queue == NULL && !half->hold && half->policy == 0 &&
	       (!half->fin_known || half->fin == half->next);
}

/* Can a tomb say all that there is to it? */
static bool is_plain(const struct engine *engine, const struct flow *flow)
{
	const struct tcp_state *tcp = &flow->tcp;

	return !engine->reads_tcp && engine->options.observer == NULL &&
	       flow->list == FLOW_ESTABLISHED && !flow->waiting && tuple_is_short(&flow->tuple) &&
	       flow->session == NULL && flow->doubts == NULL && flow->oddities == NULL &&
	       flow->tap_state == NULL && flow->ignored == FLOW_WANTED &&
	       tcp->phase >= TCP_CLOSED && tcp->syn.data == NULL && tcp->more == NULL &&
	       is_plain_half(&flow->half[0]) && is_plain_half(&flow->half[1]) &&
	       flow->tick_ns == TIMER_NONE && engine->jump.flow != flow;
}

static void write_side(struct tomb *tomb, const struct flow *flow, int i)
{
	const struct reasm_half *half = &flow->half[i];
	const struct flow_side *side = &flow->side[i];

	tomb->snd_max_ns[i] = side->snd_max_ns;
	tomb->next[i] = half->next;
	tomb->next_seq[i] = half->next_seq;
	tomb->id[i] = half->id;
	tomb->last_ack[i] = side->last_ack;
	tomb->side[i] = flow->tcp.side[i];
	tomb->half[i] = (uint8_t)((half->started ? TOMB_STARTED : 0) |
				  (half->fin_known ? TOMB_FIN_KNOWN : 0) |
				  (half->oneway ? TOMB_ONEWAY : 0) |
				  (side->packets > 0 ? TOMB_HAS_PACKETS : 0) |
				  (side->bytes > 0 ? TOMB_HAS_BYTES : 0) |
				  (side->gaps > 0 ? TOMB_HAS_GAPS : 0));
}

/* Every member but the links: the memory is not cleared before. */
static void write_tomb(struct tomb *tomb, const struct flow *flow, unsigned place)
{
	const struct tcp_state *tcp = &flow->tcp;

	tuple_to_short(&flow->tuple, &tomb->key);
	tomb->first_packet = flow->first_packet;
	tomb->last_packet = flow->last_packet;
	tomb->first_ts_ns = flow->first_ts_ns;
	tomb->last_ns = flow->last_ns;
	tomb->ended_ns = flow->ended_ns;
	tomb->nrecords = flow->nrecords;
	tomb->nemitted = flow->nemitted;
	tomb->vlan_id = flow->vlan_id;
	tomb->place = (uint8_t)place;
	tomb->ended = flow->ended;
	tomb->nanomalies = flow->nanomalies;
	tomb->offloaded = flow->offloaded;
	tomb->role = tcp->role;
	tomb->is = (uint16_t)((tcp->client ? TOMB_CLIENT : 0) |
			      (tcp->phase == TCP_RESET ? TOMB_RESET : 0) |
			      (tcp->reset_side ? TOMB_RESET_SIDE : 0) |
			      (tcp->rst_ignored ? TOMB_RST_IGNORED : 0) |
			      (flow->role_fixed ? TOMB_ROLE_FIXED : 0) |
			      (tcp->syn_seen ? TOMB_SYN_SEEN : 0) |
			      (tcp->syn_ack_seen ? TOMB_SYN_ACK_SEEN : 0) |
			      (flow->has_vlan ? TOMB_HAS_VLAN : 0));
	write_side(tomb, flow, 0);
	write_side(tomb, flow, 1);
}

void tomb_expect(const struct shard *shard)
{
	if (!shard->engine->reads_tcp) {
		slots_fetch(&shard->slots, PARK_TOMBS, sizeof(struct tomb));
	}
}

bool tomb_bury(struct shard *shard, struct flow *flow)
{
	struct engine *engine = shard->engine;
	struct lone_place place = {flow->interface_name, flow->interface, flow->input};
	struct tomb *tomb;
	unsigned number_of_place;
	uint32_t number;

	if (!is_over(flow) || !is_plain(engine, flow) ||
	    !budget_has(&shard->budget, (size_t)2 * SLOT_PAGE)) {
		return false;
	}
	number_of_place = lone_place(shard, &place);
	if (number_of_place == LONE_PLACES) {
		return false;
	}
	number = slots_take(&shard->slots, PARK_TOMBS, sizeof(*tomb));
	if (number == SLOT_NONE) {
		return false;
	}
	tomb = (struct tomb *)(void *)slots_at(&shard->slots, number);
	write_tomb(tomb, flow, number_of_place);
	if (!enlist(shard, (SHARD_PARKED | number) + 1)) {
		slots_give(&shard->slots, number);
		return false;
	}
	tcp_add_figures(&engine->stats, flow);
	reasm_half_fini(&flow->half[0], &shard->reasm);
	reasm_half_fini(&flow->half[1], &shard->reasm);
	timer_wheel_cancel(engine->timers, shard->number << SHARD_BITS | flow->self, &flow->timer);
	shard_delist(shard, flow);
	shard_rename(shard, flow->hash, flow->self, SHARD_PARKED | number);
	shard->at_hand--;
	shard_give_entry(shard, flow);
	return true;
}

/* ---- back ---- */

static void read_side(struct flow *flow, const struct tomb *tomb, int i)
{
	struct reasm_half *half = &flow->half[i];
	struct flow_side *side = &flow->side[i];

	side->snd_max_ns = tomb->snd_max_ns[i];
	side->last_ack = tomb->last_ack[i];
	side->packets = (tomb->half[i] & TOMB_HAS_PACKETS) != 0;
	side->bytes = (tomb->half[i] & TOMB_HAS_BYTES) != 0;
	side->gaps = (tomb->half[i] & TOMB_HAS_GAPS) != 0;
	flow->tcp.side[i] = tomb->side[i];
	reasm_half_init(half, (uint8_t)i);
	half->next = tomb->next[i];
	half->next_seq = tomb->next_seq[i];
	half->id = tomb->id[i];
	half->started = (tomb->half[i] & TOMB_STARTED) != 0;
	half->fin_known = (tomb->half[i] & TOMB_FIN_KNOWN) != 0;
	half->fin = half->fin_known ? half->next : 0;
	half->oneway = (tomb->half[i] & TOMB_ONEWAY) != 0;
	half->ended = 1;
}

static void read_tomb(struct shard *shard, const struct tomb *tomb, struct flow *flow)
{
	struct engine *engine = shard->engine;
	const struct lone_place *place = &shard->places[tomb->place];
	uint32_t self = flow->self;

	memset(flow, 0, sizeof(*flow));
	flow->self = self;
	flow->shard = shard;
	tuple_from_short(&tomb->key, &flow->tuple);
	flow->hash = tuple_short_hash(&tomb->key, engine->options.seed);
	flow->first_packet = tomb->first_packet;
	flow->last_packet = tomb->last_packet;
	flow->first_ts_ns = tomb->first_ts_ns;
	flow->last_ns = tomb->last_ns;
	flow->touched_ns = tomb->last_ns;
	flow->tick_ns = TIMER_NONE;
	flow->ended_ns = tomb->ended_ns;
	flow->nrecords = tomb->nrecords;
	flow->nemitted = tomb->nemitted;
	flow->interface_name = place->interface_name;
	flow->interface = place->interface;
	flow->input = place->input;
	flow->vlan_id = tomb->vlan_id;
	flow->has_vlan = (tomb->is & TOMB_HAS_VLAN) != 0;
	flow->ended = tomb->ended;
	flow->nanomalies = tomb->nanomalies;
	flow->offloaded = tomb->offloaded;
	flow->role_fixed = (tomb->is & TOMB_ROLE_FIXED) != 0;
	flow->tcp.client = (tomb->is & TOMB_CLIENT) != 0;
	flow->tcp.role = tomb->role;
	flow->tcp.phase = tomb->is & TOMB_RESET ? TCP_RESET : TCP_CLOSED;
	flow->tcp.reset_side = (tomb->is & TOMB_RESET_SIDE) != 0;
	flow->tcp.rst_ignored = (tomb->is & TOMB_RST_IGNORED) != 0;
	flow->tcp.syn_seen = (tomb->is & TOMB_SYN_SEEN) != 0;
	flow->tcp.syn_ack_seen = (tomb->is & TOMB_SYN_ACK_SEEN) != 0;
	flow->list = FLOW_UNLISTED;
	read_side(flow, tomb, 0);
	read_side(flow, tomb, 1);
}

void tomb_open(struct shard *shard, uint32_t index, struct flow *flow)
{
	struct engine *engine = shard->engine;

	read_tomb(shard, shard_tomb(shard, index), flow);
	tcp_take_figures(&engine->stats, flow);
	shard_rename(shard, flow->hash, index, flow->self);
	release(shard, index + 1);
	shard_enlist(shard, flow, shard->finishing ? FLOW_UNLISTED : FLOW_ESTABLISHED);
	engine_arm(engine, flow);
}

void tomb_end(struct shard *shard, uint32_t index)
{
	struct engine *engine = shard->engine;
	const struct tomb *tomb = shard_tomb(shard, index);
	bool unread = tcp_count_record(engine);
	uint64_t hash;

	assert(unread); /* as it was when the flow was buried */
	(void)unread;
	if (!shard->finishing) {
		hash = tuple_short_hash(&tomb->key, engine->options.seed);
		shard_remember(shard, hash, tomb->ended_ns, shard->places[tomb->place].input);
		shard_forget(shard, hash, index);
	}
	release(shard, index + 1);
	shard->nflows--;
}

void tomb_expire(struct shard *shard, int64_t clock_ns)
{
	while (shard->tombs_due_ns <= clock_ns) {
		tomb_end(shard, shard->tombs.next - 1);
	}
}

/* All that expiry looks at: it may begin in one line and end in the next. */
static inline void fetch_tomb(const struct shard *shard, uint32_t ref)
{
	const struct tomb *tomb = tomb_of(shard, ref);

	__builtin_prefetch(&tomb->lru);
	__builtin_prefetch(&tomb->first_packet);
}

/* All were written seconds ago: what the first one needs is on its way into the cache. @return is its time over? */
static bool fetch_first(const struct shard *shard)
{
	const struct tomb *tomb;

	if (shard->tombs.next == 0) {
		return false;
	}
	tomb = tomb_of(shard, shard->tombs.next);
	(void)flow_table_prefetch(shard->table,
				  tuple_short_hash(&tomb->key, shard->engine->options.seed));
	if (tomb->lru.next != 0) {
		fetch_tomb(shard, tomb->lru.next);
	}
	return true;
}

void tomb_expire_all(struct shard *const *shards, size_t nshards, int64_t clock_ns)
{
	bool more = true;
	size_t i;

	for (i = 0; i < nshards; i++) {
		if (shards[i] != NULL && shards[i]->tombs_due_ns <= clock_ns) {
			fetch_tomb(shards[i], shards[i]->tombs.next);
		}
	}
	while (more) {
		for (i = 0, more = false; i < nshards; i++) {
			if (shards[i] != NULL && shards[i]->tombs_due_ns <= clock_ns) {
				more = fetch_first(shards[i]) || more;
			}
		}
		for (i = 0; i < nshards; i++) {
			if (shards[i] != NULL && shards[i]->tombs_due_ns <= clock_ns) {
				tomb_end(shards[i], shards[i]->tombs.next - 1);
			}
		}
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The room that a shard's flows take: their lists, entries, parking and eviction. See shard.h. */
#include "engine/shard.h"

#include <assert.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/tcp.h"
#include "weir/error.h"

enum {
	ROOM_STEPS = 64, /* flows looked at for one that owns memory */
	ROOM_TRIES = 64, /* evictions for one segment at most */
	PARK_TRIES = 8,  /* flows looked at for one that can be parked */
	PARK_AT_ONCE = 4 /* flows parked for one that comes to hand */
};

/* ---- lists ---- */

/* Which links of a flow. */
enum links { LINKS_LRU, LINKS_HOLES };

static struct flow_link *link_of(const struct shard *shard, uint32_t ref, enum links which)
{
	uint32_t index = ref - 1;

	if (!shard_is_parked(index)) {
		struct flow *flow = shard_flow(shard, index);

		return which == LINKS_LRU ? &flow->lru : &flow->holes;
	}
	if (shard_is_syn(shard, index)) {
		assert(which == LINKS_LRU);
		return &shard_syn(shard, index)->lru;
	}
	return which == LINKS_LRU ? &shard_parked(shard, index)->lru
				  : parked_holes(shard_parked(shard, index));
}

static void list_append(struct shard *shard, struct flow_link *head, uint32_t ref, enum links which)
{
	struct flow_link *link = link_of(shard, ref, which);

	link->next = 0;
	link->prev = head->prev;
	if (head->prev != 0) {
		link_of(shard, head->prev, which)->next = ref;
	} else {
		head->next = ref;
	}
	head->prev = ref;
}

static void list_remove(struct shard *shard, struct flow_link *head, uint32_t ref, enum links which)
{
	struct flow_link *link = link_of(shard, ref, which);

	if (link->prev != 0) {
		link_of(shard, link->prev, which)->next = link->next;
	} else {
		head->next = link->next;
	}
	if (link->next != 0) {
		link_of(shard, link->next, which)->prev = link->prev;
	} else {
		head->prev = link->prev;
	}
	link->prev = 0;
	link->next = 0;
}

/* The same place in the list, for what is elsewhere now. The old links still hold. */
static void list_replace(struct shard *shard, struct flow_link *head, uint32_t from, uint32_t to,
			 enum links which)
{
	struct flow_link *link = link_of(shard, to, which);

	*link = *link_of(shard, from, which);
	if (link->prev != 0) {
		link_of(shard, link->prev, which)->next = to;
	} else {
		head->next = to;
	}
	if (link->next != 0) {
		link_of(shard, link->next, which)->prev = to;
	} else {
		head->prev = to;
	}
}

void shard_enlist(struct shard *shard, struct flow *flow, enum flow_list list)
{
	flow->list = (uint8_t)list;
	if (list != FLOW_UNLISTED) {
		list_append(shard, &shard->lru[list], flow->self + 1, LINKS_LRU);
	}
	shard->nhalf_open += list == FLOW_HALF_OPEN;
}

void shard_delist(struct shard *shard, struct flow *flow)
{
	shard->nhalf_open -= flow->list == FLOW_HALF_OPEN;
	if (flow->list != FLOW_UNLISTED) {
		list_remove(shard, &shard->lru[flow->list], flow->self + 1, LINKS_LRU);
	}
	flow->list = FLOW_UNLISTED;
}

void shard_move_young(struct shard *shard, struct flow *flow, int64_t clock_ns)
{
	flow->touched_ns = clock_ns;
	list_remove(shard, &shard->lru[flow->list], flow->self + 1, LINKS_LRU);
	list_append(shard, &shard->lru[flow->list], flow->self + 1, LINKS_LRU);
}

void shard_touch(struct shard *shard, struct flow *flow, const struct item *item)
{
	shard_touch_again(shard, flow, item);
	if (item->index == flow->first_packet) {
		/* A flow that begins with a jump forward has its time: when the next packet confirms the jump, the flow is new and
		 * not as old as the silence before it. */
		flow->last_ns = item->seen_ns;
	}
}

void shard_list(struct shard *shard, struct flow *flow, enum flow_list list)
{
	if (flow->list != (uint8_t)list && flow->list != FLOW_UNLISTED) {
		shard_delist(shard, flow);
		shard_enlist(shard, flow, list);
	}
}

void shard_update_waiting(struct shard *shard, struct flow *flow)
{
	bool waits = reasm_half_waits(&flow->half[0]) || reasm_half_waits(&flow->half[1]);

	if (waits == (flow->waiting != 0)) {
		return;
	}
	if (waits) {
		list_append(shard, &shard->holes, flow->self + 1, LINKS_HOLES);
	} else {
		list_remove(shard, &shard->holes, flow->self + 1, LINKS_HOLES);
	}
	flow->waiting = waits;
}

/* ---- all flows, in the order of their first packets ---- */

uint64_t shard_first_packet(const struct shard *shard, uint32_t index)
{
	if (index == SHARD_SYN_TIMER) {
		index = shard->syns.next - 1;
	}
	if (!shard_is_parked(index)) {
		return shard_flow(shard, index)->first_packet;
	}
	if (shard_is_tomb(shard, index)) {
		return shard_tomb(shard, index)->first_packet;
	}
	return shard_is_syn(shard, index) ? shard_syn(shard, index)->packet
					  : shard_parked(shard, index)->first_packet;
}

/* Of two sorted lists, by lru.next. */
static uint32_t merge_lists(const struct shard *shard, uint32_t a, uint32_t b)
{
	uint32_t first = 0, *to = &first;

	while (a != 0 && b != 0) {
		uint32_t *from = shard_first_packet(shard, b - 1) < shard_first_packet(shard, a - 1)
					 ? &b
					 : &a;

		*to = *from;
		to = &link_of(shard, *from, LINKS_LRU)->next;
		*from = *to;
	}
	*to = a != 0 ? a : b;
	return first;
}

/* A heap would need memory that may not be there at the end: a merge sort. */
static uint32_t sort_list(const struct shard *shard, uint32_t head, size_t n)
{
	uint32_t b = head;
	size_t half = n / 2, i;

	if (n < 2) {
		if (n == 1) {
			link_of(shard, head, LINKS_LRU)->next = 0;
		}
		return n == 1 ? head : 0;
	}
	for (i = 0; i < half; i++) {
		b = link_of(shard, b, LINKS_LRU)->next;
	}
	b = sort_list(shard, b, n - half);
	return merge_lists(shard, sort_list(shard, head, half), b);
}

/* Hang a list behind another. */
static void join_lists(const struct shard *shard, struct flow_link *to, struct flow_link *from)
{
	if (to->prev != 0) {
		link_of(shard, to->prev, LINKS_LRU)->next = from->next;
	} else {
		to->next = from->next;
	}
	if (from->prev != 0) {
		to->prev = from->prev;
	}
	memset(from, 0, sizeof(*from));
}

/* What only waits, and nobody reads: all at once, in any order. */
static void end_unread(struct shard *shard)
{
	while (shard->tombs.next != 0) {
		tomb_end(shard, shard->tombs.next - 1);
	}
	while (shard->syns.next != 0) {
		uint32_t next = shard_syn(shard, shard->syns.next - 1)->lru.next;

		if (!shard_end_syn(shard, shard->syns.next - 1, WEIR_CLOSE_END)) {
			break;
		}
		shard->syns.next = next;
	}
}

void shard_sort(struct shard *shard)
{
	struct flow_link all = {0};
	uint32_t ref;
	size_t n = 0;
	int i;

	timer_wheel_cancel(shard->engine->timers, shard->number << SHARD_BITS | SHARD_SYN_TIMER,
			   &shard->syn_timer);
	shard->finishing = true;
	end_unread(shard);
	for (i = 0; i < FLOW_NLISTS; i++) {
		join_lists(shard, &all, &shard->lru[i]);
		join_lists(shard, &all, &shard->parked[i]);
	}
	for (ref = all.next; ref != 0; ref = link_of(shard, ref, LINKS_LRU)->next) {
		if (!shard_is_parked(ref - 1)) {
			shard_flow(shard, ref - 1)->list = FLOW_UNLISTED;
		}
		n++;
	}
	/* SYNs are in order as they are */
	shard->sorted.next = merge_lists(shard, sort_list(shard, all.next, n), shard->syns.next);
	memset(&shard->syns, 0, sizeof(shard->syns));
}

struct flow *shard_pop_sorted(struct shard *shard)
{
	uint32_t ref = shard->sorted.next;

	assert(ref != 0);
	shard->sorted.next = link_of(shard, ref, LINKS_LRU)->next;
	if (shard_end_syn(shard, ref - 1, WEIR_CLOSE_END)) {
		return NULL;
	}
	return shard_is_parked(ref - 1) ? shard_bring(shard, ref - 1) : shard_flow(shard, ref - 1);
}

/* ---- lone SYNs ---- */

void shard_time_syns(struct shard *shard)
{
	struct engine *engine = shard->engine;
	uint32_t index = shard->number << SHARD_BITS | SHARD_SYN_TIMER;
	int64_t deadline;

	timer_wheel_cancel(engine->timers, index, &shard->syn_timer);
	if (shard->syns.next != 0) {
		deadline = shard_syn(shard, shard->syns.next - 1)->ts_ns +
			   engine->options.config->half_open_ns;
		if (!engine->now.by_packet && deadline < engine->now.deadline_ns) {
			deadline = engine->now.deadline_ns;
		}
		timer_wheel_set(engine->timers, index, &shard->syn_timer, deadline);
	}
}

void shard_enlist_syn(struct shard *shard, uint32_t index)
{
	bool first = shard->syns.next == 0;

	list_append(shard, &shard->syns, index + 1, LINKS_LRU);
	shard->nsyns++;
	shard->nflows++;
	if (first) {
		shard_time_syns(shard);
	}
}

/* Take a lone SYN out of its list and free its slot. */
static void remove_syn(struct shard *shard, uint32_t index)
{
	if (!shard->finishing) {
		bool first = shard->syns.next == index + 1;

		list_remove(shard, &shard->syns, index + 1, LINKS_LRU);
		if (first) {
			shard_time_syns(shard);
		}
	}
	slots_give(&shard->slots, index - SHARD_PARKED);
	shard->nsyns--;
}

bool shard_end_syn(struct shard *shard, uint32_t index, enum weir_close how)
{
	if (!shard_is_syn(shard, index) || !tcp_count_lone_syn(shard->engine, how)) {
		return false;
	}
	if (!shard->finishing) {
		shard_forget(shard,
			     tuple_short_hash(&shard_syn(shard, index)->key,
					      shard->engine->options.seed),
			     index);
	}
	remove_syn(shard, index);
	shard->nflows--;
	return true;
}

/* Judge the SYN again, in its time, in an entry. The counters have it already. */
static void bring_syn(struct shard *shard, uint32_t index, struct flow *flow)
{
	struct engine *engine = shard->engine;
	const struct lone_syn *syn = shard_syn(shard, index);
	struct engine_stats stats = engine->stats;
	struct tcp_candidate none;
	struct item item;

	lone_syn_item(shard, syn, &item);
	shard_rename(shard, item.hash, index, flow->self);
	remove_syn(shard, index);
	shard_fill(shard, flow, &item);
	shard_enlist(shard, flow, shard->finishing ? FLOW_UNLISTED : FLOW_HALF_OPEN);
	(void)tcp_input(engine, flow, &item, &none);
	engine->stats = stats;
}

/* ---- parking ---- */

struct timer_node *shard_timer(struct shard *shard, uint32_t index)
{
	if (index == SHARD_SYN_TIMER) {
		return &shard->syn_timer;
	}
	if (!shard_is_parked(index)) {
		return &shard_flow(shard, index)->timer;
	}
	return &shard_parked(shard, index)->timer;
}

static bool has_parked(const struct shard *shard)
{
	return shard->parked[FLOW_HALF_OPEN].next != 0 ||
	       shard->parked[FLOW_ESTABLISHED].next != 0 || shard->syns.next != 0 ||
	       shard->tombs.next != 0;
}

bool shard_park(struct shard *shard, struct flow *flow)
{
	struct engine *engine = shard->engine;
	uint32_t number, index, timer = shard->number << SHARD_BITS;
	int64_t deadline = engine_deadline(engine, flow);
	enum flow_list list = (enum flow_list)flow->list;
	struct engine_stats figures;

	if (flow == shard->current || flow == engine->jump.flow || list == FLOW_UNLISTED) {
		return false;
	}
	memset(&figures, 0, sizeof(figures));
	tcp_add_figures(&figures, flow);
	number = park_pack(shard, flow);
	if (number == SLOT_NONE) {
		return false;
	}
	index = SHARD_PARKED | number;
	engine_stats_add(shard->figures, &figures);
	shard_delist(shard, flow);
	list_append(shard, &shard->parked[list], index + 1, LINKS_LRU);
	if (flow->waiting) {
		list_replace(shard, &shard->holes, flow->self + 1, index + 1, LINKS_HOLES);
	}
	timer_wheel_cancel(engine->timers, timer | flow->self, &flow->timer);
	if (deadline != TIMER_NONE) {
		timer_wheel_set(engine->timers, timer | index, &shard_parked(shard, index)->timer,
				deadline);
	}
	shard_rename(shard, flow->hash, flow->self, index);
	shard->at_hand--;
	shard_give_entry(shard, flow);
	return true;
}

/* The idlest flow at hand that can be; half-open ones and others are as old as their last packets. */
static bool park_oldest(struct shard *shard, const struct flow *keep)
{
	uint32_t ref[FLOW_NLISTS] = {shard->lru[FLOW_HALF_OPEN].next,
				     shard->lru[FLOW_ESTABLISHED].next};
	int tries;

	for (tries = 0; tries < PARK_TRIES && (ref[0] != 0 || ref[1] != 0); tries++) {
		struct flow *flow;
		int list = ref[0] == 0;

		if (ref[0] != 0 && ref[1] != 0) {
			list = shard_flow(shard, ref[1] - 1)->touched_ns <
			       shard_flow(shard, ref[0] - 1)->touched_ns;
		}
		flow = shard_flow(shard, ref[list] - 1);
		ref[list] = flow->lru.next;
		if (flow != keep && shard_park(shard, flow)) {
			return true;
		}
	}
	return false;
}

/* How many may be at hand now: fewer when much memory is used. */
static uint32_t limit_at_hand(const struct shard *shard)
{
	size_t used = shard->budget.used, memory = shard->budget.limit;

	if (shard->may_be == UINT32_MAX || used < memory / 8) {
		return shard->may_be;
	}
	return used < memory / 4 ? shard->may_be / 4 : shard->may_be / 16;
}

void shard_park_idle(struct shard *shard, const struct flow *keep)
{
	uint32_t limit = limit_at_hand(shard);
	int tries = 0;

	while (shard->at_hand > limit && tries++ < PARK_AT_ONCE && park_oldest(shard, keep)) {
	}
}

static int grow(struct shard *shard);
static bool make_entry(struct shard *shard, const struct flow *keep);

/* While flows are parked an entry is free, to bring one of them. */
static void spare_entry(struct shard *shard, const struct flow *keep)
{
	while (shard->nfree == 0 && has_parked(shard) && grow(shard) < 0 &&
	       !park_oldest(shard, keep) && make_entry(shard, keep)) {
	}
}

static struct flow *pop_entry(struct shard *shard)
{
	struct flow *flow = shard_flow(shard, shard->free - 1);

	shard->free = flow->lru.next;
	shard->nfree--;
	shard->blocks[flow->self / SHARD_BLOCK].used++;
	return flow;
}

static void bring_flow(struct shard *shard, uint32_t index, struct flow *flow)
{
	struct engine *engine = shard->engine;
	struct parked *parked = shard_parked(shard, index);
	uint32_t timer = shard->number << SHARD_BITS;
	int64_t deadline = parked->timer.slot != 0 ? parked->timer.deadline_ns : TIMER_NONE;
	enum flow_list list = (enum flow_list)parked->list;

	park_unpack(shard, parked, flow);
	timer_wheel_cancel(engine->timers, timer | index, &parked->timer);
	if (!shard->finishing) {
		list_remove(shard, &shard->parked[list], index + 1, LINKS_LRU);
	}
	if (flow->waiting) {
		list_replace(shard, &shard->holes, index + 1, flow->self + 1, LINKS_HOLES);
	}
	shard_rename(shard, flow->hash, index, flow->self);
	slots_give(&shard->slots, index - SHARD_PARKED);
	shard_enlist(shard, flow, shard->finishing ? FLOW_UNLISTED : list);
	if (deadline != TIMER_NONE) {
		timer_wheel_set(engine->timers, timer | flow->self, &flow->timer, deadline);
	}
	tcp_take_figures(shard->figures, flow);
	/* what there was no memory for waits no more */
	shard_update_waiting(shard, flow);
}

struct flow *shard_bring(struct shard *shard, uint32_t index)
{
	struct flow *flow;

	assert(shard->nfree > 0);
	flow = pop_entry(shard);
	shard->at_hand++;
	if (shard_is_syn(shard, index)) {
		bring_syn(shard, index, flow);
	} else if (shard_is_tomb(shard, index)) {
		tomb_open(shard, index, flow);
	} else {
		bring_flow(shard, index, flow);
	}
	if (!shard->finishing) {
		shard_park_idle(shard, flow);
		spare_entry(shard, flow);
	}
	return flow;
}

/* ---- entries ---- */

/* A number for a block: one that is missing, or a new one. */
static int block_number(struct shard *shard, size_t *ret)
{
	size_t room = shard->block_room == 0 ? 16 : shard->block_room * 2;
	struct shard_block *blocks;

	if (shard->nmissing > 0) {
		for (*ret = 0; shard->blocks[*ret].flows != NULL; (*ret)++) {
		}
		return 0;
	}
	*ret = shard->nblocks;
	if (shard->nblocks == shard->block_room) {
		blocks =
			budget_realloc(&shard->budget, shard->blocks,
				       shard->block_room * sizeof(*blocks), room * sizeof(*blocks));
		if (blocks == NULL) {
			return WEIR_EBUDGET;
		}
		shard->blocks = blocks;
		shard->block_room = room;
	}
	return 0;
}

/* Another block of entries. A quarter of the budget is for what flows own. */
static int grow(struct shard *shard)
{
	size_t there = shard->nblocks - shard->nmissing, number;
	struct flow *flows;
	uint32_t i;

	if (shard->nblocks == SHARD_MAX_BLOCKS ||
	    (there + 1) * SHARD_BLOCK * sizeof(*flows) > shard->budget.limit / 4 * 3) {
		return WEIR_ELIMIT;
	}
	if (block_number(shard, &number) < 0) {
		return WEIR_EBUDGET;
	}
	flows = budget_calloc(&shard->budget, SHARD_BLOCK, sizeof(*flows));
	if (flows == NULL) {
		return WEIR_EBUDGET;
	}
	if (number == shard->nblocks) {
		shard->nblocks++;
	} else {
		shard->nmissing--;
	}
	shard->blocks[number].flows = flows;
	shard->blocks[number].used = 0;
	for (i = SHARD_BLOCK; i-- > 0;) {
		flows[i].self = (uint32_t)(number * SHARD_BLOCK) + i;
		flows[i].lru.next = shard->free;
		shard->free = flows[i].self + 1;
		shard->nfree++;
	}
	return 0;
}

/* Flows at hand are spread over many more blocks than they need: park those of the thin ones. */
static void clear_thin_blocks(struct shard *shard)
{
	size_t i, k;

	for (i = 0; i < shard->nblocks && shard->may_be != UINT32_MAX; i++) {
		const struct shard_block *block = &shard->blocks[i];

		for (k = 0;
		     block->flows != NULL && block->used <= SHARD_BLOCK / 4 && k < SHARD_BLOCK;
		     k++) {
			if (block->flows[k].shard != NULL) {
				(void)shard_park(shard, &block->flows[k]);
			}
		}
	}
}

void shard_release_blocks(struct shard *shard)
{
	uint32_t ref, *at = &shard->free;
	size_t i;

	if (shard->nfree > 2 * shard->at_hand) {
		clear_thin_blocks(shard);
	}
	ref = shard->free;
	/* their entries out of the list of free ones, but for the block of the first: one has to be there */
	while (ref != 0) {
		struct flow *flow = shard_flow(shard, ref - 1);

		if (shard->blocks[(ref - 1) / SHARD_BLOCK].used > 0 ||
		    (ref - 1) / SHARD_BLOCK == (shard->free - 1) / SHARD_BLOCK) {
			*at = ref;
			at = &flow->lru.next;
		} else {
			shard->nfree--;
		}
		ref = flow->lru.next;
	}
	*at = 0;
	for (i = 0; i < shard->nblocks; i++) {
		struct shard_block *block = &shard->blocks[i];

		if (block->flows != NULL && block->used == 0 &&
		    i != (shard->free - 1) / SHARD_BLOCK) {
			budget_free(&shard->budget, block->flows,
				    SHARD_BLOCK * sizeof(*block->flows));
			block->flows = NULL;
			shard->nmissing++;
		}
	}
	shard->release_at = shard->nfree + SHARD_RELEASE;
}

struct flow *shard_take_entry(struct shard *shard)
{
	struct flow *flow;
	int tries = 0;

	shard_park_idle(shard, NULL);
	/* one stays free while flows are parked */
	while (shard->nfree < 1u + has_parked(shard) && grow(shard) < 0) {
		if (++tries > ROOM_TRIES ||
		    (!(shard->may_be != UINT32_MAX && park_oldest(shard, NULL)) &&
		     !shard_make_room(shard, SHARD_ENTRY, NULL))) {
			return NULL;
		}
	}
	flow = pop_entry(shard);
	shard->at_hand++;
	return flow;
}

bool shard_spare_entry(struct shard *shard)
{
	return shard->nfree > 0 || grow(shard) == 0 || park_oldest(shard, NULL);
}

void shard_give_entry(struct shard *shard, struct flow *flow)
{
	flow->shard = NULL;
	flow->lru.next = shard->free;
	shard->free = flow->self + 1;
	shard->nfree++;
	shard->blocks[flow->self / SHARD_BLOCK].used--;
}

/* ---- eviction ---- */

static void evict(struct shard *shard, uint32_t ref)
{
	struct engine *engine = shard->engine;
	struct flow *flow;

	if (shard_end_syn(shard, ref - 1, WEIR_CLOSE_EVICTED)) {
		engine->stats.evicted_half_open++;
		return;
	}
	if (shard_is_tomb(shard, ref - 1)) {
		tomb_end(shard, ref - 1);
		engine->stats.evicted_flows++;
		return;
	}
	flow = shard_is_parked(ref - 1) ? shard_bring(shard, ref - 1) : shard_flow(shard, ref - 1);
	if (flow->list == FLOW_HALF_OPEN) {
		engine->stats.evicted_half_open++;
	} else {
		engine->stats.evicted_flows++;
	}
	tcp_finalise(engine, flow, WEIR_CLOSE_EVICTED);
}

/* The oldest at hand of a list but `keep` and the current one; 0: there is none. */
static uint32_t oldest(const struct shard *shard, enum flow_list list, const struct flow *keep)
{
	uint32_t ref = shard->lru[list].next;

	while (ref != 0 && (shard_flow(shard, ref - 1) == keep ||
			    shard_flow(shard, ref - 1) == shard->current)) {
		ref = shard_flow(shard, ref - 1)->lru.next;
	}
	return ref;
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

static void give_up_hole(struct shard *shard)
{
	struct engine *engine = shard->engine;
	uint32_t index = shard->holes.next - 1;
	struct flow *flow =
		shard_is_parked(index) ? shard_bring(shard, index) : shard_flow(shard, index);
	int64_t a = reasm_half_oldest(&flow->half[0]);
	int64_t b = reasm_half_oldest(&flow->half[1]);

	engine->stats.evicted_holes++;
	(void)reasm_half_give_up(&flow->half[b < a], &shard->reasm, flow, WEIR_GAP_BUDGET,
				 engine->clock_ns);
	shard_update_waiting(shard, flow);
}

/* The idlest at hand that owns any: an entry alone gives none back. */
static bool evict_owner(struct shard *shard, enum flow_list list, const struct flow *keep)
{
	uint32_t ref = oldest(shard, list, keep);
	int steps;

	for (steps = 0; ref != 0 && steps < ROOM_STEPS; steps++) {
		struct flow *flow = shard_flow(shard, ref - 1);

		if (flow != keep && flow != shard->current && owns_bytes(flow)) {
			evict(shard, ref);
			return true;
		}
		ref = flow->lru.next;
	}
	return false;
}

/*
 * Bytes: half-open flows that are parked go first, then tombs, then the oldest hole is given up, then the idlest flow that owns any
 * is closed.
 */
static bool make_bytes(struct shard *shard, const struct flow *keep)
{
	uint32_t ref =
		shard->syns.next != 0 ? shard->syns.next : shard->parked[FLOW_HALF_OPEN].next;

	if (ref == 0) {
		ref = shard->tombs.next;
	}
	if (ref == 0 && shard->holes.next != 0 &&
	    !(shard->finishing && shard_is_parked(shard->holes.next - 1))) {
		give_up_hole(shard);
		return true;
	}
	if (ref == 0 && evict_owner(shard, FLOW_HALF_OPEN, keep)) {
		return true;
	}
	ref = ref == 0 ? shard->parked[FLOW_ESTABLISHED].next : ref;
	if (ref != 0 && shard->nfree > 0) {
		evict(shard, ref);
		return true;
	}
	return evict_owner(shard, FLOW_ESTABLISHED, keep);
}

bool shard_make_room(struct shard *shard, enum shard_room what, const struct flow *keep)
{
	if (shard->tombs_due_ns <= shard->engine->clock_ns) {
		tomb_expire(shard, shard->engine->clock_ns);
		return true;
	}
	if (arena_pool_trim(&shard->arenas) > 0 || reasm_pool_trim(&shard->reasm) > 0 ||
	    spares_trim(&shard->spares) > 0) {
		return true;
	}
	return what == SHARD_ENTRY ? make_entry(shard, keep) : make_bytes(shard, keep);
}

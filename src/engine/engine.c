/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas, timers, items, figures: see engine.h. Records are made in emit.c. */
#include "engine/engine.h"

#include <assert.h>
#include <string.h>

#include "engine/tcp.h"
#include "record/anomaly_fields.h"
#include "record/record.h"
#include "record/redact.h"
#include "record/tcp_fields.h"
#include "weir/error.h"

/* ---- schemas ---- */

static size_t add_schema(const struct weir_schema **list, size_t n,
			 const struct weir_schema *schema)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (list[i] == schema) {
			return n;
		}
	}
	if (n < ENGINE_MAX_SCHEMAS) {
		list[n++] = schema;
	}
	return n;
}

size_t engine_schemas(const struct weir_tap_type *tap,
		      const struct weir_schema *ret[ENGINE_MAX_SCHEMAS + 1])
{
	size_t n = 0;
	size_t i, k;

	n = add_schema(ret, n, &record_tcp_schema);
	n = add_schema(ret, n, &record_anomaly_schema);
	for (i = 0; parser_list[i] != NULL; i++) {
		const struct weir_schema *const *schemas = parser_list[i]->schemas;

		for (k = 0; schemas != NULL && schemas[k] != NULL; k++) {
			n = add_schema(ret, n, schemas[k]);
		}
	}
	if (tap != NULL) {
		n = add_schema(ret, n, tap->schema);
		n = tap->body_schema == NULL ? n : add_schema(ret, n, tap->body_schema);
	}
	ret[n] = NULL;
	return n;
}

size_t engine_schema_index(const struct engine *engine, const struct weir_schema *schema)
{
	size_t i = 0;

	while (engine->schemas[i] != NULL && engine->schemas[i] != schema) {
		i++;
	}
	return i;
}

bool engine_is_of_tap(const struct engine *engine, const struct weir_schema *schema)
{
	const struct weir_tap_type *tap = engine->options.tap;

	return tap != NULL && (tap->schema == schema || tap->body_schema == schema);
}

void engine_find_wanted(struct engine *engine)
{
	const struct engine_options *options = &engine->options;
	size_t i, field;

	memset(engine->wanted, 0, sizeof(engine->wanted));
	engine->reads_tcp =
		options->reads_tcp == NULL || options->reads_tcp(options->wants_context);
	for (i = 0; engine->schemas[i] != NULL; i++) {
		const struct weir_schema *schema = engine->schemas[i];
		bool of_tap = engine_is_of_tap(engine, schema);

		for (field = 0; field < WEIR_NCOMMON + schema->nfields; field++) {
			if (of_tap || options->wants == NULL ||
			    options->wants(options->wants_context, schema, field)) {
				engine->wanted[i][field >> 6] |= UINT64_C(1) << (field & 63);
			}
			/* packets tell which records an oddity of TCP touches */
			if (field == WEIR_F_PACKET_FIRST || field == WEIR_F_PACKET_LAST) {
				engine->wanted[i][field >> 6] |= UINT64_C(1) << (field & 63);
			}
		}
		redact_which(schema, &engine->secret[i]);
	}
}

int engine_add_parser(struct engine *engine, const struct weir_parser *parser)
{
	size_t n = engine_schema_index(engine, NULL);
	size_t k;
	int err = 0;

	for (k = 0; parser->schemas != NULL && parser->schemas[k] != NULL; k++) {
		if (WEIR_NCOMMON + parser->schemas[k]->nfields > WEIR_MAX_FIELDS) {
			return WEIR_EINVAL;
		}
	}
	if (n + k > ENGINE_MAX_SCHEMAS) {
		return WEIR_ELIMIT;
	}
	err = parser_set_add(&engine->parsers, parser);
	for (k = 0; err == 0 && parser->schemas != NULL && parser->schemas[k] != NULL; k++) {
		n = add_schema(engine->schemas, n, parser->schemas[k]);
	}
	engine->schemas[n] = NULL;
	engine_find_wanted(engine);
	return err;
}

int engine_add_tap(struct engine *engine, const struct weir_tap_type *tap,
		   struct weir_tap *instance)
{
	size_t n = engine_schema_index(engine, NULL);

	if (engine->options.tap_instance != NULL || n + 2 > ENGINE_MAX_SCHEMAS) {
		return WEIR_ELIMIT;
	}
	engine->options.tap = tap;
	engine->options.tap_instance = instance;
	n = add_schema(engine->schemas, n, tap->schema);
	n = tap->body_schema == NULL ? n : add_schema(engine->schemas, n, tap->body_schema);
	engine->schemas[n] = NULL;
	engine_find_wanted(engine);
	return 0;
}

/* ---- timers ---- */

static struct timer_node *timer_of(void *context, uint32_t index)
{
	struct engine *engine = context;

	return shard_timer(engine->shards[index >> SHARD_BITS], index & ((1u << SHARD_BITS) - 1));
}

static uint64_t order_of(void *context, uint32_t index)
{
	struct engine *engine = context;

	return shard_first_packet(engine->shards[index >> SHARD_BITS],
				  index & ((1u << SHARD_BITS) - 1));
}

int64_t engine_deadline(const struct engine *engine, const struct flow *flow)
{
	int64_t deadline = tcp_idle_deadline(engine, flow);
	int side;

	if (flow->ended == 0) {
		if (flow->tick_ns < deadline) {
			deadline = flow->tick_ns;
		}
		if (flow->reset_ns != 0 && flow->reset_ns < deadline) {
			deadline = flow->reset_ns;
		}
		for (side = 0; side < 2; side++) {
			const struct reasm_half *half = &flow->half[side];
			int64_t hole = reasm_half_deadline(half, &flow->shard->reasm);

			if (hole < deadline) {
				deadline = hole;
			}
		}
	}
	if (!engine->now.by_packet && deadline < engine->now.deadline_ns) {
		deadline = engine->now.deadline_ns;
	}
	return deadline;
}

void engine_arm(struct engine *engine, struct flow *flow)
{
	int64_t deadline = engine_deadline(engine, flow);

	if (deadline == TIMER_NONE ||
	    (flow->timer.slot != 0 && flow->timer.deadline_ns <= deadline)) {
		return; /* the end of the run; or it will be due early, and armed again then */
	}
	timer_wheel_set(engine->timers, flow->shard->number << SHARD_BITS | flow->self,
			&flow->timer, deadline);
}

void engine_arm_first(struct engine *engine, struct flow *flow)
{
	int64_t deadline = engine_deadline(engine, flow), early;

	if (!__builtin_add_overflow(engine->clock_ns, engine->options.config->tombstone_ns,
				    &early) &&
	    early < deadline) {
		deadline = early;
	}
	if (deadline != TIMER_NONE) {
		timer_wheel_set(engine->timers, flow->shard->number << SHARD_BITS | flow->self,
				&flow->timer, deadline);
	}
}

static void run_timer(struct engine *engine, struct shard *shard, uint32_t index, int64_t deadline)
{
	bool was_parked = shard_is_parked(index);
	struct flow *flow;
	uint64_t first;

	if (index == SHARD_SYN_TIMER) {
		shard_time_syns(shard); /* for the next: this one is gone */
		index = shard->syns.next - 1;
		if (shard_end_syn(shard, index, WEIR_CLOSE_TIMEOUT)) {
			return;
		}
	}
	flow = was_parked || shard_is_parked(index) ? shard_bring(shard, index)
						    : shard_flow(shard, index);
	first = flow->first_packet;
	shard->current = flow;
	tcp_timer(engine, flow, deadline);
	shard->current = NULL;
	if (flow->shard == shard && flow->first_packet == first &&
	    !(flow->ended != 0 && tomb_bury(shard, flow)) && was_parked) {
		(void)shard_park(shard, flow);
	}
}

bool engine_run_timer(struct engine *engine, uint64_t packet, int64_t clock_ns)
{
	uint32_t index = timer_wheel_pop(engine->timers, clock_ns);
	int64_t deadline;

	if (index == UINT32_MAX) {
		return false;
	}
	deadline = timer_of(engine, index)->deadline_ns;
	engine->now.packet = packet;
	engine->now.by_packet = false;
	engine->now.deadline_ns = deadline;
	engine->clock_ns = deadline;
	run_timer(engine, engine->shards[index >> SHARD_BITS], index & ((1u << SHARD_BITS) - 1),
		  deadline);
	return true;
}

void engine_tick(struct engine *engine, uint64_t packet, int64_t clock_ns)
{
	while (engine_run_timer(engine, packet, clock_ns)) {
	}
	engine->clock_ns = clock_ns;
}

bool engine_flush_some(struct engine *engine, uint64_t packet, int64_t before_ns, uint32_t *from,
		       struct engine_flushed *ret)
{
	/* *from counts the entries of all shards, block by block, over the shards that there are */
	uint32_t at = *from;
	unsigned i;

	engine->now.packet = packet;
	engine->now.by_packet = false;
	engine->now.deadline_ns = engine->clock_ns;
	for (i = 0; i < ENGINE_SHARDS; i++) {
		struct shard *shard = engine->shards[i];
		uint32_t n = shard == NULL ? 0 : (uint32_t)shard->nblocks * SHARD_BLOCK;

		if (at < n) {
			if (shard->blocks[at / SHARD_BLOCK].flows != NULL &&
			    shard_flow(shard, at)->shard != NULL) {
				tcp_flush(engine, shard_flow(shard, at), before_ns, ret);
			}
			(*from)++;
			return true;
		}
		at -= n;
	}
	return false;
}

/* ---- life ---- */

int engine_new(const struct engine_options *options, struct engine **ret)
{
	const struct weir_config *config = options->config;
	size_t shard_memory = config->memory / 16 * 13 / ENGINE_SHARDS;
	struct budget budget;
	struct engine *engine;
	unsigned i;
	int err;

	budget_init(&budget, SIZE_MAX, config->allocator);
	engine = budget_calloc(&budget, 1, sizeof(*engine));
	if (engine == NULL) {
		return WEIR_ENOMEM;
	}
	engine->budget = budget;
	engine->options = *options;
	engine->dropped_ns = INT64_MIN;
	engine->plain = config->deliver == WEIR_DELIVER_CONTIGUOUS &&
			config->overlap == WEIR_OVERLAP_FIRST && config->noverlap_rules == 0;
	(void)engine_schemas(options->tap, engine->schemas);
	engine_find_wanted(engine);
	parser_set_init(&engine->parsers, config->parsers);
	err = timer_wheel_new(&engine->budget, timer_of, order_of, engine, &engine->timers);
	for (i = 0; err == 0 && i < ENGINE_SHARDS; i++) {
		if (i % options->nworkers == options->worker) {
			err = shard_new(engine, i, shard_memory, &engine->shards[i]);
		}
	}
	if (err < 0) {
		engine_free(engine);
		return err;
	}
	*ret = engine;
	return 0;
}

void engine_free(struct engine *engine)
{
	struct budget budget;
	unsigned i;

	if (engine == NULL) {
		return;
	}
	engine->options.record = NULL;
	engine_finish(engine, 0); /* flows of a run that was not */
	for (i = 0; i < ENGINE_SHARDS; i++) {
		shard_free(engine->shards[i]);
	}
	record_community_free(engine->community);
	timer_wheel_free(engine->timers);
	budget = engine->budget;
	budget_free(&budget, engine, sizeof(*engine));
}

static void keep_reserve(struct shard *shard)
{
	int tries = 0;

	while (shard->budget.used > shard->enough && tries++ < 4 &&
	       shard_make_room(shard, SHARD_BYTES, NULL)) {
	}
}

/* What is to come is fetched into the cache: the bucket of a segment first, a little later its flow. */
enum { AHEAD_BUCKET = 8, AHEAD_FLOW = 4, AHEAD = 8 };

/* Of the segments to come, by their index. */
struct ahead {
	const void *bucket[AHEAD];
	struct flow *flow[AHEAD]; /* NULL: not known */
};

static inline void look_for_bucket(const struct shard *shard, uint64_t hash, size_t i,
				   struct ahead *ahead)
{
	ahead->bucket[i % AHEAD] = shard == NULL ? NULL : flow_table_prefetch(shard->table, hash);
}

static inline void look_for_flow(const struct shard *shard, uint64_t hash, size_t i,
				 struct ahead *ahead)
{
	const void *bucket = ahead->bucket[i % AHEAD];

	ahead->flow[i % AHEAD] = bucket == NULL ? NULL : shard_expect(shard, bucket, hash);
}

/*
 * The packet before jumped forward in time. When this one confirms it, its flow was active then, and not before the silence:
 * unless the silence was so long that the flow had timed out.
 */
static void settle_jump(struct engine *engine, int64_t clock_ns)
{
	struct flow *flow = engine->jump.flow;
	int64_t seen_ns = engine->jump.seen_ns, ahead;

	engine->jump.flow = NULL;
	if (flow->shard == NULL || flow->last_packet != engine->jump.packet) {
		return;
	}
	if (__builtin_sub_overflow(clock_ns, engine->clock_ns, &ahead) ||
	    ahead <= engine->options.config->jump_ns) {
		/* not believed: a flow that began with it is not years ahead of the others */
		if (flow->last_ns > clock_ns) {
			flow->last_ns = clock_ns;
			engine_arm(engine, flow);
		}
		return;
	}
	if (seen_ns >= engine->jump.idle_until_ns) {
		return;
	}
	flow->last_ns = seen_ns < clock_ns ? seen_ns : clock_ns;
	if (flow->ended != 0) {
		flow->ended_ns = flow->last_ns;
	}
	if (flow->reset_ns != 0) {
		flow->reset_ns = flow->last_ns + engine->options.config->reset_grace_ns;
	}
	engine_arm(engine, flow); /* it may be due sooner than it was */
}

/* The capture is at this moment: what is due by then comes before the packet. */
static inline __attribute__((always_inline)) void arrive(struct engine *engine, uint64_t index,
							 int64_t clock_ns, uint32_t drops)
{
	if (engine->jump.flow != NULL) {
		settle_jump(engine, clock_ns);
	}
	if (timer_wheel_next(engine->timers) <= clock_ns) {
		engine_tick(engine, index, clock_ns);
	}
	engine->clock_ns = clock_ns;
	if (drops > 0) {
		engine->dropped_ns = clock_ns;
	}
}

/* Between two batches. */
static void release_blocks(struct engine *engine)
{
	size_t i;

	for (i = 0; i < ENGINE_SHARDS && engine->jump.flow == NULL; i++) {
		if (engine->shards[i] != NULL &&
		    engine->shards[i]->nfree >= engine->shards[i]->release_at) {
			shard_release_blocks(engine->shards[i]);
		}
	}
}

/* From one moment up to another, that one included. @return the moment behind */
static __attribute__((noinline)) size_t arrive_by_all(struct engine *engine,
						      const struct item_moment *moments,
						      size_t from, size_t to)
{
	for (; from <= to; from++) {
		arrive(engine, moments[from].index, moments[from].clock_ns, moments[from].drops);
	}
	return from;
}

/* The same; where nothing can be due in between it is enough to be there: clocks of moments rise. */
static inline size_t arrive_by(struct engine *engine, const struct engine_part *part, size_t from,
			       size_t to, int64_t clock_ns)
{
	if (engine->jump.flow != NULL || part->drops ||
	    timer_wheel_next(engine->timers) <= clock_ns) {
		return arrive_by_all(engine, part->moments, from, to);
	}
	engine->clock_ns = clock_ns;
	return to + 1;
}

static inline __attribute__((always_inline)) void handle(struct engine *engine, struct shard *shard,
							 const struct item *item,
							 struct flow *expected)
{
	engine->now.packet = item->index;
	engine->now.by_packet = true;
	engine->now.deadline_ns = 0;
	if (shard->budget.used > shard->enough) {
		keep_reserve(shard);
	}
	shard_item(shard, item, expected);
}

static inline void look_at_item(const struct engine *engine, const struct item *item, size_t i,
				struct ahead *ahead)
{
	look_for_bucket(engine->shards[item->shard], item->hash, i, ahead);
}

void engine_items(struct engine *engine, const struct item *items, size_t nitems)
{
	struct ahead ahead = {.flow = {NULL}};
	size_t i;

	release_blocks(engine);
	tomb_expire_all(engine->shards, ENGINE_SHARDS, engine->clock_ns);
	for (i = 0; i < AHEAD_BUCKET && i < nitems; i++) {
		look_at_item(engine, &items[i], i, &ahead);
	}
	for (i = 0; i < nitems; i++) {
		struct shard *shard = engine->shards[items[i].shard];

		if (i + AHEAD_BUCKET < nitems) {
			look_at_item(engine, &items[i + AHEAD_BUCKET], i + AHEAD_BUCKET, &ahead);
		}
		if (i + AHEAD_FLOW < nitems) {
			const struct item *next = &items[i + AHEAD_FLOW];

			look_for_flow(engine->shards[next->shard], next->hash, i + AHEAD_FLOW,
				      &ahead);
		}
		arrive(engine, items[i].index, items[i].clock_ns, items[i].drops);
		if (shard != NULL) {
			handle(engine, shard, &items[i], ahead.flow[i % AHEAD]);
		}
	}
}

/*
 * Parcels and packets come out of another processor's cache: several times the way to memory of one's own. FAR_LINES: of a head;
 * what is behind it is mostly body, which nobody looks at.
 */
enum { FAR_PARCEL = 24, FAR_BYTES = 14, LINE = 64, FAR_LINES = 6 };

static inline void fetch_lines(const void *at, size_t size)
{
	size_t i;

	for (i = 0; i < size; i += LINE) {
		__builtin_prefetch((const char *)at + i);
	}
}

static inline void fetch_parcel(const struct engine_part *part, size_t i)
{
	if (i < part->nparcels) {
		__builtin_prefetch(&part->parcels[i]);
	}
}

/* What a parcel tells of. It has come itself by now. */
static inline void fetch_bytes(const struct engine_part *part, size_t i)
{
	const struct parcel *parcel;
	size_t head = (size_t)FAR_LINES * LINE;

	if (i >= part->nparcels) {
		return;
	}
	parcel = &part->parcels[i];
	if (parcel->is_whole) {
		fetch_lines(parcel->whole, sizeof(*parcel->whole));
	} else {
		fetch_lines(parcel_payload(parcel, part->base),
			    parcel->payload_len < head ? parcel->payload_len : head);
	}
}

static inline struct shard *shard_of(const struct engine *engine, uint64_t hash)
{
	return engine->shards[hash >> 60];
}

static inline void look_at_parcel(const struct engine *engine, const struct engine_part *part,
				  size_t i, struct ahead *ahead)
{
	uint64_t hash;

	if (i < part->nparcels) {
		hash = part->parcels[i].hash;
		look_for_bucket(shard_of(engine, hash), hash, i, ahead);
	}
}

void engine_part(struct engine *engine, const struct engine_part *part)
{
	struct ahead ahead = {.flow = {NULL}};
	struct item room;
	size_t i, at = 0;

	for (i = 0; i < FAR_PARCEL; i++) {
		fetch_parcel(part, i);
	}
	parcel_room(&room);
	release_blocks(engine);
	tomb_expire_all(engine->shards, ENGINE_SHARDS, engine->clock_ns);
	for (i = 0; i < FAR_BYTES; i++) {
		fetch_bytes(part, i);
	}
	for (i = 0; i < AHEAD_BUCKET; i++) {
		look_at_parcel(engine, part, i, &ahead);
	}
	for (i = 0; i < part->nparcels; i++) {
		const struct item *item;

		fetch_parcel(part, i + FAR_PARCEL);
		fetch_bytes(part, i + FAR_BYTES);
		look_at_parcel(engine, part, i + AHEAD_BUCKET, &ahead);
		if (i + AHEAD_FLOW < part->nparcels) {
			uint64_t hash = part->parcels[i + AHEAD_FLOW].hash;

			look_for_flow(shard_of(engine, hash), hash, i + AHEAD_FLOW, &ahead);
		}
		item = parcel_open(&part->parcels[i], part->base, part->moments, &room);
		at = arrive_by(engine, part, at, item->moment, item->clock_ns);
		handle(engine, engine->shards[item->shard], item, ahead.flow[i % AHEAD]);
	}
	if (at < part->nmoments) {
		(void)arrive_by(engine, part, at, part->nmoments - 1,
				part->moments[part->nmoments - 1].clock_ns);
	}
}

void engine_finish_begin(struct engine *engine, uint64_t packets)
{
	unsigned i;

	engine->now.packet = packets + 1;
	engine->now.by_packet = false;
	engine->now.deadline_ns = INT64_MAX;
	for (i = 0; i < ENGINE_SHARDS; i++) {
		if (engine->shards[i] != NULL) {
			shard_sort(engine->shards[i]);
		}
	}
}

bool engine_finish_one(struct engine *engine)
{
	struct shard *first = NULL;
	uint64_t packet = 0;
	unsigned i;

	for (i = 0; i < ENGINE_SHARDS; i++) {
		struct shard *shard = engine->shards[i];

		if (shard != NULL && shard->sorted.next != 0) {
			uint64_t own = shard_first_packet(shard, shard->sorted.next - 1);

			if (first == NULL || own < packet) {
				first = shard;
				packet = own;
			}
		}
	}
	if (first != NULL) {
		struct flow *flow = shard_pop_sorted(first);

		if (flow != NULL) {
			tcp_finalise(engine, flow, WEIR_CLOSE_END);
		}
	}
	return first != NULL;
}

void engine_finish(struct engine *engine, uint64_t packets)
{
	engine_finish_begin(engine, packets);
	while (engine_finish_one(engine)) {
	}
}

/* ---- figures ---- */

void engine_stats_add(struct engine_stats *to, const struct engine_stats *from)
{
	/* nothing but uint64_t in there */
	uint64_t *a = (uint64_t *)to;
	const uint64_t *b = (const uint64_t *)from;
	size_t i;

	_Static_assert(sizeof(struct engine_stats) % sizeof(uint64_t) == 0,
		       "all counters are uint64_t");
	for (i = 0; i < sizeof(*to) / sizeof(uint64_t); i++) {
		a[i] += b[i];
	}
}

void engine_get_stats(struct engine *engine, struct engine_stats *ret)
{
	unsigned i;
	uint32_t k;

	tomb_expire_all(engine->shards, ENGINE_SHARDS, engine->clock_ns);
	*ret = engine->stats;
	for (i = 0; i < ENGINE_SHARDS; i++) {
		struct shard *shard = engine->shards[i];

		if (shard == NULL) {
			continue;
		}
		ret->budget_used += shard->budget.used;
		ret->budget_peak += shard->budget.peak;
		engine_stats_add(ret, shard->figures);
		for (k = 0; k < shard->nblocks * SHARD_BLOCK; k++) {
			if (shard->blocks[k / SHARD_BLOCK].flows != NULL &&
			    shard_flow(shard, k)->shard != NULL) {
				tcp_add_figures(ret, shard_flow(shard, k));
			}
		}
	}
	ret->budget_used += engine->budget.used;
	ret->budget_peak += engine->budget.peak;
}

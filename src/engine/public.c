/* SPDX-License-Identifier: Apache-2.0 */
/* The public engine: life, packets and time, sinks, figures. See include/weir/engine.h and public.h. */
#include "engine/public.h"

#include <string.h>

#include "weir/error.h"

enum {
	MEMORY_MIN = 4 << 20,
	DATAGRAM_LIMIT = 1 << 20, /* bytes of datagrams put together for one packet, at most */
	DATAGRAM_BLOCKS = 1
};

const char *weir_version(void)
{
	return WEIR_PROJECT_VERSION;
}

/* ---- records ---- */

static void on_record(void *context, const struct weir_record *rec)
{
	struct weir_engine *engine = context;
	bool interim = weir_record_has(rec, WEIR_F_FINAL) && rec->values[WEIR_F_FINAL].v.u64 == 0;
	struct weir_event event = {.type = WEIR_EVENT_RECORD, .record = rec};
	size_t i;

	if (public_queues(engine, WEIR_EVENT_RECORD)) {
		public_queue_add(engine, NULL, &event);
	} else if (engine->callbacks.record != NULL) {
		engine->callbacks.record(engine->callbacks.context, rec);
	}
	for (i = 0; i < engine->nsinks; i++) {
		int err;

		if (interim && !engine->sinks[i].type->interim) {
			continue;
		}
		err = engine->sinks[i].type->record(engine->sinks[i].sink, rec);
		if (err < 0) {
			engine->sink_errors++;
			engine->sink_error = engine->sink_error < 0 ? engine->sink_error : err;
		}
	}
}

static bool takes_records(const struct weir_engine *engine)
{
	return public_queues(engine, WEIR_EVENT_RECORD) || engine->callbacks.record != NULL ||
	       engine->nsinks > 0;
}

static bool wants(void *context, const struct weir_schema *schema, size_t field)
{
	struct weir_engine *engine = context;
	const struct weir_callbacks *callbacks = &engine->callbacks;
	size_t i;

	if (public_queues(engine, WEIR_EVENT_RECORD)) {
		return true;
	}
	if (callbacks->record != NULL &&
	    (callbacks->wants == NULL || callbacks->wants(callbacks->context, schema, field))) {
		return true;
	}
	for (i = 0; i < engine->nsinks; i++) {
		const struct weir_sink_type *type = engine->sinks[i].type;

		if (type->wants == NULL || type->wants(engine->sinks[i].sink, schema, field)) {
			return true;
		}
	}
	return false;
}

/* ---- life ---- */

int weir_engine_new(const struct weir_config *config, const struct weir_callbacks *callbacks,
		    struct weir_engine **ret)
{
	struct weir_config defaults;
	struct engine_options options = {
		.nworkers = 1, .record = on_record, .wants = wants, .observer = &public_observer};
	struct weir_engine *engine;
	struct budget budget;
	int err;

	weir_config_init(&defaults);
	if (config == NULL) {
		config = &defaults;
	}
	if (config->memory < MEMORY_MIN || !engine_policies_are_valid(config)) {
		return WEIR_EINVAL;
	}
	budget_init(&budget, SIZE_MAX, config->allocator);
	engine = budget_calloc(&budget, 1, sizeof(*engine));
	if (engine == NULL) {
		return WEIR_ENOMEM;
	}
	engine->budget = budget;
	engine->config = *config;
	if (callbacks != NULL) {
		engine->callbacks = *callbacks;
	}
	budget_init(&engine->datagram_budget, DATAGRAM_LIMIT, config->allocator);
	arena_pool_init(&engine->datagrams, &engine->datagram_budget, DATAGRAM_BLOCKS);
	options.config = &engine->config;
	options.context = engine;
	options.wants_context = engine;
	options.observer_context = engine;
	options.seed = config->hash_seed;
	err = front_init(&engine->front, &engine->config, config->hash_seed, NULL, 0);
	if (err == 0) {
		err = engine_new(&options, &engine->engine);
	}
	if (err < 0) {
		weir_engine_free(engine);
		return err;
	}
	*ret = engine;
	return 0;
}

void weir_engine_free(struct weir_engine *engine)
{
	struct budget budget;
	size_t i;

	if (engine == NULL || engine->busy) {
		return;
	}
	engine->freeing = true;
	engine->busy = true;
	engine_free(engine->engine);
	for (i = 0; i < engine->nsinks; i++) {
		if (engine->sinks[i].tap != NULL) {
			engine->sinks[i].type->tap->close(engine->sinks[i].tap);
		}
		(void)engine->sinks[i].type->close(engine->sinks[i].sink);
	}
	public_queue_fini(engine);
	front_fini(&engine->front);
	arena_pool_fini(&engine->datagrams);
	budget = engine->budget;
	budget_free(&budget, engine, sizeof(*engine));
}

int weir_engine_add_parser(struct weir_engine *engine, const struct weir_parser *parser)
{
	if (engine->started) {
		return WEIR_EINVAL;
	}
	return engine_add_parser(engine->engine, parser);
}

/* The sink is open: connect its tap. */
static int add_tap(struct weir_engine *engine, struct public_sink *sink)
{
	int err = sink->type->tap->open(sink->sink, &sink->tap);

	if (err == 0) {
		err = engine_add_tap(engine->engine, sink->type->tap, sink->tap);
		if (err < 0) {
			sink->type->tap->close(sink->tap);
		}
	}
	return err;
}

int weir_engine_add_sink(struct weir_engine *engine, const struct weir_sink_type *type,
			 const struct weir_sink_config *config, const char **ret_message)
{
	static const char *const none[] = {NULL};
	struct weir_sink_config own = {.target = "", .keys = none, .values = none};
	struct public_sink sink = {.type = type};
	const char *message = NULL;
	int err;

	if (engine->started) {
		return WEIR_EINVAL;
	}
	if (engine->nsinks == PUBLIC_SINKS) {
		return WEIR_ELIMIT;
	}
	if (config != NULL) {
		own = *config;
	}
	if (own.schemas == NULL) {
		own.schemas = engine->engine->schemas;
	}
	err = type->open(&own, &sink.sink, &message);
	if (err == 0 && type->tap != NULL) {
		err = add_tap(engine, &sink);
		if (err < 0) {
			(void)type->close(sink.sink);
		}
	}
	if (err < 0) {
		if (ret_message != NULL) {
			*ret_message = message != NULL ? message : weir_strerror(err);
		}
		return err;
	}
	engine->sinks[engine->nsinks++] = sink;
	return 0;
}

/* ---- packets and time ---- */

/* What is wanted is settled now. */
static void start(struct weir_engine *engine)
{
	const struct weir_callbacks *callbacks = &engine->callbacks;
	unsigned bytes = 1u << WEIR_EVENT_DATA | 1u << WEIR_EVENT_GAP | 1u << WEIR_EVENT_END;

	engine->started = true;
	engine_find_wanted(engine->engine);
	if (callbacks->data != NULL || callbacks->gap != NULL || callbacks->end != NULL ||
	    (engine->queue.types & bytes) != 0) {
		engine->default_want |= WEIR_WANT_BYTES;
	}
	if (takes_records(engine) || engine->default_want == 0) {
		engine->default_want |= WEIR_WANT_RECORDS;
	}
}

static int enter(struct weir_engine *engine)
{
	if (engine->busy || engine->finishing) {
		return WEIR_EINVAL;
	}
	if (!engine->started) {
		start(engine);
	}
	engine->busy = true;
	return 0;
}

/* Run timers due by a time; false: the queue is full. */
static bool run_timers(struct weir_engine *engine, int64_t clock_ns)
{
	if (engine->queue.types == 0) {
		return true; /* the engine does that */
	}
	do {
		if (public_queue_is_full(engine)) {
			return false;
		}
	} while (engine_run_timer(engine->engine, engine->front.index + 1, clock_ns));
	return true;
}

int weir_engine_push(struct weir_engine *engine, const struct weir_packet *packet)
{
	struct weir_arena arena;
	struct item item;
	int err = enter(engine);

	if (err < 0) {
		return err;
	}
	if (!run_timers(engine, front_clock(&engine->front, packet->ts_ns))) {
		engine->busy = false;
		return WEIR_ELIMIT;
	}
	arena_init(&arena, &engine->datagrams);
	if (front_push(&engine->front, packet, &arena, &item) == 1) {
		engine_items(engine->engine, &item, 1);
	}
	engine->datagrams_lost += arena.failed;
	arena_fini(&arena);
	engine->busy = false;
	return 0;
}

int weir_engine_tick(struct weir_engine *engine, int64_t now_ns)
{
	int err = enter(engine);

	if (err < 0) {
		return err;
	}
	if (!engine->front.clock_set || now_ns > engine->front.clock_ns) {
		if (!run_timers(engine, now_ns)) {
			err = WEIR_ELIMIT;
		} else {
			front_tick(&engine->front, now_ns);
			engine_tick(engine->engine, engine->front.index + 1, now_ns);
		}
	}
	engine->busy = false;
	return err;
}

int weir_engine_flush_older(struct weir_engine *engine, int64_t before_ns, struct weir_flushed *ret)
{
	struct engine_flushed flushed = {0};
	int err = enter(engine);
	bool more = true;

	if (err < 0) {
		return err;
	}
	while (more && !public_queue_is_full(engine)) {
		more = engine_flush_some(engine->engine, engine->front.index + 1, before_ns,
					 &engine->flush_at, &flushed);
	}
	if (!more) {
		engine->flush_at = 0;
	}
	if (ret != NULL) {
		ret->flows = flushed.flows;
		ret->gaps = flushed.gaps;
		ret->gap_bytes = flushed.gap_bytes;
		ret->closed = flushed.closed;
	}
	engine->busy = false;
	return more ? WEIR_ELIMIT : 0;
}

void public_finish_more(struct weir_engine *engine)
{
	size_t i;

	engine->busy = true;
	while (!engine->finished && !public_queue_is_full(engine)) {
		engine->finished = !engine_finish_one(engine->engine);
	}
	for (i = 0; engine->finished && i < engine->nsinks; i++) {
		int err = engine->sinks[i].type->flush(engine->sinks[i].sink);

		if (err < 0) {
			engine->sink_errors++;
			engine->sink_error = engine->sink_error < 0 ? engine->sink_error : err;
		}
	}
	engine->busy = false;
}

int weir_engine_finish(struct weir_engine *engine)
{
	int err = enter(engine);

	if (err < 0) {
		return err;
	}
	engine->finishing = true;
	engine_finish_begin(engine->engine, engine->front.index);
	public_finish_more(engine);
	return engine->sink_error;
}

/* ---- figures ---- */

static void copy_figures(const struct engine_stats *from, struct weir_stats *to)
{
	size_t i;

	to->segments = from->segments;
	to->flows = from->flows;
	memcpy(to->flows_ended, from->ended, sizeof(to->flows_ended));
	to->flows_refused = from->refused_flows;
	to->flows_ignored = from->ignored_flows;
	to->ignored_segments = from->ignored_segments;
	to->ignored_bytes = from->ignored_bytes;
	to->ledger = from->ledger;
	memcpy(to->gap_bytes, from->gap_cause_bytes, sizeof(to->gap_bytes));
	to->retransmits = from->retransmits;
	to->out_of_order = from->out_of_order;
	to->overlap_conflicts = from->overlap_conflicts;
	for (i = 0; i < ENGINE_MAX_SCHEMAS; i++) {
		to->records += from->records[i];
	}
	to->records_interim = from->interim;
	to->records_lost = from->records_no_memory;
	to->anomalies = from->anomalies;
	to->unknown_flows = from->unknown_flows;
	to->evicted_half_open = from->evicted_half_open;
	to->evicted_holes = from->evicted_holes;
	to->evicted_flows = from->evicted_flows;
	to->memory_used = from->budget_used;
	to->memory_peak = from->budget_peak;
}

void weir_engine_stats(const struct weir_engine *engine, struct weir_stats *ret, size_t size)
{
	const struct front_stats *front = &engine->front.stats;
	const struct budget *others[] = {&engine->budget, &engine->datagram_budget,
					 &engine->front.budget, &engine->queue.budget};
	struct engine_stats stats;
	struct weir_stats all = {0};
	size_t i;

	engine_get_stats(engine->engine, &stats);
	copy_figures(&stats, &all);
	all.packets = front->packets;
	all.bytes = front->bytes;
	all.wire_bytes = front->wire_bytes;
	all.damaged = front->kinds[LAYERS_BAD];
	all.datagrams_lost = engine->datagrams_lost;
	all.held_dropped = engine->held_dropped;
	all.events_lost = engine->queue.lost;
	all.sink_errors = engine->sink_errors;
	all.clock_ns = engine->front.clock_ns;
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		all.memory_used += others[i]->used;
		all.memory_peak += others[i]->peak;
	}
	memset(ret, 0, size);
	memcpy(ret, &all, size < sizeof(all) ? size : sizeof(all));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a parser may ask of the engine: the weir_host_* calls of include/weir/parser.h. */
#include <string.h>

#include "base/pack.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "record/record.h"
#include "weir/parser.h"

const struct weir_config *weir_host_config(const struct weir_host *host)
{
	return host->engine->options.config;
}

const struct weir_flow_info *weir_host_flow(const struct weir_host *host)
{
	return engine_info(host->engine, host->flow);
}

int64_t weir_host_now(const struct weir_host *host)
{
	return host->engine->clock_ns;
}

/* Handshake, or the smoothed times of both directions: each side of the capture point sees its part of the round trip. */
static int64_t rtt_of(const struct flow *flow)
{
	int64_t sum = flow->side[0].rtt_ns + flow->side[1].rtt_ns;

	if (flow->side[0].rtt_ns != 0 && flow->side[1].rtt_ns != 0) {
		return sum;
	}
	if (flow->tcp.syn_seen && flow->tcp.handshake_ack_ns > flow->first_ts_ns) {
		return flow->tcp.handshake_ack_ns - flow->first_ts_ns;
	}
	return sum > 0 ? sum : -1;
}

void weir_host_figures(const struct weir_host *host, struct weir_tcp_figures *ret)
{
	const struct flow *flow = host->flow;
	int side;

	memset(ret, 0, sizeof(*ret));
	ret->rtt_ns = rtt_of(flow);
	for (side = 0; side < 2; side++) {
		ret->retransmits += flow->side[side].retransmits;
		ret->out_of_order += flow->side[side].out_of_order;
		ret->gaps += flow->side[side].gaps;
	}
}

uint64_t weir_host_skip_left(const struct weir_host *host, enum weir_direction dir)
{
	return host->flow->session->dir[dir].skip;
}

int weir_host_reset_by(const struct weir_host *host)
{
	const struct tcp_state *tcp = &host->flow->tcp;

	if (tcp->phase != TCP_RESET) {
		return -1;
	}
	return tcp->reset_side == tcp->client ? WEIR_C2S : WEIR_S2C;
}

void *weir_host_alloc(struct weir_host *host, size_t size)
{
	return budget_alloc(&host->flow->shard->budget, size);
}

void weir_host_free(struct weir_host *host, void *ptr, size_t size)
{
	budget_free(&host->flow->shard->budget, ptr, size);
}

struct weir_record *weir_host_record(struct weir_host *host, const struct weir_schema *schema,
				     int64_t ts_ns)
{
	struct weir_record *rec = engine_record(host->engine, host->flow, schema, ts_ns);

	if (rec != NULL && host->flow->session->parser != NULL) {
		weir_record_set_static(rec, WEIR_F_NETWORK_PROTOCOL_NAME, schema->type);
	}
	return rec;
}

void weir_host_emit(struct weir_host *host, struct weir_record *rec)
{
	engine_emit(host->engine, host->flow, rec);
	record_free(rec);
}

void weir_host_emit_interim(struct weir_host *host, struct weir_record *rec)
{
	struct weir_arena arena;
	struct weir_record *copy;

	/* masking and numbering work on a copy: the record itself goes on growing */
	arena_init(&arena, &host->flow->shard->arenas);
	copy = record_copy(rec, &arena);
	if (copy == NULL) {
		host->engine->stats.records_no_memory++;
	} else {
		weir_record_set_bool(copy, WEIR_F_FINAL, false);
		engine_emit(host->engine, host->flow, copy);
	}
	arena_fini(&arena);
}

void weir_host_drop(struct weir_host *host, struct weir_record *rec)
{
	(void)host;
	record_free(rec);
}

size_t weir_host_pack_record(const struct weir_host *host, const struct weir_record *rec, void *to,
			     size_t room)
{
	struct pack pack;

	pack_to(&pack, to, room);
	record_pack(&pack, rec, engine_info(host->engine, host->flow));
	return pack.failed ? 0 : (size_t)(pack.at - (uint8_t *)to);
}

struct weir_record *weir_host_unpack_record(struct weir_host *host,
					    const struct weir_schema *schema, const void *from,
					    size_t len, size_t *ret_used)
{
	struct engine *engine = host->engine;
	size_t which = engine_schema_index(engine, schema);
	struct weir_record *rec = NULL;
	struct pack pack;

	pack_from(&pack, from, len);
	if (record_unpack(&pack, &host->flow->shard->arenas, schema,
			  which < ENGINE_MAX_SCHEMAS ? engine->wanted[which] : NULL,
			  engine_info(engine, host->flow), &rec) < 0) {
		engine->stats.records_no_memory++;
	}
	*ret_used = (size_t)(pack.at - (const uint8_t *)from);
	return rec;
}

bool weir_host_wants(const struct weir_host *host, const struct weir_schema *schema, size_t field)
{
	size_t which = engine_schema_index(host->engine, schema);

	return which >= ENGINE_MAX_SCHEMAS ||
	       ((host->engine->wanted[which][field >> 6] >> (field & 63)) & 1);
}

/* ---- bodies for a tap ---- */

/* One body on its way to the tap. */
struct host_body {
	struct engine *engine;
	struct weir_host *host; /* its flow may come to be elsewhere */
	void *body;             /* the tap's own */
};

static void body_data(void *context, bool wire, const uint8_t *p, size_t len)
{
	struct host_body *body = context;
	const struct engine_options *options = &body->engine->options;

	if (options->tap->body_data(options->tap_instance, body->body, wire, p, len) < 0) {
		body->engine->stats.tap_errors++;
	}
}

static void body_raw(void *context)
{
	struct host_body *body = context;
	const struct engine_options *options = &body->engine->options;

	options->tap->body_raw(options->tap_instance, body->body);
}

static void body_gap(void *context, uint64_t length)
{
	struct host_body *body = context;
	const struct engine_options *options = &body->engine->options;

	options->tap->body_gap(options->tap_instance, body->body, length);
}

static void body_end(void *context, enum weir_direction dir, bool whole,
		     const struct weir_record *message)
{
	struct host_body *body = context;
	const struct engine_options *options = &body->engine->options;
	struct weir_record *rec = NULL;

	if (message != NULL) {
		rec = engine_record(body->engine, body->host->flow,
				    options->tap->body_schema != NULL ? options->tap->body_schema
								      : options->tap->schema,
				    weir_record_has(message, WEIR_F_TS)
					    ? message->values[WEIR_F_TS].v.i64
					    : body->engine->clock_ns);
	}
	if (options->tap->body_end(options->tap_instance, body->body, dir, whole,
				   rec == NULL ? NULL : message, rec)) {
		engine_emit(body->engine, body->host->flow, rec);
	}
	record_free(rec);
	budget_free(&body->host->flow->shard->budget, body, sizeof(*body));
}

bool weir_host_body(struct weir_host *host, struct weir_body_out *ret)
{
	struct engine *engine = host->engine;
	const struct engine_options *options = &engine->options;
	struct host_body *body;

	if (options->tap_instance == NULL || options->tap->body_open == NULL) {
		return false;
	}
	body = weir_host_alloc(host, sizeof(*body));
	if (body == NULL) {
		engine->stats.tap_errors++;
		return false;
	}
	body->engine = engine;
	body->host = host;
	body->body =
		options->tap->body_open(options->tap_instance, engine_info(engine, host->flow));
	if (body->body == NULL) {
		engine->stats.tap_errors++;
		weir_host_free(host, body, sizeof(*body));
		return false;
	}
	*ret = (struct weir_body_out){body_data, body_raw, body_gap, body_end, body};
	return true;
}

void weir_host_anomaly(struct weir_host *host, struct weir_record *rec,
		       const struct weir_anomaly *what, enum weir_direction dir, uint64_t offset)
{
	engine_anomaly(host->engine, host->flow, rec, what, dir, offset);
}

void weir_host_tick(struct weir_host *host, int64_t delay_ns)
{
	struct flow *flow = host->flow;

	flow->tick_ns = delay_ns == 0 ? TIMER_NONE : host->engine->clock_ns + delay_ns;
	if (delay_ns != 0 && flow->ended == 0) {
		engine_arm(host->engine, flow);
	}
}

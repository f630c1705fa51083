/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reassembly calls back for a flow: bytes, gaps, conflicting copies and the end of a direction go to the flow's session,
 * to the tap and to the observer.
 */
#include "engine/tcp.h"

#include "engine/engine.h"
#include "engine/session.h"

const struct weir_anomaly tcp_overlap_conflict = {
	"tcp.overlap_conflict", "high", "RFC 9293 section 3.10.7.4",
	"bytes were sent twice with different content: the copy that lost is not in the stream"};

static void settle_roles(struct engine *engine, struct flow *flow, uint8_t side,
			 const struct weir_chunk *chunk)
{
	flow->role_fixed = 1;
	if (flow->tcp.role < TCP_ROLE_SYN_ACK) {
		int client = session_roles(engine, chunk->data, chunk->len, flow->tuple.port[side],
					   flow->tuple.port[!side],
					   flow->tcp.role == TCP_ROLE_FIRST_SENDER);

		if (client >= 0) {
			flow->tcp.client = client ? side : !side;
			flow->tcp.role = TCP_ROLE_PAYLOAD;
		}
	}
}

static void on_data(void *owner, struct reasm_half *half, const struct weir_chunk *chunk)
{
	struct flow *flow = owner;
	struct engine *engine = flow->shard->engine;
	const struct engine_options *options = &engine->options;
	enum weir_direction dir;

	if (flow->ignored != FLOW_WANTED) {
		return;
	}
	if (!flow->role_fixed) {
		settle_roles(engine, flow, half->dir, chunk);
	}
	dir = flow_direction(flow, half->dir);
	if (options->tap_instance != NULL &&
	    options->tap->data(options->tap_instance, &flow->tap_state, engine_info(engine, flow),
			       dir, chunk) < 0) {
		engine->stats.tap_errors++;
	}
	if (options->observer != NULL) {
		options->observer->data(options->observer_context, flow, dir, chunk);
		if (flow->unparsed || flow->ignored != FLOW_WANTED) {
			return;
		}
	}
	if (flow->session == NULL && flow->ended == 0) {
		flow->session = session_new(engine, flow);
	}
	if (flow->session != NULL) {
		session_data(flow->session, dir, chunk);
	}
}

static void on_gap(void *owner, struct reasm_half *half, uint64_t offset, uint64_t length,
		   enum weir_gap_cause cause, const struct weir_mark *mark)
{
	struct flow *flow = owner;
	struct engine *engine = flow->shard->engine;
	const struct engine_options *options = &engine->options;
	enum weir_direction dir = flow_direction(flow, half->dir);

	flow->side[half->dir].gaps++;
	flow->side[half->dir].gap_causes |= (uint8_t)(1u << cause);
	engine->stats.gap_causes[cause]++;
	engine->stats.gap_cause_bytes[cause] += length;
	flow->role_fixed = 1;
	if (flow->ignored != FLOW_WANTED) {
		return;
	}
	if (options->tap_instance != NULL &&
	    options->tap->gap(options->tap_instance, &flow->tap_state, engine_info(engine, flow),
			      dir, offset, length, cause) < 0) {
		engine->stats.tap_errors++;
	}
	if (options->observer != NULL) {
		options->observer->gap(options->observer_context, flow, dir, offset, length, cause);
		if (flow->unparsed || flow->ignored != FLOW_WANTED) {
			return;
		}
	}
	if (flow->session == NULL && flow->ended == 0) {
		flow->session = session_new(engine, flow);
	}
	if (flow->session != NULL) {
		session_gap(flow->session, dir, offset, length, cause);
	}
}

static void on_overlap(void *owner, struct reasm_half *half, uint64_t offset, const uint8_t *kept,
		       const uint8_t *lost, size_t len, const struct weir_mark *mark,
		       uint64_t kept_packet)
{
	struct flow *flow = owner;
	struct engine *engine = flow->shard->engine;

	struct engine_oddity oddity = {.what = &tcp_overlap_conflict,
				       .dir = flow_direction(flow, half->dir),
				       .offset = offset,
				       .evidence = lost,
				       .kept = kept,
				       .len = len,
				       .packet = kept_packet};

	engine->stats.overlap_conflicts++;
	engine_oddity(engine, flow, &oddity);
}

static void on_end(void *owner, struct reasm_half *half)
{
	struct flow *flow = owner;
	const struct engine_options *options = &flow->shard->engine->options;

	/* who is the client may still turn round before the first byte: then the end is told with the flow's */
	if (options->observer != NULL && flow->ignored == FLOW_WANTED && flow->role_fixed) {
		options->observer->end(options->observer_context, flow,
				       flow_direction(flow, half->dir), WEIR_CLOSE_FIN);
	}
	if (flow->session != NULL) {
		session_close(flow->session, flow_direction(flow, half->dir), WEIR_CLOSE_FIN);
	}
}

const struct reasm_ops tcp_reasm_ops = {
	.data = on_data,
	.gap = on_gap,
	.overlap = on_overlap,
	.end = on_end,
};

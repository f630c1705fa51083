/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a flow ends: by its two FINs, by a RST, by silence, for want of room, or because nobody wants it. Whatever the way,
 * what is missing is declared and told before the flow is gone.
 */
#include "engine/tcp.h"

#include <assert.h>

#include "engine/doubt.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "engine/tcp_private.h"
#include "record/record.h"

int64_t tcp_idle_deadline(const struct engine *engine, const struct flow *flow)
{
	const struct weir_config *config = engine->options.config;

	if (flow->ended != 0) {
		return flow->ended_ns + config->tombstone_ns;
	}
	switch (flow->tcp.phase) {
	case TCP_NONE:
	case TCP_SYN:
	case TCP_SYN_ACK:
		return flow->last_ns + config->half_open_ns;
	case TCP_ESTABLISHED:
		return flow->last_ns + config->established_ns;
	default:
		return flow->last_ns + config->closing_ns;
	}
}

static void tap_end(struct engine *engine, struct flow *flow)
{
	const struct weir_tap_type *tap = engine->options.tap;
	int dir;

	if (engine->options.tap_instance == NULL || flow->tap_state == NULL) {
		return;
	}
	for (dir = 0; dir < 2; dir++) {
		struct weir_record *rec =
			engine_record(engine, flow, tap->schema, flow->first_ts_ns);

		if (rec != NULL &&
		    tap->end(engine->options.tap_instance, &flow->tap_state,
			     engine_info(engine, flow), (enum weir_direction)dir, rec)) {
			engine_emit(engine, flow, rec);
		}
		record_free(rec);
	}
	tap->done(engine->options.tap_instance, &flow->tap_state);
}

static void observe_end(struct engine *engine, struct flow *flow, enum weir_close how)
{
	const struct engine_options *options = &engine->options;
	int dir;

	for (dir = 0; options->observer != NULL && dir < 2; dir++) {
		uint8_t side = flow_sender(flow, (enum weir_direction)dir);

		if (flow->ignored == FLOW_WANTED) {
			options->observer->end(options->observer_context, flow,
					       (enum weir_direction)dir,
					       flow->half[side].fin_known ? WEIR_CLOSE_FIN : how);
		}
	}
}

static void observe_closed(struct engine *engine, struct flow *flow, int how)
{
	const struct engine_options *options = &engine->options;

	if (options->observer != NULL) {
		options->observer->closed(options->observer_context, flow,
					  flow->ignored == FLOW_WANTED ? how : -1);
	}
}

void tcp_end(struct engine *engine, struct flow *flow, enum weir_close how)
{
	enum weir_gap_cause cause = how == WEIR_CLOSE_EVICTED ? WEIR_GAP_BUDGET : WEIR_GAP_END;
	struct reasm_pool *pool = &flow->shard->reasm;
	uint8_t client = flow->tcp.client;

	assert(flow->ended == 0);
	engine->stats.offloaded += doubt_finish(flow, engine->clock_ns,
						how == WEIR_CLOSE_END || how == WEIR_CLOSE_TIMEOUT);
	tcp_take_lone_syn(engine, flow, how);
	reasm_half_finish(&flow->half[client], pool, flow, cause, engine->clock_ns);
	reasm_half_finish(&flow->half[!client], pool, flow, cause, engine->clock_ns);
	shard_update_waiting(flow->shard, flow);
	observe_end(engine, flow, how);
	if (flow->session != NULL) {
		session_close(flow->session, WEIR_C2S, how);
		session_close(flow->session, WEIR_S2C, how);
		session_free(flow->session);
		flow->session = NULL;
	}
	tap_end(engine, flow);
	observe_closed(engine, flow, (int)how);
	tcp_drop_candidates(flow);
	flow->ended = (uint8_t)(how + 1);
	flow->ended_ns = engine->clock_ns;
	flow->tick_ns = TIMER_NONE;
	engine->stats.ended[how]++;
	engine_arm(engine, flow);
	if (how == WEIR_CLOSE_FIN) {
		tomb_expect(flow->shard);
	}
}

void tcp_finalise(struct engine *engine, struct flow *flow, enum weir_close how)
{
	struct shard *shard = flow->shard;

	if (flow->ignored == FLOW_IGNORE_ASKED && flow->ended == 0) {
		tcp_ignore(engine, flow);
	}
	if (flow->ended == 0 && flow->ignored == FLOW_WANTED) {
		tcp_end(engine, flow, flow->reset_ns != 0 ? WEIR_CLOSE_RST : how);
	}
	/* a SYN, or a segment of doubtful checksum, may have come to the tombstone */
	tcp_drop_candidates(flow);
	(void)doubt_finish(flow, engine->clock_ns, false);
	if (flow->ignored == FLOW_WANTED) {
		tcp_emit_record(engine, flow);
	}
	engine_forget_oddities(flow);
	tcp_add_figures(&engine->stats, flow);
	if (flow->ended == WEIR_CLOSE_FIN + 1 || flow->ended == WEIR_CLOSE_RST + 1) {
		tomb_expire(shard, engine->clock_ns); /* they are to be remembered before */
		shard_remember(shard, flow->hash, flow->ended_ns, flow->input);
	}
	reasm_half_fini(&flow->half[0], &shard->reasm);
	reasm_half_fini(&flow->half[1], &shard->reasm);
	if (engine->infos[flow->first_packet % ENGINE_INFOS].info.first_packet ==
	    flow->first_packet) {
		engine->infos[flow->first_packet % ENGINE_INFOS].info.first_packet = 0;
	}
	shard_remove(shard, flow);
}

bool tcp_count_lone_syn(struct engine *engine, enum weir_close how)
{
	if (!tcp_count_record(engine)) {
		return false;
	}
	engine->stats.ended[how]++;
	return true;
}

/* ---- flows that the observer does not want ---- */

void tcp_ignore(struct engine *engine, struct flow *flow)
{
	struct shard *shard = flow->shard;
	int side;

	assert(flow->ended == 0);
	(void)doubt_finish(flow, engine->clock_ns, false);
	tcp_drop_candidates(flow);
	session_free(flow->session);
	flow->session = NULL;
	tap_end(engine, flow);
	observe_closed(engine, flow, -1);
	for (side = 0; side < 2; side++) {
		if (reasm_half_waits(&flow->half[side])) {
			reasm_half_drop(&flow->half[side], &shard->reasm);
		}
	}
	shard_update_waiting(shard, flow);
	tcp_add_figures(&engine->stats, flow);
	for (side = 0; side < 2; side++) {
		reasm_half_fini(&flow->half[side], &shard->reasm);
		reasm_half_init(&flow->half[side], (uint8_t)side);
	}
	flow->ignored = FLOW_IGNORED;
	flow->tick_ns = TIMER_NONE;
	flow->reset_ns = 0;
	engine->stats.ignored_flows++;
	engine_arm(engine, flow);
}

/* ---- time ---- */

static void run_timer(struct engine *engine, struct flow *flow, int64_t deadline_ns)
{
	if (flow->ended == 0) {
		tcp_poll_holes(flow, deadline_ns, false);
		if (flow->tick_ns <= deadline_ns && flow->last_ns > deadline_ns) {
			/* its packet was ahead of a clock that catches up now: not in steps of seconds through the years */
			flow->tick_ns = flow->last_ns;
		} else if (flow->tick_ns <= deadline_ns) {
			flow->tick_ns = TIMER_NONE;
			if (flow->session != NULL) {
				session_tick(flow->session);
			}
		}
		if (flow->half[0].ended && flow->half[1].ended) {
			tcp_end(engine, flow, WEIR_CLOSE_FIN);
			return;
		}
		if (flow->reset_ns != 0 && flow->reset_ns <= deadline_ns) {
			tcp_end(engine, flow, WEIR_CLOSE_RST);
			return;
		}
	}
	if (tcp_idle_deadline(engine, flow) <= deadline_ns) {
		tcp_finalise(engine, flow,
			     flow->tcp.rst_ignored ? WEIR_CLOSE_RST : WEIR_CLOSE_TIMEOUT);
		return;
	}
	engine_arm(engine, flow);
}

void tcp_timer(struct engine *engine, struct flow *flow, int64_t deadline_ns)
{
	struct shard *shard = flow->shard;

	run_timer(engine, flow, deadline_ns);
	if (flow->shard == shard && flow->ignored == FLOW_IGNORE_ASKED && flow->ended == 0) {
		tcp_ignore(engine, flow);
	}
}

void tcp_flush(struct engine *engine, struct flow *flow, int64_t before_ns,
	       struct engine_flushed *ret)
{
	struct reasm_pool *pool = &flow->shard->reasm;
	uint64_t gaps = ret->gaps;
	int side;

	for (side = 0; side < 2 && flow->ended == 0; side++) {
		struct reasm_half *half = &flow->half[side];

		while (reasm_half_oldest(half) < before_ns) {
			struct weir_ledger was, is;

			reasm_half_ledger(half, &was);
			(void)reasm_half_give_up(half, pool, flow, WEIR_GAP_AGE, engine->clock_ns);
			reasm_half_ledger(half, &is);
			if (is.gaps == was.gaps) {
				break;
			}
			ret->gaps += is.gaps - was.gaps;
			ret->gap_bytes += is.gap_bytes - was.gap_bytes;
		}
	}
	ret->flows += ret->gaps > gaps;
	shard_update_waiting(flow->shard, flow);
	if (flow->ignored == FLOW_IGNORE_ASKED && flow->ended == 0) {
		tcp_ignore(engine, flow);
	}
	if (flow->last_ns < before_ns) {
		ret->closed += flow->ended == 0 && flow->ignored == FLOW_WANTED;
		tcp_finalise(engine, flow, WEIR_CLOSE_TIMEOUT);
	} else if (flow->ended == 0 && flow->half[0].ended && flow->half[1].ended) {
		tcp_end(engine, flow, WEIR_CLOSE_FIN);
	} else {
		engine_arm(engine, flow);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One flow's TCP: see tcp.h. Decisions are flow/tcp_state's, bytes are reasm/'s; here they meet. */
#include "engine/tcp.h"

#include <assert.h>
#include <string.h>

#include "base/seqnum.h"
#include "base/time.h"
#include "engine/doubt.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "record/record.h"
#include "record/tcp_fields.h"
#include "weir/error.h"

enum {
	PUSH_TRIES = 32, /* evictions for one segment at most */
	REORDER_NS = 3 * 1000 *
		     1000 /* an older segment within this time was reordered, later it was resent */
};

const struct weir_anomaly tcp_overlap_conflict = {
	"tcp.overlap_conflict", "high", "RFC 9293 section 3.10.7.4",
	"bytes were sent twice with different content: the copy that lost is not in the stream"};
const struct weir_anomaly tcp_rst_out_of_window = {
	"tcp.rst_out_of_window", "medium", "RFC 5961 section 3.2",
	"a RST that is not exactly the next byte: an endpoint would not have believed it"};
const struct weir_anomaly ip_fragment_overlap = {
	"ip.fragment_overlap", "high", "RFC 791 section 3.2, RFC 5722",
	"fragments of a datagram overlapped with different content: the first copy was used"};

/* ---- callbacks of reassembly ---- */

static void settle_roles(struct engine *engine, struct flow *flow, uint8_t side,
			 const struct weir_chunk *chunk)
{
	flow->role_fixed = 1;
	if (flow->tcp.role < TCP_ROLE_SYN_ACK) {
		int client = session_roles(engine, chunk->data, chunk->len, flow->tuple.port[side],
					   flow->tuple.port[!side]);

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
		       const uint8_t *lost, size_t len, const struct weir_mark *mark)
{
	struct flow *flow = owner;
	struct engine *engine = flow->shard->engine;

	engine->stats.overlap_conflicts++;
	engine_anomaly(engine, flow, NULL, &tcp_overlap_conflict, flow_direction(flow, half->dir),
		       offset, lost, len);
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

/* ---- figures ---- */

static void measure_sender(struct flow *flow, const struct item *item, uint32_t before,
			   bool had_max)
{
	struct flow_side *me = &flow->side[item->side];
	const struct layers *l = &item->layers;
	uint32_t end = l->seq + l->payload_len;
	const struct reasm_half *half = &flow->half[item->side];

	if (l->payload_len == 0) {
		return;
	}
	if (!had_max || seq_leq(before, l->seq)) {
		me->snd_max_ns = item->clock_ns;
		if (me->rtt_sent_ns == 0) {
			me->rtt_sent_ns = item->ts_ns;
			me->rtt_seq = end;
		}
		return;
	}
	if (l->payload_len <= 1 && l->seq == before - 1) {
		return; /* keep-alive probe */
	}
	if (half->started && seq_lt(half->next_seq, end) &&
	    item->clock_ns - me->snd_max_ns < REORDER_NS) {
		me->out_of_order++;
	} else {
		me->retransmits++;
		me->rtt_sent_ns = 0; /* Karn: which copy will be acknowledged? */
	}
}

static void measure_ack(struct flow *flow, const struct item *item)
{
	const struct layers *l = &item->layers;
	struct flow_side *me = &flow->side[item->side];
	struct flow_side *peer = &flow->side[!item->side];
	const struct tcp_side *sent = &flow->tcp.side[!item->side];

	if (!(l->flags & LAYERS_ACK) || (l->flags & (LAYERS_SYN | LAYERS_RST))) {
		return;
	}
	if (peer->rtt_sent_ns != 0 && seq_leq(peer->rtt_seq, l->ack)) {
		int64_t sample = item->ts_ns - peer->rtt_sent_ns;

		if (sample >= 0) {
			/* RFC 6298 §2.3 */
			peer->rtt_ns = peer->rtt_ns == 0
					       ? sample
					       : peer->rtt_ns + (sample - peer->rtt_ns) / 8;
		}
		peer->rtt_sent_ns = 0;
	}
	if (l->payload_len == 0 && !(l->flags & LAYERS_FIN) && me->packets > 0 &&
	    l->ack == me->last_ack && sent->has_max && seq_lt(l->ack, sent->snd_max)) {
		me->duplicate_acks++;
	}
	me->last_ack = l->ack;
	me->zero_windows += l->window == 0;
}

/* ---- SYN candidates and their payload ---- */

static void free_candidate(struct flow *flow, struct tcp_candidate *c, uint32_t taken)
{
	struct shard *shard = flow->shard;

	if (c->data != NULL) {
		if (c->data_len > taken) {
			reasm_half_reject(&flow->half[c->side], &shard->reasm, c->data_len - taken,
					  WEIR_REJECT_SYN);
		}
		budget_free(&shard->budget, c->data, c->data_len);
	}
	memset(c, 0, sizeof(*c));
}

void tcp_drop_candidates(struct flow *flow)
{
	int i;

	if (flow->tcp.syn.data != NULL) {
		free_candidate(flow, &flow->tcp.syn, 0);
	}
	for (i = 0; i < flow->tcp.nmore; i++) {
		free_candidate(flow, &flow->tcp.more[i], 0);
	}
	budget_free(&flow->shard->budget, flow->tcp.more,
		    (TCP_MAX_CANDIDATES - 1) * sizeof(*flow->tcp.more));
	flow->tcp.more = NULL;
	flow->tcp.nmore = 0;
}

/* Keep a SYN, with its payload: false: there is no memory for it. */
static bool hold_syn(struct flow *flow, const struct item *item, const struct tcp_candidate *syn)
{
	struct shard *shard = flow->shard;
	struct tcp_state *tcp = &flow->tcp;
	struct tcp_candidate *c = &tcp->syn;
	const struct layers *l = &item->layers;

	if (c->packet != syn->packet) {
		if (tcp->more == NULL) {
			tcp->more =
				budget_calloc(&shard->budget, TCP_MAX_CANDIDATES - 1, sizeof(*c));
			if (tcp->more == NULL) {
				return false;
			}
		}
		if (tcp->nmore == TCP_MAX_CANDIDATES - 1) {
			free_candidate(flow, &tcp->more[0], 0);
			memmove(&tcp->more[0], &tcp->more[1],
				(TCP_MAX_CANDIDATES - 2) * sizeof(*c));
			tcp->nmore--;
		}
		c = &tcp->more[tcp->nmore++];
		*c = *syn;
	}
	if (l->payload_caplen == 0) {
		return true;
	}
	c->data = budget_alloc(&shard->budget, l->payload_caplen);
	if (c->data == NULL) {
		return false;
	}
	memcpy(c->data, l->payload, l->payload_caplen);
	c->data_len = (uint16_t)l->payload_caplen;
	return true;
}

void tcp_seed(struct flow *flow, const struct tcp_candidate *syn)
{
	tcp_state_seed(&flow->tcp, syn);
	flow->first_packet = syn->packet;
	flow->first_ts_ns = syn->ts_ns;
	flow->side[syn->side].packets = 1;
}

/* ---- segments ---- */

static void push(struct flow *flow, uint8_t side, const struct reasm_seg *seg)
{
	struct shard *shard = flow->shard;
	ssize_t got = reasm_half_push(&flow->half[side], &shard->reasm, flow, seg);
	int tries = 0;

	while (got < 0 && tries++ < PUSH_TRIES && shard_make_room(shard, SHARD_BYTES, flow)) {
		got = reasm_half_push(&flow->half[side], &shard->reasm, flow, seg);
	}
	if (got < 0) {
		reasm_half_reject(&flow->half[side], &shard->reasm, seg->caplen,
				  WEIR_REJECT_BUDGET);
	}
}

static uint64_t peer_ack(const struct flow *flow, const struct item *item)
{
	const struct reasm_half *half = &flow->half[!item->side];
	int64_t offset;

	if (!(item->layers.flags & LAYERS_ACK) || !half->started) {
		return WEIR_NO_ACK;
	}
	offset = reasm_half_offset(half, item->layers.ack);
	return offset < 0 ? WEIR_NO_ACK : (uint64_t)offset;
}

static void take_payload(struct flow *flow, const struct item *item, const struct tcp_verdict *v)
{
	const struct layers *l = &item->layers;
	struct reasm_half *half = &flow->half[item->side];
	struct reasm_seg seg = {
		.data = l->payload,
		.len = l->payload_len,
		.caplen = l->payload_caplen,
		.seq = l->seq + !!(l->flags & LAYERS_SYN),
		.ts_ns = item->ts_ns,
		.now_ns = item->clock_ns,
		.packet = item->index,
		.peer_ack = peer_ack(flow, item),
	};

	if (v->take_syn_data >= 0) {
		struct tcp_candidate *c = tcp_state_candidate(&flow->tcp, v->take_syn_data);

		if (v->take_syn_len > 0 && c->data != NULL) {
			struct reasm_seg syn = seg;

			syn.data = c->data;
			syn.len = v->take_syn_len;
			syn.caplen = v->take_syn_len;
			syn.seq = c->isn + 1;
			syn.ts_ns = c->ts_ns;
			syn.packet = c->packet;
			syn.peer_ack = 0;
			push(flow, c->side, &syn);
		}
		if (c->data != NULL) {
			uint32_t taken = v->take_syn_len;

			free_candidate(flow, c, taken);
		}
	}
	if (v->drop_candidates) {
		int64_t syn_ts = flow->tcp.syn.ts_ns;

		tcp_drop_candidates(flow);
		flow->tcp.syn.ts_ns = syn_ts;
	}
	if (l->payload_len == 0) {
		return;
	}
	if (v->take && half->started) {
		push(flow, item->side, &seg);
	} else if (v->doubtful && doubt_keep(flow, item->side, &seg)) {
		return; /* told when it is decided */
	} else if (l->payload_caplen > 0) {
		reasm_half_reject(half, &flow->shard->reasm, l->payload_caplen, v->cause);
	}
}

/* Declare what is due: one more packet of the flow has gone by. */
static void poll_holes(struct flow *flow, int64_t now_ns, bool packet)
{
	struct reasm_pool *pool = &flow->shard->reasm;
	int side;

	for (side = 0; side < 2; side++) {
		if (reasm_half_waits(&flow->half[side])) {
			reasm_half_poll(&flow->half[side], pool, flow, now_ns, packet);
		}
	}
	shard_update_waiting(flow->shard, flow);
}

static void take_ack(struct flow *flow, const struct item *item)
{
	struct reasm_half *half = &flow->half[!item->side];
	int64_t offset;

	/* a direction that never showed a packet is not captured: an acknowledgement makes no holes there */
	if (!half->started || flow->side[!item->side].packets == 0) {
		return;
	}
	offset = reasm_half_offset(half, item->layers.ack);
	if (offset > 0) {
		reasm_half_acked(half, &flow->shard->reasm, (uint64_t)offset, item->clock_ns);
	}
}

static void count_segment(struct engine *engine, struct flow *flow, const struct item *item)
{
	struct flow_side *me = &flow->side[item->side];

	engine->stats.segments++;
	me->packets++;
	me->bytes += item->layers.payload_caplen;
	flow->last_packet = item->index;
	flow->half[!item->side].oneway = 0; /* somebody acknowledges */
	if (!flow->has_vlan && item->layers.has_vlan) {
		flow->has_vlan = 1;
		flow->vlan_id = item->layers.vlan_id;
	}
}

static struct tcp_view view_of(const struct flow *flow)
{
	struct tcp_view view;
	int side;

	for (side = 0; side < 2; side++) {
		const struct reasm_half *half = &flow->half[side];

		view.next[side] = half->next_seq;
		view.started[side] = half->started;
		view.lossy[side] = flow->side[side].gaps > 0;
	}
	return view;
}

static void carry_out(struct engine *engine, struct flow *flow, const struct item *item,
		      const struct tcp_verdict *v)
{
	const struct layers *l = &item->layers;
	int side;

	for (side = 0; side < 2; side++) {
		if (v->start[side] && !flow->half[side].started) {
			reasm_half_start(&flow->half[side], v->start_seq[side]);
		} else if (v->start[side] && v->restart) {
			reasm_half_restart(&flow->half[side], v->start_seq[side]);
		}
	}
	if (v->hold_syn) {
		if (!hold_syn(flow, item, &v->syn) && l->payload_caplen > 0) {
			reasm_half_reject(&flow->half[item->side], &flow->shard->reasm,
					  l->payload_caplen, WEIR_REJECT_BUDGET);
		}
	} else {
		take_payload(flow, item, v);
	}
	if (v->fin && flow->half[item->side].started) {
		(void)reasm_half_fin(&flow->half[item->side], &flow->shard->reasm, flow,
				     v->fin_seq);
	}
	if (v->use_ack) {
		if (flow->doubts != NULL) {
			engine->stats.offloaded += doubt_settle(flow, item->clock_ns);
		}
		take_ack(flow, item);
	}
	if (v->rst_out_of_window) {
		engine->stats.rst_ignored++;
		engine_anomaly(engine, flow, NULL, &tcp_rst_out_of_window,
			       flow_direction(flow, item->side), flow->half[item->side].next, NULL,
			       0);
	}
	if (item->conflict) {
		engine_anomaly(engine, flow, NULL, &ip_fragment_overlap,
			       flow_direction(flow, item->side), flow->half[item->side].next, NULL,
			       0);
	}
	engine->stats.offloaded += v->offloaded;
	poll_holes(flow, item->clock_ns, true);
}

/* The next bytes of an established flow, and nothing waits anywhere: most packets. false: the long way */
static bool take_in_order(struct engine *engine, struct flow *flow, const struct item *item)
{
	const struct layers *l = &item->layers;
	struct reasm_half *half = &flow->half[item->side];
	const struct tcp_side *sender = &flow->tcp.side[item->side];
	uint32_t before = sender->snd_max;
	bool had_max = sender->has_max;

	if (flow->waiting || flow->doubts != NULL || flow->ended != 0 || flow->timer.slot == 0 ||
	    !half->started || !flow->half[!item->side].started || item->conflict ||
	    !tcp_state_in_order(&flow->tcp, l, item->side, engine->options.config->checksums,
				half->next_seq, flow->side[item->side].gaps > 0)) {
		return false;
	}
	count_segment(engine, flow, item);
	measure_ack(flow, item);
	if (l->payload_len > 0) {
		struct reasm_seg seg = {
			.data = l->payload,
			.len = l->payload_len,
			.caplen = l->payload_caplen,
			.seq = l->seq,
			.ts_ns = item->ts_ns,
			.now_ns = item->clock_ns,
			.packet = item->index,
			.peer_ack = peer_ack(flow, item),
		};

		measure_sender(flow, item, before, had_max);
		push(flow, item->side, &seg);
	}
	take_ack(flow, item);
	shard_touch(flow->shard, flow, item);
	if (reasm_half_waits(half) || reasm_half_waits(&flow->half[!item->side])) {
		/* cut by the snaplen, or acknowledged beyond: poll as for any packet that leaves something waiting */
		poll_holes(flow, item->clock_ns, true);
		engine_arm(engine, flow);
	}
	return true;
}

static bool judge(struct engine *engine, struct flow *flow, const struct item *item,
		  struct tcp_candidate *ret_syn)
{
	const struct tcp_side *sender = &flow->tcp.side[item->side];
	uint32_t before = sender->snd_max;
	bool had_max = sender->has_max;
	uint8_t phase = flow->tcp.phase;
	uint8_t client = flow->tcp.client;
	bool waited = flow->waiting;
	struct tcp_view view;
	struct tcp_verdict v;

	if (take_in_order(engine, flow, item)) {
		return true;
	}
	view = view_of(flow);
	memset(ret_syn, 0, sizeof(*ret_syn));
	tcp_state_segment(&flow->tcp, &item->layers, item->side, item->ts_ns, item->index,
			  engine->options.config->checksums, &view, &v);
	if (flow->role_fixed) {
		flow->tcp.client =
			client; /* bytes were delivered: a handshake captured late turns nothing */
	}
	if (v.new_flow) {
		if (v.with_syn) {
			int i;

			for (i = 0; i < flow->tcp.nmore; i++) {
				if (flow->tcp.more[i].packet == v.syn.packet) {
					*ret_syn = v.syn; /* its payload goes with it */
					flow->tcp.more[i].data = NULL;
				}
			}
			/* the SYN was counted here, but belongs to the new flow */
			if (flow->side[v.syn.side].packets > 0) {
				flow->side[v.syn.side].packets--;
			}
		}
		tcp_finalise(engine, flow, WEIR_CLOSE_REUSED);
		return false;
	}
	count_segment(engine, flow, item);
	measure_ack(flow, item);
	if (v.take) {
		measure_sender(flow, item, before, had_max);
	}
	carry_out(engine, flow, item, &v);
	shard_touch(flow->shard, flow, item);
	if (flow->ended != 0) {
		return true;
	}
	if (v.reset) {
		/* for a moment the capture may still bring what was sent before the RST, or before it arrived */
		flow->reset_ns = item->clock_ns + engine->options.config->reset_grace_ns;
	}
	if (flow->half[0].ended && flow->half[1].ended) {
		tcp_end(engine, flow, WEIR_CLOSE_FIN);
	} else if (flow->tcp.phase != phase || flow->timer.slot == 0 || flow->waiting || waited) {
		if (flow->tcp.phase > TCP_SYN_ACK) {
			shard_list(flow->shard, flow, FLOW_ESTABLISHED);
		}
		engine_arm(engine, flow);
	}
	return true;
}

/* ---- the end ---- */

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

/* Only one direction was captured, and nothing came after a SYN with data: nobody will say whether it was taken. */
static void take_lone_syn(struct engine *engine, struct flow *flow, enum weir_close how)
{
	struct tcp_candidate *syn = &flow->tcp.syn;
	struct reasm_seg seg = {
		.data = syn->data,
		.len = syn->data_len,
		.caplen = syn->data_len,
		.seq = syn->isn + 1,
		.ts_ns = syn->ts_ns,
		.now_ns = engine->clock_ns,
		.packet = syn->packet,
		.peer_ack = WEIR_NO_ACK,
	};

	if (syn->data == NULL || flow->tcp.phase != TCP_SYN || flow->side[!syn->side].packets > 0 ||
	    flow->tcp.nmore > 0 || (how != WEIR_CLOSE_END && how != WEIR_CLOSE_TIMEOUT)) {
		return;
	}
	if (!flow->half[syn->side].started) {
		reasm_half_start(&flow->half[syn->side], syn->isn + 1);
	}
	push(flow, syn->side, &seg);
	free_candidate(flow, syn, syn->data_len);
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
	take_lone_syn(engine, flow, how);
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
}

static void add_causes(struct weir_record *rec, const struct weir_ledger *ledger)
{
	int i;

	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		if (ledger->rejected[i] > 0) {
			const char *name = weir_reject_name((enum weir_reject)i);

			weir_record_add_str(rec, TCP_F_REJECT_CAUSES, name, strlen(name));
		}
	}
}

static uint64_t rejected_sum(const struct weir_ledger *ledger)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		sum += ledger->rejected[i];
	}
	return sum;
}

static void fill_direction(struct weir_record *rec, const struct flow *flow,
			   enum weir_direction dir)
{
	uint8_t side = flow_sender(flow, dir);
	const struct flow_side *me = &flow->side[side];
	struct weir_ledger ledger;

	reasm_half_ledger(&flow->half[side], &ledger);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_PACKETS), me->packets);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_BYTES), ledger.captured);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_DELIVERED), ledger.delivered);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_DUPLICATE), ledger.duplicate);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_OVERLAP), ledger.overlap);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_REJECTED), rejected_sum(&ledger));
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_GAP_BYTES), ledger.gap_bytes);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_GAPS), ledger.gaps);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_RETRANSMITS), me->retransmits);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_OUT_OF_ORDER), me->out_of_order);
	add_causes(rec, &ledger);
}

static void emit_tcp(struct engine *engine, struct flow *flow)
{
	struct weir_record *rec =
		engine_record(engine, flow, &record_tcp_schema, flow->first_ts_ns);
	const struct tcp_state *tcp = &flow->tcp;

	if (rec == NULL) {
		return;
	}
	weir_record_set_static(rec, TCP_F_STATE,
			       weir_close_name((enum weir_close)(flow->ended - 1)));
	weir_record_set_static(rec, TCP_F_HANDSHAKE, tcp_state_handshake(tcp));
	if (tcp->syn_seen && tcp->handshake_ack_ns != 0) {
		weir_record_set_i64(rec, TCP_F_HANDSHAKE_NS,
				    tcp->handshake_ack_ns - flow->first_ts_ns);
	}
	weir_record_set_u64(rec, WEIR_F_PACKET_FIRST, flow->first_packet);
	weir_record_set_u64(rec, WEIR_F_PACKET_LAST, flow->last_packet);
	/* the clock has not reached the first packet's time when that was a jump nobody else confirmed */
	weir_record_set_i64(rec, WEIR_F_DURATION,
			    flow->last_ns > flow->first_ts_ns ? flow->last_ns - flow->first_ts_ns
							      : 0);
	fill_direction(rec, flow, WEIR_C2S);
	fill_direction(rec, flow, WEIR_S2C);
	engine_emit(engine, flow, rec);
	record_free(rec);
}

static void add_ledger(struct weir_ledger *to, const struct weir_ledger *from)
{
	int i;

	to->captured += from->captured;
	to->delivered += from->delivered;
	to->duplicate += from->duplicate;
	to->overlap += from->overlap;
	to->pending += from->pending;
	to->gap_bytes += from->gap_bytes;
	to->gaps += from->gaps;
	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		to->rejected[i] += from->rejected[i];
	}
}

void tcp_add_figures(struct engine_stats *stats, const struct flow *flow)
{
	int side;

	if (flow->ignored == FLOW_IGNORED) {
		return; /* what it had is in the total already */
	}
	for (side = 0; side < 2; side++) {
		struct weir_ledger ledger;

		reasm_half_ledger(&flow->half[side], &ledger);
		add_ledger(&stats->ledger, &ledger);
		stats->retransmits += flow->side[side].retransmits;
		stats->out_of_order += flow->side[side].out_of_order;
		stats->duplicate_acks += flow->side[side].duplicate_acks;
		stats->zero_windows += flow->side[side].zero_windows;
	}
	stats->midstream += !flow->tcp.syn_seen && !flow->tcp.syn_ack_seen;
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
		emit_tcp(engine, flow);
	}
	tcp_add_figures(&engine->stats, flow);
	reasm_half_fini(&flow->half[0], &shard->reasm);
	reasm_half_fini(&flow->half[1], &shard->reasm);
	if (engine->info_of == flow->first_packet) {
		engine->info_of = 0;
	}
	shard_remove(shard, flow);
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

/* A segment of an ignored flow. false: it opens a new connection, and the ignored one is gone. */
static bool pass_over(struct engine *engine, struct flow *flow, const struct item *item)
{
	const struct layers *l = &item->layers;
	const struct tcp_side *sender = &flow->tcp.side[item->side];
	uint8_t phase = flow->tcp.phase;

	if ((l->flags & (LAYERS_SYN | LAYERS_ACK | LAYERS_RST)) == LAYERS_SYN &&
	    sender->isn_known && sender->isn != l->seq) {
		tcp_finalise(engine, flow, WEIR_CLOSE_REUSED);
		return false;
	}
	engine->stats.segments++;
	engine->stats.ignored_segments++;
	engine->stats.ignored_bytes += l->payload_caplen;
	if (l->flags & LAYERS_SYN) {
		flow->tcp.side[item->side].isn = l->seq;
		flow->tcp.side[item->side].isn_known = 1;
	} else if (l->flags & (LAYERS_FIN | LAYERS_RST)) {
		flow->tcp.phase = TCP_CLOSED;
	} else if (phase < TCP_ESTABLISHED) {
		flow->tcp.phase = TCP_ESTABLISHED;
	}
	shard_touch(flow->shard, flow, item);
	if (flow->tcp.phase != phase) {
		engine_arm(engine, flow);
	}
	return true;
}

bool tcp_input(struct engine *engine, struct flow *flow, const struct item *item,
	       struct tcp_candidate *ret_syn)
{
	bool ours;

	if (flow->ignored == FLOW_IGNORED) {
		memset(ret_syn, 0, sizeof(*ret_syn));
		return pass_over(engine, flow, item);
	}
	ours = judge(engine, flow, item, ret_syn);
	if (ours && flow->ignored == FLOW_IGNORE_ASKED && flow->ended == 0) {
		tcp_ignore(engine, flow);
	}
	return ours;
}

/* ---- time ---- */

static void run_timer(struct engine *engine, struct flow *flow, int64_t deadline_ns)
{
	if (flow->ended == 0) {
		poll_holes(flow, deadline_ns, false);
		if (flow->tick_ns <= deadline_ns) {
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

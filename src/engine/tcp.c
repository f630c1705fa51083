/* SPDX-License-Identifier: Apache-2.0 */
/* One flow's TCP, segment by segment: see tcp.h. Decisions are flow/tcp_state's, bytes are reasm/'s; here they meet. */
#include "engine/tcp.h"

#include <string.h>

#include "base/seqnum.h"
#include "base/time.h"
#include "engine/doubt.h"
#include "engine/engine.h"
#include "engine/tcp_private.h"
#include "weir/error.h"

enum {
	PUSH_TRIES = 32, /* evictions for one segment at most */
	REORDER_NS = 3 * 1000 *
		     1000 /* an older segment within this time was reordered, later it was resent */
};

const struct weir_anomaly tcp_rst_out_of_window = {
	"tcp.rst_out_of_window", "medium", "RFC 5961 section 3.2",
	"a RST that is not exactly the next byte: an endpoint would not have believed it"};
const struct weir_anomaly ip_fragment_overlap = {
	"ip.fragment_overlap", "high", "RFC 791 section 3.2, RFC 5722",
	"fragments of a datagram overlapped with different content: the first copy was used"};

/* ---- figures ---- */

/* It begins before the highest number that was sent: a keep-alive probe, captured out of order, or sent again. */
static __attribute__((noinline)) void measure_again(struct flow *flow, const struct item *item,
						    uint32_t before)
{
	struct flow_side *me = &flow->side[item->side];
	const struct layers *l = &item->layers;
	const struct reasm_half *half = &flow->half[item->side];

	if (l->payload_len <= 1 && l->seq == before - 1) {
		return; /* keep-alive probe */
	}
	if (half->started && seq_lt(half->next_seq, l->seq + l->payload_len) &&
	    item->clock_ns - me->snd_max_ns < REORDER_NS) {
		me->out_of_order++;
	} else {
		me->retransmits++;
		me->rtt_sent_ns = 0; /* Karn: which copy will be acknowledged? */
	}
}

static inline void measure_sender(struct flow *flow, const struct item *item, uint32_t before,
				  bool had_max)
{
	struct flow_side *me = &flow->side[item->side];
	const struct layers *l = &item->layers;
	uint16_t mss = flow->tcp.side[!item->side].mss;

	if (l->payload_len == 0) {
		return;
	}
	if (l->payload_len > mss && mss != 0) {
		flow->shard->engine->stats.above_mss++;
	}
	if (had_max && !seq_leq(before, l->seq)) {
		measure_again(flow, item, before);
		return;
	}
	me->snd_max_ns = item->clock_ns;
	if (me->rtt_sent_ns == 0) {
		me->rtt_sent_ns = item->ts_ns;
		me->rtt_seq = l->seq + l->payload_len;
	}
}

/* Of a segment with ACK and without SYN and RST. */
static inline void measure_ack(struct flow *flow, const struct item *item)
{
	const struct layers *l = &item->layers;
	struct flow_side *me = &flow->side[item->side];
	struct flow_side *peer = &flow->side[!item->side];
	const struct tcp_side *sent = &flow->tcp.side[!item->side];

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
	if (l->ack == me->last_ack && l->payload_len == 0 && !(l->flags & LAYERS_FIN) &&
	    sent->has_max && seq_lt(l->ack, sent->snd_max)) {
		me->duplicate_acks++;
	}
	me->last_ack = l->ack;
	me->zero_windows += l->window == 0;
}

/* ---- segments ---- */

void tcp_push(struct flow *flow, uint8_t side, const struct reasm_seg *seg)
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

static inline struct reasm_seg segment_of(const struct flow *flow, const struct item *item)
{
	const struct layers *l = &item->layers;

	return (struct reasm_seg){
		.data = l->payload,
		.len = l->payload_len,
		.caplen = l->payload_caplen,
		.seq = l->seq + !!(l->flags & LAYERS_SYN),
		.sum = l->payload_sum,
		.ts_ns = item->ts_ns,
		.now_ns = item->clock_ns,
		.packet = item->index,
		.peer_ack = peer_ack(flow, item),
	};
}

static void take_payload(struct flow *flow, const struct item *item, const struct tcp_verdict *v)
{
	const struct layers *l = &item->layers;
	struct reasm_half *half = &flow->half[item->side];
	struct reasm_seg seg = segment_of(flow, item);

	if (v->take_syn_data >= 0) {
		struct tcp_candidate *c = tcp_state_candidate(&flow->tcp, v->take_syn_data);

		if (v->take_syn_len > 0 && c->data != NULL) {
			struct reasm_seg syn = seg;

			syn.data = c->data;
			syn.len = v->take_syn_len;
			syn.caplen = v->take_syn_len;
			syn.seq = c->isn + 1;
			syn.sum = 0;
			syn.ts_ns = c->ts_ns;
			syn.packet = c->packet;
			syn.peer_ack = 0;
			tcp_push(flow, c->side, &syn);
		}
		if (c->data != NULL) {
			uint32_t taken = v->take_syn_len;

			tcp_free_candidate(flow, c, taken);
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
		tcp_push(flow, item->side, &seg);
	} else if (v->doubtful && doubt_keep(flow, item->side, &seg)) {
		return; /* told when it is decided */
	} else if (l->payload_caplen > 0) {
		reasm_half_reject(half, &flow->shard->reasm, l->payload_caplen, v->cause);
	}
}

/* Declare what is due: one more packet of the flow has gone by. */
void tcp_poll_holes(struct flow *flow, int64_t now_ns, bool packet)
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

/* RFC 2018 section 3: the left edge of a block, and one beyond its right edge. */
static void take_sack(struct reasm_half *half, const struct item *item)
{
	const struct layers *l = &item->layers;
	int i;

	for (i = 0; i < l->nsack; i++) {
		int64_t lo = reasm_half_offset(half, l->sack[2 * i]);
		int64_t hi = reasm_half_offset(half, l->sack[2 * i + 1]);

		if (hi > 0) {
			reasm_half_sacked(half, lo > 0 ? (uint64_t)lo : 0, (uint64_t)hi,
					  item->clock_ns);
		}
	}
}

/* Up to what was delivered an acknowledgement says nothing that was not known. */
static inline bool is_beyond(const struct reasm_half *half, uint32_t ack)
{
	return seq_lt(half->next_seq, ack);
}

static void take_ack(struct flow *flow, const struct item *item)
{
	struct reasm_half *half = &flow->half[!item->side];
	const struct layers *l = &item->layers;

	/* a direction that never showed a packet is not captured: an acknowledgement makes no holes there */
	if (!half->started || flow->side[!item->side].packets == 0) {
		return;
	}
	if (is_beyond(half, l->ack)) {
		reasm_half_acked(half, &flow->shard->reasm,
				 (uint64_t)reasm_half_offset(half, l->ack), item->clock_ns);
	}
	if (l->nsack > 0 && reasm_half_waits(half)) {
		take_sack(half, item);
	}
}

static void count_segment(struct engine *engine, struct flow *flow, const struct item *item)
{
	struct flow_side *me = &flow->side[item->side];

	engine->stats.segments++;
	me->packets++;
	me->flags |= item->layers.flags;
	me->bytes += item->layers.payload_caplen;
	flow->last_packet = item->index;
	flow->half[!item->side].oneway = 0; /* somebody acknowledges */
	if (item->layers.has_vlan && !flow->has_vlan) {
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

/* The evidence is its header: the number that did not fit, and the acknowledgement. */
static void tell_rst(struct engine *engine, struct flow *flow, const struct item *item)
{
	const struct layers *l = &item->layers;
	struct engine_oddity oddity = {.what = &tcp_rst_out_of_window,
				       .dir = flow_direction(flow, item->side),
				       .offset = flow->half[item->side].next,
				       .evidence = l->payload - l->header_len,
				       .len = l->header_len,
				       .packet = item->index,
				       .open = true};

	engine->stats.rst_ignored++;
	engine_oddity(engine, flow, &oddity);
}

static void tell_fragments(struct engine *engine, struct flow *flow, const struct item *item)
{
	const struct reasm_half *half = &flow->half[item->side];
	const struct front_conflict *conflict = item->conflict;
	int64_t at = !half->started ? 0
				    : reasm_half_offset(half, item->layers.seq) + conflict->at -
					      item->layers.header_len;
	struct engine_oddity oddity = {.what = &ip_fragment_overlap,
				       .dir = flow_direction(flow, item->side),
				       .offset = at > 0 ? (uint64_t)at : 0,
				       .evidence = conflict->lost,
				       .kept = conflict->kept,
				       .len = conflict->len,
				       .packet = item->index};

	engine_oddity(engine, flow, &oddity);
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
	if (item->conflict != NULL) {
		tell_fragments(engine, flow, item);
	}
	if (v->hold_syn) {
		if (!tcp_hold_syn(flow, item, &v->syn) && l->payload_caplen > 0) {
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
		tell_rst(engine, flow, item);
	}
	engine->stats.offloaded += v->offloaded;
	tcp_poll_holes(flow, item->clock_ns, true);
}

/* The segment was taken: has the flow moved on by it? `waited`: something waited before, or does now. */
static inline void move_on(struct engine *engine, struct flow *flow, uint8_t phase, bool waited)
{
	if (flow->ended != 0) {
		return;
	}
	if (flow->half[0].ended && flow->half[1].ended) {
		tcp_end(engine, flow, WEIR_CLOSE_FIN);
	} else if (flow->tcp.phase != phase || flow->timer.slot == 0 || waited) {
		if (flow->tcp.phase > TCP_SYN_ACK) {
			shard_list(flow->shard, flow, FLOW_ESTABLISHED);
		}
		if (flow->timer.slot == 0) {
			engine_arm_first(engine, flow);
		} else {
			engine_arm(engine, flow);
		}
	}
}

/* Its payload, and its FIN, which both are what comes next. `before`: the highest number that the sender had sent, with had_max */
static void take_bytes(struct engine *engine, struct flow *flow, const struct item *item,
		       uint32_t before, bool had_max)
{
	const struct layers *l = &item->layers;
	struct reasm_half *half = &flow->half[item->side];

	if (l->payload_len > 0) {
		struct reasm_seg seg = segment_of(flow, item);

		measure_sender(flow, item, before, had_max);
		tcp_push(flow, item->side, &seg);
	}
	if (l->flags & LAYERS_FIN) {
		(void)reasm_half_fin(half, &flow->shard->reasm, flow, l->seq + l->payload_len);
	}
}

/*
 * What comes next in a flow of which both directions have begun, and nothing waits anywhere: most packets. Such a flow has its
 * timer. false: the long way
 */
static inline bool take_in_order(struct engine *engine, struct flow *flow, const struct item *item)
{
	const struct layers *l = &item->layers;
	struct reasm_half *half = &flow->half[item->side];
	const struct reasm_half *other = &flow->half[!item->side];
	const struct tcp_side *sender = &flow->tcp.side[item->side];
	const struct tcp_here here = {.next = half->next_seq,
				      .ended = half->ended,
				      .lossy = flow->side[item->side].gaps > 0,
				      .ts_ns = item->ts_ns,
				      .checksums = engine->options.config->checksums};
	uint32_t before = sender->snd_max;
	bool had_max = sender->has_max, bytes = l->payload_len > 0 || (l->flags & LAYERS_FIN);
	uint8_t phase = flow->tcp.phase;

	if (flow->waiting || flow->doubts != NULL || !half->started || !other->started ||
	    item->conflict != NULL || !tcp_state_in_order(&flow->tcp, l, item->side, &here)) {
		return false;
	}
	count_segment(engine, flow, item);
	measure_ack(flow, item);
	if (bytes) {
		take_bytes(engine, flow, item, before, had_max);
	}
	if (is_beyond(other, l->ack)) {
		take_ack(flow, item);
	}
	shard_touch_again(flow->shard, flow, item);
	if (bytes || flow->tcp.phase != phase) {
		bool waits = reasm_half_waits(half);

		if (waits) {
			/* cut by the snaplen: poll as for any packet that leaves something waiting */
			tcp_poll_holes(flow, item->clock_ns, true);
		}
		move_on(engine, flow, phase, waits);
	}
	return true;
}

/* A candidate opens a new flow: its payload goes with it. It was counted here, but belongs there. */
static void move_syn(struct flow *flow, const struct tcp_candidate *syn,
		     struct tcp_candidate *ret_syn)
{
	int i;

	for (i = 0; i < flow->tcp.nmore; i++) {
		if (flow->tcp.more[i].packet == syn->packet) {
			*ret_syn = *syn;
			flow->tcp.more[i].data = NULL;
		}
	}
	if (flow->side[syn->side].packets > 0) {
		flow->side[syn->side].packets--;
	}
}

static __attribute__((noinline)) bool judge(struct engine *engine, struct flow *flow,
					    const struct item *item, struct tcp_candidate *ret_syn)
{
	const struct tcp_side *sender = &flow->tcp.side[item->side];
	uint32_t before = sender->snd_max;
	bool had_max = sender->has_max;
	uint8_t phase = flow->tcp.phase;
	uint8_t client = flow->tcp.client;
	bool waited = flow->waiting;
	struct tcp_view view;
	struct tcp_verdict v;

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
			move_syn(flow, &v.syn, ret_syn);
		}
		tcp_finalise(engine, flow, WEIR_CLOSE_REUSED);
		return false;
	}
	count_segment(engine, flow, item);
	if ((item->layers.flags & (LAYERS_ACK | LAYERS_SYN | LAYERS_RST)) == LAYERS_ACK) {
		measure_ack(flow, item);
	}
	if (v.take) {
		measure_sender(flow, item, before, had_max);
	}
	carry_out(engine, flow, item, &v);
	shard_touch(flow->shard, flow, item);
	if (v.reset && flow->ended == 0) {
		/* for a moment the capture may still bring what was sent before the RST, or before it arrived */
		flow->reset_ns = item->clock_ns + engine->options.config->reset_grace_ns;
	}
	move_on(engine, flow, phase, flow->waiting || waited);
	return true;
}

/* ---- flows that the observer does not want ---- */

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

	if (item->seen_ns != item->clock_ns) {
		engine->jump.flow = flow;
		engine->jump.packet = item->index;
		engine->jump.seen_ns = item->seen_ns;
		engine->jump.idle_until_ns = tcp_idle_deadline(engine, flow);
	}
	if (flow->ignored == FLOW_IGNORED) {
		memset(ret_syn, 0, sizeof(*ret_syn));
		return pass_over(engine, flow, item);
	}
	ours = take_in_order(engine, flow, item) || judge(engine, flow, item, ret_syn);
	if (ours && flow->ignored == FLOW_IGNORE_ASKED && flow->ended == 0) {
		tcp_ignore(engine, flow);
	}
	return ours;
}

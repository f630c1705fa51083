/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict on one TCP segment: see tcp_state.h.
 *
 * Where we are more liberal than an endpoint, it is because a capture is not an endpoint: packets may be captured out of
 * order (also across directions), or not at all. So the window is judged with one more window of slack, and not at all
 * where it cannot be known (mid-stream, one-way, after a gap); PAWS allows 1 tick, as its clock is coarse, and more for
 * bytes that the peer has acknowledged already (it took them: they were captured late).
 */
#include "flow/tcp_state.h"

#include <assert.h>
#include <string.h>

#include "base/seqnum.h"

enum {
	PAWS_TICKS = 1,          /* tolerated backwards steps of TSval */
	PAWS_TICKS_ACKED = 3000, /* the same for bytes that the peer has acknowledged */
	MIDSTREAM_HOLE =
		1
		<< 20, /* bytes: a larger difference to an earlier bare ACK is another connection */
	ONEWAY_REACH = 1 << 20 /* bytes after a SYN within which data belongs to it */
};

void tcp_state_init(struct tcp_state *state, uint8_t side, uint16_t sport, uint16_t dport)
{
	memset(state, 0, sizeof(*state));
	state->client = side;
	state->role = TCP_ROLE_FIRST_SENDER;
	if (sport < 1024 && dport >= 1024) {
		state->client = !side;
		state->role = TCP_ROLE_PORT;
	} else if (dport < 1024 && sport >= 1024) {
		state->role = TCP_ROLE_PORT;
	}
}

struct tcp_candidate *tcp_state_candidate(struct tcp_state *state, int index)
{
	if (index == 0) {
		return &state->syn;
	}
	return index > 0 && index <= state->nmore ? &state->more[index - 1] : NULL;
}

const char *tcp_state_handshake(const struct tcp_state *state)
{
	if (state->syn_seen) {
		return state->syn_ack_seen ? "complete" : "syn";
	}
	return state->syn_ack_seen ? "syn_ack" : "none";
}

const char *tcp_state_phase(const struct tcp_state *state)
{
	static const char *const names[] = {
		[TCP_NONE] = "none",       [TCP_SYN] = "syn",
		[TCP_SYN_ACK] = "syn_ack", [TCP_ESTABLISHED] = "established",
		[TCP_CLOSED] = "closed",   [TCP_RESET] = "reset",
	};

	if (state->phase == TCP_HALF_CLOSED) {
		return state->side[state->client].fin ? "half_closed_c" : "half_closed_s";
	}
	return names[state->phase];
}

static void set_role(struct tcp_state *state, uint8_t client, enum tcp_role role)
{
	if (role >= state->role) {
		state->client = client;
		state->role = role;
	}
}

/* Window scale and the rest of a SYN's or SYN/ACK's options. */
static void take_options(struct tcp_side *side, const struct layers *l)
{
	side->wscale_known = 1;
	side->wscale = l->has_wscale ? (l->wscale > 14 ? 14 : l->wscale) : 0;
	side->mss = l->has_mss ? l->mss : 0;
}

static void candidate_from(struct tcp_candidate *syn, const struct layers *l, uint8_t side,
			   int64_t ts_ns, uint64_t packet)
{
	memset(syn, 0, sizeof(*syn));
	syn->packet = packet;
	syn->ts_ns = ts_ns;
	syn->isn = l->seq;
	syn->side = side;
	syn->tsval = l->tsval;
	syn->has_ts = l->has_ts;
	syn->wscale = l->wscale > 14 ? 14 : l->wscale;
	syn->has_wscale = l->has_wscale;
	syn->mss = l->has_mss ? l->mss : 0;
}

/* The flow was opened by this SYN. */
static void adopt(struct tcp_state *state, const struct tcp_candidate *syn)
{
	struct tcp_side *side = &state->side[syn->side];

	side->isn = syn->isn;
	side->isn_known = 1;
	side->wscale_known = 1;
	side->wscale = syn->has_wscale ? syn->wscale : 0;
	side->mss = syn->mss;
	if (!side->has_max || seq_lt(side->snd_max, syn->isn + 1)) {
		side->snd_max = syn->isn + 1;
		side->has_max = 1;
	}
	if (!side->has_ts) {
		side->has_ts = syn->has_ts;
		side->ts_recent = syn->tsval;
	}
	state->syn_seen = 1;
	set_role(state, syn->side, TCP_ROLE_SYN);
}

/* The flow was opened by a SYN whose SYN/ACK this is: what the SYN said is not known, but its number. */
static void adopt_answer(struct tcp_state *state, const struct tcp_candidate *answer)
{
	struct tcp_side *me = &state->side[answer->side];
	struct tcp_side *peer = &state->side[!answer->side];

	me->isn = answer->isn;
	me->isn_known = 1;
	me->wscale_known = 1;
	me->wscale = answer->has_wscale ? answer->wscale : 0;
	me->mss = answer->mss;
	me->snd_max = answer->isn + 1;
	me->has_max = 1;
	me->has_ts = answer->has_ts;
	me->ts_recent = answer->tsval;
	peer->isn = answer->ack - 1;
	peer->isn_known = 1;
	state->syn_ack_seen = 1;
	state->syn_ack_ns = answer->ts_ns;
	state->syn.ts_ns = 0; /* of a SYN */
	set_role(state, !answer->side, TCP_ROLE_SYN_ACK);
}

void tcp_state_seed(struct tcp_state *state, const struct tcp_candidate *syn)
{
	state->syn = *syn;
	state->phase = TCP_SYN;
	state->side[syn->side].seen = 1;
	if (syn->answers) {
		adopt_answer(state, syn);
	} else {
		adopt(state, syn);
	}
}

enum { ETHERNET_MSS = 1460 };

/* Larger than a segment can be: merged by segmentation offload after its checksums had been verified. */
static bool is_merged(const struct tcp_side *peer, const struct layers *l)
{
	return l->payload_len > (peer->mss > ETHERNET_MSS ? peer->mss : ETHERNET_MSS);
}

static bool checksum_ok(struct tcp_side *side, const struct tcp_side *peer, const struct layers *l,
			enum weir_checksums policy, struct tcp_verdict *ret)
{
	if (policy == WEIR_CHECKSUM_NONE || l->checksum == LAYERS_CHECKSUM_UNKNOWN) {
		return true;
	}
	if (l->checksum == LAYERS_CHECKSUM_GOOD) {
		side->checksum_good = 1;
		return true;
	}
	if (policy == WEIR_CHECKSUM_AUTO && (!side->checksum_good || is_merged(peer, l))) {
		ret->offloaded = true;
		return true;
	}
	return false;
}

/* Bare ACKs that were captured before the handshake they belong to: the flow begins with the handshake all the same. */
static void forget_bare_acks(struct tcp_state *state, const struct tcp_view *view)
{
	if (state->phase == TCP_ESTABLISHED && !view->started[0] && !view->started[1]) {
		state->phase = TCP_NONE;
	}
}

/* A SYN waits: the first one in the flow's own slot, others in `more` (the engine gives the memory and the payload). */
static void judge_syn(struct tcp_state *state, const struct layers *l, uint8_t side, int64_t ts_ns,
		      uint64_t packet, const struct tcp_view *view, struct tcp_verdict *ret)
{
	struct tcp_side *me = &state->side[side];
	int i;

	ret->cause = WEIR_REJECT_SYN;
	forget_bare_acks(state, view);
	if (state->phase == TCP_NONE) {
		candidate_from(&state->syn, l, side, ts_ns, packet);
		adopt(state, &state->syn);
		state->phase = TCP_SYN;
		ret->hold_syn = l->payload_caplen > 0;
		ret->syn = state->syn;
		return;
	}
	if ((me->isn_known || view->started[side]) && me->isn == l->seq) {
		if (!state->syn_seen && state->phase < TCP_CLOSED) {
			/* captured behind its SYN/ACK or its first data: only now is it known what the windows since then meant */
			candidate_from(&state->syn, l, side, ts_ns, packet);
			adopt(state, &state->syn);
			me->max_window <<= me->wscale;
			me->edge = me->last_ack + me->max_window;
		}
		return; /* else a retransmission */
	}
	if (state->phase >= TCP_CLOSED) {
		ret->new_flow = true;
		return;
	}
	if (state->phase == TCP_SYN && side != state->syn.side && !me->isn_known) {
		/* simultaneous open (RFC 9293 §3.5): both ends have sent a SYN */
		take_options(me, l);
		me->isn = l->seq;
		me->isn_known = 1;
		ret->start[side] = true;
		ret->start_seq[side] = l->seq + 1;
		ret->start[!side] = true;
		ret->start_seq[!side] = state->syn.isn + 1;
		/* neither SYN acknowledges the other's data: both ends keep it until established (§3.10.7.4) */
		ret->take_syn_data = 0;
		ret->take_syn_len = state->syn.data_len;
		ret->drop_candidates = true;
		ret->take = true;
		state->phase = TCP_SYN_ACK;
		return;
	}
	for (i = 1; i <= state->nmore; i++) {
		if (state->more[i - 1].isn == l->seq && state->more[i - 1].side == side) {
			return;
		}
	}
	ret->hold_syn = true;
	candidate_from(&ret->syn, l, side, ts_ns, packet);
}

/* The same for a SYN/ACK whose SYN was not captured. */
static void hold_answer(const struct tcp_state *state, const struct layers *l, uint8_t side,
			int64_t ts_ns, uint64_t packet, struct tcp_verdict *ret)
{
	int i;

	ret->hold_syn = false;
	for (i = 1; i <= state->nmore; i++) {
		if (state->more[i - 1].isn == l->seq && state->more[i - 1].side == side) {
			return;
		}
	}
	ret->hold_syn = true;
	candidate_from(&ret->syn, l, side, ts_ns, packet);
	ret->syn.ack = l->ack;
	ret->syn.answers = 1;
}

/* The candidate of the peer that a SYN/ACK acknowledges; -1: none. *ret_len: bytes of its payload that it acknowledges */
static int find_candidate(struct tcp_state *state, uint8_t side, uint32_t ack, uint32_t *ret_len)
{
	int i;

	for (i = 0; i <= state->nmore; i++) {
		struct tcp_candidate *c = tcp_state_candidate(state, i);
		uint32_t over = ack - (c->isn + 1);

		if (c->packet != 0 && !c->answers && c->side == side && over <= c->data_len) {
			*ret_len = over;
			return i;
		}
	}
	return -1;
}

/* Is a number of another connection than one that stands at `next`? */
static bool is_elsewhere(uint32_t number, uint32_t next)
{
	return (uint32_t)seq_diff(number, next) + MIDSTREAM_HOLE > 2 * MIDSTREAM_HOLE;
}

/* Was its FIN captured, or does its next number tell that there was one: one more than was delivered? Nobody else's word counts. */
static bool has_closed(const struct tcp_state *state, uint8_t side, const struct tcp_view *view)
{
	const struct tcp_side *me = &state->side[side];

	return me->fin ||
	       (view->started[side] && me->has_max && me->snd_max == view->next[side] + 1);
}

/* The connection has ended, as far as the sender of a segment can say: of its own end the peer's acknowledgement of a FIN will do. */
static bool is_over(const struct tcp_state *state, uint8_t side, const struct tcp_view *view)
{
	const struct tcp_side *peer = &state->side[!side];

	return state->phase >= TCP_CLOSED ||
	       (has_closed(state, !side, view) &&
		(has_closed(state, side, view) ||
		 (view->started[side] && peer->has_ack && peer->last_ack == view->next[side] + 1)));
}

/* Are both numbers ahead of all that was sent, and of a FIN that may not have been captured? */
static bool is_ahead(const struct tcp_state *state, const struct layers *l, uint8_t side,
		     const struct tcp_view *view)
{
	const struct tcp_side *me = &state->side[side];
	const struct tcp_side *peer = &state->side[!side];
	uint32_t mine = (me->has_max ? me->snd_max : view->next[side]) + !me->fin;
	uint32_t others = (peer->has_max ? peer->snd_max : view->next[!side]) + !peer->fin;

	return seq_lt(mine, l->seq) && seq_lt(others, l->ack);
}

/*
 * Do the numbers belong to a connection that took the tuple over? Of an earlier one, captured late, they lie before ours. Both are
 * elsewhere; or both are ahead, and one of them elsewhere or behind a FIN (soon after the end of a connection the next one's ISNs
 * are not far away: RFC 6191).
 */
static bool takes_over(const struct tcp_state *state, const struct layers *l, uint8_t side,
		       const struct tcp_view *view)
{
	bool mine, others;

	if (!view->started[0] || !view->started[1]) {
		return false;
	}
	mine = is_elsewhere(l->seq, view->next[side]);
	others = is_elsewhere(l->ack, view->next[!side]);
	return (mine && others) ||
	       (is_ahead(state, l, side, view) &&
		(mine || others || has_closed(state, 0, view) || has_closed(state, 1, view)));
}

/* A SYN/ACK in a flow that has begun, which acknowledges this candidate (below 0: none). */
static void judge_late_syn_ack(struct tcp_state *state, const struct layers *l, uint8_t side,
			       int candidate, const struct tcp_view *view, struct tcp_verdict *ret)
{
	struct tcp_side *me = &state->side[side];

	if (candidate > 0 || state->phase >= TCP_CLOSED) {
		ret->new_flow = true;
		ret->with_syn = candidate > 0;
		if (candidate > 0) {
			ret->syn = *tcp_state_candidate(state, candidate);
		}
	} else if (state->phase == TCP_SYN_ACK && me->isn_known && view->started[!side] &&
		   l->ack == view->next[!side]) {
		me->other_isn = l->seq;
		me->has_other_isn = 1;
	} else if (takes_over(state, l, side, view)) {
		/* the client's word is needed, where it is captured at all */
		ret->new_flow = is_over(state, side, view) || !state->side[!side].seen;
		ret->hold_syn = !ret->new_flow;
	}
}

static void judge_syn_ack(struct tcp_state *state, const struct layers *l, uint8_t side,
			  int64_t ts_ns, uint64_t packet, const struct tcp_view *view,
			  struct tcp_verdict *ret)
{
	struct tcp_side *me = &state->side[side];
	struct tcp_side *peer = &state->side[!side];
	uint32_t len = 0;
	int i;

	ret->cause = WEIR_REJECT_SYN;
	forget_bare_acks(state, view);
	if (me->isn_known && me->isn == l->seq && state->phase >= TCP_SYN_ACK) {
		return; /* retransmission */
	}
	i = find_candidate(state, !side, l->ack, &len);
	if (state->phase == TCP_SYN && i < 0) {
		return; /* acknowledges no SYN of ours: the client would answer with RST (RFC 9293 §3.10.7.3) */
	}
	if (state->phase > TCP_SYN) {
		judge_late_syn_ack(state, l, side, i, view, ret);
		if (ret->hold_syn) {
			hold_answer(state, l, side, ts_ns, packet, ret);
		}
		return;
	}
	if (i >= 0) {
		struct tcp_candidate *syn = tcp_state_candidate(state, i);

		adopt(state, syn);
		ret->take_syn_data = i;
		ret->take_syn_len = len;
		ret->start_seq[!side] = syn->isn + 1;
	} else {
		ret->start_seq[!side] = l->ack;
		peer->isn = l->ack - 1;
		peer->isn_known = 1;
	}
	ret->drop_candidates = true;
	ret->start[!side] = true;
	ret->start[side] = true;
	ret->start_seq[side] = l->seq + 1;
	take_options(me, l);
	if (!l->has_wscale) {
		me->wscale = 0;
		peer->wscale = 0; /* RFC 7323 §2.2: scaling only when both ends offered it */
	} else if (i >= 0 && !tcp_state_candidate(state, i)->has_wscale) {
		me->wscale = 0;
	}
	me->isn = l->seq;
	me->isn_known = 1;
	state->phase = TCP_SYN_ACK;
	state->syn_ack_seen = 1;
	state->syn_ack_ns = ts_ns;
	set_role(state, !side, TCP_ROLE_SYN_ACK);
	if (l->payload_caplen > 0) {
		ret->take = true;
	}
}

static void judge_rst(struct tcp_state *state, const struct layers *l, uint8_t side,
		      const struct tcp_view *view, struct tcp_verdict *ret)
{
	struct tcp_side *me = &state->side[side];
	struct tcp_side *peer = &state->side[!side];
	bool exact;

	ret->cause = WEIR_REJECT_RST;
	if (state->phase >= TCP_CLOSED) {
		return;
	}
	if (state->phase == TCP_SYN) {
		/* refused: RFC 9293 §3.10.7.3, the RST must acknowledge the SYN; or the client gives up */
		uint32_t len = 0;

		exact = side == state->syn.side ? l->seq - state->syn.isn <= 1
						: find_candidate(state, !side, l->ack, &len) >= 0;
	} else {
		/* RFC 5961 §3.2: exactly the next byte expected. We know it as what we delivered, as the highest byte
		 * this side sent (when we missed some), or as the peer's newest acknowledgement */
		exact = !view->started[side] || l->seq == view->next[side] ||
			(me->has_max && l->seq == me->snd_max) ||
			(peer->has_ack && l->seq == peer->last_ack);
	}
	if (exact) {
		ret->reset = true;
		state->reset_side = side & 1;
		state->phase = TCP_RESET;
		me->limit = l->seq;
		me->has_limit = 1;
	} else {
		ret->rst_out_of_window = true;
		state->rst_ignored = 1;
	}
}

/* Begin a side whose SYN we do not know at its first data. */
static void start_midstream(struct tcp_state *state, const struct layers *l, uint8_t side,
			    const struct tcp_view *view, struct tcp_verdict *ret)
{
	struct tcp_side *me = &state->side[side];

	if (view->started[side] || ret->start[side]) {
		return;
	}
	if (l->payload_len == 0 && !(l->flags & LAYERS_FIN)) {
		/* a bare ACK: its number is where this side stands, or one less (keep-alive probe) */
		if (!me->has_idle_seq || seq_lt(me->idle_seq, l->seq)) {
			me->idle_seq = l->seq;
			me->has_idle_seq = 1;
		}
		return;
	}
	ret->start[side] = true;
	ret->start_seq[side] = l->seq;
	if (me->has_idle_seq) {
		int32_t hole = seq_diff(l->seq, me->idle_seq);

		if (hole > 1 && hole < MIDSTREAM_HOLE) {
			ret->start_seq[side] = me->idle_seq; /* sent since, and not captured */
		}
	}
	/* what its SYN's number is if this is the first byte: to know it when it was only captured late */
	me->isn = ret->start_seq[side] - 1;
}

/* SYN seen, SYN/ACK not: which candidate does the client go on from? */
static void start_from_syn(struct tcp_state *state, const struct layers *l, uint8_t side,
			   const struct tcp_view *view, struct tcp_verdict *ret)
{
	uint32_t best_over = ONEWAY_REACH;
	int best = -1, i;

	if (side != state->syn.side) {
		/* the server speaks: what it acknowledges tells the client's SYN */
		if (!(l->flags & LAYERS_ACK)) {
			return;
		}
	}
	for (i = 0; i <= state->nmore; i++) {
		struct tcp_candidate *c = tcp_state_candidate(state, i);
		uint32_t number = side == c->side ? l->seq : l->ack;
		uint32_t over = number - (c->isn + 1);

		if (c->packet != 0 && over < best_over) {
			best = i;
			best_over = over;
		}
	}
	if (best < 0) {
		return;
	}
	{
		struct tcp_candidate *c = tcp_state_candidate(state, best);

		adopt(state, c);
		ret->start[c->side] = true;
		ret->start_seq[c->side] = c->isn + 1;
		ret->take_syn_data = best;
		ret->take_syn_len = best_over >= c->data_len ? c->data_len : 0;
		ret->drop_candidates = true;
		if (side == c->side && best_over == 0 && (l->flags & LAYERS_ACK) &&
		    !view->started[!side]) {
			/* the handshake's last ACK (or the first data): the server has sent nothing but its SYN */
			ret->start[!side] = true;
			ret->start_seq[!side] = l->ack;
		}
	}
	state->phase = TCP_ESTABLISHED;
}

/* Is the segment within what the peer would receive? Liberal where that cannot be known. */
static bool in_window(const struct tcp_state *state, const struct layers *l, uint8_t side,
		      const struct tcp_view *view)
{
	const struct tcp_side *peer = &state->side[!side];
	uint32_t edge;

	if (!view->started[side]) {
		return true;
	}
	if (seq_diff(l->seq, view->next[side]) < -(1 << 30) ||
	    seq_diff(l->seq, view->next[side]) >= 1 << 30) {
		return false; /* whatever the window: no window is that large (RFC 7323 §2.3) */
	}
	if (!state->syn_ack_seen || !state->syn_seen || !peer->has_ack || view->lossy[side]) {
		return true;
	}
	edge = peer->edge + peer->max_window;
	return seq_leq(l->seq + l->payload_len, edge) ||
	       seq_leq(l->seq + l->payload_len, view->next[side]);
}

static bool paws_ok(struct tcp_state *state, const struct layers *l, uint8_t side)
{
	struct tcp_side *me = &state->side[side];
	const struct tcp_side *peer = &state->side[!side];
	int32_t back;
	bool acked = peer->has_ack && seq_leq(l->seq + l->payload_len, peer->last_ack);

	if (!l->has_ts || !me->has_ts) {
		return true;
	}
	back = seq_diff(me->ts_recent, l->tsval);
	return back <= (acked ? PAWS_TICKS_ACKED : PAWS_TICKS);
}

/* RFC 7323 §4.3: TS.Recent moves only with segments at or before the last acknowledgement sent to this side. */
static void update_ts(struct tcp_state *state, const struct layers *l, uint8_t side)
{
	struct tcp_side *me = &state->side[side];
	const struct tcp_side *peer = &state->side[!side];

	if (!l->has_ts) {
		return;
	}
	if (!me->has_ts || (seq_diff(l->tsval, me->ts_recent) > 0 && peer->has_ack &&
			    seq_leq(l->seq, peer->last_ack))) {
		me->ts_recent = l->tsval;
		me->has_ts = 1;
	}
}

/* Of a segment with ACK and without SYN: what its sender has received, and how far it lets the other go. */
static inline void update_ack(struct tcp_side *me, uint32_t ack, uint32_t window)
{
	if (window > me->max_window) {
		me->max_window = window;
	}
	if (!me->has_ack) {
		me->last_ack = ack;
		me->edge = ack + window;
		me->has_ack = 1;
		return;
	}
	if (seq_lt(me->last_ack, ack)) {
		me->last_ack = ack;
	}
	if (seq_lt(me->edge, ack + window)) {
		me->edge = ack + window;
	}
}

static inline void update_max(struct tcp_side *me, uint32_t end)
{
	if (!me->has_max || seq_lt(me->snd_max, end)) {
		me->snd_max = end;
		me->has_max = 1;
	}
}

static void update_sender(struct tcp_state *state, const struct layers *l, uint8_t side)
{
	struct tcp_side *me = &state->side[side];

	update_max(me,
		   l->seq + l->payload_len + !!(l->flags & LAYERS_FIN) + !!(l->flags & LAYERS_SYN));
	if (l->flags & LAYERS_ACK) {
		/* RFC 7323 §2.2: the window of a SYN is never scaled */
		update_ack(me, l->ack,
			   (uint32_t)l->window << (l->flags & LAYERS_SYN ? 0 : me->wscale));
	}
}

static void note_fin(struct tcp_state *state, uint8_t side)
{
	state->side[side].fin = 1;
	state->phase = state->side[!side].fin ? TCP_CLOSED : TCP_HALF_CLOSED;
}

static void note_established(struct tcp_state *state, uint8_t side, int64_t ts_ns)
{
	state->phase = TCP_ESTABLISHED;
	if (side == state->client && state->handshake_ack_ns == 0) {
		state->handshake_ack_ns = ts_ns;
	}
}

/* Is it exactly what comes next? Behind a FIN that is a bare ACK. */
static inline bool is_next(const struct tcp_state *state, const struct layers *l, uint8_t side,
			   const struct tcp_here *here)
{
	const struct tcp_side *me = &state->side[side];

	if (state->phase < TCP_SYN_ACK || state->phase > TCP_CLOSED || state->nmore > 0 ||
	    (l->flags & ~(LAYERS_PSH | LAYERS_FIN)) != LAYERS_ACK) {
		return false;
	}
	if (!me->fin && !here->ended) {
		return l->seq == here->next;
	}
	return me->fin && here->ended && l->seq == here->next + 1 && l->payload_len == 0 &&
	       !(l->flags & LAYERS_FIN);
}

bool tcp_state_in_order(struct tcp_state *state, const struct layers *l, uint8_t side,
			const struct tcp_here *here)
{
	struct tcp_side *me = &state->side[side];
	const struct tcp_side *peer = &state->side[!side];
	uint32_t end = l->seq + l->payload_len;

	if (!is_next(state, l, side, here) ||
	    (state->phase == TCP_SYN_ACK && state->side[!state->client].has_other_isn)) {
		return false;
	}
	if (here->checksums != WEIR_CHECKSUM_NONE && l->checksum != LAYERS_CHECKSUM_UNKNOWN) {
		if (l->checksum != LAYERS_CHECKSUM_GOOD) {
			return false;
		}
		me->checksum_good = 1;
	}
	if (state->syn_ack_seen && state->syn_seen && peer->has_ack && !here->lossy &&
	    !seq_leq(end, peer->edge + peer->max_window)) {
		return false;
	}
	if (l->has_ts) {
		int32_t ahead = seq_diff(l->tsval, me->ts_recent);

		if (!me->has_ts ||
		    (ahead > 0 && peer->has_ack && seq_leq(l->seq, peer->last_ack))) {
			me->ts_recent = l->tsval;
			me->has_ts = 1;
		} else if (ahead < -PAWS_TICKS) {
			return false;
		}
	}
	if (state->phase == TCP_SYN_ACK) {
		note_established(state, side, here->ts_ns);
	}
	if (l->flags & LAYERS_FIN) {
		note_fin(state, side);
		end++;
	}
	update_max(me, end);
	update_ack(me, l->ack, (uint32_t)l->window << me->wscale);
	state->rst_ignored = 0;
	me->seen = 1;
	return true;
}

static void judge_fin(struct tcp_state *state, const struct layers *l, uint8_t side,
		      struct tcp_verdict *ret)
{
	struct tcp_side *me = &state->side[side];

	ret->fin = true;
	ret->fin_seq = l->seq + l->payload_len;
	if (me->fin) {
		return; /* once more, or elsewhere: reassembly knows the first */
	}
	note_fin(state, side);
}

/* Does the client speak on a connection of which only the SYN/ACK was captured? */
static bool fits_answer(const struct tcp_candidate *c, const struct layers *l, uint8_t side)
{
	return c->side != side && (l->flags & LAYERS_ACK) && l->seq - c->ack < ONEWAY_REACH &&
	       l->ack - (c->isn + 1) < ONEWAY_REACH;
}

/* A segment that fits what is held and not the flow: a SYN whose SYN/ACK was not captured, or a SYN/ACK without its SYN. */
static bool fits_candidate(struct tcp_state *state, const struct layers *l, uint8_t side,
			   const struct tcp_view *view, struct tcp_verdict *ret)
{
	bool near = view->started[side] &&
		    (uint32_t)seq_diff(l->seq, view->next[side]) < MIDSTREAM_HOLE;
	bool over = is_over(state, side, view);
	int i;

	for (i = 1; i <= state->nmore; i++) {
		const struct tcp_candidate *c = &state->more[i - 1];

		if (c->answers ? fits_answer(c, l, side)
			       : c->side == side && l->seq == c->isn + 1 && (!near || over)) {
			ret->new_flow = true;
			ret->with_syn = true;
			ret->syn = *c;
			return true;
		}
	}
	return false;
}

/*
 * A SYN was answered by SYN/ACKs with different numbers (two servers behind a balancer, a server that forgot): what the client
 * acknowledges, or what the server goes on with, says which of them is the connection (RFC 9293 §3.10.7.3: the client takes one,
 * and answers others with RST or an ACK).
 */
static void choose_syn_ack(struct tcp_state *state, const struct layers *l, uint8_t side,
			   const struct tcp_view *view, struct tcp_verdict *ret)
{
	uint8_t server = !state->client;
	struct tcp_side *me = &state->side[server];
	uint32_t next = side == server ? l->seq : l->ack;

	if (me->has_other_isn && next == me->other_isn + 1 && view->started[server] &&
	    view->next[server] == me->isn + 1) {
		me->isn = me->other_isn;
		me->has_max = 0;
		me->has_ts = 0;
		ret->start[server] = true;
		ret->start_seq[server] = next;
		ret->restart = true;
	}
	me->has_other_isn = 0;
}

/*
 * On a tuple whose connection is over: data with numbers of another one, or anything behind both FINs. Its SYN was not captured, or
 * not yet.
 */
static bool begins_another(const struct tcp_state *state, const struct layers *l, uint8_t side,
			   const struct tcp_view *view)
{
	if (!(l->flags & LAYERS_ACK) || !is_over(state, side, view)) {
		return false;
	}
	return (l->payload_len > 0 || is_ahead(state, l, side, view)) &&
	       takes_over(state, l, side, view);
}

/* Of the connection only the SYN/ACK was captured before this, which is its client's. */
static void start_from_answer(struct tcp_state *state, struct tcp_verdict *ret)
{
	struct tcp_candidate *c = &state->syn;

	ret->start[c->side] = true;
	ret->start_seq[c->side] = c->isn + 1;
	ret->start[!c->side] = true;
	ret->start_seq[!c->side] = c->ack;
	ret->drop_candidates = true;
	if (c->data_len > 0) {
		ret->take_syn_data = 0;
		ret->take_syn_len = c->data_len;
	} else {
		memset(c, 0, sizeof(*c)); /* it is no SYN */
	}
	state->phase = TCP_SYN_ACK;
}

static void judge_data(struct tcp_state *state, const struct layers *l, uint8_t side, int64_t ts_ns,
		       const struct tcp_view *view, struct tcp_verdict *ret)
{
	bool ack = l->flags & LAYERS_ACK;

	if (!ack && state->phase != TCP_NONE) {
		ret->cause = WEIR_REJECT_NO_ACK; /* RFC 9293 §3.10.7.4: dropped without ACK */
		return;
	}
	if (state->nmore > 0 && state->phase >= TCP_SYN_ACK &&
	    fits_candidate(state, l, side, view, ret)) {
		return;
	}
	if (begins_another(state, l, side, view)) {
		ret->new_flow = true;
		return;
	}
	if (state->phase == TCP_RESET && state->side[side].has_limit &&
	    !seq_leq(l->seq + l->payload_len, state->side[side].limit)) {
		ret->cause = WEIR_REJECT_CLOSED;
		return;
	}
	if (state->phase == TCP_SYN && state->syn.answers) {
		start_from_answer(state, ret);
	} else if (state->phase == TCP_SYN) {
		start_from_syn(state, l, side, view, ret);
	}
	if (state->phase == TCP_NONE) {
		state->phase = TCP_ESTABLISHED;
	}
	if (state->phase == TCP_SYN_ACK) {
		choose_syn_ack(state, l, side, view, ret);
		note_established(state, side, ts_ns);
	}
	start_midstream(state, l, side, view, ret);
	if (!in_window(state, l, side, view)) {
		ret->cause = WEIR_REJECT_WINDOW;
		return;
	}
	if (!paws_ok(state, l, side)) {
		ret->cause = WEIR_REJECT_PAWS;
		/* old bytes are a duplicate, whatever their clock says */
		ret->take =
			view->started[side] && seq_leq(l->seq + l->payload_len, view->next[side]);
		return;
	}
	update_ts(state, l, side);
	state->rst_ignored = 0;
	ret->take = true;
	ret->use_ack = ack;
	if (l->flags & LAYERS_FIN) {
		judge_fin(state, l, side, ret);
	}
	update_sender(state, l, side);
}

void tcp_state_segment(struct tcp_state *state, const struct layers *l, uint8_t side, int64_t ts_ns,
		       uint64_t packet, enum weir_checksums checksums, const struct tcp_view *view,
		       struct tcp_verdict *ret)
{
	assert(side < 2);
	memset(ret, 0, sizeof(*ret));
	ret->take_syn_data = -1;
	if (!checksum_ok(&state->side[side], &state->side[!side], l, checksums, ret)) {
		ret->cause = WEIR_REJECT_CHECKSUM;
		ret->doubtful = checksums == WEIR_CHECKSUM_AUTO &&
				!(l->flags & (LAYERS_SYN | LAYERS_RST)) &&
				(l->flags & LAYERS_ACK) && state->phase < TCP_CLOSED;
		return;
	}
	if (l->flags & LAYERS_RST) {
		judge_rst(state, l, side, view, ret);
	} else if ((l->flags & (LAYERS_SYN | LAYERS_ACK)) == LAYERS_SYN) {
		judge_syn(state, l, side, ts_ns, packet, view, ret);
	} else if (l->flags & LAYERS_SYN) {
		judge_syn_ack(state, l, side, ts_ns, packet, view, ret);
		if (ret->start[side]) {
			update_ts(state, l, side);
			update_sender(state, l, side);
		}
	} else {
		judge_data(state, l, side, ts_ns, view, ret);
	}
	if (!ret->new_flow) {
		state->side[side].seen = 1;
	}
}

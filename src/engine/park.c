/* SPDX-License-Identifier: Apache-2.0 */
/* A flow to bytes and back: see park.h. Times are told relative to the flow's own, numbers to those they are near. */
#include "engine/park.h"

#include <string.h>

#include "base/pack.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "engine/shard.h"

/* What of a flow there is: bits of the first number. Most flows have few, and low ones: the number is short. */
enum {
	ROLE_FIXED = 1 << 0,
	SYN_SEEN = 1 << 1,
	SYN_ACK_SEEN = 1 << 2,
	CLIENT = 1 << 3,
	HAS_SYN_TIME = 1 << 4, /* of a candidate its time alone */
	HAS_HANDSHAKE = 1 << 5,
	HAS_SESSION = 1 << 6, /* packed */
	HAS_INTERFACE = 1 << 7,
	HAS_VLAN = 1 << 8,
	HAS_ENDED = 1 << 9,
	HAS_TICK = 1 << 10,
	HAS_POINTER = 1 << 11, /* a session that stays where it is */
	HAS_SYN = 1 << 12,     /* a candidate that waits */
	RST_IGNORED = 1 << 13,
	RESET_SIDE = 1 << 14,
	HAS_RESET = 1 << 15,
	HAS_DOUBTS = 1 << 16,
	HAS_ODDITIES = 1 << 17,
	HAS_TAP = 1 << 18,
	HAS_MORE = 1 << 19,    /* further candidates */
	HAS_MARKS = 1 << 20,   /* of the small numbers at the end */
	HAS_BIG_HALF = 1 << 21 /* of side 0; of side 1: the next bit */
};

/* ---- the key ---- */

static size_t key_at(const struct parked *parked)
{
	return parked->waiting ? sizeof(struct flow_link) : 0;
}

static const void *key_of(const struct parked *parked)
{
	return parked->data + key_at(parked);
}

void parked_tuple(const struct parked *parked, struct tuple *ret)
{
	if (parked->short_key) {
		tuple_from_short(key_of(parked), ret);
	} else {
		memcpy(ret, key_of(parked), sizeof(*ret));
	}
}

bool parked_is(const struct parked *parked, const struct tuple *tuple)
{
	if (parked->short_key) {
		return tuple_short_equal(key_of(parked), tuple);
	}
	return memcmp(key_of(parked), tuple, sizeof(*tuple)) == 0;
}

/* ---- its parts ---- */

static void pack_pointer(struct pack *pack, void **pointer)
{
	pack_bytes(pack, pointer, sizeof(*pointer));
}

static void pack_candidate(struct pack *pack, struct tcp_candidate *c, const struct flow *flow)
{
	uint8_t options = (uint8_t)(c->has_ts << 7 | c->has_wscale << 6 | c->side << 5 | c->wscale);

	c->packet = pack_near(pack, c->packet, flow->first_packet);
	c->ts_ns = pack_time(pack, c->ts_ns, flow->first_ts_ns);
	c->isn = pack_seq(pack, c->isn, flow->tcp.side[0].isn);
	options = pack_u8(pack, options);
	c->has_ts = options >> 7;
	c->has_wscale = options >> 6 & 1;
	c->side = options >> 5 & 1;
	c->wscale = options & 31;
	c->tsval = pack_u32(pack, c->tsval);
	c->mss = (uint16_t)pack_u32(pack, c->mss);
	c->data_len = (uint16_t)pack_u32(pack, c->data_len);
	if (c->data_len > 0) {
		pack_bytes(pack, &c->data, sizeof(c->data));
	}
}

/* Those that few have are the high ones. */
static void pack_tcp_flags(struct pack *pack, struct tcp_side *side)
{
	uint32_t bits =
		(uint32_t)side->wscale |
		(uint32_t)(side->seen << 4 | side->isn_known << 5 | side->has_ack << 6 |
			   side->has_max << 7 | side->wscale_known << 8 | side->checksum_good << 9 |
			   side->has_ts << 10 | side->fin << 11 | side->has_idle_seq << 12 |
			   side->has_other_isn << 13 | side->has_limit << 14);

	assert(side->wscale < 16);
	bits = pack_u32(pack, bits);
	side->wscale = bits & 15;
	side->seen = bits >> 4 & 1;
	side->isn_known = bits >> 5 & 1;
	side->has_ack = bits >> 6 & 1;
	side->has_max = bits >> 7 & 1;
	side->wscale_known = bits >> 8 & 1;
	side->checksum_good = bits >> 9 & 1;
	side->has_ts = bits >> 10 & 1;
	side->fin = bits >> 11 & 1;
	side->has_idle_seq = bits >> 12 & 1;
	side->has_other_isn = bits >> 13 & 1;
	side->has_limit = bits >> 14 & 1;
}

/* A number that is mostly not there: a bit of the byte before says whether. */
static uint32_t pack_rare(struct pack *pack, uint32_t value, bool there)
{
	return there ? pack_u32(pack, value) : 0;
}

/* The halves come before: where they stand is what the numbers of both sides are near. */
static void pack_tcp_side(struct pack *pack, struct flow *flow, int i)
{
	struct tcp_side *side = &flow->tcp.side[i];
	uint32_t mine = flow->half[i].next_seq, other = flow->half[!i].next_seq;
	uint8_t there;

	pack_tcp_flags(pack, side);
	side->isn = pack_seq(pack, side->isn, mine - (uint32_t)flow->half[i].next);
	side->last_ack = pack_seq(pack, side->last_ack, other);
	side->edge = pack_seq(pack, side->edge, side->last_ack);
	side->max_window = pack_seq(pack, side->max_window, side->edge - side->last_ack);
	side->snd_max = pack_seq(pack, side->snd_max, mine);
	side->mss = (uint16_t)pack_u32(pack, side->mss);
	there = (uint8_t)((side->ts_recent != 0) | (side->limit != 0) << 1 |
			  (side->idle_seq != 0) << 2 | (side->other_isn != 0) << 3);
	there = pack_u8(pack, there);
	side->ts_recent = pack_rare(pack, side->ts_recent, there & 1);
	side->limit = pack_rare(pack, side->limit, there & 2);
	side->idle_seq = pack_rare(pack, side->idle_seq, there & 4);
	side->other_isn = pack_rare(pack, side->other_isn, there & 8);
}

static void pack_side(struct pack *pack, struct flow *flow, int i)
{
	struct flow_side *me = &flow->side[i];
	const struct tcp_side *tcp = &flow->tcp.side[i];
	uint8_t there;

	me->packets = pack_u64(pack, me->packets);
	me->bytes = pack_near(pack, me->bytes, flow->half[i].captured);
	me->flags = pack_u8(pack, me->flags);
	me->rtt_seq = pack_seq(pack, me->rtt_seq, tcp->snd_max);
	me->last_ack = pack_seq(pack, me->last_ack, tcp->last_ack);
	me->rtt_ns = (int64_t)pack_u64(pack, (uint64_t)me->rtt_ns);
	there = (uint8_t)((me->retransmits != 0) | (me->out_of_order != 0) << 1 |
			  (me->duplicate_acks != 0) << 2 | (me->zero_windows != 0) << 3 |
			  (me->gaps != 0) << 4 | (me->rtt_sent_ns != 0) << 5 |
			  (me->snd_max_ns != 0) << 6);
	there = pack_u8(pack, there);
	me->retransmits = pack_rare(pack, me->retransmits, there & 1);
	me->out_of_order = pack_rare(pack, me->out_of_order, there & 2);
	me->duplicate_acks = pack_rare(pack, me->duplicate_acks, there & 4);
	me->zero_windows = pack_rare(pack, me->zero_windows, there & 8);
	me->gaps = pack_rare(pack, me->gaps, there & 16);
	me->gap_causes = (uint8_t)pack_rare(pack, me->gap_causes, there & 16);
	me->rtt_sent_ns = there & 32 ? pack_time(pack, me->rtt_sent_ns, flow->last_ns) : 0;
	me->snd_max_ns = there & 64 ? pack_time(pack, me->snd_max_ns, flow->last_ns) : 0;
}

static void pack_half(struct pack *pack, struct flow *flow, int i, uint32_t has)
{
	if (has & (uint32_t)HAS_BIG_HALF << i) {
		pack_bytes(pack, &flow->half[i], sizeof(flow->half[i]));
	} else {
		reasm_half_pack(pack, &flow->half[i], &flow->shard->reasm, flow->last_ns);
	}
}

/* What few flows have. */
static void pack_rest(struct pack *pack, struct flow *flow, uint32_t has)
{
	if (has & HAS_ENDED) {
		flow->ended = pack_u8(pack, flow->ended);
		flow->ended_ns = pack_time(pack, flow->ended_ns, flow->last_ns);
	}
	if (has & HAS_RESET) {
		flow->reset_ns = pack_time(pack, flow->reset_ns, flow->last_ns);
	}
	if (has & HAS_TICK) {
		flow->tick_ns = pack_time(pack, flow->tick_ns, flow->last_ns);
	}
	if (has & HAS_DOUBTS) {
		pack_bytes(pack, &flow->doubts, sizeof(flow->doubts));
		flow->doubt_bytes = pack_u64(pack, flow->doubt_bytes);
	}
	if (has & HAS_ODDITIES) {
		pack_bytes(pack, &flow->oddities, sizeof(flow->oddities));
	}
	if (has & HAS_TAP) {
		pack_pointer(pack, &flow->tap_state);
	}
	if (has & HAS_INTERFACE) {
		pack_bytes(pack, &flow->interface_name, sizeof(flow->interface_name));
		flow->interface = (uint16_t)pack_u32(pack, flow->interface);
		flow->input = (uint16_t)pack_u32(pack, flow->input);
	}
	if (has & HAS_VLAN) {
		flow->has_vlan = 1;
		flow->vlan_id = (uint16_t)pack_u32(pack, flow->vlan_id);
	}
	if (has & HAS_SYN) {
		pack_candidate(pack, &flow->tcp.syn, flow);
	} else if (has & HAS_SYN_TIME) {
		flow->tcp.syn.ts_ns = pack_time(pack, flow->tcp.syn.ts_ns, flow->first_ts_ns);
	}
	if (has & HAS_MORE) {
		pack_bytes(pack, &flow->tcp.more, sizeof(flow->tcp.more));
		flow->tcp.nmore = pack_u8(pack, flow->tcp.nmore);
	}
	if (has & HAS_HANDSHAKE) {
		flow->tcp.syn_ack_ns = pack_time(pack, flow->tcp.syn_ack_ns, flow->first_ts_ns);
		flow->tcp.handshake_ack_ns =
			pack_time(pack, flow->tcp.handshake_ack_ns, flow->first_ts_ns);
	}
	if (has & HAS_POINTER) {
		pack_bytes(pack, &flow->session, sizeof(flow->session));
	}
	if (has & HAS_MARKS) {
		flow->nanomalies = pack_u8(pack, flow->nanomalies);
		flow->ignored = pack_u8(pack, flow->ignored);
		flow->unparsed = pack_u8(pack, flow->unparsed);
		flow->offloaded = pack_u8(pack, flow->offloaded);
	}
}

static bool is_syn_blank(const struct tcp_candidate *c)
{
	return c->packet == 0 && c->isn == 0 && c->tsval == 0 && c->mss == 0 && c->side == 0 &&
	       c->wscale == 0 && c->has_wscale == 0 && c->has_ts == 0 && c->data_len == 0 &&
	       c->data == NULL;
}

static uint32_t what_it_has(const struct flow *flow)
{
	const struct tcp_state *tcp = &flow->tcp;
	bool blank = is_syn_blank(&tcp->syn);
	uint32_t has = 0;

	has |= flow->ended != 0 ? HAS_ENDED : 0;
	has |= flow->reset_ns != 0 ? HAS_RESET : 0;
	has |= flow->tick_ns != TIMER_NONE ? HAS_TICK : 0;
	has |= flow->doubts != NULL ? HAS_DOUBTS : 0;
	has |= flow->oddities != NULL ? HAS_ODDITIES : 0;
	has |= flow->tap_state != NULL ? HAS_TAP : 0;
	has |= flow->interface_name != NULL || flow->interface != 0 || flow->input != 0
		       ? HAS_INTERFACE
		       : 0;
	has |= flow->has_vlan ? HAS_VLAN : 0;
	has |= !blank ? HAS_SYN : tcp->syn.ts_ns != 0 ? HAS_SYN_TIME : 0;
	has |= tcp->more != NULL ? HAS_MORE : 0;
	has |= tcp->syn_ack_ns != 0 || tcp->handshake_ack_ns != 0 ? HAS_HANDSHAKE : 0;
	has |= flow->session != NULL ? HAS_POINTER : 0;
	has |= flow->nanomalies != 0 || flow->ignored != 0 || flow->unparsed != 0 ||
			       flow->offloaded != 0
		       ? HAS_MARKS
		       : 0;
	has |= !reasm_half_is_packable(&flow->half[0]) ? HAS_BIG_HALF : 0;
	has |= !reasm_half_is_packable(&flow->half[1]) ? HAS_BIG_HALF << 1 : 0;
	has |= flow->role_fixed ? ROLE_FIXED : 0;
	has |= tcp->syn_seen ? SYN_SEEN : 0;
	has |= tcp->syn_ack_seen ? SYN_ACK_SEEN : 0;
	has |= tcp->rst_ignored ? RST_IGNORED : 0;
	has |= tcp->reset_side ? RESET_SIDE : 0;
	has |= tcp->client ? CLIENT : 0;
	return has;
}

/* All of a flow but its key, its first packet and its session. */
static void pack_flow(struct pack *pack, struct flow *flow, uint32_t has)
{
	uint8_t state = (uint8_t)(flow->tcp.phase | flow->tcp.role << 4);

	flow->first_ts_ns = pack_time(pack, flow->first_ts_ns, flow->shard->epoch_ns);
	flow->last_packet = pack_near(pack, flow->last_packet, flow->first_packet);
	flow->last_ns = pack_time(pack, flow->last_ns, flow->first_ts_ns);
	flow->touched_ns = pack_time(pack, flow->touched_ns, flow->last_ns);
	flow->nrecords = pack_u32(pack, flow->nrecords);
	flow->nemitted = pack_u32(pack, flow->nemitted);
	state = pack_u8(pack, state);
	flow->tcp.phase = state & 15;
	flow->tcp.role = state >> 4;
	pack_half(pack, flow, 0, has);
	pack_half(pack, flow, 1, has);
	pack_tcp_side(pack, flow, 0);
	pack_tcp_side(pack, flow, 1);
	pack_side(pack, flow, 0);
	pack_side(pack, flow, 1);
	pack_rest(pack, flow, has);
}

/* ---- both ways ---- */

static size_t write_head(const struct flow *flow, struct parked *parked)
{
	uint8_t *key;

	memset(parked, 0, sizeof(*parked));
	parked->first_packet = flow->first_packet & ((UINT64_C(1) << 48) - 1);
	parked->waiting = flow->waiting;
	parked->list = flow->list;
	parked->short_key = tuple_is_short(&flow->tuple);
	key = parked->data + key_at(parked);
	if (!parked->short_key) {
		memcpy(key, &flow->tuple, sizeof(flow->tuple));
		return sizeof(*parked) + key_at(parked) + sizeof(flow->tuple);
	}
	tuple_to_short(&flow->tuple, (struct tuple_short *)(void *)key);
	return sizeof(*parked) + key_at(parked) + sizeof(struct tuple_short);
}

uint32_t park_pack(struct shard *shard, struct flow *flow)
{
	union {
		struct parked parked;
		uint8_t bytes[SLOT_MAX];
	} at;
	uint32_t has = what_it_has(flow), number;
	size_t head = write_head(flow, &at.parked), size;
	const uint8_t *bytes = NULL;
	size_t len = 0;
	struct pack pack;
	int i;

	if (!shard->has_epoch) {
		shard->has_epoch = true;
		shard->epoch_ns = flow->first_ts_ns;
	}
	if (flow->first_packet >> 48 != 0 || !budget_has(&shard->budget, (size_t)2 * SLOT_PAGE)) {
		return SLOT_NONE;
	}
	if (flow->session != NULL && session_is_parkable(flow->session)) {
		has = (has & ~(uint32_t)HAS_POINTER) | HAS_SESSION;
	}
	pack_to(&pack, at.bytes + head, sizeof(at.bytes) - head);
	has = pack_u32(&pack, has);
	pack_flow(&pack, flow, has);
	if (pack.failed) {
		return SLOT_NONE;
	}
	if ((has & HAS_SESSION) && !session_park(flow->session, &pack, &bytes, &len)) {
		/* it stays as it is: once more, with its pointer */
		has = (has & ~(uint32_t)HAS_SESSION) | HAS_POINTER;
		pack_to(&pack, at.bytes + head, sizeof(at.bytes) - head);
		has = pack_u32(&pack, has);
		pack_flow(&pack, flow, has);
		if (pack.failed) {
			return SLOT_NONE;
		}
	}
	size = (size_t)(pack.at - at.bytes);
	number = slots_take(&shard->slots, PARK_FLOWS, size);
	if (number == SLOT_NONE) {
		if (has & HAS_SESSION) {
			session_unpark_again(flow->session, bytes, len);
		}
		return SLOT_NONE;
	}
	at.parked.size = size & 0x1fff;
	memcpy(slots_at(&shard->slots, number), at.bytes, size);
	for (i = 0; i < 2; i++) {
		if (!(has & (uint32_t)HAS_BIG_HALF << i)) {
			reasm_half_packed(&flow->half[i], &shard->reasm);
		}
	}
	if (has & HAS_SESSION) {
		session_parked(flow->session);
		flow->session = NULL;
	}
	return number;
}

void park_unpack(struct shard *shard, const struct parked *parked, struct flow *flow)
{
	const uint8_t *bytes = (const uint8_t *)parked;
	size_t head = sizeof(*parked) + key_at(parked) +
		      (parked->short_key ? sizeof(struct tuple_short) : sizeof(struct tuple));
	uint32_t self = flow->self, has;
	struct pack pack;

	memset(flow, 0, sizeof(*flow));
	flow->self = self;
	flow->shard = shard;
	flow->first_packet = parked->first_packet;
	flow->list = parked->list;
	flow->waiting = parked->waiting;
	flow->tick_ns = TIMER_NONE;
	parked_tuple(parked, &flow->tuple);
	flow->hash = tuple_hash(&flow->tuple, shard->engine->options.seed);
	pack_from(&pack, bytes + head, parked->size - head);
	has = pack_u32(&pack, 0);
	flow->tcp.client = (has & CLIENT) != 0;
	flow->tcp.syn_seen = (has & SYN_SEEN) != 0;
	flow->tcp.syn_ack_seen = (has & SYN_ACK_SEEN) != 0;
	flow->tcp.rst_ignored = (has & RST_IGNORED) != 0;
	flow->tcp.reset_side = (has & RESET_SIDE) != 0;
	flow->role_fixed = (has & ROLE_FIXED) != 0;
	pack_flow(&pack, flow, has);
	if (has & HAS_SESSION) {
		flow->session = session_unpark(shard->engine, flow, &pack);
	} else if (flow->session != NULL) {
		session_moved(flow->session, flow);
	}
}

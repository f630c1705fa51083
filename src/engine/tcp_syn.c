/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SYN candidates and the payload that came with them (TCP Fast Open): held until a SYN/ACK says which SYN was taken, and how
 * much of its payload (RFC 7413 section 4.2).
 */
#include "engine/tcp.h"

#include <string.h>

#include "engine/engine.h"
#include "engine/tcp_private.h"

void tcp_free_candidate(struct flow *flow, struct tcp_candidate *c, uint32_t taken)
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
		tcp_free_candidate(flow, &flow->tcp.syn, 0);
	}
	for (i = 0; i < flow->tcp.nmore; i++) {
		tcp_free_candidate(flow, &flow->tcp.more[i], 0);
	}
	budget_free(&flow->shard->budget, flow->tcp.more,
		    (TCP_MAX_CANDIDATES - 1) * sizeof(*flow->tcp.more));
	flow->tcp.more = NULL;
	flow->tcp.nmore = 0;
}

/* Keep a SYN, with its payload: false: there is no memory for it. */
bool tcp_hold_syn(struct flow *flow, const struct item *item, const struct tcp_candidate *syn)
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
			tcp_free_candidate(flow, &tcp->more[0], 0);
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

/* Only one direction was captured, and nothing came after a SYN with data: nobody will say whether it was taken. */
void tcp_take_lone_syn(struct engine *engine, struct flow *flow, enum weir_close how)
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
	tcp_push(flow, syn->side, &seg);
	tcp_free_candidate(flow, syn, syn->data_len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of doubtful checksum: see doubt.h. */
#include "engine/doubt.h"

#include <string.h>

#include "base/seqnum.h"
#include "engine/shard.h"

struct doubt {
	struct doubt *next;
	struct reasm_seg seg; /* .data points behind this struct */
	uint8_t side;
};

static size_t size_of(const struct doubt *doubt)
{
	return sizeof(*doubt) + doubt->seg.caplen;
}

/* Take it out of the list and free it; its bytes have been told. */
static void forget(struct flow *flow, struct doubt **at)
{
	struct doubt *doubt = *at;

	*at = doubt->next;
	flow->doubt_bytes -= doubt->seg.caplen;
	budget_free(&flow->shard->budget, doubt, size_of(doubt));
}

static void reject(struct flow *flow, struct doubt **at)
{
	reasm_half_reject(&flow->half[(*at)->side], &flow->shard->reasm, (*at)->seg.caplen,
			  WEIR_REJECT_CHECKSUM);
	forget(flow, at);
}

bool doubt_keep(struct flow *flow, uint8_t side, const struct reasm_seg *seg)
{
	struct doubt *doubt;
	struct doubt **at;

	if (seg->caplen == 0 || seg->caplen > DOUBT_BYTES) {
		return false;
	}
	while (flow->doubts != NULL && flow->doubt_bytes + seg->caplen > DOUBT_BYTES) {
		reject(flow, &flow->doubts);
	}
	doubt = budget_alloc(&flow->shard->budget, sizeof(*doubt) + seg->caplen);
	if (doubt == NULL) {
		return false;
	}
	doubt->next = NULL;
	doubt->side = side;
	doubt->seg = *seg;
	doubt->seg.data = (const uint8_t *)(doubt + 1);
	memcpy(doubt + 1, seg->data, seg->caplen);
	for (at = &flow->doubts; *at != NULL; at = &(*at)->next) {
	}
	*at = doubt;
	flow->doubt_bytes += seg->caplen;
	return true;
}

/* It is the peer's word, or its silence, that it was taken. */
static void take(struct flow *flow, struct doubt **at, int64_t now_ns)
{
	struct doubt *doubt = *at;
	struct reasm_half *half = &flow->half[doubt->side];

	if (!half->started) {
		reasm_half_start(half, doubt->seg.seq);
	}
	doubt->seg.now_ns = now_ns;
	if (reasm_half_push(half, &flow->shard->reasm, flow, &doubt->seg) < 0) {
		reasm_half_reject(half, &flow->shard->reasm, doubt->seg.caplen, WEIR_REJECT_BUDGET);
	}
	forget(flow, at);
}

unsigned doubt_settle(struct flow *flow, int64_t now_ns)
{
	struct doubt **at = &flow->doubts;
	unsigned taken = 0;

	while (*at != NULL) {
		const struct doubt *doubt = *at;
		const struct reasm_half *half = &flow->half[doubt->side];
		const struct tcp_side *peer = &flow->tcp.side[!doubt->side];
		uint32_t end = doubt->seg.seq + doubt->seg.len;

		if (half->started && seq_leq(end, half->next_seq)) {
			reject(flow, at); /* came otherwise */
		} else if (peer->has_ack && seq_leq(end, peer->last_ack)) {
			take(flow, at, now_ns);
			taken++;
		} else {
			at = &(*at)->next;
		}
	}
	return taken;
}

unsigned doubt_finish(struct flow *flow, int64_t now_ns, bool silent)
{
	unsigned taken = doubt_settle(flow, now_ns);

	while (flow->doubts != NULL) {
		const struct doubt *doubt = flow->doubts;
		const struct reasm_half *half = &flow->half[doubt->side];

		if (silent && half->started && !half->ended && doubt->seg.seq == half->next_seq) {
			take(flow, &flow->doubts, now_ns);
			taken++;
		} else {
			reject(flow, &flow->doubts);
		}
	}
	return taken;
}

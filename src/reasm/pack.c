/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction in few bytes, while its flow is idle: see reasm_half_pack() in half.h.
 *
 *	half   flags, more | next | next_seq | what the flags name: captured, fin, stall, refused, id | cold | queue
 *	cold   which figures are not 0 | those
 *	queue  count and flags | packets | times | intervals: flags, distance to the one before, length, marks, bytes
 *
 * What can have no effect any more is not kept: acknowledgements of what was delivered, the stall that a waiting mark was last
 * given, the steps of searching. Blocks are made anew, so that `memory` is what they take then.
 */
#include "reasm/half.h"

#include <assert.h>
#include <string.h>

#include "base/pack.h"
#include "reasm/half_private.h"
#include "reasm/segq.h"
#include "reasm/slab.h"

enum { MARKS_MAX = 16 };

enum half_flags {
	HALF_STARTED = 1 << 0,
	HALF_FIN_KNOWN = 1 << 1,
	HALF_ENDED = 1 << 2,
	HALF_ONEWAY = 1 << 3,
	HALF_HOLD = 1 << 4,
	HALF_COLD = 1 << 5,
	HALF_QUEUE = 1 << 6,
	HALF_EVEN = 1 << 7, /* captured what was delivered and what waits: nothing else */
};

enum more_flags {
	MORE_DIR = 3,
	MORE_POLICY_SHIFT = 2,
	MORE_POLICY = 7,
	MORE_STALL = 1 << 5,
	MORE_REFUSED = 1 << 6,
	MORE_ID = 1 << 7,
};

enum queue_flags {
	QUEUE_COUNT = 7,
	QUEUE_STALL = 1 << 3,
	QUEUE_STALL_BORN = 1 << 4, /* since the first hole was born */
	QUEUE_FIN_BORN = 1 << 5,
	QUEUE_FIN_ACKED = 1 << 6,
};

enum node_flags {
	NODE_CUT = 1 << 0,
	NODE_BORN = 1 << 1,
	NODE_BORN_FIRST = 1 << 2, /* with the first mark */
	NODE_ACKED = 1 << 3,
	NODE_MARKS = 1 << 4, /* more than one */
};

_Static_assert(REASM_PACK_INTERVALS <= QUEUE_COUNT, "their number has 3 bits");
_Static_assert((int)WEIR_OVERLAP_SOLARIS <= (int)MORE_POLICY, "a policy has 3 bits");

/* An interval on its way, with copies of its marks. */
struct item {
	uint64_t offset;
	uint32_t len;
	uint32_t cut;
	uint32_t nmarks;
	struct reasm_hole hole;
	struct weir_mark marks[MARKS_MAX];
	uint8_t *data;
};

/* Figures that can still matter, the commoner ones first: in the first 7 a set of them takes a byte. */
static uint64_t *figure(struct reasm_cold *cold, unsigned i)
{
	uint64_t *const first[] = {&cold->ledger.duplicate, &cold->acked, &cold->ledger.gap_bytes,
				   &cold->ledger.gaps,      &cold->ahead, &cold->ledger.overlap};

	return i < 6                         ? first[i]
	       : i < 6 + WEIR_REJECT_NCAUSES ? &cold->ledger.rejected[i - 6]
					     : NULL;
}

/* Of a half without queue: NULL when nothing in it matters. */
static struct reasm_cold *cold_worth_keeping(const struct reasm_half *half, struct reasm_cold *copy)
{
	static const struct reasm_cold nothing;

	if (half->cold == NULL) {
		return NULL;
	}
	*copy = *half->cold;
	/* acknowledgements of what was delivered are no evidence for anything */
	copy->acked = copy->acked > half->next ? copy->acked : 0;
	copy->ahead = copy->ahead > half->next ? copy->ahead : 0;
	return half->queue == NULL && memcmp(copy, &nothing, sizeof(*copy)) == 0 ? NULL : copy;
}

static void pack_cold(struct pack *pack, struct reasm_cold *cold, uint64_t next)
{
	uint64_t which = 0;
	uint64_t *value;
	unsigned i;

	for (i = 0; (value = figure(cold, i)) != NULL; i++) {
		which |= (uint64_t)(*value != 0) << i;
	}
	which = pack_u64(pack, which);
	for (i = 0; (value = figure(cold, i)) != NULL; i++) {
		if (((which >> i) & 1) == 0) {
			continue;
		}
		*value = value == &cold->acked || value == &cold->ahead
				 ? pack_near(pack, *value, next)
				 : pack_u64(pack, *value);
	}
}

/* Intervals */

static void pack_acked(struct pack *pack, struct reasm_hole *hole, uint64_t packets,
		       int64_t base_ns)
{
	hole->acked_ns = pack_time(pack, hole->acked_ns, base_ns);
	hole->acked_packets = pack_near(pack, hole->acked_packets, packets);
}

static void pack_marks(struct pack *pack, struct item *item, int64_t base_ns)
{
	uint32_t i;

	for (i = 0; i < item->nmarks; i++) {
		struct weir_mark *mark = &item->marks[i];

		/* the first one's offset is the interval's */
		if (i > 0) {
			mark->offset = pack_near(pack, mark->offset, item->offset);
		}
		mark->ts_ns =
			pack_time(pack, mark->ts_ns, i > 0 ? item->marks[i - 1].ts_ns : base_ns);
		mark->packet = pack_near(pack, mark->packet, i > 0 ? item->marks[i - 1].packet : 0);
		mark->peer_ack = pack_u64(pack, mark->peer_ack + 1) - 1; /* WEIR_NO_ACK is a 0 */
	}
}

static uint8_t flags_of(const struct item *item)
{
	uint8_t flags = 0;

	flags |= item->cut > 0 ? NODE_CUT : 0;
	flags |= item->nmarks > 1 ? NODE_MARKS : 0;
	flags |= item->hole.acked_ns != REASM_NO_TIME ? NODE_ACKED : 0;
	if (item->hole.born_ns != REASM_NO_TIME) {
		flags |= NODE_BORN;
		flags |= item->hole.born_ns == item->marks[0].ts_ns ? NODE_BORN_FIRST : 0;
	}
	return flags;
}

/* `from`: where the interval before it ends, at the earliest. Reading, item->data is where the bytes are in the pack. */
static void pack_item(struct pack *pack, struct item *item, uint64_t from, uint64_t packets,
		      int64_t base_ns)
{
	uint8_t flags = pack_u8(pack, pack->reading ? 0 : flags_of(item));

	item->offset = from + pack_u64(pack, item->offset - from);
	item->len = pack_u32(pack, item->len);
	item->cut = flags & NODE_CUT ? pack_u32(pack, item->cut) : 0;
	item->nmarks = flags & NODE_MARKS ? pack_u32(pack, item->nmarks) : 1;
	assert(item->nmarks <= MARKS_MAX);
	item->marks[0].offset = item->offset;
	pack_marks(pack, item, base_ns);
	if (flags & NODE_BORN_FIRST) {
		item->hole.born_ns = item->marks[0].ts_ns;
	} else if (flags & NODE_BORN) {
		item->hole.born_ns = pack_time(pack, item->hole.born_ns, base_ns);
	}
	if (flags & NODE_ACKED) {
		pack_acked(pack, &item->hole, packets, base_ns);
	}
	if (pack->reading) {
		assert((size_t)(pack->end - pack->at) >= item->len);
		item->data = pack->at;
		pack->at += item->len;
	} else {
		pack_bytes(pack, item->data, item->len);
	}
}

static void write_nodes(struct pack *pack, const struct reasm_half *half, int64_t base_ns)
{
	const struct reasm_node *node;
	uint64_t from = half->next;
	struct item item;

	for (node = half->queue->head; node != NULL; node = node->next) {
		assert(node->nmarks <= MARKS_MAX);
		item.offset = node->offset;
		item.len = node->len;
		item.cut = node->cut;
		item.nmarks = node->nmarks;
		item.hole = node->hole;
		item.data = reasm_node_data(node);
		memcpy(item.marks, reasm_node_marks(node), node->nmarks * sizeof(item.marks[0]));
		pack_item(pack, &item, from, half->queue->packets, base_ns);
		from = reasm_node_reach(node);
	}
}

/* @return bytes that there was no memory for */
static uint64_t read_nodes(struct pack *pack, struct reasm_half *half, struct reasm_pool *pool,
			   unsigned count, int64_t base_ns)
{
	uint64_t from = half->next, packets = half->queue != NULL ? half->queue->packets : 0;
	uint64_t lost = 0;
	bool missing = false;
	unsigned i;

	for (i = 0; i < count; i++) {
		struct item item = {.hole = {.born_ns = REASM_NO_TIME, .acked_ns = REASM_NO_TIME}};
		struct reasm_run run = {.marks = item.marks};
		struct reasm_node *node = NULL;

		pack_item(pack, &item, from, packets, base_ns);
		from = item.offset + item.len + item.cut;
		run.offset = item.offset;
		run.data = item.data;
		run.len = item.len;
		run.nmarks = (uint16_t)item.nmarks;
		if (half->queue != NULL) {
			node = reasm_node_new(pool, &run);
		}
		if (node == NULL) {
			missing = true;
			lost += item.len;
			continue;
		}
		if (missing && item.hole.born_ns == REASM_NO_TIME) {
			item.hole.born_ns = base_ns; /* there was none before it */
		}
		missing = false;
		reasm_segq_link(pool, half->queue, half->queue->tail, node);
		node->cut = item.cut;
		node->hole = item.hole;
	}
	return lost;
}

static uint8_t queue_flags_of(const struct reasm_queue *queue)
{
	uint8_t flags = (uint8_t)queue->count;

	if (queue->stall_from_ns != REASM_NO_TIME) {
		flags |= QUEUE_STALL;
		flags |= queue->head != NULL && queue->stall_from_ns == queue->head->hole.born_ns
				 ? QUEUE_STALL_BORN
				 : 0;
	}
	flags |= queue->fin.born_ns != REASM_NO_TIME ? QUEUE_FIN_BORN : 0;
	flags |= queue->fin.acked_ns != REASM_NO_TIME ? QUEUE_FIN_ACKED : 0;
	return flags;
}

/* Where it began to wait, and the hole before FIN: before the intervals, of which the first may say when. */
static void pack_queue_times(struct pack *pack, struct reasm_queue *queue, unsigned flags,
			     int64_t base_ns)
{
	if ((flags & QUEUE_STALL) && !(flags & QUEUE_STALL_BORN)) {
		queue->stall_from_ns = pack_time(pack, queue->stall_from_ns, base_ns);
	}
	if (flags & QUEUE_FIN_BORN) {
		queue->fin.born_ns = pack_time(pack, queue->fin.born_ns, base_ns);
	}
	if (flags & QUEUE_FIN_ACKED) {
		pack_acked(pack, &queue->fin, queue->packets, base_ns);
	}
}

static void write_queue(struct pack *pack, const struct reasm_half *half, int64_t base_ns)
{
	struct reasm_queue copy = *half->queue;
	uint8_t flags = pack_u8(pack, queue_flags_of(&copy));

	(void)pack_u64(pack, copy.packets);
	pack_queue_times(pack, &copy, flags, base_ns);
	write_nodes(pack, half, base_ns);
}

/* Without memory for an interval, its bytes are given up as reasm_half_drop() does, and a hole is there. @return bytes */
static uint64_t read_queue(struct pack *pack, struct reasm_half *half, struct reasm_pool *pool,
			   int64_t base_ns)
{
	uint8_t flags = pack_u8(pack, 0);
	struct reasm_queue copy = {.packets = pack_u64(pack, 0),
				   .stall_from_ns = REASM_NO_TIME,
				   .fin = {.born_ns = REASM_NO_TIME, .acked_ns = REASM_NO_TIME}};
	struct reasm_queue *queue;
	uint64_t lost;

	pack_queue_times(pack, &copy, flags, base_ns);
	half->queue = queue = half->cold != NULL ? reasm_segq_new(pool) : NULL;
	if (queue != NULL) {
		queue->packets = copy.packets;
	}
	lost = read_nodes(pack, half, pool, flags & QUEUE_COUNT, base_ns);
	if (queue == NULL) {
		return lost;
	}
	queue->fin = copy.fin;
	queue->stall_from_ns = copy.stall_from_ns;
	if (queue->head == NULL) {
		queue->stall_from_ns = REASM_NO_TIME;
		if (!half->fin_known || half->fin <= half->next) {
			reasm_segq_free(pool, queue);
			half->queue = NULL;
		}
	} else if (flags & QUEUE_STALL_BORN) {
		queue->stall_from_ns = queue->head->hole.born_ns;
	} else if (queue->stall_from_ns == REASM_NO_TIME && queue->head->offset > half->next) {
		queue->stall_from_ns = base_ns; /* what was held before it is lost */
	}
	return lost;
}

/* The half */

bool reasm_half_is_packable(const struct reasm_half *half)
{
	const struct reasm_node *node;
	unsigned marks = 0;

	if (half->busy || half->dir > MORE_DIR || half->policy > MORE_POLICY) {
		return false;
	}
	if (half->queue == NULL) {
		return true;
	}
	if (half->queue->count > REASM_PACK_INTERVALS || half->queue->bytes > REASM_PACK_BYTES ||
	    half->cold == NULL) {
		return false;
	}
	for (node = half->queue->head; node != NULL; node = node->next) {
		marks += node->nmarks;
		if (reasm_node_marks(node)->offset != node->offset) {
			return false;
		}
	}
	return marks <= MARKS_MAX;
}

static void flags_of_half(const struct reasm_half *half, uint64_t even, bool cold, uint8_t ret[2])
{
	ret[0] = (uint8_t)((half->started ? HALF_STARTED : 0) |
			   (half->fin_known ? HALF_FIN_KNOWN : 0) | (half->ended ? HALF_ENDED : 0) |
			   (half->oneway ? HALF_ONEWAY : 0) | (half->hold ? HALF_HOLD : 0) |
			   (cold ? HALF_COLD : 0) | (half->queue != NULL ? HALF_QUEUE : 0) |
			   (half->captured == even ? HALF_EVEN : 0));
	ret[1] = (uint8_t)(half->dir | half->policy << MORE_POLICY_SHIFT |
			   (half->stall_ns != 0 ? MORE_STALL : 0) |
			   (half->refused != 0 ? MORE_REFUSED : 0) | (half->id != 0 ? MORE_ID : 0));
}

/* What a half in order has, too. `captured` is a difference to `even`, which is not known when it is read: 0 then. */
static void pack_hot(struct pack *pack, struct reasm_half *half, const uint8_t flags[2],
		     uint64_t even)
{
	half->next = pack_u64(pack, half->next);
	if (flags[0] & HALF_STARTED) {
		pack_bytes(pack, &half->next_seq, sizeof(half->next_seq));
	}
	if (!(flags[0] & HALF_EVEN)) {
		half->captured = pack_near(pack, half->captured, even);
	}
	if (flags[0] & HALF_FIN_KNOWN) {
		half->fin = pack_near(pack, half->fin, half->next);
	}
	if (flags[1] & MORE_STALL) {
		half->stall_ns = (int64_t)pack_u64(pack, (uint64_t)half->stall_ns);
	}
	if (flags[1] & MORE_REFUSED) {
		half->refused = pack_u32(pack, half->refused);
	}
	if (flags[1] & MORE_ID) {
		half->id = pack_u32(pack, half->id);
	}
}

static void write_half(struct pack *pack, struct reasm_half *half, int64_t base_ns)
{
	uint64_t even = half->next + (half->queue != NULL ? half->queue->bytes : 0);
	struct reasm_cold copy, *cold = cold_worth_keeping(half, &copy);
	uint8_t flags[2];

	flags_of_half(half, even, cold != NULL, flags);
	pack_bytes(pack, flags, sizeof(flags));
	pack_hot(pack, half, flags, even);
	if (cold != NULL) {
		pack_cold(pack, cold, half->next);
	}
	if (half->queue != NULL) {
		write_queue(pack, half, base_ns);
	}
}

/*
 * No memory for the figures: the ledger goes on without them. delivered is then all before `next`, gaps that are known no more
 * included; what else was captured becomes refused.
 */
static void give_up_figures(struct reasm_half *half, struct reasm_pool *pool,
			    const struct reasm_cold *lost)
{
	uint64_t rest;

	pool->untold += lost->ledger.gaps;
	half->captured = half->captured > half->next ? half->captured : half->next;
	rest = half->captured - half->next;
	half->refused = rest < UINT32_MAX ? (uint32_t)rest : UINT32_MAX;
	half->captured = half->next + half->refused;
}

static void read_half(struct pack *pack, struct reasm_half *half, struct reasm_pool *pool,
		      int64_t base_ns)
{
	struct reasm_cold cold = {0};
	uint64_t lost = 0;
	uint8_t flags[2] = {0};

	memset(half, 0, sizeof(*half));
	pack_bytes(pack, flags, sizeof(flags));
	half->started = (flags[0] & HALF_STARTED) != 0;
	half->fin_known = (flags[0] & HALF_FIN_KNOWN) != 0;
	half->ended = (flags[0] & HALF_ENDED) != 0;
	half->oneway = (flags[0] & HALF_ONEWAY) != 0;
	half->hold = (flags[0] & HALF_HOLD) != 0;
	half->dir = flags[1] & MORE_DIR;
	half->policy = (flags[1] >> MORE_POLICY_SHIFT) & MORE_POLICY;
	pack_hot(pack, half, flags, 0);
	if (flags[0] & HALF_COLD) {
		pack_cold(pack, &cold, half->next);
		if (reasm_half_cold(half, pool) != NULL) {
			*half->cold = cold;
		}
	}
	if (flags[0] & HALF_QUEUE) {
		lost = read_queue(pack, half, pool, base_ns);
	}
	half->captured += half->next + lost + (half->queue != NULL ? half->queue->bytes : 0);
	if (half->cold != NULL) {
		half->cold->ledger.rejected[WEIR_REJECT_BUDGET] += lost;
	} else if (flags[0] & HALF_COLD) {
		give_up_figures(half, pool, &cold);
	}
}

void reasm_half_pack(struct pack *pack, struct reasm_half *half, struct reasm_pool *pool,
		     int64_t base_ns)
{
	if (pack->reading) {
		read_half(pack, half, pool, base_ns);
	} else {
		assert(reasm_half_is_packable(half));
		write_half(pack, half, base_ns);
	}
}

void reasm_half_packed(struct reasm_half *half, struct reasm_pool *pool)
{
	reasm_segq_free(pool, half->queue);
	half->queue = NULL;
	if (half->cold != NULL) {
		reasm_slab_free(pool, half->cold, REASM_CLASS_192);
		half->cold = NULL;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Holes: which one blocks, since when, what is known of it, and when it becomes a gap: see half.h. */
#include "reasm/half.h"

#include <assert.h>

#include "reasm/half_private.h"
#include "reasm/segq.h"

enum { SACK_HOLES = 16 }; /* looked at for one SACK block: it comes with every packet */

/* The hole that blocks, NULL: none. Where it ends through ret_until. */
static struct reasm_hole *first_hole(const struct reasm_half *half, uint64_t *ret_until)
{
	struct reasm_queue *queue = half->queue;

	if (queue == NULL) {
		return NULL;
	}
	if (queue->head != NULL) {
		*ret_until = queue->head->offset;
		return queue->head->offset > half->next ? &queue->head->hole : NULL;
	}
	*ret_until = half->fin;
	return half->fin_known && half->fin > half->next ? &queue->fin : NULL;
}

/* Did the capture say that it lost packets at that time? A limit has its own reason. */
static enum weir_gap_cause cause_of(const struct reasm_pool *pool, const struct reasm_hole *hole,
				    enum weir_gap_cause cause)
{
	bool lost = cause == WEIR_GAP_ACKED || cause == WEIR_GAP_AGE || cause == WEIR_GAP_END;

	if (!lost || pool->dropped_ns == NULL || *pool->dropped_ns == INT64_MIN ||
	    hole->born_ns == REASM_NO_TIME || *pool->dropped_ns < hole->born_ns - REASM_DROP_NS) {
		return cause;
	}
	return WEIR_GAP_CAPTURE_DROP;
}

void reasm_half_declare_first(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			      enum weir_gap_cause cause, int64_t now_ns)
{
	struct reasm_node *node = half->queue->head;
	struct weir_mark mark;
	uint64_t until = 0;
	struct reasm_hole *hole = first_hole(half, &until);

	if (hole == NULL) {
		assert(node != NULL && node->offset == half->next && half->hold);
		reasm_half_release(half, pool, owner, true, now_ns);
		return;
	}
	cause = cause_of(pool, hole, cause);
	reasm_half_stall_until(half, now_ns);
	half->busy = 1;
	if (node != NULL) {
		mark = *reasm_node_marks(node);
		mark.stall_ns = half->stall_ns;
	}
	reasm_half_give_gap(half, pool, owner, until, cause, node != NULL ? &mark : NULL);
	reasm_half_drain(half, pool, owner);
	reasm_half_settle(half, pool, owner);
}

void reasm_half_hole_acked(const struct reasm_queue *queue, struct reasm_hole *hole, int64_t now_ns)
{
	if (hole->acked_ns == REASM_NO_TIME) {
		hole->acked_ns = now_ns;
		/* the packet under way is not one of the "more packets": poll() counts it when it is done */
		hole->acked_packets = queue->packets + 1;
	}
}

/* The highest byte seen, as an acknowledgement would name it: FIN counts one. */
static uint64_t highest_seen(const struct reasm_half *half)
{
	if (half->fin_known) {
		return half->fin + 1;
	}
	if (half->queue != NULL && half->queue->tail != NULL) {
		return reasm_node_reach(half->queue->tail);
	}
	return half->next;
}

/* The peer has everything before offset, and we know that it was sent: holes that end there or before are losses. */
static void raise_acked(struct reasm_half *half, uint64_t offset, int64_t now_ns)
{
	struct reasm_queue *queue = half->queue;
	struct reasm_cold *cold = half->cold;
	struct reasm_node *node;

	if (offset > cold->acked) {
		node = reasm_segq_find(queue, cold->acked);
		node = node != NULL ? node->next : queue->head;
		for (; node != NULL && node->offset <= offset; node = node->next) {
			reasm_half_hole_acked(queue, &node->hole, now_ns);
		}
		cold->acked = offset;
	}
	if (half->fin_known && cold->acked >= half->fin) {
		reasm_half_hole_acked(queue, &queue->fin, now_ns);
	}
}

/* More was seen: an acknowledgement that was ahead of it may be evidence now. */
void reasm_half_promote_acked(struct reasm_half *half, int64_t now_ns)
{
	struct reasm_cold *cold = half->cold;

	raise_acked(half, cold->ahead <= highest_seen(half) ? cold->ahead : 0, now_ns);
}

void reasm_half_acked(struct reasm_half *half, struct reasm_pool *pool, uint64_t offset,
		      int64_t now_ns)
{
	uint64_t seen;

	if (offset <= half->next || half->ended || !half->started) {
		return;
	}
	seen = highest_seen(half);
	if (offset <= seen) {
		if (half->queue != NULL) {
			raise_acked(half, offset, now_ns);
		}
		return;
	}
	if (reasm_half_cold(half, pool) == NULL) {
		return;
	}
	seen = half->cold->ahead > seen ? half->cold->ahead : seen;
	if (offset > seen && offset - seen <= REASM_ACK_WINDOW) {
		half->cold->ahead = offset;
	}
}

void reasm_half_sacked(struct reasm_half *half, uint64_t lo, uint64_t hi, int64_t now_ns)
{
	struct reasm_queue *queue = half->queue;
	struct reasm_node *node;
	int steps = 0;

	if (queue == NULL || queue->head == NULL || lo >= hi || hi > highest_seen(half)) {
		return;
	}
	node = reasm_segq_find(queue, lo);
	node = node != NULL ? node->next : queue->head;
	for (; node != NULL && node->offset <= hi && steps++ < SACK_HOLES; node = node->next) {
		uint64_t from = node->prev != NULL ? reasm_node_reach(node->prev) : half->next;

		if (from >= lo && from < node->offset) {
			reasm_half_hole_acked(queue, &node->hole, now_ns);
		}
	}
}

static bool hole_is_due(const struct reasm_half *half, const struct reasm_pool *pool,
			const struct reasm_hole *hole, int64_t now_ns, enum weir_gap_cause *ret)
{
	int64_t age_ns = half->oneway ? pool->oneway_age_ns : pool->age_ns;

	*ret = WEIR_GAP_ACKED;
	if (hole->acked_ns != REASM_NO_TIME &&
	    (now_ns - hole->acked_ns >= pool->acked_ns ||
	     (half->queue->packets >= hole->acked_packets + pool->acked_packets &&
	      now_ns - hole->acked_ns >= pool->acked_min_ns))) {
		return true;
	}
	*ret = WEIR_GAP_AGE;
	return now_ns - hole->born_ns > age_ns; /* bytes that come just then are in time */
}

void reasm_half_poll(struct reasm_half *half, struct reasm_pool *pool, void *owner, int64_t now_ns,
		     bool packet)
{
	struct reasm_hole *hole;
	enum weir_gap_cause cause;
	uint64_t until;

	if (half->queue == NULL || half->busy) {
		return;
	}
	if (half->queue->fin.born_ns == REASM_NO_TIME && half->fin_known) {
		half->queue->fin.born_ns = now_ns; /* reasm_half_fin() knows no time */
	}
	reasm_half_promote_acked(half, now_ns);
	if (reasm_half_is_holding(half)) {
		reasm_half_release(half, pool, owner, false, now_ns);
		if (half->queue == NULL) {
			return;
		}
	}
	half->queue->packets += packet;
	while ((hole = first_hole(half, &until)) != NULL &&
	       hole_is_due(half, pool, hole, now_ns, &cause)) {
		reasm_half_declare_first(half, pool, owner, cause, now_ns);
	}
}

int64_t reasm_half_deadline(const struct reasm_half *half, const struct reasm_pool *pool)
{
	uint64_t until;
	const struct reasm_hole *hole = first_hole(half, &until);
	int64_t at = INT64_MAX;

	if (hole != NULL && hole->born_ns != REASM_NO_TIME) {
		at = hole->born_ns + (half->oneway ? pool->oneway_age_ns : pool->age_ns) + 1;
	}
	if (hole != NULL && hole->acked_ns != REASM_NO_TIME &&
	    hole->acked_ns + pool->acked_ns < at) {
		at = hole->acked_ns + pool->acked_ns;
	}
	return at;
}

int64_t reasm_half_oldest(const struct reasm_half *half)
{
	uint64_t until;
	const struct reasm_hole *hole = first_hole(half, &until);

	return hole != NULL ? hole->born_ns : INT64_MAX;
}

size_t reasm_half_give_up(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			  enum weir_gap_cause cause, int64_t now_ns)
{
	size_t before = pool->charged;

	if (half->queue == NULL || half->busy) {
		return 0;
	}
	reasm_half_declare_first(half, pool, owner, cause, now_ns);
	(void)reasm_pool_trim(pool);
	return before > pool->charged ? before - pool->charged : 0;
}

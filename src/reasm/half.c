/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction: see half.h. reasm_half_push() first: in order and whole, it is a callback into the caller's bytes.
 *
 * Everything else takes the slow road: the segment becomes a span in stream space, is trimmed at both ends, and is then
 * either delivered now (it begins at or before `next`) or stored as a whole (it begins behind a hole): never both, which is
 * why a refused allocation can leave the half as it was.
 */
#include "reasm/half.h"

#include <assert.h>
#include <string.h>

#include "base/seqnum.h"
#include "reasm/half_private.h"
#include "reasm/ring.h"
#include "reasm/segq.h"
#include "reasm/slab.h"
#include "weir/error.h"
/* Figures */

struct reasm_cold *reasm_half_cold(struct reasm_half *half, struct reasm_pool *pool)
{
	if (half->cold == NULL) {
		half->cold = reasm_slab_alloc(pool, REASM_CLASS_192);
		if (half->cold != NULL) {
			memset(half->cold, 0, sizeof(*half->cold));
		}
	}
	return half->cold;
}

/* Count captured bytes that no figure can be kept for. The counter is small: beyond it, they were not captured. */
static void refuse(struct reasm_half *half, uint64_t n)
{
	uint64_t room = UINT32_MAX - half->refused;

	half->captured -= n > room ? n - room : 0;
	half->refused += (uint32_t)(n > room ? room : n);
}

static void count_rejected(struct reasm_half *half, struct reasm_pool *pool, uint64_t n,
			   enum weir_reject cause)
{
	if (n == 0) {
		return;
	}
	if (reasm_half_cold(half, pool) == NULL) {
		refuse(half, n);
		return;
	}
	half->cold->ledger.rejected[cause] += n;
}

void reasm_half_reject(struct reasm_half *half, struct reasm_pool *pool, uint32_t caplen,
		       enum weir_reject cause)
{
	assert(cause < WEIR_REJECT_NCAUSES);
	half->captured += caplen;
	count_rejected(half, pool, caplen, cause);
}

void reasm_half_ledger(const struct reasm_half *half, struct weir_ledger *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (half->cold != NULL) {
		*ret = half->cold->ledger;
	}
	ret->captured = half->captured;
	/* data and gaps tile [0, next) */
	ret->delivered = half->next - ret->gap_bytes;
	ret->pending = half->queue != NULL ? half->queue->bytes : 0;
	ret->rejected[WEIR_REJECT_BUDGET] += half->refused;
}

void reasm_half_add_ledger(const struct reasm_half *half, struct weir_ledger *to)
{
	struct weir_ledger own;
	int i;

	if (half->cold == NULL && half->queue == NULL) {
		to->captured += half->captured;
		to->delivered += half->next;
		to->rejected[WEIR_REJECT_BUDGET] += half->refused;
		return;
	}
	reasm_half_ledger(half, &own);
	to->captured += own.captured;
	to->delivered += own.delivered;
	to->duplicate += own.duplicate;
	to->overlap += own.overlap;
	to->pending += own.pending;
	to->gap_bytes += own.gap_bytes;
	to->gaps += own.gaps;
	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		to->rejected[i] += own.rejected[i];
	}
}

static uint64_t delivered_so_far(const struct reasm_half *half)
{
	return half->next - (half->cold != NULL ? half->cold->ledger.gap_bytes : 0);
}

/* Life */

void reasm_half_init(struct reasm_half *half, uint8_t dir)
{
	memset(half, 0, sizeof(*half));
	half->dir = dir;
}

void reasm_half_start(struct reasm_half *half, uint32_t seq)
{
	assert(!half->started);
	half->started = 1;
	half->next_seq = seq;
}

void reasm_half_restart(struct reasm_half *half, uint32_t seq)
{
	assert(half->started);
	if (half->next == 0 && half->queue == NULL && !half->fin_known) {
		half->next_seq = seq;
	}
}

int64_t reasm_half_offset(const struct reasm_half *half, uint32_t seq)
{
	return (int64_t)half->next + seq_diff(seq, half->next_seq);
}

void reasm_half_drop(struct reasm_half *half, struct reasm_pool *pool)
{
	assert(!half->busy);
	if (half->queue == NULL) {
		return;
	}
	count_rejected(half, pool, half->queue->bytes, WEIR_REJECT_BUDGET);
	reasm_segq_free(pool, half->queue);
	half->queue = NULL;
}

void reasm_half_fini(struct reasm_half *half, struct reasm_pool *pool)
{
	reasm_half_drop(half, pool);
	if (half->cold != NULL) {
		reasm_slab_free(pool, half->cold, REASM_CLASS_192);
		half->cold = NULL;
	}
}

/* Delivery. `next` and the figures are right before a callback sees them. */

static void move_next(struct reasm_half *half, uint64_t n)
{
	half->next += n;
	half->next_seq += (uint32_t)n;
}

/* Delivery is blocked since the queue has intervals; whatever ends or interrupts that comes here first. */
void reasm_half_stall_until(struct reasm_half *half, int64_t now_ns)
{
	struct reasm_queue *queue = half->queue;

	if (queue != NULL && queue->stall_from_ns < now_ns) {
		half->stall_ns += now_ns - queue->stall_from_ns;
		queue->stall_from_ns = now_ns;
	}
}

static void give_bytes(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		       const uint8_t *data, size_t len, uint16_t sum, struct weir_mark *mark)
{
	struct weir_chunk chunk = {
		.data = data, .len = len, .offset = half->next, .marks = mark, .nmarks = 1};

	mark->offset = half->next;
	mark->stall_ns = half->stall_ns;
	move_next(half, len);
	if (pool->ring != NULL) {
		reasm_ring_note(pool, half,
				&(struct reasm_recent){.offset = chunk.offset,
						       .data = data,
						       .len = len,
						       .packet = mark->packet,
						       .sum = sum});
	}
	pool->ops->data(owner, half, &chunk);
}

void reasm_half_give_gap(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			 uint64_t until, enum weir_gap_cause cause, const struct weir_mark *mark)
{
	uint64_t offset = half->next, length = until - offset;

	assert(until > offset && half->cold != NULL);
	half->cold->ledger.gap_bytes += length;
	half->cold->ledger.gaps++;
	move_next(half, length);
	pool->ops->gap(owner, half, offset, length, cause, mark);
}

static void note_segments(struct reasm_half *half, struct reasm_pool *pool,
			  const struct weir_chunk *chunk)
{
	size_t i;

	for (i = 0; i < chunk->nmarks; i++) {
		uint64_t lo = chunk->marks[i].offset;
		uint64_t hi = i + 1 < chunk->nmarks ? chunk->marks[i + 1].offset
						    : chunk->offset + chunk->len;

		reasm_ring_note(pool, half,
				&(struct reasm_recent){.offset = lo,
						       .data = chunk->data + (lo - chunk->offset),
						       .len = hi - lo,
						       .packet = chunk->marks[i].packet});
	}
}

/* The first interval, which begins at next: its bytes, then what is known to be cut behind them. */
static void give_head(struct reasm_half *half, struct reasm_pool *pool, void *owner)
{
	struct reasm_queue *queue = half->queue;
	struct reasm_node *node = queue->head;
	struct weir_mark *marks = reasm_node_marks(node);
	struct weir_chunk chunk = {.data = reasm_node_data(node),
				   .len = node->len,
				   .offset = node->offset,
				   .marks = marks,
				   .nmarks = node->nmarks};
	size_t i;

	assert(node->offset == half->next && node->nmarks > 0);
	reasm_segq_unlink(queue, node);
	if (queue->head == NULL) {
		queue->stall_from_ns = REASM_NO_TIME;
	}
	for (i = 0; i < node->nmarks; i++) {
		marks[i].stall_ns = half->stall_ns;
	}
	if (node->len > 0) {
		move_next(half, node->len);
		if (pool->ring != NULL) {
			note_segments(half, pool, &chunk);
		}
		pool->ops->data(owner, half, &chunk);
	}
	if (node->cut > 0) {
		reasm_half_give_gap(half, pool, owner, half->next + node->cut, WEIR_GAP_SNAPLEN,
				    &marks[node->nmarks - 1]);
	}
	reasm_node_free(pool, node);
}

/* The first interval up to an offset within it: the rest goes on waiting. */
static void give_part(struct reasm_half *half, struct reasm_pool *pool, void *owner, uint64_t until)
{
	struct reasm_queue *queue = half->queue;
	struct reasm_node *node = queue->head;
	struct weir_mark *marks = reasm_node_marks(node);
	uint32_t len = (uint32_t)(until - node->offset);
	struct weir_chunk chunk = {.data = reasm_node_data(node),
				   .len = len,
				   .offset = node->offset,
				   .marks = marks,
				   .nmarks = reasm_node_mark_index(node, until - 1) + 1};
	size_t i;

	assert(node->offset == half->next && len > 0 && len < node->len);
	for (i = 0; i < chunk.nmarks; i++) {
		marks[i].stall_ns = half->stall_ns;
	}
	move_next(half, len);
	queue->bytes -= len; /* before a callback looks at the ledger */
	if (pool->ring != NULL) {
		note_segments(half, pool, &chunk);
	}
	pool->ops->data(owner, half, &chunk);
	reasm_node_trim(node, len);
}

void reasm_half_drain(struct reasm_half *half, struct reasm_pool *pool, void *owner)
{
	while (half->queue != NULL && half->queue->head != NULL &&
	       half->queue->head->offset == half->next) {
		const struct reasm_node *node = half->queue->head;
		uint64_t end = node->len > 0 ? reasm_node_end(node) : reasm_node_reach(node);

		if (reasm_half_is_holding(half) && half->cold->acked < end) {
			half->queue->stall_from_ns = REASM_NO_TIME; /* nothing is missing */
			if (half->cold->acked > node->offset && node->len > 0) {
				give_part(half, pool, owner, half->cold->acked);
			}
			return;
		}
		give_head(half, pool, owner);
	}
}

void reasm_half_release(struct reasm_half *half, struct reasm_pool *pool, void *owner, bool all,
			int64_t now_ns)
{
	struct reasm_queue *queue = half->queue;

	reasm_half_stall_until(half, now_ns);
	half->busy = 1;
	while (all && queue->head != NULL && queue->head->offset == half->next) {
		give_head(half, pool, owner);
	}
	reasm_half_drain(half, pool, owner);
	if (queue->head != NULL && queue->head->offset > half->next &&
	    queue->stall_from_ns == REASM_NO_TIME) {
		queue->stall_from_ns = now_ns; /* a hole behind what was held */
	}
	reasm_half_settle(half, pool, owner);
}

/* After anything that may have moved next: is the queue empty, is the stream at its end? Last in each call. */
void reasm_half_settle(struct reasm_half *half, struct reasm_pool *pool, void *owner)
{
	struct reasm_queue *queue = half->queue;

	half->busy = 0;
	if (queue != NULL && queue->head == NULL && !(half->fin_known && half->fin > half->next)) {
		half->queue = NULL;
		reasm_segq_free(pool, queue);
	}
	if (half->fin_known && half->next == half->fin && !half->ended) {
		half->ended = 1;
		pool->ops->end(owner, half);
	}
}
/* Segments that begin at or before next */

/* Bytes that wait are compared before they are gone; a cut that this span fills is none any more. */
static void meet_queue(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		       struct reasm_span *span)
{
	struct reasm_node *node = half->queue->head;

	reasm_half_resolve(half, pool, owner, node, span);
	for (; node != NULL && node->offset < span->data_hi; node = node->next) {
		if (reasm_node_end(node) < span->data_hi) {
			if (reasm_node_reach(node) > span->hi) {
				span->hi = reasm_node_reach(node);
			}
			node->cut = 0;
		}
	}
}

static void deliver(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		    struct reasm_span *span)
{
	half->busy = 1;
	reasm_half_stall_until(half, span->now_ns);
	if (half->queue != NULL && half->queue->head != NULL &&
	    half->queue->head->offset < span->data_hi) {
		meet_queue(half, pool, owner, span);
	}
	while (half->next < span->hi) {
		struct reasm_node *node = half->queue != NULL ? half->queue->head : NULL;
		uint64_t stop = node != NULL && node->offset < span->hi ? node->offset : span->hi;

		if (stop == half->next) {
			give_head(half, pool, owner);
		} else if (half->next < span->data_hi) {
			size_t n = (stop < span->data_hi ? stop : span->data_hi) - half->next;

			give_bytes(half, pool, owner, span->data + (half->next - span->lo), n,
				   n == span->data_hi - span->lo ? span->sum : 0, &span->mark);
		} else {
			span->mark.offset = half->next;
			reasm_half_give_gap(half, pool, owner, stop, WEIR_GAP_SNAPLEN, &span->mark);
		}
	}
	reasm_half_drain(half, pool, owner);
	reasm_half_settle(half, pool, owner);
}

/* Bytes of the span that were delivered, or declared a gap, before. */
static void count_old(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		      const struct reasm_span *span)
{
	uint64_t hi = span->data_hi < half->next ? span->data_hi : half->next;
	struct reasm_recent recent = {.offset = span->lo, .data = span->data, .len = hi - span->lo};
	struct reasm_conflict conflict;

	if (span->lo >= hi) {
		return;
	}
	if (reasm_half_cold(half, pool) == NULL) {
		refuse(half, hi - span->lo);
		return;
	}
	half->cold->ledger.duplicate += hi - span->lo;
	recent.sum = hi == span->data_hi ? span->sum : 0;
	/* RFC 9293 §3.8.4: a keep-alive may have one octet of garbage, right before the next one */
	if (recent.len == 1 && hi == half->next) {
		return;
	}
	if (reasm_ring_check(pool, half, &recent, &conflict)) {
		half->cold->ledger.duplicate -= conflict.differing;
		half->cold->ledger.overlap += conflict.differing;
		pool->ops->overlap(owner, half, conflict.offset, conflict.kept, conflict.lost,
				   conflict.len, &span->mark, conflict.packet);
	}
}

/* To stream space, without what is before the start or beyond the end: captured bytes of those through the rets. */
static void span_of_segment(const struct reasm_half *half, const struct reasm_seg *seg,
			    struct reasm_span *ret, uint64_t *ret_before, uint64_t *ret_beyond)
{
	int64_t at = reasm_half_offset(half, seg->seq);
	uint64_t skip = at < 0 ? (uint64_t)-at : 0;
	uint64_t end = half->fin_known ? half->fin : half->ended ? half->next : UINT64_MAX;
	uint64_t have;

	skip = skip > seg->len ? seg->len : skip;
	*ret_before = skip > seg->caplen ? seg->caplen : skip;
	ret->lo = (uint64_t)(at + (int64_t)skip);
	have = seg->caplen - *ret_before;
	ret->data = seg->data + *ret_before;
	ret->hi = ret->lo + (seg->len - skip);
	ret->data_hi = ret->lo + have;
	*ret_beyond = 0;
	if (ret->data_hi > end) {
		*ret_beyond = ret->lo > end ? have : ret->data_hi - end;
		ret->data_hi -= *ret_beyond;
	}
	ret->hi = ret->hi > end && end > ret->data_hi ? end
		  : ret->hi > end                     ? ret->data_hi
						      : ret->hi;
	ret->mark = (struct weir_mark){.offset = ret->lo,
				       .ts_ns = seg->ts_ns,
				       .packet = seg->packet,
				       .peer_ack = seg->peer_ack};
	ret->now_ns = seg->now_ns;
	ret->sum = ret->data_hi - ret->lo == seg->len ? seg->sum : 0;
}

/* What is not old of a span is kept until it was acknowledged: as if it began behind a hole. */
static int hold(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		const struct reasm_span *span)
{
	struct reasm_span rest = *span;

	if (rest.hi <= half->next || rest.hi == rest.lo) {
		return 0;
	}
	if (rest.lo < half->next) {
		rest.data += half->next - rest.lo < rest.data_hi - rest.lo ? half->next - rest.lo
									   : rest.data_hi - rest.lo;
		rest.lo = half->next;
		rest.data_hi = rest.data_hi > rest.lo ? rest.data_hi : rest.lo;
		rest.mark.offset = rest.lo;
	}
	return reasm_half_store(half, pool, owner, &rest);
}

static ssize_t push_slow(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			 const struct reasm_seg *seg)
{
	uint64_t before, beyond, delivered = delivered_so_far(half);
	struct reasm_span span;
	int err = 0;

	assert(half->started && seg->caplen <= seg->len);
	if (half->busy) {
		return WEIR_EINVAL;
	}
	span_of_segment(half, seg, &span, &before, &beyond);
	if (span.hi > half->next && span.hi > span.data_hi && reasm_half_cold(half, pool) == NULL) {
		return WEIR_EBUDGET; /* a gap that could not be counted */
	}
	if (reasm_half_is_holding(half)) {
		err = hold(half, pool, owner, &span);
	} else if (span.lo > half->next && span.hi > span.lo) {
		err = reasm_half_store(half, pool, owner, &span);
	}
	if (err != 0) {
		return err;
	}
	half->captured += seg->caplen;
	count_rejected(half, pool, before, WEIR_REJECT_WINDOW);
	count_rejected(half, pool, beyond,
		       half->fin_known ? WEIR_REJECT_AFTER_FIN : WEIR_REJECT_CLOSED);
	count_old(half, pool, owner, &span);
	if (reasm_half_is_holding(half)) {
		if (half->queue != NULL) {
			reasm_half_release(half, pool, owner, false, seg->now_ns);
		}
	} else if (span.lo <= half->next && span.hi > half->next) {
		deliver(half, pool, owner, &span);
	}
	while (reasm_half_is_full(half, pool)) {
		reasm_half_declare_first(half, pool, owner, WEIR_GAP_LIMIT, seg->now_ns);
	}
	return (ssize_t)(delivered_so_far(half) - delivered);
}

ssize_t reasm_half_push(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			const struct reasm_seg *seg)
{
	struct weir_mark mark;

	if (seg->len == 0) {
		return 0;
	}
	if (seg->seq != half->next_seq || half->queue != NULL || seg->caplen != seg->len ||
	    !half->started || half->fin_known || half->ended || half->hold) {
		return push_slow(half, pool, owner, seg);
	}
	mark.ts_ns = seg->ts_ns;
	mark.packet = seg->packet;
	mark.peer_ack = seg->peer_ack;
	half->captured += seg->len;
	give_bytes(half, pool, owner, seg->data, seg->len, seg->sum, &mark);
	return seg->len;
}

/* The end */

int reasm_half_fin(struct reasm_half *half, struct reasm_pool *pool, void *owner, uint32_t seq)
{
	int64_t at = reasm_half_offset(half, seq);

	assert(half->started);
	if (half->fin_known) {
		return half->fin == (uint64_t)at;
	}
	if (half->ended || half->busy || at < (int64_t)half->next) {
		return 0;
	}
	half->fin_known = 1;
	half->fin = (uint64_t)at;
	if (half->queue != NULL) {
		count_rejected(half, pool, reasm_segq_truncate(pool, half->queue, half->fin),
			       WEIR_REJECT_AFTER_FIN);
		if (half->queue->head == NULL) {
			half->queue->stall_from_ns = REASM_NO_TIME;
		}
	} else if (half->fin > half->next && reasm_half_cold(half, pool) != NULL) {
		/* without memory the hole is only told at the end */
		half->queue = reasm_segq_new(pool);
	}
	reasm_half_settle(half, pool, owner);
	return 1;
}

void reasm_half_finish(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		       enum weir_gap_cause cause, int64_t now_ns)
{
	uint64_t end = half->next;

	assert(!half->busy);
	while (half->queue != NULL) {
		reasm_half_declare_first(half, pool, owner, cause, now_ns);
	}
	if (half->ended || !half->started) {
		half->ended = 1;
		return;
	}
	if (half->fin_known) {
		end = half->fin;
	} else if (half->cold != NULL && half->cold->ahead > half->next + 1) {
		end = half->cold->ahead;
	}
	if (end > half->next) {
		if (reasm_half_cold(half, pool) != NULL) {
			reasm_half_give_gap(half, pool, owner, end, cause, NULL);
		} else {
			pool->untold++;
		}
	}
	reasm_half_settle(half, pool, owner);
	half->ended = 1;
}

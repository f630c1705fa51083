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
#include "reasm/policy.h"
#include "reasm/ring.h"
#include "reasm/segq.h"
#include "reasm/slab.h"
#include "weir/error.h"

/* What only a half needs in which something was late, doubled, cut or missing. */
struct reasm_cold {
	struct weir_ledger ledger; /* captured, delivered and pending are not kept here */
	uint64_t acked;            /* highest acknowledgement of something that was seen */
	uint64_t ahead;            /* highest plausible one of something that was not */
};

_Static_assert(sizeof(struct reasm_cold) <= 192, "a block of the second class");

/* A segment in stream space: content [lo, data_hi), known length without content [data_hi, hi). */
struct span {
	uint64_t lo;
	uint64_t data_hi;
	uint64_t hi;
	const uint8_t *data; /* at lo */
	struct weir_mark mark;
	int64_t now_ns;
};

/* Figures */

static struct reasm_cold *cold_of(struct reasm_half *half, struct reasm_pool *pool)
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
	if (cold_of(half, pool) == NULL) {
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
static void stall_until(struct reasm_half *half, int64_t now_ns)
{
	struct reasm_queue *queue = half->queue;

	if (queue != NULL && queue->stall_from_ns < now_ns) {
		half->stall_ns += now_ns - queue->stall_from_ns;
		queue->stall_from_ns = now_ns;
	}
}

static void give_bytes(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		       const uint8_t *data, size_t len, struct weir_mark *mark)
{
	struct weir_chunk chunk = {
		.data = data, .len = len, .offset = half->next, .marks = mark, .nmarks = 1};

	mark->offset = half->next;
	mark->stall_ns = half->stall_ns;
	move_next(half, len);
	if (pool->ring != NULL) {
		reasm_ring_note(pool, half, chunk.offset, data, len);
	}
	pool->ops->data(owner, half, &chunk);
}

static void give_gap(struct reasm_half *half, struct reasm_pool *pool, void *owner, uint64_t until,
		     enum weir_gap_cause cause, const struct weir_mark *mark)
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

		reasm_ring_note(pool, half, lo, chunk->data + (lo - chunk->offset), hi - lo);
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
		give_gap(half, pool, owner, half->next + node->cut, WEIR_GAP_SNAPLEN,
			 &marks[node->nmarks - 1]);
	}
	reasm_node_free(pool, node);
}

static void drain(struct reasm_half *half, struct reasm_pool *pool, void *owner)
{
	while (half->queue != NULL && half->queue->head != NULL &&
	       half->queue->head->offset == half->next) {
		give_head(half, pool, owner);
	}
}

/* After anything that may have moved next: is the queue empty, is the stream at its end? Last in each call. */
static void settle(struct reasm_half *half, struct reasm_pool *pool, void *owner)
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

/* Holes */

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

static void declare_first(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			  enum weir_gap_cause cause, int64_t now_ns)
{
	struct reasm_node *node = half->queue->head;
	struct weir_mark mark;
	uint64_t until = 0;
	struct reasm_hole *hole = first_hole(half, &until);

	assert(hole != NULL);
	stall_until(half, now_ns);
	half->busy = 1;
	if (node != NULL) {
		mark = *reasm_node_marks(node);
		mark.stall_ns = half->stall_ns;
	}
	give_gap(half, pool, owner, until, cause, node != NULL ? &mark : NULL);
	drain(half, pool, owner);
	settle(half, pool, owner);
}

static void hole_acked(const struct reasm_queue *queue, struct reasm_hole *hole, int64_t now_ns)
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
			hole_acked(queue, &node->hole, now_ns);
		}
		cold->acked = offset;
	}
	if (half->fin_known && cold->acked >= half->fin) {
		hole_acked(queue, &queue->fin, now_ns);
	}
}

/* More was seen: an acknowledgement that was ahead of it may be evidence now. */
static void promote_acked(struct reasm_half *half, int64_t now_ns)
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
	if (cold_of(half, pool) == NULL) {
		return;
	}
	seen = half->cold->ahead > seen ? half->cold->ahead : seen;
	if (offset > seen && offset - seen <= REASM_ACK_WINDOW) {
		half->cold->ahead = offset;
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
	return now_ns - hole->born_ns >= age_ns;
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
	promote_acked(half, now_ns);
	half->queue->packets += packet;
	while ((hole = first_hole(half, &until)) != NULL &&
	       hole_is_due(half, pool, hole, now_ns, &cause)) {
		declare_first(half, pool, owner, cause, now_ns);
	}
}

int64_t reasm_half_deadline(const struct reasm_half *half, const struct reasm_pool *pool)
{
	uint64_t until;
	const struct reasm_hole *hole = first_hole(half, &until);
	int64_t at = INT64_MAX;

	if (hole != NULL && hole->born_ns != REASM_NO_TIME) {
		at = hole->born_ns + (half->oneway ? pool->oneway_age_ns : pool->age_ns);
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
	declare_first(half, pool, owner, cause, now_ns);
	(void)reasm_pool_trim(pool);
	return before > pool->charged ? before - pool->charged : 0;
}

/* Segments that begin behind a hole */

/*
 * [lo, hi) has no content, but its length is known: the intervals before it say so. One without content that they come to
 * touch is part of that.
 */
static void mark_cut(struct reasm_pool *pool, struct reasm_queue *queue, uint64_t lo, uint64_t hi)
{
	struct reasm_node *node = reasm_segq_find(queue, lo), *next = NULL;

	for (; node != NULL; node = next) {
		while ((next = node->next) != NULL && next->len == 0 && next->offset <= hi) {
			hi = reasm_node_reach(next) > hi ? reasm_node_reach(next) : hi;
			reasm_segq_unlink(queue, next);
			reasm_node_free(pool, next);
		}
		lo = next != NULL && next->offset < hi ? next->offset : hi;
		if (lo > reasm_node_reach(node)) {
			node->cut = (uint32_t)(lo - reasm_node_end(node));
		}
		if (lo == hi) {
			return;
		}
	}
}

/* A part of the span; *mark is for the mark, if that is not the span's own. */
static void run_of_span(const struct span *span, uint64_t lo, uint64_t hi, struct weir_mark *mark,
			struct reasm_run *ret)
{
	ret->marks = &span->mark;
	if (lo != span->mark.offset) {
		*mark = span->mark;
		mark->offset = lo;
		ret->marks = mark;
	}
	ret->offset = lo;
	ret->data = span->data + (lo - span->lo);
	ret->len = (uint32_t)(hi - lo);
	ret->nmarks = 1;
}

/* The pieces of a span that nothing waits for yet, as a list of new intervals. All or, without memory, none. */
static int make_pieces(struct reasm_pool *pool, const struct reasm_queue *queue,
		       const struct reasm_node *prev, const struct span *span,
		       struct reasm_node **ret_pieces)
{
	const struct reasm_node *next = prev != NULL ? prev->next : queue->head;
	uint64_t at =
		prev != NULL && reasm_node_end(prev) > span->lo ? reasm_node_end(prev) : span->lo;
	struct reasm_node *first = NULL, **last = &first;
	struct weir_mark mark;
	struct reasm_run run;

	while (at < span->data_hi) {
		uint64_t stop =
			next != NULL && next->offset < span->data_hi ? next->offset : span->data_hi;

		if (at < stop) {
			run_of_span(span, at, stop, &mark, &run);
			*last = reasm_node_new(pool, &run);
			if (*last == NULL) {
				goto no_memory;
			}
			last = &(*last)->next;
		}
		at = stop;
		if (stop < span->data_hi) {
			at = reasm_node_end(next) > stop ? reasm_node_end(next) : stop;
			next = next->next;
		}
	}
	*ret_pieces = first;
	return 0;
no_memory:
	while (first != NULL) {
		struct reasm_node *next_piece = first->next;

		reasm_node_free(pool, first);
		first = next_piece;
	}
	return WEIR_EBUDGET;
}

/* Compare a span with all intervals that it overlaps, from `node` on. */
static void resolve(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		    struct reasm_node *node, const struct span *span)
{
	struct weir_mark mark;
	struct reasm_run run;

	run_of_span(span, span->lo, span->data_hi, &mark, &run);
	for (; node != NULL && node->offset < span->data_hi; node = node->next) {
		if (reasm_node_end(node) > span->lo) {
			reasm_policy_resolve(pool, half, owner, node, &run, &half->cold->ledger);
		}
	}
}

/* A span that overlaps what waits: the pieces between, made first, so that nothing can fail when it is told. */
static int store_pieces(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			struct reasm_node *prev, const struct span *span)
{
	struct reasm_queue *queue = half->queue;
	struct reasm_node *piece = NULL, *next, *at = prev;
	int err = make_pieces(pool, queue, prev, span, &piece);

	if (err != 0) {
		return err;
	}
	half->busy = 1;
	resolve(half, pool, owner, prev != NULL ? prev : queue->head, span);
	half->busy = 0;
	for (; piece != NULL; piece = next) {
		struct reasm_node *after = at != NULL ? at->next : queue->head;

		next = piece->next;
		/* an interval of no bytes may begin where the piece does */
		while (after != NULL && after->offset <= piece->offset) {
			at = after;
			after = after->next;
		}
		reasm_segq_link(pool, queue, at, piece);
		at = piece;
	}
	at = reasm_segq_find(queue, span->lo);
	at = at != NULL && at->prev != NULL ? at->prev : queue->head;
	while (at != NULL && at->offset < span->data_hi) {
		uint32_t count = queue->count;

		at = reasm_segq_join(pool, queue, at);
		at = queue->count == count ? at->next : at;
	}
	return 0;
}

static int store_data(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		      struct reasm_node *prev, const struct span *span)
{
	struct reasm_queue *queue = half->queue;
	struct reasm_node *next = prev != NULL ? prev->next : queue->head;
	struct weir_mark mark;
	struct reasm_run run;

	if ((prev != NULL && reasm_node_end(prev) > span->lo) ||
	    (next != NULL && next->offset < span->data_hi)) {
		return store_pieces(half, pool, owner, prev, span);
	}
	run_of_span(span, span->lo, span->data_hi, &mark, &run);
	next = reasm_segq_put(pool, queue, prev, &run);
	if (next == NULL) {
		return WEIR_EBUDGET;
	}
	(void)reasm_segq_join(pool, queue, next);
	return 0;
}

/* Cut to nothing: an interval of no bytes stands for it, unless one touches it. */
static int store_nothing(struct reasm_half *half, struct reasm_pool *pool, struct reasm_node *prev,
			 const struct span *span)
{
	struct reasm_node *next = prev != NULL ? prev->next : half->queue->head;
	struct weir_mark mark;
	struct reasm_run run;

	if ((prev != NULL && reasm_node_reach(prev) >= span->lo) ||
	    (next != NULL && next->offset == span->lo)) {
		return 0;
	}
	run_of_span(span, span->lo, span->lo, &mark, &run);
	return reasm_segq_put(pool, half->queue, prev, &run) != NULL ? 0 : WEIR_EBUDGET;
}

/* The holes around what was stored: when were they born, are they known to be lost? */
static void date_holes(struct reasm_half *half, const struct span *span)
{
	struct reasm_queue *queue = half->queue;
	struct reasm_node *node = reasm_segq_find(queue, span->lo);

	for (node = node != NULL ? node : queue->head; node != NULL && node->offset <= span->hi;
	     node = node->next) {
		if (node->hole.born_ns == REASM_NO_TIME) {
			node->hole.born_ns = span->now_ns;
		}
		if (half->cold->acked >= node->offset) {
			hole_acked(queue, &node->hole, span->now_ns);
		}
	}
	if (queue->stall_from_ns == REASM_NO_TIME) {
		queue->stall_from_ns = span->now_ns;
	}
	promote_acked(half, span->now_ns);
}

static bool queue_is_full(const struct reasm_half *half, const struct reasm_pool *pool)
{
	const struct reasm_queue *queue = half->queue;
	size_t limit = half->oneway ? pool->oneway_limit : pool->limit;

	/* tiny segments cost many times their bytes */
	size_t memory = 4 * limit + (size_t)256 * pool->intervals + 65536;

	return queue != NULL && queue->head != NULL &&
	       (queue->bytes > limit || queue->count > pool->intervals || queue->memory > memory);
}

static int store(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		 const struct span *span)
{
	struct reasm_node *prev;
	int err = WEIR_EBUDGET;

	if (cold_of(half, pool) == NULL) {
		return WEIR_EBUDGET;
	}
	if (half->queue == NULL) {
		half->queue = reasm_segq_new(pool);
		if (half->queue == NULL) {
			return WEIR_EBUDGET;
		}
	}
	prev = reasm_segq_find(half->queue, span->lo);
	err = span->data_hi > span->lo ? store_data(half, pool, owner, prev, span)
				       : store_nothing(half, pool, prev, span);
	if (err != 0) {
		if (half->queue->head == NULL && !half->fin_known) {
			reasm_segq_free(pool, half->queue);
			half->queue = NULL;
		}
		return err;
	}
	if (span->hi > span->data_hi) {
		mark_cut(pool, half->queue, span->data_hi, span->hi);
	}
	date_holes(half, span);
	return 0;
}

/* Segments that begin at or before next */

/* Bytes that wait are compared before they are gone; a cut that this span fills is none any more. */
static void meet_queue(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		       struct span *span)
{
	struct reasm_node *node = half->queue->head;

	resolve(half, pool, owner, node, span);
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
		    struct span *span)
{
	half->busy = 1;
	stall_until(half, span->now_ns);
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
				   &span->mark);
		} else {
			span->mark.offset = half->next;
			give_gap(half, pool, owner, stop, WEIR_GAP_SNAPLEN, &span->mark);
		}
	}
	drain(half, pool, owner);
	settle(half, pool, owner);
}

/* Bytes of the span that were delivered, or declared a gap, before. */
static void count_old(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		      const struct span *span)
{
	uint64_t hi = span->data_hi < half->next ? span->data_hi : half->next;
	struct reasm_conflict conflict;

	if (span->lo >= hi) {
		return;
	}
	if (cold_of(half, pool) == NULL) {
		refuse(half, hi - span->lo);
		return;
	}
	half->cold->ledger.duplicate += hi - span->lo;
	if (reasm_ring_check(pool, half, span->lo, span->data, hi - span->lo, &conflict)) {
		half->cold->ledger.duplicate -= conflict.differing;
		half->cold->ledger.overlap += conflict.differing;
		pool->ops->overlap(owner, half, conflict.offset, conflict.kept, conflict.lost,
				   conflict.len, &span->mark);
	}
}

/* To stream space, without what is before the start or beyond the end: captured bytes of those through the rets. */
static void span_of_segment(const struct reasm_half *half, const struct reasm_seg *seg,
			    struct span *ret, uint64_t *ret_before, uint64_t *ret_beyond)
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
}

static ssize_t push_slow(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			 const struct reasm_seg *seg)
{
	uint64_t before, beyond, delivered = delivered_so_far(half);
	struct span span;
	int err;

	assert(half->started && seg->caplen <= seg->len);
	if (half->busy) {
		return WEIR_EINVAL;
	}
	span_of_segment(half, seg, &span, &before, &beyond);
	if (span.hi > half->next && span.hi > span.data_hi && cold_of(half, pool) == NULL) {
		return WEIR_EBUDGET; /* a gap that could not be counted */
	}
	if (span.lo > half->next && span.hi > span.lo) {
		err = store(half, pool, owner, &span);
		if (err != 0) {
			return err;
		}
	}
	half->captured += seg->caplen;
	count_rejected(half, pool, before, WEIR_REJECT_WINDOW);
	count_rejected(half, pool, beyond,
		       half->fin_known ? WEIR_REJECT_AFTER_FIN : WEIR_REJECT_CLOSED);
	count_old(half, pool, owner, &span);
	if (span.lo <= half->next && span.hi > half->next) {
		deliver(half, pool, owner, &span);
	}
	while (queue_is_full(half, pool)) {
		declare_first(half, pool, owner, WEIR_GAP_LIMIT, seg->now_ns);
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
	    !half->started || half->fin_known || half->ended) {
		return push_slow(half, pool, owner, seg);
	}
	mark.ts_ns = seg->ts_ns;
	mark.packet = seg->packet;
	mark.peer_ack = seg->peer_ack;
	half->captured += seg->len;
	give_bytes(half, pool, owner, seg->data, seg->len, &mark);
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
	} else if (half->fin > half->next && cold_of(half, pool) != NULL) {
		/* without memory the hole is only told at the end */
		half->queue = reasm_segq_new(pool);
	}
	settle(half, pool, owner);
	return 1;
}

void reasm_half_finish(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		       enum weir_gap_cause cause, int64_t now_ns)
{
	uint64_t end = half->next;

	assert(!half->busy);
	while (half->queue != NULL) {
		declare_first(half, pool, owner, cause, now_ns);
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
		if (cold_of(half, pool) != NULL) {
			give_gap(half, pool, owner, end, cause, NULL);
		} else {
			pool->untold++;
		}
	}
	settle(half, pool, owner);
	half->ended = 1;
}

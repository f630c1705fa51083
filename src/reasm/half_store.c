/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments that begin behind a hole: stored as a whole or, without memory, not at all. What they overlap is compared first.
 */
#include "reasm/half.h"

#include <assert.h>

#include "reasm/half_private.h"
#include "reasm/policy.h"
#include "reasm/segq.h"
#include "weir/error.h"

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
static void run_of_span(const struct reasm_span *span, uint64_t lo, uint64_t hi,
			struct weir_mark *mark, struct reasm_run *ret)
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
		       const struct reasm_node *prev, const struct reasm_span *span,
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
void reasm_half_resolve(struct reasm_half *half, struct reasm_pool *pool, void *owner,
			struct reasm_node *node, const struct reasm_span *span)
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
			struct reasm_node *prev, const struct reasm_span *span)
{
	struct reasm_queue *queue = half->queue;
	struct reasm_node *piece = NULL, *next, *at = prev;
	int err = make_pieces(pool, queue, prev, span, &piece);

	if (err != 0) {
		return err;
	}
	half->busy = 1;
	reasm_half_resolve(half, pool, owner, prev != NULL ? prev : queue->head, span);
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
		      struct reasm_node *prev, const struct reasm_span *span)
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
			 const struct reasm_span *span)
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
static void date_holes(struct reasm_half *half, const struct reasm_span *span)
{
	struct reasm_queue *queue = half->queue;
	struct reasm_node *node = reasm_segq_find(queue, span->lo);

	for (node = node != NULL ? node : queue->head; node != NULL && node->offset <= span->hi;
	     node = node->next) {
		if (node->hole.born_ns == REASM_NO_TIME) {
			node->hole.born_ns = span->now_ns;
		}
		if (half->cold->acked >= node->offset) {
			reasm_half_hole_acked(queue, &node->hole, span->now_ns);
		}
	}
	if (queue->stall_from_ns == REASM_NO_TIME && queue->head->offset > half->next) {
		queue->stall_from_ns = span->now_ns;
	}
	reasm_half_promote_acked(half, span->now_ns);
}

bool reasm_half_is_full(const struct reasm_half *half, const struct reasm_pool *pool)
{
	const struct reasm_queue *queue = half->queue;
	size_t limit = half->oneway ? pool->oneway_limit : pool->limit;

	/* tiny segments cost many times their bytes */
	size_t memory = 4 * limit + (size_t)256 * pool->intervals + 65536;

	return queue != NULL && queue->head != NULL &&
	       (queue->bytes > limit || queue->count > pool->intervals || queue->memory > memory);
}

int reasm_half_store(struct reasm_half *half, struct reasm_pool *pool, void *owner,
		     const struct reasm_span *span)
{
	struct reasm_node *prev;
	int err = WEIR_EBUDGET;

	if (reasm_half_cold(half, pool) == NULL) {
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

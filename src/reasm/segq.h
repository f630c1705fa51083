/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments that wait: a list of intervals in stream order, searched from its tail (where nearly everything arrives), by a
 * balanced tree once there are more than REASM_LIST_MAX of them.
 *
 * An interval is a run of bytes in one block, with a mark for each segment that brought some of them. Segments that touch an
 * interval are written into its block, before or behind; blocks grow by doubling; two intervals that come to touch become
 * one, the smaller moved into the larger, while the result fits a block. So the number of intervals is that of the runs,
 * and n segments in any order cost O(n log n).
 *
 *	block   | marks: free | used | free | bytes: free | used | free |
 *	        0             marks_at     cap*sizeof(mark)     data_at  size
 *
 * Behind an interval's bytes there may be `cut` bytes of which the length is known, but not the content (snaplen). An
 * interval of a segment that was cut to nothing has len 0. Always: node->offset + len + cut <= node->next->offset.
 */
#ifndef REASM_SEGQ_H
#define REASM_SEGQ_H

#include "reasm/half.h"

#define REASM_LIST_MAX 64 /* intervals searched one by one */
#define REASM_NO_TIME  INT64_MAX

/* Since when a hole waits, and since when it is known to be lost. */
struct reasm_hole {
	int64_t born_ns;        /* arrival of the first segment behind it */
	int64_t acked_ns;       /* acknowledged as a whole since; REASM_NO_TIME: not */
	uint64_t acked_packets; /* the queue's count of packets then */
};

struct reasm_node {
	struct reasm_node *next;
	struct reasm_node *prev;
	struct reasm_node *left; /* the tree, valid only while queue->root != NULL */
	struct reasm_node *right;
	uint64_t offset;        /* of the first byte */
	uint32_t len;           /* bytes */
	uint32_t cut;           /* bytes known to be missing behind them */
	struct reasm_hole hole; /* before this interval, if there is one */
	uint8_t *block;
	uint32_t size;     /* of the block */
	uint32_t data_at;  /* where in the block the bytes begin */
	uint16_t marks_at; /* index of the first mark */
	uint16_t nmarks;   /* 1 or more */
	uint16_t cap;      /* marks the block has room for */
	uint8_t level;     /* of the tree */
	uint8_t class;     /* of the block */
};

struct reasm_queue {
	struct reasm_node *head;
	struct reasm_node *tail;
	struct reasm_node *root; /* NULL: not that many */
	uint32_t count;          /* intervals */
	uint64_t bytes;          /* of content that wait */
	size_t memory;           /* real bytes charged for the intervals and this */
	uint64_t packets;        /* of the flow that went by since the queue began */
	int64_t stall_from_ns; /* delivery has been blocked since; REASM_NO_TIME: only a FIN waits */
	struct reasm_hole fin; /* of the hole between the last interval and FIN */
	uint64_t steps;        /* of searching: for the test that time is linear */
};

/* Bytes on their way into the queue. */
struct reasm_run {
	uint64_t offset;
	const uint8_t *data;
	uint32_t len;
	const struct weir_mark *marks;
	uint16_t nmarks;
};

static inline uint64_t reasm_node_end(const struct reasm_node *node)
{
	return node->offset + node->len;
}

static inline uint64_t reasm_node_reach(const struct reasm_node *node)
{
	return node->offset + node->len + node->cut;
}

static inline uint8_t *reasm_node_data(const struct reasm_node *node)
{
	return node->block + node->data_at;
}

static inline struct weir_mark *reasm_node_marks(const struct reasm_node *node)
{
	return (struct weir_mark *)(void *)node->block + node->marks_at;
}

/** NULL: the budget is spent. */
struct reasm_queue *reasm_segq_new(struct reasm_pool *pool);

/** Frees what is left in it. NULL is fine. */
void reasm_segq_free(struct reasm_pool *pool, struct reasm_queue *queue);

/** The last interval that begins at or before offset, or NULL. */
struct reasm_node *reasm_segq_find(struct reasm_queue *queue, uint64_t offset);

/** An interval of its own with this content, not in the queue yet; NULL: the budget is spent. */
struct reasm_node *reasm_node_new(struct reasm_pool *pool, const struct reasm_run *run);

void reasm_node_free(struct reasm_pool *pool, struct reasm_node *node);

/**
 * Put it between its neighbours, which it does not overlap; prev goes when it has no bytes and begins where node does. Takes
 * the node; queue->bytes and memory follow.
 */
void reasm_segq_link(struct reasm_pool *pool, struct reasm_queue *queue, struct reasm_node *prev,
		     struct reasm_node *node);

/** Take it out; the caller frees it. */
void reasm_segq_unlink(struct reasm_queue *queue, struct reasm_node *node);

/**
 * Write a run that overlaps nothing into the interval that it touches, else into a new one; `prev` is the interval before it
 * (reasm_segq_find()). @return the interval that holds it now, or NULL: the budget is spent, nothing changed. Touching
 * intervals are not joined yet: reasm_segq_join().
 */
struct reasm_node *reasm_segq_put(struct reasm_pool *pool, struct reasm_queue *queue,
				  struct reasm_node *prev, const struct reasm_run *run);

/** Join node with the next interval if they touch and there is memory. @return the interval that holds node's bytes */
struct reasm_node *reasm_segq_join(struct reasm_pool *pool, struct reasm_queue *queue,
				   struct reasm_node *node);

/** Drop everything from offset on. @return bytes of content dropped */
uint64_t reasm_segq_truncate(struct reasm_pool *pool, struct reasm_queue *queue, uint64_t offset);

/** Its first bytes are gone: fewer than it has. queue->bytes is the caller's. */
void reasm_node_trim(struct reasm_node *node, uint32_t len);

/** Index of the mark that holds for offset, within the interval. */
unsigned reasm_node_mark_index(const struct reasm_node *node, uint64_t offset);

/** The bytes of [lo, hi), within what one mark holds for, now come from this one. No memory: the old mark stays. */
void reasm_node_remark(struct reasm_pool *pool, struct reasm_queue *queue, struct reasm_node *node,
		       uint64_t lo, uint64_t hi, const struct weir_mark *mark);

#endif

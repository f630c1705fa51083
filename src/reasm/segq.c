/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments that wait: see segq.h. First the tree, then blocks, then the list.
 *
 * The tree is an AA tree (Andersson 1993: a red-black tree whose red links lean right): two rotations, no parent pointers,
 * and balanced whatever the order of insertion is; random priorities would need a secret. Keys are the nodes' offsets, which
 * may change as long as the order does not.
 */
#include "reasm/segq.h"

#include <assert.h>
#include <string.h>

#include "reasm/slab.h"

#define NODE_SIZE  128
#define QUEUE_SIZE 128
#define MARK       sizeof(struct weir_mark)

_Static_assert(sizeof(struct reasm_node) <= NODE_SIZE, "a node is a block of the first class");
_Static_assert(sizeof(struct reasm_queue) <= QUEUE_SIZE, "a queue is a block of the first class");

/* The tree */

static unsigned level_of(const struct reasm_node *node)
{
	return node == NULL ? 0 : node->level;
}

/* A left child on the same level: rotate right. */
static struct reasm_node *skew(struct reasm_node *node)
{
	struct reasm_node *left;

	if (node == NULL || level_of(node->left) != node->level) {
		return node;
	}
	left = node->left;
	node->left = left->right;
	left->right = node;
	return left;
}

/* Two right children on the same level: rotate left, the middle one rises. */
static struct reasm_node *split(struct reasm_node *node)
{
	struct reasm_node *right;

	if (node == NULL || node->right == NULL || level_of(node->right->right) != node->level) {
		return node;
	}
	right = node->right;
	node->right = right->left;
	right->left = node;
	right->level++;
	return right;
}

/* Depth is at most 2 log2(n + 1): recursion is bounded by about 40. */
static struct reasm_node *tree_insert(struct reasm_node *at, struct reasm_node *node)
{
	if (at == NULL) {
		node->left = node->right = NULL;
		node->level = 1;
		return node;
	}
	if (node->offset < at->offset) {
		at->left = tree_insert(at->left, node);
	} else {
		at->right = tree_insert(at->right, node);
	}
	return split(skew(at));
}

static struct reasm_node *tree_rebalance(struct reasm_node *at)
{
	unsigned left = level_of(at->left), right = level_of(at->right);
	unsigned want = (left < right ? left : right) + 1;

	if (want < at->level) {
		at->level = (uint8_t)want;
		if (at->right != NULL && want < at->right->level) {
			at->right->level = (uint8_t)want;
		}
	}
	at = skew(at);
	at->right = skew(at->right);
	if (at->right != NULL) {
		at->right->right = skew(at->right->right);
	}
	at = split(at);
	at->right = split(at->right);
	return at;
}

/* Take the leftmost node out; it is stored through ret. */
static struct reasm_node *tree_remove_first(struct reasm_node *at, struct reasm_node **ret)
{
	if (at->left == NULL) {
		*ret = at;
		return at->right;
	}
	at->left = tree_remove_first(at->left, ret);
	return tree_rebalance(at);
}

static struct reasm_node *tree_remove(struct reasm_node *at, struct reasm_node *node)
{
	struct reasm_node *heir;

	assert(at != NULL);
	if (node == at) {
		if (at->right == NULL) {
			/* on the lowest level: a left child would have been skewed to the right */
			return at->left;
		}
		at->right = tree_remove_first(at->right, &heir);
		heir->left = at->left;
		heir->right = at->right;
		heir->level = at->level;
		return tree_rebalance(heir);
	}
	if (node->offset < at->offset) {
		at->left = tree_remove(at->left, node);
	} else {
		at->right = tree_remove(at->right, node);
	}
	return tree_rebalance(at);
}

/* Blocks */

struct reasm_node *reasm_node_new(struct reasm_pool *pool, const struct reasm_run *run)
{
	unsigned class = reasm_class_of(run->nmarks * MARK + run->len);
	struct reasm_node *node;

	assert(run->nmarks > 0);
	if (class == REASM_NCLASSES) {
		return NULL;
	}
	node = reasm_slab_alloc(pool, REASM_CLASS_128);
	if (node == NULL) {
		return NULL;
	}
	memset(node, 0, sizeof(*node));
	node->block = reasm_slab_alloc(pool, class);
	if (node->block == NULL) {
		reasm_slab_free(pool, node, REASM_CLASS_128);
		return NULL;
	}
	node->class = (uint8_t) class;
	node->size = reasm_class_size[class];
	node->offset = run->offset;
	node->len = run->len;
	node->cap = node->nmarks = run->nmarks;
	node->data_at = (uint32_t)(run->nmarks * MARK);
	memcpy(node->block, run->marks, run->nmarks * MARK);
	if (run->len > 0) {
		memcpy(reasm_node_data(node), run->data, run->len);
	}
	return node;
}

void reasm_node_free(struct reasm_pool *pool, struct reasm_node *node)
{
	if (node == NULL) {
		return;
	}
	reasm_slab_free(pool, node->block, node->class);
	reasm_slab_free(pool, node, REASM_CLASS_128);
}

/*
 * Move the content to a block with room for more of both, at the head or at the tail. Room is shared in proportion to what
 * is used, so that neither runs out long before the other. A prepend leaves room on both sides: whoever alternates must not
 * make us move everything each time.
 */
static int node_relayout(struct reasm_pool *pool, struct reasm_queue *queue,
			 struct reasm_node *node, uint32_t bytes, uint32_t marks, bool at_head)
{
	size_t marks_used = (node->nmarks + marks) * MARK;
	size_t used = marks_used + node->len + bytes;
	size_t want = used * 2 <= node->size ? node->size : (size_t)node->size * 2;
	uint32_t size, cap, data_at, marks_at, data_room, mark_room;
	unsigned class;
	uint8_t *block;

	want = want < used ? used : want;
	want = want > REASM_BLOCK_MAX && used <= REASM_BLOCK_MAX ? REASM_BLOCK_MAX : want;
	class = reasm_class_of(want);
	if (class == REASM_NCLASSES) {
		return -1;
	}
	size = reasm_class_size[class];
	cap = (uint32_t)((marks_used + (size - used) * marks_used / used) / MARK);
	data_room = (uint32_t)(size - cap * MARK - node->len - bytes);
	mark_room = cap - node->nmarks - marks;
	if (cap > UINT16_MAX) {
		return -1;
	}
	block = reasm_slab_alloc(pool, class);
	if (block == NULL) {
		return -1;
	}
	marks_at = at_head ? marks + mark_room / 2 : 0;
	data_at = (uint32_t)(cap * MARK) + (at_head ? bytes + data_room / 2 : 0);
	memcpy(block + marks_at * MARK, reasm_node_marks(node), node->nmarks * MARK);
	memcpy(block + data_at, reasm_node_data(node), node->len);
	reasm_slab_free(pool, node->block, node->class);
	queue->memory += size;
	queue->memory -= node->size;
	node->block = block;
	node->class = (uint8_t) class;
	node->size = size;
	node->cap = (uint16_t)cap;
	node->marks_at = (uint16_t)marks_at;
	node->data_at = data_at;
	return 0;
}

static int node_reserve_tail(struct reasm_pool *pool, struct reasm_queue *queue,
			     struct reasm_node *node, uint32_t bytes, uint32_t marks)
{
	if ((size_t)node->data_at + node->len + bytes <= node->size &&
	    (uint32_t)node->marks_at + node->nmarks + marks <= node->cap) {
		return 0;
	}
	return node_relayout(pool, queue, node, bytes, marks, false);
}

static int node_reserve_head(struct reasm_pool *pool, struct reasm_queue *queue,
			     struct reasm_node *node, uint32_t bytes, uint32_t marks)
{
	if (node->data_at - node->cap * MARK >= bytes && node->marks_at >= marks) {
		return 0;
	}
	return node_relayout(pool, queue, node, bytes, marks, true);
}

/* A segment whose pieces come to touch is one again: its first mark holds for all of it. */
static bool same_segment(const struct weir_mark *a, const struct weir_mark *b)
{
	return a->packet == b->packet;
}

static int node_append(struct reasm_pool *pool, struct reasm_queue *queue, struct reasm_node *node,
		       const struct reasm_run *run)
{
	uint64_t reach = reasm_node_reach(node);
	uint16_t keep =
		node->len > 0 ? node->nmarks : 0; /* an interval of 0 bytes has a mark to lose */
	unsigned known;

	assert(run->offset == reasm_node_end(node) && run->len > 0);
	if (node_reserve_tail(pool, queue, node, run->len, run->nmarks) != 0) {
		return -1;
	}
	known = keep > 0 && same_segment(reasm_node_marks(node) + keep - 1, run->marks);
	memcpy(reasm_node_marks(node) + keep, run->marks + known, (run->nmarks - known) * MARK);
	memcpy(reasm_node_data(node) + node->len, run->data, run->len);
	node->nmarks = (uint16_t)(keep + run->nmarks - known);
	node->len += run->len;
	queue->bytes += run->len;
	node->cut = reach > reasm_node_end(node) ? (uint32_t)(reach - reasm_node_end(node)) : 0;
	return 0;
}

static int node_prepend(struct reasm_pool *pool, struct reasm_queue *queue, struct reasm_node *node,
			const struct reasm_run *run)
{
	assert(run->offset + run->len == node->offset && run->len > 0);
	if (node_reserve_head(pool, queue, node, run->len, run->nmarks) != 0) {
		return -1;
	}
	if (node->len == 0) {
		/* its only mark is for bytes that were cut: these are the first that are here */
		node->nmarks = 0;
	} else if (same_segment(reasm_node_marks(node), run->marks + run->nmarks - 1)) {
		node->marks_at++;
		node->nmarks--;
	}
	node->marks_at = (uint16_t)(node->marks_at - run->nmarks);
	node->data_at -= run->len;
	memcpy(reasm_node_marks(node), run->marks, run->nmarks * MARK);
	memcpy(reasm_node_data(node), run->data, run->len);
	node->nmarks = (uint16_t)(node->nmarks + run->nmarks);
	node->offset = run->offset;
	node->len += run->len;
	queue->bytes += run->len;
	return 0;
}

unsigned reasm_node_mark_index(const struct reasm_node *node, uint64_t offset)
{
	const struct weir_mark *marks = reasm_node_marks(node);
	unsigned lo = 0, hi = node->nmarks;

	while (hi - lo > 1) {
		unsigned mid = lo + (hi - lo) / 2;

		if (marks[mid].offset <= offset) {
			lo = mid;
		} else {
			hi = mid;
		}
	}
	return lo;
}

void reasm_node_remark(struct reasm_pool *pool, struct reasm_queue *queue, struct reasm_node *node,
		       uint64_t lo, uint64_t hi, const struct weir_mark *mark)
{
	unsigned at = reasm_node_mark_index(node, lo), before, behind, was;
	struct weir_mark *marks, old;
	uint64_t until;

	assert(lo >= node->offset && lo < hi && hi <= reasm_node_end(node));
	if (node_reserve_tail(pool, queue, node, 0, 2) != 0) {
		return;
	}
	marks = reasm_node_marks(node);
	until = at + 1u < node->nmarks ? marks[at + 1].offset : reasm_node_end(node);
	assert(hi <= until);
	/* one old mark becomes up to three: what it keeps before lo, the new one, what it keeps from hi on */
	old = marks[at];
	before = old.offset < lo;
	behind = hi < until;
	memmove(marks + at + 1 + before + behind, marks + at + 1, (node->nmarks - at - 1) * MARK);
	node->nmarks = (uint16_t)(node->nmarks + before + behind);
	marks[at + before] = *mark;
	marks[at + before].offset = lo;
	if (behind) {
		marks[at + before + 1] = old;
		marks[at + before + 1].offset = hi;
	}
	/* what is of the same segment on either side is one piece with it */
	at += before;
	was = at + 1u < node->nmarks && same_segment(&marks[at], &marks[at + 1]) ? at + 1 : 0;
	if (was > 0) {
		memmove(marks + was, marks + was + 1, (--node->nmarks - was) * MARK);
	}
	if (at > 0 && same_segment(&marks[at - 1], &marks[at])) {
		memmove(marks + at, marks + at + 1, (--node->nmarks - at) * MARK);
	}
}

void reasm_node_trim(struct reasm_node *node, uint32_t len)
{
	unsigned at = reasm_node_mark_index(node, node->offset + len);

	assert(len < node->len);
	node->offset += len;
	node->data_at += len;
	node->len -= len;
	node->marks_at = (uint16_t)(node->marks_at + at);
	node->nmarks = (uint16_t)(node->nmarks - at);
	reasm_node_marks(node)->offset = node->offset;
}

/* The list */

static const struct reasm_hole no_hole = {.born_ns = REASM_NO_TIME, .acked_ns = REASM_NO_TIME};

struct reasm_queue *reasm_segq_new(struct reasm_pool *pool)
{
	struct reasm_queue *queue = reasm_slab_alloc(pool, REASM_CLASS_128);

	if (queue == NULL) {
		return NULL;
	}
	memset(queue, 0, sizeof(*queue));
	queue->memory = QUEUE_SIZE;
	queue->stall_from_ns = REASM_NO_TIME;
	queue->fin = no_hole;
	return queue;
}

void reasm_segq_free(struct reasm_pool *pool, struct reasm_queue *queue)
{
	struct reasm_node *node, *next;

	if (queue == NULL) {
		return;
	}
	for (node = queue->head; node != NULL; node = next) {
		next = node->next;
		reasm_node_free(pool, node);
	}
	reasm_slab_free(pool, queue, REASM_CLASS_128);
}

struct reasm_node *reasm_segq_find(struct reasm_queue *queue, uint64_t offset)
{
	struct reasm_node *node = queue->tail, *best = NULL;

	queue->steps++;
	if (node == NULL || node->offset <= offset) {
		return node;
	}
	if (offset < queue->head->offset) {
		return NULL;
	}
	if (queue->root == NULL) {
		while (node->offset > offset) {
			node = node->prev;
			queue->steps++;
		}
		return node;
	}
	for (node = queue->root; node != NULL; queue->steps++) {
		if (node->offset <= offset) {
			best = node;
			node = node->right;
		} else {
			node = node->left;
		}
	}
	return best;
}

static void link_between(struct reasm_queue *queue, struct reasm_node *prev,
			 struct reasm_node *node, struct reasm_node *next)
{
	node->prev = prev;
	node->next = next;
	*(prev != NULL ? &prev->next : &queue->head) = node;
	*(next != NULL ? &next->prev : &queue->tail) = node;
	queue->count++;
	queue->bytes += node->len;
	queue->memory += NODE_SIZE + node->size;
	if (queue->root != NULL) {
		queue->root = tree_insert(queue->root, node);
	} else if (queue->count > REASM_LIST_MAX) {
		for (node = queue->head; node != NULL; node = node->next) {
			queue->root = tree_insert(queue->root, node);
		}
	}
}

void reasm_segq_link(struct reasm_pool *pool, struct reasm_queue *queue, struct reasm_node *prev,
		     struct reasm_node *node)
{
	struct reasm_node *next = prev != NULL ? prev->next : queue->head;
	uint64_t reach = prev != NULL ? reasm_node_reach(prev) : 0;

	assert(prev == NULL || reasm_node_end(prev) <= node->offset);
	assert(next == NULL || reasm_node_reach(node) <= next->offset);
	/* it splits a hole in two: both are as old as the hole was */
	if (next != NULL) {
		node->hole = next->hole;
	} else if (queue->fin.born_ns != REASM_NO_TIME || queue->fin.acked_ns != REASM_NO_TIME) {
		node->hole = queue->fin;
	} else {
		node->hole = no_hole; /* measured: copying what was written just now waits for it */
	}
	if (reach > node->offset) {
		if (reach > reasm_node_reach(node)) {
			node->cut = (uint32_t)(reach - reasm_node_end(node));
		}
		prev->cut = (uint32_t)(node->offset - reasm_node_end(prev));
	}
	if (prev != NULL && prev->len == 0 && prev->offset == node->offset) {
		/* it stood for bytes that were cut, and they are here now; keys are unique */
		struct reasm_node *empty = prev;

		node->hole = empty->hole;
		prev = empty->prev;
		reasm_segq_unlink(queue, empty);
		reasm_node_free(pool, empty);
	}
	link_between(queue, prev, node, next);
}

void reasm_segq_unlink(struct reasm_queue *queue, struct reasm_node *node)
{
	*(node->prev != NULL ? &node->prev->next : &queue->head) = node->next;
	*(node->next != NULL ? &node->next->prev : &queue->tail) = node->prev;
	assert(queue->count > 0 && queue->bytes >= node->len);
	queue->count--;
	queue->bytes -= node->len;
	queue->memory -= NODE_SIZE + node->size;
	if (queue->root != NULL) {
		/* half of the limit: a count that swings around it must not rebuild the tree each time */
		queue->root =
			queue->count < REASM_LIST_MAX / 2 ? NULL : tree_remove(queue->root, node);
	}
}

struct reasm_node *reasm_segq_put(struct reasm_pool *pool, struct reasm_queue *queue,
				  struct reasm_node *prev, const struct reasm_run *run)
{
	struct reasm_node *next = prev != NULL ? prev->next : queue->head, *node;

	if (run->len > 0 && prev != NULL && reasm_node_end(prev) == run->offset &&
	    node_append(pool, queue, prev, run) == 0) {
		return prev;
	}
	/* not over an interval of no bytes that begins where the run does: keys are unique */
	if (run->len > 0 && next != NULL && run->offset + run->len == next->offset &&
	    !(prev != NULL && prev->offset == run->offset) &&
	    node_prepend(pool, queue, next, run) == 0) {
		if (prev != NULL && reasm_node_reach(prev) > run->offset) {
			prev->cut = (uint32_t)(run->offset - reasm_node_end(prev));
		}
		return next;
	}
	node = reasm_node_new(pool, run);
	if (node != NULL) {
		reasm_segq_link(pool, queue, prev, node);
	}
	return node;
}

static void run_of(const struct reasm_node *node, struct reasm_run *ret)
{
	ret->offset = node->offset;
	ret->data = reasm_node_data(node);
	ret->len = node->len;
	ret->marks = reasm_node_marks(node);
	ret->nmarks = node->nmarks;
}

struct reasm_node *reasm_segq_join(struct reasm_pool *pool, struct reasm_queue *queue,
				   struct reasm_node *node)
{
	struct reasm_node *next = node->next;
	struct reasm_run run;

	if (next == NULL || reasm_node_end(node) != next->offset) {
		return node;
	}
	assert(node->cut == 0);
	if (next->len + next->nmarks * MARK <= node->len + node->nmarks * MARK) {
		run_of(next, &run);
		if (next->len > 0 && node_append(pool, queue, node, &run) != 0) {
			return node;
		}
		node->cut = next->cut;
		reasm_segq_unlink(queue, next);
		reasm_node_free(pool, next);
		return node;
	}
	if (node_reserve_head(pool, queue, next, node->len, node->nmarks) != 0) {
		return node;
	}
	/* out of the tree before the next one takes over its key */
	reasm_segq_unlink(queue, node);
	run_of(node, &run);
	(void)node_prepend(pool, queue, next, &run);
	next->hole = node->hole;
	reasm_node_free(pool, node);
	return next;
}

uint64_t reasm_segq_truncate(struct reasm_pool *pool, struct reasm_queue *queue, uint64_t offset)
{
	uint64_t before = queue->bytes;
	struct reasm_node *node;

	while ((node = queue->tail) != NULL && node->offset >= offset) {
		queue->fin = node->hole;
		reasm_segq_unlink(queue, node);
		reasm_node_free(pool, node);
	}
	if (node != NULL && reasm_node_end(node) > offset) {
		queue->bytes -= reasm_node_end(node) - offset;
		node->len = (uint32_t)(offset - node->offset);
		node->nmarks = (uint16_t)(reasm_node_mark_index(node, offset - 1) + 1);
		node->cut = 0;
	} else if (node != NULL && reasm_node_reach(node) > offset) {
		node->cut = (uint32_t)(offset - reasm_node_end(node));
	}
	return before - queue->bytes;
}

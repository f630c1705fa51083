/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring between two threads: see queue.h.
 *
 * The counts only rise; an item's slot is its number modulo the size. A side that must wait says so in `sleepers` and then looks
 * once more; the other moves its count and then looks at `sleepers`. Both are sequentially consistent, so that one of them sees
 * the other.
 */
#include "app/queue.h"

#include <assert.h>
#include <string.h>

void queue_init(struct queue *queue, size_t limit)
{
	assert(limit > 0 && limit <= QUEUE_MAX);
	memset(queue, 0, sizeof(*queue));
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->moved, NULL);
	queue->limit = limit;
}

void queue_fini(struct queue *queue)
{
	pthread_mutex_destroy(&queue->lock);
	pthread_cond_destroy(&queue->moved);
}

/* Until the other side's count is no longer `stuck`. */
static void wait_for(struct queue *queue, const atomic_size_t *count, size_t stuck)
{
	pthread_mutex_lock(&queue->lock);
	atomic_fetch_add(&queue->sleepers, 1);
	while (atomic_load(count) == stuck) {
		pthread_cond_wait(&queue->moved, &queue->lock);
	}
	atomic_fetch_sub(&queue->sleepers, 1);
	pthread_mutex_unlock(&queue->lock);
}

/* The other side may be waiting for what has just changed. */
static void wake(struct queue *queue)
{
	if (atomic_load(&queue->sleepers) > 0) {
		pthread_mutex_lock(&queue->lock);
		/* the one that was woken before may not have run yet: both may be in there */
		pthread_cond_broadcast(&queue->moved);
		pthread_mutex_unlock(&queue->lock);
	}
}

void queue_push(struct queue *queue, void *item)
{
	size_t n = atomic_load_explicit(&queue->pushed, memory_order_relaxed);

	if (n - atomic_load_explicit(&queue->popped, memory_order_acquire) == queue->limit) {
		wait_for(queue, &queue->popped, n - queue->limit);
	}
	queue->slots[n % QUEUE_MAX] = item;
	atomic_store(&queue->pushed, n + 1);
	wake(queue);
}

void *queue_pop(struct queue *queue)
{
	size_t n = atomic_load_explicit(&queue->popped, memory_order_relaxed);
	void *item;

	if (atomic_load_explicit(&queue->pushed, memory_order_acquire) == n) {
		wait_for(queue, &queue->pushed, n);
	}
	item = queue->slots[n % QUEUE_MAX];
	atomic_store(&queue->popped, n + 1);
	wake(queue);
	return item;
}

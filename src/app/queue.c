/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded queue between threads: see queue.h. Batches are large, so a lock per batch costs nothing that shows. */
#include "app/queue.h"

#include <assert.h>
#include <string.h>

void queue_init(struct queue *queue, size_t limit)
{
	assert(limit > 0 && limit <= QUEUE_MAX);
	memset(queue, 0, sizeof(*queue));
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->filled, NULL);
	pthread_cond_init(&queue->emptied, NULL);
	queue->limit = limit;
}

void queue_fini(struct queue *queue)
{
	pthread_mutex_destroy(&queue->lock);
	pthread_cond_destroy(&queue->filled);
	pthread_cond_destroy(&queue->emptied);
}

void queue_push(struct queue *queue, void *item)
{
	pthread_mutex_lock(&queue->lock);
	while (queue->n == queue->limit) {
		pthread_cond_wait(&queue->emptied, &queue->lock);
	}
	queue->slots[(queue->first + queue->n) % QUEUE_MAX] = item;
	queue->n++;
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

void *queue_pop(struct queue *queue)
{
	void *item;

	pthread_mutex_lock(&queue->lock);
	while (queue->n == 0) {
		pthread_cond_wait(&queue->filled, &queue->lock);
	}
	item = queue->slots[queue->first];
	queue->first = (queue->first + 1) % QUEUE_MAX;
	queue->n--;
	pthread_cond_signal(&queue->emptied);
	pthread_mutex_unlock(&queue->lock);
	return item;
}

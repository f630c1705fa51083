/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded queue of pointers between threads: the producer waits when it is full, the consumer when it is empty. */
#ifndef APP_QUEUE_H
#define APP_QUEUE_H

#include <pthread.h>
#include <stddef.h>

enum { QUEUE_MAX = 64 };

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	pthread_cond_t emptied;
	void *slots[QUEUE_MAX];
	size_t limit; /* 1..QUEUE_MAX */
	size_t first;
	size_t n;
};

void queue_init(struct queue *queue, size_t limit);
void queue_fini(struct queue *queue);
/** Waits while the queue is full. */
void queue_push(struct queue *queue, void *item);
/** Waits while the queue is empty. */
void *queue_pop(struct queue *queue);

#endif

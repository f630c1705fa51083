/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded ring of pointers from one thread to another: the producer waits when it is full, the consumer when it is empty.
 *
 * One producer and one consumer. While neither has to wait there is no lock: each side writes its own count and reads the
 * other's. (The ends may pass to other threads when something else orders the two, such as a ring that is known to be empty.)
 */
#ifndef APP_QUEUE_H
#define APP_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

enum { QUEUE_MAX = 64, QUEUE_LINE = 64 /* bytes of a cache line */ };

struct queue {
	_Alignas(QUEUE_LINE) atomic_size_t pushed; /* the producer's */
	_Alignas(QUEUE_LINE) atomic_size_t popped; /* the consumer's */
	_Alignas(QUEUE_LINE)
		atomic_uint sleepers; /* that wait, or have not noticed yet that they need not */
	size_t limit;                 /* 1..QUEUE_MAX */
	pthread_mutex_t lock;         /* for waiting */
	pthread_cond_t moved;
	void *slots[QUEUE_MAX];
};

void queue_init(struct queue *queue, size_t limit);
void queue_fini(struct queue *queue);
/** Waits while the queue is full. */
void queue_push(struct queue *queue, void *item);
/** Waits while the queue is empty. */
void *queue_pop(struct queue *queue);

#endif

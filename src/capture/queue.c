/* SPDX-License-Identifier: Apache-2.0 */
/* Packets between two threads: see queue.h. */
#include "capture/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "weir/error.h"

enum { ALIGN = 8 };

/* In place of a packet: what is left of the ring is left out. */
#define SKIP UINT32_MAX

int queue_init(struct queue *queue, size_t size)
{
	assert(size >= 4096 && (size & (size - 1)) == 0);
	memset(queue, 0, sizeof(*queue));
	queue->ring = malloc(size);
	queue->size = size;
	queue->room_until = size;
	return queue->ring == NULL ? WEIR_ENOMEM : 0;
}

void queue_fini(struct queue *queue)
{
	free(queue->ring);
	queue->ring = NULL;
}

/* Bytes that a packet takes. */
static size_t size_of(size_t caplen)
{
	return (sizeof(struct queue_packet) + caplen + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static struct queue_packet *packet_at(const struct queue *queue, uint64_t at)
{
	return (struct queue_packet *)(void *)(queue->ring + (at & (queue->size - 1)));
}

/* Bytes from there to the end of the ring. */
static size_t to_the_end(const struct queue *queue, uint64_t at)
{
	return queue->size - (size_t)(at & (queue->size - 1));
}

/* ---- the writer ---- */

static bool has_bytes(struct queue *queue, size_t n)
{
	if (queue->room_until - queue->put >= n) {
		return true;
	}
	queue->room_until = atomic_load_explicit(&queue->taken, memory_order_acquire) + queue->size;
	return queue->room_until - queue->put >= n;
}

bool queue_has_room(struct queue *queue, size_t n)
{
	/* as much again at most is left out before the end */
	return has_bytes(queue, 2 * size_of(n));
}

bool queue_put(struct queue *queue, const struct queue_packet *head, const uint8_t *bytes)
{
	size_t size = size_of(head->caplen);
	size_t end = to_the_end(queue, queue->put);
	size_t skip = size <= end ? 0 : end;
	struct queue_packet *packet;

	if (!has_bytes(queue, skip + size)) {
		return false;
	}
	if (skip >= sizeof(*packet)) {
		packet_at(queue, queue->put)->caplen = SKIP;
	}
	queue->put += skip;
	packet = packet_at(queue, queue->put);
	*packet = *head;
	memcpy(packet->bytes, bytes, head->caplen);
	queue->put += size;
	return true;
}

bool queue_publish(struct queue *queue)
{
	uint64_t before = atomic_load_explicit(&queue->written, memory_order_relaxed);

	/* what the other side did before it began to wait is seen by who asks afterwards whether it waits */
	atomic_store_explicit(&queue->written, queue->put, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	return before != queue->put &&
	       atomic_load_explicit(&queue->taken, memory_order_relaxed) == before;
}

/* ---- the reader ---- */

const struct queue_packet *queue_peek(struct queue *queue)
{
	for (;;) {
		const struct queue_packet *packet;
		size_t end;

		if (queue->at == queue->until) {
			queue->until = atomic_load_explicit(&queue->written, memory_order_acquire);
		}
		if (queue->at == queue->until) {
			return NULL;
		}
		packet = packet_at(queue, queue->at);
		end = to_the_end(queue, queue->at);
		if (end >= sizeof(*packet) && packet->caplen != SKIP) {
			return packet;
		}
		queue->at += end;
	}
}

void queue_pop(struct queue *queue, const struct queue_packet *packet)
{
	assert(packet == packet_at(queue, queue->at));
	queue->at += size_of(packet->caplen);
}

void queue_give_back(struct queue *queue)
{
	atomic_store_explicit(&queue->taken, queue->at, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
}

/* ---- both ---- */

size_t queue_fill(const struct queue *queue)
{
	/* in this order it is not below 0 */
	uint64_t taken = atomic_load_explicit(&queue->taken, memory_order_acquire);

	return (size_t)(atomic_load_explicit(&queue->written, memory_order_acquire) - taken);
}

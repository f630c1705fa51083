/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets on their way from the thread that reads an interface to the one that merges (readers.h): a ring of bytes with one
 * writer and one reader, without a lock.
 *
 *	| head bytes | head bytes | head bytes |.......free.......| head bytes |
 *	             ^ taken (reader)          ^ written (writer)
 *
 * A packet lies in one piece; where it does not fit before the end of the ring, the rest there is left out. The writer puts packets
 * and then publishes them together; the reader looks at the first one, in place, and gives room back together.
 */
#ifndef CAPTURE_QUEUE_H
#define CAPTURE_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue_packet {
	int64_t ts_ns;
	uint32_t caplen;
	uint32_t wirelen;
	uint32_t drops;
	uint16_t interface;
	uint16_t unused;
	uint8_t bytes[];
};

struct queue {
	uint8_t *ring;
	size_t size; /* a power of two */
	/* the writer's */
	_Alignas(128) atomic_uint_fast64_t written;
	uint64_t put;        /* written, and what is not published yet */
	uint64_t room_until; /* taken + size, as of when that was last looked at */
	/* the reader's */
	_Alignas(128) atomic_uint_fast64_t taken;
	uint64_t at;    /* taken, and what is not given back yet */
	uint64_t until; /* written, as of when that was last looked at */
};

/** size: a power of two, 4096 or more. WEIR_ENOMEM */
int queue_init(struct queue *queue, size_t size);
void queue_fini(struct queue *queue);

/* ---- the writer ---- */

/** Room for a packet of so many bytes, wherever it will lie? Then n bytes of smaller packets have room, too, heads aside. */
bool queue_has_room(struct queue *queue, size_t n);

/** Put a packet; its bytes are copied. @return false: no room, nothing was put */
bool queue_put(struct queue *queue, const struct queue_packet *head, const uint8_t *bytes);

/** What was put can be seen. @return was the queue empty before? */
bool queue_publish(struct queue *queue);

/* ---- the reader ---- */

/** The first packet, valid until queue_give_back(); NULL: there is none now. */
const struct queue_packet *queue_peek(struct queue *queue);

/** Go on behind it: it must be what queue_peek() gave. */
void queue_pop(struct queue *queue, const struct queue_packet *packet);

/** The room of all that were popped is the writer's again. */
void queue_give_back(struct queue *queue);

/* ---- both ---- */

/** Bytes that were published and not given back. */
size_t queue_fill(const struct queue *queue);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An item on its way from the thread that decoded it to the worker that owns its shard: one cache line instead of five.
 *
 * What one processor has written and another reads comes a line at a time, over 40 to 500 ns each: with whole items that was what workers
 * waited for. So what nearly every segment is (IPv4 without tag or tunnel, captured whole, no option but timestamps, in its time)
 * goes as the values that a shard looks at, and what a batch has in common goes once. Everything else goes as the item it is, and
 * its parcel says where that lies.
 */
#ifndef ENGINE_PARCEL_H
#define ENGINE_PARCEL_H

#include "engine/front.h"

enum { PARCEL_SOURCES = 16, PARCEL_MOMENTS = 1 << 16 };

struct parcel {
	_Alignas(64) uint64_t hash;
	union {
		int64_t ts_ns;
		const struct item
			*whole; /* with is_whole: nothing but the hash is valid beside it */
	};
	uint32_t address[2]; /* network order; of side A, of side B */
	uint16_t port[2];
	uint32_t seq;
	uint32_t ack;
	uint32_t tsval;
	uint32_t tsecr;
	int32_t payload; /* from the batch's origin on */
	uint32_t index;  /* of the packet, from the batch's index on */
	uint16_t moment;
	uint16_t payload_len;
	uint16_t payload_sum;
	uint16_t window;
	uint8_t flags;
	uint8_t header_len;
	uint8_t source;
	unsigned checksum : 2;
	unsigned side : 1;
	unsigned has_ts : 1;
	unsigned is_late : 1; /* the clock is not at ts_ns, but where the moment says */
	unsigned is_whole : 1;
};

_Static_assert(sizeof(struct parcel) == 64, "a cache line");

/* Where packets come from. */
struct parcel_source {
	const char *name;
	uint16_t interface;
	uint16_t input;
};

/* What the parcels of a batch have in common. */
struct parcel_base {
	const uint8_t *origin; /* bytes of some packet */
	uint64_t index;        /* no packet of the batch has a smaller one */
	unsigned nsources;
	unsigned source; /* of the item before */
	struct parcel_source sources[PARCEL_SOURCES];
};

/* When an item was, for the engines that do not have it. */
struct item_moment {
	uint64_t index;
	int64_t clock_ns;
	uint32_t drops;
};

/** Of one that is not whole. */
static inline const uint8_t *parcel_payload(const struct parcel *parcel,
					    const struct parcel_base *base)
{
	return (const uint8_t *)((uintptr_t)base->origin + (uintptr_t)(intptr_t)parcel->payload);
}

/** Pack an item; its `moment` is set. @return false: it is none of those that fit, and goes whole */
bool parcel_pack(struct parcel_base *base, const struct item *item, struct parcel *ret);

/** It goes whole: it lives as long as the parcel. */
void parcel_pack_whole(const struct item *item, struct parcel *ret);

/** Set up an item that parcels are opened into, one after the other. */
void parcel_room(struct item *room);

/** The item: in *room, or the whole one. What no shard looks at is not there: the IP header, addresses but in the tuple. */
const struct item *parcel_open(const struct parcel *parcel, const struct parcel_base *base,
			       const struct item_moment *moments, struct item *room);

#endif

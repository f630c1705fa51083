/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lone SYNs: half-open flows of which nothing but one plain SYN over IPv4 was seen, kept as that SYN in 48 bytes while a shard
 * has many (a SYN flood). Brought to hand by judging the SYN once more, in its time; so nothing but the memory differs.
 *
 * They come in the order of the clock and all wait equally long: one timer, that of the first, is enough for a shard.
 */
#ifndef ENGINE_LONE_SYN_H
#define ENGINE_LONE_SYN_H

#include "engine/flow.h"
#include "engine/front.h"

struct shard;

enum { LONE_PLACES = 64 }; /* of capture interfaces and inputs that a shard tells apart */

/* Where packets come from, for SYNs by number. */
struct lone_place {
	const char *interface_name;
	uint16_t interface;
	uint16_t input;
};

struct lone_syn {
	struct flow_link lru; /* .next is the next SYN */
	uint64_t packet : 48;
	uint64_t place : 6;
	uint64_t wscale : 4;
	uint64_t has_wscale : 1;
	uint64_t has_ts : 1;
	uint64_t has_mss : 1;
	uint64_t side : 1; /* the sender's */
	uint64_t good : 1; /* checksum */
	uint64_t sack : 1;
	int64_t ts_ns;
	struct tuple_short key;
	uint32_t seq;
	uint32_t tsval;
	uint16_t window;
	uint16_t mss;
};

_Static_assert(sizeof(struct lone_syn) == 48, "three units of a slot");

/** Number of the place, entered if it is new; LONE_PLACES: there are too many. */
unsigned lone_place(struct shard *shard, const struct lone_place *place);

/** Keep the item as a lone SYN; it is none of a flow that is there. false: it is more than that, or there is no memory */
bool lone_syn_keep(struct shard *shard, const struct item *item);

/** Its item once more. */
void lone_syn_item(const struct shard *shard, const struct lone_syn *syn, struct item *ret);

#endif

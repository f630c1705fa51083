/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tombs: flows that have ended, and of which nothing is left to be told, wait for packets that are late in 224 bytes; their entry
 * is free for the next flow at once, while it is in the cache. Brought to hand when such a packet comes, and buried again behind it.
 *
 * Only where nobody reads `tcp` records: the figures go to the totals when a flow is buried, and none are kept. A flow with more
 * than a tomb can say (IPv6, tunnels, a tap, oddities, doubtful segments) stays a struct flow until its tombstone time is over.
 *
 * They are in a list by the time when they ended, and all wait equally long. Nothing is told when one's time is over, so that needs no
 * timer in the order of all: they go some at a time, or when somebody asks for one of them.
 */
#ifndef ENGINE_TOMB_H
#define ENGINE_TOMB_H

#include "engine/flow.h"

struct shard;

struct tomb {
	/* all that is looked at but to bring it to hand is here: in a line of the cache, or two */
	struct flow_link lru; /* .next ended later */
	int64_t ended_ns;
	struct tuple_short key;
	uint16_t vlan_id;
	uint8_t place; /* struct lone_place */
	uint8_t ended;
	uint64_t first_packet;
	uint64_t last_packet;
	int64_t first_ts_ns;
	int64_t last_ns;
	int64_t snd_max_ns[2];
	uint64_t next[2]; /* of the halves */
	uint32_t next_seq[2];
	uint32_t id[2];
	uint32_t last_ack[2];
	uint32_t nrecords;
	uint32_t nemitted;
	struct tcp_side side[2];
	uint16_t is; /* bits of enum tomb_is */
	uint8_t role;
	uint8_t nanomalies;
	uint8_t offloaded;
	uint8_t half[2]; /* bits of enum tomb_half */
};

enum tomb_is {
	TOMB_CLIENT = 1 << 0,
	TOMB_RESET = 1 << 1, /* its phase; else closed */
	TOMB_RESET_SIDE = 1 << 2,
	TOMB_RST_IGNORED = 1 << 3,
	TOMB_ROLE_FIXED = 1 << 4,
	TOMB_SYN_SEEN = 1 << 5,
	TOMB_SYN_ACK_SEEN = 1 << 6,
	TOMB_HAS_VLAN = 1 << 7
};

enum tomb_half {
	TOMB_STARTED = 1 << 0,
	TOMB_FIN_KNOWN = 1 << 1,
	TOMB_ONEWAY = 1 << 2,
	TOMB_HAS_PACKETS = 1 << 3,
	TOMB_HAS_BYTES = 1 << 4,
	TOMB_HAS_GAPS = 1 << 5
};

_Static_assert(sizeof(struct tomb) <= 224, "fourteen units of a slot");

/**
 * Bury the flow, if it has ended and nothing is to come that is not late.
 * @return false: it is not that, or more than a tomb can say, or there is no memory: it stays
 */
bool tomb_bury(struct shard *shard, struct flow *flow);

/** Bring it to hand into this entry, whatever was in it but `self`. The totals lose its figures again. */
void tomb_open(struct shard *shard, uint32_t index, struct flow *flow);

/** Its room is needed, or its time is over: it is gone, and its record is counted. */
void tomb_end(struct shard *shard, uint32_t index);

/** All whose time is over by then are gone. */
void tomb_expire(struct shard *shard, int64_t clock_ns);

/** The same for all of these shards (NULL: none), so that their ways to memory overlap. */
void tomb_expire_all(struct shard *const *shards, size_t nshards, int64_t clock_ns);

/** A flow has ended and is buried soon: the memory for it is on its way into the cache. */
void tomb_expect(const struct shard *shard);

#endif

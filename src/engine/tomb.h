/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tombs: flows that have ended, and of which nothing is left to be told, wait for packets that are late in 224 bytes; their entry
 * is free for the next flow at once, while it is in the cache. Brought to hand when such a packet comes, and buried again behind it.
 *
 * Only where nobody reads `tcp` records: the figures go to the totals when a flow is buried, and none are kept. A flow with more
 * than a tomb can say (IPv6, tunnels, a tap, oddities, doubtful segments) stays a struct flow until its tombstone time is over.
 *
 * They are in a list by the time when they ended, and all wait equally long. Nothing is told when one's time is over, so that needs no
 * timer in the order of all: it goes before the shard's next packet is looked at.
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
	uint8_t nanomalies;
	uint8_t offloaded;
	uint8_t client : 1;
	uint8_t role : 3;
	uint8_t reset : 1; /* its phase; else closed */
	uint8_t reset_side : 1;
	uint8_t rst_ignored : 1;
	uint8_t role_fixed : 1;
	uint8_t syn_seen : 1;
	uint8_t syn_ack_seen : 1;
	uint8_t has_vlan : 1;
	struct {
		uint8_t started : 1;
		uint8_t fin_known : 1;
		uint8_t oneway : 1;
		uint8_t has_packets : 1;
		uint8_t has_bytes : 1;
		uint8_t has_gaps : 1;
	} half[2];
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

/** Those whose time is over by then are gone: to be asked when shard->tombs_due_ns was reached. */
void tomb_expire(struct shard *shard, int64_t clock_ns);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front: from captured packets to items ready for their shard. Decodes, puts fragments together (before sharding: only
 * a whole datagram has ports), keeps the capture clock monotone, and numbers packets over the whole run. One front a run,
 * used by one thread; everything that decides here is the same for any number of workers.
 */
#ifndef ENGINE_FRONT_H
#define ENGINE_FRONT_H

#include "base/arena.h"
#include "decode/layers.h"
#include "defrag/defrag.h"
#include "engine/tunnels.h"
#include "flow/tuple.h"
#include "weir/config.h"
#include "weir/packet.h"

enum { ENGINE_SHARDS = 16, FRONT_NO_SHARD = ENGINE_SHARDS };

/* Fragments of the segment's datagram overlapped with different bytes. */
struct front_conflict {
	uint32_t at; /* from the TCP header on */
	uint8_t len; /* bytes of each copy */
	uint8_t kept[DEFRAG_EVIDENCE];
	uint8_t lost[DEFRAG_EVIDENCE];
};

/* A TCP segment on its way to a shard. */
struct item {
	struct layers
		layers; /* points into the packet's bytes, or the batch's memory for datagrams put together */
	struct tuple tuple;
	uint64_t hash;
	uint64_t index; /* of the packet in the run, from 1 */
	int64_t ts_ns;
	int64_t clock_ns; /* monotone */
	int64_t seen_ns; /* the same, or the packet's own time while its jump forward is not confirmed */
	const char *interface_name;
	uint16_t interface;
	uint16_t input;
	uint32_t drops; /* of the capture, since the item before */
	uint8_t side;
	uint8_t shard;                         /* FRONT_NO_SHARD: a tick */
	uint32_t moment;                       /* of the batch: see engine_part() */
	const struct front_conflict *conflict; /* NULL: none; lives as long as the packet's bytes */
};

struct front_stats {
	uint64_t packets;
	uint64_t bytes; /* captured */
	uint64_t wire_bytes;
	uint64_t kinds[LAYERS_BAD +
		       1]; /* by enum layers_kind; a datagram put together counts as what it is */
	uint64_t reasons[LAYERS_NREASONS]; /* of LAYERS_BAD */
	uint64_t ipv4;
	uint64_t ipv6;
	uint64_t tunnelled;
	uint64_t protocols[256]; /* IP datagrams that are not TCP, by protocol */
	uint64_t snapped;        /* packets cut by the snaplen */
	uint64_t snaplen;        /* the largest of them has so many bytes */
	uint64_t clock_back;     /* packets whose time went backwards */
	uint64_t clock_jumps;    /* jumps forward that were not believed at first */
};

struct front {
	const struct weir_config *config;
	struct budget budget; /* of fragments */
	struct defrag *defrag;
	uint64_t seed;
	uint64_t index; /* packets so far */
	int64_t clock_ns;
	uint32_t drops;  /* told by packets that were no items */
	int64_t jump_ns; /* an unconfirmed time beyond the jump limit; 0: none */
	bool clock_set;
	bool checksums;
	bool vlan_key;
	uint64_t *input_base; /* packets before input k; index by input, ascending */
	size_t ninputs;
	size_t nbegun; /* inputs of which front_pass_over() has seen a packet */
	struct front_stats stats;
	struct tunnels tunnels; /* that were seen */
};

/** What a front takes of config->memory at most. */
size_t front_memory(const struct weir_config *config);

/** @param input_base ninputs elements, the caller's; filled as inputs begin. WEIR_ENOMEM */
int front_init(struct front *front, const struct weir_config *config, uint64_t seed,
	       uint64_t *input_base, size_t ninputs);
void front_fini(struct front *front);

/** What the capture clock will be once a packet of this time was pushed. */
int64_t front_clock(const struct front *front, int64_t ts_ns);

/** It is later than any packet says: move the clock. Earlier times are passed over. */
void front_tick(struct front *front, int64_t now_ns);

/**
 * Decode one packet.
 * @param arena  memory that lives as long as the packet's bytes: datagrams put together are copied there
 * @param ret    written when 1 is returned
 * @return 1: a TCP segment; 0: nothing for a shard (counted)
 */
int front_push(struct front *front, const struct weir_packet *packet, struct weir_arena *arena,
	       struct item *ret);

/** The next packet is this one: those of its input before it were passed over, and keep their numbers. */
void front_pass_over(struct front *front, const struct weir_packet *next);

/** An item that belongs to no shard: it only tells the engines the clock, so that timers run though no segment came. */
void front_tick_item(const struct front *front, struct item *ret);

#endif

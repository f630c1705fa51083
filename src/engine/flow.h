/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flow as the engine keeps it: key, TCP state, the two halves of reassembly, one timer, and (once it carries payload) a
 * session with a parser.
 *
 * Life: flow_open → segments → ended (FIN, RST: the session is closed, a tombstone absorbs late packets) → finalised (its
 * `tcp` record is emitted and the entry is free). Timeout, eviction, reuse and the end of the capture finalise at once.
 */
#ifndef ENGINE_FLOW_H
#define ENGINE_FLOW_H

#include "flow/tcp_state.h"
#include "flow/timer.h"
#include "flow/tuple.h"
#include "reasm/half.h"

struct shard;
struct session;
struct oddities;
struct doubt; /* a segment with a bad checksum that waits for its acknowledgement: doubt.h */

/* A doubly linked list through entries of one shard, by index + 1. */
struct flow_link {
	uint32_t prev;
	uint32_t next;
};

/* Figures of one side that the ledger does not have. */
struct flow_side {
	uint64_t packets;
	uint64_t bytes; /* captured payload bytes */
	uint32_t retransmits;
	uint32_t out_of_order;
	uint32_t duplicate_acks;
	uint32_t zero_windows;
	uint32_t gaps;
	uint8_t flags;       /* of all its packets */
	uint8_t gap_causes;  /* bits of enum weir_gap_cause */
	uint32_t rtt_seq;    /* end of the segment being timed */
	uint32_t last_ack;   /* for duplicate acks */
	int64_t rtt_sent_ns; /* 0: none is timed */
	int64_t rtt_ns;      /* smoothed: this side's data → the other's ACK; 0: none yet */
	int64_t snd_max_ns;  /* when snd_max was reached */
};

struct flow {
	struct tuple tuple;
	uint32_t self;       /* index in the shard */
	struct shard *shard; /* NULL: the entry is free */
	struct reasm_half half[2];
	struct tcp_state tcp;
	struct timer_node timer;
	struct flow_link lru;   /* in the half-open or the established list */
	struct flow_link holes; /* in the list of flows with something waiting */
	uint64_t hash;
	uint64_t first_packet;
	uint64_t last_packet;
	int64_t first_ts_ns;
	int64_t last_ns;    /* clock of the last packet */
	int64_t touched_ns; /* clock when it was last moved in the list */
	int64_t tick_ns;    /* deadline of the parser's tick; TIMER_NONE */
	int64_t reset_ns; /* a RST was seen: when the flow ends even if late packets are missing; 0 */
	int64_t ended_ns; /* clock when it ended */
	struct flow_side side[2];
	struct session *session;
	struct doubt *doubts;      /* oldest first */
	size_t doubt_bytes;        /* of payload in them */
	struct oddities *oddities; /* of TCP and IP, that records are to name; NULL: none */
	void *tap_state;
	void *observed; /* the observer's */
	const char *interface_name;
	uint32_t nrecords; /* begun: numbers ids */
	uint32_t nemitted; /* order within the flow */
	uint16_t interface;
	uint16_t input;
	uint16_t vlan_id;
	uint8_t has_vlan;
	uint8_t list;       /* enum flow_list */
	uint8_t waiting;    /* is in the list of holes */
	uint8_t role_fixed; /* the first bytes were delivered */
	uint8_t ended;      /* enum weir_close + 1; 0: not ended */
	uint8_t nanomalies;
	uint8_t ignored;  /* enum flow_ignored */
	uint8_t unparsed; /* no session: the observer wants its bytes only */
	uint8_t offloaded;
};

/* Asked: a callback said so, what the flow holds is released when the segment or timer is done with. */
enum flow_ignored { FLOW_WANTED, FLOW_IGNORE_ASKED, FLOW_IGNORED };

enum flow_list { FLOW_HALF_OPEN, FLOW_ESTABLISHED, FLOW_NLISTS, FLOW_UNLISTED = FLOW_NLISTS };

static inline enum weir_direction flow_direction(const struct flow *flow, uint8_t side)
{
	return side == flow->tcp.client ? WEIR_C2S : WEIR_S2C;
}

/** The side that sends a direction. */
static inline uint8_t flow_sender(const struct flow *flow, enum weir_direction dir)
{
	return dir == WEIR_C2S ? flow->tcp.client : !flow->tcp.client;
}

/** The public view of a flow. */
void flow_info(const struct flow *flow, struct weir_flow_info *ret);

#endif

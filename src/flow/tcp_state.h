/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one TCP segment means for its flow: who is the client, where a direction's bytes begin, whether an endpoint would
 * have taken the payload, whether FIN and RST hold, whether a new connection has taken the tuple over.
 *
 * Pure: numbers in, a verdict out. It informs, it never stalls data. The engine carries the verdict out on the halves of
 * reassembly.
 *
 * Phases and what moves them on:
 *   NONE         nothing seen yet                       SYN → SYN; SYN/ACK → SYN_ACK; anything else → ESTABLISHED (mid-stream)
 *   SYN          client's SYN(s) wait as candidates     matching SYN/ACK → SYN_ACK; data or ACK of a candidate → ESTABLISHED
 *   SYN_ACK      both directions have their start       any later ACK or data → ESTABLISHED
 *   ESTABLISHED  data flows                             FIN of one side → HALF_CLOSED; RST → RESET
 *   HALF_CLOSED  one side has ended                     FIN of the other → CLOSED
 *   CLOSED       both ended (tombstone)                 SYN with a new ISN, SYN/ACK or numbers behind both FINs → new flow
 *   RESET        an acceptable RST was seen (tombstone) SYN with a new ISN → new flow; what the RST's sender had sent before it
 *                                                       (captured late), and what the other had in flight, is taken
 * In every phase up to HALF_CLOSED a SYN with another ISN is held as a candidate: its SYN/ACK (or, one-way, the first data
 * that fits it and does not fit the flow) opens a new flow. So is a SYN/ACK that cannot be this connection's, and whose SYN was not
 * captured: what the client answers opens it (at once, where nothing of the client is captured, or the connection is over).
 *
 * Spec: RFC 9293 §3.10.7, RFC 5961 (RST, SYN), RFC 7323 (PAWS, window scale), RFC 7413 (data on SYN).
 */
#ifndef FLOW_TCP_STATE_H
#define FLOW_TCP_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "decode/layers.h"
#include "weir/config.h"
#include "weir/flow.h"

enum tcp_phase {
	TCP_NONE,
	TCP_SYN,
	TCP_SYN_ACK,
	TCP_ESTABLISHED,
	TCP_HALF_CLOSED,
	TCP_CLOSED,
	TCP_RESET
};

/* How sure we are who is the client: a later, better reason may turn it round until the first delivery. */
enum tcp_role {
	TCP_ROLE_FIRST_SENDER,
	TCP_ROLE_PORT,
	TCP_ROLE_PAYLOAD,
	TCP_ROLE_SYN_ACK,
	TCP_ROLE_SYN
};

enum { TCP_MAX_CANDIDATES = 4 };

/* A SYN whose fate is not known yet; or a SYN/ACK whose SYN was not captured (answers): what its client sends next decides. */
struct tcp_candidate {
	uint64_t packet; /* run-wide number */
	int64_t ts_ns;
	uint32_t isn;
	uint32_t ack; /* with answers: its acknowledgement */
	uint32_t tsval;
	uint16_t mss;
	uint8_t answers;
	uint8_t side;
	uint8_t wscale;
	uint8_t has_wscale;
	uint8_t has_ts;
	uint16_t data_len; /* payload bytes that came with it and are held by the engine (TFO) */
	uint8_t *data;     /* the engine's */
};

struct tcp_side {
	uint32_t isn;      /* !isn_known: if a side picked up mid-stream began there */
	uint32_t last_ack; /* newest acknowledgement this side sent */
	uint32_t
		edge; /* right edge of the receive window it advertised: the largest ack + window */
	uint32_t max_window; /* largest window it advertised, scaled */
	uint32_t snd_max;    /* highest sequence number after any byte it sent */
	uint32_t ts_recent;  /* RFC 7323 TS.Recent of what it sent */
	uint32_t limit;      /* after a RST: the end of what may still have been captured late */
	uint32_t idle_seq;   /* sequence number of a bare ACK seen before the start was known */
	uint32_t
		other_isn; /* of another SYN/ACK for the same SYN, until the client says which one it took */
	uint16_t mss; /* from its SYN; 0: unknown */
	uint8_t wscale;
	uint8_t seen : 1; /* it sent a packet */
	uint8_t isn_known : 1;
	uint8_t has_ack : 1;
	uint8_t has_max : 1; /* snd_max holds */
	uint8_t has_ts : 1;  /* ts_recent holds */
	uint8_t has_idle_seq : 1;
	uint8_t has_other_isn : 1;
	uint8_t wscale_known : 1;  /* its SYN or SYN/ACK was seen: windows can be scaled right */
	uint8_t checksum_good : 1; /* a good checksum was seen */
	uint8_t has_limit : 1;
	uint8_t fin : 1; /* an acceptable FIN was seen */
};

struct tcp_state {
	struct tcp_side side[2];
	struct tcp_candidate syn; /* the SYN that opened the flow, or waits to */
	struct tcp_candidate
		*more; /* further candidates: TCP_MAX_CANDIDATES, the engine's memory; NULL: none */
	int64_t syn_ack_ns; /* times of the handshake; 0: not seen */
	int64_t handshake_ack_ns;
	uint8_t phase;  /* enum tcp_phase */
	uint8_t client; /* side */
	uint8_t role;   /* enum tcp_role */
	uint8_t nmore;
	uint8_t syn_seen : 1;
	uint8_t syn_ack_seen : 1;
	uint8_t rst_ignored : 1; /* an inexact RST was seen last */
	uint8_t reset_side : 1;  /* in TCP_RESET: who sent the RST */
};

/* What reassembly knows of both sides at this moment. */
struct tcp_view {
	uint32_t next[2]; /* sequence number of the next byte to deliver */
	bool started[2];
	bool lossy[2]; /* a gap was declared: windows are judged liberally */
};

struct tcp_verdict {
	bool start[2]; /* begin the direction at start_seq ... */
	bool restart;  /* ... even if it has begun: nothing of it was delivered */
	uint32_t start_seq[2];
	bool new_flow; /* close this flow as reused, and judge this segment again on a fresh one ... */
	bool with_syn; /* ... that is first given `syn` (an earlier candidate) */
	struct tcp_candidate syn;
	bool hold_syn; /* keep this SYN or SYN/ACK as a candidate, with its payload */
	int take_syn_data; /* index of the candidate (0: .syn, 1..: more) whose held data is now the stream's first; -1 */
	uint32_t take_syn_len;  /* how many of its bytes were taken; the rest is rejected */
	bool drop_candidates;   /* all other held candidates are void */
	bool take;              /* the payload may be pushed */
	enum weir_reject cause; /* why not */
	bool fin;               /* FIN holds, at fin_seq */
	uint32_t fin_seq;
	bool reset;             /* RST holds */
	bool use_ack;           /* the acknowledgement is to be believed */
	bool rst_out_of_window; /* an RST that was ignored (RFC 5961) */
	bool doubtful; /* bad checksum, but the peer may acknowledge it all the same: worth keeping for a while */
	bool offloaded; /* bad checksum accepted: none of this direction was ever good */
};

/** A fresh flow whose first packet came from `side`. */
void tcp_state_init(struct tcp_state *state, uint8_t side, uint16_t sport, uint16_t dport);

/**
 * Judge a segment and move the state on.
 * @param layers LAYERS_TCP
 * @param side   that sent it
 * @param ts_ns  its capture time (candidates remember it); packet: its run-wide number
 * @param ret    all fields are set
 */
void tcp_state_segment(struct tcp_state *state, const struct layers *layers, uint8_t side,
		       int64_t ts_ns, uint64_t packet, enum weir_checksums checksums,
		       const struct tcp_view *view, struct tcp_verdict *ret);

/* What the short way is told beside the segment: where its direction stands. The other one has begun, too. */
struct tcp_here {
	uint32_t next; /* sequence number of the next byte to deliver */
	bool ended;    /* up to a FIN: nothing more is delivered */
	bool lossy;    /* a gap was declared */
	int64_t ts_ns; /* of the segment */
	enum weir_checksums checksums;
};

/**
 * The short way for the common case: the next bytes, FIN or bare ACK from either side, from the handshake's last ACK to that of the
 * second FIN, with nothing special about them. The same checks and updates as tcp_state_segment(), less what cannot matter.
 * @return true: take the payload and the FIN, if there is one, and believe the acknowledgement; false: ask tcp_state_segment(), and
 *         nothing was changed but that it sees the same good checksum
 */
bool tcp_state_in_order(struct tcp_state *state, const struct layers *layers, uint8_t side,
			const struct tcp_here *here);

/** Set up a fresh flow from a candidate SYN of an earlier one. */
void tcp_state_seed(struct tcp_state *state, const struct tcp_candidate *syn);

/** Candidate by index: 0 is state->syn, 1.. state->more; NULL beyond. */
struct tcp_candidate *tcp_state_candidate(struct tcp_state *state, int index);

/** The phase by name; "half_closed_c": the client has closed, "half_closed_s": the server. */
const char *tcp_state_phase(const struct tcp_state *state);

/** "complete", "syn_ack" (SYN missed), "syn" (SYN/ACK missed), "none": what was seen of the handshake. */
const char *tcp_state_handshake(const struct tcp_state *state);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session: what happens to a flow's bytes above reassembly. Detection first, then one parser after another.
 *
 * Per direction it keeps the tail: bytes that are not consumed yet (an unfinished token, bytes held back, or the first bytes
 * while the protocol is not known). In order and consumed at once, bytes are not copied.
 *
 * States of a session:
 *   detecting  parser == NULL: tails collect, detect_protocol() is asked at each chunk
 *   parsing    parser != NULL
 *   deaf       nothing more is wanted: the protocol is unknown, or there was no memory
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "engine/flow.h"
#include "engine/tail.h"
#include "weir/parser.h"

struct engine;
struct pack;
struct session;

/* What weir_host_* functions work on. */
struct weir_host {
	struct engine *engine;
	struct flow *flow;
};

enum { SESSION_SWITCHES = 16 }; /* changes of protocol on one flow */

struct session_dir {
	struct tail *tail; /* NULL while everything is consumed */
	uint64_t next;     /* stream offset after the last byte that came */
	uint64_t skip;     /* opaque bytes still to go by */
	int64_t late_ns; /* of those that went by: the latest time, and the last packet in the capture */
	uint64_t late_packet;
	uint32_t pieces; /* segments while detecting */
	uint8_t held;    /* the parser said HOLD */
	uint8_t closed;  /* the direction has ended */
	uint8_t told;    /* ... and the parser knows */
	uint8_t how;     /* enum weir_close, with closed */
};

struct session {
	const struct weir_parser *parser;
	void *state;
	struct weir_host host;
	struct session_dir dir[2];
	uint32_t excluded; /* parsers that said NOT_MINE */
	uint8_t deaf;
	uint8_t midstream; /* detection starts somewhere in the stream */
	uint8_t switches;
	uint8_t busy; /* a parser call is running */
};

/** NULL without memory (counted by the budget). */
struct session *session_new(struct engine *engine, struct flow *flow);
void session_free(struct session *session);

void session_data(struct session *session, enum weir_direction dir, const struct weir_chunk *chunk);
void session_gap(struct session *session, enum weir_direction dir, uint64_t offset, uint64_t length,
		 enum weir_gap_cause cause);
void session_close(struct session *session, enum weir_direction dir, enum weir_close how);
void session_tick(struct session *session);

/** Does nothing wait in it, and can its parser park? */
bool session_is_parkable(const struct session *session);
/**
 * Write a parkable session, its parser's state given up to the bytes. false: it cannot be now, nothing was changed but the
 * bytes. Then session_parked() releases the rest, or session_unpark_again() undoes it.
 * @param ret_bytes, ret_len  the parser's part, for session_unpark_again()
 */
bool session_park(struct session *session, struct pack *pack, const uint8_t **ret_bytes,
		  size_t *ret_len);
void session_parked(struct session *session);
void session_unpark_again(struct session *session, const uint8_t *bytes, size_t len);
/** Back from the bytes. NULL without memory: counted, the flow has no session any more. */
struct session *session_unpark(struct engine *engine, struct flow *flow, struct pack *pack);
/** Its flow is in another entry now. */
void session_moved(struct session *session, struct flow *flow);

/**
 * Who is the client, by the first bytes of a side? For flows whose SYN was not seen.
 * @param weak also by what parsers would not be taken for: nothing else, not even a port, says anything
 * @return 1: the sender is the client; 0: it is the server; -1: the bytes do not say
 */
int session_roles(const struct engine *engine, const uint8_t *data, size_t len, uint16_t sport,
		  uint16_t dport, bool weak);

#endif

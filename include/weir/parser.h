/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser contract: an application protocol is a struct weir_parser.
 *
 * The engine owns reassembly, unconsumed tails, skipping, masking, limits on memory and the records' order. A parser sees
 * in-order chunks and gaps of both directions in the order in which they became deliverable, and makes records.
 *
 * Rules: bytes are hostile; malformed traffic is marked on the record and parsing goes on; no allocation per packet;
 * nothing is read beyond the chunk; no clock, no I/O. Any split of the same bytes gives the same records.
 *
 * A parser of your own is given to weir_engine_add_parser() and must live as long as that engine. Legal in its callbacks:
 * weir_host_..., weir_record_... and weir_schema_...; not weir_engine_... (except weir_engine_stats()).
 * A record of weir_host_record() is the parser's until it gives it to weir_host_emit() or weir_host_drop(), at the latest in
 * done(). No parser without probe() is found by detection, but others may switch to it.
 */
#ifndef WEIR_PARSER_H
#define WEIR_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "export.h"
#include "flow.h"
#include "record.h"
#include "stream.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_host; /* what the engine is to one parser on one flow */

/* ---- detection ---- */

struct weir_probe {
	const uint8_t *data[2]; /* first bytes of C2S, S2C; NULL when there are none yet */
	size_t len[2];
	bool closed[2];       /* no more will come: judge what is there */
	bool roles_certain;   /* a SYN or SYN/ACK said who is the client */
	uint16_t server_port; /* a hint of order, never proof */
	bool midstream;       /* the beginning was not captured: data[] starts somewhere */
};

struct weir_probe_result {
	int score; /* 0: no; 1..59: weak; 60..89: likely (taken when both directions or the port agree); 90..100: sure; 100: nobody else is asked */
	bool swapped; /* it is ours, but client and server are the other way round */
	bool more;    /* the score may rise with more bytes */
};

/* ---- data ---- */

enum weir_verdict {
	WEIR_PARSE_OK, /* consumed bytes are done with; if not all, call again with the rest at once */
	WEIR_PARSE_NEED, /* the rest after `consumed` is an unfinished token: offer it again with more behind it */
	WEIR_PARSE_HOLD, /* the rest after `consumed` must wait until the other direction has moved on. It is offered again after
			    anything happened in either direction; on_close() of a direction that holds waits as well */
	WEIR_PARSE_SKIP, /* after `consumed`, `skip` bytes are opaque: skipped() is called when they have gone by */
	WEIR_PARSE_SWITCH, /* from `consumed` on, both directions belong to `next` (NULL: detect afresh) */
	WEIR_PARSE_NOT_MINE /* not this protocol after all: detect afresh without this parser, or give the flow up */
};

struct weir_consumed {
	size_t consumed;  /* 0..chunk->len */
	uint64_t skip;    /* with SKIP */
	const char *next; /* with SWITCH: a parser's name, or NULL */
};

/* Zero it first, or name every member: new ones come at the end. All callbacks but on_data may be NULL. */
struct weir_parser {
	const char *name;                         /* also network.protocol.name */
	const char *doc;                          /* one line */
	const struct weir_schema *const *schemas; /* types of records it makes; NULL-terminated */
	const uint16_t *ports; /* usual server ports, 0-terminated; hints only. May be NULL */
	size_t state_size;     /* bytes of state a flow; zeroed before open() */

	struct weir_probe_result (*probe)(const struct weir_probe *probe);

	/* 0, or below 0 to give the flow up (no memory) */
	int (*open)(void *state, struct weir_host *host);

	/* Bytes. *ret is all 0 before. What NEED or HOLD leaves waiting is bounded (config->head_limit + 64 KiB): when
	 * it is full the engine drops it and calls on_gap() with length 0, dropped = its length: resynchronise. */
	enum weir_verdict (*on_data)(void *state, struct weir_host *host, enum weir_direction dir,
				     const struct weir_chunk *chunk, struct weir_consumed *ret);

	/* The last of `skip` bytes went by; mark is that byte's, with the time and packet of the latest segment of them all;
	 * NULL when it is missing. May be NULL. */
	void (*skipped)(void *state, struct weir_host *host, enum weir_direction dir,
			const struct weir_mark *mark);

	/* `length` bytes at `offset` are missing. An unfinished token right before it has been dropped; it was `dropped`
	 * bytes long (a parser that wants its bytes keeps them itself). Also called while a SKIP runs: the engine counts those bytes as gone by, and then calls skipped(). */
	void (*on_gap)(void *state, struct weir_host *host, enum weir_direction dir,
		       uint64_t offset, uint64_t length, enum weir_gap_cause cause, size_t dropped);

	/* The direction ended; `dropped` bytes of an unfinished token are given up. Both directions get one, always. */
	void (*on_close)(void *state, struct weir_host *host, enum weir_direction dir,
			 enum weir_close how, size_t dropped);

	/* Asked for by weir_host_tick(); may be NULL */
	void (*on_tick)(void *state, struct weir_host *host);

	/* Last call: emit or drop what is open, release what was allocated. */
	void (*done)(void *state, struct weir_host *host);

	/* The flow has been quiet while many others were not: its state is to wait in less memory. Write what it holds (records
	 * too: weir_host_...) into at most `room` bytes, and release everything it owns. @return bytes written; 0: it cannot
	 * be now, and nothing was changed. NULL: the state waits as it is. Not called while a SKIP's skipped() is due, nor with
	 * bytes of NEED or HOLD waiting. */
	size_t (*park)(void *state, struct weir_host *host, void *to, size_t room);

	/* Something comes for the flow: the opposite, into zeroed memory, before any other call. `host` may be another than
	 * before. What there is no memory for is given up as done() would. 0, or below 0 to give the flow up */
	int (*unpark)(void *state, struct weir_host *host, const void *from, size_t len);

	/* Others' protocols run inside it (TLS), so that it is no surprise on their ports: no proto.mismatch */
	bool wraps;
};

/* ---- what a parser may ask of the engine ---- */

/* Figures of the flow so far, both directions together; take differences over a transaction. */
struct weir_tcp_figures {
	int64_t rtt_ns; /* latest smoothed estimate; -1: none */
	uint64_t retransmits;
	uint64_t out_of_order;
	uint64_t gaps;
};

WEIR_API const struct weir_config *weir_host_config(const struct weir_host *host);
WEIR_API const struct weir_flow_info *weir_host_flow(const struct weir_host *host);
WEIR_API int64_t weir_host_now(const struct weir_host *host); /* capture clock, ns */
WEIR_API void weir_host_figures(const struct weir_host *host, struct weir_tcp_figures *ret);

/** Bytes of a SKIP that have not gone by yet in a direction (0 when none runs). */
WEIR_API uint64_t weir_host_skip_left(const struct weir_host *host, enum weir_direction dir);

/** Who reset the flow, for on_close() with WEIR_CLOSE_RST: enum weir_direction of the RST that was believed, or -1. */
WEIR_API int weir_host_reset_by(const struct weir_host *host);

/** Memory charged to the budget. alloc: NULL when it is spent. The size given to free is that given to alloc. */
WEIR_API void *weir_host_alloc(struct weir_host *host, size_t size);
WEIR_API void weir_host_free(struct weir_host *host, void *ptr, size_t size);

/**
 * A new record of a type, empty but for what the engine knows (flow, addresses, ids, network.*).
 * @param ts_ns  capture time of its first byte
 * @return       NULL when memory is spent (counted)
 */
WEIR_API struct weir_record *weir_host_record(struct weir_host *host,
					      const struct weir_schema *schema, int64_t ts_ns);
/** Hand a record over: masked, put in order, given to the sinks. The record is gone. */
WEIR_API void weir_host_emit(struct weir_host *host, struct weir_record *rec);
/** Hand over an interim copy (final=false); the record stays the parser's. */
WEIR_API void weir_host_emit_interim(struct weir_host *host, struct weir_record *rec);
/** Give a record up without emitting it. NULL is fine. */
WEIR_API void weir_host_drop(struct weir_host *host, struct weir_record *rec);
/**
 * For park(): write what a record has by now, in few bytes. It stays the parser's, who drops it when all that it holds was
 * written. @return bytes; 0: there are not that many at `to`
 */
WEIR_API size_t weir_host_pack_record(const struct weir_host *host, const struct weir_record *rec,
				      void *to, size_t room);
/**
 * For unpark(): the record again, with its id, as if it had been there all the time.
 * @param from      what weir_host_pack_record() wrote; `len` may be more
 * @param ret_used  bytes that it took, also without memory
 * @return          NULL when memory is spent (counted)
 */
WEIR_API struct weir_record *weir_host_unpack_record(struct weir_host *host,
						     const struct weir_schema *schema,
						     const void *from, size_t len,
						     size_t *ret_used);
/** Does some sink read this field of this type? Lets a parser skip costly work. */
WEIR_API bool weir_host_wants(const struct weir_host *host, const struct weir_schema *schema,
			      size_t field);

struct weir_anomaly {
	const char *code;     /* "http.cl_te_both": a constant */
	const char *severity; /* "info", "low", "medium", "high" */
	const char *spec;     /* "RFC 9112 section 6.3", or NULL */
	const char *doc;      /* one line */
};

/* Where the bytes of a message body go besides the record; see the body_ callbacks of struct weir_tap_type. */
struct weir_body_out {
	void (*data)(void *context, bool wire, const uint8_t *p, size_t len);
	void (*raw)(void *context);
	void (*gap)(void *context, uint64_t length);
	/* The last call. message: NULL when the body is given up */
	void (*end)(void *context, enum weir_direction dir, bool whole,
		    const struct weir_record *message);
	void *context;
};

/** A body begins. @return true: somebody wants its bytes, and *ret->end() must be called, at the latest in done() */
WEIR_API bool weir_host_body(struct weir_host *host, struct weir_body_out *ret);

/**
 * Something odd on the wire. Named on `rec` (may be NULL) and counted; at most 32 a flow become `anomaly` records.
 */
WEIR_API void weir_host_anomaly(struct weir_host *host, struct weir_record *rec,
				const struct weir_anomaly *what, enum weir_direction dir,
				uint64_t offset);

/** Ask for on_tick() after a delay on the capture clock; 0 withdraws. */
WEIR_API void weir_host_tick(struct weir_host *host, int64_t delay_ns);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.x, private to parser/http1*.c. The files, in the order in which bytes pass them:
 *
 *   http1.c           the parser: bytes of both directions to steps; gaps, ends, ticks
 *   http1_line.c      what a start line is; detection
 *   http1_start.c     start lines into the exchange; looking for one after a loss
 *   http1_head.c      lines of heads
 *   http1_fields.c    what headers mean; the URL
 *   http1_body.c      where a body ends (RFC 9112 §6.3), its bytes, chunks, trailers
 *   http1_pair.c      which request a response answers
 *   http1_exchange.c  an exchange from its first byte to its record
 *   http1_park.c      all of it in few bytes while nothing comes
 *
 * An exchange (one request and its response) lives in the arena of its record and goes with it. Where a direction is in
 * its messages is in struct http1_side; what is known of a message in struct http1_message.
 */
#ifndef PARSER_HTTP1_H
#define PARSER_HTTP1_H

#include "body/body.h"
#include "http/anomalies.h"
#include "http/fields.h"
#include "weir/parser.h"

enum {
	HTTP1_METHOD_MAX = 24,
	HTTP1_CHUNK_LINE = 4096,      /* bytes of a chunk size line */
	HTTP1_LOST_LIMIT = 1 << 20,   /* bytes searched for a start line at line starts, per loss */
	HTTP1_JUNK_LIMIT = 4096,      /* bytes of junk before a start line that are passed over */
	HTTP1_HOLD_LIMIT = 64 * 1024, /* bytes of a direction that wait for the other */
	HTTP1_INTERIM_MAX = 64,       /* interim responses listed */
	HTTP1_TAIL = 16               /* of a start line beyond the limit: its version */
};

/* Where a direction is. What is valid in each: the exchange being read or answered, and ... */
enum http1_step {
	HTTP1_START,     /* between messages; no exchange */
	HTTP1_HEADER,    /* at the start of a header line */
	HTTP1_LONG_LINE, /* in a header or start line beyond the limit; long_* */
	HTTP1_LENGTH,    /* body of known length: until */
	HTTP1_CLOSE,     /* body until the end of the direction */
	HTTP1_CHUNK_SIZE,
	HTTP1_CHUNK_DATA, /* until */
	HTTP1_CHUNK_END,  /* the line end after chunk data */
	HTTP1_TRAILER,    /* at the start of a trailer line */
	HTTP1_LOST,       /* looking for a start line; no exchange; lost_scanned */
	HTTP1_OVER        /* after the last message of the connection; no exchange */
};

struct http1_side {
	uint64_t pos;          /* stream offset behind what was offered, or declared a gap */
	uint64_t until;        /* stream offset at which the body, or the chunk, ends */
	uint32_t scanned;      /* bytes of the unfinished token known to hold no line end */
	uint32_t unfinished;   /* bytes of the token that waits for more; 0: none does */
	uint32_t lost_scanned; /* since the loss */
	uint8_t step;
	bool skipping : 1; /* the engine counts bytes up to `until` */
	bool holding : 1;  /* the last verdict was HOLD */
	bool closed : 1;
	bool ended : 1;       /* closed by FIN or RST */
	bool any : 1;         /* bytes or gaps were seen */
	bool messages : 1;    /* a message was seen */
	bool crlf : 1;        /* empty lines before the message to come */
	bool after_lf : 1;    /* LOST: at the start of a line */
	bool after_blank : 1; /* LOST: behind an empty line */
	bool junk : 1;        /* LOST: to junk where a message was due; nothing is missing */
	bool line_empty : 1;  /* LOST: nothing but CR in this line so far */
	bool long_start : 1;  /* LONG_LINE: it is the start line */
	bool odd : 1;         /* data after the last message has been told */
};

enum http1_framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE };
enum http1_version { VERSION_NONE, VERSION_09, VERSION_10, VERSION_11, VERSION_ODD };

struct http1_message {
	uint64_t begin; /* stream offsets */
	uint64_t end;
	uint64_t first_ack; /* peer_ack of its first and its last byte */
	uint64_t last_ack;
	int64_t first_ns;
	int64_t last_ns;
	int64_t stall_ns; /* of this direction while it came */
	int64_t first_stall_ns;
	uint64_t first_packet;
	uint64_t last_packet;
	uint64_t content_length;
	uint64_t size;    /* of the body so far, missing bytes counted in */
	uint64_t missing; /* bytes, in body and head */
	uint64_t seen;    /* anomalies told already: bits of enum http_anomaly */
	struct weir_str codings;
	struct weir_str type; /* Content-Type, when the body is looked into */
	struct body *body;
	uint8_t *shown; /* what interim records show of the body, in the record's memory */
	uint32_t nheaders;
	uint32_t head_size;
	uint8_t framing;
	uint8_t version;
	uint8_t gap_causes; /* told on the record: bits of enum weir_gap_cause */
	bool begun : 1;
	bool head_done : 1;
	bool done : 1;
	bool whole : 1;       /* done, and nothing was cut off */
	bool gap : 1;         /* bytes are missing */
	bool odd_framing : 1; /* until the end, for want of sound framing: that it is cut is no news */
	bool has_length : 1;
	bool length_bad : 1;
	bool length_huge : 1;
	bool has_te : 1;
	bool te_chunked : 1; /* the last coding is */
	bool te_unknown : 1;
	bool close : 1;
	bool host : 1;
	bool first_line : 1; /* a header line was seen */
	bool identity : 1;   /* Transfer-Encoding: identity */
	bool coded : 1;      /* Content-Encoding */
};

enum http1_pairing { PAIRING_NONE, PAIRING_EXACT, PAIRING_ORDER, PAIRING_UNCERTAIN };

struct http1_exchange {
	struct weir_record *rec;
	struct http1_exchange *next;  /* in the queue of requests without a final response */
	struct http1_message side[2]; /* request, response */
	uint64_t
		expect; /* s2c offset where its response is to begin: what the client had when it asked */
	uint64_t
		gap_at; /* c2s offset from which requests before it may have been lost; or NOWHERE */
	int64_t begin_ns;
	int64_t waited_stall_ns;         /* s2c stall total when the response before it had ended */
	struct weir_tcp_figures figures; /* at its beginning */
	struct weir_str target;
	uint64_t target_len; /* before the limit */
	struct weir_str host;
	struct weir_str server;
	struct weir_str upgrade;
	struct weir_str long_name; /* of a header beyond the line limit */
	struct weir_str long_value;
	uint64_t long_len;
	uint8_t tail[HTTP1_TAIL]; /* last bytes of a start line beyond the limit */
	uint16_t status;
	uint8_t pairing;
	bool is_head : 1;
	bool is_connect : 1;
	bool asked_upgrade : 1;
	bool expects : 1; /* Expect: 100-continue */
	bool queued : 1;
	bool interim : 1; /* the response being read is 1xx */
};

struct http1 {
	struct weir_host *host;
	const struct weir_config *config;
	struct http1_side side[2];
	struct http1_exchange
		*reading; /* its request is being read; it is in the queue unless answered */
	struct http1_exchange *answering; /* its response is being read; not in the queue */
	struct http1_exchange *head;      /* requests without a final response, oldest first */
	struct http1_exchange *tail;
	uint64_t
		c2s_lost_at; /* c2s offset from which requests after the last one may have been lost; or NOWHERE */
	uint64_t shift_ack;   /* with shifted: first_ack of the last request paired by guess */
	int64_t s2c_stall_ns; /* total at the last byte of the last response */
	uint32_t npending;
	bool pipelines : 1; /* the client sends requests before it has the answers: seen in this flow */
	bool c2s_unexplained : 1; /* ... between messages, and no response has been seen that would be theirs */
	bool s2c_lost : 1; /* since the last certain pair, responses may have been lost */
	bool shifted : 1; /* pipelining, and a response was paired by guess: the next ones may be out of step, too */
	bool shift_explained : 1; /* ... but since then a request or a response was left over */
	uint8_t reset_by;         /* 1 + direction of the RST that ended the flow; 0: none */
	bool timed_out : 1;       /* the flow ended in silence */
	bool dark : 1;            /* c2s has stopped: responses wait for it no more */
	bool ticking : 1;
	bool told_midstream : 1;
	bool switching : 1;
	bool many : 1; /* more than one request was seen */
};

/* A chunk on its way through the steps. */
struct http1_cursor {
	struct http1 *http;
	enum weir_direction dir;
	struct http1_side *side;
	const struct weir_chunk *chunk;
	const uint8_t *p;
	const uint8_t *end;
	struct weir_consumed *ret;
	bool own; /* what http1_heed() is given lies in the record's memory */
};

static inline uint64_t http1_offset(const struct http1_cursor *cur, const uint8_t *p)
{
	return cur->chunk->offset + (uint64_t)(p - cur->chunk->data);
}

static inline const struct weir_mark *http1_mark(const struct http1_cursor *cur, const uint8_t *p)
{
	return weir_chunk_mark(cur->chunk, http1_offset(cur, p));
}

/* Move on to the next token. */
static inline void http1_advance(struct http1_cursor *cur, const uint8_t *p)
{
	cur->p = p;
	cur->side->scanned = 0;
}

/* The exchange whose message of this direction is being read. */
static inline struct http1_exchange *http1_current(const struct http1 *http,
						   enum weir_direction dir)
{
	return dir == WEIR_C2S ? http->reading : http->answering;
}

static inline void http1_goto(struct http1_side *side, enum http1_step step)
{
	side->step = (uint8_t)step;
	side->scanned = 0;
}

#define HTTP1_NOWHERE UINT64_MAX /* of stream offsets */

/* What a step says: go on with the next, or return this verdict to the engine. */
#define HTTP1_GO   (-1)
#define HTTP1_LONG (-2) /* only of http1_take_line() */

/* ---- http1_line.c ---- */

struct http1_start_line {
	struct weir_str method; /* or, of a response, the reason */
	struct weir_str target;
	struct weir_str version; /* after "HTTP/" */
	uint8_t version_kind;
	uint16_t status;
	uint64_t anomalies; /* bits of enum http_anomaly */
};

enum http1_likeness { LIKENESS_NO, LIKENESS_MORE, LIKENESS_YES };

/** Parse a request line without its line end. false: it is none. */
bool http1_request_line(const uint8_t *p, size_t len, struct http1_start_line *ret);
/** Parse a status line without its line end. false: it is none. */
bool http1_status_line(const uint8_t *p, size_t len, struct http1_start_line *ret);

/** Is this the beginning of a sound request line (of a status line)? MORE: too short to tell. */
enum http1_likeness http1_like_request(const uint8_t *p, size_t len);
enum http1_likeness http1_like_status(const uint8_t *p, size_t len);

struct weir_probe_result http1_probe(const struct weir_probe *probe);

/* ---- http1_start.c ---- */

int http1_step_start(struct http1_cursor *cur);
int http1_step_lost(struct http1_cursor *cur);

/* ---- http1_head.c ---- */

int http1_step_header(struct http1_cursor *cur);
int http1_step_long_line(struct http1_cursor *cur);
/** Bytes of the longest line that is taken as a whole. */
size_t http1_line_limit(const struct http1 *http);
/** The end of a line without CR LF, given its LF. RFC 9112 §2.2: a lone LF may be taken for it, and is told */
const uint8_t *http1_strip_cr(struct http1_cursor *cur, struct http1_exchange *ex,
			      const uint8_t *lf);
/** A copy in the exchange's memory; empty without memory. */
struct weir_str http1_keep(struct http1_exchange *ex, const uint8_t *p, size_t len);
/**
 * The line at cur->p, with the lines folded into it if `folds`.
 * @return HTTP1_GO and *ret_lf, its last LF; HTTP1_LONG: more than `limit` bytes long; or NEED
 */
int http1_take_line(struct http1_cursor *cur, size_t limit, bool folds, const uint8_t **ret_lf);

/* ---- http1_fields.c ---- */

/** Take what a header says; with cur->own its text lies in the record's memory. */
void http1_heed(struct http1_cursor *cur, struct http1_exchange *ex, struct weir_str name,
		struct weir_str value);
bool http1_is_forbidden_trailer(struct weir_str name);
/**
 * The limit to give a setter for text that is longer than what is here: it looks at one byte behind what it keeps, not to
 * cut a character in two.
 */
size_t http1_readable(struct weir_str text, uint64_t full_len, size_t limit);
/** Set target and URL, as far as they are known. */
void http1_set_target(struct http1 *http, struct http1_exchange *ex);
/** The request's head is over. */
void http1_end_request_head(struct http1_cursor *cur, struct http1_exchange *ex);

/* ---- http1_body.c ---- */

/** The head of the exchange's message is over: decide on the body and move the side to its step. A verdict or HTTP1_GO. */
int http1_begin_body(struct http1_cursor *cur, struct http1_exchange *ex);
int http1_step_length(struct http1_cursor *cur);
int http1_step_close(struct http1_cursor *cur);
int http1_step_chunk_size(struct http1_cursor *cur);
int http1_step_chunk_end(struct http1_cursor *cur);
int http1_step_trailer(struct http1_cursor *cur);
/** The known-length piece has gone by; mark is its last byte's, or NULL when that is missing. */
void http1_piece_done(struct http1 *http, enum weir_direction dir, const struct weir_mark *mark);
/** Bytes within a body are missing. */
void http1_body_gap(struct http1 *http, enum weir_direction dir, uint64_t offset, uint64_t length);

/* ---- http1_pair.c ---- */

/** Must the response at p wait for requests that the server had when it sent it? */
bool http1_must_hold(struct http1_cursor *cur, const struct weir_mark *mark);
/**
 * The request that a response beginning at `offset` answers.
 * @param ack what the server had received when it sent its first byte
 * @return    NULL: none that is known
 */
struct http1_exchange *http1_choose(const struct http1 *http, uint64_t offset, uint64_t ack,
				    enum http1_pairing *ret_pairing);
/** What the pair of http1_choose() says about the pairs to come; before http1_dequeue(). ex NULL: a response without request */
void http1_note_pair(struct http1 *http, const struct http1_exchange *ex,
		     enum http1_pairing pairing);
/** Put an exchange back that got an interim response. */
void http1_requeue(struct http1 *http, struct http1_exchange *ex);
/** Take the exchange out of the queue; those before it get no response and are emitted. */
void http1_dequeue(struct http1 *http, struct http1_exchange *ex);
void http1_enqueue(struct http1 *http, struct http1_exchange *ex);
/** Does the other direction support a response that begins here? */
bool http1_supported(const struct http1 *http, uint64_t offset, uint64_t ack, bool at_segment);

/* ---- http1_exchange.c ---- */

/** A new exchange, its record begun. NULL: memory is spent. */
struct http1_exchange *http1_exchange_new(struct http1 *http, const struct weir_mark *mark);
void http1_anomaly(struct http1 *http, struct http1_exchange *ex, enum weir_direction dir,
		   enum http_anomaly what, uint64_t offset);
/** The message begins, at this mark. */
void http1_message_begin(struct http1_message *message, uint64_t offset,
			 const struct weir_mark *mark);
/** Its last byte so far came with this mark. */
void http1_message_touch(struct http1_message *message, const struct weir_mark *mark);
/** The message being read is over; the exchange is emitted when both are. The side's step is the caller's business. */
void http1_message_done(struct http1 *http, enum weir_direction dir, uint64_t end, bool whole);
/** List the status as an interim one. */
void http1_add_interim(struct http1_exchange *ex);
/** Set what is known by now on the record. */
void http1_exchange_fill(struct http1 *http, struct http1_exchange *ex);
void http1_exchange_emit(struct http1 *http, struct http1_exchange *ex);
void http1_tick(void *state, struct weir_host *host);
/** Direction is out of step from `offset` on: look for a start line. */
void http1_lose(struct http1 *http, enum weir_direction dir, uint64_t offset);

/* ---- http1_park.c: see weir/parser.h ---- */

size_t http1_park(void *state, struct weir_host *host, void *to, size_t room);
int http1_unpark(void *state, struct weir_host *host, const void *from, size_t len);

#endif

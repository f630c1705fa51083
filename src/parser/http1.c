/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.x (RFC 9110, RFC 9112; also 0.9, 1.0 and SHOUTcast's ICY): the parser as the engine sees it.
 *
 * Each direction is a machine of its own (enum http1_step): a step takes a token or a run of bytes and says what is next.
 * The two meet where a response begins (which request does it answer? http1_pair.c), where a request may end HTTP on this
 * connection (CONNECT, Upgrade: what follows is held until the answer is known), and where a body may not come (Expect).
 *
 * One malformed message never ends the connection: it is marked, and a direction that is out of step looks for
 * the next start line (HTTP1_LOST). Deviations from the RFCs are leniency, each named as an anomaly (http/anomalies.h).
 *
 * The parser holds no bytes: a token that is split over segments stays with the engine, and `scanned` remembers how much of
 * it has been looked at, so that a byte at a time costs no more than all at once.
 */
#include "parser/http1.h"

#include <assert.h>
#include <string.h>

static int http1_open(void *state, struct weir_host *host)
{
	struct http1 *http = state;

	http->host = host;
	http->config = weir_host_config(host);
	http->c2s_lost_at = HTTP1_NOWHERE;
	return 0;
}

/* After the last message of the connection. RFC 9112 §9.6: nothing should come; a response all the same is taken. */
static int step_over(struct http1_cursor *cur)
{
	struct http1_side *side = cur->side;
	enum http1_likeness likeness;

	while (cur->p < cur->end && (*cur->p == '\r' || *cur->p == '\n')) {
		cur->p++;
	}
	if (cur->p == cur->end) {
		return HTTP1_GO;
	}
	likeness = side->odd ? LIKENESS_NO : http1_like_status(cur->p, (size_t)(cur->end - cur->p));
	if (likeness == LIKENESS_MORE) {
		return WEIR_PARSE_NEED;
	}
	if (likeness == LIKENESS_YES) {
		http1_goto(side, HTTP1_START);
		return HTTP1_GO;
	}
	if (!side->odd && !cur->http->switching) {
		http1_anomaly(cur->http, NULL, cur->dir, HTTP_A_DATA_AFTER_CLOSE,
			      http1_offset(cur, cur->p));
	}
	side->odd = true;
	http1_advance(cur, cur->end);
	return HTTP1_GO;
}

static int step(struct http1_cursor *cur)
{
	switch ((enum http1_step)cur->side->step) {
	case HTTP1_START:
		return http1_step_start(cur);
	case HTTP1_HEADER:
		return http1_step_header(cur);
	case HTTP1_LONG_LINE:
		return http1_step_long_line(cur);
	case HTTP1_LENGTH:
	case HTTP1_CHUNK_DATA:
		return http1_step_length(cur);
	case HTTP1_CLOSE:
		return http1_step_close(cur);
	case HTTP1_CHUNK_SIZE:
		return http1_step_chunk_size(cur);
	case HTTP1_CHUNK_END:
		return http1_step_chunk_end(cur);
	case HTTP1_TRAILER:
		return http1_step_trailer(cur);
	case HTTP1_LOST:
		return http1_step_lost(cur);
	case HTTP1_OVER:
		return step_over(cur);
	}
	return WEIR_PARSE_NOT_MINE;
}

static enum weir_verdict http1_on_data(void *state, struct weir_host *host, enum weir_direction dir,
				       const struct weir_chunk *chunk, struct weir_consumed *ret)
{
	struct http1 *http = state;
	struct http1_cursor cur = {.http = http,
				   .dir = dir,
				   .side = &http->side[dir],
				   .chunk = chunk,
				   .p = chunk->data,
				   .end = chunk->data + chunk->len,
				   .ret = ret};
	int verdict = HTTP1_GO;

	cur.side->pos = chunk->offset + chunk->len;
	cur.side->any = true;
	cur.side->holding = false;
	while (cur.p < cur.end && verdict == HTTP1_GO) {
		verdict = step(&cur);
	}
	ret->consumed = (size_t)(cur.p - chunk->data);
	cur.side->holding = verdict == WEIR_PARSE_HOLD;
	cur.side->unfinished = verdict == WEIR_PARSE_NEED ? (uint32_t)(cur.end - cur.p) : 0;
	return verdict == HTTP1_GO ? WEIR_PARSE_OK : (enum weir_verdict)verdict;
}

static void http1_skipped(void *state, struct weir_host *host, enum weir_direction dir,
			  const struct weir_mark *mark)
{
	struct http1 *http = state;

	if (http->side[dir].skipping) {
		http->side[dir].pos = http->side[dir].until;
		http1_piece_done(http, dir, mark);
	}
}

/* A hole in a head, or in the lines around chunks: what is known of the message is all there will be. */
static void lose_message(struct http1 *http, enum weir_direction dir, uint64_t offset,
			 uint64_t length)
{
	struct http1_exchange *ex = http1_current(http, dir);
	struct http1_message *message = &ex->side[dir];

	message->gap = true;
	message->missing += length;
	if (message->body != NULL) {
		body_gap(message->body, length);
	}
	http1_anomaly(http, ex, dir, message->head_done ? HTTP_A_GAP_IN_BODY : HTTP_A_GAP_IN_HEAD,
		      offset);
	if (ex->interim && dir == WEIR_S2C && ex->side[WEIR_C2S].begun) {
		/* half an interim response: the final one is still to come */
		http1_add_interim(ex);
		memset(message, 0, sizeof(*message));
		ex->interim = false;
		http->answering = NULL;
		http1_requeue(http, ex);
		return;
	}
	http1_message_done(http, dir, offset, false);
}

/* Why bytes of the message being read are missing; each cause once. */
static void note_cause(struct http1_exchange *ex, enum weir_direction dir,
		       enum weir_gap_cause cause)
{
	unsigned bit = 1u << cause;
	const char *name = weir_gap_cause_name(cause);

	if (ex == NULL || (ex->side[WEIR_C2S].gap_causes & bit) != 0 ||
	    (ex->side[WEIR_S2C].gap_causes & bit) != 0) {
		return;
	}
	ex->side[dir].gap_causes |= (uint8_t)bit;
	weir_record_add_str(ex->rec, HTTP_F_GAP_CAUSES, name, strlen(name));
}

static void http1_on_gap(void *state, struct weir_host *host, enum weir_direction dir,
			 uint64_t offset, uint64_t length, enum weir_gap_cause cause,
			 size_t dropped)
{
	struct http1 *http = state;
	struct http1_side *side = &http->side[dir];

	side->any = true;
	side->holding = false;
	side->unfinished = 0;
	side->scanned = 0;
	if (offset + length > side->pos) {
		side->pos = offset + length;
	}
	if (side->step != HTTP1_START && side->step != HTTP1_LOST && side->step != HTTP1_OVER) {
		note_cause(http1_current(http, dir), dir, cause);
	}
	switch ((enum http1_step)side->step) {
	case HTTP1_START:
		if (dir == WEIR_C2S) {
			http->c2s_unexplained = true;
		}
		break;
	case HTTP1_LENGTH:
	case HTTP1_CHUNK_DATA:
	case HTTP1_CLOSE:
		http1_body_gap(http, dir, offset, length);
		if (dir == WEIR_S2C && side->step == HTTP1_LOST) {
			http->c2s_unexplained = false;
		}
		return;
	case HTTP1_HEADER:
	case HTTP1_LONG_LINE:
	case HTTP1_CHUNK_SIZE:
	case HTTP1_CHUNK_END:
	case HTTP1_TRAILER:
		lose_message(http, dir, offset, length);
		break;
	case HTTP1_LOST:
		break;
	case HTTP1_OVER:
		return;
	}
	http1_lose(http, dir, offset - (dropped > offset ? offset : dropped));
	if (dir == WEIR_S2C) {
		http->c2s_unexplained = false; /* the answer to what was lost may be in this hole */
	}
}

/* The message being read is cut by the end of its direction. */
static void cut(struct http1 *http, enum weir_direction dir, enum weir_close how)
{
	struct http1_side *side = &http->side[dir];
	struct http1_exchange *ex = http1_current(http, dir);
	struct http1_message *message = &ex->side[dir];
	bool whole = side->step == HTTP1_CLOSE && how == WEIR_CLOSE_FIN && !message->odd_framing;

	if (side->skipping) {
		uint64_t left = weir_host_skip_left(http->host, dir);

		message->size -= left;
		side->pos = side->until - left;
		side->skipping = false;
	}
	/* RFC 9112 §8: incomplete; only a FIN or RST says so, the capture's end does not */
	if (!whole && side->ended && !message->odd_framing) {
		http1_anomaly(http, ex, dir, HTTP_A_TRUNCATED, side->pos);
	}
	if (dir == WEIR_S2C && ex->interim && ex->side[WEIR_C2S].begun) {
		memset(message, 0, sizeof(*message));
		ex->interim = false;
		http->answering = NULL;
		http1_requeue(http, ex);
		return;
	}
	http1_message_done(http, dir, side->pos, whole);
}

/* No response will come any more: the requests that have ended go, the one being read follows when it has. */
static void flush_queue(struct http1 *http)
{
	struct http1_exchange *last = http->tail;

	if (last == NULL) {
		return;
	}
	http1_dequeue(http, last);
	if (last != http->reading) {
		http1_exchange_emit(http, last);
	}
}

static void http1_on_close(void *state, struct weir_host *host, enum weir_direction dir,
			   enum weir_close how, size_t dropped)
{
	struct http1 *http = state;
	struct http1_side *side = &http->side[dir];

	if (side->closed) {
		return;
	}
	side->closed = true;
	side->ended = how == WEIR_CLOSE_FIN || how == WEIR_CLOSE_RST;
	http->timed_out = how == WEIR_CLOSE_TIMEOUT;
	if (how == WEIR_CLOSE_RST) {
		int by = weir_host_reset_by(host);

		http->reset_by = by < 0 ? 0 : (uint8_t)(by + 1);
	}
	side->holding = false;
	if (http1_current(http, dir) != NULL) {
		cut(http, dir, how);
	}
	side->step = HTTP1_OVER;
	side->odd = true;
	if (dir == WEIR_S2C) {
		flush_queue(http);
	}
}

static void http1_done(void *state, struct weir_host *host)
{
	struct http1 *http = state;

	http1_on_close(state, host, WEIR_C2S, WEIR_CLOSE_END, 0);
	http1_on_close(state, host, WEIR_S2C, WEIR_CLOSE_END, 0);
	assert(http->head == NULL && http->reading == NULL && http->answering == NULL);
}

static const struct weir_schema *const schemas[] = {&http_schema, NULL};
static const uint16_t ports[] = {80, 8080, 8000, 8081, 3128, 8008, 8888, 0};

const struct weir_parser parser_http1 = {
	.name = "http1",
	.doc = "HTTP/0.9, 1.0 and 1.1",
	.schemas = schemas,
	.ports = ports,
	.state_size = sizeof(struct http1),
	.probe = http1_probe,
	.open = http1_open,
	.on_data = http1_on_data,
	.skipped = http1_skipped,
	.on_gap = http1_on_gap,
	.on_close = http1_on_close,
	.on_tick = http1_tick,
	.done = http1_done,
	.park = http1_park,
	.unpark = http1_unpark,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the body of an HTTP/1 message ends (RFC 9112 §6.3), and its bytes, chunks and trailers (§7.1).
 *
 * With --bodies=size a piece of known length is left to the engine (SKIP): reassembly counts it and nobody touches it. A
 * hole within such a piece costs its bytes and nothing else; a hole that reaches beyond it ends what is known.
 */
#include "parser/http1.h"

#include "http/lists.h"

#include <assert.h>
#include <string.h>

/* ---- which framing ---- */

static void tell(struct http1_cursor *cur, struct http1_exchange *ex, enum http_anomaly what)
{
	http1_anomaly(cur->http, ex, cur->dir, what, ex->side[cur->dir].begin);
}

/* RFC 9112 §6.3 item 3 and 4: Transfer-Encoding decides, whatever Content-Length says */
static enum http1_framing framing_by_coding(struct http1_cursor *cur, struct http1_exchange *ex)
{
	struct http1_message *message = &ex->side[cur->dir];

	if (message->has_length || message->length_bad) {
		tell(cur, ex, HTTP_A_CL_TE_BOTH);
	}
	if (message->version == VERSION_10) {
		tell(cur, ex, HTTP_A_TE_HTTP10); /* RFC 9112 §6.1: not known there */
	}
	if (message->te_chunked) {
		return FRAMING_CHUNKED;
	}
	tell(cur, ex, message->te_unknown ? HTTP_A_TE_UNKNOWN : HTTP_A_TE_NOT_FINAL_CHUNKED);
	if (cur->dir == WEIR_S2C) {
		return FRAMING_CLOSE; /* item 4.2 */
	}
	/* item 4.3: a server answers 400; take the length if there is one, else whatever comes */
	if (message->has_length && !message->length_bad) {
		return FRAMING_LENGTH;
	}
	message->odd_framing = true;
	return FRAMING_CLOSE;
}

static enum http1_framing framing_by_length(struct http1_cursor *cur, struct http1_exchange *ex)
{
	struct http1_message *message = &ex->side[cur->dir];

	if (message->has_length) {
		return message->content_length > 0 ? FRAMING_LENGTH : FRAMING_NONE; /* item 6 */
	}
	if (message->length_huge) {
		message->odd_framing = true;
		return FRAMING_CLOSE;
	}
	if (cur->dir == WEIR_C2S) {
		return FRAMING_NONE; /* item 7 */
	}
	return FRAMING_CLOSE; /* item 8 */
}

static bool is_bodiless(const struct http1_exchange *ex)
{
	/* RFC 9112 §6.3 item 1 */
	return ex->is_head || (ex->status >= 100 && ex->status < 200) || ex->status == 204 ||
	       ex->status == 304;
}

static enum http1_framing choose_framing(struct http1_cursor *cur, struct http1_exchange *ex)
{
	struct http1_message *message = &ex->side[cur->dir];

	if (message->version == VERSION_09) {
		return cur->dir == WEIR_C2S ? FRAMING_NONE : FRAMING_CLOSE;
	}
	if (cur->dir == WEIR_S2C) {
		bool tunnel = ex->is_connect && ex->status >= 200 && ex->status < 300;

		/* RFC 9110 §8.6: no Content-Length in 1xx, 204 and 2xx to CONNECT */
		if ((message->has_length || message->length_bad) &&
		    (tunnel || ex->status / 100 == 1 || ex->status == 204)) {
			tell(cur, ex, HTTP_A_CL_FORBIDDEN);
		}
		if (tunnel || is_bodiless(ex)) {
			return FRAMING_NONE;
		}
	}
	return message->has_te ? framing_by_coding(cur, ex) : framing_by_length(cur, ex);
}

/* ---- bodies that are looked into ---- */

static void *body_alloc(void *context, size_t size)
{
	return weir_host_alloc(context, size);
}

static void body_release(void *context, void *p, size_t size)
{
	weir_host_free(context, p, size);
}

static void open_body(struct http1 *http, struct http1_message *message, enum weir_direction dir)
{
	bool request = dir == WEIR_C2S;
	struct weir_body_out out;
	struct body_memory memory = {body_alloc, body_release, http->host};
	size_t keep = http->config->bodies == WEIR_BODIES_KEEP ? http->config->body_limit : 0;
	struct weir_str list = message->codings;
	struct weir_str item;

	if (list.len == 0 && message->framing == FRAMING_LENGTH && message->content_length < keep) {
		keep = (size_t)message->content_length;
	}
	message->body = body_new(&memory, keep);
	if (message->body != NULL && weir_host_body(http->host, &out)) {
		body_set_out(message->body, &out, dir);
	}
	while (message->body != NULL && http_list_next(&list, &item)) {
		body_add_coding(message->body, http_list_token(item));
	}
	if (message->body != NULL && message->type.p != NULL) {
		body_set_type(message->body, message->type, request);
	}
}

/* With --bodies=size the events of a stream are counted all the same. */
static void open_events(struct http1 *http, struct http1_message *message)
{
	struct body_memory memory = {body_alloc, body_release, http->host};

	if (message->type.p != NULL && !message->coded) {
		message->body = body_new_events(&memory);
	}
}

/* ---- the body begins ---- */

/* An interim response is over: the exchange waits for the final one. */
static int end_interim(struct http1_cursor *cur, struct http1_exchange *ex)
{
	struct http1 *http = cur->http;
	bool orphan = !ex->side[WEIR_C2S].begun;

	http->answering = NULL;
	http1_goto(cur->side, HTTP1_START);
	if (orphan) {
		weir_host_drop(http->host, ex->rec); /* without its request it says nothing */
		return HTTP1_GO;
	}
	http1_add_interim(ex);
	memset(&ex->side[WEIR_S2C], 0, sizeof(ex->side[WEIR_S2C]));
	ex->status = 0;
	ex->interim = false;
	ex->expect = http1_offset(cur, cur->p);
	http1_requeue(http, ex);
	return HTTP1_GO;
}

/* After the message: which step? */
static void go_on(struct http1 *http, enum weir_direction dir, bool close)
{
	/* RFC 9112 §9.6: nothing of the server's follows "Connection: close" */
	http1_goto(&http->side[dir], close && dir == WEIR_S2C ? HTTP1_OVER : HTTP1_START);
}

static int switch_protocol(struct http1_cursor *cur, const char *next)
{
	cur->http->switching = true;
	http1_goto(cur->side, HTTP1_OVER);
	cur->ret->next = next;
	return WEIR_PARSE_SWITCH;
}

/* 101, or 2xx to CONNECT: HTTP ends here. */
static int hand_over(struct http1_cursor *cur, struct http1_exchange *ex)
{
	bool asked = ex->asked_upgrade || ex->is_connect;
	const char *next = NULL;

	if (ex->status == 101) {
		weir_record_set_bytes(ex->rec, HTTP_F_UPGRADE, ex->upgrade.p, ex->upgrade.len,
				      cur->http->config->value_limit);
		if (http_is(ex->upgrade, "websocket")) {
			next = "websocket";
		}
		if (!ex->asked_upgrade && ex->side[WEIR_C2S].begun) {
			tell(cur, ex, HTTP_A_UPGRADE_UNSOLICITED);
			asked = false;
		} else {
			asked = true;
		}
	}
	http1_message_done(cur->http, WEIR_S2C, http1_offset(cur, cur->p), true);
	if (!asked) {
		http1_lose(cur->http, WEIR_S2C, http1_offset(cur, cur->p));
		return HTTP1_GO;
	}
	return switch_protocol(cur, next);
}

/* The engine counts what is left of the piece, `left` bytes, 1 or more. */
static int skip_piece(struct http1_cursor *cur, struct http1_exchange *ex, uint64_t left)
{
	ex->side[cur->dir].size += left;
	cur->side->skipping = true;
	cur->ret->skip = left;
	return WEIR_PARSE_SKIP;
}

int http1_begin_body(struct http1_cursor *cur, struct http1_exchange *ex)
{
	struct http1 *http = cur->http;
	struct http1_message *message = &ex->side[cur->dir];

	message->head_done = true;
	message->framing = (uint8_t)choose_framing(cur, ex);
	if (cur->dir == WEIR_S2C) {
		if (ex->interim) {
			return end_interim(cur, ex);
		}
		if (ex->status == 101 || (ex->is_connect && ex->status / 100 == 2)) {
			return hand_over(cur, ex);
		}
	}
	if (message->framing == FRAMING_NONE) {
		bool close = message->close;

		http1_message_done(http, cur->dir, http1_offset(cur, cur->p), true);
		go_on(http, cur->dir, close);
		return HTTP1_GO;
	}
	if (http->config->bodies != WEIR_BODIES_SIZE) {
		open_body(http, message, cur->dir);
	} else {
		open_events(http, message);
	}
	switch (message->framing) {
	case FRAMING_LENGTH:
		cur->side->until = http1_offset(cur, cur->p) + message->content_length;
		http1_goto(cur->side, HTTP1_LENGTH);
		/* a request's may not come, and its flow is parked while it does not */
		if (cur->dir == WEIR_S2C && cur->p == cur->end && message->body == NULL) {
			return skip_piece(cur, ex, message->content_length);
		}
		break;
	case FRAMING_CHUNKED:
		http1_goto(cur->side, HTTP1_CHUNK_SIZE);
		break;
	default:
		http1_goto(cur->side, HTTP1_CLOSE);
		break;
	}
	return HTTP1_GO;
}

/* ---- a body that may not come ---- */

/*
 * RFC 9110 §10.1.1: a client that was refused (a final response instead of 100) need not send the body; what comes next
 * may be a new request. Only looked at where the body would begin, when the client had the response. The same
 * for a request without sound framing, at the start of each segment and, told or not, right behind the head. HTTP1_GO: it is the body; HTTP1_LONG: it was a request.
 */
static int look_for_request(struct http1_cursor *cur, struct http1_exchange *ex)
{
	const struct http1_message *response = &ex->side[WEIR_S2C];
	const struct weir_mark *mark = http1_mark(cur, cur->p);
	size_t left = (size_t)(cur->end - cur->p);
	enum http1_likeness likeness;
	bool told = response->begun && response->head_done &&
		    (mark->peer_ack == WEIR_NO_ACK || mark->peer_ack > response->begin);

	/* right behind a head whose length is no length, a request is a request */
	if (!told && !(ex->side[WEIR_C2S].odd_framing && ex->side[WEIR_C2S].size == 0)) {
		return HTTP1_GO;
	}
	likeness = http1_like_request(cur->p, left);
	if (likeness == LIKENESS_MORE && left < HTTP1_CHUNK_LINE) {
		return WEIR_PARSE_NEED;
	}
	return likeness == LIKENESS_YES ? HTTP1_LONG : HTTP1_GO;
}

/* The body does not come: the request ends here and another begins. */
static int end_without_body(struct http1_cursor *cur, struct http1_exchange *ex)
{
	if (!ex->side[WEIR_C2S].odd_framing) {
		tell(cur, ex, HTTP_A_EXPECT_REFUSED);
	}
	http1_message_done(cur->http, WEIR_C2S, http1_offset(cur, cur->p), false);
	http1_goto(cur->side, HTTP1_START);
	return HTTP1_GO;
}

/* Before a body's first byte: wait until it is known what the client had been told. */
static int check_expectation(struct http1_cursor *cur, struct http1_exchange *ex)
{
	const struct http1 *http = cur->http;
	const struct http1_side *s2c = &http->side[WEIR_S2C];
	const struct http1_message *message = &ex->side[cur->dir];
	uint64_t ack;

	if (cur->dir != WEIR_C2S || !ex->expects || message->size > 0) {
		return HTTP1_GO;
	}
	ack = http1_mark(cur, cur->p)->peer_ack;
	if (ack != WEIR_NO_ACK && !s2c->skipping && ack > s2c->pos && !s2c->closed &&
	    !s2c->holding && (size_t)(cur->end - cur->p) < HTTP1_HOLD_LIMIT) {
		return WEIR_PARSE_HOLD;
	}
	return look_for_request(cur, ex);
}

/* ---- bytes ---- */

/* Every segment that holds some of the n bytes at cur->p: the last byte's need not be the latest. */
static void touch_all(struct http1_cursor *cur, struct http1_message *message, size_t n)
{
	uint64_t end = http1_offset(cur, cur->p) + n;
	const struct weir_mark *mark = http1_mark(cur, cur->p);
	const struct weir_mark *stop = cur->chunk->marks + cur->chunk->nmarks;

	for (; mark < stop && mark->offset < end; mark++) {
		http1_message_touch(message, mark);
	}
}

static void take_bytes(struct http1_cursor *cur, struct http1_exchange *ex, size_t n)
{
	struct http1_message *message = &ex->side[cur->dir];

	if (message->body != NULL) {
		body_feed(message->body, cur->p, n);
	}
	message->size += n;
	touch_all(cur, message, n);
	http1_advance(cur, cur->p + n);
}

int http1_step_length(struct http1_cursor *cur)
{
	struct http1_exchange *ex = http1_current(cur->http, cur->dir);
	struct http1_side *side = cur->side;
	uint64_t left = side->until - http1_offset(cur, cur->p);
	size_t n = (size_t)(cur->end - cur->p);
	int verdict = check_expectation(cur, ex);

	if (verdict != HTTP1_GO) {
		return verdict == HTTP1_LONG ? end_without_body(cur, ex) : verdict;
	}
	assert(left > 0);
	if (left <= n) {
		take_bytes(cur, ex, (size_t)left);
		http1_piece_done(cur->http, cur->dir, http1_mark(cur, cur->p - 1));
		return HTTP1_GO;
	}
	take_bytes(cur, ex, n);
	return ex->side[cur->dir].body != NULL ? HTTP1_GO : skip_piece(cur, ex, left - n);
}

void http1_piece_done(struct http1 *http, enum weir_direction dir, const struct weir_mark *mark)
{
	struct http1_side *side = &http->side[dir];
	struct http1_message *message = &http1_current(http, dir)->side[dir];
	bool close = message->close;

	side->skipping = false;
	if (mark != NULL) { /* else it was missing */
		http1_message_touch(message, mark);
	}
	if (side->step == HTTP1_CHUNK_DATA) {
		http1_goto(side, HTTP1_CHUNK_END);
		return;
	}
	http1_message_done(http, dir, side->until, true);
	go_on(http, dir, close);
}

int http1_step_close(struct http1_cursor *cur)
{
	struct http1_exchange *ex = http1_current(cur->http, cur->dir);
	size_t n = (size_t)(cur->end - cur->p);

	if (cur->dir == WEIR_C2S &&
	    (ex->side[WEIR_C2S].size == 0 ||
	     http1_mark(cur, cur->p)->offset == http1_offset(cur, cur->p))) {
		int verdict = look_for_request(cur, ex);

		if (verdict != HTTP1_GO) {
			return verdict == HTTP1_LONG ? end_without_body(cur, ex) : verdict;
		}
	}
	if (cur->dir == WEIR_C2S) {
		/* up to where the next segment begins */
		uint64_t offset = http1_offset(cur, cur->p);
		size_t i;

		for (i = 0; i < cur->chunk->nmarks; i++) {
			uint64_t start = cur->chunk->marks[i].offset;

			if (start > offset && start - offset < n) {
				n = (size_t)(start - offset);
				break;
			}
		}
	}
	take_bytes(cur, ex, n);
	return HTTP1_GO;
}

/* ---- chunks ---- */

/* The chunk framing is broken: what follows cannot be told apart. */
static int break_off(struct http1_cursor *cur, struct http1_exchange *ex, enum http_anomaly what)
{
	http1_anomaly(cur->http, ex, cur->dir, what, http1_offset(cur, cur->p));
	http1_message_done(cur->http, cur->dir, http1_offset(cur, cur->p), false);
	http1_lose(cur->http, cur->dir, http1_offset(cur, cur->p));
	return HTTP1_GO;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 9112 §7.1: 1*HEXDIG, white space (§7.1.1 BWS), and extensions after a semicolon. false: it is not that. */
static bool parse_chunk_size(const uint8_t *p, const uint8_t *eol, uint64_t *ret_size)
{
	uint64_t size = 0;
	const uint8_t *at = p;

	for (; at < eol && hex_digit(*at) >= 0; at++) {
		if (size > INT64_MAX >> 4) {
			return false; /* RFC 9112 §7.1: recipients must guard against overflow */
		}
		size = size << 4 | (uint64_t)hex_digit(*at);
	}
	if (at == p) {
		return false;
	}
	while (at < eol && (*at == ' ' || *at == '\t')) {
		at++;
	}
	*ret_size = size;
	return at == eol || *at == ';';
}

/* Empty lines before a chunk size, which some servers send: passed over and told. A verdict, or HTTP1_GO: behind one. */
static int pass_empty_line(struct http1_cursor *cur, struct http1_exchange *ex)
{
	const uint8_t *lf = cur->p;

	if (*lf == '\r' && ++lf == cur->end) {
		return WEIR_PARSE_NEED;
	}
	if (*lf != '\n') {
		return break_off(cur, ex, HTTP_A_CHUNK_SIZE_INVALID);
	}
	http1_anomaly(cur->http, ex, cur->dir, HTTP_A_CHUNK_EMPTY_LINE, http1_offset(cur, cur->p));
	http1_message_touch(&ex->side[cur->dir], http1_mark(cur, lf));
	http1_advance(cur, lf + 1);
	return HTTP1_GO;
}

int http1_step_chunk_size(struct http1_cursor *cur)
{
	struct http1_exchange *ex = http1_current(cur->http, cur->dir);
	const uint8_t *lf, *eol;
	uint64_t size;
	int verdict = check_expectation(cur, ex);

	if (verdict != HTTP1_GO) {
		return verdict == HTTP1_LONG ? end_without_body(cur, ex) : verdict;
	}
	if (*cur->p == '\r' || *cur->p == '\n') {
		return pass_empty_line(cur, ex);
	}
	if (hex_digit(*cur->p) < 0) {
		return break_off(cur, ex, HTTP_A_CHUNK_SIZE_INVALID);
	}
	verdict = http1_take_line(cur, HTTP1_CHUNK_LINE, false, &lf);
	if (verdict == HTTP1_LONG) {
		return break_off(cur, ex, HTTP_A_CHUNK_EXT_TOO_LONG);
	}
	if (verdict != HTTP1_GO) {
		return verdict;
	}
	eol = lf > cur->p && lf[-1] == '\r' ? lf - 1 : lf;
	if (!parse_chunk_size(cur->p, eol, &size)) {
		return break_off(cur, ex, HTTP_A_CHUNK_SIZE_INVALID);
	}
	if (eol == lf) {
		http1_anomaly(cur->http, ex, cur->dir, HTTP_A_BARE_LF, http1_offset(cur, lf));
	}
	http1_message_touch(&ex->side[cur->dir], http1_mark(cur, lf));
	http1_advance(cur, lf + 1);
	if (size == 0) {
		http1_goto(cur->side, HTTP1_TRAILER);
		return HTTP1_GO;
	}
	cur->side->until = http1_offset(cur, cur->p) + size;
	http1_goto(cur->side, HTTP1_CHUNK_DATA);
	return HTTP1_GO;
}

int http1_step_chunk_end(struct http1_cursor *cur)
{
	struct http1_exchange *ex = http1_current(cur->http, cur->dir);
	const uint8_t *lf = cur->p;

	if (*lf == '\r') {
		if (++lf == cur->end) {
			return WEIR_PARSE_NEED;
		}
	}
	if (*lf != '\n') {
		return break_off(cur, ex, HTTP_A_CHUNK_END_INVALID);
	}
	if (lf == cur->p) {
		http1_anomaly(cur->http, ex, cur->dir, HTTP_A_BARE_LF, http1_offset(cur, lf));
	}
	http1_message_touch(&ex->side[cur->dir], http1_mark(cur, lf));
	http1_advance(cur, lf + 1);
	http1_goto(cur->side, HTTP1_CHUNK_SIZE);
	return HTTP1_GO;
}

int http1_step_trailer(struct http1_cursor *cur)
{
	struct http1_exchange *ex = http1_current(cur->http, cur->dir);
	bool close = ex->side[cur->dir].close;
	int verdict = http1_step_header(cur);

	if (verdict == HTTP1_GO && http1_current(cur->http, cur->dir) == NULL) {
		go_on(cur->http, cur->dir, close);
	}
	return verdict;
}

/* ---- holes ---- */

static void missed(struct http1 *http, struct http1_exchange *ex, enum weir_direction dir,
		   uint64_t offset, uint64_t length)
{
	struct http1_message *message = &ex->side[dir];

	message->missing += length;
	message->gap = true;
	if (message->body != NULL) {
		body_gap(message->body, length);
	}
	http1_anomaly(http, ex, dir, HTTP_A_GAP_IN_BODY, offset);
}

void http1_body_gap(struct http1 *http, enum weir_direction dir, uint64_t offset, uint64_t length)
{
	struct http1_side *side = &http->side[dir];
	struct http1_exchange *ex = http1_current(http, dir);
	struct http1_message *message = &ex->side[dir];
	uint64_t within = side->until - offset;

	if (side->step == HTTP1_CLOSE) {
		missed(http, ex, dir, offset, length);
		message->size += length;
		return;
	}
	within = length < within ? length : within;
	missed(http, ex, dir, offset, within);
	if (!side->skipping) {
		message->size += within;
	}
	if (offset + length < side->until || (offset + length == side->until && side->skipping)) {
		return; /* the engine counts on, or more data comes */
	}
	if (side->step == HTTP1_LENGTH) {
		/* all of its length went by: the framing held */
		bool close = message->close;

		http1_message_done(http, dir, side->until, true);
		go_on(http, dir, close);
		if (offset + length > side->until) {
			http1_lose(http, dir, side->until);
		}
	} else if (offset + length == side->until) {
		http1_goto(side, HTTP1_CHUNK_END);
	} else {
		http1_message_done(http, dir, offset + length, false);
		http1_lose(http, dir, side->until);
	}
}

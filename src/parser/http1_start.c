/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where HTTP/1 messages begin: start lines (RFC 9112 §3 and §4), and looking for one after a loss.
 *
 * Looking is strict where reading is lenient: only a sound start line, at the start of a segment or a line, counts, and a
 * response only where the requests allow one.
 */
#include "parser/http1.h"

#include <string.h>
#include <strings.h>

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void tell_line(struct http1_cursor *cur, struct http1_exchange *ex,
		      const struct http1_start_line *line)
{
	uint64_t left = line->anomalies;

	while (left != 0) {
		int what = __builtin_ctzll(left);

		left &= left - 1;
		http1_anomaly(cur->http, ex, cur->dir, (enum http_anomaly)what,
			      http1_offset(cur, cur->p));
	}
}

/* ---- between messages ---- */

/* Not the start of a message: out of step. */
static int garbage(struct http1_cursor *cur)
{
	struct http1 *http = cur->http;
	enum http_anomaly what = HTTP_A_START_LINE_INVALID;

	if (!cur->side->messages) {
		/* nothing was right before it: the flow was picked up within a message */
		what = HTTP_A_MIDSTREAM;
	}
	if (what != HTTP_A_MIDSTREAM || !http->told_midstream) {
		http1_anomaly(http, NULL, cur->dir, what, http1_offset(cur, cur->p));
	}
	http->told_midstream = http->told_midstream || what == HTTP_A_MIDSTREAM;
	http1_lose(http, cur->dir, http1_offset(cur, cur->p));
	cur->side->junk = what == HTTP_A_START_LINE_INVALID || http->head != NULL;
	return HTTP1_GO;
}

static void tell_leading_crlf(struct http1_cursor *cur, struct http1_exchange *ex)
{
	if (cur->side->crlf) {
		http1_anomaly(cur->http, ex, cur->dir, HTTP_A_LEADING_CRLF,
			      http1_offset(cur, cur->p));
		cur->side->crlf = false;
	}
}

/* Is the last request one that may end HTTP here, and is that still open? */
static bool may_switch(const struct http1_cursor *cur)
{
	const struct http1 *http = cur->http;
	const struct http1_exchange *ex = http->tail;
	size_t left = (size_t)(cur->end - cur->p);

	if (ex == NULL && http->answering != NULL && !http->answering->side[WEIR_S2C].head_done) {
		ex = http->answering;
	}
	if (ex == NULL || !(ex->is_connect || ex->asked_upgrade) || http->s2c_lost ||
	    http->side[WEIR_S2C].closed || left >= HTTP1_HOLD_LIMIT) {
		return false;
	}
	/* nothing that is upgraded to begins like a request; within a tunnel there may well be one */
	return ex->is_connect || http1_like_request(cur->p, left) != LIKENESS_YES;
}

static void begin_message(struct http1_cursor *cur, struct http1_exchange *ex)
{
	http1_message_begin(&ex->side[cur->dir], http1_offset(cur, cur->p),
			    http1_mark(cur, cur->p));
	cur->side->messages = true;
	tell_leading_crlf(cur, ex);
	http1_goto(cur->side, HTTP1_HEADER);
}

static void take_method(struct http1_exchange *ex, struct weir_str method)
{
	/* RFC 9110 §9.1: methods are case-sensitive */
	ex->is_head = method.len == 4 && memcmp(method.p, "HEAD", 4) == 0;
	ex->is_connect = method.len == 7 && memcmp(method.p, "CONNECT", 7) == 0;
	weir_record_set_bytes(ex->rec, HTTP_F_METHOD, method.p, method.len, SIZE_MAX);
}

static struct http1_exchange *begin_request(struct http1_cursor *cur)
{
	struct http1 *http = cur->http;
	struct http1_exchange *ex = http1_exchange_new(http, http1_mark(cur, cur->p));

	if (ex == NULL) {
		/* memory is spent (counted): this request goes unseen */
		http1_lose(http, WEIR_C2S, http1_offset(cur, cur->p));
		cur->p++;
		return NULL;
	}
	ex->expect = http1_mark(cur, cur->p)->peer_ack;
	begin_message(cur, ex);
	http->many = http->many || http->head != NULL || http->answering != NULL;
	http1_enqueue(http, ex);
	http->reading = ex;
	http->dark = false;
	return ex;
}

/* A request line beyond the limit: method, and the target as far as it is there. */
static int long_request_line(struct http1_cursor *cur, size_t limit)
{
	const uint8_t *end = cur->p + limit;
	const uint8_t *at = cur->p;
	struct http1_exchange *ex;
	struct weir_str method = {cur->p, 0};
	size_t n;

	while (at < end && !is_space(*at) && at - cur->p <= HTTP1_METHOD_MAX) {
		at++;
	}
	method.len = (uint32_t)(at - cur->p);
	if (at == end || method.len == 0 || method.len > HTTP1_METHOD_MAX) {
		return garbage(cur);
	}
	while (at < end && is_space(*at)) {
		at++;
	}
	ex = begin_request(cur);
	if (ex == NULL) {
		return HTTP1_GO;
	}
	take_method(ex, method);
	n = (size_t)(end - at);
	ex->target_len = n;
	ex->target = http1_keep(
		ex, at,
		n <= cur->http->config->target_limit ? n : cur->http->config->target_limit + 1);
	memcpy(ex->tail, end - HTTP1_TAIL, HTTP1_TAIL);
	ex->side[WEIR_C2S].head_size = (uint32_t)limit;
	ex->side[WEIR_C2S].version = VERSION_ODD;
	cur->side->long_start = true;
	http1_goto(cur->side, HTTP1_LONG_LINE);
	http1_advance(cur, end);
	return HTTP1_GO;
}

/* May what is there of a line still become a request line? Keeps rubbish from being carried. */
static bool may_be_request(const struct http1_cursor *cur)
{
	size_t n = (size_t)(cur->end - cur->p);
	size_t i;

	for (i = 0; i < n && i <= HTTP1_METHOD_MAX; i++) {
		if (cur->p[i] <= ' ' || cur->p[i] >= 0x7f) {
			return i > 0 && is_space(cur->p[i]);
		}
	}
	return i <= HTTP1_METHOD_MAX;
}

static int start_request(struct http1_cursor *cur)
{
	struct http1_start_line line;
	struct http1_exchange *ex;
	const uint8_t *lf, *eol;
	size_t limit = http1_line_limit(cur->http);
	int verdict;

	if (!may_be_request(cur)) {
		return garbage(cur);
	}
	verdict = http1_take_line(cur, limit, false, &lf);
	if (verdict == HTTP1_LONG) {
		return long_request_line(cur, limit);
	}
	if (verdict != HTTP1_GO) {
		return verdict;
	}
	eol = lf > cur->p && lf[-1] == '\r' ? lf - 1 : lf;
	if (!http1_request_line(cur->p, (size_t)(eol - cur->p), &line)) {
		return garbage(cur);
	}
	ex = begin_request(cur);
	if (ex == NULL) {
		return HTTP1_GO;
	}
	(void)http1_strip_cr(cur, ex, lf);
	tell_line(cur, ex, &line);
	take_method(ex, line.method);
	ex->target_len = line.target.len;
	ex->target = http1_keep(ex, line.target.p, line.target.len);
	ex->side[WEIR_C2S].version = line.version_kind;
	ex->side[WEIR_C2S].head_size = (uint32_t)(lf + 1 - cur->p);
	http1_message_touch(&ex->side[WEIR_C2S], http1_mark(cur, lf));
	http1_advance(cur, lf + 1);
	if (line.version_kind == VERSION_09) {
		http1_end_request_head(cur, ex);
		return http1_begin_body(cur, ex); /* RFC 1945 §4.1: a Simple-Request is one line */
	}
	return HTTP1_GO;
}

/* ---- responses ---- */

/* Find the request that the response at cur->p answers, or make an exchange that has none. */
static struct http1_exchange *begin_response(struct http1_cursor *cur)
{
	struct http1 *http = cur->http;
	const struct weir_mark *mark = http1_mark(cur, cur->p);
	enum http1_pairing pairing;
	struct http1_exchange *ex =
		http1_choose(http, http1_offset(cur, cur->p), mark->peer_ack, &pairing);

	if (ex != NULL && ex->pairing == PAIRING_UNCERTAIN) {
		pairing = PAIRING_UNCERTAIN; /* no better than its interim response was */
	}
	http1_note_pair(http, ex, pairing);
	if (ex != NULL) {
		http1_dequeue(http, ex);
		ex->pairing = (uint8_t)pairing;
	} else {
		ex = http1_exchange_new(http, mark);
		if (ex == NULL) {
			http1_lose(http, WEIR_S2C, http1_offset(cur, cur->p));
			cur->p++;
			return NULL;
		}
	}
	http->answering = ex;
	begin_message(cur, ex);
	return ex;
}

/* 0: may still be a status line; 1: is none. Without regard to case, for "http/1.1". */
static bool is_no_status_line(const struct http1_cursor *cur)
{
	size_t n = (size_t)(cur->end - cur->p);

	if (n >= 5 && memcmp(cur->p, "HTTP/", 5) == 0) {
		return false;
	}
	return strncasecmp((const char *)cur->p, "HTTP/", n < 5 ? n : 5) != 0 &&
	       memcmp(cur->p, "ICY ", n < 4 ? n : 4) != 0;
}

/* The answer to a request without version: a body and nothing else (RFC 1945 §4.1), unless it has a status line. */
static int start_simple_response(struct http1_cursor *cur)
{
	struct http1_exchange *ex = begin_response(cur);

	if (ex == NULL) {
		return HTTP1_GO;
	}
	ex->side[WEIR_S2C].version = VERSION_09;
	return http1_begin_body(cur, ex);
}

static void take_status(struct http1_cursor *cur, struct http1_exchange *ex,
			const struct http1_start_line *line)
{
	struct http1_message *message = &ex->side[WEIR_S2C];

	ex->status = line->status;
	/* RFC 9110 §15.2: 1xx are interim, but for 101, which ends HTTP here */
	ex->interim = line->status >= 100 && line->status < 200 && line->status != 101;
	message->version = line->version_kind;
	if (ex->interim) {
		return;
	}
	if (line->status != 0) {
		weir_record_set_u64(ex->rec, HTTP_F_STATUS, line->status);
	}
	if (line->method.len > 0) {
		weir_record_set_bytes(ex->rec, HTTP_F_REASON, line->method.p, line->method.len,
				      cur->http->config->value_limit);
	}
}

static int start_response(struct http1_cursor *cur)
{
	struct http1 *http = cur->http;
	struct http1_start_line line;
	struct http1_exchange *ex;
	const uint8_t *lf, *eol;
	size_t limit = http1_line_limit(http);
	int verdict;

	if (is_no_status_line(cur)) {
		if (http->head != NULL && http->head->side[WEIR_C2S].version == VERSION_09) {
			return start_simple_response(cur);
		}
		return garbage(cur);
	}
	verdict = http1_take_line(cur, limit, false, &lf);
	if (verdict == WEIR_PARSE_NEED) {
		return verdict;
	}
	if (http1_must_hold(cur, http1_mark(cur, cur->p))) {
		return WEIR_PARSE_HOLD;
	}
	eol = verdict == HTTP1_LONG ? cur->p + limit : lf > cur->p && lf[-1] == '\r' ? lf - 1 : lf;
	if (!http1_status_line(cur->p, (size_t)(eol - cur->p), &line)) {
		return garbage(cur);
	}
	ex = begin_response(cur);
	if (ex == NULL) {
		return HTTP1_GO;
	}
	tell_line(cur, ex, &line);
	take_status(cur, ex, &line);
	ex->side[WEIR_S2C].head_size = (uint32_t)(eol - cur->p);
	if (verdict == HTTP1_LONG) {
		cur->side->long_start = true;
		http1_goto(cur->side, HTTP1_LONG_LINE);
		http1_advance(cur, eol);
		return HTTP1_GO;
	}
	(void)http1_strip_cr(cur, ex, lf);
	http1_message_touch(&ex->side[WEIR_S2C], http1_mark(cur, lf));
	http1_advance(cur, lf + 1);
	return HTTP1_GO;
}

int http1_step_start(struct http1_cursor *cur)
{
	if (cur->dir == WEIR_C2S && may_switch(cur)) {
		return WEIR_PARSE_HOLD; /* RFC 9110 §7.8, §9.3.6: what comes may not be HTTP */
	}
	/* RFC 9112 §2.2: at least one empty line before a request is to be passed over */
	while (cur->side->scanned == 0 && cur->p < cur->end &&
	       (*cur->p == '\r' || *cur->p == '\n')) {
		cur->side->crlf = true;
		cur->p++;
	}
	if (cur->p == cur->end) {
		return HTTP1_GO;
	}
	return cur->dir == WEIR_C2S ? start_request(cur) : start_response(cur);
}

/* ---- after a loss ---- */

/* Is the start line at cur->p to be believed? A verdict when it is too early to tell, HTTP1_GO: yes, HTTP1_LONG: no. */
static int believe(struct http1_cursor *cur, bool at_segment)
{
	size_t left = (size_t)(cur->end - cur->p);
	const struct weir_mark *mark = http1_mark(cur, cur->p);
	enum http1_likeness likeness = cur->dir == WEIR_C2S ? http1_like_request(cur->p, left)
							    : http1_like_status(cur->p, left);

	if (likeness == LIKENESS_MORE && left < http1_line_limit(cur->http)) {
		return WEIR_PARSE_NEED;
	}
	if (likeness != LIKENESS_YES) {
		return HTTP1_LONG;
	}
	if (cur->dir == WEIR_C2S) {
		/* requests begin where the client wrote them, or behind the head of one that was sent along */
		return at_segment || cur->side->after_blank || cur->http->pipelines ? HTTP1_GO
										    : HTTP1_LONG;
	}
	if (http1_must_hold(cur, mark)) {
		return WEIR_PARSE_HOLD;
	}
	/* nothing is missing but a sound start: one within the next lines will do */
	at_segment = at_segment || (cur->side->junk && cur->side->lost_scanned < HTTP1_JUNK_LIMIT);
	return http1_supported(cur->http, http1_offset(cur, cur->p), mark->peer_ack, at_segment)
		       ? HTTP1_GO
		       : HTTP1_LONG;
}

/* The next place where a start line may be: behind the next LF, or where the next segment begins. */
static const uint8_t *next_place(struct http1_cursor *cur)
{
	struct http1_side *side = cur->side;
	uint64_t offset = http1_offset(cur, cur->p);
	const uint8_t *from = cur->p;
	const uint8_t *stop = cur->end;
	const uint8_t *lf = NULL;
	const uint8_t *at;
	size_t i;

	for (i = 0; i < cur->chunk->nmarks; i++) {
		uint64_t start = cur->chunk->marks[i].offset;

		if (start > offset && start - cur->chunk->offset < cur->chunk->len) {
			stop = cur->chunk->data + (start - cur->chunk->offset);
			break;
		}
	}
	if (side->lost_scanned < HTTP1_LOST_LIMIT) {
		lf = memchr(cur->p, '\n', (size_t)(stop - cur->p));
	}
	at = lf != NULL ? lf : stop;
	for (; side->line_empty && from < at; from++) {
		side->line_empty = *from == '\r';
	}
	side->after_lf = lf != NULL;
	side->after_blank = lf != NULL && side->line_empty;
	side->line_empty = lf != NULL || side->line_empty;
	at = lf != NULL ? lf + 1 : stop;
	if (side->lost_scanned < HTTP1_LOST_LIMIT) {
		side->lost_scanned += (uint32_t)(at - cur->p);
	}
	return at;
}

int http1_step_lost(struct http1_cursor *cur)
{
	bool at_segment = http1_mark(cur, cur->p)->offset == http1_offset(cur, cur->p);

	if (at_segment || cur->side->after_lf) {
		int verdict = believe(cur, at_segment);

		if (verdict == HTTP1_GO) {
			http1_goto(cur->side, HTTP1_START);
			return HTTP1_GO;
		}
		if (verdict != HTTP1_LONG) {
			return verdict;
		}
	}
	http1_advance(cur, next_place(cur));
	return HTTP1_GO;
}

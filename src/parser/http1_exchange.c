/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exchange of HTTP/1: from its first byte to its record. It lives in the arena of its record, so handing the record
 * over releases both; only a body on its way has memory of its own.
 *
 * An exchange is emitted when its request and its response have ended, in whatever way (CONTRACT.md §3, completeness).
 */
#include "parser/http1.h"

#include "base/arena.h"
#include "base/base64.h"
#include "record/record.h"
#include "record/timing.h"

#include <assert.h>
#include <string.h>

struct http1_exchange *http1_exchange_new(struct http1 *http, const struct weir_mark *mark)
{
	struct weir_record *rec = weir_host_record(http->host, &http_schema, mark->ts_ns);
	struct http1_exchange *ex;

	if (rec == NULL) {
		return NULL;
	}
	ex = arena_alloc(rec->arena, sizeof(*ex));
	if (ex == NULL) {
		weir_host_drop(http->host, rec);
		return NULL;
	}
	memset(ex, 0, sizeof(*ex));
	ex->rec = rec;
	ex->begin_ns = mark->ts_ns;
	ex->expect = WEIR_NO_ACK;
	ex->gap_at = HTTP1_NOWHERE;
	ex->waited_stall_ns = http->s2c_stall_ns;
	weir_host_figures(http->host, &ex->figures);
	if (!http->ticking && http->config->tick_ns > 0) {
		http->ticking = true;
		weir_host_tick(http->host, http->config->tick_ns);
	}
	return ex;
}

void http1_anomaly(struct http1 *http, struct http1_exchange *ex, enum weir_direction dir,
		   enum http_anomaly what, uint64_t offset)
{
	if (ex != NULL) {
		uint64_t bit = UINT64_C(1) << what;

		if ((ex->side[dir].seen & bit) != 0) {
			return;
		}
		ex->side[dir].seen |= bit;
	}
	weir_host_anomaly(http->host, ex != NULL ? ex->rec : NULL, &http_anomalies[what], dir,
			  offset);
}

void http1_message_begin(struct http1_message *message, uint64_t offset,
			 const struct weir_mark *mark)
{
	message->begun = true;
	message->begin = offset;
	message->first_ack = mark->peer_ack;
	message->last_ack = mark->peer_ack;
	message->first_ns = mark->ts_ns;
	message->last_ns = mark->ts_ns;
	message->first_stall_ns = mark->stall_ns;
	message->first_packet = mark->packet;
	message->last_packet = mark->packet;
}

void http1_message_touch(struct http1_message *message, const struct weir_mark *mark)
{
	if (mark->packet == message->last_packet && mark->peer_ack == message->last_ack) {
		return; /* nearly always: the head's lines lie in one packet */
	}
	message->last_ack = mark->peer_ack;
	if (mark->ts_ns > message->last_ns) {
		message->last_ns = mark->ts_ns; /* complete when its latest segment had come */
	}
	if (mark->packet > message->last_packet) {
		message->last_packet = mark->packet;
	}
	if (mark->packet < message->first_packet) {
		message->first_packet = mark->packet;
	}
	message->stall_ns = mark->stall_ns - message->first_stall_ns;
}

void http1_add_interim(struct http1_exchange *ex)
{
	const struct weir_record *rec = ex->rec;

	if (!weir_record_has(rec, HTTP_F_INTERIM) ||
	    rec->values[HTTP_F_INTERIM].len < HTTP1_INTERIM_MAX) {
		weir_record_add_u64(ex->rec, HTTP_F_INTERIM, ex->status);
	}
}

/* ---- the record ---- */

static const char *framing_name(const struct http1_message *message)
{
	static const char *const names[] = {"none", "length", "chunked", "close"};

	return names[message->framing];
}

static void set_content(struct weir_record *rec, enum weir_direction dir,
			const struct body_result *result)
{
	size_t field = http_side(dir, HTTP_F_REQUEST_CONTENT);
	size_t len = base64_text_len(result->content_len);
	uint8_t *text;

	if (result->content_is_text) {
		weir_record_set_bytes(rec, field, result->content, result->content_len, SIZE_MAX);
		return;
	}
	if (!weir_record_wants(rec, field)) {
		return;
	}
	text = arena_bytes(rec->arena, len + 1);
	if (text == NULL) {
		return;
	}
	base64_encode(result->content, result->content_len, text);
	text[len] = 0;
	/* it lives in the record's own memory */
	weir_record_set_static(rec, field, (const char *)text);
	weir_record_set_static(rec, http_side(dir, HTTP_F_REQUEST_CONTENT_ENCODING), "base64");
}

static void set_gaps(struct weir_record *rec, enum weir_direction dir,
		     const struct body_result *result)
{
	size_t field = http_side(dir, HTTP_F_REQUEST_GAPS);
	unsigned i;

	weir_record_clear(rec, field); /* of an interim record */
	for (i = 0; i < result->nholes; i++) {
		weir_record_add_u64(rec, field, result->holes[i].at);
		weir_record_add_u64(rec, field, result->holes[i].length);
	}
}

/* What decoding found odd. */
static void tell_flags(struct http1 *http, struct http1_exchange *ex, enum weir_direction dir,
		       unsigned flags)
{
	static const struct {
		unsigned flag;
		enum http_anomaly what;
	} rows[] = {
		{BODY_CE_ERROR | BODY_CE_SHORT, HTTP_A_CE_ERROR},
		{BODY_CE_UNKNOWN, HTTP_A_CE_UNKNOWN},
		{BODY_CE_TOO_MANY, HTTP_A_CE_TOO_MANY},
		{BODY_CE_RAW_DEFLATE, HTTP_A_CE_RAW_DEFLATE},
		{BODY_CE_BOMB, HTTP_A_CE_BOMB},
		{BODY_CE_TRAILING, HTTP_A_CE_TRAILING_DATA},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((flags & rows[i].flag) != 0) {
			http1_anomaly(http, ex, dir, rows[i].what, ex->side[dir].end);
		}
	}
}

static void set_parts(struct weir_record *rec, const struct body *body, uint64_t n)
{
	struct body_part part;
	size_t i;

	if (n > 0) {
		weir_record_set_u64(rec, HTTP_F_PART_COUNT, n);
	}
	for (i = 0; body_part(body, i, &part); i++) {
		weir_record_add_str(rec, HTTP_F_PART_NAME, part.name.p, part.name.len);
		weir_record_add_str(rec, HTTP_F_PART_FILENAME, part.filename.p, part.filename.len);
		weir_record_add_str(rec, HTTP_F_PART_MIME, part.mime.p, part.mime.len);
		weir_record_add_u64(rec, HTTP_F_PART_SIZE, part.size);
	}
}

static void set_events(struct weir_record *rec, enum weir_direction dir,
		       const struct body_result *result)
{
	if (result->has_events && dir == WEIR_S2C) {
		weir_record_set_u64(rec, HTTP_F_EVENTS, result->events);
	}
}

static void set_truncated(struct weir_record *rec, enum weir_direction dir, bool truncated)
{
	size_t field = http_side(dir, HTTP_F_REQUEST_TRUNCATED);

	if (truncated) {
		weir_record_set_bool(rec, field, true);
	} else {
		weir_record_clear(rec, field); /* of an interim record */
	}
}

static void set_body(struct weir_record *rec, enum weir_direction dir,
		     const struct body_result *result)
{
	if (result->has_decoded_size || (result->flags & BODY_CE_BOMB) != 0) {
		weir_record_set_u64(rec, http_side(dir, HTTP_F_REQUEST_DECODED_SIZE),
				    result->decoded_size);
	}
	if (result->has_sha256) {
		weir_record_set_bytes(rec, http_side(dir, HTTP_F_REQUEST_SHA256), result->sha256,
				      BODY_SHA256, SIZE_MAX);
	}
	if (result->has_wire_sha256) {
		weir_record_set_bytes(rec, http_side(dir, HTTP_F_REQUEST_WIRE_SHA256),
				      result->wire_sha256, BODY_SHA256, SIZE_MAX);
	}
	if (result->mime != NULL) {
		weir_record_set_static(rec, http_side(dir, HTTP_F_REQUEST_MIME), result->mime);
	}
	if (result->charset != NULL) {
		weir_record_set_str(rec, http_side(dir, HTTP_F_REQUEST_CHARSET), result->charset);
	}
	if (result->content != NULL) {
		set_content(rec, dir, result);
		set_truncated(rec, dir, result->truncated);
		set_gaps(rec, dir, result);
	}
}

static void end_body(struct http1 *http, struct http1_exchange *ex, enum weir_direction dir)
{
	struct http1_message *message = &ex->side[dir];
	struct body_result result;

	body_finish(message->body, message->whole && message->missing == 0, &result);
	set_events(ex->rec, dir, &result);
	if (result.wire_size > 0 && http->config->bodies != WEIR_BODIES_SIZE) {
		set_body(ex->rec, dir, &result);
		tell_flags(http, ex, dir, result.flags);
		if (dir == WEIR_C2S) {
			set_parts(ex->rec, message->body, result.nparts);
		}
	}
	body_tell_end(message->body, result.has_decoded_size, ex->rec);
	body_free(message->body);
	message->body = NULL;
}

static inline void finish_body(struct http1 *http, struct http1_exchange *ex,
			       enum weir_direction dir)
{
	if (ex->side[dir].body != NULL) {
		end_body(http, ex, dir);
	}
}

/* NULL when it is none of those that have a name */
static const char *version_name(const struct http1_message *message)
{
	static const char *const names[] = {
		[VERSION_09] = "0.9", [VERSION_10] = "1.0", [VERSION_11] = "1.1"};
	uint8_t version = message->version;

	return version == VERSION_NONE || version == VERSION_ODD ? NULL : names[version];
}

static const char *completeness(const struct http1_exchange *ex)
{
	const struct http1_message *request = &ex->side[WEIR_C2S];
	const struct http1_message *response = &ex->side[WEIR_S2C];

	if (!request->begun) {
		return "no_request";
	}
	if (!response->begun) {
		return "no_response";
	}
	if (request->gap || response->gap) {
		return "gap";
	}
	return request->whole && response->whole ? "complete" : "truncated";
}

static struct record_span span_of(const struct http1_message *message)
{
	return (struct record_span){message->first_ns, message->last_ns, message->stall_ns,
				    message->begun};
}

static void fill_times(struct record_filling *filling, const struct http1_exchange *ex)
{
	struct record_span request = span_of(&ex->side[WEIR_C2S]);
	struct record_span response = span_of(&ex->side[WEIR_S2C]);

	record_fill_timing(filling, &request, &response,
			   ex->side[WEIR_S2C].first_stall_ns - ex->waited_stall_ns);
}

static void fill_figures(struct record_filling *filling, const struct http1 *http,
			 const struct http1_exchange *ex)
{
	static const uint64_t ours =
		UINT64_C(1) << WEIR_F_TCP_RTT | UINT64_C(1) << WEIR_F_TCP_RETRANSMITS |
		UINT64_C(1) << WEIR_F_TCP_OUT_OF_ORDER | UINT64_C(1) << WEIR_F_TCP_GAPS;
	struct weir_tcp_figures now;

	if ((filling->wanted[0] & ours) != 0) {
		weir_host_figures(http->host, &now);
		record_fill_figures(filling, &ex->figures, &now);
	}
}

/* Bytes of the body that went by; of one that the engine is skipping, those so far. */
static uint64_t size_so_far(const struct http1 *http, const struct http1_exchange *ex,
			    enum weir_direction dir)
{
	uint64_t size = ex->side[dir].size;

	if (http1_current(http, dir) == ex && http->side[dir].skipping) {
		size -= weir_host_skip_left(http->host, dir);
	}
	return size;
}

/* Bytes of the message in its stream, so far. */
static uint64_t wire_size(const struct http1 *http, const struct http1_exchange *ex,
			  enum weir_direction dir)
{
	const struct http1_message *message = &ex->side[dir];
	const struct http1_side *side = &http->side[dir];
	uint64_t end = message->end;

	if (!message->done) {
		end = side->skipping ? side->until - weir_host_skip_left(http->host, dir)
				     : side->pos - side->unfinished;
	}
	return end - message->begin;
}

static inline void fill_side(struct record_filling *filling, const struct http1 *http,
			     const struct http1_exchange *ex, enum weir_direction dir)
{
	const struct http1_message *message = &ex->side[dir];

	if (!message->head_done) {
		return;
	}
	record_fill_u64(filling, http_side(dir, HTTP_F_REQUEST_BODY_SIZE),
			size_so_far(http, ex, dir));
	record_fill_u64(filling, http_side(dir, HTTP_F_REQUEST_SIZE), wire_size(http, ex, dir));
	record_fill_static(filling, http_side(dir, HTTP_F_REQUEST_FRAMING), framing_name(message));
}

static void fill_versions(struct record_filling *filling, const struct http1_message *first,
			  const struct http1_message *response)
{
	const char *version = version_name(first);
	const char *replied = response->begun ? version_name(response) : version;

	if (version != NULL) {
		record_fill_static(filling, WEIR_F_NETWORK_PROTOCOL_VERSION, version);
	}
	if (replied != NULL && replied != version) {
		record_fill_static(filling, HTTP_F_RESPONSE_VERSION, replied);
	}
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void http1_exchange_fill(struct http1 *http, struct http1_exchange *ex)
{
	static const char *const pairings[] = {NULL, "exact", "order", "uncertain"};
	const struct http1_message *request = &ex->side[WEIR_C2S];
	const struct http1_message *response = &ex->side[WEIR_S2C];
	const struct http1_message *first = request->begun ? request : response;
	struct record_filling filling = record_begin(ex->rec);
	uint64_t missing = request->missing + response->missing;

	record_fill_static(&filling, WEIR_F_NETWORK_PROTOCOL_NAME, "http");
	fill_versions(&filling, first, response);
	if (!weir_record_has(ex->rec, WEIR_F_SERVICE_NAME) && ex->server.len > 0) {
		record_fill_bytes(&filling, WEIR_F_SERVICE_NAME, ex->server.p, ex->server.len);
	}
	/* a capture may have the response before its request */
	record_fill_u64(&filling, WEIR_F_PACKET_FIRST,
			response->begun && response->first_packet < first->first_packet
				? response->first_packet
				: first->first_packet);
	record_fill_u64(&filling, WEIR_F_PACKET_LAST,
			larger(request->last_packet, response->last_packet));
	fill_times(&filling, ex);
	fill_figures(&filling, http, ex);
	fill_side(&filling, http, ex, WEIR_C2S);
	fill_side(&filling, http, ex, WEIR_S2C);
	record_fill_static(&filling, WEIR_F_COMPLETENESS, completeness(ex));
	if (missing > 0) {
		record_fill_u64(&filling, WEIR_F_MISSING_BYTES, missing);
	}
	if (pairings[ex->pairing] != NULL) {
		record_fill_static(&filling, WEIR_F_PAIRING, pairings[ex->pairing]);
	}
	record_end(ex->rec, &filling);
}

/* OpenTelemetry's error.type: how the connection failed the exchange, else the status of a server that failed. */
static void fill_error(struct http1 *http, const struct http1_exchange *ex)
{
	static const char *const resets[] = {"client_reset", "server_reset"};
	struct weir_record *rec = ex->rec;
	bool whole = ex->side[WEIR_C2S].whole && ex->side[WEIR_S2C].whole;
	char status[3];

	if (!whole && ex->side[WEIR_C2S].begun && http->reset_by != 0) {
		weir_record_set_static(rec, WEIR_F_ERROR_TYPE, resets[http->reset_by - 1]);
	} else if (!whole && ex->side[WEIR_C2S].begun && http->timed_out) {
		weir_record_set_static(rec, WEIR_F_ERROR_TYPE, "timeout");
	} else if (ex->status >= 500 && ex->status <= 999) {
		status[0] = (char)('0' + ex->status / 100);
		status[1] = (char)('0' + ex->status / 10 % 10);
		status[2] = (char)('0' + ex->status % 10);
		weir_record_set_bytes(rec, WEIR_F_ERROR_TYPE, status, 3, SIZE_MAX);
	}
}

/* One direction carried nothing at all, and it is not just that the answer is still to come. */
static void tell_one_sided(struct http1 *http, struct http1_exchange *ex)
{
	int dir;

	for (dir = 0; dir < 2; dir++) {
		if (!ex->side[dir].begun && !http->side[dir].any &&
		    (http->many || http->side[!dir].ended || dir == WEIR_C2S)) {
			http1_anomaly(http, ex, (enum weir_direction) !dir, HTTP_A_ONE_SIDED,
				      ex->side[!dir].begin);
		}
	}
}

void http1_exchange_emit(struct http1 *http, struct http1_exchange *ex)
{
	assert(!ex->queued);
	assert(ex != http->reading && ex != http->answering);
	tell_one_sided(http, ex);
	finish_body(http, ex, WEIR_C2S);
	finish_body(http, ex, WEIR_S2C);
	http1_exchange_fill(http, ex);
	fill_error(http, ex);
	weir_host_emit(http->host, ex->rec);
}

void http1_message_done(struct http1 *http, enum weir_direction dir, uint64_t end, bool whole)
{
	struct http1_exchange *ex = http1_current(http, dir);
	struct http1_message *message = &ex->side[dir];

	assert(message->begun && !message->done);
	message->done = true;
	message->whole = whole;
	message->end = end;
	http->side[dir].skipping = false;
	finish_body(http, ex, dir);
	if (dir == WEIR_C2S && !message->head_done) {
		http1_set_target(http, ex); /* the head was cut */
	}
	if (dir == WEIR_C2S) {
		http->reading = NULL;
		/* answered already, or never to be */
		if (!ex->queued && http->answering != ex) {
			http1_exchange_emit(http, ex);
		} else if (ex->queued && http->side[WEIR_S2C].closed) {
			http1_dequeue(http, ex);
			http1_exchange_emit(http, ex);
		}
		return;
	}
	http->answering = NULL;
	http->s2c_stall_ns = message->first_stall_ns + message->stall_ns;
	if (ex->pairing == PAIRING_EXACT && http->head != NULL &&
	    http->head->expect != WEIR_NO_ACK && http->head->expect < end) {
		http->pipelines = true; /* the next was asked before this had come to its end */
	}
	if (http->reading != ex) {
		http1_exchange_emit(http, ex);
	}
}

void http1_lose(struct http1 *http, enum weir_direction dir, uint64_t offset)
{
	struct http1_side *side = &http->side[dir];

	http1_goto(side, HTTP1_LOST);
	side->lost_scanned = 0;
	side->skipping = false;
	side->after_lf = false;
	side->after_blank = false;
	side->line_empty = false;
	side->junk = false;
	side->crlf = false;
	if (dir == WEIR_S2C) {
		http->s2c_lost = true;
	} else if (offset < http->c2s_lost_at) {
		http->c2s_lost_at = offset;
	}
}

/* ---- exchanges that stay open ---- */

/*
 * What there is of a body that goes on: its events, and the beginning of its text. The text is copied into memory that the record has
 * once and for all, so that a stream of days takes no more than one of seconds.
 */
static void show_body(struct http1_exchange *ex, enum weir_direction dir)
{
	struct http1_message *message = &ex->side[dir];
	size_t field = http_side(dir, HTTP_F_REQUEST_CONTENT);
	struct weir_record *rec = ex->rec;
	struct body_result result;

	if (message->body == NULL) {
		return;
	}
	body_look(message->body, &result);
	set_events(rec, dir, &result);
	if (result.content == NULL || result.content_len == 0 || !result.content_is_text ||
	    !weir_record_wants(rec, field)) {
		return;
	}
	if (message->shown == NULL) {
		message->shown = arena_bytes(rec->arena, result.keep);
	}
	if (message->shown == NULL) {
		return;
	}
	memcpy(message->shown, result.content, result.content_len);
	record_set_own(rec, field, message->shown, result.content_len);
	set_truncated(rec, dir, true);
	set_gaps(rec, dir, &result);
}

static bool tell_interim(struct http1 *http, struct http1_exchange *ex)
{
	if (weir_host_now(http->host) - ex->begin_ns >= http->config->tick_ns) {
		http1_exchange_fill(http, ex);
		show_body(ex, WEIR_C2S);
		show_body(ex, WEIR_S2C);
		weir_host_emit_interim(http->host, ex->rec);
	}
	return true;
}

void http1_tick(void *state, struct weir_host *host)
{
	struct http1 *http = state;
	struct http1_exchange *ex;
	bool open = false;

	http->ticking = false;
	if (http->answering != NULL) {
		open = tell_interim(http, http->answering);
	}
	if (http->reading != NULL && http->reading != http->answering && !http->reading->queued) {
		open = tell_interim(http, http->reading);
	}
	for (ex = http->head; ex != NULL; ex = ex->next) {
		open = tell_interim(http, ex);
	}
	if (open) {
		http->ticking = true;
		weir_host_tick(host, http->config->tick_ns);
	}
}

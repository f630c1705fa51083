/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What HTTP/1 headers mean (RFC 9110): those that frame the message, those that the record has fields for, and the URL that
 * Host and target make. A header may come any number of times: what is kept of each is bounded.
 */
#include "parser/http1.h"

#include "base/arena.h"
#include "base/base64.h"
#include "http/lists.h"
#include "http/route.h"
#include "http/url.h"
#include "record/record.h"

#include <string.h>
#include <strings.h>

enum {
	TYPE_MAX = 256,     /* bytes of Content-Type */
	COOKIES_MAX = 64,   /* names */
	COOKIE_MAX = 128,   /* bytes of a name */
	CODINGS_MAX = 256,  /* bytes of Content-Encoding, of several lines together */
	FORWARDED_MAX = 32, /* elements of X-Forwarded-For */
};

/* A header's value for as long as the exchange. */
static struct weir_str keep(const struct http1_cursor *cur, struct http1_exchange *ex,
			    struct weir_str value)
{
	return cur->own ? value : http1_keep(ex, value.p, value.len);
}

/* What nearly every Content-Length is: digits that fit, without leading zeros. *ret is set only then. */
static bool plain_number(struct weir_str value, uint64_t *ret)
{
	uint64_t number = 0;
	uint32_t i;

	if (value.len == 0 || value.len > 18 || (value.p[0] == '0' && value.len > 1)) {
		return false;
	}
	for (i = 0; i < value.len; i++) {
		unsigned digit = (unsigned)value.p[i] - '0';

		if (digit > 9) {
			return false;
		}
		number = number * 10 + digit;
	}
	*ret = number;
	return true;
}

/* RFC 9110 §8.6: Content-Length = 1*DIGIT; RFC 9112 §6.3 item 5 on lists of equal values */
static void take_content_length(struct http1_cursor *cur, struct http1_exchange *ex,
				struct weir_str value)
{
	struct http1_message *message = &ex->side[cur->dir];
	uint64_t offset = http1_offset(cur, cur->p);
	struct weir_str item;
	bool any = false;

	if (!message->has_length && plain_number(value, &message->content_length)) {
		message->has_length = true;
		return;
	}
	while (http_list_next(&value, &item)) {
		uint64_t length = 0;
		bool huge = false;
		uint32_t i;

		any = true;
		for (i = 0; i < item.len && item.p[i] >= '0' && item.p[i] <= '9'; i++) {
			huge = huge || length > INT64_MAX / 10 - 1;
			length = huge ? 0 : length * 10 + (uint64_t)(item.p[i] - '0');
		}
		if (i < item.len || huge) {
			http1_anomaly(cur->http, ex, cur->dir, HTTP_A_CL_INVALID, offset);
			message->length_bad = true;
			message->length_huge = message->length_huge || (huge && i == item.len);
			continue;
		}
		if (item.p[0] == '0' && item.len > 1) {
			http1_anomaly(cur->http, ex, cur->dir, HTTP_A_CL_LEADING_ZERO, offset);
		}
		if (message->has_length) {
			http1_anomaly(cur->http, ex, cur->dir,
				      message->content_length == length ? HTTP_A_CL_DUPLICATE
									: HTTP_A_CL_CONFLICT,
				      offset);
			continue; /* the first is used */
		}
		message->has_length = true;
		message->content_length = length;
	}
	if (!any) {
		http1_anomaly(cur->http, ex, cur->dir, HTTP_A_CL_INVALID, offset);
		message->length_bad = true;
	}
}

/* RFC 9112 §6.1 and §7: only the last coding of all lines matters for where the body ends */
static void take_transfer_encoding(struct http1_message *message, struct weir_str value)
{
	static const char *const known[] = {"gzip", "x-gzip", "deflate", "compress", "x-compress"};
	struct weir_str item;

	while (http_list_next(&value, &item)) {
		struct weir_str name = http_list_token(item);
		bool is_known = false;
		size_t i;

		if (http_is(name, "identity") && !message->te_chunked) {
			message->identity = true; /* RFC 2616 §3.6: no coding at all */
			continue;
		}
		message->has_te = true;
		message->te_chunked = http_is(name, "chunked");
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
			is_known = is_known || http_is(name, known[i]);
		}
		if (!is_known && !message->te_chunked && !http_is(name, "identity")) {
			message->te_unknown = true;
		}
	}
}

/* Content-Encoding may come in several lines: one list (RFC 9110 §5.3). */
static void take_codings(struct http1_exchange *ex, struct http1_message *message,
			 struct weir_str value)
{
	size_t len = (size_t)message->codings.len + 1 + value.len;
	uint8_t *both;

	if (message->codings.len == 0) {
		message->codings = http1_keep(ex, value.p, value.len);
		return;
	}
	if (len > CODINGS_MAX) {
		return; /* more than will be taken off anyway */
	}
	both = arena_bytes(ex->rec->arena, len);
	if (both != NULL) {
		memcpy(both, message->codings.p, message->codings.len);
		both[message->codings.len] = ',';
		memcpy(both + message->codings.len + 1, value.p, value.len);
		message->codings = (struct weir_str){both, (uint32_t)len};
	}
}

/* What the body is said to be: kept when the body is looked into, or its events are counted. */
static void take_type(struct http1_cursor *cur, struct http1_exchange *ex, struct weir_str value)
{
	struct http1_message *message = &ex->side[cur->dir];

	if (message->type.p == NULL && value.len <= TYPE_MAX &&
	    (cur->http->config->bodies != WEIR_BODIES_SIZE ||
	     (cur->dir == WEIR_S2C && body_is_events(value)))) {
		message->type = keep(cur, ex, value);
	}
}

static void add_copy(struct weir_record *rec, size_t field, const uint8_t *p, size_t len)
{
	weir_record_add_str(rec, field, p, len);
}

/* The name before the = of `name=value`; without one all is value, which is not told. */
static void add_cookie(struct weir_record *rec, size_t field, const uint8_t *p, size_t len,
		       bool own)
{
	const uint8_t *equals = memchr(p, '=', len);
	size_t n;

	while (len > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		len--;
	}
	n = equals == NULL || equals < p ? 0 : (size_t)(equals - p);
	if (n > 0 && (!weir_record_has(rec, field) || rec->values[field].len < COOKIES_MAX)) {
		(own ? record_add_own : add_copy)(rec, field, p, n < COOKIE_MAX ? n : COOKIE_MAX);
	}
}

/* RFC 6265 §4.2.1: Cookie is a list with semicolons; §4.1.1: of Set-Cookie the first pair is the cookie */
static void take_cookies(const struct http1_cursor *cur, struct http1_exchange *ex,
			 struct weir_str value)
{
	size_t field = http_side(cur->dir, HTTP_F_REQUEST_COOKIES);
	const uint8_t *p = value.p;
	const uint8_t *end = p + value.len;

	if (!weir_record_wants(ex->rec, field)) {
		return;
	}
	while (p < end) {
		const uint8_t *stop = memchr(p, ';', (size_t)(end - p));

		stop = stop == NULL ? end : stop;
		add_cookie(ex->rec, field, p, (size_t)(stop - p), cur->own);
		p = stop + (stop < end);
		if (cur->dir == WEIR_S2C) {
			break;
		}
	}
}

/* W3C Trace Context §3.2.2: version "-" trace-id "-" parent-id "-" flags */
static void take_traceparent(struct http1_exchange *ex, struct weir_str value)
{
	bool zero = true; /* §3.2.2.3: an id of nothing but zeros is invalid */
	uint32_t i;

	if (weir_record_has(ex->rec, HTTP_F_TRACE_ID) || value.len < 55 || value.p[2] != '-' ||
	    value.p[35] != '-') {
		return;
	}
	for (i = 3; i < 35; i++) {
		if (!((value.p[i] >= '0' && value.p[i] <= '9') ||
		      (value.p[i] >= 'a' && value.p[i] <= 'f'))) {
			return;
		}
		zero = zero && value.p[i] == '0';
	}
	if (!zero) {
		weir_record_set_bytes(ex->rec, HTTP_F_TRACE_ID, value.p + 3, 32, SIZE_MAX);
	}
}

static void take_forwarded(struct http1_exchange *ex, struct weir_str value)
{
	const struct weir_record *rec = ex->rec;
	struct weir_str item;

	while ((!weir_record_has(rec, HTTP_F_FORWARDED) ||
		rec->values[HTTP_F_FORWARDED].len < FORWARDED_MAX) &&
	       weir_record_wants(rec, HTTP_F_FORWARDED) && http_list_next(&value, &item)) {
		weir_record_add_str(ex->rec, HTTP_F_FORWARDED, item.p, item.len);
	}
}

/* RFC 7617 §2: user-id ":" password in base64; only what stands before the colon is told */
static void take_authorization(struct http1_exchange *ex, struct weir_str value)
{
	enum { USER_MAX = 128 };
	uint8_t pair[USER_MAX + 8];
	const uint8_t *colon;
	size_t n;

	if (weir_record_has(ex->rec, HTTP_F_USER_NAME) || value.len < 7 ||
	    strncasecmp((const char *)value.p, "Basic ", 6) != 0) {
		return;
	}
	value.p += 6;
	value.len -= 6;
	while (value.len > 0 && value.p[0] == ' ') {
		value.p++;
		value.len--;
	}
	n = value.len < USER_MAX / 3 * 4 ? value.len : USER_MAX / 3 * 4;
	n = base64_decode(value.p, n, pair);
	colon = memchr(pair, ':', n);
	if (colon != NULL) {
		weir_record_set_bytes(ex->rec, HTTP_F_USER_NAME, pair, (size_t)(colon - pair),
				      SIZE_MAX);
	}
}

/* Only the first of several lines: a head may repeat one without end. */
static void set_first(const struct http1_cursor *cur, struct http1_exchange *ex, size_t field,
		      struct weir_str value)
{
	size_t limit = cur->http->config->value_limit;

	if (!weir_record_wants(ex->rec, field) || weir_record_has(ex->rec, field)) {
		return;
	}
	if (cur->own && value.len <= limit) {
		record_set_own(ex->rec, field, value.p, value.len);
	} else {
		weir_record_set_bytes(ex->rec, field, value.p, value.len, limit);
	}
}

/* Eight (four) bytes at p, letters in lower case. */
static inline uint64_t lower8(const void *p)
{
	uint64_t word;

	memcpy(&word, p, 8);
	return word | UINT64_C(0x2020202020202020);
}

static inline uint32_t lower4(const void *p)
{
	uint32_t word;

	memcpy(&word, p, 4);
	return word | 0x20202020u;
}

/*
 * Is the name this one, of lower-case letters and hyphens? The lengths are equal, and 4 to 17: two loads that overlap see all
 * of it, of 17 bytes all but the middle one. Of bytes that are neither, only CR would pass (for a hyphen): see odd_name.
 */
static inline __attribute__((always_inline)) bool name_is(struct weir_str name, const char *lower)
{
	if (name.len >= 8) {
		return (name.len < 17 || name.p[8] == (uint8_t)lower[8]) &&
		       lower8(name.p) == lower8(lower) &&
		       lower8(name.p + name.len - 8) == lower8(lower + name.len - 8);
	}
	return lower4(name.p) == lower4(lower) &&
	       lower4(name.p + name.len - 4) == lower4(lower + name.len - 4);
}

static void take_host(struct http1_cursor *cur, struct http1_exchange *ex, struct weir_str value)
{
	if (ex->side[WEIR_C2S].host) {
		http1_anomaly(cur->http, ex, WEIR_C2S, HTTP_A_HOST_DUPLICATE,
			      http1_offset(cur, cur->p));
		return;
	}
	ex->side[WEIR_C2S].host = true;
	ex->host = keep(cur, ex, value);
}

static void take_server(struct http1_cursor *cur, struct http1_exchange *ex, struct weir_str value)
{
	if (!ex->interim && ex->server.p == NULL &&
	    weir_record_wants(ex->rec, WEIR_F_SERVICE_NAME)) {
		ex->server = keep(cur, ex, value);
	}
}

static void take_upgrade(struct http1_cursor *cur, struct http1_exchange *ex, struct weir_str value)
{
	if (cur->dir == WEIR_C2S) {
		ex->asked_upgrade = value.len > 0;
	} else if (ex->status == 101 && ex->upgrade.p == NULL) {
		ex->upgrade = keep(cur, ex, value);
	}
}

/* RFC 9112 §9.6: the last response of this connection */
static void take_connection(struct http1_exchange *ex, struct weir_str value)
{
	ex->side[WEIR_S2C].close =
		!(value.len == 10 && name_is(value, "keep-alive")) && http_list_has(value, "close");
}

static void take_encoding(struct http1_cursor *cur, struct http1_exchange *ex,
			  struct weir_str value)
{
	struct http1_message *message = &ex->side[cur->dir];

	message->coded = true;
	if (cur->http->config->bodies != WEIR_BODIES_SIZE) {
		take_codings(ex, message, value);
	}
}

/* The names that are heeded, by length. This does nothing but choose: what is chosen is called last. */
static inline void heed_request(struct http1_cursor *cur, struct http1_exchange *ex,
				struct weir_str name, struct weir_str value)
{
	if (name.len == 4 && name_is(name, "host")) {
		take_host(cur, ex, value);
	} else if (name.len == 6 && name_is(name, "cookie")) {
		take_cookies(cur, ex, value);
	} else if (name.len == 6 && name_is(name, "expect")) {
		ex->expects = ex->expects || http_list_has(value, "100-continue");
	} else if (name.len == 7 && name_is(name, "referer")) {
		set_first(cur, ex, HTTP_F_REFERRER, value);
	} else if (name.len == 10 && name_is(name, "user-agent")) {
		set_first(cur, ex, HTTP_F_USER_AGENT, value);
	} else if (name.len == 11 && name_is(name, "traceparent")) {
		take_traceparent(ex, value);
	} else if (name.len == 13 && name_is(name, "authorization")) {
		take_authorization(ex, value);
	} else if (name.len == 15 && name_is(name, "x-forwarded-for")) {
		take_forwarded(ex, value);
	}
}

static inline void heed_response(struct http1_cursor *cur, struct http1_exchange *ex,
				 struct weir_str name, struct weir_str value)
{
	if (name.len == 6 && name_is(name, "server")) {
		take_server(cur, ex, value);
	} else if (name.len == 10 && name_is(name, "connection")) {
		take_connection(ex, value);
	} else if (name.len == 10 && !ex->interim && name_is(name, "set-cookie")) {
		take_cookies(cur, ex, value);
	}
}

void http1_heed(struct http1_cursor *cur, struct http1_exchange *ex, struct weir_str name,
		struct weir_str value)
{
	if (name.len == 14 && name_is(name, "content-length")) {
		take_content_length(cur, ex, value);
	} else if (name.len == 12 && name_is(name, "content-type")) {
		take_type(cur, ex, value);
	} else if (name.len == 17 && name_is(name, "transfer-encoding")) {
		take_transfer_encoding(&ex->side[cur->dir], value);
	} else if (name.len == 16 && name_is(name, "content-encoding")) {
		take_encoding(cur, ex, value);
	} else if (name.len == 7 && name_is(name, "upgrade")) {
		take_upgrade(cur, ex, value);
	} else if (cur->dir == WEIR_C2S) {
		heed_request(cur, ex, name, value);
	} else {
		heed_response(cur, ex, name, value);
	}
}

/* RFC 9110 §6.5.1: fields that frame, route, authenticate or describe the content must not come as trailers */
bool http1_is_forbidden_trailer(struct weir_str name)
{
	static const char *const names[] = {
		"content-length", "transfer-encoding",
		"host",           "trailer",
		"content-type",   "content-encoding",
		"content-range",  "authorization",
		"cache-control",  "expect",
		"max-forwards",   "pragma",
		"range",          "te",
		"set-cookie",     "connection",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (http_is(name, names[i])) {
			return true;
		}
	}
	return false;
}

/*
 * The limit to give a setter for text that is longer than what is here: it looks at one byte behind what it keeps, not to
 * cut a character in two.
 */
size_t http1_readable(struct weir_str text, uint64_t full_len, size_t limit)
{
	if (full_len > text.len && limit >= text.len) {
		limit = text.len == 0 ? 0 : text.len - 1;
	}
	return limit;
}

/* ---- target and URL ---- */

/* Text in the record's own memory. */
static inline void fill_own(struct record_filling *filling, size_t field, struct weir_str text)
{
	if (text.p != NULL && text.len > 0) {
		record_fill_bytes(filling, field, text.p, text.len);
	}
}

static bool wants_url(const struct weir_record *rec)
{
	size_t field;

	for (field = HTTP_F_URL_FULL; field <= HTTP_F_ROUTE; field++) {
		if (weir_record_wants(rec, field)) {
			return true;
		}
	}
	return weir_record_wants(rec, WEIR_F_SERVICE_NAME);
}

/* The user's rules first, then a guess. */
static void set_route(const struct weir_config *config, struct weir_record *rec,
		      const struct http_url *url)
{
	const char *rule = NULL;
	uint8_t *guess;
	size_t len = 0;

	if (config->nroutes > 0) {
		rule = http_route_rule(config->routes, config->nroutes, url->host, url->path, &len);
	}
	if (rule != NULL) {
		weir_record_set_bytes(rec, HTTP_F_ROUTE, rule, len, SIZE_MAX);
		return;
	}
	guess = arena_peek(rec->arena, http_route_room(url->path.len));
	len = guess == NULL ? 0 : http_route(url->path, guess);
	if (len > 0) {
		record_set_own(rec, HTTP_F_ROUTE, arena_bytes(rec->arena, len), len);
	}
}

static void set_url(struct http1 *http, struct http1_exchange *ex)
{
	struct weir_record *rec = ex->rec;
	struct record_filling filling;
	struct http_url url;
	uint8_t *buffer;
	uint64_t offset = ex->side[WEIR_C2S].begin;
	size_t room, used;

	if (!wants_url(rec) && ex->target.p[0] == '/' &&
	    memchr(ex->target.p, '%', ex->target.len) == NULL) {
		return; /* nobody reads it and nothing in it can be odd */
	}
	room = http_url_room(ex->target.len, ex->host.len);
	buffer = arena_bytes(rec->arena, room);
	if (buffer == NULL) {
		return;
	}
	used = http_url_make(ex->is_connect, ex->target, ex->host, "http", buffer, &url);
	arena_give_back(rec->arena, buffer, room, used);
	if ((url.flags & HTTP_URL_PCT_INVALID) != 0) {
		http1_anomaly(http, ex, WEIR_C2S, HTTP_A_PCT_INVALID, offset);
	}
	if ((url.flags & HTTP_URL_HOST_MISMATCH) != 0) {
		http1_anomaly(http, ex, WEIR_C2S, HTTP_A_HOST_MISMATCH, offset);
	}
	filling = record_begin(rec);
	if (url.as_is && ex->target.len == ex->target_len) {
		/* a part of the URL, of which masking looks at the whole only */
		fill_own(&filling, HTTP_F_TARGET, (struct weir_str){url.path.p, ex->target.len});
	}
	fill_own(&filling, HTTP_F_URL_FULL, url.full);
	fill_own(&filling, HTTP_F_URL_SCHEME, url.scheme);
	fill_own(&filling, HTTP_F_URL_DOMAIN, url.host);
	fill_own(&filling, WEIR_F_SERVICE_NAME, url.host);
	fill_own(&filling, HTTP_F_URL_PATH, url.path);
	fill_own(&filling, HTTP_F_URL_QUERY, url.query);
	record_end(rec, &filling);
	if (url.path.p != NULL && weir_record_wants(rec, HTTP_F_ROUTE)) {
		set_route(http->config, rec, &url);
	}
	if (url.port != 0) {
		weir_record_set_u64(rec, HTTP_F_URL_PORT, url.port);
	}
}

void http1_set_target(struct http1 *http, struct http1_exchange *ex)
{
	size_t limit = http->config->target_limit;

	if (ex->target_len > limit) {
		http1_anomaly(http, ex, WEIR_C2S, HTTP_A_TARGET_TOO_LONG, ex->side[WEIR_C2S].begin);
	}
	if (ex->target.p == NULL) {
		return;
	}
	if (ex->target.len == ex->target_len && ex->target.len <= limit) {
		record_set_own(ex->rec, HTTP_F_TARGET, ex->target.p, ex->target.len);
	} else {
		weir_record_set_bytes(ex->rec, HTTP_F_TARGET, ex->target.p, ex->target_len,
				      http1_readable(ex->target, ex->target_len, limit));
	}
	if (ex->target.len > limit) {
		ex->target.len = (uint32_t)limit;
	}
	if (ex->target.len > 0) {
		set_url(http, ex);
	}
}

void http1_end_request_head(struct http1_cursor *cur, struct http1_exchange *ex)
{
	const struct http1_message *message = &ex->side[WEIR_C2S];

	http1_set_target(cur->http, ex);
	/* RFC 9112 §3.2: every HTTP/1.1 request has Host */
	if (!message->host && message->version == VERSION_11) {
		http1_anomaly(cur->http, ex, WEIR_C2S, HTTP_A_HOST_MISSING, message->begin);
	}
}

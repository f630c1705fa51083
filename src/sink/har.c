/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink `har`: HTTP Archive 1.2, as browsers' developer tools write and read it. One entry a transaction.
 *
 * The document is one object, so it is whole when the run has ended; entries stand in the order in which they completed. HAR has
 * no place for what a capture can miss: that is under `_weir` (fields that begin with _ are for us), and what is wrong
 * is never filled in. Where HAR demands something that is not known: a request that was not seen has an empty method and the
 * server's address as its URL, a response that was not seen has status 0 (as browsers write it), sizes are -1.
 *
 * timings are not negative in HAR and their sum is `time`: after an early response (wait below 0) wait is 0 and receive is what
 * is left. `_weir.timing` has the true ones, and the stall that is a part of them.
 */
#include "sink/har_charset.h"
#include "sink/har_text.h"
#include "sink/json_build.h"
#include "sink/json_text.h"
#include "sink/lookup.h"
#include "sink/out.h"
#include "sink/sink.h"
#include "weir/engine.h"
#include "weir/error.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct har_sink {
	struct out out;
	struct lookup lookup;
	struct har_charsets *charsets;
	struct strbuf text; /* scratch: a body in UTF-8 */
	bool any;           /* an entry was written */
};

static struct har_sink *self(struct weir_sink *sink)
{
	return (struct har_sink *)sink;
}

/* ---- the document ---- */

static void put_head(struct har_sink *har)
{
	strbuf_str(&har->out.buf, "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"weir\","
				  "\"version\":\"");
	strbuf_str(&har->out.buf, weir_version());
	strbuf_str(&har->out.buf, "\"},\"pages\":[],\"entries\":[");
	har->any = false;
}

static void put_tail(struct har_sink *har)
{
	strbuf_str(&har->out.buf, "\n]}}\n");
}

/* ---- pieces of an entry ---- */

/* What record, its lookup and the writer are passed around with. */
struct entry {
	struct har_sink *har;
	const struct lookup *lookup;
	const struct weir_record *rec;
	struct json_build build;
};

static const struct weir_value *value_of(const struct entry *entry, enum look what)
{
	return lookup_value(entry->lookup, entry->rec, what);
}

static void put_text(struct entry *entry, const char *name, const struct weir_value *value)
{
	json_build_key(&entry->build, name);
	if (value == NULL) {
		json_build_text(&entry->build, "");
	} else {
		json_build_str(&entry->build, value->v.bytes, value->len);
	}
}

static void put_i64(struct entry *entry, const char *name, int64_t number)
{
	json_build_key(&entry->build, name);
	json_build_i64(&entry->build, number);
}

static void put_version(struct entry *entry, bool response)
{
	const struct weir_value *version =
		response ? value_of(entry, LOOK_REPLY_VERSION)
			 : lookup_common(entry->rec, WEIR_F_NETWORK_PROTOCOL_VERSION);
	struct strbuf text;

	if (version == NULL) {
		version = lookup_common(entry->rec, WEIR_F_NETWORK_PROTOCOL_VERSION);
	}
	strbuf_init(&text);
	if (version != NULL) {
		strbuf_str(&text, "HTTP/");
		strbuf_add(&text, version->v.bytes, version->len);
	}
	json_build_key(&entry->build, "httpVersion");
	json_build_text(&entry->build, strbuf_text(&text));
	strbuf_fini(&text);
}

static void put_headers(struct entry *entry, enum look list)
{
	const struct weir_value *headers = value_of(entry, list);
	struct json_build *build = &entry->build;
	uint32_t i;

	json_build_key(build, "headers");
	json_build_open(build, '[');
	for (i = 0; headers != NULL && i < headers->len; i++) {
		const struct weir_header *header = &headers->v.headers[i];

		json_build_open(build, '{');
		json_build_key(build, "name");
		json_build_str(build, header->name.p, header->name.len);
		json_build_key(build, "value");
		json_build_str(build, header->value.p, header->value.len);
		json_build_close(build, '}');
	}
	json_build_close(build, ']');
}

static void put_cookies(struct entry *entry, enum look list, const char *name)
{
	const struct weir_value *headers = value_of(entry, list);
	uint32_t i;

	json_build_key(&entry->build, "cookies");
	json_build_open(&entry->build, '[');
	for (i = 0; headers != NULL && i < headers->len; i++) {
		const struct weir_header *header = &headers->v.headers[i];

		if (!lookup_is_header(header, name)) {
			continue;
		}
		if (list == LOOK_REQUEST_HEADER) {
			har_put_cookies(&entry->build, &header->value);
		} else {
			har_put_set_cookie(&entry->build, &header->value);
		}
	}
	json_build_close(&entry->build, ']');
}

static bool is_base64(const struct entry *entry, enum look encoding)
{
	return lookup_is(entry->lookup, entry->rec, encoding, "base64");
}

/* A body's text; in base64 when it is none. HAR: transcoded to UTF-8, so what is not that is made it where it can be.
 * @return is it base64? */
static bool put_body_text(struct entry *entry, const struct weir_value *content, bool response)
{
	const struct weir_value *charset =
		value_of(entry, response ? LOOK_RESPONSE_CHARSET : LOOK_REQUEST_CHARSET);
	enum look cut = response ? LOOK_RESPONSE_TRUNCATED : LOOK_REQUEST_TRUNCATED;
	struct har_sink *har = entry->har;

	if (is_base64(entry, response ? LOOK_RESPONSE_ENCODING : LOOK_REQUEST_ENCODING)) {
		if (charset == NULL ||
		    !har_charsets_decode(har->charsets, charset->v.bytes, charset->len,
					 content->v.bytes, content->len,
					 lookup_u64(entry->lookup, entry->rec, cut, 0) != 0,
					 &har->text)) {
			put_text(entry, "text", content);
			return true;
		}
		json_build_key(&entry->build, "text");
		json_build_str(&entry->build, har->text.p, har->text.len);
		return false;
	}
	put_text(entry, "text", content);
	return false;
}

/* Content-Type as it was sent; without one the type by content. */
static void put_mime_type(struct entry *entry, enum look list, enum look mime)
{
	const struct weir_header *type =
		lookup_header(entry->lookup, entry->rec, list, "content-type");

	json_build_key(&entry->build, "mimeType");
	if (type != NULL) {
		json_build_str(&entry->build, type->value.p, type->value.len);
	} else {
		const struct weir_value *value = value_of(entry, mime);

		json_build_str(&entry->build, value == NULL ? (const uint8_t *)"" : value->v.bytes,
			       value == NULL ? 0 : value->len);
	}
}

/* ---- request ---- */

/* The URL; without one (no Host, no request) the server's address, so that it is one. */
static void put_url(struct entry *entry)
{
	const struct weir_value *url = value_of(entry, LOOK_URL);
	const struct weir_value *address = lookup_common(entry->rec, WEIR_F_SERVER_ADDRESS);
	const struct weir_value *port = lookup_common(entry->rec, WEIR_F_SERVER_PORT);
	const struct weir_value *path = value_of(entry, LOOK_PATH);
	char quoted[JSON_ADDRESS_MAX];
	struct strbuf text;
	size_t len;

	if (url != NULL || address == NULL) {
		put_text(entry, "url", url);
		return;
	}
	len = (size_t)(json_put_address(quoted, address->v.bytes, address->len) - quoted);
	strbuf_init(&text);
	strbuf_str(&text, address->len == 16 ? "http://[" : "http://");
	strbuf_add(&text, quoted + 1, len - 2);
	strbuf_str(&text, address->len == 16 ? "]" : "");
	if (port != NULL && port->v.u64 != 80) {
		strbuf_char(&text, ':');
		strbuf_u64(&text, port->v.u64);
	}
	if (path == NULL || path->len == 0 || path->v.bytes[0] != '/') {
		strbuf_char(&text, '/');
	} else {
		strbuf_add(&text, path->v.bytes, path->len);
	}
	json_build_key(&entry->build, "url");
	json_build_str(&entry->build, text.p == NULL ? "" : text.p, text.len);
	strbuf_fini(&text);
}

static bool is_form(const struct entry *entry)
{
	static const char form[] = "application/x-www-form-urlencoded";
	const struct weir_header *type =
		lookup_header(entry->lookup, entry->rec, LOOK_REQUEST_HEADER, "content-type");

	return type != NULL && type->value.len >= sizeof(form) - 1 &&
	       strncasecmp((const char *)type->value.p, form, sizeof(form) - 1) == 0;
}

/* Both params and text for forms, as browsers do. */
static void put_post_data(struct entry *entry)
{
	const struct weir_value *content = value_of(entry, LOOK_REQUEST_CONTENT);
	struct json_build *build = &entry->build;

	if (content == NULL) {
		return;
	}
	json_build_key(build, "postData");
	json_build_open(build, '{');
	put_mime_type(entry, LOOK_REQUEST_HEADER, LOOK_REQUEST_MIME);
	if (put_body_text(entry, content, false)) {
		json_build_key(build, "_encoding");
		json_build_text(build, "base64");
	} else if (is_form(entry)) {
		json_build_key(build, "params");
		json_build_open(build, '[');
		har_put_query(build, content->v.bytes, content->len);
		json_build_close(build, ']');
	}
	json_build_close(build, '}');
}

static void put_request(struct entry *entry)
{
	const struct weir_value *query = value_of(entry, LOOK_QUERY);
	struct json_build *build = &entry->build;

	json_build_key(build, "request");
	json_build_open(build, '{');
	put_text(entry, "method", value_of(entry, LOOK_METHOD));
	put_url(entry);
	put_version(entry, false);
	put_cookies(entry, LOOK_REQUEST_HEADER, "cookie");
	put_headers(entry, LOOK_REQUEST_HEADER);
	json_build_key(build, "queryString");
	json_build_open(build, '[');
	if (query != NULL) {
		har_put_query(build, query->v.bytes, query->len);
	}
	json_build_close(build, ']');
	put_post_data(entry);
	put_i64(entry, "headersSize", -1);
	put_i64(entry, "bodySize",
		(int64_t)lookup_u64(entry->lookup, entry->rec, LOOK_REQUEST_SIZE, UINT64_MAX));
	json_build_close(build, '}');
}

/* ---- response ---- */

static void put_content(struct entry *entry)
{
	const struct weir_value *content = value_of(entry, LOOK_RESPONSE_CONTENT);
	const struct weir_value *decoded = value_of(entry, LOOK_RESPONSE_DECODED);
	struct json_build *build = &entry->build;
	uint64_t wire = lookup_u64(entry->lookup, entry->rec, LOOK_RESPONSE_SIZE, 0);

	json_build_key(build, "content");
	json_build_open(build, '{');
	json_build_key(build, "size");
	json_build_u64(build, decoded == NULL ? wire : decoded->v.u64);
	if (decoded != NULL && decoded->v.u64 != wire) {
		put_i64(entry, "compression", (int64_t)(decoded->v.u64 - wire));
	}
	put_mime_type(entry, LOOK_RESPONSE_HEADER, LOOK_RESPONSE_MIME);
	if (content != NULL) {
		if (put_body_text(entry, content, true)) {
			json_build_key(build, "encoding");
			json_build_text(build, "base64");
		}
		if (lookup_u64(entry->lookup, entry->rec, LOOK_RESPONSE_TRUNCATED, 0) != 0) {
			json_build_key(build, "comment");
			json_build_text(build, "not the whole body");
		}
	}
	json_build_close(build, '}');
}

static void put_response(struct entry *entry)
{
	const struct weir_header *location =
		lookup_header(entry->lookup, entry->rec, LOOK_RESPONSE_HEADER, "location");
	struct json_build *build = &entry->build;

	json_build_key(build, "response");
	json_build_open(build, '{');
	put_i64(entry, "status", (int64_t)lookup_u64(entry->lookup, entry->rec, LOOK_STATUS, 0));
	put_text(entry, "statusText", value_of(entry, LOOK_REASON));
	put_version(entry, true);
	put_cookies(entry, LOOK_RESPONSE_HEADER, "set-cookie");
	put_headers(entry, LOOK_RESPONSE_HEADER);
	put_content(entry);
	json_build_key(build, "redirectURL");
	json_build_str(build, location == NULL ? (const uint8_t *)"" : location->value.p,
		       location == NULL ? 0 : location->value.len);
	put_i64(entry, "headersSize", -1);
	put_i64(entry, "bodySize",
		(int64_t)lookup_u64(entry->lookup, entry->rec, LOOK_RESPONSE_SIZE, UINT64_MAX));
	json_build_close(build, '}');
}

/* ---- times ---- */

static int64_t time_of(const struct entry *entry, enum weir_common_field field)
{
	const struct weir_value *value = lookup_common(entry->rec, field);

	return value == NULL || value->v.i64 < 0 ? 0 : value->v.i64;
}

static void put_milliseconds(struct entry *entry, const char *name, int64_t ns)
{
	json_build_key(&entry->build, name);
	json_build_milliseconds(&entry->build, ns);
}

static void put_timings(struct entry *entry, int64_t duration)
{
	static const char *const unknown[] = {"blocked", "dns", "connect", "ssl"};
	int64_t send = time_of(entry, WEIR_F_TIMING_SEND);
	int64_t wait = time_of(entry, WEIR_F_TIMING_WAIT);
	size_t i;

	send = send < duration ? send : duration;
	wait = wait < duration - send ? wait : duration - send;
	json_build_key(&entry->build, "timings");
	json_build_open(&entry->build, '{');
	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		put_i64(entry, unknown[i], -1);
	}
	put_milliseconds(entry, "send", send);
	put_milliseconds(entry, "wait", wait);
	put_milliseconds(entry, "receive", duration - send - wait);
	json_build_close(&entry->build, '}');
}

/* ---- what HAR has no place for ---- */

struct own_row {
	const char *name;
	int common;
	int look;
};

static void put_rows(struct entry *entry, const struct own_row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct weir_value *value =
			rows[i].common >= 0
				? lookup_common(entry->rec, (enum weir_common_field)rows[i].common)
				: value_of(entry, (enum look)rows[i].look);

		if (value != NULL) {
			enum weir_kind kind = rows[i].common >= 0
						      ? weir_schema_field(entry->rec->schema,
									  (size_t)rows[i].common)
								->kind
						      : lookup_kind((enum look)rows[i].look);

			json_build_key(&entry->build, rows[i].name);
			json_build_value(&entry->build, kind, value);
		}
	}
}

#define PUT_ROWS(entry, rows) put_rows(entry, rows, sizeof(rows) / sizeof((rows)[0]))

static void put_own(struct entry *entry)
{
	static const struct own_row whole[] = {
		{"id", WEIR_F_ID, -1},
		{"flow_id", WEIR_F_FLOW_ID, -1},
		{"completeness", WEIR_F_COMPLETENESS, -1},
		{"missing_bytes", WEIR_F_MISSING_BYTES, -1},
		{"pairing", WEIR_F_PAIRING, -1},
		{"duration_ns", WEIR_F_DURATION, -1},
		{"send_ns", WEIR_F_TIMING_SEND, -1},
		{"wait_ns", WEIR_F_TIMING_WAIT, -1},
		{"receive_ns", WEIR_F_TIMING_RECEIVE, -1},
		{"stall_ns", WEIR_F_TIMING_STALL, -1},
		{"rtt_ns", WEIR_F_TCP_RTT, -1},
		{"retransmits", WEIR_F_TCP_RETRANSMITS, -1},
		{"out_of_order", WEIR_F_TCP_OUT_OF_ORDER, -1},
		{"gaps", WEIR_F_TCP_GAPS, -1},
		{"client_address", WEIR_F_CLIENT_ADDRESS, -1},
		{"client_port", WEIR_F_CLIENT_PORT, -1},
		{"server_port", WEIR_F_SERVER_PORT, -1},
		{"packet_first", WEIR_F_PACKET_FIRST, -1},
		{"packet_last", WEIR_F_PACKET_LAST, -1},
		{"target", -1, LOOK_TARGET},
		{"route", -1, LOOK_ROUTE},
		{"interim", -1, LOOK_INTERIM},
		{"upgrade", -1, LOOK_UPGRADE},
		{"anomalies", WEIR_F_ANOMALIES, -1},
		{"request_body_sha256", -1, LOOK_REQUEST_SHA256},
		{"request_body_mime_type", -1, LOOK_REQUEST_MIME},
		{"request_body_truncated", -1, LOOK_REQUEST_TRUNCATED},
		{"request_body_gaps", -1, LOOK_REQUEST_GAPS},
		{"response_body_sha256", -1, LOOK_RESPONSE_SHA256},
		{"response_body_mime_type", -1, LOOK_RESPONSE_MIME},
		{"response_body_truncated", -1, LOOK_RESPONSE_TRUNCATED},
		{"response_body_gaps", -1, LOOK_RESPONSE_GAPS},
	};

	json_build_key(&entry->build, "_weir");
	json_build_open(&entry->build, '{');
	PUT_ROWS(entry, whole);
	json_build_close(&entry->build, '}');
}

/* ---- entries ---- */

static void put_entry(struct entry *entry)
{
	static const struct own_row ends[] = {{"serverIPAddress", WEIR_F_SERVER_ADDRESS, -1},
					      {"connection", WEIR_F_FLOW_ID, -1}};
	struct json_build *build = &entry->build;
	int64_t duration = time_of(entry, WEIR_F_DURATION);

	if (lookup_common(entry->rec, WEIR_F_DURATION) == NULL) {
		/* one side was seen: what it took is all there is */
		duration =
			time_of(entry, WEIR_F_TIMING_SEND) + time_of(entry, WEIR_F_TIMING_RECEIVE);
	}
	json_build_key(build, "startedDateTime");
	json_build_time(build, entry->rec->values[WEIR_F_TS].v.i64, 9, "Z");
	put_milliseconds(entry, "time", duration);
	put_request(entry);
	put_response(entry);
	json_build_key(build, "cache");
	json_build_open(build, '{');
	json_build_close(build, '}');
	put_timings(entry, duration);
	PUT_ROWS(entry, ends);
	put_own(entry);
}

static int har_record(struct weir_sink *sink, const struct weir_record *rec)
{
	struct har_sink *har = self(sink);
	struct entry entry = {.har = har, .lookup = &har->lookup, .rec = rec};
	struct strbuf *buf = &har->out.buf;
	size_t start = buf->len;

	if (strcmp(rec->schema->type, "http") != 0 || !weir_record_has(rec, WEIR_F_TS)) {
		return 0;
	}
	strbuf_str(buf, har->any ? ",\n" : "\n");
	json_build_init(&entry.build, buf, false);
	put_entry(&entry);
	json_build_end(&entry.build);
	if (buf->failed) { /* leave no half of an entry */
		buf->len = start;
	} else {
		har->any = true;
	}
	return out_wrote(&har->out);
}

/* ---- the sink ---- */

static int har_open(const struct weir_sink_config *config, struct weir_sink **ret,
		    const char **ret_message)
{
	static const char *const known[] = {NULL};
	struct har_sink *har;
	int err;

	if (sink_unknown_option(config, known) != NULL) {
		*ret_message = "har has no options";
		return WEIR_EINVAL;
	}
	har = calloc(1, sizeof(*har));
	if (har == NULL) {
		*ret_message = "out of memory";
		return WEIR_ENOMEM;
	}
	err = out_open(&har->out, config->target, config->live);
	if (err < 0) {
		free(har);
		*ret_message = "cannot open the file for writing";
		return err;
	}
	har->charsets = har_charsets_new();
	if (har->charsets == NULL) {
		(void)out_close(&har->out);
		free(har);
		*ret_message = "out of memory";
		return WEIR_ENOMEM;
	}
	strbuf_init(&har->text);
	lookup_init(&har->lookup, config->schemas);
	put_head(har);
	*ret = (struct weir_sink *)har;
	return 0;
}

static bool har_wants(struct weir_sink *sink, const struct weir_schema *schema, size_t field)
{
	return strcmp(schema->type, "http") == 0 &&
	       lookup_wants(&self(sink)->lookup, schema, field);
}

static int har_flush(struct weir_sink *sink)
{
	return out_flush(&self(sink)->out);
}

/* The file that was moved away is made whole, and another document begins. */
static int har_reopen(struct weir_sink *sink)
{
	struct har_sink *har = self(sink);
	int err;

	if (har->out.target == NULL) {
		return out_flush(&har->out);
	}
	put_tail(har);
	err = out_reopen(&har->out);
	put_head(har);
	return err;
}

static int har_close(struct weir_sink *sink)
{
	struct har_sink *har = self(sink);
	int err;

	put_tail(har);
	err = out_close(&har->out);
	har_charsets_free(har->charsets);
	strbuf_fini(&har->text);
	free(har);
	return err;
}

const struct weir_sink_type sink_har = {
	.name = "har",
	.doc = "HTTP Archive 1.2, for developer tools",
	.open = har_open,
	.wants = har_wants,
	.record = har_record,
	.flush = har_flush,
	.reopen = har_reopen,
	.close = har_close,
};

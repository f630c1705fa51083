/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json format=otel: OpenTelemetry's log record in the form of its data model (Timestamp, TraceId, Resource, Attributes ...),
 * with the attributes of the semantic conventions for HTTP server spans, in flat names.
 *
 * There server.address is the name that the client asked for, and addresses of the packets are network.peer.address (client)
 * and network.local.address (server). A method that the conventions do not list is _OTHER, and the original stands beside it.
 * error.type of a 5xx without one is the code. What the conventions have no name for begins with `weir.`. Records of other types
 * (databases ...) have their fields under weir's names, which are OpenTelemetry's.
 */
#include "sink/json_rename.h"

#include <stdio.h>
#include <string.h>

static void put_member(struct json_build *build, const char *name, const char *text)
{
	json_build_key(build, name);
	json_build_text(build, text);
}

/* Unix nanoseconds as a string: more than a double holds. */
static void put_time(const struct weir_record *rec, struct json_build *build)
{
	char text[24];

	if (weir_record_has(rec, WEIR_F_TS)) {
		(void)snprintf(text, sizeof(text), "%lld", (long long)rec->values[WEIR_F_TS].v.i64);
		put_member(build, "Timestamp", text);
	}
}

static bool is_known_method(const struct weir_value *method)
{
	static const char *const known[] = {"GET",     "HEAD",    "POST",  "PUT",   "DELETE",
					    "CONNECT", "OPTIONS", "TRACE", "PATCH", NULL};
	size_t i;

	for (i = 0; known[i] != NULL; i++) {
		if (strlen(known[i]) == method->len &&
		    memcmp(known[i], method->v.bytes, method->len) == 0) {
			return true;
		}
	}
	return false;
}

static void put_method(const struct lookup *lookup, const struct weir_record *rec,
		       struct json_build *build)
{
	const struct weir_value *method = lookup_value(lookup, rec, LOOK_METHOD);

	if (method == NULL) {
		return;
	}
	if (!is_known_method(method)) {
		put_member(build, "http.request.method", "_OTHER");
		json_build_key(build, "http.request.method_original");
	} else {
		json_build_key(build, "http.request.method");
	}
	json_build_str(build, method->v.bytes, method->len);
}

/* The name that was asked for and its port; without one those of the packets. */
static void put_server(const struct lookup *lookup, const struct weir_record *rec,
		       struct json_build *build)
{
	static const struct json_rename_row domain[] = {RENAME("server.address", LOOK_DOMAIN)};
	static const struct json_rename_row address[] = {
		RENAME_COMMON("server.address", WEIR_F_SERVER_ADDRESS)};
	static const struct json_rename_row url_port[] = {RENAME("server.port", LOOK_URL_PORT)};
	static const struct json_rename_row port[] = {
		RENAME_COMMON("server.port", WEIR_F_SERVER_PORT)};

	if (lookup_value(lookup, rec, LOOK_DOMAIN) != NULL) {
		RENAME_PUT(lookup, rec, build, domain);
	} else {
		RENAME_PUT(lookup, rec, build, address);
	}
	if (lookup_value(lookup, rec, LOOK_URL_PORT) != NULL) {
		RENAME_PUT(lookup, rec, build, url_port);
	} else {
		RENAME_PUT(lookup, rec, build, port);
	}
}

/* http.request.header.<lower-case name>: [values], those of one name together. */
static void put_headers(const struct lookup *lookup, const struct weir_record *rec,
			struct json_build *build, const char *prefix, enum look list)
{
	enum { HEADERS_MAX = 128, LOW_MAX = 256 }; /* names that are written; of a name */
	const struct weir_value *headers = lookup_value(lookup, rec, list);
	struct strbuf name;
	uint32_t n = headers == NULL ? 0 : headers->len, i, k;

	strbuf_init(&name);
	n = n < HEADERS_MAX ? n : HEADERS_MAX;
	for (i = 0; i < n; i++) {
		const struct weir_header *header = &headers->v.headers[i];
		char low[LOW_MAX];
		bool before = false;

		for (k = 0; k < header->name.len && k < LOW_MAX - 1; k++) {
			uint8_t c = header->name.p[k];

			low[k] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
			before = before || c < 0x21 || c > 0x7e || c == '"' || c == '\\';
		}
		low[k] = '\0';
		for (k = 0; k < i && !before; k++) {
			before = lookup_is_header(&headers->v.headers[k], low);
		}
		if (before || header->name.len == 0 || header->name.len >= LOW_MAX - 1) {
			continue; /* written with the first, or no header's name */
		}
		strbuf_clear(&name);
		strbuf_str(&name, prefix);
		strbuf_str(&name, low);
		json_build_key(build, strbuf_text(&name));
		json_build_open(build, '[');
		for (k = i; k < n; k++) {
			const struct weir_header *same = &headers->v.headers[k];

			if (lookup_is_header(same, low)) {
				json_build_str(build, same->value.p, same->value.len);
			}
		}
		json_build_close(build, ']');
	}
	strbuf_fini(&name);
}

static void put_error(const struct lookup *lookup, const struct weir_record *rec,
		      struct json_build *build)
{
	static const struct json_rename_row error[] = {
		RENAME_COMMON("error.type", WEIR_F_ERROR_TYPE)};
	uint64_t status = lookup_u64(lookup, rec, LOOK_STATUS, 0);
	char text[24];

	if (weir_record_has(rec, WEIR_F_ERROR_TYPE)) {
		RENAME_PUT(lookup, rec, build, error);
	} else if (status >= 500 && status < 600) {
		(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)status);
		put_member(build, "error.type", text);
	}
}

static const struct json_rename_row http[] = {
	RENAME("url.full", LOOK_URL),
	RENAME("url.scheme", LOOK_SCHEME),
	RENAME("url.path", LOOK_PATH),
	RENAME("url.query", LOOK_QUERY),
	RENAME("http.route", LOOK_ROUTE),
	RENAME("user_agent.original", LOOK_USER_AGENT),
	RENAME("http.response.status_code", LOOK_STATUS),
	RENAME("http.request.body.size", LOOK_REQUEST_SIZE),
	RENAME("http.response.body.size", LOOK_RESPONSE_SIZE),
};

static const struct json_rename_row network[] = {
	RENAME_COMMON("client.address", WEIR_F_CLIENT_ADDRESS),
	RENAME_COMMON("client.port", WEIR_F_CLIENT_PORT),
	RENAME_COMMON("network.peer.address", WEIR_F_CLIENT_ADDRESS),
	RENAME_COMMON("network.peer.port", WEIR_F_CLIENT_PORT),
	RENAME_COMMON("network.local.address", WEIR_F_SERVER_ADDRESS),
	RENAME_COMMON("network.local.port", WEIR_F_SERVER_PORT),
	RENAME_COMMON("network.type", WEIR_F_NETWORK_TYPE),
	RENAME_COMMON("network.protocol.name", WEIR_F_NETWORK_PROTOCOL_NAME),
	RENAME_COMMON("network.protocol.version", WEIR_F_NETWORK_PROTOCOL_VERSION),
};

static const struct json_rename_row own[] = {
	RENAME_COMMON("weir.id", WEIR_F_ID),
	RENAME_COMMON("weir.flow_id", WEIR_F_FLOW_ID),
	RENAME_COMMON("weir.duration_ns", WEIR_F_DURATION),
	RENAME_COMMON("weir.timing.send_ns", WEIR_F_TIMING_SEND),
	RENAME_COMMON("weir.timing.wait_ns", WEIR_F_TIMING_WAIT),
	RENAME_COMMON("weir.timing.receive_ns", WEIR_F_TIMING_RECEIVE),
	RENAME_COMMON("weir.timing.stall_ns", WEIR_F_TIMING_STALL),
	RENAME_COMMON("weir.tcp.retransmits", WEIR_F_TCP_RETRANSMITS),
	RENAME_COMMON("weir.tcp.gaps", WEIR_F_TCP_GAPS),
	RENAME("weir.tcp.state", LOOK_TCP_STATE),
	RENAME_COMMON("weir.completeness", WEIR_F_COMPLETENESS),
	RENAME_COMMON("weir.missing_bytes", WEIR_F_MISSING_BYTES),
	RENAME_COMMON("weir.pairing", WEIR_F_PAIRING),
	RENAME_COMMON("weir.anomalies", WEIR_F_ANOMALIES),
	RENAME("weir.anomaly.code", LOOK_ANOMALY_CODE),
	RENAME("weir.anomaly.severity", LOOK_ANOMALY_SEVERITY),
	RENAME("weir.anomaly.evidence", LOOK_ANOMALY_EVIDENCE),
};

/* What a type has of its own, under its canonical names: those are OpenTelemetry's where it has one. */
static void put_rest(const struct weir_record *rec, struct json_build *build)
{
	size_t i;

	for (i = WEIR_NCOMMON; i < WEIR_NCOMMON + rec->schema->nfields; i++) {
		const struct weir_field *field = weir_schema_field(rec->schema, i);

		if (weir_record_has(rec, i) && field->kind != WEIR_KIND_HEADERS) {
			json_build_key(build, field->name);
			json_build_value(build, field->kind, &rec->values[i]);
		}
	}
}

static bool is_mapped(const struct weir_record *rec)
{
	return json_rename_is(rec, "http") || json_rename_is(rec, "tcp") ||
	       json_rename_is(rec, "anomaly");
}

static void put_attributes(const struct lookup *lookup, const struct weir_record *rec,
			   struct json_build *build)
{
	json_build_key(build, "Attributes");
	json_build_open(build, '{');
	if (is_mapped(rec)) {
		put_method(lookup, rec, build);
		RENAME_PUT(lookup, rec, build, http);
	}
	put_error(lookup, rec, build);
	put_server(lookup, rec, build);
	RENAME_PUT(lookup, rec, build, network);
	put_member(build, "network.transport", "tcp");
	put_headers(lookup, rec, build, "http.request.header.", LOOK_REQUEST_HEADER);
	put_headers(lookup, rec, build, "http.response.header.", LOOK_RESPONSE_HEADER);
	RENAME_PUT(lookup, rec, build, own);
	if (!is_mapped(rec)) {
		put_rest(rec, build);
	}
	json_build_close(build, '}');
}

static bool put(const struct lookup *lookup, const struct weir_record *rec,
		struct json_build *build)
{
	static const struct json_rename_row trace[] = {RENAME("TraceId", LOOK_TRACE)};
	char name[64];

	put_time(rec, build);
	RENAME_PUT(lookup, rec, build, trace);
	(void)snprintf(name, sizeof(name), "weir.%s", rec->schema->type);
	put_member(build, "EventName", name);
	if (weir_record_has(rec, WEIR_F_SERVICE_NAME)) {
		static const struct json_rename_row service[] = {
			RENAME_COMMON("service.name", WEIR_F_SERVICE_NAME)};

		json_build_key(build, "Resource");
		json_build_open(build, '{');
		RENAME_PUT(lookup, rec, build, service);
		json_build_close(build, '}');
	}
	put_attributes(lookup, rec, build);
	return true;
}

const struct json_rename json_rename_otel = {.name = "otel", .put = put};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json format=eve: events http, tls, flow and anomaly as Suricata 7 writes them to eve.json (its schema etc/schema.json, "extended"
 * http logging with dump-all-headers).
 *
 * flow_id is a number there: 53 bits of the flow's hash, stable across runs. Not written, because weir's records do not have
 * it: tx_id, app_proto of flows, bytes_toserver and bytes_toclient (Suricata counts whole packets), alerted.
 */
#include "sink/json_rename.h"

#include "base/time.h"

#include <stdio.h>
#include <string.h>

#define FLOW_ID_MASK ((UINT64_C(1) << 53) - 1) /* what a double holds exactly */

static void put_time(struct json_build *build, const char *name, int64_t ns)
{
	json_build_key(build, name);
	json_build_time(build, ns, 6, "+0000");
}

static void put_head(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build, const char *type)
{
	static const struct json_rename_row iface[] = {
		RENAME_COMMON("in_iface", WEIR_F_CAPTURE_INTERFACE)};
	static const struct json_rename_row tuple[] = {
		RENAME_COMMON("src_ip", WEIR_F_CLIENT_ADDRESS),
		RENAME_COMMON("src_port", WEIR_F_CLIENT_PORT),
		RENAME_COMMON("dest_ip", WEIR_F_SERVER_ADDRESS),
		RENAME_COMMON("dest_port", WEIR_F_SERVER_PORT),
	};
	static const struct json_rename_row community[] = {
		RENAME_COMMON("community_id", WEIR_F_NETWORK_COMMUNITY_ID)};
	static const struct json_rename_row packet[] = {
		RENAME_COMMON("pcap_cnt", WEIR_F_PACKET_LAST)};

	if (weir_record_has(rec, WEIR_F_TS)) {
		put_time(build, "timestamp", rec->values[WEIR_F_TS].v.i64);
	}
	if (rec->flow != NULL) {
		json_build_key(build, "flow_id");
		json_build_u64(build, rec->flow->hash & FLOW_ID_MASK);
	}
	RENAME_PUT(lookup, rec, build, iface);
	RENAME_PUT(lookup, rec, build, packet);
	json_build_key(build, "event_type");
	json_build_text(build, type);
	if (weir_record_has(rec, WEIR_F_NETWORK_VLAN_ID)) {
		json_build_key(build, "vlan");
		json_build_open(build, '[');
		json_build_u64(build, rec->values[WEIR_F_NETWORK_VLAN_ID].v.u64);
		json_build_close(build, ']');
	}
	RENAME_PUT(lookup, rec, build, tuple);
	json_build_key(build, "proto");
	json_build_text(build, "TCP");
	RENAME_PUT(lookup, rec, build, community);
}

/* ---- http ---- */

/* Host without its port, and the port when there is one. */
static void put_host(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build)
{
	const struct weir_header *header = lookup_header(lookup, rec, LOOK_REQUEST_HEADER, "host");
	struct weir_str host;
	uint64_t port = 0;
	uint32_t i;

	if (!json_rename_host(lookup, rec, &host)) {
		return;
	}
	json_build_key(build, "http.hostname");
	json_build_str(build, host.p, host.len);
	for (i = host.len + 1; header != NULL && i < header->value.len && port <= 65535; i++) {
		port = port * 10 + (uint64_t)(header->value.p[i] - '0');
	}
	if (port > 0 && port <= 65535) {
		json_build_key(build, "http.http_port");
		json_build_u64(build, port);
	}
}

static void put_content_type(const struct lookup *lookup, const struct weir_record *rec,
			     struct json_build *build)
{
	const struct weir_header *type =
		lookup_header(lookup, rec, LOOK_RESPONSE_HEADER, "content-type");

	if (type != NULL) {
		const uint8_t *end =
			type->value.len == 0 ? NULL : memchr(type->value.p, ';', type->value.len);

		json_build_key(build, "http.http_content_type");
		json_build_str(build, type->value.p,
			       end == NULL ? type->value.len : (size_t)(end - type->value.p));
	}
}

static void put_protocol(const struct weir_record *rec, struct json_build *build)
{
	const struct weir_value *version = lookup_common(rec, WEIR_F_NETWORK_PROTOCOL_VERSION);
	char text[32] = "HTTP/";

	if (version != NULL && version->len < sizeof(text) - 6) {
		memcpy(text + 5, version->v.bytes, version->len);
		json_build_key(build, "http.protocol");
		json_build_str(build, text, 5 + version->len);
	}
}

static void put_headers(const struct lookup *lookup, const struct weir_record *rec,
			struct json_build *build, const char *name, enum look list)
{
	const struct weir_value *headers = lookup_value(lookup, rec, list);
	uint32_t i;

	if (headers == NULL) {
		return;
	}
	json_build_key(build, name);
	json_build_open(build, '[');
	for (i = 0; i < headers->len; i++) {
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

static void put_body(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build, bool response)
{
	const struct weir_value *content =
		lookup_value(lookup, rec, response ? LOOK_RESPONSE_CONTENT : LOOK_REQUEST_CONTENT);
	bool base64 = lookup_is(
		lookup, rec, response ? LOOK_RESPONSE_ENCODING : LOOK_REQUEST_ENCODING, "base64");

	if (content == NULL) {
		return;
	}
	if (response) {
		json_build_key(build, base64 ? "http.http_response_body"
					     : "http.http_response_body_printable");
	} else {
		json_build_key(build, base64 ? "http.http_request_body"
					     : "http.http_request_body_printable");
	}
	json_build_str(build, content->v.bytes, content->len);
}

static void put_http(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build)
{
	static const struct json_rename_row request[] = {
		RENAME("http.url", LOOK_TARGET),
		RENAME("http.http_user_agent", LOOK_USER_AGENT),
	};
	static const struct json_rename_row method[] = {
		RENAME("http.http_refer", LOOK_REFERRER),
		RENAME("http.http_method", LOOK_METHOD),
	};
	static const struct json_rename_row status[] = {RENAME("http.status", LOOK_STATUS)};
	const struct weir_value *size =
		json_rename_size(lookup, rec, LOOK_RESPONSE_SIZE, LOOK_RESPONSE_DECODED);
	uint64_t code = lookup_u64(lookup, rec, LOOK_STATUS, 0);

	put_head(lookup, rec, build, "http");
	put_host(lookup, rec, build);
	RENAME_PUT(lookup, rec, build, request);
	json_rename_header(lookup, rec, build, "http.xff", LOOK_REQUEST_HEADER, "x-forwarded-for");
	put_content_type(lookup, rec, build);
	RENAME_PUT(lookup, rec, build, method);
	put_protocol(rec, build);
	RENAME_PUT(lookup, rec, build, status);
	if (code >= 300 && code < 400) {
		json_rename_header(lookup, rec, build, "http.redirect", LOOK_RESPONSE_HEADER,
				   "location");
	}
	json_build_key(build, "http.length");
	json_build_u64(build, size == NULL ? 0 : size->v.u64);
	put_headers(lookup, rec, build, "http.request_headers", LOOK_REQUEST_HEADER);
	put_headers(lookup, rec, build, "http.response_headers", LOOK_RESPONSE_HEADER);
	put_body(lookup, rec, build, false);
	put_body(lookup, rec, build, true);
}

/* ---- flow ---- */

static bool is_over(const struct lookup *lookup, const struct weir_record *rec)
{
	return lookup_is(lookup, rec, LOOK_TCP_STATE, "closed") ||
	       lookup_is(lookup, rec, LOOK_TCP_STATE, "reset");
}

static const char *flow_state(const struct lookup *lookup, const struct weir_record *rec)
{
	if (is_over(lookup, rec)) {
		return "closed";
	}
	return lookup_is(lookup, rec, LOOK_TCP_HANDSHAKE, "complete") ? "established" : "new";
}

static const char *tcp_state(const struct lookup *lookup, const struct weir_record *rec)
{
	if (is_over(lookup, rec)) {
		return "closed";
	}
	if (lookup_is(lookup, rec, LOOK_TCP_HANDSHAKE, "syn")) {
		return "syn_sent";
	}
	return lookup_is(lookup, rec, LOOK_TCP_HANDSHAKE, "syn_ack") ? "syn_recv" : "established";
}

/* NULL: Suricata would say when its flow manager came by. */
static const char *flow_reason(const struct lookup *lookup, const struct weir_record *rec)
{
	if (lookup_is(lookup, rec, LOOK_TCP_STATE, "timeout")) {
		return "timeout";
	}
	if (lookup_is(lookup, rec, LOOK_TCP_STATE, "evicted")) {
		return "forced";
	}
	return lookup_is(lookup, rec, LOOK_TCP_STATE, "open") ? "shutdown" : NULL;
}

static void put_flow(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build)
{
	static const struct json_rename_row packets[] = {
		RENAME("flow.pkts_toserver", LOOK_C2S_PACKETS),
		RENAME("flow.pkts_toclient", LOOK_S2C_PACKETS),
	};
	const struct weir_value *ts = lookup_common(rec, WEIR_F_TS);
	const struct weir_value *duration = lookup_common(rec, WEIR_F_DURATION);
	const char *reason = flow_reason(lookup, rec);

	put_head(lookup, rec, build, "flow");
	RENAME_PUT(lookup, rec, build, packets);
	if (ts != NULL) {
		put_time(build, "flow.start", ts->v.i64);
	}
	if (ts != NULL && duration != NULL) {
		put_time(build, "flow.end", ts->v.i64 + duration->v.i64);
		json_build_key(build, "flow.age");
		json_build_i64(build,
			       (ts->v.i64 + duration->v.i64) / NS_PER_S - ts->v.i64 / NS_PER_S);
	}
	json_build_key(build, "flow.state");
	json_build_text(build, flow_state(lookup, rec));
	if (reason != NULL) {
		json_build_key(build, "flow.reason");
		json_build_text(build, reason);
	}
	json_build_key(build, "tcp.state");
	json_build_text(build, tcp_state(lookup, rec));
}

/* ---- tls ---- */

/* "TLS 1.2", "SSLv3". Names of certificates are written in another order there, and are left out. */
static void put_tls(const struct lookup *lookup, const struct weir_record *rec,
		    struct json_build *build)
{
	static const struct json_rename_row rows[] = {RENAME("tls.sni", LOOK_TLS_SNI)};
	static const struct json_rename_row prints[] = {RENAME("tls.ja3.hash", LOOK_TLS_JA3),
							RENAME("tls.ja3s.hash", LOOK_TLS_JA3S),
							RENAME("tls.ja4", LOOK_TLS_JA4)};
	const struct weir_value *version = lookup_value(lookup, rec, LOOK_TLS_VERSION);
	char text[32] = "UNDETERMINED";

	put_head(lookup, rec, build, "tls");
	if (lookup_u64(lookup, rec, LOOK_TLS_RESUMED, 0) != 0) {
		json_build_key(build, "tls.session_resumed");
		json_build_bool(build, true);
	}
	RENAME_PUT(lookup, rec, build, rows);
	if (version != NULL && version->len == 3 && memcmp(version->v.bytes, "3.0", 3) == 0) {
		(void)snprintf(text, sizeof(text), "SSLv3");
	} else if (version != NULL) {
		(void)snprintf(text, sizeof(text), "TLS %.*s", (int)version->len,
			       (const char *)version->v.bytes);
	}
	json_build_key(build, "tls.version");
	json_build_text(build, text);
	RENAME_PUT(lookup, rec, build, prints);
}

/* ---- anomaly ---- */

static void put_anomaly(const struct lookup *lookup, const struct weir_record *rec,
			struct json_build *build)
{
	static const struct json_rename_row rows[] = {RENAME("anomaly.event", LOOK_ANOMALY_CODE)};
	const struct weir_value *code = lookup_value(lookup, rec, LOOK_ANOMALY_CODE);
	bool stream = code != NULL && code->len > 4 && memcmp(code->v.bytes, "tcp.", 4) == 0;

	put_head(lookup, rec, build, "anomaly");
	json_build_key(build, "anomaly.type");
	json_build_text(build, stream ? "stream" : "applayer");
	RENAME_PUT(lookup, rec, build, rows);
}

static bool put(const struct lookup *lookup, const struct weir_record *rec,
		struct json_build *build)
{
	if (json_rename_is(rec, "http")) {
		put_http(lookup, rec, build);
	} else if (json_rename_is(rec, "tcp")) {
		put_flow(lookup, rec, build);
	} else if (json_rename_is(rec, "tls")) {
		put_tls(lookup, rec, build);
	} else if (json_rename_is(rec, "anomaly")) {
		put_anomaly(lookup, rec, build);
	} else {
		return false;
	}
	return true;
}

const struct json_rename json_rename_eve = {.name = "eve", .nested = true, .put = put};

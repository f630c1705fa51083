/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json format=zeek: http.log, ssl.log, conn.log and weird.log as Zeek writes them with LogAscii::use_json, all in one stream, told apart
 * by _path as the json-streaming-logs package does. Names and their order are those of Zeek 6's scripts
 * (base/protocols/http/main.zeek, base/protocols/conn/main.zeek, base/frameworks/notice/weird.zeek).
 *
 * uid is weir's flow_id. Sizes of bodies are after content decoding where weir decodes (--bodies=hash), as Zeek's are. orig_bytes
 * and resp_bytes are payload by sequence numbers, missing bytes included. Not written, because weir's records do not have
 * it: trans_depth, local_orig, local_resp, history, the IP bytes, file ids; conn_state of a reset connection, whose resetting side
 * is not told.
 */
#include "sink/json_rename.h"

#include <string.h>

static const struct json_rename_row ids[] = {
	RENAME_COMMON("uid", WEIR_F_FLOW_ID),
	RENAME_COMMON("id.orig_h", WEIR_F_CLIENT_ADDRESS),
	RENAME_COMMON("id.orig_p", WEIR_F_CLIENT_PORT),
	RENAME_COMMON("id.resp_h", WEIR_F_SERVER_ADDRESS),
	RENAME_COMMON("id.resp_p", WEIR_F_SERVER_PORT),
};

static void put_head(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build, const char *path)
{
	json_build_key(build, "_path");
	json_build_text(build, path);
	if (weir_record_has(rec, WEIR_F_TS)) {
		json_build_key(build, "ts");
		json_build_epoch(build, rec->values[WEIR_F_TS].v.i64);
	}
	RENAME_PUT(lookup, rec, build, ids);
}

/* ---- http.log ---- */

static void put_host(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build)
{
	struct weir_str host;

	if (json_rename_host(lookup, rec, &host)) {
		json_build_key(build, "host");
		json_build_str(build, host.p, host.len);
	}
}

static void put_version(const struct lookup *lookup, const struct weir_record *rec,
			struct json_build *build)
{
	const struct weir_value *version = lookup_value(lookup, rec, LOOK_REPLY_VERSION);

	if (version == NULL) {
		version = lookup_common(rec, WEIR_F_NETWORK_PROTOCOL_VERSION);
	}
	if (version != NULL) {
		json_build_key(build, "version");
		json_build_str(build, version->v.bytes, version->len);
	}
}

static void put_size(const struct weir_value *size, struct json_build *build, const char *name)
{
	json_build_key(build, name);
	json_build_u64(build, size == NULL ? 0 : size->v.u64);
}

/* The last of the interim responses. */
static void put_info(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build)
{
	const struct weir_value *interim = lookup_value(lookup, rec, LOOK_INTERIM);

	if (interim != NULL && interim->len > 0) {
		json_build_key(build, "info_code");
		json_build_u64(build, interim->v.u64s[interim->len - 1]);
	}
}

static const char *const proxy_headers[] = {
	"forwarded", "x-forwarded-for",  "x-forwarded-from", "client-ip",
	"via",       "xroxy-connection", "proxy-connection",
};

static bool is_proxy_header(const struct weir_header *header)
{
	size_t i;

	for (i = 0; i < sizeof(proxy_headers) / sizeof(proxy_headers[0]); i++) {
		if (lookup_is_header(header, proxy_headers[i])) {
			return true;
		}
	}
	return false;
}

/* "X-FORWARDED-FOR -> 192.0.2.1" */
static void put_proxied(const struct lookup *lookup, const struct weir_record *rec,
			struct json_build *build)
{
	const struct weir_value *headers = lookup_value(lookup, rec, LOOK_REQUEST_HEADER);
	struct strbuf text;
	bool any = false;
	uint32_t i, k;

	strbuf_init(&text);
	for (i = 0; headers != NULL && i < headers->len; i++) {
		const struct weir_header *header = &headers->v.headers[i];

		if (!is_proxy_header(header)) {
			continue;
		}
		if (!any) {
			json_build_key(build, "proxied");
			json_build_open(build, '[');
			any = true;
		}
		strbuf_clear(&text);
		for (k = 0; k < header->name.len; k++) {
			uint8_t c = header->name.p[k];

			strbuf_char(&text, (char)(c >= 'a' && c <= 'z' ? c - 0x20 : c));
		}
		strbuf_str(&text, " -> ");
		strbuf_add(&text, header->value.p, header->value.len);
		json_build_str(build, text.p, text.len);
	}
	if (any) {
		json_build_close(build, ']');
	}
	strbuf_fini(&text);
}

static void put_mime(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build, const char *name, enum look what)
{
	const struct weir_value *mime = lookup_value(lookup, rec, what);

	if (mime != NULL) {
		json_build_key(build, name);
		json_build_open(build, '[');
		json_build_str(build, mime->v.bytes, mime->len);
		json_build_close(build, ']');
	}
}

static void put_http(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build)
{
	static const struct json_rename_row method[] = {RENAME("method", LOOK_METHOD)};
	static const struct json_rename_row uri[] = {RENAME("uri", LOOK_TARGET),
						     RENAME("referrer", LOOK_REFERRER)};
	static const struct json_rename_row agent[] = {RENAME("user_agent", LOOK_USER_AGENT)};
	static const struct json_rename_row status[] = {RENAME("status_code", LOOK_STATUS),
							RENAME("status_msg", LOOK_REASON)};
	static const struct json_rename_row user[] = {RENAME("username", LOOK_USER)};

	put_head(lookup, rec, build, "http");
	RENAME_PUT(lookup, rec, build, method);
	put_host(lookup, rec, build);
	RENAME_PUT(lookup, rec, build, uri);
	put_version(lookup, rec, build);
	RENAME_PUT(lookup, rec, build, agent);
	json_rename_header(lookup, rec, build, "origin", LOOK_REQUEST_HEADER, "origin");
	put_size(json_rename_size(lookup, rec, LOOK_REQUEST_SIZE, LOOK_REQUEST_DECODED), build,
		 "request_body_len");
	put_size(json_rename_size(lookup, rec, LOOK_RESPONSE_SIZE, LOOK_RESPONSE_DECODED), build,
		 "response_body_len");
	RENAME_PUT(lookup, rec, build, status);
	put_info(lookup, rec, build);
	json_build_key(build, "tags");
	json_build_open(build, '[');
	json_build_close(build, ']');
	RENAME_PUT(lookup, rec, build, user);
	put_proxied(lookup, rec, build);
	put_mime(lookup, rec, build, "orig_mime_types", LOOK_REQUEST_MIME);
	put_mime(lookup, rec, build, "resp_mime_types", LOOK_RESPONSE_MIME);
}

/* ---- conn.log ---- */

/* NULL: it takes more than the record tells. */
static const char *conn_state(const struct lookup *lookup, const struct weir_record *rec)
{
	bool reset = lookup_is(lookup, rec, LOOK_TCP_STATE, "reset");
	bool closed = lookup_is(lookup, rec, LOOK_TCP_STATE, "closed");

	if (lookup_is(lookup, rec, LOOK_TCP_HANDSHAKE, "complete")) {
		return closed ? "SF" : reset ? NULL : "S1";
	}
	if (lookup_is(lookup, rec, LOOK_TCP_HANDSHAKE, "syn")) {
		if (reset) {
			return lookup_u64(lookup, rec, LOOK_S2C_PACKETS, 0) > 0 ? "REJ" : "RSTOS0";
		}
		return closed ? "SH" : "S0";
	}
	if (lookup_is(lookup, rec, LOOK_TCP_HANDSHAKE, "syn_ack")) {
		return closed ? "SHR" : NULL;
	}
	return "OTH";
}

static void put_bytes(const struct lookup *lookup, const struct weir_record *rec,
		      struct json_build *build, const char *name, enum look delivered,
		      enum look missing)
{
	json_build_key(build, name);
	json_build_u64(build,
		       lookup_u64(lookup, rec, delivered, 0) + lookup_u64(lookup, rec, missing, 0));
}

static void put_conn(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build)
{
	static const struct json_rename_row rest[] = {
		RENAME("orig_pkts", LOOK_C2S_PACKETS),
		RENAME("resp_pkts", LOOK_S2C_PACKETS),
		RENAME_COMMON("vlan", WEIR_F_NETWORK_VLAN_ID),
		RENAME_COMMON("community_id", WEIR_F_NETWORK_COMMUNITY_ID),
	};
	const char *state = conn_state(lookup, rec);

	put_head(lookup, rec, build, "conn");
	json_build_key(build, "proto");
	json_build_text(build, "tcp");
	if (weir_record_has(rec, WEIR_F_DURATION)) {
		json_build_key(build, "duration");
		json_build_seconds(build, rec->values[WEIR_F_DURATION].v.i64);
	}
	put_bytes(lookup, rec, build, "orig_bytes", LOOK_C2S_DELIVERED, LOOK_C2S_GAP_BYTES);
	put_bytes(lookup, rec, build, "resp_bytes", LOOK_S2C_DELIVERED, LOOK_S2C_GAP_BYTES);
	if (state != NULL) {
		json_build_key(build, "conn_state");
		json_build_text(build, state);
	}
	put_bytes(lookup, rec, build, "missed_bytes", LOOK_C2S_GAP_BYTES, LOOK_S2C_GAP_BYTES);
	RENAME_PUT(lookup, rec, build, rest);
}

/* ---- ssl.log ---- */

/* TLSv12, SSLv3; a draft has the name that we have. */
static void put_tls_version(const struct weir_value *version, struct json_build *build)
{
	char text[24] = "TLSv";
	size_t len = 4;
	uint32_t i;

	if (version->len == 3 && memcmp(version->v.bytes, "3.0", 3) == 0) {
		json_build_text(build, "SSLv3");
		return;
	}
	for (i = 0; i < version->len && len < sizeof(text) - 1; i++) {
		if (version->v.bytes[i] != '.') {
			text[len++] = (char)version->v.bytes[i];
		}
	}
	json_build_str(build, (const uint8_t *)text, len);
}

/* The description of the last alert: "s2c fatal handshake_failure" */
static void put_last_alert(const struct weir_value *alerts, struct json_build *build)
{
	const struct weir_str *last = &alerts->v.strs[alerts->len - 1];
	const uint8_t *blank = memrchr(last->p, ' ', last->len);
	size_t from = blank == NULL ? 0 : (size_t)(blank - last->p) + 1;

	json_build_key(build, "last_alert");
	json_build_str(build, last->p + from, last->len - from);
}

static void put_ssl(const struct lookup *lookup, const struct weir_record *rec,
		    struct json_build *build)
{
	static const struct json_rename_row chosen[] = {
		RENAME("cipher", LOOK_TLS_CIPHER), RENAME("curve", LOOK_TLS_CURVE),
		RENAME("server_name", LOOK_TLS_SNI), RENAME("resumed", LOOK_TLS_RESUMED)};
	static const struct json_rename_row rest[] = {
		RENAME("next_protocol", LOOK_TLS_NEXT),
		RENAME("established", LOOK_TLS_ESTABLISHED),
		RENAME("cert_chain_fps", LOOK_TLS_CHAIN),
		RENAME("client_cert_chain_fps", LOOK_TLS_CLIENT_CHAIN),
		RENAME("subject", LOOK_TLS_SUBJECT),
		RENAME("issuer", LOOK_TLS_ISSUER),
		RENAME("client_subject", LOOK_TLS_CLIENT_SUBJECT),
		RENAME("client_issuer", LOOK_TLS_CLIENT_ISSUER),
		RENAME("ja3", LOOK_TLS_JA3),
		RENAME("ja3s", LOOK_TLS_JA3S)};
	const struct weir_value *version = lookup_value(lookup, rec, LOOK_TLS_VERSION);
	const struct weir_value *alerts = lookup_value(lookup, rec, LOOK_TLS_ALERTS);

	put_head(lookup, rec, build, "ssl");
	if (version != NULL) {
		json_build_key(build, "version");
		put_tls_version(version, build);
	}
	RENAME_PUT(lookup, rec, build, chosen);
	if (alerts != NULL && alerts->len > 0) {
		put_last_alert(alerts, build);
	}
	RENAME_PUT(lookup, rec, build, rest);
}

/* ---- weird.log ---- */

static void put_weird(const struct lookup *lookup, const struct weir_record *rec,
		      struct json_build *build)
{
	static const struct json_rename_row rows[] = {RENAME("name", LOOK_ANOMALY_CODE),
						      RENAME("addl", LOOK_ANOMALY_EVIDENCE)};

	put_head(lookup, rec, build, "weird");
	RENAME_PUT(lookup, rec, build, rows);
	json_build_key(build, "notice");
	json_build_bool(build, false);
	json_build_key(build, "peer");
	json_build_text(build, "weir");
}

static bool put(const struct lookup *lookup, const struct weir_record *rec,
		struct json_build *build)
{
	if (json_rename_is(rec, "http")) {
		put_http(lookup, rec, build);
	} else if (json_rename_is(rec, "tcp")) {
		put_conn(lookup, rec, build);
	} else if (json_rename_is(rec, "tls")) {
		put_ssl(lookup, rec, build);
	} else if (json_rename_is(rec, "anomaly")) {
		put_weird(lookup, rec, build);
	} else {
		return false;
	}
	return true;
}

const struct json_rename json_rename_zeek = {.name = "zeek", .put = put};

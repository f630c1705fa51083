/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json format=ecs: Elastic Common Schema 8.11. What ECS has no field for stands under `weir`.
 *
 * source is the client and destination the server, as ECS has it for a protocol's request. network.vlan.id is a keyword there:
 * a string. http.request.bytes and the like count heads too and are left out; the bodies' sizes are there.
 */
#include "sink/json_rename.h"

#include <stdio.h>
#include <string.h>

static void put_member(struct json_build *build, const char *name, const char *text)
{
	json_build_key(build, name);
	json_build_text(build, text);
}

static void put_list(struct json_build *build, const char *name, const char *const *words)
{
	json_build_key(build, name);
	json_build_open(build, '[');
	for (; *words != NULL; words++) {
		json_build_text(build, *words);
	}
	json_build_close(build, ']');
}

/* success and failure are the server's answer's, as in Packetbeat: 400 and above failed. */
static void put_outcome(const struct lookup *lookup, const struct weir_record *rec,
			struct json_build *build)
{
	uint64_t status = lookup_u64(lookup, rec, LOOK_STATUS, 0);

	if (status > 0) {
		put_member(build, "event.outcome", status < 400 ? "success" : "failure");
	}
}

static void put_event(const struct lookup *lookup, const struct weir_record *rec,
		      struct json_build *build)
{
	static const char *const http_category[] = {"network", "web", NULL};
	static const char *const category[] = {"network", NULL};
	static const char *const http_type[] = {"connection", "protocol", NULL};
	static const char *const flow_type[] = {"connection", "end", NULL};
	static const char *const anomaly_type[] = {"info", NULL};
	static const struct json_rename_row id[] = {RENAME_COMMON("event.id", WEIR_F_ID)};
	bool http = json_rename_is(rec, "http");
	bool anomaly = json_rename_is(rec, "anomaly");
	const struct weir_value *ts = lookup_common(rec, WEIR_F_TS);
	const struct weir_value *duration = lookup_common(rec, WEIR_F_DURATION);
	char dataset[64];

	(void)snprintf(dataset, sizeof(dataset), "weir.%s", rec->schema->type);
	put_member(build, "event.kind", "event");
	put_list(build, "event.category", http ? http_category : category);
	put_list(build, "event.type", http ? http_type : anomaly ? anomaly_type : flow_type);
	put_member(build, "event.module", "weir");
	put_member(build, "event.dataset", dataset);
	RENAME_PUT(lookup, rec, build, id);
	if (ts != NULL && duration != NULL) {
		json_build_key(build, "event.start");
		json_build_time(build, ts->v.i64, 9, "Z");
		json_build_key(build, "event.end");
		json_build_time(build, ts->v.i64 + duration->v.i64, 9, "Z");
		json_build_key(build, "event.duration");
		json_build_i64(build, duration->v.i64);
	}
	if (anomaly) {
		static const struct json_rename_row code[] = {
			RENAME("event.code", LOOK_ANOMALY_CODE)};

		RENAME_PUT(lookup, rec, build, code);
	}
	put_outcome(lookup, rec, build);
}

static void put_network(const struct lookup *lookup, const struct weir_record *rec,
			struct json_build *build)
{
	static const struct json_rename_row rows[] = {
		RENAME_COMMON("network.type", WEIR_F_NETWORK_TYPE),
		RENAME_COMMON("network.protocol", WEIR_F_NETWORK_PROTOCOL_NAME),
		RENAME_COMMON("network.community_id", WEIR_F_NETWORK_COMMUNITY_ID),
	};

	put_member(build, "network.transport", "tcp");
	RENAME_PUT(lookup, rec, build, rows);
	if (weir_record_has(rec, WEIR_F_NETWORK_VLAN_ID)) {
		char text[24];

		(void)snprintf(text, sizeof(text), "%llu",
			       (unsigned long long)rec->values[WEIR_F_NETWORK_VLAN_ID].v.u64);
		put_member(build, "network.vlan.id", text);
	}
}

static const struct json_rename_row ends[] = {
	RENAME_COMMON("source.address", WEIR_F_CLIENT_ADDRESS),
	RENAME_COMMON("source.ip", WEIR_F_CLIENT_ADDRESS),
	RENAME_COMMON("source.port", WEIR_F_CLIENT_PORT),
	RENAME("source.packets", LOOK_C2S_PACKETS),
	RENAME_COMMON("destination.address", WEIR_F_SERVER_ADDRESS),
	RENAME_COMMON("destination.ip", WEIR_F_SERVER_ADDRESS),
	RENAME_COMMON("destination.port", WEIR_F_SERVER_PORT),
	RENAME("destination.packets", LOOK_S2C_PACKETS),
	RENAME_COMMON("client.address", WEIR_F_CLIENT_ADDRESS),
	RENAME_COMMON("client.ip", WEIR_F_CLIENT_ADDRESS),
	RENAME_COMMON("client.port", WEIR_F_CLIENT_PORT),
	RENAME_COMMON("server.address", WEIR_F_SERVER_ADDRESS),
	RENAME_COMMON("server.ip", WEIR_F_SERVER_ADDRESS),
	RENAME_COMMON("server.port", WEIR_F_SERVER_PORT),
};

static const struct json_rename_row http[] = {
	RENAME_COMMON("http.version", WEIR_F_NETWORK_PROTOCOL_VERSION),
	RENAME("http.request.method", LOOK_METHOD),
	RENAME("http.request.referrer", LOOK_REFERRER),
	RENAME("http.request.mime_type", LOOK_REQUEST_MIME),
	RENAME("http.request.body.bytes", LOOK_REQUEST_SIZE),
	RENAME("http.request.body.content", LOOK_REQUEST_CONTENT),
	RENAME("http.response.status_code", LOOK_STATUS),
	RENAME("http.response.mime_type", LOOK_RESPONSE_MIME),
	RENAME("http.response.body.bytes", LOOK_RESPONSE_SIZE),
	RENAME("http.response.body.content", LOOK_RESPONSE_CONTENT),
};

static const struct json_rename_row url[] = {
	RENAME("url.full", LOOK_URL),      RENAME("url.original", LOOK_TARGET),
	RENAME("url.scheme", LOOK_SCHEME), RENAME("url.domain", LOOK_DOMAIN),
	RENAME("url.port", LOOK_URL_PORT), RENAME("url.path", LOOK_PATH),
	RENAME("url.query", LOOK_QUERY),
};

static const struct json_rename_row rest[] = {
	RENAME("user_agent.original", LOOK_USER_AGENT),
	RENAME("user.name", LOOK_USER),
	RENAME("trace.id", LOOK_TRACE),
	RENAME_COMMON("service.name", WEIR_F_SERVICE_NAME),
	RENAME_COMMON("error.type", WEIR_F_ERROR_TYPE),
};

static const struct json_rename_row own[] = {
	RENAME_COMMON("weir.flow_id", WEIR_F_FLOW_ID),
	RENAME_COMMON("weir.packet.first", WEIR_F_PACKET_FIRST),
	RENAME_COMMON("weir.packet.last", WEIR_F_PACKET_LAST),
	RENAME_COMMON("weir.timing.send_ns", WEIR_F_TIMING_SEND),
	RENAME_COMMON("weir.timing.wait_ns", WEIR_F_TIMING_WAIT),
	RENAME_COMMON("weir.timing.receive_ns", WEIR_F_TIMING_RECEIVE),
	RENAME_COMMON("weir.timing.stall_ns", WEIR_F_TIMING_STALL),
	RENAME_COMMON("weir.tcp.rtt_ns", WEIR_F_TCP_RTT),
	RENAME_COMMON("weir.tcp.retransmits", WEIR_F_TCP_RETRANSMITS),
	RENAME_COMMON("weir.tcp.out_of_order", WEIR_F_TCP_OUT_OF_ORDER),
	RENAME_COMMON("weir.tcp.gaps", WEIR_F_TCP_GAPS),
	RENAME("weir.tcp.state", LOOK_TCP_STATE),
	RENAME("weir.tcp.handshake", LOOK_TCP_HANDSHAKE),
	RENAME_COMMON("weir.completeness", WEIR_F_COMPLETENESS),
	RENAME_COMMON("weir.missing_bytes", WEIR_F_MISSING_BYTES),
	RENAME_COMMON("weir.pairing", WEIR_F_PAIRING),
	RENAME_COMMON("weir.anomalies", WEIR_F_ANOMALIES),
	RENAME("weir.anomaly.severity", LOOK_ANOMALY_SEVERITY),
	RENAME("weir.anomaly.evidence", LOOK_ANOMALY_EVIDENCE),
	RENAME("weir.route", LOOK_ROUTE),
};

static const struct json_rename_row tls[] = {
	RENAME("tls.version", LOOK_TLS_VERSION),
	RENAME("tls.version_protocol", LOOK_TLS_PROTOCOL),
	RENAME("tls.cipher", LOOK_TLS_CIPHER),
	RENAME("tls.curve", LOOK_TLS_CURVE),
	RENAME("tls.next_protocol", LOOK_TLS_NEXT),
	RENAME("tls.established", LOOK_TLS_ESTABLISHED),
	RENAME("tls.resumed", LOOK_TLS_RESUMED),
	RENAME("tls.client.server_name", LOOK_TLS_SNI),
	RENAME("tls.client.supported_ciphers", LOOK_TLS_CIPHERS),
	RENAME("tls.client.ja3", LOOK_TLS_JA3),
	RENAME("tls.client.subject", LOOK_TLS_CLIENT_SUBJECT),
	RENAME("tls.client.issuer", LOOK_TLS_CLIENT_ISSUER),
	RENAME("tls.server.ja3s", LOOK_TLS_JA3S),
	RENAME("tls.server.subject", LOOK_TLS_SUBJECT),
	RENAME("tls.server.issuer", LOOK_TLS_ISSUER),
	RENAME("tls.server.not_before", LOOK_TLS_NOT_BEFORE),
	RENAME("tls.server.not_after", LOOK_TLS_NOT_AFTER),
	RENAME("tls.server.hash.sha256", LOOK_TLS_SHA256),
};

static bool put(const struct lookup *lookup, const struct weir_record *rec,
		struct json_build *build)
{
	static const struct json_rename_row time[] = {RENAME_COMMON("@timestamp", WEIR_F_TS)};
	static const struct json_rename_row iface[] = {
		RENAME_COMMON("observer.ingress.interface.name", WEIR_F_CAPTURE_INTERFACE)};

	if (!json_rename_is(rec, "http") && !json_rename_is(rec, "tcp") &&
	    !json_rename_is(rec, "anomaly") && !json_rename_is(rec, "tls")) {
		return false;
	}
	RENAME_PUT(lookup, rec, build, time);
	put_member(build, "ecs.version", "8.11.0");
	put_event(lookup, rec, build);
	put_network(lookup, rec, build);
	RENAME_PUT(lookup, rec, build, ends);
	if (json_rename_is(rec, "http")) {
		RENAME_PUT(lookup, rec, build, http);
		RENAME_PUT(lookup, rec, build, url);
	} else if (json_rename_is(rec, "tls")) {
		RENAME_PUT(lookup, rec, build, tls);
	}
	RENAME_PUT(lookup, rec, build, rest);
	put_member(build, "observer.type", "network");
	put_member(build, "observer.product", "weir");
	RENAME_PUT(lookup, rec, build, iface);
	RENAME_PUT(lookup, rec, build, own);
	return true;
}

const struct json_rename json_rename_ecs = {.name = "ecs", .nested = true, .put = put};

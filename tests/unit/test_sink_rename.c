/* SPDX-License-Identifier: Apache-2.0 */
/* json format=zeek, eve, ecs, otel: literal lines, names as those tools write them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "http/fields.h"
#include "parser/registry.h"
#include "record/anomaly_fields.h"
#include "record/tcp_fields.h"
#include "sample_record.h"
#include "sink/json_rename.h"
#include "sink/sink.h"
#include "weir/error.h"

/* The fourth is that of a parser's. */
static const struct weir_schema *schemas[] = {&record_tcp_schema, &record_anomaly_schema,
					      &http_schema, NULL, NULL};

static void check(const struct json_rename *rename, const struct weir_record *rec, const char *want)
{
	struct lookup *lookup = malloc(sizeof(*lookup));
	struct strbuf out;
	json_error_t error;
	json_t *json;

	assert_non_null(lookup);
	lookup_init(lookup, schemas);
	strbuf_init(&out);
	assert_int_equal(json_rename_write(rename, lookup, rec, &out), 1);
	assert_string_equal(strbuf_text(&out), want);
	json = json_loads(want, JSON_REJECT_DUPLICATES, &error);
	if (json == NULL) {
		print_error("%s at %d: %s\n", error.text, error.position, want);
	}
	assert_non_null(json);
	json_decref(json);
	strbuf_fini(&out);
	free(lookup);
}

/* POST http://shop.test:8080/v1/orders?x=1 with an early 103, answered 503, in VLAN 12. */
static void fill_http(struct sample *sample)
{
	struct weir_record *rec;

	sample_init(sample, &http_schema);
	rec = sample->rec;
	sample->flow.hash = UINT64_C(0xf020000000000007);
	sample_head(rec, INT64_C(1763821049702000999), "01KAMZ9Q1P0000000000000001", "2001:db8::17",
		    8080);
	sample_http(rec);
	weir_record_set_u64(rec, WEIR_F_NETWORK_VLAN_ID, 12);
	weir_record_set_static(rec, WEIR_F_SERVICE_NAME, "shop.test");
	weir_record_set_static(rec, WEIR_F_CAPTURE_INTERFACE, "eth0");
	weir_record_set_u64(rec, WEIR_F_PACKET_FIRST, 4);
	weir_record_set_u64(rec, WEIR_F_PACKET_LAST, 9);
	weir_record_set_i64(rec, WEIR_F_DURATION, 21000001);
	weir_record_set_i64(rec, WEIR_F_TIMING_STALL, 5);
	weir_record_set_static(rec, WEIR_F_COMPLETENESS, "complete");
	weir_record_set_static(rec, HTTP_F_METHOD, "POST");
	weir_record_set_static(rec, HTTP_F_TARGET, "/v1/orders?x=1");
	weir_record_set_static(rec, HTTP_F_URL_FULL, "http://shop.test:8080/v1/orders?x=1");
	weir_record_set_static(rec, HTTP_F_URL_SCHEME, "http");
	weir_record_set_static(rec, HTTP_F_URL_DOMAIN, "shop.test");
	weir_record_set_u64(rec, HTTP_F_URL_PORT, 8080);
	weir_record_set_static(rec, HTTP_F_URL_PATH, "/v1/orders");
	weir_record_set_static(rec, HTTP_F_URL_QUERY, "x=1");
	weir_record_set_static(rec, HTTP_F_ROUTE, "/v1/orders");
	weir_record_set_static(rec, HTTP_F_USER_AGENT, "curl/7.88.1");
	weir_record_set_static(rec, HTTP_F_REFERRER, "http://shop.test/");
	weir_record_set_static(rec, HTTP_F_USER_NAME, "ada");
	weir_record_set_static(rec, HTTP_F_TRACE_ID, "4bf92f3577b34da6a3ce929d0e0e4736");
	SAMPLE_HEADERS(rec, HTTP_F_REQUEST_HEADER, {"Host", "shop.test:8080"},
		       {"X-Forwarded-For", "192.0.2.1"}, {"Origin", "http://o.test"});
	weir_record_set_u64(rec, HTTP_F_REQUEST_BODY_SIZE, 37);
	weir_record_set_u64(rec, HTTP_F_STATUS, 503);
	weir_record_set_static(rec, HTTP_F_REASON, "Busy");
	weir_record_add_u64(rec, HTTP_F_INTERIM, 103);
	sample_header(rec, HTTP_F_RESPONSE_HEADER, "Content-Type",
		      "application/json; charset=utf-8");
	SAMPLE_HEADERS(rec, HTTP_F_RESPONSE_HEADER, {"Via", "a"}, {"via", "b"});
	weir_record_set_u64(rec, HTTP_F_RESPONSE_BODY_SIZE, 20);
	weir_record_set_u64(rec, HTTP_F_RESPONSE_DECODED_SIZE, 23);
	weir_record_set_static(rec, HTTP_F_RESPONSE_MIME, "application/json");
	weir_record_set_static(rec, HTTP_F_RESPONSE_CONTENT, "{\"error\":\"busy\"}");
}

static void fill_tcp(struct sample *sample)
{
	struct weir_record *rec;

	sample_init(sample, &record_tcp_schema);
	rec = sample->rec;
	sample->flow.hash = 7;
	sample_head(rec, INT64_C(1763821049902000000), "01KAMZ9Q1P0000000000000002", "10.2.4.17",
		    80);
	weir_record_set_u64(rec, WEIR_F_PACKET_LAST, 20);
	weir_record_set_i64(rec, WEIR_F_DURATION, INT64_C(1500000000));
	weir_record_set_static(rec, TCP_F_STATE, "closed");
	weir_record_set_static(rec, TCP_F_HANDSHAKE, "complete");
	weir_record_set_u64(rec, record_tcp_field(WEIR_C2S, TCP_DIR_PACKETS), 6);
	weir_record_set_u64(rec, record_tcp_field(WEIR_S2C, TCP_DIR_PACKETS), 5);
	weir_record_set_u64(rec, record_tcp_field(WEIR_C2S, TCP_DIR_DELIVERED), 140);
	weir_record_set_u64(rec, record_tcp_field(WEIR_S2C, TCP_DIR_DELIVERED), 300);
	weir_record_set_u64(rec, record_tcp_field(WEIR_S2C, TCP_DIR_GAP_BYTES), 20);
}

static void zeek_http_log(void **state)
{
	struct sample sample;

	fill_http(&sample);
	check(&json_rename_zeek, sample.rec,
	      "{\"_path\":\"http\",\"ts\":1763821049.702000,\"uid\":\"01KAMZ9Q1P0000000000000000\","
	      "\"id.orig_h\":\"10.2.1.40\",\"id.orig_p\":51774,\"id.resp_h\":\"2001:db8::17\","
	      "\"id.resp_p\":8080,\"method\":\"POST\",\"host\":\"shop.test\","
	      "\"uri\":\"/v1/orders?x=1\",\"referrer\":\"http://shop.test/\",\"version\":\"1.1\","
	      "\"user_agent\":\"curl/7.88.1\",\"origin\":\"http://o.test\","
	      "\"request_body_len\":37,\"response_body_len\":23,\"status_code\":503,"
	      "\"status_msg\":\"Busy\",\"info_code\":103,\"tags\":[],\"username\":\"ada\","
	      "\"proxied\":[\"X-FORWARDED-FOR -> 192.0.2.1\"],"
	      "\"resp_mime_types\":[\"application/json\"]}");
	sample_fini(&sample);
}

static void zeek_conn_log(void **state)
{
	struct sample sample;

	fill_tcp(&sample);
	check(&json_rename_zeek, sample.rec,
	      "{\"_path\":\"conn\",\"ts\":1763821049.902000,\"uid\":\"01KAMZ9Q1P0000000000000000\","
	      "\"id.orig_h\":\"10.2.1.40\",\"id.orig_p\":51774,\"id.resp_h\":\"10.2.4.17\","
	      "\"id.resp_p\":80,\"proto\":\"tcp\",\"duration\":1.5,\"orig_bytes\":140,"
	      "\"resp_bytes\":320,\"conn_state\":\"SF\",\"missed_bytes\":20,\"orig_pkts\":6,"
	      "\"resp_pkts\":5}");
	sample_fini(&sample);
}

/* Zeek's manual, conn.log: conn_state. */
static void zeek_conn_states(void **state)
{
	static const struct {
		const char *handshake, *how;
		unsigned replies;
		const char *want;
	} rows[] = {
		{"complete", "closed", 1, "\"SF\""}, {"complete", "open", 1, "\"S1\""},
		{"syn", "timeout", 0, "\"S0\""},     {"syn", "reset", 1, "\"REJ\""},
		{"syn", "reset", 0, "\"RSTOS0\""},   {"none", "closed", 1, "\"OTH\""},
		{"complete", "reset", 1, NULL},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lookup lookup;
		struct sample sample;
		struct strbuf out;
		const char *at;

		fill_tcp(&sample);
		weir_record_set_static(sample.rec, TCP_F_HANDSHAKE, rows[i].handshake);
		weir_record_set_static(sample.rec, TCP_F_STATE, rows[i].how);
		weir_record_set_u64(sample.rec, record_tcp_field(WEIR_S2C, TCP_DIR_PACKETS),
				    rows[i].replies);
		lookup_init(&lookup, schemas);
		strbuf_init(&out);
		assert_int_equal(json_rename_write(&json_rename_zeek, &lookup, sample.rec, &out),
				 1);
		at = strstr(strbuf_text(&out), "\"conn_state\":");
		if (rows[i].want == NULL) {
			assert_null(at);
		} else {
			assert_non_null(at);
			assert_memory_equal(at + 13, rows[i].want, strlen(rows[i].want));
		}
		strbuf_fini(&out);
		sample_fini(&sample);
	}
}

static void eve_http_event(void **state)
{
	struct sample sample;

	fill_http(&sample);
	check(&json_rename_eve, sample.rec,
	      "{\"timestamp\":\"2025-11-22T14:17:29.702000+0000\",\"flow_id\":7,"
	      "\"in_iface\":\"eth0\",\"pcap_cnt\":9,\"event_type\":\"http\",\"vlan\":[12],"
	      "\"src_ip\":\"10.2.1.40\",\"src_port\":51774,\"dest_ip\":\"2001:db8::17\","
	      "\"dest_port\":8080,\"proto\":\"TCP\","
	      "\"community_id\":\"1:LQU9qZlK+B5F3KDmev6m5PMibrg=\",\"http\":{"
	      "\"hostname\":\"shop.test\",\"http_port\":8080,\"url\":\"/v1/orders?x=1\","
	      "\"http_user_agent\":\"curl/7.88.1\",\"xff\":\"192.0.2.1\","
	      "\"http_content_type\":\"application/json\",\"http_refer\":\"http://shop.test/\","
	      "\"http_method\":\"POST\",\"protocol\":\"HTTP/1.1\",\"status\":503,\"length\":23,"
	      "\"request_headers\":[{\"name\":\"Host\",\"value\":\"shop.test:8080\"},"
	      "{\"name\":\"X-Forwarded-For\",\"value\":\"192.0.2.1\"},"
	      "{\"name\":\"Origin\",\"value\":\"http://o.test\"}],"
	      "\"response_headers\":[{\"name\":\"Content-Type\","
	      "\"value\":\"application/json; charset=utf-8\"},{\"name\":\"Via\",\"value\":\"a\"},"
	      "{\"name\":\"via\",\"value\":\"b\"}],"
	      "\"http_response_body_printable\":\"{\\\"error\\\":\\\"busy\\\"}\"}}");
	sample_fini(&sample);
}

static void eve_flow_event(void **state)
{
	struct sample sample;

	fill_tcp(&sample);
	/* it begins in second 29 and ends in second 31: an age of 2 */
	check(&json_rename_eve, sample.rec,
	      "{\"timestamp\":\"2025-11-22T14:17:29.902000+0000\",\"flow_id\":7,\"pcap_cnt\":20,"
	      "\"event_type\":\"flow\",\"src_ip\":\"10.2.1.40\",\"src_port\":51774,"
	      "\"dest_ip\":\"10.2.4.17\",\"dest_port\":80,\"proto\":\"TCP\",\"flow\":{"
	      "\"pkts_toserver\":6,\"pkts_toclient\":5,"
	      "\"start\":\"2025-11-22T14:17:29.902000+0000\","
	      "\"end\":\"2025-11-22T14:17:31.402000+0000\",\"age\":2,\"state\":\"closed\"},"
	      "\"tcp\":{\"state\":\"closed\"}}");
	sample_fini(&sample);
}

static void ecs_document(void **state)
{
	struct sample sample;

	fill_http(&sample);
	check(&json_rename_ecs, sample.rec,
	      "{\"@timestamp\":\"2025-11-22T14:17:29.702000999Z\",\"ecs\":{\"version\":\"8.11.0\"},"
	      "\"event\":{\"kind\":\"event\",\"category\":[\"network\",\"web\"],"
	      "\"type\":[\"connection\",\"protocol\"],\"module\":\"weir\","
	      "\"dataset\":\"weir.http\",\"id\":\"01KAMZ9Q1P0000000000000001\","
	      "\"start\":\"2025-11-22T14:17:29.702000999Z\","
	      "\"end\":\"2025-11-22T14:17:29.723001000Z\",\"duration\":21000001,"
	      "\"outcome\":\"failure\"},\"network\":{\"transport\":\"tcp\",\"type\":\"ipv4\","
	      "\"protocol\":\"http\",\"community_id\":\"1:LQU9qZlK+B5F3KDmev6m5PMibrg=\","
	      "\"vlan\":{\"id\":\"12\"}},\"source\":{\"address\":\"10.2.1.40\","
	      "\"ip\":\"10.2.1.40\",\"port\":51774},\"destination\":{"
	      "\"address\":\"2001:db8::17\",\"ip\":\"2001:db8::17\",\"port\":8080},"
	      "\"client\":{\"address\":\"10.2.1.40\",\"ip\":\"10.2.1.40\",\"port\":51774},"
	      "\"server\":{\"address\":\"2001:db8::17\",\"ip\":\"2001:db8::17\",\"port\":8080},"
	      "\"http\":{\"version\":\"1.1\",\"request\":{\"method\":\"POST\","
	      "\"referrer\":\"http://shop.test/\",\"body\":{\"bytes\":37}},\"response\":{"
	      "\"status_code\":503,\"mime_type\":\"application/json\",\"body\":{\"bytes\":20,"
	      "\"content\":\"{\\\"error\\\":\\\"busy\\\"}\"}}},\"url\":{"
	      "\"full\":\"http://shop.test:8080/v1/orders?x=1\",\"original\":\"/v1/orders?x=1\","
	      "\"scheme\":\"http\",\"domain\":\"shop.test\",\"port\":8080,\"path\":\"/v1/orders\","
	      "\"query\":\"x=1\"},\"user_agent\":{\"original\":\"curl/7.88.1\"},"
	      "\"user\":{\"name\":\"ada\"},\"trace\":{\"id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"},"
	      "\"service\":{\"name\":\"shop.test\"},\"observer\":{\"type\":\"network\","
	      "\"product\":\"weir\",\"ingress\":{\"interface\":{\"name\":\"eth0\"}}},\"weir\":{"
	      "\"flow_id\":\"01KAMZ9Q1P0000000000000000\",\"packet\":{\"first\":4,\"last\":9},"
	      "\"timing\":{\"stall_ns\":5},\"completeness\":\"complete\","
	      "\"route\":\"/v1/orders\"}}");
	sample_fini(&sample);
}

static void otel_log_record(void **state)
{
	struct sample sample;

	fill_http(&sample);
	weir_record_set_static(sample.rec, HTTP_F_METHOD, "BREW");
	check(&json_rename_otel, sample.rec,
	      "{\"Timestamp\":\"1763821049702000999\","
	      "\"TraceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"EventName\":\"weir.http\","
	      "\"Resource\":{\"service.name\":\"shop.test\"},\"Attributes\":{"
	      "\"http.request.method\":\"_OTHER\",\"http.request.method_original\":\"BREW\","
	      "\"url.full\":\"http://shop.test:8080/v1/orders?x=1\",\"url.scheme\":\"http\","
	      "\"url.path\":\"/v1/orders\",\"url.query\":\"x=1\",\"http.route\":\"/v1/orders\","
	      "\"user_agent.original\":\"curl/7.88.1\",\"http.response.status_code\":503,"
	      "\"http.request.body.size\":37,\"http.response.body.size\":20,"
	      "\"error.type\":\"503\",\"server.address\":\"shop.test\",\"server.port\":8080,"
	      "\"client.address\":\"10.2.1.40\",\"client.port\":51774,"
	      "\"network.peer.address\":\"10.2.1.40\",\"network.peer.port\":51774,"
	      "\"network.local.address\":\"2001:db8::17\",\"network.local.port\":8080,"
	      "\"network.type\":\"ipv4\",\"network.protocol.name\":\"http\","
	      "\"network.protocol.version\":\"1.1\",\"network.transport\":\"tcp\","
	      "\"http.request.header.host\":[\"shop.test:8080\"],"
	      "\"http.request.header.x-forwarded-for\":[\"192.0.2.1\"],"
	      "\"http.request.header.origin\":[\"http://o.test\"],"
	      "\"http.response.header.content-type\":[\"application/json; charset=utf-8\"],"
	      "\"http.response.header.via\":[\"a\",\"b\"],"
	      "\"weir.id\":\"01KAMZ9Q1P0000000000000001\","
	      "\"weir.flow_id\":\"01KAMZ9Q1P0000000000000000\",\"weir.duration_ns\":21000001,"
	      "\"weir.timing.stall_ns\":5,\"weir.completeness\":\"complete\"}}");
	sample_fini(&sample);
}

/* Types that OpenTelemetry has conventions for come under weir's names, which are those. */
static void otel_has_the_fields_of_other_types(void **state)
{
	static const struct weir_field fields[] = {
		{"db.system.name", WEIR_KIND_STR, 0, ""},
		{"db.query.text", WEIR_KIND_STR, WEIR_FIELD_STATEMENT, ""},
		{"db.response.returned_rows", WEIR_KIND_U64, 0, ""},
	};
	static const struct weir_schema db = {"mysql", fields, 3};
	struct sample sample;

	sample_init(&sample, &db);
	weir_record_set_i64(sample.rec, WEIR_F_TS, 5);
	weir_record_set_static(sample.rec, WEIR_F_ERROR_TYPE, "1064");
	weir_record_set_static(sample.rec, WEIR_NCOMMON, "mysql");
	weir_record_set_static(sample.rec, WEIR_NCOMMON + 1, "SELECT 1");
	weir_record_set_u64(sample.rec, WEIR_NCOMMON + 2, 1);
	check(&json_rename_otel, sample.rec,
	      "{\"Timestamp\":\"5\",\"EventName\":\"weir.mysql\",\"Attributes\":{"
	      "\"error.type\":\"1064\",\"network.transport\":\"tcp\","
	      "\"db.system.name\":\"mysql\",\"db.query.text\":\"SELECT 1\","
	      "\"db.response.returned_rows\":1}}");
	sample_fini(&sample);
}

/* TLS 1.2, resumed, with an alert; the fields that the renames read, by name. */
static void fill_tls(struct sample *sample, const struct weir_schema *schema)
{
	static const struct {
		const char *name, *text;
	} texts[] = {{"tls.client.server_name", "shop.test"},
		     {"tls.version", "1.2"},
		     {"tls.version_protocol", "tls"},
		     {"tls.cipher", "TLS_RSA_WITH_AES_128_CBC_SHA"},
		     {"tls.next_protocol", "h2"},
		     {"tls.server.subject", "CN=shop.test"},
		     {"tls.client.ja3", "06a92bf69b367389d2feb0d70501ddfe"}};
	static const char alert[] = "s2c fatal bad_certificate";
	size_t i;

	sample_init(sample, schema);
	sample->flow.hash = 7;
	sample_head(sample->rec, INT64_C(1763821049702000000), "01KAMZ9Q1P0000000000000001",
		    "10.2.4.17", 443);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int field = weir_schema_find(schema, texts[i].name, strlen(texts[i].name));

		assert_true(field > 0);
		weir_record_set_str(sample->rec, (size_t)field, texts[i].text);
	}
	weir_record_set_bool(sample->rec, (size_t)weir_schema_find(schema, "tls.resumed", 11),
			     true);
	weir_record_add_str(sample->rec, (size_t)weir_schema_find(schema, "tls.alerts", 10), alert,
			    sizeof(alert) - 1);
}

static void zeek_ssl_log_and_eve_tls_event(void **state)
{
	const struct weir_schema *schema = parser_find("tls")->schemas[0];
	struct sample sample;

	(void)state;
	schemas[3] = schema;
	fill_tls(&sample, schema);
	check(&json_rename_zeek, sample.rec,
	      "{\"_path\":\"ssl\",\"ts\":1763821049.702000,\"uid\":\"01KAMZ9Q1P0000000000000000\","
	      "\"id.orig_h\":\"10.2.1.40\",\"id.orig_p\":51774,\"id.resp_h\":\"10.2.4.17\","
	      "\"id.resp_p\":443,\"version\":\"TLSv12\",\"cipher\":\"TLS_RSA_WITH_AES_128_CBC_"
	      "SHA\","
	      "\"server_name\":\"shop.test\",\"resumed\":true,\"last_alert\":\"bad_certificate\","
	      "\"next_protocol\":\"h2\",\"subject\":\"CN=shop.test\","
	      "\"ja3\":\"06a92bf69b367389d2feb0d70501ddfe\"}");
	check(&json_rename_eve, sample.rec,
	      "{\"timestamp\":\"2025-11-22T14:17:29.702000+0000\",\"flow_id\":7,"
	      "\"event_type\":\"tls\",\"src_ip\":\"10.2.1.40\",\"src_port\":51774,"
	      "\"dest_ip\":\"10.2.4.17\",\"dest_port\":443,\"proto\":\"TCP\","
	      "\"tls\":{\"session_resumed\":true,\"sni\":\"shop.test\",\"version\":\"TLS 1.2\","
	      "\"ja3\":{\"hash\":\"06a92bf69b367389d2feb0d70501ddfe\"}}}");
	sample_fini(&sample);
}

static void anomalies_have_their_place(void **state)
{
	struct sample sample;

	sample_init(&sample, &record_anomaly_schema);
	weir_record_set_i64(sample.rec, WEIR_F_TS, INT64_C(1763821049000000000));
	weir_record_set_static(sample.rec, ANOMALY_F_CODE, "tcp.overlap_conflict");
	weir_record_set_static(sample.rec, ANOMALY_F_SEVERITY, "high");
	sample.flow.hash = 1;
	check(&json_rename_zeek, sample.rec,
	      "{\"_path\":\"weird\",\"ts\":1763821049.000000,\"name\":\"tcp.overlap_conflict\","
	      "\"notice\":false,\"peer\":\"weir\"}");
	check(&json_rename_eve, sample.rec,
	      "{\"timestamp\":\"2025-11-22T14:17:29.000000+0000\",\"flow_id\":1,"
	      "\"event_type\":\"anomaly\",\"proto\":\"TCP\",\"anomaly\":{\"type\":\"stream\","
	      "\"event\":\"tcp.overlap_conflict\"}}");
	sample_fini(&sample);
}

/* The option of the sink, and types that a tool has nothing for. */
static void the_sink_knows_its_formats(void **state)
{
	static const char *const keys[] = {"format", NULL};
	static const char *const bad[] = {"xml", NULL};
	static const char *const good[] = {"eve", NULL};
	static const struct weir_schema other = {"websocket", NULL, 0};
	struct weir_sink_config config = {
		.target = "/dev/null", .keys = keys, .values = bad, .schemas = schemas};
	const char *message = NULL;
	struct weir_sink *sink;
	struct sample sample;

	assert_int_equal(sink_find("json")->open(&config, &sink, &message), WEIR_EINVAL);
	assert_string_equal(message, "json has format=weir, zeek, eve, ecs or otel");
	config.values = good;
	assert_int_equal(sink_find("json")->open(&config, &sink, &message), 0);
	sample_init(&sample, &other);
	assert_int_equal(sink_find("json")->record(sink, sample.rec), 0);
	sample_fini(&sample);
	assert_int_equal(sink_find("json")->close(sink), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeek_http_log),
		cmocka_unit_test(zeek_conn_log),
		cmocka_unit_test(zeek_conn_states),
		cmocka_unit_test(eve_http_event),
		cmocka_unit_test(eve_flow_event),
		cmocka_unit_test(ecs_document),
		cmocka_unit_test(otel_log_record),
		cmocka_unit_test(otel_has_the_fields_of_other_types),
		cmocka_unit_test(zeek_ssl_log_and_eve_tls_event),
		cmocka_unit_test(anomalies_have_their_place),
		cmocka_unit_test(the_sink_knows_its_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

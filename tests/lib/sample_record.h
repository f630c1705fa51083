/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records for tests of sinks: a schema of type `http` with the fields that CONTRACT.md §3 names, and memory to make
 * records in. The schema is written down here a second time on purpose: tests of sinks must not need a parser.
 */
#ifndef TESTS_SAMPLE_RECORD_H
#define TESTS_SAMPLE_RECORD_H

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "record/record.h"

enum sample_field {
	S_METHOD = WEIR_NCOMMON,
	S_TARGET,
	S_DOMAIN,
	S_PATH,
	S_QUERY,
	S_URL,
	S_USER_AGENT,
	S_REQUEST_HEADER,
	S_RESPONSE_HEADER,
	S_STATUS,
	S_REASON,
	S_INTERIM,
	S_REQUEST_SIZE,
	S_RESPONSE_SIZE,
	S_SHA256,
	S_REQUEST_BODY,
	S_RESPONSE_BODY,
	S_END
};

static const struct weir_field sample_fields[] = {
	{"http.request.method", WEIR_KIND_STR, 0, ""},
	{"http.request.target", WEIR_KIND_STR, WEIR_FIELD_URL, ""},
	{"url.domain", WEIR_KIND_STR, 0, ""},
	{"url.path", WEIR_KIND_STR, WEIR_FIELD_URL, ""},
	{"url.query", WEIR_KIND_STR, WEIR_FIELD_URL, ""},
	{"url.full", WEIR_KIND_STR, WEIR_FIELD_URL, ""},
	{"user_agent.original", WEIR_KIND_STR, 0, ""},
	{"http.request.header", WEIR_KIND_HEADERS, WEIR_FIELD_SECRET_HEADERS, ""},
	{"http.response.header", WEIR_KIND_HEADERS, WEIR_FIELD_SECRET_HEADERS, ""},
	{"http.response.status_code", WEIR_KIND_U64, 0, ""},
	{"http.response.reason", WEIR_KIND_STR, 0, ""},
	{"http.interim", WEIR_KIND_U64S, 0, ""},
	{"http.request.body.size", WEIR_KIND_U64, 0, ""},
	{"http.response.body.size", WEIR_KIND_U64, 0, ""},
	{"http.response.body.sha256", WEIR_KIND_HEX, 0, ""},
	{"http.request.body.content", WEIR_KIND_STR, WEIR_FIELD_BODY, ""},
	{"http.response.body.content", WEIR_KIND_STR, WEIR_FIELD_BODY, ""},
};

static const struct weir_schema sample_schema = {"http", sample_fields,
						 sizeof(sample_fields) / sizeof(sample_fields[0])};

_Static_assert(sizeof(sample_fields) / sizeof(sample_fields[0]) == S_END - WEIR_NCOMMON,
	       "one row a field");

struct sample {
	struct budget budget;
	struct arena_pool pool;
	struct weir_flow_info flow;
	struct weir_record *rec;
};

static inline void sample_init(struct sample *sample, const struct weir_schema *schema)
{
	int err;

	memset(sample, 0, sizeof(*sample));
	budget_init(&sample->budget, 16 << 20, NULL);
	arena_pool_init(&sample->pool, &sample->budget, 4);
	err = record_new(&sample->pool, schema, &sample->rec);
	assert(err == 0);
	(void)err;
	sample->rec->flow = &sample->flow;
}

static inline void sample_fini(struct sample *sample)
{
	record_free(sample->rec);
	arena_pool_fini(&sample->pool);
	assert(sample->budget.used == 0);
}

static inline void sample_address(struct weir_record *rec, size_t field, const char *text)
{
	uint8_t address[16];
	int v6 = strchr(text, ':') != NULL;

	if (inet_pton(v6 ? AF_INET6 : AF_INET, text, address) == 1) {
		weir_record_set_bytes(rec, field, address, v6 ? 16 : 4, 16);
	}
}

static inline void sample_header(struct weir_record *rec, size_t field, const char *name,
				 const char *value)
{
	weir_record_add_header(rec, field, name, strlen(name), value, strlen(value), 4096);
}

/* Name and value each. */
static inline void sample_headers(struct weir_record *rec, size_t field,
				  const char *const (*headers)[2], size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		sample_header(rec, field, headers[i][0], headers[i][1]);
	}
}

#define SAMPLE_HEADERS(rec, field, ...)                                                            \
	sample_headers((rec), (field), (const char *const[][2]){__VA_ARGS__},                      \
		       sizeof((const char *const[][2]){__VA_ARGS__}) / sizeof(const char *[2]))

/* When, which, and between whom: 10.2.1.40:51774 and a server. */
static inline void sample_head(struct weir_record *rec, int64_t ts_ns, const char *id,
			       const char *server, uint64_t port)
{
	weir_record_set_i64(rec, WEIR_F_TS, ts_ns);
	weir_record_set_static(rec, WEIR_F_ID, id);
	weir_record_set_static(rec, WEIR_F_FLOW_ID, "01KAMZ9Q1P0000000000000000");
	weir_record_set_static(rec, WEIR_F_NETWORK_TYPE, "ipv4");
	sample_address(rec, WEIR_F_CLIENT_ADDRESS, "10.2.1.40");
	weir_record_set_u64(rec, WEIR_F_CLIENT_PORT, 51774);
	sample_address(rec, WEIR_F_SERVER_ADDRESS, server);
	weir_record_set_u64(rec, WEIR_F_SERVER_PORT, port);
}

/* What HTTP has besides. */
static inline void sample_http(struct weir_record *rec)
{
	weir_record_set_static(rec, WEIR_F_NETWORK_PROTOCOL_NAME, "http");
	weir_record_set_static(rec, WEIR_F_NETWORK_PROTOCOL_VERSION, "1.1");
	weir_record_set_static(rec, WEIR_F_NETWORK_COMMUNITY_ID, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
}

/* A transaction as it comes by every day. */
static inline void sample_fill(struct weir_record *rec)
{
	sample_head(rec, INT64_C(1763821049702000000), "01KAMZ9Q1P0000000000000001", "10.2.4.17",
		    8080);
	sample_http(rec);
	weir_record_set_u64(rec, WEIR_F_PACKET_FIRST, 4);
	weir_record_set_u64(rec, WEIR_F_PACKET_LAST, 9);
	weir_record_set_i64(rec, WEIR_F_DURATION, 21000000);
	weir_record_set_i64(rec, WEIR_F_TIMING_SEND, 0);
	weir_record_set_i64(rec, WEIR_F_TIMING_WAIT, 20000000);
	weir_record_set_i64(rec, WEIR_F_TIMING_RECEIVE, 1000000);
	weir_record_set_i64(rec, WEIR_F_TIMING_STALL, 0);
	weir_record_set_i64(rec, WEIR_F_TCP_RTT, 800000);
	weir_record_set_u64(rec, WEIR_F_TCP_RETRANSMITS, 0);
	weir_record_set_u64(rec, WEIR_F_TCP_OUT_OF_ORDER, 0);
	weir_record_set_u64(rec, WEIR_F_TCP_GAPS, 0);
	weir_record_set_static(rec, WEIR_F_COMPLETENESS, "complete");
	weir_record_set_static(rec, WEIR_F_PAIRING, "exact");
	weir_record_set_static(rec, S_METHOD, "GET");
	weir_record_set_static(rec, S_TARGET, "/products/48213?page=2");
	weir_record_set_static(rec, S_DOMAIN, "catalog-api");
	weir_record_set_static(rec, S_PATH, "/products/48213");
	weir_record_set_static(rec, S_QUERY, "page=2");
	weir_record_set_static(rec, S_URL, "http://catalog-api:8080/products/48213?page=2");
	weir_record_set_static(rec, S_USER_AGENT, "curl/7.88.1");
	SAMPLE_HEADERS(rec, S_REQUEST_HEADER, {"Host", "catalog-api:8080"},
		       {"User-Agent", "curl/7.88.1"}, {"Accept", "*/*"});
	SAMPLE_HEADERS(rec, S_RESPONSE_HEADER, {"Server", "nginx/1.22.1"},
		       {"Date", "Sat, 22 Nov 2025 14:17:29 GMT"},
		       {"Content-Type", "application/json"}, {"Content-Length", "4096"},
		       {"Connection", "keep-alive"});
	weir_record_set_u64(rec, S_STATUS, 200);
	weir_record_set_static(rec, S_REASON, "OK");
	weir_record_set_u64(rec, S_REQUEST_SIZE, 0);
	weir_record_set_u64(rec, S_RESPONSE_SIZE, 4096);
}

#endif

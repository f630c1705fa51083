/* SPDX-License-Identifier: Apache-2.0 */
/* record/: schema, setters, copies, ids, Community ID, names. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "record/anomaly_fields.h"
#include "record/community.h"
#include "record/record.h"
#include "record/tcp_fields.h"
#include "weir/error.h"

enum { F_PATH = WEIR_NCOMMON, F_HEADERS, F_CODES, F_NAMES, F_DIGEST, F_NFIELDS };

static const struct weir_field fields[] = {
	{"t.path", WEIR_KIND_STR, 0, ""},
	{"t.headers", WEIR_KIND_HEADERS, WEIR_FIELD_SECRET_HEADERS, ""},
	{"t.codes", WEIR_KIND_U64S, 0, ""},
	{"t.names", WEIR_KIND_STRS, 0, ""},
	{"t.digest", WEIR_KIND_HEX, 0, ""},
};
static const struct weir_schema schema = {"t", fields, 5};

struct fixture {
	struct budget budget;
	struct arena_pool pool;
};

static void setup(struct fixture *fx, size_t limit)
{
	budget_init(&fx->budget, limit, NULL);
	arena_pool_init(&fx->pool, &fx->budget, 4);
}

/* Everything came back. */
static void teardown(struct fixture *fx)
{
	arena_pool_fini(&fx->pool);
	assert_int_equal(fx->budget.used, 0);
}

static void common_fields_have_the_contract_names(void **state)
{
	static const char *const names[WEIR_NCOMMON] = {
		"ts",
		"id",
		"flow_id",
		"network.type",
		"network.protocol.name",
		"network.protocol.version",
		"network.community_id",
		"network.vlan.id",
		"client.address",
		"client.port",
		"server.address",
		"server.port",
		"service.name",
		"capture.interface",
		"packet.first",
		"packet.last",
		"duration_ns",
		"timing.send_ns",
		"timing.wait_ns",
		"timing.receive_ns",
		"timing.stall_ns",
		"tcp.rtt_ns",
		"tcp.retransmits",
		"tcp.out_of_order",
		"tcp.gaps",
		"completeness",
		"missing_bytes",
		"final",
		"pairing",
		"tls.decrypted",
		"error.type",
		"anomalies",
	};
	size_t i;

	for (i = 0; i < WEIR_NCOMMON; i++) {
		assert_string_equal(weir_schema_field(&schema, i)->name, names[i]);
		assert_int_equal(weir_schema_find(&schema, names[i], strlen(names[i])), i);
	}
	assert_int_equal(weir_schema_find(&schema, "t.codes", 7), F_CODES);
	assert_int_equal(weir_schema_find(&schema, "t.codes", 6), WEIR_ENOTFOUND);
	assert_int_equal(weir_schema_find(&schema, "", 0), WEIR_ENOTFOUND);
	assert_null(weir_schema_field(&schema, F_NFIELDS));
}

/* A name is said once, no field is inside another one, and durations are told by their names. */
static void check_schema(const struct weir_schema *of)
{
	const struct weir_field *a, *b;
	size_t i, k;

	assert_true(WEIR_NCOMMON + of->nfields <= WEIR_MAX_FIELDS);
	for (i = 0; (a = weir_schema_field(of, i)) != NULL; i++) {
		size_t len = strlen(a->name);
		bool ns = len > 3 && strcmp(a->name + len - 3, "_ns") == 0;

		assert_int_equal(ns, a->kind == WEIR_KIND_DURATION);
		assert_true(a->doc != NULL);
		assert_string_not_equal(a->name, "type");
		for (k = 0; (b = weir_schema_field(of, k)) != NULL; k++) {
			if (k != i && strncmp(a->name, b->name, len) == 0) {
				assert_true(b->name[len] != '\0' && b->name[len] != '.');
			}
		}
	}
}

static void engine_schemas_are_well_formed(void **state)
{
	check_schema(&record_tcp_schema);
	check_schema(&record_anomaly_schema);
	assert_string_equal(weir_schema_field(&record_tcp_schema,
					      record_tcp_field(WEIR_S2C, TCP_DIR_OUT_OF_ORDER))
				    ->name,
			    "tcp.s2c.out_of_order");
	assert_string_equal(
		weir_schema_field(&record_tcp_schema, record_tcp_field(WEIR_C2S, TCP_DIR_PACKETS))
			->name,
		"tcp.c2s.packets");
}

static void setters_copy_cut_and_replace(void **state)
{
	char text[] = "/a/long/path";
	struct fixture fx;
	struct weir_record *rec;

	setup(&fx, 1 << 20);
	assert_int_equal(record_new(&fx.pool, &schema, &rec), 0);
	assert_false(weir_record_has(rec, F_PATH));
	weir_record_set_bytes(rec, F_PATH, text, 12, 7);
	text[1] = 'X';
	assert_true(weir_record_has(rec, F_PATH));
	assert_int_equal(rec->values[F_PATH].len, 7);
	assert_int_equal(rec->values[F_PATH].full_len, 12);
	assert_memory_equal(rec->values[F_PATH].v.bytes, "/a/long", 7);
	weir_record_set_static(rec, F_PATH, "/b");
	assert_int_equal(rec->values[F_PATH].len, 2);
	assert_int_equal(rec->values[F_PATH].full_len, 2);
	weir_record_set_i64(rec, WEIR_F_TIMING_WAIT, -3);
	assert_int_equal(rec->values[WEIR_F_TIMING_WAIT].v.i64, -3);
	weir_record_set_bool(rec, WEIR_F_FINAL, true);
	assert_int_equal(rec->values[WEIR_F_FINAL].v.u64, 1);
	weir_record_clear(rec, F_PATH);
	assert_false(weir_record_has(rec, F_PATH));
	record_free(rec);
	record_free(NULL);
	teardown(&fx);
}

static void a_cut_does_not_split_a_character(void **state)
{
	/* a, e acute, euro sign, an emoji of four bytes */
	static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
	static const uint8_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
	struct fixture fx;
	struct weir_record *rec;
	size_t i;

	setup(&fx, 1 << 20);
	assert_int_equal(record_new(&fx.pool, &schema, &rec), 0);
	for (i = 0; i <= 10; i++) {
		weir_record_set_bytes(rec, F_PATH, text, 10, i);
		assert_int_equal(rec->values[F_PATH].len, kept[i]);
		assert_int_equal(rec->values[F_PATH].full_len, 10);
	}
	/* stray continuation bytes are no character: cut where told; digests are no text */
	weir_record_set_bytes(rec, F_PATH, "\x80\x80\x80\x80\x80", 5, 4);
	assert_int_equal(rec->values[F_PATH].len, 4);
	weir_record_set_bytes(rec, F_DIGEST, "\xc3\xa9", 2, 1);
	assert_int_equal(rec->values[F_DIGEST].len, 1);
	record_free(rec);
	teardown(&fx);
}

static void arrays_keep_order_and_grow(void **state)
{
	struct fixture fx;
	struct weir_record *rec;
	uint32_t i;

	setup(&fx, 1 << 20);
	assert_int_equal(record_new(&fx.pool, &schema, &rec), 0);
	for (i = 0; i < 1000; i++) {
		char name[16];
		int n = snprintf(name, sizeof(name), "h%u", i);

		weir_record_add_header(rec, F_HEADERS, name, (size_t)n, "value", 5, i % 7);
		weir_record_add_u64(rec, F_CODES, i * 3);
		weir_record_add_str(rec, F_NAMES, name, (size_t)n);
	}
	assert_int_equal(rec->values[F_HEADERS].len, 1000);
	assert_int_equal(rec->values[F_CODES].len, 1000);
	assert_int_equal(rec->values[F_NAMES].len, 1000);
	for (i = 0; i < 1000; i++) {
		const struct weir_header *header = &rec->values[F_HEADERS].v.headers[i];
		char name[16];
		int n = snprintf(name, sizeof(name), "h%u", i);

		assert_int_equal(header->name.len, n);
		assert_memory_equal(header->name.p, name, n);
		assert_int_equal(header->value.len, i % 7 < 5 ? i % 7 : 5);
		assert_int_equal(header->full_len, 5);
		assert_memory_equal(header->value.p, "value", header->value.len);
		assert_int_equal(rec->values[F_CODES].v.u64s[i], i * 3);
		assert_memory_equal(rec->values[F_NAMES].v.strs[i].p, name, n);
	}
	record_free(rec);
	teardown(&fx);
}

static void anomalies_are_named_once(void **state)
{
	struct fixture fx;
	struct weir_record *rec;

	setup(&fx, 1 << 20);
	assert_int_equal(record_new(&fx.pool, &schema, &rec), 0);
	weir_record_add_anomaly(rec, "http.cl_te_both");
	weir_record_add_anomaly(rec, "http.cl_conflict");
	weir_record_add_anomaly(rec, "http.cl_te_both");
	assert_int_equal(rec->values[WEIR_F_ANOMALIES].len, 2);
	assert_memory_equal(rec->values[WEIR_F_ANOMALIES].v.strs[1].p, "http.cl_conflict", 16);
	record_free(rec);
	teardown(&fx);
}

static void unwanted_fields_stay_absent(void **state)
{
	static const uint64_t wanted[2] = {UINT64_C(1) << F_CODES, 0};
	struct fixture fx;
	struct weir_record *rec;

	setup(&fx, 1 << 20);
	assert_int_equal(record_new(&fx.pool, &schema, &rec), 0);
	rec->wanted = wanted;
	weir_record_set_str(rec, F_PATH, "/");
	weir_record_add_header(rec, F_HEADERS, "a", 1, "b", 1, 9);
	weir_record_add_u64(rec, F_CODES, 100);
	assert_false(weir_record_has(rec, F_PATH));
	assert_false(weir_record_has(rec, F_HEADERS));
	assert_true(weir_record_has(rec, F_CODES));
	record_free(rec);
	teardown(&fx);
}

static void without_memory_a_field_is_absent_and_counted(void **state)
{
	static uint8_t big[10000];
	struct fixture fx;
	struct weir_record *rec;

	setup(&fx, 2 * ARENA_BLOCK);
	assert_int_equal(record_new(&fx.pool, &schema, &rec), 0);
	weir_record_set_str(rec, F_PATH, "/");
	weir_record_set_bytes(rec, F_PATH, big, sizeof(big), SIZE_MAX);
	assert_false(weir_record_has(rec, F_PATH));
	assert_int_equal(rec->arena->failed, 1);
	record_free(rec);
	teardown(&fx);

	setup(&fx, 100);
	assert_int_equal(record_new(&fx.pool, &schema, &rec), WEIR_ENOMEM);
	teardown(&fx);
}

static void fill(struct weir_record *rec)
{
	weir_record_set_i64(rec, WEIR_F_TS, 77);
	weir_record_set_str(rec, F_PATH, "/path");
	weir_record_set_bytes(rec, F_DIGEST, "\1\2\3", 3, SIZE_MAX);
	weir_record_set_bytes(rec, WEIR_F_CLIENT_ADDRESS, "\x0a\0\0\1", 4, 16);
	weir_record_add_header(rec, F_HEADERS, "Host", 4, "example.org", 11, 7);
	weir_record_add_header(rec, F_HEADERS, "X", 1, "", 0, 7);
	weir_record_add_u64(rec, F_CODES, 100);
	weir_record_add_u64(rec, F_CODES, 103);
	weir_record_add_str(rec, F_NAMES, "", 0);
	weir_record_add_str(rec, F_NAMES, "two", 3);
}

static void a_copy_is_deep_and_may_be_changed(void **state)
{
	struct weir_flow_info flow = {.ip_version = 4, .first_packet = 9, .hash = 5};
	struct fixture fx;
	struct weir_arena batch;
	struct weir_record *rec, *copy;
	uint32_t i;

	setup(&fx, 1 << 20);
	arena_init(&batch, &fx.pool);
	assert_int_equal(record_new(&fx.pool, &schema, &rec), 0);
	rec->flow = &flow;
	rec->key.packet = 1234;
	fill(rec);
	copy = record_copy(rec, &batch);
	assert_non_null(copy);
	record_free(rec);
	flow.first_packet = 0;
	arena_pool_trim(&fx.pool); /* under ASan, what the copy shares with the original shows */

	assert_int_equal(copy->key.packet, 1234);
	assert_int_equal(copy->flow->first_packet, 9);
	assert_int_equal(copy->values[WEIR_F_TS].v.i64, 77);
	assert_memory_equal(copy->values[F_PATH].v.bytes, "/path", 5);
	assert_memory_equal(copy->values[F_DIGEST].v.bytes, "\1\2\3", 3);
	assert_memory_equal(copy->values[WEIR_F_CLIENT_ADDRESS].v.bytes, "\x0a\0\0\1", 4);
	assert_memory_equal(copy->values[F_HEADERS].v.headers[0].value.p, "example", 7);
	assert_int_equal(copy->values[F_HEADERS].v.headers[0].full_len, 11);
	assert_int_equal(copy->values[F_HEADERS].v.headers[1].value.len, 0);
	assert_int_equal(copy->values[F_CODES].v.u64s[1], 103);
	assert_int_equal(copy->values[F_NAMES].v.strs[0].len, 0);
	assert_memory_equal(copy->values[F_NAMES].v.strs[1].p, "two", 3);
	for (i = 0; i < 100; i++) {
		weir_record_add_u64(copy, F_CODES, i);
		weir_record_add_str(copy, F_NAMES, "more", 4);
		weir_record_add_header(copy, F_HEADERS, "a", 1, "b", 1, 1);
	}
	weir_record_add_anomaly(copy, "x.y");
	assert_int_equal(copy->values[F_CODES].v.u64s[101], 99);
	assert_int_equal(copy->values[F_CODES].v.u64s[1], 103);
	arena_fini(&batch);
	teardown(&fx);
}

static void a_copy_of_a_large_value_is_whole(void **state)
{
	static uint8_t body[600000];
	struct fixture fx;
	struct weir_arena batch;
	struct weir_record *rec, *copy;
	size_t i;

	for (i = 0; i < sizeof(body); i++) {
		body[i] = (uint8_t)(i * 7);
	}
	setup(&fx, 4 << 20);
	arena_init(&batch, &fx.pool);
	assert_int_equal(record_new(&fx.pool, &schema, &rec), 0);
	weir_record_set_bytes(rec, F_PATH, body, sizeof(body), SIZE_MAX);
	fill(rec);
	weir_record_set_bytes(rec, F_PATH, body, sizeof(body), SIZE_MAX);
	copy = record_copy(rec, &batch);
	assert_non_null(copy);
	record_free(rec);
	assert_memory_equal(copy->values[F_PATH].v.bytes, body, sizeof(body));
	assert_memory_equal(copy->values[F_NAMES].v.strs[1].p, "two", 3);
	arena_fini(&batch);
	teardown(&fx);
}

/* From one block of memory to many: every string of the copy is the original's, after the original is gone. */
static void a_copy_of_any_size_is_whole(void **state)
{
	unsigned n;

	for (n = 0; n < 120; n++) {
		struct fixture fx;
		struct weir_arena batch;
		struct weir_record *rec, *copy;
		unsigned i;

		setup(&fx, 4 << 20);
		arena_init(&batch, &fx.pool);
		assert_int_equal(record_new(&fx.pool, &schema, &rec), 0);
		weir_record_set_static(rec, F_PATH, "/constant");
		for (i = 0; i < n; i++) {
			char value[64];

			memset(value, 'a' + (int)(i % 26), sizeof(value));
			weir_record_add_header(rec, F_HEADERS, &"nnnnnnnnnnnnnnnnnnn"[i % 20],
					       19 - i % 20, value, i % 65, 64);
			weir_record_add_str(rec, F_NAMES, value, i % 7);
			weir_record_add_u64(rec, F_CODES, i);
		}
		copy = record_copy(rec, &batch);
		assert_non_null(copy);
		record_free(rec);
		arena_pool_trim(&fx.pool);
		assert_memory_equal(copy->values[F_PATH].v.bytes, "/constant", 9);
		assert_int_equal(weir_record_has(copy, F_HEADERS), n > 0);
		for (i = 0; i < n; i++) {
			const struct weir_header *header = &copy->values[F_HEADERS].v.headers[i];
			char value[64];

			memset(value, 'a' + (int)(i % 26), sizeof(value));
			assert_int_equal(header->name.len, 19 - i % 20);
			assert_memory_equal(header->name.p, "nnnnnnnnnnnnnnnnnnn", 19 - i % 20);
			assert_int_equal(header->value.len, i % 65);
			assert_memory_equal(header->value.p, value, i % 65);
			assert_memory_equal(copy->values[F_NAMES].v.strs[i].p, value, i % 7);
			assert_int_equal(copy->values[F_CODES].v.u64s[i], i);
		}
		weir_record_add_u64(copy, F_CODES, 7777);
		weir_record_add_str(copy, F_NAMES, "last", 4);
		assert_int_equal(copy->values[F_CODES].v.u64s[n], 7777);
		assert_memory_equal(copy->values[F_NAMES].v.strs[n].p, "last", 4);
		arena_fini(&batch);
		teardown(&fx);
	}
}

/* A copy of a copy, whose memory it shares with others. */
static void a_copy_can_be_copied(void **state)
{
	struct fixture fx;
	struct weir_arena batch, other;
	struct weir_record *rec, *copy, *again;

	setup(&fx, 1 << 20);
	arena_init(&batch, &fx.pool);
	arena_init(&other, &fx.pool);
	assert_int_equal(record_new(&fx.pool, &schema, &rec), 0);
	fill(rec);
	copy = record_copy(rec, &batch);
	record_free(rec);
	again = record_copy(copy, &other);
	arena_fini(&batch);
	arena_pool_trim(&fx.pool);
	assert_memory_equal(again->values[F_PATH].v.bytes, "/path", 5);
	assert_memory_equal(again->values[F_HEADERS].v.headers[0].value.p, "example", 7);
	assert_memory_equal(again->values[F_NAMES].v.strs[1].p, "two", 3);
	assert_int_equal(again->values[F_CODES].v.u64s[1], 103);
	arena_fini(&other);
	teardown(&fx);
}

static void ids_are_ulids_of_time_hash_and_number(void **state)
{
	/* expected values: the same arithmetic in Python */
	static const struct {
		uint64_t hash;
		int64_t ts_ns;
		uint64_t n;
		const char *id;
	} rows[] = {
		{UINT64_C(0x0123456789abcdef), INT64_C(1700000000123456789), 0,
		 "01HF7YAT3VHXHV5G2RWKNVA49C"},
		{UINT64_C(0x0123456789abcdef), INT64_C(1700000000123456789), 7,
		 "01HF7YAT3VNTBVHZ2V21G71305"},
		{0, -5, 0, "0000000000F9SG000000000000"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct weir_flow_info flow = {.hash = rows[i].hash};
		char id[WEIR_ID_LEN + 1] = {0};

		weir_flow_id(&flow, rows[i].ts_ns, rows[i].n, id);
		assert_string_equal(id, rows[i].id);
	}
}

static void community_ids_are_those_of_the_specification(void **state)
{
	/* first row: the specification's baseline; the others by its reference algorithm in Python */
	static const struct {
		int family;
		const char *client;
		uint16_t client_port;
		const char *server;
		uint16_t server_port;
		const char *id;
	} rows[] = {
		{AF_INET, "128.232.110.120", 34855, "66.35.250.204", 80,
		 "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{AF_INET, "66.35.250.204", 80, "128.232.110.120", 34855,
		 "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{AF_INET6, "2001:470:e5bf:dead:4957:2174:e82c:4887", 63943,
		 "2607:f8b0:400c:c03::1a", 25, "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="},
		{AF_INET, "10.0.0.1", 8080, "10.0.0.1", 80, "1:NYInnG4ZqIZG6i/y2qSwXnS92RI="},
	};
	struct record_community *community;
	struct budget budget;
	size_t i;

	budget_init(&budget, SIZE_MAX, NULL);
	assert_int_equal(record_community_new(&budget, &community), 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct weir_flow_info flow = {.ip_version = rows[i].family == AF_INET6 ? 6 : 4};
		char id[RECORD_COMMUNITY_LEN + 1] = {0};

		inet_pton(rows[i].family, rows[i].client, flow.client.address);
		inet_pton(rows[i].family, rows[i].server, flow.server.address);
		flow.client.port = rows[i].client_port;
		flow.server.port = rows[i].server_port;
		assert_int_equal(record_community_id(community, &flow, id), 0);
		assert_string_equal(id, rows[i].id);
	}
	record_community_free(community);
	record_community_free(NULL);
	assert_int_equal(budget.used, 0);
}

static void causes_have_names(void **state)
{
	unsigned i;

	assert_string_equal(weir_gap_cause_name(WEIR_GAP_CAPTURE_DROP), "capture_drop");
	assert_string_equal(weir_reject_name(WEIR_REJECT_AFTER_FIN), "after_fin");
	assert_string_equal(weir_close_name(WEIR_CLOSE_END), "open");
	for (i = 0; i < WEIR_GAP_NCAUSES; i++) {
		assert_non_null(weir_gap_cause_name((enum weir_gap_cause)i));
	}
	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		assert_non_null(weir_reject_name((enum weir_reject)i));
	}
	for (i = 0; i < WEIR_CLOSE_NKINDS; i++) {
		assert_non_null(weir_close_name((enum weir_close)i));
	}
	assert_string_equal(weir_close_name(WEIR_CLOSE_NKINDS), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(common_fields_have_the_contract_names),
		cmocka_unit_test(engine_schemas_are_well_formed),
		cmocka_unit_test(setters_copy_cut_and_replace),
		cmocka_unit_test(a_cut_does_not_split_a_character),
		cmocka_unit_test(arrays_keep_order_and_grow),
		cmocka_unit_test(anomalies_are_named_once),
		cmocka_unit_test(unwanted_fields_stay_absent),
		cmocka_unit_test(without_memory_a_field_is_absent_and_counted),
		cmocka_unit_test(a_copy_is_deep_and_may_be_changed),
		cmocka_unit_test(a_copy_of_a_large_value_is_whole),
		cmocka_unit_test(a_copy_of_any_size_is_whole),
		cmocka_unit_test(a_copy_can_be_copied),
		cmocka_unit_test(ids_are_ulids_of_time_hash_and_number),
		cmocka_unit_test(community_ids_are_those_of_the_specification),
		cmocka_unit_test(causes_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

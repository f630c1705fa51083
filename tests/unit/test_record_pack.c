/* SPDX-License-Identifier: Apache-2.0 */
/* record/pack: what is written is read again, whatever the kind, and the record goes on growing; sizes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/pack.h"
#include "record/record.h"
#include "weir/error.h"

enum {
	F_TEXT = WEIR_NCOMMON,
	F_OTHER,
	F_HEADERS,
	F_CODES,
	F_NAMES,
	F_DIGEST,
	F_WHEN,
	F_COUNT,
	F_LAST = 127
};

static const struct weir_field fields[WEIR_MAX_FIELDS - WEIR_NCOMMON] = {
	{"t.text", WEIR_KIND_STR, 0, ""},
	{"t.other", WEIR_KIND_STR, 0, ""},
	{"t.headers", WEIR_KIND_HEADERS, WEIR_FIELD_SECRET_HEADERS, ""},
	{"t.codes", WEIR_KIND_U64S, 0, ""},
	{"t.names", WEIR_KIND_STRS, 0, ""},
	{"t.digest", WEIR_KIND_HEX, 0, ""},
	{"t.when", WEIR_KIND_TIME, 0, ""},
	{"t.count", WEIR_KIND_U64, 0, ""},
	[F_LAST - WEIR_NCOMMON] = {"t.last", WEIR_KIND_BOOL, 0, ""},
};
static const struct weir_schema schema = {"t", fields, WEIR_MAX_FIELDS - WEIR_NCOMMON};

static const struct weir_flow_info flow = {.ip_version = 4,
					   .first_packet = 9,
					   .first_ts_ns = 1700000000000000000,
					   .hash = 0x123456789abcdef};

static const struct weir_flow_info another = {.first_packet = 1, .first_ts_ns = 1, .hash = 1};

struct fixture {
	struct budget budget;
	struct arena_pool pool;
	struct weir_record *rec;
};

static void setup(struct fixture *fx)
{
	budget_init(&fx->budget, 1 << 20, NULL);
	arena_pool_init(&fx->pool, &fx->budget, 0);
	assert_int_equal(record_new(&fx->pool, &schema, &fx->rec), 0);
	fx->rec->flow = &flow;
}

static void teardown(struct fixture *fx)
{
	record_free(fx->rec);
	arena_pool_fini(&fx->pool);
	assert_int_equal(fx->budget.used, 0);
}

/* Through bytes of exactly their size; the record before is gone. @return how many */
static size_t pack_and_unpack(struct fixture *fx, const uint64_t *wanted)
{
	static uint8_t room[70000];
	struct weir_record *rec = NULL;
	struct pack pack;
	uint8_t *bytes;
	size_t len;

	fx->rec->flow = &another; /* as the engine's memory of flows may have it by then */
	pack_to(&pack, room, sizeof(room));
	record_pack(&pack, fx->rec, &flow);
	assert_false(pack.failed);
	record_free(fx->rec);
	assert_int_equal(fx->budget.used, 0);
	len = (size_t)(pack.at - room);
	bytes = malloc(len);
	assert_non_null(bytes);
	memcpy(bytes, room, len);
	memset(room, 0xdd, sizeof(room));
	pack_from(&pack, bytes, len);
	assert_int_equal(record_unpack(&pack, &fx->pool, &schema, wanted, &flow, &rec), 0);
	assert_ptr_equal(pack.at, pack.end);
	memset(bytes, 0xdd, len); /* nothing of it is borrowed */
	free(bytes);
	fx->rec = rec;
	assert_ptr_equal(rec->flow, &flow);
	assert_ptr_equal(rec->wanted, wanted);
	return len;
}

static void has_text(const struct weir_record *rec, size_t field, const char *text, size_t full_len)
{
	assert_true(weir_record_has(rec, field));
	assert_int_equal(rec->values[field].len, strlen(text));
	assert_int_equal(rec->values[field].full_len, full_len);
	assert_memory_equal(rec->values[field].v.bytes, text, strlen(text));
}

static void every_kind_comes_back(void **state)
{
	static const uint64_t wanted[2] = {UINT64_MAX, UINT64_MAX};
	struct fixture fx;
	struct weir_record *rec;

	setup(&fx);
	weir_record_set_i64(fx.rec, WEIR_F_TS, flow.first_ts_ns + 5000000000);
	weir_record_set_bytes(fx.rec, WEIR_F_CLIENT_ADDRESS, "\x0a\0\0\1", 4, 16);
	weir_record_set_u64(fx.rec, WEIR_F_CLIENT_PORT, 65535);
	weir_record_set_i64(fx.rec, WEIR_F_TIMING_WAIT, -7000000000);
	weir_record_set_bool(fx.rec, WEIR_F_FINAL, false);
	weir_record_set_static(fx.rec, WEIR_F_NETWORK_PROTOCOL_NAME, "http");
	weir_record_set_str(fx.rec, F_TEXT, "");
	weir_record_set_bytes(fx.rec, F_OTHER, "longer than the limit", 21, 6);
	weir_record_set_bytes(fx.rec, F_DIGEST, "\0\1\2\377", 4, SIZE_MAX);
	weir_record_set_i64(fx.rec, F_WHEN, INT64_MIN);
	weir_record_set_u64(fx.rec, F_COUNT, UINT64_MAX);
	weir_record_set_bool(fx.rec, F_LAST, true);
	(void)pack_and_unpack(&fx, wanted);
	rec = fx.rec;
	assert_int_equal(rec->values[WEIR_F_TS].v.i64, flow.first_ts_ns + 5000000000);
	assert_int_equal(rec->values[WEIR_F_CLIENT_ADDRESS].len, 4);
	assert_memory_equal(rec->values[WEIR_F_CLIENT_ADDRESS].v.bytes, "\x0a\0\0\1", 4);
	assert_int_equal(rec->values[WEIR_F_CLIENT_PORT].v.u64, 65535);
	assert_int_equal(rec->values[WEIR_F_TIMING_WAIT].v.i64, -7000000000);
	assert_true(weir_record_has(rec, WEIR_F_FINAL));
	assert_int_equal(rec->values[WEIR_F_FINAL].v.u64, 0);
	has_text(rec, WEIR_F_NETWORK_PROTOCOL_NAME, "http", 4);
	has_text(rec, F_TEXT, "", 0);
	has_text(rec, F_OTHER, "longer", 21);
	assert_memory_equal(rec->values[F_DIGEST].v.bytes, "\0\1\2\377", 4);
	assert_true(rec->values[F_WHEN].v.i64 == INT64_MIN);
	assert_true(rec->values[F_COUNT].v.u64 == UINT64_MAX);
	assert_int_equal(rec->values[F_LAST].v.u64, 1);
	assert_int_equal(
		__builtin_popcountll(rec->present[0]) + __builtin_popcountll(rec->present[1]), 12);
	teardown(&fx);
}

/* The smallest array has 4 elements, then they double: one more than what was read must find its room. */
static void lists_go_on_growing_wherever_they_stood(void **state)
{
	uint32_t n, i;

	for (n = 1; n <= 33; n++) {
		struct fixture fx;
		struct weir_record *rec;

		setup(&fx);
		for (i = 0; i < n + 9; i++) {
			if (i == n) {
				(void)pack_and_unpack(&fx, NULL);
			}
			weir_record_add_u64(fx.rec, F_CODES, 1000 + i);
			weir_record_add_str(fx.rec, F_NAMES, "abcdefghijklmnopqrstuvwxyz", i % 27);
			weir_record_add_header(fx.rec, F_HEADERS, "Name", i % 5, "value", i % 6, 3);
		}
		rec = fx.rec;
		assert_int_equal(rec->values[F_CODES].len, n + 9);
		assert_int_equal(rec->values[F_NAMES].len, n + 9);
		assert_int_equal(rec->values[F_HEADERS].len, n + 9);
		for (i = 0; i < n + 9; i++) {
			const struct weir_header *h = &rec->values[F_HEADERS].v.headers[i];

			assert_int_equal(rec->values[F_CODES].v.u64s[i], 1000 + i);
			assert_int_equal(rec->values[F_NAMES].v.strs[i].len, i % 27);
			assert_memory_equal(rec->values[F_NAMES].v.strs[i].p,
					    "abcdefghijklmnopqrstuvwxyz", i % 27);
			assert_int_equal(h->name.len, i % 5);
			assert_int_equal(h->value.len, i % 6 < 3 ? i % 6 : 3);
			assert_int_equal(h->full_len, i % 6);
			assert_memory_equal(h->value.p, "value", h->value.len);
			assert_int_equal(h->redacted, 0);
		}
		teardown(&fx);
	}
}

static void headers_keep_their_mask_and_anomalies_are_still_named_once(void **state)
{
	struct fixture fx;
	struct weir_header *headers;

	setup(&fx);
	weir_record_add_header(fx.rec, F_HEADERS, "Cookie", 6, "***", 3, 100);
	memcpy(&headers, &fx.rec->values[F_HEADERS].v.headers, sizeof(headers));
	headers[0].redacted = 1;
	headers[0].full_len = 300;
	weir_record_add_anomaly(fx.rec, "http.cl_te_both");
	(void)pack_and_unpack(&fx, NULL);
	assert_int_equal(fx.rec->values[F_HEADERS].v.headers[0].redacted, 1);
	assert_int_equal(fx.rec->values[F_HEADERS].v.headers[0].full_len, 300);
	weir_record_add_anomaly(fx.rec, "http.cl_te_both");
	assert_int_equal(fx.rec->values[WEIR_F_ANOMALIES].len, 1);
	weir_record_add_anomaly(fx.rec, "http.other");
	assert_int_equal(fx.rec->values[WEIR_F_ANOMALIES].len, 2);
	teardown(&fx);
}

/* The n-th id of a flow is a number; one that is none of it stays as it is. */
static void ids_come_back(void **state)
{
	static const uint64_t numbers[] = {1, 2, 77, 100000, UINT64_MAX};
	char id[WEIR_ID_LEN], flow_id[WEIR_ID_LEN];
	size_t i;

	weir_flow_id(&flow, flow.first_ts_ns, 0, flow_id);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct fixture fx;
		size_t len;

		setup(&fx);
		weir_flow_id(&flow, flow.first_ts_ns + 1000000000, numbers[i], id);
		assert_true(record_id_number(&flow, id) == numbers[i]);
		weir_record_set_i64(fx.rec, WEIR_F_TS, flow.first_ts_ns + 1000000000);
		weir_record_set_bytes(fx.rec, WEIR_F_ID, id, sizeof(id), sizeof(id));
		weir_record_set_bytes(fx.rec, WEIR_F_FLOW_ID, flow_id, sizeof(flow_id),
				      sizeof(flow_id));
		len = pack_and_unpack(&fx, NULL);
		assert_true(len <= (numbers[i] == UINT64_MAX ? 40 : 16));
		assert_memory_equal(fx.rec->values[WEIR_F_ID].v.bytes, id, sizeof(id));
		assert_memory_equal(fx.rec->values[WEIR_F_FLOW_ID].v.bytes, flow_id,
				    sizeof(flow_id));
		id[9] ^= 1; /* of another time */
		weir_record_set_bytes(fx.rec, WEIR_F_ID, id, sizeof(id), sizeof(id));
		(void)pack_and_unpack(&fx, NULL);
		assert_memory_equal(fx.rec->values[WEIR_F_ID].v.bytes, id, sizeof(id));
		weir_record_set_bytes(fx.rec, WEIR_F_ID, "short", 5, 5);
		(void)pack_and_unpack(&fx, NULL);
		has_text(fx.rec, WEIR_F_ID, "short", 5);
		teardown(&fx);
	}
}

static void what_is_said_twice_takes_room_once(void **state)
{
	const char *url = "http://www.example.org/a/path/to/something?with=query";
	struct fixture fx;
	size_t once, twice;

	setup(&fx);
	weir_record_set_str(fx.rec, F_TEXT, url);
	once = pack_and_unpack(&fx, NULL);
	weir_record_set_str(fx.rec, F_OTHER, "/a/path/to/something");
	weir_record_add_header(fx.rec, F_HEADERS, "Host", 4, "www.example.org", 15, 4096);
	twice = pack_and_unpack(&fx, NULL);
	assert_true(twice - once <= 14);
	has_text(fx.rec, F_TEXT, url, strlen(url));
	has_text(fx.rec, F_OTHER, "/a/path/to/something", 20);
	assert_memory_equal(fx.rec->values[F_HEADERS].v.headers[0].value.p, "www.example.org", 15);
	teardown(&fx);
}

static void without_room_it_fails_and_nothing_changes(void **state)
{
	static uint8_t room[70000];
	struct fixture fx;
	struct pack pack;
	size_t whole, size;
	char *large;

	setup(&fx);
	weir_record_set_str(fx.rec, F_TEXT, "some text");
	weir_record_add_header(fx.rec, F_HEADERS, "Name", 4, "value", 5, 4096);
	pack_to(&pack, room, sizeof(room));
	record_pack(&pack, fx.rec, &flow);
	whole = (size_t)(pack.at - room);
	for (size = 0; size < whole; size++) {
		uint8_t *bytes = malloc(size + 1); /* exact: writing beyond it shows */

		pack_to(&pack, bytes, size);
		record_pack(&pack, fx.rec, &flow);
		assert_true(pack.failed);
		free(bytes);
	}
	has_text(fx.rec, F_TEXT, "some text", 9);
	large = malloc(65536);
	memset(large, 'x', 65536);
	weir_record_set_bytes(fx.rec, F_OTHER, large, 65536, SIZE_MAX);
	free(large);
	pack_to(&pack, room, sizeof(room));
	record_pack(&pack, fx.rec, &flow);
	assert_true(pack.failed);
	teardown(&fx);
}

static void without_memory_it_is_passed_over(void **state)
{
	struct fixture fx;
	struct weir_record *rec = NULL;
	uint8_t room[512];
	struct pack pack;
	size_t len;

	setup(&fx);
	weir_record_set_str(fx.rec, F_TEXT, "some text");
	pack_to(&pack, room, sizeof(room));
	record_pack(&pack, fx.rec, &flow);
	(void)pack_u8(&pack, 42);
	len = (size_t)(pack.at - room);
	fx.budget.limit = fx.budget.used;
	pack_from(&pack, room, len);
	assert_int_equal(record_unpack(&pack, &fx.pool, &schema, NULL, &flow, &rec), WEIR_ENOMEM);
	assert_null(rec);
	assert_int_equal(pack_u8(&pack, 0), 42);
	assert_ptr_equal(pack.at, pack.end);
	teardown(&fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_comes_back),
		cmocka_unit_test(lists_go_on_growing_wherever_they_stood),
		cmocka_unit_test(headers_keep_their_mask_and_anomalies_are_still_named_once),
		cmocka_unit_test(ids_come_back),
		cmocka_unit_test(what_is_said_twice_takes_room_once),
		cmocka_unit_test(without_room_it_fails_and_nothing_changes),
		cmocka_unit_test(without_memory_it_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store and its model: records of all types made by dice, given to a store's sink, and kept as they are. Whatever a store is asked, the
 * answer can be worked out from the kept records plainly; that is what tests of store/reader.h do. A second backend gets the same
 * records and must give the same answers: only model_store() knows how one is filled.
 */
#ifndef TESTS_STORE_MODEL_H
#define TESTS_STORE_MODEL_H

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "record/record.h"
#include "sink/json_record.h"
#include "sink/sink.h"
#include "store/reader.h"

enum { MODEL_MAX = 8192 };

struct model {
	const struct weir_schema *schemas[ENGINE_MAX_SCHEMAS + 1];
	size_t nschemas;
	struct budget budget;
	struct arena_pool pool;
	struct weir_record *records[MODEL_MAX]; /* row i + 1 */
	size_t n;
	struct weir_flow_info flow;
	uint32_t dice;
	int64_t gap_ns; /* between the beginnings of records, about */
	bool tame;      /* numbers and texts as they come by every day */
	char path[128];
};

static inline uint32_t model_roll(struct model *model, uint32_t n)
{
	model->dice = model->dice * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(model->dice >> 8) * n >> 24);
}

static inline const struct weir_schema *model_schema(const struct model *model, const char *type)
{
	size_t i;

	for (i = 0; strcmp(model->schemas[i]->type, type) != 0; i++) {
	}
	return model->schemas[i];
}

static inline void model_init(struct model *model, uint32_t seed)
{
	memset(model, 0, sizeof(*model));
	model->nschemas = engine_schemas(NULL, model->schemas);
	budget_init(&model->budget, 512 << 20, NULL);
	arena_pool_init(&model->pool, &model->budget, 4);
	model->dice = seed;
	model->gap_ns = 2333334;
	(void)snprintf(model->path, sizeof(model->path), "test_store_%d_%u.db", (int)getpid(),
		       seed);
}

static inline void model_fini(struct model *model)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[160];
	size_t i;

	for (i = 0; i < model->n; i++) {
		record_free(model->records[i]);
	}
	arena_pool_fini(&model->pool);
	for (i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", model->path, ends[i]);
		(void)unlink(path);
	}
}

/* ---- values ---- */

/* Texts that somebody might send to break something. */
static inline size_t model_text(struct model *model, char *to, size_t size)
{
	static const struct {
		const char *p;
		size_t len;
	} odd[] = {
		{"", 0},
		{"\0", 1},
		{"a\0b", 3},
		{"\xff\xfe", 2},
		{"\\xff", 4},
		{"\\", 1},
		{"a\\b\xc3", 4},
		{"'; DROP TABLE _http;--", 22},
		{"\"[]{}", 5},
		{"\xe2\x80\xae"
		 "txt",
		 6},
		{"\x1b[2J", 4},
		{"/users/7", 8},
		{"/v1/orders", 10},
		{"\xc3\xa9t\xc3\xa9", 5},
		{"/a*b", 4},
		{"0", 1},
		{"/v1/\xff\\xff", 9},
		{"%_", 2},
		{"api.example", 11},
		{"NULL", 4},
	};
	uint32_t i = model_roll(model, 2 * sizeof(odd) / sizeof(odd[0]));
	size_t len;

	if (i < sizeof(odd) / sizeof(odd[0]) && !model->tame) {
		memcpy(to, odd[i].p, odd[i].len);
		return odd[i].len;
	}
	len = model_roll(model, 12);
	for (i = 0; i < len && i < size; i++) {
		to[i] = (char)(model_roll(model, 20) == 0 && !model->tame
				       ? model_roll(model, 256)
				       : 'a' + model_roll(model, 4));
	}
	return len;
}

static inline void model_set_number(struct model *model, struct weir_record *rec, size_t field)
{
	static const uint64_t odd[] = {0,         1,          2,         3,
				       200,       404,        500,       1448,
				       65535,     UINT32_MAX, INT64_MAX, (uint64_t)INT64_MAX + 1,
				       UINT64_MAX};
	uint32_t i = model_roll(model, 26);
	bool packet = field == WEIR_F_PACKET_FIRST || field == WEIR_F_PACKET_LAST;

	weir_record_set_u64(rec, field,
			    i < 13 && !packet && !model->tame ? odd[i] : model_roll(model, 1000));
}

static inline void model_set_address(struct model *model, struct weir_record *rec, size_t field)
{
	uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8};
	bool mapped = model_roll(model, 8) == 0;

	if (model_roll(model, 4) > 0) {
		const uint8_t v4[4] = {10, (uint8_t)model_roll(model, 2),
				       (uint8_t)model_roll(model, 3),
				       (uint8_t)model_roll(model, 4)};

		weir_record_set_bytes(rec, field, v4, 4, 4);
		return;
	}
	if (mapped) {
		memset(address, 0, sizeof(address));
		address[10] = 0xff;
		address[11] = 0xff;
		address[12] = 10;
	}
	address[15] = (uint8_t)model_roll(model, 3);
	weir_record_set_bytes(rec, field, address, 16, 16);
}

static inline void model_set(struct model *model, struct weir_record *rec, size_t field)
{
	char text[64];
	size_t len = model_text(model, text, sizeof(text)), n = 1 + model_roll(model, 3);

	switch (record_kind(rec->schema, field)) {
	case WEIR_KIND_BOOL:
		weir_record_set_bool(rec, field, model_roll(model, 2) == 1);
		break;
	case WEIR_KIND_U64:
		model_set_number(model, rec, field);
		break;
	case WEIR_KIND_DURATION:
		weir_record_set_i64(rec, field,
				    (int64_t)model_roll(model, 1000) *
						    (int64_t)(1 + model_roll(model, 5000000)) -
					    (model_roll(model, 20) == 0 ? 5000 : 0));
		break;
	case WEIR_KIND_TIME:
		weir_record_set_i64(rec, field, INT64_C(1763821049000000000));
		break;
	case WEIR_KIND_STR:
		if (field < WEIR_F_CLIENT_ADDRESS || field == WEIR_F_CAPTURE_INTERFACE) {
			/* what weir itself says of a flow is text */
			weir_record_set_str(rec, field,
					    model_roll(model, 2) == 0 ? "ipv4" : "http");
			break;
		}
		weir_record_set_bytes(rec, field, text, len,
				      model_roll(model, 20) == 0 ? 3 : SIZE_MAX);
		break;
	case WEIR_KIND_ADDRESS:
		model_set_address(model, rec, field);
		break;
	case WEIR_KIND_HEX:
		memset(text, (int)model_roll(model, 3), 32);
		weir_record_set_bytes(rec, field, text, 32, 32);
		break;
	case WEIR_KIND_STRS:
		for (; n > 0; n--) {
			len = model_text(model, text, sizeof(text));
			weir_record_add_str(rec, field, text, len);
		}
		break;
	case WEIR_KIND_U64S:
		for (; n > 0; n--) {
			weir_record_add_u64(rec, field, model_roll(model, 400));
		}
		break;
	case WEIR_KIND_HEADERS:
		for (; n > 0; n--) {
			static const char *const names[] = {"content-type", "host", "x\\y", "\xff"};
			const char *name = names[model_roll(model, 4)];

			len = model_text(model, text, sizeof(text));
			weir_record_add_header(rec, field, name, strlen(name), text, len, SIZE_MAX);
		}
		break;
	}
}

/* What most records are like, so that groups and filters find something. */
static inline void model_set_usual(struct model *model, struct weir_record *rec)
{
	static const char *const pairs[][6] = {
		{"http.request.method", "GET", "POST", "PUT", "GET", "GET"},
		{"http.route", "/users/{id}", "/orders", "/", "/v1/items/{id}", "/users/{id}"},
		{"service.name", "shop", "api", "shop", "catalog", "shop"},
		{"db.namespace", "orders", "users", "orders", "orders", "orders"},
		{"db.operation.name", "SELECT", "INSERT", "SELECT", "SELECT", "UPDATE"},
		{"db.query.digest", "SELECT ?", "INSERT ?", "SELECT ? FROM t", "SELECT ?",
		 "SELECT ?"},
		{"db.response.status", "ok", "ok", "error", "ok", "ok"},
		{"dns.response_code", "NOERROR", "NXDOMAIN", "NOERROR", "SERVFAIL", "NOERROR"},
		{"completeness", "complete", "complete", "gap", "no_response", "complete"},
		{"tcp.state", "closed", "reset", "closed", "evicted", "timeout"},
		{"tcp.handshake", "complete", "none", "complete", "syn", "complete"},
		{"url.path", "/users/7", "/orders", "/v1/items/9", "/", "/users/8"},
		{"url.domain", "shop.example", "api.example", "10.0.0.1", "shop.example",
		 "api.example"},
	};
	static const uint64_t codes[] = {200, 200, 404, 500, 503, 201};
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		int field = weir_schema_find(rec->schema, pairs[i][0], strlen(pairs[i][0]));

		if (field >= 0 && model_roll(model, 8) > 0) {
			weir_record_set_str(rec, (size_t)field, pairs[i][1 + model_roll(model, 5)]);
		}
	}
	i = (size_t)weir_schema_find(rec->schema, "http.response.status_code", 25);
	if ((int)i >= 0 && model_roll(model, 8) > 0) {
		weir_record_set_u64(rec, i, codes[model_roll(model, 6)]);
	}
}

/* One more record. ts: near its place, not quite in order, some the same. */
static inline void model_add(struct model *model, const struct weir_schema *schema)
{
	int64_t ts = INT64_C(1763821049000000000) + (int64_t)(model->n / 3) * 3 * model->gap_ns -
		     (int64_t)model_roll(model, 50) * 1000000;
	struct weir_record *rec;
	char id[WEIR_ID_LEN];
	size_t i;
	int err;

	assert(model->n < MODEL_MAX);
	err = record_new(&model->pool, schema, &rec);
	assert(err == 0);
	(void)err;
	rec->flow = &model->flow;
	for (i = 1; weir_schema_field(schema, i) != NULL; i++) {
		if (i != WEIR_F_FINAL && model_roll(model, 3) == 0) {
			model_set(model, rec, i);
		}
	}
	model_set_usual(model, rec);
	weir_record_set_i64(rec, WEIR_F_TS, ts);
	weir_flow_id(&model->flow, ts, model->n + 1, id);
	weir_record_set_bytes(rec, WEIR_F_ID, id, WEIR_ID_LEN, WEIR_ID_LEN);
	weir_flow_id(&model->flow, ts, 100000 + model_roll(model, 50), id);
	weir_record_set_bytes(rec, WEIR_F_FLOW_ID, id, WEIR_ID_LEN, WEIR_ID_LEN);
	model->records[model->n++] = rec;
}

static inline void model_fill(struct model *model, size_t n)
{
	static const char *const types[] = {"http",  "http", "http", "mysql", "pgsql",
					    "redis", "dns",  "tcp",  "tcp",   "anomaly"};

	while (n-- > 0) {
		model_add(model, model_schema(model, types[model_roll(model, 10)]));
	}
}

/* Records from `first` on into the store. */
static inline void model_store(struct model *model, size_t first)
{
	static const char *const none[] = {NULL};
	const struct weir_sink_type *type = sink_find("sqlite");
	struct weir_sink_config config = {
		.target = model->path, .keys = none, .values = none, .schemas = model->schemas};
	const char *message = "";
	struct weir_sink *sink = NULL;
	size_t i;
	int err = type->open(&config, &sink, &message);

	if (err != 0) {
		fprintf(stderr, "%s\n", message);
		abort();
	}
	for (i = first; i < model->n && err == 0; i++) {
		err = type->record(sink, model->records[i]);
	}
	if (err != 0 || type->close(sink) != 0) {
		abort();
	}
}

static inline struct store_reader *model_reader(const struct model *model)
{
	char problem[STORE_PROBLEM_MAX];
	struct store_reader *reader = NULL;

	if (store_reader_open(model->path, model->schemas, &reader, problem) != 0) {
		fprintf(stderr, "%s\n", problem);
		abort();
	}
	return reader;
}

#endif

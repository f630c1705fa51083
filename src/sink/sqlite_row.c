/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record becomes rows: see sqlite.h and store/schema.h.
 *
 * Strings that repeat, what a flow's records share and what many records have alike are written once and referred to by number
 * (store/names.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "sink/json_text.h"
#include "sink/sqlite.h"
#include "sink/utf8.h"
#include "store/id.h"
#include "weir/error.h"

enum {
	MISSES = 200,   /* then one in 16 is asked about */
	SHORT_TEXT = 1, /* bytes: a number would not be shorter */
};

/* ---- statements ---- */

static void plan_free(struct plan *plan)
{
	int part;

	for (part = 0; plan != NULL && part < STORE_NTABLES; part++) {
		(void)sqlite3_finalize(plan->inserts[part]);
	}
	for (part = 0; plan != NULL && part < STORE_NPARTS; part++) {
		(void)sqlite3_finalize(plan->deletes[part]);
	}
	free(plan);
}

static int prepare_parts(struct sqlite_sink *sq, struct plan *plan)
{
	struct strbuf sql;
	int err = 0;
	int part;

	strbuf_init(&sql);
	for (part = 0; part < STORE_NTABLES && err == 0; part++) {
		strbuf_clear(&sql);
		if (part != STORE_FLOW &&
		    store_put_insert(&sql, plan->schema, (enum store_part)part)) {
			plan->inserts[part] = sqlite_prepare(sq, strbuf_text(&sql));
			err = plan->inserts[part] == NULL ? WEIR_EIO : 0;
		}
	}
	strbuf_fini(&sql);
	return err;
}

static int16_t find(const struct weir_schema *schema, const char *name)
{
	int i = name == NULL ? -1 : weir_schema_find(schema, name, strlen(name));

	return i < 0 ? -1 : (int16_t)i;
}

/* What fields mean to rollups: the first of these names that a schema has. */
static void find_roles(struct plan *plan)
{
	static const char *const names[NROLES][4] = {
		[ROLE_SERVICE] = {"service.name", "db.namespace"},
		[ROLE_METHOD] = {"http.request.method", "db.operation.name", "dns.question.type",
				 "anomaly.code"},
		[ROLE_ROUTE] = {"http.route", "db.query.digest"},
		[ROLE_STATUS] = {"http.response.status_code", "db.response.status_code",
				 "dns.response_code", "anomaly.severity"},
		[ROLE_REQUEST_BYTES] = {"http.request.size", "db.request.size", "dns.request.size"},
		[ROLE_RESPONSE_BYTES] = {"http.response.size", "db.response.size",
					 "dns.response.size"},
		[ROLE_REQUEST_BYTES_ELSE] = {"http.request.body.size", "tcp.c2s.bytes"},
		[ROLE_RESPONSE_BYTES_ELSE] = {"http.response.body.size", "tcp.s2c.bytes"},
		[ROLE_TIME] = {"tcp.handshake_ns", "duration_ns"},
		[ROLE_RETRANSMITS] = {"tcp.c2s.retransmits", "tcp.retransmits"},
		[ROLE_RETRANSMITS_2] = {"tcp.s2c.retransmits"},
		[ROLE_OUT_OF_ORDER] = {"tcp.c2s.out_of_order", "tcp.out_of_order"},
		[ROLE_OUT_OF_ORDER_2] = {"tcp.s2c.out_of_order"},
		[ROLE_GAPS] = {"tcp.c2s.gaps", "tcp.gaps"},
		[ROLE_GAPS_2] = {"tcp.s2c.gaps"},
		[ROLE_MISSING] = {"tcp.c2s.gap_bytes", "missing_bytes"},
		[ROLE_MISSING_2] = {"tcp.s2c.gap_bytes"},
		[ROLE_PACKETS] = {"tcp.c2s.packets"},
		[ROLE_PACKETS_2] = {"tcp.s2c.packets"},
		[ROLE_HOST] = {"url.domain"},
		[ROLE_PATH] = {"url.path"},
		[ROLE_SCHEME] = {"url.scheme"},
		[ROLE_STATEMENT] = {"db.query.digest"},
		[ROLE_NAME] = {"dns.question.name"},
	};
	int role, k;

	for (role = 0; role < NROLES; role++) {
		plan->role[role] = -1;
		for (k = 0; k < 4 && plan->role[role] < 0; k++) {
			plan->role[role] = find(plan->schema, names[role][k]);
		}
	}
	if (strcmp(plan->schema->type, "tcp") == 0) {
		plan->role[ROLE_STATUS] = find(plan->schema, "tcp.state");
	} else if (find(plan->schema, "db.response.status") >= 0) {
		plan->role[ROLE_ERROR] = find(plan->schema, "db.response.status");
		if (plan->role[ROLE_SERVICE] == WEIR_F_SERVICE_NAME) {
			plan->role[ROLE_SERVICE] = find(plan->schema, "db.namespace");
		}
	}
}

static void number_parameters(struct plan *plan)
{
	/* in the order of store_put_insert(): _id, of a row _flow, _shape and _id_high, of a shape the server, then the fields */
	int next[STORE_NTABLES] = {[STORE_ROW] = 5, 2, 2, 2, 2, [STORE_SHAPE] = 4};
	size_t i;

	for (i = 0; weir_schema_field(plan->schema, i) != NULL; i++) {
		unsigned part = store_part_of(plan->schema, i);

		plan->part[i] = (uint8_t)part;
		plan->kind[i] = (uint8_t)record_kind(plan->schema, i);
		plan->parameter[i] = (uint8_t)next[part]++;
		if (part < STORE_NPARTS) {
			plan->of_part[part][i >> 6] |= UINT64_C(1) << (i & 63);
		} else if (part == STORE_SHAPE) {
			plan->shape[plan->nshape++] = (uint8_t)i;
		}
	}
	plan->escaped = next[STORE_MORE];
	plan->truncated = next[STORE_MORE] + 1;
}

static int number_type(struct sqlite_sink *sq, struct plan *plan)
{
	char sql[192];

	(void)snprintf(sql, sizeof(sql), "INSERT OR IGNORE INTO _type(type)VALUES('%s')",
		       plan->schema->type);
	if (sqlite_execute(sq, sql) < 0) {
		return WEIR_EIO;
	}
	(void)snprintf(sql, sizeof(sql), "SELECT _id FROM _type WHERE type='%s'",
		       plan->schema->type);
	plan->type = store_number(&sq->store, sql, 0);
	return plan->type == 0 ? WEIR_EIO : 0;
}

static struct plan *plan_new(struct sqlite_sink *sq, const struct weir_schema *schema)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	if (plan == NULL) {
		return NULL;
	}
	plan->schema = schema;
	number_parameters(plan);
	find_roles(plan);
	plan->has_url = store_find_url(schema, plan->url);
	if (prepare_parts(sq, plan) < 0 || number_type(sq, plan) < 0) {
		plan_free(plan);
		return NULL;
	}
	plan->next = sq->plans;
	sq->plans = plan;
	return plan;
}

struct plan *sqlite_plan(struct sqlite_sink *sq, const struct weir_schema *schema)
{
	struct plan *plan = sq->plans;

	while (plan != NULL && plan->schema != schema) {
		plan = plan->next;
	}
	return plan;
}

/* ---- values ---- */

/* Numbers beyond SQLite's are kept as text, exact. */
static void bind_u64(sqlite3_stmt *stmt, int parameter, uint64_t value)
{
	char text[JSON_U64_MAX];

	if (value <= INT64_MAX) {
		(void)sqlite3_bind_int64(stmt, parameter, (int64_t)value);
	} else {
		(void)sqlite3_bind_text(stmt, parameter, text,
					(int)(json_put_u64(text, value) - text), SQLITE_TRANSIENT);
	}
}

static bool is_utf8(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	while (p < end) {
		uint32_t cp;
		uint64_t eight;
		unsigned n;

		/* mostly ASCII */
		if (end - p >= 8) {
			memcpy(&eight, p, 8);
			if ((eight & UINT64_C(0x8080808080808080)) == 0) {
				p += 8;
				continue;
			}
		}
		n = utf8_decode(p, end, &cp);
		if (n == 0) {
			return false;
		}
		p += n;
	}
	return true;
}

/* As JSON has it (CONTRACT.md §3): \xNN for bad bytes, backslashes doubled. */
static void escape(struct strbuf *out, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	strbuf_clear(out);
	while (p < end) {
		uint32_t cp;
		unsigned n = utf8_decode(p, end, &cp);

		if (n == 0) {
			strbuf_printf(out, "\\x%02x", *p++);
		} else if (n == 1 && *p == '\\') {
			strbuf_str(out, "\\\\");
			p++;
		} else {
			strbuf_add(out, p, n);
			p += n;
		}
	}
}

static void note_escaped(struct sqlite_sink *sq, const char *name)
{
	strbuf_str(&sq->escaped, sq->escaped.len == 0 ? "[\"" : ",\"");
	strbuf_str(&sq->escaped, name);
	strbuf_char(&sq->escaped, '"');
}

static void note_truncated(struct sqlite_sink *sq, const char *name, uint32_t full)
{
	strbuf_str(&sq->truncated, sq->truncated.len == 0 ? "{\"" : ",\"");
	strbuf_printf(&sq->truncated, "%s\":%u", name, full);
}

/* The number of a column's text. */
static struct names_result number(struct sqlite_sink *sq, struct last *last, const void *p,
				  size_t len)
{
	struct names_result name = {0, false};

	if (last->id != 0 && last->len == len && memcmp(last->text, p, len) == 0) {
		return (struct names_result){last->id, false};
	}
	if (len <= SHORT_TEXT || (last->misses >= MISSES && (++sq->skipped & 15) != 0)) {
		return name;
	}
	name = names_number(&sq->strings, p, len);
	if (name.id == 0) {
		last->misses += last->misses < MISSES ? 1 : 0;
		return name;
	}
	last->misses = 0;
	if (len <= LAST_TEXT) {
		last->id = name.id;
		last->len = (uint8_t)len;
		memcpy(last->text, p, len);
	}
	return name;
}

/* A text: by its number, or as it is. transient: it does not live as long as the statement. */
static int bind_text(struct sqlite_sink *sq, sqlite3_stmt *stmt, int parameter, struct last *last,
		     const void *p, size_t len, bool transient)
{
	struct names_result name = number(sq, last, p, len);

	if (name.id == 0) {
		(void)sqlite3_bind_text64(stmt, parameter, len == 0 ? "" : p, len,
					  transient ? SQLITE_TRANSIENT : SQLITE_STATIC,
					  SQLITE_UTF8);
		return 0;
	}
	(void)sqlite3_bind_int64(stmt, parameter, name.id);
	if (!name.fresh) {
		return 0;
	}
	(void)sqlite3_bind_int64(sq->put_string, 1, name.id);
	(void)sqlite3_bind_text64(sq->put_string, 2, p, len, SQLITE_STATIC, SQLITE_UTF8);
	return sqlite_run(sq->put_string);
}

/* Text of a field: escaped when it is not UTF-8. */
static int bind_str(struct sqlite_sink *sq, sqlite3_stmt *stmt, int parameter, struct last *last,
		    const struct weir_field *field, const struct weir_value *value)
{
	if (value->full_len > value->len) {
		note_truncated(sq, field->name, value->full_len);
	}
	if (is_utf8(value->v.bytes, value->len)) {
		return bind_text(sq, stmt, parameter, last, value->v.bytes, value->len, false);
	}
	note_escaped(sq, field->name);
	escape(&sq->text, value->v.bytes, value->len);
	return sq->text.failed
		       ? WEIR_ENOMEM
		       : bind_text(sq, stmt, parameter, last, sq->text.p, sq->text.len, true);
}

static int bind_list(struct sqlite_sink *sq, sqlite3_stmt *stmt, int parameter, struct last *last,
		     const struct weir_field *field, const struct weir_value *value)
{
	uint32_t cut = record_cut_from(field->kind, value);
	int err;

	strbuf_clear(&sq->text);
	err = json_write_list(&sq->json, field->kind, value, &sq->text);
	if (err < 0) {
		return err;
	}
	if (err > 0) {
		note_escaped(sq, field->name);
	}
	if (cut > 0) {
		note_truncated(sq, field->name, cut);
	}
	return bind_text(sq, stmt, parameter, last, sq->text.p, sq->text.len, true);
}

static int bind_value(struct sqlite_sink *sq, sqlite3_stmt *stmt, int parameter, struct last *last,
		      const struct weir_field *field, const struct weir_value *value)
{
	char text[JSON_ADDRESS_MAX];

	switch (field->kind) {
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
		bind_u64(stmt, parameter, value->v.u64);
		return 0;
	case WEIR_KIND_DURATION:
	case WEIR_KIND_TIME:
		(void)sqlite3_bind_int64(stmt, parameter, value->v.i64);
		return 0;
	case WEIR_KIND_ADDRESS: {
		const char *end = json_put_address(text, value->v.bytes, value->len);

		/* without its quotes */
		(void)sqlite3_bind_text(stmt, parameter, text + 1, (int)(end - text) - 2,
					SQLITE_TRANSIENT);
		return 0;
	}
	case WEIR_KIND_HEX:
		(void)sqlite3_bind_blob(stmt, parameter, value->v.bytes, (int)value->len,
					SQLITE_STATIC);
		return 0;
	case WEIR_KIND_STR:
		return bind_str(sq, stmt, parameter, last, field, value);
	case WEIR_KIND_STRS:
	case WEIR_KIND_U64S:
	case WEIR_KIND_HEADERS:
		return bind_list(sq, stmt, parameter, last, field, value);
	}
	return 0;
}

/* Fields that are stored otherwise than as they are, store/schema.h. @return is it one of these? */
static bool bind_special(struct plan *plan, const struct weir_record *rec, size_t field)
{
	sqlite3_stmt *stmt = plan->inserts[STORE_ROW];
	int parameter = plan->parameter[field];
	const struct weir_value *value = sqlite_value(rec, field);
	int64_t low, high;
	uint64_t rest;

	switch (field) {
	case WEIR_F_ID:
		if (!weir_record_has(rec, WEIR_F_TS) ||
		    !store_id_take(value->v.bytes, value->len, sqlite_value(rec, WEIR_F_TS)->v.i64,
				   &low, &high)) {
			return false;
		}
		(void)sqlite3_bind_int64(stmt, parameter, low);
		(void)sqlite3_bind_int64(stmt, 4, high);
		return true;
	case WEIR_F_PACKET_LAST:
		rest = weir_record_has(rec, WEIR_F_PACKET_FIRST)
			       ? sqlite_value(rec, WEIR_F_PACKET_FIRST)->v.u64
			       : 0;
		(void)sqlite3_bind_int64(stmt, parameter, (int64_t)(value->v.u64 - rest));
		return true;
	case WEIR_F_TIMING_WAIT:
		rest = (uint64_t)value->v.i64;
		rest -= weir_record_has(rec, WEIR_F_DURATION)
				? (uint64_t)sqlite_value(rec, WEIR_F_DURATION)->v.i64
				: 0;
		rest += weir_record_has(rec, WEIR_F_TIMING_SEND)
				? (uint64_t)sqlite_value(rec, WEIR_F_TIMING_SEND)->v.i64
				: 0;
		rest += weir_record_has(rec, WEIR_F_TIMING_RECEIVE)
				? (uint64_t)sqlite_value(rec, WEIR_F_TIMING_RECEIVE)->v.i64
				: 0;
		(void)sqlite3_bind_int64(stmt, parameter, (int64_t)rest);
		return true;
	default:
		return false;
	}
}

/* ---- flows and shapes ---- */

/* Append a value to what tells one row of a dictionary from another. */
static void put_key(struct strbuf *key, size_t field, enum weir_kind kind,
		    const struct weir_value *value)
{
	bool number = kind == WEIR_KIND_U64 || kind == WEIR_KIND_BOOL;
	uint32_t len = number ? sizeof(value->v.u64) : value->len;
	char *to = strbuf_reserve(key, 1 + sizeof(len) + len);

	if (to == NULL) {
		return;
	}
	*to++ = (char)field;
	memcpy(to, &len, sizeof(len));
	memcpy(to + sizeof(len), number ? (const void *)&value->v.u64 : value->v.bytes, len);
	strbuf_wrote(key, 1 + sizeof(len) + len);
}

const char *sqlite_utf8(struct sqlite_sink *sq, const struct weir_value *value, size_t *ret_len)
{
	if (is_utf8(value->v.bytes, value->len)) {
		*ret_len = value->len;
		return value->len == 0 ? "" : (const char *)value->v.bytes;
	}
	escape(&sq->text, value->v.bytes, value->len);
	*ret_len = sq->text.len;
	return sq->text.p;
}

/* A value in a row of a dictionary: texts stand there themselves. */
static void bind_plain(struct sqlite_sink *sq, sqlite3_stmt *stmt, int parameter,
		       const struct weir_field *field, const struct weir_value *value)
{
	const char *text;
	size_t len;

	if (field->kind != WEIR_KIND_STR) {
		(void)bind_value(sq, stmt, parameter, NULL, field, value);
		return;
	}
	text = sqlite_utf8(sq, value, &len);
	(void)sqlite3_bind_text64(stmt, parameter, text, len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static int put_flow(struct sqlite_sink *sq, const struct weir_record *rec, int64_t *ret_id)
{
	struct names_result name;
	size_t i;

	strbuf_clear(&sq->key);
	for (i = 0; i < WEIR_NCOMMON; i++) {
		if (sq->flow_parameter[i] != 0 && weir_record_has(rec, i)) {
			put_key(&sq->key, i, record_common_fields[i].kind, sqlite_value(rec, i));
		}
	}
	if (sq->key.failed) {
		sq->key.failed = false;
		return WEIR_ENOMEM;
	}
	name = names_number(&sq->flows, sq->key.p, sq->key.len);
	*ret_id = name.id;
	if (!name.fresh) {
		return 0;
	}
	(void)sqlite3_clear_bindings(sq->put_flow);
	(void)sqlite3_bind_int64(sq->put_flow, 1, name.id);
	for (i = 0; i < WEIR_NCOMMON; i++) {
		if (sq->flow_parameter[i] != 0 && weir_record_has(rec, i)) {
			bind_plain(sq, sq->put_flow, sq->flow_parameter[i],
				   &record_common_fields[i], sqlite_value(rec, i));
		}
	}
	return sqlite_run(sq->put_flow);
}

/* Fields of the shape that JSON would name in `escaped` or `truncated`: of each record. */
static void note_shape(struct sqlite_sink *sq, const struct weir_field *field,
		       const struct weir_value *value)
{
	if (field->kind != WEIR_KIND_STR) {
		return;
	}
	if (value->full_len > value->len) {
		note_truncated(sq, field->name, value->full_len);
	}
	if (!is_utf8(value->v.bytes, value->len)) {
		note_escaped(sq, field->name);
	}
}

static int insert_shape(struct sqlite_sink *sq, struct plan *plan, const struct weir_record *rec,
			int64_t id)
{
	static const uint8_t server[] = {WEIR_F_SERVER_ADDRESS, WEIR_F_SERVER_PORT};
	sqlite3_stmt *stmt = plan->inserts[STORE_SHAPE];
	size_t k;

	(void)sqlite3_clear_bindings(stmt);
	(void)sqlite3_bind_int64(stmt, 1, id);
	for (k = 0; k < 2; k++) {
		if (weir_record_has(rec, server[k])) {
			bind_plain(sq, stmt, 2 + (int)k, &record_common_fields[server[k]],
				   sqlite_value(rec, server[k]));
		}
	}
	for (k = 0; k < plan->nshape; k++) {
		size_t i = plan->shape[k];

		if (weir_record_has(rec, i)) {
			bind_plain(sq, stmt, plan->parameter[i], weir_schema_field(rec->schema, i),
				   sqlite_value(rec, i));
		}
	}
	return sqlite_run(stmt);
}

static int put_shape(struct sqlite_sink *sq, struct plan *plan, const struct weir_record *rec,
		     int64_t *ret_id)
{
	struct names_result name;
	size_t k;

	strbuf_clear(&sq->key);
	strbuf_char(&sq->key, (char)plan->type);
	for (k = 0; k < plan->nshape; k++) {
		size_t i = plan->shape[k];

		if (weir_record_has(rec, i)) {
			const struct weir_value *value = sqlite_value(rec, i);

			put_key(&sq->key, i, (enum weir_kind)plan->kind[i], value);
			note_shape(sq, weir_schema_field(rec->schema, i), value);
		}
	}
	if (weir_record_has(rec, WEIR_F_SERVER_ADDRESS)) {
		put_key(&sq->key, WEIR_F_SERVER_ADDRESS, WEIR_KIND_ADDRESS,
			sqlite_value(rec, WEIR_F_SERVER_ADDRESS));
	}
	if (weir_record_has(rec, WEIR_F_SERVER_PORT)) {
		put_key(&sq->key, WEIR_F_SERVER_PORT, WEIR_KIND_U64,
			sqlite_value(rec, WEIR_F_SERVER_PORT));
	}
	if (sq->key.failed) {
		sq->key.failed = false;
		return WEIR_ENOMEM;
	}
	name = names_number(&sq->shapes, sq->key.p, sq->key.len);
	*ret_id = name.id;
	return name.fresh ? insert_shape(sq, plan, rec, name.id) : 0;
}

/* ---- URLs ---- */

/* Is `before` and then the text what comes next? *at is then behind them. */
static bool eats(const uint8_t **at, const uint8_t *end, const char *before, const void *p,
		 size_t len)
{
	size_t n = strlen(before);

	if ((size_t)(end - *at) < n + len || memcmp(*at, before, n) != 0 ||
	    (len > 0 && memcmp(*at + n, p, len) != 0)) {
		return false;
	}
	*at += n + len;
	return true;
}

static bool eats_field(const struct weir_record *rec, int field, const uint8_t **at,
		       const uint8_t *end, const char *before)
{
	const struct weir_value *value = &rec->values[field];

	return weir_record_has(rec, (size_t)field) && value->full_len == value->len &&
	       eats(at, end, before, value->v.bytes, value->len);
}

static bool eats_origin(const struct plan *plan, const struct weir_record *rec, const uint8_t **at,
			const uint8_t *end)
{
	size_t port = (size_t)plan->url[STORE_PORT];
	char text[JSON_U64_MAX];

	return eats_field(rec, plan->url[STORE_SCHEME], at, end, "") &&
	       eats_field(rec, plan->url[STORE_DOMAIN], at, end, "://") &&
	       (!weir_record_has(rec, port) ||
		eats(at, end, ":", text,
		     (size_t)(json_put_u64(text, rec->values[port].v.u64) - text)));
}

/* Is this the text that the view makes of the record's other fields (store/schema.c)? */
static bool is_made_of(const struct plan *plan, const struct weir_record *rec, size_t field)
{
	const int *url = plan->url;
	const struct weir_value *value = &rec->values[field];
	const uint8_t *at = value->v.bytes, *end = at + value->len;

	if (!plan->has_url || ((int)field != url[STORE_FULL] && (int)field != url[STORE_TARGET]) ||
	    value->full_len > value->len || !is_utf8(at, value->len)) {
		return false;
	}
	if ((int)field == url[STORE_FULL] && !eats_origin(plan, rec, &at, end)) {
		return false;
	}
	return eats_field(rec, url[STORE_PATH], &at, end, "") &&
	       (!weir_record_has(rec, (size_t)url[STORE_QUERY]) ||
		eats_field(rec, url[STORE_QUERY], &at, end, "?")) &&
	       at == end;
}

/* ---- records ---- */

static void bind_note(sqlite3_stmt *stmt, int parameter, struct strbuf *note, char end)
{
	if (note->len == 0) {
		(void)sqlite3_bind_null(stmt, parameter);
		return;
	}
	strbuf_char(note, end);
	(void)sqlite3_bind_text64(stmt, parameter, note->p, note->len, SQLITE_STATIC, SQLITE_UTF8);
}

/* `escaped` and `truncated`, closed. */
static void bind_notes(struct sqlite_sink *sq, struct plan *plan, unsigned *used)
{
	bool some = sq->escaped.len > 0 || sq->truncated.len > 0;

	if (some) {
		*used |= 1u << STORE_MORE;
	}
	if (some || plan->notes_bound) {
		bind_note(plan->inserts[STORE_MORE], plan->escaped, &sq->escaped, ']');
		bind_note(plan->inserts[STORE_MORE], plan->truncated, &sq->truncated, '}');
		plan->notes_bound = some;
	}
}

static int bind_field(struct sqlite_sink *sq, struct plan *plan, const struct weir_record *rec,
		      size_t i)
{
	sqlite3_stmt *stmt = plan->inserts[plan->part[i]];

	if (i < WEIR_NCOMMON && bind_special(plan, rec, i)) {
		return 0;
	}
	if (is_made_of(plan, rec, i)) {
		(void)sqlite3_bind_int64(stmt, plan->parameter[i], 0);
		return 0;
	}
	return bind_value(sq, stmt, plan->parameter[i], &plan->last[i],
			  weir_schema_field(rec->schema, i), sqlite_value(rec, i));
}

static int bind_record(struct sqlite_sink *sq, struct plan *plan, const struct weir_record *rec,
		       unsigned *used)
{
	size_t word;

	for (word = 0; word < 2; word++) {
		uint64_t left = rec->present[word];

		for (; left != 0; left &= left - 1) {
			size_t i = word * 64 + (size_t)__builtin_ctzll(left);
			int err;

			if (plan->part[i] >= STORE_NPARTS) {
				continue;
			}
			*used |= 1u << plan->part[i];
			err = bind_field(sq, plan, rec, i);
			if (err < 0) {
				return err;
			}
		}
	}
	bind_notes(sq, plan, used);
	return 0;
}

/* What a record before had and this one has not. */
static void bind_absent(struct plan *plan, const struct weir_record *rec, int part)
{
	size_t word;

	for (word = 0; word < 2; word++) {
		uint64_t now = rec->present[word] & plan->of_part[part][word];
		uint64_t left = plan->bound[part][word] & ~now;

		for (; left != 0; left &= left - 1) {
			size_t i = word * 64 + (size_t)__builtin_ctzll(left);

			(void)sqlite3_bind_null(plan->inserts[part], plan->parameter[i]);
		}
		plan->bound[part][word] = now;
	}
}

bool sqlite_is_final(const struct weir_record *rec)
{
	return !weir_record_has(rec, WEIR_F_FINAL) || sqlite_value(rec, WEIR_F_FINAL)->v.u64 != 0;
}

int sqlite_put_record(struct sqlite_sink *sq, const struct weir_record *rec)
{
	struct plan *plan = sqlite_plan(sq, rec->schema);
	unsigned used = 1u << STORE_ROW;
	bool final = sqlite_is_final(rec);
	int64_t flow = 0, shape = 0;
	int part, err;

	if (plan == NULL) {
		return WEIR_EIO;
	}
	strbuf_clear(&sq->escaped);
	strbuf_clear(&sq->truncated);
	err = sqlite_interim_replace(sq, plan, rec);
	if (err == 0 && !final && !sqlite_interim_admits(sq)) {
		return 0;
	}
	err = err < 0 ? err : put_flow(sq, rec, &flow);
	err = err < 0 ? err : put_shape(sq, plan, rec, &shape);
	err = err < 0 ? err : bind_record(sq, plan, rec, &used);
	sq->id++;
	(void)sqlite3_bind_int64(plan->inserts[STORE_ROW], 2, flow);
	(void)sqlite3_bind_int64(plan->inserts[STORE_ROW], 3, shape);
	for (part = 0; part < STORE_NPARTS && err == 0; part++) {
		if ((used >> part & 1) != 0) {
			bind_absent(plan, rec, part);
			(void)sqlite3_bind_int64(plan->inserts[part], 1, sq->id);
			err = sqlite_run(plan->inserts[part]);
		}
	}
	if (err < 0) {
		return err;
	}
	return final ? sqlite_rollup_add(sq, plan, rec, sq->id, shape)
		     : sqlite_interim_note(sq, plan, rec, sq->id);
}

/* ---- life ---- */

/* Values of a statement that did not come to its run. */
static void forget(sqlite3_stmt *stmt)
{
	if (stmt != NULL) {
		(void)sqlite3_reset(stmt);
		(void)sqlite3_clear_bindings(stmt);
	}
}

void sqlite_rows_forget(struct sqlite_sink *sq)
{
	struct plan *plan;
	int part;

	for (plan = sq->plans; plan != NULL; plan = plan->next) {
		memset(plan->last, 0, sizeof(plan->last));
		memset(plan->bound, 0, sizeof(plan->bound));
		plan->notes_bound = false;
		for (part = 0; part < STORE_NTABLES; part++) {
			forget(plan->inserts[part]);
		}
	}
	forget(sq->put_string);
	forget(sq->put_flow);
	/* numbers are not given again: nothing has to be read to go on */
	names_forget(&sq->strings, sq->strings.last);
	names_forget(&sq->flows, sq->flows.last);
	names_forget(&sq->shapes, sq->shapes.last);
}

/* The largest number in a column of the types' tables. */
static int64_t last_of(struct sqlite_sink *sq, const char *format)
{
	const struct plan *plan;
	char sql[128];
	int64_t last = 0;

	for (plan = sq->plans; plan != NULL; plan = plan->next) {
		int64_t id;

		(void)snprintf(sql, sizeof(sql), "SELECT max(_id) FROM \"_%s%s\"",
			       plan->schema->type, format);
		id = store_number(&sq->store, sql, 0);
		last = id > last ? id : last;
	}
	return last;
}

int sqlite_rows_open(struct sqlite_sink *sq, const struct weir_schema *const *schemas)
{
	struct strbuf sql;
	uint64_t seed = 0;
	int parameter = 2;
	size_t i;
	int err = 0;

	(void)getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
	for (i = 0; schemas[i] != NULL && err == 0; i++) {
		err = plan_new(sq, schemas[i]) == NULL ? WEIR_EIO : 0;
	}
	if (err == 0) {
		err = names_init(&sq->strings, seed,
				 store_number(&sq->store, "SELECT max(_id) FROM _string", 0), true);
	}
	if (err == 0) {
		err = names_init(&sq->flows, seed,
				 store_number(&sq->store, "SELECT max(_id) FROM _flow", 0), false);
	}
	if (err == 0) {
		err = names_init(&sq->shapes, seed, last_of(sq, "_shape"), false);
	}
	if (err < 0) {
		return err;
	}
	for (i = 0; i < WEIR_NCOMMON; i++) {
		if (store_part_of(schemas[0], i) == STORE_FLOW) {
			sq->flow_parameter[i] = (uint8_t)parameter++;
		}
	}
	sq->id = last_of(sq, "");
	strbuf_init(&sql);
	(void)store_put_insert(&sql, schemas[0], STORE_FLOW);
	sq->put_flow = sqlite_prepare(sq, strbuf_text(&sql));
	strbuf_fini(&sql);
	sq->put_string = sqlite_prepare(sq, "INSERT INTO _string(_id,text)VALUES(?,?)");
	return sq->put_flow == NULL || sq->put_string == NULL ? WEIR_EIO : 0;
}

void sqlite_rows_close(struct sqlite_sink *sq)
{
	while (sq->plans != NULL) {
		struct plan *plan = sq->plans;

		sq->plans = plan->next;
		plan_free(plan);
	}
	(void)sqlite3_finalize(sq->put_string);
	(void)sqlite3_finalize(sq->put_flow);
	names_fini(&sq->strings);
	names_fini(&sq->flows);
	names_fini(&sq->shapes);
}

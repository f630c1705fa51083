/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink `sqlite`: every record into one file that any sqlite3 reads (docs/store.md).
 *
 * The tables come from the record schemas (store/schema.h). A record is one row in its type's table, and one in each of the
 * type's side tables that it has something for; strings that repeat and what a flow's records share are written once and
 * referred to by number (store/names.h). Numbers of rows (`_id`) ascend in the order of the records, over all types.
 *
 * A transaction is what is given between two flushes. When one fails (the disk is full) it is rolled back, what it held is
 * counted as lost, and a second later the next record tries again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/time.h"
#include "record/record.h"
#include "sink/json_record.h"
#include "sink/json_text.h"
#include "sink/sink.h"
#include "sink/utf8.h"
#include "store/names.h"
#include "store/schema.h"
#include "store/store.h"
#include "weir/error.h"

enum {
	TRANSACTION_RECORDS = 4096, /* between two flushes while a file is read */
	LAST_TEXT = 54,
	MISSES = 200,   /* then one in 16 is asked about */
	SHORT_TEXT = 1, /* bytes: a number would not be shorter */
};

#define RETRY_NS NS_PER_S

/*
 * What a column held last. Most columns hold the same text for long, or never the same twice: neither needs a look at the names each
 * time. A column that is never the same twice is asked about now and then.
 */
struct last {
	int64_t id; /* 0: nothing is known */
	uint8_t len;
	uint8_t misses; /* in a row, of names_number() */
	uint8_t text[LAST_TEXT];
};

/* A record type's statements. */
struct plan {
	struct plan *next;
	const struct weir_schema *schema;
	sqlite3_stmt *inserts[STORE_NPARTS]; /* NULL: no such table */
	uint8_t part[WEIR_MAX_FIELDS];       /* enum store_part */
	uint8_t parameter[WEIR_MAX_FIELDS];  /* of its table's statement */
	uint8_t kind[WEIR_MAX_FIELDS];
	int escaped, truncated; /* parameters of STORE_MORE */
	bool has_url;
	int url[STORE_NURL]; /* fields */
	struct last last[WEIR_MAX_FIELDS];
};

struct sqlite_sink {
	struct store store;
	struct plan *plans;
	sqlite3_stmt *put_string, *put_flow;
	struct names strings, flows;
	uint8_t flow_parameter[WEIR_NCOMMON]; /* 0: not of the flow */
	int64_t id;                           /* of the last row */
	unsigned skipped;                     /* texts that were not asked about */
	bool in_transaction;
	int64_t retry_ns; /* nothing is tried before; 0: all is well */
	int error;        /* errno of the failure */
	struct json_writer json;
	struct strbuf text, escaped, truncated, flow_key;
};

static struct sqlite_sink *self(struct weir_sink *sink)
{
	return (struct sqlite_sink *)sink;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- statements ---- */

static sqlite3_stmt *prepare(struct sqlite_sink *sq, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	(void)sqlite3_prepare_v3(sq->store.db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
	return stmt;
}

static void plan_free(struct plan *plan)
{
	int part;

	for (part = 0; plan != NULL && part < STORE_NPARTS; part++) {
		(void)sqlite3_finalize(plan->inserts[part]);
	}
	free(plan);
}

static int prepare_parts(struct sqlite_sink *sq, struct plan *plan)
{
	struct strbuf sql;
	int err = 0;
	int part;

	strbuf_init(&sql);
	for (part = 0; part < STORE_NPARTS && err == 0; part++) {
		strbuf_clear(&sql);
		if (store_put_insert(&sql, plan->schema, (enum store_part)part)) {
			plan->inserts[part] = prepare(sq, strbuf_text(&sql));
			err = plan->inserts[part] == NULL ? WEIR_EIO : 0;
		}
	}
	strbuf_fini(&sql);
	return err;
}

static struct plan *plan_new(struct sqlite_sink *sq, const struct weir_schema *schema)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	/* parameters in the order of store_put_insert(): _id, in the type's own table the flow, then the fields */
	int next[STORE_FLOW + 1] = {[STORE_ROW] = 3, 2, 2, 2, [STORE_FLOW] = 2};
	size_t i;

	if (plan == NULL) {
		return NULL;
	}
	plan->schema = schema;
	for (i = 0; weir_schema_field(schema, i) != NULL; i++) {
		plan->part[i] = (uint8_t)store_part_of(schema, i);
		plan->kind[i] = (uint8_t)record_kind(schema, i);
		plan->parameter[i] = (uint8_t)next[plan->part[i]]++;
	}
	plan->has_url = store_find_url(schema, plan->url);
	plan->escaped = next[STORE_MORE];
	plan->truncated = next[STORE_MORE] + 1;
	if (prepare_parts(sq, plan) < 0) {
		plan_free(plan);
		return NULL;
	}
	plan->next = sq->plans;
	sq->plans = plan;
	return plan;
}

static struct plan *plan_of(struct sqlite_sink *sq, const struct weir_schema *schema)
{
	struct plan *plan = sq->plans;

	while (plan != NULL && plan->schema != schema) {
		plan = plan->next;
	}
	return plan == NULL ? plan_new(sq, schema) : plan;
}

static int execute(struct sqlite_sink *sq, const char *sql)
{
	return sqlite3_exec(sq->store.db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : WEIR_EIO;
}

/* The statement runs and is ready for other values. */
static int run_insert(sqlite3_stmt *stmt)
{
	int code = sqlite3_step(stmt);

	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
	return code == SQLITE_DONE ? 0 : WEIR_EIO;
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
		unsigned n = utf8_decode(p, end, &cp);

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
	return run_insert(sq->put_string);
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
	uint32_t cut = json_cut_from(field->kind, value);
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

/* ---- flows ---- */

/* What tells one flow from another: every value that its row will hold. */
static void put_flow_key(struct sqlite_sink *sq, const struct weir_record *rec)
{
	size_t i;

	strbuf_clear(&sq->flow_key);
	for (i = 0; i < WEIR_NCOMMON; i++) {
		const struct weir_value *value = &rec->values[i];

		if (sq->flow_parameter[i] == 0 || !weir_record_has(rec, i)) {
			continue;
		}
		strbuf_char(&sq->flow_key, (char)i);
		if (record_common_fields[i].kind == WEIR_KIND_U64) {
			strbuf_add(&sq->flow_key, &value->v.u64, sizeof(value->v.u64));
		} else {
			strbuf_add(&sq->flow_key, &value->len, sizeof(value->len));
			strbuf_add(&sq->flow_key, value->v.bytes, value->len);
		}
	}
}

/* Texts of a flow stand in its row. */
static int put_flow(struct sqlite_sink *sq, const struct weir_record *rec, int64_t *ret_id)
{
	struct names_result name;
	size_t i;

	put_flow_key(sq, rec);
	if (sq->flow_key.failed) {
		sq->flow_key.failed = false;
		return WEIR_ENOMEM;
	}
	name = names_number(&sq->flows, sq->flow_key.p, sq->flow_key.len);
	*ret_id = name.id;
	if (!name.fresh) {
		return 0;
	}
	(void)sqlite3_bind_int64(sq->put_flow, 1, name.id);
	for (i = 0; i < WEIR_NCOMMON; i++) {
		const struct weir_field *field = &record_common_fields[i];
		const struct weir_value *value = &rec->values[i];
		int parameter = sq->flow_parameter[i];

		if (parameter == 0 || !weir_record_has(rec, i)) {
			continue;
		}
		if (field->kind != WEIR_KIND_STR) {
			(void)bind_value(sq, sq->put_flow, parameter, NULL, field, value);
		} else if (is_utf8(value->v.bytes, value->len)) {
			(void)sqlite3_bind_text64(sq->put_flow, parameter,
						  (const char *)value->v.bytes, value->len,
						  SQLITE_STATIC, SQLITE_UTF8);
		} else {
			escape(&sq->text, value->v.bytes, value->len);
			(void)sqlite3_bind_text64(sq->put_flow, parameter, sq->text.p, sq->text.len,
						  SQLITE_TRANSIENT, SQLITE_UTF8);
		}
	}
	return run_insert(sq->put_flow);
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

/* `escaped` and `truncated`, closed. */
static void bind_notes(struct sqlite_sink *sq, const struct plan *plan, unsigned *used)
{
	sqlite3_stmt *stmt = plan->inserts[STORE_MORE];

	if (sq->escaped.len > 0) {
		strbuf_char(&sq->escaped, ']');
		(void)sqlite3_bind_text64(stmt, plan->escaped, sq->escaped.p, sq->escaped.len,
					  SQLITE_STATIC, SQLITE_UTF8);
		*used |= 1u << STORE_MORE;
	}
	if (sq->truncated.len > 0) {
		strbuf_char(&sq->truncated, '}');
		(void)sqlite3_bind_text64(stmt, plan->truncated, sq->truncated.p, sq->truncated.len,
					  SQLITE_STATIC, SQLITE_UTF8);
		*used |= 1u << STORE_MORE;
	}
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

			if (plan->part[i] == STORE_FLOW) {
				continue;
			}
			*used |= 1u << plan->part[i];
			if (is_made_of(plan, rec, i)) {
				(void)sqlite3_bind_int64(plan->inserts[plan->part[i]],
							 plan->parameter[i], 0);
				continue;
			}
			err = bind_value(sq, plan->inserts[plan->part[i]], plan->parameter[i],
					 &plan->last[i], weir_schema_field(rec->schema, i),
					 &rec->values[i]);
			if (err < 0) {
				return err;
			}
		}
	}
	bind_notes(sq, plan, used);
	return 0;
}

static int put_record(struct sqlite_sink *sq, const struct weir_record *rec)
{
	struct plan *plan = plan_of(sq, rec->schema);
	unsigned used = 1u << STORE_ROW;
	int64_t flow = 0;
	int part, err;

	if (plan == NULL) {
		return WEIR_EIO;
	}
	strbuf_clear(&sq->escaped);
	strbuf_clear(&sq->truncated);
	err = put_flow(sq, rec, &flow);
	if (err == 0) {
		err = bind_record(sq, plan, rec, &used);
	}
	sq->id++;
	(void)sqlite3_bind_int64(plan->inserts[STORE_ROW], 2, flow);
	for (part = 0; part < STORE_NPARTS && err == 0; part++) {
		if ((used >> part & 1) != 0) {
			(void)sqlite3_bind_int64(plan->inserts[part], 1, sq->id);
			err = run_insert(plan->inserts[part]);
		}
	}
	return err;
}

/* Values of a statement that did not come to its run. */
static void forget(sqlite3_stmt *stmt)
{
	if (stmt != NULL) {
		(void)sqlite3_reset(stmt);
		(void)sqlite3_clear_bindings(stmt);
	}
}

/* The transaction is void: rows, texts and flows of it are not there. */
static int roll_back(struct sqlite_sink *sq)
{
	struct plan *plan;
	int part;

	sq->error = store_errno(&sq->store);
	for (plan = sq->plans; plan != NULL; plan = plan->next) {
		memset(plan->last, 0, sizeof(plan->last));
		for (part = 0; part < STORE_NPARTS; part++) {
			forget(plan->inserts[part]);
		}
	}
	forget(sq->put_string);
	forget(sq->put_flow);
	(void)execute(sq, "ROLLBACK");
	sq->in_transaction = false;
	/* numbers are not given again: nothing has to be read to go on */
	names_forget(&sq->strings, sq->strings.last);
	names_forget(&sq->flows, sq->flows.last);
	sq->retry_ns = now_ns() + RETRY_NS;
	errno = sq->error;
	return WEIR_EIO;
}

static int sqlite_record(struct weir_sink *sink, const struct weir_record *rec)
{
	struct sqlite_sink *sq = self(sink);
	int err = 0;

	if (sq->retry_ns != 0 && now_ns() < sq->retry_ns) {
		errno = sq->error;
		return WEIR_EIO;
	}
	sq->retry_ns = 0;
	if (!sq->in_transaction) {
		err = execute(sq, "BEGIN IMMEDIATE");
		sq->in_transaction = err == 0;
	}
	if (err == 0) {
		err = put_record(sq, rec);
	}
	return err < 0 ? roll_back(sq) : 0;
}

static int sqlite_flush(struct weir_sink *sink)
{
	struct sqlite_sink *sq = self(sink);

	if (!sq->in_transaction) {
		return 0;
	}
	if (execute(sq, "COMMIT") < 0) {
		return roll_back(sq);
	}
	sq->in_transaction = false;
	return 0;
}

/* ---- life ---- */

static void release(struct sqlite_sink *sq)
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
	json_writer_fini(&sq->json);
	strbuf_fini(&sq->text);
	strbuf_fini(&sq->escaped);
	strbuf_fini(&sq->truncated);
	strbuf_fini(&sq->flow_key);
	store_close(&sq->store);
	free(sq);
}

/* The largest row number of all types. */
static int64_t last_id(struct sqlite_sink *sq, const struct weir_schema *const *schemas)
{
	char sql[128];
	int64_t last = 0;
	size_t i;

	for (i = 0; schemas[i] != NULL; i++) {
		int64_t id;

		(void)snprintf(sql, sizeof(sql), "SELECT max(_id) FROM _%s", schemas[i]->type);
		id = store_number(&sq->store, sql, 0);
		last = id > last ? id : last;
	}
	return last;
}

static int begin(struct sqlite_sink *sq, const struct weir_schema *const *schemas)
{
	struct strbuf sql;
	uint64_t seed = 0;
	int parameter = 2;
	size_t i;
	int err;

	(void)getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
	err = names_init(&sq->strings, seed,
			 store_number(&sq->store, "SELECT max(_id) FROM _string", 0), true);
	if (err == 0) {
		err = names_init(&sq->flows, seed,
				 store_number(&sq->store, "SELECT max(_id) FROM _flow", 0), false);
	}
	if (err < 0) {
		return err;
	}
	for (i = 0; i < WEIR_NCOMMON; i++) {
		if (store_part_of(schemas[0], i) == STORE_FLOW) {
			sq->flow_parameter[i] = (uint8_t)parameter++;
		}
	}
	sq->id = last_id(sq, schemas);
	strbuf_init(&sql);
	(void)store_put_insert(&sql, schemas[0], STORE_FLOW);
	sq->put_flow = prepare(sq, strbuf_text(&sql));
	strbuf_fini(&sql);
	sq->put_string = prepare(sq, "INSERT INTO _string(_id,text)VALUES(?,?)");
	return sq->put_flow == NULL || sq->put_string == NULL ? WEIR_EIO : 0;
}

static int sqlite_open(const struct weir_sink_config *config, struct weir_sink **ret,
		       const char **ret_message)
{
	static const char *const known[] = {NULL};
	static char message[STORE_MESSAGE];
	struct sqlite_sink *sq;
	int err;

	if (config->target[0] == '\0' || strcmp(config->target, "-") == 0) {
		*ret_message = "a store is a file\n  Name it: -o sqlite:FILE";
		return WEIR_EINVAL;
	}
	if (sink_unknown_option(config, known) != NULL) {
		*ret_message = "it takes no options";
		return WEIR_EINVAL;
	}
	sq = calloc(1, sizeof(*sq));
	if (sq == NULL) {
		*ret_message = "out of memory";
		return WEIR_ENOMEM;
	}
	json_writer_init(&sq->json);
	strbuf_init(&sq->text);
	strbuf_init(&sq->escaped);
	strbuf_init(&sq->truncated);
	strbuf_init(&sq->flow_key);
	err = store_open(&sq->store, config->target, config->schemas);
	memcpy(message, sq->store.message, sizeof(message));
	if (err == 0) {
		err = begin(sq, config->schemas);
		(void)snprintf(message, sizeof(message), "cannot prepare the store");
		errno = err < 0 ? store_errno(&sq->store) : errno;
	}
	if (err < 0) {
		int error = errno;

		*ret_message = message;
		release(sq);
		errno = error;
		return err;
	}
	*ret = (struct weir_sink *)sq;
	return 0;
}

static int sqlite_close(struct weir_sink *sink)
{
	int err = sqlite_flush(sink);

	/* into the file itself; the log may stay where its directory does not let this user remove it: empty then */
	(void)execute(self(sink), "PRAGMA wal_checkpoint(TRUNCATE)");
	release(self(sink));
	return err;
}

const struct weir_sink_type sink_sqlite = {
	.name = "sqlite",
	.doc = "a store: one file with every record, for weir query, weir stats and any sqlite3",
	.open = sqlite_open,
	.record = sqlite_record,
	.flush = sqlite_flush,
	.close = sqlite_close,
	.confirm = TRANSACTION_RECORDS,
	.recovers = true,
};

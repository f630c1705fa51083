/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of rollups: see sqlite.h and, for what they hold, store/schema.h.
 *
 * A time is put together from the longest intervals that fit into it: hours in the middle, five minutes and ten seconds at its ends. A
 * filter can be answered when it asks for nothing but what some dimension tells apart, and for whole texts: then it becomes a condition on
 * that dimension's keys.
 */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "query/sql.h"
#include "store/schema.h"
#include "store/sqlite.h"
#include "weir/error.h"

/* Columns of _key that say something; bits of what a question needs. */
enum key_column {
	KEY_TYPE_NAME,
	KEY_SERVICE,
	KEY_METHOD,
	KEY_ROUTE,
	KEY_SERVER,
	KEY_PORT,
	KEY_STATUS
};

enum {
	SEGMENTS_MAX = 8,
	LONG = 2160, /* intervals: of 10 s six hours, of five minutes a week */
};

#define BIT(column) (1u << (column))

static const char *const column_names[] = {"k.type",   "k.service", "k.method", "k.route",
					   "k.server", "k.port",    "k.status"};

static const unsigned dimensions[STORE_NDIMS] = {
	[STORE_BY_TYPE] = BIT(KEY_TYPE_NAME),
	[STORE_BY_SERVICE] = BIT(KEY_TYPE_NAME) | BIT(KEY_SERVICE),
	[STORE_BY_ENDPOINT] =
		BIT(KEY_TYPE_NAME) | BIT(KEY_SERVICE) | BIT(KEY_METHOD) | BIT(KEY_ROUTE),
	[STORE_BY_SERVER] = BIT(KEY_TYPE_NAME) | BIT(KEY_SERVER) | BIT(KEY_PORT),
	[STORE_BY_STATUS] = BIT(KEY_TYPE_NAME) | BIT(KEY_STATUS),
};

/* ---- fields ---- */

/* The column that a type's field is in; below 0: no dimension tells it apart. */
static int column_of(const struct weir_schema *schema, const char *field)
{
	static const struct {
		const char *field;
		enum key_column column;
	} known[] = {
		{"type", KEY_TYPE_NAME},
		{"db.namespace", KEY_SERVICE},
		{"http.request.method", KEY_METHOD},
		{"db.operation.name", KEY_METHOD},
		{"dns.question.type", KEY_METHOD},
		{"http.route", KEY_ROUTE},
		{"db.query.digest", KEY_ROUTE},
		{"server.address", KEY_SERVER},
		{"server.port", KEY_PORT},
		{"http.response.status_code", KEY_STATUS},
		{"db.response.status_code", KEY_STATUS},
		{"dns.response_code", KEY_STATUS},
		{"tcp.state", KEY_STATUS},
		{"anomaly.code", KEY_METHOD},
		{"anomaly.severity", KEY_STATUS},
	};
	size_t i;

	/* a database's service is the database */
	if (strcmp(field, "service.name") == 0) {
		return weir_schema_find(schema, "db.namespace", 12) < 0 ? KEY_SERVICE : -1;
	}
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].field, field) == 0) {
			return (int)known[i].column;
		}
	}
	return -1;
}

/* What has been asked for. */
struct asking {
	struct store_backend *backend;
	unsigned columns;
	bool unknown; /* something that no dimension has */
};

/* Rollups of databases do not tell service.name; it is told when no record has one. */
static bool has_no_service(struct store_backend *backend, const struct weir_schema *schema)
{
	char sql[160];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT count(*) FROM (SELECT 1 FROM \"_%s_shape\" WHERE service_name NOT "
		       "NULL LIMIT 1)",
		       schema->type);
	return store_number(&backend->store, sql, 1) == 0;
}

static void put_key_field(void *context, struct strbuf *out, const struct weir_schema *schema,
			  size_t field)
{
	struct asking *asking = context;
	const struct weir_field *def = weir_schema_field(schema, field);
	int column = column_of(schema, def->name);

	if (column < 0) {
		asking->unknown |=
			field != WEIR_F_SERVICE_NAME || !has_no_service(asking->backend, schema);
		strbuf_str(out, "NULL");
		return;
	}
	asking->columns |= BIT(column);
	strbuf_printf(out,
		      column == KEY_STATUS && def->kind == WEIR_KIND_U64 ? "CAST(%s AS INTEGER)"
									 : "%s",
		      column_names[column]);
}

/* "(k.type='http' AND ...) OR (...)". @return false: rollups cannot say */
static bool put_types(struct store_backend *backend, const struct store_summing *summing,
		      struct asking *asking, struct strbuf *out)
{
	const struct query_names names = {.put = put_key_field, .escaped = true, .context = asking};
	size_t n = 0, i;

	for (i = 0; i < backend->nschemas; i++) {
		struct strbuf said;
		bool texts = false;
		int what = QUERY_SAID_ALL;

		if ((summing->types >> i & 1) == 0) {
			continue;
		}
		strbuf_init(&said);
		if (summing->filter != NULL) {
			what = query_say_sql(summing->filter, backend->schemas[i], &names, &said,
					     &texts);
		}
		if (what != QUERY_SAID_NONE) {
			strbuf_printf(out, "%s(k.type='%s'%s%s)", n++ > 0 ? " OR " : "",
				      backend->schemas[i]->type,
				      what == QUERY_SAID_EXACT ? " AND " : "",
				      what == QUERY_SAID_EXACT ? strbuf_text(&said) : "");
		}
		strbuf_fini(&said);
		if (what < 0 || what == QUERY_SAID_WIDER || asking->unknown) {
			return false;
		}
	}
	if (n == 0) {
		strbuf_str(out, "0");
	}
	return true;
}

/* The expressions that groups are by. @return their number; below 0: rollups cannot say */
static int put_keys(struct store_backend *backend, const struct store_summing *summing,
		    struct asking *asking, struct strbuf *out)
{
	static const struct {
		int n;
		enum key_column columns[STORE_TEXTS_MAX];
	} known[] = {
		[STORE_GROUP_NONE] = {0, {0}},
		[STORE_GROUP_PROTOCOL] = {1, {KEY_TYPE_NAME}},
		[STORE_GROUP_SERVICE] = {2, {KEY_TYPE_NAME, KEY_SERVICE}},
		[STORE_GROUP_ENDPOINT] = {4, {KEY_TYPE_NAME, KEY_SERVICE, KEY_METHOD, KEY_ROUTE}},
		[STORE_GROUP_SERVER] = {3, {KEY_TYPE_NAME, KEY_SERVER, KEY_PORT}},
		[STORE_GROUP_STATUS] = {2, {KEY_TYPE_NAME, KEY_STATUS}},
		[STORE_GROUP_STATEMENT] = {2, {KEY_TYPE_NAME, KEY_ROUTE}},
	};
	int n = 0, i;

	if (summing->by == STORE_GROUP_CLIENT) {
		return WEIR_EUNSUPPORTED;
	}
	if (summing->by != STORE_GROUP_FIELD) {
		n = known[summing->by].n;
		for (i = 0; i < n; i++) {
			asking->columns |= BIT(known[summing->by].columns[i]);
			strbuf_printf(out, ",%s", column_names[known[summing->by].columns[i]]);
		}
		return n;
	}
	strbuf_str(out, ",CASE k.type");
	for (i = 0; i < (int)backend->nschemas; i++) {
		const struct weir_schema *schema = backend->schemas[i];
		int column = column_of(schema, summing->field);

		if ((summing->types >> i & 1) == 0 ||
		    (strcmp(summing->field, "type") != 0 &&
		     weir_schema_find(schema, summing->field, strlen(summing->field)) < 0)) {
			continue;
		}
		if (column >= 0) {
			asking->columns |= BIT(column);
			strbuf_printf(out, " WHEN '%s' THEN %s", schema->type,
				      column_names[column]);
			n++;
		} else if (strcmp(summing->field, "service.name") != 0 ||
			   !has_no_service(backend, schema)) {
			return WEIR_EUNSUPPORTED;
		}
	}
	strbuf_str(out, " END");
	return n > 0 ? 1 : WEIR_EUNSUPPORTED;
}

/* ---- times ---- */

struct segment {
	enum store_level level;
	int64_t from, to; /* s */
};

static int64_t down(int64_t s, int64_t length)
{
	return s - ((s % length) + length) % length;
}

/* Whole seconds before a time. */
static int64_t down_ns(int64_t ns)
{
	return ns / NS_PER_S - (ns % NS_PER_S < 0);
}

/* Since when there are rows of a level. */
static int64_t begins(struct store_backend *backend, enum store_level level)
{
	char sql[96];

	(void)snprintf(sql, sizeof(sql), "SELECT min(t) FROM _rollup WHERE level=%d AND dim=0",
		       (int)level);
	return store_number(&backend->store, sql, INT64_MAX);
}

/* The shortest intervals that there are since `from`. Shorter ones are kept for less long than hours. */
static enum store_level finest(struct store_backend *backend, int64_t from)
{
	int64_t hours = begins(backend, STORE_1H);
	int level;

	for (level = STORE_10S; level < STORE_1H; level++) {
		int64_t first = begins(backend, (enum store_level)level);

		/* nothing of the first hour is gone: that is all there ever was */
		if (first <= from || (hours != INT64_MAX && first < hours + 3600)) {
			return (enum store_level)level;
		}
	}
	return STORE_1H;
}

/* Of [from, to): first what is short of the next longer interval, then those, then what is left. */
static size_t cut_times(int64_t from, int64_t to, enum store_level low, enum store_level high,
			struct segment *segments)
{
	size_t n = 0;
	int level;

	for (level = low; level < (int)high; level++) {
		int64_t next = store_level_s((enum store_level)(level + 1));
		int64_t until = down(from + next - 1, next);

		if (until >= to) {
			break;
		}
		if (until > from) {
			segments[n++] = (struct segment){(enum store_level)level, from, until};
			from = until;
		}
	}
	for (; level >= (int)low && from < to; level--) {
		int64_t until =
			level == (int)low ? to : down(to, store_level_s((enum store_level)level));

		if (until > from) {
			segments[n++] = (struct segment){(enum store_level)level, from, until};
			from = until;
		}
	}
	return n;
}

/* Which levels, and the time in whole intervals. false: a series of shorter ones cannot be had */
static bool set_times(struct store_backend *backend, struct store_summing *summing,
		      enum store_level *ret_low, enum store_level *ret_high)
{
	int64_t from = down_ns(summing->from_ns), to = down_ns(summing->to_ns - 1) + 1;
	enum store_level low = finest(backend, from), high = STORE_1H;
	int64_t length;

	/* of a long time, ends of seconds are not worth their rows */
	while (low < STORE_1H && to - from >= store_level_s(low) * LONG &&
	       (summing->step_ns == 0 ||
		summing->step_ns % (store_level_s((enum store_level)(low + 1)) * NS_PER_S) == 0)) {
		low++;
	}
	length = store_level_s(low);
	while (summing->step_ns != 0 && summing->step_ns % (store_level_s(high) * NS_PER_S) != 0) {
		if (high == low) {
			return false;
		}
		high--;
	}
	if (high < low) {
		return false;
	}
	from = down(from, length);
	to = down(to + length - 1, length);
	summing->from_ns = from * NS_PER_S;
	summing->to_ns = to * NS_PER_S;
	*ret_low = low;
	*ret_high = high;
	return true;
}

/* ---- rows ---- */

#define SUMS                                                                                       \
	"r.t,r.n,r.n_timed,r.n_4xx,r.n_5xx,r.n_unanswered,r.n_incomplete,r.request_bytes,"         \
	"r.response_bytes,r.duration_ns,r.send_ns,r.wait_ns,r.receive_ns,r.stall_ns,r.max_ns,"     \
	"r.retransmits,r.gaps,r.missing_bytes,r.hist,k.other,r.packets,r.out_of_order"

enum { SUMS_HIST = 18, SUMS_OTHER, SUMS_PACKETS, SUMS_OUT_OF_ORDER, SUMS_KEYS };

static uint64_t count(sqlite3_stmt *stmt, int column)
{
	return (uint64_t)sqlite3_column_int64(stmt, column);
}

static void read_row(sqlite3_stmt *stmt, const struct segment *segment, int nkeys,
		     struct store_rollup *row)
{
	struct store_red *red = &row->red;
	int i;

	memset(row, 0, sizeof(*row));
	row->from_ns = sqlite3_column_int64(stmt, 0) * NS_PER_S;
	row->to_ns = row->from_ns + store_level_s(segment->level) * NS_PER_S;
	red->count = count(stmt, 1);
	red->timed = count(stmt, 2);
	red->refused = count(stmt, 3);
	red->failed = count(stmt, 4);
	red->unanswered = count(stmt, 5);
	red->incomplete = count(stmt, 6);
	red->request_bytes = count(stmt, 7);
	red->response_bytes = count(stmt, 8);
	red->total_ns = sqlite3_column_int64(stmt, 9);
	red->send_ns = sqlite3_column_int64(stmt, 10);
	red->wait_ns = sqlite3_column_int64(stmt, 11);
	red->receive_ns = sqlite3_column_int64(stmt, 12);
	red->stall_ns = sqlite3_column_int64(stmt, 13);
	red->max_ns = sqlite3_column_int64(stmt, 14);
	red->retransmits = count(stmt, 15);
	red->gaps = count(stmt, 16);
	red->missing_bytes = count(stmt, 17);
	row->hist = sqlite3_column_blob(stmt, SUMS_HIST);
	row->hist_len = (size_t)sqlite3_column_bytes(stmt, SUMS_HIST);
	row->packets = count(stmt, SUMS_PACKETS);
	row->out_of_order = count(stmt, SUMS_OUT_OF_ORDER);
	row->other = sqlite3_column_int(stmt, SUMS_OTHER) != 0;
	for (i = 0; i < nkeys; i++) {
		const uint8_t *text = sqlite3_column_text(stmt, SUMS_KEYS + i);

		if (text != NULL) {
			row->keys[i].p = text;
			row->keys[i].len = (uint32_t)sqlite3_column_bytes(stmt, SUMS_KEYS + i);
		}
	}
}

static int read_segment(struct store_backend *backend, struct store_summing *summing,
			sqlite3_stmt *stmt, const struct segment *segment, int nkeys)
{
	struct store_rollup row = {.from_ns = summing->from_ns};
	int code, err = 0;

	(void)sqlite3_reset(stmt);
	(void)sqlite3_bind_int(stmt, 1, (int)segment->level);
	(void)sqlite3_bind_int64(stmt, 3, segment->from);
	(void)sqlite3_bind_int64(stmt, 4, segment->to);
	while (err == 0 && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		read_row(stmt, segment, nkeys, &row);
		summing->rows++;
		err = summing->visit(summing->context, &row);
	}
	if (err == 0 && code == SQLITE_INTERRUPT) {
		summing->end = backend->timed_out ? STORE_TIME_SPENT : STORE_CANCELLED;
		summing->to_ns = summing->rows > 0 ? row.from_ns : summing->from_ns;
		return 0;
	}
	return err != 0 ? err : code == SQLITE_DONE ? 0 : lite_failed(backend);
}

/* A dimension that tells apart all that is asked for; the fewest keys first. */
static int dimension_of(unsigned columns)
{
	int dim;

	for (dim = 0; dim < STORE_NDIMS; dim++) {
		if ((columns & ~dimensions[dim]) == 0) {
			return dim;
		}
	}
	return WEIR_EUNSUPPORTED;
}

static int read_rollups(struct store_backend *backend, struct store_summing *summing, int dim,
			struct strbuf *sql, int nkeys)
{
	struct segment segments[SEGMENTS_MAX];
	enum store_level low, high;
	sqlite3_stmt *stmt;
	size_t n, i;
	int err = 0;

	if (!set_times(backend, summing, &low, &high)) {
		return WEIR_EUNSUPPORTED;
	}
	n = cut_times(summing->from_ns / NS_PER_S, summing->to_ns / NS_PER_S, low, high, segments);
	stmt = sql->failed ? NULL : lite_prepare(backend, strbuf_text(sql));
	if (stmt == NULL) {
		return sql->failed ? WEIR_ENOMEM : lite_failed(backend);
	}
	(void)sqlite3_bind_int(stmt, 2, dim);
	for (i = 0; i < n && err == 0 && summing->end == STORE_COMPLETE; i++) {
		err = read_segment(backend, summing, stmt, &segments[i], nkeys);
	}
	(void)sqlite3_finalize(stmt);
	return err;
}

/* Some keys stand for many that were not told apart: what a filter would say of them is not known. */
static bool tells_all_apart(struct store_backend *backend, int dim)
{
	char sql[96];

	(void)snprintf(sql, sizeof(sql), "SELECT 1 FROM _key WHERE dim=%d AND other=1 LIMIT 1",
		       dim);
	return store_number(&backend->store, sql, 0) == 0;
}

int lite_rollups(struct store_backend *backend, struct store_summing *summing)
{
	struct asking asking = {.backend = backend, .columns = BIT(KEY_TYPE_NAME)};
	struct strbuf sql, types;
	int nkeys, dim, err = WEIR_EUNSUPPORTED;
	bool filtered;

	lite_begin(backend, summing->limits);
	summing->rows = 0;
	summing->end = STORE_COMPLETE;
	if (summing->from_ns < INT64_MIN / 2 || summing->to_ns > INT64_MAX / 2) {
		return WEIR_EUNSUPPORTED; /* no time that intervals can be cut from */
	}
	strbuf_init(&sql);
	strbuf_init(&types);
	strbuf_str(&sql, "SELECT " SUMS);
	nkeys = put_types(backend, summing, &asking, &types) ? 0 : WEIR_EUNSUPPORTED;
	filtered = asking.columns != BIT(KEY_TYPE_NAME);
	if (nkeys == 0) {
		nkeys = put_keys(backend, summing, &asking, &sql);
	}
	if (nkeys >= 0) {
		dim = dimension_of(asking.columns);
		if (dim >= 0 && (!filtered || tells_all_apart(backend, dim))) {
			strbuf_printf(&sql,
				      " FROM _rollup r CROSS JOIN _key k ON k._id=r.key WHERE "
				      "r.level=?1 AND r.dim=?2 AND r.t>=?3 AND r.t<?4 AND (%s)",
				      strbuf_text(&types));
			sql.failed |= types.failed;
			/* all of it is of one moment */
			(void)sqlite3_exec(backend->store.db, "BEGIN", NULL, NULL, NULL);
			err = read_rollups(backend, summing, dim, &sql, nkeys);
			(void)sqlite3_exec(backend->store.db, "COMMIT", NULL, NULL, NULL);
			if (err != WEIR_EUNSUPPORTED) {
				atomic_store(&backend->cancelled, false);
			}
		}
	}
	strbuf_fini(&sql);
	strbuf_fini(&types);
	return err;
}

/* ---- what the capture counted ---- */

int lite_counters(struct store_backend *backend, int64_t from_ns, int64_t to_ns,
		  struct store_health *ret)
{
	static const char sums[] =
		"SELECT total(packets),total(bytes) FROM _capture WHERE t>=?1 AND "
		"t<=?2";
	static const char each[] =
		"SELECT e.key,sum(e.value) FROM _capture c,json_each(c.counters) e "
		"WHERE c.t>=?1 AND c.t<=?2 GROUP BY 1 ORDER BY 1";
	sqlite3_stmt *stmt[2] = {lite_prepare(backend, sums), lite_prepare(backend, each)};
	int err = 0, i;

	for (i = 0; i < 2; i++) {
		/* rows are of ten seconds, by their begin */
		(void)sqlite3_bind_int64(stmt[i], 1, down(down_ns(from_ns), 10));
		(void)sqlite3_bind_int64(stmt[i], 2, down_ns(to_ns));
	}
	if (stmt[0] == NULL || stmt[1] == NULL) {
		err = lite_failed(backend);
	} else if (sqlite3_step(stmt[0]) == SQLITE_ROW) {
		ret->captured_packets = (uint64_t)sqlite3_column_double(stmt[0], 0);
		ret->captured_bytes = (uint64_t)sqlite3_column_double(stmt[0], 1);
	}
	while (err == 0 && ret->ncounters < STORE_COUNTERS_MAX &&
	       sqlite3_step(stmt[1]) == SQLITE_ROW) {
		struct store_counter *counter = &ret->counters[ret->ncounters++];

		(void)snprintf(counter->name, sizeof(counter->name), "%s",
			       (const char *)sqlite3_column_text(stmt[1], 0));
		counter->n = (uint64_t)sqlite3_column_int64(stmt[1], 1);
	}
	(void)sqlite3_finalize(stmt[0]);
	(void)sqlite3_finalize(stmt[1]);
	return err;
}

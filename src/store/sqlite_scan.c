/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking through the records of several types in one order: see sqlite.h.
 *
 * Each type has a statement that follows its index on time; the one whose row comes next is taken. A statement calls weir_pass() for every row
 * that it looks at, so it is known at any moment where it is and how many there were, also when nothing passes the filter for long; and
 * when the limits end it there, what had been found before that place is still given.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/record.h"
#include "query/sql.h"
#include "store/schema.h"
#include "store/sqlite.h"
#include "weir/error.h"

/* Of the whole scan. */
struct walk {
	struct store_backend *backend;
	struct store_scan *scan;
	struct query *filter;
	uint64_t rows, max_rows;
	bool spent; /* max_rows */
	bool oldest;
	bool filtered; /* some filter looks at rows */
	bool by_row;   /* rows are asked for one by one */
};

enum state { FRESH, PENDING, STUCK, DONE };

/* Of a type. Pointed to by its statement. */
struct source {
	struct walk *walk;
	struct lite_rows rows;
	struct lite_rows
		wanted; /* of one row, what the visitor wants; when rows has only what the filter must see */
	bool asked; /* wanted is used */
	enum state state;
	struct store_place
		place; /* of the row that was looked at last; before any: where it begins */
	int verdict;   /* of that row */
	struct lite_candidates candidates;
	struct store_place *list; /* of candidates that are listed, in order; what comes next */
	size_t nlist, next;
	bool looked; /* at a row, since the last that was given */
};

static const char pointer_type[] = "weir_source";

/* weir_pass(source, key, row, verdict): is the row to be seen? */
static void pass(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	struct source *source = sqlite3_value_pointer(argv[0], pointer_type);

	(void)argc;
	if (source == NULL) {
		sqlite3_result_int(context, 0);
		return;
	}
	source->place.key = sqlite3_value_int64(argv[1]);
	source->place.row = sqlite3_value_int64(argv[2]);
	source->verdict = sqlite3_value_int(argv[3]);
	source->looked = true;
	source->walk->rows++;
	if (source->walk->rows >= source->walk->max_rows) {
		source->walk->spent = true;
	}
	sqlite3_result_int(context, source->verdict != VERDICT_NO || source->walk->spent);
}

/* weir_among(source, row): is it one of the candidates? Asked of the index on time, before the row itself is looked for. */
static void among(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	struct source *source = sqlite3_value_pointer(argv[0], pointer_type);

	(void)argc;
	sqlite3_result_int(context,
			   source != NULL && lite_candidates_have(&source->candidates,
								  sqlite3_value_int64(argv[1])));
}

int lite_scan_functions(struct store_backend *backend)
{
	sqlite3 *db = backend->store.db;

	return sqlite3_create_function(db, "weir_pass", 4, SQLITE_UTF8, NULL, pass, NULL, NULL) ==
				       SQLITE_OK &&
			       sqlite3_create_function(db, "weir_among", 2, SQLITE_UTF8, NULL,
						       among, NULL, NULL) == SQLITE_OK
		       ? 0
		       : WEIR_ENOMEM;
}

/* ---- statements ---- */

static void want(uint64_t fields[2], size_t i)
{
	fields[i >> 6] |= UINT64_C(1) << (i & 63);
}

/* What the filter says of a type. @return enum query_said or an error */
static int say_filter(struct walk *walk, const struct weir_schema *schema, struct strbuf *verdict)
{
	const struct query_names names = {.put = lite_put_field};
	struct strbuf said;
	bool texts = false;
	int what = QUERY_SAID_ALL;

	strbuf_init(&said);
	if (walk->filter != NULL) {
		what = query_say_sql(walk->filter, schema, &names, &said, &texts);
	}
	if (what == QUERY_SAID_ALL) {
		strbuf_str(verdict, "1");
	} else if (what == QUERY_SAID_EXACT || what == QUERY_SAID_WIDER) {
		/* a text that was escaped is not what it was: the filter itself must see it */
		strbuf_str(verdict, texts ? "CASE WHEN escaped IS NULL THEN " : "");
		strbuf_printf(verdict,
			      what == QUERY_SAID_EXACT ? "(%s) IS TRUE" : "2*((%s) IS TRUE)",
			      strbuf_text(&said));
		strbuf_str(verdict, texts ? " ELSE 2 END" : "");
	}
	if (said.failed || verdict->failed) {
		what = WEIR_ENOMEM;
	}
	/* whoever may be asked must see what it asks about */
	if (what == QUERY_SAID_EXACT && texts) {
		what = QUERY_SAID_WIDER;
	}
	strbuf_fini(&said);
	return what;
}

/* Fields that the visitor wants, or that the filter must see. */
static void choose_fields(const struct walk *walk, const struct weir_schema *schema, bool asked,
			  uint64_t fields[2])
{
	size_t i;

	fields[0] = 0;
	fields[1] = 0;
	for (i = 0; weir_schema_field(schema, i) != NULL; i++) {
		if (asked ? query_wants(walk->filter, schema, i)
			  : walk->scan->wants(walk->scan->context, schema, i)) {
			want(fields, i);
		}
	}
}

static void put_conditions(const struct source *source, struct strbuf *sql, const char *verdict)
{
	const struct walk *walk = source->walk;
	const struct store_scan *scan = walk->scan;

	if (source->candidates.listed || walk->by_row) {
		strbuf_printf(sql, " WHERE _id=?2 AND weir_pass(?1,ts_ns,_id,%s)", verdict);
		return;
	}

	strbuf_str(sql, " WHERE ts_ns BETWEEN ?2 AND ?3");
	if (scan->after != NULL) {
		/* the place itself is behind us */
		strbuf_printf(sql, " AND ts_ns%s?4 AND NOT(ts_ns=?4 AND _id%s?5)",
			      walk->oldest ? ">=" : "<=", walk->oldest ? "<=" : ">=");
	}
	strbuf_str(sql, scan->finals ? " AND _id NOT IN (SELECT _id FROM _open)" : "");
	strbuf_str(sql, source->candidates.there ? " AND weir_among(?1,_id)" : "");
	strbuf_printf(sql, " AND weir_pass(?1,ts_ns,_id,%s) ORDER BY ts_ns %s,_id %s", verdict,
		      walk->oldest ? "ASC" : "DESC", walk->oldest ? "ASC" : "DESC");
}

/* Does a come before b? */
static bool comes_first(const struct walk *walk, const struct store_place *a,
			const struct store_place *b)
{
	bool less = a->key != b->key ? a->key < b->key : a->row < b->row;
	bool same = a->key == b->key && a->row == b->row;

	return walk->oldest ? less : !less && !same;
}

static int by_newest(const void *a, const void *b)
{
	const struct store_place *x = a, *y = b;

	return x->key != y->key   ? (x->key < y->key ? 1 : -1)
	       : x->row != y->row ? (x->row < y->row ? 1 : -1)
				  : 0;
}

static int by_oldest(const void *a, const void *b)
{
	return by_newest(b, a);
}

/* The times of listed candidates, those that count in order. */
static int make_list(struct source *source, const struct weir_schema *schema)
{
	const struct walk *walk = source->walk;
	const struct store_scope *scope = walk->scan->scope;
	const struct lite_candidates *candidates = &source->candidates;
	sqlite3_stmt *stmt;
	char sql[128];
	size_t i;

	(void)snprintf(sql, sizeof(sql), "SELECT ts FROM \"_%s\" WHERE _id=?1", schema->type);
	source->list = calloc(candidates->n + 1, sizeof(*source->list));
	stmt = lite_prepare(walk->backend, sql);
	if (source->list == NULL || stmt == NULL) {
		(void)sqlite3_finalize(stmt);
		return source->list == NULL ? WEIR_ENOMEM : lite_failed(walk->backend);
	}
	for (i = 0; i < candidates->n; i++) {
		struct store_place place = {.row = candidates->ids[i]};

		(void)sqlite3_reset(stmt);
		(void)sqlite3_bind_int64(stmt, 1, place.row);
		/* one that was removed meanwhile has no row */
		if (sqlite3_step(stmt) != SQLITE_ROW) {
			continue;
		}
		place.key = sqlite3_column_int64(stmt, 0);
		if (place.key >= scope->from_ns && place.key < scope->to_ns &&
		    (walk->scan->after == NULL || comes_first(walk, walk->scan->after, &place))) {
			source->list[source->nlist++] = place;
		}
	}
	(void)sqlite3_finalize(stmt);
	qsort(source->list, source->nlist, sizeof(*source->list),
	      walk->oldest ? by_oldest : by_newest);
	return 0;
}

/* Where to look, and with which statement. */
static int prepare(struct source *source, const struct weir_schema *schema, int said,
		   const char *verdict)
{
	struct walk *walk = source->walk;
	struct strbuf sql;
	uint64_t fields[2];
	int err = 0;

	if (said != QUERY_SAID_ALL && !walk->by_row) {
		err = lite_candidates(walk->backend, walk->filter, schema, &source->candidates);
		walk->filtered |= !source->candidates.there;
	}
	if (err == 0 && source->candidates.listed) {
		err = make_list(source, schema);
	}
	if (err < 0) {
		return err;
	}
	strbuf_init(&sql);
	source->asked = said == QUERY_SAID_WIDER;
	choose_fields(walk, schema, source->asked, fields);
	lite_rows_select(&source->rows, walk->backend, schema, fields, "NULL", "NULL", &sql);
	put_conditions(source, &sql, verdict);
	err = lite_rows_prepare(&source->rows, &sql);
	if (err == 0 && source->asked) {
		strbuf_clear(&sql);
		choose_fields(walk, schema, false, fields);
		lite_rows_select(&source->wanted, walk->backend, schema, fields, "NULL", "NULL",
				 &sql);
		strbuf_str(&sql, " WHERE _id=?1");
		err = lite_rows_prepare(&source->wanted, &sql);
	}
	strbuf_fini(&sql);
	return err;
}

static void source_fini(struct source *source)
{
	lite_rows_fini(&source->rows);
	lite_rows_fini(&source->wanted);
	lite_candidates_fini(&source->candidates);
	free(source->list);
}

/* @return 1: there is one; 0: nothing of this type matches */
static int source_init(struct source *source, struct walk *walk, const struct weir_schema *schema)
{
	const struct store_scope *scope = walk->scan->scope;
	const struct store_place *after = walk->scan->after;
	struct strbuf verdict;
	int said, err = 0;

	memset(source, 0, sizeof(*source));
	source->walk = walk;
	source->place.key = walk->oldest ? INT64_MIN : INT64_MAX;
	source->place.row = source->place.key;
	strbuf_init(&verdict);
	said = say_filter(walk, schema, &verdict);
	if (said >= 0 && said != QUERY_SAID_NONE) {
		err = prepare(source, schema, said, strbuf_text(&verdict));
	}
	strbuf_fini(&verdict);
	if (said < 0 || said == QUERY_SAID_NONE || err < 0) {
		return said < 0 ? said : err < 0 ? err : 0;
	}
	(void)sqlite3_bind_pointer(source->rows.stmt, 1, source, pointer_type, NULL);
	if (after != NULL) {
		source->place = *after;
	}
	if (source->candidates.listed || walk->by_row) {
		return 1;
	}
	(void)sqlite3_bind_int64(source->rows.stmt, 2, scope->from_ns);
	(void)sqlite3_bind_int64(source->rows.stmt, 3, scope->to_ns - 1);
	if (after != NULL) {
		(void)sqlite3_bind_int64(source->rows.stmt, 4, after->key);
		(void)sqlite3_bind_int64(source->rows.stmt, 5, after->row);
	}
	return 1;
}

/* ---- walking ---- */

/* The next candidate that is to be seen. */
static int step_list(struct source *source)
{
	int code = SQLITE_DONE;

	while (code == SQLITE_DONE && source->next < source->nlist) {
		(void)sqlite3_reset(source->rows.stmt);
		(void)sqlite3_bind_int64(source->rows.stmt, 2, source->list[source->next].row);
		source->next++;
		code = sqlite3_step(source->rows.stmt);
	}
	return code;
}

/* The row that the source is at has not been given: it is still before us. */
static void step_back(struct source *source)
{
	source->place.row += source->walk->oldest ? -1 : 1;
	source->state = STUCK;
}

/* Go on to the next row that is to be seen, and to the matcher when it must be asked. */
static int advance(struct source *source)
{
	struct walk *walk = source->walk;
	int code;

	if (walk->spent) {
		source->state = STUCK;
		return 0;
	}
	source->looked = false;
	code = source->candidates.listed ? step_list(source) : sqlite3_step(source->rows.stmt);
	if (code == SQLITE_ROW) {
		/* not to be seen: the limit ended it there */
		source->state = source->verdict == VERDICT_NO ? STUCK : PENDING;
	} else if (code == SQLITE_DONE) {
		source->state = DONE;
	} else if (code == SQLITE_INTERRUPT) {
		source->state = STUCK;
		if (source->looked && source->verdict != VERDICT_NO) {
			step_back(source);
		}
	} else {
		return lite_failed(walk->backend);
	}
	return 0;
}

/* What the visitor wants of a row that the filter has seen. @return 1: the limits ended it there */
static int read_wanted(struct source *source, struct weir_record **ret)
{
	sqlite3_stmt *stmt = source->wanted.stmt;
	int code;

	(void)sqlite3_reset(stmt);
	(void)sqlite3_bind_int64(stmt, 1, source->place.row);
	code = sqlite3_step(stmt);
	if (code == SQLITE_ROW) {
		return lite_rows_record(&source->wanted, ret);
	}
	return code == SQLITE_INTERRUPT ? 1 : lite_failed(source->walk->backend);
}

/* Give the row to the visitor. @return as it says; 0 when it does not match */
static int give(struct source *source)
{
	struct walk *walk = source->walk;
	struct weir_record *rec;
	bool matches;
	int err = lite_rows_record(&source->rows, &rec);

	if (err < 0) {
		return err;
	}
	matches = source->verdict != VERDICT_ASK || query_match(walk->filter, rec);
	if (source->asked) {
		record_free(rec);
		err = matches ? read_wanted(source, &rec) : 0;
		if (err > 0) {
			step_back(source);
		}
		if (err != 0 || !matches) {
			return err < 0 ? err : 0;
		}
	}
	if (matches) {
		err = walk->scan->visit(walk->scan->context, rec, source->place);
	}
	record_free(rec);
	return err;
}

static struct source *pick(struct walk *walk, struct source *sources, size_t n)
{
	struct source *best = NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		if (sources[i].state != DONE &&
		    (best == NULL || comes_first(walk, &sources[i].place, &best->place))) {
			best = &sources[i];
		}
	}
	return best;
}

/* @return 0, or an error */
static int go(struct walk *walk, struct source *sources, size_t n)
{
	struct source *next = NULL;
	size_t i;
	int err = 0;

	for (i = 0; i < n && err == 0; i++) {
		err = advance(&sources[i]);
	}
	while (err == 0 && (next = pick(walk, sources, n)) != NULL && next->state == PENDING) {
		err = give(next);
		if (err != 0) {
			break;
		}
		if (next->state == PENDING) {
			err = advance(next);
		}
	}
	if (err >= 0 && next != NULL) {
		walk->scan->place = next->place;
		walk->scan->more = true;
	}
	return err < 0 ? err : 0;
}

static void set_answer(const struct walk *walk, struct store_answer *ret)
{
	const struct store_scan *scan = walk->scan;
	const struct store_backend *backend = walk->backend;
	bool stopped = walk->spent || backend->timed_out || atomic_load(&backend->cancelled);

	memset(ret, 0, sizeof(*ret));
	ret->basis = walk->filtered ? STORE_FROM_SCAN : STORE_FROM_INDEX;
	ret->rows = walk->rows;
	ret->from_ns = scan->scope->from_ns;
	ret->to_ns = scan->scope->to_ns;
	if (scan->more && stopped) {
		ret->end = atomic_load(&backend->cancelled) ? STORE_CANCELLED
			   : backend->timed_out             ? STORE_TIME_SPENT
							    : STORE_ROWS_SPENT;
	}
	if (scan->more && walk->oldest) {
		ret->to_ns = scan->place.key;
	} else if (scan->more && scan->place.key != INT64_MAX) {
		ret->from_ns = scan->place.key;
	} else if (scan->more) {
		ret->from_ns = ret->to_ns;
	}
}

static int walk_through(struct store_backend *backend, struct store_scan *scan,
			struct store_answer *ret)
{
	struct walk walk = {.backend = backend, .scan = scan, .filter = scan->scope->filter};
	struct source *sources = calloc(STORE_TYPES_MAX, sizeof(*sources));
	size_t n = 0, i;
	int err = 0;

	if (sources == NULL) {
		return WEIR_ENOMEM;
	}
	walk.oldest = scan->sort == STORE_OLDEST;
	walk.max_rows =
		scan->scope->limits.rows == 0 ? STORE_DEFAULT_ROWS : scan->scope->limits.rows;
	for (i = 0; i < backend->nschemas && err >= 0; i++) {
		if ((scan->types & backend->there & UINT32_C(1) << i) != 0) {
			err = source_init(&sources[n], &walk, backend->schemas[i]);
			n += err > 0;
			if (err == 0) {
				source_fini(&sources[n]);
				memset(&sources[n], 0, sizeof(sources[n]));
			}
		}
	}
	if (err >= 0) {
		err = go(&walk, sources, n);
		set_answer(&walk, ret);
	}
	for (i = 0; i <= n && i < STORE_TYPES_MAX; i++) {
		source_fini(&sources[i]);
	}
	free(sources);
	return err;
}

/* ---- the slowest ---- */

/* What is kept while all are looked at: a heap, the least on top. */
struct slowest {
	struct store_scan *scan;
	struct kept {
		struct store_place place; /* duration, row */
		const struct weir_schema *schema;
	} * heap;
	size_t n, size;
};

static bool is_less(const struct store_place *a, const struct store_place *b)
{
	return a->key != b->key ? a->key < b->key : a->row < b->row;
}

static void sink_down(struct slowest *slowest, size_t at)
{
	struct kept *heap = slowest->heap;

	while (2 * at + 1 < slowest->n) {
		size_t child = 2 * at + 1;
		struct kept kept = heap[at];

		if (child + 1 < slowest->n && is_less(&heap[child + 1].place, &heap[child].place)) {
			child++;
		}
		if (!is_less(&heap[child].place, &kept.place)) {
			return;
		}
		heap[at] = heap[child];
		heap[child] = kept;
		at = child;
	}
}

static int keep_slowest(void *context, const struct weir_record *rec, struct store_place place)
{
	struct slowest *slowest = context;
	struct kept kept = {.schema = rec->schema};
	size_t at;

	if (!weir_record_has(rec, WEIR_F_DURATION)) {
		return 0;
	}
	kept.place.key = rec->values[WEIR_F_DURATION].v.i64;
	kept.place.row = place.row;
	if (slowest->scan->after != NULL && !is_less(&kept.place, slowest->scan->after)) {
		return 0;
	}
	if (slowest->n == slowest->size) {
		if (is_less(&kept.place, &slowest->heap[0].place)) {
			slowest->scan->more = true;
			return 0;
		}
		slowest->scan->more = true;
		slowest->heap[0] = kept;
		sink_down(slowest, 0);
		return 0;
	}
	at = slowest->n++;
	slowest->heap[at] = kept;
	while (at > 0 && is_less(&slowest->heap[at].place, &slowest->heap[(at - 1) / 2].place)) {
		struct kept above = slowest->heap[(at - 1) / 2];

		slowest->heap[(at - 1) / 2] = slowest->heap[at];
		slowest->heap[at] = above;
		at = (at - 1) / 2;
	}
	return 0;
}

static bool wants_duration(void *context, const struct weir_schema *schema, size_t field)
{
	(void)context;
	(void)schema;
	return field == WEIR_F_DURATION;
}

static int by_place(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	return is_less(&x->place, &y->place) ? 1 : is_less(&y->place, &x->place) ? -1 : 0;
}

/* The record of a row, to the visitor. */
static int give_row(struct store_backend *backend, struct store_scan *scan, const struct kept *kept)
{
	struct lite_rows rows;
	struct weir_record *rec;
	struct strbuf sql;
	uint64_t fields[2] = {0, 0};
	size_t i;
	int err;

	for (i = 0; weir_schema_field(kept->schema, i) != NULL; i++) {
		if (scan->wants(scan->context, kept->schema, i)) {
			want(fields, i);
		}
	}
	strbuf_init(&sql);
	lite_rows_select(&rows, backend, kept->schema, fields, "NULL", "NULL", &sql);
	strbuf_str(&sql, " WHERE _id=?1");
	err = lite_rows_prepare(&rows, &sql);
	strbuf_fini(&sql);
	if (err == 0) {
		(void)sqlite3_bind_int64(rows.stmt, 1, kept->place.row);
		if (sqlite3_step(rows.stmt) == SQLITE_ROW) {
			err = lite_rows_record(&rows, &rec);
			if (err == 0) {
				err = scan->visit(scan->context, rec, kept->place);
				record_free(rec);
			}
		}
	}
	lite_rows_fini(&rows);
	return err;
}

enum { OCTAVES = 64, OCTAVE_MAX = 20000 };

/* Looks at candidates of a type: their durations, and what the filter says of them. */
struct asker {
	struct walk *walk;
	struct source source;
};

/* A type's records of one octave, to the heap. */
static int ask_octave(struct asker *asker, const struct weir_schema *schema, int octave)
{
	struct source *source = &asker->source;
	const struct store_scope *scope = asker->walk->scan->scope;
	struct lite_candidates found;
	size_t i;
	int err;

	memset(&found, 0, sizeof(found));
	err = lite_slowest(asker->walk->backend, schema, octave, OCTAVE_MAX, &found);
	for (i = 0; i < found.n && err == 0; i++) {
		int code;

		(void)sqlite3_reset(source->rows.stmt);
		(void)sqlite3_bind_int64(source->rows.stmt, 2, found.ids[i]);
		code = sqlite3_step(source->rows.stmt);
		if (code != SQLITE_ROW) {
			err = code == SQLITE_INTERRUPT || code == SQLITE_DONE
				      ? 0
				      : lite_failed(asker->walk->backend);
			continue;
		}
		if (asker->walk->spent) {
			err = WEIR_ELIMIT;
			break;
		}
		if (source->verdict == VERDICT_NO || source->place.key < scope->from_ns ||
		    source->place.key >= scope->to_ns) {
			continue;
		}
		err = give(source);
	}
	lite_candidates_fini(&found);
	return err;
}

/* From the longest octave down until there are enough. WEIR_ELIMIT: too many are as long, a scan must do */
static int ask_octaves(struct store_backend *backend, struct slowest *slowest,
		       struct store_answer *ret)
{
	struct store_scan scan = *slowest->scan;
	struct walk walk = {.backend = backend, .scan = &scan, .filter = scan.scope->filter};
	struct asker *askers = calloc(STORE_TYPES_MAX, sizeof(*askers));
	int octave, err = askers == NULL ? WEIR_ENOMEM : 0;
	size_t n = 0, i;

	scan.after = NULL;
	scan.wants = wants_duration;
	scan.visit = keep_slowest;
	scan.context = slowest;
	walk.by_row = true;
	walk.max_rows = scan.scope->limits.rows == 0 ? STORE_DEFAULT_ROWS : scan.scope->limits.rows;
	for (i = 0; i < backend->nschemas && err >= 0; i++) {
		if ((scan.types & backend->there & UINT32_C(1) << i) != 0) {
			askers[n].walk = &walk;
			err = source_init(&askers[n].source, &walk, backend->schemas[i]);
			n += err > 0;
		}
	}
	err = err > 0 ? 0 : err;
	for (octave = OCTAVES - 1; octave >= 0 && err == 0; octave--) {
		for (i = 0; i < n && err == 0; i++) {
			err = ask_octave(&askers[i], askers[i].source.rows.schema, octave);
		}
		/* one more than asked for tells that there is more */
		if (err == 0 && slowest->n == slowest->size) {
			slowest->scan->more = true;
			break;
		}
	}
	memset(ret, 0, sizeof(*ret));
	ret->basis = STORE_FROM_INDEX;
	ret->rows = walk.rows;
	ret->from_ns = scan.scope->from_ns;
	ret->to_ns = scan.scope->to_ns;
	for (i = 0; i < n; i++) {
		source_fini(&askers[i].source);
	}
	free(askers);
	return backend->timed_out || atomic_load(&backend->cancelled) ? WEIR_ELIMIT : err;
}

static int scan_slowest(struct store_backend *backend, struct store_scan *scan,
			struct store_answer *ret)
{
	struct slowest slowest = {.scan = scan, .size = scan->expected};
	struct store_scan all = *scan;
	size_t i;
	int err;

	all.sort = STORE_NEWEST;
	all.after = NULL;
	all.wants = wants_duration;
	all.visit = keep_slowest;
	all.context = &slowest;
	slowest.heap = calloc(slowest.size + 1, sizeof(*slowest.heap));
	if (slowest.heap == NULL) {
		return WEIR_ENOMEM;
	}
	err = ask_octaves(backend, &slowest, ret);
	if (err == WEIR_ELIMIT) {
		slowest.n = 0;
		scan->more = false;
		err = walk_through(backend, &all, ret);
		ret->basis = STORE_FROM_SCAN;
	}
	qsort(slowest.heap, slowest.n, sizeof(*slowest.heap), by_place);
	backend->timed_out = false; /* what was found is given */
	backend->deadline_ns = 0;
	for (i = 0; i < slowest.n && err == 0; i++) {
		err = give_row(backend, scan, &slowest.heap[i]);
		scan->place = slowest.heap[i].place;
	}
	free(slowest.heap);
	return err < 0 ? err : 0;
}

int lite_scan(struct store_backend *backend, struct store_scan *scan, struct store_answer *ret)
{
	bool alone = sqlite3_get_autocommit(backend->store.db) != 0;
	int err;

	lite_begin(backend, &scan->scope->limits);
	scan->more = false;
	(void)sqlite3_exec(backend->store.db, alone ? "BEGIN" : "", NULL, NULL, NULL);
	err = scan->sort == STORE_SLOWEST ? scan_slowest(backend, scan, ret)
					  : walk_through(backend, scan, ret);
	(void)sqlite3_exec(backend->store.db, alone ? "COMMIT" : "", NULL, NULL, NULL);
	atomic_store(&backend->cancelled, false);
	return err;
}

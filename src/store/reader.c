/* SPDX-License-Identifier: Apache-2.0 */
/* The questions of store/reader.h that are about records, and what all of them share. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "record/record.h"
#include "store/reader_private.h"
#include "weir/error.h"

enum { DEFAULT_PAGE = 50, CURSOR_LEN = 33 };

const char *store_basis_name(enum store_basis basis)
{
	static const char *const names[] = {"rollups", "index", "scan"};

	return names[basis];
}

const char *store_end_name(enum store_end end)
{
	static const char *const names[] = {"complete", "rows", "time", "cancelled"};

	return names[end];
}

int store_by_find(const char *name, size_t len)
{
	static const char *const names[] = {"none",   "protocol", "service", "endpoint",
					    "server", "status",   "client",  "statement"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
			return (int)i;
		}
	}
	return WEIR_ENOTFOUND;
}

/* ---- opening ---- */

int store_reader_open(const char *path, const struct weir_schema *const *schemas,
		      struct store_reader **ret, char *ret_problem)
{
	struct store_reader *reader = calloc(1, sizeof(*reader));
	int err;

	if (reader == NULL) {
		(void)snprintf(ret_problem, STORE_PROBLEM_MAX, "out of memory");
		return WEIR_ENOMEM;
	}
	reader->type = &store_sqlite;
	reader->schemas = schemas;
	while (schemas[reader->nschemas] != NULL && reader->nschemas < STORE_TYPES_MAX) {
		reader->nschemas++;
	}
	err = reader->type->open(path, schemas, &reader->backend, ret_problem);
	if (err != 0) {
		free(reader);
		return err;
	}
	*ret = reader;
	return 0;
}

void store_reader_free(struct store_reader *reader)
{
	if (reader != NULL) {
		reader->type->close(reader->backend);
		free(reader);
	}
}

const char *store_problem(const struct store_reader *reader)
{
	return reader->problem[0] != '\0' ? reader->problem
					  : reader->type->problem(reader->backend);
}

void store_cancel(struct store_reader *reader)
{
	reader->type->cancel(reader->backend);
}

int store_span(struct store_reader *reader, struct store_span *ret)
{
	reader->problem[0] = '\0';
	return reader->type->span(reader->backend, ret);
}

/* ---- shared ---- */

int reader_refuse(struct store_reader *reader, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reader->problem, sizeof(reader->problem), format, args);
	va_end(args);
	return WEIR_EINVAL;
}

int reader_begin(struct store_reader *reader, const struct store_scope *scope,
		 struct store_scope *ret)
{
	*ret = *scope;
	reader->problem[0] = '\0';
	if (ret->to_ns == 0) {
		ret->to_ns = INT64_MAX;
		ret->from_ns = ret->from_ns == 0 ? INT64_MIN : ret->from_ns;
	}
	return ret->from_ns >= ret->to_ns
		       ? reader_refuse(reader, "the time asked for ends before it begins")
		       : 0;
}

int reader_begin_within(struct store_reader *reader, const struct store_scope *scope,
			struct store_scope *ret, bool *ret_empty)
{
	struct store_span span;
	int err = reader_begin(reader, scope, ret);

	*ret_empty = false;
	if (err == 0) {
		err = reader->type->span(reader->backend, &span);
	}
	if (err != 0) {
		return err;
	}
	if (span.records == 0 || ret->from_ns > span.last_ns || ret->to_ns <= span.first_ns) {
		*ret_empty = true;
		return 0;
	}
	if (ret->from_ns < span.first_ns) {
		ret->from_ns = span.first_ns;
	}
	if (ret->to_ns > span.last_ns) {
		ret->to_ns = span.last_ns == INT64_MAX ? INT64_MAX : span.last_ns + 1;
	}
	return 0;
}

uint32_t reader_types(const struct store_reader *reader, bool transactions)
{
	uint32_t types = 0;
	size_t i;

	for (i = 0; i < reader->nschemas; i++) {
		if (!transactions || red_is_transaction(reader->schemas[i])) {
			types |= UINT32_C(1) << i;
		}
	}
	return types;
}

size_t reader_schema(const struct store_reader *reader, const struct weir_schema *schema)
{
	size_t i;

	for (i = 0; i + 1 < reader->nschemas && reader->schemas[i] != schema; i++) {
	}
	return i;
}

int64_t reader_floor(int64_t ns, int64_t step_ns)
{
	return ns / step_ns - (ns % step_ns < 0);
}

int64_t reader_step(int64_t from_ns, int64_t to_ns)
{
	static const int64_t widths_ms[] = {10,     100,     1000,     10000,    60000,
					    600000, 3600000, 86400000, 864000000};
	uint64_t length = (uint64_t)to_ns - (uint64_t)from_ns - 1;
	size_t i;

	for (i = 0; i < sizeof(widths_ms) / sizeof(widths_ms[0]); i++) {
		if (length / (uint64_t)(widths_ms[i] * NS_PER_MS) < 60) {
			return widths_ms[i] * NS_PER_MS;
		}
	}
	return INT64_C(31536000) * NS_PER_S;
}

bool reader_wants_exact(struct store_reader *reader, const struct store_scope *scope)
{
	struct store_span span;
	uint64_t rows = scope->limits.rows == 0 ? STORE_DEFAULT_ROWS : scope->limits.rows;

	return scope->exact && reader->type->span(reader->backend, &span) == 0 &&
	       span.records <= rows;
}

/* ---- pages ---- */

/* n, o or s; the key and the row, sixteen hexadecimal digits each. */
static void write_cursor(char *to, enum store_sort sort, const struct store_place *place)
{
	(void)snprintf(to, STORE_CURSOR_MAX, "%c%016llx%016llx", "nos"[sort],
		       (unsigned long long)place -> key, (unsigned long long)place -> row);
}

static bool read_hex(const char *p, int64_t *ret)
{
	uint64_t value = 0;
	int i;

	for (i = 0; i < 16; i++) {
		char c = p[i];

		if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
			return false;
		}
		value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*ret = (int64_t)value;
	return true;
}

static bool read_cursor(const char *text, enum store_sort sort, struct store_place *ret)
{
	return strlen(text) == CURSOR_LEN && text[0] == "nos"[sort] &&
	       read_hex(text + 1, &ret->key) && read_hex(text + 17, &ret->row);
}

/* Columns of a table: no lists, no bodies. */
static bool wants_row(void *context, const struct weir_schema *schema, size_t field)
{
	const struct weir_field *def = weir_schema_field(schema, field);

	(void)context;
	return def->kind != WEIR_KIND_HEADERS && def->kind != WEIR_KIND_STRS &&
	       def->kind != WEIR_KIND_U64S && def->kind != WEIR_KIND_HEX &&
	       (def->flags & WEIR_FIELD_BODY) == 0;
}

struct paging {
	const struct store_page *page;
	size_t n, limit;
};

static bool wants_page(void *context, const struct weir_schema *schema, size_t field)
{
	const struct store_page *page = ((struct paging *)context)->page;

	return page->wants == NULL ? wants_row(NULL, schema, field)
				   : page->wants(page->context, schema, field);
}

static int visit_page(void *context, const struct weir_record *rec, struct store_place place)
{
	struct paging *paging = context;
	int err = paging->page->record(paging->page->context, rec, place.row);

	if (err != 0) {
		return err < 0 ? err : WEIR_EINVAL;
	}
	return ++paging->n == paging->limit ? 1 : 0;
}

int store_page(struct store_reader *reader, const struct store_scope *scope,
	       const struct store_page *page, char *ret_cursor, struct store_answer *ret)
{
	struct paging paging = {page, 0, page->limit == 0 ? DEFAULT_PAGE : page->limit};
	struct store_scope whole;
	struct store_place after;
	struct store_scan scan = {.scope = &whole,
				  .sort = page->sort,
				  .expected = paging.limit,
				  .wants = wants_page,
				  .visit = visit_page,
				  .context = &paging};
	uint64_t limited = scope->filter == NULL ? 0 : query_limited(scope->filter);
	int err = reader_begin(reader, scope, &whole);

	if (err == 0 && paging.limit > STORE_PAGE_MAX) {
		err = reader_refuse(reader, "a page has %d records at most", STORE_PAGE_MAX);
	}
	if (err == 0 && page->cursor != NULL && page->cursor[0] != '\0') {
		if (!read_cursor(page->cursor, page->sort, &after)) {
			return reader_refuse(reader, "this is no cursor of such a page");
		}
		scan.after = &after;
	}
	if (err != 0) {
		return err;
	}
	scan.types = reader_types(reader, page->sort == STORE_SLOWEST);
	err = reader->type->scan(reader->backend, &scan, ret);
	if (err != 0) {
		return err;
	}
	if (scope->filter != NULL) {
		ret->limited = query_limited(scope->filter) - limited;
	}
	ret_cursor[0] = '\0';
	if (scan.more) {
		write_cursor(ret_cursor, page->sort, &scan.place);
	}
	return 0;
}

int store_record(struct store_reader *reader, const char *id, store_record_fn record, void *context)
{
	reader->problem[0] = '\0';
	return reader->type->record(reader->backend, id, strlen(id), record, context);
}

/* ---- capture health ---- */

enum health_field {
	H_STATE,
	H_HANDSHAKE,
	H_PACKETS,
	H_BYTES = H_PACKETS + 2,
	H_DELIVERED = H_BYTES + 2,
	H_GAPS = H_DELIVERED + 2,
	H_GAP_BYTES = H_GAPS + 2,
	H_RETRANSMITS = H_GAP_BYTES + 2,
	H_OUT_OF_ORDER = H_RETRANSMITS + 2,
	H_NFIELDS = H_OUT_OF_ORDER + 2
};

struct watching {
	struct store_health *health;
	const struct weir_schema *tcp;
	int fields[H_NFIELDS];
};

static bool wants_health(void *context, const struct weir_schema *schema, size_t field)
{
	const struct watching *watching = context;
	int i;

	if (schema != watching->tcp) {
		return field == WEIR_F_COMPLETENESS || field == WEIR_F_MISSING_BYTES;
	}
	for (i = 0; i < H_NFIELDS; i++) {
		if (watching->fields[i] == (int)field) {
			return true;
		}
	}
	return false;
}

static uint64_t number(const struct weir_record *rec, int field)
{
	return field >= 0 && weir_record_has(rec, (size_t)field) ? rec->values[field].v.u64 : 0;
}

static bool says(const struct weir_record *rec, int field, const char *text)
{
	return field >= 0 && weir_record_has(rec, (size_t)field) &&
	       rec->values[field].len == strlen(text) &&
	       memcmp(rec->values[field].v.bytes, text, strlen(text)) == 0;
}

static void count_flow(const struct watching *watching, const struct weir_record *rec)
{
	struct store_health *health = watching->health;
	const int *f = watching->fields;
	uint64_t packets[2] = {number(rec, f[H_PACKETS]), number(rec, f[H_PACKETS + 1])};
	uint64_t gaps = number(rec, f[H_GAPS]) + number(rec, f[H_GAPS + 1]);

	health->flows++;
	health->packets += packets[0] + packets[1];
	health->payload_bytes += number(rec, f[H_BYTES]) + number(rec, f[H_BYTES + 1]);
	health->delivered_bytes += number(rec, f[H_DELIVERED]) + number(rec, f[H_DELIVERED + 1]);
	health->gaps += gaps;
	health->flows_with_gaps += gaps > 0;
	health->gap_bytes += number(rec, f[H_GAP_BYTES]) + number(rec, f[H_GAP_BYTES + 1]);
	health->retransmits += number(rec, f[H_RETRANSMITS]) + number(rec, f[H_RETRANSMITS + 1]);
	health->out_of_order += number(rec, f[H_OUT_OF_ORDER]) + number(rec, f[H_OUT_OF_ORDER + 1]);
	health->midstream += says(rec, f[H_HANDSHAKE], "none");
	health->evicted += says(rec, f[H_STATE], "evicted");
	health->one_sided += (packets[0] == 0) != (packets[1] == 0);
}

static int visit_health(void *context, const struct weir_record *rec, struct store_place place)
{
	const struct watching *watching = context;
	struct store_health *health = watching->health;

	(void)place;
	if (rec->schema == watching->tcp) {
		count_flow(watching, rec);
	} else if (red_is_transaction(rec->schema)) {
		health->transactions++;
		health->incomplete += weir_record_has(rec, WEIR_F_COMPLETENESS) &&
				      !says(rec, WEIR_F_COMPLETENESS, "complete");
		health->missing_bytes += number(rec, WEIR_F_MISSING_BYTES);
	} else {
		health->anomalies++;
	}
	return 0;
}

static void find_health_fields(struct watching *watching)
{
	static const char *const names[H_NFIELDS] = {
		[H_STATE] = "tcp.state",
		[H_HANDSHAKE] = "tcp.handshake",
		[H_PACKETS] = "tcp.c2s.packets",
		"tcp.s2c.packets",
		[H_BYTES] = "tcp.c2s.bytes",
		"tcp.s2c.bytes",
		[H_DELIVERED] = "tcp.c2s.delivered",
		"tcp.s2c.delivered",
		[H_GAPS] = "tcp.c2s.gaps",
		"tcp.s2c.gaps",
		[H_GAP_BYTES] = "tcp.c2s.gap_bytes",
		"tcp.s2c.gap_bytes",
		[H_RETRANSMITS] = "tcp.c2s.retransmits",
		"tcp.s2c.retransmits",
		[H_OUT_OF_ORDER] = "tcp.c2s.out_of_order",
		"tcp.s2c.out_of_order",
	};
	size_t i;

	for (i = 0; i < H_NFIELDS; i++) {
		watching->fields[i] =
			watching->tcp == NULL
				? -1
				: weir_schema_find(watching->tcp, names[i], strlen(names[i]));
	}
}

/* Rows of rollups by type and status. */
static int visit_sums(void *context, const struct store_rollup *row)
{
	static const char evicted[] = "evicted";
	struct store_health *health = ((const struct watching *)context)->health;
	const struct store_red *red = &row->red;
	const struct store_text *type = &row->keys[0], *status = &row->keys[1];

	if (type->len == 3 && memcmp(type->p, "tcp", 3) == 0) {
		health->flows += red->count;
		health->packets += row->packets;
		health->payload_bytes += red->request_bytes + red->response_bytes;
		health->gaps += red->gaps;
		health->gap_bytes += red->missing_bytes;
		health->retransmits += red->retransmits;
		health->out_of_order += row->out_of_order;
		health->evicted += status->len == strlen(evicted) &&
						   memcmp(status->p, evicted, status->len) == 0
					   ? red->count
					   : 0;
	} else if (type->len == 7 && memcmp(type->p, "anomaly", 7) == 0) {
		health->anomalies += red->count;
	} else {
		health->transactions += red->count;
		health->incomplete += red->incomplete;
		health->missing_bytes += red->missing_bytes;
	}
	return 0;
}

static int sum_health(struct store_reader *reader, const struct store_scope *scope,
		      struct watching *watching)
{
	struct store_health *health = watching->health;
	struct store_summing summing = {.by = STORE_GROUP_STATUS,
					.filter = scope->filter,
					.types = reader_types(reader, false),
					.from_ns = scope->from_ns,
					.to_ns = scope->to_ns,
					.limits = &scope->limits,
					.visit = visit_sums,
					.context = watching};
	int err = reader_wants_exact(reader, scope)
			  ? WEIR_EUNSUPPORTED
			  : reader->type->rollups(reader->backend, &summing);

	if (err == 0) {
		health->answer = (struct store_answer){.basis = STORE_FROM_ROLLUPS,
						       .from_ns = summing.from_ns,
						       .to_ns = summing.to_ns,
						       .rows = summing.rows,
						       .end = summing.end};
		health->delivered_bytes = STORE_UNKNOWN;
		health->flows_with_gaps = STORE_UNKNOWN;
		health->midstream = STORE_UNKNOWN;
		health->one_sided = STORE_UNKNOWN;
	}
	return err;
}

int store_health(struct store_reader *reader, const struct store_scope *scope,
		 struct store_health *ret)
{
	struct watching watching = {.health = ret};
	struct store_scope whole;
	struct store_scan scan = {.scope = &whole,
				  .wants = wants_health,
				  .visit = visit_health,
				  .context = &watching};
	bool empty = false;
	int err = reader_begin_within(reader, scope, &whole, &empty);
	size_t i;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < reader->nschemas; i++) {
		if (strcmp(reader->schemas[i]->type, "tcp") == 0) {
			watching.tcp = reader->schemas[i];
		}
	}
	find_health_fields(&watching);
	scan.finals = true;
	scan.types = reader_types(reader, false);
	if (err == 0) {
		err = empty ? WEIR_EUNSUPPORTED : sum_health(reader, &whole, &watching);
	}
	if (err == WEIR_EUNSUPPORTED) {
		err = reader->type->scan(reader->backend, &scan, &ret->answer);
		ret->answer.basis = STORE_FROM_SCAN;
	}
	/* they are counted by another clock: of all the time when all is asked for */
	if (err == 0) {
		err = reader_begin(reader, scope, &whole);
	}
	return err == 0 ? reader->type->counters(reader->backend, whole.from_ns, whole.to_ns, ret)
			: err;
}

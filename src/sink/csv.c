/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink `csv`: a table of the records of one type, for spreadsheets and data frames.
 *
 * Options: type=http (the one type; columns differ from type to type), fields=ts,url.full (columns in this order; default:
 * `type`, all fields in the order of the schema's table, `escaped`, `truncated`).
 *
 * The first line names the columns by the canonical dotted names. Quoting is RFC 4180's (a cell with a comma, a semicolon,
 * a quote or a line end is quoted; quotes are doubled); lines end in LF, not CR LF, as everything here does. Absent is an
 * empty cell, an empty string is "". Times are RFC 3339, sizes bytes, durations ns, lists joined by `;`, headers
 * `name: value` joined by LF.
 *
 * What was captured is hostile: controls, invisible characters and what is not UTF-8 are \xNN in their cell, backslashes
 * of that cell are doubled, and `escaped` names the field, so that it can be undone. (JSON writes valid controls as \u: CSV
 * has no escape of its own.) So the only line ends in cells are those between headers. A `;` in an element of a list is
 * \x3b. Text that a spreadsheet would take for a formula has a ' before it: first character = + - @, or one of their
 * full-width twins; a tab or CR has become \x09 or \x0d by then. Numbers and times are ours and stay as they are.
 */
#include "base/time.h"
#include "record/record.h"
#include "sink/out.h"
#include "sink/sink.h"
#include "sink/utf8.h"
#include "weir/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Columns that are no fields, behind those of the schema. */
enum { COLUMN_TYPE = WEIR_MAX_FIELDS, COLUMN_ESCAPED, COLUMN_TRUNCATED, COLUMNS_MAX };

static const char *const special_names[] = {"type", "escaped", "truncated"};

struct weir_formatter {
	const struct weir_schema *schema;
	size_t ncolumns;
	uint8_t columns[COLUMNS_MAX]; /* fields, or COLUMN_... */
	struct strbuf cell;           /* scratch: a cell before quoting */
	struct strbuf escaped;        /* of this record, names joined by ; */
	struct strbuf truncated;      /* name=length */
};

struct csv_sink {
	struct out out;
	bool wanted[WEIR_MAX_FIELDS];
	struct weir_formatter rows;
};

static struct csv_sink *self(struct weir_sink *sink)
{
	return (struct csv_sink *)sink;
}

/* ---- cells ---- */

static const char *column_name(const struct weir_formatter *csv, size_t i)
{
	unsigned column = csv->columns[i];

	return column >= COLUMN_TYPE ? special_names[column - COLUMN_TYPE]
				     : weir_schema_field(csv->schema, column)->name;
}

/* Would a spreadsheet calculate it? */
static bool is_formula(const char *p, size_t len)
{
	static const char *const wide[] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
					   "\xef\xbc\xa0"}; /* ＝ ＋ － ＠ */
	size_t i;

	if (len > 0 && memchr("=+-@\t\r", p[0], 6) != NULL) {
		return true;
	}
	for (i = 0; len >= 3 && i < sizeof(wide) / sizeof(wide[0]); i++) {
		if (memcmp(p, wide[i], 3) == 0) {
			return true;
		}
	}
	return false;
}

/* The cell as text of someone's: guarded, and quoted when it has to be. */
static void put_text(struct strbuf *out, const struct strbuf *cell)
{
	const char *p = cell->p;
	const char *end = p + cell->len;
	bool quoted = false;
	size_t i;

	for (i = 0; i < cell->len && !quoted; i++) {
		quoted = memchr(",;\"\n\r", p[i], 5) != NULL;
	}
	quoted = quoted || cell->len == 0;
	strbuf_str(out, quoted ? "\"" : "");
	if (cell->len > 0 && is_formula(p, cell->len)) {
		strbuf_char(out, '\'');
	}
	while (p < end) {
		const char *quote = memchr(p, '"', (size_t)(end - p));
		const char *stop = quote == NULL ? end : quote + 1;

		strbuf_add(out, p, (size_t)(stop - p));
		if (quote != NULL) {
			strbuf_char(out, '"');
		}
		p = stop;
	}
	strbuf_str(out, quoted ? "\"" : "");
}

/* Can it be written as it is? `separator` cannot, when it is not 0. */
static bool is_clean(const uint8_t *p, size_t len, char separator)
{
	const uint8_t *end = len == 0 ? p : p + len;

	while (p < end) {
		uint32_t cp = 0;
		unsigned n = utf8_decode(p, end, &cp);

		if (n == 0 || utf8_is_hidden(cp) || (separator != 0 && *p == (uint8_t)separator)) {
			return false;
		}
		p += n;
	}
	return true;
}

static void put_hex_byte(struct strbuf *out, uint8_t byte)
{
	strbuf_str(out, "\\x");
	strbuf_hex(out, &byte, 1);
}

/* `clean` as is_clean() said for the whole field. */
static void put_str(struct strbuf *cell, const uint8_t *p, size_t len, char separator, bool clean)
{
	const uint8_t *end = len == 0 ? p : p + len;

	if (clean) {
		strbuf_add(cell, p, len);
		return;
	}
	while (p < end) {
		uint32_t cp = 0;
		unsigned n = utf8_decode(p, end, &cp);

		if (n == 0 || utf8_is_hidden(cp) || (separator != 0 && *p == (uint8_t)separator)) {
			n = n == 0 ? 1 : n;
			for (; n > 0; n--) {
				put_hex_byte(cell, *p++);
			}
		} else {
			strbuf_add(cell, p, n);
			strbuf_str(cell, cp == '\\' ? "\\" : "");
			p += n;
		}
	}
}

static bool put_strs(struct strbuf *cell, const struct weir_value *value)
{
	bool clean = true;
	uint32_t i;

	for (i = 0; i < value->len && clean; i++) {
		clean = is_clean(value->v.strs[i].p, value->v.strs[i].len, ';');
	}
	for (i = 0; i < value->len; i++) {
		strbuf_str(cell, i > 0 ? ";" : "");
		put_str(cell, value->v.strs[i].p, value->v.strs[i].len, ';', clean);
	}
	return clean;
}

static bool put_headers(struct strbuf *cell, const struct weir_value *value)
{
	const struct weir_header *headers = value->v.headers;
	bool clean = true;
	uint32_t i;

	for (i = 0; i < value->len && clean; i++) {
		clean = is_clean(headers[i].name.p, headers[i].name.len, ':') &&
			is_clean(headers[i].value.p, headers[i].value.len, 0);
	}
	for (i = 0; i < value->len; i++) {
		strbuf_str(cell, i > 0 ? "\n" : "");
		put_str(cell, headers[i].name.p, headers[i].name.len, ':', clean);
		strbuf_str(cell, ": ");
		put_str(cell, headers[i].value.p, headers[i].value.len, 0, clean);
	}
	return clean;
}

static void put_address(struct strbuf *cell, const struct weir_value *value)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (value->len == 4 || value->len == 16) {
		(void)inet_ntop(value->len == 4 ? AF_INET : AF_INET6, value->v.bytes, text,
				sizeof(text));
	}
	strbuf_str(cell, text);
}

/* Values that are not someone's text: no guard, and commas only in... none of them. */
static void put_plain(struct strbuf *out, enum weir_kind kind, const struct weir_value *value)
{
	char text[TIME_RFC3339_LEN];
	uint32_t i;

	switch (kind) {
	case WEIR_KIND_BOOL:
		strbuf_str(out, value->v.u64 != 0 ? "true" : "false");
		break;
	case WEIR_KIND_U64:
		strbuf_u64(out, value->v.u64);
		break;
	case WEIR_KIND_DURATION:
		strbuf_i64(out, value->v.i64);
		break;
	case WEIR_KIND_TIME:
		time_rfc3339(value->v.i64, text);
		strbuf_add(out, text, sizeof(text));
		break;
	case WEIR_KIND_ADDRESS:
		put_address(out, value);
		break;
	case WEIR_KIND_HEX:
		strbuf_hex(out, value->v.bytes, value->len);
		break;
	case WEIR_KIND_U64S:
		strbuf_str(out, value->len > 1 ? "\"" : "");
		for (i = 0; i < value->len; i++) {
			strbuf_str(out, i > 0 ? ";" : "");
			strbuf_u64(out, value->v.u64s[i]);
		}
		strbuf_str(out, value->len > 1 ? "\"" : "");
		break;
	case WEIR_KIND_STR:
	case WEIR_KIND_STRS:
	case WEIR_KIND_HEADERS:
		break;
	}
}

static void put_field(struct weir_formatter *rows, const struct weir_record *rec, size_t i,
		      struct strbuf *to)
{
	const struct weir_field *field = weir_schema_field(rec->schema, i);
	const struct weir_value *value = &rec->values[i];
	struct strbuf *cell = &rows->cell;
	bool clean = true;

	strbuf_clear(cell);
	switch (field->kind) {
	case WEIR_KIND_STR:
		clean = is_clean(value->v.bytes, value->len, 0);
		put_str(cell, value->v.bytes, value->len, 0, clean);
		break;
	case WEIR_KIND_STRS:
		clean = put_strs(cell, value);
		break;
	case WEIR_KIND_HEADERS:
		clean = put_headers(cell, value);
		break;
	default:
		put_plain(to, field->kind, value);
		return;
	}
	put_text(to, cell);
	if (!clean) {
		strbuf_str(&rows->escaped, rows->escaped.len > 0 ? ";" : "");
		strbuf_str(&rows->escaped, field->name);
	}
	if (record_cut_from(field->kind, value) > 0) {
		strbuf_printf(&rows->truncated, "%s%s=%u", rows->truncated.len > 0 ? ";" : "",
			      field->name, record_cut_from(field->kind, value));
	}
}

/* ---- rows ---- */

static void put_header(struct csv_sink *csv)
{
	size_t i;

	for (i = 0; i < csv->rows.ncolumns; i++) {
		strbuf_str(&csv->out.buf, i > 0 ? "," : "");
		strbuf_str(&csv->out.buf, column_name(&csv->rows, i));
	}
	strbuf_char(&csv->out.buf, '\n');
}

/* A row without its escaped cells' notes is none: WEIR_ENOMEM leaves nothing of it. */
static int csv_format(struct weir_formatter *rows, const struct weir_record *rec, struct strbuf *to)
{
	size_t start = to->len;
	size_t i;

	if (rec->schema != rows->schema ||
	    (weir_record_has(rec, WEIR_F_FINAL) && rec->values[WEIR_F_FINAL].v.u64 == 0)) {
		return 0;
	}
	strbuf_clear(&rows->escaped);
	strbuf_clear(&rows->truncated);
	for (i = 0; i < rows->ncolumns; i++) {
		unsigned column = rows->columns[i];

		strbuf_str(to, i > 0 ? "," : "");
		if (column == COLUMN_TYPE) {
			strbuf_str(to, rec->schema->type);
		} else if (column == COLUMN_ESCAPED || column == COLUMN_TRUNCATED) {
			const struct strbuf *list =
				column == COLUMN_ESCAPED ? &rows->escaped : &rows->truncated;

			if (list->len > 0) {
				put_text(to, list);
			}
		} else if (weir_record_has(rec, column)) {
			put_field(rows, rec, column, to);
		}
	}
	strbuf_char(to, '\n');
	if (to->failed || rows->cell.failed || rows->escaped.failed || rows->truncated.failed) {
		rows->cell.failed = rows->escaped.failed = rows->truncated.failed = false;
		to->failed = false;
		to->len = start; /* no half row */
		return WEIR_ENOMEM;
	}
	return 0;
}

static int csv_record(struct weir_sink *sink, const struct weir_record *rec)
{
	struct csv_sink *csv = self(sink);
	int err = csv_format(&csv->rows, rec, &csv->out.buf);

	if (err < 0) {
		errno = ENOMEM;
		return err;
	}
	return out_wrote(&csv->out);
}

/* ---- in two steps ---- */

static void init_scratch(struct weir_formatter *rows)
{
	strbuf_init(&rows->cell);
	strbuf_init(&rows->escaped);
	strbuf_init(&rows->truncated);
}

static void fini_scratch(struct weir_formatter *rows)
{
	strbuf_fini(&rows->cell);
	strbuf_fini(&rows->escaped);
	strbuf_fini(&rows->truncated);
}

static int csv_formatter_open(const struct weir_sink *sink, struct weir_formatter **ret)
{
	struct weir_formatter *rows = malloc(sizeof(*rows));

	if (rows == NULL) {
		return WEIR_ENOMEM;
	}
	*rows = ((const struct csv_sink *)sink)->rows;
	init_scratch(rows);
	*ret = rows;
	return 0;
}

static void csv_formatter_close(struct weir_formatter *rows)
{
	fini_scratch(rows);
	free(rows);
}

static int csv_write(struct weir_sink *sink, const struct iovec *text, int n)
{
	return out_text(&self(sink)->out, text, n);
}

static const struct weir_formatter_type csv_formatter = {
	.open = csv_formatter_open,
	.format = csv_format,
	.close = csv_formatter_close,
	.write = csv_write,
};

/* ---- opening ---- */

static int add_column(struct csv_sink *csv, const char *name, size_t len)
{
	int field = weir_schema_find(csv->rows.schema, name, len);
	size_t i;

	for (i = 0; field < 0 && i < sizeof(special_names) / sizeof(special_names[0]); i++) {
		if (strlen(special_names[i]) == len && memcmp(special_names[i], name, len) == 0) {
			field = COLUMN_TYPE + (int)i;
		}
	}
	if (field < 0 || csv->rows.ncolumns == COLUMNS_MAX) {
		return WEIR_ENOTFOUND;
	}
	csv->rows.columns[csv->rows.ncolumns++] = (uint8_t)field;
	return 0;
}

static int choose_columns(struct csv_sink *csv, const char *fields, const char **ret_message)
{
	static char message[160]; /* the contract: the sink type's until the next call */
	size_t i;

	if (fields == NULL) {
		csv->rows.columns[csv->rows.ncolumns++] = COLUMN_TYPE;
		for (i = 0; weir_schema_field(csv->rows.schema, i) != NULL; i++) {
			if (i != WEIR_F_FINAL) { /* always true here */
				csv->rows.columns[csv->rows.ncolumns++] = (uint8_t)i;
			}
		}
		csv->rows.columns[csv->rows.ncolumns++] = COLUMN_ESCAPED;
		csv->rows.columns[csv->rows.ncolumns++] = COLUMN_TRUNCATED;
		return 0;
	}
	for (;;) {
		size_t n = strcspn(fields, ",");

		if (add_column(csv, fields, n) < 0) {
			(void)snprintf(message, sizeof(message),
				       "\"%.*s\" is not a field of type %s, or there are too many",
				       n > 64 ? 64 : (int)n, fields, csv->rows.schema->type);
			*ret_message = message;
			return WEIR_EINVAL;
		}
		if (fields[n] == '\0') {
			return 0;
		}
		fields += n + 1;
	}
}

/* `escaped` and `truncated` are known once the fields before them are written: columns of the same row, so they come last. */
static bool notes_are_last(const struct csv_sink *csv)
{
	bool noted = false;
	size_t i;

	for (i = 0; i < csv->rows.ncolumns; i++) {
		bool note = csv->rows.columns[i] == COLUMN_ESCAPED ||
			    csv->rows.columns[i] == COLUMN_TRUNCATED;

		if (noted && !note) {
			return false;
		}
		noted = noted || note;
	}
	return true;
}

static int configure(struct csv_sink *csv, const struct weir_sink_config *config,
		     const char **ret_message)
{
	static const char *const known[] = {"type", "fields", NULL};
	const char *type = sink_option(config, "type");
	size_t i;
	int err;

	if (sink_unknown_option(config, known) != NULL) {
		*ret_message = "unknown option of sink csv; it has type=, fields=";
		return WEIR_EINVAL;
	}
	type = type == NULL ? "http" : type;
	for (i = 0; config->schemas != NULL && config->schemas[i] != NULL; i++) {
		if (strcmp(config->schemas[i]->type, type) == 0) {
			csv->rows.schema = config->schemas[i];
		}
	}
	if (csv->rows.schema == NULL) {
		*ret_message = "csv has one type=, such as http (the default), tcp or anomaly";
		return WEIR_EINVAL;
	}
	err = choose_columns(csv, sink_option(config, "fields"), ret_message);
	if (err == 0 && !notes_are_last(csv)) {
		*ret_message = "escaped and truncated are the last of the fields";
		return WEIR_EINVAL;
	}
	for (i = 0; i < csv->rows.ncolumns; i++) {
		if (csv->rows.columns[i] < WEIR_MAX_FIELDS) {
			csv->wanted[csv->rows.columns[i]] = true;
		}
	}
	return err;
}

static int csv_open(const struct weir_sink_config *config, struct weir_sink **ret,
		    const char **ret_message)
{
	struct csv_sink *csv = calloc(1, sizeof(*csv));
	int err;

	if (csv == NULL) {
		*ret_message = "out of memory";
		return WEIR_ENOMEM;
	}
	init_scratch(&csv->rows);
	err = configure(csv, config, ret_message);
	if (err == 0) {
		err = out_open(&csv->out, config->target, config->live);
		*ret_message = err < 0 ? "cannot open the file for writing" : *ret_message;
	}
	if (err < 0) {
		free(csv);
		return err;
	}
	put_header(csv);
	*ret = (struct weir_sink *)csv;
	return 0;
}

static bool csv_wants(struct weir_sink *sink, const struct weir_schema *schema, size_t field)
{
	return schema == self(sink)->rows.schema &&
	       (field == WEIR_F_FINAL || self(sink)->wanted[field]);
}

static int csv_flush(struct weir_sink *sink)
{
	return out_flush(&self(sink)->out);
}

static int csv_reopen(struct weir_sink *sink)
{
	struct csv_sink *csv = self(sink);
	int err = out_reopen(&csv->out);
	struct stat st;

	/* a new file gets its line of names, one that was not moved away goes on */
	if (err == 0 && csv->out.target != NULL && fstat(csv->out.fd, &st) == 0 &&
	    st.st_size == 0) {
		put_header(csv);
	}
	return err;
}

static int csv_close(struct weir_sink *sink)
{
	struct csv_sink *csv = self(sink);
	int err = out_close(&csv->out);

	fini_scratch(&csv->rows);
	free(csv);
	return err;
}

const struct weir_sink_type sink_csv = {
	.name = "csv",
	.doc = "a table of one type of record, guarded against formulas",
	.open = csv_open,
	.wants = csv_wants,
	.record = csv_record,
	.flush = csv_flush,
	.reopen = csv_reopen,
	.close = csv_close,
	.formatter = &csv_formatter,
};

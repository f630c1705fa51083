/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Below the line of a transaction: headers (-v) and bodies (-vv), indented, `>` the request's and `<` the response's.
 *
 * Text bodies come with their own lines; JSON is indented anew, a form has a line a field, anything that is not text is
 * shown in hexadecimal, at most HEX_ROWS rows. What is missing is said where it is missing, ⟪1 448 bytes missing⟫, and
 * what was not kept behind the end, ⟪cut at 64 KiB; full size 2.1 MB⟫; captured text cannot say so: its ⟪ is \xe2\x9f\xaa.
 * Every control but the line end, and the tab as blanks, is \xNN.
 *
 * The JSON is a tokeniser's, not a parser's: bodies are cut, masked, and wrong. From the first gap on, and from the first
 * thing that no JSON has, the rest is shown as it came.
 */
#include "sink/text_line.h"

#include "sink/human.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	HEX_COLUMNS = 16,
	HEX_ROWS = 16,
	INDENT_MAX = 32, /* levels of JSON that are indented */
};

/* A body on its way to the lines. */
struct body_view {
	struct text_style *style;
	struct strbuf *out;
	const char *mark;
	const uint8_t *p; /* the content */
	size_t len;
	const uint64_t *gaps; /* pairs: offset, length */
	size_t ngaps, gap;    /* pairs; the next one */
	bool open;            /* a line is begun */
};

/* ---- lines ---- */

static void open_line(struct body_view *view)
{
	if (!view->open) {
		strbuf_str(view->out, view->mark);
		view->open = true;
	}
}

static void end_line(struct body_view *view)
{
	open_line(view);
	strbuf_char(view->out, '\n');
	view->open = false;
}

/* A remark of ours. */
static void put_note(struct body_view *view, const char *text)
{
	const struct text_style *style = view->style;

	open_line(view);
	strbuf_str(view->out, style->color ? "\x1b[33m" : "");
	strbuf_str(view->out, style->ascii ? "<<" : "\xe2\x9f\xaa");
	strbuf_str(view->out, text);
	strbuf_str(view->out, style->ascii ? ">>" : "\xe2\x9f\xab");
	strbuf_str(view->out, style->color ? "\x1b[0m" : "");
}

/* Is a tab, or a bracket that only we may write, at p? Its length, or 0. */
static size_t special_at(const uint8_t *p, const uint8_t *end)
{
	if (*p == '\t') {
		return 1;
	}
	return end - p >= 3 && memcmp(p, "\xe2\x9f\xaa", 3) == 0 ? 3 : 0;
}

/* Captured text. */
static void put_escaped(struct body_view *view, const uint8_t *p, size_t len)
{
	const uint8_t *end = len == 0 ? p : p + len;

	open_line(view);
	while (p < end) {
		const uint8_t *stop = p;
		size_t n = 0;

		while (stop < end && (n = special_at(stop, end)) == 0) {
			stop++;
		}
		(void)text_escape(view->style, view->out, p, (size_t)(stop - p));
		if (n > 0) {
			strbuf_str(view->out, n == 1 ? "    " : "\\xe2\\x9f\\xaa");
		}
		p = stop + n;
	}
}

static void put_gaps(struct body_view *view, size_t upto)
{
	char count[HUMAN_LEN], text[64];

	while (view->gap < view->ngaps && view->gaps[2 * view->gap] <= upto) {
		uint64_t length = view->gaps[2 * view->gap + 1];

		human_count(length, count);
		(void)snprintf(text, sizeof(text), "%s byte%s missing", count,
			       length == 1 ? "" : "s");
		put_note(view, text);
		view->gap++;
	}
}

/* The content from one offset to another, with the gaps in it. */
static void put_run(struct body_view *view, size_t from, size_t to)
{
	put_gaps(view, from);
	while (view->gap < view->ngaps && view->gaps[2 * view->gap] < to) {
		size_t at = (size_t)view->gaps[2 * view->gap];

		put_escaped(view, view->p + from, at - from);
		from = at;
		put_gaps(view, from);
	}
	if (from < to) {
		put_escaped(view, view->p + from, to - from);
	}
}

/* ---- as it came ---- */

static void put_plain(struct body_view *view, size_t from)
{
	while (from < view->len) {
		const uint8_t *lf = memchr(view->p + from, '\n', view->len - from);
		size_t next = lf == NULL ? view->len : (size_t)(lf - view->p) + 1;
		size_t stop = lf == NULL ? view->len : next - 1;

		if (lf != NULL && stop > from && view->p[stop - 1] == '\r') {
			stop--;
		}
		put_run(view, from, stop);
		if (lf != NULL) {
			put_gaps(view, next - 1); /* before the line end is in this line */
			end_line(view);
		}
		from = next;
	}
}

/* ---- JSON ---- */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_blanks(const struct body_view *view, size_t at)
{
	while (at < view->len && is_blank(view->p[at])) {
		at++;
	}
	return at;
}

static void indent(struct body_view *view, unsigned depth)
{
	unsigned i;

	if (view->open) {
		end_line(view);
	}
	open_line(view);
	for (i = 0; i < depth && i < INDENT_MAX; i++) {
		strbuf_str(view->out, "  ");
	}
}

/* Past the string or the bare word at `at`; 0: no JSON has this. */
static size_t token_end(const struct body_view *view, size_t at)
{
	size_t i = at;

	if (view->p[at] != '"') {
		while (i < view->len && !is_blank(view->p[i]) &&
		       memchr("{}[],:\"", view->p[i], 7) == NULL && view->p[i] >= 0x20) {
			i++;
		}
		return i == at ? 0 : i;
	}
	for (i++; i < view->len && view->p[i] != '"'; i++) {
		if (view->p[i] < 0x20) {
			return 0;
		}
		i += view->p[i] == '\\' && i + 1 < view->len;
	}
	return i < view->len ? i + 1 : view->len;
}

/* One sign or token. @return where the next begins, or `at`: no JSON has this */
static size_t put_json_token(struct body_view *view, size_t at, unsigned *depth)
{
	uint8_t c = view->p[at];
	size_t next = skip_blanks(view, at + 1);

	switch (c) {
	case '{':
	case '[':
		put_run(view, at, at + 1);
		if (next < view->len && view->p[next] == (c == '{' ? '}' : ']')) {
			put_run(view, next, next + 1);
			return skip_blanks(view, next + 1);
		}
		*depth += 1;
		indent(view, *depth);
		return next;
	case '}':
	case ']':
		if (*depth == 0) {
			return at;
		}
		*depth -= 1;
		indent(view, *depth);
		put_run(view, at, at + 1);
		return next;
	case ',':
		put_run(view, at, at + 1);
		indent(view, *depth);
		return next;
	case ':':
		put_run(view, at, at + 1);
		strbuf_char(view->out, ' ');
		return next;
	default:
		next = token_end(view, at);
		if (next == 0) {
			return at;
		}
		put_run(view, at, next);
		return skip_blanks(view, next);
	}
}

static void put_json(struct body_view *view)
{
	size_t at = skip_blanks(view, 0);
	size_t sound = view->ngaps > 0 ? (size_t)view->gaps[0] : view->len;
	unsigned depth = 0;

	while (at < view->len) {
		size_t next;

		if (depth == 0 && view->open) {
			end_line(view); /* a line a value: application/x-ndjson */
		}
		next = at < sound && token_end(view, at) <= sound ? put_json_token(view, at, &depth)
								  : at;
		if (next == at) {
			put_plain(view, at);
			return;
		}
		at = next;
	}
}

/* ---- forms ---- */

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9'                     ? c - '0'
	       : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
							: -1;
}

/* Percent-decoded, with the gaps: what a gap cuts in two is not decoded. */
static void put_decoded(struct body_view *view, size_t from, size_t to)
{
	struct strbuf *cell = &view->style->cell;

	while (from < to) {
		size_t stop = to;

		put_gaps(view, from);
		if (view->gap < view->ngaps && view->gaps[2 * view->gap] < to) {
			stop = (size_t)view->gaps[2 * view->gap];
		}
		strbuf_clear(cell);
		while (from < stop) {
			uint8_t c = view->p[from++];

			if (c == '%' && stop - from >= 2 && hex_digit(view->p[from]) >= 0 &&
			    hex_digit(view->p[from + 1]) >= 0) {
				c = (uint8_t)((unsigned)hex_digit(view->p[from]) << 4 |
					      (unsigned)hex_digit(view->p[from + 1]));
				from += 2;
			} else if (c == '+') {
				c = ' ';
			}
			strbuf_char(cell, (char)c);
		}
		put_escaped(view, (const uint8_t *)strbuf_text(cell), cell->len);
	}
}

static void put_form(struct body_view *view)
{
	size_t at = 0;

	while (at < view->len) {
		const uint8_t *amp = memchr(view->p + at, '&', view->len - at);
		size_t stop = amp == NULL ? view->len : (size_t)(amp - view->p);
		const uint8_t *sign = memchr(view->p + at, '=', stop - at);
		size_t key = sign == NULL ? stop : (size_t)(sign - view->p);

		put_decoded(view, at, key);
		if (sign != NULL) {
			put_gaps(view, key);
			open_line(view);
			strbuf_str(view->out, " = ");
			put_decoded(view, key + 1, stop);
		}
		at = stop + 1;
		if (amp != NULL) {
			put_gaps(view, stop);
			end_line(view);
		}
	}
}

/* ---- hexadecimal ---- */

static void put_hex_row(struct body_view *view, size_t at)
{
	size_t n = view->len - at < HEX_COLUMNS ? view->len - at : HEX_COLUMNS;
	size_t i;

	open_line(view);
	strbuf_printf(view->out, "%08zx ", at);
	for (i = 0; i < HEX_COLUMNS; i++) {
		strbuf_str(view->out, i == HEX_COLUMNS / 2 ? "  " : " ");
		if (i < n) {
			strbuf_hex(view->out, view->p + at + i, 1);
		} else {
			strbuf_str(view->out, "  ");
		}
	}
	strbuf_str(view->out, "  ");
	for (i = 0; i < n; i++) {
		uint8_t c = view->p[at + i];

		strbuf_char(view->out, c >= 0x20 && c < 0x7f ? (char)c : '.');
	}
	end_line(view);
}

/* Rows break at gaps: each says which bytes it has. */
static void put_hex(struct body_view *view)
{
	char text[96], size[HUMAN_LEN];
	unsigned row;
	size_t at = 0;

	for (row = 0; at < view->len && row < HEX_ROWS; row++) {
		size_t whole = view->len;
		size_t stop = at + HEX_COLUMNS;

		if (view->gap < view->ngaps && view->gaps[2 * view->gap] <= at) {
			put_gaps(view, at);
			end_line(view);
		}
		if (view->gap < view->ngaps && view->gaps[2 * view->gap] < stop) {
			stop = (size_t)view->gaps[2 * view->gap];
		}
		view->len = stop < whole ? stop : whole;
		put_hex_row(view, at);
		view->len = whole;
		at = stop;
	}
	if (at < view->len) {
		human_size(view->len - at, size);
		(void)snprintf(text, sizeof(text), "%s more", size);
		put_note(view, text);
		end_line(view);
		view->gap = view->ngaps;
	}
}

static int base64_digit(uint8_t c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* RFC 4648 §4, written by the parser. Into `to`. */
static void decode_base64(const struct weir_value *value, struct strbuf *to)
{
	uint32_t bits = 0;
	unsigned n = 0;
	uint32_t i;

	for (i = 0; i < value->len && base64_digit(value->v.bytes[i]) >= 0; i++) {
		bits = bits << 6 | (uint32_t)base64_digit(value->v.bytes[i]);
		n += 6;
		if (n >= 8) {
			n -= 8;
			strbuf_char(to, (char)(bits >> n & 0xff));
		}
	}
}

/* ---- which one ---- */

static bool has_type(const struct weir_value *headers, const char *type)
{
	uint32_t i;

	for (i = 0; headers != NULL && i < headers->len; i++) {
		const struct weir_header *header = &headers->v.headers[i];

		if (header->name.len == 12 &&
		    strncasecmp((const char *)header->name.p, "content-type", 12) == 0) {
			size_t n = header->value.len;
			const uint8_t *semicolon = n == 0 ? NULL : memchr(header->value.p, ';', n);

			n = semicolon == NULL ? n : (size_t)(semicolon - header->value.p);
			return n > 0 && memmem(header->value.p, n, type, strlen(type)) != NULL;
		}
	}
	return false;
}

static bool begins_json(const struct body_view *view)
{
	size_t at = skip_blanks(view, 0);

	return at < view->len && (view->p[at] == '{' || view->p[at] == '[');
}

/* A request's or a response's field, by the request's. */
static const struct weir_value *side_value(const struct text_schema *of,
					   const struct weir_record *rec, bool response,
					   enum text_field field)
{
	const unsigned step = TEXT_RESPONSE_CONTENT - TEXT_REQUEST_CONTENT;

	return text_value(of, rec, (enum text_field)(field + (response ? step : 0)));
}

/* "64 KiB" when it is that, else as all sizes. */
static void limit_text(uint64_t bytes, char *ret_text)
{
	if (bytes >= 1024 && bytes % 1024 == 0 && bytes < 1024 * 1024) {
		(void)snprintf(ret_text, HUMAN_LEN, "%u KiB", (unsigned)(bytes / 1024));
	} else {
		human_size(bytes, ret_text);
	}
}

/* What is behind the end of the content. */
static void put_cut(struct body_view *view, const struct text_schema *of,
		    const struct weir_record *rec, bool response)
{
	const struct weir_value *cut = side_value(of, rec, response, TEXT_REQUEST_TRUNCATED);
	const struct weir_value *full = side_value(of, rec, response, TEXT_REQUEST_DECODED_SIZE);
	char at[HUMAN_LEN], size[HUMAN_LEN], text[128];
	uint64_t known = view->len;
	size_t i;

	full = full != NULL
		       ? full
		       : text_value(of, rec, response ? TEXT_RESPONSE_SIZE : TEXT_REQUEST_SIZE);
	for (i = 0; i < view->ngaps; i++) {
		known += view->gaps[2 * i + 1];
	}
	if (cut == NULL || cut->v.u64 == 0 || full == NULL || full->v.u64 <= known) {
		return;
	}
	limit_text(view->len, at);
	human_size(full->v.u64, size);
	(void)snprintf(text, sizeof(text), "cut at %s; full size %s", at, size);
	if (view->open) {
		end_line(view);
	}
	put_note(view, text);
}

static void put_not_kept(struct body_view *view, uint64_t bytes)
{
	char size[HUMAN_LEN], text[64];

	human_size(bytes, size);
	(void)snprintf(text, sizeof(text), "%s, not kept", size);
	put_note(view, text);
	end_line(view);
}

static void put_body(struct text_style *style, const struct text_schema *of,
		     const struct weir_record *rec, bool response, struct strbuf *out)
{
	const struct weir_value *content = side_value(of, rec, response, TEXT_REQUEST_CONTENT);
	const struct weir_value *gaps = side_value(of, rec, response, TEXT_REQUEST_GAPS);
	const struct weir_value *size =
		text_value(of, rec, response ? TEXT_RESPONSE_SIZE : TEXT_REQUEST_SIZE);
	const struct weir_value *headers =
		text_value(of, rec, response ? TEXT_RESPONSE_HEADER : TEXT_REQUEST_HEADER);
	struct body_view view = {.style = style, .out = out};
	struct strbuf bytes;

	view.mark = response ? "    <   " : "    >   ";
	if (content == NULL) {
		if (size != NULL && size->v.u64 > 0) {
			put_not_kept(&view, size->v.u64);
		}
		return;
	}
	strbuf_init(&bytes);
	view.p = content->v.bytes;
	view.len = content->len;
	view.gaps = gaps == NULL ? NULL : gaps->v.u64s;
	view.ngaps = gaps == NULL ? 0 : gaps->len / 2;
	if (side_value(of, rec, response, TEXT_REQUEST_CONTENT_ENCODING) != NULL) {
		decode_base64(content, &bytes);
		view.p = (const uint8_t *)strbuf_text(&bytes);
		view.len = bytes.len;
		put_hex(&view);
	} else if (has_type(headers, "json") && begins_json(&view)) {
		put_json(&view);
	} else if (has_type(headers, "x-www-form-urlencoded")) {
		put_form(&view);
	} else {
		put_plain(&view, 0);
	}
	put_gaps(&view, SIZE_MAX);
	put_cut(&view, of, rec, response);
	if (view.open) {
		end_line(&view);
	}
	strbuf_fini(&bytes);
}

/* ---- headers ---- */

static void put_headers(struct text_style *style, const struct weir_value *value, const char *mark,
			struct strbuf *out)
{
	struct body_view view = {.style = style, .out = out, .mark = mark};
	char size[HUMAN_LEN], text[64];
	uint32_t i;

	for (i = 0; value != NULL && i < value->len; i++) {
		const struct weir_header *header = &value->v.headers[i];

		open_line(&view);
		put_escaped(&view, header->name.p, header->name.len);
		strbuf_str(out, ": ");
		put_escaped(&view, header->value.p, header->value.len);
		if (header->full_len > header->value.len) {
			human_size(header->full_len, size);
			(void)snprintf(text, sizeof(text), "cut; full size %s", size);
			put_note(&view, text);
		}
		end_line(&view);
	}
}

void text_put_details(struct text_style *style, const struct text_schema *of,
		      const struct weir_record *rec, struct strbuf *out)
{
	int side;

	if (style->verbose == 0 || !of->transaction) {
		return;
	}
	for (side = 0; side < 2; side++) {
		const char *mark = side == 0 ? "    > " : "    < ";

		put_headers(
			style,
			text_value(of, rec, side == 0 ? TEXT_REQUEST_HEADER : TEXT_RESPONSE_HEADER),
			mark, out);
		if (style->verbose >= 2) {
			put_body(style, of, rec, side == 1, out);
		}
		put_headers(style,
			    text_value(of, rec,
				       side == 0 ? TEXT_REQUEST_TRAILER : TEXT_RESPONSE_TRAILER),
			    mark, out);
	}
}

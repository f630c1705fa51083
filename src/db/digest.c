/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of statements: see digest.h. One pass over the text, token by token; what is put out is looked at backwards to collapse lists,
 * never further than the group of parentheses that has just been closed (32 of them are remembered).
 */
#include "db/digest.h"

#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 32, TAG_MAX = 64 };

struct digest {
	char *out;
	size_t len;
	const uint8_t *p;
	const uint8_t *end;
	enum db_dialect dialect;
	bool space;             /* white space since the last token */
	size_t open[DEPTH_MAX]; /* where the groups that are open begin in out */
	size_t depth;
};

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c >= 0x80;
}

static char to_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static void put(struct digest *d, const void *p, size_t n)
{
	if (n > DB_DIGEST_MAX - d->len) {
		n = DB_DIGEST_MAX - d->len;
	}
	memcpy(d->out + d->len, p, n);
	d->len += n;
}

static char last(const struct digest *d)
{
	return d->len == 0 ? '\0' : d->out[d->len - 1];
}

/* The blank between two tokens: where there was white space, but none inside of parentheses and before commas. */
static void put_gap(struct digest *d, char next)
{
	if (d->len > 0 && last(d) != ' ' && last(d) != '(' && next != ')' && next != ',' &&
	    next != ';' && (d->space || last(d) == ',')) {
		put(d, " ", 1);
	}
	d->space = false;
}

/* ---- what is passed over ---- */

static const uint8_t *line_end(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *lf = memchr(p, '\n', (size_t)(end - p));

	return lf == NULL ? end : lf;
}

/* Behind a comment that begins at p, or p. Comments of version and hints are comments like others. */
static const uint8_t *comment_end(const uint8_t *p, const uint8_t *end, enum db_dialect dialect)
{
	if (*p == '#' && dialect == DB_DIALECT_MYSQL) {
		return line_end(p, end);
	}
	if (end - p < 2) {
		return p;
	}
	if (p[0] == '-' && p[1] == '-') {
		return line_end(p, end);
	}
	if (p[0] == '/' && p[1] == '*') {
		const uint8_t *stop = memmem(p + 2, (size_t)(end - p - 2), "*/", 2);

		return stop == NULL ? end : stop + 2;
	}
	return p;
}

static const uint8_t *quoted_end(const uint8_t *p, const uint8_t *end, bool escapes)
{
	uint8_t quote = *p++;

	while (p < end) {
		if (escapes && *p == '\\' && end - p >= 2) {
			p += 2;
		} else if (*p != quote) {
			p++;
		} else if (end - p >= 2 && p[1] == quote) {
			p += 2;
		} else {
			return p + 1;
		}
	}
	return end;
}

/* Behind $tag$ ... $tag$ or $1, or p. */
static const uint8_t *dollar_end(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *tag = p + 1;
	const uint8_t *stop;

	while (tag < end && tag - p < TAG_MAX && is_word(*tag)) {
		tag++;
	}
	if (tag < end && *tag == '$' && (tag == p + 1 || !is_digit(p[1]))) {
		size_t n = (size_t)(tag + 1 - p);

		stop = memmem(tag + 1, (size_t)(end - tag - 1), p, n);
		return stop == NULL ? end : stop + n;
	}
	return tag > p + 1 && is_digit(p[1]) ? tag : p;
}

static const uint8_t *number_end(const uint8_t *p, const uint8_t *end)
{
	bool hex = end - p >= 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X');

	while (p < end && (is_word(*p) || *p == '.')) {
		if (!hex && (*p == 'e' || *p == 'E') && end - p >= 2 &&
		    (p[1] == '-' || p[1] == '+')) {
			p++;
		}
		p++;
	}
	return p;
}

/* ---- tokens ---- */

/* A sign that belongs to the number to come: behind an operator, a parenthesis, a comma. */
static void drop_sign(struct digest *d)
{
	size_t n = d->len;

	if (n == 0 || (d->out[n - 1] != '-' && d->out[n - 1] != '+')) {
		return;
	}
	n--;
	while (n > 0 && d->out[n - 1] == ' ') {
		n--;
	}
	if (n > 0 && memchr("(,=<>+-*/%", d->out[n - 1], 10) != NULL) {
		d->len--;
	}
}

static void put_literal(struct digest *d)
{
	static const char list[] = "(?, ";

	drop_sign(d);
	put_gap(d, '?');
	if (d->len >= 4 && memcmp(d->out + d->len - 4, list, 4) == 0) {
		d->len -= 2; /* (?, ?: one is enough */
		return;
	}
	put(d, "?", 1);
}

static void put_close(struct digest *d)
{
	size_t at, group;

	put_gap(d, ')');
	put(d, ")", 1);
	if (d->depth == 0) {
		return;
	}
	d->depth--;
	if (d->depth >= DEPTH_MAX) {
		return;
	}
	at = d->open[d->depth];
	group = d->len - at;
	/* the row before it, a comma and a blank: (?, NULL), (?, NULL) */
	if (at >= group + 2 && memcmp(d->out + at - 2, ", ", 2) == 0 &&
	    memcmp(d->out + at - 2 - group, d->out + at, group) == 0) {
		d->len = at - 2;
	}
}

static void put_open(struct digest *d)
{
	put_gap(d, '(');
	if (d->depth < DEPTH_MAX) {
		d->open[d->depth] = d->len;
	}
	d->depth++;
	put(d, "(", 1);
	d->p++;
}

static bool is_comparison(uint8_t c)
{
	return c == '=' || c == '<' || c == '>' || c == '!';
}

static void put_comparison(struct digest *d)
{
	const uint8_t *from = d->p;

	d->space |= d->len > 0 && memchr("@|&~:-#?", last(d), 8) == NULL;
	while (d->p < d->end && is_comparison(*d->p)) {
		d->p++;
	}
	put_gap(d, '=');
	put(d, from, (size_t)(d->p - from));
	d->space = d->p == d->end || memchr("@|&~*-#", *d->p, 7) == NULL ||
		   (*d->p == '-' && d->end - d->p >= 2 && is_digit(d->p[1]));
}

/* A word; N'', X'', B'', E'' and _charset'' are literals with what follows. */
static void put_word(struct digest *d)
{
	const uint8_t *from = d->p;
	bool name = *from == '@';

	d->p++;
	while (d->p < d->end && (is_word(*d->p) || *d->p == '$' || (name && *d->p == '@'))) {
		d->p++;
	}
	if (d->p < d->end && *d->p == '\'' && (d->p - from == 1 || *from == '_')) {
		bool escapes = d->dialect == DB_DIALECT_MYSQL || *from == 'E' || *from == 'e';

		d->p = quoted_end(d->p, d->end, escapes);
		put_literal(d);
		return;
	}
	put_gap(d, 'w');
	put(d, from, (size_t)(d->p - from));
}

static void put_name(struct digest *d)
{
	const uint8_t *from = d->p;

	d->p = quoted_end(d->p, d->end, false);
	put_gap(d, '"');
	put(d, from, (size_t)(d->p - from));
}

static void put_token(struct digest *d)
{
	bool mysql = d->dialect == DB_DIALECT_MYSQL;
	const uint8_t *stop;
	uint8_t c = *d->p;

	if (c == '\'' || (c == '"' && mysql)) {
		d->p = quoted_end(d->p, d->end, mysql);
		put_literal(d);
	} else if (c == '"' || c == '`') {
		put_name(d);
	} else if (c == '$' && !mysql && (stop = dollar_end(d->p, d->end)) > d->p) {
		d->p = stop;
		put_literal(d);
	} else if (is_digit(c) || (c == '.' && d->end - d->p >= 2 && is_digit(d->p[1]) &&
				   !is_word((uint8_t)last(d)))) {
		d->p = number_end(d->p, d->end);
		put_literal(d);
	} else if (is_word(c) || c == '@') {
		put_word(d);
	} else if (c == '?') {
		d->p++;
		put_literal(d);
	} else if (c == '(') {
		put_open(d);
	} else if (c == ')') {
		d->p++;
		put_close(d);
	} else if (is_comparison(c)) {
		put_comparison(d);
	} else {
		put_gap(d, (char)c);
		put(d, &c, 1);
		d->p++;
	}
}

size_t db_digest(const uint8_t *p, size_t len, enum db_dialect dialect, char *out)
{
	struct digest d = {.out = out, .p = p, .end = p + len, .dialect = dialect};

	while (d.p < d.end && d.len < DB_DIGEST_MAX) {
		const uint8_t *stop = comment_end(d.p, d.end, dialect);

		if (stop > d.p) {
			d.p = stop;
			d.space = true;
		} else if (is_space(*d.p) || *d.p == '\0') {
			d.p++;
			d.space = true;
		} else {
			put_token(&d);
		}
	}
	while (d.len > 0 && (last(&d) == ';' || last(&d) == ' ')) {
		d.len--;
	}
	return d.len;
}

size_t db_verb(const uint8_t *p, size_t len, char *out, size_t size)
{
	const uint8_t *end = p + len;
	size_t n = 0;

	while (p < end) {
		/* the dialects differ in # only, which begins no statement of PostgreSQL */
		const uint8_t *stop = comment_end(p, end, DB_DIALECT_MYSQL);

		if (stop == p && !is_space(*p) && *p != '(' && *p != ';') {
			break;
		}
		p = stop > p ? stop : p + 1;
	}
	while (p < end && n < size && is_word(*p) && *p < 0x80 && !(n == 0 && is_digit(*p))) {
		out[n++] = to_upper((char)*p++);
	}
	return n == size ? 0 : n; /* no verb is that long */
}

static size_t token_len(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && memchr(" (),;", p[n], 5) == NULL) {
		n++;
	}
	return n;
}

static bool is_one_of(const char *p, size_t n, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (strlen(*words) == n && strncasecmp(p, *words, n) == 0) {
			return true;
		}
	}
	return false;
}

struct weir_str db_table(const char *digest, size_t len)
{
	static const char *const before[] = {"from", "into", "update", "table",
					     "join", "copy", NULL};
	static const char *const between[] = {"if",     "not",     "exists",       "only", "table",
					      "ignore", "lateral", "low_priority", NULL};
	struct weir_str none = {NULL, 0};
	const char *p = digest;
	const char *end = digest + len;
	bool due = false;

	while (p < end) {
		size_t n = token_len(p, (size_t)(end - p));

		if (n == 0) {
			due = due && *p == ' ';
			p++;
			continue;
		}
		if (due && !is_one_of(p, n, between)) {
			struct weir_str table = {(const uint8_t *)p, (uint32_t)n};

			return *p == '?' ? none : table;
		}
		due = due || is_one_of(p, n, before);
		p += n;
	}
	return none;
}

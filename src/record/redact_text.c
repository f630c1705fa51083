/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maskers of text: JSON, multipart, header lines in bodies, and database statements (URLs and forms: redact_url.c).
 *
 * They look for `"name": value` and the like without parsing the whole: what is not well-formed is masked rather too far than
 * not far enough (a string without an end is masked to the end of the text).
 */
#include "record/mask.h"

#include <strings.h>

/* ---- JSON ---- */

/* End of the string whose quote is at p: behind its closing quote, or `end`. */
static const uint8_t *string_end(const uint8_t *p, const uint8_t *end)
{
	for (p++; p < end; p++) {
		if (*p == '\\') {
			p++;
		} else if (*p == '"') {
			return p + 1;
		}
	}
	return end;
}

/* End of any value at p: a string, a number or word, or a whole object or array. */
static const uint8_t *value_end(const uint8_t *p, const uint8_t *end)
{
	size_t depth = 0;

	while (p < end) {
		if (*p == '"') {
			p = string_end(p, end);
			if (depth == 0) {
				return p;
			}
			continue;
		}
		if (*p == '{' || *p == '[') {
			depth++;
		} else if (*p == '}' || *p == ']') {
			if (depth == 0) {
				return p;
			}
			depth--;
			if (depth == 0) {
				return p + 1;
			}
		} else if (depth == 0 && (*p == ',' || *p <= ' ')) {
			return p;
		}
		p++;
	}
	return end;
}

static const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p <= ' ') {
		p++;
	}
	return p;
}

/* The value of a member that is secret: a string stays one, the rest becomes one. */
static const uint8_t *mask_member(struct mask *mask, const uint8_t *p, const uint8_t *end,
				  uint32_t more)
{
	const uint8_t *stop = value_end(p, end);
	bool quoted = p < end && *p == '"';
	size_t len = (size_t)(stop - p);

	if (len == 0) {
		return p;
	}
	if (quoted) {
		len--;
		len -= len > 0 && stop[-1] == '"';
	}
	mask_put(mask, "\"", 1);
	mask_hide(mask, p + quoted, len, stop == end ? more : 0);
	mask_put(mask, "\"", 1);
	return stop;
}

/* A string at p, and the value behind it when it names a secret. @return where to go on */
static const uint8_t *mask_string(struct mask *mask, const uint8_t *p, const uint8_t *end,
				  uint32_t more)
{
	const uint8_t *stop = string_end(p, end);
	const uint8_t *colon = skip_blanks(stop, end);
	const uint8_t *value;

	if (stop - p > 2 && (colon == end || *colon != ':') &&
	    mask_is_api_key(p + 1, (size_t)(stop - p) - 1)) {
		return mask_member(mask, p, end, more);
	}
	mask_put(mask, p, (size_t)(stop - p));
	if (colon == end || *colon != ':' || stop - p < 2 ||
	    !mask_is_secret_key(p + 1, (size_t)(stop - p) - 2)) {
		return stop;
	}
	value = skip_blanks(colon + 1, end);
	mask_put(mask, stop, (size_t)(value - stop));
	return mask_member(mask, value, end, more);
}

static void mask_json(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	const uint8_t *end = p + len;

	while (p < end) {
		const uint8_t *quote = memchr(p, '"', (size_t)(end - p));

		if (quote == NULL) {
			mask_put(mask, p, (size_t)(end - p));
			return;
		}
		mask_put(mask, p, (size_t)(quote - p));
		p = mask_string(mask, quote, end, more);
	}
}

/* ---- multipart and header lines ---- */

/* The value of name="..." in a part's head: is it that of a secret? */
static bool names_secret(const uint8_t *line, size_t len)
{
	const uint8_t *name = memmem(line, len, "name=\"", 6);
	const uint8_t *stop;

	if (name == NULL) {
		return false;
	}
	name += 6;
	stop = memchr(name, '"', len - (size_t)(name - line));
	return stop != NULL && mask_is_secret_key(name, (size_t)(stop - name));
}

/* "Name: value" of which the name is a header's that is masked. */
static bool mask_line(struct mask *mask, const uint8_t *p, size_t len)
{
	enum header_class class;
	size_t name = 0;

	while (name < len && name < MASK_KEY_MAX && mask_is_name_byte(p[name])) {
		name++;
	}
	if (name == 0 || name + 1 >= len || p[name] != ':') {
		return false;
	}
	class = mask_classify_header(p, name);
	if (class == HEADER_PLAIN) {
		return false;
	}
	name++;
	while (name < len && p[name] == ' ') {
		name++;
	}
	mask_put(mask, p, name);
	mask_header(mask, class, p + name, len - name, 0);
	return true;
}

/* A member of JSON (as behind the "data:" of an event stream), a pair, a request line. */
void mask_within(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	if (memchr(p, '"', len) != NULL) {
		mask_json(mask, p, len, more);
	} else {
		mask_pairs(mask, p, len, more, true);
	}
}

/* multipart/form-data (RFC 7578), message/http and the like: by lines. */
static void mask_lines(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	const uint8_t *end = p + len;
	bool secret = false; /* the part being read is */
	bool head = true;    /* in a head; secret parts are masked behind it */

	while (p < end) {
		const uint8_t *feed = memchr(p, '\n', (size_t)(end - p));
		const uint8_t *next = feed == NULL ? end : feed + 1;
		size_t line = (size_t)((feed == NULL ? end : feed) - p);

		line -= line > 0 && feed != NULL && p[line - 1] == '\r';
		if (line >= 2 && p[0] == '-' && p[1] == '-') {
			secret = false;
			head = true;
			mask_put(mask, p, (size_t)(next - p));
		} else if (secret && !head) {
			if (line > 0) {
				mask_hide(mask, p, line, feed == NULL ? more : 0);
			}
			mask_put(mask, p + line, (size_t)(next - p) - line);
		} else {
			secret = secret || names_secret(p, line);
			head = line > 0 && head;
			if (!mask_line(mask, p, line)) {
				mask_within(mask, p, line, feed == NULL ? more : 0);
			}
			mask_put(mask, p + line, (size_t)(next - p) - line);
		}
		p = next;
	}
}

/* Does it begin like a=b, without blanks or brackets before the sign? */
static bool looks_like_form(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < 512; i++) {
		if (p[i] == '=') {
			return i > 0;
		}
		if (p[i] <= ' ' || p[i] == '"' || p[i] == '<' || p[i] == '{' || p[i] == ':') {
			return false;
		}
	}
	return false;
}

static bool looks_like_markup(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
	}
	p = skip_blanks(p, end);
	return p < end && *p == '<';
}

static bool looks_like_lines(const uint8_t *p, size_t len)
{
	size_t i;

	if (len >= 2 && p[0] == '-' && p[1] == '-') {
		return true;
	}
	/* "Name: " or a start line of HTTP within the first line */
	for (i = 0; i < len && i < 1024 && p[i] != '\n'; i++) {
		if (p[i] == '{' || p[i] == '<' || p[i] == '[') {
			return false;
		}
		if (p[i] == ':' && i > 0) {
			return true;
		}
	}
	return len >= 8 && i < len && memmem(p, i, "HTTP/", 5) != NULL;
}

void mask_body(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	if (looks_like_form(p, len)) {
		mask_pairs(mask, p, len, more, false);
	} else if (looks_like_markup(p, len)) {
		mask_markup(mask, p, len, more);
	} else if (looks_like_lines(p, len)) {
		mask_lines(mask, p, len, more);
	} else {
		mask_json(mask, p, len, more);
	}
}

/* Bytes from anywhere in a stream, of which nothing else is known. */
void mask_evidence(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	mask_lines(mask, p, len, more);
}

/* ---- statements ---- */

/* End of a quoted literal at p; a doubled quote and a backslash's byte belong to it. */
static const uint8_t *quoted_end(const uint8_t *p, const uint8_t *end)
{
	uint8_t quote = *p;

	for (p++; p < end; p++) {
		if (*p == '\\') {
			p++;
		} else if (*p == quote) {
			if (p + 1 < end && p[1] == quote) {
				p++;
			} else {
				return p + 1;
			}
		}
	}
	return end;
}

/* End of PostgreSQL's $tag$ ... $tag$ at p; p itself when it is none. */
static const uint8_t *dollar_end(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *tag = p + 1;
	const uint8_t *close;

	while (tag < end && mask_is_name_byte(*tag) && *tag != '-') {
		tag++;
	}
	if (tag == end || *tag != '$' || mask_is_digit(p[1])) {
		return p; /* $1 is a parameter */
	}
	tag++;
	close = memmem(tag, (size_t)(end - tag), p, (size_t)(tag - p));
	return close == NULL ? end : close + (tag - p);
}

/* Every literal becomes a question mark: with --redact=strict. Identifiers in double quotes go with them. */
void mask_statement(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	const uint8_t *end = p + len;
	bool word = false; /* the byte before belongs to a name */

	while (p < end) {
		const uint8_t *stop = p;

		if (*p == '\'' || *p == '"') {
			stop = quoted_end(p, end);
		} else if (*p == '$') {
			stop = dollar_end(p, end);
		} else if (mask_is_digit(*p) && !word) {
			while (stop < end && (mask_is_name_byte(*stop) || *stop == '.') &&
			       *stop != '-') {
				stop++;
			}
		}
		if (stop > p) {
			mask_put(mask, "?", 1);
			mask->any = true;
			word = true;
			p = stop;
			continue;
		}
		word = (mask_is_name_byte(*p) && *p != '-') || *p == '$' || *p >= 0x80;
		mask_put(mask, p, 1);
		p++;
	}
	(void)more;
}

/* ---- secrets in statements ---- */

/* Is the word at p, n bytes long, this one? In any case. */
static bool is_word(const uint8_t *p, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp((const char *)p, word, n) == 0;
}

/*
 * What a word says of the literal behind it: CREATE USER ... IDENTIFIED BY 'x', ALTER ROLE ... PASSWORD 'x', SET PASSWORD = 'x',
 * PASSWORD('x').
 */
static void heed_word(const uint8_t *p, size_t n, bool *identified, bool *secret)
{
	if (is_word(p, n, "IDENTIFIED")) {
		*identified = true;
		*secret = false;
	} else if (is_word(p, n, "PASSWORD") || is_word(p, n, "MASTER_PASSWORD") ||
		   is_word(p, n, "SOURCE_PASSWORD") || is_word(p, n, "REQUIREPASS")) {
		*secret = true;
	} else if (*identified && (is_word(p, n, "BY") || is_word(p, n, "AS"))) {
		*secret = true;
		*identified = false;
	} else if (!is_word(p, n, "TO")) {
		*secret = false;
	}
}

void mask_statement_secrets(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	const uint8_t *end = p + len;
	bool identified = false, secret = false;

	while (p < end) {
		const uint8_t *stop = p;

		if (*p == '\'' || *p == '"') {
			bool closed;

			stop = quoted_end(p, end);
			closed = stop - p >= 2 && stop[-1] == *p;
			if (secret && stop - p > 2) {
				mask_put(mask, p, 1);
				mask_hide(mask, p + 1, (size_t)(stop - p) - 1 - closed,
					  stop == end && !closed ? more : 0);
				mask_put(mask, p, closed);
				mask->any = true;
			} else {
				mask_put(mask, p, (size_t)(stop - p));
			}
			secret = false;
			p = stop;
			continue;
		}
		while (stop < end && mask_is_name_byte(*stop) && *stop != '-') {
			stop++;
		}
		if (stop > p) {
			heed_word(p, (size_t)(stop - p), &identified, &secret);
		} else {
			secret = secret && *p != ';' && *p != ',';
			stop = p + 1;
		}
		mask_put(mask, p, (size_t)(stop - p));
		p = stop;
	}
}

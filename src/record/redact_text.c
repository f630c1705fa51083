/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maskers of text: URLs, forms, JSON, multipart, header lines in bodies, and database statements.
 *
 * They look for `name=value`, `"name": value` and the like without parsing the whole: what is not well-formed is masked
 * rather too far than not far enough (a string without an end is masked to the end of the text).
 */
#include "record/mask.h"

#include <strings.h>

enum { KEY_MAX = 128 }; /* of a name that is looked at; the rest of longer ones does not count */

static inline bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_name_byte(uint8_t c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '-';
}

static int hex_value(uint8_t c)
{
	if (is_digit(c)) {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- names ---- */

/*
 * Each of the words has a k (token, api-key), an ss (password, session), a cr (secret, credential) or an sr (csrf), and few other names
 * do: told from two bytes in a row.
 */
static inline bool is_hint(uint8_t before, uint8_t c)
{
	return c == 'k' || (c == 's' && before == 's') ||
	       (c == 'r' && (before == 'c' || before == 's'));
}

static bool has_word(const uint8_t *low, size_t len)
{
	static const char *const words[] = {"token",      "secret",     "password",    "passwd",
					    "session",    "apikey",     "api-key",     "api_key",
					    "credential", "access_key", "private_key", "xsrf",
					    "csrf"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (memmem(low, len, words[i], strlen(words[i])) != NULL) {
			return true;
		}
	}
	return false;
}

bool mask_has_secret_word(const uint8_t *low, size_t len)
{
	bool hint = false;
	size_t i;

	for (i = 0; i < len; i++) {
		hint |= is_hint(i == 0 ? 0 : low[i - 1], low[i]);
	}
	return hint && has_word(low, len);
}

#define IS(text) (len == sizeof(text) - 1 && memcmp(low, (text), sizeof(text) - 1) == 0)

/* Exactly one of the names that are secrets without saying so. */
static bool is_secret_name(const uint8_t *low, size_t len)
{
	switch (len == 0 ? 0 : low[0]) {
	case 'a':
		return IS("auth") || IS("authorization");
	case 'c':
		return IS("code");
	case 'o':
		return IS("otp");
	case 'p':
		return IS("pwd") || IS("pass") || IS("pin") || IS("passphrase");
	case 's':
		return IS("sig") || IS("signature") || IS("sid");
	default:
		return false;
	}
}

/* The last word of a longer name (X-Amz-Signature, db_pwd) that makes it one; country_code is none. */
static bool is_secret_ending(const uint8_t *low, size_t len)
{
	switch (len == 0 ? 0 : low[0]) {
	case 'j':
		return IS("jwt");
	case 'o':
		return IS("otp");
	case 'p':
		return IS("pwd") || IS("pass") || IS("passphrase");
	case 's':
		return IS("sig") || IS("signature");
	default:
		return false;
	}
}

#undef IS

bool mask_is_secret_key(const uint8_t *key, size_t len)
{
	uint8_t low[KEY_MAX];
	uint8_t before = 0;
	size_t n = 0, start, i;
	bool hint = false;

	for (i = 0; i < len && n < sizeof(low); i++) {
		uint8_t c = key[i];

		if (c == '%' && i + 2 < len && hex_value(key[i + 1]) >= 0 &&
		    hex_value(key[i + 2]) >= 0) {
			c = (uint8_t)((unsigned)hex_value(key[i + 1]) << 4 |
				      (unsigned)hex_value(key[i + 2]));
			i += 2;
		} else if (c == '\\' && i + 5 < len && key[i + 1] == 'u' && key[i + 2] == '0' &&
			   key[i + 3] == '0' && hex_value(key[i + 4]) >= 0 &&
			   hex_value(key[i + 5]) >= 0) {
			/* RFC 8259 §7: "p\u0061ssword" */
			c = (uint8_t)((unsigned)hex_value(key[i + 4]) << 4 |
				      (unsigned)hex_value(key[i + 5]));
			i += 5;
		}
		c = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
		hint |= is_hint(before, c);
		before = c;
		low[n++] = c;
	}
	if (n == 0) {
		return false;
	}
	if (hint && has_word(low, n)) {
		return true;
	}
	/* user[pin], user.pin: the last part is what it is called */
	while (n > 0 && (low[n - 1] == ']' || low[n - 1] == '[' || low[n - 1] == ' ')) {
		n--;
	}
	for (start = n; start > 0 && is_name_byte(low[start - 1]); start--) {
	}
	if (is_secret_name(low + start, n - start)) {
		return true;
	}
	for (i = n; i > start && low[i - 1] != '-' && low[i - 1] != '_'; i--) {
	}
	return is_secret_ending(low + i, n - i);
}

/* ---- URLs, queries, forms ---- */

static bool ends_pair(uint8_t c)
{
	return c == '&' || c == '?' || c == ';' || c == '#' || c <= ' ' || c == '"' || c == '<' ||
	       c == '>';
}

/* Does a value hold a pair of its own, percent-encoded (redirect=https%3A%2F%2Fx%2F%3Ftoken%3Dabc)? */
static bool hides_secret(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i + 2 < len; i++) {
		size_t start = i;

		if (p[i] != '%' || p[i + 1] != '3' || (p[i + 2] | 0x20) != 'd') {
			continue;
		}
		while (start > 0 && is_name_byte(p[start - 1])) {
			start--;
		}
		/* "%3Ftoken": the two digits behind the sign are not the name's */
		if (start > 0 && p[start - 1] == '%' && i - start >= 2) {
			start += 2;
		}
		if (mask_is_secret_key(p + start, i - start)) {
			return true;
		}
	}
	return false;
}

/* Where the name before an = begins: behind what ended the piece before, or a slash of a path. */
static const uint8_t *key_start(const uint8_t *start, const uint8_t *equals)
{
	const uint8_t *p = equals;

	while (p > start && !ends_pair(p[-1]) && p[-1] != '/' && p[-1] != '=' &&
	       equals - p < KEY_MAX) {
		p--;
	}
	return p;
}

/* Was the value before masked ("[redacted 24]", whose blank ended the value), or is there none? */
static bool needs_no_mask(const uint8_t *value, size_t len, uint32_t more)
{
	return (len == 0 && more == 0) || (len == 9 && memcmp(value, "[redacted", 9) == 0);
}

/*
 * Length of user:password before the @ of the authority at p (RFC 3986 §3.2.1); 0 when there is none. Without a scheme
 * it is CONNECT's user:password@host:443, and not a query's mail=joe@example.org.
 */
static size_t userinfo_len(const uint8_t *p, const uint8_t *end, bool scheme)
{
	const uint8_t *stop = p;
	const uint8_t *at;

	while (stop < end && *stop != '/' && *stop != '?' && *stop != '#' && *stop > ' ' &&
	       *stop != '"' && *stop != '<' && (scheme || *stop != '=')) {
		stop++;
	}
	at = memrchr(p, '@', (size_t)(stop - p));
	return at == NULL ? 0 : (size_t)(at - p);
}

/* What is being masked: [written, end) is still to be put. */
struct pairs {
	struct mask *mask;
	const uint8_t *written;
	const uint8_t *end;
	uint32_t more;
	bool encoded; /* there are percent signs */
	bool form;    /* a value goes on to the next &, whatever else is in it */
};

static void hide_span(struct pairs *pairs, const uint8_t *p, size_t len)
{
	mask_put(pairs->mask, pairs->written, (size_t)(p - pairs->written));
	mask_hide(pairs->mask, p, len, p + len == pairs->end ? pairs->more : 0);
	pairs->written = p + len;
}

/* The pair whose = is at `equals` and whose name begins at p or later. @return where to go on */
static const uint8_t *mask_one_pair(struct pairs *pairs, const uint8_t *p, const uint8_t *equals)
{
	const uint8_t *key = key_start(p, equals);
	bool secret = mask_is_secret_key(key, (size_t)(equals - key));
	const uint8_t *value = equals + 1;
	bool known = !secret && mask_is_api_key(value, (size_t)(pairs->end - value));
	uint8_t quote = value < pairs->end && (*value == '"' || *value == '\'') ? *value : 0;
	const uint8_t *stop;
	size_t len;

	if (!secret && !known && !pairs->encoded) {
		return value;
	}
	value += quote != 0 && !pairs->form; /* of an attribute */
	stop = value;
	while (stop < pairs->end && (pairs->form  ? *stop != '&' && *stop != '\n' && *stop != '\r'
				     : quote != 0 ? *stop != quote
						  : !ends_pair(*stop))) {
		stop++;
	}
	len = (size_t)(stop - value);
	if (needs_no_mask(value, len, stop == pairs->end ? pairs->more : 0) ||
	    (!secret && !known && !hides_secret(value, len))) {
		return value;
	}
	hide_span(pairs, value, len);
	return stop;
}

/*
 * Every name=value, and with `urls` the userinfo of every ://, in text of any kind. It looks for equals signs, so plain
 * text costs next to nothing.
 */
static void mask_pairs(struct mask *mask, const uint8_t *p, size_t len, uint32_t more, bool urls)
{
	const uint8_t *end = p + len;
	struct pairs pairs = {mask, p, end, more, memchr(p, '%', len) != NULL, !urls};
	const uint8_t *equals = memchr(p, '=', len);
	const uint8_t *scheme = NULL;

	urls = urls && memchr(p, '@', len) != NULL;
	if (urls) {
		size_t user = userinfo_len(p, end, false);

		if (user > 0) {
			hide_span(&pairs, p, user);
			p += user;
		}
		scheme = memmem(p, (size_t)(end - p), "://", 3);
	}
	while (equals != NULL || scheme != NULL) {
		if (scheme != NULL && (equals == NULL || scheme < equals)) {
			size_t user = userinfo_len(scheme + 3, end, true);

			if (user > 0) {
				hide_span(&pairs, scheme + 3, user);
			}
			p = scheme + 3 + user;
		} else {
			p = mask_one_pair(&pairs, p, equals);
		}
		if (equals != NULL && equals < p) {
			equals = memchr(p, '=', (size_t)(end - p));
		}
		if (scheme != NULL && scheme < p) {
			scheme = memmem(p, (size_t)(end - p), "://", 3);
		}
	}
	mask_put(mask, pairs.written, (size_t)(end - pairs.written));
}

/* The next segment of a path, at p or behind, that is a key of a service; NULL: none. */
static const uint8_t *find_key_segment(const uint8_t *p, const uint8_t *end)
{
	while ((p = memchr(p, '/', (size_t)(end - p))) != NULL) {
		p++;
		if (mask_is_api_key(p, (size_t)(end - p))) {
			return p;
		}
	}
	return NULL;
}

void mask_url(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	const uint8_t *end = p + len;
	const uint8_t *key = find_key_segment(p, end);

	while (key != NULL) {
		const uint8_t *stop = key;

		while (stop < end && *stop != '/' && !ends_pair(*stop)) {
			stop++;
		}
		mask_pairs(mask, p, (size_t)(key - p), 0, true);
		mask_hide(mask, key, (size_t)(stop - key), stop == end ? more : 0);
		p = stop;
		key = find_key_segment(p, end);
	}
	mask_pairs(mask, p, (size_t)(end - p), more, true);
}

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

	while (name < len && name < KEY_MAX && is_name_byte(p[name])) {
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

	while (tag < end && is_name_byte(*tag) && *tag != '-') {
		tag++;
	}
	if (tag == end || *tag != '$' || is_digit(p[1])) {
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
		} else if (is_digit(*p) && !word) {
			while (stop < end && (is_name_byte(*stop) || *stop == '.') &&
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
		word = (is_name_byte(*p) && *p != '-') || *p == '$' || *p >= 0x80;
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
		while (stop < end && is_name_byte(*stop) && *stop != '-') {
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

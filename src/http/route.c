/* SPDX-License-Identifier: Apache-2.0 */
/* Paths to routes; see route.h. */
#include "http/route.h"

#include "base/copy.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* What a segment is made of. */
struct makeup {
	size_t digits;
	size_t hex;     /* hexadecimal letters */
	size_t letters; /* others */
	size_t joins;   /* - _ = */
	size_t hyphens;
	size_t ats;
	size_t others;
};

/* Counters of a byte each, for up to COUNTED bytes of text: one addition a byte counts them all. */
enum {
	DIGITS = 0,
	HEX = 8,
	LETTERS = 16,
	JOINS = 24,
	HYPHENS = 32,
	ATS = 40,
	OTHERS = 48,
	COUNTED = 255
};

#define ONE(counter) (UINT64_C(1) << (counter))

static const uint64_t counts[256] = {
	[0 ... ','] = ONE(OTHERS),    ['-'] = ONE(JOINS) + ONE(HYPHENS),
	['.' ... '/'] = ONE(OTHERS),  ['0' ... '9'] = ONE(DIGITS),
	[':' ... '<'] = ONE(OTHERS),  ['='] = ONE(JOINS),
	['>' ... '?'] = ONE(OTHERS),  ['@'] = ONE(ATS),
	['A' ... 'F'] = ONE(HEX),     ['G' ... 'Z'] = ONE(LETTERS),
	['[' ... '^'] = ONE(OTHERS),  ['_'] = ONE(JOINS),
	['`'] = ONE(OTHERS),          ['a' ... 'f'] = ONE(HEX),
	['g' ... 'z'] = ONE(LETTERS), ['{' ... 255] = ONE(OTHERS),
};

#undef ONE

static inline size_t count_of(uint64_t all, unsigned counter)
{
	return all >> counter & 0xff;
}

static void look_at(const uint8_t *p, size_t len, struct makeup *ret)
{
	memset(ret, 0, sizeof(*ret));
	while (len > 0) {
		size_t n = len < COUNTED ? len : COUNTED;
		uint64_t all = 0;
		size_t i;

		for (i = 0; i < n; i++) {
			all += counts[p[i]];
		}
		ret->digits += count_of(all, DIGITS);
		ret->hex += count_of(all, HEX);
		ret->letters += count_of(all, LETTERS);
		ret->joins += count_of(all, JOINS);
		ret->hyphens += count_of(all, HYPHENS);
		ret->ats += count_of(all, ATS);
		ret->others += count_of(all, OTHERS);
		p += n;
		len -= n;
	}
}

enum {
	UUID = 36
}; /* bytes: with a hyphen behind each 8, 4, 4 and 4 digits, which may all be letters */

static bool is_uuid(const uint8_t *p, size_t len, const struct makeup *of)
{
	return len == UUID && of->hyphens == 4 && of->digits + of->hex == 32 && p[8] == '-' &&
	       p[13] == '-' && p[18] == '-' && p[23] == '-';
}

/* What stands for the segment, or NULL: itself. */
static const char *placeholder(const uint8_t *p, size_t len)
{
	struct makeup of;

	look_at(p, len, &of);
	if (of.digits == len) {
		return "{id}";
	}
	if (is_uuid(p, len, &of)) {
		return "{uuid}";
	}
	if (len >= 16 && of.digits + of.hex == len && of.digits > 0) {
		return "{hex}";
	}
	if (of.ats == 1 && p[0] != '@' && p[len - 1] != '@' && len > 2) {
		return "{email}";
	}
	if (len >= 20 && of.digits >= 2 && of.others == 0 && of.ats == 0 &&
	    of.letters + of.hex > 0) {
		return "{token}";
	}
	return NULL;
}

/* Where the number of "item-12" begins; len: there is none. */
static size_t number_at(const uint8_t *p, size_t len)
{
	size_t at = len;

	while (at > 0 && p[at - 1] >= '0' && p[at - 1] <= '9') {
		at--;
	}
	return at < len && at >= 2 && (p[at - 1] == '-' || p[at - 1] == '_' || p[at - 1] == ':')
		       ? at
		       : len;
}

/* ".json" at the end: a dot and 1 to 5 letters or digits, the first a letter. Its length, or 0. */
static size_t extension_len(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && n < 6 && p[len - 1 - n] != '.') {
		uint8_t lower = p[len - 1 - n] | 0x20;

		if (!((lower >= 'a' && lower <= 'z') ||
		      (p[len - 1 - n] >= '0' && p[len - 1 - n] <= '9'))) {
			return 0;
		}
		n++;
	}
	if (n == 0 || n == 6 || n + 1 >= len || (p[len - n] >= '0' && p[len - n] <= '9')) {
		return 0;
	}
	return n + 1;
}

struct out {
	uint8_t *at;
	uint8_t *end;
	bool full;
};

static void put(struct out *out, const void *p, size_t n)
{
	if ((size_t)(out->end - out->at) < n) {
		out->full = true;
		return;
	}
	copy_bytes(out->at, p, n);
	out->at += n;
}

static void put_segment(struct out *out, const uint8_t *p, size_t len)
{
	size_t extension = memchr(p, '@', len) == NULL ? extension_len(p, len) : 0;
	size_t name = len - extension;
	const char *text = name > 0 ? placeholder(p, name) : NULL;
	size_t number;

	if (text == NULL) {
		number = number_at(p, name);
		put(out, p, number);
		text = number < name ? "{id}" : "";
	}
	put(out, text, strlen(text));
	put(out, p + name, extension);
}

/*
 * The segment at p, which ends at a slash or the end, and what it is made of, as far as COUNTED bytes.
 * @return its end
 */
static inline const uint8_t *segment_end(const uint8_t *p, const uint8_t *end, uint64_t *ret_all)
{
	const uint8_t *most = end - p > COUNTED ? p + COUNTED : end;
	uint64_t all = 0;

	for (; p < most && *p != '/'; p++) {
		all += counts[*p];
	}
	*ret_all = all;
	if (p == most && most != end) {
		p = memchr(p, '/', (size_t)(end - p));
		p = p == NULL ? end : p;
	}
	return p;
}

/* Certainly a word, which stays? See placeholder() and number_at(): "items", "v1". */
static inline bool is_word(uint64_t all, size_t len)
{
	if (count_of(all, DIGITS) == 0) {
		return len < UUID && count_of(all, ATS) == 0;
	}
	return len < 16 && count_of(all, HEX) + count_of(all, LETTERS) > 0 &&
	       count_of(all, DIGITS) + count_of(all, HEX) + count_of(all, LETTERS) == len;
}

static void put_changed(struct out *out, const uint8_t *p, size_t len, uint64_t all)
{
	if (len < UUID && count_of(all, DIGITS) == len) {
		put(out, "{id}", 4);
	} else {
		put_segment(out, p, len);
	}
}

size_t http_route_room(size_t path_len)
{
	/* "/1" becomes "/{id}", "/a@b" "/{email}", and at last "/x" "/{rest}" */
	size_t room = path_len + HTTP_ROUTE_SEGMENTS * 4 + 5;

	return room < HTTP_ROUTE_MAX ? room : HTTP_ROUTE_MAX;
}

size_t http_route(struct weir_str path, uint8_t *buffer)
{
	struct out out = {buffer, buffer + http_route_room(path.len), false};
	const uint8_t *p = path.p;
	const uint8_t *kept = p; /* from here on it stays as it is, and is still to be put */
	const uint8_t *end = p + path.len;
	int n = 0;

	while (p < end && !out.full) {
		const uint8_t *segment = p;
		uint64_t all;

		if (*p == '/') {
			p++;
			continue;
		}
		if (++n > HTTP_ROUTE_SEGMENTS) {
			put(&out, kept, (size_t)(p - kept));
			put(&out, "{rest}", 6);
			kept = end;
			break;
		}
		p = segment_end(segment, end, &all);
		if (!is_word(all, (size_t)(p - segment))) {
			put(&out, kept, (size_t)(segment - kept));
			put_changed(&out, segment, (size_t)(p - segment), all);
			kept = p;
		}
	}
	put(&out, kept, (size_t)(end - kept));
	return out.full ? 0 : (size_t)(out.at - buffer);
}

/* ---- rules ---- */

/* Does a segment of a path fit one of a rule? Both without slashes. */
static bool segment_fits(const char *rule, size_t rule_len, const uint8_t *p, size_t len)
{
	const char *open = memchr(rule, '{', rule_len);
	const char *close = memchr(rule, '}', rule_len);
	size_t before, behind;

	if (open == NULL || close == NULL) {
		return rule_len == len && memcmp(rule, p, len) == 0;
	}
	before = (size_t)(open - rule);
	behind = rule_len - (size_t)(close + 1 - rule);
	return len > before + behind && memcmp(rule, p, before) == 0 &&
	       memcmp(close + 1, p + len - behind, behind) == 0;
}

static bool path_fits(const char *rule, struct weir_str path)
{
	const uint8_t *p = path.p;
	const uint8_t *end = p + path.len;

	while (*rule == '/' && p < end && *p == '/') {
		const uint8_t *stop = memchr(p + 1, '/', (size_t)(end - p - 1));
		size_t rule_len = strcspn(rule + 1, "/");
		size_t len = (size_t)((stop == NULL ? end : stop) - p - 1);

		rule++;
		p++;
		if (strcmp(rule, "*") == 0) {
			return true;
		}
		if (!segment_fits(rule, rule_len, p, len)) {
			return false;
		}
		rule += rule_len;
		p += len;
	}
	return (*rule == '\0' || strcmp(rule, "/*") == 0) && p == end;
}

static bool host_fits(const char *rule, size_t rule_len, struct weir_str host)
{
	if (rule_len == 0) {
		return true;
	}
	if (rule[0] == '*') {
		rule++;
		rule_len--;
		if (host.len <= rule_len) {
			return false;
		}
		host.p += host.len - rule_len;
		host.len = (uint32_t)rule_len;
	}
	return host.len == rule_len && strncasecmp(rule, (const char *)host.p, rule_len) == 0;
}

const char *http_route_rule(const char *const *rules, size_t n, struct weir_str host,
			    struct weir_str path, size_t *ret_len)
{
	size_t i;

	for (i = 0; i < n; i++) {
		size_t host_len = strcspn(rules[i], "/");

		if (host_fits(rules[i], host_len, host) && path_fits(rules[i] + host_len, path)) {
			*ret_len = strlen(rules[i] + host_len);
			return rules[i] + host_len;
		}
	}
	return NULL;
}

const char *http_route_check(const char *rule)
{
	static const char *const fix =
		"a template such as /users/{id}, /img/{name}.png or api.example.com/v1/*";
	const char *at = strchr(rule, '/');

	if (at == NULL || strlen(rule) >= HTTP_ROUTE_MAX ||
	    strcspn(rule, " \t?#") != strlen(rule) || strcspn(rule, "{}") < (size_t)(at - rule)) {
		return fix;
	}
	while (*at == '/') {
		size_t len = strcspn(++at, "/");
		const char *open = memchr(at, '{', len);
		const char *close = memchr(at, '}', len);

		if ((open == NULL) != (close == NULL) ||
		    (open != NULL &&
		     (close < open + 2 || memchr(close + 1, '{', len - (size_t)(close + 1 - at)) ||
		      memchr(close + 1, '}', len - (size_t)(close + 1 - at)))) ||
		    (memchr(at, '*', len) != NULL && (len != 1 || at[1] != '\0'))) {
			return fix;
		}
		at += len;
	}
	return NULL;
}

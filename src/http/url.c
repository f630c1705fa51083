/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of requests; see url.h. */
#include "http/url.h"

#include "base/copy.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Classes of bytes in a path or query. */
enum { PLAIN = 0, PERCENT = 1, DOT = 2, ENCODE = 4, QUESTION = 8, FRAGMENT = 16 };

static const uint8_t classes[256] = {
	[0x00 ... 0x20] = ENCODE, [0x7f] = ENCODE,  ['%'] = PERCENT, ['.'] = DOT,
	['?'] = QUESTION,         ['#'] = FRAGMENT,
};

struct text {
	uint8_t *at;
};

static void put(struct text *to, const void *p, size_t n)
{
	copy_bytes(to->at, p, n);
	to->at += n;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 §2.3: ALPHA / DIGIT / "-" / "." / "_" / "~" */
static bool is_unreserved(uint8_t c)
{
	uint8_t lower = c | 0x20;

	return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

static void put_escape(struct text *to, uint8_t c)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t text[3] = {'%', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};

	put(to, text, 3);
}

/* A percent sign at p: what it stands for is put; returns the bytes used. */
static size_t put_percent(struct text *to, const uint8_t *p, const uint8_t *end, unsigned *flags)
{
	int high = end - p > 1 ? hex_digit(p[1]) : -1;
	int low = end - p > 2 ? hex_digit(p[2]) : -1;
	uint8_t c;

	if (high < 0 || low < 0) {
		*flags |= HTTP_URL_PCT_INVALID;
		put(to, p, 1);
		return 1;
	}
	c = (uint8_t)(high << 4 | low);
	if (is_unreserved(c)) {
		put(to, &c, 1); /* RFC 3986 §6.2.2.2 */
	} else {
		put_escape(to, c); /* RFC 3986 §6.2.2.1: upper-case digits */
	}
	return 3;
}

/*
 * RFC 3986 §5.2.4 on a segment that was just put: [segment, to->at) follows a "/" at segment[-1]. `last`: no "/" follows.
 * True when the segment was taken away together with the "/" that would follow it.
 */
static bool drop_dots(struct text *to, uint8_t *begin, uint8_t *segment)
{
	size_t n = (size_t)(to->at - segment);

	if (n == 1 && segment[0] == '.') {
		to->at = segment;
		return true;
	}
	if (n == 2 && segment[0] == '.' && segment[1] == '.') {
		to->at = segment;
		if (to->at - begin > 1) {
			to->at--; /* the "/" before it; then the segment before that */
			while (to->at > begin && to->at[-1] != '/') {
				to->at--;
			}
		}
		return true;
	}
	return false;
}

/* Path from p up to ? or # or the end; returns where it stopped. A "/" is put in front of one that has none. */
static const uint8_t *put_path(struct text *to, const uint8_t *p, const uint8_t *end,
			       unsigned *flags)
{
	uint8_t *begin = to->at;
	uint8_t *segment;

	put(to, "/", 1);
	p += *p == '/';
	segment = to->at;
	while (p < end) {
		const uint8_t *run = p;

		while (p < end && (classes[*p] & ~DOT) == 0 && *p != '/') {
			p++;
		}
		put(to, run, (size_t)(p - run));
		if (p == end || *p == '?' || *p == '#') {
			break;
		}
		if (*p == '/') {
			if (!drop_dots(to, begin, segment)) {
				put(to, "/", 1);
			}
			segment = to->at;
			p++;
		} else if (*p == '%') {
			p += put_percent(to, p, end, flags);
		} else {
			put_escape(to, *p++);
		}
	}
	(void)drop_dots(to, begin, segment);
	return p;
}

/* The query is kept raw but for bytes that no URL may hold, and ends at a fragment (which no request may carry). */
static const uint8_t *put_query(struct text *to, const uint8_t *p, const uint8_t *end,
				unsigned *flags)
{
	for (; p < end && *p != '#'; p++) {
		if (classes[*p] == ENCODE) {
			put_escape(to, *p);
			continue;
		}
		if (*p == '%' && (end - p < 3 || hex_digit(p[1]) < 0 || hex_digit(p[2]) < 0)) {
			*flags |= HTTP_URL_PCT_INVALID;
		}
		put(to, p, 1);
	}
	return p;
}

/* ---- what needs none of that ---- */

/*
 * Nearly every target is a path and perhaps a query in which nothing is to be changed: none of the bytes that have a class but dots
 * and the question mark, and no segment that begins with a dot.
 */
static inline bool is_plain_bytes(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((classes[p[i]] & ~(DOT | QUESTION)) != 0 ||
		    (p[i] == '.' && i > 0 && p[i - 1] == '/')) {
			return false;
		}
	}
	return true;
}

#ifdef __SSE2__
static inline bool is_plain_sse2(const uint8_t *p, size_t len)
{
	const uint8_t *at = p;
	const uint8_t *end = p + len;
	unsigned slash = 0; /* bit 0: the byte before was one */

	if (len < 16) {
		return is_plain_bytes(p, len);
	}
	while (at < end) {
		__m128i bytes, odd;
		unsigned slashes, dots;

		if (end - at < 16) {
			at = end - 16;
			slash = at[-1] == '/';
		}
		bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
		/* unsigned: at most a space */
		odd = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(' ')), bytes);
		odd = _mm_or_si128(odd, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
		odd = _mm_or_si128(odd, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('%')));
		odd = _mm_or_si128(odd, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('#')));
		slashes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('/')));
		dots = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('.')));
		if (_mm_movemask_epi8(odd) != 0 || ((slashes << 1 | slash) & dots) != 0) {
			return false;
		}
		slash = slashes >> 15;
		at += 16;
	}
	return true;
}
#endif

bool http_url_is_plain_with(enum http_url_look with, const uint8_t *p, size_t len)
{
#ifdef __SSE2__
	if (with == HTTP_URL_LOOK_SSE2) {
		return is_plain_sse2(p, len);
	}
#endif
	(void)with;
	return is_plain_bytes(p, len);
}

static inline bool is_plain(const uint8_t *p, const uint8_t *end)
{
	if (p == end || *p != '/') {
		return false;
	}
#ifdef __SSE2__
	return is_plain_sse2(p, (size_t)(end - p));
#else
	return is_plain_bytes(p, (size_t)(end - p));
#endif
}

/* ---- authority ---- */

struct authority {
	struct weir_str host; /* without brackets */
	bool bracketed;
	bool port_odd; /* not a number of 1..65535 */
	uint16_t port; /* 0: none */
};

static uint16_t parse_port(const uint8_t *p, const uint8_t *end, bool *ret_odd)
{
	uint32_t port = 0;

	for (; p < end; p++) {
		if (*p < '0' || *p > '9' || port > 6553) {
			*ret_odd = true;
			return 0;
		}
		port = port * 10 + (uint32_t)(*p - '0');
	}
	if (port > 65535) {
		*ret_odd = true;
		return 0;
	}
	return (uint16_t)port;
}

/* [userinfo@]host[:port], RFC 3986 §3.2. Userinfo is left out: it may hold a password. */
static void split_authority(const uint8_t *p, const uint8_t *end, struct authority *ret)
{
	const uint8_t *at = memrchr(p, '@', (size_t)(end - p));
	const uint8_t *stop;

	memset(ret, 0, sizeof(*ret));
	if (at != NULL) {
		p = at + 1;
	}
	if (p < end && *p == '[') {
		stop = memchr(p, ']', (size_t)(end - p));
		if (stop != NULL) {
			ret->bracketed = true;
			ret->host.p = p + 1;
			ret->host.len = (uint32_t)(stop - p - 1);
			stop++;
			if (stop < end && *stop == ':') {
				ret->port = parse_port(stop + 1, end, &ret->port_odd);
			}
			return;
		}
	}
	stop = memrchr(p, ':', (size_t)(end - p));
	if (stop == NULL) {
		stop = end;
	} else {
		ret->port = parse_port(stop + 1, end, &ret->port_odd);
	}
	if (ret->port_odd) {
		stop = end;
	}
	ret->host.p = p;
	ret->host.len = (uint32_t)(stop - p);
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool same_host(const struct authority *a, const struct authority *b, uint16_t standard)
{
	uint32_t i;

	if (a->host.len != b->host.len ||
	    (a->port == 0 ? standard : a->port) != (b->port == 0 ? standard : b->port)) {
		return false;
	}
	for (i = 0; i < a->host.len; i++) {
		if (lower(a->host.p[i]) != lower(b->host.p[i])) {
			return false;
		}
	}
	return true;
}

/* "scheme://" at the start of an absolute-form target: its length without "://", or 0. RFC 3986 §3.1 */
static size_t scheme_len(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *at = p;

	while (at < end && ((lower(*at) >= 'a' && lower(*at) <= 'z') ||
			    (at > p && ((*at >= '0' && *at <= '9') || *at == '+' || *at == '-' ||
					*at == '.')))) {
		at++;
	}
	if (at == p || end - at < 3 || memcmp(at, "://", 3) != 0) {
		return 0;
	}
	return (size_t)(at - p);
}

static struct weir_str str(const uint8_t *from, const uint8_t *to)
{
	return (struct weir_str){from, (uint32_t)(to - from)};
}

/* scheme://host[:port] */
static void put_origin(struct text *to, const struct authority *authority, uint16_t standard,
		       struct http_url *url)
{
	uint32_t i;

	put(to, "://", 3);
	if (authority->bracketed) {
		put(to, "[", 1);
	}
	url->host.p = to->at;
	url->host.len = authority->host.len;
	for (i = 0; i < authority->host.len; i++) {
		to->at[i] = lower(authority->host.p[i]);
	}
	to->at += authority->host.len;
	if (authority->bracketed) {
		put(to, "]", 1);
	}
	if (authority->port != 0 && authority->port != standard) {
		uint8_t digits[5];
		size_t n = 0;
		uint32_t port = authority->port;

		url->port = authority->port;
		put(to, ":", 1);
		for (; port > 0; port /= 10) {
			digits[n++] = (uint8_t)('0' + port % 10);
		}
		while (n > 0) {
			put(to, &digits[--n], 1);
		}
	}
}

size_t http_url_room(size_t target_len, size_t host_len)
{
	/* every byte may become an escape of three; scheme, "://", brackets, ":65535", "/", "?" */
	return 3 * target_len + host_len + 40;
}

/* Authority, scheme and the rest (path, query) of a target. */
struct parts {
	struct authority authority;
	bool has_authority;
	struct weir_str scheme;
	const uint8_t *rest;
};

static void take_apart(bool connect, struct weir_str target, struct weir_str host,
		       struct parts *ret, unsigned *flags)
{
	const uint8_t *end = target.p + target.len;
	size_t n = connect ? 0 : scheme_len(target.p, end);
	struct authority of_host = {.host = {NULL, 0}};

	ret->rest = target.p;
	if (host.p != NULL) {
		split_authority(host.p, host.p + host.len, &of_host);
		ret->authority = of_host;
		ret->has_authority = true;
	}
	if (n > 0 || connect) {
		const uint8_t *from = connect ? target.p : target.p + n + 3;
		const uint8_t *stop = from;
		uint16_t standard = 80;

		while (stop < end && *stop != '/' && *stop != '?' && *stop != '#') {
			stop++;
		}
		if (n > 0) {
			ret->scheme = str(target.p, target.p + n);
			standard = n == 5 ? 443 : 80;
		}
		split_authority(from, stop, &ret->authority);
		/* RFC 9112 §3.2.2: the host of an absolute-form target beats Host */
		if (!connect && host.p != NULL && !same_host(&ret->authority, &of_host, standard)) {
			*flags |= HTTP_URL_HOST_MISMATCH;
		}
		ret->has_authority = true;
		ret->rest = stop;
	}
	if (ret->has_authority && ret->authority.host.len == 0) {
		ret->has_authority = false;
	}
}

/* Path and query. @return were they put as they are? */
static bool put_rest(struct text *to, const uint8_t *p, const uint8_t *end, struct http_url *url)
{
	const uint8_t *question;

	url->path.p = to->at;
	if (is_plain(p, end)) {
		question = memchr(p, '?', (size_t)(end - p));
		url->path.len = (uint32_t)((question == NULL ? end : question) - p);
		if (question != NULL) {
			url->query.p = to->at + (question + 1 - p);
			url->query.len = (uint32_t)(end - question - 1);
		}
		put(to, p, (size_t)(end - p));
		return true;
	}
	if ((url->flags & HTTP_URL_ASTERISK) != 0) {
		p = end; /* RFC 9112 §3.3: of asterisk-form the path is empty */
	} else if (p < end && *p != '?' && *p != '#') {
		p = put_path(to, p, end, &url->flags);
	} else {
		put(to, "/", 1); /* RFC 9110 §4.2.3: an empty path is "/" */
	}
	url->path.len = (uint32_t)(to->at - url->path.p);
	if (p < end && *p == '?') {
		put(to, "?", 1);
		url->query.p = to->at;
		(void)put_query(to, p + 1, end, &url->flags);
		url->query.len = (uint32_t)(to->at - url->query.p);
	}
	return false;
}

size_t http_url_make(bool connect, struct weir_str target, struct weir_str host, const char *scheme,
		     uint8_t *buffer, struct http_url *ret_url)
{
	const uint8_t *end = target.p + target.len;
	struct text to = {buffer};
	struct parts parts = {.has_authority = false};
	uint16_t standard;
	size_t i;

	memset(ret_url, 0, sizeof(*ret_url));
	if (target.len == 1 && target.p[0] == '*' && !connect) {
		ret_url->flags |= HTTP_URL_ASTERISK;
	}
	take_apart(connect, target, host, &parts, &ret_url->flags);
	if (parts.scheme.p == NULL) {
		parts.scheme = (struct weir_str){(const uint8_t *)scheme, (uint32_t)strlen(scheme)};
	}
	for (i = 0; i < parts.scheme.len; i++) {
		*to.at++ = lower(parts.scheme.p[i]);
	}
	ret_url->scheme = str(buffer, to.at);
	standard = parts.scheme.len == 5 ? 443 : parts.scheme.len == 4 ? 80 : 0;
	if (parts.has_authority) {
		put_origin(&to, &parts.authority, standard, ret_url);
	}
	if (connect) {
		/* RFC 9112 §3.2.3: host and port are all there is, and the port is part of the name */
		ret_url->flags |= HTTP_URL_AUTHORITY;
		ret_url->port = parts.authority.port;
		ret_url->scheme.p = NULL;
		return (size_t)(to.at - buffer);
	}
	ret_url->as_is = put_rest(&to, parts.rest, end, ret_url) && parts.rest == target.p;
	if (parts.has_authority) {
		ret_url->full = str(buffer, to.at);
	}
	return (size_t)(to.at - buffer);
}

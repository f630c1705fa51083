/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start lines of HTTP/1 (RFC 9112 §3 and §4), taken leniently, and what bytes must look like to be taken for HTTP at all.
 *
 * Leniency: any white space between the parts, white space within the target, a method of any token up to 24 bytes, "http/1.1" and odd
 * numbers, "ICY" (SHOUTcast), a request without version (HTTP/0.9). Each is named as an anomaly. Detection and
 * resynchronisation are strict instead: there only the form that RFC 9112 asks for counts.
 */
#include "parser/http1.h"

#include <string.h>
#include <strings.h>

/* RFC 9110 §5.6.2 tchar */
static const uint8_t token[256] = {
	['0' ... '9'] = 1, ['a' ... 'z'] = 1, ['A' ... 'Z'] = 1, ['!'] = 1, ['#'] = 1, ['$'] = 1,
	['%'] = 1,         ['&'] = 1,         ['\''] = 1,        ['*'] = 1, ['+'] = 1, ['-'] = 1,
	['.'] = 1,         ['^'] = 1,         ['_'] = 1,         ['`'] = 1, ['|'] = 1, ['~'] = 1,
};

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static size_t token_len(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && token[p[n]]) {
		n++;
	}
	return n;
}

static void flag(struct http1_start_line *line, enum http_anomaly what)
{
	line->anomalies |= UINT64_C(1) << what;
}

/* "HTTP/1.1" and the like; false: no version at all. RFC 9112 §2.3: case matters, one digit each */
static bool parse_version(const uint8_t *p, size_t len, struct http1_start_line *line)
{
	if (len < 5 || strncasecmp((const char *)p, "HTTP/", 5) != 0) {
		return false;
	}
	line->version.p = p + 5;
	line->version.len = (uint32_t)(len - 5);
	line->version_kind = VERSION_ODD;
	if (len == 8 && memcmp(p + 5, "1.", 2) == 0 && (p[7] == '0' || p[7] == '1')) {
		line->version_kind = p[7] == '0' ? VERSION_10 : VERSION_11;
	}
	if (line->version_kind == VERSION_ODD || memcmp(p, "HTTP/", 5) != 0) {
		flag(line, HTTP_A_VERSION_INVALID);
	}
	return true;
}

/* A NUL or CR inside a start line, and white space inside the target. */
static void look_for_odd_bytes(const uint8_t *p, size_t len, struct http1_start_line *line)
{
	if (memchr(p, 0, len) != NULL) {
		flag(line, HTTP_A_NUL);
	}
	if (memchr(p, '\r', len) != NULL) {
		flag(line, HTTP_A_BARE_CR);
	}
}

/* The version is the last word of a line, if it is one; what is left is target with white space around it. */
static bool take_version(const uint8_t *p, const uint8_t **end, struct http1_start_line *ret)
{
	const uint8_t *stop = *end;
	const uint8_t *word;

	while (stop > p && is_space(stop[-1])) {
		stop--;
	}
	word = stop;
	while (word > p && !is_space(word[-1])) {
		word--;
	}
	if (word == p || !parse_version(word, (size_t)(stop - word), ret)) {
		return false;
	}
	if (stop != *end) {
		flag(ret, HTTP_A_START_LINE_WS);
	}
	*end = word;
	return true;
}

static bool odd_request_line(const uint8_t *p, size_t len, struct http1_start_line *ret)
{
	const uint8_t *end = p + len;
	size_t n = token_len(p, len < HTTP1_METHOD_MAX + 1 ? len : HTTP1_METHOD_MAX + 1);

	memset(ret, 0, sizeof(*ret));
	if (n == 0 || n > HTTP1_METHOD_MAX || n == len || !is_space(p[n])) {
		return false;
	}
	ret->method.p = p;
	ret->method.len = (uint32_t)n;
	p += n;
	if (!take_version(p, &end, ret)) {
		/* HTTP/0.9 knew GET only */
		if (n != 3 || memcmp(p - 3, "GET", 3) != 0) {
			return false;
		}
		ret->version_kind = VERSION_09;
		flag(ret, HTTP_A_09);
	}
	ret->target.p = p;
	while (ret->target.p < end && is_space(*ret->target.p)) {
		ret->target.p++;
	}
	if (ret->version_kind != VERSION_09 && end - ret->target.p > 0) {
		/* RFC 9112 §3: a single SP on each side */
		if (ret->target.p - p != 1 || p[0] != ' ' || end[-1] != ' ' || is_space(end[-2])) {
			flag(ret, HTTP_A_START_LINE_WS);
		}
	}
	while (end > ret->target.p && is_space(end[-1])) {
		end--;
	}
	ret->target.len = (uint32_t)(end - ret->target.p);
	if (ret->target.len == 0) {
		return false;
	}
	if (memchr(ret->target.p, ' ', ret->target.len) != NULL ||
	    memchr(ret->target.p, '\t', ret->target.len) != NULL) {
		if (ret->version_kind == VERSION_09) {
			return false;
		}
		flag(ret, HTTP_A_TARGET_WS);
	}
	look_for_odd_bytes(ret->target.p, ret->target.len, ret);
	return ret->version_kind != VERSION_09 || ret->target.p[0] == '/';
}

static inline uint64_t word_at(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Has one of the eight bytes a value below 0x21 or above 0x7f? */
static inline bool word_is_odd(uint64_t word)
{
	return (((word - EACH(0x21)) | word) & EACH(0x80)) != 0;
}

/* VERSION_11 or VERSION_10 when the eight bytes are just that. RFC 9112 §2.3 */
static inline uint8_t plain_version(const uint8_t *p)
{
	uint64_t word = word_at(p);

	return word == word_at((const uint8_t *)"HTTP/1.1")   ? VERSION_11
	       : word == word_at((const uint8_t *)"HTTP/1.0") ? VERSION_10
							      : VERSION_NONE;
}

/*
 * What nearly every request line is: method SP target SP HTTP/1.1, single spaces, a target of at least eight bytes, none of
 * them odd. false: to be looked at closely.
 */
static inline bool plain_request_line(const uint8_t *p, size_t len, struct http1_start_line *ret)
{
	const uint8_t *at = p;
	const uint8_t *end; /* of the target */
	uint8_t version;

	if (len < 20 || p[len - 9] != ' ') {
		return false;
	}
	end = p + len - 9;
	version = plain_version(end + 1);
	while (at < p + 8 && token[*at]) {
		at++;
	}
	if (version == VERSION_NONE || at == p || *at != ' ' || end - at < 9) {
		return false;
	}
	ret->method = (struct weir_str){p, (uint32_t)(at - p)};
	at++;
	ret->target = (struct weir_str){at, (uint32_t)(end - at)};
	for (; end - at > 8; at += 8) {
		if (word_is_odd(word_at(at))) {
			return false;
		}
	}
	if (word_is_odd(word_at(end - 8))) {
		return false;
	}
	ret->version = (struct weir_str){end + 6, 3};
	ret->version_kind = version;
	ret->status = 0;
	ret->anomalies = 0;
	return true;
}

bool http1_request_line(const uint8_t *p, size_t len, struct http1_start_line *ret)
{
	return plain_request_line(p, len, ret) || odd_request_line(p, len, ret);
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* HTTP/1.1 SP 3DIGIT SP reason, of the reason only printable ASCII. false: to be looked at closely */
static inline bool plain_status_line(const uint8_t *p, size_t len, struct http1_start_line *ret)
{
	size_t i;

	if (len < 13 || len > 40 || p[8] != ' ' || p[12] != ' ' || p[9] == '0' || !is_digit(p[9]) ||
	    !is_digit(p[10]) || !is_digit(p[11])) {
		return false;
	}
	ret->version_kind = plain_version(p);
	for (i = 13; i < len; i++) {
		if (p[i] < 0x20 || p[i] > 0x7e) {
			return false;
		}
	}
	ret->method = (struct weir_str){p + 13, (uint32_t)(len - 13)};
	ret->target = (struct weir_str){NULL, 0};
	ret->version = (struct weir_str){p + 5, 3};
	ret->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
	ret->anomalies = 0;
	return ret->version_kind != VERSION_NONE;
}

static bool odd_status_line(const uint8_t *p, size_t len, struct http1_start_line *ret)
{
	const uint8_t *end = p + len;
	const uint8_t *at = p;
	size_t n;

	memset(ret, 0, sizeof(*ret));
	while (at < end && !is_space(*at)) {
		at++;
	}
	n = (size_t)(at - p);
	if (n == 3 && memcmp(p, "ICY", 3) == 0) {
		ret->version_kind = VERSION_ODD;
		flag(ret, HTTP_A_VERSION_INVALID);
	} else if (!parse_version(p, n, ret)) {
		return false;
	}
	while (at < end && is_space(*at)) {
		at++;
	}
	if (at - p != (ptrdiff_t)n + 1 && at < end) {
		flag(ret, HTTP_A_START_LINE_WS);
	}
	for (n = 0; at + n < end && n < 4 && is_digit(at[n]); n++) {
		ret->status = (uint16_t)(ret->status * 10 + (at[n] - '0'));
	}
	/* RFC 9112 §4: 3DIGIT */
	if (n != 3 || ret->status < 100 || (at + 3 < end && !is_space(at[3]))) {
		flag(ret, HTTP_A_STATUS_INVALID);
		ret->status = 0;
	}
	while (at < end && !is_space(*at)) {
		at++;
	}
	at += at < end;
	ret->method.p = at; /* the reason; RFC 9112 §4: may be empty, often without its SP */
	ret->method.len = (uint32_t)(end - at);
	look_for_odd_bytes(at, ret->method.len, ret);
	return true;
}

bool http1_status_line(const uint8_t *p, size_t len, struct http1_start_line *ret)
{
	return plain_status_line(p, len, ret) || odd_status_line(p, len, ret);
}

/* ---- strictness ---- */

enum http1_likeness http1_like_request(const uint8_t *p, size_t len)
{
	size_t n = token_len(p, len < HTTP1_METHOD_MAX + 1 ? len : HTTP1_METHOD_MAX + 1);
	const uint8_t *lf;
	struct http1_start_line line;
	size_t i;

	for (i = 0; i < n; i++) {
		/* registered methods and nearly all others are upper case */
		if (!((p[i] >= 'A' && p[i] <= 'Z') || p[i] == '-' || p[i] == '_')) {
			return LIKENESS_NO;
		}
	}
	if (n > HTTP1_METHOD_MAX) {
		return LIKENESS_NO;
	}
	if (n == len) {
		return LIKENESS_MORE;
	}
	if (n < 2 || p[n] != ' ' || (n + 1 < len && (p[n + 1] <= ' ' || p[n + 1] == 0x7f))) {
		return LIKENESS_NO;
	}
	lf = memchr(p, '\n', len);
	if (lf == NULL) {
		return LIKENESS_MORE;
	}
	n = (size_t)(lf - p);
	n -= p[n - 1] == '\r';
	if (!http1_request_line(p, n, &line) || line.anomalies != 0) {
		return LIKENESS_NO;
	}
	return LIKENESS_YES;
}

enum http1_likeness http1_like_status(const uint8_t *p, size_t len)
{
	static const char form[] = "HTTP/1.d ddd";
	size_t i;

	for (i = 0; i < sizeof(form) - 1; i++) {
		if (i == len) {
			return LIKENESS_MORE;
		}
		if (form[i] == 'd' ? !is_digit(p[i]) : p[i] != (uint8_t)form[i]) {
			return LIKENESS_NO;
		}
	}
	if (i == len) {
		return LIKENESS_MORE;
	}
	return p[i] == ' ' || p[i] == '\r' || p[i] == '\n' ? LIKENESS_YES : LIKENESS_NO;
}

/* ---- detection ---- */

enum { CERTAIN = 100, SURE = 95, LIKELY = 75, WEAK = 40 };

/* How a direction's first bytes look, as requests or as responses. */
struct look {
	int request; /* scores */
	int response;
	bool more;
};

/* Upper-case letters that may be a method; 0: too many. */
static size_t method_len(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && ((p[n] >= 'A' && p[n] <= 'Z') || p[n] == '-' || p[n] == '_')) {
		n++;
	}
	return n > HTTP1_METHOD_MAX ? 0 : n;
}

static int request_score(const uint8_t *p, size_t len, bool *more)
{
	struct http1_start_line line;
	const uint8_t *lf = memchr(p, '\n', len);
	size_t n;

	if (lf == NULL) {
		n = method_len(p, len);
		*more = n == len || (n > 1 && is_space(p[n]));
		if (!*more) {
			return 0;
		}
		while (n < len && is_space(p[n])) {
			n++;
		}
		/* a method and the beginning of a target is a good deal already */
		return n < len && memchr("/*h", p[n], 3) != NULL ? LIKELY : WEAK;
	}
	n = (size_t)(lf - p);
	n -= n > 0 && p[n - 1] == '\r';
	if (!http1_request_line(p, n, &line)) {
		return 0;
	}
	if (line.version_kind == VERSION_09) {
		return LIKELY;
	}
	/* "PRI * HTTP/2.0" is the preface of HTTP/2 (RFC 9113 §3.4) */
	if (line.version.len > 0 && line.version.p[0] == '2') {
		return 0;
	}
	return line.anomalies == 0 ? CERTAIN : SURE;
}

static int response_score(const uint8_t *p, size_t len, bool *more)
{
	switch (http1_like_status(p, len)) {
	case LIKENESS_YES:
		return SURE;
	case LIKENESS_MORE:
		*more = true;
		return len >= 7 ? LIKELY : WEAK;
	case LIKENESS_NO:
		break;
	}
	if (len >= 4 && memcmp(p, "ICY ", 4) == 0) {
		return LIKELY;
	}
	return len >= 5 && strncasecmp((const char *)p, "HTTP/", 5) == 0 &&
			       p[5 < len ? 5 : 4] != '2'
		       ? LIKELY
		       : 0;
}

static void look_at(const uint8_t *p, size_t len, bool closed, bool midstream, struct look *ret)
{
	const uint8_t *end;

	memset(ret, 0, sizeof(*ret));
	if (p == NULL || len == 0) {
		ret->more = !closed;
		return;
	}
	end = p + len;
	/* RFC 9112 §2.2: empty lines before a request are passed over */
	while (p < end && (*p == '\r' || *p == '\n')) {
		p++;
	}
	if (p == end) {
		ret->more = !closed;
		return;
	}
	ret->request = request_score(p, (size_t)(end - p), &ret->more);
	ret->response = response_score(p, (size_t)(end - p), &ret->more);
	/* mid-stream: a start line further on, at the start of a line */
	while (midstream && ret->request < LIKELY && ret->response < LIKELY) {
		p = memchr(p, '\n', (size_t)(end - p));
		if (p == NULL || ++p == end) {
			ret->more = !closed;
			break;
		}
		if (http1_like_request(p, (size_t)(end - p)) == LIKENESS_YES) {
			ret->request = LIKELY;
		}
		if (http1_like_status(p, (size_t)(end - p)) == LIKENESS_YES) {
			ret->response = LIKELY;
		}
	}
	ret->more = ret->more && !closed;
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

struct weir_probe_result http1_probe(const struct weir_probe *probe)
{
	struct weir_probe_result result = {0, false, false};
	struct look look[2];
	int straight, swapped;
	int i;

	for (i = 0; i < 2; i++) {
		look_at(probe->data[i], probe->len[i], probe->closed[i], probe->midstream,
			&look[i]);
	}
	straight = larger(look[WEIR_C2S].request, look[WEIR_S2C].response);
	swapped = larger(look[WEIR_C2S].response, look[WEIR_S2C].request);
	result.score = straight;
	result.more = look[0].more || look[1].more;
	if (swapped > straight && (!probe->roles_certain || probe->midstream)) {
		result.score = swapped;
		result.swapped = true;
	} else if (straight >= SURE && look[WEIR_C2S].request == 0 && !look[WEIR_C2S].more &&
		   probe->len[WEIR_C2S] > 0 && !probe->midstream) {
		/* what the client sent is not HTTP, but the server answers so: TLS sent to a plain port */
		result.score = LIKELY;
	}
	return result;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that are those of secrets, and what is masked by them in URLs, queries and forms.
 *
 * It is looked for `name=value` without parsing the whole. Nearly all text holds nothing to mask, and what is asked of each
 * transaction says so from a few bytes: mask_is_plain_url(), is_plain_key().
 */
#include "record/mask.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static int hex_value(uint8_t c)
{
	if (mask_is_digit(c)) {
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

/* Any name: with escapes, in parts. */
static bool is_secret_key(const uint8_t *key, size_t len)
{
	uint8_t low[MASK_KEY_MAX];
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
	for (start = n; start > 0 && mask_is_name_byte(low[start - 1]); start--) {
	}
	if (is_secret_name(low + start, n - start)) {
		return true;
	}
	for (i = n; i > start && low[i - 1] != '-' && low[i - 1] != '_'; i--) {
	}
	return is_secret_ending(low + i, n - i);
}

/* What bytes of names are to the quick look: see is_plain_word(). */
enum {
	K = 1 << 0,       /* a k is a hint */
	S_AFTER = 1 << 1, /* s: a hint behind an s */
	R_AFTER = 1 << 2, /* r: a hint behind a c or an s */
	CLOSELY = 1 << 3, /* neither letter nor digit: to be looked at closely */
	BEFORE = 4,       /* bits 5 and 6: what it makes of the byte behind it, as bits 1 and 2 */
	STOP = 1 << 7     /* no name of a pair in a URL goes on before it: see key_start() */
};

static const uint8_t key_bytes[256] = {
	[0 ... ' '] = STOP,
	['!'] = CLOSELY,
	['"' ... '#'] = STOP,
	['$' ... '%'] = CLOSELY,
	['&'] = STOP,
	['\'' ... '.'] = CLOSELY,
	['/'] = STOP,
	[':'] = CLOSELY,
	[';' ... '?'] = STOP,
	['@'] = CLOSELY,
	['[' ... '`'] = CLOSELY,
	['{' ... 255] = CLOSELY,
	['k'] = K,
	['K'] = K,
	['s'] = S_AFTER | (S_AFTER | R_AFTER) << BEFORE,
	['S'] = S_AFTER | (S_AFTER | R_AFTER) << BEFORE,
	['c'] = R_AFTER << BEFORE,
	['C'] = R_AFTER << BEFORE,
	['r'] = R_AFTER,
	['R'] = R_AFTER,
};

/* Is it one of the names of three or four letters: auth code pass, otp pwd pin sig sid jwt? In any case. */
static inline bool is_short_name(const uint8_t *key, size_t len)
{
#define WORD(a, b, c, d)                                                                           \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
	uint32_t word = (key[0] | key[1] << 8 | key[2] << 16) | UINT32_C(0x202020);

	if (len == 4) {
		word |= (uint32_t)(key[3] | 0x20) << 24;
		return word == WORD('a', 'u', 't', 'h') || word == WORD('c', 'o', 'd', 'e') ||
		       word == WORD('p', 'a', 's', 's');
	}
	return word == WORD('o', 't', 'p', 0) || word == WORD('p', 'w', 'd', 0) ||
	       word == WORD('p', 'i', 'n', 0) || word == WORD('s', 'i', 'g', 0) ||
	       word == WORD('s', 'i', 'd', 0) || word == WORD('j', 'w', 't', 0);
#undef WORD
}

/* Is a word of letters and digits without a hint certainly none of the names of secrets? */
static inline bool is_plain_word(const uint8_t *word, size_t len)
{
	if (len < 3) {
		return true; /* names are no shorter, and no escape makes a longer one */
	}
	/* signature, passphrase, authorization are the longer ones */
	return len <= 4 ? !is_short_name(word, len) : len != 9 && len != 10 && len != 13;
}

bool mask_is_secret_key(const uint8_t *key, size_t len)
{
	unsigned found = 0, before = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned byte = key_bytes[key[i]];

		found |= byte & (before >> BEFORE | K | CLOSELY | STOP);
		before = byte;
	}
	return (found != 0 || !is_plain_word(key, len)) && is_secret_key(key, len);
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
		while (start > 0 && mask_is_name_byte(p[start - 1])) {
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
	       equals - p < MASK_KEY_MAX) {
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

void mask_pairs(struct mask *mask, const uint8_t *p, size_t len, uint32_t more, bool urls)
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

/* Where the bytes are that are looked at in URLs, among up to 64. */
static inline struct mask_marks marks_bytes(const uint8_t *p, size_t len)
{
	struct mask_marks marks = {0, 0, 0};
	size_t i;

	for (i = 0; i < len; i++) {
		marks.slash |= (uint64_t)(p[i] == '/') << i;
		marks.equals |= (uint64_t)(p[i] == '=') << i;
		marks.other |= (uint64_t)(p[i] == '@' || p[i] == '%') << i;
	}
	return marks;
}

#ifdef __SSE2__
static inline uint64_t bits_of(__m128i found)
{
	return (unsigned)_mm_movemask_epi8(found);
}

static inline struct mask_marks marks16(__m128i bytes)
{
	__m128i other = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('@')),
				     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('%')));

	return (struct mask_marks){bits_of(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('/'))),
				   bits_of(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('='))),
				   bits_of(other)};
}

static inline void add_marks(struct mask_marks *to, struct mask_marks marks, size_t at)
{
	to->slash |= marks.slash << at;
	to->equals |= marks.equals << at;
	to->other |= marks.other << at;
}

static inline struct mask_marks marks_sse2(const uint8_t *p, size_t len)
{
	struct mask_marks marks = {0, 0, 0};
	size_t at;

	if (len < 16) {
		return marks_bytes(p, len);
	}
	for (at = 0; at + 16 < len; at += 16) {
		add_marks(&marks, marks16(_mm_loadu_si128((const __m128i *)(const void *)(p + at))),
			  at);
	}
	at = len - 16; /* together with some that were there */
	add_marks(&marks, marks16(_mm_loadu_si128((const __m128i *)(const void *)(p + at))), at);
	return marks;
}
#endif

struct mask_marks mask_marks_with(enum mask_look with, const uint8_t *p, size_t len)
{
#ifdef __SSE2__
	if (with == MASK_LOOK_SSE2) {
		return marks_sse2(p, len);
	}
#endif
	(void)with;
	return marks_bytes(p, len);
}

/* Is the name before the = at `equals` certainly not that of a secret? In one pass, backwards. */
static inline bool is_plain_pair(const uint8_t *p, const uint8_t *equals)
{
	const uint8_t *key = equals;
	unsigned found = 0, behind = 0;

	while (key > p && key_bytes[key[-1]] != STOP) {
		unsigned byte = key_bytes[*--key];

		found |= (byte >> BEFORE & behind) | (byte & (K | CLOSELY));
		behind = byte;
	}
	if (found == 0 && is_plain_word(key, (size_t)(equals - key))) {
		return true;
	}
	key = key_start(p, equals);
	return !is_secret_key(key, (size_t)(equals - key));
}

/* Bits that begin a run of at least MASK_KEY_LEAST of them. */
static inline uint64_t long_runs(uint64_t bits)
{
	_Static_assert(MASK_KEY_LEAST == 16, "twice as many four times");
	bits &= bits >> 1;
	bits &= bits >> 2;
	bits &= bits >> 4;
	return bits & bits >> 8;
}

enum {
	LOOK = 64, /* bytes looked at together */
	JUDGED = LOOK -
		 MASK_KEY_LEAST /* of those, marks that are judged, when there is more behind */
};

/* Is there nothing to mask for the sake of these marks, of the `len` bytes at `at` of the text [p, end)? */
static inline bool are_plain(struct mask_marks marks, size_t len, const uint8_t *p,
			     const uint8_t *at, const uint8_t *end)
{
	uint64_t within = len < LOOK ? (UINT64_C(1) << len) - 1 : UINT64_MAX;
	uint64_t judged = at + len == end ? UINT64_MAX : (UINT64_C(1) << JUDGED) - 1;
	uint64_t all = marks.slash | marks.equals;
	/* no key of a service has a mark within its first bytes */
	uint64_t before_keys = all & long_runs(~all & within) >> 1 & judged;

	if ((marks.other & judged) != 0) {
		return false;
	}
	for (; before_keys != 0; before_keys &= before_keys - 1) {
		const uint8_t *key = at + (unsigned)__builtin_ctzll(before_keys) + 1;

		if (mask_is_api_key(key, (size_t)(end - key))) {
			return false;
		}
	}
	for (marks.equals &= judged; marks.equals != 0; marks.equals &= marks.equals - 1) {
		if (!is_plain_pair(p, at + (unsigned)__builtin_ctzll(marks.equals))) {
			return false;
		}
	}
	return true;
}

bool mask_is_plain_url(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	const uint8_t *at = p;

	for (;;) {
		size_t n = end - at < LOOK ? (size_t)(end - at) : LOOK;
#ifdef __SSE2__
		struct mask_marks marks = marks_sse2(at, n);
#else
		struct mask_marks marks = marks_bytes(at, n);
#endif

		if (!are_plain(marks, n, p, at, end)) {
			return false;
		}
		if (at + n == end) {
			return true;
		}
		at += JUDGED;
	}
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

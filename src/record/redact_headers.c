/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which headers are secret, by their names (see mask.h).
 *
 * This is asked of every header of every transaction. Common names are found in a table, by a hash without collisions among
 * them; the others are searched for the words that make a name suspicious.
 */
#include "record/mask.h"

static enum header_class classify_rare(const uint8_t *low, size_t len)
{
	static const char *const secrets[] = {"-auth",       "auth-",         "jwt",
					      "csrf",        "xsrf",          "-signature",
					      "access-key",  "private-key",   "master-key",
					      "account-key", "functions-key", "subscription-key"};
	static const char *const urls[] = {"-url", "-uri", "location", "destination", "referrer"};
	size_t i;

	if (mask_has_secret_word(low, len)) {
		return HEADER_SECRET;
	}
	if (memmem(low, len, "authorization", 13) != NULL) {
		return HEADER_CREDENTIALS;
	}
	if (memmem(low, len, "authenticat", 11) != NULL) {
		return HEADER_PLAIN; /* a challenge or its outcome, RFC 9110 §11.6 */
	}
	for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if (memmem(low, len, secrets[i], strlen(secrets[i])) != NULL) {
			return HEADER_SECRET;
		}
	}
	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		if (memmem(low, len, urls[i], strlen(urls[i])) != NULL) {
			return HEADER_URL;
		}
	}
	return HEADER_PLAIN;
}

/* A name that is certainly one of the common ones. The row is at the name's hash. */
struct common {
	char name[24]; /* in lower case; no NUL counts */
	uint8_t len;
	uint8_t class;
};

/*
 * `multiplier` was searched for until no two names had the same place: a name to be added may need another one, and then
 * every row another place (a test looks each of them up).
 */
static const uint32_t multiplier = 0xfbd9c191u;

#define ROW(name, class)                                                                           \
	{                                                                                          \
		name, sizeof(name) - 1, HEADER_##class                                             \
	}

static const struct common commons[256] = {
	[2] = ROW("if-modified-since", PLAIN),
	[4] = ROW("connection", PLAIN),
	[7] = ROW("x-forwarded-proto", PLAIN),
	[8] = ROW("priority", PLAIN),
	[9] = ROW("tracestate", PLAIN),
	[10] = ROW(":authority", PLAIN),
	[11] = ROW("origin", PLAIN),
	[15] = ROW("retry-after", PLAIN),
	[16] = ROW("last-modified", PLAIN),
	[17] = ROW("range", PLAIN),
	[19] = ROW("x-xss-protection", PLAIN),
	[23] = ROW("grpc-status", PLAIN),
	[26] = ROW("sec-fetch-dest", PLAIN),
	[29] = ROW("content-disposition", PLAIN),
	[36] = ROW("allow", PLAIN),
	[45] = ROW("accept-language", PLAIN),
	[46] = ROW("host", PLAIN),
	[59] = ROW("keep-alive", PLAIN),
	[72] = ROW("referer", URL),
	[74] = ROW("set-cookie2", SET_COOKIE),
	[76] = ROW("x-frame-options", PLAIN),
	[77] = ROW(":scheme", PLAIN),
	[82] = ROW("upgrade", PLAIN),
	[88] = ROW("expires", PLAIN),
	[92] = ROW("dnt", PLAIN),
	[94] = ROW("sec-fetch-site", PLAIN),
	[97] = ROW("age", PLAIN),
	[99] = ROW("traceparent", PLAIN),
	[106] = ROW("content-location", URL),
	[118] = ROW("content-encoding", PLAIN),
	[125] = ROW("accept-ranges", PLAIN),
	[128] = ROW("sec-ch-ua-mobile", PLAIN),
	[132] = ROW("via", PLAIN),
	[141] = ROW(":status", PLAIN),
	[142] = ROW("alt-svc", PLAIN),
	[152] = ROW("content-type", PLAIN),
	[156] = ROW("cookie", COOKIE),
	[157] = ROW("set-cookie", SET_COOKIE),
	[158] = ROW("vary", PLAIN),
	[165] = ROW("x-forwarded-for", PLAIN),
	[171] = ROW("content-length", PLAIN),
	[178] = ROW(":path", URL),
	[182] = ROW("content-language", PLAIN),
	[183] = ROW("x-forwarded-host", PLAIN),
	[184] = ROW(":method", PLAIN),
	[185] = ROW("server", PLAIN),
	[186] = ROW("grpc-timeout", PLAIN),
	[189] = ROW("location", URL),
	[192] = ROW("authorization", CREDENTIALS),
	[193] = ROW("transfer-encoding", PLAIN),
	[196] = ROW("sec-ch-ua", PLAIN),
	[201] = ROW("x-cache", PLAIN),
	[204] = ROW("expect", PLAIN),
	[205] = ROW("x-powered-by", PLAIN),
	[206] = ROW("user-agent", PLAIN),
	[210] = ROW("cache-control", PLAIN),
	[213] = ROW("if-none-match", PLAIN),
	[215] = ROW("content-range", PLAIN),
	[221] = ROW("accept", PLAIN),
	[230] = ROW("date", PLAIN),
	[231] = ROW("proxy-authorization", CREDENTIALS),
	[232] = ROW("sec-fetch-mode", PLAIN),
	[236] = ROW("link", URL),
	[237] = ROW("accept-encoding", PLAIN),
	[240] = ROW("x-request-id", PLAIN),
	[242] = ROW("refresh", URL),
	[243] = ROW("etag", PLAIN),
	[248] = ROW("pragma", PLAIN),
	[249] = ROW("x-requested-with", PLAIN),
	[250] = ROW("sec-ch-ua-platform", PLAIN),
	[251] = ROW("accept-charset", PLAIN),
	[253] = ROW("sec-fetch-user", PLAIN),
};

#undef ROW

static inline uint64_t fold8(const void *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word | UINT64_C(0x2020202020202020);
}

static inline uint32_t fold4(const void *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return word | UINT32_C(0x20202020);
}

/* Are these the same? Both of `len` bytes, 3 to 24, which loads that overlap see all of. */
static inline bool same_name(const uint8_t *p, const char *name, size_t len)
{
	if (len < 8) {
		return len < 4 ? (p[0] | 0x20) == name[0] && (p[1] | 0x20) == name[1] &&
					 (p[2] | 0x20) == name[2]
			       : fold4(p) == fold4(name) &&
					 fold4(p + len - 4) == fold4(name + len - 4);
	}
	return fold8(p) == fold8(name) && fold8(p + len - 8) == fold8(name + len - 8) &&
	       (len <= 16 || fold8(p + 8) == fold8(name + 8));
}

int mask_common_header(const uint8_t *name, size_t len)
{
	const struct common *common;
	uint32_t bytes;

	if (len < 3 || len > sizeof(common->name)) {
		return -1;
	}
	bytes = (name[0] | 0x20u) | (name[len - 1] | 0x20u) << 8 | (name[len - 3] | 0x20u) << 16 |
		(uint32_t)len << 24;
	common = &commons[(bytes * multiplier) >> 24];
	/* what else folding changes but the case of letters makes no name of the table */
	return common->len == len && same_name(name, common->name, len) ? common->class : -1;
}

/* Fold letters to lower case, eight bytes at a time, the last ones together with some before them. */
static void fold(uint8_t *to, const uint8_t *p, size_t len)
{
	const uint64_t blank = UINT64_C(0x2020202020202020);
	uint64_t word;
	size_t i = 0;

	if (len >= 8) {
		for (; i + 8 <= len; i += 8) {
			memcpy(&word, p + i, 8);
			word |= blank;
			memcpy(to + i, &word, 8);
		}
		i = len - 8;
		memcpy(&word, p + i, 8);
		word |= blank;
		memcpy(to + i, &word, 8);
		return;
	}
	for (; i < len; i++) {
		to[i] = p[i] | 0x20;
	}
}

static enum header_class classify_odd(const uint8_t *name, size_t name_len)
{
	uint8_t low[256];
	size_t len = name_len < sizeof(low) ? name_len : sizeof(low);
	int class;

	fold(low, name, len);
	while (len > 0 && low[len - 1] == ' ') {
		len--; /* "Cookie : x" (flagged by the parser, taken by servers) */
	}
	class = mask_common_header(low, len);
	return class >= 0 ? (enum header_class) class : classify_rare(low, len);
}

enum header_class mask_classify_header(const uint8_t *name, size_t len)
{
	int class = mask_common_header(name, len);

	return class >= 0 ? (enum header_class) class : classify_odd(name, len);
}

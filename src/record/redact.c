/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masking of records (see redact.h): which headers are secret, and how their values are masked.
 *
 * Common header names are told apart by length and a comparison or two, because this runs for every header of every
 * transaction; the others are searched for the words that make a name suspicious.
 */
#include "record/redact.h"

#include "base/arena.h"

#include <string.h>
#include <strings.h>

enum header_class {
	HEADER_PLAIN,
	HEADER_SECRET,      /* the whole value */
	HEADER_CREDENTIALS, /* scheme kept: Basic, Bearer ... */
	HEADER_COOKIE,      /* names kept */
	HEADER_SET_COOKIE,  /* name and attributes kept */
};

/* Text that is being put together in memory of the record; `room` was made for the worst case. */
struct mask {
	uint8_t *at;
	uint8_t *end;
};

enum { MASK_LEN = 24 }; /* "[redacted 4294967295]" and a little */

static void put(struct mask *mask, const void *p, size_t n)
{
	if ((size_t)(mask->end - mask->at) >= n && n > 0) {
		memcpy(mask->at, p, n);
		mask->at += n;
	}
}

static void put_mask(struct mask *mask, uint64_t hidden)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + hidden % 10);
		hidden /= 10;
	} while (hidden != 0);
	put(mask, "[redacted ", 10);
	put(mask, digits + i, sizeof(digits) - i);
	put(mask, "]", 1);
}

/* ---- which headers ---- */

static bool contains(const uint8_t *low, size_t len, const char *word)
{
	return memmem(low, len, word, strlen(word)) != NULL;
}

static enum header_class classify_rare(const uint8_t *low, size_t len)
{
	static const char *const words[] = {"token",  "secret",  "password", "passwd",    "session",
					    "apikey", "api-key", "api_key",  "credential"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (contains(low, len, words[i])) {
			return HEADER_SECRET;
		}
	}
	if (contains(low, len, "authorization")) {
		return HEADER_CREDENTIALS;
	}
	return HEADER_PLAIN;
}

#define IS(text) (memcmp(low, (text), sizeof(text) - 1) == 0)

/* A name that is certainly one of the common ones: its class; else -1. */
static int classify_common(const uint8_t *low, size_t len)
{
	switch (len) {
	case 4:
		return IS("host") || IS("date") || IS("etag") || IS("vary") ? HEADER_PLAIN : -1;
	case 6:
		if (IS("cookie")) {
			return HEADER_COOKIE;
		}
		return IS("accept") || IS("server") || IS("origin") || IS("pragma") ? HEADER_PLAIN
										    : -1;
	case 7:
		return IS("upgrade") || IS("expires") ? HEADER_PLAIN : -1;
	case 10:
		if (IS("set-cookie")) {
			return HEADER_SET_COOKIE;
		}
		return IS("connection") || IS("user-agent") || IS("keep-alive") ? HEADER_PLAIN : -1;
	case 11:
		return IS("set-cookie2") ? HEADER_SET_COOKIE : -1;
	case 12:
		return IS("content-type") ? HEADER_PLAIN : -1;
	case 13:
		if (IS("authorization")) {
			return HEADER_CREDENTIALS;
		}
		return IS("cache-control") || IS("last-modified") || IS("if-none-match") ||
				       IS("accept-ranges") || IS("content-range")
			       ? HEADER_PLAIN
			       : -1;
	case 14:
		return IS("content-length") ? HEADER_PLAIN : -1;
	case 15:
		return IS("accept-encoding") || IS("accept-language") || IS("x-forwarded-for")
			       ? HEADER_PLAIN
			       : -1;
	case 16:
		return IS("content-encoding") ? HEADER_PLAIN : -1;
	case 17:
		return IS("transfer-encoding") || IS("if-modified-since") ? HEADER_PLAIN : -1;
	case 19:
		return IS("proxy-authorization") ? HEADER_CREDENTIALS : -1;
	default:
		return -1;
	}
}

#undef IS

static enum header_class classify(const struct weir_str *name)
{
	uint8_t low[256];
	size_t len = name->len < sizeof(low) ? name->len : sizeof(low);
	size_t i;
	int class;

	for (i = 0; i < len; i++) {
		/* folds the letters; what else it changes makes no name of the lists below */
		low[i] = name->p[i] | 0x20;
	}
	while (len > 0 && low[len - 1] == ' ') {
		len--; /* "Cookie : x" (flagged by the parser, taken by servers) */
	}
	class = classify_common(low, len);
	return class >= 0 ? (enum header_class) class : classify_rare(low, len);
}

/* ---- how their values are masked ---- */

static bool same_text(const uint8_t *p, size_t len, const char *text)
{
	return strlen(text) == len && strncasecmp((const char *)p, text, len) == 0;
}

/* Length of the authentication scheme and the space behind it; 0 when it is none that is registered or usual. */
static size_t scheme_len(const struct weir_str *value)
{
	static const char *const schemes[] = {
		"Basic",        "Bearer",      "Digest",           "Negotiate", "NTLM",  "OAuth",
		"Token",        "ApiKey",      "AWS4-HMAC-SHA256", "Hawk",      "DPoP",  "HOBA",
		"Mutual",       "SCRAM-SHA-1", "SCRAM-SHA-256",    "GNAP",      "vapid", "Key",
		"PrivateToken", "Signature",   "GoogleLogin",
	};
	const uint8_t *space = memchr(value->p, ' ', value->len);
	size_t len, i;

	if (space == NULL) {
		return 0;
	}
	len = (size_t)(space - value->p);
	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (same_text(value->p, len, schemes[i])) {
			return len + 1;
		}
	}
	return 0;
}

static void mask_credentials(struct mask *mask, const struct weir_header *header)
{
	size_t keep = scheme_len(&header->value);

	put(mask, header->value.p, keep);
	put_mask(mask, header->full_len - keep);
}

/* One `name=value` of a cookie, `more` bytes of which had been cut off; blanks around it stay. */
static void mask_pair(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	const uint8_t *equals = memchr(p, '=', len);
	size_t keep = equals == NULL ? 0 : (size_t)(equals - p) + 1;

	if (equals == NULL) {
		/* a cookie without a name is all value */
		while (keep < len && p[keep] == ' ') {
			keep++;
		}
	}
	put(mask, p, keep);
	if (len > keep || more > 0) {
		put_mask(mask, (uint64_t)(len - keep) + more);
	}
}

static void mask_cookies(struct mask *mask, const struct weir_header *header, bool first_only)
{
	const uint8_t *at = header->value.p;
	const uint8_t *end = at + header->value.len;
	uint32_t cut = header->full_len - header->value.len;
	bool first = true;

	while (at < end) {
		const uint8_t *stop = memchr(at, ';', (size_t)(end - at));
		size_t len = (size_t)((stop == NULL ? end : stop) - at);

		if (first || !first_only) {
			mask_pair(mask, at, len, stop == NULL ? cut : 0);
		} else {
			put(mask, at, len);
		}
		first = false;
		at += len;
		if (stop != NULL) {
			put(mask, ";", 1);
			at++;
		}
	}
}

static void mask_header(struct weir_record *rec, struct weir_header *header,
			enum header_class class)
{
	size_t room = header->value.len + MASK_LEN;
	uint8_t *to;
	struct mask mask;
	uint32_t i;

	for (i = 0; i < header->value.len; i++) {
		room += header->value.p[i] == ';' ? MASK_LEN : 0;
	}
	header->redacted = 1;
	to = arena_bytes(rec->arena, room);
	if (to == NULL) {
		header->value.len = 0;
		return;
	}
	mask.at = to;
	mask.end = to + room;
	switch (class) {
	case HEADER_CREDENTIALS:
		mask_credentials(&mask, header);
		break;
	case HEADER_COOKIE:
		mask_cookies(&mask, header, false);
		break;
	case HEADER_SET_COOKIE:
		mask_cookies(&mask, header, true);
		break;
	case HEADER_SECRET:
	case HEADER_PLAIN:
		put_mask(&mask, header->full_len);
		break;
	}
	header->value.p = to;
	header->value.len = (uint32_t)(mask.at - to);
	header->full_len = header->value.len;
}

static void redact_headers(struct weir_record *rec, struct weir_value *value)
{
	struct weir_header *headers;
	uint32_t i;

	memcpy(&headers, &value->v.headers, sizeof(headers)); /* the record's own memory */
	for (i = 0; i < value->len; i++) {
		enum header_class class;

		if (headers[i].redacted || headers[i].full_len == 0) {
			continue;
		}
		class = classify(&headers[i].name);
		if (class != HEADER_PLAIN) {
			mask_header(rec, &headers[i], class);
		}
	}
}

void redact_record(struct weir_record *rec, enum weir_redact mode)
{
	size_t i;

	if (mode == WEIR_REDACT_OFF) {
		return;
	}
	for (i = 0; i < rec->schema->nfields; i++) {
		const struct weir_field *field = &rec->schema->fields[i];

		if (field->flags == 0 || !weir_record_has(rec, WEIR_NCOMMON + i)) {
			continue;
		}
		if ((field->flags & WEIR_FIELD_SECRET_HEADERS) != 0) {
			redact_headers(rec, &rec->values[WEIR_NCOMMON + i]);
		}
	}
}

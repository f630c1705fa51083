/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which headers are secret, by their names (see mask.h).
 *
 * This is asked of every header of every transaction. What common names are is in a table (header_names.def); the others are
 * searched for the words that make a name suspicious.
 */
#include "record/header_names.h"
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

enum header_class mask_classify_odd(const uint8_t *name, size_t name_len)
{
	uint8_t low[256];
	size_t len = name_len < sizeof(low) ? name_len : sizeof(low);
	uint8_t number;

	fold(low, name, len);
	while (len > 0 && low[len - 1] == ' ') {
		len--; /* "Cookie : x" (flagged by the parser, taken by servers) */
	}
	number = header_name_find(low, len);
	return number != HEADER_OTHER ? (enum header_class)header_name_classes[number]
				      : classify_rare(low, len);
}

enum header_class mask_classify_header(const uint8_t *name, size_t len)
{
	uint8_t number = header_name_find(name, len);

	return number != HEADER_OTHER ? (enum header_class)header_name_classes[number]
				      : mask_classify_odd(name, len);
}

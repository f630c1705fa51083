/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masked text, put together: what redact.c and redact_text.c share.
 *
 * A masker writes the whole text to memory that may be too little: what does not fit is counted
 * only, and once it is known how long the result is it runs a second time. So text without secrets, which is nearly all,
 * costs no memory of the record.
 */
#ifndef RECORD_MASK_H
#define RECORD_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/copy.h"
#include "record/redact.h"

struct mask {
	uint8_t *at;
	uint8_t *end;
	size_t need;                  /* bytes of the result so far */
	bool any;                     /* something was masked */
	const struct redact_key *key; /* NULL: no fingerprints */
};

enum {
	MASK_KEY_MAX =
		128, /* of a name that is looked at; the rest of longer ones does not count */
	MASK_KEY_LEAST = 16 /* bytes that a service's key has at least, and behind its prefix */
};

static inline bool mask_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool mask_is_name_byte(uint8_t c)
{
	return mask_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '-';
}

static inline void mask_put(struct mask *mask, const void *p, size_t n)
{
	mask->need += n;
	if (n > 0 && (size_t)(mask->end - mask->at) >= n) {
		copy_bytes(mask->at, p, n);
		mask->at += n;
	} else if (n > 0) {
		mask->end = mask->at; /* no room: nothing behind it either */
	}
}

/** "[redacted 24]", or "[redacted 24 3f9a]" with a key, instead of len + more bytes, unless that is what they say already. */
void mask_hide(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);

/** Is the name of a form field, query parameter or JSON member that of a secret? Percent-encoding is undone. */
bool mask_is_secret_key(const uint8_t *key, size_t len);

/** Does a lower-case name hold one of the words that make it suspicious (token, secret, session ...)? */
bool mask_has_secret_word(const uint8_t *low, size_t len);

/** mask_is_api_key(), when the first two bytes did not say no. */
bool mask_has_key_form(const uint8_t *p, size_t len);

/*
 * Does text begin with a key of one of the well-known services (ghp_..., AKIA..., sk_live_..., a JSON web token)? This is asked
 * of every header, parameter and segment of a path: two bytes say no to nearly all. Of the first, the bits of the second.
 */
static inline bool mask_is_api_key(const uint8_t *p, size_t len)
{
#define BIT(c) (UINT32_C(1) << ((c)&31))
	static const uint32_t seconds[32] = {
		['A' & 31] = BIT('K') | BIT('S') | BIT('I'),
		['d' & 31] = BIT('o'),
		['e' & 31] = BIT('y'),
		['g' & 31] = BIT('h') | BIT('i') | BIT('l'),
		['h' & 31] = BIT('f'),
		['n' & 31] = BIT('p'),
		['p' & 31] = BIT('y'),
		['r' & 31] = BIT('k'),
		['s' & 31] = BIT('k') | BIT('h') | BIT('G'),
		['x' & 31] = BIT('o') | BIT('a'),
		['y' & 31] = BIT('a'),
	};
#undef BIT

	return len >= MASK_KEY_LEAST && (seconds[p[0] & 31] >> (p[1] & 31) & 1) != 0 &&
	       mask_has_key_form(p, len);
}

/* What a header's value is to masking. */
enum header_class {
	HEADER_PLAIN,
	HEADER_SECRET,      /* the whole value */
	HEADER_CREDENTIALS, /* scheme kept: Basic, Bearer ... */
	HEADER_COOKIE,      /* names kept */
	HEADER_SET_COOKIE,  /* name and attributes kept */
	HEADER_URL,         /* userinfo and secret query keys */
};

enum header_class mask_classify_header(const uint8_t *name, size_t len);

/** The same, of a name without a number. */
enum header_class mask_classify_odd(const uint8_t *name, size_t len);

/*
 * The maskers: each writes the whole text. `more`: bytes of the text that had been cut off.
 */
void mask_header(struct mask *mask, enum header_class class, const uint8_t *p, size_t len,
		 uint32_t more);
/**
 * A quick look at a URL or something like it: true when mask_url() would mask nothing in it for certain. It is asked of several fields of
 * every transaction.
 */
bool mask_is_plain_url(const uint8_t *p, size_t len);

/* Where in up to 64 bytes there is something to be looked at; bit 0 is the first. */
struct mask_marks {
	uint64_t slash;
	uint64_t equals;
	uint64_t other;
};

enum mask_look { MASK_LOOK_BYTES, MASK_LOOK_SSE2 };

/** The marks of up to 64 bytes, in one of the ways of looking that there are, for tests. */
struct mask_marks mask_marks_with(enum mask_look with, const uint8_t *p, size_t len);

void mask_url(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);
/**
 * Every name=value, and with `urls` the userinfo of every ://, in text of any kind. It looks for equals signs, so plain
 * text costs next to nothing.
 */
void mask_pairs(struct mask *mask, const uint8_t *p, size_t len, uint32_t more, bool urls);
void mask_body(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);
void mask_markup(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);
/** A line of any kind: members of JSON, pairs, URLs. */
void mask_within(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);
void mask_evidence(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);
/** Passwords in statements about users; the rest of the statement stays. */
void mask_statement_secrets(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);
void mask_statement(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);

#endif

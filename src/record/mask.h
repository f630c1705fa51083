/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masked text, put together: what redact.c and redact_text.c share.
 *
 * A masker runs twice over its text: first without memory, to learn whether there is anything to mask and how long the
 * result is, then to write it. So text without secrets, which is nearly all, costs no memory and no copy.
 */
#ifndef RECORD_MASK_H
#define RECORD_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "record/redact.h"

struct mask {
	uint8_t *at; /* NULL: only count */
	uint8_t *end;
	size_t need;                  /* bytes of the result so far */
	bool any;                     /* something was masked */
	const struct redact_key *key; /* NULL: no fingerprints */
};

static inline void mask_put(struct mask *mask, const void *p, size_t n)
{
	mask->need += n;
	if (n > 0 && (size_t)(mask->end - mask->at) >= n) {
		memcpy(mask->at, p, n);
		mask->at += n;
	}
}

/** "[redacted 24]", or "[redacted 24 3f9a]" with a key, instead of len + more bytes, unless that is what they say already. */
void mask_hide(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);

/** Is the name of a form field, query parameter or JSON member that of a secret? Percent-encoding is undone. */
bool mask_is_secret_key(const uint8_t *key, size_t len);

/** Does a lower-case name hold one of the words that make it suspicious (token, secret, session ...)? */
bool mask_has_secret_word(const uint8_t *low, size_t len);

/** Does text begin with a key of one of the well-known services (ghp_..., AKIA..., sk_live_..., a JSON web token)? */
bool mask_is_api_key(const uint8_t *p, size_t len);

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

/*
 * The maskers: each writes the whole text. `more`: bytes of the text that had been cut off.
 */
void mask_header(struct mask *mask, enum header_class class, const uint8_t *p, size_t len,
		 uint32_t more);
void mask_url(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);
void mask_body(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);
void mask_markup(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);
/** A line of any kind: members of JSON, pairs, URLs. */
void mask_within(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);
void mask_evidence(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);
/** Passwords in statements about users; the rest of the statement stays. */
void mask_statement_secrets(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);
void mask_statement(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);

#endif

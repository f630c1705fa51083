/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masking: the one place where secrets are taken out of records, before any record sink sees them (UI.md §4.8).
 *
 * A masked value says its kind and its length: `Bearer [redacted 184]`, `sid=[redacted 32]; Path=/`. When there is no
 * memory for the mask the value becomes empty: it never stays.
 */
#ifndef RECORD_REDACT_H
#define RECORD_REDACT_H

#include <stddef.h>
#include <stdint.h>

#include "weir/config.h"
#include "weir/record.h"

/*
 * With a key a mask also has a fingerprint of what it hides, `Bearer [redacted 184 3f9a]`: the first two bytes of its HMAC-SHA256, so
 * that equal secrets can be told to be equal. Not of one that was cut: its end is not known.
 */
struct redact_key {
	const uint8_t *p;
	size_t len; /* 0: no fingerprints */
};

/**
 * Mask in place, allocating from the record's arena. WEIR_REDACT_OFF changes nothing. A second call changes nothing.
 * @param key NULL: no fingerprints
 */
void redact_record(struct weir_record *rec, enum weir_redact mode, const struct redact_key *key);

/* Fields of a schema that may hold secrets: what redact_fields() wants to be told, worked out once. */
struct redact_which {
	uint64_t fields[2];
	uint8_t whole; /* a URL that others are parts of, and is looked at before them; 0: none */
};

void redact_which(const struct weir_schema *schema, struct redact_which *ret_which);

/** redact_record() for those who know which fields to look at. */
void redact_fields(struct weir_record *rec, const struct redact_which *which, enum weir_redact mode,
		   const struct redact_key *key);

#endif

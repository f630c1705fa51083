/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars as JSON text, written to memory that has room. For the record writer. */
#ifndef SINK_JSON_TEXT_H
#define SINK_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	JSON_U64_MAX = 20,      /* digits */
	JSON_ADDRESS_MAX = 48,  /* with its quotes */
	JSON_STRING_GROWTH = 6, /* a byte's worst: \u0007 */
	JSON_STRING_EXTRA = 32, /* quotes, and what the copy of whole words writes beyond */
};

/** Each returns the end of what it wrote; of a number eight bytes are written at least, within JSON_U64_MAX for one without a sign. */
char *json_put_u64(char *to, uint64_t value);
char *json_put_i64(char *to, int64_t value);
/** Nine digits: ns is below 10^9. */
char *json_put_fraction(char *to, uint32_t ns);
char *json_put_hex(char *to, const uint8_t *p, size_t len);
char *json_put_address(char *to, const uint8_t *p, size_t len);

/**
 * Text without quotes; room: JSON_STRING_GROWTH * len + JSON_STRING_EXTRA.
 * @param bad   false: a byte that is not UTF-8 ends the writing and NULL is returned; true: such bytes become \xNN and
 *              backslashes are doubled
 */
char *json_put_text(char *to, const uint8_t *p, size_t len, bool bad);

/** The same, of text that json_copy.h has found not to be plain. */
char *json_put_careful(char *to, const uint8_t *p, size_t len, bool bad);

/** json_put_text() within quotes. */
char *json_put_string(char *to, const uint8_t *p, size_t len, bool bad);

enum json_copy { JSON_COPY_WORDS, JSON_COPY_SSE2, JSON_COPY_AVX2, JSON_COPY_NWITH };

/** Text without quotes, copied in one of the ways that there are, for tests; NULL when some of it needs care. The same room. */
char *json_put_plain_with(enum json_copy with, char *to, const uint8_t *p, size_t len, bool lower);

#endif

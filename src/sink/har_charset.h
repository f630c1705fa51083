/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies in other character sets as UTF-8, which is what HAR wants of text. For har.c.
 *
 * The C library's converters are files of their own: they are opened beforehand, for the sets that are common in HTTP, because
 * when records come there may be no right to open files any more. Other sets stay base64.
 */
#ifndef SINK_HAR_CHARSET_H
#define SINK_HAR_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct har_charsets;

/** NULL: no memory. */
struct har_charsets *har_charsets_new(void);
void har_charsets_free(struct har_charsets *charsets);

/**
 * Text of a body that is kept in base64.
 * @param charset its name, any case; one that is not known: false
 * @param cut     the body goes on: a character cut at the end is left out
 * @return        true: out (cleared before) holds it in UTF-8. false: it is not text in that set
 */
bool har_charsets_decode(struct har_charsets *charsets, const void *charset, size_t charset_len,
			 const uint8_t *base64, size_t len, bool cut, struct strbuf *out);

#endif

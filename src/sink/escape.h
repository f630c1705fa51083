/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one escaper for terminals and text files: whatever was captured comes out as visible, valid UTF-8.
 *
 * Controls (C0, DEL, C1, bidi), invisible characters and bytes that are not UTF-8 become \xNN, a byte at a time. A
 * backslash stays one: the form is for reading, not for decoding (JSON is).
 */
#ifndef SINK_ESCAPE_H
#define SINK_ESCAPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/** Append the visible form. @return the columns it takes on a terminal */
size_t escape_text(struct strbuf *out, const void *text, size_t len);

/** Columns of text that has been escaped. */
size_t escape_columns(const char *text, size_t len);

/** Length of the longest beginning of escaped text that fits into `columns`. */
size_t escape_fit(const char *text, size_t len, size_t columns);

/** Length of the longest end of escaped text that fits into `columns`. */
size_t escape_fit_end(const char *text, size_t len, size_t columns);

#endif

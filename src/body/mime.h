/* SPDX-License-Identifier: Apache-2.0 */
/* The media type of a body, told from its first bytes; private to body/ and its tests. */
#ifndef BODY_MIME_H
#define BODY_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BODY_MIME_BYTES = 512 }; /* looked at, at most */

/** A static string; NULL for no bytes; "application/octet-stream" or "text/plain" when nothing more is known. */
const char *body_mime(const uint8_t *p, size_t len);

/** Valid UTF-8 without controls but tab, line feed, form feed and carriage return. cut: the last character may be unfinished. */
bool body_is_text(const uint8_t *p, size_t len, bool cut);

#endif

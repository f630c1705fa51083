/* SPDX-License-Identifier: Apache-2.0 */
/* What a body is said to be: Content-Type and its parameters, and the character set that text names itself. Private to body/. */
#ifndef BODY_TYPE_H
#define BODY_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/record.h"

enum { BODY_CHARSET_MAX = 40 };

/** Is the media type of a Content-Type this one (lower case; one that ends in / is any of that kind)? */
bool body_type_is(struct weir_str value, const char *type);

/**
 * A parameter of Content-Type, Content-Disposition and the like (RFC 9110 §5.6.6).
 *
 * @param name   lower case
 * @param buffer value.len bytes, for a quoted string without its quotes
 * @return       false: it has none of this name
 */
bool body_parameter(struct weir_str value, const char *name, uint8_t *buffer, struct weir_str *ret);

/**
 * The character set of text: by its byte order mark, its Content-Type, or what an XML declaration or a meta element of HTML
 * among its first bytes says (WHATWG HTML §13.2.3.2, in short). Lower case.
 *
 * @param declared value of Content-Type; p NULL: there was none
 * @param ret      BODY_CHARSET_MAX + 1 bytes
 * @return         false: nothing says
 */
bool body_charset(struct weir_str declared, const uint8_t *p, size_t len, char *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Header values that are comma-separated lists (RFC 9110 §5.6.1), and comparing names without regard to case. */
#ifndef HTTP_LISTS_H
#define HTTP_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/record.h"

/**
 * Take the next element off a list: without the white space around it, empty elements passed over, commas within quoted
 * strings (RFC 9110 §5.6.4) kept.
 *
 * @param list  what is left; moved on
 * @return      false: no more
 */
bool http_list_next(struct weir_str *list, struct weir_str *ret_item);

/** An element up to its parameters: "gzip;q=1" -> "gzip". */
struct weir_str http_list_token(struct weir_str item);

/** Equal without regard to ASCII case; `name` is lower case. */
bool http_is(struct weir_str text, const char *name);

/** Some element of the list is `name` (lower case). */
bool http_list_has(struct weir_str list, const char *name);

#endif

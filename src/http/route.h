/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route of a URL: its path with what names one thing replaced by what kind of name it is, so that requests for things of
 * one kind count together: /users/4711/orders/9f8b... -> /users/{id}/orders/{hex}.
 *
 * A guess from the path alone, the same for the same path on every run: no counting of what else was seen. A segment becomes
 *   {id}     decimal digits, also behind a short word and a separator (item-12, v1 stays: it is no number)
 *   {uuid}   RFC 9562 §4, 8-4-4-4-12 hexadecimal digits
 *   {hex}    16 or more hexadecimal digits, one of them decimal
 *   {token}  20 or more letters, digits, "-", "_" and "=", at least two of them decimal
 *   {email}  with an @ inside
 * and an extension stays: /img/123.png -> /img/{id}.png. Otherwise it is kept.
 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "weir/record.h"

enum {
	HTTP_ROUTE_SEGMENTS = 16, /* looked at; what follows them becomes one {rest} */
	HTTP_ROUTE_MAX = 512      /* bytes of a route */
};

/*
 * A user's rule says what is what: `[HOST]/literal/{name}/x-{name}.png/...`. {name} is one segment, or what stands between the
 * literal ends of one; a last segment * is all that follows, if anything does. HOST is a name or *.name; without one any host
 * will do. The route is the rule's path as it is written. Of several rules the first that fits holds, and the guess above is for paths
 * that none fits.
 */

/** Is it a rule? NULL, or what would be one. */
const char *http_route_check(const char *rule);

/**
 * The route by the first rule that fits.
 * @param rules   each passes http_route_check()
 * @param host    lower case; p NULL: not known
 * @param ret_len of the route, when there is one
 * @return        the route, part of the rule; NULL: no rule fits
 */
const char *http_route_rule(const char *const *rules, size_t n, struct weir_str host,
			    struct weir_str path, size_t *ret_len);

/** Bytes that the route of a path of this length may need: HTTP_ROUTE_MAX or fewer. */
size_t http_route_room(size_t path_len);

/**
 * @param path   normalised
 * @param buffer http_route_room() bytes
 * @return       length of the route; 0 when the path is empty or the route would be too long
 */
size_t http_route(struct weir_str path, uint8_t *buffer);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What HAR wants taken apart: cookies, query strings, forms. For har.c. */
#ifndef SINK_HAR_TEXT_H
#define SINK_HAR_TEXT_H

#include "sink/json_build.h"

/** The elements of an array: {"name":..,"value":..} for each part of a=b&c=d, percent-decoded, + as a blank. */
void har_put_query(struct json_build *build, const uint8_t *p, size_t len);

/** The same for a Cookie header: a=b; c=d. */
void har_put_cookies(struct json_build *build, const struct weir_str *value);

/** One element for a Set-Cookie header, with its attributes. */
void har_put_set_cookie(struct json_build *build, const struct weir_str *value);

#endif

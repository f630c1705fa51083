/* SPDX-License-Identifier: Apache-2.0 */
/* The name that a message gives to its body, made harmless. For files.c. */
#ifndef SINK_FILES_NAME_H
#define SINK_FILES_NAME_H

#include <stddef.h>

#include "base/strbuf.h"
#include "weir/record.h"

enum { FILES_NAME_MAX = 128 }; /* bytes of a name */

/**
 * RFC 6266: `filename*` of Content-Disposition over its `filename`, over the last segment of a path.
 *
 * What comes out is valid UTF-8, has no directory, no control, no invisible character, none of `<>:"/\|?*`, does not begin with a
 * dot or a blank nor end in one, and is not the name of a device of other systems.
 *
 * @param disposition, path  NULL: there is none
 * @param out                cleared; empty: there is no name
 */
void files_name(const struct weir_str *disposition, const struct weir_str *path,
		struct strbuf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON objects written member by member, for the forms that are not weir's own (those have json_record.h, which is quicker).
 *
 * Members with dotted names may nest: an object is opened when its first member comes and closed when one comes that is not in
 * it, so nothing is written for objects without members. Members of an object must come one after another.
 */
#ifndef SINK_JSON_BUILD_H
#define SINK_JSON_BUILD_H

#include "base/strbuf.h"
#include "weir/record.h"

enum { JSON_BUILD_DEPTH = 8, JSON_BUILD_NAME = 128 };

struct json_build {
	struct strbuf *out;
	bool nested;                /* dots nest; else they are part of the name */
	bool empty;                 /* nothing stands in the innermost object or array yet */
	bool escaped;               /* some text was not UTF-8: its bad bytes are \xNN */
	char path[JSON_BUILD_NAME]; /* of the open objects: "http.request." */
	unsigned depth;
	unsigned inner; /* arrays and objects opened by json_build_open() */
};

/** Open the outermost object. */
void json_build_init(struct json_build *build, struct strbuf *out, bool nested);
/** Close all that is open. */
void json_build_end(struct json_build *build);

/** The name of a member; its value must follow. */
void json_build_key(struct json_build *build, const char *name);

/* Values, also elements of arrays. */
void json_build_str(struct json_build *build, const void *p, size_t len);
void json_build_text(struct json_build *build, const char *text);
void json_build_u64(struct json_build *build, uint64_t value);
void json_build_i64(struct json_build *build, int64_t value);
void json_build_bool(struct json_build *build, bool value);
/** A time as RFC 3339 in UTC with `digits` of the second's fraction (0 to 9) and a zone ("Z", "+0000"). */
void json_build_time(struct json_build *build, int64_t ns, unsigned digits, const char *zone);
/** ns / 10^9 or 10^6 as a decimal number, nothing lost. */
void json_build_seconds(struct json_build *build, int64_t ns);
void json_build_milliseconds(struct json_build *build, int64_t ns);
/** Seconds with six digits, as Zeek writes times. */
void json_build_epoch(struct json_build *build, int64_t ns);
/** By its kind, as weir writes it; lists are arrays. Not for headers. */
void json_build_value(struct json_build *build, enum weir_kind kind,
		      const struct weir_value *value);

/** Arrays and objects as values. Within them members are flat. */
void json_build_open(struct json_build *build, char bracket);
void json_build_close(struct json_build *build, char bracket);

#endif

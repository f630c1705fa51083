/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records in other tools' words (json format=zeek, eve, ecs, otel): the same values under the names that those tools write, so
 * that what reads their output reads weir's. What a tool counts in another way than weir is left out rather than given another
 * meaning, and so are types of records that the tool has nothing for.
 */
#ifndef SINK_JSON_RENAME_H
#define SINK_JSON_RENAME_H

#include "base/strbuf.h"
#include "sink/json_build.h"
#include "sink/lookup.h"

struct json_rename {
	const char *name;
	bool nested; /* dots in names nest */
	/* Write the members of a record. false: there is nothing of that kind there */
	bool (*put)(const struct lookup *lookup, const struct weir_record *rec,
		    struct json_build *build);
};

extern const struct json_rename json_rename_zeek;
extern const struct json_rename json_rename_eve;
extern const struct json_rename json_rename_ecs;
extern const struct json_rename json_rename_otel;

/** Append a record as an object. 1; 0: not of a kind that is written; WEIR_ENOMEM: out is as it was */
int json_rename_write(const struct json_rename *rename, const struct lookup *lookup,
		      const struct weir_record *rec, struct strbuf *out);

/* ---- for the four ---- */

/* A row: a name, and what stands under it when it is there. */
struct json_rename_row {
	const char *name;
	int common; /* enum weir_common_field, or -1 */
	int look;   /* enum look, or -1 */
};

#define RENAME_COMMON(name, field)                                                                 \
	{                                                                                          \
		name, field, -1                                                                    \
	}
#define RENAME(name, look)                                                                         \
	{                                                                                          \
		name, -1, look                                                                     \
	}

void json_rename_put(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build, const struct json_rename_row *rows, size_t n);
#define RENAME_PUT(lookup, rec, build, rows)                                                       \
	json_rename_put(lookup, rec, build, rows, sizeof(rows) / sizeof((rows)[0]))

/** Is it a record about HTTP, about a flow, about an anomaly? */
bool json_rename_is(const struct weir_record *rec, const char *type);
/** A member with a header's value, when it is there. */
void json_rename_header(const struct lookup *lookup, const struct weir_record *rec,
			struct json_build *build, const char *name, enum look list,
			const char *header);
/** The host of a Host header or the URL, without its port. false: not known */
bool json_rename_host(const struct lookup *lookup, const struct weir_record *rec,
		      struct weir_str *ret);
/** Size of a body as its receiver sees it: decoded, when that is known. NULL: not known */
const struct weir_value *json_rename_size(const struct lookup *lookup,
					  const struct weir_record *rec, enum look size,
					  enum look decoded);
bool json_rename_common_is(const struct weir_record *rec, enum weir_common_field field,
			   const char *text);

#endif

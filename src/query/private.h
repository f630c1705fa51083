/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef QUERY_PRIVATE_H
#define QUERY_PRIVATE_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "query/query.h"

struct query {
	struct budget budget;
	struct arena_pool pool;
	struct weir_arena arena; /* the tree */
	const struct weir_schema *schemas[QUERY_SCHEMAS_MAX];
	size_t nschemas;
	struct query_node *root;
	struct query_regex *regexes; /* list */
	bool has_text;               /* a QUERY_TEXT is in it */
	struct strbuf low;           /* scratch: a value in lower case */
	uint64_t limited;
};

/* The text being read; the first error stays. */
struct query_source {
	struct query *query;
	const char *text;
	size_t at;
	size_t len;
	unsigned depth;
	size_t name, name_len; /* of the term being read */
	bool no_memory;
	bool failed;
	struct query_error *error;
};

/** Note an error at a place, the first one only. @return false, always */
bool query_fail(struct query_source *source, size_t offset, size_t length, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/** From the query's memory; NULL: noted. */
void *query_alloc(struct query_source *source, size_t size);

/* ---- fields.c ---- */

/** Find out what a name of the filter stands for. false: an error was noted */
bool query_resolve(struct query_source *source, size_t offset, size_t length,
		   struct query_term *term);
/** The nearest of the names there are, within two edits; "" when none is near. */
void query_suggest(const struct query *query, const char *name, size_t len, char *ret, size_t size);

/* ---- value.c ---- */

/* A value as it was read: unquoted, with the stars that were not quoted marked. */
struct query_raw {
	const char *p;
	size_t len;
	bool quoted;
	size_t offset, length; /* in the filter */
};

/** Make a value of what was written, for the kind of the term's fields. */
bool query_read_value(struct query_source *source, const struct query_term *term,
		      const struct query_raw *raw, struct query_value *ret);

/* ---- match.c ---- */

/** Is one of the term's values met by a text? */
bool query_any_text(struct query *query, const struct query_term *term, const uint8_t *p,
		    size_t len);

/* ---- regex.c ---- */

bool query_regex_new(struct query_source *source, const struct query_raw *raw,
		     struct query_regex **ret);
void query_regex_free_all(struct query *query);
bool query_regex_match(struct query *query, struct query_regex *regex, const uint8_t *p,
		       size_t len);

#endif

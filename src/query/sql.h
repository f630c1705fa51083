/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters as SQL conditions (SQLite's dialect), for stores. What SQL cannot say exactly as query_match() does (regular expressions, free
 * text, lists, headers, networks that do not end at a dot) is left out in a way that lets more records through, never fewer, and the answer
 * says so: the caller then asks query_match() about those.
 *
 * Values of the filter are written as literals; any bytes are allowed in them.
 */
#ifndef QUERY_SQL_H
#define QUERY_SQL_H

#include "base/strbuf.h"
#include "query/query.h"

enum query_said {
	QUERY_SAID_ALL,   /* every record of the type matches: nothing was written */
	QUERY_SAID_NONE,  /* none does: nothing was written */
	QUERY_SAID_EXACT, /* true of those that match, and of no other (NULL is as good as false) */
	QUERY_SAID_WIDER  /* true of those that match, and of some others */
};

/* How a store names the fields of a type. */
struct query_names {
	/** Append an expression of the field's value, NULL when it is absent: numbers, text, addresses and digests as their text. */
	void (*put)(void *context, struct strbuf *out, const struct weir_schema *schema,
		    size_t field);
	/** Can it be asked about at all? NULL: all can. What cannot be is let through, wherever it stands */
	bool (*can)(void *context, const struct weir_schema *schema, size_t field);
	/* Texts are \xNN where they were not UTF-8: only what is true of both forms, or of neither, is said */
	bool escaped;
	void *context;
};

/**
 * @param ret_texts is a text that was captured compared? Stores that escape some must look at those themselves
 * @return enum query_said; WEIR_ENOMEM
 */
int query_say_sql(struct query *query, const struct weir_schema *schema,
		  const struct query_names *names, struct strbuf *out, bool *ret_texts);

#endif

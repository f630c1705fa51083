/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of records: `status>=500 host:~^api dur>100ms -method:GET path:/users/...` (-Y; CONTRACT.md §2, UI.md §2).
 *
 * One grammar for the terminal, the stores and the dashboard. The text becomes a tree of nodes (struct query_node), checked
 * against the schemas of the records there are: names are resolved, numbers have their units, patterns are taken apart. Whoever
 * cannot call query_match() (a store) translates the tree. docs/query.md is the language's description:
 *
 *	any    = all { "OR" all }                     also ||
 *	all    = one { [ "AND" ] one }                also &&
 *	one    = ( "-" | "NOT" | "!" ) one | "(" any ")" | term | text
 *	term   = field op value { "," value }
 *	op     = ":" "=" "==" "!=" "<" "<=" ">" ">=" ":~" "=~" "!~"
 *
 * Truth has two values. A term about a field that a record does not have is false, whatever the operator; a negated one
 * (-field:value) is then true.
 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/record.h"

enum {
	QUERY_TEXT_MAX = 16 * 1024, /* bytes of a filter */
	QUERY_DEPTH_MAX = 64,       /* parentheses and negations within each other */
	QUERY_VALUES_MAX = 1024,    /* in one list */
	QUERY_TARGETS_MAX = 6,      /* fields that an alias stands for */
	QUERY_SCHEMAS_MAX = 32,
	QUERY_MEMORY = 4 << 20, /* of a filter, regular expressions aside */
	/* of a value that a regular expression looks at; steps that a comparison may take before it is given up */
	QUERY_REGEX_SUBJECT = 16 * 1024,
	QUERY_REGEX_STEPS = 1 << 20,
};

enum query_node_kind {
	QUERY_AND,  /* all of the children */
	QUERY_OR,   /* one of the children */
	QUERY_NOT,  /* not its one child */
	QUERY_TERM, /* of `term` */
	QUERY_TEXT  /* `text` is in some text of the record, in any case of ASCII letters */
};

enum query_op {
	QUERY_EQ, /* one of the values */
	QUERY_NE, /* there, and none of the values */
	QUERY_LT, /* one value */
	QUERY_LE,
	QUERY_GT,
	QUERY_GE,
	QUERY_MATCH,    /* regular expression: one value */
	QUERY_NOT_MATCH /* there, and no match */
};

enum query_value_kind {
	QUERY_PRESENT, /* anything: the field is there */
	QUERY_RANGE, /* number, duration (ns), time (ns since the epoch): low to high, both in it; one number: low = high */
	QUERY_EXACT, /* text */
	QUERY_PREFIX,   /* text* */
	QUERY_SUFFIX,   /* *text */
	QUERY_CONTAINS, /* *text* */
	QUERY_GLOB,     /* text with * in other places: pieces */
	QUERY_NETWORK,  /* address with the first `bits` bits significant */
	QUERY_REGEX     /* text: PCRE2, not anchored */
};

struct query_regex;

struct query_value {
	enum query_value_kind kind;
	int64_t low, high;
	struct weir_str text; /* without the stars */
	const struct weir_str *
		pieces; /* QUERY_GLOB: what stands between stars; the first and last may be empty */
	size_t npieces;
	uint8_t address[16];
	uint8_t address_len; /* 4 or 16 */
	uint8_t bits;
	struct query_regex *regex;
};

/* A field that a term is about, by canonical name. */
struct query_target {
	const char *field; /* "type" is the record's type itself, kind WEIR_KIND_STR */
	enum weir_kind kind;
};

struct query_term {
	enum query_op op;
	struct query_target targets
		[QUERY_TARGETS_MAX]; /* true when it is for one of them; NE, NOT_MATCH: for all there are */
	size_t ntargets;
	struct weir_str
		header; /* lower case; len 0: none. Of a header list: the values of this name */
	struct query_value *values;
	size_t nvalues;
	const int16_t *
		index; /* [schema * QUERY_TARGETS_MAX + target]: field in it, or below 0; for query_match() */
};

struct query_node {
	enum query_node_kind kind;
	struct query_node *child; /* first; its siblings follow by `next` */
	struct query_node *next;
	struct query_term *term;
	struct weir_str text;
	size_t offset, length; /* where it stands in the filter */
};

struct query;

struct query_error {
	size_t offset; /* bytes */
	size_t length; /* 0: something is missing there */
	char reason[192];
	char suggestion[80]; /* what was perhaps meant instead of those bytes; "": no idea */
};

/**
 * Read a filter. One without a term matches everything.
 * @param schemas the records there are, NULL-terminated; they outlive the query
 * @return 0, WEIR_EINVAL (ret_error says where and why), WEIR_ENOMEM
 */
int query_new(const char *text, const struct weir_schema *const *schemas, struct query **ret,
	      struct query_error *ret_error);
void query_free(struct query *query);

/** The tree; NULL: everything matches. Lives as long as the query. */
const struct query_node *query_root(const struct query *query);

/** Does it match? Not from two threads at once. */
bool query_match(struct query *query, const struct weir_record *rec);

/** Does query_match() read this field? */
bool query_wants(const struct query *query, const struct weir_schema *schema, size_t field);

/** Comparisons with a regular expression that were given up, or saw a part of the value only. */
uint64_t query_limited(const struct query *query);

/* A short name for fields. */
struct query_alias {
	const char *name;
	const char *fields[QUERY_TARGETS_MAX]; /* NULL-terminated when fewer */
	const char *doc;
};

/** All of them; @param ret_n their number */
const struct query_alias *query_aliases(size_t *ret_n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The parsers there are: the table made from parsers.def. Parsers do not know each other; detection asks here. */
#ifndef PARSER_REGISTRY_H
#define PARSER_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/parser.h"

enum { PARSER_MAX = 32 };

/** Every parser, in the order of parsers.def; NULL-terminated. */
extern const struct weir_parser *const parser_list[];

/** By name; NULL: there is none. */
const struct weir_parser *parser_find(const char *name);

/* The parsers of one engine. Bit i of a mask means list[i]. */
struct parser_set {
	const struct weir_parser *list[PARSER_MAX + 1]; /* NULL-terminated, asked in this order */
	size_t n;
};

/** The parsers of parsers.def that a comma-separated list names; NULL: all of them. */
void parser_set_init(struct parser_set *set, const char *enabled);

/**
 * Add somebody's own, to be asked before all that are there. Borrowed.
 * @return 0, WEIR_EINVAL (no name, no on_data, or the name is taken), WEIR_ELIMIT (PARSER_MAX)
 */
int parser_set_add(struct parser_set *set, const struct weir_parser *parser);

/** By name; NULL: it is not in the set. */
const struct weir_parser *parser_set_find(const struct parser_set *set, const char *name);

#endif

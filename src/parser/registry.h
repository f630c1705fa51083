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

/** Is the parser named in a comma-separated list? NULL: yes. */
bool parser_is_enabled(const struct weir_parser *parser, const char *list);

#endif

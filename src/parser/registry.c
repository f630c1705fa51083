/* SPDX-License-Identifier: Apache-2.0 */
/* The table of parsers, made from parsers.def: see registry.h. */
#include "parser/registry.h"

#include <string.h>

#define PARSER(name) extern const struct weir_parser parser_##name;
#include "parser/parsers.def"
#undef PARSER

const struct weir_parser *const parser_list[] = {
#define PARSER(name) &parser_##name,
#include "parser/parsers.def"
#undef PARSER
	NULL,
};

_Static_assert(sizeof(parser_list) / sizeof(parser_list[0]) <= PARSER_MAX,
	       "sets of parsers are 32-bit masks");

const struct weir_parser *parser_find(const char *name)
{
	size_t i;

	for (i = 0; parser_list[i] != NULL; i++) {
		if (strcmp(parser_list[i]->name, name) == 0) {
			return parser_list[i];
		}
	}
	return NULL;
}

bool parser_is_enabled(const struct weir_parser *parser, const char *list)
{
	size_t len = strlen(parser->name);
	const char *at = list;

	if (list == NULL) {
		return true;
	}
	while (*at != '\0') {
		size_t n = strcspn(at, ",");

		if (n == len && memcmp(at, parser->name, n) == 0) {
			return true;
		}
		at += n + (at[n] == ',');
	}
	return false;
}

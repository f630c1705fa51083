/* SPDX-License-Identifier: Apache-2.0 */
/* The table of parsers, made from parsers.def: see registry.h. */
#include "parser/registry.h"

#include <string.h>

#include "weir/error.h"

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

static bool is_enabled(const struct weir_parser *parser, const char *list)
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

void parser_set_init(struct parser_set *set, const char *enabled)
{
	size_t i;

	memset(set, 0, sizeof(*set));
	for (i = 0; parser_list[i] != NULL; i++) {
		if (is_enabled(parser_list[i], enabled)) {
			set->list[set->n++] = parser_list[i];
		}
	}
}

int parser_set_add(struct parser_set *set, const struct weir_parser *parser)
{
	if (parser->name == NULL || parser->on_data == NULL ||
	    parser_set_find(set, parser->name) != NULL) {
		return WEIR_EINVAL;
	}
	if (set->n == PARSER_MAX) {
		return WEIR_ELIMIT;
	}
	memmove(&set->list[1], &set->list[0], set->n * sizeof(set->list[0]));
	set->list[0] = parser;
	set->n++;
	return 0;
}

const struct weir_parser *parser_set_find(const struct parser_set *set, const char *name)
{
	size_t i;

	for (i = 0; i < set->n; i++) {
		if (strcmp(set->list[i]->name, name) == 0) {
			return set->list[i];
		}
	}
	return NULL;
}

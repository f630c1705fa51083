/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the reference part of docs/query.md: the fields of all records there are, and the aliases. For tools/make_query_page. */
#include <stdio.h>

#include "engine/engine.h"
#include "query/query.h"

static const char *kind_name(enum weir_kind kind)
{
	static const char *const names[] = {
		[WEIR_KIND_BOOL] = "true or false",
		[WEIR_KIND_U64] = "number",
		[WEIR_KIND_DURATION] = "duration",
		[WEIR_KIND_TIME] = "time",
		[WEIR_KIND_STR] = "text",
		[WEIR_KIND_ADDRESS] = "address",
		[WEIR_KIND_HEX] = "digest",
		[WEIR_KIND_STRS] = "list of text",
		[WEIR_KIND_U64S] = "list of numbers",
		[WEIR_KIND_HEADERS] = "headers",
	};

	return names[kind];
}

static void put_fields(const struct weir_schema *schema, size_t from, size_t to)
{
	size_t i;

	printf("| field | is | meaning |\n|---|---|---|\n");
	for (i = from; i < to; i++) {
		const struct weir_field *field = weir_schema_field(schema, i);

		printf("| `%s` | %s | %s |\n", field->name, kind_name(field->kind), field->doc);
	}
}

int main(void)
{
	const struct weir_schema *schemas[ENGINE_MAX_SCHEMAS + 1];
	const struct query_alias *aliases;
	size_t n = engine_schemas(NULL, schemas), i, k;

	printf("## Short names\n\n| name | stands for | meaning |\n|---|---|---|\n");
	aliases = query_aliases(&k);
	for (i = 0; i < k; i++) {
		size_t at;

		printf("| `%s` |", aliases[i].name);
		for (at = 0; at < QUERY_TARGETS_MAX && aliases[i].fields[at] != NULL; at++) {
			printf(" `%s`", aliases[i].fields[at]);
		}
		printf(" | %s |\n", aliases[i].doc);
	}
	printf("\n## Fields of all records\n\n");
	put_fields(schemas[0], 0, WEIR_NCOMMON);
	for (i = 0; i < n; i++) {
		printf("\n## Fields of type:%s\n\n", schemas[i]->type);
		put_fields(schemas[i], WEIR_NCOMMON, WEIR_NCOMMON + schemas[i]->nfields);
	}
	return 0;
}

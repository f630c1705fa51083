/* SPDX-License-Identifier: Apache-2.0 */
/* What the forms of other tools share: see json_rename.h. */
#include "sink/json_rename.h"

#include "weir/error.h"

#include <string.h>

int json_rename_write(const struct json_rename *rename, const struct lookup *lookup,
		      const struct weir_record *rec, struct strbuf *out)
{
	struct json_build build;
	size_t start = out->len;
	bool is;

	json_build_init(&build, out, rename->nested);
	is = rename->put(lookup, rec, &build);
	json_build_end(&build);
	if (!is || out->failed) {
		bool failed = out->failed;

		out->len = start;
		out->failed = false;
		return failed ? WEIR_ENOMEM : 0;
	}
	return 1;
}

void json_rename_put(const struct lookup *lookup, const struct weir_record *rec,
		     struct json_build *build, const struct json_rename_row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct json_rename_row *row = &rows[i];
		const struct weir_value *value =
			row->common >= 0 ? lookup_common(rec, (enum weir_common_field)row->common)
					 : lookup_value(lookup, rec, (enum look)row->look);

		if (value == NULL) {
			continue;
		}
		json_build_key(build, row->name);
		json_build_value(build,
				 row->common >= 0
					 ? weir_schema_field(rec->schema, (size_t)row->common)->kind
					 : lookup_kind((enum look)row->look),
				 value);
	}
}

bool json_rename_is(const struct weir_record *rec, const char *type)
{
	return strcmp(rec->schema->type, type) == 0;
}

bool json_rename_common_is(const struct weir_record *rec, enum weir_common_field field,
			   const char *text)
{
	const struct weir_value *value = lookup_common(rec, field);

	return value != NULL && value->len == strlen(text) &&
	       memcmp(value->v.bytes, text, value->len) == 0;
}

void json_rename_header(const struct lookup *lookup, const struct weir_record *rec,
			struct json_build *build, const char *name, enum look list,
			const char *header)
{
	const struct weir_header *found = lookup_header(lookup, rec, list, header);

	if (found != NULL) {
		json_build_key(build, name);
		json_build_str(build, found->value.p, found->value.len);
	}
}

bool json_rename_host(const struct lookup *lookup, const struct weir_record *rec,
		      struct weir_str *ret)
{
	const struct weir_header *host = lookup_header(lookup, rec, LOOK_REQUEST_HEADER, "host");
	const struct weir_value *domain = lookup_value(lookup, rec, LOOK_DOMAIN);
	uint32_t len;

	if (host == NULL) {
		if (domain == NULL) {
			return false;
		}
		*ret = (struct weir_str){domain->v.bytes, domain->len};
		return true;
	}
	*ret = host->value;
	len = ret->len;
	while (len > 0 && ret->p[len - 1] >= '0' && ret->p[len - 1] <= '9') {
		len--;
	}
	if (len > 0 && len < ret->len && ret->p[len - 1] == ':') {
		ret->len = len - 1;
	}
	return true;
}

const struct weir_value *json_rename_size(const struct lookup *lookup,
					  const struct weir_record *rec, enum look size,
					  enum look decoded)
{
	const struct weir_value *value = lookup_value(lookup, rec, decoded);

	return value != NULL ? value : lookup_value(lookup, rec, size);
}

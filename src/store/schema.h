/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store's tables look like, worked out from the record schemas: no field is named here.
 *
 * A type has up to four tables that share a row's number (`_id`): what most records have (_http), what few have (_http_more),
 * headers and other lists (_http_list) and bodies (_http_body). What the records of a flow share is in _flow. Text that repeats is in
 * _string: a text column holds either its number there or the text itself. The view (`http`) puts all of it together again,
 * its columns are the canonical names with _ for dots. docs/store.md shows it.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "base/strbuf.h"
#include "weir/record.h"

/* Which table a field is in. Those below STORE_NPARTS are the type's own. */
enum store_part { STORE_ROW, STORE_MORE, STORE_LIST, STORE_BODY, STORE_NPARTS, STORE_FLOW };

enum store_part store_part_of(const struct weir_schema *schema, size_t field);

/*
 * What can be put together from other fields of the same record, byte for byte, is not stored: the column is 0. Which these are is told by
 * their names, in one place.
 */
enum store_url {
	STORE_SCHEME,
	STORE_DOMAIN,
	STORE_PORT,
	STORE_PATH,
	STORE_QUERY,
	STORE_FULL,
	STORE_TARGET,
	STORE_NURL
};

/** Where a schema has them; false: it has not all of them, and nothing is left out. */
bool store_find_url(const struct weir_schema *schema, int ret_fields[STORE_NURL]);

/** Does a column of this field hold texts, or their numbers in _string? */
bool store_is_text(enum weir_kind kind);

/** "_http", "_http_more" ... */
void store_put_table(struct strbuf *out, const struct weir_schema *schema, enum store_part part);

/** The column of a field: dots become underscores. */
void store_put_column(struct strbuf *out, const char *field);

/**
 * CREATE TABLE for one of the type's tables; nothing when it has no fields of that part. The common fields are in every type, so
 * _flow is of any.
 */
void store_put_create(struct strbuf *out, const struct weir_schema *schema, enum store_part part);

/** INSERT of `_id` and every column of that table, in the order of the fields; false: there is no such table. */
bool store_put_insert(struct strbuf *out, const struct weir_schema *schema, enum store_part part);

/** CREATE VIEW of the type. */
void store_put_view(struct strbuf *out, const struct weir_schema *schema);

#endif

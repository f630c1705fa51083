/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the reader share: reader.c (opening, records, health), reader_groups.c (tables and series), reader_terms.c, reader_heatmap.c. */
#ifndef STORE_READER_PRIVATE_H
#define STORE_READER_PRIVATE_H

#include "store/backend.h"
#include "store/red.h"
#include "store/tally.h"

struct store_reader {
	const struct store_backend_type *type;
	struct store_backend *backend;
	const struct weir_schema *const *schemas;
	size_t nschemas;
	char problem[STORE_PROBLEM_MAX]; /* of ours; else the backend's */
};

/** Note what is wrong. @return WEIR_EINVAL */
int reader_refuse(struct store_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** Begin a question: no problem yet, times without holes. @return 0, or WEIR_EINVAL */
int reader_begin(struct store_reader *reader, const struct store_scope *scope,
		 struct store_scope *ret);

/** The same, and the times are those of records that there are. *ret_empty: there are none */
int reader_begin_within(struct store_reader *reader, const struct store_scope *scope,
			struct store_scope *ret, bool *ret_empty);

/** Bits of all types, or of transactions. */
uint32_t reader_types(const struct store_reader *reader, bool transactions);

/** The schema's number. */
size_t reader_schema(const struct store_reader *reader, const struct weir_schema *schema);

/** The width that gives 60 intervals or fewer. */
int64_t reader_step(int64_t from_ns, int64_t to_ns);

/** ts / step, rounded down. */
int64_t reader_floor(int64_t ns, int64_t step_ns);

/** Is a whole scan within the limits, and asked for? Then rollups are not. */
bool reader_wants_exact(struct store_reader *reader, const struct store_scope *scope);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store of layout 1 becomes one of layout 2, in the transaction that makes the tables. Layout 1 had neither shapes nor rollups nor lists of
 * where records are; what is not copied is worked out by the sink, from the rows, when it finds the table _rebuild.
 */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "store/store.h"

/** Before the tables are made: the old ones get other names. @return 0 or SQLite refused */
int migrate_set_aside(struct store *store, const struct weir_schema *const *schemas);

/** After: what the old ones have is put into the new ones; they go. */
int migrate_fill(struct store *store, const struct weir_schema *const *schemas);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A statement's digest: the same text for statements that differ in their literals only, `SELECT * FROM t WHERE id = ?`. Literals and
 * placeholders become `?`, lists of them one, rows that look alike one, comments and runs of white space one blank. It is a
 * reading of characters, not of a grammar: it never fails, and what is no SQL comes out nearly as it is.
 */
#ifndef DB_DIGEST_H
#define DB_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/record.h"

enum { DB_DIGEST_MAX = 1024 }; /* bytes of a digest: the rest is cut off */

enum db_dialect {
	DB_DIALECT_MYSQL, /* "text" is a literal, \ escapes, # begins a comment */
	DB_DIALECT_PGSQL  /* "text" is a name, $1, $tag$text$tag$, \ only in E'' */
};

/**
 * @param out room for DB_DIGEST_MAX bytes; not terminated
 * @return    bytes written
 */
size_t db_digest(const uint8_t *p, size_t len, enum db_dialect dialect, char *out);

/**
 * The verb of a statement in upper case: its first word, behind comments and parentheses.
 * @param out room for `size` bytes; not terminated
 * @return    bytes written; 0: it begins with no word
 */
size_t db_verb(const uint8_t *p, size_t len, char *out, size_t size);

/** The first table that a digest names (behind FROM, INTO, UPDATE, TABLE, JOIN); len 0: none. Points into the digest. */
struct weir_str db_table(const char *digest, size_t len);

#endif

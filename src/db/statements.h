/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prepared statements of a flow: a key (name or number) to its text, so that an execution can say what it executes. Bounded in number
 * and bytes: the one that was used least recently is forgotten first.
 */
#ifndef DB_STATEMENTS_H
#define DB_STATEMENTS_H

#include "db/db.h"

enum {
	DB_STATEMENTS_MAX = 128,
	DB_STATEMENTS_BYTES = 256 * 1024, /* of text, a flow */
	DB_KEY_MAX = 64                   /* bytes of a key that count */
};

struct db_text {
	struct db_text *next; /* used before this one */
	uint64_t full_len;
	uint64_t long_data; /* bit i: the value of parameter i is sent apart */
	uint32_t len;
	uint16_t key_len;
	uint16_t nparameters;
	uint8_t key[DB_KEY_MAX];
	uint8_t types[2 * DB_PARAMETERS_MAX]; /* of the parameters, as the protocol has them */
	uint8_t text[];                       /* the first len bytes */
};

struct db_statements {
	struct db_text *newest;
	size_t n;
	size_t bytes;
};

/**
 * Remember a text, instead of another of the same key.
 * @param len      bytes that are here; `limit` of them are kept
 * @param full_len bytes it has
 * @return         NULL: no memory, nothing is kept
 */
struct db_text *db_statements_put(struct db *db, struct db_statements *all, const void *key,
				  size_t key_len, const uint8_t *p, size_t len, uint64_t full_len);
/** NULL: not known. Valid until the next call. */
struct db_text *db_statements_get(struct db_statements *all, const void *key, size_t key_len);
void db_statements_remove(struct db *db, struct db_statements *all, const void *key,
			  size_t key_len);
/** To bytes or back, into no statements: without memory some are forgotten. Writing, they stay. */
void db_statements_pack(struct pack *pack, struct db *db, struct db_statements *all);
/** Forget all. */
void db_statements_clear(struct db *db, struct db_statements *all);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store: one SQLite file with every record. This is what opens one, for writing or for questions.
 *
 * WAL, so that readers never wait; pages of 8 KiB. Committed is what is in the write-ahead log: it survives the end of the
 * process at any moment. It is forced to the disk at checkpoints only (synchronous=NORMAL): after a power cut the last moments may be
 * missing, and the file is whole all the same.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "weir/record.h"

enum {
	STORE_APPLICATION = 0x77656972, /* "weir", in the file's head */
	STORE_LAYOUT_OLDEST = 1,        /* that is brought up to date when written to */
	STORE_VERSION = 2,              /* of the tables' layout */
	STORE_MESSAGE = 512
};

struct store {
	sqlite3 *db;
	int lock;                    /* a descriptor of the file: one writer; below 0: none */
	char message[STORE_MESSAGE]; /* why it could not be opened, with the fix in a second line */
};

/**
 * Open for writing; made when it is not there, brought up to date when this weir has fields that it does not.
 *
 * @param schemas every record type, NULL-terminated
 * @return 0, WEIR_EIO (errno), WEIR_EINVAL (another program's, another version's, in use), WEIR_ENOMEM; message says why
 */
int store_open(struct store *store, const char *path, const struct weir_schema *const *schemas);

/** Open for questions; nothing can be changed through it. The same errors. */
int store_open_readonly(struct store *store, const char *path);

void store_close(struct store *store);

/** Does a file begin as those of SQLite do? */
bool store_is_one(const char *path);

/** One number out of a statement; `absent` when there is none. */
int64_t store_number(struct store *store, const char *sql, int64_t absent);

/** errno of the last failure, as near as SQLite tells. */
int store_errno(const struct store *store);

#endif

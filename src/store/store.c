/* SPDX-License-Identifier: Apache-2.0 */
/* Opening stores: see store.h. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/migrate.h"
#include "store/schema.h"
#include "weir/error.h"

enum {
	BUSY_MS = 5000,
};

int store_errno(const struct store *store)
{
	int error = sqlite3_system_errno(store->db);

	switch (sqlite3_errcode(store->db) & 0xff) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return EACCES;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	default:
		return error != 0 ? error : EIO;
	}
}

int64_t store_number(struct store *store, const char *sql, int64_t absent)
{
	sqlite3_stmt *stmt = NULL;
	int64_t value = absent;

	if (sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
		value = sqlite3_column_int64(stmt, 0);
	}
	sqlite3_finalize(stmt);
	return value;
}

static int say(struct store *store, int err, const char *text)
{
	(void)snprintf(store->message, sizeof(store->message), "%s", text);
	return err;
}

/* SQLite's own words; errno for WEIR_EIO. */
static int failed(struct store *store, const char *what)
{
	int code = sqlite3_errcode(store->db) & 0xff;

	if (code == SQLITE_NOTADB) {
		return say(store, WEIR_EINVAL,
			   "the file is not a store: it is no SQLite file\n"
			   "  Name another file; weir makes it.");
	}
	if (code == SQLITE_CORRUPT) {
		return say(store, WEIR_EINVAL,
			   "the file is damaged\n  sqlite3 FILE .recover saves what can be saved.");
	}
	errno = store_errno(store);
	return say(store, errno == ENOMEM ? WEIR_ENOMEM : WEIR_EIO, what);
}

static int execute(struct store *store, const char *sql)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK
		       ? 0
		       : failed(store, "cannot write the store");
}

/* Is it ours, and of a layout from `oldest` on? *ret_layout: 0: it is empty */
static int check(struct store *store, int oldest, int *ret_layout)
{
	int64_t changes = store_number(store, "PRAGMA schema_version", -1);
	int64_t application = store_number(store, "PRAGMA application_id", 0);
	int64_t version = store_number(store, "PRAGMA user_version", 0);

	if (changes < 0) {
		return failed(store, "cannot read the store");
	}
	if (changes == 0 && application == 0) {
		*ret_layout = 0;
		return 0;
	}
	*ret_layout = (int)version;
	if (application != STORE_APPLICATION) {
		return say(store, WEIR_EINVAL,
			   "the file is an SQLite database of another program\n"
			   "  Name another file; weir makes it.");
	}
	if (version < oldest || version > STORE_VERSION) {
		(void)snprintf(store->message, sizeof(store->message),
			       "the store has the layout %lld, this weir knows %d\n"
			       "  %s",
			       (long long)version, STORE_VERSION,
			       version == STORE_LAYOUT_OLDEST
				       ? "Written to once it gets this one: weir -r CAPTURE -o "
					 "sqlite:FILE."
				       : "Write into another file, or use the weir that made this "
					 "one.");
		return WEIR_EINVAL;
	}
	return 0;
}

/* A table that is there may lack columns of fields that are younger than it. */
static int add_columns(struct store *store, const struct weir_schema *schema, enum store_part part)
{
	const struct weir_field *field;
	struct strbuf sql;
	int err = 0;
	size_t i;

	strbuf_init(&sql);
	for (i = 0; (field = weir_schema_field(schema, i)) != NULL && err == 0; i++) {
		sqlite3_stmt *stmt = NULL;
		bool there;

		if (store_part_of(schema, i) != part) {
			continue;
		}
		strbuf_clear(&sql);
		strbuf_str(&sql, "SELECT 1 FROM pragma_table_info('");
		store_put_table(&sql, schema, part);
		strbuf_str(&sql, "') WHERE name='");
		store_put_column(&sql, field->name);
		strbuf_str(&sql, "'");
		if (sqlite3_prepare_v2(store->db, strbuf_text(&sql), -1, &stmt, NULL) !=
		    SQLITE_OK) {
			err = failed(store, "cannot read the store");
			break;
		}
		there = sqlite3_step(stmt) == SQLITE_ROW;
		sqlite3_finalize(stmt);
		if (!there) {
			strbuf_clear(&sql);
			strbuf_str(&sql, "ALTER TABLE ");
			store_put_table(&sql, schema, part);
			strbuf_str(&sql, " ADD COLUMN \"");
			store_put_column(&sql, field->name);
			strbuf_str(&sql, "\"");
			err = execute(store, strbuf_text(&sql));
		}
	}
	strbuf_fini(&sql);
	return err;
}

static int create_type(struct store *store, const struct weir_schema *schema)
{
	struct strbuf sql;
	int part, err;

	strbuf_init(&sql);
	for (part = 0; part < STORE_NTABLES; part++) {
		store_put_create(&sql, schema, (enum store_part)part);
	}
	err = execute(store, strbuf_text(&sql));
	for (part = 0; part < STORE_NTABLES && err == 0; part++) {
		err = add_columns(store, schema, (enum store_part)part);
	}
	strbuf_clear(&sql);
	store_put_view(&sql, schema);
	if (err == 0) {
		err = execute(store, strbuf_text(&sql));
	}
	strbuf_fini(&sql);
	return err;
}

static int create(struct store *store, const struct weir_schema *const *schemas, int layout)
{
	static const char cannot[] = "cannot bring the store up to date";
	char sql[128];
	size_t i;
	int err = execute(store, "BEGIN IMMEDIATE");

	if (err == 0 && layout == STORE_LAYOUT_OLDEST && migrate_set_aside(store, schemas) < 0) {
		err = failed(store, cannot);
	}
	err = err < 0 ? err : execute(store, store_sql_tables);
	for (i = 0; schemas[i] != NULL && err == 0; i++) {
		err = create_type(store, schemas[i]);
	}
	if (err == 0 && layout == STORE_LAYOUT_OLDEST && migrate_fill(store, schemas) < 0) {
		err = failed(store, cannot);
	}
	(void)snprintf(sql, sizeof(sql), "PRAGMA application_id=%d;PRAGMA user_version=%d;COMMIT",
		       STORE_APPLICATION, STORE_VERSION);
	err = err < 0 ? err : execute(store, store_sql_views);
	return err < 0 ? err : execute(store, sql);
}

/* Held as long as the store is open: the descriptor is closed after SQLite's own, whose locks would go with it. */
static int lock(struct store *store, const char *path)
{
	store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (store->lock < 0) {
		return say(store, WEIR_EIO, "cannot open the store for writing");
	}
	if (flock(store->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
		return say(store, WEIR_EINVAL,
			   "another weir is writing this store\n"
			   "  Write into another file, or wait for its end.");
	}
	return 0;
}

int store_open(struct store *store, const char *path, const struct weir_schema *const *schemas)
{
	int layout = 0;
	int err;

	memset(store, 0, sizeof(*store));
	/* nobody asks how much memory it has; counting it is a lock at each allocation. Refused when SQLite is in use already */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	err = lock(store, path);
	if (err == 0 &&
	    sqlite3_open_v2(path, &store->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK) {
		err = failed(store, "cannot open the store for writing");
	}
	if (err == 0) {
		(void)sqlite3_busy_timeout(store->db, BUSY_MS);
		err = check(store, STORE_LAYOUT_OLDEST, &layout);
	}
	if (err == 0 && layout == 0) {
		err = execute(store, "PRAGMA page_size=8192;PRAGMA auto_vacuum=INCREMENTAL");
	}
	if (err == 0) {
		err = execute(store, "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
				     "PRAGMA temp_store=MEMORY;PRAGMA cache_size=-32768;"
				     "PRAGMA wal_autocheckpoint=4096;"
				     "PRAGMA journal_size_limit=67108864");
	}
	if (err == 0) {
		err = create(store, schemas, layout);
	}
	if (err < 0) {
		int error = errno;

		store_close(store);
		errno = error;
	}
	return err;
}

/* Questions only: no other files, no settings that change something. */
static int authorize(void *context, int action, const char *a, const char *b, const char *database,
		     const char *trigger)
{
	(void)context;
	(void)database;
	(void)trigger;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return b != NULL && sqlite3_stricmp(b, "load_extension") == 0 ? SQLITE_DENY
									      : SQLITE_OK;
	case SQLITE_PRAGMA:
		return b == NULL || strcmp(a, "table_info") == 0 || strcmp(a, "table_xinfo") == 0
			       ? SQLITE_OK
			       : SQLITE_DENY;
	default:
		return SQLITE_DENY;
	}
}

int store_open_readonly(struct store *store, const char *path)
{
	int layout = 0;
	int err = 0;

	memset(store, 0, sizeof(*store));
	store->lock = -1;
	if (access(path, R_OK) != 0) {
		return say(store, WEIR_EIO, "cannot open the store");
	}
	if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK) {
		err = failed(store, "cannot open the store");
	}
	if (err == 0) {
		(void)sqlite3_busy_timeout(store->db, BUSY_MS);
		err = check(store, STORE_VERSION, &layout);
	}
	if (err == 0 && layout == 0) {
		err = say(store, WEIR_EINVAL,
			  "the file is empty, not a store\n"
			  "  weir -o sqlite:FILE makes one.");
	}
	if (err == 0) {
		/* tables that are functions are made when first used, which the rule below would refuse */
		err = sqlite3_exec(store->db,
				   "PRAGMA query_only=1;PRAGMA temp_store=MEMORY;"
				   "SELECT 1 FROM json_each('[]');SELECT 1 FROM json_tree('[]')",
				   NULL, NULL, NULL) == SQLITE_OK
			      ? 0
			      : failed(store, "cannot read the store");
		(void)sqlite3_set_authorizer(store->db, authorize, NULL);
	}
	if (err < 0) {
		int error = errno;

		store_close(store);
		errno = error;
	}
	return err;
}

void store_close(struct store *store)
{
	(void)sqlite3_close_v2(store->db);
	store->db = NULL;
	if (store->lock >= 0) {
		(void)close(store->lock);
	}
	store->lock = -1;
}

bool store_is_one(const char *path)
{
	static const char magic[16] = "SQLite format 3";
	char head[sizeof(magic)];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));

	if (fd >= 0) {
		(void)close(fd);
	}
	return n == (ssize_t)sizeof(head) && memcmp(head, magic, sizeof(head)) == 0;
}

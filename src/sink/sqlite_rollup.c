/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is counted, and where records are: _rollup, _key, _shape_ids, _duration_ids (store/schema.h).
 *
 * A record costs one look at a table in memory: the cell of its 10 s interval and its shape, and an entry with its number and its
 * duration. Before a commit the cells are added up by each dimension and level and put on top of what the store has; the entries become
 * histograms and lists of numbers. So rows and rollups are in one transaction, and what a record costs here is some 100 ns.
 */
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sink/json_text.h"
#include "sink/sqlite.h"
#include "store/ids.h"
#include "weir/error.h"

enum {
	SLOTS = 2 * SQLITE_CELLS, /* a power of two */
	SHAPES_MAX = NAMES_MAX,
	FIRST_SHAPES = 1024,
	OCTAVES = 64,
};

/* A cell as a part of a row of _rollup. */
struct group {
	int64_t t;
	int64_t key;
	uint32_t cell;
};

/* ---- adding ---- */

static uint64_t u64_of(const struct plan *plan, const struct weir_record *rec, enum role role)
{
	int field = plan->role[role];

	return field >= 0 && weir_record_has(rec, (size_t)field)
		       ? sqlite_value(rec, (size_t)field)->v.u64
		       : 0;
}

static bool has_role(const struct plan *plan, const struct weir_record *rec, enum role role)
{
	return plan->role[role] >= 0 && weir_record_has(rec, (size_t)plan->role[role]);
}

static bool is_text(const struct weir_value *value, const char *text)
{
	size_t len = strlen(text);

	return value->len == len && memcmp(value->v.bytes, text, len) == 0;
}

static bool is_common(const struct weir_record *rec, size_t field, const char *text)
{
	return weir_record_has(rec, field) && is_text(sqlite_value(rec, field), text);
}

static int64_t time_of(const struct weir_record *rec, size_t field)
{
	return weir_record_has(rec, field) ? sqlite_value(rec, field)->v.i64 : 0;
}

/* Floor, of times before 1970, too. */
static int64_t interval_of(int64_t s, int64_t length)
{
	return s - ((s % length) + length) % length;
}

/* Statuses: 4xx and 5xx of HTTP; what a server told as an error; a connection that was reset. */
static bool add_status(const struct plan *plan, const struct weir_record *rec, int64_t *sums)
{
	int status = plan->role[ROLE_STATUS];
	bool answered = has_role(plan, rec, ROLE_STATUS);

	if (has_role(plan, rec, ROLE_ERROR)) {
		bool failed = is_text(sqlite_value(rec, (size_t)plan->role[ROLE_ERROR]), "error");

		sums[SUM_5XX] += failed;
		return failed;
	}
	if (plan->role[ROLE_ERROR] >= 0 || (status >= 0 && !answered)) {
		sums[SUM_UNANSWERED]++;
		return true;
	}
	if (!answered) {
		return false;
	}
	if (plan->kind[status] == WEIR_KIND_U64) {
		uint64_t code = sqlite_value(rec, (size_t)status)->v.u64;

		sums[SUM_4XX] += code >= 400 && code < 500;
		sums[SUM_5XX] += code >= 500;
		return code >= 400;
	}
	if (is_text(sqlite_value(rec, (size_t)status), "reset") ||
	    is_text(sqlite_value(rec, (size_t)status), "SERVFAIL")) {
		sums[SUM_5XX]++;
		return true;
	}
	return false;
}

/* Sizes are what a peer claims: sums stop where they would overflow. */
static void add_u64(int64_t *sum, uint64_t n)
{
	if (n > INT64_MAX || __builtin_add_overflow(*sum, (int64_t)n, sum)) {
		*sum = INT64_MAX;
	}
}

static void add_i64(int64_t *sum, int64_t n)
{
	int64_t at = *sum;

	if (__builtin_add_overflow(at, n, sum)) {
		*sum = n > 0 ? INT64_MAX : INT64_MIN;
	}
}

static void add_sums(const struct plan *plan, const struct weir_record *rec, int64_t *sums)
{
	sums[SUM_N]++;
	sums[SUM_INCOMPLETE] += weir_record_has(rec, WEIR_F_COMPLETENESS) &&
				!is_common(rec, WEIR_F_COMPLETENESS, "complete");
	add_u64(&sums[SUM_REQUEST_BYTES], has_role(plan, rec, ROLE_REQUEST_BYTES)
						  ? u64_of(plan, rec, ROLE_REQUEST_BYTES)
						  : u64_of(plan, rec, ROLE_REQUEST_BYTES_ELSE));
	add_u64(&sums[SUM_RESPONSE_BYTES], has_role(plan, rec, ROLE_RESPONSE_BYTES)
						   ? u64_of(plan, rec, ROLE_RESPONSE_BYTES)
						   : u64_of(plan, rec, ROLE_RESPONSE_BYTES_ELSE));
	add_i64(&sums[SUM_DURATION], time_of(rec, WEIR_F_DURATION));
	add_i64(&sums[SUM_SEND], time_of(rec, WEIR_F_TIMING_SEND));
	add_i64(&sums[SUM_WAIT], time_of(rec, WEIR_F_TIMING_WAIT));
	add_i64(&sums[SUM_RECEIVE], time_of(rec, WEIR_F_TIMING_RECEIVE));
	add_i64(&sums[SUM_STALL], time_of(rec, WEIR_F_TIMING_STALL));
	add_u64(&sums[SUM_RETRANSMITS], u64_of(plan, rec, ROLE_RETRANSMITS));
	add_u64(&sums[SUM_RETRANSMITS], u64_of(plan, rec, ROLE_RETRANSMITS_2));
	add_u64(&sums[SUM_OUT_OF_ORDER], u64_of(plan, rec, ROLE_OUT_OF_ORDER));
	add_u64(&sums[SUM_OUT_OF_ORDER], u64_of(plan, rec, ROLE_OUT_OF_ORDER_2));
	add_u64(&sums[SUM_GAPS], u64_of(plan, rec, ROLE_GAPS));
	add_u64(&sums[SUM_GAPS], u64_of(plan, rec, ROLE_GAPS_2));
	add_u64(&sums[SUM_MISSING], u64_of(plan, rec, ROLE_MISSING));
	add_u64(&sums[SUM_MISSING], u64_of(plan, rec, ROLE_MISSING_2));
	add_u64(&sums[SUM_PACKETS], u64_of(plan, rec, ROLE_PACKETS));
	add_u64(&sums[SUM_PACKETS], u64_of(plan, rec, ROLE_PACKETS_2));
}

static size_t slot_of(const struct rollup *rollup, int64_t t, int64_t shape)
{
	uint64_t hash = ((uint64_t)t * UINT64_C(0x9e3779b97f4a7c15)) ^
			((uint64_t)shape * UINT64_C(0xd6e8feb86659fd93));
	size_t i = (size_t)(hash ^ hash >> 29) & (SLOTS - 1);

	while (rollup->slots[i] != 0) {
		const struct cell *cell = &rollup->cells[rollup->slots[i] - 1];

		if (cell->t == t && cell->shape == shape) {
			break;
		}
		i = (i + 1) & (SLOTS - 1);
	}
	return i;
}

/* ---- keys ---- */

/* The values of a row of _key, behind the dimension; NULL: the dimension does not have it. */
struct key {
	enum store_dim dim;
	const struct weir_schema *schema;
	const struct weir_value *service, *method, *route, *status;
	bool status_is_number;
	bool server; /* of the record's flow */
	bool other;
};

static const struct weir_value *role_value(const struct plan *plan, const struct weir_record *rec,
					   enum role role)
{
	return has_role(plan, rec, role) ? sqlite_value(rec, (size_t)plan->role[role]) : NULL;
}

static struct key key_of(const struct plan *plan, const struct weir_record *rec, enum store_dim dim)
{
	struct key key = {.dim = dim, .schema = rec->schema};

	if (dim == STORE_BY_SERVICE || dim == STORE_BY_ENDPOINT) {
		key.service = role_value(plan, rec, ROLE_SERVICE);
	}
	if (dim == STORE_BY_ENDPOINT) {
		key.method = role_value(plan, rec, ROLE_METHOD);
		key.route = role_value(plan, rec, ROLE_ROUTE);
	}
	if (dim == STORE_BY_STATUS) {
		key.status = role_value(plan, rec, ROLE_STATUS);
		key.status_is_number =
			key.status != NULL && plan->kind[plan->role[ROLE_STATUS]] == WEIR_KIND_U64;
	}
	key.server = dim == STORE_BY_SERVER;
	return key;
}

static void put_part(struct strbuf *out, const void *p, size_t len, bool there)
{
	uint32_t n = there ? (uint32_t)len : UINT32_MAX;

	strbuf_add(out, &n, sizeof(n));
	if (there && len > 0) {
		strbuf_add(out, p, len);
	}
}

static void put_value(struct strbuf *out, const struct weir_value *value)
{
	put_part(out, value == NULL ? NULL : value->v.bytes, value == NULL ? 0 : value->len,
		 value != NULL);
}

/* What tells a key from others, into sq->key. */
static void put_key(struct sqlite_sink *sq, const struct key *key, const struct weir_record *rec)
{
	strbuf_clear(&sq->key);
	strbuf_char(&sq->key, (char)key->dim);
	strbuf_char(&sq->key, (char)key->other);
	put_part(&sq->key, key->schema->type, strlen(key->schema->type), true);
	if (key->other) {
		return;
	}
	put_value(&sq->key, key->service);
	put_value(&sq->key, key->method);
	put_value(&sq->key, key->route);
	if (key->status != NULL && key->status_is_number) {
		put_part(&sq->key, &key->status->v.u64, sizeof(key->status->v.u64), true);
	} else {
		put_value(&sq->key, key->status);
	}
	if (key->server) {
		put_value(&sq->key, weir_record_has(rec, WEIR_F_SERVER_ADDRESS)
					    ? sqlite_value(rec, WEIR_F_SERVER_ADDRESS)
					    : NULL);
		put_part(&sq->key,
			 weir_record_has(rec, WEIR_F_SERVER_PORT)
				 ? &sqlite_value(rec, WEIR_F_SERVER_PORT)->v.u64
				 : NULL,
			 sizeof(uint64_t), weir_record_has(rec, WEIR_F_SERVER_PORT));
	}
}

static void bind_text(struct sqlite_sink *sq, sqlite3_stmt *stmt, int parameter,
		      const struct weir_value *value)
{
	const char *text;
	size_t len;

	if (value != NULL) {
		text = sqlite_utf8(sq, value, &len);
		(void)sqlite3_bind_text64(stmt, parameter, text, len, SQLITE_TRANSIENT,
					  SQLITE_UTF8);
	}
}

/* Parameters of both statements: dim, type, service, method, route, server, port, status, other. */
static void bind_key(struct sqlite_sink *sq, sqlite3_stmt *stmt, const struct key *key,
		     const struct weir_record *rec)
{
	char text[JSON_ADDRESS_MAX]; /* a number is shorter */

	(void)sqlite3_clear_bindings(stmt);
	(void)sqlite3_bind_int(stmt, 1, key->dim);
	(void)sqlite3_bind_text(stmt, 2, key->schema->type, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(stmt, 9, key->other);
	if (key->other) {
		return;
	}
	bind_text(sq, stmt, 3, key->service);
	bind_text(sq, stmt, 4, key->method);
	bind_text(sq, stmt, 5, key->route);
	if (key->server && weir_record_has(rec, WEIR_F_SERVER_ADDRESS)) {
		const struct weir_value *value = sqlite_value(rec, WEIR_F_SERVER_ADDRESS);
		const char *end = json_put_address(text, value->v.bytes, value->len);

		/* without its quotes */
		(void)sqlite3_bind_text(stmt, 6, text + 1, (int)(end - text) - 2, SQLITE_TRANSIENT);
	}
	if (key->server && weir_record_has(rec, WEIR_F_SERVER_PORT)) {
		(void)sqlite3_bind_int64(stmt, 7,
					 (int64_t)sqlite_value(rec, WEIR_F_SERVER_PORT)->v.u64);
	}
	if (key->status != NULL && key->status_is_number) {
		(void)sqlite3_bind_text(stmt, 8, text,
					(int)(json_put_u64(text, key->status->v.u64) - text),
					SQLITE_TRANSIENT);
	} else {
		bind_text(sq, stmt, 8, key->status);
	}
}

/* Is another new key of this dimension allowed in this hour? */
static bool admits(struct rollup *rollup, enum store_dim dim, int64_t hour)
{
	if (hour > rollup->key_hour[dim]) {
		rollup->key_hour[dim] = hour;
		rollup->new_keys[dim] = 0;
	}
	return ++rollup->new_keys[dim] <= STORE_KEYS_MAX;
}

static int number_key(struct sqlite_sink *sq, struct key *key, const struct weir_record *rec,
		      int64_t hour, int64_t *ret)
{
	struct rollup *rollup = &sq->rollup;

	put_key(sq, key, rec);
	if (sq->key.failed) {
		return WEIR_ENOMEM;
	}
	*ret = names_find(&rollup->keys, sq->key.p, sq->key.len);
	if (*ret != 0) {
		return 0;
	}
	bind_key(sq, rollup->find_key, key, rec);
	if (sqlite3_step(rollup->find_key) == SQLITE_ROW) {
		*ret = sqlite3_column_int64(rollup->find_key, 0);
	}
	if (sqlite3_reset(rollup->find_key) != SQLITE_OK) {
		return WEIR_EIO;
	}
	if (*ret == 0 && !key->other && !admits(rollup, key->dim, hour)) {
		key->other = true;
		return number_key(sq, key, rec, hour, ret);
	}
	if (*ret == 0) {
		bind_key(sq, rollup->put_key, key, rec);
		if (sqlite_run(rollup->put_key) < 0) {
			return WEIR_EIO;
		}
		*ret = sqlite3_last_insert_rowid(sq->store.db);
	}
	put_key(sq, key, rec);
	names_put(&rollup->keys, sq->key.p, sq->key.len, *ret);
	return 0;
}

/* Room for what is known of a shape. Numbers ascend; those of before the last forgetting do not come again. */
static struct shape_keys *keys_of_shape(struct rollup *rollup, int64_t shape)
{
	size_t i;

	if (rollup->nshapes == 0 || shape < rollup->first_shape ||
	    shape - rollup->first_shape >= SHAPES_MAX) {
		rollup->first_shape = shape;
		rollup->nshapes = 0;
	}
	i = (size_t)(shape - rollup->first_shape);
	if (i >= rollup->shapes_size) {
		size_t size = rollup->shapes_size == 0 ? FIRST_SHAPES : rollup->shapes_size;
		struct shape_keys *grown;

		while (size <= i) {
			size *= 2;
		}
		grown = reallocarray(rollup->shapes, size, sizeof(*grown));
		if (grown == NULL) {
			return NULL;
		}
		rollup->shapes = grown;
		rollup->shapes_size = size;
	}
	if (i >= rollup->nshapes) {
		memset(rollup->shapes + rollup->nshapes, 0,
		       (i + 1 - rollup->nshapes) * sizeof(*rollup->shapes));
		rollup->nshapes = i + 1;
	}
	return &rollup->shapes[i];
}

static int learn_shape(struct sqlite_sink *sq, const struct plan *plan,
		       const struct weir_record *rec, int64_t shape, int64_t t,
		       struct shape_keys **ret)
{
	struct shape_keys *keys = keys_of_shape(&sq->rollup, shape);
	int dim, err = 0;

	if (keys == NULL) {
		return WEIR_ENOMEM;
	}
	for (dim = 0; dim < STORE_NDIMS && err == 0 && keys->key[STORE_NDIMS - 1] == 0; dim++) {
		struct key key = key_of(plan, rec, (enum store_dim)dim);

		err = number_key(sq, &key, rec, interval_of(t, 3600), &keys->key[dim]);
	}
	*ret = keys;
	return err;
}

static int cell_of(struct sqlite_sink *sq, const struct plan *plan, const struct weir_record *rec,
		   int64_t t, int64_t shape, struct cell **ret)
{
	struct rollup *rollup = &sq->rollup;
	size_t slot = slot_of(rollup, t, shape);
	struct shape_keys *keys;
	struct cell *cell;
	int err;

	if (rollup->slots[slot] != 0) {
		*ret = &rollup->cells[rollup->slots[slot] - 1];
		return 0;
	}
	err = learn_shape(sq, plan, rec, shape, t, &keys);
	if (err != 0) {
		return err;
	}
	cell = &rollup->cells[rollup->ncells++];
	memset(cell, 0, sizeof(*cell));
	cell->t = t;
	cell->shape = shape;
	cell->plan = plan;
	memcpy(cell->key, keys->key, sizeof(cell->key));
	cell->max_ns = INT64_MIN;
	rollup->slots[slot] = (uint32_t)rollup->ncells;
	*ret = cell;
	return 0;
}

int sqlite_rollup_add(struct sqlite_sink *sq, const struct plan *plan,
		      const struct weir_record *rec, int64_t id, int64_t shape)
{
	struct rollup *rollup = &sq->rollup;
	int64_t ts = time_of(rec, WEIR_F_TS), ns = -1;
	int time = plan->role[ROLE_TIME];
	struct entry *entry;
	struct cell *cell;
	bool failed;
	int err = 0;

	if (rollup->ncells == SQLITE_CELLS || rollup->nentries == SQLITE_ENTRIES) {
		err = sqlite_rollup_write(sq);
	}
	if (err == 0) {
		err = cell_of(sq, plan, rec, interval_of(ts / NS_PER_S - (ts % NS_PER_S < 0), 10),
			      shape, &cell);
	}
	if (err != 0) {
		return err;
	}
	add_sums(plan, rec, cell->sums);
	failed = add_status(plan, rec, cell->sums);
	if (time >= 0 && weir_record_has(rec, (size_t)time)) {
		ns = sqlite_value(rec, (size_t)time)->v.i64;
		ns = ns < 0 ? 0 : ns;
		cell->sums[SUM_TIMED]++;
		cell->max_ns = ns > cell->max_ns ? ns : cell->max_ns;
	}
	entry = &rollup->entries[rollup->nentries++];
	*entry = (struct entry){id, ns, (uint32_t)(cell - rollup->cells)};
	cell->nentries++;
	sq->retain.newest_ns = ts > sq->retain.newest_ns ? ts : sq->retain.newest_ns;
	sq->retain.run_ns = ts > sq->retain.run_ns ? ts : sq->retain.run_ns;
	return sqlite_top_add(sq, plan, rec, failed, ns);
}

/* ---- writing ---- */

/* `order` becomes the entries by cell, each cell's ascending; cell->at is behind its last. */
static void sort_entries(struct rollup *rollup)
{
	uint32_t at = 0;
	size_t i;

	for (i = 0; i < rollup->ncells; i++) {
		rollup->cells[i].at = at;
		at += rollup->cells[i].nentries;
	}
	for (i = 0; i < rollup->nentries; i++) {
		rollup->order[rollup->cells[rollup->entries[i].cell].at++] = (uint32_t)i;
	}
}

static int by_key(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->t != y->t) {
		return x->t < y->t ? -1 : 1;
	}
	return x->key < y->key ? -1 : x->key > y->key;
}

static void add_hist(const struct rollup *rollup, const struct cell *cell, struct hist *hist)
{
	uint32_t i;

	for (i = cell->at - cell->nentries; i < cell->at; i++) {
		int64_t ns = rollup->entries[rollup->order[i]].ns;

		if (ns >= 0) {
			hist_add(hist, hist_bucket(ns), 1);
		}
	}
}

/* What the store has of a row, onto what is to be added. */
static int add_stored(struct rollup *rollup, int64_t *sums, int64_t *max_ns)
{
	int i;

	if (sqlite3_step(rollup->get) == SQLITE_ROW) {
		for (i = 0; i < NSUMS; i++) {
			add_i64(&sums[i], sqlite3_column_int64(rollup->get, i));
		}
		if (sqlite3_column_type(rollup->get, NSUMS) != SQLITE_NULL &&
		    sqlite3_column_int64(rollup->get, NSUMS) > *max_ns) {
			*max_ns = sqlite3_column_int64(rollup->get, NSUMS);
		}
		hist_add_blob(rollup->hist, sqlite3_column_blob(rollup->get, NSUMS + 1),
			      (size_t)sqlite3_column_bytes(rollup->get, NSUMS + 1));
	}
	return sqlite3_reset(rollup->get) == SQLITE_OK ? 0 : WEIR_EIO;
}

static void bind_times(struct rollup *rollup, int64_t max_ns)
{
	static const double percents[] = {50, 95, 99};
	int i;

	if (max_ns == INT64_MIN) {
		for (i = 0; i < 5; i++) {
			(void)sqlite3_bind_null(rollup->put, 5 + NSUMS + i);
		}
		return;
	}
	(void)sqlite3_bind_int64(rollup->put, 5 + NSUMS, max_ns);
	for (i = 0; i < 3; i++) {
		int64_t ns = hist_percentile(rollup->hist, percents[i]);

		/* the middle of a bucket may be beyond what was there */
		(void)sqlite3_bind_int64(rollup->put, 6 + NSUMS + i, ns < max_ns ? ns : max_ns);
	}
	strbuf_clear(&rollup->blob);
	hist_put_blob(rollup->hist, &rollup->blob);
	(void)sqlite3_bind_blob64(rollup->put, 9 + NSUMS, rollup->blob.p, rollup->blob.len,
				  SQLITE_STATIC);
}

/* One row of _rollup: cells of groups[0..n). */
static int write_row(struct rollup *rollup, int level, int dim, const struct group *groups,
		     size_t n)
{
	int64_t sums[NSUMS] = {0}, max_ns = INT64_MIN;
	int64_t row[] = {level, dim, groups->t, groups->key};
	size_t i;
	int k;

	hist_clear(rollup->hist);
	for (i = 0; i < n; i++) {
		const struct cell *cell = &rollup->cells[groups[i].cell];

		for (k = 0; k < NSUMS; k++) {
			add_i64(&sums[k], cell->sums[k]);
		}
		max_ns = cell->max_ns > max_ns ? cell->max_ns : max_ns;
		add_hist(rollup, cell, rollup->hist);
	}
	for (k = 0; k < 4; k++) {
		(void)sqlite3_bind_int64(rollup->get, k + 1, row[k]);
		(void)sqlite3_bind_int64(rollup->put, k + 1, row[k]);
	}
	if (add_stored(rollup, sums, &max_ns) < 0) {
		return WEIR_EIO;
	}
	for (k = 0; k < NSUMS; k++) {
		(void)sqlite3_bind_int64(rollup->put, 5 + k, sums[k]);
	}
	bind_times(rollup, max_ns);
	return rollup->blob.failed ? WEIR_ENOMEM : sqlite_run(rollup->put);
}

static int write_rows(struct rollup *rollup, int level, int dim)
{
	int64_t length = store_level_s((enum store_level)level);
	struct group *groups = rollup->groups;
	size_t i, k;
	int err = 0;

	for (i = 0; i < rollup->ncells; i++) {
		const struct cell *cell = &rollup->cells[i];

		groups[i].t = interval_of(cell->t, length);
		groups[i].key = cell->key[dim];
		groups[i].cell = (uint32_t)i;
	}
	qsort(groups, rollup->ncells, sizeof(*groups), by_key);
	for (i = 0; i < rollup->ncells && err == 0; i = k) {
		for (k = i + 1; k < rollup->ncells && by_key(&groups[i], &groups[k]) == 0; k++) {
		}
		err = write_row(rollup, level, dim, groups + i, k - i);
	}
	return err;
}

/* Numbers of records that one row of a list holds; ascending. */
struct list {
	int64_t first, last; /* first 0: none yet */
};

static void list_add(struct list *list, struct strbuf *blob, int64_t id)
{
	char *to;

	if (list->first == 0) {
		list->first = id;
		strbuf_clear(blob);
	} else {
		to = strbuf_reserve(blob, IDS_MAX);
		if (to != NULL) {
			strbuf_wrote(blob, ids_put((uint8_t *)to, (uint64_t)(id - list->last)));
		}
	}
	list->last = id;
}

static int list_put(const struct list *list, struct strbuf *blob, sqlite3_stmt *stmt, int parameter)
{
	if (blob->failed) {
		return WEIR_ENOMEM;
	}
	(void)sqlite3_bind_int64(stmt, parameter, list->first);
	if (blob->len == 0) {
		(void)sqlite3_bind_null(stmt, parameter + 1);
	} else {
		(void)sqlite3_bind_blob64(stmt, parameter + 1, blob->p, blob->len, SQLITE_STATIC);
	}
	return sqlite_run(stmt);
}

static int by_id(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Records of a shape: of one cell in order; of cells of several intervals to be merged. `ids` has room for all. */
static int write_shape_ids(struct rollup *rollup, int64_t *ids)
{
	struct group *groups = rollup->groups;
	size_t i, k, n;
	int err = 0;

	for (i = 0; i < rollup->ncells; i++) {
		groups[i] = (struct group){0, rollup->cells[i].shape, (uint32_t)i};
	}
	qsort(groups, rollup->ncells, sizeof(*groups), by_key);
	for (i = 0; i < rollup->ncells && err == 0; i = k) {
		struct list list = {0, 0};
		size_t id;

		n = 0;
		for (k = i; k < rollup->ncells && groups[k].key == groups[i].key; k++) {
			const struct cell *cell = &rollup->cells[groups[k].cell];
			uint32_t at;

			for (at = cell->at - cell->nentries; at < cell->at; at++) {
				ids[n++] = rollup->entries[rollup->order[at]].id;
			}
		}
		if (k - i > 1) {
			qsort(ids, n, sizeof(*ids), by_id);
		}
		for (id = 0; id < n; id++) {
			list_add(&list, &rollup->blob, ids[id]);
		}
		(void)sqlite3_bind_int64(rollup->put_ids, 1, groups[i].key);
		err = list_put(&list, &rollup->blob, rollup->put_ids, 2);
	}
	return err;
}

static unsigned octave_of(int64_t ns)
{
	return ns < 1 ? 0 : 63 - (unsigned)__builtin_clzll((uint64_t)ns);
}

/* Records of a type by their duration: one pass over the entries, a list for each octave. */
static int write_octaves(struct rollup *rollup, const struct plan *plan)
{
	struct list lists[OCTAVES] = {{0, 0}};
	struct strbuf blobs[OCTAVES];
	unsigned k;
	size_t i;
	int err = 0;

	for (k = 0; k < OCTAVES; k++) {
		strbuf_init(&blobs[k]);
	}
	for (i = 0; i < rollup->nentries; i++) {
		const struct entry *entry = &rollup->entries[i];

		if (entry->ns >= 0 && rollup->cells[entry->cell].plan == plan) {
			k = octave_of(entry->ns);
			list_add(&lists[k], &blobs[k], entry->id);
		}
	}
	for (k = 0; k < OCTAVES; k++) {
		if (lists[k].first != 0 && err == 0) {
			(void)sqlite3_bind_int64(rollup->put_octave, 1, plan->type);
			(void)sqlite3_bind_int64(rollup->put_octave, 2, k);
			err = list_put(&lists[k], &blobs[k], rollup->put_octave, 3);
		}
		strbuf_fini(&blobs[k]);
	}
	return err;
}

static bool has_entries(const struct rollup *rollup, const struct plan *plan)
{
	size_t i;

	for (i = 0; i < rollup->ncells; i++) {
		if (rollup->cells[i].plan == plan) {
			return true;
		}
	}
	return false;
}

static void forget_cells(struct rollup *rollup)
{
	memset(rollup->slots, 0, SLOTS * sizeof(*rollup->slots));
	rollup->ncells = 0;
	rollup->nentries = 0;
}

int sqlite_rollup_write(struct sqlite_sink *sq)
{
	struct rollup *rollup = &sq->rollup;
	const struct plan *plan;
	int64_t *ids;
	int level, dim, err = 0;

	if (rollup->nentries == 0) {
		return 0;
	}
	ids = malloc(rollup->nentries * sizeof(*ids));
	if (ids == NULL) {
		return WEIR_ENOMEM;
	}
	sort_entries(rollup);
	for (level = 0; level < STORE_NLEVELS; level++) {
		for (dim = 0; dim < STORE_NDIMS && err == 0; dim++) {
			err = write_rows(rollup, level, dim);
		}
	}
	err = err < 0 ? err : write_shape_ids(rollup, ids);
	for (plan = sq->plans; plan != NULL && err == 0; plan = plan->next) {
		if (has_entries(rollup, plan)) {
			err = write_octaves(rollup, plan);
		}
	}
	free(ids);
	forget_cells(rollup);
	return err;
}

/* ---- life ---- */

void sqlite_rollup_forget(struct sqlite_sink *sq)
{
	struct rollup *rollup = &sq->rollup;

	forget_cells(rollup);
	rollup->nshapes = 0;
	names_forget(&rollup->keys, 0);
	rollup->blob.failed = false;
}

static int prepare(struct sqlite_sink *sq)
{
	struct rollup *rollup = &sq->rollup;

#define SUMS                                                                                       \
	"n,n_timed,n_4xx,n_5xx,n_unanswered,n_incomplete,request_bytes,response_bytes,"            \
	"duration_ns,send_ns,wait_ns,receive_ns,stall_ns,retransmits,out_of_order,gaps,"           \
	"missing_bytes,packets,max_ns"
	rollup->get = sqlite_prepare(sq, "SELECT " SUMS ",hist FROM _rollup WHERE level=? AND "
					 "dim=? AND t=? AND key=?");
	rollup->put = sqlite_prepare(sq, "REPLACE INTO _rollup(level,dim,t,key," SUMS
					 ",p50_ns,p95_ns,p99_ns,hist)VALUES(?,?,?,?,?,?,?,?,?,?,?,"
					 "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
#undef SUMS
	rollup->find_key = sqlite_prepare(
		sq, "SELECT _id FROM _key WHERE dim=? AND type=? AND service IS ? AND method IS ? "
		    "AND route IS ? AND server IS ? AND port IS ? AND status IS ? AND other=?");
	rollup->put_key = sqlite_prepare(sq, "INSERT INTO _key(dim,type,service,method,route,"
					     "server,port,status,other)VALUES(?,?,?,?,?,?,?,?,?)");
	rollup->put_ids =
		sqlite_prepare(sq, "INSERT INTO _shape_ids(shape,first,ids)VALUES(?,?,?)");
	rollup->put_octave = sqlite_prepare(
		sq, "INSERT INTO _duration_ids(type,octave,first,ids)VALUES(?,?,?,?)");
	return rollup->get == NULL || rollup->put == NULL || rollup->find_key == NULL ||
			       rollup->put_key == NULL || rollup->put_ids == NULL ||
			       rollup->put_octave == NULL
		       ? WEIR_EIO
		       : 0;
}

int sqlite_rollup_open(struct sqlite_sink *sq)
{
	struct rollup *rollup = &sq->rollup;
	int dim;

	strbuf_init(&rollup->blob);
	rollup->cells = calloc(SQLITE_CELLS, sizeof(*rollup->cells));
	rollup->slots = calloc(SLOTS, sizeof(*rollup->slots));
	rollup->entries = calloc(SQLITE_ENTRIES, sizeof(*rollup->entries));
	rollup->order = calloc(SQLITE_ENTRIES, sizeof(*rollup->order));
	rollup->groups = calloc(SQLITE_CELLS, sizeof(*rollup->groups));
	rollup->hist = calloc(1, sizeof(*rollup->hist));
	for (dim = 0; dim < STORE_NDIMS; dim++) {
		rollup->key_hour[dim] = INT64_MIN;
	}
	if (rollup->cells == NULL || rollup->slots == NULL || rollup->entries == NULL ||
	    rollup->order == NULL || rollup->groups == NULL || rollup->hist == NULL ||
	    names_init(&rollup->keys, sq->strings.seed, 0, false) < 0) {
		return WEIR_ENOMEM;
	}
	return prepare(sq);
}

void sqlite_rollup_close(struct sqlite_sink *sq)
{
	struct rollup *rollup = &sq->rollup;

	(void)sqlite3_finalize(rollup->get);
	(void)sqlite3_finalize(rollup->put);
	(void)sqlite3_finalize(rollup->find_key);
	(void)sqlite3_finalize(rollup->put_key);
	(void)sqlite3_finalize(rollup->put_ids);
	(void)sqlite3_finalize(rollup->put_octave);
	free(rollup->cells);
	free(rollup->slots);
	free(rollup->entries);
	free(rollup->order);
	free(rollup->groups);
	free(rollup->hist);
	free(rollup->shapes);
	names_fini(&rollup->keys);
	strbuf_fini(&rollup->blob);
}

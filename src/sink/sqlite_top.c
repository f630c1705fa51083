/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The most frequent of an hour: _top (store/schema.h).
 *
 * Space-saving (Metwally, Agrawal, El Abbadi: "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005) in
 * sets of four: what is new takes the place of the least of its set and inherits its count, which is told as `error`. The hour is that of the
 * newest records; one that began an hour before still counts for it. The table is in the transaction of the rows, and what
 * it says is where the next run goes on.
 */
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/time.h"
#include "sink/json_text.h"
#include "sink/sqlite.h"
#include "weir/error.h"

enum { HOUR = 3600 };

/* ---- counting ---- */

static struct top_slot *slot_of(struct top *top, enum store_top what, uint64_t hash, bool *ret_new)
{
	struct top_slot *set = top->slots[what] + (hash % (TOP_SLOTS / TOP_WAYS)) * TOP_WAYS;
	struct top_slot *least = set;
	int i;

	*ret_new = false;
	for (i = 0; i < TOP_WAYS; i++) {
		if (set[i].hash == hash) {
			return &set[i];
		}
		least = set[i].n < least->n ? &set[i] : least;
	}
	*ret_new = true;
	return least;
}

/* As much of a text as is kept: whole characters. */
static size_t cut(const char *text, size_t len)
{
	if (len <= TOP_TEXT) {
		return len;
	}
	for (len = TOP_TEXT; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80; len--) {
	}
	return len;
}

static int count(struct top *top, enum store_top what, const char *text, size_t len, bool failed,
		 int64_t ns)
{
	uint64_t hash;
	struct top_slot *slot;
	bool fresh;

	len = cut(text, len);
	hash = XXH3_64bits_withSeed(text, len, top->seed) | 1;
	slot = slot_of(top, what, hash, &fresh);
	if (fresh) {
		/* an empty text is one, too: none would be NULL */
		if (len > slot->room || slot->text == NULL) {
			/* rounded up, so that most fit into what is there */
			char *grown = realloc(slot->text, len | 63);

			if (grown == NULL) {
				return WEIR_ENOMEM;
			}
			slot->text = grown;
			slot->room = (uint32_t)len | 63;
		}
		memcpy(slot->text, text, len);
		slot->hash = hash;
		slot->error = slot->n;
		slot->n_error = 0;
		slot->max_ns = -1;
		slot->len = (uint32_t)len;
	}
	slot->n++;
	slot->n_error += failed;
	slot->max_ns = ns > slot->max_ns ? ns : slot->max_ns;
	top->dirty[what] = true;
	return 0;
}

/* ---- hours ---- */

static void clear(struct top *top)
{
	int what, i;

	for (what = 0; what < STORE_NTOPS; what++) {
		for (i = 0; i < TOP_SLOTS; i++) {
			struct top_slot *slot = &top->slots[what][i];

			/* the memory of the text stays */
			*slot = (struct top_slot){
				.text = slot->text, .room = slot->room, .max_ns = -1};
		}
		top->dirty[what] = false;
	}
}

/* What a run before, or this one, has of the hour. */
static int load(struct sqlite_sink *sq, int64_t hour)
{
	sqlite3_stmt *stmt = sqlite_prepare(
		sq, "SELECT what,value,n,n_error,error,max_ns FROM _top WHERE t=? ORDER BY n DESC");
	struct top *top = &sq->top;
	int err = stmt == NULL ? WEIR_EIO : 0;

	clear(top);
	(void)sqlite3_bind_int64(stmt, 1, hour);
	while (err == 0 && sqlite3_step(stmt) == SQLITE_ROW) {
		int what = sqlite3_column_int(stmt, 0);
		const char *text = (const char *)sqlite3_column_text(stmt, 1);
		size_t len = (size_t)sqlite3_column_bytes(stmt, 1);
		struct top_slot *slot;
		bool fresh;

		if (what < 0 || what >= STORE_NTOPS || text == NULL) {
			continue;
		}
		err = count(top, (enum store_top)what, text, len, false, -1);
		slot = slot_of(top, (enum store_top)what,
			       XXH3_64bits_withSeed(text, cut(text, len), top->seed) | 1, &fresh);
		slot->n = (uint64_t)sqlite3_column_int64(stmt, 2);
		slot->n_error = (uint64_t)sqlite3_column_int64(stmt, 3);
		slot->error = (uint64_t)sqlite3_column_int64(stmt, 4);
		slot->max_ns = sqlite3_column_type(stmt, 5) == SQLITE_NULL
				       ? -1
				       : sqlite3_column_int64(stmt, 5);
		top->dirty[what] = false;
	}
	(void)sqlite3_finalize(stmt);
	top->hour = hour;
	return err;
}

static int turn_to(struct sqlite_sink *sq, int64_t ts)
{
	int64_t s = ts / NS_PER_S, hour = s - ((s % HOUR) + HOUR) % HOUR;
	int err = 0;

	if (hour == sq->top.hour || hour + HOUR == sq->top.hour) {
		return 0;
	}
	if (sq->top.hour != INT64_MIN) {
		err = sqlite_top_write(sq);
	}
	return err < 0 ? err : load(sq, hour);
}

/* ---- records ---- */

static int add_text(struct sqlite_sink *sq, enum store_top what, const struct weir_record *rec,
		    int field, bool failed, int64_t ns)
{
	const char *text;
	size_t len;

	if (field < 0 || !weir_record_has(rec, (size_t)field)) {
		return 0;
	}
	text = sqlite_utf8(sq, sqlite_value(rec, (size_t)field), &len);
	return count(&sq->top, what, text, len, failed, ns);
}

/* scheme://domain and path */
static int add_url(struct sqlite_sink *sq, const struct plan *plan, const struct weir_record *rec,
		   bool failed, int64_t ns)
{
	const int16_t *role = plan->role;
	const char *text;
	char url[TOP_TEXT + 1];
	size_t n = 0, len, i;
	struct {
		int field;
		const char *before;
	} parts[] = {{role[ROLE_SCHEME], ""}, {role[ROLE_HOST], "://"}, {role[ROLE_PATH], ""}};

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].field < 0 || !weir_record_has(rec, (size_t)parts[i].field)) {
			continue;
		}
		len = strlen(parts[i].before);
		if (n + len > sizeof(url)) {
			break;
		}
		memcpy(url + n, parts[i].before, len);
		n += len;
		text = sqlite_utf8(sq, sqlite_value(rec, (size_t)parts[i].field), &len);
		len = len < sizeof(url) - n ? len : sizeof(url) - n;
		memcpy(url + n, text, len);
		n += len;
	}
	/* one byte more than is kept shows where a character is cut */
	return n == 0 ? 0 : count(&sq->top, STORE_TOP_URL, url, n, failed, ns);
}

int sqlite_top_add(struct sqlite_sink *sq, const struct plan *plan, const struct weir_record *rec,
		   bool failed, int64_t duration_ns)
{
	const int16_t *role = plan->role;
	bool url = role[ROLE_PATH] >= 0;
	char address[JSON_ADDRESS_MAX];
	int err = 0;

	if (!url && role[ROLE_STATEMENT] < 0 && role[ROLE_NAME] < 0) {
		return 0; /* no request: what it came from counts the same traffic twice */
	}
	if (weir_record_has(rec, WEIR_F_TS)) {
		err = turn_to(sq, sqlite_value(rec, WEIR_F_TS)->v.i64);
	}
	if (err == 0 && weir_record_has(rec, WEIR_F_CLIENT_ADDRESS)) {
		const struct weir_value *value = sqlite_value(rec, WEIR_F_CLIENT_ADDRESS);
		const char *end = json_put_address(address, value->v.bytes, value->len);

		err = count(&sq->top, STORE_TOP_CLIENT, address + 1, (size_t)(end - address) - 2,
			    failed, duration_ns);
	}
	if (err == 0 && url) {
		err = add_url(sq, plan, rec, failed, duration_ns);
	}
	err = err < 0 ? err
		      : add_text(sq, STORE_TOP_HOST, rec, role[ROLE_HOST], failed, duration_ns);
	err = err < 0 ? err
		      : add_text(sq, STORE_TOP_STATEMENT, rec, role[ROLE_STATEMENT], failed,
				 duration_ns);
	return err < 0 ? err
		       : add_text(sq, STORE_TOP_NAME, rec, role[ROLE_NAME], failed, duration_ns);
}

/* ---- writing ---- */

/* Most first; the same count: by text, so that runs over the same records agree. */
static int by_count(const void *a, const void *b)
{
	const struct top_slot *x = *(const struct top_slot *const *)a;
	const struct top_slot *y = *(const struct top_slot *const *)b;
	uint32_t len = x->len < y->len ? x->len : y->len;
	int diff;

	if (x->n != y->n) {
		return x->n > y->n ? -1 : 1;
	}
	diff = memcmp(x->text, y->text, len);
	return diff != 0 ? diff : (x->len > y->len) - (x->len < y->len);
}

static int put(struct top *top, enum store_top what, const struct top_slot *slot)
{
	(void)sqlite3_bind_int64(top->put, 1, top->hour);
	(void)sqlite3_bind_int(top->put, 2, what);
	(void)sqlite3_bind_text(top->put, 3, slot->text, (int)slot->len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(top->put, 4, (int64_t)slot->n);
	(void)sqlite3_bind_int64(top->put, 5, (int64_t)slot->n_error);
	(void)sqlite3_bind_int64(top->put, 6, (int64_t)slot->error);
	if (slot->max_ns < 0) {
		(void)sqlite3_bind_null(top->put, 7);
	} else {
		(void)sqlite3_bind_int64(top->put, 7, slot->max_ns);
	}
	return sqlite_run(top->put);
}

int sqlite_top_write(struct sqlite_sink *sq)
{
	const struct top_slot *sorted[TOP_SLOTS];
	struct top *top = &sq->top;
	int what, i, n, err = 0;

	for (what = 0; what < STORE_NTOPS && err == 0; what++) {
		if (!top->dirty[what]) {
			continue;
		}
		for (i = 0, n = 0; i < TOP_SLOTS; i++) {
			if (top->slots[what][i].hash != 0) {
				sorted[n++] = &top->slots[what][i];
			}
		}
		qsort(sorted, (size_t)n, sizeof(sorted[0]), by_count);
		(void)sqlite3_bind_int64(top->clear, 1, top->hour);
		(void)sqlite3_bind_int(top->clear, 2, what);
		err = sqlite_run(top->clear);
		for (i = 0; i < n && i < STORE_TOP && err == 0; i++) {
			err = put(top, (enum store_top)what, sorted[i]);
		}
		top->dirty[what] = false;
	}
	return err;
}

/* ---- life ---- */

void sqlite_top_forget(struct sqlite_sink *sq)
{
	sq->top.hour = INT64_MIN; /* read again when needed */
}

int sqlite_top_open(struct sqlite_sink *sq)
{
	struct top *top = &sq->top;
	int what;

	top->hour = INT64_MIN;
	top->seed = sq->strings.seed;
	for (what = 0; what < STORE_NTOPS; what++) {
		top->slots[what] = calloc(TOP_SLOTS, sizeof(*top->slots[what]));
		if (top->slots[what] == NULL) {
			return WEIR_ENOMEM;
		}
	}
	top->clear = sqlite_prepare(sq, "DELETE FROM _top WHERE t=? AND what=?");
	top->put = sqlite_prepare(sq, "REPLACE INTO _top(t,what,value,n,n_error,error,max_ns)"
				      "VALUES(?,?,?,?,?,?,?)");
	return top->clear == NULL || top->put == NULL ? WEIR_EIO : 0;
}

void sqlite_top_close(struct sqlite_sink *sq)
{
	struct top *top = &sq->top;
	int what, i;

	for (what = 0; what < STORE_NTOPS; what++) {
		for (i = 0; top->slots[what] != NULL && i < TOP_SLOTS; i++) {
			free(top->slots[what][i].text);
		}
		free(top->slots[what]);
	}
	(void)sqlite3_finalize(top->clear);
	(void)sqlite3_finalize(top->put);
}

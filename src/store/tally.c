/* SPDX-License-Identifier: Apache-2.0 */
/* Counting in groups: see tally.h. */
#include "store/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "weir/error.h"

enum {
	MEMORY = 512 << 20,
	NONE = UINT32_MAX,
	FIRST_SLOTS = 256,
	FIRST_ROOM = 8,
	SPARSE_MAX =
		16, /* bins of a cell; then it gets a dense histogram, as long as there are no more than */
	DENSE_MAX = 8192, /* cells that have one */
};

#define BLOCK (64 << 10)

/* Buckets that have something, ascending. */
struct bin {
	uint32_t bucket;
	uint64_t n;
};

struct cell {
	struct store_red red;
	uint32_t group, step;
	uint32_t next; /* cell of the same group; NONE */
	uint32_t nvalues, values_room;
	uint32_t nbins, bins_room;
	int64_t *values;
	struct bin *bins;
	struct hist *dense; /* instead of bins, when there are many to be added */
};

struct group {
	uint64_t hash;
	struct store_text keys[STORE_TEXTS_MAX];
	uint32_t first; /* cell */
};

struct tally {
	struct budget budget;
	struct arena_pool pool;
	struct weir_arena arena; /* texts, values, results */
	unsigned nkeys;
	size_t nsteps;
	struct group *groups;
	size_t ngroups, groups_room;
	uint32_t
		beyond; /* the group of all that were not told apart when they were written; NONE */
	struct cell *cells;
	size_t ncells, cells_room;
	uint32_t *group_slots, *cell_slots; /* open addressing: number, or NONE */
	size_t ngroup_slots, ncell_slots;
	uint64_t seed;
	uint64_t nvalues;
	size_t ndense;
	bool rough;
	struct hist scratch;
	struct store_group *results;
	struct store_red *steps;
};

/* ---- memory ---- */

static uint32_t *new_slots(struct budget *budget, size_t n)
{
	uint32_t *slots = budget_alloc(budget, n * sizeof(*slots));

	if (slots != NULL) {
		memset(slots, 0xff, n * sizeof(*slots));
	}
	return slots;
}

int tally_new(unsigned nkeys, size_t nsteps, struct tally **ret)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (tally == NULL) {
		return WEIR_ENOMEM;
	}
	budget_init(&tally->budget, MEMORY, NULL);
	arena_pool_init_blocks(&tally->pool, &tally->budget, 0, BLOCK);
	arena_init(&tally->arena, &tally->pool);
	tally->nkeys = nkeys;
	tally->nsteps = nsteps;
	tally->beyond = NONE;
	tally->seed = (uint64_t)(uintptr_t)tally ^ (uint64_t)(uintptr_t)&ret; /* of this run */
	tally->ngroup_slots = FIRST_SLOTS;
	tally->ncell_slots = FIRST_SLOTS;
	tally->group_slots = new_slots(&tally->budget, FIRST_SLOTS);
	tally->cell_slots = new_slots(&tally->budget, FIRST_SLOTS);
	if (tally->group_slots == NULL || tally->cell_slots == NULL) {
		tally_free(tally);
		return WEIR_ENOMEM;
	}
	*ret = tally;
	return 0;
}

void tally_free(struct tally *tally)
{
	if (tally == NULL) {
		return;
	}
	budget_free(&tally->budget, tally->group_slots,
		    tally->ngroup_slots * sizeof(*tally->group_slots));
	budget_free(&tally->budget, tally->cell_slots,
		    tally->ncell_slots * sizeof(*tally->cell_slots));
	budget_free(&tally->budget, tally->groups, tally->groups_room * sizeof(*tally->groups));
	budget_free(&tally->budget, tally->cells, tally->cells_room * sizeof(*tally->cells));
	arena_fini(&tally->arena);
	arena_pool_fini(&tally->pool);
	free(tally);
}

/* Room for one more element at the end. */
static bool room(struct budget *budget, void **array, size_t n, size_t *room, size_t size)
{
	size_t more = *room == 0 ? FIRST_ROOM : 2 * *room;
	void *grown;

	if (n < *room) {
		return true;
	}
	grown = budget_realloc(budget, *array, *room * size, more * size);
	if (grown == NULL) {
		return false;
	}
	*array = grown;
	*room = more;
	return true;
}

/* The same in the arena, where what it was is left behind. */
static bool arena_room(struct weir_arena *arena, void **array, uint32_t n, uint32_t *room,
		       size_t size)
{
	uint32_t more = *room == 0 ? FIRST_ROOM : 2 * *room;
	void *grown;

	if (n < *room) {
		return true;
	}
	grown = arena_alloc(arena, more * size);
	if (grown == NULL) {
		return false;
	}
	if (n > 0) {
		memcpy(grown, *array, n * size);
	}
	*array = grown;
	*room = more;
	return true;
}

/* ---- groups and cells ---- */

static uint64_t hash_keys(const struct tally *tally, const struct store_text *keys)
{
	uint64_t hash = tally->seed;
	unsigned i;

	for (i = 0; i < tally->nkeys; i++) {
		hash = keys[i].p == NULL ? hash * 31 + 1
					 : XXH3_64bits_withSeed(keys[i].p, keys[i].len, hash);
	}
	return hash;
}

static bool same_text(const struct store_text *a, const struct store_text *b)
{
	return (a->p == NULL) == (b->p == NULL) && a->len == b->len &&
	       (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

static bool same_keys(const struct tally *tally, const struct store_text *a,
		      const struct store_text *b)
{
	unsigned i;

	for (i = 0; i < tally->nkeys && same_text(&a[i], &b[i]); i++) {
	}
	return i == tally->nkeys;
}

static bool grow_group_slots(struct tally *tally)
{
	size_t n = 2 * tally->ngroup_slots, i;
	uint32_t *slots = new_slots(&tally->budget, n);

	if (slots == NULL) {
		return false;
	}
	for (i = 0; i < tally->ngroups; i++) {
		size_t at = tally->groups[i].hash & (n - 1);

		if (i == tally->beyond) {
			continue;
		}
		while (slots[at] != NONE) {
			at = (at + 1) & (n - 1);
		}
		slots[at] = (uint32_t)i;
	}
	budget_free(&tally->budget, tally->group_slots, tally->ngroup_slots * sizeof(*slots));
	tally->group_slots = slots;
	tally->ngroup_slots = n;
	return true;
}

/* @return the group's number; NONE: no memory */
static uint32_t add_group(struct tally *tally, const struct store_text *keys, uint64_t hash,
			  size_t slot)
{
	struct group *group;
	unsigned i;

	if (!room(&tally->budget, (void **)&tally->groups, tally->ngroups, &tally->groups_room,
		  sizeof(*tally->groups))) {
		return NONE;
	}
	group = &tally->groups[tally->ngroups];
	memset(group, 0, sizeof(*group));
	group->hash = hash;
	group->first = NONE;
	for (i = 0; i < tally->nkeys; i++) {
		if (keys[i].p != NULL) {
			group->keys[i].len = keys[i].len;
			group->keys[i].p = arena_dup(&tally->arena, keys[i].p, keys[i].len);
			if (group->keys[i].p == NULL) {
				return NONE;
			}
		}
	}
	tally->group_slots[slot] = (uint32_t)tally->ngroups;
	return (uint32_t)tally->ngroups++;
}

/* One more than the groups that are told apart stands for all others. */
static uint32_t find_group(struct tally *tally, const struct store_text *keys)
{
	uint64_t hash = hash_keys(tally, keys);
	size_t at;

	if (2 * tally->ngroups >= tally->ngroup_slots && !grow_group_slots(tally)) {
		return NONE;
	}
	at = hash & (tally->ngroup_slots - 1);
	while (tally->group_slots[at] != NONE) {
		const struct group *group = &tally->groups[tally->group_slots[at]];

		if (group->hash == hash && same_keys(tally, group->keys, keys)) {
			return tally->group_slots[at];
		}
		at = (at + 1) & (tally->ngroup_slots - 1);
	}
	if (tally->ngroups > STORE_GROUPS_MAX) {
		return STORE_GROUPS_MAX;
	}
	return add_group(tally, keys, hash, at);
}

static uint64_t hash_cell(uint32_t group, size_t step)
{
	uint64_t x = (uint64_t)group << 16 ^ step;

	x *= UINT64_C(0x9e3779b97f4a7c15);
	return x ^ x >> 32;
}

static bool grow_cell_slots(struct tally *tally)
{
	size_t n = 2 * tally->ncell_slots, i;
	uint32_t *slots = new_slots(&tally->budget, n);

	if (slots == NULL) {
		return false;
	}
	for (i = 0; i < tally->ncells; i++) {
		size_t at = hash_cell(tally->cells[i].group, tally->cells[i].step) & (n - 1);

		while (slots[at] != NONE) {
			at = (at + 1) & (n - 1);
		}
		slots[at] = (uint32_t)i;
	}
	budget_free(&tally->budget, tally->cell_slots, tally->ncell_slots * sizeof(*slots));
	tally->cell_slots = slots;
	tally->ncell_slots = n;
	return true;
}

/* NULL: no memory */
static struct cell *find_cell(struct tally *tally, uint32_t group, size_t step)
{
	struct cell *cell;
	size_t at;

	if (2 * tally->ncells >= tally->ncell_slots && !grow_cell_slots(tally)) {
		return NULL;
	}
	at = hash_cell(group, step) & (tally->ncell_slots - 1);
	while (tally->cell_slots[at] != NONE) {
		cell = &tally->cells[tally->cell_slots[at]];
		if (cell->group == group && cell->step == step) {
			return cell;
		}
		at = (at + 1) & (tally->ncell_slots - 1);
	}
	if (!room(&tally->budget, (void **)&tally->cells, tally->ncells, &tally->cells_room,
		  sizeof(*tally->cells))) {
		return NULL;
	}
	cell = &tally->cells[tally->ncells];
	memset(cell, 0, sizeof(*cell));
	cell->group = group;
	cell->step = (uint32_t)step;
	cell->next = tally->groups[group].first;
	tally->groups[group].first = (uint32_t)tally->ncells;
	tally->cell_slots[at] = (uint32_t)tally->ncells++;
	return cell;
}

static struct cell *cell_of(struct tally *tally, const struct store_text *keys, size_t step)
{
	uint32_t group = find_group(tally, keys);

	return group == NONE ? NULL : find_cell(tally, group, step);
}

/* ---- adding ---- */

static void add_red(struct store_red *to, const struct store_red *red)
{
	to->count += red->count;
	to->failed += red->failed;
	to->refused += red->refused;
	to->unanswered += red->unanswered;
	to->incomplete += red->incomplete;
	to->request_bytes += red->request_bytes;
	to->response_bytes += red->response_bytes;
	to->retransmits += red->retransmits;
	to->gaps += red->gaps;
	to->missing_bytes += red->missing_bytes;
	to->send_ns += red->send_ns;
	to->wait_ns += red->wait_ns;
	to->receive_ns += red->receive_ns;
	to->stall_ns += red->stall_ns;
	if (red->timed > 0 && (to->timed == 0 || red->max_ns > to->max_ns)) {
		to->max_ns = red->max_ns;
	}
	to->timed += red->timed;
	to->total_ns += red->total_ns;
}

/* A cell with many bins is added to often: bins then are where they are looked for. */
static void make_dense(struct tally *tally, struct cell *cell)
{
	uint32_t i;

	cell->dense = arena_alloc(&tally->arena, sizeof(*cell->dense));
	if (cell->dense == NULL) {
		return;
	}
	tally->ndense++;
	memset(cell->dense, 0, sizeof(*cell->dense));
	for (i = 0; i < cell->nbins; i++) {
		hist_add(cell->dense, cell->bins[i].bucket, cell->bins[i].n);
	}
	cell->nbins = 0;
}

static bool add_bin(struct tally *tally, struct cell *cell, uint32_t bucket, uint64_t n)
{
	uint32_t low = 0, high = cell->nbins;

	if (cell->dense == NULL && high >= SPARSE_MAX && tally->ndense < DENSE_MAX) {
		make_dense(tally, cell);
	}
	if (cell->dense != NULL) {
		hist_add(cell->dense, bucket, n);
		return true;
	}
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (cell->bins[middle].bucket < bucket) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	if (low < cell->nbins && cell->bins[low].bucket == bucket) {
		cell->bins[low].n += n;
		return true;
	}
	if (!arena_room(&tally->arena, (void **)&cell->bins, cell->nbins, &cell->bins_room,
			sizeof(*cell->bins))) {
		return false;
	}
	memmove(&cell->bins[low + 1], &cell->bins[low], (cell->nbins - low) * sizeof(*cell->bins));
	cell->bins[low].bucket = bucket;
	cell->bins[low].n = n;
	cell->nbins++;
	return true;
}

static bool add_value(struct tally *tally, struct cell *cell, int64_t ns)
{
	if (tally->nvalues >= STORE_EXACT_VALUES) {
		tally->rough = true;
		return add_bin(tally, cell, hist_bucket(ns), 1);
	}
	if (!arena_room(&tally->arena, (void **)&cell->values, cell->nvalues, &cell->values_room,
			sizeof(*cell->values))) {
		return false;
	}
	cell->values[cell->nvalues++] = ns;
	tally->nvalues++;
	return true;
}

int tally_add(struct tally *tally, const struct store_text *keys, size_t step,
	      const struct store_red *one)
{
	struct cell *cell = cell_of(tally, keys, step);

	if (cell == NULL) {
		return WEIR_ENOMEM;
	}
	add_red(&cell->red, one);
	return one->timed == 0 || add_value(tally, cell, one->total_ns) ? 0 : WEIR_ENOMEM;
}

/* A group that no keys lead to. */
static struct cell *cell_beyond(struct tally *tally, size_t step)
{
	if (tally->beyond == NONE) {
		if (!room(&tally->budget, (void **)&tally->groups, tally->ngroups,
			  &tally->groups_room, sizeof(*tally->groups))) {
			return NULL;
		}
		memset(&tally->groups[tally->ngroups], 0, sizeof(*tally->groups));
		tally->groups[tally->ngroups].first = NONE;
		tally->beyond = (uint32_t)tally->ngroups++;
	}
	return find_cell(tally, tally->beyond, step);
}

int tally_add_rollup(struct tally *tally, size_t step, const struct store_rollup *row)
{
	struct cell *cell = row->other && tally->nkeys > 0 ? cell_beyond(tally, step)
							   : cell_of(tally, row->keys, step);
	unsigned i;

	if (cell == NULL) {
		return WEIR_ENOMEM;
	}
	tally->rough = true;
	add_red(&cell->red, &row->red);
	if (cell->dense != NULL) {
		hist_add_blob(cell->dense, row->hist, row->hist_len);
		return 0;
	}
	hist_clear(&tally->scratch);
	hist_add_blob(&tally->scratch, row->hist, row->hist_len);
	for (i = tally->scratch.low; i < tally->scratch.high; i++) {
		if (tally->scratch.buckets[i] > 0 &&
		    !add_bin(tally, cell, i, tally->scratch.buckets[i])) {
			return WEIR_ENOMEM;
		}
	}
	return 0;
}

/* ---- percentiles ---- */

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* What some cells have together. */
struct mixed {
	int64_t *values; /* sorted by mixed_sort() */
	size_t nvalues, room;
	struct hist *bins;
};

static bool mix(struct tally *tally, struct mixed *mixed, const struct cell *cell)
{
	uint32_t i;

	if (mixed->nvalues + cell->nvalues > mixed->room) {
		size_t more = 2 * (mixed->nvalues + cell->nvalues);
		int64_t *grown = reallocarray(mixed->values, more, sizeof(*grown));

		if (grown == NULL) {
			return false;
		}
		mixed->values = grown;
		mixed->room = more;
	}
	if (cell->nvalues > 0) {
		memcpy(mixed->values + mixed->nvalues, cell->values,
		       cell->nvalues * sizeof(*cell->values));
	}
	mixed->nvalues += cell->nvalues;
	mixed->bins = &tally->scratch;
	for (i = 0; i < cell->nbins; i++) {
		hist_add(mixed->bins, cell->bins[i].bucket, cell->bins[i].n);
	}
	for (i = cell->dense == NULL ? HIST_BUCKETS : cell->dense->low;
	     i < HIST_BUCKETS && i < cell->dense->high; i++) {
		hist_add(mixed->bins, i, cell->dense->buckets[i]);
	}
	return true;
}

static void clear(struct tally *tally, struct mixed *mixed)
{
	mixed->nvalues = 0;
	hist_clear(&tally->scratch);
}

/* Of the values, or of the buckets when there are some: then the values are put there. */
static void set_percentiles(struct mixed *mixed, struct store_red *red)
{
	static const double percents[] = {0, 50, 75, 90, 95, 99, 99.9};
	int64_t *to[] = {&red->min_ns, &red->p50_ns, &red->p75_ns, &red->p90_ns,
			 &red->p95_ns, &red->p99_ns, &red->p999_ns};
	bool rough = mixed->bins != NULL && mixed->bins->n > 0;
	size_t i;

	if (red->timed == 0 || (mixed->nvalues == 0 && !rough)) {
		return;
	}
	for (i = 0; rough && i < mixed->nvalues; i++) {
		hist_add(mixed->bins, hist_bucket(mixed->values[i]), 1);
	}
	if (!rough) {
		qsort(mixed->values, mixed->nvalues, sizeof(*mixed->values), by_value);
	}
	for (i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		if (rough) {
			*to[i] = hist_percentile(mixed->bins, percents[i]);
			*to[i] = *to[i] > red->max_ns ? red->max_ns : *to[i];
		} else {
			/* 0.1 % short of the next rank is rounding, not a rank */
			double rank = ceil(percents[i] * (double)mixed->nvalues / 100 - 1e-9);

			*to[i] = mixed->values[rank < 1 ? 0 : (size_t)rank - 1];
		}
	}
}

/* ---- finishing ---- */

struct ordered {
	struct store_red red;
	const struct group *group;
};

static int by_text(const struct store_text *a, const struct store_text *b)
{
	uint32_t len = a->len < b->len ? a->len : b->len;
	int is = 0;

	if (a->p == NULL || b->p == NULL) {
		return (a->p != NULL) - (b->p != NULL);
	}
	is = len == 0 ? 0 : memcmp(a->p, b->p, len);
	return is != 0 ? is : (a->len > b->len) - (a->len < b->len);
}

static uint64_t measure(const struct store_red *red, enum store_order order)
{
	switch (order) {
	case STORE_ORDER_ERRORS:
		/* failed first, refused among equals */
		return (red->failed < UINT32_MAX ? red->failed : UINT32_MAX) << 32 |
		       (red->refused < UINT32_MAX ? red->refused : UINT32_MAX);
	case STORE_ORDER_P99:
		return red->p99_ns < 0 ? 0 : (uint64_t)red->p99_ns;
	case STORE_ORDER_TIME:
		return red->total_ns < 0 ? 0 : (uint64_t)red->total_ns;
	case STORE_ORDER_BYTES:
		return red->request_bytes + red->response_bytes;
	case STORE_ORDER_COUNT:
		break;
	}
	return red->count;
}

static int by_order(const void *a, const void *b, void *context)
{
	const struct ordered *x = a, *y = b;
	enum store_order order = *(const enum store_order *)context;
	uint64_t mx = measure(&x->red, order), my = measure(&y->red, order);
	unsigned i;

	if (mx != my) {
		return mx > my ? -1 : 1;
	}
	for (i = 0; i < STORE_TEXTS_MAX; i++) {
		int is = by_text(&x->group->keys[i], &y->group->keys[i]);

		if (is != 0) {
			return is;
		}
	}
	return 0;
}

static bool sum_group(struct tally *tally, const struct group *group, struct mixed *mixed,
		      struct store_red *ret)
{
	uint32_t at;

	clear(tally, mixed);
	for (at = group->first; at != NONE; at = tally->cells[at].next) {
		add_red(ret, &tally->cells[at].red);
		if (!mix(tally, mixed, &tally->cells[at])) {
			return false;
		}
	}
	set_percentiles(mixed, ret);
	return true;
}

static bool set_steps(struct tally *tally, const struct group *group, struct mixed *mixed,
		      struct store_red *steps)
{
	uint32_t at;

	for (at = group->first; at != NONE; at = tally->cells[at].next) {
		const struct cell *cell = &tally->cells[at];

		clear(tally, mixed);
		if (!mix(tally, mixed, cell)) {
			return false;
		}
		steps[cell->step] = cell->red;
		set_percentiles(mixed, &steps[cell->step]);
	}
	return true;
}

static bool sum_all(struct tally *tally, struct mixed *mixed, struct store_red *ret)
{
	size_t i;

	clear(tally, mixed);
	for (i = 0; i < tally->ncells; i++) {
		add_red(ret, &tally->cells[i].red);
		if (!mix(tally, mixed, &tally->cells[i])) {
			return false;
		}
	}
	set_percentiles(mixed, ret);
	return true;
}

/* The first `top` of them go out; the rest is `other`. */
static bool give_groups(struct tally *tally, const struct ordered *ordered, size_t n, size_t top,
			bool steps, struct mixed *mixed, struct store_groups *ret)
{
	size_t i;

	ret->ngroups = n < top ? n : top;
	ret->groups = arena_alloc(&tally->arena, (ret->ngroups + 1) * sizeof(*ret->groups));
	if (ret->groups == NULL) {
		return false;
	}
	memset(ret->groups, 0, (ret->ngroups + 1) * sizeof(*ret->groups));
	for (i = 0; i < ret->ngroups; i++) {
		struct store_group *group = &ret->groups[i];

		memcpy(group->keys, ordered[i].group->keys, sizeof(group->keys));
		group->red = ordered[i].red;
		if (!steps) {
			continue;
		}
		group->steps = arena_alloc(&tally->arena, tally->nsteps * sizeof(*group->steps));
		if (group->steps == NULL) {
			return false;
		}
		memset(group->steps, 0, tally->nsteps * sizeof(*group->steps));
		if (!set_steps(tally, ordered[i].group, mixed, group->steps)) {
			return false;
		}
	}
	for (; i < n; i++) {
		add_red(&ret->other, &ordered[i].red);
	}
	return true;
}

int tally_finish(struct tally *tally, size_t top, enum store_order order, bool steps,
		 struct store_groups *ret)
{
	struct mixed mixed = {.nvalues = 0};
	struct ordered *ordered = calloc(tally->ngroups + 1, sizeof(*ordered));
	bool good = ordered != NULL;
	size_t n = 0, i;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; good && i < tally->ngroups; i++) {
		ordered[n].group = &tally->groups[i];
		good = sum_group(tally, &tally->groups[i], &mixed, &ordered[n].red);
		/* the one that stands for all others is no group */
		if (i == STORE_GROUPS_MAX || i == tally->beyond) {
			add_red(&ret->other, &ordered[n].red);
		} else {
			n++;
		}
	}
	good = good && sum_all(tally, &mixed, &ret->total);
	if (good) {
		qsort_r(ordered, n, sizeof(*ordered), by_order, &order);
		good = give_groups(tally, ordered, n, top, steps, &mixed, ret);
	}
	free(ordered);
	free(mixed.values);
	if (!good) {
		memset(ret, 0, sizeof(*ret));
		return WEIR_ENOMEM;
	}
	ret->nkeys = tally->nkeys;
	ret->nsteps = steps ? tally->nsteps : 0;
	ret->distinct = n;
	ret->memory = tally;
	return 0;
}

bool tally_is_rough(const struct tally *tally)
{
	return tally->rough;
}

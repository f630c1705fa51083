/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: memory and setters (see record.h and weir/record.h).
 *
 * Arrays (strings, numbers, headers) grow by doubling and their capacity follows from their length, so a value needs no
 * field for it: room_for() is the one rule, and record_copy() keeps to it.
 */
#include "record/record.h"

#include "base/copy.h"
#include "record/header_names.h"

#include "weir/error.h"

#include <assert.h>
#include <string.h>

enum { ROOM_MIN = 4 }; /* elements of the smallest array */

/* What lives at the start of a record's first block; the values follow. */
struct holder {
	struct weir_record rec;
	struct weir_arena arena;
};

static size_t nvalues(const struct weir_schema *schema)
{
	return WEIR_NCOMMON + schema->nfields;
}

int record_new(struct arena_pool *pool, const struct weir_schema *schema, struct weir_record **ret)
{
	size_t before = offsetof(struct holder, arena);
	size_t size = sizeof(struct holder) + nvalues(schema) * sizeof(struct weir_value);
	struct weir_arena *arena = arena_new_within(pool, before, size);
	struct holder *holder;

	assert(nvalues(schema) <= WEIR_MAX_FIELDS);
	if (arena == NULL) {
		return WEIR_ENOMEM;
	}
	holder = (struct holder *)((uint8_t *)arena - before);
	memset(&holder->rec, 0, sizeof(holder->rec));
	holder->rec.schema = schema;
	holder->rec.values = (struct weir_value *)(holder + 1);
	holder->rec.arena = arena;
	*ret = &holder->rec;
	return 0;
}

void record_free(struct weir_record *rec)
{
	struct weir_arena arena;

	if (rec == NULL) {
		return;
	}
	arena = *rec->arena; /* it lies in the memory that goes */
	arena_fini(&arena);
}

/* ---- setters ---- */

/* The value to set, or NULL when nothing reads the field. */
static inline __attribute__((always_inline)) struct weir_value *slot(struct weir_record *rec,
								     size_t field)
{
	assert(field < nvalues(rec->schema));
	if (!weir_record_wants(rec, field)) {
		return NULL;
	}
	return &rec->values[field];
}

static inline void mark_present(struct weir_record *rec, size_t field)
{
	rec->present[field >> 6] |= UINT64_C(1) << (field & 63);
}

void weir_record_clear(struct weir_record *rec, size_t field)
{
	assert(field < nvalues(rec->schema));
	rec->present[field >> 6] &= ~(UINT64_C(1) << (field & 63));
}

void weir_record_set_u64(struct weir_record *rec, size_t field, uint64_t value)
{
	struct weir_value *to = slot(rec, field);

	if (to == NULL) {
		return;
	}
	to->v.u64 = value;
	to->len = 0;
	to->full_len = 0;
	mark_present(rec, field);
}

void weir_record_set_i64(struct weir_record *rec, size_t field, int64_t value)
{
	weir_record_set_u64(rec, field, (uint64_t)value);
}

void weir_record_set_bool(struct weir_record *rec, size_t field, bool value)
{
	weir_record_set_u64(rec, field, value ? 1 : 0);
}

static uint32_t clamp32(size_t n)
{
	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/*
 * Length to keep of text that is cut at `limit`: a UTF-8 character is not cut in two, because its first half would show
 * as garbage that was not on the wire.
 */
static size_t cut_text(const uint8_t *p, size_t limit)
{
	size_t back = 0;

	while (back < 3 && back < limit && (p[limit - 1 - back] & 0xc0) == 0x80) {
		back++;
	}
	if (back < limit && (p[limit] & 0xc0) == 0x80 && p[limit - 1 - back] >= 0xc2 &&
	    p[limit - 1 - back] <= 0xf4) {
		return limit - 1 - back;
	}
	return limit;
}

void weir_record_set_bytes(struct weir_record *rec, size_t field, const void *p, size_t len,
			   size_t limit)
{
	struct weir_value *to = slot(rec, field);
	size_t keep = len;
	uint8_t *copy;

	if (to == NULL) {
		return;
	}
	if (limit > UINT32_MAX) {
		limit = UINT32_MAX;
	}
	if (keep > limit) {
		keep = limit;
		if (weir_schema_field(rec->schema, field)->kind == WEIR_KIND_STR) {
			keep = cut_text(p, limit);
		}
	}
	copy = arena_bytes(rec->arena, keep);
	if (copy == NULL) {
		weir_record_clear(rec, field);
		return;
	}
	copy_bytes(copy, p, keep);
	to->v.bytes = copy;
	to->len = (uint32_t)keep;
	to->full_len = clamp32(len);
	mark_present(rec, field);
}

void weir_record_set_str(struct weir_record *rec, size_t field, const char *text)
{
	weir_record_set_bytes(rec, field, text, strlen(text), SIZE_MAX);
}

void record_set_own(struct weir_record *rec, size_t field, const uint8_t *p, size_t len)
{
	struct weir_value *to = slot(rec, field);

	if (to == NULL) {
		return;
	}
	to->v.bytes = p;
	to->len = (uint32_t)len;
	to->full_len = to->len;
	mark_present(rec, field);
}

void record_set_cut(struct weir_record *rec, size_t field, uint32_t full_len)
{
	struct weir_value *value = &rec->values[field];
	struct weir_header *headers, *longest;
	uint32_t i;

	assert(weir_record_has(rec, field));
	if (record_kind(rec->schema, field) != WEIR_KIND_HEADERS) {
		value->full_len = full_len;
		return;
	}
	memcpy(&headers, &value->v.headers,
	       sizeof(headers)); /* ours: only readers see it as const */
	longest = headers;
	for (i = 1; i < value->len; i++) {
		longest = headers[i].value.len > longest->value.len ? &headers[i] : longest;
	}
	if (value->len > 0) {
		longest->full_len = full_len;
	}
}

uint32_t record_cut_from(enum weir_kind kind, const struct weir_value *value)
{
	uint32_t longest = 0;
	uint32_t i;

	if (kind == WEIR_KIND_STR) {
		return value->full_len > value->len ? value->full_len : 0;
	}
	for (i = 0; kind == WEIR_KIND_HEADERS && i < value->len; i++) {
		const struct weir_header *header = &value->v.headers[i];

		if (header->full_len > header->value.len && header->full_len > longest) {
			longest = header->full_len;
		}
	}
	return longest;
}

void weir_record_set_static(struct weir_record *rec, size_t field, const char *text)
{
	struct weir_value *to = slot(rec, field);

	if (to == NULL) {
		return;
	}
	to->v.bytes = (const uint8_t *)text;
	to->len = (uint32_t)strlen(text);
	to->full_len = to->len;
	mark_present(rec, field);
}

/* Capacity of an array of n elements: 4, then powers of two. */
static size_t room_for(size_t n)
{
	size_t room = ROOM_MIN;

	while (room < n) {
		room *= 2;
	}
	return room;
}

/* Is there room for another behind the elements that there are? room_for() is full at powers of two. */
static inline bool has_room(const struct weir_value *value)
{
	return value->len < ROOM_MIN || (value->len & (value->len - 1)) != 0;
}

/*
 * Make room for one more element of `size` bytes at the end of an array value, which is begun when it is absent.
 * The array to write to, or NULL without memory: the array stays as it was.
 */
static void *grow_array(struct weir_record *rec, size_t field, struct weir_value *value,
			size_t size)
{
	void *array;

	if (!weir_record_has(rec, field)) {
		array = arena_alloc(rec->arena, ROOM_MIN * size);
		if (array == NULL) {
			return NULL;
		}
		value->v.bytes = array;
		value->len = 0;
		value->full_len = 0;
		mark_present(rec, field);
		return array;
	}
	memcpy(&array, &value->v.bytes, sizeof(array)); /* ours: only readers see it as const */
	if (has_room(value)) {
		return array;
	}
	array = arena_alloc(rec->arena, 2 * (size_t)value->len * size);
	if (array == NULL) {
		return NULL;
	}
	memcpy(array, value->v.bytes, value->len * size);
	value->v.bytes = array;
	return array;
}

void record_add_own(struct weir_record *rec, size_t field, const uint8_t *p, size_t len)
{
	struct weir_value *to = slot(rec, field);
	struct weir_str *array;

	if (to == NULL || len > UINT32_MAX) {
		return;
	}
	if (weir_record_has(rec, field) && has_room(to)) {
		memcpy(&array, &to->v.strs, sizeof(array)); /* ours */
	} else {
		array = grow_array(rec, field, to, sizeof(*array));
		if (array == NULL) {
			return;
		}
	}
	array += to->len++;
	array->p = p;
	array->len = (uint32_t)len;
	to->full_len = to->len;
}

void weir_record_add_str(struct weir_record *rec, size_t field, const void *p, size_t len)
{
	uint8_t *copy;

	if (slot(rec, field) == NULL || len > UINT32_MAX) {
		return;
	}
	copy = arena_dup(rec->arena, p, len);
	if (copy != NULL) {
		record_add_own(rec, field, copy, len);
	}
}

void weir_record_add_u64(struct weir_record *rec, size_t field, uint64_t value)
{
	struct weir_value *to = slot(rec, field);
	uint64_t *array;

	if (to == NULL) {
		return;
	}
	array = grow_array(rec, field, to, sizeof(*array));
	if (array == NULL) {
		return;
	}
	array[to->len++] = value;
	to->full_len = to->len;
}

void weir_record_add_header(struct weir_record *rec, size_t field, const void *name,
			    size_t name_len, const void *value, size_t value_len, size_t limit)
{
	struct weir_value *to = slot(rec, field);
	struct weir_header *header;
	size_t keep = value_len;
	uint8_t *copy;

	if (to == NULL || name_len > UINT32_MAX / 4) {
		return;
	}
	if (limit > UINT32_MAX / 4) {
		limit = UINT32_MAX / 4;
	}
	if (keep > limit) {
		keep = cut_text(value, limit);
	}
	copy = arena_bytes(rec->arena, name_len + keep);
	if (copy == NULL) {
		return;
	}
	header = grow_array(rec, field, to, sizeof(*header));
	if (header == NULL) {
		return;
	}
	copy_bytes(copy, name, name_len);
	copy_bytes(copy + name_len, value, keep);
	header += to->len++;
	header->name.p = copy;
	header->name.len = (uint32_t)name_len;
	header->value.p = copy + name_len;
	header->value.len = (uint32_t)keep;
	header->full_len = clamp32(value_len);
	header->redacted = 0;
	header->number = header_name_find(copy, name_len);
	to->full_len = to->len;
}

struct weir_header *record_add_headers(struct weir_record *rec, size_t field, size_t n)
{
	struct weir_value *to = slot(rec, field);
	size_t had = weir_record_has(rec, field) ? to->len : 0;
	struct weir_header *headers;

	assert(to != NULL && n > 0);
	if (had > 0 && had + n <= room_for(had)) {
		memcpy(&headers, &to->v.headers, sizeof(headers)); /* ours */
	} else {
		headers = arena_alloc(rec->arena, room_for(had + n) * sizeof(*headers));
		if (headers == NULL) {
			return NULL;
		}
		if (had > 0) {
			memcpy(headers, to->v.headers, had * sizeof(*headers));
		}
		to->v.headers = headers;
		mark_present(rec, field);
	}
	to->len = (uint32_t)(had + n);
	to->full_len = to->len;
	return headers + had;
}

void weir_record_add_anomaly(struct weir_record *rec, const char *code)
{
	struct weir_value *to = slot(rec, WEIR_F_ANOMALIES);
	size_t len = strlen(code);
	struct weir_str *array;
	uint32_t i;

	if (to == NULL) {
		return;
	}
	for (i = 0; weir_record_has(rec, WEIR_F_ANOMALIES) && i < to->len; i++) {
		if (to->v.strs[i].len == len && memcmp(to->v.strs[i].p, code, len) == 0) {
			return;
		}
	}
	array = grow_array(rec, WEIR_F_ANOMALIES, to, sizeof(*array));
	if (array == NULL) {
		return;
	}
	array[to->len].p = (const uint8_t *)code;
	array[to->len].len = (uint32_t)len;
	to->len++;
	to->full_len = to->len;
}

/* ---- copies ---- */

/*
 * A record's memory is a block or two that it has for itself: they are copied as they are, and pointers into them are
 * moved along. What points elsewhere is a constant. A record with more memory than that (large bodies), or one that is a
 * copy itself, is copied value by value.
 */
enum { MOVE_BLOCKS = 3 };

struct move {
	size_t n;
	struct {
		uintptr_t from;
		size_t size;
		uint8_t *to;
	} blocks[MOVE_BLOCKS];
};

/* Where the byte at p has gone. */
static inline const void *moved(const struct move *move, const void *p)
{
	size_t i;

	for (i = 0; i < move->n; i++) {
		size_t at = (uintptr_t)p - move->blocks[i].from;

		/* <=: an empty string may lie at the very end */
		if (at <= move->blocks[i].size) {
			return move->blocks[i].to + at;
		}
	}
	return p;
}

static void move_strs(const struct move *move, struct weir_value *value)
{
	struct weir_str *strs;
	uint32_t i;

	memcpy(&strs, &value->v.strs, sizeof(strs)); /* the copy's own memory */
	for (i = 0; i < value->len; i++) {
		strs[i].p = moved(move, strs[i].p);
	}
}

static void move_headers(const struct move *move, struct weir_value *value)
{
	struct weir_header *headers;
	uint32_t i;

	memcpy(&headers, &value->v.headers, sizeof(headers)); /* the copy's own memory */
	for (i = 0; i < value->len; i++) {
		headers[i].name.p = moved(move, headers[i].name.p);
		headers[i].value.p = moved(move, headers[i].value.p);
	}
}

/* Take the lowest set bit of the pair out: its number, or -1 when there is none. */
static inline int next_field(uint64_t set[2])
{
	int word = set[0] != 0 ? 0 : 1;
	int bit;

	if (set[word] == 0) {
		return -1;
	}
	bit = __builtin_ctzll(set[word]);
	set[word] &= set[word] - 1;
	return 64 * word + bit;
}

static void move_values(const struct move *move, struct weir_record *copy)
{
	uint64_t set[2] = {copy->present[0], copy->present[1]};
	int i;

	while ((i = next_field(set)) >= 0) {
		struct weir_value *value = &copy->values[i];

		switch (record_kind(copy->schema, (size_t)i)) {
		case WEIR_KIND_STR:
		case WEIR_KIND_ADDRESS:
		case WEIR_KIND_HEX:
		case WEIR_KIND_U64S:
			value->v.bytes = moved(move, value->v.bytes);
			break;
		case WEIR_KIND_STRS:
			value->v.bytes = moved(move, value->v.bytes);
			move_strs(move, value);
			break;
		case WEIR_KIND_HEADERS:
			value->v.bytes = moved(move, value->v.bytes);
			move_headers(move, value);
			break;
		case WEIR_KIND_BOOL:
		case WEIR_KIND_U64:
		case WEIR_KIND_DURATION:
		case WEIR_KIND_TIME:
			break;
		}
	}
}

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* List the blocks to move; false when there are too many. The newest is in use up to arena->at, the others are full. */
static bool list_blocks(const struct weir_arena *arena, struct move *move, size_t *ret_size)
{
	const struct arena_block *block;
	size_t size = 0;

	move->n = 0;
	for (block = arena->blocks; block != NULL; block = block->next) {
		uintptr_t from = (uintptr_t)(block + 1);

		if (move->n == MOVE_BLOCKS || block->size > 2 * ARENA_BLOCK) {
			return false;
		}
		move->blocks[move->n].from = from;
		move->blocks[move->n].size = block == arena->blocks ? (uintptr_t)arena->at - from
								    : block->size - sizeof(*block);
		size += align8(move->blocks[move->n].size + 1);
		move->n++;
	}
	*ret_size = size;
	return true;
}

static struct weir_record *move_record(const struct weir_record *rec, const struct move *move)
{
	const void *at = moved(move, rec);
	struct weir_record *copy;

	memcpy(&copy, &at, sizeof(copy)); /* it lies in memory that was just allocated */
	copy->values = (struct weir_value *)((struct holder *)copy + 1);
	move_values(move, copy);
	return copy;
}

static struct weir_record *copy_flat(const struct weir_record *rec, struct weir_arena *into);

struct weir_record *record_copy(const struct weir_record *rec, struct weir_arena *into)
{
	struct weir_record *copy;
	size_t size = 0, i;
	struct move move;
	uint8_t *to;

	if (rec->arena != &((const struct holder *)rec)->arena ||
	    !list_blocks(rec->arena, &move, &size)) {
		return copy_flat(rec, into);
	}
	to = arena_alloc(into, size + sizeof(*rec->flow));
	if (to == NULL) {
		return NULL;
	}
	for (i = 0; i < move.n; i++) {
		memcpy(to, (const void *)move.blocks[i].from, move.blocks[i].size);
		move.blocks[i].to = to;
		to += align8(move.blocks[i].size + 1);
	}
	copy = move_record(rec, &move);
	copy->arena = into;
	if (rec->flow != NULL) {
		memcpy(to, rec->flow, sizeof(*rec->flow));
		copy->flow = (const struct weir_flow_info *)to;
	}
	return copy;
}

/* Bytes that a value's copy takes besides its slot, 8-byte aligned arrays first. */
static size_t value_size(enum weir_kind kind, const struct weir_value *value)
{
	size_t size = 0;
	uint32_t i;

	switch (kind) {
	case WEIR_KIND_STR:
	case WEIR_KIND_ADDRESS:
	case WEIR_KIND_HEX:
		return align8(value->len);
	case WEIR_KIND_U64S:
		return room_for(value->len) * sizeof(uint64_t);
	case WEIR_KIND_STRS:
		for (i = 0; i < value->len; i++) {
			size += value->v.strs[i].len;
		}
		return room_for(value->len) * sizeof(struct weir_str) + align8(size);
	case WEIR_KIND_HEADERS:
		for (i = 0; i < value->len; i++) {
			size += (size_t)value->v.headers[i].name.len +
				value->v.headers[i].value.len;
		}
		return room_for(value->len) * sizeof(struct weir_header) + align8(size);
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
	case WEIR_KIND_DURATION:
	case WEIR_KIND_TIME:
		break;
	}
	return 0;
}

/* Copy text to *at and move it on. */
static struct weir_str take_str(uint8_t **at, const struct weir_str *from)
{
	struct weir_str to = {*at, from->len};

	if (from->len > 0) {
		memcpy(*at, from->p, from->len);
	}
	*at += from->len;
	return to;
}

/* Copy what a value points to, to `at`, in the layout that value_size() counted. */
static void copy_value(enum weir_kind kind, const struct weir_value *from, struct weir_value *to,
		       uint8_t *at)
{
	struct weir_header *headers;
	struct weir_str *strs;
	uint32_t i;

	*to = *from;
	switch (kind) {
	case WEIR_KIND_STR:
	case WEIR_KIND_ADDRESS:
	case WEIR_KIND_HEX:
		to->v.bytes = take_str(&at, &(struct weir_str){from->v.bytes, from->len}).p;
		break;
	case WEIR_KIND_U64S:
		to->v.bytes = at;
		memcpy(at, from->v.u64s, from->len * sizeof(uint64_t));
		break;
	case WEIR_KIND_STRS:
		strs = (struct weir_str *)at;
		to->v.strs = strs;
		at += room_for(from->len) * sizeof(*strs);
		for (i = 0; i < from->len; i++) {
			strs[i] = take_str(&at, &from->v.strs[i]);
		}
		break;
	case WEIR_KIND_HEADERS:
		headers = (struct weir_header *)at;
		to->v.headers = headers;
		at += room_for(from->len) * sizeof(*headers);
		for (i = 0; i < from->len; i++) {
			headers[i] = from->v.headers[i];
			headers[i].name = take_str(&at, &from->v.headers[i].name);
			headers[i].value = take_str(&at, &from->v.headers[i].value);
		}
		break;
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
	case WEIR_KIND_DURATION:
	case WEIR_KIND_TIME:
		break;
	}
}

static struct weir_record *copy_flat(const struct weir_record *rec, struct weir_arena *into)
{
	size_t n = nvalues(rec->schema);
	uint64_t set[2] = {rec->present[0], rec->present[1]};
	size_t size = sizeof(*rec) + n * sizeof(struct weir_value) + sizeof(*rec->flow);
	uint16_t sizes[WEIR_MAX_FIELDS]; /* in units of 8; UINT16_MAX: measure again */
	struct weir_record *copy;
	uint8_t *at;
	int i;

	size = align8(size);
	while ((i = next_field(set)) >= 0) {
		size_t one = value_size(record_kind(rec->schema, (size_t)i), &rec->values[i]);

		sizes[i] = one / 8 < UINT16_MAX ? (uint16_t)(one / 8) : UINT16_MAX;
		size += one;
	}
	copy = arena_alloc(into, size);
	if (copy == NULL) {
		return NULL;
	}
	*copy = *rec;
	copy->arena = into;
	copy->values = (struct weir_value *)(copy + 1);
	at = (uint8_t *)(copy->values + n);
	if (rec->flow != NULL) {
		memcpy(at, rec->flow, sizeof(*rec->flow));
		copy->flow = (const struct weir_flow_info *)at;
	}
	at = (uint8_t *)copy + align8((size_t)(at - (uint8_t *)copy) + sizeof(*rec->flow));
	memcpy(set, rec->present, sizeof(set));
	while ((i = next_field(set)) >= 0) {
		enum weir_kind kind = record_kind(rec->schema, (size_t)i);

		copy_value(kind, &rec->values[i], &copy->values[i], at);
		at += sizes[i] < UINT16_MAX ? (size_t)sizes[i] * 8
					    : value_size(kind, &rec->values[i]);
	}
	assert(at <= (uint8_t *)copy + size);
	return copy;
}

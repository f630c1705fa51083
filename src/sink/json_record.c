/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record writer (see json_record.h).
 *
 * The texts between values come from a shape (json_plan.h), so a record is one loop over the fields that it has: a text of
 * known length, a value. It is written with a pointer that runs through the buffer: there is always room for all the texts
 * and all the numbers, and each string asks for as much as it can need and for those again.
 */
#include "sink/json_record.h"

#include "base/time.h"
#include "record/header_names.h"
#include "record/record.h"
#include "sink/json_copy.h"
#include "sink/json_text.h"
#include "weir/error.h"

#include <stdlib.h>
#include <string.h>

enum {
	NHEADS = 256,     /* hash chains for repeated headers */
	HEADER_EXTRA = 64 /* a header's name with what stands around it and its value */
};

/* Headers of one name: a chain of indices, in order. */
struct json_group {
	uint32_t chain; /* next first-of-its-name with the same hash; index + 1 */
	uint32_t same;  /* next header of this name; index + 1 */
	uint32_t last;  /* of a first one: the last of this name */
};

/* What one record is being written with. Functions that write return where they stopped, or NULL: see put_value(). */
struct run {
	struct json_writer *writer;
	const struct weir_record *rec;
	struct strbuf *out; /* out->len is not kept up to date: see grow() */
	const char *end;    /* of its memory */
	const char *limit;  /* end - rest: how far plain strings may go */
	size_t rest;        /* room that there is always, at every value */
	bool cut;           /* a header was */
	bool avx2;          /* there is: see json_copy.h */
	uint8_t nescaped;   /* fields written with \xNN */
	uint8_t ntruncated; /* fields that a limit cut */
	uint8_t escaped[WEIR_MAX_FIELDS];
	uint8_t truncated[WEIR_MAX_FIELDS];
};

void json_writer_init(struct json_writer *writer)
{
	memset(writer, 0, sizeof(*writer));
	strbuf_init(&writer->name);
}

void json_writer_fini(struct json_writer *writer)
{
	json_plans_fini(&writer->plans);
	free(writer->groups);
	strbuf_fini(&writer->name);
	memset(writer, 0, sizeof(*writer));
}

/* ---- room ---- */

static char *grow(struct run *run, const char *to, size_t n)
{
	struct strbuf *out = run->out;
	char *p;

	out->len = (size_t)(to - out->p);
	p = strbuf_reserve(out, n);
	run->end = out->p + out->size;
	run->limit = p == NULL ? p : run->end - run->rest;
	return p;
}

/* Room for n bytes more than there is always; NULL: no memory, and out->failed is set. */
static inline char *room(struct run *run, char *to, size_t n)
{
	n += run->rest;
	return (size_t)(run->end - to) >= n ? to : grow(run, to, n);
}

/* The most that a string of n bytes takes. */
static inline size_t string_room(size_t n)
{
	return JSON_STRING_GROWTH * n + JSON_STRING_EXTRA;
}

/*
 * What is done for every value is there twice: compiled for AVX2, and not. Both are the same functions, which are given the ways of copying
 * as constants and are always inlined.
 */
#define IN_BOTH static inline __attribute__((always_inline))

typedef void (*block_fn)(char *to, const char *p);
typedef char *(*plain_fn)(char *to, const uint8_t *p, size_t len);

/* A copy of text of ours; 32 bytes or their multiple are read and written: both ends have slack. */
IN_BOTH char *put_constant(char *to, const char *p, size_t len, block_fn block)
{
	size_t i;

	block(to, p);
	for (i = 32; i < len; i += 32) {
		block(to + i, p + i);
	}
	return to + len;
}

/* ---- values ---- */

static inline char *put_str(struct run *run, char *to, const uint8_t *p, size_t len, bool bad)
{
	to = room(run, to, string_room(len));
	return to == NULL ? NULL : json_put_string(to, p, len, bad);
}

/* Its quotes are in the texts around it. */
static inline char *put_bare(struct run *run, char *to, const uint8_t *p, size_t len, bool bad)
{
	to = room(run, to, string_room(len));
	return to == NULL ? NULL : json_put_text(to, p, len, bad);
}

/* Most strings: NULL when it is not plain, or there is too little room. */
IN_BOTH char *put_plain(const struct run *run, char *to, const uint8_t *p, size_t len,
			plain_fn plain)
{
	return run->limit - to < (ptrdiff_t)len ? NULL : plain(to, p, len);
}

static char *put_strs(struct run *run, char *to, const struct weir_value *value, bool bad)
{
	const struct weir_str *str = value->v.strs;
	const struct weir_str *last = str + value->len;

	*to++ = '[';
	for (; str < last; str++) {
		char *end = NULL;

		*to = '"';
		if (!bad) {
			end = put_plain(run, to + 1, str->p, str->len, json_copy_plain);
		}
		if (end == NULL) {
			end = put_bare(run, to + 1, str->p, str->len, bad);
		}
		if (end == NULL) {
			return NULL;
		}
		memcpy(end, "\",", 2);
		to = end + 2;
	}
	to -= value->len > 0; /* the last comma */
	*to++ = ']';
	return to;
}

static char *put_u64s(struct run *run, char *to, const struct weir_value *value)
{
	uint32_t i;

	to = room(run, to, ((size_t)value->len + 1) * (JSON_U64_MAX + 1) + 2);
	if (to == NULL) {
		return NULL;
	}
	*to++ = '[';
	for (i = 0; i < value->len; i++) {
		if (i > 0) {
			*to++ = ',';
		}
		to = json_put_u64(to, value->v.u64s[i]);
	}
	*to++ = ']';
	return to;
}

static inline uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool same_name(const struct weir_str *a, const struct weir_str *b)
{
	uint32_t i;

	if (a->len != b->len) {
		return false;
	}
	for (i = 0; i < a->len && lower(a->p[i]) == lower(b->p[i]); i++) {
	}
	return i == a->len;
}

/* A name in lower case, when it is not plain. NULL: bad text, or no memory */
static char *put_odd_name(struct run *run, char *to, const struct weir_str *name, bool bad)
{
	struct strbuf *low = &run->writer->name;
	char *text;
	uint32_t i;

	strbuf_clear(low);
	text = strbuf_reserve(low, (size_t)name->len + 1);
	if (text == NULL) {
		return NULL; /* taken for bad text, and then the record is given up */
	}
	for (i = 0; i < name->len; i++) {
		text[i] = (char)lower(name->p[i]);
	}
	return json_put_text(to, (const uint8_t *)text, name->len, bad);
}

/* A bit for a name that has no number; other names may have the same. */
static inline unsigned odd_bit(const struct weir_str *name)
{
	unsigned hash = name->len * 37;

	if (name->len > 0) {
		hash += (name->p[0] | 0x20u) * 11 + (name->p[name->len - 1] | 0x20u) * 5 +
			(name->p[name->len / 2] | 0x20u);
	}
	return hash & 63;
}

/* FNV-1a of a name in lower case. */
static uint32_t name_hash(const struct weir_str *name)
{
	uint32_t hash = 2166136261u;
	uint32_t i;

	for (i = 0; i < name->len; i++) {
		hash = (hash ^ lower(name->p[i])) * 16777619u;
	}
	return hash;
}

/* Chain the headers of each name together: groups[i].last is set for the first of each name only. */
static int group_headers(struct json_writer *writer, const struct weir_header *headers, uint32_t n)
{
	uint32_t heads[NHEADS] = {0};
	uint32_t i;

	if (n > writer->ngroups) {
		struct json_group *grown = realloc(writer->groups, n * sizeof(*grown));

		if (grown == NULL) {
			return WEIR_ENOMEM;
		}
		writer->groups = grown;
		writer->ngroups = n;
	}
	memset(writer->groups, 0, n * sizeof(*writer->groups));
	for (i = 0; i < n; i++) {
		struct json_group *groups = writer->groups;
		uint32_t *head = &heads[name_hash(&headers[i].name) % NHEADS];
		uint32_t first = *head;

		while (first != 0 && !same_name(&headers[first - 1].name, &headers[i].name)) {
			first = groups[first - 1].chain;
		}
		if (first != 0) {
			groups[groups[first - 1].last - 1].same = i + 1;
			groups[first - 1].last = i + 1;
		} else {
			groups[i].chain = *head;
			groups[i].last = i + 1;
			*head = i + 1;
		}
	}
	return 0;
}

/* Behind the first value of header i: those of the same name, each behind a comma */
static char *put_same(struct run *run, char *to, const struct weir_header *headers, uint32_t i,
		      bool bad)
{
	while (to != NULL && run->writer->groups[i].same != 0) {
		i = run->writer->groups[i].same - 1;
		*to++ = ',';
		to = put_str(run, to, headers[i].value.p, headers[i].value.len, bad);
	}
	return to;
}

/* How names that have a number are written; all 32 bytes are copied. */
struct opening {
	char text[32];
	uint8_t len;
};

#define HEADER(place, text, class)                                                                 \
	[HEADER_AT_##place] = {"\"" text "\":[\"", sizeof(text) - 1 + sizeof("\"\":[\"") - 1},

static const struct opening openings[HEADER_NAMES] = {
#include "record/header_names.def"
};

#undef HEADER

_Static_assert(HEADER_NAME_MAX + sizeof("\"\":[\"") - 1 <= sizeof(openings[0].text),
	       "the longest name fits");

/* "name":[" */
static inline char *put_name(struct run *run, char *to, const struct weir_header *header, bool bad)
{
	const struct opening *opening = &openings[header->number];
	char *end;

	if (header->number != HEADER_OTHER) {
		memcpy(to, opening->text, sizeof(opening->text));
		return to + opening->len;
	}
	*to = '"';
	end = json_copy_any(to + 1, header->name.p, header->name.len, true);
	if (end == NULL) {
		end = put_odd_name(run, to + 1, &header->name, bad);
		if (end == NULL) {
			return NULL;
		}
	}
	memcpy(end, "\":[\"", 4);
	return end + 4;
}

/* "name":["value" */
static char *put_header(struct run *run, char *to, const struct weir_header *header, bool bad)
{
	to = room(run, to, string_room((size_t)header->name.len + header->value.len + 1));
	if (to != NULL) {
		to = put_name(run, to, header, bad);
	}
	if (to != NULL) {
		to = json_put_text(to, header->value.p, header->value.len, bad);
	}
	if (to != NULL) {
		*to++ = '"';
	}
	return to;
}

/*
 * What nearly every header is: "name":["value"], of a name with a number and a value that has not been cut. NULL: it is something else, or
 * there may be too little room.
 */
IN_BOTH char *put_usual(const struct run *run, char *to, const struct weir_header *header,
			block_fn block, plain_fn plain)
{
	const struct opening *opening = &openings[header->number];
	size_t len = header->value.len;
	char *end;

	if (header->number == HEADER_OTHER || header->full_len > len) {
		return NULL;
	}
	block(to, opening->text);
	to += opening->len;
	end = put_plain(run, to, header->value.p, len, plain);
	if (end == NULL && run->limit - to >= (ptrdiff_t)(JSON_STRING_GROWTH * len)) {
		end = json_put_careful(to, header->value.p, len, false); /* "tags" of entities */
	}
	if (end == NULL) {
		return NULL;
	}
	memcpy(end, "\"],", 4); /* the NUL is written over */
	return end + 3;
}

/* Any header: "name":["value"], and the others of its name, when they are chained. */
static char *put_unusual(struct run *run, char *to, const struct weir_header *headers, uint32_t i,
			 bool grouped, bool bad)
{
	run->cut |= headers[i].full_len > headers[i].value.len;
	to = put_header(run, to, &headers[i], bad);
	if (grouped) {
		to = put_same(run, to, headers, i, bad);
	}
	if (to == NULL) {
		return NULL;
	}
	memcpy(to, "],", 2);
	return to + 2;
}

/* Headers as if none came twice. *ret_repeated: perhaps one does (never false when one does), and this was for nothing. */
IN_BOTH char *put_each_with(struct run *run, char *to, const struct weir_header *headers,
			    uint32_t n, bool bad, bool *ret_repeated, block_fn block,
			    plain_fn plain)
{
	uint64_t seen[3] = {0, 0, 0}; /* numbers, then others */
	uint64_t again = 0;
	uint32_t i;

	_Static_assert(HEADER_NAMES <= 128, "two words have a bit for each number");
	for (i = 0; i < n; i++) {
		unsigned number = headers[i].number;
		uint64_t bit = UINT64_C(1) << (number & 63);
		char *end = bad ? NULL : put_usual(run, to, &headers[i], block, plain);

		if (number == HEADER_OTHER) {
			number = 128;
			bit = UINT64_C(1) << odd_bit(&headers[i].name);
		}
		again |= seen[number >> 6] & bit;
		seen[number >> 6] |= bit;
		to = end != NULL ? end : put_unusual(run, to, headers, i, false, bad);
		if (to == NULL) {
			return NULL;
		}
	}
	*ret_repeated = again != 0;
	return to;
}

#ifdef __SSE2__
__attribute__((target("avx2"))) static char *put_each_avx2(struct run *run, char *to,
							   const struct weir_header *headers,
							   uint32_t n, bool bad, bool *ret_repeated)
{
	return put_each_with(run, to, headers, n, bad, ret_repeated, json_copy_block_avx2,
			     json_copy_avx2);
}
#endif

static char *put_each(struct run *run, char *to, const struct weir_header *headers, uint32_t n,
		      bool bad, bool *ret_repeated)
{
#ifdef __SSE2__
	if (run->avx2) {
		return put_each_avx2(run, to, headers, n, bad, ret_repeated);
	}
#endif
	return put_each_with(run, to, headers, n, bad, ret_repeated, json_copy_block,
			     json_copy_plain);
}

/* Headers, those of one name together. */
static char *put_grouped(struct run *run, char *to, const struct weir_header *headers, uint32_t n,
			 bool bad)
{
	uint32_t i;

	if (group_headers(run->writer, headers, n) < 0) {
		run->out->failed = true;
		return NULL;
	}
	for (i = 0; i < n && to != NULL; i++) {
		if (run->writer->groups[i].last != 0) { /* the first of its name */
			to = put_unusual(run, to, headers, i, true, bad);
		}
	}
	return to;
}

static char *put_headers(struct run *run, char *to, const struct weir_value *value, bool bad)
{
	size_t offset = (size_t)(to + 1 - run->out->p);
	bool repeated = false;

	*to = '{';
	to = put_each(run, to + 1, value->v.headers, value->len, bad, &repeated);
	if (repeated) {
		to = put_grouped(run, run->out->p + offset, value->v.headers, value->len, bad);
	}
	if (to == NULL) {
		return NULL;
	}
	to -= value->len > 0; /* the last comma */
	*to++ = '}';
	return to;
}

/* RFC 3339; the date is worked out once a second. */
static char *put_time(struct json_writer *writer, char *to, int64_t ts_ns)
{
	int64_t second = ts_ns / NS_PER_S - (ts_ns % NS_PER_S < 0);

	if (!writer->have_date || writer->second != second) {
		char text[TIME_RFC3339_LEN];

		time_rfc3339(ts_ns, text);
		writer->date[0] = '"';
		memcpy(writer->date + 1, text, sizeof(writer->date) - 1);
		writer->second = second;
		writer->have_date = true;
	}
	memcpy(to, writer->date, sizeof(writer->date));
	to = json_put_fraction(to + sizeof(writer->date), (uint32_t)(ts_ns - second * NS_PER_S));
	memcpy(to, "Z\"", 2);
	return to + 2;
}

/* By way of the writer's table. */
static char *put_address(struct json_writer *writer, char *to, const struct weir_value *value)
{
	struct json_address *known;
	uint32_t last;

	if (value->len != 4 && value->len != 16) {
		return json_put_address(to, value->v.bytes, value->len);
	}
	memcpy(&last, value->v.bytes + value->len - 4, sizeof(last));
	known = &writer->addresses[last * UINT32_C(0x9e3779b1) >> 26];
	_Static_assert(JSON_ADDRESSES == 1 << (32 - 26), "the top bits choose a place");
	if (known->len != value->len || memcmp(known->bytes, value->v.bytes, value->len) != 0) {
		memcpy(known->bytes, value->v.bytes, value->len);
		known->len = (uint8_t)value->len;
		known->text_len =
			(uint8_t)(json_put_address(known->text, value->v.bytes, value->len) -
				  known->text);
	}
	memcpy(to, known->text, sizeof(known->text));
	return to + known->text_len;
}

static char *put_hex(struct run *run, char *to, const struct weir_value *value)
{
	to = room(run, to, 2 * (size_t)value->len + 2);
	return to == NULL ? NULL : json_put_hex(to, value->v.bytes, value->len);
}

/*
 * NULL: some text is not UTF-8, and is to be written again with `bad`; or there was no memory. The first is never so with `bad`,
 * and of memory out->failed tells.
 */
static inline char *put_value(struct run *run, enum weir_kind kind, const struct weir_value *value,
			      char *to, bool bad)
{
	switch (kind) {
	case WEIR_KIND_BOOL:
		memcpy(to, value->v.u64 != 0 ? "true" : "false", 5);
		return to + (value->v.u64 != 0 ? 4 : 5);
	case WEIR_KIND_U64:
		return json_put_u64(to, value->v.u64);
	case WEIR_KIND_DURATION:
		return json_put_i64(to, value->v.i64);
	case WEIR_KIND_TIME:
		return put_time(run->writer, to, value->v.i64);
	case WEIR_KIND_STR:
		return put_bare(run, to, value->v.bytes, value->len, bad);
	case WEIR_KIND_ADDRESS:
		return put_address(run->writer, to, value);
	case WEIR_KIND_HEX:
		return put_hex(run, to, value);
	case WEIR_KIND_STRS:
		return put_strs(run, to, value, bad);
	case WEIR_KIND_U64S:
		return put_u64s(run, to, value);
	case WEIR_KIND_HEADERS:
		return put_headers(run, to, value, bad);
	}
	return to;
}

/* What put_value() could not write, at `offset` of the buffer: once more, with \xNN. NULL: no memory */
static __attribute__((noinline, cold)) char *put_bad(struct run *run, const struct json_step *step,
						     size_t offset)
{
	if (run->out->failed) {
		return NULL;
	}
	run->escaped[run->nescaped++] = step->field;
	return put_value(run, (enum weir_kind)step->kind, &run->rec->values[step->field],
			 run->out->p + offset, true);
}

static char *put_text(struct run *run, const struct json_step *step, const struct weir_value *value,
		      char *to)
{
	enum weir_kind kind = (enum weir_kind)step->kind;
	size_t offset = (size_t)(to - run->out->p);

	run->cut = false;
	to = put_value(run, kind, value, to, false);
	if (to == NULL) {
		to = put_bad(run, step, offset);
	}
	/* headers have been looked at */
	if ((kind != WEIR_KIND_HEADERS || run->cut) && record_cut_from(kind, value) > 0) {
		run->truncated[run->ntruncated++] = step->field;
	}
	return to;
}

IN_BOTH char *put_steps_with(struct run *run, const struct json_shape *shape, char *to,
			     block_fn block, plain_fn plain)
{
	const struct weir_value *values = run->rec->values;
	const struct json_step *step = shape->steps;
	const struct json_step *end_of_steps = step + shape->nsteps;

	/* what most values are has its own line here, though put_value() knows them all */
	for (; step < end_of_steps; step++) {
		const struct weir_value *value = &values[step->field];
		char *start = put_constant(to, step->text, step->len, block);

		to = NULL;
		if (step->kind == WEIR_KIND_STR) {
			if (value->full_len <= value->len) {
				to = put_plain(run, start, value->v.bytes, value->len, plain);
			}
		} else if (step->kind == WEIR_KIND_U64) {
			to = json_put_u64(start, value->v.u64);
		} else if (step->kind == WEIR_KIND_DURATION) {
			to = json_put_i64(start, value->v.i64);
		}
		if (to == NULL) {
			to = put_text(run, step, value, start);
			if (to == NULL) {
				return NULL;
			}
		}
	}
	return put_constant(to, shape->end, shape->end_len, block);
}

#ifdef __SSE2__
__attribute__((target("avx2"))) static char *put_steps_avx2(struct run *run,
							    const struct json_shape *shape,
							    char *to)
{
	return put_steps_with(run, shape, to, json_copy_block_avx2, json_copy_avx2);
}
#endif

static char *put_steps(struct run *run, const struct json_shape *shape, char *to)
{
#ifdef __SSE2__
	if (run->avx2) {
		return put_steps_avx2(run, shape, to);
	}
#endif
	return put_steps_with(run, shape, to, json_copy_block, json_copy_plain);
}

/* ,"escaped":["a","b"],"truncated":{"c":9000} */
static void put_notes(struct run *run)
{
	const struct weir_schema *schema = run->rec->schema;
	unsigned i;

	for (i = 0; i < run->nescaped; i++) {
		strbuf_str(run->out, i == 0 ? ",\"escaped\":[\"" : ",\"");
		strbuf_str(run->out, weir_schema_field(schema, run->escaped[i])->name);
		strbuf_str(run->out, i + 1u == run->nescaped ? "\"]" : "\"");
	}
	for (i = 0; i < run->ntruncated; i++) {
		const struct weir_field *field = weir_schema_field(schema, run->truncated[i]);

		strbuf_str(run->out, i == 0 ? ",\"truncated\":{\"" : ",\"");
		strbuf_str(run->out, field->name);
		strbuf_str(run->out, "\":");
		strbuf_u64(run->out,
			   record_cut_from(field->kind, &run->rec->values[run->truncated[i]]));
		if (i + 1u == run->ntruncated) {
			strbuf_char(run->out, '}');
		}
	}
}

/* Begin writing at the end of `out`, with as much room at every value; NULL: no memory */
static char *begin(struct run *run, struct json_writer *writer, struct strbuf *out, size_t rest)
{
	run->writer = writer;
	run->out = out;
	run->end = out->p + out->size;
	run->rest = rest + JSON_STRING_EXTRA + (size_t)HEADER_EXTRA;
	run->cut = false;
	run->nescaped = 0;
	run->ntruncated = 0;
	run->avx2 = false;
#ifdef __SSE2__
	run->avx2 = json_has_avx2();
#endif
	if (out->size - out->len < run->rest) {
		return grow(run, out->p + out->len, run->rest);
	}
	run->limit = run->end - run->rest;
	return out->p + out->len;
}

static int give_up(struct strbuf *out, size_t start)
{
	out->len = start;
	out->failed = false;
	return WEIR_ENOMEM;
}

int json_write_record(struct json_writer *writer, const struct weir_record *rec, struct strbuf *out)
{
	struct json_plan *plan = json_plans_of(&writer->plans, rec->schema);
	const struct json_shape *shape = plan == NULL ? NULL : json_plan_shape(plan, rec->present);
	size_t start = out->len;
	struct run run;
	char *to;

	if (shape == NULL) {
		return WEIR_ENOMEM;
	}
	run.rec = rec;
	to = begin(&run, writer, out, shape->room);
	if (to != NULL) {
		to = put_steps(&run, shape, to);
	}
	if (to == NULL) {
		return give_up(out, start);
	}
	out->len = (size_t)(to - out->p);
	if (run.nescaped + run.ntruncated > 0) {
		put_notes(&run);
	}
	strbuf_char(out, '}');
	return out->failed ? give_up(out, start) : 0;
}

bool json_write_string(struct strbuf *out, const void *p, size_t len)
{
	char *to = strbuf_reserve(out, JSON_STRING_GROWTH * len + JSON_STRING_EXTRA);
	char *end;
	bool valid = true;

	if (to == NULL) {
		return true;
	}
	end = json_put_string(to, p, len, false);
	if (end == NULL) {
		valid = false;
		end = json_put_string(to, p, len, true);
	}
	strbuf_wrote(out, (size_t)(end - to));
	return valid;
}

int json_write_list(struct json_writer *writer, enum weir_kind kind, const struct weir_value *value,
		    struct strbuf *out)
{
	size_t start = out->len;
	bool bad = false;
	struct run run;
	char *to;

	to = begin(&run, writer, out, JSON_SCALAR_MAX + JSON_SLACK);
	if (to != NULL) {
		to = put_value(&run, kind, value, to, false);
		if (to == NULL && !out->failed) {
			bad = true;
			to = put_value(&run, kind, value, out->p + start, true);
		}
	}
	if (to == NULL) {
		return give_up(out, start);
	}
	out->len = (size_t)(to - out->p);
	return bad ? 1 : 0;
}

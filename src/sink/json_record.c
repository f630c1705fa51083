/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record writer (see json_record.h).
 *
 * A plan holds a schema's fields in the order in which they are written: depth first through the tree that the dots
 * make. Each leaf knows the text that opens it from any level on, and how many objects it shares with the leaf before it;
 * as the leaves are in depth-first order, what a leaf shares with an earlier one is the minimum along the way. So absent
 * fields cost a test each, and writing is one loop without a stack.
 */
#include "sink/json_record.h"

#include "base/time.h"
#include "sink/json_text.h"
#include "weir/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_DEPTH = 8,   /* dots in a name */
	SCALAR_MAX = 64, /* text of a number, time, address */
	JSON_SLACK = 32, /* beyond what is written */
	NHEADS = 256,    /* hash chains for repeated headers */
};

struct leaf {
	const char *open;       /* "http":{"request":{"method": */
	uint16_t at[MAX_DEPTH]; /* where the text of a level begins in `open` */
	uint16_t len;           /* of open */
	uint8_t field;
	uint8_t kind;
	uint8_t depth;  /* objects around it, the record itself not counted */
	uint8_t common; /* of those, shared with the leaf before */
	bool scalar;    /* short and bounded: SCALAR_MAX */
};

struct json_plan {
	struct json_plan *next;
	const struct weir_schema *schema;
	char *text; /* all the `open` texts */
	char head[64];
	size_t head_len;
	size_t scalar_room; /* for every field's opening and every scalar, and the closing braces */
	size_t nleaves;
	struct leaf leaves[WEIR_MAX_FIELDS];
};

/* Headers of one name: a chain of indices, in order. */
struct json_group {
	uint32_t chain; /* next first-of-its-name with the same hash; index + 1 */
	uint32_t same;  /* next header of this name; index + 1 */
	uint32_t last;  /* of a first one: the last of this name */
};

/* ---- plans ---- */

/* Number of objects that two names share. */
static uint8_t common_depth(const char *a, const char *b)
{
	uint8_t n = 0;

	for (; *a == *b && *a != '\0'; a++, b++) {
		n += *a == '.';
	}
	return n;
}

/* Append to the plan every field below a prefix ("" or "http.request."), whole objects together. */
static void order_fields(struct json_plan *plan, uint64_t done[2], const char *prefix,
			 size_t prefix_len)
{
	const struct weir_field *field;
	size_t i;

	for (i = 0; (field = weir_schema_field(plan->schema, i)) != NULL; i++) {
		const char *dot;

		if ((done[i >> 6] >> (i & 63) & 1) != 0 ||
		    strncmp(field->name, prefix, prefix_len) != 0) {
			continue;
		}
		dot = strchr(field->name + prefix_len, '.');
		if (dot == NULL) {
			done[i >> 6] |= UINT64_C(1) << (i & 63);
			plan->leaves[plan->nleaves].field = (uint8_t)i;
			plan->leaves[plan->nleaves].kind = (uint8_t)field->kind;
			plan->leaves[plan->nleaves].scalar =
				field->kind <= WEIR_KIND_TIME || field->kind == WEIR_KIND_ADDRESS;
			plan->nleaves++;
		} else {
			order_fields(plan, done, field->name,
				     (size_t)(dot - field->name) + 1); /* no deeper than the dots */
		}
	}
}

/* The text that opens a leaf, level by level. */
static void open_leaf(struct leaf *leaf, const char *name, struct strbuf *text)
{
	size_t start = text->len;
	const char *dot;

	leaf->depth = 0;
	leaf->at[0] = 0;
	while ((dot = strchr(name, '.')) != NULL) {
		strbuf_char(text, '"');
		strbuf_add(text, name, (size_t)(dot - name));
		strbuf_str(text, "\":{");
		leaf->depth++;
		assert(leaf->depth < MAX_DEPTH);
		leaf->at[leaf->depth] = (uint16_t)(text->len - start);
		name = dot + 1;
	}
	strbuf_char(text, '"');
	strbuf_str(text, name);
	strbuf_str(text, "\":");
	leaf->len = (uint16_t)(text->len - start);
}

static void plan_free(struct json_plan *plan)
{
	if (plan != NULL) {
		free(plan->text);
		free(plan);
	}
}

static struct json_plan *plan_new(const struct weir_schema *schema)
{
	struct json_plan *plan = calloc(1, sizeof(*plan));
	uint64_t done[2] = {0, 0};
	struct strbuf text;
	const char *at;
	size_t i;

	if (plan == NULL) {
		return NULL;
	}
	plan->schema = schema;
	plan->scalar_room = MAX_DEPTH;
	order_fields(plan, done, "", 0);
	strbuf_init(&text);
	strbuf_printf(&text, "{\"type\":\"%s\"", schema->type);
	plan->head_len = text.len < sizeof(plan->head) ? text.len : 0;
	if (plan->head_len > 0) {
		memcpy(plan->head, text.p, plan->head_len);
	}
	strbuf_clear(&text);
	for (i = 0; i < plan->nleaves; i++) {
		const char *name = weir_schema_field(schema, plan->leaves[i].field)->name;

		open_leaf(&plan->leaves[i], name, &text);
		plan->scalar_room += plan->leaves[i].len + MAX_DEPTH + 1 + SCALAR_MAX;
		if (i > 0) {
			plan->leaves[i].common = common_depth(
				weir_schema_field(schema, plan->leaves[i - 1].field)->name, name);
		}
	}
	for (i = 0; i < JSON_SLACK; i++) {
		strbuf_char(&text, ' '); /* put_short() reads on */
	}
	plan->text = text.p;
	if (text.failed || plan->head_len == 0) {
		plan_free(plan);
		return NULL;
	}
	at = plan->text;
	for (i = 0; i < plan->nleaves; i++) {
		plan->leaves[i].open = at;
		at += plan->leaves[i].len;
	}
	return plan;
}

static struct json_plan *plan_of(struct json_writer *writer, const struct weir_schema *schema)
{
	struct json_plan *plan = writer->plans;

	while (plan != NULL && plan->schema != schema) {
		plan = plan->next;
	}
	if (plan == NULL) {
		plan = plan_new(schema);
		if (plan != NULL) {
			plan->next = writer->plans;
			writer->plans = plan;
		}
	}
	return plan;
}

void json_writer_init(struct json_writer *writer)
{
	memset(writer, 0, sizeof(*writer));
	strbuf_init(&writer->name);
}

void json_writer_fini(struct json_writer *writer)
{
	while (writer->plans != NULL) {
		struct json_plan *plan = writer->plans;

		writer->plans = plan->next;
		plan_free(plan);
	}
	free(writer->groups);
	strbuf_fini(&writer->name);
	memset(writer, 0, sizeof(*writer));
}

/* ---- values ---- */

/* What one record is being written with. */
struct run {
	struct json_writer *writer;
	const struct weir_record *rec;
	struct strbuf *out;
	bool bad;           /* strings of this field are written with \xNN */
	uint8_t nescaped;   /* fields written so */
	uint8_t ntruncated; /* fields that a limit cut */
	uint8_t escaped[WEIR_MAX_FIELDS];
	uint8_t truncated[WEIR_MAX_FIELDS];
};

enum { BAD_TEXT = 1 }; /* not UTF-8: write the field again with run->bad; errors are below 0 */

/* Room for n bytes and some slack, which copies of whole words may write to. */
static inline char *reserve(struct run *run, size_t n)
{
	return strbuf_reserve(run->out, n + JSON_SLACK);
}

static inline void wrote(struct run *run, const char *from, const char *to)
{
	strbuf_wrote(run->out, (size_t)(to - from));
}

/* A copy of short text of ours; up to 32 bytes are read and written whatever its length: both ends have slack. */
static inline char *put_short(char *to, const char *p, size_t len)
{
	if (len <= 32) {
		memcpy(to, p, 32);
	} else {
		memcpy(to, p, len);
	}
	return to + len;
}

static int put_str(struct run *run, const uint8_t *p, size_t len)
{
	char *to = reserve(run, JSON_STRING_GROWTH * len + JSON_STRING_EXTRA);
	char *end;

	if (to == NULL) {
		return WEIR_ENOMEM;
	}
	end = json_put_string(to, p, len, run->bad);
	if (end == NULL) {
		return BAD_TEXT;
	}
	wrote(run, to, end);
	return 0;
}

static int put_strs(struct run *run, const struct weir_value *value)
{
	uint32_t i;

	strbuf_char(run->out, '[');
	for (i = 0; i < value->len; i++) {
		const struct weir_str *str = &value->v.strs[i];
		int err;

		if (i > 0) {
			strbuf_char(run->out, ',');
		}
		err = put_str(run, str->p, str->len);
		if (err != 0) {
			return err;
		}
	}
	strbuf_char(run->out, ']');
	return 0;
}

static int put_u64s(struct run *run, const struct weir_value *value)
{
	char *to = reserve(run, (size_t)value->len * (JSON_U64_MAX + 1) + 2);
	char *at = to;
	uint32_t i;

	if (to == NULL) {
		return WEIR_ENOMEM;
	}
	*at++ = '[';
	for (i = 0; i < value->len; i++) {
		if (i > 0) {
			*at++ = ',';
		}
		at = json_put_u64(at, value->v.u64s[i]);
	}
	*at++ = ']';
	wrote(run, to, at);
	return 0;
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

/* "name" in lower case, when it is not plain. NULL: bad text */
static char *put_odd_name(struct run *run, const struct weir_str *name, char *to)
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
	return json_put_string(to, (const uint8_t *)text, name->len, run->bad);
}

/* May a name occur twice? Never false when one does. */
static bool may_repeat(const struct weir_header *headers, uint32_t n)
{
	uint64_t seen[4] = {0, 0, 0, 0};
	uint32_t i;

	for (i = 0; i < n; i++) {
		const struct weir_str *name = &headers[i].name;
		uint32_t hash = name->len * 37;
		uint64_t bit;

		if (name->len > 0) {
			hash += (name->p[0] | 0x20u) * 11 + (name->p[name->len - 1] | 0x20u) * 5 +
				(name->p[name->len / 2] | 0x20u);
		}
		bit = UINT64_C(1) << (hash & 63);
		if ((seen[hash >> 6 & 3] & bit) != 0) {
			return true;
		}
		seen[hash >> 6 & 3] |= bit;
	}
	return false;
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

/* "name":["value", ...]: header i and those of its name behind it */
static int put_header(struct run *run, const struct weir_header *headers, uint32_t i, bool grouped)
{
	const struct weir_header *header = &headers[i];
	size_t room = JSON_STRING_GROWTH * ((size_t)header->name.len + header->value.len) +
		      2 * JSON_STRING_EXTRA + 8;
	char *start = reserve(run, room);
	char *to;

	if (start == NULL) {
		return WEIR_ENOMEM;
	}
	to = json_put_plain_name(start, header->name.p, header->name.len);
	if (to == NULL) {
		to = put_odd_name(run, &header->name, start);
	}
	if (to == NULL) {
		return BAD_TEXT;
	}
	*to++ = ':';
	*to++ = '[';
	to = json_put_string(to, header->value.p, header->value.len, run->bad);
	if (to == NULL) {
		return BAD_TEXT;
	}
	wrote(run, start, to);
	while (grouped && run->writer->groups[i].same != 0) {
		int err;

		i = run->writer->groups[i].same - 1;
		strbuf_char(run->out, ',');
		err = put_str(run, headers[i].value.p, headers[i].value.len);
		if (err != 0) {
			return err;
		}
	}
	strbuf_char(run->out, ']');
	return 0;
}

static int put_headers(struct run *run, const struct weir_value *value)
{
	const struct weir_header *headers = value->v.headers;
	bool grouped = may_repeat(headers, value->len);
	bool first = true;
	uint32_t i;
	int err;

	if (grouped && group_headers(run->writer, headers, value->len) < 0) {
		return WEIR_ENOMEM;
	}
	strbuf_char(run->out, '{');
	for (i = 0; i < value->len; i++) {
		if (grouped && run->writer->groups[i].last == 0) {
			continue; /* written with the first of its name */
		}
		if (!first) {
			strbuf_char(run->out, ',');
		}
		first = false;
		err = put_header(run, headers, i, grouped);
		if (err != 0) {
			return err;
		}
	}
	strbuf_char(run->out, '}');
	return 0;
}

/* RFC 3339; the date is worked out once a second. */
static char *put_time(struct json_writer *writer, char *to, int64_t ts_ns)
{
	int64_t second = ts_ns / NS_PER_S - (ts_ns % NS_PER_S < 0);
	uint32_t ns = (uint32_t)((ts_ns % NS_PER_S + NS_PER_S) % NS_PER_S);
	int i;

	if (!writer->have_date || writer->second != second) {
		char text[TIME_RFC3339_LEN];

		time_rfc3339(ts_ns, text);
		memcpy(writer->date, text, sizeof(writer->date));
		writer->second = second;
		writer->have_date = true;
	}
	*to++ = '"';
	memcpy(to, writer->date, sizeof(writer->date));
	to += sizeof(writer->date);
	for (i = 8; i >= 0; i--) {
		to[i] = (char)('0' + ns % 10);
		ns /= 10;
	}
	to += 9;
	*to++ = 'Z';
	*to++ = '"';
	return to;
}

/* The kinds whose text is short and bounded; `to` has room. */
static char *put_scalar(struct run *run, const struct leaf *leaf, const struct weir_value *value,
			char *to)
{
	switch ((enum weir_kind)leaf->kind) {
	case WEIR_KIND_BOOL:
		memcpy(to, value->v.u64 != 0 ? "true" : "false", 5);
		return to + (value->v.u64 != 0 ? 4 : 5);
	case WEIR_KIND_U64:
		return json_put_u64(to, value->v.u64);
	case WEIR_KIND_DURATION:
		return json_put_i64(to, value->v.i64);
	case WEIR_KIND_TIME:
		return put_time(run->writer, to, value->v.i64);
	case WEIR_KIND_ADDRESS:
		return json_put_address(to, value->v.bytes, value->len);
	case WEIR_KIND_STR:
	case WEIR_KIND_HEX:
	case WEIR_KIND_STRS:
	case WEIR_KIND_U64S:
	case WEIR_KIND_HEADERS:
		break;
	}
	return to;
}

static int put_long(struct run *run, const struct leaf *leaf, const struct weir_value *value)
{
	char *to, *end;

	switch ((enum weir_kind)leaf->kind) {
	case WEIR_KIND_STR:
		return put_str(run, value->v.bytes, value->len);
	case WEIR_KIND_STRS:
		return put_strs(run, value);
	case WEIR_KIND_U64S:
		return put_u64s(run, value);
	case WEIR_KIND_HEADERS:
		return put_headers(run, value);
	case WEIR_KIND_HEX:
		to = reserve(run, 2 * (size_t)value->len + 2);
		if (to == NULL) {
			return WEIR_ENOMEM;
		}
		end = json_put_hex(to, value->v.bytes, value->len);
		strbuf_wrote(run->out, (size_t)(end - to));
		return 0;
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
	case WEIR_KIND_DURATION:
	case WEIR_KIND_TIME:
	case WEIR_KIND_ADDRESS:
		break;
	}
	return 0;
}

/* Longest full length of a cut value; 0: nothing was cut. */
uint32_t json_cut_from(enum weir_kind kind, const struct weir_value *value)
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

/* A value whose text may be long or bad: once more with \xNN when it is. */
static int put_text(struct run *run, const struct leaf *leaf, const struct weir_value *value)
{
	size_t start = run->out->len;
	int err = put_long(run, leaf, value);

	if (err == BAD_TEXT) {
		run->out->len = start;
		run->bad = true;
		err = put_long(run, leaf, value);
		run->bad = false;
		run->escaped[run->nescaped++] = leaf->field;
		err = err == BAD_TEXT ? WEIR_ENOMEM : err; /* nothing is bad a second time */
	}
	if ((leaf->kind == WEIR_KIND_STR || leaf->kind == WEIR_KIND_HEADERS) &&
	    json_cut_from((enum weir_kind)leaf->kind, value) > 0) {
		run->truncated[run->ntruncated++] = leaf->field;
	}
	return err;
}

/* The braces, comma and names between the field written last and this one. */
static inline char *put_opening(char *to, const struct leaf *leaf, unsigned depth, unsigned common)
{
	for (; depth > common; depth--) {
		*to++ = '}';
	}
	*to++ = ',';
	return put_short(to, leaf->open + leaf->at[common], leaf->len - leaf->at[common]);
}

static int put_fields(struct run *run, const struct json_plan *plan)
{
	const struct leaf *leaf = plan->leaves;
	const struct leaf *end = leaf + plan->nleaves;
	unsigned depth = 0, common = 0;
	char *start = reserve(run, plan->scalar_room);
	char *to = start;

	/* at `to` there is always room for all the scalars: it is made anew behind every text */
	for (; start != NULL && leaf < end; leaf++) {
		const struct weir_value *value = &run->rec->values[leaf->field];
		int err;

		common = leaf->common < common ? leaf->common : common;
		if (!weir_record_has(run->rec, leaf->field)) {
			continue;
		}
		to = put_opening(to, leaf, depth, common);
		depth = leaf->depth;
		common = MAX_DEPTH;
		if (leaf->scalar) {
			to = put_scalar(run, leaf, value, to);
			continue;
		}
		wrote(run, start, to);
		err = put_text(run, leaf, value);
		if (err < 0) {
			return err;
		}
		start = reserve(run, plan->scalar_room);
		to = start;
	}
	if (start == NULL) {
		return WEIR_ENOMEM;
	}
	for (; depth > 0; depth--) {
		*to++ = '}';
	}
	wrote(run, start, to);
	return 0;
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
			   json_cut_from(field->kind, &run->rec->values[run->truncated[i]]));
		if (i + 1u == run->ntruncated) {
			strbuf_char(run->out, '}');
		}
	}
}

int json_write_record(struct json_writer *writer, const struct weir_record *rec, struct strbuf *out)
{
	struct json_plan *plan = plan_of(writer, rec->schema);
	size_t start = out->len;
	struct run run;
	int err;

	if (plan == NULL) {
		return WEIR_ENOMEM;
	}
	run.writer = writer;
	run.rec = rec;
	run.out = out;
	run.bad = false;
	run.nescaped = 0;
	run.ntruncated = 0;
	strbuf_add(out, plan->head, plan->head_len);
	err = put_fields(&run, plan);
	put_notes(&run);
	strbuf_char(out, '}');
	if (err < 0 || out->failed) {
		out->len = start;
		out->failed = false;
		return WEIR_ENOMEM;
	}
	return 0;
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
	struct leaf leaf = {.kind = (uint8_t)kind};
	struct run run = {.writer = writer, .out = out};
	size_t start = out->len;
	int err = put_long(&run, &leaf, value);

	if (err == BAD_TEXT) {
		out->len = start;
		run.bad = true;
		err = put_long(&run, &leaf, value);
	}
	if (err != 0 || out->failed) {
		out->len = start;
		out->failed = false;
		return WEIR_ENOMEM;
	}
	return run.bad ? 1 : 0;
}

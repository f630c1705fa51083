/* SPDX-License-Identifier: Apache-2.0 */
/* Top values of fields, and what is different between two sets of records: store/reader.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "record/record.h"
#include "store/reader_private.h"
#include "weir/error.h"

enum {
	DEFAULT_TOP = 20,
	ELEMENTS_MAX = 64, /* of a list of one record */
	COMPARED = 200,    /* values of a field that are compared */
	SEEN_BEFORE = 2,   /* targets of header.NAME */
};

#define LIFT_MAX 100.0

/* A field that is asked for, in one type. */
struct term_target {
	int16_t fields[SEEN_BEFORE]; /* KEY_NONE: not there; KEY_TYPE */
	const char *header;          /* lower case; NULL: none */
};

struct terming {
	struct store_reader *reader;
	struct red_plan plans[STORE_TYPES_MAX];
	struct term_target targets[STORE_FIELDS_MAX][STORE_TYPES_MAX];
	struct tally *tallies[STORE_FIELDS_MAX];
	size_t nfields;
	struct strbuf scratch, low;
	uint64_t records;
};

/* ---- which fields ---- */

static bool is_headers(const struct weir_schema *schema, int field)
{
	return field >= 0 && record_kind(schema, (size_t)field) == WEIR_KIND_HEADERS;
}

/* header.NAME: both lists; http.request.header.NAME: that one. */
static bool find_header(const struct weir_schema *schema, const char *name,
			struct term_target *target)
{
	static const char *const lists[] = {"http.request.header", "http.response.header"};
	bool found = false;
	size_t i;

	for (i = 0; i < 2; i++) {
		size_t len = strlen(lists[i]);
		int field = weir_schema_find(schema, lists[i], len);

		if (!is_headers(schema, field)) {
			continue;
		}
		if (strncmp(name, "header.", 7) == 0) {
			target->header = name + 7;
		} else if (strncmp(name, lists[i], len) == 0 && name[len] == '.') {
			target->header = name + len + 1;
		} else {
			continue;
		}
		target->fields[i] = (int16_t)field;
		found = true;
	}
	return found;
}

static int find_targets(struct terming *terming, const char *const *fields, size_t nfields)
{
	struct store_reader *reader = terming->reader;
	size_t i, k;

	if (nfields == 0 || nfields > STORE_FIELDS_MAX) {
		return reader_refuse(reader, "1 to %d fields can be asked for", STORE_FIELDS_MAX);
	}
	terming->nfields = nfields;
	for (i = 0; i < nfields; i++) {
		bool found = strcmp(fields[i], "type") == 0;

		for (k = 0; k < reader->nschemas; k++) {
			struct term_target *target = &terming->targets[i][k];
			int field =
				weir_schema_find(reader->schemas[k], fields[i], strlen(fields[i]));

			target->fields[0] = (int16_t)(field >= 0 ? field : KEY_NONE);
			target->fields[1] = KEY_NONE;
			if (strcmp(fields[i], "type") == 0) {
				target->fields[0] = KEY_TYPE;
			}
			found |= field >= 0 || find_header(reader->schemas[k], fields[i], target);
		}
		if (!found) {
			return reader_refuse(reader, "there is no field \"%.64s\"", fields[i]);
		}
	}
	return 0;
}

static bool wants_term(void *context, const struct weir_schema *schema, size_t field)
{
	const struct terming *terming = context;
	size_t type = reader_schema(terming->reader, schema);
	size_t i;

	for (i = 0; i < terming->nfields; i++) {
		if (terming->targets[i][type].fields[0] == (int)field ||
		    terming->targets[i][type].fields[1] == (int)field) {
			return true;
		}
	}
	return red_wants(&terming->plans[type], field);
}

/* ---- counting ---- */

static int add(struct tally *tally, struct store_text text, const struct store_red *one)
{
	text.len = text.len < STORE_TEXT_MAX ? text.len : STORE_TEXT_MAX;
	if (text.p == NULL) {
		text.p = (const uint8_t *)"";
	}
	return tally_add(tally, &text, 0, one);
}

static bool same(const struct weir_str *a, const struct weir_str *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

static int add_strs(struct tally *tally, const struct weir_str *strs, size_t n,
		    const struct store_red *one)
{
	size_t i, k;
	int err = 0;

	for (i = 0; i < n && err == 0; i++) {
		for (k = 0; k < i && !same(&strs[k], &strs[i]); k++) {
		}
		if (k == i) {
			err = add(tally, (struct store_text){strs[i].p, strs[i].len}, one);
		}
	}
	return err;
}

static bool is_named(const struct weir_str *name, const char *low)
{
	uint32_t i;

	for (i = 0; i < name->len; i++) {
		uint8_t c = name->p[i];
		char d = low[i];

		d = d >= 'A' && d <= 'Z' ? (char)(d | 0x20) : d;
		if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (uint8_t)d) {
			return false;
		}
	}
	return low[i] == '\0';
}

/* Each value of the list, or of the named header: once. */
static int add_list(struct terming *terming, struct tally *tally, const struct term_target *target,
		    const struct weir_record *rec, size_t field, const struct store_red *one)
{
	const struct weir_value *value = &rec->values[field];
	enum weir_kind kind = record_kind(rec->schema, field);
	struct weir_str strs[ELEMENTS_MAX];
	size_t n = 0;
	uint32_t i;
	int err = 0;

	for (i = 0; i < value->len && n < ELEMENTS_MAX && err == 0; i++) {
		if (kind == WEIR_KIND_STRS) {
			strs[n++] = value->v.strs[i];
		} else if (kind == WEIR_KIND_HEADERS && target->header == NULL) {
			strs[n++] = value->v.headers[i].name;
		} else if (kind == WEIR_KIND_HEADERS &&
			   is_named(&value->v.headers[i].name, target->header)) {
			strs[n++] = value->v.headers[i].value;
		} else if (kind == WEIR_KIND_U64S) {
			strbuf_clear(&terming->scratch);
			strbuf_u64(&terming->scratch, value->v.u64s[i]);
			err = add(
				tally,
				(struct store_text){(const uint8_t *)strbuf_text(&terming->scratch),
						    (uint32_t)terming->scratch.len},
				one);
		}
	}
	return err != 0 ? err : add_strs(tally, strs, n, one);
}

static int add_field(struct terming *terming, size_t i, const struct weir_record *rec,
		     const struct store_red *one)
{
	size_t type = reader_schema(terming->reader, rec->schema);
	const struct term_target *target = &terming->targets[i][type];
	struct store_text text;
	int err = 0, k;

	if (target->fields[0] == KEY_TYPE) {
		text.p = (const uint8_t *)rec->schema->type;
		text.len = (uint32_t)strlen(rec->schema->type);
		return add(terming->tallies[i], text, one);
	}
	for (k = 0; k < SEEN_BEFORE && err == 0; k++) {
		int field = target->fields[k];

		if (field < 0 || !weir_record_has(rec, (size_t)field)) {
			continue;
		}
		text = red_text(rec, (size_t)field, &terming->scratch);
		err = text.p != NULL ? add(terming->tallies[i], text, one)
				     : add_list(terming, terming->tallies[i], target, rec,
						(size_t)field, one);
	}
	return err;
}

static int visit_term(void *context, const struct weir_record *rec, struct store_place place)
{
	struct terming *terming = context;
	struct store_red one;
	size_t i;
	int err = 0;

	(void)place;
	terming->records++;
	red_of(&terming->plans[reader_schema(terming->reader, rec->schema)], rec, &one);
	for (i = 0; i < terming->nfields && err == 0; i++) {
		err = add_field(terming, i, rec, &one);
	}
	return err;
}

/* ---- terms ---- */

static int count_terms(struct terming *terming, const struct store_scope *scope,
		       struct store_answer *ret)
{
	struct store_reader *reader = terming->reader;
	struct store_scan scan = {.scope = scope,
				  .finals = true,
				  .types = reader_types(reader, false),
				  .wants = wants_term,
				  .visit = visit_term,
				  .context = terming};
	uint64_t limited = scope->filter == NULL ? 0 : query_limited(scope->filter);
	size_t i;
	int err = 0;

	for (i = 0; i < reader->nschemas; i++) {
		red_plan_init(&terming->plans[i], reader->schemas[i], STORE_GROUP_NONE, NULL);
	}
	for (i = 0; i < terming->nfields && err == 0; i++) {
		err = tally_new(1, 1, &terming->tallies[i]);
	}
	if (err == 0) {
		err = reader->type->scan(reader->backend, &scan, ret);
		ret->basis = STORE_FROM_SCAN;
	}
	if (err == 0 && scope->filter != NULL) {
		ret->limited = query_limited(scope->filter) - limited;
	}
	return err;
}

struct summed {
	struct tally *tally;
};

/* A value that is absent is no value. */
static int visit_summed(void *context, const struct store_rollup *row)
{
	struct summed *summed = context;

	return row->keys[0].p == NULL && !row->other ? 0 : tally_add_rollup(summed->tally, 0, row);
}

/*
 * Field by field out of rollups, when they tell all of them apart. Types that have none of the fields are not asked about.
 * @return WEIR_EUNSUPPORTED: a scan must do; tallies may have been added to then
 */
static int sum_terms(struct terming *terming, const struct store_scope *scope,
		     const char *const *fields, struct store_answer *ret)
{
	struct store_reader *reader = terming->reader;
	size_t i;
	int err = 0;

	if (reader_wants_exact(reader, scope)) {
		return WEIR_EUNSUPPORTED;
	}
	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < terming->nfields && err == 0; i++) {
		struct summed summed;
		struct store_summing summing = {.by = STORE_GROUP_FIELD,
						.field = fields[i],
						.filter = scope->filter,
						.types = reader_types(reader, false),
						.from_ns = scope->from_ns,
						.to_ns = scope->to_ns,
						.limits = &scope->limits,
						.visit = visit_summed,
						.context = &summed};

		err = tally_new(1, 1, &terming->tallies[i]);
		if (err == 0) {
			summed.tally = terming->tallies[i];
			err = reader->type->rollups(reader->backend, &summing);
		}
		ret->rows += summing.rows;
		ret->end = summing.end > ret->end ? summing.end : ret->end;
		ret->from_ns = summing.from_ns;
		ret->to_ns = summing.to_ns;
	}
	ret->basis = STORE_FROM_ROLLUPS;
	ret->error = 1.0 / 64;
	return err;
}

static void free_tallies(struct terming *terming)
{
	size_t i;

	for (i = 0; i < terming->nfields; i++) {
		tally_free(terming->tallies[i]);
		terming->tallies[i] = NULL;
	}
}

/* How many records there are to have values: for comparisons. */
static int sum_records(struct terming *terming, const struct store_scope *scope)
{
	static const char *const type[] = {"type"};
	struct terming all = {.reader = terming->reader, .nfields = 1};
	struct store_groups groups;
	struct store_answer answer;
	int err = sum_terms(&all, scope, type, &answer);

	if (err == 0) {
		err = tally_finish(all.tallies[0], 1, STORE_ORDER_COUNT, false, &groups);
		if (err == 0) {
			all.tallies[0] = NULL;
			terming->records = groups.total.count;
			store_groups_free(&groups);
		}
	}
	free_tallies(&all);
	return err;
}

static int ask_terms(struct store_reader *reader, const struct store_scope *scope,
		     const char *const *fields, size_t nfields, size_t top, uint64_t *ret_records,
		     struct store_terms *ret)
{
	struct terming *terming = calloc(1, sizeof(*terming));
	struct store_scope whole;
	size_t i;
	bool empty = false;
	int err =
		terming == NULL ? WEIR_ENOMEM : reader_begin_within(reader, scope, &whole, &empty);

	memset(ret, 0, sizeof(*ret));
	if (err == 0) {
		terming->reader = reader;
		strbuf_init(&terming->scratch);
		err = find_targets(terming, fields, nfields);
	}
	if (err == 0 && top > STORE_ANSWER_MAX) {
		err = reader_refuse(reader, "an answer has %d groups at most", STORE_ANSWER_MAX);
	}
	if (err == 0) {
		err = empty ? WEIR_EUNSUPPORTED : sum_terms(terming, &whole, fields, &ret->answer);
		if (err == 0 && ret_records != NULL) {
			err = sum_records(terming, &whole);
		}
		if (err == WEIR_EUNSUPPORTED) {
			free_tallies(terming);
			err = count_terms(terming, &whole, &ret->answer);
		}
	}
	for (i = 0; terming != NULL && i < terming->nfields && err == 0; i++) {
		err = tally_finish(terming->tallies[i], top == 0 ? DEFAULT_TOP : top,
				   STORE_ORDER_COUNT, false, &ret->fields[i]);
		if (err == 0) {
			ret->answer.error =
				tally_is_rough(terming->tallies[i]) ? 1.0 / 64 : ret->answer.error;
			terming->tallies[i] = NULL;
			ret->nfields++;
		}
	}
	for (i = 0; i < ret->nfields; i++) {
		ret->fields[i].answer = ret->answer;
	}
	if (err == 0 && ret_records != NULL) {
		*ret_records = terming->records;
	}
	if (terming != NULL) {
		free_tallies(terming);
		strbuf_fini(&terming->scratch);
	}
	free(terming);
	if (err != 0) {
		store_terms_free(ret);
	}
	return err;
}

int store_terms(struct store_reader *reader, const struct store_scope *scope,
		const char *const *fields, size_t nfields, size_t top, struct store_terms *ret)
{
	return ask_terms(reader, scope, fields, nfields, top, NULL, ret);
}

void store_terms_free(struct store_terms *terms)
{
	size_t i;

	for (i = 0; i < terms->nfields; i++) {
		store_groups_free(&terms->fields[i]);
	}
	memset(terms, 0, sizeof(*terms));
}

/* ---- comparing ---- */

static double share(uint64_t n, uint64_t of)
{
	return of == 0 ? 0 : (double)n / (double)of;
}

static void score(struct store_difference *difference, uint64_t na, uint64_t nb)
{
	double a = share(difference->a, na), b = share(difference->b, nb);
	double high = a > b ? a : b, low = a > b ? b : a;
	double lift = low * LIFT_MAX <= high ? LIFT_MAX : high / low;

	difference->share_a = a;
	difference->share_b = b;
	difference->score = high > 0 ? (high - low) * lift : 0;
}

static const struct store_group *find_value(const struct store_groups *groups,
					    const struct store_text *text)
{
	size_t i;

	for (i = 0; i < groups->ngroups; i++) {
		const struct store_text *key = &groups->groups[i].keys[0];

		if (key->len == text->len && memcmp(key->p, text->p, key->len) == 0) {
			return &groups->groups[i];
		}
	}
	return NULL;
}

static int by_score(const void *x, const void *y)
{
	const struct store_difference *a = x, *b = y;
	uint32_t len = a->value.len < b->value.len ? a->value.len : b->value.len;
	int is;

	if (a->score != b->score) {
		return a->score > b->score ? -1 : 1;
	}
	is = strcmp(a->field, b->field);
	if (is == 0) {
		is = len == 0 ? 0 : memcmp(a->value.p, b->value.p, len);
	}
	return is != 0 ? is : (a->value.len > b->value.len) - (a->value.len < b->value.len);
}

/* Values of one side, with what the other has of them; those of b that a has are there already. */
static void differ(struct store_compare *compare, size_t i, const char *field, int side)
{
	const struct store_groups *ours = &compare->terms[side].fields[i];
	const struct store_groups *theirs = &compare->terms[1 - side].fields[i];
	size_t k;

	for (k = 0; k < ours->ngroups; k++) {
		const struct store_group *group = &ours->groups[k];
		const struct store_group *other = find_value(theirs, &group->keys[0]);
		struct store_difference *to = &compare->differences[compare->ndifferences];

		if (side == 1 && other != NULL) {
			continue;
		}
		to->field = field;
		to->value = group->keys[0];
		to->a = side == 0 ? group->red.count : 0;
		to->b = side == 1 ? group->red.count : other == NULL ? 0 : other->red.count;
		score(to, compare->terms[0].fields[i].total.count,
		      compare->terms[1].fields[i].total.count);
		compare->ndifferences++;
	}
}

int store_compare(struct store_reader *reader, const struct store_scope *a,
		  const struct store_scope *b, const char *const *fields, size_t nfields,
		  size_t top, struct store_compare *ret)
{
	size_t i;
	int err;

	memset(ret, 0, sizeof(*ret));
	err = ask_terms(reader, a, fields, nfields, COMPARED, &ret->na, &ret->terms[0]);
	if (err == 0) {
		ret->answer_a = ret->terms[0].answer;
		err = ask_terms(reader, b, fields, nfields, COMPARED, &ret->nb, &ret->terms[1]);
	}
	if (err == 0) {
		ret->answer_b = ret->terms[1].answer;
		ret->differences = calloc(2 * COMPARED * nfields + 1, sizeof(*ret->differences));
		err = ret->differences == NULL ? WEIR_ENOMEM : 0;
	}
	if (err != 0) {
		store_compare_free(ret);
		return err;
	}
	for (i = 0; i < nfields; i++) {
		differ(ret, i, fields[i], 0);
		differ(ret, i, fields[i], 1);
	}
	qsort(ret->differences, ret->ndifferences, sizeof(*ret->differences), by_score);
	top = top == 0 ? DEFAULT_TOP : top;
	ret->ndifferences = ret->ndifferences < top ? ret->ndifferences : top;
	return 0;
}

void store_compare_free(struct store_compare *compare)
{
	store_terms_free(&compare->terms[0]);
	store_terms_free(&compare->terms[1]);
	free(compare->differences);
	memset(compare, 0, sizeof(*compare));
}

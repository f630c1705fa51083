/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, series and heatmaps of store/reader.h: records or rollups, counted in groups (store/tally.h). */
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "store/reader_private.h"
#include "weir/error.h"

enum { DEFAULT_TOP = 20 };

#define ROLLUP_ERROR (1.0 / 64)

/* ---- counting ---- */

struct counting {
	struct store_reader *reader;
	struct red_plan plans[STORE_TYPES_MAX];
	unsigned nkeys;
	struct tally *tally;
	int64_t start_ns, step_ns; /* step_ns 0: one interval */
	size_t nsteps;
	struct strbuf scratch[STORE_TEXTS_MAX];
};

static bool wants_counted(void *context, const struct weir_schema *schema, size_t field)
{
	const struct counting *counting = context;

	return red_wants(&counting->plans[reader_schema(counting->reader, schema)], field);
}

static size_t step_of(const struct counting *counting, int64_t ts_ns)
{
	int64_t step = counting->step_ns == 0
			       ? 0
			       : (int64_t)(((uint64_t)ts_ns - (uint64_t)counting->start_ns) /
					   (uint64_t)counting->step_ns);

	return step < 0                            ? 0
	       : step >= (int64_t)counting->nsteps ? counting->nsteps - 1
						   : (size_t)step;
}

static int visit_counted(void *context, const struct weir_record *rec, struct store_place place)
{
	struct counting *counting = context;
	const struct red_plan *plan =
		&counting->plans[reader_schema(counting->reader, rec->schema)];
	struct store_text keys[STORE_TEXTS_MAX];
	struct store_red one;

	if (!plan->counts) {
		return 0;
	}
	red_of(plan, rec, &one);
	red_keys(plan, rec, counting->nkeys, counting->scratch, keys);
	return tally_add(counting->tally, keys, step_of(counting, place.key), &one);
}

static int visit_rollup(void *context, const struct store_rollup *row)
{
	struct counting *counting = context;

	return tally_add_rollup(counting->tally, step_of(counting, row->from_ns), row);
}

/* Which types there are to count: those that have something to be grouped by. */
static uint32_t plan_types(struct counting *counting, const struct store_question *question)
{
	struct store_reader *reader = counting->reader;
	uint32_t types = reader_types(reader, true);
	size_t i;

	for (i = 0; i < reader->nschemas; i++) {
		red_plan_init(&counting->plans[i], reader->schemas[i], question->by,
			      question->field);
		if (!counting->plans[i].counts) {
			types &= ~(UINT32_C(1) << i);
		}
	}
	return types;
}

/* @return WEIR_EUNSUPPORTED: a scan must do */
static int count_rollups(struct counting *counting, const struct store_scope *scope,
			 const struct store_question *question, uint32_t types,
			 struct store_answer *ret)
{
	struct store_summing summing = {.by = question->by,
					.field = question->field,
					.filter = scope->filter,
					.types = types,
					.from_ns = scope->from_ns,
					.to_ns = scope->to_ns,
					.step_ns = counting->step_ns,
					.limits = &scope->limits,
					.visit = visit_rollup,
					.context = counting};
	int err;

	if (reader_wants_exact(counting->reader, scope)) {
		return WEIR_EUNSUPPORTED;
	}
	err = counting->reader->type->rollups(counting->reader->backend, &summing);
	if (err == 0) {
		memset(ret, 0, sizeof(*ret));
		ret->basis = STORE_FROM_ROLLUPS;
		ret->from_ns = summing.from_ns;
		ret->to_ns = summing.to_ns;
		ret->rows = summing.rows;
		ret->end = summing.end;
		ret->error = ROLLUP_ERROR;
	}
	return err;
}

static int count_records(struct counting *counting, const struct store_scope *scope, uint32_t types,
			 struct store_answer *ret)
{
	struct store_scan scan = {.scope = scope,
				  .finals = true,
				  .types = types,
				  .sort = STORE_NEWEST,
				  .wants = wants_counted,
				  .visit = visit_counted,
				  .context = counting};
	uint64_t limited = scope->filter == NULL ? 0 : query_limited(scope->filter);
	int err = counting->reader->type->scan(counting->reader->backend, &scan, ret);

	if (err == 0) {
		ret->basis = STORE_FROM_SCAN;
		ret->error = tally_is_rough(counting->tally) ? ROLLUP_ERROR : 0;
		ret->limited = scope->filter == NULL ? 0 : query_limited(scope->filter) - limited;
	}
	return err;
}

static int count(struct counting *counting, const struct store_scope *scope,
		 const struct store_question *question, struct store_groups *ret)
{
	uint32_t types = plan_types(counting, question);
	struct store_answer answer = {
		.basis = STORE_FROM_SCAN, .from_ns = scope->from_ns, .to_ns = scope->to_ns};
	size_t i;
	int err = tally_new(counting->nkeys, counting->nsteps, &counting->tally);

	if (err != 0) {
		return err;
	}
	for (i = 0; i < STORE_TEXTS_MAX; i++) {
		strbuf_init(&counting->scratch[i]);
	}
	err = count_rollups(counting, scope, question, types, &answer);
	if (err == WEIR_EUNSUPPORTED) {
		err = count_records(counting, scope, types, &answer);
	}
	if (err == 0) {
		err = tally_finish(counting->tally,
				   question->top == 0 ? DEFAULT_TOP : question->top,
				   question->order, counting->step_ns != 0, ret);
	}
	for (i = 0; i < STORE_TEXTS_MAX; i++) {
		strbuf_fini(&counting->scratch[i]);
	}
	if (err != 0) {
		tally_free(counting->tally);
		return err;
	}
	ret->answer = answer;
	ret->start_ns = counting->start_ns;
	ret->step_ns = counting->step_ns;
	ret->nsteps = counting->step_ns == 0 ? 0 : counting->nsteps;
	return 0;
}

static bool is_field(const struct store_reader *reader, const char *name)
{
	size_t i;

	for (i = 0; i < reader->nschemas; i++) {
		if (weir_schema_find(reader->schemas[i], name, strlen(name)) >= 0) {
			return true;
		}
	}
	return strcmp(name, "type") == 0;
}

static int check(struct store_reader *reader, const struct store_question *question)
{
	if (question->top > STORE_ANSWER_MAX) {
		return reader_refuse(reader, "an answer has %d groups at most", STORE_ANSWER_MAX);
	}
	if (question->by == STORE_GROUP_FIELD &&
	    (question->field == NULL || !is_field(reader, question->field))) {
		return reader_refuse(reader, "there is no field \"%.64s\"",
				     question->field == NULL ? "" : question->field);
	}
	if (question->step_ns < 0) {
		return reader_refuse(reader, "an interval is longer than nothing");
	}
	return 0;
}

/* There are no records of that time. */
static void answer_nothing(const struct store_scope *scope, struct store_groups *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->answer.basis = STORE_FROM_INDEX;
	ret->answer.from_ns = scope->from_ns;
	ret->answer.to_ns = scope->to_ns;
}

int store_table(struct store_reader *reader, const struct store_scope *scope,
		const struct store_question *question, struct store_groups *ret)
{
	struct counting counting = {.reader = reader, .nsteps = 1};
	struct store_scope whole;
	bool empty = false;
	int err = check(reader, question);

	if (err == 0) {
		err = reader_begin_within(reader, scope, &whole, &empty);
	}
	if (err != 0) {
		return err;
	}
	if (empty) {
		answer_nothing(&whole, ret);
		return 0;
	}
	counting.nkeys = red_nkeys(question->by);
	return count(&counting, &whole, question, ret);
}

/* Where intervals begin, how long and how many they are. */
static int set_steps(struct store_reader *reader, const struct store_scope *scope, int64_t step_ns,
		     struct counting *counting)
{
	int64_t first, last;

	counting->step_ns = step_ns > 0 ? step_ns : reader_step(scope->from_ns, scope->to_ns);
	first = reader_floor(scope->from_ns, counting->step_ns);
	last = reader_floor(scope->to_ns - 1, counting->step_ns);
	counting->start_ns = first * counting->step_ns;
	if (last - first >= STORE_STEPS_MAX) {
		return reader_refuse(reader,
				     "an answer has %d intervals at most; these would be %lld",
				     STORE_STEPS_MAX, (long long)last - (long long)first + 1);
	}
	counting->nsteps = (size_t)(last - first + 1);
	return 0;
}

int store_series(struct store_reader *reader, const struct store_scope *scope,
		 const struct store_question *question, struct store_groups *ret)
{
	struct counting counting = {.reader = reader, .nsteps = 1};
	struct store_scope whole;
	bool empty = false;
	int err = check(reader, question);

	if (err == 0) {
		err = reader_begin_within(reader, scope, &whole, &empty);
	}
	if (err != 0) {
		return err;
	}
	if (empty) {
		answer_nothing(&whole, ret);
		return 0;
	}
	err = set_steps(reader, &whole, question->step_ns, &counting);
	counting.nkeys = red_nkeys(question->by);
	return err != 0 ? err : count(&counting, &whole, question, ret);
}

void store_groups_free(struct store_groups *groups)
{
	tally_free(groups->memory);
	memset(groups, 0, sizeof(*groups));
}

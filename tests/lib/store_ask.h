/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One store, its reader and its model, for a program of tests about store/reader.h; include after cmocka.h. What is asked for is
 * worked out plainly from the model's records.
 */
#ifndef TESTS_STORE_ASK_H
#define TESTS_STORE_ASK_H

#include "store_model.h"
#include "weir/error.h"

enum { RECORDS = 3000 };

static struct model *model;
static struct store_reader *reader;

__attribute__((unused)) static int set_up(void **state)
{
	(void)state;
	model = calloc(1, sizeof(*model));
	model_init(model, 7);
	model_fill(model, RECORDS);
	model_store(model, 0);
	reader = model_reader(model);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	store_reader_free(reader);
	model_fini(model);
	free(model);
	return 0;
}

static const struct store_scope everything = {.exact = true, .limits = {.rows = 1 << 20}};

static inline int64_t ts_of(size_t i)
{
	return model->records[i]->values[WEIR_F_TS].v.i64;
}

static inline struct query *parse(const char *text)
{
	struct query_error error;
	struct query *query = NULL;

	if (query_new(text, model->schemas, &query, &error) != 0) {
		print_error("%s: %zu+%zu: %s\n", text, error.offset, error.length, error.reason);
		fail();
	}
	return query;
}

static inline bool in_scope(const struct store_scope *scope, size_t i)
{
	return (scope->to_ns == 0 || (ts_of(i) >= scope->from_ns && ts_of(i) < scope->to_ns)) &&
	       (scope->filter == NULL || query_match(scope->filter, model->records[i]));
}

static inline int by_time(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return ts_of(x) != ts_of(y) ? (ts_of(x) < ts_of(y) ? 1 : -1) : x < y ? 1 : -1;
}

/* Numbers of the records of a scope, the newest first. */
static inline size_t select_records(const struct store_scope *scope, size_t *to)
{
	size_t n = 0, i;

	for (i = 0; i < model->n; i++) {
		if (in_scope(scope, i)) {
			to[n++] = i;
		}
	}
	qsort(to, n, sizeof(*to), by_time);
	return n;
}

struct collected {
	size_t rows[MODEL_MAX];
	size_t n;
};

static inline int collect(void *context, const struct weir_record *rec, int64_t row)
{
	struct collected *collected = context;

	(void)rec;
	assert_true(collected->n < MODEL_MAX);
	collected->rows[collected->n++] = (size_t)row - 1;
	return 0;
}

/* All pages of a scope. @return pages */
static inline size_t read_pages(const struct store_scope *scope, enum store_sort sort, size_t limit,
				struct collected *to)
{
	char cursor[STORE_CURSOR_MAX] = "";
	struct store_answer answer;
	size_t pages = 0;

	to->n = 0;
	do {
		struct store_page page = {.sort = sort,
					  .limit = limit,
					  .cursor = cursor,
					  .record = collect,
					  .context = to};
		int err = store_page(reader, scope, &page, cursor, &answer);

		if (err != 0) {
			print_error("%d: %s\n", err, store_problem(reader));
		}
		assert_int_equal(err, 0);
		pages++;
		assert_true(pages < 20000);
	} while (cursor[0] != '\0');
	return pages;
}

#endif

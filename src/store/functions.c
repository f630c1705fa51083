/* SPDX-License-Identifier: Apache-2.0 */
/* SQL functions of the reports: see reports.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/reports.h"
#include "weir/error.h"

enum { BAR = 30, FIRST_VALUES = 64 };

/* The values of one group. */
struct values {
	int64_t *p;
	size_t n, size;
	double percent;
	bool failed;
};

static void percentile_step(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	struct values *values = sqlite3_aggregate_context(context, sizeof(*values));

	(void)argc;
	if (values == NULL || sqlite3_value_type(argv[0]) == SQLITE_NULL) {
		return;
	}
	if (values->n == values->size) {
		size_t size = values->size == 0 ? FIRST_VALUES : 2 * values->size;
		int64_t *grown = reallocarray(values->p, size, sizeof(*grown));

		if (grown == NULL) {
			values->failed = true;
			return;
		}
		values->p = grown;
		values->size = size;
	}
	values->p[values->n++] = sqlite3_value_int64(argv[0]);
	values->percent = sqlite3_value_double(argv[1]);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void percentile_final(sqlite3_context *context)
{
	struct values *values = sqlite3_aggregate_context(context, 0);
	size_t rank;

	if (values == NULL || values->n == 0) {
		sqlite3_result_null(context);
	} else if (values->failed) {
		sqlite3_result_error_nomem(context);
	} else {
		qsort(values->p, values->n, sizeof(*values->p), by_value);
		/* 0.1 % short of the next rank is rounding, not a rank */
		rank = (size_t)ceil(values->percent * (double)values->n / 100 - 1e-9);
		rank = rank < 1 ? 1 : rank > values->n ? values->n : rank;
		sqlite3_result_int64(context, values->p[rank - 1]);
	}
	if (values != NULL) {
		free(values->p);
		values->p = NULL;
	}
}

/* Something is at least one sign. */
static void bar(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	static const char signs[BAR + 1] = "##############################";
	double n = sqlite3_value_double(argv[0]);
	double most = sqlite3_value_double(argv[1]);
	int len = most > 0 ? (int)ceil(BAR * n / most) : 0;

	(void)argc;
	len = len < 0 ? 0 : len > BAR ? BAR : len;
	sqlite3_result_text(context, signs, len, SQLITE_STATIC);
}

int report_functions(struct store *store)
{
	enum { FLAGS = SQLITE_UTF8 | SQLITE_DETERMINISTIC };

	if (sqlite3_create_function(store->db, "percentile", 2, FLAGS, NULL, NULL, percentile_step,
				    percentile_final) != SQLITE_OK ||
	    sqlite3_create_function(store->db, "bar", 2, FLAGS, NULL, bar, NULL, NULL) !=
		    SQLITE_OK) {
		return WEIR_ENOMEM;
	}
	return 0;
}

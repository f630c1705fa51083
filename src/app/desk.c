/* SPDX-License-Identifier: Apache-2.0 */
/* What workers do with their records: see desk.h. */
#include "app/desk.h"

#include <stdlib.h>
#include <string.h>

#include "app/pipeline.h"
#include "weir/error.h"

static int desk_open(struct desk *desk, struct output *output)
{
	int err;

	memset(desk, 0, sizeof(*desk));
	desk->output = output;
	desk->writer = output_writer(output);
	desk->type = desk->writer == NULL ? NULL : desk->writer->spec.type->formatter;
	err = output_filter_open(output, &desk->filter);
	return err < 0 ? err : output_formatter_open(output, &desk->formatter);
}

static void desk_close(struct desk *desk)
{
	output_filter_close(&desk->filter);
	if (desk->formatter != NULL) {
		desk->type->close(desk->formatter);
		desk->formatter = NULL;
	}
}

int desks_open(struct desks *desks, unsigned nworkers, struct output *output)
{
	unsigned n = nworkers < ENGINE_SHARDS ? nworkers : ENGINE_SHARDS;
	int err = 0;

	if (n == 1) {
		return 0;
	}
	desks->at = aligned_alloc(DESK_LINES, n * sizeof(*desks->at));
	if (desks->at == NULL) {
		return WEIR_ENOMEM;
	}
	for (desks->n = 0; desks->n < n && err == 0; desks->n++) {
		desks->contexts[desks->n] = &desks->at[desks->n];
		err = desk_open(&desks->at[desks->n], output);
	}
	if (err < 0) {
		desks_close(desks);
	}
	return err;
}

void desks_close(struct desks *desks)
{
	size_t i;

	for (i = 0; i < desks->n; i++) {
		desk_close(&desks->at[i]);
	}
	free(desks->at);
	desks->at = NULL;
	desks->n = 0;
}

/* A row of the summary begins with this record: rows are in the order of the first ones. */
static void note_first(struct desk_figures *figures, const struct weir_record *rec)
{
	size_t row = 0;

	while (row < SUMMARY_TYPES && figures->records.types[row].schema != NULL) {
		if (figures->records.types[row].schema == rec->schema) {
			return;
		}
		row++;
	}
	if (row < SUMMARY_TYPES) {
		figures->first[row] = rec->key;
	}
}

static void count(struct desk *desk, const struct weir_record *rec)
{
	note_first(&desk->now, rec);
	summary_record(&desk->now.records, rec);
	if (strcmp(rec->schema->type, "http") == 0) {
		/* one thread counts */
		atomic_store_explicit(
			&desk->transactions,
			atomic_load_explicit(&desk->transactions, memory_order_relaxed) + 1,
			memory_order_relaxed);
	}
}

int desk_prepare(void *context, const struct weir_record *rec, struct strbuf *text)
{
	struct desk *desk = context;
	struct output *output = desk->output;
	int err;

	if (!output_is_private(output, rec)) {
		count(desk, rec);
	}
	if (!output_passes(output, &desk->filter, rec)) {
		return 0;
	}
	if (desk->writer == NULL || !output_is_for(output, desk->writer, rec)) {
		return 0;
	}
	err = desk->type->format(desk->formatter, rec, text);
	return err < 0 ? err : 1;
}

void desk_note(void *context)
{
	struct desk *desk = context;

	desk->told = desk->now;
	desk->told.filter = desk->filter;
}

/* The types in the order of their first records, whichever desk has them. */
static void order_types(const struct desks *desks, struct summary_records *ret)
{
	size_t row[ENGINE_SHARDS] = {0};
	size_t i, best;

	do {
		const struct weir_record_key *first = NULL;

		for (i = 0, best = desks->n; i < desks->n; i++) {
			const struct desk_figures *told = &desks->at[i].told;

			if (row[i] < SUMMARY_TYPES && told->records.types[row[i]].schema != NULL &&
			    (first == NULL ||
			     pipeline_compare_keys(&told->first[row[i]], first) < 0)) {
				first = &told->first[row[i]];
				best = i;
			}
		}
		if (best < desks->n) {
			summary_know(ret, desks->at[best].told.records.types[row[best]].schema);
			row[best]++;
		}
	} while (best < desks->n);
}

void desks_gather(const struct desks *desks, struct summary_records *ret_records,
		  struct output_filter *ret_filter)
{
	size_t i;

	order_types(desks, ret_records);
	for (i = 0; i < desks->n; i++) {
		const struct output_filter *filter = &desks->at[i].told.filter;

		summary_records_merge(ret_records, &desks->at[i].told.records);
		ret_filter->matched += filter->matched;
		ret_filter->left_out += filter->left_out;
		ret_filter->limited += filter->limited;
	}
}

uint64_t desks_transactions(const struct desks *desks)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < desks->n; i++) {
		n += atomic_load_explicit(&desks->at[i].transactions, memory_order_relaxed);
	}
	return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The latency heatmap of store/reader.h: durations by interval and by bins that each double in 1, 2, 4 or 8 steps. */
#include <stdlib.h>
#include <string.h>

#include "record/record.h"
#include "store/reader_private.h"
#include "weir/error.h"

/* Bins are unions of the buckets of store/hist.h, so rollups and records fall into the same. */
enum { BUCKETS_PER_OCTAVE = 32 };

struct heating {
	int64_t start_ns, step_ns;
	size_t nsteps;
	unsigned width; /* buckets in a bin */
	size_t nbins;   /* of all there could be */
	uint64_t *counts;
	size_t low, high; /* bins that have something: low <= i < high */
	struct hist scratch;
};

static void heat(struct heating *heating, int64_t ts_ns, unsigned bucket, uint64_t n)
{
	uint64_t step =
		((uint64_t)ts_ns - (uint64_t)heating->start_ns) / (uint64_t)heating->step_ns;
	size_t bin = bucket / heating->width;

	if (ts_ns < heating->start_ns || step >= heating->nsteps) {
		return;
	}
	heating->counts[step * heating->nbins + bin] += n;
	if (heating->high == 0) {
		heating->low = bin;
	}
	heating->low = bin < heating->low ? bin : heating->low;
	heating->high = bin >= heating->high ? bin + 1 : heating->high;
}

static bool wants_heat(void *context, const struct weir_schema *schema, size_t field)
{
	(void)context;
	(void)schema;
	return field == WEIR_F_DURATION;
}

static int visit_heat(void *context, const struct weir_record *rec, struct store_place place)
{
	if (weir_record_has(rec, WEIR_F_DURATION)) {
		heat(context, place.key, hist_bucket(rec->values[WEIR_F_DURATION].v.i64), 1);
	}
	return 0;
}

static int visit_rollup(void *context, const struct store_rollup *row)
{
	struct heating *heating = context;
	unsigned i;

	hist_clear(&heating->scratch);
	hist_add_blob(&heating->scratch, row->hist, row->hist_len);
	for (i = heating->scratch.low; i < heating->scratch.high; i++) {
		if (heating->scratch.buckets[i] > 0) {
			heat(heating,
			     row->from_ns < heating->start_ns ? heating->start_ns : row->from_ns, i,
			     heating->scratch.buckets[i]);
		}
	}
	return 0;
}

/* The bins that have something, and their bounds. */
static int finish(struct heating *heating, struct store_heatmap *ret)
{
	size_t n = heating->high - heating->low, step, i;

	ret->start_ns = heating->start_ns;
	ret->step_ns = heating->step_ns;
	ret->nsteps = heating->nsteps;
	ret->nbins = n;
	ret->bounds = calloc(n + 1, sizeof(*ret->bounds));
	ret->counts = calloc(heating->nsteps * n + 1, sizeof(*ret->counts));
	if (ret->bounds == NULL || ret->counts == NULL) {
		store_heatmap_free(ret);
		return WEIR_ENOMEM;
	}
	for (i = 0; i <= n; i++) {
		unsigned bucket = (unsigned)(heating->low + i) * heating->width;

		ret->bounds[i] = bucket < HIST_BUCKETS ? hist_low(bucket) : INT64_MAX;
	}
	for (step = 0; step < heating->nsteps; step++) {
		memcpy(ret->counts + step * n,
		       heating->counts + step * heating->nbins + heating->low,
		       n * sizeof(*ret->counts));
	}
	return 0;
}

static int collect(struct store_reader *reader, const struct store_scope *scope,
		   struct heating *heating, struct store_answer *ret)
{
	struct store_summing summing = {.by = STORE_GROUP_PROTOCOL,
					.filter = scope->filter,
					.types = reader_types(reader, true),
					.from_ns = scope->from_ns,
					.to_ns = scope->to_ns,
					.step_ns = heating->step_ns,
					.limits = &scope->limits,
					.visit = visit_rollup,
					.context = heating};
	struct store_scan scan = {.scope = scope,
				  .finals = true,
				  .types = reader_types(reader, true),
				  .wants = wants_heat,
				  .visit = visit_heat,
				  .context = heating};
	int err = WEIR_EUNSUPPORTED;

	memset(ret, 0, sizeof(*ret));
	if (!reader_wants_exact(reader, scope)) {
		err = reader->type->rollups(reader->backend, &summing);
		ret->basis = STORE_FROM_ROLLUPS;
		ret->from_ns = summing.from_ns;
		ret->to_ns = summing.to_ns;
		ret->rows = summing.rows;
		ret->end = summing.end;
	}
	if (err == WEIR_EUNSUPPORTED) {
		err = reader->type->scan(reader->backend, &scan, ret);
		ret->basis = STORE_FROM_SCAN;
	}
	return err;
}

int store_heatmap(struct store_reader *reader, const struct store_scope *scope, int64_t step_ns,
		  unsigned per_octave, struct store_heatmap *ret)
{
	struct heating *heating;
	struct store_answer answer;
	struct store_scope whole;
	bool empty = false;
	int64_t last;
	int err = reader_begin_within(reader, scope, &whole, &empty);

	if (err != 0) {
		return err;
	}
	memset(ret, 0, sizeof(*ret));
	ret->answer.from_ns = whole.from_ns;
	ret->answer.to_ns = whole.to_ns;
	if (step_ns < 0 ||
	    (per_octave != 1 && per_octave != 2 && per_octave != 4 && per_octave != 8)) {
		return reader_refuse(reader, "a duration's double is reached in 1, 2, 4 or 8 bins");
	}
	if (empty) {
		return 0;
	}
	heating = calloc(1, sizeof(*heating));
	if (heating == NULL) {
		return WEIR_ENOMEM;
	}
	heating->step_ns = step_ns > 0 ? step_ns : reader_step(whole.from_ns, whole.to_ns);
	heating->start_ns = reader_floor(whole.from_ns, heating->step_ns) * heating->step_ns;
	last = reader_floor(whole.to_ns - 1, heating->step_ns) * heating->step_ns;
	heating->nsteps = (size_t)((last - heating->start_ns) / heating->step_ns + 1);
	heating->width = BUCKETS_PER_OCTAVE / per_octave;
	heating->nbins = HIST_BUCKETS / heating->width + 1;
	if (heating->nsteps > STORE_STEPS_MAX) {
		free(heating);
		return reader_refuse(reader, "an answer has %d intervals at most", STORE_STEPS_MAX);
	}
	heating->counts = calloc(heating->nsteps * heating->nbins, sizeof(*heating->counts));
	err = heating->counts == NULL ? WEIR_ENOMEM : collect(reader, &whole, heating, &answer);
	if (err == 0) {
		err = finish(heating, ret);
		ret->answer = answer;
	}
	free(heating->counts);
	free(heating);
	return err;
}

void store_heatmap_free(struct store_heatmap *heatmap)
{
	free(heatmap->bounds);
	free(heatmap->counts);
	memset(heatmap, 0, sizeof(*heatmap));
}

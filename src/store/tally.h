/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting records in groups and intervals: what store_table(), store_series() and store_terms() are made of. Fed with records or
 * with rows of rollups.
 *
 * A *cell* is a group in an interval. It keeps the durations themselves, to be exact, as long as there are no more than
 * STORE_EXACT_VALUES in all; then buckets of a histogram (store/hist.h). Everything is of one budget.
 */
#ifndef STORE_TALLY_H
#define STORE_TALLY_H

#include "base/arena.h"
#include "store/backend.h"

struct tally;

/** @param nsteps intervals; 1: none */
int tally_new(unsigned nkeys, size_t nsteps, struct tally **ret);
void tally_free(struct tally *tally);

/** A record: `one` has count 1; duration_ns only when one->timed is 1. @return 0 or WEIR_ENOMEM */
int tally_add(struct tally *tally, const struct store_text *keys, size_t step,
	      const struct store_red *one);

/** A row of rollups. */
int tally_add_rollup(struct tally *tally, size_t step, const struct store_rollup *row);

/**
 * The groups, ordered, with everything but answer, start_ns and step_ns. The tally then belongs to the groups (store_groups_free()).
 * @param steps are the intervals wanted too?
 * @return 0; WEIR_ENOMEM: the tally is still the caller's
 */
int tally_finish(struct tally *tally, size_t top, enum store_order order, bool steps,
		 struct store_groups *ret);

/** Are percentiles those of a histogram? */
bool tally_is_rough(const struct tally *tally);

#endif

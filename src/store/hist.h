/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear histogram of durations: 32 buckets for each power of two, so that what is read from it is at most 1/64 (1.6 %) off.
 * Below 64 ns it is exact; below 0 counts as 0.
 *
 * As a blob: for each bucket that has something, ascending, its distance from the bucket before (of the first: from bucket 0) and its
 * count, both in base 128 (store/ids.h). Blobs are added by adding counts.
 */
#ifndef STORE_HIST_H
#define STORE_HIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

enum { HIST_BUCKETS = 1888 }; /* the last one begins at 31.5 * 2^58 ns */

/* Dense, to add into; 15 KB. All zero is empty. low and high bound what may be other than 0: low <= i < high */
struct hist {
	uint64_t n;
	unsigned low, high;
	uint64_t buckets[HIST_BUCKETS];
};

unsigned hist_bucket(int64_t ns);
/** The bucket has low <= ns < high. */
int64_t hist_low(unsigned bucket);
int64_t hist_high(unsigned bucket);
/** What a value in it is told as: its middle. */
int64_t hist_middle(unsigned bucket);

/** Make empty; only what was used is written to. */
void hist_clear(struct hist *hist);
void hist_add(struct hist *hist, unsigned bucket, uint64_t n);
/** Add a blob; what is damaged of it is left out. */
void hist_add_blob(struct hist *hist, const void *p, size_t len);
void hist_put_blob(const struct hist *hist, struct strbuf *out);

/** The value at rank ceil(percent / 100 * n), as its bucket's middle; 0 when empty. */
int64_t hist_percentile(const struct hist *hist, double percent);

#endif

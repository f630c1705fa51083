/* SPDX-License-Identifier: Apache-2.0 */
/* Log-linear histograms: see hist.h. */
#include "store/hist.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "store/ids.h"

enum {
	PART_BITS = 5, /* 32 buckets for a power of two */
	PARTS = 1 << PART_BITS,
};

unsigned hist_bucket(int64_t ns)
{
	uint64_t v = ns < 0 ? 0 : (uint64_t)ns;
	unsigned e;

	if (v < PARTS) {
		return (unsigned)v;
	}
	e = 63 - (unsigned)__builtin_clzll(v);
	return (e - PART_BITS) * PARTS + (unsigned)(v >> (e - PART_BITS));
}

int64_t hist_low(unsigned bucket)
{
	unsigned shift;

	if (bucket < 2 * PARTS) {
		return bucket;
	}
	shift = bucket / PARTS - 1;
	return (int64_t)((uint64_t)(bucket % PARTS + PARTS) << shift);
}

int64_t hist_high(unsigned bucket)
{
	return bucket + 1 < HIST_BUCKETS ? hist_low(bucket + 1) : INT64_MAX;
}

int64_t hist_middle(unsigned bucket)
{
	int64_t low = hist_low(bucket);

	return low + (hist_high(bucket) - low) / 2;
}

void hist_clear(struct hist *hist)
{
	if (hist->high > hist->low) {
		memset(hist->buckets + hist->low, 0,
		       (hist->high - hist->low) * sizeof(hist->buckets[0]));
	}
	hist->n = 0;
	hist->low = 0;
	hist->high = 0;
}

void hist_add(struct hist *hist, unsigned bucket, uint64_t n)
{
	if (bucket >= HIST_BUCKETS || n == 0) {
		return;
	}
	if (hist->high == 0) {
		hist->low = bucket;
		hist->high = bucket + 1;
	}
	hist->low = bucket < hist->low ? bucket : hist->low;
	hist->high = bucket >= hist->high ? bucket + 1 : hist->high;
	hist->buckets[bucket] += n;
	hist->n += n;
}

static bool take(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	uint64_t value = 0;
	unsigned shift;

	for (shift = 0; *p < end && shift < 64; shift += 7) {
		uint8_t octet = *(*p)++;

		value |= (uint64_t)(octet & 0x7f) << shift;
		if (octet < 0x80) {
			*ret = value;
			return true;
		}
	}
	return false;
}

void hist_add_blob(struct hist *hist, const void *p, size_t len)
{
	const uint8_t *at = p, *end;
	uint64_t bucket = 0, distance, n;

	if (p == NULL) {
		return;
	}
	end = at + len;
	while (take(&at, end, &distance) && take(&at, end, &n) &&
	       distance < HIST_BUCKETS - bucket) {
		bucket += distance;
		hist_add(hist, (unsigned)bucket, n);
	}
}

void hist_put_blob(const struct hist *hist, struct strbuf *out)
{
	unsigned before = 0, i;

	for (i = hist->low; i < hist->high; i++) {
		uint8_t *to;
		size_t n;

		if (hist->buckets[i] == 0) {
			continue;
		}
		to = (uint8_t *)strbuf_reserve(out, 2 * IDS_MAX);
		if (to == NULL) {
			return;
		}
		n = ids_put(to, i - before);
		n += ids_put(to + n, hist->buckets[i]);
		strbuf_wrote(out, n);
		before = i;
	}
}

int64_t hist_percentile(const struct hist *hist, double percent)
{
	/* a little short of the next rank is rounding, not a rank */
	double rank = ceil(percent * (double)hist->n / 100 - 1e-9);
	uint64_t wanted = rank < 1 ? 1 : (uint64_t)rank, seen = 0;
	unsigned i;

	for (i = hist->low; i < hist->high; i++) {
		seen += hist->buckets[i];
		if (seen >= wanted) {
			return hist_middle(i);
		}
	}
	return 0;
}

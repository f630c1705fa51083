/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The closing summary: what went in, what became of it, and what can be doubted about it (CONTRACT.md §5, UI.md §5).
 *
 * The program fills in figures; summary_record() adds what records tell. Summaries of several workers or sinks are added
 * together with summary_merge().
 */
#ifndef APP_SUMMARY_H
#define APP_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "app/summary_codes.h"
#include "base/strbuf.h"
#include "capture/keeper.h"
#include "engine/tunnels.h"
#include "weir/flow.h"
#include "weir/record.h"

enum {
	SUMMARY_TYPES = 16,     /* types of records */
	SUMMARY_COUNTERS = 80,  /* named figures of ip, of drops (four a sink) */
	SUMMARY_RINGS = 64,     /* of a live capture */
	SUMMARY_NOTES = 16,     /* remarks below the text */
	SUMMARY_BUCKETS = 1920, /* of the latency histogram */
};

/* A figure by name; the name is a constant. */
struct summary_counter {
	const char *name;
	uint64_t value;
};

/*
 * Log-linear histogram: 32 buckets for each power of two, so a percentile is right within 3 %. Durations below 0 count
 * as 0.
 */
struct summary_latency {
	uint64_t count;
	int64_t max_ns;
	uint64_t buckets[SUMMARY_BUCKETS];
};

/* What records tell. */
struct summary_records {
	struct {
		const struct weir_schema *schema;
		uint64_t count;
		uint64_t unread; /* more of them, of which only the number is known */
		int status;      /* index of http.response.status_code, or below 0 */
	} types[SUMMARY_TYPES];
	uint64_t status_class[6];   /* [1] 1xx .. [5] 5xx; [0]: other numbers */
	uint64_t no_response;       /* of requests */
	uint64_t no_request;        /* responses alone */
	uint64_t anomalous;         /* records that name anomalies */
	struct summary_codes codes; /* which */
	uint64_t duration_ns;       /* sum over records */
	uint64_t stall_ns;          /* sum over records */
	struct summary_latency latency;
};

struct summary {
	uint64_t packets;                            /* read or captured */
	uint64_t bytes;                              /* of those packets, as captured */
	struct summary_counter ip[SUMMARY_COUNTERS]; /* up to the first without a name */
	const struct tunnels *tunnels;               /* borrowed; NULL: none */
	/* TCP */
	uint64_t flows;
	uint64_t segments;
	struct weir_ledger ledger; /* both directions of all flows; gap_bytes and gaps too */
	uint64_t gap_causes[WEIR_GAP_NCAUSES]; /* gaps by cause */
	uint64_t retransmits;                  /* segments */
	uint64_t out_of_order;                 /* segments */
	uint64_t closed[WEIR_CLOSE_NKINDS];    /* flows by how they ended */
	uint64_t midstream;                    /* flows whose beginning was not seen */
	struct summary_counter tcp[SUMMARY_COUNTERS];
	uint64_t one_way; /* flows with payload and one direction only */
	struct summary_records records;
	struct summary_counter drops[SUMMARY_COUNTERS]; /* kernel, ring, sinks ... */
	struct {                                        /* -Y */
		bool used;
		uint64_t matched; /* final records */
		uint64_t left_out;
		uint64_t limited; /* comparisons that were given up */
	} filter;
	struct summary_counter sinks[SUMMARY_COUNTERS]; /* what sinks say about themselves */
	struct capture_ring rings[SUMMARY_RINGS];       /* of the kernel's, live */
	size_t nrings;
	bool has_ring; /* --ring */
	struct keeper_stats ring;
	uint64_t memory_peak;
	uint64_t memory_budget;
	int64_t elapsed_ns;               /* wall clock */
	bool truncated;                   /* the input was damaged or cut short */
	const char *notes[SUMMARY_NOTES]; /* remarks, without "!"; up to the first NULL */
};

void summary_init(struct summary *summary);

/** Set a named figure of summary->ip or ->drops, or add to it. Beyond SUMMARY_COUNTERS names it is left out. */
void summary_count(struct summary_counter *counters, const char *name, uint64_t n);

/** Add a record. Interim ones (final=false) do not count. */
void summary_record(struct summary_records *records, const struct weir_record *rec);

/** Does summary_record() read this field? For weir_record.wanted. */
bool summary_wants(const struct weir_schema *schema, size_t field);
/** So many records of a type were not made, for nobody reads them: the engine's total, given as often as it changes. */
void summary_unread(struct summary_records *records, const struct weir_schema *schema, uint64_t n);

/** Records of a type are coming: types are told in this order, or that in which their first records came. */
void summary_know(struct summary_records *records, const struct weir_schema *schema);

void summary_records_merge(struct summary_records *into, const struct summary_records *from);

/** Record a duration; @return of the quantile 0..1: the middle of its bucket, at most the maximum; 0 without durations */
void summary_latency_add(struct summary_latency *latency, int64_t ns);
int64_t summary_latency_quantile(const struct summary_latency *latency, double quantile);

/** Was anything lost: gaps, drops, bytes given up for memory, evictions, a damaged input? (--strict) */
bool summary_lost(const struct summary *summary);

/** Several lines for people. */
void summary_write_text(const struct summary *summary, bool color, struct strbuf *out);

/** One JSON object and a line end. */
void summary_write_json(const struct summary *summary, struct strbuf *out);

#endif

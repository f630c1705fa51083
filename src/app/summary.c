/* SPDX-License-Identifier: Apache-2.0 */
/* The closing summary: figures, and their two forms. See summary.h. */
#include "app/summary.h"

#include "sink/escape.h"
#include "sink/human.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { SUB_BITS = 5 }; /* 32 buckets for each power of two */

void summary_init(struct summary *summary)
{
	memset(summary, 0, sizeof(*summary));
}

void summary_count(struct summary_counter *counters, const char *name, uint64_t n)
{
	size_t i;

	for (i = 0; i < SUMMARY_COUNTERS; i++) {
		if (counters[i].name == NULL) {
			counters[i].name = name;
		}
		if (strcmp(counters[i].name, name) == 0) {
			counters[i].value += n;
			return;
		}
	}
}

/* ---- latency ---- */

/*
 * Values below 32 have a bucket each. Above, the 5 bits behind the leading one choose among the 32 buckets of its
 * power of two: 63 is the last exponent, so the last index is (63 - 5 + 1) * 32 + 31 = 1919.
 */
static size_t bucket_of(uint64_t value)
{
	unsigned exponent;

	if (value < (1u << SUB_BITS)) {
		return (size_t)value;
	}
	exponent = 63 - (unsigned)__builtin_clzll(value);
	return ((size_t)(exponent - SUB_BITS + 1) << SUB_BITS) +
	       ((value >> (exponent - SUB_BITS)) & ((1u << SUB_BITS) - 1));
}

/* The middle of a bucket. */
static uint64_t bucket_value(size_t bucket)
{
	unsigned shift;

	if (bucket < (1u << SUB_BITS)) {
		return bucket;
	}
	shift = (unsigned)(bucket >> SUB_BITS) - 1;
	return (((bucket & ((1u << SUB_BITS) - 1)) | (1u << SUB_BITS)) << shift) +
	       (shift == 0 ? 0 : UINT64_C(1) << (shift - 1));
}

void summary_latency_add(struct summary_latency *latency, int64_t ns)
{
	ns = ns < 0 ? 0 : ns;
	latency->buckets[bucket_of((uint64_t)ns)]++;
	latency->count++;
	latency->max_ns = ns > latency->max_ns ? ns : latency->max_ns;
}

int64_t summary_latency_quantile(const struct summary_latency *latency, double quantile)
{
	/* the smallest value that has at least this many at or below it */
	double rank = quantile * (double)latency->count;
	uint64_t seen = 0;
	size_t i;

	for (i = 0; i < SUMMARY_BUCKETS; i++) {
		seen += latency->buckets[i];
		if (latency->buckets[i] > 0 && (double)seen >= rank) {
			uint64_t value = bucket_value(i);

			return value < (uint64_t)latency->max_ns ? (int64_t)value : latency->max_ns;
		}
	}
	return latency->max_ns;
}

/* ---- records ---- */

bool summary_wants(const struct weir_schema *schema, size_t field)
{
	switch (field) {
	case WEIR_F_DURATION:
	case WEIR_F_TIMING_STALL:
	case WEIR_F_COMPLETENESS:
	case WEIR_F_FINAL:
	case WEIR_F_ANOMALIES:
		return true;
	default:
		return field >= WEIR_NCOMMON && strcmp(weir_schema_field(schema, field)->name,
						       "http.response.status_code") == 0;
	}
}

/* The row of a type; NULL when there are more types than rows. */
static int row_of(struct summary_records *records, const struct weir_schema *schema)
{
	int i;

	for (i = 0; i < SUMMARY_TYPES; i++) {
		if (records->types[i].schema == schema) {
			return i;
		}
		if (records->types[i].schema == NULL) {
			static const char name[] = "http.response.status_code";

			records->types[i].schema = schema;
			records->types[i].status = weir_schema_find(schema, name, sizeof(name) - 1);
			return i;
		}
	}
	return -1;
}

static bool has_text(const struct weir_record *rec, size_t field, const char *text)
{
	const struct weir_value *value = &rec->values[field];

	return weir_record_has(rec, field) && value->len == strlen(text) &&
	       memcmp(value->v.bytes, text, value->len) == 0;
}

static void count_http(struct summary_records *records, const struct weir_record *rec, int status)
{
	if (weir_record_has(rec, (size_t)status)) {
		uint64_t class = rec->values[status].v.u64 / 100;

		records->status_class[class >= 1 && class <= 5 ? class : 0]++;
	}
	if (has_text(rec, WEIR_F_COMPLETENESS, "no_response")) {
		records->no_response++;
	} else if (has_text(rec, WEIR_F_COMPLETENESS, "no_request")) {
		records->no_request++;
	}
	if (weir_record_has(rec, WEIR_F_DURATION) && weir_record_has(rec, (size_t)status)) {
		int64_t ns = rec->values[WEIR_F_DURATION].v.i64;

		summary_latency_add(&records->latency, ns);
		records->duration_ns += ns > 0 ? (uint64_t)ns : 0;
		if (weir_record_has(rec, WEIR_F_TIMING_STALL) &&
		    rec->values[WEIR_F_TIMING_STALL].v.i64 > 0) {
			records->stall_ns += (uint64_t)rec->values[WEIR_F_TIMING_STALL].v.i64;
		}
	}
}

void summary_record(struct summary_records *records, const struct weir_record *rec)
{
	int row = row_of(records, rec->schema);

	if (row < 0 ||
	    (weir_record_has(rec, WEIR_F_FINAL) && rec->values[WEIR_F_FINAL].v.u64 == 0)) {
		return;
	}
	records->types[row].count++;
	if (weir_record_has(rec, WEIR_F_ANOMALIES) && rec->values[WEIR_F_ANOMALIES].len > 0) {
		records->anomalous++;
		summary_codes_count(&records->codes, rec);
	}
	if (records->types[row].status >= 0) {
		count_http(records, rec, records->types[row].status);
	}
}

void summary_unread(struct summary_records *records, const struct weir_schema *schema, uint64_t n)
{
	int row = n == 0 ? -1 : row_of(records, schema);

	if (row >= 0) {
		records->types[row].unread = n;
	}
}

void summary_know(struct summary_records *records, const struct weir_schema *schema)
{
	(void)row_of(records, schema);
}

void summary_records_merge(struct summary_records *into, const struct summary_records *from)
{
	size_t i;

	for (i = 0; i < SUMMARY_TYPES && from->types[i].schema != NULL; i++) {
		int row = row_of(into, from->types[i].schema);

		if (row >= 0) {
			into->types[row].count += from->types[i].count;
		}
	}
	for (i = 0; i < 6; i++) {
		into->status_class[i] += from->status_class[i];
	}
	into->no_response += from->no_response;
	into->no_request += from->no_request;
	into->anomalous += from->anomalous;
	summary_codes_merge(&into->codes, &from->codes);
	into->duration_ns += from->duration_ns;
	into->stall_ns += from->stall_ns;
	into->latency.count += from->latency.count;
	if (from->latency.max_ns > into->latency.max_ns) {
		into->latency.max_ns = from->latency.max_ns;
	}
	for (i = 0; i < SUMMARY_BUCKETS; i++) {
		into->latency.buckets[i] += from->latency.buckets[i];
	}
}

/* ---- sums ---- */

static uint64_t sum(const struct summary_counter *counters)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < SUMMARY_COUNTERS && counters[i].name != NULL; i++) {
		n += counters[i].value;
	}
	return n;
}

/* An interface went away, and the others were captured on. */
static bool has_ended_ring(const struct summary *summary)
{
	size_t i;

	for (i = 0; i < summary->nrings && summary->rings[i].ended == NULL; i++) {
	}
	return i < summary->nrings;
}

bool summary_lost(const struct summary *summary)
{
	return summary->truncated || has_ended_ring(summary) || sum(summary->drops) > 0 ||
	       summary->ledger.gaps > 0 || summary->ledger.rejected[WEIR_REJECT_BUDGET] > 0 ||
	       summary->closed[WEIR_CLOSE_EVICTED] > 0;
}

/* ---- text ---- */

enum tone { TONE_PLAIN, TONE_BOLD, TONE_DIM, TONE_OK, TONE_INFO, TONE_WARN, TONE_BAD };

struct page {
	struct strbuf *out;
	bool color;
	const char *before; /* the next item: what separates it from what is on the line */
};

static void put(struct page *page, enum tone tone, const char *text)
{
	static const char *const codes[] = {
		[TONE_BOLD] = "\x1b[1m",  [TONE_DIM] = "\x1b[2m",   [TONE_OK] = "\x1b[32m",
		[TONE_INFO] = "\x1b[34m", [TONE_WARN] = "\x1b[33m", [TONE_BAD] = "\x1b[31m",
	};

	if (page->color && tone != TONE_PLAIN) {
		strbuf_str(page->out, codes[tone]);
		strbuf_str(page->out, text);
		strbuf_str(page->out, "\x1b[0m");
	} else {
		strbuf_str(page->out, text);
	}
}

/* The beginning of a line: its label and, when there is one, its total. */
static void put_label(struct page *page, const char *label, const uint64_t *total)
{
	char text[64], count[HUMAN_LEN] = "";

	(void)snprintf(text, sizeof(text), "%-12s", label);
	put(page, TONE_DIM, text);
	page->before = " ";
	if (total != NULL) {
		human_count(*total, count);
		(void)snprintf(text, sizeof(text), " %9s", count);
		put(page, TONE_PLAIN, text);
		page->before = "   ";
	}
}

static void put_item(struct page *page, enum tone tone, const char *text)
{
	put(page, TONE_DIM, page->before);
	put(page, tone, text);
	page->before = " \xc2\xb7 ";
}

/* "2xx 396 114"; nothing when there are none. */
static void put_part(struct page *page, enum tone tone, const char *name, uint64_t n)
{
	char count[HUMAN_LEN], text[96];

	if (n > 0) {
		human_count(n, count);
		(void)snprintf(text, sizeof(text), "%s %s", name, count);
		put_item(page, tone, text);
	}
}

/* "11.9 GB, 14 802 113 packets in 6.3 s  1.89 GB/s ..." */
static void put_input(struct page *page, const struct summary *summary)
{
	double s = (double)summary->elapsed_ns / 1e9;
	char size[HUMAN_LEN], count[HUMAN_LEN], time[HUMAN_LEN], peak[HUMAN_LEN];
	char text[192];

	human_size(summary->bytes, size);
	human_count(summary->packets, count);
	human_duration(summary->elapsed_ns, false, time);
	human_size(summary->memory_peak, peak);
	(void)snprintf(text, sizeof(text), "%s, %s packet%s in %s", size, count,
		       summary->packets == 1 ? "" : "s", time);
	put(page, TONE_BOLD, text);
	if (s > 0) {
		human_size((uint64_t)((double)summary->bytes / s), size);
		human_rate((double)summary->packets / s, count);
		(void)snprintf(text, sizeof(text), "  %s/s \xc2\xb7 %spkt/s \xc2\xb7 peak %s", size,
			       count, peak);
		put(page, TONE_DIM, text);
	}
	strbuf_char(page->out, '\n');
}

static void put_streams(struct page *page, const struct summary *summary)
{
	put_label(page, "streams", &summary->flows);
	put_part(page, TONE_PLAIN, "closed", summary->closed[WEIR_CLOSE_FIN]);
	put_part(page, TONE_PLAIN, "reset", summary->closed[WEIR_CLOSE_RST]);
	put_part(page, TONE_PLAIN, "still open", summary->closed[WEIR_CLOSE_END]);
	put_part(page, TONE_PLAIN, "timed out", summary->closed[WEIR_CLOSE_TIMEOUT]);
	put_part(page, TONE_PLAIN, "tuple reused", summary->closed[WEIR_CLOSE_REUSED]);
	put_part(page, TONE_BAD, "evicted", summary->closed[WEIR_CLOSE_EVICTED]);
	put_part(page, TONE_PLAIN, "begun mid-stream", summary->midstream);
	put_part(page, TONE_WARN, "one direction only", summary->one_way);
	strbuf_char(page->out, '\n');
}

/* Types of records other than those that have a line of their own. */
static void put_other_types(struct page *page, const struct summary_records *records)
{
	bool any = false;
	size_t i;

	for (i = 0; i < SUMMARY_TYPES && records->types[i].schema != NULL; i++) {
		const char *type = records->types[i].schema->type;

		if (strcmp(type, "http") == 0 || strcmp(type, "tcp") == 0 ||
		    records->types[i].count == 0) {
			continue;
		}
		if (!any) {
			put_label(page, "records", NULL);
			any = true;
		}
		put_part(page, TONE_PLAIN, type, records->types[i].count);
	}
	if (any) {
		strbuf_char(page->out, '\n');
	}
}

static uint64_t count_of(const struct summary_records *records, const char *type)
{
	size_t i;

	for (i = 0; i < SUMMARY_TYPES && records->types[i].schema != NULL; i++) {
		if (strcmp(records->types[i].schema->type, type) == 0) {
			return records->types[i].count + records->types[i].unread;
		}
	}
	return 0;
}

static void put_transactions(struct page *page, const struct summary_records *records)
{
	static const struct {
		const char *name;
		enum tone tone;
	} classes[6] = {{"odd status", TONE_WARN}, {"1xx", TONE_PLAIN}, {"2xx", TONE_INFO},
			{"3xx", TONE_PLAIN},       {"4xx", TONE_WARN},  {"5xx", TONE_BAD}};
	uint64_t total = count_of(records, "http");
	size_t i;

	put_label(page, "transactions", &total);
	for (i = 1; i <= 6; i++) {
		put_part(page, classes[i % 6].tone, classes[i % 6].name,
			 records->status_class[i % 6]);
	}
	put_part(page, TONE_PLAIN, "no response", records->no_response);
	put_part(page, TONE_PLAIN, "no request", records->no_request);
	strbuf_char(page->out, '\n');
}

/* What -Y let through. */
static void put_filter(struct page *page, const struct summary *summary)
{
	if (!summary->filter.used) {
		return;
	}
	put_label(page, "filter", &summary->filter.matched);
	put_item(page, TONE_PLAIN, "records matched");
	put_part(page, TONE_PLAIN, "left out", summary->filter.left_out);
	put_part(page, TONE_WARN, "regular expressions given up", summary->filter.limited);
	strbuf_char(page->out, '\n');
}

/* "files_bodies" as "files bodies 12", in lines of a few. */
static void put_sinks(struct page *page, const struct summary *summary)
{
	enum { A_LINE = 5 };
	unsigned n = 0;
	size_t i, k;

	for (i = 0; i < SUMMARY_COUNTERS && summary->sinks[i].name != NULL; i++) {
		char name[48];

		if (summary->sinks[i].value == 0) {
			continue;
		}
		(void)snprintf(name, sizeof(name), "%s", summary->sinks[i].name);
		for (k = 0; name[k] != '\0'; k++) {
			name[k] = (char)(name[k] == '_' ? ' ' : name[k]);
		}
		if (n % A_LINE == 0) {
			if (n > 0) {
				strbuf_char(page->out, '\n');
			}
			put_label(page, n == 0 ? "sinks" : "", NULL);
		}
		put_part(page, TONE_PLAIN, name, summary->sinks[i].value);
		n++;
	}
	if (n > 0) {
		strbuf_char(page->out, '\n');
	}
}

static void put_latency(struct page *page, const struct summary_records *records)
{
	static const struct {
		const char *name;
		double quantile;
		enum tone tone;
	} rows[] = {{"p50", 0.5, TONE_PLAIN}, {"p95", 0.95, TONE_PLAIN}, {"p99", 0.99, TONE_BOLD}};
	char time[HUMAN_LEN], text[64];
	size_t i;

	if (records->latency.count == 0) {
		return;
	}
	put_label(page, "latency", NULL);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		human_duration(summary_latency_quantile(&records->latency, rows[i].quantile), false,
			       time);
		(void)snprintf(text, sizeof(text), "%s %s", rows[i].name, time);
		put_item(page, rows[i].tone, text);
	}
	human_duration(records->latency.max_ns, false, time);
	(void)snprintf(text, sizeof(text), "max %s", time);
	put_item(page, TONE_PLAIN, text);
	if (records->stall_ns > 0 && records->duration_ns > 0) {
		(void)snprintf(text, sizeof(text), "   stall %.2g %% of time",
			       100.0 * (double)records->stall_ns / (double)records->duration_ns);
		put(page, TONE_BAD, text);
	}
	strbuf_char(page->out, '\n');
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

/* The kernel's rings, a line each: which of them lost packets. */
static void put_ring_lines(struct page *page, const struct summary *summary)
{
	char size[HUMAN_LEN];
	size_t i;

	for (i = 0; i < summary->nrings; i++) {
		const struct capture_ring *ring = &summary->rings[i];

		put_label(page, i == 0 ? "rings" : "", &ring->packets);
		put_item(page, TONE_PLAIN, "packets on ");
		(void)escape_text(page->out, ring->interface, strlen(ring->interface));
		human_size(ring->size, size);
		put_item(page, TONE_PLAIN, size);
		put_part(page, TONE_BAD, "drops", ring->drops);
		put_part(page, TONE_WARN, "times full", ring->freezes);
		if (ring->ended != NULL) {
			put_item(page, TONE_BAD, "ended: ");
			(void)escape_text(page->out, ring->ended, strlen(ring->ended));
		}
		strbuf_char(page->out, '\n');
	}
}

/* What was lost, by where: a sum alone helps nobody. */
static void put_drops(struct page *page, const struct summary *summary)
{
	size_t i;

	if (sum(summary->drops) == 0) {
		return;
	}
	put_label(page, "drops", NULL);
	for (i = 0; i < SUMMARY_COUNTERS && summary->drops[i].name != NULL; i++) {
		put_part(page, TONE_BAD, summary->drops[i].name, summary->drops[i].value);
	}
	strbuf_char(page->out, '\n');
}

static void put_quality(struct page *page, const struct summary *summary)
{
	uint64_t drops = sum(summary->drops);
	char count[HUMAN_LEN], bytes[HUMAN_LEN], text[128];
	size_t i;

	put_label(page, "quality", NULL);
	(void)snprintf(text, sizeof(text), "retransmit %.2f %%",
		       percent(summary->retransmits, summary->segments));
	put_item(page, TONE_PLAIN, text);
	(void)snprintf(text, sizeof(text), "out of order %.2f %%",
		       percent(summary->out_of_order, summary->segments));
	put_item(page, TONE_PLAIN, text);
	human_count(summary->ledger.gaps, count);
	human_count(summary->ledger.gap_bytes, bytes);
	(void)snprintf(text, sizeof(text), "%s gap%s (%s B)", count,
		       summary->ledger.gaps == 1 ? "" : "s", bytes);
	put_item(page, summary->ledger.gaps > 0 ? TONE_WARN : TONE_PLAIN,
		 summary->ledger.gaps > 0 ? text : "0 gaps");
	human_count(drops, count);
	(void)snprintf(text, sizeof(text), "%s drop%s", count, drops == 1 ? "" : "s");
	put_item(page, drops > 0 ? TONE_BAD : TONE_OK, text);
	put_part(page, TONE_PLAIN, "bytes rejected",
		 summary->ledger.captured - summary->ledger.delivered - summary->ledger.duplicate -
			 summary->ledger.overlap - summary->ledger.pending);
	put_part(page, TONE_WARN, "records with anomalies", summary->records.anomalous);
	strbuf_char(page->out, '\n');
	put_drops(page, summary);
	for (i = 0; i < SUMMARY_NOTES && summary->notes[i] != NULL; i++) {
		put_label(page, "", NULL);
		put(page, TONE_WARN, " ! ");
		put(page, TONE_PLAIN, summary->notes[i]);
		strbuf_char(page->out, '\n');
	}
}

void summary_write_text(const struct summary *summary, bool color, struct strbuf *out)
{
	struct page page = {.out = out, .color = color};

	put_input(&page, summary);
	put_streams(&page, summary);
	put_transactions(&page, &summary->records);
	put_other_types(&page, &summary->records);
	put_filter(&page, summary);
	put_sinks(&page, summary);
	put_latency(&page, &summary->records);
	put_quality(&page, summary);
	put_ring_lines(&page, summary);
}

/* ---- JSON ---- */

/* ,"name":n   (all names are ours: nothing to escape); a comma before it unless an object begins */
static void put_member(struct strbuf *out, const char *name, uint64_t n)
{
	if (out->len > 0 && out->p[out->len - 1] != '{') {
		strbuf_char(out, ',');
	}
	strbuf_char(out, '"');
	strbuf_str(out, name);
	strbuf_str(out, "\":");
	strbuf_u64(out, n);
}

static void put_counters(struct strbuf *out, const struct summary_counter *counters)
{
	size_t i;

	for (i = 0; i < SUMMARY_COUNTERS && counters[i].name != NULL; i++) {
		put_member(out, counters[i].name, counters[i].value);
	}
}

static void put_end(struct strbuf *out, const char *name, const struct layers_tunnel *tunnel,
		    const uint8_t *address, uint16_t port)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(tunnel->ip_version == 4 ? AF_INET : AF_INET6, address, text, sizeof(text));
	strbuf_printf(out, ",\"%s\":{\"address\":\"%s\"", name, text);
	if (tunnel->sport != 0 || tunnel->dport != 0) {
		put_member(out, "port", port);
	}
	strbuf_char(out, '}');
}

static void put_tunnels(struct strbuf *out, const struct tunnels *tunnels)
{
	uint32_t i;

	strbuf_str(out, ",\"tunnels\":[");
	for (i = 0; i < tunnels->n; i++) {
		const struct layers_tunnel *what = &tunnels->at[i].what;

		strbuf_printf(out, "%s{\"type\":\"%s\"", i > 0 ? "," : "",
			      layers_tunnel_name((enum layers_tunnel_type)what->type));
		put_end(out, "source", what, what->src, what->sport);
		put_end(out, "destination", what, what->dst, what->dport);
		put_member(out, "packets", tunnels->at[i].packets);
		strbuf_char(out, '}');
	}
	strbuf_char(out, ']');
}

static void put_tcp(struct strbuf *out, const struct summary *summary)
{
	const struct weir_ledger *ledger = &summary->ledger;
	unsigned i;

	put_member(out, "flows", summary->flows);
	put_member(out, "segments", summary->segments);
	strbuf_str(out, ",\"payload\":{");
	put_member(out, "captured", ledger->captured);
	put_member(out, "delivered", ledger->delivered);
	put_member(out, "duplicate", ledger->duplicate);
	put_member(out, "overlap", ledger->overlap);
	strbuf_str(out, ",\"rejected\":{");
	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		put_member(out, weir_reject_name((enum weir_reject)i), ledger->rejected[i]);
	}
	strbuf_char(out, '}');
	put_member(out, "pending", ledger->pending);
	strbuf_str(out, "},\"gaps\":{");
	put_member(out, "count", ledger->gaps);
	put_member(out, "bytes", ledger->gap_bytes);
	strbuf_str(out, ",\"causes\":{");
	for (i = 0; i < WEIR_GAP_NCAUSES; i++) {
		put_member(out, weir_gap_cause_name((enum weir_gap_cause)i),
			   summary->gap_causes[i]);
	}
	strbuf_str(out, "}}");
	strbuf_str(out, ",\"ended\":{");
	for (i = 0; i < WEIR_CLOSE_NKINDS; i++) {
		put_member(out, weir_close_name((enum weir_close)i), summary->closed[i]);
	}
	strbuf_char(out, '}');
	put_member(out, "retransmits", summary->retransmits);
	put_member(out, "out_of_order", summary->out_of_order);
	put_counters(out, summary->tcp);
	if (summary->one_way > 0) {
		put_member(out, "one_way", summary->one_way);
	}
}

/* Records that name each code, by code. */
static void put_codes(struct strbuf *out, const struct summary_codes *codes)
{
	struct summary_codes sorted = *codes;
	size_t i;

	summary_codes_sort(&sorted);
	for (i = 0; i < sorted.n; i++) {
		put_member(out, sorted.codes[i].code, sorted.codes[i].n);
	}
}

/* The name of an interface: what is no plain sign, or means something in JSON, by its number. */
static void put_name(struct strbuf *out, const char *name)
{
	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;

		if (c > ' ' && c < 0x7f && c != '"' && c != '\\') {
			strbuf_char(out, *name);
		} else {
			strbuf_printf(out, "\\u%04x", (unsigned)c);
		}
	}
}

/* The kernel's rings, in order: an object each. */
static void put_rings(struct strbuf *out, const struct summary *summary)
{
	size_t i;

	strbuf_str(out, ",\"rings\":[");
	for (i = 0; i < summary->nrings; i++) {
		const struct capture_ring *ring = &summary->rings[i];

		strbuf_str(out, i == 0 ? "{" : ",{");
		strbuf_str(out, "\"interface\":\"");
		put_name(out, ring->interface);
		strbuf_char(out, '"');
		put_member(out, "size", ring->size);
		put_member(out, "packets", ring->packets);
		put_member(out, "drops", ring->drops);
		put_member(out, "freezes", ring->freezes);
		if (ring->ended != NULL) {
			strbuf_str(out, ",\"ended\":\"");
			put_name(out, ring->ended);
			strbuf_char(out, '"');
		}
		strbuf_char(out, '}');
	}
	strbuf_char(out, ']');
}

void summary_write_json(const struct summary *summary, struct strbuf *out)
{
	size_t i;

	strbuf_char(out, '{');
	put_member(out, "packets", summary->packets);
	put_member(out, "bytes", summary->bytes);
	strbuf_str(out, ",\"ip\":{");
	put_counters(out, summary->ip);
	if (summary->tunnels != NULL && summary->tunnels->n > 0) {
		put_tunnels(out, summary->tunnels);
	}
	strbuf_str(out, "},\"tcp\":{");
	put_tcp(out, summary);
	strbuf_str(out, "},\"records\":{");
	for (i = 0; i < SUMMARY_TYPES && summary->records.types[i].schema != NULL; i++) {
		put_member(out, summary->records.types[i].schema->type,
			   summary->records.types[i].count + summary->records.types[i].unread);
	}
	if (summary->records.codes.n > 0) {
		strbuf_str(out, "},\"anomalies\":{");
		put_codes(out, &summary->records.codes);
	}
	if (summary->sinks[0].name != NULL) {
		strbuf_str(out, "},\"sinks\":{");
		put_counters(out, summary->sinks);
	}
	if (summary->filter.used) {
		strbuf_str(out, "},\"filter\":{");
		put_member(out, "matched", summary->filter.matched);
		put_member(out, "left_out", summary->filter.left_out);
		put_member(out, "regex_given_up", summary->filter.limited);
	}
	if (summary->has_ring) {
		strbuf_str(out, "},\"ring\":{");
		put_member(out, "packets", summary->ring.packets);
		put_member(out, "bytes", summary->ring.bytes);
		put_member(out, "files", summary->ring.files);
		put_member(out, "held", summary->ring.held);
		put_member(out, "begun", summary->ring.begun);
		put_member(out, "deleted", summary->ring.deleted);
	}
	strbuf_str(out, "},\"drops\":{");
	put_counters(out, summary->drops);
	strbuf_char(out, '}');
	if (summary->nrings > 0) {
		put_rings(out, summary);
	}
	strbuf_str(out, ",\"memory\":{");
	put_member(out, "peak", summary->memory_peak);
	put_member(out, "budget", summary->memory_budget);
	strbuf_char(out, '}');
	put_member(out, "elapsed_ns", summary->elapsed_ns > 0 ? (uint64_t)summary->elapsed_ns : 0);
	strbuf_str(out, summary->truncated ? ",\"truncated\":true}\n" : ",\"truncated\":false}\n");
}

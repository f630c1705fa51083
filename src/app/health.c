/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a capture for stores: see health.h. */
#include "app/health.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "record/record.h"

enum { F_PACKETS = WEIR_NCOMMON, F_BYTES, F_COUNTERS, MEMORY = 256 << 10 };

static const struct weir_field fields[] = {
	{"capture.packets", WEIR_KIND_U64, 0, "packets since the record before"},
	{"capture.bytes", WEIR_KIND_U64, 0, "bytes of these"},
	{"capture.counters", WEIR_KIND_STR, 0, "JSON object of the summary's counters that moved"},
};

static const struct weir_schema schema = {"capture", fields, sizeof(fields) / sizeof(fields[0])};

void health_init(struct health *health)
{
	memset(health, 0, sizeof(*health));
	health->newest_ns = INT64_MIN;
}

/* What a counter has grown by, as a member of the object. */
static void put(struct health *health, struct strbuf *out, const char *group, const char *name,
		uint64_t value)
{
	struct health_figure *figure = health->before;
	char full[HEALTH_NAME];
	uint64_t grown;

	(void)snprintf(full, sizeof(full), "%s.%s", group, name);
	while (figure < health->before + health->n && strcmp(figure->name, full) != 0) {
		figure++;
	}
	if (figure == health->before + HEALTH_FIGURES) {
		return;
	}
	if (figure == health->before + health->n) {
		health->n++;
		memcpy(figure->name, full, sizeof(full));
		figure->value = 0;
	}
	grown = value > figure->value ? value - figure->value : 0;
	figure->value = value;
	if (grown > 0) {
		strbuf_printf(out, "%s\"%s\":%" PRIu64, out->len == 0 ? "{" : ",", full, grown);
	}
}

static void put_counters(struct health *health, struct strbuf *out, const char *group,
			 const struct summary_counter *counters)
{
	size_t i;

	for (i = 0; i < SUMMARY_COUNTERS && counters[i].name != NULL; i++) {
		put(health, out, group, counters[i].name, counters[i].value);
	}
}

static void put_tcp(struct health *health, struct strbuf *out, const struct summary *summary)
{
	int i;

	put(health, out, "tcp", "flows", summary->flows);
	put(health, out, "tcp", "segments", summary->segments);
	put(health, out, "tcp", "retransmits", summary->retransmits);
	put(health, out, "tcp", "out_of_order", summary->out_of_order);
	put(health, out, "tcp", "one_way", summary->one_way);
	put(health, out, "tcp", "gaps", summary->ledger.gaps);
	put(health, out, "tcp", "gap_bytes", summary->ledger.gap_bytes);
	put(health, out, "tcp", "captured", summary->ledger.captured);
	put(health, out, "tcp", "delivered", summary->ledger.delivered);
	for (i = 0; i < WEIR_GAP_NCAUSES; i++) {
		put(health, out, "gaps", weir_gap_cause_name((enum weir_gap_cause)i),
		    summary->gap_causes[i]);
	}
	for (i = 0; i < WEIR_CLOSE_NKINDS; i++) {
		put(health, out, "ended", weir_close_name((enum weir_close)i), summary->closed[i]);
	}
	put_counters(health, out, "tcp", summary->tcp);
}

static void put_all(struct health *health, struct strbuf *out, const struct summary *summary)
{
	size_t i;

	put_counters(health, out, "drops", summary->drops);
	put_tcp(health, out, summary);
	put_counters(health, out, "ip", summary->ip);
	for (i = 0; i < SUMMARY_TYPES && summary->records.types[i].schema != NULL; i++) {
		put(health, out, "records", summary->records.types[i].schema->type,
		    summary->records.types[i].count);
	}
	put_counters(health, out, "sinks", summary->sinks);
	strbuf_str(out, out->len == 0 ? "{}" : "}");
}

void health_give(struct health *health, const struct summary *summary, int64_t now_ns,
		 struct output *output)
{
	struct budget budget;
	struct arena_pool pool;
	struct weir_record *rec;
	struct strbuf counters;

	if (!output_wants_health(output) || now_ns == INT64_MIN) {
		return;
	}
	budget_init(&budget, MEMORY, NULL);
	arena_pool_init(&pool, &budget, 0);
	strbuf_init(&counters);
	put_all(health, &counters, summary);
	if (!counters.failed && record_new(&pool, &schema, &rec) == 0) {
		weir_record_set_i64(rec, WEIR_F_TS, now_ns);
		weir_record_set_u64(rec, F_PACKETS, summary->packets - health->packets);
		weir_record_set_u64(rec, F_BYTES, summary->bytes - health->bytes);
		weir_record_set_bytes(rec, F_COUNTERS, counters.p, counters.len, counters.len);
		output_health(output, rec);
		record_free(rec);
	}
	health->packets = summary->packets;
	health->bytes = summary->bytes;
	strbuf_fini(&counters);
	arena_pool_fini(&pool);
}

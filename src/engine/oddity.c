/* SPDX-License-Identifier: Apache-2.0 */
/* Anomalies and the records that name them: see oddity.h and engine.h. */
#include "engine/oddity.h"

#include <string.h>

#include "engine/engine.h"
#include "record/anomaly_fields.h"
#include "record/record.h"
#include "record/tcp_fields.h"

enum {
	MAX_ANOMALIES = 32, /* records a flow; the rest is counted */
	EVIDENCE = 64,      /* bytes of it in a record */
	REMEMBERED = 8      /* a flow; the oldest is forgotten */
};

struct oddities {
	unsigned n; /* ever: the next goes to n % REMEMBERED */
	struct {
		const char *code;
		uint64_t packet;
		bool open;
	} at[REMEMBERED];
};

static void make_record(struct engine *engine, struct flow *flow,
			const struct engine_oddity *oddity)
{
	struct weir_record *own;

	engine->stats.anomalies++;
	if (flow->nanomalies >= MAX_ANOMALIES) {
		engine->stats.anomalies_suppressed++;
		return;
	}
	flow->nanomalies++;
	own = engine_record(engine, flow, &record_anomaly_schema, engine->clock_ns);
	if (own == NULL) {
		return;
	}
	weir_record_set_static(own, ANOMALY_F_CODE, oddity->what->code);
	weir_record_set_static(own, ANOMALY_F_SEVERITY, oddity->what->severity);
	weir_record_set_static(own, ANOMALY_F_DIRECTION, oddity->dir == WEIR_C2S ? "c2s" : "s2c");
	weir_record_set_u64(own, ANOMALY_F_OFFSET, oddity->offset);
	weir_record_set_u64(own, ANOMALY_F_PACKET, flow->last_packet);
	if (oddity->evidence != NULL && oddity->len > 0) {
		weir_record_set_bytes(own, ANOMALY_F_EVIDENCE, oddity->evidence, oddity->len,
				      EVIDENCE);
	}
	if (oddity->kept != NULL && oddity->len > 0) {
		weir_record_set_bytes(own, ANOMALY_F_KEPT, oddity->kept, oddity->len, EVIDENCE);
	}
	engine_emit(engine, flow, own);
	record_free(own);
}

void engine_anomaly(struct engine *engine, struct flow *flow, struct weir_record *rec,
		    const struct weir_anomaly *what, enum weir_direction dir, uint64_t offset)
{
	struct engine_oddity oddity = {.what = what, .dir = dir, .offset = offset};

	if (rec != NULL) {
		weir_record_add_anomaly(rec, what->code);
	}
	make_record(engine, flow, &oddity);
}

void engine_oddity(struct engine *engine, struct flow *flow, const struct engine_oddity *oddity)
{
	if (flow->oddities == NULL) {
		flow->oddities = budget_calloc(&flow->shard->budget, 1, sizeof(*flow->oddities));
	}
	if (flow->oddities != NULL) {
		unsigned i = flow->oddities->n++ % REMEMBERED;

		flow->oddities->at[i].code = oddity->what->code;
		flow->oddities->at[i].packet = oddity->packet;
		flow->oddities->at[i].open = oddity->open;
	}
	make_record(engine, flow, oddity);
}

void engine_forget_oddities(struct flow *flow)
{
	budget_free(&flow->shard->budget, flow->oddities, sizeof(*flow->oddities));
	flow->oddities = NULL;
}

void oddity_name(const struct flow *flow, struct weir_record *rec)
{
	const struct oddities *oddities = flow->oddities;
	unsigned n = oddities->n < REMEMBERED ? oddities->n : REMEMBERED, i;
	bool whole_flow = rec->schema == &record_tcp_schema;
	uint64_t first, last;

	if (rec->schema == &record_anomaly_schema || !weir_record_has(rec, WEIR_F_PACKET_FIRST) ||
	    !weir_record_has(rec, WEIR_F_PACKET_LAST)) {
		return;
	}
	first = rec->values[WEIR_F_PACKET_FIRST].v.u64;
	last = rec->values[WEIR_F_PACKET_LAST].v.u64;
	for (i = 0; i < n; i++) {
		uint64_t packet = oddities->at[i].packet;

		if (whole_flow || (packet >= first && (packet <= last || oddities->at[i].open))) {
			weir_record_add_anomaly(rec, oddities->at[i].code);
		}
	}
}

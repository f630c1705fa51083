/* SPDX-License-Identifier: Apache-2.0 */
/* The `tcp` record of a flow that is over, and its figures in the run's totals. */
#include "engine/tcp.h"

#include <string.h>

#include "engine/engine.h"
#include "engine/tcp_private.h"
#include "record/record.h"
#include "record/tcp_fields.h"

static void add_causes(struct weir_record *rec, const struct weir_ledger *ledger)
{
	int i;

	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		if (ledger->rejected[i] > 0) {
			const char *name = weir_reject_name((enum weir_reject)i);

			weir_record_add_str(rec, TCP_F_REJECT_CAUSES, name, strlen(name));
		}
	}
}

static uint64_t rejected_sum(const struct weir_ledger *ledger)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		sum += ledger->rejected[i];
	}
	return sum;
}

static void add_gap_causes(struct weir_record *rec, unsigned causes)
{
	int i;

	for (i = 0; i < WEIR_GAP_NCAUSES; i++) {
		if (causes & (1u << i)) {
			const char *name = weir_gap_cause_name((enum weir_gap_cause)i);

			weir_record_add_str(rec, TCP_F_GAP_CAUSES, name, strlen(name));
		}
	}
}

static void set_flags(struct weir_record *rec, enum weir_direction dir, uint8_t flags)
{
	/* in the order of tcpdump's output */
	static const struct {
		uint8_t bit;
		char letter;
	} names[] = {{0x02, 'S'}, {0x01, 'F'}, {0x08, 'P'}, {0x04, 'R'},
		     {0x20, 'U'}, {0x40, 'E'}, {0x80, 'W'}, {0x10, '.'}};
	char text[sizeof(names) / sizeof(names[0])];
	size_t i, n = 0;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (flags & names[i].bit) {
			text[n++] = names[i].letter;
		}
	}
	if (n > 0) {
		weir_record_set_bytes(rec, record_tcp_field(dir, TCP_DIR_FLAGS), text, n, n);
	}
}

static void fill_direction(struct weir_record *rec, const struct flow *flow,
			   enum weir_direction dir)
{
	uint8_t side = flow_sender(flow, dir);
	const struct flow_side *me = &flow->side[side];
	struct weir_ledger ledger;

	reasm_half_ledger(&flow->half[side], &ledger);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_PACKETS), me->packets);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_BYTES), ledger.captured);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_DELIVERED), ledger.delivered);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_DUPLICATE), ledger.duplicate);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_OVERLAP), ledger.overlap);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_REJECTED), rejected_sum(&ledger));
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_GAP_BYTES), ledger.gap_bytes);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_GAPS), ledger.gaps);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_RETRANSMITS), me->retransmits);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_OUT_OF_ORDER), me->out_of_order);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_DUPLICATE_ACKS), me->duplicate_acks);
	weir_record_set_u64(rec, record_tcp_field(dir, TCP_DIR_ZERO_WINDOWS), me->zero_windows);
	if (me->rtt_ns != 0) {
		weir_record_set_i64(rec, record_tcp_field(dir, TCP_DIR_RTT), me->rtt_ns);
	}
	set_flags(rec, dir, me->flags);
	add_causes(rec, &ledger);
}

bool tcp_count_record(struct engine *engine)
{
	if (engine->reads_tcp) {
		return false;
	}
	engine->stats.records[engine_schema_index(engine, &record_tcp_schema)]++;
	engine->stats.unread_tcp++;
	return true;
}

void tcp_emit_record(struct engine *engine, struct flow *flow)
{
	const struct tcp_state *tcp = &flow->tcp;
	struct weir_record *rec;

	if (flow->oddities == NULL && tcp_count_record(engine)) {
		return;
	}
	rec = engine_record(engine, flow, &record_tcp_schema, flow->first_ts_ns);
	if (rec == NULL) {
		return;
	}
	weir_record_set_static(rec, TCP_F_STATE,
			       weir_close_name((enum weir_close)(flow->ended - 1)));
	weir_record_set_static(rec, TCP_F_PHASE, tcp_state_phase(tcp));
	add_gap_causes(rec, flow->side[0].gap_causes | flow->side[1].gap_causes);
	weir_record_set_static(rec, TCP_F_HANDSHAKE, tcp_state_handshake(tcp));
	if (tcp->syn_seen && tcp->handshake_ack_ns != 0) {
		weir_record_set_i64(rec, TCP_F_HANDSHAKE_NS,
				    tcp->handshake_ack_ns - flow->first_ts_ns);
	}
	weir_record_set_u64(rec, WEIR_F_PACKET_FIRST, flow->first_packet);
	weir_record_set_u64(rec, WEIR_F_PACKET_LAST, flow->last_packet);
	/* the clock has not reached the first packet's time when that was a jump nobody else confirmed */
	weir_record_set_i64(rec, WEIR_F_DURATION,
			    flow->last_ns > flow->first_ts_ns ? flow->last_ns - flow->first_ts_ns
							      : 0);
	fill_direction(rec, flow, WEIR_C2S);
	fill_direction(rec, flow, WEIR_S2C);
	engine_emit(engine, flow, rec);
	record_free(rec);
}

void tcp_add_figures(struct engine_stats *stats, const struct flow *flow)
{
	int side;

	if (flow->ignored == FLOW_IGNORED) {
		return; /* what it had is in the total already */
	}
	for (side = 0; side < 2; side++) {
		reasm_half_add_ledger(&flow->half[side], &stats->ledger);
		stats->retransmits += flow->side[side].retransmits;
		stats->out_of_order += flow->side[side].out_of_order;
		stats->duplicate_acks += flow->side[side].duplicate_acks;
		stats->zero_windows += flow->side[side].zero_windows;
	}
	stats->midstream += !flow->tcp.syn_seen && !flow->tcp.syn_ack_seen;
	if (flow->side[0].bytes + flow->side[1].bytes > 0) {
		stats->with_data++;
		stats->one_way += flow->half[0].oneway || flow->half[1].oneway;
	}
}

void tcp_take_figures(struct engine_stats *stats, const struct flow *flow)
{
	struct engine_stats own;
	uint64_t *a = (uint64_t *)stats;
	const uint64_t *b = (const uint64_t *)&own;
	size_t i;

	memset(&own, 0, sizeof(own));
	tcp_add_figures(&own, flow);
	for (i = 0; i < sizeof(own) / sizeof(*a); i++) {
		a[i] -= b[i];
	}
}

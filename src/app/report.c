/* SPDX-License-Identifier: Apache-2.0 */
/* From a run's figures to the closing summary: see report.h. */
#include "app/report.h"

#include "record/tcp_fields.h"

#include <inttypes.h>
#include <string.h>

/* A figure that is only worth a line when it is not 0. */
static void some(struct summary_counter *counters, const char *name, uint64_t n)
{
	if (n > 0) {
		summary_count(counters, name, n);
	}
}

static void fill_ip(struct summary *summary, const struct pipeline_result *result)
{
	const struct front_stats *front = &result->front;
	const struct defrag_stats *defrag = &result->defrag;
	/* of "other", those that people look for; IANA's numbers */
	static const struct {
		const char *name;
		uint8_t number;
	} protocols[] = {{"icmp", 1}, {"igmp", 2},    {"udp", 17},  {"esp", 50},
			 {"ah", 51},  {"icmpv6", 58}, {"sctp", 132}};
	int i;

	summary_count(summary->ip, "ipv4", front->ipv4);
	summary_count(summary->ip, "ipv6", front->ipv6);
	summary_count(summary->ip, "tcp", front->kinds[LAYERS_TCP]);
	summary_count(summary->ip, "other", front->kinds[LAYERS_OTHER_IP]);
	summary_count(summary->ip, "not_ip", front->kinds[LAYERS_NOT_IP]);
	some(summary->ip, "fragments", defrag->fragments);
	some(summary->ip, "datagrams", defrag->datagrams);
	some(summary->ip, "fragment_conflicts", defrag->conflicts + defrag->overlaps);
	some(summary->ip, "fragment_timeouts", defrag->timeouts);
	some(summary->ip, "fragments_evicted", defrag->evicted);
	some(summary->ip, "fragments_invalid", defrag->invalid);
	some(summary->ip, "tunnelled", front->tunnelled);
	some(summary->ip, "tunnels_untold", result->tunnels.untold);
	for (i = 0; i < (int)(sizeof(protocols) / sizeof(protocols[0])); i++) {
		some(summary->ip, protocols[i].name, front->protocols[protocols[i].number]);
	}
	some(summary->ip, "snapped", front->snapped);
	some(summary->ip, "clock_back", front->clock_back);
	some(summary->ip, "clock_jumps", front->clock_jumps);
	some(summary->ip, "late_packets", result->engine.late_segments);
	some(summary->ip, "late_bytes", result->engine.late_bytes);
	for (i = LAYERS_OK + 1; i < LAYERS_NREASONS; i++) {
		some(summary->ip, layers_reason_name((enum layers_reason)i), front->reasons[i]);
	}
}

static void fill_drops(struct summary *summary, const struct pipeline_result *result)
{
	const struct engine_stats *engine = &result->engine;

	summary_count(summary->drops, "capture", result->drops);
	some(summary->drops, "kernel", result->kernel_drops);
	some(summary->drops, "interface", result->interface_drops);
	some(summary->tcp, "two_rings", result->two_rings);
	some(summary->drops, "flows_refused", engine->refused_flows);
	some(summary->drops, "evicted_half_open", engine->evicted_half_open);
	some(summary->drops, "evicted_holes", engine->evicted_holes);
	some(summary->drops, "evicted_flows", engine->evicted_flows);
	some(summary->drops, "records_no_memory", engine->records_no_memory);
	some(summary->drops, "tokens_too_long", engine->tail_overflows);
	some(summary->drops, "stream_files", engine->tap_errors);
}

static void fill_tcp(struct summary *summary, const struct engine_stats *engine)
{
	summary->flows = engine->flows;
	summary->segments = engine->segments;
	summary->ledger = engine->ledger;
	memcpy(summary->gap_causes, engine->gap_causes, sizeof(summary->gap_causes));
	summary->retransmits = engine->retransmits;
	summary->out_of_order = engine->out_of_order;
	memcpy(summary->closed, engine->ended, sizeof(summary->closed));
	summary->midstream = engine->midstream;
	some(summary->tcp, "duplicate_acks", engine->duplicate_acks);
	some(summary->tcp, "zero_windows", engine->zero_windows);
	some(summary->tcp, "midstream", engine->midstream);
	some(summary->tcp, "overlap_conflicts", engine->overlap_conflicts);
	some(summary->tcp, "rst_ignored", engine->rst_ignored);
	some(summary->tcp, "offloaded", engine->offloaded);
	some(summary->tcp, "above_mss", engine->above_mss);
	some(summary->tcp, "anomalies", engine->anomalies);
	some(summary->tcp, "anomalies_suppressed", engine->anomalies_suppressed);
	summary->one_way = engine->one_way;
}

void report_fill(struct summary *summary, const struct pipeline_result *result,
		 const struct weir_config *config, int64_t elapsed_ns)
{
	summary->packets = result->front.packets;
	summary->bytes = result->front.bytes;
	fill_ip(summary, result);
	summary->tunnels = &result->tunnels;
	fill_tcp(summary, &result->engine);
	fill_drops(summary, result);
	summary_unread(&summary->records, &record_tcp_schema, result->engine.unread_tcp);
	summary->memory_peak = result->memory_peak;
	summary->memory_budget = config->memory;
	summary->elapsed_ns = elapsed_ns;
	summary->truncated = result->truncated;
	if (result->truncated) {
		summary->notes[0] = result->message;
	}
}

void report_ring(struct summary *summary)
{
	summary->has_ring = true;
	some(summary->drops, "ring_queue_full", summary->ring.queue_full);
	some(summary->drops, "ring_failed", summary->ring.write_failed);
	some(summary->drops, "ring_too_large", summary->ring.too_large);
}

/* "38 %", "less than 1 %" */
static void put_percent(struct strbuf *out, uint64_t part, uint64_t whole)
{
	if (part * 100 < whole) {
		strbuf_str(out, "less than 1 %");
	} else {
		strbuf_printf(out, "%" PRIu64 " %%", part * 100 / whole);
	}
}

void report_warnings(const struct pipeline_result *result, struct strbuf *out)
{
	const struct engine_stats *engine = &result->engine;
	const struct front_stats *front = &result->front;

	if (front->snapped > 0) {
		strbuf_str(out, "weir: warning: ");
		put_percent(out, front->snapped, front->packets);
		strbuf_printf(out,
			      " of packets are cut at %" PRIu64
			      " bytes; bodies will be incomplete\n  Capture whole packets: -s 0.\n",
			      front->snaplen);
	}
	if (result->two_rings > 0) {
		strbuf_printf(
			out,
			"weir: warning: %" PRIu64
			" flows came on two rings, and are told as halves\n  The kernel cannot "
			"divide them by flow (tunnels, fragments): capture without --fanout.\n",
			result->two_rings);
	}
	/* a few are in any capture: whatever began or ended with it */
	if (engine->one_way * 2 > engine->with_data) {
		strbuf_str(out, "weir: warning: ");
		put_percent(out, engine->one_way, engine->with_data);
		strbuf_str(out, " of streams show only one direction\n  Check the mirror port, or "
				"capture on both paths (-i twice).\n");
	}
}

/* " (fin 12, rst 1)": those that are not 0. */
static void put_causes(struct strbuf *out, const char *(*name)(int i), const uint64_t *now,
		       const uint64_t *before, int n)
{
	bool any = false;
	int i;

	for (i = 0; i < n; i++) {
		if (now[i] > before[i]) {
			strbuf_printf(out, "%s%s %" PRIu64, any ? ", " : " (", name(i),
				      now[i] - before[i]);
			any = true;
		}
	}
	strbuf_str(out, any ? ")" : "");
}

static const char *close_name(int i)
{
	return weir_close_name((enum weir_close)i);
}

static const char *gap_name(int i)
{
	return weir_gap_cause_name((enum weir_gap_cause)i);
}

static uint64_t since(const uint64_t *now, const uint64_t *before, int n)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < n; i++) {
		sum += now[i] - before[i];
	}
	return sum;
}

void report_ticker(const struct pipeline_result *now, const struct engine_stats *before,
		   struct strbuf *out)
{
	const struct engine_stats *engine = &now->engine;
	static const uint64_t zeros[WEIR_CLOSE_NKINDS];
	uint64_t ended = since(engine->ended, zeros, WEIR_CLOSE_NKINDS);

	strbuf_printf(out,
		      "%" PRIu64 " packets; flows %" PRIu64 " open, %" PRIu64 " new, %" PRIu64
		      " closed",
		      now->front.packets, engine->flows - ended, engine->flows - before->flows,
		      since(engine->ended, before->ended, WEIR_CLOSE_NKINDS));
	put_causes(out, close_name, engine->ended, before->ended, WEIR_CLOSE_NKINDS);
	strbuf_printf(out, "; flushed %" PRIu64 " gaps",
		      since(engine->gap_causes, before->gap_causes, WEIR_GAP_NCAUSES));
	put_causes(out, gap_name, engine->gap_causes, before->gap_causes, WEIR_GAP_NCAUSES);
	strbuf_printf(out, "; drops %" PRIu64 " kernel, %" PRIu64 " interface", now->kernel_drops,
		      now->interface_drops);
}

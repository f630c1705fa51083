/* SPDX-License-Identifier: Apache-2.0 */
/* app/summary and sink/human: figures and their two forms. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "app/summary.h"
#include "record/tcp_fields.h"
#include "sample_record.h"
#include "sink/human.h"

static void durations_have_three_digits(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{0, "0 ns"},
		{999, "999 ns"},
		{1000, "1.0 us"},
		{9949, "9.9 us"},
		{9950, "10 us"},
		{999499, "999 us"},
		{999500, "1.0 ms"},
		{6200000, "6.2 ms"},
		{21000000, "21 ms"},
		{655400000, "655 ms"},
		{999500000, "1.00 s"},
		{1866000000, "1.87 s"},
		{3000000000, "3.00 s"},
		{9994999999, "9.99 s"},
		{9995000000, "10.0 s"},
		{59940000000, "59.9 s"},
		{59950000000, "1:00 min"},
		{247000000000, "4:07 min"},
		{3599500000000, "1:00 h"},
		{12011000000000, "3:20 h"},
		{359999000000000, "99:59 h"},
		{360000000000000, "4 d"},
		{-6200000, "-6.2 ms"},
		{INT64_MIN, "-106751 d"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[HUMAN_LEN];

		human_duration(rows[i].ns, true, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void sizes_counts_and_rates_are_short(void **state)
{
	static const struct {
		uint64_t n;
		const char *size;
		const char *count;
	} rows[] = {
		{0, "0 B", "0"},
		{999, "999 B", "999"},
		{1000, "1.0 kB", "1 000"},
		{38400, "38.4 kB", "38 400"},
		{999499, "999 kB", "999 499"},
		{999500, "1.0 MB", "999 500"},
		{UINT64_C(1890000000), "1.89 GB", "1 890 000 000"},
		{UINT64_C(11903114240), "11.9 GB", "11 903 114 240"},
		{UINT64_MAX, "18.4 EB", "18 446 744 073 709 551 615"},
	};
	char text[HUMAN_LEN];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		human_size(rows[i].n, text);
		assert_string_equal(text, rows[i].size);
		human_count(rows[i].n, text);
		assert_string_equal(text, rows[i].count);
	}
	human_rate(2350000, text);
	assert_string_equal(text, "2.35 M");
	human_rate(99, text);
	assert_string_equal(text, "99 ");
	human_rate(61800, text);
	assert_string_equal(text, "61.8 k");
}

static void add_http(struct summary_records *records, unsigned status, int64_t duration_ns)
{
	struct sample sample;

	sample_init(&sample, &sample_schema);
	weir_record_set_u64(sample.rec, S_STATUS, status);
	weir_record_set_i64(sample.rec, WEIR_F_DURATION, duration_ns);
	weir_record_set_i64(sample.rec, WEIR_F_TIMING_STALL, duration_ns / 4);
	summary_record(records, sample.rec);
	sample_fini(&sample);
}

static void quantiles_are_within_three_percent(void **state)
{
	static struct summary_latency latency;
	int64_t i;

	assert_int_equal(summary_latency_quantile(&latency, 0.5), 0);
	for (i = 1; i <= 1000; i++) {
		summary_latency_add(&latency, i * 1000000);
	}
	assert_in_range(summary_latency_quantile(&latency, 0.5), 485000000, 515000000);
	assert_in_range(summary_latency_quantile(&latency, 0.99), 960000000, 1000000000);
	assert_in_range(summary_latency_quantile(&latency, 1.0), 970000000, 1000000000);
	assert_int_equal(latency.max_ns, 1000000000);
	summary_latency_add(&latency, INT64_MAX);
	summary_latency_add(&latency, INT64_MIN);
	assert_int_equal(summary_latency_quantile(&latency, 1.0) > INT64_C(9000000000000000000), 1);
	assert_int_equal(summary_latency_quantile(&latency, 0.0), 0);
}

static void small_values_have_buckets_of_their_own(void **state)
{
	int64_t v;

	for (v = 0; v < 64; v++) {
		static struct summary_latency latency;

		memset(&latency, 0, sizeof(latency));
		summary_latency_add(&latency, v);
		summary_latency_add(&latency, 1000);
		assert_int_equal(summary_latency_quantile(&latency, 0.5), v);
	}
}

static void records_are_counted_by_type_and_class(void **state)
{
	static struct summary_records a, b;
	struct sample sample;
	unsigned i;

	add_http(&a, 200, 1);
	add_http(&a, 204, 1);
	add_http(&a, 404, 1);
	add_http(&b, 503, 1);
	add_http(&b, 999, 1);
	sample_init(&sample, &sample_schema);
	weir_record_set_static(sample.rec, WEIR_F_COMPLETENESS, "no_response");
	weir_record_add_anomaly(sample.rec, "x.y");
	summary_record(&b, sample.rec);
	weir_record_set_bool(sample.rec, WEIR_F_FINAL, false); /* interim: not counted */
	summary_record(&b, sample.rec);
	sample_fini(&sample);
	sample_init(&sample, &record_tcp_schema);
	summary_record(&b, sample.rec);
	sample_fini(&sample);
	summary_records_merge(&a, &b);
	assert_ptr_equal(a.types[0].schema, &sample_schema);
	assert_int_equal(a.types[0].count, 6);
	assert_ptr_equal(a.types[1].schema, &record_tcp_schema);
	assert_int_equal(a.types[1].count, 1);
	for (i = 0; i < 6; i++) {
		static const unsigned want[6] = {1, 0, 2, 0, 1, 1};

		assert_int_equal(a.status_class[i], want[i]);
	}
	assert_int_equal(a.no_response, 1);
	assert_int_equal(a.anomalous, 1);
	assert_int_equal(a.codes.n, 1);
	assert_string_equal(a.codes.codes[0].code, "x.y");
	assert_int_equal(a.codes.codes[0].n, 1);
	assert_int_equal(a.latency.count, 5);
}

static void fill(struct summary *summary)
{
	unsigned i;

	summary_init(summary);
	summary->packets = 14802113;
	summary->bytes = UINT64_C(11903114240);
	summary_count(summary->ip, "fragments", 4);
	summary_count(summary->ip, "datagrams", 1);
	summary_count(summary->ip, "fragments", 2);
	summary->flows = 41206;
	summary->segments = 10000;
	summary->ledger = (struct weir_ledger){.captured = 1000,
					       .delivered = 900,
					       .duplicate = 50,
					       .overlap = 20,
					       .pending = 0,
					       .gap_bytes = 4344,
					       .gaps = 3};
	summary->ledger.rejected[WEIR_REJECT_PAWS] = 30;
	summary->gap_causes[WEIR_GAP_ACKED] = 2;
	summary->gap_causes[WEIR_GAP_END] = 1;
	summary->retransmits = 20;
	summary->out_of_order = 7;
	summary->closed[WEIR_CLOSE_FIN] = 40988;
	summary->closed[WEIR_CLOSE_RST] = 44;
	summary->midstream = 171;
	for (i = 0; i < 99; i++) {
		add_http(&summary->records, 200, 24000000);
	}
	add_http(&summary->records, 500, 3000000000);
	summary_count(summary->drops, "kernel", 0);
	summary->memory_peak = 201000000;
	summary->memory_budget = 512 << 20;
	summary->elapsed_ns = 6300000000;
	summary->truncated = true;
	summary->notes[0] = "the last packet is cut short";
}

static void the_json_form_is_the_contracts(void **state)
{
	static struct summary summary;
	struct strbuf out;
	json_t *json;

	fill(&summary);
	strbuf_init(&out);
	summary_write_json(&summary, &out);
	assert_string_equal(
		strbuf_text(&out),
		"{\"packets\":14802113,\"bytes\":11903114240,"
		"\"ip\":{\"fragments\":6,\"datagrams\":1},"
		"\"tcp\":{\"flows\":41206,\"segments\":10000,\"payload\":{\"captured\":1000,"
		"\"delivered\":900,\"duplicate\":50,\"overlap\":20,\"rejected\":{\"checksum\":0,"
		"\"no_ack\":0,\"paws\":30,\"window\":0,\"after_fin\":0,\"rst\":0,\"syn\":0,"
		"\"budget\":0,\"closed\":0},\"pending\":0},\"gaps\":{\"count\":3,\"bytes\":4344,"
		"\"causes\":{\"acked\":2,\"age\":0,\"limit\":0,\"budget\":0,\"end\":1,"
		"\"snaplen\":0,\"capture_drop\":0}},\"ended\":{\"closed\":40988,\"reset\":44,"
		"\"timeout\":0,\"evicted\":0,\"reused\":0,\"open\":0},\"retransmits\":20,\"out_of_"
		"order\":7},"
		"\"records\":{\"http\":100},\"drops\":{\"kernel\":0},"
		"\"memory\":{\"peak\":201000000,\"budget\":536870912},"
		"\"elapsed_ns\":6300000000,\"truncated\":true}\n");
	json = json_loadb(out.p, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	json_decref(json);
	/* codes by name, whatever came first */
	summary.records.codes = (struct summary_codes){{{"tcp.gap", 2}, {"http.bare_lf", 1}}, 2};
	strbuf_clear(&out);
	summary_write_json(&summary, &out);
	assert_non_null(
		strstr(strbuf_text(&out), "\"anomalies\":{\"http.bare_lf\":1,\"tcp.gap\":2},"));
	strbuf_fini(&out);
}

/* Of a live capture: each ring by itself; a name is the user's, and may have any sign in it. */
static void rings_are_told_one_by_one(void **state)
{
	static struct summary summary;
	struct strbuf out;
	json_t *json;

	summary_init(&summary);
	summary.rings[0] = (struct capture_ring){"eth0", 32 << 20, 1204, 0, 0, NULL};
	summary.rings[1] = (struct capture_ring){"a\"b\\\x1b", 1 << 20, 7, 5, 2, "gone\x1b"};
	summary.nrings = 2;
	summary.has_ring = true;
	summary.ring = (struct keeper_stats){
		.packets = 9, .bytes = 900, .begun = 3, .deleted = 1, .held = 600, .files = 2};
	strbuf_init(&out);
	summary_write_json(&summary, &out);
	assert_non_null(
		strstr(strbuf_text(&out),
		       "\"ring\":{\"packets\":9,\"bytes\":900,\"files\":2,\"held\":600,"
		       "\"begun\":3,\"deleted\":1},\"drops\":{},"
		       "\"rings\":[{\"interface\":\"eth0\",\"size\":33554432,\"packets\":1204,"
		       "\"drops\":0,\"freezes\":0},{\"interface\":\"a\\u0022b\\u005c\\u001b\","
		       "\"size\":1048576,\"packets\":7,\"drops\":5,\"freezes\":2,"
		       "\"ended\":\"gone\\u001b\"}],"
		       "\"memory\":"));
	json = json_loadb(out.p, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	json_decref(json);
	strbuf_clear(&out);
	summary_write_text(&summary, false, &out);
	assert_non_null(strstr(
		strbuf_text(&out),
		"rings            1 204   packets on eth0 \xc2\xb7 33.6 MB\n"
		"                     7   packets on a\"b\\\\x1b \xc2\xb7 1.0 MB \xc2\xb7 drops 5 "
		"\xc2\xb7 times full 2 \xc2\xb7 ended: gone\\x1b\n"));
	/* an interface that went away is a loss, as packets are */
	summary.rings[1].drops = 0;
	assert_true(summary_lost(&summary));
	summary.rings[1].ended = NULL;
	assert_false(summary_lost(&summary));
	strbuf_fini(&out);
}

static void the_text_form_says_what_can_be_doubted(void **state)
{
	static struct summary summary;
	struct strbuf out;

	fill(&summary);
	strbuf_init(&out);
	summary_write_text(&summary, false, &out);
	/* 11903114240 B / 6.3 s = 1.889 GB/s; 14802113 / 6.3 = 2.350 M/s; stall is a quarter of each duration */
	assert_string_equal(
		strbuf_text(&out),
		"11.9 GB, 14 802 113 packets in 6.30 s  1.89 GB/s \xc2\xb7 2.35 Mpkt/s \xc2\xb7 "
		"peak 201 MB\n"
		"streams         41 206   closed 40 988 \xc2\xb7 reset 44 \xc2\xb7 begun "
		"mid-stream "
		"171\n"
		"transactions       100   2xx 99 \xc2\xb7 5xx 1\n"
		"latency      p50 24 ms \xc2\xb7 p95 24 ms \xc2\xb7 p99 24 ms \xc2\xb7 max 3.00 s  "
		" "
		"stall 25 % of time\n"
		"quality      retransmit 0.20 % \xc2\xb7 out of order 0.07 % \xc2\xb7 "
		"3 gaps (4 344 B) \xc2\xb7 0 drops \xc2\xb7 bytes rejected 30\n"
		"             ! the last packet is cut short\n");
	strbuf_clear(&out);
	summary_write_text(&summary, true, &out);
	assert_non_null(strstr(strbuf_text(&out), "\x1b[31m5xx 1\x1b[0m"));
	strbuf_fini(&out);
}

static void an_empty_run_has_a_summary_too(void **state)
{
	static struct summary summary;
	struct strbuf out;

	summary_init(&summary);
	assert_false(summary_lost(&summary));
	strbuf_init(&out);
	summary_write_text(&summary, false, &out);
	assert_string_equal(strbuf_text(&out),
			    "0 B, 0 packets in 0 ns\n"
			    "streams              0\n"
			    "transactions         0\n"
			    "quality      retransmit 0.00 % \xc2\xb7 out of order 0.00 % \xc2\xb7 "
			    "0 gaps \xc2\xb7 0 drops\n");
	strbuf_fini(&out);
}

static void every_kind_of_loss_counts(void **state)
{
	static struct summary summary;

	summary_init(&summary);
	summary_count(summary.drops, "kernel", 1);
	assert_true(summary_lost(&summary));
	summary_init(&summary);
	summary.ledger.gaps = 1;
	assert_true(summary_lost(&summary));
	summary_init(&summary);
	summary.ledger.rejected[WEIR_REJECT_BUDGET] = 1;
	assert_true(summary_lost(&summary));
	summary_init(&summary);
	summary.closed[WEIR_CLOSE_EVICTED] = 1;
	assert_true(summary_lost(&summary));
	summary_init(&summary);
	summary.truncated = true;
	assert_true(summary_lost(&summary));
	summary_init(&summary);
	summary.ledger.rejected[WEIR_REJECT_PAWS] = 1; /* the endpoint did not take them either */
	assert_false(summary_lost(&summary));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_have_three_digits),
		cmocka_unit_test(sizes_counts_and_rates_are_short),
		cmocka_unit_test(quantiles_are_within_three_percent),
		cmocka_unit_test(small_values_have_buckets_of_their_own),
		cmocka_unit_test(records_are_counted_by_type_and_class),
		cmocka_unit_test(the_json_form_is_the_contracts),
		cmocka_unit_test(rings_are_told_one_by_one),
		cmocka_unit_test(the_text_form_says_what_can_be_doubted),
		cmocka_unit_test(an_empty_run_has_a_summary_too),
		cmocka_unit_test(every_kind_of_loss_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

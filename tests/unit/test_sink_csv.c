/* SPDX-License-Identifier: Apache-2.0 */
/* sink/csv: literal records in, literal rows out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "sample_record.h"
#include "sink/sink.h"
#include "weir/error.h"

static const struct weir_schema *const schemas[] = {&sample_schema, NULL};

struct fixture {
	char path[64];
	struct weir_sink *sink;
	struct sample sample;
};

static int open_with(struct fixture *fix, const char *options, const char **ret_message)
{
	struct weir_sink_config config = {.schemas = schemas};
	struct sink_spec spec;
	char text[512];
	int err;

	(void)snprintf(text, sizeof(text), "csv:%s%s", fix->path, options);
	assert_int_equal(sink_parse(text, &spec, ret_message), 0);
	config.target = spec.target;
	config.keys = spec.keys;
	config.values = spec.values;
	err = spec.type->open(&config, &fix->sink, ret_message);
	sink_spec_fini(&spec);
	return err;
}

static void begin(struct fixture *fix, const char *options)
{
	const char *message = NULL;
	int fd;

	strcpy(fix->path, "/tmp/weir-csv.XXXXXX");
	fd = mkstemp(fix->path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(open_with(fix, options, &message), 0);
	sample_init(&fix->sample, &sample_schema);
}

static void put(struct fixture *fix)
{
	assert_int_equal(sink_find("csv")->record(fix->sink, fix->sample.rec), 0);
}

static void check_file(const char *path, const char *want)
{
	static char text[65536];
	FILE *file = fopen(path, "rb");
	size_t n;

	assert_non_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	assert_string_equal(text, want);
}

static void end(struct fixture *fix, const char *want)
{
	assert_int_equal(sink_find("csv")->close(fix->sink), 0);
	check_file(fix->path, want);
	unlink(fix->path);
	sample_fini(&fix->sample);
}

/* One row with a path: what becomes of the cell? */
static void check_path(const char *path, size_t len, const char *cell)
{
	struct fixture fix;
	char want[512];

	begin(&fix, ",fields=url.path,url.domain");
	weir_record_set_bytes(fix.sample.rec, S_PATH, path, len, SIZE_MAX);
	weir_record_set_static(fix.sample.rec, S_DOMAIN, "x");
	put(&fix);
	(void)snprintf(want, sizeof(want), "url.path,url.domain\n%s,x\n", cell);
	end(&fix, want);
}

#define PATH(text, cell) check_path(text, sizeof(text) - 1, cell)

static void chosen_fields_are_the_columns(void **state)
{
	struct fixture fix;

	begin(&fix, ",type=http,fields=ts,type,http.response.status_code,client.address,url.path,"
		    "duration_ns,http.response.body.sha256");
	sample_fill(fix.sample.rec);
	weir_record_set_bytes(fix.sample.rec, S_SHA256, "\x00\xab\xff", 3, SIZE_MAX);
	put(&fix);
	end(&fix, "ts,type,http.response.status_code,client.address,url.path,duration_ns,"
		  "http.response.body.sha256\n"
		  "2025-11-22T14:17:29.702000000Z,http,200,10.2.1.40,/products/48213,21000000,"
		  "00abff\n");
}

static void all_fields_come_in_the_order_of_the_table(void **state)
{
	struct fixture fix;

	begin(&fix, "");
	weir_record_set_i64(fix.sample.rec, WEIR_F_TS, 0);
	weir_record_set_static(fix.sample.rec, S_METHOD, "GET");
	put(&fix);
	end(&fix, "type,ts,id,flow_id,network.type,network.protocol.name,network.protocol.version,"
		  "network.community_id,network.vlan.id,client.address,client.port,server.address,"
		  "server.port,service.name,capture.interface,packet.first,packet.last,duration_ns,"
		  "timing.send_ns,timing.wait_ns,timing.receive_ns,timing.stall_ns,tcp.rtt_ns,"
		  "tcp.retransmits,tcp.out_of_order,tcp.gaps,completeness,missing_bytes,pairing,"
		  "tls.decrypted,error.type,anomalies,"
		  "http.request.method,http.request.target,url.domain,url.path,url.query,url.full,"
		  "user_agent.original,http.request.header,http.response.header,"
		  "http.response.status_code,http.response.reason,http.interim,"
		  "http.request.body.size,http.response.body.size,http.response.body.sha256,"
		  "http.request.body.content,http.response.body.content,escaped,truncated\n"
		  "http,1970-01-01T00:00:00.000000000Z,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,"
		  "GET,,,,,,,,,,,,,,,,,,\n");
}

static void quoting_is_that_of_rfc_4180(void **state)
{
	PATH("/plain", "/plain");
	PATH("/a,b", "\"/a,b\"");
	PATH("/say \"hi\"", "\"/say \"\"hi\"\"\"");
	PATH("/a;b", "\"/a;b\"");
	PATH("\"", "\"\"\"\"");
	PATH("", "\"\""); /* there, and empty; absent is nothing at all */
}

static void formulas_are_guarded(void **state)
{
	PATH("=1+1", "'=1+1");
	PATH("+49", "'+49");
	PATH("-2+3", "'-2+3");
	PATH("@SUM(A1)", "'@SUM(A1)");
	PATH("=cmd|'/c calc'!A1,\"x\"", "\"'=cmd|'/c calc'!A1,\"\"x\"\"\"");
	PATH("\xef\xbc\x9d"
	     "1+1",
	     "'\xef\xbc\x9d"
	     "1+1");             /* full-width = */
	PATH("\t=1", "\\x09=1"); /* the tab is escaped: no formula is left */
	PATH("\r=1", "\\x0d=1");
	PATH("a=1", "a=1");
}

/* A number below 0 is ours, and a number. */
static void negative_durations_stay_numbers(void **state)
{
	struct fixture fix;

	begin(&fix, ",fields=timing.wait_ns");
	weir_record_set_i64(fix.sample.rec, WEIR_F_TIMING_WAIT, -250);
	put(&fix);
	end(&fix, "timing.wait_ns\n-250\n");
}

static void bad_bytes_and_controls_are_escaped_and_told(void **state)
{
	struct fixture fix;

	begin(&fix, ",fields=url.path,url.query,url.domain,escaped");
	weir_record_set_bytes(fix.sample.rec, S_PATH, "/\xff\\\n\x1b[2J", 8, SIZE_MAX);
	weir_record_set_bytes(fix.sample.rec, S_QUERY, "a\\b", 3, SIZE_MAX);
	weir_record_set_bytes(fix.sample.rec, S_DOMAIN, "\xe2\x80\xae.\xc3\xa4", 6, SIZE_MAX);
	put(&fix);
	end(&fix,
	    "url.path,url.query,url.domain,escaped\n"
	    "/\\xff\\\\\\x0a\\x1b[2J,a\\b,\\xe2\\x80\\xae.\xc3\xa4,\"url.path;url.domain\"\n");
}

static void lists_are_joined_by_semicolons(void **state)
{
	struct fixture fix;

	begin(&fix, ",fields=anomalies,http.interim,escaped");
	weir_record_add_anomaly(fix.sample.rec, "http.cl_te_both");
	put(&fix);
	weir_record_add_anomaly(fix.sample.rec, "tcp.overlap_conflict");
	weir_record_add_u64(fix.sample.rec, S_INTERIM, 100);
	weir_record_add_u64(fix.sample.rec, S_INTERIM, 103);
	put(&fix);
	weir_record_clear(fix.sample.rec, WEIR_F_ANOMALIES);
	weir_record_clear(fix.sample.rec, S_INTERIM);
	weir_record_add_str(fix.sample.rec, WEIR_F_ANOMALIES, "a;=b", 4);
	weir_record_add_str(fix.sample.rec, WEIR_F_ANOMALIES, "c\\", 2);
	put(&fix);
	end(&fix, "anomalies,http.interim,escaped\n"
		  "http.cl_te_both,,\n"
		  "\"http.cl_te_both;tcp.overlap_conflict\",\"100;103\",\n"
		  "\"a\\x3b=b;c\\\\\",,anomalies\n");
}

static void headers_are_lines_of_a_cell(void **state)
{
	struct fixture fix;

	begin(&fix, ",fields=http.request.header,truncated");
	sample_header(fix.sample.rec, S_REQUEST_HEADER, "Host", "a,b");
	sample_header(fix.sample.rec, S_REQUEST_HEADER, "X-Quote", "say \"hi\"");
	weir_record_add_header(fix.sample.rec, S_REQUEST_HEADER, "X-Long", 6, "123456789", 9, 4);
	put(&fix);
	end(&fix, "http.request.header,truncated\n"
		  "\"Host: a,b\nX-Quote: say \"\"hi\"\"\nX-Long: 1234\",http.request.header=9\n");
}

static void other_types_and_interim_records_are_left_out(void **state)
{
	static const struct weir_schema other = {"tcp", NULL, 0};
	struct fixture fix;
	struct sample sample;

	begin(&fix, ",fields=id");
	sample_init(&sample, &other);
	weir_record_set_static(sample.rec, WEIR_F_ID, "other");
	assert_int_equal(sink_find("csv")->record(fix.sink, sample.rec), 0);
	sample_fini(&sample);
	weir_record_set_static(fix.sample.rec, WEIR_F_ID, "interim");
	weir_record_set_bool(fix.sample.rec, WEIR_F_FINAL, false);
	put(&fix);
	weir_record_set_static(fix.sample.rec, WEIR_F_ID, "final");
	weir_record_set_bool(fix.sample.rec, WEIR_F_FINAL, true);
	put(&fix);
	end(&fix, "id\nfinal\n");
}

/* After rotation the new file has its line of names; the old one keeps what it had. */
static void a_reopened_file_begins_with_the_names(void **state)
{
	struct fixture fix;
	char old[80];

	begin(&fix, ",fields=id");
	weir_record_set_static(fix.sample.rec, WEIR_F_ID, "one");
	put(&fix);
	(void)snprintf(old, sizeof(old), "%s.1", fix.path);
	assert_int_equal(rename(fix.path, old), 0);
	assert_int_equal(sink_find("csv")->reopen(fix.sink), 0);
	weir_record_set_static(fix.sample.rec, WEIR_F_ID, "two");
	put(&fix);
	assert_int_equal(sink_find("csv")->reopen(fix.sink), 0); /* nobody moved it */
	weir_record_set_static(fix.sample.rec, WEIR_F_ID, "three");
	put(&fix);
	end(&fix, "id\ntwo\nthree\n");
	check_file(old, "id\none\n");
	unlink(old);
}

static void wrong_options_say_so(void **state)
{
	static const char *const rows[][2] = {
		{",type=gopher", "csv has one type=, such as http (the default), tcp or anomaly"},
		{",fields=url.path,nonsense",
		 "\"nonsense\" is not a field of type http, or there are too many"},
		{",fields=escaped,url.path", "escaped and truncated are the last of the fields"},
		{",separator=x", "unknown option of sink csv; it has type=, fields="},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture fix = {.path = "/nowhere/x"};
		const char *message = NULL;

		assert_int_equal(open_with(&fix, rows[i][0], &message), WEIR_EINVAL);
		assert_string_equal(message, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chosen_fields_are_the_columns),
		cmocka_unit_test(all_fields_come_in_the_order_of_the_table),
		cmocka_unit_test(quoting_is_that_of_rfc_4180),
		cmocka_unit_test(formulas_are_guarded),
		cmocka_unit_test(negative_durations_stay_numbers),
		cmocka_unit_test(bad_bytes_and_controls_are_escaped_and_told),
		cmocka_unit_test(lists_are_joined_by_semicolons),
		cmocka_unit_test(headers_are_lines_of_a_cell),
		cmocka_unit_test(other_types_and_interim_records_are_left_out),
		cmocka_unit_test(a_reopened_file_begins_with_the_names),
		cmocka_unit_test(wrong_options_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

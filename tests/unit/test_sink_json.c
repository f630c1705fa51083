/* SPDX-License-Identifier: Apache-2.0 */
/* sink/json: each line is compared with a literal and read back by jansson. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "record/anomaly_fields.h"
#include "record/tcp_fields.h"
#include "sample_record.h"
#include "sink/json_record.h"
#include "sink/json_text.h"
#include "sink/sink.h"
#include "weir/error.h"

/* The line of a record, in memory of the caller; checked to be JSON without a key twice. */
static char *line_of(const struct weir_record *rec)
{
	struct json_writer writer;
	struct strbuf out;
	json_error_t error;
	json_t *json;
	char *text;

	json_writer_init(&writer);
	strbuf_init(&out);
	assert_int_equal(json_write_record(&writer, rec, &out), 0);
	text = strdup(strbuf_text(&out));
	json = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (json == NULL) {
		print_error("%s\n%s\n", error.text, text);
	}
	assert_non_null(json);
	json_decref(json);
	strbuf_fini(&out);
	json_writer_fini(&writer);
	return text;
}

static void check_line(const struct weir_record *rec, const char *want)
{
	char *line = line_of(rec);

	assert_string_equal(line, want);
	free(line);
}

static void a_transaction_is_one_nested_object(void **state)
{
	struct sample sample;

	sample_init(&sample, &sample_schema);
	sample_fill(sample.rec);
	check_line(
		sample.rec,
		"{\"type\":\"http\",\"ts\":\"2025-11-22T14:17:29.702000000Z\","
		"\"id\":\"01KAMZ9Q1P0000000000000001\",\"flow_id\":\"01KAMZ9Q1P0000000000000000\","
		"\"network\":{\"type\":\"ipv4\",\"protocol\":{\"name\":\"http\",\"version\":\"1."
		"1\"},"
		"\"community_id\":\"1:LQU9qZlK+B5F3KDmev6m5PMibrg=\"},"
		"\"client\":{\"address\":\"10.2.1.40\",\"port\":51774},"
		"\"server\":{\"address\":\"10.2.4.17\",\"port\":8080},"
		"\"packet\":{\"first\":4,\"last\":9},\"duration_ns\":21000000,"
		"\"timing\":{\"send_ns\":0,\"wait_ns\":20000000,\"receive_ns\":1000000,"
		"\"stall_ns\":0},\"tcp\":{\"rtt_ns\":800000,\"retransmits\":0,"
		"\"out_of_order\":0,\"gaps\":0},\"completeness\":\"complete\","
		"\"pairing\":\"exact\",\"http\":{\"request\":{\"method\":\"GET\","
		"\"target\":\"/products/48213?page=2\",\"header\":{\"host\":[\"catalog-api:8080\"],"
		"\"user-agent\":[\"curl/7.88.1\"],\"accept\":[\"*/*\"]},\"body\":{\"size\":0}},"
		"\"response\":{\"header\":{\"server\":[\"nginx/1.22.1\"],"
		"\"date\":[\"Sat, 22 Nov 2025 14:17:29 GMT\"],"
		"\"content-type\":[\"application/json\"],\"content-length\":[\"4096\"],"
		"\"connection\":[\"keep-alive\"]},\"status_code\":200,\"reason\":\"OK\","
		"\"body\":{\"size\":4096}}},\"url\":{\"domain\":\"catalog-api\","
		"\"path\":\"/products/48213\",\"query\":\"page=2\","
		"\"full\":\"http://catalog-api:8080/products/48213?page=2\"},"
		"\"user_agent\":{\"original\":\"curl/7.88.1\"}}");
	sample_fini(&sample);
}

static void an_absent_field_leaves_no_trace(void **state)
{
	struct sample sample;

	sample_init(&sample, &sample_schema);
	check_line(sample.rec, "{\"type\":\"http\"}");
	weir_record_set_u64(sample.rec, S_RESPONSE_SIZE, INT64_MAX);
	check_line(sample.rec, "{\"type\":\"http\",\"http\":{\"response\":{\"body\":{\"size\":"
			       "9223372036854775807}}}}");
	weir_record_set_str(sample.rec, S_QUERY, "");
	weir_record_set_bool(sample.rec, WEIR_F_FINAL, false);
	check_line(sample.rec,
		   "{\"type\":\"http\",\"final\":false,\"http\":{\"response\":{\"body\":{"
		   "\"size\":9223372036854775807}}},\"url\":{\"query\":\"\"}}");
	sample_fini(&sample);
}

static void kinds_have_their_forms(void **state)
{
	struct sample sample;
	struct weir_record *rec;

	sample_init(&sample, &sample_schema);
	rec = sample.rec;
	weir_record_set_i64(rec, WEIR_F_TS, -1);
	sample_address(rec, WEIR_F_CLIENT_ADDRESS, "2001:db8::1");
	sample_address(rec, WEIR_F_SERVER_ADDRESS, "255.255.255.255");
	weir_record_set_i64(rec, WEIR_F_TIMING_WAIT, INT64_MIN);
	weir_record_set_bool(rec, WEIR_F_TLS_DECRYPTED, true);
	weir_record_add_anomaly(rec, "http.cl_te_both");
	weir_record_add_anomaly(rec, "http.cl_conflict");
	weir_record_add_u64(rec, S_INTERIM, 100);
	weir_record_add_u64(rec, S_INTERIM, 103);
	weir_record_set_bytes(rec, S_SHA256, "\x00\x7f\xff", 3, 32);
	check_line(rec, "{\"type\":\"http\",\"ts\":\"1969-12-31T23:59:59.999999999Z\","
			"\"client\":{\"address\":\"2001:db8::1\"},"
			"\"server\":{\"address\":\"255.255.255.255\"},"
			"\"timing\":{\"wait_ns\":-9223372036854775808},"
			"\"tls\":{\"decrypted\":true},"
			"\"anomalies\":[\"http.cl_te_both\",\"http.cl_conflict\"],"
			"\"http\":{\"response\":{\"body\":{\"sha256\":\"007fff\"}},"
			"\"interim\":[100,103]}}");
	sample_fini(&sample);
}

static void times_of_any_year_are_written(void **state)
{
	static const struct {
		int64_t ts_ns;
		const char *text;
	} rows[] = {
		{INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
		{INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
		{0, "1970-01-01T00:00:00.000000000Z"},
		{-1000000000, "1969-12-31T23:59:59.000000000Z"},
		{-999999999, "1969-12-31T23:59:59.000000001Z"},
		{999999999, "1970-01-01T00:00:00.999999999Z"},
	};
	struct json_writer writer;
	struct sample sample;
	struct strbuf out;
	size_t i;

	sample_init(&sample, &sample_schema);
	json_writer_init(&writer);
	strbuf_init(&out);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char want[64];

		strbuf_clear(&out);
		weir_record_set_i64(sample.rec, WEIR_F_TS, rows[i].ts_ns);
		assert_int_equal(json_write_record(&writer, sample.rec, &out), 0);
		(void)snprintf(want, sizeof(want), "{\"type\":\"http\",\"ts\":\"%s\"}",
			       rows[i].text);
		assert_string_equal(strbuf_text(&out), want);
	}
	strbuf_fini(&out);
	json_writer_fini(&writer);
	sample_fini(&sample);
}

static void strings_are_escaped(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *want; /* between the quotes */
		bool escaped;     /* named in `escaped` */
	} rows[] = {
		{"plain", 5, "plain", false},
		{"exactly8", 8, "exactly8", false},
		{"a\"b\\c/d", 7, "a\\\"b\\\\c/d", false},
		{"12345678\"", 9, "12345678\\\"", false},
		{"\0", 1, "\\u0000", false},
		{"\x1b[2J\x07\r\n\t\x7f", 8, "\\u001b[2J\\u0007\\u000d\\u000a\\u0009", false},
		{"\x7f", 1, "\\u007f", false},
		{"\xc2\x9b", 2, "\\u009b", false},                /* C1: CSI */
		{"\xc2\xa0", 2, "\xc2\xa0", false},               /* no-break space */
		{"\xe2\x80\xae", 3, "\\u202e", false},            /* right-to-left override */
		{"\xe2\x81\xa6", 3, "\\u2066", false},            /* isolate */
		{"\xe2\x80\x8f", 3, "\\u200f", false},            /* right-to-left mark */
		{"\xd8\x9c", 2, "\\u061c", false},                /* Arabic letter mark */
		{"\xf3\xa0\x81\x81", 4, "\\udb40\\udc41", false}, /* tag A */
		{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 14,
		 "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", false},
		{"\xff", 1, "\\\\xff", true},
		{"a\\b\xff", 4, "a\\\\\\\\b\\\\xff", true},
		{"\xc3", 1, "\\\\xc3", true},                                  /* cut short */
		{"\xc0\xaf", 2, "\\\\xc0\\\\xaf", true},                       /* overlong */
		{"\xed\xa0\x80", 3, "\\\\xed\\\\xa0\\\\x80", true},            /* surrogate */
		{"\xf4\x90\x80\x80", 4, "\\\\xf4\\\\x90\\\\x80\\\\x80", true}, /* above U+10FFFF */
		{"abcdefgh\xe2\x82", 10, "abcdefgh\\\\xe2\\\\x82", true},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sample sample;
		char want[256];

		sample_init(&sample, &sample_schema);
		weir_record_set_bytes(sample.rec, S_PATH, rows[i].text, rows[i].len, SIZE_MAX);
		(void)snprintf(want, sizeof(want),
			       "{\"type\":\"http\",\"url\":{\"path\":\"%s\"}%s}", rows[i].want,
			       rows[i].escaped ? ",\"escaped\":[\"url.path\"]" : "");
		check_line(sample.rec, want);
		sample_fini(&sample);
	}
}

/* Texts end where memory does: behind this page there is none. */
static uint8_t *last_page(size_t *ret_size)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p =
		mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(mprotect(p + size, size, PROT_NONE), 0);
	*ret_size = size;
	return p;
}

/* At the end of a page, and at its beginning with other bytes behind: what these are does not matter. */
static void check_copy(uint8_t *page, size_t size, const char *text, size_t len, bool lower,
		       bool plain)
{
	char to[128], want[128];
	size_t i;
	int way;

	for (i = 0; i < len; i++) {
		want[i] = text[i];
		if (lower && text[i] >= 'A' && text[i] <= 'Z') {
			want[i] = (char)(text[i] + 'a' - 'A');
		}
	}
	for (way = 0; way < 3 * JSON_COPY_NWITH; way++) {
		uint8_t *p = way % 3 == 0 ? page + size - len : page;
		char *end;

		memset(page, way % 3 == 1 ? '"' : 'x', 128);
		memcpy(p, text, len);
		end = json_put_plain_with((enum json_copy)(way / 3), to, p, len, lower);
		if (!plain) {
			assert_null(end);
			continue;
		}
		assert_ptr_equal(end, to + len);
		assert_memory_equal(to, want, len);
	}
}

/* Every byte, at every place of texts of every length that is copied in its own way. */
static void every_way_of_copying_text_is_the_same(void **state)
{
	char text[80];
	size_t len, at, size;
	uint8_t *page = last_page(&size);
	int c;

	for (len = 0; len < sizeof(text); len++) {
		for (at = 0; at < len; at++) {
			text[at] = (char)(at % 3 == 0 ? 'A' + at % 26 : '!' + at % 60);
			text[at] = text[at] == '"' || text[at] == '\\' ? 'Z' : text[at];
		}
		check_copy(page, size, text, len, false, true);
		check_copy(page, size, text, len, true, true);
		for (at = 0; at < len; at++) {
			char kept = text[at];

			for (c = 0; c < 256; c += len % 8 == 1 || c > 0x18 ? 1 : 7) {
				bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

				text[at] = (char)c;
				check_copy(page, size, text, len, c % 2 == 0, plain);
			}
			text[at] = kept;
		}
	}
	assert_int_equal(munmap(page, 2 * size), 0);
}

/* Text that is not plain goes on in the same ways: 16 bytes at a time, at the end of memory. */
static void text_with_quotes_is_read_to_its_end_only(void **state)
{
	size_t size, len;
	uint8_t *page = last_page(&size);

	for (len = 1; len < 60; len++) {
		uint8_t *p = page + size - len;
		char to[JSON_STRING_GROWTH * 60 + JSON_STRING_EXTRA], want[160];
		size_t n = 0, i;

		for (i = 0; i < len; i++) {
			p[i] = (uint8_t)(i % 17 == len % 17 ? '"'
					 : i % 23 == 22     ? '\n'
							    : 'a' + i % 26);
			if (p[i] == '"' || p[i] == '\n') {
				want[n++] = '\\';
				want[n++] = p[i] == '"' ? '"' : 'u';
			}
			if (p[i] == '\n') {
				memcpy(want + n, "000a", 4);
				n += 4;
			} else if (p[i] != '"') {
				want[n++] = (char)p[i];
			}
		}
		assert_int_equal(json_put_text(to, p, len, false) - to, n);
		assert_memory_equal(to, want, n);
	}
	assert_int_equal(munmap(page, 2 * size), 0);
}

static void numbers_of_every_length_are_written(void **state)
{
	static const char *const others[] = {
		"1234",
		"98765",
		"123456",
		"9080706",
		"12345678",
		"98765432",
		"102030405",
		"9876543210",
		"99999999",
		"1000000000",
		"1234567890123456",
		"9999999999999999",
		"1029384756102",
		"5000000000005",
		"1234567890987654",
		"12345678909876543",
		"18446744073709551615",
	};
	uint64_t value = 0;
	int i, k;

	for (i = 0; i < 20; i++) {
		for (k = -2; k < 3; k++) {
			char text[JSON_U64_MAX + 1], want[32];
			int n = snprintf(want, sizeof(want), "%llu",
					 (unsigned long long)(value + (uint64_t)k));

			text[JSON_U64_MAX] = '!';
			assert_int_equal(json_put_u64(text, value + (uint64_t)k) - text, n);
			assert_memory_equal(text, want, (size_t)n);
			assert_int_equal(text[JSON_U64_MAX], '!');
		}
		value = i == 0 ? 10 : value * 10;
	}
	for (i = 0; i < (int)(sizeof(others) / sizeof(others[0])); i++) {
		char text[JSON_U64_MAX];
		size_t n = strlen(others[i]);

		assert_int_equal(json_put_u64(text, strtoull(others[i], NULL, 10)) - text, n);
		assert_memory_equal(text, others[i], n);
	}
	for (i = 0; i < 256; i++) {
		uint8_t address[4] = {(uint8_t)i, 0, (uint8_t)(255 - i), 9};
		char text[JSON_ADDRESS_MAX], want[32];
		int n = snprintf(want, sizeof(want), "\"%d.0.%d.9\"", i, 255 - i);

		assert_int_equal(json_put_address(text, address, 4) - text, n);
		assert_memory_equal(text, want, (size_t)n);
	}
}

/* They have the same place among those that are remembered: what they end in is the same. */
static void addresses_that_share_a_place_keep_apart(void **state)
{
	static const char *const rows[] = {"0.0.0.1", "fe80::1", "2001:db8::1", "::1",
					   "0.0.0.1", "fe80::1", "fe80::1",     "::1"};
	struct json_writer writer;
	struct strbuf out;
	size_t i;

	json_writer_init(&writer);
	strbuf_init(&out);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sample sample;
		char want[128];

		sample_init(&sample, &sample_schema);
		sample_address(sample.rec, WEIR_F_CLIENT_ADDRESS, rows[i]);
		sample_address(sample.rec, WEIR_F_SERVER_ADDRESS, "10.0.0.1");
		(void)snprintf(want, sizeof(want),
			       "{\"type\":\"http\",\"client\":{\"address\":\"%s\"},"
			       "\"server\":{\"address\":\"10.0.0.1\"}}",
			       rows[i]);
		strbuf_clear(&out);
		assert_int_equal(json_write_record(&writer, sample.rec, &out), 0);
		assert_string_equal(strbuf_text(&out), want);
		sample_fini(&sample);
	}
	strbuf_fini(&out);
	json_writer_fini(&writer);
}

/* A shape is what texts between values are kept for: more of them than are kept, in turns. */
static void records_of_many_shapes_take_turns(void **state)
{
	struct json_writer writer;
	struct strbuf out;
	int round, i;

	json_writer_init(&writer);
	strbuf_init(&out);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 256; i++) {
			struct sample sample;
			char want[256];

			sample_init(&sample, &sample_schema);
			if ((i & 1) != 0) {
				weir_record_set_u64(sample.rec, WEIR_F_CLIENT_PORT, 1);
			}
			if ((i & 2) != 0) {
				weir_record_set_u64(sample.rec, WEIR_F_PACKET_FIRST, 2);
			}
			if ((i & 4) != 0) {
				weir_record_set_u64(sample.rec, WEIR_F_PACKET_LAST, 3);
			}
			if ((i & 8) != 0) {
				weir_record_set_u64(sample.rec, S_RESPONSE_SIZE, 4);
			}
			if ((i & 16) != 0) {
				weir_record_set_str(sample.rec, S_QUERY, "q");
			}
			if ((i & 32) != 0) {
				weir_record_set_str(sample.rec, S_PATH, "p");
			}
			if ((i & 64) != 0) {
				weir_record_set_u64(sample.rec, WEIR_F_TCP_GAPS, 5);
			}
			if ((i & 128) != 0) {
				weir_record_set_u64(sample.rec, WEIR_F_MISSING_BYTES, 6);
			}
			(void)snprintf(
				want, sizeof(want), "{\"type\":\"http\"%s%s%s%s%s%s%s%s%s%s%s}",
				i & 1 ? ",\"client\":{\"port\":1}" : "",
				i & 6 ? ",\"packet\":{" : "", i & 2 ? "\"first\":2" : "",
				(i & 6) == 6 ? "," : "", i & 4 ? "\"last\":3" : "",
				i & 6 ? "}" : "", i & 64 ? ",\"tcp\":{\"gaps\":5}" : "",
				i & 128 ? ",\"missing_bytes\":6" : "",
				i & 8 ? ",\"http\":{\"response\":{\"body\":{\"size\":4}}}" : "",
				i & 48 ? ",\"url\":" : "",
				(i & 48) == 48   ? "{\"path\":\"p\",\"query\":\"q\"}"
				: (i & 48) == 32 ? "{\"path\":\"p\"}"
				: (i & 48) == 16 ? "{\"query\":\"q\"}"
						 : "");
			strbuf_clear(&out);
			assert_int_equal(json_write_record(&writer, sample.rec, &out), 0);
			assert_string_equal(strbuf_text(&out), want);
			sample_fini(&sample);
		}
	}
	strbuf_fini(&out);
	json_writer_fini(&writer);
}

static void headers_of_one_name_come_together(void **state)
{
	struct sample sample;
	struct weir_record *rec;

	sample_init(&sample, &sample_schema);
	rec = sample.rec;
	SAMPLE_HEADERS(rec, S_REQUEST_HEADER, {"Accept", "a"}, {"X-A", "1"}, {"aCCEPT", "b"},
		       {"", "no name"}, {"accept", ""}, {"We \"ird\x01", "q\""});
	check_line(rec, "{\"type\":\"http\",\"http\":{\"request\":{\"header\":{"
			"\"accept\":[\"a\",\"b\",\"\"],\"x-a\":[\"1\"],\"\":[\"no name\"],"
			"\"we \\\"ird\\u0001\":[\"q\\\"\"]}}}}");
	sample_fini(&sample);
}

/* Names that are met often have a number; what only looks like one of them stays what it is. */
static void names_of_headers_are_written_as_they_are(void **state)
{
	struct sample sample;
	struct weir_record *rec;

	sample_init(&sample, &sample_schema);
	rec = sample.rec;
	SAMPLE_HEADERS(rec, S_REQUEST_HEADER, {"SET-COOKIE", "a"}, {"set\rcookie", "b"},
		       {"Set-Cookie", "c"}, {"Set-Cookie\x12", "d"}, {"X-Forwarded-Proto", "e"},
		       {"Proxy-Authorization", "f"}, {"Via", "g"}, {"Vib", "h"});
	check_line(rec, "{\"type\":\"http\",\"http\":{\"request\":{\"header\":{"
			"\"set-cookie\":[\"a\",\"c\"],\"set\\u000dcookie\":[\"b\"],"
			"\"set-cookie\\u0012\":[\"d\"],\"x-forwarded-proto\":[\"e\"],"
			"\"proxy-authorization\":[\"f\"],\"via\":[\"g\"],\"vib\":[\"h\"]}}}}");
	sample_fini(&sample);
}

/* 2,000 headers of 700 names: grouped, in order, and not in quadratic time. */
static void many_headers_are_grouped(void **state)
{
	struct sample sample;
	json_t *json, *headers;
	char *line;
	int i;

	sample_init(&sample, &sample_schema);
	for (i = 0; i < 2000; i++) {
		char name[16], value[16];

		(void)snprintf(name, sizeof(name), i % 2 ? "H%d" : "h%d", i % 700);
		(void)snprintf(value, sizeof(value), "%d", i);
		sample_header(sample.rec, S_RESPONSE_HEADER, name, value);
	}
	line = line_of(sample.rec);
	json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	headers = json_object_get(json_object_get(json_object_get(json, "http"), "response"),
				  "header");
	assert_int_equal(json_object_size(headers), 700);
	assert_int_equal(json_array_size(json_object_get(headers, "h5")), 3);
	assert_string_equal(json_string_value(json_array_get(json_object_get(headers, "h5"), 2)),
			    "1405");
	assert_int_equal(json_array_size(json_object_get(headers, "h699")), 2);
	json_decref(json);
	free(line);
	sample_fini(&sample);
}

/* One bad string makes backslashes double in the whole field, so that \xff the text and 0xff the byte stay apart. */
static void a_bad_string_marks_its_whole_field(void **state)
{
	struct sample sample;
	struct weir_record *rec;

	sample_init(&sample, &sample_schema);
	rec = sample.rec;
	SAMPLE_HEADERS(rec, S_REQUEST_HEADER, {"A", "c:\\dir"}, {"\\xff", "text"},
		       {"\xff", "byte"});
	sample_header(rec, S_RESPONSE_HEADER, "A", "c:\\dir");
	weir_record_add_str(rec, WEIR_F_ANOMALIES, "\xfe", 1);
	check_line(rec, "{\"type\":\"http\",\"anomalies\":[\"\\\\xfe\"],\"http\":{"
			"\"request\":{\"header\":{\"a\":[\"c:\\\\\\\\dir\"],"
			"\"\\\\\\\\xff\":[\"text\"],\"\\\\xff\":[\"byte\"]}},"
			"\"response\":{\"header\":{\"a\":[\"c:\\\\dir\"]}}},"
			"\"escaped\":[\"anomalies\",\"http.request.header\"]}");
	sample_fini(&sample);
}

static void a_cut_value_tells_its_length(void **state)
{
	struct sample sample;

	sample_init(&sample, &sample_schema);
	weir_record_set_bytes(sample.rec, S_TARGET, "/0123456789", 11, 5);
	weir_record_add_header(sample.rec, S_REQUEST_HEADER, "a", 1, "xyz", 3, 1);
	weir_record_add_header(sample.rec, S_REQUEST_HEADER, "b", 1, "xyzxyz", 6, 1);
	check_line(sample.rec, "{\"type\":\"http\",\"http\":{\"request\":{\"target\":\"/0123\","
			       "\"header\":{\"a\":[\"x\"],\"b\":[\"x\"]}}},"
			       "\"truncated\":{\"http.request.target\":11,"
			       "\"http.request.header\":6}}");
	sample_fini(&sample);
}

static void the_engines_types_nest_too(void **state)
{
	struct sample sample;

	sample_init(&sample, &record_tcp_schema);
	weir_record_set_static(sample.rec, TCP_F_STATE, "closed");
	weir_record_set_u64(sample.rec, WEIR_F_TCP_GAPS, 2);
	weir_record_set_u64(sample.rec, record_tcp_field(WEIR_C2S, TCP_DIR_PACKETS), 3);
	weir_record_set_u64(sample.rec, record_tcp_field(WEIR_C2S, TCP_DIR_GAPS), 2);
	weir_record_set_u64(sample.rec, record_tcp_field(WEIR_S2C, TCP_DIR_DELIVERED), 9);
	check_line(sample.rec, "{\"type\":\"tcp\",\"tcp\":{\"gaps\":2,\"state\":\"closed\","
			       "\"c2s\":{\"packets\":3,\"gaps\":2},\"s2c\":{\"delivered\":9}}}");
	sample_fini(&sample);

	sample_init(&sample, &record_anomaly_schema);
	weir_record_set_static(sample.rec, ANOMALY_F_CODE, "tcp.overlap_conflict");
	weir_record_set_u64(sample.rec, ANOMALY_F_OFFSET, 0);
	check_line(sample.rec, "{\"type\":\"anomaly\",\"anomaly\":{\"code\":"
			       "\"tcp.overlap_conflict\",\"offset\":0}}");
	sample_fini(&sample);
}

static void the_sink_writes_lines_to_a_file(void **state)
{
	char path[] = "/tmp/weir-test-json-XXXXXX";
	int fd = mkstemp(path);
	struct weir_sink_config config = {.target = path};
	const char *message = NULL;
	struct weir_sink *sink;
	struct sample sample;
	char text[256];
	ssize_t n;
	int i;

	assert_true(fd >= 0);
	sample_init(&sample, &sample_schema);
	assert_int_equal(sink_find("json")->open(&config, &sink, &message), 0);
	for (i = 0; i < 3; i++) {
		weir_record_set_u64(sample.rec, S_STATUS, 200 + (unsigned)i);
		assert_int_equal(sink_find("json")->record(sink, sample.rec), 0);
	}
	weir_record_set_bool(sample.rec, WEIR_F_FINAL, false); /* interim: not for files */
	assert_int_equal(sink_find("json")->record(sink, sample.rec), 0);
	weir_record_clear(sample.rec, WEIR_F_FINAL);
	assert_int_equal(read(fd, text, sizeof(text)), 0); /* buffered */
	assert_int_equal(sink_find("json")->flush(sink), 0);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text,
			    "{\"type\":\"http\",\"http\":{\"response\":{\"status_code\":200}}}\n"
			    "{\"type\":\"http\",\"http\":{\"response\":{\"status_code\":201}}}\n"
			    "{\"type\":\"http\",\"http\":{\"response\":{\"status_code\":202}}}\n");
	/* SIGHUP: the file was moved away, a new one is begun, nothing is lost */
	assert_int_equal(sink_find("json")->record(sink, sample.rec), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sink_find("json")->reopen(sink), 0);
	assert_true(read(fd, text, sizeof(text)) > 0);
	assert_int_equal(sink_find("json")->record(sink, sample.rec), 0);
	assert_int_equal(sink_find("json")->close(sink), 0);
	assert_int_equal(access(path, R_OK), 0);
	(void)unlink(path);
	(void)close(fd);
	sample_fini(&sample);
}

static void the_sink_says_what_is_wrong(void **state)
{
	static const char *const bad_key[] = {"colour", NULL};
	static const char *const format_key[] = {"format", NULL};
	static const char *const value[] = {"xml", NULL};
	struct weir_sink_config config = {.target = "/nonexistent-dir/x"};
	const char *message = NULL;
	struct weir_sink *sink;

	assert_int_equal(sink_find("json")->open(&config, &sink, &message), WEIR_EIO);
	assert_non_null(message);
	config.target = "";
	config.keys = bad_key;
	config.values = value;
	message = NULL;
	assert_int_equal(sink_find("json")->open(&config, &sink, &message), WEIR_EINVAL);
	assert_non_null(message);
	config.keys = format_key;
	message = NULL;
	assert_int_equal(sink_find("json")->open(&config, &sink, &message), WEIR_EINVAL);
	assert_non_null(message);
	config.target = "/dev/full";
	config.keys = NULL;
	config.live = true;
	assert_int_equal(sink_find("json")->open(&config, &sink, &message), 0);
	{
		struct sample sample;

		sample_init(&sample, &sample_schema);
		assert_int_equal(sink_find("json")->record(sink, sample.rec), WEIR_EIO);
		sample_fini(&sample);
	}
	(void)sink_find("json")->close(sink);
}

static void specifications_are_taken_apart(void **state)
{
	const char *message = NULL;
	struct sink_spec spec;

	assert_int_equal(sink_parse("json", &spec, &message), 0);
	assert_string_equal(spec.type->name, "json");
	assert_string_equal(spec.target, "");
	assert_null(spec.keys[0]);
	sink_spec_fini(&spec);

	assert_int_equal(
		sink_parse("json:/tmp/a,b:c.json,format=weir,key2=x,y,z=", &spec, &message), 0);
	assert_string_equal(spec.target, "/tmp/a,b:c.json");
	assert_string_equal(spec.keys[0], "format");
	assert_string_equal(spec.values[0], "weir");
	assert_string_equal(spec.keys[1], "key2");
	assert_string_equal(spec.values[1], "x,y");
	assert_string_equal(spec.keys[2], "z");
	assert_string_equal(spec.values[2], "");
	assert_null(spec.keys[3]);
	sink_spec_fini(&spec);

	assert_int_equal(sink_parse("none,a=1", &spec, &message), 0);
	assert_string_equal(spec.type->name, "none");
	assert_string_equal(spec.values[0], "1");
	sink_spec_fini(&spec);

	assert_int_equal(sink_parse("nosuch:x", &spec, &message), WEIR_ENOTFOUND);
	assert_int_equal(sink_parse("", &spec, &message), WEIR_ENOTFOUND);
	assert_non_null(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transaction_is_one_nested_object),
		cmocka_unit_test(an_absent_field_leaves_no_trace),
		cmocka_unit_test(kinds_have_their_forms),
		cmocka_unit_test(times_of_any_year_are_written),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(every_way_of_copying_text_is_the_same),
		cmocka_unit_test(text_with_quotes_is_read_to_its_end_only),
		cmocka_unit_test(numbers_of_every_length_are_written),
		cmocka_unit_test(addresses_that_share_a_place_keep_apart),
		cmocka_unit_test(records_of_many_shapes_take_turns),
		cmocka_unit_test(headers_of_one_name_come_together),
		cmocka_unit_test(names_of_headers_are_written_as_they_are),
		cmocka_unit_test(many_headers_are_grouped),
		cmocka_unit_test(a_bad_string_marks_its_whole_field),
		cmocka_unit_test(a_cut_value_tells_its_length),
		cmocka_unit_test(the_engines_types_nest_too),
		cmocka_unit_test(the_sink_writes_lines_to_a_file),
		cmocka_unit_test(the_sink_says_what_is_wrong),
		cmocka_unit_test(specifications_are_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

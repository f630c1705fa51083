/* SPDX-License-Identifier: Apache-2.0 */
/* sink/text: headers and bodies below a line (-v, -vv). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "http/fields.h"
#include "sample_record.h"
#include "sink/text_line.h"

struct body {
	const char *type;    /* Content-Type; NULL: none */
	const char *content; /* NULL: not kept */
	size_t len;          /* 0: strlen() */
	bool base64;
	bool truncated;
	uint64_t decoded_size; /* 0: absent */
	uint64_t size;
	uint64_t gaps[6]; /* pairs up to a length of 0 */
};

/* What is below the line of a response with this body. */
static void check_style(const struct body *body, bool ascii, const char *want)
{
	struct text_style *style = calloc(1, sizeof(*style));
	struct text_schema of;
	struct sample sample;
	struct strbuf out;
	size_t i;

	sample_init(&sample, &http_schema);
	text_schema_init(&of, &http_schema);
	strbuf_init(&out);
	strbuf_init(&style->cell);
	style->verbose = 2;
	style->ascii = ascii;
	if (body->type != NULL) {
		sample_header(sample.rec, HTTP_F_RESPONSE_HEADER, "Content-Type", body->type);
	}
	if (body->content != NULL) {
		weir_record_set_bytes(sample.rec, HTTP_F_RESPONSE_CONTENT, body->content,
				      body->len > 0 ? body->len : strlen(body->content), SIZE_MAX);
	}
	if (body->base64) {
		weir_record_set_static(sample.rec, HTTP_F_RESPONSE_CONTENT_ENCODING, "base64");
	}
	if (body->truncated) {
		weir_record_set_bool(sample.rec, HTTP_F_RESPONSE_TRUNCATED, true);
	}
	if (body->decoded_size > 0) {
		weir_record_set_u64(sample.rec, HTTP_F_RESPONSE_DECODED_SIZE, body->decoded_size);
	}
	weir_record_set_u64(sample.rec, HTTP_F_RESPONSE_BODY_SIZE, body->size);
	for (i = 0; i + 1 < 6 && body->gaps[i + 1] > 0; i += 2) {
		weir_record_add_u64(sample.rec, HTTP_F_RESPONSE_GAPS, body->gaps[i]);
		weir_record_add_u64(sample.rec, HTTP_F_RESPONSE_GAPS, body->gaps[i + 1]);
	}
	text_put_details(style, &of, sample.rec, &out);
	assert_string_equal(strbuf_text(&out), want);
	strbuf_fini(&out);
	strbuf_fini(&style->cell);
	free(style);
	sample_fini(&sample);
}

static void check(const struct body *body, const char *want)
{
	check_style(body, false, want);
}

#define JSON "    < Content-Type: application/json\n"
#define FORM "    < Content-Type: application/x-www-form-urlencoded\n"

static void json_is_indented(void **state)
{
	static const struct body nested = {.type = "application/json",
					   .content = "{\"a\":1,\"b\":[true,null,{\"c\":\"x, y: "
						      "{z}\\\"\"}],\"d\":{},\"e\": [ ]}"};
	static const struct body loose = {.type = "application/problem+json; charset=utf-8",
					  .content = "  [ 1,\r\n\t2 ]\n"};
	static const struct body lines = {.type = "application/x-ndjson",
					  .content = "{\"a\":1}\n{\"a\":2}\n"};

	check(&nested, JSON "    <   {\n"
			    "    <     \"a\": 1,\n"
			    "    <     \"b\": [\n"
			    "    <       true,\n"
			    "    <       null,\n"
			    "    <       {\n"
			    "    <         \"c\": \"x, y: {z}\\\"\"\n"
			    "    <       }\n"
			    "    <     ],\n"
			    "    <     \"d\": {},\n"
			    "    <     \"e\": []\n"
			    "    <   }\n");
	check(&loose, "    < Content-Type: application/problem+json; charset=utf-8\n"
		      "    <   [\n    <     1,\n    <     2\n    <   ]\n");
	check(&lines, "    < Content-Type: application/x-ndjson\n"
		      "    <   {\n    <     \"a\": 1\n    <   }\n"
		      "    <   {\n    <     \"a\": 2\n    <   }\n");
}

/* Not a byte is lost or made up when it is no JSON. */
static void what_is_no_json_is_shown_as_it_came(void **state)
{
	static const struct body text = {.type = "application/json", .content = "oops {"};
	static const struct body closed = {.type = "application/json", .content = "[1]} x  y"};
	static const struct body broken = {.type = "application/json",
					   .content = "{\"a\":\"b\nc  d\"}"};

	check(&text, JSON "    <   oops {\n");
	check(&closed, JSON "    <   [\n    <     1\n    <   ]\n    <   } x  y\n");
	check(&broken, JSON "    <   {\n    <     \"a\": \"b\n    <   c  d\"}\n");
}

static void forms_have_a_line_a_field(void **state)
{
	static const struct body form = {
		.type = "application/x-www-form-urlencoded",
		.content = "user=J%C3%B6rg+B&note=%0a%1b[2J&flag&empty=&p=50%&=x"};

	check(&form, FORM "    <   user = J\xc3\xb6rg B\n"
			  "    <   note = \\x0a\\x1b[2J\n"
			  "    <   flag\n"
			  "    <   empty = \n"
			  "    <   p = 50%\n"
			  "    <    = x\n");
}

static void gaps_are_shown_in_place(void **state)
{
	static const struct body text = {
		.type = "text/plain", .content = "one\ntwo three", .gaps = {0, 1, 8, 1448, 13, 2}};
	static const struct body json = {.type = "application/json",
					 .content = "{\"a\":1,  \"b\":\"x y\"}",
					 .gaps = {9, 100}};
	static const struct body form = {.type = "application/x-www-form-urlencoded",
					 .content = "a=b%4&c=d",
					 .gaps = {5, 3}};

	check(&text, "    < Content-Type: text/plain\n"
		     "    <   \xe2\x9f\xaa"
		     "1 byte missing\xe2\x9f\xab"
		     "one\n"
		     "    <   two \xe2\x9f\xaa"
		     "1 448 bytes missing\xe2\x9f\xab"
		     "three\xe2\x9f\xaa"
		     "2 bytes missing\xe2\x9f\xab\n");
	check_style(&json, true,
		    JSON "    <   {\n    <     \"a\": 1,\n    <     <<100 bytes missing>>"
			 "\"b\":\"x y\"}\n");
	check_style(&form, true, FORM "    <   a = b%4<<3 bytes missing>>\n    <   c = d\n");
}

static void a_cut_tells_the_full_size(void **state)
{
	static char big[65536];
	static const struct body cut = {
		.content = big, .len = sizeof(big), .truncated = true, .decoded_size = 2100000};
	static const struct body whole = {
		.content = "hello", .truncated = true, .size = 15, .gaps = {2, 10}};
	static char want[sizeof(big) + 200];

	memset(big, 'x', sizeof(big));
	(void)snprintf(want, sizeof(want),
		       "    <   %.65536s\n    <   \xe2\x9f\xaa"
		       "cut at 64 KiB; full size 2.1 MB\xe2\x9f\xab\n",
		       big);
	check(&cut, want);
	/* all that is not there is the gap's */
	check(&whole, "    <   he\xe2\x9f\xaa"
		      "10 bytes missing\xe2\x9f\xab"
		      "llo\n");
}

static void binary_is_hexadecimal(void **state)
{
	/* printf '\x89PNG\r\n\x1a\n0123456789abc' | base64 */
	static const struct body png = {
		.type = "image/png", .content = "iVBORw0KGgowMTIzNDU2Nzg5YWJj", .base64 = true};
	static const struct body gap = {.content = "AAEC", .base64 = true, .gaps = {1, 7}};

	check(&png, "    < Content-Type: image/png\n"
		    "    <   00000000  89 50 4e 47 0d 0a 1a 0a  30 31 32 33 34 35 36 37  "
		    ".PNG....01234567\n"
		    "    <   00000010  38 39 61 62 63                                    89abc\n");
	check(&gap, "    <   00000000  00                                                .\n"
		    "    <   \xe2\x9f\xaa"
		    "7 bytes missing\xe2\x9f\xab\n"
		    "    <   00000001  01 02                                             ..\n");
}

static void hexadecimal_ends_after_some_rows(void **state)
{
	static char zeros[400]; /* 300 bytes */
	struct text_style *style = calloc(1, sizeof(*style));
	struct text_schema of;
	struct sample sample;
	struct strbuf out;
	const char *text;

	memset(zeros, 'A', sizeof(zeros));
	sample_init(&sample, &http_schema);
	text_schema_init(&of, &http_schema);
	strbuf_init(&out);
	style->verbose = 2;
	weir_record_set_bytes(sample.rec, HTTP_F_REQUEST_CONTENT, zeros, sizeof(zeros), SIZE_MAX);
	weir_record_set_static(sample.rec, HTTP_F_REQUEST_CONTENT_ENCODING, "base64");
	text_put_details(style, &of, sample.rec, &out);
	text = strbuf_text(&out);
	assert_non_null(strstr(text, "    >   000000f0  00 "));
	assert_null(strstr(text, "00000100"));
	assert_non_null(strstr(text, "\n    >   \xe2\x9f\xaa"
				     "44 B more\xe2\x9f\xab\n"));
	strbuf_fini(&out);
	free(style);
	sample_fini(&sample);
}

/* Captured bytes cannot look like a remark of ours, nor reach the terminal. */
static void captured_text_stays_text(void **state)
{
	static const struct body fake = {
		.content = "\xe2\x9f\xaa"
			   "1 byte missing\xe2\x9f\xab\n\ta\x1b[2J\xff\r\r\nb"};
	static const struct body kept = {.content = NULL, .size = 3000};

	check(&fake, "    <   \\xe2\\x9f\\xaa1 byte missing\xe2\x9f\xab\n"
		     "    <       a\\x1b[2J\\xff\\x0d\n"
		     "    <   b\n");
	check(&kept, "    <   \xe2\x9f\xaa"
		     "3.0 kB, not kept\xe2\x9f\xab\n");
}

static void cut_headers_and_trailers_are_told(void **state)
{
	struct text_style *style = calloc(1, sizeof(*style));
	struct text_schema of;
	struct sample sample;
	struct strbuf out;

	sample_init(&sample, &http_schema);
	text_schema_init(&of, &http_schema);
	strbuf_init(&out);
	style->verbose = 1;
	style->ascii = true;
	weir_record_add_header(sample.rec, HTTP_F_REQUEST_HEADER, "X-Long", 6, "123456789", 9, 4);
	sample_header(sample.rec, HTTP_F_REQUEST_TRAILER, "X-Sum", "1");
	sample_header(sample.rec, HTTP_F_RESPONSE_HEADER, "Server", "a\tb");
	text_put_details(style, &of, sample.rec, &out);
	assert_string_equal(strbuf_text(&out), "    > X-Long: 1234<<cut; full size 9 B>>\n"
					       "    > X-Sum: 1\n"
					       "    < Server: a    b\n");
	strbuf_fini(&out);
	free(style);
	sample_fini(&sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_indented),
		cmocka_unit_test(what_is_no_json_is_shown_as_it_came),
		cmocka_unit_test(forms_have_a_line_a_field),
		cmocka_unit_test(gaps_are_shown_in_place),
		cmocka_unit_test(a_cut_tells_the_full_size),
		cmocka_unit_test(binary_is_hexadecimal),
		cmocka_unit_test(hexadecimal_ends_after_some_rows),
		cmocka_unit_test(captured_text_stays_text),
		cmocka_unit_test(cut_headers_and_trailers_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body/: what is told of bodies by what they are said to be: parts of forms, events of streams, character sets. Each body is fed
 * whole and in pieces of each size up to its own. The expected sizes were counted by hand, or with Python's len().
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/budget.h"
#include "base/strbuf.h"
#include "body/body.h"
#include "body/type.h"

static void *alloc(void *context, size_t size)
{
	return budget_alloc(context, size);
}

static void release(void *context, void *p, size_t size)
{
	budget_free(context, p, size);
}

static struct weir_str str(const char *text)
{
	return (struct weir_str){(const uint8_t *)text, (uint32_t)strlen(text)};
}

/* Parts as text, one a line: name|filename|type|size; then how many there are. */
static char *parts_of(const char *type, const char *bytes, size_t len, size_t step)
{
	struct budget budget;
	struct body_memory memory = {alloc, release, &budget};
	struct body_result result;
	struct body_part part;
	struct body *body;
	struct strbuf out;
	char *text;
	char size[32];
	size_t i;

	budget_init(&budget, 1 << 20, NULL);
	body = body_new(&memory, 0);
	body_set_type(body, str(type), true);
	for (i = 0; i < len; i += step) {
		body_feed(body, (const uint8_t *)bytes + i, len - i < step ? len - i : step);
	}
	body_finish(body, true, &result);
	strbuf_init(&out);
	for (i = 0; body_part(body, i, &part); i++) {
		strbuf_add(&out, part.name.p, part.name.len);
		strbuf_char(&out, '|');
		strbuf_add(&out, part.filename.p, part.filename.len);
		strbuf_char(&out, '|');
		strbuf_add(&out, part.mime.p, part.mime.len);
		(void)snprintf(size, sizeof(size), "|%llu\n", (unsigned long long)part.size);
		strbuf_str(&out, size);
	}
	(void)snprintf(size, sizeof(size), "%llu", (unsigned long long)result.nparts);
	strbuf_str(&out, size);
	text = strdup(strbuf_text(&out));
	strbuf_fini(&out);
	body_free(body);
	assert_int_equal(budget.used, 0);
	return text;
}

static void parts_are(const char *type, const char *bytes, const char *want)
{
	size_t len = strlen(bytes);
	size_t step;

	for (step = 1; step <= len; step++) {
		char *got = parts_of(type, bytes, len, step);

		assert_string_equal(got, want);
		free(got);
	}
}

#define MULTIPART "multipart/form-data; boundary=b"
#define FORM      "application/x-www-form-urlencoded"

static void parts_of_multipart_have_names_types_and_sizes(void **state)
{
	parts_are(MULTIPART,
		  "--b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\njoe\r\n"
		  "--b\r\ncontent-disposition: form-data; name=\"photo\"; filename=\"me.png\"\r\n"
		  "Content-Type: image/png; x=y\r\n\r\n\x89PNG\r\n--\r\n--c\r\n"
		  "--b\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--b--\r\nepilogue",
		  "user|||3\nphoto|me.png|image/png|13\nempty|||0\n3");
	/* preamble, white space behind the boundary, folded quotes, RFC 8187 */
	parts_are("multipart/form-data; boundary=\"a b\"",
		  "this is ignored\r\n--a b \t\r\n"
		  "Content-Disposition: form-data; name=\"a\\\"b\"; filename=\"x\"; "
		  "filename*=UTF-8''na%C3%AFve.txt\r\n\r\n1\r\n--a b--",
		  "a\"b|na\xc3\xafve.txt||1\n1");
	/* a part without head, one that is cut off */
	parts_are(MULTIPART, "--b\r\n\r\nabc\r\n--b\r\nX: y\r\n\r\nabcd\r\n--", "|||3\n|||8\n2");
	/* the boundary within a part, not at a line's start */
	parts_are(MULTIPART, "--b\r\n\r\n--bx\r\n--b--", "|||4\n1");
	parts_are(MULTIPART, "--b\r\n\r\nx--b\r\n--b--", "|||4\n1");
	parts_are(MULTIPART, "nothing of the kind", "0");
	parts_are("multipart/form-data", "--b\r\n\r\nabc\r\n--b--", "0");
}

static void fields_of_urlencoded_forms_have_names_and_sizes(void **state)
{
	parts_are(FORM, "user=joe&pass%77ord=a%20b+c&empty=&n+m=%C3%A9",
		  "user|||3\npassword|||5\nempty|||0\nn m|||2\n4");
	parts_are(FORM "; charset=UTF-8", "a=1", "a|||1\n1");
	parts_are(FORM, "a=1&bare&b=2", "a|||1\nb|||1\n2");
	parts_are(FORM, "a==&b=%zz", "a|||1\nb|||3\n2");
}

static void what_is_no_form_has_no_parts(void **state)
{
	/* curl -d gives JSON the type of a form: what is in it is no name */
	parts_are(FORM, "{\"password\":\"a=b\"}", "0");
	parts_are(FORM, "a=1&{\"password\":\"a=b\"}", "0");
	parts_are(FORM, "<xml a=\"1\"/>", "0");
	parts_are("application/json", "a=1", "0");
	parts_are("application/x-www-form-urlencoded-not", "a=1", "0");
}

static void parts_are_bounded(void **state)
{
	struct strbuf form;
	char *got;
	int i;

	strbuf_init(&form);
	for (i = 0; i < 1000; i++) {
		strbuf_str(&form,
			   "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr"
			   "stuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz=1&");
	}
	got = parts_of(FORM, strbuf_text(&form), form.len, 1400);
	assert_string_equal(got + strlen(got) - 5, "\n1000");
	assert_true(strlen(got) < 8192);
	free(got);
	strbuf_fini(&form);
}

static void a_hole_ends_the_parts(void **state)
{
	struct budget budget;
	struct body_memory memory = {alloc, release, &budget};
	struct body_result result;
	struct body_part part;
	struct body *body;

	budget_init(&budget, 1 << 20, NULL);
	body = body_new(&memory, 0);
	body_set_type(body, str(FORM), true);
	body_feed(body, (const uint8_t *)"a=1&b=2", 7);
	body_gap(body, 5);
	body_feed(body, (const uint8_t *)"&c=3", 4);
	body_finish(body, true, &result);
	assert_int_equal(result.nparts, 2);
	assert_true(body_part(body, 1, &part));
	assert_false(body_part(body, 2, &part));
	body_free(body);
	assert_int_equal(budget.used, 0);
}

/* ---- event streams ---- */

static void events_are(const char *bytes, uint64_t want)
{
	struct budget budget;
	struct body_memory memory = {alloc, release, &budget};
	struct body_result result;
	size_t len = strlen(bytes);
	size_t step, i;

	for (step = 1; step <= len; step++) {
		struct body *body;

		budget_init(&budget, 1 << 20, NULL);
		body = body_new_events(&memory);
		for (i = 0; i < len; i += step) {
			body_feed(body, (const uint8_t *)bytes + i,
				  len - i < step ? len - i : step);
		}
		body_look(body, &result);
		assert_true(result.has_events);
		assert_int_equal(result.events, want);
		body_finish(body, true, &result);
		assert_int_equal(result.events, want);
		assert_int_equal(result.wire_size, len);
		body_free(body);
		assert_int_equal(budget.used, 0);
	}
}

/* The examples of WHATWG HTML §9.2.6 are among them. */
static void events_are_counted_as_they_are_dispatched(void **state)
{
	events_are("data: YHOO\ndata: +2\ndata: 10\n\n", 1);
	events_are(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
		   "data:  third event\n\n",
		   3);
	events_are("data\n\ndata\ndata\n\ndata:", 2);
	events_are("data:test\n\ndata: test\n\n", 2);
	events_are("event: ping\nid: 7\n\nretry: 10\n\n", 0);
	events_are("data: a\r\n\r\ndata: b\r\n\r\n", 2);
	events_are("data: a\r\rdata: b\r\r", 2);
	events_are("\xef\xbb\xbf"
		   "data: a\n\n",
		   1);
	events_are("datax: a\n\ndat: a\n\n data: a\n\n", 0);
	events_are("data: not over", 0);
}

static void an_event_with_a_hole_counts_when_it_has_data(void **state)
{
	struct budget budget;
	struct body_memory memory = {alloc, release, &budget};
	struct body_result result;
	struct body *body;

	budget_init(&budget, 1 << 20, NULL);
	body = body_new_events(&memory);
	body_feed(body, (const uint8_t *)"data: a\n\ndata: b", 16);
	body_gap(body, 7);
	body_feed(body, (const uint8_t *)"rest\ndata: c\n\n\n\n", 16);
	body_finish(body, true, &result);
	assert_int_equal(result.events, 2);
	body_free(body);
}

/* ---- character sets ---- */

static void character_sets_are_those_that_are_declared(void **state)
{
	static const struct {
		const char *type, *bytes, *want; /* NULL: none */
	} rows[] = {
		{"text/html; charset=UTF-8", "x", "utf-8"},
		{"text/html;charset=\"iso-8859-1\"", "x", "iso-8859-1"},
		{"text/plain; format=flowed; charset=us-ascii; x", "x", "us-ascii"},
		{"text/html; charset=iso-8859-1", "\xef\xbb\xbfx", "utf-8"},
		{"text/html", "\xff\xfex", "utf-16le"},
		{"text/html", "<!DOCTYPE html><html><head><META CharSet='Shift_JIS'>", "shift_jis"},
		{"text/html",
		 "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=windows-1252\">",
		 "windows-1252"},
		{"application/xml", "<?xml version=\"1.0\" encoding='ISO-8859-15'?><a/>",
		 "iso-8859-15"},
		{"application/xml", "<?xml version=\"1.0\"?><a encoding='x'/>", NULL},
		{"application/json", "<meta charset=utf-8>", NULL},
		{"text/html", "<p charset=utf-8>", NULL},
		{"text/html; charset=", "x", NULL},
		{"text/html; charset=\x01", "x", NULL},
		{NULL, "<meta charset=utf-8>", "utf-8"},
		{NULL, "x", NULL},
		{NULL, "", NULL},
	};
	char got[BODY_CHARSET_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct weir_str none = {NULL, 0};
		bool told =
			body_charset(rows[i].type == NULL ? none : str(rows[i].type),
				     (const uint8_t *)rows[i].bytes, strlen(rows[i].bytes), got);

		assert_int_equal(told, rows[i].want != NULL);
		if (told) {
			assert_string_equal(got, rows[i].want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_of_multipart_have_names_types_and_sizes),
		cmocka_unit_test(fields_of_urlencoded_forms_have_names_and_sizes),
		cmocka_unit_test(what_is_no_form_has_no_parts),
		cmocka_unit_test(parts_are_bounded),
		cmocka_unit_test(a_hole_ends_the_parts),
		cmocka_unit_test(events_are_counted_as_they_are_dispatched),
		cmocka_unit_test(an_event_with_a_hole_counts_when_it_has_data),
		cmocka_unit_test(character_sets_are_those_that_are_declared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser/smtp: commands, replies and messages in, records out; whole, byte by byte and in random pieces (shuffle.h), and with a hole at
 * every position. Dialogues are those of RFC 5321 appendix D; digests are sha256sum's of the files' content.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "talk.h"

#define HELLO                                                                                      \
	S("220 b.example ESMTP\r\n"), C("EHLO a.example\r\n"),                                     \
		S("250-b.example\r\n250 CHUNKING\r\n")
#define ENVELOPE                                                                                   \
	C("MAIL FROM:<x@a.example> SIZE=10\r\n"), S("250 ok\r\n"), C("RCPT TO:<y@b.example>\r\n"), \
		S("250 ok\r\n")
/* Two files: "hello\n" in base64, "a=b" in quoted-printable with a soft line end; and a text that is none. */
#define MESSAGE                                                                                    \
	"From: X <x@a.example>\r\nTo: y@b.example\r\nSubject: two\r\n files\r\n"                   \
	"Content-Type: multipart/mixed; boundary=\"B\"\r\n\r\npreamble\r\n--B\r\n"                 \
	"Content-Type: text/plain\r\n\r\n..a dot\r\n--Bx\r\n--B\r\n"                               \
	"Content-Type: text/plain; name=\"h.txt\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"    \
	"aGVs\r\nbG8K\r\n--B\r\nContent-Disposition: attachment;\r\n filename*0=q;\r\n "           \
	"filename*1=.txt\r\n"                                                                      \
	"Content-Transfer-Encoding: quoted-printable\r\n\r\na=3D=\r\nb\r\n--B--\r\nend\r\n.\r\n"
#define SHA_HELLO  "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
#define SHA_QUOTED "42144f3939c3ffbbf0bf8b1f12affb5c23a4c5bd41e0ff672d54a5754f062058"

static void check(const struct shuffle_event *events, unsigned nrecords, const char *const *texts,
		  const char *anomalies)
{
	struct weir_config config;

	weir_config_init(&config);
	config.bodies = WEIR_BODIES_HASH;
	talk_check("smtp", &config, events, nrecords, texts, anomalies);
}

static const char *const whole[] = {"\"helo\":\"a.example\"",
				    "\"mail_from\":\"<x@a.example>\"",
				    "\"rcpt_to\":[\"<y@b.example>\"]",
				    "\"response\":{\"code\":250,\"text\":\"queued\"}",
				    "\"from\":\"X <x@a.example>\"",
				    "\"to\":\"y@b.example\"",
				    "\"subject\":\"two files\"",
				    "\"name\":[\"h.txt\",\"q.txt\"]",
				    "\"size\":[6,3]",
				    "\"mime_type\":[\"text/plain\",\"\"]",
				    "\"sha256\":[\"" SHA_HELLO "\",\"" SHA_QUOTED "\"]",
				    "\"count\":2",
				    "\"completeness\":\"complete\"",
				    "!error",
				    NULL};

static void a_message_and_its_files(void **state)
{
	(void)state;
	check(EVENTS(HELLO, ENVELOPE, C("DATA\r\n"), S("354 go\r\n"), C(MESSAGE),
		     S("250 queued\r\n"), C("QUIT\r\n"), S("221 bye\r\n")),
	      1, whole, "");
}

/* RFC 2920: envelope and DATA at once */
static void commands_in_one_segment(void **state)
{
	(void)state;
	check(EVENTS(HELLO,
		     C("MAIL FROM:<x@a.example>\r\nRCPT TO:<y@b.example>\r\nRCPT "
		       "TO:<z@b.example>\r\nDATA\r\n"),
		     S("250 ok\r\n250 ok\r\n550 no z\r\n354 go\r\n"), C(MESSAGE),
		     S("250 queued\r\n")),
	      1,
	      TEXTS("\"error\":{\"type\":\"550\"}", "\"code\":550,\"text\":\"no z\"",
		    "\"name\":[\"h.txt\",\"q.txt\"]"),
	      "");
}

/* RFC 3030: the message without its dots, in two chunks that end anywhere */
static void a_message_in_chunks(void **state)
{
	(void)state;
	check(EVENTS(HELLO, ENVELOPE, C("BDAT 20\r\nFrom: X <x@a.example"), S("250 ok\r\n"),
		     C("BDAT 16 LAST\r\n>\r\nSubject: s\r\n\r\n"), S("250 queued\r\n")),
	      1,
	      TEXTS("\"from\":\"X <x@a.example>\"", "\"subject\":\"s\"", "\"size\":36",
		    "\"code\":250"),
	      "");
}

static void a_transaction_is_refused_or_broken_off(void **state)
{
	(void)state;
	check(EVENTS(HELLO, C("MAIL FROM:<x@a.example>\r\n"), S("550 not you\r\n"),
		     C("MAIL FROM:<w@a.example>\r\n"), S("250 ok\r\n"),
		     C("MAIL FROM:<v@a.example>\r\n"), S("503 nested\r\n"), C("RSET\r\n"),
		     S("250 ok\r\n")),
	      2,
	      TEXTS("\"mail_from\":\"<x@a.example>\"", "\"mail_from\":\"<w@a.example>\"", "!v@a",
		    "\"error\":{\"type\":\"550\"}"),
	      "");
	/* DATA that is refused: what follows are commands */
	check(EVENTS(HELLO, ENVELOPE, C("DATA\r\n"), S("451 later\r\n"), C("QUIT\r\n"),
		     S("221 bye\r\n")),
	      1, TEXTS("\"code\":451", "\"error\":{\"type\":\"451\"}"), "");
}

static void a_session_without_mail_is_one_record(void **state)
{
	(void)state;
	check(EVENTS(S("220 b.example SMTP\r\n"), C("QUIT\r\n"), S("221 bye\r\n")), 1,
	      TEXTS("\"completeness\":\"complete\"", "!mail_from"), "");
}

/* What answers AUTH is no command and nowhere in the record. */
static void secrets_are_not_kept(void **state)
{
	(void)state;
	check(EVENTS(HELLO, C("AUTH LOGIN\r\n"), S("334 VXNlcm5hbWU6\r\n"), C("UVVJVA==\r\n"),
		     S("334 UGFzc3dvcmQ6\r\n"), C("QUIT\r\n"), S("235 ok\r\n"), ENVELOPE,
		     C("AUTH PLAIN AHgAc2VjcmV0\r\n"), S("503 no\r\n")),
	      1, TEXTS("\"mail_from\":\"<x@a.example>\"", "!UVVJVA", "!AHgAc2"), "");
}

static void behind_starttls_the_flow_is_tls(void **state)
{
	struct weir_host host;

	(void)state;
	shuffle(parser_find("smtp"), NULL,
		EVENTS(HELLO, C("STARTTLS\r\n"), S("220 go\r\n"), C("\x16\x03\x01\x00\x05hello")),
		&host);
	assert_true(host.switched);
	assert_string_equal(host.next_parser, "tls");
	mock_fini(&host);
	/* refused */
	shuffle(parser_find("smtp"), NULL,
		EVENTS(HELLO, C("STARTTLS\r\n"), S("454 no\r\n"), ENVELOPE), &host);
	assert_false(host.switched);
	assert_non_null(strstr(strbuf_text(&host.records), "<x@a.example>"));
	mock_fini(&host);
}

static void long_lines_are_passed_by(void **state)
{
	static char line[10000];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	check(EVENTS(HELLO, {'C', line, sizeof(line)}, S("500 what\r\n"), ENVELOPE), 1,
	      TEXTS("\"mail_from\":\"<x@a.example>\""), "smtp.line_too_long\n");
	/* in a message they are nothing special */
	check(EVENTS(HELLO, ENVELOPE, C("DATA\r\n"), S("354 go\r\n"),
		     C("Content-Disposition: attachment; filename=l\r\n\r\n"),
		     {'C', line, sizeof(line)}, C("..\r\n.\r\n"), S("250 queued\r\n")),
	      1, TEXTS("\"size\":[10001]", "\"name\":[\"l\"]"), "");
}

/* ---- a hole at every position ---- */

static void check_hole(const struct shuffle_event *events, size_t hole, size_t from, size_t missing)
{
	struct weir_host host;
	const char *records;

	mock_init(&host, parser_find("smtp"));
	host.config.bodies = WEIR_BODIES_HASH;
	mock_open(&host);
	talk_with_hole(&host, events, hole, from, missing);
	records = strbuf_text(&host.records);
	talk_said(records, "\"mail_from\":", "\"<x@a.example>\"");
	talk_said(records, "\"rcpt_to\":", "[\"<y@b.example>\"]");
	/* a digest that is told is of one of the two files */
	if (strstr(records, "sha256") != NULL) {
		const char *at = strstr(records, "\"sha256\":[") + 10;

		while (*at == '"') {
			assert_true(at[1] == '"' || strncmp(at + 1, SHA_HELLO, 64) == 0 ||
				    strncmp(at + 1, SHA_QUOTED, 64) == 0);
			at += at[1] == '"' ? 2 : 66;
			at += *at == ',';
		}
	}
	mock_fini(&host);
}

static void a_hole_at_every_position_invents_nothing(void **state)
{
	const struct shuffle_event *events =
		EVENTS(HELLO, ENVELOPE, C("DATA\r\n"), S("354 go\r\n"), C(MESSAGE),
		       S("250 queued\r\n"), C("QUIT\r\n"), S("221 bye\r\n"));

	(void)state;
	talk_holes(events, check_hole);
}

static void detection(void **state)
{
	static const struct talk_probe cases[] = {
		{SIDE("EHLO a\r\n"), SIDE(""), 90, 100, false},
		{SIDE(""), SIDE("220 x ESMTP\r\n"), 90, 100, false},
		{SIDE("220 x ESMTP\r\n"), SIDE(""), 90, 100, true},
		{SIDE(""), SIDE("220 FTP ready\r\n"), 1, 59, false},
		{SIDE("USER x\r\n"), SIDE("220 FTP ready\r\n"), 0, 59, false},
		{SIDE("QUIT\r\n"), SIDE(""), 1, 59, false},
		{SIDE("GET / HTTP/1.1\r\n"), SIDE(""), 0, 0, false},
		{SIDE(""), SIDE("HTTP/1.1 200 OK\r\n"), 0, 0, false},
	};

	(void)state;
	talk_detect("smtp", cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_and_its_files),
		cmocka_unit_test(commands_in_one_segment),
		cmocka_unit_test(a_message_in_chunks),
		cmocka_unit_test(a_transaction_is_refused_or_broken_off),
		cmocka_unit_test(a_session_without_mail_is_one_record),
		cmocka_unit_test(secrets_are_not_kept),
		cmocka_unit_test(behind_starttls_the_flow_is_tls),
		cmocka_unit_test(long_lines_are_passed_by),
		cmocka_unit_test(a_hole_at_every_position_invents_nothing),
		cmocka_unit_test(detection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

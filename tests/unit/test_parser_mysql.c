/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser/mysql: what the shared vectors (tests/vectors) do not say. Conversations in, records out, in 22 ways of splitting (shuffle.h); and a
 * hole at every position of a conversation (gap_everywhere.h). The bytes are written down from the protocol's documentation.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mock_host.h"
#include "parser/registry.h"
#include "shuffle.h"
#include "gap_everywhere.h"

/*
 * The connection phase of a user root and a database test; capabilities as they are on the wire, the lower and the higher two bytes. The answer
 * to the challenge is TOPSECRETTOPSECRET20.
 */
#define GREETING(low, high)                                                                        \
	{                                                                                          \
		'S',                                                                               \
			"J\0\0\0\0128.0.31\0\7\0\0\00012345678\0" low "!\2\0" high                 \
			"\025\0\0\0\0\0\0\0\0\0\000123456789012\0mysql_native_password\0",         \
			78                                                                         \
	}
#define LOGIN_TEXT(low, high)                                                                      \
	"\0\0\1" low high "\0\0\0\1!\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"                \
	"root\0\024TOPSECRETTOPSECRET20test\0mysql_native_password\0"
#define LOGIN(low, high)                                                                           \
	{                                                                                          \
		'C', "U" LOGIN_TEXT(low, high), 89                                                 \
	}
#define LOGIN_ZSTD(low, high)                                                                      \
	{                                                                                          \
		'C', "V" LOGIN_TEXT(low, high) "\3", 90                                            \
	}
#define LOGGED_IN                                                                                  \
	{                                                                                          \
		'S', "\7\0\0\2\0\0\0\2\0\0\0", 11                                                  \
	}

/* One column, without an EOF behind its definition; a row; the OK behind the rows, with a status. */
#define COLUMN                                                                                     \
	"\1\0\0\1\1"                                                                               \
	"\027\0\0\2\3def\0\0\0\1a\0\014!\0\5\0\0\0\375\0\0\0\0\0"
#define ROW(seq) "\6\0\0" seq "\5hello"
#define END(seq) "\7\0\0" seq "\376\0\0\2\0\0\0"

/* A login, then four queries; the n-th (from 0) has n + 1 rows. */
static const struct shuffle_event conversation[] = {
	GREETING("\011\242", "\010\001"),
	LOGIN("\011\242", "\010\001"),
	LOGGED_IN,
	{'C', "\010\000\000\000\003query_0", 12},
	{'S', COLUMN ROW("\3") END("\4"), 53},
	{'C', "\010\000\000\000\003query_1", 12},
	{'S', COLUMN ROW("\3") ROW("\4") END("\5"), 63},
	{'C', "\010\000\000\000\003query_2", 12},
	{'S', COLUMN ROW("\3") ROW("\4") ROW("\5") END("\6"), 73},
	{'C', "\010\000\000\000\003query_3", 12},
	{'S', COLUMN ROW("\3") ROW("\4") ROW("\5") ROW("\6") END("\7"), 83},
	{0, NULL, 0},
};
static const int owner[] = {-1, -1, -1, 0, 0, 1, 1, 2, 2, 3, 3};

static void hole_touches_one_exchange_only(void **state)
{
	const struct weir_parser *parser = parser_find("mysql");
	unsigned n = gap_everywhere(parser, conversation, owner, 4);

	assert_true(n > 1000);
}

static void whole_conversation_gives_four_records(void **state)
{
	struct weir_host host;
	int n;

	shuffle(parser_find("mysql"), NULL, conversation, &host);
	assert_int_equal(host.nrecords, 4);
	assert_string_equal(strbuf_text(&host.anomalies), "");
	for (n = 0; n < 4; n++) {
		assert_true(gap_is_right(strbuf_text(&host.records), n));
	}
	mock_fini(&host);
}

/* The records of a conversation, n of them. */
static void tell(struct weir_host *host, const struct shuffle_event *events, size_t n)
{
	shuffle(parser_find("mysql"), NULL, events, host);
	assert_int_equal(host->nrecords, n);
	(void)strbuf_text(&host->records);
}

static const char *field(const struct weir_host *host, const char *text)
{
	return strstr(host->records.p == NULL ? "" : host->records.p, text);
}

static void zstd_frames_are_read(void **state)
{
	static const struct shuffle_event events[] = {
		GREETING("\011\242", "\010\005"),
		LOGIN_ZSTD("\011\242", "\010\005"),
		LOGGED_IN,
		{'C',
		 "0\000\000\000'\000\000(\265/\375 '9\001\000#\000\000\000\003select 1 from t "
		 "where a in (1,2,3)",
		 55},
		{'S',
		 "H\000\000\001\077\000\000(\265/\375 "
		 "\077\371\001\000\001\000\000\001\001\027\000\000\002\003def\000\000\000\001a\000"
		 "\014!"
		 "\000\005\000\000\000\375\000\000\000\000\000\006\000\000\003\005hello\006\000\000"
		 "\004\005world\007\000\000\005\376\000\000\002\000\000\000",
		 79},
		{0, NULL, 0}};
	struct weir_host host;

	tell(&host, events, 1);
	assert_non_null(field(&host, "\"returned_rows\":2"));
	assert_non_null(field(&host, "\"text\":\"select 1 from t where a in (1,2,3)\""));
	assert_non_null(field(&host, "\"compression\":\"zstd\""));
	mock_fini(&host);
}

static void results_with_eof_packets_are_counted_apart(void **state)
{
	static const struct shuffle_event events[] = {
		GREETING("\011\242", "\010\000"),
		LOGIN("\011\242", "\010\000"),
		LOGGED_IN,
		{'C', "$\000\000\000\003select a from t; update t set a = 1", 40},
		{'S',
		 "\001\000\000\001\001\027\000\000\002\003def\000\000\000\001a\000\014!"
		 "\000\005\000\000\000\375\000\000\000\000\000\005\000\000\003\376\000\000\002\000"
		 "\006\000\000\004\005hello\005\000\000\005\376\000\000\012\000\007\000\000\006\000"
		 "\002\000\002\000\000\000",
		 71},
		{0, NULL, 0}};
	struct weir_host host;

	tell(&host, events, 1);
	assert_non_null(field(&host, "\"returned_rows\":1,"));
	assert_non_null(field(&host, "\"affected_rows\":2,"));
	assert_non_null(field(&host, "\"results\":2"));
	mock_fini(&host);
}

static void values_of_each_kind_are_text(void **state)
{
	static const struct shuffle_event events[] = {
		GREETING("\011\242", "\010\000"),
		LOGIN("\011\242", "\010\000"),
		LOGGED_IN,
		{'C', "\042\000\000\000\026insert into t values (\077, \077, \077, \077)", 38},
		{'S',
		 "\014\000\000\001\000\007\000\000\000\000\000\004\000\000\000\000\027\000\000\002"
		 "\003def\000\000\000\001\077\000\014\077\000\000\000\000\000\375\000\000\000\000"
		 "\000\027\000\000\003\003def\000\000\000\001\077\000\014\077\000\000\000\000\000"
		 "\375\000\000\000\000\000\027\000\000\004\003def\000\000\000\001\077\000\014\077"
		 "\000\000\000\000\000\375\000\000\000\000\000\027\000\000\005\003def\000\000\000"
		 "\001\077\000\014\077\000\000\000\000\000\375\000\000\000\000\000\005\000\000\006"
		 "\376\000\000\002\000",
		 133},
		{'C',
		 "%\000\000\000\027\007\000\000\000\000\001\000\000\000\010\001\003\000\375\000\014"
		 "\000\375\000\373\377\377\377\004abcd\007\350\007\002\035\015\036;",
		 41},
		{'S', "\007\000\000\001\000\001\011\002\000\001\000", 11},
		{0, NULL, 0}};
	struct weir_host host;

	tell(&host, events, 2);
	assert_non_null(
		field(&host, "\"parameters\":[\"-5\",\"abcd\",\"2024-02-29 13:30:59\",\"NULL\"]"));
	assert_non_null(field(&host, "\"insert_id\":9"));
	assert_non_null(field(&host, "\"warnings\":1"));
	mock_fini(&host);
}

static void tls_is_handed_over_at_its_first_byte(void **state)
{
	static const struct shuffle_event events[] = {
		GREETING("\011\252", "\010\000"),
		{'C',
		 " \000\000\001\011\252\010\000\000\000\000\001!"
		 "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"
		 "\000\000\000",
		 36},
		{'C', "\026\003\001\000\005hello", 10},
		{0, NULL, 0}};
	struct weir_host host;

	tell(&host, events, 0);
	assert_true(host.switched);
	assert_string_equal(host.next_parser, "tls");
	assert_int_equal(host.rest[WEIR_C2S].len, 10);
	assert_memory_equal(host.rest[WEIR_C2S].p, "\x16\3\1\0\5hello", 10);
	mock_fini(&host);
}

static void login_that_fails_is_told_without_its_secret(void **state)
{
	static const struct shuffle_event events[] = {
		GREETING("\011\242", "\010\000"),
		LOGIN("\011\242", "\010\000"),
		{'S', "\026\000\000\002\377\025\004#28000Access denied", 26},
		{0, NULL, 0}};
	struct weir_host host;

	tell(&host, events, 1);
	assert_non_null(field(&host, "\"command\":\"LOGIN\""));
	assert_non_null(field(&host, "\"status_code\":\"1045\""));
	assert_non_null(field(&host, "\"sqlstate\":\"28000\""));
	assert_non_null(field(&host, "\"user\":\"root\""));
	assert_null(field(&host, "TOPSECRET"));
	mock_fini(&host);
}

/* MariaDB says how far a long statement has come in packets that look like errors: errno 0xffff, stage, stages, progress(3), text. */
static void progress_is_no_error(void **state)
{
	static const struct shuffle_event events[] = {
		GREETING("\011\242", "\010\000"),
		LOGIN("\011\242", "\010\000"),
		LOGGED_IN,
		{'C', "\010\0\0\0\3alter x", 12},
		{'S',
		 "\015\0\0\1\377\377\377\1\2\0\377\0\4copy\015\0\0\2\377\377\377\2\2\0\377\0\4sort",
		 34},
		{'S', "\7\0\0\3\0\5\0\2\0\0\0", 11},
		{0, NULL, 0}};
	struct weir_host host;

	tell(&host, events, 1);
	assert_non_null(field(&host, "\"status\":\"ok\""));
	assert_non_null(field(&host, "\"affected_rows\":5,"));
	assert_null(field(&host, "65535"));
	mock_fini(&host);
}

/* ---- rows that are kept ---- */

/* A column's definition: 22 bytes and its name. */
#define DEFINITION(size, seq, name_size, name, type, flags)                                        \
	size "\0\0" seq "\3def\0\0\0" name_size name "\0\014!\0\5\0\0\0" type flags "\0\0\0"
#define EOF_PACKET(seq) "\5\0\0" seq "\376\0\0\2\0"

static void tell_kept(struct weir_host *host, const struct shuffle_event *events,
		      enum weir_redact redact)
{
	struct weir_config config;

	weir_config_init(&config);
	config.bodies = WEIR_BODIES_KEEP;
	config.redact = redact;
	shuffle(parser_find("mysql"), &config, events, host);
	(void)strbuf_text(&host->records);
}

static const struct shuffle_event text_rows[] = {
	GREETING("\011\242", "\010\000"),
	LOGIN("\011\242", "\010\000"),
	LOGGED_IN,
	{'C', "\010\0\0\0\3select1", 12},
	{'S',
	 "\1\0\0\1\3" DEFINITION("\030", "\2", "\2", "id", "\375", "\0\0")
		 DEFINITION("\036", "\3", "\10", "password", "\375", "\0\0")
			 DEFINITION("\032", "\4", "\4", "note", "\375", "\0\0")
				 EOF_PACKET("\5") "\016\0\0\6\0011\7hunter2\3a,b"
						  "\4\0\0\7\0012\373\0" EOF_PACKET("\10"),
	 5 + 28 + 34 + 30 + 9 + 18 + 8 + 9},
	{0, NULL, 0}};

static void rows_are_kept_and_secret_columns_masked(void **state)
{
	struct weir_host host;

	tell_kept(&host, text_rows, WEIR_REDACT_DEFAULT);
	assert_int_equal(host.nrecords, 1);
	assert_non_null(field(&host, "\"columns\":[\"id\",\"password\",\"note\"]"));
	assert_non_null(field(&host, "\"rows\":[\"1,[redacted 7],\\\"a,b\\\"\",\"2,,\\\"\\\"\"]"));
	mock_fini(&host);
	tell_kept(&host, text_rows, WEIR_REDACT_OFF);
	assert_non_null(field(&host, "\"rows\":[\"1,hunter2,\\\"a,b\\\"\","));
	mock_fini(&host);
	tell(&host, text_rows, 1);
	assert_null(field(&host, "\"rows\":"));
	assert_null(field(&host, "hunter2"));
	mock_fini(&host);
}

static void rows_of_prepared_statements_are_text(void **state)
{
	static const struct shuffle_event events[] = {
		GREETING("\011\242", "\010\000"),
		LOGIN("\011\242", "\010\000"),
		LOGGED_IN,
		{'C', "\7\0\0\0\026select", 11},
		{'S',
		 "\014\0\0\1\0\1\0\0\0\1\0\0\0\0\0\0" DEFINITION("\027", "\2", "\1", "n", "\10",
								 "\40\0") EOF_PACKET("\3"),
		 16 + 27 + 9},
		{'C', "\012\0\0\0\027\1\0\0\0\0\1\0\0\0", 14},
		{'S',
		 "\1\0\0\1\3" DEFINITION("\027", "\2", "\1", "n", "\10", "\40\0")
			 DEFINITION("\027", "\3", "\1", "d", "\014", "\0\0")
				 DEFINITION("\027", "\4", "\1", "s", "\375", "\0\0")
					 EOF_PACKET("\5") "\025\0\0\6\0\0\377\377\377\377\377\377"
							  "\377\377\7\350\7\2\035\015\036;\2ok"
							  "\2\0\0\7\0\034" EOF_PACKET("\10"),
		 5 + 3 * 27 + 9 + 25 + 6 + 9},
		{0, NULL, 0}};
	struct weir_host host;

	tell_kept(&host, events, WEIR_REDACT_DEFAULT);
	assert_int_equal(host.nrecords, 2);
	assert_non_null(field(&host, "\"columns\":[\"n\",\"d\",\"s\"]"));
	assert_non_null(
		field(&host, "\"rows\":[\"18446744073709551615,2024-02-29 13:30:59,ok\",\",,\"]"));
	mock_fini(&host);
}

/* Without a login it is not known whether an EOF ends the definitions: it is counted when it comes, wherever the next command is. */
static void eof_behind_the_last_definition_is_of_the_prepare(void **state)
{
	static const struct shuffle_event events[] = {
		{'C', "\7\0\0\0\026select", 11},
		{'S',
		 "\014\0\0\1\0\1\0\0\0\0\0\1\0\0\0\0" DEFINITION("\027", "\2", "\1", "?", "\375",
								 "\0\0") EOF_PACKET("\3"),
		 16 + 27 + 9},
		{'C', "\1\0\0\0\1", 5},
		{0, NULL, 0}};
	struct weir_host host;

	tell(&host, events, 2);
	assert_non_null(field(&host, "\"size\":52"));
	assert_non_null(field(&host, "\"completeness\":\"complete\""));
	mock_fini(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_conversation_gives_four_records),
		cmocka_unit_test(hole_touches_one_exchange_only),
		cmocka_unit_test(zstd_frames_are_read),
		cmocka_unit_test(results_with_eof_packets_are_counted_apart),
		cmocka_unit_test(values_of_each_kind_are_text),
		cmocka_unit_test(tls_is_handed_over_at_its_first_byte),
		cmocka_unit_test(login_that_fails_is_told_without_its_secret),
		cmocka_unit_test(progress_is_no_error),
		cmocka_unit_test(rows_are_kept_and_secret_columns_masked),
		cmocka_unit_test(rows_of_prepared_statements_are_text),
		cmocka_unit_test(eof_behind_the_last_definition_is_of_the_prepare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

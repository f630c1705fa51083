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

/* A login, then four queries; the n-th (from 0) has n + 1 rows. */
static const struct shuffle_event conversation[] = {
	{'S',
	 "J\000\000\000\0128.0.31\000\007\000\000\00012345678\000\011\242!"
	 "\002\000\010\001\025\000\000\000\000\000\000\000\000\000\000123456789012\000mysql_native_"
	 "password\000",
	 78},
	{'C',
	 "U\000\000\001\011\242\010\001\000\000\000\001!"
	 "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"
	 "\000root\000\024pppppppppppppppppppptest\000mysql_native_password\000",
	 89},
	{'S', "\007\000\000\002\000\000\000\002\000\000\000", 11},
	{'C', "\010\000\000\000\003query_0", 12},
	{'S',
	 "\001\000\000\001\001\027\000\000\002\003def\000\000\000\001a\000\014!"
	 "\000\005\000\000\000\375\000\000\000\000\000\006\000\000\003\005hello\007\000\000\004\376"
	 "\000\000\002\000\000\000",
	 53},
	{'C', "\010\000\000\000\003query_1", 12},
	{'S',
	 "\001\000\000\001\001\027\000\000\002\003def\000\000\000\001a\000\014!"
	 "\000\005\000\000\000\375\000\000\000\000\000\006\000\000\003\005hello\006\000\000\004\005"
	 "hello\007\000\000\005\376\000\000\002\000\000\000",
	 63},
	{'C', "\010\000\000\000\003query_2", 12},
	{'S',
	 "\001\000\000\001\001\027\000\000\002\003def\000\000\000\001a\000\014!"
	 "\000\005\000\000\000\375\000\000\000\000\000\006\000\000\003\005hello\006\000\000\004\005"
	 "hello\006\000\000\005\005hello\007\000\000\006\376\000\000\002\000\000\000",
	 73},
	{'C', "\010\000\000\000\003query_3", 12},
	{'S',
	 "\001\000\000\001\001\027\000\000\002\003def\000\000\000\001a\000\014!"
	 "\000\005\000\000\000\375\000\000\000\000\000\006\000\000\003\005hello\006\000\000\004\005"
	 "hello\006\000\000\005\005hello\006\000\000\006\005hello\007\000\000\007\376\000\000\002"
	 "\000\000\000",
	 83},
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
static const char *field(const struct weir_host *host, const char *text)
{
	return strstr(host->records.p == NULL ? "" : host->records.p, text);
}

static void zstd_frames_are_read(void **state)
{
	static const struct shuffle_event events[] = {
		{'S',
		 "J\000\000\000\0128.0.31\000\007\000\000\00012345678\000\011\242!"
		 "\002\000\010\005\025\000\000\000\000\000\000\000\000\000\000123456789012\000mysql"
		 "_native_password\000",
		 78},
		{'C',
		 "V\000\000\001\011\242\010\005\000\000\000\001!"
		 "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"
		 "\000\000\000root\000\024TOPSECRETTOPSECRET20test\000mysql_native_"
		 "password\000\003",
		 90},
		{'S', "\007\000\000\002\000\000\000\002\000\000\000", 11},
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

	shuffle(parser_find("mysql"), NULL, events, &host);
	assert_int_equal(host.nrecords, 1);
	(void)strbuf_text(&host.records);
	assert_non_null(field(&host, "\"returned_rows\":2"));
	assert_non_null(field(&host, "\"text\":\"select 1 from t where a in (1,2,3)\""));
	assert_non_null(field(&host, "\"compression\":\"zstd\""));
	mock_fini(&host);
}

static void results_with_eof_packets_are_counted_apart(void **state)
{
	static const struct shuffle_event events[] = {
		{'S',
		 "J\000\000\000\0128.0.31\000\007\000\000\00012345678\000\011\242!"
		 "\002\000\010\000\025\000\000\000\000\000\000\000\000\000\000123456789012\000mysql"
		 "_native_password\000",
		 78},
		{'C',
		 "U\000\000\001\011\242\010\000\000\000\000\001!"
		 "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"
		 "\000\000\000root\000\024TOPSECRETTOPSECRET20test\000mysql_native_password\000",
		 89},
		{'S', "\007\000\000\002\000\000\000\002\000\000\000", 11},
		{'C', "$\000\000\000\003select a from t; update t set a = 1", 40},
		{'S',
		 "\001\000\000\001\001\027\000\000\002\003def\000\000\000\001a\000\014!"
		 "\000\005\000\000\000\375\000\000\000\000\000\005\000\000\003\376\000\000\002\000"
		 "\006\000\000\004\005hello\005\000\000\005\376\000\000\012\000\007\000\000\006\000"
		 "\002\000\002\000\000\000",
		 71},
		{0, NULL, 0}};
	struct weir_host host;

	shuffle(parser_find("mysql"), NULL, events, &host);
	assert_int_equal(host.nrecords, 1);
	(void)strbuf_text(&host.records);
	assert_non_null(field(&host, "\"returned_rows\":1,"));
	assert_non_null(field(&host, "\"affected_rows\":2,"));
	assert_non_null(field(&host, "\"results\":2"));
	mock_fini(&host);
}

static void values_of_each_kind_are_text(void **state)
{
	static const struct shuffle_event events[] = {
		{'S',
		 "J\000\000\000\0128.0.31\000\007\000\000\00012345678\000\011\242!"
		 "\002\000\010\000\025\000\000\000\000\000\000\000\000\000\000123456789012\000mysql"
		 "_native_password\000",
		 78},
		{'C',
		 "U\000\000\001\011\242\010\000\000\000\000\001!"
		 "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"
		 "\000\000\000root\000\024TOPSECRETTOPSECRET20test\000mysql_native_password\000",
		 89},
		{'S', "\007\000\000\002\000\000\000\002\000\000\000", 11},
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

	shuffle(parser_find("mysql"), NULL, events, &host);
	assert_int_equal(host.nrecords, 2);
	(void)strbuf_text(&host.records);
	assert_non_null(
		field(&host, "\"parameters\":[\"-5\",\"abcd\",\"2024-02-29 13:30:59\",\"NULL\"]"));
	assert_non_null(field(&host, "\"insert_id\":9"));
	assert_non_null(field(&host, "\"warnings\":1"));
	mock_fini(&host);
}

static void tls_is_handed_over_at_its_first_byte(void **state)
{
	static const struct shuffle_event events[] = {
		{'S',
		 "J\000\000\000\0128.0.31\000\007\000\000\00012345678\000\011\252!"
		 "\002\000\010\000\025\000\000\000\000\000\000\000\000\000\000123456789012\000mysql"
		 "_native_password\000",
		 78},
		{'C',
		 " \000\000\001\011\252\010\000\000\000\000\001!"
		 "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"
		 "\000\000\000",
		 36},
		{'C', "\026\003\001\000\005hello", 10},
		{0, NULL, 0}};
	struct weir_host host;

	shuffle(parser_find("mysql"), NULL, events, &host);
	assert_true(host.switched);
	assert_string_equal(host.next_parser, "tls");
	assert_int_equal(host.nrecords, 0);
	assert_int_equal(host.rest[WEIR_C2S].len, 10);
	assert_memory_equal(host.rest[WEIR_C2S].p, "\x16\3\1\0\5hello", 10);
	mock_fini(&host);
}

static void login_that_fails_is_told_without_its_secret(void **state)
{
	static const struct shuffle_event events[] = {
		{'S',
		 "J\000\000\000\0128.0.31\000\007\000\000\00012345678\000\011\242!"
		 "\002\000\010\000\025\000\000\000\000\000\000\000\000\000\000123456789012\000mysql"
		 "_native_password\000",
		 78},
		{'C',
		 "U\000\000\001\011\242\010\000\000\000\000\001!"
		 "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"
		 "\000\000\000root\000\024TOPSECRETTOPSECRET20test\000mysql_native_password\000",
		 89},
		{'S', "\026\000\000\002\377\025\004#28000Access denied", 26},
		{0, NULL, 0}};
	struct weir_host host;

	shuffle(parser_find("mysql"), NULL, events, &host);
	assert_int_equal(host.nrecords, 1);
	(void)strbuf_text(&host.records);
	assert_non_null(field(&host, "\"command\":\"LOGIN\""));
	assert_non_null(field(&host, "\"status_code\":\"1045\""));
	assert_non_null(field(&host, "\"sqlstate\":\"28000\""));
	assert_non_null(field(&host, "\"user\":\"root\""));
	assert_null(field(&host, "TOPSECRET"));
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser/pgsql: what the shared vectors (tests/vectors) do not say. Conversations in, records out, in 22 ways of splitting (shuffle.h); and a
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
	{'C', "\000\000\000\020\000\003\000\000user\000u\000\000", 16},
	{'S', "R\000\000\000\010\000\000\000\000Z\000\000\000\005I", 15},
	{'C', "Q\000\000\000\014query_0\000", 13},
	{'S',
	 "T\000\000\000\032\000\001a\000\000\000\000\000\000\000\000\000\000\027\000\004\377\377"
	 "\377\377\000\000D\000\000\000\017\000\001\000\000\000\00512345C\000\000\000\015SELECT "
	 "1\000Z\000\000\000\005I",
	 63},
	{'C', "Q\000\000\000\014query_1\000", 13},
	{'S',
	 "T\000\000\000\032\000\001a\000\000\000\000\000\000\000\000\000\000\027\000\004\377\377"
	 "\377\377\000\000D\000\000\000\017\000\001\000\000\000\00512345D\000\000\000\017\000\001"
	 "\000\000\000\00512345C\000\000\000\015SELECT 2\000Z\000\000\000\005I",
	 79},
	{'C', "Q\000\000\000\014query_2\000", 13},
	{'S',
	 "T\000\000\000\032\000\001a\000\000\000\000\000\000\000\000\000\000\027\000\004\377\377"
	 "\377\377\000\000D\000\000\000\017\000\001\000\000\000\00512345D\000\000\000\017\000\001"
	 "\000\000\000\00512345D\000\000\000\017\000\001\000\000\000\00512345C\000\000\000\015SELEC"
	 "T 3\000Z\000\000\000\005I",
	 95},
	{'C', "Q\000\000\000\014query_3\000", 13},
	{'S',
	 "T\000\000\000\032\000\001a\000\000\000\000\000\000\000\000\000\000\027\000\004\377\377"
	 "\377\377\000\000D\000\000\000\017\000\001\000\000\000\00512345D\000\000\000\017\000\001"
	 "\000\000\000\00512345D\000\000\000\017\000\001\000\000\000\00512345D\000\000\000\017\000"
	 "\001\000\000\000\00512345C\000\000\000\015SELECT 4\000Z\000\000\000\005I",
	 111},
	{0, NULL, 0},
};
static const int owner[] = {-1, -1, 0, 0, 1, 1, 2, 2, 3, 3};

static void hole_touches_one_exchange_only(void **state)
{
	const struct weir_parser *parser = parser_find("pgsql");
	unsigned n = gap_everywhere(parser, conversation, owner, 4);

	assert_true(n > 1000);
}

static void whole_conversation_gives_four_records(void **state)
{
	struct weir_host host;
	int n;

	shuffle(parser_find("pgsql"), NULL, conversation, &host);
	assert_int_equal(host.nrecords, 4);
	assert_string_equal(strbuf_text(&host.anomalies), "");
	for (n = 0; n < 4; n++) {
		assert_true(gap_is_right(strbuf_text(&host.records), n));
	}
	mock_fini(&host);
}
static void password_is_nowhere(void **state)
{
	static const struct shuffle_event events[] = {
		{'C', "\000\000\000\020\000\003\000\000user\000u\000\000", 16},
		{'S', "R\000\000\000\010\000\000\000\003", 9},
		{'C', "p\000\000\000\016TOPSECRET\000", 15},
		{'S', "E\000\000\000\036SFATAL\000VFATAL\000C28P01\000Mno\000\000", 31},
		{0, NULL, 0}};
	struct weir_host host;

	shuffle(parser_find("pgsql"), NULL, events, &host);
	assert_int_equal(host.nrecords, 1);
	assert_non_null(strstr(strbuf_text(&host.records), "\"status_code\":\"28P01\""));
	assert_null(strstr(strbuf_text(&host.records), "TOPSECRET"));
	assert_string_equal(strbuf_text(&host.anomalies), "pg.cleartext_password\n");
	mock_fini(&host);
}

static void rows_are_kept_and_secret_columns_masked(void **state)
{
	static const struct shuffle_event events[] = {
		{'C', "\0\0\0\020\0\3\0\0user\0u\0\0", 16},
		{'S', "R\0\0\0\010\0\0\0\0Z\0\0\0\5I", 15},
		{'C', "Q\0\0\0\015select 1\0", 14},
		{'S',
		 "T\0\0\0G\0\3id\0\0\0\0\0\0\0\0\0\0\027\0\4\377\377\377\377\0\0"
		 "token\0\0\0\0\0\0\0\0\0\0\031\377\377\377\377\377\377\0\0"
		 "b\0\0\0\0\0\0\0\0\0\0\025\0\2\377\377\377\377\0\1"
		 "D\0\0\0\030\0\3\0\0\0\0017\0\0\0\3abc\0\0\0\2\0\5"
		 "D\0\0\0\023\0\3\377\377\377\377\0\0\0\0\0\0\0\1x"
		 "C\0\0\0\015SELECT 2\0Z\0\0\0\5I",
		 72 + 25 + 20 + 14 + 6},
		{0, NULL, 0}};
	struct weir_config config;
	struct weir_host host;

	weir_config_init(&config);
	config.bodies = WEIR_BODIES_KEEP;
	shuffle(parser_find("pgsql"), &config, events, &host);
	assert_int_equal(host.nrecords, 1);
	assert_non_null(strstr(strbuf_text(&host.records), "\"columns\":[\"id\",\"token\",\"b\"]"));
	assert_non_null(strstr(strbuf_text(&host.records),
			       "\"rows\":[\"7,[redacted 3],\\\\x0005\",\",[redacted 0],x\"]"));
	mock_fini(&host);
}

/* What is executed is known by a statement that was prepared before the connection was parked (every second run of shuffle()). */
static void a_parked_connection_knows_its_statements(void **state)
{
	static const struct shuffle_event events[] = {
		{'C', "\0\0\0\020\0\3\0\0user\0u\0\0", 16},
		{'S', "R\0\0\0\010\0\0\0\0Z\0\0\0\5I", 15},
		{'C', "P\0\0\0\022s1\0SELECT 1\0\0\0S\0\0\0\4", 24},
		{'S', "1\0\0\0\4Z\0\0\0\5I", 11},
		{'C', "B\0\0\0\016\0s1\0\0\0\0\0\0\0E\0\0\0\011\0\0\0\0\0S\0\0\0\4", 30},
		{'S', "2\0\0\0\4C\0\0\0\015SELECT 1\0Z\0\0\0\5I", 25},
		{0, NULL, 0}};
	struct weir_host host;
	size_t i;

	shuffle(parser_find("pgsql"), NULL, events, &host);
	assert_int_equal(gap_count(strbuf_text(&host.records), "\"text\":\"SELECT 1\""), 2);
	mock_fini(&host);
	mock_init(&host, parser_find("pgsql"));
	host.parks = true;
	mock_open(&host);
	for (i = 0; events[i].what != 0; i++) {
		mock_feed(&host, events[i].what == 'C' ? WEIR_C2S : WEIR_S2C, events[i].text,
			  events[i].len);
	}
	assert_true(host.nparked >= 3); /* when nothing is open */
	assert_true(host.parked_size <= 256);
	mock_end(&host);
	mock_fini(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_conversation_gives_four_records),
		cmocka_unit_test(hole_touches_one_exchange_only),
		cmocka_unit_test(password_is_nowhere),
		cmocka_unit_test(rows_are_kept_and_secret_columns_masked),
		cmocka_unit_test(a_parked_connection_knows_its_statements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

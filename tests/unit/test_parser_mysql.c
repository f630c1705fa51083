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
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_conversation_gives_four_records),
		cmocka_unit_test(hole_touches_one_exchange_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

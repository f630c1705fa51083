/* SPDX-License-Identifier: Apache-2.0 */
/* store/names: what gets a number and when. store/schema: which table a field is in. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "store/names.h"
#include "store/schema.h"

static void a_text_gets_a_number_when_it_comes_again(void **state)
{
	struct names names;

	assert_int_equal(names_init(&names, 7, 40, true), 0);
	assert_int_equal(names_number(&names, "GET", 3).id, 0);
	assert_int_equal(names_number(&names, "POST", 4).id, 0);
	assert_int_equal(names_number(&names, "GET", 3).id, 41);
	assert_false(names_number(&names, "GET", 3).fresh);
	assert_int_equal(names_number(&names, "GET", 3).id, 41);
	assert_true(names_number(&names, "POST", 4).fresh);
	assert_int_equal(names.last, 42);
	names_fini(&names);
}

static void what_was_rolled_back_is_written_again_under_another_number(void **state)
{
	struct names names;

	assert_int_equal(names_init(&names, 7, 0, false), 0);
	assert_int_equal(names_number(&names, "a", 1).id, 1);
	names_forget(&names, names.last);
	assert_true(names_number(&names, "a", 1).fresh);
	assert_int_equal(names.last, 2);
	names_fini(&names);
}

static void many_names_stay_apart_and_memory_stays_bounded(void **state)
{
	struct names names;
	char text[16];
	int64_t i;

	assert_int_equal(names_init(&names, 1, 0, false), 0);
	for (i = 1; i <= 3 * NAMES_MAX; i++) {
		int len = snprintf(text, sizeof(text), "%lld", (long long)i);

		assert_int_equal(names_number(&names, text, (size_t)len).id, i);
	}
	/* the last one is still known */
	assert_int_equal(names_number(&names, text, strlen(text)).id, 3 * NAMES_MAX);
	assert_true(names.size <= 4 * NAMES_MAX);
	names_fini(&names);
}

static const struct weir_field fields[] = {
	{"x.name", WEIR_KIND_STR, 0, ""},
	{"x.rare", WEIR_KIND_U64, WEIR_FIELD_RARE, ""},
	{"x.header", WEIR_KIND_HEADERS, 0, ""},
	{"x.sha256", WEIR_KIND_HEX, 0, ""},
};
static const struct weir_schema schema = {"x", fields, 4};

static void a_field_s_table_follows_from_its_definition(void **state)
{
	struct strbuf sql;

	assert_int_equal(store_part_of(&schema, WEIR_NCOMMON), STORE_ROW);
	assert_int_equal(store_part_of(&schema, WEIR_NCOMMON + 1), STORE_MORE);
	assert_int_equal(store_part_of(&schema, WEIR_NCOMMON + 2), STORE_LIST);
	assert_int_equal(store_part_of(&schema, WEIR_NCOMMON + 3), STORE_BODY);
	assert_int_equal(store_part_of(&schema, WEIR_F_CLIENT_PORT), STORE_FLOW);
	strbuf_init(&sql);
	store_put_create(&sql, &schema, STORE_BODY);
	assert_string_equal(
		strbuf_text(&sql),
		"CREATE TABLE IF NOT EXISTS _x_body(_id INTEGER PRIMARY KEY,\"x_sha256\");");
	strbuf_clear(&sql);
	assert_true(store_put_insert(&sql, &schema, STORE_BODY));
	assert_string_equal(strbuf_text(&sql), "INSERT INTO _x_body(_id,\"x_sha256\")VALUES(?,?)");
	strbuf_fini(&sql);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_gets_a_number_when_it_comes_again),
		cmocka_unit_test(what_was_rolled_back_is_written_again_under_another_number),
		cmocka_unit_test(many_names_stay_apart_and_memory_stays_bounded),
		cmocka_unit_test(a_field_s_table_follows_from_its_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* db/digest: statements in, digests, verbs and tables out; every expectation is written by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "db/digest.h"

struct row {
	const char *statement;
	const char *digest;
};

static void check(enum db_dialect dialect, const struct row *rows)
{
	char out[DB_DIGEST_MAX + 1];

	for (; rows->statement != NULL; rows++) {
		size_t n = db_digest((const uint8_t *)rows->statement, strlen(rows->statement),
				     dialect, out);

		out[n] = '\0';
		assert_string_equal(out, rows->digest);
	}
}

static void literals_become_question_marks(void **state)
{
	static const struct row both[] = {
		{"SELECT * FROM t WHERE id = 5", "SELECT * FROM t WHERE id = ?"},
		{"SELECT * FROM t WHERE id=5", "SELECT * FROM t WHERE id = ?"},
		{"select a1, b.c2 from t3 where x='it''s' and y>=-1.5e-3;",
		 "select a1, b.c2 from t3 where x = ? and y >= ?"},
		{"select 0xFF, x'0a', N'q', .5", "select ?, ?, ?, ?"},
		{"select a - 1", "select a - ?"},
		{"select a-1", "select a-?"},
		{"select a + -1, a * -2, - 3", "select a + ?, a * ?, ?"},
		{"select 'unfinished", "select ?"},
		{"", ""},
		{NULL, NULL},
	};

	check(DB_DIALECT_MYSQL, both);
	check(DB_DIALECT_PGSQL, both);
}

static void lists_and_rows_become_one(void **state)
{
	static const struct row rows[] = {
		{"select a from t where b in (1, 2,3 , 4)", "select a from t where b in (?)"},
		{"insert into t (a,b) values (1,'x'),(2,'y'), ( 3 , 'z' )",
		 "insert into t (a, b) values (?)"},
		{"insert into t values (1,NULL),(2,NULL)", "insert into t values (?, NULL)"},
		{"select f(a, 1), g((1),(2))", "select f(a, ?), g((?))"},
		{"select x from t limit 10, 20", "select x from t limit ?, ?"},
		{"select ))((", "select))(("},
		{NULL, NULL},
	};

	check(DB_DIALECT_MYSQL, rows);
	check(DB_DIALECT_PGSQL, rows);
}

static void comments_and_white_space_become_one_blank(void **state)
{
	static const struct row rows[] = {
		{"/* app:web */ select\n\t1 -- one\n from t", "select ? from t"},
		{"select 1 /* open", "select ?"},
		{NULL, NULL},
	};
	static const struct row mysql[] = {{"select 1 # x", "select ?"}, {NULL, NULL}};
	static const struct row pgsql[] = {{"select a #> b", "select a #> b"}, {NULL, NULL}};

	check(DB_DIALECT_MYSQL, rows);
	check(DB_DIALECT_PGSQL, rows);
	check(DB_DIALECT_MYSQL, mysql);
	check(DB_DIALECT_PGSQL, pgsql);
}

static void dialects_differ_in_quotes(void **state)
{
	static const struct row mysql[] = {
		{"select \"a\", `b c`, 'it\\'s', @v, _utf8'x'", "select ?, `b c`, ?, @v, ?"},
		{NULL, NULL},
	};
	static const struct row pgsql[] = {
		{"select \"a b\", 'c\\', $1, $$it's$$, $f$ $$ $f$, E'\\'', a::int",
		 "select \"a b\", ?, ?, ?, ?, ?, a::int"},
		{NULL, NULL},
	};

	check(DB_DIALECT_MYSQL, mysql);
	check(DB_DIALECT_PGSQL, pgsql);
}

static void digest_is_bounded(void **state)
{
	static uint8_t text[64 * 1024];
	char out[DB_DIGEST_MAX];
	size_t i;

	memset(text, '(', sizeof(text));
	assert_int_equal(db_digest(text, sizeof(text), DB_DIALECT_PGSQL, out), DB_DIGEST_MAX);
	for (i = 0; i < sizeof(text); i++) {
		text[i] = i % 2 == 0 ? 'a' : ' ';
	}
	/* the last blank is cut off */
	assert_int_equal(db_digest(text, sizeof(text), DB_DIALECT_PGSQL, out), DB_DIGEST_MAX - 1);
	assert_memory_equal(out, "a a a", 5);
}

static void verb_is_the_first_word(void **state)
{
	static const struct row rows[] = {
		{"select 1", "SELECT"},
		{" /* x */ ( Select 1)", "SELECT"},
		{"-- c\nUPDATE t", "UPDATE"},
		{"begin", "BEGIN"},
		{"1abc", ""},
		{"", ""},
		{NULL, NULL},
	};
	const struct row *row;
	char out[24];

	for (row = rows; row->statement != NULL; row++) {
		size_t n = db_verb((const uint8_t *)row->statement, strlen(row->statement), out,
				   sizeof(out));

		assert_int_equal(n, strlen(row->digest));
		assert_memory_equal(out, row->digest, n);
	}
}

static void table_is_the_first_one_named(void **state)
{
	static const struct row rows[] = {
		{"select * from a.t where x", "a.t"},
		{"insert into t(a) values (?)", "t"},
		{"update only t set x = ?", "t"},
		{"create table if not exists `q` (a int)", "`q`"},
		{"select * from (select ? from inner_t)", "inner_t"},
		{"load data local infile ? into table t", "t"},
		{"select ?", ""},
		{"delete from", ""},
		{NULL, NULL},
	};
	const struct row *row;

	for (row = rows; row->statement != NULL; row++) {
		struct weir_str table = db_table(row->statement, strlen(row->statement));

		assert_int_equal(table.len, strlen(row->digest));
		assert_memory_equal(table.p == NULL ? (const uint8_t *)"" : table.p, row->digest,
				    table.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_become_question_marks),
		cmocka_unit_test(lists_and_rows_become_one),
		cmocka_unit_test(comments_and_white_space_become_one_blank),
		cmocka_unit_test(dialects_differ_in_quotes),
		cmocka_unit_test(digest_is_bounded),
		cmocka_unit_test(verb_is_the_first_word),
		cmocka_unit_test(table_is_the_first_one_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

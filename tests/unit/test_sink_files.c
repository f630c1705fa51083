/* SPDX-License-Identifier: Apache-2.0 */
/* sink/files: names made harmless, files named by content, partial ones, limits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "http/fields.h"
#include "sample_record.h"
#include "sink/files_name.h"
#include "sink/sink.h"
#include "weir/error.h"

/* sha256sum of "hello" */
#define HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

struct fixture {
	char dir[64];
	const struct weir_sink_type *type;
	struct weir_sink *sink;
	struct weir_tap *tap;
	struct sample message, rec; /* the transaction, and what end() fills */
};

static void setup_with(struct fixture *fx, const char *const *keys, const char *const *values)
{
	const struct weir_schema *schemas[] = {NULL, &http_schema, NULL};
	static const char *const none[] = {NULL};
	struct weir_sink_config config = {.target = fx->dir,
					  .keys = keys == NULL ? none : keys,
					  .values = values == NULL ? none : values,
					  .schemas = schemas};
	const char *message = NULL;

	fx->type = sink_find("files");
	schemas[0] = fx->type->tap->schema;
	strcpy(fx->dir, "/tmp/weir-test-files-XXXXXX");
	assert_non_null(mkdtemp(fx->dir));
	assert_int_equal(fx->type->open(&config, &fx->sink, &message), 0);
	assert_int_equal(fx->type->tap->open(fx->sink, &fx->tap), 0);
	sample_init(&fx->message, &http_schema);
	weir_record_set_static(fx->message.rec, WEIR_F_ID, "01KAMZ9Q1P0000000000000001");
	weir_record_set_static(fx->message.rec, HTTP_F_URL_PATH, "/a/report.txt");
	weir_record_set_u64(fx->message.rec, HTTP_F_STATUS, 200);
}

static void setup(struct fixture *fx)
{
	setup_with(fx, NULL, NULL);
}

/* How many files are there? They go. */
static unsigned teardown(struct fixture *fx)
{
	DIR *dir = opendir(fx->dir);
	struct dirent *entry;
	unsigned n = 0;

	fx->type->tap->close(fx->tap);
	assert_int_equal(fx->type->close(fx->sink), 0);
	sample_fini(&fx->message);
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
			n++;
		}
	}
	closedir(dir);
	assert_int_equal(rmdir(fx->dir), 0);
	return n - 1; /* the index aside */
}

static void data(struct fixture *fx, void *body, bool wire, const char *text)
{
	assert_int_equal(
		fx->type->tap->body_data(fx->tap, body, wire, (const uint8_t *)text, strlen(text)),
		0);
}

/* The line of the index, or NULL: nothing was told. */
static char *end(struct fixture *fx, void *body, bool whole)
{
	char path[128], *line = NULL;
	size_t size = 0;
	FILE *file;

	sample_init(&fx->rec, fx->type->tap->schema);
	if (fx->type->tap->body_end(fx->tap, body, WEIR_S2C, whole, fx->message.rec, fx->rec.rec)) {
		assert_int_equal(fx->type->record(fx->sink, fx->rec.rec), 0);
		assert_int_equal(fx->type->flush(fx->sink), 0);
		(void)snprintf(path, sizeof(path), "%s/index.jsonl", fx->dir);
		file = fopen(path, "r");
		assert_non_null(file);
		while (getline(&line, &size, file) > 0) {
		}
		(void)fclose(file);
	}
	sample_fini(&fx->rec);
	return line;
}

static void *open_body(struct fixture *fx)
{
	void *body = fx->type->tap->body_open(fx->tap, NULL);

	assert_non_null(body);
	return body;
}

static bool exists(const struct fixture *fx, const char *name)
{
	char path[192];

	(void)snprintf(path, sizeof(path), "%s/%s", fx->dir, name);
	return access(path, F_OK) == 0;
}

static void check_line(struct fixture *fx, void *body, bool whole, const char *want)
{
	char *line = end(fx, body, whole);

	assert_non_null(line);
	line[strcspn(line, "\n")] = '\0';
	if (strstr(line, want) == NULL) {
		print_error("%s\nhas no\n%s\n", line, want);
		fail();
	}
	free(line);
}

static void a_whole_body_is_named_by_its_digest(void **state)
{
	struct fixture fx;
	void *body;

	setup(&fx);
	body = open_body(&fx);
	data(&fx, body, false, "hel");
	data(&fx, body, false, "lo");
	check_line(&fx, body, true,
		   "{\"file\":\"" HELLO "\",\"id\":\"01KAMZ9Q1P0000000000000001\","
		   "\"direction\":\"s2c\",\"name\":\"report.txt\",\"status_code\":200,\"bytes\":5,"
		   "\"sha256\":\"" HELLO "\",\"complete\":true,\"gaps\":[]}");
	assert_true(exists(&fx, HELLO));
	assert_int_equal(teardown(&fx), 1);
}

static void what_is_not_whole_has_another_suffix(void **state)
{
	static const struct {
		bool whole, gap;
		unsigned status;
		const char *want;
	} rows[] = {
		{false, false, 200, "\"complete\":false,\"reason\":\"truncated\",\"gaps\":[]"},
		{true, true, 200,
		 "\"complete\":false,\"reason\":\"gap\",\"gaps\":[{\"offset\":5,\"length\":7}]"},
		{true, false, 206, "\"complete\":false,\"reason\":\"range\",\"content_range\""},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture fx;
		void *body;

		setup(&fx);
		weir_record_set_u64(fx.message.rec, HTTP_F_STATUS, rows[i].status);
		sample_header(fx.message.rec, HTTP_F_RESPONSE_HEADER, "Content-Range",
			      "bytes 0-4/12");
		body = open_body(&fx);
		data(&fx, body, false, "hello");
		if (rows[i].gap) {
			fx.type->tap->body_gap(fx.tap, body, 7);
		}
		check_line(&fx, body, rows[i].whole, rows[i].want);
		assert_true(exists(&fx, HELLO ".partial"));
		assert_false(exists(&fx, HELLO));
		assert_int_equal(teardown(&fx), 1);
	}
}

/* Offsets count missing bytes in. */
static void gaps_tile_the_body(void **state)
{
	struct fixture fx;
	void *body;

	setup(&fx);
	body = open_body(&fx);
	fx.type->tap->body_gap(fx.tap, body, 10);
	data(&fx, body, false, "hel");
	fx.type->tap->body_gap(fx.tap, body, 4);
	data(&fx, body, false, "lo");
	check_line(&fx, body, true,
		   "\"gaps\":[{\"offset\":0,\"length\":10},{\"offset\":13,\"length\":4}]");
	assert_true(exists(&fx, HELLO ".partial"));
	assert_int_equal(teardown(&fx), 1);
}

static void a_wrong_coding_leaves_the_bytes_as_they_came(void **state)
{
	struct fixture fx;
	void *body;

	setup(&fx);
	body = open_body(&fx);
	data(&fx, body, true, "hell");
	data(&fx, body, false, "decoded so far");
	fx.type->tap->body_raw(fx.tap, body);
	data(&fx, body, false, "o");
	check_line(&fx, body, true, "\"sha256\":\"" HELLO "\",\"complete\":true");
	assert_int_equal(teardown(&fx), 1);
}

static void equal_bodies_are_one_file(void **state)
{
	struct fixture fx;
	void *one, *two;

	setup(&fx);
	one = open_body(&fx);
	two = open_body(&fx);
	data(&fx, one, false, "hello");
	data(&fx, two, false, "hello");
	check_line(&fx, two, true, HELLO);
	check_line(&fx, one, true, HELLO);
	assert_int_equal(teardown(&fx), 1);
}

static void no_body_and_given_up_ones_leave_nothing(void **state)
{
	struct fixture fx;
	void *body;
	char *big = malloc(200000);

	assert_non_null(big);
	memset(big, 'x', 199999);
	big[199999] = '\0';
	setup(&fx);
	assert_null(end(&fx, open_body(&fx), true));
	body = open_body(&fx);
	data(&fx, body, false, big); /* it has a hidden file by now */
	assert_false(fx.type->tap->body_end(fx.tap, body, WEIR_S2C, false, NULL, NULL));
	free(big);
	assert_int_equal(teardown(&fx), 0);
}

static void limits_cut_and_say_so(void **state)
{
	static const char *const keys[] = {"limit", "total", NULL};
	static const char *const values[] = {"5", "6", NULL};
	struct fixture fx;
	void *body;

	setup_with(&fx, keys, values);
	body = open_body(&fx);
	data(&fx, body, false, "hello world");
	check_line(&fx, body, true,
		   "\"bytes\":5,\"sha256\":\"" HELLO "\",\"complete\":false,\"reason\":\"limit\"");
	assert_true(exists(&fx, HELLO ".partial"));
	body = open_body(&fx);
	data(&fx, body, false, "xyz");
	check_line(&fx, body, true, "\"bytes\":1,");
	body = open_body(&fx);
	data(&fx, body, false, "xyz");
	check_line(&fx, body, true, "\"bytes\":0,\"complete\":false,\"reason\":\"limit\"");
	assert_int_equal(teardown(&fx), 2);
}

/* More bodies at a time than files may be open, each larger than what waits in memory. */
static void many_bodies_at_a_time(void **state)
{
	enum { N = 200 };
	static char piece[50001];
	void *bodies[N];
	struct fixture fx;
	unsigned i, k;

	memset(piece, 'y', sizeof(piece) - 1);
	setup(&fx);
	for (i = 0; i < N; i++) {
		bodies[i] = open_body(&fx);
	}
	for (k = 0; k < 4; k++) {
		for (i = 0; i < N; i++) {
			char text[16];

			(void)snprintf(text, sizeof(text), "%u", i);
			data(&fx, bodies[i], false, text);
			data(&fx, bodies[i], false, piece);
		}
	}
	for (i = 0; i < N; i++) {
		char want[32];

		(void)snprintf(want, sizeof(want), "\"bytes\":%u,",
			       4 * (50000 + (i < 10    ? 1
					     : i < 100 ? 2
						       : 3)));
		check_line(&fx, bodies[i], true, want);
	}
	assert_int_equal(teardown(&fx), N);
}

static void names_are_made_harmless(void **state)
{
	static const struct {
		const char *disposition, *path, *want;
	} rows[] = {
		{NULL, "/a/b.txt", "b.txt"},
		{NULL, "/a/", ""},
		{NULL, "/", ""},
		{NULL, "/%2e%2e/%2e%2e%2fetc%2fpasswd", "passwd"},
		{NULL, "/a%20b.txt", "a b.txt"},
		{NULL, "/..", ""},
		{NULL, "/.bashrc", "bashrc"},
		{NULL, "/a%00b", "a_b"},
		{NULL, "/con", "_con"},
		{NULL, "/COM1.txt", "_COM1.txt"},
		{NULL, "/name. . ", "name"},
		{NULL, "/\xff\xfe.x", "__.x"},
		{NULL, "/%e2%80%ae gpj.exe", "_ gpj.exe"},
		{NULL, "/a:b|c?d*e<f>g\"h", "a_b_c_d_e_f_g_h"},
		{"attachment; filename=\"x.pdf\"", "/y", "x.pdf"},
		{"attachment; filename=x.pdf ; a=b", "/y", "x.pdf"},
		{"attachment; filename=\"a\\\"b;c.pdf\"", "/y", "a_b;c.pdf"},
		{"attachment; filename=\"C:\\\\dir\\\\x.doc\"", "/y", "x.doc"},
		{"attachment; filename=\"../../x\"", "/y", "x"},
		{"attachment; FileName*=UTF-8''%e2%82%ac%20rates; filename=e", "/y",
		 "\xe2\x82\xac rates"},
		{"attachment; filename=e; filename*=UTF-8''%e2%82%ac", "/y", "\xe2\x82\xac"},
		{"attachment; filename*=iso-8859-1'en'%a3", "/y", "\xc2\xa3"},
		{"attachment; filename*=broken; filename=good", "/y", "good"},
		{"inline", "/y", "y"},
		{"attachment; filename=", "/y", "y"},
		{"attachment; filename=\"", "/y", "y"},
		{";;;=;filename", "/y", "y"},
	};
	struct strbuf out;
	size_t i;

	strbuf_init(&out);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct weir_str disposition = {(const uint8_t *)rows[i].disposition, 0};
		struct weir_str path = {(const uint8_t *)rows[i].path,
					(uint32_t)strlen(rows[i].path)};

		if (rows[i].disposition != NULL) {
			disposition.len = (uint32_t)strlen(rows[i].disposition);
		}
		files_name(rows[i].disposition == NULL ? NULL : &disposition, &path, &out);
		if (strcmp(strbuf_text(&out), rows[i].want) != 0) {
			print_error("%s %s: \"%s\"\n", rows[i].disposition, rows[i].path,
				    strbuf_text(&out));
			fail();
		}
	}
	strbuf_fini(&out);
}

static void a_long_name_is_cut_between_characters(void **state)
{
	struct strbuf out, path;
	unsigned i;

	strbuf_init(&out);
	strbuf_init(&path);
	strbuf_str(&path, "/a");
	for (i = 0; i < 100; i++) {
		strbuf_str(&path, "\xc3\xbc");
	}
	files_name(NULL, &(struct weir_str){(const uint8_t *)path.p, (uint32_t)path.len}, &out);
	assert_int_equal(out.len, 127); /* a and 63 of two bytes */
	strbuf_fini(&path);
	strbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_body_is_named_by_its_digest),
		cmocka_unit_test(what_is_not_whole_has_another_suffix),
		cmocka_unit_test(gaps_tile_the_body),
		cmocka_unit_test(a_wrong_coding_leaves_the_bytes_as_they_came),
		cmocka_unit_test(equal_bodies_are_one_file),
		cmocka_unit_test(no_body_and_given_up_ones_leave_nothing),
		cmocka_unit_test(limits_cut_and_say_so),
		cmocka_unit_test(many_bodies_at_a_time),
		cmocka_unit_test(names_are_made_harmless),
		cmocka_unit_test(a_long_name_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

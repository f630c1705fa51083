/* SPDX-License-Identifier: Apache-2.0 */
/* sink/streams: files, names, index. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/evp.h>

#include "sample_record.h"
#include "sink/sink.h"
#include "weir/error.h"

struct fixture {
	char dir[64];
	const struct weir_sink_type *type;
	struct weir_sink *sink;
	struct weir_tap *tap;
	struct sample sample; /* the record that end() fills */
};

static void setup(struct fixture *fx)
{
	struct weir_sink_config config = {.target = fx->dir};
	const char *message = NULL;

	strcpy(fx->dir, "/tmp/weir-test-streams-XXXXXX");
	assert_non_null(mkdtemp(fx->dir));
	fx->type = sink_find("streams");
	assert_int_equal(fx->type->open(&config, &fx->sink, &message), 0);
	assert_int_equal(fx->type->tap->open(fx->sink, &fx->tap), 0);
}

/* Release everything; the directory goes with what is in it. */
static void teardown(struct fixture *fx)
{
	DIR *dir = opendir(fx->dir);
	struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.') {
			assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
		}
	}
	closedir(dir);
	assert_int_equal(rmdir(fx->dir), 0);
}

static void close_sink(struct fixture *fx)
{
	fx->type->tap->close(fx->tap);
	assert_int_equal(fx->type->close(fx->sink), 0);
}

static struct weir_flow_info flow_of(const char *client, uint16_t client_port, const char *server,
				     uint16_t server_port)
{
	struct weir_flow_info flow = {.ip_version = strchr(client, ':') != NULL ? 6 : 4,
				      .first_ts_ns = INT64_C(1700000000123456789),
				      .hash = UINT64_C(0x0123456789abcdef)};
	int family = flow.ip_version == 6 ? AF_INET6 : AF_INET;

	inet_pton(family, client, flow.client.address);
	inet_pton(family, server, flow.server.address);
	flow.client.port = client_port;
	flow.server.port = server_port;
	return flow;
}

static void give(struct fixture *fx, void **state, const struct weir_flow_info *flow,
		 enum weir_direction dir, const void *p, size_t len)
{
	struct weir_mark mark = {.ts_ns = 1};
	struct weir_chunk chunk = {.data = p, .len = len, .marks = &mark, .nmarks = 1};

	assert_int_equal(fx->type->tap->data(fx->tap, state, flow, dir, &chunk), 0);
}

/* End a direction; its index line is written when there is one. */
static bool end(struct fixture *fx, void **state, const struct weir_flow_info *flow,
		enum weir_direction dir)
{
	struct sample sample;
	bool filled;

	sample_init(&sample, fx->type->tap->schema);
	filled = fx->type->tap->end(fx->tap, state, flow, dir, sample.rec);
	if (filled) {
		assert_int_equal(fx->type->record(fx->sink, sample.rec), 0);
	}
	sample_fini(&sample);
	return filled;
}

static void end_both(struct fixture *fx, void **state, const struct weir_flow_info *flow)
{
	(void)end(fx, state, flow, WEIR_C2S);
	(void)end(fx, state, flow, WEIR_S2C);
	fx->type->tap->done(fx->tap, state);
	assert_null(*state);
}

static char *read_file(struct fixture *fx, const char *name, size_t *ret_len)
{
	char path[256];
	struct stat st;
	FILE *file;
	char *text;

	(void)snprintf(path, sizeof(path), "%s/%s", fx->dir, name);
	file = fopen(path, "rb");
	if (file == NULL) {
		return NULL;
	}
	assert_int_equal(fstat(fileno(file), &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	*ret_len = fread(text, 1, (size_t)st.st_size, file);
	assert_int_equal(*ret_len, st.st_size);
	fclose(file);
	return text;
}

static void check_file(struct fixture *fx, const char *name, const char *want)
{
	size_t len = 0;
	char *text = read_file(fx, name, &len);

	if (want == NULL) {
		assert_null(text);
		return;
	}
	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

static void each_direction_is_a_file_and_a_line(void **state)
{
	struct weir_flow_info flow = flow_of("10.0.0.1", 1234, "192.168.1.2", 80);
	struct fixture fx;
	void *of = NULL;

	setup(&fx);
	give(&fx, &of, &flow, WEIR_C2S, "GET ", 4);
	give(&fx, &of, &flow, WEIR_S2C, "abc", 3);
	give(&fx, &of, &flow, WEIR_C2S, "/", 1);
	assert_int_equal(fx.type->tap->gap(fx.tap, &of, &flow, WEIR_S2C, 3, 10, WEIR_GAP_ACKED), 0);
	give(&fx, &of, &flow, WEIR_S2C, "def", 3);
	assert_int_equal(fx.type->tap->gap(fx.tap, &of, &flow, WEIR_S2C, 16, 1, WEIR_GAP_END), 0);
	end_both(&fx, &of, &flow);
	close_sink(&fx);
	check_file(&fx, "10.0.0.1_1234-192.168.1.2_80-0.c2s", "GET /");
	check_file(&fx, "10.0.0.1_1234-192.168.1.2_80-0.s2c", "abcdef");
	/* printf 'GET /' | sha256sum; printf abcdef | sha256sum */
	check_file(
		&fx, "index.jsonl",
		"{\"file\":\"10.0.0.1_1234-192.168.1.2_80-0.c2s\","
		"\"flow_id\":\"01HF7YAT3VHXHV5G2RWKNVA49C\",\"direction\":\"c2s\",\"bytes\":5,"
		"\"sha256\":\"c767025d0edc7a064cf0003cc4d5a2f5f9e013c608f7a6909554afcdb1126fb2\","
		"\"gaps\":[]}\n"
		"{\"file\":\"10.0.0.1_1234-192.168.1.2_80-0.s2c\","
		"\"flow_id\":\"01HF7YAT3VHXHV5G2RWKNVA49C\",\"direction\":\"s2c\",\"bytes\":6,"
		"\"sha256\":\"bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721\","
		"\"gaps\":["
		"{\"offset\":3,\"length\":10,\"cause\":\"acked\"},"
		"{\"offset\":16,\"length\":1,\"cause\":\"end\"}]}\n");
	teardown(&fx);
}

static void a_direction_without_data_has_no_file(void **state)
{
	struct weir_flow_info flow = flow_of("10.0.0.1", 1, "10.0.0.2", 2);
	struct fixture fx;
	void *of = NULL;

	setup(&fx);
	assert_false(end(&fx, &of, &flow, WEIR_C2S)); /* nothing at all: no state is needed */
	fx.type->tap->done(fx.tap, &of);
	assert_int_equal(fx.type->tap->gap(fx.tap, &of, &flow, WEIR_S2C, 0, 10, WEIR_GAP_END), 0);
	give(&fx, &of, &flow, WEIR_C2S, "x", 1);
	assert_true(end(&fx, &of, &flow, WEIR_C2S));
	assert_false(end(&fx, &of, &flow, WEIR_S2C));
	fx.type->tap->done(fx.tap, &of);
	close_sink(&fx);
	check_file(&fx, "10.0.0.1_1-10.0.0.2_2-0.c2s", "x");
	check_file(&fx, "10.0.0.1_1-10.0.0.2_2-0.s2c", NULL);
	teardown(&fx);
}

static void a_reused_tuple_counts_from_zero(void **state)
{
	struct weir_flow_info flow = flow_of("10.0.0.1", 1, "10.0.0.2", 2);
	struct weir_flow_info mirrored = flow_of("10.0.0.2", 2, "10.0.0.1", 1);
	struct fixture fx;
	void *of = NULL;
	int i;

	setup(&fx);
	for (i = 0; i < 3; i++) {
		char text[2] = {(char)('a' + i), 0};

		give(&fx, &of, &flow, WEIR_C2S, text, 1);
		end_both(&fx, &of, &flow);
	}
	give(&fx, &of, &mirrored, WEIR_C2S, "m", 1);
	end_both(&fx, &of, &mirrored);
	close_sink(&fx);
	check_file(&fx, "10.0.0.1_1-10.0.0.2_2-0.c2s", "a");
	check_file(&fx, "10.0.0.1_1-10.0.0.2_2-1.c2s", "b");
	check_file(&fx, "10.0.0.1_1-10.0.0.2_2-2.c2s", "c");
	check_file(&fx, "10.0.0.2_2-10.0.0.1_1-0.c2s", "m");
	teardown(&fx);
}

static void an_ipv6_name_has_dots(void **state)
{
	struct weir_flow_info flow = flow_of("2001:db8::1", 65535, "::1", 443);
	struct fixture fx;
	void *of = NULL;

	setup(&fx);
	give(&fx, &of, &flow, WEIR_S2C, "6", 1);
	end_both(&fx, &of, &flow);
	close_sink(&fx);
	check_file(&fx, "2001.db8..1_65535-..1_443-0.s2c", "6");
	teardown(&fx);
}

/* 200 flows at a time, each a kilobyte a round and 40 kB in all: more files than may be open, more than a buffer. */
static void many_open_flows_are_written_whole(void **state)
{
	static uint8_t piece[1021];
	static void *of[200];
	struct fixture fx;
	int i, round;

	setup(&fx);
	for (round = 0; round < 40; round++) {
		for (i = 0; i < 200; i++) {
			struct weir_flow_info flow =
				flow_of("10.0.0.1", (uint16_t)(1000 + i), "10.0.0.2", 80);

			memset(piece, 'a' + (i + round) % 26, sizeof(piece));
			give(&fx, &of[i], &flow, WEIR_S2C, piece, sizeof(piece));
		}
	}
	for (i = 0; i < 200; i++) {
		struct weir_flow_info flow =
			flow_of("10.0.0.1", (uint16_t)(1000 + i), "10.0.0.2", 80);

		end_both(&fx, &of[i], &flow);
	}
	close_sink(&fx);
	for (i = 0; i < 200; i++) {
		size_t len = 0, k;
		char name[64];
		char *text;

		(void)snprintf(name, sizeof(name), "10.0.0.1_%d-10.0.0.2_80-0.s2c", 1000 + i);
		text = read_file(&fx, name, &len);
		assert_int_equal(len, 40 * sizeof(piece));
		for (k = 0; k < len; k++) {
			assert_int_equal(text[k], 'a' + (i + (int)(k / sizeof(piece))) % 26);
		}
		free(text);
	}
	teardown(&fx);
}

static void a_large_chunk_and_its_hash_are_whole(void **state)
{
	static uint8_t big[100000];
	struct weir_flow_info flow = flow_of("10.0.0.1", 1, "10.0.0.2", 2);
	uint8_t digest[32];
	struct fixture fx;
	struct sample sample;
	void *of = NULL;
	char *text;
	size_t len, i;

	for (i = 0; i < sizeof(big); i++) {
		big[i] = (uint8_t)(i * 31 >> 3);
	}
	setup(&fx);
	give(&fx, &of, &flow, WEIR_C2S, big, 10);
	give(&fx, &of, &flow, WEIR_C2S, big + 10, sizeof(big) - 20);
	give(&fx, &of, &flow, WEIR_C2S, big + sizeof(big) - 10, 10);
	sample_init(&sample, fx.type->tap->schema);
	assert_true(fx.type->tap->end(fx.tap, &of, &flow, WEIR_C2S, sample.rec));
	assert_int_equal(EVP_Digest(big, sizeof(big), digest, NULL, EVP_sha256(), NULL), 1);
	assert_memory_equal(
		sample.rec->values[weir_schema_find(sample.rec->schema, "sha256", 6)].v.bytes,
		digest, 32);
	sample_fini(&sample);
	fx.type->tap->done(fx.tap, &of);
	close_sink(&fx);
	text = read_file(&fx, "10.0.0.1_1-10.0.0.2_2-0.c2s", &len);
	assert_int_equal(len, sizeof(big));
	assert_memory_equal(text, big, len);
	free(text);
	teardown(&fx);
}

static void a_planted_link_is_not_followed(void **state)
{
	struct weir_flow_info flow = flow_of("10.0.0.1", 1, "10.0.0.2", 2);
	static uint8_t big[20000];
	struct weir_mark mark = {.ts_ns = 1};
	struct weir_chunk chunk = {.data = big, .len = sizeof(big), .marks = &mark, .nmarks = 1};
	struct fixture fx;
	char path[128];
	void *of = NULL;

	setup(&fx);
	(void)snprintf(path, sizeof(path), "%s/10.0.0.1_1-10.0.0.2_2-0.c2s", fx.dir);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(fx.type->tap->data(fx.tap, &of, &flow, WEIR_C2S, &chunk), WEIR_EIO);
	assert_int_equal(fx.type->tap->data(fx.tap, &of, &flow, WEIR_C2S, &chunk),
			 0); /* told once */
	assert_false(end(&fx, &of, &flow, WEIR_C2S));
	fx.type->tap->done(fx.tap, &of);
	close_sink(&fx);
	teardown(&fx);
}

static void bad_targets_are_refused(void **state)
{
	struct weir_sink_config config = {.target = ""};
	const char *message = NULL;
	struct weir_sink *sink;

	assert_int_equal(sink_find("streams")->open(&config, &sink, &message), WEIR_EINVAL);
	assert_non_null(message);
	config.target = "/dev/null/x";
	message = NULL;
	assert_int_equal(sink_find("streams")->open(&config, &sink, &message), WEIR_EIO);
	assert_non_null(message);
}

static void other_records_are_not_indexed(void **state)
{
	struct sample sample;
	struct fixture fx;

	setup(&fx);
	sample_init(&sample, &sample_schema);
	assert_int_equal(fx.type->record(fx.sink, sample.rec), 0);
	assert_false(fx.type->wants(fx.sink, &sample_schema, 0));
	sample_fini(&sample);
	close_sink(&fx);
	check_file(&fx, "index.jsonl", "");
	teardown(&fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_direction_is_a_file_and_a_line),
		cmocka_unit_test(a_direction_without_data_has_no_file),
		cmocka_unit_test(a_reused_tuple_counts_from_zero),
		cmocka_unit_test(an_ipv6_name_has_dots),
		cmocka_unit_test(many_open_flows_are_written_whole),
		cmocka_unit_test(a_large_chunk_and_its_hash_are_whole),
		cmocka_unit_test(a_planted_link_is_not_followed),
		cmocka_unit_test(bad_targets_are_refused),
		cmocka_unit_test(other_records_are_not_indexed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

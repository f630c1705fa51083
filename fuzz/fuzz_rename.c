/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records in other tools' words, and as HAR: whatever bytes are in the strings of a record, what is written is JSON without a key
 * twice and without a control character.
 *
 * Input: pieces, each a byte that says the field, a byte of length, and that many bytes.
 */
#include "http/fields.h"
#include "sample_record.h"
#include "sink/json_rename.h"
#include "sink/sink.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weir_schema *const schemas[] = {&http_schema, NULL};

static void add_piece(struct weir_record *rec, uint8_t what, const uint8_t *p, size_t len)
{
	static const uint8_t texts[] = {
		HTTP_F_METHOD,          HTTP_F_TARGET,           HTTP_F_URL_FULL,
		HTTP_F_URL_DOMAIN,      HTTP_F_URL_PATH,         HTTP_F_URL_QUERY,
		HTTP_F_USER_AGENT,      HTTP_F_REFERRER,         HTTP_F_REASON,
		HTTP_F_REQUEST_CONTENT, HTTP_F_RESPONSE_CONTENT, HTTP_F_RESPONSE_VERSION,
		HTTP_F_RESPONSE_CHARSET};
	size_t half = len > 0 ? p[0] % (len + 1) : 0;

	if (what < 128) {
		weir_record_set_bytes(rec, texts[what % sizeof(texts)], p, len, SIZE_MAX);
		return;
	}
	switch (what % 8) {
	case 0:
		weir_record_set_bytes(rec, WEIR_F_SERVER_ADDRESS, p,
				      len < 8    ? 0
				      : len < 32 ? 4
						 : 16,
				      16);
		break;
	case 1:
		weir_record_set_static(rec, HTTP_F_RESPONSE_CONTENT_ENCODING, "base64");
		weir_record_set_u64(rec, HTTP_F_STATUS,
				    len * UINT64_C(0x0023456789abcdef)); /* jansson ends at 2^63 */
		break;
	case 2:
		weir_record_set_i64(rec, WEIR_F_TIMING_WAIT,
				    (int64_t)(half * UINT64_C(0x9123456789abcdef)));
		weir_record_set_i64(rec, WEIR_F_DURATION, (int64_t)(len * UINT64_C(0x123456789)));
		break;
	case 3:
		weir_record_add_header(rec, HTTP_F_RESPONSE_HEADER, "set-cookie", 10, p, len, 100);
		break;
	case 4:
		weir_record_add_header(rec, HTTP_F_REQUEST_HEADER, "Cookie", 6, p, len, 100);
		break;
	case 5:
		weir_record_add_header(rec, HTTP_F_REQUEST_HEADER, "Host", 4, p, len, 100);
		break;
	default:
		weir_record_add_header(rec,
				       what & 1 ? HTTP_F_REQUEST_HEADER : HTTP_F_RESPONSE_HEADER, p,
				       half, p + half, len - half, 100);
		break;
	}
}

static void check(const char *p, size_t len)
{
	json_error_t error;
	json_t *json = json_loadb(p, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	size_t i;

	if (json == NULL) {
		fprintf(stderr, "%s: %.*s\n", error.text, (int)len, p);
		abort();
	}
	for (i = 0; i < len; i++) {
		if (((uint8_t)p[i] < 0x20 && p[i] != '\n') || p[i] == 0x7f) {
			abort();
		}
	}
	json_decref(json);
}

static void check_har(const struct weir_record *rec)
{
	static char text[1 << 20];
	const struct weir_sink_type *type = sink_find("har");
	static const char *const none[] = {NULL};
	int fd = memfd_create("har", 0);
	struct weir_sink_config config = {.keys = none, .values = none, .schemas = schemas};
	const char *message;
	struct weir_sink *sink;
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	config.target = path;
	if (fd < 0 || type->open(&config, &sink, &message) != 0) {
		abort();
	}
	if (type->record(sink, rec) != 0 || type->record(sink, rec) != 0 ||
	    type->close(sink) != 0) {
		abort();
	}
	n = pread(fd, text, sizeof(text), 0);
	close(fd);
	if (n > 0 && (size_t)n < sizeof(text)) {
		check(text, (size_t)n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct json_rename *const renames[] = {&json_rename_zeek, &json_rename_eve,
							    &json_rename_ecs, &json_rename_otel};
	const uint8_t *end = data + size;
	struct lookup lookup;
	struct sample sample;
	struct strbuf out;
	size_t i;

	sample_init(&sample, &http_schema);
	weir_record_set_i64(sample.rec, WEIR_F_TS, 1);
	while (end - data >= 2) {
		size_t len = data[1] < end - data - 2 ? data[1] : (size_t)(end - data - 2);

		add_piece(sample.rec, data[0], data + 2, len);
		data += 2 + len;
	}
	lookup_init(&lookup, schemas);
	strbuf_init(&out);
	for (i = 0; i < sizeof(renames) / sizeof(renames[0]); i++) {
		strbuf_clear(&out);
		if (json_rename_write(renames[i], &lookup, sample.rec, &out) != 1) {
			abort();
		}
		check(out.p, out.len);
	}
	check_har(sample.rec);
	strbuf_fini(&out);
	sample_fini(&sample);
	return 0;
}

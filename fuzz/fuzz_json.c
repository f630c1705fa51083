/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record writer: whatever bytes are in the strings of a record, the line is one line of valid UTF-8 that jansson
 * takes, without a key twice, and its plain strings say what they were made from.
 *
 * Input: pieces, each a byte that says the field, a byte of length, and that many bytes.
 */
#include "sample_record.h"
#include "sink/json_record.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* jansson has no NUL in keys (JSON has): not in names of headers, then. */
static void add_header(struct weir_record *rec, size_t field, const uint8_t *p, size_t name_len,
		       size_t len)
{
	uint8_t name[256];
	size_t i;

	for (i = 0; i < name_len; i++) {
		name[i] = p[i] == 0 ? 1 : p[i];
	}
	weir_record_add_header(rec, field, name, name_len, p + name_len, len - name_len, 100);
}

static void add_piece(struct weir_record *rec, uint8_t what, const uint8_t *p, size_t len)
{
	size_t half = len > 0 ? p[0] % (len + 1) : 0;

	switch (what % 10) {
	case 0:
		weir_record_set_bytes(rec, S_PATH, p, len, SIZE_MAX);
		break;
	case 1:
		weir_record_set_bytes(rec, S_TARGET, p, len, half);
		break;
	case 2:
		weir_record_set_bytes(rec, WEIR_F_SERVICE_NAME, p, len, SIZE_MAX);
		break;
	case 3:
		weir_record_add_str(rec, WEIR_F_ANOMALIES, p, len);
		break;
	case 4:
		weir_record_add_u64(rec, S_INTERIM, len * UINT64_C(0x0023456789abcdef));
		break;
	case 5:
		weir_record_set_bytes(rec, S_SHA256, p, len, SIZE_MAX);
		break;
	case 6:
		weir_record_set_i64(rec, WEIR_F_TS, (int64_t)(half * UINT64_C(0x7123456789abcdef)));
		break;
	default:
		add_header(rec, what & 1 ? S_REQUEST_HEADER : S_RESPONSE_HEADER, p, half, len);
		break;
	}
}

/* What the path was set to comes back, when it was text. */
static void check_path(const struct weir_record *rec, json_t *json)
{
	json_t *path = json_object_get(json_object_get(json, "url"), "path");
	const struct weir_value *value = &rec->values[S_PATH];
	size_t i;

	if (json_array_size(json_object_get(json, "escaped")) > 0 ||
	    !weir_record_has(rec, S_PATH)) {
		return;
	}
	if (json_string_length(path) != value->len) {
		abort();
	}
	for (i = 0; i < value->len; i++) {
		if ((uint8_t)json_string_value(path)[i] != value->v.bytes[i]) {
			abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	struct json_writer writer;
	struct sample sample;
	struct strbuf out;
	json_error_t error;
	json_t *json;
	size_t i;

	sample_init(&sample, &sample_schema);
	while (end - data >= 2) {
		size_t len = data[1] < end - data - 2 ? data[1] : (size_t)(end - data - 2);

		add_piece(sample.rec, data[0], data + 2, len);
		data += 2 + len;
	}
	json_writer_init(&writer);
	strbuf_init(&out);
	if (json_write_record(&writer, sample.rec, &out) != 0) {
		abort();
	}
	for (i = 0; i < out.len; i++) {
		if ((uint8_t)out.p[i] < 0x20 || out.p[i] == 0x7f) {
			abort();
		}
	}
	json = json_loadb(out.p, out.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (json == NULL) {
		fprintf(stderr, "%s: %.*s\n", error.text, (int)out.len, out.p);
		abort();
	}
	check_path(sample.rec, json);
	json_decref(json);
	strbuf_fini(&out);
	json_writer_fini(&writer);
	sample_fini(&sample);
	return 0;
}

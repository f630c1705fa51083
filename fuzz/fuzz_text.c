/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of text: whatever is in a transaction, a line for a terminal is one line, no wider than the terminal, without a
 * control; a tab-separated one has its 14 columns.
 *
 * Input: a byte of width, then pieces as in fuzz_json.c: a byte that says the field, a byte of length, and the bytes.
 */
#include "sample_record.h"
#include "sink/escape.h"
#include "sink/text_line.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t number(const uint8_t *p, size_t len)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < len && i < 8; i++) {
		n = n << 8 | p[i];
	}
	return (int64_t)n;
}

static void add_piece(struct weir_record *rec, uint8_t what, const uint8_t *p, size_t len)
{
	static const size_t texts[] = {S_METHOD,
				       S_TARGET,
				       S_DOMAIN,
				       S_PATH,
				       S_QUERY,
				       WEIR_F_ERROR_TYPE,
				       WEIR_F_COMPLETENESS,
				       WEIR_F_SERVICE_NAME};
	static const size_t counts[] = {S_STATUS, S_RESPONSE_SIZE, S_REQUEST_SIZE,
					WEIR_F_TCP_RETRANSMITS, WEIR_F_TCP_GAPS};
	static const size_t times[] = {WEIR_F_TS, WEIR_F_DURATION, WEIR_F_TIMING_SEND,
				       WEIR_F_TIMING_RECEIVE, WEIR_F_TIMING_STALL};

	switch (what % 5) {
	case 0:
	case 1:
		weir_record_set_bytes(rec, texts[(what >> 3) % 8], p, len, SIZE_MAX);
		break;
	case 2:
		weir_record_set_u64(rec, counts[(what >> 3) % 5], (uint64_t)number(p, len));
		break;
	case 3:
		weir_record_set_i64(rec, times[(what >> 3) % 5], number(p, len));
		break;
	default:
		weir_record_set_bytes(rec, WEIR_F_CLIENT_ADDRESS, p, len < 16 ? 4 * (len >= 4) : 16,
				      16);
		weir_record_add_str(rec, WEIR_F_ANOMALIES, p, len);
		break;
	}
}

static void check_line(const char *p, size_t len, size_t columns, size_t tabs)
{
	size_t i;

	if (len == 0 || p[len - 1] != '\n' || memchr(p, '\n', len - 1) != NULL) {
		abort();
	}
	for (i = 0; i + 1 < len; i++) {
		if ((uint8_t)p[i] < 0x20 && p[i] != '\t') {
			abort();
		}
		if (p[i] == '\t' && tabs-- == 0) {
			abort();
		}
	}
	if (tabs != 0 || (columns > 0 && escape_columns(p, len - 1) > columns)) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	struct text_style *style;
	struct text_schema of;
	struct sample sample;
	struct strbuf out;

	if (size == 0) {
		return 0;
	}
	style = calloc(1, sizeof(*style));
	if (style == NULL) {
		abort();
	}
	style->columns = 64 + *data++;
	style->ascii = (style->columns & 1) != 0;
	strbuf_init(&style->cell);
	strbuf_init(&out);
	sample_init(&sample, &sample_schema);
	text_schema_init(&of, &sample_schema);
	while (end - data >= 2) {
		size_t len = data[1] < end - data - 2 ? data[1] : (size_t)(end - data - 2);

		add_piece(sample.rec, data[0], data + 2, len);
		data += 2 + len;
	}
	text_put_line(style, &of, sample.rec, &out);
	check_line(out.p, out.len, style->columns, 0);
	strbuf_clear(&out);
	text_put_columns(style, &of, sample.rec, &out);
	check_line(out.p, out.len, 0, 13);
	strbuf_fini(&out);
	strbuf_fini(&style->cell);
	sample_fini(&sample);
	free(style);
	return 0;
}

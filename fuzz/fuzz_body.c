/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies below a line of text (-vv): whatever a body is, each line begins with the mark, nothing but line ends and visible
 * characters comes out, and of printable text not a sign is lost or added, however it is indented.
 *
 * Input: a byte that says how the body is shown, a byte for the number of gaps, two bytes a gap (distance from the one
 * before, length), then the content.
 */
#include "http/fields.h"
#include "sample_record.h"
#include "sink/text_line.h"
#include "sink/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char mark[] = "    <   ";

static void check_lines(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;
	const uint8_t *end = p + len;
	bool start = true;

	if (len > 0 && text[len - 1] != '\n') {
		abort();
	}
	while (p < end) {
		uint32_t cp = 0;
		unsigned n = utf8_decode(p, end, &cp);

		if (start && ((size_t)(end - p) < sizeof(mark) - 1 ||
			      memcmp(p, mark, sizeof(mark) - 1) != 0)) {
			abort();
		}
		if (n == 0 || (utf8_is_hidden(cp) && cp != '\n')) {
			abort();
		}
		start = cp == '\n';
		p += n;
	}
}

/* The signs of the lines, one after the other, are those of the content. */
static void check_signs(const char *text, size_t len, const uint8_t *p, size_t n)
{
	const char *end = text + len;
	size_t i = 0;
	bool start = true;

	for (; text < end; text++) {
		if (start) {
			text += sizeof(mark) - 1;
		}
		start = *text == '\n';
		if (*text == ' ' || *text == '\n') {
			continue;
		}
		while (i < n && (p[i] == ' ' || p[i] == '\n')) {
			i++;
		}
		if (i == n || p[i] != (uint8_t)*text) {
			abort();
		}
		i++;
	}
	while (i < n && (p[i] == ' ' || p[i] == '\n')) {
		i++;
	}
	if (i != n) {
		abort();
	}
}

static bool is_printable(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len && (p[i] == '\n' || (p[i] >= 0x20 && p[i] < 0x7f)); i++) {
	}
	return i == len;
}

/* @return bytes taken */
static size_t add_gaps(struct weir_record *rec, const uint8_t *data, size_t size)
{
	size_t n = size == 0 ? 0 : data[0] % 4;
	uint64_t at = 0;
	size_t i;

	for (i = 0; i < n && 2 * i + 2 < size; i++) {
		at += data[2 * i + 1];
		weir_record_add_u64(rec, HTTP_F_RESPONSE_GAPS, at);
		weir_record_add_u64(rec, HTTP_F_RESPONSE_GAPS, 1 + data[2 * i + 2]);
	}
	return size == 0 ? 0 : 1 + 2 * i;
}

/* A gap is never behind the content: that is the parser's promise. */
static bool gaps_fit(const struct weir_record *rec, size_t len)
{
	const struct weir_value *gaps = &rec->values[HTTP_F_RESPONSE_GAPS];

	return !weir_record_has(rec, HTTP_F_RESPONSE_GAPS) || gaps->v.u64s[gaps->len - 2] <= len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {"application/json", "text/plain",
					    "application/x-www-form-urlencoded", "image/png"};
	struct text_style *style;
	struct text_schema of;
	struct sample sample;
	struct strbuf out;
	unsigned how, type;
	size_t n;

	if (size < 3) {
		return 0;
	}
	how = data[0];
	type = how & 3;
	style = calloc(1, sizeof(*style));
	if (style == NULL) {
		return 0;
	}
	style->verbose = 2;
	style->ascii = (how & 4) != 0;
	strbuf_init(&style->cell);
	strbuf_init(&out);
	text_schema_init(&of, &http_schema);
	sample_init(&sample, &http_schema);
	n = 1 + add_gaps(sample.rec, data + 1, size - 1);
	data += n;
	size -= n;
	if (!gaps_fit(sample.rec, type == 3 ? 0 : size)) {
		weir_record_clear(sample.rec, HTTP_F_RESPONSE_GAPS);
	}
	if (type == 3) {
		weir_record_set_static(sample.rec, HTTP_F_RESPONSE_CONTENT_ENCODING, "base64");
	}

	sample_header(sample.rec, HTTP_F_RESPONSE_HEADER, "Content-Type", types[type]);
	weir_record_set_bytes(sample.rec, HTTP_F_RESPONSE_CONTENT, data, size, SIZE_MAX);
	weir_record_set_u64(sample.rec, HTTP_F_RESPONSE_BODY_SIZE, size);
	text_put_details(style, &of, sample.rec, &out);
	n = 0;
	while (n < out.len && out.p[n++] != '\n') { /* the header's line */
	}
	check_lines(strbuf_text(&out) + n, out.len - n);
	if (type < 2 && is_printable(data, size) &&
	    !weir_record_has(sample.rec, HTTP_F_RESPONSE_GAPS)) {
		check_signs(strbuf_text(&out) + n, out.len - n, data, size);
	}
	sample_fini(&sample);
	strbuf_fini(&out);
	strbuf_fini(&style->cell);
	free(style);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The escaper: its output never holds a control byte, is valid UTF-8, and is as wide as it said. */
#include "sink/escape.h"
#include "sink/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_visible(const uint8_t *p, size_t len)
{
	const uint8_t *end = len == 0 ? p : p + len;

	while (p < end) {
		uint32_t cp = 0;
		unsigned n = utf8_decode(p, end, &cp);

		if (n == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0) ||
		    (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) ||
		    (cp >= 0x2066 && cp <= 0x2069) || cp == 0x061c || cp == 0xfeff) {
			abort();
		}
		p += n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf out;
	size_t columns;
	size_t fit;

	strbuf_init(&out);
	columns = escape_text(&out, data, size);
	(void)strbuf_text(&out); /* never NULL from here on */
	check_visible((const uint8_t *)out.p, out.len);
	if (escape_columns(out.p, out.len) != columns) {
		abort();
	}
	fit = escape_fit(out.p, out.len, columns / 2);
	if (fit > out.len || escape_columns(out.p, fit) > columns / 2) {
		abort();
	}
	check_visible((const uint8_t *)out.p, fit);
	fit = escape_fit_end(out.p, out.len, columns / 3);
	if (fit > out.len || escape_columns(out.p + out.len - fit, fit) > columns / 3) {
		abort();
	}
	strbuf_fini(&out);
	return 0;
}

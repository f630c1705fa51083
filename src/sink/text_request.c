/* SPDX-License-Identifier: Apache-2.0 */
/* What requests to databases and to DNS have in lines for a terminal. See text_line.h. */
#include "sink/text_line.h"

#include <string.h>

static bool says(const struct weir_value *value, const char *text)
{
	return value != NULL && value->len == strlen(text) &&
	       memcmp(value->v.bytes, text, value->len) == 0;
}

bool text_is_error(const struct text_schema *of, const struct weir_record *rec)
{
	const struct weir_value *outcome = text_value(of, rec, TEXT_OUTCOME);

	return outcome != NULL && !says(outcome, "ok") && !says(outcome, "NOERROR");
}

/* Text in one line: white space of any kind and length is one blank. */
static void escape_line(const struct text_style *style, struct strbuf *out, const uint8_t *p,
			size_t len)
{
	static const char blanks[] = " \t\r\n";
	size_t from = 0, at = 0;

	while (at < len) {
		while (at < len && (p[at] == 0 || strchr(blanks, p[at]) == NULL)) {
			at++;
		}
		(void)text_escape(style, out, p + from, at - from);
		while (at < len && p[at] != 0 && strchr(blanks, p[at]) != NULL) {
			at++;
		}
		if (at < len) {
			strbuf_char(out, ' ');
		}
		from = at;
	}
}

size_t text_make_statement(struct text_style *style, const struct text_schema *of,
			   const struct weir_record *rec)
{
	const struct weir_value *text = text_value(of, rec, TEXT_TARGET);
	const struct weir_value *code = text_value(of, rec, TEXT_ERROR_CODE);
	const struct weir_value *message = text_value(of, rec, TEXT_ERROR_MESSAGE);
	struct strbuf *cell = &style->cell;
	size_t split = 0;

	code = code == NULL && text_is_error(of, rec) ? text_value(of, rec, TEXT_OUTCOME) : code;
	if (code != NULL) {
		(void)text_escape(style, cell, code->v.bytes, code->len);
	}
	if (message != NULL) {
		strbuf_str(cell, cell->len > 0 ? " " : "");
		escape_line(style, cell, message->v.bytes, message->len);
	}
	split = cell->len;
	if (text != NULL && text->len > 0) {
		strbuf_str(cell, split > 0 ? ": " : "");
		escape_line(style, cell, text->v.bytes, text->len);
	} else if (text_is(rec, WEIR_F_COMPLETENESS, "no_request")) {
		strbuf_str(cell, split > 0 ? ": (request not seen)" : "(request not seen)");
	}
	return split == 0 ? cell->len : split;
}

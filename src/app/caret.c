/* SPDX-License-Identifier: Apache-2.0 */
/* A mark under what is wrong: see caret.h. */
#include "app/caret.h"

#include <stdio.h>

void caret_print(const struct caret *caret)
{
	const char *text = caret->text;
	size_t begin = caret->offset;
	size_t end = begin, i;

	while (begin > 0 && text[begin - 1] != '\n') {
		begin--;
	}
	while (text[end] != '\0' && text[end] != '\n') {
		end++;
	}
	fprintf(stderr, "weir: error: bad %s: %s\n    ", caret->kind, caret->reason);
	for (i = begin; i < end; i++) {
		fputc(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?', stderr);
	}
	fprintf(stderr, "\n    %*s^", (int)(caret->offset - begin), "");
	for (i = 1; i < caret->length; i++) {
		fputc('~', stderr);
	}
	if (caret->suggestion[0] != '\0') {
		fprintf(stderr, " did you mean \"%s\"?\n", caret->suggestion);
	} else {
		fprintf(stderr, "%s\n", caret->length == 0 ? " something is missing here" : "");
	}
	fprintf(stderr, "  %s\n", caret->more);
}

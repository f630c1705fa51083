/* SPDX-License-Identifier: Apache-2.0 */
/* Where an expression of the command line is wrong: the line, a mark under the place, and what was perhaps meant. */
#ifndef APP_CARET_H
#define APP_CARET_H

#include <stddef.h>

struct caret {
	const char *kind; /* "capture filter" */
	const char *text;
	size_t offset, length; /* of what is wrong in it; length 0: something is missing there */
	const char *reason;
	const char *suggestion; /* "": none */
	const char *more;       /* where the language is described */
};

/** `weir: error: bad KIND: ...` and the lines below it, on stderr. What is no ASCII in the text shows as ?. */
void caret_print(const struct caret *caret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reports of `weir stats`: each some questions to a store, in SQL over its views. A column without a name is drawn for people and
 * left out of JSON.
 */
#ifndef STORE_REPORTS_H
#define STORE_REPORTS_H

#include <stddef.h>

#include "store/store.h"

enum { REPORT_SECTIONS = 6 };

struct report_section {
	const char *name; /* NULL: no more */
	const char *sql;
};

struct report {
	const char *name;
	const char *doc;
	struct report_section sections[REPORT_SECTIONS];
};

const struct report *report_list(size_t *ret_n);
/** By name, or NULL. */
const struct report *report_find(const char *name, size_t len);

/** Does it give the first 20 rows only? */
bool report_is_top(const struct report_section *section);

/**
 * Functions that the reports use, on this connection: percentile(x, p), the value at rank ceil(p/100 * n) of those that are not
 * NULL; bar(n, most), up to 30 # for people.
 * @return 0 or WEIR_ENOMEM
 */
int report_functions(struct store *store);

#endif

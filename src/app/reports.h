/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reports of `weir stats`: each some questions to a store (store/reader.h), written as sections of rows. Transactions are those of all
 * protocols, unless a report is of one.
 */
#ifndef APP_REPORTS_H
#define APP_REPORTS_H

#include "app/sheet.h"
#include "store/reader.h"

/* What is asked for, and where it goes. */
struct reporting {
	struct store_reader *reader;
	const struct weir_schema *const *schemas;
	const char *filter; /* -Y; NULL: all */
	const char *by;     /* --by; NULL: as the report has it */
	size_t top;         /* rows of a list */
	bool json;
	struct strbuf out;
	struct strbuf answers; /* JSON: how each section was answered */
	struct sheet sheet;
	const char *report;
	bool begun; /* something was put */
	size_t sections;
	bool listed; /* the section is the first of a list */
};

struct report {
	const char *name;
	const char *doc;
	int (*put)(struct reporting *reporting);
	bool takes_by;
};

const struct report *report_list(size_t *ret_n);
/** By name, or NULL. */
const struct report *report_find(const char *name, size_t len);

/** Sections of a report, to reporting->out. As store/reader.h says; store_problem() has the reason. */
int report_put(struct reporting *reporting, const struct report *report);

#endif

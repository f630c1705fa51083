/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the reports share. */
#ifndef APP_REPORTS_PRIVATE_H
#define APP_REPORTS_PRIVATE_H

#include "app/reports.h"

/* Columns of counts, then of durations, as REDS names them. */
#define COUNTS                                                                                     \
	{"transactions", SHEET_NUMBER}, {"client_errors", SHEET_NUMBER}, {"errors", SHEET_NUMBER}, \
	{                                                                                          \
		"unanswered", SHEET_NUMBER                                                         \
	}
#define DURATIONS                                                                                  \
	{"p50_ns", SHEET_DURATION}, {"p95_ns", SHEET_DURATION}, {"p99_ns", SHEET_DURATION},        \
	{                                                                                          \
		"max_ns", SHEET_DURATION                                                           \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, SHEET_TEXT                                                                   \
	}

/** What a section is about: the user's filter and its own. The caller frees scope.filter. */
int report_scope(const struct reporting *reporting, const char *own, struct store_scope *ret);

/** The sheet is full and goes out. top: it is a list of reporting->top rows at most */
void report_section(struct reporting *reporting, const char *section,
		    const struct store_answer *answer, bool top);

/** The values of a field and how many records have them. */
int report_terms(struct reporting *reporting, const char *section, const char *filter,
		 const char *field, const struct sheet_column *columns, bool durations);

/** Cells of DURATIONS, or of one of them: absent when nothing was timed. */
void report_durations(struct sheet *sheet, const struct store_red *red);
void report_duration(struct sheet *sheet, const struct store_red *red, int64_t ns);

/* ---- reports_records.c ---- */

int report_slow(struct reporting *reporting);
int report_tcp(struct reporting *reporting);
int report_gaps(struct reporting *reporting);

#endif

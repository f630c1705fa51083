/* SPDX-License-Identifier: Apache-2.0 */
/* From a run's figures to the closing summary: each counter under the name that users see. */
#ifndef APP_REPORT_H
#define APP_REPORT_H

#include "app/pipeline.h"
#include "app/summary.h"

/**
 * @param result  borrowed: the summary's notes point into it
 */
void report_fill(struct summary *summary, const struct pipeline_result *result,
		 const struct weir_config *config, int64_t elapsed_ns);

/** summary->ring is filled in: what it could not keep are drops. */
void report_ring(struct summary *summary);

/** What can be doubted about a run, and what helps: lines `weir: warning: ...`, appended to out. */
void report_warnings(const struct pipeline_result *result, struct strbuf *out);

/**
 * The line of every minute: flows, those closed by cause, and what was flushed (gaps declared, by cause), since `before`.
 * Appended to out, without line end.
 */
void report_ticker(const struct pipeline_result *now, const struct engine_stats *before,
		   struct strbuf *out);

#endif

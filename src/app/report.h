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

#endif

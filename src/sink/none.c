/* SPDX-License-Identifier: Apache-2.0 */
/* The sink that takes everything and writes nothing: for counting, and for measuring what the rest costs. */
#include "sink/sink.h"

static int none_open(const struct weir_sink_config *config, struct weir_sink **ret,
		     const char **ret_message)
{
	*ret = NULL;
	return 0;
}

static bool none_wants(struct weir_sink *sink, const struct weir_schema *schema, size_t field)
{
	return false;
}

static int none_record(struct weir_sink *sink, const struct weir_record *rec)
{
	return 0;
}

static int none_flush(struct weir_sink *sink)
{
	return 0;
}

const struct weir_sink_type sink_none = {
	.name = "none",
	.doc = "write nothing",
	.open = none_open,
	.wants = none_wants,
	.record = none_record,
	.flush = none_flush,
	.close = none_flush,
};

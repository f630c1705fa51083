/* SPDX-License-Identifier: Apache-2.0 */
/* my_sink FILE|INTERFACE: a sink of one's own: it counts records by type and says so at the end. */
#include "feed.h"

struct weir_sink {
	const struct weir_schema *const *schemas; /* every type of record there is */
	unsigned long counts[64];
};

static int open_sink(const struct weir_sink_config *config, struct weir_sink **ret,
		     const char **ret_message)
{
	static struct weir_sink sink; /* one is enough here */
	(void)ret_message;
	sink.schemas = config->schemas;
	*ret = &sink;
	return 0;
}

static int take(struct weir_sink *sink, const struct weir_record *rec)
{
	for (size_t i = 0; sink->schemas[i] != NULL && i < 64; i++) {
		sink->counts[i] += sink->schemas[i] == rec->schema;
	}
	return 0;
}

static int flush(struct weir_sink *sink)
{
	for (size_t i = 0; sink->schemas[i] != NULL && i < 64; i++) {
		printf("%s %lu\n", sink->schemas[i]->type, sink->counts[i]);
	}
	return fflush(stdout) == 0 ? 0 : WEIR_EIO;
}

static int close_sink(struct weir_sink *sink)
{
	(void)sink;
	return 0;
}

static struct weir_sink_type type; /* what is not set stays zero, also what later versions add */

int main(int argc, char **argv)
{
	struct weir_engine *engine;

	type.name = "count";
	type.open = open_sink;
	type.record = take;
	type.flush = flush;
	type.close = close_sink;
	if (weir_engine_new(NULL, NULL, &engine) < 0 ||
	    weir_engine_add_sink(engine, &type, NULL, NULL) < 0) {
		return 1;
	}
	return feed(engine, argc > 1 ? argv[1] : NULL);
}

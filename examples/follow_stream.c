/* SPDX-License-Identifier: Apache-2.0 */
/* follow_stream FILE|INTERFACE PORT: the reassembled bytes of the flows to a port on stdout; what is missing on stderr. */
#include "feed.h"

#include <stdlib.h>

static unsigned on_opened(void *context, struct weir_flow *flow)
{
	const unsigned *port = (const unsigned *)context;

	return weir_flow_get_info(flow)->server.port == *port ? WEIR_WANT_BYTES : WEIR_WANT_NOTHING;
}

static void on_data(void *context, struct weir_flow *flow, enum weir_direction dir,
		    const struct weir_chunk *chunk, struct weir_take *take)
{
	(void)context;
	(void)flow;
	(void)dir;
	(void)take; /* as it is: all of the chunk is taken */
	fwrite(chunk->data, 1, chunk->len, stdout);
}

static void on_gap(void *context, struct weir_flow *flow, enum weir_direction dir,
		   const struct weir_gap *gap)
{
	(void)context;
	fprintf(stderr, "port %u %s: %lu bytes are missing at %lu (%s)\n",
		weir_flow_get_info(flow)->client.port, dir == WEIR_C2S ? "to server" : "to client",
		(unsigned long)gap->length, (unsigned long)gap->offset,
		weir_gap_cause_name(gap->cause));
}

static void on_closed(void *context, struct weir_flow *flow, enum weir_close how)
{
	(void)context;
	fprintf(stderr, "port %u: %s\n", weir_flow_get_info(flow)->client.port,
		weir_close_name(how));
}

int main(int argc, char **argv)
{
	unsigned port = argc > 2 ? (unsigned)atoi(argv[2]) : 80;
	struct weir_callbacks callbacks;
	struct weir_engine *engine;

	memset(&callbacks, 0, sizeof(callbacks));
	callbacks.context = &port;
	callbacks.opened = on_opened;
	callbacks.data = on_data;
	callbacks.gap = on_gap;
	callbacks.closed = on_closed;
	if (weir_engine_new(NULL, &callbacks, &engine) < 0) {
		return 1;
	}
	return feed(engine, argc > 1 ? argv[1] : NULL);
}

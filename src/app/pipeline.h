/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data path of a run: inputs → batches → front → engines → records in order → the caller.
 *
 * One worker: all in the caller's thread. More: the caller's thread reads and decodes, each batch goes to every worker (an
 * engine that owns some of the shards), and one thread merges the workers' records by weir_record_key and calls `record`.
 * Each worker's records are ascending already, so merging needs the head of each stream and no more; the queues are bounded,
 * and a slow sink slows the reader down. The output is the same, byte for byte, for any number of workers and any batch size.
 */
#ifndef APP_PIPELINE_H
#define APP_PIPELINE_H

#include <signal.h>

#include "capture/capture.h"
#include "engine/engine.h"
#include "engine/front.h"

struct pipeline_options {
	const struct weir_config *config;
	const char *const *inputs; /* file names; "-" is standard input */
	size_t ninputs;
	unsigned nworkers;       /* 1..ENGINE_SHARDS */
	size_t batch;            /* packets in a batch */
	engine_record_fn record; /* called from one thread, in order */
	bool (*wants)(void *context, const struct weir_schema *schema, size_t field);
	void *context;
	const struct weir_tap_type *tap;
	struct weir_sink *tap_sink;        /* what the tap belongs to */
	const volatile sig_atomic_t *stop; /* set: finish with what was read */
	/* called now and then from the reading thread, for progress; may be NULL */
	void (*progress)(void *context, uint64_t bytes, uint64_t size, uint64_t packets);
};

struct pipeline_result {
	struct front_stats front;
	struct defrag_stats defrag;
	struct engine_stats engine;
	uint64_t drops; /* told by the inputs */
	uint64_t memory_peak;
	bool truncated;    /* an input was damaged or cut short */
	bool stopped;      /* by *stop */
	char message[512]; /* about the input, when truncated or on an error */
};

/**
 * Run to the end of the inputs.
 * @return 0 (also when an input was damaged: see truncated), WEIR_EIO, WEIR_EFORMAT, WEIR_ENOMEM: message says which input
 *         and why. Records of what was read before have been delivered.
 */
int pipeline_run(const struct pipeline_options *options, struct pipeline_result *ret);

#endif

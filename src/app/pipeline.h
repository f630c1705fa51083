/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data path of a run: inputs → batches → front → engines → records in order → the caller.
 *
 * One worker: all in the caller's thread. More: each batch goes to every worker (an engine that owns some of the shards), and the
 * workers' records are merged by weir_record_key. Records go there as copies, for `record`, or as their text: each worker has a desk, and `prepare`
 * does there what can be done before the order is known. Each worker's records are ascending already, so merging needs the
 * head of each stream and no more; what is on its way is bounded, and a slow sink slows the reader down. The output is the
 * same, byte for byte, for any number of workers and any batch size.
 *
 * Reading and merging are done by the workers' threads, the caller's among them, by whoever has nothing else to do; where
 * reading may wait, the caller's thread does only that. What is said below to be called from one thread may be called from several, one after
 * the other.
 *
 * With `shared` it is one of several that each have a part of the packets (fanout.h): one worker each; packets are numbered over
 * all of them, and what writes packets is the caller's to finish.
 *
 * Live, batches come as the kernel has packets, and when it has none a tick item tells the engines the time. What looks at a
 * running engine (the summary so far) does it in a batch of its own, on the workers' threads.
 */
#ifndef APP_PIPELINE_H
#define APP_PIPELINE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "capture/capture.h"
#include "capture/filter.h"
#include "capture/keeper.h"
#include "capture/writer.h"
#include "engine/engine.h"
#include "engine/front.h"

struct iovec;
struct pipeline_result;
struct strbuf;

struct pipeline_progress {
	const struct capture *input; /* the one being read */
	uint64_t bytes_before;       /* of the inputs before it */
	uint64_t packets;            /* of the run */
};

/* What pipelines have in common that share the packets of interfaces (fanout.h). */
struct pipeline_shared {
	pthread_mutex_t packets; /* numbers, the writer, the keeper: a batch at a time */
	uint64_t number;         /* of the last packet */
	atomic_bool full;        /* the run ends */
	uint64_t seed;           /* of the hashes of tuples */
	struct ring_flows *flows;
};

struct pipeline_options {
	const struct weir_config *config;
	struct pipeline_shared *shared; /* NULL: it is alone */
	unsigned ring;                  /* which of them it is */
	struct capture *const
		*inputs; /* opened, not begun; the caller's to close, when the run is over */
	size_t ninputs;
	unsigned nworkers;     /* 1..ENGINE_SHARDS */
	size_t batch;          /* packets in a batch */
	uint64_t max_packets;  /* the run ends after so many; 0: no limit */
	struct filter *filter; /* packets that do not match are passed over; may be NULL */
	struct writer
		*writer; /* packets that match are written; may be NULL. Finished by the pipeline */
	struct keeper *
		keeper; /* the same packets are kept; may be NULL. Started, and finished by the pipeline */
	engine_record_fn record; /* called from one thread, in order */
	bool (*wants)(void *context, const struct weir_schema *schema, size_t field);
	bool (*reads_tcp)(void *context); /* see engine/engine.h */
	void *context;
	void *const *
		desks; /* one a worker, when there are several; NULL: copies of records go to `record` */
	/* On the worker's thread, in the worker's order: 1: to be delivered, its text was appended; 0: it is not; WEIR_ENOMEM */
	int (*prepare)(void *desk, const struct weir_record *rec, struct strbuf *text);
	/* There too: what `figures` tells of this desk, and at the end, is as of now */
	void (*note)(void *desk);
	/* Instead of `record`: text of so many records, in order */
	void (*text)(void *context, const struct iovec *text, int n, uint64_t nrecords);
	const struct weir_tap_type *tap;
	struct weir_sink *tap_sink; /* what the tap belongs to */
	const volatile sig_atomic_t
		*stop; /* set: finish with what was read (live: and what the kernel has) */
	/* between two batches, from who reads: for progress. May be NULL */
	void (*progress)(void *context, const struct pipeline_progress *progress);
	/* between two batches, from who reads: are figures wanted now? May be NULL */
	bool (*wants_figures)(void *context);
	/* the figures so far, from the thread that calls `record`, between two records; `message` is not filled in */
	void (*figures)(void *context, const struct pipeline_result *so_far);
	/* the records of a batch have been delivered (live), or all there are (a pipe gives nothing); from there too. May be NULL */
	void (*settled)(void *context);
	/* ends the reading thread's waiting for packets; from any thread. May be NULL */
	void (*wake)(void);
};

struct pipeline_result {
	struct front_stats front;
	struct tunnels tunnels;
	struct defrag_stats defrag;
	struct engine_stats engine;
	uint64_t drops;           /* told by the files */
	uint64_t kernel_drops;    /* live */
	uint64_t interface_drops; /* live */
	uint64_t memory_peak;
	uint64_t two_rings;            /* flows that came on two rings */
	bool truncated;                /* an input was damaged or cut short */
	bool stopped;                  /* by *stop, with input left */
	char message[CAPTURE_MESSAGE]; /* about the input, when truncated or on an error */
};

/** What is left of --memory for the queues of sinks. */
size_t pipeline_sink_memory(const struct weir_config *config);

/**
 * Run to the end of the inputs.
 * @return 0 (also when an input was damaged: see truncated), WEIR_EIO, WEIR_EFORMAT, WEIR_ENOMEM: message says which input
 *         and why. Records of what was read before have been delivered.
 */
int pipeline_run(const struct pipeline_options *options, struct pipeline_result *ret);

/** What those that share do not do: complete the files of packets. WEIR_EIO: result has the message */
int pipeline_finish_packets(const struct pipeline_options *options, struct pipeline_result *result);

/** The order of records, but for those of one flow that one packet or timer completes: the worker has those in order. <0, 0, >0 */
int pipeline_compare_keys(const struct weir_record_key *a, const struct weir_record_key *b);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the pipeline: who does what, and what lies between.
 *
 * Three kinds of work come up in a run: reading (a batch of packets, decoded), each worker's own part of every batch (its engine's
 * shards), and merging what the workers made of a batch. Of each there is one at a time, the second kind once a worker, so
 * everything that one of them owns passes from thread to thread under the lock, and is not locked while it is used.
 *
 * A worker's own part is done by its own thread. Who has nothing of his own to do reads or merges: so with files there are as
 * many threads as workers, and none of them waits while there is something to do. Where reading may wait (pipes, interfaces),
 * the thread that began the run does nothing else.
 *
 * Waking costs: who sleeps is woken when a few batches lie before him, or somebody waits for him (pipeline.hurry). And no more workers
 * are awake than there are processors (pipeline.places): the kernel would take one off for so long that all wait for it; who has
 * nothing of his own left makes room for who is furthest behind.
 *
 *	free ─▶ reading ─▶ given (in order, to every worker) ─▶ done by all ─▶ merged ─▶ free		struct batch
 *	spare ─▶ filled by its worker ─▶ sent (in order) ─▶ merged ─▶ spare				struct piece
 *
 * Both are few: a slow sink slows the reader down. A worker that has no piece left merges itself, or waits for who does; the
 * others get on with the same batch meanwhile, so that merging goes on.
 */
#ifndef APP_PIPELINE_PRIVATE_H
#define APP_PIPELINE_PRIVATE_H

#include <pthread.h>

#include "app/pipeline.h"
#include "base/strbuf.h"

enum {
	NBATCHES = 12,         /* batches on their way at once */
	NPIECES = 16,          /* pieces of output on their way, a worker */
	OUT_BYTES = 128 << 10, /* of records in a piece */
	OUT_BLOCK = 16 << 10,  /* memory of copied records comes in: several each */
	OUT_RECORDS = 1024,
	LINES = 128, /* bytes of two cache lines: what one thread writes and another does not read is not in the same */
	READ_AHEAD = 4, /* batches that a worker has before it, when others can read */
	WAKE_AHEAD = 4, /* batches before a worker that sleeps: fewer are not worth waking it */
	WAKE_FREE = 6,  /* the same of free ones, when it is to read */
};

/* Packets and what the front made of them. Used by all workers, then filled again. */
struct batch {
	struct capture_batch capture;
	struct weir_arena arena; /* datagrams put together */
	/* one worker: all of them. Several: those that go whole */
	struct item *items;
	size_t nitems;
	size_t max_items;
	/* several: each worker's own, which begin at a multiple of max_items, and everybody's moments */
	struct parcel *parcels;
	size_t nparcels[ENGINE_SHARDS];
	struct parcel_base base;
	struct item_moment *moments;
	size_t nmoments;
	bool drops;       /* a moment tells of some */
	unsigned reader;  /* that filled it last */
	uint64_t packets; /* of the run, with this batch */
	bool figures;     /* the workers say where they stand */
	bool calm;        /* nothing comes for now: what was made so far comes out */
	bool last;        /* nothing more comes: finish */
};

/* A record on its way: copied, or its text. */
struct entry {
	struct weir_record_key key;
	const struct weir_record *rec; /* NULL: text */
	size_t len;                    /* of it, behind that of the entry before */
};

/* A piece of a worker's output: records in ascending order. */
struct piece {
	struct weir_arena arena; /* of copies */
	struct strbuf text;
	struct entry entries[OUT_RECORDS];
	size_t n;
	bool end_of_batch;
};

struct pipeline;

struct worker {
	_Alignas(LINES) struct pipeline *pipeline;
	struct engine *engine;
	struct weir_tap *tap;
	void *desk;           /* options.desks; NULL: records are copied */
	struct budget budget; /* of copies */
	struct arena_pool arenas;
	size_t text_size; /* of the pieces' texts, together */
	size_t text_peak;
	struct piece *piece;       /* being filled */
	struct engine_stats stats; /* as of the last batch that asked */
	pthread_t thread;
	bool running;
	/* under the lock */
	_Alignas(LINES) uint64_t done; /* batches that it is through with */
	struct piece *spare[NPIECES];  /* the last one is the warmest */
	size_t nspare;
	struct piece *sent[NPIECES]; /* the k-th is at k % NPIECES */
	uint64_t nsent;
	uint64_t ntaken; /* of those, by who merges */
	pthread_cond_t moved;
	bool asleep;
	bool for_pieces; /* ... until others have merged some */
	/* of who merges */
	_Alignas(LINES) struct piece *head;
	size_t at;            /* the next entry */
	size_t offset;        /* of its text */
	struct piece *pieces; /* all of them; NULL: one worker */
};

/* Where reading is. Of who reads. */
struct reading {
	size_t input;
	bool begun;   /* capture_begin() is through with it */
	bool figures; /* somebody wants them */
	bool calm;    /* the input gives nothing for now */
	bool over;    /* no more input: the last batch is next */
	bool done;    /* it was given */
	int err;
	uint64_t bytes_before; /* of the inputs that were read */
	unsigned by;           /* the worker whose turn it is */
	struct item item;      /* being made, with several workers */
	bool full;             /* max_packets were read, or the last file is written */
};

enum { MERGE_PARTS = 64 };

/* Text that is about to be written. Of who merges. */
struct merged_text {
	struct iovec parts[MERGE_PARTS];
	int n;
	uint64_t nrecords;
};

struct pipeline {
	struct pipeline_options options;
	struct pipeline_result *result;
	struct worker *workers;
	unsigned nworkers;
	uint64_t *input_base;
	size_t nbatches;
	bool live;
	bool apart; /* the thread that began reads, and nothing else */
	_Alignas(LINES) struct reading reading;
	struct front front;
	struct budget budget; /* of the batches */
	struct arena_pool arenas;
	struct batch batches[NBATCHES];
	_Alignas(LINES) struct merged_text text;
	/* under the lock, with more than one worker */
	_Alignas(LINES) pthread_mutex_t lock;
	pthread_cond_t room; /* for the thread that reads apart: a batch is free */
	unsigned places; /* so many workers can run at once, where there is a processor for each */
	unsigned sleepers; /* workers that wait */
	uint64_t hurry;    /* so many of the batches given cannot wait until there are more */
	struct batch *free[NBATCHES];
	size_t nfree;
	struct batch *given[NBATCHES]; /* the k-th is at k % NBATCHES */
	uint64_t ngiven;
	uint64_t nmerged; /* of those */
	uint64_t nsent;   /* pieces, of all workers */
	bool is_reading;
	bool is_merging;
	bool read_all;                 /* the last batch was given */
	bool abandoned;                /* starting failed: threads end */
	bool looking;                  /* figures are on their way */
	bool look_again;               /* they are wanted once more */
	struct pipeline_result so_far; /* what goes with them */
};

/** Read once: at most one batch is given to the workers (or handled, by the only one). A batch must be free. */
void pipeline_read(struct pipeline *pipeline);
/** Has the run been told to end? */
bool pipeline_is_stopped(const struct pipeline *pipeline);
/** The first thing that is said stays. */
void pipeline_note(struct pipeline *pipeline, const char *text);
/** What is known of the run by who reads. */
void pipeline_collect_reading(const struct pipeline *pipeline, struct pipeline_result *ret);
/** The figures so far, from the one worker or all of them. */
void pipeline_give_figures(struct pipeline *pipeline);

/** A worker's records. WEIR_ENOMEM */
int worker_open_pieces(struct worker *worker, size_t memory);
void worker_close_pieces(struct worker *worker);
/** engine_options.record: context is the worker */
void worker_record(void *context, const struct weir_record *rec);
/** Everything a worker's thread does, to the end of the run. */
void worker_run(struct worker *worker);
/** Processors that this process may use. */
unsigned worker_places(void);
/** Reading apart: until a batch is free. */
void worker_wait_for_room(struct pipeline *pipeline);
/** A batch was read. It counts as given, and everybody hears of it. */
void worker_give(struct pipeline *pipeline, struct batch *batch);

/** Those that sleep and now have something to do go on. Call with the lock, whenever something moved. */
void worker_wake_others(struct pipeline *pipeline);

/** Merge what there is, batch by batch, as far as it goes. By one thread at a time. */
void pipeline_merge(struct pipeline *pipeline);

#endif

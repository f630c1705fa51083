/* SPDX-License-Identifier: Apache-2.0 */
/* The sinks of a run: opened from what was written after -o, given every record, closed. */
#ifndef APP_OUTPUT_H
#define APP_OUTPUT_H

#include <stdatomic.h>

#include "app/options.h"
#include "app/summary.h"
#include "app/taps.h"
#include "engine/engine.h"
#include "query/query.h"
#include "sink/batch.h"
#include "sink/sink.h"

enum { OUTPUT_NAME = 48 };

struct output;

struct output_sink {
	struct sink_spec spec;
	struct weir_sink *sink;
	struct sink_batch *batch; /* delivery to it, once started; closes it */
	struct output *output;    /* for callbacks */
	atomic_bool broken_pipe;  /* its reader went away */
	struct sink_batch_stats stats;
	char counters[SINK_NLOSSES][OUTPUT_NAME]; /* names of its losses in the summary */
};

/* -Y, for one thread, and what it decided. */
struct output_filter {
	struct query *query; /* NULL: every record */
	uint64_t matched;    /* final records that it let through ... */
	uint64_t left_out;   /* ... and those it did not */
	uint64_t limited;    /* comparisons that were given up */
};

struct output {
	struct output_sink sinks[OPTIONS_MAX_OUTPUTS];
	size_t nsinks;
	const struct weir_schema *schemas[ENGINE_MAX_SCHEMAS + 1];
	struct taps taps;                                 /* of sinks that have one */
	const char *filter_text;                          /* of -Y, borrowed; NULL: none */
	struct output_filter filter;                      /* of the thread that records come on */
	bool filtered;                                    /* there is (or was) one */
	struct summary_counter figures[SUMMARY_COUNTERS]; /* what sinks say about themselves */
	atomic_bool broken_pipe;                          /* of any sink: stop quietly */
	/* A text for the user, several lines, on the thread where it came up; NULL: stderr */
	void (*say)(void *context, const char *text);
	void *context;
};

/** May colour be used on a stream that is (or is not) a terminal? --color, NO_COLOR, TERM. */
bool output_color(const struct options *options, bool tty);

/** Open the sinks of the options. WEIR_EINVAL (usage), WEIR_EIO ...: a message was printed; output_close() is still due. */
int output_open(struct output *output, const struct options *options);

/**
 * Begin delivery, with threads where they are due: when rights have been dropped, before the first record.
 *
 * Live, each sink has a queue and a thread of its own, and what does not fit into its queue is lost to it and counted. Reading
 * files, one sink is written to where the records come up; several have queues and threads, and the slowest one sets the pace.
 *
 * @param memory of all queues
 * @return 0, WEIR_ENOMEM
 */
int output_start(struct output *output, bool live, size_t memory);

/** Does some sink read this field? (engine_options.wants) */
bool output_wants(void *output, const struct weir_schema *schema, size_t field);

/** What must be done with bodies at least, for the filter to see what it asks for. */
enum weir_bodies output_bodies(const struct output *output, enum weir_bodies bodies);

/** Is it of the type that the sink of raw bytes makes for itself? Such a record is no other sink's, nor the summary's. */
bool output_is_private(const struct output *output, const struct weir_record *rec);

/** Give a record that the filter lets through to all sinks, a private one to its own, an interim one to those that
 * replace it. The first failure of each is told. */
void output_record(struct output *output, const struct weir_record *rec);

/**
 * Records that come from several threads, before they are in order: each thread has a filter and a formatter of its own, and text in order
 * goes to output_text() instead of the records to output_record(). It takes one sink that writes text (besides `none`) and no
 * other, reading files: output_start() then gives it no thread.
 *
 * Both after output_open(). WEIR_ENOMEM; output_formatter_open() also WEIR_EUNSUPPORTED: this output wants records. *ret is
 * NULL when nothing is written.
 */
int output_filter_open(const struct output *output, struct output_filter *ret);
void output_filter_close(struct output_filter *filter);
int output_formatter_open(const struct output *output, struct weir_formatter **ret);
/** The sink that formatters are of; NULL: none writes */
const struct output_sink *output_writer(const struct output *output);
/** Does the filter let it through? What raw sinks say about their files is not asked about. */
bool output_passes(const struct output *output, struct output_filter *filter,
		   const struct weir_record *rec);
/** Is it for this sink, whatever the filter says? */
bool output_is_for(const struct output *output, const struct output_sink *sink,
		   const struct weir_record *rec);
/** Text of so many records, borrowed. */
void output_text(struct output *output, const struct iovec *text, int n, uint64_t nrecords);

/** Does some sink ask for the capture's figures (weir_sink_type.health)? */
bool output_wants_health(const struct output *output);

/** A record of these figures, to those sinks. It is not filtered. */
void output_health(struct output *output, const struct weir_record *rec);

/** Push out what sinks hold back: somebody may be watching. Failures as of output_record() */
void output_flush(struct output *output);

/** Open the files again (SIGHUP: they have been moved away). What cannot be opened is told, and written on as before. */
void output_reopen(struct output *output);

/** Write what waits, and close. @return 0, or WEIR_EIO when something could not be written (told) */
int output_close(struct output *output);

/** What sinks count themselves, so far or, after output_close(), in the end. Valid until the next call. */
const struct summary_counter *output_figures(struct output *output);

/** Records that sinks did not get, by sink and reason, into the summary's drops (names are the output's). @return bytes that
 * the queues held at most, together */
size_t output_report(struct output *output, struct summary_counter *drops);

#endif

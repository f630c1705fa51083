/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's front door: packets in, bytes of flows and records out.
 *
 *	struct weir_config config;
 *	struct weir_callbacks callbacks = {0};
 *	struct weir_engine *engine;
 *
 *	weir_config_init(&config);
 *	callbacks.record = my_function;
 *	if (weir_engine_new(&config, &callbacks, &engine) < 0) ...
 *	while (there is a packet) {
 *		weir_engine_push(engine, &packet);
 *	}
 *	weir_engine_finish(engine);
 *	weir_engine_free(engine);
 *
 * An engine has no thread, no clock and no I/O of its own, and no globals: time is the packets' time (and weir_engine_tick()),
 * memory is config->allocator's, errors are return values. Engines share nothing: one may be used on each thread; the packets
 * of one TCP connection must then all go to the same engine. An engine is used by one thread at a time.
 *
 * Calls from within a callback: everything named weir_flow_..., weir_record_... and weir_engine_stats() is legal.
 * weir_engine_new() of another engine too. The calls that move this engine (push, tick, flush_older, finish, next, add_...)
 * give WEIR_EINVAL there and do nothing; weir_engine_free() of it is not allowed.
 *
 * Units: sizes are bytes, times are nanoseconds since the epoch on the capture clock, stream offsets are 64-bit (see stream.h).
 * What a peer sends is never an error of a call: it is marked on records and counted in struct weir_stats.
 */
#ifndef WEIR_ENGINE_H
#define WEIR_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "error.h"
#include "export.h"
#include "flow.h"
#include "packet.h"
#include "parser.h"
#include "record.h"
#include "sink.h"
#include "stream.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_engine; /* made by weir_engine_new() */
struct weir_flow;   /* one connection; lives from opened() until closed() returns */

/* What is wanted of a flow: the answer of opened(), bits. */
enum weir_want {
	WEIR_WANT_NOTHING =
		0, /* ignore it: no callback any more, and no memory but its entry in the table */
	WEIR_WANT_BYTES = 1,   /* data(), gap(), end() */
	WEIR_WANT_RECORDS = 2, /* the parsers look at it: record() and sinks */
	WEIR_WANT_ALL = 3
};

/* What data() makes of a chunk. Both fields are set before the call so that nothing need be done to consume all. */
struct weir_take {
	/* in: chunk->len. Less than that holds the rest back: it is kept (copied, charged to the budget) and offered again at the
	 * beginning of the next chunk of this direction, or after weir_flow_offer(). At most config->head_limit + 64 KiB
	 * can be held in a direction; beyond that, or without memory, what is held is dropped: gap() with length 0 says so */
	size_t consumed;
	/* in: 0. So many bytes after the consumed ones are opaque: they pass without a call of data(). Not with bytes held back:
	 * skipping begins right after `consumed`. Missing ones among them are told by gap() all the same, and count */
	uint64_t skip;
};

/* Bytes that will not come. */
struct weir_gap {
	uint64_t offset; /* stream offset of the first missing byte */
	uint64_t length; /* 0: nothing is missing, only held bytes were dropped */
	enum weir_gap_cause cause;
	size_t dropped; /* held bytes right before it that are given up; data() has seen them */
};

/*
 * What an engine calls. Any may be NULL. Zero the struct first: new members come at its end. Everything passed by pointer is
 * borrowed until the callback returns. For one flow the order is: opened; data and gap in ascending stream offsets within
 * each direction; end, once a direction; closed. Records come between them as they complete, the flow's `tcp` record after
 * closed (when late packets can no longer come, or the tuple is used anew).
 */
struct weir_callbacks {
	void *context; /* first argument of each */
	/**
	 * A flow's first packet, before anything of it is looked at. Client and server are those of its SYN; without one they
	 * are a guess that may turn round until the first data().
	 * @return bits of enum weir_want. Without this callback: bytes if there is data(), gap() or end(), records if
	 *         anything takes records
	 */
	unsigned (*opened)(void *context, struct weir_flow *flow);
	/** In-order bytes, at least one; see struct weir_take. */
	void (*data)(void *context, struct weir_flow *flow, enum weir_direction dir,
		     const struct weir_chunk *chunk, struct weir_take *take);
	/** A hole was given up. */
	void (*gap)(void *context, struct weir_flow *flow, enum weir_direction dir,
		    const struct weir_gap *gap);
	/** The direction is over; `dropped` held bytes are given up. */
	void (*end)(void *context, struct weir_flow *flow, enum weir_direction dir,
		    enum weir_close how, size_t dropped);
	/** The flow is over: release what weir_flow_set_user() attached. Not called for ignored flows. */
	void (*closed)(void *context, struct weir_flow *flow, enum weir_close how);
	/** A record: final, or interim (WEIR_F_FINAL is there and 0: another one with its id will follow). */
	void (*record)(void *context, const struct weir_record *rec);
	/** Does record() read this field? NULL: all. Asked once for each before the first packet; saves work. */
	bool (*wants)(void *context, const struct weir_schema *schema, size_t field);
};

/* ---- life ---- */

/** Version of the library, "MAJOR.MINOR.PATCH"; static. */
WEIR_API const char *weir_version(void);

/**
 * A new engine.
 * @param config    copied; NULL: the defaults. What it points to (allocator, parsers) must live as long as the engine
 * @param callbacks copied; NULL: none (then use weir_engine_queue() or sinks)
 * @param ret       the engine: weir_engine_free() it
 * @return 0, WEIR_EINVAL (config->memory below 4 MiB), WEIR_ENOMEM
 */
WEIR_API int weir_engine_new(const struct weir_config *config,
			     const struct weir_callbacks *callbacks, struct weir_engine **ret);

/**
 * Release an engine. Flows that are still open (no weir_engine_finish() before) get closed() with WEIR_CLOSE_END and nothing
 * else. Queued events are gone. NULL is fine.
 */
WEIR_API void weir_engine_free(struct weir_engine *engine);

/**
 * Add a parser of your own, asked before the built-in ones. Before the first packet.
 * @param parser borrowed as long as the engine lives; parser.h is its contract
 * @return 0, WEIR_EINVAL (too late, no name or on_data, the name is taken, too many fields), WEIR_ELIMIT (too many parsers or
 *         record types)
 */
WEIR_API int weir_engine_add_parser(struct weir_engine *engine, const struct weir_parser *parser);

/**
 * Open a sink of your own and give it every record, masked and in order. Before the first packet, after the parsers. At most 8,
 * one of them with a tap.
 * @param type   borrowed as long as the engine lives; sink.h is its contract
 * @param config borrowed until return; NULL: no target, no options. `schemas` is filled in when it is NULL
 * @param ret_message NULL, or where a text for the user goes when it fails (static, or the sink type's)
 * @return 0, WEIR_EINVAL (too late, or the sink says so), WEIR_ELIMIT, or what the sink's open() gave
 */
WEIR_API int weir_engine_add_sink(struct weir_engine *engine, const struct weir_sink_type *type,
				  const struct weir_sink_config *config, const char **ret_message);

/* ---- packets and time ---- */

/**
 * Handle one packet. Timers due by its time run first. All that follows from it has happened on return.
 * @param packet borrowed until return (but interface_name: until the engine is freed). Records number packets by the count of
 *               these calls, from 1
 * @return 0; WEIR_EINVAL: after weir_engine_finish(), or from within a callback; WEIR_ELIMIT: the queue of events is full, the
 *         packet was not taken: take events with weir_engine_next(), then push it again
 */
WEIR_API int weir_engine_push(struct weir_engine *engine, const struct weir_packet *packet);

/**
 * It is `now_ns` and no packet came: run the timers that are due. For live links, which may fall silent. The capture clock
 * never goes back: a time before it does nothing, and packets with earlier times are clamped to it.
 * @return 0, WEIR_EINVAL as above, WEIR_ELIMIT: the queue is full, call again after taking events
 */
WEIR_API int weir_engine_tick(struct weir_engine *engine, int64_t now_ns);

/* What a flush did. */
struct weir_flushed {
	uint64_t flows;     /* in which holes were given up */
	uint64_t gaps;      /* holes declared, with cause "age" ... */
	uint64_t gap_bytes; /* ... and their bytes */
	uint64_t closed;    /* flows closed as timed out */
};

/**
 * Give up what is older than a time: holes that wait since before it become gaps (what waited behind them is delivered), and
 * flows without a packet since then are closed. The engine does this by itself, by config's times; this is for those who
 * want it earlier.
 * @param ret counts of this call; NULL: not wanted
 * @return 0, WEIR_EINVAL, WEIR_ELIMIT as weir_engine_tick()
 */
WEIR_API int weir_engine_flush_older(struct weir_engine *engine, int64_t before_ns,
				     struct weir_flushed *ret);

/**
 * No more packets: every flow ends (WEIR_CLOSE_END), in the order of their first packets, and sinks are flushed. Once.
 * With a queue the flows end as events are taken: go on with weir_engine_next() until it gives 0.
 * @return 0, WEIR_EINVAL (twice, or from within a callback), or the first error that a sink gave in the whole run
 */
WEIR_API int weir_engine_finish(struct weir_engine *engine);

/* ---- flows: from within callbacks, for the flow they were given ---- */

/** Addresses, id and first packet; valid until the callback returns. */
WEIR_API const struct weir_flow_info *weir_flow_get_info(const struct weir_flow *flow);
/** Something of yours at the flow; NULL at first. */
WEIR_API void weir_flow_set_user(struct weir_flow *flow, void *user);
WEIR_API void *weir_flow_get_user(const struct weir_flow *flow);
/** What became of each byte of a direction so far. */
WEIR_API void weir_flow_get_ledger(const struct weir_flow *flow, enum weir_direction dir,
				   struct weir_ledger *ret);
/** Round trip time, retransmissions and the like so far, both directions together. */
WEIR_API void weir_flow_get_figures(const struct weir_flow *flow, struct weir_tcp_figures *ret);
/**
 * Nothing more of this flow is wanted: no callback and no record of it will come, closed() neither (release what is yours
 * now). What it holds is released when the current packet is done with.
 */
WEIR_API void weir_flow_ignore(struct weir_flow *flow);
/** Offer what a direction holds back once more, after the current callback: the other direction has brought what it waited for. */
WEIR_API void weir_flow_offer(struct weir_flow *flow, enum weir_direction dir);

/* ---- pull instead of push: a queue of events ---- */

enum weir_event_type {
	WEIR_EVENT_OPENED, /* the flow was accepted */
	WEIR_EVENT_DATA,   /* chunk, with dir */
	WEIR_EVENT_GAP,    /* gap, with dir */
	WEIR_EVENT_END,    /* how, with dir */
	WEIR_EVENT_CLOSED, /* how */
	WEIR_EVENT_RECORD, /* record */
	WEIR_EVENT_NTYPES
};

#define WEIR_EVENTS_ALL ((1u << WEIR_EVENT_NTYPES) - 1)

struct weir_event {
	enum weir_event_type type;
	enum weir_direction dir;
	enum weir_close how;
	void *user; /* weir_flow_get_user() when it happened; not of RECORD */
	const struct weir_flow_info *flow; /* when it happened; first_packet tells flows apart */
	struct weir_chunk chunk;
	struct weir_gap gap;
	const struct weir_record *record;
};

/**
 * From now on keep events in a queue instead of calling back. Before the first packet. A queued type's callback is not called,
 * with one exception: opened() decides about a flow at once, and OPENED is queued when it was accepted. Queued bytes are all
 * consumed: holding and skipping is for data().
 * @param types bits 1u << WEIR_EVENT_...; WEIR_EVENTS_ALL
 * @param limit of memory for the queue, bytes; 0: an eighth of config->memory. The calls that make events give WEIR_ELIMIT when
 *              half of it is used, so that one packet's events find room. What does not fit even so is lost, and counted
 *              in weir_stats.events_lost
 * @return 0, WEIR_EINVAL (too late, or no types)
 */
WEIR_API int weir_engine_queue(struct weir_engine *engine, unsigned types, size_t limit);

/**
 * Take the oldest event.
 * @param ret valid until the next call of weir_engine_next() or weir_engine_free()
 * @return 1: there was one; 0: none (push packets; after weir_engine_finish(): all is said); WEIR_EINVAL
 */
WEIR_API int weir_engine_next(struct weir_engine *engine, const struct weir_event **ret);

/* ---- figures ---- */

/* Counts over the engine's life. New members come at the end: the caller says how long its struct is. */
struct weir_stats {
	uint64_t packets;        /* pushed */
	uint64_t bytes;          /* captured, all of the packets */
	uint64_t wire_bytes;     /* of the packets on the wire */
	uint64_t segments;       /* TCP packets among them, datagrams put together included */
	uint64_t damaged;        /* packets whose headers could not be read */
	uint64_t datagrams_lost; /* put together from fragments, but no memory for them */
	uint64_t flows;          /* opened; ignored ones included */
	uint64_t flows_ended[WEIR_CLOSE_NKINDS]; /* by enum weir_close */
	uint64_t flows_refused;                  /* no memory for a new flow */
	uint64_t flows_ignored;                  /* at once or later */
	uint64_t ignored_segments;
	uint64_t ignored_bytes; /* payload passed over: not in the ledger */
	struct weir_ledger
		ledger; /* of all flows, while they were not ignored; pending is 0 after weir_engine_finish() */
	uint64_t gap_bytes
		[WEIR_GAP_NCAUSES]; /* by enum weir_gap_cause; their sum is ledger.gap_bytes */
	uint64_t retransmits;
	uint64_t out_of_order;
	uint64_t overlap_conflicts; /* bytes sent twice with different content, times */
	uint64_t records;           /* final ones */
	uint64_t records_interim;
	uint64_t records_lost; /* no memory */
	uint64_t anomalies;
	uint64_t unknown_flows;     /* payload of no protocol that a parser knows */
	uint64_t evicted_half_open; /* for memory: flows without a handshake ... */
	uint64_t evicted_holes;     /* ... holes declared ... */
	uint64_t evicted_flows;     /* ... and the idlest flows */
	uint64_t
		held_dropped; /* bytes that data() held back and that were dropped for length or memory */
	uint64_t events_lost; /* no room in the queue */
	uint64_t sink_errors;
	uint64_t memory_used; /* bytes, of all that traffic can grow */
	uint64_t memory_peak; /* never above config->memory and 1 MiB */
	int64_t clock_ns;     /* the capture clock */
};

/**
 * Figures so far, living flows included. Takes time proportional to their number.
 * @param size sizeof(struct weir_stats) of the caller: that much is written
 */
WEIR_API void weir_engine_stats(const struct weir_engine *engine, struct weir_stats *ret,
				size_t size);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink contract: where records go. A sink is a struct weir_sink_type; records reach it in order (weir_record_key), from
 * one thread, masked. It knows fields, not protocols.
 */
#ifndef WEIR_SINK_H
#define WEIR_SINK_H

#include "export.h"
#include "record.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_sink; /* a sink's own */

/* One -o KIND[:TARGET][,key=value...] */
struct weir_sink_config {
	const char *target;                       /* "" when none was given; "-" is stdout */
	const char *const *keys;                  /* options; NULL-terminated */
	const char *const *values;                /* of the same length */
	const struct weir_schema *const *schemas; /* every record type there is; NULL-terminated */
	const char *const *interfaces;            /* names of capture interfaces; may be NULL */
	bool tty;                                 /* target is a terminal */
	bool color;
	bool ascii;       /* no signs beyond ASCII */
	unsigned columns; /* of the terminal; 0: unknown */
	unsigned verbose; /* 1: headers, 2: bodies */
	bool live;        /* flush per record */
};

/*
 * A tap sees the raw bytes of flows (sinks `streams`, later `files`): it is called on the workers' threads, one tap a worker,
 * all calls for one flow on one thread. What it wants to say in order (an index) it says with records of its own schema.
 */
struct weir_tap;

struct weir_tap_type {
	const struct weir_schema *schema; /* of the records that end() fills */
	int (*open)(struct weir_sink *sink, struct weir_tap **ret);
	void (*close)(struct weir_tap *tap);
	/* *flow_state is the tap's own, one a flow, NULL at first. Returns 0 or WEIR_EIO/WEIR_ENOMEM (told once, counted) */
	int (*data)(struct weir_tap *tap, void **flow_state, const struct weir_flow_info *flow,
		    enum weir_direction dir, const struct weir_chunk *chunk);
	int (*gap)(struct weir_tap *tap, void **flow_state, const struct weir_flow_info *flow,
		   enum weir_direction dir, uint64_t offset, uint64_t length,
		   enum weir_gap_cause cause);
	/* The direction is over. true: rec was filled and is to be emitted */
	bool (*end)(struct weir_tap *tap, void **flow_state, const struct weir_flow_info *flow,
		    enum weir_direction dir, struct weir_record *rec);
	/* After both ends: release the flow's state */
	void (*done)(struct weir_tap *tap, void **flow_state);
	/*
	 * Message bodies, for taps that want files and not streams; all NULL: none. They come when config->bodies is not
	 * WEIR_BODIES_SIZE. For one body: open, data and gap in order, end. Errors are told as those of data().
	 */
	/* @return the tap's own for this body; NULL: no memory, nothing more of it comes */
	void *(*body_open)(struct weir_tap *tap, const struct weir_flow_info *flow);
	/* Decoded bytes; wire: those of a body with content codings as they came, besides */
	int (*body_data)(struct weir_tap *tap, void *body, bool wire, const uint8_t *p, size_t len);
	/* It is not in the coding that was named: the decoded bytes so far are void, the body is what came as `wire` */
	void (*body_raw)(struct weir_tap *tap, void *body);
	/* Bytes are missing here */
	void (*body_gap)(struct weir_tap *tap, void *body, uint64_t length);
	/* Over, and released. whole: every byte of it was there and decoded. message: the record that it belongs to, unfinished and
	 * not masked; NULL: given up. true: rec was filled and is to be emitted */
	bool (*body_end)(struct weir_tap *tap, void *body, enum weir_direction dir, bool whole,
			 const struct weir_record *message, struct weir_record *rec);
	const struct weir_schema
		*body_schema; /* of the records that body_end() fills; NULL: schema */
};

/*
 * Text in two steps, for sinks that write the same bytes about a record whatever came before it: a formatter makes the bytes, on any thread
 * (one formatter is used by one at a time), and the sink writes what formatters made, in order.
 */
struct weir_formatter; /* a sink's own */
struct strbuf;         /* base/strbuf.h */
struct iovec;

struct weir_formatter_type {
	/** Before the first record. @param sink outlives it. 0, WEIR_ENOMEM, or WEIR_EUNSUPPORTED: this sink wants records */
	int (*open)(const struct weir_sink *sink, struct weir_formatter **ret);
	/** Append what the sink writes about a record, perhaps nothing. 0, or WEIR_ENOMEM: `to` is as it was */
	int (*format)(struct weir_formatter *formatter, const struct weir_record *rec,
		      struct strbuf *to);
	void (*close)(struct weir_formatter *formatter);
	/** Instead of the sink's record(): text of whole records, borrowed. 0 or WEIR_EIO (errno) */
	int (*write)(struct weir_sink *sink, const struct iovec *text, int n);
};

struct weir_sink_type {
	const char *name; /* "json" */
	const char *doc;
	/**
	 * @return 0, or WEIR_EINVAL (bad option), WEIR_EIO, ...; *ret_message is then a text for the user (static, or
	 *         owned by the sink type until the next call)
	 */
	int (*open)(const struct weir_sink_config *config, struct weir_sink **ret,
		    const char **ret_message);
	/** Does it read this field? NULL: all of them */
	bool (*wants)(struct weir_sink *sink, const struct weir_schema *schema, size_t field);
	/** One record, borrowed. 0, or WEIR_EIO: errno says why (EPIPE is quiet) */
	int (*record)(struct weir_sink *sink, const struct weir_record *rec);
	/** Push buffered output out. 0 or WEIR_EIO */
	int (*flush)(struct weir_sink *sink);
	/** Reopen a file target (SIGHUP). May be NULL */
	int (*reopen)(struct weir_sink *sink);
	/** Flush, release. 0 or WEIR_EIO */
	int (*close)(struct weir_sink *sink);
	const struct weir_tap_type *tap; /* NULL: reads records only */
	bool interim; /* gets interim records (`final` is false) too, which a later one of the same id replaces */
	/** Figures for the closing summary, told by `add` (the name is a constant); while no tap is open. May be NULL */
	void (*figures)(struct weir_sink *sink,
			void (*add)(void *context, const char *name, uint64_t n), void *context);
	/** Records between two flushes while nobody waits for them; 0: some hundred */
	unsigned confirm;
	/** A failure of record() or flush() loses what was given since the last flush, and may pass: it is asked again */
	bool recovers;
	/** Milliseconds for which what was given may wait for its flush, whoever is watching; 0: until there is time */
	unsigned hold_ms;
	/** record() gets records of type "capture" too: every 10 s and at the end what the run's counters have grown by */
	bool health;
	const struct weir_formatter_type *formatter; /* NULL: records only */
};

#ifdef __cplusplus
}
#endif
#endif

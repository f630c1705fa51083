/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine: some of the 16 shards, and what turns their items into records. Engines share nothing: a worker thread has
 * one each, and the program with one worker has one with all the shards.
 *
 * Order: items are given in the run's order, all of them to every engine (each handles those of its own shards). Before an
 * item is handled, the timers due by its clock run in ascending (deadline, first packet of the flow), so that each engine's
 * records come out in ascending weir_record_key, and merging the engines' streams gives the same bytes for any number.
 *
 * DESIGN.md gives each shard its timers; here the wheel belongs to the engine, because due timers must run in one order over
 * all its shards. Flows are addressed in it by shard and index.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "engine/front.h"
#include "engine/parcel.h"
#include "engine/shard.h"
#include "flow/timer.h"
#include "parser/registry.h"
#include "record/community.h"
#include "record/redact.h"
#include "weir/record.h"
#include "weir/sink.h"

/* Where records go: borrowed, in order. */
typedef void (*engine_record_fn)(void *context, const struct weir_record *rec);

/*
 * Who watches flows (the public API): called in the run's order, on the engine's thread. A callback may set flow->ignored
 * (FLOW_IGNORE_ASKED) and flow->unparsed.
 */
struct engine_observer {
	/* before its first segment is handled. 0, or below 0: no memory, the flow is refused */
	int (*opened)(void *context, struct flow *flow);
	void (*data)(void *context, struct flow *flow, enum weir_direction dir,
		     const struct weir_chunk *chunk);
	void (*gap)(void *context, struct flow *flow, enum weir_direction dir, uint64_t offset,
		    uint64_t length, enum weir_gap_cause cause);
	/* at FIN, and for both directions when the flow ends: the second time is to be passed over */
	void (*end)(void *context, struct flow *flow, enum weir_direction dir, enum weir_close how);
	/* after its last record but `tcp`. Also when it is ignored, with how below 0: release `observed` */
	void (*closed)(void *context, struct flow *flow, int how);
};

enum { ENGINE_MAX_SCHEMAS = 24 };

struct engine_options {
	const struct weir_config *config;
	unsigned worker; /* this engine owns the shards s with s % nworkers == worker */
	unsigned nworkers;
	const uint64_t *input_base; /* the front's */
	size_t ninputs;
	uint64_t seed; /* of the items' hashes: the front's */
	engine_record_fn record;
	void *context;
	bool (*wants)(void *context, const struct weir_schema *schema,
		      size_t field); /* NULL: all */
	bool (*reads_tcp)(
		void *context); /* false: `tcp` records without anomalies are only counted; NULL: true */
	void *wants_context;
	const struct weir_tap_type *tap; /* NULL: none */
	struct weir_tap *tap_instance;
	const struct engine_observer *observer; /* NULL: none */
	void *observer_context;
};

/* What is counted over a run; those of several engines add up. */
struct engine_stats {
	uint64_t flows;
	uint64_t segments;      /* TCP packets handled */
	uint64_t refused_flows; /* no memory for a new flow */
	uint64_t
		late_segments; /* of flows that were gone: captured once more (struct shard_gone) */
	uint64_t late_bytes;   /* of payload in them; rejected, too */
	uint64_t ended[WEIR_CLOSE_NKINDS];
	struct weir_ledger ledger; /* of finalised flows (all of them after engine_finish) */
	uint64_t gap_causes[WEIR_GAP_NCAUSES];
	uint64_t gap_cause_bytes[WEIR_GAP_NCAUSES];
	uint64_t midstream; /* flows without SYN and SYN/ACK */
	uint64_t with_data; /* flows with payload */
	uint64_t one_way;   /* of those: packets of one direction only were captured */
	uint64_t retransmits;
	uint64_t out_of_order;
	uint64_t duplicate_acks;
	uint64_t zero_windows;
	uint64_t rst_ignored;
	uint64_t overlap_conflicts;
	uint64_t offloaded;                   /* bad checksums accepted as offload */
	uint64_t above_mss;                   /* segments larger than the receiver said it takes */
	uint64_t records[ENGINE_MAX_SCHEMAS]; /* final ones, by index in engine_schemas() */
	uint64_t interim;
	uint64_t unread_tcp; /* of records: `tcp` ones that were not made */
	uint64_t records_no_memory;
	uint64_t anomalies;
	uint64_t anomalies_suppressed;
	uint64_t unknown_flows;  /* payload of no known protocol */
	uint64_t tail_overflows; /* unfinished tokens dropped for length */
	uint64_t tap_errors;
	uint64_t evicted_half_open;
	uint64_t evicted_holes;
	uint64_t evicted_flows;
	uint64_t
		ignored_flows; /* the observer wanted nothing of them: their bytes are not in the ledger from then on */
	uint64_t ignored_segments;
	uint64_t ignored_bytes;
	uint64_t budget_used;
	uint64_t budget_peak;
};

/* A flow's public view, kept for its next record, and what all its records have in common. info.first_packet 0: none. */
struct engine_info {
	struct weir_flow_info info;
	char flow_id[WEIR_ID_LEN];            /* with has_flow_id */
	char community[RECORD_COMMUNITY_LEN]; /* with has_community */
	uint8_t client;                       /* side, when it was made */
	bool has_flow_id;
	bool has_community;
};

enum { ENGINE_INFOS = 256 };

struct engine {
	struct engine_options options;
	struct shard *shards[ENGINE_SHARDS +
			     1]; /* NULL: another engine's; the last is nobody's: FRONT_NO_SHARD */
	struct timer_wheel *timers;
	struct budget budget; /* of the wheel */
	struct parser_set parsers;
	const struct weir_schema *schemas[ENGINE_MAX_SCHEMAS + 1];
	uint64_t wanted[ENGINE_MAX_SCHEMAS][2];
	struct redact_which secret[ENGINE_MAX_SCHEMAS]; /* fields that masking looks at */
	bool reads_tcp; /* `tcp` records are made, not only counted */
	int64_t clock_ns;
	struct {
		struct flow *
			flow; /* of the last packet, when its jump forward is not confirmed; NULL: none */
		uint64_t packet;
		int64_t seen_ns;
		int64_t idle_until_ns; /* when the flow would have timed out without this packet */
	} jump;
	int64_t dropped_ns; /* clock when the capture last told of drops; INT64_MIN: never */
	bool plain;         /* deliver and overlap are the defaults, for every host */
	struct engine_stats stats;
	/* what is being handled: the key of records it completes */
	struct {
		uint64_t packet;
		int64_t deadline_ns;
		bool by_packet;
	} now;
	struct engine_info infos[ENGINE_INFOS]; /* by the flow's first packet */
	struct record_community *community;
};

/** All record types: tcp, anomaly, the tap's, then the parsers'. NULL-terminated, static order. @return their number */
size_t engine_schemas(const struct weir_tap_type *tap,
		      const struct weir_schema *ret[ENGINE_MAX_SCHEMAS + 1]);

/** WEIR_ENOMEM */
int engine_new(const struct engine_options *options, struct engine **ret);
void engine_free(struct engine *engine);

/** Handle the items of a batch, in order; those of other engines' shards only move the clock. */
void engine_items(struct engine *engine, const struct item *items, size_t nitems);

/* What an engine has of a batch: the items of its shards, and the moments of all. */
struct engine_part {
	const struct parcel *parcels; /* their moments rise */
	size_t nparcels;
	const struct parcel_base *base;
	const struct item_moment *moments; /* clock_ns never falls */
	size_t nmoments;
	bool drops; /* a moment tells of some */
};

/** The same as engine_items() with all items of the batch: those of others are not looked at, and need not be near. */
void engine_part(struct engine *engine, const struct engine_part *part);

/** End of the run: every flow ends, in the order of their first packets. `packets` is the run's number of packets. */
void engine_finish(struct engine *engine, uint64_t packets);

/**
 * Run the timers that are due by a time of the capture clock, which is `clock_ns` afterwards: for idle links. `packet` is
 * the number of the next packet. engine_run_timer() runs one of them, and leaves the clock at its deadline.
 */
void engine_tick(struct engine *engine, uint64_t packet, int64_t clock_ns);
bool engine_run_timer(struct engine *engine, uint64_t packet, int64_t clock_ns);

/** engine_finish() in steps: begin once, then one flow a call until it returns false. */
void engine_finish_begin(struct engine *engine, uint64_t packets);
bool engine_finish_one(struct engine *engine);

struct engine_flushed {
	uint64_t flows; /* with a hole given up */
	uint64_t gaps;
	uint64_t gap_bytes;
	uint64_t closed;
};

/**
 * Declare the holes that wait since before a time, and close the flows that were idle since before it.
 * @param packet the number of the next packet
 * @param from   0 at first: where to go on; moved
 * @return       false: all flows were looked at
 */
bool engine_flush_some(struct engine *engine, uint64_t packet, int64_t before_ns, uint32_t *from,
		       struct engine_flushed *ret);

/** Before the first item: add a parser of the caller's, or a tap. WEIR_EINVAL, WEIR_ELIMIT */
int engine_add_parser(struct engine *engine, const struct weir_parser *parser);
int engine_add_tap(struct engine *engine, const struct weir_tap_type *tap,
		   struct weir_tap *instance);
/** What is wanted has changed: ask options.wants again. */
void engine_find_wanted(struct engine *engine);

/** Figures so far, those of living flows included. */
void engine_get_stats(struct engine *engine, struct engine_stats *ret);
void engine_stats_add(struct engine_stats *to, const struct engine_stats *from);

/* ---- used within engine/ ---- */

/** Mask, order and hand over a record; it stays the caller's. */
void engine_emit(struct engine *engine, struct flow *flow, struct weir_record *rec);
/** A new record with the common fields filled in, or NULL (counted). */
struct weir_record *engine_record(struct engine *engine, struct flow *flow,
				  const struct weir_schema *schema, int64_t ts_ns);
/** Is it a schema of the tap's records, which are its own sink's only? */
bool engine_is_of_tap(const struct engine *engine, const struct weir_schema *schema);
/** Index of a schema in the engine's table. */
size_t engine_schema_index(const struct engine *engine, const struct weir_schema *schema);
/** The public view of a flow, cached. */
const struct weir_flow_info *engine_info(struct engine *engine, const struct flow *flow);
/** An oddity: named on rec, counted, and (at most ENGINE_MAX_ANOMALIES a flow) a record of its own. */
void engine_anomaly(struct engine *engine, struct flow *flow, struct weir_record *rec,
		    const struct weir_anomaly *what, enum weir_direction dir, uint64_t offset);

/* An oddity of TCP or IP: nothing that a parser sees. */
struct engine_oddity {
	const struct weir_anomaly *what;
	enum weir_direction dir;
	uint64_t offset;
	const uint8_t *evidence; /* NULL: none */
	const uint8_t *kept;     /* the other copy; NULL: none */
	size_t len;              /* of each */
	uint64_t packet;         /* that carries the bytes which are in the stream; 0: not known */
	bool open;               /* it is about whatever transaction is open now, not about bytes */
};

/**
 * Count it, make a record of it (at most ENGINE_MAX_ANOMALIES a flow), and remember it: the records of transactions that it touches,
 * and the flow's own, name it when they are emitted.
 */
void engine_oddity(struct engine *engine, struct flow *flow, const struct engine_oddity *oddity);
void engine_forget_oddities(struct flow *flow);

/** What the configuration says of deliver and overlap, for a flow that opens. */
void engine_apply_policies(const struct weir_config *config, struct flow *flow);
bool engine_policies_are_valid(const struct weir_config *config);

/** The timer of a flow: set to the earliest of what it waits for. */
void engine_arm(struct engine *engine, struct flow *flow);
/**
 * The same for a flow that has just begun, and the timer at most as far away as a tombstone: a short flow needs no earlier one when
 * it ends, and a long one's is set again, once, when nothing is due.
 */
void engine_arm_first(struct engine *engine, struct flow *flow);
/** When that is; TIMER_NONE: never. */
int64_t engine_deadline(const struct engine *engine, const struct flow *flow);

#endif

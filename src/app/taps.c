/* SPDX-License-Identifier: Apache-2.0 */
/* Two taps as one: see taps.h. */
#include "app/taps.h"

#include <stdlib.h>

#include "weir/error.h"

/* An instance for one worker. */
struct weir_tap {
	const struct taps *taps;
	struct weir_tap *streams, *bodies;
};

static void both_close(struct weir_tap *tap)
{
	if (tap == NULL) {
		return;
	}
	if (tap->streams != NULL) {
		tap->taps->streams->close(tap->streams);
	}
	if (tap->bodies != NULL) {
		tap->taps->bodies->close(tap->bodies);
	}
	free(tap);
}

static int both_open(struct weir_sink *sink, struct weir_tap **ret)
{
	const struct taps *taps = (const struct taps *)sink;
	struct weir_tap *tap = calloc(1, sizeof(*tap));
	int err;

	if (tap == NULL) {
		return WEIR_ENOMEM;
	}
	tap->taps = taps;
	err = taps->streams->open(taps->streams_sink, &tap->streams);
	if (err == 0) {
		err = taps->bodies->open(taps->bodies_sink, &tap->bodies);
	}
	if (err < 0) {
		both_close(tap);
		return err;
	}
	*ret = tap;
	return 0;
}

static int both_data(struct weir_tap *tap, void **state, const struct weir_flow_info *flow,
		     enum weir_direction dir, const struct weir_chunk *chunk)
{
	return tap->taps->streams->data(tap->streams, state, flow, dir, chunk);
}

static int both_gap(struct weir_tap *tap, void **state, const struct weir_flow_info *flow,
		    enum weir_direction dir, uint64_t offset, uint64_t length,
		    enum weir_gap_cause cause)
{
	return tap->taps->streams->gap(tap->streams, state, flow, dir, offset, length, cause);
}

static bool both_end(struct weir_tap *tap, void **state, const struct weir_flow_info *flow,
		     enum weir_direction dir, struct weir_record *rec)
{
	return tap->taps->streams->end(tap->streams, state, flow, dir, rec);
}

static void both_done(struct weir_tap *tap, void **state)
{
	tap->taps->streams->done(tap->streams, state);
}

static void *both_body_open(struct weir_tap *tap, const struct weir_flow_info *flow)
{
	return tap->taps->bodies->body_open(tap->bodies, flow);
}

static int both_body_data(struct weir_tap *tap, void *body, bool wire, const uint8_t *p, size_t len)
{
	return tap->taps->bodies->body_data(tap->bodies, body, wire, p, len);
}

static void both_body_raw(struct weir_tap *tap, void *body)
{
	tap->taps->bodies->body_raw(tap->bodies, body);
}

static void both_body_gap(struct weir_tap *tap, void *body, uint64_t length)
{
	tap->taps->bodies->body_gap(tap->bodies, body, length);
}

static bool both_body_end(struct weir_tap *tap, void *body, enum weir_direction dir, bool whole,
			  const struct weir_record *message, struct weir_record *rec)
{
	return tap->taps->bodies->body_end(tap->bodies, body, dir, whole, message, rec);
}

bool taps_add(struct taps *taps, const struct weir_tap_type *type)
{
	const struct weir_tap_type **to = type->body_open != NULL ? &taps->bodies : &taps->streams;

	if (*to != NULL) {
		return false;
	}
	*to = type;
	return true;
}

void taps_set_sink(struct taps *taps, const struct weir_tap_type *type, struct weir_sink *sink)
{
	*(type == taps->bodies ? &taps->bodies_sink : &taps->streams_sink) = sink;
}

const struct weir_tap_type *taps_type(struct taps *taps)
{
	if (taps->streams == NULL || taps->bodies == NULL) {
		return taps->streams != NULL ? taps->streams : taps->bodies;
	}
	taps->type = (struct weir_tap_type){
		.schema = taps->streams->schema,
		.open = both_open,
		.close = both_close,
		.data = both_data,
		.gap = both_gap,
		.end = both_end,
		.done = both_done,
		.body_open = both_body_open,
		.body_data = both_body_data,
		.body_raw = both_body_raw,
		.body_gap = both_body_gap,
		.body_end = both_body_end,
		.body_schema = taps->bodies->schema,
	};
	return &taps->type;
}

struct weir_sink *taps_sink(struct taps *taps)
{
	if (taps->streams == NULL || taps->bodies == NULL) {
		return taps->streams != NULL ? taps->streams_sink : taps->bodies_sink;
	}
	return (struct weir_sink *)taps;
}

bool taps_own(const struct taps *taps, const struct weir_schema *schema)
{
	return (taps->streams != NULL && taps->streams->schema == schema) ||
	       (taps->bodies != NULL && taps->bodies->schema == schema);
}

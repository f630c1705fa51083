/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a record's JSON does not depend on its values, worked out once: for the record writer (json_record.h).
 *
 * A plan holds a schema's fields in the order in which they are written: depth first through the tree that the dots
 * make. A shape is a plan for records that have just these fields: the text between each two values, braces and names
 * together, is then a constant. Records of a type come in few shapes; those met last are kept.
 */
#ifndef SINK_JSON_PLAN_H
#define SINK_JSON_PLAN_H

#include <stdbool.h>

#include "weir/record.h"

enum {
	JSON_SLACK =
		64, /* behind a shape's text and behind what is written: copies of whole words use it */
	JSON_SCALAR_MAX = 64, /* text of a number, time, address */
};

/* One field of a shape. */
struct json_step {
	const char *
		text; /* what stands between the value before and this one, quotes of strings included: "}},"a":{"b":" */
	uint16_t len;
	uint8_t field;
	uint8_t kind; /* enum weir_kind */
};

struct json_shape {
	uint64_t present[2]; /* the fields, as in a record */
	size_t nsteps;
	size_t room;     /* for all texts, the end, and the longest that scalars can be */
	const char *end; /* the braces behind the last value but the record's own */
	size_t end_len;
	struct json_step steps[];
};

struct json_plan;

/** @return NULL: no memory */
struct json_plan *json_plan_new(const struct weir_schema *schema);
void json_plan_free(struct json_plan *plan);

/** The shape of records of the plan's schema with these fields; valid until the next call. NULL: no memory */
const struct json_shape *json_plan_shape(struct json_plan *plan, const uint64_t present[2]);

/* Plans of the schemas met so far. All zero is the initial state. */
struct json_plans {
	struct json_plan *first;
	const struct weir_schema *last_schema; /* the one asked for last */
	struct json_plan *last;
};

/** The plan of a schema, made when it is asked for first. NULL: no memory */
struct json_plan *json_plans_of(struct json_plans *plans, const struct weir_schema *schema);
void json_plans_fini(struct json_plans *plans);

#endif

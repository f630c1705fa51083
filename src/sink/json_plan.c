/* SPDX-License-Identifier: Apache-2.0 */
/* Plans and shapes: see json_plan.h. */
#include "sink/json_plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

enum {
	MAX_DEPTH = 8, /* dots in a name */
	NSHAPES = 32,  /* kept of a plan, by a hash of what is present */
};

/* A field of the schema. */
struct leaf {
	const char *open;       /* "http":{"request":{"method": */
	uint16_t at[MAX_DEPTH]; /* where the text of a level begins in `open` */
	uint16_t len;           /* of open */
	uint8_t field;
	uint8_t kind;
	uint8_t depth;  /* objects around it, the record itself not counted */
	uint8_t common; /* of those, shared with the leaf before */
};

struct json_plan {
	struct json_plan *next;
	const struct weir_schema *schema;
	char *text; /* all the `open` texts */
	char *head; /* {"type":"http" */
	size_t head_len;
	size_t text_max; /* of a shape's text */
	size_t nleaves;
	struct json_shape *shapes[NSHAPES]; /* NULL: none yet */
	struct leaf leaves[WEIR_MAX_FIELDS];
};

/* ---- the order of fields ---- */

/* Number of objects that two names share. */
static uint8_t common_depth(const char *a, const char *b)
{
	uint8_t n = 0;

	for (; *a == *b && *a != '\0'; a++, b++) {
		n += *a == '.';
	}
	return n;
}

/* Append to the plan every field below a prefix ("" or "http.request."), whole objects together. */
static void order_fields(struct json_plan *plan, uint64_t done[2], const char *prefix,
			 size_t prefix_len)
{
	const struct weir_field *field;
	size_t i;

	for (i = 0; (field = weir_schema_field(plan->schema, i)) != NULL; i++) {
		const char *dot;

		if ((done[i >> 6] >> (i & 63) & 1) != 0 ||
		    strncmp(field->name, prefix, prefix_len) != 0) {
			continue;
		}
		dot = strchr(field->name + prefix_len, '.');
		if (dot == NULL) {
			done[i >> 6] |= UINT64_C(1) << (i & 63);
			plan->leaves[plan->nleaves].field = (uint8_t)i;
			plan->leaves[plan->nleaves].kind = (uint8_t)field->kind;
			plan->nleaves++;
		} else {
			order_fields(plan, done, field->name,
				     (size_t)(dot - field->name) + 1); /* no deeper than the dots */
		}
	}
}

/* The text that opens a leaf, level by level. */
static void open_leaf(struct leaf *leaf, const char *name, struct strbuf *text)
{
	size_t start = text->len;
	const char *dot;

	leaf->depth = 0;
	leaf->at[0] = 0;
	while ((dot = strchr(name, '.')) != NULL) {
		strbuf_char(text, '"');
		strbuf_add(text, name, (size_t)(dot - name));
		strbuf_str(text, "\":{");
		leaf->depth++;
		assert(leaf->depth < MAX_DEPTH);
		leaf->at[leaf->depth] = (uint16_t)(text->len - start);
		name = dot + 1;
	}
	strbuf_char(text, '"');
	strbuf_str(text, name);
	strbuf_str(text, "\":");
	leaf->len = (uint16_t)(text->len - start);
}

/* Texts of the leaves, and how they follow one another. @return false: no memory */
static bool open_leaves(struct json_plan *plan)
{
	const struct weir_schema *schema = plan->schema;
	struct strbuf text;
	const char *at;
	size_t i;

	strbuf_init(&text);
	plan->text_max = plan->head_len + MAX_DEPTH + JSON_SLACK;
	for (i = 0; i < plan->nleaves; i++) {
		const char *name = weir_schema_field(schema, plan->leaves[i].field)->name;

		open_leaf(&plan->leaves[i], name, &text);
		plan->text_max += plan->leaves[i].len + MAX_DEPTH + 3; /* a comma and two quotes */
		if (i > 0) {
			plan->leaves[i].common = common_depth(
				weir_schema_field(schema, plan->leaves[i - 1].field)->name, name);
		}
	}
	plan->text = text.p;
	at = plan->text;
	for (i = 0; i < plan->nleaves && !text.failed; i++) {
		plan->leaves[i].open = at;
		at += plan->leaves[i].len;
	}
	return !text.failed;
}

void json_plan_free(struct json_plan *plan)
{
	size_t i;

	if (plan == NULL) {
		return;
	}
	for (i = 0; i < NSHAPES; i++) {
		free(plan->shapes[i]);
	}
	free(plan->text);
	free(plan->head);
	free(plan);
}

struct json_plan *json_plan_new(const struct weir_schema *schema)
{
	struct json_plan *plan = calloc(1, sizeof(*plan));
	uint64_t done[2] = {0, 0};
	struct strbuf head;

	if (plan == NULL) {
		return NULL;
	}
	plan->schema = schema;
	order_fields(plan, done, "", 0);
	strbuf_init(&head);
	strbuf_str(&head, "{\"type\":\"");
	strbuf_str(&head, schema->type);
	strbuf_char(&head, '"');
	plan->head = head.p;
	plan->head_len = head.len;
	if (head.failed || !open_leaves(plan)) {
		json_plan_free(plan);
		return NULL;
	}
	return plan;
}

/* ---- shapes ---- */

static char *put(char *to, const char *p, size_t len)
{
	memcpy(to, p, len);
	return to + len;
}

/* A string's quotes belong to the texts around it. */
static char *put_quote(char *to, uint8_t kind)
{
	*to = '"';
	return to + (kind == WEIR_KIND_STR);
}

/* The braces, comma and names between the field written last and this one. */
static char *put_opening(char *to, const struct leaf *leaf, unsigned depth, unsigned common)
{
	for (; depth > common; depth--) {
		*to++ = '}';
	}
	*to++ = ',';
	to = put(to, leaf->open + leaf->at[common], leaf->len - (size_t)leaf->at[common]);
	return put_quote(to, leaf->kind);
}

/*
 * Leaves are in depth-first order, so what a leaf shares with an earlier one is the minimum of what each leaf between them
 * shares with the one before it.
 */
static void make_shape(const struct json_plan *plan, const uint64_t present[2],
		       struct json_shape *shape)
{
	char *text = (char *)(shape->steps + plan->nleaves);
	char *at =
		put(text, plan->head, plan->head_len); /* belongs to the first step, or the end */
	const struct leaf *leaf;
	unsigned depth = 0, common = 0;

	memcpy(shape->present, present, sizeof(shape->present));
	shape->nsteps = 0;
	for (leaf = plan->leaves; leaf < plan->leaves + plan->nleaves; leaf++) {
		common = leaf->common < common ? leaf->common : common;
		if ((present[leaf->field >> 6] >> (leaf->field & 63) & 1) == 0) {
			continue;
		}
		at = put_opening(at, leaf, depth, common);
		shape->steps[shape->nsteps++] =
			(struct json_step){text, (uint16_t)(at - text), leaf->field, leaf->kind};
		text = at;
		at = put_quote(at, leaf->kind);
		depth = leaf->depth;
		common = MAX_DEPTH;
	}
	for (; depth > 0; depth--) {
		*at++ = '}';
	}
	shape->end = text;
	shape->end_len = (size_t)(at - text);
	assert((size_t)(at + JSON_SLACK - (char *)(shape->steps + plan->nleaves)) <=
	       plan->text_max);
	memset(at, ' ', JSON_SLACK); /* read, and written over */
	shape->room = plan->text_max + shape->nsteps * JSON_SCALAR_MAX + JSON_SLACK;
}

const struct json_shape *json_plan_shape(struct json_plan *plan, const uint64_t present[2])
{
	uint64_t mixed =
		(present[0] ^ (present[1] << 31 | present[1] >> 33)) * UINT64_C(0x9e3779b97f4a7c15);
	struct json_shape **slot = &plan->shapes[mixed >> 59];
	struct json_shape *shape = *slot;

	_Static_assert(NSHAPES == 1 << (64 - 59), "the top bits choose a slot");
	if (shape != NULL && shape->present[0] == present[0] && shape->present[1] == present[1]) {
		return shape;
	}
	if (shape == NULL) {
		/* as large as any of this plan: it may be made another one */
		shape = malloc(sizeof(*shape) + plan->nleaves * sizeof(shape->steps[0]) +
			       plan->text_max);
		if (shape == NULL) {
			return NULL;
		}
		*slot = shape;
	}
	make_shape(plan, present, shape);
	return shape;
}

struct json_plan *json_plans_of(struct json_plans *plans, const struct weir_schema *schema)
{
	struct json_plan *plan = plans->first;

	if (plans->last_schema == schema) {
		return plans->last;
	}
	while (plan != NULL && plan->schema != schema) {
		plan = plan->next;
	}
	if (plan == NULL) {
		plan = json_plan_new(schema);
		if (plan == NULL) {
			return NULL;
		}
		plan->next = plans->first;
		plans->first = plan;
	}
	plans->last_schema = schema;
	plans->last = plan;
	return plan;
}

void json_plans_fini(struct json_plans *plans)
{
	while (plans->first != NULL) {
		struct json_plan *plan = plans->first;

		plans->first = plan->next;
		json_plan_free(plan);
	}
	plans->last_schema = NULL;
	plans->last = NULL;
}

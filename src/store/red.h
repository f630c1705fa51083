/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a record counts as, and what it is grouped by: the one place where the questions know fields by name. The sink's rollups say the
 * same (store/schema.h).
 */
#ifndef STORE_RED_H
#define STORE_RED_H

#include "base/strbuf.h"
#include "store/reader.h"

enum red_field {
	RED_STATUS, /* http.response.status_code */
	RED_DB_STATUS,
	RED_DNS_CODE,
	RED_TCP_STATE,
	RED_TIME, /* duration_ns; of flows their handshake */
	RED_REQUEST_BYTES,
	RED_RESPONSE_BYTES,
	RED_REQUEST_BYTES_ELSE, /* of a record that has none of those */
	RED_RESPONSE_BYTES_ELSE,
	RED_NFIELDS
};

/* Fields of a type by what they mean; below 0: it has none. */
struct red_plan {
	const struct weir_schema *schema;
	int16_t fields[RED_NFIELDS];
	int16_t keys[STORE_TEXTS_MAX]; /* of the grouping; KEY_TYPE: the type itself */
	bool counts;                   /* the type has something to be grouped by */
};

enum { KEY_TYPE = -2, KEY_NONE = -1 };

void red_plan_init(struct red_plan *plan, const struct weir_schema *schema, enum store_by by,
		   const char *field);

/** Texts that groups of a kind have. */
unsigned red_nkeys(enum store_by by);

/** Does the plan's counting or grouping read this field? */
bool red_wants(const struct red_plan *plan, size_t field);

/** What one record counts as. */
void red_of(const struct red_plan *plan, const struct weir_record *rec, struct store_red *ret);

/** The texts of its group; those that are made (numbers, addresses) are in scratch, one buffer a key. */
void red_keys(const struct red_plan *plan, const struct weir_record *rec, unsigned nkeys,
	      struct strbuf scratch[STORE_TEXTS_MAX], struct store_text keys[STORE_TEXTS_MAX]);

/** The value of a field as text, cut at STORE_TEXT_MAX; p NULL: it is absent, or a list. */
struct store_text red_text(const struct weir_record *rec, size_t field, struct strbuf *scratch);

/** No transaction: tcp, anomaly. */
bool red_is_transaction(const struct weir_schema *schema);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as JSON objects (CONTRACT.md §3): one line, nested at the dots, `type` first and then the fields in the order
 * of the schema's table, no key twice.
 *
 * Text that is not valid UTF-8 is written with \xNN for its bad bytes and its backslashes doubled, and the field is
 * named in `escaped`; that holds for a whole list or header object when one of its strings is bad, so that it can be
 * undone. Fields that a limit cut are in `truncated`: name to full length (of the longest cut value, for headers).
 */
#ifndef SINK_JSON_RECORD_H
#define SINK_JSON_RECORD_H

#include "base/strbuf.h"
#include "sink/json_plan.h"
#include "sink/json_text.h"
#include "weir/record.h"

/* Text of an address that was written before: a few of them are most of those that come. */
struct json_address {
	uint8_t bytes[16];
	uint8_t len; /* of bytes; 0: none yet */
	uint8_t text_len;
	char text[JSON_ADDRESS_MAX];
};

enum { JSON_ADDRESSES = 64 };

/* How a schema nests is worked out when its first record comes by. One thread. All zero is the initial state. */
struct json_writer {
	struct json_plans plans;
	int64_t second; /* that `date` is the text of, with have_date */
	bool have_date;
	char date[21];             /* "2026-11-22T14:17:29. */
	struct json_group *groups; /* scratch for headers that occur twice */
	size_t ngroups;
	struct strbuf name;                            /* scratch for lower-cased names */
	struct json_address addresses[JSON_ADDRESSES]; /* by a hash of the last four bytes */
};

void json_writer_init(struct json_writer *writer);
void json_writer_fini(struct json_writer *writer);

/** Append a record, without a line end. 0 or WEIR_ENOMEM (out is then as it was) */
int json_write_record(struct json_writer *writer, const struct weir_record *rec,
		      struct strbuf *out);

/** Append a JSON string of bytes, bad ones as \xNN. @return was it valid UTF-8? */
bool json_write_string(struct strbuf *out, const void *p, size_t len);

/**
 * Append a list of headers, strings or numbers as json_write_record() writes it.
 * @return 0, 1 (it was not UTF-8, and is written with \\xNN), or WEIR_ENOMEM
 */
int json_write_list(struct json_writer *writer, enum weir_kind kind, const struct weir_value *value,
		    struct strbuf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists and texts as a store holds them, back into records: the JSON that sinks write (headers, texts, numbers), and \xNN for bytes
 * that were not UTF-8. The text may be anything: what is not of that form is taken as far as it goes.
 */
#ifndef STORE_LISTS_H
#define STORE_LISTS_H

#include "base/strbuf.h"
#include "weir/record.h"

/** Undo the escaping of a text that is named in `escaped`: \xNN is a byte, \\ a backslash. Appends. */
void list_unescape(struct strbuf *out, const char *p, size_t len);

/** Set a field of the kinds STRS, U64S or HEADERS. escaped: its texts are. @return false: it was not of that form */
bool list_set(struct weir_record *rec, size_t field, enum weir_kind kind, const char *p, size_t len,
	      bool escaped);

/** Is the name in a JSON list of names (`escaped`)? */
bool list_has(const char *list, size_t len, const char *name);

/** The number of a name in a JSON object of numbers (`truncated`); 0: it is not there. */
uint64_t list_number(const char *object, size_t len, const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a form is made of, as its bytes come: multipart/form-data (RFC 7578, RFC 2046 §5.1) and application/x-www-form-urlencoded
 * (WHATWG URL §5): names, file names, types and sizes of the parts, never what is in them. Private to body/.
 *
 * Bounds: FORM_PARTS parts are listed, further ones counted; names and the like are cut at FORM_TEXT bytes and share
 * FORM_POOL; of a part's header line FORM_LINE bytes are looked at. Bytes that are no form after all (JSON sent with the
 * type of one) end it without parts: their "names" may be anything.
 */
#ifndef BODY_FORM_H
#define BODY_FORM_H

#include "body/body.h"

enum {
	FORM_PARTS = 64,
	FORM_TEXT = 128,
	FORM_POOL = 4096,
	FORM_LINE = 1024,
	FORM_BOUNDARY = 70 /* RFC 2046 §5.1.1 */
};

struct form;

/**
 * @param boundary of a multipart body; p NULL: the body is urlencoded
 * @return         NULL: memory is spent, or the boundary is none
 */
struct form *form_new(const struct body_memory *memory, struct weir_str boundary);
void form_free(struct form *form);
void form_feed(struct form *form, const uint8_t *p, size_t len);
/** No more bytes; or bytes are missing, and what follows is not looked at. */
void form_end(struct form *form);

/** Parts seen, listed or not. */
uint64_t form_count(const struct form *form);
/** The i-th that is listed; false: there is none. Strings are valid until form_free(). */
bool form_part(const struct form *form, size_t i, struct body_part *ret);

#endif

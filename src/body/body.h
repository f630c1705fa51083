/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message body on its way: content codings taken off, hashed, its type found, the beginning kept.
 *
 * Bytes come in after transfer coding. They pass the decoders, the coding named last first (RFC 9110 §8.4: codings are listed
 * in the order in which they were applied), then the digest, the type sniffer and the keeper. When a decoder finds
 * something that is not its format, the body is taken as it is on the wire, from its first byte: the digest and the kept
 * bytes of the raw body run beside the decoded ones for that.
 *
 * Bounds: BODY_MAX_CODINGS decoders; each works in a buffer of fixed size; a body over BODY_BOMB_SIZE decoded bytes that
 * has grown by more than BODY_BOMB_RATIO is a bomb: decoding stops. deflate alone cannot pass 1,032:1, so that of it, the most common
 * bomb (10 MiB of zeros in 10 KiB), BODY_BOMB_DEFLATE is the bound: nothing but the same few bytes again and again comes near it. It is looked
 * at only at multiples of BODY_BOMB_STEP, so that the verdict does not hang on how bytes arrive.
 */
#ifndef BODY_BODY_H
#define BODY_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/parser.h"
#include "weir/record.h"

enum {
	BODY_MAX_CODINGS = 4,
	BODY_BOMB_SIZE = 1 << 20,
	BODY_BOMB_STEP = 1 << 16,
	BODY_BOMB_RATIO = 2048,
	BODY_BOMB_DEFLATE = 900,
	BODY_MAX_GAPS =
		16, /* told one by one within the kept bytes; further ones are added to the last */
	BODY_SHA256 = 32
};

/* Where memory comes from: charged to the flow's budget. */
struct body_memory {
	void *(*alloc)(void *context, size_t size); /* NULL: spent */
	void (*free)(void *context, void *p, size_t size);
	void *context;
};

enum body_flags {
	BODY_CE_ERROR = 1u << 0,       /* not in the coding that was named: taken raw */
	BODY_CE_UNKNOWN = 1u << 1,     /* a coding that is not known: taken raw */
	BODY_CE_TOO_MANY = 1u << 2,    /* more codings than BODY_MAX_CODINGS: taken raw */
	BODY_CE_RAW_DEFLATE = 1u << 3, /* deflate without zlib's wrapper: decoded all the same */
	BODY_CE_BOMB = 1u << 4,        /* decoding stopped */
	BODY_CE_TRAILING = 1u << 5,    /* bytes after the end of the coded data: left out */
	BODY_CE_SHORT = 1u << 6,       /* the coded data had not ended when the body did */
	BODY_NO_MEMORY = 1u << 7       /* not decoded, or not kept, for lack of memory */
};

/* Bytes that are missing within the kept ones. */
struct body_hole {
	size_t at;       /* offset in the kept bytes: they go on behind the hole */
	uint64_t length; /* of the body as it came: of coded bytes when it is coded */
};

/* A part of a form: what it is called, never what is in it. */
struct body_part {
	struct weir_str name;
	struct weir_str filename; /* of a file */
	struct weir_str mime;     /* as the part's head says */
	uint64_t size;            /* bytes in it; of urlencoded forms, of the decoded value */
};

/* What is known at the end. Pointers are valid until body_free(). */
struct body_result {
	uint64_t wire_size;    /* bytes before content decoding that came in */
	uint64_t decoded_size; /* bytes after it */
	bool has_decoded_size; /* the decoded size is that of the whole body */
	bool coded;            /* content codings were taken off */
	bool has_sha256;       /* of the decoded body: no byte was missing */
	bool has_wire_sha256;
	uint8_t sha256[BODY_SHA256];
	uint8_t wire_sha256[BODY_SHA256];
	const char *mime;       /* from the content; NULL: no byte */
	const char *charset;    /* lower case, as it is declared; NULL: it is not */
	bool has_events;        /* it is an event stream */
	uint64_t events;        /* seen in it so far */
	uint64_t nparts;        /* of the form that it is */
	const uint8_t *content; /* the first bytes of the decoded body */
	size_t content_len;
	size_t keep;          /* it gets no longer than this */
	bool content_is_text; /* valid UTF-8 without control characters (a character cut at the end aside) */
	bool truncated; /* content is not the whole decoded body */
	struct body_hole holes[BODY_MAX_GAPS];
	unsigned nholes;
	unsigned flags; /* of enum body_flags */
};

struct body;

/**
 * @param memory borrowed until body_free(); copied
 * @param keep   bytes of the decoded body to keep; 0: none
 * @return       NULL when memory is spent
 */
struct body *body_new(const struct body_memory *memory, size_t keep);
void body_free(struct body *body);

/** Somebody else sees the bytes too; before the first one. out->end() is called by body_tell_end(), or by body_free(). */
void body_set_out(struct body *body, const struct weir_body_out *out, enum weir_direction dir);

/** The body is over and `message` says what there is to say about it: tell the other one. After body_finish(). */
void body_tell_end(struct body *body, bool whole, const struct weir_record *message);

/** Name a content coding, in the order of listing; before the first byte. "identity" is nothing. */
void body_add_coding(struct body *body, struct weir_str name);

/**
 * What it is said to be, behind its codings and before the first byte: forms are taken apart, events counted, the character set is told.
 * @param type value of Content-Type, borrowed until body_free()
 * @param form it may be a form (of a request)
 */
void body_set_type(struct body *body, struct weir_str type, bool form);

/** A body of which nothing but the events of its stream is wanted. NULL when memory is spent. */
struct body *body_new_events(const struct body_memory *memory);

/** Is this the Content-Type of an event stream? */
bool body_is_events(struct weir_str type);

/** The i-th part of a form; false: there is none, or it is not listed. Strings are valid until body_free(). */
bool body_part(const struct body *body, size_t i, struct body_part *ret);

/** What is known while more bytes may come: content, holes, type, events, sizes; no digests. */
void body_look(const struct body *body, struct body_result *ret);

/** The next bytes. */
void body_feed(struct body *body, const uint8_t *p, size_t len);

/** Bytes are missing here: digests become invalid, decoders stop. */
void body_gap(struct body *body, uint64_t length);

/** No more bytes. complete: the framing says that all were seen. Once; then only body_free(). */
void body_finish(struct body *body, bool complete, struct body_result *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A message body on its way through decoders, digest, sniffer and keeper; see body.h. */
#include "body/body.h"

#include "body/coding.h"
#include "body/form.h"
#include "body/mime.h"
#include "body/sse.h"
#include "body/type.h"

#include <openssl/evp.h>
#include <string.h>

enum { OUT_SIZE = 8192 }; /* on the stack, one a layer */

/* What happens to a run of bytes at the end of the pipe: once for the decoded body, once for the raw one if coded. */
struct outlet {
	EVP_MD_CTX *digest; /* NULL: invalid by now, or no memory */
	uint64_t size;
	uint8_t *kept;
	size_t nkept;
	uint8_t head[BODY_MIME_BYTES]; /* what the type is told from */
	size_t nhead;
};

struct body {
	struct body_memory memory;
	size_t keep;
	struct coding *layers[BODY_MAX_CODINGS]; /* [0] is taken off first */
	unsigned nlayers;
	unsigned bomb_ratio; /* decoded bytes to coded ones that are too much */
	bool stopped;        /* decoding has stopped: bytes only count */
	bool ended;          /* the decoded data has come to its end */
	bool missing;        /* bytes are missing */
	uint64_t eaten;      /* wire bytes that layer 0 has taken */
	bool light;          /* nothing but events is wanted */
	bool has_events;
	struct sse sse;
	struct form *form;    /* NULL: it is none */
	struct weir_str type; /* Content-Type */
	char charset[BODY_CHARSET_MAX + 1];
	unsigned flags;
	struct body_hole holes[BODY_MAX_GAPS];
	unsigned nholes;
	struct outlet decoded;    /* without codings: of the wire bytes */
	struct outlet wire;       /* with codings */
	struct weir_body_out out; /* data NULL: nobody */
	enum weir_direction dir;  /* for it */
};

/* ---- outlets ---- */

static void outlet_open(struct body *body, struct outlet *outlet)
{
	outlet->digest = EVP_MD_CTX_new();
	if (outlet->digest != NULL && EVP_DigestInit_ex(outlet->digest, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(outlet->digest);
		outlet->digest = NULL;
	}
	if (body->keep > 0) {
		outlet->kept = body->memory.alloc(body->memory.context, body->keep);
		if (outlet->kept == NULL) {
			body->flags |= BODY_NO_MEMORY;
		}
	}
}

static void outlet_close(struct body *body, struct outlet *outlet)
{
	EVP_MD_CTX_free(outlet->digest);
	if (outlet->kept != NULL) {
		body->memory.free(body->memory.context, outlet->kept, body->keep);
	}
	memset(outlet, 0, sizeof(*outlet));
}

static void outlet_spoil(struct outlet *outlet)
{
	EVP_MD_CTX_free(outlet->digest);
	outlet->digest = NULL;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void outlet_feed(struct body *body, struct outlet *outlet, const uint8_t *p, size_t len)
{
	size_t n;

	if (len == 0) {
		return;
	}
	if (outlet->digest != NULL && EVP_DigestUpdate(outlet->digest, p, len) != 1) {
		outlet_spoil(outlet);
	}
	n = smaller(len, sizeof(outlet->head) - outlet->nhead);
	memcpy(outlet->head + outlet->nhead, p, n);
	outlet->nhead += n;
	if (outlet->kept != NULL) {
		n = smaller(len, body->keep - outlet->nkept);
		memcpy(outlet->kept + outlet->nkept, p, n);
		outlet->nkept += n;
	}
	outlet->size += len;
	if (body->out.data != NULL) {
		body->out.data(body->out.context, outlet == &body->wire, p, len);
	}
}

/* Bytes of the decoded body, or, where decoding failed, of the raw one: to what looks into it. */
static void look_into(struct body *body, const uint8_t *p, size_t len)
{
	if (body->has_events) {
		sse_feed(&body->sse, p, len);
	} else if (body->form != NULL) {
		form_feed(body->form, p, len);
	}
}

/* ---- making ---- */

struct body *body_new(const struct body_memory *memory, size_t keep)
{
	struct body *body = memory->alloc(memory->context, sizeof(*body));

	if (body == NULL) {
		return NULL;
	}
	memset(body, 0, sizeof(*body));
	body->memory = *memory;
	body->keep = keep;
	outlet_open(body, &body->decoded);
	return body;
}

struct body *body_new_events(const struct body_memory *memory)
{
	struct body *body = memory->alloc(memory->context, sizeof(*body));

	if (body == NULL) {
		return NULL;
	}
	memset(body, 0, sizeof(*body));
	body->memory = *memory;
	body->light = true;
	body->has_events = true;
	return body;
}

bool body_is_events(struct weir_str type)
{
	return body_type_is(type, "text/event-stream");
}

void body_set_type(struct body *body, struct weir_str type, bool form)
{
	uint8_t buffer[256];
	struct weir_str boundary = {NULL, 0};

	body->type = type;
	if (body->stopped) {
		return; /* in a coding that is not known */
	}
	body->has_events = body_is_events(type);
	if (!form) {
		return;
	}
	if (body_type_is(type, "application/x-www-form-urlencoded")) {
		body->form = form_new(&body->memory, boundary);
	} else if (body_type_is(type, "multipart/") && type.len <= sizeof(buffer) &&
		   body_parameter(type, "boundary", buffer, &boundary)) {
		body->form = form_new(&body->memory, boundary);
	}
}

bool body_part(const struct body *body, size_t i, struct body_part *ret)
{
	return body->form != NULL && form_part(body->form, i, ret);
}

static void drop_layers(struct body *body)
{
	while (body->nlayers > 0) {
		coding_free(body->layers[--body->nlayers]);
	}
}

void body_free(struct body *body)
{
	struct body_memory memory;

	if (body == NULL) {
		return;
	}
	body_tell_end(body, false, NULL);
	drop_layers(body);
	form_free(body->form);
	outlet_close(body, &body->decoded);
	outlet_close(body, &body->wire);
	memory = body->memory;
	memory.free(memory.context, body, sizeof(*body));
}

void body_set_out(struct body *body, const struct weir_body_out *out, enum weir_direction dir)
{
	body->out = *out;
	body->dir = dir;
}

void body_tell_end(struct body *body, bool whole, const struct weir_record *message)
{
	if (body->out.data != NULL) {
		body->out.end(body->out.context, body->dir, whole, message);
		memset(&body->out, 0, sizeof(body->out));
	}
}

void body_add_coding(struct body *body, struct weir_str name)
{
	int kind = coding_find(name);
	struct coding *coding;

	if ((name.len == 8 && memcmp(name.p, "identity", 8) == 0) || body->stopped) {
		return;
	}
	if (kind < 0) {
		body->flags |= BODY_CE_UNKNOWN;
	} else if (body->nlayers == BODY_MAX_CODINGS) {
		body->flags |= BODY_CE_TOO_MANY;
	} else {
		coding = coding_new(&body->memory, (enum coding_kind)kind);
		if (coding != NULL) {
			memmove(body->layers + 1, body->layers,
				body->nlayers * sizeof(body->layers[0]));
			body->layers[0] = coding;
			body->bomb_ratio = body->nlayers == 0 && (kind == CODING_GZIP ||
								  kind == CODING_DEFLATE)
						   ? BODY_BOMB_DEFLATE
						   : BODY_BOMB_RATIO;
			body->nlayers++;
			if (body->nlayers == 1) {
				outlet_open(body, &body->wire);
			}
			return;
		}
		body->flags |= BODY_NO_MEMORY;
	}
	/* it cannot be decoded: what is hashed and kept is the body as it is */
	drop_layers(body);
	outlet_close(body, &body->wire);
	body->stopped = true;
}

/* ---- bytes ---- */

/* What a decoder said is not so: the body is what was on the wire. */
static void fall_back(struct body *body)
{
	outlet_close(body, &body->decoded);
	body->decoded = body->wire;
	memset(&body->wire, 0, sizeof(body->wire));
	form_free(body->form); /* not of these bytes */
	body->form = NULL;
	body->has_events = false;
	drop_layers(body);
	body->stopped = true;
	if (body->out.data != NULL) {
		body->out.raw(body->out.context);
	}
}

static void stop_decoding(struct body *body, unsigned flag)
{
	body->flags |= flag;
	body->stopped = true;
	outlet_spoil(&body->decoded);
}

/* Decoded bytes: cut at the multiples at which growth is judged. */
static void take_decoded(struct body *body, const uint8_t *p, size_t len)
{
	while (len > 0 && !body->stopped) {
		size_t n = BODY_BOMB_STEP - (size_t)(body->decoded.size % BODY_BOMB_STEP);

		n = smaller(n, len);
		outlet_feed(body, &body->decoded, p, n);
		look_into(body, p, n);
		p += n;
		len -= n;
		if (body->decoded.size % BODY_BOMB_STEP == 0 &&
		    body->decoded.size > BODY_BOMB_SIZE &&
		    body->decoded.size / body->bomb_ratio > body->eaten) {
			stop_decoding(body, BODY_CE_BOMB);
		}
	}
}

static void run_layer(struct body *body, unsigned layer, const uint8_t *p, size_t len)
{
	uint8_t out[OUT_SIZE];
	enum coding_status status = CODING_FULL;

	while (!body->stopped && (len > 0 || status == CODING_FULL)) {
		size_t before = len;
		size_t nout;

		status = coding_run(body->layers[layer], &p, &len, out, sizeof(out), &nout);
		if (layer == 0) {
			body->eaten += before - len;
		}
		if (nout > 0) {
			if (layer + 1 < body->nlayers) {
				run_layer(body, layer + 1, out, nout);
			} else {
				take_decoded(body, out, nout);
			}
		}
		if (body->stopped) {
			return;
		}
		switch (status) {
		case CODING_MORE:
			return;
		case CODING_FULL:
			break;
		case CODING_END:
			if (len == before && nout == 0) {
				return; /* junk: left out */
			}
			break;
		case CODING_ERROR:
			body->flags |= BODY_CE_ERROR;
			fall_back(body);
			return;
		case CODING_MEMORY:
			stop_decoding(body, BODY_NO_MEMORY);
			return;
		}
	}
}

void body_feed(struct body *body, const uint8_t *p, size_t len)
{
	if (body->nlayers == 0) {
		if (body->light) {
			body->decoded.size += len;
		} else {
			outlet_feed(body, &body->decoded, p, len);
		}
		look_into(body, p, len);
		return;
	}
	outlet_feed(body, &body->wire, p, len);
	if (!body->stopped) {
		run_layer(body, 0, p, len);
	}
}

/* Remember where, when it is within what is kept. */
static void note_hole(struct body *body, uint64_t length)
{
	size_t at = body->decoded.nkept;

	if (body->decoded.kept == NULL || at == body->keep ||
	    (body->stopped && body->nlayers > 0)) {
		return;
	}
	if (body->nholes > 0 &&
	    (body->holes[body->nholes - 1].at == at || body->nholes == BODY_MAX_GAPS)) {
		body->holes[body->nholes - 1].length += length;
		return;
	}
	body->holes[body->nholes++] = (struct body_hole){.at = at, .length = length};
}

void body_gap(struct body *body, uint64_t length)
{
	note_hole(body, length);
	if (body->out.data != NULL) {
		body->out.gap(body->out.context, length);
	}
	body->missing = true;
	sse_gap(&body->sse);
	if (body->form != NULL) {
		form_end(body->form);
	}
	outlet_spoil(&body->decoded);
	outlet_spoil(&body->wire);
	body->stopped = true; /* a decoder cannot go on; the rest is counted */
	if (body->nlayers == 0) {
		body->decoded.size += length;
	} else {
		body->wire.size += length;
	}
}

/* ---- the end ---- */

static bool take_digest(struct outlet *outlet, uint8_t *ret)
{
	bool ok = outlet->digest != NULL && EVP_DigestFinal_ex(outlet->digest, ret, NULL) == 1;

	outlet_spoil(outlet);
	return ok;
}

/* What does not depend on whether it is over. */
static void tell(const struct body *body, struct body_result *ret)
{
	ret->coded = body->nlayers > 0;
	ret->wire_size = ret->coded ? body->wire.size : body->decoded.size;
	ret->decoded_size = body->decoded.size;
	ret->mime = body_mime(body->decoded.head, body->decoded.nhead);
	ret->charset = body->charset[0] != '\0' ? body->charset : NULL;
	ret->has_events = body->has_events;
	ret->events = body->sse.events;
	ret->nparts = body->form != NULL ? form_count(body->form) : 0;
	ret->content = body->decoded.kept;
	ret->content_len = body->decoded.nkept;
	ret->keep = body->keep;
	memcpy(ret->holes, body->holes, sizeof(ret->holes));
	ret->nholes = body->nholes;
	ret->flags = body->flags;
}

void body_look(const struct body *body, struct body_result *ret)
{
	memset(ret, 0, sizeof(*ret));
	tell(body, ret);
	ret->truncated = true;
	ret->content_is_text = body_is_text(ret->content, ret->content_len, true);
}

void body_finish(struct body *body, bool complete, struct body_result *ret)
{
	unsigned i;
	bool whole;

	memset(ret, 0, sizeof(*ret));
	if (body->form != NULL) {
		form_end(body->form);
	}
	for (i = 0; i < body->nlayers; i++) {
		/* the body is over within the coded data; nothing at all is what a HEAD or a 304 has */
		if (!body->stopped && complete && body->wire.size > 0 &&
		    !coding_is_at_end(body->layers[i])) {
			body->flags |= BODY_CE_SHORT;
		}
		if (coding_has_junk(body->layers[i])) {
			body->flags |= BODY_CE_TRAILING;
		}
		if (coding_is_raw_deflate(body->layers[i])) {
			body->flags |= BODY_CE_RAW_DEFLATE;
		}
	}
	tell(body, ret);
	whole = complete && !body->missing && (body->flags & (BODY_CE_BOMB | BODY_CE_SHORT)) == 0 &&
		!(ret->coded && body->stopped);
	ret->has_decoded_size = whole;
	if (complete && !body->missing) {
		ret->has_sha256 = whole && take_digest(&body->decoded, ret->sha256);
		ret->has_wire_sha256 = ret->coded && take_digest(&body->wire, ret->wire_sha256);
	}
	if (body_charset(body->type, body->decoded.head, body->decoded.nhead, body->charset)) {
		ret->charset = body->charset;
	}
	ret->truncated = !whole || body->decoded.size > body->decoded.nkept;
	ret->content_is_text = body_is_text(ret->content, ret->content_len, ret->truncated);
}

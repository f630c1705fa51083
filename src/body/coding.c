/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content codings, see coding.h. RFC 9110 §8.4.1 (gzip, deflate), RFC 7932 (br), RFC 8878 (zstd).
 *
 * Deviations: "deflate" is zlib's format (RFC 9110 §8.4.1.2), but servers send raw deflate too: the first two bytes
 * decide. A zstd window above 8 MiB is refused (RFC 9659 §3 sets that bound for the content coding).
 *
 * The libraries' memory is charged through body_memory. They give no size on free, hence the size before each block.
 */
#include "body/coding.h"

#include <brotli/decode.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_createDCtx_advanced(): memory under the budget */
#include <zstd.h>

enum { ZSTD_WINDOW_LOG = 23 };

struct coding {
	const struct body_memory *memory;
	enum coding_kind kind;
	bool at_end;   /* a member (or all) has ended; what follows is another or junk */
	bool again;    /* gzip: not the first member */
	bool junk;     /* what follows the end is not a member */
	bool raw;      /* deflate without wrapper */
	bool spent;    /* an allocation was refused */
	uint8_t nhead; /* bytes of head, for deflate */
	uint8_t head[2];
	bool decided; /* deflate: raw or not */
	bool inited;
	z_stream zlib;
	BrotliDecoderState *brotli;
	ZSTD_DCtx *zstd;
};

/* ---- memory ---- */

struct block {
	size_t size;
	size_t pad; /* keeps what follows aligned to 16 */
};

static void *block_alloc(void *context, size_t size)
{
	struct coding *coding = context;
	struct block *block = NULL;

	if (size < SIZE_MAX / 2) {
		size += sizeof(*block);
		block = coding->memory->alloc(coding->memory->context, size);
	}
	if (block == NULL) {
		coding->spent = true;
		return NULL;
	}
	block->size = size;
	return block + 1;
}

static void block_free(void *context, void *p)
{
	struct coding *coding = context;
	struct block *block = p;

	if (block != NULL) {
		block--;
		coding->memory->free(coding->memory->context, block, block->size);
	}
}

static void *zlib_alloc(void *context, unsigned n, unsigned size)
{
	return block_alloc(context, (size_t)n * size);
}

/* ---- making ---- */

int coding_find(struct weir_str name)
{
	static const struct {
		const char *name;
		enum coding_kind kind;
	} names[] = {
		{"gzip", CODING_GZIP}, {"x-gzip", CODING_GZIP}, {"deflate", CODING_DEFLATE},
		{"br", CODING_BROTLI}, {"zstd", CODING_ZSTD},
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i].name) == name.len &&
		    strncasecmp((const char *)name.p, names[i].name, name.len) == 0) {
			return (int)names[i].kind;
		}
	}
	return -1;
}

static bool start_zlib(struct coding *coding, int window_bits)
{
	coding->zlib.zalloc = zlib_alloc;
	coding->zlib.zfree = block_free;
	coding->zlib.opaque = coding;
	coding->inited = inflateInit2(&coding->zlib, window_bits) == Z_OK;
	return coding->inited;
}

static bool start(struct coding *coding)
{
	ZSTD_customMem memory = {block_alloc, block_free, coding};

	switch (coding->kind) {
	case CODING_GZIP:
		return start_zlib(coding, 15 + 16);
	case CODING_DEFLATE:
		return true; /* with its first two bytes */
	case CODING_BROTLI:
		coding->brotli = BrotliDecoderCreateInstance(block_alloc, block_free, coding);
		return coding->brotli != NULL;
	case CODING_ZSTD:
		coding->zstd = ZSTD_createDCtx_advanced(memory);
		return coding->zstd != NULL &&
		       !ZSTD_isError(ZSTD_DCtx_setParameter(coding->zstd, ZSTD_d_windowLogMax,
							    ZSTD_WINDOW_LOG));
	}
	return false;
}

struct coding *coding_new(const struct body_memory *memory, enum coding_kind kind)
{
	struct coding *coding = memory->alloc(memory->context, sizeof(*coding));

	if (coding == NULL) {
		return NULL;
	}
	memset(coding, 0, sizeof(*coding));
	coding->memory = memory;
	coding->kind = kind;
	if (!start(coding)) {
		coding_free(coding);
		return NULL;
	}
	return coding;
}

void coding_free(struct coding *coding)
{
	if (coding == NULL) {
		return;
	}
	if (coding->inited) {
		(void)inflateEnd(&coding->zlib);
	}
	if (coding->brotli != NULL) {
		BrotliDecoderDestroyInstance(coding->brotli);
	}
	if (coding->zstd != NULL) {
		(void)ZSTD_freeDCtx(coding->zstd);
	}
	coding->memory->free(coding->memory->context, coding, sizeof(*coding));
}

bool coding_is_raw_deflate(const struct coding *coding)
{
	return coding->raw;
}

bool coding_is_at_end(const struct coding *coding)
{
	return coding->at_end || (coding->again && coding->zlib.total_out == 0);
}

bool coding_has_junk(const struct coding *coding)
{
	return coding->junk || (!coding->at_end && coding_is_at_end(coding));
}

/* ---- running ---- */

static enum coding_status run_zlib(struct coding *coding, const uint8_t **in, size_t *in_len,
				   uint8_t *out, size_t out_size, size_t *ret_out_len)
{
	z_stream *zlib = &coding->zlib;
	uInt give = *in_len > UINT32_MAX ? UINT32_MAX : (uInt)*in_len;
	int status;

	memcpy(&zlib->next_in, in,
	       sizeof(zlib->next_in)); /* zlib's input is not const, but only read */
	zlib->avail_in = give;
	zlib->next_out = out;
	zlib->avail_out = (uInt)out_size;
	status = inflate(zlib, Z_NO_FLUSH);
	*in += give - zlib->avail_in;
	*in_len -= give - zlib->avail_in;
	*ret_out_len = out_size - zlib->avail_out;
	switch (status) {
	case Z_STREAM_END:
		return CODING_END;
	case Z_OK:
	case Z_BUF_ERROR: /* no progress possible: not an error */
		return zlib->avail_out == 0 ? CODING_FULL : CODING_MORE;
	case Z_MEM_ERROR:
		return CODING_MEMORY;
	default:
		break;
	}
	if (coding->again && zlib->total_out == 0) {
		coding->junk = true; /* no member after all, but the first one was whole */
		return CODING_END;
	}
	return CODING_ERROR;
}

static enum coding_status run_brotli(struct coding *coding, const uint8_t **in, size_t *in_len,
				     uint8_t *out, size_t out_size, size_t *ret_out_len)
{
	size_t room = out_size;
	BrotliDecoderResult result =
		BrotliDecoderDecompressStream(coding->brotli, in_len, in, &room, &out, NULL);

	*ret_out_len = out_size - room;
	switch (result) {
	case BROTLI_DECODER_RESULT_SUCCESS:
		return CODING_END;
	case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
		return CODING_MORE;
	case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
		return CODING_FULL;
	case BROTLI_DECODER_RESULT_ERROR:
		break;
	}
	return coding->spent ? CODING_MEMORY : CODING_ERROR;
}

static enum coding_status run_zstd(struct coding *coding, const uint8_t **in, size_t *in_len,
				   uint8_t *out, size_t out_size, size_t *ret_out_len)
{
	ZSTD_inBuffer from = {*in, *in_len, 0};
	ZSTD_outBuffer to = {out, out_size, 0};
	size_t left = ZSTD_decompressStream(coding->zstd, &to, &from);

	*in += from.pos;
	*in_len -= from.pos;
	*ret_out_len = to.pos;
	if (ZSTD_isError(left)) {
		return coding->spent ? CODING_MEMORY : CODING_ERROR;
	}
	if (left == 0) {
		return CODING_END;
	}
	return to.pos == to.size ? CODING_FULL : CODING_MORE;
}

/* RFC 1950 §2.2: method 8, window of at most 32 KiB, and a check that makes CMF and FLG a multiple of 31 */
static bool is_zlib(const uint8_t *head)
{
	return (head[0] & 0x0f) == 8 && head[0] >> 4 <= 7 && (head[0] << 8 | head[1]) % 31 == 0;
}

/* Collect the two bytes that tell zlib from raw deflate, then start the decoder with them. */
static enum coding_status decide_deflate(struct coding *coding, const uint8_t **in, size_t *in_len,
					 uint8_t *out, size_t out_size, size_t *ret_out_len)
{
	const uint8_t *head = coding->head;
	size_t head_len;
	enum coding_status status;

	while (coding->nhead < 2 && *in_len > 0) {
		coding->head[coding->nhead++] = *(*in)++;
		(*in_len)--;
	}
	if (coding->nhead < 2) {
		return CODING_MORE;
	}
	coding->decided = true;
	coding->raw = !is_zlib(coding->head);
	if (!start_zlib(coding, coding->raw ? -15 : 15)) {
		return CODING_MEMORY;
	}
	head_len = 2;
	status = run_zlib(coding, &head, &head_len, out, out_size, ret_out_len);
	return status == CODING_MORE && *in_len > 0 ? CODING_FULL : status;
}

enum coding_status coding_run(struct coding *coding, const uint8_t **in, size_t *in_len,
			      uint8_t *out, size_t out_size, size_t *ret_out_len)
{
	enum coding_status status = CODING_ERROR;

	*ret_out_len = 0;
	if (coding->at_end) {
		if (*in_len == 0 || coding->junk) {
			return CODING_END;
		}
		/* RFC 1952 §2.2: members follow one another */
		if (coding->kind != CODING_GZIP || **in != 0x1f ||
		    inflateReset(&coding->zlib) != Z_OK) {
			coding->junk = true;
			return CODING_END;
		}
		coding->again = true;
		coding->at_end = false;
	}
	switch (coding->kind) {
	case CODING_DEFLATE:
		status = coding->decided
				 ? run_zlib(coding, in, in_len, out, out_size, ret_out_len)
				 : decide_deflate(coding, in, in_len, out, out_size, ret_out_len);
		break;
	case CODING_GZIP:
		status = run_zlib(coding, in, in_len, out, out_size, ret_out_len);
		break;
	case CODING_BROTLI:
		status = run_brotli(coding, in, in_len, out, out_size, ret_out_len);
		break;
	case CODING_ZSTD:
		status = run_zstd(coding, in, in_len, out, out_size, ret_out_len);
		break;
	}
	coding->at_end = status == CODING_END;
	return status;
}

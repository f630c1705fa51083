/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed captures: gzip (RFC 1952), zstd (RFC 8878) and lz4 frames, streamed through the libraries' own windows, so that
 * memory does not grow with the file (zlib 32 KiB, lz4 4 MiB, zstd 128 MiB at most). bzip2 and xz are told by name only.
 */
#include <stdlib.h>

#include <zlib.h>
#include <zstd.h>
#ifdef HAVE_LZ4
#include <lz4frame.h>
#endif

#include "capture/source.h"

/* ---- gzip ---- */

struct gzip {
	z_stream z;
	bool ended; /* a member has ended: the next begins afresh */
};

static int gzip_open(void **ret_state)
{
	struct gzip *gzip = calloc(1, sizeof(*gzip));

	if (gzip == NULL || inflateInit2(&gzip->z, MAX_WBITS + 16) != Z_OK) {
		free(gzip);
		return WEIR_ENOMEM;
	}
	*ret_state = gzip;
	return 0;
}

static int gzip_decode(void *state, struct capture_window *in, struct capture_window *out)
{
	struct gzip *gzip = state;
	int status;

	if (gzip->ended && inflateReset(&gzip->z) != Z_OK) {
		return WEIR_EDAMAGED;
	}
	gzip->ended = false;
	gzip->z.next_in = in->at;
	gzip->z.avail_in = (uInt)in->left;
	gzip->z.next_out = out->at;
	gzip->z.avail_out = (uInt)out->left;
	status = inflate(&gzip->z, Z_NO_FLUSH);
	in->at = gzip->z.next_in;
	in->left = gzip->z.avail_in;
	out->at = gzip->z.next_out;
	out->left = gzip->z.avail_out;
	gzip->ended = status == Z_STREAM_END;
	return gzip->ended || status == Z_OK || status == Z_BUF_ERROR ? gzip->ended : WEIR_EDAMAGED;
}

static void gzip_close(void *state)
{
	struct gzip *gzip = state;

	(void)inflateEnd(&gzip->z);
	free(gzip);
}

/* ---- zstd ---- */

static int zstd_open(void **ret_state)
{
	*ret_state = ZSTD_createDStream();
	return *ret_state == NULL ? WEIR_ENOMEM : 0;
}

static int zstd_decode(void *state, struct capture_window *in, struct capture_window *out)
{
	ZSTD_inBuffer input = {.src = in->at, .size = in->left};
	ZSTD_outBuffer output = {.dst = out->at, .size = out->left};
	size_t status = ZSTD_decompressStream(state, &output, &input);

	in->at += input.pos;
	in->left -= input.pos;
	out->at += output.pos;
	out->left -= output.pos;
	return ZSTD_isError(status) ? WEIR_EDAMAGED : status == 0;
}

static void zstd_close(void *state)
{
	(void)ZSTD_freeDStream(state);
}

/* ---- lz4 ---- */

#ifdef HAVE_LZ4
static int lz4_open(void **ret_state)
{
	LZ4F_dctx *lz4 = NULL;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION))) {
		return WEIR_ENOMEM;
	}
	*ret_state = lz4;
	return 0;
}

static int lz4_decode(void *state, struct capture_window *in, struct capture_window *out)
{
	size_t taken = in->left, made = out->left;
	size_t status = LZ4F_decompress(state, out->at, &made, in->at, &taken, NULL);

	if (LZ4F_isError(status)) {
		return WEIR_EDAMAGED;
	}
	in->at += taken;
	in->left -= taken;
	out->at += made;
	out->left -= made;
	return status == 0;
}

static void lz4_close(void *state)
{
	(void)LZ4F_freeDecompressionContext(state);
}
#endif

const struct capture_codec capture_codecs[] = {
	{"gzip", {0x1f, 0x8b}, 2, gzip_open, gzip_decode, gzip_close},
	{"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, zstd_open, zstd_decode, zstd_close},
#ifdef HAVE_LZ4
	{"lz4", {0x04, 0x22, 0x4d, 0x18}, 4, lz4_open, lz4_decode, lz4_close},
#else
	{"lz4", {0x04, 0x22, 0x4d, 0x18}, 4, NULL, NULL, NULL},
#endif
	{"xz", {0xfd, '7', 'z', 'X'}, 4, NULL, NULL, NULL},
	{"bzip2", {'B', 'Z', 'h'}, 3, NULL, NULL, NULL},
	{NULL, {0}, 0, NULL, NULL, NULL},
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressing what is written: gzip, zstd and lz4 frames, each at the level that its tool has by default or below, because a
 * live capture waits for it.
 */
#include "capture/compress.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>
#ifdef HAVE_LZ4
#include <lz4frame.h>
#endif

#include "weir/error.h"

struct compress_codec {
	const char *suffix;
	int (*open)(struct compress *compress); /* NULL: not in this build */
	int (*write)(struct compress *compress, const void *p, size_t n);
	int (*finish)(struct compress *compress);
	void (*free)(struct compress *compress);
};

enum { GZIP_LEVEL = 4, ZSTD_LEVEL = 1 };

static int write_all(int fd, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		ssize_t wrote = write(fd, p, n);

		if (wrote >= 0) {
			p += wrote;
			n -= (size_t)wrote;
		} else if (errno == EAGAIN) {
			struct pollfd pfd = {.fd = fd, .events = POLLOUT};

			(void)poll(&pfd, 1, 100);
		} else if (errno != EINTR) {
			return WEIR_EIO;
		}
	}
	return 0;
}

/* ---- gzip ---- */

static int gzip_open(struct compress *compress)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (z == NULL || deflateInit2(z, GZIP_LEVEL, Z_DEFLATED, MAX_WBITS + 16, 8,
				      Z_DEFAULT_STRATEGY) != Z_OK) {
		free(z);
		return WEIR_ENOMEM;
	}
	compress->state = z;
	return 0;
}

static int gzip_run(struct compress *compress, const void *p, size_t n, int flush)
{
	z_stream *z = compress->state;
	int status;

	z->next_in = (Bytef *)(uintptr_t)p;
	z->avail_in = (uInt)n;
	do {
		z->next_out = compress->out;
		z->avail_out = COMPRESS_OUT;
		status = deflate(z, flush);
		if (write_all(compress->fd, compress->out, COMPRESS_OUT - z->avail_out) < 0) {
			return WEIR_EIO;
		}
	} while (flush == Z_FINISH ? status == Z_OK : z->avail_out == 0);
	return 0;
}

static int gzip_write(struct compress *compress, const void *p, size_t n)
{
	return gzip_run(compress, p, n, Z_NO_FLUSH);
}

static int gzip_finish(struct compress *compress)
{
	return gzip_run(compress, NULL, 0, Z_FINISH);
}

static void gzip_free(struct compress *compress)
{
	(void)deflateEnd(compress->state);
	free(compress->state);
}

/* ---- zstd ---- */

static int zstd_open(struct compress *compress)
{
	compress->state = ZSTD_createCCtx();
	if (compress->state == NULL) {
		return WEIR_ENOMEM;
	}
	(void)ZSTD_CCtx_setParameter(compress->state, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	(void)ZSTD_CCtx_setParameter(compress->state, ZSTD_c_checksumFlag, 1);
	return 0;
}

static int zstd_run(struct compress *compress, const void *p, size_t n, ZSTD_EndDirective end)
{
	ZSTD_inBuffer in = {.src = p, .size = n};
	size_t left;

	do {
		ZSTD_outBuffer out = {.dst = compress->out, .size = COMPRESS_OUT};

		left = ZSTD_compressStream2(compress->state, &out, &in, end);
		if (ZSTD_isError(left)) {
			errno = ENOMEM;
			return WEIR_EIO;
		}
		if (write_all(compress->fd, compress->out, out.pos) < 0) {
			return WEIR_EIO;
		}
	} while (end == ZSTD_e_end ? left > 0 : in.pos < in.size);
	return 0;
}

static int zstd_write(struct compress *compress, const void *p, size_t n)
{
	return zstd_run(compress, p, n, ZSTD_e_continue);
}

static int zstd_finish(struct compress *compress)
{
	return zstd_run(compress, NULL, 0, ZSTD_e_end);
}

static void zstd_free(struct compress *compress)
{
	(void)ZSTD_freeCCtx(compress->state);
}

/* ---- lz4 ---- */

#ifdef HAVE_LZ4
enum {
	LZ4_PIECE = 1 << 15
}; /* bytes given at a time: what comes out always fits into COMPRESS_OUT */

static int lz4_out(struct compress *compress, size_t made)
{
	if (LZ4F_isError(made)) {
		errno = ENOMEM;
		return WEIR_EIO;
	}
	return write_all(compress->fd, compress->out, made);
}

static int lz4_open(struct compress *compress)
{
	LZ4F_preferences_t preferences = {
		.frameInfo = {.blockSizeID = LZ4F_max64KB,
			      .contentChecksumFlag = LZ4F_contentChecksumEnabled}};
	LZ4F_cctx *lz4 = NULL;
	int err;

	if (LZ4F_isError(LZ4F_createCompressionContext(&lz4, LZ4F_VERSION))) {
		return WEIR_ENOMEM;
	}
	err = lz4_out(compress, LZ4F_compressBegin(lz4, compress->out, COMPRESS_OUT, &preferences));
	if (err < 0) {
		(void)LZ4F_freeCompressionContext(lz4);
		return err;
	}
	compress->state = lz4;
	return 0;
}

static int lz4_write(struct compress *compress, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		size_t piece = n < LZ4_PIECE ? n : LZ4_PIECE;

		if (lz4_out(compress, LZ4F_compressUpdate(compress->state, compress->out,
							  COMPRESS_OUT, p, piece, NULL)) < 0) {
			return WEIR_EIO;
		}
		p += piece;
		n -= piece;
	}
	return 0;
}

static int lz4_finish(struct compress *compress)
{
	return lz4_out(compress,
		       LZ4F_compressEnd(compress->state, compress->out, COMPRESS_OUT, NULL));
}

static void lz4_free(struct compress *compress)
{
	(void)LZ4F_freeCompressionContext(compress->state);
}
#endif

static const struct compress_codec codecs[] = {
	{".gz", gzip_open, gzip_write, gzip_finish, gzip_free},
	{".zst", zstd_open, zstd_write, zstd_finish, zstd_free},
#ifdef HAVE_LZ4
	{".lz4", lz4_open, lz4_write, lz4_finish, lz4_free},
#else
	{".lz4", NULL, NULL, NULL, NULL},
#endif
};

static const struct compress_codec *find(const char *name)
{
	size_t len = strlen(name), i;

	for (i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		size_t n = strlen(codecs[i].suffix);

		if (len > n && strcmp(name + len - n, codecs[i].suffix) == 0) {
			return &codecs[i];
		}
	}
	return NULL;
}

size_t compress_suffix(const char *name)
{
	const struct compress_codec *codec = find(name);

	return codec == NULL ? 0 : strlen(codec->suffix);
}

bool compress_can_write(const char *name)
{
	const struct compress_codec *codec = find(name);

	return codec == NULL || codec->open != NULL;
}

int compress_open(struct compress *compress, int fd, bool ours, const char *name)
{
	int err;

	memset(compress, 0, sizeof(*compress));
	compress->fd = fd;
	compress->ours = ours;
	compress->codec = find(name);
	if (compress->codec == NULL) {
		return 0;
	}
	if (compress->codec->open == NULL) {
		err = WEIR_EUNSUPPORTED;
	} else {
		compress->out = malloc(COMPRESS_OUT);
		err = compress->out == NULL ? WEIR_ENOMEM : compress->codec->open(compress);
	}
	if (err < 0) {
		free(compress->out);
		if (ours) {
			close(fd);
		}
		memset(compress, 0, sizeof(*compress));
		compress->fd = -1;
	}
	return err;
}

int compress_write(struct compress *compress, const void *p, size_t n)
{
	if (n == 0) {
		return 0;
	}
	return compress->codec == NULL ? write_all(compress->fd, p, n)
				       : compress->codec->write(compress, p, n);
}

int compress_close(struct compress *compress)
{
	int err = 0;

	if (compress->codec != NULL) {
		err = compress->codec->finish(compress);
		compress->codec->free(compress);
	}
	free(compress->out);
	if (compress->ours && close(compress->fd) != 0) {
		err = WEIR_EIO;
	}
	memset(compress, 0, sizeof(*compress));
	compress->fd = -1;
	return err;
}

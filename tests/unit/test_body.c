/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body/: content codings, digests, types. The coded bytes were made by Python's zlib, gzip, brotli and zstandard, the digests by sha256sum.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>

#include "base/budget.h"
#include "body/body.h"
#include "body/mime.h"

#define HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define GZIP                                                                                       \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05" \
	"\x00\x00\x00"
#define ZLIB "\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15"
#define RAW  "\xcb\x48\xcd\xc9\xc9\x07\x00"
#define BR   "\x0b\x02\x80\x68\x65\x6c\x6c\x6f\x03"
#define ZSTD "\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00\x68\x65\x6c\x6c\x6f"
/* gzip, then br */
#define GZIP_BR                                                                                    \
	"\x0b\x0c\x80\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6" \
	"\x10\x36\x05\x00\x00\x00\x03"

static void *alloc(void *context, size_t size)
{
	return budget_alloc(context, size);
}

static void release(void *context, void *p, size_t size)
{
	budget_free(context, p, size);
}

struct fixture {
	struct budget budget;
	struct body *body;
	struct body_result result;
};

static void open_body(struct fixture *f, size_t limit, size_t keep, const char *const *codings)
{
	struct body_memory memory = {alloc, release, &f->budget};

	budget_init(&f->budget, limit, NULL);
	f->body = body_new(&memory, keep);
	while (f->body != NULL && codings != NULL && *codings != NULL) {
		struct weir_str name = {(const uint8_t *)*codings, (uint32_t)strlen(*codings)};

		body_add_coding(f->body, name);
		codings++;
	}
}

static void close_body(struct fixture *f)
{
	body_free(f->body);
	assert_int_equal(f->budget.used, 0);
}

static void is_digest(const uint8_t *digest, const char *hex)
{
	char text[2 * BODY_SHA256 + 1];
	size_t i;

	for (i = 0; i < BODY_SHA256; i++) {
		(void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
	}
	assert_string_equal(text, hex);
}

/* ---- somebody else sees the bytes ---- */

struct seen {
	char log[256];
};

static void saw(struct seen *seen, const char *what, const uint8_t *p, size_t len)
{
	size_t at = strlen(seen->log);

	(void)snprintf(seen->log + at, sizeof(seen->log) - at, "%s(%.*s) ", what, (int)len,
		       len > 0 ? (const char *)p : "");
}

static void out_data(void *context, bool wire, const uint8_t *p, size_t len)
{
	saw(context, wire ? "wire" : "data", wire && p[0] == 0x1f ? (const uint8_t *)"gz" : p,
	    wire && p[0] == 0x1f ? 2 : len);
}

static void out_raw(void *context)
{
	saw(context, "raw", NULL, 0);
}

static void out_gap(void *context, uint64_t length)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%u", (unsigned)length);
	saw(context, "gap", (const uint8_t *)text, strlen(text));
}

static void out_end(void *context, enum weir_direction dir, bool whole,
		    const struct weir_record *message)
{
	assert_int_equal(dir, WEIR_S2C);
	saw(context, whole ? "whole" : "partial", NULL, 0);
}

static void another_one_sees_what_becomes_of_the_bytes(void **state)
{
	static const char *const gzip[] = {"gzip", NULL};
	static const struct {
		const char *bytes;
		size_t len, gap; /* bytes missing before the last one */
		bool coded, tell;
		const char *want;
	} rows[] = {
		{"hello", 5, 0, false, true, "data(hello) whole() "},
		{"hello", 5, 3, false, true, "data(hell) gap(3) data(o) partial() "},
		{GZIP, sizeof(GZIP) - 1, 0, true, true, "wire(gz) data(hello) whole() "},
		{"hello", 5, 0, true, true, "wire(hello) raw() whole() "},
		{"hello", 5, 0, false, false, "data(hello) partial() "}, /* freed before its end */
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen seen = {""};
		struct weir_body_out out = {out_data, out_raw, out_gap, out_end, &seen};
		const uint8_t *p = (const uint8_t *)rows[i].bytes;
		size_t first = rows[i].gap > 0 ? rows[i].len - 1 : rows[i].len;
		struct fixture f;

		open_body(&f, 8 << 20, 0, rows[i].coded ? gzip : NULL);
		body_set_out(f.body, &out, WEIR_S2C);
		body_feed(f.body, p, first);
		if (rows[i].gap > 0) {
			body_gap(f.body, rows[i].gap);
			body_feed(f.body, p + first, rows[i].len - first);
		}
		if (rows[i].tell) {
			body_finish(f.body, rows[i].gap == 0, &f.result);
			body_tell_end(f.body, f.result.has_decoded_size, NULL);
		}
		close_body(&f);
		assert_string_equal(seen.log, rows[i].want);
	}
}

static void codings_are_taken_off_however_the_bytes_arrive(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *codings[5];
		unsigned flags;
	} rows[] = {
		{"hello", 5, {NULL}, 0},
		{"hello", 5, {"identity", NULL}, 0},
		{GZIP, sizeof(GZIP) - 1, {"gzip", NULL}, 0},
		{GZIP, sizeof(GZIP) - 1, {"X-GZip", NULL}, 0},
		{GZIP "JUNK", sizeof(GZIP) + 3, {"gzip", NULL}, BODY_CE_TRAILING},
		{GZIP "\x1f?", sizeof(GZIP) + 1, {"gzip", NULL}, BODY_CE_TRAILING},
		{ZLIB, sizeof(ZLIB) - 1, {"deflate", NULL}, 0},
		{RAW, sizeof(RAW) - 1, {"deflate", NULL}, BODY_CE_RAW_DEFLATE},
		{BR, sizeof(BR) - 1, {"br", NULL}, 0},
		{ZSTD, sizeof(ZSTD) - 1, {"zstd", NULL}, 0},
		{GZIP_BR, sizeof(GZIP_BR) - 1, {"gzip", "br", NULL}, 0},
		{"hello", 5, {"gzip", NULL}, BODY_CE_ERROR},
		{"hello", 5, {"rot13", NULL}, BODY_CE_UNKNOWN},
		{"hello", 5, {"gzip", "rot13", "br", NULL}, BODY_CE_UNKNOWN},
	};
	size_t i, step, at;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (step = 1; step <= rows[i].len; step++) {
			struct fixture f;

			open_body(&f, 8 << 20, 64, rows[i].codings);
			for (at = 0; at < rows[i].len; at += step) {
				size_t n = rows[i].len - at < step ? rows[i].len - at : step;

				body_feed(f.body, (const uint8_t *)rows[i].bytes + at, n);
			}
			body_finish(f.body, true, &f.result);
			assert_int_equal(f.result.flags, rows[i].flags);
			assert_int_equal(f.result.wire_size, rows[i].len);
			assert_true(f.result.has_decoded_size);
			assert_int_equal(f.result.decoded_size, 5);
			assert_true(f.result.has_sha256);
			is_digest(f.result.sha256, HELLO);
			assert_int_equal(f.result.content_len, 5);
			assert_memory_equal(f.result.content, "hello", 5);
			assert_true(f.result.content_is_text);
			assert_false(f.result.truncated);
			assert_string_equal(f.result.mime, "text/plain");
			close_body(&f);
		}
	}
}

static void gzip_members_follow_one_another(void **state)
{
	static const char *const codings[] = {"gzip", NULL};
	struct fixture f;

	open_body(&f, 8 << 20, 64, codings);
	body_feed(f.body, (const uint8_t *)GZIP GZIP, 2 * sizeof(GZIP) - 2);
	body_finish(f.body, true, &f.result);
	assert_int_equal(f.result.flags, 0);
	assert_int_equal(f.result.decoded_size, 10);
	is_digest(f.result.sha256,
		  "0a86050fb37a4def36885da9557f5b22a9e191767a80e7a4a2415410a4462b68");
	close_body(&f);
}

static void more_than_four_codings_are_not_taken_off(void **state)
{
	static const char *const codings[] = {"gzip", "gzip", "gzip", "gzip", "gzip", NULL};
	struct fixture f;

	open_body(&f, 8 << 20, 64, codings);
	body_feed(f.body, (const uint8_t *)"hello", 5);
	body_finish(f.body, true, &f.result);
	assert_int_equal(f.result.flags, BODY_CE_TOO_MANY);
	is_digest(f.result.sha256, HELLO);
	close_body(&f);
}

static void a_body_with_a_hole_has_no_digest(void **state)
{
	struct fixture f;

	open_body(&f, 8 << 20, 64, NULL);
	body_feed(f.body, (const uint8_t *)"he", 2);
	body_gap(f.body, 2);
	body_feed(f.body, (const uint8_t *)"o", 1);
	body_finish(f.body, true, &f.result);
	assert_false(f.result.has_sha256);
	assert_true(f.result.truncated);
	close_body(&f);
}

static void holes_are_told_by_their_place_in_what_is_kept(void **state)
{
	struct fixture f;

	open_body(&f, 8 << 20, 6, NULL);
	body_gap(f.body, 3);
	body_feed(f.body, (const uint8_t *)"he", 2);
	body_gap(f.body, 2);
	body_gap(f.body, 5); /* the same place */
	body_feed(f.body, (const uint8_t *)"lloo", 4);
	body_gap(f.body, 9); /* behind what is kept */
	body_finish(f.body, true, &f.result);
	assert_int_equal(f.result.nholes, 2);
	assert_int_equal(f.result.holes[0].at, 0);
	assert_int_equal(f.result.holes[0].length, 3);
	assert_int_equal(f.result.holes[1].at, 2);
	assert_int_equal(f.result.holes[1].length, 7);
	assert_memory_equal(f.result.content, "helloo", 6);
	close_body(&f);
}

/* Behind the first hole nothing can be decoded: one hole, at the end of what was. */
static void a_coded_body_ends_at_its_first_hole(void **state)
{
	static const char *const codings[] = {"gzip", NULL};
	struct fixture f;

	open_body(&f, 8 << 20, 64, codings);
	body_feed(f.body, (const uint8_t *)GZIP,
		  17); /* "hello" and no more; its last byte is cut */
	body_gap(f.body, 4);
	body_feed(f.body, (const uint8_t *)GZIP, 2);
	body_gap(f.body, 1);
	body_finish(f.body, true, &f.result);
	assert_int_equal(f.result.nholes, 1);
	assert_int_equal(f.result.holes[0].at, f.result.content_len);
	assert_int_equal(f.result.holes[0].length, 4);
	close_body(&f);
}

static void a_coded_body_cut_short_says_so(void **state)
{
	static const char *const codings[] = {"gzip", NULL};
	struct fixture f;

	open_body(&f, 8 << 20, 64, codings);
	body_feed(f.body, (const uint8_t *)GZIP, 17);
	body_finish(f.body, true, &f.result);
	assert_int_equal(f.result.flags, BODY_CE_SHORT);
	assert_false(f.result.has_sha256);
	assert_false(f.result.has_decoded_size);
	assert_true(f.result.has_wire_sha256);
	close_body(&f);
}

/* 10 MiB of zeros in gzip, made here: its size (10,208 bytes or so) is zlib's business. */
static void a_bomb_is_stopped_at_the_same_byte_in_any_split(void **state)
{
	static const char *const codings[] = {"gzip", NULL};
	static const size_t steps[] = {1, 7, 1400, 1 << 20};
	static uint8_t zeros[1 << 16];
	size_t room = 1 << 16, len, i;
	uint8_t *coded = malloc(room);
	z_stream z = {0};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = coded;
	z.avail_out = (uInt)room;
	for (i = 0; i < 160; i++) {
		z.next_in = zeros;
		z.avail_in = sizeof(zeros);
		assert_int_equal(deflate(&z, Z_NO_FLUSH), Z_OK);
	}
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	len = z.total_out;
	deflateEnd(&z);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct fixture f;
		size_t at;

		open_body(&f, 8 << 20, 64, codings);
		for (at = 0; at < len; at += steps[i]) {
			body_feed(f.body, coded + at, len - at < steps[i] ? len - at : steps[i]);
		}
		body_finish(f.body, true, &f.result);
		assert_int_equal(f.result.flags, BODY_CE_BOMB);
		assert_int_equal(f.result.wire_size, len);
		assert_int_equal(f.result.decoded_size, BODY_BOMB_SIZE + BODY_BOMB_STEP);
		assert_false(f.result.has_sha256);
		assert_true(f.budget.peak < 256 * 1024);
		close_body(&f);
	}
	free(coded);
}

/* Of deflate alone 900:1 is too much, of what can do more 2,048:1. zstd's block of one byte, repeated: 4 bytes are 128 KiB at most. */
static void how_much_is_too_much(void **state)
{
	/* RFC 8878: magic, frame header (window 128 KiB, no size); RLE blocks: header of 3 bytes (size << 3 | type 1 << 1 | last), a byte */
	static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38};
	static const struct {
		uint32_t block; /* bytes of each */
		unsigned flags;
	} cases[] = {{7000, 0}, {9000, BODY_CE_BOMB}};
	static const char *const codings[] = {"zstd", NULL};
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;

		open_body(&f, 8 << 20, 64, codings);
		body_feed(f.body, frame, sizeof(frame));
		for (k = 0; k < 400; k++) {
			uint32_t header = cases[i].block << 3 | 1 << 1 | (k == 399);
			const uint8_t block[] = {(uint8_t)header, (uint8_t)(header >> 8),
						 (uint8_t)(header >> 16), 0};

			body_feed(f.body, block, sizeof(block));
		}
		body_finish(f.body, true, &f.result);
		assert_int_equal(f.result.flags, cases[i].flags);
		close_body(&f);
	}
}

static void memory_that_is_spent_costs_the_body_and_nothing_else(void **state)
{
	static const char *const codings[] = {"gzip", "br", "zstd", NULL};
	size_t limit;

	for (limit = 0; limit < 400000; limit += 1531) {
		struct fixture f;

		open_body(&f, limit, 4096, codings);
		if (f.body != NULL) {
			body_feed(f.body, (const uint8_t *)ZSTD, sizeof(ZSTD) - 1);
			body_finish(f.body, true, &f.result);
			close_body(&f);
		}
	}
}

static void types_are_told_from_the_content(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *mime;
	} rows[] = {
#define ROW(bytes, mime) {bytes, sizeof(bytes) - 1, mime}
		ROW("\x89PNG\r\n\x1a\n....", "image/png"),
		ROW("\xff\xd8\xff\xe0", "image/jpeg"),
		ROW("GIF89a", "image/gif"),
		ROW("RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
		ROW("RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
		ROW("XXXX\x10\0\0\0WAVEfmt ", "application/octet-stream"),
		ROW("\0\0\0\x18"
		    "ftypmp42",
		    "video/mp4"),
		ROW("PK\3\4", "application/zip"),
		ROW("\x1f\x8b\x08", "application/gzip"),
		ROW("%PDF-1.4", "application/pdf"),
		ROW("MZ\x90", "application/vnd.microsoft.portable-executable"),
		ROW(" \n{\"a\":1}", "application/json"),
		ROW("[1]", "application/json"),
		ROW("[section]", "text/plain"),
		ROW("<!DOCTYPE HTML><p>", "text/html"),
		ROW("<html>", "text/html"),
		ROW("<?xml version='1.0'?><a/>", "application/xml"),
		ROW("<?xml version='1.0'?><svg/>", "image/svg+xml"),
		ROW("plain", "text/plain"),
		ROW("a\0b", "application/octet-stream"),
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t *exact = malloc(rows[i].len); /* a read beyond it is caught */

		memcpy(exact, rows[i].bytes, rows[i].len);
		assert_string_equal(body_mime(exact, rows[i].len), rows[i].mime);
		free(exact);
	}
	assert_null(body_mime(NULL, 0));
}

static void text_is_valid_utf8_without_controls(void **state)
{
	assert_true(body_is_text((const uint8_t *)"caf\xc3\xa9\n", 6, false));
	assert_false(body_is_text((const uint8_t *)"caf\xe9", 4, false));
	assert_false(body_is_text((const uint8_t *)"caf\xc3", 4, false));
	assert_true(body_is_text((const uint8_t *)"caf\xc3", 4, true));
	assert_false(body_is_text((const uint8_t *)"\xed\xa0\x80", 3, false)); /* a surrogate */
	assert_false(body_is_text((const uint8_t *)"\xc0\xaf", 2, false));     /* overlong */
	assert_false(body_is_text((const uint8_t *)"a\x1b[2J", 5, false));
	assert_true(body_is_text((const uint8_t *)"", 0, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_one_sees_what_becomes_of_the_bytes),
		cmocka_unit_test(codings_are_taken_off_however_the_bytes_arrive),
		cmocka_unit_test(gzip_members_follow_one_another),
		cmocka_unit_test(more_than_four_codings_are_not_taken_off),
		cmocka_unit_test(a_body_with_a_hole_has_no_digest),
		cmocka_unit_test(holes_are_told_by_their_place_in_what_is_kept),
		cmocka_unit_test(a_coded_body_ends_at_its_first_hole),
		cmocka_unit_test(a_coded_body_cut_short_says_so),
		cmocka_unit_test(a_bomb_is_stopped_at_the_same_byte_in_any_split),
		cmocka_unit_test(how_much_is_too_much),
		cmocka_unit_test(memory_that_is_spent_costs_the_body_and_nothing_else),
		cmocka_unit_test(types_are_told_from_the_content),
		cmocka_unit_test(text_is_valid_utf8_without_controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

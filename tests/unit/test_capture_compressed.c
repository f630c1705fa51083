/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture/: compressed captures. The files were made with gzip 1.12, zstd 1.5.4 and lz4 1.9.4 from the same 78 bytes of pcap
 * as in test_capture_file.c, in two frames: bytes 0 to 49 and 50 to 77.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "read_capture.h"

static const uint8_t two_gz[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xbb, 0x72, 0x78, 0xd3, 0x42,
	0x26, 0x06, 0x16, 0x06, 0x04, 0x60, 0x61, 0x60, 0x04, 0x92, 0x20, 0xcc, 0x04, 0xe6, 0x41,
	0x70, 0x62, 0x52, 0x72, 0x0a, 0x33, 0x98, 0x0d, 0x00, 0x10, 0x29, 0x3e, 0xa6, 0x32, 0x00,
	0x00, 0x00, 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x63, 0x60, 0x00,
	0x01, 0x1b, 0x20, 0x66, 0x05, 0x62, 0x36, 0x20, 0x66, 0x02, 0x62, 0x46, 0x20, 0x4e, 0x4d,
	0x03, 0x00, 0x2d, 0x68, 0x30, 0x2b, 0x1c, 0x00, 0x00, 0x00};

static const uint8_t two_zst[] = {
	0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x32, 0x35, 0x01, 0x00, 0xd0, 0xd4, 0xc3, 0xb2, 0xa1,
	0x02, 0x00, 0x04, 0x00, 0x04, 0x00, 0x01, 0x00, 0x00, 0x02, 0x00, 0x00, 0x61, 0x62,
	0x63, 0x64, 0x03, 0x00, 0x00, 0x00, 0x04, 0x00, 0x04, 0x00, 0x20, 0x40, 0xcf, 0x1b,
	0xbb, 0xa6, 0x61, 0xc0, 0x05, 0xeb, 0xd6, 0xb8, 0xfa, 0x28, 0xb5, 0x2f, 0xfd, 0x24,
	0x1c, 0xe1, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x3c, 0x00, 0x00, 0x00,
	0x05, 0x00, 0x00, 0x00, 0x06, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00,
	0x00, 0x00, 0x65, 0x66, 0x77, 0x4e, 0x2f, 0x49};

static const uint8_t two_lz4[] = {
	0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7, 0x25, 0x00, 0x00, 0x00, 0x86, 0xd4, 0xc3, 0xb2,
	0xa1, 0x02, 0x00, 0x04, 0x00, 0x01, 0x00, 0x51, 0x04, 0x00, 0x01, 0x00, 0x00, 0x04, 0x00,
	0x11, 0x02, 0x0e, 0x00, 0x02, 0x04, 0x00, 0xa0, 0x61, 0x62, 0x63, 0x64, 0x03, 0x00, 0x00,
	0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x61, 0x6e, 0x5e, 0xce, 0x04, 0x22, 0x4d, 0x18,
	0x64, 0x40, 0xa7, 0x1c, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x3c, 0x00,
	0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x06, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01,
	0x00, 0x00, 0x00, 0x65, 0x66, 0x00, 0x00, 0x00, 0x00, 0xfc, 0x3d, 0x24, 0xf3};

static const struct {
	const char *name;
	const uint8_t *p;
	size_t len;
	size_t first; /* bytes of the first frame */
	size_t magic; /* bytes that tell the format */
} files[] = {
	{"gzip", two_gz, sizeof(two_gz), 47, 2},
	{"zstd", two_zst, sizeof(two_zst), 51, 4},
#ifdef HAVE_LZ4
	{"lz4", two_lz4, sizeof(two_lz4), 56, 4},
#endif
};

enum { NFILES = sizeof(files) / sizeof(files[0]) };

static const struct seen seen[] = {
	{INT64_C(1000002000), 4, 4, 1, 0, "abcd"},
	{INT64_C(3000004000), 0, 60, 1, 0, ""},
	{INT64_C(5000006000), 2, 1, 1, 0, "ef"},
};

static struct result result;

static void frames_behind_each_other_are_one_capture(void **state)
{
	size_t i, batch_size;

	for (i = 0; i < NFILES; i++) {
		for (batch_size = 1; batch_size <= 4; batch_size++) {
			read_bytes(&result, files[i].p, files[i].len, batch_size);
			assert_int_equal(result.error, 0);
			check(&result, seen, 3);
			/* progress is told in bytes of the file */
			assert_int_equal(result.stats.bytes, files[i].len);
			assert_int_equal(result.stats.size, files[i].len);
		}
	}
}

static void a_compressed_file_cut_at_any_byte_is_told(void **state)
{
	size_t i, cut;

	for (i = 0; i < NFILES; i++) {
		for (cut = 1; cut < files[i].len; cut++) {
			read_bytes(&result, files[i].p, cut, 2);
			assert_int_equal(result.error,
					 cut < files[i].magic ? WEIR_EFORMAT : WEIR_EDAMAGED);
			assert_true(result.n < 3 || cut >= files[i].len - 9);
			assert_true(cut < files[i].first || result.n >= 1);
			check(&result, seen, result.n);
		}
	}
}

static void where_it_ends_is_told_in_bytes_of_the_file(void **state)
{
	char want[256];
	size_t i;

	for (i = 0; i < NFILES; i++) {
		/* between the frames nothing is wrong with the compressed data, but with the pcap file */
		read_bytes(&result, files[i].p, files[i].first, 2);
		assert_string_equal(
			result.message,
			"a.pcap ends inside packet 2 at byte 44 (needed 16 bytes, found 6)");
		read_bytes(&result, files[i].p, files[i].len - 1, 2);
		(void)snprintf(want, sizeof(want),
			       "a.pcap ends inside its %s data at byte %zu, after packet 3",
			       files[i].name, files[i].len - 1);
		assert_string_equal(result.message, want);
	}
}

static void changed_bytes_never_pass_for_right_ones(void **state)
{
	uint8_t file[128];
	size_t i, at;

	for (i = 0; i < NFILES; i++) {
		for (at = 0; at < files[i].len; at++) {
			memcpy(file, files[i].p, files[i].len);
			file[at] ^= 0x55;
			read_bytes(&result, file, files[i].len, 2);
			if (result.error == 0) {
				check(&result, seen, 3); /* a byte of no meaning */
			} else {
				assert_true(result.error == WEIR_EDAMAGED ||
					    result.error == WEIR_EFORMAT);
			}
		}
	}
}

static void what_is_behind_a_frame_must_be_a_frame(void **state)
{
	uint8_t file[128];
	size_t i;

	for (i = 0; i < NFILES; i++) {
		memcpy(file, files[i].p, files[i].len);
		memcpy(file + files[i].len, "garbage!", 8);
		read_bytes(&result, file, files[i].len + 8, 2);
		assert_int_equal(result.error, WEIR_EDAMAGED);
		check(&result, seen, 3);
	}
}

static void a_compressed_file_of_something_else_is_told(void **state)
{
	/* printf 'from scapy' | gzip -n */
	static const uint8_t text[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03,
				       0x4b, 0x2b, 0xca, 0xcf, 0x55, 0x28, 0x4e, 0x4e, 0x2c, 0xa8,
				       0x04, 0x00, 0x9d, 0xbe, 0x32, 0xdd, 0x0a, 0x00, 0x00, 0x00};

	read_bytes(&result, text, sizeof(text), 2);
	assert_int_equal(result.error, WEIR_EFORMAT);
	assert_string_equal(
		result.message,
		"a.pcap is not a capture file (decompressed it starts with \"from "
		"sca\"). Supported: pcap (\xc2\xb5s and ns, either byte order, modified) and "
		"pcapng, also compressed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_behind_each_other_are_one_capture),
		cmocka_unit_test(a_compressed_file_cut_at_any_byte_is_told),
		cmocka_unit_test(where_it_ends_is_told_in_bytes_of_the_file),
		cmocka_unit_test(changed_bytes_never_pass_for_right_ones),
		cmocka_unit_test(what_is_behind_a_frame_must_be_a_frame),
		cmocka_unit_test(a_compressed_file_of_something_else_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

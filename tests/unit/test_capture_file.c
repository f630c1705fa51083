/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture/: files of each format, byte order and resolution, cut and damaged ones. The files are byte literals written by
 * hand from the format's drafts (and read the same by tshark 4.0 where it reads them at all).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "read_capture.h"

/* ---- the files ---- */

/* us, little endian, Ethernet: 3 packets at 1.000002, 3.000004 and 5.000006 s of 4, 0 and 2 bytes; wire 4, 60, 1 */
static const uint8_t pcap_us_le[] = {
	0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
	/* packet 1 at 24 */
	1, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 'a', 'b', 'c', 'd',
	/* packet 2 at 44: no bytes captured */
	3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0,
	/* packet 3 at 60: more captured than was on the wire */
	5, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 'e', 'f'};

/* ns, big endian, linktype 101 with frame check sequence bits set: one packet at 0x80000001 s + 999,999,999 ns */
static const uint8_t pcap_ns_be[] = {0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0,    4,    0,    0,    0,
				     0,    0,    0,    0,    0, 0, 0,    0xff, 0xff, 0x24, 0,
				     0,    101,  0x80, 0,    0, 1, 0x3b, 0x9a, 0xc9, 0xff, 0,
				     0,    0,    3,    0,    0, 1, 0,    'x',  'y',  'z'};

/* us, big endian */
static const uint8_t pcap_us_be[] = {0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0, 0,  0,
				     0,    0,    0,    0,    0, 0, 0, 0, 0, 1, 0, 0, 0,  1,
				     0,    0,    0,    2,    0, 0, 0, 1, 0, 0, 0, 1, 'q'};

/* ns, little endian; reserved bits of the linktype field set */
static const uint8_t pcap_ns_le[] = {0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4,    0, 0,    0,    0, 0, 0,  0,
				     0,    0,    0,    0,    0, 0, 0xe4, 0, 0xff, 0x0f, 1, 0, 0,  0,
				     2,    0,    0,    0,    1, 0, 0,    0, 1,    0,    0, 0, 'q'};

/* modified: interface index, protocol, type and padding behind the usual record header */
static const uint8_t pcap_modified[] = {
	0x34, 0xcd, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0,
	/* 1 */
	1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 'h', 'i',
	/* 2 */
	2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 7, 0, 0, 0, 8, 0, 4, 0, '!'};

/* version 2.2: the lengths are exchanged (wire first) */
static const uint8_t pcap_v22[] = {0xd4, 0xc3, 0xb2, 0xa1, 2,  0, 2, 0, 0, 0, 0, 0, 0,  0,
				   0,    0,    0,    0,    4,  0, 1, 0, 0, 0, 1, 0, 0,  0,
				   0,    0,    0,    0,    60, 0, 0, 0, 1, 0, 0, 0, 'k'};

/*
 * Two sections, little then big endian. First: interface 0 Ethernet, us, "eth0", snaplen 3; interface 1 RAW, ns; a block of
 * unknown type; EPB on 1, EPB on 0 with drop count 5, SPB (5 bytes on the wire, 3 captured); statistics with 7 drops.
 * Second: interface 0 LINUX_SLL, 2^-10 s, offset +100 s; obsolete packet block on it.
 */
static const uint8_t pcapng_two[] = {
	/* SHB at 0 */
	0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 28, 0, 0, 0,
	/* IDB at 28: if_name, end of options */
	1, 0, 0, 0, 32, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 2, 0, 4, 0, 'e', 't', 'h', '0', 0, 0, 0, 0,
	32, 0, 0, 0,
	/* IDB at 60: if_tsresol 9, no end of options */
	1, 0, 0, 0, 28, 0, 0, 0, 101, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0, 28, 0, 0, 0,
	/* unknown block at 88 */
	0x99, 0, 0, 0, 16, 0, 0, 0, 'j', 'u', 'n', 'k', 16, 0, 0, 0,
	/* EPB at 104, packet 1: interface 1, 0x1_00000002 ns, 1 byte */
	6, 0, 0, 0, 36, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 'A', 0,
	0, 0, 36, 0, 0, 0,
	/* EPB at 140, packet 2: interface 0, 2,000,001 us, 4 bytes; epb_dropcount 5 */
	6, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x81, 0x84, 0x1e, 0, 4, 0, 0, 0, 4, 0, 0,
	0, 'B', 'C', 'D', 'E', 4, 0, 8, 0, 5, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0,
	/* SPB at 188, packet 3 */
	3, 0, 0, 0, 20, 0, 0, 0, 5, 0, 0, 0, 'F', 'G', 'H', 0, 20, 0, 0, 0,
	/* ISB at 208: interface 0, isb_ifdrop 7 */
	5, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 8, 0, 7, 0, 0, 0, 0, 0,
	0, 0, 36, 0, 0, 0,
	/* SHB at 244, big endian, with section length 0 */
	0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 28,
	/* IDB at 272: if_tsresol 2^-10, if_tsoffset 100 */
	0, 0, 0, 1, 0, 0, 0, 40, 0, 113, 0, 0, 0, 0, 0xff, 0xff, 0, 9, 0, 1, 0x8a, 0, 0, 0, 0, 14,
	0, 8, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 40,
	/* PB at 312, packet 4: interface 0, 2 drops, 1,536 / 1,024 s, 2 bytes */
	0, 0, 0, 2, 0, 0, 0, 36, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 2, 0, 0, 0, 60, 'I',
	'J', 0, 0, 0, 0, 0, 36};

/* ---- reading them ---- */

/* Any batch size and any size of reads gives the same packets. */
static void check_file(const uint8_t *p, size_t len, const struct seen *seen, size_t n)
{
	static const size_t sizes[] = {1, 2, 7, 1024};
	static struct result result;
	int ends[2];
	size_t i;
	pid_t child;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		read_bytes(&result, p, len, sizes[i]);
		assert_int_equal(result.error, 0);
		check(&result, seen, n);
		assert_int_equal(result.stats.size, len);
		assert_int_equal(result.stats.bytes, len);
	}
	/* a pipe that gives one byte at a time */
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		for (i = 0; i < len; i++) {
			if (write(ends[1], p + i, 1) != 1) {
				_exit(1);
			}
		}
		_exit(0);
	}
	close(ends[1]);
	read_fd(&result, ends[0], 7);
	assert_int_equal(result.error, 0);
	check(&result, seen, n);
	assert_int_equal(result.stats.size, 0);
}

static const struct seen seen_us_le[] = {
	{INT64_C(1000002000), 4, 4, 1, 0, "abcd"},
	{INT64_C(3000004000), 0, 60, 1, 0, ""},
	{INT64_C(5000006000), 2, 1, 1, 0, "ef"},
};

static const struct seen seen_two[] = {
	{INT64_C(4294967298), 1, 9, 101, 1, "A"},
	{INT64_C(2000001000), 4, 4, 1, 0, "BCDE"},
	{INT64_C(2000001000), 3, 5, 1, 0, "FGH"}, /* no time of its own: the one before */
	{INT64_C(101500000000), 2, 60, 113, 2, "IJ"},
};

static void pcap_of_each_magic_and_byte_order(void **state)
{
	static const struct seen ns_be[] = {{INT64_C(2147483649999999999), 3, 256, 101, 0, "xyz"}};
	static const struct seen us_be[] = {{INT64_C(1000002000), 1, 1, 1, 0, "q"}};
	static const struct seen ns_le[] = {{INT64_C(1000000002), 1, 1, 228, 0, "q"}};
	static const struct seen modified[] = {{INT64_C(1000002000), 2, 2, 1, 0, "hi"},
					       {INT64_C(2000000000), 1, 9, 1, 0, "!"}};
	static const struct seen v22[] = {{INT64_C(1000000000), 1, 60, 1, 0, "k"}};

	check_file(pcap_us_le, sizeof(pcap_us_le), seen_us_le, 3);
	check_file(pcap_ns_be, sizeof(pcap_ns_be), ns_be, 1);
	check_file(pcap_us_be, sizeof(pcap_us_be), us_be, 1);
	check_file(pcap_ns_le, sizeof(pcap_ns_le), ns_le, 1);
	check_file(pcap_modified, sizeof(pcap_modified), modified, 2);
	check_file(pcap_v22, sizeof(pcap_v22), v22, 1);
}

static void pcapng_sections_keep_their_byte_order_and_interfaces(void **state)
{
	static struct result result;

	check_file(pcapng_two, sizeof(pcapng_two), seen_two, 4);
	read_bytes(&result, pcapng_two, sizeof(pcapng_two), 16);
	assert_string_equal(result.name, "eth0");
}

static void pcapng_drops_are_counted_once(void **state)
{
	static struct result result;

	/* interface 0: 5 told by a packet, 7 in the final statistics, which include them; interface 2: 2 */
	read_bytes(&result, pcapng_two, sizeof(pcapng_two), 16);
	assert_int_equal(result.stats.drops, 9);
}

/* Where packets of a file end, for the cuts below. */
struct ends {
	const uint8_t *p;
	size_t len;
	const struct seen *seen;
	size_t npackets;
	size_t packets[4]; /* a cut at or behind this byte leaves packet i whole */
	size_t clean[12];  /* cuts here are not seen: boundaries of records */
	size_t nclean;
};

static void a_file_cut_at_any_byte_gives_all_before_the_cut(void **state)
{
	static const struct ends files[] = {
		{pcap_us_le, sizeof(pcap_us_le), seen_us_le, 3, {44, 60, 78}, {24, 44, 60, 78}, 4},
		{pcapng_two,
		 sizeof(pcapng_two),
		 seen_two,
		 4,
		 {140, 188, 208, 348},
		 {28, 60, 88, 104, 140, 188, 208, 244, 272, 312, 348},
		 11},
	};
	static struct result result;
	size_t f, cut, i;

	for (f = 0; f < 2; f++) {
		for (cut = 0; cut <= files[f].len; cut++) {
			size_t n = 0;
			int want = cut < 4 ? WEIR_EFORMAT : WEIR_EDAMAGED;

			while (n < files[f].npackets && files[f].packets[n] <= cut) {
				n++;
			}
			for (i = 0; i < files[f].nclean; i++) {
				want = files[f].clean[i] == cut ? 0 : want;
			}
			read_bytes(&result, files[f].p, cut, 1 + cut % 3);
			assert_int_equal(result.error, want);
			check(&result, files[f].seen, n);
		}
	}
}

static void messages_tell_what_and_where(void **state)
{
	uint8_t claim[sizeof(pcap_us_le)];
	static struct result result;

	read_bytes(&result, pcap_us_le, 77, 8);
	assert_string_equal(result.message,
			    "a.pcap ends inside packet 3 at byte 60 (needed 18 bytes, found 17)");
	read_bytes(&result, pcap_us_le, 61, 8);
	assert_string_equal(result.message,
			    "a.pcap ends inside packet 3 at byte 60 (needed 16 bytes, found 1)");
	read_bytes(&result, pcap_us_le, 10, 8);
	assert_string_equal(
		result.message,
		"a.pcap ends inside the file header at byte 0 (needed 24 bytes, found 10)");
	read_bytes(&result, pcapng_two, 95, 8);
	assert_string_equal(result.message,
			    "a.pcap ends inside a block at byte 88 (needed 12 bytes, found 7)");
	read_bytes(&result, pcapng_two, 103, 8);
	assert_string_equal(result.message,
			    "a.pcap ends inside a block at byte 88 (needed 16 bytes, found 15)");
	read_bytes(&result, pcapng_two, 245, 8);
	assert_string_equal(
		result.message,
		"a.pcap ends inside a block after packet 3 at byte 244 (needed 12 bytes, found 1)");
	memcpy(claim, pcap_us_le, sizeof(claim));
	memset(claim + 68, 0xff, 4);
	read_bytes(&result, claim, sizeof(claim), 8);
	assert_int_equal(result.error, WEIR_EDAMAGED);
	check(&result, seen_us_le, 2);
	assert_string_equal(result.message,
			    "a.pcap is damaged in packet 3 at byte 60: it claims 4294967295 bytes "
			    "(at most 262144 are possible)");
}

static void what_is_no_capture_is_told_by_its_first_bytes(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int error;
		const char *message;
	} files[] = {
		{"from scapy.all import *", 23, WEIR_EFORMAT,
		 "a.pcap is not a capture file (starts with \"from sca\"). Supported: pcap "
		 "(\xc2\xb5s and ns, either byte order, modified) and pcapng, also compressed"},
		{"\x1b[2J\"\\\xff\n....", 12, WEIR_EFORMAT,
		 "a.pcap is not a capture file (starts with "
		 "\"\\x1B[2J\\x22\\x5C\\xFF\\x0A\"). Supported: "
		 "pcap (\xc2\xb5s and ns, either byte order, modified) and pcapng, also "
		 "compressed"},
		{"", 0, WEIR_EFORMAT,
		 "a.pcap is empty: not even the header of a capture file is there"},
		/* a section header's type, but no byte-order magic */
		{"\n\r\r\n0123456789", 14, WEIR_EFORMAT,
		 "a.pcap is not a capture file (starts with \"\\x0A\\x0D\\x0D\\x0A0123\"). "
		 "Supported: pcap (\xc2\xb5s and ns, either byte order, modified) and pcapng, also "
		 "compressed"},
		{"\xfd"
		 "7zXZ\0\0\0\0\0\0\0\0\0",
		 14, WEIR_EUNSUPPORTED,
		 "a.pcap is compressed with xz, which is not read. Try: xz -dc FILE | weir -r -"},
	};
	static struct result result;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		read_bytes(&result, files[i].bytes, files[i].len, 4);
		assert_int_equal(result.error, files[i].error);
		assert_string_equal(result.message, files[i].message);
	}
}

static void a_file_that_cannot_be_opened_is_told_with_its_name_escaped(void **state)
{
	struct capture *capture;

	assert_int_equal(
		capture_open_file("/nonexistent/\x1b]0;h\xc3\xbc\xc2\x9b\xff", 0, &capture),
		WEIR_EIO);
	assert_string_equal(capture_message(capture),
			    "/nonexistent/\\x1B]0;h\xc3\xbc\\xC2\\x9B\\xFF cannot be opened: No "
			    "such file or directory");
	capture_close(capture);
	assert_int_equal(capture_open_file("/", 0, &capture), WEIR_EIO);
	assert_string_equal(capture_message(capture), "/ cannot be read: Is a directory");
	capture_close(capture);
}

static void put32(uint8_t *p, uint32_t value)
{
	memcpy(p, &value, 4);
}

static void pcapng_damage_ends_the_input_where_it_is(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		size_t npackets;
		const char *text;
	} changes[] = {
		{104 + 4, 0, 0, "packet 1 at byte 104: a block of 0 bytes cannot be"},
		{104 + 4, 37, 0, "packet 1 at byte 104: a block of 37 bytes cannot be"},
		{104 + 4, 0xfffffffc, 0,
		 "packet 1 at byte 104: a block of 4294967292 bytes (at most 16842752 are "
		 "possible)"},
		{104 + 20, 8, 0, "packet 1 at byte 104: it claims 8 bytes in a block of 36"},
		{104 + 20, 0xffffffff, 0,
		 "packet 1 at byte 104: it claims 4294967295 bytes in a block of 36"},
		{104 + 8, 2, 0, "packet 1 at byte 104: its interface 2 has not been described"},
		{104 + 32, 40, 0, "packet 1 at byte 104: its two lengths are 36 and 40"},
		{100, 20, 0, "a block at byte 88: its two lengths are 16 and 20"},
		{188 + 16, 24, 2, "packet 3 at byte 188: its two lengths are 20 and 24"},
		{244 + 8, 0x11111111, 3,
		 "a section header after packet 3 at byte 244: its byte order is not told"},
		{244 + 12, 0x00000200, 3,
		 "a section header after packet 3 at byte 244: version 2 of the pcapng format is "
		 "not known"},
		{312 + 8, 0x00000100, 3,
		 "packet 4 at byte 312: its interface 1 has not been described"},
	};
	static struct result result;
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		uint8_t file[sizeof(pcapng_two)];
		char want[256] = "a.pcap is damaged in ";

		memcpy(file, pcapng_two, sizeof(file));
		put32(file + changes[i].at, changes[i].value);
		read_bytes(&result, file, sizeof(file), 5);
		strcat(want, changes[i].text);
		assert_string_equal(result.message, want);
		assert_int_equal(result.error, WEIR_EDAMAGED);
		check(&result, seen_two, changes[i].npackets);
	}
}

/* One interface with these options, one packet with this time: its ns. */
static int64_t time_with(uint8_t tsresol, int64_t tsoffset, uint64_t units)
{
	static const uint8_t head[] = {0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a,
				       1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0,
				       /* IDB at 28: tsresol at 48, tsoffset at 56 */
				       1, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0,
				       0, 0, 0, 0, 14, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0,
				       /* EPB at 68: time at 80 */
				       6, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
				       0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0};
	static struct result result;
	uint8_t file[sizeof(head)];

	memcpy(file, head, sizeof(file));
	file[48] = tsresol;
	memcpy(file + 56, &tsoffset, 8);
	put32(file + 80, (uint32_t)(units >> 32));
	put32(file + 84, (uint32_t)units);
	read_bytes(&result, file, sizeof(file), 1);
	assert_int_equal(result.error, 0);
	assert_int_equal(result.n, 1);
	return result.packets[0].ts_ns;
}

static void pcapng_times_of_any_resolution_do_not_overflow(void **state)
{
	static const struct {
		uint8_t tsresol;
		int64_t tsoffset;
		uint64_t units;
		int64_t ts_ns;
	} times[] = {
		{6, 0, 1700000000123456, INT64_C(1700000000123456000)},
		{9, 0, 1700000000123456789, INT64_C(1700000000123456789)},
		{3, 0, 1700000000123, INT64_C(1700000000123000000)},
		{0, 0, 1700000000, INT64_C(1700000000000000000)},
		{12, 0, 1700000000123456789, INT64_C(1700000000123456)},
		{0x80, 0, 1700000000, INT64_C(1700000000000000000)},
		{0x81, 0, 3, INT64_C(1500000000)},
		{0xa0, 0, UINT64_C(0x100000000) * 5 + 0x80000000, INT64_C(5500000000)},
		{0xbf, 0, UINT64_MAX, INT64_C(1999999999)},
		{6, 1000, 1, INT64_C(1000000001000)},
		{6, -2, 1, INT64_C(-1999999000)},
		/* hostile */
		{0, 0, UINT64_MAX, CAPTURE_MAX_TS_NS},
		{6, 0, UINT64_MAX, CAPTURE_MAX_TS_NS},
		{9, 0, UINT64_MAX, CAPTURE_MAX_TS_NS},
		{9, 0, UINT64_C(1) << 62, CAPTURE_MAX_TS_NS},
		{0x80, INT64_MAX, UINT64_MAX, CAPTURE_MAX_TS_NS},
		{6, INT64_MIN, 0, -CAPTURE_MAX_TS_NS},
		{0x7f, 0, UINT64_MAX, 0},
		{0xff, 0, UINT64_MAX, 0},
		{28, 0, UINT64_MAX, 1}, /* 1.8e19 * 1e-19 ns */
	};
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		int64_t ts_ns = time_with(times[i].tsresol, times[i].tsoffset, times[i].units);

		assert_true(ts_ns == times[i].ts_ns);
	}
}

static void pcap_fractions_beyond_a_second_are_added(void **state)
{
	uint8_t file[sizeof(pcap_us_le)];
	static struct result result;

	memcpy(file, pcap_us_le, sizeof(file));
	memset(file + 24, 0xff, 8);
	read_bytes(&result, file, sizeof(file), 8);
	assert_int_equal(result.error, 0);
	assert_true(result.packets[0].ts_ns ==
		    INT64_C(4294967295) * 1000000000 + INT64_C(4294967295) * 1000);
	assert_true(result.packets[0].ts_ns < CAPTURE_MAX_TS_NS);
}

/* A pcap of n packets, the i-th of size(i) bytes that count up from i. */
static uint8_t *big_file(size_t n, size_t (*size)(size_t i), size_t *len)
{
	size_t at = 24, i, k;
	uint8_t *p;

	for (i = 0; i < n; i++) {
		at += 16 + size(i);
	}
	*len = at;
	p = malloc(at);
	assert_non_null(p);
	memcpy(p, pcap_us_le, 24);
	put32(p + 16, 1 << 22); /* snaplen */
	for (i = 0, at = 24; i < n; i++) {
		put32(p + at, (uint32_t)i);
		put32(p + at + 4, 0);
		put32(p + at + 8, (uint32_t)size(i));
		put32(p + at + 12, (uint32_t)size(i));
		at += 16;
		for (k = 0; k < size(i); k++) {
			p[at + k] = (uint8_t)(i + k);
		}
		at += size(i);
	}
	return p;
}

static size_t size_small(size_t i)
{
	return i * 7919 % 1500;
}

static size_t size_huge(size_t i)
{
	return i % 3 == 1 ? 3000000 + i : i * 7919 % 1500;
}

static void check_big(size_t n, size_t (*size)(size_t i), size_t batch_size)
{
	struct capture_batch batches[2]; /* taken in turn: what is handed on is not touched again */
	struct capture *capture;
	size_t len, seen = 0, turn = 0;
	uint8_t *file = big_file(n, size, &len);
	int got = 0;

	assert_int_equal(capture_batch_init(&batches[0], batch_size), 0);
	assert_int_equal(capture_batch_init(&batches[1], batch_size), 0);
	assert_int_equal(capture_open_fd(memory_file(file, len), "big", 0, &capture), 0);
	free(file);
	do {
		struct capture_batch *before = &batches[turn % 2];
		size_t i, k;

		turn++;
		got = capture_fill(capture, &batches[turn % 2]);
		for (i = 0; i < before->npackets; i++) {
			const struct weir_packet *packet = &before->packets[i];

			assert_int_equal(packet->number, seen + 1);
			assert_int_equal(packet->caplen, size(seen));
			for (k = 0; k < packet->caplen; k++) {
				if (packet->data[k] != (uint8_t)(seen + k)) {
					fail_msg("packet %zu, byte %zu", seen, k);
				}
			}
			seen++;
		}
	} while (got > 0 || batches[turn % 2].npackets > 0);
	assert_int_equal(got, 0);
	assert_int_equal(seen, n);
	capture_close(capture);
	capture_batch_fini(&batches[0]);
	capture_batch_fini(&batches[1]);
}

static void records_cut_by_a_block_move_to_the_next_batch(void **state)
{
	check_big(3000, size_small, 100000);
	check_big(3000, size_small, 64);
	check_big(3000, size_small, 1);
}

static void a_record_larger_than_the_buffer_makes_it_grow(void **state)
{
	check_big(6, size_huge, 1000);
	check_big(6, size_huge, 1);
}

static void a_stopped_source_ends(void **state)
{
	struct capture *capture;
	struct capture_batch batch;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], pcap_us_le, 50), 50);
	assert_int_equal(capture_batch_init(&batch, 4), 0);
	assert_int_equal(capture_open_fd(ends[0], "pipe", 0, &capture), 0);
	/* delivered without waiting for more */
	assert_int_equal(capture_fill(capture, &batch), 1);
	capture_stop(capture);
	assert_int_equal(capture_fill(capture, &batch), 0);
	assert_string_equal(capture_message(capture), "");
	capture_close(capture);
	capture_batch_fini(&batch);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcap_of_each_magic_and_byte_order),
		cmocka_unit_test(pcapng_sections_keep_their_byte_order_and_interfaces),
		cmocka_unit_test(pcapng_drops_are_counted_once),
		cmocka_unit_test(a_file_cut_at_any_byte_gives_all_before_the_cut),
		cmocka_unit_test(messages_tell_what_and_where),
		cmocka_unit_test(what_is_no_capture_is_told_by_its_first_bytes),
		cmocka_unit_test(a_file_that_cannot_be_opened_is_told_with_its_name_escaped),
		cmocka_unit_test(pcapng_damage_ends_the_input_where_it_is),
		cmocka_unit_test(pcapng_times_of_any_resolution_do_not_overflow),
		cmocka_unit_test(pcap_fractions_beyond_a_second_are_added),
		cmocka_unit_test(records_cut_by_a_block_move_to_the_next_batch),
		cmocka_unit_test(a_record_larger_than_the_buffer_makes_it_grow),
		cmocka_unit_test(a_stopped_source_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

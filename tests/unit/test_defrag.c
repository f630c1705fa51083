/* SPDX-License-Identifier: Apache-2.0 */
/* defrag/: order, overlap, limits and time, for IPv4 and IPv6. Fragments are made from offsets and bytes by make_v4/v6(). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/time.h"
#include "decode/layers.h"
#include "defrag/defrag.h"

enum { LIMIT = 1 << 20 };

struct fixture {
	struct budget budget;
	struct defrag *defrag;
	struct defrag_datagram datagram;
	uint8_t packet[2048];
	struct layers layers;
	int64_t now_ns;
};

static void fixture_init(struct fixture *fixture, size_t limit)
{
	memset(fixture, 0, sizeof(*fixture));
	budget_init(&fixture->budget, SIZE_MAX, NULL);
	assert_int_equal(defrag_new(&fixture->budget, limit, 30 * NS_PER_S, &fixture->defrag), 0);
}

static void fixture_fini(struct fixture *fixture)
{
	defrag_free(fixture->defrag);
	assert_int_equal(fixture->budget.used, 0);
}

/* 10.0.0.1 > 10.0.0.2, protocol TCP; the header's checksum is left 0 */
static void make_v4(struct fixture *fixture, uint16_t id, uint32_t offset, bool more,
		    const char *data, size_t len)
{
	static const uint8_t header[20] = {0x45, 0, 0,  0, 0, 0, 0,  0, 64, 6,
					   0,    0, 10, 0, 0, 1, 10, 0, 0,  2};
	struct weir_packet packet = {.data = fixture->packet,
				     .caplen = (uint32_t)(20 + len),
				     .wirelen = (uint32_t)(20 + len),
				     .linktype = 228};

	assert_true(20 + len <= sizeof(fixture->packet));
	memcpy(fixture->packet, header, 20);
	fixture->packet[2] = (uint8_t)((20 + len) >> 8);
	fixture->packet[3] = (uint8_t)(20 + len);
	fixture->packet[4] = (uint8_t)(id >> 8);
	fixture->packet[5] = (uint8_t)id;
	fixture->packet[6] = (uint8_t)((more ? 0x20 : 0) | offset >> 11);
	fixture->packet[7] = (uint8_t)(offset >> 3);
	memcpy(fixture->packet + 20, data, len);
	layers_decode(&packet, true, &fixture->layers);
	assert_int_equal(fixture->layers.kind, LAYERS_FRAGMENT);
}

/* ::1 > ::2, a hop-by-hop header before the fragment header, next TCP */
static void make_v6(struct fixture *fixture, uint32_t id, uint32_t offset, bool more,
		    const char *data, size_t len)
{
	static const uint8_t header[56] = {
		0x60, 0, 0, 0, 0, 0, 0, 64, [23] = 1, [39] = 2, /* IPv6, next hop-by-hop */
		44,   0, 5, 2, 0, 0, 1, 0, /* hop-by-hop: router alert; next fragment */
		6,    0, 0, 0, 0, 0, 0, 0};
	struct weir_packet packet = {.data = fixture->packet,
				     .caplen = (uint32_t)(56 + len),
				     .wirelen = (uint32_t)(56 + len),
				     .linktype = 229};

	assert_true(56 + len <= sizeof(fixture->packet));
	memcpy(fixture->packet, header, 56);
	fixture->packet[4] = (uint8_t)((16 + len) >> 8);
	fixture->packet[5] = (uint8_t)(16 + len);
	fixture->packet[50] = (uint8_t)(offset >> 8);
	fixture->packet[51] = (uint8_t)((offset & 0xf8) | more);
	fixture->packet[54] = (uint8_t)(id >> 8);
	fixture->packet[55] = (uint8_t)id;
	memcpy(fixture->packet + 56, data, len);
	layers_decode(&packet, true, &fixture->layers);
	assert_int_equal(fixture->layers.kind, LAYERS_FRAGMENT);
	assert_int_equal(fixture->layers.frag_header_len, 48);
}

static int push_v4(struct fixture *fixture, uint32_t offset, bool more, const char *text)
{
	make_v4(fixture, 7, offset, more, text, strlen(text));
	return defrag_push(fixture->defrag, &fixture->layers, fixture->now_ns, &fixture->datagram);
}

static int push_v6(struct fixture *fixture, uint32_t offset, bool more, const char *text)
{
	make_v6(fixture, 7, offset, more, text, strlen(text));
	return defrag_push(fixture->defrag, &fixture->layers, 0, &fixture->datagram);
}

static void check_datagram(const struct fixture *fixture, size_t header_len, const char *text)
{
	assert_int_equal(fixture->datagram.len, header_len + strlen(text));
	assert_memory_equal(fixture->datagram.ip + header_len, text, strlen(text));
}

static void fragments_in_any_order_make_the_datagram(void **state)
{
	static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	static const char *const texts[3] = {"aaaaaaaabbbbbbbb", "cccccccc", "ddd"};
	static const uint32_t offsets[3] = {0, 16, 24};
	static const uint8_t header[20] = {0x45, 0, 0,  47, 0, 7, 0,  0, 64, 6,
					   0,    0, 10, 0,  0, 1, 10, 0, 0,  2};
	struct fixture fixture;
	size_t i;

	fixture_init(&fixture, LIMIT);
	for (i = 0; i < 6; i++) {
		const uint8_t *o = orders[i];

		assert_int_equal(push_v4(&fixture, offsets[o[0]], o[0] < 2, texts[o[0]]), 0);
		assert_int_equal(push_v4(&fixture, offsets[o[1]], o[1] < 2, texts[o[1]]), 0);
		assert_int_equal(defrag_stats(fixture.defrag)->waiting, 2);
		assert_int_equal(push_v4(&fixture, offsets[o[2]], o[2] < 2, texts[o[2]]), 1);
		fixture.now_ns += DEFRAG_REPEAT_NS; /* from now on the id is another's */
		check_datagram(&fixture, 20, "aaaaaaaabbbbbbbbccccccccddd");
		assert_memory_equal(fixture.datagram.ip, header, 20);
		assert_int_equal(fixture.datagram.nconflict, 0);
	}
	assert_int_equal(defrag_stats(fixture.defrag)->datagrams, 6);
	assert_int_equal(defrag_stats(fixture.defrag)->fragments, 18);
	assert_int_equal(defrag_stats(fixture.defrag)->waiting, 0);
	fixture_fini(&fixture);
}

static void ipv6_datagram_has_its_header_chain_closed(void **state)
{
	/* payload length 8 + 19, hop-by-hop now names TCP */
	static const uint8_t header[48] = {
		0x60, 0, 0, 0, 0, 27, 0, 64, [23] = 1, [39] = 2, 6, 0, 5, 2, 0, 0, 1, 0};
	struct fixture fixture;

	fixture_init(&fixture, LIMIT);
	assert_int_equal(push_v6(&fixture, 16, false, "ccc"), 0);
	assert_int_equal(push_v6(&fixture, 0, true, "aaaaaaaabbbbbbbb"), 1);
	check_datagram(&fixture, 48, "aaaaaaaabbbbbbbbccc");
	assert_memory_equal(fixture.datagram.ip, header, 48);
	fixture_fini(&fixture);
}

static void ipv4_header_checksum_is_made_anew(void **state)
{
	/* 10.0.0.1 > 10.0.0.2, id 0x1234, don't fragment and more fragments, length 28: checksum 0xf4a5 */
	static const uint8_t first[28] = {0x45, 0,    0,   28,  0x12, 0x34, 0x60, 0,  64, 6,
					  0xf4, 0xa5, 10,  0,   0,    1,    10,   0,  0,  2,
					  'a',  'a',  'a', 'a', 'a',  'a',  'a',  'a'};
	struct weir_packet packet = {.data = first, .caplen = 28, .wirelen = 28, .linktype = 228};
	struct fixture fixture;
	struct layers layers;

	fixture_init(&fixture, LIMIT);
	layers_decode(&packet, true, &layers);
	assert_int_equal(layers.reason, LAYERS_OK);
	assert_int_equal(defrag_push(fixture.defrag, &layers, 0, &fixture.datagram), 0);
	make_v4(&fixture, 0x1234, 8, false, "0123456789abcdef", 16);
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 1);
	/* total length 44, no flags: 0x4500 + 0x002c + 0x1234 + 0x4006 + 2 * 0x0a00 + 3 = 0xab69, inverted */
	assert_memory_equal(fixture.datagram.ip + 2, "\x00\x2c\x12\x34\x00\x00\x40\x06\x54\x96",
			    10);
	fixture_fini(&fixture);
}

static void datagrams_are_told_apart(void **state)
{
	struct fixture fixture;

	fixture_init(&fixture, LIMIT);
	make_v4(&fixture, 1, 0, true, "aaaaaaaa", 8);
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 0);
	make_v4(&fixture, 2, 8, false, "b", 1); /* another id */
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 0);
	make_v4(&fixture, 1, 8, false, "b", 1);
	fixture.layers.tunnel_id = 5; /* another tunnel */
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 0);
	make_v4(&fixture, 1, 8, false, "b", 1);
	fixture.layers.protocol = 17; /* another protocol */
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 0);
	make_v4(&fixture, 1, 8, false, "b", 1);
	fixture.layers.src[3] = 9; /* another sender */
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 0);
	make_v4(&fixture, 1, 8, false, "b", 1);
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 1);
	/* IPv6: the protocol is not part of the key (RFC 8200 §4.5), that of the first fragment holds */
	make_v6(&fixture, 1, 8, false, "b", 1);
	fixture.layers.protocol = 17;
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 0);
	make_v6(&fixture, 1, 0, true, "aaaaaaaa", 8);
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 1);
	assert_int_equal(fixture.datagram.ip[40], 6);
	fixture_fini(&fixture);
}

static void ipv4_first_copy_wins(void **state)
{
	struct fixture fixture;

	fixture_init(&fixture, LIMIT);
	assert_int_equal(push_v4(&fixture, 8, true, "BBBBBBBB"), 0);
	/* over it from both sides; 8 bytes differ */
	assert_int_equal(push_v4(&fixture, 0, true, "aaaaaaaaxxxxxxxxcccccccc"), 0);
	assert_int_equal(push_v4(&fixture, 24, false, "dddd"), 1);
	check_datagram(&fixture, 20, "aaaaaaaaBBBBBBBBccccccccdddd");
	assert_int_equal(fixture.datagram.nconflict, 8);
	assert_int_equal(fixture.datagram.conflict_at, 8);
	assert_memory_equal(fixture.datagram.kept, "BBBBBBBB", 8);
	assert_memory_equal(fixture.datagram.lost, "xxxxxxxx", 8);
	assert_int_equal(defrag_stats(fixture.defrag)->conflicts, 8);
	/* overlap without a difference is none; a hole is filled from one that covers all */
	fixture.now_ns += DEFRAG_REPEAT_NS;
	assert_int_equal(push_v4(&fixture, 16, true, "cccccccc"), 0);
	assert_int_equal(push_v4(&fixture, 0, true, "aaaaaaaa"), 0);
	assert_int_equal(push_v4(&fixture, 24, false, "dd"), 0);
	assert_int_equal(push_v4(&fixture, 0, true, "aaaaaaaabbbbbbbbcccccccc"), 1);
	check_datagram(&fixture, 20, "aaaaaaaabbbbbbbbccccccccdd");
	assert_int_equal(fixture.datagram.nconflict, 0);
	fixture_fini(&fixture);
}

static void ipv4_repeats_change_nothing(void **state)
{
	struct fixture fixture;

	fixture_init(&fixture, LIMIT);
	assert_int_equal(push_v4(&fixture, 0, true, "aaaaaaaa"), 0);
	assert_int_equal(push_v4(&fixture, 0, true, "aaaaaaaa"), 0);
	assert_int_equal(push_v4(&fixture, 0, true, "aaaaaaaa"), 0);
	assert_int_equal(push_v4(&fixture, 8, false, "b"), 1);
	check_datagram(&fixture, 20, "aaaaaaaab");
	fixture_fini(&fixture);
}

static void repeats_of_a_completed_datagram_are_absorbed(void **state)
{
	struct fixture fixture;
	const struct defrag_stats *stats;

	/* each packet captured twice */
	fixture_init(&fixture, LIMIT);
	stats = defrag_stats(fixture.defrag);
	assert_int_equal(push_v4(&fixture, 0, true, "aaaaaaaa"), 0);
	assert_int_equal(push_v4(&fixture, 0, true, "aaaaaaaa"), 0);
	assert_int_equal(push_v4(&fixture, 8, false, "b"), 1);
	fixture.now_ns = DEFRAG_REPEAT_NS - 1;
	assert_int_equal(push_v4(&fixture, 8, false, "b"), 0);
	assert_int_equal(push_v4(&fixture, 0, true, "aaaaaaaa"), 0);
	assert_int_equal(stats->duplicates, 2);
	assert_int_equal(stats->waiting, 0);
	/* later the identification is another datagram's */
	fixture.now_ns = DEFRAG_REPEAT_NS;
	assert_int_equal(push_v4(&fixture, 8, false, "d"), 0);
	assert_int_equal(push_v4(&fixture, 0, true, "cccccccc"), 1);
	check_datagram(&fixture, 20, "ccccccccd");
	assert_int_equal(stats->duplicates, 2);
	assert_int_equal(stats->timeouts + stats->evicted + stats->invalid, 0);
	fixture_fini(&fixture);
}

static void ipv6_overlap_drops_the_datagram(void **state)
{
	struct fixture fixture;

	fixture_init(&fixture, LIMIT);
	assert_int_equal(push_v6(&fixture, 0, true, "aaaaaaaabbbbbbbb"), 0);
	assert_int_equal(push_v6(&fixture, 0, true, "aaaaaaaabbbbbbbb"), 0); /* exact repeat */
	assert_int_equal(defrag_stats(fixture.defrag)->overlaps, 0);
	assert_int_equal(push_v6(&fixture, 8, true, "bbbbbbbb"), 0);
	assert_int_equal(defrag_stats(fixture.defrag)->overlaps, 1);
	assert_int_equal(defrag_stats(fixture.defrag)->waiting, 0);
	/* also what comes later is discarded */
	assert_int_equal(push_v6(&fixture, 0, true, "aaaaaaaabbbbbbbb"), 0);
	assert_int_equal(push_v6(&fixture, 16, false, "c"), 0);
	assert_int_equal(defrag_stats(fixture.defrag)->datagrams, 0);
	/* until it would have timed out */
	make_v6(&fixture, 7, 0, true, "aaaaaaaa", 8);
	assert_int_equal(
		defrag_push(fixture.defrag, &fixture.layers, 30 * NS_PER_S, &fixture.datagram), 0);
	make_v6(&fixture, 7, 8, false, "b", 1);
	assert_int_equal(
		defrag_push(fixture.defrag, &fixture.layers, 30 * NS_PER_S, &fixture.datagram), 1);
	assert_int_equal(defrag_stats(fixture.defrag)->timeouts, 0);
	fixture_fini(&fixture);
}

static void ipv6_repeat_with_other_bytes_is_overlap(void **state)
{
	struct fixture fixture;

	fixture_init(&fixture, LIMIT);
	assert_int_equal(push_v6(&fixture, 0, true, "aaaaaaaa"), 0);
	assert_int_equal(push_v6(&fixture, 0, true, "aaaaaaab"), 0);
	assert_int_equal(push_v6(&fixture, 8, false, "b"), 0);
	assert_int_equal(defrag_stats(fixture.defrag)->overlaps, 1);
	fixture_fini(&fixture);
}

static void bad_fragments_are_refused_and_counted(void **state)
{
	struct fixture fixture;
	uint64_t invalid = 0;

	fixture_init(&fixture, LIMIT);
	assert_int_equal(push_v4(&fixture, 0, true, "aaaaaaa"), 0); /* 7 bytes, more to come */
	assert_int_equal(defrag_stats(fixture.defrag)->invalid, ++invalid);
	assert_int_equal(push_v4(&fixture, 8, false, ""), 0); /* no bytes */
	assert_int_equal(defrag_stats(fixture.defrag)->invalid, ++invalid);
	assert_int_equal(push_v4(&fixture, 65528, false, "01234567"), 0); /* beyond 65,535 */
	assert_int_equal(defrag_stats(fixture.defrag)->invalid, ++invalid);
	make_v4(&fixture, 7, 0, true, "aaaaaaaa", 8);
	fixture.layers.frag_caplen = 7; /* cut by the snaplen */
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 0);
	assert_int_equal(defrag_stats(fixture.defrag)->invalid, ++invalid);
	make_v4(&fixture, 7, 0, true, "aaaaaaaa", 8);
	fixture.layers.reason = LAYERS_BAD_IP_CHECKSUM;
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 0);
	assert_int_equal(defrag_stats(fixture.defrag)->invalid, ++invalid);
	assert_int_equal(defrag_stats(fixture.defrag)->waiting, 0);

	assert_int_equal(push_v4(&fixture, 8, false, "bbbb"), 0);
	assert_int_equal(push_v4(&fixture, 8, false, "bbbbb"), 0); /* another end */
	assert_int_equal(defrag_stats(fixture.defrag)->invalid, ++invalid);
	assert_int_equal(push_v4(&fixture, 8, true, "bbbbbbbb"), 0); /* beyond the end */
	assert_int_equal(defrag_stats(fixture.defrag)->invalid, ++invalid);
	assert_int_equal(push_v4(&fixture, 0, true, "aaaaaaaa"), 1);
	check_datagram(&fixture, 20, "aaaaaaaabbbb");
	fixture.now_ns += DEFRAG_REPEAT_NS;

	assert_int_equal(push_v4(&fixture, 16, true, "cccccccc"), 0);
	assert_int_equal(push_v4(&fixture, 8, false, "bbbb"), 0); /* an end before what is there */
	assert_int_equal(defrag_stats(fixture.defrag)->invalid, ++invalid);
	assert_int_equal(defrag_stats(fixture.defrag)->waiting, 1);
	fixture_fini(&fixture);
}

static void age_gives_a_datagram_up(void **state)
{
	struct fixture fixture;

	fixture_init(&fixture, LIMIT);
	assert_int_equal(push_v4(&fixture, 0, true, "aaaaaaaa"), 0);
	defrag_expire(fixture.defrag, 30 * NS_PER_S - 1);
	assert_int_equal(defrag_stats(fixture.defrag)->timeouts, 0);
	defrag_expire(fixture.defrag, 30 * NS_PER_S);
	assert_int_equal(defrag_stats(fixture.defrag)->timeouts, 1);
	assert_int_equal(defrag_stats(fixture.defrag)->waiting, 0);
	/* the rest alone makes nothing; the clock of the push counts too */
	make_v4(&fixture, 7, 8, false, "b", 1);
	assert_int_equal(
		defrag_push(fixture.defrag, &fixture.layers, 31 * NS_PER_S, &fixture.datagram), 0);
	make_v4(&fixture, 7, 0, true, "aaaaaaaa", 8);
	assert_int_equal(
		defrag_push(fixture.defrag, &fixture.layers, 61 * NS_PER_S, &fixture.datagram), 0);
	assert_int_equal(defrag_stats(fixture.defrag)->timeouts, 2);
	defrag_expire(fixture.defrag, INT64_MIN); /* a clock that goes back is no age */
	assert_int_equal(defrag_stats(fixture.defrag)->waiting, 1);
	fixture_fini(&fixture);
}

static void limit_takes_the_oldest_first(void **state)
{
	static char data[1024];
	struct fixture fixture;
	const struct defrag_stats *stats;
	uint32_t id;

	fixture_init(&fixture, 64 << 10);
	stats = defrag_stats(fixture.defrag);
	for (id = 0; id < 1000; id++) {
		make_v4(&fixture, (uint16_t)id, 0, true, data, sizeof(data));
		assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram),
				 0);
		assert_true(fixture.budget.used <= 64 << 10);
	}
	/* at least the newest 40 are there */
	assert_true(stats->waiting > 40);
	assert_int_equal(stats->evicted + stats->waiting, 1000);
	make_v4(&fixture, 960, 1024, false, "b", 1);
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 1);
	assert_int_equal(fixture.datagram.len, 20 + 1025);
	make_v4(&fixture, 0, 1024, false, "b", 1);
	assert_int_equal(defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram), 0);
	fixture_fini(&fixture);
}

static void largest_datagram_fits(void **state)
{
	static char data[1480];
	struct fixture fixture;
	uint32_t offset;
	int done = 0;

	fixture_init(&fixture, LIMIT);
	for (offset = 0; offset < 65515; offset += 1480) {
		uint32_t len = 65515 - offset < 1480 ? 65515 - offset : 1480;

		memset(data, (int)(offset / 1480), sizeof(data));
		make_v4(&fixture, 7, offset, offset + len < 65515, data, len);
		assert_int_equal(done, 0);
		done = defrag_push(fixture.defrag, &fixture.layers, 0, &fixture.datagram);
	}
	assert_int_equal(done, 1);
	assert_int_equal(fixture.datagram.len, 65535);
	assert_int_equal(fixture.datagram.ip[2], 0xff);
	assert_int_equal(fixture.datagram.ip[3], 0xff);
	assert_int_equal(fixture.datagram.ip[20 + 1480 * 44], 44);
	fixture_fini(&fixture);
}

static void too_many_pieces_give_the_datagram_up(void **state)
{
	struct fixture fixture;
	uint32_t i;

	fixture_init(&fixture, LIMIT);
	for (i = 0; i <= 2048; i++) {
		assert_int_equal(defrag_stats(fixture.defrag)->invalid, 0);
		assert_int_equal(push_v4(&fixture, i * 16 + 16, true, "aaaaaaaa"), 0);
	}
	assert_int_equal(defrag_stats(fixture.defrag)->invalid, 1);
	assert_int_equal(defrag_stats(fixture.defrag)->waiting, 0);
	fixture_fini(&fixture);
}

struct failing {
	unsigned left; /* allocations before one fails */
};

static void *failing_alloc(void *context, size_t size)
{
	struct failing *failing = context;

	if (failing->left == 0) {
		return NULL;
	}
	failing->left--;
	return malloc(size);
}

static void failing_free(void *context, void *ptr, size_t size)
{
	free(ptr);
}

static void no_memory_at_any_point_loses_the_datagram_only(void **state)
{
	unsigned n;

	for (n = 1; n < 20; n++) {
		struct failing failing = {n};
		struct weir_allocator allocator = {failing_alloc, failing_free, &failing};
		struct fixture fixture;
		int done;

		memset(&fixture, 0, sizeof(fixture));
		budget_init(&fixture.budget, SIZE_MAX, &allocator);
		assert_int_equal(defrag_new(&fixture.budget, LIMIT, NS_PER_S, &fixture.defrag), 0);
		(void)push_v4(&fixture, 16, true, "cccccccc");
		(void)push_v4(&fixture, 0, true, "aaaaaaaabbbbbbbb");
		done = push_v4(&fixture, 24, false, "d");
		assert_int_equal(done, n >= 7); /* table, datagram, header, 3 pieces, output */
		failing.left = 100;
		fixture.now_ns = DEFRAG_REPEAT_NS;
		(void)push_v4(&fixture, 0, true, "aaaaaaaa");
		defrag_free(fixture.defrag);
		assert_int_equal(fixture.budget.used, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragments_in_any_order_make_the_datagram),
		cmocka_unit_test(ipv6_datagram_has_its_header_chain_closed),
		cmocka_unit_test(ipv4_header_checksum_is_made_anew),
		cmocka_unit_test(datagrams_are_told_apart),
		cmocka_unit_test(ipv4_first_copy_wins),
		cmocka_unit_test(ipv4_repeats_change_nothing),
		cmocka_unit_test(repeats_of_a_completed_datagram_are_absorbed),
		cmocka_unit_test(ipv6_overlap_drops_the_datagram),
		cmocka_unit_test(ipv6_repeat_with_other_bytes_is_overlap),
		cmocka_unit_test(bad_fragments_are_refused_and_counted),
		cmocka_unit_test(age_gives_a_datagram_up),
		cmocka_unit_test(limit_takes_the_oldest_first),
		cmocka_unit_test(largest_datagram_fits),
		cmocka_unit_test(too_many_pieces_give_the_datagram_up),
		cmocka_unit_test(no_memory_at_any_point_loses_the_datagram_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

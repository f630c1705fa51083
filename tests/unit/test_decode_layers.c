/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode/: packets written out byte by byte (their checksums come from a script and are good to tshark), and the same cut
 * at every byte. A packet lives in a block of exactly its captured size, so that ASan sees a read beyond it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "decode/layers.h"
#include "packets.h"

enum { MAX_PACKET = 70000 };

/* ---- every way that leads to IP ---- */

struct carrier {
	const char *name;
	uint16_t linktype;
	const char *before; /* in front of the IP header */
	uint8_t ip_version;
	int vlan; /* -1: none */
};

static const struct carrier carriers[] = {
	{"ethernet", 1, ETH4, 4, -1},
	{"ethernet, ipv6", 1, MACS "86dd", 6, -1},
	{"802.1Q", 1, MACS "8100 6064 0800", 4, 100},
	{"802.1Q, ipv6", 1, MACS "8100 0fff 86dd", 6, 4095},
	{"802.1Q, priority only", 1, MACS "8100 e000 0800", 4, -1},
	{"802.1ad", 1, MACS "88a8 0007 8100 0008 0800", 4, 7},
	{"QinQ", 1, MACS "9100 0007 8100 0008 86dd", 6, 7},
	{"QinQ 9200", 1, MACS "9200 0000 8100 0008 0800", 4, 8},
	{"802.3 LLC SNAP", 1, MACS "0034 aaaa03 000000 0800", 4, -1},
	{"802.3 LLC SNAP, bridge tunnel", 1, MACS "0034 aaaa03 0000f8 86dd", 6, -1},
	{"802.3 LLC", 1, MACS "002f 060603", 4, -1},
	{"802.1Q with LLC", 1, MACS "8100 0005 0034 aaaa03 000000 0800", 4, 5},
	{"VN-tag", 1, MACS "8926 00010002 0800", 4, -1},
	{"E-tag", 1, MACS "893f 000000010000 0800", 4, -1},
	{"MPLS", 1, MACS "8847 0001213f", 4, -1},
	{"MPLS stack, ipv6", 1, MACS "8847 0001203f 0001303f 0001413f", 6, -1},
	{"MPLS upstream", 1, MACS "8848 0001213f", 4, -1},
	{"MPLS, ethernet pseudowire", 1, MACS "8847 0001213f 00000000" MACS "0800", 4, -1},
	{"PPPoE", 1, MACS "8864 11000001002e 0021", 4, -1},
	{"PPPoE, ipv6", 1, MACS "8100 0003 8864 11000001002e 0057", 6, 3},
	{"PPPoE, protocol compressed", 1, MACS "8864 11000001002d 21", 4, -1},
	{"null, little endian", 0, "02000000", 4, -1},
	{"null, big endian", 0, "00000002", 4, -1},
	{"null, ipv6 of NetBSD", 0, "18000000", 6, -1},
	{"null, ipv6 of FreeBSD", 0, "1c000000", 6, -1},
	{"null, ipv6 of macOS, big endian", 0, "0000001e", 6, -1},
	{"loop", 108, "00000002", 4, -1},
	{"loop, ipv6", 108, "00000018", 6, -1},
	{"raw", 101, "", 4, -1},
	{"raw, ipv6", 101, "", 6, -1},
	{"raw 12", 12, "", 6, -1},
	{"raw 14", 14, "", 4, -1},
	{"ipv4", 228, "", 4, -1},
	{"ipv6", 229, "", 6, -1},
	{"sll", 113, "0000 0001 0006 0200000000010000 0800", 4, -1},
	{"sll, vlan", 113, "0004 0001 0006 0200000000010000 8100 0009 86dd", 6, 9},
	{"sll, 802.2", 113, "0000 0001 0006 0200000000010000 0004 aaaa03 000000 0800", 4, -1},
	{"sll2", 276, "0800 0000 00000002 0001 00 06 0200000000010000", 4, -1},
	{"sll2, ipv6", 276, "86dd 0000 00000002 0304 04 06 0000000000000000", 6, -1},
	{"ppp", 9, "ff03 0021", 4, -1},
	{"ppp, no address", 9, "0057", 6, -1},
	{"ppp, all compressed", 9, "57", 6, -1},
	{"ppp, mpls", 9, "ff03 0281 0001213f", 4, -1},
	{"ppp hdlc", 50, "ff03 0021", 4, -1},
	{"ppp hdlc of cisco", 50, "0f00 0800", 4, -1},
	{"ppp over ethernet", 51, "11000001002e 0021", 4, -1},
	{"cisco hdlc", 104, "0f00 0800", 4, -1},
	{"cisco hdlc, multicast, ipv6", 104, "8f00 86dd", 6, -1},
	{"802.11 data", 105,
	 "0801 0000 020000000001 020000000002 020000000003 0000aaaa030000000800", 4, -1},
	{"802.11 data from the access point, ipv6", 105,
	 "0802 0000 020000000001 020000000002 020000000003 1000aaaa0300000086dd", 6, -1},
	{"802.11 QoS data", 105,
	 "8801 0000 020000000001 020000000002 020000000003 0000 0000aaaa030000000800", 4, -1},
	{"802.11 QoS data with HT control", 105,
	 "8881 0000 020000000001 020000000002 020000000003 0000 0000 00000000aaaa030000000800", 4,
	 -1},
	{"802.11 between access points", 105,
	 "8803 0000 020000000001 020000000002 020000000003 0000 020000000004 0000aaaa030000000800",
	 4, -1},
	{"802.11 A-MSDU", 105,
	 "8801 0000 020000000001 020000000002 020000000003 0000 8000 020000000002 020000000001 "
	 "0034aaaa030000000800",
	 4, -1},
	{"radiotap", 127,
	 "0000 0800 00000000 0801 0000 020000000001 020000000002 020000000003 0000aaaa030000000800",
	 4, -1},
	{"radiotap, padded header", 127,
	 "0000 0900 02000000 20 8801 0000 020000000001 020000000002 020000000003 0000 0000 "
	 "0000aaaa030000000800",
	 4, -1},
	{"radiotap, time and two words of presence", 127,
	 "0000 1900 03000080 00000000 00000000 0000000000000000 20 8801 0000 020000000001 "
	 "020000000002 020000000003 0000 0000 0000aaaa030000000800",
	 4, -1},
	{"ppi", 192,
	 "0000 0800 69000000 0801 0000 020000000001 020000000002 020000000003 0000aaaa030000000800",
	 4, -1},
	{"ppi with a field and ethernet", 192,
	 "0000 1000 01000000 0300 0400 00000000 020000000002 020000000001 0800", 4, -1},
	{"prism", 119,
	 "44000000 "
	 "90000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	 "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	 "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	 "00000000000000801 0000 020000000001 020000000002 020000000003 0000aaaa030000000800",
	 4, -1},
	{"avs", 163,
	 "80211001 "
	 "00000040000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	 "00000000000000000000000000000000801 0000 020000000001 020000000002 020000000003 "
	 "0000aaaa030000000800",
	 4, -1},
	{"avs as prism", 119,
	 "80211001 "
	 "00000040000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	 "00000000000000000000000000000000801 0000 020000000001 020000000002 020000000003 "
	 "0000aaaa030000000800",
	 4, -1},
	{"nflog", 239, "02 00 0000 0800 0100 0800 0300 0500 0a00 00000000 3000 0900", 4, -1},
	{"nflog, big endian, ipv6", 239, "0a 00 0000 0008 0001 08000300 0044 0009", 6, -1},
	{"arcnet of Linux", 129, "be 50 c000 d4 00 016b", 4, -1},
	{"arcnet of BSD, exception", 7, "be 50 d4 ff ffff d4 00 016b", 4, -1},
	{"arcnet of Linux, RFC 1051", 129, "be 50 c000 f0", 4, -1},
	{"arcnet of BSD, ipv6", 7, "be 50 c4 00 016b", 6, -1},
	{"fddi", 10, "50 020000000002 020000000001aaaa030000000800", 4, -1},
	{"atm rfc 1483", 100, "aaaa0300000086dd", 6, -1},
	{"enc", 109, "02000000 00001234 00000000", 4, -1},
	{"ip over firewire", 138, "0102030405060708 0807060504030201 0800", 4, -1},
	{"fabricpath", 1, "020000000002 020000000001 8903 0001 020000000002 020000000001 0800", 4,
	 -1},
	{"provider backbone bridge", 1,
	 "020000000002 020000000001 88e7 00000001 020000000002 020000000001 8100 0005 0800", 4, 5},
};

static struct bytes carried(const struct carrier *carrier, uint32_t *ret_ip_at)
{
	struct bytes head = from_hex(carrier->before);
	struct bytes ip = from_hex(carrier->ip_version == 4 ? IP4_GET : IP6_GET);
	struct bytes all;

	*ret_ip_at = head.len;
	all.len = head.len + ip.len;
	all.p = malloc(all.len);
	assert_non_null(all.p);
	memcpy(all.p, head.p, head.len);
	memcpy(all.p + head.len, ip.p, ip.len);
	free(head.p);
	free(ip.p);
	return all;
}

static void every_carrier_leads_to_the_segment(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++) {
		uint32_t ip_at;
		struct bytes bytes = carried(&carriers[i], &ip_at);
		struct layers layers;

		print_message("%s\n", carriers[i].name);
		decode(&bytes, carriers[i].linktype, &layers);
		check_get(&layers, carriers[i].ip_version);
		assert_int_equal(layers.checksum, LAYERS_CHECKSUM_GOOD);
		assert_int_equal(layers.ip_snapped, 0);
		assert_int_equal(layers.depth, 1);
		assert_int_equal(layers.tunnel_id, 0);
		assert_int_equal(layers.has_vlan, carriers[i].vlan >= 0);
		if (carriers[i].vlan >= 0) {
			assert_int_equal(layers.vlan_id, carriers[i].vlan);
		}
		assert_ptr_equal(layers.ip, bytes.p + ip_at);
		assert_int_equal(layers.ip_len, bytes.len - ip_at);
		assert_int_equal(layers.ip_caplen, bytes.len - ip_at);
		assert_ptr_equal(layers.payload, bytes.p + bytes.len - 4);
		assert_int_equal(layers.payload_caplen, 4);
		assert_memory_equal(layers.payload, "GET ", 4);
		assert_true(layers_linktype_known(carriers[i].linktype));
		free(bytes.p);
	}
}

static void check_cut(const struct carrier *carrier, const struct bytes *whole, uint32_t ip_at,
		      uint32_t cut)
{
	uint32_t tcp_at = ip_at + (carrier->ip_version == 4 ? 20 : 40);
	struct weir_packet packet = {
		.caplen = cut, .wirelen = whole->len, .linktype = carrier->linktype};
	uint8_t *copy = malloc(cut > 0 ? cut : 1);
	struct layers layers;

	assert_non_null(copy);
	memcpy(copy, whole->p, cut);
	packet.data = copy;
	memset(&layers, 0xee, sizeof(layers));
	layers_decode(&packet, true, &layers);
	if (cut >= tcp_at + 20) {
		check_get(&layers, carrier->ip_version);
		assert_int_equal(layers.payload_caplen, cut - tcp_at - 20);
		assert_ptr_equal(layers.payload, copy + tcp_at + 20);
		assert_int_equal(layers.ip_snapped, cut < whole->len);
		assert_int_equal(layers.ip_caplen, cut - ip_at);
		assert_int_equal(layers.ip_len, whole->len - ip_at);
		assert_int_equal(layers.checksum,
				 cut < whole->len ? LAYERS_CHECKSUM_UNKNOWN : LAYERS_CHECKSUM_GOOD);
	} else {
		assert_int_equal(layers.kind, LAYERS_BAD);
		if (cut >= tcp_at) {
			assert_int_equal(layers.reason, LAYERS_CUT_TCP);
		} else if (cut > ip_at) {
			assert_int_equal(layers.reason, LAYERS_CUT_IP);
		} else {
			/* nothing of IP is there: what was cut depends on how the link tells IP */
			assert_true(layers.reason == LAYERS_CUT_LINK ||
				    layers.reason == LAYERS_CUT_IP);
		}
		assert_int_equal(layers.payload_len, 0);
	}
	free(copy);
}

static void a_cut_at_any_byte_is_told(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++) {
		uint32_t ip_at, cut;
		struct bytes whole = carried(&carriers[i], &ip_at);

		for (cut = 0; cut <= whole.len; cut++) {
			check_cut(&carriers[i], &whole, ip_at, cut);
		}
		free(whole.p);
	}
}

static void tag_stripped_by_the_kernel_is_the_outermost(void **state)
{
	struct bytes bytes = from_hex(MACS "8100 0064 0800" IP4_GET);
	struct weir_packet packet = {.data = bytes.p,
				     .caplen = bytes.len,
				     .wirelen = bytes.len,
				     .linktype = 1,
				     .vlan_tci = 0x2007,
				     .vlan_present = 1};
	struct layers layers;

	layers_decode(&packet, true, &layers);
	assert_int_equal(layers.kind, LAYERS_TCP);
	assert_int_equal(layers.has_vlan, 1);
	assert_int_equal(layers.vlan_id, 7);
	free(bytes.p);
}

struct other {
	const char *hex;
	uint16_t linktype;
	enum layers_kind kind;
	enum layers_reason reason;
};

static void what_is_not_tcp_is_told(void **state)
{
	static const struct other others[] = {
		/* ARP; LLDP; spanning tree; an unknown SNAP organisation; PPPoE discovery; LCP */
		{MACS "0806 0001080006040001", 1, LAYERS_NOT_IP, LAYERS_OK},
		{MACS "88cc 0207040000000000", 1, LAYERS_NOT_IP, LAYERS_OK},
		{MACS "0026 424203 0000000000", 1, LAYERS_NOT_IP, LAYERS_OK},
		{MACS "0026 aaaa03 00000c 2000", 1, LAYERS_NOT_IP, LAYERS_OK},
		{MACS "8864 11090000000401010000", 1, LAYERS_NOT_IP, LAYERS_OK},
		{"ff03 c021 01010004", 9, LAYERS_NOT_IP, LAYERS_OK},
		{"07000000 aabb", 0, LAYERS_NOT_IP, LAYERS_OK},
		/* UDP, ICMPv6, no next header, ESP */
		{ETH4 "4500001c00000000401100000a0000010a000002 0035c35000080000", 1,
		 LAYERS_OTHER_IP, LAYERS_OK},
		{MACS "86dd 6000000000083a40" IP6_ADDR "8000000000000000", 1, LAYERS_OTHER_IP,
		 LAYERS_OK},
		{MACS "86dd 6000000000083b40" IP6_ADDR "8000000000000000", 1, LAYERS_OTHER_IP,
		 LAYERS_OK},
		{ETH4 "4500001c00000000403200000a0000010a000002 0035c35000080000", 1,
		 LAYERS_OTHER_IP, LAYERS_OK},
		/* version 5; version 6 by an IPv4 type; header of 16 bytes; longer than the datagram; datagram of 19 */
		{"5500002c12344000400614960a0000010a000002" TCP_GET, 101, LAYERS_BAD,
		 LAYERS_BAD_IP},
		{ETH4 IP6_GET, 1, LAYERS_BAD, LAYERS_BAD_IP},
		{"4400002c12344000400614960a0000010a000002" TCP_GET, 101, LAYERS_BAD,
		 LAYERS_BAD_IP},
		{"4f00002c12344000400614960a0000010a000002" TCP_GET, 101, LAYERS_BAD,
		 LAYERS_BAD_IP},
		{"4500001312344000400614960a0000010a000002" TCP_GET, 101, LAYERS_BAD,
		 LAYERS_BAD_IP},
		{MACS "86dd" IP4_GET, 1, LAYERS_BAD, LAYERS_BAD_IP},
		/* a datagram of 20 + 19 bytes: no room for TCP, though the frame has it */
		{"4500002712344000400600000a0000010a000002" TCP_GET, 101, LAYERS_BAD,
		 LAYERS_BAD_TCP},
		/* data offset 4; 15 words in a datagram that has 6 */
		{"4500002c12344000400600000a0000010a000002"
		 "c3500050010203040a0b0c0d4018200002a2000047455420",
		 101, LAYERS_BAD, LAYERS_BAD_TCP},
		{"4500002c12344000400600000a0000010a000002"
		 "c3500050010203040a0b0c0df018200002a2000047455420",
		 101, LAYERS_BAD, LAYERS_BAD_TCP},
		/* linktypes we do not decode: USB, Bluetooth */
		{"00112233445566778899", 189, LAYERS_BAD, LAYERS_LINKTYPE},
		{"00112233445566778899", 187, LAYERS_BAD, LAYERS_LINKTYPE},
		{"", 1, LAYERS_BAD, LAYERS_CUT_LINK},
		{"", 101, LAYERS_BAD, LAYERS_BAD_IP},
	};
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct layers layers = decode_hex(others[i].hex, others[i].linktype);

		print_message("%s\n", others[i].hex);
		assert_int_equal(layers.kind, others[i].kind);
		assert_int_equal(layers.reason, others[i].reason);
	}
	assert_false(layers_linktype_known(189));
}

static void endless_tags_are_too_deep(void **state)
{
	uint8_t tags[12 + 4 * 100];
	struct weir_packet packet = {
		.data = tags, .caplen = sizeof(tags), .wirelen = sizeof(tags), .linktype = 1};
	struct layers layers;
	size_t i;

	memset(tags, 0, 12);
	for (i = 12; i < sizeof(tags); i += 4) {
		memcpy(tags + i, "\x81\x00\x00\x01", 4);
	}
	layers_decode(&packet, true, &layers);
	assert_int_equal(layers.kind, LAYERS_BAD);
	assert_int_equal(layers.reason, LAYERS_TOO_DEEP);
}

/* ---- IP ---- */

static void frame_padding_is_not_data(void **state)
{
	struct layers layers = decode_hex(ETH4 IP4_GET "0000deadbeef", 1);

	check_get(&layers, 4);
	assert_int_equal(layers.payload_caplen, 4);
	assert_int_equal(layers.ip_len, 44);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_GOOD);
}

static void total_length_zero_means_what_was_captured(void **state)
{
	/* as segmentation offload leaves it: length and checksum not set */
	struct layers layers =
		decode_hex(ETH4 "4500000012344000400600000a0000010a000002" TCP_GET, 1);

	check_get(&layers, 4);
	assert_int_equal(layers.payload_caplen, 4);
	assert_int_equal(layers.ip_len, 44);
	layers = decode_hex(MACS "86dd 6000000000000640" IP6_ADDR TCP6_GET, 1);
	check_get(&layers, 6);
	assert_int_equal(layers.payload_caplen, 4);
	assert_int_equal(layers.ip_len, 64);
	/* jumbogram: hop-by-hop with the jumbo option (RFC 2675), as BIG TCP sends */
	layers = decode_hex(MACS "86dd 6000000000000040" IP6_ADDR "0600c20400000020" TCP6_GET, 1);
	check_get(&layers, 6);
}

static void super_segments_have_more_than_64_kilobytes(void **state)
{
	static const uint8_t head[] = {0x45, 0, 0,  0, 0,    0,    0x40, 0,  0x40, 6,  0, 0, 10, 0,
				       0,    1, 10, 0, 0,    2,    0,    80, 0,    99, 0, 0, 0,  1,
				       0,    0, 0,  2, 0x50, 0x10, 1,    0,  0,    0,  0, 0};
	uint8_t *bytes = calloc(1, MAX_PACKET);
	struct weir_packet packet = {
		.data = bytes, .caplen = MAX_PACKET, .wirelen = MAX_PACKET, .linktype = 228};
	struct layers layers;

	assert_non_null(bytes);
	memcpy(bytes, head, sizeof(head));
	layers_decode(&packet, true, &layers);
	assert_int_equal(layers.kind, LAYERS_TCP);
	assert_int_equal(layers.payload_len, MAX_PACKET - 40);
	assert_int_equal(layers.payload_caplen, MAX_PACKET - 40);
	/* the same cut by a snaplen of 1,000 bytes */
	packet.caplen = 1000;
	layers_decode(&packet, true, &layers);
	assert_int_equal(layers.payload_len, MAX_PACKET - 40);
	assert_int_equal(layers.payload_caplen, 960);
	assert_int_equal(layers.ip_snapped, 1);
	/* a wire length that cannot be is not believed */
	packet.wirelen = 0xffffffff;
	layers_decode(&packet, true, &layers);
	assert_int_equal(layers.payload_len, 960);
	free(bytes);
}

static void datagram_longer_than_the_frame_is_cut(void **state)
{
	/* total length 48 in a frame that has 44 bytes of it */
	struct layers layers =
		decode_hex(ETH4 "4500003012344000400600000a0000010a000002" TCP_GET, 1);

	assert_int_equal(layers.kind, LAYERS_TCP);
	assert_int_equal(layers.payload_len, 8);
	assert_int_equal(layers.payload_caplen, 4);
	assert_int_equal(layers.ip_snapped, 1);
}

static void ip_options_are_passed_over(void **state)
{
	/* router alert */
	struct layers layers =
		decode_hex("460000301234400040067f8d0a0000010a00000294040000" TCP_GET, 228);

	check_get(&layers, 4);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_GOOD);
	/* AH in IPv4: next TCP, 4 + 2 words */
	layers = decode_hex("4500004412344000403300000a0000010a000002"
			    "0604000000000001000000010011223344556677aabbccdd" TCP_GET,
			    228);
	check_get(&layers, 4);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_GOOD);
}

static void source_route_leaves_the_checksum_unjudged(void **state)
{
	/* LSRR to 10.0.0.9, not yet used: the TCP checksum is over that address */
	struct layers layers = decode_hex("47000034123440004006827c0a0000010a000002"
					  "8307040a00000900"
					  "c3500050010203040a0b0c0d50182000029b000047455420",
					  228);

	check_get(&layers, 4);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_UNKNOWN);
}

static void checksum_right_by_chance_says_nothing(void **state)
{
	/* the field holds the pseudo-header's sum, 0x1421, as a sender with checksum offload leaves it, and the payload is
	 * such that this is the right checksum of the segment (searched for by a script) */
	struct layers layers = decode_hex(ETH4 "4500002c12344000400614960a0000010a000002"
					       "c3500050010203040a0b0c0d5018200014210000474542a1",
					  1);

	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_UNKNOWN);
	/* with another payload it is what offload looks like */
	layers = decode_hex(ETH4 "4500002c12344000400614960a0000010a000002"
				 "c3500050010203040a0b0c0d501820001421000047455420",
			    1);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_BAD);
}

static void ipv6_extension_headers_are_walked(void **state)
{
	/* hop-by-hop, destination options of 16 bytes, routing (no segments left), AH, TCP */
	struct layers layers = decode_hex("6000000000500040" IP6_ADDR "3c00050200000100"
					  "2b01010c00000000000000000000000000"
					  "00"
					  "3300",
					  229);

	assert_int_equal(layers.kind, LAYERS_BAD);
	assert_int_equal(layers.reason, LAYERS_CUT_IP);
	layers = decode_hex("6000000000500040" IP6_ADDR "3c00050200000100"
			    "2b01010c000000000000000000000000"
			    "3300000000000000"
			    "0604000000000001000000010011223344556677aabbccdd" TCP6_GET,
			    229);
	check_get(&layers, 6);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_GOOD);
	assert_int_equal(layers.ip_len, 120);
	/* routing with a segment left: the checksum has the final destination */
	layers = decode_hex("6000000000302b40" IP6_ADDR
			    "0602000100000000 20010db8000000000000000000000009" TCP6_GET,
			    229);
	check_get(&layers, 6);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_UNKNOWN);
}

static void endless_extension_headers_are_too_deep(void **state)
{
	uint8_t bytes[40 + 8 * 100] = {0x60, 0, 3, 0x20, 60, 64};
	struct weir_packet packet = {
		.data = bytes, .caplen = sizeof(bytes), .wirelen = sizeof(bytes), .linktype = 229};
	struct layers layers;
	size_t i;

	for (i = 40; i < sizeof(bytes); i += 8) {
		bytes[i] = 60;
	}
	layers_decode(&packet, true, &layers);
	assert_int_equal(layers.kind, LAYERS_BAD);
	assert_int_equal(layers.reason, LAYERS_TOO_DEEP);
}

static void ipv4_fragment_is_told(void **state)
{
	/* id 0xbeef, offset 185 * 8, more to come, 16 bytes of data in a padded frame */
	struct bytes bytes = from_hex(ETH4 "45000024beef20b9400600000a0000010a000002"
					   "000102030405060708090a0b0c0d0e0f ffffffff");
	struct layers layers;

	decode(&bytes, 1, &layers);
	assert_int_equal(layers.kind, LAYERS_FRAGMENT);
	assert_int_equal(layers.protocol, 6);
	assert_int_equal(layers.frag_id, 0xbeef);
	assert_int_equal(layers.frag_offset, 1480);
	assert_int_equal(layers.frag_more, 1);
	assert_int_equal(layers.frag_header_len, 20);
	assert_int_equal(layers.frag_len, 16);
	assert_int_equal(layers.frag_caplen, 16);
	assert_ptr_equal(layers.frag_data, bytes.p + 34);
	free(bytes.p);
}

static void ipv6_fragment_is_told(void **state)
{
	/* hop-by-hop, then fragment header: next TCP, offset 8 * 3, last, id 0xcafebabe */
	struct bytes bytes = from_hex("6000000000140040" IP6_ADDR "2c00050200000100"
				      "06000018cafebabe 00112233");
	struct layers layers;

	decode(&bytes, 229, &layers);
	assert_int_equal(layers.kind, LAYERS_FRAGMENT);
	assert_int_equal(layers.protocol, 6);
	assert_int_equal(layers.frag_id, 0xcafebabe);
	assert_int_equal(layers.frag_offset, 24);
	assert_int_equal(layers.frag_more, 0);
	assert_int_equal(layers.frag_header_len, 48);
	assert_int_equal(layers.frag_len, 4);
	assert_ptr_equal(layers.frag_data, bytes.p + 56);
	free(bytes.p);
	/* RFC 6946: offset 0 and nothing more to come is a whole datagram */
	layers = decode_hex("6000000000202c40" IP6_ADDR "06000000cafebabe" TCP6_GET, 229);
	check_get(&layers, 6);
}

static void whole_datagram_keeps_what_was_known_outside(void **state)
{
	struct bytes bytes = from_hex(IP4_GET);
	struct layers outer = {
		.has_vlan = 1, .vlan_id = 30, .tunnel_id = 77, .depth = 2, .kind = LAYERS_FRAGMENT};
	struct layers layers;

	layers_decode_ip(bytes.p, bytes.len, &outer, true, &layers, NULL);
	check_get(&layers, 4);
	assert_int_equal(layers.vlan_id, 30);
	assert_int_equal(layers.tunnel_id, 77);
	assert_int_equal(layers.depth, 2);
	layers_decode_ip(bytes.p, bytes.len, &outer, true, &outer, NULL); /* in place */
	check_get(&outer, 4);
	assert_int_equal(outer.tunnel_id, 77);
	free(bytes.p);
}

/* ---- checksums ---- */

static void bad_checksums_are_told(void **state)
{
	/* one bit of the payload; of odd length; not computed by the sender */
	struct layers layers = decode_hex("4500002c12344000400614960a0000010a000002"
					  "c3500050010203040a0b0c0d5018200002a2000047455421",
					  228);

	assert_int_equal(layers.kind, LAYERS_TCP);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_BAD);
	assert_int_equal(layers.reason, LAYERS_OK);
	layers = decode_hex("4500002b12344000400614970a0000010a000002"
			    "c3500050000000010000000250102000f3c80000616263",
			    228);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_GOOD);
	layers = decode_hex("4500002b12344000400614970a0000010a000002"
			    "c3500050000000010000000250102000f3c80000616264",
			    228);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_BAD);
	/* the IP header's: told, decoded all the same; 0 is offload's */
	layers = decode_hex("4500002c12344000400614970a0000010a000002" TCP_GET, 228);
	assert_int_equal(layers.kind, LAYERS_TCP);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_BAD);
	assert_int_equal(layers.reason, LAYERS_BAD_IP_CHECKSUM);
	layers = decode_hex("4500002c12344000400600000a0000010a000002" TCP_GET, 228);
	check_get(&layers, 4);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_GOOD);
}

static void checksums_not_asked_for_are_unknown(void **state)
{
	struct bytes bytes = from_hex("4500002c12344000400611110a0000010a000002" TCP_GET);
	struct weir_packet packet = {
		.data = bytes.p, .caplen = bytes.len, .wirelen = bytes.len, .linktype = 228};
	struct layers layers;

	layers_decode(&packet, false, &layers);
	check_get(&layers, 4);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_UNKNOWN);
	free(bytes.p);
}

/* ---- TCP options ---- */

static void syn_options_are_read(void **state)
{
	/* MSS 1460, SACK permitted, timestamps 10 0, NOP, scale 7, Fast Open cookie of 8 bytes, NOP NOP */
	struct layers layers = decode_hex("45000048123440004006147a0a0000010a000002"
					  "c35000500000000100000000d002faf012360000"
					  "020405b4 0402 080a0000000a00000000 01 030307"
					  "220a0102030405060708 0101",
					  228);

	assert_int_equal(layers.kind, LAYERS_TCP);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_GOOD);
	assert_int_equal(layers.flags, LAYERS_SYN);
	assert_int_equal(layers.header_len, 52);
	assert_int_equal(layers.payload_len, 0);
	assert_int_equal(layers.has_mss, 1);
	assert_int_equal(layers.mss, 1460);
	assert_int_equal(layers.sack_permitted, 1);
	assert_int_equal(layers.has_ts, 1);
	assert_int_equal(layers.tsval, 10);
	assert_int_equal(layers.tsecr, 0);
	assert_int_equal(layers.has_wscale, 1);
	assert_int_equal(layers.wscale, 7);
	assert_int_equal(layers.has_tfo, 1);
}

static void sack_blocks_are_read(void **state)
{
	struct layers layers = decode_hex("45000048123440004006147a0a0000010a000002"
					  "0050c3500000000100000002d010200028390000"
					  "0101080a0000000b0000000c"
					  "0101051200000010000000200000003000000040",
					  228);

	assert_int_equal(layers.kind, LAYERS_TCP);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_GOOD);
	assert_int_equal(layers.tsval, 11);
	assert_int_equal(layers.tsecr, 12);
	assert_int_equal(layers.nsack, 2);
	assert_int_equal(layers.sack[0], 0x10);
	assert_int_equal(layers.sack[1], 0x20);
	assert_int_equal(layers.sack[2], 0x30);
	assert_int_equal(layers.sack[3], 0x40);
}

struct options {
	const char *hex; /* 8 bytes */
	unsigned mss;
	int wscale; /* -1: none */
	int tfo;
};

static void bad_option_ends_options_only(void **state)
{
	static const struct options cases[] = {
		{"020405b4 03030901", 1460, 9, 0},  /* all good */
		{"020405b4 03010901", 1460, -1, 0}, /* length 1 */
		{"020405b4 03000901", 1460, -1, 0}, /* length 0: no endless loop */
		{"020405b4 03050901", 1460, -1, 0}, /* one byte beyond the header */
		{"020405b4 01010103", 1460, -1, 0}, /* kind without length */
		{"020405b4 00030309", 1460, -1, 0}, /* behind the end of options */
		{"0203b401 01030309", 0, 9, 0},     /* a length that MSS cannot have: passed over */
		{"0303ff01 01010101", 0, 14, 0},    /* RFC 7323 §2.3 */
		{"fe04f989 01010101", 0, -1, 1},    /* Fast Open, experimental */
		{"fe04f98a 01010101", 0, -1, 0},
		{"2202 010101010101", 0, -1, 1}, /* Fast Open, cookie asked for */
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char hex[256];
		struct layers layers;

		(void)snprintf(hex, sizeof(hex),
			       "4500003212344000400600000a0000010a000002"
			       "c35000500000000100000000 7002faf000000000 %s 6869",
			       cases[i].hex);
		print_message("%s\n", cases[i].hex);
		layers = decode_hex(hex, 228);
		assert_int_equal(layers.kind, LAYERS_TCP);
		assert_int_equal(layers.payload_len, 2);
		assert_int_equal(layers.has_mss, cases[i].mss != 0);
		assert_int_equal(layers.mss, cases[i].mss);
		assert_int_equal(layers.has_wscale, cases[i].wscale >= 0);
		assert_int_equal(layers.wscale, cases[i].wscale >= 0 ? cases[i].wscale : 0);
		assert_int_equal(layers.has_tfo, cases[i].tfo);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_carrier_leads_to_the_segment),
		cmocka_unit_test(a_cut_at_any_byte_is_told),
		cmocka_unit_test(tag_stripped_by_the_kernel_is_the_outermost),
		cmocka_unit_test(what_is_not_tcp_is_told),
		cmocka_unit_test(endless_tags_are_too_deep),
		cmocka_unit_test(frame_padding_is_not_data),
		cmocka_unit_test(total_length_zero_means_what_was_captured),
		cmocka_unit_test(super_segments_have_more_than_64_kilobytes),
		cmocka_unit_test(datagram_longer_than_the_frame_is_cut),
		cmocka_unit_test(ip_options_are_passed_over),
		cmocka_unit_test(source_route_leaves_the_checksum_unjudged),
		cmocka_unit_test(checksum_right_by_chance_says_nothing),
		cmocka_unit_test(ipv6_extension_headers_are_walked),
		cmocka_unit_test(endless_extension_headers_are_too_deep),
		cmocka_unit_test(ipv4_fragment_is_told),
		cmocka_unit_test(ipv6_fragment_is_told),
		cmocka_unit_test(whole_datagram_keeps_what_was_known_outside),
		cmocka_unit_test(bad_checksums_are_told),
		cmocka_unit_test(checksums_not_asked_for_are_unknown),
		cmocka_unit_test(syn_options_are_read),
		cmocka_unit_test(sack_blocks_are_read),
		cmocka_unit_test(bad_option_ends_options_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

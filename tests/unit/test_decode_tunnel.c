/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode/tunnel: the request segment of packets.h in every tunnel, whole and cut at every byte. The packets were made by a
 * script; tshark sees the same TCP segment in each.
 */
#include "packets.h"

struct tunnel {
	const char *name;
	uint16_t linktype;
	const char *before; /* in front of the inner IP header */
	uint8_t ip_version; /* inner */
	uint32_t tunnel_id;
	uint8_t depth;
	int vlan; /* -1: none */
};

static const struct tunnel tunnels[] = {
	{"IPIP", 1, "020000000002020000000001080045000040000100004004f6b5c0000201c0000202", 4, 0x0,
	 2, -1},
	{"6in4", 1, "020000000002020000000001080045000054000100004029f67cc0000201c0000202", 6, 0x0,
	 2, -1},
	{"4in6", 1,
	 "02000000000202000000000186dd60000000002c0440fd000000000000000000000000000001"
	 "fd000000000000000000000000000002",
	 4, 0x0, 2, -1},
	{"6in6", 229,
	 "6000000000402940fd000000000000000000000000000001fd00000000000000000000000000"
	 "0002",
	 6, 0x0, 2, -1},
	{"GRE", 228, "4500004400010000402ff686c0000201c000020200000800", 4, 0x0, 2, -1},
	{"GRE over IPv6", 229,
	 "6000000000442f40fd000000000000000000000000000001fd00000000000000000000000000"
	 "0002000086dd",
	 6, 0x0, 2, -1},
	{"GRE, checksum, key, sequence", 228,
	 "4500005000010000402ff67ac0000201c0000202b000080000000000cafe000100000007", 4, 0xcafe0001,
	 2, -1},
	{"GRE with Ethernet", 228,
	 "4500005600010000402ff674c0000201c0000202200065580000004d02000000000202000000"
	 "00010800",
	 4, 0x4d, 2, -1},
	{"NVGRE", 228,
	 "4500006a00010000402ff660c0000201c0000202200065581234569902000000000202000000"
	 "000186dd",
	 6, 0x123456, 2, -1},
	{"GRE with a tag", 228,
	 "4500005600010000402ff674c0000201c0000202000065580200000000020200000000018100"
	 "00090800",
	 4, 0x0, 2, 9},
	{"GRE with MPLS", 228, "4500004800010000402ff682c0000201c0000202000088470001213f", 4, 0x0,
	 2, -1},
	{"PPTP", 228,
	 "4500005200010000402ff678c0000201c00002023081880b002e000700000001000000020021", 4, 0x0, 2,
	 -1},
	{"GRE version 1 with IP", 228,
	 "4500004c00010000402ff67ec0000201c000020230010800000102850a01fb10", 4, 0x10285, 2, -1},
	{"ERSPAN I", 228,
	 "4500005200010000402ff678c0000201c0000202000088be0200000000020200000000010800", 4, 0x0, 2,
	 -1},
	{"ERSPAN II", 228,
	 "4500006200010000402ff668c0000201c0000202100088be0000000110050801000000000200"
	 "00000002020000000001810000050800",
	 4, 0x0, 2, 5},
	{"ERSPAN III", 228,
	 "4500006200010000402ff668c0000201c0000202100022eb0000000120000801000000000000"
	 "00000200000000020200000000010800",
	 4, 0x0, 2, -1},
	{"ERSPAN III, platform header", 228,
	 "4500007e00010000402ff64cc0000201c0000202100022eb0000000120000801000000000000"
	 "0001000000000000000002000000000202000000000186dd",
	 6, 0x0, 2, -1},
	{"WCCP", 228, "4500004800010000402ff682c0000201c00002020000883e00000000", 4, 0x0, 2, -1},
	{"EtherIP", 228, "45000050000100004061f648c0000201c000020230000200000000020200000000010800",
	 4, 0x0, 2, -1},
	{"MPLS in IP", 228, "45000044000100004089f62cc0000201c00002020001213f", 4, 0x0, 2, -1},
	{"VXLAN", 1,
	 "02000000000202000000000108004500005e000100004011f68ac0000201c00002029c4012b5"
	 "004a00000800000000abcd000200000000020200000000010800",
	 4, 0xabcd, 2, -1},
	{"VXLAN over IPv6", 1,
	 "02000000000202000000000186dd60000000005e1140fd000000000000000000000000000001"
	 "fd0000000000000000000000000000029c4012b5005e00000800000000abcd00020000000002"
	 "02000000000186dd",
	 6, 0xabcd, 2, -1},
	{"VXLAN, tags outside and inside", 1,
	 "02000000000202000000000181000064080045000062000100004011f686c0000201c0000202"
	 "9c402118004e00000800000000000100020000000002020000000001810000050800",
	 4, 0x1, 2, 100},
	{"VXLAN-GPE", 228,
	 "45000050000100004011f698c0000201c00002029c4012b6003c00000c00000100010200", 4, 0x102, 2,
	 -1},
	{"Geneve", 1,
	 "02000000000202000000000108004500005e000100004011f68ac0000201c00002029c4017c1"
	 "004a00000000655800abcd000200000000020200000000010800",
	 4, 0xabcd, 2, -1},
	{"Geneve with options and IP", 228,
	 "45000058000100004011f690c0000201c00002029c4017c10044000002000800000001000102"
	 "800100000000",
	 4, 0x1, 2, -1},
	{"GTP-U", 228, "45000050000100004011f698c0000201c000020208680868003c000030ff002c11223344",
	 4, 0x0, 2, -1},
	{"GTP-U, sequence and extension", 228,
	 "4500006c000100004011f67cc0000201c0000202086808680058000036ff0048112233440001"
	 "008501000000",
	 6, 0x0, 2, -1},
	{"Teredo", 228, "4500005c000100004011f68cc0000201c00002029c400dd800480000", 6, 0x0, 2, -1},
	{"Teredo from server, origin", 228,
	 "45000064000100004011f684c0000201c00002020dd89c4000500000000012343ffffdfe", 6, 0x0, 2, -1},
	{"Teredo, authentication and origin", 228,
	 "45000071000100004011f677c0000201c00002020dd89c40005d000000010000010203040506"
	 "070800000012343ffffdfe",
	 6, 0x0, 2, -1},
	{"MPLS in UDP", 228, "4500004c000100004011f69cc0000201c00002029c4019eb003800000001213f", 4,
	 0x0, 2, -1},
	{"GRE in VXLAN", 1,
	 "02000000000202000000000108004500007a000100004011f66ec0000201c00002029c4012b5"
	 "006600000800000000abcd0002000000000202000000000108004500004800010000402ff682"
	 "c0000201c00002022000080000000063",
	 4, 0x63, 3, -1},
};

enum { NTUNNELS = sizeof(tunnels) / sizeof(tunnels[0]) };

/* The packet of a tunnel; where the inner IP header begins. */
static struct bytes build(const struct tunnel *tunnel, uint32_t *ret_ip_at)
{
	struct bytes head = from_hex(tunnel->before);
	struct bytes ip = from_hex(tunnel->ip_version == 4 ? IP4_GET : IP6_GET);
	struct bytes all = {malloc(head.len + ip.len), head.len + ip.len};

	assert_non_null(all.p);
	memcpy(all.p, head.p, head.len);
	memcpy(all.p + head.len, ip.p, ip.len);
	*ret_ip_at = head.len;
	free(head.p);
	free(ip.p);
	return all;
}

static void every_tunnel_leads_to_the_inner_segment(void **state)
{
	size_t i;

	for (i = 0; i < NTUNNELS; i++) {
		const struct tunnel *tunnel = &tunnels[i];
		uint32_t ip_at;
		struct bytes bytes = build(tunnel, &ip_at);
		struct layers layers;

		print_message("%s\n", tunnel->name);
		decode(&bytes, tunnel->linktype, &layers);
		check_get(&layers, tunnel->ip_version);
		assert_int_equal(layers.checksum, LAYERS_CHECKSUM_GOOD);
		assert_int_equal(layers.tunnel_id, tunnel->tunnel_id);
		assert_int_equal(layers.depth, tunnel->depth);
		assert_int_equal(layers.has_vlan, tunnel->vlan >= 0);
		if (tunnel->vlan >= 0) {
			assert_int_equal(layers.vlan_id, tunnel->vlan);
		}
		assert_ptr_equal(layers.ip, bytes.p + ip_at);
		assert_int_equal(layers.ip_len, bytes.len - ip_at);
		assert_ptr_equal(layers.payload, bytes.p + bytes.len - 4);
		assert_int_equal(layers.payload_caplen, 4);
		free(bytes.p);
	}
}

/* Cut anywhere: the inner segment, or damage; never another datagram's TCP, nothing beyond the end */
static void a_cut_at_any_byte_is_told(void **state)
{
	size_t i;

	for (i = 0; i < NTUNNELS; i++) {
		uint32_t ip_at, tcp_at, cut;
		struct bytes whole = build(&tunnels[i], &ip_at);

		tcp_at = ip_at + (tunnels[i].ip_version == 4 ? 20 : 40);
		for (cut = 0; cut < whole.len; cut++) {
			struct weir_packet packet = {.caplen = cut,
						     .wirelen = whole.len,
						     .linktype = tunnels[i].linktype};
			uint8_t *copy = malloc(cut > 0 ? cut : 1);
			struct layers layers;

			assert_non_null(copy);
			memcpy(copy, whole.p, cut);
			packet.data = copy;
			layers_decode(&packet, true, &layers);
			if (cut >= tcp_at + 20) {
				check_get(&layers, tunnels[i].ip_version);
				assert_int_equal(layers.payload_caplen, cut - tcp_at - 20);
				assert_int_equal(layers.ip_snapped, 1);
			} else if (cut >= tcp_at) {
				assert_int_equal(layers.kind, LAYERS_BAD);
				assert_int_equal(layers.reason, LAYERS_CUT_TCP);
			} else if (cut > ip_at) {
				assert_int_equal(layers.kind, LAYERS_BAD);
				assert_int_equal(layers.reason, LAYERS_CUT_IP);
			} else {
				assert_true(layers.kind == LAYERS_BAD ||
					    layers.kind == LAYERS_OTHER_IP);
			}
			free(copy);
		}
		free(whole.p);
	}
}

/* An outer datagram of 192.0.2.1 > 192.0.2.2 whose inside is no IP is told as itself. */
static void what_only_looks_like_a_tunnel_is_the_outer_datagram(void **state)
{
	static const char *const cases[] = {
		/* VXLAN's port: flag I missing; ARP inside; inside too short; an IPv4 header of version 5 */
		"450000280001000040110000c0000201c0000202 9c4012b500140000 00000000 00abcd00 "
		"00000000",
		"450000320001000040110000c0000201c0000202 9c4012b5001e0000 08000000 00abcd00" MACS
		"0806",
		"450000280001000040110000c0000201c0000202 9c4012b500140000 08000000 00abcd00 "
		"02000000",
		"450000470001000040110000c0000201c0000202 9c4012b500330000 08000000 00abcd00" MACS
		"0800 5500001412344000400600000a0000010a000002 00",
		/* GTP echo request; an extension header of length 0; DNS from Teredo's port */
		"450000280001000040110000c0000201c0000202 0868086800140000 3201000400000000 "
		"00010000",
		"4500002c0001000040110000c0000201c0000202 0868086800180000 34ff000800000000 "
		"00010085 00000000",
		"450000280001000040110000c0000201c0000202 0dd8003500140000 1234010000010000 "
		"00000000",
		/* GRE: keepalive without a payload, source route, version 2 */
		"450000180001000040 2f0000c0000201c0000202 00000000",
		"4500001c0001000040 2f0000c0000201c0000202 40000800 00000000",
		"4500001c0001000040 2f0000c0000201c0000202 00020800 00000000",
		/* Ethernet in IP of another version */
		"4500001c0001000040610000c0000201c0000202 20000000 00000000",
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct layers layers = decode_hex(cases[i], 228);

		print_message("%s\n", cases[i]);
		assert_int_equal(layers.kind, LAYERS_OTHER_IP);
		assert_int_equal(layers.reason, LAYERS_OK);
		assert_int_equal(layers.depth, 1);
		assert_int_equal(layers.tunnel_id, 0);
		assert_memory_equal(layers.src, "\xc0\x00\x02\x01", 4);
		assert_memory_equal(layers.dst, "\xc0\x00\x02\x02", 4);
	}
}

static void damage_inside_of_ipip_is_damage(void **state)
{
	struct layers layers = decode_hex("450000280001000040040000c0000201c0000202"
					  "5500001412344000400600000a0000010a000002",
					  228);

	assert_int_equal(layers.kind, LAYERS_BAD);
	assert_int_equal(layers.reason, LAYERS_BAD_IP);
}

static void fragment_inside_keeps_what_was_known_outside(void **state)
{
	/* VLAN 100, VXLAN 0xabcd, then the first fragment of an IPv4 datagram */
	struct layers layers = decode_hex(MACS "8100 0064 0800"
					       "4500004e0001000040110000c0000201c0000202"
					       "9c4012b5003a0000 08000000 00abcd00" MACS "0800"
					       "4500001cbeef2000400600000a0000010a000002"
					       "0001020304050607",
					  1);

	assert_int_equal(layers.kind, LAYERS_FRAGMENT);
	assert_int_equal(layers.frag_id, 0xbeef);
	assert_int_equal(layers.tunnel_id, 0xabcd);
	assert_int_equal(layers.vlan_id, 100);
	assert_int_equal(layers.depth, 2);
	assert_int_equal(layers.frag_len, 8);
	assert_memory_equal(layers.src, "\x0a\x00\x00\x01", 4);
}

static void bad_outer_checksum_does_not_judge_the_inner_segment(void **state)
{
	/* IPIP; the outer header's checksum is wrong */
	struct layers layers = decode_hex("450000400001000040040bad c0000201c0000202" IP4_GET, 228);

	check_get(&layers, 4);
	assert_int_equal(layers.checksum, LAYERS_CHECKSUM_GOOD);
}

/* 20 bytes of IPIP header each: `n` of them around the segment, all with length 0 */
static struct layers nest(unsigned n)
{
	static const uint8_t header[20] = {0x45, 0, 0,   0, 0, 0, 0,   0, 64, 4,
					   0,    0, 192, 0, 2, 1, 192, 0, 2,  2};
	struct bytes inner = from_hex(IP4_GET);
	struct bytes all = {malloc(20 * n + inner.len), 20 * n + inner.len};
	struct layers layers;
	unsigned i;

	assert_non_null(all.p);
	for (i = 0; i < n; i++) {
		memcpy(all.p + (size_t)20 * i, header, 20);
	}
	memcpy(all.p + (size_t)20 * n, inner.p, inner.len);
	decode(&all, 228, &layers);
	free(inner.p);
	free(all.p);
	return layers;
}

static void eight_datagrams_deep_is_the_limit(void **state)
{
	struct layers layers = nest(LAYERS_MAX_DEPTH - 1);

	check_get(&layers, 4);
	assert_int_equal(layers.depth, LAYERS_MAX_DEPTH);
	layers = nest(LAYERS_MAX_DEPTH);
	assert_int_equal(layers.kind, LAYERS_BAD);
	assert_int_equal(layers.reason, LAYERS_TOO_DEEP);
	layers = nest(60);
	assert_int_equal(layers.kind, LAYERS_BAD);
	assert_int_equal(layers.reason, LAYERS_TOO_DEEP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_tunnel_leads_to_the_inner_segment),
		cmocka_unit_test(a_cut_at_any_byte_is_told),
		cmocka_unit_test(what_only_looks_like_a_tunnel_is_the_outer_datagram),
		cmocka_unit_test(damage_inside_of_ipip_is_damage),
		cmocka_unit_test(fragment_inside_keeps_what_was_known_outside),
		cmocka_unit_test(bad_outer_checksum_does_not_judge_the_inner_segment),
		cmocka_unit_test(eight_datagrams_deep_is_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

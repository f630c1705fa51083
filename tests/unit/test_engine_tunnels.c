/* SPDX-License-Identifier: Apache-2.0 */
/* Which tunnels a packet went through, by decode/, and the table of those that were seen. */
#include <stdio.h>

#include "engine/tunnels.h"
#include "packets.h"

/* outer 192.0.2.1:3797 > 192.0.2.2:32900 (UDP), inside 2001:0:0:1::1 > 2001:0:0:1::2, TCP 50000 > 80, SYN */
#define TEREDO_OUTER "45000058000000004011f660c0000201c0000202 0ed5808400440000"
#define TEREDO_INNER                                                                               \
	"6000000000140640 20010000000000010000000000000001 20010000000000010000000000000002 "      \
	"c3500050010203040000000050022000 00000000"

static struct layers_tunnels through(const char *hex, struct layers *ret)
{
	struct bytes bytes = from_hex(hex);
	struct weir_packet packet = {
		.data = bytes.p, .caplen = bytes.len, .wirelen = bytes.len, .linktype = 101};
	struct layers_tunnels tunnels;

	layers_decode_tunnels(&packet, false, ret, &tunnels);
	free(bytes.p);
	return tunnels;
}

static void teredo_is_known_on_any_port(void **state)
{
	static const uint8_t src[16] = {192, 0, 2, 1}, dst[16] = {192, 0, 2, 2};
	struct layers layers;
	struct layers_tunnels tunnels = through(TEREDO_OUTER TEREDO_INNER, &layers);

	assert_int_equal(layers.kind, LAYERS_TCP);
	assert_int_equal(layers.ip_version, 6);
	assert_int_equal(layers.sport, 50000);
	assert_int_equal(tunnels.n, 1);
	assert_int_equal(tunnels.at[0].type, LAYERS_TUNNEL_TEREDO);
	assert_int_equal(tunnels.at[0].ip_version, 4);
	assert_int_equal(tunnels.at[0].sport, 3797);
	assert_int_equal(tunnels.at[0].dport, 32900);
	assert_memory_equal(tunnels.at[0].src, src, 16);
	assert_memory_equal(tunnels.at[0].dst, dst, 16);
}

static void what_is_not_quite_teredo_is_none(void **state)
{
	static const char *const cases[] = {
		/* a length that is not the datagram's */
		TEREDO_OUTER
		"6000000000150640 20010000000000010000000000000001 "
		"20010000000000010000000000000002 c3500050010203040000000050022000 00000000",
		/* no address of Teredo's prefix */
		TEREDO_OUTER
		"6000000000140640 20010db8000000010000000000000001 "
		"20010db8000000010000000000000002 c3500050010203040000000050022000 00000000",
		/* no IPv6 */
		TEREDO_OUTER
		"5000000000140640 20010000000000010000000000000001 "
		"20010000000000010000000000000002 c3500050010203040000000050022000 00000000",
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct layers layers;
		struct layers_tunnels tunnels = through(cases[i], &layers);

		assert_int_equal(layers.kind, LAYERS_OTHER_IP);
		assert_int_equal(layers.protocol, 17);
		assert_int_equal(tunnels.n, 0);
	}
}

static void no_tunnel_is_told_of_a_plain_packet(void **state)
{
	struct layers layers;

	assert_int_equal(through(IP4_GET, &layers).n, 0);
	assert_int_equal(layers.kind, LAYERS_TCP);
}

static struct layers_tunnels one(enum layers_tunnel_type type, uint8_t src, uint8_t dst,
				 uint16_t sport, uint16_t dport)
{
	struct layers_tunnels tunnels = {.n = 1};

	tunnels.at[0] = (struct layers_tunnel){.src = {10, 0, 0, src},
					       .dst = {10, 0, 0, dst},
					       .sport = sport,
					       .dport = dport,
					       .type = (uint8_t)type,
					       .ip_version = 4};
	return tunnels;
}

static void both_directions_are_one_tunnel(void **state)
{
	struct tunnels *seen = calloc(1, sizeof(*seen));
	struct layers_tunnels packets[] = {
		one(LAYERS_TUNNEL_TEREDO, 2, 1, 3797, 3544),
		one(LAYERS_TUNNEL_TEREDO, 1, 2, 3544, 3797),
		one(LAYERS_TUNNEL_TEREDO, 2, 1, 3798, 3544), /* another client behind the same NAT */
		one(LAYERS_TUNNEL_VXLAN, 2, 1, 50000, 4789), /* the source port is entropy */
		one(LAYERS_TUNNEL_VXLAN, 2, 1, 50001, 4789),
		one(LAYERS_TUNNEL_VXLAN, 1, 2, 50002, 4789)};
	size_t i;

	assert_non_null(seen);
	for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		tunnels_note(seen, &packets[i]);
	}
	assert_int_equal(seen->n, 3);
	assert_int_equal(seen->at[0].packets, 2);
	assert_int_equal(seen->at[0].what.src[3], 2); /* as the first packet had it */
	assert_int_equal(seen->at[0].what.sport, 3797);
	assert_int_equal(seen->at[1].packets, 1);
	assert_int_equal(seen->at[2].packets, 3);
	assert_int_equal(seen->at[2].what.sport, 50000);
	free(seen);
}

static void more_tunnels_than_fit_are_counted(void **state)
{
	struct tunnels *seen = calloc(1, sizeof(*seen));
	uint16_t port;

	assert_non_null(seen);
	for (port = 1; port <= 2 * TUNNELS_MAX; port++) {
		struct layers_tunnels packet = one(LAYERS_TUNNEL_GTP_U, 1, 2, port, 2152);

		tunnels_note(seen, &packet);
		tunnels_note(seen, &packet);
	}
	assert_int_equal(seen->n, TUNNELS_MAX);
	assert_int_equal(seen->untold, 2 * TUNNELS_MAX);
	assert_int_equal(seen->at[TUNNELS_MAX - 1].packets, 2);
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(teredo_is_known_on_any_port),
		cmocka_unit_test(what_is_not_quite_teredo_is_none),
		cmocka_unit_test(no_tunnel_is_told_of_a_plain_packet),
		cmocka_unit_test(both_directions_are_one_tunnel),
		cmocka_unit_test(more_tunnels_than_fit_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

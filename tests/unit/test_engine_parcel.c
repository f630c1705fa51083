/* SPDX-License-Identifier: Apache-2.0 */
/* Items on their way to a worker: what a shard looks at arrives, and what a parcel cannot say is told to go whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "engine/parcel.h"

static uint8_t bytes[200];
static const char eth0[] = "eth0";

/* 192.0.2.1:40000 -> 192.0.2.9:80; the sender is side A */
static void plain_item(struct item *item)
{
	memset(item, 0, sizeof(*item));
	item->layers = (struct layers){
		.kind = LAYERS_TCP,
		.ip_version = 4,
		.protocol = 6,
		.depth = 1,
		.checksum = LAYERS_CHECKSUM_GOOD,
		.src = {192, 0, 2, 1},
		.dst = {192, 0, 2, 9},
		.sport = 40000,
		.dport = 80,
		.seq = 0xfffffff0,
		.ack = 0x80000001,
		.window = 501,
		.flags = LAYERS_PSH | LAYERS_ACK,
		.header_len = 32,
		.payload = bytes + 66,
		.payload_len = 100,
		.payload_caplen = 100,
		.payload_sum = 0xbeef,
		.has_ts = 1,
		.tsval = 7000,
		.tsecr = 6999,
	};
	item->tuple = (struct tuple){
		.address = {{192, 0, 2, 1}, {192, 0, 2, 9}}, .port = {40000, 80}, .ip_version = 4};
	item->hash = UINT64_C(0xb123456789abcdef);
	item->shard = 11;
	item->index = 1042;
	item->ts_ns = 5000;
	item->clock_ns = 5000;
	item->seen_ns = 5000;
	item->interface_name = eth0;
	item->interface = 3;
	item->input = 1;
	item->moment = 2;
}

static void base_init(struct parcel_base *base)
{
	memset(base, 0, sizeof(*base));
	base->origin = bytes + 10; /* what lies before it is told, too */
	base->index = 1000;
}

static void a_plain_segment_arrives(void **state)
{
	struct item_moment moments[3] = {{.clock_ns = 1}, {.clock_ns = 2}, {.clock_ns = 5000}};
	struct parcel_base base;
	struct parcel parcel;
	struct item item, room;
	const struct item *got;

	plain_item(&item);
	base_init(&base);
	parcel_room(&room);
	assert_true(parcel_pack(&base, &item, &parcel));
	got = parcel_open(&parcel, &base, moments, &room);
	assert_ptr_equal(got, &room);
	assert_int_equal(got->layers.kind, LAYERS_TCP);
	assert_int_equal(got->layers.ip_version, 4);
	assert_int_equal(got->layers.checksum, LAYERS_CHECKSUM_GOOD);
	assert_int_equal(got->layers.sport, 40000);
	assert_int_equal(got->layers.dport, 80);
	assert_int_equal(got->layers.seq, 0xfffffff0);
	assert_int_equal(got->layers.ack, 0x80000001);
	assert_int_equal(got->layers.window, 501);
	assert_int_equal(got->layers.flags, LAYERS_PSH | LAYERS_ACK);
	assert_int_equal(got->layers.header_len, 32);
	assert_ptr_equal(got->layers.payload, bytes + 66);
	assert_int_equal(got->layers.payload_len, 100);
	assert_int_equal(got->layers.payload_caplen, 100);
	assert_int_equal(got->layers.payload_sum, 0xbeef);
	assert_int_equal(got->layers.has_ts, 1);
	assert_int_equal(got->layers.tsval, 7000);
	assert_int_equal(got->layers.tsecr, 6999);
	assert_memory_equal(&got->tuple, &item.tuple, sizeof(item.tuple));
	assert_int_equal(got->hash, UINT64_C(0xb123456789abcdef));
	assert_int_equal(got->shard, 11);
	assert_int_equal(got->side, 0);
	assert_int_equal(got->index, 1042);
	assert_int_equal(got->ts_ns, 5000);
	assert_int_equal(got->clock_ns, 5000);
	assert_int_equal(got->seen_ns, 5000);
	assert_ptr_equal(got->interface_name, eth0);
	assert_int_equal(got->interface, 3);
	assert_int_equal(got->input, 1);
	assert_int_equal(got->moment, 2);
	assert_null(got->conflict);
}

/* The other direction, in the room that the first was opened into; its time is before the clock. */
static void nothing_is_left_of_the_one_before(void **state)
{
	struct item_moment moments[4] = {{0}, {0}, {0}, {.clock_ns = 5000}};
	struct parcel_base base;
	struct parcel first, second;
	struct item item, room;
	const struct item *got;

	base_init(&base);
	parcel_room(&room);
	plain_item(&item);
	assert_true(parcel_pack(&base, &item, &first));
	item.layers.sport = 80;
	item.layers.dport = 40000;
	item.layers.has_ts = 0;
	item.layers.tsval = 0;
	item.layers.tsecr = 0;
	item.layers.payload = bytes;
	item.layers.payload_len = 0;
	item.layers.payload_caplen = 0;
	item.layers.payload_sum = 0;
	item.layers.checksum = LAYERS_CHECKSUM_UNKNOWN;
	item.side = 1;
	item.ts_ns = 4000;
	item.interface_name = NULL;
	item.interface = 0;
	item.moment = 3;
	assert_true(parcel_pack(&base, &item, &second));
	(void)parcel_open(&first, &base, moments, &room);
	got = parcel_open(&second, &base, moments, &room);
	assert_int_equal(got->side, 1);
	assert_int_equal(got->layers.sport, 80);
	assert_int_equal(got->layers.dport, 40000);
	assert_int_equal(got->layers.has_ts, 0);
	assert_ptr_equal(got->layers.payload, bytes);
	assert_int_equal(got->layers.payload_len, 0);
	assert_int_equal(got->layers.payload_caplen, 0);
	assert_int_equal(got->layers.payload_sum, 0);
	assert_int_equal(got->layers.checksum, LAYERS_CHECKSUM_UNKNOWN);
	assert_memory_equal(&got->tuple, &item.tuple, sizeof(item.tuple));
	assert_int_equal(got->ts_ns, 4000);
	assert_int_equal(got->clock_ns, 5000);
	assert_int_equal(got->seen_ns, 5000);
	assert_null(got->interface_name);
	assert_int_equal(got->interface, 0);
}

enum oddity {
	IPV6,
	TAGGED,
	VLAN_IN_KEY,
	TUNNELLED,
	CUT,
	TOO_LONG,
	MSS,
	WINDOW_SCALE,
	SACK_PERMITTED,
	SACK,
	FAST_OPEN,
	CONFLICT,
	JUMPED,
	LATE_MOMENT,
	FAR_INDEX,
	FAR_BYTES,
	NODDITIES
};

static void make_odd(struct item *item, enum oddity oddity)
{
	static const struct front_conflict conflict;
	struct layers *l = &item->layers;

	l->ip_version = oddity == IPV6 ? 6 : 4;
	l->has_vlan = oddity == TAGGED;
	item->tuple.vlan_id = oddity == VLAN_IN_KEY ? 5 : 0;
	item->tuple.tunnel_id = oddity == TUNNELLED ? 9 : 0;
	l->payload_caplen -= oddity == CUT;
	if (oddity == TOO_LONG) {
		l->payload_len = l->payload_caplen = UINT16_MAX + 1;
	}
	l->has_mss = oddity == MSS;
	l->has_wscale = oddity == WINDOW_SCALE;
	l->sack_permitted = oddity == SACK_PERMITTED;
	l->nsack = oddity == SACK;
	l->has_tfo = oddity == FAST_OPEN;
	item->conflict = oddity == CONFLICT ? &conflict : NULL;
	item->seen_ns += oddity == JUMPED;
	item->moment = oddity == LATE_MOMENT ? PARCEL_MOMENTS : item->moment;
	item->index += oddity == FAR_INDEX ? UINT64_C(1) << 32 : 0;
	l->payload = oddity == FAR_BYTES
			     ? (const uint8_t *)((uintptr_t)l->payload + (UINT64_C(1) << 31))
			     : l->payload;
}

static void what_it_cannot_say_goes_whole(void **state)
{
	enum oddity oddity;

	for (oddity = IPV6; oddity < NODDITIES; oddity++) {
		struct parcel_base base;
		struct parcel parcel;
		struct item item, room;

		plain_item(&item);
		base_init(&base);
		make_odd(&item, oddity);
		assert_false(parcel_pack(&base, &item, &parcel));
		parcel_pack_whole(&item, &parcel);
		assert_int_equal(parcel.hash, item.hash);
		assert_ptr_equal(parcel_open(&parcel, &base, NULL, &room), &item);
	}
}

static void seventeenth_source_goes_whole(void **state)
{
	struct parcel_base base;
	struct parcel parcel[PARCEL_SOURCES + 1];
	struct item item, room;
	unsigned i;

	base_init(&base);
	parcel_room(&room);
	for (i = 0; i <= PARCEL_SOURCES; i++) {
		plain_item(&item);
		item.interface = (uint16_t)i;
		assert_int_equal(parcel_pack(&base, &item, &parcel[i]), i < PARCEL_SOURCES);
	}
	item.interface = 2;
	assert_true(parcel_pack(&base, &item, &parcel[PARCEL_SOURCES]));
	for (i = 0; i < PARCEL_SOURCES; i++) {
		assert_int_equal(parcel_open(&parcel[i], &base, NULL, &room)->interface, i);
	}
	assert_int_equal(parcel_open(&parcel[i], &base, NULL, &room)->interface, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_segment_arrives),
		cmocka_unit_test(nothing_is_left_of_the_one_before),
		cmocka_unit_test(what_it_cannot_say_goes_whole),
		cmocka_unit_test(seventeenth_source_goes_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

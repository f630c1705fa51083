/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets written in hexadecimal, for the tests of decode/: the same request segment over IPv4 and IPv6, with good checksums
 * (made by a script, verified with tshark), and what the decoder must say about it.
 *
 * A packet lives in a block of exactly its captured size, so that ASan sees a read beyond it.
 */
#ifndef TESTS_LIB_PACKETS_H
#define TESTS_LIB_PACKETS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "decode/layers.h"

/* 10.0.0.1:50000 > 10.0.0.2:80, seq 0x01020304, ack 0x0a0b0c0d, PSH ACK, window 8192, "GET " */
#define TCP_GET "c3500050010203040a0b0c0d5018200002a20000 47455420"
#define IP4_GET "4500002c12344000400614960a0000010a000002" TCP_GET
/* the same from 2001:db8::1 to 2001:db8::2 */
#define TCP6_GET "c3500050010203040a0b0c0d50182000bb2f0000 47455420"
#define IP6_ADDR "20010db8000000000000000000000001 20010db8000000000000000000000002"
#define IP6_GET  "6000000000180640" IP6_ADDR TCP6_GET
#define MACS     "020000000002 020000000001"
#define ETH4     MACS "0800"

struct bytes {
	uint8_t *p;
	uint32_t len;
};

static inline int hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static inline struct bytes from_hex(const char *hex)
{
	uint8_t buffer[2048];
	struct bytes bytes = {NULL, 0};
	const char *at;

	for (at = hex; *at != '\0'; at++) {
		if (*at == ' ') {
			continue;
		}
		assert_true(bytes.len < sizeof(buffer));
		buffer[bytes.len++] = (uint8_t)(hex_digit(at[0]) << 4 | hex_digit(at[1]));
		at++;
	}
	bytes.p = malloc(bytes.len);
	assert_non_null(bytes.p);
	memcpy(bytes.p, buffer, bytes.len);
	return bytes;
}

static inline void decode(const struct bytes *bytes, uint16_t linktype, struct layers *ret)
{
	struct weir_packet packet = {.data = bytes->p,
				     .caplen = bytes->len,
				     .wirelen = bytes->len,
				     .linktype = linktype};

	memset(ret, 0xee, sizeof(*ret)); /* what is not set shows */
	layers_decode(&packet, true, ret);
}

/* The decoder must set what it gives before the bytes are freed: only values may be looked at afterwards. */
static inline struct layers decode_hex(const char *hex, uint16_t linktype)
{
	struct bytes bytes = from_hex(hex);
	struct layers layers;

	decode(&bytes, linktype, &layers);
	free(bytes.p);
	return layers;
}

static inline void check_get(const struct layers *layers, uint8_t ip_version)
{
	assert_int_equal(layers->kind, LAYERS_TCP);
	assert_int_equal(layers->reason, LAYERS_OK);
	assert_int_equal(layers->ip_version, ip_version);
	assert_int_equal(layers->protocol, 6);
	assert_int_equal(layers->sport, 50000);
	assert_int_equal(layers->dport, 80);
	assert_int_equal(layers->seq, 0x01020304);
	assert_int_equal(layers->ack, 0x0a0b0c0d);
	assert_int_equal(layers->window, 8192);
	assert_int_equal(layers->flags, LAYERS_PSH | LAYERS_ACK);
	assert_int_equal(layers->header_len, 20);
	assert_int_equal(layers->payload_len, 4);
	assert_int_equal(layers->has_ts | layers->has_mss | layers->has_wscale | layers->has_tfo |
				 layers->sack_permitted | layers->nsack,
			 0);
	if (ip_version == 4) {
		static const uint8_t src[16] = {10, 0, 0, 1};
		static const uint8_t dst[16] = {10, 0, 0, 2};

		assert_memory_equal(layers->src, src, 16);
		assert_memory_equal(layers->dst, dst, 16);
	} else {
		static const uint8_t src[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};
		static const uint8_t dst[16] = {0x20, 1, 0x0d, 0xb8, [15] = 2};

		assert_memory_equal(layers->src, src, 16);
		assert_memory_equal(layers->dst, dst, 16);
	}
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP conversations for tests of the engine: raw IPv4 packets (LINKTYPE_RAW) without checksums, a second of capture time a
 * packet unless told otherwise. Sequence numbers are offsets: the client's stream begins at 1000, the server's at 5000.
 */
#ifndef TESTS_LIB_TCP_SCRIPT_H
#define TESTS_LIB_TCP_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "weir/packet.h"

enum { T_FIN = 1, T_SYN = 2, T_RST = 4, T_ACK = 16 };

#define T_SECOND INT64_C(1000000000)
#define T_START  (INT64_C(1700000000) * T_SECOND)

struct tcp_packet {
	uint8_t bytes[1600];
	struct weir_packet packet;
};

static inline void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* From 10.0.0.1:port to 10.0.0.2:server (c2s), or back. seq and ack are offsets in the streams; -1: the SYN's number. */
static inline void tcp_make(struct tcp_packet *p, bool c2s, uint16_t port, uint16_t server,
			    int64_t seq, int64_t ack, unsigned flags, const char *data, size_t len,
			    int64_t ts_ns)
{
	static const uint8_t from[4] = {10, 0, 0, 1}, to[4] = {10, 0, 0, 2};
	uint8_t *ip = p->bytes, *tcp = p->bytes + 20;

	memset(p->bytes, 0, 40);
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(40 + len));
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, c2s ? from : to, 4);
	memcpy(ip + 16, c2s ? to : from, 4);
	put16(tcp, c2s ? port : server);
	put16(tcp + 2, c2s ? server : port);
	put32(tcp + 4, (uint32_t)((c2s ? 1000 : 5000) + seq));
	if (flags & T_ACK) {
		put32(tcp + 8, (uint32_t)((c2s ? 5000 : 1000) + ack));
	}
	tcp[12] = 5 << 4;
	tcp[13] = (uint8_t)flags;
	put16(tcp + 14, 65535);
	if (len > 0) {
		memcpy(tcp + 20, data, len);
	}
	memset(&p->packet, 0, sizeof(p->packet));
	p->packet.data = p->bytes;
	p->packet.caplen = (uint32_t)(40 + len);
	p->packet.wirelen = (uint32_t)(40 + len);
	p->packet.linktype = 101;
	p->packet.ts_ns = ts_ns;
}

#endif

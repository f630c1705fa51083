/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the makers of captures here share: TCP frames (Ethernet, IPv4, no options, checksums left out: -k none) and the records of
 * a pcap on stdout, two microseconds from packet to packet. Flow n is a client 10.x.y.z with a port of its own; the server is the
 * same for all. For programs of one file: everything is static.
 */
#ifndef BENCH_FRAMES_H
#define BENCH_FRAMES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SYN = 2, PSH = 8, ACK = 16, HEAD = 54, SERVER_PORT = 80, FRAME_MAX = 65549 };

static uint64_t npackets;

static void be16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void be32(uint8_t *p, uint32_t v)
{
	be16(p, v >> 16);
	be16(p + 2, v & 0xffff);
}

static void put_file_head(void)
{
	static const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1};

	fwrite(head, sizeof(head), 1, stdout);
}

/* from_client says who sends; len is FRAME_MAX - HEAD at most. */
static void packet(uint32_t n, int from_client, uint32_t seq, uint32_t ack, unsigned flags,
		   const char *data, size_t len)
{
	static uint8_t frame[FRAME_MAX];
	uint32_t client = 0x0a000000u | (n + 1), server = 0xc0a80001u;
	unsigned port = 1024 + n % 64000;
	uint32_t record[4];

	memset(frame, 0, HEAD);
	be16(frame + 12, 0x0800);
	frame[14] = 0x45;
	be16(frame + 16, (unsigned)(40 + len));
	frame[22] = 64;
	frame[23] = 6;
	be32(frame + 26, from_client ? client : server);
	be32(frame + 30, from_client ? server : client);
	be16(frame + 34, from_client ? port : SERVER_PORT);
	be16(frame + 36, from_client ? SERVER_PORT : port);
	be32(frame + 38, seq);
	be32(frame + 42, ack);
	frame[46] = 0x50;
	frame[47] = (uint8_t)flags;
	be16(frame + 48, 64240);
	memcpy(frame + HEAD, data, len);
	record[0] = (uint32_t)(1700000000 + npackets / 500000);
	record[1] = (uint32_t)(npackets % 500000 * 2);
	record[2] = record[3] = (uint32_t)(HEAD + len);
	fwrite(record, sizeof(record), 1, stdout);
	fwrite(frame, HEAD + len, 1, stdout);
	npackets++;
}

/* The client's initial sequence number; the server's is its complement. */
static uint32_t number(uint32_t n)
{
	return n * 2654435761u;
}

static void handshake(uint32_t n)
{
	packet(n, 1, number(n), 0, SYN, "", 0);
	packet(n, 0, ~number(n), number(n) + 1, SYN | ACK, "", 0);
	packet(n, 1, number(n) + 1, ~number(n) + 1, ACK, "", 0);
}

/* Always of the same length. */
static size_t request(uint32_t n, char *to)
{
	return (size_t)sprintf(to,
			       "GET /item/%08x HTTP/1.1\r\nHost: shop.test\r\n"
			       "User-Agent: many/1\r\nAccept: */*\r\n\r\n",
			       n);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture of very many flows that are all open at its end, to stdout: many_flows KIND N
 *
 *	half-open   a SYN each
 *	idle        handshake, request and response, one flow after the other
 *	in-flight   handshakes and requests of all flows; then, in a second round, the responses
 *	waiting     handshakes of all flows; then, in a second round, the second half of each request
 *
 * Ethernet, IPv4, checksums left out (-k none), two microseconds from packet to packet.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SYN = 2, PSH = 8, ACK = 16, HEAD = 54, SERVER_PORT = 80 };

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

/* The client of flow n is 10.x.y.z with port 1024 + z; from_client says who sends. */
static void packet(uint32_t n, int from_client, uint32_t seq, uint32_t ack, unsigned flags,
		   const char *data, size_t len)
{
	uint8_t frame[2048] = {0};
	uint32_t client = 0x0a000000u | (n + 1), server = 0xc0a80001u;
	unsigned port = 1024 + n % 64000;
	uint32_t record[4];

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

static uint32_t number(uint32_t n)
{
	return n * 2654435761u;
}

static size_t request(uint32_t n, char *to)
{
	return (size_t)sprintf(to,
			       "GET /item/%08x HTTP/1.1\r\nHost: shop.test\r\n"
			       "User-Agent: many/1\r\nAccept: */*\r\n\r\n",
			       n);
}

static void handshake(uint32_t n)
{
	packet(n, 1, number(n), 0, SYN, "", 0);
	packet(n, 0, ~number(n), number(n) + 1, SYN | ACK, "", 0);
	packet(n, 1, number(n) + 1, ~number(n) + 1, ACK, "", 0);
}

/* The bytes of the request from `from` on. */
static void ask(uint32_t n, size_t from)
{
	char text[256];
	size_t len = request(n, text);

	packet(n, 1, number(n) + 1 + (uint32_t)from, ~number(n) + 1, PSH | ACK, text + from,
	       len - from);
}

static void answer(uint32_t n)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	char asked[256];
	size_t len = request(n, asked);

	packet(n, 0, ~number(n) + 1, number(n) + 1 + (uint32_t)len, PSH | ACK, text,
	       sizeof(text) - 1);
}

int main(int argc, char **argv)
{
	static const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
	uint32_t i, n = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	const char *kind = argc == 3 ? argv[1] : "";
	int half_open = strcmp(kind, "half-open") == 0, idle = strcmp(kind, "idle") == 0;
	int in_flight = strcmp(kind, "in-flight") == 0, waiting = strcmp(kind, "waiting") == 0;

	if (n == 0 || n > 16000000 || !(half_open || idle || in_flight || waiting)) {
		fprintf(stderr, "usage: many_flows half-open|idle|in-flight|waiting N > FILE\n");
		return 2;
	}
	fwrite(head, sizeof(head), 1, stdout);
	for (i = 0; i < n; i++) {
		if (half_open) {
			packet(i, 1, number(i), 0, SYN, "", 0);
			continue;
		}
		handshake(i);
		if (!waiting) {
			ask(i, 0);
		}
		if (idle) {
			answer(i);
		}
	}
	for (i = 0; i < n && (in_flight || waiting); i++) {
		if (in_flight) {
			answer(i);
		} else {
			ask(i, 30);
		}
	}
	return fflush(stdout) != 0 || ferror(stdout);
}

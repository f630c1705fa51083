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
#include "frames.h"

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
	uint32_t i, n = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	const char *kind = argc == 3 ? argv[1] : "";
	int half_open = strcmp(kind, "half-open") == 0, idle = strcmp(kind, "idle") == 0;
	int in_flight = strcmp(kind, "in-flight") == 0, waiting = strcmp(kind, "waiting") == 0;

	if (n == 0 || n > 16000000 || !(half_open || idle || in_flight || waiting)) {
		fprintf(stderr, "usage: many_flows half-open|idle|in-flight|waiting N > FILE\n");
		return 2;
	}
	put_file_head();
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

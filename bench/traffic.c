/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Synthetic captures for what is measured along one axis, to stdout:
 *
 *	traffic flows FLOWS EXCHANGES   all FLOWS are opened, then exchanges on them in turn: request, response of 300 bytes, its
 *	                                acknowledgement. Nothing is closed.
 *	traffic size BYTES PACKETS      downloads of 256 KiB on 64 flows in frames of BYTES, every second one acknowledged
 *	traffic flood FLOWS SYNS        FLOWS are opened and have an exchange each; SYNS SYNs of flows that never answer, and two more
 *	                                exchanges of each flow among them; a last exchange each
 *
 * Exchanges make up steady state: the same bytes but for the number in the path, so a capture with twice as many of them is twice the work.
 */
#include "frames.h"

enum { BODY = 300, DOWNLOAD = 262144, DOWNLOADERS = 64, FLOODER = 0x00800000 };

static char response[BODY + 256];
static size_t nrequest, nresponse;

static void make_response(size_t body)
{
	nresponse = (size_t)sprintf(
		response,
		"HTTP/1.1 200 OK\r\nServer: many/1\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		body);
	memset(response + nresponse, 'x', BODY);
}

/* Exchange `round` (from 0) of flow n: what comes before on it follows from the number of rounds. */
static void exchange(uint32_t n, uint32_t round)
{
	uint32_t asked = number(n) + 1 + round * (uint32_t)nrequest;
	uint32_t answered = ~number(n) + 1 + round * (uint32_t)(nresponse + BODY);
	char text[256];
	size_t len = request(n ^ round << 20, text);

	packet(n, 1, asked, answered, PSH | ACK, text, len);
	packet(n, 0, answered, asked + (uint32_t)len, PSH | ACK, response, nresponse + BODY);
	packet(n, 1, asked + (uint32_t)len, answered + (uint32_t)(nresponse + BODY), ACK, "", 0);
}

static void flows(uint32_t nflows, uint32_t exchanges)
{
	uint32_t i;

	for (i = 0; i < nflows; i++) {
		handshake(i);
	}
	for (i = 0; i < exchanges; i++) {
		exchange(i % nflows, i / nflows);
	}
}

/* A download on flow n in frames of `size`. */
static void download(uint32_t n, uint32_t round, size_t size)
{
	static char bytes[DOWNLOAD + 256];
	uint32_t asked = number(n) + 1 + round * (uint32_t)nrequest;
	uint32_t answered = ~number(n) + 1 + round * (uint32_t)(nresponse + DOWNLOAD);
	size_t at, step = size - HEAD, total = nresponse + DOWNLOAD, count = 0, acked = 0;
	char text[256];
	size_t len = request(n ^ round << 20, text);

	memcpy(bytes, response, nresponse);
	packet(n, 1, asked, answered, PSH | ACK, text, len);
	for (at = 0; at < total; at += step) {
		size_t part = total - at < step ? total - at : step;

		packet(n, 0, answered + (uint32_t)at, asked + (uint32_t)len, ACK, bytes + at, part);
		/* what is not acknowledged fits into the window */
		if (count++ % 2 == 1 || at + part - acked > 30000) {
			acked = at + part;
			packet(n, 1, asked + (uint32_t)len, answered + (uint32_t)(at + part), ACK,
			       "", 0);
		}
	}
}

static void sizes(size_t size, uint64_t packets)
{
	uint32_t i;

	for (i = 0; i < DOWNLOADERS; i++) {
		handshake(i);
	}
	for (i = 0; npackets < packets; i++) {
		download(i % DOWNLOADERS, i / DOWNLOADERS, size);
	}
}

static void flood(uint32_t nflows, uint32_t syns)
{
	uint32_t i, done = nflows, among = 2 * nflows, every = syns / (among + 1) + 1;

	for (i = 0; i < nflows; i++) {
		handshake(i);
		exchange(i, 0);
	}
	for (i = 0; i < syns; i++) {
		packet(FLOODER + i, 1, number(i), 0, SYN, "", 0);
		if (i % every == every - 1 && done < nflows + among) {
			exchange(done % nflows, done / nflows);
			done++;
		}
	}
	for (; done < 4 * nflows; done++) {
		exchange(done % nflows, done / nflows);
	}
}

int main(int argc, char **argv)
{
	uint64_t a = argc == 4 ? strtoull(argv[2], NULL, 10) : 0;
	uint64_t b = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
	const char *kind = argc == 4 ? argv[1] : "";
	int is_flows = strcmp(kind, "flows") == 0 && a <= 0x7fffff;
	int is_size = strcmp(kind, "size") == 0 && a > HEAD && a <= FRAME_MAX;
	int is_flood = strcmp(kind, "flood") == 0 && a <= 100000 && b <= 8000000;
	char text[256];

	if (a == 0 || b == 0 || b > UINT32_MAX || !(is_flows || is_size || is_flood)) {
		fprintf(stderr, "usage: traffic flows FLOWS EXCHANGES | size BYTES PACKETS | "
				"flood FLOWS SYNS > FILE\n");
		return 2;
	}
	nrequest = request(0, text);
	make_response(is_size ? DOWNLOAD : BODY);
	put_file_head();
	if (is_flows) {
		flows((uint32_t)a, (uint32_t)b);
	} else if (is_size) {
		sizes((size_t)a, b);
	} else {
		flood((uint32_t)a, (uint32_t)b);
	}
	return fflush(stdout) != 0 || ferror(stdout);
}

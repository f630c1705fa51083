/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: SOCKS handshakes with holes. The input is a list of operations: a byte (bit 0: direction; bits 1-2: bytes, a gap, FIN) and
 * its argument. Each input is run whole and byte by byte: what is handed over must be the same. Time passes in both alike.
 */
#include "mock_host.h"
#include "parser/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(struct weir_host *host, const uint8_t *data, size_t size, bool bytes)
{
	const uint8_t *end = data + size;

	mock_init(host, parser_find("socks"));
	/* how long bytes wait depends on when the parser is asked: not here */
	host->config.hole_age_ns = INT64_MAX / 2;
	host->config.hole_age_oneway_ns = INT64_MAX / 2;
	mock_open(host);
	while (end - data >= 2) {
		enum weir_direction dir = (data[0] & 1) != 0 ? WEIR_S2C : WEIR_C2S;
		unsigned kind = data[0] >> 1 & 3;
		size_t len = data[1];
		struct weir_mark mark;
		size_t i;

		data += 2;
		if (host->dir[dir].closed) {
			continue;
		}
		if (kind == 2) {
			mock_gap(host, dir, len);
			continue;
		}
		if (kind == 3) {
			mock_close(host, dir, WEIR_CLOSE_FIN);
			continue;
		}
		len = len < (size_t)(end - data) ? len : (size_t)(end - data);
		mark = mock_mark(host, dir);
		for (i = 0; i < len; i += bytes ? 1 : len) {
			mock_feed_marked(host, dir, data + i, bytes ? 1 : len, &mark);
		}
		data += len;
	}
	mock_end(host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_host host[2];
	int i;

	if (size > 4096) {
		return 0;
	}
	run(&host[0], data, size, false);
	run(&host[1], data, size, true);
	/* which direction is found to be something else first hangs on how the bytes come */
	for (i = 0; i < 2 && !host[0].not_mine && !host[1].not_mine; i++) {
		if (host[0].switched != host[1].switched ||
		    strcmp(strbuf_text(&host[0].rest[i]), strbuf_text(&host[1].rest[i])) != 0) {
			abort();
		}
	}
	mock_fini(&host[0]);
	mock_fini(&host[1]);
	return 0;
}

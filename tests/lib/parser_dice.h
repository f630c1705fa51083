/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations with holes from a fuzzer's bytes, for any parser: parser_dice(NAME, data, size). The input is a list of operations, so
 * that chunking and gap positions are part of it: a byte of options, then per operation a byte (bit 0: direction; bits 1-3: kind: 0-3
 * bytes, gap, FIN, RST, time; bits 4-7: how the acknowledgement is off) and its argument (bytes of kind 3: 64 times as many).
 *
 * Every input is run four times, each segment whole, in pieces, byte by byte, and in pieces with the parser parked between them: the records and anomalies must be the same,
 * and no memory may be left. Their order is left open: a response that waits for a request goes on with the byte of c2s that
 * it waits for, which may lie within a segment that says more.
 */
#ifndef TESTS_PARSER_DICE_H
#define TESTS_PARSER_DICE_H

#include "mock_host.h"
#include "parser/registry.h"

enum { KIND_GAP = 4, KIND_FIN, KIND_RST, KIND_WAIT };

struct input {
	const uint8_t *p;
	const uint8_t *end;
	uint32_t random;
	bool forged; /* an acknowledgement was off */
};

static unsigned take(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

static size_t piece(struct input *in, size_t left, int mode)
{
	if (mode == 0) {
		return left;
	}
	if (mode == 2) {
		return 1;
	}
	in->random = in->random * 1103515245u + 12345u;
	return 1 + (in->random >> 16) % left;
}

static void feed(struct weir_host *host, struct input *in, enum weir_direction dir, size_t len,
		 unsigned skew, int mode)
{
	struct weir_mark mark = mock_mark(host, dir);
	size_t left = (size_t)(in->end - in->p);

	if (skew == 15) {
		mark.peer_ack = WEIR_NO_ACK;
	} else if (skew > 7) {
		mark.peer_ack += (skew - 7) * 20;
	} else {
		mark.peer_ack -= mark.peer_ack < skew * 20 ? mark.peer_ack : skew * 20;
	}
	in->forged |= skew != 0 && skew != 15;
	len = len < left ? len : left;
	if (host->dir[dir].closed) {
		in->p += len; /* the engine gives no bytes behind the end */
		return;
	}
	while (len > 0) {
		size_t n = piece(in, len, mode);

		mock_feed_marked(host, dir, in->p, n, &mark);
		in->p += n;
		len -= n;
	}
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a text, sorted, joined again. */
static void sort_lines(struct strbuf *text)
{
	char *lines[4096];
	char *copy = strdup(strbuf_text(text));
	char *save = NULL;
	char *line;
	size_t n = 0;
	size_t i;

	/* the order of a record's anomalies goes the same way; all of them are compared on their own */
	for (line = copy; (line = strstr(line, "\"anomalies\":[")) != NULL;) {
		char *end = strchr(line, ']');

		memmove(line, end, strlen(end) + 1);
	}
	for (line = strtok_r(copy, "\n", &save); line != NULL && n < 4096;
	     line = strtok_r(NULL, "\n", &save)) {
		lines[n++] = line;
	}
	qsort(lines, n, sizeof(lines[0]), compare_lines);
	strbuf_clear(text);
	for (i = 0; i < n; i++) {
		strbuf_str(text, lines[i]);
		strbuf_char(text, '\n');
	}
	free(copy);
}

/* @return were acknowledgements off? */
static bool run(struct weir_host *host, const char *parser, const uint8_t *data, size_t size,
		int mode)
{
	struct input in = {data, data + size, (uint32_t)size, false};
	unsigned options = take(&in);

	mock_init(host, parser_find(parser));
	host->parks = mode == 3;
	host->config.bodies = (enum weir_bodies)(options & 3) == 3
				      ? WEIR_BODIES_SIZE
				      : (enum weir_bodies)(options & 3);
	/* how long a response waits depends on when the parser is asked, so on how bytes arrive: not here */
	host->config.hole_age_ns = INT64_MAX / 2;
	host->config.hole_age_oneway_ns = INT64_MAX / 2;
	if ((options & 4) != 0) {
		host->config.head_limit = 600;
		host->config.target_limit = 16;
		host->config.value_limit = 16;
		host->config.header_limit = 4;
		host->config.pending_limit = 2;
		host->config.body_limit = 8;
	}
	mock_open(host);
	while (in.p < in.end) {
		unsigned op = take(&in);
		enum weir_direction dir = (op & 1) != 0 ? WEIR_S2C : WEIR_C2S;
		unsigned kind = op >> 1 & 7;

		switch (kind) {
		case KIND_GAP:
			mock_gap(host, dir, take(&in));
			break;
		case KIND_FIN:
			mock_close(host, dir, WEIR_CLOSE_FIN);
			break;
		case KIND_RST:
			mock_close(host, WEIR_C2S, WEIR_CLOSE_RST);
			mock_close(host, WEIR_S2C, WEIR_CLOSE_RST);
			break;
		case KIND_WAIT:
			mock_wait(host, take(&in) * INT64_C(1000000000));
			break;
		default: {
			size_t len = take(&in);

			feed(host, &in, dir, kind == 3 ? len * 64 : len, op >> 4, mode);
			break;
		}
		}
	}
	mock_end(host);
	sort_lines(&host->records);
	sort_lines(&host->anomalies);
	return in.forged;
}

/* strict: the records are also the same where acknowledgements are off. */
static inline int dice(const char *parser, const uint8_t *data, size_t size, bool strict)
{
	bool compare;
	struct weir_host host[2];
	int mode;

	if (size > 16384) {
		return 0;
	}
	compare = !run(&host[0], parser, data, size, 0) || strict;
	for (mode = 1; mode < 4; mode++) {
		(void)run(&host[1], parser, data, size, mode);
		if (compare &&
		    (strcmp(strbuf_text(&host[0].records), strbuf_text(&host[1].records)) != 0 ||
		     strcmp(strbuf_text(&host[0].anomalies), strbuf_text(&host[1].anomalies)) !=
			     0)) {
			(void)fprintf(
				stderr, "split %d differs:\n%s%s---\n%s%s", mode,
				strbuf_text(&host[0].records), strbuf_text(&host[0].anomalies),
				strbuf_text(&host[1].records), strbuf_text(&host[1].anomalies));
			abort();
		}
		mock_fini(&host[1]);
	}
	mock_fini(&host[0]);
	return 0;
}

/* What a target returns. */
static inline int parser_dice(const char *parser, const uint8_t *data, size_t size)
{
	return dice(parser, data, size, true);
}

/*
 * The same for a parser that goes by acknowledgements: those that no TCP sends (of bytes that were not sent yet, or smaller than before) put its
 * two directions in an order that depends on when bytes come. Then only its memory is looked at.
 */
static inline int parser_dice_in_order(const char *parser, const uint8_t *data, size_t size)
{
	return dice(parser, data, size, false);
}

#endif

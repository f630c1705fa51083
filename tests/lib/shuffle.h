/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The invariant that every parser is held to: any split of the same bytes gives the same records. A conversation is a list of segments;
 * it is fed whole, byte by byte and in random pieces, and the records and anomalies must be the same; in every second run the
 * parser is parked and unparked whenever it may be, where it knows how. Include after
 * mock_host.h.
 */
#ifndef TESTS_SHUFFLE_H
#define TESTS_SHUFFLE_H

#include "mock_host.h"

/* One thing that happens: bytes (text, or len of them), missing bytes, or the end of a direction. */
struct shuffle_event {
	char what; /* 'C' 'S' bytes; 'c' 's' len missing bytes; 'F' 'f' FIN, 'R' 'r' RST of client, server; 'w' len ms pass */
	const char *text;
	size_t len; /* of text; 0: strlen */
};

enum { SHUFFLE_RANDOM = 20 };

static inline void shuffle_piecewise(struct weir_host *host, enum weir_direction dir,
				     const char *text, size_t len, int mode)
{
	struct weir_mark mark = mock_mark(host, dir);
	size_t at = 0;

	while (at < len) {
		size_t n = mode == 0 ? len : mode == 1 ? 1 : 1 + (size_t)rand() % (len - at);

		mock_feed_marked(host, dir, text + at, n, &mark);
		at += n;
	}
}

static inline void shuffle_run(struct weir_host *host, const struct shuffle_event *events, int mode)
{
	for (; events->what != 0; events++) {
		size_t len = events->text != NULL && events->len == 0 ? strlen(events->text)
								      : events->len;

		switch (events->what) {
		case 'C':
		case 'S':
			shuffle_piecewise(host, events->what == 'C' ? WEIR_C2S : WEIR_S2C,
					  events->text, len, mode);
			break;
		case 'c':
		case 's':
			mock_gap(host, events->what == 'c' ? WEIR_C2S : WEIR_S2C, len);
			break;
		case 'F':
		case 'f':
			mock_close(host, events->what == 'F' ? WEIR_C2S : WEIR_S2C, WEIR_CLOSE_FIN);
			break;
		case 'R':
		case 'r':
			mock_close(host, events->what == 'R' ? WEIR_C2S : WEIR_S2C, WEIR_CLOSE_RST);
			break;
		case 'w':
			mock_wait(host, (int64_t)len * 1000000);
			break;
		default:
			assert(false);
		}
	}
	mock_end(host);
}

/*
 * Runs the conversation in all ways of splitting; aborts with the differing records when they are not the same. The whole
 * run's host is left in *ret for the test to look at; mock_fini() is the caller's.
 */
static inline void shuffle(const struct weir_parser *parser, const struct weir_config *config,
			   const struct shuffle_event *events, struct weir_host *ret)
{
	int run;

	for (run = SHUFFLE_RANDOM + 3; run >= 0; run--) {
		static struct strbuf records, anomalies;
		struct weir_host *host = ret;
		/* whole and byte by byte both parked and not */
		int mode = run <= SHUFFLE_RANDOM + 1 ? run : run - (SHUFFLE_RANDOM + 2);

		mock_init(host, parser);
		host->parks = host->parks || (run % 2 == 1 && run < SHUFFLE_RANDOM + 2) ||
			      run == SHUFFLE_RANDOM + 2;
		if (config != NULL) {
			host->config = *config;
		}
		mock_open(host);
		shuffle_run(host, events, mode);
		if (run < SHUFFLE_RANDOM + 3 &&
		    (strcmp(strbuf_text(&records), strbuf_text(&host->records)) != 0 ||
		     strcmp(strbuf_text(&anomalies), strbuf_text(&host->anomalies)) != 0)) {
			(void)fprintf(stderr, "split %d%s differs:\n%s%s---\n%s%s", mode,
				      host->parks ? " (parked)" : "", strbuf_text(&records),
				      strbuf_text(&anomalies), strbuf_text(&host->records),
				      strbuf_text(&host->anomalies));
			abort();
		}
		strbuf_clear(&records);
		strbuf_clear(&anomalies);
		if (run == 0) {
			strbuf_fini(&records);
			strbuf_fini(&anomalies);
			return;
		}
		strbuf_str(&records, strbuf_text(&host->records));
		strbuf_str(&anomalies, strbuf_text(&host->anomalies));
		mock_fini(host);
	}
}

#endif

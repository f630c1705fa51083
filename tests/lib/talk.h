/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations written down, for tests of parsers: events of shuffle.h, what the records must say, a hole in one of the events. Include
 * after cmocka.h.
 */
#ifndef TESTS_TALK_H
#define TESTS_TALK_H

#include "mock_host.h"
#include "parser/registry.h"
#include "shuffle.h"

/* What client and server say; the list of it all; the list of texts to look for. */
#define C(text)                                                                                    \
	{                                                                                          \
		'C', text, sizeof(text) - 1                                                        \
	}
#define S(text)                                                                                    \
	{                                                                                          \
		'S', text, sizeof(text) - 1                                                        \
	}
#define EVENTS(...)                                                                                \
	(struct shuffle_event[])                                                                   \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
#define TEXTS(...)                                                                                 \
	(const char *[])                                                                           \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static inline unsigned talk_count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text++) {
		n++;
	}
	return n;
}

/*
 * So many records, in which each of the texts is once, or with a '!' before it not at all; and the anomalies in their order, one a
 * line. config: NULL: the defaults.
 */
static inline void talk_check(const char *parser, const struct weir_config *config,
			      const struct shuffle_event *events, unsigned nrecords,
			      const char *const *texts, const char *anomalies)
{
	struct weir_host host;

	shuffle(parser_find(parser), config, events, &host);
	assert_int_equal(host.nrecords, nrecords);
	for (; *texts != NULL; texts++) {
		bool none = (*texts)[0] == '!';

		if (talk_count(strbuf_text(&host.records), *texts + none) != (none ? 0 : 1)) {
			fail_msg("%s: not once in %s", *texts, strbuf_text(&host.records));
		}
	}
	assert_string_equal(strbuf_text(&host.anomalies), anomalies);
	mock_fini(&host);
}

/* Feeds what client and server say, with `missing` bytes at `from` of event `hole` left out, up to the end. */
static inline void talk_with_hole(struct weir_host *host, const struct shuffle_event *events,
				  size_t hole, size_t from, size_t missing)
{
	size_t i;

	for (i = 0; events[i].what != 0; i++) {
		enum weir_direction dir = events[i].what == 'C' ? WEIR_C2S : WEIR_S2C;
		size_t end = from + missing;

		if (i != hole) {
			mock_feed(host, dir, events[i].text, events[i].len);
			continue;
		}
		if (from > 0) {
			mock_feed(host, dir, events[i].text, from);
		}
		mock_gap(host, dir, missing);
		if (end < events[i].len) {
			mock_feed(host, dir, events[i].text + end, events[i].len - end);
		}
	}
	mock_end(host);
}

/* check() for a hole of 1, 4, 50 and all bytes at every position of every event. */
static inline void talk_holes(const struct shuffle_event *events,
			      void (*check)(const struct shuffle_event *events, size_t hole,
					    size_t from, size_t missing))
{
	static const size_t lengths[] = {1, 4, 50, SIZE_MAX};
	size_t i, from, k;

	for (i = 0; events[i].what != 0; i++) {
		for (from = 0; from < events[i].len; from++) {
			for (k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
				size_t left = events[i].len - from;

				check(events, i, from, lengths[k] < left ? lengths[k] : left);
			}
		}
	}
}

/* Under a name a record says nothing, or this. */
static inline void talk_said(const char *records, const char *name, const char *value)
{
	const char *at = strstr(records, name);

	if (at != NULL && strncmp(at + strlen(name), value, strlen(value)) != 0) {
		fail_msg("%s: %s", name, records);
	}
}

/* Detection: first bytes of both sides on an unusual port, between which scores must be. */
struct talk_probe {
	const char *client;
	size_t client_len;
	const char *server;
	size_t server_len;
	int least, most;
	bool swapped;
};

#define SIDE(text) text, sizeof(text) - 1

static inline void talk_detect(const char *parser, const struct talk_probe *cases, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct weir_probe probe = {.data = {(const uint8_t *)cases[i].client,
						    (const uint8_t *)cases[i].server},
					   .len = {cases[i].client_len, cases[i].server_len},
					   .server_port = 4711};
		struct weir_probe_result got = parser_find(parser)->probe(&probe);

		if (got.score < cases[i].least || got.score > cases[i].most ||
		    (got.score > 0 && got.swapped != cases[i].swapped)) {
			fail_msg("case %zu: score %d, swapped %d", i, got.score, got.swapped);
		}
	}
}

#endif

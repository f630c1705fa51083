/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser/redis: conversations in, records out. Each conversation is fed whole, byte by byte and in random pieces (shuffle.h). The
 * literals are those of the RESP2 and RESP3 specifications and of redis-cli; what is expected was written by hand.
 *
 * The last part leaves bytes out of a recorded session, at every position: what is told of the rest must be what is told of
 * it when nothing is missing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mock_host.h"
#include "parser/registry.h"
#include "shuffle.h"

#define C(text)                                                                                    \
	{                                                                                          \
		'C', text, sizeof(text) - 1                                                        \
	}
#define S(text)                                                                                    \
	{                                                                                          \
		'S', text, sizeof(text) - 1                                                        \
	}
#define GET_K "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
#define PING  "*1\r\n$4\r\nPING\r\n"

/* The text of a field of the n-th record: what follows `"name":` up to the next comma or brace outside of strings. */
static const char *value(struct weir_host *host, unsigned n, const char *name)
{
	static char text[2048];
	const char *at = strbuf_text(&host->records);
	char want[64];
	size_t len = 0;
	const char *end;
	bool string;

	while (n-- > 0) {
		at = strchr(at, '\n');
		assert_non_null(at);
		at++;
	}
	end = at + strcspn(at, "\n");
	(void)snprintf(want, sizeof(want),
		       "%s\"%s\":", strcmp(name, "type") == 0 ? "\"reply\":{" : "", name);
	at = strstr(at, want);
	if (at == NULL || at > end) {
		return "";
	}
	at += strlen(want);
	string = *at == '"';
	at += string;
	while (len + 1 < sizeof(text) && at[len] != '\0' &&
	       (string ? at[len] != '"' : strchr(",}", at[len]) == NULL)) {
		text[len] = at[len];
		len++;
	}
	text[len] = '\0';
	return text;
}

struct expected {
	unsigned record;
	const char *name;
	const char *value;
};

static void check(const struct shuffle_event *events, unsigned nrecords,
		  const struct expected *expected, const char *anomalies)
{
	struct weir_config config;
	struct weir_host host;

	weir_config_init(&config);
	config.bodies = WEIR_BODIES_KEEP;
	shuffle(parser_find("redis"), &config, events, &host);
	if (host.nrecords != nrecords) {
		print_message("%s", strbuf_text(&host.records));
	}
	assert_int_equal(host.nrecords, nrecords);
	for (; expected->name != NULL; expected++) {
		assert_string_equal(value(&host, expected->record, expected->name),
				    expected->value);
	}
	assert_string_equal(strbuf_text(&host.anomalies), anomalies);
	mock_fini(&host);
}

#define EVENTS(...)                                                                                \
	(struct shuffle_event[])                                                                   \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
#define EXPECTED(...)                                                                              \
	(struct expected[])                                                                        \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}

static void pipelined_commands_are_answered_in_order(void **state)
{
	check(EVENTS(C(GET_K PING), C("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\n+OK\r\n\r\n"),
		     S("$5\r\nhello\r\n+PONG\r\n+OK\r\n")),
	      3,
	      EXPECTED({0, "text", "GET k"}, {0, "command", "GET"}, {0, "pairing", "exact"},
		       {1, "command", "PING"}, {1, "pairing", "order"}, {1, "key", ""},
		       {2, "text", "SET k +OK\\u000d\\u000a"}, {2, "argc", "3"}),
	      "");
}

static void inline_commands_have_words_and_quotes(void **state)
{
	check(EVENTS(C("SET key \"a b\" 'c'\r\n"), S("+OK\r\n"), C("ping\n"), S("+PONG\r\n")), 2,
	      EXPECTED({0, "text", "SET key a b c"}, {0, "argc", "4"}, {0, "key", "key"},
		       {0, "inline", "true"}, {1, "command", "PING"}),
	      "");
}

static void passwords_do_not_get_into_records(void **state)
{
	check(EVENTS(C("*2\r\n$4\r\nAUTH\r\n$6\r\ns3cret\r\n"), S("+OK\r\n"),
		     C("*3\r\n$4\r\nauth\r\n$3\r\nbob\r\n$6\r\ns3cret\r\n"), S("+OK\r\n"),
		     C("*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$3\r\nann\r\n$"
		       "6\r\ns3cret\r\n"),
		     S("%1\r\n+proto\r\n:3\r\n"),
		     C("*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$11\r\nrequirepass\r\n$6\r\ns3cret\r\n"),
		     S("+OK\r\n"),
		     C("*4\r\n$3\r\nACL\r\n$7\r\nSETUSER\r\n$3\r\nann\r\n$7\r\n>s3cret\r\n"),
		     S("+OK\r\n"), C("AUTH s3cret\r\n"), S("-WRONGPASS invalid\r\n")),
	      6,
	      EXPECTED({0, "text", "AUTH [redacted 6]"}, {0, "user", "default"},
		       {1, "text", "auth bob [redacted 6]"}, {1, "user", "bob"},
		       {2, "text", "HELLO 3 AUTH ann [redacted 6]"}, {2, "user", "ann"},
		       {3, "text", "CONFIG SET requirepass [redacted 6]"},
		       {4, "text", "ACL SETUSER ann [redacted 7]"},
		       {5, "text", "AUTH [redacted 6]"}, {5, "status_code", "WRONGPASS"}),
	      "");
}

static void what_has_no_reply_gets_none(void **state)
{
	check(EVENTS(C("*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n" GET_K PING),
		     S("+PONG\r\n"), C("*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n" GET_K),
		     C("*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$2\r\nON\r\n"), S("+OK\r\n")),
	      6,
	      EXPECTED({0, "command", "CLIENT"}, {0, "completeness", "complete"},
		       {1, "command", "GET"}, {1, "completeness", "complete"}, {1, "status", ""},
		       {2, "command", "PING"}, {2, "type", "simple"}, {4, "command", "GET"},
		       {5, "text", "CLIENT REPLY ON"}, {5, "status", "ok"}),
	      "");
}

static void pushes_between_replies_answer_nothing(void **state)
{
	check(EVENTS(C("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"), S("%1\r\n+proto\r\n:3\r\n"),
		     C("*2\r\n$9\r\nsubscribe\r\n$1\r\na\r\n"),
		     S(">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"), C(GET_K PING),
		     S(">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n$1\r\nv\r\n"
		       ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n+PONG\r\n")),
	      6,
	      EXPECTED({1, "command", "SUBSCRIBE"}, {1, "type", "push"}, {2, "push", "message"},
		       {2, "key", "a"}, {3, "command", "GET"}, {3, "size", "7"},
		       {4, "push", "invalidate"}, {5, "command", "PING"}),
	      "");
}

static void unsubscribing_from_all_has_a_reply_for_each(void **state)
{
	check(EVENTS(C("*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n"),
		     S("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$"
		       "1\r\nb\r\n:2\r\n"),
		     C("*1\r\n$11\r\nUNSUBSCRIBE\r\n" PING),
		     S("*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n"
		       "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n+PONG\r\n")),
	      3,
	      EXPECTED({0, "count", "2"}, {1, "count", "2"}, {1, "command", "UNSUBSCRIBE"},
		       {2, "command", "PING"}),
	      "");
}

/* An array that looks like a message is the reply of a flow that has subscribed to nothing. */
static void a_list_may_hold_the_word_message(void **state)
{
	check(EVENTS(C("*4\r\n$6\r\nLRANGE\r\n$1\r\nl\r\n$1\r\n0\r\n$1\r\n2\r\n"),
		     S("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n")),
	      1, EXPECTED({0, "command", "LRANGE"}, {0, "elements", "3"}, {0, "push", ""}), "");
}

static void streamed_values_end_where_they_say(void **state)
{
	check(EVENTS(C(GET_K), S("$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n"), C(PING),
		     S("*?\r\n:1\r\n%1\r\n+a\r\n_\r\n.\r\n"), C(GET_K), S("_\r\n")),
	      3, EXPECTED({0, "text", "GET k"}, {1, "type", "array"}, {2, "type", "nil"}), "");
}

static void deep_values_are_counted_to_their_end(void **state)
{
	struct strbuf text;
	struct shuffle_event events[] = {C(PING GET_K), {'S', NULL, 0}, {0}};
	int i;

	strbuf_init(&text);
	for (i = 0; i < 300; i++) {
		strbuf_str(&text, "*2\r\n|1\r\n+a\r\n:1\r\n:7\r\n");
	}
	strbuf_str(&text, "_\r\n$1\r\nv\r\n");
	events[1].text = text.p;
	events[1].len = text.len;
	check(events, 2,
	      EXPECTED({0, "command", "PING"}, {0, "elements", "2"},
		       {0, "completeness", "complete"}, {1, "command", "GET"},
		       {1, "completeness", "complete"}),
	      "redis.depth\n");
	strbuf_fini(&text);
}

static void empty_aggregates_and_nils(void **state)
{
	check(EVENTS(C(PING PING PING PING), S("*0\r\n*-1\r\n*2\r\n*0\r\n$-1\r\n$0\r\n\r\n")), 4,
	      EXPECTED({0, "type", "array"}, {0, "elements", "0"}, {1, "type", "nil"},
		       {2, "elements", "2"}, {3, "type", "bulk"}, {3, "completeness", "complete"}),
	      "");
}

static void select_says_the_namespace(void **state)
{
	check(EVENTS(C("*2\r\n$6\r\nSELECT\r\n$1\r\n5\r\n" GET_K), S("+OK\r\n$-1\r\n")), 2,
	      EXPECTED({0, "namespace", "5"}, {1, "namespace", "5"}), "");
}

static void keys_are_where_the_command_has_them(void **state)
{
	check(EVENTS(C("*6\r\n$5\r\nXREAD\r\n$5\r\nCOUNT\r\n$1\r\n2\r\n$7\r\nSTREAMS\r\n$"
		       "2\r\nst\r\n$1\r\n0\r\n"
		       "*4\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n$2\r\nek\r\n"
		       "*3\r\n$6\r\nOBJECT\r\n$8\r\nENCODING\r\n$2\r\nok\r\n"
		       "*4\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n$2\r\nar\r\n"),
		     S("*-1\r\n:1\r\n$3\r\nraw\r\n:1\r\n")),
	      4, EXPECTED({0, "key", "st"}, {1, "key", "ek"}, {2, "key", "ok"}, {3, "key", ""}),
	      "");
}

static void the_dump_for_a_replica_is_passed_by(void **state)
{
	check(EVENTS(C("*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"),
		     S("+FULLRESYNC 0123 0\r\n$4\r\nRED"), S("I*1\r\n$4\r\nPING\r\n"),
		     C("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n")),
	      2,
	      EXPECTED({0, "command", "PSYNC"}, {1, "command", "REPLCONF"},
		       {1, "completeness", "complete"}),
	      "");
}

static void lengths_beyond_sense_are_told(void **state)
{
	check(EVENTS(C(PING), S("+PONG\r\n"), C("*1\r\n$99999999999\r\n"),
		     S("-ERR Protocol error: invalid bulk length\r\n")),
	      2, EXPECTED({1, "status_code", "ERR"}, {1, "completeness", "truncated"}),
	      "redis.len_invalid\n");
	check(EVENTS(C(PING), S("*-7\r\n")), 1, EXPECTED({0, "completeness", "truncated"}),
	      "redis.len_invalid\n");
	check(EVENTS(C(PING), S("+OK\r\n?what\r\n"), C(GET_K), S("$1\r\nv\r\n")), 2,
	      EXPECTED({1, "command", "GET"}, {1, "pairing", "exact"}), "redis.framing\n");
}

static void a_string_with_a_hole_is_still_one(void **state)
{
	check(EVENTS(C("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8\r\nab"), {'c', NULL, 4}, C("gh\r\n"),
		     S("+OK\r\n"), C(GET_K), S("$8\r\nab"), {'s', NULL, 4}, S("gh\r\n"), C(PING),
		     S("+PONG\r\n")),
	      3,
	      EXPECTED({0, "completeness", "gap"}, {0, "missing_bytes", "4"}, {0, "argc", "3"},
		       {1, "completeness", "gap"}, {1, "size", "14"},
		       {2, "completeness", "complete"}),
	      "redis.gap\nredis.gap\n");
}

/* Its reply would be paired with the command behind it. */
static void of_a_batch_with_a_hole_nothing_is_paired(void **state)
{
	check(EVENTS(C(PING PING), S("+PONG\r\n+PONG\r\n"), {'c', NULL, 14}, C(GET_K),
		     S("+PONG\r\n$1\r\nv\r\n"), C(PING), S("+PONG\r\n")),
	      6,
	      EXPECTED({2, "completeness", "no_request"}, {3, "completeness", "no_request"},
		       {4, "command", "GET"}, {4, "completeness", "no_response"},
		       {5, "command", "PING"}, {5, "pairing", "exact"}),
	      "redis.gap\n");
}

static void replies_lost_leave_the_next_batch_alone(void **state)
{
	check(EVENTS(C(PING GET_K PING), S("+PONG\r\n"), {'s', NULL, 7}, S("+PONG\r\n"),
		     C(GET_K PING), S("$1\r\nw\r\n+PONG\r\n")),
	      5,
	      EXPECTED({0, "completeness", "complete"}, {1, "completeness", "no_response"},
		       {2, "completeness", "no_response"}, {3, "pairing", "exact"},
		       {3, "command", "GET"}, {4, "pairing", "exact"}),
	      "redis.gap\n");
}

static void midstream_a_value_is_no_command(void **state)
{
	check(EVENTS(C("garbage of a value\r\n*1\r\n$4\r\nPING\r\n"), S("+OK\r\n"), C(GET_K),
		     S("$1\r\nv\r\n")),
	      1, EXPECTED({0, "command", "GET"}, {0, "pairing", "exact"}), "");
}

/* What the client had received when it sent the first command of a capture is not known. */
static void a_capture_that_begins_with_a_command_is_in_step(void **state)
{
	int first;

	for (first = 0; first < 2; first++) {
		struct weir_host host;
		struct weir_mark mark;

		mock_init(&host, parser_find("redis"));
		mock_open(&host);
		mark = mock_mark(&host, WEIR_C2S);
		mark.peer_ack = WEIR_NO_ACK;
		mock_feed_marked(&host, WEIR_C2S, PING, strlen(PING), &mark);
		if (first == 0) {
			mock_text(&host, WEIR_S2C, "+PONG\r\n");
		} else {
			mock_text(&host, WEIR_S2C, "rest of something\r\n");
		}
		mock_text(&host, WEIR_C2S, GET_K);
		mock_text(&host, WEIR_S2C, "$1\r\nv\r\n");
		mock_end(&host);
		assert_int_equal(host.nrecords, 2);
		assert_string_equal(value(&host, 0, "command"), "PING");
		assert_string_equal(value(&host, 0, "completeness"),
				    first == 0 ? "complete" : "no_response");
		assert_string_equal(value(&host, 1, "command"), "GET");
		assert_string_equal(value(&host, 1, "type"), "bulk");
		assert_string_equal(value(&host, 1, "pairing"), "exact");
		mock_fini(&host);
	}
}

static void a_server_alone_is_heard(void **state)
{
	check(EVENTS(S("$5\r\nhello\r\n"), S("-ERR no\r\n")), 2,
	      EXPECTED({0, "completeness", "no_request"}, {1, "status_code", "ERR"}), "");
}

/* ---- a hole at every position ---- */

struct segment {
	char who;
	const char *text;
};

static const struct segment session[] = {
	{'C', "*3\r\n$3\r\nSET\r\n$2\r\nk1\r\n$12\r\na\r\n+OK\r\n$1\r\n\r\n"},
	{'S', "+OK\r\n"},
	{'C', "*2\r\n$3\r\nGET\r\n$2\r\nk2\r\n"},
	{'S', "$19\r\n*1\r\n$4\r\nPING\r\n:12\r\n\r\n"},
	{'C', "*2\r\n$4\r\nINCR\r\n$2\r\nk3\r\n*2\r\n$4\r\nINCR\r\n$2\r\nk4\r\n*2\r\n$"
	      "4\r\nINCR\r\n$2\r\nk5\r\n"},
	{'S', ":3\r\n:4\r\n:5\r\n"},
	{'C', "*2\r\n$4\r\nINCR\r\n$2\r\nk6\r\n*2\r\n$4\r\nINCR\r\n$2\r\nk7\r\n"},
	{'S', ":6\r\n:7\r\n"},
	{'C', "*2\r\n$4\r\nLLEN\r\n$2\r\nk8\r\n"},
	{'S', "-WRONGTYPE k8\r\n"},
	{'C', "*2\r\n$3\r\nGET\r\n$2\r\nk9\r\n"},
	{'S', "*2\r\n$2\r\nk9\r\n*1\r\n:9\r\n"},
};

/* What is right: the pairs of the session. */
static const char *const pairs[] = {"SET k1",    "INCR k3|3", "INCR k4|4", "INCR k5|5", "INCR k6|6",
				    "INCR k7|7", "LLEN k8",   "GET k9",    "GET k2"};

static void check_record(struct weir_host *host, unsigned n, const char *where)
{
	char query[256];
	const char *at;
	size_t i;

	if (strcmp(value(host, n, "completeness"), "complete") != 0) {
		return;
	}
	(void)snprintf(query, sizeof(query), "%s ", value(host, n, "command"));
	(void)strncat(query, value(host, n, "key"), 64);
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		at = strchr(pairs[i], '|');
		if (strncmp(query, pairs[i],
			    at == NULL ? strlen(pairs[i]) : (size_t)(at - pairs[i])) == 0) {
			break;
		}
	}
	if (i == sizeof(pairs) / sizeof(pairs[0])) {
		fail_msg("%s: invented: %s", where, strbuf_text(&host->records));
	}
	if (strchr(pairs[i], '|') != NULL) {
		char want[64];
		const char *line = strbuf_text(&host->records);
		unsigned k;

		(void)snprintf(want, sizeof(want),
			       "\"reply\":{\"type\":\"integer\",\"text\":\"%s\"}",
			       strchr(pairs[i], '|') + 1);
		for (k = 0; k < n; k++) {
			line = strchr(line, '\n') + 1;
		}
		at = strstr(line, want);
		if (at == NULL || at > line + strcspn(line, "\n")) {
			fail_msg("%s: mispaired %s: %.*s", where, query, (int)strcspn(line, "\n"),
				 line);
		}
	}
}

/* `len` bytes from `at` of a segment are missing; the rest of it has its mark. @return records that are complete */
static unsigned with_a_hole(size_t which, size_t at, size_t len)
{
	struct weir_host host;
	char where[64];
	unsigned complete = 0;
	unsigned n;
	size_t i;

	mock_init(&host, parser_find("redis"));
	host.config.bodies = WEIR_BODIES_KEEP;
	mock_open(&host);
	for (i = 0; i < sizeof(session) / sizeof(session[0]); i++) {
		enum weir_direction dir = session[i].who == 'C' ? WEIR_C2S : WEIR_S2C;
		struct weir_mark mark = mock_mark(&host, dir);
		size_t all = strlen(session[i].text);

		if (i != which) {
			mock_feed_marked(&host, dir, session[i].text, all, &mark);
			continue;
		}
		mock_feed_marked(&host, dir, session[i].text, at, &mark);
		mock_gap(&host, dir, len);
		mock_feed_marked(&host, dir, session[i].text + at + len, all - at - len, &mark);
	}
	mock_end(&host);
	(void)snprintf(where, sizeof(where), "segment %zu, %zu bytes at %zu", which, len, at);
	for (n = 0; n < host.nrecords; n++) {
		check_record(&host, n, where);
		complete += strcmp(value(&host, n, "completeness"), "complete") == 0;
	}
	mock_fini(&host);
	return complete;
}

static void a_hole_at_every_position_invents_and_mispairs_nothing(void **state)
{
	unsigned least = 99;
	size_t i, at, len;

	assert_int_equal(with_a_hole(99, 0, 0), 9);
	for (i = 0; i < sizeof(session) / sizeof(session[0]); i++) {
		size_t all = strlen(session[i].text);

		for (at = 0; at < all; at++) {
			for (len = 1; at + len <= all; len++) {
				unsigned complete = with_a_hole(i, at, len);

				least = complete < least ? complete : least;
			}
		}
	}
	/* at worst the batch of three is lost, or the pair that was cut */
	assert_in_range(least, 6, 9);
}

/* ---- detection ---- */

static int probe(const char *client, const char *server, bool certain, bool *ret_swapped)
{
	struct weir_probe probe = {
		.data = {(const uint8_t *)client, (const uint8_t *)server},
		.len = {strlen(client), strlen(server)},
		.roles_certain = certain,
		.server_port = 4711,
	};
	struct weir_probe_result got = parser_find("redis")->probe(&probe);

	*ret_swapped = got.swapped;
	return got.score;
}

static void commands_are_told_on_any_port(void **state)
{
	bool swapped;

	assert_in_range(probe(GET_K, "", true, &swapped), 90, 100);
	assert_in_range(probe("PING\r\n", "+PONG\r\n", true, &swapped), 90, 100);
	assert_in_range(probe("$5\r\nhello\r\n", GET_K, false, &swapped), 90, 100);
	assert_true(swapped);
}

static void other_protocols_of_lines_are_not_redis(void **state)
{
	bool swapped;

	assert_int_equal(probe("POST / HTTP/1.1\r\nHost: r\r\n\r\n", "", true, &swapped), 0);
	assert_in_range(probe("QUIT\r\n", "+OK POP3 ready\r\n", true, &swapped), 0, 59);
	assert_in_range(probe("USER a\r\n", "+OK\r\n", true, &swapped), 0, 59);
	assert_in_range(probe("get k\r\n", "END\r\n", true, &swapped), 0, 59);
	assert_in_range(probe("PING\r\n", "PONG\r\n", true, &swapped), 0, 59);
	assert_in_range(probe("", "+OK\r\n", true, &swapped), 0, 59);
}

static void an_idle_connection_is_parked_in_little(void **state)
{
	struct weir_host host;

	mock_init(&host, parser_find("redis"));
	host.parks = true;
	mock_open(&host);
	mock_text(&host, WEIR_C2S, GET_K);
	assert_int_equal(host.nparked, 0); /* a command that waits for its reply */
	mock_text(&host, WEIR_S2C, "$1\r\nv\r\n");
	assert_int_equal(host.nparked, 1);
	assert_true(host.parked_size <= 160);
	mock_text(&host, WEIR_C2S, PING);
	mock_text(&host, WEIR_S2C, "+PONG\r\n");
	assert_int_equal(host.nparked, 2);
	assert_int_equal(host.nrecords, 2);
	assert_non_null(strstr(strbuf_text(&host.records), "\"exact\""));
	mock_end(&host);
	mock_fini(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipelined_commands_are_answered_in_order),
		cmocka_unit_test(inline_commands_have_words_and_quotes),
		cmocka_unit_test(passwords_do_not_get_into_records),
		cmocka_unit_test(what_has_no_reply_gets_none),
		cmocka_unit_test(pushes_between_replies_answer_nothing),
		cmocka_unit_test(unsubscribing_from_all_has_a_reply_for_each),
		cmocka_unit_test(a_list_may_hold_the_word_message),
		cmocka_unit_test(streamed_values_end_where_they_say),
		cmocka_unit_test(deep_values_are_counted_to_their_end),
		cmocka_unit_test(empty_aggregates_and_nils),
		cmocka_unit_test(select_says_the_namespace),
		cmocka_unit_test(keys_are_where_the_command_has_them),
		cmocka_unit_test(the_dump_for_a_replica_is_passed_by),
		cmocka_unit_test(lengths_beyond_sense_are_told),
		cmocka_unit_test(a_string_with_a_hole_is_still_one),
		cmocka_unit_test(of_a_batch_with_a_hole_nothing_is_paired),
		cmocka_unit_test(replies_lost_leave_the_next_batch_alone),
		cmocka_unit_test(midstream_a_value_is_no_command),
		cmocka_unit_test(a_capture_that_begins_with_a_command_is_in_step),
		cmocka_unit_test(a_server_alone_is_heard),
		cmocka_unit_test(a_hole_at_every_position_invents_and_mispairs_nothing),
		cmocka_unit_test(commands_are_told_on_any_port),
		cmocka_unit_test(other_protocols_of_lines_are_not_redis),
		cmocka_unit_test(an_idle_connection_is_parked_in_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

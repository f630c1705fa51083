/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocols of lines that change to TLS in the middle: IMAP (RFC 9051 §6.2.1: "a STARTTLS"), POP3 (RFC 2595 §4: "STLS") and FTP's control
 * connection (RFC 4217 §4: "AUTH TLS"). It makes no records: where the server has agreed the flow is TLS's. (SMTP has a parser of its own.)
 *
 * A request for TLS holds the client back until the server's next line that says yes or no: "+OK", "234", or the tag of the request and
 * "OK". Lines before that are passed by, LINES_MAX in each direction; then, or behind a hole, nothing more is looked at (`over`).
 */
#include "parser/probe.h"
#include "weir/parser.h"

#include <string.h>
#include <strings.h>

enum { LINE_MAX_LEN = 1024, LINES_MAX = 64, TAG_MAX = 32, HOLD_LIMIT = 64 * 1024 };

struct starttls {
	uint32_t lines[2];
	bool asked; /* the client wants TLS; the server has not answered */
	bool over, server_closed, server_seen;
	bool rest[2]; /* of a line that is too long */
	uint8_t tag_len;
	char tag[TAG_MAX]; /* of IMAP's request */
};

/* One word of a line, upper and lower case the same. */
static bool is_word(const uint8_t *p, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp((const char *)p, word, len) == 0;
}

/* The n-th word of a line, from 0; length 0: there is none. */
static const uint8_t *word_of(const uint8_t *p, size_t len, unsigned n, size_t *ret_len)
{
	const uint8_t *end = p + len;
	const uint8_t *from;

	for (;; n--) {
		while (p < end && *p == ' ') {
			p++;
		}
		for (from = p; p < end && *p != ' ' && *p != '\r' && *p != '\n';) {
			p++;
		}
		if (n == 0 || p == from) {
			*ret_len = (size_t)(p - from);
			return from;
		}
	}
}

/* Does a line of the client ask for TLS? */
static bool asks(struct starttls *state, const uint8_t *p, size_t len)
{
	size_t n, m;
	const uint8_t *first = word_of(p, len, 0, &n);
	const uint8_t *second = word_of(p, len, 1, &m);

	state->tag_len = 0;
	if (is_word(first, n, "STLS")) {
		return true;
	}
	if (is_word(first, n, "AUTH")) {
		return is_word(second, m, "TLS") || is_word(second, m, "SSL") ||
		       is_word(second, m, "TLS-C");
	}
	if (!is_word(second, m, "STARTTLS") || n == 0 || n > TAG_MAX) {
		return false;
	}
	memcpy(state->tag, first, n);
	state->tag_len = (uint8_t)n;
	return true;
}

/* What a line of the server says to that: 1 yes, 0 nothing, -1 no */
static int answers(const struct starttls *state, const uint8_t *p, size_t len)
{
	size_t n, m;
	const uint8_t *first = word_of(p, len, 0, &n);
	const uint8_t *second = word_of(p, len, 1, &m);

	if (state->tag_len > 0) {
		if (n != state->tag_len || memcmp(first, state->tag, n) != 0) {
			return 0;
		}
		return is_word(second, m, "OK") ? 1 : -1;
	}
	if (is_word(first, n, "+OK") || is_word(first, n, "234")) {
		return 1;
	}
	return is_word(first, n, "-ERR") || (n == 3 && first[0] >= '4' && first[0] <= '5') ? -1 : 0;
}

/* A line of a direction. @return true: TLS begins behind it */
static bool take_line(struct starttls *state, enum weir_direction dir, const uint8_t *p, size_t len)
{
	int answer;

	if (++state->lines[dir] > LINES_MAX) {
		state->over = true;
	} else if (dir == WEIR_C2S) {
		state->asked = asks(state, p, len);
	} else if (state->asked) {
		answer = answers(state, p, len);
		state->asked = answer == 0;
		return answer > 0;
	}
	return false;
}

static enum weir_verdict starttls_on_data(void *opaque, struct weir_host *host,
					  enum weir_direction dir, const struct weir_chunk *chunk,
					  struct weir_consumed *ret)
{
	struct starttls *state = opaque;
	const uint8_t *p = chunk->data;
	const uint8_t *end = p + chunk->len;
	enum weir_verdict verdict = WEIR_PARSE_OK;

	(void)host;
	state->server_seen |= dir == WEIR_S2C;
	while (p < end && verdict == WEIR_PARSE_OK && !state->over) {
		size_t left = (size_t)(end - p);
		const uint8_t *newline = memchr(p, '\n', left < LINE_MAX_LEN ? left : LINE_MAX_LEN);
		size_t len = newline != NULL ? (size_t)(newline - p) + 1 : LINE_MAX_LEN;

		if (dir == WEIR_C2S && state->asked && state->server_seen &&
		    !state->server_closed && left < HOLD_LIMIT) {
			verdict = WEIR_PARSE_HOLD;
		} else if (newline == NULL && left < LINE_MAX_LEN) {
			verdict = WEIR_PARSE_NEED;
		} else {
			if (!state->rest[dir] && take_line(state, dir, p, len)) {
				verdict = WEIR_PARSE_SWITCH;
				ret->next = "tls";
			}
			state->rest[dir] = newline == NULL;
			p += len;
		}
	}
	ret->consumed = state->over ? chunk->len : (size_t)(p - chunk->data);
	return verdict;
}

static void starttls_on_gap(void *opaque, struct weir_host *host, enum weir_direction dir,
			    uint64_t offset, uint64_t length, enum weir_gap_cause cause,
			    size_t dropped)
{
	struct starttls *state = opaque;

	(void)host;
	(void)dir;
	(void)offset;
	(void)length;
	(void)cause;
	(void)dropped;
	state->over = true;
}

static void starttls_on_close(void *opaque, struct weir_host *host, enum weir_direction dir,
			      enum weir_close how, size_t dropped)
{
	struct starttls *state = opaque;

	(void)host;
	(void)how;
	(void)dropped;
	state->server_closed |= dir == WEIR_S2C;
}

/* ---- detection ---- */

enum { SURE = 91, WEAK = 30 };

static bool is_one_of(const uint8_t *p, size_t len, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (is_word(p, len, *words)) {
			return true;
		}
	}
	return false;
}

/* The greeting of the server and the first command of the client, both whole. */
static int score(const struct weir_probe *probe, int of_client)
{
	static const char *const imap[] = {"CAPABILITY", "STARTTLS",     "ID", "NOOP",
					   "LOGIN",      "AUTHENTICATE", NULL};
	static const char *const pop3[] = {"CAPA", "STLS", "USER", "APOP", "AUTH", NULL};
	static const char *const ftp[] = {"AUTH", "USER", "FEAT", "SYST", "OPTS", NULL};
	const uint8_t *client = probe->data[of_client], *server = probe->data[!of_client];
	size_t client_len = probe->len[of_client], server_len = probe->len[!of_client];
	const uint8_t *greeting, *first, *second;
	size_t n, m, k;

	if (server_len < 4 || (memcmp(server, "* OK", 4) != 0 && memcmp(server, "+OK ", 4) != 0 &&
			       memcmp(server, "220 ", 4) != 0 && memcmp(server, "220-", 4) != 0)) {
		return 0;
	}
	if (client_len == 0 || memchr(client, '\n', client_len) == NULL) {
		return WEAK;
	}
	greeting = word_of(server, server_len, 0, &k);
	first = word_of(client, client_len, 0, &n);
	second = word_of(client, client_len, 1, &m);
	if (is_word(greeting, k, "*")) {
		return is_one_of(second, m, imap) ? SURE : 0;
	}
	return is_one_of(first, n, is_word(greeting, k, "+OK") ? pop3 : ftp) ? SURE : 0;
}

static struct weir_probe_result starttls_probe(const struct weir_probe *probe)
{
	return probe_by_score(probe, score, SURE);
}

static const struct weir_schema *const schemas[] = {NULL};
static const uint16_t ports[] = {21, 110, 143, 0};

const struct weir_parser parser_starttls = {
	.name = "starttls",
	.doc = "IMAP, POP3 and FTP up to where TLS begins",
	.schemas = schemas,
	.ports = ports,
	.state_size = sizeof(struct starttls),
	.probe = starttls_probe,
	.on_data = starttls_on_data,
	.on_gap = starttls_on_gap,
	.on_close = starttls_on_close,
};

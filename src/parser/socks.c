/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SOCKS 4, 4a and 5 (RFC 1928, RFC 1929; "SOCKS: A protocol for TCP proxy across firewalls" and its 4A extension): the
 * handshake before what is proxied. It makes no records: where the server's reply ends it hands the flow back to detection,
 * and what was asked for is parsed as if the handshake had not been there. User names and passwords go nowhere.
 *
 * States of a direction, in order:
 *   client   CLIENT_FIRST (request of SOCKS 4, or methods) -> CLIENT_NEXT (authentication, request of SOCKS 5) -> CLIENT_PROXIED
 *   server   SERVER_FIRST (reply of SOCKS 4, or method) -> SERVER_NEXT (status of the authentication, reply)
 * The client's bytes behind its request wait (HOLD) for the server's reply; where none was captured, not for ever. A refusal,
 * an authentication that wraps all that follows (GSSAPI) and UDP ASSOCIATE end in `over`: all further bytes are passed by.
 *
 * Deviation: what a message is is told from its first byte, not from the method that the server chose, so that either
 * direction can be read alone. A hole in the handshake hands over at the next byte.
 */
#include "base/wire.h"
#include "parser/probe.h"
#include "weir/parser.h"

#include <string.h>

enum socks_step { CLIENT_FIRST, CLIENT_NEXT, CLIENT_PROXIED, SERVER_FIRST, SERVER_NEXT };

enum {
	COMMAND_CONNECT = 1,
	COMMAND_BIND = 2,
	METHOD_NONE = 0,
	METHOD_PASSWORD = 2, /* RFC 1929 */
	METHOD_REFUSED = 0xff,
	GRANTED_4 = 90,
	REFUSED_4_LAST = 93,
	TEXT_MAX = 255,        /* user name and host of SOCKS 4 */
	HELD_LIMIT = 64 * 1024 /* bytes of the client that wait for the reply */
};

struct socks {
	uint8_t step[2];
	uint8_t command;
	bool bound;  /* BIND: the first of its two replies has come */
	bool over;   /* nothing to be looked at follows */
	bool lost;   /* a hole in the handshake */
	bool closed; /* the server's direction */
	bool heard;  /* the server has said something */
	uint64_t c2s_pos;
};

/* ---- messages: 1: whole, *ret_len bytes long; 0: more bytes are needed; -1: it is none ---- */

/* A text that ends in a NUL, moved past. */
static int take_text(struct wire *wire, size_t least)
{
	size_t n = 0;

	for (;; n++) {
		uint8_t c = wire_u8(wire);

		if (!wire_ok(wire)) {
			return n > TEXT_MAX ? -1 : 0;
		}
		if (c == 0) {
			return n >= least ? 1 : -1;
		}
		if (c < 0x20 || c == 0x7f || n == TEXT_MAX) {
			return -1;
		}
	}
}

/* VN=4 CD DSTPORT(2) DSTIP(4) USERID NUL; 4a: DSTIP is 0.0.0.x and a host name and NUL follow */
static int request4(const uint8_t *p, size_t len, size_t *ret_len)
{
	struct wire wire;
	uint8_t command;
	uint32_t address;
	int got;

	wire_init(&wire, p, len);
	if (wire_u8(&wire) != 4) {
		return -1;
	}
	command = wire_u8(&wire);
	if (wire_ok(&wire) && command != COMMAND_CONNECT && command != COMMAND_BIND) {
		return -1;
	}
	(void)wire_u16(&wire);
	address = wire_u32(&wire);
	if (!wire_ok(&wire)) {
		return 0;
	}
	got = take_text(&wire, 0);
	if (got == 1 && address > 0 && address < 256) {
		got = take_text(&wire, 1);
	}
	*ret_len = (size_t)(wire.at - p);
	return got;
}

/* RFC 1928 §3: VER=5 NMETHODS METHODS */
static int methods5(const uint8_t *p, size_t len, size_t *ret_len)
{
	if (p[0] != 5 || (len >= 2 && p[1] == 0)) {
		return -1;
	}
	if (len < 2 || len < 2 + (size_t)p[1]) {
		return 0;
	}
	*ret_len = 2 + (size_t)p[1];
	return 1;
}

/* RFC 1928 §4 and §6: VER=5 CMD or REP, RSV=0, ATYP, address, port(2) */
static int address5(const uint8_t *p, size_t len, size_t *ret_len)
{
	struct wire wire;
	uint8_t type;

	wire_init(&wire, p, len);
	if (wire_u8(&wire) != 5) {
		return -1;
	}
	(void)wire_u8(&wire);
	if (wire_u8(&wire) != 0) {
		return -1;
	}
	type = wire_u8(&wire);
	if (wire_ok(&wire) && type != 1 && type != 3 && type != 4) {
		return -1;
	}
	(void)wire_skip(&wire, type == 1 ? 4 : type == 4 ? 16 : wire_u8(&wire));
	(void)wire_u16(&wire);
	*ret_len = (size_t)(wire.at - p);
	return wire_ok(&wire);
}

/* RFC 1929 §2: VER=1 ULEN UNAME PLEN PASSWD */
static int password5(const uint8_t *p, size_t len, size_t *ret_len)
{
	struct wire wire;

	wire_init(&wire, p, len);
	(void)wire_u8(&wire);
	(void)wire_skip(&wire, wire_u8(&wire));
	(void)wire_skip(&wire, wire_u8(&wire));
	*ret_len = (size_t)(wire.at - p);
	return wire_ok(&wire);
}

/* ---- the client ---- */

static int client_message(struct socks *socks, const uint8_t *p, size_t len, size_t *ret_len)
{
	bool first = socks->step[WEIR_C2S] == CLIENT_FIRST;
	int got;

	if (first && p[0] == 4) {
		got = request4(p, len, ret_len);
	} else if (first) {
		got = methods5(p, len, ret_len);
		socks->step[WEIR_C2S] = got > 0 ? CLIENT_NEXT : CLIENT_FIRST;
		return got;
	} else if (p[0] == 1) {
		return password5(p, len, ret_len);
	} else {
		got = address5(p, len, ret_len);
	}
	if (got > 0) {
		socks->command = p[1];
		socks->step[WEIR_C2S] = CLIENT_PROXIED;
	}
	return got;
}

/* Bytes behind the request: until when do they wait for the server's reply? */
static bool must_wait(const struct socks *socks, struct weir_host *host,
		      const struct weir_chunk *chunk, size_t left)
{
	const struct weir_config *config = weir_host_config(host);
	int64_t limit_ns = socks->heard ? config->hole_age_ns : config->hole_age_oneway_ns;

	return !socks->closed && left < HELD_LIMIT &&
	       weir_host_now(host) -
			       weir_chunk_mark(chunk, chunk->offset + chunk->len - left)->ts_ns <=
		       limit_ns;
}

/* ---- the server ---- */

static void grant(struct socks *socks, bool granted)
{
	if (!granted || (socks->command != COMMAND_CONNECT && socks->command != COMMAND_BIND &&
			 socks->command != 0)) {
		socks->over = true;
	} else if (socks->command == COMMAND_BIND && !socks->bound) {
		socks->bound = true; /* a second reply comes when somebody has connected */
		return;
	}
	socks->step[WEIR_S2C] = SERVER_NEXT + 1;
}

static int server_message(struct socks *socks, const uint8_t *p, size_t len, size_t *ret_len)
{
	int got;

	if (p[0] == 0 || (socks->step[WEIR_S2C] == SERVER_NEXT && p[0] == 1)) {
		/* VN=0 CD DSTPORT(2) DSTIP(4), or RFC 1929 §2: VER=1 STATUS */
		*ret_len = p[0] == 0 ? 8 : 2;
		if (len < *ret_len) {
			return 0;
		}
		if (p[0] == 0) {
			grant(socks, p[1] == GRANTED_4);
		} else {
			socks->over = p[1] != 0;
		}
		return 1;
	}
	if (p[0] != 5) {
		return -1;
	}
	if (socks->step[WEIR_S2C] == SERVER_FIRST) {
		/* RFC 1928 §3: VER METHOD */
		*ret_len = 2;
		if (len < 2) {
			return 0;
		}
		socks->over = p[1] != METHOD_NONE && p[1] != METHOD_PASSWORD;
		socks->step[WEIR_S2C] = SERVER_NEXT;
		return 1;
	}
	got = address5(p, len, ret_len);
	if (got > 0) {
		grant(socks, p[1] == 0);
	}
	return got;
}

/* Must the server's message wait for what it answers? */
static bool is_early(const struct socks *socks, const struct weir_chunk *chunk, uint64_t offset)
{
	const struct weir_mark *mark = weir_chunk_mark(chunk, offset);

	return mark->peer_ack != WEIR_NO_ACK && mark->peer_ack > socks->c2s_pos &&
	       socks->step[WEIR_C2S] != CLIENT_PROXIED;
}

/* ---- the parser ---- */

static int socks_open(void *state, struct weir_host *host)
{
	struct socks *socks = state;

	(void)host;
	socks->step[WEIR_C2S] = CLIENT_FIRST;
	socks->step[WEIR_S2C] = SERVER_FIRST;
	return 0;
}

/* The flow is no longer ours: whole bytes of both directions go to who is found next. */
static bool is_handed_over(const struct socks *socks)
{
	return socks->lost || (socks->step[WEIR_S2C] > SERVER_NEXT && !socks->over);
}

/* One message at p. */
static int take_message(struct socks *socks, struct weir_host *host, enum weir_direction dir,
			const struct weir_chunk *chunk, const uint8_t *p, size_t *ret_len)
{
	size_t left = (size_t)(chunk->data + chunk->len - p);
	int got;

	if (is_handed_over(socks)) {
		return WEIR_PARSE_SWITCH;
	}
	if (dir == WEIR_C2S && socks->step[WEIR_C2S] == CLIENT_PROXIED) {
		return must_wait(socks, host, chunk, left) ? WEIR_PARSE_HOLD : WEIR_PARSE_SWITCH;
	}
	if (dir == WEIR_S2C && is_early(socks, chunk, chunk->offset + (chunk->len - left))) {
		return WEIR_PARSE_HOLD;
	}
	got = dir == WEIR_C2S ? client_message(socks, p, left, ret_len)
			      : server_message(socks, p, left, ret_len);
	if (got < 0) {
		return WEIR_PARSE_NOT_MINE;
	}
	return got == 0 ? WEIR_PARSE_NEED : WEIR_PARSE_OK;
}

static enum weir_verdict socks_on_data(void *state, struct weir_host *host, enum weir_direction dir,
				       const struct weir_chunk *chunk, struct weir_consumed *ret)
{
	struct socks *socks = state;
	const uint8_t *p = chunk->data;
	const uint8_t *end = p + chunk->len;
	int verdict = WEIR_PARSE_OK;

	socks->heard = socks->heard || dir == WEIR_S2C;
	while (p < end && verdict == WEIR_PARSE_OK && !socks->over) {
		size_t len = 0;

		verdict = take_message(socks, host, dir, chunk, p, &len);
		if (verdict == WEIR_PARSE_OK) {
			p += len;
		}
	}
	if (socks->over) {
		p = end;
		verdict = WEIR_PARSE_OK;
	} else if (verdict == WEIR_PARSE_OK && is_handed_over(socks)) {
		verdict = WEIR_PARSE_SWITCH; /* what waits of the client goes with it */
	}
	ret->consumed = (size_t)(p - chunk->data);
	if (dir == WEIR_C2S) {
		socks->c2s_pos = chunk->offset + ret->consumed;
	}
	return (enum weir_verdict)verdict;
}

static void socks_on_gap(void *state, struct weir_host *host, enum weir_direction dir,
			 uint64_t offset, uint64_t length, enum weir_gap_cause cause,
			 size_t dropped)
{
	struct socks *socks = state;

	(void)host;
	(void)dir;
	(void)offset;
	(void)length;
	(void)cause;
	(void)dropped;
	socks->lost = true;
}

static void socks_on_close(void *state, struct weir_host *host, enum weir_direction dir,
			   enum weir_close how, size_t dropped)
{
	struct socks *socks = state;

	(void)host;
	(void)how;
	(void)dropped;
	if (dir == WEIR_S2C) {
		socks->closed = true;
	} else {
		socks->c2s_pos = UINT64_MAX;
	}
}

/* ---- detection ---- */

enum { SURE = 95, LIKELY = 70, WEAK = 40 };

static int client_score(const uint8_t *p, size_t len)
{
	size_t n = 0;
	size_t i;
	int got;

	if (len == 0) {
		return 0;
	}
	got = p[0] == 4 ? request4(p, len, &n) : methods5(p, len, &n);
	/* RFC 1928 §3: methods up to 0x7f are assigned one by one, 0x09 was the last; 0x80 up are private */
	for (i = 2; p[0] == 5 && got >= 0 && i < len && i < 2 + (size_t)p[1]; i++) {
		if ((p[i] > 9 && p[i] < 0x80) || p[i] == METHOD_REFUSED) {
			return 0;
		}
	}
	return got < 0 ? 0 : got == 0 ? WEAK : LIKELY;
}

/* Does the server's first message answer the client's? 1, 0: too short to tell, -1 */
static int answers(const uint8_t *client, const uint8_t *p, size_t len)
{
	if (len < 2) {
		return 0;
	}
	if (client[0] == 4) {
		if (p[0] != 0 || p[1] < GRANTED_4 || p[1] > REFUSED_4_LAST) {
			return -1;
		}
		return len >= 8;
	}
	return p[0] == 5 && (p[1] == METHOD_REFUSED || memchr(client + 2, p[1], client[1]) != NULL)
		       ? 1
		       : -1;
}

/* The server alone: the method, perhaps a status, and a reply. */
static int server_score(const uint8_t *p, size_t len)
{
	size_t at = 2, n;

	if (len < 2 || p[0] != 5 || (p[1] != METHOD_NONE && p[1] != METHOD_PASSWORD)) {
		return 0;
	}
	at += p[1] == METHOD_PASSWORD ? 2 : 0;
	return len > at && address5(p + at, len - at, &n) > 0 ? LIKELY : 0;
}

static int score(const struct weir_probe *probe, int of_client)
{
	const uint8_t *client = probe->data[of_client], *server = probe->data[!of_client];
	size_t client_len = probe->len[of_client], server_len = probe->len[!of_client];
	int got = client_score(client, client_len);
	int reply;

	if (client_len == 0) {
		return server_score(server, server_len);
	}
	if (server_len == 0 || got == 0) {
		return got;
	}
	if (got == WEAK) {
		return 0; /* the server would not speak before it had all of it */
	}
	reply = answers(client, server, server_len);
	return reply < 0 ? 0 : reply > 0 ? SURE : got;
}

static struct weir_probe_result socks_probe(const struct weir_probe *probe)
{
	return probe_by_score(probe, score, SURE);
}

static const struct weir_schema *const schemas[] = {NULL};
static const uint16_t ports[] = {1080, 9050, 9150, 0};

const struct weir_parser parser_socks = {
	.name = "socks",
	.doc = "SOCKS 4, 4a and 5, up to what is proxied",
	.schemas = schemas,
	.ports = ports,
	.state_size = sizeof(struct socks),
	.probe = socks_probe,
	.open = socks_open,
	.on_data = socks_on_data,
	.on_gap = socks_on_gap,
	.on_close = socks_on_close,
};

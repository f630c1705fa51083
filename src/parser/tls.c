/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS (RFC 8446, RFC 5246 and before, SSL 3.0), as anybody sees it who has no keys: one record a session, from what is said before
 * encryption begins. Who is called (SNI), what was offered and chosen, certificates up to 1.2, alerts, how long the handshake took, bytes of
 * application data each way, fingerprints.
 *
 * Wire: records of type(1) version(2) length(2) and that many bytes. Handshake messages of type(1) length(3) go through records of type 22,
 * one or more in one, or one over several. Application data is skipped by its length and never looked at.
 *
 * States of a direction:
 *   lost     at the beginning and behind holes: a record is believed where a segment begins with one, or where two follow each other
 *   in step  records one after another. `ccs`: a ChangeCipherSpec went by, so that what follows is encrypted, unless it can be read
 *   over     nothing more is looked at
 * A hole within a record costs that record, because its end is known. `unsure`: a hole swallowed the beginning of a handshake message, so that
 * a record of them is believed only where its messages end with it.
 *
 * The handshake is over (`finished` of a direction) up to 1.2 with the first encrypted handshake record, in 1.3 with the server's first
 * encrypted record and the client's first behind that. Early data does not count.
 *
 * Not done: decryption; DTLS; SSL 2.0 but for its ClientHello.
 */
#include "parser/tls.h"

#include "parser/probe.h"
#include "record/timing.h"

enum {
	HEADER = 5,
	CHANGE_CIPHER_SPEC = 20,
	ALERT = 21,
	HANDSHAKE = 22,
	APPLICATION_DATA = 23,
	HEARTBEAT = 24,
	RECORD_MAX = 16384 + 2048, /* RFC 5246 §6.2.3; RFC 8446 §5.2 has 256 instead */
	HELLO2_MAX = 1024,         /* bytes of an SSL 2.0 ClientHello */
	FATAL = 2,
	CLOSE_NOTIFY = 0
};

static const struct weir_field fields[] = {
	{"tls.client.server_name", WEIR_KIND_STR, 0, "name that the client calls (SNI)"},
	{"tls.version", WEIR_KIND_STR, 0, "1.3, 1.2, 1.1, 1.0, 3.0: the one that the server chose"},
	{"tls.next_protocol", WEIR_KIND_STR, 0,
	 "application protocol that the server chose (ALPN); encrypted in 1.3"},
	{"tls.handshake_ns", WEIR_KIND_DURATION, 0,
	 "first byte of the client's hello to the last handshake record, ns"},
	{"tls.established", WEIR_KIND_BOOL, 0, "the handshake was finished"},
	{"tls.resumed", WEIR_KIND_BOOL, 0, "an earlier session was gone on with"},
	{"tls.cipher", WEIR_KIND_STR, 0, "cipher suite, as IANA calls it"},
	{"tls.curve", WEIR_KIND_STR, 0, "group of the key exchange: x25519, secp256r1 ..."},
	{"tls.alerts", WEIR_KIND_STRS, 0,
	 "alerts that were not encrypted: direction, level, description"},
	{"tls.version_protocol", WEIR_KIND_STR, WEIR_FIELD_DETAIL, "tls, or ssl up to 3.0"},
	{"tls.hello_retry", WEIR_KIND_BOOL, 0, "the server asked for another hello"},
	{"tls.client.ech", WEIR_KIND_BOOL, 0,
	 "the client sent an encrypted hello, or something that looks like one"},
	{"tls.client.supported_versions", WEIR_KIND_STRS, WEIR_FIELD_DETAIL,
	 "versions that the client offered"},
	{"tls.client.supported_protocols", WEIR_KIND_STRS, WEIR_FIELD_DETAIL,
	 "application protocols that the client offered (ALPN)"},
	{"tls.client.supported_ciphers", WEIR_KIND_STRS, WEIR_FIELD_DETAIL,
	 "cipher suites that the client offered, the first 128 of them"},
	{"tls.client.ja3", WEIR_KIND_STR, WEIR_FIELD_DETAIL, "JA3 fingerprint of the client"},
	{"tls.client.ja4", WEIR_KIND_STR, 0, "JA4 fingerprint of the client"},
	{"tls.server.ja3s", WEIR_KIND_STR, WEIR_FIELD_DETAIL,
	 "JA3S fingerprint of the server's answer"},
#define CERTIFICATE_FIELDS(of, who, most)                                                          \
	{"tls." of ".subject", WEIR_KIND_STR, most,                                                \
	 "whom the " who " certificate is of, RFC 4514"},                                          \
		{"tls." of ".issuer", WEIR_KIND_STR, most, "who signed the " who " certificate"},  \
		{"tls." of ".not_before", WEIR_KIND_TIME, WEIR_FIELD_DETAIL,                       \
		 "when the " who " certificate begins to be good"},                                \
		{"tls." of ".not_after", WEIR_KIND_TIME, most,                                     \
		 "when the " who " certificate ends; 2262-04-11 stands for that day and later"},   \
		{"tls." of ".serial_number", WEIR_KIND_HEX, WEIR_FIELD_DETAIL,                     \
		 "of the " who " certificate"},                                                    \
		{"tls." of ".alternative_names", WEIR_KIND_STRS, WEIR_FIELD_DETAIL,                \
		 "names and addresses that the " who " certificate is good for"},                  \
		{"tls." of ".hash.sha256", WEIR_KIND_HEX, WEIR_FIELD_DETAIL,                       \
		 "SHA-256 of the " who " certificate"},                                            \
	{                                                                                          \
		"tls." of ".certificate_chain.sha256", WEIR_KIND_STRS, WEIR_FIELD_DETAIL,          \
			"SHA-256 of each certificate of the " who " chain"                         \
	}
	CERTIFICATE_FIELDS("server", "server's", 0),
	CERTIFICATE_FIELDS("client", "client's", WEIR_FIELD_DETAIL),
	{"tls.c2s.bytes", WEIR_KIND_U64, WEIR_FIELD_DETAIL,
	 "bytes of the client's application data, encrypted"},
	{"tls.s2c.bytes", WEIR_KIND_U64, 0, "bytes of the server's application data, encrypted"},
};

const struct weir_schema tls_schema = {"tls", fields, sizeof(fields) / sizeof(fields[0])};

static const struct weir_anomaly anomaly_gap = {"tls.gap", "info", NULL, "bytes are missing"};
static const struct weir_anomaly anomaly_midstream = {
	"tls.midstream", "info", NULL, "encrypted data whose handshake was not seen"};
static const struct weir_anomaly anomaly_empty = {
	"tls.record_empty", "low", "RFC 8446 section 5.1",
	"a record of handshake, alert or change without content"};
static const struct weir_anomaly anomaly_invalid = {"tls.record_invalid", "medium",
						    "RFC 8446 section 5.1",
						    "what stands where a record begins is none"};
static const struct weir_anomaly anomaly_after_close = {
	"tls.data_after_close", "medium", "RFC 8446 section 6.1",
	"bytes that are no record behind a close_notify"};

/* ---- the record ---- */

static void tick(struct tls *tls)
{
	if (!tls->ticking && tls->config->tick_ns > 0) {
		tls->ticking = true;
		weir_host_tick(tls->host, tls->config->tick_ns);
	}
}

/* Bytes of this mark were seen. */
static void touch(struct tls *tls, enum weir_direction dir, const struct weir_mark *mark)
{
	struct tls_side *side = &tls->side[dir];

	if (tls->rec == NULL && !tls->over) {
		tls->rec = weir_host_record(tls->host, &tls_schema, mark->ts_ns);
		tls->over = tls->rec == NULL;
		tls->begin_ns = mark->ts_ns;
		tls->last_ns = mark->ts_ns;
		tls->first_packet = mark->packet;
		weir_host_figures(tls->host, &tls->figures);
	}
	if (!side->any) {
		side->any = true;
		side->first_stall_ns = mark->stall_ns;
	}
	side->last_stall_ns = mark->stall_ns;
	tls->last_ns = mark->ts_ns > tls->last_ns ? mark->ts_ns : tls->last_ns;
	tls->first_packet = mark->packet < tls->first_packet ? mark->packet : tls->first_packet;
	tls->last_packet = mark->packet > tls->last_packet ? mark->packet : tls->last_packet;
	tick(tls);
}

static const char *completeness(const struct tls *tls)
{
	if (!tls->hello.client) {
		return "no_request";
	}
	if (!tls->side[WEIR_S2C].any) {
		return "no_response";
	}
	if (tls->missing > 0) {
		return "gap";
	}
	return tls->side[0].cut || tls->side[1].cut || (!tls->established && !tls->alerted)
		       ? "truncated"
		       : "complete";
}

static void fill_figures(const struct tls *tls)
{
	struct weir_record *rec = tls->rec;
	struct weir_tcp_figures now;
	int64_t stall = 0;
	int i;

	weir_host_figures(tls->host, &now);
	record_set_figures(rec, &tls->figures, &now);
	for (i = 0; i < 2; i++) {
		stall += tls->side[i].last_stall_ns - tls->side[i].first_stall_ns;
	}
	weir_record_set_i64(rec, WEIR_F_TIMING_STALL, stall < 0 ? 0 : stall);
}

static void fill(const struct tls *tls)
{
	struct weir_record *rec = tls->rec;

	weir_record_set_u64(rec, WEIR_F_PACKET_FIRST, tls->first_packet);
	weir_record_set_u64(rec, WEIR_F_PACKET_LAST, tls->last_packet);
	weir_record_set_i64(rec, WEIR_F_DURATION, tls->last_ns - tls->begin_ns);
	fill_figures(tls);
	weir_record_set_static(rec, WEIR_F_COMPLETENESS, completeness(tls));
	if (tls->missing > 0) {
		weir_record_set_u64(rec, WEIR_F_MISSING_BYTES, tls->missing);
	}
	/* where the server's hello may be in a hole nobody knows */
	if (tls->hello.server || (tls->hello.client && tls->missing == 0)) {
		weir_record_set_bool(rec, TLS_F_ESTABLISHED, tls->established);
		weir_record_set_bool(rec, TLS_F_RESUMED, tls->resumed);
	}
	weir_record_set_u64(rec, TLS_F_C2S_BYTES, tls->side[WEIR_C2S].bytes);
	weir_record_set_u64(rec, TLS_F_S2C_BYTES, tls->side[WEIR_S2C].bytes);
	if (tls->fatal != NULL) {
		weir_record_set_static(rec, WEIR_F_ERROR_TYPE, tls->fatal);
	} else if (!tls->established && tls->hello.client && tls->reset_by >= 0) {
		weir_record_set_static(rec, WEIR_F_ERROR_TYPE,
				       tls->reset_by == WEIR_S2C ? "server_reset" : "client_reset");
	} else if (!tls->established && tls->hello.client && tls->timed_out) {
		weir_record_set_static(rec, WEIR_F_ERROR_TYPE, "timeout");
	}
}

static void finish(struct tls *tls)
{
	if (tls->rec != NULL) {
		fill(tls);
		weir_host_emit(tls->host, tls->rec);
		tls->rec = NULL;
	}
	tls->over = true;
}

void tls_tell(struct tls *tls, const struct weir_anomaly *what, enum weir_direction dir,
	      uint64_t offset)
{
	weir_host_anomaly(tls->host, tls->rec, what, dir, offset);
}

/* The last record of a direction's handshake begins with this mark. */
static void finish_side(struct tls *tls, enum weir_direction dir, const struct weir_mark *mark)
{
	tls->side[dir].finished = true;
	if (tls->established || !tls->side[!dir].finished || !tls->hello.server) {
		return;
	}
	tls->established = true;
	if (tls->has_hello_ns) {
		weir_record_set_i64(tls->rec, TLS_F_HANDSHAKE, mark->ts_ns - tls->hello_ns);
	}
}

/* ---- records ---- */

/* Is it a record's header? 1, 0: too short to tell, -1 */
static int like_header(const uint8_t *p, size_t len)
{
	if ((len >= 1 && (p[0] < CHANGE_CIPHER_SPEC || p[0] > HEARTBEAT)) ||
	    (len >= 2 && p[1] != 3) || (len >= 3 && p[2] > 4) ||
	    (len >= 4 && p[3] > RECORD_MAX >> 8)) {
		return -1;
	}
	if (len < HEADER) {
		return 0;
	}
	return load_be16(p + 3) <= RECORD_MAX ? 1 : -1;
}

/* Is it a ClientHello of SSL 2.0 for something newer? RFC 5246 appendix E.2. 1, 0: too short to tell, -1 */
static int like_hello2(const uint8_t *p, size_t len)
{
	size_t all;

	if ((len >= 1 && (p[0] & 0xfc) != 0x80) || (len >= 3 && p[2] != TLS_CLIENT_HELLO) ||
	    (len >= 4 && p[3] != 3) || (len >= 5 && p[4] > 3)) {
		return -1;
	}
	if (len < 11) {
		return 0;
	}
	all = load_be16(p) & 0x7fff;
	return all <= HELLO2_MAX && load_be16(p + 5) % 3 == 0 && load_be16(p + 9) >= 16 &&
			       all == 9u + load_be16(p + 5) + load_be16(p + 7) + load_be16(p + 9)
		       ? 1
		       : -1;
}

static void take_alert(struct tls *tls, enum weir_direction dir, const uint8_t *p)
{
	const char *name = tls_alert_name(p[1]);
	bool fatal = p[0] == FATAL;
	char scratch[TLS_NUMBER_LEN];
	char text[64];
	size_t len = 0;
	const char *const parts[] = {dir == WEIR_C2S ? "c2s" : "s2c",
				     fatal ? " fatal " : " warning ",
				     tls_number_name(name, p[1], scratch)};
	size_t i;

	for (i = 0; i < 3; i++) {
		memcpy(text + len, parts[i], strlen(parts[i]));
		len += strlen(parts[i]);
	}
	tls->alerted = true;
	if (!weir_record_has(tls->rec, TLS_F_ALERTS) ||
	    tls->rec->values[TLS_F_ALERTS].len < TLS_LIST_MAX) {
		weir_record_add_str(tls->rec, TLS_F_ALERTS, text, len);
	}
	if (p[1] == CLOSE_NOTIFY) {
		tls->side[dir].close_notify = true;
	} else if (fatal && tls->fatal == NULL) {
		tls->fatal = name == NULL ? "alert" : name;
	}
}

/* After a ChangeCipherSpec: is the handshake record one that can be read all the same (1.3: hellos behind a HelloRetryRequest)? */
static bool is_plain_hello(const uint8_t *p, size_t len)
{
	return len >= 4 && (p[0] == TLS_CLIENT_HELLO || p[0] == TLS_SERVER_HELLO) &&
	       tls_length_of(p) == len - 4;
}

static void take_data(struct tls *tls, enum weir_direction dir, size_t len,
		      const struct weir_mark *mark, uint64_t offset)
{
	struct tls_side *side = &tls->side[dir];

	side->bytes += len;
	if (!tls->hello.client && !tls->hello.server && !side->ccs && !tls->told_midstream) {
		tls->told_midstream = true;
		tls_tell(tls, &anomaly_midstream, dir, offset);
	}
	if (tls_is_13(tls->hello.version) && !side->finished &&
	    (dir == WEIR_S2C || tls->side[WEIR_S2C].finished)) {
		finish_side(tls, dir, mark);
	}
}

/*
 * A record with its header at p, of whose content `left` bytes are there. @return bytes that are wanted before it can be
 * taken, 0: it has been; *ret_skip of its content is of no interest
 */
static size_t take_record(struct tls *tls, enum weir_direction dir, const uint8_t *p, size_t left,
			  const struct weir_mark *mark, uint64_t offset, size_t *ret_skip)
{
	struct tls_side *side = &tls->side[dir];
	size_t len = load_be16(p + 3);
	const uint8_t *body = p + HEADER;

	*ret_skip = len;
	switch (p[0]) {
	case HANDSHAKE:
		if (side->ccs && left < 4 && left < len) {
			return 4 < len ? 4 : len;
		}
		if (side->ccs && !(len >= 4 && is_plain_hello(body, len))) {
			if (!side->finished && !tls_is_13(tls->hello.version)) {
				finish_side(tls, dir, mark);
			}
			break;
		}
		if (left < len) {
			return len;
		}
		tls_take_handshake(tls, dir, body, len, mark, offset);
		*ret_skip = 0;
		break;
	case ALERT:
		if (len != 2) {
			break; /* encrypted */
		}
		if (left < len) {
			return len;
		}
		take_alert(tls, dir, body);
		*ret_skip = 0;
		break;
	case CHANGE_CIPHER_SPEC:
		/* RFC 8446 appendix D.4: in 1.3 it means nothing */
		side->ccs = side->ccs || !tls_is_13(tls->hello.version);
		/* RFC 5246 §7.3, figure 2: only a session that is gone on with has it before ServerHelloDone */
		if (dir == WEIR_S2C && tls->hello.server && !tls_is_13(tls->hello.version) &&
		    !tls->server_done && !side->unsure && tls->missing == 0) {
			tls->resumed = true;
		}
		break;
	case APPLICATION_DATA:
		take_data(tls, dir, len, mark, offset);
		break;
	default:
		break;
	}
	if (len == 0 && p[0] != APPLICATION_DATA) {
		tls_tell(tls, &anomaly_empty, dir, offset);
	}
	return 0;
}

/* ---- out of step ---- */

static void lose(struct tls *tls, struct tls_side *side)
{
	tls_drop_message(tls, side);
	side->message_skip = 0;
	side->lost = true;
	side->unsure = true;
}

static bool begins_segment(const struct weir_chunk *chunk, uint64_t offset)
{
	return weir_chunk_mark(chunk, offset)->offset == offset;
}

/*
 * A header at the beginning of a segment, or two that are a record apart. @return where; *ret_more: it may be there, when more bytes come;
 * the chunk's end: nowhere
 */
static const uint8_t *search(const struct weir_chunk *chunk, const uint8_t *p, bool *ret_more)
{
	const uint8_t *end = chunk->data + chunk->len;

	*ret_more = false;
	for (; p < end; p++) {
		size_t left = (size_t)(end - p);
		int like = like_header(p, left);
		size_t all;

		if (like < 0) {
			continue;
		}
		if (like > 0 &&
		    begins_segment(chunk, chunk->offset + (uint64_t)(p - chunk->data))) {
			return p;
		}
		all = like > 0 ? HEADER + (size_t)load_be16(p + 3) : 0;
		like = like == 0 || left <= all ? 0 : like_header(p + all, left - all);
		if (like >= 0) {
			*ret_more = like == 0;
			return p;
		}
	}
	return end;
}

/* What stands where a record should begin is none. @return where to go on */
static const uint8_t *take_other(struct tls *tls, enum weir_direction dir,
				 const struct weir_chunk *chunk, const uint8_t *p)
{
	struct tls_side *side = &tls->side[dir];
	uint64_t offset = chunk->offset + (uint64_t)(p - chunk->data);

	if (side->close_notify) {
		tls_tell(tls, &anomaly_after_close, dir, offset);
		side->over = true;
	} else {
		tls_tell(tls, &anomaly_invalid, dir, offset);
		lose(tls, side);
	}
	return p;
}

/* ---- the parser ---- */

/* An SSL 2.0 ClientHello where the client begins. 1: taken, *p is behind it; 0: more is needed; -1: it is none */
static int take_hello2(struct tls *tls, const struct weir_chunk *chunk, const uint8_t **p)
{
	size_t left = (size_t)(chunk->data + chunk->len - *p);
	uint64_t offset = chunk->offset + (uint64_t)(*p - chunk->data);
	const struct weir_mark *mark = weir_chunk_mark(chunk, offset);
	int like = offset == 0 ? like_hello2(*p, left) : -1;
	size_t all;

	if (like <= 0) {
		return like;
	}
	all = 2 + (size_t)(load_be16(*p) & 0x7fff);
	if (left < all) {
		return 0;
	}
	tls->side[WEIR_C2S].lost = false;
	touch(tls, WEIR_C2S, mark);
	if (tls->rec != NULL) {
		tls->has_hello_ns = true;
		tls->hello_ns = mark->ts_ns;
		if (!tls_client_hello2(tls->rec, *p + 2, all - 2, &tls->hello)) {
			tls_tell(tls, &tls_anomaly_malformed, WEIR_C2S, offset);
		}
	}
	*p += all;
	return 1;
}

/* One record, or what there is of it, at *p, which is moved. OK: on with the next */
static enum weir_verdict step(struct tls *tls, enum weir_direction dir,
			      const struct weir_chunk *chunk, const uint8_t **p, uint64_t *ret_skip)
{
	struct tls_side *side = &tls->side[dir];
	const uint8_t *end = chunk->data + chunk->len;
	uint64_t offset = chunk->offset + (uint64_t)(*p - chunk->data);
	size_t left = (size_t)(end - *p);
	const struct weir_mark *mark = weir_chunk_mark(chunk, offset);
	size_t want, skip;
	int like;

	side->waiting = false;
	if (offset < side->resume) {
		*p += side->resume - offset < left ? side->resume - offset : left;
		return WEIR_PARSE_OK;
	}
	if (dir == WEIR_C2S && (like = take_hello2(tls, chunk, p)) >= 0) {
		return like > 0 ? WEIR_PARSE_OK : WEIR_PARSE_NEED;
	}
	if (side->lost) {
		bool more;

		*p = search(chunk, *p, &more);
		side->lost = more || *p == end;
		return more ? WEIR_PARSE_NEED : WEIR_PARSE_OK;
	}
	like = like_header(*p, left);
	if (like <= 0) {
		*p = like < 0 ? take_other(tls, dir, chunk, *p) : *p;
		return like < 0 ? WEIR_PARSE_OK : WEIR_PARSE_NEED;
	}
	touch(tls, dir, mark);
	if (tls->over) {
		return WEIR_PARSE_OK;
	}
	want = take_record(tls, dir, *p, left - HEADER, mark, offset, &skip);
	if (want > 0) {
		side->waiting = true;
		side->begin = offset;
		side->record_end = offset + HEADER + load_be16(*p + 3);
		return WEIR_PARSE_NEED;
	}
	*p += HEADER + load_be16(*p + 3) - skip;
	*ret_skip = skip;
	side->skip_end = chunk->offset + (uint64_t)(*p - chunk->data) + skip;
	touch(tls, dir, weir_chunk_mark(chunk, chunk->offset + (uint64_t)(*p - chunk->data) - 1));
	return skip > 0 ? WEIR_PARSE_SKIP : WEIR_PARSE_OK;
}

static enum weir_verdict tls_on_data(void *state, struct weir_host *host, enum weir_direction dir,
				     const struct weir_chunk *chunk, struct weir_consumed *ret)
{
	struct tls *tls = state;
	const uint8_t *p = chunk->data;
	const uint8_t *end = p + chunk->len;
	enum weir_verdict verdict = WEIR_PARSE_OK;

	(void)host;
	while (p < end && verdict == WEIR_PARSE_OK) {
		if (tls->over || tls->side[dir].over) {
			p = end;
			break;
		}
		verdict = step(tls, dir, chunk, &p, &ret->skip);
	}
	ret->consumed = (size_t)(p - chunk->data);
	return verdict;
}

static void tls_skipped(void *state, struct weir_host *host, enum weir_direction dir,
			const struct weir_mark *mark)
{
	struct tls *tls = state;

	(void)host;
	if (mark != NULL) {
		touch(tls, dir, mark);
	}
}

static void tls_on_gap(void *state, struct weir_host *host, enum weir_direction dir,
		       uint64_t offset, uint64_t length, enum weir_gap_cause cause, size_t dropped)
{
	struct tls *tls = state;
	struct tls_side *side = &tls->side[dir];
	uint64_t end = offset + length;

	(void)host;
	(void)cause;
	tls_tell(tls, &anomaly_gap, dir, offset);
	tls->missing += length;
	if (end <= side->skip_end || end <= side->resume) {
		return; /* within what is passed by */
	}
	if (side->waiting && dropped > 0 && side->begin == offset - dropped &&
	    end <= side->record_end) {
		lose(tls, side);
		side->lost = false;
		side->resume = side->record_end;
	} else {
		lose(tls, side);
	}
	side->waiting = false;
}

static void tls_on_close(void *state, struct weir_host *host, enum weir_direction dir,
			 enum weir_close how, size_t dropped)
{
	struct tls *tls = state;
	struct tls_side *side = &tls->side[dir];

	if (side->closed) {
		return;
	}
	side->closed = true;
	side->cut = (dropped > 0 && !side->lost) || weir_host_skip_left(host, dir) > 0 ||
		    side->message_len > 0;
	tls->timed_out |= how == WEIR_CLOSE_TIMEOUT;
	if (how == WEIR_CLOSE_RST && tls->reset_by < 0) {
		tls->reset_by = weir_host_reset_by(host);
	}
	if (tls->side[!dir].closed) {
		finish(tls);
	}
}

static void tls_on_tick(void *state, struct weir_host *host)
{
	struct tls *tls = state;

	/* asked for again by the next bytes: what is idle says nothing new */
	tls->ticking = false;
	if (tls->rec != NULL) {
		fill(tls);
		weir_host_emit_interim(host, tls->rec);
		weir_record_clear(tls->rec, WEIR_F_ERROR_TYPE);
	}
}

static int tls_open(void *state, struct weir_host *host)
{
	struct tls *tls = state;

	tls->host = host;
	tls->config = weir_host_config(host);
	tls->reset_by = -1;
	/* a flow may be seen from its middle on */
	tls->side[WEIR_C2S].lost = true;
	tls->side[WEIR_S2C].lost = true;
	return 0;
}

static void tls_done(void *state, struct weir_host *host)
{
	struct tls *tls = state;

	tls_on_close(state, host, WEIR_C2S, WEIR_CLOSE_END, 0);
	tls_on_close(state, host, WEIR_S2C, WEIR_CLOSE_END, 0);
	finish(tls);
	tls_drop_message(tls, &tls->side[WEIR_C2S]);
	tls_drop_message(tls, &tls->side[WEIR_S2C]);
}

/* ---- detection ---- */

enum { SURE = 97, CHAIN = 92, LIKELY = 70, WEAK = 30 };

/* Records in a row, the last of which may be cut. */
static int chain_score(const uint8_t *p, size_t len)
{
	int like = like_header(p, len);
	size_t all;

	if (like <= 0) {
		return like < 0 ? 0 : WEAK;
	}
	all = HEADER + (size_t)load_be16(p + 3);
	if (len <= all) {
		return LIKELY;
	}
	like = like_header(p + all, len - all);
	/* data behind a close_notify is none of ours, but that was */
	return like > 0 || p[0] == ALERT ? (like > 0 ? CHAIN : LIKELY) : like == 0 ? LIKELY : 0;
}

/* The beginning of a direction; of a client with `hello` TLS_CLIENT_HELLO, of a server with TLS_SERVER_HELLO. */
static int side_score(const uint8_t *p, size_t len, uint8_t hello)
{
	int score = len == 0 ? 0 : chain_score(p, len);

	if (hello == TLS_CLIENT_HELLO && len > 0 && like_hello2(p, len) >= 0) {
		return like_hello2(p, len) > 0 ? CHAIN : WEAK;
	}
	if (score == 0 || p[0] != HANDSHAKE || len < HEADER + 1 || load_be16(p + 3) == 0) {
		return score;
	}
	if (p[HEADER] != hello) {
		/* the other one's is not ours to send; others may be, in the middle */
		return p[HEADER] == (TLS_CLIENT_HELLO ^ TLS_SERVER_HELLO ^ hello) ? 0 : score;
	}
	if (len < HEADER + 6) {
		return WEAK;
	}
	return p[HEADER + 4] == 3 || p[HEADER + 4] == 0x7f ? SURE : 0;
}

static int score(const struct weir_probe *probe, int asker)
{
	const uint8_t *client = probe->data[asker], *server = probe->data[!asker];
	size_t client_len = probe->len[asker], server_len = probe->len[!asker];
	int of_client = side_score(client, client_len, TLS_CLIENT_HELLO);
	int of_server = side_score(server, server_len, TLS_SERVER_HELLO);

	if (of_client == SURE || of_server == SURE) {
		return SURE;
	}
	if ((client_len > 0 && of_client == 0) || (server_len > 0 && of_server == 0)) {
		return 0;
	}
	return of_client > of_server ? of_client : of_server;
}

static struct weir_probe_result tls_probe(const struct weir_probe *probe)
{
	return probe_by_score(probe, score, CHAIN);
}

static const struct weir_schema *const schemas[] = {&tls_schema, NULL};
static const uint16_t ports[] = {443, 465, 563, 636,  853,  989,  990,  992,
				 993, 994, 995, 5061, 5671, 8443, 8883, 0};

const struct weir_parser parser_tls = {
	.name = "tls",
	.doc = "SSL 3.0 to TLS 1.3: what is said before encryption begins",
	.schemas = schemas,
	.ports = ports,
	.wraps = true,
	.state_size = sizeof(struct tls),
	.probe = tls_probe,
	.open = tls_open,
	.on_data = tls_on_data,
	.skipped = tls_skipped,
	.on_gap = tls_on_gap,
	.on_close = tls_on_close,
	.on_tick = tls_on_tick,
	.done = tls_done,
	.park = tls_park,
	.unpark = tls_unpark,
};

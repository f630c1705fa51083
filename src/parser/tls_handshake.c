/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handshake messages (RFC 8446 §4, RFC 5246 §7.4): found in the records that carry them, one or more in one, or one over several, and handed to who
 * reads them. What goes over records is kept up to a limit; what is longer is passed by.
 */
#include "parser/tls.h"

enum {
	HELLO_RETRY_REQUEST = 6, /* of drafts of 1.3 */
	CERTIFICATE = 11,
	SERVER_KEY_EXCHANGE = 12,
	SERVER_HELLO_DONE = 14,
};

static const struct weir_anomaly anomaly_no_sni = {"tls.no_sni", "info", "RFC 6066 section 3",
						   "a client that does not say whom it calls"};
static const struct weir_anomaly anomaly_too_large = {
	"tls.hs_too_large", "medium", "RFC 8446 section 4",
	"a handshake message longer than 64 KiB, or 256 KiB of certificates: not looked at"};
static const struct weir_anomaly anomaly_certificate = {"tls.cert_malformed", "medium",
							"RFC 5280 section 4.1",
							"a certificate that cannot be read"};
const struct weir_anomaly tls_anomaly_malformed = {
	"tls.hs_malformed", "medium", "RFC 8446 section 4", "a handshake message that ends early"};

void tls_drop_message(struct tls *tls, struct tls_side *side)
{
	weir_host_free(tls->host, side->message, side->message_size);
	side->message = NULL;
	side->message_len = 0;
	side->message_size = 0;
}

static void take_client_hello(struct tls *tls, const uint8_t *body, size_t len, int64_t ts_ns,
			      uint64_t offset)
{
	bool sound = tls_client_hello(tls->rec, body, len, &tls->hello);

	if (!tls->has_hello_ns) {
		tls->has_hello_ns = true;
		tls->hello_ns = ts_ns;
	}
	if (!sound) {
		tls_tell(tls, &tls_anomaly_malformed, WEIR_C2S, offset);
	} else if (tls->hello.no_name) {
		tls_tell(tls, &anomaly_no_sni, WEIR_C2S, offset);
	}
}

static void take_server_message(struct tls *tls, uint8_t type, const uint8_t *body, size_t len,
				uint64_t offset)
{
	bool sound = true;

	if (type == TLS_SERVER_HELLO) {
		sound = tls_server_hello(tls->rec, body, len, &tls->hello);
		tls->resumed |= tls->hello.ticket_or_psk;
	} else if (type == HELLO_RETRY_REQUEST) {
		weir_record_set_bool(tls->rec, TLS_F_HELLO_RETRY, true);
	} else if (type == SERVER_KEY_EXCHANGE) {
		sound = tls_server_key_exchange(tls->rec, body, len, &tls->hello);
	} else if (type == SERVER_HELLO_DONE) {
		tls->server_done = true;
	}
	if (!sound) {
		tls_tell(tls, &tls_anomaly_malformed, WEIR_S2C, offset);
	}
}

/* A whole message; `message` is its type, its length and that many bytes. */
static void take_message(struct tls *tls, enum weir_direction dir, const uint8_t *message,
			 size_t len, int64_t ts_ns, uint64_t offset)
{
	const uint8_t *body = message + 4;

	if (message[0] == CERTIFICATE) {
		if (!tls_certificates(tls->rec, body, len - 4,
				      dir == WEIR_S2C ? TLS_F_SUBJECT : TLS_F_CLIENT_SUBJECT)) {
			tls_tell(tls, &anomaly_certificate, dir, offset);
		}
	} else if (dir == WEIR_S2C) {
		take_server_message(tls, message[0], body, len - 4, offset);
	} else if (message[0] == TLS_CLIENT_HELLO) {
		take_client_hello(tls, body, len - 4, ts_ns, offset);
	}
}

size_t tls_length_of(const uint8_t *message)
{
	return (size_t)message[1] << 16 | load_be16(message + 2);
}

static size_t limit_of(const uint8_t *message)
{
	return message[0] == CERTIFICATE ? TLS_CERTIFICATE_MAX : TLS_HANDSHAKE_MAX;
}

/* Room for n bytes of the message in all. */
static bool grow(struct tls *tls, struct tls_side *side, size_t n)
{
	size_t size = side->message_size > 0 ? side->message_size : 1024;
	uint8_t *bigger;

	if (n <= side->message_size) {
		return true;
	}
	while (size < n) {
		size *= 2;
	}
	bigger = weir_host_alloc(tls->host, size);
	if (bigger == NULL) {
		return false;
	}
	if (side->message_len > 0) {
		memcpy(bigger, side->message, side->message_len);
	}
	weir_host_free(tls->host, side->message, side->message_size);
	side->message = bigger;
	side->message_size = (uint32_t)size;
	return true;
}

static bool keep(struct tls *tls, struct tls_side *side, const uint8_t *p, size_t n)
{
	if (!grow(tls, side, side->message_len + n)) {
		return false;
	}
	memcpy(side->message + side->message_len, p, n);
	side->message_len += (uint32_t)n;
	return true;
}

/* RFC 8446 §4 and what was before it; certificate_url and supplemental_data (21, 23) were never seen */
static bool is_message_type(uint8_t type)
{
	static const uint32_t types = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 4 | 1u << 6 | 1u << 11 |
				      1u << 12 | 1u << 13 | 1u << 14 | 1u << 15 | 1u << 16 |
				      1u << 20 | 1u << 22;

	return type <= 22 && (types >> type & 1) != 0;
}

/*
 * Bytes of a message that began in an earlier record, or goes on in a later one. @return how many of them it took
 */
static size_t collect(struct tls *tls, enum weir_direction dir, const uint8_t *p, size_t len,
		      const struct weir_mark *mark, uint64_t offset)
{
	struct tls_side *side = &tls->side[dir];
	size_t all, n;

	if (side->message_len == 0) {
		side->message_ns = mark->ts_ns;
	}
	if (side->message_len < 4) {
		n = 4 - side->message_len < len ? 4 - side->message_len : len;
		if (!keep(tls, side, p, n)) {
			side->unsure = true;
			tls_drop_message(tls, side);
			return len;
		}
		if (side->message_len < 4 || tls_length_of(side->message) > 0) {
			if (side->message_len == 4 && !is_message_type(side->message[0])) {
				side->unsure = true;
				tls_drop_message(tls, side);
				return len;
			}
			if (side->message_len == 4 &&
			    tls_length_of(side->message) > limit_of(side->message)) {
				tls_tell(tls, &anomaly_too_large, dir, offset);
				side->message_skip = (uint32_t)tls_length_of(side->message);
				tls_drop_message(tls, side);
			}
			return n;
		}
		p += n;
		len -= n;
	} else {
		n = 0;
	}
	all = 4 + tls_length_of(side->message);
	if (len > all - side->message_len) {
		len = all - side->message_len;
	}
	if (!keep(tls, side, p, len)) {
		side->message_skip = (uint32_t)(all - side->message_len - len);
		tls_drop_message(tls, side);
		return n + len;
	}
	if (side->message_len == all) {
		take_message(tls, dir, side->message, all, side->message_ns, offset);
		tls_drop_message(tls, side);
	}
	return n + len;
}

/* Messages one after another up to the record's end, or beyond it, of types that there are? */
static bool like_messages(const uint8_t *p, size_t len)
{
	while (len > 0) {
		size_t all;

		if (len < 4 || !is_message_type(p[0]) || tls_length_of(p) > limit_of(p)) {
			return false;
		}
		all = 4 + tls_length_of(p);
		if (all > len) {
			return p[0] == CERTIFICATE;
		}
		p += all;
		len -= all;
	}
	return true;
}

/* The content of a handshake record that is not encrypted. */
void tls_take_handshake(struct tls *tls, enum weir_direction dir, const uint8_t *p, size_t len,
			const struct weir_mark *mark, uint64_t offset)
{
	struct tls_side *side = &tls->side[dir];

	if (side->unsure && !like_messages(p, len)) {
		return;
	}
	side->unsure = false;
	while (len > 0 && !side->unsure) {
		size_t n;

		if (side->message_skip > 0) {
			n = side->message_skip < len ? side->message_skip : len;
			side->message_skip -= (uint32_t)n;
		} else if (side->message_len == 0 && len >= 4 && len - 4 >= tls_length_of(p)) {
			n = 4 + tls_length_of(p);
			take_message(tls, dir, p, n, mark->ts_ns, offset);
		} else {
			n = collect(tls, dir, p, len, mark, offset);
		}
		p += n;
		len -= n;
	}
}

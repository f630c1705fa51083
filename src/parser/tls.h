/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the TLS parser: tls.c (records and the session), tls_handshake.c (messages), tls_hello.c (what client and server say first, fingerprints),
 * tls_cert.c (certificates), tls_names.c (names of numbers), tls_park.c (idle sessions).
 */
#ifndef PARSER_TLS_H
#define PARSER_TLS_H

#include "base/wire.h"
#include "weir/parser.h"

enum tls_field {
	TLS_F_SERVER_NAME = WEIR_NCOMMON,
	TLS_F_VERSION,
	TLS_F_NEXT_PROTOCOL,
	TLS_F_HANDSHAKE,
	TLS_F_ESTABLISHED,
	TLS_F_RESUMED,
	TLS_F_CIPHER,
	TLS_F_CURVE,
	TLS_F_ALERTS,
	TLS_F_PROTOCOL_NAME,
	TLS_F_HELLO_RETRY,
	TLS_F_ECH,
	TLS_F_CLIENT_VERSIONS,
	TLS_F_CLIENT_PROTOCOLS,
	TLS_F_CLIENT_CIPHERS,
	TLS_F_JA3,
	TLS_F_JA4,
	TLS_F_JA3S,
	TLS_F_SUBJECT, /* the server's: these as long as struct tls_leaf_fields says */
	TLS_F_ISSUER,
	TLS_F_NOT_BEFORE,
	TLS_F_NOT_AFTER,
	TLS_F_SERIAL,
	TLS_F_NAMES,
	TLS_F_SHA256,
	TLS_F_CHAIN,
	TLS_F_CLIENT_SUBJECT, /* the client's, in the same order */
	TLS_F_CLIENT_ISSUER,
	TLS_F_CLIENT_NOT_BEFORE,
	TLS_F_CLIENT_NOT_AFTER,
	TLS_F_CLIENT_SERIAL,
	TLS_F_CLIENT_NAMES,
	TLS_F_CLIENT_SHA256,
	TLS_F_CLIENT_CHAIN,
	TLS_F_C2S_BYTES,
	TLS_F_S2C_BYTES
};

enum {
	TLS_NUMBER_LEN = 16,             /* bytes of a number without a name, as text */
	TLS_LIST_MAX = 128,              /* elements of a list in a record */
	TLS_CHAIN_MAX = 16,              /* certificates of a chain that are hashed */
	TLS_NAME_MAX = 1024,             /* bytes of a subject, an issuer */
	TLS_HELLOS_MAX = 512,            /* numbers of a list that fingerprints are made of */
	TLS_HANDSHAKE_MAX = 64 * 1024,   /* bytes of a handshake message ... */
	TLS_CERTIFICATE_MAX = 256 * 1024 /* ... that has certificates */
};

/* What is known of a session from its hellos. */
struct tls_hello {
	uint16_t version; /* that the server chose; 0: not known */
	uint16_t cipher;
	bool client, server; /* seen */
	bool no_name;        /* the client's had none */
	bool retry;          /* the server's was a HelloRetryRequest */
	bool ticket_or_psk;  /* TLS 1.3: a pre-shared key was taken */
};

struct tls_side {
	uint64_t begin;      /* of the record that is not whole yet, when waiting */
	uint64_t record_end; /* of it */
	uint64_t skip_end;   /* bytes up to here are skipped by the engine */
	uint64_t resume;     /* and up to here by us: the rest of a record with a hole */
	uint64_t bytes;      /* of application data */
	uint8_t *message;    /* a handshake message that is not whole yet; NULL */
	uint32_t message_len, message_size;
	uint32_t message_skip; /* bytes of one that is not kept */
	int64_t message_ns;    /* when it began */
	int64_t first_stall_ns, last_stall_ns;
	bool any, lost, closed, over, unsure;
	bool waiting; /* for the rest of a record */
	bool ccs, finished, close_notify;
	bool cut; /* ended within a record */
};

struct tls {
	struct weir_host *host;
	const struct weir_config *config;
	struct weir_record *rec; /* NULL: before the first byte, and when it has been emitted */
	struct tls_side side[2];
	struct tls_hello hello;
	struct weir_tcp_figures figures;
	int64_t begin_ns, last_ns, hello_ns;
	uint64_t first_packet, last_packet;
	uint64_t missing;
	const char *fatal; /* description of a fatal alert */
	int reset_by;
	bool established, resumed, server_done, has_hello_ns;
	bool over; /* emitted, or there was no memory for a record */
	bool ticking, timed_out, told_midstream, alerted;
};

extern const struct weir_schema tls_schema;

enum { TLS_CLIENT_HELLO = 1, TLS_SERVER_HELLO = 2 }; /* types of handshake messages */

extern const struct weir_anomaly tls_anomaly_malformed;

/** Name something odd on the record. */
void tls_tell(struct tls *tls, const struct weir_anomaly *what, enum weir_direction dir,
	      uint64_t offset);

/* ---- handshake messages (tls_handshake.c) ---- */

/** The length that a message's head (4 bytes) says. */
size_t tls_length_of(const uint8_t *message);
/** The content of a handshake record that is not encrypted; `mark` and `offset` are the record's. */
void tls_take_handshake(struct tls *tls, enum weir_direction dir, const uint8_t *p, size_t len,
			const struct weir_mark *mark, uint64_t offset);
/** Give up a message that is not whole. */
void tls_drop_message(struct tls *tls, struct tls_side *side);

/* park and unpark of weir/parser.h (tls_park.c). Not while a handshake message is not whole. */
size_t tls_park(void *state, struct weir_host *host, void *to, size_t room);
int tls_unpark(void *state, struct weir_host *host, const void *from, size_t len);

/* ---- names; NULL: there is none ---- */

const char *tls_cipher_name(uint16_t number);
const char *tls_group_name(uint16_t number);
const char *tls_alert_name(uint16_t number);
/** The name, or the number in *scratch, which has room for TLS_NUMBER_LEN. */
const char *tls_number_name(const char *name, uint16_t number, char *scratch);
const char *tls_version_name(uint16_t version, char *scratch);

/** RFC 8701: a number that means nothing, sent to keep peers tolerant. */
static inline bool tls_is_grease(uint16_t number)
{
	return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
}

/** TLS 1.3, a draft of it included. */
static inline bool tls_is_13(uint16_t version)
{
	return version >= 0x0304;
}

/* ---- messages: `body` is what is behind type and length; false: it is malformed, what came before that is in the record ---- */

bool tls_client_hello(struct weir_record *rec, const uint8_t *body, size_t len,
		      struct tls_hello *hello);
/** SSL 2.0's, as clients sent it that could do more; from its type on. */
bool tls_client_hello2(struct weir_record *rec, const uint8_t *body, size_t len,
		       struct tls_hello *hello);
bool tls_server_hello(struct weir_record *rec, const uint8_t *body, size_t len,
		      struct tls_hello *hello);
/** Which curve, of a ServerKeyExchange. */
bool tls_server_key_exchange(struct weir_record *rec, const uint8_t *body, size_t len,
			     const struct tls_hello *hello);

/** A chain of certificates. @param first TLS_F_SUBJECT or TLS_F_CLIENT_SUBJECT */
bool tls_certificates(struct weir_record *rec, const uint8_t *body, size_t len, size_t first);

/** Is this digest to be had? @param name "MD5" or "SHA256". @return bytes, 0: not */
size_t tls_digest(const char *name, const void *p, size_t len, uint8_t *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ClientHello and ServerHello (RFC 8446 §4.1, RFC 5246 §7.4.1, RFC 6101 appendix E for SSL 2.0's), their extensions, and the
 * fingerprints that are made of them:
 *
 *   JA3, JA3S  MD5 of "version,ciphers,extensions,groups,formats", decimal, joined by "-", GREASE left out
 *   JA4        t13d1516h2_8daaf6152771_b186095e22b6: transport, highest version, SNI or not, numbers of ciphers and extensions, ALPN; sorted
 *              ciphers; sorted extensions and the signature algorithms as they came (of its family only this one is free to use)
 *
 * What a malformed hello said before its fault is kept, but no fingerprint is made of it.
 */
#include "parser/tls.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	EXT_SERVER_NAME = 0,
	EXT_GROUPS = 10,
	EXT_FORMATS = 11,
	EXT_SIGNATURES = 13,
	EXT_ALPN = 16,
	EXT_PRE_SHARED_KEY = 41,
	EXT_VERSIONS = 43,
	EXT_KEY_SHARE = 51,
	EXT_ECH = 0xfe0d
};

/* Numbers of a hello, GREASE left out. */
struct numbers {
	uint16_t at[TLS_HELLOS_MAX];
	size_t n;
};

struct client {
	struct numbers ciphers, extensions, groups, formats, signatures;
	uint16_t version; /* legacy_version */
	uint16_t highest; /* offered */
	bool has_name;
	char alpn[2]; /* first and last character of the first, when has_alpn */
	bool has_alpn;
	bool overflow; /* more than fits: no fingerprint */
};

size_t tls_digest(const char *name, const void *p, size_t len, uint8_t *ret)
{
	size_t n = 0;

	return EVP_Q_digest(NULL, name, NULL, p, len, ret, &n) == 1 ? n : 0;
}

static void add(struct client *client, struct numbers *to, uint16_t number)
{
	if (tls_is_grease(number)) {
		return;
	}
	if (to->n == TLS_HELLOS_MAX) {
		client->overflow = true;
		return;
	}
	to->at[to->n++] = number;
}

static void list(struct weir_record *rec, size_t field, const char *text)
{
	if (!weir_record_has(rec, field) || rec->values[field].len < TLS_LIST_MAX) {
		weir_record_add_str(rec, field, text, strlen(text));
	}
}

/* ---- fingerprints ---- */

struct text {
	char p[4 * TLS_HELLOS_MAX * 6 + 64];
	size_t len;
};

static void put_numbers(struct text *text, const struct numbers *numbers, const char *format,
			char between)
{
	size_t i;

	for (i = 0; i < numbers->n; i++) {
		if (i > 0) {
			text->p[text->len++] = between;
		}
		text->len += (size_t)snprintf(text->p + text->len, 8, format, numbers->at[i]);
	}
}

static void put_md5(struct weir_record *rec, size_t field, const struct text *text)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char hex[33];
	size_t i;

	if (tls_digest("MD5", text->p, text->len, digest) != 16) {
		return;
	}
	for (i = 0; i < 16; i++) {
		(void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	}
	weir_record_set_bytes(rec, field, hex, 32, SIZE_MAX);
}

static void put_ja3(struct weir_record *rec, const struct client *client)
{
	struct text text;

	text.len = (size_t)snprintf(text.p, 8, "%u,", client->version);
	put_numbers(&text, &client->ciphers, "%u", '-');
	text.p[text.len++] = ',';
	put_numbers(&text, &client->extensions, "%u", '-');
	text.p[text.len++] = ',';
	put_numbers(&text, &client->groups, "%u", '-');
	text.p[text.len++] = ',';
	put_numbers(&text, &client->formats, "%u", '-');
	put_md5(rec, TLS_F_JA3, &text);
}

static int compare(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* The first 12 digits of the SHA-256, twelve zeros of nothing. */
static void put_hash12(char *out, const struct text *text)
{
	uint8_t digest[EVP_MAX_MD_SIZE] = {0};
	size_t i;

	if (text->len > 0) {
		(void)tls_digest("SHA256", text->p, text->len, digest);
	}
	for (i = 0; i < 6; i++) {
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
	}
}

/* The characters of JA4's ALPN: as they are, or where one is no letter or digit, of the hexadecimal form. */
static void alpn_of(struct client *client, const uint8_t *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t first = p[0], last = p[len - 1];
	bool plain =
		((first >= '0' && first <= '9') || ((first | 32) >= 'a' && (first | 32) <= 'z')) &&
		((last >= '0' && last <= '9') || ((last | 32) >= 'a' && (last | 32) <= 'z'));

	client->has_alpn = true;
	client->alpn[0] = plain ? (char)first : digits[first >> 4];
	client->alpn[1] = plain ? (char)last : digits[last & 15];
}

static const char *ja4_version(uint16_t version)
{
	static const char *const names[] = {"s3", "10", "11", "12", "13"};

	return version >= 0x0300 && version <= 0x0304 ? names[version - 0x0300]
	       : version == 0x0002                    ? "s2"
						      : "00";
}

static void put_ja4(struct weir_record *rec, const struct client *client)
{
	struct numbers sorted = client->ciphers;
	struct text text = {.len = 0};
	char ja4[64];
	size_t n, i;

	n = (size_t)snprintf(ja4, sizeof(ja4), "t%s%c%02zu%02zu%c%c_", ja4_version(client->highest),
			     client->has_name ? 'd' : 'i', sorted.n > 99 ? (size_t)99 : sorted.n,
			     client->extensions.n > 99 ? (size_t)99 : client->extensions.n,
			     client->has_alpn ? client->alpn[0] : '0',
			     client->has_alpn ? client->alpn[1] : '0');
	qsort(sorted.at, sorted.n, sizeof(sorted.at[0]), compare);
	put_numbers(&text, &sorted, "%04x", ',');
	put_hash12(ja4 + n, &text);
	n += 12;
	ja4[n++] = '_';
	sorted.n = 0;
	for (i = 0; i < client->extensions.n; i++) {
		if (client->extensions.at[i] != EXT_SERVER_NAME &&
		    client->extensions.at[i] != EXT_ALPN) {
			sorted.at[sorted.n++] = client->extensions.at[i];
		}
	}
	qsort(sorted.at, sorted.n, sizeof(sorted.at[0]), compare);
	text.len = 0;
	put_numbers(&text, &sorted, "%04x", ',');
	if (sorted.n > 0 && client->signatures.n > 0) {
		text.p[text.len++] = '_';
		put_numbers(&text, &client->signatures, "%04x", ',');
	}
	put_hash12(ja4 + n, &text);
	weir_record_set_bytes(rec, TLS_F_JA4, ja4, n + 12, SIZE_MAX);
}

static void put_fingerprints(struct weir_record *rec, const struct client *client)
{
	if (weir_record_wants(rec, TLS_F_JA3)) {
		put_ja3(rec, client);
	}
	if (weir_record_wants(rec, TLS_F_JA4)) {
		put_ja4(rec, client);
	}
}

/* ---- extensions ---- */

/* What a vector says it is long; NULL, and the wire has failed, when it is longer than the rest. */
static struct wire vector(struct wire *wire, size_t len)
{
	struct wire inner;
	const uint8_t *p = wire_bytes(wire, len);

	wire_init(&inner, p == NULL ? wire->at : p, p == NULL ? 0 : len);
	inner.failed = p == NULL;
	return inner;
}

static bool take_names(struct weir_record *rec, struct wire *wire, struct client *client)
{
	/* RFC 6066 §3: name_type(1) = host_name(0), length(2), name. At most one of a type */
	struct wire names = vector(wire, wire_u16(wire));

	while (wire_ok(&names) && wire_left(&names) > 0) {
		uint8_t type = wire_u8(&names);
		size_t len = wire_u16(&names);
		const uint8_t *p = wire_bytes(&names, len);

		if (p != NULL && type == 0 && len > 0) {
			weir_record_set_bytes(rec, TLS_F_SERVER_NAME, p, len, 255);
			weir_record_set_bytes(rec, WEIR_F_SERVICE_NAME, p, len, 255);
			client->has_name = true;
		}
	}
	return wire_ok(&names) && wire_ok(wire);
}

static bool take_protocols(struct weir_record *rec, struct wire *wire, struct client *client)
{
	/* RFC 7301 §3.1 */
	struct wire names = vector(wire, wire_u16(wire));
	bool grease;

	while (wire_ok(&names) && wire_left(&names) > 0) {
		size_t len = wire_u8(&names);
		const uint8_t *p = wire_bytes(&names, len);

		if (p == NULL || len == 0) {
			return false;
		}
		grease = len == 2 && tls_is_grease(load_be16(p));
		if (!client->has_alpn) {
			alpn_of(client, p, len);
		}
		if (!grease && (!weir_record_has(rec, TLS_F_CLIENT_PROTOCOLS) ||
				rec->values[TLS_F_CLIENT_PROTOCOLS].len < TLS_LIST_MAX)) {
			weir_record_add_str(rec, TLS_F_CLIENT_PROTOCOLS, p, len);
		}
	}
	return wire_ok(&names) && wire_ok(wire);
}

static bool take_versions(struct weir_record *rec, struct wire *wire, struct client *client)
{
	struct wire versions = vector(wire, wire_u8(wire));
	char scratch[TLS_NUMBER_LEN];

	client->highest = 0;
	while (wire_ok(&versions) && wire_left(&versions) > 0) {
		uint16_t version = wire_u16(&versions);

		if (!wire_ok(&versions) || tls_is_grease(version)) {
			continue;
		}
		list(rec, TLS_F_CLIENT_VERSIONS, tls_version_name(version, scratch));
		client->highest = version > client->highest ? version : client->highest;
	}
	return wire_ok(&versions) && wire_ok(wire);
}

static bool take_u16s(struct wire *wire, struct client *client, struct numbers *to)
{
	struct wire numbers = vector(wire, wire_u16(wire));

	while (wire_ok(&numbers) && wire_left(&numbers) > 0) {
		uint16_t number = wire_u16(&numbers);

		if (wire_ok(&numbers)) {
			add(client, to, number);
		}
	}
	return wire_ok(&numbers) && wire_ok(wire);
}

static bool take_formats(struct wire *wire, struct client *client)
{
	struct wire formats = vector(wire, wire_u8(wire));

	while (wire_ok(&formats) && wire_left(&formats) > 0) {
		add(client, &client->formats, wire_u8(&formats));
	}
	return wire_ok(&formats) && wire_ok(wire);
}

/* A client's extension. Those that are empty are the server's way to say that it understood. */
static bool take_client_extension(struct weir_record *rec, uint16_t type, struct wire *body,
				  struct client *client)
{
	switch (type) {
	case EXT_SERVER_NAME:
		return wire_left(body) == 0 || take_names(rec, body, client);
	case EXT_GROUPS:
		return take_u16s(body, client, &client->groups);
	case EXT_FORMATS:
		return take_formats(body, client);
	case EXT_SIGNATURES:
		return take_u16s(body, client, &client->signatures);
	case EXT_ALPN:
		return take_protocols(rec, body, client);
	case EXT_VERSIONS:
		return take_versions(rec, body, client);
	case EXT_ECH:
		weir_record_set_bool(rec, TLS_F_ECH, true);
		return true;
	default:
		return true;
	}
}

/* The next of a list of extensions: type(2) length(2) body. false: the list is over, or it has failed */
static bool next_extension(struct wire *wire, uint16_t *ret_type, struct wire *ret_body)
{
	if (!wire_ok(wire) || wire_left(wire) == 0) {
		return false;
	}
	*ret_type = wire_u16(wire);
	*ret_body = vector(wire, wire_u16(wire));
	return wire_ok(wire);
}

/* ---- ClientHello ---- */

static void take_cipher(struct weir_record *rec, struct client *client, uint16_t cipher)
{
	char scratch[TLS_NUMBER_LEN];

	if (!tls_is_grease(cipher)) {
		list(rec, TLS_F_CLIENT_CIPHERS,
		     tls_number_name(tls_cipher_name(cipher), cipher, scratch));
	}
	add(client, &client->ciphers, cipher);
}

static bool take_client_extensions(struct weir_record *rec, struct wire *wire,
				   struct client *client)
{
	struct wire extensions, body;
	bool sound = true;
	uint16_t type;

	if (wire_left(wire) == 0) {
		return true; /* RFC 5246 §7.4.1.2: there need not be any */
	}
	extensions = vector(wire, wire_u16(wire));
	if (!wire_ok(wire)) {
		/* what there is may still be of use */
		wire_init(&extensions, wire->at, wire_left(wire));
		sound = false;
	}
	while (next_extension(&extensions, &type, &body)) {
		add(client, &client->extensions, type);
		sound = take_client_extension(rec, type, &body, client) && sound;
	}
	return sound && wire_ok(&extensions);
}

/* The lists of a hello begin anew: the second one after a HelloRetryRequest replaces the first. */
static void begin_hello(struct weir_record *rec)
{
	static const uint8_t lists[] = {TLS_F_CLIENT_VERSIONS, TLS_F_CLIENT_PROTOCOLS,
					TLS_F_CLIENT_CIPHERS};
	size_t i;

	for (i = 0; i < sizeof(lists); i++) {
		weir_record_clear(rec, lists[i]);
	}
}

bool tls_client_hello(struct weir_record *rec, const uint8_t *body, size_t len,
		      struct tls_hello *hello)
{
	struct client client = {.overflow = false};
	char scratch[TLS_NUMBER_LEN];
	struct wire wire, ciphers;
	bool sound;

	/* legacy_version(2) random(32) session_id<0..32> cipher_suites<2..> compression_methods<1..> extensions<0..> */
	wire_init(&wire, body, len);
	begin_hello(rec);
	client.version = wire_u16(&wire);
	client.highest = client.version;
	(void)wire_skip(&wire, 32);
	(void)wire_skip(&wire, wire_u8(&wire));
	ciphers = vector(&wire, wire_u16(&wire));
	while (wire_left(&ciphers) >= 2) {
		take_cipher(rec, &client, wire_u16(&ciphers));
	}
	(void)wire_skip(&wire, wire_u8(&wire));
	sound = wire_ok(&wire) && wire_left(&ciphers) == 0 &&
		take_client_extensions(rec, &wire, &client);
	if (sound && !client.overflow) {
		put_fingerprints(rec, &client);
	}
	if (!weir_record_has(rec, TLS_F_CLIENT_VERSIONS) && client.version != 0) {
		list(rec, TLS_F_CLIENT_VERSIONS, tls_version_name(client.version, scratch));
	}
	hello->client = true;
	hello->no_name = !client.has_name;
	return sound;
}

bool tls_client_hello2(struct weir_record *rec, const uint8_t *body, size_t len,
		       struct tls_hello *hello)
{
	struct client client = {.overflow = false};
	char scratch[TLS_NUMBER_LEN];
	struct wire wire, ciphers;
	size_t ncipher_bytes;

	/* msg_type(1) = 1, version(2), lengths of cipher_specs, session_id, challenge(2 each); specs of 3 bytes */
	wire_init(&wire, body, len);
	(void)wire_u8(&wire);
	client.version = wire_u16(&wire);
	ncipher_bytes = wire_u16(&wire);
	(void)wire_u32(&wire);
	ciphers = vector(&wire, ncipher_bytes);
	while (wire_left(&ciphers) >= 3) {
		uint8_t kind = wire_u8(&ciphers);
		uint16_t cipher = wire_u16(&ciphers);

		if (kind == 0) { /* else it is one of SSL 2.0 itself */
			take_cipher(rec, &client, cipher);
		}
	}
	list(rec, TLS_F_CLIENT_VERSIONS, tls_version_name(client.version, scratch));
	hello->client = true;
	return wire_ok(&wire);
}

/* ---- ServerHello ---- */

/* RFC 8446 §4.1.3: the random of a HelloRetryRequest, the SHA-256 of that word */
static const uint8_t retry_random[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
					 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
					 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
					 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

static void set_curve(struct weir_record *rec, uint16_t group)
{
	char scratch[TLS_NUMBER_LEN];

	weir_record_set_str(rec, TLS_F_CURVE,
			    tls_number_name(tls_group_name(group), group, scratch));
}

static bool take_server_extension(struct weir_record *rec, uint16_t type, struct wire *body,
				  struct tls_hello *hello)
{
	if (type == EXT_VERSIONS) {
		hello->version = wire_u16(body);
	} else if (type == EXT_KEY_SHARE) {
		uint16_t group = wire_u16(body);

		if (wire_ok(body)) {
			set_curve(rec, group);
		}
	} else if (type == EXT_PRE_SHARED_KEY) {
		hello->ticket_or_psk = true;
	} else if (type == EXT_ALPN) {
		struct wire names = vector(body, wire_u16(body));
		size_t len = wire_u8(&names);
		const uint8_t *p = wire_bytes(&names, len);

		if (p != NULL) {
			weir_record_set_bytes(rec, TLS_F_NEXT_PROTOCOL, p, len, SIZE_MAX);
		}
		return p != NULL;
	}
	return wire_ok(body);
}

static void put_server(struct weir_record *rec, const struct client *seen, struct tls_hello *hello)
{
	char scratch[TLS_NUMBER_LEN];
	struct text text;

	weir_record_set_str(
		rec, TLS_F_CIPHER,
		tls_number_name(tls_cipher_name(hello->cipher), hello->cipher, scratch));
	weir_record_set_str(rec, TLS_F_VERSION, tls_version_name(hello->version, scratch));
	weir_record_set_str(rec, WEIR_F_NETWORK_PROTOCOL_VERSION,
			    tls_version_name(hello->version, scratch));
	weir_record_set_static(rec, TLS_F_PROTOCOL_NAME,
			       hello->version == 0x0300 || hello->version == 2 ? "ssl" : "tls");
	if (seen->overflow || !weir_record_wants(rec, TLS_F_JA3S)) {
		return;
	}
	text.len = (size_t)snprintf(text.p, 16, "%u,%u,", seen->version, hello->cipher);
	put_numbers(&text, &seen->extensions, "%u", '-');
	put_md5(rec, TLS_F_JA3S, &text);
}

bool tls_server_hello(struct weir_record *rec, const uint8_t *body, size_t len,
		      struct tls_hello *hello)
{
	struct client seen = {.overflow = false};
	struct wire wire, extensions, inner;
	const uint8_t *random;
	bool sound = true;
	uint16_t type;

	/* legacy_version(2) random(32) session_id<0..32> cipher_suite(2) compression_method(1) extensions<0..> */
	wire_init(&wire, body, len);
	seen.version = wire_u16(&wire);
	if (!wire_ok(&wire) || seen.version < 0x0300 ||
	    (seen.version > 0x0304 && seen.version < 0x7f00)) {
		return false;
	}
	hello->version = seen.version;
	random = wire_bytes(&wire, 32);
	/* the drafts of TLS 1.3 up to 21 had the number of the version here, and no session id nor compression after it */
	if (seen.version < 0x7f00) {
		(void)wire_skip(&wire, wire_u8(&wire));
	}
	hello->cipher = wire_u16(&wire);
	if (seen.version < 0x7f00) {
		(void)wire_u8(&wire);
	}
	if (!wire_ok(&wire)) {
		hello->version = 0;
		return false;
	}
	hello->server = true;
	hello->retry = memcmp(random, retry_random, sizeof(retry_random)) == 0;
	if (hello->retry) {
		weir_record_set_bool(rec, TLS_F_HELLO_RETRY, true);
	}
	if (wire_left(&wire) > 0) {
		extensions = vector(&wire, wire_u16(&wire));
		while (next_extension(&extensions, &type, &inner)) {
			add(&seen, &seen.extensions, type);
			sound = take_server_extension(rec, type, &inner, hello) && sound;
		}
		sound = sound && wire_ok(&wire) && wire_ok(&extensions);
	}
	put_server(rec, &seen, hello);
	return sound;
}

bool tls_server_key_exchange(struct weir_record *rec, const uint8_t *body, size_t len,
			     const struct tls_hello *hello)
{
	const char *cipher = tls_cipher_name(hello->cipher);
	struct wire wire;
	uint16_t group;

	if (cipher == NULL || strstr(cipher, "ECDH") == NULL) {
		return true;
	}
	/* RFC 8422 §5.4: curve_type(1) = named_curve(3), NamedCurve(2) */
	wire_init(&wire, body, len);
	if (wire_u8(&wire) != 3) {
		return wire_ok(&wire);
	}
	group = wire_u16(&wire);
	if (wire_ok(&wire)) {
		set_curve(rec, group);
	}
	return wire_ok(&wire);
}

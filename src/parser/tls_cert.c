/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates as TLS up to 1.2 shows them (in 1.3 they are encrypted): of the first, whom it is of and from, how long it is good
 * and for which names (RFC 5280 §4.1); of the whole chain, SHA-256. Nothing is verified.
 *
 * Names are written as RFC 4514 §2 says, the last part first: "CN=www.example.org,O=Example,C=NO". Types that it has no short name
 * for have OpenSSL's, or are dotted. Text in other character sets becomes UTF-8.
 *
 * DER is read with definite lengths only (X.690 §10.1), each element within the one that holds it; nothing is allocated.
 */
#include "parser/tls.h"

#include <arpa/inet.h>
#include <stdio.h>

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_OCTETS = 0x04,
	DER_OID = 0x06,
	DER_UTF8 = 0x0c,
	DER_T61 = 0x14,
	DER_UTC_TIME = 0x17,
	DER_TIME = 0x18,
	DER_UNIVERSAL_STRING = 0x1c,
	DER_BMP = 0x1e,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_VERSION = 0xa0,    /* of tbsCertificate: [0] */
	DER_EXTENSIONS = 0xa3, /* [3] */
	SAN_EMAIL = 0x81,      /* RFC 5280 §4.2.1.6: GeneralName */
	SAN_DNS = 0x82,
	SAN_URI = 0x86,
	SAN_IP = 0x87,
	PARTS_MAX = 64 /* of a name */
};

/* ---- DER ---- */

/* The next element's type; *ret is what is in it. 0: there is none, or it does not fit (and the wire has failed) */
static uint8_t take(struct wire *wire, struct wire *ret)
{
	uint8_t tag = wire_u8(wire);
	size_t len = wire_u8(wire);
	const uint8_t *p;

	if (len > 0x80) {
		unsigned n = len & 0x7f;

		for (len = n > 4 ? SIZE_MAX : 0; n > 0 && n <= 4; n--) {
			len = len << 8 | wire_u8(wire);
		}
	} else if (len == 0x80) {
		len = SIZE_MAX;
	}
	p = wire_bytes(wire, len);
	wire_init(ret, p == NULL ? wire->end : p, p == NULL ? 0 : len);
	ret->failed = p == NULL;
	return p == NULL ? 0 : tag;
}

/* The next element, which must be of a type. */
static struct wire expect(struct wire *wire, uint8_t tag)
{
	struct wire inner;

	if (take(wire, &inner) != tag) {
		wire->failed = true;
		inner.failed = true;
		inner.at = inner.end;
	}
	return inner;
}

/* ---- names ---- */

struct text {
	char p[TLS_NAME_MAX];
	size_t len;
};

static void put(struct text *text, const char *p, size_t n)
{
	if (n <= sizeof(text->p) - text->len) {
		memcpy(text->p + text->len, p, n);
		text->len += n;
	}
}

/* RFC 4514 §2.4: which characters need a backslash */
static void put_char(struct text *text, uint32_t c, bool first, bool last)
{
	char utf8[5] = "\\";
	size_t n = 1;

	if (c == 0) {
		put(text, "\\00", 3);
		return;
	}
	if (c < 0x80) {
		utf8[n++] = (char)c;
	} else if (c < 0x800) {
		utf8[n++] = (char)(0xc0 | c >> 6);
		utf8[n++] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		utf8[n++] = (char)(0xe0 | c >> 12);
		utf8[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		utf8[n++] = (char)(0x80 | (c & 0x3f));
	} else {
		return; /* beyond what certificates were ever seen with */
	}
	if ((c < 0x80 && strchr(",+\"\\<>;", (int)c) != NULL) ||
	    (first && (c == '#' || c == ' ')) || (last && c == ' ')) {
		put(text, utf8, n);
	} else {
		put(text, utf8 + 1, n - 1);
	}
}

/* The value of a part of a name, as UTF-8. */
static void put_value(struct text *text, uint8_t tag, const struct wire *value)
{
	size_t width = tag == DER_BMP ? 2 : tag == DER_UNIVERSAL_STRING ? 4 : 1;
	const uint8_t *p = value->at;
	bool utf8 = tag != DER_T61;

	for (; (size_t)(value->end - p) >= width; p += width) {
		uint32_t c = width == 2 ? load_be16(p) : width == 4 ? load_be32(p) : *p;

		if (width == 1 && utf8 && c >= 0x80) {
			put(text, (const char *)p,
			    1); /* it is what it says, or is escaped by who shows it */
		} else {
			put_char(text, c, p == value->at, (size_t)(value->end - p) == width);
		}
	}
}

struct attribute {
	uint8_t len;
	uint8_t oid[11];
	const char *name;
};

static void put_attribute_type(struct text *text, const struct wire *oid)
{
	static const struct attribute names[] = {
		{3, {0x55, 4, 3}, "CN"},
		{3, {0x55, 4, 4}, "SN"},
		{3, {0x55, 4, 5}, "serialNumber"},
		{3, {0x55, 4, 6}, "C"},
		{3, {0x55, 4, 7}, "L"},
		{3, {0x55, 4, 8}, "ST"},
		{3, {0x55, 4, 9}, "street"},
		{3, {0x55, 4, 10}, "O"},
		{3, {0x55, 4, 11}, "OU"},
		{3, {0x55, 4, 12}, "title"},
		{3, {0x55, 4, 13}, "description"},
		{3, {0x55, 4, 15}, "businessCategory"},
		{3, {0x55, 4, 17}, "postalCode"},
		{3, {0x55, 4, 42}, "GN"},
		{3, {0x55, 4, 46}, "dnQualifier"},
		{3, {0x55, 4, 97}, "organizationIdentifier"},
		{9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1}, "emailAddress"},
		{9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 2}, "unstructuredName"},
		{10, {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1}, "UID"},
		{10, {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25}, "DC"},
		{11, {0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x3c, 2, 1, 1}, "jurisdictionL"},
		{11, {0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x3c, 2, 1, 2}, "jurisdictionST"},
		{11, {0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x3c, 2, 1, 3}, "jurisdictionC"},
	};
	size_t len = wire_left(oid);
	uint64_t number = 0;
	bool first = true;
	const uint8_t *p;
	char digits[44];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].len == len && memcmp(names[i].oid, oid->at, len) == 0) {
			put(text, names[i].name, strlen(names[i].name));
			return;
		}
	}
	/* X.690 §8.19: seven bits a byte; the first number holds two */
	for (p = oid->at; p < oid->end; p++) {
		number = number << 7 | (*p & 0x7f);
		if ((*p & 0x80) != 0) {
			continue;
		}
		if (first) {
			uint64_t top = number < 80 ? number / 40 : 2;

			(void)snprintf(digits, sizeof(digits), "%u.%llu", (unsigned)top,
				       (unsigned long long)(number - top * 40));
		} else {
			(void)snprintf(digits, sizeof(digits), ".%llu", (unsigned long long)number);
		}
		put(text, digits, strlen(digits));
		first = false;
		number = 0;
	}
}

/* RFC 5280 §4.1.2.4: Name = SEQUENCE OF SET OF SEQUENCE { type OID, value } */
static bool put_name(struct text *text, struct wire name)
{
	struct wire parts[PARTS_MAX];
	size_t n = 0;

	text->len = 0;
	while (wire_left(&name) > 0 && n < PARTS_MAX) {
		parts[n++] = expect(&name, DER_SET);
	}
	if (!wire_ok(&name)) {
		return false;
	}
	while (n-- > 0) { /* RFC 4514 §2.1: the last one first */
		struct wire *part = &parts[n];
		bool joined = false;

		while (wire_left(part) > 0) {
			struct wire pair = expect(part, DER_SEQUENCE);
			struct wire type = expect(&pair, DER_OID);
			struct wire value;
			uint8_t tag = take(&pair, &value);

			if (!wire_ok(part) || !wire_ok(&type) || tag == 0) {
				return false;
			}
			if (text->len > 0) {
				put(text, joined ? "+" : ",", 1);
			}
			put_attribute_type(text, &type);
			put(text, "=", 1);
			put_value(text, tag, &value);
			joined = true;
		}
	}
	return true;
}

static bool set_name(struct weir_record *rec, size_t field, struct wire name)
{
	struct text text;

	if (!put_name(&text, name)) {
		return false;
	}
	weir_record_set_bytes(rec, field, text.p, text.len, SIZE_MAX);
	return true;
}

/* ---- times ---- */

static int two_digits(struct wire *wire)
{
	uint8_t a = wire_u8(wire), b = wire_u8(wire);

	if (a < '0' || a > '9' || b < '0' || b > '9') {
		wire->failed = true;
		return 0;
	}
	return (a - '0') * 10 + (b - '0');
}

/* Days from 1970-01-01 to the first of a month of the Gregorian calendar. */
static int64_t days_to(int64_t year, int month)
{
	static const int16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t past = month > 2 ? year : year - 1; /* the last year whose leap day has been */

	return (year - 1970) * 365 + before[month - 1] + past / 4 - past / 100 + past / 400 - 477;
}

/* RFC 5280 §4.1.2.5: YYMMDDHHMMSSZ up to 2049, YYYYMMDDHHMMSSZ from 2050 on; seconds are always there */
static void set_time(struct weir_record *rec, size_t field, struct wire *validity)
{
	static const int64_t latest_s = INT64_MAX / INT64_C(1000000000);
	struct wire time;
	uint8_t tag = take(validity, &time);
	int64_t year, s;
	int month;

	if (tag != DER_UTC_TIME && tag != DER_TIME) {
		validity->failed = true;
		return;
	}
	year = two_digits(&time);
	if (tag == DER_TIME) {
		year = year * 100 + two_digits(&time);
	} else {
		year += year < 50 ? 2000 : 1900;
	}
	month = two_digits(&time);
	month = month < 1 || month > 12 ? 1 : month;
	s = (days_to(year, month) + two_digits(&time) - 1) * 86400;
	s += two_digits(&time) * 3600;
	s += two_digits(&time) * 60;
	s += two_digits(&time);
	if (!wire_ok(&time)) {
		validity->failed = true;
		return;
	}
	/* a time in a record ends in 2262 and begins in 1677; certificates of things that shall last for ever say 9999 */
	s = s > latest_s ? latest_s : s < -latest_s ? -latest_s : s;
	weir_record_set_i64(rec, field, s * INT64_C(1000000000));
}

/* ---- extensions ---- */

static void add_name(struct weir_record *rec, size_t field, const void *p, size_t len)
{
	if (!weir_record_has(rec, field) || rec->values[field].len < TLS_LIST_MAX) {
		weir_record_add_str(rec, field, p, len < TLS_NAME_MAX ? len : TLS_NAME_MAX);
	}
}

/* RFC 5280 §4.2.1.6 */
static void add_general_name(struct weir_record *rec, size_t field, uint8_t tag,
			     const struct wire *name)
{
	size_t len = wire_left(name);

	if (tag == SAN_DNS || tag == SAN_EMAIL || tag == SAN_URI) {
		add_name(rec, field, name->at, len);
	} else if (tag == SAN_IP && (len == 4 || len == 16)) {
		char text[INET6_ADDRSTRLEN];

		if (inet_ntop(len == 4 ? AF_INET : AF_INET6, name->at, text, sizeof(text)) !=
		    NULL) {
			add_name(rec, field, text, strlen(text));
		}
	}
}

/* [3] SEQUENCE OF SEQUENCE { OID, critical BOOLEAN DEFAULT FALSE, OCTET STRING } */
static bool take_extensions(struct weir_record *rec, size_t field, struct wire *wire)
{
	static const uint8_t alt_name[] = {0x55, 0x1d, 17};
	struct wire all = expect(wire, DER_SEQUENCE);

	while (wire_left(&all) > 0) {
		struct wire extension = expect(&all, DER_SEQUENCE);
		struct wire oid = expect(&extension, DER_OID);
		struct wire value, names, name;
		uint8_t tag = take(&extension, &value);

		if (tag == DER_BOOLEAN) {
			tag = take(&extension, &value);
		}
		if (!wire_ok(&all) || !wire_ok(&oid) || tag != DER_OCTETS) {
			return false;
		}
		if (wire_left(&oid) != sizeof(alt_name) ||
		    memcmp(oid.at, alt_name, sizeof(alt_name)) != 0) {
			continue;
		}
		names = expect(&value, DER_SEQUENCE);
		while (wire_left(&names) > 0 && (tag = take(&names, &name)) != 0) {
			add_general_name(rec, field, tag, &name);
		}
		if (!wire_ok(&names)) {
			return false;
		}
	}
	return wire_ok(wire);
}

/* ---- certificates ---- */

enum { SUBJECT, ISSUER, NOT_BEFORE, NOT_AFTER, SERIAL, NAMES, SHA256, CHAIN };

/* RFC 5280 §4.1: Certificate = SEQUENCE { tbsCertificate SEQUENCE { ... }, ... } */
static bool take_certificate(struct weir_record *rec, const uint8_t *p, size_t len, size_t first)
{
	struct wire wire, certificate, tbs, element, validity;
	bool sound = true;
	uint8_t tag;

	wire_init(&wire, p, len);
	certificate = expect(&wire, DER_SEQUENCE);
	tbs = expect(&certificate, DER_SEQUENCE);
	tag = take(&tbs, &element);
	if (tag == DER_VERSION) {
		tag = take(&tbs, &element);
	}
	if (tag != DER_INTEGER) {
		return false;
	}
	weir_record_set_bytes(rec, first + SERIAL, element.at, wire_left(&element), 64);
	(void)expect(&tbs, DER_SEQUENCE); /* signature algorithm */
	element = expect(&tbs, DER_SEQUENCE);
	sound = wire_ok(&tbs) && set_name(rec, first + ISSUER, element);
	validity = expect(&tbs, DER_SEQUENCE);
	if (wire_ok(&tbs)) {
		set_time(rec, first + NOT_BEFORE, &validity);
		set_time(rec, first + NOT_AFTER, &validity);
		sound = sound && wire_ok(&validity);
	}
	element = expect(&tbs, DER_SEQUENCE);
	sound = sound && wire_ok(&tbs) && set_name(rec, first + SUBJECT, element);
	(void)expect(&tbs, DER_SEQUENCE); /* public key */
	while (sound && wire_ok(&tbs) && wire_left(&tbs) > 0) {
		if (take(&tbs, &element) == DER_EXTENSIONS) {
			sound = take_extensions(rec, first + NAMES, &element);
		}
	}
	return sound && wire_ok(&tbs);
}

static void add_digest(struct weir_record *rec, size_t first, bool leaf, const uint8_t *p,
		       size_t len)
{
	uint8_t digest[64];
	char hex[65];
	size_t i;

	if (tls_digest("SHA256", p, len, digest) != 32) {
		return;
	}
	for (i = 0; i < 32; i++) {
		(void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	}
	if (leaf) {
		weir_record_set_bytes(rec, first + SHA256, digest, 32, SIZE_MAX);
	}
	weir_record_add_str(rec, first + CHAIN, hex, 64);
}

bool tls_certificates(struct weir_record *rec, const uint8_t *body, size_t len, size_t first)
{
	struct wire wire, chain;
	bool sound = true;
	unsigned n = 0;
	const uint8_t *p;
	size_t all;

	/* RFC 5246 §7.4.2: length(3), then length(3) and a certificate, the sender's own first */
	wire_init(&wire, body, len);
	all = (size_t)wire_u8(&wire) << 16;
	all |= wire_u16(&wire);
	p = wire_bytes(&wire, all);
	if (p == NULL) {
		return false;
	}
	wire_init(&chain, p, all);
	while (wire_left(&chain) > 0 && n < TLS_CHAIN_MAX) {
		size_t size = (size_t)wire_u8(&chain) << 16;

		size |= wire_u16(&chain);
		p = wire_bytes(&chain, size);
		if (p == NULL) {
			return false;
		}
		if (n == 0) {
			sound = take_certificate(rec, p, size, first);
		}
		if (weir_record_wants(rec, first + CHAIN) ||
		    weir_record_wants(rec, first + SHA256)) {
			add_digest(rec, first, n == 0, p, size);
		}
		n++;
	}
	return sound;
}

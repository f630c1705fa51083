/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in a DNS message (RFC 1035 §4): numbers and their names, domain names, header and question, the data of resource records
 * as text. Names are shown as in master files (§5.1), without the last dot; a pointer may only point backwards, so that following
 * them ends.
 */
#include "parser/dns.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { JUMPS_MAX = 64 }; /* pointers followed in a name */

/* ---- names of numbers ---- */

struct number {
	uint16_t value;
	const char *name;
};

static const char *find(const struct number *table, size_t n, uint16_t value, const char *prefix,
			char *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (table[i].value == value) {
			return table[i].name;
		}
	}
	(void)snprintf(out, DNS_NUMBER_TEXT, "%s%u", prefix, value);
	return out;
}

/* clang-format off */
static const struct number types[] = {
	{1, "A"}, {2, "NS"}, {5, "CNAME"}, {6, "SOA"}, {12, "PTR"}, {13, "HINFO"}, {15, "MX"},
	{16, "TXT"}, {17, "RP"}, {24, "SIG"}, {25, "KEY"}, {28, "AAAA"}, {29, "LOC"},
	{33, "SRV"}, {35, "NAPTR"}, {39, "DNAME"}, {41, "OPT"}, {43, "DS"}, {44, "SSHFP"},
	{46, "RRSIG"}, {47, "NSEC"}, {48, "DNSKEY"}, {50, "NSEC3"}, {51, "NSEC3PARAM"},
	{52, "TLSA"}, {59, "CDS"}, {60, "CDNSKEY"}, {64, "SVCB"}, {65, "HTTPS"}, {99, "SPF"},
	{249, "TKEY"}, {250, "TSIG"}, {251, "IXFR"}, {252, "AXFR"}, {255, "ANY"}, {256, "URI"},
	{257, "CAA"},
};
static const struct number classes[] = {
	{1, "IN"}, {3, "CH"}, {4, "HS"}, {254, "NONE"}, {255, "ANY"},
};
static const struct number codes[] = {
	{0, "NOERROR"}, {1, "FORMERR"}, {2, "SERVFAIL"}, {3, "NXDOMAIN"}, {4, "NOTIMP"},
	{5, "REFUSED"}, {6, "YXDOMAIN"}, {7, "YXRRSET"}, {8, "NXRRSET"}, {9, "NOTAUTH"},
	{10, "NOTZONE"}, {16, "BADVERS"}, {17, "BADKEY"}, {18, "BADTIME"}, {23, "BADCOOKIE"},
};
static const struct number op_codes[] = {
	{0, "QUERY"}, {1, "IQUERY"}, {2, "STATUS"}, {4, "NOTIFY"}, {5, "UPDATE"}, {6, "DSO"},
};
/* clang-format on */

#define FIND(table, value, prefix, out)                                                            \
	find(table, sizeof(table) / sizeof((table)[0]), value, prefix, out)

const char *dns_type_name(uint16_t value, char *out)
{
	return FIND(types, value, "TYPE", out);
}

const char *dns_class_name(uint16_t value, char *out)
{
	return FIND(classes, value, "CLASS", out);
}

const char *dns_code_name(uint16_t value, char *out)
{
	return FIND(codes, value, "RCODE", out);
}

const char *dns_op_code_name(uint16_t value, char *out)
{
	return FIND(op_codes, value, "OPCODE", out);
}

/* ---- names ---- */

static size_t put_label(const uint8_t *p, size_t n, char *out)
{
	size_t len = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] == '.' || p[i] == '\\') {
			out[len++] = '\\';
			out[len++] = (char)p[i];
		} else if (p[i] > ' ' && p[i] < 0x7f) {
			out[len++] = (char)p[i];
		} else {
			out[len++] = '\\';
			out[len++] = (char)('0' + p[i] / 100);
			out[len++] = (char)('0' + p[i] / 10 % 10);
			out[len++] = (char)('0' + p[i] % 10);
		}
	}
	return len;
}

/* RFC 1035 §4.1.4: a pointer means a place before; here it must be one before all that was followed so far. */
size_t dns_take_name(struct wire *wire, const uint8_t *message, char *out)
{
	struct wire at = *wire;
	size_t before = (size_t)(wire->at - message);
	size_t total = 0;
	size_t len = 0;
	unsigned jumps = 0;
	bool jumped = false;

	for (;;) {
		uint8_t n = wire_u8(&at);
		const uint8_t *label;

		if (!wire_ok(&at)) {
			break;
		}
		if ((n & 0xc0) == 0xc0 && ++jumps <= JUMPS_MAX) {
			size_t to = (size_t)(n & 0x3f) << 8 | wire_u8(&at);

			if (!wire_ok(&at) || to >= before) {
				break;
			}
			wire->at = jumped ? wire->at : at.at;
			jumped = true;
			before = to;
			at.at = message + to;
			continue;
		}
		if (n == 0) {
			wire->at = jumped ? wire->at : at.at;
			if (len == 0) {
				out[len++] = '.';
			}
			return len;
		}
		total += n + 1u;
		label = n > 63 || total > 254 ? NULL : wire_bytes(&at, n);
		if (label == NULL) {
			break;
		}
		if (len > 0) {
			out[len++] = '.';
		}
		len += put_label(label, n, out + len);
	}
	wire->failed = true;
	return 0;
}

bool dns_take_header(struct wire *wire, const uint8_t *message, struct dns_header *ret)
{
	size_t i;

	memset(ret->count, 0, sizeof(ret->count));
	ret->has_question = false;
	ret->name_len = 0;
	ret->id = wire_u16(wire);
	ret->flags = wire_u16(wire);
	for (i = 0; i < 4; i++) {
		ret->count[i] = wire_u16(wire);
	}
	if (!wire_ok(wire) || ret->count[0] == 0) {
		return wire_ok(wire);
	}
	ret->name_len = dns_take_name(wire, message, ret->name);
	ret->type = wire_u16(wire);
	ret->class = wire_u16(wire);
	ret->has_question = wire_ok(wire);
	for (i = 1; i < ret->count[0] && wire_ok(wire); i++) {
		char name[DNS_NAME_TEXT];

		(void)dns_take_name(wire, message, name);
		(void)wire_skip(wire, 4);
	}
	return wire_ok(wire);
}

size_t dns_data_text(const uint8_t *message, const uint8_t *p, size_t len, uint16_t type, char *out)
{
	struct wire wire;
	size_t n = 0;

	wire_init(&wire, p, len);
	if ((type == 1 && len == 4) || (type == 28 && len == 16)) {
		const char *text = inet_ntop(type == 1 ? AF_INET : AF_INET6, p, out, DNS_DATA_TEXT);

		return text == NULL ? 0 : strlen(text);
	}
	if (type == 2 || type == 5 || type == 12 || type == 39 || type == DNS_TYPE_SOA) {
		n = dns_take_name(&wire, message, out);
	} else if (type == 15) {
		n = (size_t)snprintf(out, 16, "%u ", wire_u16(&wire));
		n += dns_take_name(&wire, message, out + n);
	} else if (type == 33) {
		uint16_t priority = wire_u16(&wire), weight = wire_u16(&wire);

		n = (size_t)snprintf(out, 32, "%u %u %u ", priority, weight, wire_u16(&wire));
		n += dns_take_name(&wire, message, out + n);
	} else if (type == 16 || type == 99) {
		while (wire_left(&wire) > 0 && n < DNS_DATA_TEXT - 260) {
			uint8_t part = wire_u8(&wire);
			const uint8_t *text = wire_bytes(&wire, part);

			if (text == NULL) {
				break;
			}
			memcpy(out + n, text, part);
			n += part;
		}
		return n;
	}
	if (!wire_ok(&wire) || n == 0) {
		n = (size_t)snprintf(out, 32, "\\# %zu", len); /* RFC 3597 §5, without the bytes */
	}
	return n;
}

/* RFC 1035 §3.3.13: MNAME RNAME SERIAL ...; 0 when it is none */
uint32_t dns_serial(const uint8_t *message, const uint8_t *p, size_t len)
{
	struct wire wire;
	char name[DNS_NAME_TEXT];

	wire_init(&wire, p, len);
	(void)dns_take_name(&wire, message, name);
	(void)dns_take_name(&wire, message, name);
	return wire_u32(&wire);
}

/* FNV-1a of the name in lower case and the type; 0: no question */
uint32_t dns_question_hash(const struct dns_header *header)
{
	uint32_t hash = 2166136261u;
	size_t i;

	if (!header->has_question) {
		return 0;
	}
	for (i = 0; i < header->name_len; i++) {
		uint8_t c = (uint8_t)header->name[i];

		hash = (hash ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * 16777619u;
	}
	return (hash ^ header->type) * 16777619u | 1;
}

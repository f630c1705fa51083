/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the DNS parser: dns.c (framing, exchanges, detection), dns_message.c (what is in a message). */
#ifndef PARSER_DNS_H
#define PARSER_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"

enum {
	DNS_NAME_TEXT = 1024, /* bytes of a name as text: 255 of them, escaped */
	DNS_DATA_TEXT = 1280, /* bytes of an answer's data as text */
	DNS_NUMBER_TEXT = 16, /* bytes of a number without a name */
	DNS_TYPE_SOA = 6,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_IXFR = 251,
	DNS_TYPE_AXFR = 252
};

/* What the beginning of a message says. */
struct dns_header {
	uint16_t id, flags, count[4], type, class;
	char name[DNS_NAME_TEXT];
	size_t name_len;
	bool has_question;
};

/** Names of numbers; of one without a name the number, written to *out (DNS_NUMBER_TEXT bytes). */
const char *dns_type_name(uint16_t value, char *out);
const char *dns_class_name(uint16_t value, char *out);
const char *dns_code_name(uint16_t value, char *out);
const char *dns_op_code_name(uint16_t value, char *out);

/**
 * The name at wire->at, which is moved past it.
 * @param message the message's beginning: pointers count from there
 * @param out     room for DNS_NAME_TEXT bytes: 255 of a name take 4 each at most
 * @return        bytes of the text; 0: it is no name (and the wire has failed)
 */
size_t dns_take_name(struct wire *wire, const uint8_t *message, char *out);

/** Header and first question. false: they are not whole, or no name */
bool dns_take_header(struct wire *wire, const uint8_t *message, struct dns_header *ret);

/** The data of a resource record as text. @param out room for DNS_DATA_TEXT bytes */
size_t dns_data_text(const uint8_t *message, const uint8_t *p, size_t len, uint16_t type,
		     char *out);

/** Of the data of a SOA; 0 when it is none. */
uint32_t dns_serial(const uint8_t *message, const uint8_t *p, size_t len);

/** Of name and type, upper and lower case the same; 0: no question */
uint32_t dns_question_hash(const struct dns_header *header);

#endif

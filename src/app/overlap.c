/* SPDX-License-Identifier: Apache-2.0 */
/* Reading --overlap: see overlap.h. */
#include "app/overlap.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char takes[] = "first, last, bsd, linux, windows or solaris, or one of them for a "
			    "subnet, such as 10.0.0.0/8=linux";

/* The index of a word of `len` bytes in OVERLAP_WORDS, which is in the order of the enum; -1. */
static int policy_of(const char *text, size_t len)
{
	const char *words = OVERLAP_WORDS;
	int i;

	for (i = 0; *words != '\0'; i++) {
		size_t n = strcspn(words, " ");

		if (n == len && memcmp(words, text, n) == 0) {
			return i;
		}
		words += n + (words[n] != '\0');
	}
	return -1;
}

/* ADDRESS or ADDRESS/BITS; what is beyond the bits must be 0, or the user means something else. */
static bool read_subnet(const char *text, size_t len, struct weir_overlap_rule *ret)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = memchr(text, '/', len);
	size_t n = slash != NULL ? (size_t)(slash - text) : len;
	unsigned bits, most, i;
	char *end;

	memset(ret, 0, sizeof(*ret));
	if (n >= sizeof(address)) {
		return false;
	}
	memcpy(address, text, n);
	address[n] = '\0';
	ret->ip_version = strchr(address, ':') != NULL ? 6 : 4;
	if (inet_pton(ret->ip_version == 6 ? AF_INET6 : AF_INET, address, ret->address) != 1) {
		return false;
	}
	bits = most = ret->ip_version == 6 ? 128 : 32;
	if (slash != NULL) {
		bits = (unsigned)strtoul(slash + 1, &end, 10);
		if (end == slash + 1 || end != text + len || slash[1] < '0' || slash[1] > '9' ||
		    bits > most) {
			return false;
		}
	}
	for (i = bits; i < most; i++) {
		if (ret->address[i / 8] & (0x80u >> i % 8)) {
			return false;
		}
	}
	ret->prefix = (uint8_t)bits;
	return true;
}

static const char *add_one(struct overlap *overlap, const char *text, size_t len)
{
	const char *sign = memchr(text, '=', len);
	const char *name = sign != NULL ? sign + 1 : text;
	int policy = policy_of(name, len - (size_t)(name - text));
	struct weir_overlap_rule rule;

	if (policy < 0) {
		return takes;
	}
	if (sign == NULL) {
		overlap->policy = (enum weir_overlap_policy)policy;
		return NULL;
	}
	if (!read_subnet(text, (size_t)(sign - text), &rule)) {
		return takes;
	}
	if (overlap->nrules == OVERLAP_MAX_RULES) {
		return "at most 64 subnets";
	}
	rule.policy = (uint8_t)policy;
	overlap->rules[overlap->nrules++] = rule;
	return NULL;
}

const char *overlap_add(struct overlap *overlap, const char *value)
{
	const char *fix = NULL;

	do {
		size_t len = strcspn(value, ",");

		fix = add_one(overlap, value, len);
		value += len + (value[len] != '\0');
	} while (fix == NULL && *value != '\0');
	return fix;
}

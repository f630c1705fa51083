/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of headers that are met often are looked up once, when a header is added to a record, and have a number from then on
 * (struct weir_header): whether its value is a secret, and how its name is written, are asked of tables.
 */
#ifndef RECORD_HEADER_NAMES_H
#define RECORD_HEADER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HEADER(place, text, class) HEADER_AT_##place,
enum {
	HEADER_OTHER, /* none of them */
#include "record/header_names.def"
	HEADER_NAMES
};
#undef HEADER

enum { HEADER_NAME_MAX = 24 };

struct header_name {
	char text[HEADER_NAME_MAX]; /* in lower case */
	uint64_t len;               /* as wide, for a size that is a power of two */
};

/* By number. */
extern const struct header_name header_names[HEADER_NAMES];
extern const uint8_t header_name_classes[HEADER_NAMES]; /* enum header_class */
/* The number of the only name that may have this hash. */
extern const uint8_t header_name_places[256];

/*
 * The multiplier was searched for until no two names had the same place: a name to be added may need another one, and then
 * every name another place (a test looks each of them up).
 */
#define HEADER_NAME_MULTIPLIER UINT32_C(0xfbd9c191)

/* What eight (four) bytes differ in from those of a name, but for the case of letters, which are the bytes with bit 6. */
static inline uint64_t header_name_differs8(const void *p, const void *name)
{
	uint64_t a, b;

	memcpy(&a, p, sizeof(a));
	memcpy(&b, name, sizeof(b));
	return (a ^ b) & ~((b & UINT64_C(0x4040404040404040)) >> 1);
}

static inline uint32_t header_name_differs4(const void *p, const void *name)
{
	uint32_t a, b;

	memcpy(&a, p, sizeof(a));
	memcpy(&b, name, sizeof(b));
	return (a ^ b) & ~((b & UINT32_C(0x40404040)) >> 1);
}

/* Are these the same? Both of `len` bytes, 3 to 24, which loads that overlap see all of; of three, the name has a NUL. */
static inline bool header_name_is(const uint8_t *p, const char *name, size_t len)
{
	if (len >= 8) {
		return (header_name_differs8(p, name) |
			header_name_differs8(p + len - 8, name + len - 8)) == 0 &&
		       (len <= 16 || header_name_differs8(p + 8, name + 8) == 0);
	}
	if (len >= 4) {
		return (header_name_differs4(p, name) |
			header_name_differs4(p + len - 4, name + len - 4)) == 0;
	}
	return header_name_differs4((const uint8_t[4]){p[0], p[1], p[2], 0}, name) == 0;
}

/** The number of a name, in whatever case; HEADER_OTHER: it is none of these. */
static inline uint8_t header_name_find(const uint8_t *p, size_t len)
{
	const struct header_name *name;
	uint32_t bytes;
	uint8_t number;

	if (len < 3 || len > HEADER_NAME_MAX) {
		return HEADER_OTHER;
	}
	bytes = p[0] | (uint32_t)p[len - 1] << 8 | (uint32_t)p[len - 3] << 16 | (uint32_t)len << 24;
	bytes |= 0x202020; /* in lower case */
	number = header_name_places[bytes * HEADER_NAME_MULTIPLIER >> 24];
	name = &header_names[number];
	/* HEADER_OTHER, of places that are no name's, has the length 0 */
	return name->len == len && header_name_is(p, name->text, len) ? number : HEADER_OTHER;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values in filters: numbers with units, times, addresses and networks, text with stars.
 *
 * A number stands for the range of what it says: 5xx is 500 to 599, 2026-11-22 is that day, 1..5 is 1 to 5. So the operators
 * compare with a range: equal is within it, greater is beyond its end.
 */
#include "query/private.h"

#include "base/time.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FRACTION_MAX = 9 };

struct unit {
	const char *name; /* lower case */
	int64_t factor;
};

/* Of times the capture clock shows; in nanoseconds. */
static const struct unit durations[] = {
	{"ns", 1},
	{"us", 1000},
	{"\xc2\xb5s", 1000}, /* micro sign */
	{"\xce\xbcs", 1000}, /* the Greek letter */
	{"ms", 1000000},
	{"s", NS_PER_S},
	{"m", 60 * NS_PER_S},
	{"min", 60 * NS_PER_S},
	{"h", 3600 * NS_PER_S},
	{"d", 86400 * NS_PER_S},
	{NULL, 0},
};

/* K, M, G as in weir's options: powers of 1,024; kB, MB, GB as in what weir prints: of 1,000. */
static const struct unit sizes[] = {
	{"b", 1},
	{"k", INT64_C(1) << 10},
	{"kib", INT64_C(1) << 10},
	{"kb", 1000},
	{"m", INT64_C(1) << 20},
	{"mib", INT64_C(1) << 20},
	{"mb", 1000000},
	{"g", INT64_C(1) << 30},
	{"gib", INT64_C(1) << 30},
	{"gb", 1000000000},
	{"t", INT64_C(1) << 40},
	{"tib", INT64_C(1) << 40},
	{"tb", INT64_C(1000000000000)},
	{NULL, 0},
};

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && memcmp(text + len - n, end, n) == 0;
}

/* Does a number count bytes? Its name says so. */
static bool is_size(const char *field)
{
	static const char *const ends[] = {"size",      "bytes",   "offset",   "delivered",
					   "duplicate", "overlap", "rejected", NULL};
	size_t i;

	for (i = 0; ends[i] != NULL; i++) {
		if (ends_with(field, strlen(field), ends[i])) {
			return true;
		}
	}
	return false;
}

static bool bad(struct query_source *source, const struct query_raw *raw, const char *what)
{
	return query_fail(source, raw->offset, raw->length, "%.*s takes %s", (int)source->name_len,
			  source->text + source->name, what);
}

/* ---- numbers ---- */

struct number {
	int64_t whole;
	int64_t fraction; /* of 10^digits */
	int64_t scale;    /* 10^digits */
	const char *unit; /* what follows */
	size_t unit_len;
	bool negative;
};

static bool split_number(const char *p, size_t len, struct number *ret)
{
	size_t i = 0, digits = 0;

	memset(ret, 0, sizeof(*ret));
	ret->scale = 1;
	if (i < len && p[i] == '-') {
		ret->negative = true;
		i++;
	}
	for (; i < len && p[i] >= '0' && p[i] <= '9'; i++, digits++) {
		if (__builtin_mul_overflow(ret->whole, 10, &ret->whole) ||
		    __builtin_add_overflow(ret->whole, p[i] - '0', &ret->whole)) {
			return false;
		}
	}
	if (digits == 0) {
		return false;
	}
	if (i + 1 < len && p[i] == '.' && p[i + 1] >= '0' && p[i + 1] <= '9') {
		size_t n = 0;

		for (i++; i < len && p[i] >= '0' && p[i] <= '9'; i++, n++) {
			if (n == FRACTION_MAX) {
				return false;
			}
			ret->fraction = ret->fraction * 10 + (p[i] - '0');
			ret->scale *= 10;
		}
	}
	ret->unit = p + i;
	ret->unit_len = len - i;
	return true;
}

/* The factor of a unit; 0: no such unit. */
static int64_t find_unit(const struct number *number, const struct unit *units)
{
	char low[8];
	size_t i;

	if (number->unit_len >= sizeof(low)) {
		return 0;
	}
	for (i = 0; i < number->unit_len; i++) {
		char c = number->unit[i];

		low[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	low[i] = '\0';
	for (i = 0; units[i].name != NULL; i++) {
		if (strcmp(units[i].name, low) == 0) {
			return units[i].factor;
		}
	}
	return 0;
}

static bool scale_number(const struct number *number, int64_t factor, int64_t *ret)
{
	__int128 value = (__int128)number->whole * factor +
			 (__int128)number->fraction * factor / number->scale;

	if (value > INT64_MAX || (__int128)number->fraction * factor % number->scale != 0) {
		return false;
	}
	*ret = number->negative ? -(int64_t)value : (int64_t)value;
	return true;
}

static bool read_duration(struct query_source *source, const struct query_raw *raw, const char *p,
			  size_t len, int64_t *ret)
{
	struct number number;
	int64_t factor = 1;
	bool split = split_number(p, len, &number);

	if (split && number.unit_len > 0) {
		factor = find_unit(&number, durations);
	} else if (split && (number.whole != 0 || number.fraction != 0) &&
		   !ends_with(source->text + source->name, source->name_len, "_ns")) {
		(void)query_fail(source, raw->offset, raw->length,
				 "%.*s is a duration: it needs a unit (ns us ms s m h d)",
				 (int)source->name_len, source->text + source->name);
		(void)snprintf(source->error->suggestion, sizeof(source->error->suggestion),
			       "%.*sms", (int)(len < 40 ? len : 40), p);
		return false;
	}
	if (!split || factor == 0 || !scale_number(&number, factor, ret)) {
		return bad(source, raw, "a duration, such as 500ms or 1.5s (ns us ms s m h d)");
	}
	return true;
}

static bool read_plain(struct query_source *source, const struct query_raw *raw, const char *field,
		       const char *p, size_t len, int64_t *ret)
{
	struct number number;
	bool size = is_size(field);
	int64_t factor = 1;

	if (!split_number(p, len, &number)) {
		return bad(source, raw,
			   size ? "a size, such as 1500 or 1MB" : "a number, such as 200");
	}
	if (number.unit_len > 0) {
		factor = size ? find_unit(&number, sizes) : 0;
		if (factor == 0) {
			return bad(source, raw,
				   size ? "a size in B, kB, MB, GB, KiB, MiB or GiB"
					: "a number without a unit");
		}
	}
	if (!scale_number(&number, factor, ret)) {
		return bad(source, raw, "a number that is whole and below 2^63");
	}
	return true;
}

/* 5xx, 50x: digits, then as many x as digits are left open. */
static bool read_class(const char *p, size_t len, struct query_value *ret)
{
	int64_t low = 0, high = 0;
	size_t i;

	if (len < 2 || len > 6 || p[0] < '1' || p[0] > '9' || (p[len - 1] | 0x20) != 'x') {
		return false;
	}
	for (i = 0; i < len; i++) {
		bool open = (p[i] | 0x20) == 'x';

		if (!open && (p[i] < '0' || p[i] > '9' || (p[i - (i > 0)] | 0x20) == 'x')) {
			return false;
		}
		low = low * 10 + (open ? 0 : p[i] - '0');
		high = high * 10 + (open ? 9 : p[i] - '0');
	}
	ret->low = low;
	ret->high = high;
	return true;
}

/* ---- times ---- */

static bool two_digits(const char **p, const char *end, int64_t max, int64_t *ret)
{
	if (end - *p < 2 || (*p)[0] < '0' || (*p)[0] > '9' || (*p)[1] < '0' || (*p)[1] > '9') {
		return false;
	}
	*ret = ((*p)[0] - '0') * 10 + ((*p)[1] - '0');
	*p += 2;
	return *ret <= max;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar: years begin in March, so that leap days come last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* hh:mm[:ss[.fff]][zone] behind the T; precision of what was written, ns. */
static bool read_clock(const char **p, const char *end, int64_t *ret, int64_t *ret_precision)
{
	int64_t hour, minute, second = 0, fraction = 0, unit = NS_PER_S;

	if (!two_digits(p, end, 23, &hour) || *p == end || *(*p)++ != ':' ||
	    !two_digits(p, end, 59, &minute)) {
		return false;
	}
	*ret_precision = 60 * NS_PER_S;
	if (*p < end && **p == ':') {
		(*p)++;
		if (!two_digits(p, end, 60, &second)) {
			return false;
		}
		*ret_precision = NS_PER_S;
	}
	if (*p < end && **p == '.' && *ret_precision == NS_PER_S) {
		for ((*p)++; *p < end && **p >= '0' && **p <= '9' && unit > 1; (*p)++) {
			unit /= 10;
			fraction += (**p - '0') * unit;
		}
		*ret_precision = unit;
	}
	*ret = (hour * 3600 + minute * 60 + second) * NS_PER_S + fraction;
	return true;
}

static bool read_zone(const char **p, const char *end, int64_t *ret)
{
	int64_t hours, minutes;
	bool east;

	*ret = 0;
	if (*p == end) {
		return true;
	}
	if (**p == 'Z' || **p == 'z') {
		(*p)++;
		return *p == end;
	}
	if (**p != '+' && **p != '-') {
		return false;
	}
	east = *(*p)++ == '+';
	if (!two_digits(p, end, 23, &hours) || *p == end || *(*p)++ != ':' ||
	    !two_digits(p, end, 59, &minutes) || *p != end) {
		return false;
	}
	*ret = (hours * 60 + minutes) * 60 * NS_PER_S * (east ? 1 : -1);
	return true;
}

/* RFC 3339, or its beginning: a day, a minute, a second. */
static bool read_time(const char *p, size_t len, struct query_value *ret)
{
	const char *end = p + len;
	int64_t century, year, month, day, clock = 0, zone = 0, precision = 86400 * NS_PER_S;

	if (!two_digits(&p, end, 22, &century) || century < 19 || !two_digits(&p, end, 99, &year) ||
	    p == end || *p++ != '-' || !two_digits(&p, end, 12, &month) || month < 1 || p == end ||
	    *p++ != '-' || !two_digits(&p, end, 31, &day) || day < 1) {
		return false;
	}
	if (p < end) {
		if ((*p != 'T' && *p != 't') || (p++, !read_clock(&p, end, &clock, &precision)) ||
		    !read_zone(&p, end, &zone)) {
			return false;
		}
	}
	ret->low = days_of(century * 100 + year, month, day) * 86400 * NS_PER_S + clock - zone;
	ret->high = ret->low + precision - 1;
	return true;
}

/* ---- text ---- */

static bool copy_text(struct query_source *source, const char *p, size_t len, bool lower,
		      struct weir_str *ret)
{
	uint8_t *copy = query_alloc(source, len + 1);
	size_t i;

	if (copy == NULL) {
		return false;
	}
	for (i = 0; i < len; i++) {
		copy[i] = (uint8_t)(lower && p[i] >= 'A' && p[i] <= 'Z' ? p[i] | 0x20 : p[i]);
	}
	ret->p = copy;
	ret->len = (uint32_t)len;
	return true;
}

/* Stars in more places than the ends. */
static bool read_glob(struct query_source *source, const struct query_raw *raw, size_t stars,
		      bool lower, struct query_value *ret)
{
	struct weir_str *pieces = query_alloc(source, (stars + 1) * sizeof(*pieces));
	size_t start = 0, i;

	if (pieces == NULL) {
		return false;
	}
	for (i = 0; i <= raw->len; i++) {
		if (i < raw->len && raw->p[i] != '*') {
			continue;
		}
		if (!copy_text(source, raw->p + start, i - start, lower, &pieces[ret->npieces])) {
			return false;
		}
		ret->npieces++;
		start = i + 1;
	}
	ret->kind = QUERY_GLOB;
	ret->pieces = pieces;
	return true;
}

static bool read_text(struct query_source *source, const struct query_raw *raw, bool lower,
		      struct query_value *ret)
{
	const char *p = raw->p;
	size_t len = raw->len, stars = 0, i;
	bool first, last;

	for (i = 0; !raw->quoted && i < len; i++) {
		stars += p[i] == '*';
	}
	if (stars == 1 && len == 1) {
		ret->kind = QUERY_PRESENT;
		return true;
	}
	first = stars > 0 && p[0] == '*';
	last = stars > 0 && p[len - 1] == '*';
	if (stars > (size_t)first + (size_t)last) {
		return read_glob(source, raw, stars, lower, ret);
	}
	ret->kind = first && last ? QUERY_CONTAINS
		    : first       ? QUERY_SUFFIX
		    : last        ? QUERY_PREFIX
				  : QUERY_EXACT;
	return copy_text(source, p + first, len - first - last, lower, &ret->text);
}

/* ---- addresses ---- */

static bool read_network(struct query_source *source, const struct query_raw *raw,
			 struct query_value *ret)
{
	char text[INET6_ADDRSTRLEN + 8];
	unsigned bits, max;
	char *slash;

	if (raw->len >= sizeof(text) || memchr(raw->p, '\0', raw->len) != NULL) {
		return bad(source, raw, "an address, or a network such as 10.0.0.0/8");
	}
	memcpy(text, raw->p, raw->len);
	text[raw->len] = '\0';
	slash = strchr(text, '/');
	if (slash != NULL) {
		*slash = '\0';
	}
	ret->kind = QUERY_NETWORK;
	ret->address_len = inet_pton(AF_INET, text, ret->address) == 1    ? 4
			   : inet_pton(AF_INET6, text, ret->address) == 1 ? 16
									  : 0;
	max = 8u * ret->address_len;
	bits = max;
	if (slash != NULL) {
		struct number number;

		if (!split_number(slash + 1, strlen(slash + 1), &number) || number.unit_len > 0 ||
		    number.scale > 1 || number.negative || number.whole > (int64_t)max) {
			return bad(source, raw, "a network such as 10.0.0.0/8");
		}
		bits = (unsigned)number.whole;
	}
	if (max == 0) {
		return bad(source, raw, "an address, or a network such as 10.0.0.0/8");
	}
	ret->bits = (uint8_t)bits;
	return true;
}

/* ---- all of them ---- */

static bool is_word(const struct query_raw *raw, const char *word)
{
	return strlen(word) == raw->len && strncasecmp(raw->p, word, raw->len) == 0;
}

/* true and false; of a number, whether it is 0. */
static bool read_bool(const struct query_raw *raw, int64_t top, struct query_value *ret)
{
	if (is_word(raw, "true") || is_word(raw, "yes")) {
		ret->low = 1;
		ret->high = top;
		return true;
	}
	if (is_word(raw, "false") || is_word(raw, "no")) {
		ret->low = 0;
		ret->high = 0;
		return true;
	}
	return false;
}

static bool read_one_number(struct query_source *source, const struct query_target *target,
			    const struct query_raw *raw, const char *p, size_t len,
			    struct query_value *ret)
{
	if (target->kind == WEIR_KIND_TIME) {
		return read_time(p, len, ret) ||
		       bad(source, raw, "a time, such as 2026-11-22 or 2026-11-22T14:17:30.5Z");
	}
	if (target->kind == WEIR_KIND_DURATION) {
		if (!read_duration(source, raw, p, len, &ret->low)) {
			return false;
		}
	} else if (read_class(p, len, ret)) {
		return true;
	} else if (!read_plain(source, raw, target->field, p, len, &ret->low)) {
		return false;
	}
	ret->high = ret->low;
	return true;
}

/* One number, or a..b. */
static bool read_number(struct query_source *source, const struct query_target *target,
			const struct query_raw *raw, struct query_value *ret)
{
	const char *dots = memmem(raw->p, raw->len, "..", 2);
	struct query_value end = {0};

	ret->kind = QUERY_RANGE;
	if (raw->len == 1 && raw->p[0] == '*') {
		ret->kind = QUERY_PRESENT;
		return true;
	}
	if (target->kind != WEIR_KIND_DURATION && target->kind != WEIR_KIND_TIME &&
	    read_bool(raw, target->kind == WEIR_KIND_BOOL ? 1 : INT64_MAX, ret)) {
		return true;
	}
	if (target->kind == WEIR_KIND_BOOL) {
		return bad(source, raw, "true or false");
	}
	if (dots == NULL) {
		return read_one_number(source, target, raw, raw->p, raw->len, ret);
	}
	if (!read_one_number(source, target, raw, raw->p, (size_t)(dots - raw->p), ret) ||
	    !read_one_number(source, target, raw, dots + 2, raw->len - (size_t)(dots + 2 - raw->p),
			     &end)) {
		return false;
	}
	ret->high = end.high;
	if (ret->low > ret->high) {
		return bad(source, raw, "a range that begins with the smaller number");
	}
	return true;
}

bool query_read_value(struct query_source *source, const struct query_term *term,
		      const struct query_raw *raw, struct query_value *ret)
{
	const struct query_target *target = &term->targets[0];

	memset(ret, 0, sizeof(*ret));
	if (term->op == QUERY_MATCH || term->op == QUERY_NOT_MATCH) {
		ret->kind = QUERY_REGEX;
		return copy_text(source, raw->p, raw->len, false, &ret->text) &&
		       query_regex_new(source, raw, &ret->regex);
	}
	switch (target->kind) {
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
	case WEIR_KIND_U64S:
	case WEIR_KIND_DURATION:
	case WEIR_KIND_TIME:
		return read_number(source, target, raw, ret);
	case WEIR_KIND_ADDRESS:
		if (!raw->quoted && memchr(raw->p, '*', raw->len) != NULL) {
			return read_text(source, raw, true, ret);
		}
		return read_network(source, raw, ret);
	case WEIR_KIND_HEX:
		return read_text(source, raw, true, ret);
	case WEIR_KIND_STR:
	case WEIR_KIND_STRS:
	case WEIR_KIND_HEADERS:
		break;
	}
	return read_text(source, raw, false, ret);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* JSON objects written member by member: see json_build.h. */
#include "sink/json_build.h"

#include "base/time.h"
#include "sink/json_record.h"
#include "sink/json_text.h"

#include <assert.h>
#include <string.h>

void json_build_init(struct json_build *build, struct strbuf *out, bool nested)
{
	memset(build, 0, sizeof(*build));
	build->out = out;
	build->nested = nested;
	build->empty = true;
	strbuf_char(out, '{');
}

static void close_to(struct json_build *build, unsigned depth)
{
	while (build->depth > depth) {
		strbuf_char(build->out, '}');
		build->depth--;
		build->empty = false;
	}
}

void json_build_end(struct json_build *build)
{
	close_to(build, 0);
	strbuf_char(build->out, '}');
}

static void comma(struct json_build *build)
{
	if (!build->empty) {
		strbuf_char(build->out, ',');
	}
	build->empty = false;
}

/* Levels of the open objects that a name lies in, and the length of their text. */
static unsigned shared_levels(const struct json_build *build, const char *name, size_t *ret_len)
{
	unsigned levels = 0;
	size_t i;

	*ret_len = 0;
	for (i = 0; build->path[i] != '\0' && build->path[i] == name[i]; i++) {
		if (name[i] == '.') {
			levels++;
			*ret_len = i + 1;
		}
	}
	return levels;
}

void json_build_key(struct json_build *build, const char *name)
{
	size_t len = 0;
	const char *dot;

	if (build->nested && build->inner == 0) {
		assert(strlen(name) < sizeof(build->path));
		close_to(build, shared_levels(build, name, &len));
		while ((dot = strchr(name + len, '.')) != NULL) {
			comma(build);
			strbuf_char(build->out, '"');
			strbuf_add(build->out, name + len, (size_t)(dot - name) - len);
			strbuf_str(build->out, "\":{");
			build->empty = true;
			build->depth++;
			len = (size_t)(dot - name) + 1;
		}
		memcpy(build->path, name, len);
		build->path[len] = '\0';
	}
	comma(build);
	strbuf_char(build->out, '"');
	strbuf_str(build->out, name + len);
	strbuf_str(build->out, "\":");
	build->empty = true; /* no comma before the value */
}

void json_build_str(struct json_build *build, const void *p, size_t len)
{
	comma(build);
	if (!json_write_string(build->out, p, len)) {
		build->escaped = true;
	}
}

void json_build_text(struct json_build *build, const char *text)
{
	json_build_str(build, text, strlen(text));
}

void json_build_u64(struct json_build *build, uint64_t value)
{
	comma(build);
	strbuf_u64(build->out, value);
}

void json_build_i64(struct json_build *build, int64_t value)
{
	comma(build);
	strbuf_i64(build->out, value);
}

void json_build_bool(struct json_build *build, bool value)
{
	comma(build);
	strbuf_str(build->out, value ? "true" : "false");
}

void json_build_time(struct json_build *build, int64_t ns, unsigned digits, const char *zone)
{
	char text[TIME_RFC3339_LEN + 1];
	size_t keep = 19 + (digits > 0 ? digits + 1 : 0); /* 2026-11-22T14:17:30 and .nnnnnnnnn */

	time_rfc3339(ns, text);
	comma(build);
	strbuf_char(build->out, '"');
	strbuf_add(build->out, text, keep);
	strbuf_str(build->out, zone);
	strbuf_char(build->out, '"');
}

/* value / 10^scale, at least `least` digits behind the point, no more zeros than that. */
static void put_decimal(struct json_build *build, int64_t value, unsigned scale, unsigned least)
{
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
	uint64_t power = 1;
	char digits[20];
	unsigned n, i;

	for (i = 0; i < scale; i++) {
		power *= 10;
	}
	comma(build);
	if (value < 0) {
		strbuf_char(build->out, '-');
	}
	strbuf_u64(build->out, left / power);
	left %= power;
	for (i = scale; i-- > 0;) {
		digits[i] = (char)('0' + left % 10);
		left /= 10;
	}
	for (n = scale; n > least && digits[n - 1] == '0'; n--) {
	}
	if (n > 0) {
		strbuf_char(build->out, '.');
		strbuf_add(build->out, digits, n);
	}
}

void json_build_seconds(struct json_build *build, int64_t ns)
{
	put_decimal(build, ns, 9, 0);
}

void json_build_milliseconds(struct json_build *build, int64_t ns)
{
	put_decimal(build, ns, 6, 0);
}

void json_build_epoch(struct json_build *build, int64_t ns)
{
	/* Zeek cuts at microseconds */
	put_decimal(build, ns / 1000 - (ns % 1000 < 0), 6, 6);
}

static void put_strs(struct json_build *build, const struct weir_value *value)
{
	uint32_t i;

	json_build_open(build, '[');
	for (i = 0; i < value->len; i++) {
		json_build_str(build, value->v.strs[i].p, value->v.strs[i].len);
	}
	json_build_close(build, ']');
}

static void put_u64s(struct json_build *build, const struct weir_value *value)
{
	uint32_t i;

	json_build_open(build, '[');
	for (i = 0; i < value->len; i++) {
		json_build_u64(build, value->v.u64s[i]);
	}
	json_build_close(build, ']');
}

void json_build_value(struct json_build *build, enum weir_kind kind, const struct weir_value *value)
{
	char *to;

	switch (kind) {
	case WEIR_KIND_BOOL:
		json_build_bool(build, value->v.u64 != 0);
		break;
	case WEIR_KIND_U64:
		json_build_u64(build, value->v.u64);
		break;
	case WEIR_KIND_DURATION:
		json_build_i64(build, value->v.i64);
		break;
	case WEIR_KIND_TIME:
		json_build_time(build, value->v.i64, 9, "Z");
		break;
	case WEIR_KIND_STR:
		json_build_str(build, value->v.bytes, value->len);
		break;
	case WEIR_KIND_ADDRESS:
		comma(build);
		to = strbuf_reserve(build->out, JSON_ADDRESS_MAX);
		if (to != NULL) {
			strbuf_wrote(
				build->out,
				(size_t)(json_put_address(to, value->v.bytes, value->len) - to));
		}
		break;
	case WEIR_KIND_HEX:
		comma(build);
		strbuf_char(build->out, '"');
		strbuf_hex(build->out, value->v.bytes, value->len);
		strbuf_char(build->out, '"');
		break;
	case WEIR_KIND_STRS:
		put_strs(build, value);
		break;
	case WEIR_KIND_U64S:
		put_u64s(build, value);
		break;
	case WEIR_KIND_HEADERS:
		json_build_text(build, ""); /* see json_build.h: not for these */
		break;
	}
}

void json_build_open(struct json_build *build, char bracket)
{
	comma(build);
	strbuf_char(build->out, bracket);
	build->inner++;
	build->empty = true;
}

void json_build_close(struct json_build *build, char bracket)
{
	assert(build->inner > 0);
	strbuf_char(build->out, bracket);
	build->inner--;
	build->empty = false;
}

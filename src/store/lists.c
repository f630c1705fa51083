/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of lists, read back: see lists.h. One pass, no nesting beyond what the sinks write. */
#include "store/lists.h"

#include <stdlib.h>
#include <string.h>

struct reading {
	const char *p, *end;
	bool escaped;
	struct strbuf raw, text; /* a string as JSON had it; as it was captured */
};

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

void list_unescape(struct strbuf *out, const char *p, size_t len)
{
	const char *end = p + len;

	while (p < end) {
		if (end - p >= 4 && p[0] == '\\' && p[1] == 'x' && digit(p[2]) >= 0 &&
		    digit(p[3]) >= 0) {
			strbuf_char(out, (char)(digit(p[2]) << 4 | digit(p[3])));
			p += 4;
		} else if (end - p >= 2 && p[0] == '\\' && p[1] == '\\') {
			strbuf_char(out, '\\');
			p += 2;
		} else {
			strbuf_char(out, *p++);
		}
	}
}

static void blanks(struct reading *in)
{
	while (in->p < in->end && (*in->p == ' ' || *in->p == '\n' || *in->p == '\t')) {
		in->p++;
	}
}

static bool take(struct reading *in, char c)
{
	blanks(in);
	if (in->p < in->end && *in->p == c) {
		in->p++;
		return true;
	}
	return false;
}

static bool four(struct reading *in, uint32_t *ret)
{
	int i;

	*ret = 0;
	for (i = 0; i < 4; i++, in->p++) {
		if (in->p == in->end || digit(*in->p) < 0) {
			return false;
		}
		*ret = *ret << 4 | (uint32_t)digit(*in->p);
	}
	return true;
}

static void put_utf8(struct strbuf *out, uint32_t cp)
{
	if (cp < 0x80) {
		strbuf_char(out, (char)cp);
	} else if (cp < 0x800) {
		strbuf_char(out, (char)(0xc0 | cp >> 6));
		strbuf_char(out, (char)(0x80 | (cp & 0x3f)));
	} else if (cp < 0x10000) {
		strbuf_char(out, (char)(0xe0 | cp >> 12));
		strbuf_char(out, (char)(0x80 | (cp >> 6 & 0x3f)));
		strbuf_char(out, (char)(0x80 | (cp & 0x3f)));
	} else {
		strbuf_char(out, (char)(0xf0 | cp >> 18));
		strbuf_char(out, (char)(0x80 | (cp >> 12 & 0x3f)));
		strbuf_char(out, (char)(0x80 | (cp >> 6 & 0x3f)));
		strbuf_char(out, (char)(0x80 | (cp & 0x3f)));
	}
}

/* \uXXXX, two of them for what is beyond U+FFFF. */
static bool unicode(struct reading *in)
{
	uint32_t cp, low;

	if (!four(in, &cp)) {
		return false;
	}
	if (cp >= 0xd800 && cp < 0xdc00 && in->end - in->p >= 6 && in->p[0] == '\\' &&
	    in->p[1] == 'u') {
		in->p += 2;
		if (!four(in, &low)) {
			return false;
		}
		cp = 0x10000 + ((cp & 0x3ff) << 10 | (low & 0x3ff));
	}
	put_utf8(&in->raw, cp);
	return true;
}

/* A string; what it says is then in in->text. */
static bool string(struct reading *in)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";

	strbuf_clear(&in->raw);
	strbuf_clear(&in->text);
	if (!take(in, '"')) {
		return false;
	}
	while (in->p < in->end && *in->p != '"') {
		const char *known;

		if (*in->p != '\\') {
			strbuf_char(&in->raw, *in->p++);
			continue;
		}
		if (++in->p == in->end) {
			return false;
		}
		known = *in->p == '\0' ? NULL : strchr(from, *in->p);
		if (*in->p == 'u') {
			in->p++;
			if (!unicode(in)) {
				return false;
			}
			continue;
		}
		strbuf_char(&in->raw, known != NULL ? to[known - from] : *in->p);
		in->p++;
	}
	if (in->escaped) {
		list_unescape(&in->text, in->raw.p, in->raw.len);
	} else {
		strbuf_add(&in->text, in->raw.p, in->raw.len);
	}
	return take(in, '"');
}

static bool number(struct reading *in, uint64_t *ret)
{
	const char *from;

	blanks(in);
	from = in->p;
	*ret = 0;
	for (; in->p < in->end && *in->p >= '0' && *in->p <= '9'; in->p++) {
		if (__builtin_mul_overflow(*ret, UINT64_C(10), ret) ||
		    __builtin_add_overflow(*ret, (uint64_t)(*in->p - '0'), ret)) {
			return false;
		}
	}
	return in->p > from;
}

static bool read_strs(struct reading *in, struct weir_record *rec, size_t field)
{
	bool more = take(in, '[') && !take(in, ']');

	while (more) {
		if (!string(in)) {
			return false;
		}
		weir_record_add_str(rec, field, strbuf_text(&in->text), in->text.len);
		more = take(in, ',');
	}
	return true;
}

static bool read_u64s(struct reading *in, struct weir_record *rec, size_t field)
{
	bool more = take(in, '[') && !take(in, ']');
	uint64_t value;

	while (more) {
		if (!number(in, &value)) {
			return false;
		}
		weir_record_add_u64(rec, field, value);
		more = take(in, ',');
	}
	return true;
}

/* {"name":["value", ...], ...} */
static bool read_headers(struct reading *in, struct weir_record *rec, size_t field)
{
	bool more = take(in, '{') && !take(in, '}');
	struct strbuf name;
	bool good = true;

	strbuf_init(&name);
	while (more && good) {
		good = string(in) && take(in, ':') && take(in, '[');
		strbuf_clear(&name);
		strbuf_add(&name, in->text.p, in->text.len);
		more = good && !take(in, ']');
		while (more && good) {
			good = string(in);
			if (good) {
				weir_record_add_header(rec, field, strbuf_text(&name), name.len,
						       strbuf_text(&in->text), in->text.len,
						       UINT32_MAX);
			}
			more = take(in, ',');
		}
		(void)take(in, ']');
		more = take(in, ',');
	}
	strbuf_fini(&name);
	return good;
}

bool list_set(struct weir_record *rec, size_t field, enum weir_kind kind, const char *p, size_t len,
	      bool escaped)
{
	struct reading in = {.p = p, .end = p + len, .escaped = escaped};
	bool good;

	strbuf_init(&in.raw);
	strbuf_init(&in.text);
	good = kind == WEIR_KIND_STRS   ? read_strs(&in, rec, field)
	       : kind == WEIR_KIND_U64S ? read_u64s(&in, rec, field)
					: read_headers(&in, rec, field);
	strbuf_fini(&in.raw);
	strbuf_fini(&in.text);
	return good;
}

/* ---- notes ---- */

/* Names of fields have nothing that JSON escapes. @return what is behind "name", or NULL */
static const char *behind(const char *p, size_t len, const char *name)
{
	const char *end = p + len;
	size_t n = strlen(name);

	while (p < end) {
		const char *at = memmem(p, (size_t)(end - p), name, n);

		if (at == NULL || at == p) {
			return NULL;
		}
		if (at[-1] == '"' && at + n < end && at[n] == '"') {
			return at + n + 1;
		}
		p = at + 1;
	}
	return NULL;
}

bool list_has(const char *list, size_t len, const char *name)
{
	return behind(list, len, name) != NULL;
}

uint64_t list_number(const char *object, size_t len, const char *name)
{
	const char *at = behind(object, len, name);
	struct reading in = {.p = at, .end = object + len};
	uint64_t value = 0;

	return at != NULL && take(&in, ':') && number(&in, &value) ? value : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Character sets of bodies: see har_charset.h. The bytes were captured; iconv() checks every one of them. */
#include "sink/har_charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Names as HTTP has them, and iconv's for the same. WHATWG: what is labelled Latin-1 or ASCII is windows-1252. */
static const struct {
	const char *name, *iconv;
} names[] = {
	{"iso-8859-1", "WINDOWS-1252"},
	{"latin1", "WINDOWS-1252"},
	{"us-ascii", "WINDOWS-1252"},
	{"windows-1252", "WINDOWS-1252"},
	{"iso-8859-2", "ISO-8859-2"},
	{"iso-8859-5", "ISO-8859-5"},
	{"iso-8859-7", "ISO-8859-7"},
	{"iso-8859-9", "WINDOWS-1254"},
	{"iso-8859-15", "ISO-8859-15"},
	{"windows-1250", "WINDOWS-1250"},
	{"windows-1251", "WINDOWS-1251"},
	{"windows-1253", "WINDOWS-1253"},
	{"windows-1254", "WINDOWS-1254"},
	{"windows-1255", "WINDOWS-1255"},
	{"windows-1256", "WINDOWS-1256"},
	{"koi8-r", "KOI8-R"},
	{"gb2312", "GB18030"},
	{"gbk", "GB18030"},
	{"gb18030", "GB18030"},
	{"big5", "BIG5-HKSCS"},
	{"shift_jis", "CP932"},
	{"euc-jp", "EUC-JP"},
	{"euc-kr", "UHC"},
	{"utf-16", "UTF-16"},
	{"utf-16le", "UTF-16LE"},
	{"utf-16be", "UTF-16BE"},
};

enum { NNAMES = sizeof(names) / sizeof(names[0]) };

struct har_charsets {
	iconv_t converters[NNAMES]; /* (iconv_t)-1: the library has it not */
	struct strbuf bytes;        /* scratch: base64 undone */
};

static iconv_t no_converter(void)
{
	return (iconv_t)-1;
}

struct har_charsets *har_charsets_new(void)
{
	struct har_charsets *charsets = calloc(1, sizeof(*charsets));
	size_t i;

	if (charsets == NULL) {
		return NULL;
	}
	strbuf_init(&charsets->bytes);
	for (i = 0; i < NNAMES; i++) {
		charsets->converters[i] = iconv_open("UTF-8", names[i].iconv);
	}
	return charsets;
}

void har_charsets_free(struct har_charsets *charsets)
{
	size_t i;

	if (charsets == NULL) {
		return;
	}
	for (i = 0; i < NNAMES; i++) {
		if (charsets->converters[i] != no_converter()) {
			(void)iconv_close(charsets->converters[i]);
		}
	}
	strbuf_fini(&charsets->bytes);
	free(charsets);
}

static int digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 §4, as weir writes it. */
static void undo_base64(const uint8_t *p, size_t len, struct strbuf *out)
{
	uint32_t bits = 0;
	unsigned n = 0;
	size_t i;

	strbuf_clear(out);
	for (i = 0; i < len && digit(p[i]) >= 0; i++) {
		bits = bits << 6 | (uint32_t)digit(p[i]);
		n += 6;
		if (n >= 8) {
			n -= 8;
			strbuf_char(out, (char)(bits >> n & 0xff));
		}
	}
}

static bool convert(iconv_t converter, struct strbuf *in, bool cut, struct strbuf *out)
{
	enum { GROWTH = 4 }; /* UTF-8 bytes of a byte, at most, and to spare */
	char *from = in->p, *to;
	size_t left = in->len, room = GROWTH * in->len + 16, before = room, got;

	strbuf_clear(out);
	to = strbuf_reserve(out, room);
	if (to == NULL || from == NULL) {
		return false;
	}
	(void)iconv(converter, NULL, NULL, NULL, NULL);
	got = iconv(converter, &from, &left, &to, &room);
	strbuf_wrote(out, before - room);
	return got != (size_t)-1 || (cut && errno == EINVAL);
}

bool har_charsets_decode(struct har_charsets *charsets, const void *charset, size_t charset_len,
			 const uint8_t *base64, size_t len, bool cut, struct strbuf *out)
{
	size_t i = 0;

	while (i < NNAMES && (strlen(names[i].name) != charset_len ||
			      strncasecmp(names[i].name, charset, charset_len) != 0)) {
		i++;
	}
	if (i == NNAMES || charsets->converters[i] == no_converter()) {
		return false;
	}
	undo_base64(base64, len, &charsets->bytes);
	return !charsets->bytes.failed &&
	       convert(charsets->converters[i], &charsets->bytes, cut, out) && !out->failed;
}

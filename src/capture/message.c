/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a capture source says when something went wrong. File names and file contents are printed escaped: either can hold
 * terminal sequences.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "capture/source.h"

/* Length of the UTF-8 sequence at p that may be printed as it is: 0 when it is none, a C1 or a bidi control. */
static size_t printable_utf8(const uint8_t *p, size_t len)
{
	size_t n, i;

	if (p[0] < 0xc2 || p[0] > 0xf4) {
		return 0;
	}
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len < n) {
		return 0;
	}
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	/* C1; U+061C; U+2000..U+207F hold the other bidi controls */
	if ((p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xd8 && p[1] == 0x9c) ||
	    (p[0] == 0xe2 && (p[1] == 0x80 || p[1] == 0x81))) {
		return 0;
	}
	/* overlong forms, surrogates, beyond U+10FFFF */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) {
		return 0;
	}
	return n;
}

void capture_escape_name(char *ret, size_t size, const char *name)
{
	const uint8_t *p = (const uint8_t *)name;
	size_t len = strlen(name), at = 0, i = 0;

	while (i < len && at + 5 <= size) {
		size_t n = p[i] >= 0x20 && p[i] < 0x7f ? 1 : printable_utf8(p + i, len - i);

		if (n == 0) {
			at += (size_t)snprintf(ret + at, size - at, "\\x%02X", p[i++]);
		} else {
			memcpy(ret + at, p + i, n);
			at += n;
			i += n;
		}
	}
	ret[at] = '\0';
}

void capture_escape(char *ret, size_t size, const uint8_t *p, size_t len)
{
	size_t at = 0, i;

	for (i = 0; i < len && at + 5 <= size; i++) {
		if (p[i] < 0x20 || p[i] > 0x7e || p[i] == '"' || p[i] == '\\') {
			at += (size_t)snprintf(ret + at, size - at, "\\x%02X", p[i]);
		} else {
			ret[at++] = (char)p[i];
		}
	}
	ret[at] = '\0';
}

static void fail_va(struct capture *capture, int error, const char *format, va_list args)
{
	char *text = capture->message;
	int n;

	if (capture->error != 0) {
		return;
	}
	capture->error = error;
	n = snprintf(text, sizeof(capture->message), "%s ", capture->name);
	if (n > 0 && (size_t)n < sizeof(capture->message)) {
		(void)vsnprintf(text + n, sizeof(capture->message) - (size_t)n, format, args);
	}
}

void capture_fail(struct capture *capture, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail_va(capture, error, format, args);
	va_end(args);
}

static void item_name(const struct capture *capture, const char *what, char *ret, size_t size)
{
	/* a packet's number tells people more than its offset; other things are told by what came before */
	if (strcmp(what, "packet") == 0) {
		(void)snprintf(ret, size, "packet %" PRIu64, capture->stats.packets + 1);
	} else if (capture->stats.packets > 0) {
		(void)snprintf(ret, size, "%s after packet %" PRIu64, what, capture->stats.packets);
	} else {
		(void)snprintf(ret, size, "%s", what);
	}
}

void capture_damaged(struct capture *capture, const char *format, ...)
{
	char item[96];
	char text[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	item_name(capture, capture->item.what, item, sizeof(item));
	capture_fail(capture, WEIR_EDAMAGED, "is damaged in %s at byte %" PRIu64 ": %s", item,
		     capture->item.offset, text);
}

void capture_ends_inside(struct capture *capture)
{
	char item[96];

	item_name(capture, capture->item.what, item, sizeof(item));
	capture_fail(capture, WEIR_EDAMAGED,
		     "ends inside %s at byte %" PRIu64 " (needed %" PRIu64 " bytes, found %" PRIu64
		     ")",
		     item, capture->item.offset, capture->item.need,
		     capture->end - capture->item.offset);
}

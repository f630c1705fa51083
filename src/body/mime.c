/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Media types by content: a table of signatures, then what text begins with, then text or not. After the WHATWG's MIME
 * Sniffing Standard, with archives, documents and executables added; what a server claims plays no part.
 */
#include "body/mime.h"

#include <string.h>
#include <strings.h>

struct signature {
	uint16_t offset;
	uint8_t len;
	const char *bytes;
	const char *mime;
};

#define AT(offset, bytes, mime)                                                                    \
	{                                                                                          \
		offset, sizeof(bytes) - 1, bytes, mime                                             \
	}

/* The first that fits: longer ones before their prefixes. */
static const struct signature signatures[] = {
	AT(0, "\x89PNG\r\n\x1a\n", "image/png"),
	AT(0, "\xff\xd8\xff", "image/jpeg"),
	AT(0, "GIF87a", "image/gif"),
	AT(0, "GIF89a", "image/gif"),
	AT(8, "WEBPVP", "image/webp"),
	AT(4, "ftypavif", "image/avif"),
	AT(4, "ftypheic", "image/heic"),
	AT(4, "ftypqt  ", "video/quicktime"),
	AT(4, "ftypM4A", "audio/mp4"),
	AT(4, "ftyp", "video/mp4"),
	AT(4, "styp", "video/mp4"),
	AT(4, "moof", "video/mp4"),
	AT(0, "\0\0\1\0", "image/x-icon"),
	AT(0, "BM", "image/bmp"),
	AT(0, "II*\0", "image/tiff"),
	AT(0, "MM\0*", "image/tiff"),
	AT(0, "%PDF-", "application/pdf"),
	AT(0, "%!PS-Adobe-", "application/postscript"),
	AT(0, "PK\3\4", "application/zip"),
	AT(0, "PK\5\6", "application/zip"),
	AT(0, "\x1f\x8b\x08", "application/gzip"),
	AT(0, "\x28\xb5\x2f\xfd", "application/zstd"),
	AT(0, "BZh", "application/x-bzip2"),
	AT(0,
	   "\xfd"
	   "7zXZ\0",
	   "application/x-xz"),
	AT(0, "7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
	AT(0, "Rar!\x1a\x07", "application/vnd.rar"),
	AT(257, "ustar", "application/x-tar"),
	AT(0,
	   "\x7f"
	   "ELF",
	   "application/x-executable"),
	AT(0, "MZ", "application/vnd.microsoft.portable-executable"),
	AT(0, "\xfe\xed\xfa\xce", "application/x-mach-binary"),
	AT(0, "\xfe\xed\xfa\xcf", "application/x-mach-binary"),
	AT(0, "\xcf\xfa\xed\xfe", "application/x-mach-binary"),
	AT(0, "\xca\xfe\xba\xbe", "application/java-vm"),
	AT(0, "\0asm", "application/wasm"),
	AT(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
	AT(0, "SQLite format 3\0", "application/vnd.sqlite3"),
	AT(0, "MSCF", "application/vnd.ms-cab-compressed"),
	AT(0, "wOFF", "font/woff"),
	AT(0, "wOF2", "font/woff2"),
	AT(0, "\0\1\0\0\0", "font/ttf"),
	AT(0, "OTTO", "font/otf"),
	AT(0, "ID3", "audio/mpeg"),
	AT(0, "OggS", "application/ogg"),
	AT(0, "fLaC", "audio/flac"),
	AT(8, "WAVE", "audio/wav"),
	AT(8, "AVI ", "video/x-msvideo"),
	AT(0, "\x1a\x45\xdf\xa3", "video/webm"),
	AT(0, "FLV\1", "video/x-flv"),
	AT(0, "CWS", "application/vnd.adobe.flash.movie"),
	AT(0, "FWS", "application/vnd.adobe.flash.movie"),
	AT(0, "ZWS", "application/vnd.adobe.flash.movie"),
	AT(0, "\0\0\1\xba", "video/mpeg"),
	AT(0, "\0\0\1\xb3", "video/mpeg"),
	AT(0, "{\\rtf", "text/rtf"),
	AT(0, "-----BEGIN ", "application/x-pem-file"),
	AT(0, "#EXTM3U", "application/vnd.apple.mpegurl"),
	AT(0, "%YAML", "application/yaml"),
	AT(0, "\xef\xbb\xbf", "text/plain"),
	AT(0, "\xff\xfe", "text/plain"),
	AT(0, "\xfe\xff", "text/plain"),
};

/* RIFF files name their kind at 8; without the frame the same bytes mean nothing. */
static bool fits(const struct signature *signature, const uint8_t *p, size_t len)
{
	size_t end = (size_t)signature->offset + signature->len;

	if (len < end || memcmp(p + signature->offset, signature->bytes, signature->len) != 0) {
		return false;
	}
	return signature->offset != 8 || memcmp(p, "RIFF", 4) == 0;
}

/* WHATWG MIME Sniffing §7.1: tags that HTML begins with; a space or > must follow */
static bool is_html(const uint8_t *p, size_t len)
{
	static const char *const tags[] = {
		"<!doctype html", "<html", "<head",  "<script", "<iframe", "<h1",   "<div", "<font",
		"<table",         "<a",    "<style", "<title",  "<b",      "<body", "<br",  "<p",
	};
	size_t i;

	for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		size_t n = strlen(tags[i]);

		if (len > n && strncasecmp((const char *)p, tags[i], n) == 0 &&
		    (p[n] == ' ' || p[n] == '>' || p[n] == '\n' || p[n] == '\r' || p[n] == '\t')) {
			return true;
		}
	}
	return len >= 4 && memcmp(p, "<!--", 4) == 0;
}

/* What may follow "{" or "[" in JSON. */
static bool is_json(const uint8_t *p, size_t len)
{
	size_t i = 1;

	if (p[0] != '{' && p[0] != '[') {
		return false;
	}
	while (i < len && (p[i] == ' ' || p[i] == '\t' || p[i] == '\r' || p[i] == '\n')) {
		i++;
	}
	if (i == len) {
		return len > 1;
	}
	if (p[0] == '{') {
		return p[i] == '"' || p[i] == '}';
	}
	return p[i] != 0 && strchr("\"{[]-0123456789tfn", p[i]) != NULL;
}

static const char *text_mime(const uint8_t *p, size_t len)
{
	while (len > 0 && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
		p++;
		len--;
	}
	if (len == 0) {
		return "text/plain";
	}
	if (is_json(p, len)) {
		return "application/json";
	}
	if (len >= 4 && strncasecmp((const char *)p, "<svg", 4) == 0) {
		return "image/svg+xml";
	}
	if (len >= 5 && memcmp(p, "<?xml", 5) == 0) {
		return memmem(p, len, "<svg", 4) != NULL ? "image/svg+xml" : "application/xml";
	}
	return is_html(p, len) ? "text/html" : "text/plain";
}

const char *body_mime(const uint8_t *p, size_t len)
{
	size_t i;

	if (len == 0) {
		return NULL;
	}
	for (i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		if (fits(&signatures[i], p, len)) {
			return signatures[i].mime;
		}
	}
	for (i = 0; i < len; i++) {
		/* WHATWG MIME Sniffing §3: binary data bytes */
		if (p[i] < 0x20 && p[i] != '\t' && p[i] != '\n' && p[i] != '\f' && p[i] != '\r' &&
		    p[i] != 0x1b) {
			return "application/octet-stream";
		}
	}
	return text_mime(p, len);
}

/* Bytes of the character that begins at p, at most left; 0: not UTF-8; -1: cut. RFC 3629 §4 */
static int utf8_len(const uint8_t *p, size_t left)
{
	int n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	int i;

	if (p[0] < 0xc2 || p[0] > 0xf4) {
		return 0;
	}
	for (i = 1; i < n; i++) {
		uint8_t low = 0x80;
		uint8_t high = 0xbf;

		if ((size_t)i == left) {
			return -1;
		}
		if (i == 1) {
			low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
			high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
		}
		if (p[i] < low || p[i] > high) {
			return 0;
		}
	}
	return n;
}

bool body_is_text(const uint8_t *p, size_t len, bool cut)
{
	size_t i = 0;

	while (i < len) {
		if (p[i] >= 0x80) {
			int n = utf8_len(p + i, len - i);

			if (n <= 0) {
				return n < 0 && cut;
			}
			i += (size_t)n;
			continue;
		}
		if ((p[i] < 0x20 && p[i] != '\t' && p[i] != '\n' && p[i] != '\f' && p[i] != '\r') ||
		    p[i] == 0x7f) {
			return false;
		}
		i++;
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of well-known services are told by how they begin, whatever they are called; and markup, XML and HTML, whose secrets are in
 * elements and attributes of suspicious names.
 */
#include "record/mask.h"

#include <strings.h>

/* ---- keys of services ---- */

static bool is_key_byte(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' ||
	       c == '-' || c == '.';
}

/* header.payload.signature, each base64url of at least a few bytes (RFC 7519 §3) */
static bool is_web_token(const uint8_t *p, size_t len)
{
	size_t dots = 0, i;

	for (i = 0; i < len && is_key_byte(p[i]); i++) {
		dots += p[i] == '.';
	}
	return dots >= 2 && i >= 2 * MASK_KEY_LEAST;
}

/* Behind a prefix of `prefix` bytes: as many bytes as such keys have at least? */
static bool goes_on(const uint8_t *p, size_t len, size_t prefix)
{
	size_t n;

	if (len < prefix + MASK_KEY_LEAST) {
		return false;
	}
	for (n = prefix; n < prefix + MASK_KEY_LEAST && is_key_byte(p[n]); n++) {
	}
	return n == prefix + MASK_KEY_LEAST;
}

static bool has_prefix(const uint8_t *p, size_t len)
{
	static const struct {
		uint8_t len;
		char text[12];
	} prefixes[] = {
		{8, "sk_live_"}, {8, "sk_test_"}, {8, "rk_live_"}, {8, "rk_test_"},
		{8, "sk-proj-"}, {7, "sk-ant-"},  {4, "ghp_"},     {4, "gho_"},
		{4, "ghu_"},     {4, "ghs_"},     {4, "ghr_"},     {11, "github_pat_"},
		{6, "glpat-"},   {5, "xoxb-"},    {5, "xoxp-"},    {5, "xoxa-"},
		{5, "xoxs-"},    {5, "xapp-"},    {4, "AKIA"},     {4, "ASIA"},
		{4, "AIza"},     {5, "ya29."},    {3, "SG."},      {4, "npm_"},
		{5, "pypi-"},    {7, "dop_v1_"},  {6, "shpat_"},   {6, "shpss_"},
		{3, "hf_"},
	};
	size_t i;

	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (len > prefixes[i].len && memcmp(p, prefixes[i].text, prefixes[i].len) == 0) {
			return goes_on(p, len, prefixes[i].len);
		}
	}
	return false;
}

bool mask_has_key_form(const uint8_t *p, size_t len)
{
	if (len < MASK_KEY_LEAST) {
		return false;
	}
	if (p[0] == 'e') {
		return p[1] == 'y' && p[2] == 'J' && is_web_token(p, len);
	}
	return has_prefix(p, len);
}

/* ---- markup ---- */

/* The name of the element whose tag is [p, p + len), without its namespace: is it that of a secret? */
static bool is_secret_element(const uint8_t *p, size_t len)
{
	size_t start = 1, i;

	if (len < 2 || p[1] == '/') {
		return false; /* its end */
	}
	for (i = 1; i < len && p[i] > ' ' && p[i] != '>' && p[i] != '/'; i++) {
		if (p[i] == ':') {
			start = i + 1;
		}
	}
	return i > start && mask_is_secret_key(p + start, i - start);
}

/* The value of an attribute, quoted. *ret_len 0: it has none of this name. */
static const uint8_t *attribute(const uint8_t *p, size_t len, const char *name, size_t *ret_len)
{
	size_t n = strlen(name);
	size_t i;

	*ret_len = 0;
	for (i = 1; i + n + 2 < len; i++) {
		const uint8_t *value = p + i + n + 2;
		const uint8_t *stop;

		if (p[i - 1] > ' ' || strncasecmp((const char *)p + i, name, n) != 0 ||
		    p[i + n] != '=' || (p[i + n + 1] != '"' && p[i + n + 1] != '\'')) {
			continue;
		}
		stop = memchr(value, value[-1], (size_t)(p + len - value));
		*ret_len = (size_t)((stop == NULL ? p + len : stop) - value);
		return value;
	}
	return NULL;
}

/* A tag: pairs within it, and the value of an <input name="password" value="...">. */
static void mask_tag(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	size_t name_len, len_of_value;
	const uint8_t *name = attribute(p, len, "name", &name_len);
	const uint8_t *value = attribute(p, len, "value", &len_of_value);

	if (name_len > 0 && len_of_value > 0 && mask_is_secret_key(name, name_len)) {
		mask_put(mask, p, (size_t)(value - p));
		mask_hide(mask, value, len_of_value, value + len_of_value == p + len ? more : 0);
		mask_put(mask, value + len_of_value, (size_t)(p + len - value) - len_of_value);
		return;
	}
	mask_url(mask, p, len, more);
}

static bool is_blank(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len && p[i] <= ' '; i++) {
	}
	return i == len;
}

static const char cdata[] = "<![CDATA[", cdata_end[] = "]]>";

/* Behind the tag or the text at p. */
static const uint8_t *piece_end(const uint8_t *p, const uint8_t *end)
{
	size_t len = (size_t)(end - p);
	const uint8_t *stop;

	if (*p != '<') {
		stop = memchr(p, '<', len);
		return stop == NULL ? end : stop;
	}
	if (len >= sizeof(cdata) - 1 && memcmp(p, cdata, sizeof(cdata) - 1) == 0) {
		stop = memmem(p, len, cdata_end, sizeof(cdata_end) - 1);
		return stop == NULL ? end : stop + sizeof(cdata_end) - 1;
	}
	stop = memchr(p, '>', len);
	return stop == NULL ? end : stop + 1;
}

/* The text of an element that is secret. */
static void mask_element(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	if (is_blank(p, len)) {
		mask_put(mask, p, len);
	} else {
		mask_hide(mask, p, len, more);
	}
}

/* <![CDATA[text]]> is the text of its element (XML 1.0 §2.7). */
static void mask_cdata(struct mask *mask, const uint8_t *p, size_t len, uint32_t more, bool secret)
{
	size_t open = sizeof(cdata) - 1, close = sizeof(cdata_end) - 1;

	if (!secret) {
		mask_within(mask, p, len, more);
		return;
	}
	close = len >= open + close && memcmp(p + len - close, cdata_end, close) == 0 ? close : 0;
	mask_put(mask, p, open);
	mask_element(mask, p + open, len - open - close, more);
	mask_put(mask, p + len - close, close);
}

void mask_markup(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	const uint8_t *end = p + len;
	bool secret = false; /* within an element that is */

	while (p < end) {
		const uint8_t *stop = piece_end(p, end);
		size_t n = (size_t)(stop - p);
		uint32_t cut = stop == end ? more : 0;

		if (*p == '<' && n >= sizeof(cdata) - 1 &&
		    memcmp(p, cdata, sizeof(cdata) - 1) == 0) {
			mask_cdata(mask, p, n, cut, secret);
		} else if (*p == '<') {
			secret = is_secret_element(p, n);
			mask_tag(mask, p, n, cut);
		} else if (secret) {
			mask_element(mask, p, n, cut);
		} else {
			mask_within(mask, p, n, cut);
		}
		p = stop;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated lists; see lists.h. */
#include "http/lists.h"

#include <string.h>

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Up to the comma that ends the element, or to the end. RFC 9110 §5.6.4: a quoted string may hold commas. */
static size_t element_len(const uint8_t *p, size_t len)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] == '"') {
			quoted = !quoted;
		} else if (quoted && p[i] == '\\') {
			i++;
		} else if (p[i] == ',' && !quoted) {
			return i;
		}
	}
	return len;
}

bool http_list_next(struct weir_str *list, struct weir_str *ret_item)
{
	while (list->len > 0) {
		size_t n = element_len(list->p, list->len);
		struct weir_str item = {list->p, (uint32_t)n};

		n += n < list->len;
		list->p += n;
		list->len -= (uint32_t)n;
		while (item.len > 0 && is_space(item.p[0])) {
			item.p++;
			item.len--;
		}
		while (item.len > 0 && is_space(item.p[item.len - 1])) {
			item.len--;
		}
		if (item.len > 0) {
			*ret_item = item;
			return true;
		}
	}
	return false;
}

struct weir_str http_list_token(struct weir_str item)
{
	uint32_t i = 0;

	while (i < item.len && item.p[i] != ';' && !is_space(item.p[i])) {
		i++;
	}
	item.len = i;
	return item;
}

bool http_is(struct weir_str text, const char *name)
{
	size_t len = strlen(name);
	size_t i;

	if (text.len != len) {
		return false;
	}
	for (i = 0; i < len; i++) {
		uint8_t c = text.p[i];

		if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (uint8_t)name[i]) {
			return false;
		}
	}
	return true;
}

bool http_list_has(struct weir_str list, const char *name)
{
	struct weir_str item;

	if (list.len < strlen(name)) {
		return false;
	}
	if (http_is(list, name)) {
		return true;
	}
	if (memchr(list.p, ',', list.len) == NULL && memchr(list.p, ';', list.len) == NULL &&
	    !is_space(list.p[0])) {
		return false;
	}
	while (http_list_next(&list, &item)) {
		if (http_is(http_list_token(item), name)) {
			return true;
		}
	}
	return false;
}

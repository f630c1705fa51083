/* SPDX-License-Identifier: Apache-2.0 */
/* Does a record match a filter? The values are captured bytes: all comparisons take time that is linear in them, or bounded. */
#include "query/private.h"

#include "record/record.h"

#include <arpa/inet.h>
#include <string.h>

enum { NO = 0, YES = 1, ABSENT = -1 };

/* ---- text ---- */

static bool match_glob(const struct query_value *value, const uint8_t *p, size_t len)
{
	const struct weir_str *first = &value->pieces[0];
	const struct weir_str *last = &value->pieces[value->npieces - 1];
	size_t i;

	if (len < (size_t)first->len + last->len || memcmp(p, first->p, first->len) != 0 ||
	    memcmp(p + len - last->len, last->p, last->len) != 0) {
		return false;
	}
	p += first->len;
	len -= (size_t)first->len + last->len;
	for (i = 1; i + 1 < value->npieces; i++) {
		const struct weir_str *piece = &value->pieces[i];
		const uint8_t *at = memmem(p, len, piece->p, piece->len);

		if (at == NULL) {
			return false;
		}
		len -= (size_t)(at - p) + piece->len;
		p = at + piece->len;
	}
	return true;
}

static bool match_text(struct query *query, const struct query_value *value, const uint8_t *p,
		       size_t len)
{
	const struct weir_str *text = &value->text;

	switch (value->kind) {
	case QUERY_PRESENT:
		return true;
	case QUERY_EXACT:
		return len == text->len && memcmp(p, text->p, len) == 0;
	case QUERY_PREFIX:
		return len >= text->len && memcmp(p, text->p, text->len) == 0;
	case QUERY_SUFFIX:
		return len >= text->len && memcmp(p + len - text->len, text->p, text->len) == 0;
	case QUERY_CONTAINS:
		return memmem(p, len, text->p, text->len) != NULL;
	case QUERY_GLOB:
		return match_glob(value, p, len);
	case QUERY_REGEX:
		return query_regex_match(query, value->regex, p, len);
	case QUERY_RANGE:
	case QUERY_NETWORK:
		break;
	}
	return false;
}

bool query_any_text(struct query *query, const struct query_term *term, const uint8_t *p,
		    size_t len)
{
	size_t i;

	for (i = 0; i < term->nvalues; i++) {
		if (match_text(query, &term->values[i], p, len)) {
			return true;
		}
	}
	return false;
}

/* ---- numbers ---- */

static bool match_number(const struct query_term *term, int64_t number)
{
	size_t i;

	for (i = 0; i < term->nvalues; i++) {
		const struct query_value *value = &term->values[i];
		bool is = false;

		if (value->kind == QUERY_PRESENT) {
			return true;
		}
		if (value->kind != QUERY_RANGE) {
			continue;
		}
		switch (term->op) {
		case QUERY_LT:
			is = number < value->low;
			break;
		case QUERY_LE:
			is = number <= value->high;
			break;
		case QUERY_GT:
			is = number > value->high;
			break;
		case QUERY_GE:
			is = number >= value->low;
			break;
		case QUERY_EQ:
		case QUERY_NE:
			is = number >= value->low && number <= value->high;
			break;
		case QUERY_MATCH:
		case QUERY_NOT_MATCH:
			break;
		}
		if (is) {
			return true;
		}
	}
	return false;
}

static int64_t clamp(uint64_t number)
{
	return number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

/* ---- addresses and digests ---- */

static bool in_network(const struct query_value *value, const uint8_t *p, size_t len)
{
	unsigned whole = value->bits / 8, rest = value->bits % 8;

	if (len != value->address_len || memcmp(p, value->address, whole) != 0) {
		return false;
	}
	return rest == 0 || ((p[whole] ^ value->address[whole]) >> (8 - rest)) == 0;
}

static size_t address_text(const uint8_t *p, size_t len, char *ret)
{
	ret[0] = '\0';
	(void)inet_ntop(len == 16 ? AF_INET6 : AF_INET, p, ret, INET6_ADDRSTRLEN);
	return strlen(ret);
}

static bool match_address(struct query *query, const struct query_term *term, const uint8_t *p,
			  size_t len)
{
	char text[INET6_ADDRSTRLEN];
	size_t n, i;

	if (len != 4 && len != 16) {
		return false;
	}
	n = address_text(p, len, text);
	for (i = 0; i < term->nvalues; i++) {
		const struct query_value *value = &term->values[i];

		if (value->kind == QUERY_NETWORK
			    ? in_network(value, p, len)
			    : match_text(query, value, (const uint8_t *)text, n)) {
			return true;
		}
	}
	return false;
}

enum { HEX_MAX = 64 }; /* bytes of a digest; longer ones are none */

static size_t hex_text(const uint8_t *p, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	len = len < HEX_MAX ? len : HEX_MAX;
	for (i = 0; i < len; i++) {
		ret[2 * i] = digits[p[i] >> 4];
		ret[2 * i + 1] = digits[p[i] & 15];
	}
	return 2 * len;
}

/* ---- headers ---- */

static bool same_name(const struct weir_str *name, const struct weir_str *low)
{
	uint32_t i;

	if (name->len != low->len) {
		return false;
	}
	for (i = 0; i < name->len; i++) {
		uint8_t c = name->p[i];

		if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != low->p[i]) {
			return false;
		}
	}
	return true;
}

static int match_headers(struct query *query, const struct query_term *term,
			 const struct weir_value *value)
{
	int found = ABSENT;
	uint32_t i;

	for (i = 0; i < value->len; i++) {
		const struct weir_header *header = &value->v.headers[i];

		if (term->header.len > 0 && !same_name(&header->name, &term->header)) {
			continue;
		}
		found = NO;
		if (query_any_text(query, term, header->value.p, header->value.len)) {
			return YES;
		}
	}
	return found;
}

/* ---- terms ---- */

static int match_list(struct query *query, const struct query_term *term, enum weir_kind kind,
		      const struct weir_value *value)
{
	uint32_t i;

	for (i = 0; i < value->len; i++) {
		if (kind == WEIR_KIND_U64S ? match_number(term, clamp(value->v.u64s[i]))
					   : query_any_text(query, term, value->v.strs[i].p,
							    value->v.strs[i].len)) {
			return YES;
		}
	}
	return value->len > 0 ? NO : ABSENT;
}

/* A field that is there, by what it is in this record. */
static int match_value(struct query *query, const struct query_term *term, enum weir_kind kind,
		       const struct weir_value *value)
{
	char text[2 * HEX_MAX];

	switch (kind) {
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
		return match_number(term, clamp(value->v.u64));
	case WEIR_KIND_DURATION:
	case WEIR_KIND_TIME:
		return match_number(term, value->v.i64);
	case WEIR_KIND_STR:
		return query_any_text(query, term, value->v.bytes, value->len);
	case WEIR_KIND_ADDRESS:
		return match_address(query, term, value->v.bytes, value->len);
	case WEIR_KIND_HEX:
		return query_any_text(query, term, (const uint8_t *)text,
				      hex_text(value->v.bytes, value->len, text));
	case WEIR_KIND_STRS:
	case WEIR_KIND_U64S:
		return match_list(query, term, kind, value);
	case WEIR_KIND_HEADERS:
		return match_headers(query, term, value);
	}
	return ABSENT;
}

static int match_target(struct query *query, const struct query_term *term, size_t target,
			const struct weir_record *rec, size_t schema)
{
	int field = term->index[schema * QUERY_TARGETS_MAX + target];

	if (strcmp(term->targets[target].field, "type") == 0) {
		const char *type = rec->schema->type;

		return query_any_text(query, term, (const uint8_t *)type, strlen(type));
	}
	if (field < 0 || !weir_record_has(rec, (size_t)field)) {
		return ABSENT;
	}
	return match_value(query, term, record_kind(rec->schema, (size_t)field),
			   &rec->values[field]);
}

static bool match_term(struct query *query, const struct query_term *term,
		       const struct weir_record *rec, size_t schema)
{
	bool denies = term->op == QUERY_NE || term->op == QUERY_NOT_MATCH;
	bool present = false;
	size_t i;

	for (i = 0; i < term->ntargets; i++) {
		int is = match_target(query, term, i, rec, schema);

		present = present || is != ABSENT;
		if (is == YES) {
			return !denies;
		}
	}
	return denies && present;
}

/* ---- free text ---- */

/* Is the lower-case text in there, in any case? */
static bool contains(struct query *query, const struct weir_str *text, const void *p, size_t len)
{
	const uint8_t *from = p;
	char *low;
	size_t i;

	if (len < text->len) {
		return false;
	}
	strbuf_clear(&query->low);
	low = strbuf_reserve(&query->low, len);
	if (low == NULL) {
		query->low.failed = false;
		query->limited++;
		return false;
	}
	for (i = 0; i < len; i++) {
		low[i] = (char)(from[i] >= 'A' && from[i] <= 'Z' ? from[i] | 0x20 : from[i]);
	}
	return memmem(low, len, text->p, text->len) != NULL;
}

static bool text_in_value(struct query *query, const struct weir_str *text, enum weir_kind kind,
			  const struct weir_value *value)
{
	char buffer[2 * HEX_MAX];
	uint32_t i;

	switch (kind) {
	case WEIR_KIND_STR:
		return contains(query, text, value->v.bytes, value->len);
	case WEIR_KIND_ADDRESS:
		return (value->len == 4 || value->len == 16) &&
		       contains(query, text, buffer,
				address_text(value->v.bytes, value->len, buffer));
	case WEIR_KIND_HEX:
		return contains(query, text, buffer, hex_text(value->v.bytes, value->len, buffer));
	case WEIR_KIND_STRS:
		for (i = 0; i < value->len; i++) {
			if (contains(query, text, value->v.strs[i].p, value->v.strs[i].len)) {
				return true;
			}
		}
		break;
	case WEIR_KIND_HEADERS:
		for (i = 0; i < value->len; i++) {
			const struct weir_header *header = &value->v.headers[i];

			if (contains(query, text, header->name.p, header->name.len) ||
			    contains(query, text, header->value.p, header->value.len)) {
				return true;
			}
		}
		break;
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
	case WEIR_KIND_DURATION:
	case WEIR_KIND_TIME:
	case WEIR_KIND_U64S:
		break;
	}
	return false;
}

static bool match_anywhere(struct query *query, const struct weir_str *text,
			   const struct weir_record *rec)
{
	size_t n = WEIR_NCOMMON + rec->schema->nfields, i;

	for (i = 0; i < n; i++) {
		if (weir_record_has(rec, i) &&
		    text_in_value(query, text, record_kind(rec->schema, i), &rec->values[i])) {
			return true;
		}
	}
	return false;
}

/* ---- the tree ---- */

static bool match_node(struct query *query, const struct query_node *node,
		       const struct weir_record *rec, size_t schema)
{
	const struct query_node *child;

	switch (node->kind) {
	case QUERY_AND:
		for (child = node->child; child != NULL; child = child->next) {
			if (!match_node(query, child, rec, schema)) {
				return false;
			}
		}
		return true;
	case QUERY_OR:
		for (child = node->child; child != NULL; child = child->next) {
			if (match_node(query, child, rec, schema)) {
				return true;
			}
		}
		return false;
	case QUERY_NOT:
		return !match_node(query, node->child, rec, schema);
	case QUERY_TERM:
		return match_term(query, node->term, rec, schema);
	case QUERY_TEXT:
		return match_anywhere(query, &node->text, rec);
	}
	return false;
}

bool query_match(struct query *query, const struct weir_record *rec)
{
	size_t schema = 0;

	if (query->root == NULL) {
		return true;
	}
	while (schema < query->nschemas && query->schemas[schema] != rec->schema) {
		schema++;
	}
	return schema < query->nschemas && match_node(query, query->root, rec, schema);
}

/* ---- what is read ---- */

static bool node_wants(const struct query_node *node, size_t schema, size_t field)
{
	size_t i;

	for (; node != NULL; node = node->next) {
		for (i = 0; node->kind == QUERY_TERM && i < node->term->ntargets; i++) {
			if (node->term->index[schema * QUERY_TARGETS_MAX + i] == (int)field) {
				return true;
			}
		}
		if (node_wants(node->child, schema, field)) {
			return true;
		}
	}
	return false;
}

bool query_wants(const struct query *query, const struct weir_schema *schema, size_t field)
{
	enum weir_kind kind = record_kind(schema, field);
	size_t i = 0;

	if (query->has_text && kind != WEIR_KIND_BOOL && kind != WEIR_KIND_U64 &&
	    kind != WEIR_KIND_DURATION && kind != WEIR_KIND_TIME && kind != WEIR_KIND_U64S) {
		return true;
	}
	while (i < query->nschemas && query->schemas[i] != schema) {
		i++;
	}
	return i < query->nschemas && node_wants(query->root, i, field);
}

uint64_t query_limited(const struct query *query)
{
	return query->limited;
}

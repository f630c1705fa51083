/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masking of records (see redact.h): how values of headers are masked (redact_headers.c tells which), and fields.
 *
 * Text is masked into memory that is taken only when it turns out to hold a secret, and when the result fits. What does not fit is
 * masked a second time, to as much memory as it needs.
 */
#include "record/redact.h"

#include "base/arena.h"
#include "base/base64.h"
#include "record/header_names.h"
#include "record/mask.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char opening[] = "[redacted ";

enum { OPENING = sizeof(opening) - 1, PRINT_LEN = 4 };

static bool is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Length of the mask that p begins with, and what it says of the length of what it hides; 0: it begins with none. */
static size_t read_mask(const uint8_t *p, size_t len, uint64_t *ret_hidden)
{
	size_t i = OPENING;
	uint64_t hidden = 0;

	if (len < OPENING + 2 || memcmp(p, opening, OPENING) != 0) {
		return 0;
	}
	for (; i < len && p[i] >= '0' && p[i] <= '9'; i++) {
		hidden = hidden * 10 + (uint64_t)(p[i] - '0');
	}
	*ret_hidden = hidden;
	if (i > OPENING && len - i > 1 + PRINT_LEN && p[i] == ' ') {
		size_t n = 0;

		for (i++; n < PRINT_LEN && is_hex(p[i]); n++) {
			i++;
		}
	}
	return i > OPENING && i < len && p[i] == ']' ? i + 1 : 0;
}

static void put_fingerprint(struct mask *mask, const uint8_t *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t code[EVP_MAX_MD_SIZE] = {0};
	char text[1 + PRINT_LEN];
	unsigned n = 0;

	if (mask->at != NULL &&
	    HMAC(EVP_sha256(), mask->key->p, (int)mask->key->len, p, len, code, &n) == NULL) {
		memset(code, 0, sizeof(code));
	}
	text[0] = ' ';
	text[1] = digits[code[0] >> 4];
	text[2] = digits[code[0] & 15];
	text[3] = digits[code[1] >> 4];
	text[4] = digits[code[1] & 15];
	mask_put(mask, text, sizeof(text));
}

/* Any: one that is long, cut, gets a fingerprint or is a mask already, or there may be too little room. */
static __attribute__((noinline)) void hide_any(struct mask *mask, const uint8_t *p, size_t len,
					       uint32_t more)
{
	uint64_t hidden = (uint64_t)len + more;
	char text[20];
	size_t i = sizeof(text);

	if (len > 0 && read_mask(p, len, &hidden) == len) {
		mask_put(mask, p, len);
		return;
	}
	hidden = (uint64_t)len + more;
	do {
		text[--i] = (char)('0' + hidden % 10);
		hidden /= 10;
	} while (hidden != 0);
	mask_put(mask, opening, OPENING);
	mask_put(mask, text + i, sizeof(text) - i);
	if (mask->key != NULL && mask->key->len > 0 && more == 0) {
		put_fingerprint(mask, p, len);
	}
	mask_put(mask, "]", 1);
	mask->any = true;
}

void mask_hide(struct mask *mask, const uint8_t *p, size_t len, uint32_t more)
{
	enum { ROOM = 16 };
	static const char text[ROOM] = "[redacted 0]";
	size_t n = OPENING;

	if (len - 1 >= 99 || more > 0 || p[0] == '[' || mask->end - mask->at < ROOM ||
	    (mask->key != NULL && mask->key->len > 0)) {
		hide_any(mask, p, len, more);
		return;
	}
	/* nearly every one: as a whole, and the digits over it */
	memcpy(mask->at, text, ROOM);
	if (len >= 10) {
		mask->at[n++] = (uint8_t)('0' + len / 10);
	}
	mask->at[n++] = (uint8_t)('0' + len % 10);
	mask->at[n++] = ']';
	mask->at += n;
	mask->need += n;
	mask->any = true;
}

/* ---- how their values are masked ---- */

static bool same_text(const uint8_t *p, size_t len, const char *text)
{
	return strlen(text) == len && strncasecmp((const char *)p, text, len) == 0;
}

/* Length of the authentication scheme and the space behind it; 0 when it is none that is registered or usual. */
static size_t scheme_len(const uint8_t *p, size_t value_len)
{
	static const char *const schemes[] = {
		"Basic",        "Bearer",      "Digest",           "Negotiate", "NTLM",  "OAuth",
		"Token",        "ApiKey",      "AWS4-HMAC-SHA256", "Hawk",      "DPoP",  "HOBA",
		"Mutual",       "SCRAM-SHA-1", "SCRAM-SHA-256",    "GNAP",      "vapid", "Key",
		"PrivateToken", "Signature",   "GoogleLogin",
	};
	const uint8_t *space = memchr(p, ' ', value_len);
	size_t len, i;

	if (space == NULL) {
		return 0;
	}
	len = (size_t)(space - p);
	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (same_text(p, len, schemes[i])) {
			return len + 1;
		}
	}
	return 0;
}

/* Where the value of a cookie `name=value` begins; one without a name is all value, but for the blanks before it. */
static const uint8_t *cookie_value(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *equals = memchr(p, '=', (size_t)(end - p));

	if (equals != NULL) {
		return equals + 1;
	}
	while (p < end && *p == ' ') {
		p++;
	}
	return p;
}

/* Cookies: values are hidden, what is between them is copied. `more` bytes had been cut off the last. */
static void mask_cookies(struct mask *mask, const uint8_t *at, size_t value_len, uint32_t more,
			 bool first_only)
{
	const uint8_t *end = at + value_len;
	const uint8_t *copied = at; /* up to here it is written */

	while (at < end) {
		const uint8_t *stop = memchr(at, ';', (size_t)(end - at));
		uint32_t cut = stop == NULL ? more : 0;
		const uint8_t *value;

		stop = stop == NULL ? end : stop;
		value = cookie_value(at, stop);
		if (value < stop || cut > 0) {
			mask_put(mask, copied, (size_t)(value - copied));
			mask_hide(mask, value, (size_t)(stop - value), cut);
			copied = stop;
		}
		if (first_only) {
			break;
		}
		at = stop + 1;
	}
	mask_put(mask, copied, (size_t)(end - copied));
}

void mask_header(struct mask *mask, enum header_class class, const uint8_t *p, size_t len,
		 uint32_t more)
{
	size_t keep = 0;

	switch (class) {
	case HEADER_PLAIN:
		mask_put(mask, p, len);
		break;
	case HEADER_CREDENTIALS:
		keep = scheme_len(p, len);
		mask_put(mask, p, keep);
		mask_hide(mask, p + keep, len - keep, more);
		break;
	case HEADER_COOKIE:
		mask_cookies(mask, p, len, more, false);
		break;
	case HEADER_SET_COOKIE:
		mask_cookies(mask, p, len, more, true);
		break;
	case HEADER_URL:
		mask_url(mask, p, len, more);
		break;
	case HEADER_SECRET:
		mask_hide(mask, p, len, more);
		break;
	}
}

/* ---- records ---- */

/* A first run writes to what is left of the arena's block, which is nearly always enough. */
static inline struct mask begin_mask(const struct weir_record *rec, const struct redact_key *key)
{
	return (struct mask){.at = rec->arena->at, .end = rec->arena->end, .key = key};
}

/*
 * The result of a first run, in the record's memory. NULL: it did not fit, and *mask is ready for a second run, which writes
 * to mask->at; or there is no memory for it, and mask->at is NULL: a secret never stays.
 */
static const uint8_t *take_mask(struct weir_record *rec, struct mask *mask)
{
	const uint8_t *first = rec->arena->at;
	uint8_t *room = arena_bytes(rec->arena, mask->need);

	if (room != NULL && room == first) {
		return room;
	}
	mask->at = room;
	mask->end = room == NULL ? NULL : room + mask->need;
	return NULL;
}

static void mask_header_value(struct weir_record *rec, struct weir_header *header,
			      enum header_class class, const struct redact_key *key)
{
	uint32_t more = header->full_len - header->value.len;
	struct mask mask = begin_mask(rec, key);
	const uint8_t *start;

	mask_header(&mask, class, header->value.p, header->value.len, more);
	if (!mask.any) {
		return;
	}
	start = take_mask(rec, &mask);
	if (start == NULL && mask.at != NULL) {
		start = mask.at;
		mask_header(&mask, class, header->value.p, header->value.len, more);
		mask.need = (size_t)(mask.at - start);
	}
	header->redacted = 1;
	header->value.p = start == NULL ? (const uint8_t *)"" : start;
	header->value.len = start == NULL ? 0 : (uint32_t)mask.need;
	header->full_len = header->value.len;
}

/* ---- URLs that were looked at ---- */

/*
 * Fields of a record are parts of one another (the path and the query of the URL, the referrer and its header), in the same memory: what
 * lies within text that holds nothing to mask needs no second look. It must begin where a name of a pair would, too: "pin=1" is
 * part of "shopping=1".
 */
struct seen {
	const uint8_t *p[2]; /* those that came last */
	size_t len[2];
	unsigned n;
};

static inline bool is_part(const struct seen *seen, const uint8_t *p, size_t len)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		uintptr_t offset = (uintptr_t)p - (uintptr_t)seen->p[i];

		if (offset <= seen->len[i] && len <= seen->len[i] - offset) {
			return offset == 0 || *p == '/' || p[-1] == '?';
		}
	}
	return false;
}

static __attribute__((noinline)) bool look_at(struct seen *seen, const uint8_t *p, size_t len)
{
	if (!mask_is_plain_url(p, len)) {
		return false;
	}
	seen->p[seen->n % 2] = p;
	seen->len[seen->n % 2] = len;
	seen->n++;
	return true;
}

static inline bool is_plain(struct seen *seen, const uint8_t *p, size_t len)
{
	return (len > 0 && is_part(seen, p, len)) || look_at(seen, p, len);
}

/* One whose name says that its value may have to be masked, or that has no number, or with the value of a service's key. */
static __attribute__((noinline)) void redact_header(struct weir_record *rec,
						    struct weir_header *header,
						    const struct redact_key *key, struct seen *seen)
{
	enum header_class class = header->number != HEADER_OTHER
					  ? (enum header_class)header_name_classes[header->number]
					  : mask_classify_odd(header->name.p, header->name.len);

	if (header->redacted || header->full_len == 0) {
		return;
	}
	if (class == HEADER_PLAIN && mask_is_api_key(header->value.p, header->value.len)) {
		class = HEADER_SECRET;
	}
	if (class != HEADER_PLAIN &&
	    (class != HEADER_URL || !is_plain(seen, header->value.p, header->value.len))) {
		mask_header_value(rec, header, class, key);
	}
}

static void redact_headers(struct weir_record *rec, const struct weir_value *value,
			   const struct redact_key *key, struct seen *seen)
{
	struct weir_header *header, *end;

	memcpy(&header, &value->v.headers, sizeof(header)); /* the record's own memory */
	for (end = header + value->len; header < end; header++) {
		/* without a number: of no class that is known yet */
		if (header_name_classes[header->number] != HEADER_PLAIN ||
		    header->number == HEADER_OTHER ||
		    mask_is_api_key(header->value.p, header->value.len)) {
			redact_header(rec, header, key, seen);
		}
	}
}

typedef void (*masker_fn)(struct mask *mask, const uint8_t *p, size_t len, uint32_t more);

/*
 * Where an offset of the text is in the masked one: both are the same but for masks, which say how long what they hide is.
 * Within a mask: behind it.
 */
static size_t map_offset(const struct weir_value *old, const uint8_t *masked, size_t len,
			 uint64_t offset)
{
	size_t from = 0, to = 0;

	while (from < offset && from < old->len && to < len) {
		uint64_t hidden = 0, ignored;
		size_t mask = read_mask(masked + to, len - to, &hidden);

		if (mask == 0 || read_mask(old->v.bytes + from, old->len - from, &ignored) > 0) {
			from++;
			to++;
			continue;
		}
		to += mask;
		from += hidden < old->len ? (size_t)hidden : old->len;
	}
	return to;
}

/* The field of the same body, by its last part: of ...body.content, ".gaps" is ...body.gaps. -1: absent */
static int sibling(const struct weir_record *rec, size_t field, const char *part)
{
	static const char content[] = ".content";
	const char *name = weir_schema_field(rec->schema, field)->name;
	size_t len = strlen(name);
	char other[64];
	int at;

	if (len < sizeof(content) || len >= sizeof(other) ||
	    strcmp(name + len - (sizeof(content) - 1), content) != 0) {
		return -1;
	}
	len -= sizeof(content) - 1;
	at = snprintf(other, sizeof(other), "%.*s%s", (int)len, name, part);
	at = weir_schema_find(rec->schema, other, (size_t)at);
	return at >= 0 && weir_record_has(rec, (size_t)at) ? at : -1;
}

/* The gaps of a body are told by offsets in its content: they move with it. */
static void move_gaps(struct weir_record *rec, size_t field, const struct weir_value *old)
{
	const struct weir_value *now = &rec->values[field];
	int at = sibling(rec, field, ".gaps");
	struct weir_value moved;
	uint32_t i;

	if (at < 0) {
		return;
	}
	moved = rec->values[at];
	weir_record_clear(rec, (size_t)at);
	for (i = 0; i + 1 < moved.len; i += 2) {
		weir_record_add_u64(rec, (size_t)at,
				    map_offset(old, now->v.bytes, now->len, moved.v.u64s[i]));
		weir_record_add_u64(rec, (size_t)at, moved.v.u64s[i + 1]);
	}
}

static void redact_text(struct weir_record *rec, size_t field, masker_fn masker,
			const struct redact_key *key)
{
	struct weir_value *value = &rec->values[field];
	struct weir_value old = *value;
	uint32_t more = value->full_len - value->len;
	struct mask mask = begin_mask(rec, key);
	const uint8_t *start;

	masker(&mask, value->v.bytes, value->len, more);
	if (!mask.any) {
		return;
	}
	start = take_mask(rec, &mask);
	if (start == NULL && mask.at != NULL) {
		start = mask.at;
		masker(&mask, value->v.bytes, value->len, more);
		mask.need = (size_t)(mask.at - start);
	}
	if (start == NULL) {
		weir_record_clear(rec, field);
		return;
	}
	value->v.bytes = start;
	value->len = (uint32_t)mask.need;
	if (more == 0 || value->full_len <= value->len) {
		value->full_len = value->len + (more > 0); /* cut it stays */
	}
	move_gaps(rec, field, &old);
}

/* A body that is no text is base 64 in the record: its bytes are what is masked. */
static void redact_body(struct weir_record *rec, size_t field, const struct redact_key *key)
{
	struct weir_value *value = &rec->values[field];
	struct weir_value text = *value;
	uint8_t *bytes, *again;
	size_t n;

	if (sibling(rec, field, ".content_encoding") < 0) {
		redact_text(rec, field, mask_body, key);
		return;
	}
	bytes = arena_bytes(rec->arena, text.len / 4 * 3 + 3);
	if (bytes == NULL) {
		weir_record_clear(rec, field);
		return;
	}
	n = base64_decode(text.v.bytes, text.len, bytes);
	value->v.bytes = bytes;
	value->len = value->full_len = (uint32_t)n;
	redact_text(rec, field, mask_body, key);
	if (!weir_record_has(rec, field) || value->v.bytes == bytes) {
		*value = text; /* nothing in it, or no memory: the field is absent */
		return;
	}
	again = arena_bytes(rec->arena, base64_text_len(value->len));
	if (again == NULL) {
		weir_record_clear(rec, field);
		return;
	}
	base64_encode(value->v.bytes, value->len, again);
	value->v.bytes = again;
	value->len = value->full_len = (uint32_t)base64_text_len(value->len);
}

/* Values of placeholders are literals that are not in the statement. */
static void redact_values(struct weir_record *rec, size_t at)
{
	static const struct weir_str masked = {(const uint8_t *)"?", 1};
	struct weir_value *value = &rec->values[at];
	struct weir_str *again = arena_alloc(rec->arena, value->len * sizeof(*again));
	uint32_t i;

	if (again == NULL) {
		weir_record_clear(rec, at);
		return;
	}
	for (i = 0; i < value->len; i++) {
		again[i] = masked;
	}
	value->v.strs = again;
}

static void redact_field(struct weir_record *rec, size_t at, enum weir_redact mode,
			 const struct redact_key *key, struct seen *seen)
{
	const struct weir_field *field = &rec->schema->fields[at - WEIR_NCOMMON];

	assert(at >= WEIR_NCOMMON); /* none of the common ones is masked */
	if (field->kind == WEIR_KIND_HEADERS) {
		if ((field->flags & WEIR_FIELD_SECRET_HEADERS) != 0) {
			redact_headers(rec, &rec->values[at], key, seen);
		}
		return;
	}
	if (field->kind == WEIR_KIND_STRS && (field->flags & WEIR_FIELD_STATEMENT) != 0 &&
	    mode == WEIR_REDACT_STRICT) {
		redact_values(rec, at);
	}
	if (field->kind != WEIR_KIND_STR) {
		return;
	}
	if ((field->flags & WEIR_FIELD_URL) != 0) {
		if (!is_plain(seen, rec->values[at].v.bytes, rec->values[at].len)) {
			redact_text(rec, at, mask_url, key);
		}
	} else if ((field->flags & (WEIR_FIELD_BODY | WEIR_FIELD_EVIDENCE)) != 0 &&
		   mode == WEIR_REDACT_STRICT) {
		weir_record_clear(rec, at);
	} else if ((field->flags & WEIR_FIELD_BODY) != 0) {
		redact_body(rec, at, key);
	} else if ((field->flags & WEIR_FIELD_EVIDENCE) != 0) {
		redact_text(rec, at, mask_evidence, key);
	} else if ((field->flags & WEIR_FIELD_STATEMENT) != 0 && mode == WEIR_REDACT_STRICT) {
		redact_text(rec, at, mask_statement, key);
	} else if ((field->flags & WEIR_FIELD_STATEMENT) != 0) {
		redact_text(rec, at, mask_statement_secrets, key);
	}
}

void redact_fields(struct weir_record *rec, const struct redact_which *which, enum weir_redact mode,
		   const struct redact_key *key)
{
	struct seen seen = {{NULL}, {0}, 0};
	const struct weir_value *whole = &rec->values[which->whole];
	size_t word;

	if (mode == WEIR_REDACT_OFF) {
		return;
	}
	if (which->whole != 0 && weir_record_has(rec, which->whole)) {
		(void)is_plain(&seen, whole->v.bytes, whole->len);
	}
	for (word = 0; word < 2; word++) {
		uint64_t set = rec->present[word] & which->fields[word];

		/* what is cleared meanwhile is of no use to its own field only */
		for (; set != 0; set &= set - 1) {
			size_t at = 64 * word + (size_t)__builtin_ctzll(set);

			if (weir_record_has(rec, at)) {
				redact_field(rec, at, mode, key, &seen);
			}
		}
	}
}

void redact_record(struct weir_record *rec, enum weir_redact mode, const struct redact_key *key)
{
	struct redact_which which;

	redact_which(rec->schema, &which);
	redact_fields(rec, &which, mode, key);
}

void redact_which(const struct weir_schema *schema, struct redact_which *ret_which)
{
	static const char url[] = "url.full";
	const uint32_t flags = WEIR_FIELD_SECRET_HEADERS | WEIR_FIELD_URL | WEIR_FIELD_BODY |
			       WEIR_FIELD_STATEMENT | WEIR_FIELD_EVIDENCE;
	int whole = weir_schema_find(schema, url, sizeof(url) - 1);
	size_t i;

	memset(ret_which, 0, sizeof(*ret_which));
	for (i = 0; i < schema->nfields; i++) {
		size_t at = WEIR_NCOMMON + i;

		if ((schema->fields[i].flags & flags) != 0) {
			ret_which->fields[at >> 6] |= UINT64_C(1) << (at & 63);
		}
	}
	if (whole >= WEIR_NCOMMON && schema->fields[whole - WEIR_NCOMMON].kind == WEIR_KIND_STR &&
	    (schema->fields[whole - WEIR_NCOMMON].flags & WEIR_FIELD_URL) != 0) {
		ret_which->whole = (uint8_t)whole;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Integers and strings with lengths; values of parameters as text (MySQL internals, "Binary Protocol Value"). */
#include "parser/mysql.h"

#include <stdio.h>
#include <string.h>

#include "record/record.h"

enum { VALUES_MAX = 65535 }; /* placeholders of a statement: the server's own limit */

uint16_t my_u16(struct wire *wire)
{
	const uint8_t *p = wire_bytes(wire, 2);

	return p == NULL ? 0 : load_le16(p);
}

uint32_t my_u32(struct wire *wire)
{
	const uint8_t *p = wire_bytes(wire, 4);

	return p == NULL ? 0 : load_le32(p);
}

uint64_t my_lenenc(struct wire *wire)
{
	uint8_t first = wire_u8(wire);
	const uint8_t *p;

	switch (first) {
	case 0xfc:
		return my_u16(wire);
	case 0xfd:
		p = wire_bytes(wire, 3);
		return p == NULL ? 0 : p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
	case 0xfe:
		p = wire_bytes(wire, 8);
		return p == NULL ? 0 : load_le64(p);
	case 0xfb:
	case 0xff:
		wire->failed = true;
		return 0;
	default:
		return first;
	}
}

struct weir_str my_text(struct wire *wire)
{
	size_t left = wire_ok(wire) ? wire_left(wire) : 0;
	const uint8_t *nul = left == 0 ? NULL : memchr(wire->at, 0, left);
	struct weir_str text = {wire->at,
				(uint32_t)(nul == NULL ? left : (size_t)(nul - wire->at))};

	(void)wire_skip(wire, nul == NULL ? left : (size_t)text.len + 1);
	return text;
}

/* ---- values ---- */

enum my_type {
	TYPE_TINY = 1,
	TYPE_SHORT = 2,
	TYPE_LONG = 3,
	TYPE_FLOAT = 4,
	TYPE_DOUBLE = 5,
	TYPE_NULL = 6,
	TYPE_TIMESTAMP = 7,
	TYPE_LONGLONG = 8,
	TYPE_INT24 = 9,
	TYPE_DATE = 10,
	TYPE_TIME = 11,
	TYPE_DATETIME = 12,
	TYPE_YEAR = 13
};

/* Where values go: a statement's parameters, or a line of a result. NULL: nowhere, they are passed by. */
struct out {
	struct my_exchange *ex;
	struct db_row *row;
};

static void put(const struct out *out, const void *p, size_t len)
{
	if (out->row != NULL) {
		db_row_value(out->row, p, len);
	} else {
		db_parameter(&out->ex->ex, p, len);
	}
}

static void put_null(const struct out *out)
{
	if (out == NULL) {
		return;
	}
	if (out->row != NULL) {
		db_row_value(out->row, NULL, 0);
	} else {
		put(out, "NULL", 4);
	}
}

static void add_integer(const struct out *out, uint64_t value, unsigned bits, bool is_unsigned)
{
	char text[24];
	int n;

	if (out == NULL) {
		return;
	}
	if (is_unsigned) {
		n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	} else {
		/* the sign is the top bit of its size */
		int64_t number = (int64_t)(value << (64 - bits)) >> (64 - bits);

		n = snprintf(text, sizeof(text), "%lld", (long long)number);
	}
	put(out, text, (size_t)n);
}

static void add_real(const struct out *out, double value, int digits)
{
	char text[40];

	if (out != NULL) {
		put(out, text, (size_t)snprintf(text, sizeof(text), "%.*g", digits, value));
	}
}

static void take_float(const struct out *out, struct wire *wire)
{
	uint32_t bits = my_u32(wire);
	float value;

	memcpy(&value, &bits, sizeof(value));
	if (wire_ok(wire)) {
		add_real(out, value, 7);
	}
}

static void take_double(const struct out *out, struct wire *wire)
{
	const uint8_t *p = wire_bytes(wire, 8);
	double value;

	if (p != NULL) {
		memcpy(&value, p, sizeof(value));
		add_real(out, value, 15);
	}
}

/* length 0, 4, 7 or 11: year(2) month day, hour minute second, microseconds(4) */
static void take_date(const struct out *out, struct wire *wire)
{
	size_t len = wire_u8(wire);
	struct wire in;
	const uint8_t *p = wire_bytes(wire, len);
	unsigned year, month, day, hour, minute, second;
	char text[48];
	int n;

	if (p == NULL || out == NULL) {
		return;
	}
	wire_init(&in, p, len);
	year = my_u16(&in);
	month = wire_u8(&in);
	day = wire_u8(&in);
	n = snprintf(text, sizeof(text), "%04u-%02u-%02u", year, month, day);
	if (len >= 7) {
		hour = wire_u8(&in);
		minute = wire_u8(&in);
		second = wire_u8(&in);
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %02u:%02u:%02u", hour, minute,
			      second);
	}
	if (len >= 11) {
		n += snprintf(text + n, sizeof(text) - (size_t)n, ".%06u",
			      (unsigned)my_u32(&in) % 1000000u);
	}
	put(out, text, (size_t)n);
}

/* length 0, 8 or 12: negative, days(4), hour minute second, microseconds(4) */
static void take_time(const struct out *out, struct wire *wire)
{
	size_t len = wire_u8(wire);
	struct wire in;
	const uint8_t *p = wire_bytes(wire, len);
	bool negative;
	unsigned long long hours;
	unsigned minute, second;
	char text[48];
	int n;

	if (p == NULL || out == NULL) {
		return;
	}
	wire_init(&in, p, len);
	negative = wire_u8(&in) != 0;
	hours = 24ull * my_u32(&in);
	hours += wire_u8(&in);
	minute = wire_u8(&in);
	second = wire_u8(&in);
	n = snprintf(text, sizeof(text), "%s%02llu:%02u:%02u", negative ? "-" : "", hours, minute,
		     second);
	if (len >= 12) {
		n += snprintf(text + n, sizeof(text) - (size_t)n, ".%06u",
			      (unsigned)my_u32(&in) % 1000000u);
	}
	put(out, text, (size_t)n);
}

/* Strings, blobs, decimals, bits: a length and bytes. What is cut off is not there. */
static void take_bytes(const struct out *out, struct wire *wire)
{
	uint64_t len = my_lenenc(wire);
	size_t left = wire_left(wire);
	size_t n = len < left ? (size_t)len : left;
	const uint8_t *p;

	if (!wire_ok(wire)) {
		return;
	}
	p = wire_bytes(wire, n);
	if (p != NULL && out != NULL) {
		put(out, p, n);
	}
	if (n < len) {
		wire->failed = true;
	}
}

static void take_number(const struct out *out, struct wire *wire, size_t size, bool is_unsigned)
{
	const uint8_t *p = wire_bytes(wire, size);
	uint64_t value = 0;
	size_t i;

	for (i = 0; p != NULL && i < size; i++) {
		value |= (uint64_t)p[i] << (8 * i);
	}
	if (p != NULL) {
		add_integer(out, value, 8 * (unsigned)size, is_unsigned);
	}
}

static void take_value(const struct out *out, struct wire *wire, uint8_t type, bool is_unsigned)
{
	switch (type) {
	case TYPE_TINY:
		take_number(out, wire, 1, is_unsigned);
		break;
	case TYPE_SHORT:
	case TYPE_YEAR:
		take_number(out, wire, 2, is_unsigned);
		break;
	case TYPE_LONG:
	case TYPE_INT24:
		take_number(out, wire, 4, is_unsigned);
		break;
	case TYPE_LONGLONG:
		take_number(out, wire, 8, is_unsigned);
		break;
	case TYPE_FLOAT:
		take_float(out, wire);
		break;
	case TYPE_DOUBLE:
		take_double(out, wire);
		break;
	case TYPE_DATE:
	case TYPE_DATETIME:
	case TYPE_TIMESTAMP:
		take_date(out, wire);
		break;
	case TYPE_TIME:
		take_time(out, wire);
		break;
	case TYPE_NULL:
		put_null(out);
		break;
	default:
		take_bytes(out, wire);
	}
}

/* Types, and names, as sent: kept with the statement as far as it has room. */
static const uint8_t *take_types(struct wire *wire, uint64_t n, struct db_text *text, bool names,
				 uint8_t *types)
{
	uint64_t i;

	for (i = 0; i < n && wire_ok(wire); i++) {
		const uint8_t *type = wire_bytes(wire, 2);

		if (type != NULL && i < DB_PARAMETERS_MAX) {
			memcpy(types + 2 * i, type, 2);
		}
		if (names) {
			(void)wire_skip(wire, (size_t)my_lenenc(wire));
		}
	}
	if (text != NULL && wire_ok(wire)) {
		memcpy(text->types, types, sizeof(text->types));
	}
	return types;
}

void my_values(struct my_exchange *ex, struct wire *wire, uint64_t n, struct db_text *text,
	       bool names)
{
	uint8_t types[2 * DB_PARAMETERS_MAX] = {0};
	const uint8_t *used = text == NULL ? types : text->types;
	struct out to = {ex, NULL};
	const struct out *out = ex == NULL ? NULL : &to;
	const uint8_t *nulls;
	uint64_t i;

	if (n == 0 || n > VALUES_MAX) {
		wire->failed |= n > VALUES_MAX;
		return;
	}
	nulls = wire_bytes(wire, (size_t)(n + 7) / 8);
	if (wire_u8(wire) != 0) {
		used = take_types(wire, n, text, names, types);
	}
	for (i = 0; i < n && i < DB_PARAMETERS_MAX && wire_ok(wire) && nulls != NULL; i++) {
		if (text != NULL && (text->long_data >> i & 1) != 0) {
			if (out != NULL) {
				put(out, "(long data)", 11);
			}
		} else if ((nulls[i / 8] >> (i % 8) & 1) != 0) {
			put_null(out);
		} else {
			take_value(out, wire, used[2 * i], (used[2 * i + 1] & 0x80) != 0);
		}
	}
	wire->failed |= n > DB_PARAMETERS_MAX; /* where they end is not known */
}

/* ---- rows of results ---- */

/* Text: a length and bytes each, or 0xfb for NULL. */
static void take_text_row(struct db_row *row, struct wire *wire)
{
	const struct out out = {NULL, row};

	while (wire_ok(wire) && wire_left(wire) > 0) {
		if (*wire->at == 0xfb) {
			(void)wire_u8(wire);
			put_null(&out);
		} else {
			take_bytes(&out, wire);
		}
	}
}

/* Of a prepared statement: 0, a bit for each column and two before them, the values that are not NULL. */
static void take_binary_row(struct db_row *row, struct wire *wire, const uint8_t *types, uint64_t n)
{
	const struct out out = {NULL, row};
	const uint8_t *nulls;
	uint64_t i;

	(void)wire_u8(wire);
	nulls = wire_bytes(wire, (size_t)(n + 9) / 8);
	for (i = 0; i < n && i < DB_COLUMNS_MAX && nulls != NULL && wire_ok(wire); i++) {
		if ((nulls[(i + 2) / 8] >> ((i + 2) % 8) & 1) != 0) {
			put_null(&out);
		} else {
			take_value(&out, wire, types[2 * i], types[2 * i + 1] != 0);
		}
	}
}

void my_row(struct mysql *my, struct my_exchange *ex, const struct my_packet *packet)
{
	struct db_row row;
	struct wire wire;

	if (ex->results > 0 || !db_wants_row(&my->db, &ex->ex)) {
		return;
	}
	db_row_init(&row, &my->db, &ex->ex);
	wire_init(&wire, packet->p, packet->len);
	if (ex->command != MY_STMT_EXECUTE && ex->command != MY_STMT_FETCH) {
		take_text_row(&row, &wire);
	} else if (ex->types != NULL && ex->ncolumns <= UINT16_MAX) {
		take_binary_row(&row, &wire, ex->types, ex->ncolumns);
	} else {
		return;
	}
	db_row_add(&ex->ex, &row);
}

/* catalog, schema, table, its own name, name, the column's own name; 12, character set(2), length(4), type(1), flags(2), decimals(1) */
void my_column(struct mysql *my, struct my_exchange *ex, const struct my_packet *packet)
{
	enum { FLAG_UNSIGNED = 0x20 };
	struct wire wire;
	const uint8_t *name;
	uint64_t len;
	uint8_t at = ex->ex.ncolumns;
	uint8_t type;
	int i;

	if (ex->results > 0 || !db_wants_column(&my->db, &ex->ex)) {
		return;
	}
	wire_init(&wire, packet->p, packet->len);
	for (i = 0; i < 4; i++) {
		(void)wire_skip(&wire, (size_t)my_lenenc(&wire));
	}
	len = my_lenenc(&wire);
	name = wire_bytes(&wire, (size_t)len);
	if (name == NULL) {
		name = (const uint8_t *)"?";
		len = 1;
	}
	db_column_add(&ex->ex, name, (size_t)len);
	(void)wire_skip(&wire, (size_t)my_lenenc(&wire));
	(void)wire_skip(&wire, 7);
	type = wire_u8(&wire);
	if (ex->types == NULL) {
		ex->types = arena_alloc(ex->ex.rec->arena, 2 * DB_COLUMNS_MAX);
		if (ex->types == NULL) {
			return;
		}
		memset(ex->types, 0, 2 * DB_COLUMNS_MAX);
	}
	ex->types[2 * at] = type;
	ex->types[2 * at + 1] = (my_u16(&wire) & FLAG_UNSIGNED) != 0;
}

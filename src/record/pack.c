/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record in few bytes, while its flow is idle: see record_pack() in record.h.
 *
 *	length (2 bytes) | number of fields | per field: distance of its index to the one before, value; long texts first
 *	text: pack_text(), and full length and flag of one that was cut or masked
 *
 * Records say the same things more than once (the URL has the path and the host, the headers have the user agent): that
 * is what pack_text() is for. Ids are made again from the flow
 * (rec->flow is of no use: it need not hold between two callbacks).
 */
#include "record/record.h"

#include <assert.h>
#include <string.h>

#include "base/pack.h"
#include "weir/error.h"

/* A record on its way: where its bytes begin, and what its times and ids are near. */
struct record_pack {
	struct pack *pack;
	const uint8_t *begin;
	const struct weir_flow_info *flow; /* may be NULL */
	int64_t ts_ns;                     /* of the record, once known */
};

struct text {
	const uint8_t *p;
	uint32_t len;
	uint32_t full_len;
	uint8_t flag; /* of a header: redacted */
};

static int64_t base_of(const struct record_pack *rp)
{
	return rp->flow != NULL ? rp->flow->first_ts_ns : 0;
}

/* Either way. */
static struct text pack_one(struct record_pack *rp, struct text text)
{
	bool odd = text.full_len != text.len || text.flag != 0;

	text.p = pack_text(rp->pack, rp->begin, text.p, &text.len, &odd);
	if (odd) {
		text.full_len = pack_u32(rp->pack, text.full_len);
		text.flag = pack_u8(rp->pack, text.flag);
	} else {
		text.full_len = text.len;
	}
	return text;
}

static void write_text(struct record_pack *rp, const struct text *text)
{
	(void)pack_one(rp, *text);
}

static struct text read_text(struct record_pack *rp)
{
	return pack_one(rp, (struct text){NULL, 0, 0, 0});
}

/* ---- ids: which record of the flow it is says all ---- */

static int64_t id_time(const struct record_pack *rp, size_t field)
{
	return field == WEIR_F_FLOW_ID ? base_of(rp) : rp->ts_ns;
}

/* 1 + the number of which the id is made of; 0: it is of something else. */
static uint64_t id_number(const struct record_pack *rp, size_t field,
			  const struct weir_value *value)
{
	char id[WEIR_ID_LEN];
	uint64_t n;

	if (rp->flow == NULL || value->len != WEIR_ID_LEN || value->full_len != WEIR_ID_LEN) {
		return 0;
	}
	n = record_id_number(rp->flow, (const char *)value->v.bytes);
	weir_flow_id(rp->flow, id_time(rp, field), n, id);
	return memcmp(id, value->v.bytes, sizeof(id)) == 0 ? n + 1 : 0;
}

/* ---- writing ---- */

static void write_list(struct record_pack *rp, enum weir_kind kind, const struct weir_value *value)
{
	uint32_t i;

	(void)pack_u32(rp->pack, value->len);
	for (i = 0; i < value->len; i++) {
		if (kind == WEIR_KIND_U64S) {
			(void)pack_u64(rp->pack, value->v.u64s[i]);
		} else if (kind == WEIR_KIND_STRS) {
			const struct weir_str *str = &value->v.strs[i];

			write_text(rp, &(struct text){str->p, str->len, str->len, 0});
		} else {
			const struct weir_header *header = &value->v.headers[i];

			write_text(rp, &(struct text){header->name.p, header->name.len,
						      header->name.len, 0});
			write_text(rp, &(struct text){header->value.p, header->value.len,
						      header->full_len, header->redacted});
		}
	}
}

static void write_value(struct record_pack *rp, const struct weir_record *rec, size_t field)
{
	const struct weir_value *value = &rec->values[field];
	enum weir_kind kind = record_kind(rec->schema, field);
	uint64_t n;

	switch (kind) {
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
		(void)pack_u64(rp->pack, value->v.u64);
		return;
	case WEIR_KIND_DURATION:
		(void)pack_time(rp->pack, value->v.i64, 0);
		return;
	case WEIR_KIND_TIME:
		(void)pack_time(rp->pack, value->v.i64, base_of(rp));
		return;
	case WEIR_KIND_STRS:
	case WEIR_KIND_U64S:
	case WEIR_KIND_HEADERS:
		write_list(rp, kind, value);
		return;
	case WEIR_KIND_STR:
	case WEIR_KIND_ADDRESS:
	case WEIR_KIND_HEX:
		break;
	}
	if (field == WEIR_F_ID || field == WEIR_F_FLOW_ID) {
		n = pack_u64(rp->pack, id_number(rp, field, value));
		if (n > 0) {
			return;
		}
	}
	write_text(rp, &(struct text){value->v.bytes, value->len, value->full_len, 0});
}

/*
 * The fields that are present, in the order in which they are written: longer texts before those that they may hold, then the
 * others, where the time is before the ids.
 */
static size_t list_fields(const struct weir_record *rec, uint8_t fields[WEIR_MAX_FIELDS])
{
	size_t n = WEIR_NCOMMON + rec->schema->nfields, ntexts = 0, at, i;

	for (i = 0; i < n; i++) {
		if (!weir_record_has(rec, i) || record_kind(rec->schema, i) != WEIR_KIND_STR ||
		    i == WEIR_F_ID || i == WEIR_F_FLOW_ID) {
			continue;
		}
		for (at = ntexts++; at > 0 && rec->values[fields[at - 1]].len < rec->values[i].len;
		     at--) {
			fields[at] = fields[at - 1];
		}
		fields[at] = (uint8_t)i;
	}
	for (i = 0, at = ntexts; i < n; i++) {
		if (weir_record_has(rec, i) && (record_kind(rec->schema, i) != WEIR_KIND_STR ||
						i == WEIR_F_ID || i == WEIR_F_FLOW_ID)) {
			fields[at++] = (uint8_t)i;
		}
	}
	return at;
}

void record_pack(struct pack *pack, const struct weir_record *rec,
		 const struct weir_flow_info *flow)
{
	struct record_pack rp = {.pack = pack, .begin = pack->at, .flow = flow};
	size_t n, i, last = 0, size;
	uint8_t fields[WEIR_MAX_FIELDS];
	uint8_t room[2] = {0};

	assert(!pack->reading);
	if (weir_record_has(rec, WEIR_F_TS)) {
		rp.ts_ns = rec->values[WEIR_F_TS].v.i64;
	}
	n = list_fields(rec, fields);
	pack_bytes(pack, room, sizeof(room));
	(void)pack_u64(pack, n);
	for (i = 0; i < n && !pack->failed; i++) {
		(void)pack_near(pack, fields[i], last);
		write_value(&rp, rec, fields[i]);
		last = fields[i];
	}
	size = (size_t)(pack->at - rp.begin);
	if (pack->failed || size > UINT16_MAX) {
		pack->failed = true;
		return;
	}
	room[0] = (uint8_t)size;
	room[1] = (uint8_t)(size >> 8);
	memcpy(pack->at - size, room, sizeof(room));
}

/* ---- reading ---- */

/* As weir_record_set_bytes() of what was cut before. */
static void set_text(struct weir_record *rec, size_t field, const struct text *text)
{
	weir_record_set_bytes(rec, field, text->p, text->len, SIZE_MAX);
	if (weir_record_has(rec, field)) {
		rec->values[field].full_len = text->full_len;
	}
}

static void read_header(struct record_pack *rp, struct weir_record *rec, size_t field)
{
	struct text name = read_text(rp), value = read_text(rp);
	uint32_t before = weir_record_has(rec, field) ? rec->values[field].len : 0;
	struct weir_header *headers;

	weir_record_add_header(rec, field, name.p, name.len, value.p, value.len, SIZE_MAX);
	if (weir_record_has(rec, field) && rec->values[field].len > before) {
		/* ours: only readers see it as const */
		memcpy(&headers, &rec->values[field].v.headers, sizeof(headers));
		headers[before].full_len = value.full_len;
		headers[before].redacted = value.flag;
	}
}

static void read_list(struct record_pack *rp, struct weir_record *rec, size_t field,
		      enum weir_kind kind)
{
	uint32_t n = pack_u32(rp->pack, 0);

	for (; n > 0; n--) {
		if (kind == WEIR_KIND_U64S) {
			weir_record_add_u64(rec, field, pack_u64(rp->pack, 0));
		} else if (kind == WEIR_KIND_STRS) {
			struct text text = read_text(rp);

			weir_record_add_str(rec, field, text.p, text.len);
		} else {
			read_header(rp, rec, field);
		}
	}
}

static void read_value(struct record_pack *rp, struct weir_record *rec, size_t field)
{
	enum weir_kind kind = record_kind(rec->schema, field);
	char id[WEIR_ID_LEN];
	struct text text;
	uint64_t n;

	switch (kind) {
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
		weir_record_set_u64(rec, field, pack_u64(rp->pack, 0));
		return;
	case WEIR_KIND_DURATION:
		weir_record_set_i64(rec, field, pack_time(rp->pack, 0, 0));
		return;
	case WEIR_KIND_TIME:
		weir_record_set_i64(rec, field, pack_time(rp->pack, 0, base_of(rp)));
		return;
	case WEIR_KIND_STRS:
	case WEIR_KIND_U64S:
	case WEIR_KIND_HEADERS:
		read_list(rp, rec, field, kind);
		return;
	case WEIR_KIND_STR:
	case WEIR_KIND_ADDRESS:
	case WEIR_KIND_HEX:
		break;
	}
	n = field == WEIR_F_ID || field == WEIR_F_FLOW_ID ? pack_u64(rp->pack, 0) : 0;
	if (n > 0) {
		weir_flow_id(rp->flow, id_time(rp, field), n - 1, id);
		weir_record_set_bytes(rec, field, id, sizeof(id), sizeof(id));
		return;
	}
	text = read_text(rp);
	set_text(rec, field, &text);
}

int record_unpack(struct pack *pack, struct arena_pool *pool, const struct weir_schema *schema,
		  const uint64_t *wanted, const struct weir_flow_info *flow,
		  struct weir_record **ret)
{
	struct record_pack rp = {.pack = pack, .begin = pack->at, .flow = flow};
	struct weir_record *rec;
	uint8_t room[2] = {0};
	size_t field = 0;
	uint64_t n;
	int err;

	assert(pack->reading);
	pack_bytes(pack, room, sizeof(room));
	err = record_new(pool, schema, &rec);
	if (err < 0) {
		pack->at += (size_t)(room[0] | room[1] << 8) - sizeof(room);
		return err;
	}
	rec->flow = flow;
	for (n = pack_u64(pack, 0); n > 0; n--) {
		field = pack_near(pack, 0, field);
		read_value(&rp, rec, field);
		if (field == WEIR_F_TS) {
			rp.ts_ns = rec->values[WEIR_F_TS].v.i64;
		}
	}
	assert(pack->at == rp.begin + (room[0] | room[1] << 8));
	rec->wanted = wanted;
	*ret = rec;
	return 0;
}

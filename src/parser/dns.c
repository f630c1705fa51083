/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS over TCP (RFC 1035, RFC 7766): messages with two bytes of length before each. Queries and responses are paired by their id and
 * question, in any order (RFC 7766 §6.2.1.1); a zone transfer (RFC 5936, RFC 1995) is one exchange with many responses, which ends with the
 * SOA that it began with.
 *
 * A message is taken when it is whole (the engine keeps what there is of it). A hole within one costs that message, because its
 * length is known; a hole that swallows a length leaves the direction LOST until a segment begins with what can only be a message.
 *
 * What is in a message is dns_message.c's. Not done: DNS over UDP (no stream), signatures, EDNS options.
 */
#include "base/arena.h"
#include "base/pack.h"
#include "db/look.h"
#include "parser/dns.h"
#include "parser/probe.h"
#include "record/timing.h"
#include "weir/parser.h"

#include <string.h>

enum {
	HEADER = 12,
	ANSWERS_MAX = 64,       /* listed in a record */
	HOLD_LIMIT = 64 * 1024, /* bytes of responses that wait for their queries */
};

enum dns_field {
	DNS_F_ID = WEIR_NCOMMON,
	DNS_F_OP_CODE,
	DNS_F_NAME,
	DNS_F_TYPE,
	DNS_F_CLASS,
	DNS_F_RESPONSE_CODE,
	DNS_F_ANSWERS,
	DNS_F_ANSWER_NAME,
	DNS_F_ANSWER_TYPE,
	DNS_F_ANSWER_TTL,
	DNS_F_ANSWER_COUNT,
	DNS_F_MESSAGES,
	DNS_F_REQUEST_SIZE,
	DNS_F_RESPONSE_SIZE
};

static const struct weir_field fields[] = {
	{"dns.id", WEIR_KIND_U64, 0, "identifier of the query"},
	{"dns.op_code", WEIR_KIND_STR, 0, "QUERY, NOTIFY, UPDATE ..."},
	{"dns.question.name", WEIR_KIND_STR, 0, "name asked for, its last dot left out"},
	{"dns.question.type", WEIR_KIND_STR, 0, "A, AAAA, MX ...; TYPE65280 without a name"},
	{"dns.question.class", WEIR_KIND_STR, 0, "IN, CH ..."},
	{"dns.response_code", WEIR_KIND_STR, 0, "NOERROR, NXDOMAIN, SERVFAIL ..."},
	{"dns.answers", WEIR_KIND_STRS, 0, "data of the answers, the first 64 of them"},
	{"dns.answer.name", WEIR_KIND_STRS, 0, "names of the same answers"},
	{"dns.answer.type", WEIR_KIND_STRS, 0, "types of the same answers"},
	{"dns.answer.ttl", WEIR_KIND_U64S, 0, "times to live of the same answers, seconds"},
	{"dns.answer.count", WEIR_KIND_U64, 0, "answers, in all messages"},
	{"dns.response.messages", WEIR_KIND_U64, 0, "messages of the response, when several"},
	{"dns.request.size", WEIR_KIND_U64, 0, "bytes of the query, its length included"},
	{"dns.response.size", WEIR_KIND_U64, 0, "bytes of the responses, their lengths included"},
};

static const struct weir_schema dns_schema = {"dns", fields, sizeof(fields) / sizeof(fields[0])};

static const struct weir_anomaly anomaly_gap = {"dns.gap", "info", NULL, "bytes are missing"};
static const struct weir_anomaly anomaly_malformed = {
	"dns.malformed", "medium", "RFC 1035 section 4.1", "a message shorter than what it holds"};
static const struct weir_anomaly anomaly_framing = {"dns.framing", "medium", "RFC 7766 section 8",
						    "a length without message"};

struct dns_message {
	uint64_t size; /* of all its messages */
	int64_t first_ns, last_ns, first_stall_ns, last_stall_ns;
	uint64_t first_packet, last_packet, missing;
	bool begun, done;
};

struct dns_exchange {
	struct weir_record *rec;
	struct dns_exchange *next;
	struct dns_message side[2];
	struct weir_tcp_figures figures;
	uint64_t answers, messages;
	uint32_t question; /* hash of name and type; 0: none */
	uint32_t serial;   /* of a transfer's first SOA */
	uint16_t id, type;
	bool paired_by_order, begun_transfer;
};

struct dns_side {
	uint64_t pos;    /* behind what was parsed */
	uint64_t resume; /* LOST in one message: it ends here */
	uint64_t begin;  /* of the message that is not whole yet: of it are ... */
	uint32_t want;   /* its bytes, length included; 0: not known */
	uint16_t id;     /* its id, when has_id */
	bool has_id, any, closed;
	bool lost;    /* looking for a message */
	bool holding; /* a response waits until c2s is at `awaits` */
	uint64_t awaits;
};

struct dns {
	struct weir_host *host;
	const struct weir_config *config;
	struct dns_side side[2];
	struct dns_exchange *head; /* without (all of) their response, oldest first */
	struct dns_exchange *tail;
	uint32_t npending;
	int reset_by;
	bool timed_out, dark; /* c2s has stopped: responses wait for it no more */
};

/* ---- messages ---- */

static void list_answer(struct dns_exchange *ex, const char *name, size_t name_len, uint16_t type,
			uint32_t ttl, const char *data, size_t data_len)
{
	char number[DNS_NUMBER_TEXT];
	const char *type_name = dns_type_name(type, number);

	ex->answers++;
	if (ex->answers > ANSWERS_MAX) {
		return;
	}
	weir_record_add_str(ex->rec, DNS_F_ANSWERS, data, data_len);
	weir_record_add_str(ex->rec, DNS_F_ANSWER_NAME, name, name_len);
	weir_record_add_str(ex->rec, DNS_F_ANSWER_TYPE, type_name, strlen(type_name));
	weir_record_add_u64(ex->rec, DNS_F_ANSWER_TTL, ttl);
}

/* What the records of a response say. */
struct answer_state {
	uint8_t code_high; /* RFC 6891 §6.1.3: upper bits of the response code */
	bool soa_last;     /* the last answer is the SOA that the transfer began with */
	bool soa_alone;    /* the only answer is a SOA */
};

/* false: the message ends early, or a name is none */
static bool take_records(struct wire *wire, const uint8_t *message, const struct dns_header *header,
			 struct dns_exchange *ex, struct answer_state *ret)
{
	size_t section, i;

	memset(ret, 0, sizeof(*ret));
	for (section = 1; section < 4; section++) {
		for (i = 0; i < header->count[section]; i++) {
			char name[DNS_NAME_TEXT];
			char data[DNS_DATA_TEXT];
			size_t name_len = dns_take_name(wire, message, name);
			uint16_t type = wire_u16(wire);
			uint32_t ttl;
			const uint8_t *p;
			size_t len;

			(void)wire_u16(wire);
			ttl = wire_u32(wire);
			len = wire_u16(wire);
			p = wire_bytes(wire, len);
			if (p == NULL) {
				return false;
			}
			if (section == 3 && type == DNS_TYPE_OPT) {
				ret->code_high = (uint8_t)(ttl >> 24);
			}
			if (section != 1) {
				continue;
			}
			/* names in data may point back into the message: it is read up to the data's end */
			len = dns_data_text(message, p, len, type, data);
			list_answer(ex, name, name_len, type, ttl, data, len);
			ret->soa_last = false;
			if (type == DNS_TYPE_SOA &&
			    (ex->type == DNS_TYPE_AXFR || ex->type == DNS_TYPE_IXFR)) {
				uint32_t serial = dns_serial(message, p, (size_t)(wire->at - p));

				ret->soa_last = ex->begun_transfer && serial == ex->serial;
				if (!ex->begun_transfer) {
					ex->begun_transfer = true;
					ex->serial = serial;
				}
			}
		}
	}
	ret->soa_alone = ex->begun_transfer && ex->answers == 1;
	return true;
}

/* ---- exchanges ---- */

static struct dns_exchange *exchange_new(struct dns *dns, const struct weir_mark *mark)
{
	struct weir_record *rec = weir_host_record(dns->host, &dns_schema, mark->ts_ns);
	struct dns_exchange *ex;

	if (rec == NULL) {
		return NULL;
	}
	ex = arena_alloc(rec->arena, sizeof(*ex));
	if (ex == NULL) {
		weir_host_drop(dns->host, rec);
		return NULL;
	}
	memset(ex, 0, sizeof(*ex));
	ex->rec = rec;
	weir_host_figures(dns->host, &ex->figures);
	return ex;
}

static void touch(struct dns_exchange *ex, enum weir_direction dir, uint64_t size,
		  const struct weir_mark *first, const struct weir_mark *last)
{
	struct dns_message *message = &ex->side[dir];

	if (!message->begun) {
		message->begun = true;
		message->first_ns = first->ts_ns;
		message->last_ns = first->ts_ns;
		message->first_packet = first->packet;
		message->last_packet = first->packet;
		message->first_stall_ns = first->stall_ns;
	}
	message->size += size;
	message->last_stall_ns = last->stall_ns;
	if (last->ts_ns > message->last_ns) {
		message->last_ns = last->ts_ns;
	}
	if (last->packet > message->last_packet) {
		message->last_packet = last->packet;
	}
}

static void set_header(struct dns_exchange *ex, const struct dns_header *header)
{
	char number[DNS_NUMBER_TEXT];

	weir_record_set_u64(ex->rec, DNS_F_ID, header->id);
	weir_record_set_str(ex->rec, DNS_F_OP_CODE,
			    dns_op_code_name((header->flags >> 11) & 15, number));
	if (header->has_question && !weir_record_has(ex->rec, DNS_F_NAME)) {
		weir_record_set_bytes(ex->rec, DNS_F_NAME, header->name, header->name_len,
				      SIZE_MAX);
		weir_record_set_str(ex->rec, DNS_F_TYPE, dns_type_name(header->type, number));
		weir_record_set_str(ex->rec, DNS_F_CLASS, dns_class_name(header->class, number));
	}
}

static const char *completeness(const struct dns_message *query, const struct dns_message *response)
{
	if (!query->begun || !response->begun) {
		return !query->begun ? "no_request" : "no_response";
	}
	if (query->missing + response->missing > 0) {
		return "gap";
	}
	return response->done ? "complete" : "truncated";
}

static struct record_span span_of(const struct dns_message *message)
{
	return (struct record_span){message->first_ns, message->last_ns,
				    message->last_stall_ns - message->first_stall_ns,
				    message->begun};
}

static void fill_times(const struct dns_exchange *ex)
{
	const struct dns_message *query = &ex->side[WEIR_C2S];
	const struct dns_message *response = &ex->side[WEIR_S2C];
	struct record_span request = span_of(query), reply = span_of(response);
	struct weir_record *rec = ex->rec;

	record_set_timing(rec, &request, &reply, 0);
	if (query->begun) {
		weir_record_set_u64(rec, DNS_F_REQUEST_SIZE, query->size);
	}
	if (response->begun) {
		weir_record_set_u64(rec, DNS_F_RESPONSE_SIZE, response->size);
	}
	if (query->begun && response->begun) {
		weir_record_set_static(rec, WEIR_F_PAIRING,
				       ex->paired_by_order ? "order" : "exact");
	}
}

static void fill_figures(struct dns *dns, const struct dns_exchange *ex)
{
	struct weir_tcp_figures now;

	weir_host_figures(dns->host, &now);
	record_set_figures(ex->rec, &ex->figures, &now);
}

static void finish(struct dns *dns, struct dns_exchange *ex)
{
	const struct dns_message *query = &ex->side[WEIR_C2S];
	const struct dns_message *response = &ex->side[WEIR_S2C];
	const struct dns_message *first = query->begun ? query : response;
	struct weir_record *rec = ex->rec;
	uint64_t missing = query->missing + response->missing;

	weir_record_set_u64(rec, WEIR_F_PACKET_FIRST, first->first_packet);
	weir_record_set_u64(rec, WEIR_F_PACKET_LAST,
			    query->last_packet > response->last_packet ? query->last_packet
								       : response->last_packet);
	fill_times(ex);
	fill_figures(dns, ex);
	weir_record_set_static(rec, WEIR_F_COMPLETENESS, completeness(query, response));
	if (missing > 0) {
		weir_record_set_u64(rec, WEIR_F_MISSING_BYTES, missing);
	}
	if (response->begun) {
		weir_record_set_u64(rec, DNS_F_ANSWER_COUNT, ex->answers);
	}
	if (ex->messages > 1) {
		weir_record_set_u64(rec, DNS_F_MESSAGES, ex->messages);
	}
	if (!response->begun && dns->reset_by >= 0) {
		weir_record_set_static(rec, WEIR_F_ERROR_TYPE,
				       dns->reset_by == WEIR_S2C ? "server_reset" : "client_reset");
	} else if (!response->begun && dns->timed_out) {
		weir_record_set_static(rec, WEIR_F_ERROR_TYPE, "timeout");
	}
	weir_host_emit(dns->host, rec);
}

/* Out of the queue. */
static void take_out(struct dns *dns, struct dns_exchange *ex)
{
	struct dns_exchange **at = &dns->head;
	struct dns_exchange *before = NULL;

	for (; *at != ex; at = &before->next) {
		before = *at;
	}
	*at = ex->next;
	dns->tail = dns->tail == ex ? before : dns->tail;
	dns->npending--;
}

static void end_oldest(struct dns *dns)
{
	struct dns_exchange *ex = dns->head;

	take_out(dns, ex);
	finish(dns, ex);
}

static void enqueue(struct dns *dns, struct dns_exchange *ex)
{
	if (dns->npending >= dns->config->pending_limit) {
		end_oldest(dns);
	}
	*(dns->head == NULL ? &dns->head : &dns->tail->next) = ex;
	dns->tail = ex;
	dns->npending++;
}

/* The query that a response answers: the oldest of its id, and of its question where it has one. */
static struct dns_exchange *find(const struct dns *dns, uint16_t id, uint32_t question)
{
	struct dns_exchange *found = NULL;
	struct dns_exchange *ex;

	for (ex = dns->head; ex != NULL; ex = ex->next) {
		if (ex->id != id ||
		    (question != 0 && ex->question != 0 && ex->question != question)) {
			continue;
		}
		if (found == NULL) {
			found = ex;
		} else {
			found->paired_by_order = !found->side[WEIR_S2C].begun; /* two alike */
			break;
		}
	}
	return found;
}

/* ---- a whole message ---- */

static void set_code(struct dns_exchange *ex, const struct dns_header *header, unsigned high)
{
	uint16_t code = (uint16_t)(high << 4 | (header->flags & 15));
	char number[DNS_NUMBER_TEXT];
	const char *name = dns_code_name(code, number);

	weir_record_set_str(ex->rec, DNS_F_RESPONSE_CODE, name);
	if (code != 0) {
		weir_record_set_str(ex->rec, WEIR_F_ERROR_TYPE, name);
	}
}

static void take_query(struct dns *dns, const struct weir_chunk *chunk, uint64_t offset,
		       const uint8_t *p, size_t len)
{
	const struct weir_mark *first = weir_chunk_mark(chunk, offset);
	struct dns_exchange *ex = exchange_new(dns, first);
	struct dns_header header;
	struct wire wire;
	bool sound;

	if (ex == NULL) {
		return;
	}
	wire_init(&wire, p, len);
	sound = dns_take_header(&wire, p, &header);
	touch(ex, WEIR_C2S, len + 2, first, weir_chunk_mark(chunk, offset + len + 1));
	ex->side[WEIR_C2S].done = true;
	ex->id = header.id;
	ex->type = header.has_question ? header.type : 0;
	ex->question = dns_question_hash(&header);
	set_header(ex, &header);
	if (!sound) {
		weir_host_anomaly(dns->host, ex->rec, &anomaly_malformed, WEIR_C2S, offset);
	}
	enqueue(dns, ex);
}

static void take_response(struct dns *dns, const struct weir_chunk *chunk, uint64_t offset,
			  const uint8_t *p, size_t len)
{
	const struct weir_mark *first = weir_chunk_mark(chunk, offset);
	struct answer_state state = {0};
	struct dns_exchange *ex;
	struct dns_header header;
	struct wire wire;
	bool queued, sound;

	wire_init(&wire, p, len);
	sound = dns_take_header(&wire, p, &header);
	ex = find(dns, header.id, dns_question_hash(&header));
	queued = ex != NULL;
	ex = queued ? ex : exchange_new(dns, first);
	if (ex == NULL) {
		return;
	}
	touch(ex, WEIR_S2C, len + 2, first, weir_chunk_mark(chunk, offset + len + 1));
	ex->messages++;
	set_header(ex, &header);
	sound = sound && take_records(&wire, p, &header, ex, &state);
	set_code(ex, &header, state.code_high);
	if (!sound) {
		weir_host_anomaly(dns->host, ex->rec, &anomaly_malformed, WEIR_S2C, offset);
	}
	if (queued && ex->begun_transfer && sound && (header.flags & 15) == 0 && !state.soa_last &&
	    !(ex->type == DNS_TYPE_IXFR && state.soa_alone)) {
		return; /* more messages are to come */
	}
	ex->side[WEIR_S2C].done = true;
	if (queued) {
		take_out(dns, ex);
	}
	finish(dns, ex);
}

/* ---- framing ---- */

/*
 * Is it the beginning of a message, length first? 1, 0: too short to tell, -1: it is none. A query has a question and no answers; what
 * a response holds cannot be told so well.
 */
static int like_message(const uint8_t *p, size_t len, bool response)
{
	struct dns_header header;
	struct wire wire;
	char number[DNS_NUMBER_TEXT];
	size_t all;
	size_t i;

	if (len < 2 + HEADER) {
		return len >= 1 && p[0] > 0x40 && !response ? -1 : 0;
	}
	all = load_be16(p);
	wire_init(&wire, p + 2, len - 2 < all ? len - 2 : all);
	if (all < HEADER || ((p[4] & 0x80) != 0) != response || (p[5] & 0x40) != 0 ||
	    ((p[4] >> 3) & 15) > 6 || load_be16(p + 6) > 1) {
		return -1;
	}
	if (!response && (load_be16(p + 6) != 1 || (p[5] & 15) != 0 || all > 4096 ||
			  load_be16(p + 8) > 2 || load_be16(p + 12) > 4)) {
		return -1;
	}
	if (!dns_take_header(&wire, p + 2, &header)) {
		return len - 2 < all ? 0 : -1;
	}
	if (!header.has_question) {
		return response && header.count[1] > 0 ? 1 : -1;
	}
	for (i = 0; i < header.name_len; i++) {
		if (header.name[i] == '\\') {
			return -1;
		}
	}
	if (header.type == 0 || (header.type > 300 && header.type < 32768) ||
	    dns_class_name(header.class, number) == number) {
		return -1;
	}
	/* old servers of Microsoft put two bytes behind the question of a transfer */
	if (header.count[1] + header.count[2] + header.count[3] == 0 &&
	    wire.at + (header.type == DNS_TYPE_AXFR ? 2 : 0) < p + 2 + all) {
		return -1;
	}
	return 1;
}

/*
 * Out of step at p: a message is believed where a segment begins with one. One segment at a time: each may have to wait for what its sender
 * had received.
 * @return where to go on; in step again, unless it is too short to tell
 */
static const uint8_t *search(struct dns_side *side, enum weir_direction dir,
			     const struct weir_chunk *chunk, const uint8_t *p, bool *ret_more)
{
	const uint8_t *end = chunk->data + chunk->len;
	int like = -1;

	if (db_at_segment(chunk, p)) {
		like = like_message(p, (size_t)(end - p), dir == WEIR_S2C);
	}
	*ret_more = like == 0;
	side->lost = like <= 0;
	return like >= 0 ? p : db_next_segment(chunk, p);
}

static bool must_hold(struct dns *dns, const struct weir_mark *mark, size_t left)
{
	const struct dns_side *c2s = &dns->side[WEIR_C2S];
	int64_t limit_ns = c2s->any ? dns->config->hole_age_ns : dns->config->hole_age_oneway_ns;

	if (mark->peer_ack == WEIR_NO_ACK || c2s->pos >= mark->peer_ack || c2s->closed ||
	    dns->dark) {
		return false;
	}
	if (left >= HOLD_LIMIT || weir_host_now(dns->host) - mark->ts_ns > limit_ns) {
		dns->dark = true; /* until c2s moves again */
		return false;
	}
	return true;
}

/* One message, or what there is of it, at *p, which is moved. A verdict, OK: on with the next */
static enum weir_verdict step(struct dns *dns, enum weir_direction dir,
			      const struct weir_chunk *chunk, const uint8_t **p)
{
	struct dns_side *side = &dns->side[dir];
	const uint8_t *end = chunk->data + chunk->len;
	uint64_t offset = chunk->offset + (uint64_t)(*p - chunk->data);
	size_t left = (size_t)(end - *p);
	size_t len;

	if (offset < side->resume) {
		*p += side->resume - offset < left ? side->resume - offset : left;
		return WEIR_PARSE_OK;
	}
	if (dir == WEIR_S2C && must_hold(dns, weir_chunk_mark(chunk, offset), left)) {
		side->holding = true;
		side->awaits = weir_chunk_mark(chunk, offset)->peer_ack;
		return WEIR_PARSE_HOLD;
	}
	if (dir == WEIR_C2S && dns->side[WEIR_S2C].holding &&
	    dns->side[WEIR_S2C].awaits <= offset) {
		return WEIR_PARSE_HOLD; /* what waited for the queries up to here goes first */
	}
	if (side->lost) {
		bool more;

		*p = search(side, dir, chunk, *p, &more);
		return more ? WEIR_PARSE_NEED : WEIR_PARSE_OK;
	}
	side->begin = offset;
	side->want = left >= 2 ? load_be16(*p) + 2u : 0;
	side->has_id = left >= 4;
	side->id = left >= 4 ? load_be16(*p + 2) : 0;
	if (left >= 2 && side->want < 2 + HEADER) {
		weir_host_anomaly(dns->host, NULL, &anomaly_framing, dir, offset);
		side->lost = true;
		side->want = 0;
		(*p)++;
		return WEIR_PARSE_OK;
	}
	if (left < 2 || left < side->want) {
		return WEIR_PARSE_NEED;
	}
	len = side->want - 2;
	/* RFC 1035 §4.1.1: QR tells the two kinds apart, whoever sends them */
	if ((*(*p + 4) & 0x80) != 0) {
		take_response(dns, chunk, offset, *p + 2, len);
	} else {
		take_query(dns, chunk, offset, *p + 2, len);
	}
	side->want = 0;
	*p += len + 2;
	return WEIR_PARSE_OK;
}

static enum weir_verdict dns_on_data(void *state, struct weir_host *host, enum weir_direction dir,
				     const struct weir_chunk *chunk, struct weir_consumed *ret)
{
	struct dns *dns = state;
	struct dns_side *side = &dns->side[dir];
	const uint8_t *p = chunk->data;
	enum weir_verdict verdict = WEIR_PARSE_OK;

	(void)host;
	side->any = true;
	side->holding = false;
	while (p < chunk->data + chunk->len && verdict == WEIR_PARSE_OK) {
		verdict = step(dns, dir, chunk, &p);
	}
	ret->consumed = (size_t)(p - chunk->data);
	if (chunk->offset + ret->consumed > side->pos) {
		side->pos = chunk->offset + ret->consumed;
		dns->dark = dns->dark && dir != WEIR_C2S;
	}
	return verdict;
}

/* Bytes of a response whose id is known are missing: that is all there will be of it. */
static void lose_response(struct dns *dns, uint64_t missing)
{
	struct dns_exchange *ex = find(dns, dns->side[WEIR_S2C].id, 0);
	struct weir_mark mark = {.ts_ns = weir_host_now(dns->host), .peer_ack = WEIR_NO_ACK};

	if (ex == NULL) {
		return;
	}
	mark.packet = ex->side[WEIR_C2S].last_packet;
	mark.stall_ns = ex->side[WEIR_S2C].last_stall_ns;
	touch(ex, WEIR_S2C, 0, &mark, &mark);
	ex->side[WEIR_S2C].missing += missing;
	if (ex->type != DNS_TYPE_AXFR && ex->type != DNS_TYPE_IXFR) {
		take_out(dns, ex);
		finish(dns, ex);
	}
}

static void dns_on_gap(void *state, struct weir_host *host, enum weir_direction dir,
		       uint64_t offset, uint64_t length, enum weir_gap_cause cause, size_t dropped)
{
	struct dns *dns = state;
	struct dns_side *side = &dns->side[dir];
	uint64_t end = offset + length;

	(void)cause;
	weir_host_anomaly(host, NULL, &anomaly_gap, dir, offset);
	side->any = true;
	if (end <= side->resume) {
		/* within a message that is given up already */
	} else if (!side->lost && side->want > 0 && dropped > 0 &&
		   side->begin == offset - dropped) {
		uint64_t stop = side->begin + side->want;

		if (side->has_id && dir == WEIR_S2C) {
			lose_response(dns, end < stop ? length : stop - offset);
		}
		side->resume = stop;
		side->lost = end > stop;
	} else {
		side->lost = true;
	}
	side->want = 0;
	side->pos = end > side->pos ? end : side->pos;
	dns->dark = dns->dark && dir != WEIR_C2S;
}

static void dns_on_close(void *state, struct weir_host *host, enum weir_direction dir,
			 enum weir_close how, size_t dropped)
{
	struct dns *dns = state;

	(void)dropped;
	dns->side[dir].closed = true;
	dns->side[dir].holding = false;
	dns->timed_out |= how == WEIR_CLOSE_TIMEOUT;
	if (how == WEIR_CLOSE_RST && dns->reset_by < 0) {
		dns->reset_by = weir_host_reset_by(host);
	}
	while (dns->side[WEIR_S2C].closed && dns->head != NULL) {
		end_oldest(dns);
	}
}

static int dns_open(void *state, struct weir_host *host)
{
	struct dns *dns = state;

	dns->host = host;
	dns->config = weir_host_config(host);
	dns->reset_by = -1;
	/* a flow may be seen from its middle on */
	dns->side[WEIR_C2S].lost = true;
	dns->side[WEIR_S2C].lost = true;
	return 0;
}

static void dns_done(void *state, struct weir_host *host)
{
	dns_on_close(state, host, WEIR_C2S, WEIR_CLOSE_END, 0);
	dns_on_close(state, host, WEIR_S2C, WEIR_CLOSE_END, 0);
}

/* Parked as it is, without its zeros and without what open() sets; not with queries that wait. */
static size_t dns_park(void *state, struct weir_host *host, void *to, size_t room)
{
	const struct dns *dns = state;
	struct dns copy = *dns;
	struct pack pack;

	(void)host;
	if (dns->head != NULL) {
		return 0;
	}
	copy.host = NULL;
	copy.config = NULL;
	pack_to(&pack, to, room);
	pack_sparse(&pack, &copy, sizeof(copy));
	return pack.failed ? 0 : (size_t)(pack.at - (uint8_t *)to);
}

static int dns_unpark(void *state, struct weir_host *host, const void *from, size_t len)
{
	struct dns *dns = state;
	struct pack pack;

	pack_from(&pack, from, len);
	pack_sparse(&pack, dns, sizeof(*dns));
	dns->host = host;
	dns->config = weir_host_config(host);
	return 0;
}

/* ---- detection ---- */

static int score(const struct weir_probe *probe, int of_client)
{
	const uint8_t *client = probe->data[of_client], *server = probe->data[!of_client];
	size_t client_len = probe->len[of_client], server_len = probe->len[!of_client];
	int query = client_len == 0 ? 0 : like_message(client, client_len, false);
	int response = server_len == 0 ? 0 : like_message(server, server_len, true);

	if (query < 0 || response < 0) {
		return 0;
	}
	if (query > 0 && response > 0 && load_be16(client + 2) == load_be16(server + 2)) {
		return DB_SURE;
	}
	/* DB_LIKELY is enough where the port agrees */
	return query > 0 || response > 0     ? DB_LIKELY
	       : client_len + server_len > 0 ? DB_WEAK / 2
					     : 0;
}

static struct weir_probe_result dns_probe(const struct weir_probe *probe)
{
	return probe_by_score(probe, score, DB_SURE);
}

static const struct weir_schema *const schemas[] = {&dns_schema, NULL};
static const uint16_t ports[] = {53, 0};

const struct weir_parser parser_dns = {
	.name = "dns",
	.doc = "DNS over TCP, zone transfers included",
	.schemas = schemas,
	.ports = ports,
	.state_size = sizeof(struct dns),
	.probe = dns_probe,
	.open = dns_open,
	.on_data = dns_on_data,
	.on_gap = dns_on_gap,
	.on_close = dns_on_close,
	.done = dns_done,
	.park = dns_park,
	.unpark = dns_unpark,
};

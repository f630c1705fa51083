/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SMTP (RFC 5321; CHUNKING: RFC 3030; STARTTLS: RFC 3207; AUTH: RFC 4954), as mail goes from one server to the next: a record a mail
 * transaction, from MAIL to the reply to its last byte, or to what breaks it off; and one of a session that had none. What is in the message is
 * smtp_mail.c's. Behind STARTTLS the flow is TLS's.
 *
 * Commands and replies are lines; a reply goes on while its code is followed by "-". Replies come in the order of the commands
 * (RFC 2920 lets several be sent at once): `queue` has those that wait for theirs. When replies were lost, one
 * answers the last command that its sender had received, by its acknowledgement.
 *
 * States of the client: COMMANDS; MESSAGE (behind DATA: lines up to a single dot); CHUNK (BDAT: so many bytes). DATA that is refused goes back to
 * COMMANDS. A hole: the message has one, or commands are looked for again where a segment begins with one.
 *
 * Never kept: what follows AUTH.
 */
#include "parser/smtp.h"

#include "parser/probe.h"
#include "record/timing.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { QUEUE = 128, TEXT = 256, HOLD_LIMIT = 64 * 1024 };
enum client_state { COMMANDS, MESSAGE, CHUNK };

/* The commands that mean something here. */
enum command {
	OTHER,
	GREETING,
	HELO,
	MAIL,
	RCPT,
	DATA,
	END_OF_DATA,
	BDAT,
	BDAT_LAST,
	RSET,
	AUTH,
	STARTTLS,
	QUIT
};

static const struct weir_field fields[] = {
	{"smtp.helo", WEIR_KIND_STR, 0, "what the client calls itself"},
	{"smtp.mail_from", WEIR_KIND_STR, 0, "sender of the envelope"},
	{"smtp.rcpt_to", WEIR_KIND_STRS, 0,
	 "recipients of the envelope that the server did not refuse"},
	{"smtp.response.code", WEIR_KIND_U64, 0,
	 "the reply that ended it, or the first that refused"},
	{"smtp.response.text", WEIR_KIND_STR, 0, "what that reply says, its last line"},
	{"email.size", WEIR_KIND_U64, 0, "bytes of the message on the wire"},
	{"email.from", WEIR_KIND_STR, 0, "From of the message"},
	{"email.to", WEIR_KIND_STR, 0, "To of the message"},
	{"email.subject", WEIR_KIND_STR, 0, "Subject, as it came"},
	{"email.message_id", WEIR_KIND_STR, 0, "Message-ID"},
	{"email.attachments.file.name", WEIR_KIND_STRS, 0, "names of the files in it"},
	{"email.attachments.file.size", WEIR_KIND_U64S, 0, "bytes of the same files, decoded"},
	{"email.attachments.file.mime_type", WEIR_KIND_STRS, 0,
	 "types of the same files, as their heads say"},
	{"email.attachments.file.hash.sha256", WEIR_KIND_STRS, 0,
	 "SHA-256 of the same files, decoded; empty with --bodies=size or when bytes are missing"},
	{"email.attachments.count", WEIR_KIND_U64, 0, "files in it, all of them"},
};

static const struct weir_schema smtp_schema = {"smtp", fields, sizeof(fields) / sizeof(fields[0])};

static const struct weir_anomaly anomaly_gap = {"smtp.gap", "info", NULL, "bytes are missing"};
static const struct weir_anomaly anomaly_long = {"smtp.line_too_long", "low",
						 "RFC 5321 section 4.5.3.1",
						 "a command or reply longer than 4 KiB"};
static const struct weir_anomaly anomaly_reply = {"smtp.reply_invalid", "low",
						  "RFC 5321 section 4.2",
						  "a line of the server that begins with no code"};

struct pending {
	uint64_t end; /* c2s offset behind it */
	uint8_t command;
};

struct smtp_side {
	uint64_t pos; /* behind what was parsed */
	bool any, lost, closed;
	bool long_line; /* the rest of a line that is too long */
};

struct smtp {
	struct weir_host *host;
	struct weir_record *rec; /* the mail transaction that is open; NULL: none */
	struct smtp_mail *mail;
	struct smtp_side side[2];
	struct pending queue[QUEUE];
	unsigned first, n; /* of the queue */
	uint8_t state;     /* enum client_state */
	uint64_t chunk_left;
	bool chunk_last;
	bool unsure;            /* replies were lost */
	bool tls;               /* STARTTLS was sent and not yet answered */
	bool mid_line;          /* a piece of the message's line went by */
	bool told;              /* a record of this session has been emitted */
	bool any_mark, refused; /* refused: MAIL was */
	char helo[TEXT];
	size_t helo_len;
	char rcpt
		[TEXT]; /* that waits for its reply; one at a time, else they are taken as they are */
	size_t rcpt_len;
	uint64_t size, missing;
	int64_t begin_ns, send_ns, reply_ns, last_ns; /* send: last byte of the client */
	uint64_t first_packet, last_packet;
	int64_t session_ns;
	uint64_t session_packet;
	struct weir_tcp_figures figures;
	unsigned code; /* of the reply that counts */
};

/* ---- records ---- */

static void touch(struct smtp *smtp, const struct weir_mark *mark)
{
	if (!smtp->any_mark) {
		smtp->any_mark = true;
		smtp->session_ns = mark->ts_ns;
		smtp->session_packet = mark->packet;
		smtp->last_ns = mark->ts_ns;
	}
	smtp->last_ns = mark->ts_ns > smtp->last_ns ? mark->ts_ns : smtp->last_ns;
	smtp->last_packet = mark->packet > smtp->last_packet ? mark->packet : smtp->last_packet;
}

static void begin_record(struct smtp *smtp, int64_t ts_ns, uint64_t packet)
{
	smtp->rec = weir_host_record(smtp->host, &smtp_schema, ts_ns);
	smtp->begin_ns = ts_ns;
	smtp->send_ns = ts_ns;
	smtp->reply_ns = INT64_MIN;
	smtp->first_packet = packet;
	smtp->size = 0;
	smtp->missing = 0;
	smtp->code = 0;
	smtp->refused = false;
	weir_host_figures(smtp->host, &smtp->figures);
	if (smtp->rec != NULL && smtp->helo_len > 0) {
		weir_record_set_bytes(smtp->rec, SMTP_F_HELO, smtp->helo, smtp->helo_len, SIZE_MAX);
	}
}

static void set_times(const struct smtp *smtp, struct weir_record *rec)
{
	struct weir_tcp_figures now;

	weir_record_set_i64(rec, WEIR_F_DURATION, smtp->last_ns - smtp->begin_ns);
	if (smtp->reply_ns != INT64_MIN) {
		weir_record_set_i64(rec, WEIR_F_TIMING_SEND, smtp->send_ns - smtp->begin_ns);
		weir_record_set_i64(rec, WEIR_F_TIMING_WAIT, smtp->reply_ns - smtp->send_ns);
		weir_record_set_i64(rec, WEIR_F_TIMING_RECEIVE, smtp->last_ns - smtp->reply_ns);
	}
	weir_host_figures(smtp->host, &now);
	record_set_figures(rec, &smtp->figures, &now);
}

/* The transaction is over: by its last reply (complete), by another command, or with the flow. */
static void end_record(struct smtp *smtp, bool whole)
{
	struct weir_record *rec = smtp->rec;
	char code[16];

	smtp_mail_free(smtp->mail);
	smtp->mail = NULL;
	smtp->rec = NULL;
	if (rec == NULL) {
		return;
	}
	set_times(smtp, rec);
	weir_record_set_u64(rec, WEIR_F_PACKET_FIRST, smtp->first_packet);
	weir_record_set_u64(rec, WEIR_F_PACKET_LAST, smtp->last_packet);
	if (smtp->size > 0) {
		weir_record_set_u64(rec, SMTP_F_SIZE, smtp->size);
	}
	if (smtp->missing > 0) {
		weir_record_set_u64(rec, WEIR_F_MISSING_BYTES, smtp->missing);
	}
	weir_record_set_static(rec, WEIR_F_COMPLETENESS,
			       !smtp->side[WEIR_C2S].any   ? "no_request"
			       : !smtp->side[WEIR_S2C].any ? "no_response"
			       : smtp->missing > 0         ? "gap"
			       : whole                     ? "complete"
							   : "truncated");
	if (smtp->code >= 400) {
		(void)snprintf(code, sizeof(code), "%u", smtp->code);
		weir_record_set_str(rec, WEIR_F_ERROR_TYPE, code);
	}
	weir_host_emit(smtp->host, rec);
	smtp->told = true;
}

/* ---- the queue ---- */

static void enqueue(struct smtp *smtp, enum command command, uint64_t end)
{
	struct pending *at;

	if (smtp->n == QUEUE) {
		smtp->first = (smtp->first + 1) % QUEUE;
		smtp->n--;
		smtp->unsure = true;
	}
	at = &smtp->queue[(smtp->first + smtp->n++) % QUEUE];
	at->command = (uint8_t)command;
	at->end = end;
}

/* Which command a reply answers. */
static enum command dequeue(struct smtp *smtp, uint64_t peer_ack)
{
	enum command command = OTHER;

	if (smtp->unsure && peer_ack != WEIR_NO_ACK) {
		/* RFC 5321 §4.2: a client that does not pipeline waits: the last command that had arrived */
		while (smtp->n > 1 && smtp->queue[(smtp->first + 1) % QUEUE].end <= peer_ack) {
			smtp->first = (smtp->first + 1) % QUEUE;
			smtp->n--;
		}
	}
	if (smtp->n > 0) {
		command = (enum command)smtp->queue[smtp->first].command;
		smtp->first = (smtp->first + 1) % QUEUE;
		smtp->n--;
	}
	smtp->unsure = smtp->unsure && smtp->n > 0;
	return command;
}

/* ---- the client ---- */

struct verb {
	const char *text;
	uint8_t command;
};

static const struct verb verbs[] = {
	{"EHLO", HELO},     {"HELO", HELO},  {"LHLO", HELO},         {"MAIL FROM:", MAIL},
	{"RCPT TO:", RCPT}, {"DATA", DATA},  {"BDAT", BDAT},         {"RSET", RSET},
	{"AUTH", AUTH},     {"QUIT", QUIT},  {"STARTTLS", STARTTLS}, {"NOOP", OTHER},
	{"VRFY", OTHER},    {"EXPN", OTHER}, {"HELP", OTHER},        {"ETRN", OTHER},
};

/* The verb that a line begins with; NULL: none that we know. More of it may come when len is short. */
static const struct verb *verb_of(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		size_t n = strlen(verbs[i].text);

		if (len >= n && (p[0] | 0x20) == (verbs[i].text[0] | 0x20) &&
		    strncasecmp((const char *)p, verbs[i].text, n) == 0 &&
		    (len == n || verbs[i].text[n - 1] == ':' || p[n] == ' ' || p[n] == '\r' ||
		     p[n] == '\n')) {
			return &verbs[i];
		}
	}
	return NULL;
}

/* What a command is about: the rest of its line, of an address up to its parameters. */
static const uint8_t *argument(const uint8_t *p, size_t len, size_t verb, size_t *ret_len)
{
	const uint8_t *end = p + len;
	const uint8_t *stop;

	p += verb;
	while (p < end && *p == ' ') {
		p++;
	}
	stop = p < end && *p == '<' ? memchr(p, '>', (size_t)(end - p))
				    : memchr(p, ' ', (size_t)(end - p));
	*ret_len = stop == NULL ? (size_t)(end - p) : (size_t)(stop - p) + (*p == '<');
	return p;
}

static void add_recipient(struct smtp *smtp)
{
	if (smtp->rec != NULL && smtp->rcpt_len > 0 &&
	    (!weir_record_has(smtp->rec, SMTP_F_TO) ||
	     smtp->rec->values[SMTP_F_TO].len < SMTP_LIST_MAX)) {
		weir_record_add_str(smtp->rec, SMTP_F_TO, smtp->rcpt, smtp->rcpt_len);
	}
	smtp->rcpt_len = 0;
}

static void begin_message(struct smtp *smtp)
{
	if (smtp->rec != NULL && smtp->mail == NULL) {
		smtp->mail = smtp_mail_new(smtp->host, smtp->rec);
	}
}

/* BDAT n [LAST]. @return OTHER: it is none, and a server refuses it */
static enum command take_bdat(struct smtp *smtp, const uint8_t *p, size_t len)
{
	uint64_t n = 0;
	size_t i, digits;

	for (i = 4; i < len && p[i] == ' '; i++) {
	}
	for (digits = i; i < len && p[i] >= '0' && p[i] <= '9'; i++) {
		n = n > UINT64_MAX / 16 ? n : n * 10 + (uint64_t)(p[i] - '0');
	}
	smtp->chunk_last = len == i + 5 && strncasecmp((const char *)p + i, " LAST", 5) == 0;
	if (i == digits || (i < len && !smtp->chunk_last)) {
		return OTHER;
	}
	smtp->chunk_left = n;
	smtp->state = n > 0 ? CHUNK : COMMANDS;
	begin_message(smtp);
	return smtp->chunk_last ? BDAT_LAST : BDAT;
}

/* A command, without its line end; `end` is the offset behind it. */
static void take_command(struct smtp *smtp, const uint8_t *p, size_t len,
			 const struct weir_mark *mark, uint64_t end)
{
	const struct verb *verb = verb_of(p, len);
	enum command command = verb == NULL ? OTHER : (enum command)verb->command;
	const uint8_t *about;
	size_t n;

	touch(smtp, mark);
	if (smtp->n > 0 && smtp->queue[smtp->first].command == AUTH) {
		return; /* RFC 4954 §4: not a command, but what was asked for */
	}
	/* RFC 5321 §4.1.4: while a transaction is open MAIL is out of order; 503 answers it */
	if (command == MAIL && smtp->rec != NULL && !smtp->refused) {
		command = OTHER;
	}
	if (command == MAIL || command == RSET || command == HELO || command == QUIT) {
		end_record(smtp, true);
	}
	if (command == HELO || command == MAIL || command == RCPT) {
		about = argument(p, len, strlen(verb->text), &n);
		n = n < TEXT ? n : TEXT;
		if (command == HELO) {
			memcpy(smtp->helo, about, n);
			smtp->helo_len = n;
		} else if (command == MAIL) {
			begin_record(smtp, mark->ts_ns, mark->packet);
			if (smtp->rec != NULL) {
				weir_record_set_bytes(smtp->rec, SMTP_F_FROM, about, n, SIZE_MAX);
			}
		} else {
			add_recipient(smtp); /* the one before, whose reply is still to come */
			memcpy(smtp->rcpt, about, n);
			smtp->rcpt_len = n;
		}
	} else if (command == DATA) {
		smtp->state = MESSAGE;
		smtp->mid_line = false;
	} else if (command == BDAT) {
		command = take_bdat(smtp, p, len);
	} else if (command == STARTTLS) {
		smtp->tls = true;
	}
	smtp->send_ns = mark->ts_ns > smtp->send_ns ? mark->ts_ns : smtp->send_ns;
	enqueue(smtp, command, end);
}

/* A line of the message, with its line end, or a piece of a longer one. */
static void take_text(struct smtp *smtp, const uint8_t *p, size_t len, const struct weir_mark *mark,
		      uint64_t end)
{
	bool begins = !smtp->mid_line;

	touch(smtp, mark);
	smtp->send_ns = mark->ts_ns > smtp->send_ns ? mark->ts_ns : smtp->send_ns;
	smtp->mid_line = p[len - 1] != '\n';
	if (begins && p[0] == '.' && (len == 2 || (len == 3 && p[1] == '\r'))) {
		smtp->state = COMMANDS;
		enqueue(smtp, END_OF_DATA, end);
		return;
	}
	smtp->size += len;
	begin_message(smtp);
	if (smtp->mail != NULL) {
		/* RFC 5321 §4.5.2: a dot at the beginning of a line was put there */
		smtp_mail_feed(smtp->mail, p + (begins && p[0] == '.'),
			       len - (begins && p[0] == '.'), begins);
	}
}

/* ---- the server ---- */

/* The reply that counts: the one that refused, or the last. */
static void set_reply(struct smtp *smtp, unsigned code, const uint8_t *text, size_t len)
{
	if (smtp->rec == NULL || smtp->code >= 400) {
		return;
	}
	smtp->code = code;
	weir_record_set_u64(smtp->rec, SMTP_F_CODE, code);
	weir_record_set_bytes(smtp->rec, SMTP_F_TEXT, text, len, SMTP_TEXT_MAX);
}

/* A whole reply. @return true: TLS begins behind it */
static bool take_reply(struct smtp *smtp, unsigned code, const uint8_t *text, size_t len,
		       const struct weir_mark *mark)
{
	enum command command;

	if (code == 334) {
		return false; /* more is asked for: the command goes on */
	}
	command = dequeue(smtp, mark->peer_ack);
	switch (command) {
	case MAIL:
		smtp->refused = code >= 400;
		if (code >= 400) {
			set_reply(smtp, code, text, len);
		}
		break;
	case RCPT:
		if (code < 400) {
			add_recipient(smtp);
		} else {
			smtp->rcpt_len = 0;
			set_reply(smtp, code, text, len);
		}
		break;
	case DATA:
		if (code != 354) {
			smtp->state = smtp->state == MESSAGE ? COMMANDS : smtp->state;
			set_reply(smtp, code, text, len);
		}
		break;
	case BDAT:
		if (code >= 400) {
			set_reply(smtp, code, text, len);
		}
		break;
	case END_OF_DATA:
	case BDAT_LAST:
		smtp->reply_ns = mark->ts_ns;
		set_reply(smtp, code, text, len);
		end_record(smtp, true);
		break;
	case STARTTLS:
		smtp->tls = false;
		return code == 220;
	default:
		break;
	}
	return false;
}

/* A line of the server. @return true: TLS begins behind it */
static bool take_reply_line(struct smtp *smtp, const uint8_t *p, size_t len,
			    const struct weir_mark *mark, uint64_t offset)
{
	unsigned code;

	touch(smtp, mark);
	if (len < 3 || p[0] < '2' || p[0] > '5' || p[1] < '0' || p[1] > '9' || p[2] < '0' ||
	    p[2] > '9') {
		weir_host_anomaly(smtp->host, smtp->rec, &anomaly_reply, WEIR_S2C, offset);
		return false;
	}
	if (len > 3 && p[3] == '-') {
		return false;
	}
	code = (unsigned)(p[0] - '0') * 100 + (unsigned)(p[1] - '0') * 10 + (unsigned)(p[2] - '0');
	return take_reply(smtp, code, p + (len > 4 ? 4 : len), len > 4 ? len - 4 : 0, mark);
}

/* ---- lines ---- */

static bool begins_segment(const struct weir_chunk *chunk, uint64_t offset)
{
	return weir_chunk_mark(chunk, offset)->offset == offset;
}

/* Out of step: lines are passed by until a segment begins with one that can be believed. */
static bool is_found(struct smtp_side *side, enum weir_direction dir,
		     const struct weir_chunk *chunk, uint64_t offset, const uint8_t *p, size_t len)
{
	if (!begins_segment(chunk, offset)) {
		return false;
	}
	side->lost = dir == WEIR_C2S ? verb_of(p, len) == NULL
				     : len < 4 || p[0] < '2' || p[0] > '5' || p[1] < '0' ||
					       p[1] > '5' || (p[3] != ' ' && p[3] != '-');
	return !side->lost;
}

static bool must_hold(const struct smtp *smtp, const struct weir_chunk *chunk)
{
	return smtp->tls && smtp->side[WEIR_S2C].any && !smtp->side[WEIR_S2C].closed &&
	       chunk->len < HOLD_LIMIT;
}

/* One line at p, of `len` bytes with its end, or a piece of a long one. */
static enum weir_verdict take_line(struct smtp *smtp, enum weir_direction dir,
				   const struct weir_chunk *chunk, const uint8_t *p, size_t len)
{
	struct smtp_side *side = &smtp->side[dir];
	uint64_t offset = chunk->offset + (uint64_t)(p - chunk->data);
	const struct weir_mark *mark = weir_chunk_mark(chunk, offset + len - 1);
	bool whole = p[len - 1] == '\n';
	bool rest = side->long_line;
	size_t n = len;

	if (dir == WEIR_C2S && smtp->state == MESSAGE && !side->lost) {
		take_text(smtp, p, len, mark, offset + len);
		return WEIR_PARSE_OK;
	}
	while (n > 0 && (p[n - 1] == '\n' || p[n - 1] == '\r')) {
		n--;
	}
	side->long_line = !whole;
	if (rest || (side->lost && !is_found(side, dir, chunk, offset, p, n))) {
		return WEIR_PARSE_OK;
	}
	if (!whole) {
		weir_host_anomaly(smtp->host, smtp->rec, &anomaly_long, dir, offset);
	}
	if (dir == WEIR_C2S) {
		take_command(smtp, p, n, mark, offset + len);
	} else if (take_reply_line(smtp, p, n, mark, offset)) {
		return WEIR_PARSE_SWITCH;
	}
	return WEIR_PARSE_OK;
}

/* Bytes of a BDAT chunk, a line of the message at a time. */
static size_t take_chunk(struct smtp *smtp, const struct weir_chunk *chunk, const uint8_t *p,
			 size_t len)
{
	uint64_t offset = chunk->offset + (uint64_t)(p - chunk->data);

	if (len > smtp->chunk_left) {
		len = (size_t)smtp->chunk_left;
	}
	touch(smtp, weir_chunk_mark(chunk, offset + len - 1));
	smtp->send_ns = smtp->last_ns;
	smtp->size += len;
	smtp->chunk_left -= len;
	if (smtp->mail != NULL) {
		smtp_mail_feed(smtp->mail, p, len, !smtp->mid_line);
	}
	smtp->mid_line = p[len - 1] != '\n';
	if (smtp->chunk_left == 0) {
		smtp->state = COMMANDS;
	}
	return len;
}

/* What there is of a line at p: bytes, SMTP_LINE_MAX of a longer one; 0: its end is still to come. */
static size_t line_at(const uint8_t *p, size_t left)
{
	const uint8_t *newline = memchr(p, '\n', left < SMTP_LINE_MAX ? left : SMTP_LINE_MAX);

	return newline != NULL         ? (size_t)(newline - p) + 1
	       : left >= SMTP_LINE_MAX ? SMTP_LINE_MAX
				       : 0;
}

static enum weir_verdict smtp_on_data(void *state, struct weir_host *host, enum weir_direction dir,
				      const struct weir_chunk *chunk, struct weir_consumed *ret)
{
	struct smtp *smtp = state;
	struct smtp_side *side = &smtp->side[dir];
	const uint8_t *p = chunk->data;
	const uint8_t *end = p + chunk->len;
	enum weir_verdict verdict = WEIR_PARSE_OK;

	(void)host;
	side->any = true;
	while (p < end && verdict == WEIR_PARSE_OK) {
		size_t left = (size_t)(end - p);
		size_t len = line_at(p, left);

		if (dir == WEIR_C2S && must_hold(smtp, chunk)) {
			verdict = WEIR_PARSE_HOLD;
			break;
		}
		if (dir == WEIR_C2S && smtp->state == CHUNK) {
			if (len == 0 && left < smtp->chunk_left) {
				verdict = WEIR_PARSE_NEED;
				break;
			}
			p += take_chunk(smtp, chunk, p, len == 0 ? left : len);
			continue;
		}
		if (len == 0) {
			verdict = WEIR_PARSE_NEED;
			break;
		}
		verdict = take_line(smtp, dir, chunk, p, len);
		p += len;
	}
	ret->consumed = (size_t)(p - chunk->data);
	ret->next = verdict == WEIR_PARSE_SWITCH ? "tls" : NULL;
	side->pos = chunk->offset + ret->consumed;
	return verdict;
}

static void smtp_on_gap(void *state, struct weir_host *host, enum weir_direction dir,
			uint64_t offset, uint64_t length, enum weir_gap_cause cause, size_t dropped)
{
	struct smtp *smtp = state;
	struct smtp_side *side = &smtp->side[dir];
	uint64_t of_chunk = length + dropped;

	(void)cause;
	weir_host_anomaly(host, smtp->rec, &anomaly_gap, dir, offset);
	side->any = true;
	side->long_line = false;
	smtp->missing += length;
	smtp->unsure = true;
	if (dir == WEIR_C2S && smtp->state != COMMANDS) {
		/* within a message: its next line goes on */
		smtp->mid_line = true;
		smtp->size += dropped;
		if (smtp->mail != NULL) {
			smtp_mail_gap(smtp->mail);
		}
		if (smtp->state == CHUNK && of_chunk >= smtp->chunk_left) {
			smtp->state = COMMANDS;
			side->lost = true;
		} else if (smtp->state == CHUNK) {
			smtp->chunk_left -= of_chunk;
		}
	} else {
		side->lost = true;
	}
}

static void smtp_on_close(void *state, struct weir_host *host, enum weir_direction dir,
			  enum weir_close how, size_t dropped)
{
	struct smtp *smtp = state;

	(void)host;
	(void)how;
	(void)dropped;
	smtp->side[dir].closed = true;
	if (smtp->side[!dir].closed) {
		end_record(smtp, false);
	}
}

static int smtp_open(void *state, struct weir_host *host)
{
	struct smtp *smtp = state;

	smtp->host = host;
	/* a flow may be seen from its middle on */
	smtp->side[WEIR_C2S].lost = true;
	smtp->side[WEIR_S2C].lost = true;
	enqueue(smtp, GREETING, 0);
	smtp->unsure = true;
	return 0;
}

static void smtp_done(void *state, struct weir_host *host)
{
	struct smtp *smtp = state;

	(void)host;
	end_record(smtp, false);
	if (!smtp->told && smtp->any_mark) {
		begin_record(smtp, smtp->session_ns, smtp->session_packet);
		end_record(smtp, true);
	}
}

/* ---- detection ---- */

enum { SURE = 95, LIKELY = 70, WEAK = 30 };

static bool has_word(const uint8_t *p, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (; len >= n; p++, len--) {
		if (strncasecmp((const char *)p, word, n) == 0) {
			return true;
		}
	}
	return false;
}

static int client_score(const uint8_t *p, size_t len)
{
	const struct verb *verb = verb_of(p, len);

	if (verb == NULL) {
		return len < 10 ? WEAK : 0;
	}
	/* others have QUIT, NOOP and DATA, too */
	return verb->command == MAIL || verb->command == RCPT || (verb->command == HELO && len > 5)
		       ? SURE
		       : WEAK;
}

static int server_score(const uint8_t *p, size_t len)
{
	if (len < 4) {
		return len >= 1 && p[0] != '2' ? 0 : WEAK;
	}
	if (memcmp(p, "220", 3) != 0 || (p[3] != ' ' && p[3] != '-')) {
		return 0;
	}
	return has_word(p, len, "SMTP") ? SURE : memchr(p, '\n', len) == NULL ? WEAK : LIKELY - 11;
}

static int score(const struct weir_probe *probe, int asker)
{
	const uint8_t *client = probe->data[asker], *server = probe->data[!asker];
	size_t client_len = probe->len[asker], server_len = probe->len[!asker];
	int of_client = client_len == 0 ? 0 : client_score(client, client_len);
	int of_server = server_len == 0 ? 0 : server_score(server, server_len);

	if (of_client == SURE || of_server == SURE) {
		return SURE;
	}
	if ((client_len > 0 && of_client == 0) || (server_len > 0 && of_server == 0)) {
		return 0;
	}
	return of_client > of_server ? of_client : of_server;
}

static struct weir_probe_result smtp_probe(const struct weir_probe *probe)
{
	return probe_by_score(probe, score, SURE);
}

static const struct weir_schema *const schemas[] = {&smtp_schema, NULL};
static const uint16_t ports[] = {25, 587, 2525, 0};

const struct weir_parser parser_smtp = {
	.name = "smtp",
	.doc = "mail transactions and the files in them, up to STARTTLS",
	.schemas = schemas,
	.ports = ports,
	.state_size = sizeof(struct smtp),
	.probe = smtp_probe,
	.open = smtp_open,
	.on_data = smtp_on_data,
	.on_gap = smtp_on_gap,
	.on_close = smtp_on_close,
	.done = smtp_done,
};

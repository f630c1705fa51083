/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of HTTP/1 heads, header lines and what they mean (RFC 9112 §2.2, §5; RFC 9110 §5).
 *
 * A token is a line, with the lines folded into it. A line is consumed when its end, and the byte behind it (is it
 * folded?), are there; the engine carries an unfinished one. A line longer than the limit is taken as far as the limit and
 * the rest of it is counted only: by position in the line, not by how the bytes arrive.
 *
 * What the record keeps is copied line by line; nothing is remembered of a header that neither framing nor the record
 * needs. What headers mean is in http1_fields.c.
 */
#include "parser/http1.h"

#include "base/arena.h"
#include "http/scan.h"
#include "record/header_names.h"
#include "record/record.h"

#include <string.h>

enum {
	LINE_SLACK =
		512, /* for name, method, version and white space beside what is kept of a target or value */
	SOUND_LINES = 32 /* taken at a time */
};

size_t http1_line_limit(const struct http1 *http)
{
	const struct weir_config *config = http->config;
	size_t limit = config->target_limit > config->value_limit ? config->target_limit
								  : config->value_limit;

	limit += LINE_SLACK;
	return limit < config->head_limit || config->head_limit < LINE_SLACK ? limit
									     : config->head_limit;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t';
}

int http1_take_line(struct http1_cursor *cur, size_t limit, bool folds, const uint8_t **ret_lf)
{
	const uint8_t *at = cur->p + cur->side->scanned;

	for (;;) {
		const uint8_t *lf = memchr(at, '\n', (size_t)(cur->end - at));

		if (lf == NULL || (size_t)(lf - cur->p) >= limit) {
			if ((size_t)(cur->end - cur->p) >= limit) {
				return HTTP1_LONG;
			}
			cur->side->scanned = (uint32_t)(cur->end - cur->p);
			return WEIR_PARSE_NEED;
		}
		if (!folds) {
			*ret_lf = lf;
			return HTTP1_GO;
		}
		if (lf + 1 == cur->end) {
			cur->side->scanned = (uint32_t)(lf - cur->p);
			return WEIR_PARSE_NEED;
		}
		if (!is_space(lf[1])) {
			*ret_lf = lf;
			return HTTP1_GO;
		}
		at = lf + 1; /* RFC 9112 §5.2 obs-fold */
	}
}

/* ---- odd bytes ---- */

/* Is there one below 0x20 or above 0x7e? */
static bool has_odd_bytes(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] < 0x20 || p[i] > 0x7e) {
			return true;
		}
	}
	return false;
}

static void tell_odd_bytes(struct http1_cursor *cur, struct http1_exchange *ex, const uint8_t *p,
			   const uint8_t *end)
{
	for (; p < end; p++) {
		enum http_anomaly what;

		if ((*p >= 0x20 && *p < 0x7f) || *p == '\t') {
			continue;
		}
		if (*p == '\r' || *p == '\n') {
			if (*p == '\n' || (p + 1 < end && p[1] == '\n')) {
				continue; /* of a fold */
			}
			what = HTTP_A_BARE_CR;
		} else if (*p == 0) {
			what = HTTP_A_NUL;
		} else {
			what = *p >= 0x80 ? HTTP_A_HEADER_8BIT : HTTP_A_HEADER_CTL;
		}
		http1_anomaly(cur->http, ex, cur->dir, what, http1_offset(cur, p));
	}
}

/* The end of a line without CR LF. RFC 9112 §2.2: a lone LF may be taken for it */
const uint8_t *http1_strip_cr(struct http1_cursor *cur, struct http1_exchange *ex,
			      const uint8_t *lf)
{
	if (lf > cur->p && lf[-1] == '\r') {
		return lf - 1;
	}
	http1_anomaly(cur->http, ex, cur->dir, HTTP_A_BARE_LF, http1_offset(cur, lf));
	return lf;
}

struct weir_str http1_keep(struct http1_exchange *ex, const uint8_t *p, size_t len)
{
	struct weir_str copy = {arena_dup(ex->rec->arena, p, len), (uint32_t)len};

	if (copy.p == NULL) {
		copy.len = 0;
	}
	return copy;
}

/* ---- header lines ---- */

/* One header line, name and value apart. */
struct header {
	struct weir_str name;
	struct weir_str value;
	uint64_t full_len; /* of the value */
	bool odd_name;     /* a CR in the name: nothing to be heeded */
};

/* RFC 9112 §5.2: a fold is as good as a space */
static struct weir_str unfold(struct http1_exchange *ex, struct weir_str value)
{
	uint8_t *copy = arena_bytes(ex->rec->arena, value.len);
	size_t n = 0;
	size_t i;

	if (copy == NULL) {
		return (struct weir_str){value.p, 0};
	}
	for (i = 0; i < value.len; i++) {
		if (value.p[i] == '\n' ||
		    (value.p[i] == '\r' && i + 1 < value.len && value.p[i + 1] == '\n')) {
			while (n > 0 && is_space(copy[n - 1])) {
				n--;
			}
			while (i + 1 < value.len &&
			       (is_space(value.p[i + 1]) || value.p[i + 1] == '\n')) {
				i++;
			}
			copy[n++] = ' ';
			continue;
		}
		copy[n++] = value.p[i];
	}
	return (struct weir_str){copy, (uint32_t)n};
}

static inline struct weir_str trim(struct weir_str text)
{
	/* RFC 9112 §5.1: white space around the value is not part of it; nearly always a space before it */
	if (text.len > 1 && text.p[0] == ' ' && text.p[1] > ' ' && text.p[text.len - 1] > ' ') {
		return (struct weir_str){text.p + 1, text.len - 1};
	}
	while (text.len > 0 && is_space(text.p[0])) {
		text.p++;
		text.len--;
	}
	while (text.len > 0 && is_space(text.p[text.len - 1])) {
		text.len--;
	}
	return text;
}

/* Is the next header within the limits? */
static bool is_kept(const struct http1 *http, const struct http1_message *message)
{
	return message->nheaders < http->config->header_limit &&
	       message->head_size <= http->config->head_limit;
}

/* Name and value are apart: record, and heed. */
static void take_header(struct http1_cursor *cur, struct http1_exchange *ex,
			const struct header *header)
{
	struct http1_message *message = &ex->side[cur->dir];
	const struct weir_config *config = cur->http->config;
	bool trailer = message->head_done;
	bool kept = is_kept(cur->http, message);
	size_t field =
		http_side(cur->dir, trailer ? HTTP_F_REQUEST_TRAILER : HTTP_F_REQUEST_HEADER);

	message->nheaders += message->nheaders < UINT32_MAX;
	if (!kept) {
		http1_anomaly(cur->http, ex, cur->dir, HTTP_A_HEAD_TOO_LARGE,
			      http1_offset(cur, cur->p));
	} else if (!ex->interim || cur->dir == WEIR_C2S) {
		weir_record_add_header(
			ex->rec, field, header->name.p, header->name.len, header->value.p,
			header->full_len,
			http1_readable(header->value, header->full_len, config->value_limit));
	}
	if (!trailer) {
		if (!header->odd_name) {
			http1_heed(cur, ex, header->name, header->value);
		}
	} else if (http1_is_forbidden_trailer(header->name)) {
		http1_anomaly(cur->http, ex, cur->dir, HTTP_A_TRAILER_FORBIDDEN,
			      http1_offset(cur, cur->p));
	}
}

/* Split [p, eol) at its colon. */
static void split_header(struct http1_cursor *cur, struct http1_exchange *ex, const uint8_t *p,
			 const uint8_t *eol, struct header *ret)
{
	const uint8_t *colon = memchr(p, ':', (size_t)(eol - p));
	const uint8_t *stop = colon == NULL ? eol : colon;

	ret->value = (struct weir_str){eol, 0};
	if (colon == NULL) {
		http1_anomaly(cur->http, ex, cur->dir, HTTP_A_HEADER_INVALID, http1_offset(cur, p));
	} else {
		ret->value = trim((struct weir_str){colon + 1, (uint32_t)(eol - colon - 1)});
		if (stop > p && is_space(stop[-1])) {
			http1_anomaly(cur->http, ex, cur->dir, HTTP_A_WS_BEFORE_COLON,
				      http1_offset(cur, stop));
			while (stop > p && is_space(stop[-1])) {
				stop--;
			}
		}
		if (stop == p || memchr(p, ' ', (size_t)(stop - p)) != NULL) {
			http1_anomaly(cur->http, ex, cur->dir, HTTP_A_HEADER_INVALID,
				      http1_offset(cur, p));
		}
	}
	ret->name = (struct weir_str){p, (uint32_t)(stop - p)};
	ret->full_len = ret->value.len;
	ret->odd_name = memchr(p, '\r', ret->name.len) != NULL;
}

/* The line [cur->p, lf]. */
static void take_header_line(struct http1_cursor *cur, struct http1_exchange *ex, const uint8_t *lf)
{
	const uint8_t *eol = http1_strip_cr(cur, ex, lf);
	struct header header;

	split_header(cur, ex, cur->p, eol, &header);
	if (has_odd_bytes(cur->p, (size_t)(eol - cur->p))) {
		tell_odd_bytes(cur, ex, cur->p, eol);
		if (memchr(cur->p, '\n', (size_t)(eol - cur->p)) != NULL) {
			http1_anomaly(cur->http, ex, cur->dir, HTTP_A_OBS_FOLD,
				      http1_offset(cur, cur->p));
		}
		if (memchr(header.value.p, '\n', header.value.len) != NULL &&
		    is_kept(cur->http, &ex->side[cur->dir])) {
			header.value = trim(unfold(ex, header.value));
			header.full_len = header.value.len;
		}
	}
	take_header(cur, ex, &header);
}

/* A header beyond the limit: keep what the record keeps, count the rest. */
static void begin_long_header(struct http1_cursor *cur, struct http1_exchange *ex, size_t limit)
{
	size_t most = cur->http->config->value_limit + 1;
	struct header header;

	split_header(cur, ex, cur->p, cur->p + limit, &header);
	if (!is_kept(cur->http, &ex->side[cur->dir])) {
		most = 0;
	}
	ex->long_name =
		http1_keep(ex, header.name.p, header.name.len < most ? header.name.len : most);
	ex->long_value =
		http1_keep(ex, header.value.p, header.value.len < most ? header.value.len : most);
	ex->long_len = header.value.len;
	ex->side[cur->dir].head_size += (uint32_t)limit;
	cur->side->long_start = false;
	http1_goto(cur->side, HTTP1_LONG_LINE);
	http1_advance(cur, cur->p + limit);
}

static uint32_t add_size(uint32_t size, size_t more)
{
	return more > UINT32_MAX - size ? UINT32_MAX : size + (uint32_t)more;
}

/* The last bytes of a long line, for the version at the end of a request line and the CR before the LF. */
static void keep_tail(struct http1_exchange *ex, const uint8_t *p, size_t n)
{
	if (n >= HTTP1_TAIL) {
		memcpy(ex->tail, p + n - HTTP1_TAIL, HTTP1_TAIL);
		return;
	}
	memmove(ex->tail, ex->tail + n, HTTP1_TAIL - n);
	memcpy(ex->tail + HTTP1_TAIL - n, p, n);
}

static void end_long_request_line(struct http1_cursor *cur, struct http1_exchange *ex)
{
	struct http1_start_line line;
	uint8_t text[2 + HTTP1_TAIL] = "X ";
	size_t n = HTTP1_TAIL;

	n -= ex->tail[n - 1] == '\r';
	memcpy(text + 2, ex->tail, n);
	/* its last word is the version, if it is one: read it as the end of a request line */
	if (http1_request_line(text, 2 + n, &line) && line.version_kind != VERSION_09) {
		ex->side[WEIR_C2S].version = line.version_kind;
		ex->target_len -= HTTP1_TAIL - (n - line.version.len - 6);
	} else {
		http1_anomaly(cur->http, ex, WEIR_C2S, HTTP_A_VERSION_INVALID,
			      http1_offset(cur, cur->p));
	}
}

int http1_step_long_line(struct http1_cursor *cur)
{
	struct http1_exchange *ex = http1_current(cur->http, cur->dir);
	struct http1_message *message = &ex->side[cur->dir];
	const uint8_t *lf = memchr(cur->p, '\n', (size_t)(cur->end - cur->p));
	const uint8_t *stop = lf == NULL ? cur->end : lf;
	size_t n = (size_t)(stop - cur->p);

	message->head_size = add_size(message->head_size, n);
	ex->long_len += n;
	ex->target_len += cur->dir == WEIR_C2S && cur->side->long_start ? n : 0;
	keep_tail(ex, cur->p, n);
	if (lf == NULL) {
		http1_advance(cur, cur->end);
		return HTTP1_GO;
	}
	if (!cur->side->long_start) {
		struct header header = {ex->long_name, ex->long_value, ex->long_len, false};

		header.full_len -= ex->tail[HTTP1_TAIL - 1] == '\r';
		take_header(cur, ex, &header);
	} else if (cur->dir == WEIR_C2S) {
		end_long_request_line(cur, ex);
	}
	http1_message_touch(message, http1_mark(cur, lf));
	http1_goto(cur->side, message->head_done ? HTTP1_TRAILER : HTTP1_HEADER);
	http1_advance(cur, lf + 1);
	return HTTP1_GO;
}

/* ---- the end of a head ---- */

/* The empty line at cur->p, if it is one: its LF. NULL: it is none, or *ret_need. */
static const uint8_t *empty_line(const struct http1_cursor *cur, bool *ret_need)
{
	*ret_need = false;
	if (*cur->p == '\n') {
		return cur->p;
	}
	if (*cur->p != '\r') {
		return NULL;
	}
	if (cur->p + 1 == cur->end) {
		*ret_need = true;
		return NULL;
	}
	return cur->p[1] == '\n' ? cur->p + 1 : NULL;
}

static int end_head(struct http1_cursor *cur, struct http1_exchange *ex, const uint8_t *lf)
{
	struct http1_message *message = &ex->side[cur->dir];

	(void)http1_strip_cr(cur, ex, lf);
	message->head_size = add_size(message->head_size, (size_t)(lf + 1 - cur->p));
	http1_message_touch(message, http1_mark(cur, lf));
	http1_advance(cur, lf + 1);
	if (message->head_done) { /* a trailer section: RFC 9112 §7.1.2 */
		http1_message_done(cur->http, cur->dir, http1_offset(cur, cur->p), true);
		return HTTP1_GO;
	}
	if (cur->dir == WEIR_C2S) {
		http1_end_request_head(cur, ex);
	}
	return http1_begin_body(cur, ex);
}

#define LETTER(c) (UINT32_C(1) << ((c)&31))

/* Of the names that http1_heed() heeds, by length, the first letters: what decides where messages end, and what records tell. */
static const uint32_t framing_names[32] = {
	[4] = LETTER('h'),  [6] = LETTER('e'),  [7] = LETTER('u'),  [10] = LETTER('c'),
	[12] = LETTER('c'), [14] = LETTER('c'), [16] = LETTER('c'), [17] = LETTER('t'),
};
static const uint32_t told_names[32] = {
	[4] = LETTER('h'),
	[6] = LETTER('c') | LETTER('e') | LETTER('s'),
	[7] = LETTER('u') | LETTER('r'),
	[10] = LETTER('c') | LETTER('s') | LETTER('u'),
	[11] = LETTER('t'),
	[12] = LETTER('c'),
	[13] = LETTER('a'),
	[14] = LETTER('c'),
	[15] = LETTER('x'),
	[16] = LETTER('c'),
	[17] = LETTER('t'),
};

#undef LETTER

/* May the name be one of those? A few others pass. */
static inline bool is_among(const uint32_t *names, const uint8_t *name, size_t len)
{
	return len < 32 && (names[len] >> (*name & 31) & 1) != 0;
}

/* Which names matter to the record? */
static const uint32_t *heeded_names(const struct weir_record *rec)
{
	static const uint8_t told[] = {HTTP_F_USER_AGENT,       HTTP_F_REFERRER,
				       HTTP_F_USER_NAME,        HTTP_F_TRACE_ID,
				       HTTP_F_FORWARDED,        HTTP_F_REQUEST_COOKIES,
				       HTTP_F_RESPONSE_COOKIES, WEIR_F_SERVICE_NAME};
	size_t i;

	for (i = 0; i < sizeof(told); i++) {
		if (weir_record_wants(rec, told[i])) {
			return told_names;
		}
	}
	return framing_names;
}

/* How many of the lines, from the first, are shorter than the limit? */
static inline size_t lines_within(const struct http_line *lines, size_t n, size_t limit)
{
	size_t i;

	if (n == 0 || lines[n - 1].eol + 1 < limit) {
		return n; /* all of them together */
	}
	for (i = 0; i < n && lines[i].eol + 1 - lines[i].begin < limit; i++) {
	}
	return i;
}

/* A sound line taken apart; its text is at `base`. */
static inline struct header header_at(const uint8_t *base, const struct http_line *line)
{
	struct header header = {{base + line->begin, line->colon - line->begin},
				{base + line->colon + 1, line->eol - line->colon - 1},
				0,
				false};

	header.value = trim(header.value);
	header.full_len = header.value.len;
	return header;
}

/*
 * Lines that the record keeps as they are: their text is copied once, with what stands between them. false: there is no memory, or
 * some value may have to be cut; nothing has changed.
 */
static bool keep_whole(struct http1_cursor *cur, struct http1_exchange *ex, const uint8_t *base,
		       const struct http_line *lines, size_t n)
{
	size_t field = http_side(cur->dir, HTTP_F_REQUEST_HEADER);
	size_t size = lines[n - 1].eol - lines[0].begin;
	const uint8_t *first = base + lines[0].begin;
	struct weir_header *to;
	const uint8_t *text;
	size_t i;

	if (size > cur->http->config->value_limit) {
		return false;
	}
	text = arena_dup(ex->rec->arena, first, size);
	to = text == NULL ? NULL : record_add_headers(ex->rec, field, n);
	if (to == NULL) {
		return false;
	}
	ex->side[cur->dir].nheaders += (uint32_t)n;
	cur->own = true;
	for (i = 0; i < n; i++) {
		/* of the packet's bytes: those that were just stored would have to be waited for */
		struct header header = header_at(base, &lines[i]);
		struct weir_str value = {text + (header.value.p - first), header.value.len};

		/* one by one: structs are copied by way of the stack, in pieces of other sizes, for which processors wait */
		to[i].name.p = text + (header.name.p - first);
		to[i].name.len = header.name.len;
		to[i].value.p = value.p;
		to[i].value.len = value.len;
		to[i].full_len = value.len;
		to[i].redacted = 0;
		to[i].number = header_name_find(header.name.p, header.name.len);
		if (is_among(told_names, header.name.p, header.name.len)) {
			cur->p = header.name.p; /* for the offsets of anomalies */
			http1_heed(cur, ex, header.name, value);
		}
	}
	cur->own = false;
	return true;
}

/* Lines that the record keeps, too. */
static void keep_lines(struct http1_cursor *cur, struct http1_exchange *ex, const uint8_t *base,
		       const struct http_line *lines, size_t n)
{
	const struct http_line *line;

	if (n > 0 && !ex->side[cur->dir].head_done && (!ex->interim || cur->dir == WEIR_C2S) &&
	    keep_whole(cur, ex, base, lines, n)) {
		return;
	}
	for (line = lines; line < lines + n; line++) {
		struct header header = header_at(base, line);

		cur->p = header.name.p; /* for the offsets of anomalies */
		take_header(cur, ex, &header);
	}
}

/* Lines that are heeded only, if at all. */
static void heed_lines(struct http1_cursor *cur, struct http1_exchange *ex, const uint8_t *base,
		       const struct http_line *lines, size_t n)
{
	const uint32_t *names = heeded_names(ex->rec);
	const struct http_line *line;

	ex->side[cur->dir].nheaders += (uint32_t)n;
	for (line = lines; line < lines + n; line++) {
		const uint8_t *name = base + line->begin;
		uint32_t len = line->colon - line->begin;

		if (is_among(names, name, len)) {
			cur->p = name; /* for the offsets of anomalies */
			http1_heed(cur, ex, (struct weir_str){name, len},
				   trim((struct weir_str){base + line->colon + 1,
							  line->eol - line->colon - 1}));
		}
	}
}

/*
 * The sound case, which is nearly every line there is (http/scan.h): takes as many such lines as follow one another and are
 * within the limits; what it leaves is looked at closely.
 */
static void take_sound_lines(struct http1_cursor *cur, struct http1_exchange *ex, size_t limit)
{
	struct http1_message *message = &ex->side[cur->dir];
	const struct weir_config *config = cur->http->config;
	bool keep = message->head_done ||
		    weir_record_wants(ex->rec, http_side(cur->dir, HTTP_F_REQUEST_HEADER));
	const uint8_t *start = cur->p;
	const uint8_t *p = start;
	struct http_line lines[SOUND_LINES];
	size_t n;

	if ((size_t)(cur->end - p) + message->head_size > config->head_limit ||
	    message->nheaders >= config->header_limit) {
		return;
	}
	do {
		const uint8_t *base = p;

		n = config->header_limit - message->nheaders;
		n = http_scan_lines(base, (size_t)(cur->end - base), lines,
				    n < SOUND_LINES ? n : SOUND_LINES);
		n = lines_within(lines, n, limit);
		(keep ? keep_lines : heed_lines)(cur, ex, base, lines, n);
		p = n > 0 ? base + lines[n - 1].eol + 2 : base;
	} while (n == SOUND_LINES);
	if (p != start) {
		message->first_line = true;
		message->head_size += (uint32_t)(p - start);
		http1_message_touch(message, http1_mark(cur, p - 1));
	}
	http1_advance(cur, p);
}

int http1_step_header(struct http1_cursor *cur)
{
	struct http1_exchange *ex = http1_current(cur->http, cur->dir);
	struct http1_message *message = &ex->side[cur->dir];
	size_t limit = http1_line_limit(cur->http);
	const uint8_t *lf;
	bool need;
	int verdict;

	if (cur->side->scanned == 0) {
		take_sound_lines(cur, ex, limit);
		if (cur->p == cur->end) {
			return HTTP1_GO;
		}
		lf = empty_line(cur, &need);
		if (lf != NULL) {
			return end_head(cur, ex, lf);
		}
		if (need) {
			return WEIR_PARSE_NEED;
		}
	}
	if (is_space(*cur->p)) {
		/* RFC 9112 §2.2: a line that begins with white space and follows no header is passed over */
		verdict = http1_take_line(cur, limit, false, &lf);
	} else {
		verdict = http1_take_line(cur, limit, true, &lf);
	}
	if (verdict == WEIR_PARSE_NEED) {
		return verdict;
	}
	if (is_space(*cur->p)) {
		http1_anomaly(cur->http, ex, cur->dir,
			      message->first_line ? HTTP_A_OBS_FOLD : HTTP_A_FOLD_FIRST,
			      http1_offset(cur, cur->p));
		lf = verdict == HTTP1_LONG ? cur->p + limit - 1 : lf;
	} else {
		message->first_line = true;
		if (verdict == HTTP1_LONG) {
			begin_long_header(cur, ex, limit);
			return HTTP1_GO;
		}
		take_header_line(cur, ex, lf);
	}
	message->head_size = add_size(message->head_size, (size_t)(lf + 1 - cur->p));
	http1_message_touch(message, http1_mark(cur, lf));
	http1_advance(cur, lf + 1);
	return HTTP1_GO;
}

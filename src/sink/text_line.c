/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for a terminal. See text_line.h. */
#include "sink/text_line.h"

#include "base/time.h"
#include "sink/escape.h"
#include "sink/human.h"

#include <stdio.h>
#include <string.h>

enum { BAR_CELLS = 12, MAX_COLUMNS = 1000 };

/* ---- colours ---- */

enum tone {
	TONE_NONE,
	TONE_DIM,
	TONE_BOLD,
	TONE_FINE,    /* 1xx to 3xx: quiet */
	TONE_WARN,    /* 4xx, slow */
	TONE_BAD,     /* 5xx, very slow, loss */
	TONE_SERVER,  /* of the bar */
	TONE_NETWORK, /* of the bar */
	TONE_NTONES
};

static const char *tone_code(const struct text_style *style, enum tone tone)
{
	static const char *const rich[TONE_NTONES] = {
		[TONE_DIM] = "\x1b[38;5;244m",     [TONE_BOLD] = "\x1b[1m",
		[TONE_FINE] = "\x1b[38;5;110m",    [TONE_WARN] = "\x1b[38;5;214m",
		[TONE_BAD] = "\x1b[38;5;203m",     [TONE_SERVER] = "\x1b[38;5;36m",
		[TONE_NETWORK] = "\x1b[38;5;105m",
	};
	static const char *const plain[TONE_NTONES] = {
		[TONE_DIM] = "\x1b[2m",      [TONE_BOLD] = "\x1b[1m", [TONE_FINE] = "\x1b[34m",
		[TONE_WARN] = "\x1b[33m",    [TONE_BAD] = "\x1b[31m", [TONE_SERVER] = "\x1b[36m",
		[TONE_NETWORK] = "\x1b[35m",
	};

	return style->rich ? rich[tone] : plain[tone];
}

/* Text that is safe, in a tone. */
static void put_toned(const struct text_style *style, enum tone tone, const char *text, size_t len,
		      struct strbuf *out)
{
	if (len == 0) {
		return;
	}
	if (!style->color || tone == TONE_NONE) {
		strbuf_add(out, text, len);
		return;
	}
	strbuf_str(out, tone_code(style, tone));
	strbuf_add(out, text, len);
	strbuf_str(out, "\x1b[0m");
}

static void put_blanks(struct strbuf *out, size_t n)
{
	while (n-- > 0) {
		strbuf_char(out, ' ');
	}
}

static const char *ellipsis(const struct text_style *style)
{
	return style->ascii ? "~" : "\xe2\x80\xa6";
}

/*
 * Safe text in a column of its own: cut in the middle when it is too wide, filled with blanks.
 * width 0: no column, nothing is written.
 */
static void put_cell(const struct text_style *style, enum tone tone, const char *text, size_t len,
		     size_t width, struct strbuf *out)
{
	size_t columns = escape_columns(text, len);
	size_t head, tail;

	if (width == 0) {
		return;
	}
	if (columns <= width) {
		put_toned(style, tone, text, len, out);
		put_blanks(out, width - columns);
		return;
	}
	head = escape_fit(text, len, (width - 1) / 2);
	tail = escape_fit_end(text, len, width / 2);
	put_toned(style, tone, text, head, out);
	put_toned(style, TONE_DIM, ellipsis(style), strlen(ellipsis(style)), out);
	put_toned(style, tone, text + len - tail, tail, out);
	put_blanks(out, width - 1 - escape_columns(text, head) -
				escape_columns(text + len - tail, tail));
}

static void put_right(const struct text_style *style, enum tone tone, const char *text,
		      size_t width, struct strbuf *out)
{
	size_t len = strlen(text);
	size_t columns = escape_columns(text, len);

	if (columns > width) {
		put_cell(style, tone, text, len, width, out);
		return;
	}
	put_blanks(out, width - columns);
	put_toned(style, tone, text, len, out);
}

/* ---- columns ---- */

struct layout {
	size_t method, host, path, duration, bar, flags, size, client; /* 0: not shown */
};

enum {
	TIME_WIDTH = 12,
	STATUS_WIDTH = 3,
	PATH_MIN = 8,
	HOST_MIN = 10,
	HOST_USUAL = 12,
	HOST_MAX = 28
};

/* The host's column is as wide as the longest host so far, within bounds, so that the path has the rest. */
static void lay_out(const struct text_style *style, struct layout *to)
{
	size_t columns = style->columns == 0 ? 80 : style->columns;
	size_t used, room, most;

	columns = columns > MAX_COLUMNS ? MAX_COLUMNS : columns;
	to->method = columns >= 100 ? 7 : 6;
	to->duration = 8;
	to->bar = columns >= 110 ? BAR_CELLS + 1 : 0;
	to->flags = 4;
	to->size = columns >= 90 ? 8 : 0;
	to->client = columns < 80 ? 0 : columns < 140 ? 15 : 24;
	/* one blank between columns, two behind the time and before the client */
	used = TIME_WIDTH + 2 + STATUS_WIDTH + 1 + to->method + 1 + 1 + to->duration + 1 + to->bar +
	       (to->bar > 0) + to->flags + to->size + (to->size > 0) + to->client +
	       (to->client > 0 ? 2 : 0);
	room = columns > used + PATH_MIN ? columns - used : PATH_MIN; /* of host, a blank, path */
	if (columns < 64) {
		to->host = 0;
		to->path = room;
		return;
	}
	most = room * 2 / 5 > HOST_MAX ? HOST_MAX : room * 2 / 5;
	most = most < HOST_MIN ? HOST_MIN : most;
	to->host = style->host_columns < HOST_USUAL ? HOST_USUAL : style->host_columns;
	to->host = to->host > most ? most : to->host;
	to->path = room - to->host - 1;
}

static void put_time(const struct text_style *style, const struct weir_record *rec,
		     struct strbuf *out)
{
	char text[TIME_RFC3339_LEN] = "           --:--:--.---      ";

	if (weir_record_has(rec, WEIR_F_TS)) {
		time_rfc3339(rec->values[WEIR_F_TS].v.i64, text);
	}
	put_toned(style, TONE_DIM, text + 11, TIME_WIDTH, out);
	strbuf_str(out, "  ");
}

static enum tone status_tone(uint64_t status)
{
	if (status >= 500) {
		return TONE_BAD;
	}
	return status >= 400 ? TONE_WARN : status >= 100 ? TONE_FINE : TONE_WARN;
}

static void put_status(const struct text_style *style, const struct text_schema *of,
		       const struct weir_record *rec, struct strbuf *out)
{
	const struct weir_value *status = text_value(of, rec, TEXT_STATUS);
	char text[24];

	if (of->request && text_has(of, rec, TEXT_OUTCOME)) {
		bool bad = text_is_error(of, rec);

		put_toned(style, bad ? TONE_BAD : TONE_FINE, bad ? "err" : "ok ", STATUS_WIDTH,
			  out);
		return;
	}
	if (of->request && !text_is(rec, WEIR_F_COMPLETENESS, "no_response")) {
		put_blanks(out, STATUS_WIDTH); /* none is due */
		return;
	}
	if (status == NULL) {
		put_toned(style, TONE_DIM, style->ascii ? "..." : "\xc2\xb7\xc2\xb7\xc2\xb7",
			  style->ascii ? 3 : 6, out);
		return;
	}
	(void)snprintf(text, sizeof(text), "%3llu", (unsigned long long)status->v.u64);
	put_cell(style, status_tone(status->v.u64), text, strlen(text), STATUS_WIDTH, out);
}

/* ---- the path ---- */

/*
 * The path, whose last segment is what differs, stands out; the query is dim. When both do not fit the query is cut at
 * its end, then the path in its middle.
 */
static void put_path_text(const struct text_style *style, bool is_path, const char *path,
			  size_t len, struct strbuf *out)
{
	const char *slash = is_path ? memrchr(path, '/', len) : NULL;
	size_t head = slash == NULL || len == 1 ? 0 : (size_t)(slash - path) + 1;

	put_toned(style, TONE_DIM, path, head, out);
	put_toned(style, TONE_BOLD, path + head, len - head, out);
}

static void put_query_text(const struct text_style *style, const char *query, size_t len,
			   size_t room, struct strbuf *out)
{
	size_t columns = escape_columns(query, len);

	if (columns <= room) {
		put_toned(style, TONE_DIM, query, len, out);
		put_blanks(out, room - columns);
		return;
	}
	if (room >= 3) {
		len = escape_fit(query, len, room - 1);
		put_toned(style, TONE_DIM, query, len, out);
		put_toned(style, TONE_DIM, ellipsis(style), strlen(ellipsis(style)), out);
		room -= 1 + escape_columns(query, len);
	}
	put_blanks(out, room);
}

/* The target as safe text in style->cell; where its query begins is returned. */
static size_t make_target(struct text_style *style, const struct text_schema *of,
			  const struct weir_record *rec)
{
	const struct weir_value *path = text_value(of, rec, TEXT_PATH);
	const struct weir_value *query = text_value(of, rec, TEXT_QUERY);
	struct strbuf *cell = &style->cell;
	const char *mark;

	strbuf_clear(cell);
	if (of->request) {
		return text_make_statement(style, of, rec);
	}
	if (path != NULL && path->len > 0) {
		size_t split;

		(void)text_escape(style, cell, path->v.bytes, path->len);
		split = cell->len;
		if (query != NULL && query->len > 0) {
			strbuf_char(cell, '?');
			(void)text_escape(style, cell, query->v.bytes, query->len);
		}
		return split;
	}
	path = text_value(of, rec, TEXT_TARGET);
	if (path == NULL) {
		strbuf_str(cell, "(request not seen)");
		return cell->len;
	}
	(void)text_escape(style, cell, path->v.bytes, path->len);
	mark = cell->len == 0 ? NULL : memchr(cell->p, '?', cell->len);
	return mark == NULL ? cell->len : (size_t)(mark - cell->p);
}

static void put_path(struct text_style *style, const struct text_schema *of,
		     const struct weir_record *rec, size_t width, struct strbuf *out)
{
	size_t split = make_target(style, of, rec);
	const char *text = strbuf_text(&style->cell);
	size_t len = style->cell.len;
	size_t columns = escape_columns(text, split);

	if (columns > width) {
		size_t tail = escape_fit_end(text, split, width / 2);
		size_t head = escape_fit(text, split, width - 1 - width / 2);

		put_toned(style, TONE_DIM, text, head, out);
		put_toned(style, TONE_DIM, ellipsis(style), strlen(ellipsis(style)), out);
		put_path_text(style, of->transaction, text + split - tail, tail, out);
		put_blanks(out, width - 1 - escape_columns(text, head) -
					escape_columns(text + split - tail, tail));
		return;
	}
	put_path_text(style, of->transaction, text, split, out);
	put_query_text(style, text + split, len - split, width - columns, out);
}

/* ---- how long it took ---- */

/* FNV-1a; numbers in a path are all the same endpoint. */
static uint32_t hash_text(uint32_t hash, const struct weir_value *value)
{
	bool digit = false;
	uint32_t i;

	for (i = 0; value != NULL && i < value->len && i < 256; i++) {
		uint8_t c = value->v.bytes[i];
		bool is_digit = c >= '0' && c <= '9';

		if (!(digit && is_digit)) {
			hash = (hash ^ (is_digit ? '0' : c)) * 16777619u;
		}
		digit = is_digit;
	}
	return (hash ^ 0xff) * 16777619u;
}

/*
 * How unusual a duration is for its endpoint; the running median then moves towards it ("frugal" estimation: a step up
 * or down, 8 bytes of state an endpoint).
 */
static enum tone judge_duration(struct text_style *style, const struct text_schema *of,
				const struct weir_record *rec, int64_t ns)
{
	uint32_t hash = 2166136261u;
	struct text_endpoint *endpoint;
	enum tone tone = TONE_NONE;

	hash = hash_text(hash, text_value(of, rec, TEXT_METHOD));
	hash = hash_text(hash, text_value(of, rec, TEXT_DOMAIN));
	hash = hash_text(hash, text_value(of, rec, of->request ? TEXT_TARGET : TEXT_PATH));
	endpoint = &style->endpoints[hash % TEXT_ENDPOINTS];
	if (endpoint->tag != hash || endpoint->count == 0) {
		*endpoint = (struct text_endpoint){.tag = hash, .median_ns = (double)ns};
	}
	if (endpoint->count < TEXT_ENDPOINT_MIN) {
		/* nothing to compare with yet: what nobody likes to wait for */
		tone = ns > 3 * NS_PER_S ? TONE_BAD : ns > NS_PER_S ? TONE_WARN : TONE_NONE;
	} else if (ns > NS_PER_MS && (double)ns > 4 * endpoint->median_ns) {
		tone = (double)ns > 10 * endpoint->median_ns ? TONE_BAD : TONE_WARN;
	}
	endpoint->count += endpoint->count < UINT32_MAX;
	endpoint->median_ns *= (double)ns > endpoint->median_ns ? 1.1 : 1 / 1.1;
	endpoint->median_ns = endpoint->median_ns < 1 ? 1 : endpoint->median_ns;
	return tone;
}

static int64_t part_of(const struct weir_record *rec, size_t field)
{
	if (!weir_record_has(rec, field) || rec->values[field].v.i64 < 0) {
		return 0;
	}
	return rec->values[field].v.i64;
}

static unsigned cells_of(int64_t part, double cells_per_ns)
{
	double cells = (double)part * cells_per_ns;

	return cells >= BAR_CELLS ? BAR_CELLS : (unsigned)(cells + 0.5);
}

static void put_cells(const struct text_style *style, enum tone tone, const char *glyph, unsigned n,
		      struct strbuf *out)
{
	char text[BAR_CELLS * 3 + 1];
	size_t len = strlen(glyph);
	unsigned i;

	for (i = 0; i < n && i < BAR_CELLS; i++) {
		memcpy(text + i * len, glyph, len);
	}
	put_toned(style, tone, text, i * len, out);
}

/* Length by the logarithm: cell n is reached at 3001^((n - 1/2) / 12) - 1 ms, so that 3 s or more are the whole bar. */
static unsigned bar_length(int64_t ns)
{
	static const int64_t reached_us[BAR_CELLS - 1] = {
		1721, 4302, 9332, 19136, 38242, 75475, 148036, 289445, 565025, 1102082, 2148710};
	unsigned n = 1;

	while (n < BAR_CELLS && ns >= reached_us[n - 1] * NS_PER_US) {
		n++;
	}
	return n;
}

static void put_bar(const struct text_style *style, const struct weir_record *rec, int64_t ns,
		    struct strbuf *out)
{
	int64_t stall = part_of(rec, WEIR_F_TIMING_STALL);
	int64_t network = part_of(rec, WEIR_F_TIMING_RECEIVE) + part_of(rec, WEIR_F_TIMING_SEND);
	unsigned total = bar_length(ns);
	double cells_per_ns = ns > 0 ? total / (double)ns : 0;
	unsigned stalled, moving;

	/* a stall is part of the other times, nearly always of the receiving: it is shown once */
	network = network > stall ? network - stall : 0;
	stalled = cells_of(stall, cells_per_ns);
	stalled = stalled > total ? total : stalled;
	moving = cells_of(network, cells_per_ns);
	if (moving == 0 && network > 0) {
		moving = 1; /* it was there */
	}
	moving = moving > total - stalled ? total - stalled : moving;
	put_toned(style, TONE_DIM, style->ascii ? "|" : "\xe2\x96\x8f", style->ascii ? 1 : 3, out);
	put_cells(style, TONE_SERVER, style->ascii ? "#" : "\xe2\x96\x88", total - stalled - moving,
		  out);
	put_cells(style, TONE_BAD, style->ascii ? "=" : "\xe2\x96\x92", stalled, out);
	put_cells(style, TONE_NETWORK, style->ascii ? "-" : "\xe2\x96\x8c", moving, out);
	put_blanks(out, BAR_CELLS - total);
}

/* ---- flags ---- */

struct flag {
	const char *glyph;
	const char *ascii;
	enum tone tone;
};

static void put_flag(const struct text_style *style, const struct flag *flag, size_t *room,
		     struct strbuf *out)
{
	const char *text = style->ascii ? flag->ascii : flag->glyph;

	if (*room > 0) {
		put_toned(style, flag->tone, text, strlen(text), out);
		*room -= 1;
	}
}

static void put_flags(const struct text_style *style, const struct text_schema *of,
		      const struct weir_record *rec, size_t width, struct strbuf *out)
{
	static const struct flag gap = {"\xe2\x8b\xaf", ".", TONE_WARN};
	static const struct flag cut = {"\xe2\x9c\x82", "x", TONE_WARN};
	static const struct flag half = {"\xc2\xbd", "h", TONE_WARN};
	static const struct flag upgraded = {"\xe2\x86\x91", "^", TONE_FINE};
	const struct weir_value *status = text_value(of, rec, TEXT_STATUS);
	uint64_t n = weir_record_has(rec, WEIR_F_TCP_RETRANSMITS)
			     ? rec->values[WEIR_F_TCP_RETRANSMITS].v.u64
			     : 0;
	char text[16];

	if (n > 0) {
		(void)snprintf(text, sizeof(text), n > 99 ? "%s99+" : "%s%u",
			       style->ascii ? "r" : "\xe2\x86\xbb", (unsigned)n);
		put_toned(style, TONE_BAD, text, strlen(text), out);
		width -= escape_columns(text, strlen(text));
	}
	if (text_is(rec, WEIR_F_COMPLETENESS, "gap") ||
	    (weir_record_has(rec, WEIR_F_TCP_GAPS) && rec->values[WEIR_F_TCP_GAPS].v.u64 > 0)) {
		put_flag(style, &gap, &width, out);
	}
	if (text_is(rec, WEIR_F_COMPLETENESS, "truncated")) {
		put_flag(style, &cut, &width, out);
	}
	if (text_is(rec, WEIR_F_COMPLETENESS, "no_request")) {
		put_flag(style, &half, &width, out);
	}
	if (status != NULL && status->v.u64 == 101) {
		put_flag(style, &upgraded, &width, out);
	}
	put_blanks(out, width);
}

/* ---- lines ---- */

/* Instead of duration, bar and flags: "(no response, reset after 412 ms)" */
static void put_no_response(const struct text_style *style, const struct weir_record *rec,
			    size_t width, struct strbuf *out)
{
	char time[HUMAN_LEN];
	struct strbuf text;

	strbuf_init(&text);
	strbuf_str(&text, "(no response");
	if (weir_record_has(rec, WEIR_F_ERROR_TYPE)) {
		strbuf_str(&text, ", ");
		(void)text_escape(style, &text, rec->values[WEIR_F_ERROR_TYPE].v.bytes,
				  rec->values[WEIR_F_ERROR_TYPE].len);
	}
	if (weir_record_has(rec, WEIR_F_DURATION)) {
		human_duration(rec->values[WEIR_F_DURATION].v.i64, style->ascii, time);
		strbuf_str(&text, " after ");
		strbuf_str(&text, time);
	}
	if (escape_columns(strbuf_text(&text), text.len) >= width) {
		text.len = strlen("(no response");
	}
	strbuf_char(&text, ')');
	put_cell(style, TONE_DIM, strbuf_text(&text), text.len, width, out);
	strbuf_fini(&text);
}

static void put_client(struct text_style *style, const struct weir_record *rec, size_t width,
		       struct strbuf *out)
{
	if (width == 0 || !weir_record_has(rec, WEIR_F_CLIENT_ADDRESS)) {
		return;
	}
	strbuf_clear(&style->cell);
	text_put_address(&style->cell, &rec->values[WEIR_F_CLIENT_ADDRESS]);
	strbuf_str(out, "  ");
	put_cell(style, TONE_DIM, style->cell.p, style->cell.len, width, out);
}

/* The host as safe text in style->cell. */
static void make_host(struct text_style *style, const struct text_schema *of,
		      const struct weir_record *rec)
{
	const struct weir_value *host = text_value(of, rec, TEXT_DOMAIN);

	strbuf_clear(&style->cell);
	if (of->request) {
		strbuf_str(&style->cell, of->schema->type);
		strbuf_char(&style->cell, ' ');
		host = text_value(of, rec, TEXT_NAMESPACE);
	}
	if (host == NULL && weir_record_has(rec, WEIR_F_SERVICE_NAME)) {
		host = &rec->values[WEIR_F_SERVICE_NAME];
	}
	if (host != NULL) {
		(void)text_escape(style, &style->cell, host->v.bytes, host->len);
	} else if (weir_record_has(rec, WEIR_F_SERVER_ADDRESS)) {
		text_put_address(&style->cell, &rec->values[WEIR_F_SERVER_ADDRESS]);
	}
}

static void put_host(struct text_style *style, const struct text_schema *of,
		     const struct weir_record *rec, size_t width, struct strbuf *out)
{
	if (width == 0) {
		return;
	}
	make_host(style, of, rec);
	put_cell(style, TONE_DIM, strbuf_text(&style->cell), style->cell.len, width, out);
	strbuf_char(out, ' ');
}

/* Remember how wide hosts are. */
static void measure_host(struct text_style *style, const struct text_schema *of,
			 const struct weir_record *rec)
{
	size_t columns;

	make_host(style, of, rec);
	columns = escape_columns(strbuf_text(&style->cell), style->cell.len);
	if (columns > style->host_columns && columns <= HOST_MAX) {
		style->host_columns = columns;
	}
}

static void put_method(struct text_style *style, const struct text_schema *of,
		       const struct weir_record *rec, size_t width, struct strbuf *out)
{
	const struct weir_value *method = text_value(of, rec, TEXT_METHOD);
	bool plain;

	strbuf_clear(&style->cell);
	if (method != NULL) {
		(void)text_escape(style, &style->cell, method->v.bytes, method->len);
	} else {
		strbuf_char(&style->cell, '?');
	}
	plain = style->cell.len == 3 && memcmp(style->cell.p, "GET", 3) == 0;
	put_cell(style, plain ? TONE_NONE : TONE_BOLD, strbuf_text(&style->cell), style->cell.len,
		 width, out);
	strbuf_char(out, ' ');
}

/* "12 rows", "3 rows changed" as a delta; else bytes. */
static void put_amount(const struct text_style *style, const struct text_schema *of,
		       const struct weir_record *rec, size_t width, struct strbuf *out)
{
	const struct weir_value *rows = text_value(of, rec, TEXT_ROWS);
	const struct weir_value *changed = text_value(of, rec, TEXT_CHANGED);
	const struct weir_value *size = text_value(of, rec, TEXT_RESPONSE_SIZE);
	char text[HUMAN_LEN + 16] = "";
	const char *delta = "";
	uint64_t n;

	if (rows == NULL && changed != NULL) {
		delta = style->ascii ? "~" : "\xce\x94";
		rows = changed;
	}
	if (rows != NULL && !text_is_error(of, rec)) {
		n = rows->v.u64;
		(void)snprintf(text, sizeof(text),
			       n > 999999 ? "%s%lluM"
			       : n > 999  ? "%s%lluk"
					  : "%s%llu",
			       delta,
			       (unsigned long long)(n > 999999 ? n / 1000000
						    : n > 999  ? n / 1000
							       : n));
		strcat(text, n == 1 ? " row" : " rows");
	} else if (size != NULL) {
		human_size(size->v.u64, text);
	}
	strbuf_char(out, ' ');
	put_right(style, TONE_NONE, text, width, out);
}

static void put_transaction(struct text_style *style, const struct text_schema *of,
			    const struct weir_record *rec, struct strbuf *out)
{
	int64_t ns = part_of(rec, WEIR_F_DURATION);
	char text[HUMAN_LEN] = "";
	struct layout layout;

	measure_host(style, of, rec);
	lay_out(style, &layout);
	put_status(style, of, rec, out);
	strbuf_char(out, ' ');
	put_method(style, of, rec, layout.method, out);
	put_host(style, of, rec, layout.host, out);
	put_path(style, of, rec, layout.path, out);
	strbuf_char(out, ' ');
	if (of->request ? text_is(rec, WEIR_F_COMPLETENESS, "no_response")
			: !text_has(of, rec, TEXT_STATUS)) {
		put_no_response(style, rec,
				layout.duration + 1 + layout.bar + (layout.bar > 0) + layout.flags +
					layout.size + (layout.size > 0),
				out);
		put_client(style, rec, layout.client, out);
		return;
	}
	if (weir_record_has(rec, WEIR_F_DURATION)) {
		human_duration(rec->values[WEIR_F_DURATION].v.i64, style->ascii, text);
		put_right(style, judge_duration(style, of, rec, ns), text, layout.duration, out);
	} else {
		put_blanks(out, layout.duration);
	}
	strbuf_char(out, ' ');
	if (layout.bar > 0) {
		if (weir_record_has(rec, WEIR_F_DURATION)) {
			put_bar(style, rec, ns, out);
		} else {
			put_blanks(out, layout.bar);
		}
		strbuf_char(out, ' ');
	}
	put_flags(style, of, rec, layout.flags, out);
	if (layout.size > 0) {
		put_amount(style, of, rec, layout.size, out);
	}
	put_client(style, rec, layout.client, out);
}

/* Duration or handshake, size, client: the columns at the right of a session. */
static void put_session_end(struct text_style *style, const struct text_schema *of,
			    const struct weir_record *rec, const struct layout *layout,
			    struct strbuf *out)
{
	const struct weir_value *took = text_value(of, rec, TEXT_HANDSHAKE);
	const struct weir_value *size = text_value(of, rec, TEXT_SESSION_SIZE);
	char text[HUMAN_LEN] = "";

	if (took != NULL) {
		int64_t ns = took->v.i64;

		human_duration(ns, true, text);
		put_right(style,
			  ns > 3 * NS_PER_S ? TONE_BAD
			  : ns > NS_PER_S   ? TONE_WARN
					    : TONE_NONE,
			  text, layout->duration, out);
	} else {
		put_blanks(out, layout->duration);
	}
	put_blanks(out, 1 + layout->bar + (layout->bar > 0));
	put_flags(style, of, rec, layout->flags, out);
	if (layout->size > 0) {
		text[0] = '\0';
		if (size != NULL) {
			human_size(size->v.u64, text);
		}
		strbuf_char(out, ' ');
		put_right(style, TONE_NONE, text, layout->size, out);
	}
	put_client(style, rec, layout->client, out);
}

/* What was agreed on, or why nothing was: "h2 AES_128_GCM_SHA256 resumed" */
static enum tone make_agreed(struct text_style *style, const struct text_schema *of,
			     const struct weir_record *rec)
{
	static const enum text_field parts[] = {TEXT_NEXT_PROTOCOL, TEXT_CIPHER};
	const struct weir_value *resumed = text_value(of, rec, TEXT_RESUMED);
	struct strbuf *cell = &style->cell;
	size_t i;

	strbuf_clear(cell);
	if (weir_record_has(rec, WEIR_F_ERROR_TYPE)) {
		(void)text_escape(style, cell, rec->values[WEIR_F_ERROR_TYPE].v.bytes,
				  rec->values[WEIR_F_ERROR_TYPE].len);
		return TONE_BAD;
	}
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const struct weir_value *part = text_value(of, rec, parts[i]);

		if (part != NULL) {
			/* every suite's name begins so: there is little room */
			size_t skip =
				part->len > 4 && memcmp(part->v.bytes, "TLS_", 4) == 0 ? 4 : 0;

			strbuf_str(cell, cell->len > 0 ? " " : "");
			(void)text_escape(style, cell, part->v.bytes + skip, part->len - skip);
		}
	}
	if (resumed != NULL && resumed->v.u64 != 0) {
		strbuf_str(cell, " resumed");
	}
	if (cell->len == 0) {
		strbuf_str(cell, text_is(rec, WEIR_F_COMPLETENESS, "no_response")
					 ? "(no answer)"
					 : "(handshake not seen)");
		return TONE_DIM;
	}
	return TONE_NONE;
}

static void put_session(struct text_style *style, const struct text_schema *of,
			const struct weir_record *rec, struct strbuf *out)
{
	const struct weir_value *version = text_value(of, rec, TEXT_VERSION);
	struct layout layout;
	enum tone tone;
	char type[8];
	size_t i;

	measure_host(style, of, rec);
	lay_out(style, &layout);
	strbuf_clear(&style->cell);
	if (version != NULL) {
		(void)text_escape(style, &style->cell, version->v.bytes,
				  version->len < STATUS_WIDTH ? version->len : STATUS_WIDTH);
	} else {
		strbuf_str(&style->cell, style->ascii ? "..." : "\xc2\xb7\xc2\xb7\xc2\xb7");
	}
	tone = version == NULL ? TONE_DIM : TONE_FINE;
	tone = weir_record_has(rec, WEIR_F_ERROR_TYPE) ? TONE_BAD : tone;
	put_cell(style, tone, strbuf_text(&style->cell), style->cell.len, STATUS_WIDTH, out);
	strbuf_char(out, ' ');
	for (i = 0; i < sizeof(type) - 1 && rec->schema->type[i] != '\0'; i++) {
		char c = rec->schema->type[i];

		type[i] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
	}
	put_cell(style, TONE_DIM, type, i, layout.method, out);
	strbuf_char(out, ' ');
	put_host(style, of, rec, layout.host, out);
	tone = make_agreed(style, of, rec);
	put_cell(style, tone, strbuf_text(&style->cell), style->cell.len, layout.path, out);
	strbuf_char(out, ' ');
	put_session_end(style, of, rec, &layout, out);
}

static void put_end(struct strbuf *out, const struct weir_record *rec, size_t address, size_t port)
{
	if (!weir_record_has(rec, address)) {
		strbuf_char(out, '?');
		return;
	}
	text_put_address(out, &rec->values[address]);
	if (weir_record_has(rec, port)) {
		strbuf_char(out, rec->values[address].len == 16 ? '.' : ':');
		strbuf_u64(out, rec->values[port].v.u64);
	}
}

/* The fields that a record has, name=value. */
static void put_pairs(struct text_style *style, const struct weir_record *rec, struct strbuf *out)
{
	const struct weir_field *field;
	size_t i;

	for (i = WEIR_F_DURATION; (field = weir_schema_field(rec->schema, i)) != NULL; i++) {
		struct strbuf *cell = &style->cell;

		if (!weir_record_has(rec, i) || field->kind == WEIR_KIND_HEADERS ||
		    text_is_hidden(style, field) ||
		    (i > WEIR_F_DURATION && i < WEIR_NCOMMON && i != WEIR_F_ERROR_TYPE &&
		     i != WEIR_F_ANOMALIES)) {
			continue;
		}
		strbuf_clear(cell);
		strbuf_char(cell, ' ');
		strbuf_str(cell, text_short_name(rec->schema, field));
		strbuf_char(cell, '=');
		put_toned(style, TONE_DIM, cell->p, cell->len, out);
		strbuf_clear(cell);
		if (field->kind == WEIR_KIND_STR) {
			(void)text_escape(style, cell, rec->values[i].v.bytes, rec->values[i].len);
		} else {
			text_put_value(cell, field->kind, &rec->values[i], true);
		}
		put_toned(style, i == WEIR_F_ERROR_TYPE ? TONE_BAD : TONE_NONE, strbuf_text(cell),
			  cell->len, out);
	}
}

/* Any other type: type, ends, and the fields that it has. */
static void put_other(struct text_style *style, const struct weir_record *rec, struct strbuf *out)
{
	char type[16];

	(void)snprintf(type, sizeof(type), "%-9s", rec->schema->type);
	put_toned(style, TONE_BOLD, type, strlen(type), out);
	strbuf_char(out, ' ');
	strbuf_clear(&style->cell);
	put_end(&style->cell, rec, WEIR_F_CLIENT_ADDRESS, WEIR_F_CLIENT_PORT);
	strbuf_str(&style->cell, style->ascii ? " > " : " \xe2\x86\x92 ");
	put_end(&style->cell, rec, WEIR_F_SERVER_ADDRESS, WEIR_F_SERVER_PORT);
	put_toned(style, TONE_DIM, style->cell.p, style->cell.len, out);
	put_pairs(style, rec, out);
}

/* No blanks at the end of a line: they wrap in a terminal that was made narrower. */
static void trim_line(struct strbuf *out, size_t start)
{
	while (out->len > start && out->p[out->len - 1] == ' ') {
		out->len--;
	}
}

void text_put_line(struct text_style *style, const struct text_schema *of,
		   const struct weir_record *rec, struct strbuf *out)
{
	size_t start = out->len;

	put_time(style, rec, out);
	if (of->transaction || of->request) {
		put_transaction(style, of, rec, out);
	} else if (of->session) {
		put_session(style, of, rec, out);
	} else {
		put_other(style, rec, out);
	}
	trim_line(out, start);
	strbuf_char(out, '\n');
	if ((of->request || of->session) && style->verbose > 0) {
		put_blanks(out, TIME_WIDTH + 1);
		put_pairs(style, rec, out);
		strbuf_char(out, '\n');
	}
	text_put_details(style, of, rec, out);
}

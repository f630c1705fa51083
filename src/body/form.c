/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of forms: see form.h. */
#include "body/form.h"

#include "body/type.h"

#include <string.h>
#include <strings.h>

/* Where it is in the body. What is valid: the part being read from HEAD, or NAME, on. */
enum step {
	STEP_PREAMBLE,  /* before the first delimiter, or behind one line that is none */
	STEP_DELIMITED, /* behind a delimiter: "--", or the rest of its line */
	STEP_HEAD,
	STEP_DATA,
	STEP_NAME, /* of a urlencoded pair */
	STEP_VALUE,
	STEP_OVER
};

struct part {
	struct weir_str name, filename, mime; /* in the pool */
	uint64_t size;
};

struct form {
	struct body_memory memory;
	uint8_t step;
	uint8_t dashes; /* DELIMITED: behind the boundary */
	uint8_t pretended; /* of the matched bytes: the CR LF that need not be there at the beginning */
	uint8_t escaped;     /* digits of a percent-encoded byte still to come */
	bool listed;         /* the part being read is in parts[] */
	uint32_t behind;     /* DELIMITED: bytes since the delimiter */
	uint32_t matched;    /* bytes of the delimiter */
	uint32_t ndelimiter; /* CR LF "--" boundary */
	uint8_t delimiter[4 + FORM_BOUNDARY];
	uint64_t nparts;
	size_t nlisted;
	size_t nline; /* bytes of the line, or the name, so far; FORM_LINE: cut */
	size_t npool;
	uint8_t line[FORM_LINE];
	uint8_t pool[FORM_POOL];
	struct part parts[FORM_PARTS];
};

struct form *form_new(const struct body_memory *memory, struct weir_str boundary)
{
	struct form *form;

	if (boundary.p != NULL && (boundary.len == 0 || boundary.len > FORM_BOUNDARY)) {
		return NULL;
	}
	form = memory->alloc(memory->context, sizeof(*form));
	if (form == NULL) {
		return NULL;
	}
	memset(form, 0, sizeof(*form));
	form->memory = *memory;
	form->step = STEP_NAME;
	if (boundary.p != NULL) {
		form->step = STEP_PREAMBLE;
		memcpy(form->delimiter, "\r\n--", 4);
		memcpy(form->delimiter + 4, boundary.p, boundary.len);
		form->ndelimiter = 4 + boundary.len;
		form->matched = form->pretended = 2; /* the body may begin with one */
	}
	return form;
}

void form_free(struct form *form)
{
	if (form != NULL) {
		form->memory.free(form->memory.context, form, sizeof(*form));
	}
}

/* ---- parts ---- */

static struct part *current(struct form *form)
{
	return form->listed ? &form->parts[form->nlisted - 1] : NULL;
}

static void begin_part(struct form *form)
{
	form->nparts++;
	form->nline = 0;
	form->listed = form->nlisted < FORM_PARTS;
	if (form->listed) {
		memset(&form->parts[form->nlisted++], 0, sizeof(form->parts[0]));
	}
}

static void grow_part(struct form *form, size_t n)
{
	if (form->listed) {
		current(form)->size += n;
	}
}

/* A copy in the pool, cut at FORM_TEXT and at what is left. */
static struct weir_str keep(struct form *form, const uint8_t *p, size_t len)
{
	struct weir_str text;

	len = len < FORM_TEXT ? len : FORM_TEXT;
	len = len < FORM_POOL - form->npool ? len : FORM_POOL - form->npool;
	text.p = form->pool + form->npool;
	text.len = (uint32_t)len;
	if (len > 0) {
		memcpy(form->pool + form->npool, p, len);
	}
	form->npool += len;
	return text;
}

/* ---- multipart ---- */

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo percent-encoding, and plus signs if `form`, in place. */
static size_t decode(uint8_t *p, size_t len, bool form)
{
	size_t n = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] == '%' && i + 2 < len && hex_value(p[i + 1]) >= 0 &&
		    hex_value(p[i + 2]) >= 0) {
			p[n++] = (uint8_t)((unsigned)hex_value(p[i + 1]) << 4 |
					   (unsigned)hex_value(p[i + 2]));
			i += 2;
		} else {
			p[n++] = form && p[i] == '+' ? ' ' : p[i];
		}
	}
	return n;
}

/* RFC 8187 §3.2.1: charset'language'text */
static void take_extended(struct form *form, struct part *part, struct weir_str value)
{
	uint8_t text[3 * FORM_TEXT];
	const uint8_t *quote = memchr(value.p, '\'', value.len);
	const uint8_t *end = value.p + value.len;
	size_t n;

	quote = quote == NULL ? NULL : memchr(quote + 1, '\'', (size_t)(end - quote - 1));
	if (quote == NULL) {
		return;
	}
	n = (size_t)(end - quote - 1);
	n = n < sizeof(text) ? n : sizeof(text);
	memcpy(text, quote + 1, n);
	part->filename = keep(form, text, decode(text, n, false));
}

static void take_disposition(struct form *form, struct part *part, struct weir_str value)
{
	uint8_t buffer[FORM_LINE];
	struct weir_str got;

	if (body_parameter(value, "name", buffer, &got)) {
		part->name = keep(form, got.p, got.len);
	}
	/* RFC 6266 §4.3: filename* before filename */
	if (body_parameter(value, "filename*", buffer, &got)) {
		take_extended(form, part, got);
	}
	if (part->filename.len == 0 && body_parameter(value, "filename", buffer, &got)) {
		part->filename = keep(form, got.p, got.len);
	}
}

static void take_header(struct form *form)
{
	static const char disposition[] = "content-disposition:", type[] = "content-type:";
	const char *line = (const char *)form->line;
	struct part *part = current(form);
	struct weir_str value = {form->line, (uint32_t)form->nline};
	size_t n;

	if (part == NULL) {
		return;
	}
	if (value.len > sizeof(disposition) - 1 &&
	    strncasecmp(line, disposition, sizeof(disposition) - 1) == 0) {
		value.p += sizeof(disposition) - 1;
		value.len -= (uint32_t)(sizeof(disposition) - 1);
		take_disposition(form, part, value);
	} else if (value.len > sizeof(type) - 1 && strncasecmp(line, type, sizeof(type) - 1) == 0) {
		value.p += sizeof(type) - 1;
		value.len -= (uint32_t)(sizeof(type) - 1);
		while (value.len > 0 && is_space(value.p[0])) {
			value.p++;
			value.len--;
		}
		for (n = 0; n < value.len && value.p[n] > ' ' && value.p[n] != ';'; n++) {
		}
		part->mime = keep(form, value.p, n);
	}
}

/* A line of a part's head, up to its LF. */
static const uint8_t *take_head(struct form *form, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *lf = memchr(p, '\n', (size_t)(end - p));
	size_t n = (size_t)((lf == NULL ? end : lf) - p);
	size_t room = FORM_LINE - form->nline;

	memcpy(form->line + form->nline, p, n < room ? n : room);
	form->nline += n < room ? n : room;
	if (lf == NULL) {
		return end;
	}
	if (form->nline > 0 && form->line[form->nline - 1] == '\r') {
		form->nline--;
	}
	if (form->nline == 0) {
		form->step = STEP_DATA;
		form->matched = form->pretended =
			2; /* an empty part: its delimiter may follow at once */
	} else {
		take_header(form);
	}
	form->nline = 0;
	return lf + 1;
}

/* Data, or what is before the first delimiter: up to behind a delimiter. CR is in it at the beginning only. */
static const uint8_t *take_data(struct form *form, const uint8_t *p, const uint8_t *end)
{
	while (p < end) {
		if (form->matched == 0) {
			const uint8_t *cr = memchr(p, '\r', (size_t)(end - p));
			const uint8_t *stop = cr == NULL ? end : cr;

			grow_part(form, (size_t)(stop - p));
			p = stop;
			form->matched = cr != NULL;
			p += cr != NULL;
			continue;
		}
		if (*p != form->delimiter[form->matched]) {
			/* what looked like one was data; at the beginning there was no CR LF */
			grow_part(form, form->matched - form->pretended);
			form->matched = 0;
			form->pretended = 0;
			continue;
		}
		p++;
		if (++form->matched == form->ndelimiter) {
			form->matched = 0;
			form->dashes = 0;
			form->behind = 0;
			form->step = STEP_DELIMITED;
			return p;
		}
	}
	return p;
}

/* Behind a delimiter. RFC 2046 §5.1.1: "--" makes it the last one; white space may follow on its line, and nothing else. */
static const uint8_t *take_delimited(struct form *form, const uint8_t *p)
{
	if (*p == '-' && form->dashes == form->behind) {
		if (++form->dashes == 2) {
			form->step = STEP_OVER;
		}
	} else if (*p == '\n') {
		form->step = STEP_HEAD;
		form->pretended = 0;
		begin_part(form);
	} else if (form->dashes > 0 || (!is_space(*p) && *p != '\r')) {
		/* it was the beginning of a longer word: data */
		form->step = form->nparts > 0 ? STEP_DATA : STEP_PREAMBLE;
		grow_part(form, form->ndelimiter - form->pretended + form->behind);
		form->pretended = 0;
		return p;
	}
	form->behind++;
	return p + 1;
}

/* ---- urlencoded ---- */

/* No name of a form has these: it is something else that was sent with a form's type. */
static bool is_no_name(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] <= ' ' || p[i] == '"' || p[i] == '<' || p[i] == '>' || p[i] == '{' ||
		    p[i] == 0x7f) {
			return true;
		}
	}
	return false;
}

static const uint8_t *take_name(struct form *form, const uint8_t *p, const uint8_t *end)
{
	for (; p < end; p++) {
		if (*p == '&') {
			form->nline =
				0; /* a name without a value: perhaps a value without a name */
			continue;
		}
		if (*p == '=') {
			size_t len = form->nline;

			if (is_no_name(form->line, len)) {
				form->step = STEP_OVER;
				form->nparts = form->nlisted = 0;
				return end;
			}
			begin_part(form);
			len = decode(form->line, len, true);
			if (form->listed) {
				struct weir_str name = keep(form, form->line, len);

				current(form)->name = name;
			}
			form->step = STEP_VALUE;
			return p + 1;
		}
		if (form->nline < FORM_LINE) {
			form->line[form->nline++] = *p;
		}
	}
	return p;
}

static const uint8_t *take_value(struct form *form, const uint8_t *p, const uint8_t *end)
{
	for (; p < end; p++) {
		if (*p == '&') {
			form->step = STEP_NAME;
			form->nline = 0;
			form->escaped = 0;
			return p + 1;
		}
		if (form->escaped > 0 && hex_value(*p) >= 0) {
			form->escaped--; /* counted with its percent sign */
			continue;
		}
		form->escaped = *p == '%' ? 2 : 0;
		grow_part(form, 1);
	}
	return p;
}

/* ---- all ---- */

void form_feed(struct form *form, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	while (p < end) {
		switch ((enum step)form->step) {
		case STEP_PREAMBLE:
		case STEP_DATA:
			p = take_data(form, p, end);
			break;
		case STEP_DELIMITED:
			p = take_delimited(form, p);
			break;
		case STEP_HEAD:
			p = take_head(form, p, end);
			break;
		case STEP_NAME:
			p = take_name(form, p, end);
			break;
		case STEP_VALUE:
			p = take_value(form, p, end);
			break;
		case STEP_OVER:
			return;
		}
	}
}

void form_end(struct form *form)
{
	if (form->step == STEP_DATA) {
		grow_part(form, form->matched - form->pretended);
	}
	form->step = STEP_OVER;
}

uint64_t form_count(const struct form *form)
{
	return form->nparts;
}

bool form_part(const struct form *form, size_t i, struct body_part *ret)
{
	if (i >= form->nlisted) {
		return false;
	}
	ret->name = form->parts[i].name;
	ret->filename = form->parts[i].filename;
	ret->mime = form->parts[i].mime;
	ret->size = form->parts[i].size;
	return true;
}

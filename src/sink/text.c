/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink `text`: a line a record (see text_line.h for the two forms).
 *
 * Options: types=http,mysql (which records; default: all but tcp, and of anomalies those that are not merely odd: the
 * others are named by their transactions), ascii=yes (nothing beyond ASCII; default when TERM
 * is dumb or the locale is not UTF-8), form=line|columns (default: by what the target is).
 */
#include "sink/out.h"
#include "sink/sink.h"
#include "sink/text_line.h"
#include "weir/error.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>

enum { TEXT_SCHEMAS = 32 };

struct weir_formatter {
	bool lines;        /* for a terminal; else columns */
	const char *types; /* NULL: all but tcp */
	struct text_schema schemas[TEXT_SCHEMAS];
	size_t nschemas;
	struct text_style style;
};

struct text_sink {
	struct out out;
	bool tty;
	char *types; /* owned */
	struct weir_formatter form;
};

static struct text_sink *self(struct weir_sink *sink)
{
	return (struct text_sink *)sink;
}

static bool env_says(const char *name, const char *text)
{
	const char *value = getenv(name);

	return value != NULL && strcasestr(value, text) != NULL;
}

/* Would the terminal show what is beyond ASCII? Only what says no counts: containers often have no locale at all. */
static bool is_ascii_terminal(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	const char *term = getenv("TERM");
	size_t i;

	if (term != NULL && strcmp(term, "dumb") == 0) {
		return true;
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value != NULL && value[0] != '\0') {
			return !env_says(names[i], "utf-8") && !env_says(names[i], "utf8");
		}
	}
	return false;
}

static bool is_yes(const char *value)
{
	return strcmp(value, "yes") == 0 || strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
}

static int configure(struct text_sink *text, const struct weir_sink_config *config,
		     const char **ret_message)
{
	static const char *const known[] = {"types", "ascii", "form", NULL};
	const char *types = sink_option(config, "types");
	const char *ascii = sink_option(config, "ascii");
	const char *form = sink_option(config, "form");

	if (sink_unknown_option(config, known) != NULL) {
		*ret_message = "unknown option of sink text; it has types=, ascii=, form=";
		return WEIR_EINVAL;
	}
	if (form != NULL && strcmp(form, "line") != 0 && strcmp(form, "columns") != 0) {
		*ret_message = "text has form=line and form=columns";
		return WEIR_EINVAL;
	}
	text->tty = config->tty;
	text->form.lines = form != NULL ? strcmp(form, "line") == 0 : config->tty;
	text->form.style.color = config->color;
	text->form.style.rich = env_says("TERM", "256color") || getenv("COLORTERM") != NULL;
	text->form.style.ascii = ascii != NULL
					 ? is_yes(ascii)
					 : config->ascii || (config->tty && is_ascii_terminal());
	text->form.style.columns = config->columns;
	text->form.style.verbose = config->verbose;
	if (types != NULL) {
		text->types = strdup(types);
		if (text->types == NULL) {
			*ret_message = "out of memory";
			return WEIR_ENOMEM;
		}
	}
	text->form.types = text->types;
	return 0;
}

static int text_open(const struct weir_sink_config *config, struct weir_sink **ret,
		     const char **ret_message)
{
	struct text_sink *text = calloc(1, sizeof(*text));
	int err;

	if (text == NULL) {
		*ret_message = "out of memory";
		return WEIR_ENOMEM;
	}
	strbuf_init(&text->form.style.cell);
	err = configure(text, config, ret_message);
	if (err == 0) {
		err = out_open(&text->out, config->target, config->live);
		*ret_message = err < 0 ? "cannot open the file for writing" : *ret_message;
	}
	if (err < 0) {
		free(text->types);
		free(text);
		return err;
	}
	*ret = (struct weir_sink *)text;
	return 0;
}

/* Is a type in the list "http,mysql" or "http+mysql"? */
static bool is_listed(const char *list, const char *type)
{
	size_t len = strlen(type);

	while (*list != '\0') {
		size_t n = strcspn(list, ",+");

		if (n == len && strncasecmp(list, type, n) == 0) {
			return true;
		}
		list += n + (list[n] != '\0');
	}
	return false;
}

static bool shows_type(const struct weir_formatter *form, const struct weir_schema *schema)
{
	if (form->types != NULL) {
		return is_listed(form->types, schema->type);
	}
	return strcmp(schema->type, "tcp") != 0;
}

/* NULL when there are more types than the table holds. */
static const struct text_schema *schema_of(struct weir_formatter *form,
					   const struct weir_schema *schema)
{
	size_t i;

	for (i = 0; i < form->nschemas; i++) {
		if (form->schemas[i].schema == schema) {
			return &form->schemas[i];
		}
	}
	if (form->nschemas == TEXT_SCHEMAS) {
		return NULL;
	}
	text_schema_init(&form->schemas[form->nschemas], schema);
	return &form->schemas[form->nschemas++];
}

static bool is_shown_common(size_t field)
{
	switch (field) {
	case WEIR_F_TS:
	case WEIR_F_CLIENT_ADDRESS:
	case WEIR_F_CLIENT_PORT:
	case WEIR_F_SERVER_ADDRESS:
	case WEIR_F_SERVER_PORT:
	case WEIR_F_SERVICE_NAME:
	case WEIR_F_DURATION:
	case WEIR_F_TIMING_SEND:
	case WEIR_F_TIMING_RECEIVE:
	case WEIR_F_TIMING_STALL:
	case WEIR_F_TCP_RETRANSMITS:
	case WEIR_F_TCP_GAPS:
	case WEIR_F_COMPLETENESS:
	case WEIR_F_MISSING_BYTES:
	case WEIR_F_FINAL:
	case WEIR_F_ERROR_TYPE:
	case WEIR_F_ANOMALIES:
		return true;
	default:
		return false;
	}
}

static bool text_wants(struct weir_sink *sink, const struct weir_schema *schema, size_t field)
{
	struct weir_formatter *form = &self(sink)->form;
	const struct text_schema *of;
	size_t i;

	if (!shows_type(form, schema)) {
		return false;
	}
	if (field < WEIR_NCOMMON) {
		return is_shown_common(field);
	}
	of = schema_of(form, schema);
	if (of == NULL || !of->transaction) {
		return !text_is_hidden(&form->style, weir_schema_field(schema, field));
	}
	for (i = 0; i < TEXT_NFIELDS; i++) {
		if (of->index[i] == (int)field) {
			return i < TEXT_REQUEST_HEADER || form->style.verbose >= 2 ||
			       (i < TEXT_REQUEST_CONTENT && form->style.verbose >= 1);
		}
	}
	return false;
}

/* A terminal can change its width at any time. */
static void look_at_width(struct text_sink *text)
{
	struct winsize size;

	if (ioctl(text->out.fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
		text->form.style.columns = size.ws_col;
	}
}

/* Is it an anomaly of severity info or low that nobody asked for? Quiet unless wrong. */
static bool is_minor(const struct weir_formatter *form, const struct weir_record *rec)
{
	static const char name[] = "anomaly.severity";
	int severity;

	if (form->types != NULL || strcmp(rec->schema->type, "anomaly") != 0) {
		return false;
	}
	severity = weir_schema_find(rec->schema, name, sizeof(name) - 1);
	return severity >= 0 &&
	       (text_is(rec, (size_t)severity, "info") || text_is(rec, (size_t)severity, "low"));
}

/* @return false: nothing is shown of it */
static bool put_record(struct weir_formatter *form, const struct weir_record *rec,
		       struct strbuf *out)
{
	const struct text_schema *of;

	if (!shows_type(form, rec->schema) || is_minor(form, rec) ||
	    (weir_record_has(rec, WEIR_F_FINAL) && rec->values[WEIR_F_FINAL].v.u64 == 0)) {
		return false; /* interim records are for displays that replace them */
	}
	of = schema_of(form, rec->schema);
	if (of == NULL) {
		return false;
	}
	if (form->lines) {
		text_put_line(&form->style, of, rec, out);
	} else {
		text_put_columns(&form->style, of, rec, out);
	}
	return true;
}

static int text_record(struct weir_sink *sink, const struct weir_record *rec)
{
	struct text_sink *text = self(sink);

	if (text->tty) {
		look_at_width(text);
	}
	return put_record(&text->form, rec, &text->out.buf) ? out_wrote(&text->out) : 0;
}

/* ---- in two steps ---- */

static int text_formatter_open(const struct weir_sink *sink, struct weir_formatter **ret)
{
	const struct text_sink *text = (const struct text_sink *)sink;
	struct weir_formatter *form;

	if (text->form.lines) {
		return WEIR_EUNSUPPORTED; /* the widest host so far decides how wide that column is */
	}
	form = malloc(sizeof(*form));
	if (form == NULL) {
		return WEIR_ENOMEM;
	}
	*form = text->form;
	strbuf_init(&form->style.cell);
	*ret = form;
	return 0;
}

static int text_format(struct weir_formatter *form, const struct weir_record *rec,
		       struct strbuf *to)
{
	size_t before = to->len;

	(void)put_record(form, rec, to);
	if (to->failed) {
		to->len = before;
		to->failed = false;
		return WEIR_ENOMEM;
	}
	return 0;
}

static void text_formatter_close(struct weir_formatter *form)
{
	strbuf_fini(&form->style.cell);
	free(form);
}

static int text_write(struct weir_sink *sink, const struct iovec *text, int n)
{
	return out_text(&self(sink)->out, text, n);
}

static const struct weir_formatter_type text_formatter = {
	.open = text_formatter_open,
	.format = text_format,
	.close = text_formatter_close,
	.write = text_write,
};

static int text_flush(struct weir_sink *sink)
{
	return out_flush(&self(sink)->out);
}

static int text_reopen(struct weir_sink *sink)
{
	return out_reopen(&self(sink)->out);
}

static int text_close(struct weir_sink *sink)
{
	struct text_sink *text = self(sink);
	int err = out_close(&text->out);

	strbuf_fini(&text->form.style.cell);
	free(text->types);
	free(text);
	return err;
}

const struct weir_sink_type sink_text = {
	.name = "text",
	.doc = "a line a record: aligned on a terminal, tab-separated elsewhere",
	.open = text_open,
	.wants = text_wants,
	.record = text_record,
	.flush = text_flush,
	.reopen = text_reopen,
	.close = text_close,
	.formatter = &text_formatter,
};

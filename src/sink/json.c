/* SPDX-License-Identifier: Apache-2.0 */
/* The sink `json`: one object a line, in weir's form or another tool's. */
#include "sink/json_record.h"
#include "sink/json_rename.h"
#include "sink/out.h"
#include "sink/sink.h"
#include "weir/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct weir_formatter {
	struct json_writer writer;
	const struct json_rename *rename; /* NULL: weir's own form */
	const struct lookup *lookup;      /* with rename */
};

struct json_sink {
	struct out out;
	struct lookup lookup; /* with rename */
	struct weir_formatter formatter;
};

static const struct json_rename *const renames[] = {&json_rename_zeek, &json_rename_eve,
						    &json_rename_ecs, &json_rename_otel};

/* false: no such form */
static bool find_rename(const char *format, const struct json_rename **ret)
{
	size_t i;

	*ret = NULL;
	for (i = 0; format != NULL && i < sizeof(renames) / sizeof(renames[0]); i++) {
		if (strcmp(renames[i]->name, format) == 0) {
			*ret = renames[i];
			return true;
		}
	}
	return format == NULL || strcmp(format, "weir") == 0;
}

static struct json_sink *self(struct weir_sink *sink)
{
	return (struct json_sink *)sink;
}

static int json_open(const struct weir_sink_config *config, struct weir_sink **ret,
		     const char **ret_message)
{
	static const char *const known[] = {"format", NULL};
	const struct json_rename *rename;
	struct json_sink *json;
	int err;

	if (sink_unknown_option(config, known) != NULL) {
		*ret_message = "unknown option of sink json; it has format=";
		return WEIR_EINVAL;
	}
	if (!find_rename(sink_option(config, "format"), &rename)) {
		*ret_message = "json has format=weir, zeek, eve, ecs or otel";
		return WEIR_EINVAL;
	}
	json = calloc(1, sizeof(*json));
	if (json == NULL) {
		*ret_message = "out of memory";
		return WEIR_ENOMEM;
	}
	err = out_open(&json->out, config->target, config->live);
	if (err < 0) {
		free(json);
		*ret_message = "cannot open the file for writing";
		return err;
	}
	json_writer_init(&json->formatter.writer);
	json->formatter.rename = rename;
	json->formatter.lookup = &json->lookup;
	lookup_init(&json->lookup, config->schemas);
	*ret = (struct weir_sink *)json;
	return 0;
}

static bool json_wants(struct weir_sink *sink, const struct weir_schema *schema, size_t field)
{
	const struct json_rename *rename = self(sink)->formatter.rename;

	return rename == NULL || rename == &json_rename_otel ||
	       lookup_wants(&self(sink)->lookup, schema, field);
}

static int json_format(struct weir_formatter *formatter, const struct weir_record *rec,
		       struct strbuf *to)
{
	size_t before = to->len;
	int err;

	if (weir_record_has(rec, WEIR_F_FINAL) && rec->values[WEIR_F_FINAL].v.u64 == 0) {
		return 0; /* interim records are for what replaces them: CONTRACT.md §3 */
	}
	if (formatter->rename != NULL) {
		err = json_rename_write(formatter->rename, formatter->lookup, rec, to);
		if (err <= 0) {
			return err;
		}
	} else {
		err = json_write_record(&formatter->writer, rec, to);
		if (err < 0) {
			return err;
		}
	}
	strbuf_char(to, '\n');
	if (to->failed) {
		to->len = before;
		to->failed = false;
		return WEIR_ENOMEM;
	}
	return 0;
}

static int json_record(struct weir_sink *sink, const struct weir_record *rec)
{
	struct json_sink *json = self(sink);
	int err = json_format(&json->formatter, rec, &json->out.buf);

	if (err < 0) {
		errno = ENOMEM;
		return err;
	}
	return out_wrote(&json->out);
}

static int json_formatter_open(const struct weir_sink *sink, struct weir_formatter **ret)
{
	const struct json_sink *json = (const struct json_sink *)sink;
	struct weir_formatter *formatter = calloc(1, sizeof(*formatter));

	if (formatter == NULL) {
		return WEIR_ENOMEM;
	}
	json_writer_init(&formatter->writer);
	formatter->rename = json->formatter.rename;
	formatter->lookup = &json->lookup;
	*ret = formatter;
	return 0;
}

static void json_formatter_close(struct weir_formatter *formatter)
{
	json_writer_fini(&formatter->writer);
	free(formatter);
}

static int json_text(struct weir_sink *sink, const struct iovec *text, int n)
{
	return out_text(&self(sink)->out, text, n);
}

static int json_flush(struct weir_sink *sink)
{
	return out_flush(&self(sink)->out);
}

static int json_reopen(struct weir_sink *sink)
{
	return out_reopen(&self(sink)->out);
}

static int json_close(struct weir_sink *sink)
{
	struct json_sink *json = self(sink);
	int err = out_close(&json->out);

	json_writer_fini(&json->formatter.writer);
	free(json);
	return err;
}

static const struct weir_formatter_type json_formatter = {
	.open = json_formatter_open,
	.format = json_format,
	.close = json_formatter_close,
	.write = json_text,
};

const struct weir_sink_type sink_json = {
	.name = "json",
	.doc = "one JSON object a line",
	.open = json_open,
	.wants = json_wants,
	.record = json_record,
	.flush = json_flush,
	.reopen = json_reopen,
	.close = json_close,
	.formatter = &json_formatter,
};

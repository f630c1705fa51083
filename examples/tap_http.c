/* SPDX-License-Identifier: Apache-2.0 */
/* tap_http FILE|INTERFACE: print each HTTP transaction as it completes. */
#include "feed.h"

#include <ctype.h>

static const char *const names[] = {"http.response.status_code", "http.request.method", "url.full"};

static void print_field(const struct weir_record *rec, const char *name)
{
	int i = weir_schema_find(rec->schema, name, strlen(name));
	uint32_t k;

	if (i < 0 || !weir_record_has(rec, (size_t)i)) {
		printf(" -");
		return;
	}
	if (weir_schema_field(rec->schema, (size_t)i)->kind == WEIR_KIND_U64) {
		printf(" %lu", (unsigned long)rec->values[i].v.u64);
		return;
	}
	putchar(' ');
	for (k = 0; k < rec->values[i].len; k++) { /* captured bytes are hostile to terminals */
		putchar(isprint(rec->values[i].v.bytes[k]) ? rec->values[i].v.bytes[k] : '?');
	}
}

static void on_record(void *context, const struct weir_record *rec)
{
	size_t i;

	(void)context;
	if (strcmp(rec->schema->type, "http") != 0) {
		return;
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		print_field(rec, names[i]);
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	struct weir_callbacks callbacks;
	struct weir_engine *engine;
	int err;

	memset(&callbacks, 0, sizeof(callbacks));
	callbacks.record = on_record;
	err = weir_engine_new(NULL, &callbacks, &engine);
	if (err < 0) {
		fprintf(stderr, "tap_http: %s\n", weir_strerror(err));
		return 1;
	}
	return feed(engine, argc > 1 ? argv[1] : NULL);
}

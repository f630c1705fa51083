/* SPDX-License-Identifier: Apache-2.0 */
/* my_parser FILE|INTERFACE: a parser of one's own, for a line protocol: each line "PING text" of a client is a record. */
#include "feed.h"

#define PING_TEXT WEIR_NCOMMON /* a type's own fields follow the common ones */
static const struct weir_field fields[] = {{"ping.text", WEIR_KIND_STR, 0, "what came with it"}};
static const struct weir_schema schema = {"ping", fields, 1};
static const struct weir_schema *const schemas[] = {&schema, NULL};

static struct weir_probe_result probe(const struct weir_probe *seen)
{
	bool enough = seen->len[WEIR_C2S] >= 5;
	struct weir_probe_result result = {0, false, !enough};

	result.score = enough && memcmp(seen->data[WEIR_C2S], "PING ", 5) == 0 ? 100 : 0;
	return result;
}

static enum weir_verdict on_data(void *state, struct weir_host *host, enum weir_direction dir,
				 const struct weir_chunk *chunk, struct weir_consumed *ret)
{
	const uint8_t *end = (const uint8_t *)memchr(chunk->data, '\n', chunk->len);
	struct weir_record *rec;

	(void)state;
	if (dir == WEIR_C2S && end == NULL) {
		return WEIR_PARSE_NEED; /* the rest of the line: ret->consumed is 0 */
	}
	ret->consumed = dir == WEIR_C2S ? (size_t)(end - chunk->data) + 1 : chunk->len;
	if (dir == WEIR_C2S && ret->consumed > 5 &&
	    (rec = weir_host_record(host, &schema, chunk->marks[0].ts_ns)) != NULL) {
		weir_record_set_bytes(rec, PING_TEXT, chunk->data + 5, ret->consumed - 6, 1000);
		weir_host_emit(host, rec);
	}
	return WEIR_PARSE_OK;
}

/* name, doc, schemas, ports, state_size, probe, open, on_data, skipped, on_gap, on_close, on_tick, done, park, unpark, wraps */
static const struct weir_parser parser = {"ping", "",   schemas, NULL, 0,    probe, NULL, on_data,
					  NULL,   NULL, NULL,    NULL, NULL, NULL,  NULL, false};

static void on_record(void *context, const struct weir_record *rec)
{
	if (rec->schema == &schema && context == NULL) {
		printf("ping of %u bytes\n", (unsigned)rec->values[PING_TEXT].len);
	}
}

int main(int argc, char **argv)
{
	struct weir_callbacks callbacks = {NULL, NULL, NULL, NULL, NULL, NULL, on_record, NULL};
	struct weir_engine *engine;

	if (weir_engine_new(NULL, &callbacks, &engine) < 0) {
		return 1;
	}
	weir_engine_add_parser(engine, &parser);
	return feed(engine, argc > 1 ? argv[1] : NULL);
}

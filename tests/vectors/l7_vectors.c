/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the event dumps (*.ev) that vec2pcap.py makes of vectors/l7/NAME.vec through a parser: whole, byte by byte, and in random splits:
 * l7_vectors DIRECTORY PARSER PORT. Prints "ID<TAB>what<TAB>text" lines for http1_vectors.py and db_vectors.py to judge: the records
 * and the anomalies of the whole run, the parser that was switched to, and DIFFERS for a way of splitting that gave other ones. A vector
 * longer than LONG bytes is not fed byte by byte. Exit 1 when an argument is no directory.
 */
#include <dirent.h>

#include "mock_host.h"
#include "parser/registry.h"

/* Ways of splitting: 0 whole, 1 byte by byte, then random ones; the same again with bodies=size. */
enum { RANDOM_SPLITS = 20, MODES = RANDOM_SPLITS + 2, LONG = 4 << 20 };

struct event {
	enum weir_direction dir;
	char kind; /* ':' bytes, '~' missing, '$' FIN, '!' RST */
	uint32_t len;
	const uint8_t *bytes;
};

struct script {
	uint8_t *file;
	struct event events[256];
	size_t n;
	bool midstream;
};

static int read_script(const char *path, struct script *ret)
{
	FILE *file = fopen(path, "rb");
	size_t size, at = 0;

	if (file == NULL) {
		return -1;
	}
	memset(ret, 0, sizeof(*ret));
	fseek(file, 0, SEEK_END);
	size = (size_t)ftell(file);
	rewind(file);
	ret->file = malloc(size + 1);
	size = fread(ret->file, 1, size, file);
	fclose(file);
	while (at + 6 <= size && ret->n < 256) {
		struct event *event = &ret->events[ret->n++];

		event->dir = ret->file[at] == 'C' ? WEIR_C2S : WEIR_S2C;
		event->kind = (char)ret->file[at + 1];
		memcpy(&event->len, ret->file + at + 2, 4);
		at += 6;
		if (event->kind == ':') {
			event->bytes = ret->file + at;
			at += event->len;
		}
	}
	return at == size ? 0 : -1;
}

/* Does detection take it? Asked as the engine asks: with the bytes of both directions so far. */
static bool is_taken(const struct script *script, const struct weir_parser *parser, uint16_t port)
{
	uint8_t *bytes[2] = {malloc(512), malloc(512)};
	struct weir_probe probe = {.roles_certain = true, .server_port = port};
	struct weir_probe_result result = {0};
	size_t i;

	for (i = 0; i < script->n && result.score < 60; i++) {
		const struct event *event = &script->events[i];
		size_t room = 512 - probe.len[event->dir];

		if (event->kind != ':') {
			continue;
		}
		room = room < event->len ? room : event->len;
		memcpy(bytes[event->dir] + probe.len[event->dir], event->bytes, room);
		probe.len[event->dir] += room;
		probe.data[event->dir] = bytes[event->dir];
		result = parser->probe(&probe);
		if (result.score == 0 && !result.more) {
			/* the vector's format does not say when the SYN was not seen: ask again that way */
			probe.midstream = true;
			result = parser->probe(&probe);
			probe.midstream = false;
		}
	}
	free(bytes[0]);
	free(bytes[1]);
	return result.score >= 60;
}

static size_t length(const struct script *script)
{
	size_t i, sum = 0;

	for (i = 0; i < script->n; i++) {
		sum += script->events[i].kind == ':' ? script->events[i].len : 0;
	}
	return sum;
}

static size_t piece_of(size_t left, int mode)
{
	if (mode % MODES == 0) {
		return left;
	}
	if (mode % MODES == 1) {
		return 1;
	}
	return 1 + (size_t)rand() % (left < 64 ? left : rand() % 4 == 0 ? 64 : left);
}

static void run(const struct script *script, const struct weir_parser *parser, int mode,
		struct weir_host *host)
{
	size_t i;

	mock_init(host, parser);
	host->config.bodies = WEIR_BODIES_KEEP;
	if (mode >= MODES) {
		host->config.bodies = WEIR_BODIES_SIZE;
	}
	mock_open(host);
	for (i = 0; i < script->n; i++) {
		const struct event *event = &script->events[i];
		size_t at = 0;

		if (event->kind == '~') {
			mock_gap(host, event->dir, event->len);
		} else if (event->kind == '$') {
			mock_close(host, event->dir, WEIR_CLOSE_FIN);
		} else if (event->kind == '!') {
			mock_close(host, event->dir, WEIR_CLOSE_RST);
			mock_close(host, (enum weir_direction) !event->dir, WEIR_CLOSE_RST);
		}
		while (event->kind == ':' && at < event->len) {
			/* one segment a 1,400 bytes, as in the captures; its pieces have its mark */
			size_t end = at + 1400 < event->len ? at + 1400 : event->len;
			struct weir_mark mark = mock_mark(host, event->dir);

			while (at < end) {
				size_t n = piece_of(end - at, mode);

				mock_feed_marked(host, event->dir, event->bytes + at, n, &mark);
				at += n;
			}
		}
	}
	mock_end(host);
}

static bool same(struct strbuf *a, struct strbuf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

static void print_lines(const char *id, const char *what, struct strbuf *text)
{
	const char *at = strbuf_text(text);

	while (*at != '\0') {
		size_t n = strcspn(at, "\n");

		printf("%s\t%s\t%.*s\n", id, what, (int)n, at);
		at += n + (at[n] == '\n');
	}
}

static void run_file(const char *id, const struct script *script, const struct weir_parser *parser,
		     uint16_t port)
{
	struct weir_host whole[2];
	int i;

	if (!is_taken(script, parser, port)) {
		printf("%s\tnot_taken\t\n", id);
		return;
	}
	for (i = 0; i < 2; i++) {
		run(script, parser, i * MODES, &whole[i]);
	}
	print_lines(id, "record", &whole[0].records);
	print_lines(id, "anomaly", &whole[0].anomalies);
	print_lines(id, "size_record", &whole[1].records);
	if (whole[0].switched) {
		printf("%s\tnext\t%s\n", id, whole[0].next_parser);
	}
	for (i = 1; i < 2 * MODES; i++) {
		struct weir_host *other = &whole[i >= MODES];
		struct weir_host host;

		if (i % MODES == 1 && length(script) > LONG) {
			continue;
		}
		run(script, parser, i, &host);
		if (!same(&host.records, &other->records) ||
		    !same(&host.anomalies, &other->anomalies)) {
			printf("%s\tDIFFERS\tsplit %d\n", id, i);
			print_lines(id, "split", &host.records);
		}
		mock_fini(&host);
	}
	mock_fini(&whole[0]);
	mock_fini(&whole[1]);
}

int main(int argc, char **argv)
{
	const struct weir_parser *parser = argc < 4 ? NULL : parser_find(argv[2]);
	struct dirent *entry;
	DIR *dir = argc < 2 ? NULL : opendir(argv[1]);

	if (dir == NULL || parser == NULL) {
		return 1;
	}
	srand(1);
	while ((entry = readdir(dir)) != NULL) {
		size_t n = strlen(entry->d_name);
		static struct script script;
		char path[4096];

		if (n < 4 || strcmp(entry->d_name + n - 3, ".ev") != 0) {
			continue;
		}
		(void)snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
		entry->d_name[n - 3] = '\0';
		if (read_script(path, &script) == 0) {
			run_file(entry->d_name, &script, parser,
				 (uint16_t)strtoul(argv[3], NULL, 10));
		} else {
			printf("%s\tunreadable\t\n", entry->d_name);
		}
		free(script.file);
	}
	closedir(dir);
	return 0;
}

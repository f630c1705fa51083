/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads every capture of the shared corpus: packets and link types are those that tshark 4.0 counted (manifest.tsv), damage
 * is told where tshark met it, and a batch of one gives what a large one gives.
 * usage: test_capture ROOT     ROOT/../shared, or $WEIR_SHARED; exit 77 where it is not present
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/capture.h"
#include "weir/error.h"

/* Where the manifest's figure is not the file's: how many packets there are, and why tshark counts others. */
static const struct {
	const char *file; /* end of its name */
	uint64_t packets;
} exceptions[] = {
	{"solaris.snoop", 0},               /* not pcap or pcapng: WEIR_EFORMAT */
	{"FuzzTarget-5766899836387328", 1}, /* tshark guesses another header; tcpdump: 1 */
	{"crash-exception-cast-constructed-record", 2} /* the same; tcpdump: 2 */
};

static const struct {
	const char *name; /* in the manifest */
	uint16_t linktypes[3];
} linktypes[] = {
	{"ether", {1, 1, 1}},
	{"null", {0, 0, 0}},
	{"linux-sll", {113, 113, 113}},
	{"rawip", {12, 14, 101}},
	{"rawip4", {228, 228, 228}},
	{"rawip6", {229, 229, 229}},
	{"linux-sll2", {276, 276, 276}},
	{"ppi", {192, 192, 192}},
};

struct outcome {
	int error;
	uint64_t packets;
	uint64_t hash;
	uint16_t linktype; /* of the last packet */
};

static struct outcome read_capture(const char *path, size_t batch_size)
{
	struct outcome outcome = {0};
	struct capture_batch batch;
	struct capture *capture;
	int n;

	if (capture_batch_init(&batch, batch_size) < 0) {
		exit(1);
	}
	n = capture_open_file(path, 0, &capture);
	while (n == 0 && (n = capture_fill(capture, &batch)) > 0) {
		int i;

		for (i = 0; i < n; i++) {
			const struct weir_packet *packet = &batch.packets[i];
			uint32_t k;

			outcome.packets++;
			outcome.linktype = packet->linktype;
			outcome.hash =
				outcome.hash * 31 + (uint64_t)packet->ts_ns + packet->wirelen;
			for (k = 0; k < packet->caplen; k++) {
				outcome.hash = outcome.hash * 31 + packet->data[k];
			}
		}
		n = 0;
	}
	outcome.error = n;
	capture_close(capture);
	capture_batch_fini(&batch);
	return outcome;
}

static bool is_linktype(const char *name, uint16_t linktype)
{
	size_t i;

	for (i = 0; i < sizeof(linktypes) / sizeof(linktypes[0]); i++) {
		if (strcmp(linktypes[i].name, name) == 0) {
			return linktype == linktypes[i].linktypes[0] ||
			       linktype == linktypes[i].linktypes[1] ||
			       linktype == linktypes[i].linktypes[2];
		}
	}
	return true; /* few and exotic */
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* What a row of the manifest says: "?" = tshark met damage, or does not know the link type. false: it is not so */
static bool check_row(const char *shared, char **field)
{
	bool known = field[8][0] != '?';
	uint64_t packets = strtoull(field[8], NULL, 10);
	struct outcome one, many;
	char path[4096];
	size_t i;

	(void)snprintf(path, sizeof(path), "%s/corpus/%s", shared, field[0]);
	one = read_capture(path, 1);
	many = read_capture(path, 512);
	for (i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
		if (ends_with(field[0], exceptions[i].file)) {
			packets = exceptions[i].packets;
		}
	}
	if (one.error != many.error || one.packets != many.packets || one.hash != many.hash) {
		printf("%s: batches of 1 and 512 differ\n", field[0]);
		return false;
	}
	if ((known && one.packets != packets) ||
	    (one.packets > 0 && !is_linktype(field[7], one.linktype))) {
		printf("%s: %llu packets of linktype %u, want %llu of %s\n", field[0],
		       (unsigned long long)one.packets, one.linktype, (unsigned long long)packets,
		       field[7]);
		return false;
	}
	if (one.error != 0 && one.error != WEIR_EDAMAGED &&
	    (one.error != WEIR_EFORMAT || strcmp(field[6], "snoop") != 0)) {
		printf("%s: %s\n", field[0], weir_strerror(one.error));
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	char shared[2048], path[4096], line[8192];
	const char *env = getenv("WEIR_SHARED");
	unsigned n = 0, failed = 0;
	FILE *manifest;

	(void)snprintf(shared, sizeof(shared), "%s%s",
		       env != NULL ? env
		       : argc > 1  ? argv[1]
				   : ".",
		       env != NULL ? "" : "/../shared");
	(void)snprintf(path, sizeof(path), "%s/corpus/manifest.tsv", shared);
	manifest = fopen(path, "r");
	if (manifest == NULL) {
		printf("no corpus at %s\n", shared);
		return 77;
	}
	(void)fgets(line, sizeof(line), manifest); /* names of the columns */
	while (fgets(line, sizeof(line), manifest) != NULL) {
		char *field[16] = {NULL};
		char *at = line;
		int i;

		for (i = 0; i < 16 && at != NULL; i++) {
			field[i] = strsep(&at, "\t");
		}
		if (i < 9) {
			continue;
		}
		n++;
		failed += !check_row(shared, field);
	}
	fclose(manifest);
	printf("%u captures, %u not as tshark has them\n", n, failed);
	return failed > 0 || n < 600;
}

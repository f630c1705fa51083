/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes every packet of the shared corpus: the TCP segments are those that tshark sees (decode_tshark.tsv, made by
 * make_decode_expected.py, which also says which frames are left out and why).
 * usage: test_decode ROOT     ROOT/../shared, or $WEIR_SHARED; exit 77 where it is not present
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "capture/capture.h"
#include "decode/layers.h"

struct row {
	const char *file;
	unsigned long segments;
	const char *sha256;
	const char *left_out; /* frame numbers with commas between */
};

static bool is_left_out(const char *list, uint64_t number)
{
	while (*list != '\0') {
		char *end;

		if (strtoull(list, &end, 10) == number) {
			return true;
		}
		list = *end == ',' ? end + 1 : end + strlen(end);
	}
	return false;
}

/* Adds the packet's line to the digest. @return 1 when it is a segment */
static unsigned long take_packet(const struct weir_packet *packet, EVP_MD_CTX *digest)
{
	struct layers layers;
	char line[128];
	int n;

	layers_decode(packet, true, &layers);
	if (layers.kind != LAYERS_TCP) {
		return 0;
	}
	n = snprintf(line, sizeof(line), "%llu %u %u %u %u %02x\n",
		     (unsigned long long)packet->number, layers.sport, layers.dport, layers.seq,
		     layers.payload_len, layers.flags);
	if (EVP_DigestUpdate(digest, line, (size_t)n) != 1) {
		exit(1);
	}
	return 1;
}

static void finish_hex(EVP_MD_CTX *digest, char *ret_hex)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned len = 0, i;

	if (EVP_DigestFinal_ex(digest, md, &len) != 1) {
		exit(1);
	}
	for (i = 0; i < len; i++) {
		(void)sprintf(ret_hex + (size_t)i * 2, "%02x", md[i]);
	}
}

static bool check_row(const char *shared, const struct row *row)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	char hex[EVP_MAX_MD_SIZE * 2 + 1];
	struct capture_batch batch;
	struct capture *capture;
	unsigned long segments = 0;
	char path[4096];
	int n;

	(void)snprintf(path, sizeof(path), "%s/corpus/%s", shared, row->file);
	if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1 ||
	    capture_batch_init(&batch, 256) < 0) {
		exit(1);
	}
	n = capture_open_file(path, 0, &capture);
	while (n == 0 && (n = capture_fill(capture, &batch)) > 0) {
		int i;

		for (i = 0; i < n; i++) {
			if (!is_left_out(row->left_out, batch.packets[i].number)) {
				segments += take_packet(&batch.packets[i], digest);
			}
		}
		n = 0;
	}
	capture_close(capture);
	capture_batch_fini(&batch);
	finish_hex(digest, hex);
	EVP_MD_CTX_free(digest);
	if (segments == row->segments && (segments == 0 || strcmp(hex, row->sha256) == 0)) {
		return true;
	}
	printf("%s: %lu segments, tshark sees %lu%s\n", row->file, segments, row->segments,
	       segments == row->segments ? ", but others" : "");
	return false;
}

int main(int argc, char **argv)
{
	const char *env = getenv("WEIR_SHARED");
	const char *root = argc > 1 ? argv[1] : ".";
	char shared[2048], path[4096], line[8192];
	unsigned n = 0, failed = 0;
	unsigned long segments = 0;
	FILE *file;

	(void)snprintf(shared, sizeof(shared), "%s%s", env != NULL ? env : root,
		       env != NULL ? "" : "/../shared");
	(void)snprintf(path, sizeof(path), "%s/corpus/manifest.tsv", shared);
	file = fopen(path, "r");
	if (file == NULL) {
		printf("no corpus at %s\n", shared);
		return 77;
	}
	fclose(file);
	(void)snprintf(path, sizeof(path), "%s/tests/corpus/decode_tshark.tsv", root);
	file = fopen(path, "r");
	if (file == NULL || fgets(line, sizeof(line), file) == NULL) {
		printf("no %s\n", path);
		return 1;
	}
	while (fgets(line, sizeof(line), file) != NULL) {
		char *at = line;
		struct row row;

		line[strcspn(line, "\n")] = '\0';
		row.file = strsep(&at, "\t");
		row.segments = at == NULL ? 0 : strtoul(strsep(&at, "\t"), NULL, 10);
		row.sha256 = at == NULL ? "" : strsep(&at, "\t");
		row.left_out = at == NULL ? "" : at;
		n++;
		segments += row.segments;
		failed += !check_row(shared, &row);
	}
	fclose(file);
	printf("%u captures, %lu segments, %u captures not as tshark has them\n", n, segments,
	       failed);
	return failed > 0 || n < 600;
}

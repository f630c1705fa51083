/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of a directory: the corpus as a regression test. Exit 1 when the directory is empty. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;
	size_t got;

	if (file == NULL) {
		return -1;
	}
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	/* exactly the size of the input, so that a read beyond it is caught */
	data = malloc(size > 0 ? (size_t)size : 1);
	got = data == NULL ? 0 : fread(data, 1, (size_t)size, file);
	fclose(file);
	(void)LLVMFuzzerTestOneInput(data, got);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned n = 0;
	int i;

	for (i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		struct dirent *entry;
		char path[4096];

		if (dir == NULL) {
			continue;
		}
		while ((entry = readdir(dir)) != NULL) {
			if (entry->d_name[0] == '.') {
				continue;
			}
			(void)snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			n += run_file(path) == 0;
		}
		closedir(dir);
	}
	printf("%u inputs\n", n);
	return n == 0;
}

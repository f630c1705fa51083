/* SPDX-License-Identifier: Apache-2.0 */
/* Names and files of --ring: see keep_dir.h. */
#include "capture/keep_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "weir/error.h"

void keep_file_name(struct keep_file *file)
{
	time_t s = (time_t)(file->begin_ns / NS_PER_S);
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&s, &tm) != NULL) {
		(void)strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &tm);
	}
	(void)snprintf(file->name, sizeof(file->name),
		       "ring-%s.%09" PRId64 "Z-r%06" PRIu32 "-p%012" PRIu64 ".pcapng", when,
		       file->begin_ns % NS_PER_S, file->run, file->first);
}

/* The digits behind `before`, which comes first. false: it does not, or there are none */
static bool read_after(const char **at, const char *before, uint64_t *ret)
{
	size_t len = strlen(before);
	char *end;

	if (strncmp(*at, before, len) != 0 || (*at)[len] < '0' || (*at)[len] > '9') {
		return false;
	}
	*ret = strtoull(*at + len, &end, 10);
	*at = end;
	return true;
}

bool keep_file_parse(const char *name, struct keep_file *ret)
{
	struct keep_file file = {.size = 0};
	struct tm tm = {.tm_isdst = 0};
	uint64_t ns, run;
	const char *at;

	if (strlen(name) >= KEEP_NAME) {
		return false;
	}
	at = strptime(name, "ring-%Y%m%dT%H%M%S", &tm);
	if (at == NULL || !read_after(&at, ".", &ns) || !read_after(&at, "Z-r", &run) ||
	    !read_after(&at, "-p", &file.first) || tm.tm_year < 70 || tm.tm_year > 8000 ||
	    ns >= NS_PER_S || run > UINT32_MAX) {
		return false;
	}
	/* what is not written as we write it is not ours: the name is made again, and compared */
	file.run = (uint32_t)run;
	file.begin_ns = (int64_t)timegm(&tm) * NS_PER_S + (int64_t)ns;
	keep_file_name(&file);
	if (strcmp(file.name, name) != 0) {
		return false;
	}
	*ret = file;
	return true;
}

int keep_dir_add(struct keep_dir *dir, const struct keep_file *file)
{
	if (dir->n == dir->room) {
		size_t room = dir->room == 0 ? 64 : dir->room * 2;
		struct keep_file *grown = reallocarray(dir->files, room, sizeof(*grown));

		if (grown == NULL) {
			return WEIR_ENOMEM;
		}
		dir->files = grown;
		dir->room = room;
	}
	dir->files[dir->n++] = *file;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct keep_file *)a)->name, ((const struct keep_file *)b)->name);
}

int keep_dir_list(int fd, struct keep_dir *ret)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = again < 0 ? NULL : fdopendir(again);
	const struct dirent *entry;
	int err = 0;

	*ret = (struct keep_dir){.files = NULL};
	if (stream == NULL) {
		if (again >= 0) {
			close(again);
		}
		return WEIR_EIO;
	}
	while (err == 0 && (entry = readdir(stream)) != NULL) {
		struct keep_file file;
		struct stat st;

		if (keep_file_parse(entry->d_name, &file) &&
		    fstatat(fd, file.name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
			file.size = (uint64_t)st.st_size;
			err = keep_dir_add(ret, &file);
		}
	}
	closedir(stream);
	if (ret->n > 0) {
		qsort(ret->files, ret->n, sizeof(*ret->files), by_name);
	}
	return err;
}

void keep_dir_fini(struct keep_dir *dir)
{
	free(dir->files);
	*dir = (struct keep_dir){.files = NULL};
}

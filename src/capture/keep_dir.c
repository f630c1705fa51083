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

bool keep_file_parse(const char *name, struct keep_file *ret)
{
	struct keep_file file = {.size = 0};
	struct tm tm = {.tm_isdst = 0};
	long ns;

	if (strlen(name) >= KEEP_NAME ||
	    sscanf(name, "ring-%4d%2d%2dT%2d%2d%2d.%9ldZ-r%" SCNu32 "-p%" SCNu64, &tm.tm_year,
		   &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ns, &file.run,
		   &file.first) != 9 ||
	    tm.tm_year < 1970) {
		return false;
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	file.begin_ns = (int64_t)timegm(&tm) * NS_PER_S + ns;
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

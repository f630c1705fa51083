/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of --ring in their directory. A name says all that is asked for before a file is opened:
 *
 *     ring-20261123T022301.123456789Z-r000002-p000000001204.pcapng
 *          when it was begun (UTC)    run     number of its first packet
 *
 * Names sort by time. A run is one start of weir: packet numbers begin again with each. Other files are nobody's here: they are
 * neither counted nor deleted.
 */
#ifndef CAPTURE_KEEP_DIR_H
#define CAPTURE_KEEP_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEEP_NAME = 80 };

struct keep_file {
	char name[KEEP_NAME];
	int64_t begin_ns;
	uint32_t run;
	uint64_t first; /* packet */
	uint64_t size;
};

struct keep_dir {
	struct keep_file *files; /* the oldest first */
	size_t n;
	size_t room;
};

/** file->begin_ns, run and first to file->name. */
void keep_file_name(struct keep_file *file);

/** The other way. false: it is no name of ours, to the letter. */
bool keep_file_parse(const char *name, struct keep_file *ret);

/** List a directory. 0, WEIR_EIO (errno), WEIR_ENOMEM. To be released with keep_dir_fini() in any case */
int keep_dir_list(int fd, struct keep_dir *ret);

/** Append. WEIR_ENOMEM */
int keep_dir_add(struct keep_dir *dir, const struct keep_file *file);
void keep_dir_fini(struct keep_dir *dir);

#endif

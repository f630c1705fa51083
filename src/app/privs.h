/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rights: dropped when everything is open and before the first packet is parsed, because what parses hostile bytes should have
 * nothing to lose.
 *
 *   user          root becomes SUDO_UID, or `nobody`; supplementary groups go
 *   capabilities  all of them, also those that could be had back (bounding, ambient, no_new_privs)
 *   landlock      files: below the outputs' directories only, where the kernel has it (5.13)
 *   seccomp       a list of what is still needed; all else fails with EPERM, starting a program ends the process
 *
 * The order is this one. Each layer that cannot be had (no library, old kernel) is left out and told by privs_status.
 *
 * The outputs that are open already become that user's, as if it had made them: they are opened again when they are rotated.
 *
 * Root stays root (without any capability) when an output will need new files in a directory that only root can write: the
 * files of streams and rotated ones would fail otherwise. Then landlock is what keeps it out of root's other files.
 */
#ifndef APP_PRIVS_H
#define APP_PRIVS_H

#include <stdbool.h>
#include <stddef.h>

enum { PRIVS_MAX_PATHS = 64 };

struct privs_needs {
	/* directories in which files are still to be created */
	const char *directories[PRIVS_MAX_PATHS];
	size_t ndirectories;
	const char *files[PRIVS_MAX_PATHS]; /* outputs that were made */
	size_t nfiles;
	bool digests; /* bodies, streams or community ids will be hashed: the crypto library is set up */
	bool network; /* some sink connects to a server: sockets, and reading of configuration */
};

struct privs_status {
	bool user_changed;
	bool capabilities_dropped;
	int landlock; /* ABI version in force; 0: none */
	bool seccomp;
	char message[256]; /* what went wrong, when privs_drop() failed */
};

/** Add a directory (kept by reference; doubles are left out). Beyond PRIVS_MAX_PATHS: none, and files there cannot be made. */
void privs_need_directory(struct privs_needs *needs, const char *directory);

/** Add a file (kept by reference). Beyond PRIVS_MAX_PATHS: it stays root's. */
void privs_need_file(struct privs_needs *needs, const char *path);

/** Drop what is not in `needs`, for this thread and those it will start. 0, or WEIR_EACCES: something that should have gone is still
 * there; ret->message says what */
int privs_drop(const struct privs_needs *needs, struct privs_status *ret);

/**
 * So many files are opened before rights are dropped, for later there may be none to: raise the limit of descriptors if it is too
 * low for them, as far as it may be.
 */
void privs_allow_files(size_t nfiles);

/** May this process capture (CAP_NET_RAW in effect)? */
bool privs_can_capture(void);

/** What this build can do: "libcap-ng seccomp landlock". Static. */
const char *privs_features(void);

/** The version of landlock that the kernel has; 0: none. */
int privs_landlock_version(void);

#endif

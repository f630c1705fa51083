/* SPDX-License-Identifier: Apache-2.0 */
/* Dropping rights: see privs.h. */
#include "app/privs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HAVE_CAPNG
#include <cap-ng.h>
#endif
#ifdef HAVE_LANDLOCK
#include <linux/landlock.h>
#endif

#include <openssl/crypto.h>

#include "app/syscalls.h"
#include "weir/error.h"

/* A sanitizer's runtime reads /proc, starts a tracing thread and a symbolizer: what would stop it is left out with one. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

enum {
	NOBODY = 65534,
	SPARE_FILES = 64 /* descriptors beside those that are told */
};

const char *privs_features(void)
{
	return ""
#ifdef HAVE_CAPNG
	       " libcap-ng"
#endif
#ifdef HAVE_SECCOMP
	       " seccomp"
#endif
#ifdef HAVE_LANDLOCK
	       " landlock"
#endif
		;
}

void privs_need_directory(struct privs_needs *needs, const char *directory)
{
	size_t i;

	for (i = 0; i < needs->ndirectories; i++) {
		if (strcmp(needs->directories[i], directory) == 0) {
			return;
		}
	}
	if (needs->ndirectories < PRIVS_MAX_PATHS) {
		needs->directories[needs->ndirectories++] = directory;
	}
}

void privs_need_file(struct privs_needs *needs, const char *path)
{
	if (needs->nfiles < PRIVS_MAX_PATHS) {
		needs->files[needs->nfiles++] = path;
	}
}

static int fail(struct privs_status *status, const char *what)
{
	int saved = errno;

	(void)snprintf(status->message, sizeof(status->message), "%s: %s", what, strerror(saved));
	return WEIR_EACCES;
}

void privs_allow_files(size_t nfiles)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < nfiles + SPARE_FILES) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

bool privs_can_capture(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	return syscall(SYS_capget, &head, data) == 0 &&
	       (data[0].effective & (UINT32_C(1) << CAP_NET_RAW)) != 0;
}

/* ---- the user ---- */

struct user {
	uid_t uid;
	gid_t gid;
};

static bool number_of(const char *name, unsigned *ret)
{
	const char *text = getenv(name);
	char *end;
	unsigned long value;

	if (text == NULL || text[0] < '0' || text[0] > '9') {
		return false;
	}
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || value == 0 || value >= UINT32_MAX) {
		return false;
	}
	*ret = (unsigned)value;
	return true;
}

/* Whom root becomes. */
static struct user choose_user(void)
{
	struct user user = {.uid = NOBODY, .gid = NOBODY};
	const struct passwd *nobody;
	unsigned uid, gid;

	if (number_of("SUDO_UID", &uid) && number_of("SUDO_GID", &gid)) {
		user.uid = uid;
		user.gid = gid;
		return user;
	}
	nobody = getpwnam("nobody");
	if (nobody != NULL && nobody->pw_uid != 0) {
		user.uid = nobody->pw_uid;
		user.gid = nobody->pw_gid;
	}
	return user;
}

/* By the mode alone: rights that an ACL gives beside it are not counted on. */
static bool can_write(const struct user *user, const char *directory)
{
	struct stat st;

	if (stat(directory, &st) != 0) {
		return false;
	}
	if (st.st_uid == user->uid) {
		return (st.st_mode & S_IWUSR) != 0;
	}
	return (st.st_mode & (st.st_gid == user->gid ? S_IWGRP : S_IWOTH)) != 0;
}

static bool must_stay_root(const struct privs_needs *needs, const struct user *user)
{
	size_t i;

	for (i = 0; i < needs->ndirectories; i++) {
		if (!can_write(user, needs->directories[i])) {
			return true;
		}
	}
	return false;
}

/* A plain file of root's that nobody else has a name for. What cannot be given away stays root's. */
static void give_away(const char *path, const struct user *user)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		return;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 && st.st_nlink == 1) {
		(void)!fchownat(fd, "", user->uid, user->gid, AT_EMPTY_PATH);
	}
	close(fd);
}

/* Where there is no such user (a user namespace) or no right to change (a container without CAP_SETUID), root is only a name:
 * its capabilities go in any case. */
static int change_user(const struct privs_needs *needs, struct privs_status *status)
{
	struct user user = choose_user();
	size_t i;

	if (geteuid() != 0 || must_stay_root(needs, &user)) {
		return 0;
	}
	for (i = 0; i < needs->nfiles; i++) {
		give_away(needs->files[i], &user);
	}
	if (setgroups(0, NULL) != 0 || setresgid(user.gid, user.gid, user.gid) != 0 ||
	    setresuid(user.uid, user.uid, user.uid) != 0) {
		if (errno == EPERM || errno == EINVAL) {
			return 0;
		}
		return fail(status, "cannot become an unprivileged user");
	}
	if (setresuid((uid_t)-1, 0, (uid_t)-1) == 0) {
		errno = EPERM;
		return fail(status, "could become root again");
	}
	status->user_changed = true;
	return 0;
}

/* ---- capabilities ---- */

/* What is in effect, permitted or inherited: nothing may be left. */
static bool has_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	uint32_t all = 0;
	size_t i;

	if (syscall(SYS_capget, &head, data) != 0) {
		return true;
	}
	for (i = 0; i < 2; i++) {
		all |= data[i].effective | data[i].permitted | data[i].inheritable;
	}
	return all != 0;
}

/* The bounding set can be emptied by those that have CAP_SETPCAP; others have no_new_privs instead. Before the user changes, which
 * takes it away. */
static void empty_bounding_set(void)
{
#ifdef HAVE_CAPNG
	if (capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		capng_clear(CAPNG_SELECT_BOUNDS);
		(void)capng_apply(CAPNG_SELECT_BOUNDS);
	}
#endif
}

static int drop_capabilities(struct privs_status *status)
{
#ifdef HAVE_CAPNG
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0) {
		return fail(status, "cannot drop capabilities");
	}
#else
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (syscall(SYS_capset, &head, data) != 0) {
		return fail(status, "cannot drop capabilities");
	}
#endif
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (has_capabilities()) {
		errno = EPERM;
		return fail(status, "capabilities are still there");
	}
	status->capabilities_dropped = true;
	return 0;
}

/* ---- landlock ---- */

int privs_landlock_version(void)
{
#ifdef HAVE_LANDLOCK
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (int)version;
#else
	return 0;
#endif
}

#ifdef HAVE_LANDLOCK
/* Rights that this version of landlock can refuse; the kernel knows each with its version. */
static uint64_t landlock_writes(int version)
{
	uint64_t rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
			  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
			  LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
			  LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
			  LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

	if (version >= 2) {
		rights |= UINT64_C(1) << 13; /* REFER */
	}
	if (version >= 3) {
		rights |= UINT64_C(1) << 14; /* TRUNCATE */
	}
	return rights;
}

static int add_directory(int ruleset, const char *directory, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights};
	int err;

	rule.parent_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rule.parent_fd < 0) {
		return -1;
	}
	err = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return err;
}
#endif

static int restrict_files(const struct privs_needs *needs, struct privs_status *status)
{
#ifdef HAVE_LANDLOCK
	int version = privs_landlock_version();
	uint64_t reads = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	uint64_t writes = landlock_writes(version);
	bool reads_anywhere = needs->network || SANITIZED;
	struct landlock_ruleset_attr attr = {
		.handled_access_fs =
			writes | LANDLOCK_ACCESS_FS_EXECUTE | (reads_anywhere ? 0 : reads),
	};
	int ruleset, err = 0;
	size_t i;

	if (version == 0) {
		return 0;
	}
	if (SANITIZED) {
		attr.handled_access_fs &= ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE;
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0) {
		return 0; /* known to the kernel, but switched off */
	}
	/* directories that are not there are no reason: nothing can be made in them */
	for (i = 0; i < needs->ndirectories; i++) {
		uint64_t rights = (writes | reads) & attr.handled_access_fs;

		/* devices, sockets and links are never made */
		rights &= ~(uint64_t)(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
				      LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
				      LANDLOCK_ACCESS_FS_MAKE_SYM);
		(void)add_directory(ruleset, needs->directories[i], rights);
	}
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
		err = fail(status, "landlock refused");
	} else {
		status->landlock = version;
	}
	close(ruleset);
	return err;
#else
	(void)needs;
	(void)status;
	return 0;
#endif
}

/* ---- all of it ---- */

int privs_drop(const struct privs_needs *needs, struct privs_status *ret)
{
	int err;

	memset(ret, 0, sizeof(*ret));
	/* it reads its configuration when it is first used, a millisecond's work: now is the last time that it can */
	if (needs->digests) {
		(void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	}
	empty_bounding_set();
	err = change_user(needs, ret);
	if (err == 0) {
		err = drop_capabilities(ret);
	}
	if (err == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		err = fail(ret, "cannot give up new privileges");
	}
	if (err == 0) {
		err = restrict_files(needs, ret);
	}
	if (err == 0 && !SANITIZED) {
		err = syscalls_restrict(needs->ndirectories > 0 || needs->network, needs->network,
					&ret->seccomp);
		if (err < 0) {
			err = fail(ret, "seccomp refused");
		}
	}
	if (SANITIZED) {
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* the leak checker traces */
	}
	return err;
}

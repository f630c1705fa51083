/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropping rights, each time in a child of its own that tells by its exit status what it could still do. Needs no root:
 * landlock and seccomp work for everybody. A build with a sanitizer leaves seccomp out, and the test looks at what is left.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/privs.h"

struct folders {
	char inside[64];
	char outside[64];
	char file[128]; /* outside, writable by everybody */
};

static void make_folders(struct folders *folders)
{
	int fd;

	strcpy(folders->inside, "/tmp/weir-privs-in.XXXXXX");
	strcpy(folders->outside, "/tmp/weir-privs-out.XXXXXX");
	assert_non_null(mkdtemp(folders->inside));
	assert_non_null(mkdtemp(folders->outside));
	assert_int_equal(chmod(folders->inside, 0777), 0);
	assert_int_equal(chmod(folders->outside, 0777), 0);
	(void)snprintf(folders->file, sizeof(folders->file), "%s/file", folders->outside);
	fd = open(folders->file, O_WRONLY | O_CREAT, 0666);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0666), 0);
	close(fd);
}

static void remove_folders(const struct folders *folders)
{
	char path[128];

	unlink(folders->file);
	(void)snprintf(path, sizeof(path), "%s/new", folders->inside);
	unlink(path);
	(void)snprintf(path, sizeof(path), "%s/new", folders->outside);
	unlink(path);
	assert_int_equal(rmdir(folders->inside), 0);
	assert_int_equal(rmdir(folders->outside), 0);
}

/* Run act() in a child without rights. @return its wait status */
static int without_rights(const struct folders *folders, int (*act)(const struct folders *folders))
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct privs_needs needs = {.ndirectories = 0};
		struct privs_status dropped;

		if (folders != NULL) {
			privs_need_directory(&needs, folders->inside);
		}
		if (privs_drop(&needs, &dropped) != 0) {
			_exit(99);
		}
		_exit(act(folders));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int open_files(const struct folders *folders)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/new", folders->inside);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1) {
		return 1;
	}
	(void)snprintf(path, sizeof(path), "%s/new", folders->outside);
	if (privs_landlock_version() == 0) {
		return 0; /* nothing more can be promised */
	}
	if (open(path, O_WRONLY | O_CREAT, 0600) >= 0 || errno != EACCES) {
		return 2;
	}
	if (open(folders->file, O_WRONLY) >= 0 || errno != EACCES) {
		return 3;
	}
	return 0;
}

static void files_are_made_below_the_outputs_only(void **state)
{
	struct folders folders;

	make_folders(&folders);
	assert_int_equal(without_rights(&folders, open_files), 0);
	remove_folders(&folders);
}

static void *nothing(void *context)
{
	return context;
}

static int do_what_a_run_does(const struct folders *folders)
{
	pthread_t thread;
	void *memory = malloc(1 << 20);

	(void)folders;
	if (memory == NULL || pthread_create(&thread, NULL, nothing, NULL) != 0 ||
	    pthread_join(thread, NULL) != 0) {
		return 1;
	}
	free(memory);
	return fprintf(stderr, "%s", "") < 0;
}

static void a_run_can_go_on(void **state)
{
	assert_int_equal(without_rights(NULL, do_what_a_run_does), 0);
}

static int gain_rights(const struct folders *folders)
{
	(void)folders;
	if (privs_can_capture() || setuid(0) == 0) {
		return geteuid() == 0 ? 1 : 2;
	}
	return socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? 3 : 0;
}

static void rights_do_not_come_back(void **state)
{
	assert_int_equal(without_rights(NULL, gain_rights), 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(HAVE_SECCOMP)
static int start_a_program(const struct folders *folders)
{
	char *const argv[] = {(char *)(uintptr_t) "true", NULL};

	(void)folders;
	(void)execve("/bin/true", argv, NULL);
	return 0;
}

static int open_a_file(const struct folders *folders)
{
	(void)folders;
	return open("/dev/null", O_RDONLY) < 0 && errno == EPERM ? 0 : 1;
}

static void starting_a_program_ends_the_process(void **state)
{
	int status = without_rights(NULL, start_a_program);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void nothing_is_opened_without_need(void **state)
{
	assert_int_equal(without_rights(NULL, open_a_file), 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_made_below_the_outputs_only),
		cmocka_unit_test(a_run_can_go_on),
		cmocka_unit_test(rights_do_not_come_back),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(HAVE_SECCOMP)
		cmocka_unit_test(starting_a_program_ends_the_process),
		cmocka_unit_test(nothing_is_opened_without_need),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of system calls: see syscalls.h. What is not there fails with EPERM instead of ending the process, because a
 * libc's next version may try a new call first and fall back; for calls that no libc makes by itself there is no such reason.
 */
#include "app/syscalls.h"

#include <errno.h>
#include <stddef.h>

#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#include "weir/error.h"

#ifdef HAVE_SECCOMP
static const int always[] = {
	/* what is open */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(fcntl),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(ioctl),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fadvise64),
	SCMP_SYS(fallocate),
	SCMP_SYS(sync_file_range),
	/* waiting */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(eventfd2),
	SCMP_SYS(pipe2),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	/* the ring of a live capture */
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	/* memory */
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(mprotect),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(mlock),
	SCMP_SYS(munlock),
	/* threads */
	SCMP_SYS(futex),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(tgkill),
	SCMP_SYS(membarrier),
	/* signals */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	/* asking */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrusage),
	SCMP_SYS(getrandom),
	SCMP_SYS(prlimit64),
	SCMP_SYS(getrlimit),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(getppid),
	SCMP_SYS(getcpu),
};

static const int for_files[] = {
	SCMP_SYS(open),       SCMP_SYS(openat),     SCMP_SYS(creat),      SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),    SCMP_SYS(rename),     SCMP_SYS(renameat),   SCMP_SYS(renameat2),
	SCMP_SYS(unlink),     SCMP_SYS(unlinkat),   SCMP_SYS(stat),       SCMP_SYS(lstat),
	SCMP_SYS(statx),      SCMP_SYS(statfs),     SCMP_SYS(fstatfs),    SCMP_SYS(access),
	SCMP_SYS(faccessat),  SCMP_SYS(faccessat2), SCMP_SYS(getdents64), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getcwd),     SCMP_SYS(fchmod),     SCMP_SYS(truncate),
	SCMP_SYS(flock),      SCMP_SYS(umask),
};

static const int for_network[] = {
	SCMP_SYS(socket),      SCMP_SYS(connect),    SCMP_SYS(bind),     SCMP_SYS(listen),
	SCMP_SYS(accept),      SCMP_SYS(accept4),    SCMP_SYS(sendto),   SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),    SCMP_SYS(recvmmsg),   SCMP_SYS(shutdown), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername), SCMP_SYS(socketpair), SCMP_SYS(sendfile),
};

/* No run makes these, and code that an attacker brought would. */
static const int never[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(bpf),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(keyctl),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(open_by_handle_at),
};

static int add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		int err = seccomp_rule_add(filter, action, calls[i], 0);

		/* a call that this architecture does not have */
		if (err < 0 && err != -EDOM && err != -EINVAL) {
			errno = -err;
			return WEIR_EIO;
		}
	}
	return 0;
}

#define ADD(filter, action, calls) add(filter, action, calls, sizeof(calls) / sizeof((calls)[0]))
#endif

int syscalls_restrict(bool files, bool network, bool *ret_active)
{
#ifdef HAVE_SECCOMP
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	*ret_active = false;
	if (filter == NULL) {
		return 0;
	}
	err = ADD(filter, SCMP_ACT_ALLOW, always);
	if (err == 0 && files) {
		err = ADD(filter, SCMP_ACT_ALLOW, for_files);
	}
	if (err == 0 && network) {
		err = ADD(filter, SCMP_ACT_ALLOW, for_network);
	}
	if (err == 0) {
		err = ADD(filter, SCMP_ACT_KILL_PROCESS, never);
	}
	if (err == 0) {
		int status = seccomp_load(filter);

		*ret_active = status == 0;
		if (status < 0 && status != -ENOSYS && status != -EINVAL) {
			errno = -status;
			err = WEIR_EIO;
		}
	}
	seccomp_release(filter);
	return err;
#else
	(void)files;
	(void)network;
	*ret_active = false;
	return 0;
#endif
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that are left to a run: a seccomp filter, by libseccomp. */
#ifndef APP_SYSCALLS_H
#define APP_SYSCALLS_H

#include <stdbool.h>

/**
 * From now on, in this thread and those it starts, only what a run needs: reading and writing what is open, memory, threads,
 * clocks. All else fails with EPERM; what starts or inspects programs ends the process.
 *
 * @param files       files may be opened and renamed too (landlock says where)
 * @param network     sockets may be made too
 * @param ret_active  false: this build or this kernel cannot
 * @return 0, or WEIR_EIO (errno): it should have worked
 */
int syscalls_restrict(bool files, bool network, bool *ret_active);

#endif

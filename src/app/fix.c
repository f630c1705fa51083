/* SPDX-License-Identifier: Apache-2.0 */
/* Fixes by errno: see fix.h. */
#include "app/fix.h"

#include <errno.h>

const char *fix_of_errno(int error)
{
	switch (error) {
	case ENOSPC:
		return "Make room there, or write to another place.";
	case EDQUOT:
		return "The quota is used up: make room, or write to another place.";
	case EFBIG:
		return "The file may not grow further: see ulimit -f, or rotate it.";
	case EACCES:
	case EPERM:
	case EROFS:
		return "Choose a place that this user may use, or change its rights.";
	case ENOENT:
	case ENOTDIR:
		return "See that the path is right; directories are not made.";
	case EISDIR:
		return "Name a file in that directory.";
	case EMFILE:
		return "Too many files are open: see ulimit -n.";
	case EIO:
		return "The device has failed: the kernel's log (dmesg) says more.";
	default:
		return "";
	}
}

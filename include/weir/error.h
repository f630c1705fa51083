/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error codes of weir. One enum, one text table (base/error.c).
 *
 * A function that can fail returns int (or ssize_t): 0 or more is success, below 0 one of these.
 * What the network sends is never an error: it is marked on the record and counted.
 */
#ifndef WEIR_ERROR_H
#define WEIR_ERROR_H

#include "export.h"

#ifdef __cplusplus
extern "C" {
#endif

enum weir_error {
	WEIR_OK = 0,
	WEIR_ENOMEM = -1,       /* the allocator returned NULL */
	WEIR_EBUDGET = -2,      /* the memory budget is spent */
	WEIR_EINVAL = -3,       /* bad argument, or a call that is not legal in this state */
	WEIR_EIO = -4,          /* read or write failed; errno says more */
	WEIR_EFORMAT = -5,      /* the input is not of a known format (from its first bytes) */
	WEIR_EDAMAGED = -6,     /* the input is damaged or cut short after some good packets */
	WEIR_ENOTFOUND = -7,    /* no such thing */
	WEIR_EUNSUPPORTED = -8, /* known, but not built in or not done */
	WEIR_ELIMIT = -9,       /* a fixed limit was reached */
	WEIR_EACCES = -10       /* not permitted */
};

/** Text of an error code, never NULL, static. Unknown codes give "unknown error". */
WEIR_API const char *weir_strerror(int error);

#ifdef __cplusplus
}
#endif
#endif

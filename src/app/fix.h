/* SPDX-License-Identifier: Apache-2.0 */
/* What helps against an error of the system: the second line of messages about files. */
#ifndef APP_FIX_H
#define APP_FIX_H

/** A sentence for an errno, or "". */
const char *fix_of_errno(int error);

#endif

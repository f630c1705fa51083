/* SPDX-License-Identifier: Apache-2.0 */
/* What this process may capture, why not, and the command that helps: `weir doctor`, and the message when -i is refused. */
#ifndef APP_DOCTOR_H
#define APP_DOCTOR_H

#include <stdio.h>

/** Print what was found. @return exit status: 0 when capturing is possible */
int doctor_run(FILE *out);

/** The lines below "cannot capture on X: operation not permitted". */
void doctor_explain(FILE *out, const char *interface);

#endif

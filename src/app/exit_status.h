/* SPDX-License-Identifier: Apache-2.0 */
/* What the program's subcommands return to the shell; weir(1), EXIT STATUS. 0: all went well. */
#ifndef APP_EXIT_STATUS_H
#define APP_EXIT_STATUS_H

enum {
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,   /* options, a filter or an expression that is none */
	EXIT_DAMAGED = 3, /* the capture ends in the middle of a packet; all before was processed */
	EXIT_LOST = 4     /* --strict, and something was lost */
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The network interfaces of this machine, for people: `weir ifaces`, and the lists in messages. */
#ifndef APP_IFACES_H
#define APP_IFACES_H

#include <stdio.h>

#include "base/strbuf.h"

/** A table: name, state, link type where it may be asked for, addresses. @return exit status */
int ifaces_print(FILE *out);

/** "eth0 (10.2.1.9), lo": those that are up, with an address each; "" when there are none. */
void ifaces_up(struct strbuf *out);

/** -L: the link types of one interface. @return exit status */
int ifaces_print_linktypes(FILE *out, const char *name);

#endif

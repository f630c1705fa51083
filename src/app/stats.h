/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir stats REPORT,... FILE...: reports on captures or on a store. A capture is read into a store of its own, which goes again: so
 * there is one way to count.
 */
#ifndef APP_STATS_H
#define APP_STATS_H

#include "app/options.h"
#include "base/strbuf.h"

/** options->words: the reports, then the files. @return exit status */
int stats_run(struct options *options);

/** "http endpoints ...": the names, for messages. */
void stats_names(struct strbuf *out);

#endif

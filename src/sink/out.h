/* SPDX-License-Identifier: Apache-2.0 */
/* Buffered output to a file or stdout, for the sinks that write text. */
#ifndef SINK_OUT_H
#define SINK_OUT_H

#include <sys/uio.h>

#include "base/strbuf.h"

enum {
	OUT_BUFFER = 256 * 1024,
	OUT_COPIED = 32 * 1024 /* text up to this length is put into the buffer */
};

/* Append to buf, then call out_wrote(). Owned: fd unless it is stdout, target, buf. */
struct out {
	struct strbuf buf;
	int fd;
	char *target; /* NULL: stdout */
	bool each;    /* write out at every out_wrote() */
};

/** @param target "" or "-" is stdout; a file is truncated. @return 0, WEIR_EIO (errno), WEIR_ENOMEM */
int out_open(struct out *out, const char *target, bool each);
/** A record is complete in buf: write when it is time to. 0 or WEIR_EIO/WEIR_ENOMEM */
int out_wrote(struct out *out);
/** Text of whole records that lies elsewhere: much of it is written from there, behind what is in buf. 0 or WEIR_EIO, as out_flush() */
int out_text(struct out *out, const struct iovec *text, int n);
/** Write out what is in buf, which are whole records. 0 or WEIR_EIO: errno; all of it is given up, the file is as before */
int out_flush(struct out *out);
/** Open the file of this name again (it has been rotated away); stdout stays. 0 or WEIR_EIO */
int out_reopen(struct out *out);
/** Flush, close, release. 0 or WEIR_EIO */
int out_close(struct out *out);

#endif

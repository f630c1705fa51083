/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several interfaces: a thread each reads its ring into a queue (queue.h), and whoever fills batches merges the queues by time.
 *
 * Why threads: an interface's ring is emptied whatever the others do, and while the engine works; what is merged has a bound of
 * its own. One front and one clock behind them stay what they are: numbers, fragments, timers and -w do not know of this. One interface has
 * none of it (live.c): its thread would only be another one to wake.
 *
 * The order. A packet is delivered when no earlier one can come of another interface:
 *  - one with packets in its queue: its first one there is the next;
 *  - one without: the kernel hands over a block LIVE_RETIRE_SHORT_MS after the first packet in it, a tick of its timer later at most; so when the
 *    ring has nothing to read, everything up to READERS_HOLD_MS ago has been here. Until then packets of the others wait.
 * What waits is bounded too: while a queue is more than three eighths full, nothing waits for interfaces that are quiet. So packets go in
 * order of time over all interfaces, but those that come later than READERS_HOLD_MS, or for which that much of another interface's
 * would have had to wait: they go as they come, and the front counts them (clock_back). A time in the future never waits: the clock
 * was set back.
 *
 * Back-pressure: a queue without room is not written, the kernel's ring fills up, and the kernel counts what it drops; nothing is
 * dropped here. An interface that goes away ends its thread, and the others go on; when the last one has gone, so has the capture.
 */
#ifndef CAPTURE_READERS_H
#define CAPTURE_READERS_H

#include <stddef.h>

#include "capture/live.h"

enum {
	READERS_HOLD_MS = 25, /* a packet waits for those of quiet interfaces */
	READERS_STEP_MS = 2   /* in steps: packets go on together, not one by one */
};

/** For a live capture whose interfaces are open. size: of each queue, a power of two. WEIR_ENOMEM */
int readers_new(struct capture *capture, size_t size, struct readers **ret);

/** Ends the threads. */
void readers_free(struct readers *readers);

/** Rights must have been dropped. WEIR_ENOMEM */
int readers_start(struct readers *readers);

/** Bytes of the queues. */
uint64_t readers_memory(const struct readers *readers);

/** capture_fill() of several interfaces. */
int readers_fill(struct readers *readers, struct capture_batch *batch);

#endif

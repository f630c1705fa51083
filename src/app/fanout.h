/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --fanout: a ring of the kernel's for each worker. The kernel hashes a packet's addresses and ports, the same for both directions, and
 * puts it into one of the rings; each ring has a thread that reads, decodes, reassembles and parses: a pipeline with one worker
 * (pipeline.h) and all the shards. They share what is behind: the sinks (one record at a time), the numbers of packets, -w, --ring, -c.
 *
 * What it gives up, which is why it is not the default: records are in order per ring only; and a flow is whole only if all its packets
 * come on one ring. That fails where the kernel hashes something else than the flow: below tunnels whose outer ports differ by
 * direction (VXLAN, Geneve, GTP), and for IPv6 fragments. Such flows are told as two halves; they are counted (ring_flows.h) and
 * warned of. The budget is divided by the number of rings.
 */
#ifndef APP_FANOUT_H
#define APP_FANOUT_H

#include "app/pipeline.h"

/**
 * As pipeline_run(), the inputs being captures that share packets (capture_share()), a thread each.
 * @param ret sums over all of them
 */
int fanout_run(const struct pipeline_options *options, struct pipeline_result *ret);

#endif

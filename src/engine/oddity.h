/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anomalies: each is counted, is a record of its own (the first ones of a flow), and is named on the records that it touches. What a
 * parser finds is named at once. What TCP or IP has is remembered with the flow, because the bytes it is about may be delivered,
 * and their transaction be over, only later: a record is touched when the packet in question is among its packets.
 */
#ifndef ENGINE_ODDITY_H
#define ENGINE_ODDITY_H

#include "engine/flow.h"
#include "weir/record.h"

/** Name what the flow remembers on a record that is about to be emitted; flow->oddities is not NULL. */
void oddity_name(const struct flow *flow, struct weir_record *rec);

#endif

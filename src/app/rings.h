/* SPDX-License-Identifier: Apache-2.0 */
/* What a run tells of the interfaces it captures on: the kernel's rings, their figures, and those that went away. */
#ifndef APP_RINGS_H
#define APP_RINGS_H

#include <stddef.h>
#include <stdint.h>

#include "capture/capture.h"

struct options;
struct strbuf;
struct summary;

/** Several interfaces: bytes for the packets of each that are on their way (an eighth of --memory, at most). 0: there is one */
size_t rings_queue(const struct options *options);

/** The same of all interfaces and rings together. */
uint64_t rings_memory(const struct options *options);

/** Figures of all rings. */
void rings_fill(struct capture *const *inputs, size_t ninputs, struct summary *summary);

/**
 * Warnings about interfaces that went away while others are there, each once.
 * @param told who has been told of, a bit each
 */
void rings_tell(struct capture *const *inputs, size_t ninputs, uint64_t *told, struct strbuf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What parsers' probe() functions have in common: whoever speaks first in a flow need not be its client.
 */
#ifndef PARSER_PROBE_H
#define PARSER_PROBE_H

#include "weir/parser.h"

/**
 * A parser's probe() out of a score.
 * @param score  how much it looks like ours when the client is data[client]: 0 to 100
 * @param enough from this score on more bytes change nothing
 */
struct weir_probe_result probe_by_score(const struct weir_probe *probe,
					int (*score)(const struct weir_probe *probe, int client),
					int enough);

#endif

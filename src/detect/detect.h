/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which protocol is it? Asks the parsers' probes about the first bytes of both directions. By content, never by port: a
 * port only breaks ties. A parser is taken at once from score 90; from 60 when both directions have bytes, when no more will
 * come, or when the port agrees. Detection gives up after DETECT_BYTES in a direction that no parser wants more of.
 */
#ifndef DETECT_DETECT_H
#define DETECT_DETECT_H

#include <stdbool.h>
#include <stdint.h>

#include "parser/registry.h"
#include "weir/parser.h"

enum {
	DETECT_BYTES = 512,   /* of a direction, before it is given up */
	DETECT_SEGMENTS = 16, /* chunks, the same, once they hold ... */
	DETECT_LEAST = 64,    /* bytes: segments of a byte say little */
	DETECT_CERTAIN = 100, /* nobody else is asked */
	DETECT_SURE = 90,
	DETECT_LIKELY = 60
};

struct detect_result {
	const struct weir_parser *parser; /* NULL: not known (yet) */
	int score;
	bool swapped; /* client and server are the other way round */
	bool more;    /* some parser wants more bytes; only without a parser */
};

/**
 * @param probe    what there is; data is borrowed
 * @param parsers  whom to ask
 * @param excluded bit i: parsers->list[i] may not be chosen
 * @param last     no more bytes will be offered: decide on what is there
 */
void detect_protocol(const struct weir_probe *probe, const struct parser_set *parsers,
		     uint32_t excluded, bool last, struct detect_result *ret);

/** The highest score that any parser gives with the roles as they are, however low. */
int detect_best(const struct weir_probe *probe, const struct parser_set *parsers);

/** Is it usual for another protocol than this one that a server has this port? */
bool detect_is_mismatch(const struct parser_set *parsers, const struct weir_parser *parser,
			uint16_t port);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two taps as one: an engine has one tap, and a run may write streams and bodies at the same time. What is about streams goes
 * to the one, message bodies go to the other.
 */
#ifndef APP_TAPS_H
#define APP_TAPS_H

#include "weir/sink.h"

struct taps {
	struct weir_tap_type type;                    /* of both together */
	const struct weir_tap_type *streams, *bodies; /* NULL: none */
	struct weir_sink *streams_sink, *bodies_sink;
};

/** Add a kind of tap. @return false: there is one for the same already */
bool taps_add(struct taps *taps, const struct weir_tap_type *type);

/** Its sink is open. */
void taps_set_sink(struct taps *taps, const struct weir_tap_type *type, struct weir_sink *sink);

/** What an engine gets; NULL: there is none. Valid as long as taps stays where it is. */
const struct weir_tap_type *taps_type(struct taps *taps);
/** What its open() takes. */
struct weir_sink *taps_sink(struct taps *taps);

/** Is a record of a schema that one of the taps makes for its own sink? */
bool taps_own(const struct taps *taps, const struct weir_schema *schema);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Detection by content: see detect.h. */
#include "detect/detect.h"

#include <string.h>

static bool port_agrees(const struct weir_parser *parser, uint16_t port)
{
	size_t i;

	for (i = 0; parser->ports != NULL && parser->ports[i] != 0; i++) {
		if (parser->ports[i] == port) {
			return true;
		}
	}
	return false;
}

/* Good enough to be taken now? */
static bool acceptable(const struct weir_probe *probe, const struct weir_parser *parser, int score,
		       bool last)
{
	if (score >= DETECT_SURE) {
		return true;
	}
	if (score < DETECT_LIKELY) {
		return false;
	}
	return last || (probe->len[0] > 0 && probe->len[1] > 0) ||
	       port_agrees(parser, probe->server_port);
}

void detect_protocol(const struct weir_probe *probe, const struct parser_set *parsers,
		     uint32_t excluded, bool last, struct detect_result *ret)
{
	size_t i;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < parsers->n; i++) {
		const struct weir_parser *parser = parsers->list[i];
		struct weir_probe_result got;
		bool better;

		if ((excluded & (UINT32_C(1) << i)) || parser->probe == NULL) {
			continue;
		}
		got = parser->probe(probe);
		ret->more |= got.more;
		better =
			got.score > ret->score || (got.score == ret->score && ret->parser != NULL &&
						   port_agrees(parser, probe->server_port) &&
						   !port_agrees(ret->parser, probe->server_port));
		if (better && acceptable(probe, parser, got.score, last)) {
			ret->parser = parser;
			ret->score = got.score;
			ret->swapped = got.swapped;
			if (got.score >= DETECT_CERTAIN) {
				break;
			}
		}
	}
	if (ret->parser != NULL) {
		ret->more = false;
	}
}

int detect_best(const struct weir_probe *probe, const struct parser_set *parsers)
{
	int best = 0;
	size_t i;

	for (i = 0; i < parsers->n; i++) {
		struct weir_probe_result got = {0, false, false};

		if (parsers->list[i]->probe != NULL) {
			got = parsers->list[i]->probe(probe);
		}
		if (!got.swapped && got.score > best) {
			best = got.score;
		}
	}
	return best;
}

bool detect_is_mismatch(const struct parser_set *parsers, const struct weir_parser *parser,
			uint16_t port)
{
	bool claimed = false;
	size_t i;

	for (i = 0; i < parsers->n; i++) {
		claimed |= port_agrees(parsers->list[i], port);
	}
	return claimed && !port_agrees(parser, port) && !parser->wraps;
}

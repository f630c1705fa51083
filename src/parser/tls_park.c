/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An idle session in few bytes (park and unpark of weir/parser.h): the state as it is, without its zeros, and the record so far behind it. Most TLS
 * connections are idle most of the time. Not parked: handshake messages that are not whole.
 */
#include "parser/tls.h"

#include <string.h>

#include "base/pack.h"

size_t tls_park(void *state, struct weir_host *host, void *to, size_t room)
{
	struct tls *tls = state;
	struct tls copy = *tls;
	struct pack pack;

	if (tls->side[WEIR_C2S].message != NULL || tls->side[WEIR_S2C].message != NULL) {
		return 0;
	}
	copy.host = NULL;
	copy.config = NULL;
	copy.rec = NULL;
	pack_to(&pack, to, room);
	(void)pack_u64(&pack, tls->rec != NULL);
	pack_sparse(&pack, &copy, sizeof(copy));
	if (pack.failed) {
		return 0;
	}
	if (tls->rec != NULL) {
		size_t n = weir_host_pack_record(host, tls->rec, pack.at,
						 (size_t)(pack.end - pack.at));

		if (n == 0) {
			return 0;
		}
		pack.at += n;
		weir_host_drop(host, tls->rec);
		tls->rec = NULL;
	}
	return (size_t)(pack.at - (uint8_t *)to);
}

int tls_unpark(void *state, struct weir_host *host, const void *from, size_t len)
{
	struct tls *tls = state;
	struct pack pack;
	bool has_record;
	size_t used;

	pack_from(&pack, from, len);
	has_record = pack_u64(&pack, 0) != 0;
	memset(tls, 0, sizeof(*tls));
	pack_sparse(&pack, tls, sizeof(*tls));
	tls->host = host;
	tls->config = weir_host_config(host);
	if (has_record) {
		tls->rec = weir_host_unpack_record(host, &tls_schema, pack.at,
						   (size_t)(pack.end - pack.at), &used);
		/* without memory nothing of it is told */
		tls->over = tls->over || tls->rec == NULL;
	}
	return 0;
}

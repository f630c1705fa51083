/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names in filters: the canonical names of all schemas, `type`, `header.NAME`, and the aliases below. An alias stands for
 * every one of its fields that some record type has.
 */
#include "query/private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_LEN = 48, MAX_EDITS = 2 };

/* clang-format off */
static const struct query_alias aliases[] = {
	{"agent", {"user_agent.original"}, "the client's program"},
	{"anomaly", {"anomalies", "anomaly.code"}, "code of something odd on the wire"},
	{"body", {"http.request.body.content", "http.response.body.content"}, "what is kept of a body (--bodies=keep)"},
	{"client", {"client.address"}, "address or network (10.0.0.0/8) of the client"},
	{"command", {"db.command"}, "what a database's protocol calls the request"},
	{"complete", {"completeness"}, "no_request, no_response, gap, truncated or complete"},
	{"db", {"db.namespace"}, "database"},
	{"dur", {"duration_ns"}, "how long it took"},
	{"duration", {"duration_ns"}, "how long it took"},
	{"endpoint", {"http.route"}, "URL template"},
	{"error", {"error.type"}, "class of the error it ended with"},
	{"flow", {"flow_id"}, "identity of the flow"},
	{"gap", {"tcp.gaps", "tcp.c2s.gaps", "tcp.s2c.gaps"}, "gap:true: bytes were not captured; or their number"},
	{"header", {"http.request.header", "http.response.header"}, "header.NAME: a header of either side"},
	{"host", {"url.domain", "tls.client.server_name"}, "host of the URL, or server name of TLS"},
	{"iface", {"capture.interface"}, "interface that captured it"},
	{"ip", {"client.address", "server.address"}, "address or network of either side"},
	{"method", {"http.request.method"}, "GET, POST ..."},
	{"mime", {"http.request.mime_type", "http.response.mime_type"}, "type of a body, by its content"},
	{"op", {"db.operation.name"}, "verb of a database's statement"},
	{"path", {"url.path"}, "path of the URL"},
	{"port", {"client.port", "server.port"}, "port of either side"},
	{"proto", {"network.protocol.name"}, "http ..."},
	{"query", {"url.query"}, "query of the URL"},
	{"reason", {"http.response.reason"}, "reason phrase"},
	{"recv", {"timing.receive_ns"}, "first to last byte of the response"},
	{"receive", {"timing.receive_ns"}, "first to last byte of the response"},
	{"referrer", {"http.request.referrer"}, "Referer"},
	{"req_bytes", {"http.request.body.size"}, "size of the request's body"},
	{"req_size", {"http.request.body.size"}, "size of the request's body"},
	{"resp_bytes", {"http.response.body.size"}, "size of the response's body"},
	{"resp_size", {"http.response.body.size"}, "size of the response's body"},
	{"retrans", {"tcp.retransmits", "tcp.c2s.retransmits", "tcp.s2c.retransmits"}, "segments that were sent again"},
	{"route", {"http.route"}, "URL template"},
	{"rtt", {"tcp.rtt_ns"}, "round-trip time"},
	{"send", {"timing.send_ns"}, "first to last byte of the request"},
	{"server", {"server.address"}, "address or network of the server"},
	{"service", {"service.name"}, "host or server name"},
	{"sha256", {"http.request.body.sha256", "http.response.body.sha256"}, "digest of a decoded body (--bodies=hash)"},
	{"size", {"http.response.body.size"}, "size of the response's body"},
	{"sql", {"db.query.text"}, "database statement"},
	{"stall", {"timing.stall_ns"}, "time lost waiting for missing segments"},
	{"sqlstate", {"db.response.status_code"}, "error code of a database"},
	{"state", {"tcp.state"}, "how a flow ended"},
	{"status", {"http.response.status_code"}, "status code; 5xx is 500 to 599"},
	{"table", {"db.collection.name"}, "table of a database's statement"},
	{"target", {"http.request.target"}, "request target as it was sent"},
	{"think", {"timing.wait_ns"}, "last request byte to first response byte"},
	{"trace", {"trace.id"}, "trace id"},
	{"ua", {"user_agent.original"}, "the client's program"},
	{"url", {"url.full"}, "normalised URL"},
	{"user", {"user.name", "db.user"}, "user of basic authentication, of a database"},
	{"version", {"network.protocol.version"}, "version of the protocol"},
	{"vlan", {"network.vlan.id"}, "VLAN"},
	{"wait", {"timing.wait_ns"}, "last request byte to first response byte"},
};
/* clang-format on */

enum { NALIASES = sizeof(aliases) / sizeof(aliases[0]) };

const struct query_alias *query_aliases(size_t *ret_n)
{
	*ret_n = NALIASES;
	return aliases;
}

/* ---- did you mean ---- */

/* Edits (insert, delete, change, swap of neighbours) between two names; more than MAX_EDITS apart: some number above. */
static size_t edits(const char *a, size_t la, const char *b)
{
	size_t lb = strlen(b), i, k;
	size_t d[3][NAME_MAX_LEN + 1];

	if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN || la > lb + MAX_EDITS || lb > la + MAX_EDITS) {
		return NAME_MAX_LEN;
	}
	for (k = 0; k <= lb; k++) {
		d[0][k] = k;
	}
	for (i = 1; i <= la; i++) {
		size_t *row = d[i % 3], *above = d[(i - 1) % 3], *two = d[(i + 1) % 3];

		row[0] = i;
		for (k = 1; k <= lb; k++) {
			size_t best = above[k - 1] + (a[i - 1] != b[k - 1]);

			best = above[k] + 1 < best ? above[k] + 1 : best;
			best = row[k - 1] + 1 < best ? row[k - 1] + 1 : best;
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
			    two[k - 2] + 1 < best) {
				best = two[k - 2] + 1;
			}
			row[k] = best;
		}
	}
	return d[la % 3][lb];
}

static void consider(const char *name, size_t len, const char *candidate, size_t *best, char *ret,
		     size_t size)
{
	size_t n = edits(name, len, candidate);

	if (n < *best) {
		*best = n;
		(void)snprintf(ret, size, "%s", candidate);
	}
}

/* A canonical name whose last part was written alone: "status_code". */
static bool ends_in(const char *field, const char *name, size_t len)
{
	size_t n = strlen(field);

	return n > len && field[n - len - 1] == '.' && memcmp(field + n - len, name, len) == 0;
}

void query_suggest(const struct query *query, const char *name, size_t len, char *ret, size_t size)
{
	size_t best = (len <= 4 ? 1 : MAX_EDITS) + 1;
	const struct weir_field *field;
	size_t i, k;

	ret[0] = '\0';
	for (i = 0; i < NALIASES; i++) {
		consider(name, len, aliases[i].name, &best, ret, size);
	}
	for (i = 0; i < query->nschemas; i++) {
		for (k = 0; (field = weir_schema_field(query->schemas[i], k)) != NULL; k++) {
			consider(name, len, field->name, &best, ret, size);
			if (ret[0] == '\0' && len >= 3 && ends_in(field->name, name, len)) {
				(void)snprintf(ret, size, "%s", field->name);
			}
		}
	}
}

/* ---- resolving ---- */

/* The first field of this name, over all schemas. */
static const struct weir_field *find_field(const struct query *query, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < query->nschemas; i++) {
		int at = weir_schema_find(query->schemas[i], name, len);

		if (at >= 0) {
			return weir_schema_field(query->schemas[i], (size_t)at);
		}
	}
	return NULL;
}

static void add_target(struct query_term *term, const char *name, enum weir_kind kind)
{
	assert(term->ntargets < QUERY_TARGETS_MAX);
	term->targets[term->ntargets].field = name;
	term->targets[term->ntargets].kind = kind;
	term->ntargets++;
}

/* An alias's fields that there are. One value must do for all: text and lists of text go together, and numbers. */
static void add_alias(const struct query *query, struct query_term *term,
		      const struct query_alias *alias)
{
	size_t i;

	for (i = 0; i < QUERY_TARGETS_MAX && alias->fields[i] != NULL; i++) {
		const struct weir_field *field =
			find_field(query, alias->fields[i], strlen(alias->fields[i]));

		if (field != NULL) {
			add_target(term, field->name, field->kind);
		}
	}
}

static const struct query_alias *find_alias(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < NALIASES; i++) {
		if (strlen(aliases[i].name) == len && memcmp(aliases[i].name, name, len) == 0) {
			return &aliases[i];
		}
	}
	return NULL;
}

/* A field, an alias or `type`; false: no such name. */
static bool add_name(const struct query *query, struct query_term *term, const char *name,
		     size_t len)
{
	const struct weir_field *field = find_field(query, name, len);
	const struct query_alias *alias;

	if (field != NULL) {
		add_target(term, field->name, field->kind);
		return true;
	}
	if (len == 4 && memcmp(name, "type", 4) == 0) {
		add_target(term, "type", WEIR_KIND_STR);
		return true;
	}
	alias = find_alias(name, len);
	if (alias == NULL) {
		return false;
	}
	add_alias(query, term, alias);
	return true;
}

/* header.NAME, http.request.header.NAME ...: the rest behind the name of a header list. */
static bool add_header(struct query_source *source, struct query_term *term, const char *name,
		       size_t len)
{
	size_t i;

	for (i = len; i-- > 1;) {
		char *copy;

		if (name[i] != '.' || i + 1 == len || !add_name(source->query, term, name, i)) {
			continue;
		}
		if (term->ntargets > 0 && term->targets[0].kind == WEIR_KIND_HEADERS) {
			copy = query_alloc(source, len - i - 1);
			if (copy == NULL) {
				return false;
			}
			memcpy(copy, name + i + 1, len - i - 1);
			term->header.p = (const uint8_t *)copy;
			term->header.len = (uint32_t)(len - i - 1);
			return true;
		}
		term->ntargets = 0;
	}
	return false;
}

bool query_resolve(struct query_source *source, size_t offset, size_t length,
		   struct query_term *term)
{
	char *low = query_alloc(source, length + 1);
	size_t i;

	if (low == NULL) {
		return false;
	}
	for (i = 0; i < length; i++) {
		char c = source->text[offset + i];

		low[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	low[length] = '\0';
	if (!add_name(source->query, term, low, length) && !add_header(source, term, low, length)) {
		if (source->no_memory) {
			return false;
		}
		(void)query_fail(source, offset, length,
				 "there is no field \"%.*s\" (in quotes it is text to look for)",
				 (int)(length < 64 ? length : 64), low);
		query_suggest(source->query, low, length, source->error->suggestion,
			      sizeof(source->error->suggestion));
		return false;
	}
	if (term->ntargets == 0) {
		return query_fail(source, offset, length,
				  "no record of this version has what \"%.*s\" stands for",
				  (int)(length < 64 ? length : 64), low);
	}
	return true;
}

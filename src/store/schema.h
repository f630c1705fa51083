/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store's tables look like (layout 2): the contract between what writes stores (sink/sqlite) and what reads them (store/).
 *
 * RECORDS. Worked out from the record schemas. A type has up to five tables; in the first four `_id` is the record's:
 *   _http        (_id, _flow, _shape, fields of most records)        _http_more  fields that few records have, escaped, truncated
 *   _http_list   headers and other lists, as JSON                    _http_body  bodies and digests
 *   _http_shape  (_id, fields that take few different values): one row for each combination that occurred; what a record has of them
 *                is the row that its _shape names. Numbers of shapes are of all types together.
 *   _flow        (_id, what the records of a flow share): the row that a record's _flow names
 *   _string      (_id, text): a text column of the first four holds the number of a row here, or the text itself
 * Two rows of _flow, _string or a _shape table may say the same (a bounded memory of what was written): never take one number for the
 * only one. `_id` ascends over all types in the order in which records leave, which is the order of their ends on the capture clock.
 * `ts` is when they began, in ns: _http_ts is an index on it, for each type, and (ts, _id) orders records by their beginning. An
 * interim record of an exchange that is still open has final=0; the next one of the same id replaces it, under a larger _id.
 * Columns that say it otherwise, for the view to put together: url_full, http_request_target (enum store_url); id (store/id.h);
 * packet_last (what it is more than packet_first, or 0); timing_wait_ns (what it is more than duration - send - receive, absent ones 0).
 *
 * WHERE RECORDS ARE (indexes). For all record types, final records only:
 *   _shape_ids(shape, first, ids)            the records of a shape: blobs of ascending _ids from `first` on (store/ids.h). By it every
 *                                            field of the shapes is indexed: ask the shape table for shapes, then this for _ids
 *   _duration_ids(type, octave, first, ids)  the same of the records of a type (number of _type) with 2^octave <= duration_ns <
 *                                            2^(octave+1); durations below 1 are octave 0
 *   Rows of one key overlap nowhere and ascend with `first`: read backwards they give the newest first. They may name records that
 *   retention has taken away.
 *
 * ROLLUPS. Of final records; written in the transaction that has their rows, so both are there or neither is.
 *   _type(_id, type)                         record types by number
 *   _key(_id, dim, type, service, method, route, server, port, status, other)   what is counted; dim is enum store_dim; columns that
 *                                            the dimension does not have are NULL. other=1: all that was beyond STORE_KEYS_MAX
 *   _rollup(level, dim, t, key, ...)         level is enum store_level, t the interval's begin in s since the epoch (of `ts`)
 *       n                    records                              n_timed        of them with a duration
 *       n_4xx, n_5xx         http: status class; other protocols: n_5xx is errors that the server told; tcp: n_5xx is resets
 *       n_unanswered         no response                          n_incomplete   completeness is not complete
 *       request_bytes, response_bytes    whole messages where known, else bodies; tcp: payload c2s, s2c
 *       duration_ns send_ns wait_ns receive_ns stall_ns           sums
 *       max_ns p50_ns p95_ns p99_ns      of duration_ns, of this row (p: from the histogram); NULL without durations
 *       retransmits out_of_order gaps missing_bytes packets       sums (tcp: of both directions)
 *       hist                 durations (tcp: handshakes) as a log-linear histogram (store/hist.h): a value read from it is at most
 *                            1.6 % off. This is what heatmaps are drawn from
 *   Levels are kept for STORE_KEEP_10S, STORE_KEEP_5MIN before the newest record of the run that writes, and for
 *   good: ask for a level that covers the range.
 *   _top(t, what, value, n, n_error, error, max_ns)   per hour, the STORE_TOP most frequent of enum store_top; n is at most
 *                            `error` too high (space-saving), everything missing has fewer than the smallest n
 *   _capture(t, packets, bytes, counters)    per 10 s of the wall clock: what came in since the row before, and as a JSON object
 *                            every counter of the summary that moved ({"drops.kernel":12,"tcp.gaps":3}): what weir could not see
 * Views with names for all of it: http, tcp ... (records), rollup, top, capture. docs/store.md shows them.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "base/strbuf.h"
#include "weir/record.h"

/* Which table a field is in. Those below STORE_NPARTS are the type's own and have a row for a record. */
enum store_part {
	STORE_ROW,
	STORE_MORE,
	STORE_LIST,
	STORE_BODY,
	STORE_NPARTS,
	STORE_FLOW = STORE_NPARTS,
	STORE_SHAPE,
	STORE_NTABLES
};

/* Intervals of rollups. */
enum store_level { STORE_10S, STORE_5MIN, STORE_1H, STORE_NLEVELS };

enum {
	STORE_KEEP_10S = 2 * 86400,   /* s */
	STORE_KEEP_5MIN = 31 * 86400, /* s */
	STORE_KEYS_MAX = 4096, /* of a dimension in an hour; what is beyond is counted as `other` */
	STORE_TOP = 100,       /* of a kind in an hour */
};

/*
 * What rollups are by, and which columns of _key say it. Shapes have server_address and server_port beside their fields, so a shape is
 * of one row of each dimension.
 */
enum store_dim {
	STORE_BY_TYPE,    /* type: "http", "mysql", "pgsql", "redis", "dns", "tcp" ... */
	STORE_BY_SERVICE, /* type, service: service.name, of databases db.namespace, else none */
	STORE_BY_ENDPOINT, /* type, service, method, route: http.request.method and http.route; db.operation.name and
			    * db.query.digest; dns.question.type */
	STORE_BY_SERVER, /* type, server, port */
	STORE_BY_STATUS, /* type, status: http.response.status_code, db.response.status_code, dns.response_code,
			    * tcp.state; NULL: no response (databases: no error) */
	STORE_NDIMS
};

/* What the most frequent are kept of. */
enum store_top {
	STORE_TOP_HOST,      /* url.domain */
	STORE_TOP_CLIENT,    /* client.address */
	STORE_TOP_URL,       /* url.scheme://url.domain and url.path */
	STORE_TOP_STATEMENT, /* db.query.digest */
	STORE_TOP_NAME,      /* dns.question.name */
	STORE_NTOPS
};

/** Seconds of a level's interval. */
int64_t store_level_s(enum store_level level);

/** The tables that are there whatever the schemas are. */
extern const char store_sql_tables[];
/** Views of them; they may be made anew at any time. */
extern const char store_sql_views[];

enum store_part store_part_of(const struct weir_schema *schema, size_t field);

/*
 * What can be put together from other fields of the same record, byte for byte, is not stored: the column is 0. Which these are is told by
 * their names, in one place.
 */
enum store_url {
	STORE_SCHEME,
	STORE_DOMAIN,
	STORE_PORT,
	STORE_PATH,
	STORE_QUERY,
	STORE_FULL,
	STORE_TARGET,
	STORE_NURL
};

/** Where a schema has them; false: it has not all of them, and nothing is left out. */
bool store_find_url(const struct weir_schema *schema, int ret_fields[STORE_NURL]);

/** Does a column of this field hold texts, or their numbers in _string? */
bool store_is_text(enum weir_kind kind);

/** "_http", "_http_more" ... */
void store_put_table(struct strbuf *out, const struct weir_schema *schema, enum store_part part);

/** The column of a field: dots become underscores. */
void store_put_column(struct strbuf *out, const char *field);

/**
 * CREATE TABLE for one of the type's tables; nothing when it has no fields of that part. The common fields are in every type, so
 * _flow is of any.
 */
void store_put_create(struct strbuf *out, const struct weir_schema *schema, enum store_part part);

/** INSERT of `_id` and every column of that table, in the order of the fields; false: there is no such table. */
bool store_put_insert(struct strbuf *out, const struct weir_schema *schema, enum store_part part);

/** CREATE VIEW of the type. */
void store_put_view(struct strbuf *out, const struct weir_schema *schema);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Reports that show single records: the slowest, and flows with retransmissions and gaps. See reports.h. */
#include "app/reports_private.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/record.h"
#include "weir/error.h"

enum {
	PAGE = 500,
	FLOWS_MAX = 100000, /* that are looked at for the largest of them */
};

static void report_address(const uint8_t *p, size_t len, char *to, size_t size)
{
	to[0] = '\0';
	(void)inet_ntop(len == 16 ? AF_INET6 : AF_INET, p, to, (socklen_t)size);
}

/* ---- single records ---- */

/* A text of a record under the first of some names; absent when it has none of them. */
static void put_value(struct sheet *sheet, const struct weir_record *rec, const char *const *names)
{
	char number[24];

	for (; *names != NULL; names++) {
		int field = weir_schema_find(rec->schema, *names, strlen(*names));

		if (field < 0 || !weir_record_has(rec, (size_t)field)) {
			continue;
		}
		if (record_kind(rec->schema, (size_t)field) == WEIR_KIND_U64) {
			(void)snprintf(number, sizeof(number), "%llu",
				       (unsigned long long)rec->values[field].v.u64);
			sheet_text(sheet, number, strlen(number));
		} else {
			sheet_text(sheet, rec->values[field].v.bytes, rec->values[field].len);
		}
		return;
	}
	sheet_absent(sheet);
}

static void put_ns(struct sheet *sheet, const struct weir_record *rec, size_t field)
{
	if (weir_record_has(rec, field)) {
		sheet_number(sheet, rec->values[field].v.i64);
	} else {
		sheet_absent(sheet);
	}
}

static const char *const status_names[] = {"http.response.status_code", "db.response.status_code",
					   "dns.response_code", "db.response.status", NULL};
static const char *const method_names[] = {"http.request.method", "db.operation.name",
					   "dns.question.type", NULL};
static const char *const what_names[] = {"url.full",  "db.query.text",     "db.query.digest",
					 "redis.key", "dns.question.name", NULL};

static int put_slow(void *context, const struct weir_record *rec, int64_t row)
{
	struct sheet *sheet = &((struct reporting *)context)->sheet;

	(void)row;
	put_ns(sheet, rec, WEIR_F_TS);
	put_ns(sheet, rec, WEIR_F_DURATION);
	put_ns(sheet, rec, WEIR_F_TIMING_WAIT);
	put_ns(sheet, rec, WEIR_F_TIMING_STALL);
	sheet_text(sheet, rec->schema->type, strlen(rec->schema->type));
	put_value(sheet, rec, status_names);
	put_value(sheet, rec, method_names);
	put_value(sheet, rec, what_names);
	return 0;
}

int report_slow(struct reporting *reporting)
{
	static const struct sheet_column columns[] = {{"ts", SHEET_TIME},
						      {"duration_ns", SHEET_DURATION},
						      {"timing_wait_ns", SHEET_DURATION},
						      {"timing_stall_ns", SHEET_DURATION},
						      {"protocol", SHEET_TEXT},
						      {"status", SHEET_TEXT},
						      {"method", SHEET_TEXT},
						      {"what", SHEET_TEXT},
						      END};
	struct store_page page = {.sort = STORE_SLOWEST,
				  .limit = reporting->top,
				  .record = put_slow,
				  .context = reporting};
	char cursor[STORE_CURSOR_MAX];
	struct store_answer answer;
	struct store_scope scope;
	int err = report_scope(reporting, NULL, &scope);

	sheet_begin(&reporting->sheet, columns);
	if (err == 0) {
		err = store_page(reporting->reader, &scope, &page, cursor, &answer);
		query_free(scope.filter);
	}
	if (err == 0) {
		report_section(reporting, "slow", &answer, true);
	}
	return err;
}

/* ---- the largest of some records ---- */

/* Kept while all are looked at: a few, by what they are measured by. */
struct largest {
	struct reporting *reporting;
	uint64_t (*measure)(const struct weir_record *rec);
	size_t n, seen;
	struct {
		uint64_t measure;
		char id[32];
	} kept[64];
};

static int keep_largest(void *context, const struct weir_record *rec, int64_t row)
{
	struct largest *largest = context;
	uint64_t measure = largest->measure(rec);
	size_t room = largest->reporting->top < 64 ? largest->reporting->top : 64;
	size_t at, len;

	(void)row;
	largest->seen++;
	if (!weir_record_has(rec, WEIR_F_ID) ||
	    (largest->n == room && measure <= largest->kept[room - 1].measure)) {
		return 0;
	}
	at = largest->n < room ? largest->n++ : room - 1;
	for (; at > 0 && largest->kept[at - 1].measure < measure; at--) {
		largest->kept[at] = largest->kept[at - 1];
	}
	len = rec->values[WEIR_F_ID].len;
	len = len < sizeof(largest->kept[at].id) ? len : sizeof(largest->kept[at].id) - 1;
	largest->kept[at].measure = measure;
	memcpy(largest->kept[at].id, rec->values[WEIR_F_ID].v.bytes, len);
	largest->kept[at].id[len] = '\0';
	return 0;
}

static uint64_t sum_of(const struct weir_record *rec, const char *const *names)
{
	uint64_t sum = 0;

	for (; *names != NULL; names++) {
		int field = weir_schema_find(rec->schema, *names, strlen(*names));

		sum += field >= 0 && weir_record_has(rec, (size_t)field) ? rec->values[field].v.u64
									 : 0;
	}
	return sum;
}

/* Records that match, the largest first, each put by `put`. The oldest of equal ones first, as they come. */
static int put_largest(struct reporting *reporting, const char *section, const char *filter,
		       const struct sheet_column *columns,
		       uint64_t (*measure)(const struct weir_record *rec), store_record_fn put)
{
	struct largest *largest = calloc(1, sizeof(*largest));
	char cursor[STORE_CURSOR_MAX] = "";
	struct store_page page = {.sort = STORE_OLDEST,
				  .limit = PAGE,
				  .cursor = cursor,
				  .record = keep_largest,
				  .context = largest};
	struct store_answer answer = {.basis = STORE_FROM_SCAN};
	struct store_scope scope;
	size_t i;
	int err = largest == NULL ? WEIR_ENOMEM : report_scope(reporting, filter, &scope);

	if (err != 0) {
		free(largest);
		return err;
	}
	largest->reporting = reporting;
	largest->measure = measure;
	do {
		err = store_page(reporting->reader, &scope, &page, cursor, &answer);
	} while (err == 0 && cursor[0] != '\0' && answer.end == STORE_COMPLETE &&
		 largest->seen < FLOWS_MAX);
	query_free(scope.filter);
	sheet_begin(&reporting->sheet, columns);
	for (i = 0; err == 0 && i < largest->n; i++) {
		err = store_record(reporting->reader, largest->kept[i].id, put, reporting);
		err = err == WEIR_ENOTFOUND ? 0 : err;
	}
	if (err == 0) {
		if (cursor[0] != '\0' && answer.end == STORE_COMPLETE) {
			answer.end = STORE_ROWS_SPENT;
		}
		answer.rows = largest->seen;
		report_section(reporting, section, &answer, true);
	}
	free(largest);
	return err;
}

/* ---- tcp, gaps ---- */

static uint64_t retransmits_of(const struct weir_record *rec)
{
	static const char *const names[] = {"tcp.c2s.retransmits", "tcp.s2c.retransmits", NULL};

	return sum_of(rec, names);
}

static uint64_t gap_bytes_of(const struct weir_record *rec)
{
	static const char *const names[] = {"tcp.c2s.gap_bytes", "tcp.s2c.gap_bytes", NULL};

	return sum_of(rec, names);
}

static uint64_t missing_of(const struct weir_record *rec)
{
	static const char *const names[] = {"missing_bytes", NULL};

	return sum_of(rec, names);
}

static void put_address(struct sheet *sheet, const struct weir_record *rec, size_t field)
{
	char text[64];

	if (!weir_record_has(rec, field)) {
		sheet_absent(sheet);
		return;
	}
	report_address(rec->values[field].v.bytes, rec->values[field].len, text, sizeof(text));
	sheet_text(sheet, text, strlen(text));
}

static void put_count(struct sheet *sheet, const struct weir_record *rec, const char *name)
{
	const char *const names[] = {name, NULL};

	sheet_number(sheet, (int64_t)sum_of(rec, names));
}

static void put_ends(struct sheet *sheet, const struct weir_record *rec)
{
	put_address(sheet, rec, WEIR_F_CLIENT_ADDRESS);
	put_count(sheet, rec, "client.port");
	put_address(sheet, rec, WEIR_F_SERVER_ADDRESS);
	put_count(sheet, rec, "server.port");
}

#define ENDS                                                                                       \
	{"client", SHEET_TEXT}, {"client_port", SHEET_NUMBER}, {"server", SHEET_TEXT},             \
	{                                                                                          \
		"server_port", SHEET_NUMBER                                                        \
	}

static int put_retransmits(void *context, const struct weir_record *rec, int64_t row)
{
	static const char *const packets[] = {"tcp.c2s.packets", "tcp.s2c.packets", NULL};
	struct sheet *sheet = &((struct reporting *)context)->sheet;

	(void)row;
	put_ends(sheet, rec);
	put_count(sheet, rec, "tcp.c2s.retransmits");
	put_count(sheet, rec, "tcp.s2c.retransmits");
	sheet_number(sheet, (int64_t)sum_of(rec, packets));
	return 0;
}

static int put_gap_flow(void *context, const struct weir_record *rec, int64_t row)
{
	struct sheet *sheet = &((struct reporting *)context)->sheet;

	(void)row;
	put_ns(sheet, rec, WEIR_F_TS);
	put_ends(sheet, rec);
	put_count(sheet, rec, "tcp.c2s.gap_bytes");
	put_count(sheet, rec, "tcp.s2c.gap_bytes");
	return 0;
}

static int put_gap_transaction(void *context, const struct weir_record *rec, int64_t row)
{
	static const char *const completeness[] = {"completeness", NULL};
	struct sheet *sheet = &((struct reporting *)context)->sheet;

	(void)row;
	put_ns(sheet, rec, WEIR_F_TS);
	sheet_text(sheet, rec->schema->type, strlen(rec->schema->type));
	put_value(sheet, rec, completeness);
	put_count(sheet, rec, "missing_bytes");
	put_value(sheet, rec, method_names);
	put_value(sheet, rec, what_names);
	return 0;
}

/* What rollups do not tell is absent. */
static void put_known(struct sheet *sheet, uint64_t n)
{
	if (n == STORE_UNKNOWN) {
		sheet_absent(sheet);
	} else {
		sheet_number(sheet, (int64_t)n);
	}
}

static int ask_health(struct reporting *reporting, struct store_health *ret)
{
	struct store_scope scope;
	int err = report_scope(reporting, "type:tcp", &scope);

	if (err == 0) {
		err = store_health(reporting->reader, &scope, ret);
		query_free(scope.filter);
	}
	return err;
}

int report_tcp(struct reporting *reporting)
{
	static const struct sheet_column totals[] = {
		{"flows", SHEET_NUMBER},         {"packets", SHEET_NUMBER},
		{"payload_bytes", SHEET_NUMBER}, {"retransmits", SHEET_NUMBER},
		{"out_of_order", SHEET_NUMBER},  {"gaps", SHEET_NUMBER},
		{"gap_bytes", SHEET_NUMBER},     {"midstream", SHEET_NUMBER},
		{"one_sided", SHEET_NUMBER},     END};
	static const struct sheet_column states[] = {
		{"state", SHEET_TEXT}, {"flows", SHEET_NUMBER}, END};
	static const struct sheet_column handshakes[] = {
		{"handshake", SHEET_TEXT}, {"flows", SHEET_NUMBER}, DURATIONS, END};
	static const struct sheet_column retransmits[] = {
		ENDS, {"c2s", SHEET_NUMBER}, {"s2c", SHEET_NUMBER}, {"packets", SHEET_NUMBER}, END};
	struct sheet *sheet = &reporting->sheet;
	struct store_health health;
	int err = ask_health(reporting, &health);

	if (err != 0) {
		return err;
	}
	sheet_begin(sheet, totals);
	put_known(sheet, health.flows);
	put_known(sheet, health.packets);
	put_known(sheet, health.payload_bytes);
	put_known(sheet, health.retransmits);
	put_known(sheet, health.out_of_order);
	put_known(sheet, health.gaps);
	put_known(sheet, health.gap_bytes);
	put_known(sheet, health.midstream);
	put_known(sheet, health.one_sided);
	report_section(reporting, "totals", &health.answer, false);
	err = report_terms(reporting, "states", "type:tcp", "tcp.state", states, false);
	if (err == 0) {
		err = report_terms(reporting, "handshakes", "type:tcp", "tcp.handshake", handshakes,
				   true);
	}
	return err != 0 ? err
			: put_largest(reporting, "retransmits", "type:tcp retrans>0", retransmits,
				      retransmits_of, put_retransmits);
}

/* Everything of the summary that moved. */
static void put_counters(struct reporting *reporting, const struct store_health *health)
{
	static const struct sheet_column columns[] = {
		{"counter", SHEET_TEXT}, {"n", SHEET_NUMBER}, {NULL, SHEET_TEXT}};
	struct store_answer answer = {.basis = STORE_FROM_INDEX};
	size_t i;

	sheet_begin(&reporting->sheet, columns);
	for (i = 0; i < health->ncounters; i++) {
		const char *name = health->counters[i].name;

		sheet_text(&reporting->sheet, name, strlen(name));
		sheet_number(&reporting->sheet, (int64_t)health->counters[i].n);
	}
	report_section(reporting, "counters", &answer, false);
}

int report_gaps(struct reporting *reporting)
{
	static const struct sheet_column totals[] = {{"flows", SHEET_NUMBER},
						     {"flows_with_gaps", SHEET_NUMBER},
						     {"gaps", SHEET_NUMBER},
						     {"gap_bytes", SHEET_NUMBER},
						     {"delivered_bytes", SHEET_NUMBER},
						     END};
	static const struct sheet_column causes[] = {
		{"cause", SHEET_TEXT}, {"flows", SHEET_NUMBER}, END};
	static const struct sheet_column flows[] = {{"ts", SHEET_TIME},
						    ENDS,
						    {"c2s_bytes", SHEET_NUMBER},
						    {"s2c_bytes", SHEET_NUMBER},
						    END};
	static const struct sheet_column transactions[] = {{"ts", SHEET_TIME},
							   {"protocol", SHEET_TEXT},
							   {"completeness", SHEET_TEXT},
							   {"missing_bytes", SHEET_NUMBER},
							   {"method", SHEET_TEXT},
							   {"what", SHEET_TEXT},
							   END};
	struct sheet *sheet = &reporting->sheet;
	struct store_health health;
	int err = ask_health(reporting, &health);

	if (err != 0) {
		return err;
	}
	sheet_begin(sheet, totals);
	put_known(sheet, health.flows);
	put_known(sheet, health.flows_with_gaps);
	put_known(sheet, health.gaps);
	put_known(sheet, health.gap_bytes);
	put_known(sheet, health.delivered_bytes);
	report_section(reporting, "totals", &health.answer, false);
	put_counters(reporting, &health);
	err = report_terms(reporting, "causes", "type:tcp", "tcp.gap_causes", causes, false);
	if (err == 0) {
		err = put_largest(reporting, "flows", "type:tcp gap:true", flows, gap_bytes_of,
				  put_gap_flow);
	}
	return err != 0 ? err
			: put_largest(reporting, "transactions",
				      "missing_bytes>0 -type:tcp -type:anomaly", transactions,
				      missing_of, put_gap_transaction);
}

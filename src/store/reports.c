/* SPDX-License-Identifier: Apache-2.0 */
/* Reports: see reports.h. Times are those of capture; a transaction without a response has no duration and no status. */
#include "store/reports.h"

#include <string.h>

#define PERCENTILES(column)                                                                        \
	"percentile(" column ",50) AS p50_ns,percentile(" column ",95) AS p95_ns,"                 \
	"percentile(" column ",99) AS p99_ns,max(" column ") AS max_ns"

#define COUNTS                                                                                     \
	"count(*) AS transactions,sum(ifnull(http_response_status_code BETWEEN 400 AND 499,0)) "   \
	"AS status_4xx,sum(ifnull(http_response_status_code>=500,0)) AS status_5xx,"               \
	"sum(http_response_status_code IS NULL) AS unanswered"

#define TOP " LIMIT 20"

/* Steps of 1, 2, 5 from 100 ns to 500 s; a row for each from the first that has a transaction to the last. */
#define STEPS                                                                                      \
	"WITH RECURSIVE power(p) AS (SELECT 100 UNION ALL SELECT p*10 FROM power WHERE "           \
	"p<100000000000),step(at) AS (SELECT p*f FROM power,(SELECT 1 AS f UNION SELECT 2 UNION "  \
	"SELECT 5)),d(x) AS (SELECT duration_ns FROM http WHERE duration_ns NOT NULL),"            \
	"h(at,n) AS (SELECT (SELECT max(at) FROM step WHERE at<=x OR at=100),count(*) FROM d "     \
	"GROUP BY 1),e(lo,hi,most) AS (SELECT min(at),max(at),max(n) FROM h) "

/* The width that gives 60 intervals or fewer. */
#define INTERVALS                                                                                  \
	"WITH RECURSIVE r(a,b) AS (SELECT min(ts_ns),max(ts_ns) FROM http),"                       \
	"widths(w) AS (VALUES(10000000),(100000000),(1000000000),(10000000000),(60000000000),"     \
	"(600000000000),(3600000000000),(86400000000000),(864000000000000),"                       \
	"(31536000000000000)),"                                                                    \
	"s(w) AS (SELECT min(w) FROM widths,r WHERE (b-a)/w<60),"                                  \
	"i(t) AS (SELECT a/w FROM r,s WHERE a NOT NULL UNION ALL SELECT t+1 FROM i,r,s WHERE "     \
	"t<b/w),"                                                                                  \
	"g AS (SELECT ts_ns/(SELECT w FROM s) AS t,count(*) AS n,"                                 \
	"sum(ifnull(http_response_status_code>=400,0)) AS bad,"                                    \
	"percentile(duration_ns,50) AS p50,percentile(duration_ns,95) AS p95,"                     \
	"sum(http_response_body_size) AS bytes FROM http GROUP BY 1),"                             \
	"m(most) AS (SELECT max(n) FROM g) "

static const struct report reports[] = {
	{"http",
	 "transactions by method, status, version and type",
	 {{"totals", "SELECT " COUNTS ",sum(completeness='complete') AS complete,"
		     "sum(http_request_body_size) AS request_body_bytes,"
		     "sum(http_response_body_size) AS response_body_bytes FROM http"},
	  {"methods", "SELECT http_request_method AS method," COUNTS
		      " FROM http GROUP BY 1 ORDER BY 2 DESC,1" TOP},
	  {"statuses",
	   "SELECT http_response_status_code AS status,count(*) AS transactions FROM http "
	   "GROUP BY 1 ORDER BY 1"},
	  {"versions",
	   "SELECT network_protocol_version AS version,count(*) AS transactions FROM http "
	   "GROUP BY 1 ORDER BY 2 DESC,1" TOP},
	  {"types",
	   "SELECT trim(substr(t,1,ifnull(nullif(instr(t,';'),0),length(t)+1)-1)) AS "
	   "content_type,count(*) AS transactions,sum(size) AS response_body_bytes FROM (SELECT "
	   "http_response_header->>'$.\"content-type\"[0]' AS t,http_response_body_size AS size "
	   "FROM http) GROUP BY 1 ORDER BY 2 DESC,1" TOP}}},
	{"endpoints",
	 "services, methods and routes, the busiest first",
	 {{"endpoints", "SELECT service_name AS service,http_request_method AS method,http_route "
			"AS route," COUNTS "," PERCENTILES("duration_ns") " FROM http GROUP BY "
									  "1,2,3 ORDER BY 4 "
									  "DESC,1,2,3" TOP}}},
	{"hosts",
	 "hosts that were asked for",
	 {{"hosts", "SELECT url_domain AS host," COUNTS
		    ",sum(http_response_body_size) AS response_body_bytes," PERCENTILES(
			    "duration_ns") " FROM http GROUP BY 1 ORDER BY 2 DESC,1" TOP}}},
	{"servers",
	 "servers and their share of the load",
	 {{"servers",
	   "SELECT server_address AS address,server_port AS port," COUNTS
	   ",round(100.0*count(*)/(SELECT count(*) FROM http),1) AS percent," PERCENTILES(
		   "timing_wait_ns") " FROM http GROUP BY 1,2 ORDER BY 3 DESC,1,2" TOP}}},
	{"errors",
	 "what failed: statuses from 400 on, no response, not complete",
	 {{"statuses",
	   "SELECT http_response_status_code AS status,http_request_method AS method,service_name "
	   "AS service,http_route AS route,count(*) AS transactions,max(ts) AS last FROM http "
	   "WHERE http_response_status_code>=400 GROUP BY 1,2,3,4 ORDER BY 5 DESC,1,2,3,4" TOP},
	  {"incomplete",
	   "SELECT completeness,count(*) AS transactions,sum(missing_bytes) AS missing_bytes FROM "
	   "http WHERE completeness<>'complete' GROUP BY 1 ORDER BY 2 DESC,1"},
	  {"classes",
	   "SELECT error_type,count(*) AS transactions FROM http WHERE error_type NOT NULL GROUP "
	   "BY 1 ORDER BY 2 DESC,1" TOP}}},
	{"slow",
	 "the 20 transactions that took longest",
	 {{"slow",
	   "SELECT ts,duration_ns,timing_wait_ns,timing_stall_ns,http_response_status_code AS "
	   "status,http_request_method AS method,url_full FROM http WHERE _id IN (SELECT _id FROM "
	   "http WHERE duration_ns NOT NULL ORDER BY duration_ns DESC,_id" TOP
	   ") ORDER BY duration_ns DESC,_id"}}},
	{"timeline",
	 "transactions over time",
	 {{"timeline", INTERVALS
	   "SELECT strftime('%Y-%m-%dT%H:%M:%S',i.t*w/1000000000,'unixepoch')||printf('.%02dZ',"
	   "i.t*w%1000000000/10000000) AS ts,w AS interval_ns,ifnull(n,0) AS transactions,"
	   "bar(n,most) AS \"\",ifnull(bad,0) AS status_4xx_5xx,p50 AS p50_ns,p95 AS p95_ns,"
	   "ifnull(bytes,0) AS response_body_bytes FROM i JOIN s JOIN m LEFT JOIN g ON g.t=i.t "
	   "ORDER BY i.t"}}},
	{"tcp",
	 "flows: how they ended, what was sent twice, late or never",
	 {{"totals", "SELECT count(*) AS flows,sum(tcp_c2s_packets+tcp_s2c_packets) AS packets,"
		     "sum(tcp_c2s_bytes+tcp_s2c_bytes) AS payload_bytes,"
		     "sum(tcp_c2s_retransmits+tcp_s2c_retransmits) AS retransmits,"
		     "sum(tcp_c2s_out_of_order+tcp_s2c_out_of_order) AS out_of_order,"
		     "sum(tcp_c2s_gaps+tcp_s2c_gaps) AS gaps,"
		     "sum(tcp_c2s_gap_bytes+tcp_s2c_gap_bytes) AS gap_bytes FROM tcp"},
	  {"states", "SELECT tcp_state AS state,count(*) AS flows FROM tcp GROUP BY 1 ORDER BY 2 "
		     "DESC,1"},
	  {"handshakes", "SELECT tcp_handshake AS handshake,count(*) AS flows," PERCENTILES(
				 "tcp_handshake_ns") " FROM tcp GROUP BY 1 ORDER BY 2 DESC,1"},
	  {"retransmits",
	   "SELECT client_address AS client,client_port,server_address AS server,server_port,"
	   "tcp_c2s_retransmits AS c2s,tcp_s2c_retransmits AS s2c,tcp_c2s_packets+"
	   "tcp_s2c_packets AS packets FROM tcp WHERE tcp_c2s_retransmits+tcp_s2c_retransmits>0 "
	   "ORDER BY tcp_c2s_retransmits+tcp_s2c_retransmits DESC,_id" TOP}}},
	{"latency",
	 "durations: percentiles and a histogram",
	 {{"percentiles",
	   "SELECT count(duration_ns) AS transactions,min(duration_ns) AS min_ns,"
	   "percentile(duration_ns,50) AS p50_ns,percentile(duration_ns,75) AS p75_ns,"
	   "percentile(duration_ns,90) AS p90_ns,percentile(duration_ns,95) AS p95_ns,"
	   "percentile(duration_ns,99) AS p99_ns,percentile(duration_ns,99.9) AS p99_9_ns,"
	   "max(duration_ns) AS max_ns FROM http"},
	  {"parts",
	   "SELECT 'send' AS part," PERCENTILES(
		   "timing_send_ns") " FROM http UNION ALL SELECT "
				     "'wait'," PERCENTILES(
					     "timing_wait_ns") " FROM http UNION ALL "
							       "SELECT 'receive'," PERCENTILES(
								       "timing_receive_ns") " FROM "
											    "http"},
	  {"histogram", STEPS "SELECT step.at AS from_ns,ifnull(n,0) AS transactions,bar(n,most) "
			      "AS \"\" FROM step JOIN e LEFT JOIN h ON h.at=step.at WHERE step.at "
			      "BETWEEN lo AND hi ORDER BY step.at"}}},
	{"gaps",
	 "bytes that were never captured",
	 {{"totals",
	   "SELECT count(*) AS flows,sum(tcp_c2s_gaps+tcp_s2c_gaps>0) AS flows_with_gaps,"
	   "sum(tcp_c2s_gaps+tcp_s2c_gaps) AS gaps,sum(tcp_c2s_gap_bytes+tcp_s2c_gap_bytes) AS "
	   "gap_bytes,sum(tcp_c2s_delivered+tcp_s2c_delivered) AS delivered_bytes FROM tcp"},
	  {"causes",
	   "SELECT value AS cause,count(*) AS flows FROM tcp,json_each(tcp_gap_causes) GROUP BY 1 "
	   "ORDER BY 2 DESC,1"},
	  {"flows",
	   "SELECT ts,client_address AS client,client_port,server_address AS server,server_port,"
	   "tcp_c2s_gap_bytes AS c2s_bytes,tcp_s2c_gap_bytes AS s2c_bytes,tcp_gap_causes AS "
	   "causes FROM tcp WHERE tcp_c2s_gaps+tcp_s2c_gaps>0 ORDER BY "
	   "tcp_c2s_gap_bytes+tcp_s2c_gap_bytes DESC,_id" TOP},
	  {"transactions",
	   "SELECT ts,completeness,missing_bytes,http_request_method AS method,url_full FROM http "
	   "WHERE missing_bytes>0 ORDER BY missing_bytes DESC,_id" TOP}}},
};

const struct report *report_list(size_t *ret_n)
{
	*ret_n = sizeof(reports) / sizeof(reports[0]);
	return reports;
}

bool report_is_top(const struct report_section *section)
{
	return strstr(section->sql, TOP) != NULL;
}

const struct report *report_find(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
		if (strlen(reports[i].name) == len && memcmp(reports[i].name, name, len) == 0) {
			return &reports[i];
		}
	}
	return NULL;
}

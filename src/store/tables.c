/* SPDX-License-Identifier: Apache-2.0 */
/* The tables and views of a store that do not follow from the record schemas: see schema.h. */
#include "store/schema.h"

int64_t store_level_s(enum store_level level)
{
	static const int64_t seconds[STORE_NLEVELS] = {10, 300, 3600};

	return seconds[level];
}

const char store_sql_tables[] =
	"CREATE TABLE IF NOT EXISTS _string(_id INTEGER PRIMARY KEY,text TEXT NOT NULL);"
	"CREATE TABLE IF NOT EXISTS _type(_id INTEGER PRIMARY KEY,type TEXT NOT NULL UNIQUE);"
	"CREATE TABLE IF NOT EXISTS _shape_ids(shape INTEGER,first INTEGER,ids BLOB,"
	"PRIMARY KEY(shape,first))WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS _duration_ids(type INTEGER,octave INTEGER,first INTEGER,"
	"ids BLOB,PRIMARY KEY(type,octave,first))WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS _key(_id INTEGER PRIMARY KEY,dim INTEGER NOT NULL,"
	"type TEXT NOT NULL,service TEXT,method TEXT,route TEXT,server TEXT,port INTEGER,"
	"status TEXT,other INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX IF NOT EXISTS _key_of ON _key(dim,type,service,method,route,server,port,"
	"status);"
	"CREATE TABLE IF NOT EXISTS _rollup(level INTEGER,dim INTEGER,t INTEGER,key INTEGER,"
	"n INTEGER,n_timed INTEGER,n_4xx INTEGER,n_5xx INTEGER,n_unanswered INTEGER,"
	"n_incomplete INTEGER,request_bytes INTEGER,response_bytes INTEGER,duration_ns INTEGER,"
	"send_ns INTEGER,wait_ns INTEGER,receive_ns INTEGER,stall_ns INTEGER,max_ns INTEGER,"
	"p50_ns INTEGER,p95_ns INTEGER,p99_ns INTEGER,retransmits INTEGER,out_of_order INTEGER,"
	"gaps INTEGER,missing_bytes INTEGER,packets INTEGER,hist BLOB,"
	"PRIMARY KEY(level,dim,t,key))WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS _top(t INTEGER,what INTEGER,value TEXT,n INTEGER,"
	"n_error INTEGER,error INTEGER,max_ns INTEGER,PRIMARY KEY(t,what,value))WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS _capture(t INTEGER PRIMARY KEY,packets INTEGER,bytes INTEGER,"
	"counters TEXT);"
	/* of the writer: rows from _id on name no flow, string or shape below these numbers */
	"CREATE TABLE IF NOT EXISTS _epoch(_id INTEGER PRIMARY KEY,flow INTEGER,string INTEGER,"
	"shape INTEGER);"
	/* interim records */
	"CREATE TABLE IF NOT EXISTS _open(_id INTEGER PRIMARY KEY,type INTEGER NOT NULL,"
	"id TEXT NOT NULL);";

#define TIME(t) "strftime('%Y-%m-%dT%H:%M:%SZ'," t ",'unixepoch')"

const char store_sql_views[] = "DROP VIEW IF EXISTS rollup;CREATE VIEW rollup AS SELECT " TIME(
	"r.t") " AS ts,r.t AS t,CASE r.level WHEN 0 THEN 10 WHEN 1 THEN 300 ELSE 3600 END AS "
	       "interval_s,"
	       "CASE r.dim WHEN 0 THEN 'type' WHEN 1 THEN 'service' WHEN 2 THEN 'endpoint' WHEN 3 "
	       "THEN "
	       "'server' ELSE 'status' END AS \"by\",k.type AS type,k.service AS service_name,"
	       "k.method AS method,k.route AS route,k.server AS server_address,k.port AS "
	       "server_port,"
	       "k.status AS status,k.other AS other,r.n AS n,r.n_timed AS n_timed,r.n_4xx AS n_4xx,"
	       "r.n_5xx AS n_5xx,r.n_unanswered AS n_unanswered,r.n_incomplete AS n_incomplete,"
	       "r.request_bytes AS request_bytes,r.response_bytes AS response_bytes,"
	       "r.p50_ns AS p50_ns,r.p95_ns AS p95_ns,r.p99_ns AS p99_ns,r.max_ns AS max_ns,"
	       "r.duration_ns AS sum_duration_ns,r.send_ns AS sum_send_ns,r.wait_ns AS sum_wait_ns,"
	       "r.receive_ns AS sum_receive_ns,r.stall_ns AS sum_stall_ns,r.retransmits AS "
	       "retransmits,"
	       "r.out_of_order AS out_of_order,r.gaps AS gaps,r.missing_bytes AS missing_bytes,"
	       "r.packets AS packets,r.hist AS hist FROM _rollup r JOIN _key k ON k._id=r.key;"
	       "DROP VIEW IF EXISTS top;CREATE VIEW top AS SELECT " TIME(
		       "t") " AS ts,t,CASE what WHEN 0 THEN 'host' WHEN 1 THEN 'client' WHEN 2 "
			    "THEN 'url' WHEN 3 THEN "
			    "'statement' ELSE 'name' END AS what,value,n,n_error,error,max_ns FROM "
			    "_top;"
			    "DROP VIEW IF EXISTS capture;CREATE VIEW capture AS SELECT " TIME(
				    "t") " AS ts,t,packets,bytes,counters FROM _capture;";

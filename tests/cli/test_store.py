#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sink `sqlite` and `weir query`: test_store.py WEIR

What is in a store is held against the JSON of the same run, field by field, read with Python's sqlite3, which knows nothing of weir.
"""
import csv
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEMO = os.path.join(ROOT, 'examples', 'demo.pcapng')
WEIR = os.path.abspath(sys.argv[1])
KILLS = int(os.environ.get('WEIR_KILLS', '12'))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))
import packets  # noqa: E402
import stores  # noqa: E402

tests = []


def test(function):
    tests.append(function)
    return function


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def weir(*args, status=0, timeout=120):
    done = subprocess.run([WEIR, '--config=none'] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
    expect(done.returncode == status, (args, done.returncode, done.stderr))
    return done


def leaves(value, schema_lists, prefix=''):
    """A record of JSON by columns: dots are underscores, headers and arrays stay as they are."""
    found = {}
    for key, inner in value.items():
        name = prefix + key
        if isinstance(inner, dict) and name not in schema_lists:
            found.update(leaves(inner, schema_lists, name + '_'))
        else:
            found[name] = inner
    return found


HEADERS = {'http_request_header', 'http_response_header', 'http_request_trailer', 'http_response_trailer', 'truncated'}


def from_sql(row):
    """The same, out of a row of a view."""
    found = {}
    for name, value in row.items():
        # a time has a second column, the number
        if value is None or name == '_id' or (name.endswith('_ns') and str(row.get(name[:-3], '')).endswith('Z')):
            continue
        found[name] = value
    return found


def same(name, json_value, sql_value):
    if name == 'escaped':
        return set(json.loads(sql_value)) == set(json_value)
    if isinstance(json_value, bool):
        return sql_value == int(json_value)
    if isinstance(json_value, (list, dict)):
        return json.loads(sql_value) == json_value
    if isinstance(json_value, int) and json_value > 2 ** 63 - 1:
        return sql_value == str(json_value)
    return sql_value == json_value and isinstance(sql_value, type(json_value))


NO_RECORDS = ('rollup', 'top', 'capture')


def rows_of(path):
    base = sqlite3.connect('file:%s?mode=ro' % path, uri=True)
    base.row_factory = sqlite3.Row
    expect(base.execute('PRAGMA integrity_check').fetchone()[0] == 'ok', 'integrity')
    views = [row[0] for row in base.execute("SELECT name FROM sqlite_schema WHERE type = 'view'") if row[0] not in NO_RECORDS]
    rows = []
    for view in views:
        rows += [dict(row) for row in base.execute('SELECT * FROM "%s"' % view)]
    base.close()
    return sorted(rows, key=lambda row: row['_id'])


def compare(records, rows):
    expect(len(records) == len(rows), (len(records), len(rows)))
    for record, row in zip(records, rows):
        ours = leaves(record, HEADERS)
        theirs = from_sql(row)
        expect(set(ours) == set(theirs), (ours, theirs))
        for name, value in ours.items():
            expect(same(name, value, theirs[name]), (name, value, theirs[name]))


def both(folder, *args):
    path = os.path.join(folder, 'store.db')
    done = weir(*args, '--json', '-o', 'sqlite:' + path)
    return [json.loads(line) for line in done.stdout.splitlines()], path


def write_capture(path, *messages):
    """One connection; messages: (side, bytes)."""
    pcap = packets.Pcap(path)
    connection = packets.Connection(pcap, ('10.0.0.1', 40000), ('10.0.0.2', 80))
    connection.open()
    for side, octets in messages:
        for at in range(0, len(octets), 1400):
            connection.data(side, octets[at:at + 1400])
    connection.close()
    pcap.close()


@test
def every_field_of_every_record_is_what_json_says():
    with tempfile.TemporaryDirectory() as folder:
        for bodies in ('size', 'keep'):
            records, path = both(folder, '-r', DEMO, '--bodies', bodies)
            expect(len(records) > 150, len(records))
            compare(records, rows_of(path))
            os.unlink(path)


@test
def records_of_all_types_of_found_captures():
    """A hundred captures of the corpus, where it is; WEIR_CAPTURES says how many."""
    shared = os.environ.get('WEIR_SHARED', os.path.join(ROOT, '..', 'shared'))
    files = sorted(os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(shared, 'corpus')) for name in names
                   if '.pcap' in name and os.path.getsize(os.path.join(folder, name)) < 3000000)
    if not files:
        print('SKIPPED records_of_all_types_of_found_captures: no corpus')
        return
    files = random.Random(1).sample(files, min(len(files), int(os.environ.get('WEIR_CAPTURES', '100'))))
    compared = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, capture in enumerate(files):
            path = os.path.join(folder, 'store%d.db' % number)
            done = subprocess.run([WEIR, '--config=none', '-q', '-r', capture, '--json', '-o', 'sqlite:' + path],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
            expect(done.returncode in (0, 1, 3), (capture, done.stderr))
            if not os.path.exists(path):
                continue  # not a capture
            records = [json.loads(line) for line in done.stdout.splitlines()]
            compare(records, rows_of(path))
            compared += len(records)
    expect(compared > 0, 'nothing was compared')
    print('%d records of %d captures compared' % (compared, len(files)))


@test
def hostile_text_is_escaped_as_json_does():
    request = b'GET /a\\b\xff?q=\xc3\xa9\x1b[2J HTTP/1.1\r\nHost: h\r\nX-Bad: \xfe\\\r\nX-Bad: two\r\nUser-Agent: \xf0\x9f\x90\xa6\r\n\r\n'
    response = b'HTTP/1.1 200 \x80\r\nContent-Length: 2\r\nX-N: ' + b'n' * 20000 + b'\r\n\r\nok'
    with tempfile.TemporaryDirectory() as folder:
        capture = os.path.join(folder, 'a.pcap')
        write_capture(capture, (0, request), (1, response))
        records, path = both(folder, '-r', capture)
        expect(any('escaped' in record for record in records), records)
        compare(records, rows_of(path))


@test
def the_example_of_the_issue():
    with tempfile.TemporaryDirectory() as folder:
        records, path = both(folder, '-r', DEMO)
        wanted = [(r['url']['full'], r['duration_ns']) for r in records
                  if r['type'] == 'http' and r['http'].get('response', {}).get('status_code', 0) >= 500]
        sql = 'SELECT url_full, duration_ns FROM http WHERE http_response_status_code >= 500'
        expect(len(wanted) == 3, wanted)
        base = sqlite3.connect(path)
        expect(base.execute(sql).fetchall() == wanted, 'sqlite3')
        base.close()
        lines = weir('query', '--json', path, sql).stdout.splitlines()
        expect([tuple(json.loads(line).values()) for line in lines] == wanted, lines)
        table = weir('query', '-o', 'csv', path, sql).stdout.decode()
        expect([(a, int(b)) for a, b in list(csv.reader(io.StringIO(table)))[1:]] == wanted, table)
        text = weir('query', path, sql).stdout.decode().splitlines()
        expect([tuple(line.split()) for line in text[1:]] == [(a, str(b)) for a, b in wanted], text)


@test
def a_second_run_goes_on_in_the_same_file():
    with tempfile.TemporaryDirectory() as folder:
        records, path = both(folder, '-r', DEMO)
        again, path = both(folder, '-r', DEMO)
        compare(records + again, rows_of(path))


@test
def a_store_of_fewer_fields_is_brought_up_to_date():
    with tempfile.TemporaryDirectory() as folder:
        records, path = both(folder, '-r', DEMO)
        base = sqlite3.connect(path)
        base.execute('DROP VIEW http')
        base.execute('ALTER TABLE _http DROP COLUMN user_agent_original')
        base.commit()
        base.close()
        again, path = both(folder, '-r', DEMO)
        older = [row for row in rows_of(path) if row['_id'] <= len(records)]
        newer = [row for row in rows_of(path) if row['_id'] > len(records)]
        expect(all(row.get('user_agent_original') is None for row in older), 'older')
        compare(again, newer)


@test
def query_changes_nothing_and_says_so():
    with tempfile.TemporaryDirectory() as folder:
        _, path = both(folder, '-r', DEMO)
        for sql in ('DELETE FROM _http', 'DROP VIEW http', 'PRAGMA user_version=7', "ATTACH '%s/x' AS x" % folder, 'VACUUM',
                    'INSERT INTO _string VALUES(1,2)'):
            err = weir('query', path, sql, status=2).stderr
            expect(err.startswith(b'weir: error: query: '), err)
        err = weir('query', path, 'SELECT nope FROM http', status=2).stderr
        expect(b'no such column: nope' in err and b'table_info' in err, err)
        weir('query', path, 'SELECT 1; SELECT 2', status=2)
        weir('query', path, status=2)
        expect(not os.path.exists(os.path.join(folder, 'x')), 'another file was made')


@test
def nothing_captured_reaches_the_terminal_unescaped():
    with tempfile.TemporaryDirectory() as folder:
        capture = os.path.join(folder, 'a.pcap')
        write_capture(capture, (0, b'GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: =1+1\x1b[2J\r\n\r\n'))
        _, path = both(folder, '-r', capture)
        sql = 'SELECT user_agent_original AS u FROM http'
        expect(weir('query', path, sql).stdout == b'u\n=1+1\\x1b[2J\n', weir('query', path, sql).stdout)
        expect(weir('query', '-o', 'csv', path, sql).stdout == b"u\r\n'=1+1\\x1b[2J\r\n", 'csv')
        expect(weir('query', '--json', path, sql).stdout == b'{"u":"=1+1\\u001b[2J"}\n', 'json')


@test
def files_that_are_no_store_are_refused_and_left_alone():
    with tempfile.TemporaryDirectory() as folder:
        text = os.path.join(folder, 'text')
        with open(text, 'w') as file:
            file.write('not a database, ' * 1000)
        other = os.path.join(folder, 'other.db')
        base = sqlite3.connect(other)
        base.execute('CREATE TABLE mine(a)')
        base.commit()
        base.close()
        _, later = both(folder, '-r', DEMO)
        base = sqlite3.connect(later)
        base.execute('PRAGMA user_version=99')
        base.commit()
        base.close()
        for path, why in ((text, b'no SQLite file'), (other, b'another program'), (later, b'layout 99, this weir knows 2'),
                          (os.path.join(folder, 'no', 'x'), b'No such file'), (folder, b'directory')):
            before = open(path, 'rb').read() if os.path.isfile(path) else None
            err = subprocess.run([WEIR, '-r', DEMO, '-o', 'sqlite:' + path], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
            expect(err.returncode != 0 and why in err.stderr and err.stderr.startswith(b'weir: error: -o sqlite:'), err)
            expect(len(err.stderr.splitlines()) == 2, err.stderr)
            expect(before is None or open(path, 'rb').read() == before, 'it was changed')
        done = subprocess.run([WEIR, '-r', DEMO, '-o', 'sqlite'], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        expect(done.returncode == 2 and b'Name it' in done.stderr, done)


@test
def a_store_is_read_while_it_is_written_and_has_one_writer():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'store.db')
        fifo = os.path.join(folder, 'fifo')
        os.mkfifo(fifo)
        running = subprocess.Popen([WEIR, '--config=none', '-q', '-r', fifo, '-o', 'sqlite:' + path])
        with open(DEMO, 'rb') as file, open(fifo, 'wb') as feed:
            octets = file.read()
            feed.write(octets[:len(octets) * 3 // 4])
            feed.flush()
            count = 0
            deadline = time.monotonic() + 30
            while count == 0 and time.monotonic() < deadline:
                time.sleep(0.05)
                done = subprocess.run([WEIR, 'query', '--json', path, 'SELECT count(*) AS n FROM http'], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE)
                count = json.loads(done.stdout)['n'] if done.returncode == 0 else 0
            expect(count > 0, 'nothing was seen while it was written')
            err = subprocess.run([WEIR, '-r', DEMO, '-o', 'sqlite:' + path], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
            expect(err.returncode != 0 and b'another weir is writing' in err.stderr, err)
            feed.write(octets[len(octets) * 3 // 4:])
        expect(running.wait(60) == 0, 'writer')
        expect(len(rows_of(path)) > count, 'the rest')


def rank(values, percent):
    """The value at rank ceil(percent / 100 * n); None of nothing."""
    values = sorted(value for value in values if value is not None)
    return values[max(-(-len(values) * round(percent * 10) // 1000), 1) - 1] if values else None


def at(record, *names):
    for name in names:
        record = record.get(name) if isinstance(record, dict) else None
    return record


@test
def reports_say_what_the_records_say():
    """Each report, worked out once more from the JSON of the same capture; on the capture and on a store."""
    names = 'http,endpoints,services,hosts,servers,clients,errors,slow,timeline,tcp,latency,gaps,sql,redis,dns'
    with tempfile.TemporaryDirectory() as folder:
        records, path = both(folder, '-r', DEMO, '--bodies=size')
        http = [r for r in records if r['type'] == 'http']
        flows = [r for r in records if r['type'] == 'tcp']
        said = json.loads(weir('stats', '--json', names, DEMO).stdout)
        stored = json.loads(weir('stats', '--json', names, path).stdout)
        expect(said == stored, 'capture and store differ')
        expect(list(said) == names.split(','), list(said))
        durations = [r.get('duration_ns') for r in http]
        status = [at(r, 'http', 'response', 'status_code') for r in http]

        totals = said['http']['totals'][0]
        expect(totals['transactions'] == len(http) and totals['unanswered'] == status.count(None), totals)
        expect(totals['status_4xx'] == sum(s is not None and 400 <= s < 500 for s in status), totals)
        expect(totals['status_5xx'] == sum(s is not None and s >= 500 for s in status), totals)
        expect(totals['complete'] == sum(r['completeness'] == 'complete' for r in http), totals)
        expect(totals['response_bytes'] == sum(at(r, 'http', 'response', 'size') or at(r, 'http', 'response', 'body', 'size') or 0
                                               for r in http), totals)
        expect({row['status'] and int(row['status']): row['transactions'] for row in said['http']['statuses']} ==
               {s: status.count(s) for s in status}, said)
        methods = [at(r, 'http', 'request', 'method') for r in http]
        expect({r['method']: r['transactions'] for r in said['http']['methods']} == {m: methods.count(m) for m in methods}, methods)

        for report, column, of in (('hosts', 'host', lambda r: at(r, 'url', 'domain')),
                                   ('servers', 'address', lambda r: r['server']['address'])):
            for row in said[report][report]:
                mine = [r for r in http if of(r) == row[column] and row.get('port', r['server']['port']) == r['server']['port']]
                times = [r.get('duration_ns') for r in mine]
                expect(row['transactions'] == len(mine) and row['p50_ns'] == rank(times, 50) and row['p95_ns'] == rank(times, 95)
                       and row['max_ns'] == max(times), (report, row))
            expect(sum(row['transactions'] for row in said[report][report]) == len(http), report)
        for row in said['endpoints']['endpoints']:
            mine = [r for r in http if (at(r, 'service', 'name'), at(r, 'http', 'request', 'method'), at(r, 'http', 'route')) ==
                    (row['service'], row['method'], row['route'])]
            expect(row['transactions'] == len(mine) and row['p99_ns'] == rank([r['duration_ns'] for r in mine], 99), row)
        expect(len(said['endpoints']['endpoints']) == 20, 'top')

        slow = sorted((r for r in http if 'duration_ns' in r), key=lambda r: -r['duration_ns'])[:20]
        expect([(r['ts'], r['duration_ns'], r['url']['full']) for r in slow] ==
               [(r['ts'], r['duration_ns'], r['what']) for r in said['slow']['slow']], said['slow'])
        percentiles = said['latency']['percentiles'][0]
        for name, percent in (('p50_ns', 50), ('p75_ns', 75), ('p90_ns', 90), ('p95_ns', 95), ('p99_ns', 99), ('p99_9_ns', 99.9)):
            expect(percentiles[name] == rank(durations, percent), (name, percentiles))
        histogram = said['latency']['histogram']
        for row, after in zip(histogram, histogram[1:] + [{'from_ns': 1 << 62}]):
            expect(row['transactions'] == sum(row['from_ns'] <= d < after['from_ns'] for d in durations if d is not None), row)
        expect('' not in histogram[0], histogram[0])
        expect(sum(row['transactions'] for row in said['timeline']['timeline']) == len(http), said['timeline'])
        for row in said['timeline']['timeline']:
            expect(row['interval_ns'] == 10 ** 9, row)
            expect(row['transactions'] == sum(r['ts'][:19] == row['ts'][:19] for r in http), row)

        def both_ways(record, name):
            return record['tcp']['c2s'][name] + record['tcp']['s2c'][name]
        totals = said['tcp']['totals'][0]
        expect(totals['flows'] == len(flows), totals)
        for name in ('packets', 'retransmits', 'out_of_order', 'gaps', 'gap_bytes'):
            expect(totals[name] == sum(both_ways(r, name) for r in flows), (name, totals))
        expect(said['gaps']['totals'][0]['gap_bytes'] == 2896, said['gaps'])
        expect([row['missing_bytes'] for row in said['gaps']['transactions']] == [r['missing_bytes'] for r in http if 'missing_bytes' in r],
               said['gaps'])
        failed = [r for r in http if (at(r, 'http', 'response', 'status_code') or 0) >= 400]
        expect(sum(row['transactions'] for row in said['errors']['statuses']) == len(failed), said['errors'])
        expect(said['sql']['sql'] == [] and said['redis']['redis'] == [] and said['dns']['names'] == [], 'no databases in it')
        expect({row['client']: row['transactions'] for row in said['clients']['clients']} ==
               {c: sum(r['client']['address'] == c for r in http) for c in {r['client']['address'] for r in http}}, said['clients'])
        expect(all(answer['end'] == 'complete' and answer['error'] == 0 for report in said.values() for answer in report['answers'].values()),
               'exact')


@test
def any_sqlite3_reads_the_figures_that_weir_tells():
    """As `./dev demo` ends: weir query, weir stats slow; and the shell of sqlite3 (else Python's) says the same."""
    sql = {'slow': 'SELECT ts, duration_ns, url_full FROM http WHERE duration_ns NOT NULL ORDER BY duration_ns DESC, _id DESC LIMIT 20',
           'failed': 'SELECT url_full, duration_ns FROM http WHERE http_response_status_code >= 500 ORDER BY _id',
           'counted': "SELECT sum(n) AS n, sum(n_5xx) AS failed, max(max_ns) AS longest FROM rollup WHERE \"by\"='type' AND interval_s=3600 "
                      "AND type='http'"}
    with tempfile.TemporaryDirectory() as folder:
        _, path = both(folder, '-r', DEMO)
        shell = {}
        for name, text in sql.items():
            if shutil.which('sqlite3'):
                done = subprocess.run(['sqlite3', '-readonly', '-json', path, text], stdout=subprocess.PIPE, check=True)
                shell[name] = [list(row.values()) for row in json.loads(done.stdout)]
            else:
                base = sqlite3.connect(path)
                shell[name] = [list(row) for row in base.execute(text)]
                base.close()
            ours = [list(json.loads(line).values()) for line in weir('query', '--json', path, text).stdout.splitlines()]
            expect(ours == shell[name] and ours, (name, ours, shell[name]))
        stats = json.loads(weir('stats', '--json', 'slow,http,latency', path).stdout)
        expect([[row['ts'], row['duration_ns'], row['what']] for row in stats['slow']['slow']] == shell['slow'], stats['slow'])
        totals = stats['http']['totals'][0]
        expect([totals['transactions'], totals['status_5xx'], stats['latency']['percentiles'][0]['max_ns']] == shell['counted'][0], shell)
        expect(len(shell['failed']) == totals['status_5xx'] == 3, shell)


@test
def a_filter_groups_and_lengths_of_reports():
    with tempfile.TemporaryDirectory() as folder:
        records, path = both(folder, '-r', DEMO, '--bodies=size')
        http = [r for r in records if r['type'] == 'http']
        # of a store the filter is asked of its records, of a capture it is the run's: the same
        for expression in ('method:GET dur>1ms', 'status>=400', 'path:~products "json"', '-service:shop.example'):
            names = 'http,endpoints,timeline,latency,slow'
            stored = json.loads(weir('stats', '--json', '-Y', expression, names, path).stdout)
            read = json.loads(weir('stats', '--json', '-Y', expression, names, DEMO).stdout)
            for report in ('http', 'endpoints', 'slow'):
                expect({k: v for k, v in stored[report].items() if k != 'answers'} == {k: v for k, v in read[report].items() if k != 'answers'},
                       (expression, report))
        groups = json.loads(weir('stats', '--json', '--by', 'client.address', '--top', '2', 'latency', path).stdout)['latency']['groups']
        expect(len(groups) == 2, groups)
        for row in groups:
            mine = [r['duration_ns'] for r in http if r['client']['address'] == row['value']]
            expect(row['transactions'] == len(mine) and row['p99_ns'] == rank(mine, 99), row)
        text = weir('stats', '--top', '3', 'slow', path).stdout.decode().splitlines()
        expect(text[0] == 'slow (3 at most)' and len(text) == 5, text)


@test
def stats_refuses_what_it_cannot_do():
    with tempfile.TemporaryDirectory() as folder:
        _, path = both(folder, '-r', DEMO)
        for args, why in ((['nope', DEMO], b'no report "nope"'), (['http'], b'reports and files'), (['http', path, DEMO], b'alone'),
                          (['--by', 'service', 'slow', path], b'no groups')):
            err = weir('stats', *args, status=2).stderr
            expect(why in err and b'timeline' in err, err)
        err = weir('stats', 'http', os.path.join(folder, 'none.pcap'), status=1).stderr
        expect(b'none.pcap' in err and b'No such file' in err, err)
        err = weir('stats', '-Y', 'statsu>1', 'http', path, status=2).stderr
        expect(b'did you mean "status"?' in err, err)
        err = weir('stats', '--by', 'nope', 'latency', path, status=2).stderr
        expect(b'there is no field "nope"' in err, err)
        err = weir('stats', '--top', '0', 'latency', path, status=2).stderr
        expect(b'1 to 1000' in err, err)
        only = json.loads(weir('stats', '--json', '-Y', 'status>=500', 'http', DEMO).stdout)
        expect(only['http']['totals'][0]['transactions'] == 3, only)
        expect(not [name for name in os.listdir(tempfile.gettempdir()) if name.startswith('weir-stats-')], 'left behind')


def write_many(path, connections):
    """Two exchanges on each connection."""
    pcap = packets.Pcap(path)
    for n in range(connections):
        connection = packets.Connection(pcap, ('10.%d.%d.%d' % (n >> 16, n >> 8 & 255, n & 255), 40000), ('10.255.0.2', 80))
        connection.open()
        for k in range(2):
            connection.send(0, packets.PSH | packets.ACK, b'GET /item/%d?k=%d HTTP/1.1\r\nHost: shop\r\n\r\n' % (n, k))
            connection.send(1, packets.PSH | packets.ACK, b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        connection.close()
    pcap.close()


@test
def killed_at_any_moment_it_keeps_what_was_committed():
    """What is there is the beginning of the whole run, without a hole, and the file is sound."""
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        capture = os.path.join(folder, 'many.pcap')
        write_many(capture, 8000)
        whole = os.path.join(folder, 'whole.db')
        begin = time.monotonic()
        weir('-q', '-r', capture, '-o', 'sqlite:' + whole)
        took = time.monotonic() - begin
        base = sqlite3.connect(whole)
        every = 'SELECT _id, id FROM http UNION ALL SELECT _id, id FROM tcp UNION ALL SELECT _id, id FROM anomaly ORDER BY _id'
        want = base.execute(every).fetchall()
        base.close()
        expect(len(want) == 24000, len(want))
        kept = []
        for n in range(KILLS):
            path = os.path.join(folder, 'kill%d.db' % n)
            running = subprocess.Popen([WEIR, '--config=none', '-q', '-r', capture, '-o', 'sqlite:' + path])
            time.sleep(rng.uniform(0.2, 1.0) * took)
            running.send_signal(signal.SIGKILL)
            running.wait()
            base = sqlite3.connect(path)
            expect(base.execute('PRAGMA integrity_check').fetchone()[0] == 'ok', 'integrity')
            views = base.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'view'").fetchone()[0]
            rows = base.execute(every).fetchall() if views > 0 else []
            base.close()
            expect(rows == want[:len(rows)], 'not the beginning of the run')
            kept.append(len(rows))
            # and it goes on from there
            weir('-q', '-r', DEMO, '-o', 'sqlite:' + path)
            expect(len(rows_of(path)) > len(rows), 'nothing was added')
        expect(KILLS < 8 or sum(0 < n < len(want) for n in kept) > 0, kept)
        print('killed %d times, kept of %d: %s' % (KILLS, len(want), kept))


FILL = """
import os, subprocess, sys, time
weir, capture, folder = sys.argv[1:]
subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=12m', 'store', folder], check=True)
octets = open(capture, 'rb').read()
with open(folder + '/filler', 'wb') as filler:
    filler.write(bytes(11 << 20))
fifo = folder + '/fifo'
os.mkfifo(fifo)
# a sink that may be lost to: two of them have queues, but a file waits; so what is asked for is that reading goes on
running = subprocess.Popen([weir, '--config=none', '--summary=json', '-j1', '-r', fifo, '-o', 'sqlite:' + folder + '/store.db'],
                           stderr=subprocess.PIPE)
with open(fifo, 'wb') as feed:
    feed.write(octets[:len(octets) // 2])
    feed.flush()
    first = running.stderr.readline()
    os.unlink(folder + '/filler')
    time.sleep(1.5)
    feed.write(octets[len(octets) // 2:])
rest = running.stderr.read()
print(running.wait())
sys.stdout.flush()
sys.stdout.buffer.write(first + rest)
sys.stdout.flush()
os.unlink(fifo)
for name in os.listdir(folder):
    subprocess.run(['cp', folder + '/' + name, sys.argv[2] + name[len('store'):]], check=True)
"""


@test
def a_full_disk_is_told_counted_and_got_over():
    """A tmpfs of 12 MB in a mount namespace of its own, nearly full at first, then with room."""
    with tempfile.TemporaryDirectory() as folder:
        enter = ['unshare', '-m'] if os.geteuid() == 0 else ['unshare', '-rm']
        place = os.path.join(folder, 'place')
        os.mkdir(place)
        if subprocess.run(enter + ['mount', '-t', 'tmpfs', 'x', place], stderr=subprocess.DEVNULL).returncode != 0:
            print('SKIPPED a_full_disk_is_told_counted_and_got_over: no mount namespaces here')
            return
        capture = os.path.join(folder, 'many.pcap')
        write_many(capture, 12000)
        done = subprocess.run(enter + [sys.executable, '-c', FILL, WEIR, capture, place], stdout=subprocess.PIPE, timeout=120)
        lines = done.stdout.decode().splitlines()
        expect(done.returncode == 0 and lines[0] == '1', lines)
        expect('No space left on device' in lines[1] and 'counted as lost' in '\n'.join(lines), lines)
        expect(any('takes records again' in line for line in lines), lines)
        summary = json.loads(next(line for line in lines if line.startswith('{')))
        records = sum(summary['records'].values())
        lost = summary['drops']['sink_sqlite_failed']
        base = sqlite3.connect(capture + '.db')
        expect(base.execute('PRAGMA integrity_check').fetchone()[0] == 'ok', 'integrity')
        kept = sum(base.execute('SELECT count(*) FROM %s' % view).fetchone()[0] for view in ('http', 'tcp', 'anomaly'))
        dangling = base.execute("SELECT count(*) FROM http WHERE flow_id IS NULL OR http_request_method IS NULL").fetchone()[0]
        base.close()
        expect(records == 36000 and kept + lost == records and kept > 0 and lost > 0, (records, kept, lost))
        expect(dangling == 0, dangling)
        expect(stores.check(capture + '.db') == kept, 'what was counted of them')
        expect('%d records were not written to sqlite' % lost in done.stdout.decode(), lines)
        print('full disk: %d records, %d kept, %d lost and counted' % (records, kept, lost))


def main():
    failed = 0
    for function in tests:
        try:
            function()
        except Exception as error:  # noqa: BLE001
            failed += 1
            print('FAILED %s: %s' % (function.__name__, str(error)[:2000]))
    print('%d passed, %d failed' % (len(tests) - failed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peers' own expectations of databases: test_db_peers.py [-v] WEIR

corpus/expected/peer_expectations.tsv, the kinds db_tx (Zeek), db_msg (DeepFlow) and packetbeat_assert of MySQL, PostgreSQL and Redis, and
dns and dns_count over TCP. A row holds when the record that it is about is there and says what the row says; what has no counterpart
in weir's records fails as `unmapped`. DeepFlow counts the bytes of a message that it captured, which may be less than all. A row of
Packetbeat is about the record of the query that its case names, else about the n-th. Exit 77 without the corpus."""
import collections
import csv
import io
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import corpus  # noqa: E402
import peers_redis  # noqa: E402

TYPES = ('mysql', 'pgsql', 'redis', 'dns')
FLOORS = {'db_tx': 61, 'db_msg': 113, 'packetbeat_assert': 108, 'dns': 4, 'dns_count': 2}
PERCENT = 95
# DeepFlow's numbers of commands are the protocol's own.
COMMANDS = {1: 'QUIT', 3: 'QUERY', 22: 'STMT_PREPARE', 23: 'STMT_EXECUTE', 25: 'STMT_CLOSE'}
STATEMENTS = ('QUERY', 'STMT_PREPARE', 'STMT_EXECUTE')


def get(record, name, default=None):
    value = corpus.dig(record, name)
    return default if value is None else value


def status_of(record):
    return 'Error' if get(record, 'db.response.status') == 'error' else 'OK'


def table_of(record):
    return re.sub('[`"]', '', get(record, 'db.collection.name', ''))


# ---- Zeek ----

def zeek(row, capture, taken):
    want = row['fields']
    records = [r for r in capture if str(r['client']['port']) == want['sport'] and r['type'] == want['proto']]
    if want.get('cmd') == 'login' and want.get('success') == 'T':
        return None if any(get(r, 'db.user') == want['arg'] for r in records) else 'no record of this user'
    name = want.get('cmd', want.get('cmd.name', '')).lower()
    for record in records:
        if id(record) in taken or get(record, 'db.command', '').lower() != name:
            continue
        taken.add(id(record))
        return zeek_differs(want, record)
    return 'no record'


def zeek_differs(want, record):
    arg = {'field_list': get(record, 'db.collection.name'), 'login': get(record, 'db.user')}.get(
        get(record, 'db.command', '').lower(), get(record, 'db.query.text', '(empty)'))
    if 'arg' in want and want['arg'] != arg:
        return 'arg: want %s, have %s' % (want['arg'], arg)
    if 'success' in want and (want['success'] == 'T') != (get(record, 'db.response.status') == 'ok'):
        return 'success'
    if 'rows' in want and int(want['rows']) != get(record, 'db.response.affected_rows', 0):
        return 'rows: want %s' % want['rows']
    if 'response' in want and want['response'] != get(record, 'error.message'):
        return 'response: want %s, have %s' % (want['response'], get(record, 'error.message'))
    if 'reply.value' in want and want['reply.value'] != str(get(record, 'redis.reply.text', get(record, 'redis.reply.value'))):
        return 'reply.value'
    return None


# ---- DeepFlow ----

def is_request(want, record):
    text = want.get('request_resource', want.get('request', ''))
    if text.startswith('Login username: '):
        return True  # of any record of the session
    if want.get('request_type') in COMMANDS and get(record, 'db.command') != COMMANDS[want['request_type']]:
        return False
    if get(record, 'db.command') == 'STMT_EXECUTE':
        return True
    return not text or get(record, 'db.query.text') == text


def request_differs(want, record):
    text = want.get('request_resource', '')
    login = re.match(r'Login username: (\S+)(?: db: (\S+))?', text)
    if login:
        same = get(record, 'db.user') == login.group(1) and (not login.group(2) or get(record, 'db.namespace'))
        return None if same else 'login'
    if want.get('captured_request_byte', 0) > get(record, 'db.request.size', 0):
        return 'request size: want %s, have %s' % (want['captured_request_byte'], get(record, 'db.request.size'))
    if want.get('endpoint') and want['endpoint'] != '%s %s' % (get(record, 'db.operation.name'), table_of(record)):
        return 'endpoint: want %s, have %s %s' % (want['endpoint'], get(record, 'db.operation.name'), table_of(record))
    if get(record, 'db.command') == 'STMT_EXECUTE' and text:
        values = re.sub(r'\b\w+\(([^)]*)\)', r'\1', text).split(' , ')
        have = [value.strip() for value in get(record, 'db.query.parameters', [])]
        if len(values) <= 64 and values != have:
            return 'parameters: want %s, have %s' % (values[:5], have[:5])
    return None


def deepflow(row, capture, taken):
    want = row['fields']
    kind = want.get('msg_type', 'Request' if want.get('request') else 'Response' if 'type' in want else 'Other')
    if kind == 'Other':  # a greeting, or a part of the login
        known = any(get(r, 'db.server.version') for r in capture)
        return None if known else 'no record of this server'
    state = taken.setdefault('state', {'asked': [], 'answered': None})
    if kind in ('Request', 'Session'):
        for record in capture:
            login = want.get('request_resource', '').startswith('Login')
            if (id(record) not in taken['ids'] or login) and is_request(want, record):
                if not login:
                    taken['ids'].add(id(record))
                state['asked'].append((record, login))
                if kind == 'Session':
                    state['asked'].pop()
                return request_differs(want, record)
        return 'no record of this request'
    if state['asked']:
        state['answered'] = state['asked'].pop(0)
    if state['answered'] is None:
        return 'no record of this response'
    record, login = state['answered']
    if login:
        error = get(record, 'db.command') == 'LOGIN' and status_of(record) == 'Error'
        return None if error == (want.get('response_status') not in ('ok', 'unknown')) else 'login status'
    if want.get('captured_response_byte', 0) > get(record, 'db.response.size', 0):
        return 'response size: want %s, have %s' % (want['captured_response_byte'], get(record, 'db.response.size'))
    if want.get('response_status') == 'ok' and status_of(record) != 'OK':
        return 'status'
    if want.get('response_status', 'ok') not in ('ok', 'unknown') and status_of(record) != 'Error':
        return 'status: want %s' % want['response_status']
    if 'sql_affected_rows' in want and want['sql_affected_rows'] != get(record, 'db.response.affected_rows', 0):
        return 'affected rows'
    return None


# ---- Packetbeat ----

PACKETBEAT = {
    'type': lambda r: r['type'], 'method': lambda r: get(r, 'db.operation.name'), 'query': lambda r: get(r, 'db.query.text', '').rstrip(';'),
    'status': status_of, 'path': lambda r: '%s.%s' % (get(r, 'db.namespace'), table_of(r)),
    'resource': lambda r: get(r, 'redis.key'),
    # without PostgreSQL's ReadyForQuery, which ends what the record counts
    'destination.bytes': lambda r: get(r, 'db.response.size') - 6 * (r['type'] == 'pgsql'), 'source.bytes': lambda r: get(r, 'db.request.size'),
    'mysql.num_rows': lambda r: get(r, 'db.response.returned_rows'), 'pgsql.num_rows': lambda r: get(r, 'db.response.returned_rows'),
    'mysql.affected_rows': lambda r: get(r, 'db.response.affected_rows'),
    'mysql.error_code': lambda r: get(r, 'db.response.status_code'), 'pgsql.error_code': lambda r: get(r, 'db.response.status_code'),
    'mysql.error_message': lambda r: '%s: %s' % (get(r, 'mysql.sqlstate'), get(r, 'error.message')),
    'error.message': lambda r: 'Packet loss while capturing the response' if r['completeness'] == 'gap' else None,
    'event.duration': lambda r: get(r, 'duration_ns'),
    'redis.return_value': lambda r: get(r, 'redis.reply.text', get(r, 'redis.reply.value')),
}


# (rows, bytes of a row's values) that Packetbeat gives back: its defaults, and what the cases of its test_*_long_result ask for
SHOWN = {'test_max_row_length': (10, 79), 'test_max_rows': (5, 79), 'test_larger_max_rows': (2000, 1024)}


def shown_lines(record, case):
    """The lines of CSV that Packetbeat makes of a result: a head, then rows; of the rows that the record has, as far as it shows them."""
    nrows, nbytes = SHOWN.get(case, (10, 1024))
    lines = [','.join(get(record, 'db.response.columns'))]
    for values in csv.reader(get(record, 'db.response.rows')[:nrows]):
        left, line = nbytes, io.StringIO()
        for i, value in enumerate(values):
            values[i], left = value[:left], left - len(value[:left])
        csv.writer(line, lineterminator='').writerow(values)
        lines.append(line.getvalue())
    return lines


def record_of(row, records):
    """The record of the query that the row's case names for this index; if there is no such one, the record at the index."""
    index = int(row['fields'].get('index', 0))
    texts = [r['fields']['equals'] for r in row['siblings'] if r['fields']['field'] == 'query' and int(r['fields'].get('index', 0)) == index]
    found = [r for r in records if texts and get(r, 'db.query.text', '').rstrip(';') == texts[0]]
    if len(texts) == 1 and len(found) == 1:
        return found[0]
    return records[index] if index < len(records) else None


def packetbeat(row, capture, taken):
    name, want = row['fields']['field'], row['fields']['equals']
    # it tells statements only, of MySQL
    records = [r for r in capture if r['type'] != 'mysql' or get(r, 'db.command') in STATEMENTS]
    method = re.search(r"o\['method'\] == '(\w+)'", name)
    if name == 'len(objs)' or method:
        have = sum(not method or get(r, 'db.operation.name') == method.group(1) for r in records)
        return None if have == want else '%s: want %s, have %s' % (name, want, have)
    record = record_of(row, records)
    if name.startswith('len(line') and record:
        lines = shown_lines(record, row['case'].split('::')[-1].split('#')[0])
        have = len(lines) if name == 'len(lines)' else len(lines[-1])
        return None if have == want else '%s: want %s, have %s' % (name, want, have)
    if name not in PACKETBEAT:
        return 'unmapped: ' + name
    if record is None:
        return 'no record'
    have = PACKETBEAT[name](record)
    return None if str(have) == str(want) else '%s: want %s, have %s' % (name, want, have)


def over_tcp(row, capture, taken):
    return peers_redis.KINDS[row['kind']](row, Records(capture), taken)


class Records:
    def __init__(self, records):
        self.records = records


KINDS = {'db_tx': zeek, 'db_msg': deepflow, 'packetbeat_assert': packetbeat, 'dns': over_tcp, 'dns_count': over_tcp}
# captures with DNS over TCP
DNS = ('__tcpdns.pcap', '__not-handled-qtype.pcap', '__dns-truncated-rname__poc2.pcap')


def load():
    table = corpus.rows('corpus', 'expected', 'peer_expectations.tsv')
    for row in table:
        row['fields'] = json.loads(row['fields'])
    cases = collections.defaultdict(list)
    for row in table:
        cases[row['case'].split('#')[0]].append(row)
        row['siblings'] = cases[row['case'].split('#')[0]]
    return [row for row in table if row['kind'] in KINDS and (
        row['kind'] != 'packetbeat_assert' or re.search('__(mysql|pgsql|redis)_', row['file'])) and (
            not row['kind'].startswith('dns') or row['file'].endswith(DNS))]


def answers(weir, job):
    file, rows = job
    result = corpus.run(weir, '-r', corpus.shared('corpus', file), '-j', 1, '-k', 'none', '--redact=off', '--bodies=keep', '--json')
    capture = sorted((r for r in corpus.records_of(result) if r['type'] in TYPES), key=lambda r: r['ts'])
    zeek_taken, flow_taken, dns_taken = set(), {'ids': set()}, {}
    taken = {'db_tx': zeek_taken, 'dns': dns_taken, 'dns_count': dns_taken}
    return [(row, KINDS[row['kind']](row, capture, taken.get(row['kind'], flow_taken))) for row in rows]


def main():
    verbose = '-v' in sys.argv
    weir = [word for word in sys.argv[1:] if not word.startswith('-')][0]
    jobs = {}
    for row in load():
        jobs.setdefault(row['file'], []).append(row)
    held, total = collections.Counter(), collections.Counter()
    for job in sorted(jobs.items()):
        for row, problem in answers(weir, job):
            total[row['kind']] += 1
            held[row['kind']] += not problem
            if problem and verbose:
                print('%s %s %s: %s' % (row['kind'], corpus.short(row['file']), row['case'].split('::')[-1], problem))
    failed = 0
    for kind in sorted(total):
        print('%-18s %3d of %3d hold, %.1f %%' % (kind, held[kind], total[kind], 100 * held[kind] / total[kind]))
        failed += max(0, FLOORS[kind] - held[kind])
        if held[kind] > FLOORS[kind]:
            print('  raise the floor of %s to %d' % (kind, held[kind]))
    print('all: %d of %d hold, %.1f %%' % (sum(held.values()), sum(total.values()), 100 * sum(held.values()) / sum(total.values())))
    if 100 * sum(held.values()) < PERCENT * sum(total.values()):
        print('less than %d %%' % PERCENT)
        failed += 1
    print('%d passed, %d failed, 0 skipped' % (sum(held.values()), failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

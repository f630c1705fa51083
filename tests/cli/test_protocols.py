#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Protocols by content: test_protocols.py WEIR

Short conversations, written from the protocols' documentation, on usual ports, on others', in the middle of a connection with the server's packet
first, and up to the switch to TLS.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import cli  # noqa: E402
import packets  # noqa: E402
from cli import equal, expect, run, test  # noqa: E402

CLIENT, SERVER = '10.0.0.1', '10.0.0.2'


def my(sequence, payload):
    return len(payload).to_bytes(3, 'little') + bytes([sequence]) + payload


def pg(kind, payload):
    return kind + (4 + len(payload)).to_bytes(4, 'big') + payload


DEFINITION = b'\3def\0\0\0\1a\0\x0c!\0\5\0\0\0\xfd\0\0\0\0\0'
EOF = b'\xfe\0\0\2\0'
ROWS = my(1, b'\1') + my(2, DEFINITION) + my(3, EOF) + my(4, b'\0011') + my(5, b'\0012') + my(6, EOF)
GREETING = my(0, b'\x0a8.0.31\0\7\0\0\x0012345678\0\xff\xaa!\2\0\x08\0\x15' + bytes(10) + b'123456789012\0mysql_native_password\0')
LOGIN = my(1, b'\x09\xa2\x08\0\0\0\0\1!' + bytes(23) + b'joe\0\x14' + b's' * 20 + b'shop\0mysql_native_password\0')
OK = my(2, b'\0\0\0\2\0\0\0')
SSL_REQUEST = my(1, b'\x09\xaa\x08\0\0\0\0\1!' + bytes(23))
NAME = b'\1a\7example\0\0\1\0\1'

# Side and bytes, message by message; what begins the connection, and what may be all that was captured.
LOGINS = {
    'mysql': [(1, GREETING), (0, LOGIN), (1, OK)],
    'pgsql': [(0, b'\0\0\0\x10\0\3\0\0user\0j\0\0'), (1, pg(b'R', bytes(4)) + pg(b'Z', b'I'))],
}
REQUESTS = {
    'http': [(0, b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), (1, b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')],
    'mysql': [(0, my(0, b'\3select a from t where b = 7')), (1, ROWS)],
    'pgsql': [(0, pg(b'Q', b'select a from t where b = 7\0')),
              (1, pg(b'T', b'\0\1a\0' + bytes(18)) + 2 * pg(b'D', b'\0\1\0\0\0\0011') + pg(b'C', b'SELECT 2\0') + pg(b'Z', b'I'))],
    'redis': [(0, b'*2\r\n$3\r\nGET\r\n$1\r\nk\r\n'), (1, b'$2\r\nhi\r\n')],
    'dns': [(0, b'\0\x1b\0\7\1\0\0\1\0\0\0\0\0\0' + NAME), (1, b'\0\x2b\0\7\x81\x80\0\1\0\1\0\0\0\0' + NAME + b'\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4')],
}
PORTS = {'http': 80, 'mysql': 3306, 'pgsql': 5432, 'redis': 6379, 'dns': 53}


def capture(messages, port, opened=True):
    pcap = packets.Pcap('x.pcap')
    connection = packets.Connection(pcap, (CLIENT, 40000), (SERVER, port))
    if opened:
        connection.open()
    for side, data in messages:
        connection.data(side, data)
    if opened:
        connection.close()
    pcap.close()


def records(*options):
    done = run('-r', 'x.pcap', '--json', '-j', '1', *options)
    equal(done.returncode, 0, 'exit status')
    return [json.loads(line) for line in done.stdout.splitlines()]


def of_type(all_records, kind):
    return [r for r in all_records if r['type'] == kind]


def mismatches(all_records):
    return [r for r in of_type(all_records, 'anomaly') if r['anomaly']['code'] == 'proto.mismatch']


def check_one(name, got):
    found = [r for r in got if r['type'] in PORTS]
    equal([(r['type'], r['client']['address'], r['completeness'], r.get('pairing')) for r in found],
          [(name, CLIENT, 'complete', 'exact')], name)


@test
def each_protocol_is_found_on_its_port_and_on_any_other():
    for name, messages in REQUESTS.items():
        for port in (PORTS[name], 12345):
            capture(LOGINS.get(name, []) + messages, port)
            got = records()
            check_one(name, got)
            equal(mismatches(got), [], '%s on %d' % (name, port))


@test
def a_port_of_another_protocol_is_told():
    for name, messages in REQUESTS.items():
        for other, port in PORTS.items():
            if other != name:
                capture(LOGINS.get(name, []) + messages, port)
                got = records()
                check_one(name, got)
                equal(len(mismatches(got)), 1, '%s on the port of %s' % (name, other))


@test
def roles_are_told_by_content_in_the_middle_of_a_connection():
    """No SYN, the server's packet is the first, ports say nothing (client's 40000, server's 50000): who asks is the client."""
    for name in ('http', 'mysql', 'pgsql', 'redis'):
        capture(REQUESTS[name][1:] + 2 * REQUESTS[name], 50000, opened=False)
        found = [r for r in records() if r['type'] == name and 'request' in r.get('db', r.get('http'))]
        equal([r['client']['address'] for r in found], [CLIENT] * 2, name)


@test
def switches_to_tls_go_on_as_tls():
    """A ClientHello of 72 bytes behind MySQL's SSLRequest, and behind PostgreSQL's SSLRequest and the server's S."""
    body = b'\3\3' + b'\x11' * 32 + b'\0\0\2\xc0\x2f\1\0' + b'\0\x0f\0\0\0\x0b\0\x09\0\0\6a.test'
    hello = b'\x16\3\1' + (4 + len(body)).to_bytes(2, 'big') + b'\1' + len(body).to_bytes(3, 'big') + body
    for name, messages in {'mysql': [(1, GREETING), (0, SSL_REQUEST), (0, hello)],
                           'pgsql': [(0, b'\0\0\0\x08\x04\xd2\x16\x2f'), (1, b'S'), (0, hello)]}.items():
        capture(messages, PORTS[name])
        got = records()
        equal([(r['tls']['client']['server_name']) for r in of_type(got, 'tls')], ['a.test'], name)
        equal(of_type(got, name), [], name)
        equal(mismatches(got), [], name)


@test
def a_server_that_refuses_tls_is_followed():
    capture([(0, b'\0\0\0\x08\x04\xd2\x16\x2f'), (1, b'N')] + LOGINS['pgsql'] + REQUESTS['pgsql'], 5432)
    check_one('pgsql', records())


@test
def times_are_split_as_for_http():
    """A millisecond a packet: data, its acknowledgement, data: 2 ms of waiting."""
    for name, messages in REQUESTS.items():
        capture(LOGINS.get(name, []) + messages, PORTS[name])
        found = of_type(records(), name)[0]
        timing = found['timing']
        equal((timing['send_ns'], timing['wait_ns'], timing['receive_ns'], timing['stall_ns'], found['duration_ns']), (0, 2000000, 0, 0, 2000000),
              name)


@test
def repeated_statements_are_counted():
    for name in ('mysql', 'pgsql', 'redis'):
        capture(LOGINS.get(name, []) + 3 * REQUESTS[name], 50000)
        got = of_type(records(), name)
        equal([r['db']['query'].get('repeated') for r in got], [None, 1, 2], name)
        digest = 'GET ?' if name == 'redis' else 'select a from t where b = ?'
        equal({r['db']['query']['digest'] for r in got}, {digest}, name)


@test
def passwords_are_masked():
    secret = 'hunter2hunter2'
    sent = {
        'mysql': [(0, my(0, b"\3alter user joe identified by '" + secret.encode() + b"'")), (1, my(1, b'\0\0\0\2\0\0\0'))],
        'pgsql': [(0, pg(b'Q', b"alter role joe password '" + secret.encode() + b"'\0")), (1, pg(b'C', b'ALTER ROLE\0') + pg(b'Z', b'I'))],
        'redis': [(0, b'*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n' % (len(secret), secret.encode())), (1, b'+OK\r\n')],
    }
    for name, messages in sent.items():
        capture(LOGINS.get(name, []) + messages, PORTS[name])
        text = json.dumps(records())
        equal(len(of_type(records(), name)), 1, name)
        expect(secret not in text, name)
        expect(secret in json.dumps(records('--redact=off')), name + ' without masking')


@test
def limits_are_told():
    """130 prepared statements, of which 128 are kept; 600 queries without a response, of which 512 are."""
    many = [(0, pg(b'P', b's%d\0select %d\0\0\0' % (i, i))) for i in range(130)]
    capture(LOGINS['pgsql'] + many, 5432)
    got = records()
    equal(len([r for r in of_type(got, 'anomaly') if r['anomaly']['code'] == 'db.statements_limit']), 2, 'statements')
    capture(LOGINS['pgsql'] + [(0, pg(b'Q', b'select %d\0' % i)) for i in range(600)], 5432)
    got = of_type(records(), 'pgsql')
    equal((len(got), len([r for r in got if 'db.pending_limit' in r.get('anomalies', [])])), (600, 88), 'queries')


@test
def rows_are_kept_when_asked_for_and_masked_when_strict():
    for name in ('mysql', 'pgsql'):
        capture(LOGINS[name] + REQUESTS[name], PORTS[name])
        kept = of_type(records('--bodies=keep'), name)[0]['db']['response']
        equal((kept['columns'], kept['returned_rows']), (['a'], 2), name)
        equal(kept['rows'], ['1', '2'] if name == 'mysql' else ['1', '1'], name)
        strict = of_type(records('--bodies=keep', '--redact=strict'), name)[0]['db']['response']
        equal((strict['columns'], strict['rows']), (['?'], ['?', '?']), name)
        expect('rows' not in of_type(records(), name)[0]['db']['response'], name)


sys.exit(cli.main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's MariaDB, sysbench and mariadb: test_mysql.py WEIR. What weir counts is what the server counted; pairs under loss."""
import collections
import os
import random
import re
import subprocess
import sys

import mysql_client
import service

WEIR = os.path.abspath(sys.argv[1])
service.need('mariadbd', 'mariadb-install-db', 'mariadb', 'sysbench', 'openssl')
STATEMENTS = ('QUERY', 'STMT_EXECUTE')
BIG = 17000000  # bytes: more than a packet of 16 MiB - 1
# The server's Com_ counters of statements of SQL -> weir's db.operation.name
COUNTED = {'begin': 'BEGIN', 'commit': 'COMMIT', 'create_index': 'CREATE', 'create_table': 'CREATE', 'delete': 'DELETE', 'do': 'DO',
           'drop_table': 'DROP', 'insert': 'INSERT', 'load': 'LOAD', 'select': 'SELECT', 'update': 'UPDATE'}


class Server(service.Folder):
    """A server of our own, run by the user mysql; a context. What is asked through its socket is not captured."""

    def __init__(self):
        super().__init__('weir-mysql.')

    def start(self):
        os.mkdir(self.path('data'))
        self.certificate()
        self.give('mysql', 'data', 'key.pem', 'cert.pem')
        own = ['--no-defaults', '--user=mysql', '--datadir=' + self.path('data')]
        with open(self.path('log'), 'wb') as log:
            subprocess.run([service.tool('mariadb-install-db'), '--auth-root-authentication-method=normal', '--skip-test-db'] + own,
                           stdout=log, stderr=log, check=True)
            self.process = subprocess.Popen(
                [service.tool('mariadbd')] + own
                + ['--bind-address=127.0.0.1', '--port=%d' % self.port, '--socket=' + self.path('s'), '--pid-file=' + self.path('pid'),
                   '--ssl-cert=' + self.path('cert.pem'), '--ssl-key=' + self.path('key.pem'), '--local-infile=1', '--skip-name-resolve',
                   '--max-allowed-packet=64M', '--innodb-flush-log-at-trx-commit=0', '--innodb-fast-shutdown=2'], stdout=log, stderr=log)
        service.wait_for(service.listening(self.port), 'mariadbd', 60)
        self.ask("create database sbtest; create user weir@'127.0.0.1'; grant all on *.* to weir@'127.0.0.1'")

    def ask(self, sql):
        run = subprocess.run(['mariadb', '--no-defaults', '-N', '-S', self.path('s'), '-u', 'root', '-e', sql], stdout=subprocess.PIPE,
                             check=True, text=True)
        return [line.split('\t') for line in run.stdout.splitlines()]

    def counters(self):
        return collections.Counter({name[4:]: int(value) for name, value in self.ask("show global status like 'Com\\_%'")})

    def sysbench(self, *options):
        subprocess.run(['sysbench', 'oltp_read_write', '--db-driver=mysql', '--mysql-host=127.0.0.1', '--mysql-port=%d' % self.port,
                        '--mysql-user=weir', '--tables=2', '--table-size=1000'] + list(options), stdout=subprocess.DEVNULL, check=True)

    def shell(self, sql, *options):
        """Debian's client, as a user would run it. Its exit status says whether the last statement failed."""
        return subprocess.run(['mariadb', '--no-defaults', '--skip-ssl', '--force', '--local-infile=1', '--max-allowed-packet=64M', '-N',
                               '-h', '127.0.0.1', '-P', str(self.port), '-u', 'weir'] + list(options) + ['sbtest'], input=sql.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False).stdout

    def client(self, eof, compress):
        return mysql_client.Client(self.port, 'weir', 'sbtest', eof, compress)


def statements(records):
    return [r for r in records if service.get(r, 'db.command') in STATEMENTS]


def differ(counters, records):
    """Print and compare: statements by verb, prepared statements by command."""
    want, have = collections.Counter(), collections.Counter()
    for name, n in counters.items():
        if n > 0 and name in COUNTED:
            want[COUNTED[name]] += n
        elif n > 0 and name in ('stmt_prepare', 'stmt_execute', 'stmt_close'):
            want[name.upper()] += n
    for record in records:
        command = service.get(record, 'db.command')
        have[command] += command.startswith('STMT_')
        have[service.get(record, 'db.operation.name')] += command in STATEMENTS
    want, have = +want, +have
    print('statements: server %d, weir %d; %s' % (sum(want[name] for name in set(COUNTED.values())),
                                                  sum(have[name] for name in set(COUNTED.values())), dict(sorted(want.items()))))
    assert sum(want.values()) > 0
    assert have == want, 'weir: %s' % dict(sorted(have.items()))


def counted_as_the_server_does():
    """sysbench: prepared statements, text, both compressed."""
    runs = {'prepared': ['--db-ps-mode=auto'], 'text': ['--db-ps-mode=disable'],
            'prepared, compressed': ['--db-ps-mode=auto', '--mysql-compression=on'],
            'text, compressed': ['--db-ps-mode=disable', '--mysql-compression=on']}
    with Server() as server:
        path = server.path('capture.pcap')
        for name, options in runs.items():
            if name == 'prepared':
                server.sysbench('prepare')
            before = server.counters()
            with service.Capture(path, server.port):
                server.sysbench('--threads=4', '--events=250', '--time=0', *options, 'run')
            records = service.records(WEIR, path, 'mysql')
            print(name, end=': ')
            differ(server.counters() - before, records)
            assert len(statements(records)) >= 5000
            bad = [r for r in records if r['completeness'] != 'complete' or 'response' in r['db'] and r.get('pairing') != 'exact']
            assert not bad, 'not all complete and exact: %s' % bad[:3]
            zlib = {service.get(r, 'mysql.compression') for r in records}
            assert zlib == ({'zlib'} if 'compressed' in name else {None}), zlib


def by_text(records, begin):
    found = [r for r in statements(records) if (service.get(r, 'db.query.text') or '').startswith(begin)]
    assert len(found) == 1, (begin, len(found))
    return found[0]


def check_kinds(records, compressed):
    """The records of kinds() against what a reader of its statements expects."""
    big, load = by_text(records, 'select length('), by_text(records, 'load data')
    assert service.get(big, 'db.query.size') == BIG + len("select length('')"), big
    assert service.get(big, 'db.response.returned_rows') == 1
    assert service.get(load, 'db.response.status') == 'ok', load
    assert service.get(load, 'db.response.affected_rows') == 3
    assert service.get(load, 'mysql.infile.bytes') == len(INFILE)
    wrong = by_text(records, 'select bogus')
    assert service.get(wrong, 'db.response.status_code') == '1054' and service.get(wrong, 'mysql.sqlstate') == '42S22', wrong
    row = by_text(records, 'select repeat')
    assert service.get(row, 'db.response.returned_rows') == 1
    assert compressed or service.get(row, 'db.response.size') > BIG, row
    many = by_text(records, 'select 1;')
    assert service.get(many, 'mysql.results') == 4 and service.get(many, 'db.response.returned_rows') == 4, many
    assert service.get(by_text(records, 'update x'), 'db.response.affected_rows') == 3
    assert all(r['completeness'] == 'complete' for r in records)


INFILE = 'a\tb\n1\t2\n3\t4\n'


def kinds():
    """Multi-statements, errors, LOCAL INFILE, packets beyond 16 MiB, both ways, plain and compressed."""
    with Server() as server:
        path = server.path('capture.pcap')
        with open(server.path('in.tsv'), 'w', encoding='ascii') as file:
            file.write(INFILE)
        sql = ("create table x (a text, b text);\nload data local infile '%s' into table x;\nselect bogus;\nupdate x set b = 'c';\n"
               "select length('%s');\nselect repeat('y', %d);\ndelimiter //\nselect 1; select 2 union select 3; do 4; select 5//\n"
               "delimiter ;\ndrop table x;\n" % (server.path('in.tsv'), 'z' * BIG, BIG))
        for option in ('--skip-compress', '--compress'):
            before = server.counters()
            with service.Capture(path, server.port):
                out = server.shell(sql, option)
            assert str(BIG).encode() in out and b'y' * BIG in out, 'the client did not get what it asked for'
            records = service.records(WEIR, path, 'mysql')
            check_kinds(records, option == '--compress')
            # a request of several statements is one record: four results, of which two are counted as its verb's
            counters = server.counters() - before
            results = sum(service.get(r, 'mysql.results') or 1 for r in statements(records))
            counted = sum(counters[name] for name in COUNTED)
            print('%s: server %d statements, weir %d results in %d records' % (option, counted, results, len(statements(records))))
            assert results == counted, counters


def result_sets_with_and_without_eof():
    """Clients that have agreed on DEPRECATE_EOF and those that have not: the same rows, of text and of prepared statements."""
    with Server() as server:
        path, want = server.path('capture.pcap'), collections.Counter()
        with service.Capture(path, server.port):
            for eof in (True, False):
                for compress in (True, False):
                    client = server.client(eof, compress)
                    for n in (0, 1, 2, 300):
                        text = 'select seq, %d from seq_1_to_300 where seq <= %d' % (len(want), n)
                        assert client.query(text) == [n]
                        number = client.prepare(text + ' + ?')
                        assert client.execute(number, 0) == [n]
                        want[text, n] += 1
                        want[text + ' + ?', n] += 1
                    client.close()
        records = statements(service.records(WEIR, path, 'mysql'))
        have = collections.Counter((service.get(r, 'db.query.text'), service.get(r, 'db.response.returned_rows')) for r in records)
        print('%d results with and without EOF' % len(records))
        assert have == want, have - want


def nothing_is_made_of_what_tls_hides():
    with Server() as server:
        path = server.path('capture.pcap')
        with service.Capture(path, server.port):
            server.shell('select 1; select 2;', '--ssl')
        assert service.records(WEIR, path, 'mysql') == []
        parsers = subprocess.run([WEIR, '-V'], stdout=subprocess.PIPE, check=True, text=True).stdout
        tls = service.records(WEIR, path, 'tls')
        print('TLS: no mysql record, %d of tls' % len(tls))
        assert len(tls) == 1 or not re.search(r'\btls\b', parsers), tls


def ask_for_rows(server, seed, n, prepared, **options):
    """A connection that asks n times for a number of rows and waits for each answer."""
    dice, client = random.Random(seed), server.client(**options)
    number = client.prepare('select seq, repeat("r", 20) from seq_1_to_1000 where seq <= ?') if prepared else None
    for _ in range(n):
        rows = dice.randint(0, 200)
        if prepared:
            assert client.execute(number, rows) == [rows]
        else:
            assert client.query('select seq, repeat("r", 20) from seq_1_to_1000 where seq <= %d' % rows) == [rows]
    client.close()
    return n


def wanted_rows(record):
    """The rows that the statement itself asks for, or None."""
    found = re.search(r'seq <= (\d+)$', service.get(record, 'db.query.text') or '')
    parameters = service.get(record, 'db.query.parameters')
    return int(found.group(1)) if found else int(parameters[0]) if parameters else None


def pairs_are_right_when_two_per_cent_are_lost():
    with Server() as server:
        path, lossy, sent = server.path('capture.pcap'), server.path('lossy.pcap'), 0
        with service.Capture(path, server.port):
            for seed in range(12):
                sent += ask_for_rows(server, seed, 250, seed % 2 == 0, eof=seed % 4 < 2, compress=seed % 3 == 0)
        whole = statements(service.records(WEIR, path, 'mysql'))
        assert len(whole) == sent, (len(whole), sent)
        assert all(wanted_rows(r) == service.get(r, 'db.response.returned_rows') for r in whole)
        for seed in range(5):
            lost = service.lossy(path, lossy, 0.02, seed)
            found = [r for r in statements(service.records(WEIR, lossy, 'mysql')) if r['completeness'] == 'complete']
            pairs = [(wanted_rows(r), service.get(r, 'db.response.returned_rows')) for r in found]
            wrong = [pair for pair in pairs if pair[0] is not None and pair[0] != pair[1]]
            print('%d packets of data lost: %d pairs of %d, %d mispaired' % (lost, len(pairs), sent, len(wrong)))
            assert not wrong, wrong[:5]
            assert len(pairs) > sent * 0.7, len(pairs)


sys.exit(service.main([counted_as_the_server_does, kinds, result_sets_with_and_without_eof, nothing_is_made_of_what_tls_hides,
                       pairs_are_right_when_two_per_cent_are_lost]))

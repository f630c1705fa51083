#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's PostgreSQL and pgbench: test_pgsql.py WEIR. What weir counts is what the server counted; pairs under loss."""
import glob
import os
import re
import subprocess
import sys

import service

WEIR = os.path.abspath(sys.argv[1])
FOLDERS = sorted(glob.glob('/usr/lib/postgresql/*/bin'))
if not FOLDERS or os.geteuid() != 0:
    print('no PostgreSQL, or not root')
    sys.exit(77)
BIN = FOLDERS[-1]
MODES = ('simple', 'extended', 'prepared')


class Server(service.Folder):
    """A server of our own, run by the user postgres; a context."""

    def __init__(self):
        super().__init__('weir-pgsql.')

    def start(self):
        self.certificate()
        self.give('postgres', 'key.pem', 'cert.pem')
        self.as_postgres('initdb', '-A', 'trust', '-D', self.path('data'))
        options = ('-p %d -k %s -h 127.0.0.1 -c fsync=off -c shared_preload_libraries=pg_stat_statements -c ssl=on -c ssl_cert_file=%s '
                   '-c ssl_key_file=%s' % (self.port, self.folder.name, self.path('cert.pem'), self.path('key.pem')))
        self.as_postgres('pg_ctl', '-w', '-D', self.path('data'), '-l', self.path('log'), '-o', options, 'start')
        self.environment = dict(os.environ, PGHOST='127.0.0.1', PGPORT=str(self.port), PGUSER='postgres', PGDATABASE='postgres',
                                PGSSLMODE='disable')
        self.sql('create extension pg_stat_statements')

    def __exit__(self, *_):
        self.as_postgres('pg_ctl', '-D', self.path('data'), '-m', 'immediate', 'stop')
        super().__exit__()

    def as_postgres(self, tool, *arguments):
        subprocess.run(['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', os.path.join(BIN, tool)] + list(arguments),
                       stdout=subprocess.DEVNULL, check=True, cwd=self.folder.name)

    def sql(self, statement):
        return subprocess.run([os.path.join(BIN, 'psql'), '-At', '-c', statement], env=self.environment, stdout=subprocess.PIPE,
                              check=True, text=True).stdout.strip()

    def pgbench(self, *arguments):
        subprocess.run([os.path.join(BIN, 'pgbench')] + list(arguments), env=self.environment, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True)


def statements(records):
    return [r for r in records if service.get(r, 'db.command') in ('QUERY', 'EXECUTE')]


def counted_as_the_server_does():
    with Server() as server:
        path = server.path('capture.pcap')
        server.pgbench('-i', '-q')
        server.sql('select pg_stat_statements_reset()')
        with service.Capture(path, server.port):
            for mode in MODES:
                # BEGIN and END of a plan that is kept are not counted by the server (its utility statements have no query id)
                builtin = 'select-only' if mode == 'prepared' else 'tpcb-like'
                server.pgbench('-M', mode, '-n', '-c', '4', '-t', '250', '-b', builtin)
        calls = int(server.sql("select sum(calls) from pg_stat_statements where query !~ 'pg_stat_statements'"))
        records = service.records(WEIR, path, 'pgsql')
    have = statements(records)
    print('statements: server %d, weir %d' % (calls, len(have)))
    assert calls >= 15000, calls
    assert len(have) == calls
    assert all(r['completeness'] == 'complete' and r['pairing'] == 'exact' for r in have), 'not all complete and exact'


def wanted_rows(record):
    """The rows that the statement itself asks for, or None."""
    text = service.get(record, 'db.query.text') or ''
    found = re.search(r'generate_series\(1, (\d+)\)', text)
    if found:
        return int(found.group(1))
    parameters = service.get(record, 'db.query.parameters')
    return int(parameters[0]) if parameters and 'generate_series' in text else None


def what_tls_hides_is_told_as_tls():
    """After SSLRequest and the server's S; and where the server says N, the session goes on as it is."""
    with Server() as server:
        path = server.path('capture.pcap')
        with service.Capture(path, server.port):
            server.environment['PGSSLMODE'] = 'require'
            assert server.sql('select 1') == '1'
        assert service.records(WEIR, path, 'pgsql') == []
        tls = service.records(WEIR, path, 'tls')
        print('TLS: no pgsql record, %d of tls, version %s' % (len(tls), [service.get(r, 'tls.version') for r in tls]))
        assert len(tls) == 1, tls


def pairs_are_right_when_two_per_cent_are_lost():
    with Server() as server:
        path, lossy = server.path('capture.pcap'), server.path('lossy.pcap')
        with open(server.path('rows.sql'), 'w', encoding='utf-8') as script:
            script.write('\\set n random(1, 1000)\nselect * from generate_series(1, :n) as g\n')
        os.chmod(server.folder.name, 0o755)
        with service.Capture(path, server.port):
            for mode in MODES:
                server.pgbench('-M', mode, '-n', '-c', '2', '-t', '400', '-f', server.path('rows.sql'))
        for seed in range(3):
            lost = service.lossy(path, lossy, 0.02, seed)
            pairs = [(wanted_rows(r), service.get(r, 'db.response.returned_rows')) for r in statements(
                service.records(WEIR, lossy, 'pgsql')) if r['completeness'] == 'complete']
            wrong = [pair for pair in pairs if pair[0] is not None and pair[0] != pair[1]]
            print('%d packets of data lost: %d pairs of 2400, %d mispaired' % (lost, len(pairs), len(wrong)))
            assert not wrong, wrong[:5]
            assert len(pairs) > 2400 * 0.7, len(pairs)


sys.exit(service.main([counted_as_the_server_does, what_tls_hides_is_told_as_tls, pairs_are_right_when_two_per_cent_are_lost]))

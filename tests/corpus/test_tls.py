#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS handshakes against tshark's, openssl's and the peers' words: test_tls.py WEIR

tls_tshark.tsv (make_tls_expected.py makes it) has a row a connection: each of its values must be in weir's record of that connection.
Of corpus/expected/peer_expectations.tsv the kinds `tls` and `tls_count`, over TCP: Zeek's ssl.log, Arkime's sessions, Suricata's events.
"""
import collections
import ipaddress
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import corpus  # noqa: E402

# Rows that differ, with a heading of docs/differences.md.
KNOWN = {
    ('suricata-verify/tests__bug-1450-05__tls_DER-incomplete-content.pcap', '127.0.0.1 50802', 0): 'A certificate that says less',
}

# What the peers do with a handshake beyond what it says: they verify certificates, write their own histories of it.
IGNORED = {'validation_status', 'sni_matches_cert', 'ssl_history', 'event', 'src', 'dst', 'sport', 'dport', 'suri:tls.ja3.string'}
ARKIME_IGNORED = {'ja3string', 'ja3sstring', 'ja4_r', 'srcSessionId', 'dstSessionId'}  # ja3, ja3s and ja4 are made of them
EMPTY = '(empty)'


def tls_of(weir, file):
    return [r for r in corpus.records_of(corpus.run(weir, '-q', '-j', 1, '-r', corpus.shared('corpus', file), '--json'))
            if r['type'] == 'tls']


def ends_of(record):
    return tuple((record[side]['address'], record[side]['port']) for side in ('client', 'server'))


def end(text):
    address, port = text.split(' ')
    return (str(ipaddress.ip_address(address)), int(port))


def differences(want, record):
    bad = []
    for name, value in want.items():
        have = corpus.dig(record, name)
        if have != value:
            bad.append('%s: want %s, have %s' % (name, str(value)[:120], str(have)[:120]))
    return '; '.join(bad)


def against_tshark(weir, item):
    file, rows = item
    have = collections.defaultdict(list)
    for record in tls_of(weir, file):
        have[ends_of(record)].append(record)
    answers = []
    for i, row in enumerate(rows):
        ends = (end(row['client']), end(row['server']))
        records = have[ends] or have[ends[::-1]]
        problem = differences(json.loads(row['values']), records.pop(0)) if records else 'no record'
        answers.append(((corpus.short(file), row['client'], i), problem))
    return answers


ARKIME_VERSIONS = {'SSLv3': '3.0', 'TLSv1': '1.0', 'TLSv1.1': '1.1', 'TLSv1.2': '1.2', 'TLSv1.3': '1.3'}


def zeek_value(name, log):
    """What weir's own ssl.log (json format=zeek) says under Zeek's name, as Zeek's tests print it."""
    value = log.get(name)
    if isinstance(value, bool):
        return 'T' if value else 'F'
    if name.endswith('_chain_fps'):
        return ','.join(value or [EMPTY])
    return value


def arkime_value(name, record):
    if name.endswith('Cnt'):
        return 1
    version = {ours: theirs for theirs, ours in ARKIME_VERSIONS.items()}.get(corpus.dig(record, 'tls.version'))
    return {'cipher': [corpus.dig(record, 'tls.cipher')], 'version': [version], 'ja3': [corpus.dig(record, 'tls.client.ja3')],
            'ja3s': [corpus.dig(record, 'tls.server.ja3s')], 'ja4': [corpus.dig(record, 'tls.client.ja4')]}.get(name, 'unmapped')


def of_connection(fields, records, logs):
    found = [r for r in records if all(name not in fields or str(corpus.dig(r, of)) == str(fields[name]) for name, of in
             (('src', 'client.address'), ('sport', 'client.port'), ('dst', 'server.address'), ('dport', 'server.port')))]
    if not found:
        return 'no record'
    bad = []
    for name, want in fields.items():
        if name == 'tls':
            bad += ['%s: want %s, have %s' % (key, value, arkime_value(key, found[0])) for key, value in want.items()
                    if key not in ARKIME_IGNORED and arkime_value(key, found[0]) != value]
        elif name not in IGNORED and zeek_value(name, logs[found[0]['flow_id']]) != want:
            bad.append('%s: want %s, have %s' % (name, want[:100], str(zeek_value(name, logs[found[0]['flow_id']]))[:100]))
    return '; '.join(bad)


def suricata_version(record):
    version = corpus.dig(record, 'tls.version')
    return 'UNDETERMINED' if version is None else 'SSLv3' if version == '3.0' else 'TLS ' + version


def counted(fields, count, records):
    getters = {'suri:tls.sni': lambda r: corpus.dig(r, 'tls.client.server_name'), 'suri:tls.version': suricata_version,
               'suri:tls.ja3.hash': lambda r: corpus.dig(r, 'tls.client.ja3')}
    unmapped = set(fields) - set(getters) - IGNORED
    have = sum(all(get(r) == fields[name] for name, get in getters.items() if name in fields) for r in records)
    return 'unmapped: %s' % sorted(unmapped) if unmapped else '' if have == count else 'count: want %d, have %d' % (count, have)


def against_peers(weir, item):
    file, rows = item
    records = tls_of(weir, file)
    run = corpus.run(weir, '-q', '-j', 1, '-r', corpus.shared('corpus', file), '-o', 'json:-,format=zeek')
    logs = {log['uid']: log for log in corpus.records_of(run) if log['_path'] == 'ssl'}
    answers = []
    for row in rows:
        fields = json.loads(row['fields'])
        problem = of_connection(fields, records, logs) if row['kind'] == 'tls' else counted(fields, int(row['count']), records)
        answers.append(((corpus.short(file), row['case'], len(answers)), problem))
    return answers


def main():
    weir = sys.argv[1]
    tally, equal = corpus.Tally(KNOWN), 0
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'tls_tshark.tsv')
    with open(path, encoding='utf-8') as file:
        lines = [line.rstrip('\n').split('\t') for line in file]
    table = [dict(zip(lines[0], line)) for line in lines[1:]]
    for answers in corpus.each(lambda item: against_tshark(weir, item), list(corpus.by_file(table).items())):
        for name, problem in answers:
            equal += not problem
            tally.row(name, problem)
    print('connections: %d of %d as tshark and openssl say' % (equal, len(table)))
    peers = [row for row in corpus.rows('corpus', 'expected', 'peer_expectations.tsv')
             if row['kind'] in ('tls', 'tls_count') and '__quic__' not in row['file'] and '[ips]' not in row['config']]
    equal = 0
    for answers in corpus.each(lambda item: against_peers(weir, item), list(corpus.by_file(peers).items())):
        for name, problem in answers:
            equal += not problem
            tally.row(name, problem)
    print('peers: %d of %d rows hold' % (equal, len(peers)))
    return tally.finish()


if __name__ == '__main__':
    sys.exit(main())

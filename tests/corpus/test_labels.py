#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which protocol a flow has, against what the peers say: test_labels.py [-v] WEIR

A flow's label is the types of its records among LABELS. Peers: tshark, by stream (labels_tshark.tsv, made by make_labels_expected.py), and
what Zeek, Arkime, Suricata and others expect of flows with their ends or of captures (peer_expectations.tsv). A
label that no peer gives to the flow is wrong: there may be none. A flow that peers label and weir does not is an unknown: they are counted
(-v prints them all), and each must be in UNKNOWN with its reason; of TLS when weir has a parser for it. Exit 77 without the corpus.
"""
import collections
import csv
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import corpus  # noqa: E402

LABELS = {'http', 'mysql', 'redis', 'pgsql', 'tls', 'dns'}
# What peers call them; anything else is another protocol.
NAMES = {'http2': 'http', 'websocket': 'http', 'resp': 'redis', 'ssl': 'tls', 'postgresql': 'pgsql'}
# Words that say nothing about what TCP carries.
NOTHING = {'data', 'tcp', 'mptcp', ''}
LOGIN = 'a login and nothing else: no transaction, so no record'
MIDDLE = 'the middle of one record and no beginning of another: tshark goes by the port, or by the rest of the flow'
# Flows that peers label and weir does not: capture, first packet.
UNKNOWN = {
    'suricata-verify/tests__bug-3286-02-linux-evasion__with_evasion_linux.pcap 1':
        'a RST and a FIN before the SYN/ACK: two flows for weir (packets 1 to 4 carry nothing), one for tshark; that from packet 5 on is HTTP',
    'beats/packetbeat__tests__system__pcaps__pgsql_rt.pcap 1': LOGIN,
    'PcapPlusPlus/Tests__Packet++Test__PacketExamples__postgres.pcapng 1': LOGIN,
    'PcapPlusPlus/Tests__Packet++Test__PacketExamples__mysql.pcapng 1': 'a login, and definitions of columns without the query and their number',
    'PcapPlusPlus/Tests__Pcap++Test__PcapExamples__one_tcp_stream_fin_rst_close_packet.pcap 1': "a PROXY protocol line before MySQL's login",
    'arkime/tests__pcap__http2-nghttp2.pcap 1': 'HTTP/2, which weir does not read yet',
    'http-more-files-names/testing__pcaps__http-etag-and-filename.pcap 1': 'events within a response whose head was not captured: tshark goes by port 80',
    'http-more-files-names/testing__pcaps__http-filename-and-etag.pcap 1': 'events within a response whose head was not captured: tshark goes by port 80',
    'PcapPlusPlus/Tests__Fuzzers__RegressionTests__regression_samples__clusterfuzz-testcase-minimized-FuzzTarget-4829420752470016 1':
        'one packet of no known content: tshark goes by port 80',
    'PcapPlusPlus/Tests__Fuzzers__RegressionTests__regression_samples__clusterfuzz-testcase-minimized-FuzzTarget-5755755617189888 1':
        'one packet: PUT and control characters, which is no request line',
    'tcpdump/tests__babel_update_oobr.pcap 5': 'random bytes: tshark goes by port 6379',
    'tcpdump/tests__babel_update_oobr.pcap 6': 'random bytes: tshark goes by port 6379',
    'zeek/testing__btest__Traces__postgresql__bad-backend-message-1.pcap 1': LOGIN,
    'suricata-verify/tests__tcp-fastopen-10-syn-data-ignore__input.pcap 52': 'a SYN/ACK that comes again after the end: no byte',
    'beats/packetbeat__tests__system__pcaps__mongo_one_row.pcap 1': 'MongoDB on port 27017, which tshark takes for TLS',
    'beats/packetbeat__tests__system__pcaps__mongodb_find.pcap 1': 'MongoDB on port 27017, which tshark takes for TLS',
    'brimcap/cmd__brimcap__ztests__in.pcap 4': MIDDLE,
    'brimcap/cmd__brimcap__ztests__ng.pcap 4': MIDDLE,
    'deepflow/agent__resources__test__common__decapsulate_erspan1.pcap 862': MIDDLE,
    'PcapPlusPlus/Tests__Fuzzers__RegressionTests__regression_samples__clusterfuzz-testcase-minimized-FuzzTarget-5165538295939072 1':
        'random bytes: tshark goes by port 5061',
    'PcapPlusPlus/Tests__Fuzzers__RegressionTests__regression_samples__clusterfuzz-testcase-minimized-FuzzTarget-5700358767902720 1':
        'a ClientHello of version 0x2020 that is shorter than its beginning',
}


def label(name):
    return NAMES.get(name, name)


class Claims:
    """What peers say: {(file, {end, end}): [(peer, first frame, last frame, {labels})]}"""

    def __init__(self):
        self.of = collections.defaultdict(list)
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'labels_tshark.tsv'), encoding='utf-8', newline='') as file:
            for row in csv.DictReader(file, delimiter='\t'):
                words = {label(word.split('=')[0]) for word in row['protocols'].split() if not word.split('=')[0].endswith('!')} - NOTHING
                self.add('tshark', row['file'], row['a'].split(' '), row['b'].split(' '), words, int(row['first']), int(row['last']))
        self.capture = collections.defaultdict(set)
        for row in corpus.rows('corpus', 'expected', 'peer_expectations.tsv'):
            fields = json.loads(row['fields'])
            self.capture[row['file']] |= words_of_capture(row['kind'], fields)
            if row['tshark_confirms'] != 'no' and {'src', 'sport', 'dst', 'dport'} <= set(fields):
                self.add(row['kind'], row['file'], (fields['src'], str(fields['sport'])), (fields['dst'], str(fields['dport'])),
                         words_of(row['kind'], fields))

    def add(self, peer, file, a, b, words, first=0, last=1 << 62):
        if words:
            self.of[file, frozenset((tuple(a), tuple(b)))].append((peer, first, last, words))

    def about(self, file, record):
        ends = frozenset((record[side]['address'], str(record[side]['port'])) for side in ('client', 'server'))
        packets = record['packet']
        return [(peer, words) for peer, first, last, words in self.of.get((file, ends), ())
                if first <= packets['last'] and last >= packets['first']]


def words_of(kind, fields):
    """The labels that a peer's row gives to its flow; only rows about TCP."""
    if kind == 'conn' and (str(fields.get('ip_proto', '')) == '6' or fields.get('proto') == 'tcp'):
        return {label(word) for word in fields.get('service', '').split(',')} - NOTHING
    if kind == 'session' and fields.get('ipproto') == 6:
        return {label(word) for word in fields['protocols']} - NOTHING
    if kind == 'db_tx':
        return {label(fields['proto'])}
    if kind in ('http_tx', 'tls'):
        return {kind[:4].rstrip('_')}
    return set()


def words_of_capture(kind, fields):
    """The labels that a row gives to its capture, not to a flow: they can only say that a label is right."""
    if kind == 'db_msg':
        return {'redis' if fields.get('type') == 'RedisInfo' else 'mysql'}
    if kind == 'packetbeat_assert' and fields['field'] == 'type':
        return {label(str(fields['equals']))} & LABELS
    return set()


def answers(weir, file):
    """[(tcp record, its labels)] of a capture."""
    result = corpus.run(weir, '-r', corpus.shared('corpus', file), '-j', 1, '-k', 'none', '--json')
    types, flows = collections.defaultdict(set), []
    for record in corpus.records_of(result):
        types[record.get('flow_id')].add(label(record['type']))
        if record['type'] == 'tcp':
            flows.append(record)
    return [(record, types[record['flow_id']] & LABELS) for record in flows]


def main():
    verbose = '-v' in sys.argv
    weir = [word for word in sys.argv[1:] if not word.startswith('-')][0]
    parsers = subprocess.run([weir, '-V'], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    told = LABELS & {label(word.strip(',')) for word in parsers} | {'http'}
    claims, tally = Claims(), corpus.Tally(UNKNOWN)
    files = sorted({file for file, _ in claims.of})
    right, unknown, alone = collections.Counter(), collections.Counter(), collections.Counter()
    for file, flows in zip(files, corpus.each(lambda file: answers(weir, file), files)):
        for record, have in flows:
            said = claims.about(file, record)
            want = set().union(*(words for _, words in said)) if said else set()
            if not have and not want & LABELS:
                continue
            name = '%s %d' % (corpus.short(file), record['packet']['first'])
            if have and not want:
                alone[' '.join(sorted(have))] += 1
                if verbose:
                    print('no peer says anything of: %s: %s' % (name, ' '.join(sorted(have))))
            elif have - want - claims.capture[file]:
                tally.row(name, 'labelled %s, peers say %s' % (sorted(have), sorted((peer, sorted(words)) for peer, words in said)))
            elif not have:
                missing = want & LABELS
                unknown[' '.join(sorted(missing))] += 1
                if verbose:
                    print('unknown: %s: %s' % (name, ' '.join(sorted(missing))))
                tally.row(name, 'unknown, peers say %s' % sorted(missing) if missing <= told else None)
            else:
                right[' '.join(sorted(have))] += 1
                tally.row(name, None)
    print('labelled as by peers: %d flows, %s' % (sum(right.values()), dict(sorted(right.items()))))
    print('unknown: %d flows, %s' % (sum(unknown.values()), dict(sorted(unknown.items()))))
    print('of which peers say nothing: %d flows, %s' % (sum(alone.values()), dict(sorted(alone.items()))))
    return tally.finish()


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scenarios: run.py WEIR [FILE.flow...]

Each *.flow beside this script is a conversation (tests/lib/flow2pcap.py) that ends with what weir must make of it:

    expect C "abc" gap 2 acked "fg"     the stream of C's bytes: text, and gaps by length and cause
    expect 1 C "..."                    of the second flow of the tuple (0, the first, is the default)
    expect S nothing                    no byte and no gap is told of S
    expect client S                     who weir takes for the client
    expect flows 2                      so many flows
    expect tcp state closed             a field of the flow's tcp record; c2s. and s2c. are by weir's idea of the client
    expect tcp c2s.duplicate 3          (expect 1 tcp ... for the second flow)
    expect record duration_ns 0         a field of that record that is not below tcp.
    expect anomaly tcp.overlap_conflict              maybe with: kept "abc" evidence "xyz" offset 3 direction c2s packet 7
    expect named 0 tcp.overlap_conflict              the first http record names it (a - for none); the tcp record: named tcp
    expect transaction 0 completeness gap            a field of the first http record
    expect summary tcp.gaps.count 1                  a figure of the run's summary (or >1)
    expect no anomaly
    expect http 2                       so many http records
    expect rejected paws 10             bytes, in the run's summary
    run -k all                          more arguments for weir

Each is run as it is, with two workers and batches of one packet, and with every flow parked after each packet.
Always: exit 0, no sanitizer report, each ledger balances (bytes = delivered + duplicate + overlap + rejected), and without
output the summary's figures are the same.
"""
import glob
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import corpus  # noqa: E402
import flow2pcap  # noqa: E402

# What does not hold yet: scenario -> why. A listed one that holds fails the run.
KNOWN = {}
WAYS = ((), ('-j', '2', '--batch', '1'), ('--set', 'limit.flows-at-hand=0'))
ENDPOINT = {side: {'10.0.0.%d' % n, '2001:db8::%d' % n, '2001.db8..%d' % n, '2001:0:0:1::%d' % n, '2001.0.0.1..%d' % n}
            for side, n in (('C', 1), ('S', 2))}


def side_of(address):
    for side, addresses in ENDPOINT.items():
        if address in addresses:
            return side
    return None


class Result:
    """What weir told of one capture."""

    def __init__(self, weir, conversation, folder, way):
        pcap, out, records = (os.path.join(folder, name) for name in ('in.pcap', 'streams', 'records.json'))
        with open(pcap, 'wb') as file:
            file.write(conversation.pcap())
        arguments = [a for line in conversation.expectations if line[0] == 'run' for a in line[1:]]
        self.run = corpus.run(weir, '--summary=json', '-r', pcap, '-o', 'streams:' + out, '-o', 'json:' + records,
                              *arguments, *way)
        self.summary = corpus.summary_of(self.run)
        # flows that have ended wait in another way where nobody reads tcp records: the figures are the same
        self.unread = corpus.summary_of(corpus.run(weir, '--summary=json', '-r', pcap, '-o', 'none', *arguments, *way))
        self.records = []
        if os.path.exists(records):
            with open(records, encoding='utf-8') as file:
                self.records = [json.loads(line) for line in file]
        flows = [record for record in self.records if record['type'] == 'tcp']
        self.flows = sorted(flows, key=lambda record: record['packet']['first'])
        self.streams = {}
        index = os.path.join(out, 'index.jsonl')
        if os.path.exists(index):
            with open(index, encoding='utf-8') as file:
                for line in file:
                    self.take_stream(out, json.loads(line))

    def take_stream(self, out, entry):
        names, direction = entry['file'].rsplit('.', 1)
        client = side_of(names.split('_')[0])
        sender = client if direction == 'c2s' else flow2pcap.PEER[client]
        flow = [record['flow_id'] for record in self.flows].index(entry['flow_id'])
        with open(os.path.join(out, entry['file']), 'rb') as file:
            self.streams[flow, sender] = (file.read(), entry['gaps'])

    def pieces(self, flow, side):
        """A stream as an expect line gives it: bytes, and (length, cause) for gaps."""
        octets, gaps = self.streams.get((flow, side), (b'', []))
        pieces, at, taken = [], 0, 0
        for gap in gaps:
            have = gap['offset'] - at
            if have > 0:
                pieces.append(octets[taken:taken + have])
                taken += have
            pieces.append((gap['length'], gap['cause']))
            at = gap['offset'] + gap['length']
        if taken < len(octets):
            pieces.append(octets[taken:])
        return pieces


def pieces_of(tokens):
    pieces, at = [], 0
    while at < len(tokens):
        if tokens[at] == 'gap':
            pieces.append((int(tokens[at + 1]), tokens[at + 2]))
            at += 3
        elif tokens[at] == 'nothing':
            at += 1
        else:
            octets = flow2pcap.bytes_of(tokens[at])
            if pieces and isinstance(pieces[-1], bytes):
                octets = pieces.pop() + octets
            pieces.append(octets)
            at += 1
    return pieces


def shown(pieces):
    return ' '.join('gap %d %s' % p if isinstance(p, tuple) else repr(p[:60])[1:] for p in pieces) or 'nothing'


def field(record, path):
    value = record
    for name in path.split('.'):
        if isinstance(value, list) and name.isdigit():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def check_named(result, tokens):
    """named WHICH CODE: what a record names of TCP and IP; `-`: nothing."""
    if tokens[0] == 'tcp':
        records = result.flows
    else:
        records = [record for record in sorted(result.records, key=lambda r: r['ts']) if record['type'] == 'http']
        records = records[int(tokens[0]):]
    if not records:
        return 'no such record'
    named = [code for code in records[0].get('anomalies', []) if code.split('.')[0] in ('tcp', 'ip')]
    return None if named == [code for code in tokens[1:] if code != '-'] else 'it names %s' % named


def check_line(result, tokens):
    """What is wrong with one expect line, or None."""
    flow = 0
    if tokens[0].isdigit():
        flow, tokens = int(tokens[0]), tokens[1:]
    what, rest = tokens[0], tokens[1:]
    if what in ('C', 'S'):
        have, want = result.pieces(flow, what), pieces_of(rest)
        return None if have == want else '%s is %s' % (what, shown(have))
    if what == 'flows':
        return None if len(result.flows) == int(rest[0]) else '%d flows' % len(result.flows)
    if what == 'http':
        have = sum(record['type'] == 'http' for record in result.records)
        return None if have == int(rest[0]) else '%d http records' % have
    codes = sorted({record['anomaly']['code'] for record in result.records if record['type'] == 'anomaly'})
    if what == 'anomaly':
        details = {rest[i]: flow2pcap.bytes_of(rest[i + 1]).decode() if rest[i + 1][0] == '"' else rest[i + 1]
                   for i in range(1, len(rest), 2)}
        found = [record['anomaly'] for record in result.records
                 if record['type'] == 'anomaly' and record['anomaly']['code'] == rest[0]]
        if any(all(str(anomaly.get(name)) == want for name, want in details.items()) for anomaly in found):
            return None
        return 'anomalies %s' % (found or codes)
    if what == 'transaction':
        records = [record for record in sorted(result.records, key=lambda r: r['ts']) if record['type'] == 'http']
        have = field(records[int(rest[0])], rest[1]) if int(rest[0]) < len(records) else 'not there'
        return None if str(have) == rest[2] else '%s is %s' % (rest[1], have)
    if what == 'named':
        return check_named(result, rest)
    if what == 'summary':
        have = field(result.summary, rest[0])
        if rest[1][0] == '>':
            return None if have is not None and have > int(rest[1][1:]) else '%s is %s' % (rest[0], have)
        return None if str(have) == rest[1] else '%s is %s' % (rest[0], have)
    if what == 'no':
        return 'anomalies %s' % codes if codes else None
    if what == 'rejected':
        have = field(result.summary, 'tcp.payload.rejected.' + rest[0])
        return None if have == int(rest[1]) else 'rejected %s' % field(result.summary, 'tcp.payload.rejected')
    if flow >= len(result.flows):
        return '%d flows' % len(result.flows)
    if what == 'client':
        have = side_of(result.flows[flow]['client']['address'])
        return None if have == rest[0] else 'the client is %s' % have
    if what == 'record':
        have = field(result.flows[flow], rest[0])
        return None if str(have) == rest[1] else '%s is %s' % (rest[0], have)
    if what == 'tcp':
        have = field(result.flows[flow]['tcp'], rest[0])
        return None if str(have) == ' '.join(rest[1:]) else '%s is %s' % (rest[0], have)
    return 'not understood'


def check_ledgers(result):
    for record in result.flows:
        for name in ('c2s', 's2c'):
            side = record['tcp'].get(name, {})
            parts = sum(side.get(part, 0) for part in ('delivered', 'duplicate', 'overlap', 'rejected'))
            if side.get('bytes', 0) != parts:
                yield 'the ledger of %s does not balance: %s' % (name, side)
    for part in ('ip', 'tcp', 'records', 'drops'):
        if field(result.summary, part) != field(result.unread, part):
            yield 'without output %s are %s' % (part, field(result.unread, part))
    total = field(result.summary, 'tcp.payload')
    if total is None:
        yield 'no summary'
    elif total['captured'] != (total['delivered'] + total['duplicate'] + total['overlap'] + total['pending'] +
                               sum(total['rejected'].values())) or total['pending'] != 0:
        yield 'the ledger of the run does not balance: %s' % total


def problems_of(weir, path, way):
    """What is wrong with a scenario: a list."""
    conversation = flow2pcap.load(path)
    with tempfile.TemporaryDirectory() as folder:
        result = Result(weir, conversation, folder, way)
        if result.run.status != 0 or corpus.SANITIZER.search(result.run.err):
            return ['status %s: %s' % (result.run.status, result.run.err[:400])]
        problems = list(check_ledgers(result))
        expectations = [line for line in conversation.expectations if line[0] == 'expect']
        if not expectations:
            problems.append('it expects nothing')
        for line in expectations:
            problem = check_line(result, line[1:])
            if problem is not None:
                problems.append('%s: but %s' % (' '.join(line)[:160], problem))
        return problems


def main():
    weir = sys.argv[1]
    paths = sys.argv[2:] or sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), '*.flow')))
    tally = corpus.Tally({' '.join((name,) + way): reason for name, reason in KNOWN.items() for way in WAYS})
    for path in paths:
        name = os.path.basename(path)[:-len('.flow')]
        for way in WAYS:
            try:
                problems = problems_of(weir, path, way)
            except flow2pcap.FlowError as error:
                problems = [str(error)]
            tally.row(' '.join((name,) + way), '; '.join(problems) if problems else None)
    return tally.finish()


if __name__ == '__main__':
    sys.exit(main())

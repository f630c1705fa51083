#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What may not change what weir tells: test_metamorphic.py WEIR [SEED]

Random HTTP conversations, all in one capture, with and without loss. Changed in a way that does not matter to the endpoints (other sequence
numbers, segments split or joined, packets twice, neighbours swapped, the ends' addresses exchanged, other hosts' traffic between), the
bytes of each stream, its gaps with their causes, and the transactions must stay the same. Run in other ways (batches, workers, the
capture in two files), the output must stay the same to the byte.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))
import packets  # noqa: E402
from packets import ACK, FIN, PSH, SYN  # noqa: E402

FLOWS, LOSSY = 120, 60
MS = 10**6
RECORD = ('completeness', 'missing_bytes', 'anomalies')
WAYS = (('-j', '1', '--batch', '1'), ('-j', '1', '--batch', '7'), ('-j', '1', '--batch', '32'), ('-j', '2'), ('-j', '3'), ('-j', '8'),
        ('--set', 'limit.flows-at-hand=0'))


class Segment:
    """One packet: offsets are of the streams, -1 is the SYN's."""

    def __init__(self, flow, side, at, acked, flags, data=b''):
        self.flow, self.side, self.at, self.acked, self.flags, self.data = flow, side, at, acked, flags, data


def conversation(flow, dice):
    """Segments of one flow: a handshake, exchanges, the end. Every segment with data is acknowledged."""
    out, sent = [Segment(flow, 0, -1, 0, SYN), Segment(flow, 1, -1, 0, SYN | ACK), Segment(flow, 0, 0, 0, ACK)], [0, 0]

    def say(side, octets):
        while octets:
            size = dice.choice((len(octets), dice.randint(1, 40), dice.randint(100, 1400)))
            piece, octets = octets[:size], octets[size:]
            out.append(Segment(flow, side, sent[side], sent[1 - side], PSH | ACK, piece))
            sent[side] += len(piece)
        out.append(Segment(flow, 1 - side, sent[1 - side], sent[side], ACK))

    for n in range(dice.randint(2, 6)):
        body = bytes(dice.randrange(32, 127) for _ in range(dice.choice((0, 5, 300, 4000))))
        say(0, b'POST /%d/%d HTTP/1.1\r\nHost: shop.test\r\nContent-Length: %d\r\n\r\n' % (flow, n, len(body)) + body)
        body = bytes(dice.randrange(32, 127) for _ in range(dice.choice((0, 2, 900, 9000))))
        say(1, b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
    out.append(Segment(flow, 0, sent[0], sent[1], FIN | ACK))
    out.append(Segment(flow, 1, sent[1], sent[0] + 1, FIN | ACK))
    out.append(Segment(flow, 0, sent[0] + 1, sent[1] + 1, ACK))
    return out


def base(dice):
    """[(time, segment)] of all flows, interleaved; in the flows from LOSSY on, packets with data are lost."""
    timed = []
    for flow in range(FLOWS):
        now = dice.randrange(100) * MS
        for segment in conversation(flow, dice):
            now += dice.choice((1, 1, 1, 30)) * MS
            if flow < LOSSY or not segment.data or dice.randrange(12):
                timed.append((now, segment))
    timed.sort(key=lambda pair: pair[0])  # stable: a flow's own order stays
    return timed


def same(segment, **changes):
    fields = dict(vars(segment), **changes)
    return Segment(*(fields[name] for name in ('flow', 'side', 'at', 'acked', 'flags', 'data')))


def split(timed, dice):
    """Segments in pieces."""
    for now, segment in timed:
        data, at = segment.data, segment.at
        while len(data) > 1 and dice.randrange(3):
            cut = dice.randrange(1, len(data))
            yield now, same(segment, at=at, data=data[:cut])
            at, data = at + cut, data[cut:]
        yield now, same(segment, at=at, data=data)


def joined(timed, dice):
    """A segment and the next one of its flow, when they touch and nothing was acknowledged between: one."""
    waiting = {}
    out = []
    for now, segment in timed:
        before = waiting.pop(segment.flow, None)
        if before is not None and segment.data and before.side == segment.side and before.acked == segment.acked and \
                before.at + len(before.data) == segment.at and len(before.data) + len(segment.data) < 60000:
            before.data += segment.data
            waiting[segment.flow] = before
            continue
        copy = same(segment)
        out.append((now, copy))
        if copy.data:
            waiting[segment.flow] = copy
    return out


def twice(timed, dice):
    for now, segment in timed:
        yield now, segment
        yield now, segment


def swapped(timed, dice):
    """Neighbours of a flow with data in one direction, exchanged within the time they came in."""
    out = list(timed)
    at = 0
    while at + 1 < len(out):
        (now, a), (later, b) = out[at], out[at + 1]
        if a.flow == b.flow and a.side == b.side and a.data and b.data and not dice.randrange(2):
            out[at], out[at + 1] = (now, b), (later, a)
            at += 1
        at += 1
    return out


def between(timed, dice):
    """Other hosts' packets in between: the same conversations on other ports, alone."""
    for now, segment in timed:
        yield now, segment
        if not dice.randrange(4):
            yield now, Segment(1000 + segment.flow, 0, 0, 0, SYN)


class Plan:
    """How segments become packets."""

    def __init__(self, isn=None, mirror=False):
        self.isn = isn or (lambda flow, side: 1000 + 4000 * side + flow)
        self.mirror = mirror

    def ends(self, flow):
        client, server = ('10.0.%d.%d' % (flow // 250, flow % 250 + 1), 40000 + flow), ('10.99.0.1', 80)
        if self.mirror:
            return (server[0], client[1]), (client[0], server[1])
        return client, server

    def frame(self, segment):
        ends, side = self.ends(segment.flow), segment.side
        seq = self.isn(segment.flow, side) + 1 + segment.at
        ack = self.isn(segment.flow, 1 - side) + 1 + segment.acked if segment.flags & ACK else 0
        return packets.tcp_packet(ends[side], ends[1 - side], seq, ack, segment.flags, segment.data)


def write(path, timed, plan):
    pcap = packets.Pcap(path)
    start = pcap.now_ns
    for now, segment in timed:
        pcap.now_ns = start + now
        pcap.packet(plan.frame(segment), 0)
    pcap.close()


def run(weir, folder, *arguments):
    done = subprocess.run([weir, '-q', '-o', 'json:' + os.path.join(folder, 'records.json'), '-o', 'streams:' + folder] +
                          list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240)
    if done.returncode != 0:
        sys.exit('%s: status %d: %s' % (arguments, done.returncode, done.stderr[-2000:].decode()))


def told(folder):
    """{flow: (streams with gaps, transactions)}; a flow by its client's port, whichever address that is."""
    flows = {}
    with open(os.path.join(folder, 'records.json'), encoding='utf-8') as file:
        records = [json.loads(line) for line in file]
    for record in records:
        if record['type'] != 'http':
            continue
        http, entry = record['http'], flows.setdefault(record['client']['port'], ({}, []))
        entry[1].append((http.get('request', {}).get('target'), http.get('response', {}).get('status_code'),
                         http.get('request', {}).get('body'), http.get('response', {}).get('body')) +
                        tuple(str(record.get(name)) for name in RECORD))
    with open(os.path.join(folder, 'index.jsonl'), encoding='utf-8') as file:
        for line in file:
            entry = json.loads(line)
            port = int(entry['file'].split('-')[0].rsplit('_', 1)[1])
            flows.setdefault(port, ({}, []))[0][entry['direction']] = (entry['bytes'], entry['sha256'], str(entry['gaps']))
    return {port: (streams, sorted(transactions, key=str)) for port, (streams, transactions) in flows.items() if port < 41000}


def whole(folder):
    """Everything that was written, as bytes."""
    out = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), 'rb') as file:
            out[name] = file.read()
    return out


def changed(weir, work, name, timed, plan):
    """What weir tells of a changed capture."""
    folder, path = os.path.join(work, name), os.path.join(work, name + '.pcap')
    os.mkdir(folder)
    write(path, timed, plan)
    run(weir, folder, '-j', '1', '-r', path)
    return told(folder)


def differs(want, have, lossless):
    ports = [port for port in sorted(set(want) | set(have)) if port < 40000 + LOSSY or not lossless]
    for port in ports:
        if want.get(port) != have.get(port):
            return 'port %d: %.700s\nbut: %.700s' % (port, want.get(port), have.get(port))
    return None


def main():
    weir, dice = sys.argv[1], random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 7)
    passed = failed = 0

    def check(name, problem):
        nonlocal passed, failed
        passed, failed = passed + (not problem), failed + bool(problem)
        if problem:
            print('%s: %s' % (name, problem))

    with tempfile.TemporaryDirectory(prefix='weir-meta.') as work:
        timed = base(dice)
        want = changed(weir, work, 'base', timed, Plan())
        gaps = sum("'length'" in str(streams) for streams, _ in want.values())
        check('base', None if len(want) == FLOWS and gaps > LOSSY // 2 else '%d flows, %d with gaps' % (len(want), gaps))
        check('base is whole without loss', None if all(
            "'length'" not in str(want[40000 + flow]) and "'complete'" in str(want[40000 + flow]) for flow in range(LOSSY)) else 'no')
        # where nothing is lost a change of packets changes nothing; where something is, a change of numbers does not
        isns = {(flow, side): dice.choice((0xffffffff, 0xfffffff0, 0x7fffffff, 0, dice.randrange(2**32)))
                for flow in range(FLOWS) for side in (0, 1)}
        check('other sequence numbers', differs(want, changed(
            weir, work, 'isn', timed, Plan(lambda flow, side: isns[flow, side])), False))
        check('mirrored', differs(want, changed(weir, work, 'mirror', timed, Plan(mirror=True)), False))
        check('packets twice', differs(want, changed(weir, work, 'twice', twice(timed, dice), Plan()), False))
        check('others between', differs(want, changed(weir, work, 'between', between(timed, dice), Plan()), False))
        check('split', differs(want, changed(weir, work, 'split', split(timed, dice), Plan()), True))
        check('joined', differs(want, changed(weir, work, 'joined', joined(timed, dice), Plan()), True))
        check('swapped', differs(want, changed(weir, work, 'swapped', swapped(timed, dice), Plan()), True))
        reference = whole(os.path.join(work, 'base'))
        for number, way in enumerate(WAYS):
            folder = os.path.join(work, 'way%d' % number)
            os.mkdir(folder)
            run(weir, folder, *way, '-r', os.path.join(work, 'base.pcap'))
            check(' '.join(way), None if whole(folder) == reference else 'the output differs')
        for half, part in (('a', timed[:len(timed) // 2]), ('b', timed[len(timed) // 2:])):
            write(os.path.join(work, half + '.pcap'), part, Plan())
        folder = os.path.join(work, 'cut')
        os.mkdir(folder)
        run(weir, folder, '-j', '1', '-r', os.path.join(work, 'a.pcap'), '-r', os.path.join(work, 'b.pcap'))
        check('in two files', differs(want, told(folder), False))
    print('%d passed, %d failed, 0 skipped' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

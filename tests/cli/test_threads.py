#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same bytes for any number of workers: test_threads.py WEIR [CAPTURE...]

Records, the index and the files of `streams`, and the summary of -j 2, 3, 8 and 16 are compared with those of -j 1: with two
sinks, which get records, and with one, whose text the workers make. Runs
under ThreadSanitizer too (suite `threads`), where a data race ends the program with a status of its own.
"""
import glob
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))
from packets import ACK, FIN, PSH, SYN, tcp_packet  # noqa: E402

S = 10**9
WORKERS = (2, 3, 8, 16)
# One sink each, of which the output is text on stdout, or none.
ALONE = (('--json',), ('-o', 'json:-,format=ecs'), ('-o', 'text:-,types=http+tcp+anomaly'), ('-o', 'csv'), ('-o', 'none'),
         ('--json', '-Y', 'status>=300 or -path:/a*'), ('-o', 'har:-'), ('--json', '-o', 'none', '-k', 'none'))
# What depends on the machine and not on the capture.
UNSTABLE = ('elapsed_ns', 'memory')
SKIPPED_EXIT = 77


def block(kind, body):
    body += b'\0' * (-len(body) % 4)
    return struct.pack('<II', kind, len(body) + 12) + body + struct.pack('<I', len(body) + 12)


def restless(path, dice):
    """A capture whose clock stands, runs, jumps for one packet or for good and goes back, that loses packets and says so, with flows that
    time out meanwhile: what a worker learns from packets that are not its own."""
    out = [block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)),
           block(1, struct.pack('<HHI', 1, 0, 0) + struct.pack('<HHB3xHH', 9, 1, 9, 0, 0))]  # Ethernet, nanoseconds
    now, lost, seq = 1_700_000_000 * S, 0, {}

    def packet(at, flow, side, flags, data=b''):
        nonlocal lost
        numbers = seq.setdefault(flow, [1000, 5000])
        ends = [('10.0.%d.%d' % divmod(flow, 250), 2000 + flow), ('10.9.9.9', 80)]
        octets = tcp_packet(ends[side], ends[1 - side], numbers[side], numbers[1 - side] if flags & ACK else 0, flags, data)
        numbers[side] += len(data) + bool(flags & (SYN | FIN))
        if data and dice.random() < 0.04:
            lost += 1
            return
        options = struct.pack('<HHQHH', 4, 8, lost, 0, 0) if lost else b''
        lost = 0
        octets += b'\0' * (-len(octets) % 4)
        out.append(block(6, struct.pack('<IIIII', 0, at >> 32, at & 0xffffffff, len(octets), len(octets)) + octets + options))

    flows = []
    for _ in range(4000):
        now += dice.choice((0, 0, 1000, S // 1000, S // 10, S, 20 * S)) if dice.random() < 0.3 else 1000
        kind = dice.random()
        at = now
        if kind < 0.01:
            at += dice.choice((100, 4000)) * S  # one packet is far ahead
        elif kind < 0.013:
            now += dice.choice((70, 700)) * S
        elif kind < 0.02:
            at -= 2 * S
        if len(flows) < 40 and dice.random() < 0.1:
            flow = len(seq)
            flows.append(flow)
            packet(at, flow, 0, SYN)
            packet(now, flow, 1, SYN | ACK)
        elif flows:
            flow = dice.choice(flows)
            ask, answer = b'GET /%d HTTP/1.1\r\nHost: a.test\r\n\r\n' % flow, b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
            packet(at, flow, 0, PSH | ACK, ask)
            if dice.random() < 0.95:
                packet(now + 500, flow, 1, PSH | ACK, answer)
            if dice.random() < 0.1:
                packet(now + 600, flow, 0, FIN | ACK)
                packet(now + 700, flow, 1, FIN | ACK)
                flows.remove(flow)
            elif dice.random() < 0.05:
                flows.remove(flow)  # it times out
    with open(path, 'wb') as file:
        file.write(b''.join(out))


def start(weir, capture, workers, *options):
    """(the finished process, the stable part of the summary as text: what is in which order counts)."""
    done = subprocess.run([weir, '-r', capture, '-j', str(workers), '--summary=json', *options],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    summary = {}
    for line in done.stderr.decode('utf-8', 'replace').splitlines():
        if line.startswith('{'):
            summary = {key: value for key, value in json.loads(line).items() if key not in UNSTABLE}
    return done, summary and json.dumps(summary)


def run(weir, capture, workers, folder):
    """(exit status, stdout, stable part of the summary, {file: bytes})."""
    streams = os.path.join(folder, 'j%d' % workers)
    done, summary = start(weir, capture, workers, '--json', '-o', 'streams:' + streams)
    files = {}
    for path in sorted(glob.glob(os.path.join(streams, '*'))):
        with open(path, 'rb') as file:
            files[os.path.basename(path)] = file.read()
    if done.returncode not in (0, 3):
        sys.stderr.write(done.stderr.decode('utf-8', 'replace'))
    return done.returncode, done.stdout, summary, files


def differences(weir, capture, folder):
    """Sentences about what is not as it should be."""
    one = run(weir, capture, 1, folder)
    if one[0] not in (0, 3):
        yield '-j 1 ended with status %d' % one[0]
    if not one[1] or not json.loads(one[2] or '{}').get('packets') or not one[3]:
        yield 'no records, summary or streams: nothing was compared'
    for workers in WORKERS:
        many = run(weir, capture, workers, folder)
        for what, a, b in zip(('exit status', 'records', 'summary', 'streams'), one, many):
            if a != b:
                yield '-j %d: %s differ from those of -j 1' % (workers, what)
    for options in ALONE:
        one, summary = start(weir, capture, 1, *options)
        if not one.stdout and 'none' not in options or one.returncode not in (0, 3):
            yield '%s: status %d, %d bytes' % (' '.join(options), one.returncode, len(one.stdout))
        for workers in WORKERS:
            for more in ((), ('--batch', '7'))[:2 if workers == 3 else 1]:
                many = start(weir, capture, workers, *options, *more)
                if (many[0].returncode, many[0].stdout, many[1]) != (one.returncode, one.stdout, summary):
                    yield '-j %d %s: not as with -j 1' % (workers, ' '.join(options + more))


def main():
    weir, captures = sys.argv[1], sys.argv[2:] or [os.path.join(ROOT, 'examples', 'demo.pcapng')]
    captures = [capture for capture in captures if os.path.exists(capture)]
    if not captures:
        print('no capture to read')
        return SKIPPED_EXIT
    failed = 0
    made = tempfile.mkdtemp(prefix='weir-threads.')
    captures.append(os.path.join(made, 'restless.pcapng'))
    restless(captures[-1], random.Random(7))
    for capture in captures:
        folder = tempfile.mkdtemp(prefix='weir-threads.')
        try:
            problems = list(differences(weir, capture, folder))
        finally:
            shutil.rmtree(folder)
        for problem in problems:
            print('%s: %s' % (os.path.basename(capture), problem))
        failed += bool(problems)
    shutil.rmtree(made)
    print('%d passed, %d failed, 0 skipped' % (len(captures) - failed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

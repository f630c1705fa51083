#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pairs after loss: loss.py WEIR [CAPTURE] [--loss PERCENT] [--seed N] [--make N]

Packets of a capture without loss are dropped at random, and weir's pairs in what is left are compared with what is known from
the whole capture: in each connection the n-th request (a packet that begins with GET and a URL that this client port asks for once) was answered by the n-th
response (a packet that begins with HTTP/1.1), as nobody pipelines there. Which response weir means is told by the time of its first
byte: every packet that is written has a nanosecond of its own.

A pair is provable when the packets of both its start lines are there. Without CAPTURE (the benchmark's `small`, or anything like it)
a capture of N exchanges on 64 connections is made, of responses in one to four packets. The last line is
`pairs: R right, W wrong, P % of the provable` and the exit status 1 when W is not 0, or less than 99 % were found.
"""
import argparse
import calendar
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

FOUND_SHARE = 0.99
CONNECTIONS = 64


def read_capture(path):
    """(time in ns, frame) of each packet of a pcap file."""
    with open(path, 'rb') as file:
        magic, = struct.unpack('<I', file.read(24)[:4])
        unit = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}[magic]
        while True:
            head = file.read(16)
            if len(head) < 16:
                return
            second, fraction, length, _ = struct.unpack('<IIII', head)
            yield second * 10**9 + fraction * unit, file.read(length)


def make_capture(exchanges, rng):
    """The same of exchanges on connections that are kept open."""
    state = [[40000 + i, 1000, 5000, 0] for i in range(CONNECTIONS)]
    now = 1700000000 * 10**9

    def packet(connection, side, flags, payload=b''):
        port, client, server, _ = connection
        ends = [(b'\x0a\0\0\1', port, client, server), (b'\x0a\0\0\2', 80, server, client)]
        (a, sport, seq, ack), (b, dport, _, _) = ends[side], ends[1 - side]
        tcp = struct.pack('!HHIIBBHHH', sport, dport, seq, ack, 0x50, flags, 64240, 0, 0)
        ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0, a, b)
        connection[1 + side] += len(payload) + (flags & 2 != 0)
        return b'\2\0\0\0\0\2\2\0\0\0\0\1\x08\0' + ip + tcp + payload

    number = 0
    for connection in state:
        for side, flags in (0, 2), (1, 0x12), (0, 0x10):
            now += 20000
            yield now, packet(connection, side, flags)
    while number < exchanges:
        connection = rng.choice(state)
        number += 1
        body = b'x' * rng.choice((0, 300, 1200, 3000, 5000))
        response = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body) + body
        now += 50000
        yield now, packet(connection, 0, 0x18, b'GET /item/%d HTTP/1.1\r\nHost: a.test\r\n\r\n' % number)
        now += 150000
        for at in range(0, len(response), 1448):
            now += 5000
            yield now, packet(connection, 1, 0x18, response[at:at + 1448])
            if at % 2896:
                now += 3000
                yield now, packet(connection, 0, 0x10)
        now += 3000
        yield now, packet(connection, 0, 0x10)


def payload_of(frame):
    """(connection, from the server, payload) of TCP over IPv4 over Ethernet, or None."""
    if len(frame) < 54 or frame[12:14] != b'\x08\0' or frame[23] != 6:
        return None
    at = 14 + (frame[14] & 15) * 4
    sport, dport = struct.unpack('!HH', frame[at:at + 4])
    start = at + (frame[at + 12] >> 4) * 4
    end = 14 + struct.unpack('!H', frame[16:18])[0]
    server = sport == 80
    return (frame[26:30] + frame[30:34], dport) if server else (frame[30:34] + frame[26:30], sport), server, frame[start:end]


class Truth:
    """What the whole capture says: which response packet answers which URL."""

    def __init__(self):
        self.waiting = {}    # connection: requests (port, URL) without an answer, oldest first
        self.requests = {}   # request: its packet is in the lossy capture
        self.responses = {}  # time of a response's first packet: the request
        self.seen = set()    # those times that are in the lossy capture

    def take(self, frame, stamp, dropped):
        got = payload_of(frame)
        if got is None:
            return
        connection, server, payload = got
        if not server and payload.startswith(b'GET '):
            url = (connection[1], payload.split(b' ', 2)[1].decode())
            if url in self.requests:
                raise SystemExit('port %d asks for %s twice: the truth is not known' % url)
            self.requests[url] = not dropped
            self.waiting.setdefault(connection, []).append(url)
        elif server and payload.startswith(b'HTTP/1.1'):
            urls = self.waiting.get(connection)
            if urls:
                self.responses[stamp] = urls.pop(0)
                if not dropped:
                    self.seen.add(stamp)

    def provable(self):
        return {self.responses[stamp]: stamp for stamp in self.seen if self.requests[self.responses[stamp]]}


def lose(packets, out, share, rng):
    """Write what is left. @return the truth, and how many packets were dropped"""
    truth, dropped, last = Truth(), 0, 0
    with open(out, 'wb') as file:
        file.write(struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        for now, frame in packets:
            last = max(now, last + 1)
            lost = rng.random() < share
            truth.take(frame, last, lost)
            dropped += lost
            if not lost:
                file.write(struct.pack('<IIII', last // 10**9, last % 10**9, len(frame), len(frame)) + frame)
    return truth, dropped


def stamp_of(record):
    """When the first byte of the record's response came, ns."""
    stamp, timing = record['ts'], record['timing']
    seconds = calendar.timegm(time.strptime(stamp[:19], '%Y-%m-%dT%H:%M:%S'))
    return seconds * 10**9 + int(stamp[20:29]) + timing.get('send_ns', 0) + timing['wait_ns']


def judge(weir, path, truth):
    right, wrong, other = {}, [], {}
    with subprocess.Popen([weir, '-q', '-k', 'none', '--redact=off', '--json', '-r', path], stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if not line.startswith(b'{"type":"http"'):
                continue
            record = json.loads(line)
            url = record['client']['port'], record['http'].get('request', {}).get('target')
            if url[1] is None or 'status_code' not in record['http'].get('response', {}):
                continue
            stamp = stamp_of(record)
            if truth.responses.get(stamp) == url:
                right[url] = record['pairing']
            else:
                wrong.append((url, truth.responses.get(stamp), record['pairing']))
            other[record['pairing']] = other.get(record['pairing'], 0) + 1
    return right, wrong, other


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('weir')
    parser.add_argument('capture', nargs='?')
    parser.add_argument('--loss', type=float, default=5)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--make', type=int, default=20000)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    packets = read_capture(options.capture) if options.capture else make_capture(options.make, rng)
    with tempfile.TemporaryDirectory(prefix='weir-loss.') as folder:
        path = os.path.join(folder, 'lossy.pcap')
        truth, dropped = lose(packets, path, options.loss / 100, rng)
        right, wrong, kinds = judge(os.path.abspath(options.weir), path, truth)
    provable = truth.provable()
    found = sum(url in right for url in provable)
    for url, answered, pairing in wrong[:10]:
        print('wrong: %s has the answer of %s (%s)' % (url, answered, pairing))
    print('%d packets dropped, %d of %d requests and %d of %d responses are left; pairings: %s' % (
        dropped, sum(truth.requests.values()), len(truth.requests), len(truth.seen), len(truth.responses),
        ', '.join('%s %d' % item for item in sorted(kinds.items()))))
    share = found / len(provable) if provable else 0
    print('pairs: %d right, %d wrong, %.2f %% of the %d provable' % (len(right), len(wrong), 100 * share, len(provable)))
    return 1 if wrong or share < FOUND_SHARE else 0


if __name__ == '__main__':
    sys.exit(main())

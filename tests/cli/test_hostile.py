#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Messages that are made to hurt: test_hostile.py WEIR

A gzip of 10 MB of zeros, 16 content codings, a million headers, a header line of 1 GB, a chunk size line and a target without end.
Each is sent through standard input on one connection, before and behind an ordinary exchange, and must cost bounded memory, be named by an
anomaly, and leave the exchange behind it as it is. Segments are of 60,000 bytes, as offloading makes them.
"""
import gzip
import json
import os
import struct
import subprocess
import sys
import threading

WEIR = os.path.abspath(sys.argv[1])
SEGMENT = 60000
BUDGET = 64 << 20
PEAK = 4 << 20  # of the budget: what all of weir's buffers take, whatever comes
TIMEOUT_S = 240
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
GET = b'GET /%s HTTP/1.1\r\nHost: a.test\r\n\r\n'


class Stream:
    """One TCP connection, written as a pcap to a pipe."""

    def __init__(self, out):
        self.out, self.seq, self.now = out, [1000, 5000], 1700000000 * 10**9
        out.write(struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        for side, flags in (0, 2), (1, 0x12), (0, 0x10):
            self.packet(side, flags)

    def packet(self, side, flags, payload=b''):
        ports, ends = ((40000, 80), (80, 40000))[side], (b'\x0a\0\0\1\x0a\0\0\2', b'\x0a\0\0\2\x0a\0\0\1')[side]
        ack = self.seq[1 - side] if flags & 0x10 else 0
        tcp = struct.pack('!HHIIBBHHH', ports[0], ports[1], self.seq[side] & 0xffffffff, ack & 0xffffffff, 0x50, flags, 64240, 0, 0)
        ip = struct.pack('!BBHHHBBH', 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0) + ends
        frame = b'\2\0\0\0\0\2\2\0\0\0\0\1\x08\0' + ip + tcp
        self.now += 10**5
        size = len(frame) + len(payload)
        self.out.write(struct.pack('<IIII', self.now // 10**9, self.now % 10**9, size, size) + frame + payload)
        self.seq[side] += len(payload) + (flags & 3 != 0)

    def send(self, side, data):
        for at in range(0, len(data), SEGMENT):
            self.packet(side, 0x18, data[at:at + SEGMENT])
            self.packet(1 - side, 0x10)

    def repeat(self, side, piece, times):
        """The piece over and over, in whole segments."""
        group = max(1, SEGMENT // len(piece))
        for _ in range(times // group):
            self.packet(side, 0x18, piece * group)
            self.packet(1 - side, 0x10)
        self.send(side, piece * (times % group))


def gzip_of_zeros(stream):
    body = gzip.compress(bytes(10 << 20), 9)
    stream.send(0, GET % b'bomb')
    stream.send(1, b'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n' % len(body) + body)


def nested_codings(stream):
    body = b'x' * 1000
    for _ in range(16):
        body = gzip.compress(body)
    stream.send(0, GET % b'bomb')
    stream.send(1, b'HTTP/1.1 200 OK\r\nContent-Encoding: ' + b', '.join([b'gzip'] * 16) +
                b'\r\nContent-Length: %d\r\n\r\n' % len(body) + body)


def million_headers(stream):
    stream.send(0, b'GET /bomb HTTP/1.1\r\nHost: a.test\r\n')
    stream.repeat(0, b'X-Header: value of it\r\n', 1000000)
    stream.send(0, b'\r\n')
    stream.send(1, OK)


def header_line_of_a_gigabyte(stream):
    stream.send(0, b'GET /bomb HTTP/1.1\r\nHost: a.test\r\nX-Long: ')
    stream.repeat(0, b'v' * SEGMENT, (1 << 30) // SEGMENT + 1)
    stream.send(0, b'\r\n\r\n')
    stream.send(1, OK)


def target_of_a_gigabyte(stream):
    stream.send(0, b'GET /bomb')
    stream.repeat(0, b't' * SEGMENT, (1 << 30) // SEGMENT + 1)
    stream.send(0, b' HTTP/1.1\r\nHost: a.test\r\n\r\n')
    stream.send(1, OK)


def trailers_without_end(stream):
    stream.send(0, GET % b'bomb')
    stream.send(1, b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n')
    stream.repeat(1, b'X-Trailer: value of it\r\n', 1000000)
    stream.send(1, b'\r\n')


def parts_without_end(stream):
    piece = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nv\r\n'
    size = len(piece) * 200000
    stream.send(0, b'POST /bomb HTTP/1.1\r\nHost: a.test\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n' % size)
    stream.repeat(0, piece, 200000)
    stream.send(1, OK)


CASES = (
    (gzip_of_zeros, 'http.ce_bomb'), (nested_codings, 'http.ce_too_many'), (million_headers, 'http.head_too_large'),
    (header_line_of_a_gigabyte, 'http.head_too_large'), (target_of_a_gigabyte, 'http.target_too_long'),
    (trailers_without_end, 'http.head_too_large'), (parts_without_end, None),
)


def run(case):
    process = subprocess.Popen([WEIR, '-r', '-', '-k', 'none', '-j', '1', '--bodies=keep', '--memory', str(BUDGET), '--json',
                                '--summary=json'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def feed():
        try:
            stream = Stream(process.stdin)
            stream.send(0, GET % b'before')
            stream.send(1, OK)
            case(stream)
            stream.send(0, GET % b'behind')
            stream.send(1, OK)
            process.stdin.close()
        except BrokenPipeError:
            pass

    feeder = threading.Thread(target=feed)
    feeder.start()
    out, err = process.stdout.read(), process.stderr.read()
    feeder.join(TIMEOUT_S)
    return process.wait(TIMEOUT_S), [json.loads(line) for line in out.splitlines()], err.decode('utf-8', 'replace')


def problems(case, code):
    status, records, err = run(case)
    if status != 0:
        yield 'exit %d: %s' % (status, err[-300:])
        return
    http = [record for record in records if record['type'] == 'http']
    targets = [record['http']['request'].get('target', '')[:8] for record in http]
    if targets != ['/before', targets[1] if len(targets) > 1 else None, '/behind'] or not targets[1].startswith('/bomb'):
        yield 'records of %s' % targets
        return
    for record in (http[0], http[2]):
        if record['completeness'] != 'complete' or record['http']['response']['body']['content'] != 'ok':
            yield '%s is %s' % (record['http']['request']['target'], record['completeness'])
    if code and code not in http[1].get('anomalies', []):
        yield 'no %s among %s' % (code, http[1].get('anomalies'))
    summary = json.loads(err.splitlines()[-1])
    if summary['memory']['peak'] > PEAK:
        yield 'memory: %d bytes' % summary['memory']['peak']
    longest = max(len(json.dumps(record)) for record in http)
    if longest > 1 << 20:
        yield 'a record of %d bytes' % longest
    print('%s: %d packets, memory peak %.1f MB, anomalies %s' % (
        case.__name__, summary['packets'], summary['memory']['peak'] / 1e6, ' '.join(http[1].get('anomalies', [])) or 'none'))


def main():
    failed = passed = 0
    for case, code in CASES:
        told = list(problems(case, code))
        for text in told:
            print('%s: %s' % (case.__name__, text))
        failed += bool(told)
        passed += not told
    print('%d passed, %d failed, 0 skipped' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

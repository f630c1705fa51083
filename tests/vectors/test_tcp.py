#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shared TCP vectors: test_tcp.py WEIR

Each of vectors/tcp/expected.json gives a capture's bytes per direction (`~` a missing byte, `alt` also acceptable); where the
tuple is used twice, those of the last flow. They must hold for any number of workers, any batch and a capture in two files.
"""
import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import corpus  # noqa: E402

FILE_HEADER, PACKET_HEADER = 24, 16
WAYS = (('-j', 1), ('-j', 2), ('--batch', 1), ('--batch', 7), ('--batch', 32), ('--set', 'limit.flows-at-hand=0'), 'cut')


def packet_offsets(octets):
    """Where the packets of a little-endian pcap file start."""
    assert struct.unpack_from('<I', octets)[0] in (0xa1b2c3d4, 0xa1b23c4d)
    offsets, position = [], FILE_HEADER
    while position + PACKET_HEADER <= len(octets):
        offsets.append(position)
        position += PACKET_HEADER + struct.unpack_from('<I', octets, position + 8)[0]
    return offsets


def cut(path, folder):
    """The two halves of a capture, as files."""
    with open(path, 'rb') as file:
        octets = file.read()
    offsets = packet_offsets(octets)
    middle = offsets[len(offsets) // 2]
    halves = []
    for name, part in (('a.pcap', octets[:middle]), ('b.pcap', octets[:FILE_HEADER] + octets[middle:])):
        halves.append(os.path.join(folder, name))
        with open(halves[-1], 'wb') as file:
            file.write(part)
    return halves


def text_of(folder):
    """The last flow's bytes of each direction."""
    streams = corpus.streams_of(folder)
    last = max((int(stream.reuse) for stream in streams), default=0)
    text = {'c2s': '', 's2c': ''}
    for stream in streams:
        if int(stream.reuse) == last:
            text[stream.direction] = stream.filled(b'~').decode('latin-1')
    return text['c2s'], text['s2c']


def problem_of(folder, weir, path, way, expected):
    files = cut(path, folder) if way == 'cut' else [path]
    arguments = [argument for file in files for argument in ('-r', file)] + (list(way) if way != 'cut' else [])
    out = os.path.join(folder, 'out')
    result = corpus.run(weir, '-q', '-o', 'streams:' + out, *arguments)
    if result.late or result.status != 0:
        return 'status %s: %s' % (result.status, result.err[:300])
    c2s, s2c = text_of(out)
    if c2s not in [expected['c']] + (expected['alt'] or []) or s2c != expected['s']:
        return 'have %s | %s, want %s | %s (%s)' % (c2s[:80], s2c[:40], expected['c'][:80], expected['s'], expected['note'])
    return None


def main():
    weir = sys.argv[1]
    with open(corpus.shared('vectors', 'tcp', 'expected.json'), encoding='utf-8') as file:
        vectors = json.load(file)
    cases = [(name, way) for name in sorted(vectors) for way in WAYS]
    tally = corpus.Tally()

    def check(case):
        name, way = case
        path = corpus.shared('vectors', 'tcp', 'pcap', name + '.pcap')
        return corpus.with_folder(problem_of, weir, path, way, vectors[name])

    for (name, way), problem in zip(cases, corpus.each(check, cases)):
        tally.row('%s %s' % (name, way if way == 'cut' else '%s %s' % way), problem)
    return tally.finish()


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reassembled bytes against tshark's and tcpflow's: test_streams.py WEIR

corpus/expected/tcp_streams_sha256.tsv has a row per direction of each connection; its rows are an oracle where `agree` is yes,
yes_padding (tshark's value is right) or yes_hole_zero_filled (equal when gaps are filled with zeros). A row without bytes
means: no file. Rows that weir answers otherwise are listed below, each explained in docs/differences.md.
"""
import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import corpus  # noqa: E402

ORACLES = ('yes', 'yes_padding', 'yes_hole_zero_filled')

# (capture, tshark's stream, direction): the reason, a heading of docs/differences.md.
DEEPFLOW = 'deepflow/agent__resources__test__flow_generator__'
KNOWN = {
    ('pcap-analyzer/assets__frag_tcp_80_ipv4.pcap', 0, 'c2s'): 'Data on a SYN',
    ('pcap2har/tests__missing_response.pcap', 0, 's2c'): 'A retransmission after the gap was declared',
    (DEEPFLOW + 'rocketmq__rocketmq-pull-message.pcap', 0, 'c2s'): 'A hole at the end of a stream',
    ('suricata-verify/tests__firewall__tcp-session-decode-malformed-ipv4__input.pcap', 0, 'c2s'): 'An IP option nobody knows',
}


def key_of(row):
    return (corpus.endpoint(row['src'], row['sport']), corpus.endpoint(row['dst'], row['dport']))


def hashes_of(stream, zeros):
    filled = stream.filled(b'\0') if zeros else None
    return {corpus.sha256(data) for data in (stream.data, filled) if data is not None}


def told(streams):
    """What weir has, in few words."""
    return ' and '.join('%d bytes, gaps %s' % (len(stream.data), [
        (gap['offset'], gap['length'], gap['cause']) for gap in stream.gaps[:4]]) for stream in streams[:4]) or 'no such stream'


def compare(rows, streams):
    """The problem of each row of one source and target, or None: each stream answers one row only."""
    left, problems = list(streams), {}
    full = [row for row in rows if int(row['bytes'] or 0) > 0]
    for row in full:
        zeros = row['agree'] == 'yes_hole_zero_filled'
        for stream in left:
            if row['sha256_payload'] in hashes_of(stream, zeros):
                left.remove(stream)
                problems[id(row)] = None
                break
    for row in full:
        if id(row) not in problems:
            problems[id(row)] = '%s: want %s bytes, have %s' % (row['agree'], row['bytes'], told(left))
            del left[:1]
    for row in rows:
        if int(row['bytes'] or 0) == 0:
            problems[id(row)] = 'want no bytes, have ' + told(left) if left else None
            del left[:1]
    return [problems[id(row)] for row in rows]


def problems_of(folder, weir, file, rows):
    """[(row, problem)] of a capture."""
    result = corpus.run(weir, '-q', '-j', 1, '-o', 'streams:' + folder, '-r', corpus.shared('corpus', file))
    if result.status not in (0, 3):
        return [(row, 'status %s' % result.status) for row in rows if row['agree'] in ORACLES]
    have, want = collections.defaultdict(list), collections.defaultdict(list)
    for stream in corpus.streams_of(folder):
        have[stream.source, stream.target].append(stream)
    for row in rows:
        want[key_of(row)].append(row)
    # Rows that are no oracle take their streams too, so that these do not answer for others.
    answers = [(row, problem) for key in want for row, problem in zip(want[key], compare(want[key], have[key]))]
    return [(row, problem) for row, problem in answers if row['agree'] in ORACLES]


def main():
    weir = sys.argv[1]
    files = list(corpus.by_file(corpus.rows('corpus', 'expected', 'tcp_streams_sha256.tsv')).items())
    tally = corpus.Tally(KNOWN)
    held, total = collections.Counter(), collections.Counter()

    def check(item):
        return corpus.with_folder(problems_of, weir, *item)

    for answers in corpus.each(check, files):
        for row, problem in answers:
            kind = row['agree'] if int(row['bytes'] or 0) else row['agree'] + ', no bytes'
            total[kind] += 1
            held[kind] += not problem
            tally.row((corpus.short(row['file']), int(row['stream']), row['dir']), problem)
    for kind in sorted(total):
        print('%-24s %4d of %4d equal, %.2f %%' % (kind, held[kind], total[kind], 100 * held[kind] / total[kind]))
    return tally.finish()


if __name__ == '__main__':
    sys.exit(main())

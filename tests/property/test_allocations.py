#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Allocations over a run: test_allocations.py WEIR_COUNTED TRAFFIC [CAPTURE]

WEIR_COUNTED is the program with tests/property/count_allocations.c linked in, TRAFFIC is bench/traffic. Steady state costs none: a capture of
the same flows with twice as many exchanges (twice the packets, twice the records) makes as many calls of malloc, calloc, realloc and
mmap as the first. Without output, and with a line of JSON a record; by one worker, exactly, and by two, but for how full a queue
once was. What a flow costs is bounded. CAPTURE, or small.pcap in $WEIR_PCAPS or
../shared/bench/pcaps, is cut at N and 2 N packets and held to the same, where there is one.

Prints the counts; the last line is the count of cases.
"""
import os
import re
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLOWS, EXCHANGES = 200, 20000
# Of a packet. Threads come to their queues in another order each time: a stock of records may be as much deeper as the queue is.
SLACK = {'1': 0, '2': 0.02}
MANY = 20000
# its session, its parser, and what they hold
PER_FLOW = 6
CUT = 100000


def counts(program, path, options, plant=False):
    """(calls of all kinds, packets, HTTP records, flows)"""
    name = path + '.counts'
    # weir's own figures as JSON: they cost what they cost whatever is counted
    environment = dict(os.environ, WEIR_COUNT=name, **({'WEIR_COUNT_PLANT': '1'} if plant else {}))
    done = subprocess.run([program, '-q', '-k', 'none', '--no-sandbox', '--summary=json', '-r', path] + options, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    if done.returncode not in (0, 3):
        sys.exit('%s: status %d: %s' % (path, done.returncode, done.stderr.decode()[-2000:]))
    with open(name) as file:
        words = file.read().split()
    summary = done.stderr.decode()
    packets, flows, records = (int((re.search(pattern, summary) or [0, 0])[1]) for pattern in (
        r'"packets":(\d+)', r'"tcp":{"flows":(\d+)', r'"http":(\d+)'))
    return dict(zip(words[::2], map(int, words[1::2]))), packets, records, flows


def make(traffic, path, flows, exchanges):
    with open(path, 'wb') as file:
        subprocess.run([traffic, 'flows', str(flows), str(exchanges)], stdout=file, check=True)


def cut(source, path, packets):
    """The first packets of a little-endian pcap."""
    with open(source, 'rb') as file, open(path, 'wb') as out:
        out.write(file.read(24))
        for _ in range(packets):
            head = file.read(16)
            out.write(head + file.read(struct.unpack('<IIII', head)[2]))


def compare(program, once, twice, label):
    """The cases of one pair of captures. @return how many failed of how many"""
    failed = cases = 0
    for sink in 'none', 'json:/dev/null':
        for jobs in '1', '2':
            options = ['-o', sink, '-j', jobs]
            (a, packets, records, flows), (b, more_packets, more_records, more_flows) = (counts(program, path, options) for path in (once, twice))
            grown = {kind: b[kind] - a[kind] for kind in a}
            room = SLACK[jobs] * packets + PER_FLOW * (more_flows - flows)
            bad = max(abs(n) for n in grown.values()) > room or more_records < 1.8 * records or records == 0
            failed, cases = failed + bad, cases + 1
            print('%s, -o %s -j %s: %d packets, %d records: %s; of %d more packets: %s%s' % (
                label, sink, jobs, packets, records, ' '.join('%s %d' % item for item in a.items()), more_packets - packets,
                ' '.join('%s %+d' % item for item in grown.items()), ': TOO MANY' if bad else ''))
    return failed, cases


def capture_of_the_machine():
    folders = [os.environ.get('WEIR_PCAPS'), os.path.join(os.environ.get('WEIR_SHARED', os.path.join(ROOT, '..', 'shared')), 'bench', 'pcaps'),
               os.path.join(ROOT, 'build-bench', 'pcaps-full'), os.path.join(ROOT, 'build-bench', 'pcaps-quick')]
    paths = [os.path.join(folder, 'small.pcap') for folder in folders if folder]
    return next((path for path in paths if os.path.exists(path)), None)


def main():
    program, traffic = (os.path.abspath(argument) for argument in sys.argv[1:3])
    real = sys.argv[3] if len(sys.argv) > 3 else capture_of_the_machine()
    with tempfile.TemporaryDirectory(prefix='weir-allocations.') as folder:
        once, twice, wide = (os.path.join(folder, name) for name in ('once.pcap', 'twice.pcap', 'wide.pcap'))
        make(traffic, once, FLOWS, EXCHANGES)
        make(traffic, twice, FLOWS, 2 * EXCHANGES)
        failed, cases = compare(program, once, twice, 'made')
        # a flow's own
        make(traffic, wide, FLOWS + MANY, FLOWS + MANY)
        more = sum(counts(program, wide, ['-o', 'none', '-j', '1'])[0].values()) - \
            sum(counts(program, once, ['-o', 'none', '-j', '1'])[0].values())
        bad = more > PER_FLOW * MANY
        print('%d more flows: %d calls%s' % (MANY, more, ': TOO MANY' if bad else ''))
        failed, cases = failed + bad, cases + 1
        # the counter counts: with an allocation planted in each call of session_data() there are as many more as there are segments
        planted = counts(program, once, ['-o', 'none', '-j', '1'], plant=True)[0]['malloc']
        bad = planted < 2 * EXCHANGES
        print('planted: malloc %d%s' % (planted, ': NOT SEEN' if bad else ''))
        failed, cases = failed + bad, cases + 1
        if real is not None:
            cut(real, once, CUT)
            cut(real, twice, 2 * CUT)
            found = compare(program, once, twice, os.path.basename(real))
            failed, cases = failed + found[0], cases + found[1]
    print('%d passed, %d failed, %d skipped' % (cases - failed, failed, 0 if real else 1))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

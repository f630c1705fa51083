#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions a packet of the hot path, by what they are for: hotpath.py WEIR CAPTURE [CAPTURE...] [options]

WEIR is a build with debug information (`./dev bench` makes build-prof: the release build's options and profile, so the same
instructions). Callgrind runs it on the first N and the first 3 N packets of each capture, and the difference is divided by the 2 N packets
between: what happens once does not count. An instruction belongs to the file that it was compiled from, inlined or not, and a file to
one of the groups below; what lies in base/, in a header of the compiler's or in a library (memcpy) belongs to whoever called it.
What no rule names is `other`, and its functions are listed: the hot path is to be nothing but read, decode, lookup,
reassembly, parsing, record and output.

  --packets N    the shorter length (default 100000)
  --sink KIND    -o KIND (default none)
  --top N        also the N dearest functions of each group
  --most N       exit status 1 when `other` is more than N instructions a packet
"""
import argparse
import collections
import os
import re
import struct
import subprocess
import sys
import tempfile

GROUPS = ('read', 'decode', 'lookup', 'reassembly', 'parsing', 'record', 'output', 'other')
# The first that fits. Functions decide where a file does several things.
FUNCTIONS = (
    # records that are done: handed on in the order of their keys, counted, written
    (r'on_record|merge|keep_record|reclaim|piece', r'src/app/', 'output'),
)
FILES = (
    (r'src/capture/', 'read'),
    (r'src/app/(output|summary|taps)', 'output'),
    (r'src/app/', 'read'),
    (r'src/decode/|src/defrag/|src/engine/(front|tunnels)', 'decode'),
    (r'src/flow/tcp_state', 'reassembly'),
    (r'src/flow/|src/engine/(shard|engine|park|slots|lone_syn|flow|config|public|tomb|parcel)', 'lookup'),
    (r'src/engine/(tcp_record|emit)', 'record'),
    (r'src/reasm/|src/engine/(tcp|doubt|oddity)', 'reassembly'),
    (r'src/(detect|parser|http|body|db)/|src/engine/(session|tail|host)', 'parsing'),
    (r'src/(record|query)/', 'record'),
    (r'src/sink/|src/store/', 'output'),
)
SYSCALLS = (r'^(read|__read|readv|pread.*)$', 'read'), (r'^(write|__write|writev)$', 'output')
NAME = re.compile(r'^(c?(?:ob|fl|fi|fe|fn))=\((\d+)\)(?: (.*))?$')
COST = re.compile(r'^(?:[+-]?\d+|\*) (\d+)')


class Profile:
    """own[(function, file)]: instructions; calls[function][(caller, file)]: inclusive instructions of its calls."""

    def __init__(self, path):
        self.own, self.calls, self.home = collections.Counter(), collections.defaultdict(collections.Counter), {}
        self.total = 0
        with open(path, encoding='utf-8', errors='replace') as file:
            self.read(file)

    def read(self, lines):
        names = {'fl': {}, 'fn': {}, 'ob': {}}
        here = {'fl': '', 'fn': '', 'file': '', 'cfn': ''}
        called = False
        for line in lines:
            match = NAME.match(line)
            if match:
                key, number, name = match.groups()
                table = names['fl' if key.lstrip('c')[0] == 'f' and key[-1] != 'n' else key[-2:]]
                if name is not None:
                    table[number] = name
                self.enter(key, table[number], here)
                continue
            if line.startswith('calls='):
                called = True
                continue
            match = COST.match(line)
            if not match:
                continue
            cost = int(match.group(1))
            if called:
                self.calls[here['cfn']][here['fn'], here['file']] += cost
                called = False
            else:
                self.own[here['fn'], here['file']] += cost
                self.total += cost

    def enter(self, key, name, here):
        if key == 'fl':
            here['fl'] = here['file'] = name
        elif key in ('fi', 'fe'):
            here['file'] = name
        elif key == 'fn':
            here['fn'], here['file'] = name, here['fl']
            self.home.setdefault(name, here['fl'])
        elif key == 'cfn':
            here['cfn'] = name


def by_rules(function, file):
    """The group, or None: whoever called it."""
    for name, where, group in FUNCTIONS:
        if re.search(name, function) and re.search(where, file):
            return group
    for pattern, group in FILES:
        if re.search(pattern, file):
            return group
    for pattern, group in SYSCALLS:
        if re.search(pattern, function):
            return group
    return None


class Difference:
    """What the longer run has more than the shorter one."""

    def __init__(self, shorter, longer):
        self.own, self.calls, self.home = collections.Counter(longer.own), longer.calls, longer.home
        self.own.subtract(shorter.own)
        self.total = longer.total - shorter.total
        self.callers = {}
        for function, edges in longer.calls.items():
            grown = collections.Counter(edges)
            grown.subtract(shorter.calls.get(function, {}))
            self.callers[function] = {edge: cost for edge, cost in grown.items() if cost > 0}
        self.known = {}

    def shares(self, function, file, seen=()):
        """{group: share} of the instructions that `function` has from `file`."""
        group = by_rules(function, file) or by_rules(function, self.home.get(function, ''))
        if group is not None:
            return {group: 1.0}
        if function in self.known:
            return self.known[function]
        edges = self.callers.get(function, {})
        total = sum(edges.values())
        if function in seen or not total or len(seen) > 20:
            return {'other': 1.0}
        result = collections.Counter()
        for (caller, where), cost in edges.items():
            for name, share in self.shares(caller, where, seen + (function,)).items():
                result[name] += share * cost / total
        if not seen:
            self.known[function] = result
        return result

    def groups(self):
        """{group: instructions}, {group: {(function, file): instructions}}"""
        sums, functions = collections.Counter(), collections.defaultdict(collections.Counter)
        for (function, file), cost in self.own.items():
            for group, share in self.shares(function, file).items():
                sums[group] += share * cost
                functions[group][function, file] += share * cost
        return sums, functions


def cut(source, path, packets):
    """Writes the first packets of a little-endian pcap. @return how many there were"""
    with open(source, 'rb') as file, open(path, 'wb') as out:
        out.write(file.read(24))
        for number in range(packets):
            head = file.read(16)
            if len(head) < 16:
                return number
            out.write(head + file.read(struct.unpack('<IIII', head)[2]))
    return packets


def callgrind(command, out, environment=None):
    """Instructions of a run; its profile goes to `out`."""
    done = subprocess.run(['valgrind', '--tool=callgrind', '--callgrind-out-file=' + out] + command, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, env=environment, timeout=900)
    match = re.search(r'Collected : (\d+)', done.stderr.decode('utf-8', 'replace'))
    if not match:
        raise RuntimeError('callgrind: %s' % done.stderr.decode('utf-8', 'replace')[-400:])
    return int(match.group(1))


def weir_command(weir, path, sink='none'):
    return [weir, '--no-sandbox', '-q', '-r', path, '-k', 'none', '-j', '1', '-o', sink if ':' in sink or sink == 'none' else sink + ':/dev/null',
            '--summary=none']


def profile(weir, capture, packets=100000, sink='none'):
    """(Difference, packets between)"""
    with tempfile.TemporaryDirectory(prefix='weir-hotpath.') as folder:
        profiles, counts = [], []
        for factor in 1, 3:
            path, out = os.path.join(folder, 'cut.pcap'), os.path.join(folder, 'out')
            counts.append(cut(capture, path, factor * packets))
            callgrind(weir_command(weir, path, sink), out)
            profiles.append(Profile(out))
    return Difference(*profiles), counts[1] - counts[0]


def short(file):
    return re.sub(r'^.*/src/', 'src/', file) if '/src/' in file else os.path.basename(file)


def main():
    parser = argparse.ArgumentParser(description='see the head of this file')
    parser.add_argument('weir')
    parser.add_argument('captures', nargs='+')
    parser.add_argument('--packets', type=int, default=100000)
    parser.add_argument('--sink', default='none')
    parser.add_argument('--top', type=int, default=0)
    parser.add_argument('--most', type=float)
    options = parser.parse_args()
    bad = False
    print('| capture | ' + ' | '.join(GROUPS) + ' | together |\n' + '|---' * (len(GROUPS) + 2) + '|')
    found = []
    for capture in options.captures:
        difference, packets = profile(os.path.abspath(options.weir), capture, options.packets, options.sink)
        sums, functions = difference.groups()
        found.append((capture, packets, functions))
        print('| %s | %s | %.0f |' % (os.path.basename(capture).split('.')[0], ' | '.join(
            '%.0f' % (sums[group] / packets) for group in GROUPS), difference.total / packets), flush=True)
        bad = bad or (options.most is not None and sums['other'] / packets > options.most)
    for capture, packets, functions in found:
        for group in GROUPS:
            rows = functions[group].most_common(options.top or (20 if group == 'other' else 0))
            rows = [row for row in rows if row[1] / packets >= 0.05]
            if rows:
                print('\n%s, %s:' % (os.path.basename(capture), group))
            for (function, file), cost in rows:
                print('%9.1f  %s (%s)' % (cost / packets, function.split('.')[0], short(file)))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())

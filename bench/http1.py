#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions and nanoseconds a transaction, weir's HTTP/1 parser next to llhttp: http1.py BENCH_HTTP1 [--write]

BENCH_HTTP1 is bench/bench_http1 of a release build. Time is the least of several runs, taken in turn. Instructions are counted by
valgrind's callgrind, two runs of different length, so that what happens once does not count. --write puts the table into
docs/performance.md.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WHO = ('weir', 'llhttp', 'weir-all', 'llhttp-all')
SHAPES = ('browser', 'chunked', 'plain')
RUNS, TIMES = 9, 200000
SHORT, LONG = 1000, 3000


def nanoseconds(bench, who, shape):
    out = subprocess.run([bench, who, shape, str(TIMES)], stdout=subprocess.PIPE, check=True).stdout.decode()
    return float(re.search(r'([\d.]+) ns', out).group(1))


def instructions(bench, who, shape):
    def count(times):
        with tempfile.TemporaryDirectory(prefix='weir-bench.') as folder:
            done = subprocess.run(['valgrind', '--tool=callgrind', '--callgrind-out-file=' + os.path.join(folder, 'out'), bench, who,
                                   shape, str(times)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
        return int(re.search(r'Collected : (\d+)', done.stderr.decode()).group(1))
    return (count(LONG) - count(SHORT)) / (LONG - SHORT)


def table(bench):
    times = {}
    for _ in range(RUNS):
        for shape in SHAPES:
            for who in WHO:
                times.setdefault((shape, who), []).append(nanoseconds(bench, who, shape))
    lines = ['| messages | who | instructions | ns |', '|---|---|---|---|']
    for shape in SHAPES:
        for who in WHO:
            lines.append('| %s | %s | %d | %.0f |' % (shape, who, round(instructions(bench, who, shape)), min(times[shape, who])))
    return '\n'.join(lines)


def main():
    text = table(os.path.abspath(sys.argv[1]))
    print(text)
    if '--write' in sys.argv:
        path = os.path.join(ROOT, 'docs', 'performance.md')
        with open(path, encoding='utf-8') as file:
            page = file.read()
        page = re.sub(r'(<!-- bench:http1 -->\n).*?(\n<!-- /bench:http1 -->)', lambda m: m.group(1) + text + m.group(2), page, flags=re.S)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(page)


main()

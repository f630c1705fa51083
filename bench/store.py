#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How quick a store answers: store.py [--sizes 1000000,10000000] [--runs 40] [--write]

Fills stores of synthetic transactions (bench/store_load, 200 a second of capture time), asks each question of the store's interface about
different times and values (bench/store_ask), and deletes them. --write puts the table into docs/store.md between its markers.
Exit status 1 when rollups or indexes take more than 50 ms on the processor (95 % of the times, the largest store).
"""
import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, 'build')
GOAL_MS = 50
BEGIN, END = '<!-- made by bench/store.py -->', '<!-- end of bench/store.py -->'


def short(size):
    return '%g M' % (size / 1e6)


def measure(folder, size, runs):
    path = os.path.join(folder, 'store.db')
    said = subprocess.run([os.path.join(BUILD, 'bench', 'store_load'), 'sqlite:' + path, str(size), '200'], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()
    print(said.strip(), flush=True)
    files = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
    rows = []
    with subprocess.Popen([os.path.join(BUILD, 'bench', 'store_ask'), path, str(runs)], stdout=subprocess.PIPE) as asking:
        for line in asking.stdout:
            name, basis, end, looked, p50, p95, cpu = line.decode().rstrip('\n').split('\t')
            rows.append((name, basis, end, int(looked), int(p50) / 1000, int(p95) / 1000, int(cpu) / 1000))
            print('  %-40s %-8s %-9s %8d %10.1f ms %10.1f ms %10.1f ms' % rows[-1], flush=True)
    if asking.returncode != 0:
        sys.exit('store_ask failed')
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    return files, said, {row[0]: row for row in rows}


def ms(value):
    return '%.1f' % value if value < 10 else '%.0f' % value


def table(sizes, results):
    last = sizes[-1]
    lines = ['| question | answered from | looked at | ' + ' | '.join('%s: p50, p95 ms' % short(size) for size in sizes) + ' | p95 on the processor |',
             '|---|---|---|' + '---|' * (len(sizes) + 1)]
    for name, (_, basis, end, looked, _, _, cpu) in results[last][2].items():
        cells = ['%s, %s' % (ms(results[size][2][name][4]), ms(results[size][2][name][5])) for size in sizes]
        lines.append('| %s | %s%s | %d | %s | %s |' % (name.replace('*', '\\*'), basis, '' if end == 'complete' else ' (bounded)', looked,
                                                      ' | '.join(cells), ms(cpu)))
    return '\n'.join(lines)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('--sizes', default='1000000,10000000')
    parser.add_argument('--runs', type=int, default=40)
    parser.add_argument('--write', action='store_true')
    args = parser.parse_args()
    sizes = [int(size) for size in args.sizes.split(',')]
    subprocess.run(['ninja', '-C', BUILD, 'bench/store_load', 'bench/store_ask'], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        results = {size: measure(folder, size, args.runs) for size in sizes}
    text = table(sizes, results)
    print(text)
    if args.write:
        page = os.path.join(ROOT, 'docs', 'store.md')
        with open(page) as file:
            old = file.read()
        head, rest = old.split(BEGIN)
        note = 'On %s with %d cores; the machine had other work (load %.1f).' % (platform.machine(), os.cpu_count(), os.getloadavg()[0])
        with open(page, 'w') as file:
            file.write(head + BEGIN + '\n' + note + '\n\n' + text + '\n' + END + rest.split(END)[1])
    slow = [row for row in results[sizes[-1]][2].values() if row[1] in ('rollups', 'index') and row[6] > GOAL_MS]
    for row in slow:
        print('store: %s: %.1f ms, the goal is %d' % (row[0], row[6], GOAL_MS), file=sys.stderr)
    return 1 if slow else 0


if __name__ == '__main__':
    sys.exit(main())

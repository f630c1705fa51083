#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU time, memory and exactness of weir beside the floor and its peers, and every goal there is: run.py quick|full [options]

The recipes (captures, floor, small peers) are not part of this repository: they are read from ../shared/bench or $WEIR_BENCH_SRC
and copied to build-bench/. Captures are made once, in build-bench/pcaps-SIZE (root: network namespaces), or taken as they are
from $WEIR_PCAPS. quick: a fifth of their size. full: whole.

Every program reads every capture in turn, run after run, so that what disturbs the machine disturbs all of them; the first
run (page cache) is dropped and the median of the others taken; a program of more than 2 s runs less often. CPU is user + system of the
whole process (measure.c). What counts is the ratio to the floor and to a peer of the same run. A peer that cannot be had is told.

  --write          put tables and plots into docs/ (performance.md between its markers, bench-*.svg)
  --runs N         measured runs after the dropped one (default 5)
  --only A,B       these captures only
  --peers A,B      these peers only (default all: nids,tins,go,gonew,tcpflow,httpry,tshark)
  --parts A,B      these parts only: captures exact instructions memory flood live workers flows sizes loss prices
  --again          measure nothing: the tables and plots of the last run once more (build-bench/results-SIZE.json)
Exit status 1 when weir could not be run or its counts are not the truth's; a goal of speed that is not reached is said, and is no error.
"""
import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare
import goals
import plots
import programs
import scales
import tables
from captures import Captures
from lab import BIN, ROOT, WEIR, WEIR_PROFILED, WORK, Progress, counts_of_text, die  # noqa: F401
from compare import is_exact  # noqa: F401

# Seconds that a part takes on a quiet machine, for the estimate: {size: (part, or a capture)}
SECONDS = {'quick': {'small': 35, 'churn': 40, 'bulk': 25, 'messy': 70, 'messyloss': 80, 'exact': 25, 'instructions': 40, 'memory': 5,
                     'flood': 20, 'live': 40, 'workers': 10, 'flows': 15, 'sizes': 20, 'loss': 30, 'prices': 35},
           'full': {'small': 120, 'churn': 150, 'bulk': 60, 'messy': 150, 'messyloss': 140, 'exact': 110, 'instructions': 40, 'memory': 15,
                    'flood': 20, 'live': 40, 'workers': 25, 'flows': 80, 'sizes': 45, 'loss': 90, 'prices': 35}}
PARTS = ('captures', 'exact', 'instructions', 'memory', 'flood', 'live', 'workers', 'flows', 'sizes', 'loss', 'prices')
LIVE = os.path.join(ROOT, 'tests', 'live', 'test_ceiling.py')


class Bench:
    """What the parts need to know, and where their results go."""

    def __init__(self, options):
        self.size, self.runs = options.size, options.runs
        self.captures = Captures(options.size)
        self.only = options.only.split(',') if options.only else None
        self.parts = options.parts.split(',') if options.parts else list(PARTS)
        self.peers = [peer for peer in (options.peers.split(',') if options.peers is not None else programs.PEERS) if peer]
        self.have, self.missing, self.problems = {}, {}, []
        self.results = {'size': self.size, 'runs': self.runs, 'machine': machine(), 'cores': os.cpu_count()}
        self.progress = None

    def wanted(self, names):
        return [name for name in names if self.only is None or name in self.only]


def machine():
    model = 'unknown processor'
    with open('/proc/cpuinfo') as file:
        match = re.search(r'^model name\s*:\s*(.*)$', file.read(), re.M)
        model = match.group(1) if match else model
    version = subprocess.run(['git', '-C', ROOT, 'rev-parse', '--short', 'HEAD'], stdout=subprocess.PIPE).stdout.decode().strip()
    load = os.getloadavg()[1]
    return '%s, %d cores, Linux %s, weir at %s%s.' % (model, os.cpu_count(), platform.release(), version or 'an unknown commit',
                                                     ', **with other work on the machine: load %.1f before**' % load if load > 1 else '')


def live(bench):
    """At the sender's ceiling on a veth pair, JSON to a file: the figures that tests/live/test_ceiling.py prints, by the number of workers."""
    sender = os.path.join(BIN, 'sender')
    if os.geteuid() != 0:
        return {'why': 'root is needed'}
    done = subprocess.run([sys.executable, LIVE, WEIR, sender, 'no_drop_at_the_ceiling'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    text = done.stdout.decode('utf-8', 'replace')
    found = {}
    # of up to three tries on a machine that does other things too, the last
    for jobs, rate, dropped, core in re.findall(r'-j (\d+): (\d+) packets a second, (\d+) dropped, ([\d.]+) % of a core', text):
        found[jobs] = {'packets_per_second': int(rate), 'drops': int(dropped), 'core': float(core) / 100}
    return {'jobs': found} if found else {'why': 'status %d: %s' % (done.returncode, text[-300:])}


def plan(bench):
    """[(name, function, where its result goes)]"""
    steps = []
    have = [name for name in bench.wanted(compare.CAPTURES) if bench.captures.has(name)]
    for name in bench.wanted(compare.CAPTURES):
        if name not in have:
            print('bench: no %s: left out' % bench.captures.path(name))
    if 'captures' in bench.parts:
        steps += [(name, lambda name=name: compare.capture(bench, name), ('captures', name)) for name in have]
    if 'exact' in bench.parts:
        steps += [('exact', lambda name=name: exact(bench, name), ('exact', name)) for name in bench.wanted(compare.EXACT) if bench.captures.has(name)]
    base = bench.captures.has('small') and bench.captures.has('churn')
    for part, function, possible in (
            ('instructions', scales.instructions, base and shutil.which('valgrind')), ('memory', scales.memory_of_flows, True),
            ('flood', scales.flood, bench.captures.has('flooded')), ('live', live, True), ('workers', scales.workers, bench.captures.has('small')),
            ('flows', scales.flows, True), ('sizes', scales.sizes, True), ('loss', scales.loss, base), ('prices', scales.prices, base)):
        if part in bench.parts and possible:
            steps.append((part, lambda function=function: function(bench), (part,)))
    if 'captures' in bench.parts and 'messyloss' in have:
        steps.append(('lossy', lambda: scales.lossy(bench), ('lossy',)))
    return steps


def exact(bench, name):
    found = compare.exact(bench, name)
    found['truth'] = bench.captures.truth(name)
    if not is_exact(name, tuple(found['counts']), found['truth']) or not all(found['same'].values()):
        bench.problems.append('weir is not exact on %s: %s' % (name, found))
    return found


def measure_all(bench):
    steps = plan(bench)
    seconds = SECONDS[bench.size]
    times = [seconds.get(name, 2) / (sum(1 for other in steps if other[0] == name)) for name, _, _ in steps]
    share = (bench.runs + 1) / 6 if bench.runs < 5 else 1
    bench.progress = Progress(sum(times) * max(share, 0.4))
    print('%d parts, about %d minutes on a quiet machine' % (len(steps), round(bench.progress.total / 60 + 0.5)), flush=True)
    for (name, function, where), estimate in zip(steps, times):
        bench.progress.begin(' '.join(where), estimate * max(share, 0.4))
        target = bench.results
        for key in where[:-1]:
            target = target.setdefault(key, {})
        try:
            target[where[-1]] = function()
        except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as problem:
            bench.problems.append('%s: %s' % (' '.join(where), problem))
            print('bench: error: ' + bench.problems[-1], file=sys.stderr)
        bench.progress.end()
        keep(bench)


def keep(bench):
    """What there is so far, for --again."""
    with open(os.path.join(WORK, 'results-%s.json' % bench.size), 'w') as file:
        json.dump(bench.results, file, indent=1)


def prepare(bench):
    os.makedirs(WORK, exist_ok=True)
    if not os.path.exists(WEIR):
        die('no %s' % WEIR, 'run: ./dev build')
    if not os.path.exists(WEIR_PROFILED) and 'instructions' in bench.parts:
        print('bench: no %s (./dev bench makes it): instructions are not told by group' % WEIR_PROFILED)
    recipes = programs.find_recipes()
    bench.have, bench.missing = programs.build(recipes, bench.peers)
    bench.captures.make(recipes, bench.wanted(compare.CAPTURES + compare.EXACT + ('flooded',)))
    bench.results.update(peers=bench.have, missing=bench.missing, truth={
        name: bench.captures.truth(name) for name in bench.wanted(compare.CAPTURES) if bench.captures.has(name)})
    if bench.captures.has('small'):
        bench.results['small_packets'] = packets_of(bench.captures.path('small'))


def packets_of(path):
    done = subprocess.run([WEIR, '-q', '-r', path, '-k', 'none', '-o', 'none', '--summary=json'], stderr=subprocess.PIPE, check=True)
    return json.loads(done.stderr)['packets']


def show(results, write):
    # as the file of results has them
    results = json.loads(json.dumps(results))
    lines, more = list(tables.section(results)), list(tables.scale_section(results))
    print('\n' + '\n'.join(lines + [''] + more) + '\n')
    if write:
        tables.write(results['size'], lines)
        tables.write_memory(results)
        # a run of some parts leaves the page's figures of the others as they are
        if all(results.get(part) for part in ('captures', 'workers', 'flows', 'sizes', 'loss', 'prices')):
            tables.write('scales', more)
            plots.draw(results)
    rows = goals.all_of(results)
    print('goals: %d reached, %d not reached, %d not measured' % tuple(sum(1 for row in rows if row[3] is word) for word in (True, False, None)))


def main():
    parser = argparse.ArgumentParser(description='see the head of this file')
    parser.add_argument('size', choices=('quick', 'full'))
    parser.add_argument('--write', action='store_true')
    parser.add_argument('--again', action='store_true')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--only')
    parser.add_argument('--peers')
    parser.add_argument('--parts')
    options = parser.parse_args()
    start = time.monotonic()
    bench = Bench(options)
    if options.again:
        with open(os.path.join(WORK, 'results-%s.json' % options.size)) as file:
            bench.results = json.load(file)
    else:
        prepare(bench)
        measure_all(bench)
        shutil.rmtree(scales.SCRATCH, ignore_errors=True)
    show(bench.results, options.write)
    for problem in bench.problems:
        print('bench: error: ' + problem, file=sys.stderr)
    print('%d:%02d minutes' % divmod(time.monotonic() - start, 60))
    return 1 if bench.problems else 0


if __name__ == '__main__':
    sys.exit(main())

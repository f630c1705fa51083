#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench/: what it reads from each program, when it calls weir exact and a goal reached, and where it counts an instruction."""
import hashlib
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
spec = importlib.util.spec_from_file_location('run', os.path.join(ROOT, 'bench', 'run.py'))
bench = importlib.util.module_from_spec(spec)
sys.dont_write_bytecode = True
spec.loader.exec_module(bench)
import compare  # noqa: E402
import goals  # noqa: E402
import hotpath  # noqa: E402
import lab  # noqa: E402

CALLGRIND = """version: 1
events: Ir

ob=(1) /x/weir
fl=(1) /x/src/parser/http1.c
fn=(1) http1_data
10 100
fi=(2) /x/src/base/wire.h
+2 20
fe=(1)
12 7
cfi=(3) ./string/memcpy.S
cfn=(2) memcpy
calls=3 5
* 30
+1 3

fn=(3) make
1 5
cfi=(3)
cfn=(2)
calls=1 5
* 10

fl=(3)
fn=(2)
5 40

fl=(4) /x/src/nowhere/at_all.c
fn=(4) lost
1 9
"""


class Bench(unittest.TestCase):
    def test_counts_of_the_floor(self):
        self.assertEqual(bench.counts_of_text('rhttp pk=9 pay=7 flows=2 req=12 resp=11 ooo=0 hdr=3'), (12, 11))

    def test_counts_of_the_peers_and_the_truth(self):
        self.assertEqual(bench.counts_of_text('connections=1 bytes=2 requests=5 responses=4\n'), (5, 4))
        self.assertEqual(bench.counts_of_text('requests=8 responses=7 body_bytes=1 s499=0'), (8, 7))

    def test_lost_counts_of_the_truth_are_not_the_counts(self):
        text = 'packets=9 dropped=1 requests=5 responses=6 lost_requests=2 lost_responses=3\n'
        self.assertEqual(bench.counts_of_text(text), (5, 6))

    def test_whole_capture_must_be_exact(self):
        self.assertTrue(bench.is_exact('small', (100, 100), (100, 100)))
        self.assertFalse(bench.is_exact('small', (100, 99), (100, 100)))
        self.assertFalse(bench.is_exact('messy', (101, 100), (100, 100)))

    def test_lossy_capture_must_keep_99_percent_and_invent_nothing(self):
        self.assertTrue(bench.is_exact('messyloss', (990, 1000), (1000, 1000)))
        self.assertFalse(bench.is_exact('messyloss', (989, 1000), (1000, 1000)))
        self.assertFalse(bench.is_exact('messyloss', (1001, 1000), (1000, 1000)))

    def test_messages_are_counted_wherever_reads_end(self):
        text = b'{"http":{"request":{"method":"GET"},"response":{"status_code":200}}}\n' * 7

        class Slow(io.BytesIO):
            def read(self, size=-1):
                return super().read(self.step)

        for step in 1, 5, 13, 64, 65, 1000:
            stream, digest = Slow(text), hashlib.sha1()
            stream.step = step
            self.assertEqual(compare.count_in(stream, digest), (7, 7), step)
            self.assertEqual(digest.digest(), hashlib.sha1(text).digest())

    def test_instructions_belong_to_the_file_or_to_who_called(self):
        with tempfile.NamedTemporaryFile('w', suffix='.callgrind') as file:
            file.write(CALLGRIND)
            file.flush()
            longer = hotpath.Profile(file.name)
        nothing = hotpath.Profile(os.devnull)
        sums, functions = hotpath.Difference(nothing, longer).groups()
        self.assertEqual(longer.total, 184)
        # 100 + 20 inlined + 7 + 3, make's 5, and memcpy's 40: both callers parse
        self.assertEqual(round(sums['parsing']), 175)
        self.assertEqual(sums['other'], 9)
        self.assertEqual(list(functions['other']), [('lost', '/x/src/nowhere/at_all.c')])

    def test_every_room_belongs_to_a_group(self):
        for folder, _, names in os.walk(os.path.join(ROOT, 'src')):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith(('.c', '.h')) and '/src/base/' not in path:
                    self.assertIsNotNone(hotpath.by_rules('f', path), path)

    def test_the_shorter_run_is_taken_off(self):
        with tempfile.NamedTemporaryFile('w', suffix='.callgrind') as file:
            file.write(CALLGRIND)
            file.flush()
            once = hotpath.Profile(file.name)
            file.seek(0)
            file.write(CALLGRIND.replace('10 100\n', '10 300\n'))
            file.flush()
            more = hotpath.Profile(file.name)
        difference = hotpath.Difference(once, more)
        self.assertEqual(difference.total, 200)
        self.assertEqual({group: cost for group, cost in difference.groups()[0].items() if cost}, {'parsing': 200})

    def test_goals_are_ratios_of_one_run(self):
        row = {'floor': {'cpu': 0.1}, 'weir': {'cpu': 0.19, 'wall': 0.2}, 'weir json': {'cpu': 0.41, 'wall': 0.5},
               'weir json -j 2': {'cpu': 0.5, 'wall': 0.29}, 'go': {'cpu': 5.8}}
        rows = {what: (found, ok) for what, found, _, ok in goals.all_of({'captures': {'small': row}})}
        self.assertEqual(rows['small, no output: weir / floor'], ('1.90', True))
        self.assertEqual(rows['small, JSON: weir / floor'], ('4.10', False))
        self.assertEqual(rows['small, no output: Go / weir'], ('30.5', True))
        self.assertEqual(rows['small, no output: libnids / weir'], ('not measured', None))
        self.assertEqual(rows['small, JSON: throughput of two workers / of one'], ('1.72', True))

    def test_exact_is_the_truth_and_the_same_bytes(self):
        def found(counts, same):
            result = {'exact': {'small': {'truth': (9, 9), 'counts': counts, 'same': {'1': True, '2': same}}}}
            return [row[3] for row in goals.all_of(result) if row[0].startswith('small: requests')]
        self.assertEqual((found((9, 9), True), found((9, 8), True), found((9, 9), False)), ([True], [False], [False]))

    def test_runs_are_interleaved_and_the_first_is_dropped(self):
        order, values = [], iter([9, 1, 9, 2, 5, 3])

        def once(name):
            def run():
                order.append(name)
                return {'cpu': next(values), 'wall': 0.1, 'rss': 1, 'text': ''}
            return run
        result = lab.interleave([('a', once('a')), ('b', once('b'))], 2)
        self.assertEqual(order, ['a', 'b'] * 3)
        self.assertEqual((result['a']['cpu'], result['b']['cpu'], result['a']['runs']), (7, 2.5, 2))

    def test_a_program_that_fails_is_told_and_does_not_stop_the_others(self):
        def fails():
            raise RuntimeError('no such thing')
        result = lab.interleave([('a', fails), ('b', lambda: {'cpu': 1, 'wall': 30, 'rss': 1, 'text': ''})], 5)
        self.assertEqual(result['a'], {'why': 'no such thing'})
        self.assertEqual(result['b']['runs'], 1)

    def test_measure_reports_status_cpu_and_memory_of_the_program(self):
        folder = tempfile.mkdtemp(prefix='weir-bench.')
        self.addCleanup(shutil.rmtree, folder)
        program, log = os.path.join(folder, 'measure'), os.path.join(folder, 'log')
        subprocess.run(['gcc', '-O2', '-D_GNU_SOURCE', '-o', program, os.path.join(ROOT, 'bench', 'measure.c')], check=True)
        code = 'x = bytearray(100_000_000); sum(range(3_000_000)); raise SystemExit(3)'
        run = subprocess.run([program, log, sys.executable, '-c', code])
        with open(log) as file:
            status, user, system, wall, rss = (float(word) for word in file.read().split())
        self.assertEqual((run.returncode, status), (3, 3))
        self.assertGreater(rss * 1024, 100e6)
        self.assertGreater(user + system, 0.01)
        self.assertGreaterEqual(wall * 1.2 + 0.05, user + system)


if __name__ == '__main__':
    outcome = unittest.main(exit=False, verbosity=1).result
    bad = len(outcome.failures) + len(outcome.errors)
    print('%d passed, %d failed, %d skipped' % (outcome.testsRun - bad, bad, 0))
    sys.exit(1 if bad else 0)

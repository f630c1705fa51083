#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench/run.py: what it reads from each program, and when it calls weir exact."""
import importlib.util
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

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same bytes for any number of workers: test_threads.py WEIR [CAPTURE...]

Records, the index and the files of `streams`, and the summary of -j 2, 3, 8 and 16 are compared with those of -j 1: with two
sinks, which get records, and with one, whose text the workers make. Runs
under ThreadSanitizer too (suite `threads`), where a data race ends the program with a status of its own.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORKERS = (2, 3, 8, 16)
# One sink each, of which the output is text on stdout, or none.
ALONE = (('--json',), ('-o', 'json:-,format=ecs'), ('-o', 'text:-,types=http+tcp+anomaly'), ('-o', 'csv'), ('-o', 'none'),
         ('--json', '-Y', 'status>=300 or -path:/a*'), ('-o', 'har:-'), ('--json', '-o', 'none', '-k', 'none'))
# What depends on the machine and not on the capture.
UNSTABLE = ('elapsed_ns', 'memory')
SKIPPED_EXIT = 77


def start(weir, capture, workers, *options):
    """(the finished process, the stable part of the summary as text: what is in which order counts)."""
    done = subprocess.run([weir, '-r', capture, '-j', str(workers), '--summary=json', *options],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    summary = {}
    for line in done.stderr.decode('utf-8', 'replace').splitlines():
        if line.startswith('{'):
            summary = {key: value for key, value in json.loads(line).items() if key not in UNSTABLE}
    return done, summary and json.dumps(summary)


def run(weir, capture, workers, folder):
    """(exit status, stdout, stable part of the summary, {file: bytes})."""
    streams = os.path.join(folder, 'j%d' % workers)
    done, summary = start(weir, capture, workers, '--json', '-o', 'streams:' + streams)
    files = {}
    for path in sorted(glob.glob(os.path.join(streams, '*'))):
        with open(path, 'rb') as file:
            files[os.path.basename(path)] = file.read()
    if done.returncode not in (0, 3):
        sys.stderr.write(done.stderr.decode('utf-8', 'replace'))
    return done.returncode, done.stdout, summary, files


def differences(weir, capture, folder):
    """Sentences about what is not as it should be."""
    one = run(weir, capture, 1, folder)
    if one[0] not in (0, 3):
        yield '-j 1 ended with status %d' % one[0]
    if not one[1] or not json.loads(one[2] or '{}').get('packets') or not one[3]:
        yield 'no records, summary or streams: nothing was compared'
    for workers in WORKERS:
        many = run(weir, capture, workers, folder)
        for what, a, b in zip(('exit status', 'records', 'summary', 'streams'), one, many):
            if a != b:
                yield '-j %d: %s differ from those of -j 1' % (workers, what)
    for options in ALONE:
        one, summary = start(weir, capture, 1, *options)
        if not one.stdout and 'none' not in options or one.returncode not in (0, 3):
            yield '%s: status %d, %d bytes' % (' '.join(options), one.returncode, len(one.stdout))
        for workers in WORKERS:
            for more in ((), ('--batch', '7')):
                many = start(weir, capture, workers, *options, *more)
                if (many[0].returncode, many[0].stdout, many[1]) != (one.returncode, one.stdout, summary):
                    yield '-j %d %s: not as with -j 1' % (workers, ' '.join(options + more))


def main():
    weir, captures = sys.argv[1], sys.argv[2:] or [os.path.join(ROOT, 'examples', 'demo.pcapng')]
    captures = [capture for capture in captures if os.path.exists(capture)]
    if not captures:
        print('no capture to read')
        return SKIPPED_EXIT
    failed = 0
    for capture in captures:
        folder = tempfile.mkdtemp(prefix='weir-threads.')
        try:
            problems = list(differences(weir, capture, folder))
        finally:
            shutil.rmtree(folder)
        for problem in problems:
            print('%s: %s' % (os.path.basename(capture), problem))
        failed += bool(problems)
    print('%d passed, %d failed, 0 skipped' % (len(captures) - failed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

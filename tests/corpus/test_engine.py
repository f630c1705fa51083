#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The public engine gives the streams that the program writes: test_engine.py WEIR ENGINE_STREAMS

For each capture, three ways: callbacks that take all, callbacks that hold parts back, events pulled through a small queue.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import corpus  # noqa: E402

WEIR, ENGINE = sys.argv[1], sys.argv[2]
MODES = ['push', 'hold', 'pull']
SIZE_LIMIT = 1 << 20  # of a capture


def of_program(folder, path):
    result = corpus.run(WEIR, '-r', path, '-o', 'streams:' + folder, '-o', 'none', '--summary=none')
    if result.status not in (0, 3):
        return None
    return sorted('%s %s %d %s %d %d' % (s.index['flow_id'], s.direction, s.index['bytes'], s.index['sha256'], len(s.gaps),
                                         s.gap_bytes()) for s in corpus.streams_of(folder))


def one(path):
    """The problem of each way."""
    expected = corpus.with_folder(of_program, path)
    done = subprocess.run([ENGINE, path] + MODES, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if expected is None or done.returncode == 2:
        return [(mode, None) for mode in MODES]  # not a capture
    if done.returncode != 0:
        return [('all ways', done.stderr.decode('utf-8', 'replace')[:300] or 'exit status %d' % done.returncode)]
    lines, problems = {}, []
    for line in done.stdout.decode().splitlines():
        if line in MODES:
            mode = line
            lines[mode] = []
        else:
            lines[mode].append(line)
    for mode in MODES:
        differ = sorted(set(lines[mode]) ^ set(expected))
        problems.append((mode, None if sorted(lines[mode]) == expected else 'streams differ: %s' % differ[:2]))
    return problems


def main():
    tally = corpus.Tally()
    paths = [os.path.join(corpus.ROOT, 'examples', 'demo.pcapng')]
    folder = os.path.join(os.environ.get('WEIR_SHARED') or os.path.join(corpus.ROOT, '..', 'shared'), 'corpus', 'captures')
    for base, _, names in sorted(os.walk(folder)):
        paths += [os.path.join(base, name) for name in sorted(names)]
    paths = [path for path in paths if os.path.getsize(path) <= SIZE_LIMIT]
    for path, problems in zip(paths, corpus.each(one, paths)):
        for mode, problem in problems:
            tally.row('%s %s' % (os.path.basename(path), mode), problem)
    return tally.finish()


if __name__ == '__main__':
    sys.exit(main())

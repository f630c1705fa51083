#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Any split of the same bytes gives the same records: test_split.py WEIR WEIR_SPLIT

Every capture of the corpus in which weir finds HTTP, once as it is and then with what reassembly delivers cut into single bytes
and into random pieces (split.c): with bodies, the records of transactions and anomalies must be the same, times and packets
included. Their order is left open, and that of the codes of a record: what waits for the other direction goes on at the byte that
it waits for, which may lie within a segment that says more.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import corpus  # noqa: E402

WAYS = (1, 2, 3, 4)
# ids are numbered as records begin, which is part of the order
LEFT_OUT = ('id',)
KNOWN = {}


def records_of(weir, path):
    result = corpus.run(weir, '-q', '-j', 1, '--redact=off', '--bodies=keep', '-r', path, '--json')
    if result.late or corpus.SANITIZER.search(result.err):
        return None, 'ran for too long' if result.late else result.err[:300]
    lines, http = [], 0
    for record in corpus.records_of(result):
        http += record['type'] == 'http'
        for name in LEFT_OUT:
            record.pop(name, None)
        record['anomalies'] = sorted(record.get('anomalies', []))
        lines.append(json.dumps(record, sort_keys=True))
    return (sorted(lines), http), None


def check(weir, split, file):
    """[(name, problem)] of one capture; none without HTTP."""
    path = corpus.shared('corpus', file)
    whole, problem = records_of(weir, path)
    if problem:
        return [((corpus.short(file), 'whole'), problem)]
    if whole[1] == 0:
        return []
    answers = []
    for way in WAYS:
        os.environ['WEIR_SPLIT'] = str(way)
        pieces, problem = records_of(split, path)
        if not problem and pieces != whole:
            more = [line for line in pieces[0] if line not in whole[0]][:1]
            less = [line for line in whole[0] if line not in pieces[0]][:1]
            problem = 'differs: %s\n  was %s' % (more, less)
        answers.append(((corpus.short(file), 'split %d' % way), problem))
    return answers


def main():
    weir, split = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    tally = corpus.Tally(KNOWN)
    captures = 0
    for row in corpus.rows('corpus', 'manifest.tsv'):
        answers = check(weir, split, row['file'])
        captures += bool(answers)
        for name, problem in answers:
            tally.row(name, problem)
    print('%d captures with HTTP, each in %d ways of splitting' % (captures, len(WAYS)))
    return tally.finish()


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peers' own expectations: test_peers.py [-v] WEIR

corpus/expected/peer_expectations.tsv, the kinds that are about TCP flows, HTTP/1, Redis and DNS over TCP (peers.py maps each to weir's records).
A row that is contested (tshark_confirms = no) is left out; anything else that does not hold counts as a failure. FLOORS is what
was reached, kind by kind: fewer is a failure. -v prints every row that does not hold.
"""
import collections
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import corpus  # noqa: E402
import peers  # noqa: E402

FLOORS = {
    'conn': 95,
    'file': 1,
    'db_msg': 2,
    'db_tx': 4,
    'dns': 4,
    'dns_count': 2,
    'file_count': 33,
    'flow_count': 25,
    'har_entry': 13,
    'http_msg': 2,
    'http_session': 13,
    'http_tx': 126,
    'http_tx_count': 12,
    'packetbeat_assert': 158,
    'session': 23,
    'smtp_count': 20,
    'suricata_stats': 18,
    'tunnel': 26,
}


# What is about flows, not about HTTP: of these together so many per cent must hold, whatever the floors say.
FLOW_KINDS = ('conn', 'flow_count', 'session', 'suricata_stats', 'tunnel')
FLOW_PERCENT = 95
HTTP_KINDS = ('har_entry', 'http_tx', 'http_session', 'http_msg', 'http_tx_count', 'file_count', 'file', 'packetbeat_assert')
HTTP_PERCENT = 97  # of these kinds, whatever protocol a file came by; Redis has its packetbeat_assert among them


def checksum_policy(row):
    words = row['config'].split()
    without = '-C' in words or '-Cr' in words or any(a == '-k' and b == 'none' for a, b in zip(words, words[1:]))
    return 'none' if without else 'auto'


def answers(folder, weir, job):
    """[(row, problem)] of one capture with one checksum policy."""
    (file, policy), rows = job
    result = corpus.run(weir, '-r', corpus.shared('corpus', file), '-j', 1, '-k', policy, '--redact=off', '--bodies=keep',
                        '--body-limit=4M', '--json', '-o', 'streams:' + folder, '-o', 'har:' + os.path.join(folder, 'x.har'),
                        '--summary=json')
    capture = peers.Capture(corpus.records_of(result), corpus.summary_of(result))
    with open(os.path.join(folder, 'x.har'), encoding='utf-8') as har:
        capture.har = json.load(har)['log']['entries']
    capture.weir, capture.path = weir, corpus.shared('corpus', file)
    capture.begin = {(s.index['flow_id'], s.direction): s.data[:8].hex() for s in corpus.streams_of(folder)}
    taken = {}
    return [(row, peers.KINDS[row['kind']](row, capture, taken)) for row in rows]


def main():
    verbose, weir = '-v' in sys.argv, sys.argv[-1]
    jobs = collections.OrderedDict()
    contested = collections.Counter()
    for row in peers.load():
        if row['tshark_confirms'] == 'no':
            contested[row['kind']] += 1
        else:
            jobs.setdefault((row['file'], checksum_policy(row)), []).append(row)
    held, total, reasons = collections.Counter(), collections.Counter(), collections.Counter()
    for result in corpus.each(lambda job: corpus.with_folder(answers, weir, job), list(jobs.items())):
        for row, problem in result:
            total[row['kind']] += 1
            held[row['kind']] += not problem
            if problem:
                reasons[row['kind'], problem] += 1
                if verbose:
                    print('%s %s %s: %s' % (row['kind'], corpus.short(row['file']), row['case'], problem))
    passed = failed = 0
    for kind in sorted(total):
        floor = FLOORS.get(kind, 0)
        print('%-18s %3d of %3d hold, %.1f %% (%d contested)' % (
            kind, held[kind], total[kind], 100 * held[kind] / total[kind], contested[kind]))
        passed += min(held[kind], floor) if floor else 0
        if held[kind] < floor:
            failed += floor - held[kind]
            for (of, reason), number in reasons.most_common():
                if of == kind:
                    print('  %3d x %s' % (number, reason[:200]))
        elif held[kind] > floor:
            print('  raise the floor of %s from %d to %d' % (kind, floor, held[kind]))
    flows_held, flows = (sum(count[kind] for kind in FLOW_KINDS) for count in (held, total))
    print('%s: %d of %d hold, %.1f %%' % (' '.join(FLOW_KINDS), flows_held, flows, 100 * flows_held / flows))
    failed += flows_held * 100 < flows * FLOW_PERCENT
    http_held, http = (sum(count[kind] for kind in HTTP_KINDS) for count in (held, total))
    print('%s: %d of %d hold, %.1f %%' % (' '.join(HTTP_KINDS), http_held, http, 100 * http_held / http))
    failed += http_held * 100 < http * HTTP_PERCENT
    print('%d passed, %d failed, 0 skipped' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())

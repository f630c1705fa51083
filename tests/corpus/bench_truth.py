#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts and pairs on the benchmark's captures: bench_truth.py WEIR FOLDER

For each X.pcap in FOLDER with an X.truth (`requests=N responses=N lost_requests=N ...`): requests and responses found against
the truth, which must be all that were captured whole (at least 99 % where packets were dropped). messy and messyloss are made
of small and churn (as 10.77.0 and 10.77.1, shifted in time), whose requests have a number in the URL: with those two, read
first, it is known how long after each request its answer began, and a pair in the mangled capture that says another time is a
wrong pair.
"""
import json
import os
import re
import subprocess
import sys

BASES = ('small', 'churn')
MANGLED = ('messy', 'messyloss')
# Reordering moves the times of a packet by up to 0.6 ms; the next answer of a connection comes 2 ms later (the median).
TOLERANCE_NS = 1000000
LOSS_SHARE = 0.99


def truth_of(path):
    with open(path, encoding='utf-8') as file:
        return {name: int(float(value)) for name, value in re.findall(r'(\w+)=([\d.]+)', file.read())}


def exchanges(weir, path):
    """(key, request seen, response seen, after which time it was answered, pairing) of each exchange."""
    command = [weir, '-q', '-k', 'none', '--redact=off', '--json']
    with subprocess.Popen(command + ['-r', path], stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if not line.startswith(b'{"type":"http"'):
                continue
            record = json.loads(line)
            request = record['http'].get('request', {})
            timing = record.get('timing', {})
            answered = None
            if 'wait_ns' in timing:
                answered = timing.get('send_ns', 0) + timing['wait_ns']
            part = int(record['client']['address'].split('.')[2])
            key = (part, record['client']['port'], request.get('target'))
            yield key, 'method' in request, 'status_code' in record['http'].get('response', {}), answered, \
                record.get('pairing')
    if process.returncode not in (0, 3):
        raise SystemExit('weir ended with status %d' % process.returncode)


def answer_times(weir, paths):
    """{key: how long its answers took}: a URL may come again on a port that is used again."""
    times = {}
    for part, path in enumerate(paths):
        for (_, port, target), _, response, answered, _ in exchanges(weir, path):
            if response and answered is not None:
                times.setdefault((part, port, target), []).append(answered)
    return times


def check(weir, name, path, truth, times):
    requests = responses = pairs = wrong = exact = 0
    for key, request, response, answered, pairing in exchanges(weir, path):
        requests += request
        responses += response
        if request and response and key in times and answered is not None and pairing != 'uncertain':
            pairs += 1
            exact += pairing == 'exact'
            wrong += all(abs(answered - time) > TOLERANCE_NS for time in times[key])
    want = truth['requests'], truth['responses']
    if truth.get('dropped'):
        # what was cut is found too, so there may be more than the truth's whole ones
        good = requests >= LOSS_SHARE * want[0] and responses >= LOSS_SHARE * want[1]
    else:
        good = (requests, responses) == want
    print('%-10s requests %d of %d, responses %d of %d, pairs %d (%d exact), wrong %d: %s' % (
        name, requests, want[0], responses, want[1], pairs, exact, wrong, 'ok' if good and not wrong else 'NOT OK'))
    return good and not wrong


def main():
    weir, folder = sys.argv[1:3]
    names = sorted(name[:-6] for name in os.listdir(folder) if name.endswith('.truth'))
    paths = {name: os.path.join(folder, name + '.pcap') for name in names}
    paths = {name: path for name, path in paths.items() if os.path.exists(path)}
    times = {}
    if all(base in paths for base in BASES) and any(name in paths for name in MANGLED):
        times = answer_times(weir, [paths[base] for base in BASES])
    results = []
    for name in paths:
        truth = truth_of(os.path.join(folder, name + '.truth'))
        if 'requests' in truth:
            results.append(check(weir, name, paths[name], truth, times if name in MANGLED else {}))
    if not results:
        print('no capture with a truth in %s' % folder)
        return 77
    print('%d passed, %d failed, 0 skipped' % (sum(results), len(results) - sum(results)))
    return 0 if all(results) else 1


if __name__ == '__main__':
    sys.exit(main())

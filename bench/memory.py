#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bytes that a flow costs: memory.py WEIR MANY_FLOWS [--flows N] [--memory SIZE] [--write]

MANY_FLOWS is bench/many_flows: captures of N and of 2 N flows that are all open at the end. What the second N add to the peak of
the memory that weir charges to its budget, divided by N, is the cost of a flow: table, lists and all. No flow may be evicted, and
each transaction must be told. Exit 1 when a flow costs more than PERFORMANCE.md's goal, or anything is lost; --write puts the
table into docs/performance.md.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REQUEST = len('GET /item/00000000 HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: many/1\r\nAccept: */*\r\n\r\n')
# kind, what it is, bytes of payload that wait in it, goal without those (None: there is none), transactions a flow
KINDS = (('half-open', 'half-open', 0, 64, 0),
         ('idle', 'idle, one HTTP transaction over', 0, 256, 1),
         ('waiting', 'one segment waits behind a hole', REQUEST - 30, 256, 0),
         ('in-flight', 'an HTTP request without its answer', 0, None, 1))


def summary(weir, program, kind, flows, options, folder):
    path = os.path.join(folder, kind + '.pcap')
    with open(path, 'wb') as file:
        subprocess.run([program, kind, str(flows)], stdout=file, check=True)
    done = subprocess.run([weir, '-q', '-r', path, '-k', 'none', '-j', '1', '-o', 'none', '--summary=json'] + options, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=True)
    os.unlink(path)
    return json.loads(done.stderr)


def cost(weir, program, kind, transactions, flows, options):
    """(bytes a flow, problem or None)"""
    with tempfile.TemporaryDirectory(prefix='weir-memory.') as folder:
        once, twice = (summary(weir, program, kind, n, options, folder) for n in (flows, 2 * flows))
    problem = None
    if twice['tcp']['flows'] != 2 * flows or twice['tcp']['ended']['evicted'] or any(twice['drops'].values()):
        problem = 'flows %d, drops %s' % (twice['tcp']['flows'], twice['drops'])
    elif twice['records'].get('http', 0) != 2 * flows * transactions:
        problem = '%d transactions' % twice['records'].get('http', 0)
    return (twice['memory']['peak'] - once['memory']['peak']) / flows, problem


def measure(weir, program, flows, options, tell=lambda text: None):
    """[{'kind', 'what', 'bytes', 'goal', 'payload', 'problem', 'reached'}]; goal None: there is none"""
    rows = []
    for kind, what, payload, goal, transactions in KINDS:
        tell(what)
        # a shard's pages of 16 KiB are to be many
        found, problem = cost(weir, program, kind, transactions, max(flows, 60000) if kind == 'half-open' else flows, options)
        rows.append({'kind': kind, 'what': what, 'bytes': found, 'goal': goal, 'payload': payload, 'problem': problem,
                     'reached': problem is None and (goal is None or found <= goal + payload)})
    return rows


def table(rows):
    yield '| flow | bytes | goal |'
    yield '|---|---|---|'
    for row in rows:
        goal = '' if row['goal'] is None else '%d%s' % (row['goal'], ' + its %d' % row['payload'] if row['payload'] else '')
        yield '| %s | %.0f | %s |' % (row['what'], row['bytes'], goal)


def write(rows):
    name = os.path.join(ROOT, 'docs', 'performance.md')
    with open(name, encoding='utf-8') as file:
        page = file.read()
    page = re.sub(r'(<!-- bench:memory -->\n).*(<!-- /bench:memory -->)', lambda m: m.group(1) + '\n'.join(table(rows)) + '\n' + m.group(2),
                  page, flags=re.S)
    with open(name, 'w', encoding='utf-8') as file:
        file.write(page)


def main():
    parser = argparse.ArgumentParser(description='see the head of this file')
    parser.add_argument('weir')
    parser.add_argument('many_flows')
    parser.add_argument('--flows', type=int, default=500000)
    parser.add_argument('--memory')
    parser.add_argument('--write', action='store_true')
    options = parser.parse_args()
    rows = measure(options.weir, options.many_flows, options.flows, ['--memory', options.memory] if options.memory else [])
    for row in rows:
        print('%s: %.1f bytes a flow%s%s' % (row['kind'], row['bytes'], '' if row['goal'] is None else ', at most %d' % (
            row['goal'] + row['payload']), ': ' + row['problem'] if row['problem'] else '' if row['reached'] else ': too much'))
    if options.write:
        write(rows)
    failed = sum(not row['reached'] for row in rows)
    print('%d passed, %d failed, 0 skipped' % (len(rows) - failed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

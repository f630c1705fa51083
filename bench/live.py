#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live at the ceiling of one sender: live.py WEIR SENDER [--captures DIR] [--seconds N] [--alone] [--write]

SENDER is bench/sender: on a veth pair between two network namespaces it replays small and churn (of DIR; without it, connections made for
this) as fast as it goes, each round with flows of its own. weir writes JSON to a file, in the ways that there are: one worker, one a core, a ring
each (--fanout), a second interface on which nothing comes, packets kept (--ring). Told are packets a second, what was dropped, and CPU time of weir's process, all of it. What was seen
and dropped must be what the interface received, and without drops the transactions must be as many as were sent. --alone gives sender
and weir a core each, before all other work (SCHED_FIFO). --write puts the table into docs/performance.md.
"""
import argparse
import json
import os
import subprocess
import sys
import time

import page

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'live'))
from net import Net, Weir, missing, received, wait_for, write_conversations  # noqa: E402

WAYS = (('-j 1', ['-j', '1']), ('-j 2', ['-j', '2']), ('-j 2 --fanout', ['-j', '2', '--fanout']),
        ('-j 1 -i lo', ['-j', '1', '-i', 'lo']), ('-j 1 --ring', ['-j', '1', '--ring', '%s,max=256M']), ('-j 1 -o none', None))
GOAL = 25


def core(args, number):
    return ['chrt', '-f', '10', 'taskset', '-c', str(number)] if args.alone else []


class Quiet(Weir):
    """Without a sink of records."""

    def __init__(self, net, weir, prefix):
        self.net, self.out = net, net.path('none')
        self.err = net.path('err%d' % time.monotonic_ns())
        with open(self.err, 'wb') as err, open(self.out, 'wb'):
            self.process = net.start(net.server, prefix + [weir, '-i', net.link, '-o', 'none', '--summary=json', '-B', '65536', '-j', '1'],
                                     stdout=subprocess.DEVNULL, stderr=err)


def measure(net, args, path, way):
    """@return (packets a second, dropped, received, CPU seconds, seconds)"""
    before = received(net, net.link, net.server)
    if way is None:
        weir = Quiet(net, args.weir, core(args, 1)).ready()
    else:
        weir = Weir(net, args.weir, [word % net.path('ring') if '%s' in word else word for word in way], prefix=core(args, 1)).ready()
    idle = weir.cpu()
    sender = net.start(net.client, core(args, 0) + [args.sender, net.peer, path, '--seconds', str(args.seconds)], stdout=subprocess.PIPE)
    sent = json.loads(sender.communicate()[0])
    time.sleep(0.3)
    wait_for(weir.settled, 20)
    cpu = weir.cpu() - idle
    weir.stop()
    summary = weir.summaries()[-1]
    got = received(net, net.link, net.server) - before
    dropped = summary['drops'].get('kernel', 0)
    if summary['packets'] + dropped != got or sum(summary['drops'].values()) != dropped:
        sys.exit('live: %d seen, %r, of %d received' % (summary['packets'], summary['drops'], got))
    os.unlink(weir.out)
    return sent['sent'] / sent['seconds'], dropped, got, cpu, sent['seconds']


def table(args, rows):
    lines = ['| capture | weir | packets a second | dropped | of a core | µs a packet |', '|---|---|---|---|---|---|']
    for name, way, (rate, dropped, got, cpu, seconds) in rows:
        lines.append('| %s | `%s` | %s | %s | %.0f %% | %.2f |' % (name, way, format(round(rate, -3), ',.0f'), format(dropped, ','),
                                                               100 * cpu / seconds, 1e6 * cpu / max(got - dropped, 1)))
    return lines + ['', 'Goal: no drop, ≤ %d %% of a core at about 500,000 packets a second (0.5 µs a packet). %s' % (
        GOAL, 'Sender and weir had a core each to themselves.' if args.alone else
        'Load of the machine meanwhile: %.1f on %d cores.' % (os.getloadavg()[0], os.cpu_count()))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('weir', type=os.path.abspath)
    parser.add_argument('sender', type=os.path.abspath)
    parser.add_argument('--captures', type=os.path.abspath)
    parser.add_argument('--seconds', type=float, default=4)
    parser.add_argument('--alone', action='store_true')
    parser.add_argument('--write', action='store_true')
    args = parser.parse_args()
    why = missing(('ip',))
    if why:
        print('skipped: %s' % why)
        return 77
    rows = []
    for name in ('small', 'churn') if args.captures else ('made',):
        for way, words in WAYS:
            net = Net()
            try:
                path = os.path.join(args.captures, name + '.pcap') if args.captures else write_conversations(net.path('sent.pcap'), 3000)
                rows.append((name, way, measure(net, args, path, words)))
            finally:
                net.close()
    lines = table(args, rows)
    print('\n'.join(lines))
    if args.write:
        page.replace('live', '\n'.join(lines) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())

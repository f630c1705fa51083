#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir on a live link for a long time: soak.py WEIR SENDER [--seconds N] [--capture FILE] [--rate PPS] [--quick] [--write]

SENDER is bench/sender: on a veth pair between two network namespaces it replays a capture at its ceiling, each round with flows of
its own, 1 % of the packets left out and 1.5 % out of order. weir writes JSON to a file, which is moved away and opened again (SIGHUP) every
few seconds, so that it does not fill the disk; its lines are counted. Once a second resident memory and CPU time are read, and every few seconds
weir is asked for its figures (SIGUSR1).

Memory is judged from when it stands. Until then weir is stopped for a moment again and again, so that every queue between the ring and the file holds all that it may: how
full they become otherwise is up to what else the machine does. It stands when the largest that was seen has grown by no more than 1 % within a time that is at least the longest timeout of a
flow (so what waits for a timeout has begun to go) and a sixth of --seconds. A run that does not come there within six such times fails: so a leak
fails either by never standing or by growing. Then --seconds count, whatever their number: the mean of the last quarter may be 5 % above
that of the first one at most.

Exit 1 when memory is not flat, when the ledger does not balance, when packets and drops do not add up to what the interface received, or records are not
all in the files. Exit 77 without root or namespaces. --write puts the figures and docs/soak.svg into the documentation. --quick: timeouts of a few
seconds, a rate that any machine keeps up with and little memory for queues, so that memory stands soon and what else the machine does hardly moves it. Without --capture, connections made for it are sent.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import time

import page

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'live'))
from net import Net, Weir, missing, received, wait_for, write_conversations  # noqa: E402

FLAT = 1.05          # the last quarter to the first
STANDS = 1.01        # of the largest so far, within LONGEST_S or a sixth of the time
STEADY = 1.1         # of the sender's packets a second: what is more explains more memory
TRIES = 6            # so many times that long, and it has not stood
PAGE = os.sysconf('SC_PAGE_SIZE')
# the longest timeout of a flow: of timeout.established, as a default and here
LONGEST_S, LONGEST_QUICK_S = 300, 5
STOPPED_S = 0.25     # at a time, until memory stands: the ring holds much more
QUICK_RATE = 100000
QUICK = ['-B', '16384', '--memory', '96M', '--set', 'timeout.closing=2s', '--set', 'timeout.established=5s', '--set', 'timeout.half-open=3s', '--set', 'timeout.tombstone=1s']


def resident(pid):
    """Bytes."""
    with open('/proc/%d/statm' % pid) as file:
        return int(file.read().split()[1]) * PAGE


class Output:
    """The records' file, moved away again and again."""

    def __init__(self, capture):
        self.capture = capture
        self.moved = None
        self.lines = 0

    def count(self, path):
        out = subprocess.run(['wc', '-l', path], stdout=subprocess.PIPE, check=True).stdout
        self.lines += int(out.split()[0])
        os.unlink(path)

    def rotate(self):
        """What was moved away the last time is complete by now."""
        if self.moved:
            self.count(self.moved)
        self.moved = self.capture.out + '.moved'
        os.rename(self.capture.out, self.moved)
        self.capture.tell(signal.SIGHUP)

    def finish(self):
        for path in (self.moved, self.capture.out):
            if path and os.path.exists(path):
                self.count(path)
        return self.lines


def ledger_problem(summary):
    payload = summary['tcp']['payload']
    parts = payload['delivered'] + payload['duplicate'] + payload['overlap'] + sum(payload['rejected'].values()) + payload['pending']
    return None if payload['captured'] == parts else 'captured %d, accounted for %d' % (payload['captured'], parts)


class Soak:
    def __init__(self, args):
        self.args = args
        self.samples = []  # (seconds, resident, cpu)
        self.figures = []  # (seconds, summary)
        self.problems = []
        self.steady = None  # when memory stood
        self.window = max(args.seconds / 6, LONGEST_QUICK_S if args.quick else LONGEST_S)

    def stands(self, now):
        """Has the largest that was seen not grown for a while?"""
        if now < 2 * self.window:
            return False
        before = max(size for second, size, _ in self.samples if second <= now - self.window)
        return max(size for _, size, _ in self.samples) <= before * STANDS

    @staticmethod
    def hold_up(capture):
        capture.tell(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        capture.tell(signal.SIGCONT)

    def sample(self, capture, began, asked):
        now = time.monotonic() - began
        self.samples.append((now, resident(capture.pid()), capture.cpu()))
        got = capture.summaries()
        if len(got) > len(self.figures):
            self.figures.append((now, got[-1]))
        return now - asked >= self.args.every

    def watch(self, capture, sender, began):
        """Until memory stood and was looked at for the time that was asked for, or did not stand."""
        output, asked, rotated, now = Output(capture), 0.0, 0.0, 0.0
        while sender.poll() is None:
            if self.steady is None:
                self.hold_up(capture)
            time.sleep(1)
            now = time.monotonic() - began
            if self.steady is None and self.stands(now):
                self.steady = now
            if now > (TRIES * self.window if self.steady is None else self.steady + self.args.seconds):
                sender.terminate()
            if self.sample(capture, began, asked):
                asked = now
                capture.tell(signal.SIGUSR1)
            if now - rotated >= self.args.rotate:
                rotated = now
                output.rotate()
        return output

    def run(self, net):
        args = self.args
        path = args.capture or write_conversations(net.path('sent.pcap'), 3000)
        before = received(net, net.link, net.server)
        options = (QUICK if args.quick else []) + (['--memory', args.memory] if args.memory else [])
        capture = Weir(net, args.weir, options).ready(60)
        words = ['--seconds', str(TRIES * self.window + args.seconds + 60), '--drop', '10', '--reorder', '15'] + (['--rate', str(args.rate)] if args.rate else [])
        began = time.monotonic()
        sender = net.start(net.client, [args.sender, net.peer, path] + words, stdout=subprocess.PIPE)
        output = self.watch(capture, sender, began)
        self.sent = json.loads(sender.stdout.read())
        wait_for(capture.settled, 10)
        self.cpu, self.wall = capture.cpu(), self.sent['seconds']
        # JSON of the very last summary is complete when the process is gone
        status = capture.stop()
        if status != 0:
            self.problems.append('exit status %d: %s' % (status, capture.stderr()[-500:]))
        self.end = capture.summaries()[-1]
        self.received = received(net, net.link, net.server) - before
        self.lines = output.finish()

    def quarter(self, number):
        """Mean of resident memory, of the time since it stood."""
        length = self.args.seconds / 4
        part = [size for second, size, _ in self.samples
                if number * length <= second - (self.steady or 0) < (number + 1) * length]
        return sum(part) / max(len(part), 1)

    def faster(self):
        """More packets a second are more flows at a time: a text that says so, if it was that."""
        rates, length = [], self.args.seconds / 4
        for number in (0, 3):
            part = [(second, summary['packets']) for second, summary in self.figures
                    if number * length <= second - self.steady < (number + 1) * length]
            rates.append((part[-1][1] - part[0][1]) / (part[-1][0] - part[0][0]) if len(part) > 1 else 0)
        if rates[1] <= rates[0] * STEADY:
            return ''
        return '; but the sender came to %.0f packets a second at first and %.0f in the end: run it with nothing else on the machine' % tuple(rates)

    def judge(self):
        end, problems = self.end, self.problems
        for second, summary in self.figures + [(self.samples[-1][0], end)]:
            problem = ledger_problem(summary)
            if problem:
                problems.append('at %.0f s: %s' % (second, problem))
        if end['tcp']['payload']['pending'] != 0:
            problems.append('pending at the end: %d' % end['tcp']['payload']['pending'])
        if end['packets'] + end['drops'].get('kernel', 0) != self.received:
            problems.append('%d packets and %d drops, of %d received' % (end['packets'], end['drops'].get('kernel', 0), self.received))
        lost = sum(n for name, n in end['drops'].items() if name.startswith('sink_'))
        if self.lines + lost != sum(end['records'].values()):
            problems.append('%d lines and %d lost, of %d records' % (self.lines, lost, sum(end['records'].values())))
        if self.steady is None:
            problems.append('resident memory did not stand within %.0f s: it grew to %.1f MB, by more than %.0f %% in %.0f s' % (
                self.samples[-1][0], max(size for _, size, _ in self.samples) / 1e6, 100 * STANDS - 100, self.window))
        elif self.quarter(3) > self.quarter(0) * FLAT:
            problems.append('resident memory grew from %.1f to %.1f MB%s' % (self.quarter(0) / 1e6, self.quarter(3) / 1e6, self.faster()))
        if end['memory']['peak'] > end['memory']['budget']:
            problems.append('peak %d beyond the budget' % end['memory']['peak'])
        if end['records'].get('http', 0) < 100:
            problems.append('%d transactions' % end['records'].get('http', 0))
        return problems

    def table(self):
        end, payload, seconds = self.end, self.end['tcp']['payload'], self.wall
        lost = end['drops'].get('kernel', 0)
        load = os.getloadavg()[2]
        rows = (('time', '%.0f minutes' % (seconds / 60) if seconds >= 600 else '%.0f s' % seconds),
                ('packets', '%s, %s a second; 1 %% left out, 1.5 %% out of order' % (format(end['packets'], ','), format(round(end['packets'] / seconds), ','))),
                ('bits a second', '%.0f Mbit/s' % (end['bytes'] * 8 / seconds / 1e6)),
                ('flows · transactions', '%s · %s, a JSON line each to a file (%s lines with those of flows, all there)' % (
                    format(end['tcp']['flows'], ','), format(end['records'].get('http', 0), ','), format(self.lines, ','))),
                ('dropped by the kernel', '%s (%.3f %%); packets seen and drops = what the interface received, exactly' % (
                    format(lost, ','), 100 * lost / max(self.received, 1))),
                ('ledger, bytes', '%s captured = %s delivered + %s duplicate + %s overlap + %s rejected' % tuple(format(n, ',') for n in (
                    payload['captured'], payload['delivered'], payload['duplicate'], payload['overlap'], sum(payload['rejected'].values())))),
                ('gaps declared', '%s, %s bytes' % (format(end['tcp']['gaps']['count'], ','), format(end['tcp']['gaps']['bytes'], ','))),
                ('resident memory', '%s; %.1f MB in the first quarter of the time from there, %.1f MB in the last; at most %.1f MB' % (
                    'did not stand' if self.steady is None else 'stood after %.0f s' % self.steady, self.quarter(0) / 1e6, self.quarter(3) / 1e6, max(size for _, size, _ in self.samples) / 1e6)),
                ('CPU', '%.1f %% of a core (%.2f µs a packet)' % (100 * self.cpu / seconds, 1e6 * self.cpu / max(end['packets'], 1))),
                ('load of the machine', '%.1f on %d cores: the sender and other work beside it' % (load, os.cpu_count())))
        return ['| | |', '|---|---|'] + ['| %s | %s |' % row for row in rows]


# ---- the picture ----

WIDTH, LEFT, RIGHT, PANEL, SPACE = 900, 90, 20, 150, 46


def panel(top, name, points, unit, last, low=0.0):
    """One curve over the time until `last`; points: (seconds, value)."""
    high = max([value for _, value in points] + [low + 1e-9]) * 1.1

    def at(second, value):
        return LEFT + second / last * (WIDTH - LEFT - RIGHT), top + PANEL - (value - low) / (high - low) * PANEL

    step = 10 ** len(str(int(high / 2))) / 10 if high >= 2 else high / 4
    out = ['<text x="%d" y="%d" font-weight="bold">%s</text>' % (LEFT, top - 8, name)]
    value = low
    while value <= high:
        y = at(0, value)[1]
        out.append('<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/>' % (LEFT, y, WIDTH - RIGHT, y))
        out.append('<text x="%d" y="%.1f" text-anchor="end">%s %s</text>' % (LEFT - 6, y + 4, format(value, ',.0f'), unit))
        value += step
    for k in range(7):
        x = at(last * k / 6, 0)[0]
        out.append('<text x="%.0f" y="%d" text-anchor="%s">%.3g min</text>' % (x, top + PANEL + 16, 'end' if k == 6 else 'middle', last * k / 6 / 60))
    marks = ' '.join('%.1f,%.1f' % at(*point) for point in points)
    return out + ['<polyline points="%s" fill="none" stroke="#1b6ca8" stroke-width="1.5"/>' % marks]


def rates(points):
    return [(b[0], (b[1] - a[1]) / (b[0] - a[0])) for a, b in zip(points, points[1:]) if b[0] > a[0]]


def draw(soak):
    thin = soak.samples[::max(1, len(soak.samples) // 400)]
    packets = rates([(0, 0)] + [(second, summary['packets']) for second, summary in soak.figures])
    opened = [(second, summary['tcp']['flows'] - sum(n for how, n in summary['tcp']['ended'].items() if how != 'open'))
              for second, summary in soak.figures]
    panels = (('resident memory', [(second, size / 1e6) for second, size, _ in thin], 'MB'),
              ('packets a second', [(second, rate / 1000) for second, rate in packets], 'k'),
              ('flows that are open', [(second, flows / 1000) for second, flows in opened], 'k'),
              ('CPU', [(second, 100 * rate) for second, rate in rates([(second, cpu) for second, _, cpu in thin])], '%'))
    height = len(panels) * (PANEL + SPACE) + 10
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (WIDTH, height),
           '<rect width="100%" height="100%" fill="white"/>']
    for number, (name, points, unit) in enumerate(panels):
        if points:
            out += panel(28 + number * (PANEL + SPACE), name, points, unit, soak.samples[-1][0])
    return '\n'.join(out + ['</svg>']) + '\n'


def write(soak):
    with open(os.path.join(ROOT, 'docs', 'soak.svg'), 'w') as file:
        file.write(draw(soak))
    page.replace('soak', '\n'.join(soak.table()) + '\n\n![resident memory, packets a second, open flows and CPU over the time](soak.svg)\n')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('weir', type=os.path.abspath)
    parser.add_argument('sender', type=os.path.abspath)
    parser.add_argument('--seconds', type=int, default=1800)
    parser.add_argument('--capture', type=os.path.abspath)
    parser.add_argument('--rate', type=int)
    parser.add_argument('--memory')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--write', action='store_true')
    parser.add_argument('--save', help='samples and figures, as JSON')
    args = parser.parse_args()
    if args.quick:
        args.rate = args.rate or QUICK_RATE
    args.every, args.rotate = (5, 7) if args.seconds < 300 else (30, 20)
    why = missing(('ip',))
    if why:
        print('skipped: %s' % why)
        return 77
    with open(args.weir, 'rb') as file:
        text = file.read()
        if b'__asan_init' in text or b'__tsan_init' in text:
            # memory that was given back is held for a while, and everything takes several times as long
            os.environ['ASAN_OPTIONS'] = 'quarantine_size_mb=1:malloc_context_size=2:' + os.environ.get('ASAN_OPTIONS', '')
            args.rate = min(args.rate or 8000, 8000)
    soak, net = Soak(args), Net()
    try:
        soak.run(net)
    finally:
        net.close()
    problems = soak.judge()
    print('\n'.join(soak.table() + ['soak: ' + problem for problem in problems]))
    if args.save:
        with open(args.save, 'w') as file:
            json.dump({'samples': soak.samples, 'figures': soak.figures, 'end': soak.end, 'sent': soak.sent}, file)
    if args.write:
        write(soak)
    print('1 passed, 0 failed, 0 skipped' if not problems else '0 passed, 1 failed, 0 skipped')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())

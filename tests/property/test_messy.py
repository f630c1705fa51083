#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exact in a mess: test_messy.py WEIR [SEED [ROUNDS]]

What bench/'s captures are, in little: keep-alive connections and connections of one request each, on ports that are used again, as Linux
speaks TCP (window scale 10, timestamps, SACK permitted). Then packets come late (across directions and connections), twice, and parts of
segments again, as in messy; nothing is lost. Each request and each response must be told once, paired with its own, by any number of
workers in the same bytes. A failure says its seed.

Then the same with packets left out instead, SYNs and FINs as any, on few ports that are used again as soon as Linux does, with its ISNs: the
client's by the clock, the server's 65,537 behind the end of the connection before. No request that was captured may be told twice, and all but one in a
thousand must be told: where a FIN, what acknowledges it, SYN and SYN/ACK are all missing, nobody can say that a tuple was used again. In the rounds that tell
all, gaps must not have more bytes than were left out (a FIN counts as one), and no byte that was captured may be rejected.
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))
import packets  # noqa: E402
from packets import ACK, FIN, PSH, SYN  # noqa: E402

ROUNDS = 6
KEPT, CLOSED, PORTS = 12, 300, 120
JOBS = ('1', '2', '3', '8')
WSCALE, WINDOW = 10, 63
# percent of the packets, and by how many others they come late; of its own connection by fewer, or a hole that was
# acknowledged is rightly called a gap
LATE, LATE_BY, TWICE, PARTS, OWN = 3.0, 20, 1.0, 1.0, 4
LATEST_NS = 2 * 10**6
# a tuple is used again at once, or when the one before is forgotten
AGAIN_NS = (30 * 10**6, 3100 * 10**6)
LOST, LOST_ROUNDS, LOST_CLOSED, LOST_PORTS, LOST_FOR_GOOD = 4.0, 6, 3000, 60, 0.001
TICK_NS, REUSED = 64, 65537  # of the client's ISN; behind the server's last number


class Talker:
    """One connection; every call of say() appends (time, connection's key, side, seq, ack, flags, payload, options, window)."""

    def __init__(self, dice, out, now, port):
        self.dice, self.out, self.now, self.port = dice, out, now, port
        self.seq = [dice.randrange(1 << 32), dice.randrange(1 << 32)]
        self.ticks = [dice.randrange(1 << 31), dice.randrange(1 << 31)]
        self.told = [0, 0]

    def send(self, side, flags, payload=b''):
        other = 1 - side
        stamp = self.ticks[side] + self.now // 10**6
        self.told[side] = stamp
        times = struct.pack('!BBBBII', 1, 1, 8, 10, stamp & 0xffffffff, self.told[other] & 0xffffffff if flags & ACK else 0)
        options, window = times, WINDOW
        if flags & SYN:
            options, window = struct.pack('!BBHBB', 2, 4, 1460, 4, 2) + times[2:] + struct.pack('!BBBB', 1, 3, 3, WSCALE), 64240
        self.out.append((self.now, [self.port, side, self.seq[side], self.seq[other] if flags & ACK else 0, flags, payload, options, window]))
        self.seq[side] = (self.seq[side] + len(payload) + bool(flags & (SYN | FIN))) & 0xffffffff
        self.now += self.dice.randrange(3000, 9000)

    def open(self):
        self.send(0, SYN)
        self.send(1, SYN | ACK)
        self.send(0, ACK)

    def exchange(self, number, close):
        self.send(0, PSH | ACK, b'GET /item/%d HTTP/1.1\r\nHost: shop.test\r\n%s\r\n' % (number, b'Connection: close\r\n' if close else b''))
        self.send(1, ACK)
        body = b'%d ' % number * self.dice.choice((1, 40, 700, 1500))
        self.now += self.dice.randrange(20000, 3000000)
        self.send(1, PSH | ACK, b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body))
        for at in range(0, len(body), 1448):
            self.send(1, PSH | ACK, body[at:at + 1448])
            self.send(0, ACK)

    def close(self):
        self.send(1, FIN | ACK)
        self.send(0, FIN | ACK)
        self.send(1, ACK)


def talk(dice):
    """[(time, packet)] in order of time, and how many exchanges there are."""
    out, number = [], 0
    for port in range(KEPT):
        talker = Talker(dice, out, dice.randrange(10**7), 20000 + port)
        talker.open()
        for _ in range(dice.randrange(1, 60)):
            number += 1
            talker.exchange(number, False)
            talker.now += dice.randrange(100000, 2000000)
    ends = {}
    for _ in range(CLOSED):
        port = 40000 + dice.randrange(PORTS)
        talker = Talker(dice, out, ends.get(port, dice.randrange(10**8)), port)
        talker.open()
        number += 1
        talker.exchange(number, True)
        talker.close()
        ends[port] = talker.now + dice.choice(AGAIN_NS) + dice.randrange(10**8)
    out.sort(key=lambda pair: pair[0])
    return out, number


def talk_soon_again(dice):
    """The same, of connections with one request each."""
    out, number, before = [], 0, {}
    for _ in range(LOST_CLOSED):
        port = 40000 + dice.randrange(LOST_PORTS)
        last = before.get(port)
        talker = Talker(dice, out, dice.randrange(10**8) if last is None else last.now + dice.choice(AGAIN_NS) + dice.randrange(10**8), port)
        if last is not None:
            talker.seq = [(last.isn + (talker.now - last.began) // TICK_NS) & 0xffffffff, (last.seq[1] + REUSED) & 0xffffffff]
            talker.ticks = last.ticks
        talker.isn, talker.began = talker.seq[0], talker.now
        talker.open()
        number += 1
        talker.exchange(number, True)
        talker.close()
        before[port] = talker
    out.sort(key=lambda pair: pair[0])
    return out, number


def lose(told, dice):
    """What is left, and how many bytes are not."""
    left, lost = [], 0
    for pair in told:
        if dice.random() * 100 < LOST:
            lost += len(pair[1][5]) + bool(pair[1][4] & FIN)
        else:
            left.append(pair)
    return left, lost


def mess(told, dice):
    """Late ones, doubles and parts; nothing is lost. Times are those of the packets before which they come."""
    held, out = [], []

    def hold(packet, by):
        held.append([dice.randrange(1, by + 1), OWN, now + LATEST_NS, packet])

    for now, packet in told:
        for item in sorted(held, key=lambda item: item[2]):
            item[0] -= 1
            item[1] -= item[3][0] == packet[0]
            if min(item[:2]) <= 0 or now > item[2]:
                out.append((min(now, item[2]), item[3]))
                held.remove(item)
        if dice.random() * 100 < LATE:
            hold(packet, LATE_BY)
        else:
            out.append((now, packet))
        if dice.random() * 100 < TWICE:
            hold(packet, 2 * LATE_BY)
        if len(packet[5]) > 64 and dice.random() * 100 < PARTS:
            start = dice.randrange(len(packet[5]) // 2)
            part = list(packet)
            part[2] = (packet[2] + start) & 0xffffffff
            part[5] = packet[5][start:start + 1 + dice.randrange(len(packet[5]) - start)]
            hold(part, LATE_BY // 2)
    return out + [(told[-1][0], packet) for _, _, _, packet in held]


def write(path, told):
    pcap = packets.Pcap(path)
    ends = lambda port: (('10.0.0.1', port), ('10.0.0.2', 80))  # noqa: E731
    start = pcap.now_ns
    for now, (port, side, seq, ack, flags, payload, options, window) in told:
        pcap.now_ns = start + now
        pcap.packet(packets.tcp_packet(ends(port)[side], ends(port)[1 - side], seq, ack, flags, payload, window, options), 0)
    pcap.close()


def run(weir, path):
    """Its records, and what is wrong, as text, or None."""
    outputs = []
    for jobs in JOBS:
        done = subprocess.run([weir, '-q', '-r', path, '-j', jobs, '-o', 'json:-'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if done.returncode != 0:
            return [], 'status %d: %s' % (done.returncode, done.stderr.decode()[-1000:])
        outputs.append(done.stdout)
    if any(output != outputs[0] for output in outputs):
        return [], 'other bytes with -j %s' % next(jobs for jobs, output in zip(JOBS, outputs) if output != outputs[0])
    return [json.loads(line) for line in outputs[0].splitlines()], None


def check(weir, path, number):
    """What is wrong, as text, or None."""
    records, problem = run(weir, path)
    if problem:
        return problem
    told = {}
    for record in records:
        if record['type'] == 'http':
            http = record['http']
            told.setdefault(http.get('request', {}).get('target'), []).append((
                http.get('response', {}).get('status_code'), record['completeness'], http.get('response', {}).get('body', {}).get('size')))
    wrong = {target: found for target, found in told.items() if len(found) != 1 or found[0][:2] != (200, 'complete')}
    missing = [n for n in range(1, number + 1) if '/item/%d' % n not in told]
    # a body is its number again and again: another one's would have another size more often than not
    for target, found in told.items():
        if target and found[0][2] not in [len('%s ' % target[6:]) * times for times in (1, 40, 700, 1500)]:
            wrong[target] = found
    if wrong or missing:
        return 'of %d exchanges missing %s, wrong %s' % (number, missing[:5], dict(list(wrong.items())[:5]))
    return None


def check_lost(weir, path, left, lost):
    """The same with packets left out."""
    records, problem = run(weir, path)
    if problem:
        return problem
    told = [record['http']['request']['target'] for record in records if record['type'] == 'http' and 'target' in record['http'].get('request', {})]
    sent = [packet[5].split()[1].decode() for _, packet in left if packet[5].startswith(b'GET ')]
    sides = [record['tcp'][side] for record in records if record['type'] == 'tcp' for side in ('c2s', 's2c')]
    gaps, rejected = sum(side['gap_bytes'] for side in sides), sum(side['rejected'] for side in sides)
    missing = set(sent) - set(told)
    if len(told) != len(set(told)) or set(told) - set(sent) or len(missing) > LOST_FOR_GOOD * len(sent):
        return 'of %d requests missing %s, made up %s' % (len(sent), sorted(missing)[:5], sorted(set(told) - set(sent))[:5])
    if not missing and (gaps > lost or rejected > 0):
        return 'gaps of %d bytes where %d were left out; %d rejected' % (gaps, lost, rejected)
    return None


def main():
    weir = os.path.abspath(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else ROUNDS
    failed = 0
    with tempfile.TemporaryDirectory(prefix='weir-messy.') as folder:
        path = os.path.join(folder, 'messy.pcap')
        for seed in range(first, first + rounds):
            dice = random.Random(seed)
            told, number = talk(dice)
            write(path, mess(told, dice))
            problem = check(weir, path, number)
            failed += problem is not None
            if problem:
                print('seed %d: %s' % (seed, problem))
                if os.environ.get('WEIR_MESSY_KEEP'):
                    os.rename(path, '%s.%d' % (os.environ['WEIR_MESSY_KEEP'], seed))
        for seed in range(first, first + LOST_ROUNDS):
            dice = random.Random(seed)
            left, lost = lose(talk_soon_again(dice)[0], dice)
            write(path, left)
            problem = check_lost(weir, path, left, lost)
            failed += problem is not None
            if problem:
                print('seed %d, packets lost: %s' % (seed, problem))
                if os.environ.get('WEIR_MESSY_KEEP'):
                    os.rename(path, '%s.lost.%d' % (os.environ['WEIR_MESSY_KEEP'], seed))
    print('%d passed, %d failed, 0 skipped' % (rounds + LOST_ROUNDS - failed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

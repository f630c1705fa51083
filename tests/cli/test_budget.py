#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Memory under attack: test_budget.py WEIR

Floods that would need far more memory than the budget: it is never passed, what is given up is counted, the byte ledger
balances, and a flow that goes on talking through a SYN flood keeps all its transactions.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))
import packets  # noqa: E402

BUDGET = 16 << 20
SERVER = ('10.0.0.2', 80)
GET = b'GET /%d HTTP/1.1\r\nHost: shop.test\r\n\r\n'
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'


def client(n):
    return ('10.%d.%d.%d' % (1 + (n >> 16), n >> 8 & 255, n & 255), 1024 + n % 60000)


class Fast(packets.Pcap):
    """A microsecond from packet to packet: nothing grows old."""

    def packet(self, frame, step_ns=1000):
        super().packet(frame, step_ns)


def run(weir, path):
    done = subprocess.run([weir, '-q', '-r', path, '--json', '-j', '2', '--memory', '16M', '--summary=json'],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240)
    if done.returncode != 0:
        raise AssertionError('status %d: %s' % (done.returncode, done.stderr[-2000:]))
    return [json.loads(line) for line in done.stdout.splitlines()], json.loads(done.stderr)


def check(summary):
    payload = summary['tcp']['payload']
    rest = payload['delivered'] + payload['duplicate'] + payload['overlap'] + sum(payload['rejected'].values())
    assert payload['captured'] == rest and payload['pending'] == 0, payload
    assert summary['memory']['peak'] <= summary['memory']['budget'] == BUDGET, summary['memory']


def syn_flood_spares_established_flows(weir):
    pcap = packets.Pcap('flood.pcap')
    talker = packets.Connection(pcap, ('10.0.0.1', 40000), SERVER)
    talker.open()
    for n in range(300000):
        pcap.packet(packets.tcp_packet(client(n), SERVER, n * 7919, 0, packets.SYN), 1000)
        if n % 15000 == 0:
            talker.data(0, GET % n)
            talker.data(1, OK)
    talker.close()
    pcap.close()
    records, summary = run(weir, 'flood.pcap')
    check(summary)
    done = [r for r in records if r['type'] == 'http' and r['client']['address'] == '10.0.0.1']
    assert [r['completeness'] for r in done] == ['complete'] * 20, [r['completeness'] for r in done]
    assert summary['drops']['evicted_half_open'] > 0, summary['drops']


def waiting_segments_are_given_up_oldest_first(weir):
    pcap = Fast('holes.pcap')
    for n in range(12000):
        c = packets.Connection(pcap, client(n), SERVER, (n, 5000))
        c.open()
        c.seq[0] += 1
        c.send(0, packets.PSH | packets.ACK, bytes(1200))
    pcap.close()
    records, summary = run(weir, 'holes.pcap')
    check(summary)
    assert summary['tcp']['gaps']['causes']['budget'] + summary['tcp']['payload']['rejected']['budget'] > 0, summary
    assert summary['tcp']['payload']['captured'] == 12000 * 1200, summary['tcp']['payload']


def one_byte_segments_every_second_byte(weir):
    pcap = packets.Pcap('bytes.pcap')
    c = packets.Connection(pcap, client(1), SERVER)
    c.open()
    offsets = [2 * n + 1 for n in range(20000)]
    random.Random(7).shuffle(offsets)
    base = c.seq[0]
    for offset in offsets:
        pcap.packet(packets.tcp_packet(c.ends[0], c.ends[1], base + offset, c.seq[1], packets.PSH | packets.ACK, b'x'), 1000)
    pcap.close()
    records, summary = run(weir, 'bytes.pcap')
    check(summary)
    assert summary['tcp']['gaps']['causes']['limit'] > 0, summary['tcp']['gaps']


def endless_header_is_bounded_and_the_next_flow_is_fine(weir):
    pcap = packets.Pcap('header.pcap')
    c = packets.Connection(pcap, client(1), SERVER)
    c.open()
    c.data(0, b'GET / HTTP/1.1\r\nHost: a\r\nX: ')
    for n in range(3000):
        c.send(0, packets.PSH | packets.ACK, b'y' * 1400)
    d = packets.Connection(pcap, client(2), SERVER)
    d.open()
    d.data(0, GET % 1)
    d.data(1, OK)
    d.close()
    c.data(0, b'\r\n\r\n')
    c.data(1, OK)
    c.data(0, GET % 2)
    c.data(1, OK)
    c.close()
    pcap.close()
    records, summary = run(weir, 'header.pcap')
    check(summary)
    http = {r['http']['request']['target']: r for r in records if r['type'] == 'http' and 'request' in r['http']}
    assert http['/1']['http']['response']['status_code'] == 200, http
    assert http['/2']['http']['response']['status_code'] == 200, 'the next message on the same connection: %s' % sorted(http)


def syns_that_are_answered_late_are_found_again(weir):
    """So many half-open flows that further SYNs are kept as such; then all are answered, and say something."""
    pcap, flows = Fast('crowd.pcap'), []
    for n in range(3000):
        flows.append(packets.Connection(pcap, client(n), SERVER, isn=(n * 7919, n * 104729)))
        flows[-1].send(0, packets.SYN)
    for n, flow in reversed(list(enumerate(flows))):  # those without an entry come first
        flow.send(1, packets.SYN | packets.ACK)
        flow.send(0, packets.ACK)
        flow.data(0, GET % n)
        flow.data(1, OK)
        flow.close()
    pcap.close()
    for way in ((), ('--set', 'limit.flows-at-hand=64')):
        done = subprocess.run([weir, '-q', '-r', 'crowd.pcap', '-o', 'none', '-j', '1', '--summary=json', *way],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240)
        assert done.returncode == 0, done.stderr[-2000:]
        summary = json.loads(done.stderr)
        assert summary['records'] == {'http': 3000, 'tcp': 3000}, summary['records']
        assert summary['tcp']['ended']['closed'] == 3000, summary['tcp']['ended']
        assert set(summary['drops']) == {'capture'} and summary['drops']['capture'] == 0, summary['drops']


TESTS = (syn_flood_spares_established_flows, syns_that_are_answered_late_are_found_again, waiting_segments_are_given_up_oldest_first, one_byte_segments_every_second_byte,
         endless_header_is_bounded_and_the_next_flow_is_fine)


def main():
    weir = os.path.abspath(sys.argv[1])
    failed = 0
    for test in TESTS:
        with tempfile.TemporaryDirectory(prefix='weir-budget.') as folder:
            os.chdir(folder)
            try:
                test(weir)
            except Exception as error:  # noqa: B902
                failed += 1
                print('%s: %s: %s' % (test.__name__, type(error).__name__, str(error)[:800]))
            os.chdir('/')
    print('%d passed, %d failed, 0 skipped' % (len(TESTS) - failed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

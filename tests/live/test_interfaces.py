#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live capture on several interfaces at once, a reader each: test_interfaces.py WEIR SENDER [NAME...]

SENDER is bench/sender. What several interfaces give is compared with `-i any`, which is one ring that sees the same packets with the same
times. Needs root and network namespaces; exits 77 elsewhere.
"""
import json
import os
import random
import signal
import subprocess
import sys
import time

from net import Weir, conversation, received, send_frames_on, wait_for, write_conversations
from test_ceiling import frames_in, plain, same, same_records, settle, slice_of
from test_live import check, equal, is_sanitized, main

SENDER = os.path.abspath(sys.argv[2])


def split_frames(links, n, by='direction'):
    """n conversations, 20 at a time, packet by packet in turn: [(link, frame)]. by: `direction` or `flow`"""
    found = []
    for first in range(0, n, 20):
        group = [conversation('10.7.%d.%d' % (8 + i // 200, 1 + i % 200), 2000 + i, i) for i in range(first, min(first + 20, n))]
        for number in range(len(group[0])):
            for i, frames in enumerate(group):
                forth = number in (0, 2, 3, 5, 7)
                which = (0 if forth else 1) if by == 'direction' else first + i
                found.append((links[which % len(links)], frames[number]))
    return found


def start_all(net, weir, links, ways):
    """One on `any`, then one for each way on the links."""
    every = Weir(net, weir, ['-j', '1'], links=['any']).ready()
    return every, [Weir(net, weir, way, links=links).ready() for way in ways]


def ring_of(summary, link):
    return next(ring for ring in summary['rings'] if ring['interface'] == link)


def a_flow_split_over_two_links(net, weir):
    """Requests on one, responses on the other: the same transactions as from one ring, with their times, at every -j, in order."""
    links = [(net.link, net.peer), net.add_link(1)]
    packets, ring = net.path('w.pcapng'), net.path('ring')
    ways = (['-j', '1', '-w', packets], ['-j', '3', '--ring', ring + ',max=64M'], ['-j', '2'])
    every, captures = start_all(net, weir, [link for link, _ in links], ways)
    n = 400 if is_sanitized(weir) else 2000
    frames = split_frames([peer for _, peer in links], n)
    send_frames_on(net, frames, 40, 0.002)
    settle(every)
    equal(every.stop(), 0, 'exit status')
    wanted = sorted(map(plain, every.records()))
    equal(len(wanted), n, 'transactions by one ring')
    for way, capture in zip(ways, captures):
        settle(capture)
        equal(capture.stop(), 0, 'exit status')
        summary = capture.summaries()[-1]
        equal((summary['packets'], sum(summary['drops'].values())), (len(frames), 0), 'packets, drops')
        equal([ring_of(summary, link)['packets'] for link, _ in links], [5 * n, 3 * n], 'packets of each')
        equal(summary['ip'].get('clock_back', 0), 0, 'packets out of order with %r' % way)
        same_records(sorted(map(plain, capture.records())), wanted, 'records with %r' % way)
        check(summary['memory']['peak'] <= summary['memory']['budget'], 'memory: %r' % summary['memory'])
    times = [ts for ts, _ in frames_in(packets)]
    equal((len(times), times), (len(frames), sorted(times)), 'times in the file of packets')
    for record in random.sample(captures[1].records(), 10):
        same(slice_of(weir, ring, record, net.path('slice.pcapng'))[0], record)
    print('      %d transactions, %d packets, none out of order' % (n, len(frames)))


def flows_of_many_links(net, weir):
    """Eight interfaces, flows of their own on each, at all speeds and with --fanout: what one ring tells."""
    links = [(net.link, net.peer)] + [net.add_link(n) for n in range(1, 8)]
    ways = (['-j', '1'], ['-j', '2'], ['-j', '2', '--fanout'])
    every, captures = start_all(net, weir, [link for link, _ in links], ways)
    n = 160 if is_sanitized(weir) else 1600
    send_frames_on(net, split_frames([peer for _, peer in links], n, 'flow'), 40, 0.002)
    settle(every)
    equal(every.stop(), 0, 'exit status')
    wanted = sorted(plain(record) for record in every.records())
    for way, capture in zip(ways, captures):
        settle(capture)
        equal(capture.stop(), 0, 'exit status')
        summary, records = capture.summaries()[-1], capture.records()
        equal((summary['packets'], sum(summary['drops'].values())), (8 * n, 0), 'packets, drops with %r' % way)
        same_records(sorted(map(plain, records)), wanted, 'records with %r' % way)
        equal(sorted(record['capture']['interface'] for record in records), sorted(link for link, _ in links for _ in range(n // 8)), 'interfaces')
        of_each = [sum(ring['packets'] for ring in summary['rings'] if ring['interface'] == link) for link, _ in links]
        equal(of_each, [n] * 8, 'packets of each')


def a_flooded_link_holds_up_no_other(net, weir):
    """A link that carries far more than is read: what came on the others is seen, all of it, and each says what it lost, to the packet."""
    flooded, quiet, idle = (net.link, net.peer), net.add_link(1), net.add_link(2)
    path = write_conversations(net.path('sent.pcap'), 2000)
    for way in (['-j', '1'], ['-j', '2'], ['-j', '2', '--fanout']):
        before = [received(net, link, net.server) for link, _ in (flooded, quiet)]
        capture = Weir(net, weir, ['-B', '4096'] + way, links=[flooded[0], quiet[0], idle[0]]).ready()
        sender = net.start(net.client, [SENDER, flooded[1], path, '--seconds', '30'], stdout=subprocess.PIPE)
        slow = net.start(net.client, [SENDER, quiet[1], path, '--packets', '1600', '--rate', '800', '--first', '900'], stdout=subprocess.PIPE)
        while slow.poll() is None:
            capture.tell(signal.SIGSTOP)
            time.sleep(0.1)
            capture.tell(signal.SIGCONT)
            time.sleep(0.05)
        # the last of the quiet ones are seen while the flood goes on
        asked = len(capture.summaries())
        time.sleep(1 if is_sanitized(weir) else 0.3)
        began = time.monotonic()
        capture.tell(signal.SIGUSR1)
        check(wait_for(lambda: len(capture.summaries()) > asked), 'no figures')
        took = time.monotonic() - began
        during = capture.summaries()[-1]
        sender.terminate()
        sender.wait()
        settle(capture, asked + 2)
        equal(capture.stop(), 0, 'exit status')
        summary = capture.summaries()[-1]
        got = [received(net, link, net.server) - n for (link, _), n in zip((flooded, quiet), before)]
        rings = [[ring for ring in summary['rings'] if ring['interface'] == link] for link, _ in (flooded, quiet, idle)]
        seen, lost, full = [[sum(ring[key] for ring in of) for of in rings] for key in ('packets', 'drops', 'freezes')]
        check(lost[0] > 1000 and full[0] > 0, 'the flood was no flood: %r' % summary['rings'])
        equal((seen[1], lost[1], got[1]), (1600, 0, 1600), 'seen, dropped and received on the quiet link')
        equal(seen[0] + lost[0], got[0], 'seen and dropped on the flooded link')
        equal((seen[2], lost[2]), (0, 0), 'on the idle link')
        equal((summary['packets'], summary['drops']['kernel']), (sum(seen), sum(lost)), 'in all')
        quiet_seen = [record for record in capture.records() if record['capture']['interface'] == quiet[0]]
        equal((len(quiet_seen), {record['completeness'] for record in quiet_seen}), (200, {'complete'}), 'transactions of the quiet link')
        # packets are told in order of time: as late as those of the flood, which is seconds in builds with a sanitizer
        check(is_sanitized(weir) or sum(ring['packets'] for ring in during['rings'] if ring['interface'] == quiet[0]) == 1600,
              'during the flood: %r' % during['rings'])
        check(took < (2 if is_sanitized(weir) else 0.1), 'figures took %.3f s' % took)
        print('      %s: flooded: %d received = %d seen + %d dropped (%d times full); quiet: %d received = %d seen; figures after %.0f ms' % (
            ' '.join(way), got[0], seen[0], lost[0], full[0], got[1], seen[1], 1000 * took))


def an_idle_link_holds_up_no_other(net, weir):
    """A transaction is told soon though nothing comes on the other links; figures come at once."""
    links = [(net.link, net.peer), net.add_link(1)]
    capture = Weir(net, weir, ['-j', '2'], links=['lo'] + [link for link, _ in links]).ready()
    took, asked = [], []
    for n in range(10):
        frames = [(net.peer, frame) for frame in conversation('10.7.6.1', 7000 + n, n)]
        send_frames_on(net, frames)
        began = time.monotonic()
        check(wait_for(lambda: os.path.getsize(capture.out) > 0 and len(capture.records()) > n), 'no record')
        took.append(time.monotonic() - began)
        began = time.monotonic()
        capture.tell(signal.SIGUSR1)
        check(wait_for(lambda: len(capture.summaries()) > n), 'no figures')
        asked.append(time.monotonic() - began)
    equal(capture.stop(), 0, 'exit status')
    check(sorted(took)[5] < 0.25 and sorted(asked)[5] < 0.1, 'records after %r s, figures after %r' % (took, asked))
    print('      a record after %.0f ms (median), figures after %.0f ms' % (1000 * sorted(took)[5], 1000 * sorted(asked)[5]))


def stopped_at_any_moment(net, weir):
    """SIGINT under load on two links: what the kernel had counts, all lines are whole; -c ends it at once."""
    links = [(net.link, net.peer), net.add_link(1)]
    path = write_conversations(net.path('sent.pcap'), 500)
    rate = '4000' if is_sanitized(weir) else '60000'
    senders = [net.start(net.client, [SENDER, peer, path, '--seconds', '60', '--rate', rate, '--first', str(30000 * n)], stdout=subprocess.PIPE)
               for n, (_, peer) in enumerate(links)]
    for turn in range(6):
        capture = Weir(net, weir, ['-j', '1'] if turn % 2 else ['-j', '2'], links=[link for link, _ in links]).ready()
        time.sleep(random.uniform(0, 0.6))
        began = time.monotonic()
        equal(capture.stop(), 0, 'exit status')
        check(time.monotonic() - began < (20 if is_sanitized(weir) else 2), 'it took %.1f s' % (time.monotonic() - began))
        summary = capture.summaries()[-1]
        equal(sum(ring['packets'] for ring in summary['rings']), summary['packets'], 'packets')
        equal(len(capture.records()), summary['records'].get('http', 0), 'records')
    for way in (['-j', '1'], ['-j', '2'], ['-j', '2', '--fanout']):
        capture = Weir(net, weir, way + ['-c', '5000'], links=[link for link, _ in links])
        equal(capture.process.wait(60), 0, 'exit status')
        summary = capture.summaries()[-1]
        equal(summary['packets'], 5000, 'packets with -c')
        check(min(sum(ring['packets'] for ring in summary['rings'] if ring['interface'] == link) for link, _ in links) > 500,
              'of each: %r' % summary['rings'])
    for sender in senders:
        sender.terminate()
        sender.wait()


def links_that_go_away(net, weir):
    """One goes down and comes back, one is deleted: it is told, the others go on; with the last one the capture has ended."""
    links = [(net.link, net.peer), net.add_link(1), net.add_link(2)]
    for way in (['-j', '1'], ['-j', '2'], ['-j', '2', '--fanout']):
        capture = Weir(net, weir, ['--summary=text'] + way, links=[link for link, _ in links]).ready()
        counted = Weir(net, weir, ['--strict'] + way, links=[link for link, _ in links]).ready()
        send = lambda n, which: send_frames_on(net, [(links[which][1], frame) for frame in conversation('10.7.7.%d' % n, 7100 + n, n)])
        down = links[0][0]
        net.ip('-n', net.server, 'link', 'set', down, 'down')
        time.sleep(0.3)
        send(1, 1)
        net.ip('-n', net.server, 'link', 'set', down, 'up')
        time.sleep(0.3)
        send(2, 0)
        gone = links[2][0]
        net.ip('-n', net.server, 'link', 'del', gone)
        told = 'weir: warning: capturing on %s has ended: ' % gone
        check(wait_for(lambda: told in capture.stderr()), 'not told: ' + capture.stderr())
        send(3, 1)
        send(4, 0)
        time.sleep(0.5)
        equal(counted.stop(), 4, 'exit status with --strict')
        summary = counted.summaries()[-1]
        equal([sum(ring['packets'] for ring in summary['rings'] if ring['interface'] == link) for link, _ in links], [16, 16, 0], 'packets')
        equal({ring['interface'] for ring in summary['rings'] if 'ended' in ring}, {gone}, 'rings that ended')
        equal(capture.stop(), 0, 'exit status')
        equal([record['completeness'] for record in capture.records()], ['complete'] * 4, 'records')
        equal(capture.stderr().count(told), 1, 'times told')
        check('packets on %s' % gone in capture.stderr() and 'ended: ' in capture.stderr().split('rings', 1)[1], capture.stderr())
        links[2] = net.add_link(2)
    capture = Weir(net, weir, [], links=[link for link, _ in links]).ready()
    send(9, 1)
    time.sleep(0.3)
    for link, _ in links:
        net.ip('-n', net.server, 'link', 'del', link)
    equal(capture.process.wait(30), 1, 'exit status')
    check('weir: error: capturing has ended on all 3 interfaces; on ' in capture.stderr(), capture.stderr())
    equal((capture.summaries()[-1]['packets'], len(capture.records())), (8, 1), 'packets and records')


def memory_for_many(net, weir):
    """The queues are in the budget; more interfaces than it has room for are refused."""
    links = [net.link] + [net.add_link(n)[0] for n in range(1, 5)]
    few = Weir(net, weir, ['--memory', '16M'], links=links[:4]).ready()
    send_frames_on(net, split_frames([net.peer], 20))
    settle(few)
    equal(few.stop(), 0, 'exit status')
    memory = few.summaries()[-1]['memory']
    equal(memory['budget'], 16 << 20, 'budget')
    check(4 << 20 <= memory['peak'] <= memory['budget'], 'peak: %r' % memory)
    equal(len(few.records()), 20, 'records')
    many = Weir(net, weir, ['--memory', '16M'], links=links)
    equal(many.process.wait(30), 2, 'exit status')
    check('weir: error: so many interfaces need more memory' in many.stderr(), many.stderr())


def two_senders(net, weir):
    """A sender on each of two links at the same time: seen and dropped is what each received."""
    links = [(net.link, net.peer), net.add_link(1)]
    path = write_conversations(net.path('sent.pcap'), 2000)
    rate = '3000' if is_sanitized(weir) else '100000'
    for way in (['-j', '1'], ['-j', '2'], ['-j', '2', '--fanout'], ['-j', '2', '--ring', net.path('ring') + ',max=32M']):
        before = [received(net, link, net.server) for link, _ in links]
        capture = Weir(net, weir, way, links=[link for link, _ in links]).ready()
        senders = [net.start(net.client, [SENDER, peer, path, '--seconds', '2', '--rate', rate, '--first', str(30000 * n)],
                             stdout=subprocess.PIPE) for n, (_, peer) in enumerate(links)]
        sent = [json.loads(sender.communicate(timeout=60)[0])['sent'] for sender in senders]
        settle(capture)
        equal(capture.stop(), 0, 'exit status')
        summary = capture.summaries()[-1]
        rings = [[ring for ring in summary['rings'] if ring['interface'] == link] for link, _ in links]
        seen, lost = [[sum(ring[key] for ring in of) for of in rings] for key in ('packets', 'drops')]
        got = [received(net, link, net.server) - n for (link, _), n in zip(links, before)]
        equal(got, sent, 'what the links carried')
        equal([a + b for a, b in zip(seen, lost)], sent, 'seen and dropped on each')
        if sum(lost) == 0:
            check({record['completeness'] for record in capture.records()} <= {'complete', 'no_response'}, 'completeness')
            equal(summary['drops'].get('ring_queue_full', 0), 0, 'not kept')
        check(sum(lost) < sum(sent) // 100, 'dropped: %r' % lost)
        print('      %s: sent %r, seen %r, dropped %r, behind their time %d' % (' '.join(way[:3]), sent, seen, lost, summary['ip'].get('clock_back', 0)))


TESTS = (a_flow_split_over_two_links, flows_of_many_links, a_flooded_link_holds_up_no_other, an_idle_link_holds_up_no_other,
         stopped_at_any_moment, links_that_go_away, memory_for_many, two_senders)

if __name__ == '__main__':
    sys.exit(main(TESTS, sys.argv[3:], ('ip',)))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live capture at what one sender can send, --ring and --fanout: test_ceiling.py WEIR SENDER [NAME...]

SENDER is bench/sender. Builds with a sanitizer get a rate that they can follow. Needs root and network namespaces; exits 77 elsewhere.
WEIR_LIVE_CPU=25 makes more CPU time than so many percent of a core, at the ceiling, a failure.
"""
import glob
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from net import Weir, checksum, conversation, read_records, received, send_frames, tool, wait_for, write_conversations
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from packets import frames_in  # noqa: E402
from test_live import check, equal, is_sanitized, main

SENDER = os.path.abspath(sys.argv[2])
CONVERSATIONS, PACKETS = 3000, 8
ROUND = CONVERSATIONS * PACKETS


class Traffic:
    """What the sender sends, from the client's end of the link."""

    def __init__(self, net, weir):
        self.net = net
        self.path = write_conversations(net.path('sent.pcap'), CONVERSATIONS)
        self.rate = 8000 if is_sanitized(weir) else None
        self.before = received(net, net.link, net.server)

    def start(self, *words):
        rate = ['--rate', str(self.rate)] if self.rate and '--rate' not in words else []
        return self.net.start(self.net.client, [SENDER, self.net.peer, self.path] + list(words) + rate, stdout=subprocess.PIPE)

    def send(self, *words):
        """@return what the sender says"""
        process = self.start(*words)
        return json.loads(process.communicate(timeout=300)[0])

    def received(self):
        return received(self.net, self.net.link, self.net.server) - self.before


def settle(capture, summaries=1):
    """All that was sent has been read: what is asked for now counts it."""
    time.sleep(0.5)
    capture.tell(signal.SIGUSR1)
    wait_for(lambda: len(capture.summaries()) >= summaries)


# ---- the ceiling ----

def try_ceiling(net, weir, rounds, options):
    """@return drops, packets a second, CPU as a part of a core"""
    traffic = Traffic(net, weir)
    capture = Weir(net, weir, options).ready()
    idle = capture.cpu()
    sent = traffic.send('--packets', str(rounds * ROUND))
    settle(capture)
    cpu = capture.cpu() - idle
    equal(capture.stop(), 0, 'exit status')
    summary = capture.summaries()[-1]
    dropped = summary['drops'].get('kernel', 0)
    equal(traffic.received(), sent['sent'], 'what the link carried')
    equal(summary['packets'] + dropped, sent['sent'], 'packets and drops')
    if dropped == 0:
        equal(sum(summary['drops'].values()), 0, 'other drops')
        records = capture.records()
        equal(len(records), rounds * CONVERSATIONS, 'transactions')
        equal({record['completeness'] for record in records}, {'complete'}, 'completeness')
        equal(len({(record['client']['address'], record['client']['port']) for record in records}), len(records), 'clients')
    os.unlink(capture.out)
    return dropped, sent['sent'] / sent['seconds'], cpu / sent['seconds']


def no_drop_at_the_ceiling(net, weir):
    """JSON to a file, as fast as one sender goes: every packet is seen and every transaction told."""
    rounds, most = (2, None) if is_sanitized(weir) else (60, os.environ.get('WEIR_LIVE_CPU'))
    for options in ([], ['-j', '1']):
        for _ in range(3):
            # a machine that does other things too may not give weir its turn: the third time counts
            dropped, rate, cpu = try_ceiling(net, weir, rounds, options)
            print('      %s: %.0f packets a second, %d dropped, %.1f %% of a core' % (' '.join(options) or '-j 2', rate, dropped, 100 * cpu))
            if dropped == 0:
                break
        equal(dropped, 0, 'drops at %.0f packets a second' % rate)
        check(most is None or 100 * cpu <= float(most), '%.1f %% of a core' % (100 * cpu))


def drops_at_overload_are_exact(net, weir):
    """Stopped again and again behind a small ring: packets seen and drops told are what the interface received, to the packet."""
    for options in (['-j', '1'], ['-j', '2']):
        traffic = Traffic(net, weir)
        packets = net.path('w.pcapng')
        capture = Weir(net, weir, ['-B', '256', '--strict', '-w', packets] + options).ready()
        sender = traffic.start('--packets', str(ROUND * (1 if is_sanitized(weir) else 10)))
        while sender.poll() is None:
            capture.tell(signal.SIGSTOP)
            time.sleep(0.15)
            capture.tell(signal.SIGCONT)
            time.sleep(0.02)
        sent = json.loads(sender.stdout.read())
        settle(capture)
        equal(capture.stop(), 4, 'exit status')
        summary = capture.summaries()[-1]
        equal(traffic.received(), sent['sent'], 'what the link carried')
        check(summary['drops']['kernel'] > 1000, 'drops: %r' % summary['drops'])
        equal(summary['packets'], traffic.received() - summary['drops']['kernel'], 'packets seen')
        read = subprocess.run([weir, '-r', packets, '-o', 'none', '--summary=json'], stderr=subprocess.PIPE, check=True)
        again = json.loads(read.stderr)
        equal((again['packets'], again['drops']['capture']), (summary['packets'], summary['drops']['kernel']), 'in the file')
        payload = summary['tcp']['payload']
        equal(payload['captured'], payload['delivered'] + payload['duplicate'] + payload['overlap'] + sum(payload['rejected'].values()),
              'the ledger')
        print('      %s: %d received, %d seen, %d dropped' % (' '.join(options), traffic.received(), summary['packets'],
                                                              summary['drops']['kernel']))


# ---- --ring ----

def slice_of(weir, ring, record, target):
    """The transactions of a record's client in the slice that it names."""
    subprocess.run([weir, 'slice', ring, '%d-%d' % (record['packet']['first'], record['packet']['last']), '-q', '-w', target,
                    'host %s and tcp port %d' % (record['client']['address'], record['client']['port'])], check=True)
    out = subprocess.run([weir, '-r', target, '--json', '-q', '-Y', 'type:http'], stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def same(a, b):
    equal((a['ts'], a['url'], a['http'], a['completeness']), (b['ts'], b['url'], b['http'], b['completeness']), 'the transaction in its slice')


def ring_at_the_ceiling(net, weir):
    """Kept at capture speed: no packet is dropped for it, and slices hold the transactions of the newest records."""
    rounds = 1 if is_sanitized(weir) else 40
    for _ in range(3):
        ring = net.path('ring')
        traffic = Traffic(net, weir)
        capture = Weir(net, weir, ['--ring', ring + ',max=64M']).ready()
        sent = traffic.send('--packets', str(rounds * ROUND))
        settle(capture)
        equal(capture.stop(), 0, 'exit status')
        summary = capture.summaries()[-1]
        if summary['drops'].get('kernel', 0) == 0:
            break
    kept, lost = summary['ring']['packets'], summary['drops'].get('ring_queue_full', 0)
    equal(sum(summary['drops'].values()), lost, 'drops')
    equal(kept + lost, sent['sent'], 'packets kept, and not')
    equal(lost, 0, 'packets not kept')
    size = sum(os.path.getsize(path) for path in glob.glob(ring + '/*'))
    check(size == summary['ring']['held'] <= 64 << 20, 'size: %d, %r' % (size, summary['ring']))
    records = capture.records()
    for record in random.sample(records[-20000:], 20):
        same(slice_of(weir, ring, record, net.path('slice.pcapng'))[0], record)
    print('      %d packets in %.1f s; %r' % (kept, sent['seconds'], summary['ring']))


def ring_that_is_killed(net, weir):
    """kill -9 at full load, again and again: files can be read, and the next start goes on with the numbers and the size."""
    ring = net.path('ring')
    traffic = Traffic(net, weir)
    sender = traffic.start('--seconds', '60')
    for turn in range(1, 5):
        capture = Weir(net, weir, ['--ring', ring + ',max=16M']).ready()
        time.sleep(1 + turn * 0.17)
        os.kill(capture.pid(), signal.SIGKILL)
        capture.process.wait()
        files = sorted(glob.glob(ring + '/*'))
        runs = [path.split('-r')[1][:6] for path in files]
        equal((runs[-1], sum(os.path.getsize(path) for path in files) <= 16 << 20), ('%06d' % turn, True), 'the newest run, and the size')
        last, first = files[-1], int(files[-1].split('-p')[1][:12])
        read = subprocess.run([weir, '-r', last, '-o', 'none', '--summary=json'], stderr=subprocess.PIPE)
        check(read.returncode in (0, 3), 'exit status %d' % read.returncode)
        kept = json.loads([line for line in read.stderr.splitlines() if line.startswith(b'{')][-1])['packets']
        check(kept > 0, 'nothing is in the last file')
        if tool('tshark'):
            shown = subprocess.run([tool('tshark'), '-r', last, '-T', 'fields', '-e', 'frame.number', '-c', str(kept + 1)],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            equal(len(shown.stdout.split()), kept, 'packets by tshark')
        middle = first + kept // 2
        done = subprocess.run([weir, 'slice', ring, str(middle), '-w', net.path('one.pcapng'), '-q'], stderr=subprocess.PIPE)
        equal((done.returncode, done.stderr), (0, b''), 'a slice of it')
    sender.terminate()
    sender.wait()


def ring_on_a_full_disk(net, weir):
    """The capture goes on: older files are given up, then packets are counted, it is told, and it goes on when there is room."""
    place = net.path('place')
    os.mkdir(place)
    subprocess.run([tool('mount'), '-t', 'tmpfs', '-o', 'size=12m,mode=777', 'ring', place], check=True)
    try:
        traffic = Traffic(net, weir)
        ring = place + '/ring'
        capture = Weir(net, weir, ['--ring', ring + ',max=64M']).ready()
        traffic.send('--packets', '144000', '--rate', '36000' if not is_sanitized(weir) else '8000')
        time.sleep(1)
        middle = sorted(glob.glob(ring + '/*'))
        check(1 < len(middle) < 7 and middle[0].split('-p')[1] != '000000000001.pcapng', 'files: %r' % middle)
        equal('cannot be kept' in capture.stderr(), False, 'a complaint while older files could go')
        for path in middle[:-1]:
            os.unlink(path)
        filler = os.open(place + '/filler', os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(filler, bytes(4096)):
                pass
        except OSError:
            os.close(filler)
        traffic.send('--packets', str(ROUND), '--rate', '8000', '--first', '100')
        check(wait_for(lambda: 'No space left' in capture.stderr()), 'nothing was said: ' + capture.stderr())
        os.unlink(place + '/filler')
        time.sleep(1)
        traffic.send('--packets', '800', '--rate', '8000', '--first', '200')
        time.sleep(1.2)
        equal(capture.stop(), 0, 'exit status')
        summary, said = capture.summaries()[-1], capture.stderr()
        check('weir: error: packets cannot be kept in %s: No space left on device\n  Those that are not kept are counted; it is tried again.' %
              ring in said, said)
        equal(summary['drops'].get('kernel', 0), 0, 'packets dropped')
        lost = summary['drops']['ring_failed']
        equal(summary['ring']['packets'] + lost, 144800 + ROUND, 'packets kept, and not')
        check(0 < lost <= ROUND, 'packets not kept: %d' % lost)
        equal(len(capture.records()), (144800 + ROUND) // PACKETS, 'transactions')
        newest = subprocess.run([weir, 'slice', ring, str(144800 + ROUND), '-w', net.path('one.pcapng'), '-q'])
        equal(newest.returncode, 0, 'the newest packet')
        print('      %d packets kept, %d not; %r' % (summary['ring']['packets'], lost, summary['ring']))
    finally:
        subprocess.run([tool('umount'), '-l', place], check=True)


def ring_and_rights(net, weir):
    """Rights are dropped as without it; files are the owner's alone; a place that others may write is written as nobody."""
    ring = net.path('ring')
    os.mkdir(ring)
    os.chmod(ring, 0o777)
    capture = Weir(net, weir, ['--ring', ring + ',max=16M', '-w', net.path('w.pcapng')]).ready()
    status = capture.status()
    equal([status[name].strip() for name in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb')], ['0' * 16] * 4, 'capabilities')
    traffic = Traffic(net, weir)
    traffic.send('--packets', '800', '--rate', '4000')
    time.sleep(1.2)
    equal(capture.stop(), 0, 'exit status')
    summary = capture.summaries()[-1]
    equal((summary['ring']['packets'], sum(summary['drops'].values())), (800, 0), 'kept')
    files = glob.glob(ring + '/*')
    equal([oct(os.stat(path).st_mode & 0o777) for path in files], ['0o600'] * len(files), 'modes')
    read = [subprocess.run([weir, '-r', path, '--json', '-q'], stdout=subprocess.PIPE, check=True).stdout
            for path in (files[0], net.path('w.pcapng'))]
    equal(read[0], read[1], 'records of the ring and of -w')
    equal(len(read_records(capture.out)), 100, 'transactions')


# ---- --fanout ----

def plain(record):
    """A record without what depends on which packets were counted before."""
    record = dict(record, id=None, packet=None, capture=None)
    record.pop('flow_id', None)
    return json.dumps(record, sort_keys=True)


def sort_packets(path, target):
    """Batches of the rings are written in turns: by time, as pcap."""
    with open(target, 'wb') as file:
        file.write(struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        for ts, frame in sorted(frames_in(path), key=lambda pair: pair[0]):
            file.write(struct.pack('<IIII', ts // 10**9, ts % 10**9, len(frame), len(frame)) + frame)


def same_records(got, wanted, what):
    """Lists of lines, sorted. Says how many differ, and shows the first."""
    if got != wanted:
        here, there = sorted(set(got) - set(wanted)), sorted(set(wanted) - set(got))
        raise AssertionError('%s: %d of %d are not among the %d expected: %s; expected: %s' % (
            what, len(here), len(got), len(wanted), here[:1], there[:1]))


def fanout_tells_the_same(net, weir):
    """Beside a capture without it: the same records, each ring had its part, what is written reads back the same."""
    traffic = Traffic(net, weir)
    packets, ring = net.path('w.pcapng'), net.path('ring')
    captures = [Weir(net, weir, options).ready() for options in (['-j', '2'], ['-j', '2', '--fanout', '-w', packets, '--ring', ring + ',max=64M'],
                                                                ['-j', '5', '--fanout', '--memory', '128M'])]
    sent = traffic.send('--packets', str(ROUND * 4), '--rate', '8000', '--drop', '10', '--reorder', '15')
    for capture in captures:
        settle(capture)
    summaries = []
    for capture in captures:
        equal(capture.stop(), 0, 'exit status')
        summaries.append(capture.summaries()[-1])
    for capture, summary, rings in zip(captures, summaries, (1, 2, 5)):
        equal(summary['packets'], sent['sent'], 'packets with %d rings' % rings)
        equal(sum(summary['drops'].values()), 0, 'drops')
        equal(len(summary['rings']), rings, 'rings')
        equal(sum(ring['packets'] for ring in summary['rings']), sent['sent'], 'packets of the rings')
        check(all(ring['packets'] > sent['sent'] // (3 * rings) for ring in summary['rings']), 'rings: %r' % summary['rings'])
        equal({(ring['interface'], ring['size'], ring['drops'], ring['freezes']) for ring in summary['rings']}, {(net.link, 64 << 20, 0, 0)},
              'rings')
        check('two_rings' not in summary['tcp'], 'flows on two rings')
        for part in ('tcp', 'records', 'ip'):
            equal(summary[part], summaries[0][part], part)
    wanted = sorted(map(plain, captures[0].records()))
    for capture in captures[1:]:
        got = capture.records()
        same_records(sorted(map(plain, got)), wanted, 'records')
        equal(len({record['id'] for record in got}), len(got), 'ids')
    again = net.path('again.json')
    sort_packets(packets, packets + '.pcap')
    subprocess.run([weir, '-r', packets + '.pcap', '-o', 'json:' + again, '-q'], check=True)
    same_records(sorted(map(plain, read_records(again))), wanted, 'records read back')
    # one that has lost packets may owe what it tells to packets before its first
    for record in random.sample([record for record in captures[1].records() if record['completeness'] == 'complete'], 10):
        same(slice_of(weir, ring, record, net.path('slice.pcapng'))[0], record)
    print('      %d records; packets on each ring: %r' % (len(wanted), [ring['packets'] for ring in summaries[2]['rings']]))


def fanout_drops_are_exact(net, weir):
    """Of each ring, and in all: seen and dropped is what the interface received; rings that were full say so."""
    traffic = Traffic(net, weir)
    packets = net.path('w.pcapng')
    capture = Weir(net, weir, ['-B', '256', '--strict', '-j', '3', '--fanout', '-w', packets]).ready()
    sender = traffic.start('--packets', str(ROUND * (1 if is_sanitized(weir) else 10)))
    while sender.poll() is None:
        capture.tell(signal.SIGSTOP)
        time.sleep(0.15)
        capture.tell(signal.SIGCONT)
        time.sleep(0.02)
    settle(capture)
    equal(capture.stop(), 4, 'exit status')
    summary = capture.summaries()[-1]
    dropped = [ring['drops'] for ring in summary['rings']]
    check(min(dropped) > 100 and min(ring['freezes'] for ring in summary['rings']) > 0, 'rings: %r' % summary['rings'])
    equal(sum(dropped), summary['drops']['kernel'], 'drops of the rings')
    equal(summary['packets'], traffic.received() - summary['drops']['kernel'], 'packets seen')
    read = subprocess.run([weir, '-r', packets, '-o', 'none', '--summary=json'], stderr=subprocess.PIPE, check=True)
    again = json.loads(read.stderr)
    equal((again['packets'], again['drops']['capture']), (summary['packets'], summary['drops']['kernel']), 'in the file')
    print('      %r' % summary['rings'])


def fanout_and_flows_on_two_rings(net, weir):
    """VXLAN whose outer ports differ by direction: the kernel cannot see the flow inside. It is told, by number."""
    pairs = 40
    frames = []
    for n in range(pairs):
        for number, frame in enumerate(conversation('10.7.2.%d' % (n + 1), 3000 + n, n)):
            forth = number in (0, 2, 3, 5, 7)
            frames.append((number, vxlan(frame, '10.1.0.1' if forth else '10.1.0.2', '10.1.0.2' if forth else '10.1.0.1',
                                         (20000 if forth else 41000) + n)))
    frames = [frame for _, frame in sorted(frames, key=lambda pair: pair[0])]
    one = Weir(net, weir, ['-j', '2']).ready()
    many = Weir(net, weir, ['-j', '2', '--fanout', '--summary=text']).ready()
    counted = Weir(net, weir, ['-j', '2', '--fanout']).ready()
    send_frames(net, frames)
    time.sleep(0.5)
    equal([capture.stop() for capture in (one, many, counted)], [0, 0, 0], 'exit status')
    equal([record['completeness'] for record in one.records()], ['complete'] * pairs, 'without it')
    summary = counted.summaries()[-1]
    split = summary['tcp']['two_rings']
    # each flow has a chance of a half
    check(pairs // 5 < split < pairs * 4 // 5, '%d flows on two rings' % split)
    equal(summary['tcp']['flows'], pairs + split, 'flows: halves of those are two')
    whole = [record for record in counted.records() if record['completeness'] == 'complete']
    equal(len(whole), pairs - split, 'whole transactions')
    check(re.search(r'weir: warning: \d+ flows came on two rings, and are told as halves\n  The kernel', many.stderr()), many.stderr())
    check(re.search(r'^rings +\d+   packets on %s · 67\.1 MB' % net.link, many.stderr(), re.M), many.stderr())


def vxlan(frame, src, dst, sport):
    """A frame in VXLAN, in an Ethernet frame."""
    udp = struct.pack('>HHHH', sport, 4789, 16 + len(frame), 0) + b'\x08\0\0\0\0\0\x2a\0' + frame
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0x4000, 64, 17, 0, socket.inet_aton(src), socket.inet_aton(dst))
    return b'\x02\0\0\0\0\x63\x02\0\0\0\0\x02\x08\0' + ip[:10] + struct.pack('>H', checksum(ip)) + ip[12:] + udp


def fanout_and_tags(net, weir):
    """VLAN tags, which the kernel takes off and keeps beside the packet, are in the records, and a filter looks through them."""
    capture = Weir(net, weir, ['-j', '2', '--fanout', '-w', net.path('w.pcapng'), 'tcp port 80']).ready()
    frames = [frame[:12] + struct.pack('>HH', 0x8100, 7) + frame[12:] for n in range(8) for frame in conversation('10.7.3.9', 4000 + n, n)]
    send_frames(net, frames)
    time.sleep(0.5)
    equal(capture.stop(), 0, 'exit status')
    records = capture.records()
    equal([(record['completeness'], record['network']['vlan']['id']) for record in records], [('complete', 7)] * 8, 'records')
    if tool('tshark'):
        shown = subprocess.run([tool('tshark'), '-r', net.path('w.pcapng'), '-T', 'fields', '-e', 'vlan.id'], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
        equal(shown.stdout.split(), [b'7'] * len(frames), 'tags in the file')


def fanout_and_fragments(net, weir):
    """The kernel puts IPv4 fragments together to find their flow: transactions are whole."""
    frames = []
    for n in range(20):
        for frame in conversation('10.7.4.9', 5000 + n, n):
            frames += fragments(frame, n) if len(frame) > 300 else [frame]
    capture = Weir(net, weir, ['-j', '3', '--fanout']).ready()
    send_frames(net, frames)
    time.sleep(0.5)
    equal(capture.stop(), 0, 'exit status')
    equal([record['completeness'] for record in capture.records()], ['complete'] * 20, 'records')
    check('two_rings' not in capture.summaries()[-1]['tcp'], 'flows on two rings')


def fragments(frame, ident):
    """The IPv4 packet of a frame in two pieces, the second one first."""
    head, payload, cut = frame[14:34], frame[34:], 160
    pieces = []
    for offset, part, more in ((cut, payload[cut:], 0), (0, payload[:cut], 1)):
        ip = head[:2] + struct.pack('>HHH', 20 + len(part), ident, more << 13 | offset // 8) + head[8:10] + b'\0\0' + head[12:]
        pieces.append(frame[:14] + ip[:10] + struct.pack('>H', checksum(ip)) + ip[12:] + part)
    return pieces


def fanout_slow_sink(net, weir):
    """A sink whose reader sleeps stalls no ring, and no other sink."""
    path = net.path('slow')
    os.mkfifo(path)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    traffic = Traffic(net, weir)
    capture = Weir(net, weir, ['-o', 'json:' + path, '-j', '2', '--fanout', '--memory', '64M']).ready()
    sent, first = 0, 0
    for turn in range(1, 60):
        sent += traffic.send('--packets', str(ROUND), '--rate', '24000', '--first', str(turn))['sent']
        settle(capture, turn)
        check(wait_for(lambda: len(capture.summaries()) == turn), 'no summary while a sink is held up')
        first = capture.summaries()[-1]['drops'].get('sink_json2_queue_full', 0)
        if first > 0:
            break
    check(first > 0, 'the slow sink has lost nothing')
    status = []
    thread = threading.Thread(target=lambda: status.append(capture.stop()))
    thread.start()
    os.set_blocking(fd, True)
    lines = 0
    while True:
        got = os.read(fd, 1 << 20)
        if not got:
            break
        lines += got.count(b'\n')
    thread.join()
    os.close(fd)
    summary = capture.summaries()[-1]
    equal(status, [0], 'exit status')
    equal((summary['packets'], summary['drops'].get('kernel', 0)), (sent, 0), 'packets and drops')
    equal(len(capture.records()), sent // PACKETS, 'records of the quick sink')
    equal(lines + summary['drops']['sink_json2_queue_full'], sum(summary['records'].values()), 'records of the slow sink, and those it lost')


def fanout_signals(net, weir):
    """-c over all rings; figures while it runs; files are opened again; an interface that goes away ends all rings."""
    traffic = Traffic(net, weir)
    counting = Weir(net, weir, ['-j', '2', '--fanout', '-c', '500']).ready()
    capture = Weir(net, weir, ['-j', '2', '--fanout']).ready()
    traffic.send('--packets', '1600', '--rate', '4000')
    equal(counting.process.wait(30), 0, 'exit status')
    equal(counting.summaries()[-1]['packets'], 500, 'packets')
    settle(capture)
    equal(capture.summaries()[0]['packets'], 1600, 'packets so far')
    os.rename(capture.out, capture.out + '.1')
    capture.tell(signal.SIGHUP)
    check(wait_for(lambda: os.path.exists(capture.out)), 'not opened again')
    traffic.send('--packets', '1600', '--rate', '4000', '--first', '9')
    settle(capture, 2)
    equal(capture.summaries()[1]['packets'], 3200, 'packets so far')
    equal((len(read_records(capture.out + '.1')), len(read_records(capture.out))), (200, 200), 'records before and after')
    net.ip('-n', net.server, 'link', 'del', net.link)
    equal(capture.process.wait(30), 1, 'exit status')
    check('weir: error: capturing on %s has ended' % net.link in capture.stderr(), capture.stderr())
    equal(capture.summaries()[-1]['packets'], 3200, 'packets at the end')


def fanout_of_several_interfaces(net, weir):
    """`any`, and two interfaces: a ring each for every worker, the interface's name in the records, each packet once."""
    frames = [frame for n in range(30) for frame in conversation('10.7.5.%d' % (n + 1), 6000 + n, n)]
    both = Weir(net, weir, ['-j', '2', '--fanout'], links=['lo', net.link]).ready()
    every = Weir(net, weir, ['-j', '3', '--fanout', 'tcp port 80'], links=['any']).ready()
    send_frames(net, frames)
    time.sleep(0.5)
    for capture, names in ((both, ['lo', net.link] * 2), (every, ['any'] * 3)):
        equal(capture.stop(), 0, 'exit status')
        summary = capture.summaries()[-1]
        equal([ring['interface'] for ring in summary['rings']], names, 'rings')
        equal(summary['packets'], len(frames), 'packets')
        equal([(record['completeness'], record['capture']['interface']) for record in capture.records()], [('complete', net.link)] * 30,
              'records')


def fanout_at_the_ceiling(net, weir):
    """No drop with it, either."""
    rounds = 2 if is_sanitized(weir) else 60
    for _ in range(3):
        dropped, rate, cpu = try_ceiling(net, weir, rounds, ['-j', '2', '--fanout'])
        print('      %.0f packets a second, %d dropped, %.1f %% of a core' % (rate, dropped, 100 * cpu))
        if dropped == 0:
            break
    equal(dropped, 0, 'drops at %.0f packets a second' % rate)


TESTS = (no_drop_at_the_ceiling, drops_at_overload_are_exact, ring_at_the_ceiling, ring_that_is_killed, ring_on_a_full_disk,
         ring_and_rights, fanout_tells_the_same, fanout_drops_are_exact, fanout_and_flows_on_two_rings, fanout_and_tags,
         fanout_and_fragments, fanout_of_several_interfaces, fanout_slow_sink, fanout_signals, fanout_at_the_ceiling)

if __name__ == '__main__':
    sys.exit(main(TESTS, sys.argv[3:], ('ip',)))

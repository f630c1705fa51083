#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--ring and weir slice, from the command line: test_ring.py WEIR

Packets are kept while files and pipes are read. Live capture, a full disk and kill -9 under load are tests/live/test_ring_live.py.
"""
import glob
import json
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import cli  # noqa: E402
from cli import DEMO, WEIR, equal, run  # noqa: E402
from cli import expect as check  # noqa: E402
from packets import blocks, frames_in  # noqa: E402

NAME = re.compile(r'ring-\d{8}T\d{6}\.\d{9}Z-r(\d{6})-p(\d{12})\.pcapng$')
MAX = 16 << 20


def frame(n, size):
    """An Ethernet frame of UDP whose bytes say which it is; even ones go to port 1000, odd ones to port 2000."""
    port = 1000 if n % 2 == 0 else 2000
    udp = struct.pack('>HHHH', 5, port, 8 + size, 0) + struct.pack('>I', n).ljust(size, b'%c' % (n % 251))
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    return b'\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0' + ip + udp


def record(n, size):
    data = frame(n, size)
    return struct.pack('<IIII', 1700000000 + n // 1000, n % 1000 * 1000000, len(data), len(data)) + data


HEAD = struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 262144, 1)


def capture(path, n, size=1000):
    """A capture of frames 1 to n."""
    with open(path, 'wb') as file:
        file.write(HEAD + b''.join(record(i, size) for i in range(1, n + 1)))
    return path


def wanted(first, last, size=1000, step=1):
    return [((1700000000 + n // 1000) * 10**9 + n % 1000 * 1000000, frame(n, size)) for n in range(first, last + 1, step)]


def ring(folder='ring'):
    """Its files, the oldest first; everything in it has one of the names."""
    names = sorted(os.listdir(folder))
    check(all(NAME.match(name) for name in names), 'names: %r' % names)
    return [os.path.join(folder, name) for name in names]


def size_of(paths):
    return sum(os.path.getsize(path) for path in paths)


def summary(done):
    return json.loads([line for line in done.stderr.decode().splitlines() if line.startswith('{')][-1])


def keep(path, *words, top=MAX, folder='ring'):
    done = run('-r', path, '--ring', '%s,max=%d' % (folder, top), '-o', 'none', '--summary=json', *words)
    equal(done.returncode, 0, done.stderr.decode())
    return summary(done)


def slice_of(source, numbers, *words):
    if os.path.exists('slice.pcapng'):
        os.unlink('slice.pcapng')
    return run('slice', source, numbers, '-w', 'slice.pcapng', *words)


@cli.test
def a_slice_is_those_packets():
    """By number, across files, bytes and times as they were; the file and the ring give the same."""
    capture('a.pcap', 9000)
    got = keep('a.pcap')
    equal((got['ring']['packets'], got['ring']['deleted'], got['drops']), (9000, 0, {'capture': 0}), 'summary')
    check(len(ring()) > 3, 'one file only')
    for numbers, first, last in (('1', 1, 1), ('4711', 4711, 4711), ('1-3', 1, 3), ('8990-9000', 8990, 9000), ('1500-7500', 1500, 7500)):
        for source in ('ring', 'a.pcap'):
            done = slice_of(source, numbers)
            equal(done.returncode, 0, done.stderr)
            equal(frames_in('slice.pcapng'), wanted(first, last), 'packets %s of %s' % (numbers, source))
    done = slice_of('ring', '101-200', 'udp port 2000')
    equal(frames_in('slice.pcapng'), wanted(101, 200, step=2), 'packets that match')
    equal(b'nothing is masked' in done.stderr, True, done.stderr)
    if shutil.which('tshark'):
        for path in ring() + ['slice.pcapng']:
            shown = subprocess.run(['tshark', '-r', path, '-T', 'fields', '-e', 'udp.length'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            equal((shown.returncode, set(shown.stdout.split())), (0, {b'1008'}), shown.stderr)


@cli.test
def the_sum_stays_below_max():
    """The oldest go, names ascend, the newest packets are there, nobody else may read them."""
    capture('a.pcap', 40000)
    got = keep('a.pcap')
    files = ring()
    check(size_of(files) <= MAX, '%d bytes' % size_of(files))
    check(size_of(files) > MAX * 3 // 4, 'only %d bytes' % size_of(files))
    equal((got['ring']['held'], got['ring']['files']), (size_of(files), len(files)), 'what the summary says is there')
    equal(got['ring']['begun'] - got['ring']['deleted'], len(files), 'files begun and deleted')
    equal({stat.S_IMODE(os.stat(path).st_mode) for path in files}, {0o600}, 'modes')
    firsts = [int(NAME.search(path).group(2)) for path in files]
    equal(firsts, sorted(firsts), 'numbers ascend with the names')
    equal([frames_in(path)[0] for path in files], [wanted(n, n)[0] for n in firsts], 'first packets')
    kept = sum((frames_in(path) for path in files), [])
    equal(kept, wanted(firsts[0], 40000), 'packets kept')
    done = slice_of('ring', '1-5')
    equal(done.returncode, 1, 'exit status')
    check(b'are not kept in ring any more\n  The oldest one is %d.' % firsts[0] in done.stderr, done.stderr)
    done = slice_of('ring', '%d-%d' % (firsts[0] - 10, firsts[0] + 9))
    equal((done.returncode, frames_in('slice.pcapng')), (0, wanted(firsts[0], firsts[0] + 9)), 'a slice that is half gone')
    check(b'10 of the 20 packets are not there' in done.stderr, done.stderr)
    done = slice_of('ring', '40001')
    equal(done.returncode, 1, 'exit status')
    check(b'The newest one is 40000.' in done.stderr, done.stderr)


@cli.test
def a_second_run_goes_on():
    """Files that are there count, and go first; numbers are each run's own; other files are nobody's business."""
    capture('a.pcap', 9000)
    capture('b.pcap', 9000, 900)
    keep('a.pcap')
    old = ring()
    with open('ring/notes.txt', 'w') as file:
        file.write('x' * (32 << 20))
    os.mkdir('ring/ring-20200101T000000.000000000Z-r000009-p000000000001.pcapng')
    got = keep('b.pcap')
    os.unlink('ring/notes.txt')
    os.rmdir('ring/ring-20200101T000000.000000000Z-r000009-p000000000001.pcapng')
    files = ring()
    check(size_of(files) <= MAX, '%d bytes' % size_of(files))
    left = [path for path in old if os.path.exists(path)]
    check(0 < len(left) < len(old) and left == files[:len(left)] == old[-len(left):], 'the oldest did not go: %r' % left)
    equal(got['ring']['held'], size_of(files), 'held')
    equal([int(NAME.search(path).group(1)) for path in files], [1] * len(left) + [2] * (len(files) - len(left)), 'runs')
    equal((slice_of('ring', '8000-8100').returncode, frames_in('slice.pcapng')), (0, wanted(8000, 8100, 900)), 'the newest run')
    equal((slice_of('ring', '8000-8100', '--run', '1').returncode, frames_in('slice.pcapng')), (0, wanted(8000, 8100)), 'the first run')
    # by a time: of the second run's first file, and one before it
    when = re.search(r'ring-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)', files[len(left)]).groups()
    equal((slice_of('ring', '8000', '--run', '%s-%s-%sT%s:%s:%s.999999Z' % when).returncode, frames_in('slice.pcapng')),
          (0, wanted(8000, 8000, 900)), 'a time in the second run')
    equal((slice_of('ring', '8000', '--run', '2001-01-01T00:00:00Z').returncode, frames_in('slice.pcapng')), (0, wanted(8000, 8000)),
          'a time before all runs')
    equal(slice_of('ring', '8000', '--run', '3').returncode, 1, 'a run that there is not')


@cli.test
def numbers_are_those_of_the_capture():
    """With a filter the packets that match are kept, under the numbers that records use."""
    capture('a.pcap', 3001)
    equal(keep('a.pcap', 'udp port 2000')['ring']['packets'], 1501, 'packets')
    equal((slice_of('ring', '1001-1100').returncode, frames_in('slice.pcapng')), (0, wanted(1001, 1100, step=2)), 'the odd ones')
    equal(slice_of('ring', '1002').returncode, 1, 'one that did not match')


@cli.test
def a_record_can_be_sliced():
    """What packet.first and packet.last of a transaction say is what a slice of them holds."""
    run('-r', DEMO, '--ring', 'ring,max=16M', '-o', 'json:all.json', '-q')
    with open('all.json') as file:
        records = [json.loads(line) for line in file if '"http"' in line]
    record_ = next(record for record in records if record['type'] == 'http' and record.get('url', {}).get('path') and
                   record['completeness'] == 'complete' and record['packet']['last'] > record['packet']['first'] + 1)
    numbers = '%d-%d' % (record_['packet']['first'], record_['packet']['last'])
    done = slice_of('ring', numbers, 'tcp', 'port', str(record_['client']['port']))
    equal(done.returncode, 0, done.stderr)
    again = json.loads(run('-r', 'slice.pcapng', '--json', '-Y', 'type:http').stdout.splitlines()[0])
    equal((again['ts'], again['http'], again['url']), (record_['ts'], record_['http'], record_['url']), 'the transaction')


@cli.test
def cut_anywhere_it_can_be_read():
    """As kill -9 may leave it: whole packets up to the cut, by weir and by tshark; and the next run goes on."""
    capture('a.pcap', 40, 100)
    keep('a.pcap')
    path = ring()[0]
    with open(path, 'rb') as file:
        data = file.read()
    ends, at = [], 0
    for kind, body in blocks(data):
        at += len(body) + 12
        ends += [at] if kind == 6 else []
    for cut in list(range(ends[0], ends[2], 7)) + [ends[38] + 1, ends[38] + 13, ends[39] - 1]:
        with open(path, 'wb') as file:
            file.write(data[:cut])
        whole = sum(1 for end in ends if end <= cut)
        done = slice_of('ring', '1-40')
        equal(done.returncode, 0 if cut in ends else 3, 'exit status at %d: %r' % (cut, done.stderr))
        equal(frames_in('slice.pcapng'), wanted(1, whole, 100), 'packets before byte %d' % cut)
    if shutil.which('tshark'):
        shown = subprocess.run(['tshark', '-r', path, '-T', 'fields', '-e', 'frame.number'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        equal(len(shown.stdout.split()), 39, 'packets by tshark')
    keep('a.pcap')
    equal((slice_of('ring', '1-40').returncode, frames_in('slice.pcapng')), (0, wanted(1, 40, 100)), 'the run after it')


@cli.test
def killed_it_has_what_came():
    """Packets are on the disk within a second or so, while the input is silent; kill -9 takes nothing back."""
    writer = subprocess.Popen([WEIR, '-r', '-', '--ring', 'ring,max=16M', '-o', 'none', '-q'], stdin=subprocess.PIPE)
    writer.stdin.write(HEAD + b''.join(record(n, 100) for n in range(1, 101)))
    writer.stdin.flush()
    end = time.monotonic() + 20
    while time.monotonic() < end and slice_of('ring', '1-100').returncode != 0:
        time.sleep(0.1)
    equal(frames_in('slice.pcapng'), wanted(1, 100, 100), 'while it runs')
    taken = run('-r', DEMO, '--ring', 'ring,max=16M', '-o', 'none')
    equal(taken.returncode, 1, 'a second weir on the same ring')
    check(b'packets cannot be kept in ring: another weir does it' in taken.stderr, taken.stderr)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdin.close()
    equal((slice_of('ring', '1-100').returncode, frames_in('slice.pcapng')), (0, wanted(1, 100, 100)), 'after it')
    equal(keep(capture('a.pcap', 3))['ring']['packets'], 3, 'the lock is gone with it')


@cli.test
def interfaces_keep_their_names():
    """Several interfaces, in files that each describe them, and in slices."""
    keep(DEMO)
    equal(run('-r', ring()[0], '--json').stdout.count(b'"http"'), run('-r', DEMO, '--json').stdout.count(b'"http"'), 'records')
    equal(slice_of('ring', '1-1047').returncode, 0, 'exit status')
    for path in (ring()[0], 'slice.pcapng'):
        again = run('-r', path, '--json', '--set', 'redact=off').stdout
        equal(again, run('-r', DEMO, '--json', '--set', 'redact=off').stdout, 'records of ' + path)


@cli.test
def what_makes_no_sense_is_refused():
    capture('a.pcap', 3)
    for words, text in ((['--ring', 'ring'], b'It takes a directory and how far'), (['--ring', 'ring,max=1M'], b'from 16M up'),
                        (['--ring', ',max=16M'], b'It takes a directory'),
                        (['--ring', 'ring,max=16M', '-r', 'a.pcap'], b'keeps the packets of one input')):
        done = run('-r', 'a.pcap', '-o', 'none', *words)
        equal(done.returncode, 2, words)
        check(text in done.stderr, done.stderr)
    done = run('-r', 'a.pcap', '-o', 'none', '--ring', 'no/such/place,max=16M')
    equal(done.returncode, 1, 'exit status')
    check(b'weir: error: packets cannot be kept in no/such/place: No such file' in done.stderr, done.stderr)
    for words in (['a.pcap'], ['a.pcap', '1'], ['a.pcap', '0', '-w', 'x'], ['a.pcap', '5-3', '-w', 'x'], ['a.pcap', 'x', '-w', 'x'],
                  ['a.pcap', '1', '-w', 'x', 'no filter'], ['a.pcap', '1', '-w', 'x', '--run', 'never']):
        done = run('slice', *words)
        equal(done.returncode, 2, 'exit status of %r: %r' % (words, done.stderr))
        check(done.stderr.startswith(b'weir: error: '), done.stderr)
    equal(run('slice', 'nosuch', '1', '-w', 'x').returncode, 1, 'a file that there is not')
    os.mkdir('empty')
    done = run('slice', 'empty', '1', '-w', 'x')
    check(done.returncode == 1 and b'empty has no packets' in done.stderr, done.stderr)
    check(glob.glob('x') == [], 'an output was made')


sys.exit(cli.main())

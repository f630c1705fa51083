#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which packets are read and written, from the command line: test_packets.py WEIR

Filters, -c, -w and its rotation, progress, a silent standard input. No rights are needed; live capture is tests/live.
"""
import atexit
import glob
import gzip
import json
import os
import pty
import random
import re
import signal
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import cli  # noqa: E402
from cli import DEMO, ROOT, WEIR, equal, run  # noqa: E402
from packets import blocks  # noqa: E402
from cli import expect as check  # noqa: E402


def test(function):
    """It is given the folder that it runs in."""
    def in_folder():
        function(os.getcwd())
    in_folder.__name__ = function.__name__
    return cli.test(in_folder)


def summary(done):
    """Of a run with --summary=json."""
    return json.loads([line for line in done.stderr.decode().splitlines() if line.startswith('{')][-1])


def packets(path):
    return summary(run('-r', path, '-o', 'none', '--summary=json'))['packets']


def pcap(frames, linktype=1, start=1700000000, step=1):
    """A nanosecond pcap; a packet a `step` seconds."""
    out = struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 262144, linktype)
    for number, frame in enumerate(frames):
        out += struct.pack('<IIII', start + number * step, 123456789, len(frame), len(frame)) + frame
    return out


def options(body, at):
    found = {}
    while at + 4 <= len(body):
        code, length = struct.unpack_from('<HH', body, at)
        if code == 0:
            break
        found[code] = body[at + 4:at + 4 + length]
        at += 4 + length + -length % 4
    return found


# ---- -w ----

@test
def written_packets_are_those_read(folder):
    """Bytes, nanoseconds, lengths, order, name of the interface; the filter and the figures stand in the file."""
    source, target = os.path.join(folder, 'a.pcap'), os.path.join(folder, 'b.pcapng')
    frames = [bytes([n]) * (60 + n) for n in range(5)]
    data = bytearray(pcap(frames))
    # the third packet was cut: 62 of 1000 bytes
    at = 24 + 2 * 16 + 60 + 61
    struct.pack_into('<I', data, at + 12, 1000)
    with open(source, 'wb') as file:
        file.write(data)
    equal(run('-r', source, '-w', target, '-o', 'none', '-q', 'greater 0').returncode, 0, 'exit status')
    with open(target, 'rb') as file:
        got = list(blocks(file.read()))
    equal([kind for kind, _ in got], [0x0a0d0d0a, 1, 6, 6, 6, 6, 6, 5], 'blocks')
    equal(struct.unpack_from('<HHI', got[1][1]), (1, 0, 0), 'link type and snaplen')
    described = options(got[1][1], 8)
    equal(described[9], b'\x09', 'if_tsresol')
    equal(described[11], b'\0greater 0', 'if_filter')
    check(options(got[0][1], 16)[4].startswith(b'weir '), 'shb_userappl')
    for number, (_, body) in enumerate(got[2:7]):
        interface, high, low, caplen, wirelen = struct.unpack_from('<IIIII', body)
        equal((interface, high << 32 | low), (0, (1700000000 + number) * 10**9 + 123456789), 'interface and time')
        equal((caplen, wirelen), (60 + number, 1000 if number == 2 else 60 + number), 'lengths')
        equal(body[20:20 + caplen], frames[number], 'bytes')
    equal(struct.unpack('<Q', options(got[7][1], 12)[4])[0], 5, 'isb_ifrecv')
    equal(struct.unpack('<Q', options(got[7][1], 12)[5])[0], 0, 'isb_ifdrop')


@test
def drops_of_the_source_are_told(folder):
    """The demo capture tells of 2 drops: so does what is written of it."""
    target = os.path.join(folder, 'b.pcapng')
    run('-r', DEMO, '-w', target, '-o', 'none')
    done = run('-r', target, '-o', 'none', '--summary=json')
    equal(summary(done)['drops'], {'capture': 2}, 'drops')


@test
def suffix_compresses(folder):
    for suffix, magic in (('.gz', b'\x1f\x8b'), ('.zst', b'\x28\xb5\x2f\xfd'), ('.lz4', b'\x04\x22\x4d\x18')):
        target = os.path.join(folder, 'x.pcapng' + suffix)
        equal(run('-r', DEMO, '-w', target, '-o', 'none').returncode, 0, 'exit status')
        with open(target, 'rb') as file:
            equal(file.read(len(magic)), magic, 'first bytes of ' + suffix)
        equal(run('-r', target, '--json').stdout, run('-r', DEMO, '--json').stdout, 'records of ' + suffix)
    with gzip.open(os.path.join(folder, 'x.pcapng.gz')) as file:
        check(len(list(blocks(file.read()))) > 1000, 'what gzip makes of it')


@test
def standard_output(folder):
    """-w - gives packets and nothing else; with records there too it is refused."""
    done = run('-r', DEMO, '-w', '-', '-q')
    equal(done.returncode, 0, 'exit status')
    equal(done.stdout[:4], b'\x0a\x0d\x0d\x0a', 'first bytes')
    equal(subprocess.run([WEIR, '-r', '-', '--json', '-q'], input=done.stdout, stdout=subprocess.PIPE).stdout,
          run('-r', DEMO, '--json').stdout, 'records')
    equal(run('-r', DEMO, '-w', '-', '--json').returncode, 2, 'exit status with --json')


def rotated(folder, *words):
    """{name: packets} of the files that a run with -w wrote."""
    done = run('-r', os.path.join(folder, 'in.pcap'), '-o', 'none', '-w', *words)
    equal(done.returncode, 0, 'exit status: ' + done.stderr.decode())
    names = sorted(glob.glob(os.path.join(folder, 'out*')))
    found = {os.path.basename(name): packets(name) for name in names}
    for name in names:
        os.remove(name)
    return found


@test
def rotation_is_tcpdumps(folder):
    """Names and numbers of tcpdump(8): -C, -C with -W, -G, -G with -W."""
    # 100 packets of 1000 bytes, a second apart: a block is 1032 bytes
    with open(os.path.join(folder, 'in.pcap'), 'wb') as file:
        file.write(pcap([b'\x02' * 12 + b'\x08\0' + b'\0' * 986] * 100))
    out = os.path.join(folder, 'out')
    # checked before each packet: 40 KiB = 40960 bytes are exceeded by a header of 100-odd bytes and 40 packets
    by_size = rotated(folder, out, '-C', '40k')
    equal(list(by_size), ['out', 'out1', 'out2'], 'names of -C')
    equal(sum(by_size.values()), 100, 'packets of -C')
    equal(by_size['out'], by_size['out1'], 'packets of a full file')
    # with -W numbers have equal length, and the first file is written over: 100 packets in files of 10 or 11
    ring = rotated(folder, out, '-C', '10k', '-W', '4')
    equal(list(ring), ['out0', 'out1', 'out2', 'out3'], 'names of -C -W')
    check(10 < sum(ring.values()) < 50, 'the oldest are gone: %r' % ring)
    equal(len(rotated(folder, out, '-C', '2k', '-W', '11')), 11, 'files of -C -W')
    many = rotated(folder, out + '.pcapng.gz', '-C', '40k')
    equal(list(many), ['out.pcapng.gz', 'out.pcapng1.gz', 'out.pcapng2.gz'], 'names with a suffix')
    os.environ['TZ'] = 'UTC'
    # 1700000000 is 22:13:20
    equal(rotated(folder, out + '-%H%M%S', '-G', '40'),
          {'out-221320': 40, 'out-221400': 40, 'out-221440': 20}, 'files of -G')
    equal(rotated(folder, out + '-%H%M%S', '-G', '40', '-W', '2'), {'out-221320': 40, 'out-221400': 40}, 'files of -G -W')


@test
def meaningless_combinations_are_refused(folder):
    for words in (['-C', '1'], ['-w', 'x', '-W', '2'], ['-i', 'lo'], ['-w', '-', '-G', '3'], ['-F', 'x', 'tcp']):
        done = run('-r', DEMO, '-o', 'none', *words, cwd=folder)
        equal(done.returncode, 2, 'exit status of %r' % words)
        check(re.match(r'weir: error: .*\n  \S', done.stderr.decode()), done.stderr.decode())
        equal(os.listdir(folder), [], 'files made by %r' % words)
    for words, text in ((['-i', 'lo', '-i', 'eth9', '-i', 'lo'], 'an interface is named twice'),
                        (['-i', 'lo', '-i', 'any'], '-i any covers the other interfaces'),
                        (['-r', DEMO, '--json', '-o', 'text'], 'two sinks would write to standard output')):
        done = run(*words)
        equal((done.returncode, done.stdout), (2, b''), 'status of %r' % words)
        check(done.stderr.decode().startswith('weir: error: ' + text), done.stderr.decode())


@test
def files_that_cannot_be_had_are_told_with_a_fix(folder):
    for words, text in ((['-o', 'none', '-w', 'no/x.pcapng'], 'cannot open for writing no/x.pcapng: No such file or directory\n  See that'),
                        (['-o', 'none', '-w', '/dev/full'], 'cannot write packets to /dev/full: No space left on device\n  Make room'),
                        (['-o', 'json:no/x'], '-o json:no/x: cannot open the file for writing: No such file or directory\n  See that'),
                        (['-o', 'csv:.'], '-o csv:.: cannot open the file for writing: Is a directory\n  Name a file'),
                        (['-F', 'no'], 'cannot read the filter from no: No such file or directory\n  See that'),
                        (['-r', 'no'], 'no cannot be opened: No such file or directory\n  See that')):
        done = run('-r', DEMO, '-q', *words)
        equal(done.returncode, 1, 'status of %r' % words)
        check(done.stderr.decode().startswith('weir: error: ' + text), done.stderr.decode())


# ---- filters and -c ----

@test
def filters_choose_packets(folder):
    every = summary(run('-r', DEMO, '-o', 'none', '--summary=json'))['packets']
    some = summary(run('-r', DEMO, '-o', 'none', '--summary=json', 'host', '192.0.2.77'))['packets']
    others = summary(run('-r', DEMO, '-o', 'none', '--summary=json', 'not host 192.0.2.77'))['packets']
    check(0 < some < every, 'packets: %d of %d' % (some, every))
    equal(some + others, every, 'the two halves')
    name = os.path.join(folder, 'filter')
    with open(name, 'w') as file:
        file.write('host\n192.0.2.77\n')
    equal(summary(run('-r', DEMO, '-o', 'none', '--summary=json', '-F', name))['packets'], some, 'packets of -F')
    # packet numbers stay those of the file
    whole = {json.loads(line)['id']: line for line in run('-r', DEMO, '--json').stdout.splitlines()}
    lines = run('-r', DEMO, '--json', 'host', '192.0.2.77').stdout.splitlines()
    check(lines and all(whole.get(json.loads(line)['id']) == line for line in lines), 'records of some packets')


def frame(port, tags=(), payload=b'x'):
    """Ethernet with a UDP datagram 10.0.0.1:9 > 10.0.0.2:port, behind VLAN tags (checksums are not looked at here)."""
    ether = b'\x02\0\0\0\0\x01\x02\0\0\0\0\x02'
    for number, tag in enumerate(tags):
        ether += struct.pack('>HH', 0x88a8 if number == 0 and len(tags) > 1 else 0x8100, tag)
    udp = struct.pack('>HHHH', 9, port, 8 + len(payload), 0) + payload
    return ether + b'\x08\0' + raw_ip(udp)


def raw_ip(udp):
    return struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + b'\x0a\0\0\x01\x0a\0\0\x02' + udp


@test
def filters_look_through_tags(folder):
    """Without a tag, with one and with two; a filter that speaks of tags itself is taken as it stands."""
    name = os.path.join(folder, 'tags.pcap')
    with open(name, 'wb') as file:
        # 1 and 2 without, 3 and 4 with one, 5 and 6 with two; the first number on port 53, the second on port 54
        file.write(pcap([frame(port, tags) for tags, counts in (((), (1, 2)), ((7,), (3, 4)), ((7, 8), (5, 6)))
                         for port, count in zip((53, 54), counts) for _ in range(count)] + [b'\xff' * 12 + b'\x08\x06' + b'\0' * 28]))
    for text, wanted in (('udp port 53', 9), ('not udp port 53', 13), ('udp port 53 or udp port 54', 21), ('udp', 21),
                         ('port 53 and host 10.0.0.2', 9), ('not (port 53 or port 54)', 1), ('arp', 1), ('ip', 21), ('tcp', 0),
                         ('ether src 02:00:00:00:00:02', 21), ('ether[0] = 0xff', 1), ('greater 50', 11), ('udp[8] = 0x78', 21),
                         # as they stand
                         ('vlan', 18), ('vlan 7 and port 53', 3), ('vlan and vlan and port 53', 5), ('vlan 8', 0),
                         ('ether proto 0x8100', 7), ('ether proto 0x0800 and port 53', 1)):
        got = summary(run('-r', name, '-o', 'none', '--summary=json', text))['packets']
        equal(got, wanted, text)


@test
def each_link_type_has_its_program(folder):
    """A pcapng with an Ethernet and a raw IP interface: the filter finds the datagram behind either header."""
    def block(kind, body):
        return struct.pack('<II', kind, len(body) + 12) + body + struct.pack('<I', len(body) + 12)

    def packet(interface, data):
        return block(6, struct.pack('<IIIII', interface, 0, 0, len(data), len(data)) + data + b'\0' * (-len(data) % 4))
    name = os.path.join(folder, 'two.pcapng')
    datagrams = [raw_ip(struct.pack('>HHHH', 9, port, 8, 0)) for port in (53, 54, 53)]
    with open(name, 'wb') as file:
        file.write(block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)) + block(1, struct.pack('<HHI', 1, 0, 0)) +
                   block(1, struct.pack('<HHI', 101, 0, 0)) + packet(0, frame(53)) + packet(0, frame(54, (7,))) +
                   b''.join(packet(1, datagram) for datagram in datagrams))
    for text, wanted in (('port 53', 3), ('port 54', 2), ('ether src 02:00:00:00:00:02', 2)):
        done = run('-r', name, '-o', 'none', '--summary=json', text)
        equal(summary(done)['packets'], wanted, text)
        told = 'does not fit packets of link type RAW' in done.stderr.decode()
        equal(told, text.startswith('ether'), 'the warning with ' + text)


@test
def bad_filters_are_pointed_at(folder):
    for text, mark in (('prot 80', '^~~~ did you mean "port"?'), ('tcp port', '        ^ something is missing here'),
                       ('tcp port 80 an host 1.2.3.4', '            ^~ did you mean "and"?'),
                       ('port 999999', '     ^~~~~~'), ('(tcp', '    ^ something is missing here'),
                       ('tcp port 80 or (udp', '                   ^ something is missing here'),
                       ('(tcp) or (udp', '             ^ something is missing here'),
                       ('tcp) or (udp', '   ^')):
        done = run('-r', DEMO, '-o', 'none', text)
        equal(done.returncode, 2, 'exit status of ' + text)
        lines = done.stderr.decode().splitlines()
        check(lines[0].startswith('weir: error: bad capture filter: '), lines[0])
        equal(lines[1:3], ['    ' + text, '    ' + mark], 'what is pointed at')


@test
def count_ends_the_run(folder):
    done = run('-r', DEMO, '-o', 'none', '--summary=json', '-c', '17', '-w', os.path.join(folder, 'x'))
    equal((done.returncode, summary(done)['packets']), (0, 17), 'status and packets')
    equal(packets(os.path.join(folder, 'x')), 17, 'packets written')
    done = run('-r', DEMO, '-o', 'none', '--summary=json', '-c', '5', 'host 192.0.2.77')
    equal(summary(done)['packets'], 5, 'packets that match')


# ---- progress, signals ----

@test
def progress_is_json(folder):
    reader, writer = os.pipe()
    process = subprocess.Popen([WEIR, '-r', '-', '-o', 'none', '-q', '--progress=json'], stdin=reader, stderr=subprocess.PIPE)
    os.close(reader)
    data = pcap([b'\0' * 60] * 10)
    os.write(writer, data[:-76])
    time.sleep(1.2)
    os.write(writer, data[-76:])
    time.sleep(1.2)
    os.close(writer)
    lines = [json.loads(line) for line in process.communicate()[1].decode().splitlines()]
    equal(process.returncode, 0, 'exit status')
    check(lines, 'no progress was told')
    equal((lines[-1]['type'], lines[-1]['packets'], lines[-1]['bytes']), ('progress', 10, len(data)), 'the last line')


@test
def progress_is_a_line_on_a_terminal(folder):
    """Rewritten in place, cleared at the end; nothing when records go to the same terminal."""
    many = ['-r', DEMO] * 300
    for words, wanted in ((['-o', 'none'], True), ([], False), (['-o', 'none', '--progress=none'], False)):
        pid, fd = pty.fork()
        if pid == 0:
            os.environ['TERM'] = 'xterm'
            os.execv(WEIR, [WEIR, '-j', '1', '--summary=none'] + many + words)
        out = b''
        while True:
            try:
                piece = os.read(fd, 65536)
            except OSError:
                break
            if not piece:
                break
            out += piece
        equal(os.waitpid(pid, 0)[1], 0, 'exit status')
        found = re.findall(rb'\r\x1b\[\?7lreading [^\r]*demo.pcapng  [^\r]* %  [^\r]*/[^\r]*pkt/s[^\r]* tx  mem [^\r]*\x1b\[K\x1b\[\?7h', out)
        equal(bool(found), wanted, 'progress with %r (%d bytes)' % (words, len(out)))
        if wanted:
            check(out.endswith(b'\r\x1b[K'), 'the line is not cleared: %r' % out[-60:])


class Silent:
    """weir reading a pipe in which nothing comes any more."""

    def __init__(self, data, *args):
        reader, self.writer = os.pipe()
        self.process = subprocess.Popen([WEIR, '-r', '-', '--summary=json'] + list(args), stdin=reader, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        os.close(reader)
        self.out = b''
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        atexit.register(self.process.kill)  # a test that failed leaves it behind
        while not self.catches():
            time.sleep(0.01)
        self.write(data)

    def catches(self):
        """It has come to where it handles SIGUSR1."""
        with open('/proc/%d/status' % self.process.pid) as file:
            caught = int(re.search(r'^SigCgt:\s*(\w+)', file.read(), re.M).group(1), 16)
        return caught >> (signal.SIGUSR1 - 1) & 1

    def read(self):
        for line in self.process.stdout:
            self.out += line

    def write(self, data):
        while data:
            data = data[os.write(self.writer, data):]

    def ask(self):
        """@return the summary so far, and the seconds until it came"""
        began = time.monotonic()
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(self.process.stderr.readline()), time.monotonic() - began

    def ask_often(self):
        """@return the last of nine summaries, each asked for when the one before has come, and the median of the seconds"""
        answers = [self.ask() for _ in range(9)]
        return answers[-1][0], sorted(took for _, took in answers)[4]

    def wait_packets(self, number):
        end = time.monotonic() + 20
        while self.ask()[0]['packets'] < number and time.monotonic() < end:
            time.sleep(0.01)

    def end(self):
        """@return what is left on stderr"""
        self.process.wait(20)
        os.close(self.writer)
        self.thread.join()
        with self.process.stderr as file:
            err = file.read().decode()
        self.process.stdout.close()
        return err


@test
def interrupt_on_a_silent_pipe(folder):
    """SIGINT is obeyed at once before the first byte, and between packets; the summary is printed."""
    for data, number in ((b'', 0), (pcap([b'\0' * 60] * 3), 3)):
        for workers in ('1', '2'):
            silent = Silent(data, '-o', 'none', '-j', workers)
            silent.wait_packets(number)
            began = time.monotonic()
            silent.process.send_signal(signal.SIGINT)
            err = silent.end()
            check(time.monotonic() - began < 1, 'it took %.2f s' % (time.monotonic() - began))
            equal(silent.process.returncode, 1, 'exit status')
            check('interrupted after %d packets' % number in err, err)
            equal(json.loads(err.splitlines()[-1])['packets'], number, 'packets')


@test
def summary_and_records_on_a_silent_pipe(folder):
    """SIGUSR1 is answered at once, before the first byte too; what was read has come out, though the end is not there yet."""
    with open(DEMO, 'rb') as file:
        data = file.read()
    whole = run('-r', DEMO, '--json', '-q')
    for workers in ('1', '2'):
        silent = Silent(b'', '--json', '-j', workers)
        time.sleep(0.3)
        got, took = silent.ask_often()
        check(took < 0.1 and got['packets'] == 0, 'before the first byte: %.3f s, %r' % (took, got))
        silent.write(data)
        silent.wait_packets(packets(DEMO))
        got, took = silent.ask_often()
        check(took < 0.1, 'it took %.3f s' % took)
        http = got['records']['http']
        check(http > 10, 'records so far: %r' % got['records'])
        end = time.monotonic() + 5
        while silent.out.count(b'"type":"http"') < http and time.monotonic() < end:
            time.sleep(0.01)
        equal(silent.out.count(b'"type":"http"'), http, 'records on standard output')
        silent.process.send_signal(signal.SIGINT)
        silent.end()
        check(whole.stdout.startswith(silent.out[:silent.out.index(b'"type":"tcp"')].rpartition(b'\n')[0]), 'other records')


@test
def pipe_in_pieces(folder):
    """Wherever a pipe stands still, and whatever is asked meanwhile, the records are those of the file."""
    with open(DEMO, 'rb') as file:
        data = file.read()
    whole = run('-r', DEMO, '--json', '-q').stdout
    check(whole.count(b'\n') > 10, whole)
    dice = random.Random(5)
    for form in (data, gzip.compress(data)):
        cuts = sorted({1, 3, 5, 11, 13, 29, 100} | {dice.randrange(len(form)) for _ in range(20)}) + [len(form)]
        for workers in ('1', '2'):
            silent = Silent(b'', '--json', '-j', workers)
            at = 0
            for cut in cuts:
                silent.write(form[at:cut])
                at = cut
                silent.ask()
                if dice.random() < 0.1:
                    time.sleep(0.3)
            os.dup2(os.open(os.devnull, os.O_RDONLY), silent.writer)
            silent.end()
            equal(silent.process.returncode, 0, 'exit status')
            check(silent.out == whole, 'other records than of the file')


# ---- what there is ----

@test
def interfaces_and_doctor(folder):
    done = run('ifaces')
    equal(done.returncode, 0, 'exit status of ifaces')
    check(re.search(r'^lo +up, loopback', done.stdout.decode(), re.M) or b'NAME' in done.stdout, done.stdout.decode())
    done = run('doctor')
    check(done.returncode in (0, 1), 'exit status of doctor: %d' % done.returncode)
    check(('Capturing is possible' in done.stdout.decode()) == (done.returncode == 0), done.stdout.decode())


if __name__ == '__main__':
    sys.exit(cli.main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live capture between two network namespaces: test_live.py WEIR [NAME...]

Needs root, network namespaces, nginx and wrk; exits 77 where it cannot have them. WEIR_LIVE_SECONDS (2) and
WEIR_LIVE_CONNECTIONS (1) make the load greater. Each test is a function; names on the command line choose some.
"""
import csv
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from net import ACK, CLIENT, FIN, PSH, SERVER, SYN, Net, Weir, missing, read_records, send_frames, tcp, tool, wait_for

SKIPPED_EXIT = 77
SECONDS = int(os.environ.get('WEIR_LIVE_SECONDS', '2'))
CONNECTIONS = int(os.environ.get('WEIR_LIVE_CONNECTIONS', '1'))
NOBODY = 65534


class Skip(Exception):
    pass


def check(true, text):
    if not true:
        raise AssertionError(text)


def equal(got, wanted, what):
    check(got == wanted, '%s: got %r, expected %r' % (what, got, wanted))


def features(weir):
    """What `weir -V` says of the sandbox; [] for a build with a sanitizer, which leaves seccomp out."""
    text = subprocess.run([weir, '-V'], stdout=subprocess.PIPE, check=True).stdout.decode()
    return re.search(r'^sandbox:(.*)$', text, re.M).group(1).split()


def is_sanitized(weir):
    with open(weir, 'rb') as file:
        text = file.read()
        return b'__asan_init' in text or b'__tsan_init' in text


def tshark_count(path, display):
    run = subprocess.run([tool('tshark'), '-r', path, '-Y', display, '-T', 'fields', '-e', 'frame.number'],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return len(run.stdout.splitlines())


def key(record):
    return (record['ts'], record['id'], record['client']['port'], record['http'].get('response', {}).get('status_code', 0),
            record.get('duration_ns', 0), record['completeness'])


def load(net, weir):
    """A web server, wrk and weir: transactions = lines of the server's log, no drops, and the same when read back."""
    net.start_nginx()
    packets = net.path('live.pcapng.zst')
    capture = Weir(net, weir, ['-w', packets, 'tcp port 80']).ready()
    net.wrk(SECONDS, CONNECTIONS)
    time.sleep(0.3)
    equal(capture.stop(), 0, 'exit status')
    summary, records = capture.summaries()[-1], capture.records()
    served = net.served()
    check(served > 1000, 'only %d requests were made' % served)
    equal(sum(summary['drops'].values()), 0, 'drops')
    equal(len(records), served, 'transactions')
    # wrk goes away in the middle of a request at its end, on each connection
    answered = [record for record in records if record['completeness'] == 'complete']
    check(len(records) - len(answered) <= CONNECTIONS, 'transactions without a response: %d' % (len(records) - len(answered)))
    equal({record['capture']['interface'] for record in records}, {net.link}, 'interface')
    again = net.path('again.json')
    subprocess.run([weir, '-r', packets, '-o', 'json:' + again, '-q'], check=True)
    equal(sorted(map(key, read_records(again))), sorted(map(key, records)), 'transactions read back')
    plain = net.path('plain.pcapng')
    subprocess.run([weir, '-r', packets, '-w', plain, '-o', 'none', '-q'], check=True)
    if tool('tshark'):
        equal(tshark_count(plain, 'frame'), summary['packets'], 'packets by tshark')
        equal(tshark_count(plain, 'http.response'), len(answered), 'responses by tshark')
    print('      %d transactions in %d s' % (served, SECONDS))


def rights_are_gone(net, weir):
    """Root becomes nobody; no capability is left, nor can one be had."""
    capture = Weir(net, weir, ['-o', 'none']).ready()
    wait_for(lambda: int(capture.status()['Threads']) > 1, 2)
    status = capture.status()
    for name in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb'):
        equal(int(status[name], 16), 0, name)
    if 'libcap-ng' in features(weir):
        equal(int(status['CapBnd'], 16), 0, 'CapBnd')
    equal(status['NoNewPrivs'].strip(), '1', 'NoNewPrivs')
    if 'seccomp' in features(weir) and not is_sanitized(weir):
        equal(status['Seccomp'].strip(), '2', 'Seccomp')
    # each thread for itself
    for task in os.listdir('/proc/%d/task' % capture.pid()):
        with open('/proc/%d/task/%s/status' % (capture.pid(), task)) as file:
            equal(int(re.search(r'^CapEff:\s*(\w+)', file.read(), re.M).group(1), 16), 0, 'CapEff of a thread')
    equal(capture.stop(), 0, 'exit status')


def root_becomes_nobody(net, weir):
    """When nobody else's directory is written to, root is left."""
    folder = net.path('open')
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    err = net.path('nobody.err')
    with open(err, 'wb') as file:
        env = {name: value for name, value in os.environ.items() if not name.startswith('SUDO_')}
        process = net.start(net.server, [weir, '-i', net.link, '-o', 'json:%s/x.json' % folder, '-q'], stderr=file, env=env)
    uid = lambda: [line for line in open('/proc/%d/status' % process.pid) if line.startswith('Uid:')][0].split()[1:]
    check(wait_for(lambda: uid() == [str(NOBODY)] * 4), 'uids are %s' % uid())
    process.send_signal(signal.SIGINT)
    equal(process.wait(30), 0, 'exit status')


def files_made_as_root_are_opened_again(net, weir):
    """Root has become nobody, and the ring of packet files comes round to its first; SIGHUP opens the records' file again."""
    folder = net.path('open')
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    net.start_nginx()
    err = net.path('ring.err')
    with open(err, 'wb') as file:
        env = {name: value for name, value in os.environ.items() if not name.startswith('SUDO_')}
        process = net.start(net.server, [weir, '-i', net.link, '-o', 'csv:%s/x.csv' % folder, '-w', '%s/ring.pcapng' % folder, '-C', '20k',
                                         '-W', '2', '--summary=json', 'tcp port 80'], stderr=file, env=env)
    uid = lambda: [line for line in open('/proc/%d/status' % process.pid) if line.startswith('Uid:')][0].split()[1:]
    check(wait_for(lambda: uid() == [str(NOBODY)] * 4), 'uids are %s' % uid())
    time.sleep(0.1)
    for _ in range(4):
        net.get(40)
        time.sleep(0.2)
        process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    status = process.wait(30)
    with open(err) as file:
        text = file.read()
    equal(status, 0, text)
    check('error' not in text, text)
    equal(json.loads(text.splitlines()[-1])['records']['http'], 160, 'transactions')
    with open(folder + '/x.csv', newline='') as file:
        equal(len(list(csv.reader(file))), 161, 'rows of the table')
    equal({os.stat(os.path.join(folder, name)).st_uid for name in os.listdir(folder)}, {NOBODY}, 'owners')


def no_file_outside_outputs(net, weir):
    """After SIGHUP the output's name is a link to a file elsewhere, then one that is not there: neither is opened."""
    if 'landlock' not in features(weir) or b'landlock       the kernel has version' not in subprocess.run(
            [weir, 'doctor'], stdout=subprocess.PIPE).stdout:
        raise Skip('no landlock here')
    inside = net.path('inside')
    os.mkdir(inside)
    outside = tempfile.mkdtemp(prefix='weir-outside.')
    try:
        refuse_outside(net, weir, inside, outside)
    finally:
        shutil.rmtree(outside)


def refuse_outside(net, weir, inside, outside):
    for folder in (outside, inside):
        os.chmod(folder, 0o777)
    victim = os.path.join(outside, 'victim')
    with open(victim, 'w') as file:
        file.write('untouched')
    os.chmod(victim, 0o666)
    target = os.path.join(inside, 'x.json')
    capture = Weir(net, weir, ['-o', 'text:' + target])
    capture.out = target
    capture.ready()
    for link in (victim, os.path.join(outside, 'new')):
        os.remove(target)
        os.symlink(link, target)
        capture.tell(signal.SIGHUP)
        check(wait_for(lambda: 'cannot reopen' in capture.stderr(), 5), 'nothing was said: ' + capture.stderr())
    equal(open(victim).read(), 'untouched', 'the file outside')
    equal(os.listdir(outside), ['victim'], 'files outside')
    equal(capture.stop(), 0, 'exit status')


def unprivileged_user_is_told(net, weir):
    """Without rights: why, and a command that works; with it: a capture, and nothing left of the right."""
    folder = net.path('bin')
    os.mkdir(folder)
    binary = os.path.join(folder, 'weir')
    shutil.copy(weir, binary)
    os.chmod(binary, 0o755)
    as_nobody = [tool('setpriv'), '--reuid=%d' % NOBODY, '--regid=%d' % NOBODY, '--clear-groups']
    # the outputs of the capture go where nobody may write
    os.chmod(net.dir, 0o777)
    run = subprocess.run(net.inside(net.server) + as_nobody + [binary, '-i', net.link, '-o', 'none'], stderr=subprocess.PIPE)
    text = run.stderr.decode()
    equal(run.returncode, 1, 'exit status')
    check(text.startswith('weir: error: cannot capture on %s: operation not permitted\n' % net.link), text)
    check('Checked: uid %d, CapEff 0, file caps none' % NOBODY in text, text)
    told = re.search(r'^    sudo (setcap \S+ \S+)', text, re.M)
    if told is None:
        raise Skip('the file system is nosuid')
    equal(told.group(1), 'setcap cap_net_raw=ep ' + binary, 'the command')
    doctor = subprocess.run(as_nobody + [binary, 'doctor'], stdout=subprocess.PIPE)
    equal(doctor.returncode, 1, 'status of doctor')
    check('sudo ' + told.group(1) in doctor.stdout.decode(), doctor.stdout.decode())
    words = told.group(1).split()
    if tool('setcap') is None or subprocess.run([tool('setcap')] + words[1:]).returncode != 0:
        raise Skip('setcap cannot be used here')
    net.start_nginx()
    capture = Weir(net, binary, ['tcp port 80'], prefix=as_nobody).ready()
    status = capture.status()
    equal((int(status['CapEff'], 16), int(status['CapPrm'], 16)), (0, 0), 'capabilities')
    net.get(10)
    time.sleep(0.3)
    equal(capture.stop(), 0, 'exit status')
    equal(len(capture.records()), 10, 'transactions')


def interrupted_at_any_moment(net, weir):
    """SIGINT under load: status 0, one summary, complete lines, a complete packet file."""
    net.start_nginx()
    wrk = net.start(net.client, [tool('wrk'), '-t1', '-c2', '-d12s', 'http://%s:80/' % SERVER], stdout=subprocess.DEVNULL)
    dice = random.Random(3)
    for turn in range(6):
        packets = net.path('int%d.pcapng' % turn)
        capture = Weir(net, weir, ['-w', packets, '-j', '2' if turn % 2 else '1']).ready()
        time.sleep(dice.uniform(0, 0.8))
        equal(capture.stop(signal.SIGTERM if turn == 5 else signal.SIGINT), 0, 'exit status of turn %d' % turn)
        summary, records = capture.summaries(), capture.records()
        equal(len(summary), 1, 'summaries')
        equal(summary[0]['records'].get('http', 0), len(records), 'records')
        payload = summary[0]['tcp']['payload']
        equal(payload['captured'], payload['delivered'] + payload['duplicate'] + payload['overlap'] +
              sum(payload['rejected'].values()), 'the byte ledger')
        read = subprocess.run([weir, '-r', packets, '-o', 'none', '--summary=json'], stderr=subprocess.PIPE)
        equal((read.returncode, json.loads(read.stderr)['packets']), (0, summary[0]['packets']), 'the packet file')
    wrk.terminate()


def figures_while_running(net, weir):
    """SIGUSR1: the summary so far, and the capture goes on. For one worker and for two."""
    net.start_nginx()
    for workers in ('1', '2'):
        capture = Weir(net, weir, ['-j', workers, 'tcp port 80']).ready()
        net.get(5)
        time.sleep(0.3)
        capture.tell(signal.SIGUSR1)
        check(wait_for(lambda: len(capture.summaries()) == 1), 'no summary')
        equal(capture.summaries()[0]['records']['http'], 5, 'transactions so far')
        net.get(3)
        time.sleep(0.3)
        equal(capture.stop(), 0, 'exit status')
        equal(capture.summaries()[1]['records']['http'], 8, 'transactions in the end')
        equal(len(capture.records()), 8, 'records')


def outputs_are_reopened(net, weir):
    """SIGHUP after the files were moved away: none is lost, and the packet file's new section can be read alone."""
    net.start_nginx()
    packets = net.path('p.pcapng')
    capture = Weir(net, weir, ['-w', packets, 'tcp port 80']).ready()
    net.get(4)
    time.sleep(0.4)
    moved = net.path('moved.json')
    os.rename(capture.out, moved)
    os.rename(packets, packets + '.1')
    capture.tell(signal.SIGHUP)
    check(wait_for(lambda: os.path.exists(capture.out) and os.path.exists(packets)), 'no new file: ' + capture.stderr())
    net.get(6)
    time.sleep(0.3)
    equal(capture.stop(), 0, 'exit status')
    equal((len(read_records(moved)), len(capture.records())), (4, 6), 'records before and after')
    for path, wanted in ((packets + '.1', 4), (packets, 6)):
        out = net.path('reread.json')
        subprocess.run([weir, '-r', path, '-o', 'json:' + out, '-q'], check=True)
        equal(len(read_records(out)), wanted, os.path.basename(path))


def silent_link_still_flushes(net, weir):
    """A response with a hole that the client acknowledged, then nothing at all: the record comes all the same."""
    capture = Weir(net, weir, []).ready()
    c2s = lambda *args: tcp('10.1.0.2', '10.1.0.1', 4000, 80, *args)
    s2c = lambda *args: tcp('10.1.0.1', '10.1.0.2', 80, 4000, *args)
    request = b'GET /hole HTTP/1.1\r\nHost: a\r\n\r\n'
    head = b'HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n'
    at = 501 + len(head)
    send_frames(net, [
        c2s(100, 0, SYN), s2c(500, 101, SYN | ACK), c2s(101, 501, ACK),
        c2s(101, 501, ACK | PSH, request),
        s2c(501, 101 + len(request), ACK | PSH, head + b'a' * 100),
        # 100 bytes are not captured
        s2c(at + 200, 101 + len(request), ACK | PSH, b'c' * 100),
        c2s(101 + len(request), at + 300, ACK),
    ])
    began = time.monotonic()
    check(wait_for(lambda: capture.records(), 8), 'no record after 8 s of silence')
    record = capture.records()[0]
    equal((record['completeness'], record['missing_bytes']), ('gap', 100), 'completeness')
    check(time.monotonic() - began < 4, 'it took %.1f s' % (time.monotonic() - began))
    equal(capture.stop(), 0, 'exit status')


def tagged_frames_match(net, weir):
    """`tcp port 80` on frames with no tag, one and two, on the wire (where the kernel takes the outer tag off and keeps it
    beside the frame) and in a file; as tcpdump counts them with vlan spelled out."""
    plain = net.path('tags.pcapng')
    capture = Weir(net, weir, ['-w', plain, 'tcp port 80']).ready()
    everything = Weir(net, weir, ['-w', net.path('all.pcapng')]).ready()
    # 3 untagged, 4 tagged, 5 tagged twice; of each also as many to another port
    counts = ((), 3), ((7,), 4), ((7, 8), 5)
    send_frames(net, [tcp('10.1.0.2', '10.1.0.1', 1000 + i, port, 1, 1, ACK, b'x', tags)
                      for tags, n in counts for i in range(n) for port in (80, 81)])
    time.sleep(0.5)
    equal(everything.stop(), 0, 'exit status')
    equal(capture.stop(), 0, 'exit status')
    equal(everything.summaries()[0]['packets'], 24, 'packets of all')
    equal(capture.summaries()[0]['packets'], 12, 'packets on port 80')
    for words, wanted in ((['tcp', 'port', '80'], 12), (['not', 'port', '80'], 12), (['vlan'], 18), (['vlan', '7'], 18),
                          (['vlan and vlan 8'], 10), (['port 80 and not vlan'], 3), (['host', '10.1.0.2'], 24), (['udp'], 0)):
        run = subprocess.run([weir, '-r', net.path('all.pcapng'), '-o', 'none', '--summary=json'] + words,
                             stderr=subprocess.PIPE, check=True)
        equal(json.loads(run.stderr)['packets'], wanted, ' '.join(words))
    if tool('tcpdump'):
        run = subprocess.run([tool('tcpdump'), '-nr', net.path('all.pcapng'),
                              'port 80 or (vlan and port 80) or (vlan and port 80)'],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        equal(len(run.stdout.splitlines()), 12, 'tcpdump')


def conversation_in_a_vlan(net, weir):
    """A whole conversation through VLAN devices: `tcp port 80` sees it, and the records have their VLAN."""
    for name, link, address in ((net.server, net.link, '10.98.0.1'), (net.client, net.peer, '10.98.0.2')):
        if subprocess.run([tool('ip'), '-n', name, 'link', 'add', 'link', link, 'name', 'v7', 'type', 'vlan', 'id', '7'],
                          stderr=subprocess.DEVNULL).returncode != 0:
            raise Skip('this kernel has no VLAN devices')
        net.ip('-n', name, 'addr', 'add', address + '/24', 'dev', 'v7')
        net.ip('-n', name, 'link', 'set', 'v7', 'up')
    net.start_nginx()
    capture = Weir(net, weir, ['tcp port 80']).ready()
    net.get(3, '10.98.0.1')
    net.get(2)
    time.sleep(0.3)
    equal(capture.stop(), 0, 'exit status')
    ids = sorted(record['network'].get('vlan', {}).get('id', 0) for record in capture.records())
    equal(ids, [0, 0, 7, 7, 7], 'VLAN ids')


def several_interfaces(net, weir):
    """-i twice, and `any`: each record names its interface."""
    net.start_nginx()
    capture = Weir(net, weir, ['tcp port 80'], links=[net.link, 'lo']).ready()
    everywhere = Weir(net, weir, ['tcp port 80'], links=['any']).ready()
    net.get(3)
    code = 'import socket\ns = socket.create_connection(("127.0.0.1", 80)); s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")\nwhile s.recv(99): pass'
    subprocess.run(net.inside(net.server) + [sys.executable, '-c', code], check=True)
    time.sleep(0.4)
    for weir_ in (capture, everywhere):
        equal(weir_.stop(), 0, 'exit status')
        names = sorted(record['capture']['interface'] for record in weir_.records())
        equal(names, sorted(['lo'] + [net.link] * 3), 'interfaces')


def drops_are_told(net, weir):
    """A capture that stands still behind a small buffer: the kernel's drops are in the summary, in --strict and in the file."""
    packets = net.path('drops.pcapng')
    capture = Weir(net, weir, ['-B', '128', '--strict', '-w', packets]).ready()
    capture.tell(signal.SIGSTOP)
    frames = [tcp('10.1.0.2', '10.1.0.1', 1000 + i % 60000, 81, 1, 1, ACK, b'x' * 1400) for i in range(3000)]
    send_frames(net, frames)
    capture.tell(signal.SIGCONT)
    time.sleep(0.5)
    equal(capture.stop(), 4, 'exit status')
    summary = capture.summaries()[-1]
    check(summary['drops'].get('kernel', 0) > 0, 'drops: %r' % summary['drops'])
    equal(summary['packets'] + summary['drops']['kernel'], 3000, 'packets and drops')
    read = subprocess.run([weir, '-r', packets, '-o', 'none', '--summary=json'], stderr=subprocess.PIPE, check=True)
    equal(json.loads(read.stderr)['drops']['capture'], summary['drops']['kernel'], 'drops in the file')


class Pipe:
    """The reading end of a FIFO, which can be left alone."""

    def __init__(self, path):
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self.fd, True)
        self.thread = threading.Thread(target=self.read)
        self.data = b''

    def read(self):
        while True:
            got = os.read(self.fd, 1 << 20)
            if not got:
                return
            self.data += got

    def close(self):
        """@return all that came"""
        if self.thread.is_alive():
            self.thread.join(30)
        os.close(self.fd)
        return self.data


def slow_sink_does_not_stall_the_capture(net, weir):
    """A sink whose reader sleeps: no packet and no other sink's record is lost for it; its own are counted, and it goes on."""
    net.start_nginx()
    path = net.path('slow')
    pipe = Pipe(path)
    capture = Weir(net, weir, ['-o', 'json:' + path, '--strict', '--memory', '128M', 'tcp port 80']).ready()
    for turn in range(1, 20):
        net.get_steadily(1500)
        capture.tell(signal.SIGUSR1)
        check(wait_for(lambda: len(capture.summaries()) == turn), 'no summary while a sink is held up')
        if capture.summaries()[-1]['drops'].get('sink_json2_queue_full', 0) > 0:
            break
    net.get_steadily(500)
    pipe.thread.start()
    time.sleep(0.5)
    net.get(7)
    time.sleep(0.3)
    equal(capture.stop(), 4, 'exit status')
    summary, served = capture.summaries()[-1], net.served()
    lost = summary['drops'].pop('sink_json2_queue_full', 0)
    check(lost > 0, 'the slow sink has lost nothing')
    equal(sum(summary['drops'].values()), 0, 'other drops')
    equal(len(capture.records()), served, 'records of the quick sink')
    lines = [json.loads(line) for line in pipe.close().splitlines()]
    equal(len(lines) + lost, sum(summary['records'].values()), 'records of the slow sink, and those it lost')
    check([line for line in lines if line['type'] == 'http'][-1]['http']['request']['target'] == '/n6', 'it did not go on')
    print('      %d transactions, %d records lost to the slow sink' % (served, lost))


def stuck_sink_does_not_hold_the_end(net, weir):
    """A sink whose reader never reads: the run ends, says so and counts."""
    net.start_nginx()
    pipe = Pipe(net.path('stuck'))
    capture = Weir(net, weir, ['-o', 'json:' + net.path('stuck'), 'tcp port 80']).ready()
    net.wrk(1, CONNECTIONS)
    began = time.monotonic()
    equal(capture.stop(), 1, 'exit status')
    took = time.monotonic() - began
    check(9 < took < 25, 'it took %.1f s' % took)
    summary, served = capture.summaries()[-1], net.served()
    text = capture.stderr()
    stuck = summary['drops']['sink_json2_stuck']
    check('took nothing for 10 s and was given up: %d records were not written' % stuck in text, text)
    equal(len(capture.records()), served, 'records of the other sink')
    os.set_blocking(pipe.fd, False)
    pipe.thread.start()
    written = pipe.close().count(b'\n')
    total = sum(summary['records'].values())
    lost = sum(summary['drops'].values())
    check(written < total <= written + lost and lost <= total, '%d written and %d lost of %d' % (written, lost, total))


def full_disk_does_not_end_the_capture(net, weir):
    """What cannot be written is told with its fix, counted, and the other sink gets all."""
    net.start_nginx()
    capture = Weir(net, weir, ['-o', 'json:/dev/full', 'tcp port 80']).ready()
    net.get(5)
    time.sleep(0.4)
    net.get(5)
    time.sleep(0.4)
    equal(capture.stop(), 1, 'exit status')
    summary, text = capture.summaries()[-1], capture.stderr()
    equal(len(capture.records()), 10, 'records of the other sink')
    equal(summary['drops'], {'capture': 0, 'sink_json2_failed': sum(summary['records'].values())}, 'drops')
    check('weir: error: cannot write to json:/dev/full: No space left on device\n  Make room there, or write' in text, text)


def disk_that_fills_up_has_whole_records(net, weir):
    """What is in the file is whole and what is not is counted."""
    disk = net.path('disk')
    os.mkdir(disk)
    subprocess.run([tool('mount'), '-t', 'tmpfs', '-o', 'size=256k,mode=777', 'tmpfs', disk], check=True)
    try:
        net.start_nginx()
        capture = Weir(net, weir, ['-o', 'json:%s/x.json' % disk, 'tcp port 80']).ready()
        net.get_steadily(1000)
        time.sleep(0.3)
        equal(capture.stop(), 1, 'exit status')
        summary = capture.summaries()[-1]
        with open(disk + '/x.json') as file:
            lines = file.readlines()
        check(all(json.loads(line) for line in lines), 'lines')
        check(0 < len(lines) < 1000, '%d records on the disk' % len(lines))
        equal(len(lines) + summary['drops']['sink_json2_failed'], sum(summary['records'].values()), 'records written and counted')
        equal(len(capture.records()), 1000, 'records of the other sink')
    finally:
        subprocess.run([tool('umount'), disk], check=True)


def line_a_minute(net, weir):
    """-v: flows opened and closed by cause, under load too; here each half second."""
    net.start_nginx()
    for workers in ('1', '2'):
        capture = Weir(net, weir, ['-v', '--set', 'ticker=500ms', '-j', workers, 'tcp port 80']).ready()
        net.get(10)
        net.wrk(2, CONNECTIONS)
        time.sleep(0.7)
        equal(capture.stop(), 0, 'exit status')
        lines = re.findall(r'^weir: (\d+) packets; flows (\d+) open, (\d+) new, (\d+) closed(?: \(([^)]*)\))?; flushed (\d+) gaps'
                           r'(?: \([^)]*\))?; drops (\d+) kernel, (\d+) interface$', capture.stderr(), re.M)
        summary = capture.summaries()[-1]
        most = summary['elapsed_ns'] / 5e8 + 1
        check(4 <= len(lines) <= most, '%d lines, at most %.1f: %s' % (len(lines), most, capture.stderr()))
        check(sum(int(line[2]) for line in lines) >= 10 + CONNECTIONS, 'new flows: %r' % lines)
        closed = sum(int(n) for line in lines for n in re.findall(r'closed (\d+)', line[4]))
        check(closed >= 10, 'flows closed by FIN: %r' % lines)
        packets = [int(line[0]) for line in lines]
        check(packets == sorted(packets) and packets[-1] <= summary['packets'], 'packets: %r' % packets)
        check(len(set(packets)) >= 4, 'none came under load: %r' % packets)
        print('      ' + re.search(r'^weir: .*closed \(.*$', capture.stderr(), re.M).group(0))


def packets_are_counted(net, weir):
    """-c N ends the capture."""
    capture = Weir(net, weir, ['-c', '5']).ready()
    send_frames(net, [tcp('10.1.0.2', '10.1.0.1', 1000 + i, 80, 1, 1, ACK, b'x') for i in range(9)])
    equal(capture.process.wait(30), 0, 'exit status')
    equal(capture.summaries()[0]['packets'], 5, 'packets')


def unknown_interface_is_told(net, weir):
    run = subprocess.run(net.inside(net.server) + [weir, '-i', 'nosuch0', '-o', 'none'], stderr=subprocess.PIPE)
    text = run.stderr.decode()
    equal(run.returncode, 1, 'exit status')
    check(text.startswith('weir: error: no interface "nosuch0". Up: ') and '%s (%s)' % (net.link, SERVER) in text, text)


def interface_that_goes_away_is_told(net, weir):
    capture = Weir(net, weir, []).ready()
    net.ip('-n', net.server, 'link', 'del', net.link)
    equal(capture.process.wait(30), 1, 'exit status')
    check('weir: error: capturing on %s has ended' % net.link in capture.stderr(), capture.stderr())
    equal(len(capture.summaries()), 1, 'summaries')


def a_store_on_a_full_disk(net, weir):
    """Full for a while: the capture goes on, what is not stored is counted, told, and it goes on when there is room."""
    place = net.path('place')
    os.mkdir(place)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=8m,mode=1777', 'store', place], check=True)
    try:
        net.start_nginx()
        store, filler = os.path.join(place, 'store.db'), os.path.join(place, 'filler')
        capture = Weir(net, weir, ['-o', 'sqlite:' + store, '--bodies=size', 'tcp port 80']).ready()
        net.get(100)
        time.sleep(1.5)  # committed at least each second
        with open(filler, 'wb') as file:
            try:
                while file.write(bytes(65536)):
                    file.flush()
            except OSError:
                pass
        began = time.monotonic()
        net.get_steadily(3000)
        net.get(300)
        took = time.monotonic() - began
        wait_for(lambda: 'No space left' in capture.stderr())
        os.unlink(filler)
        time.sleep(1.2)
        net.get(100)
        time.sleep(1.5)
        equal(capture.stop(), 1, 'exit status')
        summary, said = capture.summaries()[-1], capture.stderr()
        check('No space left on device' in said and 'counted as lost until it works again' in said, said)
        check('takes records again' in said, said)
        equal(summary['drops'].get('kernel', 0), 0, 'packets lost')
        # the sink beside it got all of them
        equal(len(capture.records()), 3500, 'transactions')
        base = sqlite3.connect('file:%s?mode=ro' % store, uri=True)
        equal(base.execute('PRAGMA integrity_check').fetchone()[0], 'ok', 'integrity')
        kept = base.execute('SELECT count(*) FROM http').fetchone()[0]
        others = base.execute('SELECT (SELECT count(*) FROM tcp) + (SELECT count(*) FROM anomaly)').fetchone()[0]
        counted = base.execute("SELECT sum(n) FROM rollup WHERE \"by\" = 'type' AND interval_s = 10").fetchone()[0]
        base.close()
        lost = summary['drops']['sink_sqlite_failed']
        records = sum(summary['records'].values())
        check(kept + others + lost - records in (0, 1), (kept, others, lost, records))  # a row of figures of the capture may be lost, too
        check(200 <= kept < 3500 and counted == kept + others, (kept, others, counted))
        print('      %d records: %d stored, %d lost and counted, capture went on (%.1f s for 3,300 requests)' %
              (records, kept + others, lost, took))
    finally:
        subprocess.run(['umount', '-l', place])


def a_store_of_a_killed_capture(net, weir):
    """kill -9 in the middle: sound, what was acknowledged is there, and no more than the last second or so is missing."""
    net.start_nginx()
    net.start(net.client, [tool('wrk'), '-t1', '-c2', '-d30s', 'http://%s:80/' % SERVER], stdout=subprocess.DEVNULL)
    missing_ms = []
    for n, wait in enumerate((1.3, 2.1, 2.8)):
        place = net.path('place%d' % n)
        os.mkdir(place)
        os.chmod(place, 0o777)
        store, said = os.path.join(place, 'store.db'), os.path.join(place, 'said')
        capture = Weir(net, weir, ['-o', 'sqlite:%s,acknowledge=%s' % (store, said), '--bodies=size', 'tcp port 80']).ready()
        time.sleep(wait)
        os.kill(capture.pid(), signal.SIGKILL)
        now = time.time()
        capture.process.wait()
        with open(said) as file:
            lines = [line.split() for line in file]
        base = sqlite3.connect('file:%s?mode=ro' % store, uri=True)
        equal(base.execute('PRAGMA integrity_check').fetchone()[0], 'ok', 'integrity')
        kept = base.execute("SELECT sum(n) FROM rollup WHERE \"by\" = 'type' AND interval_s = 10").fetchone()[0] or 0
        rows = base.execute('SELECT (SELECT count(*) FROM http) + (SELECT count(*) FROM tcp) + (SELECT count(*) FROM anomaly)').fetchone()[0]
        newest = base.execute('SELECT max(ts_ns) FROM http').fetchone()[0] or 0
        base.close()
        done = max([0] + [int(line[1]) for line in lines if line[0] == 'done'])
        tried = max([0] + [int(line[1]) for line in lines if line[0] == 'commit'])
        check(kept in (done, tried) and kept == rows and kept > 100, (kept, rows, done, tried))
        missing_ms.append(round(now * 1000 - newest / 10 ** 6))
        check(missing_ms[-1] < 2500, 'the last %d ms are missing' % missing_ms[-1])
    print('      killed 3 times; missing at the end: %s ms' % missing_ms)


TESTS = (load, rights_are_gone, root_becomes_nobody,
         files_made_as_root_are_opened_again, no_file_outside_outputs, unprivileged_user_is_told,
         interrupted_at_any_moment, figures_while_running, outputs_are_reopened, silent_link_still_flushes,
         tagged_frames_match, conversation_in_a_vlan, several_interfaces, drops_are_told,
         slow_sink_does_not_stall_the_capture, stuck_sink_does_not_hold_the_end, full_disk_does_not_end_the_capture,
         disk_that_fills_up_has_whole_records, a_store_on_a_full_disk, a_store_of_a_killed_capture, line_a_minute,
         packets_are_counted,
         unknown_interface_is_told, interface_that_goes_away_is_told)


def main(tests, names, tools=('ip', 'nginx', 'wrk', 'setpriv')):
    """@return exit status"""
    weir = os.path.abspath(sys.argv[1])
    why = missing(tools)
    if why:
        print('skipped: %s' % why)
        return SKIPPED_EXIT
    passed = failed = skipped = 0
    for test in tests:
        if names and test.__name__ not in names:
            continue
        net = None
        began = time.monotonic()
        try:
            net = Net()
            test(net, weir)
            passed += 1
            print('ok    %s (%.1f s)' % (test.__name__, time.monotonic() - began), flush=True)
        except Skip as why_not:
            skipped += 1
            print('skip  %s: %s' % (test.__name__, why_not), flush=True)
        except Exception:
            failed += 1
            print('FAIL  %s\n%s' % (test.__name__, traceback.format_exc()), flush=True)
        finally:
            if net is not None:
                net.close()
    print('%d passed, %d failed, %d skipped' % (passed, failed, skipped))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(TESTS, sys.argv[2:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sink `files`: test_files.py WEIR

Bodies as files: the demo capture's against the digests in its records, and made captures with codings, holes and lies.
"""
import gzip
import hashlib
import json
import os
import sys
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEMO = os.path.join(ROOT, 'examples', 'demo.pcapng')
WEIR = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))
import packets  # noqa: E402

tests = []


def test(function):
    tests.append(function)
    return function


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def weir(*args):
    done = subprocess.run([WEIR, '--config=none'] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    expect(done.returncode == 0, done.stderr)
    return done


def sha256(octets):
    return hashlib.sha256(octets).hexdigest()


class Folder:
    """What was written to DIR: lines of the index, contents by file name. Checks what always holds."""

    def __init__(self, path):
        with open(os.path.join(path, 'index.jsonl')) as file:
            self.lines = [json.loads(line) for line in file]
        self.files = {}
        for name in os.listdir(path):
            if name != 'index.jsonl':
                with open(os.path.join(path, name), 'rb') as file:
                    self.files[name] = file.read()
        for name, octets in self.files.items():
            expect(name in (sha256(octets), sha256(octets) + '.partial'), '%s is not named by its content' % name)
        expect(set(self.files) == {line['file'] for line in self.lines if 'file' in line}, 'files and index differ')
        for line in self.lines:
            if 'file' in line:
                expect(line['complete'] == (not line['file'].endswith('.partial')), line)
                expect(len(self.files[line['file']]) == line['bytes'] and line['file'].startswith(line['sha256']), line)
            expect(line['complete'] == ('reason' not in line), line)


def run(capture, *args):
    weir('-q', '-r', capture, '-o', 'files:out', *args)
    return Folder('out')


def exchange(pcap, port, request, *responses, hole=None, close=True):
    """One connection; `hole` bytes are left out between the parts of the response."""
    connection = packets.Connection(pcap, ('10.0.0.1', port), ('10.0.0.2', 80))
    connection.open()
    connection.data(0, request)
    for number, part in enumerate(responses):
        if number > 0 and hole:
            connection.seq[1] += hole
        for at in range(0, len(part), 1400):
            connection.data(1, part[at:at + 1400])
    if close:
        connection.close()


def head(length, *more):
    return b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n' % (length, b''.join(line + b'\r\n' for line in more))


GET = b'GET %s HTTP/1.1\r\nHost: a\r\n\r\n'


@test
def the_demo_s_bodies_have_the_digests_of_its_records():
    folder = run(DEMO)
    lines = weir('-q', '-r', DEMO, '--json', '--bodies=hash').stdout.splitlines()
    want = {}
    for record in map(json.loads, lines):
        for direction, side in (('c2s', 'request'), ('s2c', 'response')):
            body = record.get('http', {}).get(side, {}).get('body', {})
            if body.get('size', 0) > 0:
                want[record['id'], direction] = body.get('sha256')
    have = {(line['id'], line['direction']): line for line in folder.lines}
    expect(set(have) == set(want) and len(want) > 100, set(have) ^ set(want))
    for key, digest in want.items():
        line = have[key]
        if line.get('reason') != 'range':
            expect(line['complete'] == (digest is not None), line)
        expect(digest in (None, line['sha256']), line)
    (gap,) = [line for line in folder.lines if line.get('reason') == 'gap']
    expect(gap['gaps'] == [{'offset': 11344, 'length': 2896}] and gap['name'] == 'catalogue.pdf', gap)
    expect(gap['bytes'] + 2896 == 42016, gap)
    (part,) = [line for line in folder.lines if line.get('reason') == 'range']
    expect(part['content_range'] == 'bytes 1000-2999/7622', part)


@test
def streams_and_bodies_at_the_same_time():
    weir('-q', '-r', DEMO, '-o', 'files:one')
    weir('-q', '-r', DEMO, '-o', 'streams:two')
    weir('-q', '-r', DEMO, '-o', 'streams:s', '-o', 'json:j', '-o', 'files:f')
    one, both = Folder('one'), Folder('f')
    expect(one.lines == both.lines and one.files == both.files, 'files differ')
    for name in os.listdir('two'):
        with open(os.path.join('two', name), 'rb') as a, open(os.path.join('s', name), 'rb') as b:
            expect(a.read() == b.read(), name)
    expect(sorted(os.listdir('two')) == sorted(os.listdir('s')), 'streams differ')
    with open('j') as file:
        expect(file.read().encode() == weir('-q', '-r', DEMO, '--json', '--bodies=keep').stdout, 'json differs')
    done = subprocess.run([WEIR, '-r', DEMO, '-o', 'files:a', '-o', 'files:b'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    expect(done.returncode == 2 and b'only one sink of this kind' in done.stderr, done.stderr)


@test
def a_filter_is_about_records_and_not_about_files():
    weir('-q', '-r', DEMO, '-o', 'files:f', '-o', 'json:j', '-Y', 'url:*metrics* status:200')
    with open('j') as file:
        records = [json.loads(line) for line in file]
    expect(records and all('metrics' in record['url']['full'] for record in records), len(records))
    expect(len(Folder('f').lines) == 126, 'files')


@test
def any_number_of_workers_gives_the_same():
    weir('-q', '-j', '1', '-r', DEMO, '-o', 'files:one')
    weir('-q', '-j', '4', '-r', DEMO, '-o', 'files:four')
    one, four = Folder('one'), Folder('four')
    expect(one.lines == four.lines and one.files == four.files, 'differ')


@test
def large_bodies_are_whole_whatever_records_keep():
    big = os.urandom(1 << 16) * 48
    coded = gzip.compress(b'0123456789abcdef' * 20000)
    pcap = packets.Pcap('big.pcap')
    exchange(pcap, 1000, GET % b'/big.bin', head(len(big)) + big)
    exchange(pcap, 1001, GET % b'/text', head(len(coded), b'Content-Encoding: gzip') + coded)
    pcap.close()
    folder = run('big.pcap', '--body-limit=1K')
    expect(folder.files[sha256(big)] == big and len(big) == 3 << 20, 'big')
    expect(folder.files[sha256(b'0123456789abcdef' * 20000)] == b'0123456789abcdef' * 20000, 'gzip')
    expect(all(line['complete'] for line in folder.lines) and len(folder.lines) == 2, folder.lines)


@test
def what_is_no_gzip_is_kept_as_it_came():
    late = bytearray(gzip.compress(os.urandom(300000)))
    late[-5000] ^= 0xff  # the checksum at its end will not be right
    late = bytes(late)
    pcap = packets.Pcap('lie.pcap')
    exchange(pcap, 1000, GET % b'/a', head(11, b'Content-Encoding: gzip') + b'hello world')
    exchange(pcap, 1001, GET % b'/b', head(len(late), b'Content-Encoding: gzip') + late)
    pcap.close()
    folder = run('lie.pcap')
    records = [r for r in map(json.loads, weir('-q', '-r', 'lie.pcap', '--json', '--bodies=hash').stdout.splitlines()) if r['type'] == 'http']
    expect(folder.files[sha256(b'hello world')] == b'hello world', folder.lines)
    for line, record in zip(folder.lines, records):
        body = record['http']['response']['body']
        expect(line['id'] == record['id'] and line['complete'] == ('sha256' in body), (line, body))
        expect(body.get('sha256') in (None, line['sha256']), (line, body))


@test
def holes_and_ends_never_pass_for_whole():
    coded = gzip.compress(os.urandom(5000))
    pcap = packets.Pcap('hole.pcap')
    exchange(pcap, 1000, GET % b'/hole', head(9) + b'abc', b'ghi', hole=3)
    exchange(pcap, 1001, GET % b'/coded', head(len(coded), b'Content-Encoding: gzip') + coded[:2000], coded[2100:], hole=100)
    exchange(pcap, 1002, GET % b'/cut', head(100) + b'short')
    exchange(pcap, 1003, GET % b'/half', head(len(coded) - 1000, b'Content-Encoding: gzip') + coded[:-1000])
    pcap.close()
    folder = run('hole.pcap')
    by_name = {line['name']: line for line in folder.lines}
    expect(by_name['hole']['gaps'] == [{'offset': 3, 'length': 3}], by_name['hole'])
    expect(folder.files[by_name['hole']['file']] == b'abcghi' and by_name['hole']['reason'] == 'gap', by_name['hole'])
    expect(by_name['coded']['reason'] == 'gap' and by_name['coded']['gaps'][0]['length'] == 100, by_name['coded'])
    expect(by_name['cut']['reason'] == 'truncated' and folder.files[by_name['cut']['file']] == b'short', by_name['cut'])
    expect(by_name['half']['reason'] == 'truncated', by_name['half'])


@test
def names_come_from_the_message_and_files_do_not():
    pcap = packets.Pcap('name.pcap')
    exchange(pcap, 1000, GET % b'/x', head(1, b'Content-Disposition: attachment; filename="../../../tmp/evil\x1b.sh"') + b'1')
    exchange(pcap, 1001, b'POST /upload/%2e%2e%2fa.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n2', head(0))
    exchange(pcap, 1002, GET % b'/t?token=hunter2secret', head(1) + b'3')
    pcap.close()
    folder = run('name.pcap')
    expect([(line['direction'], line['name']) for line in folder.lines] == [
        ('s2c', 'evil_.sh'), ('c2s', 'a.txt'), ('s2c', 't')], folder.lines)
    expect('hunter2' not in json.dumps(folder.lines), folder.lines)
    expect(sorted(os.listdir('.')) == ['name.pcap', 'out'], os.listdir('.'))


@test
def limits_are_counted_and_the_summary_says_so():
    done = weir('-j', '1', '-r', DEMO, '-o', 'files:out,limit=1000,total=20K', '--summary=json')
    folder, figures = Folder('out'), json.loads(done.stderr)['sinks']
    cut = [line for line in folder.lines if line.get('reason') == 'limit']
    expect(len(cut) > 10 and all(line['bytes'] <= 1000 for line in folder.lines), len(cut))
    expect(sum(map(len, folder.files.values())) <= 20 * 1024, 'total')
    expect(figures['files_bodies'] == len(folder.lines) and 0 <= figures['files_cut'] - len(cut) <= 1, figures)  # one has a gap, too
    expect(figures['files_partial'] == sum(not line['complete'] for line in folder.lines), figures)
    text = weir('-r', DEMO, '-o', 'files:out2').stderr
    expect(b'sinks        files bodies 126' in text and b'raw bytes to files:out2: nothing is masked' in text, text)


@test
def wrong_options_are_told():
    for spec, words in (('files', b'files:DIR'), ('files:out,limit=lots', b'sizes'), ('files:out,x=1', b'limit= and total=')):
        done = subprocess.run([WEIR, '-r', DEMO, '-o', spec], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        expect(done.returncode == 2 and words in done.stderr, (spec, done.stderr))
    done = subprocess.run([WEIR, '-r', DEMO, '-o', 'files:out', '--bodies=size'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    expect(done.returncode == 2 and b'Leave --bodies out' in done.stderr and not os.path.exists('out'), done.stderr)


@test
def a_disk_that_is_full_is_told_and_nothing_pretends():
    os.mkdir('out')
    os.mkdir('full')
    if os.geteuid() != 0 or subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', 'full'], stderr=subprocess.DEVNULL).returncode:
        return
    try:
        done = subprocess.run([WEIR, '--config=none', '--no-sandbox', '-r', DEMO, '-o', 'files:full', '--summary=json'],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        summary = json.loads(done.stderr.splitlines()[-1])
        expect(summary['sinks']['files_not_written'] > 0, summary['sinks'])
        for name in os.listdir('full'):
            if name != 'index.jsonl':
                with open(os.path.join('full', name), 'rb') as file:
                    octets = file.read()
                expect(name in (sha256(octets), sha256(octets) + '.partial'), name)
    finally:
        subprocess.run(['umount', 'full'], check=True)


def main():
    failed = 0
    for function in tests:
        with tempfile.TemporaryDirectory(prefix='weir-files.') as folder:
            here = os.getcwd()
            os.chdir(folder)
            try:
                function()
            except Exception as error:  # noqa: B902
                failed += 1
                print('%s: %s: %s' % (function.__name__, type(error).__name__, str(error)[:600]))
            finally:
                os.chdir(here)
    print('%d passed, %d failed, 0 skipped' % (len(tests) - failed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

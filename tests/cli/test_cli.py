#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line as users meet it: test_cli.py WEIR

Exit statuses, what goes to stdout and what to stderr, and what an error says (CONTRACT.md §2): what, why and the fix.
"""
import csv
import json
import os
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import cli  # noqa: E402
import packets  # noqa: E402
from cli import ROOT, WEIR, equal, expect, test  # noqa: E402
from cli import run as weir  # noqa: E402

GET = b'GET /a?b=c HTTP/1.1\r\nHost: shop.test\r\n\r\n'
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
def capture(name, exchange=True, gap=False, port=40000):
    """One connection with one exchange; with a hole in the response."""
    pcap = packets.Pcap(name)
    connection = packets.Connection(pcap, ('10.0.0.1', port), ('10.0.0.2', 80))
    connection.open()
    if exchange:
        connection.data(0, GET)
        if gap:
            connection.data(1, OK[:-3])
            connection.seq[1] += 1
            connection.data(1, OK[-2:])
        else:
            connection.data(1, OK)
    connection.close()
    pcap.close()
    return name


@test
def no_arguments_is_a_usage_error_with_help():
    done = weir()
    expect(done.returncode == 2, 'status %d' % done.returncode)
    expect(b'usage: weir' in done.stdout and b'weir: error: ' in done.stderr, done.stderr)


@test
def help_and_version_succeed():
    for option in ('--help', '-h'):
        done = weir(option)
        expect(done.returncode == 0 and b'--json' in done.stdout and not done.stderr, option)
    done = weir('-V')
    expect(done.returncode == 0 and b'parsers: ' in done.stdout and b'http' in done.stdout and b'json' in done.stdout, done.stdout)


@test
def a_wrong_option_names_itself_and_the_fix():
    done = weir('--frobnicate')
    expect(done.returncode == 2 and b'--frobnicate' in done.stderr and b'weir --help' in done.stderr, done.stderr)
    done = weir('-r')
    expect(done.returncode == 2 and b'-r' in done.stderr, done.stderr)
    done = weir('-r', 'x', '--memory', 'lots')
    expect(done.returncode == 2 and b'lots' in done.stderr and b'512M' in done.stderr, done.stderr)
    done = weir('-r', 'x', '-k', 'maybe')
    expect(done.returncode == 2 and b'auto, none or all' in done.stderr, done.stderr)


@test
def an_unknown_sink_is_a_usage_error():
    done = weir('-r', capture('a.pcap'), '-o', 'carrier-pigeon:x')
    expect(done.returncode == 2 and b'carrier-pigeon' in done.stderr, done.stderr)


@test
def a_missing_file_is_an_error():
    done = weir('-r', 'nowhere.pcap')
    expect(done.returncode == 1, 'status %d' % done.returncode)
    expect(done.stderr.startswith(b'weir: error: ') and b'nowhere.pcap' in done.stderr and b'No such file' in done.stderr, done.stderr)


@test
def a_file_that_is_no_capture_is_an_error_that_quotes_it():
    with open('notes.txt', 'w') as file:
        file.write('from scapy.all import *\n')
    done = weir('-r', 'notes.txt')
    expect(done.returncode == 1 and b'notes.txt is not a capture file' in done.stderr and b'from sca' in done.stderr, done.stderr)
    open('empty.pcap', 'w').close()
    done = weir('-r', 'empty.pcap')
    expect(done.returncode == 1 and b'empty.pcap' in done.stderr, done.stderr)


@test
def a_cut_file_delivers_what_came_before_and_exits_3():
    name = capture('a.pcap')
    with open(name, 'rb') as file:
        data = file.read()
    with open('cut.pcap', 'wb') as file:
        file.write(data[:-7])
    done = weir('-r', 'cut.pcap', '--json')
    records = [json.loads(line) for line in done.stdout.splitlines()]
    expect(done.returncode == 3, 'status %d' % done.returncode)
    expect([r['http']['response']['status_code'] for r in records if r['type'] == 'http'] == [200], done.stdout)
    expect(b'packet 10' in done.stderr and b'byte ' in done.stderr, done.stderr)


@test
def stdin_and_several_files_are_read_in_order():
    with open(capture('a.pcap'), 'rb') as file:
        data = file.read()
    alone = weir('-q', '-r', 'a.pcap', '--json')
    piped = weir('-q', '-r', '-', '--json', input=data)
    expect(piped.returncode == 0 and piped.stdout == alone.stdout, 'stdin differs')
    done = weir('-q', '-r', 'a.pcap', '-r', capture('b.pcap', port=40001), '--json')
    numbers = [r['packet'] for r in map(json.loads, done.stdout.splitlines()) if r['type'] == 'http']
    expect(numbers == [{'first': 4, 'last': 6}] * 2, 'packet numbers are per input: %s' % numbers)


@test
def records_go_to_stdout_and_the_summary_to_stderr():
    done = weir('-r', capture('a.pcap'))
    expect(done.stdout.count(b'\n') == 1 and b'shop.test' in done.stdout, done.stdout)
    expect(b'packets' in done.stderr and b'quality' in done.stderr, done.stderr)
    done = weir('-q', '-r', 'a.pcap')
    expect(not done.stderr, done.stderr)
    done = weir('-r', 'a.pcap', '-o', 'none', '--summary=json')
    summary = json.loads(done.stderr)
    payload = summary['tcp']['payload']
    expect(not done.stdout and summary['packets'] == 10 and summary['records']['http'] == 1, done.stderr)
    expect(payload['captured'] == len(GET) + len(OK) == payload['delivered'] and payload['pending'] == 0, payload)
    expect(not weir('-r', 'a.pcap', '-o', 'none', '--summary=none').stderr, '--summary=none')


@test
def what_is_done_with_bodies_changes_no_time():
    """The demo has bodies whose last segment was captured before an earlier one: opaque or read, they end when that came."""
    seen = []
    for how in ('size', 'hash', 'keep'):
        lines = weir('-q', '-r', cli.DEMO, '-o', 'json', '--bodies=' + how).stdout.splitlines()
        records = [json.loads(line) for line in lines]
        seen.append([(r['id'], r['timing'], r['packet'], r.get('duration_ns')) for r in records if r['type'] == 'http'])
    expect(len(seen[0]) > 100, 'transactions: %d' % len(seen[0]))
    equal(seen[1], seen[0], 'times with hash')
    equal(seen[2], seen[0], 'times with keep')


@test
def strict_tells_of_loss_by_its_status():
    expect(weir('-q', '--strict', '-r', capture('a.pcap'), '-o', 'none').returncode == 0, 'nothing was lost')
    expect(weir('-q', '-r', capture('g.pcap', gap=True), '-o', 'none').returncode == 0, 'without --strict')
    expect(weir('-q', '--strict', '-r', 'g.pcap', '-o', 'none').returncode == 4, 'a gap')


@test
def a_gap_is_told_on_the_record():
    done = weir('-q', '-r', capture('g.pcap', gap=True), '--json')
    (record,) = [r for r in map(json.loads, done.stdout.splitlines()) if r['type'] == 'http']
    expect(record['completeness'] == 'gap' and record['missing_bytes'] == 1, record)
    expect(record['http']['response']['body']['size'] == 5, 'the framing says 5')


def field(record, name):
    for key in name.split('.'):
        record = record.get(key, {}) if isinstance(record, dict) else {}
    return record


@test
def csv_read_by_python_says_what_json_says():
    args = ('-q', '-r', os.path.join(ROOT, 'examples', 'demo.pcapng'), '--redact=off', '--bodies=keep')
    done = weir(*args, '-o', 'csv:x.csv', '-o', 'json:x.json', '-o', 'csv:t.csv,type=tcp,fields=ts,tcp.state')
    expect(done.returncode == 0, done.stderr)
    with open('x.json') as file:
        records = [r for r in map(json.loads, file) if r['type'] == 'http']
    with open('x.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    expect(len(rows) == len(records) > 50, (len(rows), len(records)))
    for row, record in zip(rows, records):
        escaped = row.pop('escaped').split(';')
        for name, cell in row.items():
            value = field(record, name)
            if isinstance(value, str) and name in escaped:
                cell = re.sub(r'\\(\\|x..)', lambda m: m.group(1) if m.group(1) == '\\' else chr(int(m.group(1)[1:], 16)), cell)
                expect(all(ord(c) < 0x80 for c in value), 'the test is for ASCII only')
            elif isinstance(value, list):
                value = ';'.join(map(str, value))
            elif name.endswith(('.header', '.trailer')) and value:
                cell = sorted((line.split(': ', 1)[0].lower(), line.split(': ', 1)[1]) for line in cell.split('\n'))
                value = sorted((key, one) for key, values in value.items() for one in values)
            elif isinstance(value, bool):
                value = str(value).lower()
            value = '' if value == {} else str(value) if isinstance(value, int) else value
            expect(cell in (value, "'" + str(value)), (name, cell, value))
    with open('t.csv') as file:
        expect(file.readline() == 'ts,tcp.state\n' and file.readline().endswith('Z,closed\n'), 'tcp')


@test
def twice_verbose_shows_a_gap_in_its_place():
    done = weir('-q', '-vv', '-r', capture('g.pcap', gap=True), '--config=none')
    want = ('    > Host: shop.test\n    < Content-Length: 5\n'
            '    <   he\u27ea1 byte missing\u27eblo\n').encode()
    expect(done.stdout.endswith(want), done.stdout)
    (record,) = [r for r in map(json.loads, weir('-q', '-r', 'g.pcap', '--json', '--bodies=keep').stdout.splitlines()) if r['type'] == 'http']
    expect(record['http']['response']['body']['gaps'] == [2, 1], record)
    done = weir('-q', '-vv', '-r', capture('c.pcap'), '--body-limit=2')
    expect(done.stdout.endswith('    <   he\n    <   \u27eacut at 2 B; full size 5 B\u27eb\n'.encode()), done.stdout)


@test
def a_reader_that_goes_away_is_no_error():
    pcap = packets.Pcap('many.pcap')
    for port in range(3000):
        connection = packets.Connection(pcap, ('10.0.0.1', 10000 + port), ('10.0.0.2', 80))
        connection.open()
        connection.data(0, GET)
        connection.data(1, OK)
    pcap.close()
    done = subprocess.run('%s -r many.pcap --json | head -n 1' % WEIR, shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    expect(done.stdout.count(b'\n') == 1 and b'error' not in done.stderr, done.stderr)


@test
def a_full_disk_is_told():
    if not os.path.exists('/dev/full'):
        return
    done = weir('-q', '-r', capture('a.pcap'), '-o', 'json:/dev/full')
    expect(b'No space left on device\n  Make room there, or write to another place. ' in done.stderr, done.stderr)
    expect(done.returncode == 1 and b'No space left' in done.stderr, done.stderr)


def rewrite(name, into, change):
    """A capture's packets (head, frame) through change(), which gives the frame that is kept, or None."""
    with open(name, 'rb') as file:
        data = file.read()
    out, at = data[:24], 24
    while at < len(data):
        sec, ns, cap, wire = struct.unpack_from('<IIII', data, at)
        frame = change(data[at + 16:at + 16 + cap])
        if frame is not None:
            out += struct.pack('<IIII', sec, ns, len(frame), wire) + frame
        at += 16 + cap
    with open(into, 'wb') as file:
        file.write(out)
    return into


@test
def what_a_capture_lacks_is_told():
    """10 packets, of which the two with data are longer than 60 bytes; one direction of one stream."""
    name = capture('a.pcap')
    done = weir('-r', rewrite(name, 'cut.pcap', lambda frame: frame[:60]), '-o', 'none')
    expect(b'weir: warning: 20 % of packets are cut at 60 bytes; bodies will be incomplete\n  Capture whole packets: -s 0.\n' in done.stderr,
           done.stderr)
    done = weir('-r', rewrite(name, 'one.pcap', lambda frame: frame if frame[36:38] == b'\0\x50' else None), '-o', 'none')
    expect(b'weir: warning: 100 % of streams show only one direction\n' in done.stderr, done.stderr)
    for arguments in (('-r', name), ('-r', 'one.pcap', '-q'), ('-r', 'cut.pcap', '--summary=json')):
        done = weir(*arguments, '-o', 'none')
        expect(b'warning' not in done.stderr, done.stderr)


@test
def an_output_that_cannot_be_opened_is_told_before_reading():
    done = weir('-r', capture('a.pcap'), '-o', 'json:/nowhere/x.json')
    expect(done.returncode == 1 and b'/nowhere/x.json' in done.stderr, done.stderr)


@test
def nothing_captured_reaches_a_terminal_unescaped():
    pcap = packets.Pcap('esc.pcap')
    connection = packets.Connection(pcap, ('10.0.0.1', 40000), ('10.0.0.2', 80))
    connection.open()
    connection.data(0, b'GET /\x1b]0;pwn\x07\xe2\x80\xae\xff HTTP/1.1\r\nHost: a\x1b[2J\r\n\r\n')
    connection.data(1, OK)
    connection.close()
    pcap.close()
    for args in ([], ['-v'], ['-vv', '--bodies=keep'], ['--color=always']):
        done = weir('-r', 'esc.pcap', *args)
        text = done.stdout + done.stderr
        if args == ['--color=always']:
            text = re.sub(rb'\x1b\[[0-9;]*m', b'', text)
        expect(b'\x1b' not in text and b'\x07' not in text and b'\xe2\x80\xae' not in text and b'\xff' not in text, text)
    (record,) = [r for r in map(json.loads, weir('-q', '-r', 'esc.pcap', '--json').stdout.splitlines()) if r['type'] == 'http']
    expect('http.request.target' in record['escaped'], record)


@test
def secrets_are_masked_unless_told_otherwise():
    pcap = packets.Pcap('sec.pcap')
    connection = packets.Connection(pcap, ('10.0.0.1', 40000), ('10.0.0.2', 80))
    connection.open()
    connection.data(0, b'GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic aHVudGVyMg==\r\nCookie: sid=hunter2\r\n'
                       b'Proxy-Authorization: Bearer hunter2\r\n\r\n')
    connection.data(1, b'HTTP/1.1 200 OK\r\nSet-Cookie: sid=hunter2; Path=/\r\nContent-Length: 0\r\n\r\n')
    connection.close()
    pcap.close()
    for args in (['--json'], ['-v'], []):
        out = weir('-r', 'sec.pcap', *args).stdout
        expect(b'hunter2' not in out and b'aHVudGVyMg' not in out, out)
    out = weir('-r', 'sec.pcap', '--json', '--redact=off').stdout
    expect(out.count(b'hunter2') == 3 and b'aHVudGVyMg' in out, out)


@test
def routes_are_the_users_first_then_guessed():
    pcap = packets.Pcap('routes.pcap')
    connection = packets.Connection(pcap, ('10.0.0.1', 40000), ('10.0.0.2', 80))
    connection.open()
    for target in (b'/users/joe', b'/users/joe/orders/17', b'/other/17', b'/img/a.png'):
        connection.data(0, b'GET ' + target + b' HTTP/1.1\r\nHost: shop.test\r\n\r\n')
        connection.data(1, OK)
    connection.close()
    pcap.close()

    def routes(*args):
        records = map(json.loads, weir('-q', '-r', 'routes.pcap', '--json', *args).stdout.splitlines())
        return [r['http']['route'] for r in records if r['type'] == 'http']

    expect(routes() == ['/users/joe', '/users/joe/orders/{id}', '/other/{id}', '/img/a.png'], routes())
    own = ('--route', '/users/{user}', '--route', 'shop.test/users/*', '--route', 'other.test/*', '--route', '/img/{name}.png')
    expect(routes(*own) == ['/users/{user}', '/users/*', '/other/{id}', '/img/{name}.png'], routes(*own))
    with open('weir.conf', 'w') as file:
        file.write('[records]\nroute = /users/{user}\nroute = /other/{n}\n')
    expect(routes('--config', 'weir.conf')[::2] == ['/users/{user}', '/other/{n}'], routes('--config', 'weir.conf'))
    bad = weir('-r', 'routes.pcap', '--route', 'users')
    expect(bad.returncode == 2 and b'/users/{id}' in bad.stderr, bad.stderr)


@test
def equal_secrets_have_equal_fingerprints():
    pcap = packets.Pcap('keyed.pcap')
    connection = packets.Connection(pcap, ('10.0.0.1', 40000), ('10.0.0.2', 80))
    connection.open()
    for cookie in (b'hunter2', b'hunter3', b'hunter2'):
        connection.data(0, b'GET /?token=' + cookie + b' HTTP/1.1\r\nHost: a\r\nCookie: sid=' + cookie + b'\r\n\r\n')
        connection.data(1, OK)
    connection.close()
    pcap.close()
    with open('key', 'wb') as file:
        file.write(b'a key of 16 byte\n')
    done = weir('-q', '-r', 'keyed.pcap', '--json', '--redact-key', 'key')
    records = [r for r in map(json.loads, done.stdout.splitlines()) if r['type'] == 'http']
    cookies = [r['http']['request']['header']['cookie'][0] for r in records]
    # hmac.new(b'a key of 16 byte', b'hunter2', 'sha256').hexdigest() begins with 9034
    expect(cookies[0] == 'sid=[redacted 7 9034]' and cookies[2] == cookies[0] != cookies[1], cookies)
    expect(records[0]['url']['query'] == 'token=[redacted 7 9034]', records[0]['url'])
    with open('short', 'wb') as file:
        file.write(b'too short\n')
    bad = weir('-r', 'keyed.pcap', '--redact-key', 'short')
    expect(bad.returncode == 2 and b'16 to 4096 bytes' in bad.stderr, bad.stderr)


@test
def an_open_stream_is_one_record_with_its_events():
    pcap = packets.Pcap('sse.pcap')
    connection = packets.Connection(pcap, ('10.0.0.1', 40000), ('10.0.0.2', 80))
    connection.open()
    connection.data(0, GET)
    connection.data(1, b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n')
    for number in range(5):
        pcap.now_ns += 9 * 10**9
        connection.data(1, b'id: %d\ndata: tick\n\n' % number)
    connection.close()
    pcap.close()
    for bodies in 'size', 'hash', 'keep':
        done = weir('-r', 'sse.pcap', '--json', '--bodies', bodies, '--summary=json')
        (record,) = [r for r in map(json.loads, done.stdout.splitlines()) if r['type'] == 'http']
        expect(record['http']['response']['events'] == 5 and 'final' not in record, record)
        expect(record['completeness'] == 'complete' and record['timing']['receive_ns'] > 44 * 10**9, record)


@test
def what_is_behind_a_socks_handshake_is_told():
    pcap = packets.Pcap('socks.pcap')
    for number, turns in enumerate((
            ((0, b'\5\2\0\2'), (1, b'\5\2'), (0, b'\1\3joe\7hunter2'), (1, b'\1\0'), (0, b'\5\1\0\3\4shop\0\x50'),
             (1, b'\5\0\0\1\x0a\0\0\2\0\x50')),
            ((0, b'\4\1\0\x50\0\0\0\1joe\0shop\0'), (1, b'\0\x5a\0\0\0\0\0\0')))):
        connection = packets.Connection(pcap, ('10.0.0.1', 40000 + number), ('10.0.0.2', 9999))
        connection.open()
        for side, data in turns + ((0, GET), (1, OK)):
            connection.data(side, data)
        connection.close()
    pcap.close()
    done = weir('-q', '-r', 'socks.pcap', '--json')
    records = [r for r in map(json.loads, done.stdout.splitlines()) if r['type'] == 'http']
    expect([(r['url']['full'], r['completeness'], r['pairing']) for r in records] ==
           [('http://shop.test/a?b=c', 'complete', 'exact')] * 2, done.stdout)
    expect(b'hunter2' not in done.stdout, done.stdout)


@test
def a_swapped_byte_order_and_microseconds_read_the_same():
    with open(capture('a.pcap'), 'rb') as file:
        data = file.read()
    out = struct.pack('>IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1)
    at = 24
    while at < len(data):
        sec, ns, cap, wire = struct.unpack('<IIII', data[at:at + 16])
        out += struct.pack('>IIII', sec, ns // 1000, cap, wire) + data[at + 16:at + 16 + cap]
        at += 16 + cap
    with open('be.pcap', 'wb') as file:
        file.write(out)
    a, b = weir('-q', '-r', 'a.pcap', '--json'), weir('-q', '-r', 'be.pcap', '--json')
    expect(a.stdout == b.stdout and b.returncode == 0, b.stdout)


if __name__ == '__main__':
    sys.exit(cli.main())

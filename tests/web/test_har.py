#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sink `har` as others read it: test_har.py WEIR

The demo capture's HAR against the records of the same run; against the schema of HAR 1.2 (npm: har-schema, ajv); and imported by a
HAR viewer (npm: perf-cascade) in headless Chromium. Without node, the packages (npm ci in tests/web) or Chromium, those parts
count as skipped.
"""
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DEMO = os.path.join(ROOT, 'examples', 'demo.pcapng')
MODULES = os.path.join(HERE, 'node_modules')
WEIR = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))
import packets  # noqa: E402

CHROMIUM = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync', '--allow-file-access-from-files', '--virtual-time-budget=10000']
PAGE = '''<!DOCTYPE html><meta charset="utf-8"><title>har</title><p id="result">nothing ran</p>
<script src="perf-cascade.min.js"></script>
<script>var har = %s;</script>
<script>
var result = document.getElementById('result');
try {
	var svg = perfCascade.fromHar(har.log, {});
	document.body.appendChild(svg);
	result.textContent = 'rows: ' + svg.querySelectorAll('.row-item').length;
} catch (error) {
	result.textContent = 'error: ' + error;
}
</script>
'''
tests = []


class Skip(Exception):
    pass


def test(function):
    tests.append(function)
    return function


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def weir(capture, *args):
    done = subprocess.run([WEIR, '--config=none', '-q', '-r', capture] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60)
    expect(done.returncode == 0, done.stderr)
    return done.stdout


def hostile(name):
    """Exchanges that are not as HAR would like them."""
    pcap = packets.Pcap(name)

    def connection(port, *data, server='10.0.0.2'):
        made = packets.Connection(pcap, ('10.0.0.1', port), (server, 80))
        made.open()
        for side, octets in data:
            made.data(side, octets)
        made.close()

    ok = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
    connection(1001, (0, b'GET /no-host HTTP/1.0\r\n\r\n'), (1, ok))
    connection(1002, (0, b'GET /<script>alert(1)</script>\xff\x00" HTTP/1.1\r\nHost: a\r\nX: \xfe</script>\x1b\r\n\r\n'), (1, ok))
    connection(1003, (0, b'GET /no-response HTTP/1.1\r\nHost: a\r\n\r\n'))
    connection(1004, (1, ok))
    connection(1005, (0, b'POST /f?x=%zz&=1&y HTTP/1.1\r\nHost: a\r\nCookie: ; a=b=c;d\r\nContent-Type: application/x-www-form-urlencoded\r\n'
                         b'Content-Length: 9\r\n\r\na=1&b=%20'),
               (1, b'HTTP/1.1 302 \r\nSet-Cookie: =\r\nSet-Cookie: s=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Expires=x; Path=/; HttpOnly\r\n'
                   b'Location: /x\r\nContent-Length: 0\r\n\r\n'))
    connection(1007, (0, b'GET /latin HTTP/1.1\r\nHost: a\r\n\r\n'),
               (1, b'HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Length: 4\r\n\r\ncaf\xe9'))
    connection(1006, (1, b'HTTP/1.1 200 Early\r\nContent-Length: 2\r\n\r\nok'), (0, b'GET /early HTTP/1.1\r\nHost: a\r\n\r\n'))
    pcap.close()
    return name


def read_har(capture, *args):
    weir(capture, '-o', 'har:x.har', *args)
    with open('x.har', encoding='utf-8') as file:
        return json.load(file)['log']


@test
def each_transaction_is_an_entry():
    log = read_har(DEMO, '--redact=off')
    lines = weir(DEMO, '--json', '--redact=off', '--bodies=keep').splitlines()
    records = [record for record in map(json.loads, lines) if record['type'] == 'http']
    expect(log['version'] == '1.2' and len(log['entries']) == len(records) == 131, len(log['entries']))
    bodies = 0
    for entry, record in zip(log['entries'], records):
        request, response, http = entry['request'], entry['response'], record['http']
        expect(entry['_weir']['id'] == record['id'] and entry['startedDateTime'] == record['ts'], record['id'])
        expect(request['method'] == http['request']['method'] and request['url'] == record['url']['full'], request)
        expect(response['status'] == http['response']['status_code'], response)
        expect(entry['_weir']['completeness'] == record['completeness'], entry['_weir'])
        expect(entry['_weir']['stall_ns'] == record['timing']['stall_ns'], entry['_weir'])
        names = sorted(header['name'].lower() for header in response['headers'])
        expect(names == sorted(name for name, values in http['response']['header'].items() for _ in values), names)
        timings = entry['timings']
        expect(abs(timings['send'] + timings['wait'] + timings['receive'] - entry['time']) < 1e-6, timings)
        expect(abs(entry['time'] - record['duration_ns'] / 1e6) < 1e-6, entry['time'])
        query = urllib.parse.parse_qsl(record['url'].get('query', ''), keep_blank_values=True)
        expect([(pair['name'], pair['value']) for pair in request['queryString']] == query, request['queryString'])
        content = response['content']
        if 'text' in content and 'comment' not in content:
            octets = base64.b64decode(content['text']) if 'encoding' in content else content['text'].encode()
            expect(hashlib.sha256(octets).hexdigest() == http['response']['body']['sha256'], request['url'])
            expect(len(octets) == content['size'], content['size'])
            bodies += 1
    expect(bodies > 100, bodies)
    stalls = [entry for entry in log['entries'] if entry['_weir']['stall_ns'] > 0]
    gaps = [entry for entry in log['entries'] if entry['_weir']['completeness'] == 'gap']
    expect(len(stalls) > 1 and len(gaps) == 1, (len(stalls), len(gaps)))
    expect(gaps[0]['response']['content']['comment'] == 'not the whole body' and gaps[0]['_weir']['missing_bytes'] == 2896, gaps[0]['_weir'])


@test
def what_is_not_known_is_not_made_up():
    entries = read_har(hostile('h.pcap'), '--redact=off')['entries']
    by_target = {entry['_weir'].get('target', ''): entry for entry in entries}
    expect(by_target['/no-host']['request']['url'] == 'http://10.0.0.2/no-host', by_target['/no-host']['request'])
    lonely = by_target['/no-response']
    expect(lonely['response']['status'] == 0 and lonely['_weir']['completeness'] == 'no_response', lonely)
    expect(by_target['']['request']['method'] == '' and by_target['']['_weir']['completeness'] == 'no_request', by_target[''])
    form = by_target['/f?x=%zz&=1&y']
    expect(form['request']['queryString'] == [{'name': 'x', 'value': '%zz'}, {'name': '', 'value': '1'}, {'name': 'y', 'value': ''}], form)
    expect(form['request']['postData']['params'] == [{'name': 'a', 'value': '1'}, {'name': 'b', 'value': ' '}], form['request']['postData'])
    expect(form['request']['cookies'] == [{'name': 'a', 'value': 'b=c'}, {'name': 'd', 'value': ''}], form['request']['cookies'])
    expect(form['response']['cookies'] == [
        {'name': '', 'value': '', 'httpOnly': False, 'secure': False},
        {'name': 's', 'value': '1', 'expires': '1994-11-06T08:49:37.000Z', 'path': '/', 'httpOnly': True, 'secure': False}],
        form['response']['cookies'])
    expect(form['response']['redirectURL'] == '/x', form['response'])
    latin = by_target['/latin']['response']['content']
    expect(latin['text'] == 'caf\u00e9' and 'encoding' not in latin and latin['size'] == 4, latin)
    early = [entry for entry in entries if entry['_weir'].get('wait_ns', 0) < 0]
    for entry in early:
        expect(min(entry['timings'][name] for name in ('send', 'wait', 'receive')) >= 0, entry['timings'])


@test
def secrets_are_masked():
    octets = weir(DEMO, '-o', 'har:-')
    plain = weir(DEMO, '-o', 'har:-', '--redact=off')
    tokens = set(re.findall(rb'Bearer ([A-Za-z0-9._-]{16,})', plain))
    expect(tokens and b'[redacted' in octets, tokens)
    expect(not any(token in octets for token in tokens), 'a token')


@test
def it_is_har_by_the_schema():
    if shutil.which('node') is None or not os.path.exists(os.path.join(MODULES, 'har-schema')):
        raise Skip('node or tests/web/node_modules')
    for capture in (DEMO, hostile('h.pcap')):
        read_har(capture)
        done = subprocess.run(['node', os.path.join(HERE, 'har_schema.mjs'), 'x.har'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=60)
        expect(done.returncode == 0, done.stdout.decode())
        print(done.stdout.decode().strip())


@test
def a_viewer_in_a_browser_imports_it():
    viewer = os.path.join(MODULES, 'perf-cascade', 'dist', 'perf-cascade.min.js')
    if shutil.which('chromium') is None or not os.path.exists(viewer):
        raise Skip('chromium or tests/web/node_modules')
    shutil.copy(viewer, '.')
    for capture, rows in ((DEMO, 131), (hostile('h.pcap'), None)):
        entries = read_har(capture)['entries']
        with open('x.har', encoding='utf-8') as file:
            text = file.read().replace('<', '\\u003c')  # it stands in a script here
        with open('page.html', 'w', encoding='utf-8') as file:
            file.write(PAGE % text)
        done = subprocess.run(['chromium'] + CHROMIUM + ['--user-data-dir=' + os.path.abspath('profile'), '--dump-dom',
                                                         'file://' + os.path.abspath('page.html')],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120)
        result = re.search(r'<p id="result">([^<]*)', done.stdout.decode('utf-8', 'replace'))
        expect(result is not None and result.group(1) == 'rows: %d' % (rows or len(entries)), result and result.group(1))
        print('in Chromium, ' + result.group(1))


def main():
    failed = skipped = 0
    for function in tests:
        with tempfile.TemporaryDirectory(prefix='weir-har.', ignore_cleanup_errors=True) as folder:
            here = os.getcwd()
            os.chdir(folder)
            try:
                function()
            except Skip as what:
                skipped += 1
                print('%s: skipped: no %s' % (function.__name__, what))
            except Exception as error:  # noqa: B902
                failed += 1
                print('%s: %s: %s' % (function.__name__, type(error).__name__, str(error)[:600]))
            finally:
                os.chdir(here)
    print('%d passed, %d failed, %d skipped' % (len(tests) - failed - skipped, failed, skipped))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

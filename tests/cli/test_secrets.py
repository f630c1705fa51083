#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Secrets planted wherever masking is promised are in no output of any record sink, and in all of it with --redact=off:
test_secrets.py WEIR

Each place has a secret of its own, so a leak says where. Sinks are those that `weir -V` names: a new one is tried as -o KIND:FILE and
whatever it writes is searched, base 64 within it undone. Sinks of raw bytes are left out (CONTRACT.md §2: they cannot mask and say
so), and so are those that need a server.
"""
import base64
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))
import packets  # noqa: E402

WEIR = os.path.abspath(sys.argv[1])
RAW = {'none', 'streams', 'files', 'pcap'}
REMOTE = {'clickhouse', 'elasticsearch', 'kafka', 'otlp'}
FORMATS = ('weir', 'zeek', 'eve', 'ecs', 'otel')
TEXT = ((), ('-v',), ('-vv',))
places = []


def secret(place):
    """A secret for a place: of letters and digits, so that no encoding changes it."""
    places.append(place)
    return ('zq%02dxK9vT4hW7' % len(places)).encode()


def basic(place):
    return base64.b64encode(b'joe:' + secret(place))


def request(target, headers=(), body=b'', method=b'POST', host=b'shop.test'):
    head = [method + b' ' + target + b' HTTP/1.1', b'Host: ' + host] + list(headers)
    if body:
        head.append(b'Content-Length: %d' % len(body))
    return b'\r\n'.join(head) + b'\r\n\r\n' + body


def response(headers=(), body=b'ok', status=b'200 OK'):
    head = [b'HTTP/1.1 ' + status] + list(headers) + [b'Content-Length: %d' % len(body)]
    return b'\r\n'.join(head) + b'\r\n\r\n' + body


def form(content_type, body):
    return request(b'/form', [b'Content-Type: ' + content_type], body), response()


def exchanges():
    """(request, response) of all places."""
    yield request(b'/headers', [
        b'Authorization: Bearer ' + secret('Authorization: Bearer'),
        b'Proxy-Authorization: Digest username="joe", response="' + secret('Proxy-Authorization') + b'"',
        b'Cookie: sid=' + secret('Cookie') + b'; theme=' + secret('second cookie'),
        b'X-Api-Key: ' + secret('X-Api-Key'),
        b'X-Auth-Token: ' + secret('X-Auth-Token'),
        b'X-Amz-Security-Token: ' + secret('X-Amz-Security-Token'),
        b'X-Client-Secret: ' + secret('a header named secret'),
        b'X-User-Password: ' + secret('a header named password'),
        b'X-Session-Id: ' + secret('a header named session'),
        b'X-CSRF-Token: ' + secret('X-CSRF-Token'),
        b'Referer: http://joe:' + secret('userinfo in Referer') + b'@a.test/?access_token=' + secret('query in Referer'),
    ]), response([
        b'Set-Cookie: sid=' + secret('Set-Cookie') + b'; Path=/; HttpOnly',
        b'Location: https://joe:' + secret('userinfo in Location') + b'@b.test/cb?code=' + secret('query in Location'),
        b'X-Refresh-Token: ' + secret('a response header'),
        b'Authentication-Token: ' + secret('another response header'),
    ])
    yield request(b'/basic', [b'authorization:   Basic ' + basic('Authorization: Basic')]), response()
    yield request(b'/folded', [b'Authorization:\r\n Bearer ' + secret('a folded header')]), response()
    yield request(b'/odd', [b'Authorization : ApiKey ' + secret('a space before the colon')]), response()
    for key in ('password', 'passwd', 'secret', 'token', 'access_token', 'refresh_token', 'api_key', 'apikey', 'client_secret',
                'code', 'id_token', 'signature', 'sig', 'X-Amz-Signature', 'user%5Bpassword%5D', 'pass%77ord'):
        yield request(b'/q?a=1&' + key.encode() + b'=' + secret('query: ' + key) + b'&z=2', method=b'GET'), response()
    yield request(b'http://joe:' + secret('userinfo of the target') + b'@shop.test/abs', method=b'GET'), response()
    yield request(b'/go?to=https%3A%2F%2Fx%2F%3Ftoken%3D' + secret('an encoded query within a query')), response()
    yield request(b'/a;jsessionid=' + secret('a path parameter') + b'/b'), response()
    yield request(b'/#access_token=' + secret('a fragment')), response()
    yield form(b'application/x-www-form-urlencoded', b'user=joe&password=' + secret('form') + b'&remember=1')
    yield form(b'application/x-www-form-urlencoded', b'name=M\xfcller&pin=' + secret('a form that is no UTF-8'))
    yield form(b'application/json', b'{"user":"joe","credentials":{"password":"' + secret('JSON') + b'"},"n":[{"api_key": "' +
               secret('JSON in a list') + b'"}]}')
    yield form(b'application/x-www-form-urlencoded', b'{"password":"' + secret('JSON sent as a form') + b'"}')
    yield form(b'application/json', b'{"p\\u0061ssword":"' + secret('a key with an escape') + b'"}')
    yield form(b'multipart/form-data; boundary=b', b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n' +
               secret('multipart') + b'\r\n--b\r\nContent-Disposition: form-data; name="doc"\r\nContent-Type: application/json'
               b'\r\n\r\n{"token":"' + secret('JSON in a part') + b'"}\r\n--b--\r\n')
    yield form(b'text/xml', b'<?xml version="1.0"?><s:Body><wsse:Password>' + secret('XML') + b'</wsse:Password></s:Body>')
    yield request(b'/html', method=b'GET'), response([b'Content-Type: text/html'], b'<input name="csrf_token" value="' +
                                                     secret('a hidden field') + b'">')
    yield request(b'/k?x=AKIA' + secret('an access key by its form') + b'ABCD&y=2', [b'X-Thing: ghp_' + secret('a key in any header') +
                                                                             b'0123456789']), response()
    yield request(b'/hook/glpat-' + secret('a key in a path') + b'0123456789/x', method=b'GET'), response()
    yield form(b'application/json', b'{"x":"sk_live_' + secret('a key in any member') + b'0123"}')
    yield request(b'/sse', method=b'GET'), response([b'Content-Type: text/event-stream'], b'event: login\ndata: {"token":"' +
                                                    secret('an event stream') + b'"}\n\n')
    yield request(b'/json', method=b'GET'), response([b'Content-Type: application/json'], b'{"access_token":"' +
                                                     secret('JSON of a response') + b'"}')
    yield request(b'/trailer', [b'Transfer-Encoding: chunked']) + b'3\r\nabc\r\n0\r\nX-Auth-Token: ' + secret('a trailer') + \
        b'\r\n\r\n', response()
    yield request(b'/long?token=' + secret('a long query') + b'&x=' + b'y' * 9000), response()
    yield request(b'/cut', [b'Cookie: a=' + b'b' * 5000 + b'; sid=' + secret('behind what is kept')]), response()
    yield request(b'joe:' + secret('userinfo of CONNECT') + b'@shop.test:443', method=b'CONNECT'), response(status=b'403 Forbidden')


def make_capture(path):
    pcap = packets.Pcap(path)
    for number, (ask, answer) in enumerate(exchanges()):
        connection = packets.Connection(pcap, ('10.0.0.1', 40000 + number), ('10.0.0.2', 80))
        connection.open()
        for side, data in (0, ask), (1, answer):
            for at in range(0, len(data), 1400):
                connection.data(side, data[at:at + 1400])
        connection.close()
    # a conflicting copy: its bytes are the evidence of an anomaly
    connection = packets.Connection(pcap, ('10.0.0.1', 50000), ('10.0.0.2', 80))
    connection.open()
    for text in (b'GET /1', b'GET /2'):
        connection.send(0, packets.PSH | packets.ACK, text + b' HTTP/1.1\r\nX-Api-Key: ' + secret('evidence') + b'\r\n\r\n')
        connection.seq[0] -= len(text) + 45 if text.endswith(b'1') else 0
    connection.close()
    pcap.close()


BASE64 = re.compile(rb'[A-Za-z0-9+/]{16,}={0,2}')


def found_in(data):
    """The places whose secrets are in the data, as they are or in base 64."""
    for text in BASE64.findall(data):
        text = text.rstrip(b'=')
        text = text[:-1] if len(text) % 4 == 1 else text
        data += b'\n' + base64.b64decode(text + b'=' * (-len(text) % 4))
    return {place for number, place in enumerate(places, 1) if b'zq%02dxK9vT4hW7' % number in data}


def everything_in(folder):
    data = b''
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), 'rb') as file:
                data += file.read()
    return data


def weir(*arguments):
    return subprocess.run([WEIR, '-q', '-r', 'secrets.pcap', '--bodies=keep'] + list(arguments), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, check=False)


def all_fields():
    """The names of the fields that the records have."""
    names = set()

    def walk(value, name):
        if isinstance(value, dict) and not name.endswith(('header', 'trailer')):
            for key, inner in value.items():
                walk(inner, name + '.' + key if name else key)
        else:
            names.add(name)
    for line in weir('--json').stdout.splitlines():
        record = json.loads(line)
        if record['type'] == 'http':
            walk(record, '')
    return ','.join(sorted(names - {'type', 'escaped'} - {name for name in names if name.startswith('truncated')}))


def runs():
    """(what, arguments, folder that is written or None): every way in which records leave."""
    version = subprocess.run([WEIR, '-V'], stdout=subprocess.PIPE, check=True).stdout.decode()
    sinks = re.search(r'^sinks: (.*)$', version, re.M).group(1).split()
    for flags in TEXT:
        yield ' '.join(('text',) + flags), list(flags), None
    for sink in sinks:
        if sink in RAW or sink in REMOTE or sink == 'text':
            continue
        if sink == 'json':
            for name in FORMATS:
                yield 'json ' + name, ['-o', 'json:-,format=' + name] if name != 'weir' else ['--json'], None
            continue
        folder = 'out-' + sink
        os.makedirs(folder, exist_ok=True)
        extra = ',fields=' + all_fields() if sink == 'csv' else ''
        yield sink, ['-o', '%s:%s/out%s' % (sink, folder, extra)], folder


def output_of(arguments, folder):
    if folder:
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
    done = weir(*arguments)
    data = done.stdout + (everything_in(folder) if folder else b'')
    return done.returncode, data + (done.stderr if done.returncode != 2 else b'')


def main():
    failed = passed = 0
    with tempfile.TemporaryDirectory(prefix='weir-secrets.') as folder:
        os.chdir(folder)
        make_capture('secrets.pcap')
        with open('key', 'wb') as file:
            file.write(b'a key of 16 byte\n')
        for what, arguments, written in runs():
            for redact in ('default', 'strict', 'off'):
                status, data = output_of(arguments + ['--redact=' + redact, '--redact-key', 'key'], written)
                if status == 2 and what.startswith('json '):
                    continue  # a format that is not there yet
                found = found_in(data)
                problem = None
                if status != 0:
                    problem = 'exit %d' % status
                elif redact != 'off' and found:
                    problem = 'has the secrets of: ' + ', '.join(sorted(found))
                elif redact == 'off' and what == 'json weir' and set(places) - found - {'behind what is kept'}:
                    problem = 'has not the secrets of: ' + ', '.join(sorted(set(places) - found))
                elif redact == 'off' and not found and what not in ('text',):
                    problem = 'has no secrets'
                failed += bool(problem)
                passed += not problem
                if problem:
                    print('%s --redact=%s: %s' % (what, redact, problem))
    print('%d places' % len(places))
    print('%d passed, %d failed, 0 skipped' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())

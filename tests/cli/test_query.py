#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""-Y from outside: test_query.py WEIR

Each filter against what jq selects from all records of the demo capture; then the summary, the errors, and that every sink of
records obeys.
"""
import csv
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import cli  # noqa: E402
from cli import DEMO, WEIR, expect, test  # noqa: E402

# filter, what jq selects, and whether both must find something (a filter that finds nothing shows little)
TRUTH = [
    ('status>=500', '.http.response.status_code >= 500'),
    ('status:404,503', '.http.response.status_code | . == 404 or . == 503'),
    ('status:4xx', '.http.response.status_code | . != null and . >= 400 and . <= 499'),
    ('status!=200', '.http.response.status_code | . != null and . != 200'),
    ('-status:200', '.http.response.status_code != 200'),
    ('status:200..299', '.http.response.status_code | . != null and . >= 200 and . < 300'),
    ('http.response.status_code == 201', '.http.response.status_code == 201'),
    ('method:POST', '.http.request.method == "POST"'),
    ('type:http -method:GET', '.type == "http" and .http.request.method != "GET"'),
    ('dur>100ms', '.duration_ns > 100000000'),
    ('dur>=1s OR stall>0', '.duration_ns >= 1000000000 or (.timing.stall_ns // 0) > 0'),
    ('wait:1ms..2ms', '.timing.wait_ns | . != null and . >= 1000000 and . <= 2000000'),
    ('rtt<1ms', '.tcp.rtt_ns | . != null and . < 1000000'),
    ('size>10kB', '.http.response.body.size | . != null and . > 10000'),
    ('size>=1KiB size<1MB', '.http.response.body.size | . != null and . >= 1024 and . < 1000000'),
    ('host:~^api', '.url.domain // "" | test("^api")'),
    ('host!~^api', '.url.domain | . != null and (test("^api") | not)'),
    ('host:shop.example', '.url.domain == "shop.example"'),
    ('host:*.example', '.url.domain // "" | endswith(".example")'),
    ('path:/v1/*', '.url.path // "" | startswith("/v1/")'),
    ('path:*.pdf,*.png', '.url.path // "" | endswith(".pdf") or endswith(".png")'),
    ('path:*product*', '.url.path // "" | contains("product")'),
    ('path:/v1/*s', '.url.path // "" | startswith("/v1/") and endswith("s")'),
    ('path:~"^/v1/[a-z]+$"', '.url.path // "" | test("^/v1/[a-z]+$")'),
    ('header.content-type:application/json*',
     '[.http.request.header["content-type"], .http.response.header["content-type"]] | flatten | any(. != null and startswith("application/json"))'),
    ('http.request.header.cookie:*', '.http.request.header["cookie"] != null'),
    ('retrans>0', '[.tcp.retransmits, .tcp.c2s.retransmits, .tcp.s2c.retransmits] | any(. != null and . > 0)'),
    ('gap:true', '[.tcp.gaps, .tcp.c2s.gaps, .tcp.s2c.gaps] | any(. != null and . > 0)'),
    ('complete:gap', '.completeness == "gap"'),
    ('anomaly:http.*', '[.anomalies, .anomaly.code] | flatten | any(. != null and startswith("http."))'),
    ('client:192.0.2.10', '.client.address == "192.0.2.10"'),
    ('port:80', '.client.port == 80 or .server.port == 80'),
    ('type:tcp,anomaly', '.type == "tcp" or .type == "anomaly"'),
    ('ts>=2026-11-22T17:51:25', '.ts >= "2026-11-22T17:51:25"'),
    ('ts:2026-11-22T17:51:24', '.ts | startswith("2026-11-22T17:51:24")'),
    ('pairing:exact -http.request.framing:none', '.pairing == "exact" and .http.request.framing != "none"'),
    ('http.interim:1xx', '.http.interim != null'),
    ('version:1.0', '.network.protocol.version == "1.0"'),
    ('ua:Prometheus/*', '.user_agent.original // "" | startswith("Prometheus/")'),
    ('(status:404 OR status:500) method:POST,GET',
     '(.http.response.status_code | . == 404 or . == 500) and (.http.request.method | . == "POST" or . == "GET")'),
    ('prometheus -path:/metrics',
     '([.. | strings | ascii_downcase] | any(contains("prometheus"))) and .url.path != "/metrics"'),
    ('"application/pdf"', '[.. | strings | ascii_downcase] | any(contains("application/pdf"))'),
    ('mime:image/*', '[.http.request.mime_type, .http.response.mime_type] | any(. != null and startswith("image/"))'),
    ('body:*error*', '[.http.request.body.content, .http.response.body.content] | any(. != null and contains("error"))'),
]
# What free text is not looked for in: `type`, times and numbers; and JSON has each header's name in lower case as a key.
def weir(*args):
    return cli.run('--config=none', '-r', DEMO, *args)


@test
def what_jq_selects_is_what_matches():
    if shutil.which('jq') is None:
        print('jq is not installed')
        sys.exit(77)
    plain = {mode: weir('-q', '--json', '--bodies=' + mode).stdout for mode in ('size', 'keep')}
    for expression, condition in TRUTH:
        bodies = 'keep' if expression.startswith(('mime', 'body')) else 'size'
        jq = subprocess.run(['jq', '-c', 'select(%s) | .id' % condition], input=plain[bodies], stdout=subprocess.PIPE, check=True)
        want = [json.loads(line) for line in jq.stdout.splitlines()]
        done = weir('-q', '--json', '--bodies=' + bodies, '-Y', expression)
        have = [json.loads(line)['id'] for line in done.stdout.splitlines()]
        expect(done.returncode == 0, (expression, done.stderr))
        expect(have == want, '%s: %d records, jq selects %d' % (expression, len(have), len(want)))
        expect(0 < len(want) < plain[bodies].count(b'\n'), '%s selects %d: that shows nothing' % (expression, len(want)))


@test
def a_filter_on_bodies_turns_them_on():
    have = weir('-q', '--json', '-Y', 'mime:image/jpeg').stdout
    expect(have.count(b'\n') > 0 and have == weir('-q', '--json', '--bodies=hash', '-Y', 'mime:image/jpeg').stdout, have[:200])


@test
def every_sink_of_records_gets_only_those():
    done = weir('-q', '-Y', 'status:404', '-o', 'text:t', '-o', 'json:j', '-o', 'csv:c', '-o', 'streams:s')
    expect(done.returncode == 0, done.stderr)
    with open('j') as file:
        records = [json.loads(line) for line in file]
    expect(len(records) > 1 and all(r['http']['response']['status_code'] == 404 for r in records), records)
    with open('t') as file:
        expect(len(file.readlines()) == len(records), 'text')
    with open('c', newline='') as file:
        expect([row['id'] for row in csv.DictReader(file)] == [r['id'] for r in records], 'csv')
    with open('s/index.jsonl') as file:
        expect(len(file.readlines()) > 50, 'raw bytes are not filtered')


@test
def the_summary_says_how_many():
    total = weir('-q', '--json').stdout.count(b'\n')
    done = weir('-o', 'none', '-Y', 'status:404', '--summary=json')
    summary = json.loads(done.stderr)
    matched = weir('-q', '--json', '-Y', 'status:404').stdout.count(b'\n')
    expect(summary['filter'] == {'matched': matched, 'left_out': total - matched, 'regex_given_up': 0}, summary['filter'])
    done = weir('-o', 'none', '-Y', 'status:404')
    expect(b'%d   records matched \xc2\xb7 left out %d' % (matched, total - matched) in done.stderr, done.stderr)
    expect('filter' not in json.loads(weir('-o', 'none', '--summary=json').stderr), 'without -Y')


@test
def an_error_has_a_caret_and_a_suggestion():
    done = weir('-Y', 'method:GET statsu>=500')
    want = (b'weir: error: bad record filter: there is no field "statsu" (in quotes it is text to look for)\n'
            b'    method:GET statsu>=500\n'
            b'               ^~~~~~ did you mean "status"?\n')
    expect(done.returncode == 2 and done.stderr.startswith(want) and not done.stdout, done.stderr)


@test
def it_is_a_key_of_configuration_files():
    with open('weir.conf', 'w') as file:
        file.write('display-filter = status:404\n')
    done = subprocess.run([WEIR, '--config=weir.conf', '-q', '-r', DEMO, '--json'], stdout=subprocess.PIPE, timeout=60)
    expect(done.stdout == weir('-q', '--json', '-Y', 'status:404').stdout, 'differs')


@test
def any_number_of_workers_gives_the_same():
    one = weir('-q', '--json', '-j', '1', '-Y', 'dur>1ms "shop"').stdout
    expect(one and one == weir('-q', '--json', '-j', '4', '-Y', 'dur>1ms "shop"').stdout, 'differs')


if __name__ == '__main__':
    print('%d filters compared with jq' % len(TRUTH))
    sys.exit(cli.main())

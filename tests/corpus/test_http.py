#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 messages against tshark's: test_http.py WEIR

corpus/expected/tshark_http.tsv has a row per request (method, target, host) and response (status, content-length), which must
be among weir's records of the same tuple, in the same order. Messages that tshark does not have are checked against a list too.
corpus/expected/tshark_http_objects_sha256.tsv has the decoded bodies that tshark exports.
"""
import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import corpus  # noqa: E402

# (capture, frame, index in the frame), or (capture, source, 'more'), or (capture, object): a heading of docs/differences.md
OISF = 'suricata-verify/tests__'
ZEEK = 'zeek/testing__btest__Traces__'
FUZZ = 'PcapPlusPlus/Tests__Fuzzers__RegressionTests__regression_samples__clusterfuzz-testcase-minimized-FuzzTarget-'
ERSPAN = 'deepflow/agent__resources__test__common__decapsulate_erspan1.pcap'
KNOWN = {
    ('gopacket/pcapgo__tests__le__test301.pcapng', 16, 0): 'Inside TLS',
    ('arkime/tests__pcap__gre-erspan-vxlan.pcap', 4, 0): 'A target with a space',
    (FUZZ + '5755755617189888', 1, 0): 'A method is not a request',
    (OISF + 'http-evader__http-evader-468__input.pcap', 5, 0): 'A status of two digits',
    (ERSPAN, '172.28.161.182_8030>172.28.50.98_41256', 'more'): 'Messages in segments out of order',
    (ERSPAN, '172.28.50.92_18491>172.28.161.103_8030', 'more'): 'Messages in segments out of order',
    (ERSPAN, '172.28.50.69_12088>172.28.164.61_8030', 'more'): 'Messages in segments out of order',
    (ERSPAN, '172.28.50.61_46257>172.28.165.73_8030', 'more'): 'Messages in segments out of order',
    (ERSPAN, '172.28.50.46_46114>172.28.161.207_8030', 'more'): 'Messages in segments out of order',
    (ERSPAN, '172.28.50.117_46010>172.28.161.207_8030', 'more'): 'Messages in segments out of order',
    (ERSPAN, '172.28.50.83_22586>172.28.161.31_8030', 'more'): 'Messages in segments out of order',
    ('ptcpdump/testdata__format__tcp.pcapng', '127.0.0.1_8000>127.0.0.1_58694', 'more'): 'Messages in segments out of order',
    (ZEEK + 'tunnels__teredo_bubble_with_payload.pcap', '2001.0.4137.9e50.8000.f12a.b9c8.2815_1286>2001.4860.0.2001..68_80', 'more'):
        'Teredo on a port of its own',
    (ZEEK + 'tunnels__teredo_bubble_with_payload.pcap', '2001.4860.0.2001..68_80>2001.0.4137.9e50.8000.f12a.b9c8.2815_1286', 'more'):
        'Teredo on a port of its own',
    ('zeek/doc__traces__quickstart.pcap', '192.168.1.8_52918>192.0.78.150_80', 'more'): 'Any token is a method',
    (OISF + 'firewall__tcp-session-decode-malformed-ipv4__input.pcap', '192.0.2.10_43210>198.51.100.5_443', 'more'):
        'Any token is a method',
    (ZEEK + 'http__261__variant-09-te_obs_fold.pcap', '192.168.1.100_40009>192.168.1.200_80', 'more'): 'A folded header',
    (OISF + 'http-evader__http-evader-489__input.pcap', '8.8.8.8_80>1.1.1.1_22849', 'more'): 'A CR before the start-line',
    (OISF + 'http-evader__http-evader-486__input.pcap', '8.8.8.8_80>1.1.1.1_22819', 'more'): 'A line before the status-line',
    (ZEEK + 'ipv6-http-atomic-frag.pcap', '2001.db8.1..2_36951>2001.db8.1..1_80', 'more'): 'HTTP/0.9',
    (ZEEK + 'ipv6-http-atomic-frag.pcap', '2001.db8.1..2_59694>2001.db8.1..1_80', 'more'): 'HTTP/0.9',
    (ZEEK + 'ipv6-http-atomic-frag.pcap', '2001.db8.1..2_27393>2001.db8.1..1_80', 'more'): 'HTTP/0.9',
    ('beats/packetbeat__tests__system__pcaps__http_unmatched_timeout.pcap', 'object19'): 'Objects that are no bodies',
    ('zeek/doc__traces__quickstart.pcap', 'object14'): 'Objects that are no bodies',
    ('brimcap/cmd__brimcap__ztests__in.pcap', 'object8'): 'Objects that are no bodies',
    ('brimcap/cmd__brimcap__ztests__ng.pcap', 'object8'): 'Objects that are no bodies',
    (OISF + 'firewall__tcp-session-decode-malformed-ipv4__input.pcap', 'object4'): 'Objects that are no bodies',
    (OISF + 'firewall__tcp-session-decode-malformed-ipv4__input.pcap', 'object6'): 'Objects that are no bodies',
    (OISF + 'util-action-tests__util-action-08__input.pcap', 'object1'): 'Objects that are no bodies',
    (OISF + 'util-action-tests__util-action-08__input.pcap', 'object2'): 'Objects that are no bodies',
    (OISF + 'http-evader__http-evader-486__input.pcap', '2.0-space-200-space-ok-crlf-header;chunked'):
        'A line before the status-line',
    (ZEEK + 'ipv6-http-atomic-frag.pcap', 'object7'): 'HTTP/0.9',
    (ZEEK + 'http__261__variant-09-te_obs_fold.pcap', '%2f'): 'A folded header',
    (OISF + 'http-evader__http-evader-421__input.pcap', 'chunked;end-crlf%5C040crlfcrlf'): 'A folded header',
    (OISF + 'http-evader__http-evader-421__input.pcap', 'chunked;end-crlf%5C040crlfcrlf(1)'): 'A folded header',
    ('arkime/tests__pcap__http2-nghttp2.pcap', 'object4'): 'HTTP/2',
    (OISF + 'http-evader__http-evader-081__input.pcap', 'xte,chunked,xte,do_chunked'): 'Bodies with contradicting heads',
    (OISF + 'http-evader__http-evader-085__input.pcap', 'xte,chunked,xte,clen,do_chunked'): 'Bodies with contradicting heads',
    (OISF + 'http-evader__http-evader-131__input.pcap', 'ce%3Agzip;ce%3Adeflate;gzip;deflate'):
        'Bodies with contradicting heads',
    (OISF + 'http-evader__http-evader-152__input.pcap', 'ce%3Agzip;ce%3Agzip;gzip'): 'Bodies with contradicting heads',
    (OISF + 'http-evader__http-evader-243__input.pcap', 'close,clen,clen200,content,junk'): 'Bodies with contradicting heads',
    (OISF + 'http-evader__http-evader-249__input.pcap', 'close,clen50-100,content'): 'Bodies with contradicting heads',
    (OISF + 'http-evader__http-evader-249__input.pcap', 'close,clen50-100,content(1)'): 'Bodies with contradicting heads',
    (OISF + 'http-evader__http-evader-287__input.pcap', 'cr-cronly;chunked'): 'Bodies with contradicting heads',
    (OISF + 'http-evader__http-evader-413__input.pcap', 'end-lfcrcrlfcrlf'): 'Bodies with contradicting heads',
}

Message = collections.namedtuple('Message', 'text cut')


def header(record, side, name):
    """A header's values as tshark prints several."""
    values = corpus.dig(record, 'http.%s.header' % side) or {}
    return ' ; '.join(values.get(name, []))


def number(text):
    """A Content-Length as a number where it is one."""
    return int(text) if text.isdigit() else text


def is_cut(record, side):
    """Was the message not seen whole? tshark does not show it then."""
    size = corpus.dig(record, 'http.%s.body.size' % side)
    framing = corpus.dig(record, 'http.%s.framing' % side)
    if record['completeness'] in ('gap', 'truncated') or record.get('missing_bytes') or size is None:
        return True
    if framing == 'length':
        return size < number(header(record, side, 'content-length').split(' ;')[0])
    return framing in ('chunked', 'close') and record['completeness'] in ('no_request', 'no_response')


def requests_of(record):
    if corpus.dig(record, 'http.request.method') is None and corpus.dig(record, 'http.request.target') is None:
        return []
    text = (corpus.dig(record, 'http.request.method') or '', corpus.dig(record, 'http.request.target') or '',
            header(record, 'request', 'host'))
    return [Message(text, is_cut(record, 'request'))]


def responses_of(record):
    messages = [Message((status, ''), False) for status in corpus.dig(record, 'http.interim') or []]
    status = corpus.dig(record, 'http.response.status_code')
    if status is not None:
        text = (status, number(header(record, 'response', 'content-length')))
        messages.append(Message(text, is_cut(record, 'response')))
    return messages


def messages_of(records):
    """{(source, target): messages in order} of the records."""
    have = collections.defaultdict(list)
    for record in records:
        if record['type'] != 'http':
            continue
        client = corpus.endpoint(record['client']['address'], record['client']['port'])
        server = corpus.endpoint(record['server']['address'], record['server']['port'])
        have[client, server] += requests_of(record)
        have[server, client] += responses_of(record)
    return have


def message_of(row):
    if row['kind'] == 'request':
        return (row['method'], row['uri'], row['host'])
    return (int(row['status']) if row['status'].isdigit() else row['status'], number(row['content_length']))


def common(a, b):
    """Which of a and which of b are in their longest common subsequence."""
    length = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        for j in range(len(b) - 1, -1, -1):
            length[i][j] = length[i + 1][j + 1] + 1 if a[i] == b[j] else max(length[i + 1][j], length[i][j + 1])
    i = j = 0
    of_a, of_b = set(), set()
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            of_a.add(i)
            of_b.add(j)
            i, j = i + 1, j + 1
        elif length[i + 1][j] >= length[i][j + 1]:
            i += 1
        else:
            j += 1
    return of_a, of_b


def problems_of(folder, weir, file, rows):
    """[(name, problem)] of a capture's rows, and what weir has besides."""
    name = corpus.short(file)
    result = corpus.run(weir, '-q', '-j', 1, '--redact=off', '-r', corpus.shared('corpus', file), '--json')
    have, want, answers = messages_of(corpus.records_of(result)), collections.defaultdict(list), []
    for row in rows:
        want[corpus.endpoint(row['src'], row['sport']), corpus.endpoint(row['dst'], row['dport'])].append(row)
    for key in list(want) + [key for key in have if key not in want]:
        messages = [message_of(row) for row in want[key]]
        of_want, of_have = common(messages, [message.text for message in have[key]])
        rest = [message for i, message in enumerate(have[key]) if i not in of_have]
        for i, row in enumerate(want[key]):
            problem = None if i in of_want else 'want %s, have %s' % (messages[i], [message.text for message in rest[:4]])
            answers.append(((name, int(row['frame']), int(row['index_in_frame'])), problem))
        whole = [message.text for message in rest if not message.cut][len(messages) - len(of_want):]
        if whole:
            answers.append(((name, '%s>%s' % key, 'more'), '%d whole messages more than tshark: %s' % (len(whole), whole[:4])))
    return answers


def object_problems(weir, file, rows):
    """[(name, problem)] of the bodies that tshark exported: each is one that weir hashed."""
    result = corpus.run(weir, '-q', '-j', 1, '--bodies=hash', '-r', corpus.shared('corpus', file), '--json')
    have = collections.Counter(corpus.dig(record, 'http.%s.body.sha256' % side) for record in corpus.records_of(result)
                               for side in ('request', 'response'))
    answers = []
    for row in rows:
        have[row['sha256_body']] -= 1
        problem = 'no body of %s bytes with this hash' % row['bytes'] if have[row['sha256_body']] < 0 else None
        answers.append(((corpus.short(file), row['name']), problem))
    return answers


def main():
    weir = sys.argv[1]
    files = corpus.by_file(corpus.rows('corpus', 'expected', 'tshark_http.tsv'))
    for row in corpus.rows('corpus', 'manifest.tsv'):
        files.setdefault(row['file'], [])
    tally = corpus.Tally(KNOWN)
    held = collections.Counter()

    def check(item):
        return corpus.with_folder(problems_of, weir, *item)

    for answers in corpus.each(check, list(files.items())):
        for name, problem in answers:
            held['more' if name[2] == 'more' else 'differ' if problem else 'equal'] += 1
            tally.row(name, problem)
    print('messages: %d of %d equal, %.2f %%' % (held['equal'], held['equal'] + held['differ'],
                                                100 * held['equal'] / (held['equal'] + held['differ'])))
    objects = corpus.by_file(corpus.rows('corpus', 'expected', 'tshark_http_objects_sha256.tsv'))
    held.clear()
    for answers in corpus.each(lambda item: object_problems(weir, *item), list(objects.items())):
        for name, problem in answers:
            held['differ' if problem else 'equal'] += 1
            tally.row(name, problem)
    print('bodies: %d of %d equal' % (held['equal'], held['equal'] + held['differ']))
    return tally.finish()


if __name__ == '__main__':
    sys.exit(main())

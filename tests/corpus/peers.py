# SPDX-License-Identifier: Apache-2.0
"""The peers' expectations in weir's words: for each kind of row, which record must be there and which values it must have.

A mapping returns None when the row holds, else why not. A field of a row is compared, or is in IGNORED (names that a peer
gives to things, its rules' verdicts, its configuration: nothing that is in the packets), or makes the row fail as `unmapped`.
"""
import base64
import calendar
import ipaddress
import json
import re
import urllib.parse

import corpus
import peers_redis
import peers_smtp

IGNORED = {
    'http_tx': {'tags', 'resp_fuids'},
    'conn': {'_stream', '_system_name', '_innerLogged.a', '_innerLogged.c', '_innerLogged.d', 'local_orig', 'local_resp',
             'tunnel_parents', 'ip_proto', 'proto', 'orig_ip_bytes', 'resp_ip_bytes', 'orig_l2_addr', 'resp_l2_addr'},
    # of which rule, of which setting; bytes of frames with their link headers
    'flow_count': {'event', 'suri:flow.alerted', 'suri:flow.reason', 'any', 'suri:flow.bytes_toserver',
                   'suri:flow.bytes_toclient'},
    'http_tx_count': {'event', 'suri:proto', 'any'},
    'file_count': {'event', 'any', 'suri:has-key', 'suri:fileinfo.stored'},
    'session': {'protocols', 'tcpflags', 'ipproto', 'c2s_wire_bytes', 's2c_wire_bytes'},
    'http_session': {'http.requestHeaderField', 'http.requestHeaderValue', 'http.responseHeaderField',
                     'http.responseHeaderValue', 'http.bodyMagic', 'http.md5'},
    'http_msg': {'msg_type', 'type', 'proto', 'captured_request_byte', 'captured_response_byte', 'status'},
    'har_entry': {'decoded_body_encoding'},
    'file': {'analyzers', 'depth', 'local_orig', 'overflow_bytes', 'source', 'timedout'},
}


class Capture:
    """What weir says about a capture."""

    def __init__(self, records, summary):
        self.records = records
        self.http = sorted((r for r in records if r['type'] == 'http'), key=lambda r: r['ts'])
        self.tcp = [r for r in records if r['type'] == 'tcp']
        self.tls = [r for r in records if r['type'] == 'tls']
        self.summary = summary
        self.har = []


def same_address(a, b):
    if a.endswith('.0.0'):
        return b.startswith(a[:-3])  # the peer's script masked it
    try:
        return ipaddress.ip_address(a) == ipaddress.ip_address(b)
    except ValueError:
        return a == b


def tuple_differs(record, fields, swapped=False):
    """Why a record is not of this tuple, or None; fields that are absent match."""
    source, target = ('server', 'client') if swapped else ('client', 'server')
    for name, side, part in (('src', source, 'address'), ('sport', source, 'port'),
                             ('dst', target, 'address'), ('dport', target, 'port')):
        if name not in fields:
            continue
        have = record[side][part]
        if not (same_address(str(fields[name]), have) if part == 'address' else str(fields[name]) == str(have)):
            return name
    return None


def first_value(record, side, name):
    return ((corpus.dig(record, 'http.%s.header' % side) or {}).get(name) or [''])[0]


def body_size(record, side):
    """After content coding where that is known, as peers count."""
    decoded = corpus.dig(record, 'http.%s.body.decoded_size' % side)
    return decoded if decoded is not None else corpus.dig(record, 'http.%s.body.size' % side) or 0


def host_of(record):
    return re.sub(r':\d+$', '', first_value(record, 'request', 'host'))


def version_of(record):
    return corpus.dig(record, 'network.protocol.version') or ''


def reply_version(record):
    return corpus.dig(record, 'http.response.version') or version_of(record)


def depth_of(capture, record):
    flow = [r for r in capture.http if r['flow_id'] == record['flow_id']]
    return flow.index(record) + 1


def header_names(record, side):
    headers = corpus.dig(record, 'http.%s.header' % side) or {}
    return sorted(name.upper() for name in headers for _ in headers[name])


def mismatch(row_fields, getters, ignored):
    """Why the values differ, or None. getters: {field: (value, normalise)} or {field: value}."""
    for name, want in row_fields.items():
        if name in ignored or name in ('src', 'dst', 'sport', 'dport'):
            continue
        if name not in getters:
            return 'unmapped: ' + name
        have = getters[name]() if callable(getters[name]) else getters[name]
        if str(want) != str(have):
            return '%s: want %s, have %s' % (name, str(want)[:60], str(have)[:60])
    return None


def best(reasons):
    """The reason of the record that came nearest: one that is not about where or what it is."""
    return sorted(reasons, key=lambda reason: reason.split(':')[0] in NEAR)[0] if reasons else 'no record'


NEAR = ('tuple', 'url', 'uri', 'method', 'src', 'dst', 'sport', 'dport', 'host')


def find(records, check):
    """None when a record passes, else a reason; the record is taken."""
    reasons = []
    for record in records:
        reason = check(record)
        if reason is None:
            records.remove(record)
            return None
        reasons.append(reason)
    return best(reasons)


def http_tx(row, capture, taken):
    fields = row['fields']

    def check(record):
        if tuple_differs(record, fields):
            return 'tuple'
        return mismatch(fields, {
            'method': corpus.dig(record, 'http.request.method'), 'uri': corpus.dig(record, 'http.request.target'),
            'host': first_value(record, 'request', 'host'), 'status': corpus.dig(record, 'http.response.status_code'),
            'status_msg': corpus.dig(record, 'http.response.reason'),
            'depth': lambda: depth_of(capture, record), 'version': reply_version(record),
            'req_body_len': body_size(record, 'request'), 'resp_body_len': body_size(record, 'response'),
            'user_agent': corpus.dig(record, 'user_agent.original'), 'referrer': first_value(record, 'request', 'referer'),
            'resp_mime_types': corpus.dig(record, 'http.response.mime_type'),
            'client_header_names': lambda: names_like(fields['client_header_names'], record, 'request'),
            'server_header_names': lambda: names_like(fields['server_header_names'], record, 'response'),
        }, IGNORED['http_tx'])

    return find(taken.setdefault(row['case'].split('#')[0], list(capture.http)), check)


def names_like(want, record, side):
    """Names are a list in a record only by value: the peer's order when they are the same names."""
    return want if sorted(want.split(',')) == header_names(record, side) else ','.join(header_names(record, side))


def matching(records, fields, getters, ignored):
    return [r for r in records if tuple_differs(r, fields) is None and mismatch(fields, getters(r), ignored) is None]


def counted(row, records, getters, ignored):
    unmapped = [name for name in row['fields'] if name not in ignored and name not in ('src', 'dst', 'sport', 'dport')
                and not any(name in getters(r) for r in records[:1])]
    if unmapped and records:
        return 'unmapped: ' + unmapped[0]
    have = len(matching(records, row['fields'], getters, ignored))
    if have == int(row['count']):
        return None
    reasons = [mismatch(row['fields'], getters(r), ignored) or tuple_differs(r, row['fields']) for r in records]
    return 'count: want %s, have %d (%s)' % (row['count'], have, best([r for r in reasons if r]))


def http_tx_count(row, capture, taken):
    def getters(record):
        return {
            'method': corpus.dig(record, 'http.request.method'), 'uri': corpus.dig(record, 'http.request.target'),
            'host': host_of(record), 'status': corpus.dig(record, 'http.response.status_code'),
            'resp_body_len': body_size(record, 'response'), 'user_agent': corpus.dig(record, 'user_agent.original'),
            'content_type': first_value(record, 'response', 'content-type').split(';')[0],
            'version': 'HTTP/' + version_of(record), 'suri:tx_id': depth_of(capture, record) - 1,
            'suri:vlan[0]': corpus.dig(record, 'network.vlan.id'),
        }
    return counted(row, capture.http, getters, IGNORED['http_tx_count'])


def file_name(record):
    disposition = first_value(record, 'response', 'content-disposition')
    found = re.search(r'filename="?([^";]*)', disposition)
    return found.group(1) if found else (corpus.dig(record, 'url.path') or '').rsplit('/', 1)[-1]


def file_count(row, capture, taken):
    if row['fields'].get('suri:app_proto') == 'smtp':
        return peers_smtp.smtp_files(row, capture)
    files = [r for r in capture.http if body_size(r, 'response') > 0]

    def getters(record):
        return {
            'filename': file_name(record), 'host': host_of(record), 'method': corpus.dig(record, 'http.request.method'),
            'size': body_size(record, 'response'), 'sha256': corpus.dig(record, 'http.response.body.sha256'),
            'state': 'CLOSED' if record['completeness'] == 'complete' else 'TRUNCATED',
            'gaps': record['completeness'] == 'gap', 'suri:proto': 'TCP', 'suri:app_proto': 'http',
        }
    if not files and 'suri:app_proto' in row['fields']:
        return 'a file of ' + row['fields']['suri:app_proto']
    return counted(row, files, getters, IGNORED['file_count'])


def text_of(content):
    """The octets of a HAR entry's content: text is UTF-8, as pcap2har's is."""
    text = content.get('text', '')
    return base64.b64decode(text) if content.get('encoding') == 'base64' else text.encode()


def har_entry(row, capture, taken):
    """What weir's own HAR says."""
    fields = dict(row['fields'])

    def check(entry):
        request, response = entry['request'], entry['response']
        host = [header['value'] for header in request['headers'] if header['name'].lower() == 'host']
        if fields['url'] not in (request['url'], 'http://' + ''.join(host[:1]) + entry['_weir'].get('target', '')):
            return 'url: want %s' % fields['url'][:60]
        return mismatch(fields, {
            'url': fields['url'], 'method': request['method'], 'status': response['status'],
            'status_msg': response['statusText'], 'version': request['httpVersion'], 'resp_version': response['httpVersion'],
            'n_req_headers': len(request['headers']), 'n_resp_headers': len(response['headers']),
            'req_body': request['bodySize'], 'resp_body_wire': response['bodySize'], 'content_size': response['content']['size'],
            'decoded_body_sha256': corpus.sha256(text_of(response['content'])),
            'mime': response['content']['mimeType'].split(';')[0],
        }, IGNORED['har_entry'])

    return find(taken.setdefault(row['file'] + 'har', list(capture.har)), check)


def byte_ranges(record):
    """Offset, length and total of each part of a multipart/byteranges response (RFC 9110 section 14.6)."""
    body = corpus.dig(record, 'http.response.body') or {}
    octets = body.get('content', '').encode()
    if body.get('content_encoding') == 'base64':
        octets = base64.b64decode(octets)
    return [(int(first), int(last) - int(first) + 1, int(total))
            for first, last, total in re.findall(rb'(?i)\r\ncontent-range: *bytes (\d+)-(\d+)/(\d+)\r\n', octets)]


def zeek_file(row, capture, taken):
    """files.log; of HTTP only. A multipart/byteranges response is one file there, with holes between its parts."""
    fields = row['fields']
    if fields['source'] != 'HTTP':
        return 'a file of ' + fields['source']

    def check(record):
        if tuple_differs(record, fields):
            return 'tuple'
        ranges = byte_ranges(record)
        size = body_size(record, 'response')
        seen = sum(length for _, length, _ in ranges) or size
        reach = max([first + length for first, length, _ in ranges] or [size])
        return mismatch(fields, {
            'seen_bytes': seen, 'missing_bytes': reach - seen, 'is_orig': 'F',
            'total_bytes': ranges[0][2] if ranges else size, 'mime_type': corpus.dig(record, 'http.response.mime_type'),
        }, IGNORED['file'])

    return find(taken.setdefault(row['file'] + 'file', list(capture.http)), check)


def raw_url(record):
    return 'http://' + first_value(record, 'request', 'host') + (corpus.dig(record, 'http.request.target') or '')


CONN_STATES = {
    # what was seen of the handshake and how the flow ended: Zeek's states
    ('complete', 'open'): ('S1',), ('complete', 'timeout'): ('S1', 'S2', 'S3'), ('complete', 'closed'): ('SF',),
    ('complete', 'reset'): ('RSTO', 'RSTR', 'SF'), ('syn', 'open'): ('S0', 'SH'), ('syn', 'timeout'): ('S0', 'SH'),
    ('syn_ack', 'open'): ('OTH', 'SHR', 'S1'), ('syn_ack', 'timeout'): ('OTH', 'SHR', 'S1'), ('syn_ack', 'closed'): ('SF',),
    ('none', 'open'): ('OTH',), ('none', 'timeout'): ('OTH',), ('none', 'closed'): ('OTH', 'SF'),
}


def history_differs(want, record):
    """Of Zeek's letters, those that a record tells: data and handshake of each side."""
    seen = {'D': corpus.dig(record, 'tcp.c2s.bytes') > 0, 'd': corpus.dig(record, 'tcp.s2c.bytes') > 0,
            'S': corpus.dig(record, 'tcp.handshake') in ('complete', 'syn'),
            'h': corpus.dig(record, 'tcp.handshake') in ('complete', 'syn_ack')}
    if 'H' in want:
        want = want.replace('H', 'h')
    return [letter for letter in seen if (letter in want) != seen[letter]]


def conn(row, capture, taken):
    fields = dict(row['fields'])
    for name, others in (('src', ('id_orig_h',)), ('dst', ('id_resp_h',)), ('sport', ('id_orig_p', 'src_port')),
                         ('dport', ('id_resp_p', 'dst_port'))):
        for other in others:
            if other in fields:
                fields[name] = fields.pop(other)
    service = fields.pop('service', None)

    def check(record):
        if tuple_differs(record, fields):
            # Without a SYN the first sender is the peer's client; weir asks what was sent.
            if not re.search('[S^]', fields.get('history', 'S')) and not tuple_differs(record, fields, swapped=True):
                record = swap(record)
            else:
                return 'tuple'
        state = CONN_STATES.get((corpus.dig(record, 'tcp.handshake'), corpus.dig(record, 'tcp.state')), ())
        if service and ('http' in service.split(',')) != any(r['flow_id'] == record['flow_id'] for r in capture.http):
            return 'service: want ' + service
        if 'history' in fields and history_differs(fields['history'], record):
            return 'history: want %s, differs in %s' % (fields['history'], history_differs(fields['history'], record))
        return mismatch(fields, {
            'conn_state': fields['conn_state'] if fields.get('conn_state') in state else
            '%s %s' % (corpus.dig(record, 'tcp.handshake'), corpus.dig(record, 'tcp.state')),
            'history': fields.get('history'), 'missed_bytes':
            corpus.dig(record, 'tcp.c2s.gap_bytes') + corpus.dig(record, 'tcp.s2c.gap_bytes'),
            'orig_pkts': corpus.dig(record, 'tcp.c2s.packets'), 'resp_pkts': corpus.dig(record, 'tcp.s2c.packets'),
            'orig_bytes': corpus.dig(record, 'tcp.c2s.delivered') + corpus.dig(record, 'tcp.c2s.gap_bytes'),
            'resp_bytes': corpus.dig(record, 'tcp.s2c.delivered') + corpus.dig(record, 'tcp.s2c.gap_bytes'),
        }, IGNORED['conn'])

    return find(taken.setdefault(row['case'].split('#')[0], list(capture.tcp)), check)


def swap(record):
    other = dict(record, client=record['server'], server=record['client'], tcp=dict(record['tcp']))
    other['tcp']['c2s'], other['tcp']['s2c'] = record['tcp']['s2c'], record['tcp']['c2s']
    return other


def milliseconds(stamp):
    day, clock = stamp.rstrip('Z').split('T')
    year, month, date = (int(part) for part in day.split('-'))
    hour, minute, second = clock.split(':')
    whole, _, fraction = second.partition('.')
    base = calendar.timegm((year, month, date, int(hour), int(minute), int(whole)))
    return base * 1000 + int(fraction[:3] or 0)


def last_millisecond(record):
    stamp = record['ts']
    return (int(stamp[-10:-1]) + record.get('duration_ns', 0)) // 1000000 + milliseconds(stamp) - int(stamp[-10:-7])


ETHERNET_IP_TCP = 14 + 20 + 20


def arkime_bytes(record, fields):
    """docs/differences.md, "A flow of one packet": Arkime counts none of its payload, but the bytes of its frame."""
    have = corpus.dig(record, 'tcp.c2s.delivered')
    if fields['tcpflags']['syn'] == 0 and fields['c2s_pkts'] == 1 and fields['s2c_pkts'] == 0 and \
            fields['c2s_wire_bytes'] == have + ETHERNET_IP_TCP:
        return 0
    return have


def session(row, capture, taken):
    fields = row['fields']

    def check(record):
        if fields['tcpflags']['syn'] == 0 and not tuple_differs(record, fields, swapped=True):
            record = swap(record)  # the first sender is Arkime's client
        if tuple_differs(record, fields):
            return 'tuple'
        first, last = milliseconds(record['ts']), last_millisecond(record)
        return mismatch(fields, {
            'c2s_pkts': corpus.dig(record, 'tcp.c2s.packets'), 's2c_pkts': corpus.dig(record, 'tcp.s2c.packets'),
            'c2s_payload_bytes': arkime_bytes(record, fields),
            's2c_payload_bytes': corpus.dig(record, 'tcp.s2c.delivered'),
            'first_ms': first, 'last_ms': last,
            'srcPayload8': capture.begin.get((record['flow_id'], 'c2s'), ''),
            'dstPayload8': capture.begin.get((record['flow_id'], 's2c'), ''),
        }, IGNORED['session'])

    return find(taken.setdefault(row['file'] + 'session', list(capture.tcp)), check)


# What weir has records of, in Suricata's words. Of others (ftp, smtp ...) it must say nothing.
APPLICATIONS = ('http', 'tls', 'dns', 'mysql', 'pgsql', 'redis')
FLAG_BITS = {'F': 0x01, 'S': 0x02, 'R': 0x04, 'P': 0x08, '.': 0x10, 'U': 0x20, 'E': 0x40, 'W': 0x80}
HALF_CLOSED = ('close_wait', 'fin_wait1', 'fin_wait2')


def flags_of(record, *directions):
    value = 0
    for direction in directions:
        for letter in corpus.dig(record, 'tcp.%s.flags' % direction) or '':
            value |= FLAG_BITS[letter]
    return value


def application_of(capture, record, want):
    types = {r['type'] for r in capture.records if r.get('flow_id') == record['flow_id']} & set(APPLICATIONS)
    if want in APPLICATIONS:
        return want if want in types else 'failed'
    return sorted(types)[0] if types else want


def flow_count(row, capture, taken):
    fields = row['fields']

    def getters(record):
        ended, phase = corpus.dig(record, 'tcp.state'), corpus.dig(record, 'tcp.phase')
        over = phase in ('closed', 'reset')
        half = fields.get('suri:tcp.state') if fields.get('suri:tcp.state') in HALF_CLOSED else 'half closed'
        values = {
            'suri:proto': 'TCP', 'suri:app_proto': application_of(capture, record, fields.get('suri:app_proto')),
            'suri:flow.pkts_toserver': corpus.dig(record, 'tcp.c2s.packets'),
            'suri:flow.pkts_toclient': corpus.dig(record, 'tcp.s2c.packets'),
            'suri:tcp.state': 'closed' if over else half if phase.startswith('half') else phase,
            'suri:flow.state': 'closed' if over and ended != 'open' else 'established',
            'suri:vlan[0]': corpus.dig(record, 'network.vlan.id'),
            'suri:flow.age': last_millisecond(record) // 1000 - milliseconds(record['ts']) // 1000,
            'suri:tcp.tcp_flags': '%02x' % flags_of(record, 'c2s', 's2c'),
            'suri:tcp.tcp_flags_ts': '%02x' % flags_of(record, 'c2s'),
            'suri:tcp.tcp_flags_tc': '%02x' % flags_of(record, 's2c'),
        }
        for name, letter in (('syn', 'S'), ('ack', '.'), ('psh', 'P'), ('fin', 'F')):
            values['suri:tcp.' + name] = bool(flags_of(record, 'c2s', 's2c') & FLAG_BITS[letter])
        return values
    if fields.get('any') and 'suri:proto' not in fields:
        # any flow at all: what carries a tunnel over UDP is one for Suricata
        have = len(capture.tcp) + sum('port' in t['source'] for t in corpus.dig(capture.summary, 'ip.tunnels') or [])
        return None if have == int(row['count']) else 'count: want %s, have %d flows and tunnels' % (row['count'], have)
    records = capture.tcp
    if fields['event'] == 'netflow':
        records = records + [swap(record) for record in records]  # one per direction
    return counted(row, records, getters, IGNORED['flow_count'])


TUNNEL_TYPES = {'Tunnel::GENEVE': 'geneve', 'Tunnel::GTPv1': 'gtp-u', 'Tunnel::TEREDO': 'teredo', 'Tunnel::VXLAN': 'vxlan',
                'Tunnel::GRE': 'gre', 'Tunnel::IP': 'ipip'}


def tunnel(row, capture, taken):
    """A tunnel that begins (DISCOVER) and ends with the capture (CLOSE) is one of the summary's list, in either direction."""
    fields = dict(row['fields'])
    fields.pop('action')
    kind = TUNNEL_TYPES.get(fields.pop('tunnel_type'))
    want = {(fields['src'], int(fields['sport'])), (fields['dst'], int(fields['dport']))}
    if set(fields) != {'src', 'dst', 'sport', 'dport'}:
        return 'unmapped: %s' % sorted(fields)
    for seen in corpus.dig(capture.summary, 'ip.tunnels') or []:
        ends = {(seen[end]['address'], seen[end].get('port', 0)) for end in ('source', 'destination')}
        if seen['type'] == kind and ends == want:
            return None
    return 'no %s tunnel between %s' % (kind, sorted(want))


DAMAGE = ('cut_link', 'cut_ip', 'cut_tcp', 'bad_ip', 'bad_tcp', 'too_deep', 'linktype')


def damaged(capture):
    return sum(corpus.dig(capture.summary, 'ip.' + name) or 0 for name in DAMAGE)


def faults(capture, code):
    """Anomalies of a parser."""
    return sum(r['type'] == 'anomaly' and r['anomaly']['code'].startswith(code + '.') for r in capture.records)


def etags(capture):
    """E-Tags of the file's frames, when weir came through all of them to TCP."""
    with open(capture.path, 'rb') as file:
        frames = file.read().count(b'\x89\x3f')
    return frames if frames == corpus.dig(capture.summary, 'ip.tcp') else 'not decoded'


def unwritable(capture):
    """A sink that cannot write says so and fails the run."""
    run = corpus.run(capture.weir, '-r', capture.path, '-o', 'streams:/dev/null/streams', '--summary=none')
    return int(run.status == 1 and run.err.startswith('weir: error'))


def file_errors(capture, row):
    """The case `fserror` has a folder that cannot be written."""
    return unwritable(capture) if row['case'].startswith('tests/filestore-v2.3-fserror') else \
        corpus.dig(capture.summary, 'drops.stream_files') or 0


def suricata_stats(row, capture, taken):
    getters = {
        'decoder.pkts': lambda: capture.summary['packets'], 'decoder.bytes': lambda: capture.summary['bytes'],
        'decoder.ipv4': lambda: corpus.dig(capture.summary, 'ip.ipv4'),
        'decoder.tcp': lambda: corpus.dig(capture.summary, 'ip.tcp'),
        'decoder.igmp': lambda: corpus.dig(capture.summary, 'ip.igmp'), 'decoder.etag': lambda: etags(capture),
        'decoder.invalid': lambda: damaged(capture), 'tcp.reassembly_gap': # a gap there is what was acknowledged and not seen
        lambda: capture.summary['tcp']['gaps']['causes']['acked'],
        'app_layer.flow.http': lambda: len({r['flow_id'] for r in capture.http}), 'app_layer.tx.http': lambda: len(capture.http),
        'app_layer.tx.smtp': lambda: len(peers_smtp.transactions(capture)), 'app_layer.error.dns_udp.parser': lambda: faults(capture, 'dns'),
        'app_layer.error.tls.parser': lambda: faults(capture, 'tls'), 'file_store.fs_errors': lambda: file_errors(capture, row),
    }
    if not capture.summary:
        return 'no summary'
    fields = {re.sub(r'^(suri:)?(stats\.)?', '', name): value for name, value in row['fields'].items() if name != 'event'}
    for name in fields:
        if name.startswith('decoder.event.igmp.'):
            getters[name] = lambda: damaged(capture)
    return mismatch(fields, getters, ())


def http_msg(row, capture, taken):
    fields = row['fields']
    if fields['proto'] != 'Http1':
        return 'HTTP/2'

    def check(record):
        return mismatch(fields, {
            'method': (corpus.dig(record, 'http.request.method') or '').capitalize(), 'host': host_of(record),
            'path': corpus.dig(record, 'http.request.target'), 'version': 'V' + version_of(record).replace('.', '_'),
            'status_code': corpus.dig(record, 'http.response.status_code'),
            'req_content_length': first_value(record, 'request', 'content-length'),
            'resp_content_length': first_value(record, 'response', 'content-length'),
            'client_ip': fields.get('client_ip') if ','.join(corpus.dig(record, 'http.request.forwarded_for') or ['?']) in
            fields.get('client_ip', '') else '',
        }, IGNORED['http_msg'])

    return find(list(capture.http), check)


def collected(records, value):
    """A sorted list of the different values, as Arkime keeps them."""
    have = set()
    for record in records:
        have |= {v for v in value(record) if v not in (None, '')}
    return sorted(have)


def query_parts(record, which):
    query = corpus.dig(record, 'url.query') or ''
    return [urllib.parse.unquote_plus(part.partition('=')[which]) for part in query.split('&') if part]


def cookie_parts(record, which):
    parts = [part.strip() for line in (corpus.dig(record, 'http.request.header') or {}).get('cookie', [])
             for part in line.split(';')]
    return [part.partition('=')[which] for part in parts]


def first_side(record):
    """Arkime's request is what the flow's first sender says, be it a response that was captured alone."""
    return 'response' if record['completeness'] == 'no_request' else 'request'


def http_session(row, capture, taken):
    fields = row['fields']
    records = [r for r in capture.http if tuple_differs(r, fields) is None]
    if not records:
        # Arkime gives the server's name of TLS as a host
        names = {corpus.dig(r, 'tls.client.server_name') for r in capture.tls if tuple_differs(r, fields) is None}
        rest = set(fields) - {'http.host', 'src', 'dst', 'sport', 'dport'}
        return None if not rest and names and set(fields['http.host']) == names else 'no http record'

    def methods(method):
        return sum(corpus.dig(r, 'http.request.method') == method for r in records)

    def each(name):
        return collected(records, lambda r: [corpus.dig(r, name)])

    def uris(record):
        target, host = corpus.dig(record, 'http.request.target') or '', first_value(record, 'request', 'host')
        return [target if '://' in target or not host else host + target]

    getters = {
        'http.host': collected(records, lambda r: [host_of(r)]), 'http.method': each('http.request.method'),
        'http.path': collected(records, lambda r: [(corpus.dig(r, 'http.request.target') or '').split('?')[0]]),
        'http.uri': collected(records, uris), 'http.useragent': each('user_agent.original'),
        'http.statuscode': each('http.response.status_code'), 'http.clientVersion': collected(records, lambda r: [version_of(r)]),
        'http.serverVersion': collected(records, lambda r: [reply_version(r)]),
        'http.request-referer': collected(records, lambda r: [first_value(r, 'request', 'referer')]),
        'http.requestHeader': collected(records, lambda r: corpus.dig(r, 'http.%s.header' % first_side(r)) or {}),
        'http.responseHeader': collected(records, lambda r: corpus.dig(r, 'http.response.header') or {}),
        'http.cookieKey': collected(records, lambda r: cookie_parts(r, 0)),
        'http.cookieValue': collected(records, lambda r: cookie_parts(r, 2)),
        'http.key': collected(records, lambda r: query_parts(r, 0)),
        'http.value': collected(records, lambda r: query_parts(r, 2)),
        'http.sha256': collected(records, lambda r: [wire_sha256(r, 'request'), wire_sha256(r, 'response')]),
        'http.requestBody': collected(records, lambda r: [corpus.dig(r, 'http.%s.body.content' % first_side(r))]),
    }
    for name in fields:
        if name.startswith('http.method-'):
            getters[name] = methods(name[len('http.method-'):])
    return mismatch(fields, getters, IGNORED['http_session'])


def wire_sha256(record, side):
    return corpus.dig(record, 'http.%s.body.wire_sha256' % side) or corpus.dig(record, 'http.%s.body.sha256' % side)


PACKETBEAT = {
    'client.port': lambda r: r['client']['port'], 'server.port': lambda r: r['server']['port'],
    'client.ip': lambda r: r['client']['address'], 'server.ip': lambda r: r['server']['address'],
    'type': lambda r: r['type'], 'method': lambda r: corpus.dig(r, 'http.request.method'),
    'http.request.method': lambda r: corpus.dig(r, 'http.request.method'),
    'url.path': lambda r: corpus.dig(r, 'url.path'),
    'http.response.status_code': lambda r: corpus.dig(r, 'http.response.status_code'),
    'http.response.status_phrase': lambda r: (corpus.dig(r, 'http.response.reason') or '').lower(),
    'status': lambda r: 'OK' if (corpus.dig(r, 'http.response.status_code') or 500) < 400 else 'Error',
    'query': lambda r: '%s %s' % (corpus.dig(r, 'http.request.method'), corpus.dig(r, 'url.path')),
    'url.query': lambda r: form_of(r), 'network.forwarded_ip':
    lambda r: (corpus.dig(r, 'http.request.forwarded_for') or [first_value(r, 'request', 'x-real-ip')])[0],
    'error.message': lambda r: 'Packet loss while capturing the response' if r['completeness'] == 'gap' else None,
    # a message with its head: Packetbeat's bytes
    'client.bytes': lambda r: corpus.dig(r, 'http.request.size'), 'server.bytes': lambda r: corpus.dig(r, 'http.response.size'),
    "len(o['response'])":  # without its body, which that test does not ask for
    lambda r: corpus.dig(r, 'http.response.size') - corpus.dig(r, 'http.response.body.size'),
    'http.request.mime_type': lambda r: type_of(r, 'request'), 'http.response.mime_type': lambda r: type_of(r, 'response'),
    "len(o['http.request.headers']['cookie'])": lambda r: len(cookie_parts(r, 0)),
    "len(o['http.response.headers']['set-cookie'])":
    lambda r: sum(len(line.split(';')) for line in (corpus.dig(r, 'http.response.header') or {}).get('set-cookie', [])),
}


def form_of(record):
    """Packetbeat's parameters: those of the query and of a form, as Go encodes them, sorted by name."""
    parts = [corpus.dig(record, 'url.query') or '']
    if first_value(record, 'request', 'content-type').startswith('application/x-www-form-urlencoded'):
        parts.append(corpus.dig(record, 'http.request.body.content') or '')
    pairs = [pair for part in parts for pair in urllib.parse.parse_qsl(part, keep_blank_values=True)]
    return urllib.parse.urlencode(sorted(pairs, key=lambda pair: pair[0]))


def type_of(record, side):
    """A media type by content as Go's libraries write it: of text with its character set, and text in a record is UTF-8."""
    mime = corpus.dig(record, 'http.%s.mime_type' % side)
    text = not corpus.dig(record, 'http.%s.body.content_encoding' % side)
    return mime + '; charset=utf-8' if mime and mime.startswith('text/') and text else mime


# What Packetbeat's configuration of a test keeps (drop_event and its conditions), in the language of -Y.
PACKETBEAT_FILTERS = {
    'test_drop_event_with_cond': 'status>=300', 'test_drop_event': 'status>=400',
    'test_condition_or': '-status:404 -status:200', 'test_condition_not': 'status:200',
    # Packetbeat gives an unanswered request up when its own clock says so: not in a capture that it reads at once
    'test_unmatched_response': 'status>0',
}


def filtered(row, capture):
    """The capture through the filter of the row's test."""
    name = re.search(r'::(\w+)', row['case']).group(1)
    if name not in PACKETBEAT_FILTERS:
        return capture
    result = corpus.run(capture.weir, '-q', '-r', capture.path, '-j', 1, '--redact=off', '--json', '-Y', PACKETBEAT_FILTERS[name])
    return Capture(corpus.records_of(result), {})


# Each of its tests names the ports that Packetbeat looks at; in this capture a proxy's other side is there too.
PACKETBEAT_PORTS = {'http_minitwit': 80}


def packetbeat_assert(row, capture, taken):
    if peers_redis.applies(row):
        return peers_redis.packetbeat(row, capture)
    capture = filtered(row, capture)
    for name, port in PACKETBEAT_PORTS.items():
        if name in row['file']:
            capture = Capture([record for record in capture.http if record['server']['port'] == port], {})
    name, index, want = row['fields']['field'], row['fields'].get('index', 0), row['fields']['equals']
    if name == 'len(objs)':
        return None if want == len(capture.http) else 'len(objs): want %s, have %d' % (want, len(capture.http))
    if str(index).endswith('headers'):
        side = 'response' if 'response' in index else 'request'
        have = first_value(capture.http[0], side, name) if capture.http else None
        if name == 'content-length' and not have:
            have = corpus.dig(capture.http[0], 'http.%s.body.size' % side)  # Packetbeat adds the header
    elif name not in PACKETBEAT:
        return 'unmapped: ' + name
    elif int(index) >= len(capture.http):
        return 'no http record'
    else:
        have = PACKETBEAT[name](capture.http[int(index)])
    if 'xxxxx' in str(want):  # masked by the peer's configuration
        have = re.sub('(pass=)[^&]*', r'\1xxxxx', str(have))
    return None if str(have) == str(want) else '%s: want %s, have %s' % (name, want, have)


KINDS = {
    'http_tx': http_tx, 'http_session': http_session, 'http_msg': http_msg, 'http_tx_count': http_tx_count,
    'file': zeek_file, 'har_entry': har_entry, 'file_count': file_count, 'packetbeat_assert': packetbeat_assert, 'conn': conn,
    'session': session, 'flow_count': flow_count, 'tunnel': tunnel, 'suricata_stats': suricata_stats,
}


KINDS.update(peers_redis.KINDS)
KINDS['smtp_count'] = peers_smtp.smtp_count


def applies(row):
    """Is the row of a kind, a transport and a protocol that this harness is about?"""
    fields = row['fields']
    if peers_redis.applies(row):
        return True
    if row['kind'] in peers_redis.KINDS:
        return False
    if row['kind'] == 'packetbeat_assert':
        return bool(re.search('__(http_|wsgi_|hide_secret|gap_in_stream)', row['file']))
    if row['kind'] == 'conn':
        return 'ip_proto' in fields and fields['ip_proto'] == '6' or fields.get('proto') == 'tcp' or (
            'proto' not in fields and 'quic' not in fields.get('service', ''))
    if row['kind'] == 'session':
        return fields['ipproto'] == 6
    if row['kind'] == 'flow_count':
        # over TCP, or saying nothing of that
        return fields.get('suri:proto', 'TCP') == 'TCP' and '[ips]' not in row['config'] and 'suri:spi' not in fields
    if row['kind'] == 'suricata_stats':
        return '[ips]' not in row['config']
    return row['kind'] in KINDS


def load():
    table = corpus.rows('corpus', 'expected', 'peer_expectations.tsv')
    for row in table:
        row['fields'] = json.loads(row['fields'])
    return [row for row in table if applies(row)]

# SPDX-License-Identifier: Apache-2.0
"""The peers' expectations about Redis, and about DNS over TCP, in weir's words; peers.py asks here. None: the row holds."""
import corpus


def redis_of(capture):
    return sorted((r for r in capture.records if r['type'] == 'redis' and corpus.dig(r, 'redis.push') is None), key=lambda r: r['ts'])


def dns_of(capture):
    return sorted((r for r in capture.records if r['type'] == 'dns'), key=lambda r: r['ts'])


def differs(want, have, names):
    """The first of {field: getter} that is not as wanted; every field of the row needs one."""
    for name, value in want.items():
        if name not in names:
            return 'unmapped: ' + name
        got = names[name](have)
        if str(got) != str(value):
            return '%s: want %s, have %s' % (name, value, got)
    return None


def take(row, records, names, taken):
    """A record that holds for the row and for none before it."""
    reasons = []
    for i, record in enumerate(records):
        if (row['kind'], i) not in taken:
            reason = differs(row['fields'], record, names)
            if reason is None:
                taken[row['kind'], i] = True
                return None
            reasons.append(reason)
    return reasons[0] if reasons else 'no record'


def get(name):
    return lambda record: corpus.dig(record, name)


ZEEK = {
    'cmd.name': get('db.operation.name'), 'reply.value': get('redis.reply.text'), 'src': get('client.address'),
    'sport': get('client.port'), 'dst': get('server.address'), 'dport': get('server.port'), 'proto': get('type'),
    'success': lambda record: 'T' if corpus.dig(record, 'db.response.status') == 'ok' else 'F',
}
DEEPFLOW = {
    'request': get('db.query.text'), 'request_type': get('db.operation.name'), 'type': lambda record: 'RedisInfo',
}
PACKETBEAT = {
    'method': get('db.operation.name'), 'resource': get('redis.key'), 'query': get('db.query.text'),
    'status': lambda record: 'OK' if corpus.dig(record, 'db.response.status') == 'ok' else 'Error',
    'redis.return_value': get('redis.reply.text'), 'type': get('type'),
}
PACKETBEAT_DNS = {
    'type': get('type'), 'network.protocol': get('network.protocol.name'), 'network.transport': lambda record: 'tcp',
    'method': get('dns.op_code'), 'dns.question.type': get('dns.question.type'),
    'query': lambda record: 'class %s, type %s, %s' % tuple(corpus.dig(record, 'dns.question.' + n) for n in ('class', 'type', 'name')),
    'status': lambda record: 'OK' if corpus.dig(record, 'dns.response_code') == 'NOERROR' else 'Error',
    "len(o['dns.answers'])": get('dns.answer.count'),
}
# of its own messages, and how it came to its verdict
DEEPFLOW_DNS_IGNORED = {'captured_request_byte', 'captured_response_byte', 'msg_type', 'verdict', 'opcode', 'response_result'}
DEEPFLOW_DNS = {
    'request_id': get('dns.id'), 'request_resource': get('dns.question.name'), 'request_type': get('dns.question.type'),
    'response_code': lambda record: 0 if corpus.dig(record, 'dns.response_code') == 'NOERROR' else 1,
}


def db_tx(row, capture, taken):
    return take(row, redis_of(capture), ZEEK, taken)


def db_msg(row, capture, taken):
    if len(row['fields']) == 1:  # the response to the message before
        return None if any(corpus.dig(r, 'db.response.size') for r in redis_of(capture)) else 'no response'
    return take(row, redis_of(capture), DEEPFLOW, taken)


def packetbeat(row, capture):
    name, index, want = row['fields']['field'], int(row['fields'].get('index', 0)), row['fields']['equals']
    records, names = (redis_of(capture), PACKETBEAT) if '__redis_' in row['file'] else (dns_of(capture), PACKETBEAT_DNS)
    if name == 'len(objs)':
        return None if len(records) == want else 'len(objs): want %s, have %d' % (want, len(records))
    return differs({name: want}, records[index], names) if index < len(records) else 'no record'


def dns(row, capture, taken):
    fields = row['fields']
    if 'dns' not in fields:
        want = {k: v for k, v in fields.items() if k not in DEEPFLOW_DNS_IGNORED}
        if want.pop('response_status', 'ok') not in ('ok', 'unknown'):
            return 'unmapped: response_status'
        reasons = [differs(want, record, DEEPFLOW_DNS) for record in dns_of(capture)]
        return None if None in reasons else (reasons or ['no record'])[0]
    # Arkime lists the other sections among the answers, and where addresses are in the world
    for entry in fields['dns']:
        want = [a['ip'] for a in entry['answers'] if 'ip' in a and a['name'] == entry['answers'][0]['name']]
        if not any(corpus.dig(r, 'dns.answers') == want for r in dns_of(capture)):
            return 'no record has the answers %s' % want
    return None


def dns_count(row, capture, taken):
    """Suricata's events: one a query, one a response."""
    have = sum(1 + (r['completeness'] == 'complete') for r in dns_of(capture))
    return None if int(row['count']) == have else 'want %s, have %d' % (row['count'], have)


OVER_TCP = ('tcpdns', 'dns_over_tcp', 'dns_tcp_axfr', 'not-handled-qtype')
KINDS = {'db_tx': db_tx, 'db_msg': db_msg, 'dns': dns, 'dns_count': dns_count}


def applies(row):
    fields = row['fields']
    if row['kind'] == 'packetbeat_assert':
        return '__redis_' in row['file'] or '__dns_tcp_' in row['file']
    if row['kind'] in ('dns', 'dns_count'):
        return any(name in row['file'] for name in OVER_TCP)
    return row['kind'] == 'db_tx' and fields.get('proto') == 'redis' or row['kind'] == 'db_msg' and fields.get('type') == 'RedisInfo'

# SPDX-License-Identifier: Apache-2.0
"""A store held against itself: what it counted, and where it says records are, worked out once more from its rows.

Only Python's sqlite3 and what src/store/schema.h says of the tables.
"""
import sqlite3

LEVELS = (10, 300, 3600)
DIMS = ('type', 'service', 'endpoint', 'server', 'status')
SUMS = ('n', 'n_timed', 'n_4xx', 'n_5xx', 'n_unanswered', 'n_incomplete', 'request_bytes', 'response_bytes', 'sum_duration_ns', 'sum_send_ns',
        'sum_wait_ns', 'sum_receive_ns', 'sum_stall_ns', 'retransmits', 'out_of_order', 'gaps', 'missing_bytes', 'packets')
# how a type's records are counted: service, method, route, status, bytes, what is timed ...
ROLES = {
    'http': dict(service='service_name', method='http_request_method', route='http_route', status='http_response_status_code',
                 request_bytes=('http_request_size', 'http_request_body_size'), response_bytes=('http_response_size', 'http_response_body_size'),
                 time='duration_ns', retransmits=('tcp_retransmits',), out_of_order=('tcp_out_of_order',), gaps=('tcp_gaps',),
                 missing_bytes=('missing_bytes',), packets=()),
    'tcp': dict(service='service_name', method=None, route=None, status='tcp_state', request_bytes=('tcp_c2s_bytes',),
                response_bytes=('tcp_s2c_bytes',), time='tcp_handshake_ns', retransmits=('tcp_c2s_retransmits', 'tcp_s2c_retransmits'),
                out_of_order=('tcp_c2s_out_of_order', 'tcp_s2c_out_of_order'), gaps=('tcp_c2s_gaps', 'tcp_s2c_gaps'),
                missing_bytes=('tcp_c2s_gap_bytes', 'tcp_s2c_gap_bytes'), packets=('tcp_c2s_packets', 'tcp_s2c_packets')),
    'dns': dict(service='service_name', method='dns_question_type', route=None, status='dns_response_code',
                request_bytes=('dns_request_size',), response_bytes=('dns_response_size',), time='duration_ns', retransmits=('tcp_retransmits',),
                out_of_order=('tcp_out_of_order',), gaps=('tcp_gaps',), missing_bytes=('missing_bytes',), packets=()),
    'anomaly': dict(service='service_name', method='anomaly_code', route=None, status='anomaly_severity', request_bytes=(), response_bytes=(),
                    time='duration_ns', retransmits=('tcp_retransmits',), out_of_order=('tcp_out_of_order',), gaps=('tcp_gaps',),
                    missing_bytes=('missing_bytes',), packets=()),
}
DATABASE = dict(service='db_namespace', method='db_operation_name', route='db_query_digest', status='db_response_status_code',
                request_bytes=('db_request_size',), response_bytes=('db_response_size',), time='duration_ns', retransmits=('tcp_retransmits',),
                out_of_order=('tcp_out_of_order',), gaps=('tcp_gaps',), missing_bytes=('missing_bytes',), packets=())
for database in ('mysql', 'pgsql', 'redis'):
    ROLES[database] = DATABASE


# of any other type
ANY = dict(service='service_name', method=None, route=None, status=None, request_bytes=(), response_bytes=(), time='duration_ns',
           retransmits=('tcp_retransmits',), out_of_order=('tcp_out_of_order',), gaps=('tcp_gaps',), missing_bytes=('missing_bytes',), packets=())


def roles_of(kind):
    return ROLES.get(kind, ANY)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def varints(blob):
    value = shift = 0
    for octet in blob or b'':
        value |= (octet & 127) << shift
        shift += 7
        if octet < 128:
            yield value
            value = shift = 0


def ids_of(first, blob):
    yield first
    for distance in varints(blob):
        first += distance
        yield first


def hist_of(blob):
    """bucket: count"""
    found, bucket = {}, 0
    numbers = list(varints(blob))
    for distance, count in zip(numbers[::2], numbers[1::2]):
        bucket += distance
        found[bucket] = count
    return found


def bucket_of(ns):
    if ns < 32:
        return max(ns, 0)
    power = ns.bit_length() - 1
    return (power - 5) * 32 + (ns >> (power - 5))


def bounds_of(bucket):
    if bucket < 64:
        return bucket, bucket + 1
    shift = bucket // 32 - 1
    return (bucket % 32 + 32) << shift, (bucket % 32 + 33) << shift


def percentile_of(hist, percent):
    """The bucket of the value at rank ceil(percent / 100 * n)."""
    rank, seen = -(-sum(hist.values()) * percent // 100), 0
    for bucket in sorted(hist):
        seen += hist[bucket]
        if seen >= rank:
            return bucket
    return None


def types_of(base):
    return [row[0] for row in base.execute('SELECT type FROM _type ORDER BY _id')]


def failed_of(kind, row, roles):
    """4xx, 5xx, unanswered"""
    status = row[roles['status']] if roles['status'] else None
    if roles['status'] is None:
        return 0, 0, 0
    if roles is DATABASE:
        said = row['db_response_status']
        return 0, int(said == 'error'), int(said is None)
    if status is None:
        return 0, 0, 1
    if kind == 'http':
        return int(400 <= status < 500), int(status >= 500), 0
    return 0, int(status in ('reset', 'SERVFAIL')), 0


def keys_of(kind, row, roles):
    service, method, route = (row[roles[name]] if roles[name] else None for name in ('service', 'method', 'route'))
    status = row[roles['status']] if roles['status'] else None
    return {'type': (kind, None, None, None, None, None, None), 'service': (kind, service, None, None, None, None, None),
            'endpoint': (kind, service, method, route, None, None, None),
            'server': (kind, None, None, None, row['server_address'], row['server_port'], None),
            'status': (kind, None, None, None, None, None, None if status is None else str(status))}


def counted_of(kind, row, roles):
    def first(names):
        return next((row[name] for name in names if row[name] is not None), 0)

    def all_of(names):
        return sum(row[name] or 0 for name in names)
    counts = dict(n=1, n_timed=int(row[roles['time']] is not None), n_incomplete=int(row['completeness'] not in (None, 'complete')),
                  request_bytes=first(roles['request_bytes']), response_bytes=first(roles['response_bytes']))
    counts['n_4xx'], counts['n_5xx'], counts['n_unanswered'] = failed_of(kind, row, roles)
    for name in ('duration', 'send', 'wait', 'receive', 'stall'):
        counts['sum_%s_ns' % name] = row['duration_ns' if name == 'duration' else 'timing_%s_ns' % name] or 0
    for name in ('retransmits', 'out_of_order', 'gaps', 'missing_bytes', 'packets'):
        counts[name] = all_of(roles[name])
    return counts


def wanted(base):
    """{(interval_s, by, t, key): (sums, hist, max)} out of the rows."""
    found = {}
    for kind in types_of(base):
        for row in base.execute('SELECT * FROM "%s" WHERE final IS NOT 0' % kind):
            counts, time, keys = counted_of(kind, row, roles_of(kind)), row[roles_of(kind)['time']], keys_of(kind, row, roles_of(kind))
            for level in LEVELS:
                t = row['ts_ns'] // 10 ** 9 // level * level
                for by in DIMS:
                    sums, hist, most = found.setdefault((level, by, t, keys[by]), (dict.fromkeys(SUMS, 0), {}, []))
                    for name in SUMS:
                        sums[name] += counts[name]
                    if time is not None:
                        bucket = bucket_of(time)
                        hist[bucket] = hist.get(bucket, 0) + 1
                        most.append(max(time, 0))
    return found


KEPT_S = {10: 2 * 86400, 300: 31 * 86400, 3600: 10 ** 12}


def check_rollups(base):
    # fine levels of what is long ago may be gone
    newest = max([row[0] // 10 ** 9 for kind in types_of(base) for row in base.execute('SELECT max(ts_ns) FROM "%s"' % kind) if row[0]] + [0])
    want = {place: what for place, what in wanted(base).items() if place[2] >= newest - KEPT_S[place[0]]}
    have = {}
    for row in base.execute('SELECT * FROM rollup'):
        key = (row['type'], row['service_name'], row['method'], row['route'], row['server_address'], row['server_port'], row['status'])
        place = (row['interval_s'], row['by'], row['t'], key)
        if row['t'] < newest - KEPT_S[row['interval_s']]:
            continue
        expect(place not in have, ('twice', place))
        have[place] = row
    expect(set(have) == set(want), ('rows of rollup', list(set(have) ^ set(want))[:5]))
    for place, (sums, hist, times) in want.items():
        row = have[place]
        for name in SUMS:
            expect(row[name] == sums[name], (place, name, row[name], sums[name]))
        expect(hist_of(row['hist']) == hist, (place, 'hist'))
        expect(row['max_ns'] == (max(times) if times else None), (place, 'max'))
        for percent, name in ((50, 'p50_ns'), (95, 'p95_ns'), (99, 'p99_ns')):
            if not times:
                expect(row[name] is None, (place, name))
                continue
            exact = sorted(times)[max(-(-len(times) * percent // 100), 1) - 1]
            expect(abs(row[name] - exact) <= exact / 64 + 1, (place, name, row[name], exact))
    return len(want)


def check_places(base):
    """Each final record is in the list of its shape and of its duration, once; all numbers that rows name are there."""
    for kind in types_of(base):
        number = base.execute('SELECT _id FROM _type WHERE type = ?', (kind,)).fetchone()[0]
        rows = {row[0]: row for row in base.execute('SELECT r._id, r._shape, r.ts FROM "_%s" r LEFT JOIN "_%s_more" m ON m._id = r._id '
                                                    'WHERE m.final IS NOT 0' % (kind, kind))}
        shapes = [row[0] for row in base.execute('SELECT _id FROM "_%s_shape"' % kind)]
        expect(not set(row[1] for row in rows.values()) - set(shapes), (kind, 'shapes that are not there'))
        found = {}
        for shape in shapes:
            before = 0
            for first, blob in base.execute('SELECT first, ids FROM _shape_ids WHERE shape = ? ORDER BY first', (shape,)):
                for one in ids_of(first, blob):
                    expect(one > before and one not in found, (kind, 'order', one))
                    before = one
                    found[one] = shape
        expect(all(found.get(one) == row[1] for one, row in rows.items()), (kind, 'lists of shapes'))
        # lists may name what is gone, never what is another type's
        time = roles_of(kind)['time']
        durations = dict(base.execute('SELECT _id, %s FROM "%s" WHERE %s NOT NULL AND final IS NOT 0' % (time, kind, time)))
        found = {}
        for octave, first, blob in base.execute('SELECT octave, first, ids FROM _duration_ids WHERE type = ?', (number,)):
            for one in ids_of(first, blob):
                expect(one not in found, (kind, 'twice', one))
                found[one] = octave
        for one, ns in durations.items():
            expect(found.get(one) == max(ns.bit_length() - 1, 0), (kind, 'octave', one, ns, found.get(one)))
        expect(base.execute('SELECT count(*) FROM "_%s" WHERE _flow NOT IN (SELECT _id FROM _flow)' % kind).fetchone()[0] == 0, (kind, 'flows'))
        for column in [row[1] for row in base.execute('PRAGMA table_info("_%s")' % kind)]:
            if column not in ('_id', '_flow', '_shape', '_id_high', 'id', 'ts') and not column.endswith(('_ns', 'size', 'packets')):
                view = base.execute('SELECT count(*) FROM "_%s" r JOIN "%s" v ON v._id = r._id WHERE r."%s" NOT NULL AND v."%s" IS NULL' %
                                    (kind, kind, column, column)).fetchone()[0]
                expect(view == 0, (kind, column, 'strings that are not there'))


def connect(path):
    base = sqlite3.connect('file:%s?mode=ro' % path, uri=True)
    base.row_factory = sqlite3.Row
    return base


def check(path, rollups=True):
    """All of it. @return number of final records"""
    base = connect(path)
    expect(base.execute('PRAGMA integrity_check').fetchone()[0] == 'ok', 'integrity')
    if rollups:
        check_rollups(base)
    check_places(base)
    n = sum(base.execute('SELECT count(*) FROM "%s" WHERE final IS NOT 0' % kind).fetchone()[0] for kind in types_of(base))
    base.close()
    return n

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the sink `sqlite` keeps beside the records, and what it takes away: test_store_write.py WEIR [TEST...]

tests/lib/stores.py works out from the rows what the store should have counted; test_store.py holds the rows against JSON.
"""
import gzip
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEMO = os.path.join(ROOT, 'examples', 'demo.pcapng')
WEIR = os.path.abspath(sys.argv[1])
KILLS = int(os.environ.get('WEIR_KILLS', '12'))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))
import packets  # noqa: E402
import stores  # noqa: E402

tests = []


def test(function):
    tests.append(function)
    return function


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def weir(*args, status=0, timeout=120):
    done = subprocess.run([WEIR, '--config=none'] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
    expect(done.returncode == status, (args, done.returncode, done.stderr))
    return done


def write_many(path, connections, step_ns=10 ** 6, statuses=(200,)):
    """Two exchanges on each connection, of several hosts, methods and statuses."""
    rng = random.Random(3)
    pcap = packets.Pcap(path)
    for n in range(connections):
        connection = packets.Connection(pcap, ('10.%d.%d.%d' % (n >> 16, n >> 8 & 255, n & 255), 40000), ('10.255.0.%d' % (n % 3), 80))
        connection.open()
        for k in range(2):
            pcap.now_ns += rng.randrange(step_ns)
            status = rng.choice(statuses)
            connection.send(0, packets.PSH | packets.ACK, b'%s /item/%d?k=%d HTTP/1.1\r\nHost: shop%d\r\n\r\n' %
                            (rng.choice((b'GET', b'POST')), n % 50, k, n % 5))
            pcap.now_ns += rng.randrange(step_ns)
            connection.send(1, packets.PSH | packets.ACK, b'HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok' % status)
        connection.close()
    pcap.close()


@test
def what_is_counted_is_what_the_rows_say():
    shared = os.environ.get('WEIR_SHARED', os.path.join(ROOT, '..', 'shared'))
    captures = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(shared, 'corpus')) for name in names
                if '.pcap' in name and os.path.getsize(os.path.join(folder, name)) < 300000]
    captures = random.Random(5).sample(sorted(captures), min(len(captures), int(os.environ.get('WEIR_CAPTURES', '100'))))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'store.db')
        many = os.path.join(folder, 'many.pcap')
        write_many(many, 1000, 3 * 10 ** 8, (200, 200, 204, 304, 404, 503))
        for capture in [DEMO, many] + captures:
            # several captures in one store, and in several runs: what is there is added to
            subprocess.run([WEIR, '--config=none', '-q', '-r', capture, '-o', 'sqlite:' + path], stderr=subprocess.DEVNULL, timeout=120)
        n = stores.check(path)
        base = stores.connect(path)
        rows = stores.check_rollups(base)
        expect(n > 3000 and rows > 200, (n, rows))
        base.close()
        print('%d records, %d rows of rollups agree' % (n, rows))


@test
def rollups_are_in_the_transaction_of_their_rows():
    """Killed at any moment: rows and what was counted of them agree, and are what was acknowledged, or one transaction more."""
    rng = random.Random(11)
    kept, exact, more = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        capture = os.path.join(folder, 'many.pcap')
        write_many(capture, 3000, 10 ** 7, (200, 404, 503))
        with open(capture, 'rb') as file:
            octets = file.read()
        for n in range(KILLS):
            path, said = os.path.join(folder, 'kill%d.db' % n), os.path.join(folder, 'said%d' % n)
            # through a pipe, piece by piece, so that there are commits all along
            running = subprocess.Popen([WEIR, '--config=none', '-q', '-r', '-', '-o', 'sqlite:%s,acknowledge=%s' % (path, said)],
                                       stdin=subprocess.PIPE)
            stop = rng.uniform(0.1, 1)
            try:
                for at in range(0, int(len(octets) * stop), 20000):
                    running.stdin.write(octets[at:at + 20000])
                    running.stdin.flush()
                    if rng.random() < 0.1:
                        time.sleep(rng.uniform(0, 0.2))  # a pipe that gives nothing for a while: a commit
                time.sleep(rng.uniform(0, 0.02))
            finally:
                running.send_signal(signal.SIGKILL)
                running.wait()
            lines = open(said).read().splitlines() if os.path.exists(said) else []
            done = max([0] + [int(line.split()[1]) for line in lines if line.startswith('done ')])
            tried = max([0] + [int(line.split()[1]) for line in lines if line.startswith('commit ')])
            base = sqlite3.connect(path)
            ready = base.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'rollup'").fetchone()[0] > 0
            base.close()
            records = stores.check(path) if ready else 0
            expect(records in (done, tried), (records, done, tried))
            exact += records == done
            more += records != done
            kept.append(records)
            os.unlink(path)
        expect(sum(records > 0 for records in kept) > KILLS // 2, kept)
        print('killed %d times: %d had what was acknowledged, %d that and the transaction after it; records: %s' %
              (KILLS, exact, more, kept))


@test
def killed_under_full_load():
    """bench/store_load writes as fast as it can, 65,536 records a transaction. WEIR_LOAD names it; WEIR_KILLS times."""
    load = os.environ.get('WEIR_LOAD')
    if load is None:
        print('SKIPPED killed_under_full_load: WEIR_LOAD=build/bench/store_load not given')
        return
    rng, exact, more, kept = random.Random(13), 0, 0, []
    with tempfile.TemporaryDirectory() as folder:
        for n in range(KILLS):
            path, said = os.path.join(folder, 'kill.db'), os.path.join(folder, 'said')
            running = subprocess.Popen([load, 'sqlite:%s,acknowledge=%s%s' % (path, said, ',max=40M' if n % 2 else ''), '100000000'])
            time.sleep(rng.uniform(0.2, 4))
            running.send_signal(signal.SIGKILL)
            running.wait()
            lines = open(said).read().splitlines()
            done = max([0] + [int(line.split()[1]) for line in lines if line.startswith('done ')])
            tried = max([0] + [int(line.split()[1]) for line in lines if line.startswith('commit ')])
            base = stores.connect(path)
            expect(base.execute('PRAGMA integrity_check').fetchone()[0] == 'ok', 'integrity')
            counted = {(row[0], row[1]): row[2:] for row in base.execute(
                'SELECT "by", interval_s, sum(n), sum(n_5xx), sum(sum_duration_ns), sum(response_bytes) FROM rollup GROUP BY 1, 2')}
            records = max([0] + [row[0] for row in counted.values()])
            expect(len(set(tuple(row) for row in counted.values())) <= 1, ('levels and dimensions', counted))
            if n % 2 == 0:  # nothing was taken away: the rows themselves
                rows = [base.execute('SELECT count(*), %s FROM %s' % (what, kind)).fetchone() for kind, what in (
                    ('http', 'sum(http_response_status_code >= 500), sum(duration_ns), sum(http_response_size)'),
                    ('tcp', '0, sum(duration_ns), sum(tcp_s2c_bytes)'))]
                expect(not counted or tuple(sum(row[k] or 0 for row in rows) for k in range(4)) == tuple(counted[('type', 10)]),
                       ([tuple(row) for row in rows], counted))
                lists = sum(1 + sum(octet < 128 for octet in row[0] or b'') for row in base.execute('SELECT ids FROM _shape_ids'))
                expect(lists == records, ('lists', lists, records))
            base.close()
            expect(records in (done, tried), (records, done, tried))
            exact += records == done
            more += records != done
            kept.append(records)
            for name in os.listdir(folder):
                os.unlink(os.path.join(folder, name))
        print('killed %d times under load: %d had what was acknowledged, %d that and the transaction after it; records: %s' %
              (KILLS, exact, more, kept))


@test
def an_exchange_that_is_open_is_there_and_is_replaced():
    with tempfile.TemporaryDirectory() as folder:
        capture, path = os.path.join(folder, 'long.pcap'), os.path.join(folder, 'store.db')
        pcap = packets.Pcap(capture)
        slow = packets.Connection(pcap, ('10.0.0.1', 40000), ('10.0.0.2', 80))
        slow.open()
        slow.send(0, packets.PSH | packets.ACK, b'GET /slow HTTP/1.1\r\nHost: h\r\n\r\n')
        for n in range(40):  # the clock goes on
            other = packets.Connection(pcap, ('10.0.1.%d' % n, 40000), ('10.0.0.2', 80))
            other.open()
            pcap.now_ns += 10 ** 9
            other.close()
        pcap.file.flush()
        half = os.path.getsize(capture)
        slow.send(1, packets.PSH | packets.ACK, b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        slow.close()
        pcap.close()
        octets = open(capture, 'rb').read()
        running = subprocess.Popen([WEIR, '--config=none', '-q', '-r', '-', '-o', 'sqlite:' + path], stdin=subprocess.PIPE)
        running.stdin.write(octets[:half])
        running.stdin.flush()
        deadline, seen = time.monotonic() + 30, []
        while not seen and time.monotonic() < deadline:
            time.sleep(0.05)
            try:
                base = stores.connect(path)
                seen = base.execute('SELECT url_full, final, id, _id FROM http').fetchall()
                base.close()
            except sqlite3.Error:
                pass
        expect([tuple(row)[:2] for row in seen] == [('http://h/slow', 0)], [tuple(row) for row in seen])
        # killed: it stays open, until a run tells its end
        running.kill()
        running.wait()
        base = stores.connect(path)
        expect(base.execute('SELECT count(*) FROM _open').fetchone()[0] == 1, 'open')
        expect(base.execute('SELECT count(*) FROM rollup WHERE type = ?', ('http',)).fetchone()[0] == 0, 'it does not count yet')
        base.close()
        weir('-q', '-r', capture, '-o', 'sqlite:' + path)
        base = stores.connect(path)
        rows = base.execute('SELECT url_full, final, id, http_response_status_code, _id FROM http').fetchall()
        expect(len(rows) == 1 and tuple(rows[0])[:4] == ('http://h/slow', None, seen[0]['id'], 200), [tuple(row) for row in rows])
        expect(rows[0]['_id'] > seen[0]['_id'], 'ids ascend')
        expect(base.execute('SELECT count(*) FROM _open').fetchone()[0] == 0, 'open')
        base.close()
        stores.check(path, rollups=False)


@test
def the_most_frequent_of_an_hour():
    with tempfile.TemporaryDirectory() as folder:
        capture, path = os.path.join(folder, 'many.pcap'), os.path.join(folder, 'store.db')
        write_many(capture, 500, 10 ** 8, (200, 503))
        for _ in range(2):  # a second run goes on with what the first one had
            weir('-q', '-r', capture, '-o', 'sqlite:' + path)
        base = stores.connect(path)
        for what, sql in (('host', 'SELECT url_domain'), ('client', 'SELECT client_address'), ('url', "SELECT url_scheme||'://'||url_domain||url_path")):
            want = {tuple(row) for row in base.execute(sql + ',count(*),sum(http_response_status_code>=400),max(duration_ns) FROM http GROUP BY 1')}
            have = {tuple(row) for row in base.execute('SELECT value, n, n_error, max_ns FROM top WHERE what = ? AND error = 0', (what,))}
            expect(have and have <= want, (what, sorted(have - want)[:3]))
            expect(what != 'host' or len(have) == 5, have)
            expect(what != 'url' or len(have) == 50, have)
        base.close()


@test
def old_records_go_by_age():
    with tempfile.TemporaryDirectory() as folder:
        capture, path = os.path.join(folder, 'many.pcap'), os.path.join(folder, 'store.db')
        write_many(capture, 4000, 10 ** 8, (200, 404))  # some 1,000 s
        whole = os.path.join(folder, 'whole.db')
        weir('-q', '-r', capture, '-o', 'sqlite:' + whole)
        with open(capture, 'rb') as file:
            octets = file.read()
        running = subprocess.Popen([WEIR, '--config=none', '--summary=json', '-r', '-', '-o', 'sqlite:%s,keep=60s' % path],
                                   stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for at in range(0, len(octets), len(octets) // 20):  # a commit each
            running.stdin.write(octets[at:at + len(octets) // 20])
            running.stdin.flush()
            time.sleep(0.1)
        running.stdin.close()
        summary = json.loads(running.stderr.read().decode().splitlines()[-1])
        expect(running.wait() == 0, summary)
        base, all_of_it = stores.connect(path), stores.connect(whole)
        newest = base.execute('SELECT max(ts_ns) FROM http').fetchone()[0]
        oldest = base.execute('SELECT min(ts_ns) FROM http').fetchone()[0]
        expect(newest - oldest <= 60 * 10 ** 9, (newest - oldest) / 1e9)
        sql = 'SELECT id, url_full, http_request_method, http_response_status_code, client_address FROM http WHERE ts_ns >= ? ORDER BY id'
        expect([tuple(row) for row in base.execute(sql, (oldest,))] == [tuple(row) for row in all_of_it.execute(sql, (oldest,))], 'what is left')
        expect(base.execute('SELECT count(*) FROM http').fetchone()[0] > 100, 'all went')
        # rollups stay: of all records
        sums = 'SELECT sum(n), sum(n_4xx), sum(sum_duration_ns) FROM rollup WHERE "by" = ? AND interval_s = ?'
        for by in stores.DIMS:
            for level in stores.LEVELS:
                expect(tuple(base.execute(sums, (by, level)).fetchone()) == tuple(all_of_it.execute(sums, (by, level)).fetchone()), (by, level))
        gone = summary['sinks']['sqlite_expired']
        left = sum(base.execute('SELECT count(*) FROM ' + kind).fetchone()[0] for kind in ('http', 'tcp'))
        expect(0 < gone <= 12000 - left, (gone, left))  # told before the last commit
        flows = base.execute('SELECT count(*) FROM _flow').fetchone()[0]
        expect(flows < 4000, ('flows', flows))
        print('keep=60s: %d of 12000 records left, %s told as expired, %d flows' % (left, gone, flows))
        base.close()
        all_of_it.close()
        stores.check(path, rollups=False)


@test
def a_store_stays_as_small_as_it_is_told():
    with tempfile.TemporaryDirectory() as folder:
        capture, path = os.path.join(folder, 'many.pcap'), os.path.join(folder, 'store.db')
        write_many(capture, 8000, 10 ** 7, (200, 404))
        with open(capture, 'rb') as file:
            octets = file.read()
        running = subprocess.Popen([WEIR, '--config=none', '-q', '-r', '-', '-o', 'sqlite:%s,max=3M' % path], stdin=subprocess.PIPE)
        sizes = []
        for at in range(0, len(octets), len(octets) // 60):
            running.stdin.write(octets[at:at + len(octets) // 60])
            running.stdin.flush()
            time.sleep(0.05)
            sizes.append(os.path.getsize(path) if os.path.exists(path) else 0)
        running.stdin.close()
        expect(running.wait() == 0, 'weir')
        base = stores.connect(path)
        left, newest = base.execute('SELECT count(*), max(ts) FROM http').fetchone()
        expect(0 < left < 16000, left)
        most = 33 << 20  # a tenth more: a transaction may be larger than those before it
        expect(10 * os.path.getsize(path) <= most and 10 * max(sizes) <= most, (os.path.getsize(path), max(sizes)))
        expect(base.execute("SELECT sum(n) FROM rollup WHERE type = 'http' AND \"by\" = 'type' AND interval_s = 3600").fetchone()[0] == 16000, 'rollups')
        base.close()
        stores.check(path, rollups=False)
        print('max=3M: %d of 16000 transactions left in %d bytes' % (left, os.path.getsize(path)))


@test
def how_the_capture_is_doing():
    """The summary's figures of both runs, of the time of the capture."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'store.db')
        for _ in range(2):
            done = weir('--summary=json', '-r', DEMO, '-o', 'sqlite:' + path)
        summary = json.loads(done.stderr.splitlines()[-1])
        base = stores.connect(path)
        rows = base.execute('SELECT t, packets, bytes, counters FROM capture').fetchall()
        newest = base.execute('SELECT max(max(ts_ns), (SELECT max(ts_ns) FROM tcp)) FROM http').fetchone()[0]
        base.close()
        expect(len(rows) == 1 and rows[0]['t'] == newest // 10 ** 10 * 10, [tuple(row) for row in rows])
        counters = json.loads(rows[0]['counters'])
        expect(rows[0]['packets'] == 2 * summary['packets'] and rows[0]['bytes'] == 2 * summary['bytes'], tuple(rows[0]))
        for name, value in (('drops.capture', summary['drops']['capture']), ('tcp.gap_bytes', summary['tcp']['gaps']['bytes']),
                            ('tcp.retransmits', summary['tcp']['retransmits']), ('records.http', summary['records']['http']),
                            ('ip.not_ip', summary['ip']['not_ip']), ('gaps.acked', summary['tcp']['gaps']['causes']['acked'])):
            expect(counters.get(name, 0) == 2 * value, (name, counters.get(name), value))
        expect(counters['drops.capture'] == 4, counters)


@test
def a_store_of_layout_1_is_brought_up_to_date():
    """store_layout1.sql.gz is `sqlite3 .dump` of a store that weir 116f5ed made of the demo capture."""
    with tempfile.TemporaryDirectory() as folder:
        path, empty = os.path.join(folder, 'store.db'), os.path.join(folder, 'empty.pcap')
        packets.Pcap(empty).close()
        base = sqlite3.connect(path)
        with gzip.open(os.path.join(ROOT, 'tests', 'cli', 'store_layout1.sql.gz'), 'rt') as file:
            base.executescript(file.read())
        base.execute('PRAGMA application_id=0x77656972')
        base.execute('PRAGMA user_version=1')
        base.commit()
        base.row_factory = sqlite3.Row
        kinds = ('http', 'tcp', 'anomaly')
        before = {kind: [dict(row) for row in base.execute('SELECT * FROM %s ORDER BY _id' % kind)] for kind in kinds}
        base.close()
        expect([len(before[kind]) for kind in kinds] == [131, 53, 1], [len(before[kind]) for kind in kinds])
        err = weir('query', path, 'SELECT 1', status=1).stderr
        expect(b'layout 1, this weir knows 2' in err and b'Written to once' in err, err)
        # not half done by a weir that is killed, whenever
        for after in (0.0, 0.005, 0.01, 0.02, 0.05, 0.1):
            running = subprocess.Popen([WEIR, '--config=none', '-q', '-r', empty, '-o', 'sqlite:' + path])
            time.sleep(after)
            running.kill()
            running.wait()
        weir('-q', '-r', empty, '-o', 'sqlite:' + path)
        expect(stores.check(path) == 185, 'rollups and lists')
        base = stores.connect(path)
        for kind in kinds:
            now = [dict(row) for row in base.execute('SELECT * FROM %s ORDER BY _id' % kind)]
            expect(len(now) == len(before[kind]), kind)
            for old, new in zip(before[kind], now):
                expect(all(new[name] == value for name, value in old.items() if value is not None), (kind, old, new))
        expect(base.execute('SELECT count(*) FROM top').fetchone()[0] > 10, 'top')
        expect(base.execute("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%v1%' OR name = '_rebuild'").fetchone()[0] == 0, 'left behind')
        base.close()


IN_A_SMALL_PLACE = """
import os, subprocess, sys
weir, demo, folder = sys.argv[1:]
subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'store', folder], check=True)
filler = os.open(folder + '/filler', os.O_WRONLY | os.O_CREAT)
try:
    while os.write(filler, bytes(4096)):
        pass
except OSError:
    pass
sys.exit(subprocess.run([weir, '--config=none', '-q', '-r', demo, '-o', 'sqlite:' + folder + '/store.db']).returncode)
"""


@test
def what_keeps_it_from_beginning_is_told():
    """No right to write there, no room: two lines, before a packet is read. (No such place, no store: test_store.py.)"""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, 'store.db')
        # where another user can read them: the build may be in somebody's home
        program, demo = shutil.copy(WEIR, folder), shutil.copy(DEMO, folder)
        if os.geteuid() == 0:
            done = subprocess.run([program, '--config=none', '-q', '-r', demo, '-o', 'sqlite:' + path], stderr=subprocess.PIPE,
                                  preexec_fn=lambda: os.setuid(65534))
        else:
            os.chmod(folder, 0o555)
            done = subprocess.run([program, '--config=none', '-q', '-r', demo, '-o', 'sqlite:' + path], stderr=subprocess.PIPE)
            os.chmod(folder, 0o755)
        expect(done.returncode == 1 and b'cannot open the store for writing: Permission denied' in done.stderr, done)
        expect(len(done.stderr.splitlines()) == 2, done.stderr)
        # a store that only others may write to
        weir('-q', '-r', DEMO, '-o', 'sqlite:' + path)
        os.chmod(path, 0o444)
        if os.geteuid() == 0:
            done = subprocess.run([program, '--config=none', '-q', '-r', demo, '-o', 'sqlite:' + path], stderr=subprocess.PIPE,
                                  preexec_fn=lambda: os.setuid(65533))
            expect(done.returncode == 1 and b'Permission denied' in done.stderr, done)
        enter = ['unshare', '-m'] if os.geteuid() == 0 else ['unshare', '-rm']
        place = os.path.join(folder, 'place')
        os.mkdir(place)
        if subprocess.run(enter + ['mount', '-t', 'tmpfs', 'x', place], stderr=subprocess.DEVNULL).returncode != 0:
            print('SKIPPED the full disk: no mount namespaces here')
            return
        done = subprocess.run(enter + [sys.executable, '-c', IN_A_SMALL_PLACE, WEIR, DEMO, place], stderr=subprocess.PIPE)
        expect(done.returncode == 1 and b'No space left on device' in done.stderr, done)
        expect(done.stderr.startswith(b'weir: error: -o sqlite:') and len(done.stderr.splitlines()) == 2, done.stderr)


@test
def options_that_are_wrong_are_refused():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'store.db')
        for words, why in (('keep=7', b'keep is for how long'), ('keep=d', b'keep is'), ('keep=0d', b'keep is'), ('max=20X', b'max is'),
                           ('max=1K', b'max is'), ('max=99999999999G', b'max is'), ('keep=99999999999999w', b'keep is'), ('size=1', b'no such option'),
                           ('acknowledge=%s/no/x' % folder, b'No such file')):
            done = subprocess.run([WEIR, '--config=none', '-r', DEMO, '-o', 'sqlite:%s,%s' % (path, words)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
            expect(done.returncode != 0 and why in done.stderr and done.stderr.startswith(b'weir: error: -o sqlite:'), (words, done.stderr))
            expect(not os.path.exists(path), 'it was made')


def main():
    failed = 0
    for function in tests:
        if len(sys.argv) > 2 and function.__name__ not in sys.argv[2:]:
            continue
        try:
            function()
        except Exception as error:  # noqa: BLE001
            failed += 1
            print('FAILED %s: %s' % (function.__name__, str(error)[:2000]))
    print('%d passed, %d failed' % (len(tests) - failed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""weir beside the floor and the peers on each capture: CPU time, memory, what was found; and that it is the truth at every -j."""
import hashlib
import subprocess

import programs
from lab import WEIR, interleave, measure, strip, weir_command

# Of the surviving request heads; the others must be exact.
SURVIVORS = {'messyloss': 0.99}
CAPTURES = ('small', 'churn', 'bulk', 'messy', 'messyloss')
EXACT = ('small', 'churn', 'bulk', 'messy', 'idle', 'ooo', 'messyloss')
JOBS = (1, 2, 3, 8)
REQUEST, RESPONSE = b'"method":"', b'"status_code":'


def is_exact(capture, counts, truth):
    share = SURVIVORS.get(capture)
    if share is None:
        return counts == truth
    return all(share * right <= found <= right for found, right in zip(counts, truth))


def weir_rows(path):
    def once(*arguments):
        command = weir_command(path, *arguments)
        return lambda: measure(command)

    return [('weir', once('none')), ('weir json', once('json:/dev/null')), ('weir json -j 2', once('json:/dev/null', '-j', '2')),
            ('weir -k auto', once('none', '-k', 'auto')), ('weir hash', once('none', '--bodies=hash'))]


def capture(bench, name):
    """{program: cpu, wall, rss, runs, counts} or {program: why}"""
    path = bench.captures.path(name)
    rows, result = [('floor', programs.run_once('floor', path))] + weir_rows(path), {}
    for peer in bench.have:
        why = programs.LEFT_OUT.get((peer, name, bench.size))
        if why:
            result[peer] = {'why': why}
        else:
            rows.append((peer, counting(peer, path)))
    measured = interleave(rows, bench.runs, bench.progress.tell)
    for peer, row in measured.items():
        if 'last' in row:
            row['counts'] = row['last'].get('counts') or programs.counts_of(peer, row['last']['text'])
    programs.clean(again=False)
    result.update(strip(measured))
    return result


def counting(peer, path):
    """Peers whose counts are in files: they are counted after each first run, before the next program clears them away."""
    once, seen = programs.run_once(peer, path), []

    def run():
        result = once()
        if peer in ('tcpflow', 'httpry', 'tshark'):
            if not seen:
                seen.append(programs.counts_of(peer, result['text']))
            result['counts'] = seen[0]
        return result
    return run


def count_in(stream, digest):
    """Requests and responses in JSON lines: a request has a method, a response a status. Names in values are not so quoted."""
    requests = responses = 0
    kept = b''
    while True:
        piece = stream.read(1 << 20)
        if not piece:
            return requests, responses
        digest.update(piece)
        # what a name's beginning was in before is counted with its end
        for pattern in REQUEST, RESPONSE:
            number = (kept[-(len(pattern) - 1):] + piece).count(pattern)
            if pattern is REQUEST:
                requests += number
            else:
                responses += number
        kept = piece[-64:] if len(piece) >= 64 else (kept + piece)[-64:]


def exact(bench, name):
    """{'counts': those of -j 1, 'same': {jobs: byte-identical to -j 1}}"""
    path, digests, counts = bench.captures.path(name), {}, None
    for jobs in JOBS:
        bench.progress.tell('%s -j %d' % (name, jobs))
        digest = hashlib.sha1()
        command = [WEIR, '-q', '-r', path, '-k', 'none', '-j', str(jobs), '-o', 'json:-', '--summary=none']
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            found = count_in(process.stdout, digest)
        if process.returncode != 0:
            raise RuntimeError('%s: status %d' % (' '.join(command), process.returncode))
        digests[jobs] = digest.hexdigest()
        counts = counts or found
    return {'counts': counts, 'same': {str(jobs): digests[jobs] == digests[1] for jobs in JOBS}}

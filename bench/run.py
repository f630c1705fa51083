#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU time, memory and exactness of weir beside the floor and two peers: run.py quick|full [options]

The recipes (captures, floor, peers) are not part of this repository: they are read from ../shared/bench or $WEIR_BENCH_SRC
and copied to build-bench/. Captures are made once, in build-bench/pcaps-SIZE (root: network namespaces), or taken as they are
from $WEIR_PCAPS. quick: small, churn, messy, messyloss at a fifth of their size. full: whole, and bulk.

Every program reads every capture in turn, run after run, so that what disturbs the machine disturbs all of them; the first
run (page cache) is dropped and the median of the others taken. CPU is user + system of the whole process (measure.c). What
counts is the ratio to the floor and to a peer of the same run. Exactness: requests and responses against NAME.truth.

  --write        put the tables into docs/performance.md (between its markers for this size)
  --runs N       measured runs after the dropped one (default 5)
  --only A,B     these captures only
  --peers A,B    these peers only, of go,nids (default both; go leaves out messyloss of full size: it takes gigabytes)
Exit status 1 when a program could not be run or weir's counts are not the truth's.
"""
import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, 'build-bench')
WEIR = os.path.join(ROOT, 'build', 'weir')
CAPTURES = {'quick': ['small', 'churn', 'messy', 'messyloss'], 'full': ['small', 'churn', 'bulk', 'messy', 'messyloss']}
SCALE = {'quick': {'SMALL_N': '100000', 'CHURN_N': '40000'}, 'full': {}}
# Of the surviving request heads; the others must be exact.
SURVIVORS = {'messyloss': 0.99}
GOALS = 'goals of issue 2 on small: weir/floor at most 6, Go/weir at least 15'
TIMEOUT_S = 900


def die(what, fix):
    print('bench: error: %s\n  %s' % (what, fix), file=sys.stderr)
    sys.exit(1)


def run(command, **options):
    print('  $ ' + ' '.join(command), flush=True)
    subprocess.run(command, check=True, **options)


def find_recipes():
    source = os.environ.get('WEIR_BENCH_SRC') or os.path.join(ROOT, '..', 'shared', 'bench')
    if not os.path.exists(os.path.join(source, 'src', 'floors.c')):
        die('no benchmark recipes in %s' % source, 'set WEIR_BENCH_SRC to the folder that holds make_pcaps.sh and src/')
    copy = os.path.join(WORK, 'recipes')
    for folder, _, names in os.walk(source):
        into = os.path.normpath(os.path.join(copy, os.path.relpath(folder, source)))
        os.makedirs(into, exist_ok=True)
        os.chmod(into, 0o755)
        for name in names:
            target = os.path.join(into, name)
            if not os.path.exists(target) or open(target, 'rb').read() != open(os.path.join(folder, name), 'rb').read():
                shutil.copyfile(os.path.join(folder, name), target)
    return copy


def newer(target, *sources):
    return os.path.exists(target) and all(os.path.getmtime(target) >= os.path.getmtime(source) for source in sources)


def build_programs(recipes, peers):
    """{name: path}; built once, again when the source changes."""
    source, binaries = os.path.join(recipes, 'src'), os.path.join(WORK, 'bin')
    os.makedirs(binaries, exist_ok=True)
    path = {name: os.path.join(binaries, name) for name in ('measure', 'floor', 'go', 'nids')}
    measure = os.path.join(ROOT, 'bench', 'measure.c')
    if not newer(path['measure'], measure):
        run(['gcc', '-O2', '-D_GNU_SOURCE', '-o', path['measure'], measure])
    floors = os.path.join(source, 'floors.c')
    if not newer(path['floor'], floors):
        run(['gcc', '-O3', '-march=native', '-w', '-o', path['floor'], floors, '-lpcap'])
    nids = os.path.join(source, 'nids.c')
    if 'nids' in peers and not newer(path['nids'], nids):
        run(['gcc', '-O2', '-w', '-o', path['nids'], nids, '-lnids', '-lpcap', '-lnet', '-lglib-2.0', '-lgthread-2.0'])
    program = os.path.join(source, 'gohttp')
    if 'go' in peers and not newer(path['go'], os.path.join(program, 'main.go')):
        # Debian's compiler, not one that happens to stand earlier in the path
        go = '/usr/bin/go' if os.path.exists('/usr/bin/go') else 'go'
        run([go, 'build', '-o', path['go'], '.'], cwd=program,
            env=dict(os.environ, GO111MODULE='off', GOPATH='/usr/share/gocode', GOCACHE=os.path.join(WORK, 'gocache'),
                     GOFLAGS='', GOROOT='', GOTOOLCHAIN='local'))
    return path


def make_captures(recipes, size, wanted):
    """The folder that holds them; makes what is missing, for which namespaces and so root are needed."""
    given = os.environ.get('WEIR_PCAPS')
    if given:
        return given
    folder = os.path.join(WORK, 'pcaps-' + size)
    os.makedirs(folder, exist_ok=True)
    missing = [name for name in wanted if not os.path.exists(os.path.join(folder, name + '.truth'))]
    for base in ('churn', 'small'):
        if base not in missing and any(name.startswith('messy') for name in missing) and \
                not os.path.exists(os.path.join(folder, base + '.pcap')):
            missing.insert(0, base)
    if missing:
        settings = ['%s=%s' % item for item in SCALE[size].items()] + ['PCAPS=' + folder, 'PATH=' + os.environ['PATH']]
        sudo = [] if os.geteuid() == 0 else ['sudo']
        run(sudo + ['env'] + settings + ['bash', os.path.join(recipes, 'make_pcaps.sh')] + missing)
    return folder


def counts_of_text(text):
    found = dict(re.findall(r'\b(requests|responses|req|resp)=(\d+)', text))
    return int(found.get('requests', found.get('req', -1))), int(found.get('responses', found.get('resp', -1)))


def weir_command(path, sink, *options):
    return [WEIR, '-q', '-r', path, '-k', 'none', '-j', '1', '-o', sink, '--summary=json'] + list(options)


def commands(binaries, path, peers):
    """What is measured on one capture, in the order in which it runs."""
    rows = [('floor', [binaries['floor'], 'rhttp', path]),
            ('weir', weir_command(path, 'none')),
            ('weir json', weir_command(path, 'json:/dev/null')),
            ('weir json -j 2', weir_command(path, 'json:/dev/null', '-j', '2')),
            ('weir -k auto', weir_command(path, 'none', '-k', 'auto')),
            ('weir hash', weir_command(path, 'none', '--bodies=hash'))]
    if 'nids' in peers:
        rows.append(('nids', [binaries['nids'], path]))
    if 'go' in peers:
        rows.append(('go', [binaries['go'], '-q', '-r', path]))
    return rows


def measure(binaries, name, command):
    """One run: cpu, wall, rss and what the program said."""
    log = os.path.join(WORK, 'measure.log')
    if os.path.exists(log):
        os.remove(log)
    # libnids prints each message and its counts apart; nobody's output goes to a terminal or a disk
    quiet = subprocess.DEVNULL if name == 'nids' or name.startswith('weir') else subprocess.PIPE
    done = subprocess.run([binaries['measure'], log] + command, stdout=quiet, stderr=subprocess.PIPE, timeout=TIMEOUT_S)
    status, user, system, wall, rss = open(log).read().split()
    text = (done.stdout or b'').decode('utf-8', 'replace') + done.stderr.decode('utf-8', 'replace')
    # the floor's exit status is a by-product of keeping its sum alive
    if int(status) != 0 and name != 'floor':
        die('%s ended with status %s' % (' '.join(command), status), text.strip()[-400:])
    return {'cpu': float(user) + float(system), 'wall': float(wall), 'rss': int(rss) * 1024, 'text': text}


def weir_counts(path):
    """Requests and responses in weir's own records: a request has a method, a response a status."""
    command = [WEIR, '-q', '-r', path, '-k', 'none', '-o', 'json:-', '--summary=none']
    requests = responses = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            record = json.loads(line)
            if record.get('type') != 'http':
                continue
            http = record.get('http', {})
            requests += 'method' in http.get('request', {})
            responses += 'status_code' in http.get('response', {})
    return requests, responses


def measure_capture(binaries, path, peers, runs):
    """{program: medians and counts} of one capture."""
    rows = commands(binaries, path, peers)
    samples = {name: [] for name, _ in rows}
    for number in range(runs + 1):
        for name, command in rows:
            sample = measure(binaries, name, command)
            if number > 0:
                samples[name].append(sample)
    result = {}
    for name, _ in rows:
        result[name] = {key: statistics.median(sample[key] for sample in samples[name]) for key in ('cpu', 'wall', 'rss')}
        result[name]['counts'] = counts_of_text(samples[name][-1]['text'])
    result['weir']['counts'] = weir_counts(path)
    return result


def ratio(result, above, below):
    if above not in result or below not in result or not result[below]['cpu']:
        return '–'
    return '%.1f' % (result[above]['cpu'] / result[below]['cpu'])


def cell(result, name, key):
    if name not in result:
        return '–'
    return '%.3f' % result[name]['cpu'] if key == 'cpu' else '%.0f' % (result[name]['rss'] / 1e6)


def cpu_table(results):
    yield '| capture | floor s | weir s | weir / floor | weir JSON s | JSON / floor | libnids s | libnids / weir | Go s | Go / weir |'
    yield '|---|---|---|---|---|---|---|---|---|---|'
    for capture, result in results.items():
        yield '| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |' % (
            capture, cell(result, 'floor', 'cpu'), cell(result, 'weir', 'cpu'), ratio(result, 'weir', 'floor'),
            cell(result, 'weir json', 'cpu'), ratio(result, 'weir json', 'floor'), cell(result, 'nids', 'cpu'),
            ratio(result, 'nids', 'weir'), cell(result, 'go', 'cpu'), ratio(result, 'go', 'weir'))


def memory_table(results):
    yield '| capture | weir MB | weir JSON MB | libnids MB | Go MB |'
    yield '|---|---|---|---|---|'
    for capture, result in results.items():
        yield '| %s | %s |' % (capture, ' | '.join(cell(result, name, 'rss') for name in ('weir', 'weir json', 'nids', 'go')))


def options_table(results):
    yield '| capture | no output s | with -k auto s | with --bodies=hash s | JSON, wall: one worker s | two workers s | gain |'
    yield '|---|---|---|---|---|---|---|'
    for capture, result in results.items():
        one, two = result['weir json']['wall'], result['weir json -j 2']['wall']
        cells = [cell(result, name, 'cpu') for name in ('weir', 'weir -k auto', 'weir hash')]
        yield '| %s | %s | %.3f | %.3f | %.2f |' % (capture, ' | '.join(cells), one, two, one / two)


def is_exact(capture, counts, truth):
    share = SURVIVORS.get(capture)
    if share is None:
        return counts == truth
    return all(share * right <= found <= right for found, right in zip(counts, truth))


def truth_table(results, truths):
    yield '| capture | truth: requests, responses | weir | libnids | Go | floor |'
    yield '|---|---|---|---|---|---|'
    for capture, result in results.items():
        cells = []
        for name in ('weir', 'nids', 'go', 'floor'):
            if name not in result:
                cells.append('–')
                continue
            counts = result[name]['counts']
            cells.append('exact' if counts == truths[capture] else '%+d, %+d' % tuple(
                found - right for found, right in zip(counts, truths[capture])))
        yield '| %s | %d, %d | %s |' % (capture, *truths[capture], ' | '.join(cells))


def machine():
    model = 'unknown processor'
    with open('/proc/cpuinfo') as file:
        match = re.search(r'^model name\s*:\s*(.*)$', file.read(), re.M)
        model = match.group(1) if match else model
    version = subprocess.run(['git', '-C', ROOT, 'rev-parse', '--short', 'HEAD'], stdout=subprocess.PIPE).stdout.decode().strip()
    return '%s, %d cores, Linux %s, weir at %s' % (model, os.cpu_count(), platform.release(), version or 'an unknown commit')


def write_document(size, lines):
    path = os.path.join(ROOT, 'docs', 'performance.md')
    with open(path, encoding='utf-8') as file:
        text = file.read()
    begin, end = '<!-- bench:%s -->\n' % size, '<!-- /bench:%s -->' % size
    if begin not in text or end not in text:
        die('docs/performance.md has no markers %s … %s' % (begin.strip(), end), 'put them where the tables belong')
    head, rest = text.split(begin, 1)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(head + begin + '\n'.join(lines) + '\n' + end + rest.split(end, 1)[1])
    print('written: docs/performance.md')


def main():
    parser = argparse.ArgumentParser(description='see the head of this file')
    parser.add_argument('size', choices=CAPTURES)
    parser.add_argument('--write', action='store_true')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--only')
    parser.add_argument('--peers', default='go,nids')
    options = parser.parse_args()
    peers = [peer for peer in options.peers.split(',') if peer]
    wanted = options.only.split(',') if options.only else CAPTURES[options.size]
    os.makedirs(WORK, exist_ok=True)
    recipes = find_recipes()
    binaries = build_programs(recipes, peers)
    folder = make_captures(recipes, options.size, wanted)
    results, truths, wrong = {}, {}, []
    for capture in wanted:
        path = os.path.join(folder, capture + '.pcap')
        if not os.path.exists(path):
            print('bench: no %s: left out' % path)
            continue
        with open(path[:-5] + '.truth') as file:
            truths[capture] = counts_of_text(file.read())
        print('measuring %s: %d runs of each program' % (capture, options.runs + 1), flush=True)
        here = [p for p in peers if not (p == 'go' and capture == 'messyloss' and options.size == 'full')]
        results[capture] = measure_capture(binaries, path, here, options.runs)
        if not is_exact(capture, results[capture]['weir']['counts'], truths[capture]):
            wrong.append(capture)
    lines = ['%s. Median of %d runs after one that is dropped, interleaved; CPU seconds, user + system.' %
             (machine(), options.runs), '']
    lines += list(cpu_table(results)) + [''] + list(memory_table(results)) + ['']
    lines += list(options_table(results)) + [''] + list(truth_table(results, truths))
    print('\n' + '\n'.join(lines) + '\n\n' + GOALS)
    if options.write:
        write_document(options.size, lines)
    for capture in wrong:
        print('bench: weir is not exact on %s' % capture, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())

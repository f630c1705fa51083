# SPDX-License-Identifier: Apache-2.0
"""The floor and the peers: built, or found, or told why they cannot be had."""
import os
import re
import shutil
import subprocess

from lab import BIN, ROOT, WORK, counts_of_text, die, measure, newer, run

GO_MODULES = ('github.com/gopacket/gopacket', 'github.com/google/gopacket')
GO_IMPORT = 'github.com/google/gopacket'
# Seconds to ask the proxy for versions, to fetch one, to build it.
GO_LIMITS_S = (20, 60, 120)
# What peers write: 400,000 files of tcpflow's cost three times as much on a disk.
OUT = '/dev/shm/weir-bench.%d' % os.getuid() if os.access('/dev/shm', os.W_OK) else os.path.join(WORK, 'out')
LABELS = {'floor': 'floor', 'weir': 'weir', 'weir json': 'weir, JSON', 'nids': 'libnids', 'tins': 'libtins', 'go': 'Go, gopacket of Debian',
          'gonew': 'Go, newest gopacket', 'tcpflow': 'tcpflow', 'httpry': 'httpry', 'tshark': 'tshark'}
PEERS = ('nids', 'tins', 'go', 'gonew', 'tcpflow', 'httpry', 'tshark')
PACKAGES = {'nids': 'libnids1.21', 'tins': 'libtins4.0', 'go': 'golang-github-google-gopacket-dev', 'tcpflow': 'tcpflow', 'httpry': 'httpry',
            'tshark': 'tshark'}
# What is never run, and why: (peer, capture, size)
LEFT_OUT = {('go', 'messyloss', 'full'): 'takes gigabytes of memory', ('gonew', 'messyloss', 'full'): 'takes gigabytes of memory',
            ('tshark', 'bulk', 'full'): 'takes minutes', ('tshark', 'messy', 'full'): 'takes minutes',
            ('tshark', 'messyloss', 'full'): 'takes minutes'}


def find_recipes():
    """A copy of ../shared/bench that may be written to."""
    source = os.environ.get('WEIR_BENCH_SRC') or os.path.join(ROOT, '..', 'shared', 'bench')
    if not os.path.exists(os.path.join(source, 'src', 'floors.c')):
        die('no benchmark recipes in %s' % source, 'set WEIR_BENCH_SRC to the folder that holds make_pcaps.sh and src/')
    copy = os.path.join(WORK, 'recipes')
    for folder, _, names in os.walk(source):
        if os.path.relpath(folder, source).split(os.sep)[0] == 'pcaps':
            continue
        into = os.path.normpath(os.path.join(copy, os.path.relpath(folder, source)))
        os.makedirs(into, exist_ok=True)
        os.chmod(into, 0o755)
        for name in names:
            target = os.path.join(into, name)
            if not os.path.exists(target) or open(target, 'rb').read() != open(os.path.join(folder, name), 'rb').read():
                shutil.copyfile(os.path.join(folder, name), target)
    return copy


def version_of(package):
    done = subprocess.run(['dpkg-query', '-W', '-f=${Version}', package], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.decode().strip()


def go_program():
    # Debian's compiler, not one that happens to stand earlier in the path
    return '/usr/bin/go' if os.path.exists('/usr/bin/go') else 'go'


def go_environment(**more):
    return dict(os.environ, GOCACHE=os.path.join(WORK, 'gocache'), GOROOT='', GOTOOLCHAIN='local', **more)


def build_go(recipes):
    program = os.path.join(recipes, 'src', 'gohttp')
    if not newer(os.path.join(BIN, 'go'), os.path.join(program, 'main.go')):
        run([go_program(), 'build', '-o', os.path.join(BIN, 'go'), '.'], cwd=program,
            env=go_environment(GO111MODULE='off', GOPATH='/usr/share/gocode', GOFLAGS=''))


def go_versions(folder, environment):
    """[(module, version)], the newest of each module first. Raises when no proxy can be reached."""
    found, problem = [], 'no versions'
    for module in GO_MODULES:
        try:
            done = subprocess.run([go_program(), 'list', '-m', '-versions', module], cwd=folder, env=environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=GO_LIMITS_S[0])
        except subprocess.TimeoutExpired:
            problem = 'no answer in %d s' % GO_LIMITS_S[0]
            continue
        problem = done.stderr.decode().strip().splitlines()[-1] if done.returncode != 0 else problem
        found += [(module, version) for version in reversed(done.stdout.decode().split()[1:])]
    if not found:
        # which proxy that is stands in the environment, and in no page
        raise RuntimeError('the Go proxy was not reached: ' + re.sub(r'"?https?://[^\s"]*"?|dial \S+ \S+', 'it', problem))
    return found


def build_newest_go(recipes):
    """The same program on the newest gopacket that Debian's compiler takes. @return what it is: module, version"""
    folder, stamp = os.path.join(WORK, 'gonew'), os.path.join(BIN, 'gonew.version')
    source = os.path.join(recipes, 'src', 'gohttp', 'main.go')
    if newer(os.path.join(BIN, 'gonew'), source) and os.path.exists(stamp):
        with open(stamp) as file:
            return file.read()
    os.makedirs(folder, exist_ok=True)
    environment = go_environment(GO111MODULE='on', GOPATH=os.path.join(WORK, 'gopath'), GOFLAGS='-mod=mod -modcacherw')
    with open(os.path.join(folder, 'go.mod'), 'w') as file:
        file.write('module bench\n')
    newest = problem = None
    for module, version in go_versions(folder, environment):
        newest = newest or version
        with open(source) as file, open(os.path.join(folder, 'main.go'), 'w') as out:
            out.write(file.read().replace('"' + GO_IMPORT, '"' + module))
        with open(os.path.join(folder, 'go.mod'), 'w') as file:
            file.write('module bench\n\ngo 1.19\n')
        print('  trying %s %s' % (module, version), flush=True)
        try:
            subprocess.run([go_program(), 'get', module + '@' + version], cwd=folder, env=environment, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, timeout=GO_LIMITS_S[1], check=True)
            subprocess.run([go_program(), 'build', '-o', os.path.join(BIN, 'gonew'), '.'], cwd=folder, env=environment,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=GO_LIMITS_S[2], check=True)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
            problem = str(failed)
            continue
        what = '%s %s' % (module, version)
        if version != newest:
            what += ' (%s needs a newer Go than Debian has)' % newest
        with open(stamp, 'w') as file:
            file.write(what)
        return what
    raise RuntimeError('no version compiles with %s: %s' % (go_program(), problem))


def compile_small(recipes, name, compiler, options, libraries):
    source, path = os.path.join(recipes, 'src', name), os.path.join(BIN, os.path.splitext(name)[0])
    if not newer(path, source):
        run([compiler] + options + ['-w', '-o', path, source] + libraries)


def build(recipes, wanted):
    """{peer: its version} of what can be had, {peer: why not}; the rest of what is measured with goes to BIN too."""
    os.makedirs(BIN, exist_ok=True)
    have, missing = {}, {}
    for name in ('measure', 'many_flows', 'traffic', 'sender'):
        source = os.path.join(ROOT, 'bench', name + '.c')
        if not newer(os.path.join(BIN, name), source, os.path.join(ROOT, 'bench', 'frames.h')):
            run(['gcc', '-O2', '-D_GNU_SOURCE', '-o', os.path.join(BIN, name), source])
    floors = os.path.join(recipes, 'src', 'floors.c')
    # valgrind knows no AVX-512: another one for counting its instructions
    for name, machine in ('floor', 'native'), ('floor-avx2', 'x86-64-v3'):
        if not newer(os.path.join(BIN, name), floors):
            run(['gcc', '-O3', '-march=' + machine, '-w', '-o', os.path.join(BIN, name), floors, '-lpcap'])
    compile_small(recipes, 'mangle.c', 'gcc', ['-O2'], [])
    compile_small(recipes, 'gen.c', 'gcc', ['-O2'], [])
    makers = {
        'nids': lambda: compile_small(recipes, 'nids.c', 'gcc', ['-O2'], ['-lnids', '-lpcap', '-lnet', '-lglib-2.0', '-lgthread-2.0']),
        'tins': lambda: compile_small(recipes, 'tins.cpp', 'g++', ['-O2'], ['-ltins', '-lpcap']),
        'go': lambda: build_go(recipes),
        'gonew': lambda: build_newest_go(recipes),
    }
    for peer in wanted:
        try:
            if peer in makers:
                said = makers[peer]()
            elif shutil.which(peer, path=os.environ['PATH'] + ':/usr/sbin') is None:
                raise RuntimeError('%s is not installed, and Debian 12 may not have it' % peer)
            have[peer] = said if peer == 'gonew' else version_of(PACKAGES[peer])
        except (RuntimeError, OSError, subprocess.CalledProcessError) as problem:
            missing[peer] = str(problem)
            print('bench: no %s: %s' % (LABELS[peer], problem), flush=True)
    return have, missing


def command_of(name, path):
    """What runs a peer (or the floor) on a capture; outputs go to OUT."""
    return {
        'floor': lambda: [os.path.join(BIN, 'floor'), 'rhttp', path],
        'nids': lambda: [os.path.join(BIN, 'nids'), path],
        'tins': lambda: [os.path.join(BIN, 'tins'), path],
        'go': lambda: [os.path.join(BIN, 'go'), '-q', '-r', path],
        'gonew': lambda: [os.path.join(BIN, 'gonew'), '-q', '-r', path],
        'tcpflow': lambda: ['tcpflow', '-q', '-r', path, '-o', os.path.join(OUT, 'tcpflow')],
        'httpry': lambda: ['/usr/sbin/httpry', '-q', '-r', path, '-o', os.path.join(OUT, 'httpry.txt')],
        'tshark': lambda: ['tshark', '-n', '-r', path, '-Y', 'http', '-T', 'fields', '-e', 'http.request.method', '-e', 'http.response.code'],
    }[name]()


def counts_of(name, text):
    """(requests, responses) that the last run of a peer found."""
    if name == 'tcpflow':
        requests = responses = 0
        for entry in os.scandir(os.path.join(OUT, 'tcpflow')):
            with open(entry.path, 'rb') as file:
                data = file.read()
            requests, responses = requests + data.count(b'GET /'), responses + data.count(b'HTTP/1.1 200 ')
        return requests, responses
    if name == 'httpry':
        with open(os.path.join(OUT, 'httpry.txt'), 'rb') as file:
            data = file.read()
        return data.count(b'\t>\t'), data.count(b'\t<\t')
    if name == 'tshark':
        with open(os.path.join(OUT, 'tshark.txt'), 'rb') as file:
            columns = [line.rstrip(b'\n').split(b'\t') for line in file]
        return tuple(sum(len(re.findall(rb'[^,]+', row[i])) for row in columns if len(row) == 2) for i in (0, 1))
    return counts_of_text(text)


def clean(again=True):
    shutil.rmtree(OUT, ignore_errors=True)
    if again:
        os.makedirs(os.path.join(OUT, 'tcpflow'))


def run_once(name, path, environment=None):
    """One run of a peer or the floor: a function for lab.interleave()."""
    def once():
        clean()
        keep = {'tshark': os.path.join(OUT, 'tshark.txt'), 'nids': None, 'tins': None}.get(name, True)
        # the floor's exit status is a by-product of keeping its sum alive; tcpflow is done when it is done
        return measure(command_of(name, path), keep_stdout=keep, environment=environment, fine=None if name == 'floor' else (0,))
    return once

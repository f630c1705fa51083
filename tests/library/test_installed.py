#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libweir as an embedder gets it: test_installed.py SOURCE BUILD

Builds the library without sanitizers, installs it below BUILD, and then uses nothing but what was installed: each header alone and
weir.h as C99 and as C++17 with all warnings as errors, each example compiled both ways with what pkg-config says, and run
on small captures under valgrind. What the examples must print is known from the captures (made here, or counted by tshark).
The last line is `N passed, N failed, N skipped`.
"""
import collections
import os
import re
import shutil
import struct
import subprocess
import sys

SOURCE, BUILD = sys.argv[1], sys.argv[2]
PREFIX = os.path.join(BUILD, 'installed')
C99 = ['gcc', '-std=c99', '-pedantic', '-Wall', '-Wextra', '-Wshadow', '-Wstrict-prototypes', '-Werror', '-O1', '-g']
CXX17 = ['g++', '-std=c++17', '-pedantic', '-Wall', '-Wextra', '-Werror', '-O1', '-g', '-x', 'c++']
passed, failed, skipped = [], [], []


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, **more)


def check(name, ok, said=''):
    (passed if ok else failed).append(name)
    if not ok:
        print('FAILED: %s\n%s' % (name, said))
    return ok


def build():
    """meson's own environment knows of sanitizers and compilers of the outer build: none of that here."""
    folder = os.path.join(BUILD, 'plain')
    if not os.path.exists(os.path.join(folder, 'build.ninja')):
        shutil.rmtree(folder, ignore_errors=True)
        done = run(['meson', 'setup', folder, SOURCE, '-Dtests=false', '-Db_lto=false', '-Doptimization=1', '-Ddebug=true',
                    '--prefix=/usr', '--libdir=lib'])
        if done.returncode != 0:
            raise SystemExit(done.stdout + done.stderr)
    done = run(['ninja', '-C', folder])
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    shutil.rmtree(PREFIX, ignore_errors=True)
    done = run(['meson', 'install', '-C', folder, '--no-rebuild'], env=dict(os.environ, DESTDIR=PREFIX))
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)


def pkg_config(*what):
    env = dict(os.environ, PKG_CONFIG_LIBDIR=os.path.join(PREFIX, 'usr/lib/pkgconfig'), PKG_CONFIG_SYSROOT_DIR=PREFIX)
    done = run(['pkg-config'] + list(what) + ['libweir'], env=env)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return done.stdout.split()


def headers(folder):
    """Each header on its own: nobody has to know what must come before it."""
    for name in sorted(os.listdir(os.path.join(PREFIX, 'usr/include/weir'))):
        source = os.path.join(folder, 'include_%s.c' % name.replace('.', '_'))
        with open(source, 'w', encoding='utf-8') as file:
            file.write('#include <weir/%s>\n#include <weir/%s>\nint main(void) { return 0; }\n' % (name, name))
        for language, compiler in (('C99', C99), ('C++17', CXX17)):
            done = run(compiler + pkg_config('--cflags') + ['-fsyntax-only', source])
            check('%s as %s' % (name, language), done.returncode == 0, done.stderr)


def symbols():
    """The library exports what the headers declare, nothing else, with a version each."""
    declared = set()
    for name in os.listdir(os.path.join(PREFIX, 'usr/include/weir')):
        with open(os.path.join(PREFIX, 'usr/include/weir', name), encoding='utf-8') as file:
            declared.update(re.findall(r'^WEIR_API [^;]*?\b(weir_\w+)\(', file.read(), re.M))
    library = os.path.join(PREFIX, 'usr/lib/libweir.so')
    lines = run(['nm', '-D', '--defined-only', library]).stdout.split('\n')
    exported = {line.split()[-1] for line in lines if line and ' A ' not in line}
    versioned = {name.split('@@')[0] for name in exported if '@@WEIR_' in name}
    check('exported symbols', declared == versioned and len(exported) == len(versioned),
          'only declared (add them to src/libweir.map): %s\nonly exported: %s'
          % (sorted(declared - versioned), sorted(exported - {name + '@@WEIR_0' for name in declared})))
    soname = run(['readelf', '-d', library]).stdout
    check('soname', 'libweir.so.0]' in soname, soname)
    # no I/O, threads or clock: none of the functions for them is called by libweir itself
    undefined = {line.split()[-1].split('@')[0] for line in run(['nm', '-D', '-u', library]).stdout.split('\n') if line}
    wrong = undefined & {'open', 'read', 'write', 'fopen', 'printf', 'fprintf', 'puts', 'socket', 'pthread_create', 'time',
                         'clock_gettime', 'gettimeofday', 'getenv', 'exit', 'setlocale', 'signal', 'sigaction'}
    check('no input, output, thread or clock', not wrong, str(wrong))


def checksum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def tcp(c2s, seq, ack, flags, data=b''):
    source, target = (b'\x0a\0\0\1', b'\x0a\0\0\2') if c2s else (b'\x0a\0\0\2', b'\x0a\0\0\1')
    sport, dport = (40000, 7777) if c2s else (7777, 40000)
    head = struct.pack('>HHIIBBHHH', sport, dport, seq, ack, 5 << 4, flags, 8192, 0, 0)
    total = checksum(source + target + struct.pack('>BBH', 0, 6, len(head) + len(data)) + head + data)
    head = head[:16] + struct.pack('>H', total) + head[18:]
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 40 + len(data), 0, 0, 64, 6, 0, source, target)
    return ip[:10] + struct.pack('>H', checksum(ip)) + ip[12:] + head + data


def ping_capture(path):
    """Two pings in three segments, an answer, a segment that is missing before the last line, FIN and FIN."""
    first, second = b'PING one\nPING se', b'cond!\n'
    packets = [tcp(True, 99, 0, 2), tcp(False, 499, 100, 18), tcp(True, 100, 500, 16),
               tcp(True, 100, 500, 24, first), tcp(True, 116, 500, 24, second), tcp(False, 500, 122, 24, b'PONG\n'),
               tcp(True, 132, 505, 24, b'tail\n'), tcp(True, 137, 505, 17), tcp(False, 505, 138, 17)]
    with open(path, 'wb') as file:
        file.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for number, packet in enumerate(packets):
            file.write(struct.pack('<IIII', 1700000000 + number, number * 1000, len(packet), len(packet)) + packet)


def tshark_counts(path):
    """HTTP responses by status in a capture, as tshark sees them; None without tshark."""
    if shutil.which('tshark') is None:
        return None
    out = run(['tshark', '-r', path, '-Y', 'http.response', '-T', 'fields', '-e', 'http.response.code']).stdout
    return sorted(code for line in out.split('\n') for code in line.split(',') if code)


def compile_example(folder, name, language, compiler):
    program = os.path.join(folder, '%s_%s' % (name, language.replace('+', 'p')))
    source = os.path.join(SOURCE, 'examples', name + '.c')
    done = run(compiler + ['-o', program, source] + ['-x', 'none'] * (language == 'C++17') + pkg_config('--cflags', '--libs') +
               ['-lpcap', '-Wl,-rpath,' + os.path.join(PREFIX, 'usr/lib')])
    return program if check('%s as %s' % (name, language), done.returncode == 0, done.stderr) else None


def example(name, program, arguments, expected):
    plain = run([program] + arguments)
    check(os.path.basename(program), plain.returncode == 0 and expected(plain.stdout, plain.stderr),
          plain.stdout[-2000:] + plain.stderr[-2000:])
    if shutil.which('valgrind') is None:
        skipped.append(name + ' under valgrind')
        return
    done = run(['valgrind', '-q', '--leak-check=full', '--show-leak-kinds=definite,possible', '--error-exitcode=99', program] +
               arguments)
    check(os.path.basename(program) + ' under valgrind', done.returncode == 0, done.stderr[-4000:])


def examples(folder):
    demo, ping = os.path.join(SOURCE, 'examples/demo.pcapng'), os.path.join(folder, 'ping.pcap')
    ping_capture(ping)
    codes = tshark_counts(demo)
    lines = [line for line in open(os.path.join(SOURCE, 'README.md'), encoding='utf-8') if line.startswith('transactions ')]
    transactions = int(lines[0].split()[1].replace('\u2009', '').replace(' ', ''))

    def http(out, _):
        seen = [line.split()[0] for line in out.split('\n') if line]
        # tshark finds some of them (and the interim 100, which is no transaction): none that weir does not
        missing = collections.Counter(code for code in codes or [] if code != '100')
        missing.subtract(seen)
        return len(seen) == transactions and max(missing.values()) <= 0

    def follow(out, said):
        return out == 'PING one\nPING second!\nPONG\ntail\n' and said == \
            'port 40000 to server: 10 bytes are missing at 22 (age)\nport 40000: closed\n'

    def pull(out, _):
        # 1 flow; PING.. cond.. PONG tail; a gap; no record but the flow's
        return out == '9 packets, 1 flows, 4 chunks, 1 gaps, 1 records, 32 bytes\n'

    wanted = {
        'tap_http': ([demo], http),
        'follow_stream': ([ping, '7777'], follow),
        'my_parser': ([ping], lambda out, _: out == 'ping of 3 bytes\nping of 7 bytes\n'),
        'my_sink': ([demo], lambda out, _: 'http %d\n' % transactions in out),
        'replay_pcap': ([ping], pull),
    }
    for name, (arguments, expected) in sorted(wanted.items()):
        with open(os.path.join(SOURCE, 'examples', name + '.c'), encoding='utf-8') as file:
            check(name + ' is shorter than 60 lines', len(file.readlines()) < 60)
        for language, compiler in (('C99', C99), ('C++17', CXX17)):
            if shutil.which(compiler[0]) is None:
                skipped.append('%s as %s' % (name, language))
                continue
            program = compile_example(folder, name, language, compiler)
            if program:
                example(name, program, arguments, expected)


def main():
    if shutil.which('meson') is None or shutil.which('pkg-config') is None:
        return 77
    for name in ('CFLAGS', 'LDFLAGS', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'MESON_TEST_ITERATION', 'LD_PRELOAD'):
        os.environ.pop(name, None)
    folder = os.path.join(BUILD, 'examples')
    os.makedirs(folder, exist_ok=True)
    build()
    headers(folder)
    symbols()
    examples(folder)
    print('%d passed, %d failed, %d skipped' % (len(passed), len(failed), len(skipped)))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Configuration files, --set, and the completions made from the same tables: test_config.py WEIR"""
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import cli  # noqa: E402
import packets  # noqa: E402
from cli import ROOT, WEIR, expect, test  # noqa: E402

def weir(*args, **environment):
    env = {'PATH': os.environ['PATH'], 'HOME': os.getcwd(), **environment}
    if 'ASAN_OPTIONS' in os.environ:
        env['ASAN_OPTIONS'] = os.environ['ASAN_OPTIONS']
    return cli.run(*args, env=env)


def write(name, text):
    if os.path.dirname(name):
        os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, 'w') as file:
        file.write(text)
    return name


def capture(name='a.pcap', exchanges=4, port=40000):
    pcap = packets.Pcap(name)
    connection = packets.Connection(pcap, ('10.0.0.1', port), ('10.0.0.2', 80))
    connection.open()
    for i in range(exchanges):
        connection.data(0, b'POST /%d HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\n\r\na=%d' % (i, i))
        connection.data(1, b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello')
    connection.close()
    pcap.close()
    return name


def first_transaction(lines):
    return [record for record in map(json.loads, lines.splitlines()) if record['type'] == 'http'][0]


def packets_read(done):
    expect(done.returncode == 0, (done.returncode, done.stderr))
    return json.loads(done.stderr)['packets']


@test
def a_file_sets_options_with_and_without_sections():
    capture()
    write('w.conf', '# what is read\n[input]\n  read = a.pcap\n  count=5\n\n; what is told\n[told]\nsummary: json\noutput = none ; inline\n')
    expect(packets_read(weir('--config', 'w.conf')) == 5, 'count of the file')
    write('plain.conf', 'read = a.pcap\ncount = 6\nsummary = json\noutput = none\n')
    expect(packets_read(weir('--config=plain.conf')) == 6, 'without sections')


@test
def the_command_line_beats_set_and_set_beats_the_file():
    capture()
    write('w.conf', 'read = a.pcap\ncount = 5\nsummary = json\noutput = none\n')
    expect(packets_read(weir('--config', 'w.conf')) == 5, 'the file')
    expect(packets_read(weir('--config', 'w.conf', '--set', 'count=6')) == 6, '--set')
    expect(packets_read(weir('-c', '7', '--set', 'count=6', '--config', 'w.conf')) == 7, 'the command line')
    expect(packets_read(weir('--config', 'w.conf', '--config', write('x.conf', 'count = 8\n'))) == 8, 'the later file')


@test
def lists_add_up_in_a_level_and_replace_those_of_a_lower_one():
    capture()
    capture('b.pcap', port=40001)
    write('w.conf', 'read = a.pcap\nread = b.pcap\noutput = json:1.json\noutput = csv:1.csv\nquiet = yes\n')
    done = weir('--config', 'w.conf')
    expect(done.returncode == 0 and not done.stdout and not done.stderr, done.stderr)
    with open('1.json') as file:
        expect(sum(json.loads(line)['type'] == 'http' for line in file) == 8, 'both inputs')
    expect(os.path.exists('1.csv'), 'both outputs')
    os.unlink('1.json')
    done = weir('--config', 'w.conf', '-r', 'a.pcap', '-o', 'json:2.json')
    expect(done.returncode == 0 and not os.path.exists('1.json'), 'outputs of the file are replaced')
    with open('2.json') as file:
        expect(sum(json.loads(line)['type'] == 'http' for line in file) == 4, 'inputs of the file are replaced')


@test
def what_a_file_switches_on_can_be_switched_off():
    capture()
    write('w.conf', 'read = a.pcap\nstrict = yes\nverbose = 1\nquiet = on\n')
    expect(b'shop.test' in weir('--config', 'w.conf').stdout.split(b'\n', 1)[1], 'headers')
    expect(weir('--config', 'w.conf', '--set', 'verbose=0').stdout.count(b'\n') == 4, 'no headers')
    done = weir('--config', 'w.conf', '--set', 'quiet=no')
    expect(b'transactions' in done.stderr, done.stderr)


@test
def timeouts_and_limits_have_keys_and_units():
    capture()
    args = ('-q', '-r', 'a.pcap', '--json', '--bodies=keep')
    short = weir(*args, '--set', 'body-limit=2', '--set', 'limit.target=1').stdout
    record = first_transaction(short)
    expect(record['http']['response']['body']['content'] == 'he', record)
    expect(record['truncated']['http.request.target'] == 2, record)
    for pair in ('hole.age=2s', 'timeout.established=5m', 'timeout.closing=1h', 'hole.acked=20ms', 'hole.acked-min=1000us',
                 'timeout.reset-grace=0', 'hole.limit=1M', 'limit.head=256k', 'limit.value=4KiB', 'limit.pending=512',
                 'timeout.tombstone=3000000000ns'):
        done = weir(*args, '--set', pair)
        expect(done.returncode == 0, (pair, done.stderr))
    for pair in ('hole.age=2', 'hole.age=-1s', 'hole.age=2 weeks', 'hole.age=', 'hole.limit=1T', 'hole.limit=1', 'limit.headers=1K',
                 'timeout.established=99999999999999h', 'limit.pending=0', 'hole.limit=18446744073709551615G'):
        done = weir(*args, '--set', pair)
        expect(done.returncode == 2 and pair.split('=')[0].encode() in done.stderr and b'It takes' in done.stderr, (pair, done.stderr))


@test
def a_section_is_the_beginning_of_a_key():
    capture()
    write('w.conf', '[limit]\ntarget = 1\nread = a.pcap\n[]\nquiet = yes\njson = yes\n')
    done = weir('--config', 'w.conf')
    expect(first_transaction(done.stdout)['truncated']['http.request.target'] == 2, done)


@test
def an_error_names_file_and_line_and_the_fix():
    rows = (
        ('strict = yes\n\n# no\nmemory = lots\n', 'w.conf:4: memory cannot be "lots"\n  It takes a size'),
        ('strict = perhaps\n', 'w.conf:1: strict cannot be "perhaps"\n  It takes yes or no.'),
        ('[a]\n[b]\nfrobnicate = 1\n', 'w.conf:3: there is no option "frobnicate"\n  See: man weir.conf'),
        ('[timout]\nestablished = 3s\n', 'w.conf:2: there is no option "established"'),
        ('strict = yes\nhelp = yes\n', 'w.conf:2: --help is for the command line only'),
        ('strict yes\n', 'w.conf:1: this line is not understood\n  A line is KEY = VALUE'),
        ('ascii = yes\n[open\n', 'w.conf:2: this line is not understood'),
        ('x' * 300 + '= 1\n', 'w.conf:1: the line is too long'),
    )
    for text, message in rows:
        done = weir('--config', write('w.conf', text), '-r', capture())
        expect(done.returncode == 2 and done.stderr.decode().startswith('weir: error: ' + message), (text[:40], done.stderr))
    done = weir('--config', 'nowhere.conf', '-r', 'a.pcap')
    expect(done.returncode == 2 and b'nowhere.conf' in done.stderr and b'No such file' in done.stderr, done.stderr)


@test
def lines_may_be_long_and_indented():
    capture()
    words = ' or '.join('port %d' % port for port in list(range(1000, 1100)) + [80])
    write('w.conf', '\ufeffread = a.pcap\n    summary = json\n\toutput = none\r\n  filter = %s   ; the last one counts\n' % words)
    done = weir('--config', 'w.conf')
    expect(packets_read(done) == 22, ('filtered in', done.stderr))
    write('w.conf', 'read = a.pcap\nsummary = json\noutput = none\nfilter = %s\n' % words.replace(' or port 80', ''))
    expect(packets_read(weir('--config', 'w.conf')) == 0, 'filtered out')
    expect(packets_read(weir('--config', 'w.conf', 'port', '80')) == 22, 'words of the command line are the filter')


@test
def the_users_own_file_is_read_unless_told_otherwise():
    capture()
    write('.config/weir/weir.conf', 'quiet = yes\noutput = none\n')
    expect(not weir('-r', 'a.pcap').stdout, '~/.config')
    write('xdg/weir/weir.conf', 'quiet = yes\noutput = json:-\n')
    expect(weir('-r', 'a.pcap', XDG_CONFIG_HOME=os.path.abspath('xdg')).stdout.startswith(b'{'), 'XDG_CONFIG_HOME')
    expect(b'transactions' in weir('-r', 'a.pcap', '--config=none').stderr, '--config=none')
    expect(b'transactions' in weir('-r', 'a.pcap', '--config', write('empty', '')).stderr, 'instead of it')
    write('.config/weir/weir.conf', 'interface = nowhere0\n')
    expect(weir('ifaces').returncode == 0, 'a command is one whatever the file says')


@test
def twice_verbose_keeps_bodies_unless_told_otherwise():
    capture(exchanges=1)
    expect(b'hello' in weir('-q', '-vv', '-r', 'a.pcap').stdout, '-vv')
    expect(b'hello' not in weir('-q', '-v', '-r', 'a.pcap').stdout, '-v')
    expect(b'hello' not in weir('-q', '-vv', '--bodies=hash', '-r', 'a.pcap').stdout, 'told otherwise')
    write('w.conf', 'bodies = hash\n')
    expect(b'hello' in weir('-q', '-vv', '--config', 'w.conf', '-r', 'a.pcap').stdout, '-vv is of a higher level')


def options_of_help():
    found = set()
    for line in weir('--help').stdout.decode().split('\n'):
        match = re.match(r'\s+(-\S.*?)(?:\s{2,}|$)', line)
        if match:
            found.update(re.findall(r'(?<![\w-])(--[a-z-]+|-[A-Za-z])(?![\w-])', match.group(1)))
    return found


@test
def completions_are_scripts_that_name_every_option():
    options = options_of_help()
    expect(len(options) > 40, options)
    for shell in ('bash', 'zsh', 'fish'):
        done = weir('--completions', shell)
        expect(done.returncode == 0 and not done.stderr, done.stderr)
        write('script', done.stdout.decode())
        if shutil.which(shell):
            parsed = subprocess.run([shell, '-n', 'script'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            expect(parsed.returncode == 0 and not parsed.stdout, (shell, parsed.stdout))
        text = done.stdout.decode()
        if shell == 'fish':
            named = {'--' + n for n in re.findall(r' -l ([a-z-]+)', text)} | {'-' + n for n in re.findall(r' -s (\w) ', text)}
        else:
            named = set(re.findall(r'(?<![\w-])(--[a-z-]+|-[A-Za-z])(?![\w-])', text))
        expect(options <= named, (shell, options - named))
    expect(weir('--completions=tcsh').returncode == 2, 'a shell that is not known')


def complete(*words):
    """What bash offers for the last word."""
    script = 'source ./script; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weir 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(['bash', '-c', script, 'bash'] + list(words), stdout=subprocess.PIPE)
    return done.stdout.decode().split()


@test
def bash_offers_what_an_option_takes():
    write('script', weir('--completions=bash').stdout.decode())
    expect(complete('weir', '--bod') == ['--bodies', '--body-limit'], complete('weir', '--bod'))
    expect(complete('weir', '--bodies', '') == ['size', 'hash', 'keep'], complete('weir', '--bodies', ''))
    expect(complete('weir', '--bodies', '=', 'h') == ['hash'], complete('weir', '--bodies', '=', 'h'))
    expect(complete('weir', '-k', 'a') == ['auto', 'all'], complete('weir', '-k', 'a'))
    expect(complete('weir', '-o', 'js') == ['json'], complete('weir', '-o', 'js'))
    # the names come from /sys, which a chroot may lack; any is always there
    wanted = ['any'] + (['lo'] if os.path.isdir('/sys/class/net/lo') else [])
    expect(set(wanted) <= set(complete('weir', '-i', '')), complete('weir', '-i', ''))
    expect(complete('weir', '--set', 'hole.age') == ['hole.age=', 'hole.age-oneway='], complete('weir', '--set', 'hole.age'))
    expect(complete('weir', 'do') == ['doctor'], complete('weir', 'do'))
    write('one file.pcap', '')
    expect(complete('weir', '-r', 'one') == ['one', 'file.pcap'], 'a blank in a name')


@test
def the_manual_explains_every_key():
    keys = re.search(r'--set\)\n.*?-W "([^"]*)"', weir('--completions=bash').stdout.decode(), re.S).group(1).split()
    with open(os.path.join(ROOT, 'docs', 'weir.conf.5.scd')) as file:
        page = file.read()
    with open(os.path.join(ROOT, 'docs', 'weir.1.scd')) as file:
        options = set(re.findall(r'\*--([a-z-]+)\*', file.read()))
    told = set(re.findall(r'^\*([a-z.-]+)\*$', page, re.M))
    keys = {key.rstrip('=') for key in keys}
    expect(keys - options <= told, 'not explained: %s' % (keys - options - told))
    expect(told <= keys, 'no such key: %s' % (told - keys))


if __name__ == '__main__':
    sys.exit(cli.main())

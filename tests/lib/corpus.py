# SPDX-License-Identifier: Apache-2.0
"""What the tests over the shared captures have in common: where they are, running weir, reading what it wrote, counting.

The captures lie in ../shared beside the checkout, or in $WEIR_SHARED. They are not ours and not copied: where they are not
present a test counts as skipped (exit 77).

A test that knows differences lists them by row with a reason (`Tally.known`). A listed row that holds fails the test just as
a row that does not hold and is not listed: so the list stays true.
"""
import collections
import concurrent.futures
import csv
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED_EXIT = 77
PROCESSES = 2
TIMEOUT_S = 10
SANITIZER = re.compile(r'ERROR: \w+Sanitizer|runtime error: |WARNING: ThreadSanitizer')
# A gap of this size is not filled with zeros to be hashed: no capture here holds such a stream.
FILL_LIMIT = 1 << 26
BACKSLASHES = re.compile(r'\\(\\|x[0-9a-fA-F]{2})')


def shared(*names):
    """The path of a file of the shared folder; ends the test as skipped where the folder is not present."""
    folder = os.environ.get('WEIR_SHARED') or os.path.join(ROOT, '..', 'shared')
    path = os.path.join(folder, *names)
    if not os.path.exists(path):
        print('no %s (WEIR_SHARED says where the shared folder is)' % os.path.join(*names))
        sys.exit(SKIPPED_EXIT)
    return path


def rows(*names):
    """The rows of a tab-separated file, as dictionaries."""
    csv.field_size_limit(1 << 28)
    with open(shared(*names), encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file, delimiter='\t'))


def by_file(table):
    files = collections.OrderedDict()
    for row in table:
        files.setdefault(row['file'], []).append(row)
    return files


def short(file):
    """A capture's name as the lists of known differences give it: without `captures/` and the repository's owner."""
    return re.sub(r'^captures/[^/]*\+', '', file)


Run = collections.namedtuple('Run', 'status out err late')


def run(weir, *arguments):
    """One run of weir, at most TIMEOUT_S seconds."""
    command = [weir] + [str(argument) for argument in arguments]
    environment = dict(os.environ, UBSAN_OPTIONS='print_stacktrace=1', ASAN_OPTIONS='detect_leaks=1')
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              timeout=TIMEOUT_S, env=environment)
    except subprocess.TimeoutExpired as expired:
        return Run(None, b'', (expired.stderr or b'').decode('utf-8', 'replace'), True)
    return Run(done.returncode, done.stdout, done.stderr.decode('utf-8', 'replace'), False)


def summary_of(result):
    """The object that --summary=json printed, or {}."""
    for line in reversed(result.err.splitlines()):
        if line.startswith('{'):
            return json.loads(line)
    return {}


def records_of(result):
    return [json.loads(line) for line in result.out.splitlines() if line]


def dig(record, name):
    """The value of a dotted name, or None."""
    for part in name.split('.'):
        if not isinstance(record, dict) or part not in record:
            return None
        record = record[part]
    return record


def escaped(octets):
    """CONTRACT.md §3: bytes that are not UTF-8 are \\xNN, and then a backslash is two."""
    try:
        return octets.decode('utf-8')
    except UnicodeDecodeError:
        pass
    octets = octets.replace(b'\\', b'\\\\')
    out = ''
    while octets:
        try:
            return out + octets.decode('utf-8')
        except UnicodeDecodeError as error:
            out += octets[:error.start].decode('utf-8')
            out += ''.join('\\x%02x' % octet for octet in octets[error.start:error.end])
            octets = octets[error.end:]
    return out


def sha256(octets):
    return hashlib.sha256(octets).hexdigest()


class Stream:
    """One file of the `streams` sink and its line in the index."""

    def __init__(self, folder, line):
        self.index = json.loads(line)
        with open(os.path.join(folder, self.index['file']), 'rb') as file:
            self.data = file.read()
        base = self.index['file'].rsplit('.', 1)[0]
        client, server, self.reuse = base.split('-')
        self.direction = self.index['direction']
        self.source, self.target = (client, server) if self.direction == 'c2s' else (server, client)
        self.gaps = self.index['gaps']

    def gap_bytes(self):
        return sum(gap['length'] for gap in self.gaps)

    def filled(self, octet):
        """The bytes with each gap filled with an octet; None where that would be huge."""
        out, position, offset = [], 0, 0
        for gap in self.gaps:
            length = gap['offset'] - offset
            if length < 0 or gap['length'] > FILL_LIMIT:
                return None
            out += [self.data[position:position + length], octet * gap['length']]
            position, offset = position + length, gap['offset'] + gap['length']
        return b''.join(out + [self.data[position:]])


def streams_of(folder):
    path = os.path.join(folder, 'index.jsonl')
    if not os.path.exists(path):
        return []
    with open(path, encoding='utf-8') as index:
        return [Stream(folder, line) for line in index]


def endpoint(address, port):
    """An address as the names of stream files have it."""
    return '%s_%s' % (address.replace(':', '.'), port)


def with_folder(function, *arguments):
    with tempfile.TemporaryDirectory(prefix='weir-corpus.') as folder:
        return function(folder, *arguments)


def each(function, items):
    """function(item) for each, PROCESSES at a time; results in the order of the items."""
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        return list(pool.map(function, items))


class Tally:
    """Counts rows and prints what is not as it should be; `known` maps a row's name to the reason why it differs."""

    def __init__(self, known=None):
        self.known = dict(known or {})
        self.unused = set(self.known)
        self.passed = self.failed = self.skipped = 0

    def row(self, name, problem):
        """A row that holds has no problem (None or '')."""
        self.unused.discard(name)
        if problem and name in self.known:
            self.passed += 1
        elif not problem and name in self.known:
            self.fail('%s: listed as a known difference, but holds now' % (name,))
        elif problem:
            self.fail('%s: %s' % (name if isinstance(name, str) else ' '.join(map(str, name)), problem))
        else:
            self.passed += 1

    def fail(self, text):
        self.failed += 1
        print(text[:400])

    def finish(self):
        for name in sorted(self.unused):
            self.fail('%s: listed as a known difference, but no such row' % (name,))
        print('%d passed, %d failed, %d skipped' % (self.passed, self.failed, self.skipped))
        return 1 if self.failed or not self.passed else 0

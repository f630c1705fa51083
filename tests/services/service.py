# SPDX-License-Identifier: Apache-2.0
"""What the tests of real servers share: programs, a capture of the loopback interface, loss, weir's records."""
import json
import os
import pwd
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

SKIPPED_EXIT = 77


class Skip(Exception):
    pass


def tool(name, *folders):
    return shutil.which(name, path=os.pathsep.join([os.environ.get('PATH', ''), '/usr/sbin', '/sbin', *folders]))


def need(*names):
    """Skip the whole file where a program is missing or packets cannot be captured."""
    for name in names + ('tcpdump',):
        if tool(name) is None:
            print('skipped: needs %s (./dev deps services)' % name)
            sys.exit(SKIPPED_EXIT)
    if os.geteuid() != 0:
        print('skipped: needs root, to capture')
        sys.exit(SKIPPED_EXIT)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = condition()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError('waited in vain for ' + what)


def listening(port):
    def try_it():
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return True
        except OSError:
            return False
    return try_it


class Folder:
    """What a server of our own has: a folder, a port, perhaps a process; a context. start() is called in it."""

    def __init__(self, prefix):
        self.folder = tempfile.TemporaryDirectory(prefix=prefix)
        self.port = free_port()
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def give(self, user, *names):
        """The folder and things in it, to another user."""
        user = pwd.getpwnam(user)
        for name in ('',) + names:
            os.chown(self.path(name), user.pw_uid, user.pw_gid)
        os.chmod(self.folder.name, 0o755)

    def certificate(self):
        """cert.pem and key.pem."""
        subprocess.run([tool('openssl'), 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=localhost', '-keyout',
                        self.path('key.pem'), '-out', self.path('cert.pem')], stderr=subprocess.DEVNULL, check=True)


class Capture:
    """tcpdump on the loopback interface, for one port; a context."""

    def __init__(self, path, port):
        self.path = path
        self.command = [tool('tcpdump'), '-i', 'lo', '-s', '0', '-B', '65536', '-U', '-w', path, '-Z', 'root', 'tcp', 'port', str(port)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: os.path.exists(self.path) and os.path.getsize(self.path) >= 24, 'tcpdump')
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        size = -1
        while size != os.path.getsize(self.path):  # until nothing has come for a second
            size = os.path.getsize(self.path)
            time.sleep(1)
        self.process.terminate()
        text = self.process.communicate()[1]
        if '\n0 packets dropped by kernel' not in text:
            raise Skip('the kernel dropped packets of the capture: ' + text)


def lossy(path, out, share, seed):
    """A copy of a pcap without a share of its packets that carry data. @return packets left out"""
    dice, lost = random.Random(seed), 0
    with open(path, 'rb') as file, open(out, 'wb') as to:
        to.write(file.read(24))
        while True:
            head = file.read(16)
            if len(head) < 16:
                return lost
            length = struct.unpack('<IIII', head)[2]
            packet = file.read(length)
            if length > 14 + 20 + 20 + 12 and dice.random() < share:
                lost += 1
                continue
            to.write(head + packet)


def records(weir, path, kind, *options):
    run = subprocess.run([weir, '-q', '-r', path, '--json', '--summary=none', *options], stdout=subprocess.PIPE, check=True, text=True)
    return [record for record in map(json.loads, run.stdout.splitlines()) if record['type'] == kind]


def get(record, name):
    at = record
    for part in name.split('.'):
        if not isinstance(at, dict) or part not in at:
            return None
        at = at[part]
    return at


def main(tests):
    passed = failed = skipped = 0
    for test in tests:
        try:
            test()
            passed += 1
        except Skip as why:
            skipped += 1
            print('%s: skipped: %s' % (test.__name__, why))
        except Exception:
            failed += 1
            print('%s: FAILED' % test.__name__)
            traceback.print_exc(file=sys.stdout)
    print('%d passed, %d failed, %d skipped' % (passed, failed, skipped))
    return 1 if failed else 0

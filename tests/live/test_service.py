#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The systemd unit without systemd: test_service.py WEIR UNIT

Its ExecStart runs between two network namespaces under what its hardening comes to, as far as that can be had without systemd as
process 1: a user of its own with one ambient capability and that bounding set, no new privileges, a read-only system, no homes, a
private /tmp and /dev, the umask, no memory that is writable and executable, and seccomp for address families and namespaces.
Not covered: MemoryMax, BindsTo, the kernel tunables. `systemd-analyze verify` reads the unit where it is installed.
Needs root, network namespaces and nginx; exits 77 where it cannot have them.
"""
import ctypes
import ctypes.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

from net import Net, missing, read_records, tool, wait_for

SKIPPED_EXIT = 77
USER = 61500  # of those that DynamicUser= gives
LOGS = '/var/log/weir'
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, SCMP_CMP_EQ, SCMP_FLTATR_CTL_NNP = 0x7fff0000, 0x00050000, 4, 4
EPERM, EAFNOSUPPORT = 1, 97


def read_unit(path):
    """The [Service] section's keys."""
    with open(path) as file:
        lines = re.search(r'^\[Service\]\n(.*?)^\[', file.read(), re.M | re.S).group(1).splitlines()
    return dict(line.split('=', 1) for line in lines if '=' in line and not line.startswith('#'))


# ---- in the child, before it becomes weir ----

class ScmpCompare(ctypes.Structure):
    _fields_ = [('arg', ctypes.c_uint), ('op', ctypes.c_int), ('a', ctypes.c_uint64), ('b', ctypes.c_uint64)]


def restrict(families):
    """Sockets of these families only, no namespaces."""
    lib = ctypes.CDLL('libseccomp.so.2', use_errno=True)
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(SCMP_ACT_ALLOW))
    lib.seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, 0)
    for name in (b'unshare', b'setns'):
        lib.seccomp_rule_add_array(context, SCMP_ACT_ERRNO | EPERM, lib.seccomp_syscall_resolve_name(name), 0, None)
    number = lib.seccomp_syscall_resolve_name(b'socket')
    allowed = {getattr(socket, name) for name in families}
    for family in set(range(48)) - allowed:
        compare = ScmpCompare(0, SCMP_CMP_EQ, family, 0)
        lib.seccomp_rule_add_array(context, SCMP_ACT_ERRNO | EAFNOSUPPORT, number, 1, ctypes.byref(compare))
    if lib.seccomp_load(context) != 0:
        raise OSError('seccomp_load')


def mounts(logs):
    """ProtectSystem=strict, PrivateTmp, ProtectHome, PrivateDevices, LogsDirectory."""
    def mount(*args):
        subprocess.run([tool('mount')] + list(args), check=True)
    mount('--make-rprivate', '/')
    mount('--bind', logs, LOGS)
    mount('-t', 'tmpfs', '-o', 'mode=755,nosuid', 'tmpfs', '/mnt')
    for name in ('null', 'zero', 'full', 'random', 'urandom', 'tty'):
        open('/mnt/' + name, 'w').close()
        mount('--bind', '/dev/' + name, '/mnt/' + name)
    mount('--move', '/mnt', '/dev')
    mount('-t', 'tmpfs', '-o', 'mode=1777', 'tmpfs', '/tmp')
    for home in ('/home', '/root', '/run/user'):
        if os.path.isdir(home) and not os.path.realpath(sys.argv[2]).startswith(home + '/'):
            mount('-t', 'tmpfs', '-o', 'mode=000', 'tmpfs', home)
    mount('-o', 'remount,ro,bind', '/')


def become(unit, logs, command):
    """Ends in weir."""
    capability = unit['AmbientCapabilities'].replace('CAP_', '').lower()
    mounts(logs)
    ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
    os.umask(int(unit['UMask'], 8))
    os.chdir('/')
    restrict(unit['RestrictAddressFamilies'].split())
    setpriv = [tool('setpriv'), '--nnp', '--inh-caps=-all,+' + capability, '--ambient-caps=-all,+' + capability,
               '--bounding-set=-all,+' + capability, '--reuid=%d' % USER, '--regid=%d' % USER, '--clear-groups']
    os.execve(setpriv[0], setpriv + command, {'PATH': '/usr/bin:/bin', 'LANG': 'C.UTF-8'})


# ---- the test ----

def verify(path, weir, folder):
    """systemd-analyze says nothing against it."""
    analyze = tool('systemd-analyze')
    if analyze is None:
        return 'not installed'
    named = os.path.join(folder, 'weir@eth0.service')
    with open(path) as file, open(named, 'w') as out:
        out.write(re.sub(r'^ExecStart=\S+', 'ExecStart=' + weir, file.read(), flags=re.M))
    run = subprocess.run([analyze, 'verify', '--man=no', named], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode != 0 or run.stdout:
        raise AssertionError('systemd-analyze verify: %d %s' % (run.returncode, run.stdout.decode()))
    return 'in order'


def runs_with_its_hardening(net, weir, path):
    unit = read_unit(path)
    print('      systemd-analyze verify: ' + verify(path, weir, net.dir))
    logs = net.path('log')
    os.mkdir(logs, int(unit['LogsDirectoryMode'], 8))
    os.chown(logs, USER, USER)
    made = not os.path.isdir(LOGS)
    os.makedirs(LOGS, exist_ok=True)
    words = unit['ExecStart'].replace('%I', net.link).replace('%i', net.link).split()
    # WEIR_OPTIONS, as /etc/default/weir would have them: a regular expression, which would like to be compiled to machine code
    options = ['-Y', 'type:http path:~"^/n[0-9]+$"', '--summary=json', 'tcp', 'port', '80']
    command = [weir] + words[1:-1] + options
    assert words[-1] == '$WEIR_OPTIONS', words
    err = net.path('journal')
    net.start_nginx()
    try:
        with open(err, 'wb') as file:
            process = net.start(net.server, [sys.executable, os.path.abspath(__file__), '--become', weir, path, logs] + command,
                                stdout=file, stderr=file)
        out = os.path.join(logs, net.link + '.jsonl')

        def captures():
            with open('/proc/%d/status' % process.pid) as file:
                text = file.read()
            return 'Name:\tweir\n' in text and re.search(r'^CapPrm:\t0+$', text, re.M) and os.path.exists(out)
        assert wait_for(lambda: process.poll() is not None or captures(), 30) and process.poll() is None, open(err).read()
        time.sleep(0.2)
        with open('/proc/%d/status' % process.pid) as file:
            status = dict(line.rstrip('\n').split(':\t', 1) for line in file if ':\t' in line)
        assert status['Uid'].split() == [str(USER)] * 4, status['Uid']
        assert [int(status[name], 16) for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')][:3] == [0, 0, 0], status
        assert int(status['CapAmb'], 16) == 0 and status['NoNewPrivs'] == '1', status
        net.get(6)
        time.sleep(0.4)
        # ExecReload, after logrotate
        os.rename(out, out + '.1')
        os.kill(process.pid, signal.SIGHUP)
        assert wait_for(lambda: os.path.exists(out), 10), open(err).read()
        net.get(4)
        time.sleep(0.4)
        os.kill(process.pid, getattr(signal, unit['KillSignal']))
        status = process.wait(int(unit['TimeoutStopSec']))
        text = open(err).read()
        assert status == 0, '%d: %s' % (status, text)
        counts = [len(read_records(name)) for name in (out + '.1', out)]
        assert counts == [6, 4], '%r %s' % (counts, text)
        assert os.stat(out).st_mode & 0o777 == 0o640 and os.stat(out).st_uid == USER, oct(os.stat(out).st_mode)
        summary = json.loads(text.splitlines()[-1])
        assert sum(summary['drops'].values()) == 0 and summary['records']['http'] == 10, summary
    finally:
        if made:
            os.rmdir(LOGS)


def main():
    weir, unit = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    why = missing() or (None if ctypes.util.find_library('seccomp') else 'needs libseccomp')
    if why:
        print('skipped: %s' % why)
        return SKIPPED_EXIT
    net = Net()
    try:
        runs_with_its_hardening(net, weir, unit)
        print('1 passed, 0 failed, 0 skipped')
        return 0
    except AssertionError as error:
        print('FAIL  %s\n0 passed, 1 failed, 0 skipped' % error)
        return 1
    finally:
        net.close()


if __name__ == '__main__':
    if sys.argv[1] == '--become':
        become(read_unit(sys.argv[3]), sys.argv[4], sys.argv[5:])
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Two network namespaces joined by a veth pair, and what runs in them. Everything made here is ended and removed here.

Nothing leaves the machine: the namespaces have no other link. IPv6 is off in them, so that a silent link is silent.
"""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

SERVER, CLIENT = '10.99.0.1', '10.99.0.2'
NGINX = '''daemon off; worker_processes 1; pid %(dir)s/nginx.pid; error_log %(dir)s/nginx.err;
events { worker_connections 512; }
http {
  access_log %(dir)s/access.log; keepalive_requests 1000000;
  client_body_temp_path %(dir)s/t1; proxy_temp_path %(dir)s/t2; fastcgi_temp_path %(dir)s/t3;
  uwsgi_temp_path %(dir)s/t4; scgi_temp_path %(dir)s/t5;
  server { listen 80; location / { default_type application/json; return 200 '{"answer":"%(body)s"}'; } }
}
'''


def tool(name):
    """The path of a program, also of those that only root has in its PATH."""
    return shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin:/usr/local/sbin')


def missing(tools=('ip', 'nginx', 'wrk', 'setpriv')):
    """Why these tests cannot run here, or None."""
    if os.geteuid() != 0:
        return 'needs root'
    for name in tools:
        if tool(name) is None:
            return 'needs %s' % name
    probe = 'weirprobe%d' % os.getpid()
    if subprocess.run([tool('ip'), 'netns', 'add', probe], stderr=subprocess.DEVNULL).returncode != 0:
        return 'network namespaces cannot be made here'
    # in a chroot they can be made but not entered: / is no mount point there
    entered = subprocess.run([tool('ip'), 'netns', 'exec', probe, 'true'], stderr=subprocess.DEVNULL).returncode == 0
    deleted = subprocess.run([tool('ip'), 'netns', 'del', probe], stderr=subprocess.DEVNULL).returncode == 0
    return None if entered and deleted else 'network namespaces cannot be entered here'


def wait_for(condition, seconds=20.0):
    """Poll until condition() is true. @return what it gave"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = condition()
        if got:
            return got
        time.sleep(0.02)
    return condition()


class Net:
    """The namespaces S and C, and a folder."""

    def __init__(self):
        tag = '%d' % os.getpid()
        self.dir = tempfile.mkdtemp(prefix='weir-live.')
        os.chmod(self.dir, 0o755)
        self.server, self.client = 'weirS' + tag, 'weirC' + tag
        self.link, self.peer = 'ws' + tag[-8:], 'wc' + tag[-8:]
        self.running = []
        for name in (self.server, self.client):
            self.ip('netns', 'add', name)
            subprocess.run(self.inside(name) + ['sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; '
                                                'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'],
                           stderr=subprocess.DEVNULL)
            self.ip('-n', name, 'link', 'set', 'lo', 'up')
        self.ip('link', 'add', self.link, 'netns', self.server, 'type', 'veth', 'peer', 'name', self.peer, 'netns', self.client)
        self.ip('-n', self.server, 'addr', 'add', SERVER + '/24', 'dev', self.link)
        self.ip('-n', self.client, 'addr', 'add', CLIENT + '/24', 'dev', self.peer)
        self.ip('-n', self.server, 'link', 'set', self.link, 'up')
        self.ip('-n', self.client, 'link', 'set', self.peer, 'up')

    def add_link(self, n):
        """Another veth pair between the namespaces, without addresses. @return (the server's end, the client's)"""
        ends = ('%sx%d' % (self.link[-10:], n), '%sx%d' % (self.peer[-10:], n))
        self.ip('link', 'add', ends[0], 'netns', self.server, 'type', 'veth', 'peer', 'name', ends[1], 'netns', self.client)
        for name, end in zip((self.server, self.client), ends):
            self.ip('-n', name, 'link', 'set', end, 'up')
        return ends

    def ip(self, *args):
        subprocess.run([tool('ip')] + list(args), check=True)

    def inside(self, name):
        return [tool('ip'), 'netns', 'exec', name]

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, name, command, **kwargs):
        """A program in a namespace, ended by close() at the latest."""
        process = subprocess.Popen(self.inside(name) + command, **kwargs)
        self.running.append(process)
        return process

    def start_nginx(self, body='x' * 60):
        with open(self.path('nginx.conf'), 'w') as file:
            file.write(NGINX % {'dir': self.dir, 'body': body})
        process = self.start(self.server, [tool('nginx'), '-c', self.path('nginx.conf')], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        if not wait_for(lambda: os.path.exists(self.path('nginx.pid')) and os.path.getsize(self.path('nginx.pid')) > 0):
            raise RuntimeError('nginx did not start')
        return process

    def served(self):
        """Lines of the server's log."""
        with open(self.path('access.log'), 'rb') as file:
            return sum(1 for _ in file)

    def wrk(self, seconds, connections=1, address=SERVER):
        return subprocess.run(self.inside(self.client) + [tool('wrk'), '-t1', '-c%d' % connections, '-d%ds' % seconds,
                                                          'http://%s:80/' % address], stdout=subprocess.PIPE, check=True)

    def get(self, n, address=SERVER):
        """n requests on a connection each, from the client's namespace."""
        code = ('import socket\n'
                'for i in range(%d):\n'
                '    s = socket.create_connection((%r, 80)); s.sendall(b"GET /n%%d HTTP/1.0\\r\\n\\r\\n" %% i)\n'
                '    while s.recv(4096): pass\n'
                '    s.close()\n') % (n, address)
        subprocess.run(self.inside(self.client) + [sys.executable, '-c', code], check=True)

    def get_steadily(self, n, pause=0.0005):
        """n requests on one connection with a pause between them: a load that does not depend on the machine much."""
        code = ('import socket, time\n'
                's = socket.create_connection((%r, 80)); f = s.makefile("rb")\n'
                'for i in range(%d):\n'
                '    s.sendall(b"GET /s HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"); length = 0\n'
                '    for line in iter(f.readline, b"\\r\\n"):\n'
                '        length = int(line[15:]) if line.lower().startswith(b"content-length:") else length\n'
                '    f.read(length); time.sleep(%r)\n') % (SERVER, n, pause)
        subprocess.run(self.inside(self.client) + [sys.executable, '-c', code], check=True)

    def close(self):
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        for name in (self.server, self.client):
            subprocess.run([tool('ip'), 'netns', 'del', name])
        shutil.rmtree(self.dir, ignore_errors=True)


class Weir:
    """A live capture in a namespace."""

    def __init__(self, net, weir, options, namespace=None, prefix=(), links=None):
        self.net = net
        self.err = net.path('err%d' % time.monotonic_ns())
        self.out = net.path('out%d.json' % time.monotonic_ns())
        links = [net.link] if links is None else links
        command = list(prefix) + [weir] + [word for link in links for word in ('-i', link)]
        command += ['-o', 'json:' + self.out, '--summary=json', '-B', '65536'] + options
        with open(self.err, 'wb') as err:
            self.process = net.start(namespace or net.server, command, stdout=subprocess.DEVNULL, stderr=err)

    def pid(self):
        """`ip netns exec` becomes the program itself."""
        return self.process.pid

    def status(self):
        """/proc/PID/status as a dictionary."""
        with open('/proc/%d/status' % self.pid()) as file:
            return dict(line.rstrip('\n').split(':\t', 1) for line in file if ':\t' in line)

    def cpu(self):
        """Seconds of all its threads."""
        with open('/proc/%d/stat' % self.pid()) as file:
            fields = file.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def settled(self):
        """Nothing more is read: CPU time stands still."""
        before = self.cpu()
        time.sleep(0.3)
        return self.cpu() - before < 0.02

    def ready(self, seconds=30.0):
        """Captures: rights were given up, which is the last thing before packets are read."""
        def gone():
            if self.process.poll() is not None:
                raise RuntimeError('weir ended early:\n' + self.stderr())
            return os.path.exists(self.out) and self.status()['NoNewPrivs'].strip() == '1'
        if not wait_for(gone, seconds):
            raise RuntimeError('weir did not start')
        time.sleep(0.1)
        return self

    def tell(self, number):
        os.kill(self.pid(), number)

    def stop(self, number=signal.SIGINT):
        """@return exit status"""
        if self.process.poll() is None:
            self.tell(number)
        return self.process.wait(60)

    def stderr(self):
        with open(self.err, encoding='utf-8', errors='replace') as file:
            return file.read()

    def summaries(self):
        return [json.loads(line) for line in self.stderr().splitlines() if line.startswith('{')]

    def records(self, kind='http'):
        return read_records(self.out, kind)


def read_records(path, kind='http'):
    """Raises ValueError for a line that is no JSON object."""
    with open(path, encoding='utf-8') as file:
        text = file.read()
    if text and not text.endswith('\n'):
        raise ValueError('the last line of %s is cut' % path)
    return [record for record in map(json.loads, text.splitlines()) if record['type'] == kind]


# ---- packets made by hand ----

def checksum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def tcp(src, dst, sport, dport, seq, ack, flags, payload=b'', tags=()):
    """An Ethernet frame with a TCP segment; tags: VLAN ids, the outermost first."""
    a, b = socket.inet_aton(src), socket.inet_aton(dst)
    head = struct.pack('>HHIIBBHHH', sport, dport, seq, ack, 0x50, flags, 65000, 0, 0)
    pseudo = a + b + struct.pack('>BBH', 0, 6, len(head) + len(payload))
    head = head[:16] + struct.pack('>H', checksum(pseudo + head + payload)) + head[18:]
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(head) + len(payload), 1, 0x4000, 64, 6, 0, a, b)
    ip = ip[:10] + struct.pack('>H', checksum(ip)) + ip[12:]
    ether = b'\x02\0\0\0\0\x01\x02\0\0\0\0\x02'
    for number, tag in enumerate(tags):
        ether += struct.pack('>HH', 0x88a8 if number == 0 and len(tags) > 1 else 0x8100, tag)
    return ether + b'\x08\0' + ip + head + payload


SYN, ACK, FIN, RST, PSH = 2, 16, 1, 4, 8


def send_frames(net, frames):
    """From the client's end of the link."""
    code = ('import socket, sys\n'
            's = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n'
            's.bind((%r, 0))\n'
            'for line in sys.stdin: s.send(bytes.fromhex(line))\n') % net.peer
    text = '\n'.join(frame.hex() for frame in frames)
    subprocess.run(net.inside(net.client) + [sys.executable, '-c', code], input=text.encode(), check=True)


def conversation(client, port, n, gap=0):
    """The frames of one connection: GET, 200 with 400 bytes, closed by both."""
    a, b = (client, '10.7.0.1', port, 80), ('10.7.0.1', client, 80, port)
    ask = b'GET /item/%d HTTP/1.1\r\nHost: shop.test\r\n\r\n' % n
    answer = b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 400\r\n\r\n' + b'%08d' % n * 50
    x, y = 1000 + n, 900000 + n
    return [tcp(*a, x, 0, SYN), tcp(*b, y, x + 1, SYN | ACK), tcp(*a, x + 1, y + 1, ACK), tcp(*a, x + 1, y + 1, PSH | ACK, ask),
            tcp(*b, y + 1, x + 1 + len(ask), PSH | ACK, answer), tcp(*a, x + 1 + len(ask), y + 1 + len(answer), FIN | ACK),
            tcp(*b, y + 1 + len(answer), x + 2 + len(ask), FIN | ACK), tcp(*a, x + 2 + len(ask), y + 2 + len(answer), ACK)]


def write_conversations(path, n, together=50):
    """A capture of n connections, `together` of them at a time, packet by packet in turn."""
    with open(path, 'wb') as file:
        file.write(struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        for first in range(0, n, together):
            group = [conversation('10.7.1.%d' % (1 + i % 200), 2000 + i, i) for i in range(first, min(first + together, n))]
            for frames in zip(*group):
                for frame in frames:
                    file.write(struct.pack('<IIII', 1700000000, 0, len(frame), len(frame)) + frame)
    return path


def send_frames_on(net, frames, each=0, pause=0.0):
    """(link, frame) in this order, from one thread on one processor, so that times ascend; a pause after each so many."""
    code = ('import os, socket, sys, time\n'
            'os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})\n'
            'links, each, pause = {}, %d, %r\n'
            'frames = [line.split() for line in sys.stdin]\n'
            'for name, _ in frames:\n'
            '    if name not in links:\n'
            '        links[name] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); links[name].bind((name, 0))\n'
            'frames = [(links[name], bytes.fromhex(text)) for name, text in frames]\n'
            'for n, (link, frame) in enumerate(frames):\n'
            '    link.send(frame)\n'
            '    if each and n %% each == each - 1: time.sleep(pause)\n') % (each, pause)
    text = '\n'.join('%s %s' % (link, frame.hex()) for link, frame in frames)
    subprocess.run(net.inside(net.client) + [sys.executable, '-c', code], input=text.encode(), check=True)


def received(net, link, namespace):
    """rx_packets of an interface."""
    path = '/sys/class/net/%s/statistics/rx_packets' % link
    return int(subprocess.run(net.inside(namespace) + ['cat', path], stdout=subprocess.PIPE, check=True).stdout)

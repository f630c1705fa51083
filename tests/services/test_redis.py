#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's redis-server and redis-benchmark: test_redis.py WEIR. What weir counts is what the server counted; pairs under loss."""
import collections
import os
import random
import socket
import subprocess
import sys

import service

WEIR = os.path.abspath(sys.argv[1])
service.need('redis-server', 'redis-benchmark')


class Server(service.Folder):
    """A redis-server of our own; a context."""

    def __init__(self):
        super().__init__('weir-redis.')

    def start(self):
        self.process = subprocess.Popen(
            [service.tool('redis-server'), '--port', str(self.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no',
             '--dir', self.folder.name, '--logfile', self.path('log')])
        service.wait_for(service.listening(self.port), 'redis-server')

    def connect(self):
        return socket.create_connection(('127.0.0.1', self.port), 10)


def command(*words):
    return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in (str(word).encode() for word in words))


def info(server):
    """{command: calls} as the server counted them."""
    with server.connect() as s:
        s.sendall(command('INFO', 'commandstats'))
        data = b''
        while b'\r\n' not in data or len(data) < int(data[1:data.index(b'\r\n')]) + data.index(b'\r\n') + 4:
            data += s.recv(65536)
    calls = collections.Counter()
    for line in data.decode().split('\r\n'):
        if line.startswith('cmdstat_'):
            name, figures = line[8:].split(':')
            fields = dict(pair.split('=') for pair in figures.split(','))
            # refused and failed calls are in `calls` only when they ran
            calls[name.split('|')[0].upper()] += int(fields['calls']) + int(fields.get('rejected_calls', 0))
    return calls


def counted_as_the_server_does():
    with server_with_benchmark(['-t', 'ping_inline,ping_mbulk,set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset'],
                               ['-P', '16', '-t', 'set,get,incr'], ['-3', '-t', 'set,get']) as (server, path):
        want = server.calls
        records = service.records(WEIR, path, 'redis')
    have = collections.Counter(service.get(r, 'db.operation.name') for r in records)
    assert have['INFO'] == 1, 'the capture has no end'
    own = {'INFO'}
    want = {name: n for name, n in want.items() if name not in own}
    have = {name: n for name, n in have.items() if name not in own}
    print('statements: server %d, weir %d' % (sum(want.values()), sum(have.values())))
    assert sum(want.values()) > 10000, want
    assert have == want, (sorted(have.items(), key=str), sorted(want.items()))
    assert all(r['completeness'] == 'complete' and r['pairing'] in ('exact', 'order') for r in records), 'not all complete'


class server_with_benchmark:
    """A server and the capture of redis-benchmark's runs."""

    def __init__(self, *runs):
        self.runs = runs

    def __enter__(self):
        self.server = Server().__enter__()
        path = self.server.path('capture.pcap')
        with service.Capture(path, self.server.port):
            for options in self.runs:
                subprocess.run([service.tool('redis-benchmark'), '-p', str(self.server.port), '-n', '1000', '-c', '5', '-q'] + options,
                               stdout=subprocess.DEVNULL, check=True)
            self.server.calls = info(self.server)
        return self.server, path

    def __exit__(self, *_):
        self.server.__exit__()


def echo(server, batches, depth, seed):
    """A connection that asks for words of its own, up to `depth` at a time."""
    dice, n = random.Random(seed), 0
    with server.connect() as s:
        for _ in range(batches):
            words = ['%d.%d' % (seed, n + i) for i in range(dice.randint(1, depth))]
            n += len(words)
            s.sendall(b''.join(command('ECHO', word) for word in words))
            want = sum(len(b'$%d\r\n%s\r\n' % (len(w), w.encode())) for w in words)
            while want > 0:
                want -= len(s.recv(65536))
    return n


def pairs_are_right_when_two_per_cent_are_lost():
    with Server() as server:
        path, lossy = server.path('capture.pcap'), server.path('lossy.pcap')
        with service.Capture(path, server.port):
            sent = sum(echo(server, 600, depth, seed) for seed, depth in enumerate((1, 1, 4, 16)))
        whole = service.records(WEIR, path, 'redis', '--bodies=keep')
        assert len(whole) == sent, (len(whole), sent)
        for seed in range(5):
            lost = service.lossy(path, lossy, 0.02, seed)
            records = service.records(WEIR, lossy, 'redis', '--bodies=keep')
            pairs = [(service.get(r, 'db.query.text'), service.get(r, 'redis.reply.text')) for r in records
                     if r['completeness'] == 'complete']
            wrong = [pair for pair in pairs if pair[0] != 'ECHO %s' % pair[1]]
            print('%d packets of data lost: %d pairs of %d, %d mispaired' % (lost, len(pairs), sent, len(wrong)))
            assert not wrong, wrong[:5]
            assert len(pairs) > sent * 0.8, (len(pairs), sent)


sys.exit(service.main([counted_as_the_server_does, pairs_are_right_when_two_per_cent_are_lost]))

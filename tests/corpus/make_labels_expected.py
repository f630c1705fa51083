#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes labels_tshark.tsv: the application protocol that tshark sees in each TCP stream of the shared corpus.

usage: make_labels_expected.py SHARED > labels_tshark.tsv      (run by hand, with tshark 4.0)

One line a stream and sort of protocol above TCP: the capture, the stream's number, its ends, the first frame and the last, the protocols, and
how many frames were seen of each. tshark goes by ports where it has one: test_labels.py decides which of its words count.
"""
import collections
import csv
import os
import subprocess
import sys

FIELDS = ['frame.number', 'tcp.stream', 'ip.src', 'ipv6.src', 'tcp.srcport', 'ip.dst', 'ipv6.dst', 'tcp.dstport', 'tcp.len', 'frame.protocols',
          '_ws.malformed']
INSIDE = ('http', 'http2', 'tls', 'dns', 'mysql', 'pgsql', 'resp')  # of a proxy's tunnel, say
TSHARK = ['tshark', '-n', '-Y', 'tcp', '-T', 'fields', '-E', 'occurrence=l'] + [word for field in FIELDS for word in ('-e', field)]


def streams_of(path):
    streams = collections.OrderedDict()
    out = subprocess.run(TSHARK + ['-r', path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    for line in out.decode('utf-8', 'replace').splitlines():
        frame, stream, src4, src6, sport, dst4, dst6, dport, length, protocols, malformed = line.split('\t')
        if not stream:
            continue
        names = protocols.split(':')
        above = names[len(names) - names[::-1].index('tcp'):] if 'tcp' in names else []
        ends = sorted([(src4 or src6, sport), (dst4 or dst6, dport)])
        entry = streams.setdefault(stream, {'ends': ends, 'first': frame, 'seen': collections.Counter(), 'data': 0})
        entry['last'] = frame
        entry['data'] += int(length or 0)
        for name in above[:1] + [name for name in above[1:] if name in INSIDE]:
            entry['seen'][name + ('!' if malformed else '')] += 1
    return streams


def main():
    shared, out = sys.argv[1], csv.writer(sys.stdout, delimiter='\t', lineterminator='\n')
    out.writerow(['file', 'stream', 'a', 'b', 'first', 'last', 'bytes', 'protocols'])
    csv.field_size_limit(1 << 28)
    with open(os.path.join(shared, 'corpus', 'manifest.tsv'), encoding='utf-8', newline='') as file:
        captures = [row['file'] for row in csv.DictReader(file, delimiter='\t') if row['tcp_streams'] not in ('', '0')]
    for capture in captures:
        for stream, entry in streams_of(os.path.join(shared, 'corpus', capture)).items():
            if entry['data'] > 0:
                ends = ['%s %s' % end for end in entry['ends']]
                seen = ' '.join('%s=%d' % pair for pair in entry['seen'].most_common())
                out.writerow([capture, stream] + ends + [entry['first'], entry['last'], entry['data'], seen])


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tls_tshark.tsv: what tshark and openssl say of the TLS handshakes over TCP in the captures of the shared corpus.

usage: make_tls_expected.py SHARED > tls_tshark.tsv      (run by hand, with tshark 4.0 and openssl 3)

One line a connection with a handshake: the capture's name, the ends of the first frame of a handshake, and a JSON object of the values that
weir's record must have, by their canonical names. Of a connection with two hellos of a side (HelloRetryRequest) the last one holds. Names
of suites are tshark's; subjects, issuers and times are openssl's of the certificates that tshark cut out.
"""
import hashlib
import json
import os
import subprocess
import sys

FIELDS = ['tcp.stream', 'ip.src', 'ipv6.src', 'tcp.srcport', 'ip.dst', 'ipv6.dst', 'tcp.dstport', 'tls.handshake.type',
          'tls.handshake.extensions_server_name', 'tls.handshake.version', 'tls.handshake.extensions.supported_version',
          'tls.handshake.ciphersuite', 'tls.handshake.extensions_alpn_str', 'tls.handshake.ja3', 'tls.handshake.ja3s',
          'tls.handshake.certificate']
VERSIONS = {0x300: '3.0', 0x301: '1.0', 0x302: '1.1', 0x303: '1.2', 0x304: '1.3'}


def version(text):
    number = int(text, 0)
    return VERSIONS.get(number) or ('1.3 draft-%d' % (number & 255) if number >> 8 == 0x7f else '0x%04x' % number)


def is_grease(number):
    return number & 0x0f0f == 0x0a0a and number >> 8 == number & 255


def suites():
    names = {}
    for line in subprocess.run(['tshark', '-G', 'values'], capture_output=True, text=True, check=False).stdout.splitlines():
        column = line.split('\t')
        if column[:2] == ['V', 'tls.handshake.ciphersuite']:
            names[int(column[2], 0)] = column[3]
    return names


def of_certificate(der):
    def openssl(*words):
        run = subprocess.run(['openssl', 'x509', '-inform', 'DER', '-noout', '-nameopt', 'RFC2253,-esc_msb,utf8', '-dateopt',
                              'iso_8601'] + list(words), input=der, capture_output=True, check=False)
        return run.stdout.decode('utf-8', 'replace').strip().split('=', 1)[-1]

    if not openssl('-serial'):
        return {}
    return {'tls.server.subject': openssl('-subject'), 'tls.server.issuer': openssl('-issuer'),
            'tls.server.not_before': openssl('-startdate').replace(' ', 'T').replace('Z', '.000000000Z'),
            'tls.server.not_after': openssl('-enddate').replace(' ', 'T').replace('Z', '.000000000Z')}


def take(want, row, names):
    types = row['tls.handshake.type'].split('|')
    ciphers = [int(number, 0) for number in row['tls.handshake.ciphersuite'].split('|') if number]
    supported = [number for number in row['tls.handshake.extensions.supported_version'].split('|') if number]
    protocols = [text for text in row['tls.handshake.extensions_alpn_str'].split('|') if text]
    if '1' in types:
        offered = [version(number) for number in supported if not is_grease(int(number, 0))]
        want.update({'tls.client.supported_versions': offered or [version(row['tls.handshake.version'].split('|')[0])],
                     'tls.client.supported_ciphers': [names.get(cipher) or '0x%04x' % cipher for cipher in ciphers if not is_grease(cipher)][:128],
                     'tls.client.ja3': row['tls.handshake.ja3']})
        for name, value in (('tls.client.server_name', row['tls.handshake.extensions_server_name']),
                            ('tls.client.supported_protocols', protocols)):
            if value:
                want[name] = value
    if '2' in types:
        want.update({'tls.version': version((supported or row['tls.handshake.version'].split('|'))[0]),
                     'tls.cipher': names.get(ciphers[0]), 'tls.server.ja3s': row['tls.handshake.ja3s']})
        if protocols:
            want['tls.next_protocol'] = protocols[0]
    chain = [bytes.fromhex(der.replace(':', '')) for der in row['tls.handshake.certificate'].split('|') if der]
    if '11' in types and chain and '16' not in types:
        want['tls.server.certificate_chain.sha256'] = [hashlib.sha256(der).hexdigest() for der in chain]
        want.update(of_certificate(chain[0]))


def main():
    captures = os.path.join(sys.argv[1], 'corpus', 'captures')
    names = suites()
    print('file\tclient\tserver\tvalues')
    for folder, _, files in sorted(os.walk(captures)):
        for file in sorted(files):
            path = os.path.join(folder, file)
            words = [word for field in FIELDS for word in ('-e', field)]
            run = subprocess.run(['tshark', '-n', '-r', path, '-Y', 'tcp && tls.handshake.type', '-T', 'fields', '-E', 'aggregator=|']
                                 + words, capture_output=True, timeout=300, check=False)
            streams = {}
            for line in run.stdout.decode('utf-8', 'replace').splitlines():
                row = dict(zip(FIELDS, line.split('\t') + [''] * len(FIELDS)))
                # of a tunnel the inner one: here never IPv4 in IPv6
                source = (row['ipv6.src'] or row['ip.src'].split('|')[-1], int(row['tcp.srcport']))
                target = (row['ipv6.dst'] or row['ip.dst'].split('|')[-1], int(row['tcp.dstport']))
                stream = streams.setdefault(row['tcp.stream'], {'ends': None, 'values': {}})
                from_client = {'1', '16'} & set(row['tls.handshake.type'].split('|'))
                if from_client and stream['ends'] is None:
                    stream['ends'] = (source, target)
                elif stream['ends'] is None:
                    stream['ends'] = (target, source)
                take(stream['values'], row, names)
            for stream in streams.values():
                ends = ['%s %d' % end for end in stream['ends']]
                stream['values'] = {name: value for name, value in stream['values'].items() if value}
                if stream['values']:
                    print('\t'.join([os.path.relpath(path, os.path.dirname(captures))] + ends +
                                    [json.dumps(stream['values'], ensure_ascii=False, sort_keys=True)]))


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TCP conversations as text: flow2pcap.py FILE.flow FILE.pcap

A .flow file is a conversation of C (10.0.0.1:40000, the client) and S (10.0.0.2:80), a packet a line, and at its end what
weir must make of it (tests/scenario/run.py reads those lines). Numbers are offsets in the sender's stream: 0 is the first
byte after its SYN. Each packet comes 1 ms after the one before.

    # a comment
    C syn                   SYN                S syn-ack           SYN and ACK       C ack     a bare ACK
    C data 0 "abc"          three bytes at 0   C data 3 "x"*1000   a thousand        C fin 6   FIN at 6
    C data 0 "abc" fin      FIN after them     C rst 6             RST at 6          C rst 6 "bye"   with payload
    handshake               the three packets: C syn, S syn-ack, C ack
    close                   C fin, S fin, C ack: each where its sender is

    +20ms, +2s, -1h         the clock moves    drop C data 0 "a"   sent and received, but not captured
    lost C data 0 "a"       sent, but never received nor captured
    repeat 100 C data 10+20*i "x"*10           i from 0: an expression where a number is

    isn C 4294967295        sequence number of C's SYN (default 1000; S: 5000)
    port C 40001            from here on       ipv6                all of it over IPv6
    vlan C 10               from here on       tunnel KIND         all of it inside: gre, ipip, vxlan, geneve, gtp-u, teredo,
                                               erspan1, erspan2, erspan3; more lines nest, the outermost first

Words after a packet:
    ack N    acknowledge the peer's bytes before N (default: all that it has received in order)     noack   without ACK
    win N    window (default 65535)            ts V [E]    timestamps: value, echo    mss N, wscale N, sack A-B, fastopen
    option HEX   raw option bytes              seq N       overrides the offset       urg N        URG with this pointer
    badsum   wrong TCP checksum                badip       wrong IP checksum          iplen N      IP total length as said
    snap N   only N bytes of payload captured  pad N       N bytes of Ethernet padding
    frag N   IP fragments of N bytes           frag N reversed      frag N conflict: an overlapping last piece first
             frag N late T: the last piece T seconds later          frag N first: no piece but the first
    twice    captured twice                    drops N     N packets were lost before it, says the capture (a pcapng then)
"""
import re
import struct
import sys

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
ADDRESS4 = {'C': bytes([10, 0, 0, 1]), 'S': bytes([10, 0, 0, 2])}
ADDRESS6 = {side: bytes([0x20, 1, 0xd, 0xb8]) + bytes(11) + bytes([n]) for side, n in (('C', 1), ('S', 2))}
MAC = {'C': bytes([2, 0, 0, 0, 0, 1]), 'S': bytes([2, 0, 0, 0, 0, 2])}
PEER = {'C': 'S', 'S': 'C'}
UNITS = {'ns': 1, 'us': 10**3, 'ms': 10**6, 's': 10**9, 'm': 60 * 10**9, 'h': 3600 * 10**9}
STEP_NS = 10**6
START_NS = 1700000000 * 10**9
TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"(?:\*\d+)?|\S+)')
EXPECTATION = ('expect', 'run')


class FlowError(Exception):
    """A line that is not understood."""


def tokens_of(line):
    return TOKEN.findall(line)


def bytes_of(token):
    """The bytes of "text" or "text"*count."""
    match = re.fullmatch(r'"((?:[^"\\]|\\.)*)"(?:\*(\d+))?', token)
    text = match.group(1).encode('latin-1').decode('unicode_escape').encode('latin-1')
    return text * int(match.group(2) or 1)


def number(token, i=0):
    """A number, or an expression in i."""
    if not re.fullmatch(r'[-+*%()0-9i]+', token):
        raise FlowError('not a number: %s' % token)
    return int(eval(token, {'__builtins__': {}}, {'i': i}))  # only digits, operators and i


def checksum(octets):
    if len(octets) % 2:
        octets += b'\0'
    total = sum(struct.unpack('>%dH' % (len(octets) // 2), octets))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


TEREDO6 = {side: bytes([0x20, 1, 0, 0, 0, 0, 0, 1]) + bytes(7) + bytes([n]) for side, n in (('C', 1), ('S', 2))}
TUNNELS = ('gre', 'ipip', 'vxlan', 'geneve', 'gtp-u', 'teredo', 'erspan1', 'erspan2', 'erspan3')
OUTER4 = {'C': bytes([192, 0, 2, 1]), 'S': bytes([192, 0, 2, 2])}
TEREDO_PORT = {'C': 3797, 'S': 32900}  # two peers: none is the server's


def udp(sport, dport, octets):
    return 17, struct.pack('>HHHH', sport, dport, 8 + len(octets), 0) + octets


def wrap(tunnel, side, kind, octets):
    """The protocol and the payload of the datagram that carries this one (an IP datagram of this Ethernet type)."""
    ethernet = MAC[PEER[side]] + MAC[side] + struct.pack('>H', kind) + octets
    if tunnel == 'gre':
        return 47, struct.pack('>HH', 0, kind) + octets
    if tunnel == 'ipip':
        return (41 if kind == 0x86dd else 4), octets
    if tunnel == 'vxlan':
        return udp(49152 + len(octets), 4789, struct.pack('>II', 0x08000000, 42 << 8) + ethernet)
    if tunnel == 'geneve':
        return udp(49152 + len(octets), 6081, struct.pack('>HHI', 0, 0x6558, 42 << 8) + ethernet)
    if tunnel == 'gtp-u':
        return udp(2152, 2152, struct.pack('>BBHI', 0x30, 255, len(octets), 1 if side == 'C' else 2) + octets)
    if tunnel == 'teredo':
        return udp(TEREDO_PORT[side], TEREDO_PORT[PEER[side]], octets)
    if tunnel == 'erspan1':
        return 47, struct.pack('>HH', 0, 0x88be) + ethernet
    if tunnel == 'erspan2':
        return 47, struct.pack('>HHIII', 0x1000, 0x88be, 7, 0x10000000, 0) + ethernet
    return 47, struct.pack('>HHIIII', 0x1000, 0x22eb, 7, 0x20000000, 0, 0) + ethernet


def outer_ip(side, ident, protocol, octets):
    header = struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(octets), ident, 0, 64, protocol, 0) + OUTER4[side] + OUTER4[PEER[side]]
    return header[:10] + struct.pack('>H', checksum(header)) + header[12:] + octets


class Packet:
    """One TCP segment as it was asked for."""

    def __init__(self, side):
        self.side = side
        self.flags = ACK
        self.at = 0  # offset of the first byte; the SYN is at -1
        self.data = b''
        self.words = {}
        self.options = b''


def take_words(packet, tokens, i):
    """The words after a packet."""
    at = 0

    def value():
        nonlocal at
        at += 1
        if at >= len(tokens):
            raise FlowError('a number is missing')
        return number(tokens[at], i)

    while at < len(tokens):
        word = tokens[at]
        if word in ('ack', 'win', 'iplen', 'snap', 'pad', 'urg', 'seq', 'drops'):
            packet.words[word] = value()
        elif word in ('noack', 'badsum', 'badip', 'twice', 'fin'):
            packet.words[word] = True
        elif word == 'ts':
            echo = 0
            stamp = value()
            if at + 1 < len(tokens) and re.fullmatch(r'\d+', tokens[at + 1]):
                echo = value()
            packet.options += struct.pack('>BBBBII', 1, 1, 8, 10, stamp, echo)
        elif word == 'mss':
            packet.options += struct.pack('>BBH', 2, 4, value())
        elif word == 'wscale':
            packet.options += struct.pack('>BBBB', 1, 3, 3, value())
        elif word == 'sack':
            at += 1
            packet.words['sack'] = [int(n) for n in tokens[at].split('-')]
        elif word == 'fastopen':
            packet.options += bytes([34, 10]) + b'cookie12'
        elif word == 'option':
            at += 1
            packet.options += bytes.fromhex(tokens[at])
        elif word == 'frag':
            packet.words['frag'] = value()
            if at + 1 < len(tokens) and tokens[at + 1] in ('reversed', 'conflict', 'first'):
                at += 1
                packet.words[tokens[at]] = True
            elif at + 1 < len(tokens) and tokens[at + 1] == 'late':
                at += 1
                packet.words['late'] = value()
        else:
            raise FlowError('not a word: %s' % word)
        at += 1


class Side:
    """One endpoint: what it sent, and what it received in order."""

    def __init__(self, isn, port):
        self.isn = isn
        self.port = port
        self.vlan = None
        self.sent = 0  # offset after the last byte sent; FIN counts one
        self.received = 0
        self.early = {}  # ranges received out of order: start -> end
        self.heard = False

    def receive(self, start, end):
        self.heard = True
        if end > start:
            self.early[start] = max(end, self.early.get(start, 0))
        moved = True
        while moved:
            moved = False
            for first in sorted(self.early):
                if first <= self.received < self.early[first]:
                    self.received = self.early[first]
                    moved = True


class Conversation:
    """Builds the packets of a .flow file."""

    def __init__(self):
        self.sides = {'C': Side(1000, 40000), 'S': Side(5000, 80)}
        self.now_ns = START_NS
        self.frames = []  # (time, captured bytes, wire length)
        self.ipv6 = False
        self.tunnels = []
        self.addresses6 = ADDRESS6
        self.ident = 0
        self.expectations = []

    # --- text ---

    def read(self, text):
        for count, line in enumerate(text.splitlines(), 1):
            tokens = tokens_of(line.split('#')[0] if '"' not in line else line)
            if not tokens or tokens[0].startswith('#'):
                continue
            try:
                self.line(tokens)
            except (FlowError, ValueError, IndexError, AttributeError, SyntaxError) as error:
                raise FlowError('line %d: %s: %s' % (count, line.strip(), error)) from error

    def line(self, tokens, i=0, fate='captured'):
        first = tokens[0]
        if first in EXPECTATION:
            self.expectations.append(tokens)
        elif re.fullmatch(r'[-+][0-9.]+(ns|us|ms|s|m|h)', first):
            match = re.fullmatch(r'([-+][0-9.]+)([a-z]+)', first)
            self.now_ns += round(float(match.group(1)) * UNITS[match.group(2)])
        elif first == 'repeat':
            for k in range(number(tokens[1])):
                self.line(tokens[2:], k)
        elif first in ('drop', 'lost'):
            self.line(tokens[1:], i, first)
        elif first == 'handshake':
            for line in ('C syn', 'S syn-ack', 'C ack'):
                self.line(tokens_of(line))
        elif first == 'close':
            self.line(['C', 'fin', str(self.sides['C'].sent)])
            self.line(['S', 'fin', str(self.sides['S'].sent)])
            self.line(['C', 'ack'])
        elif first == 'ipv6':
            self.ipv6 = True
        elif first == 'tunnel':
            if tokens[1] not in TUNNELS:
                raise FlowError('not a tunnel')
            self.tunnels.append(tokens[1])
            if tokens[1] == 'teredo':
                self.ipv6, self.addresses6 = True, TEREDO6
        elif first == 'isn':
            self.sides[tokens[1]].__init__(number(tokens[2]), self.sides[tokens[1]].port)
        elif first == 'port':
            self.sides[tokens[1]].port = number(tokens[2])
        elif first == 'vlan':
            self.sides[tokens[1]].vlan = number(tokens[2])
        elif first in ('C', 'S'):
            self.send(self.packet(first, tokens[1:], i), fate)
        else:
            raise FlowError('not understood')

    def packet(self, side, tokens, i):
        packet = Packet(side)
        kind, rest = tokens[0], tokens[1:]
        packet.at = self.sides[side].sent
        if kind in ('syn', 'syn-ack'):
            packet.flags = SYN | (ACK if kind == 'syn-ack' else 0)
            packet.at = -1
        elif kind in ('data', 'fin', 'rst'):
            packet.flags = {'data': ACK | PSH, 'fin': ACK | FIN, 'rst': RST | ACK}[kind]
            packet.at = number(rest[0], i)
            rest = rest[1:]
        elif kind != 'ack':
            raise FlowError('not a packet: %s' % kind)
        if kind == 'ack' and rest and re.fullmatch(r'[0-9i+*()]+', rest[0]):
            rest = ['ack'] + rest
        if rest and rest[0].startswith('"'):
            packet.data = bytes_of(rest[0])
            rest = rest[1:]
        take_words(packet, rest, i)
        if packet.words.get('fin'):
            packet.flags |= FIN
        if packet.words.get('noack'):
            packet.flags &= ~ACK
        if 'urg' in packet.words:
            packet.flags |= URG
        packet.at = packet.words.get('seq', packet.at)
        return packet

    # --- bytes ---

    def send(self, packet, fate):
        me, peer = self.sides[packet.side], self.sides[PEER[packet.side]]
        start = packet.at + bool(packet.flags & SYN)
        end = start + len(packet.data) + bool(packet.flags & FIN)
        if not packet.flags & RST:
            me.sent = max(me.sent, end)
        if fate != 'lost' and not packet.flags & RST and not packet.words.get('badsum'):
            peer.receive(start, end)
        if fate == 'captured':
            segment = self.tcp(packet, me, peer)
            for _ in range(2 if packet.words.get('twice') else 1):
                self.datagram(packet, segment)
        self.now_ns += STEP_NS

    def tcp(self, packet, me, peer):
        options = packet.options
        if 'sack' in packet.words:
            first, last = packet.words['sack']
            options += struct.pack('>BBBBII', 1, 1, 5, 10, (peer.isn + 1 + first) & 0xffffffff,
                                   (peer.isn + 1 + last) & 0xffffffff)
        options += bytes(-len(options) % 4)
        ack = 0
        if packet.flags & ACK:
            ack = (peer.isn + 1 + packet.words.get('ack', me.received)) & 0xffffffff
        header = struct.pack('>HHIIBBHHH', me.port, peer.port, (me.isn + 1 + packet.at) & 0xffffffff, ack,
                             (5 + len(options) // 4) << 4, packet.flags, packet.words.get('win', 65535), 0,
                             packet.words.get('urg', 0)) + options
        addresses = ADDRESS6 if self.ipv6 else ADDRESS4
        length = len(header) + len(packet.data)
        pseudo = addresses[packet.side] + addresses[PEER[packet.side]] + (
            struct.pack('>II', length, 6) if self.ipv6 else struct.pack('>BBH', 0, 6, length))
        total = checksum(pseudo + header + packet.data)
        if packet.words.get('badsum'):
            total ^= 0x1234
        return header[:16] + struct.pack('>H', total) + header[18:] + packet.data

    def datagram(self, packet, segment):
        self.ident += 1
        size = packet.words.get('frag')
        if size is None:
            self.frame(packet, self.ip(packet, segment, 0, False), len(packet.data))
            return
        pieces = [(at, segment[at:at + size], at + size < len(segment)) for at in range(0, len(segment), size)]
        if packet.words.get('reversed'):
            pieces.reverse()
        if packet.words.get('conflict'):
            at, octets, more = pieces[-1]
            pieces.insert(len(pieces) - 1, (at, octets, more))
            pieces[-1] = (at, bytes(byte ^ 0x20 for byte in octets), more)
            pieces.append(pieces.pop(0))
        if packet.words.get('first'):
            del pieces[1:]
            pieces[0] = pieces[0][:2] + (True,)
        for at, octets, more in pieces:
            if not more:
                self.now_ns += packet.words.get('late', 0) * 10**9
            self.frame(packet, self.ip(packet, octets, at, more), None)

    def ip(self, packet, octets, at, more):
        source, target = packet.side, PEER[packet.side]
        if self.ipv6:
            extension = b''
            if 'frag' in packet.words:
                extension = struct.pack('>BBHI', 6, 0, at | more, self.ident)
            return struct.pack('>IHBB', 0x60000000, len(extension) + len(octets), 44 if extension else 6, 64) + \
                self.addresses6[source] + self.addresses6[target] + extension + octets
        header = struct.pack('>BBHHHBBH', 0x45, 0, packet.words.get('iplen', 20 + len(octets)), self.ident,
                             (0x2000 if more else 0) | at // 8, 64, 6, 0) + ADDRESS4[source] + ADDRESS4[target]
        total = checksum(header) ^ (0x4321 if packet.words.get('badip') else 0)
        return header[:10] + struct.pack('>H', total) + header[12:] + octets

    def frame(self, packet, octets, data_len):
        kind = 0x86dd if self.ipv6 else 0x0800
        for tunnel in reversed(self.tunnels):
            octets = outer_ip(packet.side, self.ident, *wrap(tunnel, packet.side, kind, octets))
            kind = 0x0800
        tag = b''
        if self.sides[packet.side].vlan is not None:
            tag = struct.pack('>HH', 0x8100, self.sides[packet.side].vlan)
        octets = MAC[PEER[packet.side]] + MAC[packet.side] + tag + struct.pack('>H', kind) + octets
        wire = len(octets)
        if 'snap' in packet.words:
            octets = octets[:wire - data_len + packet.words['snap']]
        octets += b'\xa5' * packet.words.get('pad', 0)
        self.frames.append((self.now_ns, octets, wire + packet.words.get('pad', 0), packet.words.get('drops', 0)))

    def pcapng(self):
        """The same as pcapng, which can tell of drops (epb_dropcount)."""
        out = [block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)),
               block(1, struct.pack('<HHI', 1, 0, 262144) + struct.pack('<HHB3xHH', 9, 1, 9, 0, 0))]
        for now, octets, wire, drops in self.frames:
            head = struct.pack('<IIIII', 0, now >> 32, now & 0xffffffff, len(octets), wire)
            option = struct.pack('<HHQHH', 4, 8, drops, 0, 0) if drops else b''
            out.append(block(6, head + octets + bytes(-len(octets) % 4) + option))
        return b''.join(out)

    def pcap(self):
        """The capture: nanosecond pcap of Ethernet frames."""
        if any(drops for _, _, _, drops in self.frames):
            return self.pcapng()
        out = [struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 262144, 1)]
        for now, octets, wire, _ in self.frames:
            out.append(struct.pack('<IIII', now // 10**9, now % 10**9, len(octets), wire) + octets)
        return b''.join(out)


def block(kind, body):
    length = 12 + len(body)
    return struct.pack('<II', kind, length) + body + struct.pack('<I', length)


def load(path):
    """The conversation of a file."""
    conversation = Conversation()
    with open(path, encoding='utf-8') as file:
        conversation.read(file.read())
    return conversation


def main():
    try:
        conversation = load(sys.argv[1])
    except FlowError as error:
        sys.exit('%s: %s' % (sys.argv[1], error))
    with open(sys.argv[2], 'wb') as file:
        file.write(conversation.pcap())


if __name__ == '__main__':
    main()

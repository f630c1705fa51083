# SPDX-License-Identifier: Apache-2.0
"""Makes captures for tests: Ethernet/IPv4/TCP packets with right lengths and checksums, written as a nanosecond pcap."""
import struct

SYN, FIN, RST, PSH, ACK = 2, 1, 4, 8, 16


def checksum(data):
    if len(data) & 1:
        data += b'\0'
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total >> 16) + (total & 0xffff)
    return ~total & 0xffff


def address(text):
    return bytes(int(part) for part in text.split('.'))


def tcp_packet(src, dst, seq, ack, flags, payload=b'', window=64240, options=b''):
    """src, dst: (address, port); options: TCP's, a multiple of four bytes. A whole Ethernet frame."""
    a, b = address(src[0]), address(dst[0])
    tcp = struct.pack('!HHIIBBHHH', src[1], dst[1], seq & 0xffffffff, ack & 0xffffffff, (5 + len(options) // 4) << 4, flags, window, 0, 0)
    tcp += options
    pseudo = a + b + struct.pack('!BBH', 0, 6, len(tcp) + len(payload))
    tcp = tcp[:16] + struct.pack('!H', checksum(pseudo + tcp + payload)) + tcp[18:]
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(tcp) + len(payload), 0, 0x4000, 64, 6, 0, a, b)
    ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
    return b'\2\0\0\0\0\2\2\0\0\0\0\1\x08\0' + ip + tcp + payload


class Pcap:
    """A capture being written. The clock starts at 1,700,000,000 s and moves 1 ms a packet unless told otherwise."""

    def __init__(self, path):
        self.file = open(path, 'wb')
        self.file.write(struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        self.now_ns = 1700000000 * 10**9

    def packet(self, frame, step_ns=10**6):
        self.file.write(struct.pack('<IIII', self.now_ns // 10**9, self.now_ns % 10**9, len(frame), len(frame)) + frame)
        self.now_ns += step_ns

    def close(self):
        self.file.close()


class Connection:
    """A TCP connection that is spoken by hand: each call writes a packet or two."""

    def __init__(self, pcap, client, server, isn=(1000, 5000)):
        self.pcap, self.ends, self.seq = pcap, (client, server), list(isn)

    def send(self, side, flags, payload=b''):
        other = 1 - side
        ack = self.seq[other] if flags & ACK else 0
        self.pcap.packet(tcp_packet(self.ends[side], self.ends[other], self.seq[side], ack, flags, payload))
        self.seq[side] += len(payload) + bool(flags & (SYN | FIN))

    def open(self):
        self.send(0, SYN)
        self.send(1, SYN | ACK)
        self.send(0, ACK)

    def data(self, side, payload):
        self.send(side, PSH | ACK, payload)
        self.send(1 - side, ACK)

    def close(self):
        self.send(0, FIN | ACK)
        self.send(1, FIN | ACK)
        self.send(0, ACK)


# ---- pcapng that was written, in this machine's byte order ----

def blocks(data):
    """(type, body) of whole blocks; raises struct.error or AssertionError where the file is cut."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from('<II', data, at)
        assert struct.unpack_from('<I', data, at + length - 4)[0] == length, 'the trailing length of a block'
        yield kind, data[at + 8:at + length - 4]
        at += length


def frames_in(path):
    """(time, bytes) of the packets."""
    with open(path, 'rb') as file:
        found = []
        for kind, body in blocks(file.read()):
            if kind == 6:
                _, high, low, caplen, _ = struct.unpack_from('<IIIII', body)
                found.append((high << 32 | low, body[20:20 + caplen]))
        return found

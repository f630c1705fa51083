#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The network of the demo capture: a cable in user space between clients and servers, with a sensor beside the servers.

It makes two pairs of TAP devices (wdc0-wds0 and, for the office, wdc1-wds1), prints `ready` and passes frames from one end to
the other: with a delay that depends on the client, and for one client (the phone) with loss and reordering. The sensor
writes what passes it to a pcapng file; frames of the second pair get the 802.1Q tag a switch's trunk would show.

  client --- far hop: delay, loss, reordering --- sensor --- near hop: 0.1 ms, reordering --- server

So a segment lost on its way to the server never reaches the sensor, one lost on its way to the client is seen there and
seen again. All faults are counted per flow and direction, not drawn: each run has the same ones. Exactly one gap: two
consecutive segments of one download pass, but the sensor does not record them (and counts them as its drops).

usage: path.py FILE.pcapng     ends on SIGTERM, when all frames in flight have arrived
"""
import fcntl
import heapq
import os
import select
import signal
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP_NO_PI = 0x1002
VLAN = 42
NEAR_NS = 100_000
DELAYS_MS = {  # one way, by the last byte of the client's address
    10: 6.0,  # desktop
    15: 4.0,  # laptop, IPv6
    17: 0.3,  # office
    23: 22.0,  # phone
    66: 40.0,  # scanner
    77: 9.0,  # partner
    200: 0.2,  # monitoring
}
PHONE = 23
UNRECORDED_REQUEST = b"GET /downloads/catalogue.pdf "
UNRECORDED_SEGMENTS = (9, 10)


class PcapngWriter:
    """One section, one interface, ns."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.last_ns = 0
        options = self.option(1, b"the demo capture of weir, made by tools/make_demo_capture")
        options += self.option(4, b"weir tools/demo/path.py")
        self.block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options + bytes(4))
        options = self.option(2, b"span0") + self.option(9, b"\x09")
        self.block(1, struct.pack("<HHI", 1, 0, 262144) + options + bytes(4))

    @staticmethod
    def option(code, value):
        return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)

    def block(self, kind, body):
        length = 12 + len(body)
        self.file.write(struct.pack("<II", kind, length) + body + struct.pack("<I", length))

    def packet(self, ts_ns, frame):
        self.last_ns = ts_ns
        head = struct.pack("<IIIII", 0, ts_ns >> 32, ts_ns & 0xFFFFFFFF, len(frame), len(frame))
        self.block(6, head + frame + bytes(-len(frame) % 4))

    def finish(self, drops):
        head = struct.pack("<III", 0, self.last_ns >> 32, self.last_ns & 0xFFFFFFFF)
        self.block(5, head + self.option(5, struct.pack("<Q", drops)) + bytes(4))
        self.file.close()


def open_tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name, IFF_TAP_NO_PI))
    return fd


def deliver(fd, frame):
    try:
        os.write(fd, frame)
    except OSError:
        pass  # the device at that end is not up yet


def parse_tcp(frame):
    """(source, destination, payload) of a TCP frame, else None. source = address + port, as bytes."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and frame[23] == 6:
        at = 14 + (frame[14] & 15) * 4
        end = 14 + int.from_bytes(frame[16:18], "big")
        addresses = frame[26:30], frame[30:34]
    elif kind == b"\x86\xdd" and frame[20] == 6:
        at = 54
        end = 54 + int.from_bytes(frame[18:20], "big")
        addresses = frame[22:38], frame[38:54]
    else:
        return None
    payload = frame[at + (frame[at + 12] >> 4) * 4 : end]
    return addresses[0] + frame[at : at + 2], addresses[1] + frame[at + 2 : at + 4], payload


def client_of(frame, to_server):
    """Last byte of the client's address; 0: not IP (ARP and the like)."""
    if frame[12:14] == b"\x08\x00":
        return frame[29] if to_server else frame[33]
    if frame[12:14] == b"\x86\xdd":
        return frame[37] if to_server else frame[53]
    return 0


class Path:
    def __init__(self, path):
        self.writer = PcapngWriter(path)
        self.heap = []
        self.order = 0
        self.drops = 0
        self.counts = {}  # (source, destination) -> data segments so far
        self.unrecorded = {}  # the same -> data segments since the request
        self.ending = False

    def later(self, delay_ns, action, *args):
        self.order += 1
        heapq.heappush(self.heap, (time.time_ns() + int(delay_ns), self.order, action, args))

    def record(self, frame, tagged):
        if tagged:
            frame = frame[:12] + struct.pack(">HH", 0x8100, VLAN) + frame[12:]
        self.writer.packet(time.time_ns(), frame)

    def count(self, tcp):
        """Which data segment of its flow and direction this is, from 1; 0: it has no data."""
        if tcp is None or len(tcp[2]) == 0:
            return 0
        key = tcp[0], tcp[1]
        self.counts[key] = self.counts.get(key, 0) + 1
        return self.counts[key]

    def from_client(self, frame, out, tagged):
        client = client_of(frame, True)
        n = self.count(parse_tcp(frame))
        delay_ns = DELAYS_MS.get(client, 0.2) * 1e6
        if client == PHONE and n > 0:
            if n % 11 == 5:
                return  # lost before the sensor
            if n % 6 == 3:
                delay_ns += 4e6  # overtaken by the next ones
        self.later(delay_ns, self.pass_to_server, frame, out, tagged)

    def pass_to_server(self, frame, out, tagged):
        tcp = parse_tcp(frame)
        if tcp is not None and tcp[2].startswith(UNRECORDED_REQUEST):
            self.unrecorded[tcp[1], tcp[0]] = 0
        self.record(frame, tagged)
        self.later(NEAR_NS, deliver, out, frame)

    def from_server(self, frame, out, tagged):
        client = client_of(frame, False)
        n = self.count(parse_tcp(frame))
        delay_ns = NEAR_NS
        if client == PHONE and n % 8 == 4:
            delay_ns += 2_000_000
        self.later(delay_ns, self.pass_to_client, frame, out, tagged, client, n)

    def pass_to_client(self, frame, out, tagged, client, n):
        if not self.is_unrecorded(parse_tcp(frame)):
            self.record(frame, tagged)
        if client == PHONE and n > 0 and n % 13 == 7:
            return  # lost behind the sensor
        self.later(DELAYS_MS.get(client, 0.2) * 1e6, deliver, out, frame)

    def is_unrecorded(self, tcp):
        if tcp is None or len(tcp[2]) == 0 or (tcp[0], tcp[1]) not in self.unrecorded:
            return False
        self.unrecorded[tcp[0], tcp[1]] += 1
        if self.unrecorded[tcp[0], tcp[1]] not in UNRECORDED_SEGMENTS:
            return False
        self.drops += 1
        return True

    def run(self, taps):
        """taps: descriptor -> (what takes its frames, the other end, tagged)"""
        while not self.ending or self.heap:
            now = time.time_ns()
            wait = (self.heap[0][0] - now) / 1e9 if self.heap else 0.2
            ready, _, _ = select.select([] if self.ending else taps, [], [], min(0.2, max(0, wait)))
            for fd in ready:
                take, out, tagged = taps[fd]
                take(os.read(fd, 65536), out, tagged)
            while self.heap and self.heap[0][0] <= time.time_ns():
                _, _, action, args = heapq.heappop(self.heap)
                action(*args)
        self.writer.finish(self.drops)


def main():
    path = Path(sys.argv[1])
    c0, s0, c1, s1 = [open_tap(name) for name in (b"wdc0", b"wds0", b"wdc1", b"wds1")]

    def end(*_):
        path.ending = True

    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    path.run(
        {
            c0: (path.from_client, s0, False),
            s0: (path.from_server, c0, False),
            c1: (path.from_client, s1, True),
            s1: (path.from_server, c1, True),
        }
    )
    print(f"{path.drops} packets not recorded")


main()

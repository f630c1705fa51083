# SPDX-License-Identifier: Apache-2.0
"""A client of MySQL that asks for what a test is about: with or without DEPRECATE_EOF, compressed, prepared. No password."""
import socket
import struct
import zlib

DATABASE, COMPRESS, PROTOCOL_41, TRANSACTIONS, SECURE, MULTI, MULTI_RESULTS, PLUGIN, DEPRECATE_EOF = (
    0x8, 0x20, 0x200, 0x2000, 0x8000, 0x10000, 0x20000, 0x80000, 0x1000000)
MORE_RESULTS = 0x8


class ServerError(Exception):
    pass


class Client:
    def __init__(self, port, user, database, eof=True, compress=False):
        self.compress = False
        self.incoming, self.plain = b'', b''
        self.socket = socket.create_connection(('127.0.0.1', port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        greeting = self.packet()
        assert greeting[0] == 10, greeting
        self.deprecate_eof = not eof
        capabilities = (DATABASE | PROTOCOL_41 | TRANSACTIONS | SECURE | MULTI | MULTI_RESULTS | PLUGIN
                        | (0 if eof else DEPRECATE_EOF) | (COMPRESS if compress else 0))
        self.send(struct.pack('<IIB23x', capabilities, 1 << 26, 45) + user.encode() + b'\0\0' + database.encode() + b'\0'
                  b'mysql_native_password\0', 1)
        answer = self.packet()
        if answer[0] != 0:
            raise ServerError(answer)
        self.compress = compress

    # ---- packets ----

    def receive(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError
        return data

    def more(self):
        if not self.compress:
            self.plain += self.receive()
            return
        while len(self.incoming) < 7 or len(self.incoming) < 7 + int.from_bytes(self.incoming[:3], 'little'):
            self.incoming += self.receive()
        length, out = int.from_bytes(self.incoming[:3], 'little'), int.from_bytes(self.incoming[4:7], 'little')
        frame, self.incoming = self.incoming[7:7 + length], self.incoming[7 + length:]
        self.plain += zlib.decompress(frame) if out else frame

    def packet(self):
        while len(self.plain) < 4 or len(self.plain) < 4 + int.from_bytes(self.plain[:3], 'little'):
            self.more()
        length = int.from_bytes(self.plain[:3], 'little')
        packet, self.plain = self.plain[4:4 + length], self.plain[4 + length:]
        return packet

    def send(self, payload, sequence=0):
        packet = struct.pack('<I', len(payload) | sequence << 24) + payload
        if self.compress:
            squeezed = zlib.compress(packet) if len(packet) >= 50 else packet
            out = len(packet) if len(packet) >= 50 else 0
            packet = struct.pack('<I', len(squeezed)) + out.to_bytes(3, 'little') + squeezed
        self.socket.sendall(packet)

    # ---- results ----

    def is_end(self, packet):
        return packet[0] == 0xfe and (len(packet) < 9 or self.deprecate_eof and len(packet) < 0xffffff)

    def status(self, end):
        """Of the EOF, or the OK, behind rows. Figures of an OK are below 251 here."""
        return struct.unpack_from('<H', end, 3)[0]

    def result(self):
        """(rows, status); rows None: an OK."""
        first = self.packet()
        if first[0] == 0xff:
            raise ServerError(first)
        if first[0] == 0:
            return None, self.status(first)
        for _ in range(first[0]):
            self.packet()
        if not self.deprecate_eof:
            assert self.is_end(self.packet())
        rows = 0
        while True:
            row = self.packet()
            if row[0] == 0xff:
                raise ServerError(row)
            if self.is_end(row):
                return rows, self.status(row)
            rows += 1

    def results(self):
        found, status = [], MORE_RESULTS
        while status & MORE_RESULTS:
            rows, status = self.result()
            found.append(rows)
        return found

    # ---- commands ----

    def query(self, sql):
        """Rows of each of its results."""
        self.send(b'\x03' + sql.encode())
        return self.results()

    def prepare(self, sql):
        self.send(b'\x16' + sql.encode())
        answer = self.packet()
        if answer[0] != 0:
            raise ServerError(answer)
        number, columns, parameters = struct.unpack_from('<IHH', answer, 1)
        for n in (parameters, columns):
            for _ in range(n + (n > 0 and not self.deprecate_eof)):
                self.packet()
        return number

    def execute(self, number, value):
        """A statement with one parameter, a number."""
        self.send(struct.pack('<BIBIBBHq', 0x17, number, 0, 1, 0, 1, 8, value))
        return self.results()

    def close(self):
        self.send(b'\x01')
        self.socket.close()

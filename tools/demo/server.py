#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""api.shop.example of the demo capture: what nginx does not do by itself.

Slow answers, errors, chunked bodies with trailers, event streams, a WebSocket, answers that end with the connection. All
content is made here and the same in each run.

usage: server.py ADDRESS PORT     (an address with `:` is IPv6)
"""
import base64
import hashlib
import http.server
import json
import socket
import struct
import sys
import time

PRODUCTS = [
    {"id": 1001, "name": "Enamel mug", "price": "9.50", "stock": 412},
    {"id": 1002, "name": "Linen apron", "price": "34.00", "stock": 37},
    {"id": 1003, "name": "Cast iron pan", "price": "59.90", "stock": 18},
    {"id": 1004, "name": "Tea towel, set of 3", "price": "16.00", "stock": 230},
    {"id": 1005, "name": "Olive wood board", "price": "42.00", "stock": 0},
    {"id": 1006, "name": "Pepper mill", "price": "28.75", "stock": 96},
]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "shop-api/3.2"
    sys_version = ""
    wbufsize = -1  # head and body leave together

    def log_message(self, *args):
        pass

    def reply(self, status, body=b"", kind="application/json", headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body, indent=1).encode() + b"\n"
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunked(self, pieces, kind="application/json", trailers=(), pause=0.0):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        if trailers:
            self.send_header("Trailer", ", ".join(name for name, _ in trailers))
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            if pause > 0:
                self.wfile.flush()
                time.sleep(pause)
        self.wfile.write(b"0\r\n")
        for name, value in trailers:
            self.wfile.write(f"{name}: {value}\r\n".encode())
        self.wfile.write(b"\r\n")

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def do_GET(self):
        path, _, query = self.path.partition("?")
        name = "get_" + path.strip("/").split("/")[-1].replace(".", "_").replace("-", "_")
        if path.startswith("/v1/products/"):
            self.get_product(path.rsplit("/", 1)[1])
        elif hasattr(self, name):
            getattr(self, name)(query)
        else:
            self.reply(404, {"error": "not_found", "path": path})

    do_HEAD = do_GET

    def get_product(self, number):
        found = [p for p in PRODUCTS if str(p["id"]) == number]
        if found:
            time.sleep(0.012)
            self.reply(200, found[0], headers=[("Cache-Control", "max-age=60")])
        else:
            self.reply(404, {"error": "no_such_product", "id": number})

    def get_products(self, query):
        time.sleep(0.025)
        self.reply(200, {"page": query, "products": PRODUCTS})

    def get_search(self, query):
        time.sleep(0.15 + len(query) % 5 * 0.06)
        self.chunked([json.dumps({"query": query, "hit": p}).encode() + b"\n" for p in PRODUCTS])

    def get_recommendations(self, _):
        time.sleep(0.05)
        pieces = [json.dumps(p).encode() + b"\n" for p in PRODUCTS[:3]]
        digest = base64.b64encode(hashlib.sha256(b"".join(pieces)).digest()).decode()
        trailers = [("Digest", "sha-256=" + digest), ("Server-Timing", "db;dur=31.4, rank;dur=12.2")]
        self.chunked(pieces, trailers=trailers)

    def get_sales_csv(self, _):
        time.sleep(0.85)
        rows = [f"2026-11-{day:02d},{day * 37 % 90 + 10},{day * 911 % 4000 / 4:.2f}" for day in range(1, 29)]
        self.reply(200, "\n".join(["date,orders,revenue"] + rows).encode(), "text/csv")

    def get_events(self, _):
        events = [f"event: stock\ndata: {json.dumps(p)}\n\n".encode() for p in PRODUCTS[:5]]
        self.chunked(events, "text/event-stream", pause=0.3)

    def get_whoami(self, _):
        if self.headers.get("Authorization", "").startswith("Bearer "):
            self.reply(200, {"user": "partner-sync", "scopes": ["orders:read", "products:read"]})
        else:
            self.reply(401, {"error": "unauthorized"}, headers=[("WWW-Authenticate", 'Bearer realm="api"')])

    def get_orders(self, query):
        if "page=9" in query:
            self.reply(429, {"error": "rate_limited"}, headers=[("Retry-After", "2")])
        else:
            time.sleep(0.06)
            self.reply(200, {"query": query, "orders": [{"id": 7000 + i, "total": 19.5 * i} for i in range(1, 9)]})

    def get_inventory(self, _):
        self.reply(503, b"upstream connect error\n", "text/plain", [("Retry-After", "5")])

    def get_healthz(self, _):
        self.reply(200, b"ok\n", "text/plain")

    def get_metrics(self, _):
        """Ends with the connection, as HTTP/1.0 knew no other way."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Connection", "close")
        self.end_headers()
        for p in PRODUCTS:
            self.wfile.write(f'shop_stock{{product="{p["id"]}"}} {p["stock"]}\n'.encode())
        self.close_connection = True

    def get_live(self, _):
        """A WebSocket: three messages, then close."""
        key = self.headers.get("Sec-WebSocket-Key", "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.flush()
        for p in PRODUCTS[:3]:
            text = json.dumps({"stock": p["stock"], "id": p["id"]}).encode()
            self.wfile.write(bytes([0x81, len(text)]) + text)
            self.wfile.flush()
            time.sleep(0.12)
        self.wfile.write(bytes([0x88, 2]) + struct.pack(">H", 1000))
        self.wfile.flush()
        self.rfile.read(8)  # the client's close: 2 bytes of head, 4 of mask, 2 of code
        self.close_connection = True

    def do_POST(self):
        data = self.body()
        if self.path == "/v1/orders" and b'"coupon"' in data:
            time.sleep(0.11)
            self.reply(500, {"error": "internal", "trace": "0000000000000000feedbeef"})
        elif self.path == "/v1/orders":
            time.sleep(0.21)
            self.reply(201, {"order": 7042, "state": "accepted"}, headers=[("Location", "/v1/orders/7042")])
        elif self.path == "/v1/login":
            time.sleep(0.09)
            cookie = "session=FAKE-5f1d0e2c9b7a; Path=/; HttpOnly; SameSite=Lax"
            self.reply(200, {"user": "demo"}, headers=[("Set-Cookie", cookie)])
        elif self.path == "/v1/cart/items":
            self.reply(201, {"items": 1 + len(data) % 4})
        elif self.path == "/v1/reviews":
            time.sleep(0.04)
            self.reply(202, {"received": len(data)})
        else:
            self.reply(422, {"error": "unprocessable", "bytes": len(data)})

    def do_PUT(self):
        self.reply(200, {"saved": len(self.body())})

    def do_DELETE(self):
        self.reply(204)

    def do_OPTIONS(self):
        allow = [("Access-Control-Allow-Origin", "http://shop.example"), ("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")]
        self.reply(204, headers=allow)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that go away are part of the play


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    Server.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
    Server((address, port), Handler).serve_forever()


main()

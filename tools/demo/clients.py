#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The clients of the demo capture: seven people and programs, each with its own address, at the same time.

Most requests are made by curl, several in one call where a connection is kept alive; what curl cannot do (pipelining, a
WebSocket) is done with a socket. Names, tokens and cookies are made up: .example and .test belong to nobody, and no
credential here opens anything.
"""
import hashlib
import os
import socket
import subprocess
import threading
import time

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)
CHROME = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0"
V4 = {"shop.example:80": "198.51.100.80:80", "api.shop.example:8080": "198.51.100.81:8080"}
V6 = {"shop.example:80": "[2001:db8:2::80]:80", "api.shop.example:8080": "[2001:db8:2::81]:8080"}
OFFICE = {"wiki.corp.test:80": "10.42.0.80:80"}
SHOP = "http://shop.example"
API = "http://api.shop.example:8080/v1"
WIKI = "http://wiki.corp.test"
PAGE = ["/", "/assets/site.css", "/assets/app.js"]
PICTURES = [f"/img/{number}.jpg" for number in range(1001, 1007)]
COOKIE = ["-b", "session=FAKE-5f1d0e2c9b7a; theme=dark"]
BEARER = ["-H", "Authorization: Bearer FAKE.eyJzdWIiOiJwYXJ0bmVyIn0.not-a-signature"]
JSON = ["-H", "Content-Type: application/json"]


class Client:
    def __init__(self, address, agent, hosts):
        self.address = address
        self.hosts = hosts
        self.common = ["-s", "-o", "/dev/null", "--http1.1", "--compressed", "--interface", address, "-A", agent]
        self.n = 0

    def traced(self):
        """A traceparent: the same in each run."""
        self.n += 1
        text = hashlib.md5(f"{self.address} {self.n}".encode()).hexdigest()
        return ["-H", f"traceparent: 00-{text}-{text[:16]}-01"]

    def get(self, *transfers, rate=None):
        """One curl: each transfer is a list of its options and its URL; the connection is kept between them."""
        command = ["curl", "-q", "--noproxy", "*"] + (["--rate", rate] if rate else [])
        for name, to in self.hosts.items():
            command += ["--connect-to", f"{name}:{to}"]
        connect = command[4 + (2 if rate else 0) :]
        for i, transfer in enumerate(transfers):
            command += (["--next"] + connect if i > 0 else []) + self.common + transfer
        subprocess.run(command, check=False)

    def page(self, base, paths, *options, rate=None):
        self.get(*[list(options) + [base + path] for path in paths], rate=rate)

    def together(self, *calls):
        threads = [threading.Thread(target=call) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def socket(self, host):
        address, _, port = self.hosts[host].rpartition(":")
        sock = socket.create_connection((address.strip("[]"), int(port)), 10, (self.address, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def desktop():
    me = Client("192.0.2.10", FIREFOX, V4)
    me.page(SHOP, PAGE)
    me.together(lambda: me.page(SHOP, PICTURES[:3]), lambda: me.page(SHOP, PICTURES[3:] + ["/favicon.ico"]))
    time.sleep(1.4)
    me.page(API, [f"/products/{n}" for n in (1001, 1003, 1005, 1999)] + ["/search?q=pan", "/recommendations"], *me.traced(), rate="240/m")
    me.get(
        ["-X", "OPTIONS", "-H", "Origin: http://shop.example", "-H", "Access-Control-Request-Method: POST", API + "/login"],
        me.traced() + ["-d", "user=demo&password=FAKE-hunter2", API + "/login"],
        me.traced() + COOKIE + JSON + ["-d", '{"product": 1003, "count": 1}', API + "/cart/items"],
        me.traced() + COOKIE + JSON + ["-d", '{"product": 1001, "count": 4}', API + "/cart/items"],
        me.traced() + COOKIE + ["-X", "DELETE", API + "/cart/items/1001"],
        me.traced() + COOKIE + JSON + ["-d", '{"items": [1003], "coupon": "AUTUMN"}', API + "/orders"],
        me.traced() + COOKIE + JSON + ["-d", '{"items": [1003], "pay": "invoice"}', API + "/orders"],
    )
    time.sleep(1.1)
    # the same page again: not modified
    since = ["-H", "If-Modified-Since: Sun, 01 Nov 2026 08:00:00 GMT"]
    me.page(SHOP, PAGE + PICTURES[:3], *since)
    me.page(SHOP, ["/products", "/downloads/catalogue.pdf", "/about.html"], "-L")
    live(me)
    time.sleep(1.5)
    me.page(API, [f"/products/{n}" for n in (1002, 1004, 1006)], *me.traced(), rate="120/m")
    me.page(SHOP, PAGE, *since)


def live(me):
    with me.socket("api.shop.example:8080") as sock:
        sock.sendall(
            b"GET /v1/live HTTP/1.1\r\nHost: api.shop.example:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Origin: http://shop.example\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: d2VpcidzIGRlbW8gIQ==\r\n\r\n"
        )
        data = b""
        while b"\x88\x02\x03\xe8" not in data:
            data += sock.recv(65536)
        sock.sendall(bytes([0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xE8 ^ 2]))
        sock.recv(1)


def phone(upload):
    me = Client("192.0.2.23", IPHONE, V4)
    time.sleep(1.2)
    me.page(SHOP, PAGE + PICTURES[:2])
    me.page(SHOP, PICTURES[2:])
    me.page(API, ["/search?q=mug", "/products/1001"], *me.traced())
    me.get(COOKIE + ["-H", "Expect: 100-continue", "-F", "text=Lovely mug", "-F", f"photo=@{upload};filename=mug.jpg", API + "/reviews"])
    me.page(API, ["/recommendations"], *me.traced())
    time.sleep(2.0)
    me.page(SHOP, ["/"] + PICTURES[:2])
    me.page(API, ["/search?q=tea", "/products/1004", "/products/1006"], *me.traced(), rate="90/m")


def laptop():
    me = Client("2001:db8:1::15", CHROME, V6)
    time.sleep(2.0)
    me.page(SHOP, PAGE)
    me.together(lambda: me.page(SHOP, PICTURES[::2]), lambda: me.page(API, ["/events"], "-H", "Accept: text/event-stream"))
    me.page(API, [f"/search?q={word}" for word in ("board", "tea+towel", "%C3%B6l", "salt")], *me.traced(), rate="180/m")
    me.get(me.traced() + ["-X", "PUT"] + COOKIE + JSON + ["-d", '{"name": "Demo Person", "newsletter": false}', API + "/profile"])
    time.sleep(1.0)
    me.page(SHOP, ["/img/1002.jpg"], "-r", "1000-2999")
    me.page(SHOP, ["/gone.html", "/about.html"])
    me.get(["-I", SHOP + "/downloads/catalogue.pdf"])


def partner():
    me = Client("192.0.2.77", "python-requests/2.31.0", V4)
    me.page(API, ["/whoami"])
    me.page(API, ["/whoami"] + [f"/orders?page={n}" for n in range(1, 10)], *BEARER, rate="240/m")
    with me.socket("api.shop.example:8080") as sock:
        # pipelined: four requests in one segment
        sock.sendall(
            b"".join(
                b"GET /v1/products/%d HTTP/1.1\r\nHost: api.shop.example:8080\r\nUser-Agent: sync-agent/2.4\r\n"
                b"Accept: application/json\r\n\r\n" % n
                for n in (1001, 1002, 1004, 1006)
            )
        )
        data = b""
        while data.count(b"HTTP/1.1 200") < 4 or not data.endswith(b"}\n"):
            data += sock.recv(65536)
    me.page(API, ["/inventory", "/inventory"], *BEARER)
    me.page(API, ["/reports/sales.csv"], *BEARER)
    # gives up before the answer comes
    me.page(API, ["/reports/sales.csv"], "--max-time", "0.4", *BEARER)
    time.sleep(1.0)
    me.page(API, [f"/products?page={n}" for n in range(1, 13)], *BEARER, rate="300/m")
    me.get(BEARER + JSON + ["-d", "{not json", API + "/import"])


def monitoring(stop):
    me = Client("192.0.2.200", "Prometheus/2.45.0", V4)
    while not stop.is_set():
        me.page(API.replace("/v1", ""), ["/metrics"])
        me.get(["--http1.0", API.replace("/v1", "") + "/healthz"])
        stop.wait(1.5)


def office():
    me = Client("10.42.0.17", EDGE, OFFICE)
    time.sleep(0.6)
    user = ["-u", "demo:FAKE-password"]
    me.page(WIKI, ["/Start"])
    me.page(WIKI, ["/Start", "/style.css", "/Runbooks/Deploy", "/Runbooks/Rollback"], *user, rate="120/m")
    me.page(WIKI, ["/Runbooks/On-call", "/Start"], *user)


def scanner():
    me = Client("203.0.113.66", "Mozilla/5.0 zgrab/0.x", V4)
    time.sleep(3.0)
    for path in ("/wp-login.php", "/.env", "/admin/", "/cgi-bin/luci/;stok=/locale", "/?q=%3Cscript%3Ealert(1)%3C/script%3E"):
        me.page(SHOP, [path])


def main():
    stop = threading.Event()
    upload = os.environ["DEMO_UPLOAD"]
    watcher = threading.Thread(target=monitoring, args=(stop,))
    people = [threading.Thread(target=f) for f in (desktop, laptop, partner, office, scanner)]
    people.append(threading.Thread(target=phone, args=(upload,)))
    # not everything is TCP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("192.0.2.200", 0))
        sock.sendto(b"<14>monitor demo: probe begins", ("198.51.100.80", 514))
    watcher.start()
    for person in people:
        person.start()
    for person in people:
        person.join()
    stop.set()
    watcher.join()


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS against the shared vectors: usage: tls_vectors.py WEIR SOURCE_ROOT

Every vector of vectors/l7/tls.vec is made a capture, in segments of 1,400 bytes and of one byte, and read by the program: the record of
type tls must say what is expected of the handshake, and at least the anomaly codes that are asked for must be there; where none may be, none.
Exit 77 where the vectors are not there."""
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
PORT = 443
NUMBERS = {"TLS_AES_128_GCM_SHA256": 4865}


def get(record, name):
    for part in name.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


def judge(expect, records):
    tls = [r for r in records if r["type"] == "tls"]
    codes = {r["anomaly"]["code"] for r in records if r["type"] == "anomaly"} | {c for r in tls for c in r.get("anomalies", [])}
    bad = []
    record = tls[0] if tls else {}
    if len(tls) > 1 or (not tls and (expect.get("proto") == "tls" or expect.get("next") == "tls" or "hs" in expect)):
        bad.append("%d records" % len(tls))
    hello = expect.get("hs", {})
    have = {
        "sni": get(record, "tls.client.server_name"), "alpn": get(record, "tls.client.supported_protocols"),
        "ver": (get(record, "tls.client.supported_versions") or [None])[0],
        "ciphers": [NUMBERS.get(name) for name in get(record, "tls.client.supported_ciphers") or []],
        "ja3_str": get(record, "tls.client.ja3"), "ja4_prefix": (get(record, "tls.client.ja4") or "")[:10],
    }
    for key, want in hello.items():
        want = hashlib.md5(want.encode()).hexdigest() if key == "ja3_str" else want
        if have.get(key) != want:
            bad.append("%s: want %r, have %r" % (key, want, have.get(key)))
    if "alert" in expect:
        want = "s2c %s %s" % ({1: "warning", 2: "fatal"}[expect["alert"]["level"]], expect["alert"]["desc"])
        if want not in (get(record, "tls.alerts") or []):
            bad.append("alert: want %r, have %r" % (want, get(record, "tls.alerts")))
    if expect["ev"] and not set(expect["ev"]) <= codes or not expect["ev"] and codes:
        bad.append("ev: want %r, have %r" % (expect["ev"], sorted(codes)))
    return bad + ["unknown expectation " + key for key in expect if key not in ("hs", "alert", "ev", "proto", "next")]


def main():
    weir, root = sys.argv[1:3]
    folder = os.path.join(os.environ.get("WEIR_SHARED", os.path.join(root, "..", "shared")), "vectors", "l7")
    if not os.path.exists(os.path.join(folder, "tls.vec")):
        print("no vectors at", folder)
        return 77
    spec = importlib.util.spec_from_file_location("vec2pcap", os.path.join(folder, "vec2pcap.py"))
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.NOMAC = True
    passed = failed = 0
    with tempfile.TemporaryDirectory() as out:
        for line in open(os.path.join(folder, "tls.vec"), encoding="utf-8"):
            if not line.strip() or line.startswith("#"):
                continue
            name, title, said, expect = line.rstrip("\n").split("\t")[:4]
            expect, bad = json.loads(expect), []
            for mss in 1400, 1:
                capture = os.path.join(out, "vector.pcap")
                # STARTTLS of SMTP is on its own port
                make.write(make.events(said), capture, 25 if "next" in expect else PORT, mss)
                run = subprocess.run([weir, "-r", capture, "-q", "--json", "--summary=none"], stdout=subprocess.PIPE, check=True,
                                     text=True)
                records = [json.loads(text) for text in run.stdout.split("\n") if text]
                bad += ["mss %d: %s" % (mss, text) for text in judge(expect, records)]
            passed += not bad
            failed += bool(bad)
            for text in bad:
                print("%s (%s): %s" % (name, title, text))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


sys.exit(main())

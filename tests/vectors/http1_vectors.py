#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 against the shared vectors (vectors/l7/http1.vec): usage: http1_vectors.py TOOL WEIR SOURCE_ROOT

TOOL is tests/vectors/l7_vectors.c. Every vector must give its expected transactions and exactly its anomaly codes, and
the same records whole, byte by byte and in random splits. The same with the program WEIR on captures, in segments of 1,400
bytes and of one byte. Exit 77 where the vectors are not there."""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

LONG = 20000  # bytes: not sent one by one in a capture
sys.dont_write_bytecode = True


def load(path):
    for line in open(path, encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            fields = line.rstrip("\n").split("\t")
            yield fields[0], fields[1], fields[2], json.loads(fields[3])


def get(record, name):
    at = record
    for part in name.split("."):
        if not isinstance(at, dict) or part not in at:
            return None
        at = at[part]
    return at


def text(record, name):
    value = get(record, name)
    if value is not None and name in record.get("escaped", []):
        raw = value.encode().decode("unicode_escape")
        return raw
    return value


def check(want, rec):
    """Names of the expectations that do not hold."""
    bad = []

    def expect(key, got):
        if key in want and want[key] != got:
            bad.append("%s: want %r, got %r" % (key, want[key], got))

    expect("m", get(rec, "http.request.method"))
    if "u" in want:
        expect("u", text(rec, "http.request.target"))
    status = get(rec, "http.response.status_code")
    if want.get("st") == 0:
        status = status or 0
    expect("st", status)
    expect("qb", get(rec, "http.request.body.size"))
    expect("rb", get(rec, "http.response.body.size"))
    if "rc" in want or "qc" in want:
        cut = rec["completeness"] in ("truncated", "gap", "no_response")
        bad += [] if cut else ["rc/qc: want incomplete, got " + rec["completeness"]]
    expect("interim", get(rec, "http.interim"))
    expect("framing", get(rec, "http.response.framing"))
    expect("upgrade", get(rec, "http.upgrade"))
    expect("v", get(rec, "network.protocol.version"))
    expect("url", get(rec, "url.full"))
    expect("host", get(rec, "url.domain"))
    expect("port", get(rec, "url.port"))
    expect("path_norm", get(rec, "url.path"))
    expect("text", get(rec, "http.response.body.content"))
    expect("rb_missing", get(rec, "missing_bytes"))
    for key, name in (("rt", "http.response.trailer"), ("qh", "http.request.header")):
        for header, value in want.get(key, {}).items():
            got = (get(rec, name) or {}).get(header)
            if got != [value]:
                bad.append("%s.%s: want %r, got %r" % (key, header, value, got))
    if want.get("u_truncated") and "http.request.target" not in rec.get("truncated", {}):
        bad.append("u_truncated")
    if want.get("rb_decoded_capped"):
        size = get(rec, "http.response.body.decoded_size")
        if not size or size >= 10 << 20:
            bad.append("rb_decoded_capped: %r" % size)
    known = {"m", "u", "st", "qb", "rb", "rc", "qc", "interim", "framing", "upgrade", "v", "url", "host", "port",
             "path_norm", "text", "rb_missing", "rt", "qh", "u_truncated", "rb_decoded_capped"}
    bad += ["unknown expectation " + key for key in want if key not in known]
    return bad


def judge(expect, lines):
    bad = ["%s %s" % (what, value[:300]) for what, value in lines if what in ("DIFFERS", "unreadable", "split")]
    records = [json.loads(value) for what, value in lines if what == "record"]
    sizes = [json.loads(value) for what, value in lines if what == "size_record"]
    if expect.get("proto") not in (None, "http") and not any(what == "not_taken" for what, _ in lines):
        bad.append("taken for http")
    bad += ["proto: want %r, got %r" % (expect.get("proto"), value) for what, value in lines
            if what == "proto" and value != expect.get("proto")]
    if len(records) != len(expect["tx"]):
        bad.append("%d transactions, want %d" % (len(records), len(expect["tx"])))
    for i, (want, rec) in enumerate(zip(expect["tx"], records)):
        bad += ["tx %d %s" % (i, text) for text in check(want, rec)]
    # without looking into bodies the same holds but for what only the body says
    for want, rec in zip(expect["tx"], sizes):
        want = {k: v for k, v in want.items() if k not in ("text", "rb_decoded_capped")}
        bad += ["bodies=size: " + text for text in check(want, rec)]
    codes = sorted({value for what, value in lines if what == "anomaly"})
    if codes != sorted(expect["ev"]):
        bad.append("ev: want %r, got %r" % (sorted(expect["ev"]), codes))
    return bad


def from_program(weir, make, events, mss, folder):
    """The lines that TOOL would print, from a capture read by the program."""
    capture = os.path.join(folder, "vector.pcap")
    make.write(events, capture, 80, mss)
    run = subprocess.run([weir, "-r", capture, "-q", "--json", "--summary=none", "--bodies=keep", "--redact=off"],
                         stdout=subprocess.PIPE, check=True, text=True)
    lines, types = [], set()
    for line in run.stdout.split("\n"):
        record = json.loads(line) if line else {"type": None}
        types.add(record["type"])
        if record["type"] == "http":
            lines.append(("record", line))
            lines += [("anomaly", code) for code in record.get("anomalies", [])]
        elif record["type"] == "anomaly":
            lines.append(("anomaly", record["anomaly"]["code"]))
    others = sorted(types - {None, "http", "tcp", "anomaly"})
    if "http" not in types and others:
        # another parser's, with what it has to say
        return [("not_taken", ""), ("proto", ",".join(others))] + [line for line in lines if line[0] == "anomaly"]
    return lines or [("not_taken", "")]


def main():
    tool, weir, root = sys.argv[1:4]
    shared = os.environ.get("WEIR_SHARED", os.path.join(root, "..", "shared"))
    vectors = os.path.join(shared, "vectors", "l7", "http1.vec")
    if not os.path.exists(vectors):
        print("no vectors at", vectors)
        return 77
    with tempfile.TemporaryDirectory() as out:
        made = subprocess.run(["/usr/bin/python3", os.path.join(os.path.dirname(vectors), "vec2pcap.py"), vectors, out],
                              stdout=subprocess.PIPE, check=True, text=True)
        if "skip" in made.stdout:
            print(made.stdout)
        run = subprocess.run([tool, out, 'http1', '80'], stdout=subprocess.PIPE, check=True, text=True)
    found = {}
    for line in run.stdout.split("\n"):
        if line:
            name, what, value = line.split("\t", 2)
            found.setdefault(name, []).append((what, value))
    spec = importlib.util.spec_from_file_location("vec2pcap", os.path.join(os.path.dirname(vectors), "vec2pcap.py"))
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    passed = failed = 0
    for name, title, said, expect in load(vectors):
        bad = judge(expect, found.get(name, []))
        events = make.events(said)
        with tempfile.TemporaryDirectory() as folder:
            for mss in 1400, 1:
                if mss > 1 or sum(len(what) for _, what in events if isinstance(what, bytes)) < LONG:
                    bad += ["program, mss %d: %s" % (mss, text) for text in
                            judge(expect, from_program(weir, make, events, mss, folder))]
        passed += not bad
        failed += bool(bad)
        for line in bad:
            print("%s (%s): %s" % (name, title, line))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


sys.exit(main())

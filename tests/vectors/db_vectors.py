#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Database parsers against the shared vectors: usage: db_vectors.py TOOL WEIR SOURCE_ROOT PARSER

TOOL is tests/vectors/l7_vectors.c. Every vector of vectors/l7/PARSER.vec must give its expected transactions and exactly its anomaly
codes, and the same records whole, byte by byte and in random splits; and the same with the program WEIR on captures, in segments of
1,400 bytes and of one byte. What a vector expects of the session is looked for on its transactions; where it has none, a request
that closes the vector must show it. Exit 77 where the vectors are not there."""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

LONG = 20000  # bytes: not sent one by one in a capture
PORTS = {"pgsql": 5432, "mysql": 3306, "redis": 6379}
sys.dont_write_bytecode = True

# Expectations that are the value of a field.
FIELDS = {
    "cmd": "db.command", "sql": "db.query.text", "sql_len": "db.query.size", "args": "db.query.parameters",
    "rows": "db.response.returned_rows", "affected": "db.response.affected_rows", "sqlstate": "db.response.status_code",
    "errno": "db.response.status_code",
    "pgsql": {"tag": "pgsql.tag", "stmt": "pgsql.statement", "results": "pgsql.results", "copy_in_bytes": "pgsql.copy.in_bytes",
              "copy_out_bytes": "pgsql.copy.out_bytes", "notices": "pgsql.notices", "skipped": "pgsql.skipped", "pid": "pgsql.pid"},
    "mysql": {"stmt": "mysql.statement.id", "params": "mysql.statement.parameters", "resultsets": "mysql.results",
              "infile": "mysql.infile.name", "infile_bytes": "mysql.infile.bytes"},
}
FIELDS["redis"] = {"key": "redis.key", "argc": "redis.argc", "rtype": "redis.reply.type", "rlen": "redis.reply.size",
                   "relems": "redis.reply.elements", "err": "db.response.status_code", "msg": "error.message",
                   "redirect": "redis.redirect", "queued": "redis.queued", "replies": "redis.reply.count", "proto": "network.protocol.version"}
SESSION = {"user": "db.user", "db": "db.namespace", "server": "db.server.version", "auth": "pgsql.auth"}
# A request that shows what is known of the session, for vectors without a transaction. What the server still owes comes first.
PROBE = {"pgsql": r"C:{pg:Q,probe\x00} | S:{pg:C,SELECT 0\x00}{pg:Z,I}"}
OWED = {"P010": r"S:{pg:R,\x00\x00\x00\x00}{pg:Z,I} | "}


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


def check(parser, want, rec):
    """Names of the expectations that do not hold."""
    bad = []
    status = get(rec, "db.response.status")
    for key, value in want.items():
        name = FIELDS[parser].get(key) or FIELDS.get(key)
        if key == "ok":
            got = None if status is None else status == "ok"
        elif key == "complete":
            got = rec["completeness"] == "complete"
        elif key == "sql_truncated":
            got = "db.query.text" in rec.get("truncated", {})
        elif isinstance(name, str):
            got = get(rec, name)
            value = str(value) if key == "proto" else value
            value = str(value) if key == "errno" else [str(v) for v in value] if key == "args" else value
        else:
            got = "unknown expectation"
        if got != value:
            bad.append("%s: want %r, got %r" % (key, value, got))
    return bad


def judge(parser, expect, lines, probed, program=False):
    bad = ["%s %s" % (what, value[:300]) for what, value in lines if what in ("DIFFERS", "unreadable", "split")]
    records = [json.loads(value) for what, value in lines if what == "record"]
    probe = records.pop() if probed and records else None
    pushes = [rec for rec in records if get(rec, "redis.push")]  # they answer nothing
    records = [rec for rec in records if not get(rec, "redis.push")]
    if len(pushes) != expect.get("push", 0):
        bad.append("%d pushes, want %d" % (len(pushes), expect.get("push", 0)))
    if len(records) != len(expect.get("tx", [])):
        bad.append("%d transactions, want %d" % (len(records), len(expect.get("tx", []))))
    for i, (want, rec) in enumerate(zip(expect.get("tx", []), records)):
        bad += ["tx %d %s" % (i, text) for text in check(parser, want, rec)]
    for key, value in expect.get("sess", {}).items():
        for rec in [probe] if probed else records:
            if rec is None or get(rec, SESSION[key]) != value:
                bad.append("sess.%s: want %r, got %r" % (key, value, rec and get(rec, SESSION[key])))
    if "notify" in expect and sum(get(rec, "pgsql.notifications") or 0 for rec in records) != expect["notify"]:
        bad.append("notify")
    if "next" in expect and not any(what == "next" and value == expect["next"] for what, value in lines):
        bad.append("next: want %r" % expect["next"])
    # what the protocol behind a switch thinks of its bytes, which stand for any, is no matter of this one
    codes = sorted({value for what, value in lines if what == "anomaly" and not value.startswith(expect.get("next", " ") + ".")})
    if "proto" in expect:
        # another parser's: the engine tells the mismatch, and that one may have more to say
        if not program:
            return bad + ([] if any(what == "not_taken" for what, _ in lines) else ["taken for " + parser])
        labels = {value for what, value in lines if what == "type"}
        bad += [] if expect["proto"] in labels and parser not in labels else ["proto: want %r, got %r" % (expect["proto"], labels)]
        codes = [code for code in codes if code in expect["ev"]]
    if codes != sorted(expect["ev"]):
        bad.append("ev: want %r, got %r" % (sorted(expect["ev"]), codes))
    known = {"tx", "sess", "ev", "notify", "next", "push", "proto"}
    return bad + ["unknown expectation " + key for key in expect if key not in known]


def from_program(parser, weir, make, events, mss, folder, expect):
    """The lines that TOOL would print, from a capture read by the program."""
    capture = os.path.join(folder, "vector.pcap")
    make.write(events, capture, PORTS[parser], mss)
    run = subprocess.run([weir, "-r", capture, "-q", "--json", "--summary=none", "--redact=off"],
                         stdout=subprocess.PIPE, check=True, text=True)
    lines = [("next", expect["next"])] if "next" in expect else []  # the program does not tell
    for line in run.stdout.split("\n"):
        record = json.loads(line) if line else {"type": None}
        lines.append(("type", record["type"]))
        if record["type"] == parser:
            lines.append(("record", line))
            lines += [("anomaly", code) for code in record.get("anomalies", [])]
        elif record["type"] == "anomaly":
            lines.append(("anomaly", record["anomaly"]["code"]))
    return lines


def with_probes(parser, path, folder):
    """The vectors' file, with a request behind those that expect something of a session without a transaction."""
    out = os.path.join(folder, os.path.basename(path))
    probed = set()
    with open(out, "w", encoding="utf-8") as file:
        for line in open(path, encoding="utf-8"):
            fields = line.rstrip("\n").split("\t")
            if not line.startswith("#") and len(fields) > 3:
                expect = json.loads(fields[3])
                if expect.get("sess") and not expect.get("tx"):
                    fields[2] += " | " + OWED.get(fields[0], "") + PROBE[parser]
                    probed.add(fields[0])
            file.write("\t".join(fields) + "\n")
    return out, probed


def main():
    tool, weir, root, parser = sys.argv[1:5]
    shared = os.environ.get("WEIR_SHARED", os.path.join(root, "..", "shared"))
    folder = os.path.join(shared, "vectors", "l7")
    vectors = os.path.join(folder, parser + ".vec")
    if not os.path.exists(vectors):
        print("no vectors at", vectors)
        return 77
    spec = importlib.util.spec_from_file_location("vec2pcap", os.path.join(folder, "vec2pcap.py"))
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.NOMAC = True
    passed = failed = 0
    with tempfile.TemporaryDirectory() as out:
        vectors, probed = with_probes(parser, vectors, out)
        subprocess.run(["/usr/bin/python3", os.path.join(folder, "vec2pcap.py"), vectors, out], stdout=subprocess.PIPE, check=True)
        run = subprocess.run([tool, out, parser, str(PORTS[parser])], stdout=subprocess.PIPE, check=True, text=True)
        found = {}
        for line in run.stdout.split("\n"):
            if line:
                name, what, value = line.split("\t", 2)
                found.setdefault(name, []).append((what, value))
        for name, title, said, expect in load(vectors):
            bad = judge(parser, expect, found.get(name, []), name in probed)
            events = make.events(said)
            for mss in 1400, 1:
                if mss > 1 or sum(len(what) for _, what in events if isinstance(what, bytes)) < LONG:
                    lines = from_program(parser, weir, make, events, mss, out, expect)
                    bad += ["program, mss %d: %s" % (mss, text) for text in judge(parser, expect, lines, name in probed, True)]
            passed += not bad
            failed += bool(bad)
            for line in bad:
                print("%s (%s): %s" % (name, title, line))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


sys.exit(main())

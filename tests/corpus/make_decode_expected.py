#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes decode_tshark.tsv: the TCP segments that tshark sees in each capture of the shared corpus.

usage: make_decode_expected.py SHARED > decode_tshark.tsv      (run by hand, with tshark 4.0)

One line a capture: its name, the number of segments, SHA-256 of a line each (frame, ports, raw sequence number, payload
length, the low 8 flags), and the frames that are left out because tshark is not the judge of them (LEFT_OUT says why).
Fragments are not put together here: tests of defrag/ do that.
"""
import hashlib
import os
import subprocess
import sys

FIELDS = ["frame.number", "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.len", "tcp.flags"]
TSHARK = ["tshark", "-n", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
          "-T", "fields", "-E", "occurrence=l"] + [x for f in FIELDS for x in ("-e", f)]

# End of a capture's name: frames, and why.
FIRST_FRAGMENT = "the first fragment of a datagram: tshark shows the TCP header in it, we put it together first"
BEYOND_FRAME = "the IP length is beyond the frame: tshark cuts the payload, we count it as not captured"
LEFT_OUT = {
    "bug-6887-defrag-ipv6-tcp__frag-ip-tcp.pcap": ([1], FIRST_FRAGMENT),
    "assets__frag_tcp_80_ipv4.pcap": ([3], FIRST_FRAGMENT),
    "assets__frag_tcp_80_ipv4_sp_frag0.pcap": ([1], FIRST_FRAGMENT),
    "tests__bgp_pmsi_tunnel-oobr.pcap": ([1], FIRST_FRAGMENT),
    "tests__rpki-rtr-oobr.pcap": ([1], FIRST_FRAGMENT),
    "agent__resources__test__common__ip6-vxlan.pcap": ([1], BEYOND_FRAME),
    "flow_generator__xiangdao-retrans.pcap": (range(1, 14), BEYOND_FRAME),
    "PacketExamples__tcp-malformed.pcap": ([1, 2], "the data offset is below 5 words: no segment (RFC 9293 section 3.1)"),
    "tcp-session-decode-malformed-ipv4__input.pcap":
        ([8], "tshark gives up at an IP option's length; its TCP checksum is right"),
    "FuzzTarget-5755755617189888": ([1], "IP length 0 and a wire length of 2 GiB: tshark believes it, we what was captured"),
    "FuzzTarget-5766899836387328": ([1, 2], "tshark reads other packets (see test_capture.c)"),
    "crash-exception-cast-constructed-record": (range(1, 100), "tshark reads other packets (see test_capture.c)"),
}


# End of a capture's name: what tshark must be told to look into it.
TOLD = {
    # a relay uses the port that the client's mapping has (RFC 4380 section 5.1.1): docs/differences.md
    "teredo_bubble_with_payload.pcap": ["-d", "udp.port==3797,teredo"],
}


def told(name):
    return [word for end, words in TOLD.items() if name.endswith(end) for word in words]


def left_out(name):
    for end, (frames, _) in LEFT_OUT.items():
        if name.endswith(end):
            return list(frames)
    return []


def segments(path, without):
    out = subprocess.run(TSHARK + told(path) + ["-r", path], capture_output=True, timeout=300, check=False).stdout
    for line in out.decode("utf-8", "replace").splitlines():
        values = (line.split("\t") + [""] * len(FIELDS))[:len(FIELDS)]
        if values[1] and values[3] and int(values[0]) not in without:
            yield "%s %s %s %s %s %02x\n" % (*values[:5], int(values[5] or "0", 16) & 0xff)


def main():
    corpus = os.path.join(sys.argv[1], "corpus")
    print("file\tsegments\tsha256\tleft_out")
    with open(os.path.join(corpus, "manifest.tsv"), encoding="utf-8") as manifest:
        next(manifest)
        for row in manifest:
            name = row.split("\t")[0]
            if name.endswith(".snoop"):
                continue  # no capture format of ours
            without = left_out(name)
            lines = list(segments(os.path.join(corpus, name), without))
            digest = hashlib.sha256("".join(lines).encode()).hexdigest()
            print("%s\t%d\t%s\t%s" % (name, len(lines), digest if lines else "",
                                      ",".join(map(str, without))))


main()

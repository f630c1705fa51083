#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every capture of the shared corpus: test_all.py WEIR

weir ends by itself within 10 s with status 0 or 3 (1 for the listed files that are no pcap or pcapng), no sanitizer reports,
the byte ledger of CONTRACT.md §5 balances for the run, the flows and the files of `streams`, and records are the same bytes
for 1, 2 and 3 workers, for a batch of one and when every flow is parked after each packet. For those, captures that are not damaged are read GROUP in a run, and one by
one where that gives a difference.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import corpus  # noqa: E402

# Not pcap or pcapng at all, or nothing that says so was left of the file: a clear error, exit 1.
NO_CAPTURE = {
    'PcapPlusPlus/Tests__ExamplesTest__pcap_examples__solaris.snoop',
}
GROUP = 12
OTHER_WAYS = (('-j', 2), ('-j', 3, '--batch', 1), ('--set', 'limit.flows-at-hand=0'))
PER_DIRECTION = ('delivered', 'duplicate', 'overlap', 'rejected', 'gap_bytes', 'gaps', 'retransmits', 'out_of_order')


def ledger_problems(summary):
    tcp = summary['tcp']
    payload = tcp['payload']
    told = payload['delivered'] + payload['duplicate'] + payload['overlap'] + sum(payload['rejected'].values())
    if payload['captured'] != told + payload['pending']:
        yield 'captured %d is not delivered + duplicate + overlap + rejected %d' % (payload['captured'], told)
    if payload['pending'] != 0:
        yield '%d bytes pending at the end' % payload['pending']
    if sum(tcp['gaps']['causes'].values()) != tcp['gaps']['count']:
        yield 'the causes do not add up to the %d gaps' % tcp['gaps']['count']


def flow_problems(summary, records):
    """The records of flows, one by one and added up."""
    tcp = summary['tcp']
    payload = tcp['payload']
    flows = [record for record in records if record['type'] == 'tcp']
    total = dict.fromkeys(PER_DIRECTION, 0)
    nbytes = npackets = 0
    for flow in flows:
        for direction in ('c2s', 's2c'):
            half = flow['tcp'].get(direction, {})
            told = sum(half.get(name, 0) for name in ('delivered', 'duplicate', 'overlap', 'rejected'))
            if half.get('bytes', 0) != told:
                yield 'flow %s %s: bytes %d, told %d' % (flow['flow_id'], direction, half.get('bytes', 0), told)
            nbytes += half.get('bytes', 0)
            npackets += half.get('packets', 0)
            for name in PER_DIRECTION:
                total[name] += half.get(name, 0)
    expected = {name: payload[name] for name in ('delivered', 'duplicate', 'overlap')}
    expected.update(rejected=sum(payload['rejected'].values()), gap_bytes=tcp['gaps']['bytes'], gaps=tcp['gaps']['count'],
                    retransmits=tcp['retransmits'], out_of_order=tcp['out_of_order'])
    # packets of flows that were gone belong to no flow
    expected['rejected'] -= summary['ip'].get('late_bytes', 0)
    nbytes += summary['ip'].get('late_bytes', 0)
    npackets += summary['ip'].get('late_packets', 0)
    for name in PER_DIRECTION:
        if total[name] != expected[name]:
            yield 'flows say %s %d, the summary %d' % (name, total[name], expected[name])
    if nbytes != payload['captured']:
        yield 'flows captured %d, the summary %d' % (nbytes, payload['captured'])
    if npackets != tcp['segments']:
        yield 'flows have %d packets, the summary %d segments' % (npackets, tcp['segments'])
    if len(flows) != tcp['flows'] or len(flows) != summary['records'].get('tcp', 0):
        yield '%d tcp records, the summary has %d flows' % (len(flows), tcp['flows'])


def stream_problems(summary, folder):
    streams = corpus.streams_of(folder)
    delivered = 0
    for stream in streams:
        if len(stream.data) != stream.index['bytes'] or corpus.sha256(stream.data) != stream.index['sha256']:
            yield '%s: the index does not have its size and hash' % stream.index['file']
        position = 0
        for gap in stream.gaps:
            if gap['offset'] < position or gap['length'] <= 0:
                yield '%s: gap at %d is not in order' % (stream.index['file'], gap['offset'])
            position = gap['offset'] + gap['length']
        if position > len(stream.data) + stream.gap_bytes():
            yield '%s: bytes and gaps do not tile the stream' % stream.index['file']
        delivered += len(stream.data)
    if delivered != summary['tcp']['payload']['delivered']:
        yield 'streams have %d bytes, the summary delivered %d' % (delivered, summary['tcp']['payload']['delivered'])
    gaps = sum(len(stream.gaps) for stream in streams)
    if gaps > summary['tcp']['gaps']['count']:
        yield 'streams have %d gaps, the summary %d' % (gaps, summary['tcp']['gaps']['count'])
    if len(os.listdir(folder)) - 1 != len(streams) and streams:
        yield 'files that the index does not name'


def ending_problem(result, allowed):
    if result.late:
        return 'still running after %d s' % corpus.TIMEOUT_S
    if corpus.SANITIZER.search(result.err):
        return result.err[corpus.SANITIZER.search(result.err).start():][:300]
    if result.status not in allowed:
        return 'status %s: %s' % (result.status, result.err[-200:])
    return None


def unread_problems(weir, path, summary):
    """Where nobody reads tcp records, flows that have ended wait in another way: the same figures?"""
    unread = corpus.summary_of(corpus.run(weir, '-r', path, '-j', 1, '-o', 'none', '--summary=json'))
    for part in ('ip', 'tcp', 'drops'):
        if summary[part] != unread[part]:
            yield 'without output %s are %s, with it %s' % (part, unread[part], summary[part])


def problems_of(folder, weir, path, allowed):
    result = corpus.run(weir, '-r', path, '-j', 1, '--json', '-o', 'streams:' + folder, '--summary=json')
    ending = ending_problem(result, allowed)
    if ending:
        return result, [ending]
    problems = []
    summary, records = corpus.summary_of(result), corpus.records_of(result)
    if result.status != 1:
        problems += ledger_problems(summary)
        problems += flow_problems(summary, records)
        problems += stream_problems(summary, folder)
        problems += unread_problems(weir, path, summary)
    elif 'weir: error: ' not in result.err:
        problems.append('status 1 without a message')
    return result, problems


def way_problems(weir, paths, result):
    """How other ways to run differ from `result`, that of -j 1."""
    inputs = [word for path in paths for word in ('-r', path)]
    for way in OTHER_WAYS:
        other = corpus.run(weir, '-q', '--json', *inputs, *way)
        ending = ending_problem(other, (result.status,))
        if ending:
            yield ending
        if other.out != result.out:
            yield '%s: other records than -j 1' % ' '.join(str(word) for word in way)


def compare_ways(weir, paths):
    """{path: problems}"""
    inputs = [word for path in paths for word in ('-r', path)]
    problems = list(way_problems(weir, paths, corpus.run(weir, '-q', '-j', 1, '--json', *inputs)))
    if not problems or len(paths) == 1:
        return {path: problems for path in paths}
    one_by_one = {path: compare_ways(weir, [path])[path] for path in paths}
    if not any(one_by_one.values()):
        one_by_one[paths[0]] = ['only with the %d captures after it: %s' % (len(paths) - 1, '; '.join(problems))]
    return one_by_one


def main():
    weir = sys.argv[1]
    files = sorted(row['file'] for row in corpus.rows('corpus', 'manifest.tsv'))
    tally = corpus.Tally()

    def check(file):
        allowed = (1,) if corpus.short(file) in NO_CAPTURE else (0, 3)
        return corpus.with_folder(problems_of, weir, corpus.shared('corpus', file), allowed)

    problems, whole, groups = {}, [], []
    for file, (result, found) in zip(files, corpus.each(check, files)):
        problems[corpus.shared('corpus', file)] = found
        (whole if result.status == 0 else groups).append(corpus.shared('corpus', file))
    groups = [[path] for path in groups] + [whole[i:i + GROUP] for i in range(0, len(whole), GROUP)]
    for found in corpus.each(lambda paths: compare_ways(weir, paths), groups):
        for path in found:
            problems[path] += found[path]
    for file in files:
        tally.row(corpus.short(file), '; '.join(problems[corpus.shared('corpus', file)]))
    return tally.finish()


if __name__ == '__main__':
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Along one axis each: workers, flows, sizes of packets, loss; the price of options and sinks; instructions; memory; a flood."""
import json
import os
import shutil

import hotpath
import memory
import programs
from captures import FLOODED_EXCHANGES, mangle, traffic
from lab import BIN, WEIR, WEIR_PROFILED, WORK, interleave, measure, strip, weir_command

SCRATCH = os.path.join(WORK, 'scratch')
WORKERS = (1, 2, 3, 4)
FLOWS = {'quick': (1000, 10000, 100000), 'full': (1000, 10000, 100000, 300000, 1000000)}
EXCHANGES = {'quick': 300000, 'full': 1500000}
# Frames with their Ethernet header: 64 … 1514, jumbo, and what segmentation offload makes.
SIZES = (64, 128, 256, 512, 1024, 1514, 9014, 65549)
SIZE_PACKETS, SIZE_BYTES = {'quick': 300000, 'full': 1000000}, {'quick': 150 << 20, 'full': 600 << 20}
LOSSES = (0, 0.1, 1, 5, 10)
NIDS_FLOWS = 100000  # it has 8 KB for each
PRICE_PACKETS = 440000
PRICES = (
    ('-o none', ['none']), ('-k auto', ['none', '-k', 'auto']), ('-k all', ['none', '-k', 'all']), ('--bodies=hash', ['none', '--bodies=hash']),
    ('--bodies=keep', ['none', '--bodies=keep']), ('text', ['text:OUT']), ('json', ['json:OUT']), ('json, --redact=off', ['json:OUT', '--redact=off']),
    ('json, --bodies=hash', ['json:OUT', '--bodies=hash']), ('csv', ['csv:OUT']), ('har', ['har:OUT']), ('sqlite', ['sqlite:OUT']),
    ('files', ['files:OUT']), ('streams', ['streams:OUT']), ('-w pcapng', ['none', '-w', 'OUT']),
)
LENGTHS = 100000  # the shorter of the two lengths of callgrind
BUDGETS = ('512M', '64M')


def scratch(name=None):
    os.makedirs(SCRATCH, exist_ok=True)
    return os.path.join(SCRATCH, name) if name else SCRATCH


def once(command, **options):
    return lambda: measure(command, **options)


def workers(bench):
    """{sink: {jobs: wall seconds, cpu}} on small"""
    path = bench.captures.path('small')
    rows = [('%s %d' % (sink, jobs), once(weir_command(path, sink, '-j', str(jobs)))) for sink in ('none', 'json:/dev/null') for jobs in WORKERS]
    return strip(interleave(rows, bench.runs, bench.progress.tell))


def floor_bits(flows):
    """Its table does not grow."""
    return dict(os.environ, BITS=str(max(18, (2 * flows).bit_length())))


def flows(bench):
    """{number of flows: {'packets', program: …}}"""
    result = {}
    for number in FLOWS[bench.size]:
        path = scratch('flows.pcap')
        traffic(path, 'flows', number, EXCHANGES[bench.size])
        rows = [('floor', programs.run_once('floor', path, floor_bits(number))), ('weir', once(weir_command(path, 'none', '--memory', '2G')))]
        if 'nids' in bench.have and number <= NIDS_FLOWS:
            rows.append(('nids', once([os.path.join(BIN, 'nids'), path, str(2 * number)])))
        measured = interleave(rows, min(bench.runs, 3), bench.progress.tell)
        summary = summary_of(measured['weir'])
        result[str(number)] = dict(strip(measured), packets=summary['packets'], exact=summary['records'].get('http') == max(
            EXCHANGES[bench.size], 0), memory=summary['memory']['peak'])
        os.unlink(path)
    return result


def summary_of(row):
    text = row['last']['text']
    return json.loads(text[text.index('{"packets"'):])


def sizes(bench):
    """{frame size: {'packets', 'bytes', program: …}}"""
    result = {}
    for size in SIZES:
        path = scratch('size.pcap')
        traffic(path, 'size', size, min(SIZE_PACKETS[bench.size], SIZE_BYTES[bench.size] * 3 // 2 // size))
        rows = [('floor', programs.run_once('floor', path)), ('weir', once(weir_command(path, 'none')))]
        if 'nids' in bench.have:
            rows.append(('nids', programs.run_once('nids', path)))
        measured = interleave(rows, min(bench.runs, 3), bench.progress.tell)
        summary = summary_of(measured['weir'])
        result[str(size)] = dict(strip(measured), packets=summary['packets'], bytes=summary['bytes'])
        os.unlink(path)
    return result


def loss(bench):
    """{percent lost: {'truth', program: …}}"""
    result = {}
    sources = [bench.captures.path(name) for name in ('small', 'churn')]
    for percent in LOSSES:
        path = scratch('loss.pcap')
        truth = mangle(path, percent, *sources)
        rows = [('floor', programs.run_once('floor', path)), ('weir', once(weir_command(path, 'none')))]
        if 'nids' in bench.have:
            rows.append(('nids', programs.run_once('nids', path)))
        measured = interleave(rows, min(bench.runs, 2), bench.progress.tell)
        summary = summary_of(measured['weir'])
        result[str(percent)] = dict(strip(measured), truth=truth, packets=summary['packets'], records=summary['records'].get('http', 0),
                                    memory=summary['memory']['peak'])
        os.unlink(path)
    return result


def prices(bench):
    """{what: cpu, wall, rss, and 'size' written}, on the beginning of small"""
    path, out = scratch('price.pcap'), scratch('out')
    packets = hotpath.cut(bench.captures.path('small'), path, PRICE_PACKETS)
    written = {}

    def priced(what, arguments):
        command = weir_command(path, *(argument.replace('OUT', out) for argument in arguments))

        def run():
            clear(out)
            if arguments[0].split(':')[0] in ('files', 'streams'):
                os.mkdir(out)
            result = measure(command)
            written[what] = size_of(out)
            return result
        return run

    rows = [(what, priced(what, arguments)) for what, arguments in PRICES]
    measured = strip(interleave(rows, min(bench.runs, 3), bench.progress.tell))
    clear(out)
    os.unlink(path)
    for what, row in measured.items():
        row['written'] = written.get(what, 0)
    return {'packets': packets, 'rows': measured}


def clear(path):
    for name in (path, path + '-wal', path + '-shm'):
        if os.path.isdir(name):
            shutil.rmtree(name)
        elif os.path.lexists(name):
            os.unlink(name)


def size_of(path):
    if os.path.isdir(path):
        return sum(entry.stat().st_size for entry in os.scandir(path) if entry.is_file())
    return os.path.getsize(path) if os.path.exists(path) else 0


def instructions(bench):
    """{capture: {program: instructions a packet, 'groups': …}}; two lengths differenced."""
    result = {}
    counters = {'weir': [WEIR, '--no-sandbox', '-q', '-k', 'none', '-j', '1', '-o', 'none', '--summary=none', '-r'],
                'floor': [os.path.join(BIN, 'floor-avx2'), 'rhttp']}
    if 'nids' in bench.have:
        counters['nids'] = [os.path.join(BIN, 'nids')]
    for name in ('small', 'churn'):
        source, counted, packets = bench.captures.path(name), {}, []
        for factor in 1, 3:
            path = scratch('cut.pcap')
            packets.append(hotpath.cut(source, path, factor * LENGTHS))
            for program, command in counters.items():
                bench.progress.tell('%s on %d packets of %s' % (program, packets[-1], name))
                counted.setdefault(program, []).append(hotpath.callgrind(command + [path], '/dev/null'))
            os.unlink(path)
        between = packets[1] - packets[0]
        row = {program: (pair[1] - pair[0]) / between for program, pair in counted.items()}
        if os.path.exists(WEIR_PROFILED):
            row.update(grouped(bench, source, 'none'))
        result[name] = row
        if name == 'small' and os.path.exists(WEIR_PROFILED):
            result['small, JSON'] = grouped(bench, source, 'json')
            result['small, JSON']['weir'] = result['small, JSON']['profiled']
    return result


def grouped(bench, source, sink):
    """What the instructions of a packet are for."""
    bench.progress.tell('groups, -o ' + sink)
    difference, between = hotpath.profile(WEIR_PROFILED, source, LENGTHS, sink)
    sums, functions = difference.groups()
    return {'groups': {group: sums[group] / between for group in hotpath.GROUPS}, 'profiled': difference.total / between,
            'other': [(function.split('.')[0], hotpath.short(file), cost / between)
                      for (function, file), cost in functions['other'].most_common(5) if cost / between >= 0.05]}


def memory_of_flows(bench):
    """[(what, bytes, goal or None, problem or None)]"""
    flows_each = {'quick': 100000, 'full': 500000}[bench.size]
    return memory.measure(WEIR, os.path.join(BIN, 'many_flows'), flows_each, [], bench.progress.tell)


def flood(bench):
    """{budget: cpu beyond reading, peak, survivors …}: 1,000 flows go on in a flood of four million SYNs."""
    path = bench.captures.path('flooded')
    rows = [('read', once([os.path.join(BIN, 'floor'), 'read', path], fine=None, keep_stdout=True)),
            ('floor', programs.run_once('floor', path, floor_bits(4000000)))]
    rows += [(budget, once(weir_command(path, 'none', '--memory', budget))) for budget in BUDGETS]
    measured = interleave(rows, min(bench.runs, 3), bench.progress.tell)
    result = strip(measured)
    for budget in BUDGETS:
        summary = summary_of(measured[budget])
        drops = {name: number for name, number in summary['drops'].items() if number}
        result[budget].update(peak=summary['memory']['peak'], budget=summary['memory']['budget'], exchanges=summary['records'].get('http', 0),
                              expected=FLOODED_EXCHANGES, drops=drops)
    return result


def lossy(bench):
    """Peak and budget on messyloss."""
    done = measure(weir_command(bench.captures.path('messyloss'), 'none'))
    summary = summary_of({'last': done})
    return {'peak': summary['memory']['peak'], 'budget': summary['memory']['budget']}

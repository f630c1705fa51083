# SPDX-License-Identifier: Apache-2.0
"""Tables of what was measured, as Markdown, and where they go in docs/performance.md."""
import os

import goals
import hotpath
import memory
from lab import ROOT, die
from programs import LABELS

ROWS = ('floor', 'weir', 'weir json', 'nids', 'tins', 'go', 'gonew', 'tcpflow', 'httpry', 'tshark')
PAGE = os.path.join(ROOT, 'docs', 'performance.md')
HOOKS = {'quick': 'bench:quick', 'full': 'bench:full', 'scales': 'bench:scales'}


def table(head, rows):
    yield '| ' + ' | '.join(head) + ' |'
    yield '|' + '---|' * len(head)
    for row in rows:
        yield '| ' + ' | '.join(str(cell) for cell in row) + ' |'


def figure(row, key, form='%.3f', scale=1.0):
    return form % (row[key] / scale) if row and key in row else '–'


def present(results):
    """The programs that any capture has a row of, in the order of the tables."""
    return [name for name in ROWS if any(name in row for row in results['captures'].values())]


def goal_table(results):
    word = {True: 'reached', False: '**not reached**', None: 'not measured'}
    return table(('goal', 'measured', 'asked', ''), [(what, found, asked, word[ok]) for what, found, asked, ok in goals.all_of(results)])


def cpu_table(results):
    names = present(results)
    rows = []
    for capture, row in results['captures'].items():
        rows.append([capture] + [figure(row.get(name), 'cpu', '%.3f' if row.get(name, {}).get('cpu', 0) < 1 else '%.2f') for name in names])
    return table(['CPU s'] + [LABELS[name] for name in names], rows)


def ratio_table(results):
    names = [name for name in present(results) if name not in ('floor', 'weir')]
    rows = []
    for capture, row in results['captures'].items():
        weir, floor = row['weir']['cpu'], row['floor']['cpu']
        rows.append([capture, '%.2f' % (weir / floor)] + ['%.1f' % (row[name]['cpu'] / weir) if 'cpu' in row.get(name, {}) else '–'
                                                          for name in names])
    return table(['ratio', 'weir / floor'] + ['%s / weir' % LABELS[name] for name in names], rows)


def memory_table(results):
    names = present(results)
    return table(['peak RSS, MB'] + [LABELS[name] for name in names], [
        [capture] + [figure(row.get(name), 'rss', '%.0f', 1e6) for name in names] for capture, row in results['captures'].items()])


def truth_table(results):
    names = [name for name in present(results) if name != 'weir json']
    rows = []
    for capture, row in results['captures'].items():
        truth, cells = tuple(results['truth'][capture]), []
        for name in names:
            counts = row.get(name, {}).get('counts')
            if name == 'weir' and capture in results.get('exact', {}):
                counts = results['exact'][capture]['counts']
            cells.append('–' if counts is None or counts[0] < 0 else 'exact' if tuple(counts) == truth else '%+d, %+d' % tuple(
                found - right for found, right in zip(counts, truth)))
        rows.append([capture, '%d, %d' % truth] + cells)
    return table(['requests, responses', 'truth'] + [LABELS[name] for name in names], rows)


def options_table(results):
    rows = []
    for capture, row in results['captures'].items():
        one, two = row['weir json'].get('wall'), row['weir json -j 2'].get('wall')
        rows.append([capture] + [figure(row.get(name), 'cpu') for name in ('weir', 'weir -k auto', 'weir hash')] + (
            ['%.3f' % one, '%.3f' % two, '%.2f' % (one / two)] if one and two else ['–', '–', '–']))
    return table(('', 'no output, CPU s', 'with -k auto', 'with --bodies=hash', 'JSON, wall s: -j 1', '-j 2', 'gain'), rows)


def exact_table(results):
    found = results.get('exact', {})
    jobs = list(next(iter(found.values()))['same']) if found else []
    rows = []
    for capture, row in found.items():
        truth = tuple(row['truth'])
        rows.append([capture, '%d, %d' % truth, '%d, %d' % tuple(row['counts'])] + [
            'the same bytes' if row['same'][job] else '**differs**' for job in jobs[1:]])
    return table(['', 'truth: requests, responses', 'weir, -j 1'] + ['-j ' + job for job in jobs[1:]], rows)


def instruction_table(results):
    rows = []
    for capture, row in results.get('instructions', {}).items():
        groups = row.get('groups', {})
        rows.append([capture] + ['%.0f' % abs(groups[group]) if groups else '–' for group in hotpath.GROUPS] + [
            '**%.0f**' % row['weir'], figure(row, 'floor', '%.0f'), figure(row, 'nids', '%.0f')])
    return table(('instructions a packet',) + hotpath.GROUPS + ('weir', 'floor', 'libnids'), rows)


def peer_lines(results):
    """What the peers are, and what could not be had or was not run, and why."""
    for name, version in results['peers'].items():
        yield '- %s: %s' % (LABELS[name], version)
    for name, why in results['missing'].items():
        yield '- %s: **not measured**: %s' % (LABELS[name], ' '.join(why.split())[:200])
    for capture, row in results['captures'].items():
        for name in ROWS:
            if 'why' in row.get(name, {}):
                yield '- %s on %s: not measured: %s' % (LABELS[name], capture, ' '.join(row[name]['why'].split())[:120])


def section(results):
    """The lines of one size."""
    yield results['machine'] + ' Medians of %d runs after one that is dropped, of fewer where a program takes more than 2 s; interleaved; CPU ' \
        'seconds, user + system.' % results['runs']
    yield ''
    yield from goal_table(results)
    if results.get('captures'):
        for part in cpu_table, ratio_table, memory_table, truth_table, options_table:
            yield ''
            yield from part(results)
    if results.get('exact'):
        yield ''
        yield from exact_table(results)
    if results.get('captures'):
        yield ''
        yield from peer_lines(results)


def scale_section(results):
    yield results['machine'] + ' Size: %s.' % results['size']
    for name, part, text in SCALES:
        if results.get(name):
            yield ''
            yield from text.split('\n')
            rows = list(part(results))
            yield from [''] * bool(rows) + rows
    if results.get('instructions'):
        yield ''
        yield 'Instructions a packet, two lengths of the capture differenced (`bench/hotpath.py`, which says what belongs where):'
        yield ''
        yield from instruction_table(results)
        others = [item for row in results['instructions'].values() for item in row.get('other', [])]
        yield ''
        yield 'In `other`: ' + ('nothing.' if not others else ', '.join('%s (%s, %.1f)' % tuple(item) for item in others) + '.')


def workers_table(results):
    rows = results['workers']
    cells = []
    for sink, label in ('none', 'no output'), ('json:/dev/null', 'JSON to /dev/null'):
        jobs = [key.split()[1] for key in rows if key.startswith(sink + ' ')]
        base = rows['%s %s' % (sink, jobs[0])].get('wall')
        cells.append([label] + ['%.3f s, %.2f ×' % (rows['%s %s' % (sink, job)]['wall'], base / rows['%s %s' % (sink, job)]['wall']) for job in jobs])
    return table(['small, wall time and gain'] + ['-j ' + job for job in jobs], cells)


def per_packet(row, name):
    return '–' if 'cpu' not in row.get(name, {}) else '%.0f' % (row[name]['cpu'] / row['packets'] * 1e9)


def flows_table(results):
    return table(('open flows', 'weir, ns a packet', 'floor', 'libnids', 'memory charged, MiB'), [
        [format(int(n), ','), per_packet(row, 'weir'), per_packet(row, 'floor'), per_packet(row, 'nids'), '%.0f' % (row['memory'] / (1 << 20))]
        for n, row in results['flows'].items()])


def sizes_table(results):
    return table(('frames of', 'weir, ns a packet', 'floor', 'libnids', 'weir, Gbit/s'), [
        [size + ' B', per_packet(row, 'weir'), per_packet(row, 'floor'), per_packet(row, 'nids'), '%.1f' % (row['bytes'] * 8e-9 / row['weir']['cpu'])]
        for size, row in results['sizes'].items()])


def loss_table(results):
    return table(('lost', 'weir, ns a packet', 'floor', 'libnids', 'memory charged, MiB', 'transactions / request heads that are left'), [
        [percent + ' %', per_packet(row, 'weir'), per_packet(row, 'floor'), per_packet(row, 'nids'), '%.0f' % (row['memory'] / (1 << 20)),
         '%d / %d' % (row['records'], row['truth'][0])] for percent, row in results['loss'].items()])


def prices_table(results):
    rows, base = results['prices']['rows'], results['prices']['rows']['-o none'].get('cpu')
    return table(('', 'CPU s', '× no output', 'peak RSS, MB', 'written, MB'), [
        [what, figure(row, 'cpu'), '%.2f' % (row['cpu'] / base), figure(row, 'rss', '%.0f', 1e6), '%.0f' % (row['written'] / 1e6)]
        if 'cpu' in row else [what, ' '.join(row['why'].split())[-80:], '–', '–', '–'] for what, row in rows.items()])


SCALES = (
    ('captures', lambda results: [], '![CPU time of each program, per capture](bench-ratios.svg)'),
    ('workers', workers_table, '### Workers\n\n![throughput by workers](bench-workers.svg)'),
    ('flows', flows_table, '### Flows\n\nFlows that are all open, and exchanges on them in turn, the worst order for a cache; handshakes '
     'included.\n\n![nanoseconds a packet by open flows](bench-flows.svg)'),
    ('sizes', sizes_table, '### Size of packets\n\nDownloads in frames of one size, every second one acknowledged.\n\n'
     '![nanoseconds a packet by frame size](bench-sizes.svg)'),
    ('loss', loss_table, '### Loss\n\nSmall and churn together, as messy is, with so much of the packets missing.\n\n'
     '![nanoseconds a packet by loss](bench-loss.svg)'),
    ('prices', prices_table, '### What options and sinks cost\n\nOn the first 440,000 packets of small, one worker; sinks write to a file system.\n\n'
     '![CPU time by option and sink](bench-prices.svg)'),
)


def write(name, lines):
    with open(PAGE, encoding='utf-8') as file:
        text = file.read()
    begin, end = '<!-- %s -->\n' % HOOKS[name], '<!-- /%s -->' % HOOKS[name]
    if begin not in text or end not in text:
        die('docs/performance.md has no markers %s … %s' % (begin.strip(), end), 'put them where the tables belong')
    head, rest = text.split(begin, 1)
    with open(PAGE, 'w', encoding='utf-8') as file:
        file.write(head + begin + '\n'.join(lines) + '\n' + end + rest.split(end, 1)[1])
    print('written: docs/performance.md, %s' % HOOKS[name])


def write_memory(results):
    if results.get('memory'):
        memory.write(results['memory'])

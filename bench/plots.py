# SPDX-License-Identifier: Apache-2.0
"""Pictures of what was measured: docs/bench-*.svg, readable on light and on dark pages. No library: the axes are few."""
import math
import os

from lab import ROOT
from programs import LABELS

FOLDER = os.path.join(ROOT, 'docs')
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 420, 70, 190, 40, 60
# Of the same lightness on white and on black; the first is weir's.
COLOURS = ('#2f80c3', '#d1603d', '#3a9d6e', '#a06cd5', '#b58a1b', '#6b8299', '#c94f8b', '#3aa5a5', '#8d6e55', '#7a7f2b')
STYLE = '''<style>
text{fill:#24292f;font:12px sans-serif}.title{font-size:14px;font-weight:600}.grid{stroke:#d0d7de;stroke-width:1}
.axis{stroke:#57606a;stroke-width:1}.back{fill:#ffffff}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}.axis{stroke:#8b949e}.back{fill:#0d1117}}
</style>'''


class Picture:
    def __init__(self, title, width=WIDTH, height=HEIGHT):
        self.out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="%s">' % (
            width, height, width, height, escape(title)), STYLE, '<rect class="back" width="100%" height="100%"/>']
        self.text(16, 24, title, kind='title')

    def text(self, x, y, text, anchor='start', kind=None, turn=None):
        self.out.append('<text x="%.1f" y="%.1f" text-anchor="%s"%s%s>%s</text>' % (
            x, y, anchor, ' class="%s"' % kind if kind else '', ' transform="rotate(%d %.1f %.1f)"' % (turn, x, y) if turn else '', escape(text)))

    def line(self, x1, y1, x2, y2, kind='grid'):
        self.out.append('<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>' % (kind, x1, y1, x2, y2))

    def write(self, name):
        path = os.path.join(FOLDER, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write('\n'.join(self.out + ['</svg>']) + '\n')
        print('written: docs/' + name)


def escape(text):
    return text.replace('&', '&amp;').replace('<', '&lt;').replace('"', '&quot;')


def nice(value):
    """A round number just above."""
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * 0.999)


def short(value):
    for limit, unit in (1e6, 'M'), (1e3, 'k'):
        if value >= limit and value % (limit / 10) == 0:
            return '%g%s' % (value / limit, unit)
    return '%g' % value


class Axis:
    """A scale from values to pixels, with its ticks."""

    def __init__(self, low, high, begin, end, ticks, log=False):
        self.low, self.high, self.begin, self.end, self.ticks, self.log = low, high, begin, end, ticks, log

    def at(self, value):
        if self.log:
            share = (math.log10(max(value, self.low)) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)


def linear(high, begin, end, steps=5):
    top = nice(high)
    return Axis(0, top, begin, end, [top * i / steps for i in range(steps + 1)])


def powers(low, high, begin, end):
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return Axis(10.0**first, 10.0**last, begin, end, [10.0**power for power in range(first, last + 1)], log=True)


def curves(name, title, labels, series, y_label, log_y=False, x_label=''):
    """One line a series over the same labels: {name: [value or None]}."""
    picture = Picture(title)
    values = [value for points in series.values() for value in points if value is not None]
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    y = powers(min(values), max(values), bottom, TOP + 10) if log_y else linear(max(values), bottom, TOP + 10)
    for tick in y.ticks:
        picture.line(LEFT, y.at(tick), right, y.at(tick))
        picture.text(LEFT - 6, y.at(tick) + 4, short(round(tick, 6)), 'end')
    step = (right - LEFT) / max(len(labels) - 1, 1)
    for i, label in enumerate(labels):
        picture.line(LEFT + i * step, bottom, LEFT + i * step, bottom + 5, 'axis')
        picture.text(LEFT + i * step, bottom + 20, label, 'middle')
    picture.line(LEFT, bottom, right, bottom, 'axis')
    picture.text((LEFT + right) / 2, bottom + 42, x_label, 'middle')
    picture.text(18, (TOP + bottom) / 2, y_label, 'middle', turn=-90)
    for number, (label, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        placed = [(LEFT + i * step, y.at(value)) for i, value in enumerate(points) if value is not None]
        picture.out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (
            ' '.join('%.1f,%.1f' % point for point in placed), colour))
        picture.out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (point + (colour,)) for point in placed]
        legend(picture, right + 18, TOP + 16 + 20 * number, colour, label)
    picture.write(name)


def legend(picture, x, y, colour, label):
    picture.out.append('<rect x="%.1f" y="%.1f" width="12" height="12" rx="2" fill="%s"/>' % (x, y - 10, colour))
    picture.text(x + 18, y, label)


def ratios(results):
    """Bars: CPU time as a multiple of the floor's, a group a capture."""
    names = [name for name in LABELS if name != 'floor' and any('cpu' in row.get(name, {}) for row in results['captures'].values())]
    found = results['captures']
    row_height, left = 15, 90
    height = TOP + sum(len(names) * row_height + 22 for _ in found) + BOTTOM
    picture = Picture('CPU time of each program ÷ the floor\'s on the same capture (logarithmic)', WIDTH, height)
    highest = max(row[name]['cpu'] / row['floor']['cpu'] for row in found.values() for name in names if 'cpu' in row.get(name, {}))
    x = powers(1, max(highest, 10), left, WIDTH - RIGHT)
    for tick in x.ticks:
        picture.line(x.at(tick), TOP, x.at(tick), height - BOTTOM)
        picture.text(x.at(tick), height - BOTTOM + 18, short(tick) + ' ×', 'middle')
    top = TOP + 8
    for capture, row in found.items():
        picture.text(left - 8, top + len(names) * row_height / 2 + 4, capture, 'end')
        for number, name in enumerate(names):
            y = top + number * row_height
            if 'cpu' not in row.get(name, {}):
                picture.text(left + 4, y + 11, '–')
                continue
            ratio = row[name]['cpu'] / row['floor']['cpu']
            picture.out.append('<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>' % (
                left, y + 1, max(x.at(ratio) - left, 1), row_height - 3, COLOURS[number % len(COLOURS)]))
            picture.text(max(x.at(ratio), left) + 5, y + 11, '%.1f' % ratio if ratio < 100 else '%.0f' % ratio)
        top += len(names) * row_height + 22
    picture.line(left, TOP, left, height - BOTTOM, 'axis')
    for number, name in enumerate(names):
        legend(picture, WIDTH - RIGHT + 28, TOP + 16 + 20 * number, COLOURS[number % len(COLOURS)], LABELS[name])
    picture.write('bench-ratios.svg')


def bars(name, title, rows, unit):
    """Horizontal bars of one colour: [(label, value)]."""
    left, row_height = 190, 22
    height = TOP + len(rows) * row_height + BOTTOM
    picture = Picture(title, WIDTH, height)
    x = linear(max(value for _, value in rows), left, WIDTH - 70)
    for tick in x.ticks:
        picture.line(x.at(tick), TOP, x.at(tick), height - BOTTOM + 6)
        picture.text(x.at(tick), height - BOTTOM + 22, short(round(tick, 6)) + unit, 'middle')
    for number, (label, value) in enumerate(rows):
        y = TOP + 6 + number * row_height
        picture.text(left - 8, y + 13, label, 'end')
        picture.out.append('<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>' % (
            left, y, max(x.at(value) - left, 1), row_height - 6, COLOURS[0 if number else 5]))
        picture.text(x.at(value) + 5, y + 13, '%.2f' % value)
    picture.line(left, TOP, left, height - BOTTOM + 6, 'axis')
    picture.write(name)


def nanoseconds(rows, name):
    return [row[name]['cpu'] / row['packets'] * 1e9 if 'cpu' in row.get(name, {}) else None for row in rows.values()]


def per_packet(rows):
    series = {label: nanoseconds(rows, name) for name, label in (('weir', 'weir, no output'), ('floor', 'floor'), ('nids', 'libnids'))}
    return {label: points for label, points in series.items() if any(point is not None for point in points)}


def workers(results):
    rows, packets = results['workers'], results.get('small_packets') or 1
    series, labels = {}, []
    for sink, label in ('none', 'no output'), ('json:/dev/null', 'JSON to /dev/null'):
        labels = [key.split()[1] for key in rows if key.startswith(sink + ' ')]
        series[label] = [packets / rows['%s %s' % (sink, job)]['wall'] / 1e6 for job in labels]
    curves('bench-workers.svg', 'Throughput by workers, small (%d cores)' % results['cores'], labels, series, 'million packets a second',
           x_label='workers (-j)')


def draw(results):
    """All for which there is something."""
    if results.get('captures'):
        ratios(results)
    if results.get('workers'):
        workers(results)
    if results.get('flows'):
        curves('bench-flows.svg', 'CPU time a packet by flows that are open', [short(int(n)) for n in results['flows']],
               per_packet(results['flows']), 'nanoseconds a packet', x_label='open flows')
    if results.get('sizes'):
        curves('bench-sizes.svg', 'CPU time a packet by size of the frames', list(results['sizes']), per_packet(results['sizes']),
               'nanoseconds a packet', log_y=True, x_label='bytes of a frame (9014: jumbo, 65549: segmentation offload)')
    if results.get('loss'):
        curves('bench-loss.svg', 'CPU time a packet by loss', [percent + ' %' for percent in results['loss']], per_packet(results['loss']),
               'nanoseconds a packet', x_label='packets lost')
    if results.get('prices'):
        rows, base = results['prices']['rows'], results['prices']['rows']['-o none']['cpu']
        bars('bench-prices.svg', 'CPU time of options and sinks ÷ -o none', [(what, row['cpu'] / base) for what, row in rows.items() if 'cpu' in row],
             ' ×')

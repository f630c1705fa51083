# SPDX-License-Identifier: Apache-2.0
"""The goals of PERFORMANCE.md, each as a ratio in the run it is about: reached or not."""
from compare import EXACT, SURVIVORS, is_exact


class Goals:
    """Rows (what, measured, goal, True, False or None for what was not measured)."""

    def __init__(self, results):
        self.results, self.rows = results, []

    def add(self, what, value, form, goal_text, reached):
        if value is None:
            self.rows.append((what, 'not measured', goal_text, None))
        else:
            self.rows.append((what, form % value, goal_text, reached(value)))

    def most(self, what, value, limit, form='%.2f', goal=None):
        self.add(what, value, form, goal or '≤ ' + number(limit), lambda v: v <= limit)

    def least(self, what, value, limit, form='%.1f'):
        self.add(what, value, form, '≥ ' + number(limit), lambda v: v >= limit)

    def cpu(self, capture, above, below):
        """Ratio of the CPU times of two programs on one capture, or None."""
        row = self.results.get('captures', {}).get(capture, {})
        top, bottom = row.get(above, {}).get('cpu'), row.get(below, {}).get('cpu')
        return top / bottom if top and bottom else None


def number(value):
    return format(value, ',') if isinstance(value, int) else ('%g' % value)


def speed(goals):
    goals.most('small, no output: weir / floor', goals.cpu('small', 'weir', 'floor'), 2)
    goals.least('small, no output: Go / weir', goals.cpu('small', 'go', 'weir'), 30)
    goals.least('small, no output: libnids / weir', goals.cpu('small', 'nids', 'weir'), 2)
    goals.most('small, JSON: weir / floor', goals.cpu('small', 'weir json', 'floor'), 4)
    for capture, limit in ('churn', 2.5), ('bulk', 1.5), ('messy', 2.5):
        goals.most('%s, no output: weir / floor' % capture, goals.cpu(capture, 'weir', 'floor'), limit)
    small = goals.results.get('captures', {}).get('small', {})
    one, two = small.get('weir json', {}).get('wall'), small.get('weir json -j 2', {}).get('wall')
    goals.least('small, JSON: throughput of two workers / of one', one / two if one and two else None, 1.7, '%.2f')
    both, messy = (goals.results.get('captures', {}).get(name, {}).get('weir', {}).get('cpu') for name in ('messyloss', 'messy'))
    goals.most('messyloss / messy, CPU time', both / messy if both and messy else None, 1.5)
    for capture, limit in ('small', 1000), ('churn', 600):
        found = goals.results.get('instructions', {}).get(capture, {}).get('weir')
        goals.most('%s: instructions a packet' % capture, found, limit, '%.0f')


def memory(goals):
    for row in goals.results.get('memory', []):
        if row['goal'] is not None:
            limit = row['goal'] + row['payload']
            goals.rows.append(('memory of a flow: ' + row['what'], '%.0f B%s' % (row['bytes'], ', ' + row['problem'] if row['problem'] else ''),
                               '≤ %d B%s' % (row['goal'], ' + its %d' % row['payload'] if row['payload'] else ''),
                               row['problem'] is None and row['bytes'] <= limit))
    flood = goals.results.get('flood', {})
    budgets = [name for name in flood if 'budget' in flood[name]]
    beyond = flood[budgets[0]]['cpu'] - flood['read']['cpu'] if budgets and 'cpu' in flood.get('read', {}) else None
    goals.most('flood of 4 M SYNs: CPU seconds beyond reading', beyond, 1.0)
    for name in budgets:
        row = flood[name]
        goals.rows.append(('flood, --memory %s: memory' % name, mib(row['peak']), '≤ ' + mib(row['budget']), row['peak'] <= row['budget']))
        others = {key: value for key, value in row['drops'].items() if key != 'evicted_half_open'}
        goals.rows.append(('flood, --memory %s: exchanges of established flows' % name, '%d%s' % (
            row['exchanges'], ', lost: %s' % others if others else ''), '= %d' % row['expected'],
            row['exchanges'] == row['expected'] and not others))
    lossy = goals.results.get('lossy')
    if lossy:
        goals.rows.append(('messyloss: memory', mib(lossy['peak']), '≤ ' + mib(lossy['budget']), lossy['peak'] <= lossy['budget']))


def exactness(goals):
    found = goals.results.get('exact', {})
    for capture in EXACT:
        if capture not in found:
            continue
        row, truth = found[capture], tuple(found[capture]['truth'])
        same = all(row['same'].values())
        text = 'exact' if tuple(row['counts']) == truth else '%+d, %+d' % tuple(a - b for a, b in zip(row['counts'], truth))
        if capture in SURVIVORS:
            text = '%.2f %%, %.2f %%' % tuple(100 * a / b for a, b in zip(row['counts'], truth))
        goals.rows.append(('%s: requests, responses at -j %s' % (capture, ', '.join(row['same'])), '%s, output %s' % (
            text, 'identical' if same else 'DIFFERS'), '≥ 99 %' if capture in SURVIVORS else 'the truth', same and is_exact(
                capture, tuple(row['counts']), truth)))


def live(goals):
    """{'jobs': {workers: {'packets_per_second', 'drops', 'core'}}}, or why not."""
    jobs = (goals.results.get('live') or {}).get('jobs') or {'1': {}}
    for workers, row in sorted(jobs.items()):
        rate = row.get('packets_per_second')
        what = 'live, at the sender\'s ceiling%s, -j %s: ' % (' (%.2f M packets/s)' % (rate / 1e6) if rate else '', workers)
        goals.most(what + 'drops', row.get('drops'), 0, '%d', 'none')
        goals.most(what + 'of a core', row.get('core'), 0.25, '%.2f')


def mib(value):
    return '%.0f MiB' % (value / (1 << 20))


def all_of(results):
    goals = Goals(results)
    for part in speed, memory, exactness, live:
        part(goals)
    return goals.rows

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every row of REASSEMBLY.md's behaviour table has scenarios that are named after it: check_rows.py

rows.tsv lists them. The table itself is read from ../shared (or $WEIR_SHARED) where that is present: a row that is not in the list
fails. So does a scenario that is not listed, is not there, or has another row's name.
"""
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def listed():
    with open(os.path.join(HERE, 'rows.tsv'), encoding='utf-8') as file:
        lines = [line.rstrip('\n').split('\t') for line in file if not line.startswith('#')]
    return [(row, says, scenarios.split()) for row, says, scenarios in lines[1:]]


def names_of(row):
    """How a scenario of a row begins: `SYN with data (TFO)` is syn_with_data; a row of two matters has two names."""
    plain = re.sub(r'\(.*?\)', '', row)
    return [re.sub(r'[^a-z0-9]+', '_', part.strip().lower()).strip('_') for part in plain.split(', ')]


def rows_of_table():
    folder = os.environ.get('WEIR_SHARED') or os.path.join(ROOT, '..', 'shared')
    path = os.path.join(folder, 'REASSEMBLY.md')
    if not os.path.exists(path):
        return None
    with open(path, encoding='utf-8') as file:
        section = file.read().split('\n## Behaviour\n')[1].split('\n## ')[0]
    rows = [line.split('|')[1].strip() for line in section.split('\n') if line.startswith('|')]
    return [row for row in rows if row not in ('matter', '---')]


def problems():
    table, told = rows_of_table(), {row for row, _, _ in listed()}
    for row in table or []:
        if row not in told:
            yield 'the row "%s" has no scenario' % row
    for row in told - set(table or told):
        yield 'rows.tsv: there is no row "%s"' % row
    present = {os.path.basename(path)[:-len('.flow')] for path in glob.glob(os.path.join(HERE, '*.flow'))}
    named = set()
    for row, says, scenarios in listed():
        named.update(scenarios)
        if not scenarios:
            yield '%s: %s: no scenario' % (row, says)
        for scenario in scenarios:
            if not any(scenario == name or scenario.startswith(name + '_') for name in names_of(row)):
                yield '%s is not named after its row, %s' % (scenario, names_of(row))
    for scenario in sorted(named - present):
        yield 'rows.tsv: there is no %s.flow' % scenario
    for scenario in sorted(present - named):
        yield '%s.flow is in no row of rows.tsv' % scenario


def main():
    found = list(problems())
    for problem in found:
        print(problem)
    rows = listed()
    print('%d rows, %d scenarios%s' % (len({row for row, _, _ in rows}), sum(len(s) for _, _, s in rows),
                                       '' if rows_of_table() else ' (the table itself is not here)'))
    print('%d passed, %d failed, 0 skipped' % (len(rows) - min(len(rows), len(found)), len(found)))
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())

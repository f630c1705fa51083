#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plant bugs in reassembly, one at a time, in a copy, and see whether the tests notice (docs/testing.md).

Run by hand: tests/property/plant.py [DIR for the copy]. Exit 1 when a bug lives, or when a planting place is gone.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HALF, HOLES, STORE, SEGQ = (f'src/reasm/{name}.c' for name in ('half', 'half_holes', 'half_store', 'segq'))

# name, file, text, replacement
BUGS = [
    ('wrap off by one', 'src/base/seqnum.h', 'return (int32_t)(a - b);',
     'return (int32_t)(a - b) + (a < b && a - b < 0x80000000u);'),
    ('trim of the wrong end', HALF, 'ret->data = seg->data + *ret_before;', 'ret->data = seg->data;'),
    ('trim of the wrong end of old bytes', HALF, 'span->data + (half->next - span->lo), n,', 'span->data, n,'),
    ('lost trailing gap: FIN, without memory', HALF, '\t\tend = half->fin;\n', '\t\tend = half->next;\n'),
    ('lost trailing gap: acknowledged', HALF, '\t\tend = half->cold->ahead;\n', '\t\tend = half->next;\n'),
    ('lost trailing gap: FIN', HOLES, 'half->fin_known && half->fin > half->next ? &queue->fin : NULL', 'NULL'),
    ('double count', HALF, 'half->cold->ledger.duplicate += hi - span->lo;',
     'half->cold->ledger.duplicate += span->data_hi - span->lo;'),
    ('early gap: one packet', HOLES, 'queue->packets + 1;', 'queue->packets;'),
    ('early gap: age', HOLES, 'hole->born_ns > age_ns;', 'hole->born_ns > age_ns - 1000000;'),
    ('early gap: acknowledgement of what was not sent', HOLES, '\tif (offset <= seen) {\n',
     '\tif (offset <= seen + 100) {\n'),
    ('second copy wins', 'src/reasm/policy.c', '\tcase WEIR_OVERLAP_FIRST:\n\t\tbreak;',
     '\tcase WEIR_OVERLAP_FIRST:\n\t\treturn true;'),
    ('bsd takes what begins with the older one', 'src/reasm/policy.c', 'return newer->lo < older->lo;',
     'return newer->lo <= older->lo;'),
    ('solaris takes what ends with the older one', 'src/reasm/policy.c', ': newer->hi > older->hi;', ': newer->hi >= older->hi;'),
    ('held bytes are delivered early', HALF, 'half->cold->acked < end)', 'half->cold->acked + 1 < end)'),
    ('SACK of a part is evidence', HOLES, 'if (from >= lo &&', 'if (from + 1 >= lo &&'),
    ('a segment in pieces keeps two marks', SEGQ, 'return a->packet == b->packet;', 'return a == b;'),
    ('prepend loses a mark', SEGQ, 'node->nmarks = (uint16_t)(node->nmarks + run->nmarks);\n\tnode->offset',
     'node->offset'),
    ('a split hole loses its birth', SEGQ, 'node->hole = next->hole;', 'node->hole = no_hole;'),
    ('cut bytes forgotten in a join', SEGQ, '\t\tnode->cut = next->cut;\n', ''),
    ('tree: no skew', SEGQ, '\treturn split(skew(at));', '\treturn split(at);'),
    ('tree: removal does not rebalance', SEGQ, '\tunsigned want =', '\treturn at;\n\tunsigned want ='),
    ('bytes beyond FIN kept', SEGQ, 'node->offset >= offset) {', 'node->offset > offset) {'),
    ('a bigger block forgets where its bytes begin', SEGQ,
     'memcpy(block + data_at, reasm_node_data(node), node->len);',
     'memcpy(block + data_at, node->block + node->cap * MARK, node->len);'),
    ('leak when dropped', SEGQ, '\t\tnext = node->next;\n\t\treasm_node_free(pool, node);', '\t\tnext = node->next;'),
    ('limit off by one', STORE, 'queue->bytes > limit', 'queue->bytes >= limit'),
    ('stall counted twice', HALF, '\t\tqueue->stall_from_ns = now_ns;\n', ''),
    ('false conflict: hash of another length', 'src/reasm/ring.c', 'XXH3_64bits(again->data, entry->len) ==',
     'XXH3_64bits(again->data, again->len) =='),
]
TESTS = ['tests/property/test_reasm_model.c'] + [f'tests/unit/test_reasm_{name}.c' for name in ('half', 'gap', 'segq')]
SOURCES = ['src/base/budget.c', 'src/base/error.c', 'src/base/names.c'] + [
    f'src/reasm/{name}.c' for name in ('half', 'half_holes', 'half_store', 'pack', 'policy', 'ring', 'segq', 'slab')]


def first_line(text):
    match = re.search(r'WEIR_MODEL_SEED=.*|.*Assertion.*|ERROR: .*|\[  FAILED  \].*', text)
    return match.group(0).strip()[:110] if match else ''


def run(work, test):
    sources = [s for s in SOURCES if (work / s).exists()]
    build = subprocess.run(['gcc', '-g', '-O1', '-w', '-fsanitize=address,undefined', '-fno-sanitize-recover=all',
                            '-D_GNU_SOURCE', '-Iinclude', '-Isrc', '-Itests/lib', test, *sources, *EXTRA,
                            '-lcmocka', '-o', 'planted'], cwd=work, capture_output=True, text=True)
    if build.returncode:
        sys.exit(build.stderr)
    try:
        done = subprocess.run(['./planted'], cwd=work, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return True, 'does not end'
    return done.returncode != 0, first_line(done.stderr + done.stdout)


def names_source():
    """The file with the tables of names; it moves more often than the tests."""
    for path in sorted((ROOT / 'src').rglob('*.c')):
        if 'weir_gap_cause_name(enum' in path.read_text():
            return str(path.relative_to(ROOT))
    sys.exit('weir_gap_cause_name() is defined nowhere')


EXTRA = [names_source()]


def main():
    bad = 0
    base = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix='weir-plant-'))
    for name, file, text, replacement in [('(nothing planted)', HALF, '', '')] + BUGS:
        work = base / 'copy'
        shutil.rmtree(work, ignore_errors=True)
        for part in ('src', 'include', 'tests'):
            shutil.copytree(ROOT / part, work / part)
        source = (work / file).read_text()
        if text not in source:
            print(f'{name}: the place is gone', flush=True)
            bad += 1
            continue
        (work / file).write_text(source.replace(text, replacement, 1))
        results = [run(work, test) for test in TESTS]
        caught = any(r[0] for r in results)
        bad += caught != bool(text)
        print(f'{name}: ' + ('caught: ' if caught else 'not caught') +
              '; '.join(f'{Path(t).stem[5:]}: {r[1]}' for t, r in zip(TESTS, results) if r[0]), flush=True)
    shutil.rmtree(base / 'copy', ignore_errors=True)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())

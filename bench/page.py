# SPDX-License-Identifier: Apache-2.0
"""Where benchmarks write what they found: docs/performance.md, between the markers <!-- bench:NAME --> of each."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def replace(name, body):
    """`body` ends with a line end."""
    path = os.path.join(ROOT, 'docs', 'performance.md')
    with open(path, encoding='utf-8') as file:
        text = file.read()
    text, n = re.subn(r'(<!-- bench:%s -->\n).*?(<!-- /bench:%s -->)' % (name, name), lambda match: match.group(1) + body + match.group(2), text,
                      flags=re.S)
    if n != 1:
        sys.exit('%s: docs/performance.md has no place for it' % name)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)

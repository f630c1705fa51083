#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checkers of tools/: each must find the violation it is for, and be quiet about its absence."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LICENCE = '/* SPDX-License-Identifier: Apache-2.0 */\n'


class Tree(unittest.TestCase):
    """A small source tree in a temporary folder and a tool run over it."""

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix='weir-checks.')
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return path

    def run_tool(self, tool, *arguments):
        run = subprocess.run([sys.executable, os.path.join(ROOT, 'tools', tool)] + list(arguments),
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return run.returncode, run.stdout.decode()


class Layers(Tree):
    def check(self):
        return self.run_tool('check_layers', self.root)

    def refused(self, words):
        status, out = self.check()
        self.assertEqual(status, 1, out)
        self.assertIn(words, out)

    def accepted(self):
        status, out = self.check()
        self.assertEqual(status, 0, out)

    def test_downward_include_passes(self):
        self.write('src/base/a.h', '')
        self.write('include/weir/flow.h', '')
        self.write('src/reasm/half.c', '#include "base/a.h"\n#include "weir/flow.h"\n')
        self.accepted()

    def test_reasm_must_not_see_flow(self):
        self.write('src/flow/table.h', '')
        self.write('src/reasm/half.c', '#include "flow/table.h"\n')
        self.refused('src/reasm/half.c:1: reasm/ may not include flow/')

    def test_path_through_the_parent_folder_is_seen(self):
        self.write('src/flow/table.h', '')
        self.write('src/reasm/half.c', '#include "../flow/table.h"\n')
        self.refused('reasm/ may not include flow/')

    def test_parser_must_not_include_another(self):
        self.write('src/parser/tls.h', '')
        self.write('src/parser/http1.c', '#include "parser/tls.h"\n')
        self.refused('another parser')

    def test_parser_may_have_private_files(self):
        self.write('src/parser/http1_head.h', '')
        self.write('src/parser/http1.c', '#include "parser/http1_head.h"\n')
        self.accepted()

    def test_detect_must_not_know_a_parser(self):
        self.write('src/parser/http1.h', '')
        self.write('src/detect/detect.c', '#include "parser/http1.h"\n')
        self.refused('specific parser')

    def test_detect_may_see_the_registry(self):
        self.write('src/parser/registry.h', '')
        self.write('src/detect/detect.c', '#include "parser/registry.h"\n')
        self.accepted()

    def test_nobody_includes_app(self):
        self.write('src/app/options.h', '')
        self.write('src/sink/text.c', '#include "app/options.h"\n')
        self.refused('sink/ may not include app/')

    def test_public_header_must_not_include_private(self):
        self.write('src/base/a.h', '')
        self.write('include/weir/flow.h', '#include "base/a.h"\n')
        self.refused('public header')

    def test_libpcap_stays_in_the_program(self):
        self.write('src/decode/ip.c', '#include <pcap/pcap.h>\n')
        self.refused('<pcap/pcap.h> is for')

    def test_threads_stay_in_the_program(self):
        self.write('src/engine/engine.c', '#include <pthread.h>\n')
        self.refused('<pthread.h> is for')

    def test_library_must_not_ask_the_clock(self):
        self.write('src/engine/engine.c', 'int f(void)\n{\n\treturn time(NULL);\n}\n')
        self.refused('src/engine/engine.c:3: libweir calls time()')

    def test_words_in_comments_and_strings_are_no_calls(self):
        self.write('src/engine/engine.c', '/* exit(1) */\nconst char *s = "printf(";\nint x = a->time(1);\n')
        self.accepted()

    def test_unknown_room_is_an_error(self):
        self.write('src/base/a.h', '')
        self.write('src/util/x.c', '#include "base/a.h"\n')
        self.refused('no such room: util/')

    def test_missing_header_is_an_error(self):
        self.write('src/base/a.c', '#include "base/gone.h"\n')
        self.refused('no such file')

    def test_cycle_of_headers_is_an_error(self):
        self.write('src/base/a.h', '#include "base/b.h"\n')
        self.write('src/base/b.h', '#include "base/a.h"\n')
        self.refused('include cycle')

    def test_empty_tree_is_an_error(self):
        self.refused('no sources')

    def test_the_project_keeps_to_it(self):
        status, out = self.run_tool('check_layers', ROOT)
        self.assertEqual(status, 0, out)


class Sizes(Tree):
    def function(self, lines):
        return LICENCE + 'static int long_one(void)\n{\n' + '\tx();\n' * (lines - 2) + '}\n'

    def test_function_of_150_lines_passes(self):
        self.write('src/base/a.c', self.function(150) + ''.join('int f%d(void)\n{\n}\n' % i for i in range(20)))
        status, out = self.run_tool('check_sizes', self.root)
        self.assertEqual(status, 0, out)
        self.assertIn('warning: src/base/a.c:2: long_one() has 150 lines', out)

    def test_function_of_151_lines_fails(self):
        self.write('src/base/a.c', self.function(151) + ''.join('int f%d(void)\n{\n}\n' % i for i in range(20)))
        status, out = self.run_tool('check_sizes', self.root)
        self.assertEqual(status, 1, out)
        self.assertIn('long_one() has 151 lines; the limit is 150', out)

    def test_more_than_8_percent_of_long_functions_fails(self):
        self.write('src/base/a.c', self.function(61) + ''.join('int f%d(void)\n{\n}\n' % i for i in range(11)))
        self.assertEqual(self.run_tool('check_sizes', self.root)[0], 1)

    def test_file_of_1001_lines_fails(self):
        self.write('src/base/a.h', '\n' * 1000)
        self.assertEqual(self.run_tool('check_sizes', self.root)[0], 0)
        self.write('src/base/a.h', '\n' * 1001)
        self.assertEqual(self.run_tool('check_sizes', self.root)[0], 1)


class Text(Tree):
    def setUp(self):
        super().setUp()
        subprocess.run(['git', 'init', '-q', self.root], check=True)

    def test_source_without_licence_fails(self):
        self.write('src/base/a.c', 'int x;\n')
        status, out = self.run_tool('check_text', self.root)
        self.assertEqual(status, 1)
        self.assertIn('src/base/a.c:1: no line', out)

    def test_registry_host_fails(self):
        self.write('notes.md', 'from https://registry.' + 'example.com/x\n')
        status, out = self.run_tool('check_text', self.root)
        self.assertEqual(status, 1)
        self.assertIn('notes.md:1: names a package registry', out)

    def test_todo_needs_an_issue(self):
        self.write('a.c', LICENCE + '/* TO' + 'DO: later */\n')
        self.assertEqual(self.run_tool('check_text', self.root)[0], 1)
        self.write('a.c', LICENCE + '/* TO' + 'DO #7: later */\n')
        self.assertEqual(self.run_tool('check_text', self.root)[0], 0)

    def test_trailing_blank_fails(self):
        self.write('a.c', LICENCE + 'int x; \n')
        self.assertEqual(self.run_tool('check_text', self.root)[0], 1)


class Docs(Tree):
    """A tree whose documents are in order, in which each test breaks one thing."""
    HELP = 'usage: weir\n  -r FILE          read\n  -V, --version    version, see --json\n      --json       as JSON\n'
    PAGE = 'weir(1)\n\n# NAME\n\nweir - x\n\n*-r* _FILE_\n\tx\n\n*-V*, *--version*\n\tx\n\n*--json*\n\tx\n'

    def setUp(self):
        super().setUp()
        for name in ('ARCHITECTURE', 'CONTRIBUTING', 'STYLE', 'SECURITY', 'NEWS'):
            self.write(name + '.md', '')
        self.write('dev', 'cmd_demo()\n')
        self.write('README.md', 'Run `./dev demo`, see [NEWS](NEWS.md).\n')
        self.write('docs/weir.1.scd', self.PAGE)
        self.write('build/weir', '#!/bin/sh\ncat <<E\n' + self.HELP + 'E\n')
        os.chmod(os.path.join(self.root, 'build/weir'), 0o755)
        tools = os.path.join(self.root, 'bin')
        os.makedirs(tools)
        # scdoc is not needed to test the rest: a stand-in that refuses an empty page
        self.write('bin/scdoc', '#!/bin/sh\ngrep -q . || { echo "empty page" >&2; exit 1; }\n')
        os.chmod(os.path.join(tools, 'scdoc'), 0o755)
        before = os.environ['PATH']
        self.addCleanup(os.environ.__setitem__, 'PATH', before)
        os.environ['PATH'] = tools + ':' + before

    def check(self, status, words=''):
        got, out = self.run_tool('check_docs', self.root)
        self.assertEqual(got, status, out)
        self.assertIn(words, out)

    def test_documents_in_order_pass(self):
        self.check(0, 'docs: in order')

    def test_command_that_is_not_there_fails(self):
        self.write('README.md', 'Run `./dev nonsense`.\n')
        self.check(1, 'README.md: there is no ./dev nonsense')

    def test_path_that_is_not_there_fails(self):
        self.write('README.md', 'See `src/gone/x.c`.\n')
        self.check(1, 'README.md: there is no src/gone/x.c')

    def test_option_without_an_entry_fails(self):
        self.write('docs/weir.1.scd', self.PAGE.replace('*--json*\n\tx\n', ''))
        self.check(1, 'docs/weir.1.scd: --json is missing')

    def test_entry_without_an_option_fails(self):
        self.write('docs/weir.1.scd', self.PAGE + '\n*--serve*[=_ADDR_]\n\tx\n')
        self.check(1, 'docs/weir.1.scd: --serve is not an option of weir')

    def test_page_that_does_not_build_fails(self):
        self.write('docs/x.1.scd', '')
        self.check(1, 'docs/x.1.scd: empty page')

    def test_help_that_fails_is_an_error(self):
        self.write('build/weir', '#!/bin/sh\nexit 2\n')
        self.check(1, '--help: exit 2')


class Tally(Tree):
    """tools/tally on logs as meson writes them."""

    def tally(self, *tests):
        path = self.write('log.json', ''.join(json.dumps(test) + '\n' for test in tests))
        status, out = self.run_tool('tally', path)
        return status, out.strip().split('\n')[-1]

    def one(self, result='OK', returncode=0, stdout='', stderr=''):
        return {'name': 'weir:unit / x', 'result': result, 'returncode': returncode, 'duration': 0.1,
                'stdout': stdout, 'stderr': stderr}

    def test_cmocka_cases_are_counted(self):
        self.assertEqual(self.tally(self.one(stderr='[  PASSED  ] 6 test(s).\n')), (0, '6 passed, 0 failed, 0 skipped'))

    def test_cmocka_failures_are_counted(self):
        text = '[  PASSED  ] 4 test(s).\n[  FAILED  ] 2 test(s), listed below:\n[  FAILED  ] a\n[  FAILED  ] b\n\n 2 FAILED TEST(S)\n'
        self.assertEqual(self.tally(self.one('FAIL', 2, stderr=text)), (1, '4 passed, 2 failed, 0 skipped'))

    def test_crash_after_some_cases_is_a_failure(self):
        text = '[ RUN      ] a\n[       OK ] a\n[ RUN      ] b\n'
        self.assertEqual(self.tally(self.one('FAIL', -6, stdout=text)), (1, '1 passed, 1 failed, 0 skipped'))

    def test_crash_after_all_cases_passed_is_a_failure(self):
        self.assertEqual(self.tally(self.one('FAIL', 1, stderr='[  PASSED  ] 6 test(s).\n')),
                         (1, '6 passed, 1 failed, 0 skipped'))

    def test_own_count_line_wins(self):
        self.assertEqual(self.tally(self.one(stdout='x\n10 passed, 0 failed, 3 skipped\n')),
                         (0, '10 passed, 0 failed, 3 skipped'))

    def test_exit_77_is_one_skipped(self):
        self.assertEqual(self.tally(self.one('SKIP', 77, stdout='no corpus\n'), self.one()),
                         (0, '1 passed, 0 failed, 1 skipped'))

    def test_timeout_is_a_failure(self):
        self.assertEqual(self.tally(self.one('TIMEOUT', -15), self.one()), (1, '1 passed, 1 failed, 0 skipped'))

    def test_nothing_run_is_a_failure(self):
        self.assertEqual(self.tally(), (1, '0 passed, 0 failed, 0 skipped'))


if __name__ == '__main__':
    outcome = unittest.main(exit=False, verbosity=1).result
    bad = len(outcome.failures) + len(outcome.errors)
    print('%d passed, %d failed, %d skipped' %
          (outcome.testsRun - bad - len(outcome.skipped), bad, len(outcome.skipped)))
    sys.exit(1 if bad else 0)

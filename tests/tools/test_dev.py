#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev installs packages rightly: run with a folder of stand-ins for apt-get, dpkg-query, id and sudo as its PATH."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ALL_INSTALLED = 'shift 2\nfor name in "$@"; do echo "$name installed"; done\n'


class Dev(unittest.TestCase):
    def setUp(self):
        self.bin = tempfile.mkdtemp(prefix='weir-dev.')
        self.addCleanup(shutil.rmtree, self.bin)
        self.log = os.path.join(self.bin, 'calls')
        for name in ('bash', 'dirname', 'env', 'cat', 'sh'):
            os.symlink(shutil.which(name), os.path.join(self.bin, name))
        self.stub('id', 'echo 0\n')
        self.stub('dpkg-query', ALL_INSTALLED)
        self.stub('apt-get', 'echo "apt-get $*" >>%s\n' % self.log)

    def stub(self, name, script):
        path = os.path.join(self.bin, name)
        with open(path, 'w') as file:
            file.write('#!/bin/sh\n' + script)
        os.chmod(path, 0o755)

    def dev(self, *arguments):
        run = subprocess.run([os.path.join(ROOT, 'dev')] + list(arguments), env={'PATH': self.bin},
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        calls = []
        if os.path.exists(self.log):
            with open(self.log) as file:
                calls = file.read().splitlines()
        return run.returncode, run.stdout.decode(), calls

    def test_nothing_missing_calls_no_apt(self):
        status, out, calls = self.dev('deps', 'build', 'test')
        self.assertEqual((status, calls), (0, []), out)

    def test_missing_package_updates_once_and_installs_it_alone(self):
        self.stub('dpkg-query', ALL_INSTALLED.replace('echo', '[ "$name" = meson ] || echo') + 'exit 1\n')
        status, out, calls = self.dev('deps', 'build', 'test')
        self.assertEqual(status, 0, out)
        self.assertEqual(len(calls), 2, calls)
        self.assertTrue(calls[0].endswith(' update'), calls)
        self.assertTrue(calls[1].endswith(' --no-install-recommends install meson'), calls)

    def test_newly_installed_nginx_does_not_stay_running(self):
        self.stub('dpkg-query', 'exit 1\n')
        self.stub('systemctl', 'echo "systemctl $*" >>%s\n' % self.log)
        self.assertEqual(self.dev('deps', 'bench')[2][-1], 'systemctl disable -q --now nginx')

    def test_nginx_that_was_there_is_left_alone(self):
        self.stub('dpkg-query', ALL_INSTALLED.replace('echo', '[ "$name" = wrk ] || echo') + 'exit 1\n')
        self.stub('systemctl', 'echo "systemctl $*" >>%s\n' % self.log)
        calls = self.dev('deps', 'bench')[2]
        self.assertTrue(calls[-1].endswith(' install wrk'), calls)

    def test_removed_but_configured_package_counts_as_missing(self):
        self.stub('dpkg-query', ALL_INSTALLED.replace('echo "$name installed"',
                                                      'case $name in meson) echo "meson config-files";; '
                                                      '*) echo "$name installed";; esac'))
        calls = self.dev('deps', 'build')[2]
        self.assertTrue(calls[-1].endswith(' install meson'), calls)

    def test_user_with_sudo_uses_it(self):
        self.stub('id', 'echo 1000\n')
        self.stub('dpkg-query', 'exit 1\n')
        self.stub('sudo', 'echo sudo >>%s\nexec "$@"\n' % self.log)
        status, out, calls = self.dev('deps', 'build')
        self.assertEqual(status, 0, out)
        self.assertEqual([call.split()[0] for call in calls], ['sudo', 'apt-get', 'sudo', 'apt-get'])

    def test_user_without_sudo_gets_told_what_to_do(self):
        self.stub('id', 'echo 1000\n')
        self.stub('dpkg-query', 'exit 1\n')
        status, out, calls = self.dev('deps', 'build')
        self.assertEqual((status, calls), (1, []))
        self.assertIn('dev: error: packages are missing', out)
        self.assertIn('apt-get install gcc', out)

    def test_system_without_dpkg_gets_told_what_to_do(self):
        os.remove(os.path.join(self.bin, 'dpkg-query'))
        status, out, _ = self.dev('deps', 'build')
        self.assertEqual(status, 1)
        self.assertIn('not a Debian system', out)

    def test_failed_install_is_an_error(self):
        self.stub('dpkg-query', 'exit 1\n')
        self.stub('apt-get', 'case "$*" in *install*) exit 100;; esac\n')
        status, out, _ = self.dev('deps', 'build')
        self.assertEqual(status, 1)
        self.assertIn('dev: error: apt-get could not install', out)

    def test_failed_update_still_tries(self):
        self.stub('dpkg-query', 'exit 1\n')
        self.stub('apt-get', 'case "$*" in *update*) exit 100;; esac\n')
        self.assertEqual(self.dev('deps', 'build')[0], 0)

    def test_unknown_purpose_is_an_error(self):
        self.assertEqual(self.dev('deps', 'nonsense')[0], 1)

    def test_unknown_command_is_a_usage_error(self):
        status, out, _ = self.dev('nonsense')
        self.assertEqual(status, 2)
        self.assertIn('usage: ./dev', out)


if __name__ == '__main__':
    outcome = unittest.main(exit=False, verbosity=1).result
    bad = len(outcome.failures) + len(outcome.errors)
    print('%d passed, %d failed, %d skipped' % (outcome.testsRun - bad, bad, 0))
    sys.exit(1 if bad else 0)

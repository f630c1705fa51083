# SPDX-License-Identifier: Apache-2.0
"""What tests of the program from outside share: cli.WEIR is the first argument; @cli.test, expect(), equal(), cli.main().

Each test is a function without arguments whose name is the behaviour. It runs in an empty folder of its own, which is removed
after it. Names on the command line, behind the program's path, choose some.
"""
import os
import subprocess
import sys
import tempfile
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEMO = os.path.join(ROOT, 'examples', 'demo.pcapng')
WEIR = os.path.abspath(sys.argv[1])
TIMEOUT = 60
_tests = []


def test(function):
    _tests.append(function)
    return function


def run(*args, **kwargs):
    """weir with these arguments; stdout and stderr are bytes."""
    return subprocess.run([WEIR] + list(args), **{'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'timeout': TIMEOUT, **kwargs})


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, wanted, what):
    expect(got == wanted, '%s: got %r, expected %r' % (what, got, wanted))


def run_one(function):
    """@return did it pass?"""
    here = os.getcwd()
    with tempfile.TemporaryDirectory(prefix='weir-cli.') as folder:
        os.chdir(folder)
        try:
            function()
            return True
        except Exception as error:  # noqa: B902
            where = traceback.extract_tb(error.__traceback__)[-1]
            print('%s: %s: %s (%s:%d)' % (function.__name__, type(error).__name__, str(error)[:800], os.path.basename(where.filename),
                                          where.lineno))
            return False
        finally:
            os.chdir(here)


def main():
    """@return exit status"""
    chosen = [function for function in _tests if function.__name__ in sys.argv[2:] or not sys.argv[2:]]
    passed = [run_one(function) for function in chosen]
    print('%d passed, %d failed, 0 skipped' % (passed.count(True), passed.count(False)))
    return 0 if passed and all(passed) else 1

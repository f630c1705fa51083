# SPDX-License-Identifier: Apache-2.0
"""What all parts of ./dev bench share: where things are, how a program is run and measured, medians of interleaved runs, progress."""
import os
import re
import signal
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, 'build-bench')
BIN = os.path.join(WORK, 'bin')
WEIR = os.path.join(ROOT, 'build', 'weir')
# The same with debug information, for bench/hotpath.py.
WEIR_PROFILED = os.path.join(ROOT, 'build-prof', 'weir')
# A slow program runs less often: most seconds of its first run, and how many runs there are then.
FEWER_RUNS = ((20, 1), (4, 2), (2, 3))
TIME_LIMIT_S = 150


def die(what, fix):
    print('bench: error: %s\n  %s' % (what, fix), file=sys.stderr)
    sys.exit(1)


def run(command, **options):
    print('  $ ' + ' '.join(command), flush=True)
    subprocess.run(command, check=True, **options)


def newer(target, *sources):
    return os.path.exists(target) and all(os.path.getmtime(target) >= os.path.getmtime(source) for source in sources)


def counts_of_text(text):
    """(requests, responses) as the floor, the small peers and the truths print them; -1 for what is not there."""
    found = dict(re.findall(r'\b(requests|responses|req|resp)=(\d+)', text))
    return int(found.get('requests', found.get('req', -1))), int(found.get('responses', found.get('resp', -1)))


class TooSlow(Exception):
    pass


def measure(command, keep_stdout=None, limit=TIME_LIMIT_S, environment=None, fine=(0,)):
    """One run: cpu, wall, rss, status and what the program said. keep_stdout: a path, or None for nothing and True for text.

    Raises TooSlow after `limit` seconds, RuntimeError when the exit status is none of `fine` (None: any is)."""
    log = os.path.join(WORK, 'measure.log')
    if os.path.exists(log):
        os.remove(log)
    stdout = open(keep_stdout, 'wb') if isinstance(keep_stdout, str) else subprocess.PIPE if keep_stdout else subprocess.DEVNULL
    process = subprocess.Popen([os.path.join(BIN, 'measure'), log] + command, stdout=stdout, stderr=subprocess.PIPE, start_new_session=True,
                               env=environment, cwd=WORK)
    try:
        said, complaint = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise TooSlow('more than %d s' % limit)
    finally:
        if isinstance(keep_stdout, str):
            stdout.close()
    with open(log) as file:
        status, user, system, wall, rss = file.read().split()
    text = (said or b'').decode('utf-8', 'replace') + complaint.decode('utf-8', 'replace')
    if fine is not None and int(status) not in fine:
        raise RuntimeError('%s: status %s: %s' % (' '.join(command)[:200], status, text.strip()[-300:]))
    return {'cpu': float(user) + float(system), 'user': float(user), 'system': float(system), 'wall': float(wall), 'rss': int(rss) * 1024,
            'status': int(status), 'text': text}


def quota(seconds, runs):
    """How often a program runs whose first run took so long, the first run included."""
    for least, fewer in FEWER_RUNS:
        if seconds >= least:
            return min(fewer, runs + 1)
    return runs + 1


def interleave(rows, runs, tell=lambda text: None):
    """Medians of each row: {name: {'cpu', 'wall', 'rss', 'runs', 'last'}}, or {'why': …} when it could not be measured.

    rows: [(name, function that makes one run and returns measure()'s dict)]. Every row runs in turn, run after run, so that what disturbs
    the machine disturbs all of them. The first run (page cache) is dropped, but for slow programs that run less often."""
    samples, result, quotas = {name: [] for name, _ in rows}, {}, {name: runs + 1 for name, _ in rows}
    for number in range(runs + 1):
        for name, once in rows:
            if name in result or number >= quotas[name]:
                continue
            tell('run %d of %d: %s' % (number + 1, quotas[name], name))
            try:
                samples[name].append(once())
            except (TooSlow, RuntimeError, OSError) as problem:
                result[name] = {'why': str(problem)}
                continue
            if number == 0:
                quotas[name] = quota(samples[name][0]['wall'], runs)
    for name, _ in rows:
        if name not in result:
            kept = samples[name] if quotas[name] < runs + 1 or runs == 0 else samples[name][1:]
            result[name] = {key: statistics.median(sample[key] for sample in kept) for key in ('cpu', 'wall', 'rss')}
            result[name].update(runs=len(kept), last=samples[name][-1])
    return result


def strip(result):
    """What interleave() returned without what the programs said, for the file of results."""
    return {name: {key: value for key, value in row.items() if key != 'last'} for name, row in result.items()}


def weir_command(path, sink, *options):
    return [WEIR, '-q', '-r', path, '-k', 'none', '-j', '1', '-o', sink, '--summary=json'] + list(options)


class Progress:
    """Lines that say what is running, how far it is, and when it will be over."""

    def __init__(self, total_s):
        self.total, self.done, self.current, self.name = total_s, 0, 0, ''
        self.start = self.told = time.monotonic()

    def left(self):
        """Seconds, by the plan and by how fast it went so far."""
        rest = max(self.total - self.done - min(self.current, time.monotonic() - self.began), 0)
        spent = time.monotonic() - self.start
        pace = spent / self.done if self.done > 0.1 * self.total else 1
        return rest * max(pace, 0.3)

    def line(self, text):
        self.told = time.monotonic()
        left = self.left()
        print('[%s] %3d %%, %d:%02d left: %s' % (time.strftime('%H:%M:%S'), min(99, 100 * self.done / self.total), left // 60, left % 60,
                                              text), flush=True)

    def begin(self, name, seconds):
        self.name, self.current, self.began = name, seconds, time.monotonic()
        self.line(name)

    def tell(self, text):
        """Within a part: at most a line in ten seconds."""
        if time.monotonic() - self.told > 10:
            self.line('%s: %s' % (self.name, text))

    def end(self):
        self.done += self.current

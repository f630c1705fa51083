# SPDX-License-Identifier: Apache-2.0
"""The captures: made once, in build-bench/pcaps-SIZE, or taken as they are from $WEIR_PCAPS."""
import os
import subprocess

from lab import BIN, WORK, counts_of_text, run

# What the recipes make with real servers (root: network namespaces), and of that what is made of the others.
RECORDED = ('small', 'churn', 'bulk', 'messy', 'messyloss')
SCALE = {'quick': {'SMALL_N': '100000', 'CHURN_N': '40000', 'BULK_K': '2'}, 'full': {}}
# What generators make: open flows, and a flood around flows that go on.
GENERATED = {'quick': {'idle': ('gen', 'idle', '200000'), 'ooo': ('gen', 'ooo', '200000'), 'flooded': ('traffic', 'flood', '1000', '4000000')},
             'full': {'idle': ('gen', 'idle', '1000000'), 'ooo': ('gen', 'ooo', '1000000'), 'flooded': ('traffic', 'flood', '1000', '4000000')}}
FLOODED_EXCHANGES = 4000


class Captures:
    def __init__(self, size):
        self.given, self.own, self.size = os.environ.get('WEIR_PCAPS'), os.path.join(WORK, 'pcaps-' + size), size

    def path(self, name):
        """Where a capture is; where it would be made if it is not there."""
        for folder in (self.given, self.own):
            if folder and os.path.exists(os.path.join(folder, name + '.truth')) and os.path.exists(os.path.join(folder, name + '.pcap')):
                return os.path.join(folder, name + '.pcap')
        return os.path.join(self.own, name + '.pcap')

    def has(self, name):
        return os.path.exists(self.path(name)[:-5] + '.truth')

    def truth(self, name):
        """(requests, responses)"""
        with open(self.path(name)[:-5] + '.truth') as file:
            return counts_of_text(file.read())

    def make(self, recipes, wanted):
        """What is missing of those. Recorded ones are not made into a given folder: they are left out where it has none."""
        os.makedirs(self.own, exist_ok=True)
        for name, command in GENERATED[self.size].items():
            if name in wanted and not self.has(name):
                self.generate(name, command)
        missing = [name for name in RECORDED if name in wanted and not self.has(name)]
        if not missing or self.given:
            return
        for base in ('churn', 'small'):
            if base not in missing and any(name.startswith('messy') for name in missing) and \
                    not os.path.exists(os.path.join(self.own, base + '.pcap')):
                missing.insert(0, base)
        settings = ['%s=%s' % item for item in SCALE[self.size].items()] + ['PCAPS=' + self.own, 'PATH=' + os.environ['PATH']]
        sudo = [] if os.geteuid() == 0 else ['sudo']
        run(sudo + ['env'] + settings + ['bash', os.path.join(recipes, 'make_pcaps.sh')] + missing)

    def generate(self, name, command):
        path = os.path.join(self.own, name + '.pcap')
        print('  making %s' % path, flush=True)
        if command[0] == 'gen':
            done = subprocess.run([os.path.join(BIN, 'gen'), command[1], path, command[2]], stdout=subprocess.PIPE, check=True)
            truth = done.stdout.decode()
        else:
            traffic(path, *command[1:])
            truth = 'requests=%d responses=%d\n' % (FLOODED_EXCHANGES, FLOODED_EXCHANGES)
        with open(path[:-5] + '.truth', 'w') as file:
            file.write(truth)


def traffic(path, *arguments):
    with open(path, 'wb') as file:
        subprocess.run([os.path.join(BIN, 'traffic')] + [str(argument) for argument in arguments], stdout=file, check=True)


def mangle(path, loss, *sources):
    """Of sources one capture with so many percent lost, and as much out of order, twice and overlapping as in messy. @return its truth"""
    done = subprocess.run([os.path.join(BIN, 'mangle'), path, '3', str(loss), '1.5', '1', '1'] + list(sources), stdout=subprocess.PIPE, check=True)
    return counts_of_text(done.stdout.decode())

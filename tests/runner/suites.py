"""The two kinds of tests, ctest's and pytest's: list them, run some of them."""

import collections
import os
import re
import subprocess
import sys

import outcome
from console import stream

QUICK_LABELS = '^(unit|scenario|property|tidy)$'


class CtestLines:
    """ctest's output as progress; a failure is said when it happens."""

    def __init__(self, console, total):
        self.console, self.total, self.done, self.failed = console, total, 0, 0
        self.last = collections.deque(maxlen=20)

    def take(self, line):
        self.last.append(line)
        match = re.match(r'\s*\d+/\d+ Test\s+#\d+: (.*?) \.+\s*(.*)', line)
        if not match:
            return
        name, result = match.groups()
        self.done += 1
        if '***' in result and not re.search(r'\*\*\*(Skipped|Not Run \(Disabled\))', result):
            self.failed += 1
            self.console.line(f'   FAILED {name}: {result.strip("* ")}')
        self.console.progress(f'{self.done}/{self.total} tests, {self.failed} failed')


class PytestLines:
    """pytest's output as it is; a failure is said once more in a line of its own."""

    def __init__(self, console):
        self.console = console
        self.last = collections.deque(maxlen=20)

    def take(self, line):
        self.last.append(line)
        self.console.line('   ' + line)
        match = re.match(r'(\S+::.*?) (FAILED|ERROR)\s+\[ *\d+%\]$', line)
        if match:
            self.console.line(f'   FAILED {match.group(1)}')


def no_report(program, status, lines):
    """One failure for all that a program did not report: what the others found is not lost by it."""
    log = f'{program} ended with status {status} and no report; the last it said:\n' + '\n'.join(lines.last)
    return outcome.Outcome(program, 'failed', 0, f'status {status} and no report', log)


class CtestSuite:
    """Everything that CMake knows as a test: unit, scenario, property, sim and tidy."""

    def __init__(self, build, jobs, quick, environment):
        self.build, self.jobs, self.quick, self.environment = build, jobs, quick, environment
        self.numbers = {}

    def list(self):
        """Names, in order; ctest's number of each is kept for run()."""
        command = ['ctest', '--test-dir', self.build, '-N']
        if self.quick:
            command += ['-L', QUICK_LABELS]
        listing = subprocess.run(command, capture_output=True, text=True, env=self.environment)
        if listing.returncode != 0:
            sys.exit(f'tests/run: ctest could not list the tests:\n{listing.stdout}{listing.stderr}')
        for number, name in re.findall(r'^\s*Test\s+#(\d+): (.*)$', listing.stdout, re.MULTILINE):
            self.numbers[name.replace(' (Disabled)', '')] = number
        return list(self.numbers)

    def names_of(self, outcomes, listed):
        """As list() gives them."""
        return [name for name in listed if name in {one.name for one in outcomes}]

    def alone(self):
        suite = CtestSuite(self.build, 1, self.quick, self.environment)
        suite.numbers = self.numbers
        return suite

    def run(self, names, console):
        report = os.path.join(self.build, 'ctest.xml')
        if os.path.exists(report):
            os.unlink(report)
        numbers = ','.join(self.numbers[name] for name in names)
        command = ['ctest', '--test-dir', self.build, '-j', str(self.jobs), '--output-junit', report,
                   '--test-output-size-passed', '20000', '--test-output-size-failed', '1000000',
                   '-I', f'0,0,0,{numbers}']
        lines = CtestLines(console, len(names))
        status = stream(command, lines.take, env=self.environment)
        return outcome.from_ctest(report) if os.path.exists(report) else [no_report('ctest', status, lines)]


def outcome_name(name):
    """What pytest's report calls the test a/b/test_c.py::test_d[e/f]: a.b.test_c.test_d[e/f]."""
    path, _, case = name.partition('::')
    return f"{path.removesuffix('.py').replace('/', '.')}.{case}"


class PytestSuite:
    """The integration tests, against the programs in build/PRESET/bin (COXSWAIN_BIN)."""

    def __init__(self, source, build, environment):
        self.folder = os.path.join(source, 'tests', 'integration')
        self.build = build
        self.options = {'cwd': source, 'env': environment}
        self.command = [sys.executable, '-B', '-m', 'pytest', '-p', 'no:cacheprovider']

    def list(self):
        if not os.path.isdir(self.folder):
            return []
        listing = subprocess.run(self.command + ['--collect-only', '-q', self.folder],
                                 capture_output=True, text=True, **self.options)
        if listing.returncode not in (0, 5):
            sys.exit(f'tests/run: pytest could not collect the tests:\n{listing.stdout}{listing.stderr}')
        return [line for line in listing.stdout.splitlines() if '::' in line]

    def names_of(self, outcomes, listed):
        """As list() gives them: an outcome is called by its module, a.b.test_c.test_d of a/b/test_c.py::test_d."""
        names = {one.name for one in outcomes}
        return [name for name in listed if outcome_name(name) in names]

    def alone(self):
        return self  # they are run one after the other anyway

    def run(self, names, console):
        report = os.path.join(self.build, 'pytest.xml')
        if os.path.exists(report):
            os.unlink(report)
        lines = PytestLines(console)
        status = stream(self.command + ['-v', '--tb=short', f'--junitxml={report}', *names], lines.take, **self.options)
        return outcome.from_pytest(report) if os.path.exists(report) else [no_report('pytest', status, lines)]

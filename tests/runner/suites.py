"""The two kinds of tests, ctest's and pytest's: list them, run some of them."""

import os
import re
import subprocess
import sys

import outcome
from console import stream

QUICK_LABELS = '^(unit|scenario|property|tidy)$'


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

    def run(self, names, console):
        report = os.path.join(self.build, 'ctest.xml')
        if os.path.exists(report):
            os.unlink(report)
        numbers = ','.join(self.numbers[name] for name in names)
        command = ['ctest', '--test-dir', self.build, '-j', str(self.jobs), '--output-junit', report,
                   '--test-output-size-passed', '20000', '--test-output-size-failed', '1000000',
                   '-I', f'0,0,0,{numbers}']
        counts = {'done': 0, 'failed': 0}

        def on_line(line):
            match = re.match(r'\s*\d+/\d+ Test\s+#\d+: (.*?) \.+\s*(.*)', line)
            if not match:
                return
            counts['done'] += 1
            if '***' in match.group(2) and '***Skipped' not in match.group(2):
                counts['failed'] += 1
                console.line(f'   FAILED {match.group(1)}: {match.group(2).strip("* ")}')
            console.progress(f'{counts["done"]}/{len(names)} tests, {counts["failed"]} failed')

        status = stream(command, on_line, env=self.environment)
        if not os.path.exists(report):
            sys.exit(f'tests/run: ctest ended with status {status} and no report')
        return outcome.from_ctest(report)


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

    def run(self, names, console):
        report = os.path.join(self.build, 'pytest.xml')
        if os.path.exists(report):
            os.unlink(report)
        status = stream(self.command + ['-v', '--tb=short', f'--junitxml={report}', *names],
                        lambda line: console.line('   ' + line), **self.options)
        if not os.path.exists(report):
            sys.exit(f'tests/run: pytest ended with status {status} and no report')
        return outcome.from_pytest(report)

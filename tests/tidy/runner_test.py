"""Tests of the test command itself (tests/runner): what it counts, what it selects, what it prints."""

import contextlib
import io
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'runner'))

import console
import digest
import main
import outcome
import suites

CTEST = '''<testsuite>
<testcase name="A.Passes" time="0.5" status="run"><system-out>fine</system-out></testcase>
<testcase name="A.Fails" time="0.1" status="fail"><failure message="Failed"/><system-out>expected 3</system-out></testcase>
<testcase name="A.Skips" time="0" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
<system-out>x_test.cc:3: Skipped
no GPU
here
[  SKIPPED ] A.Skips</system-out></testcase>
<testcase name="A.Tidy" time="0" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>
<system-out>clean
no clang-format</system-out></testcase>
<testcase name="A.Missing" time="0" status="notrun"><skipped message="Unable to find executable"/></testcase>
<testcase name="A.ByName" time="0" status="disabled"><system-out>Disabled</system-out></testcase>
</testsuite>'''

PYTEST = '''<testsuites><testsuite>
<testcase classname="tests.test_kill" name="test_worker" time="3"/>
<testcase classname="tests.test_kill" name="test_fails" time="1"><failure message="m">trace</failure></testcase>
<testcase classname="tests.test_kill" name="test_errs" time="1"><error message="fixture"/></testcase>
<testcase classname="tests.test_kill" name="test_skips" time="0"><skipped message="no ceph-mon"/></testcase>
</testsuite></testsuites>'''


def read(reader, text):
    with tempfile.NamedTemporaryFile('w', suffix='.xml') as file:
        file.write(text)
        file.flush()
        return reader(file.name)


class Outcomes(unittest.TestCase):
    def test_ctest(self):
        found = {one.name: one for one in read(outcome.from_ctest, CTEST)}
        self.assertEqual({name: one.result for name, one in found.items()},
                         {'A.Passes': 'passed', 'A.Fails': 'failed', 'A.Skips': 'skipped', 'A.Tidy': 'skipped',
                          'A.Missing': 'failed', 'A.ByName': 'skipped'})
        self.assertIn('by name', found['A.ByName'].reason)
        self.assertEqual(found['A.Skips'].reason, 'no GPU here')
        self.assertEqual(found['A.Tidy'].reason, 'no clang-format')
        self.assertEqual(found['A.Fails'].log, 'expected 3')

    def test_pytest(self):
        found = read(outcome.from_pytest, PYTEST)
        self.assertEqual([one.result for one in found], ['passed', 'failed', 'failed', 'skipped'])
        self.assertEqual((found[1].log, found[2].log, found[3].reason), ('trace', 'fixture', 'no ceph-mon'))


class Report(unittest.TestCase):
    def printed(self, outcomes, sometimes=()):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = main.report(console.Console(), outcomes, sometimes)
        return status, out.getvalue()

    def test_closing_line_and_status(self):
        everything = read(outcome.from_ctest, CTEST) + read(outcome.from_pytest, PYTEST)
        status, text = self.printed(everything)
        self.assertEqual((status, text.splitlines()[-1]), (1, '2 passed, 4 failed, 4 skipped'))
        self.assertIn('A.Skips: no GPU here', text)
        self.assertIn('expected 3', text)
        status, text = self.printed([one for one in everything if one.result != 'failed'])
        self.assertEqual((status, text.splitlines()[-1]), (0, '2 passed, 0 failed, 4 skipped'))

    def test_long_log_keeps_both_ends(self):
        log = '\n'.join(f'line {number}' for number in range(1000))
        _, text = self.printed([outcome.Outcome('A', 'failed', 0, log=log)])
        self.assertIn('line 0\n', text)
        self.assertIn('line 999\n', text)
        self.assertIn('800 lines left out', text)


class Again:
    """A suite whose tests pass the second time, but for those named."""

    def __init__(self, fails=()):
        self.fails, self.ran = fails, []

    def names_of(self, outcomes, listed):
        return [name for name in listed if name in {one.name for one in outcomes}]

    def alone(self):
        return self

    def run(self, names, _):
        self.ran += names
        return [outcome.Outcome(name, 'failed' if name in self.fails else 'passed', 0) for name in names]


class Repeated(unittest.TestCase):
    def repeat(self, suite, failed, passed=2):
        names = [f'T.{n}' for n in range(failed + passed)]
        outcomes = [outcome.Outcome(name, 'failed' if n < failed else 'passed', 0, log='expected 3')
                    for n, name in enumerate(names)]
        with contextlib.redirect_stdout(io.StringIO()):
            return main.repeated(console.Console(), {'t': suite}, {'t': names}, outcomes)

    def test_only_what_failed_runs_again_and_both_are_told(self):
        suite = Again(fails=['T.1'])
        outcomes, sometimes = self.repeat(suite, failed=2)
        self.assertEqual(suite.ran, ['T.0', 'T.1'])
        self.assertEqual([one.name for one in sometimes], ['T.0'])
        self.assertEqual([one.result for one in outcomes], ['passed', 'failed', 'passed', 'passed'])
        self.assertEqual(outcomes[1].log, 'expected 3', 'the log of its first run')

    def test_many_failures_are_no_accident(self):
        suite = Again()
        outcomes, sometimes = self.repeat(suite, failed=main.MOST_REPEATED + 1)
        self.assertEqual((suite.ran, sometimes), ([], []))
        self.assertEqual(sum(one.result == 'failed' for one in outcomes), main.MOST_REPEATED + 1)

    def test_the_log_of_the_failure_is_shown(self):
        _, text = Report().printed([outcome.Outcome('T.0', 'passed', 0)],
                                   [outcome.Outcome('T.0', 'failed', 0, log='expected 3')])
        self.assertIn('SOMETIMES FAILS T.0', text)
        self.assertIn('expected 3', text)
        self.assertEqual(text.splitlines()[-2:], ['sometimes fails: T.0 (its log is above)', '1 passed, 0 failed, 0 skipped'])

    def test_pytest_calls_one_test_by_two_names(self):
        suite = suites.PytestSuite('/nowhere', '/nowhere', {})
        listed = ['tests/integration/test_a.py::test_b', 'tests/integration/test_a.py::test_c[a/b::c.py]']
        failed = [outcome.Outcome('tests.integration.test_a.test_c[a/b::c.py]', 'failed', 0)]
        self.assertEqual(suite.names_of(failed, listed), listed[1:])


GTEST_LOG = """[ RUN      ] Gang.Waits
a chatty log line
tests/unit/gang_test.cc:12: Failure
Expected equality of these values:
  waiting.size()
    Which is: 2
  1

[  FAILED  ] Gang.Waits (0 ms)
"""

PYTEST_LOG = """tests/integration/test_kill.py:40: in test_worker
    wait_until(lambda: done, "it ends", 30)
tests/integration/cluster.py:9: in wait_until
    raise AssertionError(why)
E   AssertionError: it ends: not after 30 s
"""


class Digest(unittest.TestCase):
    def test_the_assertion_is_kept_and_the_rest_is_not(self):
        self.assertEqual(digest.essential(GTEST_LOG, 9)[0], 'tests/unit/gang_test.cc:12: Failure')
        self.assertEqual(len(digest.essential(GTEST_LOG, 9)), 5)
        self.assertEqual(digest.essential(PYTEST_LOG, 9), ['tests/integration/cluster.py:9: in wait_until',
                                                           'E   AssertionError: it ends: not after 30 s'])
        self.assertEqual(digest.essential('fine\n==7==ERROR: AddressSanitizer: heap-use-after-free\nmore', 9),
                         ['==7==ERROR: AddressSanitizer: heap-use-after-free'])
        self.assertEqual(digest.essential('one\n\ntwo\nthree\n', 2), ['two', 'three'])

    def test_every_failure_is_in_the_last_lines(self):
        for count in (1, 5, 40, 300):
            failed = [outcome.Outcome(f'T.{n}', 'failed', 0, log=GTEST_LOG) for n in range(count)]
            passed = [outcome.Outcome('T.passes', 'passed', 0)]
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                main.report(console.Console(), failed + passed)
            last = out.getvalue().splitlines()[-digest.LINES:]
            self.assertIn('FAILED T.0', last)
            if count <= 40:
                self.assertIn(f'FAILED T.{count - 1}', last)
            if count <= 5:
                self.assertGreaterEqual(last.count('   tests/unit/gang_test.cc:12: Failure'), count)
            if count == 300:
                self.assertEqual(last[-2], '... and 243 more')


class Progress(unittest.TestCase):
    def printed(self, lines, *lines_of):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            taker = lines(console.Console(every=0), *lines_of)
            for line in self.LINES[lines]:
                taker.take(line)
        return out.getvalue()

    LINES = {
        suites.CtestLines: ['      Start 1: A.Passes',
                            ' 1/4 Test  #1: A.Passes ........   Passed    0.02 sec',
                            ' 2/4 Test  #2: A.ByName ........***Not Run (Disabled)   0.00 sec',
                            ' 3/4 Test  #3: A.Skips .........***Skipped   0.00 sec',
                            ' 4/4 Test  #4: A.Fails .........***Failed    0.01 sec'],
        suites.PytestLines: ['tests/integration/test_a.py::test_x[a b] FAILED   [ 50%]',
                             'tests/integration/test_a.py::test_y ERROR   [ 60%]',
                             'tests/integration/test_a.py::test_z PASSED   [100%]'],
    }

    def test_ctest(self):
        text = self.printed(suites.CtestLines, 4)
        self.assertEqual(text.count('FAILED'), 1)
        self.assertIn('   FAILED A.Fails: Failed', text)
        self.assertIn('3/4 tests, 0 failed', text)
        self.assertIn('4/4 tests, 1 failed', text)

    def test_a_program_that_dies_is_a_failure_with_its_last_words(self):
        with contextlib.redirect_stdout(io.StringIO()):
            lines = suites.PytestLines(console.Console())
            lines.take('Fatal Python error: Aborted')
        died = suites.no_report('pytest', 134, lines)
        self.assertEqual((died.result, died.log.splitlines()[-1]), ('failed', 'Fatal Python error: Aborted'))
        self.assertEqual(digest.digest([died])[1], 'FAILED pytest: status 134 and no report')

    def test_pytest(self):
        said = [line for line in self.printed(suites.PytestLines).splitlines() if line.startswith('   FAILED')]
        self.assertEqual(said, ['   FAILED tests/integration/test_a.py::test_x[a b]',
                                '   FAILED tests/integration/test_a.py::test_y'])


class Selection(unittest.TestCase):
    NAMES = ['GangPlacement.OneNodeShort_WaitsWithReason', 'Log.RoundTrip', 'tests/integration/test_kill.py::test_worker']

    def test_by_part_of_a_name(self):
        self.assertEqual(main.select(['Gang', 'kill'], self.NAMES), [self.NAMES[0], self.NAMES[2]])
        self.assertEqual(main.select([], self.NAMES), self.NAMES)

    def test_nothing_matches_names_the_nearest(self):
        err = io.StringIO()
        with self.assertRaises(SystemExit) as end, contextlib.redirect_stderr(err):
            main.select(['GangPlacment'], self.NAMES)
        self.assertEqual(end.exception.code, 2)
        self.assertIn('did you mean: ' + self.NAMES[0], err.getvalue())


if __name__ == '__main__':
    unittest.main()

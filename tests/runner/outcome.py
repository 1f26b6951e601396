"""Outcomes of tests, read from the JUnit files that ctest and pytest write."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree


@dataclasses.dataclass
class Outcome:
    name: str
    result: str  # passed, failed or skipped
    seconds: float
    reason: str = ''  # why it was skipped; of a failure, what ctest says beyond "Failed" ("Timeout")
    log: str = ''


BY_NAME = 'not run: by name only (DISABLED_ in its program, --gtest_also_run_disabled_tests)'


def _skip_reason(log):
    """GTEST_SKIP() << why, or what a script printed last."""
    match = re.search(r': Skipped\n(.+?)\n\s*(?:\n|\[)', log, re.DOTALL)
    if match:
        return ' '.join(match.group(1).split())
    lines = [line for line in log.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ''


def from_ctest(path):
    outcomes = []
    for case in ElementTree.parse(path).getroot().iter('testcase'):
        log = case.findtext('system-out') or ''
        skipped, result, reason = case.find('skipped'), 'passed', ''
        failure = case.find('failure')
        if failure is not None:
            result, reason = 'failed', failure.get('message', '').replace('Failed', '')
        elif case.get('status') == 'disabled':
            result, reason = 'skipped', BY_NAME
        elif skipped is not None or case.get('status') == 'notrun':
            why = skipped.get('message', '') if skipped is not None else 'not run'
            result = 'skipped' if why.startswith('SKIP_') else 'failed'
            reason = why if result == 'failed' else _skip_reason(log) or why
            log = log or why
        outcomes.append(Outcome(case.get('name'), result, float(case.get('time') or 0), reason, log))
    return outcomes


def from_pytest(path):
    outcomes = []
    for case in ElementTree.parse(path).getroot().iter('testcase'):
        name = '.'.join(filter(None, (case.get('classname'), case.get('name'))))
        result, reason, log = 'passed', '', ''
        for child in case:
            if child.tag in ('failure', 'error'):
                result, log = 'failed', child.text or child.get('message', '')
            elif child.tag == 'skipped' and result == 'passed':
                result, reason = 'skipped', child.get('message', '')
        outcomes.append(Outcome(name, result, float(case.get('time') or 0), reason, log))
    return outcomes

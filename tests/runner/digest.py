"""The cause of every failure in few lines: for someone who sees only the end of what tests/run prints."""

import re

LINES = 60  # all of it, with the closing line
WIDTH = 240  # of one line

GTEST_FAILURE = re.compile(r':\d+: Failure$|^unknown file: Failure$')
PYTEST_PLACE = re.compile(r'^\S+:\d+: (in \S|\w+(Error|Exception)?$)')
TELLING = re.compile(r'ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error: |^SUMMARY: |\bCHECK\b|[Aa]ssertion'
                     r'|\w+(Error|Exception|Expired): |^(FAIL|ERROR): |terminate called|what\(\): |Segmentation fault'
                     r'|Unable to find|No such file|^\S+:\d+: ')


def _gtest(lines):
    """The failed assertions: from "x_test.cc:3: Failure" to the next empty line."""
    found, inside = [], False
    for line in lines:
        if GTEST_FAILURE.search(line):
            inside = True
        elif inside and (not line.strip() or line.startswith('[')):
            inside = False
        if inside:
            found.append(line)
    return found


def _pytest(lines):
    """What pytest marks with "E", each after the line that names its place."""
    found, place = [], None
    for line in lines:
        if PYTEST_PLACE.match(line):
            place = line
        elif re.match(r'E(\s|$)', line):
            if place:
                found.append(place)
            place = None
            found.append(line)
    return found


def essential(log, most):
    """The lines of a failed test's log that say what is wrong, `most` at most."""
    lines = [line.rstrip() for line in log.splitlines()]
    found = _gtest(lines) or _pytest(lines) or [line for line in lines if TELLING.search(line)]
    if found:
        found = found[:most]
    else:
        found = [line for line in lines if line.strip()][-most:]
    return [line if len(line) <= WIDTH else line[:WIDTH - 3] + '...' for line in found]


def digest(failed, room=LINES - 1):
    """At most `room` lines for all failed outcomes: a head, each one's name, and under it what `essential` finds."""
    if not failed:
        return []
    lines = ['-- why they failed, in short (the whole logs are above)']
    each = (room - 1) // len(failed) - 1
    for one in failed[:room - 1]:
        lines.append(f'FAILED {one.name}' + (f': {one.reason}' if one.reason else ''))
        if each > 0:
            lines += ['   ' + line for line in essential(one.log, each)]
    if len(failed) > room - 1:
        lines[-1] = f'... and {len(failed) - room + 2} more'
    return lines

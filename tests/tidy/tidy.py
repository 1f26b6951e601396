#!/usr/bin/env python3
"""Runs the checks of this folder: tidy.py [--root DIR] CHECK...; --list names them.

known.baseline lists findings that are put up with for now (CHECK PATH TEXT) and, like sizes.baseline,
may only shrink: --shrink takes out what is mended. --fix lays out all C++ with clang-format.

Exit status: 0 clean, 1 findings, 77 skipped (the last line says why).
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import room_checks
import size_checks
import text_checks
from source import Finding, Tree

CHECKS = {
    'format': text_checks.check_format,
    'calls': text_checks.check_calls,
    'text': text_checks.check_text,
    'links': text_checks.check_links,
    'rooms': room_checks.check_rooms,
    'libraries': room_checks.check_libraries,
    'linking': room_checks.check_linking,
    'readmes': room_checks.check_readmes,
    'names': room_checks.check_names,
    'sizes': size_checks.check_sizes,
}


KNOWN = 'tests/tidy/known.baseline'


def read_known(tree):
    """{(check, path, text)}; a finding is known by its text, whatever the line."""
    if not tree.exists(KNOWN):
        return set()
    with open(os.path.join(tree.root, KNOWN)) as file:
        return {tuple(line.rstrip('\n').split(' ', 2)) for line in file if line.strip() and not line.startswith('#')}


def check(tree, name):
    """The check's findings that are not known, and known ones that are mended."""
    known, findings = {row for row in read_known(tree) if row[0] == name}, CHECKS[name](tree)
    found = {(name, finding.path, finding.text) for finding in findings}
    return ([finding for finding in findings if (name, finding.path, finding.text) not in known] +
            [Finding(KNOWN, 0, f"mended, so run tests/tidy/tidy.py --shrink: '{' '.join(row)}'")
             for row in sorted(known - found)])


def shrink(tree):
    """Takes out of both baselines what is mended; adds nothing."""
    size_checks.shrink(tree)
    rows = set()
    for name in CHECKS:
        try:
            rows |= {(name, finding.path, finding.text) for finding in CHECKS[name](tree)}
        except text_checks.Skip:
            rows |= {row for row in read_known(tree) if row[0] == name}
    if tree.exists(KNOWN):
        with open(os.path.join(tree.root, KNOWN)) as file:
            header = [line for line in file if line.startswith('#')]
        kept = sorted(' '.join(row) + '\n' for row in read_known(tree) & rows)
        with open(os.path.join(tree.root, KNOWN), 'w') as file:
            file.writelines(header + kept)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(prog='tidy.py', description=__doc__.split('\n')[0])
    parser.add_argument('checks', nargs='*', metavar='CHECK', help='default: all')
    parser.add_argument('--root', default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--shrink', action='store_true')
    parser.add_argument('--fix', action='store_true')
    arguments = parser.parse_args()
    for name in arguments.checks:
        if name not in CHECKS:
            parser.error(f"no check is named '{name}' (there are: {', '.join(CHECKS)})")
    if arguments.list:
        print('\n'.join(f'{name:10} {check.__doc__}' for name, check in CHECKS.items()))
        return 0
    tree = Tree(arguments.root)
    if arguments.shrink:
        shrink(tree)
        return 0
    if arguments.fix:
        return text_checks.lay_out(tree)
    findings, skipped = [], None
    for name in arguments.checks or CHECKS:
        try:
            findings += check(tree, name)
        except text_checks.Skip as reason:
            skipped = f'{name} skipped: {reason}'
    print('\n'.join(map(str, findings)) or 'clean')
    if skipped and not findings:
        print(skipped)
        return 77
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main())

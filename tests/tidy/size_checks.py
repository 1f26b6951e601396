"""Sizes as a ratchet: files under 400 lines, functions at most 70; sizes.baseline lists the exceptions."""

import ast
import os

from source import Finding, functions

FILE_LINES, FUNCTION_LINES = 400, 70
BASELINE = 'tests/tidy/sizes.baseline'
HEADER = '''# What is larger than the limits of size_checks.py: a file's lines, or a function's, as of when it was listed.
# This list may only shrink: make the code smaller, then run tests/tidy/tidy.py --shrink.
'''


def measure(tree):
    """{'path' or 'path name': lines} for all that is over the limits."""
    large = {}
    for path in tree.under('src/', 'tests/', 'deploy/', 'proto/'):
        text = tree.read(path)
        if text is None or path == BASELINE or path.endswith(('.md', '.json', '.txt.expected')):
            continue
        if text.count('\n') > FILE_LINES:
            large[path] = text.count('\n')
        for name, lines in _functions(path, text):
            if lines > FUNCTION_LINES:
                key = f'{path} {name}'
                large[key] = max(lines, large.get(key, 0))
    return large


def _functions(path, text):
    if path.endswith(('.h', '.cc')):
        return [(name.replace(' ', ''), lines) for _, name, lines in functions(text)]
    if path.endswith('.py') or text.startswith(('#!/usr/bin/env python3', '#!/usr/bin/python3')):
        return [(node.name, node.end_lineno - node.lineno + 1) for node in ast.walk(ast.parse(text))
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return []


def read_baseline(tree):
    if not tree.exists(BASELINE):
        return {}
    with open(os.path.join(tree.root, BASELINE)) as file:
        rows = [line.split() for line in file if line.strip() and not line.startswith('#')]
    return {' '.join(row[:-1]): int(row[-1]) for row in rows}


def check_sizes(tree):
    """Files under 400 lines and functions at most 70, but for the exceptions of a list that only shrinks."""
    findings, allowed, large = [], read_baseline(tree), measure(tree)
    for key, lines in sorted(large.items()):
        path, _, name = key.partition(' ')
        limit = allowed.get(key, FUNCTION_LINES if name else FILE_LINES)
        if lines > limit:
            what = f"function '{name}' has" if name else 'the file has'
            findings.append(Finding(path, 0, f'{what} {lines} lines; {limit} at most: split it'))
    for key, lines in sorted(allowed.items()):
        if large.get(key, 0) < lines:
            findings.append(Finding(BASELINE, 0, f"'{key}' has shrunk from {lines} to {large.get(key, 'within the limit')}: "
                                    'run tests/tidy/tidy.py --shrink'))
    return findings


def shrink(tree):
    """Rewrites the baseline: takes out and lowers, never adds or raises."""
    large = measure(tree)
    kept = {key: min(lines, large[key]) for key, lines in read_baseline(tree).items() if key in large}
    with open(os.path.join(tree.root, BASELINE), 'w') as file:
        file.write(HEADER + ''.join(f'{key} {lines}\n' for key, lines in sorted(kept.items())))

"""Checks of single files: layout, calls that a core may not make, paths of one machine, links, size."""

import os
import re
import shutil
import subprocess

from source import Finding, bare

class Skip(Exception):
    """The check cannot run here; says why."""


def clang_format():
    """The program's name, if it is version 14: other versions lay code out otherwise."""
    program = next((name for name in ('clang-format-14', 'clang-format') if shutil.which(name)), None)
    version = program and subprocess.run([program, '--version'], capture_output=True, text=True).stdout
    if not version or 'version 14.' not in version:
        raise Skip('clang-format 14 is not installed (deploy/bootstrap --with tests installs it)')
    return program


def check_format(tree):
    """C++ is laid out by clang-format 14."""
    program, files = clang_format(), tree.cxx('src/', 'tests/')
    if not files:
        return []
    run = subprocess.run([program, '--dry-run', '--style=file', *files], capture_output=True, text=True, cwd=tree.root)
    worst = {}
    for path, line in re.findall(r'^(\S+?):(\d+):\d+: warning: code should be clang-formatted', run.stderr,
                                 re.MULTILINE):
        worst.setdefault(path, int(line))
    return [Finding(path, line, 'not laid out by clang-format: run tests/tidy/tidy.py --fix')
            for path, line in worst.items()]


def lay_out(tree):
    """Rewrites what check_format finds, and nothing else."""
    program = clang_format()
    for path in sorted({finding.path for finding in check_format(tree)}):
        subprocess.run([program, '-i', '--style=file', path], check=True, cwd=tree.root)
        print(f'laid out {path}')
    return 0


# In the pure cores (any folder named core under src/): what asks the world anything.
IMPURE = [
    (r'\b(system_clock|steady_clock|high_resolution_clock)\b|\b(clock_gettime|gettimeofday|localtime|gmtime)\b'
     r'|(?<![\w.>])time\s*\(\s*(nullptr|NULL|0|&)|#\s*include\s*"common/base/clock\.h"',
     'reads a clock: take the time from the event'),
    (r'\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w.>:])sleep\s*\(', 'sleeps: return a deadline instead'),
    (r'\b(random_device|mt19937\w*|default_random_engine|s?rand|random|getrandom|arc4random)\b\s*[({;]?(?<=[({;\s])'
     r'|#\s*include\s*<random>', 'makes random numbers: pass a seed in'),
    (r'#\s*include\s*<(thread|mutex|shared_mutex|atomic|future|condition_variable|semaphore|latch|barrier|stop_token)>'
     r'|\bstd::(j?thread|mutex|atomic|async|condition_variable)\b|\bpthread_', 'uses threads or locks: a core has one thread'),
    (r'#\s*include\s*<(sys/[\w/]+|unistd|fcntl|poll|netdb|signal|arpa/[\w/]+|netinet/[\w/]+)\.h>'
     r'|(?<![\w.>:])(socket|connect|accept|recv|send|open|read|write)\s*\(', 'makes system calls: leave them to the shell'),
    (r'#\s*include\s*<(iostream|fstream|filesystem|cstdio|stdio\.h)>|\bstd::(cout|cerr|clog|[io]?fstream|filesystem)\b'
     r'|\bf?printf\s*\(|\bfopen\s*\(', 'does input or output: return it in the decisions'),
    (r'\bgetenv\b', 'reads the environment: pass the setting in'),
    (r'\bunordered_(multi)?(map|set)\b', 'is not ordered: use std::map or std::set, so that every run decides alike'),
    (r'\b(throw|try|catch)\b(?!\s*\()', 'uses exceptions: outcomes are data'),
]

# Anywhere in src/: with what to use instead.
BANNED = [
    (r'\busing\s+namespace\s+std\b', "names all of std: write 'std::'"),
    (r'(?<![\w.>:])(system|popen|tmpnam|mktemp|gets|strcpy|strcat|sprintf|strtok|atoi|atol|atof|rand|srand|usleep)\s*\(',
     'is unsafe or says nothing of errors: use the checked counterpart (std::from_chars, snprintf, mkstemp ...)'),
    (r'\bstd::endl\b', "flushes each time: write '\\n'"),
    (r'\bTODO\b|\bFIXME\b|\bXXX\b', 'leaves work open: finish it, or file an issue'),
    (r'#\s*pragma\s+GCC\s+diagnostic\s+ignored', 'hides a warning: mend its cause'),
]


def check_calls(tree):
    """The pure cores ask nothing of the world; nobody calls what is unsafe."""
    findings = []
    for path in tree.cxx('src/'):
        text = tree.read(path)
        rules = BANNED + (IMPURE if '/core/' in path else [])
        commented = text.split('\n')
        for number, line in enumerate(bare(text).split('\n'), 1):
            for pattern, why in rules:
                match = re.search(pattern, commented[number - 1] if 'TODO' in pattern else line)
                if match:
                    findings.append(Finding(path, number, f"'{match.group(0).strip()}' {why}"))
    return findings


HOSTS = re.compile(r'(pypi\.org|pythonhosted\.org|deb\.debian\.org|security\.debian\.org|archive\.ubuntu\.com'
                   r'|registry\.npmjs\.org|crates\.io|docker\.io|quay\.io|ghcr\.io|gcr\.io|proxy\.golang\.org)')
MACHINE_PATHS = re.compile(r'(?<![\w.}$*-])(/work/|/root(?![\w-])|/home/[a-z])')
EXEMPT = ('tests/tidy/',)  # the rules themselves
LARGEST = 256 * 1024


def check_text(tree):
    """No path of one machine, no registry's host name, no large or binary file, no stray white space."""
    findings = []
    for path in tree.files:
        if os.path.islink(os.path.join(tree.root, path)):
            continue
        size = os.path.getsize(os.path.join(tree.root, path))
        if size > LARGEST:
            findings.append(Finding(path, 0, f'is {size // 1024} KiB; {LARGEST // 1024} KiB at most: make it in the test'))
            continue
        text = tree.read(path)
        if text is None:
            findings.append(Finding(path, 0, 'is a binary file: make it in the build or the test'))
            continue
        if path.startswith(EXEMPT):
            continue
        for number, line in enumerate(text.split('\n'), 1):
            host, machine = HOSTS.search(line), MACHINE_PATHS.search(line)
            if host:
                findings.append(Finding(path, number, f"'{host.group(0)}' is a registry's host: leave it to the user's own configuration"))
            if machine:
                findings.append(Finding(path, number, f"'{machine.group(0)}' is a path of one machine: take it from a setting"))
            if line.rstrip('\r') != line.rstrip() and not path.endswith('.md'):
                findings.append(Finding(path, number, 'ends in white space'))
        if text and not text.endswith('\n'):
            findings.append(Finding(path, text.count('\n') + 1, 'does not end in a new line'))
    return findings


def anchors(text):
    """The anchors of a document's headings, as the common viewers make them."""
    found = set()
    for heading in re.findall(r'^#+\s+(.*?)\s*$', re.sub(r'```.*?```', '', text, flags=re.DOTALL), re.MULTILINE):
        plain = re.sub(r'[`*_]|\[([^]]*)\]\([^)]*\)', lambda m: m.group(1) or '', heading)
        found.add(re.sub(r'\s', '-', re.sub(r'[^\w\s-]', '', plain.lower())))
    return found


def check_links(tree):
    """Every link of a document leads to a file (and a heading) that exists; so does every docs/NAME.md named in code."""
    findings = []
    for path in tree.under(ext=('.md',)):
        text = re.sub(r'```.*?```', lambda m: re.sub(r'[^\n]', ' ', m.group(0)), tree.read(path), flags=re.DOTALL)
        for match in re.finditer(r'\]\(([^()\s]+)\)', text):
            link, _, anchor = match.group(1).partition('#')
            line = text.count('\n', 0, match.start()) + 1
            if re.match(r'[a-z]+:', link):
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(path), link)) if link else path
            if not tree.exists(target):
                findings.append(Finding(path, line, f"the link '{match.group(1)}' leads nowhere"))
            elif anchor and target.endswith('.md') and anchor not in anchors(tree.read(target) or ''):
                findings.append(Finding(path, line, f"'{target}' has no heading '#{anchor}'"))
    for path in tree.files:
        if path.startswith(EXEMPT):
            continue
        for match in re.finditer(r'(?<![\w./-])docs/[\w/.-]+?\.md\b', tree.read(path) or ''):
            if not tree.exists(match.group(0)):
                line = tree.read(path).count('\n', 0, match.start()) + 1
                findings.append(Finding(path, line, f"'{match.group(0)}' does not exist"))
    return findings

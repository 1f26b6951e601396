"""The source tree as the checks see it: files known to git, and C++ text without comments and literals."""

import dataclasses
import os
import re
import subprocess


@dataclasses.dataclass(frozen=True)
class Finding:
    path: str
    line: int
    text: str

    def __str__(self):
        return f'{self.path}:{self.line}: {self.text}' if self.line else f'{self.path}: {self.text}'


class Tree:
    """Files below a root: those that git tracks or would add; without git, all but build folders."""

    def __init__(self, root):
        self.root = os.path.abspath(root)
        listing = subprocess.run(['git', '-C', self.root, 'ls-files', '-co', '--exclude-standard', '-z', '.'],
                                 capture_output=True, text=True)
        if listing.returncode == 0:
            names = filter(None, listing.stdout.split('\0'))
        else:
            names = self._walk()
        self.files = sorted(name for name in set(names) if os.path.isfile(os.path.join(self.root, name)))
        self._texts = {}

    def _walk(self):
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in ('build', '.git', '__pycache__')]
            for name in names:
                yield os.path.relpath(os.path.join(folder, name), self.root)

    def under(self, *prefixes, ext=()):
        return [name for name in self.files
                if (not prefixes or name.startswith(prefixes)) and (not ext or name.endswith(tuple(ext)))]

    def cxx(self, *prefixes):
        return self.under(*prefixes, ext=('.h', '.cc'))

    def read(self, name):
        """The text, or None for a binary file."""
        if name not in self._texts:
            with open(os.path.join(self.root, name), 'rb') as file:
                data = file.read()
            self._texts[name] = None if b'\0' in data[:8192] else data.decode('utf-8', 'replace')
        return self._texts[name]

    def exists(self, name):
        return os.path.exists(os.path.join(self.root, name))


_LITERAL = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?P<raw>R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")'
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<char>(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+')", re.DOTALL)


def bare(text):
    """C++ with comments and the contents of literals blanked; lines stay where they are."""
    def blank(match):
        found = match.group(0)
        if match.lastgroup != 'comment' and not match.group('comment'):
            return '"' + re.sub(r'[^\n]', ' ', found[1:-1]) + '"'
        return re.sub(r'[^\n]', ' ', found)

    lines = []
    # An include's name is a literal too, but one that the checks read.
    blanked = _LITERAL.sub(blank, text).split('\n')
    for line, original in zip(blanked, text.split('\n')):
        lines.append(original if re.match(r'\s*#\s*include\b', line) else line)
    return '\n'.join(lines)


def includes(text):
    """(line, name, is_quoted) of every include."""
    for number, line in enumerate(bare(text).split('\n'), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(2), match.group(1) == '"'


_SCOPE = re.compile(r'\b(namespace|class|struct|union|enum|extern)\b')


def _without_parentheses(header):
    """'void F(int x) const' -> 'void F() const', at any depth."""
    kept, depth = [], 0
    for char in header:
        if char == ')':
            depth -= 1
        if depth <= 0:
            kept.append(char)
        if char == '(':
            depth += 1
    return ''.join(kept)


def _is_function(header):
    flat = re.sub(r'\btemplate\s*<[^{}]*?>\s*(?=[\w:\[])', '', _without_parentheses(header))
    flat = re.sub(r'\boperator\s*\S+?\s*\(', 'operator_(', flat)
    if '(' not in flat or '=' in flat.split('(')[0]:
        return False
    return not _SCOPE.search(flat.split('(')[0])


def _name(header):
    head = header.split('(')[0].split()
    name = head[-1].lstrip('*&') if head else '?'
    if re.fullmatch(r'(TYPED_)?TEST(_F|_P)?|BENCHMARK\w*|RC_GTEST\w*', name):
        inside = re.match(r'[^(]*\(([^)]*)\)', header)
        name += '(' + ', '.join(part.strip() for part in (inside.group(1) if inside else '').split(',')) + ')'
    return name


def functions(text):
    """(line, name, lines) of every function with a body: from its first line to its closing brace.

    A scan, not a parser: bodies are told from class, namespace and initializer braces by what stands
    before them, which is enough for code that clang-format has laid out.
    """
    code = re.sub(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', lambda m: re.sub(r'[^\n]', ' ', m.group(0)), bare(text),
                  flags=re.MULTILINE)
    found, position, start, depth = [], 0, 0, 0
    while position < len(code):
        char = code[position]
        depth += (char == '(') - (char == ')')
        if depth > 0:
            position += 1  # a brace among a function's parameters is a default value
            continue
        if char in ';}':
            start = position + 1
        elif char == ':' and re.search(r'\b(public|private|protected)\s*$', code[start:position]):
            start = position + 1
        elif char == '{':
            header = code[start:position]
            if _is_function(header):
                close = _closing(code, position)
                follows = code[close + 1:].lstrip()[:1]
                if ')' in header and re.search(r'\)[^()]*:\s*.*[\w>]\s*$', header, re.DOTALL) and follows in ',{':
                    position = close + 1  # a member's brace initializer in a constructor
                    continue
                first = start + len(header) - len(header.lstrip())
                line = code.count('\n', 0, first) + 1
                found.append((line, _name(header), code.count('\n', first, close) + 1))
                position = start = close + 1
                continue
            if not _SCOPE.search(_without_parentheses(header)):
                position = _closing(code, position) + 1  # an initializer
                continue
            start = position + 1
        position += 1
    return found


def _closing(code, opening):
    depth = 0
    for position in range(opening, len(code)):
        if code[position] == '{':
            depth += 1
        elif code[position] == '}':
            depth -= 1
            if depth == 0:
                return position
    return len(code) - 1

"""Checks of the structure: who includes whom, who links what, and that every room introduces itself."""

import os
import re

import rooms
from source import Finding, includes


def rooms_of(tree):
    """Folders below src/ with a CMakeLists.txt of their own, without 'src/'."""
    return {os.path.dirname(path)[4:] for path in tree.under('src/') if path.endswith('/CMakeLists.txt')} - {''}


def known_rooms(tree):
    """Rooms that exist, and those of the map."""
    found = rooms_of(tree) | {room for room in rooms.MAY_INCLUDE if '*' not in room}
    for path in tree.cxx('src/'):
        parts = path[4:].split('/')[:-1]
        for depth in (2, 1):
            name = '/'.join(parts[:depth])
            if len(parts) >= depth and rooms.lookup(name) is not None:
                found.add(name)
                break
    return found


def room_of(path, known):
    """The innermost known room that holds a path given without 'src/'; None outside of all."""
    folder = os.path.dirname(path)
    while folder:
        if folder in known and rooms.lookup(folder) is not None:
            return folder
        folder = os.path.dirname(folder)
    return None


def check_rooms(tree):
    """A room includes only what the map (rooms.py) lets it include."""
    findings, known = [], known_rooms(tree)
    for room in sorted(rooms_of(tree)):
        if rooms.lookup(room) is None and not any(room.startswith(other + '/') for other in known if '/' in other):
            findings.append(Finding(f'src/{room}/CMakeLists.txt', 0, 'this room is not in the map: add it to tests/tidy/rooms.py'))
    for path in tree.cxx('src/'):
        room = room_of(path[4:], known)
        if room is None:
            continue
        allowed = rooms.lookup(room)
        for line, name, quoted in includes(tree.read(path)):
            target = room_of(name, known) if name.split('/')[0] in rooms.PROGRAMS + ('common',) else None
            if target and target != room and not rooms.matches(target, allowed):
                findings.append(Finding(path, line, f'{room} may not include {target} (it may: {", ".join(allowed) or "nothing"})'))
            if rooms.is_core(room) and target is None and not re.match(rooms.CORE_MAY_SEE, name):
                findings.append(Finding(path, line, f"a pure core may not include '{name}': only the standard library and its own rooms"))
    return findings


def allowed_place(folder, places):
    """Whether a folder of src/ is one of the places or inside one; '*/rpc' is any room of that name."""
    parts = folder.split('/')
    return any(rooms.matches('/'.join(parts[:depth]), places) for depth in range(1, len(parts) + 1))


def check_libraries(tree):
    """A third-party library's headers are seen only in the room made for it."""
    findings = []
    for path in tree.cxx('src/'):
        folder = os.path.dirname(path)[4:]
        for line, name, _ in includes(tree.read(path)):
            for library, headers, _, places in rooms.THIRD_PARTY:
                if re.match(headers, name) and not place_or_exact(folder, places):
                    findings.append(Finding(path, line, f"'{name}': {library} belongs to {' and '.join(places)} only"))
    return findings


def place_or_exact(folder, places):
    """Program folders (coordinator, cli ...) count only for their own files; rooms for all below them."""
    exact = [place for place in places if place in rooms.PROGRAMS]
    return folder in exact or allowed_place(folder, [place for place in places if place not in exact])


def cmake_calls(text):
    """(line, command, words) of every call in a CMakeLists.txt."""
    code = re.sub(r'#[^\n]*', '', text)
    for match in re.finditer(r'(\w+)\s*\(([^()]*)\)', code):
        yield code.count('\n', 0, match.start()) + 1, match.group(1), match.group(2).split()


def linked(words):
    """(how, library) of a call that links."""
    how = 'PRIVATE'
    for word in words[1:]:
        if word in ('PUBLIC', 'PRIVATE', 'INTERFACE'):
            how = word
        else:
            yield how, word


def check_linking(tree):
    """CMake links a third-party library only in its room, and privately; a core links its two rooms alone."""
    findings = []
    for path in tree.under('src/'):
        if os.path.basename(path) != 'CMakeLists.txt':
            continue
        folder = os.path.dirname(path)[4:]
        for line, command, words in cmake_calls(tree.read(path)):
            if command not in ('cox_room', 'cox_program', 'target_link_libraries'):
                continue
            for how, library in linked(words):
                findings += _link_findings(path, line, folder, command, how, library)
    return findings


def _link_findings(path, line, folder, command, how, library):
    if rooms.is_core(folder) and library not in ('coxswain_base', 'coxswain_protocol'):
        yield Finding(path, line, f'a pure core may not link {library}: only coxswain_base and coxswain_protocol')
    for name, _, links, places in rooms.THIRD_PARTY:
        if not re.match(links, library):
            continue
        if not place_or_exact(folder, places):
            yield Finding(path, line, f'{library}: {name} belongs to {" and ".join(places)} only')
        elif how != 'PRIVATE' and command != 'cox_program' and (folder, library) not in rooms.MAY_LINK_PUBLICLY:
            yield Finding(path, line, f'{library} is linked {how}: third-party libraries are PRIVATE to their room')


def check_readmes(tree):
    """Every room has a README.md of at most 20 lines; so has every folder that has one."""
    findings = []
    for room in sorted(rooms_of(tree)):
        if not tree.exists(f'src/{room}/README.md'):
            findings.append(Finding(f'src/{room}', 0, 'has no README.md: what lives here, what does not, where to begin'))
    for path in tree.under('src/', 'tests/', 'deploy/', 'proto/', 'configs/'):
        if os.path.basename(path) == 'README.md':
            lines = tree.read(path).count('\n')
            if lines > 20:
                findings.append(Finding(path, 0, f'has {lines} lines; 20 at most: move the rest to docs/'))
    return findings


SUFFIXES = ('manager', 'util', 'utils', 'helper', 'helpers', 'base', 'impl', 'misc', 'common')


def check_names(tree):
    """Files are snake_case, are not named manager, util, helper, base or impl, and a test is NAME_test.cc."""
    findings = []
    for path in tree.cxx('src/', 'tests/'):
        stem = os.path.splitext(os.path.basename(path))[0]
        if not re.fullmatch(r'[a-z0-9]+(_[a-z0-9]+)*', stem):
            findings.append(Finding(path, 0, f"'{stem}' is not snake_case"))
        if stem.split('_')[-1] in SUFFIXES:
            findings.append(Finding(path, 0, f"'{stem}' does not say what it is for (STYLE: no {', '.join(SUFFIXES[:6])})"))
        if path.endswith('.h') and not re.search(r'^\s*#\s*(pragma once|ifndef)', tree.read(path), re.MULTILINE):
            findings.append(Finding(path, 1, 'is not guarded: #pragma once'))
    return findings

"""Unpacks parts of a wheel: unpack_wheel.py WHEEL DEST FROM=TO...

FROM is a file, or a folder ending in '/', inside the wheel; TO is where it goes below DEST. A library
'libx.so.N' also gets the link 'libx.so' that a linker looks for. Every FROM must exist. Standard
library only; one line on standard error and exit status 1 when it fails.
"""

import calendar
import os
import re
import shutil
import sys
import zipfile


def target_of(name, parts):
    """The path below DEST for a member, or None; and the part it matched."""
    for source, dest in parts:
        if source.endswith('/') and name.startswith(source) and name != source:
            return os.path.join(dest, name[len(source):]), source
        if name == source:
            return dest, source
    return None, None


def link_plain_name(path):
    """libx.so.N -> libx.so, unless there is one."""
    match = re.fullmatch(r'(lib[^/]+\.so)\.[0-9.]+', os.path.basename(path))
    plain = match and os.path.join(os.path.dirname(path), match.group(1))
    if plain and not os.path.lexists(plain):
        os.symlink(os.path.basename(path), plain)


def unpack(wheel, dest, parts):
    used = set()
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            below, source = target_of(info.filename, parts)
            if below is None or info.is_dir():
                continue
            if os.path.isabs(below) or '..' in below.split('/'):
                raise ValueError(f'{info.filename} would be written outside the target')
            used.add(source)
            path = os.path.join(dest, below)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(info) as reader, open(path, 'wb') as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)
            written = calendar.timegm(info.date_time + (0, 0, 0))
            os.utime(path, (written, written))  # so that unpacking again rebuilds nothing
            if os.path.basename(os.path.dirname(path)) == 'lib':
                link_plain_name(path)
    missing = [source for source, _ in parts if source not in used]
    if missing:
        raise ValueError(f'the wheel has no {", ".join(missing)}')


def main():
    wheel, dest = sys.argv[1:3]
    parts = [tuple(argument.split('=', 1)) for argument in sys.argv[3:]]
    try:
        unpack(wheel, dest, parts)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        reason = getattr(error, 'strerror', None) or error
        sys.exit(f'cannot unpack {os.path.basename(wheel)} into {dest}: {reason}')


if __name__ == '__main__':
    main()

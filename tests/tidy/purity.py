#!/usr/bin/env python3
"""Shows that compiled cores are pure: purity.py CORE.a [--with LIBRARY.a]... [--allow MEMBER]...

Reads the undefined symbols of the core's archive with nm, and of those members of the other archives that
a linker would take for it, and names every one that is a clock, thread, socket, file or random device.
Members given by --allow (a file's name, as check.cc.o) are not looked into: the way a failed CHECK dies.
Exit status: 0 pure, 1 not, 2 nothing to look at.
"""

import argparse
import os
import re
import subprocess
import sys

C_NAMES = {
    'a clock': 'clock_gettime clock_getres clock gettimeofday time times ftime localtime localtime_r gmtime gmtime_r '
               'mktime timegm strftime timespec_get',
    'a sleep or timer': 'nanosleep clock_nanosleep usleep sleep alarm setitimer timer_create timerfd_create',
    'a thread or lock': 'pthread_create pthread_join pthread_detach pthread_mutex_lock pthread_mutex_trylock '
                        'pthread_mutex_unlock pthread_cond_wait pthread_cond_clockwait pthread_cond_timedwait '
                        'pthread_cond_signal pthread_once pthread_rwlock_rdlock pthread_rwlock_wrlock sem_wait thrd_create '
                        'fork vfork clone execve posix_spawn kill syscall __cxa_thread_atexit',
    'a socket': 'socket socketpair connect accept accept4 bind listen send sendto sendmsg recv recvfrom recvmsg '
                'getaddrinfo gethostname poll ppoll select epoll_create1 epoll_wait epoll_ctl eventfd ioctl',
    'a file': 'open open64 openat openat64 creat read write pread pread64 pwrite pwrite64 close stat stat64 fstat lstat '
              'unlink rename mkdir rmdir opendir readdir fsync fdatasync ftruncate mmap mmap64 fopen fopen64 fdopen '
              'freopen fclose fread fwrite fputs fputc fgets fscanf fprintf vfprintf __fprintf_chk printf __printf_chk '
              'puts putchar perror stdout stderr stdin getenv secure_getenv setenv',
    'a random device': 'rand rand_r srand random srandom drand48 lrand48 getrandom getentropy arc4random '
                       'arc4random_buf arc4random_uniform',
}
CXX_NAMES = {
    'a clock': r'^std::chrono::_V2::\w+_clock::now|^absl::.*(Now|GetCurrentTimeNanos)\(',
    'a thread or lock': r'^std::thread::|^std::condition_variable|^std::this_thread|^std::__future|^absl::.*Mutex::'
                        r'|^std::(recursive_|timed_)?mutex::|^std::__atomic_futex|^std::jthread',
    'a file': r'^std::(basic_)?[io]?f(ilebuf|stream)|^std::basic_(filebuf|[io]?fstream)|^std::filesystem::'
              r'|^std::(cout|cerr|clog|cin)$|^std::ios_base::Init',
    'a random device': r'^std::random_device::',
}
DENIED = {name: kind for kind, names in C_NAMES.items() for name in names.split()}


def kind_of(symbol):
    """What an undefined symbol asks of the world, or None."""
    plain = symbol.split('@')[0]
    if plain in DENIED:
        return DENIED[plain]
    return next((kind for kind, pattern in CXX_NAMES.items() if re.search(pattern, plain)), None)


def members(archive):
    """{member: (defined, undefined)} of an archive; symbols demangled."""
    listing = subprocess.run(['nm', '-C', archive], capture_output=True, text=True)
    if listing.returncode != 0:
        sys.exit(f'purity: nm cannot read {archive}: {listing.stderr.strip()}')
    found, current = {}, None
    for line in listing.stdout.splitlines():
        if line.endswith(':') and not line.startswith(' ') and re.match(r'\S+\.o:$', line):
            current = found.setdefault(line[:-1], (set(), set()))
        match = re.match(r'\s*[0-9a-f]*\s+([A-Za-z])\s(.*)$', line)
        if match and current is not None:
            current[0 if match.group(1) not in 'Uvw' else 1].add(match.group(2))
    return found


def impurities(core, libraries, allowed):
    """(member, symbol, kind) of all that the core, or what it pulls in, asks of the world."""
    taken = members(core)
    if not taken:
        print(f'purity: {core} has no object file')
        sys.exit(2)
    offered = {}
    for library in libraries:
        for member, symbols in members(library).items():
            if member not in allowed:
                offered[f'{os.path.basename(library)}({member})'] = symbols
    while True:
        wanted = set().union(*(undefined for _, undefined in taken.values()))
        wanted -= set().union(*(defined for defined, _ in taken.values()))
        pulled = {name: symbols for name, symbols in offered.items()
                  if name not in taken and symbols[0] & wanted}
        if not pulled:
            break
        taken.update(pulled)
    return [(member, symbol, kind_of(symbol)) for member, (_, undefined) in sorted(taken.items())
            for symbol in sorted(undefined) if kind_of(symbol)]


def main():
    parser = argparse.ArgumentParser(prog='purity.py', description=__doc__.split('\n')[0])
    parser.add_argument('core')
    parser.add_argument('--with', dest='libraries', action='append', default=[], metavar='LIBRARY.a')
    parser.add_argument('--allow', action='append', default=[], metavar='MEMBER')
    arguments = parser.parse_args()
    found = impurities(arguments.core, arguments.libraries, arguments.allow)
    for member, symbol, kind in found:
        print(f"{member}: '{symbol}' is {kind}: a pure core gets it in its event, or orders it in its decisions")
    if not found:
        print('pure')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())

"""tests/run: installs what is missing, builds, runs the tests, and says how many passed."""

import argparse
import difflib
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from console import Console, seconds, stream
from digest import digest
from suites import CtestSuite, PytestSuite

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOST_REPEATED = 5  # failures that --repeat-failed repeats: more of them are no accident
BYTES_PER_JOB = 1 << 30  # a common C++ file; LibTorch's have a pool of their own (deploy/cmake/rooms.cmake)


def memory_available():
    with open('/proc/meminfo') as file:
        free = int(re.search(r'MemAvailable:\s+(\d+)', file.read()).group(1)) * 1024
    try:
        with open('/sys/fs/cgroup/memory.max') as file:
            free = min(free, int(file.read()))
    except (OSError, ValueError):
        pass
    return free


def default_jobs():
    return max(1, min(len(os.sched_getaffinity(0)), memory_available() // BYTES_PER_JOB))


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='tests/run', formatter_class=argparse.RawDescriptionHelpFormatter,
        description='Installs what is missing (deploy/bootstrap), builds, and runs the tests: ctest\'s (unit,\n'
        'scenario, property, sim, tidy), then the integration tests (pytest).',
        epilog='The last line is "N passed, N failed, N skipped"; the lines before it, 60 at most, say why each failed.\n'
        'Exit status: 0 if none failed, 1 if one did or the build failed, 2 for wrong usage or a NAME that matches\n'
        'nothing.')
    parser.add_argument('names', nargs='*', metavar='NAME',
                        help='run only tests whose name contains NAME (a regular expression)')
    parser.add_argument('--quick', action='store_true', help='the inner loop: unit, scenario, property and tidy')
    parser.add_argument('--preset', choices=['dev', 'asan-ubsan', 'tsan'], default='dev',
                        help='which build to test (default: dev)')
    parser.add_argument('-j', '--jobs', type=int, metavar='N', help='at once (default: from cores and memory)')
    parser.add_argument('--list', action='store_true', help='build, then list the tests instead of running them')
    parser.add_argument('--repeat-failed', action='store_true',
                        help=f'if at most {MOST_REPEATED} tests fail, run those once more, alone; one that passes then is told '
                        'with its log as "sometimes fails" and counts as passed')
    parser.add_argument('--no-bootstrap', action='store_true', help='install nothing')
    arguments = parser.parse_args()
    for name in arguments.names:
        try:
            re.compile(name)
        except re.error as error:
            parser.error(f"NAME '{name}' is not a regular expression: {error}")
    if arguments.jobs is not None and arguments.jobs < 1:
        parser.error(f'--jobs takes a number from 1 up, not {arguments.jobs}')
    return arguments


def environment_of(preset, build):
    """Where the programs are, for the integration tests, and the test preset's variables."""
    environment = dict(os.environ, COXSWAIN_BIN=os.path.join(build, 'bin'), COXSWAIN_SOURCE=SOURCE)
    with open(os.path.join(SOURCE, 'CMakePresets.json')) as file:
        presets = json.load(file).get('testPresets', [])
    for found in presets:
        if found['name'] == preset:
            for key, value in found.get('environment', {}).items():
                environment[key] = value.replace('${sourceDir}', SOURCE)
    return environment


def bootstrap(console):
    with console.phase('bootstrap'):
        status = stream([os.path.join(SOURCE, 'deploy', 'bootstrap'), '--with', 'tests'],
                        lambda line: console.line('   ' + line))
    if status != 0:
        sys.exit('tests/run: deploy/bootstrap failed (above); --no-bootstrap goes on without it')


def build_all(console, preset, build, jobs):
    if not os.path.exists(os.path.join(build, 'build.ninja')):
        with console.phase(f'configure {preset}'):
            log = subprocess.run(['cmake', '--preset', preset], cwd=SOURCE, text=True, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        if log.returncode != 0:
            sys.exit(f'{log.stdout}\ntests/run: cmake --preset {preset} failed (above)')

    def on_line(line):
        if re.match(r'\[\d+/\d+\] ', line):
            console.progress(line)
        elif line.strip() and not line.startswith(('-- ', 'ninja: Entering', 'ninja: no work')):
            console.line(line)

    with console.phase(f'build {preset} (-j {jobs})'):
        status = stream(['ninja', '-C', build, '-j', str(jobs)], on_line, cwd=SOURCE)
    if status != 0:
        console.line('tests/run: the build failed (above)')
        sys.exit(1)


def nearest(wanted, names):
    """Up to five names a person may have meant."""
    keys = {}
    for name in names:
        for key in (name, *re.split(r'::|[./]', name)):
            keys.setdefault(key.lower(), name)
    close = difflib.get_close_matches(wanted.lower(), keys, n=5, cutoff=0.5)
    return list(dict.fromkeys(keys[key] for key in close))


def select(patterns, names):
    """The names that match any pattern. Ends the program if a pattern matches none."""
    if not patterns:
        return names
    for pattern in patterns:
        if not any(re.search(pattern, name) for name in names):
            near = nearest(pattern, names)
            hint = 'did you mean: ' + ', '.join(near) if near else 'tests/run --list shows all names'
            print(f"tests/run: no test of {len(names)} matches '{pattern}'; {hint}", file=sys.stderr)
            sys.exit(2)
    return [name for name in names if any(re.search(pattern, name) for pattern in patterns)]


def repeated(console, suites, listed, outcomes):
    """The outcomes, with those that failed replaced by what they are alone; and what failed the first time only."""
    failed = [one for one in outcomes if one.result == 'failed']
    if not 0 < len(failed) <= MOST_REPEATED:
        return outcomes, []
    second = {}
    for title, suite in suites.items():
        names = suite.names_of(failed, listed[title])
        if names:
            with console.phase(f'{title}: {len(names)} failed, once more'):
                second.update((one.name, one) for one in suite.alone().run(names, console))
    sometimes = [one for one in failed if one.name in second and second[one.name].result == 'passed']
    return [second[one.name] if one in sometimes else one for one in outcomes], sometimes


def print_log(console, one):
    lines = one.log.rstrip().splitlines()
    if len(lines) > 200:
        lines = lines[:60] + [f'... {len(lines) - 200} lines left out ...'] + lines[-140:]
    console.line('\n'.join('   ' + line for line in lines))


def report(console, outcomes, sometimes=()):
    failed = [one for one in outcomes if one.result == 'failed']
    skipped = [one for one in outcomes if one.result == 'skipped']
    for one in failed:
        console.line(f'\n-- FAILED {one.name} ({seconds(one.seconds)})')
        print_log(console, one)
    for one in sometimes:
        console.line(f'\n-- SOMETIMES FAILS {one.name}: passed the second time, alone; the first time it said')
        print_log(console, one)
    if skipped:
        console.line('\n-- skipped')
    for one in skipped:
        console.line(f'   {one.name}: {one.reason or "NO REASON GIVEN"}')
    slowest = sorted(outcomes, key=lambda one: -one.seconds)[:5]
    console.line('\n-- slowest: ' + ', '.join(f'{one.name} {seconds(one.seconds)}' for one in slowest))
    console.line('-- time: ' + ', '.join(f'{name} {seconds(took)}' for name, took in console.times))
    for line in digest(failed):
        console.line(line)
    for one in sometimes:
        console.line(f'sometimes fails: {one.name} (its log is above)')
    passed = len(outcomes) - len(failed) - len(skipped)
    console.line(f'{passed} passed, {len(failed)} failed, {len(skipped)} skipped')
    return 1 if failed else 0


def main():
    arguments = parse_arguments()
    console = Console()
    jobs = arguments.jobs or default_jobs()
    build = os.path.join(SOURCE, 'build', arguments.preset)
    environment = environment_of(arguments.preset, build)
    if not arguments.no_bootstrap:
        bootstrap(console)
    build_all(console, arguments.preset, build, jobs)

    suites = {'ctest': CtestSuite(build, jobs, arguments.quick, environment)}
    if not arguments.quick:
        suites['integration (pytest)'] = PytestSuite(SOURCE, build, environment)
    listed = {title: suite.list() for title, suite in suites.items()}
    chosen = select(arguments.names, [name for names in listed.values() for name in names])
    if arguments.list:
        print('\n'.join(chosen))
        return 0

    outcomes = []
    for title, suite in suites.items():
        names = [name for name in listed[title] if name in set(chosen)]
        if names:
            with console.phase(f'{title}: {len(names)} tests'):
                outcomes += suite.run(names, console)
    if not outcomes:
        sys.exit('tests/run: there is no test to run')
    sometimes = []
    if arguments.repeat_failed:
        outcomes, sometimes = repeated(console, suites, listed, outcomes)
    return report(console, outcomes, sometimes)


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

"""What the test command prints: phases with their time, and progress that does not flood a log."""

import os
import subprocess
import sys
import time


def seconds(value):
    if value < 60:
        return f'{value:.1f} s'
    return f'{int(value) // 60} min {int(value) % 60:02d} s'


class Console:
    """Writes to standard output. On a terminal, progress is one changing line; in a log, a line now and then."""

    def __init__(self, every=20.0):
        self.terminal = sys.stdout.isatty()
        self.every = every
        self.last = time.monotonic()
        self.shown = False
        self.times = []

    def line(self, text=''):
        if self.shown:
            sys.stdout.write('\r\033[K')
            self.shown = False
        print(text, flush=True)

    def progress(self, text):
        now = time.monotonic()
        if self.terminal:
            width = os.get_terminal_size().columns - 1
            sys.stdout.write('\r\033[K' + text[:width])
            sys.stdout.flush()
            self.shown = True
        elif now - self.last >= self.every:
            self.line('  ' + text)
            self.last = now

    def phase(self, name):
        return Phase(self, name)


class Phase:
    def __init__(self, console, name):
        self.console, self.name = console, name

    def __enter__(self):
        self.started = time.monotonic()
        self.console.last = self.started
        self.console.line(f'== {self.name}')
        return self

    def __exit__(self, kind, value, trace):
        took = time.monotonic() - self.started
        self.console.times.append((self.name, took))
        if kind is None:
            self.console.line(f'   {self.name}: {seconds(took)}')


def stream(command, on_line, **options):
    """Runs a command, gives each line of its output to on_line, and returns the exit status."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors='replace', stdin=subprocess.DEVNULL, **options)
    try:
        for line in child.stdout:
            on_line(line.rstrip('\n'))
        return child.wait()
    except BaseException:
        child.terminate()
        child.wait()
        raise

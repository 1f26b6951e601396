"""Sees purity.py catch every kind of impurity in a planted core: purity_test.py IMPURE.a LIBRARY.a PURE.a"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import purity


def main():
    impure, library, pure = sys.argv[1:4]
    alone = purity.impurities(impure, [], [])
    linked = purity.impurities(impure, [library], [])
    missed = set(purity.C_NAMES) - {'a sleep or timer'} - {kind for _, _, kind in alone}
    problems = [f'{kind} in planted/impure_core.cc was not caught' for kind in sorted(missed)]
    if any(symbol == 'time' for _, symbol, _ in alone):
        problems.append("'time' was found without looking into the library: the test shows nothing")
    if ('time', 'a clock') not in {(symbol, kind) for _, symbol, kind in linked}:
        problems.append('the clock in planted/impure_library.cc was not caught through the link')
    if purity.impurities(impure, [library], ['impure_library.cc.o']) != alone:
        problems.append('--allow did not leave a member out')
    if purity.impurities(pure, [library], []):
        problems.append(f'planted/pure_core.cc is pure, but: {purity.impurities(pure, [library], [])}')
    print('\n'.join(problems) or f'caught {len(linked)} planted symbols')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())

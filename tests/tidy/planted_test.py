"""Plants a violation of every rule in a small tree and sees it caught; a clean tree must give no finding."""

import os
import re
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import room_checks
import size_checks
import source
import text_checks
import tidy

CLEAN = {
    '.clang-format': 'BasedOnStyle: Google\nColumnLimit: 100\n',
    'src/common/base/CMakeLists.txt': 'cox_room(coxswain_base)\n',
    'src/common/base/README.md': '# base\n',
    'src/common/base/time.h': '#pragma once\nint Time();\n',
    'src/coordinator/core/CMakeLists.txt': 'cox_room(coxswain_coordinator_core PUBLIC coxswain_protocol coxswain_base)\n',
    'src/coordinator/core/README.md': 'See [the map](../../../docs/map.md#two-words).\n',
    'src/coordinator/core/turn.cc': '#include <map>\n\n#include "common/base/time.h"\n\n'
                                    '// time(nullptr) in a comment, and "rand()" in a string, are harmless.\n'
                                    'const char* kText = "socket(1)";\n',
    'src/coordinator/store/CMakeLists.txt': 'cox_room(coxswain_coordinator_store PRIVATE SQLite::SQLite3)\n',
    'src/coordinator/store/README.md': '# store\n',
    'src/coordinator/store/rows.cc': '#include <sqlite3.h>\n\n#include "coordinator/core/turn.h"\n',
    'docs/map.md': '# Map\n\n## Two `words`\n',
}


class Planted(unittest.TestCase):
    def findings(self, check, extra, without=()):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**CLEAN, **extra}.items():
                if path in without:
                    continue
                os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(root, path), 'wb') as file:
                    file.write(text if isinstance(text, bytes) else text.encode())
            return [str(finding) for finding in check(source.Tree(root))]

    def caught(self, check, path, text, *expected, without=()):
        """Exactly the expected findings (regular expressions), in any order."""
        found = self.findings(check, {path: text} if path else {}, without)
        for pattern in expected:
            self.assertTrue(any(re.search(pattern, one) for one in found), f'{pattern} not in {found}')
        self.assertEqual(len(found), len(expected), found)

    def test_clean_tree_has_no_finding(self):
        for name, check in tidy.CHECKS.items():
            if name != 'format':
                self.assertEqual(self.findings(check, {}), [], name)

    def test_format(self):
        try:
            text_checks.clang_format()
        except text_checks.Skip as why:
            self.skipTest(str(why))
        self.caught(text_checks.check_format, 'src/common/base/ugly.cc', 'int   x ;\n', r'ugly\.cc:1: not laid out')

    def test_impure_calls_in_a_core(self):
        for line in ('auto t = std::chrono::steady_clock::now();', 'time_t t = time(nullptr);',
                     'clock_gettime(CLOCK_REALTIME, &t);', 'std::this_thread::sleep_for(x);', 'usleep(3);',
                     'std::random_device device;', 'std::mt19937_64 g(3);', '#include <random>', '#include <thread>',
                     'std::mutex m;', '#include <sys/socket.h>', '#include <unistd.h>', 'int s = socket(1, 2, 3);',
                     '#include <iostream>', '#include <fstream>', 'std::printf("x");', 'std::cerr << 1;',
                     '#include <filesystem>', 'getenv("X");', 'std::unordered_map<int, int> m;', 'throw 3;',
                     '#include "common/base/clock.h"', 'std::atomic<int> n;'):
            found = self.findings(text_checks.check_calls, {'src/worker/core/x.cc': line + '\n'})
            self.assertEqual(len(found), 2 if 'usleep' in line else 1, f'{line}: {found}')
            harmless = self.findings(text_checks.check_calls, {'src/worker/runtime/x.cc': line + '\n'})
            self.assertEqual(len(harmless), 1 if 'usleep' in line else 0, f'{line} outside of a core: {harmless}')

    def test_harmless_words_in_a_core(self):
        text = 'int timeout = view.time();\nnode.open(3);\nint randomized = Reopen(1);\nqueue.send(x);\n'
        self.assertEqual(self.findings(text_checks.check_calls, {'src/worker/core/x.cc': text}), [])

    def test_banned_calls_anywhere(self):
        for line in ('using namespace std;', 'system("ls");', 'int n = atoi(text);', 'out << std::endl;',
                     '// TODO: later', '#pragma GCC diagnostic ignored "-Wall"'):
            self.caught(text_checks.check_calls, 'src/cli/x.cc', line + '\n', r'src/cli/x\.cc:1: ')

    def test_text(self):
        check = text_checks.check_text
        self.caught(check, 'deploy/x', 'cd /' 'work/main\n', 'path of one machine')
        self.caught(check, 'deploy/x', 'HOME=/' 'root\n', 'path of one machine')
        self.caught(check, 'deploy/x', 'index = https://pypi.org/simple\n', "registry's host")
        self.caught(check, 'deploy/x', 'a \n', 'white space')
        self.caught(check, 'deploy/x', 'a', 'new line')
        self.caught(check, 'deploy/x', b'\0\1', 'binary')
        self.caught(check, 'deploy/x', 'a\n' * 200000, 'KiB')
        self.caught(check, 'deploy/x', 'the network/' 'work/flow and src/' 'root and $HOME/' 'work/x\n')

    def test_links(self):
        check = text_checks.check_links
        self.caught(check, 'docs/a.md', '[x](map.md) [y](https://example.org) [z](#here)\n# Here\n')
        self.caught(check, 'docs/a.md', '[x](nowhere.md)\n', r'a\.md:1: the link .nowhere\.md. leads nowhere')
        self.caught(check, 'docs/a.md', '[x](map.md#three)\n', 'no heading')
        self.caught(check, 'src/cli/x.cc', '// see docs/absent.md\n', 'does not exist')

    def test_rooms(self):
        check = room_checks.check_rooms
        self.caught(check, 'src/common/base/x.h', '#include "coordinator/core/turn.h"\n', 'may not include coordinator/core')
        self.caught(check, 'src/coordinator/core/x.h', '#include "coordinator/store/rows.h"\n', 'may not include')
        self.caught(check, 'src/coordinator/core/deep/x.h', '#include "coordinator/store/rows.h"\n', 'may not include')
        self.caught(check, 'src/coordinator/core/x.h', '#include "absl/status/status.h"\n', 'only the standard library')
        self.caught(check, 'src/coordinator/core/x.h', '#include <nlohmann/json.hpp>\n', 'only the standard library')
        self.caught(check, 'src/shim/x.cc', '#include "common/log/log.h"\n', 'shim may not include common/log')
        self.caught(check, 'src/worker/runtime/x.cc', '#include "trainer/core/x.h"\n', 'may not include trainer')
        self.caught(check, 'src/coordinator/kitchen/CMakeLists.txt', 'cox_room(x)\n', 'not in the map')

    def test_libraries(self):
        check = room_checks.check_libraries
        for header, place, wrong in (
                ('grpcpp/grpcpp.h', 'worker/rpc', 'worker/runtime'), ('coxswain/v1/coxswain.pb.h', 'cli/rpc', 'cli/verbs'),
                ('google/protobuf/message.h', 'common/rpc', 'trainer/engine'), ('sqlite3.h', 'coordinator/store', 'coordinator/runtime'),
                ('arrow/api.h', 'trainer/blob_s3', 'trainer/blob'), ('arrow/io/api.h', 'trainer/table', 'trainer/engine/data'),
                ('torch/nn.h', 'trainer/engine/model', 'trainer/runtime'), ('ATen/ATen.h', 'trainer/cuda', 'trainer/blob'),
                ('yaml-cpp/yaml.h', 'common/config', 'cli/verbs'), ('spdlog/spdlog.h', 'common/log', 'worker/runtime'),
                ('httplib.h', 'coordinator/http', 'coordinator/rpc'), ('CLI/CLI.hpp', 'coordinator', 'coordinator/runtime'),
                ('nccl.h', 'trainer/cuda', 'trainer/engine'), ('prometheus/gauge.h', 'coordinator/http', 'coordinator/core')):
            self.caught(check, f'src/{place}/x.cc', f'#include <{header}>\n')
            self.caught(check, f'src/{wrong}/x.cc', f'#include <{header}>\n', 'belongs to')

    def test_linking(self):
        check, path = room_checks.check_linking, 'src/worker/runtime/CMakeLists.txt'
        self.caught(check, path, '# gRPC::grpc++ in a comment\ncox_room(x PRIVATE coxswain_base)\n')
        self.caught(check, path, 'cox_room(x PRIVATE gRPC::grpc++)\n', 'belongs to')
        self.caught(check, path, 'target_link_libraries(x PRIVATE coxswain_torch)\n', 'belongs to')
        self.caught(check, 'src/coordinator/store/CMakeLists.txt', 'cox_room(x PUBLIC SQLite::SQLite3)\n', 'linked PUBLIC')
        self.caught(check, 'src/coordinator/core/CMakeLists.txt', 'cox_room(x PRIVATE absl::status)\n', 'pure core may not link')

    def test_readmes(self):
        check = room_checks.check_readmes
        self.caught(check, None, '', 'src/common/base: has no README', without=['src/common/base/README.md'])
        self.caught(check, 'tests/unit/README.md', 'line\n' * 21, '21 lines')

    def test_names(self):
        check = room_checks.check_names
        self.caught(check, 'src/cli/JobPrinter.cc', '\n', 'snake_case')
        self.caught(check, 'src/cli/job_manager.cc', '\n', 'what it is for')
        self.caught(check, 'src/cli/job.h', 'int x;\n', 'pragma once')

    def test_sizes(self):
        check, body = size_checks.check_sizes, '  Call();\n' * 80
        self.caught(check, 'src/cli/x.cc', '// x\n' * 401, '401 lines; 400 at most')
        self.caught(check, 'src/cli/x.cc', f'void Class::Long(int a = {{3}}) const {{\n{body}}}\n', "'Class::Long' has 82 lines")
        self.caught(check, 'src/cli/x.cc', f'TEST(Gang, Waits) {{\n{body}}}\n', r"'TEST\(Gang,Waits\)' has 82 lines")
        self.caught(check, 'src/cli/x.py', 'def long():\n' + '    call()\n' * 80, "'long' has 81 lines")
        table = 'struct Plain {\n' + '  int y;\n' * 90 + '};\nint t[] = {\n' + '1,\n' * 90 + '};\n'
        self.caught(check, 'src/cli/x.cc', table)

    def test_baseline_only_shrinks(self):
        long = 'void F() {\n' + '  Call();\n' * 80 + '}\n'
        for lines, expected in ((82, []), (81, ['82 lines; 81 at most']), (90, ['has shrunk from 90 to 82'])):
            found = self.findings(size_checks.check_sizes, {
                'src/cli/x.cc': long, size_checks.BASELINE: f'# comment\nsrc/cli/x.cc F {lines}\n'})
            self.assertEqual(len(found), len(expected), found)
            for pattern, one in zip(expected, found):
                self.assertIn(pattern, one)
        found = self.findings(size_checks.check_sizes, {size_checks.BASELINE: 'src/cli/gone.cc 500\n'})
        self.assertIn('within the limit', found[0])

    def test_known_findings_only_shrink(self):
        def names(tree):
            return tidy.check(tree, 'names')
        why = "'job_manager' does not say what it is for (STYLE: no manager, util, utils, helper, helpers, base)"
        row = f'names src/cli/job_manager.cc {why}\n'
        self.assertEqual(self.findings(names, {tidy.KNOWN: row, 'src/cli/job_manager.cc': '\n'}), [])
        self.assertIn('mended', self.findings(names, {tidy.KNOWN: row})[0])


class FunctionScan(unittest.TestCase):
    def names(self, text):
        return [(name, lines) for _, name, lines in source.functions(text)]

    def test_what_is_a_function(self):
        self.assertEqual(self.names('namespace a {\nclass B : public C {\n public:\n  B() : x_{1}, y_(2) {}\n'
                                    '  int Get() const override { return x_; }\n  int x_{0};\n};\n}\n'),
                         [('B', 1), ('Get', 1)])
        self.assertEqual(self.names('template <class T>\nT Max(T a, T b) {\n  if (a < b) {\n    return b;\n  }\n  return a;\n}\n'),
                         [('Max', 7)])
        self.assertEqual(self.names('enum class E { kA, kB };\nconst int kX[] = {1, 2};\nint F(std::vector<int> v = {}) {\n}\n'),
                         [('F', 2)])
        self.assertEqual(self.names('bool operator==(const A& a, const A& b) {\n  return true;\n}\n')[0][1], 3)
        self.assertEqual(self.names('auto f = [](int x) {\n  return x;\n};\nvoid G() {\n}\n'), [('G', 2)])

    def test_braces_in_text_do_not_count(self):
        self.assertEqual(self.names('void F() {\n  Say("}");  // }\n  char c = \'{\';\n  auto r = R"x(}})x";\n}\n'), [('F', 5)])
        self.assertEqual(self.names('#define BEGIN {\nvoid F() {\n  int n = 1\'000;\n}\n'), [('F', 3)])


class Registered(unittest.TestCase):
    def test_ctest_runs_every_check(self):
        with open(os.path.join(HERE, 'CMakeLists.txt')) as file:
            listed = re.search(r'set\(checks ([^)]*)\)', file.read()).group(1).split()
        self.assertEqual(listed, list(tidy.CHECKS))


if __name__ == '__main__':
    unittest.main()

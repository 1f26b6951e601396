// Runs every *.txt of this folder. A block is commands, a line `----`, and what is expected up to
// an empty line; '#' begins a comment line. `--rewrite` writes what really came instead: review the
// diff.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/scenario/coordinator/core_script.h"

namespace coxswain::scenario {
namespace {

bool rewrite = false;

std::vector<std::string> Files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(COX_SCENARIO_DIR)) {
    if (entry.path().extension() == ".txt" && entry.path().stem() != "CMakeLists") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The file as it should be: comments and commands kept, answers replaced by what came.
std::string Replay(std::istream& in) {
  coordinator::core::Settings settings;
  settings.default_store = "s3://ckpt";
  CoreScript script(settings);
  std::string out, line, answers;
  bool in_answer = false;
  while (std::getline(in, line)) {
    if (in_answer) {
      if (!line.empty()) continue;
      in_answer = false;
      out += answers + "\n";
      answers.clear();
    } else if (line == "----") {
      in_answer = true;
      out += line + "\n";
    } else {
      out += line + "\n";
      if (!line.empty() && line[0] != '#') answers += script.Run(line);
    }
  }
  return out + answers;
}

class Scenario : public testing::TestWithParam<std::string> {};

TEST_P(Scenario, DecidesAsWritten) {
  std::string path = std::string(COX_SCENARIO_DIR) + "/" + GetParam() + ".txt";
  std::ifstream in(path);
  std::stringstream expected;
  expected << in.rdbuf();
  std::istringstream text(expected.str());
  std::string found = Replay(text);
  if (rewrite) {
    std::ofstream(path) << found;
  } else {
    EXPECT_EQ(expected.str(), found) << "run with --rewrite and review the diff";
  }
}

INSTANTIATE_TEST_SUITE_P(Coordinator, Scenario, testing::ValuesIn(Files()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace coxswain::scenario

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--rewrite") coxswain::scenario::rewrite = true;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

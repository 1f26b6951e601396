// Runs every story of this folder and compares what was decided with what stands there.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "script.h"

namespace coxswain::trainer::core {
namespace {

bool g_rewrite = false;

// A story is blocks, divided by blank lines: comments and commands, "----", decisions.
std::string Replay(std::istream& in) {
  Script script;
  std::stringstream out;
  std::string line, decided;
  bool expected = false;
  auto end_block = [&] {
    if (!expected) return;
    out << "----\n" << decided << '\n';
    decided.clear();
    expected = false;
  };
  while (std::getline(in, line)) {
    if (line == "----") {
      expected = true;
    } else if (line.empty()) {
      end_block();
    } else if (!expected) {
      out << line << '\n';
      if (line[0] != '#') decided += script.Run(line);
    }
  }
  end_block();
  return out.str();
}

class Story : public ::testing::TestWithParam<std::string> {};

TEST_P(Story, DecidesAsWritten) {
  std::ifstream file(GetParam());
  std::stringstream text;
  text << file.rdbuf();
  std::string written = text.str();
  std::string replayed = Replay(text);
  if (g_rewrite) {
    std::ofstream(GetParam()) << replayed;
  } else {
    EXPECT_EQ(replayed, written) << "run trainer_scenario_test --rewrite and review the difference";
  }
}

std::vector<std::string> Stories() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(COXSWAIN_SCENARIOS)) {
    if (entry.path().extension() == ".txt" && entry.path().stem() != "CMakeLists") {
      paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

INSTANTIATE_TEST_SUITE_P(Trainer, Story, ::testing::ValuesIn(Stories()), [](const auto& info) {
  return std::filesystem::path(info.param).stem().string();
});

}  // namespace
}  // namespace coxswain::trainer::core

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  coxswain::trainer::core::g_rewrite = argc > 1 && std::string(argv[1]) == "--rewrite";
  return RUN_ALL_TESTS();
}

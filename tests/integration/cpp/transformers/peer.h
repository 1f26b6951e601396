// The real `transformers`, run by the Python that has it; where there is none, tests are skipped.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/cpp/peer_python.h"

namespace coxswain::trainer::engine {

class Peer : public ::testing::Test {
 protected:
  void SetUp() override {
    static const std::string python = PeerPython(kModules);
    if (python.empty()) GTEST_SKIP() << NoPeerPython(kModules);
    python_ = python;
    std::string pattern = std::filesystem::temp_directory_path() / "transformersXXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  // What it is given, and what it gives.
  void WriteNumbers(const std::vector<int64_t>& numbers) {
    std::ofstream(folder_ + "/ids", std::ios::binary)
        .write(reinterpret_cast<const char*>(numbers.data()),
               static_cast<std::streamsize>(numbers.size() * sizeof(int64_t)));
  }
  std::vector<double> TheirNumbers() {
    const std::string bytes = ReadFile("numbers");
    std::vector<double> numbers(bytes.size() / sizeof(double));
    std::memcpy(numbers.data(), bytes.data(), bytes.size());
    return numbers;
  }
  // peer.py ARGUMENTS IDS ROWS OUT.
  void Run(const std::string& arguments, int64_t rows) {
    const std::string command = python_ + " " + COXSWAIN_PEER_SCRIPT + " " + arguments + " " +
                                folder_ + "/ids " + std::to_string(rows) + " " + folder_ +
                                "/numbers 2>" + folder_ + "/errors";
    ASSERT_EQ(std::system(command.c_str()), 0) << ReadFile("errors");
  }

  std::string folder_;

 private:
  static constexpr char kModules[] = "tokenizers, transformers, torch";
  std::string ReadFile(const std::string& name) {
    std::ifstream file(folder_ + "/" + name, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::string python_;
};

}  // namespace coxswain::trainer::engine

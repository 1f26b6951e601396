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

namespace coxswain::trainer::engine {

class Peer : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string probe = Python() + " -c 'import tokenizers, transformers, torch' 2>/dev/null";
    static const bool there = std::system(probe.c_str()) == 0;
    if (!there) GTEST_SKIP() << "no Python with transformers at " << Python();
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
    const std::string command = Python() + " " + COXSWAIN_PEER_SCRIPT + " " + arguments + " " +
                                folder_ + "/ids " + std::to_string(rows) + " " + folder_ +
                                "/numbers 2>" + folder_ + "/errors";
    ASSERT_EQ(std::system(command.c_str()), 0) << ReadFile("errors");
  }

  std::string folder_;

 private:
  static std::string Variable(const char* name) {
    const char* value = getenv(name);
    return value == nullptr ? "" : value;
  }
  static std::string Python() {
    std::string peers = Variable("COXSWAIN_PEERS"), cache = Variable("XDG_CACHE_HOME");
    if (cache.empty()) cache = Variable("HOME") + "/.cache";
    if (peers.empty()) peers = cache + "/coxswain/peers";
    return peers + "/bin/python";
  }
  std::string ReadFile(const std::string& name) {
    std::ifstream file(folder_ + "/" + name, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
};

}  // namespace coxswain::trainer::engine

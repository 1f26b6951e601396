// Runs the real cox-shim on a shell script in a folder of its own.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "common/base/shim_protocol.h"

extern char** environ;

namespace coxswain::shim {

inline std::string ReadText(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

class ShimTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cox-shim-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    folder_ = root_;
  }
  void TearDown() override {
    if (pid_ > 0 && !ended_) {
      kill(pid_, SIGTERM);
      WaitForShim();
    }
    if (control_ >= 0) close(control_);
    std::filesystem::remove_all(root_);
  }

  // Options of the shim before "--", then the program.
  void Start(std::vector<std::string> program, std::vector<std::string> options = {}) {
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    control_ = pair[0];
    std::vector<std::string> words = {COX_SHIM, "--folder", folder_.string(), "--control-fd", "3"};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back("--");
    words.insert(words.end(), program.begin(), program.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pair[1], 3);
    if (lifeline_read_ >= 0) posix_spawn_file_actions_adddup2(&actions, lifeline_read_, 4);
    ASSERT_EQ(posix_spawn(&pid_, COX_SHIM, &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(pair[1]);
  }
  void StartScript(const std::string& script, std::vector<std::string> options = {}) {
    Start({"/bin/sh", "-c", script}, std::move(options));
  }

  // The next line on `fd` (the control connection if not given); empty when it has ended.
  std::string NextLine(int fd = -1) {
    if (fd < 0) fd = control_;
    std::string& pending = pending_[fd];
    while (true) {
      size_t end = pending.find('\n');
      if (end != std::string::npos) {
        std::string line = pending.substr(0, end);
        pending.erase(0, end + 1);
        return line;
      }
      pollfd ready{fd, POLLIN, 0};
      if (poll(&ready, 1, 20'000) <= 0) return "nothing for 20 s";
      char buffer[8192];
      ssize_t n = read(fd, buffer, sizeof buffer);
      if (n <= 0) return "";
      pending.append(buffer, static_cast<size_t>(n));
    }
  }
  void Say(const std::string& line, int fd = -1) {
    std::string text = line + "\n";
    ASSERT_EQ(send(fd < 0 ? control_ : fd, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  pid_t WaitUntilRunning() {
    std::string line = NextLine();
    EXPECT_EQ(line.rfind("running ", 0), 0u) << line;
    return atoi(line.c_str() + 8);
  }
  // Reads lines up to the exit record.
  base::ShimExit WaitForExit() {
    std::string line;
    do {
      line = NextLine();
    } while (line.rfind("running ", 0) == 0 || line == "ok");
    EXPECT_EQ(line.rfind("exited ", 0), 0u) << line;
    auto exit = base::DecodeExit(base::UnescapeLine(line.substr(std::min<size_t>(7, line.size()))));
    EXPECT_TRUE(exit.has_value()) << line;
    return exit.value_or(base::ShimExit{});
  }
  int WaitForShim() {
    int status = 0;
    waitpid(pid_, &status, 0);
    ended_ = true;
    return status;
  }
  base::ShimExit RecordOnDisk() {
    auto exit = base::DecodeExit(ReadText(folder_ / base::kExitFile));
    EXPECT_TRUE(exit.has_value());
    return exit.value_or(base::ShimExit{});
  }
  // A later worker's connection, whatever the length of the folder's path.
  int Connect() {
    std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(folder_);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, base::kShimSocketFile);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    std::filesystem::current_path(before);
    return fd;
  }
  // All the stream's files in order.
  std::string Log(const std::string& stream, uint64_t* oldest = nullptr) {
    std::map<uint64_t, std::string> parts;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      std::string name = entry.path().filename();
      if (name.rfind(stream + ".", 0) == 0) {
        parts[std::stoull(name.substr(stream.size() + 1))] = ReadText(entry.path());
      }
    }
    std::string all;
    if (oldest != nullptr) *oldest = parts.empty() ? 0 : parts.begin()->first;
    for (const auto& [offset, text] : parts) {
      EXPECT_EQ(offset, (oldest != nullptr ? *oldest : 0) + all.size()) << "a hole in " << stream;
      all += text;
    }
    return all;
  }

  std::filesystem::path root_, folder_;
  pid_t pid_ = -1;
  bool ended_ = false;
  int control_ = -1;
  int lifeline_read_ = -1;
  std::map<int, std::string> pending_;
};

}  // namespace coxswain::shim

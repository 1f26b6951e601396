// The real cox-worker with shims and a stand-in for trainers, in a folder of its own.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/cpp/worker/fake_coordinator.h"

namespace coxswain::worker {

namespace fs = std::filesystem;
using protocol::RankKey;

inline constexpr char kToken[] = "0123456789abcdef";

inline std::string SpecWith(const std::string& env) {
  return "apiVersion: coxswain/v1\nkind: TrainingJob\nmetadata: {name: digits}\nspec:\n"
         "  model: {recipe: mlp}\n"
         "  data:\n    train: {images: /data/a.gz, labels: /data/b.gz}\n"
         "  train: {epochs: 1}\n  env: {" +
         env + "}\n";
}

inline std::string ReadText(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline bool Alive(int64_t pid) {
  if (kill(static_cast<pid_t>(pid), 0) != 0) return false;
  return ReadText("/proc/" + std::to_string(pid) + "/stat").find(") Z") == std::string::npos;
}

class WorkerTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cox-worker-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    data_ = root_ / "data";
    fs::create_directory(root_ / "bin");
    fs::copy_file(COX_WORKER, root_ / "bin/cox-worker");
    fs::copy_file(COX_SHIM, root_ / "bin/cox-shim");
    fs::create_symlink(TRAINER_DOUBLE, root_ / "bin/cox-trainer");
    std::ofstream(root_ / "token") << kToken << "\n";
    coordinator_ = std::make_unique<FakeCoordinator>(kToken);
  }
  void TearDown() override {
    coordinator_.reset();
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      Wait();
    }
    for (int64_t pid : started_) kill(static_cast<pid_t>(pid), SIGKILL);
    if (mounted_) umount2(data_.c_str(), MNT_DETACH);
    for (int i = 0; i < 100; ++i) {  // shims may still be writing their records
      std::error_code error;
      fs::remove_all(root_, error);
      if (!error) break;
      usleep(20'000);
    }
  }

  // Of whom the worker takes for its coordinator.
  virtual int Port() const { return coordinator_->port(); }
  void StartWorker(std::vector<std::string> more = {}) {
    std::vector<std::string> words = {(root_ / "bin/cox-worker").string(),
                                      "--data-dir",
                                      data_.string(),
                                      "--coordinator",
                                      "127.0.0.1:" + std::to_string(Port()),
                                      "--token-file",
                                      (root_ / "token").string(),
                                      "--name",
                                      "node-a",
                                      "--cpu-slots",
                                      "4",
                                      "--gpus",
                                      "false"};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    std::string log = (root_ / log_name_).string();
    posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (lifeline_ >= 0) posix_spawn_file_actions_adddup2(&actions, lifeline_, 9);
    ASSERT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }
  int ExitCode() {
    int status = Wait();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  void KillWorker() {
    kill(pid_, SIGKILL);
    Wait();
  }
  // The last line it wrote, without time and name.
  std::string LastLine() {
    std::string text = ReadText(root_ / log_name_);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    text = text.substr(text.rfind('\n') + 1);
    size_t name = text.find("]: ");
    return name == std::string::npos ? text : text.substr(name + 3);
  }

  protocol::StartRank Start(const std::string& env, uint64_t incarnation = 77) {
    protocol::StartRank start;
    start.key = RankKey{base::JobId(1), base::Attempt(1), 0};
    start.incarnation = base::Incarnation(incarnation);
    start.job_name = "digits";
    start.world_size = 1;
    start.spec_yaml = SpecWith(env);
    start.state_prefix = "cluster-1/j1";
    return start;
  }
  // A rank that runs a shell script.
  protocol::StartRank Script(const std::string& script) {
    return Start("TRAINER_SCRIPT: '" + script + "'");
  }
  int64_t WaitUntilStarted() {
    int64_t pid = coordinator_->Next<protocol::RankStarted>().pid;
    started_.push_back(pid);
    return pid;
  }
  protocol::LogData ReadLog(uint64_t request, uint64_t offset = 0, uint32_t tail_lines = 0) {
    protocol::ReadLog order;
    order.request = request;
    order.offset = offset;
    order.tail_lines = tail_lines;
    order.key = RankKey{base::JobId(1), base::Attempt(1), 0};
    coordinator_->Send(order);
    protocol::LogData all;
    while (!all.end) {
      auto part = coordinator_->Next<protocol::LogData>();
      part.data = all.data + part.data;
      all = part;
    }
    return all;
  }

  fs::path root_, data_;
  std::string log_name_ = "worker.log";
  std::unique_ptr<FakeCoordinator> coordinator_;
  pid_t pid_ = -1;
  int lifeline_ = -1;
  bool mounted_ = false;
  std::vector<int64_t> started_;
};

}  // namespace coxswain::worker

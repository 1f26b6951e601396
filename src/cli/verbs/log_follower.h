// Follows a job's log on a thread of its own, over all attempts, until the job has ended.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "cli/rpc/client.h"
#include "cli/verbs/log_lines.h"

namespace coxswain::cli::verbs {

class LogFollower {
 public:
  // `print` is called on the follower's thread.
  LogFollower(rpc::ClientOptions options, const output::Terminal& terminal, LogLines::Print print);
  ~LogFollower();

  // All that its ranks write to stdout and stderr. Once.
  void Follow(const std::string& job);
  // When the job has ended: returns as soon as all of its log was printed.
  void WaitForEnd();
  // The coordinator goes: what is read ends with it.
  void GiveUp() { *given_up_ = true; }

 private:
  rpc::ClientOptions options_;
  const output::Terminal terminal_;
  const LogLines::Print print_;
  const std::shared_ptr<std::atomic<bool>> given_up_ = std::make_shared<std::atomic<bool>>(false);
  std::thread thread_;
};

}  // namespace coxswain::cli::verbs

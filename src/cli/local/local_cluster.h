// A coordinator and a worker on loopback, as children of `cox run`. They and their ranks end when
// this process does, however it ends: they hold the reading end of a pipe that only we keep open.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/local/child.h"
#include "cli/local/endpoint.h"

namespace coxswain::cli::local {

struct LocalOptions {
  std::string data_dir;    // absolute; made with mode 0700
  std::string bin_dir;     // where cox-coordinator and cox-worker are
  uint32_t cpu_slots = 1;  // of the worker
};

// Thread-safe after Start.
class LocalCluster {
 public:
  // Returns when the coordinator serves; the worker is still connecting. AlreadyExists: another
  // process uses the data directory (which one is in the text). Others: a daemon did not start; its
  // last log line and its log file are in the text.
  static absl::StatusOr<std::unique_ptr<LocalCluster>> Start(const LocalOptions& options);
  ~LocalCluster();  // EndNow

  const Endpoint& endpoint() const { return endpoint_; }
  const std::string& token() const { return token_; }

  // A line about a daemon that has ended although nobody stopped it; nothing otherwise.
  std::optional<std::string> Trouble();
  // Closes the lifeline, at which the daemons and all ranks end, and waits for the daemons; SIGKILL
  // for what is left after `patience`. (SIGTERM would leave ranks running: that is how a worker is
  // upgraded.)
  void Stop(std::chrono::milliseconds patience = std::chrono::seconds(15));
  // Closes the lifeline and does not wait.
  void EndNow();

 private:
  LocalCluster() = default;
  absl::Status Lock(const std::string& data_dir);
  absl::Status StartCoordinator(const LocalOptions& options);
  absl::Status StartWorker(const LocalOptions& options);

  std::mutex mutex_;
  int lock_fd_ = -1;                           // set once by Lock
  int lifeline_read_ = -1;                     // for the children
  int lifeline_write_ = -1;                    // guarded by mutex_ after Start
  bool stopping_ = false;                      // guarded by mutex_
  std::optional<Child> coordinator_, worker_;  // guarded by mutex_ after Start
  Endpoint endpoint_;
  std::string token_;
};

}  // namespace coxswain::cli::local

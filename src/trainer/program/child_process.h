// A program of the user's own: one process with its own process group. It dies with this process.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/time.h"

namespace coxswain::trainer::program {

struct ChildEnd {
  int code = 0;
  int signal = 0;  // not 0: it ended by this one
};

struct ChildStart {
  std::vector<std::string> command;      // not empty; the program is looked for in PATH
  std::vector<std::string> environment;  // NAME=VALUE, all of it
  std::string folder;                    // to work in
};

// Owner: one thread at a time, which has to live as long as the program is to.
class ChildProcess {
 public:
  // INVALID_ARGUMENT: the program or the folder cannot be used; the text names it and says why.
  static absl::StatusOr<ChildProcess> Start(const ChildStart& start);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();  // kills what is left of its group

  pid_t pid() const { return pid_; }
  // How the program itself ended; waits for that at most so long.
  std::optional<ChildEnd> Wait(base::Duration limit);
  // Some process of its group is left: the program, or what it has started.
  bool GroupLives() const;
  void Signal(int signal) const;       // to the program itself
  void SignalGroup(int signal) const;  // and to all that it has started

 private:
  ChildProcess(pid_t pid, int pid_fd) : pid_(pid), pid_fd_(pid_fd) {}

  pid_t pid_ = -1;  // and its group's number; -1: moved away
  int pid_fd_ = -1;
  std::optional<ChildEnd> end_;
};

}  // namespace coxswain::trainer::program

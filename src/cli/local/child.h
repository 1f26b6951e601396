// One daemon as a child process in a process group of its own (a terminal's Ctrl-C does not reach
// it).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace coxswain::cli::local {

struct ChildSpec {
  std::vector<std::string> command;  // command[0] is a path
  std::string log_file;        // takes stdout and stderr; the one of before is kept as FILE.old
  std::vector<int> inherited;  // descriptors that stay open in the child, by their numbers
};

// Owned by one thread at a time.
class Child {
 public:
  // NotFound: no such program; others: the log file or the process could not be made.
  static absl::StatusOr<Child> Start(const ChildSpec& spec);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child() = default;  // leaves the process alone

  pid_t pid() const { return pid_; }
  // How it ended: "exit code 1", "signal 9 (Killed)"; nothing while it runs. Reaps it.
  std::optional<std::string> Ended();
  void Signal(int signal);
  // The last non-empty line it wrote.
  std::string LastLine() const;
  const std::string& log_file() const { return log_file_; }

 private:
  Child(pid_t pid, std::string log_file) : pid_(pid), log_file_(std::move(log_file)) {}
  pid_t pid_;
  std::string log_file_;
  std::optional<std::string> ended_;
};

}  // namespace coxswain::cli::local

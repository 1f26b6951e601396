#include "cli/local/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace coxswain::cli::local {
namespace {

absl::Status Failed(const std::string& what, int error) {
  return absl::InternalError(what + ": " + std::strerror(error));
}

// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void Become(char* const* argv, int log_fd, const std::vector<int>& inherited,
                         int report_fd) {
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null_fd = open("/dev/null", O_RDONLY);
  dup2(null_fd, 0);
  dup2(log_fd, 1);
  dup2(log_fd, 2);
  for (int fd : inherited) fcntl(fd, F_SETFD, 0);
  execv(argv[0], argv);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(report_fd, &error, sizeof error);
  _exit(127);
}

}  // namespace

Child::Child(Child&& other) noexcept
    : pid_(other.pid_), log_file_(std::move(other.log_file_)), ended_(std::move(other.ended_)) {
  other.pid_ = -1;
}

absl::StatusOr<Child> Child::Start(const ChildSpec& spec) {
  std::rename(spec.log_file.c_str(), (spec.log_file + ".old").c_str());
  const int log_fd = open(spec.log_file.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (log_fd < 0) return Failed("cannot write " + spec.log_file, errno);
  std::vector<char*> argv;
  for (const std::string& word : spec.command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  int report[2];  // closed by exec, or tells why there was none
  if (pipe2(report, O_CLOEXEC) != 0) return Failed("pipe", errno);
  const pid_t pid = fork();
  if (pid == 0) Become(argv.data(), log_fd, spec.inherited, report[1]);
  const int fork_error = errno;
  close(log_fd);
  close(report[1]);
  int error = pid < 0 ? fork_error : 0;
  if (pid > 0 && read(report[0], &error, sizeof error) == static_cast<ssize_t>(sizeof error)) {
    waitpid(pid, nullptr, 0);
  }
  close(report[0]);
  if (error == ENOENT) {
    return absl::NotFoundError(spec.command[0] + " is not there: build or install it beside cox");
  }
  if (error != 0) return Failed("cannot start " + spec.command[0], error);
  return Child(pid, spec.log_file);
}

std::optional<std::string> Child::Ended() {
  int status = 0;
  if (ended_ || pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_) return ended_;
  if (WIFSIGNALED(status)) {
    ended_ =
        "signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
  } else {
    ended_ = "exit code " + std::to_string(WEXITSTATUS(status));
  }
  return ended_;
}

void Child::Signal(int signal) {
  if (!Ended() && pid_ > 0) kill(pid_, signal);
}

std::string Child::LastLine() const {
  std::ifstream in(log_file_);
  std::string last;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace coxswain::cli::local

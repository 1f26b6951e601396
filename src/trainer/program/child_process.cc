#include "trainer/program/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace coxswain::trainer::program {
namespace {

// What the new process tells if it does not come as far as to be the program.
struct StartFailure {
  int error = 0;
  bool folder = false;  // it could not be entered
};

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// Between fork and exec: nothing that allocates.
[[noreturn]] void BecomeProgram(char* const* argv, char* const* environment, const char* folder,
                                pid_t parent, int report) {
  StartFailure failure;
  auto give_up = [&] {
    failure.error = errno;
    [[maybe_unused]] ssize_t written = write(report, &failure, sizeof failure);
    _exit(127);
  };
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  setpgid(0, 0);
  for (int signal : {SIGHUP, SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGCHLD}) {
    ::signal(signal, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (chdir(folder) != 0) {
    failure.folder = true;
    give_up();
  }
  execvpe(argv[0], argv, environment);
  give_up();
  _exit(127);
}

absl::Status FailedStart(const ChildStart& start, const StartFailure& failure) {
  if (failure.folder) {
    return absl::InvalidArgumentError(
        absl::StrCat("spec.working_dir: cannot enter ", start.folder, ": ", strerror(failure.error),
                     "; it has to be on every machine that may run it"));
  }
  const bool missing = failure.error == ENOENT;
  return absl::InvalidArgumentError(absl::StrCat(
      "spec.command: cannot start '", start.command[0], "' in ", start.folder, ": ",
      missing ? "there is no such program there or in the worker's PATH" : strerror(failure.error),
      failure.error == EACCES ? " (is it executable?)" : ""));
}

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(const ChildStart& start) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) {
    return absl::UnavailableError(absl::StrCat("pipe: ", strerror(errno)));
  }
  const std::vector<char*> argv = Pointers(start.command);
  const std::vector<char*> environment = Pointers(start.environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    BecomeProgram(argv.data(), environment.data(), start.folder.c_str(), parent, report[1]);
  }
  const int fork_error = errno;
  close(report[1]);
  if (pid < 0) {
    close(report[0]);
    return absl::UnavailableError(absl::StrCat("fork: ", strerror(fork_error)));
  }
  setpgid(pid, pid);  // whoever comes first
  StartFailure failure;
  ssize_t got;
  do {
    got = read(report[0], &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  close(report[0]);
  if (got == sizeof failure) {
    waitpid(pid, nullptr, 0);
    return FailedStart(start, failure);
  }
  return ChildProcess(pid, static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pid_fd_(std::exchange(other.pid_fd_, -1)),
      end_(other.end_) {}

ChildProcess::~ChildProcess() {
  if (pid_ < 0) return;
  SignalGroup(SIGKILL);
  if (!end_) waitpid(pid_, nullptr, 0);
  if (pid_fd_ >= 0) close(pid_fd_);
}

std::optional<ChildEnd> ChildProcess::Wait(base::Duration limit) {
  if (end_) return end_;
  pollfd ready{pid_fd_, POLLIN, 0};
  poll(&ready, pid_fd_ >= 0 ? 1 : 0, static_cast<int>(std::max<int64_t>(0, limit.count() / 1000)));
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  end_ = ChildEnd{WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                  WIFSIGNALED(status) ? WTERMSIG(status) : 0};
  return end_;
}

bool ChildProcess::GroupLives() const { return kill(-pid_, 0) == 0 || errno == EPERM; }

void ChildProcess::Signal(int signal) const {
  if (!end_) kill(pid_, signal);
}

void ChildProcess::SignalGroup(int signal) const { kill(-pid_, signal); }

}  // namespace coxswain::trainer::program

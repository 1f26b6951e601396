#include "shim/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace coxswain::shim {
namespace {

constexpr int kPipeBytes = 1 << 20;  // room for bursts; the system may grant less

// Raised a little, so that a machine short of memory takes the rank rather than its shim or worker.
void PreferForOomKill() {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] ssize_t n = write(fd, "200", 3);
  close(fd);
}

[[noreturn]] void RunProgram(const std::vector<char*>& argv, pid_t parent, int out, int err,
                             int exec_fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  setsid();
  PreferForOomKill();
  for (int signal : {SIGHUP, SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGCHLD}) {
    ::signal(signal, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  int null = open("/dev/null", O_RDONLY);
  dup2(null, 0);
  dup2(out, 1);
  dup2(err, 2);
  int report = fcntl(exec_fd, F_DUPFD_CLOEXEC, 3);
  if (report != 3) {
    dup3(report, 3, O_CLOEXEC);
    report = 3;
  }
  close_range(4, ~0u, 0);
  execv(argv[0], argv.data());
  int problem = errno;
  [[maybe_unused]] ssize_t n = write(report, &problem, sizeof problem);
  _exit(127);
}

}  // namespace

Child StartChild(const std::vector<std::string>& program) {
  Child child;
  int out[2], err[2], exec[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 || pipe2(exec, O_CLOEXEC) != 0) {
    child.problem = std::string("pipe: ") + strerror(errno);
    return child;
  }
  std::vector<char*> argv;
  for (const std::string& word : program) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t self = getpid();
  child.pid = fork();
  if (child.pid == 0) RunProgram(argv, self, out[1], err[1], exec[1]);
  if (child.pid < 0) child.problem = std::string("fork: ") + strerror(errno);
  close(out[1]);
  close(err[1]);
  close(exec[1]);
  child.stdout_fd = out[0];
  child.stderr_fd = err[0];
  child.exec_fd = exec[0];
  for (int fd : {out[0], err[0]}) {
    fcntl(fd, F_SETFL, O_NONBLOCK);
    fcntl(fd, F_SETPIPE_SZ, kPipeBytes);
  }
  return child;
}

}  // namespace coxswain::shim

#include "shim/shim_loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/clock.h"
#include "shim/exit_record.h"
#include "shim/process_tree.h"

namespace coxswain::shim {
namespace {

using base::milliseconds;
using base::MonotonicNow;
using base::seconds;

constexpr base::Duration kTreePatience = seconds(5);
constexpr base::Duration kTreeRetry = milliseconds(20);
constexpr base::Duration kRecordRetry = seconds(1);

int64_t Microseconds(const timeval& t) { return t.tv_sec * 1'000'000 + t.tv_usec; }

}  // namespace

ShimLoop::ShimLoop(ShimOptions options)
    : options_(std::move(options)), lifeline_(options_.lifeline_fd) {}

int ShimLoop::Run() {
  if (!Prepare()) return 1;
  Start();
  while (!released_ && !recorded_) Step();
  control_.Close();
  return 0;
}

bool ShimLoop::Prepare() {
  if (chdir(options_.folder.c_str()) != 0) {
    fprintf(stderr, "cox-shim: %s: %s\n", options_.folder.c_str(), strerror(errno));
    return false;
  }
  setsid();  // fails if the worker has done it already
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (int signal : {SIGHUP, SIGPIPE, SIGXFSZ}) ::signal(signal, SIG_IGN);
  sigset_t taken;
  sigemptyset(&taken);
  for (int signal : {SIGCHLD, SIGTERM, SIGINT}) sigaddset(&taken, signal);
  sigprocmask(SIG_SETMASK, &taken, nullptr);
  signals_ = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
  return true;
}

// The program is started first: whatever else there is to do is done while it loads.
void ShimLoop::Start() {
  exit_.started = base::WallNow();
  oom_kills_before_ = OomKills();
  child_ = StartChild(options_.program);
  out_.emplace("stdout", options_.log_file_bytes, options_.log_files);
  err_.emplace("stderr", options_.log_file_bytes, options_.log_files);
  if (options_.control_fd >= 0) control_.AddSubscribed(options_.control_fd);
  ReserveExitRecord();
  if (child_.pid < 0) {
    exit_.code = 127;
    exit_.note = CouldNotStart(child_.problem);
    reaped_ = true;
  } else {
    start_ticks_ = StartTicks(child_.pid);
    base::ProcessIdentity identity{child_.pid, start_ticks_, BootId()};
    std::string problem = WriteSmallFile(base::kRankProcessFile, base::EncodeIdentity(identity));
    if (!problem.empty()) fprintf(stderr, "cox-shim: process file: %s\n", problem.c_str());
  }
  std::string problem = control_.Listen();
  if (!problem.empty()) fprintf(stderr, "cox-shim: %s\n", problem.c_str());
}

void ShimLoop::Step() {
  std::vector<pollfd> polls = Polls();
  if (poll(polls.data(), polls.size(), PollTimeoutMs()) < 0 && errno != EINTR) abort();
  for (const pollfd& ready : polls) {
    if (ready.revents == 0 || ready.fd < 0) continue;
    if (ready.fd == signals_) TakeSignals();
    if (ready.fd == child_.exec_fd) TakeExec();
    if (ready.fd == child_.stdout_fd) Pump(child_.stdout_fd, *out_, false);
    if (ready.fd == child_.stderr_fd) Pump(child_.stderr_fd, *err_, false);
    if (ready.fd == lifeline_) {
      lifeline_ = -1;
      Stop(options_.grace);
    }
  }
  TakeCommands(polls);
  CheckTimers();
}

std::vector<pollfd> ShimLoop::Polls() const {
  std::vector<pollfd> polls = {{signals_, POLLIN, 0},
                               {child_.stdout_fd, POLLIN, 0},
                               {child_.stderr_fd, POLLIN, 0},
                               {child_.exec_fd, POLLIN, 0},
                               {lifeline_, 0, 0}};  // POLLHUP alone: nobody writes to it
  control_.AppendPolls(polls);
  return polls;
}

int ShimLoop::PollTimeoutMs() const {
  std::optional<base::Time> due = kill_at_;
  if (reaped_) due = next_try_;
  if (!due) return -1;
  int64_t us = (*due - MonotonicNow()).count();
  return us <= 0 ? 0 : static_cast<int>(us / 1000 + 1);
}

void ShimLoop::TakeSignals() {
  signalfd_siginfo info;
  while (read(signals_, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) Stop(options_.grace);
  }
  Reap();
}

void ShimLoop::TakeExec() {
  int problem = 0;
  ssize_t n = read(child_.exec_fd, &problem, sizeof problem);
  close(child_.exec_fd);
  child_.exec_fd = -1;
  if (n == sizeof problem) {
    exit_.note = CouldNotStart(options_.program[0] + ": " + strerror(problem));
  } else {
    running_ = true;
    if (!reaped_) control_.SendToSubscribers(State());
  }
}

void ShimLoop::TakeCommands(const std::vector<pollfd>& polls) {
  for (const ControlSocket::Line& line : control_.Take(polls)) Obey(line);
}

void ShimLoop::Obey(const ControlSocket::Line& line) {
  size_t space = line.text.find(' ');
  std::string word = line.text.substr(0, space);
  std::string argument = space == std::string::npos ? "" : line.text.substr(space + 1);
  long long number = strtoll(argument.c_str(), nullptr, 10);
  if (word == "status" || word == "subscribe") {
    if (word == "subscribe") control_.Subscribe(line.client);
    if (running_ || reaped_) control_.Send(line.client, State());
  } else if (word == "signal" && number > 0) {
    bool sent = !reaped_ && kill(child_.pid, static_cast<int>(number)) == 0;
    control_.Send(line.client, sent ? "ok" : "error the process has ended");
  } else if (word == "stop" && !argument.empty()) {
    Stop(milliseconds(std::max(0LL, number)));
    control_.Send(line.client, "ok");
  } else if (word == "release" && reaped_) {
    released_ = true;
  } else {
    control_.Send(line.client, "error '" + line.text + "': expected status, subscribe, signal N, " +
                                   "stop GRACE_MS or (after the exit) release");
  }
}

void ShimLoop::Stop(base::Duration grace) {
  if (reaped_) return;
  base::Time due = MonotonicNow() + grace;
  if (!stopping_) {
    if (kill(-child_.pid, SIGTERM) != 0) kill(child_.pid, SIGTERM);  // no group yet: just forked
    kill(-child_.pid, SIGCONT);  // a stopped process could not act on it
  }
  stopping_ = true;
  if (!kill_at_ || due < *kill_at_) kill_at_ = due;
  CheckTimers();
}

void ShimLoop::CheckTimers() {
  base::Time now = MonotonicNow();
  if (reaped_) {
    if (now >= next_try_) EndTree();
  } else if (kill_at_ && now >= *kill_at_) {
    SignalDescendants(SIGKILL);
    kill_at_ = now + kTreeRetry;  // for what it forked meanwhile
  }
}

void ShimLoop::Reap() {
  int status = 0;
  rusage usage{};
  pid_t pid;
  while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
    if (pid != child_.pid) continue;
    if (child_.exec_fd >= 0) TakeExec();  // it may have ended before its exec was looked at
    reaped_ = true;
    exit_.ended = base::WallNow();
    exit_.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    exit_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    exit_.stopped = stopping_;
    exit_.oom_killed = exit_.signal == SIGKILL && !stopping_ && OomKills() > oom_kills_before_;
    exit_.user_us = Microseconds(usage.ru_utime);
    exit_.system_us = Microseconds(usage.ru_stime);
    exit_.peak_rss_bytes = usage.ru_maxrss * 1024;
    tree_deadline_ = MonotonicNow() + kTreePatience;
  }
  if (reaped_) EndTree();
}

// Takes what has been written so far; `to_the_end` also after a burst.
void ShimLoop::Pump(int& fd, LogPump& log, bool to_the_end) {
  char buffer[65536];
  do {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n > 0) {
      log.Write(std::string_view(buffer, static_cast<size_t>(n)));
      continue;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    close(fd);
    fd = -1;
  } while (to_the_end && fd >= 0);
}

// The first process is gone: what it left behind goes too, and then the record can be written.
void ShimLoop::EndTree() {
  if (recorded_) return;
  SignalDescendants(SIGKILL);
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  std::vector<pid_t> left = Descendants();
  if (!left.empty() && MonotonicNow() < tree_deadline_) {
    next_try_ = MonotonicNow() + kTreeRetry;
    return;
  }
  if (!left.empty() && exit_.note.empty()) {
    exit_.note = "process " + std::to_string(left[0]) + " of the rank could not be killed";
  }
  if (child_.stdout_fd >= 0) Pump(child_.stdout_fd, *out_, true);
  if (child_.stderr_fd >= 0) Pump(child_.stderr_fd, *err_, true);
  out_->Close();
  err_->Close();
  WriteRecord();
}

void ShimLoop::WriteRecord() {
  if (exit_.ended.us == 0) exit_.ended = base::WallNow();
  exit_.last_log = LastLines(err_->Tail(), out_->Tail());
  std::string problem = WriteExitRecord(exit_);
  control_.SendToSubscribers(State());
  // Nobody can read a record in a folder that has been removed: waiting for it would be for ever.
  recorded_ = problem.empty() || FolderIsGone();
  if (!recorded_) {
    fprintf(stderr, "cox-shim: exit record: %s; trying again\n", problem.c_str());
    next_try_ = MonotonicNow() + kRecordRetry;
  }
}

std::string ShimLoop::State() const {
  if (reaped_) return "exited " + base::EscapeLine(base::EncodeExit(exit_));
  return "running " + std::to_string(child_.pid) + " " + std::to_string(start_ticks_);
}

std::string ShimLoop::CouldNotStart(const std::string& why) const {
  return "the program could not be started: " + why;
}

}  // namespace coxswain::shim

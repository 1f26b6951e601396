#include "trainer/runtime/shell.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/log/log.h"

namespace coxswain::trainer {
namespace {

constexpr base::Duration kMetricsEvery = base::milliseconds(200);
// How long the last reports and points may take to reach the worker.
constexpr base::Duration kFlushLimit = base::seconds(3);

}  // namespace

Shell::~Shell() {
  if (wake_fd_ >= 0) close(wake_fd_);
  if (signal_fd_ >= 0) close(signal_fd_);
  CHECK(!thread_.joinable()) << "a shell lives as long as its process";
}

void Shell::Start(ShellDoors doors, const std::string& address) {
  doors_ = std::move(doors);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK(signal_fd_ >= 0 && wake_fd_ >= 0) << "signalfd or eventfd failed";
  Handle(core::Started{address});
  LinkEvents events;
  events.order = [this](const protocol::TrainerOrder& order) {
    Handle(core::OrderReceived{order});
  };
  events.connected = [this] {
    {
      std::lock_guard lock(mutex_);
      connected_ = true;
    }
    changed_.notify_all();
    Handle(core::LinkConnected{});
  };
  events.refused = [this](const std::string& reason) {
    Handle(core::EngineFailed{"the worker does not want this process: " + reason,
                              protocol::kExitStopped, protocol::FailureKind::kKilled});
  };
  doors_.link->Start(std::move(events));
  thread_ = std::thread([this] { Run(); });
}

void Shell::Handle(const core::Event& event) {
  std::lock_guard lock(mutex_);
  if (exit_) return;
  CarryOut(core_.Decide(base::MonotonicNow(), event));
  generation_ = core_.generation().value;
}

void Shell::CarryOut(const core::Decisions& decisions) {
  for (const protocol::TrainerReport& report : decisions.reports) {
    if (std::holds_alternative<protocol::TrainingFailed>(report)) last_words_ = report;
    // A later attempt goes on from this checkpoint: the points up to it must not die with this
    // rank.
    if (std::holds_alternative<protocol::ManifestWritten>(report)) SendMetrics();
    doors_.link->SendReport(report);
  }
  for (const core::Action& action : decisions.actions) Do(action);
  if (decisions.engine.empty()) return;
  command_ = decisions.engine.front();
  changed_.notify_all();
}

void Shell::Do(const core::Action& action) {
  if (const auto* note = std::get_if<core::Note>(&action)) {
    log::Info(note->text);
  } else if (std::holds_alternative<core::AbortGroup>(action)) {
    doors_.abort_group();
  } else if (const auto* exit = std::get_if<core::Exit>(&action)) {
    exit_ = *exit;
    Wake();
  } else {
    doors_.store_work(action);
  }
}

core::EngineCommand Shell::NextCommand() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return command_.has_value() && !exit_; });
  return *std::exchange(command_, std::nullopt);
}

void Shell::Wake() {
  uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(wake_fd_, &one, sizeof one);
}

void Shell::Run() {
  pthread_setname_np(pthread_self(), "shell");
  base::Time metrics_at = base::MonotonicNow() + kMetricsEvery;
  while (true) {
    base::Time wake = metrics_at;
    {
      std::lock_guard lock(mutex_);
      if (exit_) break;
      if (auto deadline = core_.NextDeadline()) wake = std::min(wake, *deadline);
    }
    base::Duration wait = wake - base::MonotonicNow();
    auto ms = std::max<int64_t>(1, wait.count() / 1000 + 1);
    pollfd fds[2] = {{signal_fd_, POLLIN, 0}, {wake_fd_, POLLIN, 0}};
    poll(fds, 2, static_cast<int>(ms));
    signalfd_siginfo info;
    while (read(signal_fd_, &info, sizeof info) == sizeof info) {
      log::Info(std::string("signal ") + strsignal(static_cast<int>(info.ssi_signo)));
      Handle(core::TerminateSignalled{});
    }
    uint64_t count;
    [[maybe_unused]] ssize_t got = read(wake_fd_, &count, sizeof count);
    Tick();
    if (base::MonotonicNow() >= metrics_at) {
      SendMetrics();
      metrics_at = base::MonotonicNow() + kMetricsEvery;
    }
  }
  End();
}

void Shell::Tick() {
  std::string waiting = doors_.waiting_for();
  if (waiting != waited_for_) {
    if (!waiting.empty()) log::Warn("waiting: " + waiting);
    waited_for_ = waiting;
    Handle(core::StorageWaits{waiting});
  }
  Handle(core::TimerFired{doors_.phase()});
}

void Shell::SendMetrics() {
  std::vector<protocol::MetricPoint> points = doors_.take_metrics();
  if (!points.empty()) doors_.link->SendMetrics(std::move(points));
}

// The engine's thread may be stuck anywhere, so the process ends from here.
void Shell::End() {
  core::Exit exit;
  {
    std::unique_lock lock(mutex_);
    exit = *exit_;
    if (!connected_ && last_words_) {
      changed_.wait_for(lock, kFlushLimit, [this] { return connected_; });
      if (connected_) doors_.link->SendReport(*last_words_);
    }
  }
  SendMetrics();
  bool bad =
      (exit.code != protocol::kExitOk && exit.code != protocol::kExitStopped) || exit.signal != 0;
  log::Write(bad ? log::Level::kError : log::Level::kInfo, exit.reason);
  if (!doors_.link->Flush(kFlushLimit)) log::Warn("the worker did not take the last reports");
  doors_.leave(exit);
  std::abort();
}

}  // namespace coxswain::trainer

// The one place where a trainer's events meet its core.
//
// Threads: Handle from any thread; decisions are carried out under one lock, and none of them
// blocks. The engine's thread takes commands with NextCommand. A thread of the shell's own serves
// timers and signals and ends the process.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "trainer/core/trainer_core.h"
#include "trainer/runtime/trainer_link.h"

namespace coxswain::trainer {

// What the shell has done by others.
struct ShellDoors {
  TrainerLink* link = nullptr;
  std::function<void()> abort_group;                    // must be quick
  std::function<void(const core::Action&)> store_work;  // StartUpload, StoreManifest, ... DropSave
  std::function<protocol::Phase()> phase;               // where the engine is
  std::function<std::string()> waiting_for;             // what storage waits for
  std::function<std::vector<protocol::MetricPoint>()> take_metrics;
  std::function<void(const core::Exit& exit)> leave;  // ends the process
};

class Shell {
 public:
  explicit Shell(core::Settings settings) : core_(std::move(settings)) {}
  ~Shell();

  // Starts the link and the shell's thread. SIGTERM and SIGINT must be blocked in all threads.
  void Start(ShellDoors doors, const std::string& address);

  void Handle(const core::Event& event);

  // Waits for the engine's next command. Does not return once the process is to end.
  core::EngineCommand NextCommand();

  base::Generation generation() const { return base::Generation(generation_.load()); }

 private:
  void Run();
  void CarryOut(const core::Decisions& decisions);
  void Do(const core::Action& action);
  void Tick();
  void SendMetrics();
  [[noreturn]] void End();
  void Wake();

  ShellDoors doors_;
  std::mutex mutex_;
  std::condition_variable changed_;
  core::TrainerCore core_;
  std::optional<core::EngineCommand> command_;
  std::optional<core::Exit> exit_;
  std::optional<protocol::TrainerReport>
      last_words_;  // TrainingFailed: sent again if the link was down
  std::string waited_for_;
  bool connected_ = false;
  std::atomic<uint64_t> generation_{0};
  int wake_fd_ = -1, signal_fd_ = -1;
  std::thread thread_;
};

}  // namespace coxswain::trainer

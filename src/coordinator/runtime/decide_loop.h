// The one thread on which the core lives. Takes events in the order of their arrival, stamps them,
// lets the core decide, and hands what it decided to the commit loop.
#pragma once

#include <absl/status/status.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "coordinator/core/coordinator.h"
#include "coordinator/record/recorder.h"
#include "coordinator/runtime/outbox.h"

namespace coxswain::coordinator::runtime {

class DecideLoop {
 public:
  struct Counters {
    std::atomic<uint64_t> events = 0, queued = 0;
    std::atomic<int64_t> decide_us = 0, last_delay_us = 0;
  };

  // `leave` takes each outbox, on the loop's thread; it must not block. `recorder` (null: none)
  // outlives the loop.
  DecideLoop(core::Settings settings, std::function<void(Outbox)> leave,
             record::Recorder* recorder = nullptr);
  ~DecideLoop();

  // Unavailable (or what Suspend was told): not taken. A sign of life or of progress is decided on
  // within kWait, with others of its kind: a fleet that is well does not keep the thread awake.
  absl::Status Post(core::EventBody event);

  // Drops the tables and every event not yet decided; Post answers `why` from now on. Outboxes of
  // the life that ends here are void: see Life(). Any thread.
  void Suspend(absl::Status why);
  // Begins a new life on these committed rows.
  void Resume(core::Snapshot snapshot);
  // No decision is made after it returns.
  void Stop();

  // Number of the current life; 0: suspended since the start.
  uint64_t Life() const { return life_; }
  const Counters& counters() const { return counters_; }

 private:
  void Run();
  bool WaitForWork(std::unique_lock<std::mutex>& lock);
  void Decide(Outbox& out, core::EventBody body, bool more = false);
  void DecideOnTime(Outbox& out);
  void TakeQueues(Outbox& out);
  void BeginLife(std::optional<core::Snapshot> snapshot);

  const core::Settings settings_;
  const std::function<void(Outbox)> leave_;
  record::Recorder* const recorder_;
  Counters counters_;
  std::random_device entropy_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<core::EventBody> queue_;       // guarded by mutex_
  std::optional<core::Snapshot> snapshot_;  // guarded by mutex_: to begin with
  bool urgent_ = false;                     // guarded by mutex_: some of them cannot wait
  absl::Status suspended_;                  // guarded by mutex_
  bool stopped_ = false;                    // guarded by mutex_
  std::atomic<uint64_t> life_ = 0;          // written under mutex_

  std::unique_ptr<core::Coordinator> core_;  // the thread's own
  uint64_t seq_ = 0;
  // When queues are told at the earliest, and at the latest; the thread's own.
  base::Time next_queues_, queues_stale_;
  uint64_t core_life_ = 0;  // the thread's own
  std::thread thread_;
};

}  // namespace coxswain::coordinator::runtime

// The one thread that writes the state: every outbox that waits, in one transaction with one fsync
// (group commit), and only then lets out what was decided. It owns the StateStore.
#pragma once

#include <absl/status/status.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "coordinator/runtime/outbox.h"
#include "coordinator/runtime/work_queue.h"
#include "coordinator/store/state_store.h"

namespace coxswain::coordinator::runtime {

class CommitLoop {
 public:
  // All called on the loop's thread.
  struct Hooks {
    // What is void: nothing of this life may be committed any more.
    std::function<bool(const Outbox&)> is_void;
    // Committed: let it out.
    std::function<void(Outbox)> release;
    // The store refused a commit: nothing of it is there. Called again when another attempt fails.
    std::function<void(const absl::Status&)> failed;
    // The store takes writes again: these are the committed rows.
    std::function<void(core::Snapshot)> recovered;
    // An fsync failed: the process must be replaced. Must not return, but in tests.
    std::function<void(const absl::Status&)> fatal;
  };
  struct Counters {
    std::atomic<uint64_t> commits = 0, changes = 0;
    std::atomic<int64_t> last_us = 0, total_us = 0;
  };

  CommitLoop(std::unique_ptr<store::StateStore> store, base::Duration first_pause, Hooks hooks);
  ~CommitLoop();

  void Push(Outbox outbox) { queue_.Push(std::move(outbox)); }
  // Commits and releases what was pushed before, then ends the thread.
  void Stop();
  const Counters& counters() const { return counters_; }

 private:
  void Run();
  absl::Status CommitAll(const std::vector<core::Change>& changes);
  // Tries until the store takes writes again, or the loop is stopped. A store that fails again soon
  // after it recovered is left alone for longer each time, so that nobody hears of it in turns.
  void Recover(absl::Status why);
  absl::StatusOr<core::Snapshot> ReloadAndProbe();

  std::unique_ptr<store::StateStore> store_;
  const base::Duration first_pause_;
  const Hooks hooks_;
  Counters counters_;
  base::Duration pause_;       // before the next try; the thread's own
  base::Time recovered_at_{};  // the thread's own
  WorkQueue<Outbox> queue_;
  std::thread thread_;
};

}  // namespace coxswain::coordinator::runtime

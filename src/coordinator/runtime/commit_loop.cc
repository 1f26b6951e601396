#include "coordinator/runtime/commit_loop.h"

#include <iterator>

#include "common/base/clock.h"

namespace coxswain::coordinator::runtime {

constexpr int kLongestPauses = 32;  // times the first pause
constexpr int kCalmPauses = 240;    // after which a failure is a new one

CommitLoop::CommitLoop(std::unique_ptr<store::StateStore> store, base::Duration first_pause,
                       Hooks hooks)
    : store_(std::move(store)),
      first_pause_(first_pause),
      hooks_(std::move(hooks)),
      pause_(first_pause),
      thread_([this] { Run(); }) {}

CommitLoop::~CommitLoop() { Stop(); }

void CommitLoop::Stop() {
  queue_.Close();
  if (thread_.joinable()) thread_.join();
}

void CommitLoop::Run() {
  for (std::vector<Outbox> outboxes = queue_.TakeAll(); !outboxes.empty();
       outboxes = queue_.TakeAll()) {
    std::erase_if(outboxes, hooks_.is_void);
    if (outboxes.empty()) continue;
    Outbox all = std::move(outboxes.front());
    for (size_t i = 1; i < outboxes.size(); ++i) all.Add(std::move(outboxes[i]));
    absl::Status status = CommitAll(all.persist);
    if (!status.ok()) {
      Recover(status);
      continue;
    }
    hooks_.release(std::move(all));
  }
}

absl::Status CommitLoop::CommitAll(const std::vector<core::Change>& changes) {
  if (changes.empty()) return absl::OkStatus();
  base::Time begin = base::MonotonicNow();
  absl::Status status = store_->Commit(changes);
  if (!status.ok()) return status;
  counters_.last_us = (base::MonotonicNow() - begin).count();
  counters_.total_us += counters_.last_us;
  counters_.changes += changes.size();
  ++counters_.commits;
  return status;
}

void CommitLoop::Recover(absl::Status why) {
  bool again = base::MonotonicNow() < recovered_at_ + first_pause_ * kCalmPauses;
  if (!again) pause_ = first_pause_;
  for (bool first = !again;; first = false) {
    if (absl::IsDataLoss(why)) {
      hooks_.fatal(why);
      return;
    }
    hooks_.failed(why);
    if (!first) {
      if (queue_.WaitClosed(pause_)) return;
      pause_ = std::min(pause_ * 2, first_pause_ * kLongestPauses);
    }
    absl::StatusOr<core::Snapshot> snapshot = ReloadAndProbe();
    if (snapshot.ok()) {
      recovered_at_ = base::MonotonicNow();
      hooks_.recovered(*std::move(snapshot));
      return;
    }
    why = snapshot.status();
  }
}

absl::StatusOr<core::Snapshot> CommitLoop::ReloadAndProbe() {
  absl::StatusOr<core::Snapshot> snapshot = store_->Load(core::ClusterId());
  if (!snapshot.ok()) return snapshot;
  // The tables begin a new life, which has a term of its own; and it shows whether the store takes
  // a write.
  snapshot->cluster.term = snapshot->cluster.term.Next();
  core::Change probe = snapshot->cluster;
  absl::Status status = store_->Commit({&probe, 1});
  if (!status.ok()) return status;
  return snapshot;
}

}  // namespace coxswain::coordinator::runtime

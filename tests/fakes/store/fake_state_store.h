// A real store behind a gate: commits can be held back, refused, or made to lose an fsync.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include "coordinator/store/state_store.h"

namespace coxswain::fakes {

// The test's side of it; outlives the store. Thread-safe.
class StoreGate {
 public:
  // Commits wait until Open.
  void Close() { Set(true, error_); }
  void Open() { Set(false, error_); }
  // Commits (let through) end with this; OkStatus: they go to the real store.
  void Fail(absl::Status error) { Set(closed_, std::move(error)); }
  // Waits until a commit is held back.
  void WaitHeld() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return held_; });
  }
  absl::Status Pass() {
    std::unique_lock lock(mutex_);
    held_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !closed_; });
    held_ = false;
    return error_;
  }

 private:
  void Set(bool closed, absl::Status error) {
    std::lock_guard lock(mutex_);
    closed_ = closed;
    error_ = std::move(error);
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false, held_ = false;
  absl::Status error_;
};

class FakeStateStore : public coordinator::store::StateStore {
 public:
  FakeStateStore(std::unique_ptr<coordinator::store::StateStore> real, StoreGate* gate)
      : real_(std::move(real)), gate_(gate) {}
  absl::StatusOr<coordinator::core::Snapshot> Load(
      const coordinator::core::ClusterId& id_if_new) override {
    return real_->Load(id_if_new);
  }
  absl::Status Commit(std::span<const coordinator::core::Change> changes) override {
    absl::Status status = gate_->Pass();
    return status.ok() ? real_->Commit(changes) : status;
  }
  absl::StatusOr<std::unique_ptr<coordinator::store::StateReader>> NewReader() override {
    return real_->NewReader();
  }

 private:
  std::unique_ptr<coordinator::store::StateStore> real_;
  StoreGate* gate_;
};

}  // namespace coxswain::fakes

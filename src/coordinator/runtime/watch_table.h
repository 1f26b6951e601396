// Who wants to hear of changes. Notifications are coalesced: one that has not been made yet covers
// all changes up to it. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "coordinator/runtime/api.h"
#include "coordinator/runtime/task_loop.h"

namespace coxswain::coordinator::runtime {

class WatchTable {
 public:
  explicit WatchTable(TaskLoop* tasks) : shared_(std::make_shared<Shared>()), tasks_(tasks) {}

  // As Api::Subscribe.
  std::unique_ptr<Subscription> Add(core::JobId job, std::function<void()> changed);
  // These jobs changed; watchers of everything (job 0) hear it too.
  void Notify(const std::set<core::JobId>& jobs);
  void NotifyAll();

 private:
  struct Watcher;
  struct Shared {
    std::mutex mutex;
    std::multimap<core::JobId, std::shared_ptr<Watcher>> watchers;
  };
  class Entry;

  std::shared_ptr<Shared> shared_;
  TaskLoop* tasks_;
  void Wake(const std::shared_ptr<Watcher>& watcher);
};

}  // namespace coxswain::coordinator::runtime

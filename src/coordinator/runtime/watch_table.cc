#include "coordinator/runtime/watch_table.h"

#include <atomic>

namespace coxswain::coordinator::runtime {

struct WatchTable::Watcher {
  std::function<void()> changed;
  std::atomic<bool> waiting = false;  // a notification is on its way
  // Held during the call, so that the subscription's end waits for it; recursive, because the call
  // may end its own subscription.
  std::recursive_mutex running;
  bool ended = false;  // guarded by running
};

class WatchTable::Entry : public Subscription {
 public:
  Entry(std::shared_ptr<Shared> shared,
        std::multimap<core::JobId, std::shared_ptr<Watcher>>::iterator where)
      : shared_(std::move(shared)), watcher_(where->second), where_(where) {}
  ~Entry() override {
    {
      std::lock_guard lock(shared_->mutex);
      shared_->watchers.erase(where_);
    }
    std::lock_guard lock(watcher_->running);
    watcher_->ended = true;
  }

 private:
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<Watcher> watcher_;
  std::multimap<core::JobId, std::shared_ptr<Watcher>>::iterator where_;
};

std::unique_ptr<Subscription> WatchTable::Add(core::JobId job, std::function<void()> changed) {
  auto watcher = std::make_shared<Watcher>();
  watcher->changed = std::move(changed);
  std::lock_guard lock(shared_->mutex);
  return std::make_unique<Entry>(shared_, shared_->watchers.emplace(job, std::move(watcher)));
}

void WatchTable::Wake(const std::shared_ptr<Watcher>& watcher) {
  if (watcher->waiting.exchange(true)) return;
  tasks_->Post([watcher] {
    std::lock_guard lock(watcher->running);
    watcher->waiting = false;
    if (!watcher->ended) watcher->changed();
  });
}

void WatchTable::Notify(const std::set<core::JobId>& jobs) {
  std::lock_guard lock(shared_->mutex);
  auto wake = [this](core::JobId job) {
    auto [begin, end] = shared_->watchers.equal_range(job);
    for (auto it = begin; it != end; ++it) Wake(it->second);
  };
  for (core::JobId job : jobs) {
    if (job) wake(job);
  }
  wake(core::JobId());
}

void WatchTable::NotifyAll() {
  std::lock_guard lock(shared_->mutex);
  for (const auto& [job, watcher] : shared_->watchers) Wake(watcher);
}

}  // namespace coxswain::coordinator::runtime

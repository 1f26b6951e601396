// Calls that wait for the core's answer. Thread-safe.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <map>
#include <mutex>

#include "coordinator/core/decisions.h"

namespace coxswain::coordinator::runtime {

class CallTable {
 public:
  using Answer = std::function<void(absl::StatusOr<core::Reply>)>;

  core::CallId Add(Answer answer) {
    std::lock_guard lock(mutex_);
    core::CallId id(++last_);
    waiting_.emplace(id, std::move(answer));
    return id;
  }
  // Empty: nobody waits (any more).
  Answer Take(core::CallId id) {
    std::lock_guard lock(mutex_);
    auto node = waiting_.extract(id);
    return node.empty() ? Answer() : std::move(node.mapped());
  }
  std::map<core::CallId, Answer> TakeAll() {
    std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {});
  }

 private:
  std::mutex mutex_;
  std::map<core::CallId, Answer> waiting_;
  uint64_t last_ = 0;
};

}  // namespace coxswain::coordinator::runtime

// The soft part of what people see, as of the last commit. Thread-safe.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>

#include "coordinator/core/views.h"

namespace coxswain::coordinator::runtime {

class LiveBoard {
 public:
  void Put(std::vector<core::LiveJob> jobs, std::vector<core::LiveNode> nodes,
           const std::vector<core::HeardNode>& heard = {}) {
    std::lock_guard lock(mutex_);
    for (core::LiveJob& job : jobs) Put(jobs_, std::move(job));
    for (core::LiveNode& node : nodes) Put(nodes_, std::move(node));
    for (const core::HeardNode& node : heard) {
      auto known = nodes_.find(node.id);
      if (known == nodes_.end()) continue;
      base::WallTime& last = known->second.last_heartbeat;
      // What comes late is of a moment ago; more than that is a clock that was set back.
      const bool late = last > node.last_heartbeat && last - node.last_heartbeat < kMostLate;
      if (!late) last = node.last_heartbeat;
    }
  }
  void Put(std::vector<core::LiveQueue> queues) {
    std::lock_guard lock(mutex_);
    queues_ = std::move(queues);
  }
  std::vector<core::LiveQueue> Queues() const {
    std::lock_guard lock(mutex_);
    return queues_;
  }
  void Clear() {
    std::lock_guard lock(mutex_);
    jobs_.clear();
    nodes_.clear();
  }
  // An empty view if it is not there.
  core::LiveJob Job(core::JobId id) const {
    std::lock_guard lock(mutex_);
    auto known = jobs_.find(id);
    if (known != jobs_.end()) return known->second;
    core::LiveJob none;
    none.id = id;
    return none;
  }
  // The live parts of all of these, at one moment.
  template <class View>
  void Fill(std::vector<View>* nodes) const {
    std::lock_guard lock(mutex_);
    for (View& view : *nodes) {
      auto known = nodes_.find(view.live.id);
      if (known != nodes_.end()) view.live = known->second;
    }
  }

 private:
  static constexpr base::Duration kMostLate = base::seconds(10);

  template <class Map, class View>
  static void Put(Map& map, View view) {
    if (view.gone) {
      map.erase(view.id);
    } else {
      map[view.id] = std::move(view);
    }
  }

  mutable std::mutex mutex_;
  std::map<core::JobId, core::LiveJob> jobs_;
  std::map<core::NodeId, core::LiveNode> nodes_;
  std::vector<core::LiveQueue> queues_;
};

}  // namespace coxswain::coordinator::runtime

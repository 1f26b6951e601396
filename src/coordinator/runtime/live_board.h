// The soft part of what people see, as of the last commit. Thread-safe.
#pragma once

#include <map>
#include <mutex>

#include "coordinator/core/views.h"

namespace coxswain::coordinator::runtime {

class LiveBoard {
 public:
  void Put(std::vector<core::LiveJob> jobs, std::vector<core::LiveNode> nodes) {
    std::lock_guard lock(mutex_);
    for (core::LiveJob& job : jobs) Put(jobs_, std::move(job));
    for (core::LiveNode& node : nodes) Put(nodes_, std::move(node));
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
  // Empty views for what is not there.
  core::LiveJob Job(core::JobId id) const { return Get(jobs_, id); }
  core::LiveNode Node(const core::NodeId& id) const { return Get(nodes_, id); }

 private:
  template <class Map, class View>
  static void Put(Map& map, View view) {
    if (view.gone) {
      map.erase(view.id);
    } else {
      map[view.id] = std::move(view);
    }
  }
  template <class Map>
  typename Map::mapped_type Get(const Map& map, const typename Map::key_type& id) const {
    std::lock_guard lock(mutex_);
    auto it = map.find(id);
    if (it != map.end()) return it->second;
    typename Map::mapped_type none;
    none.id = id;
    return none;
  }

  mutable std::mutex mutex_;
  std::map<core::JobId, core::LiveJob> jobs_;
  std::map<core::NodeId, core::LiveNode> nodes_;
  std::vector<core::LiveQueue> queues_;
};

}  // namespace coxswain::coordinator::runtime

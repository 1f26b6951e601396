// Which workers may be given a task (a check, a verification, a collection), the least busy first,
// and what else would be a walk over all nodes or tasks for each job. Says nothing that nodes and
// tasks do not say; whoever changes one of them puts its node into `stale`.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "common/protocol/worker_messages.h"

namespace coxswain::coordinator::core {

struct TaskPlaces {
  std::map<base::NodeId, size_t> tasks;  // how many, of each that may be given more
  std::map<size_t, std::set<base::NodeId>> by_tasks;
  std::set<base::NodeId> stale;
  std::map<base::JobId, std::set<protocol::TaskKind>> of_stores;  // verifications, collections
  std::optional<int64_t> largest_memory;                          // of a machine; unset: look

  void Set(const base::NodeId& node, size_t count);
  void Remove(const base::NodeId& node);
  // Of those with fewer than `below`; the first by id of equally busy ones.
  std::optional<base::NodeId> LeastBusy(size_t below) const;
};

}  // namespace coxswain::coordinator::core

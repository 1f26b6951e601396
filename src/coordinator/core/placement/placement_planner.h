// Which waiting jobs get which slots: a pure call on a view.
//
// Gangs are placed whole or not at all, first in first out: the first job that does not fit holds
// back all after it, so that no stream of small jobs can starve a large one. A gang fills machines
// first: the fewest machines, and on one machine the one that is left fullest; ties by node id.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/decisions.h"

namespace coxswain::coordinator::core {

// One node as the planner sees it.
struct NodeCapacity {
  std::string name;
  std::string why_not;  // empty: may be given work; otherwise why not ("draining", "unreachable")
  uint32_t cpus = 0, cpus_free = 0;
  int64_t memory = 0, memory_free = 0;
  uint32_t gpus = 0;                   // all, also those not available
  std::vector<std::string> gpus_free;  // UUIDs, by index
};
using PlacementView = std::map<NodeId, NodeCapacity>;

struct PendingJob {
  JobId id;
  uint32_t ranks = 1;
  uint32_t cpus = 1;  // per rank, as the other sizes
  uint32_t gpus = 0;
  int64_t memory = 0;          // 0: not limited
  bool one_node = false;       // all ranks on one node
  std::optional<NodeId> only;  // on this node: it holds the job's file:// checkpoints
  std::set<NodeId> avoid;      // do not see its file:// store
  std::optional<NodeId>
      first;  // rank 0 on this node: it holds the file:// checkpoint to begin with
};

struct Policy {};  // first in, first out: nothing to set yet

struct RankSlot {
  NodeId node;
  uint32_t local_rank = 0;
  std::vector<std::string> gpu_uuids;
};
struct Placement {
  JobId job;
  std::vector<RankSlot> ranks;  // by rank
};
struct Plan {
  std::vector<Placement> placements;
  std::vector<Explanation> why;  // of each job not placed
  std::optional<JobId> blocked;  // the first that did not fit
};

// `pending`: oldest first. `view` is taken by value: the plan uses it up.
Plan PlanPlacements(PlacementView view, const std::vector<PendingJob>& pending,
                    const Policy& policy, base::Time now);

// "2 ranks of 1 CPU slot and 2 GPUs each".
std::string NeedText(const PendingJob& job);

// One node, all of it free, would hold the whole job.
bool FitsOneNode(const PlacementView& view, const PendingJob& job);

// What no state of the fleet could ever satisfy, in words with numbers; empty: it could fit when
// all nodes of `view` are free and usable.
std::string WhyNever(const PlacementView& view, const PendingJob& job);

}  // namespace coxswain::coordinator::core

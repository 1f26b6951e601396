// The fleet and the waiting jobs as placement sees them.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/rows.h"

namespace coxswain::coordinator::core {

struct GpuSlot {
  std::string uuid;
  std::string kind;  // as NVML names it: "NVIDIA H200"
  int taken = 0;     // held, promised, or out of order; 0: may be given to a rank now
};

// One node.
struct NodeCapacity {
  std::string name;
  std::string why_not;  // empty: may be given work; otherwise why not ("draining", "unreachable")
  std::map<std::string, std::string> labels;
  std::string rack;  // the value of the label that tells racks; empty: it has none
  uint32_t cpus = 0;
  int64_t cpus_free = 0;  // below 0: promised before it is free; so is memory
  int64_t memory = 0, memory_free = 0;
  std::vector<GpuSlot> gpus;  // by index
};

class RoomIndex;

// The nodes, by id. What FitGang finds out about them is kept beside them, and looked up anew for
// those that have changed: each way to one that may be changed says so. Such a reference serves
// until the next call of FitGang. For one thread, calls on a const view included.
class PlacementView {
 public:
  using Nodes = std::map<NodeId, NodeCapacity>;

  PlacementView();
  explicit PlacementView(Nodes nodes);
  PlacementView(std::initializer_list<Nodes::value_type> nodes);
  PlacementView(const PlacementView& other);  // of the nodes alone
  PlacementView(PlacementView&& other) noexcept;
  PlacementView& operator=(const PlacementView& other);
  PlacementView& operator=(PlacementView&& other) noexcept;
  ~PlacementView();

  const Nodes& nodes() const { return nodes_; }
  Nodes::const_iterator begin() const { return nodes_.begin(); }
  Nodes::const_iterator end() const { return nodes_.end(); }
  Nodes::const_iterator find(const NodeId& id) const { return nodes_.find(id); }
  const NodeCapacity& at(const NodeId& id) const { return nodes_.at(id); }
  size_t size() const { return nodes_.size(); }
  bool empty() const { return nodes_.empty(); }

  // To be changed; made if there is none.
  NodeCapacity& operator[](const NodeId& id);
  // To be changed; null: there is none.
  NodeCapacity* Change(const NodeId& id);
  void erase(const NodeId& id);

  RoomIndex& index() const;

 private:
  Nodes nodes_;
  mutable std::unique_ptr<RoomIndex> index_;  // null: not yet asked for
};

// A gang that waits: placed whole or not at all.
struct PendingJob {
  JobId id;
  uint32_t ranks = 1;
  uint32_t cpus = 1;  // per rank, as the other sizes
  uint32_t gpus = 0;
  int64_t memory = 0;                           // 0: not limited
  std::map<std::string, std::string> selector;  // labels that a node must have
  std::vector<std::string> gpu_kinds;           // the first one that can be had; empty: any
  Within within = Within::kFleet;
  bool local_store = false;    // kMachine because its checkpoint store is file://
  std::string store;           // its file:// store; empty: it has none, or others see it
  std::optional<NodeId> only;  // on this node: it holds the job's file:// checkpoints
  std::set<NodeId> avoid;      // do not see its file:// store
  std::set<NodeId> shuns;      // its attempts failed there: others first
  std::optional<NodeId>
      first;  // rank 0 on this node: it holds the file:// checkpoint to begin with
};

struct RankSlot {
  NodeId node;
  uint32_t local_rank = 0;
  std::vector<std::string> gpu_uuids;
};
// What a gang holds.
struct Holding {
  std::vector<RankSlot> ranks;
  uint32_t cpus = 1;  // per rank
  int64_t memory = 0;
};
struct Placement {
  JobId job;
  std::vector<RankSlot> ranks;  // by rank
};

// What its file asks for.
PendingJob AskedFor(JobId job, const JobRequest& request, uint32_t ranks);

}  // namespace coxswain::coordinator::core

#include "coordinator/core/handlers/capacity.h"

#include <algorithm>

#include "coordinator/core/node_view.h"
#include "coordinator/core/placement/gang_fit.h"

namespace coxswain::coordinator::core {
namespace {

std::string WhyNotUsable(const Turn& turn, const NodeRow& row) {
  auto found = turn.soft.nodes.find(row.id);
  if (found == turn.soft.nodes.end() || !found->second.session) return "not connected";
  if (!found->second.reachable) return "unreachable";
  if (row.draining) return NoWorkWord(row, turn.tables.ranks().OnNode(row.id).empty());
  if (!found->second.leftovers.empty()) return "stopping ranks of an earlier attempt";
  return row.inventory.why_no_work;
}

NodeCapacity CapacityOf(const Turn& turn, const NodeRow& row) {
  NodeCapacity node;
  node.name = turn.NodeName(row.id);
  node.why_not = WhyNotUsable(turn, row);
  node.cpus = row.inventory.cpu_slots;
  node.memory = row.inventory.memory_bytes;
  node.labels = row.inventory.labels;
  if (auto rack = node.labels.find(turn.settings.rack_label); rack != node.labels.end()) {
    node.rack = rack->second;
  }
  uint64_t cpus_used = 0;
  int64_t memory_used = 0;
  std::set<std::string> gpus_used;
  for (const protocol::RankKey& key : turn.tables.ranks().OnNode(row.id)) {
    const RankRow& rank = *turn.tables.ranks().Find(key);
    const JobRow* job = turn.tables.jobs().Find(key.job);
    cpus_used += rank.cpus;
    memory_used += job == nullptr ? 0 : job->request.memory_bytes;
    gpus_used.insert(rank.gpu_uuids.begin(), rank.gpu_uuids.end());
  }
  node.cpus_free = int64_t{node.cpus} - static_cast<int64_t>(cpus_used);
  node.memory_free = node.memory - memory_used;
  for (const protocol::GpuInfo& gpu : row.inventory.gpus) {
    node.gpus.push_back(
        {gpu.uuid, gpu.name, (gpu.available ? 0 : 1) + (gpus_used.contains(gpu.uuid) ? 1 : 0)});
  }
  return node;
}

// It could start there now.
bool HasRoomNow(const PlacementView& all, const NodeId& id, const PendingJob& job) {
  auto node = all.find(id);
  return node != all.end() && node->second.why_not.empty() && HasLabels(node->second, job) &&
         RoomOn(node->second, job, Extent::kFree) >= job.ranks;
}

// While it may still be training, it gives that up for nodes only that are known to see its
// checkpoints.
void AvoidUnknown(const Turn& turn, const JobSoft& soft, PendingJob* job) {
  if (!turn.soft.held.contains(job->id)) return;
  for (const auto& [id, node] : turn.soft.capacity) {
    if (!soft.store_place.contains(id)) job->avoid.insert(id);
  }
}

}  // namespace

void RefreshCapacity(Turn& turn) {
  for (const NodeId& id : turn.soft.stale_capacity) {
    const NodeRow* row = turn.tables.FindNode(id);
    if (row == nullptr) {
      turn.soft.capacity.erase(id);
    } else {
      turn.soft.capacity[id] = CapacityOf(turn, *row);
    }
  }
  turn.soft.stale_capacity.clear();
}

// A job with a file:// store stays on one node, the one that holds its checkpoints if there are
// any, as long as that is large enough. Otherwise it leaves it or spans nodes, and its store has to
// be proven to be one place for them and the holder, by a machine that can tell. Once another node
// has been found to see its checkpoints, it leaves the holder whenever there is no room.
PendingJob Needs(const Turn& turn, JobId id, const JobRequest& request,
                 const std::optional<Holder>& holder) {
  PendingJob job = AskedFor(id, request, MinWorkers(request));
  if (auto soft = turn.soft.jobs.find(id); soft != turn.soft.jobs.end()) {
    job.avoid = soft->second.store_unseen;
    job.shuns = soft->second.shuns;
  }
  if (holder && holder->of_other_job) job.first = holder->node;
  if (!request.local_store) return job;
  job.store = request.store.empty() ? turn.settings.default_store : request.store;
  const PlacementView& all = turn.soft.capacity;
  const JobRow* row = turn.tables.jobs().Find(id);
  if (holder && row != nullptr && SeenElsewhere(turn.soft, *row, *holder)) {
    AvoidUnknown(turn, turn.soft.jobs.at(id), &job);
    if (HasRoomNow(all, holder->node, job)) job.only = holder->node;
    job.store.clear();
    return job;
  }
  if (holder) {
    auto node = all.find(holder->node);
    bool asked = holder->of_other_job || row == nullptr || CanBeAsked(turn, *row);
    job.local_store = node == all.end() || FitsNode(node->second, job) || !asked;
    if (job.local_store) job.only = holder->node;
  } else {
    job.local_store = all.empty() || FitsOneNode(all, job);
  }
  if (job.local_store) job.within = Within::kMachine;
  return job;
}

}  // namespace coxswain::coordinator::core

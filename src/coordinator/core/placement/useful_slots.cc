#include "coordinator/core/placement/useful_slots.h"

#include <algorithm>

#include "coordinator/core/placement/gang_fit.h"

namespace coxswain::coordinator::core {
namespace {

bool MayBeOn(const NodeId& id, const NodeCapacity& node, const PendingJob& job) {
  if (!node.why_not.empty() || !HasLabels(node, job)) return false;
  if (job.only && *job.only != id) return false;
  if (job.avoid.contains(id)) return false;
  const uint32_t least = job.within == Within::kMachine ? job.ranks : 1;
  return RoomOn(node, job, Extent::kWhole) >= least;
}

bool IsWanted(const GpuSlot& gpu, const PendingJob& job) {
  return job.gpu_kinds.empty() ||
         std::any_of(job.gpu_kinds.begin(), job.gpu_kinds.end(),
                     [&](const std::string& kind) { return IsOfKind(gpu, kind); });
}

// GPUs that it asks for; or what the node is short of besides.
bool IsUseful(const NodeCapacity& node, const RankSlot& slot, const PendingJob& job) {
  if (job.gpus == 0) return true;
  if (node.cpus_free < int64_t{job.cpus} || node.memory_free < job.memory) return true;
  return std::any_of(node.gpus.begin(), node.gpus.end(), [&](const GpuSlot& gpu) {
    const auto& held = slot.gpu_uuids;
    return IsWanted(gpu, job) && std::find(held.begin(), held.end(), gpu.uuid) != held.end();
  });
}

}  // namespace

bool HoldsUsefulSlots(const PlacementView& view, const PendingJob& job, const Holding& holding) {
  return std::any_of(holding.ranks.begin(), holding.ranks.end(), [&](const RankSlot& slot) {
    auto node = view.find(slot.node);
    return node != view.end() && MayBeOn(node->first, node->second, job) &&
           IsUseful(node->second, slot, job);
  });
}

}  // namespace coxswain::coordinator::core

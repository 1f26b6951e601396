#include "coordinator/core/scheduling/empty_fleet.h"

#include <algorithm>

namespace coxswain::coordinator::core {

const EmptyFleet::Room& EmptyFleet::RoomFor(const PendingJob& job) {
  const Key key{job.cpus, job.gpus, job.memory, job.selector, job.gpu_kinds, job.only};
  auto [found, is_new] = rooms_.try_emplace(key);
  Room& room = found->second;
  if (!is_new) return room;
  std::map<std::string_view, uint32_t> racks;
  PendingJob gang = job;
  gang.ranks = UINT32_MAX;
  for (const auto& [id, node] : *fleet_) {
    if (!node.why_not.empty() || (job.only && *job.only != id)) continue;
    uint32_t here = HasLabels(node, job) ? RoomOn(node, gang, Extent::kWhole) : 0;
    room.on_node = std::max(room.on_node, here);
    room.in_fleet += here;
    // Without the label it is in no rack with others.
    uint32_t rack = node.rack.empty() ? here : racks[node.rack] += here;
    room.in_rack = std::max(room.in_rack, rack);
  }
  return room;
}

}  // namespace coxswain::coordinator::core

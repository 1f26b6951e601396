#include "cli/verbs/fleet_cells.h"

#include "cli/output/words.h"

namespace coxswain::cli::verbs {
namespace {

std::string Slots(const rpc::Slots& slots) { return output::Slots(slots.cpus, slots.gpus); }

std::string GpusFree(const rpc::Node& node) {
  size_t free = 0;
  for (const rpc::Gpu& gpu : node.gpus) free += gpu.available && gpu.job.empty();
  return std::to_string(free) + "/" + std::to_string(node.gpus.size());
}

}  // namespace

std::vector<output::Cell> NodeCells(const rpc::Node& node) {
  return {{node.state, output::ColourOfState(node.state)},
          std::to_string(node.cpu_slots_free) + "/" + std::to_string(node.cpu_slots),
          GpusFree(node),
          output::Joined(node.jobs, ",")};
}

std::vector<output::Cell> QueueCells(const rpc::Queue& queue) {
  return {std::to_string(queue.running), std::to_string(queue.pending), Slots(queue.held),
          Slots(queue.quota), Slots(queue.limit)};
}

}  // namespace coxswain::cli::verbs

#include "cli/verbs/fleet_cells.h"

#include "cli/output/words.h"
#include "common/base/byte_text.h"

namespace coxswain::cli::verbs {
namespace {

std::string Bound(const rpc::Slots& slots) { return base::SlotsText(slots.cpus, slots.gpus); }

// What is free there is not known, and nothing of it is to be had: "-/4".
bool IsAway(const rpc::Node& node) {
  return node.state == "UNREACHABLE" || node.state == "SHUT_DOWN";
}

std::string GpusFree(const rpc::Node& node) {
  if (IsAway(node)) return "-/" + std::to_string(node.gpus.size());
  size_t free = 0;
  for (const rpc::Gpu& gpu : node.gpus) free += gpu.available && gpu.job.empty();
  return std::to_string(free) + "/" + std::to_string(node.gpus.size());
}

std::string UserLimit(const rpc::Queue& queue) {
  std::vector<std::string> words;
  const std::string slots = Bound(queue.user_limit);
  if (!slots.empty()) words.push_back(slots);
  if (queue.user_jobs >= 0) {
    words.push_back(output::Count(queue.user_jobs) + (queue.user_jobs == 1 ? " job" : " jobs"));
  }
  return output::Joined(words, ", ");
}

}  // namespace

std::vector<output::Cell> NodeCells(const rpc::Node& node) {
  return {{node.state, output::ColourOfState(node.state)},
          (IsAway(node) ? "-" : std::to_string(node.cpu_slots_free)) + "/" +
              std::to_string(node.cpu_slots),
          GpusFree(node),
          output::Joined(node.jobs, ",")};
}

std::string Remarks(const rpc::Node& node) {
  std::vector<std::string> remarks;
  if (!node.reason.empty()) {
    remarks.push_back(node.cordoned ? "cordoned: " + node.reason : node.reason);
  }
  if (node.cordoned) {
    remarks.push_back("`cox drain " + node.name + " --undo` lets it take work again");
  }
  if (node.drain_by_us > 0 && !node.jobs.empty())
    remarks.push_back("to be empty by " + output::When(node.drain_by_us));
  remarks.insert(remarks.end(), node.conditions.begin(), node.conditions.end());
  for (const rpc::Gpu& gpu : node.gpus) {
    if (!gpu.available) remarks.push_back("GPU " + std::to_string(gpu.index) + ": " + gpu.why_not);
  }
  return output::Joined(remarks, "; ");
}

std::vector<output::Cell> QueueCells(const rpc::Queue& queue) {
  return {std::to_string(queue.running),
          std::to_string(queue.pending),
          base::HeldText(queue.held.cpus, queue.held.gpus),
          Bound(queue.quota),
          Bound(queue.limit),
          UserLimit(queue)};
}

}  // namespace coxswain::cli::verbs

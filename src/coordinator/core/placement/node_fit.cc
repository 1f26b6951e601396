#include "coordinator/core/placement/node_fit.h"

#include <algorithm>

#include "common/base/byte_text.h"
#include "coordinator/core/placement/gang_fit.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

std::string MissingLabel(const NodeCapacity& node, const PendingJob& job) {
  for (const auto& [key, value] : job.selector) {
    auto label = node.labels.find(key);
    if (label == node.labels.end()) return "it has no label " + key + "=" + value;
    if (label->second != value) return "its " + key + " is " + label->second + ", not " + value;
  }
  return "";
}

bool IsWanted(const GpuSlot& gpu, const PendingJob& job) {
  return job.gpu_kinds.empty() ||
         std::any_of(job.gpu_kinds.begin(), job.gpu_kinds.end(),
                     [&](const std::string& kind) { return IsOfKind(gpu, kind); });
}

void Add(std::string* out, const std::string& part) { *out += (out->empty() ? "" : "; ") + part; }

// "a rank needs 4 CPU slots, 1 of 8 is free"; or that the node is too small for any rank.
std::string Shortage(uint64_t needs, int64_t free, uint64_t all, std::string_view noun,
                     const std::string& of_kind = "") {
  const std::string needed = "a rank needs " + Plural(needs, noun) + of_kind;
  if (all < needs) return needed + ", it has " + std::to_string(all);
  return needed + ", " + std::to_string(std::max<int64_t>(free, 0)) + " of " + std::to_string(all) +
         " free";
}

std::string WhatIsShort(const NodeCapacity& node, const PendingJob& job) {
  std::string out;
  if (node.cpus_free < int64_t{job.cpus}) {
    Add(&out, Shortage(job.cpus, node.cpus_free, node.cpus, "CPU slot"));
  }
  int64_t gpus = 0, gpus_free = 0;
  for (const GpuSlot& gpu : node.gpus) {
    if (!IsWanted(gpu, job)) continue;
    ++gpus;
    gpus_free += gpu.taken == 0 ? 1 : 0;
  }
  if (gpus_free < int64_t{job.gpus}) {
    Add(&out, Shortage(job.gpus, gpus_free, static_cast<uint64_t>(gpus), "GPU",
                       job.gpu_kinds.empty() ? "" : " of the kinds it asks for"));
  }
  if (node.memory_free < job.memory) {
    auto text = [](int64_t bytes) {
      return base::BytesText(static_cast<uint64_t>(std::max<int64_t>(bytes, 0)));
    };
    Add(&out, "a rank needs " + text(job.memory) + " of memory, " + text(node.memory_free) +
                  " of " + text(node.memory) + " free");
  }
  return out.empty() ? "its free GPUs are of several kinds" : out;
}

}  // namespace

NodeFit FitOn(const NodeCapacity& node, const PendingJob& job) {
  if (!node.why_not.empty()) return {0, "it is " + node.why_not};
  if (std::string label = MissingLabel(node, job); !label.empty()) return {0, label};
  const uint32_t ranks = RoomOn(node, job, Extent::kFree);
  if (ranks > 0) return {std::min(ranks, job.ranks), ""};
  return {0, WhatIsShort(node, job)};
}

}  // namespace coxswain::coordinator::core

#include "coordinator/core/placement/placement_text.h"

#include <algorithm>

#include "common/base/byte_text.h"
#include "coordinator/core/placement/gang_fit.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

std::string Joined(const std::vector<std::string>& parts, const std::string& between) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : between) + part;
  return out;
}

std::string LabelsText(const std::map<std::string, std::string>& labels) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : labels) parts.push_back(key + "=" + value);
  return Joined(parts, ", ");
}

// ", all on one node with zone=a": where the gang has to be.
std::string WhereText(const PendingJob& job) {
  bool one_node = job.within == Within::kMachine && job.ranks > 1 && !job.only;
  bool one_rack = job.within == Within::kRack && job.ranks > 1;
  std::string why = job.local_store ? " (its checkpoint store is file://)" : "";
  std::string labels = job.selector.empty() ? "" : " with " + LabelsText(job.selector);
  if (one_node) return ", all on one node" + labels + why;
  if (one_rack) return ", all in one rack" + (labels.empty() ? "" : " on nodes" + labels);
  return labels.empty() ? "" : " on " + std::string(job.ranks > 1 ? "nodes" : "a node") + labels;
}

bool IsWanted(const GpuSlot& gpu, const PendingJob& job) {
  return job.gpu_kinds.empty() ||
         std::any_of(job.gpu_kinds.begin(), job.gpu_kinds.end(),
                     [&](const std::string& kind) { return IsOfKind(gpu, kind); });
}

std::string WhyNotUsed(const NodeId& id, const NodeCapacity& node, const PendingJob& job) {
  if (!node.why_not.empty() || !job.avoid.contains(id)) return node.why_not;
  return "not known to see its file:// store";
}

// The largest gang of this shape that there is room for, and where.
struct Room {
  uint64_t ranks = 0;
  std::string where;  // the node or the rack, if it has to be one
};

Room MostRoomOfKind(const PlacementView& view, const PendingJob& job, Extent extent) {
  std::map<std::string, uint64_t> parts;  // by node, rack, or all together
  for (const auto& [id, node] : view) {
    bool usable = extent == Extent::kWhole || WhyNotUsed(id, node, job).empty();
    if (!usable || !HasLabels(node, job)) continue;
    bool in_rack = job.within == Within::kRack && !node.rack.empty();
    bool alone = job.within == Within::kMachine || (job.within == Within::kRack && !in_rack);
    parts[alone ? node.name : in_rack ? node.rack : ""] += RoomOn(node, job, extent);
  }
  Room most;
  for (const auto& [where, ranks] : parts) {
    if (most.where.empty() || ranks > most.ranks) most = {ranks, where};
  }
  return most;
}

Room MostRoom(const PlacementView& view, const PendingJob& job, Extent extent) {
  if (job.gpu_kinds.empty()) return MostRoomOfKind(view, job, extent);
  Room most;
  for (const std::string& kind : job.gpu_kinds) {
    PendingJob one_kind = job;
    one_kind.gpu_kinds = {kind};
    Room room = MostRoomOfKind(view, one_kind, extent);
    if (most.where.empty() || room.ranks > most.ranks) most = room;
  }
  return most;
}

struct Sums {
  uint64_t nodes = 0, strangers = 0, cpus = 0, cpus_free = 0, gpus = 0, gpus_free = 0;
  std::map<std::string, uint64_t> unusable;  // by why not
};

Sums SumUp(const PlacementView& view, const PendingJob& job) {
  Sums sums;
  for (const auto& [id, node] : view) {
    if (!HasLabels(node, job)) {
      ++sums.strangers;
      continue;
    }
    if (std::string why_not = WhyNotUsed(id, node, job); !why_not.empty()) {
      ++sums.unusable[why_not];
      continue;
    }
    ++sums.nodes;
    sums.cpus += node.cpus;
    sums.cpus_free += std::max<int64_t>(node.cpus_free, 0);
    for (const GpuSlot& gpu : node.gpus) {
      if (!IsWanted(gpu, job)) continue;
      ++sums.gpus;
      sums.gpus_free += gpu.taken == 0 ? 1 : 0;
    }
  }
  return sums;
}

std::string RoomText(const PlacementView& view, const PendingJob& job) {
  Room room = MostRoom(view, job, Extent::kFree);
  std::string ranks = Plural(std::min<uint64_t>(room.ranks, job.ranks), "rank");
  const std::string where = room.ranks > 0 ? " (" + room.where + ")" : "";  // none is the roomiest
  switch (job.within) {
    case Within::kMachine:
      return "; most room on one: " + ranks + where;
    case Within::kRack:
      return "; most room in one rack: " + ranks + where;
    case Within::kFleet:
      break;
  }
  return ", room for " + ranks;
}

std::string FreeText(const PlacementView& view, const PendingJob& job) {
  Sums sums = SumUp(view, job);
  std::string out;
  if (view.empty()) {
    out = "no worker has connected";
  } else if (sums.strangers == view.size()) {
    out = "none of " + Plural(view.size(), "node") + " has these labels";
  } else if (sums.nodes == 0) {
    out = sums.strangers > 0 ? "no worker with these labels is ready" : "no worker is ready";
  } else {
    out = "free: " + base::CountText(sums.cpus_free) + " of " + Plural(sums.cpus, "CPU slot");
    if (job.gpus > 0) {
      out += ", " + base::CountText(sums.gpus_free) + " of " + Plural(sums.gpus, "GPU");
      if (!job.gpu_kinds.empty()) out += " of that kind";
    }
    out += " on " + Plural(sums.nodes, "node");
    if (sums.strangers > 0) out += " of " + base::CountText(static_cast<int64_t>(view.size()));
    out += RoomText(view, job);
  }
  for (const auto& [why, count] : sums.unusable) out += "; " + Plural(count, "node") + " " + why;
  return out;
}

// " on a: its checkpoints are there, in file:///x ...; a is draining": of a job that one node has
// to take part in.
std::string WhyNotThere(const PlacementView& view, const PendingJob& job) {
  const NodeId& id = job.only ? *job.only : *job.first;
  auto node = view.find(id);
  bool known = node != view.end();
  const std::string& name = known ? node->second.name : id.value;
  std::string out = (job.only || job.ranks == 1 ? " on " : ", rank 0 on ") + name;
  if (job.first || job.store.empty()) {
    out += ", which holds " +
           std::string(job.first ? "the checkpoint it begins with; " : "its checkpoints; ");
  } else {
    out += ": " + TiedText(job.store, "there") + "; ";
  }
  if (!known) return out + name + " has not connected";
  if (!node->second.why_not.empty()) return out + name + " is " + node->second.why_not;
  bool alone = job.only || RoomOn(node->second, job, Extent::kFree) == 0;
  return out + (alone ? FreeText({*node}, job) : FreeText(view, job));
}

// "8 NVIDIA H200 and 4 NVIDIA A100".
std::string KindsText(const PlacementView& view) {
  std::map<std::string, uint64_t> kinds;
  for (const auto& [id, node] : view) {
    for (const GpuSlot& gpu : node.gpus) ++kinds[gpu.kind];
  }
  std::vector<std::string> parts;
  for (const auto& [kind, count] : kinds) parts.push_back(std::to_string(count) + " " + kind);
  return parts.empty() ? "none" : Joined(parts, " and ");
}

std::string LargestText(const PlacementView& view, const PendingJob& job) {
  uint32_t cpus = 0;
  uint64_t gpus = 0;
  int64_t memory = 0;
  for (const auto& [id, node] : view) {
    if (!HasLabels(node, job)) continue;
    cpus = std::max(cpus, node.cpus);
    gpus = std::max<uint64_t>(gpus, node.gpus.size());
    memory = std::max(memory, node.memory);
  }
  std::string out = "its largest node: " + Plural(cpus, "CPU slot") + ", " + Plural(gpus, "GPU");
  if (job.memory > 0) out += ", " + base::BytesText(static_cast<uint64_t>(memory)) + " of memory";
  if (!job.gpu_kinds.empty()) out += "; its GPUs: " + KindsText(view);
  return out;
}

}  // namespace

std::string NeedText(const PendingJob& job) {
  std::string out = Plural(job.ranks, "rank") + " of " + Plural(job.cpus, "CPU slot");
  if (job.gpus > 0) out += " and " + Plural(job.gpus, "GPU");
  if (!job.gpu_kinds.empty()) out += " (" + Joined(job.gpu_kinds, " or ") + ")";
  if (job.memory > 0)
    out += " and " + base::BytesText(static_cast<uint64_t>(job.memory)) + " of memory";
  if (job.ranks > 1) out += " each";
  return out;
}

std::string TiedText(const std::string& store, const std::string& where) {
  return "its checkpoints are in " + store + " " + where + ", which no other node is known to see";
}

std::string WhyNotNow(const PlacementView& view, const PendingJob& job) {
  std::string out = "needs " + NeedText(job) + WhereText(job);
  if (job.only || job.first) return out + WhyNotThere(view, job);
  return out + "; " + FreeText(view, job);
}

std::string WhyNotUntilBack(const PlacementView& view, const PendingJob& job) {
  constexpr size_t kMostToTell = 4;
  if (job.only || job.first) return "";  // WhyNotNow tells what is the matter with that node
  std::vector<std::string> away;
  size_t all_away = 0;
  for (const auto& [id, node] : view) {
    const std::string why_not = WhyNotUsed(id, node, job);
    if (why_not.empty() || !HasLabels(node, job) || RoomOn(node, job, Extent::kWhole) == 0) {
      continue;
    }
    const bool told_to = why_not == "cordoned" || why_not == "drained" || why_not == "draining";
    const std::string undo = told_to ? ": cox drain " + node.name + " --undo" : "";
    if (++all_away <= kMostToTell) away.push_back(node.name + " (" + why_not + undo + ")");
  }
  const Sums sums = SumUp(view, job);
  if (all_away == 0) return "";
  PlacementView::Nodes there;
  for (const auto& [id, node] : view) {
    if (WhyNotUsed(id, node, job).empty()) there.emplace(id, node);
  }
  if (!FitGang(PlacementView(std::move(there)), job, Extent::kWhole).shares.empty()) return "";
  std::string out = "; cannot start until ";
  if (all_away > 1) out += "enough of ";
  out += Joined(away, ", ");
  if (all_away > away.size()) out += " and " + Plural(all_away - away.size(), "other");
  out += all_away > 1 ? " are " : " is ";
  if (sums.nodes == 0) return out + "ready";
  out += "back: " + Plural(sums.cpus, "CPU slot");
  if (job.gpus > 0) out += " and " + Plural(sums.gpus, "GPU");
  return out + (sums.cpus == 1 && job.gpus == 0 ? " is" : " are") + " there in all";
}

std::string WhyNever(const PlacementView& view, const PendingJob& job) {
  if (view.empty() || FitsOneNode(view, job)) return "";
  if (!FitGang(view, job, Extent::kWhole).shares.empty()) return "";
  const std::string needs = "needs " + NeedText(job) + WhereText(job);
  uint64_t suitable = std::count_if(
      view.begin(), view.end(), [&](const auto& entry) { return HasLabels(entry.second, job); });
  if (suitable == 0) {
    return "spec.placement.node_selector: " + needs + ", but none of the fleet's " +
           Plural(view.size(), "node") + " has these labels";
  }
  const bool gpus = std::any_of(view.begin(), view.end(),
                                [](const auto& entry) { return !entry.second.gpus.empty(); });
  if (job.gpus > 0 && !gpus) {
    return "spec.resources.gpus: " + needs + ", but none of the fleet's " +
           Plural(view.size(), "node") + " has a GPU (`cox nodes -o wide` says why)";
  }
  const auto most = MostRoom(view, job, Extent::kWhole).ranks;
  const std::string room = std::to_string(most);
  std::string out = (most == 0 ? "spec.resources: " : "spec.workers: ") + needs;
  if (suitable == view.size()) {
    out += ", but the whole fleet of " + Plural(view.size(), "node") + " has room for " + room;
  } else {
    out += ", but only " + Plural(suitable, "node") + " of " + std::to_string(view.size()) +
           (suitable == 1 ? " has" : " have") + " these labels, with room for " + room;
  }
  if (job.within == Within::kMachine) out += " on one node";
  if (job.within == Within::kRack) out += " in one rack";
  return out + " (" + LargestText(view, job) + ")";
}

}  // namespace coxswain::coordinator::core

#include "coordinator/core/placement/gang_fit.h"

#include <algorithm>
#include <tuple>

#include "common/base/check.h"
#include "coordinator/core/placement/room_index.h"

namespace coxswain::coordinator::core {
namespace {

const std::vector<std::string> kAnyKind = {""};
constexpr size_t kFewNodes = 24;  // so many are looked at faster than looked up

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool MayUse(const NodeId& id, const NodeCapacity& node, const PendingJob& job, Extent extent) {
  if (!HasLabels(node, job)) return false;
  if (extent == Extent::kWhole) return true;
  return node.why_not.empty() && (!job.only || *job.only == id) && !job.avoid.contains(id);
}

uint64_t CountGpus(const NodeCapacity& node, const std::string& kind, Extent extent) {
  return std::count_if(node.gpus.begin(), node.gpus.end(), [&](const GpuSlot& gpu) {
    return (gpu.taken == 0 || extent == Extent::kWhole) && IsOfKind(gpu, kind);
  });
}

uint32_t RoomOfKind(const NodeCapacity& node, const PendingJob& job, const std::string& kind,
                    Extent extent) {
  bool whole = extent == Extent::kWhole;
  uint64_t room = job.ranks;
  if (job.cpus > 0)
    room = std::min<uint64_t>(
        room, (whole ? node.cpus : std::max<int64_t>(node.cpus_free, 0)) / job.cpus);
  if (job.gpus > 0) room = std::min(room, CountGpus(node, kind, extent) / job.gpus);
  if (job.memory > 0) {
    int64_t memory = whole ? node.memory : node.memory_free;
    room = std::min<uint64_t>(room, std::max<int64_t>(memory, 0) / job.memory);
  }
  return static_cast<uint32_t>(room);
}

// What makes one node better than another; less is better. A job without GPUs goes to machines
// without GPUs first. Then the one with the most room for it (capped at the gang's size), then the
// one that is left fullest; ties by node id, the order of the view.
using NodeRating = std::tuple<bool, uint32_t, int64_t>;
NodeRating Rating(const PendingJob& job, const NodeShare& share) {
  const NodeCapacity& node = *share.capacity;
  int64_t left =
      job.gpus > 0 ? static_cast<int64_t>(CountGpus(node, "", Extent::kFree)) : node.cpus_free;
  return {job.gpus == 0 && !node.gpus.empty(), job.ranks - share.ranks, left};
}

// It holds the whole gang and has nothing left then: no other one is better.
NodeRating Perfect(const PendingJob& job) {
  return {false, 0, int64_t{job.ranks} * (job.gpus > 0 ? job.gpus : job.cpus)};
}

// Seen without a look at its labels and GPUs: in a large fleet most nodes are.
bool IsPlainlyFull(const NodeCapacity& node, const PendingJob& job) {
  return node.cpus_free < job.cpus || node.gpus.size() < job.gpus ||
         (job.memory > 0 && node.memory_free < job.memory);
}

// The node that rank 0 has to be on, if there is one, then by rating.
std::vector<NodeShare> BestFirst(std::vector<NodeShare> nodes, const PendingJob& job) {
  auto order = [&](const NodeShare& share) {
    return std::tuple(!job.first || *share.node != *job.first, Rating(job, share), *share.node);
  };
  std::sort(nodes.begin(), nodes.end(),
            [&](const NodeShare& a, const NodeShare& b) { return order(a) < order(b); });
  return nodes;
}

// The gang over these nodes, which have room for it: the best nodes whole, and what is left over
// where it leaves the least.
std::vector<NodeShare> Spread(std::vector<NodeShare> nodes, const PendingJob& job) {
  std::vector<NodeShare> order = BestFirst(std::move(nodes), job), chosen;
  uint32_t ranks = job.ranks;
  auto next = order.begin();
  for (; next != order.end() && ranks >= next->ranks; ++next) {
    ranks -= next->ranks;
    chosen.push_back(*next);
  }
  // The first of them may be the one that rank 0 has to be on.
  if (ranks == 0 || next == order.end()) return chosen;
  auto last = next;
  for (auto node = next; node != order.end() && !chosen.empty(); ++node) {
    if (node->ranks >= ranks && node->ranks < last->ranks) last = node;
  }
  last->ranks = ranks;
  chosen.push_back(*last);
  return chosen;
}

struct Rack {
  std::vector<NodeShare> nodes;
  uint64_t room = 0;       // for ranks of the gang
  uint32_t largest = 0;    // of the room on one node
  bool has_first = false;  // rank 0 can be here
};
// By name; nodes that name none are together under "".
using Racks = std::map<std::string, Rack>;

std::vector<NodeShare> InOneRack(const Racks& racks, const PendingJob& job) {
  std::vector<NodeShare> best;
  uint64_t best_room = 0;
  for (const auto& [name, rack] : racks) {
    if (name.empty() || rack.room < job.ranks || !rack.has_first) continue;
    if (!best.empty() && rack.room > best_room) continue;
    std::vector<NodeShare> here = Spread(rack.nodes, job);
    if (!best.empty() && rack.room == best_room && here.size() >= best.size()) continue;
    best = std::move(here);
    best_room = rack.room;
  }
  return best;
}

std::vector<NodeShare> OverRacks(const Racks& racks, const PendingJob& job) {
  std::vector<const Rack*> roomiest;
  for (const auto& [name, rack] : racks) roomiest.push_back(&rack);
  auto order = [](const Rack* rack) {
    return std::tuple(rack->has_first, rack->room, rack->largest);
  };
  std::stable_sort(roomiest.begin(), roomiest.end(),
                   [&](const Rack* a, const Rack* b) { return order(a) > order(b); });
  if (roomiest.empty() || !roomiest.front()->has_first) return {};
  std::vector<NodeShare> nodes;
  uint64_t room = 0;
  for (const Rack* rack : roomiest) {
    nodes.insert(nodes.end(), rack->nodes.begin(), rack->nodes.end());
    room += rack->room;
    if (room >= job.ranks) return RackByRack(Spread(std::move(nodes), job));
  }
  return {};
}

std::vector<NodeShare> FitKind(const PlacementView& view, const PendingJob& job,
                               const std::string& kind, Extent extent) {
  std::optional<NodeShare> alone;
  NodeRating best;
  Racks racks;
  auto at = view.begin(), end = view.end();
  if (extent == Extent::kFree && job.only) {
    at = view.find(*job.only);
    end = at == end ? end : std::next(at);
  }
  for (; at != end; ++at) {
    const auto& [id, node] = *at;
    if (extent == Extent::kFree && IsPlainlyFull(node, job)) continue;
    if (!MayUse(id, node, job, extent)) continue;
    NodeShare here{&id, &node, RoomOfKind(node, job, kind, extent)};
    if (here.ranks == 0) continue;
    bool for_first = !job.first || *job.first == id;
    if (here.ranks >= job.ranks && for_first) {
      NodeRating rating = Rating(job, here);
      if (alone && !(rating < best)) continue;
      alone = here;
      best = rating;
      if (extent == Extent::kFree && best == Perfect(job)) break;
    } else if (!alone && job.within != Within::kMachine) {
      Rack& rack = racks[node.rack];
      rack.nodes.push_back(here);
      rack.room += here.ranks;
      rack.largest = std::max(rack.largest, here.ranks);
      rack.has_first |= for_first;
    }
  }
  if (alone) return {*alone};
  std::vector<NodeShare> rack = InOneRack(racks, job);
  return rack.empty() && job.within == Within::kFleet ? OverRacks(racks, job) : rack;
}

}  // namespace

std::vector<NodeShare> RackByRack(std::vector<NodeShare> shares) {
  std::vector<std::string_view> seen;
  auto place = [&](const NodeShare& share) {
    return std::find(seen.begin(), seen.end(), share.capacity->rack) - seen.begin();
  };
  for (const NodeShare& share : shares) {
    if (place(share) == std::ssize(seen)) seen.push_back(share.capacity->rack);
  }
  std::stable_sort(shares.begin(), shares.end(),
                   [&](const NodeShare& a, const NodeShare& b) { return place(a) < place(b); });
  return shares;
}

bool HasLabels(const NodeCapacity& node, const PendingJob& job) {
  return std::all_of(job.selector.begin(), job.selector.end(), [&](const auto& wanted) {
    auto label = node.labels.find(wanted.first);
    return label != node.labels.end() && label->second == wanted.second;
  });
}

bool IsOfKind(const GpuSlot& gpu, const std::string& kind) {
  auto same = [](char a, char b) { return Lower(a) == Lower(b); };
  return std::search(gpu.kind.begin(), gpu.kind.end(), kind.begin(), kind.end(), same) !=
             gpu.kind.end() ||
         kind.empty();
}

uint32_t RoomOn(const NodeCapacity& node, const PendingJob& job, Extent extent) {
  uint32_t most = 0;
  for (const std::string& kind : job.gpu_kinds.empty() ? kAnyKind : job.gpu_kinds) {
    most = std::max(most, RoomOfKind(node, job, kind, extent));
  }
  return most;
}

bool FitsNode(const NodeCapacity& node, const PendingJob& job) {
  return HasLabels(node, job) && RoomOn(node, job, Extent::kWhole) >= job.ranks;
}

bool FitsOneNode(const PlacementView& view, const PendingJob& job) {
  return std::any_of(view.begin(), view.end(),
                     [&](const auto& entry) { return FitsNode(entry.second, job); });
}

GangFit FitGang(const PlacementView& view, const PendingJob& job, Extent extent) {
  bool by_name = extent == Extent::kFree && (job.only || job.first || !job.avoid.empty());
  if (by_name || view.size() <= kFewNodes) return FitGangByScan(view, job, extent);
  for (const std::string& kind : job.gpu_kinds.empty() ? kAnyKind : job.gpu_kinds) {
    std::vector<NodeShare> shares = view.index().Fit(view.nodes(), job, kind, extent);
    if (!shares.empty()) return {std::move(shares), kind};
  }
  return {};
}

GangFit FitGangByScan(const PlacementView& view, const PendingJob& job, Extent extent) {
  if (extent == Extent::kWhole && job.first) {
    PendingJob anywhere = job;
    anywhere.first.reset();
    return FitGangByScan(view, anywhere, extent);
  }
  for (const std::string& kind : job.gpu_kinds.empty() ? kAnyKind : job.gpu_kinds) {
    std::vector<NodeShare> shares = FitKind(view, job, kind, extent);
    if (!shares.empty()) return {std::move(shares), kind};
  }
  return {};
}

Placement TakeSlots(PlacementView* view, const PendingJob& job, const GangFit& fit) {
  Placement placement{job.id, {}};
  for (const NodeShare& share : fit.shares) {
    NodeCapacity& node = *view->Change(*share.node);
    auto gpu = node.gpus.begin();
    for (uint32_t local = 0; local < share.ranks; ++local) {
      RankSlot slot{*share.node, local, {}};
      while (slot.gpu_uuids.size() < job.gpus) {
        gpu = std::find_if(gpu, node.gpus.end(), [&](const GpuSlot& candidate) {
          return candidate.taken == 0 && IsOfKind(candidate, fit.gpu_kind);
        });
        CHECK(gpu != node.gpus.end()) << "no GPU is free on " << share.node->value;
        ++gpu->taken;
        slot.gpu_uuids.push_back(gpu->uuid);
      }
      node.cpus_free -= job.cpus;
      node.memory_free -= job.memory;
      placement.ranks.push_back(std::move(slot));
    }
  }
  return placement;
}

void Occupy(PlacementView* view, const Holding& holding, int sign) {
  for (const RankSlot& slot : holding.ranks) {
    NodeCapacity* node = view->Change(slot.node);
    if (node == nullptr) continue;
    node->cpus_free -= sign * int64_t{holding.cpus};
    node->memory_free -= sign * holding.memory;
    // Mostly they are in the node's order.
    auto gpu = node->gpus.begin();
    for (const std::string& uuid : slot.gpu_uuids) {
      auto same = [&](const GpuSlot& candidate) { return candidate.uuid == uuid; };
      gpu = std::find_if(gpu, node->gpus.end(), same);
      if (gpu == node->gpus.end()) gpu = std::find_if(node->gpus.begin(), gpu, same);
      if (gpu != node->gpus.end()) gpu->taken += sign;
    }
  }
}

}  // namespace coxswain::coordinator::core

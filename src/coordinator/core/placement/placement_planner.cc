#include "coordinator/core/placement/placement_planner.h"

#include <algorithm>
#include <tuple>

#include "common/base/byte_text.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

struct Candidate {
  const NodeId* node;
  const NodeCapacity* capacity;
  uint32_t room;  // how many ranks fit
};

uint32_t RoomFor(const PendingJob& job, uint64_t cpus, uint64_t gpus, int64_t memory) {
  uint64_t room = job.ranks;
  if (job.cpus > 0) room = std::min(room, cpus / job.cpus);
  if (job.gpus > 0) room = std::min(room, gpus / job.gpus);
  if (job.memory > 0) room = std::min<uint64_t>(room, std::max<int64_t>(memory, 0) / job.memory);
  return static_cast<uint32_t>(room);
}

uint32_t FreeRoom(const PendingJob& job, const NodeCapacity& node) {
  return RoomFor(job, node.cpus_free, node.gpus_free.size(), node.memory_free);
}

bool Allowed(const PendingJob& job, const NodeId& id, const NodeCapacity& node) {
  return node.why_not.empty() && (!job.only || *job.only == id) && !job.avoid.contains(id);
}

// What makes one node better than another; less is better. A job without GPUs goes to machines
// without GPUs first. Then the one with the most room for it (`room` is capped at the gang's size),
// then the one that is left fullest; ties by node id, the order of the view.
std::tuple<bool, uint32_t, uint64_t> Rating(const PendingJob& job, const Candidate& c) {
  uint64_t left = job.gpus > 0 ? c.capacity->gpus_free.size() : c.capacity->cpus_free;
  return {job.gpus == 0 && c.capacity->gpus > 0, job.ranks - c.room, left};
}

// The best node that holds the whole gang, or nothing; all nodes with room are added to `spread`.
std::optional<Candidate> BestAlone(const PlacementView& view, const PendingJob& job,
                                   std::vector<Candidate>* spread) {
  std::optional<Candidate> best;
  for (const auto& [id, node] : view) {
    if (!Allowed(job, id, node)) continue;
    Candidate here{&id, &node, FreeRoom(job, node)};
    if (here.room == 0) continue;
    if (here.room < job.ranks || (job.first && *job.first != id)) {
      if (!best && !job.one_node) spread->push_back(here);
    } else if (!best || Rating(job, here) < Rating(job, *best)) {
      best = here;
    }
  }
  return best;
}

// The nodes to use and how many ranks on each; empty: it does not fit now.
std::vector<Candidate> Choose(const PlacementView& view, const PendingJob& job) {
  std::vector<Candidate> spread;
  if (std::optional<Candidate> alone = BestAlone(view, job, &spread)) return {*alone};
  std::stable_sort(spread.begin(), spread.end(), [&](const Candidate& a, const Candidate& b) {
    return Rating(job, a) < Rating(job, b);
  });
  if (job.first) {
    auto first = std::find_if(spread.begin(), spread.end(),
                              [&](const Candidate& each) { return *each.node == *job.first; });
    if (first == spread.end()) return {};
    std::rotate(spread.begin(), first, first + 1);
  }
  std::vector<Candidate> chosen;
  uint32_t left = job.ranks;
  for (Candidate candidate : spread) {
    candidate.room = std::min(candidate.room, left);
    left -= candidate.room;
    chosen.push_back(candidate);
    if (left == 0) return chosen;
  }
  return {};
}

Placement Take(PlacementView* view, const PendingJob& job, const std::vector<Candidate>& chosen) {
  Placement placement{job.id, {}};
  for (const Candidate& candidate : chosen) {
    NodeCapacity& node = view->at(*candidate.node);
    for (uint32_t local = 0; local < candidate.room; ++local) {
      RankSlot slot{*candidate.node, local, {}};
      slot.gpu_uuids.assign(node.gpus_free.begin(), node.gpus_free.begin() + job.gpus);
      node.gpus_free.erase(node.gpus_free.begin(), node.gpus_free.begin() + job.gpus);
      node.cpus_free -= job.cpus;
      node.memory_free -= job.memory;
      placement.ranks.push_back(std::move(slot));
    }
  }
  return placement;
}

std::string FreeText(const PlacementView& view, const PendingJob& job) {
  uint64_t nodes = 0, room = 0, cpus = 0, cpus_free = 0, gpus = 0, gpus_free = 0, most = 0;
  const NodeCapacity* best = nullptr;
  std::map<std::string, uint64_t> unusable;
  for (const auto& [id, node] : view) {
    if (!node.why_not.empty() || job.avoid.contains(id)) {
      ++unusable[node.why_not.empty() ? "where its file:// store is not seen" : node.why_not];
      continue;
    }
    uint32_t here = FreeRoom(job, node);
    ++nodes;
    room += here;
    cpus += node.cpus;
    cpus_free += node.cpus_free;
    gpus += node.gpus;
    gpus_free += node.gpus_free.size();
    if (best == nullptr || here > most) best = &node, most = here;
  }
  std::string out;
  if (nodes == 0) {
    out = view.empty() ? "no worker has connected" : "no worker is ready";
  } else {
    out = "free: " + std::to_string(cpus_free) + " of " + Plural(cpus, "CPU slot");
    if (job.gpus > 0) out += ", " + std::to_string(gpus_free) + " of " + Plural(gpus, "GPU");
    out += " on " + Plural(nodes, "node");
    if (job.one_node) {
      out += "; most room on one: " + Plural(most, "rank") + " (" + best->name + ")";
    } else {
      out += ", room for " + Plural(std::min<uint64_t>(room, job.ranks), "rank");
    }
  }
  for (const auto& [why, count] : unusable) out += "; " + Plural(count, "node") + " " + why;
  return out;
}

// " on a, which holds its checkpoints; it is draining": of a job that one node has to take part in.
std::string WhyNotThere(const PlacementView& view, const PendingJob& job) {
  const NodeId& id = job.only ? *job.only : *job.first;
  auto node = view.find(id);
  bool known = node != view.end();
  std::string out = (job.only || job.ranks == 1 ? " on " : ", rank 0 on ") +
                    (known ? node->second.name : id.value) + ", which holds " +
                    (job.first ? "the checkpoint it begins with; " : "its checkpoints; ");
  if (!known) return out + "it has not connected";
  if (!node->second.why_not.empty()) return out + "it is " + node->second.why_not;
  if (job.only || FreeRoom(job, node->second) == 0) return out + FreeText({*node}, job);
  return out + FreeText(view, job);
}

std::string WhyNotNow(const PlacementView& view, const PendingJob& job) {
  std::string out = "needs " + NeedText(job);
  if (job.only || job.first) return out + WhyNotThere(view, job);
  if (job.one_node && job.ranks > 1) out += " on one node";
  return out + "; " + FreeText(view, job);
}

}  // namespace

std::string NeedText(const PendingJob& job) {
  std::string out = Plural(job.ranks, "rank") + " of " + Plural(job.cpus, "CPU slot");
  if (job.gpus > 0) out += " and " + Plural(job.gpus, "GPU");
  if (job.memory > 0)
    out += " and " + base::BytesText(static_cast<uint64_t>(job.memory)) + " of memory";
  if (job.ranks > 1) out += " each";
  return out;
}

bool FitsOneNode(const PlacementView& view, const PendingJob& job) {
  return std::any_of(view.begin(), view.end(), [&](const auto& entry) {
    const NodeCapacity& node = entry.second;
    return RoomFor(job, node.cpus, node.gpus, node.memory) >= job.ranks;
  });
}

Plan PlanPlacements(PlacementView view, const std::vector<PendingJob>& pending, const Policy&,
                    base::Time) {
  Plan plan;
  std::string holder;  // what the blocking job needs
  uint64_t ahead = 0;
  for (const PendingJob& job : pending) {
    if (plan.blocked) {
      plan.why.push_back({job.id, "first in, first out: " + Plural(ahead, "job") + " ahead; " +
                                      base::ToString(*plan.blocked) + " is first and " + holder});
      ++ahead;
      continue;
    }
    std::vector<Candidate> chosen = Choose(view, job);
    if (chosen.empty()) {
      plan.blocked = job.id;
      holder = WhyNotNow(view, job);
      ahead = 1;
      plan.why.push_back({job.id, holder});
      continue;
    }
    plan.placements.push_back(Take(&view, job, chosen));
  }
  return plan;
}

std::string WhyNever(const PlacementView& view, const PendingJob& job) {
  uint64_t room = 0;
  uint32_t most = 0, cpus = 0, gpus = 0;
  int64_t memory = 0;
  for (const auto& [id, node] : view) {
    uint32_t here = RoomFor(job, node.cpus, node.gpus, node.memory);
    room += here;
    most = std::max(most, here);
    if ((job.one_node ? most : room) >= job.ranks) return "";
    cpus = std::max(cpus, node.cpus);
    gpus = std::max(gpus, node.gpus);
    memory = std::max(memory, node.memory);
  }
  if (view.empty()) return "";
  std::string out = "needs " + NeedText(job);
  if (job.one_node && job.ranks > 1) out += " on one node (its checkpoint store is file://)";
  out += ", but the whole fleet of " + Plural(view.size(), "node") + " has room for ";
  out += std::to_string(job.one_node ? most : room) + (job.one_node ? " on one node" : "");
  out += " (its largest node: " + Plural(cpus, "CPU slot") + ", " + Plural(gpus, "GPU");
  if (job.memory > 0) out += ", " + base::BytesText(static_cast<uint64_t>(memory)) + " of memory";
  return out + ")";
}

}  // namespace coxswain::coordinator::core

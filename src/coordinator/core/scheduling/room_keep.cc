// Which slots are kept for a job that waits for others to end. What those hold is kept by them
// until then: of what is free now, only that is kept which the job will need besides. (Nobody
// named: of all that would be free.)
#include <algorithm>

#include "coordinator/core/placement/gang_fit.h"
#include "coordinator/core/scheduling/room_finder.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kMostEnders = 256;  // more, and what is free is not spared
constexpr size_t kMostNodes = 64;    // of theirs, likewise

Holding Taken(PlacementView* view, const PendingJob& needs, const GangFit& fit) {
  return {TakeSlots(view, needs, fit).ranks, needs.cpus, needs.memory};
}

}  // namespace

// What it holds is given back (1) or taken again (-1), and what overlaps with it counts anew.
// True: it has overlaps, and is no longer where it was.
bool RoomFinder::Toggle(JobId job, int sign) {
  Occupy(in_.fleet, held_.at(job), -sign);
  auto of = overlaps_of_.find(job);
  if (of == overlaps_of_.end()) return false;
  const bool changes = sign > 0 ? gone_.insert(job).second : gone_.erase(job) > 0;
  if (!changes) return false;
  for (size_t i : of->second) {
    const Overlap& overlap = overlaps_[i];
    const JobId other = overlap.from == job ? overlap.to : overlap.from;
    if (!gone_.contains(other)) Occupy(in_.fleet, overlap.on_node, sign);
  }
  return true;
}

void RoomFinder::LiftAll(int sign) {
  for (const Reservation& each : reservations_) Toggle(each.job, sign);
}

void RoomFinder::Keep(const WaitingJob& job, const PendingJob& needs,
                      std::optional<base::Time> starts, const Enders& enders, bool spares) {
  const bool few = enders.size() <= kMostEnders;
  spares = spares && few;
  Holding kept = ChooseKept(needs, spares ? enders : Enders());
  Occupy(in_.fleet, kept, 1);
  if (spares) NoteOverlaps(job.id, kept, enders);
  Took(job, std::move(kept));
  if (few) NoteQueueOverlaps(job, enders);
  kept_[job.id] = in_.running.size();  // see WillRun
  Count(job, true, 1);
  reservations_.push_back({starts, job.id});
}

std::map<NodeId, RoomFinder::Freed> RoomFinder::FreedBy(const Enders& enders) const {
  std::map<NodeId, Freed> freed;
  for (const RunningJob* ender : enders) {
    const Holding& held = held_.at(ender->id);
    for (const RankSlot& slot : held.ranks) {
      Freed& here = freed[slot.node];
      here.cpus += held.cpus;
      here.memory += held.memory;
      here.gpus.insert(slot.gpu_uuids.begin(), slot.gpu_uuids.end());
    }
    auto of = overlaps_of_.find(ender->id);
    if (of == overlaps_of_.end()) continue;
    for (size_t i : of->second) {
      const Overlap& overlap = overlaps_[i];
      if (overlap.from != ender->id || gone_.contains(overlap.to)) continue;
      if (overlap.on_node.ranks.empty()) continue;
      Freed& here = freed[overlap.on_node.ranks.front().node];
      here.cpus -= overlap.on_node.cpus;
      here.memory -= overlap.on_node.memory;
    }
  }
  return freed;
}

// The nodes that those who end are on: with no GPUs (of a job without: no CPU slots) but those that
// they free, or with all that is free once they have, their GPUs first.
PlacementView RoomFinder::NodesOf(const std::map<NodeId, Freed>& freed, const PendingJob& needs,
                                  bool only_freed) const {
  PlacementView::Nodes nodes;
  for (const auto& [id, from_them] : freed) {
    auto found = in_.fleet->find(id);
    if (found == in_.fleet->end()) continue;
    NodeCapacity node = found->second;
    auto is_theirs = [&](const GpuSlot& gpu) { return from_them.gpus.contains(gpu.uuid); };
    if (only_freed && needs.gpus == 0) node.cpus_free = std::min(node.cpus_free, from_them.cpus);
    if (only_freed && needs.gpus > 0) {
      for (GpuSlot& gpu : node.gpus) gpu.taken += is_theirs(gpu) ? 0 : 1;
    }
    std::stable_partition(node.gpus.begin(), node.gpus.end(), is_theirs);
    nodes.emplace(id, std::move(node));
  }
  return PlacementView(std::move(nodes));
}

// As many of its ranks as go where others end, and the rest elsewhere. Nothing: that does not do.
std::optional<Holding> RoomFinder::ChoosePart(const PendingJob& needs, const std::string& kind,
                                              PlacementView* freed) {
  PendingJob part = needs;
  if (!kind.empty()) part.gpu_kinds = {kind};
  GangFit best;
  uint32_t fits = 0, too_many = needs.ranks;
  while (too_many - fits > 1) {
    part.ranks = (fits + too_many) / 2;
    GangFit fit = FitGangByScan(*freed, part, Extent::kFree);
    (fit.shares.empty() ? too_many : fits) = part.ranks;
    if (!fit.shares.empty()) best = std::move(fit);
  }
  if (fits == 0) return std::nullopt;
  part.ranks = fits;
  Holding kept = Taken(freed, part, best);
  Occupy(in_.fleet, kept, 1);
  part.ranks = needs.ranks - fits;
  const GangFit rest = FitGang(*in_.fleet, part, Extent::kFree);
  if (!rest.shares.empty()) {
    const Holding others = Taken(in_.fleet, part, rest);
    kept.ranks.insert(kept.ranks.end(), others.ranks.begin(), others.ranks.end());
  }
  Occupy(in_.fleet, kept, -1);
  return rest.shares.empty() ? std::nullopt : std::optional(std::move(kept));
}

// It fits, once they have ended.
Holding RoomFinder::ChooseKept(const PendingJob& needs, const Enders& enders) {
  const std::map<NodeId, Freed> freed = FreedBy(enders);
  const GangFit anywhere = FitGang(*in_.fleet, needs, Extent::kFree);
  if (!freed.empty() && freed.size() <= kMostNodes) {
    PlacementView view = NodesOf(freed, needs, true);
    GangFit fit = FitGangByScan(view, needs, Extent::kFree);
    if (!fit.shares.empty()) return Taken(&view, needs, fit);
    if (needs.within == Within::kFleet && !needs.only && !needs.first) {
      std::optional<Holding> kept = ChoosePart(needs, anywhere.gpu_kind, &view);
      if (kept) return *std::move(kept);
    }
    view = NodesOf(freed, needs, false);
    fit = FitGangByScan(view, needs, Extent::kFree);
    if (!fit.shares.empty()) return Taken(&view, needs, fit);
  }
  Holding kept = Taken(in_.fleet, needs, anywhere);
  Occupy(in_.fleet, kept, -1);
  return kept;
}

void RoomFinder::NoteOverlaps(JobId job, const Holding& kept, const Enders& enders) {
  std::map<NodeId, Freed> open;  // of what is kept, not yet known to come from anybody
  for (const RankSlot& slot : kept.ranks) {
    open[slot.node].cpus += kept.cpus;
    open[slot.node].memory += kept.memory;
  }
  for (const RunningJob* ender : enders) {
    for (const auto& [id, freed] : FreedBy({ender})) {
      auto here = open.find(id);
      if (here == open.end()) continue;
      const int64_t cpus = std::max<int64_t>(0, std::min(here->second.cpus, freed.cpus));
      const int64_t memory = std::max<int64_t>(0, std::min(here->second.memory, freed.memory));
      if (cpus == 0 && memory == 0) continue;
      here->second.cpus -= cpus;
      here->second.memory -= memory;
      for (JobId side : {ender->id, job}) overlaps_of_[side].push_back(overlaps_.size());
      Overlap overlap{.from = ender->id, .to = job};
      overlap.on_node = {{RankSlot{id, 0, {}}}, static_cast<uint32_t>(cpus), memory};
      overlaps_.push_back(std::move(overlap));
      gone_.insert(ender->id);
    }
  }
}

// Likewise of the quotas and limits of its queue and those above it, and of its user's.
void RoomFinder::NoteQueueOverlaps(const PlannedJob& job, const Enders& enders) {
  auto less = [](Amount* of, const Amount& by) {
    *of = {std::max<int64_t>(0, of->cpus - by.cpus), std::max<int64_t>(0, of->gpus - by.gpus)};
  };
  auto least = [](const Amount& a, const Amount& b) {
    return Amount{std::min(a.cpus, b.cpus), std::min(a.gpus, b.gpus)};
  };
  for (QueueIndex queue : in_.tree->path(job.queue)) {
    Amount open = job.demand;
    UserUse of_user{job.demand, 1};
    for (const RunningJob* ender : enders) {
      const std::vector<QueueIndex>& path = in_.tree->path(ender->queue);
      if (std::find(path.begin(), path.end(), queue) == path.end()) continue;
      Amount gives = ender->demand;
      UserUse to_user{ender->user == job.user ? ender->demand : Amount(),
                      ender->user == job.user ? 1 : 0};
      if (auto of = overlaps_of_.find(ender->id); of != overlaps_of_.end()) {
        for (size_t i : of->second) {
          const Overlap& other = overlaps_[i];
          const bool there = other.from == ender->id && !gone_.contains(other.to);
          if (!there || other.queue != queue || !other.on_node.ranks.empty()) continue;
          less(&gives, other.amount);
          less(&to_user.held, other.of_user.held);
          to_user.jobs = std::max<int64_t>(0, to_user.jobs - other.of_user.jobs);
        }
      }
      Overlap overlap{.from = ender->id, .to = job.id, .queue = queue, .user = job.user};
      overlap.amount = least(open, gives);
      overlap.of_user = {least(of_user.held, to_user.held), std::min(of_user.jobs, to_user.jobs)};
      if (overlap.amount == Amount() && overlap.of_user.jobs == 0) continue;
      less(&open, overlap.amount);
      less(&of_user.held, overlap.of_user.held);
      of_user.jobs -= overlap.of_user.jobs;
      for (JobId side : {ender->id, job.id}) overlaps_of_[side].push_back(overlaps_.size());
      overlaps_.push_back(std::move(overlap));
      gone_.insert(ender->id);
    }
  }
}

}  // namespace coxswain::coordinator::core

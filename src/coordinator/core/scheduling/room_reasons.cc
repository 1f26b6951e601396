// What the room finder can tell of a job that it has no room for.
#include <algorithm>

#include "common/base/duration_text.h"
#include "coordinator/core/placement/gang_fit.h"
#include "coordinator/core/scheduling/room_finder.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kNamesToTell = 3;
// Of one plan: a fleet that is too large for it is told less of what is kept.
constexpr size_t kMostKeptWork = 200'000;
constexpr size_t kMostNodesToTell = 64;

}  // namespace

bool RoomFinder::IsPromised(JobId job) const {
  return std::any_of(reservations_.begin(), reservations_.end(),
                     [&](const Reservation& each) { return each.job == job; });
}

// GPUs, or CPU slots for a job without, on these nodes.
int64_t RoomFinder::FreeFor(const PendingJob& needs, const std::set<NodeId>& on) const {
  int64_t free = 0;
  for (const NodeId& id : on) {
    const NodeCapacity& node = in_.fleet->at(id);
    if (!node.why_not.empty() || !HasLabels(node, needs)) continue;
    if (needs.gpus == 0) {
      free += std::max<int64_t>(node.cpus_free, 0);
    } else {
      free += std::count_if(node.gpus.begin(), node.gpus.end(),
                            [](const GpuSlot& gpu) { return gpu.taken == 0; });
    }
  }
  return free;
}

std::string RoomFinder::KeptText(const std::vector<const Reservation*>& kept,
                                 const PendingJob& needs, int64_t free) const {
  std::string out = "; what is free is";
  if (free > 0) {
    out = "; " + Plural(static_cast<uint64_t>(free), needs.gpus > 0 ? "free GPU" : "free CPU slot");
    out += free == 1 ? " is" : " are";
  }
  out += " kept for ";
  bool known = true;
  for (size_t i = 0; i < kept.size(); ++i) {
    known = known && kept[i]->starts;
    if (i < kNamesToTell) out += (i == 0 ? "" : ", ") + in_.name(kept[i]->job);
  }
  if (kept.size() > kNamesToTell) {
    out += " and " + Plural(kept.size() - kNamesToTell, "other");
  }
  const std::string that = kept.size() == 1 ? "that one starts" : "those start";
  if (!known) return out + ", and when " + that + " is not known";
  if (!in_.settings->backfill) return out;
  return out + "; a job that is known to end before " + that + " may go first (spec.expected_time)";
}

Kept RoomFinder::KeptFrom(const PendingJob& needs) {
  Kept kept;
  if (reservations_.empty() || kept_work_ > kMostKeptWork) return kept;
  auto fits = [&] {
    kept_work_ += in_.fleet->size();
    return !FitGang(*in_.fleet, needs, Extent::kFree).shares.empty();
  };
  std::vector<const Reservation*> lifted;
  bool enough = false;
  for (const Reservation& each : reservations_) {
    const Holding& holding = held_.at(each.job);
    kept_work_ += holding.ranks.size();
    Toggle(each.job, 1);
    lifted.push_back(&each);
    if ((enough = fits())) break;
  }
  // Without those that make no difference. The last one does.
  for (size_t i = 0; enough && i + 1 < lifted.size();) {
    Toggle(lifted[i]->job, -1);
    if (fits()) {
      lifted.erase(lifted.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      Toggle(lifted[i++]->job, 1);
    }
  }
  std::set<NodeId> nodes;
  for (const Reservation* each : lifted) {
    if (!enough) break;
    kept.jobs.push_back(each->job);
    for (const RankSlot& slot : held_.at(each->job).ranks) nodes.insert(slot.node);
    for (const RankSlot& slot : held_.at(each->job).ranks) {
      if (kept.on.size() == kMostNodesToTell) break;
      if (RoomOn(in_.fleet->at(slot.node), needs, Extent::kFree) > 0) kept.on.insert(slot.node);
    }
  }
  const int64_t free = FreeFor(needs, nodes);
  for (const Reservation* each : lifted) Toggle(each->job, -1);
  if (enough) kept.text = KeptText(lifted, needs, free - FreeFor(needs, nodes));
  // Where some room is left all the same, nothing is said.
  std::erase_if(kept.on, [&](const NodeId& node) {
    return RoomOn(in_.fleet->at(node), needs, Extent::kFree) > 0;
  });
  return kept;
}

// One that is about to end costs the others nothing but a moment, and its stop might take as long.
// One that was stopped before and is stopped again as soon as it has started comes to nothing.
// Nobody waits for them for longer than `grace`.
std::optional<base::Time> RoomFinder::SparedUntil(const RunningJob& running,
                                                  const WaitingJob& job) const {
  if (running.lost || job.lost || job.waited >= in_.grace) return std::nullopt;
  const base::Time waited_enough = in_.now + (in_.grace - job.waited);
  if (running.ends && *running.ends <= in_.now + in_.grace) return waited_enough;
  const base::Time settled = running.started + in_.grace;
  if (!running.made_room || settled <= in_.now) return std::nullopt;
  return std::min(settled, waited_enough);
}

void RoomFinder::TellSpared(const WaitingJob& job, Promise* promise) const {
  for (const RunningJob& running : in_.running) {
    if (running.stopping || placed_.contains(running.id)) continue;
    const std::optional<base::Time> until = SparedUntil(running, job);
    if (!until || (promise->spared && *promise->spared <= *until)) continue;
    if (WhyYields(running, job).empty()) continue;
    promise->spared = until;
    const bool ends = running.ends && *running.ends <= in_.now + in_.grace;
    promise->spared_text = "; " + in_.name(running.id) +
                           (ends ? " is about to end, and"
                                 : ", which was stopped for others and started again " +
                                       base::DurationText(in_.now - running.started) + " ago,") +
                           " is left alone for " + base::DurationText(*until - in_.now);
  }
}

std::string RoomFinder::WhyNoneYield(const WaitingJob& job) const {
  const bool would = std::any_of(in_.running.begin(), in_.running.end(), [&](const auto& each) {
    return each.queue == job.queue && !each.lost && !placed_.contains(each.id) &&
           policy_.Yields(each, job) && GoesFirst(each, job);
  });
  if (!would) return "";
  const QueueSettings& queue = in_.tree->settings(job.queue);
  const Amount needs = LeastDemand(job);
  const bool alone = needs.cpus > queue.quota.cpus.value_or(needs.cpus) ||
                     needs.gpus > queue.quota.gpus.value_or(needs.gpus);
  return "; it needs " + HeldText(queue.quota, needs) + ", " +
         (alone ? "more than queue " + queue.name + "'s quota of "
                : "with which queue " + queue.name + " would hold more than its quota of ") +
         BoundText(queue.quota) + ": jobs within the quota do not let go for it";
}

}  // namespace coxswain::coordinator::core

#include "coordinator/core/scheduling/room_finder.h"

#include <algorithm>
#include <utility>

#include "common/base/duration_text.h"
#include "coordinator/core/placement/placement_text.h"
#include "coordinator/core/placement/useful_slots.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kVictimsToTell = 3;
constexpr size_t kMostLentWork = 200'000;  // ranks whose promised slots are tried out for others

}  // namespace

RoomFinder::RoomFinder(PlanRequest& request, const Policy& policy) : in_(request), policy_(policy) {
  in_.tree->ForgetLeaving();
  for (const RunningJob& job : in_.running) {
    if (job.stopping && !job.back) in_.tree->Leave(job.queue, job.demand);
  }
}

Room RoomFinder::Fit(const PendingJob& needs, std::optional<base::Duration> expected) {
  if (!needs.shuns.empty()) {
    PendingJob elsewhere = needs;
    elsewhere.avoid.merge(elsewhere.shuns);
    elsewhere.shuns.clear();
    Room room = Fit(elsewhere, expected);
    if (room) return room;
  }
  Room room{FitGang(*in_.fleet, needs, Extent::kFree), {}};
  if (room || !expected || !in_.settings->backfill) return room;
  const base::Time ends = in_.now + *expected;
  size_t ranks = 0;
  for (const Reservation& each : reservations_) {
    if (!each.starts || *each.starts < ends) continue;
    room.lent.push_back(each.job);
    ranks += held_.at(each.job).ranks.size();
  }
  lent_work_ += ranks;
  if (room.lent.empty() || lent_work_ > kMostLentWork) return room;
  for (JobId each : room.lent) Toggle(each, 1);
  room.fit = FitGang(*in_.fleet, needs, Extent::kFree);
  for (JobId each : room.lent) Toggle(each, -1);
  return room;
}

bool RoomFinder::NeverFits(const PendingJob& needs) {
  std::vector<JobId> lent;
  for (const Reservation& each : reservations_) {
    if (!each.starts) continue;
    lent.push_back(each.job);
    lent_work_ += held_.at(each.job).ranks.size();
  }
  if (lent_work_ > kMostLentWork) return false;
  for (JobId each : lent) Toggle(each, 1);
  const bool fits = !FitGang(*in_.fleet, needs, Extent::kFree).shares.empty();
  for (JobId each : lent) Toggle(each, -1);
  return !fits;
}

Placement RoomFinder::Place(const WaitingJob& job, const PendingJob& needs, const Room& room) {
  Placement placement = Take(job, needs, room);
  WillRun(job, in_.now);
  return placement;
}

Moved RoomFinder::Move(const WaitingJob& job, const PendingJob& needs, std::string* why,
                       Promise* promise) {
  auto running = std::find_if(in_.running.begin(), in_.running.end(),
                              [&](const RunningJob& each) { return each.id == job.id; });
  if (running == in_.running.end() || running->stopping) return Moved::kLetsGo;
  LetGo(*running, false, 1);
  const Holding before = held_.at(job.id);
  const Room room = Fit(needs, std::nullopt);
  if (room) {
    Take(job, needs, room);
  } else {
    *why = WhyNotNow(needs);
    TakeBack(job, needs, promise);
  }
  // It stops only when there is room: what it holds is nobody's yet, and counts until then.
  if (auto kept = kept_.find(job.id); kept != kept_.end()) {
    kept->second = static_cast<size_t>(running - in_.running.begin());
  }
  Holding after = std::exchange(held_[job.id], before);
  LetGo(*running, false, -1);
  held_[job.id] = std::move(after);
  return room ? Moved::kYes : Moved::kNo;
}

std::string RoomFinder::WhyNotNow(const PendingJob& needs) {
  LiftAll(1);
  std::string why = core::WhyNotNow(*in_.fleet, needs);
  LiftAll(-1);
  return why;
}

// Its slots, in a moment. What it wants back itself goes to those who are before it.
bool RoomFinder::Gives(const RunningJob& running, const WaitingJob& to) const {
  return running.stopping && !placed_.contains(running.id) &&
         (!running.back || !WhyYields(running, to).empty());
}

bool RoomFinder::FitsOnceStopped(const WaitingJob& job, const PendingJob& needs) {
  std::vector<const RunningJob*> stopping;
  for (const RunningJob& running : in_.running) {
    if (Gives(running, job)) stopping.push_back(&running);
  }
  if (stopping.empty()) return false;
  for (const RunningJob* each : stopping) LetGo(*each, 1);
  bool fits = HasRoom(job, needs);
  for (const RunningJob* each : stopping) LetGo(*each, -1);
  return fits;
}

bool RoomFinder::IsOverLimits(const WaitingJob& job, std::optional<base::Duration> expected) {
  auto over = [&] {
    return in_.tree->OverLimit(job.queue, job.demand) ||
           in_.tree->OverUserLimit(job.queue, job.user, job.demand);
  };
  if (!over()) return false;
  if (!expected || !in_.settings->backfill || reservations_.empty()) return true;
  if ((lent_work_ += reservations_.size()) > kMostLentWork) return true;
  std::vector<JobId> later;
  for (const Reservation& each : reservations_) {
    if (each.starts && *each.starts >= in_.now + *expected) later.push_back(each.job);
  }
  for (JobId each : later) Lift(each, 1);
  const bool still = over();
  for (JobId each : later) Lift(each, -1);
  return still;
}

bool RoomFinder::MightTake(const WaitingJob& job) const {
  return std::any_of(in_.running.begin(), in_.running.end(), [&](const RunningJob& each) {
    if (placed_.contains(each.id)) return false;
    if (each.lost || each.stopping) return true;
    return in_.tree->MayReclaim(job.queue, job.demand, each.queue) ||
           (each.queue == job.queue && policy_.Yields(each, job));
  });
}

Promise RoomFinder::Reserve(const WaitingJob& job, const PendingJob& needs, bool waits) {
  Promise promise;
  TellSpared(job, &promise);
  if (TakeBack(job, needs, &promise) ||
      (waits && policy_.KeepsSlotsFor(job) && WaitForEnds(job, needs, true, &promise))) {
    promise.made = true;
    WillRun(job, promise.starts);
  }
  return promise;
}

void RoomFinder::Undo() {
  for (JobId job : placed_) Toggle(job, 1);
  placed_.clear();
  reservations_.clear();
}

RoomFinder::Tier RoomFinder::TierOf(const RunningJob& running, const WaitingJob& than) const {
  const bool lent = in_.tree->MayReclaim(than.queue, than.demand, running.queue);
  return {!running.lost, !lent, running.priority};
}

// What it denies to others, as in usage.h.
int64_t RoomFinder::SizeOf(const PlannedJob& job) const {
  return std::max(job.demand.cpus, job.demand.gpus * in_.settings->slots_per_gpu);
}

std::vector<RunningJob*> RoomFinder::Candidates(const WaitingJob& job, First first) {
  using Key = std::tuple<Tier, int64_t, int64_t, int64_t>;
  std::vector<std::pair<Key, RunningJob*>> found;
  for (RunningJob& running : in_.running) {
    bool may = !running.stopping && running.id != job.id && !placed_.contains(running.id);
    if (!may || SparedUntil(running, job) || WhyYields(running, job).empty()) continue;
    const int64_t size = SizeOf(running);
    const bool large = first == First::kSmall && size > SizeOf(job);
    found.push_back({{TierOf(running, job), large ? size : 0, -running.started.us,
                      -static_cast<int64_t>(running.id.value)},
                     &running});
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<RunningJob*> order;
  for (const auto& [key, running] : found) order.push_back(running);
  return order;
}

std::string RoomFinder::WhyYields(const RunningJob& running, const WaitingJob& to) const {
  if (running.lost) return to.lost ? "" : "waits for what it holds, and its nodes are lost";
  if (in_.tree->MayReclaim(to.queue, to.demand, running.queue) && !OnlyGrewTooLarge(running)) {
    // The quota may be that of a queue above its own.
    const QueueSettings& within = in_.tree->settings(in_.tree->SideOf(to.queue, running.queue));
    return "is within the quota of queue " + within.name + " (" + BoundText(within.quota) +
           "), and queue " + in_.tree->settings(running.queue).name + " has borrowed";
  }
  if (running.queue != to.queue || !policy_.Yields(running, to) || GoesFirst(running, to))
    return "";
  if (running.priority < to.priority) {
    return "has a higher priority (" + std::to_string(to.priority) + ", its own is " +
           std::to_string(running.priority) + ")";
  }
  return "has had less of the machines";
}

// What holds of the queues if it held nothing.
template <class Holds>
bool RoomFinder::Without(const RunningJob& running, Holds holds) const {
  in_.tree->Take(running.queue, running.user, running.demand, -1);
  const bool answer = holds();
  in_.tree->Take(running.queue, running.user, running.demand, 1);
  return answer;
}

// Its queue has not borrowed for the least that it needs: it is made smaller (sizing.h) if that
// helps anybody. Stopped, it would have its least again at once, and grow, and be stopped again.
bool RoomFinder::OnlyGrewTooLarge(const RunningJob& running) const {
  return running.least < running.workers && Without(running, [&] {
           return in_.tree->IsWithinQuota(running.queue, LeastDemand(running));
         });
}

// Within the quota, which the other would not be: it would be placed again before it.
bool RoomFinder::GoesFirst(const RunningJob& running, const WaitingJob& than) const {
  return Without(running, [&] {
    return in_.tree->IsWithinQuota(running.queue, LeastDemand(running)) &&
           !in_.tree->IsWithinQuota(than.queue, LeastDemand(than));
  });
}

bool RoomFinder::HasRoom(const WaitingJob& job, const PendingJob& needs) {
  return !in_.tree->OverLimit(job.queue, job.demand) &&
         !in_.tree->OverUserLimit(job.queue, job.user, job.demand) &&
         !FitGang(*in_.fleet, needs, Extent::kFree).shares.empty();
}

const Holding& RoomFinder::HeldBy(const RunningJob& running) {
  auto found = held_.find(running.id);
  if (found == held_.end()) found = held_.emplace(running.id, in_.held(running.id)).first;
  return found->second;
}

bool RoomFinder::Helps(const RunningJob& running, const WaitingJob& job, const PendingJob& needs) {
  return !IsPromised(running.id) && HoldsWanted(running, job, needs);
}

// Of the limit that it is over, or of the nodes.
bool RoomFinder::HoldsWanted(const RunningJob& running, const WaitingJob& job,
                             const PendingJob& needs) {
  if (const std::optional<Barrier> by = BarredBy(job)) return Counts(running, job, *by);
  return HoldsUsefulSlots(*in_.fleet, needs, HeldBy(running));
}

std::vector<JobId> RoomFinder::WaitsFor(const WaitingJob& job, const PendingJob& needs,
                                        size_t most) {
  std::vector<JobId> found;
  for (const RunningJob* running : BySoonestEnd()) {
    if (found.size() == most) break;
    if (Helps(*running, job, needs)) found.push_back(running->id);
  }
  return found;
}

// As if it had let go (1), or not after all (-1).
void RoomFinder::LetGo(const RunningJob& running, int sign) {
  LetGo(running, kept_.contains(running.id), sign);
}

void RoomFinder::LetGo(const RunningJob& running, bool promised, int sign) {
  HeldBy(running);
  const bool changes = Toggle(running.id, sign);
  Count(running, promised, -sign);
  if (!changes) return;
  for (size_t i : overlaps_of_.at(running.id)) {
    const Overlap& each = overlaps_[i];
    if (gone_.contains(each.from == running.id ? each.to : each.from)) continue;
    in_.tree->Promise(each.queue, each.user, each.amount, each.of_user, sign);
  }
}

// What it holds, or is promised, of its queues and its user's share.
void RoomFinder::Count(const PlannedJob& job, bool promised, int sign) {
  if (!promised) return in_.tree->Take(job.queue, job.user, job.demand, sign);
  for (QueueIndex each : in_.tree->path(job.queue)) {
    in_.tree->Promise(each, job.user, job.demand, {job.demand, 1}, sign);
  }
}

std::optional<std::vector<RoomFinder::Victim>> RoomFinder::Choose(const WaitingJob& job,
                                                                  const PendingJob& needs,
                                                                  First first) {
  std::vector<Victim> gone;
  for (RunningJob& running : in_.running) {
    if (Gives(running, job)) gone.push_back({&running, ""});
  }
  for (const Victim& each : gone) LetGo(*each.job, 1);
  bool fits = HasRoom(job, needs);
  for (RunningJob* candidate : fits ? std::vector<RunningJob*>() : Candidates(job, first)) {
    // An earlier victim may have paid back what its queue had borrowed.
    std::string why = WhyYields(*candidate, job);
    if (why.empty()) continue;
    gone.push_back({candidate, std::move(why)});
    LetGo(*candidate, 1);
    if ((fits = HasRoom(job, needs))) break;
  }
  // Spare those that are not needed, the last ones to be asked first.
  std::vector<Victim> needed;
  for (; !gone.empty(); gone.pop_back()) {
    LetGo(*gone.back().job, -1);
    if (!fits || HasRoom(job, needs)) continue;
    LetGo(*gone.back().job, 1);
    needed.insert(needed.begin(), std::move(gone.back()));
  }
  for (const Victim& each : needed) LetGo(*each.job, -1);
  if (!fits) return std::nullopt;
  return needed;
}

// The youngest, unless small ones let go of less. Those who are spared longest count first.
std::optional<std::vector<RoomFinder::Victim>> RoomFinder::Choose(const WaitingJob& job,
                                                                  const PendingJob& needs) {
  std::optional<std::vector<Victim>> young = Choose(job, needs, First::kYoungest);
  if (!young) return young;
  auto cost = [&](const std::vector<Victim>& victims) {
    std::map<Tier, int64_t, std::greater<>> by_tier;
    for (const Victim& each : victims) {
      if (!each.job->stopping) by_tier[TierOf(*each.job, job)] += SizeOf(*each.job);
    }
    return std::vector<std::pair<Tier, int64_t>>(by_tier.begin(), by_tier.end());
  };
  const bool wasteful = std::any_of(young->begin(), young->end(), [&](const Victim& each) {
    return !each.job->stopping && SizeOf(*each.job) > SizeOf(job);
  });
  if (!wasteful) return young;
  std::optional<std::vector<Victim>> small = Choose(job, needs, First::kSmall);
  return small && cost(*small) < cost(*young) ? small : young;
}

// From those that are stopping, and then from those that may be asked to.
bool RoomFinder::TakeBack(const WaitingJob& job, const PendingJob& needs, Promise* promise) {
  const std::optional<std::vector<Victim>> chosen = Choose(job, needs);
  if (!chosen) return false;
  const std::vector<Victim>& needed = *chosen;
  Enders enders;
  base::Duration longest{};
  for (const Victim& each : needed) {
    LetGo(*each.job, 1);
    enders.push_back(each.job);
    longest = std::max(longest, each.job->stop_takes);
  }
  promise->taken = true;
  promise->starts = in_.now + longest;
  Keep(job, needs, std::nullopt, enders, true);  // at any moment: they are lent to nobody
  std::string names;
  for (size_t i = 0; i < needed.size(); ++i) {
    RunningJob& victim = *needed[i].job;
    LetGo(victim, -1);
    if (i < kVictimsToTell) names += (i == 0 ? "" : ", ") + in_.name(victim.id);
    if (victim.stopping) continue;
    victim.stopping = true;
    ends_.clear();
    promise->preemptions.push_back({victim.id, job.id, in_.name(job.id) + " " + needed[i].why});
  }
  if (needed.size() > kVictimsToTell) {
    names += " and " + Plural(needed.size() - kVictimsToTell, "other");
  }
  const char* how = promise->preemptions.empty() ? ", which let go" : ", asked to save and let go";
  if (promise->preemptions.empty() && needed.size() == 1) how = ", which lets go";
  promise->text = "; it gets the slots of " + names + how;
  return true;
}

Placement RoomFinder::Take(const WaitingJob& job, const PendingJob& needs, const Room& room) {
  for (JobId each : room.lent) Toggle(each, 1);
  Placement placement = TakeSlots(in_.fleet, needs, room.fit);
  for (JobId each : room.lent) Toggle(each, -1);
  Took(job, {placement.ranks, needs.cpus, needs.memory});
  Count(job, false, 1);
  return placement;
}

// They are out of the view already.
void RoomFinder::Took(const WaitingJob& job, Holding holding) {
  held_[job.id] = std::move(holding);
  placed_.insert(job.id);
}

}  // namespace coxswain::coordinator::core

#include "coordinator/core/scheduling/planner.h"

#include <algorithm>
#include <array>
#include <map>

#include "common/base/duration_text.h"
#include "coordinator/core/placement/placement_text.h"
#include "coordinator/core/scheduling/lanes.h"
#include "coordinator/core/scheduling/limits.h"
#include "coordinator/core/scheduling/misfits.h"
#include "coordinator/core/scheduling/room_finder.h"
#include "coordinator/core/scheduling/sizing.h"
#include "coordinator/core/scheduling/start_times.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

// So many are told in full what they wait for: the first of their lines (fewer where there are many
// nodes), in each queue those behind them, and of each user those that his limits hold back.
constexpr size_t kMostFirsts = 512, kFewestFirsts = 64, kFirstsWork = 500'000;
constexpr size_t kMostBehind = 512, kMostBehindInQueue = 16;
constexpr size_t kMostOfUsers = 1024, kMostOfUser = 16;
// For so many it is found out when others end, fewer where many run; those that a limit holds back
// are counted apart, so that they take nothing from those that could have the slots.
constexpr size_t kMostReservations = 256, kFewestReservations = 16, kReservationsWork = 100'000;
// For so many others may be asked to let go.
constexpr size_t kMostTakes = 256;
// Those that might be started smaller wait for slots that come free in a moment; of more, it is
// taken for granted that they do.
constexpr size_t kMostStoppedLooks = 64;
// In a fleet of more nodes, too many hold what a job waits for to be told.
constexpr size_t kNodesToTellHolders = 16;
constexpr size_t kHoldersToTell = 4;
// In a larger one it takes too long to tell each of those that wait what it needs.
constexpr size_t kNodesToTellOwnNeed = 256;

// The jobs of one queue that ask for the same machines. One that asks for others does not wait
// behind them: it may get back what its queue has lent elsewhere.
struct Line {
  std::optional<JobId> first;  // that did not get slots
  std::string first_needs;
  bool keeps = true;    // nobody else is given what it waits for
  uint64_t behind = 0;  // jobs that were looked at after it
};
using LineKey = std::tuple<QueueIndex, std::map<std::string, std::string>, bool,
                           std::vector<std::string>>;  // selector, whether GPUs, which kinds

// Any machines will do for it.
bool IsPlain(const PendingJob& needs) {
  return needs.selector.empty() && needs.gpu_kinds.empty() && needs.within == Within::kFleet &&
         needs.memory == 0 && !needs.only && !needs.first && needs.avoid.empty();
}

class Pass {
 public:
  explicit Pass(PlanRequest request)
      : in_(std::move(request)),
        policy_(MakePolicy(*in_.settings, *in_.tree, *in_.usage)),
        closed_(in_.tree->size()),
        ahead_(in_.tree->size()),
        plain_lines_(in_.tree->size()),
        finder_(in_, *policy_),
        starts_(in_, *policy_, finder_),
        most_reservations_(std::clamp(kReservationsWork / (in_.running.size() + 1),
                                      kFewestReservations, kMostReservations)),
        most_firsts_(std::clamp(kFirstsWork / (in_.fleet->size() + 1), kFewestFirsts, kMostFirsts)),
        told_in_queue_(in_.tree->size()) {
    for (QueueIndex i = 0; i < in_.tree->size(); ++i) {
      const QueueSettings& queue = in_.tree->settings(i);
      user_limits_ |= queue.user_jobs || queue.user_limit.cpus || queue.user_limit.gpus;
    }
  }

  Plan Run() {
    Sizes sizes = SizeJobs(in_, *policy_);
    plan_.resizes = std::move(sizes.resizes);
    plan_.stays = std::move(sizes.stays);
    for (const WaitingJob& job : in_.waiting) {
      if (job.paused && !plan_.keeps_place) plan_.keeps_place = job.id;
    }
    lanes_.emplace(in_.waiting, *in_.tree, *policy_);
    auto skip = [&](const WaitingJob& job) { return IsKnownToWait(job); };
    while (WaitingJob* job = lanes_->Next(skip)) {
      if (job->lost) {
        Move(*job);
        continue;
      }
      std::optional<PendingJob> needs;
      if (Place(*job, &needs) || job->paused) continue;
      if (in_.tell && in_.estimate) starts_.Stands(*job, plan_);
      Explain(*job, std::move(needs));
    }
    if (in_.tell) starts_.Forecast(&plan_);
    finder_.Undo();
    if (in_.tell && in_.estimate) starts_.Estimate(&plan_);
    return std::move(plan_);
  }

 private:
  // There is no room for it, others of its line wait before it, and it has been told so.
  bool IsKnownToWait(const WaitingJob& job) {
    const bool told = !in_.tell || (job.told && !in_.estimate && !MayTellBehind(job.queue));
    if (!told || !job.plain || job.lost || job.paused || user_limits_) return false;
    const bool closed = closed_[job.queue] != nullptr;
    if (!closed && !plain_lines_[job.queue][job.rank.gpus > 0 ? 1 : 0]) return false;
    if (!closed && !misfits_.CoversPlainly(std::min(job.least, job.workers), job.rank)) {
      return false;
    }
    ++ahead_[job.queue];
    return true;
  }

  PendingJob NeedsOf(const WaitingJob& job) const {
    PendingJob needs = in_.needs(job.id);
    needs.ranks = job.workers;
    return needs;
  }

  // `asked`: what it needs, if it came to that.
  bool Place(WaitingJob& job, std::optional<PendingJob>* asked) {
    if (closed_[job.queue] || users_.AheadOf(*in_.tree, job) != nullptr) return false;
    const std::optional<base::Duration> expected = in_.expected(job.id);
    if (finder_.IsOverLimits(job, expected)) return false;
    PendingJob& needs = asked->emplace(NeedsOf(job));
    needs.ranks = std::min(job.least, job.workers);
    const bool known = misfits_.Covers(needs, expected);
    needs.ranks = job.workers;
    if (known) return false;
    Room room = finder_.Fit(needs, expected);
    if (!room && job.workers > job.least) {
      if (FitsOnceStopped(job, needs)) return false;
      room = FitSmaller(job, &needs);
    }
    if (!room) {
      misfits_.Add(needs, expected);
      if (IsPlain(needs) && finder_.NeverFits(needs)) misfits_.AddPlain(needs);
      return false;
    }
    Placement placement = finder_.Place(job, needs, room);
    lanes_->Reorder();
    if (job.paused) return true;
    plan_.placements.push_back(std::move(placement));
    plan_.outdated = !plan_.why.empty();
    return true;
  }

  bool FitsOnceStopped(const WaitingJob& job, const PendingJob& needs) {
    if (stopped_looks_ == kMostStoppedLooks) return true;
    ++stopped_looks_;
    return finder_.FitsOnceStopped(job, needs);
  }

  // It takes as much of its queue as before: only the machines have to be there.
  void Move(const WaitingJob& job) {
    std::string why;
    Promise promise;
    lanes_->Reorder();
    switch (finder_.Move(job, NeedsOf(job), &why, &promise)) {
      case Moved::kYes:
        return plan_.moves.push_back(job.id);
      case Moved::kNo:
        break;
      case Moved::kLetsGo:
        return;
    }
    plan_.no_room.push_back({job.id, why + promise.text});
    for (Preemption& each : promise.preemptions) plan_.preemptions.push_back(std::move(each));
  }

  // As many of its ranks as there is room for.
  Room FitSmaller(WaitingJob& job, PendingJob* needs) {
    uint32_t too_many = job.workers;
    Room best;
    for (uint32_t fits = job.least - 1; too_many - fits > 1;) {
      needs->ranks = (fits + too_many) / 2;
      Room room = finder_.Fit(*needs, in_.expected(job.id));
      (room ? fits : too_many) = needs->ranks;
      if (room) best = std::move(room);
    }
    needs->ranks = std::max(job.least, too_many - 1);
    SetWorkers(&job, needs->ranks);
    return best;
  }

  void Explain(const WaitingJob& job, std::optional<PendingJob> asked) {
    const uint64_t ahead = ahead_[job.queue]++;
    if (closed_[job.queue] != nullptr) return Behind(job, ahead, closed_[job.queue]);
    if (ExplainUser(job)) return;
    const PendingJob needs = asked ? *std::move(asked) : NeedsOf(job);
    Line& line = lines_[{job.queue, needs.selector, needs.gpus > 0, needs.gpu_kinds}];
    if (line.first) return Behind(job, ahead, &line);
    const std::optional<QueueIndex> limit = in_.tree->OverLimit(job.queue, job.demand);
    lanes_->Reorder();
    line.first = job.id;
    bool promised = false;
    if (!in_.tell) {
      promised = Reserve(job, needs, limit.has_value()).made;
    } else if (told_firsts_ == most_firsts_) {
      promised = Reserve(job, needs, limit.has_value(), &plan_.preemptions).made;
      FarBack(job, ahead, job.id);
    } else {
      ++told_firsts_;
      Why why{.job = job.id, .text = "", .first = true, .starts = std::nullopt};
      line.first_needs =
          limit ? LimitText(*in_.tree, *limit, job, in_.name(job.id)) : finder_.WhyNotNow(needs);
      const std::string need = limit ? LimitText(*in_.tree, *limit, job, "this") : line.first_needs;
      promised = TellFirst(job, needs, need, limit, &why);
      plan_.why.push_back(std::move(why));
    }
    if (limit && in_.tree->IsNeverWithin(*limit, job.demand)) {  // nobody waits for that one
      line.first.reset();
      return;
    }
    if (job.plain) plain_lines_[job.queue][needs.gpus > 0 ? 1 : 0] = true;
    line.keeps = policy_->KeepsSlotsFor(job) || limit || !in_.settings->backfill;
    // What a limit holds back would be overtaken for ever by smaller ones, unless its part of the
    // limit is kept for it.
    if ((limit && !promised) || !in_.settings->backfill) closed_[job.queue] = &line;
  }

  Promise Reserve(const WaitingJob& job, const PendingJob& needs, bool limited,
                  std::vector<Preemption>* preemptions = nullptr) {
    const bool takes = takes_ < kMostTakes && finder_.MightTake(job);
    if (takes) ++takes_;
    size_t& reserved = reserved_[limited ? 1 : 0];
    // One that waits for nodes to come back is promised nothing.
    const bool waits =
        reserved < most_reservations_ && (limited || WhyNotUntilBack(*in_.fleet, needs).empty());
    if (!takes && !waits) return {};
    Promise promise = finder_.Reserve(job, needs, waits);
    if (waits && !promise.taken) ++reserved;
    for (Preemption& each : promise.preemptions) {
      if (preemptions != nullptr) preemptions->push_back(std::move(each));
    }
    return promise;
  }

  // True: it is promised slots.
  bool TellFirst(const WaitingJob& job, const PendingJob& needs, const std::string& need,
                 std::optional<QueueIndex> limit, Why* why) {
    if (in_.fleet->size() <= kNodesToTellHolders) {
      why->waits_for = finder_.WaitsFor(job, needs, kHoldersToTell);
    }
    std::string covered, more;
    if (!limit) covered = TellCovered(job);
    if (!limit) more = covered + TellKept(needs, why);
    const std::string quota = limit ? "" : finder_.WhyNoneYield(job);
    Promise promise = Reserve(job, needs, limit.has_value(), &plan_.preemptions);
    starts_.Promised(job);
    if (covered.empty()) why->starts = promise.starts;  // nobody knows how many of those come
    why->next = promise.next;
    if (!promise.taken) more += quota + promise.spared_text;
    if (promise.spared) SoonerOf(*promise.spared);
    std::string away = promise.made ? "" : WhyNotUntilBack(*in_.fleet, needs);
    why->text = need + more + away + promise.text + promise.behind;
    if (!away.empty()) {
      why->next.reset();
    } else if (!promise.made && promise.text.empty() && !promise.next &&
               !(limit && in_.tree->IsNeverWithin(*limit, job.demand))) {
      starts_.NotPromised(job, plan_.why.size(), true);
    }
    return promise.made;
  }

  // Too many are before it for a look at what it waits for.
  void FarBack(const WaitingJob& job, uint64_t ahead, JobId first) {
    plan_.far.push_back({.job = job.id, .queue = job.queue, .ahead = ahead, .first = first});
  }

  bool MayTellBehind(QueueIndex queue) const {
    return told_behind_ < kMostBehind && told_in_queue_[queue] < kMostBehindInQueue;
  }

  void Behind(const WaitingJob& job, uint64_t ahead, Line* line) {
    ++line->behind;
    if (!in_.tell) return;
    if (!MayTellBehind(job.queue)) return FarBack(job, ahead, *line->first);
    ++told_behind_;
    ++told_in_queue_[job.queue];
    starts_.NotPromised(job, plan_.why.size(), false);
    // It is not for the first one that it waits.
    std::string own;
    if (!line->keeps && in_.fleet->size() <= kNodesToTellOwnNeed) {
      own = finder_.WhyNotNow(NeedsOf(job)) + "; ";
    }
    Why why{.job = job.id,
            .text = own + Plural(line->behind, "job") + " ahead" + InQueueText(job.queue) + "; " +
                    in_.name(*line->first) + " is first" +
                    (own.empty() && !line->first_needs.empty() ? " and " + line->first_needs : ""),
            .first = false,
            .starts = std::nullopt};
    if (closed_[job.queue] == nullptr) why.text += TellKept(NeedsOf(job), &why);
    plan_.why.push_back(std::move(why));
  }

  // Others of its queue go before it although they are behind it in the queue's order.
  std::string TellCovered(const WaitingJob& job) const {
    const QueueSettings& queue = in_.tree->settings(job.queue);
    if (job.waited >= kPatience || in_.tree->QuotaCovers(job.queue, LeastDemand(job))) return "";
    const bool any = lanes_->AnyInQueue(job.queue, [&](const WaitingJob& other) {
      return in_.tree->QuotaCovers(job.queue, LeastDemand(other));
    });
    if (!any) return "";
    return "; jobs that the quota of queue " + queue.name + " (" + BoundText(queue.quota) +
           ") covers go before it, until it has waited for " + base::DurationText(kPatience);
  }

  // What is free and would do, but is promised to others.
  std::string TellKept(const PendingJob& needs, Why* why) {
    Kept kept = finder_.KeptFrom(needs);
    why->kept_for = std::move(kept.jobs);
    why->kept_on = std::move(kept.on);
    return kept.text;
  }

  // True: what one user may have keeps it back.
  bool ExplainUser(const WaitingJob& job) {
    const UserLines::First* held = users_.AheadOf(*in_.tree, job);
    const std::optional<QueueIndex> by = in_.tree->OverUserLimit(job.queue, job.user, job.demand);
    if (held == nullptr && !by) return false;
    size_t& of_user = told_of_[{job.queue, job.user}];
    const bool tells = in_.tell && told_users_ < kMostOfUsers && of_user < kMostOfUser;
    if (tells) {
      ++told_users_;
    } else if (in_.tell) {
      FarBack(job, of_user, held != nullptr ? held->job : job.id);
      plan_.far.back().of_user = true;
    }
    ++of_user;
    Why why{.job = job.id, .text = "", .first = false, .starts = std::nullopt};
    if (by && in_.tree->IsNeverWithin(*by, job.demand)) {
      why.text = UserLimitText(*in_.tree, *by, job, "this") + NeverText(*in_.tree, *by);
    } else if (held != nullptr) {
      if (tells) why.text = in_.name(held->job) + ", of the same user, is first: " + held->text;
      if (tells) starts_.NotPromised(job, plan_.why.size(), false);
    } else {
      FirstOfUser(job, *by, tells, &why);
    }
    if (tells) plan_.why.push_back(std::move(why));
    return true;
  }

  // Others of his may have to let go for it.
  void FirstOfUser(const WaitingJob& job, QueueIndex by, bool tells, Why* why) {
    const std::string need = UserLimitText(*in_.tree, by, job, "this");
    Promise promise;
    if (takes_ < kMostTakes && finder_.MightTake(job)) {
      ++takes_;
      lanes_->Reorder();
      promise = finder_.Reserve(job, NeedsOf(job), false);
      if (promise.spared) SoonerOf(*promise.spared);
    }
    why->text = need + (promise.taken ? "" : promise.spared_text) + promise.text;
    why->starts = promise.starts;
    if (promise.made) {
      starts_.Promised(job);
    } else {
      users_.Add(*in_.tree, by, job, UserLimitText(*in_.tree, by, job, in_.name(job.id)));
      if (tells) starts_.NotPromised(job, plan_.why.size(), true);
    }
    for (Preemption& each : promise.preemptions) plan_.preemptions.push_back(std::move(each));
  }

  void SoonerOf(base::Time at) { plan_.again = plan_.again ? std::min(*plan_.again, at) : at; }

  std::string InQueueText(QueueIndex queue) const {
    return in_.tree->size() == 1 ? "" : " in queue " + in_.tree->settings(queue).name;
  }

  PlanRequest in_;
  std::unique_ptr<Policy> policy_;
  std::map<LineKey, Line> lines_;
  UserLines users_;
  std::vector<Line*> closed_;  // by queue: nothing more of it is placed, for the first in this line
  std::vector<uint64_t> ahead_;                   // by queue: jobs that were looked at and wait
  std::vector<std::array<bool, 2>> plain_lines_;  // somebody is first of those without, with GPUs
  bool user_limits_ = false;                      // a queue has some
  RoomFinder finder_;
  StartTimes starts_;
  std::optional<Lanes> lanes_;
  Misfits misfits_;
  std::array<size_t, 2> reserved_{};  // for those that wait for slots, and for a limit
  size_t most_reservations_, most_firsts_;
  size_t takes_ = 0, stopped_looks_ = 0;
  size_t told_firsts_ = 0, told_behind_ = 0, told_users_ = 0;
  std::vector<size_t> told_in_queue_;
  std::map<std::pair<QueueIndex, std::string_view>, size_t> told_of_;  // a user's, or not told
  Plan plan_;
};

}  // namespace

Plan PlanPlacements(PlanRequest request) { return Pass(std::move(request)).Run(); }

}  // namespace coxswain::coordinator::core

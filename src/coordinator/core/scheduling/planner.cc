#include "coordinator/core/scheduling/planner.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>

#include "common/base/duration_text.h"
#include "coordinator/core/placement/placement_text.h"
#include "coordinator/core/scheduling/room_finder.h"
#include "coordinator/core/scheduling/sizing.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

// How many jobs that do not fit one plan looks at, and how many get a reservation.
constexpr size_t kMostUnplaced = 64;
constexpr size_t kMostReservations = 16;
// In a fleet of more nodes, too many hold what a job waits for to be told.
constexpr size_t kNodesToTellHolders = 16;
constexpr size_t kHoldersToTell = 4;
// In a larger one it takes too long to tell each of those that wait what it needs.
constexpr size_t kNodesToTellOwnNeed = 256;

// The waiting jobs of one user in one queue, in order: those that its quota would cover now, or the
// others. A lane of its own, so that one that borrows does not hold up those that do not.
struct Lane {
  std::vector<WaitingJob*> jobs;
  size_t at = 0;
};

// The jobs of one queue that ask for the same machines. One that asks for others does not wait
// behind them: it may get back what its queue has lent elsewhere.
struct Line {
  std::optional<JobId> first;  // that did not get slots
  std::string first_needs;
  bool keeps = true;    // nobody else is given what it waits for
  uint64_t behind = 0;  // jobs that were looked at after it
};
// A job that was promised nothing, and where in the plan it is told why it waits.
struct NoPromise {
  const WaitingJob* job;
  size_t at = 0;
  bool tell = false;  // also what it waits for
};
using LineKey = std::tuple<QueueIndex, std::map<std::string, std::string>, bool,
                           std::vector<std::string>>;  // selector, whether GPUs, which kinds

class Pass {
 public:
  explicit Pass(PlanRequest request)
      : in_(std::move(request)),
        policy_(MakePolicy(*in_.settings, *in_.tree, *in_.usage)),
        closed_(in_.tree->size()),
        patient_(in_.tree->size()),
        finder_(in_, *policy_) {}

  Plan Run() {
    Sizes sizes = SizeJobs(in_, *policy_);
    plan_.resizes = std::move(sizes.resizes);
    plan_.stays = std::move(sizes.stays);
    MakeLanes();
    while (Lane* lane = NextLane()) {
      if (plan_.why.size() >= kMostUnplaced) {
        plan_.all = false;
        break;
      }
      WaitingJob& job = *lane->jobs[lane->at++];
      if (job.lost) {
        Move(job);
      } else if (!Place(job) && !job.paused) {
        Explain(job, lane);
      }
    }
    if (in_.tell) Forecast();
    finder_.Undo();
    return std::move(plan_);
  }

 private:
  void MakeLanes() {
    // By queue and user. The lost ones hold their share of quotas and limits: those bar the others
    // only.
    std::vector<std::map<std::string_view, std::array<Lane, 5>>> by_user(in_.tree->size());
    for (WaitingJob& job : in_.waiting) {
      if (job.paused && !plan_.keeps_place) plan_.keeps_place = job.id;
      const bool covered = in_.tree->WillBeWithinQuota(job.queue, LeastDemand(job), job.holds);
      const size_t lane = job.paused ? 4 : (job.lost ? 2 : 0) + (covered ? 1 : 0);
      by_user[job.queue][job.user][lane].jobs.push_back(&job);
      if (!covered && job.waited >= kPatience) NotePatient(job);
    }
    for (auto& users : by_user) {
      for (auto& [user, lanes] : users) {
        for (Lane& lane : lanes) AddLane(std::move(lane));
      }
    }
  }

  void NotePatient(const WaitingJob& job) {
    const WaitingJob*& first = patient_[job.queue];
    if (first == nullptr || IsBefore(job, *first)) first = &job;
  }
  bool IsBefore(const WaitingJob& one, const WaitingJob& other) const {
    return std::pair(policy_->InQueue(one), one.id) < std::pair(policy_->InQueue(other), other.id);
  }
  // Its queue's quota covers it, and all the same it does not go before one that borrows.
  bool IsBehindPatient(const WaitingJob& job) const {
    const WaitingJob* first = patient_[job.queue];
    return first != nullptr && !job.paused && IsBefore(*first, job);
  }

  void AddLane(Lane lane) {
    if (lane.jobs.empty()) return;
    std::vector<std::pair<SortKey, WaitingJob*>> order;
    order.reserve(lane.jobs.size());
    for (WaitingJob* job : lane.jobs) order.push_back({policy_->InQueue(*job), job});
    std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
      return std::tie(a.first, a.second->id) < std::tie(b.first, b.second->id);
    });
    for (size_t i = 0; i < order.size(); ++i) lane.jobs[i] = order[i].second;
    lanes_.push_back(std::move(lane));
  }

  Lane* NextLane() {
    Lane* best = nullptr;
    WaitingKey best_key;
    for (Lane& lane : lanes_) {
      if (lane.at == lane.jobs.size()) continue;
      const WaitingJob& head = *lane.jobs[lane.at];
      WaitingKey key = KeyOf(head, *in_.tree, *policy_);
      if (IsBehindPatient(head)) std::get<1>(key) = true;
      if (best != nullptr && !(key < best_key)) continue;
      best = &lane;
      best_key = key;
    }
    return best;
  }

  PendingJob NeedsOf(const WaitingJob& job) const {
    PendingJob needs = in_.needs(job.id);
    needs.ranks = job.workers;
    return needs;
  }

  bool Place(WaitingJob& job) {
    if (closed_[job.queue] || in_.tree->OverLimit(job.queue, job.demand) ||
        in_.tree->OverUserLimit(job.queue, job.user, job.demand)) {
      return false;
    }
    PendingJob needs = NeedsOf(job);
    GangFit fit = finder_.Fit(needs, in_.expected(job.id));
    if (fit.shares.empty() && job.workers > job.least && !finder_.FitsOnceStopped(job, needs)) {
      fit = FitSmaller(job, &needs);
    }
    if (fit.shares.empty()) return false;
    Placement placement = finder_.Place(job, needs, fit);
    if (job.paused) return true;
    plan_.placements.push_back(std::move(placement));
    plan_.outdated = !plan_.why.empty();
    return true;
  }

  // It takes as much of its queue as before: only the machines have to be there.
  void Move(const WaitingJob& job) {
    std::string why;
    Promise promise;
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
  GangFit FitSmaller(WaitingJob& job, PendingJob* needs) {
    uint32_t too_many = job.workers;
    GangFit best;
    for (uint32_t fits = job.least - 1; too_many - fits > 1;) {
      needs->ranks = (fits + too_many) / 2;
      GangFit fit = finder_.Fit(*needs, in_.expected(job.id));
      (fit.shares.empty() ? too_many : fits) = needs->ranks;
      if (!fit.shares.empty()) best = std::move(fit);
    }
    needs->ranks = std::max(job.least, too_many - 1);
    SetWorkers(&job, needs->ranks);
    return best;
  }

  void Explain(const WaitingJob& job, Lane* lane) {
    std::optional<QueueIndex> by = in_.tree->OverUserLimit(job.queue, job.user, job.demand);
    if (by && !closed_[job.queue]) return SkipUser(job, *by, lane);
    PendingJob needs = NeedsOf(job);
    Line& own = lines_[{job.queue, needs.selector, needs.gpus > 0, needs.gpu_kinds}];
    Line& line = closed_[job.queue] != nullptr ? *closed_[job.queue] : own;
    if (line.first) return Behind(job, &line);
    Why why{.job = job.id, .text = "", .first = true, .starts = std::nullopt};
    const std::optional<QueueIndex> limit = in_.tree->OverLimit(job.queue, job.demand);
    const bool reserves = reservations_ < kMostReservations;
    if (reserves) ++reservations_;
    std::string need;
    if (in_.tell) {
      need = limit ? LimitText(*limit, job) : finder_.WhyNotNow(needs);
      TellFirst(job, needs, need, limit.has_value(), reserves, &why);
    } else if (reserves) {
      finder_.Reserve(job, needs);
    }
    plan_.why.push_back(std::move(why));
    if (limit && in_.tree->IsNeverWithin(*limit, job.demand)) return;  // nobody waits for that one
    line = {.first = job.id,
            .first_needs = need,
            .keeps = policy_->KeepsSlotsFor(job) || limit || !in_.settings->backfill,
            .behind = 0};
    // What a limit holds back would be overtaken for ever by smaller ones.
    if (limit || !in_.settings->backfill) closed_[job.queue] = &line;
  }

  void TellFirst(const WaitingJob& job, const PendingJob& needs, const std::string& need,
                 bool limit, bool reserves, Why* why) {
    if (in_.fleet->size() <= kNodesToTellHolders) {
      why->waits_for = finder_.WaitsFor(job, needs, kHoldersToTell);
    }
    std::string covered, more;
    if (!limit) covered = TellCovered(job);
    if (!limit) more = covered + TellKept(needs, why);
    if (!reserves) {
      why->text = need + more;
      return;
    }
    const std::string quota = limit ? "" : finder_.WhyNoneYield(job);
    Promise promise = finder_.Reserve(job, needs);
    promised_[job.id] = &job;
    if (covered.empty()) why->starts = promise.starts;  // nobody knows how many of those come
    why->next = promise.next;
    if (!promise.taken) more += quota + promise.spared_text;
    if (promise.spared) SoonerOf(*promise.spared);
    std::string away = promise.made ? "" : WhyNotUntilBack(*in_.fleet, needs);
    why->text = need + more + away + promise.text + promise.behind;
    if (!away.empty()) {
      why->next.reset();
    } else if (!promise.made && promise.text.empty() && !promise.next) {
      no_promise_.push_back({&job, plan_.why.size(), true});
    }
    for (Preemption& each : promise.preemptions) plan_.preemptions.push_back(std::move(each));
  }

  void Behind(const WaitingJob& job, Line* line) {
    ++line->behind;
    no_promise_.push_back({&job, plan_.why.size(), false});
    if (!in_.tell) {
      plan_.why.push_back({.job = job.id, .text = "", .first = false, .starts = std::nullopt});
      return;
    }
    // It is not for the first one that it waits.
    std::string own;
    if (!line->keeps && in_.fleet->size() <= kNodesToTellOwnNeed) {
      own = finder_.WhyNotNow(NeedsOf(job)) + "; ";
    }
    Why why{.job = job.id,
            .text = own + Plural(line->behind, "job") + " ahead" + InQueueText(job.queue) + "; " +
                    in_.name(*line->first) + " is first" +
                    (own.empty() ? " and " + line->first_needs : ""),
            .first = false,
            .starts = std::nullopt};
    if (closed_[job.queue] == nullptr) why.text += TellKept(NeedsOf(job), &why);
    plan_.why.push_back(std::move(why));
  }

  // Others of its queue go before it although they are behind it in the queue's order.
  std::string TellCovered(const WaitingJob& job) const {
    const QueueSettings& queue = in_.tree->settings(job.queue);
    if (job.waited >= kPatience || in_.tree->QuotaCovers(job.queue, LeastDemand(job))) return "";
    for (const Lane& lane : lanes_) {
      for (size_t i = lane.at; i < lane.jobs.size(); ++i) {
        const WaitingJob& other = *lane.jobs[i];
        if (other.queue != job.queue) break;
        if (!other.lost && in_.tree->QuotaCovers(job.queue, LeastDemand(other))) {
          return "; jobs that the quota of queue " + queue.name + " (" + BoundText(queue.quota) +
                 ") covers go before it, until it has waited for " + base::DurationText(kPatience);
        }
      }
    }
    return "";
  }

  // What is free and would do, but is promised to others.
  std::string TellKept(const PendingJob& needs, Why* why) {
    Kept kept = finder_.KeptFrom(needs);
    why->kept_for = std::move(kept.jobs);
    why->kept_on = std::move(kept.on);
    return kept.text;
  }

  // When those will start to which nothing is promised: those behind others, those whose user has
  // as much as he may, and under a policy that keeps no slots the first ones. It takes a look at
  // the fleet for each of them, several times.
  void Forecast() {
    constexpr size_t kMostWork = 200'000;
    size_t work = in_.fleet->size() * static_cast<size_t>(std::bit_width(in_.running.size() + 2));
    size_t most = std::max<size_t>(1, kMostWork / std::max<size_t>(1, work));
    for (const NoPromise& each : no_promise_) {
      if (most-- == 0) return;
      Why& why = plan_.why[each.at];
      const Promise promise = finder_.Forecast(*each.job, NeedsOf(*each.job), [&](JobId promised) {
        return GoesBefore(*each.job, promised);
      });
      promised_[each.job->id] = each.job;
      why.starts = promise.starts;
      if (!each.tell) continue;
      why.text += promise.text + promise.behind;
      why.next = promise.next;
    }
  }

  bool GoesBefore(const WaitingJob& job, JobId promised) const {
    const auto other = promised_.find(promised);
    return other != promised_.end() &&
           KeyOf(job, *in_.tree, *policy_) < KeyOf(*other->second, *in_.tree, *policy_);
  }

  // His other jobs wait too; those of others do not.
  void SkipUser(const WaitingJob& job, QueueIndex by, Lane* lane) {
    const QueueSettings& queue = in_.tree->settings(by);
    UserUse has = in_.tree->UseOf(by, job.user);
    std::string who = job.user.empty() ? "users without a name" : std::string(job.user);
    std::string text = "a user of queue " + queue.name + " may ";
    if (queue.user_jobs && has.jobs >= *queue.user_jobs) {
      text += "run " + Plural(*queue.user_jobs, "job") + " at a time; " + who + " runs " +
              std::to_string(has.jobs);
    } else {
      text += "hold " + BoundText(queue.user_limit) + "; " + who + " holds " +
              HeldText(queue.user_limit, has.held) + ", this needs " +
              HeldText(queue.user_limit, job.demand);
    }
    if (in_.tree->IsNeverWithin(by, job.demand)) return SkipOne(job, text + NeverText(by));
    SkipLane(lane, text, --lane->at);
    for (Lane& other : lanes_) {  // those of his that the quota covers, or does not
      const WaitingJob& his = *other.jobs.front();
      const bool same = his.queue == job.queue && his.user == job.user && his.lost == job.lost;
      if (same && &other != lane) SkipLane(&other, text, other.jobs.size());
    }
  }

  void SkipOne(const WaitingJob& job, std::string text) {
    plan_.why.push_back(
        {.job = job.id, .text = std::move(text), .first = false, .starts = std::nullopt});
  }

  std::string NeverText(QueueIndex by) const {
    return ": it can never start so; raise the limit of queue " + in_.tree->settings(by).name +
           " in the coordinator's configuration, or cancel it and submit it with fewer ranks";
  }

  void SkipLane(Lane* lane, const std::string& text, size_t first) {
    for (; lane->at < lane->jobs.size(); ++lane->at) {
      if (plan_.why.size() >= kMostUnplaced) plan_.all = false;
      if (!plan_.all) continue;
      no_promise_.push_back({lane->jobs[lane->at], plan_.why.size(), lane->at == first});
      plan_.why.push_back(
          {.job = lane->jobs[lane->at]->id, .text = text, .first = false, .starts = std::nullopt});
    }
  }

  void SoonerOf(base::Time at) { plan_.again = plan_.again ? std::min(*plan_.again, at) : at; }

  std::string InQueueText(QueueIndex queue) const {
    return in_.tree->size() == 1 ? "" : " in queue " + in_.tree->settings(queue).name;
  }

  std::string LimitText(QueueIndex by, const WaitingJob& job) const {
    const QueueSettings& queue = in_.tree->settings(by);
    return "queue " + queue.name + " may hold " + BoundText(queue.limit) + "; it holds " +
           HeldText(queue.limit, in_.tree->held(by)) + ", this needs " +
           HeldText(queue.limit, job.demand) +
           (in_.tree->IsNeverWithin(by, job.demand) ? NeverText(by) : "");
  }

  PlanRequest in_;
  std::unique_ptr<Policy> policy_;
  std::map<LineKey, Line> lines_;
  std::vector<Line*> closed_;  // by queue: nothing more of it is placed, for the first in this line
  std::vector<const WaitingJob*> patient_;  // by queue: the first that borrows and waited long
  RoomFinder finder_;
  std::vector<Lane> lanes_;
  std::vector<NoPromise> no_promise_;
  size_t reservations_ = 0;
  std::map<JobId, const WaitingJob*> promised_;
  Plan plan_;
};

}  // namespace

Plan PlanPlacements(PlanRequest request) { return Pass(std::move(request)).Run(); }

}  // namespace coxswain::coordinator::core

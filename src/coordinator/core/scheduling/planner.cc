#include "coordinator/core/scheduling/planner.h"

#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include "coordinator/core/placement/placement_text.h"
#include "coordinator/core/scheduling/room_finder.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

// How many jobs that do not fit one plan looks at, and how many get a reservation.
constexpr size_t kMostUnplaced = 64;
constexpr size_t kMostReservations = 16;

// The waiting jobs of one user in one queue, in order.
struct Lane {
  std::vector<const WaitingJob*> jobs;
  size_t at = 0;
};

// What became of a queue in this plan.
struct QueuePass {
  std::optional<JobId> first;  // that did not get slots
  std::string first_needs;
  uint64_t behind = 0;  // jobs that were looked at after it
  bool closed = false;  // nothing more of it is placed
};

class Pass {
 public:
  explicit Pass(PlanRequest request)
      : in_(std::move(request)),
        policy_(MakePolicy(*in_.settings, *in_.tree, *in_.usage)),
        queues_(in_.tree->size()),
        finder_(in_, *policy_) {
    MakeLanes();
  }

  Plan Run() {
    while (Lane* lane = NextLane()) {
      if (plan_.why.size() >= kMostUnplaced) {
        plan_.all = false;
        break;
      }
      const WaitingJob& job = *lane->jobs[lane->at++];
      if (!Place(job)) Explain(job, lane);
    }
    Forecast();
    finder_.Undo();
    for (const Placement& placement : plan_.placements) Release(placement);
    return std::move(plan_);
  }

 private:
  void MakeLanes() {
    std::map<std::pair<QueueIndex, std::string_view>, Lane> by_user;
    for (const WaitingJob& job : in_.waiting) by_user[{job.queue, job.user}].jobs.push_back(&job);
    for (auto& [key, lane] : by_user) {
      std::vector<std::pair<SortKey, const WaitingJob*>> order;
      for (const WaitingJob* job : lane.jobs) order.push_back({policy_->InQueue(*job), job});
      std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
        return std::tie(a.first, a.second->id) < std::tie(b.first, b.second->id);
      });
      for (size_t i = 0; i < order.size(); ++i) lane.jobs[i] = order[i].second;
      lanes_.push_back(std::move(lane));
    }
  }

  Lane* NextLane() {
    Lane* best = nullptr;
    using Key = std::tuple<bool, SortKey, SortKey, JobId>;
    Key best_key;
    for (Lane& lane : lanes_) {
      if (lane.at == lane.jobs.size()) continue;
      const WaitingJob& head = *lane.jobs[lane.at];
      Key key{!in_.tree->IsWithinQuota(head.queue, head.demand), policy_->BetweenQueues(head),
              policy_->InQueue(head), head.id};
      if (best != nullptr && !(key < best_key)) continue;
      best = &lane;
      best_key = key;
    }
    return best;
  }

  bool Place(const WaitingJob& job) {
    QueuePass& queue = queues_[job.queue];
    if (queue.closed || in_.tree->OverLimit(job.queue, job.demand) != nullptr ||
        in_.tree->OverUserLimit(job.queue, job.user, job.demand) != nullptr) {
      return false;
    }
    PendingJob needs = in_.needs(job.id);
    GangFit fit = finder_.Fit(needs, job.expected);
    if (fit.shares.empty()) return false;
    plan_.placements.push_back(TakeSlots(in_.fleet, needs, fit));
    in_.tree->Take(job.queue, job.user, job.demand, 1);
    taken_.push_back({needs.cpus, needs.memory});
    finder_.Placed(job, needs, plan_.placements.back());
    return true;
  }

  void Explain(const WaitingJob& job, Lane* lane) {
    QueuePass& queue = queues_[job.queue];
    if (const QueueSettings* by = in_.tree->OverUserLimit(job.queue, job.user, job.demand);
        by != nullptr && !queue.closed) {
      return SkipUser(job, *by, lane);
    }
    if (queue.first) return Behind(job, &queue);
    Why why{.job = job.id, .text = "", .first = true, .starts = std::nullopt};
    const QueueSettings* limit = in_.tree->OverLimit(job.queue, job.demand);
    PendingJob needs = in_.needs(job.id);
    std::string need = limit != nullptr ? LimitText(*limit, job) : WhyNotNow(*in_.fleet, needs);
    if (reservations_ < kMostReservations) {
      ++reservations_;
      Promise promise = finder_.Reserve(job, needs);
      why.starts = promise.starts;
      why.text = need + promise.text;
      for (Preemption& each : promise.preemptions) plan_.preemptions.push_back(std::move(each));
    } else {
      why.text = need;
    }
    queue.first = job.id;
    queue.first_needs = need;
    // What a limit holds back would be overtaken for ever by smaller ones.
    queue.closed = limit != nullptr || !in_.settings->backfill;
    plan_.why.push_back(std::move(why));
  }

  void Behind(const WaitingJob& job, QueuePass* queue) {
    ++queue->behind;
    behind_.push_back({&job, plan_.why.size()});
    plan_.why.push_back({.job = job.id,
                         .text = Plural(queue->behind, "job") + " ahead" + InQueueText(job.queue) +
                                 "; " + base::ToString(*queue->first) + " is first and " +
                                 queue->first_needs,
                         .first = false,
                         .starts = std::nullopt});
  }

  // When those behind will start. It takes a look at the fleet for each of them, several times.
  void Forecast() {
    constexpr size_t kMostWork = 200'000;
    size_t work = in_.fleet->size() * static_cast<size_t>(std::bit_width(in_.running.size() + 2));
    size_t most = std::max<size_t>(1, kMostWork / std::max<size_t>(1, work));
    for (const auto& [job, at] : behind_) {
      if (most-- == 0) return;
      Why& why = plan_.why[at];
      why.starts = finder_.Forecast(*job, in_.needs(job->id));
      if (why.starts) why.text += StartText(*why.starts - in_.now);
    }
  }

  // His other jobs wait too; those of others do not.
  void SkipUser(const WaitingJob& job, const QueueSettings& by, Lane* lane) {
    auto use = in_.tree->users(in_.tree->Find(by.name)).find(job.user);
    UserUse has = use == in_.tree->users(in_.tree->Find(by.name)).end() ? UserUse() : use->second;
    std::string who = job.user.empty() ? "users without a name" : std::string(job.user);
    std::string text = "a user of queue " + by.name + " may ";
    if (by.user_jobs && has.jobs >= *by.user_jobs) {
      text += "run " + Plural(*by.user_jobs, "job") + " at a time; " + who + " runs " +
              std::to_string(has.jobs);
    } else {
      text += "hold " + BoundText(by.user_limit) + "; " + who + " holds " +
              HeldText(by.user_limit, has.held) + ", this needs " +
              HeldText(by.user_limit, job.demand);
    }
    for (--lane->at; lane->at < lane->jobs.size(); ++lane->at) {
      if (plan_.why.size() >= kMostUnplaced) plan_.all = false;
      if (plan_.all)
        plan_.why.push_back({.job = lane->jobs[lane->at]->id,
                             .text = text,
                             .first = false,
                             .starts = std::nullopt});
    }
  }

  std::string InQueueText(QueueIndex queue) const {
    return in_.tree->size() == 1 ? "" : " in queue " + in_.tree->settings(queue).name;
  }

  std::string LimitText(const QueueSettings& limit, const WaitingJob& job) const {
    const Amount& held = in_.tree->held(in_.tree->Find(limit.name));
    return "queue " + limit.name + " may hold " + BoundText(limit.limit) + "; it holds " +
           HeldText(limit.limit, held) + ", this needs " + HeldText(limit.limit, job.demand);
  }

  void Release(const Placement& placement) {
    size_t index = static_cast<size_t>(&placement - plan_.placements.data());
    Occupy(in_.fleet, {placement.ranks, taken_[index].first, taken_[index].second}, -1);
  }

  PlanRequest in_;
  std::unique_ptr<Policy> policy_;
  std::vector<QueuePass> queues_;
  RoomFinder finder_;
  std::vector<Lane> lanes_;
  std::vector<std::pair<uint32_t, int64_t>> taken_;  // CPU slots and memory per rank, by placement
  std::vector<std::pair<const WaitingJob*, size_t>> behind_;  // and where why is told
  size_t reservations_ = 0;
  Plan plan_;
};

}  // namespace

Plan PlanPlacements(PlanRequest request) { return Pass(std::move(request)).Run(); }

}  // namespace coxswain::coordinator::core

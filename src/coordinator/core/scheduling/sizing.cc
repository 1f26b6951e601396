#include "coordinator/core/scheduling/sizing.h"

#include <algorithm>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <tuple>

#include "coordinator/core/scheduling/elastic_job.h"
#include "coordinator/core/scheduling/empty_fleet.h"
#include "coordinator/core/scheduling/trial_room.h"
#include "coordinator/core/scheduling/waiting_heap.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

// How many jobs that wait for nothing one round may find, and how many rounds there are without
// them.
constexpr size_t kMostUnplaced = 64;
constexpr size_t kMostRounds = 3;

// Slots that are free somewhere are as good for it as any others.
bool IsCounted(const PendingJob& job) {
  const bool anywhere = job.within == Within::kFleet && job.selector.empty() &&
                        job.gpu_kinds.empty() && job.avoid.empty() && !job.only && !job.first;
  return anywhere && job.memory == 0 && (job.gpus == 1 || (job.gpus == 0 && job.cpus == 1));
}

Amount Times(const Amount& rank, int64_t ranks) { return {rank.cpus * ranks, rank.gpus * ranks}; }
Amount Less(const Amount& a, const Amount& b) { return {a.cpus - b.cpus, a.gpus - b.gpus}; }
bool IsIn(const Amount& a, const Amount& b) { return a.cpus <= b.cpus && a.gpus <= b.gpus; }

class Sizer {
 public:
  Sizer(PlanRequest& request, const Policy& policy)
      : in_(request), policy_(policy), empty_(request.fleet), tree_(*request.tree) {}

  Sizes Run() {
    Collect();
    if (elastic_.empty()) return {};
    for (size_t round = 0; round < kMostRounds; ++round) {
      MakeRound();
      const std::set<JobId> vain = InVain();
      if (vain.empty()) return Decide();
      vain_.insert(vain.begin(), vain.end());
    }
    for (ElasticJob& each : elastic_) {
      if (each.running != nullptr) each.workers = each.job->workers;
    }
    return Decide();
  }

 private:
  void Collect() {
    // One round of changes is brought to its end before the next is thought of.
    bool changing = false;
    for (const RunningJob& job : in_.running) changing |= job.stopping && job.least < job.most;
    for (const WaitingJob& job : in_.waiting) changing |= job.sized;
    auto moves = [](const PlannedJob& job) { return job.least < job.most; };
    elastic_.reserve(
        static_cast<size_t>(std::count_if(in_.running.begin(), in_.running.end(), moves) +
                            std::count_if(in_.waiting.begin(), in_.waiting.end(), moves)));
    for (RunningJob& job : in_.running) {
      if (!changing && !job.lost && job.least < job.most) Add(job, &job);
      if (!changing && job.stopping && !job.back) stopping_.push_back(&job);
    }
    for (WaitingJob& job : in_.waiting) {
      if (!job.sized && !job.lost && job.least < job.most) Add(job, nullptr);
    }
  }

  void Add(PlannedJob& job, RunningJob* running) {
    ElasticJob each{.job = &job, .running = running, .model = in_.speed(job.id)};
    each.needs = in_.needs(job.id);
    each.needs.ranks = job.least;
    each.counted = IsCounted(each.needs);
    if (running != nullptr) each.held = in_.held(job.id);
    // What is on nodes that may not be used is moved by others.
    for (const RankSlot& slot : each.held.ranks) {
      if (!IsUsable(slot.node)) return;
    }
    SetBounds(&each);
    elastic_.push_back(std::move(each));
  }

  bool IsUsable(const NodeId& id) const {
    auto node = in_.fleet->find(id);
    return node != in_.fleet->end() && node->second.why_not.empty();
  }

  void SetBounds(ElasticJob* each) {
    const EmptyFleet::Room& room = empty_.RoomFor(each->needs);
    each->on_node = std::max<uint32_t>(1, room.on_node);
    uint32_t most = each->job->most;
    if (each->needs.within == Within::kMachine) most = std::min(most, room.on_node);
    if (each->needs.within == Within::kRack) most = std::min(most, room.in_rack);
    most = std::min(most, room.in_fleet);
    uint32_t tried = each->model.measured();
    uint32_t dared = tried == 0 ? each->job->asked : static_cast<uint32_t>(kGrowth * tried);
    each->bound = std::max({each->job->least, std::min(most, dared)});
    if (each->running != nullptr && most >= each->job->workers) {
      each->bound = std::max(each->bound, each->job->workers);
    }
  }

  // On the same grounds as the rounds before, but for those that wait in vain.
  void MakeRound() {
    tree_ = *in_.tree;
    accepted_.clear();
    unplaced_.clear();
    owed_ = false;
    room_.emplace(in_.fleet);
    now_ = free_ = CountFree();
    for (ElasticJob& each : elastic_) {
      each.most = each.bound;
      each.workers = 0;
      each.gives_back = false;
      each.no_more = NoMore::kNone;
      if (each.running != nullptr) GiveBack(each);
    }
    LetStoppingGo();
    for (ElasticJob& each : elastic_) {
      if (each.running == nullptr || !Move(*each.job, 0, each.job->least)) continue;
      each.workers = each.job->least;
      room_->Add(each.needs, each.held);
    }
    GiveLeast();
    for (ElasticJob& each : elastic_) {
      if (IsInTheWay(each)) each.most = std::min(each.most, each.job->workers - 1);
    }
    Grow();
    for (ElasticJob& each : elastic_) StayIfNotWorth(each);
    for (ElasticJob& each : elastic_) StayIfNotNeeded(each);
    room_.reset();
  }

  Amount CountFree() const {
    Amount free;
    for (const auto& [id, node] : *in_.fleet) {
      if (!node.why_not.empty()) continue;
      free.cpus += std::max<int64_t>(0, node.cpus_free);
      for (const GpuSlot& gpu : node.gpus) free.gpus += gpu.taken == 0 ? 1 : 0;
    }
    return free;
  }

  // Where its nodes may be used.
  Amount CountHeld(const RunningJob& job, const Holding& held) const {
    const auto usable = std::count_if(held.ranks.begin(), held.ranks.end(),
                                      [&](const RankSlot& slot) { return IsUsable(slot.node); });
    return Times(job.rank, usable);
  }

  // What it holds may be given anew.
  void GiveBack(const ElasticJob& each) {
    tree_.Take(each.job->queue, each.job->user, each.job->demand, -1);
    free_ = Sum(free_, Times(each.running->rank, std::ssize(each.held.ranks)));
  }

  // From so many ranks to so many. False: it may not, or there are no slots.
  bool Move(const PlannedJob& job, uint32_t from, uint32_t to) {
    Amount more = Times(job.rank, int64_t{to} - from);
    why_not_ = NoMore::kNoSlots;
    if (!IsIn(more, free_)) return false;
    Amount all = Times(job.rank, to);
    if (from > 0) tree_.Take(job.queue, job.user, Times(job.rank, from), -1);
    bool may = to <= from ||
               (!tree_.OverLimit(job.queue, all) && !tree_.OverUserLimit(job.queue, job.user, all));
    if (from > 0 || may) tree_.Take(job.queue, job.user, Times(job.rank, may ? to : from), 1);
    why_not_ = NoMore::kLimit;
    if (!may) return false;
    free_ = Less(free_, more);
    return true;
  }

  // Likewise, where it may go.
  bool SetSize(ElasticJob& each, uint32_t to) {
    if (!Move(*each.job, each.workers, to)) return false;
    if (!each.counted && !room_->Resize(each.job->id, to)) {
      Move(*each.job, to, each.workers);
      why_not_ = NoMore::kNoSlots;
      return false;
    }
    each.workers = to;
    return true;
  }

  void LetStoppingGo() {
    coming_ = {};
    for (const RunningJob* job : stopping_) {
      Holding held = in_.held(job->id);
      coming_ = Sum(coming_, CountHeld(*job, held));
      room_->LetGo(std::move(held));
    }
  }

  // To those that wait, rigid ones included, as long as slots last: those included that others have
  // been asked to let go of.
  void GiveLeast() {
    const Amount without = free_;
    free_ = Sum(free_, coming_);
    now_ = Sum(now_, coming_);
    std::map<JobId, ElasticJob*> elastic;
    for (ElasticJob& each : elastic_) elastic[each.job->id] = &each;
    WaitingHeap order(in_.waiting, tree_, policy_);
    size_t vain = 0;
    while (const WaitingJob* job = order.Next()) {
      if (free_.cpus <= 0 || vain == kMostUnplaced) break;
      auto found = elastic.find(job->id);
      const uint32_t ranks = found == elastic.end() ? job->workers : job->least;
      const bool counts = !vain_.contains(job->id) && Move(*job, 0, ranks);
      if (counts && FindRoom(*job, ranks)) {
        accepted_.push_back(job);
        if (found != elastic.end()) found->second->workers = job->least;
        continue;
      }
      if (unplaced_.size() < kMostUnplaced) unplaced_.push_back(job);
      if (!counts) continue;
      ++vain;
      tree_.Take(job->queue, job->user, Times(job->rank, ranks), -1);
      free_ = Sum(free_, Times(job->rank, ranks));
    }
    // Nobody grows into what is not free yet.
    free_ = {std::min(free_.cpus, without.cpus), std::min(free_.gpus, without.gpus)};
  }

  // Free, or by running ones that give some back.
  bool FindRoom(const WaitingJob& job, uint32_t ranks) {
    PendingJob needs = in_.needs(job.id);
    needs.ranks = ranks;
    const Amount all = Times(job.rank, ranks);
    if (IsIn(all, now_) && room_->Place(needs)) {
      now_ = Less(now_, all);
    } else if (IsCounted(needs) || room_->PlaceByShrinking(needs)) {
      owed_ = true;
    } else {
      return false;
    }
    return true;
  }

  bool IsInTheWay(const ElasticJob& each) const {
    return each.running != nullptr && each.workers > 0 && room_->IsInTheWay(each.job->id);
  }

  void Grow() {
    using Entry = std::tuple<double, size_t, uint32_t>;  // -gain, index, size
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> next;
    auto offer = [&](size_t index) {
      const ElasticJob::Step step = elastic_[index].Next();
      if (step.workers == 0) return;
      next.push({-step.gain * policy_.GrowthWeight(*elastic_[index].job), index, step.workers});
    };
    for (size_t i = 0; i < elastic_.size(); ++i) {
      if (elastic_[i].workers > 0) offer(i);
    }
    while (!next.empty()) {
      auto [gain, index, workers] = next.top();
      next.pop();
      ElasticJob& each = elastic_[index];
      if (!SetSize(each, workers)) {
        each.no_more = why_not_;
        each.most = workers - 1;  // a smaller one may still fit
        if (each.most <= each.workers) continue;
      }
      offer(index);
    }
    for (ElasticJob& each : elastic_) each.wanted = each.workers;
  }

  // A larger size has to pay for the pause.
  void StayIfNotWorth(ElasticJob& each) {
    if (each.running == nullptr || each.workers <= each.job->workers) return;
    uint32_t now = each.job->workers;
    const bool soon = in_.now < MayChangeAt(each, in_);
    if (!soon && each.Goodput(each.workers) >= kWorth * each.Goodput(now)) return;
    SetSize(each, now);
  }

  // Smaller only if others need its slots, or if they bring it next to nothing.
  void StayIfNotNeeded(ElasticJob& each) {
    if (each.running == nullptr || each.workers == 0 || each.workers >= each.job->workers) return;
    if (IsInTheWay(each)) return;
    const uint32_t enough = each.NearlyAsFast(each.workers);
    each.gives_back = enough > 0 && (enough == each.workers || SetSize(each, enough));
    if (each.gives_back && in_.now >= MayChangeAt(each, in_)) return;
    SetSize(each, each.job->workers);
  }

  // Those of the accepted ones that would not start if all that is decided were done at once: the
  // planner itself tries it. None if nobody gives anything back.
  std::set<JobId> InVain() {
    if (!owed_) return {};
    TrialRoom room(in_.fleet);
    QueueTree tree = *in_.tree;
    PlanRequest then{in_.settings, in_.fleet, &tree, in_.usage};
    then.needs = in_.needs;
    then.held = in_.held;
    then.speed = in_.speed;
    then.expected = in_.expected;
    then.name = in_.name;
    then.now = in_.now;
    then.grace = in_.grace;
    then.tell = then.estimate = false;
    for (const WaitingJob* job : accepted_) then.waiting.push_back(*job);
    for (const WaitingJob* job : unplaced_) then.waiting.push_back(*job);
    std::set<JobId> gone;
    auto lets_go = [&](const RunningJob& job, const Holding& held) {
      room.LetGo(held);
      tree.Take(job.queue, job.user, job.demand, -1);
      gone.insert(job.id);
    };
    for (const RunningJob* job : stopping_) lets_go(*job, in_.held(job->id));
    std::map<JobId, uint32_t> sizes;
    for (ElasticJob& each : elastic_) {
      if (each.workers > 0) sizes[each.job->id] = each.workers;
      if (!IsResized(each)) continue;
      lets_go(*each.running, each.held);
      then.waiting.push_back({static_cast<const PlannedJob&>(*each.job)});
    }
    for (WaitingJob& job : then.waiting) {
      if (auto size = sizes.find(job.id); size != sizes.end()) SetWorkers(&job, size->second);
      job.sized = true;
      job.paused = false;
    }
    for (const RunningJob& job : in_.running) {
      if (!gone.contains(job.id)) then.running.push_back(job);
    }
    std::set<JobId> vain;
    for (const WaitingJob* job : accepted_) vain.insert(job->id);
    for (const Placement& each : PlanPlacements(std::move(then)).placements) vain.erase(each.job);
    return vain;
  }

  static bool IsResized(const ElasticJob& each) {
    return each.running != nullptr && each.workers > 0 && each.workers != each.job->workers;
  }

  Sizes Decide() {
    Sizes out;
    for (ElasticJob& each : elastic_) {
      if (IsResized(each)) {
        out.resizes.push_back({each.job->id, each.job->workers, each.workers, WhyText(each)});
        each.running->stopping = true;
      } else if (each.running != nullptr) {
        out.stays.push_back({each.job->id, WhySize(each, in_, !accepted_.empty())});
      } else if (each.workers > 0) {
        SetWorkers(each.job, each.workers);
      }
    }
    return out;
  }

  std::string WhyText(const ElasticJob& each) const {
    const uint32_t now = each.job->workers;
    const double now_to_then = each.Goodput(now) / each.Goodput(each.workers);
    if (each.workers < now && !each.gives_back) return "others wait for slots";
    if (each.workers < now) {
      return std::to_string(now) + " are only " + TimesText(now_to_then) + " as fast";
    }
    return "expected to go " + TimesText(1 / now_to_then) + " as fast";
  }

  PlanRequest& in_;
  const Policy& policy_;
  std::vector<ElasticJob> elastic_;
  std::vector<const RunningJob*> stopping_;
  EmptyFleet empty_;
  std::set<JobId> vain_;

  // Of one round:
  QueueTree tree_;
  std::optional<TrialRoom> room_;
  Amount free_;    // with what running ones may give back, and less what others were given
  Amount now_;     // of what is free already no more than this is left
  Amount coming_;  // from those that are stopping
  NoMore why_not_ = NoMore::kNone;
  std::vector<const WaitingJob*> accepted_, unplaced_;  // of the latter the first ones
  bool owed_ = false;  // one that was accepted needs what running ones give back
};

}  // namespace

void SetWorkers(PlannedJob* job, uint32_t workers) {
  int64_t slots = job->slots / std::max<uint32_t>(1, job->workers);
  job->workers = workers;
  job->demand = {job->rank.cpus * workers, job->rank.gpus * workers};
  job->slots = slots * workers;
}

Sizes SizeJobs(PlanRequest& request, const Policy& policy) { return Sizer(request, policy).Run(); }

}  // namespace coxswain::coordinator::core

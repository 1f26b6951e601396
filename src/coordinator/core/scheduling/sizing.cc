#include "coordinator/core/scheduling/sizing.h"

#include <algorithm>
#include <map>
#include <queue>
#include <tuple>

#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr double kWorth = 1.3;       // goodput of a larger size, against that of the present one
constexpr double kLeastGain = 0.05;  // of a rank, against one at the least size: less is not given
constexpr double kGrowth = 4;        // against the largest size that was measured

// How many ranks of a kind there is room for on all usable nodes, if they were empty.
struct Room {
  uint32_t on_node = 0, in_rack = 0, in_fleet = 0;
};

// A job with a range, and what it gets.
struct Elastic {
  PlannedJob* job = nullptr;
  RunningJob* running = nullptr;  // the same; null: it waits
  SpeedModel model;
  uint32_t on_node = 1;  // of its ranks
  uint32_t least = 1, most = 1;
  uint32_t workers = 0;  // 0: it has to wait
};

class Sizer {
 public:
  Sizer(PlanRequest& request, const Policy& policy)
      : in_(request), policy_(policy), tree_(*request.tree) {}

  std::vector<Resize> Run() {
    Collect();
    if (elastic_.empty()) return {};
    CountFree();
    for (Elastic& each : elastic_) {
      if (each.running != nullptr) GiveBack(each);
    }
    for (Elastic& each : elastic_) {
      if (each.running != nullptr && Move(*each.job, 0, each.least)) each.workers = each.least;
    }
    GiveLeast();
    Grow();
    for (Elastic& each : elastic_) StayIfNotWorth(each);
    for (Elastic& each : elastic_) StayIfNotNeeded(each);
    return Decide();
  }

 private:
  void Collect() {
    auto add = [&](PlannedJob& job, RunningJob* running) {
      if (job.least >= job.most) return;
      elastic_.push_back({&job, running, in_.speed(job.id), 1, job.least, job.least, 0});
      SetBounds(&elastic_.back());
    };
    // One round of changes is brought to its end before the next is thought of.
    bool changing = false;
    for (const RunningJob& job : in_.running) changing |= job.stopping && job.least < job.most;
    for (const WaitingJob& job : in_.waiting) changing |= job.sized;
    for (RunningJob& job : in_.running) {
      if (!changing && !job.lost) add(job, &job);
    }
    for (WaitingJob& job : in_.waiting) {
      if (!job.sized && !job.lost) add(job, nullptr);
    }
  }

  void SetBounds(Elastic* each) {
    PendingJob needs = in_.needs(each->job->id);
    Room room = RoomFor(needs);
    each->on_node = std::max<uint32_t>(1, room.on_node);
    uint32_t most = each->job->most;
    if (needs.within == Within::kMachine) most = std::min(most, room.on_node);
    if (needs.within == Within::kRack) most = std::min(most, room.in_rack);
    most = std::min(most, room.in_fleet);
    uint32_t tried = each->model.measured();
    uint32_t dared = tried == 0 ? each->job->asked : static_cast<uint32_t>(kGrowth * tried);
    each->most = std::max({each->least, std::min(most, dared)});
    if (each->running != nullptr && most >= each->job->workers) {
      each->most = std::max(each->most, each->job->workers);
    }
  }

  Room RoomFor(const PendingJob& needs) {
    bool plain = needs.selector.empty() && needs.gpu_kinds.empty() && !needs.only;
    auto key = std::tuple(needs.cpus, needs.gpus, needs.memory);
    if (auto found = rooms_.find(key); plain && found != rooms_.end()) return found->second;
    Room room;
    std::map<std::string_view, uint32_t> racks;
    PendingJob gang = needs;
    gang.ranks = UINT32_MAX;
    for (const auto& [id, node] : *in_.fleet) {
      if (!node.why_not.empty() || (needs.only && *needs.only != id)) continue;
      uint32_t here = HasLabels(node, needs) ? RoomOn(node, gang, Extent::kWhole) : 0;
      room.on_node = std::max(room.on_node, here);
      room.in_fleet += here;
      // Without the label it is in no rack with others.
      uint32_t rack = node.rack.empty() ? here : racks[node.rack] += here;
      room.in_rack = std::max(room.in_rack, rack);
    }
    if (plain) rooms_[key] = room;
    return room;
  }

  void CountFree() {
    for (const auto& [id, node] : *in_.fleet) {
      if (!node.why_not.empty()) continue;
      free_.cpus += std::max<int64_t>(0, node.cpus_free);
      for (const GpuSlot& gpu : node.gpus) free_.gpus += gpu.taken == 0 ? 1 : 0;
    }
  }

  // What it holds may be given anew, where its nodes may be used.
  void GiveBack(const Elastic& each) {
    tree_.Take(each.job->queue, each.job->user, each.job->demand, -1);
    for (const RankSlot& slot : in_.held(each.job->id).ranks) {
      auto node = in_.fleet->find(slot.node);
      if (node == in_.fleet->end() || !node->second.why_not.empty()) continue;
      free_.cpus += each.job->rank.cpus;
      free_.gpus += each.job->rank.gpus;
    }
  }

  // From so many ranks to so many. False: it may not, or there are no slots.
  bool Move(const PlannedJob& job, uint32_t from, uint32_t to) {
    Amount more = Times(job.rank, int64_t{to} - from);
    if (more.cpus > free_.cpus || more.gpus > free_.gpus) return false;
    Amount all = Times(job.rank, to);
    if (from > 0) tree_.Take(job.queue, job.user, Times(job.rank, from), -1);
    bool may = to <= from ||
               (!tree_.OverLimit(job.queue, all) && !tree_.OverUserLimit(job.queue, job.user, all));
    if (from > 0 || may) tree_.Take(job.queue, job.user, Times(job.rank, may ? to : from), 1);
    if (!may) return false;
    free_.cpus -= more.cpus;
    free_.gpus -= more.gpus;
    return true;
  }

  static Amount Times(const Amount& rank, int64_t ranks) {
    return {rank.cpus * ranks, rank.gpus * ranks};
  }

  // To those that wait, rigid ones included, as long as slots last.
  void GiveLeast() {
    std::map<JobId, Elastic*> elastic;
    for (Elastic& each : elastic_) elastic[each.job->id] = &each;
    std::vector<std::pair<WaitingKey, const WaitingJob*>> order;
    for (const WaitingJob& job : in_.waiting) {
      if (!job.lost) order.push_back({KeyOf(job, tree_, policy_), &job});
    }
    std::sort(order.begin(), order.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [key, job] : order) {
      if (free_.cpus <= 0) return;
      auto found = elastic.find(job->id);
      if (!Move(*job, 0, found == elastic.end() ? job->workers : job->least)) continue;
      if (found != elastic.end()) found->second->workers = job->least;
    }
  }

  double Goodput(const Elastic& each, uint32_t workers) const {
    if (!each.model.known()) return workers;
    return each.model.Best((workers + each.on_node - 1) / each.on_node, workers).goodput;
  }

  struct Step {
    double gain;
    uint32_t workers;
  };
  // The next size of it that adds the most by rank.
  Step Next(const Elastic& each) const {
    Step best{0, 0};
    double now = Goodput(each, each.workers);
    double of_one = Goodput(each, each.least) / each.least;
    if (!(of_one > 0)) return best;
    for (uint32_t more = 1; each.workers + more <= each.most; more *= 2) {
      double gain = (Goodput(each, each.workers + more) - now) / more / of_one;
      if (gain > best.gain) best = {gain, each.workers + more};
    }
    if (best.gain < kLeastGain) return {0, 0};
    best.gain *= policy_.GrowthWeight(*each.job);
    return best;
  }

  void Grow() {
    using Entry = std::tuple<double, size_t, uint32_t>;  // -gain, index, size
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> next;
    auto offer = [&](size_t index) {
      Step step = Next(elastic_[index]);
      if (step.workers > 0) next.push({-step.gain, index, step.workers});
    };
    for (size_t i = 0; i < elastic_.size(); ++i) {
      if (elastic_[i].workers > 0) offer(i);
    }
    while (!next.empty()) {
      auto [gain, index, workers] = next.top();
      next.pop();
      Elastic& each = elastic_[index];
      if (!Move(*each.job, each.workers, workers)) {
        each.most = workers - 1;  // a smaller one may still fit
        if (each.most > each.workers) offer(index);
        continue;
      }
      each.workers = workers;
      offer(index);
    }
  }

  // A larger size has to pay for the pause.
  void StayIfNotWorth(Elastic& each) {
    if (each.running == nullptr || each.workers <= each.job->workers) return;
    uint32_t now = each.job->workers;
    constexpr uint32_t kMostDoublings = 6;
    int64_t times = int64_t{1} << std::min(each.running->vain, kMostDoublings);
    bool soon = in_.now < each.running->started + in_.settings->resize_after * times;
    if (!soon && Goodput(each, each.workers) >= kWorth * Goodput(each, now)) return;
    if (Move(*each.job, each.workers, now)) each.workers = now;
  }

  void StayIfNotNeeded(Elastic& each) {
    if (each.running == nullptr || each.workers == 0 || each.workers >= each.job->workers) return;
    uint32_t now = each.job->workers;
    if (Move(*each.job, each.workers, now)) each.workers = now;
  }

  std::vector<Resize> Decide() {
    std::vector<Resize> out;
    for (Elastic& each : elastic_) {
      if (each.running == nullptr) {
        if (each.workers > 0) SetWorkers(each.job, each.workers);
      } else if (each.workers > 0 && each.workers != each.job->workers) {
        out.push_back({each.job->id, each.job->workers, each.workers, WhyText(each)});
        each.running->stopping = true;
      }
    }
    return out;
  }

  std::string WhyText(const Elastic& each) const {
    uint32_t now = each.job->workers;
    if (each.workers < now) return "others wait for slots";
    return "expected to go " + TimesText(Goodput(each, each.workers) / Goodput(each, now)) +
           " as fast";
  }

  PlanRequest& in_;
  const Policy& policy_;
  QueueTree tree_;
  std::vector<Elastic> elastic_;
  std::map<std::tuple<uint32_t, uint32_t, int64_t>, Room> rooms_;
  Amount free_;
};

}  // namespace

void SetWorkers(PlannedJob* job, uint32_t workers) {
  int64_t slots = job->slots / std::max<uint32_t>(1, job->workers);
  job->workers = workers;
  job->demand = {job->rank.cpus * workers, job->rank.gpus * workers};
  job->slots = slots * workers;
}

std::vector<Resize> SizeJobs(PlanRequest& request, const Policy& policy) {
  return Sizer(request, policy).Run();
}

}  // namespace coxswain::coordinator::core

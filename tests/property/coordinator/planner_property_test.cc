// Whatever waits: slots are given once, whoever fits starts, nobody who goes first is delayed by
// those that are let past it, each job is told something, and the fleet is left as it was.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "common/base/rng.h"
#include "tests/unit/coordinator/core/plan_facts.h"

namespace coxswain::fakes {
namespace {

struct Waiter {
  PendingJob needs;
  JobFacts facts;
};
struct Runner {
  PendingJob needs;
  std::vector<std::string> nodes;
  JobFacts facts;
};

// Machines with and without GPUs, jobs on them whose ends are known or not, and a line of others.
class RandomQueues {
 public:
  RandomQueues(uint32_t seed, PolicyName policy, bool limits) : rng_(seed) {
    settings_.policy = policy;
    if (limits) AddQueues();
    const uint64_t machines = 1 + rng_.Below(5);
    for (uint64_t i = 0; i < machines; ++i) {
      NodeCapacity node =
          Node(std::string(1, static_cast<char>('a' + i)), 2 + static_cast<uint32_t>(rng_.Below(7)),
               static_cast<uint32_t>(rng_.Below(2) * 4));
      node.rack = node.labels["rack"] = "r" + std::to_string(rng_.Below(2));
      nodes_.push_back(std::move(node));
    }
    for (uint64_t i = rng_.Below(7); i-- > 0;) AddRunning();
    const uint64_t many = rng_.Below(4) == 0 ? 150 : 10;
    for (uint64_t i = 1 + rng_.Below(many); i-- > 0;) AddWaiting();
  }

  PlannerWorld World(bool told) const {
    PlannerWorld world;
    world.settings = settings_;
    world.estimate = !told;
    for (const NodeCapacity& node : nodes_) world.fleet[NodeId(node.name)] = node;
    for (const Runner& each : running_) world.Run(each.needs, each.nodes, each.facts);
    for (Waiter each : waiting_) {
      each.facts.told = told;
      world.Wait(each.needs, each.facts);
    }
    return world;
  }
  const std::vector<Waiter>& waiting() const { return waiting_; }

  // With `job`, its queue and user hold no more than they may by then, if all goes as expected and
  // those of the plan are started now.
  bool IsWithinLimits(const Waiter& job, int64_t minutes, const core::Plan& plan) const {
    QueueTree tree(settings_);
    auto take = [&](const PendingJob& needs, const JobFacts& facts) {
      if (facts.minutes >= 0 && facts.minutes <= minutes) return;
      tree.Take(tree.Find(facts.queue), facts.user,
                {int64_t{needs.ranks} * needs.cpus, int64_t{needs.ranks} * needs.gpus}, 1);
    };
    for (const Runner& each : running_) take(each.needs, each.facts);
    for (const Waiter& each : waiting_) {
      const bool placed = std::any_of(plan.placements.begin(), plan.placements.end(),
                                      [&](const auto& one) { return one.job == each.needs.id; });
      if (placed) take(each.needs, each.facts);
    }
    const Amount more{int64_t{job.needs.ranks} * job.needs.cpus,
                      int64_t{job.needs.ranks} * job.needs.gpus};
    const QueueIndex queue = tree.Find(job.facts.queue);
    return !tree.OverLimit(queue, more) && !tree.OverUserLimit(queue, job.facts.user, more);
  }

  // As it would be by then, if all goes as expected and those of the plan are started now.
  PlacementView At(int64_t minutes, const core::Plan& plan) const {
    PlannerWorld world;
    for (const NodeCapacity& node : nodes_) world.fleet[NodeId(node.name)] = node;
    for (const Runner& each : running_) {
      const bool gone = each.facts.minutes >= 0 && each.facts.minutes <= minutes;
      if (!gone) world.Run(each.needs, each.nodes, each.facts);
    }
    for (const Placement& each : plan.placements) {
      const Waiter& job = *std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiter& other) {
        return other.needs.id == each.job;
      });
      const bool gone = job.facts.minutes >= 0 && job.facts.minutes <= minutes;
      if (!gone) Occupy(&world.fleet, {each.ranks, job.needs.cpus, job.needs.memory}, 1);
    }
    return std::move(world.fleet);
  }

 private:
  void AddQueues() {
    settings_.queues = {Queue("x", rng_.Below(4)), Queue("y", rng_.Below(4)), Queue("z", 0)};
    for (QueueSettings& queue : settings_.queues) {
      if (rng_.Below(3) == 0) queue.limit.cpus = 1 + rng_.Below(6);
      if (rng_.Below(3) == 0) queue.user_limit.cpus = 1 + rng_.Below(4);
      if (rng_.Below(4) == 0) queue.user_limit.gpus = 1 + rng_.Below(4);
      if (rng_.Below(4) == 0) queue.user_jobs = 1 + rng_.Below(3);
    }
  }

  JobFacts Facts() {
    JobFacts facts;
    if (!settings_.queues.empty()) {
      facts.queue = settings_.queues[rng_.Below(settings_.queues.size())].name;
    }
    facts.user = rng_.Below(2) == 0 ? "ann" : "bob";
    facts.priority = static_cast<int32_t>(rng_.Below(3));
    if (rng_.Below(3) != 0) facts.minutes = 1 + static_cast<int64_t>(rng_.Below(30));
    facts.started = static_cast<int64_t>(rng_.Below(60));
    return facts;
  }

  void AddRunning() {
    Runner job{.needs = {.id = JobId(++jobs_)}, .facts = Facts()};
    job.needs.cpus = 1 + static_cast<uint32_t>(rng_.Below(3));
    for (uint64_t ranks = 1 + rng_.Below(4); ranks > 0; --ranks) {
      NodeCapacity& node = nodes_[rng_.Below(nodes_.size())];
      int64_t& used = used_[node.name];
      if (used + job.needs.cpus > node.cpus) continue;
      used += job.needs.cpus;
      job.nodes.push_back(node.name);
    }
    if (job.nodes.empty()) return;
    job.needs.ranks = static_cast<uint32_t>(job.nodes.size());
    running_.push_back(std::move(job));
  }

  void AddWaiting() {
    Waiter job{.needs = {.id = JobId(++jobs_)}, .facts = Facts()};
    job.needs.ranks = 1 + static_cast<uint32_t>(rng_.Below(4));
    job.needs.cpus = 1 + static_cast<uint32_t>(rng_.Below(3));
    if (rng_.Below(4) == 0) job.needs.gpus = 1 + static_cast<uint32_t>(rng_.Below(2));
    if (rng_.Below(5) == 0) job.needs.selector["rack"] = "r" + std::to_string(rng_.Below(2));
    const uint64_t within = rng_.Below(6);
    if (within < 2) job.needs.within = within == 0 ? Within::kRack : Within::kMachine;
    waiting_.push_back(std::move(job));
  }

  base::Rng rng_;
  uint64_t jobs_ = 0;
  SchedulingSettings settings_;
  std::vector<NodeCapacity> nodes_;
  std::map<std::string, int64_t> used_;
  std::vector<Runner> running_;
  std::vector<Waiter> waiting_;
};

std::vector<std::string> Decisions(const core::Plan& plan) {
  std::vector<std::string> out;
  for (const Placement& each : plan.placements) {
    out.push_back(base::ToString(each.job));
    for (const RankSlot& slot : each.ranks) out.back() += " " + slot.node.value;
  }
  for (const Preemption& each : plan.preemptions) {
    out.push_back(base::ToString(each.victim) + " for " + base::ToString(each.by));
  }
  return out;
}

bool IsFree(const PlacementView& view) {
  return std::all_of(view.begin(), view.end(), [](const auto& entry) {
    return entry.second.cpus_free >= 0 &&
           std::all_of(entry.second.gpus.begin(), entry.second.gpus.end(),
                       [](const GpuSlot& gpu) { return gpu.taken <= 1; });
  });
}

constexpr PolicyName kPolicies[] = {PolicyName::kFifo, PolicyName::kPriority, PolicyName::kFair,
                                    PolicyName::kLas};

TEST(PlannerProperty, SlotsOnce_EachIsTold_AndWhoIsKnownToWaitMakesNoDifference) {
  EXPECT_TRUE(rc::check([](uint32_t seed) {
    const RandomQueues load(seed, kPolicies[seed % 4], true);
    PlannerWorld world = load.World(false);
    const core::Plan plan = world.MakePlan();
    RC_ASSERT(world.left_as_it_was);
    RC_ASSERT(IsFree(load.At(0, plan)));
    RC_ASSERT(plan.placements.size() + plan.why.size() + plan.far.size() == load.waiting().size());
    PlannerWorld told = load.World(true);
    RC_ASSERT(Decisions(told.MakePlan()) == Decisions(plan));
    RC_ASSERT(told.left_as_it_was);
  }));
}

TEST(PlannerProperty, WhereNothingIsKept_WhoeverFitsStarts) {
  EXPECT_TRUE(rc::check([](uint32_t seed) {
    const RandomQueues load(seed, PolicyName::kLas, false);
    const core::Plan plan = load.World(seed % 2 == 0).MakePlan();
    const PlacementView left = load.At(0, plan);
    std::set<JobId> placed;
    for (const Placement& each : plan.placements) placed.insert(each.job);
    for (const Waiter& job : load.waiting()) {
      const bool fits = !FitGang(left, job.needs, Extent::kFree).shares.empty();
      RC_ASSERT(placed.contains(job.needs.id) || !fits);
    }
  }));
}

TEST(PlannerProperty, WhoIsPromisedSlots_HasThemByThen_WhoeverWentPastIt) {
  int promises = 0, passed = 0;
  EXPECT_TRUE(rc::check([&](uint32_t seed) {
    const RandomQueues load(seed, PolicyName::kFifo, seed % 3 == 0);
    const core::Plan plan = load.World(seed % 2 == 0).MakePlan();
    if (!plan.preemptions.empty()) return;
    for (const Why& why : plan.why) {
      if (!why.first || !why.starts) continue;
      const auto job = std::find_if(load.waiting().begin(), load.waiting().end(),
                                    [&](const Waiter& each) { return each.needs.id == why.job; });
      const PlacementView then = load.At(MinutesUntil(*why.starts), plan);
      RC_ASSERT(!FitGang(then, job->needs, Extent::kFree).shares.empty());
      RC_ASSERT(load.IsWithinLimits(*job, MinutesUntil(*why.starts), plan));
      ++promises;
      passed += std::any_of(plan.placements.begin(), plan.placements.end(),
                            [&](const Placement& each) { return why.job < each.job; });
      return;  // those after it may wait for its end
    }
  }));
  EXPECT_GT(promises, 10);
  EXPECT_GT(passed, 3);
}

}  // namespace
}  // namespace coxswain::fakes

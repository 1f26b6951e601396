// Whatever runs and waits: running jobs are made smaller for others only if one that waits starts
// when they have let go, and a plan leaves the fleet as it was.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "common/base/rng.h"
#include "tests/unit/coordinator/core/planner_world.h"

namespace coxswain::fakes {
namespace {

struct RunningHere {
  PendingJob needs;  // at its least size
  std::vector<std::string> nodes;
  uint32_t most = 1;
};

// Machines that differ, jobs that are on them, and jobs that wait and are particular.
class RandomLoad {
 public:
  explicit RandomLoad(uint32_t seed) : rng_(seed) {
    const uint64_t machines = 1 + rng_.Below(6);
    for (uint64_t i = 0; i < machines; ++i) {
      NodeCapacity node = Node(std::string(1, static_cast<char>('a' + i)), 1 + rng_.Below(6));
      node.rack = node.labels["rack"] = "r" + std::to_string(rng_.Below(3));
      nodes_.push_back(std::move(node));
    }
    for (uint64_t i = rng_.Below(8); i-- > 0;) AddRunning();
    for (uint64_t i = 1 + rng_.Below(6); i-- > 0;) waiting_.push_back(Particular(NextId()));
  }

  PlannerWorld Now() const { return World({}, {}); }
  // When those have let go, to go on with so many ranks.
  PlannerWorld Then(const std::vector<Resize>& resizes) const {
    std::map<JobId, uint32_t> sizes;
    for (const Resize& each : resizes) sizes[each.job] = each.to;
    return World(sizes, sizes);
  }
  bool Waits(JobId job) const {
    return std::any_of(waiting_.begin(), waiting_.end(),
                       [&](const PendingJob& each) { return each.id == job; });
  }

 private:
  JobId NextId() { return JobId(++jobs_); }

  PendingJob Particular(JobId id) {
    PendingJob job{.id = id, .ranks = 1 + static_cast<uint32_t>(rng_.Below(4))};
    const uint64_t within = rng_.Below(4);
    job.within = within == 0 ? Within::kRack : within < 3 ? Within::kMachine : Within::kFleet;
    if (rng_.Below(4) == 0) job.cpus = 2;
    if (rng_.Below(5) == 0) job.selector["rack"] = "r" + std::to_string(rng_.Below(3));
    if (rng_.Below(5) == 0) job.only = NodeId(nodes_[rng_.Below(nodes_.size())].name);
    return job;
  }

  void AddRunning() {
    RunningHere job{.needs = {.id = NextId()}};
    const uint64_t first = rng_.Below(nodes_.size());
    for (uint64_t ranks = 1 + rng_.Below(5), i = first; ranks > 0 && i < nodes_.size(); ++i) {
      for (; ranks > 0 && nodes_[i].cpus_free > 0; --ranks) {
        --nodes_[i].cpus_free;
        job.nodes.push_back(nodes_[i].name);
      }
    }
    if (job.nodes.empty()) return;
    const auto now = static_cast<uint32_t>(job.nodes.size());
    job.needs.ranks = 1 + static_cast<uint32_t>(rng_.Below(now));
    job.most = now + static_cast<uint32_t>(rng_.Below(3));
    if (rng_.Below(3) == 0) job.needs.ranks = job.most = now;
    const bool one = std::set<std::string>(job.nodes.begin(), job.nodes.end()).size() == 1;
    if (one && rng_.Below(2) == 0) {
      job.needs.within = Within::kMachine;
      job.needs.only = NodeId(job.nodes[0]);
    }
    running_.push_back(std::move(job));
  }

  PlannerWorld World(const std::map<JobId, uint32_t>& again,
                     const std::map<JobId, uint32_t>& gone) const {
    PlannerWorld world;
    for (NodeCapacity node : nodes_) {
      node.cpus_free = node.cpus;
      world.fleet[NodeId(node.name)] = node;
    }
    for (const RunningHere& job : running_) {
      if (gone.contains(job.needs.id)) continue;
      world.Run(job.needs, job.nodes,
                {.started = 60, .most = job.most, .now = static_cast<uint32_t>(job.nodes.size())});
    }
    for (const RunningHere& job : running_) {
      auto size = again.find(job.needs.id);
      if (size == again.end()) continue;
      world.Wait(job.needs, {.most = job.most, .now = size->second, .sized = true});
    }
    for (const PendingJob& job : waiting_) world.Wait(job);
    return world;
  }

  base::Rng rng_;
  uint64_t jobs_ = 0;
  std::vector<NodeCapacity> nodes_;
  std::vector<RunningHere> running_;
  std::vector<PendingJob> waiting_;
};

std::set<JobId> StartedOf(const RandomLoad& load, const Plan& plan) {
  std::set<JobId> started;
  for (const Placement& each : plan.placements) {
    if (load.Waits(each.job)) started.insert(each.job);
  }
  return started;
}

TEST(SizingProperty, MadeSmaller_OnlyIfSomebodyStarts) {
  int made_smaller = 0;
  EXPECT_TRUE(rc::check([&](uint32_t seed) {
    const RandomLoad load(seed);
    PlannerWorld now = load.Now();
    const Plan plan = now.MakePlan();
    RC_ASSERT(now.left_as_it_was);
    const bool smaller = std::any_of(plan.resizes.begin(), plan.resizes.end(),
                                     [](const Resize& each) { return each.to < each.from; });
    if (!smaller) return;
    ++made_smaller;
    PlannerWorld then = load.Then(plan.resizes);
    const Plan next = then.MakePlan();
    const std::set<JobId> before = StartedOf(load, plan), after = StartedOf(load, next);
    const bool more =
        std::any_of(after.begin(), after.end(), [&](JobId job) { return !before.contains(job); });
    RC_ASSERT(more);
  }));
  EXPECT_GT(made_smaller, 0) << "no draw had anything to show";
}

}  // namespace
}  // namespace coxswain::fakes

#include <gmock/gmock.h>

#include "tests/unit/coordinator/core/planner_world.h"

namespace coxswain {
namespace {

using namespace fakes;  // NOLINT
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

PendingJob Job(uint64_t id, uint32_t ranks = 1) { return {.id = JobId(id), .ranks = ranks}; }

// A step on so many ranks, as measured: `even`: of a second that is divided among the ranks.
Speed Measured(std::vector<std::pair<uint32_t, double>> seconds) {
  Speed speed;
  for (auto [workers, of_step] : seconds) {
    Measure(&speed, {1, workers, PlannerWorld::kBatch, of_step});
  }
  return speed;
}

std::vector<std::pair<uint64_t, size_t>> Sizes(const Plan& plan) {
  std::vector<std::pair<uint64_t, size_t>> out;
  for (const Placement& each : plan.placements) {
    out.push_back({each.job.value, each.ranks.size()});
  }
  return out;
}

std::vector<std::pair<uint64_t, uint32_t>> Resized(const Plan& plan) {
  std::vector<std::pair<uint64_t, uint32_t>> out;
  for (const Resize& each : plan.resizes) out.push_back({each.job.value, each.to});
  return out;
}

TEST(Sizing, NeverMeasured_StartsAsLargeAsItAsks) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  world.Wait(Job(1), {.most = 8, .asked = 3});
  EXPECT_THAT(Sizes(world.MakePlan()), ElementsAre(Pair(1, 3)));
}

TEST(Sizing, EverybodysLeast_ComesBeforeAnybodysMore) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4)});
  world.Wait(Job(1), {.most = 4, .asked = 4});
  world.Wait(Job(2), {.most = 4, .asked = 4});
  world.Wait(Job(3, 2));
  EXPECT_THAT(Sizes(world.MakePlan()), UnorderedElementsAre(Pair(1, 1), Pair(2, 1), Pair(3, 2)));
}

TEST(Sizing, MoreGoToWhoGainsMore) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 6)});
  // One that is as slow on two ranks as on one, and one that is twice as fast.
  world.Wait(Job(1), {.most = 4, .asked = 4, .speed = Measured({{1, 1.0}, {2, 1.0}})});
  world.Wait(Job(2), {.most = 4, .asked = 4, .speed = Measured({{1, 1.0}, {2, 0.5}})});
  EXPECT_THAT(Sizes(world.MakePlan()), UnorderedElementsAre(Pair(1, 1), Pair(2, 4)));
}

TEST(Sizing, RunningAlone_GrowsToFourTimesWhatWasMeasured_NotSoonAfterItsStart) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  JobFacts facts{.started = 10, .most = 8, .speed = Measured({{1, 1.0}})};
  world.Run(Job(1), {"a"}, facts);
  Plan plan = world.MakePlan();
  EXPECT_THAT(Resized(plan), ElementsAre(Pair(1, 4u)));
  EXPECT_EQ(plan.resizes[0].from, 1u);
  EXPECT_TRUE(plan.resizes[0].why.starts_with("expected to go 2.")) << plan.resizes[0].why;
  EXPECT_TRUE(world.left_as_it_was);
  world.settings.resize_after = base::seconds(3600);
  EXPECT_THAT(Resized(world.MakePlan()), IsEmpty());
}

TEST(Sizing, WithoutRackLabels_NodesAreNoRack) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 2), Node("b", 2)});
  PendingJob needs = Job(1, 1);
  needs.within = Within::kRack;
  world.Run(needs, {"a"}, {.started = 10, .most = 8, .speed = Measured({{1, 1.0}})});
  EXPECT_THAT(Resized(world.MakePlan()), ElementsAre(Pair(1, 2u))) << "4 would have no place";
}

TEST(Sizing, ResizeThatLedToNothing_IsNotTriedAgainSoon) {
  for (auto [vain, started, expected] :
       {std::tuple(0u, 3, 1u), std::tuple(3u, 3, 0u), std::tuple(3u, 60, 1u)}) {
    PlannerWorld world;
    world.settings.resize_after = base::seconds(120);
    world.fleet = Fleet({Node("a", 8)});
    JobFacts facts{.started = started, .vain = vain, .most = 8, .speed = Measured({{1, 1.0}})};
    world.Run(Job(1), {"a"}, facts);
    EXPECT_EQ(world.MakePlan().resizes.size(), expected) << vain << " " << started;
  }
}

TEST(Sizing, GainThatDoesNotPayForThePause_IsLeft) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  world.Run(Job(1), {"a"},
            {.started = 10, .most = 8, .speed = Measured({{1, 1.0}, {2, 0.9}, {4, 0.85}})});
  EXPECT_THAT(Resized(world.MakePlan()), IsEmpty());
}

TEST(Sizing, WaitingGang_MakesGrownOnesSmaller_AsFarAsNeeded) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  JobFacts grown{.started = 10, .most = 8, .now = 4, .speed = Measured({{1, 1.0}, {4, 0.25}})};
  world.Run(Job(1), {"a", "a", "a", "a"}, grown);
  world.Run(Job(2), {"a", "a"}, {.started = 10, .most = 2, .now = 2});
  world.Wait(Job(3, 4));
  Plan plan = world.MakePlan();
  ASSERT_EQ(plan.resizes.size(), 1u) << "2 slots are free, 2 more are enough";
  EXPECT_EQ(plan.resizes[0].why, "others wait for slots");
  EXPECT_THAT(plan.placements, IsEmpty());
  EXPECT_THAT(plan.preemptions, IsEmpty());
}

TEST(Sizing, NobodyWaits_GrownOnesKeepTheirs) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1), {"a", "a", "a", "a"}, {.started = 10, .most = 4, .now = 4});
  EXPECT_THAT(Resized(world.MakePlan()), IsEmpty());
}

TEST(Sizing, RoundOfChanges_EndsBeforeTheNext) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  world.Run(Job(1), {"a"}, {.started = 10, .most = 8, .speed = Measured({{1, 1.0}})});
  world.Wait(Job(2, 1), {.most = 4, .now = 3, .sized = true});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Resized(plan), IsEmpty());
  EXPECT_THAT(Sizes(plan), ElementsAre(Pair(2, 3))) << "as it was decided";
}

TEST(Sizing, DoesNotFitWhereItMayGo_IsStartedSmaller) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 3), Node("b", 3)});
  PendingJob needs = Job(1);
  needs.within = Within::kMachine;
  world.Wait(needs, {.most = 6, .asked = 6});
  EXPECT_THAT(Sizes(world.MakePlan()), ElementsAre(Pair(1, 3)));
}

TEST(Sizing, LimitOfAQueue_IsALimitOfSizesToo) {
  PlannerWorld world;
  world.settings.queues = {{.name = "default", .limit = {.cpus = 3, .gpus = std::nullopt}}};
  world.fleet = Fleet({Node("a", 8)});
  world.Wait(Job(1), {.most = 8, .asked = 8});
  EXPECT_THAT(Sizes(world.MakePlan()), ElementsAre(Pair(1, 3)));
}

TEST(Elastic, ServedLong_YieldsToNew_AndSizesSayNothing) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kElastic;
  world.fleet = Fleet({Node("a", 1)});
  world.Run(Job(1), {"a"}, {.slot_time = base::seconds(72000)});
  world.Wait(Job(2));
  ASSERT_EQ(world.MakePlan().preemptions.size(), 1u);
  EXPECT_EQ(world.MakePlan().preemptions[0].victim, JobId(1));
}

}  // namespace
}  // namespace coxswain

#include <gmock/gmock.h>

#include "tests/unit/coordinator/core/plan_facts.h"

namespace coxswain {
namespace {

using namespace fakes;  // NOLINT
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

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

// Of as many ranks as it has on these nodes, and twice as fast on twice as many.
JobFacts Grown(uint32_t now, uint32_t most = 8) {
  return {.started = 10, .most = most, .now = now, .speed = Measured({{1, 1.0}, {4, 0.25}})};
}

PendingJob Within(Within within, PendingJob job) {
  job.within = within;
  return job;
}
PendingJob OnlyOn(const std::string& node, PendingJob job) {
  job.only = NodeId(node);
  return Within(Within::kMachine, std::move(job));
}

// Two machines of 4 slots, a job on each that may give back all but `least`, and may go nowhere
// else.
PlannerWorld TwoTied(uint32_t least, uint32_t now) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4), Node("b", 4)});
  world.Run(OnlyOn("a", Job(1, least)), std::vector<std::string>(now, "a"), Grown(now));
  world.Run(OnlyOn("b", Job(2, least)), std::vector<std::string>(now, "b"), Grown(now));
  return world;
}

TEST(SizingOnNodes, WhatWouldNotHelp_IsNotGivenBack) {
  PlannerWorld world = TwoTied(2, 4);
  world.Wait(Within(Within::kMachine, Job(3, 4)));
  EXPECT_THAT(Resized(world.MakePlan()), IsEmpty()) << "2 and 2 are not 4 on one machine";
  EXPECT_TRUE(world.left_as_it_was);
}

TEST(SizingOnNodes, WhoWaitsInVain_KeepsNobodySmall) {
  PlannerWorld world = TwoTied(2, 2);
  world.Wait(Within(Within::kMachine, Job(3, 4)));
  EXPECT_THAT(Resized(world.MakePlan()), ElementsAre(Pair(1, 4u), Pair(2, 4u)));
}

TEST(SizingOnNodes, OneOfThemIsEnough_TheOtherIsLeftAlone) {
  PlannerWorld world = TwoTied(1, 4);
  world.Wait(Within(Within::kMachine, Job(3, 3)));
  EXPECT_THAT(Resized(world.MakePlan()), ElementsAre(Pair(1, 1u)));
}

TEST(SizingOnNodes, OthersCanMoveTogether_TheyMakeRoomOnOneMachine) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4), Node("b", 4)});
  world.Run(Job(1), {"a", "a", "a", "a"}, Grown(4));
  world.Run(Job(2), {"b", "b", "b", "b"}, Grown(4));
  world.Wait(Within(Within::kMachine, Job(3, 4)));
  EXPECT_THAT(Resized(world.MakePlan()), ElementsAre(Pair(1, 2u), Pair(2, 2u)));
  EXPECT_TRUE(world.left_as_it_was);
}

TEST(SizingOnNodes, WhereverItMayGo_OnlyThoseThereGiveBack) {
  auto in_rack = [](const std::string& rack, const std::string& gpu, const std::string& name) {
    NodeCapacity node = WithMemory(40, Node(name, 4, 4, gpu));
    node.rack = node.labels["rack"] = rack;
    return node;
  };
  const PendingJob by_label{.id = JobId(3), .ranks = 2, .selector = {{"rack", "r1"}}};
  const PendingJob by_kind{.id = JobId(3), .ranks = 2, .gpus = 1, .gpu_kinds = {"A100"}};
  const PendingJob by_rack = Within(Within::kRack, {.id = JobId(3), .ranks = 4});
  const PendingJob by_memory{.id = JobId(3), .ranks = 1, .memory = 25};
  for (const PendingJob& waits : {by_label, by_kind, by_rack, by_memory}) {
    PlannerWorld world;
    world.fleet = Fleet({in_rack("r1", "NVIDIA A100", "a"), in_rack("r2", "NVIDIA H200", "b"),
                         in_rack("r1", "NVIDIA A100", "c"), in_rack("r2", "NVIDIA H200", "d")});
    // On a and c, in r1; and one in r2 that keeps too much.
    PendingJob first = OnlyOn("a", {.id = JobId(1), .ranks = 1, .gpus = 1, .memory = 10});
    PendingJob second = OnlyOn("b", {.id = JobId(2), .ranks = 3, .gpus = 1, .memory = 10});
    world.Run(first, {"a", "a", "a", "a"}, Grown(4, 4));
    world.Run(second, {"b", "b", "b", "b"}, Grown(4, 4));
    world.Run({.id = JobId(4), .ranks = 3, .gpus = 1, .memory = 10}, {"c", "c", "c"}, {});
    world.Run({.id = JobId(5), .ranks = 4, .gpus = 1, .memory = 10}, {"d", "d", "d", "d"}, {});
    world.Wait(waits);
    const Plan plan = world.MakePlan();
    ASSERT_EQ(plan.resizes.size(), 1u) << waits.ranks;
    EXPECT_EQ(plan.resizes[0].job, JobId(1));
    EXPECT_TRUE(world.left_as_it_was);
  }
}

TEST(SizingOnNodes, RanksOfSeveralSlots_NeedThemOnOneMachine) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 2), Node("b", 2)});
  world.Run(OnlyOn("a", Job(1)), {"a", "a"}, Grown(2, 2));
  world.Run(OnlyOn("b", Job(2)), {"b", "b"}, Grown(2, 2));
  world.Wait({.id = JobId(3), .cpus = 2});
  EXPECT_THAT(Resized(world.MakePlan()), IsEmpty());
}

TEST(SizingOnNodes, SomebodyElseIsStopping_NobodyGivesBackWhatHeLeaves) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  world.Run(Job(1), {"a", "a", "a", "a"}, Grown(4, 4));
  world.Run(Job(2, 4), {"a", "a", "a", "a"}, {.stopping = true});
  world.Wait(Job(3, 4));
  EXPECT_THAT(Resized(world.MakePlan()), IsEmpty());
}

TEST(SizingOnNodes, BehindOneThatSlotsAreKeptFor_NobodyGivesBack) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4), Node("b", 1)});
  world.Run(OnlyOn("a", Job(1, 2)), {"a", "a", "a"}, Grown(3, 3));
  world.Run(Job(2), {"b"}, {});
  // All of a, once the first has ended; the second does not overtake it there.
  world.Wait(Within(Within::kMachine, Job(3, 4)));
  world.Wait(Within(Within::kMachine, Job(4, 2)));
  EXPECT_THAT(Resized(world.MakePlan()), IsEmpty());
}

TEST(SizingOnNodes, NodeIsBeingDrained_ItsJobIsLeftToThat) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4), Node("b", 2)});
  world.Run(Job(1), {"a", "a", "a", "a"}, Grown(4));
  world.fleet[NodeId("a")].why_not = "draining";
  EXPECT_THAT(Resized(world.MakePlan()), IsEmpty()) << "there are only 2 other slots";
}

// Its last rank was measured to bring 3 %.
JobFacts NearlyAsFast(int64_t started) {
  return {
      .started = started, .most = 8, .now = 2, .speed = Measured({{1, 1.0}, {2, 0.97}, {4, 0.96}})};
}

TEST(Sizing, LastRanksThatBringNothing_AreGivenBack_NotSoon) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  world.settings.resize_after = base::seconds(60);
  world.Run(Job(1), {"a", "a"}, NearlyAsFast(12));
  const Plan plan = world.MakePlan();
  EXPECT_THAT(Resized(plan), ElementsAre(Pair(1, 1u)));
  EXPECT_EQ(plan.resizes.at(0).why, "2 are only 1.03 times as fast");
  world.settings.resize_after = base::seconds(61);
  EXPECT_THAT(Resized(world.MakePlan()), IsEmpty());
}

TEST(Sizing, LastRanksThatWereNeverMeasuredWithout_AreKept) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  world.Run(Job(1), {"a", "a"},
            {.started = 600, .most = 2, .now = 2, .speed = Measured({{2, 0.97}})});
  EXPECT_THAT(Resized(world.MakePlan()), IsEmpty());
}

TEST(Sizing, WhatHelpsALittleEach_AndMuchTogether_IsKept) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  world.Run(Job(1), std::vector<std::string>(8, "a"),
            {.started = 600, .most = 8, .now = 8, .speed = Measured({{1, 1.0}, {8, 0.8}})});
  EXPECT_THAT(Resized(world.MakePlan()), IsEmpty()) << "1.25 times as fast";
}

std::string WhyItStays(PlannerWorld& world) {
  const Plan plan = world.MakePlan();
  return plan.stays.size() == 1 ? plan.stays[0].why : std::to_string(plan.resizes.size());
}

TEST(WhySize, SaysWhatItWouldGain_OrWhatIsInTheWay) {
  struct Case {
    JobFacts facts;
    uint32_t slots;
    std::string why;
  };
  const Speed one = Measured({{1, 1.0}});
  const Speed flat = Measured({{1, 1.0}, {2, 0.97}, {4, 0.96}});
  const Case cases[] = {
      {{.started = 10, .most = 8}, 8, "1 of 1..8 ranks: its steps are not measured yet"},
      {{.started = 10, .most = 8, .now = 8, .speed = one},
       8,
       "8 of 1..8 ranks: it may have no more"},
      {{.started = 10, .most = 8, .now = 2, .speed = one},
       2,
       "2 of 1..8 ranks: where it may run there is no room for more"},
      {{.started = 10, .most = 8, .now = 4, .speed = one},
       8,
       "4 of 1..8 ranks: it was measured on 1 at most, and not on these yet"},
      {{.started = 10, .most = 8, .now = 1, .speed = flat},
       8,
       "1 of 1..8 ranks: 2 would be 1.03 times as fast, below 1.30 times"},
      {{.started = 1, .most = 8, .now = 1, .speed = one},
       8,
       "1 of 1..8 ranks: 4 would be 2.35 times as fast; no change sooner than 3 min after its last "
       "start"},
      {{.started = 5, .vain = 2, .most = 8, .now = 1, .speed = one},
       8,
       "1 of 1..8 ranks: 4 would be 2.35 times as fast; paused until 12 min after its last start, "
       "as there was no room for the size that it let go for, 2 times in a row"},
      {{.started = 5, .vain = 1, .lost_steps = true, .most = 8, .now = 1, .speed = one},
       8,
       "1 of 1..8 ranks: 4 would be 2.35 times as fast; paused until 6 min after its last start, "
       "as it could not save when it let go, and lost its steps"},
      {NearlyAsFast(5), 8,
       "2 of 1..8 ranks: fewer would be nearly as fast; no change sooner than 36 min after its "
       "last "
       "start"},
  };
  for (const Case& each : cases) {
    PlannerWorld world;
    world.fleet = Fleet({Node("a", each.slots)});
    world.Run(Job(1), std::vector<std::string>(std::max(1u, each.facts.now), "a"), each.facts);
    EXPECT_EQ(WhyItStays(world), each.why);
  }
}

TEST(WhySize, NoSlots_OrOthersWait_OrTheQueueIsFull) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1), {"a"}, {.started = 10, .most = 8, .speed = Measured({{1, 1.0}})});
  world.Run(Job(2, 3), {"a", "a", "a"}, {});
  EXPECT_EQ(WhyItStays(world), "1 of 1..8 ranks: no slots are free for more");
  PlannerWorld waits;
  waits.fleet = Fleet({Node("a", 4)});
  waits.Run(Job(1), {"a"}, {.started = 10, .most = 8, .speed = Measured({{1, 1.0}})});
  waits.Wait(Job(2, 3));
  EXPECT_EQ(WhyItStays(waits), "1 of 1..8 ranks: others wait for slots");
  PlannerWorld full;
  full.fleet = Fleet({Node("a", 4)});
  full.settings.queues = {{.name = "default", .limit = {.cpus = 1, .gpus = std::nullopt}}};
  full.Run(Job(1), {"a"}, {.started = 10, .most = 8, .speed = Measured({{1, 1.0}})});
  EXPECT_EQ(WhyItStays(full), "1 of 1..8 ranks: its queue or its user may hold no more");
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

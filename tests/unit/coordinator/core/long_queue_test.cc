// Jobs that cannot start hold up nobody who can, however many they are; and what is kept for one of
// them is no more than it needs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/core/scheduling/planner.h"
#include "tests/unit/coordinator/core/plan_facts.h"

namespace coxswain::coordinator::core {
namespace {

using namespace fakes;  // NOLINT: this room's own
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr uint64_t kMany = 200;

PendingJob GpuJob(uint64_t id, uint32_t gpus) {
  return {.id = JobId(id), .ranks = 1, .cpus = 1, .gpus = gpus};
}

TEST(LongQueue, JobsWhoseUserHasAsMuchAsHeMay_HideNobody) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 0)};
  world.settings.queues[0].user_jobs = 1;
  world.fleet = Fleet({Node("a", 8)});
  world.Run(Job(1), {"a"}, {.queue = "x", .user = "ann", .minutes = 30});
  for (uint64_t id = 2; id <= kMany; ++id) world.Wait(Job(id), {.queue = "x", .user = "ann"});
  world.Wait(Job(900), {.queue = "x", .user = "bob"});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), ElementsAre(900));
  EXPECT_EQ(plan.why.size() + plan.far.size(), kMany - 1) << "each of them is told something";
}

TEST(LongQueue, AQueueAtItsLimit_HidesNoOther) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 0), Queue("y", 4)};
  world.settings.queues[0].limit.cpus = 2;
  world.fleet = Fleet({Node("a", 8)});
  world.Run(Job(1, 1), {"a"}, {.queue = "x", .minutes = 30});
  world.Run(Job(2, 1), {"a"}, {.queue = "x", .minutes = 30});
  for (uint64_t id = 3; id <= kMany; ++id) world.Wait(Job(id), {.queue = "x"});
  world.Wait(Job(900), {.queue = "y"});
  EXPECT_THAT(Placed(world.MakePlan()), ElementsAre(900));
}

TEST(LongQueue, AFullRack_HidesNoOther_AndEachIsToldHowFarBackItIs) {
  PlannerWorld world;
  NodeCapacity a = Node("a", 2), b = Node("b", 2);
  a.labels["rack"] = "one";
  b.labels["rack"] = "two";
  world.fleet = Fleet({a, b});
  world.Run(Job(1), {"a"}, {.minutes = 30});
  world.Run(Job(2), {"a"}, {.minutes = 30});
  auto in_rack = [](uint64_t id, const std::string& rack) {
    PendingJob job = Job(id);
    job.selector["rack"] = rack;
    return job;
  };
  for (uint64_t id = 3; id <= kMany; ++id) world.Wait(in_rack(id, "one"), {.minutes = 10});
  world.Wait(in_rack(900, "two"), {.minutes = 10});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), ElementsAre(900));
  ASSERT_THAT(plan.far, Not(IsEmpty()));
  const FarJob& last = plan.far.back();
  EXPECT_EQ(last.job, JobId(kMany));
  EXPECT_EQ(last.ahead, kMany - 3);
  EXPECT_EQ(last.first, JobId(3));
  ASSERT_TRUE(last.starts) << "the time that all of them take is known";
  EXPECT_GT(*last.starts, *plan.far.front().starts);
}

TEST(LongQueue, WhoeverIsKnownToWait_IsLeftOut_AndTheSameJobsStart) {
  for (const bool told : {false, true}) {
    PlannerWorld world;
    world.settings.queues = {Queue("x", 2), Queue("y", 2)};
    world.fleet = Fleet({Node("a", 8), Node("b", 3)});
    world.Run(Job(1), {"a"}, {.queue = "x", .minutes = 30});
    for (uint64_t id = 2; id <= kMany; ++id) {
      world.Wait({.id = JobId(id), .ranks = 1, .cpus = 8},
                 {.queue = "x", .minutes = 10, .told = told});
    }
    world.Wait({.id = JobId(900), .ranks = 3}, {.queue = "x", .minutes = 10, .told = told});
    world.Wait({.id = JobId(901), .ranks = 2}, {.queue = "y", .minutes = 10, .told = told});
    world.estimate = !told;
    Plan plan = world.MakePlan();
    EXPECT_THAT(Placed(plan), ElementsAre(901, 900));
    EXPECT_EQ(plan.far.empty(), told);
  }
}

TEST(LongQueue, WhoWillStartInAGap_IsToldThat) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1), {"a"}, {.minutes = 60});
  world.Run(Job(2, 1), {"a"}, {.minutes = 10});
  world.Run(Job(3, 1), {"a"}, {.minutes = 10});
  world.Run(Job(4, 1), {"a"}, {.minutes = 10});
  world.Wait(Job(5, 4), {.minutes = 30});
  world.Wait(Job(6), {.minutes = 20});
  world.Wait(Job(7), {.minutes = 55});
  world.Wait(Job(8, 2), {.minutes = 20});
  world.Wait(Job(9), {.minutes = 20});
  Plan plan = world.MakePlan();
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 5)), 60);
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 6)), 10);
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 7)), 90) << "it would be in the way of j5";
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 8)), 10);
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 9)), 30) << "once j6 has ended";
}

TEST(Shuns, ANodeWhereItFailed_UnlessThereIsNoOther) {
  for (const bool other : {true, false}) {
    PlannerWorld world;
    world.fleet = Fleet({Node("a", 2), Node("b", 2)});
    PendingJob job = Job(1, 2);
    job.shuns = {NodeId("a")};
    world.Wait(job);
    if (!other) world.Run(Job(2), {"b"});
    Plan plan = world.MakePlan();
    ASSERT_THAT(Placed(plan), ElementsAre(1));
    EXPECT_EQ(plan.placements[0].ranks[0].node, NodeId(other ? "b" : "a"));
  }
}

TEST(UserLimit, JudgesEachJobByWhatItTakesItself) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 0)};
  world.settings.queues[0].user_limit.gpus = 4;
  world.fleet = Fleet({Node("a", 16, 8)});
  world.Run(GpuJob(1, 2), {"a"}, {.queue = "x", .user = "ann", .minutes = 30});
  world.Wait(GpuJob(2, 4), {.queue = "x", .user = "ann"});
  world.Wait(Job(3), {.queue = "x", .user = "ann"});
  world.Wait(GpuJob(4, 1), {.queue = "x", .user = "ann"});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), ElementsAre(3)) << "it takes no GPU";
  EXPECT_EQ(WhyOf(plan, 2).text,
            "a user of queue x may hold 4 GPUs; ann holds 2 GPUs, this needs 4 GPUs");
  EXPECT_EQ(WhyOf(plan, 4).text,
            "j2, of the same user, is first: a user of queue x may hold 4 GPUs; ann holds 2 GPUs, "
            "j2 needs 4 GPUs");
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 2)), 30);
}

TEST(UserLimit, HisOwnLowerPriorityMakesRoom) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kPriority;
  world.settings.queues = {Queue("x", 0)};
  world.settings.queues[0].user_jobs = 1;
  world.fleet = Fleet({Node("a", 8)});
  world.Run(Job(1), {"a"}, {.queue = "x", .user = "ann", .started = 10, .stop_seconds = 120});
  world.Run(Job(2), {"a"}, {.queue = "x", .user = "bob", .started = 5});
  world.Wait(Job(3), {.queue = "x", .user = "ann", .priority = 5});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Victims(plan), ElementsAre(1)) << "bob's would be of no use";
  EXPECT_THAT(WhyOf(plan, 3).text,
              AllOf(HasSubstr("a user of queue x may run 1 job at a time; ann runs 1"),
                    HasSubstr("it gets the slots of j1, asked to save and let go")));
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 3)), 2) << "that job's own grace, and a lease";
}

TEST(Keeps, OfWhatIsFree_OnlyWhatTheOthersEndDoesNotGive) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  world.Run(Job(1, 1), {"a"}, {.minutes = 10});
  for (uint64_t id = 2; id <= 4; ++id) world.Run(Job(id), {"a"}, {.minutes = 10});
  world.Wait({.id = JobId(5), .ranks = 1, .cpus = 6});
  world.Wait(Job(6, 2));
  world.Wait(Job(7));
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), ElementsAre(6)) << "four are free, and two of them are needed besides";
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 5)), 10);
  EXPECT_THAT(WhyOf(plan, 7).text, HasSubstr("2 free CPU slots are kept for j5"));
}

TEST(Keeps, WhereALimitHoldsItBack_TheSlotsOfThoseWhoEndWillDo) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 0), Queue("y", 0)};
  world.settings.queues[0].limit.cpus = 4;
  world.fleet = Fleet({Node("a", 4), Node("b", 4)});
  world.Run({.id = JobId(1), .ranks = 1, .cpus = 3}, {"a"}, {.queue = "x", .minutes = 10});
  world.Wait({.id = JobId(2), .ranks = 1, .cpus = 2}, {.queue = "x"});
  world.Wait({.id = JobId(3), .ranks = 1, .cpus = 4}, {.queue = "y"});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), ElementsAre(3));
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 2)), 10);
}

TEST(Keeps, GpusOfThoseWhoEnd_BeforeFreeOnes) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8, 4), Node("b", 8, 4)});
  world.Run(GpuJob(1, 4), {"b"}, {.minutes = 10});
  PendingJob gang = GpuJob(2, 1);
  gang.ranks = 6;
  world.Wait(gang);
  world.Wait(GpuJob(3, 2));
  world.Wait(GpuJob(4, 1));
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), ElementsAre(3)) << "two of the four free ones are needed besides";
  EXPECT_THAT(WhyOf(plan, 4).text, HasSubstr("2 free GPUs are kept for j2"));
}

TEST(Keeps, WhateverComesFree_WhereNobodyKnowsWhenTheOthersEnd) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  world.Run({.id = JobId(1), .ranks = 1, .cpus = 5}, {"a"}, {});
  world.Wait({.id = JobId(2), .ranks = 1, .cpus = 4});
  world.Wait(Job(3));
  EXPECT_THAT(Placed(world.MakePlan()), IsEmpty()) << "or small ones could go before it for ever";
}

TEST(Keeps, ForTwoInARow_TheSameSlotsAreCountedOnce) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  world.Run({.id = JobId(1), .ranks = 1, .cpus = 6}, {"a"}, {.minutes = 10});
  world.settings.queues = {Queue("default", 0), Queue("y", 0)};
  world.Wait({.id = JobId(2), .ranks = 1, .cpus = 6}, {.minutes = 10});
  world.Wait({.id = JobId(3), .ranks = 1, .cpus = 6}, {.queue = "y", .minutes = 10});
  world.Wait(Job(4, 2), {.queue = "y"});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), ElementsAre(4));
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 2)), 10);
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 3)), 20) << "once j2 has ended";
}

}  // namespace
}  // namespace coxswain::coordinator::core

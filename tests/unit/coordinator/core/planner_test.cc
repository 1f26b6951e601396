#include "coordinator/core/scheduling/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/core/plan_facts.h"

namespace coxswain::coordinator::core {
namespace {

using namespace fakes;  // NOLINT: this room's own
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// ---- reservations and backfill

TEST(Reservation, SmallJobs_DoNotTakeWhatTheLargeOneWaitsFor) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4), Node("b", 4)});
  world.Run(Job(1, 1), {"a"}, {.minutes = 40});
  world.Run(Job(2, 1), {"b"}, {.minutes = 90});
  world.Wait({.id = JobId(3), .ranks = 4, .within = Within::kMachine});
  world.Wait(Job(4, 1));
  world.Wait(Job(5, 3));
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), ElementsAre(4)) << "b is not waited for; j5 would take what is left";
  EXPECT_EQ(plan.placements[0].ranks[0].node, NodeId("b"));
  EXPECT_EQ(NextOf(WhyOf(plan, 3)), "j1 in 40 min");
  EXPECT_THAT(WhyOf(plan, 5).text, HasSubstr("1 job ahead; j3 is first and needs 4 ranks"));
  EXPECT_TRUE(world.left_as_it_was);
}

TEST(Reservation, JobThatEndsBefore_GoesFirst) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1, 1), {"a"}, {.minutes = 40});
  world.Wait(Job(2, 4));
  world.Wait(Job(3, 1), {.minutes = 41});
  world.Wait(Job(4, 1), {.minutes = 39});
  EXPECT_THAT(Placed(world.MakePlan()), ElementsAre(4));
  world.settings.backfill = false;
  EXPECT_THAT(Placed(world.MakePlan()), IsEmpty());
  EXPECT_TRUE(world.left_as_it_was);
}

TEST(Reservation, EndsNotKnown_NothingIsOvertaken) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1, 1), {"a"});
  world.Wait(Job(2, 4));
  world.Wait(Job(3, 1), {.minutes = 1});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), IsEmpty());
  EXPECT_EQ(plan.why[0].starts, std::nullopt);
  EXPECT_THAT(WhyOf(plan, 2).text, HasSubstr("; start not known, as the end of j1 is not"));
}

TEST(Reservation, NoRunningJobEverMakesRoom_OthersAreNotHeldBack) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4), Node("b", 8)});
  world.fleet[NodeId("b")].why_not = "unreachable";
  world.Wait(Job(1, 6));
  world.Wait(Job(2, 4));
  EXPECT_THAT(Placed(world.MakePlan()), ElementsAre(2));
}

// ---- priorities

TEST(Priority, HigherGoesFirst_AndLowerOnesYield) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kPriority;
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1, 1), {"a"}, {.priority = 1, .started = 9});
  world.Run(Job(2, 1), {"a"}, {.priority = 0, .started = 9});
  world.Run(Job(3, 1), {"a"}, {.priority = 0, .started = 5});
  world.Run(Job(4, 1), {"a"}, {.priority = 7});
  world.Wait(Job(5, 1));
  world.Wait(Job(6, 2), {.priority = 7});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), IsEmpty());
  EXPECT_THAT(Victims(plan), ElementsAre(3, 2)) << "the lowest, and of those the youngest first";
  EXPECT_EQ(plan.preemptions[0].why, "j6 has a higher priority (7, its own is 0)");
  EXPECT_THAT(WhyOf(plan, 6).text,
              HasSubstr("; it gets the slots of j3, j2, asked to save and let go"));
  EXPECT_TRUE(world.left_as_it_was);
}

TEST(Priority, NoMoreThanNeededYield) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kPriority;
  world.fleet = Fleet({Node("a", 2), Node("b", 2)});
  world.Run({.id = JobId(1), .cpus = 1}, {"a"}, {.started = 1});
  world.Run({.id = JobId(2), .cpus = 2}, {"b"}, {.started = 5});
  world.Wait({.id = JobId(3), .cpus = 2}, {.priority = 1});
  EXPECT_THAT(Victims(world.MakePlan()), ElementsAre(1)) << "a's other slot is free";
}

TEST(Priority, EnoughAreStopping_NobodyElseIsAsked) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kPriority;
  world.fleet = Fleet({Node("a", 2)});
  world.Run(Job(1), {"a"}, {.stopping = true});
  world.Run(Job(2), {"a"});
  world.Wait(Job(3), {.priority = 1});
  world.Wait(Job(4));
  Plan plan = world.MakePlan();
  EXPECT_THAT(Victims(plan), IsEmpty());
  EXPECT_THAT(WhyOf(plan, 3).text, HasSubstr("it gets the slots of j1"));
}

TEST(Priority, NotEvenAllLowerOnesWouldDo_NobodyIsAsked) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kPriority;
  world.fleet = Fleet({Node("a", 3)});
  world.Run(Job(1), {"a"});
  world.Run(Job(2), {"a"}, {.priority = 5});
  world.Wait(Job(3, 3), {.priority = 5});
  EXPECT_THAT(Victims(world.MakePlan()), IsEmpty());
}

TEST(Fifo, PrioritiesSayNothing) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 1)});
  world.Wait(Job(1));
  world.Wait(Job(2), {.priority = 9});
  EXPECT_THAT(Placed(world.MakePlan()), ElementsAre(1));
}

TEST(Backfill, OnGpusThatAreNotNeededBefore_TakesThoseOfTheReservation) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8, 2)});
  world.Run({.id = JobId(1), .gpus = 1}, {"a"}, {.minutes = 60});
  world.Wait({.id = JobId(2), .gpus = 2});
  world.Wait({.id = JobId(3), .gpus = 1}, {.minutes = 10});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), ElementsAre(3));
  EXPECT_THAT(plan.placements.at(0).ranks.at(0).gpu_uuids, ElementsAre("a1"));
  EXPECT_TRUE(world.left_as_it_was);
}

// ---- reasons

TEST(Reasons, AreOutdatedByWhoIsPlacedAfterThem) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 2)});
  world.Run(Job(1), {"a"}, {.minutes = 60});
  world.Wait(Job(2, 2));
  EXPECT_FALSE(world.MakePlan().outdated);
  world.Wait(Job(3), {.minutes = 5});
  EXPECT_TRUE(world.MakePlan().outdated) << "backfilled after j2 was told that a slot is free";
}

TEST(Lost, MovesBeforeThoseThatComeAfterIt) {
  PlannerWorld world;
  world.fleet = Fleet({Node("gone", 1), Node("b", 1)});
  world.Run(Job(1), {"gone"}, {.lost = true});
  world.fleet[NodeId("gone")].why_not = "unreachable";
  world.Wait(Job(2));
  Plan plan = world.MakePlan();
  EXPECT_THAT(plan.moves, ElementsAre(JobId(1)));
  EXPECT_THAT(Placed(plan), IsEmpty());
  EXPECT_THAT(Victims(plan), IsEmpty());
  EXPECT_TRUE(world.left_as_it_was);
}

TEST(Lost, MovesWithinWhatItHoldsOfItsQueue_AndToItsOwnSlotsThatCanBeReached) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 4)};
  world.settings.queues[0].limit.cpus = 2;
  world.settings.queues[0].user_jobs = 1;
  world.fleet = Fleet({Node("gone", 1), Node("b", 1), Node("c", 1)});
  world.Run(Job(1, 2), {"gone", "b"}, {.queue = "x", .lost = true});
  world.fleet[NodeId("gone")].why_not = "unreachable";
  EXPECT_THAT(world.MakePlan().moves, ElementsAre(JobId(1)));
  EXPECT_TRUE(world.left_as_it_was);
}

TEST(Lost, WithoutRoom_IsLeftAlone_AndItIsSaidWhy) {
  PlannerWorld world;
  world.fleet = Fleet({Node("gone", 2), Node("b", 1)});
  world.Run(Job(1, 2), {"gone", "gone"}, {.lost = true});
  world.fleet[NodeId("gone")].why_not = "unreachable";
  world.Wait(Job(2, 2));
  Plan plan = world.MakePlan();
  EXPECT_THAT(plan.moves, IsEmpty());
  EXPECT_THAT(Victims(plan), IsEmpty()) << "j2 would have nothing of it";
  ASSERT_EQ(plan.no_room.size(), 1u);
  EXPECT_EQ(plan.no_room[0].why,
            "needs 2 ranks of 1 CPU slot each; free: 1 of 1 CPU slot on 1 node, room for 1 rank; 1 "
            "node unreachable");
}

TEST(Lost, WithoutRoom_LetsGoForWhomItHoldsUp) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 4)};
  world.settings.queues[0].limit.cpus = 2;
  world.fleet = Fleet({Node("gone", 2), Node("b", 2)});
  PendingJob there = Job(1);
  there.only = NodeId("gone");
  world.Run(there, {"gone"}, {.queue = "x", .priority = 9, .lost = true});
  world.fleet[NodeId("gone")].why_not = "unreachable";
  world.Wait(Job(2, 2), {.queue = "x"});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Victims(plan), ElementsAre(1));
  EXPECT_EQ(plan.preemptions[0].why, "j2 waits for what it holds, and its nodes are lost");
  EXPECT_TRUE(world.left_as_it_was);
}

// ---- fair shares

TEST(Fair, WhoHasHadLess_GoesFirst) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kFair;
  world.settings.queues = {Queue("x", 9), Queue("y", 9)};
  world.fleet = Fleet({Node("a", 1)});
  world.used = {{{"x", "ann"}, 500}, {{"y", "ann"}, 400}, {{"y", "bob"}, 50}};
  world.Wait(Job(1), {.queue = "x"});
  world.Wait(Job(2), {.queue = "y"});
  world.Wait(Job(3), {.queue = "y", .user = "bob"});
  EXPECT_THAT(Placed(world.MakePlan()), ElementsAre(3))
      << "y had 450, x 500; of y bob had the least";
  world.settings.queues[0].weight = 2;
  EXPECT_THAT(Placed(world.MakePlan()), ElementsAre(1)) << "500 of a double share";
}

TEST(Fair, SlotsThatComeFreeTogether_AreShared) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kFair;
  world.settings.queues = {Queue("x", 9), Queue("y", 9)};
  world.fleet = Fleet({Node("a", 4)});
  for (uint64_t id = 1; id <= 4; ++id) world.Wait(Job(id), {.queue = "x"});
  for (uint64_t id = 5; id <= 8; ++id) world.Wait(Job(id), {.queue = "y"});
  EXPECT_THAT(Placed(world.MakePlan()), ElementsAre(1, 5, 2, 6));
}

// ---- least attained service

TEST(Las, WhoHasHadLittle_GoesFirst_SmallBeforeLarge) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kLas;
  world.fleet = Fleet({Node("a", 2)});
  world.Wait(Job(1), {.slot_time = base::seconds(36000)});
  world.Wait(Job(2, 2), {.slot_time = base::seconds(100)});
  world.Wait(Job(3), {.slot_time = base::seconds(5000)});
  EXPECT_THAT(Placed(world.MakePlan()), ElementsAre(3, 1)) << "j2 does not fit beside j3";
}

TEST(Las, WhoHasWaitedLong_IsNotOvertakenAnyMore) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kLas;
  world.fleet = Fleet({Node("a", 2)});
  world.Run(Job(1), {"a"});
  world.Wait(Job(2, 2), {.waited = 241});
  world.Wait(Job(3), {.slot_time = base::seconds(40000)});
  EXPECT_THAT(Placed(world.MakePlan()), IsEmpty());
}

// Slots are not kept for whoever has waited little; when it starts is known all the same.
TEST(Las, NothingIsKeptForIt_ItIsToldWhenItWouldStart) {
  for (PolicyName policy : {PolicyName::kLas, PolicyName::kElastic}) {
    PlannerWorld world;
    world.settings.policy = policy;
    world.fleet = Fleet({Node("a", 2)});
    world.Run(Job(1), {"a"}, {.minutes = 40});
    world.Wait(Job(2, 2));
    world.Wait(Job(3), {.slot_time = base::seconds(40000)});
    Plan plan = world.MakePlan();
    EXPECT_THAT(Placed(plan), ElementsAre(3)) << "nothing is kept";
    EXPECT_TRUE(plan.why[0].starts == std::nullopt) << "j3 tells no end";
    EXPECT_THAT(WhyOf(plan, 2).text,
                HasSubstr("; start not known, as the end of j3, which goes before it, is not"));
    world.Wait(Job(4, 2));
    world.settings.backfill = false;
    plan = world.MakePlan();
    EXPECT_THAT(Placed(plan), IsEmpty());
    EXPECT_EQ(NextOf(WhyOf(plan, 2)), "j1 in 40 min");
    EXPECT_TRUE(plan.why[0].starts.has_value());
    EXPECT_TRUE(world.left_as_it_was);
  }
}

TEST(Las, WithinTheQuota_DoesNotYieldToOneThatWouldBorrow) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kLas;
  world.settings.queues = {Queue("x", 2)};
  world.settings.default_queue = "x";
  world.fleet = Fleet({Node("a", 4)});
  JobFacts served{.queue = "x", .slot_time = base::seconds(72000)};
  world.Run(Job(1, 2), {"a", "a"}, served);
  world.Wait(Job(2, 4), {.queue = "x"});
  EXPECT_THAT(Victims(world.MakePlan()), IsEmpty()) << "j1 would be placed again before j2";
}

TEST(Las, SecondLevel_YieldsToTheFirst_AndToSmallerOnes) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kLas;
  world.fleet = Fleet({Node("a", 1), Node("b", 2)});
  world.Run(Job(1), {"a"}, {.slot_time = base::seconds(100)});
  world.Run(Job(2, 2), {"b", "b"}, {.slot_time = base::seconds(72000)});
  world.Wait(Job(3), {.slot_time = base::seconds(40000)});
  EXPECT_THAT(Victims(world.MakePlan()), ElementsAre(2));
}

}  // namespace
}  // namespace coxswain::coordinator::core

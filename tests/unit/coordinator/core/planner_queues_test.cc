// Quotas, limits and who goes first because of them.
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
using testing::Not;

TEST(Queues, IdleQuotaIsLent_AndTakenBackFromWhoBorrowed) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 2), Queue("y", 2)};
  world.fleet = Fleet({Node("a", 4)});
  world.Wait(Job(1), {.queue = "y"});
  world.Wait(Job(2), {.queue = "y"});
  world.Wait(Job(3), {.queue = "y"});
  EXPECT_THAT(Placed(world.MakePlan()), ElementsAre(1, 2, 3));

  world = {};
  world.settings.queues = {Queue("x", 2), Queue("y", 2)};
  world.fleet = Fleet({Node("a", 4)});
  for (uint64_t id = 1; id <= 4; ++id) {
    world.Run(Job(id), {"a"}, {.queue = "y", .priority = 9, .started = 10 - int64_t(id)});
  }
  for (uint64_t id = 5; id <= 7; ++id) world.Wait(Job(id), {.queue = "x"});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Victims(plan), ElementsAre(4)) << "one at a time, for the first of the queue";
  EXPECT_EQ(plan.preemptions[0].why,
            "j5 is within the quota of queue x (2 CPU slots), and queue y has borrowed");
}

TEST(Queues, NotBelowItsQuota_IsAQueueReclaimed) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 3), Queue("y", 2)};
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1, 1), {"a"}, {.queue = "y"});
  world.Run(Job(2, 1), {"a"}, {.queue = "y"});
  world.Run(Job(3, 1), {"a"}, {.queue = "y"});
  world.Wait(Job(4, 3), {.queue = "x"});
  EXPECT_THAT(Victims(world.MakePlan()), IsEmpty()) << "two would have to go, one has borrowed";
  world.Wait(Job(5, 1), {.queue = "y"});
  EXPECT_THAT(Placed(world.MakePlan()), IsEmpty()) << "what j4 waits for is kept for it";
}

TEST(Queues, WithinQuotaGoesBeforeBorrowing_WhoeverIsOlder) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 1), Queue("y", 1)};
  world.fleet = Fleet({Node("a", 2)});
  world.Wait(Job(1), {.queue = "y"});
  world.Wait(Job(2), {.queue = "y"});
  world.Wait(Job(3), {.queue = "x"});
  EXPECT_THAT(Placed(world.MakePlan()), ElementsAre(1, 3));
}

TEST(Queues, LargeJobThatBorrows_IsPassedOverByCoveredOnesForSomeHoursAndNoLonger) {
  for (const int64_t hours : {3, 5}) {
    PlannerWorld world;
    world.settings.queues = {Queue("x", 2), Queue("y", 0)};
    world.fleet = Fleet({Node("a", 4)});
    world.Run(Job(1), {"a"}, {.queue = "y", .minutes = 5});
    world.Wait(Job(2, 4), {.queue = "x", .minutes = 60, .waited = hours * 60});
    world.Wait(Job(3), {.queue = "x", .minutes = 60});
    world.Wait(Job(4), {.queue = "x", .minutes = 2});
    Plan plan = world.MakePlan();
    if (hours < 4) {
      EXPECT_THAT(Placed(plan), ElementsAre(3, 4));
    } else {
      EXPECT_THAT(Placed(plan), ElementsAre(4)) << "done before the large one starts";
      EXPECT_THAT(WhyOf(plan, 3).text, HasSubstr("j2 is first"));
      EXPECT_TRUE(WhyOf(plan, 2).starts);
    }
  }
}

TEST(Queues, LargeJobThatBorrows_SaysWhoGoesBeforeIt) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 2), Queue("y", 0)};
  world.fleet = Fleet({Node("a", 4)});
  for (uint64_t id = 1; id <= 4; ++id) world.Run(Job(id), {"a"}, {.queue = "x", .minutes = 5});
  world.Wait(Job(5, 4), {.queue = "x"});
  Plan plan = world.MakePlan();
  EXPECT_THAT(WhyOf(plan, 5).text, Not(HasSubstr("go before it"))) << "none waits";
  EXPECT_TRUE(WhyOf(plan, 5).starts);
  world.Wait(Job(6), {.queue = "x"});
  plan = world.MakePlan();
  EXPECT_FALSE(WhyOf(plan, 5).starts) << "nobody knows how many such come";
  EXPECT_THAT(WhyOf(plan, 5).text,
              HasSubstr("; jobs that the quota of queue x (2 CPU slots) covers go before it, until "
                        "it has waited for 4 h"));
}

TEST(Queues, WhoStartsAgainInAMoment_KeepsItsSlotsWhoeverWaits) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 1), Queue("y", 2)};
  world.fleet = Fleet({Node("a", 2)});
  world.Run(Job(1), {"a"}, {.queue = "x"});
  world.Wait(Job(2), {.queue = "x", .priority = -5, .paused = true});
  world.Wait(Job(3), {.queue = "y", .priority = 5});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), IsEmpty()) << "its quota covers j3, and not j2, which borrows";
  EXPECT_EQ(plan.keeps_place, JobId(2));
}

TEST(Queues, LimitsHold_OfTheQueueItsParentsAndUsers) {
  PlannerWorld world;
  world.settings.queues = {Queue("all", 9), Queue("x", 4, "all"), Queue("y", 4, "all")};
  world.settings.queues[0].limit.cpus = 3;
  world.settings.queues[2].user_jobs = 1;
  world.fleet = Fleet({Node("a", 9)});
  world.Run(Job(1, 1), {"a"}, {.queue = "x"});
  world.Wait(Job(2), {.queue = "y"});
  world.Wait(Job(3), {.queue = "y"});
  world.Wait(Job(4), {.queue = "y", .user = "bob"});
  world.Wait(Job(5), {.queue = "x"});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), ElementsAre(2, 4));
  EXPECT_EQ(WhyOf(plan, 3).text,
            "a user of queue y may run 1 job at a time; ann runs 1; start not known, as the end of "
            "j2, which goes before it, is not");
  EXPECT_THAT(WhyOf(plan, 5).text,
              HasSubstr("queue all may hold 3 CPU slots; it holds 3 CPU slots"));
}

// The first of the others is promised what comes free, but this one goes before it by then.
TEST(Queues, HeldBackByALimit_StartsOnceItIsAllowed_BeforeOneThatBorrows) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 2), Queue("y", 1)};
  world.settings.queues[0].user_jobs = 1;
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1), {"a"}, {.queue = "x", .minutes = 2});
  world.Run(Job(2, 3), {"a", "a", "a"}, {.queue = "y", .minutes = 60});
  world.Wait(Job(3, 4), {.queue = "y", .minutes = 30, .waited = 5});
  world.Wait(Job(4), {.queue = "x"});
  Plan plan = world.MakePlan();
  EXPECT_EQ(WhyOf(plan, 3).starts, PlannerWorld::kNow + base::seconds(3600));
  EXPECT_EQ(WhyOf(plan, 4).starts, PlannerWorld::kNow + base::seconds(120));
  EXPECT_TRUE(world.left_as_it_was);

  world = PlannerWorld();
  world.settings.queues = {Queue("x", 2), Queue("y", 1)};
  world.settings.queues[0].user_jobs = 1;
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1), {"a"}, {.queue = "x", .minutes = 2});
  world.Run(Job(2, 3), {"a", "a", "a"}, {.queue = "y", .minutes = 60});
  world.Wait(Job(4, 2), {.queue = "x"});
  EXPECT_EQ(WhyOf(world.MakePlan(), 4).starts, PlannerWorld::kNow + base::seconds(120 + 30))
      << "j2 has to let go first";
}

TEST(Queues, ParentIsFull_ABorrowerInItMakesRoom) {
  PlannerWorld world;
  world.settings.queues = {Queue("all", 2), Queue("x", 1, "all"), Queue("y", 1, "all")};
  world.settings.queues[0].limit.cpus = 2;
  world.fleet = Fleet({Node("a", 9)});
  world.Run(Job(1), {"a"}, {.queue = "y"});
  world.Run(Job(2), {"a"}, {.queue = "y"});
  world.Wait(Job(3), {.queue = "x"});
  EXPECT_THAT(Victims(world.MakePlan()), ElementsAre(2));
}

TEST(Queues, ParentsQuotaDecides_AndIsNamed) {
  PlannerWorld world;
  world.settings.queues = {Queue("science", 3), Queue("research", 1, "science"), Queue("ci", 1)};
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1), {"a"}, {.queue = "research"});
  world.Run(Job(2, 3), {"a", "a", "a"}, {.queue = "ci"});
  world.Wait(Job(3), {.queue = "research"});
  const Plan plan = world.MakePlan();
  ASSERT_THAT(Victims(plan), ElementsAre(2));
  EXPECT_EQ(plan.preemptions[0].why,
            "j3 is within the quota of queue science (3 CPU slots), and queue ci has borrowed");
}

// Both would be stopped and started in turn for ever.
TEST(Queues, WhoWaitsForOneThatStops_IsNotPassedOverByAnotherThatItWouldStop) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kLas;
  world.settings.queues = {Queue("x", 4)};
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1), {"a"}, {.queue = "x", .slot_time = base::seconds(90'000), .stopping = true});
  world.Wait(Job(2, 2), {.queue = "x", .slot_time = base::seconds(90'000)});
  world.Wait(Job(3, 4), {.queue = "x"});
  EXPECT_THAT(Placed(world.MakePlan()), IsEmpty()) << "j3 is first, once j1 has gone";
}

TEST(Queues, SlotsThatComeFreeAtAnyMoment_AreNotLentUntilTheGraceEnds) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kLas;
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1, 2), {"a", "a"}, {.slot_time = base::seconds(90'000), .stopping = true});
  world.Wait(Job(2), {.minutes = 0, .slot_time = base::seconds(90'000)});
  world.Wait(Job(3, 4));
  EXPECT_THAT(Placed(world.MakePlan()), IsEmpty()) << "j2 would be stopped for j3 at once";
}

// Limits were lowered, or its queue is gone, since it was accepted.
TEST(Queues, OverALimitForEver_SaysSo_AndHoldsUpNobody) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 4), Queue("y", 4)};
  world.settings.queues[0].limit.cpus = 3;
  world.settings.queues[1].user_limit.cpus = 3;
  world.fleet = Fleet({Node("a", 9)});
  world.Wait(Job(1, 5), {.queue = "x"});
  world.Wait(Job(2), {.queue = "x"});
  world.Wait(Job(3, 5), {.queue = "y"});
  world.Wait(Job(4), {.queue = "y"});
  const Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), ElementsAre(2, 4));
  EXPECT_EQ(WhyOf(plan, 1).text,
            "queue x may hold 3 CPU slots; it holds 1 CPU slot, this needs 5 CPU slots: it can "
            "never start so; raise the limit of queue x in the coordinator's configuration, or "
            "cancel it and submit it with fewer ranks");
  EXPECT_THAT(WhyOf(plan, 3).text, HasSubstr("this needs 5 CPU slots: it can never start so; raise "
                                             "the limit of queue y"));
}

TEST(Queues, UnderLas_WhoIsBehindAnother_IsToldItsOwnNeed) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kLas;
  world.fleet = Fleet({Node("a", 8)});
  world.Run(Job(1, 4), std::vector<std::string>(4, "a"));
  world.Wait(Job(2, 6));
  world.Wait(Job(3, 5), {.slot_time = base::seconds(90'000)});
  EXPECT_THAT(WhyOf(world.MakePlan(), 3).text,
              testing::StartsWith("needs 5 ranks of 1 CPU slot each; free: 4 of 8 CPU slots on 1 "
                                  "node, room for 4 ranks; 1 job ahead; j2 is first"));
}

// ---- lost jobs

TEST(QueuesLost, WithinItsQuota_TakesBackWhatOthersHaveBorrowed) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 2), Queue("y", 1)};
  world.fleet = Fleet({Node("gone", 2), Node("b", 3)});
  world.Run(Job(1, 2), {"gone", "gone"}, {.queue = "x", .lost = true});
  world.fleet[NodeId("gone")].why_not = "unreachable";
  for (uint64_t id : {2, 3, 4})
    world.Run(Job(id), {"b"}, {.queue = "y", .started = 9 - int64_t(id)});
  const Plan plan = world.MakePlan();
  EXPECT_THAT(plan.moves, IsEmpty()) << "not before there is room";
  EXPECT_THAT(Victims(plan), ElementsAre(4, 3));
  ASSERT_EQ(plan.no_room.size(), 1u);
  EXPECT_THAT(plan.no_room[0].why, HasSubstr("it gets the slots of j4, j3, asked to save"));
  EXPECT_TRUE(world.left_as_it_was);
}

TEST(QueuesLost, WhatItTakesBack_IsNotGivenToOneThatWouldBorrow) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 2), Queue("y", 1)};
  world.fleet = Fleet({Node("gone", 2), Node("b", 3)});
  world.Run(Job(1, 2), {"gone", "gone"}, {.queue = "x", .lost = true});
  world.fleet[NodeId("gone")].why_not = "unreachable";
  world.Run(Job(2), {"b"}, {.queue = "y"});
  world.Wait(Job(3), {.queue = "y", .priority = 9});  // it has just been stopped for j1
  const Plan plan = world.MakePlan();
  EXPECT_THAT(plan.moves, ElementsAre(JobId(1)));
  EXPECT_THAT(Placed(plan), IsEmpty());
}

TEST(QueuesLost, AnotherLostJob_DoesNotLetGoForIt) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 2), Queue("y", 0)};
  world.fleet = Fleet({Node("gone", 2), Node("away", 2)});
  world.Run(Job(1), {"gone"}, {.queue = "x", .lost = true});
  world.Run(Job(2), {"away"}, {.queue = "y", .lost = true});
  for (const char* node : {"gone", "away"}) world.fleet[NodeId(node)].why_not = "unreachable";
  EXPECT_THAT(Victims(world.MakePlan()), IsEmpty());
  EXPECT_TRUE(world.left_as_it_was);
}

// ---- who is left alone

// y has borrowed a slot of x, and j3 of x has just come.
PlannerWorld Borrowed(const JobFacts& borrower, int64_t seconds_waited) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 2), Queue("y", 0)};
  world.fleet = Fleet({Node("a", 2)});
  world.Run(Job(1), {"a"}, {.queue = "x", .minutes = 60});
  world.Run(Job(2), {"a"}, borrower);
  world.Wait(Job(3), {.queue = "x", .seconds_waited = seconds_waited});
  return world;
}

TEST(Spared, OneThatIsAboutToEnd_ForAsLongAsAStopMayTake) {
  const JobFacts ends{.queue = "y", .seconds_left = 20};
  PlannerWorld world = Borrowed(ends, 5);
  Plan plan = world.MakePlan();
  EXPECT_THAT(Victims(plan), IsEmpty());
  EXPECT_EQ(plan.again, PlannerWorld::PlannerWorld::kNow + base::seconds(25))
      << "30 s after it came";
  EXPECT_EQ(WhyOf(plan, 3).starts, PlannerWorld::PlannerWorld::kNow + base::seconds(20));
  world = Borrowed(ends, 30);
  plan = world.MakePlan();
  EXPECT_THAT(Victims(plan), ElementsAre(2)) << "it was expected to have ended by now";
  EXPECT_FALSE(plan.again);
  EXPECT_THAT(Victims(Borrowed({.queue = "y", .seconds_left = 40}, 5).MakePlan()), ElementsAre(2));
  EXPECT_THAT(Victims(Borrowed({.queue = "y"}, 5).MakePlan()), ElementsAre(2));
}

TEST(Spared, OneThatWasStoppedAndHasJustStartedAgain) {
  const JobFacts again{.queue = "y", .made_room = true, .seconds_run = 12};
  PlannerWorld world = Borrowed(again, 5);
  Plan plan = world.MakePlan();
  EXPECT_THAT(Victims(plan), IsEmpty());
  EXPECT_EQ(plan.again, PlannerWorld::PlannerWorld::kNow + base::seconds(18))
      << "30 s after it has started";
  EXPECT_THAT(WhyOf(plan, 3).text, HasSubstr("; j2, which was stopped for others and started "
                                             "again 12 s ago, is left alone for 18 s"));
  EXPECT_THAT(Victims(Borrowed(again, 30).MakePlan()), ElementsAre(2));
  const JobFacts settled{.queue = "y", .made_room = true, .seconds_run = 30};
  EXPECT_THAT(Victims(Borrowed(settled, 5).MakePlan()), ElementsAre(2));
  const JobFacts first{.queue = "y", .seconds_run = 1};
  EXPECT_THAT(Victims(Borrowed(first, 5).MakePlan()), ElementsAre(2)) << "not stopped before";
}

}  // namespace
}  // namespace coxswain::coordinator::core

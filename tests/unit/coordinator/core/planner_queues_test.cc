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
  EXPECT_EQ(plan.preemptions[0].why, "j5 is within the quota of queue x, and queue y has borrowed");
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

}  // namespace
}  // namespace coxswain::coordinator::core

#include "coordinator/core/scheduling/room_finder.h"

#include <gmock/gmock.h>

#include "tests/unit/coordinator/core/plan_facts.h"

namespace coxswain {
namespace {

using namespace fakes;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(Victims, WhatIsTakenBack_IsAsLittleAsWillDo) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 3), Queue("y", 2)};
  world.fleet = Fleet({Node("a", 12)});
  for (uint64_t id = 1; id <= 4; ++id) {
    world.Run(Job(id), {"a"}, {.queue = "y", .started = 100 - int64_t(id)});
  }
  world.Run(Job(5, 8), std::vector<std::string>(8, "a"), {.queue = "y", .started = 1});
  world.Wait(Job(6, 3), {.queue = "x"});
  EXPECT_THAT(Victims(world.MakePlan()), ElementsAre(4, 3, 2)) << "not the 8 ranks of the youngest";
  EXPECT_TRUE(world.left_as_it_was);
}

TEST(Victims, OnlyALargeOneGivesEnough_ItIsTakenBack) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 3), Queue("y", 2)};
  world.fleet = Fleet({Node("a", 9), Node("b", 1)});
  world.Run(Job(1), {"b"}, {.queue = "y"});
  world.Run(Job(2), {"a"}, {.queue = "y"});
  world.Run(Job(3, 8), std::vector<std::string>(8, "a"), {.queue = "y", .started = 9});
  world.Wait({.id = JobId(4), .ranks = 3, .within = Within::kMachine}, {.queue = "x"});
  const Plan plan = world.MakePlan();
  EXPECT_THAT(Victims(plan), ElementsAre(3));
  EXPECT_EQ(plan.preemptions[0].by, JobId(4));
}

TEST(Victims, LowerOnesGo_ThoughOneOfThemIsLarge) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kPriority;
  world.fleet = Fleet({Node("a", 9)});
  world.Run(Job(1, 8), std::vector<std::string>(8, "a"), {.priority = 1});
  world.Run(Job(2), {"a"}, {.priority = 2});
  world.Wait(Job(3), {.priority = 3});
  EXPECT_THAT(Victims(world.MakePlan()), ElementsAre(1));
}

// What it says of that is not always a text: its start is told at another place.
TEST(Promise, OneThatComesBackIsWaitedFor_SlotsAreKeptOnce) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 2), Node("b", 1)});
  world.Run(Job(1), {"a"}, {.minutes = 5, .stopping = true, .back = true});
  world.Wait(Job(2, 3));
  Plan plan = world.MakePlan();
  EXPECT_TRUE(world.left_as_it_was);
  ASSERT_EQ(plan.why.size(), 1u);
  EXPECT_EQ(plan.why[0].starts, PlannerWorld::kNow + base::seconds(300));
}

// The end of a stop may be nearer than its grace; no release after the start is named.
TEST(Promise, AStopEndsByItsGrace_ThoughItWouldRunOn) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 2)});
  world.Run(Job(1), {"a"}, {.minutes = 2});
  world.Run(Job(2), {"a"}, {.minutes = 20, .stopping = true});
  world.Wait(Job(3));
  world.settings.policy = PolicyName::kLas;
  const Why why = WhyOf(world.MakePlan(), 3);
  EXPECT_EQ(why.starts, PlannerWorld::kNow + base::seconds(30));
  EXPECT_EQ(NextOf(why), "");
}

TEST(Kept, FreeSlotsOfAReservation_AreToldWithWhoseTheyAre) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8), Node("b", 8)});
  world.Run({.id = JobId(1), .cpus = 8}, {"a"}, {.minutes = 5});
  world.Wait(Job(2, 16));
  world.Wait(Job(3, 2));
  Plan plan = world.MakePlan();
  EXPECT_TRUE(world.left_as_it_was);
  const Why why = WhyOf(plan, 3);
  EXPECT_THAT(why.text, HasSubstr("; 8 free CPU slots are kept for j2; a job that is known to end "
                                  "before that one starts may go first (spec.expected_time)"));
  EXPECT_THAT(Ids(why.kept_for), ElementsAre(2));
  EXPECT_THAT(why.kept_on, ElementsAre(NodeId("b")));
  EXPECT_THAT(WhyOf(plan, 2).kept_for, IsEmpty());
}

TEST(Kept, StartNotKnown_NothingIsAdvised) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  world.Run(Job(1), {"a"});
  world.Wait(Job(2, 8));
  world.Wait(Job(3, 2));
  EXPECT_THAT(
      WhyOf(world.MakePlan(), 3).text,
      HasSubstr("; 7 free CPU slots are kept for j2, and when that one starts is not known"));
}

// It would not fit anyway.
TEST(Kept, TooLittleIsKept_NothingIsSaid) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8)});
  world.Run(Job(1, 6), std::vector<std::string>(6, "a"), {.minutes = 5});
  world.Wait(Job(2, 8));
  world.Wait(Job(3, 4));
  EXPECT_THAT(WhyOf(world.MakePlan(), 3).text, Not(HasSubstr("kept for")));
}

TEST(Kept, OfSeveral_ThoseThatMatterAreNamed) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 0), Queue("y", 0), Queue("z", 0)};
  world.fleet = Fleet({Node("a", 4), Node("b", 8)});
  world.fleet[NodeId("a")].labels["zone"] = "left";
  world.Run(Job(1), {"a"}, {.queue = "x", .minutes = 5});
  world.Run(Job(2), {"b"}, {.queue = "x", .minutes = 5});
  PendingJob left = Job(3, 4);
  left.selector = {{"zone", "left"}};
  world.Wait(left, {.queue = "x"});
  world.Wait({.id = JobId(4), .ranks = 8, .within = Within::kMachine}, {.queue = "y"});
  world.Wait({.id = JobId(5), .ranks = 6, .within = Within::kMachine}, {.queue = "z"});
  EXPECT_THAT(Ids(WhyOf(world.MakePlan(), 5).kept_for), ElementsAre(4));
}

TEST(Ends, OfOneThatWaits_AreNotTakenForThoseOfOneThatRuns) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(1), {"a"}, {.minutes = 5});
  world.Wait(Job(2, 4));
  world.Wait(Job(3, 4));
  world.settings.queues = {Queue("x", 8), Queue("default", 8)};
  world.Wait(Job(4, 4), {.queue = "x"});
  EXPECT_THAT(WhyOf(world.MakePlan(), 4).text,
              HasSubstr("; start not known, as the end of j2, which waits too, is not"));
}

TEST(Away, NodesThatAreMissing_AreNamed_AndNoRelease) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4), Node("b", 4), Node("c", 4), Node("d", 4)});
  world.fleet[NodeId("d")].why_not = "draining";
  world.Run(Job(1), {"a"}, {.minutes = 1});
  world.Wait(Job(2, 16));
  Why why = WhyOf(world.MakePlan(), 2);
  EXPECT_THAT(why.text, HasSubstr("; cannot start until d (draining: cox drain d --undo) is "
                                  "back: 12 CPU slots are there in all"));
  EXPECT_EQ(NextOf(why), "");
  EXPECT_EQ(why.starts, std::nullopt);
  world.fleet[NodeId("c")].why_not = "unreachable";
  EXPECT_THAT(WhyOf(world.MakePlan(), 2).text,
              HasSubstr("until enough of c (unreachable), d (draining: cox drain d --undo) are "
                        "back: 8 CPU slots"));
}

TEST(Quota, LargerThanIt_ItIsSaidWhyLowerPrioritiesStay) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kPriority;
  world.settings.queues = {Queue("research", 8)};
  world.fleet = Fleet({Node("a", 16)});
  world.Run(Job(1, 8), std::vector<std::string>(8, "a"), {.queue = "research", .minutes = 5});
  world.Wait(Job(2, 9), {.queue = "research", .priority = 100});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Victims(plan), IsEmpty());
  EXPECT_THAT(WhyOf(plan, 2).text,
              HasSubstr("; it needs 9 CPU slots, more than queue research's quota of 8 CPU slots: "
                        "jobs within the quota do not let go for it"));
}

}  // namespace
}  // namespace coxswain

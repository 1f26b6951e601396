#include "coordinator/core/scheduling/room_finder.h"

#include <gmock/gmock.h>

#include "tests/unit/coordinator/core/plan_facts.h"

namespace coxswain {
namespace {

using namespace fakes;  // NOLINT
using testing::ElementsAre;

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

}  // namespace
}  // namespace coxswain

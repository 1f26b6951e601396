// What is promised counts for limits beside what is held, but not on top of what those hold whose
// slots it is; and many that cannot start take no promise from one that could.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/core/scheduling/planner.h"
#include "tests/unit/coordinator/core/plan_facts.h"

namespace coxswain::coordinator::core {
namespace {

using namespace fakes;  // NOLINT: this room's own
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

PendingJob InRack(uint64_t id, const std::string& rack, uint32_t cpus) {
  PendingJob job{.id = JobId(id), .ranks = 1, .cpus = cpus};
  job.selector["rack"] = rack;
  return job;
}

NodeCapacity RackNode(const std::string& name, uint32_t cpus) {
  NodeCapacity node = Node(name, cpus);
  node.labels["rack"] = name;
  return node;
}

// j2 gets the slots of j1, so that those two never count together.
TEST(PromisedLimits, OfAQueueItsParentAndAUser_CountWhatComesOnTop) {
  for (const std::string kind : {"queue", "parent", "cpus of a user", "jobs of a user"}) {
    PlannerWorld world;
    world.settings.queues = {Queue("p", 0), Queue("x", 0, "p")};
    QueueSettings& queue = world.settings.queues[kind == "parent" ? 0 : 1];
    if (kind == "queue" || kind == "parent") queue.limit.cpus = 6;
    if (kind == "cpus of a user") queue.user_limit.cpus = 6;
    if (kind == "jobs of a user") queue.user_jobs = 2;
    world.fleet = Fleet({RackNode("a", 4), RackNode("b", 4)});
    world.Run(InRack(1, "a", 3), {"a"}, {.queue = "x"});
    world.Wait(InRack(2, "a", 3), {.queue = "x"});
    world.Wait(InRack(3, "b", 3), {.queue = "x"});
    world.Wait(InRack(4, "b", 1), {.queue = "x"});
    Plan plan = world.MakePlan();
    EXPECT_THAT(Placed(plan), ElementsAre(3)) << kind << ": three are held, and three more are not";
    EXPECT_THAT(WhyOf(plan, 4).text, testing::Not(HasSubstr("promised"))) << kind;
  }
}

TEST(PromisedLimits, WhoEndsBefore_GoesPastTheFirstThatALimitHoldsBack) {
  for (const int64_t minutes : {5, 20}) {
    PlannerWorld world;
    world.settings.queues = {Queue("x", 0)};
    world.settings.queues[0].limit.cpus = 4;
    world.fleet = Fleet({Node("a", 8)});
    world.Run({.id = JobId(1), .ranks = 1, .cpus = 3}, {"a"}, {.queue = "x", .minutes = 10});
    world.Wait({.id = JobId(2), .ranks = 1, .cpus = 4}, {.queue = "x"});
    world.Wait(Job(3), {.queue = "x", .minutes = minutes});
    Plan plan = world.MakePlan();
    if (minutes == 5) {
      EXPECT_THAT(Placed(plan), ElementsAre(3));
    } else {
      EXPECT_THAT(Placed(plan), IsEmpty()) << "j2 would have to wait for it";
      EXPECT_THAT(WhyOf(plan, 3).text,
                  HasSubstr("j2 is first and queue x may hold 4 CPU slots; it holds 3 CPU slots"));
    }
    EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 2)), 10);
  }
}

TEST(ManyInVain, TakeNoSlotsBackFromWhoCould_NorAnyPromise) {
  PlannerWorld world;
  world.settings.policy = PolicyName::kPriority;
  world.settings.queues = {Queue("prod", 0)};
  for (uint64_t i = 0; i < 40; ++i) {
    world.settings.queues.push_back(Queue("team" + std::to_string(i), 0));
    world.settings.queues.back().limit.cpus = 1;
  }
  world.fleet = Fleet({Node("a", 44)});
  for (uint64_t i = 0; i < 40; ++i) {
    world.Run(Job(1 + i), {"a"}, {.queue = "team" + std::to_string(i), .minutes = 60});
    world.Wait(Job(100 + i), {.queue = "team" + std::to_string(i)});
  }
  world.Run({.id = JobId(90), .ranks = 1, .cpus = 4}, {"a"}, {.queue = "prod", .priority = -5});
  world.Wait({.id = JobId(200), .ranks = 1, .cpus = 4}, {.queue = "prod", .priority = 5});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Victims(plan), ElementsAre(90));
  EXPECT_TRUE(WhyOf(plan, 200).starts);
}

TEST(ManyInVain, PinnedToNodesThatAreAway_AGangIsStillKeptItsSlots) {
  PlannerWorld world;
  NodeCapacity away = RackNode("gone", 40);
  away.why_not = "draining";
  world.fleet = Fleet({RackNode("a", 4), away});
  for (uint64_t id = 1; id <= 3; ++id) world.Run(Job(id), {"a"}, {.minutes = int64_t(id)});
  for (uint64_t i = 0; i < 40; ++i) {
    PendingJob pinned = InRack(10 + i, "gone", 1);
    pinned.selector["n"] = std::to_string(i);
    world.Wait(pinned);
  }
  world.Wait(Job(90, 4), {.minutes = 1});
  world.Wait(Job(91), {.minutes = 7});
  Plan plan = world.MakePlan();
  EXPECT_THAT(Placed(plan), IsEmpty()) << "j91 would be in the way of j90";
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 90)), 3);
}

TEST(LongQueue, ANoisyQueueSilencesNoOther) {
  PlannerWorld world;
  world.settings.queues = {Queue("x", 0), Queue("y", 0)};
  world.fleet = Fleet({Node("a", 2)});
  world.Run(Job(1, 1), {"a"}, {.queue = "x", .minutes = 30});
  world.Run(Job(2, 1), {"a"}, {.queue = "x", .minutes = 30});
  for (uint64_t id = 10; id <= 200; ++id) world.Wait(Job(id), {.queue = "x"});
  for (uint64_t id = 900; id <= 904; ++id) world.Wait(Job(id), {.queue = "y"});
  Plan plan = world.MakePlan();
  EXPECT_THAT(WhyOf(plan, 903).text,
              HasSubstr("3 jobs ahead in queue y; j900 is first and needs 1 rank of 1 CPU slot"));
}

}  // namespace
}  // namespace coxswain::coordinator::core

// Whose end a waiting job is told to wait for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/core/plan_facts.h"

namespace coxswain::coordinator::core {
namespace {

using namespace fakes;  // NOLINT: this room's own
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(WaitsFor, WrongLabels_UnreachableNodes_AndNodesTooSmallForTheGang_AreNotNamed) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4), Node("b", 4), Node("c", 4), Node("d", 2)});
  for (const char* name : {"a", "c", "d"}) world.fleet[NodeId(name)].labels["zone"] = "left";
  world.Run(Job(1), {"b"}, {.minutes = 1});
  world.Run(Job(2), {"c"}, {.minutes = 2});
  world.Run(Job(3), {"d"}, {.minutes = 3});
  world.Run(Job(4), {"a"}, {.minutes = 4});
  world.fleet[NodeId("c")].why_not = "unreachable";
  PendingJob needs{.id = JobId(5), .ranks = 4, .within = Within::kMachine};
  needs.selector = {{"zone", "left"}};
  world.Wait(needs);
  const Why why = WhyOf(world.MakePlan(), 5);
  EXPECT_EQ(NextOf(why), "j4 in 4 min");
  EXPECT_THAT(Ids(why.waits_for), ElementsAre(4));
  EXPECT_EQ(MinutesUntilStart(why), 4);
}

TEST(WaitsFor, GpusOfAnotherKind_AndCpusThatAreNotShort_AreNotNamed) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 8, 2), Node("b", 8, 2, "NVIDIA A100")});
  world.Run({.id = JobId(1), .gpus = 1}, {"b"}, {.minutes = 1});
  world.Run(Job(2), {"a"}, {.minutes = 2});
  world.Run({.id = JobId(3), .gpus = 1}, {"a"}, {.minutes = 3});
  PendingJob needs{.id = JobId(4), .gpus = 2};
  needs.gpu_kinds = {"H200"};
  world.Wait(needs);
  const Why why = WhyOf(world.MakePlan(), 4);
  EXPECT_EQ(NextOf(why), "j3 in 3 min");
  EXPECT_THAT(Ids(why.waits_for), ElementsAre(3));
}

TEST(WaitsFor, SoonestEndFirst_ThenTheLowestId_AndNoneThatIsOnlyPromisedSlots) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 4)});
  world.Run(Job(3), {"a"}, {.minutes = 7});
  world.Run(Job(2), {"a"}, {.minutes = 7});
  world.Run(Job(1), {"a"});
  world.Run(Job(4), {"a"}, {.minutes = 5});
  world.Wait({.id = JobId(5), .ranks = 2, .gpus = 0});
  world.Wait({.id = JobId(6), .cpus = 2, .gpus = 0, .selector = {}});
  const Plan plan = world.MakePlan();
  EXPECT_THAT(Ids(WhyOf(plan, 5).waits_for), ElementsAre(4, 2, 3, 1));
  EXPECT_EQ(NextOf(WhyOf(plan, 5)), "j4 in 5 min");
  EXPECT_NE(NextOf(WhyOf(plan, 6)).substr(0, 2), "j5");
}

TEST(WaitsFor, UserLimit_IsEstimatedFromTheEndsOfHisJobs) {
  PlannerWorld world;
  QueueSettings queue{.name = "default"};
  queue.user_jobs = 2;
  world.settings.queues = {queue};
  world.fleet = Fleet({Node("a", 9)});
  world.Run(Job(1), {"a"}, {.user = "bob", .minutes = 1});
  world.Run(Job(2), {"a"}, {.minutes = 30});
  world.Run(Job(3), {"a"}, {.minutes = 20});
  world.Wait(Job(4), {.minutes = 5});
  world.Wait(Job(5), {.minutes = 5});
  const Plan plan = world.MakePlan();
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 4)), 20);
  EXPECT_THAT(WhyOf(plan, 4).text, HasSubstr("ann runs 2"));
  EXPECT_EQ(NextOf(WhyOf(plan, 4)), "j3 in 20 min");
  EXPECT_EQ(MinutesUntilStart(WhyOf(plan, 5)), 25) << "when j4 has ended";
  EXPECT_TRUE(world.left_as_it_was);
}

TEST(WaitsFor, WhoIsAhead_IsCalledByHisName) {
  PlannerWorld world;
  world.fleet = Fleet({Node("a", 1)});
  world.Run(Job(1), {"a"});
  world.Wait(Job(2));
  world.Wait(Job(3));
  world.names[JobId(2)] = "j2 (mnist)";
  EXPECT_THAT(WhyOf(world.MakePlan(), 3).text, HasSubstr("1 job ahead; j2 (mnist) is first"));
}

}  // namespace
}  // namespace coxswain::coordinator::core

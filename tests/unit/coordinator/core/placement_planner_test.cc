#include "coordinator/core/placement/placement_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coxswain::coordinator::core {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

NodeCapacity Node(const std::string& name, uint32_t cpus, uint32_t gpus = 0) {
  NodeCapacity node{.name = name, .cpus = cpus, .cpus_free = cpus, .gpus = gpus};
  for (uint32_t i = 0; i < gpus; ++i) node.gpus_free.push_back(name + std::to_string(i));
  return node;
}

PlacementView Fleet(std::initializer_list<NodeCapacity> nodes) {
  PlacementView view;
  for (const NodeCapacity& node : nodes) view[NodeId(node.name)] = node;
  return view;
}

std::string Where(const Placement& placement) {
  std::string out;
  for (const RankSlot& slot : placement.ranks) {
    out += slot.node.value + std::to_string(slot.local_rank) + " ";
  }
  return out;
}

TEST(GangPlacement, FitsOneNode_TakesTheFullestThatHoldsIt) {
  Plan plan = PlanPlacements(Fleet({Node("a", 8), Node("b", 2), Node("c", 4)}),
                             {{.id = JobId(1), .ranks = 2}}, {}, {});
  ASSERT_THAT(plan.placements, SizeIs(1));
  EXPECT_EQ(Where(plan.placements[0]), "b0 b1 ");
}

TEST(GangPlacement, NoNodeHoldsIt_UsesTheFewest) {
  Plan plan = PlanPlacements(Fleet({Node("a", 1), Node("b", 2), Node("c", 3)}),
                             {{.id = JobId(1), .ranks = 5}}, {}, {});
  ASSERT_THAT(plan.placements, SizeIs(1));
  EXPECT_EQ(Where(plan.placements[0]), "c0 c1 c2 b0 b1 ");
}

TEST(GangPlacement, OneNodeShort_WaitsWithReason) {
  Plan plan =
      PlanPlacements(Fleet({Node("a", 1), Node("b", 2)}), {{.id = JobId(1), .ranks = 4}}, {}, {});
  EXPECT_THAT(plan.placements, SizeIs(0));
  ASSERT_THAT(plan.why, SizeIs(1));
  EXPECT_EQ(
      plan.why[0].text,
      "needs 4 ranks of 1 CPU slot each; free: 3 of 3 CPU slots on 2 nodes, room for 3 ranks");
}

TEST(GangPlacement, OldestDoesNotFit_HoldsBackTheSmaller) {
  Plan plan =
      PlanPlacements(Fleet({Node("a", 2)}),
                     {{.id = JobId(1)}, {.id = JobId(2), .ranks = 2}, {.id = JobId(3)}}, {}, {});
  ASSERT_THAT(plan.placements, SizeIs(1));
  EXPECT_EQ(plan.placements[0].job, JobId(1));
  EXPECT_EQ(plan.blocked, JobId(2));
  EXPECT_THAT(plan.why[1].text, HasSubstr("1 job ahead; j2 is first and needs 2 ranks"));
}

TEST(GangPlacement, Gpus_AreGivenOnceInOrder) {
  Plan plan = PlanPlacements(Fleet({Node("a", 8, 3)}),
                             {{.id = JobId(1), .gpus = 1}, {.id = JobId(2), .gpus = 2}}, {}, {});
  ASSERT_THAT(plan.placements, SizeIs(2));
  EXPECT_EQ(plan.placements[0].ranks[0].gpu_uuids, (std::vector<std::string>{"a0"}));
  EXPECT_EQ(plan.placements[1].ranks[0].gpu_uuids, (std::vector<std::string>{"a1", "a2"}));
}

TEST(GangPlacement, CpuJob_KeepsOffGpuNodes) {
  Plan plan = PlanPlacements(Fleet({Node("a", 2, 4), Node("b", 16)}),
                             {{.id = JobId(1), .ranks = 2}}, {}, {});
  EXPECT_EQ(Where(plan.placements.at(0)), "b0 b1 ");
}

TEST(GangPlacement, OneNodeOnly_IsNotSpread) {
  Plan plan = PlanPlacements(Fleet({Node("a", 2), Node("b", 2)}),
                             {{.id = JobId(1), .ranks = 3, .one_node = true}}, {}, {});
  EXPECT_THAT(plan.why.at(0).text, HasSubstr("most room on one: 2 ranks (a)"));
}

TEST(GangPlacement, UnusableNode_IsCountedInTheReason) {
  PlacementView view = Fleet({Node("a", 4), Node("b", 4)});
  view[NodeId("a")].why_not = "draining";
  view[NodeId("b")].why_not = "unreachable";
  Plan plan = PlanPlacements(view, {{.id = JobId(1)}}, {}, {});
  EXPECT_EQ(plan.why.at(0).text,
            "needs 1 rank of 1 CPU slot; no worker is ready; 1 node draining; 1 node unreachable");
}

TEST(WhyNever, CountsAllOfTheFleet_NotWhatIsFree) {
  PlacementView view = Fleet({Node("a", 4), Node("b", 2)});
  view[NodeId("a")].cpus_free = 0;
  EXPECT_EQ(WhyNever(view, {.id = JobId(1), .ranks = 6}), "");
  EXPECT_THAT(WhyNever(view, {.id = JobId(1), .ranks = 7}), HasSubstr("has room for 6"));
  EXPECT_EQ(WhyNever({}, {.id = JobId(1), .ranks = 7}), "");
}

}  // namespace
}  // namespace coxswain::coordinator::core

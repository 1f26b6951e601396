#include "coordinator/core/placement/placement_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/core/planner_world.h"

namespace coxswain::coordinator::core {
namespace {

using fakes::Fleet;
using fakes::Node;

using testing::HasSubstr;
using testing::SizeIs;

// By the shipped configuration, with no running job.
Plan PlanPlacements(PlacementView view, const std::vector<PendingJob>& pending) {
  fakes::PlannerWorld world;
  world.fleet = std::move(view);
  for (const PendingJob& job : pending) world.Wait(job);
  return world.MakePlan();
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
                             {{.id = JobId(1), .ranks = 2}});
  ASSERT_THAT(plan.placements, SizeIs(1));
  EXPECT_EQ(Where(plan.placements[0]), "b0 b1 ");
}

TEST(GangPlacement, NoNodeHoldsIt_UsesTheFewest) {
  Plan plan = PlanPlacements(Fleet({Node("a", 1), Node("b", 2), Node("c", 3)}),
                             {{.id = JobId(1), .ranks = 5}});
  ASSERT_THAT(plan.placements, SizeIs(1));
  EXPECT_EQ(Where(plan.placements[0]), "c0 c1 c2 b0 b1 ");
}

TEST(GangPlacement, OneNodeShort_WaitsWithReason) {
  Plan plan = PlanPlacements(Fleet({Node("a", 1), Node("b", 2)}), {{.id = JobId(1), .ranks = 4}});
  EXPECT_THAT(plan.placements, SizeIs(0));
  ASSERT_THAT(plan.why, SizeIs(1));
  EXPECT_EQ(
      plan.why[0].text,
      "needs 4 ranks of 1 CPU slot each; free: 3 of 3 CPU slots on 2 nodes, room for 3 ranks");
}

TEST(GangPlacement, OldestDoesNotFit_HoldsBackTheSmaller) {
  Plan plan = PlanPlacements(Fleet({Node("a", 2)}),
                             {{.id = JobId(1)}, {.id = JobId(2), .ranks = 2}, {.id = JobId(3)}});
  ASSERT_THAT(plan.placements, SizeIs(1));
  EXPECT_EQ(plan.placements[0].job, JobId(1));
  EXPECT_TRUE(plan.why[0].first);
  EXPECT_EQ(plan.why[0].job, JobId(2));
  EXPECT_THAT(plan.why[1].text, HasSubstr("1 job ahead; j2 is first and needs 2 ranks"));
}

TEST(GangPlacement, Gpus_AreGivenOnceInOrder) {
  Plan plan = PlanPlacements(Fleet({Node("a", 8, 3)}),
                             {{.id = JobId(1), .gpus = 1}, {.id = JobId(2), .gpus = 2}});
  ASSERT_THAT(plan.placements, SizeIs(2));
  EXPECT_EQ(plan.placements[0].ranks[0].gpu_uuids, (std::vector<std::string>{"a0"}));
  EXPECT_EQ(plan.placements[1].ranks[0].gpu_uuids, (std::vector<std::string>{"a1", "a2"}));
}

TEST(GangPlacement, CpuJob_KeepsOffGpuNodes) {
  Plan plan =
      PlanPlacements(Fleet({Node("a", 2, 4), Node("b", 16)}), {{.id = JobId(1), .ranks = 2}});
  EXPECT_EQ(Where(plan.placements.at(0)), "b0 b1 ");
}

TEST(GangPlacement, OneNodeOnly_IsNotSpread) {
  Plan plan = PlanPlacements(Fleet({Node("a", 2), Node("b", 2)}),
                             {{.id = JobId(1), .ranks = 3, .within = Within::kMachine}});
  EXPECT_THAT(plan.why.at(0).text, HasSubstr("most room on one: 2 ranks (a)"));
}

TEST(GangPlacement, UnusableNode_IsCountedInTheReason) {
  PlacementView view = Fleet({Node("a", 4), Node("b", 4)});
  view[NodeId("a")].why_not = "draining";
  view[NodeId("b")].why_not = "unreachable";
  Plan plan = PlanPlacements(view, {{.id = JobId(1)}});
  EXPECT_EQ(
      plan.why.at(0).text,
      "needs 1 rank of 1 CPU slot; no worker is ready; 1 node draining; 1 node unreachable; "
      "cannot start until enough of a (draining: cox drain a --undo), b (unreachable) are ready");
}

NodeCapacity InRack(const std::string& rack, NodeCapacity node) {
  node.rack = node.labels["rack"] = rack;
  return node;
}

Plan PlanOne(const PlacementView& view, PendingJob job) {
  job.id = JobId(1);
  return PlanPlacements(view, {job});
}

// "a: a0 a1 b: b0": the GPUs by node.
std::string Gpus(const Placement& placement) {
  std::string out, node;
  for (const RankSlot& slot : placement.ranks) {
    if (slot.node.value != node) out += (node = slot.node.value) + ": ";
    for (const std::string& uuid : slot.gpu_uuids) out += uuid + " ";
  }
  return out;
}

TEST(Selector, OnlyNodesWithAllLabels_AreUsed) {
  PlacementView view = Fleet({InRack("r1", Node("a", 8)), InRack("r2", Node("b", 2))});
  EXPECT_EQ(Where(PlanOne(view, {.ranks = 2, .selector = {{"rack", "r1"}}}).placements.at(0)),
            "a0 a1 ");
  EXPECT_EQ(PlanOne(view, {.ranks = 4, .selector = {{"rack", "r2"}}}).why.at(0).text,
            "needs 4 ranks of 1 CPU slot each on nodes with rack=r2; free: 2 of 2 CPU slots on 1 "
            "node of 2, room for 2 ranks");
  EXPECT_EQ(PlanOne(view, {.selector = {{"rack", "r2"}, {"zone", "a"}}}).why.at(0).text,
            "needs 1 rank of 1 CPU slot on a node with rack=r2, zone=a; none of 2 nodes has these "
            "labels");
}

TEST(GpuKinds, TheFirstOfTheListThatCanBeHad_ForTheWholeGang) {
  PlacementView view = Fleet({Node("a", 8, 2, "NVIDIA A100-SXM4-80GB"), Node("b", 8, 1),
                              Node("c", 8, 2, "NVIDIA A100-SXM4-80GB")});
  PendingJob job{.ranks = 1, .gpus = 1, .gpu_kinds = {"h200", "a100"}};
  EXPECT_EQ(Gpus(PlanOne(view, job).placements.at(0)), "b: b0 ");
  job.ranks = 3;
  EXPECT_EQ(Gpus(PlanOne(view, job).placements.at(0)), "a: a0 a1 c: c0 ") << "not mixed with b's";
  job.ranks = 5;
  EXPECT_EQ(
      PlanOne(view, job).why.at(0).text,
      "needs 5 ranks of 1 CPU slot and 1 GPU (h200 or a100) each; free: 24 of 24 CPU slots, 5 "
      "of 5 GPUs of that kind on 3 nodes, room for 4 ranks");
}

TEST(GpuKinds, TwoKindsInOneMachine_AreKeptApart) {
  NodeCapacity node = Node("a", 8, 2);
  node.gpus.insert(node.gpus.begin() + 1, GpuSlot{"x", "NVIDIA A100"});
  EXPECT_EQ(Gpus(PlanOne(Fleet({node}), {.gpus = 2, .gpu_kinds = {"H200"}}).placements.at(0)),
            "a: a0 a1 ");
}

TEST(Racks, NoMachineHoldsIt_OneRackIsBetterThanTwo) {
  PlacementView view = Fleet({InRack("r1", Node("a", 3)), InRack("r2", Node("b", 2)),
                              InRack("r2", Node("c", 2)), InRack("r1", Node("d", 3))});
  EXPECT_EQ(Where(PlanOne(view, {.ranks = 4}).placements.at(0)), "b0 b1 c0 c1 ") << "the fullest";
  EXPECT_EQ(Where(PlanOne(view, {.ranks = 5}).placements.at(0)), "a0 a1 a2 d0 d1 ");
  EXPECT_EQ(Where(PlanOne(view, {.ranks = 7}).placements.at(0)), "a0 a1 a2 d0 d1 d2 b0 ");
}

TEST(Racks, FewestMachines_OfOneRackOrOfSeveral) {
  PlacementView one = Fleet({Node("a", 2), Node("b", 2), Node("c", 4)});
  EXPECT_EQ(Where(PlanOne(one, {.ranks = 5}).placements.at(0)), "c0 c1 c2 c3 a0 ");
  PlacementView either =
      Fleet({InRack("r1", Node("a", 2)), InRack("r1", Node("b", 2)), InRack("r1", Node("c", 2)),
             InRack("r2", Node("d", 4)), InRack("r2", Node("e", 2))});
  EXPECT_EQ(Where(PlanOne(either, {.ranks = 5}).placements.at(0)), "d0 d1 d2 d3 e0 ");
  PlacementView both = Fleet({InRack("r1", Node("a", 2)), InRack("r1", Node("b", 2)),
                              InRack("r2", Node("c", 4)), InRack("r3", Node("d", 3))});
  EXPECT_EQ(Where(PlanOne(both, {.ranks = 5}).placements.at(0)), "c0 c1 c2 c3 a0 ");
}

TEST(Racks, OverSeveral_RanksOfOneAreBesideEachOther) {
  PlacementView view = Fleet({InRack("r1", Node("a", 4)), InRack("r1", Node("b", 2)),
                              InRack("r2", Node("c", 3)), InRack("r2", Node("d", 2))});
  EXPECT_EQ(Where(PlanOne(view, {.ranks = 9}).placements.at(0)), "a0 a1 a2 a3 b0 b1 c0 c1 c2 ");
}

TEST(Racks, WithinOneRack_WaitsWhereTwoWouldDo) {
  PlacementView view =
      Fleet({InRack("r1", Node("a", 3)), InRack("r2", Node("b", 2)), Node("c", 9)});
  view[NodeId("c")].cpus_free = 2;
  EXPECT_EQ(
      PlanOne(view, {.ranks = 4, .within = Within::kRack}).why.at(0).text,
      "needs 4 ranks of 1 CPU slot each, all in one rack; free: 7 of 14 CPU slots on 3 nodes; most "
      "room in one rack: 3 ranks (r1)");
  EXPECT_EQ(Where(PlanOne(view, {.ranks = 3, .within = Within::kRack}).placements.at(0)),
            "a0 a1 a2 ");
}

TEST(WhyNever, SaysWhatTheFleetLacks) {
  PlacementView view = Fleet({InRack("r1", Node("a", 4, 2)), InRack("r2", Node("b", 4))});
  EXPECT_EQ(WhyNever(view, {.ranks = 5, .within = Within::kRack}),
            "spec.workers: needs 5 ranks of 1 CPU slot each, all in one rack, but the whole fleet "
            "of 2 nodes has room "
            "for 4 in one rack (its largest node: 4 CPU slots, 2 GPUs)");
  EXPECT_EQ(WhyNever(view, {.ranks = 5, .selector = {{"rack", "r2"}}}),
            "spec.workers: needs 5 ranks of 1 CPU slot each on nodes with rack=r2, but only 1 node "
            "of 2 has these "
            "labels, with room for 4 (its largest node: 4 CPU slots, 0 GPUs)");
  EXPECT_EQ(WhyNever(view, {.selector = {{"rack", "r3"}}}),
            "spec.placement.node_selector: needs 1 rank of 1 CPU slot on a node with rack=r3, but "
            "none of the fleet's 2 nodes has "
            "these labels");
  EXPECT_EQ(WhyNever(view, {.gpus = 1, .gpu_kinds = {"B200"}}),
            "spec.resources: needs 1 rank of 1 CPU slot and 1 GPU (B200), but the whole fleet of 2 "
            "nodes has room "
            "for 0 (its largest node: 4 CPU slots, 2 GPUs; its GPUs: 2 NVIDIA H200)");
  EXPECT_EQ(WhyNever(view, {.gpus = 1, .gpu_kinds = {"B200", "H200"}}), "");
}

TEST(WhyNever, OneNodeWithLabels_ReadsWell) {
  PlacementView view = Fleet({InRack("r1", Node("a", 4)), InRack("r2", Node("b", 8))});
  PendingJob job{.ranks = 5, .selector = {{"rack", "r1"}}, .within = Within::kMachine};
  EXPECT_THAT(
      WhyNever(view, job),
      HasSubstr("needs 5 ranks of 1 CPU slot each, all on one node with rack=r1, but only "));
  job.within = Within::kRack;
  EXPECT_THAT(WhyNever(view, job), HasSubstr(" each, all in one rack on nodes with rack=r1, but "));
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

// The index against the plain scan: random fleets, gangs and changes, the same choice every time.
#include "coordinator/core/placement/room_index.h"

#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "tests/unit/coordinator/core/planner_world.h"

namespace coxswain::coordinator::core {
namespace {

const std::vector<std::string> kKinds = {"NVIDIA H200", "NVIDIA A100-SXM4-80GB", "Tesla V100"};

class RandomFleet {
 public:
  explicit RandomFleet(uint64_t seed) : rng_(seed), racks_(1 + rng_.Below(6)) {
    mixed_ = rng_.Below(2) == 0;
    size_t count = rng_.Below(3) == 0 ? 200 + rng_.Below(200) : 1 + rng_.Below(90);
    for (size_t i = 0; i < count; ++i) SetNode("n" + std::to_string(rng_.Below(1000)));
  }

  std::string Step() {
    switch (rng_.Below(12)) {
      case 0:
        SetNode("n" + std::to_string(rng_.Below(1000)));
        return "";
      case 1:
        view_.erase(AnyNode());
        return "";
      case 2:
        view_.Change(AnyNode())->why_not = rng_.Below(2) == 0 ? "draining" : "";
        return "";
      case 3:
      case 4:
        return GiveBack();
      case 5:
        view_ = Copy();
        return "";
      default:
        return Place();
    }
  }

 private:
  PlacementView Copy() const { return view_; }

  NodeId AnyNode() {
    if (view_.empty()) SetNode("n1");
    auto node = view_.begin();
    std::advance(node, rng_.Below(view_.size()));
    return node->first;
  }

  void SetNode(const std::string& name) {
    size_t gpus = rng_.Below(3) == 0 ? 0 : rng_.Below(9);
    NodeCapacity node = fakes::Node(name, 1 + rng_.Below(32), gpus, kKinds[rng_.Below(3)]);
    for (GpuSlot& gpu : node.gpus) {
      if (mixed_ && rng_.Below(3) == 0) gpu.kind = kKinds[rng_.Below(3)];
      gpu.taken = rng_.Below(8) == 0 ? 1 : 0;
    }
    node.memory = node.memory_free = static_cast<int64_t>(rng_.Below(100)) - 5;
    if (racks_ > 1) node.rack = rng_.Below(9) == 0 ? "" : "r" + std::to_string(rng_.Below(racks_));
    if (rng_.Below(2) == 0) node.labels["zone"] = rng_.Below(2) == 0 ? "a" : "b";
    view_[NodeId(name)] = std::move(node);
  }

  PendingJob AnyJob() {
    PendingJob job{.id = JobId(++jobs_)};
    job.ranks = rng_.Below(2) == 0 ? 1 : 1 + rng_.Below(rng_.Below(4) == 0 ? 200 : 12);
    job.cpus = 1 + rng_.Below(8);
    job.gpus = rng_.Below(3) == 0 ? 0 : 1 + rng_.Below(8);
    if (rng_.Below(4) == 0) job.memory = 1 + static_cast<int64_t>(rng_.Below(20));
    if (rng_.Below(4) == 0) job.selector["zone"] = "a";
    if (rng_.Below(4) == 0) job.gpu_kinds = {"a100"};
    if (rng_.Below(8) == 0) job.gpu_kinds = {"h200", "V100"};
    uint64_t within = rng_.Below(4);
    job.within = within == 0 ? Within::kMachine : within == 1 ? Within::kRack : Within::kFleet;
    return job;
  }

  GangFit ByIndex(const PendingJob& job, Extent extent) {
    std::vector<std::string> kinds = job.gpu_kinds;
    if (kinds.empty()) kinds = {""};
    for (const std::string& kind : kinds) {
      std::vector<NodeShare> shares = view_.index().Fit(view_.nodes(), job, kind, extent);
      if (!shares.empty()) return {std::move(shares), kind};
    }
    return {};
  }

  static std::string Text(const GangFit& fit) {
    std::string out = fit.gpu_kind + ":";
    for (const NodeShare& share : fit.shares) {
      out += " " + share.node->value + "x" + std::to_string(share.ranks);
    }
    return out;
  }

  std::string Place() {
    PendingJob job = AnyJob();
    for (Extent extent : {Extent::kWhole, Extent::kFree}) {
      GangFit scanned = FitGangByScan(view_, job, extent), indexed = ByIndex(job, extent);
      if (Text(scanned) != Text(indexed)) {
        return Text(indexed) + " instead of " + Text(scanned) + " for " +
               std::to_string(job.ranks) + " ranks of " + std::to_string(job.gpus) + " GPUs";
      }
      if (extent == Extent::kWhole || scanned.shares.empty()) continue;
      Placement placement = TakeSlots(&view_, job, indexed);
      held_.push_back({placement.ranks, job.cpus, job.memory});
      placed += 1;
      over_nodes += indexed.shares.size() > 1 ? 1 : 0;
    }
    return "";
  }

  std::string GiveBack() {
    if (held_.empty()) return "";
    size_t which = rng_.Below(held_.size());
    Occupy(&view_, held_[which], rng_.Below(10) == 0 ? 1 : -1);
    held_.erase(held_.begin() + static_cast<int64_t>(which));
    return "";
  }

 public:
  int placed = 0, over_nodes = 0;

 private:
  base::Rng rng_;
  size_t racks_;
  bool mixed_ = false;
  PlacementView view_;
  std::vector<Holding> held_;
  uint64_t jobs_ = 0;
};

TEST(RoomIndex, RandomFleetsAndChanges_ChoosesAsTheScanDoes) {
  int placed = 0, over_nodes = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    RandomFleet fleet(seed);
    for (int step = 0; step < 60; ++step) {
      ASSERT_EQ(fleet.Step(), "") << "seed " << seed << ", step " << step;
    }
    placed += fleet.placed;
    over_nodes += fleet.over_nodes;
  }
  EXPECT_GT(placed, 400);  // else nothing was compared
  EXPECT_GT(over_nodes, 40);
}

TEST(RoomIndex, ManyMoreShapesThanItKeeps_StillChoosesAsTheScanDoes) {
  PlacementView view;
  for (int i = 0; i < 100; ++i) {
    std::string name = "n" + std::to_string(i);
    view[NodeId(name)] = fakes::Node(name, 1 + static_cast<uint32_t>(i % 40));
  }
  for (uint32_t round = 0; round < 2; ++round) {
    for (uint32_t i = 0; i < 300; ++i) {
      PendingJob job{.id = JobId(i + 1), .ranks = 1 + i / 40, .cpus = 1 + i % 40};
      GangFit scanned = FitGangByScan(view, job, Extent::kFree);
      GangFit indexed = FitGang(view, job, Extent::kFree);
      ASSERT_EQ(scanned.shares.size(), indexed.shares.size()) << i;
      if (scanned.shares.empty()) continue;
      ASSERT_EQ(*scanned.shares.front().node, *indexed.shares.front().node) << i;
      if (i % 7 == 0) TakeSlots(&view, job, indexed);
    }
  }
}

}  // namespace
}  // namespace coxswain::coordinator::core

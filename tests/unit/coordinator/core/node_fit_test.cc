#include "coordinator/core/placement/node_fit.h"

#include <gtest/gtest.h>

namespace coxswain::coordinator::core {
namespace {

NodeCapacity Node(int64_t cpus_free) {
  NodeCapacity node;
  node.name = "a";
  node.labels = {{"zone", "west"}};
  node.cpus = 8;
  node.cpus_free = cpus_free;
  node.memory = int64_t{16} << 30;
  node.memory_free = int64_t{2} << 30;
  node.gpus = {{"u0", "NVIDIA H200", 0}, {"u1", "NVIDIA A100", 1}};
  return node;
}

PendingJob Job(uint32_t ranks, uint32_t cpus) {
  PendingJob job;
  job.ranks = ranks;
  job.cpus = cpus;
  return job;
}

TEST(NodeFit, RoomIsCountedInRanks_AtMostTheGang) {
  EXPECT_EQ(FitOn(Node(6), Job(4, 2)).ranks, 3u);
  EXPECT_EQ(FitOn(Node(6), Job(2, 1)).ranks, 2u);
  EXPECT_EQ(FitOn(Node(6), Job(2, 1)).why_not, "");
}

TEST(NodeFit, FullNode_SaysWhatIsShort) {
  EXPECT_EQ(FitOn(Node(1), Job(1, 4)).why_not, "a rank needs 4 CPU slots, 1 of 8 free");
  EXPECT_EQ(FitOn(Node(-2), Job(1, 1)).why_not, "a rank needs 1 CPU slot, 0 of 8 free");
  EXPECT_EQ(FitOn(Node(8), Job(1, 9)).why_not, "a rank needs 9 CPU slots, it has 8");
}

TEST(NodeFit, EveryKindThatIsShort_IsTold) {
  PendingJob job = Job(1, 4);
  job.gpus = 2;
  job.memory = int64_t{4} << 30;
  EXPECT_EQ(FitOn(Node(1), job).why_not,
            "a rank needs 4 CPU slots, 1 of 8 free; a rank needs 2 GPUs, 1 of 2 free; a rank needs "
            "4 GiB of memory, 2 GiB of 16 GiB free");
}

TEST(NodeFit, KindsAndLabels) {
  PendingJob job = Job(1, 1);
  job.gpus = 1;
  job.gpu_kinds = {"a100"};
  EXPECT_EQ(FitOn(Node(8), job).why_not,
            "a rank needs 1 GPU of the kinds it asks for, 0 of 1 free");
  job.gpu_kinds = {"h200"};
  EXPECT_EQ(FitOn(Node(8), job).ranks, 1u);
  job.selector = {{"zone", "east"}};
  EXPECT_EQ(FitOn(Node(8), job).why_not, "its zone is west, not east");
  job.selector = {{"disk", "fast"}};
  EXPECT_EQ(FitOn(Node(8), job).why_not, "it has no label disk=fast");
}

TEST(NodeFit, NodeThatGetsNoWork) {
  NodeCapacity node = Node(8);
  node.why_not = "draining";
  EXPECT_EQ(FitOn(node, Job(1, 1)).why_not, "it is draining");
}

}  // namespace
}  // namespace coxswain::coordinator::core

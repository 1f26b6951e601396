// Each rule of the checker of rows must be able to fail.
#include "sim/row_checker.h"

#include <gtest/gtest.h>

#include "sim/place_checker.h"
#include "sim/world.h"

namespace coxswain::sim {
namespace {

using base::Attempt;
using base::CheckpointId;
using base::Generation;
using base::JobId;

struct RowCheckerTest : testing::Test {
  void SetUp() override {
    core::NodeRow node{.id = base::NodeId("a"), .name = "a"};
    node.inventory.cpu_slots = 2;
    rows.Apply(node);
    job.request.max_attempts = 1;
    rows.Apply(job);
    rows.Apply(generation);
  }
  // What the checker says to the change; empty: nothing.
  std::string Check(const core::Change& change) {
    world.row_checker.Check(rows, change);
    return world.journal.failure();
  }
  core::RankRow RankRow(base::Rank rank) {
    core::RankRow row{.key = {JobId(1), Attempt(1), rank}, .node = base::NodeId("a")};
    row.incarnation = base::Incarnation(rank + 1);
    return row;
  }

  World world{1, Telling::kNothing};
  Rows rows;
  core::JobRow job{.id = JobId(1), .spec_yaml = "sim-job 1", .attempt = Attempt(1)};
  core::GenerationRow generation{
      .job = JobId(1), .generation = Generation(2), .attempt = Attempt(1)};
};

TEST_F(RowCheckerTest, SlotsGivenTwice_AreSeen) {
  rows.Apply(RankRow(0));
  rows.Apply(RankRow(1));
  EXPECT_NE(Check(RankRow(2)).find("more ranks than it has slots"), std::string::npos);
}

TEST_F(RowCheckerTest, GpuGivenTwice_IsSeen) {
  core::RankRow first = RankRow(0), second = RankRow(1);
  first.gpu_uuids = second.gpu_uuids = {"gpu"};
  rows.Apply(first);
  EXPECT_NE(Check(second).find("GPU gpu"), std::string::npos);
}

TEST_F(RowCheckerTest, StaleCommit_IsSeen) {
  core::CheckpointRow row{.id = CheckpointId(1), .job = JobId(1), .generation = Generation(1)};
  row.uri = "s3://b/c1";
  rows.Apply(row);
  row.state = core::CheckpointState::kCommitted;
  EXPECT_NE(Check(row).find("not the one in force"), std::string::npos);
}

TEST_F(RowCheckerTest, CommitOfWhatIsNotStored_IsSeen) {
  core::CheckpointRow row{.id = CheckpointId(1), .job = JobId(1), .generation = Generation(2)};
  row.uri = "s3://b/c1";
  rows.Apply(row);
  row.state = core::CheckpointState::kCommitted;
  EXPECT_NE(Check(row).find("not whole in its store"), std::string::npos);
}

TEST_F(RowCheckerTest, CollectingTheOnlyVerifiedOne_IsSeen) {
  core::CheckpointRow row{.id = CheckpointId(1), .job = JobId(1), .generation = Generation(2)};
  row.state = core::CheckpointState::kVerified;
  rows.Apply(row);
  row.collect = true;
  EXPECT_NE(Check(row).find("no newer one is verified"), std::string::npos);
}

TEST_F(RowCheckerTest, OneAttemptTooMany_IsSeen) {
  job.failures = 1;
  rows.Apply(job);
  core::AttemptRow attempt{.job = JobId(1), .number = Attempt(2)};
  EXPECT_NE(Check(attempt).find("one more than the job may have"), std::string::npos);
}

TEST_F(RowCheckerTest, EndedJobThatChanges_IsSeen) {
  job.state = core::JobState::kFailed;
  rows.Apply(job);
  job.state = core::JobState::kRunning;
  EXPECT_NE(Check(job).find("changes though it has ended"), std::string::npos);
}

TEST_F(RowCheckerTest, SecondGenerationInForce_IsSeen) {
  core::GenerationRow next = generation;
  next.generation = Generation(3);
  EXPECT_NE(Check(next).find("while another one is in force"), std::string::npos);
}

TEST_F(RowCheckerTest, CheckpointOpenedForAnOldGeneration_IsSeen) {
  core::CheckpointRow row{.id = CheckpointId(1), .job = JobId(1), .generation = Generation(1)};
  EXPECT_NE(Check(row).find("is opened for generation 1"), std::string::npos);
}

TEST_F(RowCheckerTest, NodeForgottenUnderARank_IsSeen) {
  rows.Apply(RankRow(0));
  EXPECT_NE(Check(core::DeleteNode{base::NodeId("a")}).find("may run a rank"), std::string::npos);
}

TEST_F(RowCheckerTest, LiveJobRemoved_IsSeen) {
  EXPECT_NE(Check(core::DeleteJob{JobId(1)}).find("though it has not ended"), std::string::npos);
}

struct PlaceCheckerTest : RowCheckerTest {
  void SetUp() override {
    RowCheckerTest::SetUp();
    for (const char* name : {"b", "c"}) {
      core::NodeRow node{.id = base::NodeId(name), .name = name};
      node.inventory.cpu_slots = 2;
      node.inventory.labels = {{"rack", name}};
      node.inventory.gpus = {{.uuid = std::string(name) + "-gpu", .name = "NVIDIA A100"}};
      rows.Apply(node);
    }
  }
  std::string Place(core::RankRow row, const std::string& node) {
    rows.Apply(job);
    row.node = base::NodeId(node);
    return WhyWrongPlace(rows, row);
  }
};

TEST_F(PlaceCheckerTest, OtherLabels_AreSeen) {
  job.request.node_selector = {{"rack", "b"}};
  EXPECT_EQ(Place(RankRow(0), "b"), "");
  EXPECT_NE(Place(RankRow(0), "c"), "");
}

TEST_F(PlaceCheckerTest, OtherKindOfGpu_IsSeen) {
  core::RankRow row = RankRow(0);
  row.gpu_uuids = {"b-gpu"};
  job.request.gpus = 1;
  job.request.gpu_kinds = {"h200", "a100"};
  EXPECT_EQ(Place(row, "b"), "");
  job.request.gpu_kinds = {"h200"};
  EXPECT_NE(Place(row, "b"), "");
}

TEST_F(PlaceCheckerTest, GangOverTwoRacks_IsSeen) {
  core::RankRow first = RankRow(0);
  first.node = base::NodeId("b");
  rows.Apply(first);
  EXPECT_EQ(Place(RankRow(1), "c"), "");
  job.request.within = core::Within::kRack;
  EXPECT_EQ(Place(RankRow(1), "c"), "it spans racks");
  EXPECT_EQ(Place(RankRow(1), "b"), "");
  job.request.within = core::Within::kMachine;
  EXPECT_EQ(Place(RankRow(1), "c"), "it spans machines");
}

TEST(CouldFit, RacksAndKinds_Count) {
  std::vector<MachinePlan> machines(2,
                                    MachinePlan{.cpus = 2, .gpus = 1, .gpu_kind = "NVIDIA A100"});
  machines[0].labels = {{"rack", "r1"}};
  machines[1].labels = {{"rack", "r2"}};
  core::JobRequest request{.workers = 3};
  EXPECT_TRUE(CouldFit(machines, request));
  request.within = core::Within::kRack;
  EXPECT_FALSE(CouldFit(machines, request));
  machines[1].labels = machines[0].labels;
  EXPECT_TRUE(CouldFit(machines, request));
  request.gpus = 1;
  EXPECT_FALSE(CouldFit(machines, request));
  request.workers = 2;
  request.gpu_kinds = {"h200"};
  EXPECT_FALSE(CouldFit(machines, request));
  request.gpu_kinds = {"h200", "a100"};
  EXPECT_TRUE(CouldFit(machines, request));
}

TEST_F(RowCheckerTest, OrdinaryRows_AreFine) {
  EXPECT_EQ(Check(RankRow(0)), "");
  generation.closed = true;
  EXPECT_EQ(Check(generation), "");
}

}  // namespace
}  // namespace coxswain::sim

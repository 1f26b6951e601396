// Each rule of the checker of rows must be able to fail.
#include "sim/row_checker.h"

#include <gtest/gtest.h>

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

TEST_F(RowCheckerTest, OrdinaryRows_AreFine) {
  EXPECT_EQ(Check(RankRow(0)), "");
  generation.closed = true;
  EXPECT_EQ(Check(generation), "");
}

}  // namespace
}  // namespace coxswain::sim

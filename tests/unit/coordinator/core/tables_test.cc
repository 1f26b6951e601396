#include "coordinator/core/tables/tables.h"

#include <gtest/gtest.h>

namespace coxswain::coordinator::core {
namespace {

JobRow Job(uint64_t id, JobState state = JobState::kPending) {
  JobRow row;
  row.id = JobId(id);
  row.state = state;
  row.idempotency_key = "k" + std::to_string(id);
  return row;
}

CheckpointRow Checkpoint(uint64_t id, bool collect = false,
                         CheckpointState state = CheckpointState::kCommitted) {
  CheckpointRow row;
  row.id = CheckpointId(id);
  row.job = JobId(1);
  row.state = state;
  row.collect = collect;
  return row;
}

TEST(Tables, JobWithoutAttempt_Waits) {
  Tables tables;
  tables.Apply(Job(2));
  tables.Apply(Job(1));
  EXPECT_EQ(tables.waiting(), (std::set<JobId>{JobId(1), JobId(2)}));
  tables.Apply(AttemptRow{.job = JobId(1), .number = Attempt(1)});
  EXPECT_EQ(tables.waiting(), (std::set<JobId>{JobId(2)}));
  tables.Apply(AttemptRow{.job = JobId(1), .number = Attempt(1), .ended = WallTime{5}});
  EXPECT_EQ(tables.waiting().count(JobId(1)), 1u);
}

TEST(Tables, EndedJob_LeavesNothing) {
  Tables tables;
  uint64_t empty = tables.Digest();
  tables.Apply(Job(1));
  tables.Apply(AttemptRow{.job = JobId(1), .number = Attempt(1)});
  tables.Apply(RankRow{
      .key = {JobId(1), Attempt(1), 0}, .node = NodeId("a"), .exit = protocol::ExitRecord{}});
  tables.Apply(Checkpoint(1, false, CheckpointState::kVerified));
  tables.Apply(Job(1, JobState::kCompleted));
  EXPECT_EQ(tables.Digest(), empty);
  EXPECT_EQ(tables.jobs().FindKey("k1"), nullptr);
}

TEST(Tables, EndedJobWithACheckpointToVerify_StaysWholeUntilItIs) {
  Tables tables;
  JobRow job = Job(1);
  job.request.keep_checkpoints = 1;
  tables.Apply(job);
  tables.Apply(Checkpoint(1, false, CheckpointState::kVerified));
  tables.Apply(Checkpoint(2));
  job.state = JobState::kCompleted;
  tables.Apply(job);
  ASSERT_NE(tables.jobs().FindEnded(JobId(1)), nullptr);
  EXPECT_NE(tables.checkpoints().Find(CheckpointId(1)), nullptr);
  // The first is one too many now, though nobody has marked it yet.
  tables.Apply(Checkpoint(2, false, CheckpointState::kVerified));
  ASSERT_EQ(tables.checkpoints().NotKept(JobId(1), 1).size(), 1u);
  EXPECT_NE(tables.jobs().FindEnded(JobId(1)), nullptr);
  tables.Apply(Checkpoint(1, true, CheckpointState::kVerified));
  tables.Apply(Checkpoint(1, true, CheckpointState::kDeleted));
  EXPECT_EQ(tables.jobs().FindEnded(JobId(1)), nullptr);
  EXPECT_EQ(tables.checkpoints().Find(CheckpointId(2)), nullptr);
}

TEST(Tables, EndedJobWithCheckpointsToCollect_StaysUntilTheyAreDeleted) {
  Tables tables;
  tables.Apply(Job(1));
  tables.Apply(Checkpoint(1, false, CheckpointState::kVerified));
  tables.Apply(Checkpoint(2, true));
  tables.Apply(Job(1, JobState::kFailed));
  EXPECT_EQ(tables.jobs().Find(JobId(1)), nullptr);
  ASSERT_NE(tables.jobs().FindEnded(JobId(1)), nullptr);
  tables.Apply(Checkpoint(2, true, CheckpointState::kDeleted));
  EXPECT_EQ(tables.jobs().FindEnded(JobId(1)), nullptr);
}

TEST(Tables, NewAttempt_DropsExitedRanksOfOlderOnes) {
  Tables tables;
  tables.Apply(Job(1));
  tables.Apply(AttemptRow{.job = JobId(1), .number = Attempt(1)});
  protocol::RankKey key{JobId(1), Attempt(1), 0};
  tables.Apply(RankRow{.key = key, .node = NodeId("a")});
  EXPECT_EQ(tables.ranks().OnNode(NodeId("a")).size(), 1u);
  tables.Apply(RankRow{.key = key, .node = NodeId("a"), .exit = protocol::ExitRecord{}});
  EXPECT_TRUE(tables.ranks().OnNode(NodeId("a")).empty());
  EXPECT_NE(tables.ranks().Find(key), nullptr);
  tables.Apply(AttemptRow{.job = JobId(1), .number = Attempt(2)});
  EXPECT_EQ(tables.ranks().Find(key), nullptr);
}

TEST(Tables, Digest_SeesEveryField) {
  Tables one, other;
  one.Apply(Job(1));
  JobRow changed = Job(1);
  changed.reason = "x";
  other.Apply(changed);
  EXPECT_NE(one.Digest(), other.Digest());
}

TEST(TablesDeathTest, EndedJobWithALivingRank_IsABug) {
  Tables tables;
  tables.Apply(Job(1));
  tables.Apply(RankRow{.key = {JobId(1), Attempt(1), 3}, .node = NodeId("a")});
  EXPECT_DEATH(tables.Apply(Job(1, JobState::kFailed)), "rank 3 has not");
}

TEST(ShownState, RankGivenUpWithItsNode_IsLostAndNotExited) {
  RankRow rank;
  rank.state = protocol::RankState::kExited;
  rank.exit = protocol::ExitRecord{.code = protocol::kExitInfrastructure};
  EXPECT_STREQ(ShownState(rank), "EXITED");
  rank.exit->note = "was lost: its node was unreachable for 30 s";
  EXPECT_STREQ(ShownState(rank), "LOST");
}

}  // namespace
}  // namespace coxswain::coordinator::core

#include "state_store_conformance.h"

#include <gmock/gmock.h>
#include <cmath>
#include <limits>

#include "sample_rows.h"

namespace coxswain::coordinator::store {

using core::CheckpointState;
using core::JobState;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_P(StateStoreConformance, NewStore_KeepsTheFirstClusterId) {
  core::ClusterRow cluster = Load().cluster;
  EXPECT_EQ(cluster.id.value, "first");
  EXPECT_EQ(cluster.term.value, 0u);
  cluster.term = core::Term(3);
  cluster.last_job = core::JobId(9);
  cluster.last_checkpoint = core::CheckpointId(8);
  cluster.last_task = core::TaskId(7);
  cluster.last_event = core::EventSeq(6);
  Commit({cluster});
  Reopen();
  EXPECT_EQ(Load().cluster, cluster);
}

TEST_P(StateStoreConformance, EveryFieldOfEveryRow_ComesBack) {
  core::JobRow job = SampleJob(1);
  core::AttemptRow attempt = SampleAttempt(1, 2);
  core::RankRow rank = SampleRank(1, 2, 0);
  core::RankRow exited = SampleRank(1, 2, 1);
  exited.state = protocol::RankState::kExited;
  exited.exit = job.exit->record;
  core::GenerationRow generation = SampleGeneration(1, 7);
  core::CheckpointRow checkpoint = SampleCheckpoint(5, 1, CheckpointState::kVerified);
  core::NodeRow node = SampleNode("node-a");
  core::EventRow event = SampleEvent(3, 1);
  core::UsageRow usage = SampleUsage("ada");
  Commit({job, attempt, rank, exited, generation, checkpoint, node, event, usage});
  Reopen();

  core::Snapshot snapshot = Load();
  EXPECT_THAT(snapshot.jobs, ElementsAre(job));
  EXPECT_THAT(snapshot.attempts, ElementsAre(attempt));
  EXPECT_THAT(snapshot.ranks, ElementsAre(rank, exited));
  EXPECT_THAT(snapshot.generations, ElementsAre(generation));
  EXPECT_THAT(snapshot.checkpoints, ElementsAre(checkpoint));
  EXPECT_THAT(snapshot.nodes, ElementsAre(node));
  EXPECT_THAT(snapshot.usage, ElementsAre(usage));
  EXPECT_TRUE(snapshot.run_times.empty()) << "nothing has completed";

  absl::StatusOr<JobRecord> record = reader_->GetJob(core::JobId(1));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->job, job);
  EXPECT_THAT(record->attempts, ElementsAre(attempt));
  EXPECT_THAT(record->ranks, ElementsAre(rank, exited));
  EXPECT_EQ(record->last_checkpoint, checkpoint);
  EXPECT_EQ(record->best_checkpoint, checkpoint);
  EXPECT_EQ(record->last_event, event.seq);
  EXPECT_THAT(*reader_->ListNodes(), ElementsAre(node));
  EXPECT_THAT(*reader_->ListEvents(core::JobId(1), core::EventSeq(0), 10), ElementsAre(event));
  EXPECT_EQ(*reader_->GetCheckpoint(core::CheckpointId(5)), checkpoint);
}

TEST_P(StateStoreConformance, RowWrittenTwice_IsReplaced) {
  core::JobRow job = SampleJob(1);
  Commit({job});
  job.state = JobState::kRunning;
  job.request.labels = {{"team", "speech"}};
  job.request.node_selector = {{"rack", "r1"}};
  job.request.gpu_kinds = {"H200", "H100"};
  job.request.within = core::Within::kRack;
  job.spec_yaml = "changed";
  job.exit.reset();
  Commit({job});
  EXPECT_EQ(reader_->GetJob(core::JobId(1))->job, job);
  JobFilter filter;
  filter.labels = {{"team", "vision"}};
  EXPECT_THAT(ListIds(filter), IsEmpty());
  filter.labels = {{"team", "speech"}};
  EXPECT_THAT(ListIds(filter), ElementsAre(1));
}

TEST_P(StateStoreConformance, UnreadableBytesInALog_DoNotStopTheCommit) {
  core::JobRow job = SampleJob(1);
  job.exit->record.last_log = "\xff\xfe broken";
  Commit({job});
  EXPECT_NE(reader_->GetJob(core::JobId(1))->job.exit->record.last_log.find("broken"),
            std::string::npos);
}

TEST_P(StateStoreConformance, LossThatIsNoNumber_ComesBackAsOne) {
  core::JobRow job = SampleJob(1);
  job.last_progress->progress.loss = std::numeric_limits<double>::infinity();
  Commit({job});
  core::JobRow back = reader_->GetJob(core::JobId(1))->job;
  ASSERT_TRUE(back.last_progress.has_value());
  EXPECT_TRUE(std::isnan(back.last_progress->progress.loss));
  EXPECT_EQ(back.last_progress->progress.step, 96);
}

TEST_P(StateStoreConformance, Load_FinishedJobsWhileOneOfTheirCheckpointsIsUnfinished) {
  Commit({SampleJob(1, JobState::kCompleted), SampleJob(2, JobState::kCompleted),
          SampleCheckpoint(1, 1, CheckpointState::kDeleted),
          SampleCheckpoint(2, 1, CheckpointState::kVerified),
          SampleCheckpoint(3, 1, CheckpointState::kCommitted),
          SampleCheckpoint(4, 2, CheckpointState::kVerified)});
  core::Snapshot snapshot = Load();
  EXPECT_THAT(snapshot.jobs, ElementsAre(SampleJob(1, JobState::kCompleted)));
  EXPECT_THAT(snapshot.checkpoints,
              ElementsAre(SampleCheckpoint(2, 1, CheckpointState::kVerified),
                          SampleCheckpoint(3, 1, CheckpointState::kCommitted)));
}

TEST_P(StateStoreConformance, Load_OfFinishedJobsOnlyWhatIsToBeCollected) {
  core::CheckpointRow collect = SampleCheckpoint(3, 3, CheckpointState::kAborted);
  core::CheckpointRow collected = SampleCheckpoint(4, 2, CheckpointState::kDeleted);
  collect.collect = collected.collect = true;
  Commit({SampleJob(1, JobState::kRecovering), SampleJob(2, JobState::kCompleted),
          SampleJob(3, JobState::kFailed), SampleAttempt(1, 1), SampleAttempt(2, 1),
          SampleRank(2, 1, 0), SampleGeneration(1, 6), SampleGeneration(1, 7),
          SampleGeneration(2, 1), SampleCheckpoint(1, 1, CheckpointState::kDeleted),
          SampleCheckpoint(2, 2, CheckpointState::kVerified), collect, collected});
  core::Snapshot snapshot = Load();
  EXPECT_THAT(snapshot.jobs,
              ElementsAre(SampleJob(1, JobState::kRecovering), SampleJob(3, JobState::kFailed)));
  EXPECT_THAT(snapshot.attempts, ElementsAre(SampleAttempt(1, 1)));
  EXPECT_THAT(snapshot.ranks, IsEmpty());
  EXPECT_THAT(snapshot.generations, ElementsAre(SampleGeneration(1, 7)));
  EXPECT_THAT(snapshot.checkpoints, ElementsAre(collect));
}

TEST_P(StateStoreConformance, Load_RanksOfTheLastAttemptAndThoseStillAlive) {
  core::RankRow exited = SampleRank(1, 1, 0);
  exited.state = protocol::RankState::kExited;
  core::RankRow of_last = SampleRank(1, 2, 0);
  of_last.state = protocol::RankState::kExited;
  Commit({SampleJob(1), exited, SampleRank(1, 1, 1), of_last});
  EXPECT_THAT(Load().ranks, ElementsAre(SampleRank(1, 1, 1), of_last));
}

TEST_P(StateStoreConformance, ListJobs_NewestFirstPagedAndFiltered) {
  std::vector<core::Change> changes;
  for (uint64_t id = 1; id <= 9; ++id) {
    changes.push_back(SampleJob(id, id > 6 ? JobState::kPending : JobState::kCompleted));
  }
  Commit(changes);
  JobFilter filter;
  filter.limit = 4;
  EXPECT_THAT(ListIds(filter), ElementsAre(9, 8, 7, 6));
  filter.before = core::JobId(6);
  EXPECT_THAT(ListIds(filter), ElementsAre(5, 4, 3, 2));
  filter = {.states = {JobState::kPending, JobState::kRunning},
            .name_prefix = "train-1",
            .labels = {},
            .before = {}};
  EXPECT_THAT(ListIds(filter), ElementsAre(7));
  filter = {.states = {JobState::kCompleted},
            .name_prefix = "",
            .labels = {{"parity", "even"}},
            .before = {}};
  EXPECT_THAT(ListIds(filter), ElementsAre(6, 4, 2));
  filter.labels["team"] = "speech";
  EXPECT_THAT(ListIds(filter), IsEmpty());
  filter = {.name_prefix = "tra%n"};
  EXPECT_THAT(ListIds(filter), IsEmpty());
}

TEST_P(StateStoreConformance, ListJobs_OfQueuesAndUsers) {
  std::vector<core::Change> changes;
  for (uint64_t id = 1; id <= 4; ++id) {
    core::JobRow row = SampleJob(id);
    row.request.queue = id % 2 == 0 ? "even" : id == 1 ? "one" : "three";
    row.submitted_by = id < 3 ? "ann@a" : id == 3 ? "ann" : "anna@a";
    changes.push_back(row);
  }
  Commit(changes);
  EXPECT_THAT(ListIds({.queues = {"even"}}), ElementsAre(4, 2));
  EXPECT_THAT(ListIds({.queues = {"one", "three"}}), ElementsAre(3, 1));
  EXPECT_THAT(ListIds({.queues = {"ev"}}), IsEmpty());
  EXPECT_THAT(ListIds({.submitted_by = "ann"}), ElementsAre(3, 2, 1));
  EXPECT_THAT(ListIds({.submitted_by = "ann@a"}), ElementsAre(2, 1));
  EXPECT_THAT(ListIds({.queues = {"even"}, .submitted_by = "ann"}), ElementsAre(2));
}

TEST_P(StateStoreConformance, CountJobs_ByState) {
  Commit({SampleJob(1), SampleJob(2), SampleJob(3, JobState::kFailed)});
  EXPECT_EQ(*reader_->CountJobs(),
            (std::map<JobState, uint64_t>{{JobState::kPending, 2}, {JobState::kFailed, 1}}));
}

TEST_P(StateStoreConformance, NamesAndKeys_FindTheNewestJob) {
  core::JobRow twin = SampleJob(4);
  twin.idempotency_key.clear();
  Commit({SampleJob(1), twin});  // both are named train-1
  EXPECT_EQ(reader_->FindJobByName("train-1")->value, 4u);
  EXPECT_TRUE(absl::IsNotFound(reader_->FindJobByName("train-2").status()));
  std::string digest;
  EXPECT_EQ(reader_->FindIdempotencyKey("key-1", &digest)->value, 1u);
  EXPECT_EQ(digest, "digest-1");
  EXPECT_EQ(reader_->FindIdempotencyKey("key-4", &digest)->value, 0u);
  EXPECT_EQ(reader_->FindIdempotencyKey("", &digest)->value, 0u);
  EXPECT_TRUE(absl::IsNotFound(reader_->GetJob(core::JobId(3)).status()));
  EXPECT_TRUE(absl::IsNotFound(reader_->GetCheckpoint(core::CheckpointId(3)).status()));
}

TEST_P(StateStoreConformance, Checkpoints_NewestFirst) {
  Commit({SampleCheckpoint(1, 1, CheckpointState::kDeleted),
          SampleCheckpoint(2, 1, CheckpointState::kCommitted),
          SampleCheckpoint(3, 1, CheckpointState::kOpen),
          SampleCheckpoint(4, 2, CheckpointState::kOpen), SampleJob(1)});
  EXPECT_THAT(*reader_->ListCheckpoints(core::JobId(1), false),
              ElementsAre(SampleCheckpoint(3, 1, CheckpointState::kOpen),
                          SampleCheckpoint(2, 1, CheckpointState::kCommitted)));
  EXPECT_EQ(reader_->ListCheckpoints(core::JobId(1), true)->size(), 3u);
  EXPECT_EQ(reader_->GetJob(core::JobId(1))->last_checkpoint->id.value, 2u);
}

TEST_P(StateStoreConformance, BestCheckpoint_IsTheNewestThatCanBeRestored) {
  std::vector<core::CheckpointRow> rows;
  for (uint64_t id = 1; id <= 6; ++id) {
    rows.push_back(SampleCheckpoint(id, 1, CheckpointState::kVerified));
  }
  rows[3].best = false;
  rows[4].collect = true;
  rows[5].state = CheckpointState::kCorrupt;
  Commit({SampleJob(1), rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]});
  EXPECT_EQ(reader_->GetJob(core::JobId(1))->best_checkpoint, rows[2]);
}

TEST_P(StateStoreConformance, CheckpointDamaged_OnlyIfItCouldBeRestored) {
  core::CheckpointRow damaged = SampleCheckpoint(1, 1, CheckpointState::kVerified);
  damaged.collect = false;
  core::CheckpointRow gone = SampleCheckpoint(2, 1, CheckpointState::kDeleted);
  Commit({damaged, gone});
  Commit({core::CheckpointDamaged{damaged.id, "shard 1"},
          core::CheckpointDamaged{gone.id, "shard 1"}});
  damaged.state = CheckpointState::kCorrupt;
  damaged.reason = "shard 1";
  EXPECT_THAT(*reader_->ListCheckpoints(core::JobId(1), true), ElementsAre(gone, damaged));
}

TEST_P(StateStoreConformance, Events_AscendingAfterTheCursor) {
  Commit({SampleEvent(1, 1), SampleEvent(2, 2), SampleEvent(3, 1), SampleEvent(4, 0)});
  EXPECT_THAT(*reader_->ListEvents({}, core::EventSeq(1), 2),
              ElementsAre(SampleEvent(2, 2), SampleEvent(3, 1)));
  EXPECT_THAT(*reader_->ListEvents(core::JobId(1), core::EventSeq(1), 9),
              ElementsAre(SampleEvent(3, 1)));
  EXPECT_THAT(*reader_->ListNewestEvents({}, 2), ElementsAre(SampleEvent(3, 1), SampleEvent(4, 0)));
  EXPECT_THAT(*reader_->ListNewestEvents(core::JobId(1), 1), ElementsAre(SampleEvent(3, 1)));
}

TEST_P(StateStoreConformance, RunTimes_OfWhatCompleted_TheNewestLast) {
  auto ended = [](uint64_t id, core::JobState state, int64_t at) {
    core::JobRow row = SampleJob(id, state);
    row.request.name = "j" + std::to_string(id);
    row.ended = {at};
    row.ran = base::seconds(static_cast<int64_t>(id));
    return row;
  };
  Commit({ended(1, core::JobState::kCompleted, 30), ended(2, core::JobState::kFailed, 40),
          ended(3, core::JobState::kCompleted, 20), SampleJob(4)});
  core::Snapshot snapshot = Load();
  ASSERT_EQ(snapshot.run_times.size(), 2u);
  EXPECT_EQ(snapshot.run_times[0].name, "j3");
  EXPECT_EQ(snapshot.run_times[1].name, "j1");
  EXPECT_EQ(snapshot.run_times[1].ran, base::seconds(1));
  EXPECT_EQ(snapshot.run_times[1].user, SampleJob(1).submitted_by);
}

TEST_P(StateStoreConformance, Deletes_TakeEverythingOfTheirRow) {
  Commit({SampleJob(1), SampleJob(2), SampleAttempt(1, 1), SampleRank(1, 2, 0),
          SampleGeneration(1, 1), SampleCheckpoint(1, 1, CheckpointState::kVerified),
          SampleEvent(1, 0), SampleEvent(2, 1), SampleEvent(3, 2), SampleNode("a"), SampleNode("b"),
          SampleUsage("ada"), SampleUsage("bob")});
  Commit({core::DeleteJob{core::JobId(1)}, core::DeleteNode{core::NodeId("a")},
          core::DeleteEventsUpTo{core::EventSeq(1)}, core::DeleteUsage{"research", "ada"}});
  EXPECT_THAT(ListIds({}), ElementsAre(2));
  EXPECT_THAT(*reader_->ListEvents({}, {}, 9), ElementsAre(SampleEvent(3, 2)));
  EXPECT_THAT(*reader_->ListNodes(), ElementsAre(SampleNode("b")));
  JobFilter even;
  even.labels = {{"parity", "odd"}};
  EXPECT_THAT(ListIds(even), IsEmpty());
  core::Snapshot snapshot = Load();
  EXPECT_THAT(snapshot.usage, ElementsAre(SampleUsage("bob")));
  EXPECT_THAT(snapshot.attempts, IsEmpty());
  EXPECT_THAT(snapshot.ranks, IsEmpty());
  EXPECT_THAT(*reader_->ListCheckpoints(core::JobId(1), true), IsEmpty());
}

TEST_P(StateStoreConformance, Expired_ByAgeAndByNumber) {
  std::vector<core::Change> changes;
  for (uint64_t id = 1; id <= 6; ++id) {
    core::JobRow job = SampleJob(id, id == 2 ? JobState::kRunning : JobState::kCompleted);
    if (id != 3) job.idempotency_key.clear();
    changes.push_back(job);
    changes.push_back(SampleEvent(id, id));
  }
  Commit(changes);  // job i ended at second i + 2, its event is of second i
  base::WallTime now{100'000'000};
  auto ids = [&](const RetentionLimits& limits) {
    std::vector<uint64_t> out;
    absl::StatusOr<RetentionFound> found = reader_->FindExpired(limits, now);
    EXPECT_TRUE(found.ok()) << found.status();
    if (!found.ok()) return out;
    for (core::JobId job : found->jobs) out.push_back(job.value);
    return out;
  };
  RetentionLimits limits;
  EXPECT_THAT(ids(limits), IsEmpty());
  EXPECT_EQ(reader_->FindExpired(limits, now)->events_up_to.value, 0u);
  limits.finished_jobs_age = base::seconds(94);  // ended before second 6
  EXPECT_THAT(ids(limits), ElementsAre(1, 3));
  limits.idempotency_window = base::seconds(98);  // job 3 has a key and is of second 3
  EXPECT_THAT(ids(limits), ElementsAre(1));
  limits = {};
  limits.finished_jobs_count = 2;
  EXPECT_THAT(ids(limits), ElementsAre(1, 3, 4));
  limits.events_age = base::seconds(98);
  EXPECT_EQ(reader_->FindExpired(limits, now)->events_up_to.value, 1u);
  limits.events_count = 4;
  EXPECT_EQ(reader_->FindExpired(limits, now)->events_up_to.value, 2u);
}

TEST_P(StateStoreConformance, Rank_OfAnAttemptOrOfTheLast) {
  Commit({SampleJob(1), SampleRank(1, 1, 0), SampleRank(1, 2, 0)});
  EXPECT_EQ(*reader_->GetRank({core::JobId(1), core::Attempt(1), 0}), SampleRank(1, 1, 0));
  EXPECT_EQ(*reader_->GetRank({core::JobId(1), core::Attempt(0), 0}), SampleRank(1, 2, 0));
  EXPECT_EQ(reader_->GetRank({core::JobId(1), core::Attempt(2), 7}).status().message(),
            "j1 has no rank 7 in attempt 2");
}

TEST_P(StateStoreConformance, Reader_SeesACommitAtOnceAndNothingBefore) {
  EXPECT_THAT(ListIds({}), IsEmpty());
  Commit({SampleJob(1)});
  EXPECT_THAT(ListIds({}), ElementsAre(1));
}

}  // namespace coxswain::coordinator::store

// A program of the user's own in the place of the engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/core/trainer_core.h"

namespace coxswain::trainer::core {
namespace {

using base::CheckpointId;
using base::Generation;

// One rank of two, its program running.
class ProgramTest : public ::testing::Test {
 protected:
  void Begin(base::Rank rank) {
    Settings settings;
    settings.rank = rank;
    settings.incarnation = base::Incarnation(rank + 1);
    settings.own_program = true;
    settings.exports = false;
    settings.grace = base::seconds(30);
    core_ = std::make_unique<TrainerCore>(settings);
    Give(Started{"127.0.0.1:1"});
    protocol::FormGeneration form;
    form.generation = Generation(1);
    form.members = {{0, base::Incarnation(1), "127.0.0.1:1"},
                    {1, base::Incarnation(2), "127.0.0.1:2"}};
    Order(form);
    ASSERT_TRUE(std::holds_alternative<JoinGroup>(Command()));
    Give(GroupFormed{Generation(1), 0, 0, {}, {}, "", {}});
    ASSERT_TRUE(std::holds_alternative<RunStep>(Command()));
  }

  void Give(const Event& event) {
    now_ = now_ + base::milliseconds(100);
    last_ = core_->Decide(now_, event);
    if (!last_.engine.empty()) command_ = last_.engine.front();
    for (const auto& report : last_.reports) reports_.push_back(report);
    for (const Action& action : last_.actions) {
      if (const auto* exit = std::get_if<Exit>(&action)) exit_ = *exit;
    }
  }
  void Order(const protocol::TrainerOrder& order) { Give(OrderReceived{order}); }
  void Say(int64_t step, std::optional<int64_t> saved = std::nullopt, bool ended = false) {
    ProgramSaid said;
    said.step = step;
    said.saved = saved;
    said.ended = ended;
    command_.reset();
    Give(said);
  }
  EngineCommand Command() const { return command_.value(); }
  bool RunsOn() const { return command_ && std::holds_alternative<RunStep>(*command_); }
  std::optional<int64_t> Snapshot() const {
    const auto* take = command_ ? std::get_if<TakeSnapshot>(&*command_) : nullptr;
    return take == nullptr ? std::nullopt : std::optional(take->step);
  }
  template <class Report>
  const Report* Last() const {
    for (auto it = reports_.rbegin(); it != reports_.rend(); ++it) {
      if (const auto* found = std::get_if<Report>(&*it)) return found;
    }
    return nullptr;
  }
  protocol::CheckpointOpened Opened(uint64_t id, int64_t step) const {
    return {CheckpointId(id), step, Generation(1), "file:///c" + std::to_string(id)};
  }
  // All that follows until rank 0 has seen it committed.
  void Commit(uint64_t id, int64_t step) {
    Give(SnapshotTaken{step});
    Order(Opened(id, step));
    Give(ShareStored{CheckpointId(id), {0, "rank-00000", 8, "aa"}});
    Order(protocol::WriteManifest{CheckpointId(id), {{0, "rank-00000", 8, "aa"}}});
    Give(ManifestStored{CheckpointId(id), "bb", 8, 1});
    Order(protocol::CheckpointCommitted{CheckpointId(id), "bb"});
    Give(CommittedStored{CheckpointId(id)});
  }

  std::unique_ptr<TrainerCore> core_;
  base::Time now_{int64_t{1'000'000}};
  Decisions last_;
  std::optional<EngineCommand> command_;
  std::vector<protocol::TrainerReport> reports_;
  std::optional<Exit> exit_;
};

TEST_F(ProgramTest, WhatItHasSaved_IsOpened_AndTheNextOneWhenThatIsDone) {
  Begin(0);
  Say(12, 10);
  EXPECT_EQ(Snapshot(), 10);
  Give(SnapshotTaken{10});
  ASSERT_NE(Last<protocol::OpenCheckpoint>(), nullptr);
  EXPECT_EQ(Last<protocol::OpenCheckpoint>()->step, 10);
  EXPECT_TRUE(RunsOn());
  Say(25, 20);
  EXPECT_TRUE(RunsOn()) << "one at a time";
  Commit(1, 10);
  Say(26);
  EXPECT_EQ(Snapshot(), 20);
}

TEST_F(ProgramTest, OtherRanks_GiveTheirShareWhenItIsOpened_AlsoWhenTheirProgramHasEnded) {
  Begin(1);
  Order(Opened(1, 10));
  Say(11);
  EXPECT_EQ(Snapshot(), 10);
  Give(SnapshotTaken{10});
  Give(ShareStored{CheckpointId(1), {1, "rank-00001", 8, "aa"}});
  ASSERT_NE(Last<protocol::ShardStored>(), nullptr);
  Order(protocol::CheckpointCommitted{CheckpointId(1), "bb"});
  Say(20, std::nullopt, true);
  ASSERT_NE(Last<protocol::TrainingFinished>(), nullptr);
  command_.reset();
  Order(Opened(2, 20));
  EXPECT_EQ(Snapshot(), 20);
  Give(SnapshotTaken{20});
  bool uploads = false;
  for (const Action& action : last_.actions) uploads |= std::holds_alternative<StartUpload>(action);
  EXPECT_TRUE(uploads);
}

TEST_F(ProgramTest, EndsWell_FinishedWhenItsLastCheckpointIsCommitted) {
  Begin(0);
  Say(30, 30, true);
  EXPECT_EQ(Snapshot(), 30);
  EXPECT_EQ(Last<protocol::TrainingFinished>(), nullptr);
  Commit(1, 30);
  ASSERT_NE(Last<protocol::TrainingFinished>(), nullptr);
  EXPECT_FALSE(Last<protocol::TrainingFinished>()->stopped);
  Order(protocol::FinishAcknowledged{});
  EXPECT_EQ(exit_.value().code, 0);
}

TEST_F(ProgramTest, LastCheckpointIsRefused_TriedAgainThreeTimes) {
  Begin(0);
  Say(30, 30, true);
  for (uint64_t id = 1; id <= 3; ++id) {
    ASSERT_EQ(Snapshot(), 30) << id;
    command_.reset();
    Give(SnapshotTaken{30});
    Order(Opened(id, 30));
    Order(protocol::CheckpointRefused{CheckpointId(id), 30, Generation(1), "full"});
    now_ = now_ + base::seconds(60);
    Give(TimerFired{});
  }
  EXPECT_EQ(exit_.value().code, protocol::kExitInfrastructure);
}

TEST_F(ProgramTest, Fails_TheProcessEndsAsItDid) {
  Begin(1);
  Give(ProgramFailed{0, 11, "crashed"});
  EXPECT_EQ(exit_.value().signal, 11);
  EXPECT_EQ(Last<protocol::TrainingFailed>(), nullptr) << "what its end means is judged from that";
}

TEST_F(ProgramTest, ToldToStop_SavesWithinItsGrace_AndHasStopped) {
  Begin(0);
  Order(protocol::StopTraining{true, "preempted"});
  Say(5);
  ASSERT_TRUE(RunsOn());
  EXPECT_TRUE(std::get<RunStep>(Command()).stop);
  now_ = now_ + base::seconds(20);  // longer than a step may take
  Give(TimerFired{});
  EXPECT_EQ(Last<protocol::TrainingFinished>(), nullptr);
  Say(6, 6, true);
  EXPECT_EQ(Snapshot(), 6);
  Commit(1, 6);
  ASSERT_NE(Last<protocol::TrainingFinished>(), nullptr);
  EXPECT_TRUE(Last<protocol::TrainingFinished>()->stopped);
  Order(protocol::FinishAcknowledged{});
  EXPECT_EQ(exit_.value().code, protocol::kExitStopped);
}

TEST_F(ProgramTest, OtherRanksThatHaveStopped_GiveTheirShare_AndLeaveAtASignal) {
  Begin(1);
  Order(protocol::StopTraining{true, "preempted"});
  Say(6, std::nullopt, true);
  ASSERT_NE(Last<protocol::TrainingFinished>(), nullptr);
  EXPECT_FALSE(exit_);
  command_.reset();
  Order(Opened(1, 6));
  EXPECT_EQ(Snapshot(), 6);
  Give(SnapshotTaken{6});
  Give(TerminateSignalled{});
  EXPECT_EQ(exit_.value().code, protocol::kExitStopped);
}

TEST_F(ProgramTest, DoesNotStop_IsLeftWhenItsGraceIsOver) {
  Begin(0);
  Order(protocol::StopTraining{false, "cancelled"});
  Say(5);
  now_ = now_ + base::seconds(31);
  Give(TimerFired{});
  ASSERT_NE(Last<protocol::TrainingFinished>(), nullptr);
}

TEST_F(ProgramTest, ProgressIsWhatItSays) {
  Begin(0);
  ProgramSaid said;
  said.step = 7;
  said.epoch = 2;
  said.total_steps = 100;
  said.loss = 0.5;
  said.remaining_ms = 4000;
  Give(said);
  now_ = now_ + base::seconds(60);
  Give(TimerFired{});
  const protocol::TrainerProgress& progress = *Last<protocol::TrainerProgress>();
  EXPECT_EQ(progress.step, 7);
  EXPECT_EQ(progress.epoch, 2);
  EXPECT_EQ(progress.total_steps, 100);
  EXPECT_EQ(progress.remaining_ms, 4000);
  EXPECT_EQ(progress.global_batch, 0);
}

}  // namespace
}  // namespace coxswain::trainer::core

// What a rank says it does once its last step is done.
#include <gtest/gtest.h>

#include "trainer/core/trainer_core.h"

namespace coxswain::trainer::core {
namespace {

Settings FirstOfOne() {
  Settings settings;
  settings.incarnation = base::Incarnation(1);
  return settings;
}

class Phases : public testing::Test {
 protected:
  // Rank 0 alone, its only step behind it.
  void SetUp() override {
    Decide(Started{"127.0.0.1:1"});
    protocol::FormGeneration form{base::Generation(1), {{0, base::Incarnation(1), ""}}, {}, false};
    Decide(OrderReceived{form});
    GroupFormed formed;
    formed.generation = base::Generation(1);
    formed.plan = {10, 10, 1, 0, 0};
    Decide(formed);
    StepFinished step;
    step.step = 1;
    step.position = step.samples = 10;
    Decide(step);
  }
  Decisions Decide(const Event& event) { return core_.Decide(now_, event); }
  // As the next report of progress tells it, while the engine is between two steps.
  protocol::Phase Told() {
    now_ = now_ + base::seconds(1);
    for (const auto& report : Decide(TimerFired{protocol::Phase::kWaiting}).reports) {
      if (const auto* told = std::get_if<protocol::TrainerProgress>(&report)) return told->phase;
    }
    ADD_FAILURE() << "no progress was told";
    return protocol::Phase::kStarting;
  }

  TrainerCore core_{FirstOfOne()};
  base::Time now_{1'000'000};
};

TEST_F(Phases, AfterTheLastStep_CopyExportAndTheStoreAreToldApart) {
  EXPECT_EQ(Told(), protocol::Phase::kCheckpoint) << "it is being copied";
  Decide(SnapshotTaken{1});
  EXPECT_EQ(Told(), protocol::Phase::kExport);
  Decide(ModelExported{"file:///m"});
  EXPECT_EQ(Told(), protocol::Phase::kCheckpoint) << "it is on its way to the store";
  base::CheckpointId c7(7);
  Decide(OrderReceived{protocol::CheckpointOpened{c7, 1, base::Generation(1), "file:///c7"}});
  Decide(ShareStored{c7, {0, "o", 1, "h"}});
  Decide(OrderReceived{protocol::WriteManifest{c7, {{0, "o", 1, "h"}}}});
  Decide(ManifestStored{c7, "hash", 1, 1});
  Decide(OrderReceived{protocol::CheckpointCommitted{c7, "hash"}});
  EXPECT_EQ(Told(), protocol::Phase::kCheckpoint);
  Decisions last = Decide(CommittedStored{c7});
  ASSERT_FALSE(last.reports.empty());
  ASSERT_TRUE(std::holds_alternative<protocol::TrainerProgress>(last.reports.front()));
  EXPECT_EQ(std::get<protocol::TrainerProgress>(last.reports.front()).phase,
            protocol::Phase::kDone);
}

}  // namespace
}  // namespace coxswain::trainer::core

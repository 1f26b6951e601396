#include "trainer/runtime/shell.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coxswain::trainer {
namespace {

using ::testing::ElementsAre;

// Writes down in which order points and manifests leave.
class RecordingLink : public TrainerLink {
 public:
  void Start(LinkEvents) override {}
  void SendReport(protocol::TrainerReport report) override {
    if (!std::holds_alternative<protocol::ManifestWritten>(report)) return;
    std::lock_guard lock(mutex_);
    sent_.push_back("manifest");
  }
  void SendMetrics(std::vector<protocol::MetricPoint> points) override {
    std::lock_guard lock(mutex_);
    for (const auto& point : points) sent_.push_back(point.name);
  }
  bool Flush(base::Duration) override { return true; }
  void Stop() override {}
  std::vector<std::string> sent() {
    std::lock_guard lock(mutex_);
    return sent_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> sent_;
};

core::Settings FirstOfOne() {
  core::Settings settings;
  settings.incarnation = base::Incarnation(1);
  return settings;
}

// A shell lives as long as its process, so this is never destroyed.
struct Rank {
  Rank() : shell(FirstOfOne()) {
    ShellDoors doors;
    doors.link = &link;
    doors.abort_group = [] {};
    doors.store_work = [](const core::Action&) {};
    doors.phase = [] { return protocol::Phase::kWaiting; };
    doors.waiting_for = [] { return std::string(); };
    doors.take_metrics = [this] {
      std::lock_guard lock(mutex);
      return std::exchange(points, {});
    };
    doors.leave = [](const core::Exit& exit) { std::_Exit(exit.code); };
    shell.Start(std::move(doors), "127.0.0.1:1");
  }
  void AddPoint(const std::string& name) {
    std::lock_guard lock(mutex);
    points.emplace_back().name = name;
  }
  RecordingLink link;
  std::mutex mutex;
  std::vector<protocol::MetricPoint> points;  // guarded by mutex
  Shell shell;
};

// What a later attempt does not do again must not have died with this rank.
TEST(Shell, PointsOfAStep_LeaveBeforeTheManifestOfItsCheckpoint) {
  static Rank& rank = *new Rank;
  base::Generation g(1);
  base::CheckpointId c7(7);
  protocol::FormGeneration form{g, {{0, base::Incarnation(1), ""}}, {}, false};
  rank.shell.Handle(core::OrderReceived{form});
  core::GroupFormed formed;
  formed.generation = g;
  formed.plan = {10, 10, 1, 0, 0};
  rank.shell.Handle(formed);
  core::StepFinished step;
  step.step = 1;
  step.position = step.samples = 10;
  rank.shell.Handle(step);
  rank.shell.Handle(core::SnapshotTaken{1});
  rank.shell.Handle(core::OrderReceived{protocol::CheckpointOpened{c7, 1, g, "file:///c7"}});
  rank.shell.Handle(core::ShareStored{c7, {0, "o", 1, "h"}});
  rank.shell.Handle(core::OrderReceived{protocol::WriteManifest{c7, {{0, "o", 1, "h"}}}});
  rank.AddPoint("loss");
  rank.shell.Handle(core::ManifestStored{c7, "hash", 1, 1});
  EXPECT_THAT(rank.link.sent(), ElementsAre("loss", "manifest"));
}

}  // namespace
}  // namespace coxswain::trainer

#include "trainer/task/worker_task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace coxswain::trainer::task {
namespace {

// What the one link of a test was told.
struct Told {
  TaskLinkSettings settings;
  protocol::StartTask order;
  std::optional<protocol::TaskEnded> ended;
  absl::Status confirm;
};
Told told;

class FakeLink final : public TaskLink {
 public:
  absl::StatusOr<protocol::StartTask> Receive(base::Duration) override { return told.order; }
  absl::Status Report(const protocol::TaskEnded& ended, base::Duration) override {
    told.ended = ended;
    return told.confirm;
  }
};

std::unique_ptr<TaskLink> MakeFake(const TaskLinkSettings& settings) {
  told.settings = settings;
  return std::make_unique<FakeLink>();
}

class WorkerTaskTest : public ::testing::Test {
 protected:
  WorkerTaskTest() {
    told = {};
    told.order = {base::TaskId(12), protocol::TaskKind::kVerify, R"({"uri": "/no/such/place"})",
                  ""};
    setenv("COXSWAIN_TASK", "t12", 1);
    setenv("COXSWAIN_SOCKET", "/run/worker.sock", 1);
  }
};

TEST_F(WorkerTaskTest, FailedTask_IsReportedAndTheProcessSucceeds) {
  EXPECT_EQ(RunForWorker(MakeFake), 0);
  EXPECT_EQ(told.settings.task, base::TaskId(12));
  EXPECT_EQ(told.settings.socket, "/run/worker.sock");
  ASSERT_TRUE(told.ended.has_value());
  EXPECT_EQ(told.ended->task, base::TaskId(12));
  EXPECT_FALSE(told.ended->ok);
  EXPECT_THAT(told.ended->error, ::testing::HasSubstr("no checkpoint at file:///no/such/place"));
}

TEST_F(WorkerTaskTest, WorkerThatDoesNotConfirm_IsAnError) {
  told.confirm = absl::DeadlineExceededError("the worker does not answer");
  EXPECT_EQ(RunForWorker(MakeFake), 11);
}

TEST_F(WorkerTaskTest, NotStartedByAWorker_IsUsage) {
  unsetenv("COXSWAIN_TASK");
  EXPECT_EQ(RunForWorker(MakeFake), 2);
  EXPECT_FALSE(told.ended.has_value());
}

}  // namespace
}  // namespace coxswain::trainer::task

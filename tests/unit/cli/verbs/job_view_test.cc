#include "cli/verbs/job_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "cli/verbs/run_summary.h"
#include "common/base/clock.h"

namespace coxswain::cli::verbs {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const output::Terminal kPlain{};

rpc::Job Running(int64_t step) {
  rpc::Job job;
  job.id = "j3";
  job.state = "RUNNING";
  job.workers = 2;
  job.attempt = 1;
  job.max_attempts = 3;
  job.has_progress = true;
  job.progress = {.epoch = 2,
                  .epochs = 3,
                  .step = step,
                  .total_steps = 1407,
                  .loss = 0.31219,
                  .samples_per_second = 8119.7,
                  .remaining_ms = 41'200};
  job.expected_end_us = base::WallNow().us + 250'000'000;
  return job;
}

TEST(ProgressText, HasEpochStepLossSpeedAndTimeLeft) {
  EXPECT_EQ(ProgressText(Running(412)),
            "epoch 2/3  step 412/1,407  loss 0.3122  8,120 samples/s  about 4 min left");
}

TEST(ProgressText, ALossThatWasNotReportedIsNotShown) {
  rpc::Job job = Running(43);
  job.progress.loss.reset();
  EXPECT_EQ(ProgressText(job), "epoch 2/3  step 43/1,407  8,120 samples/s  about 4 min left");
}

TEST(ProgressText, AnUnknownTimeLeftIsLeftOut) {
  rpc::Job job = Running(1407);
  job.expected_end_us = 0;
  EXPECT_EQ(ProgressText(job), "epoch 2/3  step 1,407/1,407  loss 0.3122  8,120 samples/s");
}

TEST(ProgressText, AfterTheLastStepItSaysWhatRemains) {
  rpc::Job job = Running(1407);
  job.reason = "the last step is done: exporting the model";
  EXPECT_EQ(ProgressText(job),
            "epoch 2/3  step 1,407/1,407  loss 0.3122  the last step is done: exporting the model");
}

// A list, a job's page and its explanation tell what is expected alike.
TEST(Estimates, HaveOneSourceAndOneRounding) {
  rpc::Job job = Running(10);
  EXPECT_EQ(LeftText(job), "about 4 min");
  EXPECT_THAT(TimeText(job.expected_end_us), testing::StartsWith("in about 4 min, at 20"));
  job.state = "PENDING";
  EXPECT_EQ(LeftText(job), "");
  EXPECT_EQ(StartText(job), "not known");
  job.expected_start_us = 1;
  EXPECT_EQ(StartText(job), "any moment");
}

TEST(ProgressText, AWaitingJobSaysWhy) {
  rpc::Job job;
  job.id = "j3";
  job.state = "PENDING";
  job.reason = "needs 4 CPU slots, 2 free";
  EXPECT_EQ(ProgressText(job), "j3 pending: needs 4 CPU slots, 2 free");
}

TEST(JobView, StateEvaluationsAndWarningsStay) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* out = open_memstream(&text, &size);
  {
    JobView view(out, kPlain);
    rpc::Job job = Running(10);
    view.Show(job, {});
    job.progress.has_eval = true;
    job.progress.eval_accuracy = 0.8801;
    job.progress.eval_loss = 0.3312;
    rpc::Event warning;
    warning.text = "upload delayed\x1b[31m";
    warning.severity = "warning";
    view.Show(job, {warning});
    view.Show(job, {});
  }
  std::fclose(out);
  EXPECT_EQ(std::string(text, size),
            "j3 running: 2 ranks\n"
            "epoch 2/3  step 10/1,407  loss 0.3122  8,120 samples/s  about 4 min left\n"
            "warning: upload delayed?[31m\n"
            "evaluated: accuracy 88.01 %, loss 0.3312\n");
  std::free(text);
}

// The events are read after the job.
TEST(JobView, ItsEndIsNewerThanTheJob_NothingIsSaidTwiceOrLate) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* out = open_memstream(&text, &size);
  {
    JobView view(out, kPlain);
    rpc::Event retry, end;
    retry.kind = "AttemptFailed";
    retry.text = "attempt 1 failed (1 of at most 3): rank 0 exited";
    retry.severity = "warning";
    end.kind = "JobFailed";
    end.text = "FAILED: rank 0 exited with code 3";
    end.severity = "error";
    view.Show(Running(0), {retry, end});
  }
  std::fclose(out);
  EXPECT_EQ(std::string(text, size),
            "warning: attempt 1 failed (1 of at most 3): rank 0 exited\n"
            "j3 running: 2 ranks\n");
  std::free(text);
}

TEST(RanksText, RangeAndWhatItHasNow) {
  rpc::Job job = Running(1);
  EXPECT_EQ(RanksText(job), "2 ranks");
  job.min_workers = 1;
  job.max_workers = 4;
  EXPECT_EQ(RanksText(job), "2 ranks (1 to 4)");
  job.workers_now = 3;
  EXPECT_EQ(RanksText(job), "3 ranks (1 to 4)");
  EXPECT_EQ(RanksText(1, 1, 1), "1 rank");
}

TEST(AttemptText, CountsWhatFailed) {
  rpc::Job job = Running(1);
  job.attempt = 5;
  job.preemptions = 2;
  job.failed_attempts = 1;
  EXPECT_EQ(AttemptText(job), "attempt 5 (1 of at most 3 failed)");
}

TEST(CauseText, KindWhereItSaysMore) {
  EXPECT_EQ(CauseText(rpc::Cause::kUser, "DATA"), "USER (DATA)");
  EXPECT_EQ(CauseText(rpc::Cause::kOutOfMemory, "OUT_OF_MEMORY"), "OUT_OF_MEMORY");
  EXPECT_EQ(CauseText(rpc::Cause::kCancelled, ""), "CANCELLED");
}

rpc::Job Failed() {
  rpc::Job job = Running(10);
  job.state = "FAILED";
  job.reason = "rank 1 ended";
  job.cause = rpc::Cause::kUser;
  job.exit = {
      .ended = true, .code = 0, .signal = 11, .rank = 1, .node = "n1", .last_log = "a\nbad\n"};
  job.started_us = 1'000'000;
  job.ended_us = 13'000'000;
  return job;
}

TEST(FailureText, HasCauseSignalAndTheLastLines) {
  EXPECT_EQ(EndLine(kPlain, Failed()), "j3 FAILED after 0:12: rank 1 ended");
  EXPECT_EQ(FailureText(kPlain, Failed()),
            "cause: user\nrank 1 on n1 ended with signal 11 (Segmentation fault)\n"
            "the last lines of its log:\n  a\n  bad\n");
}

TEST(FailureText, SaysTheKind) {
  rpc::Job job = Failed();
  job.failure_kind = "LOST_PEER";
  job.cause = rpc::Cause::kInfrastructure;
  EXPECT_THAT(FailureText(kPlain, job), HasSubstr("cause: infrastructure (lost peer)\n"));
}

TEST(FailureText, NothingForAJobThatCompleted) {
  rpc::Job job = Failed();
  job.state = "COMPLETED";
  EXPECT_EQ(FailureText(kPlain, job), "");
}

rpc::Checkpoint CheckpointAt(const std::string& id, const std::string& state, int64_t step) {
  rpc::Checkpoint checkpoint;
  checkpoint.id = id;
  checkpoint.state = state;
  checkpoint.step = step;
  checkpoint.uri = "file:///d/" + id;
  checkpoint.bytes = 1024;
  return checkpoint;
}

TEST(RunSummary, HasCurvePlacesAndWhatIsNext) {
  RunResult result;
  result.job = Running(1407);
  result.job.state = "COMPLETED";
  result.job.model_uri = "file:///d/store/model";
  result.file = "job.yaml";
  result.data_dir = "/d";
  result.default_data_dir = true;
  result.epochs = 3;
  result.loss = {{1, 2.3}, {2, 1.0}, {3, 0.5}};
  result.checkpoints = {CheckpointAt("c2", "CORRUPT", 9), CheckpointAt("c1", "VERIFIED", 8)};
  const std::string text = RunSummary(kPlain, result);
  EXPECT_THAT(text, HasSubstr("     loss\n      2.3 |*"));
  EXPECT_THAT(text, HasSubstr("Model:      /d/store/model\n"));
  EXPECT_THAT(text, HasSubstr("Checkpoint: /d/c1  (step 8, 1 KiB, verified)\n"));
  EXPECT_THAT(text, HasSubstr("cox run job.yaml --resume-from j3 --set spec.train.epochs=6\n"));
}

TEST(RunSummary, AProgramThatIsNotOnThePathIsCalledByItsOwn) {
  RunResult result;
  result.job = Running(1407);
  result.job.state = "COMPLETED";
  result.file = "job.yaml";
  result.default_data_dir = true;
  result.cox = "/opt/cox/bin/cox";
  const std::string text = RunSummary(kPlain, result);
  EXPECT_THAT(text, HasSubstr("  /opt/cox/bin/cox run job.yaml --set"));
  EXPECT_THAT(text, HasSubstr("  /opt/cox/bin/cox-coordinator & /opt/cox/bin/cox-worker & "
                              "/opt/cox/bin/cox submit job.yaml\n"));
}

TEST(HowToCallCox, ByItsNameOnlyWhereThatLeadsToIt) {
  const std::string before = std::getenv("PATH") == nullptr ? "" : std::getenv("PATH");
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  std::string pattern = testing::TempDir() + "cox-path-XXXXXX";
  const std::filesystem::path folder = mkdtemp(pattern.data());
  setenv("PATH", folder.c_str(), 1);
  EXPECT_EQ(HowToCallCox(), self);
  std::filesystem::create_symlink("/bin/true", folder / "cox");  // another program of that name
  EXPECT_EQ(HowToCallCox(), self);
  std::filesystem::remove(folder / "cox");
  std::filesystem::create_symlink(self, folder / "cox");
  EXPECT_EQ(HowToCallCox(), "cox");
  setenv("PATH", before.c_str(), 1);
  std::filesystem::remove_all(folder);
}

TEST(RunSummary, AFailureWithoutCheckpointOffersNoResume) {
  RunResult result;
  result.job = Failed();
  result.file = "job.yaml";
  const std::string text = RunSummary(kPlain, result);
  EXPECT_THAT(text, HasSubstr("signal 11"));
  EXPECT_THAT(text, Not(HasSubstr("--resume-from")));
}

}  // namespace
}  // namespace coxswain::cli::verbs

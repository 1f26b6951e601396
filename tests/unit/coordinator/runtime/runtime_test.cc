#include "coordinator/runtime/runtime.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <future>

#include "common/base/clock.h"
#include "tests/fakes/store/fake_state_store.h"
#include "tests/unit/coordinator/runtime/fake_session.h"

namespace coxswain::coordinator::runtime {
namespace {

using testing::HasSubstr;

constexpr char kJob[] = R"(apiVersion: coxswain/v1
kind: TrainingJob
metadata: {name: digits}
spec:
  workers: 1
  model: {recipe: mlp}
  data:
    format: idx
    train: {images: file:///data/train-images.gz, labels: file:///data/train-labels.gz}
  train: {epochs: 1}
  env: {API_KEY: hunter22}
)";

class RuntimeTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() / "cox-runtime-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    Restart();
  }
  void TearDown() override {
    gate_.Open();
    runtime_.reset();
    std::filesystem::remove_all(folder_);
  }
  void Restart() {
    runtime_.reset();
    store::SqliteOptions sqlite;
    sqlite.path = folder_ + "/state.db";
    auto state = store::OpenSqliteStore(sqlite);
    ASSERT_TRUE(state.ok()) << state.status();
    auto metrics = store::OpenSqliteMetricStore(folder_ + "/metrics.db");
    ASSERT_TRUE(metrics.ok()) << metrics.status();
    Options options;
    options.settings.default_store = "file:///ckpt";
    options.retry_store = base::milliseconds(1);
    options.metric_pause = base::milliseconds(1);
    options.on_fatal = [this](const absl::Status& why) { fatal_.set_value(why); };
    auto runtime =
        Runtime::Start(options, std::make_unique<fakes::FakeStateStore>(*std::move(state), &gate_),
                       *std::move(metrics));
    ASSERT_TRUE(runtime.ok()) << runtime.status();
    runtime_ = *std::move(runtime);
  }
  static SubmitRequest Request(const std::string& key = "") {
    SubmitRequest request;
    request.spec_yaml = kJob;
    request.spec_name = "job.yaml";
    request.idempotency_key = key;
    return request;
  }
  std::future<absl::StatusOr<SubmitResult>> SubmitLater(SubmitRequest request) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<SubmitResult>>>();
    runtime_->Submit(std::move(request),
                     [promise](auto result, auto) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  absl::StatusOr<SubmitResult> Submit(SubmitRequest request) {
    return SubmitLater(std::move(request)).get();
  }
  // A connected worker with two slots; no data is ever checked on it.
  std::shared_ptr<FakeSession> Connect(core::SessionId* id = nullptr) {
    auto session = std::make_shared<FakeSession>();
    protocol::WorkerHello hello;
    hello.node = core::NodeId("node-a");
    hello.incarnation = core::Incarnation(++incarnation_);
    hello.protocol_oldest = hello.protocol_newest = 1;
    hello.inventory.name = "a";
    hello.inventory.cpu_slots = 2;
    core::SessionId session_id = runtime_->Connected(session, hello);
    if (id != nullptr) *id = session_id;
    return session;
  }

  std::string folder_;
  fakes::StoreGate gate_;
  std::promise<absl::Status> fatal_;
  uint64_t incarnation_ = 0;
  std::unique_ptr<Runtime> runtime_;
};

TEST_F(RuntimeTest, Submission_IsSeenOnlyAfterItsCommit) {
  gate_.Close();
  auto answer = SubmitLater(Request());
  gate_.WaitHeld();
  EXPECT_EQ(answer.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  EXPECT_TRUE(absl::IsNotFound(runtime_->GetJob(core::JobId(1)).status()));
  gate_.Open();
  absl::StatusOr<SubmitResult> result = answer.get();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->job.record.job.id.value, 1u);
  EXPECT_EQ(result->job.record.job.request.name, "digits");
  EXPECT_THAT(result->job.masked_yaml, testing::Not(HasSubstr("hunter22")));
  EXPECT_THAT(result->job.record.job.spec_yaml, HasSubstr("hunter22"));
}

TEST_F(RuntimeTest, Restart_KeepsJobsAndClusterAndRaisesTheTerm) {
  ASSERT_TRUE(Submit(Request()).ok());
  ServerStatus before = runtime_->Status();
  Restart();
  ServerStatus after = runtime_->Status();
  EXPECT_EQ(after.cluster, before.cluster);
  EXPECT_EQ(after.term, before.term.Next());
  EXPECT_TRUE(runtime_->GetJob(core::JobId(1)).ok());
  EXPECT_EQ(Submit(Request())->job.record.job.id.value, 2u);
}

TEST_F(RuntimeTest, SameKey_GivesTheSameJobEvenAfterARestart) {
  EXPECT_FALSE(Submit(Request("k"))->already_existed);
  for (int life = 0; life < 2; ++life) {
    absl::StatusOr<SubmitResult> again = Submit(Request("k"));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->already_existed);
    EXPECT_EQ(again->job.record.job.id.value, 1u);
    SubmitRequest other = Request("k");
    other.overrides = {"spec.train.epochs=2"};
    EXPECT_TRUE(absl::IsAlreadyExists(Submit(other).status()));
    Restart();
  }
}

TEST_F(RuntimeTest, KeyOfAnEndedJob_StillAnswers) {
  ASSERT_TRUE(Submit(Request("k")).ok());
  std::promise<absl::StatusOr<JobView>> cancelled;
  runtime_->Cancel(core::JobId(1), "enough", false,
                   [&](absl::StatusOr<JobView> v) { cancelled.set_value(std::move(v)); });
  EXPECT_EQ(cancelled.get_future().get()->record.job.state, core::JobState::kCancelled);
  Restart();
  EXPECT_EQ(Submit(Request("k"))->job.record.job.state, core::JobState::kCancelled);
  std::promise<absl::Status> again;
  runtime_->Cancel(core::JobId(1), "", false,
                   [&](absl::StatusOr<JobView> v) { again.set_value(v.status()); });
  EXPECT_EQ(again.get_future().get().message(), "j1 has already ended: CANCELLED");
}

TEST_F(RuntimeTest, DryRun_StoresNothing) {
  SubmitRequest request = Request();
  request.dry_run = true;
  absl::StatusOr<SubmitResult> result = Submit(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->job.record.job.id.value, 0u);
  EXPECT_EQ(result->job.record.job.request.queue, "default");
  EXPECT_THAT(result->job.masked_yaml, testing::Not(HasSubstr("hunter22")));
  EXPECT_TRUE(runtime_->ListJobs({})->empty());
}

TEST_F(RuntimeTest, WrongJobFile_ComesBackWithItsMistakes) {
  SubmitRequest request = Request();
  request.overrides = {"spec.workers=many", "spec.train.epoch=3", "spec.queue=nowhere"};
  std::promise<std::string> mistakes;
  runtime_->Submit(request, [&](absl::StatusOr<SubmitResult> result, auto found) {
    EXPECT_TRUE(absl::IsInvalidArgument(result.status()));
    EXPECT_EQ(found.size(), 3u);
    mistakes.set_value(config::ToString(found));
  });
  EXPECT_THAT(mistakes.get_future().get(),
              HasSubstr("--set spec.queue=nowhere: spec.queue: there is no queue nowhere"));
  request.overrides = {"spec.queue=nowhere"};
  EXPECT_TRUE(absl::IsFailedPrecondition(Submit(request).status()));
}

TEST_F(RuntimeTest, EndedJob_HasNoTimeLeft) {
  runtime_.reset();
  store::SqliteOptions sqlite;
  sqlite.path = folder_ + "/state.db";
  core::JobRow row;
  row.id = core::JobId(40);
  row.state = core::JobState::kCancelled;
  row.ended = base::WallNow();
  row.last_progress = core::LastProgress{.progress = {}, .at = row.ended};
  row.last_progress->progress.step = 3;
  row.last_progress->progress.remaining_ms = 60'000;
  {
    auto state = store::OpenSqliteStore(sqlite);
    ASSERT_TRUE(state.ok()) << state.status();
    const std::vector<core::Change> changes = {row};
    ASSERT_TRUE((*state)->Commit(changes).ok());
  }
  Restart();
  absl::StatusOr<JobView> job = runtime_->GetJob(row.id);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->live.progress->step, 3);
  EXPECT_EQ(job->live.progress->remaining_ms, -1);
}

TEST_F(RuntimeTest, Drain_IsNotForYears) {
  auto session = Connect();
  session->Wait<protocol::Welcome>();
  auto drain = [&](base::Duration in) {
    std::promise<absl::Status> said;
    runtime_->Drain(core::NodeId("node-a"), "", false, base::WallNow() + in,
                    [&](absl::StatusOr<DrainResult> v) { said.set_value(v.status()); });
    return said.get_future().get();
  };
  const absl::Status status = drain(std::chrono::hours(1000 * 24) + base::seconds(1));
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the deadline is 1000 d from now, expected at most 365 d"));
  EXPECT_TRUE(drain(std::chrono::hours(24)).ok());
}

TEST_F(RuntimeTest, ResumeFromAJobWithoutCheckpoint_SaysSo) {
  ASSERT_TRUE(Submit(Request()).ok());
  SubmitRequest request = Request();
  request.resume_from = "digits";
  EXPECT_EQ(Submit(request).status().message(), "job j1 has no checkpoint to resume from");
  request.resume_from = "nobody";
  EXPECT_EQ(Submit(request).status().message(),
            "no job has the id or name 'nobody': `cox jobs` lists them");
  request.resume_from = "file:///ckpt/elsewhere";
  EXPECT_EQ(Submit(request)->job.record.job.resume_uri, "file:///ckpt/elsewhere");
}

TEST_F(RuntimeTest, RefusedCommit_FailsItsCallersAndHealsByItself) {
  ASSERT_TRUE(Submit(Request()).ok());
  gate_.Fail(absl::ResourceExhaustedError("no space left"));
  absl::StatusOr<SubmitResult> refused = Submit(Request("lost"));
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("no space left"));
  EXPECT_TRUE(runtime_->GetJob(core::JobId(1)).ok());
  EXPECT_TRUE(absl::IsNotFound(runtime_->GetJob(core::JobId(2)).status()));
  ServerStatus status = runtime_->Status();
  EXPECT_FALSE(status.writable);
  EXPECT_THAT(status.why_not, HasSubstr("no space left"));
  auto session = Connect();
  session->WaitClosed();

  std::promise<void> healed;
  std::atomic<bool> told = false;
  auto watch = runtime_->Subscribe({}, [&] {
    if (runtime_->Status().writable && !told.exchange(true)) healed.set_value();
  });
  gate_.Fail(absl::OkStatus());
  healed.get_future().get();
  EXPECT_EQ(Submit(Request("lost"))->job.record.job.id.value, 2u);
}

TEST_F(RuntimeTest, DecisionsBehindARefusedCommit_AreVoidToo) {
  gate_.Close();
  auto first = SubmitLater(Request("a"));
  gate_.WaitHeld();
  auto second = SubmitLater(Request("b"));  // decided on top of the first
  gate_.Fail(absl::UnavailableError("I/O error"));
  gate_.Open();
  EXPECT_TRUE(absl::IsUnavailable(first.get().status()));
  EXPECT_TRUE(absl::IsUnavailable(second.get().status()));
  gate_.Fail(absl::OkStatus());
}

TEST_F(RuntimeTest, LostFsync_EndsTheProcessBeforeAnythingIsSaid) {
  gate_.Fail(absl::DataLossError("fsync failed"));
  auto answer = SubmitLater(Request());
  EXPECT_TRUE(absl::IsDataLoss(fatal_.get_future().get()));
  EXPECT_EQ(answer.wait_for(std::chrono::milliseconds(10)), std::future_status::timeout);
  gate_.Fail(absl::OkStatus());
  runtime_->Stop();
  EXPECT_TRUE(absl::IsUnavailable(answer.get().status()));
}

TEST_F(RuntimeTest, Worker_IsWelcomedWithTheTermAfterTheCommit) {
  gate_.Close();
  auto session = Connect();
  gate_.WaitHeld();
  EXPECT_EQ(session->last_term().value, 0u);
  gate_.Open();
  EXPECT_EQ(session->Wait<protocol::Welcome>().cluster, runtime_->Status().cluster);
  EXPECT_EQ(session->last_term(), runtime_->Status().term);
  EXPECT_EQ(runtime_->ListNodes()->front().row->name, "a");
}

TEST_F(RuntimeTest, Metrics_AreAcknowledgedWhenTheyCanBeRead) {
  core::SessionId id;
  auto session = Connect(&id);
  session->Wait<protocol::Welcome>();
  protocol::MetricBatch batch;
  batch.job = core::JobId(1);
  batch.batch = 7;
  batch.points.resize(1);
  batch.points[0].name = "loss";
  runtime_->Reported(id, batch);
  EXPECT_EQ(session->Wait<protocol::AcknowledgeMetrics>().batch, 7u);
  store::MetricQuery query;
  query.job = core::JobId(1);
  EXPECT_EQ(runtime_->ReadMetrics(query)->size(), 1u);
}

TEST_F(RuntimeTest, MetricPointsThatWereThinnedOut_AreSaidWithTheirJob) {
  ASSERT_TRUE(Submit(Request()).ok());
  core::SessionId id;
  auto session = Connect(&id);
  session->Wait<protocol::Welcome>();
  EXPECT_THAT(runtime_->GetJob(core::JobId(1))->live.conditions, testing::IsEmpty());
  protocol::MetricBatch batch;
  batch.job = core::JobId(1);
  batch.batch = 1;
  batch.dropped = 1204;
  runtime_->Reported(id, batch);
  session->Wait<protocol::AcknowledgeMetrics>();
  absl::StatusOr<JobView> job = runtime_->GetJob(core::JobId(1));
  EXPECT_THAT(job->live.conditions,
              testing::ElementsAre(testing::StartsWith(
                  "metrics were thinned out: 1204 points left out on the way, last at ")));
  EXPECT_EQ(job->dropped.points, 1204u);
  EXPECT_TRUE(job->dropped.last);
  EXPECT_EQ(runtime_->Status().dropped_points, 1204u);
}

TEST_F(RuntimeTest, LogOfAnUnknownRank_IsNotFound) {
  absl::Status status;
  LogRequest request;
  request.key.job = core::JobId(5);
  auto reading = runtime_->ReadLog(
      request, [&](absl::StatusOr<protocol::LogData> data) { status = data.status(); });
  EXPECT_TRUE(absl::IsNotFound(status));
}

TEST_F(RuntimeTest, Subscription_HearsOfItsJobAndNothingAfterItsEnd) {
  std::promise<void> heard;
  std::atomic<int> calls = 0;
  auto watch = runtime_->Subscribe(core::JobId(1), [&] {
    if (++calls == 1) heard.set_value();
  });
  ASSERT_TRUE(Submit(Request()).ok());
  heard.get_future().get();
  watch.reset();
  int before = calls;
  ASSERT_TRUE(Submit(Request()).ok());
  runtime_->Stop();
  EXPECT_EQ(calls, before);
}

}  // namespace
}  // namespace coxswain::coordinator::runtime

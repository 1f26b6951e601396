// The API's streams: cursors, slow clients, cancellation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/rpc/serving.h"

namespace coxswain::coordinator::rpc {
namespace {

class StreamsTest : public ServersTest {};

TEST_F(StreamsTest, Watch_SendsEveryEventAndEndsWithTheJob) {
  core::JobId id(3);
  api_.PutJob(Job(3, core::JobState::kRunning));
  for (int i = 0; i < 1200; ++i) api_.AddEvent(id, "E" + std::to_string(i));
  v1::WatchJobRequest request;
  request.set_job("j3");
  request.set_cursor(10);
  Context context;
  auto reader = stub_->WatchJob(&context, request);
  v1::WatchJobResponse message;
  uint64_t cursor = 10, changed = 0;
  while (reader->Read(&message)) {
    for (const v1::Event& event : message.events()) EXPECT_EQ(event.cursor(), ++cursor);
    EXPECT_EQ(message.cursor(), cursor);
    if (cursor >= 1200 && changed++ == 0) {
      api_.AddEvent(id, "JobCompleted");
      api_.PutJob(Job(3, core::JobState::kCompleted));
      api_.NotifyAll();
    }
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(cursor, 1201u);
  EXPECT_EQ(message.job().state(), v1::COMPLETED);
}

// Progress comes 200 times while nobody reads; then the client gets the newest, not the history.
TEST_F(StreamsTest, SlowWatcher_GetsTheNewestState) {
  runtime::JobView job = Job(3, core::JobState::kRunning);
  job.live.progress.emplace();
  api_.PutJob(job);
  v1::WatchJobRequest request;
  request.set_job("j3");
  request.set_progress_interval_ms(1);
  Context context;
  auto reader = stub_->WatchJob(&context, request);
  v1::WatchJobResponse message;
  ASSERT_TRUE(reader->Read(&message));
  for (int step = 1; step <= 200; ++step) {
    job.live.progress->step = step;
    api_.PutJob(job);
    api_.NotifyAll();
  }
  int messages = 0;
  while (message.job().progress().step() < 200 && reader->Read(&message)) ++messages;
  EXPECT_EQ(message.job().progress().step(), 200);
  EXPECT_LT(messages, 50);
  context.TryCancel();
}

TEST_F(StreamsTest, ThousandWatchers_CancelAndLeaveNothing) {
  api_.PutJob(Job(3, core::JobState::kRunning));
  v1::WatchJobRequest request;
  request.set_job("j3");
  std::vector<std::unique_ptr<Context>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::WatchJobResponse>>> readers;
  for (int i = 0; i < 1000; ++i) {
    contexts.push_back(std::make_unique<Context>());
    readers.push_back(stub_->WatchJob(contexts.back().get(), request));
  }
  v1::WatchJobResponse message;
  for (auto& reader : readers) ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(api_.watchers(), 1000u);
  api_.NotifyAll();
  for (auto& context : contexts) context->TryCancel();
  for (auto& reader : readers) {
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  servers_->Stop(base::Duration(0));  // returns when the last reaction has run
  EXPECT_EQ(api_.watchers(), 0u);
}

TEST_F(StreamsTest, Events_ResumeFollowAndStopAtTheLimit) {
  api_.PutJob(Job(3, core::JobState::kRunning));
  for (int i = 0; i < 5; ++i) api_.AddEvent(core::JobId(i % 2 == 0 ? 3 : 4), "E");
  v1::ListEventsRequest request;
  request.set_cursor(1);
  request.set_limit(3);
  Context limited;
  auto reader = stub_->ListEvents(&limited, request);
  v1::Event event;
  std::vector<uint64_t> cursors;
  while (reader->Read(&event)) cursors.push_back(event.cursor());
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(cursors, (std::vector<uint64_t>{2, 3, 4}));

  request.set_job("j3");
  request.set_limit(0);
  request.set_follow(true);
  Context following;
  auto follower = stub_->ListEvents(&following, request);
  ASSERT_TRUE(follower->Read(&event) && follower->Read(&event));
  EXPECT_EQ(event.cursor(), 5u);
  api_.AddEvent(core::JobId(3), "JobFailed");
  api_.PutJob(Job(3, core::JobState::kFailed));
  api_.NotifyAll();
  ASSERT_TRUE(follower->Read(&event));
  EXPECT_EQ(event.kind(), "JobFailed");
  EXPECT_FALSE(follower->Read(&event));
  EXPECT_TRUE(follower->Finish().ok());
}

TEST_F(StreamsTest, Events_OfSomeKinds) {
  for (int i = 0; i < 1200; ++i) api_.AddEvent(core::JobId(3), "CheckpointCommitted");
  for (const char* kind : {"JobRunning", "CheckpointCorrupt", "JobCompleted"}) {
    api_.AddEvent(core::JobId(3), kind);
  }
  auto kinds_of = [&](const v1::ListEventsRequest& request) {
    Context context;
    auto reader = stub_->ListEvents(&context, request);
    v1::Event event;
    std::vector<std::string> kinds;
    while (reader->Read(&event)) kinds.push_back(event.kind());
    EXPECT_TRUE(reader->Finish().ok());
    return kinds;
  };
  using Kinds = std::vector<std::string>;
  v1::ListEventsRequest without, only, both;
  without.add_without_kinds("Checkpoint");
  EXPECT_EQ(kinds_of(without), (Kinds{"JobRunning", "JobCompleted"}));
  without.set_limit(1);
  EXPECT_EQ(kinds_of(without), Kinds{"JobRunning"});
  only.add_kinds("CheckpointCorrupt");
  only.add_kinds("JobC");
  EXPECT_EQ(kinds_of(only), (Kinds{"CheckpointCorrupt", "JobCompleted"}));
  both.add_kinds("Job");
  both.add_without_kinds("JobCompleted");
  EXPECT_EQ(kinds_of(both), Kinds{"JobRunning"});
  v1::ListEventsRequest empty;
  empty.add_kinds("");
  Context context;
  grpc::Status refused = stub_->ListEvents(&context, empty)->Finish();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), testing::HasSubstr("kinds: found an empty one"));
}

TEST_F(StreamsTest, Metrics_ComeInOrderWithCursors) {
  api_.PutJob(Job(3, core::JobState::kCompleted));
  for (int i = 0; i < 4500; ++i) api_.AddPoint(core::JobId(3), i);
  v1::GetMetricsRequest request;
  request.set_job("j3");
  request.set_cursor(100);
  request.set_follow(true);
  Context context;
  auto reader = stub_->GetMetrics(&context, request);
  v1::MetricPoints message;
  int64_t next = 100;
  while (reader->Read(&message)) {
    for (const v1::MetricPoint& point : message.points()) EXPECT_EQ(point.step(), next++);
    EXPECT_EQ(message.cursor(), static_cast<uint64_t>(next));
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(next, 4500);
}

// They come by another way than the end, and are stored later.
TEST_F(StreamsTest, Metrics_OfAJobThatHasEndedHaveItsLast) {
  api_.PutJob(Job(3, core::JobState::kCompleted));
  api_.before_metrics = [&] { api_.AddPoint(core::JobId(3), 7); };
  v1::GetMetricsRequest request;
  request.set_job("j3");
  Context context;
  auto reader = stub_->GetMetrics(&context, request);
  v1::MetricPoints message;
  ASSERT_TRUE(reader->Read(&message));
  ASSERT_EQ(message.points_size(), 1);
  EXPECT_EQ(message.points(0).step(), 7);
  EXPECT_FALSE(reader->Read(&message));
  EXPECT_TRUE(reader->Finish().ok());
}

std::string Lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "line " + std::to_string(i) + "\n";
  return text;
}

// Far more than the server holds for one client; every byte comes once, in pieces of whole lines.
TEST_F(StreamsTest, Logs_OfAllRanksComeWholeAndInOrder) {
  api_.PutJob(Job(3, core::JobState::kCompleted));
  std::map<std::pair<uint32_t, int>, std::string> expected, found;
  for (uint32_t rank : {0u, 1u}) {
    expected[{rank, v1::LOG_STREAM_STDOUT}] = Lines(500'000 + rank);
    api_.PutLog(rank, false, expected[{rank, v1::LOG_STREAM_STDOUT}]);
  }
  v1::GetLogsRequest request;
  request.set_job("j3");
  request.set_rank(-1);
  Context context;
  auto reader = stub_->GetLogs(&context, request);
  v1::LogChunk chunk;
  while (reader->Read(&chunk)) {
    std::string& text = found[{chunk.rank(), chunk.stream()}];
    text += chunk.data();
    EXPECT_LE(chunk.data().size(), 64u << 10);
    EXPECT_EQ(chunk.next_offset(), text.size());
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(found == expected);
}

TEST_F(StreamsTest, LogsFromACursor_BeginThere) {
  api_.PutJob(Job(3, core::JobState::kCompleted));
  api_.PutLog(1, true, "0123456789");
  v1::GetLogsRequest request;
  request.set_job("j3");
  request.set_rank(1);
  request.set_stream(v1::LOG_STREAM_STDERR);
  auto* cursor = request.add_cursors();
  cursor->set_rank(1);
  cursor->set_stream(v1::LOG_STREAM_STDERR);
  cursor->set_offset(7);
  Context context;
  auto reader = stub_->GetLogs(&context, request);
  v1::LogChunk chunk;
  ASSERT_TRUE(reader->Read(&chunk));
  EXPECT_EQ(chunk.data(), "789");
  EXPECT_FALSE(reader->Read(&chunk));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(StreamsTest, LogsThatCannotBe_AreRefusedInWords) {
  api_.PutJob(Job(3, core::JobState::kCompleted));
  auto ask = [&](v1::GetLogsRequest request) {
    Context context;
    request.set_job("j3");
    auto reader = stub_->GetLogs(&context, request);
    v1::LogChunk chunk;
    while (reader->Read(&chunk)) continue;
    return reader->Finish();
  };
  v1::GetLogsRequest request;
  request.set_rank(2);
  EXPECT_EQ(ask(request).error_message(), "j3 has no rank 2: its ranks are 0 to 1");
  request.set_rank(-2);
  EXPECT_EQ(ask(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_rank(0);
  request.set_attempt(5);
  EXPECT_EQ(ask(request).error_message(), "j3 has no attempt 5: it has had 1");
  request.set_attempt(0);
  api_.FailLogs(absl::UnavailableError("node-a cannot be reached"));
  EXPECT_EQ(ask(request).error_code(), grpc::StatusCode::UNAVAILABLE);
  request.set_follow(true);  // the job has ended: nothing can follow
  EXPECT_EQ(ask(request).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(StreamsTest, LogsOfAWorkerThatIsAway_SaySoAndFollow) {
  api_.PutJob(Job(3, core::JobState::kRunning));
  api_.FailLogs(absl::UnavailableError("node-a cannot be reached"));
  v1::GetLogsRequest request;
  request.set_job("j3");
  request.set_rank(1);
  request.set_stream(v1::LOG_STREAM_STDOUT);
  request.set_follow(true);
  Context context;
  auto reader = stub_->GetLogs(&context, request);
  v1::LogChunk chunk;
  ASSERT_TRUE(reader->Read(&chunk));
  EXPECT_EQ(chunk.note(),
            "rank 1's worker is unreachable (node-a cannot be reached), its log will follow");
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace coxswain::coordinator::rpc

#include "cli/rpc/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/error_details.h"
#include "tests/fakes/cli/fake_coxswain_service.h"

namespace coxswain::cli::rpc {
namespace {

using fakes::FakeCoxswainService;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ClientTest : public testing::Test {
 protected:
  std::unique_ptr<Client> Make(const std::string& token = "secret-token") {
    return *Client::Make(
        {.server = service_.address(),
         .token = token,
         .until = {},
         .on_trouble = [this](const std::string& why) { troubles_.push_back(why); },
         .first_pause = milliseconds(1)});
  }

  FakeCoxswainService service_;
  std::vector<std::string> troubles_;
};

SubmitRequest WithKey(const std::string& key) {
  SubmitRequest request;
  request.yaml = "x";
  request.idempotency_key = key;
  return request;
}

v1::Job JobInState(v1::JobState state, int64_t step = 0) {
  v1::Job job;
  job.set_id("j7");
  job.set_state(state);
  job.mutable_progress()->set_step(step);
  return job;
}

v1::WatchJobResponse News(const v1::Job& job, uint64_t cursor,
                          std::initializer_list<const char*> kinds = {}) {
  v1::WatchJobResponse news;
  *news.mutable_job() = job;
  news.set_cursor(cursor);
  for (const char* kind : kinds) news.add_events()->set_kind(kind);
  return news;
}

TEST_F(ClientTest, SubmissionIsRepeatedWithItsKeyUntilAnswered) {
  service_.lost_answers = 2;
  const auto submitted = Make()->Submit(WithKey("k1"));
  ASSERT_TRUE(submitted.ok()) << submitted.status();
  EXPECT_EQ(submitted->job.id, "j1");
  EXPECT_TRUE(submitted->already_existed);
  EXPECT_EQ(service_.submissions.size(), 3u);
  EXPECT_EQ(service_.accepted.size(), 1u);
  EXPECT_THAT(troubles_, testing::Each(HasSubstr("cannot reach " + service_.address())));
}

TEST_F(ClientTest, RefusalNamesEveryMistakeAndIsNotRepeated) {
  v1::SubmitJobError error;
  auto* mistake = error.add_mistakes();
  mistake->set_file("job.yaml");
  mistake->set_line(14);
  mistake->set_text("unknown key 'optimiser'");
  error.add_mistakes()->set_text("missing data");
  error.mutable_mistakes(1)->set_file("job.yaml");
  service_.submit_status =
      coxswain::rpc::WithDetail(grpc::StatusCode::INVALID_ARGUMENT, "2 mistakes", error);
  const auto submitted = Make()->Submit(WithKey("k1"));
  EXPECT_TRUE(absl::IsInvalidArgument(submitted.status()));
  EXPECT_EQ(submitted.status().message(),
            "job.yaml:14: unknown key 'optimiser'\njob.yaml: missing data");
  EXPECT_EQ(service_.submissions.size(), 1u);
}

TEST_F(ClientTest, GivesUpOnAServerThatNeverAnswered) {
  auto client = *Client::Make({.server = "127.0.0.1:1",
                               .token = "",
                               .until = {},
                               .on_trouble = {},
                               .patience = milliseconds(10),
                               .first_pause = milliseconds(1)});
  const auto submitted = client->Submit(WithKey("k"));
  EXPECT_TRUE(absl::IsUnavailable(submitted.status()));
  EXPECT_EQ(submitted.status().message(), "cannot reach 127.0.0.1:1: Connection refused");
}

TEST_F(ClientTest, TimeoutEndsEveryWaitAndSaysWhatItWaitedFor) {
  // On a busy machine a short time may run out before even the first try has failed.
  std::string said;
  for (milliseconds limit(20); limit < milliseconds(20'000); limit *= 5) {
    auto client = *Client::Make({.server = "127.0.0.1:1",
                                 .token = "",
                                 .until = std::chrono::steady_clock::now() + limit,
                                 .on_trouble = {},
                                 .first_pause = milliseconds(1)});
    const absl::Status status = client->Submit(WithKey("k")).status();
    ASSERT_TRUE(absl::IsDeadlineExceeded(status)) << status;
    said = std::string(status.message());
    if (said != "--timeout ran out") break;
  }
  EXPECT_THAT(said, HasSubstr("--timeout ran out: "));
  EXPECT_THAT(said, HasSubstr("Connection refused"));
}

TEST_F(ClientTest, WrongTokenIsOneLine) {
  const auto jobs = Make("another")->ListJobs({});
  EXPECT_TRUE(absl::IsUnauthenticated(jobs.status()));
  EXPECT_THAT(std::string(jobs.status().message()), HasSubstr("token"));
}

TEST_F(ClientTest, ListsEveryPageUpToTheLimit) {
  for (int i = 5; i > 0; --i) service_.jobs.emplace_back().set_id("j" + std::to_string(i));
  service_.page_size = 2;
  EXPECT_EQ(Make()->ListJobs({})->items.size(), 5u);
  JobFilter filter;
  filter.limit = 3;
  const auto three = Make()->ListJobs(filter);
  ASSERT_EQ(three->items.size(), 3u);
  EXPECT_EQ(three->items[0].id, "j5");
  EXPECT_THAT(three->json, HasSubstr("\"jobs\":[{\"id\":\"j5\""));
}

TEST_F(ClientTest, StatesHaveTheApisNames) {
  for (int i = v1::PENDING; i <= v1::JobState_MAX; ++i) {
    service_.jobs.push_back(JobInState(static_cast<v1::JobState>(i)));
  }
  const auto jobs = Make()->ListJobs({});
  int i = v1::PENDING;
  for (const Job& job : jobs->items) {
    EXPECT_EQ(job.state, v1::JobState_Name(static_cast<v1::JobState>(i++)));
  }
  EXPECT_EQ(i, v1::JobState_ARRAYSIZE);
}

TEST_F(ClientTest, JsonIsMadeWhereItIsWanted) {
  service_.jobs.push_back(JobInState(v1::PENDING));
  EXPECT_THAT(Make()->Submit(WithKey("k"))->job.json, HasSubstr("\"id\":\"j1\""));
  const auto plain = Client::Make({.server = service_.address(),
                                   .token = "secret-token",
                                   .until = {},
                                   .on_trouble = {},
                                   .json = false});
  EXPECT_EQ((*plain)->Submit(WithKey("k"))->job.id, "j1");
  EXPECT_EQ((*plain)->Submit(WithKey("k"))->job.json, "");
  EXPECT_EQ((*plain)->ListJobs({})->json, "");
  EXPECT_EQ((*plain)->ListJobs({})->items.size(), 1u);
}

TEST_F(ClientTest, UnknownStateIsNamedBeforeAnyCall) {
  JobFilter filter;
  filter.states = {"RUNING"};
  EXPECT_THAT(std::string(Make()->ListJobs(filter).status().message()),
              HasSubstr("found the state \"RUNING\", expected PENDING"));
}

TEST_F(ClientTest, JobIsReadWholeWithItsExit) {
  v1::Job job = JobInState(v1::FAILED);
  job.set_name("digits");
  job.set_cause(v1::FAILURE_CAUSE_USER);
  job.mutable_exit()->set_ended(true);
  job.mutable_exit()->set_code(3);
  job.mutable_last_checkpoint()->set_state(v1::CHECKPOINT_VERIFIED);
  job.mutable_best_checkpoint()->set_metric(0.25);
  service_.jobs.push_back(job);
  const auto read = Make()->GetJob("digits");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->state, "FAILED");
  EXPECT_EQ(read->cause, Cause::kUser);
  EXPECT_EQ(read->exit.code, 3);
  EXPECT_EQ(read->last_checkpoint.state, "VERIFIED");
  EXPECT_TRUE(read->has_best);
  EXPECT_EQ(read->best_checkpoint.metric, 0.25);
  EXPECT_TRUE(HasEnded(*read));
  EXPECT_TRUE(absl::IsNotFound(Make()->GetJob("nothing").status()));
}

TEST_F(ClientTest, WatchGoesOnFromItsCursorAfterABreak) {
  service_.watch = {
      {News(JobInState(v1::PENDING), 3, {"JobSubmitted"}), News(JobInState(v1::RUNNING, 5), 6)},
      {},
      {News(JobInState(v1::RUNNING, 9), 8, {"CheckpointCommitted"}),
       News(JobInState(v1::COMPLETED, 10), 9, {"JobCompleted"})}};
  std::vector<std::string> seen;
  const auto end =
      Make()->Watch("j7", milliseconds(100), [&](const Job& job, const std::vector<Event>& events) {
        seen.push_back(job.state + " " + std::to_string(job.progress.step));
        for (const Event& event : events) seen.push_back(event.kind);
        return true;
      });
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->state, "COMPLETED");
  EXPECT_THAT(service_.watch_cursors, ElementsAre(0, 6, 6));
  EXPECT_THAT(seen, ElementsAre("PENDING 0", "JobSubmitted", "RUNNING 5", "RUNNING 9",
                                "CheckpointCommitted", "COMPLETED 10", "JobCompleted"));
  EXPECT_EQ(troubles_.size(), 2u);
}

TEST_F(ClientTest, WatchStopsWhenToldTo) {
  service_.watch = {{News(JobInState(v1::RUNNING, 5), 6), News(JobInState(v1::RUNNING, 6), 7)}};
  const auto last =
      Make()->Watch("j7", milliseconds(100), [](const Job&, const auto&) { return false; });
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->progress.step, 5);
}

TEST_F(ClientTest, FollowedLogsGoOnWhereTheyBroke) {
  v1::LogChunk first, second;
  first.set_rank(1);
  first.set_attempt(2);
  first.set_stream(v1::LOG_STREAM_STDERR);
  first.set_data("one\n");
  first.set_next_offset(4);
  second = first;
  second.set_data("two\n");
  second.set_next_offset(8);
  service_.logs = {{first}, {second}};
  std::string text;
  const absl::Status status = Make()->Logs({.job = "j7", .follow = true, .tail_lines = 10},
                                           [&](const LogChunk& chunk) { text += chunk.data; });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(text, "one\ntwo\n");
  ASSERT_EQ(service_.log_requests.size(), 2u);
  EXPECT_EQ(service_.log_requests[0].tail_lines(), 10u);
  EXPECT_EQ(service_.log_requests[1].tail_lines(), 0u);
  ASSERT_EQ(service_.log_requests[1].cursors_size(), 1);
  EXPECT_EQ(service_.log_requests[1].cursors(0).offset(), 4u);
  EXPECT_EQ(service_.log_requests[1].cursors(0).attempt(), 2u);
}

}  // namespace
}  // namespace coxswain::cli::rpc

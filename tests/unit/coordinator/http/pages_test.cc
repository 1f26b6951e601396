#include "coordinator/http/pages.h"

#include <gmock/gmock.h>

#include <thread>

#include "coordinator/http/http_server.h"
#include "coordinator/http/json_views.h"
#include "fake_api.h"

namespace coxswain::coordinator::http {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Whatever a user or a machine may choose is shown as text, on every page.
TEST(Pages, EverythingFromOutside_IsEscaped) {
  FakeApi api;
  for (runtime::JobView& job : api.jobs) {
    core::JobRow& row = job.record.job;
    row.request.name = row.reason = row.submitted_by = row.model_uri = row.resume_uri = kEvil;
    row.request.labels = {{kEvil, kEvil}};
    job.live.reason = job.masked_yaml = kEvil;
    job.live.conditions = {std::string("another ") + kEvil};
    if (row.exit) row.exit->record.last_log = kEvil;
    for (core::RankRow& rank : job.record.ranks) rank.node = core::NodeId(kEvil);
    core::AttemptRow attempt;
    attempt.reason = attempt.resumed_uri = kEvil;
    job.record.attempts = {attempt, attempt};
  }
  for (runtime::NodeView& node : api.nodes) {
    node.row.Edit().name = node.row.Edit().drain_reason = kEvil;
    node.row.Edit().draining = true;
    protocol::Inventory& i = node.row.Edit().inventory;
    i.address = i.version = i.gpu_note = kEvil;
    i.labels = {{kEvil, kEvil}};
    i.conditions = {kEvil};
    for (protocol::GpuInfo& gpu : i.gpus) gpu.uuid = gpu.name = gpu.why_not = kEvil;
  }
  for (core::EventRow& event : api.events) event.kind = event.text = event.severity = kEvil;
  for (core::CheckpointRow& row : api.checkpoints) row.uri = row.reason = kEvil;
  api.status.warnings = {kEvil};
  api.status.cluster = core::ClusterId(kEvil);
  for (const auto& page : {OverviewPage(api), NodesPage(api), JobPage(api, "j14"),
                           JobPage(api, "j12"), absl::StatusOr<std::string>(ErrorPage(kEvil))}) {
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_THAT(*page, AllOf(Not(HasSubstr("<script>alert")), Not(HasSubstr("\"onload")),
                             HasSubstr("&lt;script&gt;alert")));
  }
}

// The reason of one that runs is the first condition, for want of another.
TEST(JobPage, WhatTheReasonHas_IsNoConditionBesides) {
  FakeApi api;
  runtime::JobView& job = api.jobs[1];
  const std::string full = "checkpoint store file:///ckpt full since 08:05:17: cannot write";
  job.live.reason = full + "; no checkpoint is taken";
  job.live.conditions = {full, "no checkpoint is taken", "memory has run out on node-a"};
  const std::string page = *JobPage(api, "j14");
  EXPECT_EQ(page.find(full), page.rfind(full));
  EXPECT_THAT(page, HasSubstr("<p class=\"why\">memory has run out on node-a</p>"));
  EXPECT_THAT(OtherConditions(job), testing::ElementsAre("memory has run out on node-a"));
}

TEST(JobPage, ElasticJob_ShowsWhatItHasNow_AndTheRanges) {
  FakeApi api;
  runtime::JobView& job = api.jobs[1];
  ASSERT_EQ(job.record.job.request.name, "fashion-resnet");
  core::JobRequest& request = job.record.job.request;
  request.min_workers = 1;
  request.max_workers = 4;
  request.gpus = 1;
  request.batch = 32;
  request.max_batch = 4096;
  job.live.ranks.resize(3);
  job.live.progress->global_batch = 64;
  job.live.batch_reason = "no other would make it learn faster";
  EXPECT_THAT(*JobPage(api, "j14"),
              AllOf(HasSubstr("<dd>3 (1-4), 1 GPU and 2 CPU slots each</dd>"),
                    HasSubstr("64 (32-4,096) samples: no other would make it learn faster")));
  EXPECT_THAT(Overview(api), HasSubstr("3 (1-4) ranks, started"));
}

TEST(JobPage, JobThatDoesNotRun_HasNoPhaseSpeedOrTimeLeft) {
  FakeApi api;
  runtime::JobView& job = api.jobs[1];
  EXPECT_THAT(*JobPage(api, "j14"), AllOf(HasSubstr("<dt>Phase</dt>"), HasSubstr("<dt>Speed</dt>"),
                                          HasSubstr("<dt>Left</dt><dd>about 4 min</dd>")));
  EXPECT_THAT(JobsJson(api.jobs, "", runtime::NamesFrom(&api)), HasSubstr("\"phase\""));
  for (core::JobState state :
       {core::JobState::kCancelled, core::JobState::kPending, core::JobState::kRecovering}) {
    job.record.job.state = state;
    EXPECT_THAT(*JobPage(api, "j14"),
                AllOf(Not(HasSubstr("<dt>Phase</dt>")), Not(HasSubstr("<dt>Speed</dt>")),
                      Not(HasSubstr("<dt>Left</dt>")), HasSubstr("<dt>Step</dt>")));
    EXPECT_THAT(JobsJson(api.jobs, "", runtime::NamesFrom(&api)),
                AllOf(Not(HasSubstr("\"phase\"")), Not(HasSubstr("samples_per_second"))));
  }
}

// What is expected has one source and one rounding, whatever the page.
TEST(Pages, EstimatesAreTheSameOnEachPage) {
  FakeApi api;
  api.jobs[0].live.expected_start = api.now + base::seconds(2405);
  EXPECT_THAT(*JobPage(api, "j15"), HasSubstr("<dt>Starts</dt><dd>in about 40 min</dd>"));
  EXPECT_THAT(*QueuesPage(api), HasSubstr("starts in about 40 min"));
  EXPECT_THAT(Overview(api), HasSubstr("<b>about 4 min</b> left"));
  api.jobs[1].live.expected_end = {};
  EXPECT_THAT(Overview(api), Not(HasSubstr("</b> left")));
}

TEST(JobPage, EndedJob_SaysWhoseFaultItWas) {
  FakeApi api;
  auto job = std::find_if(api.jobs.begin(), api.jobs.end(), [](const runtime::JobView& view) {
    return view.record.job.id == core::JobId(12);
  });
  EXPECT_THAT(*JobPage(api, "j12"), HasSubstr("<dt>Cause</dt><dd>USER</dd>"));
  job->record.job.cause = core::Cause::kInfrastructure;
  job->record.job.kind = protocol::FailureKind::kStore;
  EXPECT_THAT(*JobPage(api, "j12"), HasSubstr("<dt>Cause</dt><dd>INFRASTRUCTURE (STORE)</dd>"));
  job->record.job.cause = core::Cause::kNone;
  EXPECT_THAT(*JobPage(api, "j12"), Not(HasSubstr("<dt>Cause</dt>")));
}

// On a phone a cell stands beside its heading: a table of long texts would be wider than the
// screen.
TEST(JobPage, TablesWithLongTexts_FoldOnAPhone) {
  FakeApi api;
  for (core::Attempt attempt : {core::Attempt(1), core::Attempt(2)}) {
    core::AttemptRow row;
    row.number = attempt;
    for (runtime::JobView& job : api.jobs) job.record.attempts.push_back(row);
  }
  std::string page = *JobPage(api, "j14");
  for (const char* section : {"Attempts", "Checkpoints"}) {
    size_t at = page.find(std::string("<h2>") + section + "</h2>");
    ASSERT_NE(at, std::string::npos) << section;
    std::string table = page.substr(at, page.find("</table>", at) - at);
    EXPECT_THAT(table, HasSubstr("<table class=\"stack\">"));
    for (size_t cell = table.find("<td"); cell != std::string::npos;
         cell = table.find("<td", cell + 1)) {
      EXPECT_THAT(table.substr(cell, table.find('>', cell) - cell), HasSubstr("data-label=\""));
    }
  }
  EXPECT_THAT(page, HasSubstr("data-label=\"Where\"><div><code>s3://"));
}

TEST(JobPage, RanksOfAJobThatWaits_AreOfItsLastAttempt) {
  FakeApi api;
  runtime::JobView& job = api.jobs[1];
  EXPECT_THAT(*JobPage(api, "j14"), HasSubstr("<h2>Ranks</h2>"));
  job.record.job.state = core::JobState::kPending;
  job.live.ranks.clear();
  for (core::RankRow& rank : job.record.ranks) {
    rank.exit = protocol::ExitRecord();
    rank.exit->code = protocol::kExitStopped;
  }
  EXPECT_THAT(*JobPage(api, "j14"), AllOf(HasSubstr("<h2>Ranks of attempt 1</h2>"),
                                          HasSubstr("was stopped (exit code 13)")));
}

TEST(JobPage, ShowsCurvesRanksCheckpointsAndMaskedFile) {
  FakeApi api;
  auto page = JobPage(api, "fashion-resnet");
  ASSERT_TRUE(page.ok());
  EXPECT_THAT(*page, AllOf(HasSubstr("<polyline class=\"curve one\""), HasSubstr("all-reduce"),
                           HasSubstr("c31"), HasSubstr("26 MiB"), HasSubstr("API_KEY")));
  auto failed = JobPage(api, "j12");
  EXPECT_THAT(*failed,
              AllOf(HasSubstr("Rank 0 on node-a ended with an error of the job (exit code 10)"),
                    HasSubstr("step 212 loss nan")));
  EXPECT_TRUE(absl::IsNotFound(JobPage(api, "j99").status()));
}

TEST(JobPage, SavesThatFollowOneAnother_AreOneLine) {
  FakeApi api;
  auto add = [&](const char* kind, const char* severity) {
    core::EventRow row = api.events.back();
    row.seq = row.seq.Next();
    row.job = core::JobId(14);
    row.kind = kind;
    row.text = std::string("of ") + kind;
    row.severity = severity;
    api.events.push_back(row);
  };
  for (int i = 0; i < 1500; ++i) {
    add("CheckpointCommitted", "info");
    add("CheckpointVerified", "info");
  }
  add("CheckpointCorrupt", "error");
  add("CheckpointCommitted", "info");
  add("RankExited", "warning");
  std::string page = *JobPage(api, "j14");
  EXPECT_THAT(page, HasSubstr("<summary>Checkpoints: 998 committed, 999 verified</summary>"));
  EXPECT_LT(page.size(), 60000u) << "a page that is fetched again every few seconds";
  EXPECT_THAT(page, AllOf(HasSubstr("<b>RankExited</b>"), HasSubstr("<b>CheckpointCorrupt</b>")));
  size_t corrupt = page.find("<b>CheckpointCorrupt"), summary = page.find("<summary>Checkpoints");
  size_t few = page.find("<b>CheckpointCommitted");
  EXPECT_TRUE(few < corrupt && corrupt < summary) << "newest first; a single save as it is";
}

// For working on the pages: --gtest_also_run_disabled_tests --gtest_filter='*ServeTheSample'.
TEST(Pages, DISABLED_ServeTheSample) {
  FakeApi api;
  auto server = StartHttpServer({"127.0.0.1:7099", {}, ""}, &api);
  ASSERT_TRUE(server.ok()) << server.status();
  std::this_thread::sleep_for(std::chrono::minutes(10));
}

}  // namespace
}  // namespace coxswain::coordinator::http

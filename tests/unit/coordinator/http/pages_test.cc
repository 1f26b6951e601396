#include "coordinator/http/pages.h"

#include <gmock/gmock.h>

#include <thread>

#include "common/base/clock.h"
#include "coordinator/http/access.h"
#include "coordinator/http/html_text.h"
#include "coordinator/http/http_server.h"
#include "coordinator/http/loss_curve.h"
#include "fake_api.h"

namespace coxswain::coordinator::http {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kEvil[] = "<script>alert('x')</script>\"onload=\"";

std::string Overview(FakeApi& api) {
  auto page = OverviewPage(api);
  EXPECT_TRUE(page.ok()) << page.status();
  return page.ok() ? *page : "";
}

TEST(Overview, WhatIsWrong_ComesBeforeWhatRuns) {
  FakeApi api;
  std::string page = Overview(api);
  size_t wrong = page.find("Wrong now"), running = page.find("<h2>Running"),
         pending = page.find("<h2>Pending"), events = page.find("<h2>Events");
  EXPECT_LT(wrong, running);
  EXPECT_LT(running, pending);
  EXPECT_LT(pending, events);
  for (const char* name : {"word-lm", "node-b"}) {
    size_t at = page.find(name, wrong);
    EXPECT_LT(at, running) << name;
  }
  EXPECT_THAT(page, AllOf(HasSubstr("the loss is not finite at step 212"),
                          HasSubstr("GPU 1 is not given out: Xid 79"),
                          HasSubstr("<progress max=\"2345\" value=\"1180\""),
                          HasSubstr("most free is 2 of 8 (node-a)")));
}

TEST(Overview, OnlyWhatTheMachinesDid_IsWrongNow) {
  FakeApi api;
  std::string page = Overview(api);
  EXPECT_GT(page.find("tabular-mlp"), page.find("<h2>Ended lately"));
  for (runtime::JobView& job : api.jobs) job.record.job.cause = core::Cause::kInfrastructure;
  page = Overview(api);
  EXPECT_LT(page.find("tabular-mlp"), page.find("<h2>Running"));
}

TEST(Overview, WhatIsWrongWithQueues_IsWrongNow) {
  FakeApi api;
  const std::string page = Overview(api);
  const size_t at = page.find("the quotas sum up to 24 GPUs");
  EXPECT_LT(page.find("Wrong now"), at);
  EXPECT_LT(at, page.find("<h2>Running"));
}

TEST(Overview, NothingWrong_SaysSo) {
  FakeApi api;
  api.queues.warnings.clear();
  api.nodes.pop_back();
  api.nodes[0].row.Edit().inventory.gpus.clear();
  std::erase_if(api.jobs, [](const runtime::JobView& job) {
    return job.record.job.state == core::JobState::kFailed ||
           job.record.job.state == core::JobState::kRecovering;
  });
  EXPECT_THAT(Overview(api), HasSubstr("Nothing is wrong"));
}

TEST(Overview, OldFailures_AreNoLongerWrongNow) {
  FakeApi api;
  for (runtime::JobView& job : api.jobs) job.record.job.ended = base::WallTime{1};
  EXPECT_THAT(Overview(api), Not(HasSubstr("tabular-mlp")));
}

TEST(Overview, ReadOnlyStoreAndWarnings_AreBanners) {
  FakeApi api;
  api.status.writable = false;
  api.status.why_not = "no space left on the disk of /data";
  api.status.warnings = {"plaintext on 10.0.0.1:7070"};
  EXPECT_THAT(Overview(api), AllOf(HasSubstr("Read-only.</b> no space left"),
                                   HasSubstr("banner warn\">plaintext on 10.0.0.1:7070")));
}

// Whatever a user or a machine may choose is shown as text, on every page.
TEST(Pages, EverythingFromOutside_IsEscaped) {
  FakeApi api;
  for (runtime::JobView& job : api.jobs) {
    core::JobRow& row = job.record.job;
    row.request.name = row.reason = row.submitted_by = row.model_uri = row.resume_uri = kEvil;
    row.request.labels = {{kEvil, kEvil}};
    job.live.reason = job.masked_yaml = kEvil;
    job.live.conditions = {kEvil};
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

TEST(JobPage, EndedJob_HasNoPhase) {
  FakeApi api;
  runtime::JobView& job = api.jobs[1];
  EXPECT_THAT(*JobPage(api, "j14"), HasSubstr("<dt>Phase</dt>"));
  job.record.job.state = core::JobState::kCancelled;
  EXPECT_THAT(*JobPage(api, "j14"), Not(HasSubstr("<dt>Phase</dt>")));
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

TEST(JobPage, ShowsCurvesRanksCheckpointsAndMaskedFile) {
  FakeApi api;
  auto page = JobPage(api, "fashion-resnet");
  ASSERT_TRUE(page.ok());
  EXPECT_THAT(*page, AllOf(HasSubstr("<polyline class=\"curve one\""), HasSubstr("all-reduce"),
                           HasSubstr("c31"), HasSubstr("26 MiB"), HasSubstr("API_KEY")));
  auto failed = JobPage(api, "j12");
  EXPECT_THAT(*failed, AllOf(HasSubstr("exit code 10"), HasSubstr("step 212 loss nan")));
  EXPECT_TRUE(absl::IsNotFound(JobPage(api, "j99").status()));
}

TEST(Overview, TimeoutsAreNoFailures_AndShortOnesTookLittle) {
  FakeApi api;
  core::JobRow ended;
  for (runtime::JobView& job : api.jobs) {
    if (job.record.job.state == core::JobState::kFailed) ended = job.record.job;
  }
  ended.started = ended.submitted;
  ended.ended = ended.started + base::milliseconds(300);
  ended.cause = core::Cause::kTimeLimit;
  for (core::JobState state : {core::JobState::kTimeout, core::JobState::kFailed}) {
    api.jobs.clear();
    api.jobs.emplace_back().record.job = ended;
    api.jobs.back().record.job.state = state;
    api.jobs.back().record.job.ended = base::WallNow();
    api.jobs.back().record.job.started = base::WallNow();
    std::string page = Overview(api);
    EXPECT_THAT(page, HasSubstr(state == core::JobState::kFailed ? "<b>1</b> failed in 24 h"
                                                                 : "<b>0</b> failed in 24 h"));
    EXPECT_THAT(page, HasSubstr("took less than 1 s, ended "));
  }
}

TEST(Nodes, GpusAreOneLine_WhatIsWrongWithThemIsNotHidden) {
  FakeApi api;
  const std::string page = *NodesPage(api);
  EXPECT_THAT(page, HasSubstr("<details id=\"gpus-n-node-a\"><summary>2 × NVIDIA H200, 1 in use<"));
  EXPECT_LT(page.find("GPU 1 is not given out: Xid 79"), page.find("<details"));
}

TEST(Nodes, ByName) {
  FakeApi api;
  runtime::NodeView two = api.nodes[0], ten = api.nodes[0];
  two.row.Edit().name = "machine-2";
  ten.row.Edit().name = "machine-10";
  api.nodes = {ten, two};
  std::string page = *NodesPage(api);
  EXPECT_LT(page.find("machine-2"), page.find("machine-10"));
}

TEST(Nodes, ManyOfThem_AreShownByPages_TroubleFirst) {
  FakeApi api;
  runtime::NodeView node = api.nodes[0];
  api.nodes.clear();
  for (int i = 1; i <= 250; ++i) {
    node.row.Edit().name = "machine-" + std::to_string(i);
    node.live.reachable = i != 250;
    api.nodes.push_back(node);
  }
  auto shown = [&](const NodesQuery& query) {
    std::vector<std::string> names;
    std::string page = *NodesPage(api, query);
    for (size_t at = 0; (at = page.find("<h2 class=\"title\">", at)) != std::string::npos; ++at) {
      size_t begin = page.find('>', at) + 1;
      names.push_back(page.substr(begin, page.find('<', begin) - begin));
    }
    return names;
  };
  std::vector<std::string> first = shown({}), last = shown({.page = 3, .name = ""});
  ASSERT_EQ(first.size(), 100u);
  EXPECT_EQ(first.front(), "machine-250");
  EXPECT_EQ(first[1], "machine-1");
  ASSERT_EQ(last.size(), 50u);
  EXPECT_EQ(last.back(), "machine-249");
  EXPECT_EQ(shown({.page = 99, .name = ""}), last);
  EXPECT_THAT(shown({.page = 1, .name = "-24"}), testing::SizeIs(11));
  EXPECT_THAT(*NodesPage(api, {.page = 1, .name = "<x>"}),
              AllOf(HasSubstr("No node has <code>&lt;x&gt;</code>"), HasSubstr("0 nodes")));
  EXPECT_THAT(*NodesPage(api, {.page = 2, .name = "machine"}),
              HasSubstr("<a href=\"/nodes?page=3&amp;name=machine\">3</a>"));
}

TEST(Queues, TreeWithWhatIsHeldAndWhoWaits) {
  FakeApi api;
  auto page = QueuesPage(api);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_LT(page->find("<b>science</b>"), page->find("&emsp;<b>research</b>"));
  EXPECT_THAT(*page,
              AllOf(HasSubstr("Policy fair"), HasSubstr("not all of them can be kept at once"),
                    HasSubstr("<b>students</b> <span class=\"badge\">default</span>"),
                    HasSubstr("borrows</span>"), HasSubstr("12 GPUs and 64 CPU slots"),
                    HasSubstr("2 GPUs, 4 jobs"), HasSubstr("ada@host"), HasSubstr("90.0 %"),
                    HasSubstr("starts in about 2"), HasSubstr("most free is 2 of 8 (node-a)")));
}

TEST(Queues, NothingWaits_AndNamesAreEscaped) {
  FakeApi api;
  api.jobs.erase(api.jobs.begin());
  api.queues.queues[2].users[kEvil] = {};
  auto page = QueuesPage(api);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(*page, AllOf(HasSubstr("No job waits."), Not(HasSubstr(kEvil))));
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

TEST(HtmlText, NumbersForPeople) {
  EXPECT_EQ(CountText(1234567), "1,234,567");
  EXPECT_EQ(CountText(-100), "-100");
  EXPECT_EQ(NumberText(0.31274), "0.3127");
  EXPECT_EQ(NumberText(18234.4), "18,234");
  EXPECT_EQ(NumberText(1.234e-5), "1.23e-05");
  EXPECT_EQ(DurationText(base::seconds(83)), "1 min 23 s");
  EXPECT_EQ(DurationText(base::seconds(7400)), "2 h 3 min");
  EXPECT_EQ(DurationText(base::seconds(200000)), "2 d 7 h");
}

TEST(LossCurve, TicksAreRoundAndCoverTheRange) {
  EXPECT_THAT(Ticks(0.1, 0.93, 4), ElementsAre(0, 0.5, 1));
  EXPECT_THAT(Ticks(0, 1000, 5), ElementsAre(0, 200, 400, 600, 800, 1000));
}

TEST(LossCurve, ValuesThatAreNoNumbers_AreLeftOut) {
  std::string svg = CurvesSvg({{"loss", "one", {{1, 2.0}, {2, NAN}, {3, 1.0}}}});
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(CurvesSvg({{"accuracy", "one", {{1, 0.9}}}}), HasSubstr(">1.5<"));
  EXPECT_THAT(CurvesSvg({{"accuracy", "one", {{1, 0.9}}}}, 1.0), Not(HasSubstr(">1.5<")));
  EXPECT_EQ(CurvesSvg({{"loss", "one", {{1, NAN}}}}), "");
  EXPECT_NE(CurvesSvg({{"loss", "one", {{1, 0.0}}}}), "");
}

TEST(AccessTest, HostHeaders) {
  Access local("127.0.0.1", {"Train.Example"}, "secret");
  for (const char* ours : {"127.0.0.1:7072", "localhost", "LOCALHOST:1", "[::1]:7072",
                           "train.example:80", "train.example."}) {
    EXPECT_TRUE(local.HostIsOurs(ours)) << ours;
  }
  for (const char* foreign :
       {"", "evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.evil.example"}) {
    EXPECT_FALSE(local.HostIsOurs(foreign)) << foreign;
  }
  Access everywhere("0.0.0.0", {}, "secret");
  EXPECT_TRUE(everywhere.HostIsOurs("10.0.0.1:7072"));
  EXPECT_FALSE(everywhere.HostIsOurs("evil.example"));
}

TEST(AccessTest, TokenOffLoopback) {
  Access local("127.0.0.1", {}, "secret");
  EXPECT_TRUE(local.Admits(""));
  Access open("10.0.0.1", {}, "secret");
  EXPECT_TRUE(open.Admits("Bearer secret"));
  EXPECT_TRUE(open.Admits("basic eDpzZWNyZXQ="));  // x:secret
  for (const char* wrong : {"", "Bearer ", "Bearer secre", "Bearer secrets", "Basic eDp5",
                            "Basic ???", "Basic eHNlY3JldA==", "secret"}) {
    EXPECT_FALSE(open.Admits(wrong)) << wrong;
  }
  EXPECT_FALSE(Access("10.0.0.1", {}, "").Admits("Bearer "));
}

TEST(AccessTest, Addresses) {
  EXPECT_EQ(SplitAddress("[::1]:80")->host, "::1");
  EXPECT_EQ(SplitAddress("127.0.0.1:0")->port, 0);
  for (const char* wrong : {"", "127.0.0.1", ":80", "a:99999", "a:b"}) {
    EXPECT_FALSE(SplitAddress(wrong)) << wrong;
  }
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

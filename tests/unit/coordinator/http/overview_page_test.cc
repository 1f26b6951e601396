#include "coordinator/http/pages.h"

#include <gmock/gmock.h>

#include "common/base/clock.h"
#include "coordinator/http/json_views.h"
#include "fake_api.h"

namespace coxswain::coordinator::http {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

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

// A hundred lost nodes are one thing that is wrong.
TEST(Overview, ManyLostNodes_AreOneEntry) {
  FakeApi api;
  const runtime::NodeView lost = api.nodes[1];
  ASSERT_FALSE(lost.live.reachable);
  api.nodes.clear();
  for (int i = 1; i <= 120; ++i) {
    runtime::NodeView& node = api.nodes.emplace_back(lost);
    node.row.Edit().name = "vm-" + std::to_string(i);
    node.live.away_since = api.now + (-base::seconds(i <= 60 ? 301 : 310));
    node.live.jobs = {core::JobId(static_cast<uint64_t>(20 + i % 5))};
  }
  std::string page = Overview(api);
  EXPECT_THAT(page, AllOf(HasSubstr("120 nodes unreachable: <a href=\"/nodes?name=vm-1#n-node-b\">"
                                    "vm-1</a>, <a href"),
                          HasSubstr("and <a href=\"/nodes?state=UNREACHABLE\">117 more</a>"),
                          HasSubstr(">5 min 10 s ago</time>"),
                          HasSubstr("ranks of <a href=\"/jobs/j20\">j20</a>"),
                          HasSubstr("and 2 more are there"), HasSubstr("the first 100 of 120")));
  EXPECT_LT(page.find("120 nodes unreachable"), page.find("<details id=\"trouble-1\">"));
  api.nodes[7].live.away_since = api.now + (-base::seconds(5));
  EXPECT_THAT(Overview(api), AllOf(HasSubstr("the first <time"), HasSubstr("the last <time")));
  api.nodes.resize(3);
  EXPECT_THAT(Overview(api), AllOf(Not(HasSubstr("nodes unreachable")), HasSubstr(">vm-3</a>")));
}

TEST(Overview, WhatDiffersInNumbersAlone_IsOneEntry) {
  FakeApi api;
  runtime::NodeView node = api.nodes[0];
  api.nodes.clear();
  for (int i = 0; i < 12; ++i) {
    node.row.Edit().name = "vm-" + std::to_string(i);
    node.row.Edit().inventory.gpus.clear();
    node.row.Edit().inventory.conditions = {i == 11 ? "no clock"
                                                    : "disk " + std::to_string(80 + i) + " % full"};
    api.nodes.push_back(node);
  }
  const std::string page = Overview(api);
  EXPECT_THAT(page, AllOf(HasSubstr("11 nodes: "), HasSubstr("vm-0: disk 80 % full"),
                          HasSubstr("disk 90 % full")));
  EXPECT_GT(page.find("no clock"), page.find("11 nodes: "));
}

TEST(Overview, ManyJobsThatRecoverOrEndedAlike_AreOneEntryEach) {
  FakeApi api;
  runtime::JobView ended = *std::find_if(api.jobs.begin(), api.jobs.end(), [](const auto& job) {
    return job.record.job.state == core::JobState::kFailed;
  });
  runtime::JobView again = *std::find_if(api.jobs.begin(), api.jobs.end(), [](const auto& job) {
    return job.record.job.state == core::JobState::kRecovering;
  });
  ended.record.job.cause = core::Cause::kInfrastructure;
  api.jobs.clear();
  for (uint64_t i = 0; i < 40; ++i) {
    ended.record.job.id = core::JobId(100 + i);
    again.record.job.id = core::JobId(200 + i);
    api.jobs.push_back(ended);
    api.jobs.push_back(again);
  }
  EXPECT_THAT(Overview(api),
              AllOf(HasSubstr("40 jobs recovering: <a href=\"/jobs/j200\">j200</a>"),
                    HasSubstr("40 jobs: "), HasSubstr("and 37 more"),
                    HasSubstr("attempt 2, 0 of at most "), HasSubstr("<b>40</b> recovering")));
}

TEST(Overview, TwoConnectedNodesOfOneName_AreWrongNow) {
  FakeApi api;
  runtime::NodeView twin = api.nodes[0];
  twin.row.Edit().id = twin.live.id = core::NodeId("n-twin");
  api.nodes.push_back(twin);
  core::TellSameNames(&api.nodes);
  const std::string warning =
      "2 connected nodes are called node-a: n-node-a at 10.0.0.7, n-twin at 10.0.0.7";
  const std::string overview = Overview(api), nodes = *NodesPage(api);
  EXPECT_THAT(overview, HasSubstr(warning));
  EXPECT_LT(overview.find(warning), overview.find("<h2>Running"));
  EXPECT_THAT(nodes,
              AllOf(HasSubstr(warning), HasSubstr("<span class=\"dim\">n-twin</span>"),
                    HasSubstr("another connected node has this name: n-twin at 10.0.0.7"),
                    HasSubstr("another connected node has this name: n-node-a at 10.0.0.7")));
  api.nodes.back().live.reachable = false;
  for (runtime::NodeView& node : api.nodes) node.same_name.clear();
  core::TellSameNames(&api.nodes);
  EXPECT_THAT(Overview(api), Not(HasSubstr("are called")));
  EXPECT_THAT(*NodesPage(api), Not(HasSubstr("has this name")));
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

TEST(Overview, EventsOfOneKind_AreFolded) {
  FakeApi api;
  const core::EventRow some = api.events.back();
  for (int i = 0; i < 100; ++i) {
    core::EventRow row = some;
    row.seq = api.events.back().seq.Next();
    row.kind = "NodeUnreachable";
    row.severity = "warning";
    row.text = "vm-" + std::to_string(i) + " is unreachable";
    api.events.push_back(row);
  }
  const std::string page = Overview(api);
  EXPECT_THAT(page, AllOf(HasSubstr("<summary>99 more NodeUnreachable</summary>"),
                          HasSubstr("vm-99 is unreachable"),
                          HasSubstr("cox events --kind NodeUnreachable")));
  EXPECT_LT(page.find("vm-99 is unreachable"), page.find("99 more NodeUnreachable"));
}

}  // namespace
}  // namespace coxswain::coordinator::http

#include "coordinator/http/pages.h"

#include <gmock/gmock.h>

#include "coordinator/http/json_views.h"
#include "fake_api.h"

namespace coxswain::coordinator::http {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

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
  std::vector<std::string> first = shown({}), last = shown({.page = 3, .name = "", .state = ""});
  ASSERT_EQ(first.size(), 100u);
  EXPECT_EQ(first.front(), "machine-250");
  EXPECT_EQ(first[1], "machine-1");
  ASSERT_EQ(last.size(), 50u);
  EXPECT_EQ(last.back(), "machine-249");
  EXPECT_EQ(shown({.page = 99, .name = "", .state = ""}), last);
  EXPECT_THAT(shown({.page = 1, .name = "-24", .state = ""}), testing::SizeIs(11));
  EXPECT_THAT(*NodesPage(api, {.page = 1, .name = "<x>", .state = ""}),
              AllOf(HasSubstr("No node has <code>&lt;x&gt;</code>"), HasSubstr("0 nodes")));
  EXPECT_THAT(*NodesPage(api, {.page = 2, .name = "machine", .state = ""}),
              HasSubstr("<a href=\"/nodes?page=3&amp;name=machine\">3</a>"));
}

TEST(Nodes, OneState_IsAFilter) {
  FakeApi api;
  api.nodes[0].row.Edit().draining = true;
  api.nodes[0].row.Edit().drain_reason = "new disk";
  api.nodes[0].live.jobs = {core::JobId(14)};
  const std::string all = *NodesPage(api);
  EXPECT_THAT(all, AllOf(HasSubstr("<b>All 2</b>"), HasSubstr("no new work: new disk"),
                         HasSubstr("<a href=\"/nodes?state=CORDONED\">CORDONED 1</a>"),
                         HasSubstr("<a href=\"/nodes?state=UNREACHABLE\">UNREACHABLE 1</a>")));
  const std::string lost = *NodesPage(api, {.page = 1, .name = "", .state = "UNREACHABLE"});
  EXPECT_THAT(lost, AllOf(HasSubstr("<section id=\"n-node-b\">"), Not(HasSubstr("n-node-a"))));
  EXPECT_THAT(*NodesPage(api, {.page = 1, .name = "", .state = "DRAINED"}),
              HasSubstr("No node that is DRAINED"));
  const auto wrong = NodesPage(api, {.page = 1, .name = "", .state = "LOST"});
  EXPECT_TRUE(absl::IsInvalidArgument(wrong.status()));
  EXPECT_THAT(std::string(wrong.status().message()),
              HasSubstr("state: found 'LOST', expected one of UNREACHABLE, CORDONED"));
}

// DRAINING is said only where something is being drained.
TEST(Nodes, CordonedDrainingAndDrained) {
  FakeApi api;
  runtime::NodeView node = api.nodes[0];
  node.live.jobs = {core::JobId(14)};
  EXPECT_EQ(NodeState(node), "READY");
  node.row.Edit().draining = true;
  EXPECT_EQ(NodeState(node), "CORDONED");  // what runs there goes on
  node.row.Edit().drain_by = api.now;
  EXPECT_EQ(NodeState(node), "DRAINING");
  node.live.jobs.clear();
  EXPECT_EQ(NodeState(node), "DRAINED");
  node.row.Edit().drain_by = {};
  EXPECT_EQ(NodeState(node), "DRAINED");
  node.row.Edit().cordoned = true;  // by the coordinator: nobody waits for it to be empty
  EXPECT_EQ(NodeState(node), "CORDONED");
  node.row.Edit().drain_reason = "3 jobs failed on it";
  api.nodes = {node};
  EXPECT_THAT(*NodesPage(api), HasSubstr("cordoned: 3 jobs failed on it"));
  EXPECT_THAT(Overview(api), HasSubstr("cordoned: 3 jobs failed on it"));
  node.live.reachable = false;
  EXPECT_EQ(NodeState(node), "UNREACHABLE");
  node.live.left = true;
  EXPECT_EQ(NodeState(node), "SHUT_DOWN");
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

}  // namespace
}  // namespace coxswain::coordinator::http

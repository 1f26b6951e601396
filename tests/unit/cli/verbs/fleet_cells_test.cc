#include "cli/verbs/fleet_cells.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/verbs/job_view.h"

namespace coxswain::cli::verbs {
namespace {

rpc::Node Node(const std::string& state) {
  rpc::Node node;
  node.name = "w1";
  node.state = state;
  node.cpu_slots = node.cpu_slots_free = 4;
  return node;
}

TEST(NodeCells, NothingIsFreeOnANodeThatIsAway) {
  EXPECT_EQ(NodeCells(Node("READY"))[1].text, "4/4");
  EXPECT_EQ(NodeCells(Node("UNREACHABLE"))[1].text, "-/4");
  EXPECT_EQ(NodeCells(Node("UNREACHABLE"))[2].text, "-/0");
  EXPECT_EQ(NodeCells(Node("SHUT_DOWN"))[1].text, "-/4");
}

TEST(Remarks, OfACordonedNode_SayWhatToDo) {
  rpc::Node node = Node("CORDONED");
  node.cordoned = true;
  node.reason = "2 different jobs failed here";
  EXPECT_EQ(
      Remarks(node),
      "cordoned: 2 different jobs failed here; `cox drain w1 --undo` lets it take work again");
}

TEST(OtherConditions, NotWhatTheReasonSays) {
  rpc::Job job;
  job.reason = "node a is unreachable; no checkpoint is taken";
  job.conditions = {"node a is unreachable", "node b is unreachable"};
  EXPECT_THAT(OtherConditions(job), testing::ElementsAre("node b is unreachable"));
}

}  // namespace
}  // namespace coxswain::cli::verbs

// If messages were lost or overtook each other where gRPC does not let them, checkers would find
// what cannot happen; if a break lost nothing, they would miss what can.
#include "sim/stream.h"

#include <gtest/gtest.h>

namespace coxswain::sim {
namespace {

using base::Duration;

struct StreamTest : testing::Test {
  void RunAll() {
    while (queue.RunNext()) {
    }
  }
  EventQueue queue;
  Dice dice{7};
  Path path{false, false, Duration(10), Duration(5000)};
  std::shared_ptr<Stream> stream = std::make_shared<Stream>(&queue, &dice, &path);
  std::string got, broken_worker, broken_coordinator;

  void Watch() {
    stream->worker().broken = [this](const std::string& why) { broken_worker = why; };
    stream->coordinator().broken = [this](const std::string& why) { broken_coordinator = why; };
  }
};

TEST_F(StreamTest, Messages_KeepTheirOrder) {
  for (char c = 'a'; c <= 'z'; ++c) stream->Up([this, c] { got += c; });
  RunAll();
  EXPECT_EQ(got, "abcdefghijklmnopqrstuvwxyz");
}

TEST_F(StreamTest, CutPath_HoldsInOrderAndLosesNothing) {
  path.cut_up = true;
  stream->Up([this] { got += "1"; });
  stream->Down([this] { got += "d"; });
  RunAll();
  EXPECT_EQ(got, "d");
  path.cut_up = false;
  stream->Up([this] { got += "2"; });  // must not overtake what is held
  RunAll();
  EXPECT_EQ(got, "d");
  stream->Flush();
  EXPECT_EQ(got, "d12");
}

TEST_F(StreamTest, ClosedEnd_IsToldAfterWhatWasSent) {
  Watch();
  stream->Up([this] { got += "last"; });
  stream->CloseAtWorker("gone");
  stream->Up([this] { got += "never"; });
  RunAll();
  EXPECT_EQ(got, "last");
  EXPECT_EQ(broken_coordinator, "gone");
  EXPECT_EQ(broken_worker, "");  // it closed itself
}

TEST_F(StreamTest, LostPower_TellsNobodyButKeepAliveDoes) {
  Watch();
  stream->CloseAtWorker("gone", true);
  queue.At(base::Time{} + base::seconds(10), [this] {
    EXPECT_EQ(broken_coordinator, "");
    EXPECT_TRUE(stream->coordinator().open);
  });
  RunAll();
  EXPECT_EQ(broken_coordinator, "keep-alive: the other side does not answer");
  EXPECT_FALSE(stream->coordinator().open);
}

TEST_F(StreamTest, ClosedWhileCut_KeepAliveTells) {
  Watch();
  path.cut_up = true;
  stream->CloseAtWorker("gone");
  RunAll();
  EXPECT_EQ(broken_coordinator, "keep-alive: the other side does not answer");
}

TEST_F(StreamTest, Break_LosesWhatIsOnItsWay) {
  Watch();
  stream->Up([this] { got += "lost"; });
  stream->Break("reset");
  RunAll();
  EXPECT_EQ(got, "");
  EXPECT_EQ(broken_worker, "reset");
  EXPECT_EQ(broken_coordinator, "reset");
}

}  // namespace
}  // namespace coxswain::sim

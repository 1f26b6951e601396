#include "sim/event_queue.h"

#include <gtest/gtest.h>

namespace coxswain::sim {
namespace {

using base::Duration;

TEST(EventQueue, Calls_ComeByTimeThenByAsking) {
  EventQueue queue;
  std::string order;
  queue.After(Duration(20), [&] { order += "c"; });
  queue.After(Duration(10), [&] { order += "a"; });
  queue.After(Duration(10), [&] { order += "b"; });
  base::Time begin = queue.now();
  while (queue.RunNext()) {
  }
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(queue.now() - begin, Duration(20));
}

TEST(EventQueue, PastTime_IsNow) {
  EventQueue queue;
  base::Time begin = queue.now();
  queue.At(begin - Duration(5), [] {});
  EXPECT_TRUE(queue.RunNext());
  EXPECT_EQ(queue.now(), begin);
  EXPECT_FALSE(queue.RunNext());
}

}  // namespace
}  // namespace coxswain::sim

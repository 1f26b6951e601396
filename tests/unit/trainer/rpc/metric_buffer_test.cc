#include "trainer/rpc/metric_buffer.h"

#include <gtest/gtest.h>

namespace coxswain::trainer {
namespace {

std::vector<protocol::MetricPoint> Points(int first, int count) {
  std::vector<protocol::MetricPoint> points(count);
  for (int i = 0; i < count; ++i) {
    points[i].name = "loss";
    points[i].step = first + i;
  }
  return points;
}

TEST(MetricBuffer, Points_LeaveInOrderAndGoWhenAcknowledged) {
  MetricBuffer buffer(1000);
  buffer.Add(Points(0, 3));
  const auto* batch = buffer.Next();
  ASSERT_NE(batch, nullptr);
  EXPECT_EQ(batch->sequence, 1u);
  ASSERT_EQ(batch->points.size(), 3u);
  EXPECT_EQ(batch->points[2].step, 2);
  EXPECT_EQ(buffer.Next(), nullptr);
  EXPECT_FALSE(buffer.empty());
  buffer.Acknowledge(1);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.settled(), 3u);
}

TEST(MetricBuffer, Unanswered_AreSentAgainAfterAReconnection) {
  MetricBuffer buffer(1000);
  buffer.Add(Points(0, 2));
  buffer.Next();
  buffer.Add(Points(2, 2));
  buffer.Next();
  buffer.Acknowledge(1);
  buffer.Reconnected();
  const auto* batch = buffer.Next();
  ASSERT_NE(batch, nullptr);
  EXPECT_EQ(batch->sequence, 2u);
  EXPECT_EQ(batch->points[0].step, 2);
}

TEST(MetricBuffer, FullWindow_WaitsForAnAnswer) {
  MetricBuffer buffer(100'000);
  int total = static_cast<int>(MetricBuffer::kBatchPoints * (MetricBuffer::kWindow + 1));
  buffer.Add(Points(0, total));
  for (size_t i = 0; i < MetricBuffer::kWindow; ++i) ASSERT_NE(buffer.Next(), nullptr);
  EXPECT_EQ(buffer.Next(), nullptr);
  buffer.Acknowledge(1);
  EXPECT_NE(buffer.Next(), nullptr);
}

TEST(MetricBuffer, OverTheLimit_ThinsTheOldestAndCounts) {
  MetricBuffer buffer(100);
  buffer.Add(Points(0, 80));
  buffer.Add(Points(80, 40));
  EXPECT_LE(buffer.size(), 100u);
  const auto* batch = buffer.Next();
  ASSERT_NE(batch, nullptr);
  EXPECT_EQ(batch->dropped + batch->points.size(), 120u);
  EXPECT_GT(batch->dropped, 0u);
  EXPECT_EQ(batch->points.back().step, 119);  // the newest stay
  EXPECT_EQ(batch->points.front().step, 1);   // every second of the oldest
  EXPECT_EQ(batch->points[1].step, 3);
  EXPECT_EQ(buffer.settled(), batch->dropped);
}

TEST(MetricBuffer, NeverAnswered_StaysBounded) {
  MetricBuffer buffer(10'000);
  for (int i = 0; i < 2000; ++i) {
    buffer.Add(Points(i * 50, 50));
    buffer.Next();
  }
  EXPECT_LE(buffer.size(), 10'000u);
  EXPECT_EQ(buffer.added(), 100'000u);
}

}  // namespace
}  // namespace coxswain::trainer

#include "common/rpc/send_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "coxswain/internal/v1/internal.pb.h"

namespace coxswain::rpc {
namespace {

using internal::v1::WorkerOrder;
using Queue = SendQueue<WorkerOrder>;

WorkerOrder Order(uint64_t term, size_t bytes = 0) {
  WorkerOrder order;
  order.set_term(term);
  if (bytes > 0) order.mutable_rejected()->set_reason(std::string(bytes, 'x'));
  return order;
}

std::vector<uint64_t> TermsOf(WorkerOrder order) {
  std::vector<uint64_t> terms;
  ForEachOf(order, [&](const WorkerOrder& each) { terms.push_back(each.term()); });
  return terms;
}

TEST(SendQueue, OneByOne_UnlessThePeerTakesSeveral) {
  Queue queue;
  for (uint64_t term : {1, 2, 3, 4}) queue.Push(Queue::Lane::kUrgent, Order(term));
  WorkerOrder out;
  ASSERT_TRUE(queue.Pop(&out));
  EXPECT_EQ(TermsOf(out), std::vector<uint64_t>{1});
  out.Clear();
  queue.SendTogether();
  ASSERT_TRUE(queue.Pop(&out));
  EXPECT_EQ(TermsOf(out), (std::vector<uint64_t>{2, 3, 4}));
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_FALSE(queue.Pop(&out));
}

TEST(SendQueue, LanesStayApart_AndALargeMessageGoesAlone) {
  Queue queue;
  queue.SendTogether();
  queue.Push(Queue::Lane::kBulk, Order(9));
  queue.Push(Queue::Lane::kUrgent, Order(1));
  queue.Push(Queue::Lane::kUrgent, Order(2, 100'000));
  queue.Push(Queue::Lane::kUrgent, Order(3));
  std::vector<std::vector<uint64_t>> sent;
  for (WorkerOrder out; queue.Pop(&out); out.Clear()) sent.push_back(TermsOf(out));
  EXPECT_EQ(sent, (std::vector<std::vector<uint64_t>>{{1}, {2}, {3}, {9}}));
  EXPECT_EQ(queue.bytes(), 0u);
}

}  // namespace
}  // namespace coxswain::rpc

#include "coordinator/core/task_places.h"

#include <gtest/gtest.h>

namespace coxswain::coordinator::core {
namespace {

base::NodeId Node(const char* id) { return base::NodeId(id); }

TEST(TaskPlaces, TheLeastBusy_AndOfEquals_TheFirst) {
  TaskPlaces places;
  EXPECT_EQ(places.LeastBusy(4), std::nullopt);
  places.Set(Node("b"), 1);
  places.Set(Node("c"), 1);
  places.Set(Node("a"), 2);
  EXPECT_EQ(places.LeastBusy(4), Node("b"));
  places.Set(Node("b"), 3);
  EXPECT_EQ(places.LeastBusy(4), Node("c"));
  places.Remove(Node("c"));
  EXPECT_EQ(places.LeastBusy(4), Node("a"));
  EXPECT_EQ(places.LeastBusy(2), std::nullopt);
  places.Remove(Node("a"));
  places.Remove(Node("a"));
  EXPECT_EQ(places.LeastBusy(4), Node("b"));
}

}  // namespace
}  // namespace coxswain::coordinator::core

#include "common/base/name_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace coxswain::base {
namespace {

TEST(NameOrder, NumbersByTheirValue) {
  std::vector<std::string> sorted = {"",       "a",       "a1",      "a01",
                                     "a2",     "a10",     "gpu-b",   "node-2",
                                     "node-9", "node-9b", "node-10", "node-12345678901234567890123",
                                     "zebra"};
  std::swap(sorted[2], sorted[3]);  // equal by value: by their bytes
  std::vector<std::string> names = sorted;
  do {
    std::rotate(names.begin(), names.begin() + 5, names.end());
    std::vector<std::string> again = names;
    std::sort(again.begin(), again.end(), NameBefore);
    EXPECT_EQ(again, sorted);
  } while (names != sorted);
  EXPECT_FALSE(NameBefore("a1", "a1"));
}

}  // namespace
}  // namespace coxswain::base

#include "coordinator/core/text.h"

#include <gtest/gtest.h>

namespace coxswain::coordinator::core {
namespace {

constexpr base::WallTime kNoon{int64_t{12} * 3600 * 1'000'000};

TEST(StartText, BeforeAndAfterTheTimeItIsExpectedAt) {
  EXPECT_EQ(StartText(kNoon + base::seconds(2400), kNoon), "it starts in about 40 min");
  EXPECT_EQ(StartText(kNoon, kNoon + base::seconds(10)), "it starts in less than a minute");
  EXPECT_EQ(StartText(kNoon, kNoon + base::seconds(11)),
            "it was expected to start by 12:00:00 UTC, and is overdue");
}

TEST(ReleaseText, BeforeAndAfterTheTimeItIsExpectedAt) {
  EXPECT_EQ(ReleaseText("j1 (mnist)", kNoon + base::seconds(2400), kNoon),
            "next release j1 (mnist) in about 40 min");
  EXPECT_EQ(ReleaseText("j1 (mnist)", kNoon, kNoon + base::seconds(10)),
            "next release j1 (mnist) in less than a minute");
  EXPECT_EQ(ReleaseText("j1 (mnist)", kNoon, kNoon + base::seconds(11)),
            "next release j1 (mnist) was expected by 12:00:00 UTC, and is overdue");
}

}  // namespace
}  // namespace coxswain::coordinator::core

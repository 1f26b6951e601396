#include "cli/rpc/coordinator_clock.h"

#include <gtest/gtest.h>

#include <cmath>

#include "common/base/clock.h"

namespace coxswain::cli::rpc {
namespace {

constexpr int64_t kHour = 3'600'000'000;

int64_t SecondsAhead() {
  return std::lround(static_cast<double>(CoordinatorNow().us - base::WallNow().us) / 1e6);
}

TEST(CoordinatorClock, WhatTheCallItselfTook_IsNoDifference) {
  const base::WallTime now = base::WallNow();
  HearClock({now.us - 9'000'000}, now, {now.us - 5'000'000});
  EXPECT_EQ(SecondsAhead(), 0);
  HearClock({now.us - 9'000'000}, now, {now.us + kHour});
  EXPECT_EQ(SecondsAhead(), kHour / 1'000'000) << "at least";
  HearClock({now.us - 9'000'000}, now, {now.us - kHour});
  EXPECT_EQ(SecondsAhead(), -kHour / 1'000'000 + 9) << "at least";
}

}  // namespace
}  // namespace coxswain::cli::rpc

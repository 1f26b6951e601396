#include "coordinator/core/scheduling/usage.h"

#include <gtest/gtest.h>

#include <cmath>

namespace coxswain::coordinator::core {
namespace {

TEST(Decayed, HalvesWithEveryHalfLife) {
  base::Duration day = base::seconds(86400);
  EXPECT_EQ(Decayed(1'000'000, day * 0, day), 1'000'000);
  EXPECT_EQ(Decayed(1'000'000, day, day), 500'000);
  EXPECT_EQ(Decayed(1'000'000, day * 3, day), 125'000);
  EXPECT_EQ(Decayed(1'000'000, day * 100, day), 0);
}

TEST(Decayed, InBetween_IsCloseToThePower) {
  base::Duration day = base::seconds(86400);
  for (int64_t hours = 0; hours < 72; ++hours) {
    double exact = 1e12 * std::exp2(-hours / 24.0);
    EXPECT_NEAR(static_cast<double>(Decayed(1'000'000'000'000, base::seconds(hours * 3600), day)),
                exact, exact * 1e-4);
  }
}

TEST(Decayed, ClockThatWentBack_TakesNothingAway) {
  EXPECT_EQ(Decayed(7, base::seconds(-3600), base::seconds(60)), 7);
  EXPECT_EQ(Decayed(-7, base::seconds(1), base::seconds(60)), 0);
}

TEST(ChargePerRank, IsWhatOthersAreDenied) {
  SchedulingSettings settings{.slots_per_gpu = 8};
  EXPECT_EQ(ChargePerRank({.cpus = 4, .gpus = 1}, settings), 8);
  EXPECT_EQ(ChargePerRank({.cpus = 12, .gpus = 1}, settings), 12);
  EXPECT_EQ(ChargePerRank({.cpus = 3, .gpus = 0}, settings), 3);
}

TEST(FairUse, WhatWasUsed_AndAnHourOfWhatIsHeld_ByWeight) {
  const SchedulingSettings settings{.slots_per_gpu = 8};
  const int64_t hour = 3'600'000;
  EXPECT_EQ(FairUse(10 * hour, {.cpus = 4, .gpus = 0}, {.weight = 1}, settings), 14 * hour);
  EXPECT_EQ(FairUse(10 * hour, {.cpus = 4, .gpus = 1}, {.weight = 2}, settings), 9 * hour);
  EXPECT_EQ(FairUse(0, {}, {.weight = 3}, settings), 0);
  EXPECT_EQ(SlotHours(hour + hour / 2), 1.5);
}

}  // namespace
}  // namespace coxswain::coordinator::core

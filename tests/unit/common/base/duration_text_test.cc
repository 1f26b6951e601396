#include "common/base/duration_text.h"

#include <gtest/gtest.h>

namespace coxswain::base {
namespace {

TEST(DurationText, TwoUnitsAtMost) {
  EXPECT_EQ(DurationText(seconds(-5)), "0 s");
  EXPECT_EQ(DurationText(milliseconds(1500)), "1.5 s");
  EXPECT_EQ(DurationText(seconds(41)), "41 s");
  EXPECT_EQ(DurationText(seconds(83)), "1 min 23 s");
  EXPECT_EQ(DurationText(seconds(120)), "2 min");
  EXPECT_EQ(DurationText(seconds(659)), "10 min");
  EXPECT_EQ(DurationText(seconds(7400)), "2 h 3 min");
  EXPECT_EQ(DurationText(seconds(36'000)), "10 h");
  EXPECT_EQ(DurationText(seconds(200'000)), "2 d 7 h");
  EXPECT_EQ(DurationText(seconds(172'800)), "2 d");
}

TEST(AboutText, IsRoundedToWhatAnEstimateKnows) {
  EXPECT_EQ(AboutText(seconds(59)), "less than a minute");
  EXPECT_EQ(AboutText(seconds(-5)), "less than a minute");
  EXPECT_EQ(AboutText(seconds(90)), "about 2 min");
  EXPECT_EQ(AboutText(seconds(2405)), "about 40 min");
  EXPECT_EQ(AboutText(seconds(7380)), "about 2 h 3 min");
  EXPECT_EQ(AboutText(seconds(86400 * 2 + 7 * 3600 + 1700)), "about 2 d 7 h");
  EXPECT_EQ(InText(seconds(2405)), "in about 40 min");
  EXPECT_EQ(InText(seconds(1)), "in less than a minute");
  EXPECT_EQ(InText(seconds(0)), "any moment");
}

}  // namespace
}  // namespace coxswain::base

#include "common/base/log_line.h"

#include <gtest/gtest.h>

namespace coxswain::base {
namespace {

constexpr char kOurs[] = "2026-11-21T17:08:53.851266Z warning cox-trainer[5294]: waiting: store";

TEST(IsOwnLogLine, KnowsTheStampTheLevelAndTheProgram) {
  EXPECT_TRUE(IsOwnLogLine(kOurs));
  EXPECT_TRUE(IsOwnLogLine("2026-11-21T17:08:53.851266Z error cox-shim[1]: x"));
  EXPECT_FALSE(IsOwnLogLine(""));
  EXPECT_FALSE(IsOwnLogLine("ValueError: b"));
  EXPECT_FALSE(IsOwnLogLine("error cox-trainer[5294]: x"));
  EXPECT_FALSE(IsOwnLogLine("2026-11-21T17:08:53.851266Z error train[5294]: x"));
  EXPECT_FALSE(IsOwnLogLine("2026-11-21T17:08:53.851266Z says cox-trainer[5294]: x"));
}

TEST(IsOwnLog, NoLineOfAnotherProgram) {
  EXPECT_TRUE(IsOwnLog(""));
  EXPECT_TRUE(IsOwnLog(std::string(kOurs) + "\n\n" + kOurs));
  EXPECT_FALSE(IsOwnLog(std::string(kOurs) + "\nboom\n"));
}

}  // namespace
}  // namespace coxswain::base

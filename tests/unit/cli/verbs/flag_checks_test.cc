#include "cli/verbs/flag_checks.h"

#include <gtest/gtest.h>

namespace coxswain::cli::verbs {
namespace {

TEST(FlagChecks, EmptyIsNotTheSameAsNoFlag) {
  EXPECT_EQ(WrongIfEmpty("j12"), "");
  EXPECT_EQ(WrongIfEmpty(""), "found nothing, expected a value (an unset variable?)");
}

TEST(FlagChecks, Counts) {
  for (const char* good : {"0", "12"}) EXPECT_EQ(WrongCount(good), "") << good;
  EXPECT_EQ(WrongCount("-1"), "found \"-1\", expected a whole number of 0 or more");
  for (const char* bad : {"", "x", "1.5", "+1"}) EXPECT_NE(WrongCount(bad), "") << bad;
}

TEST(FlagChecks, Keys) {
  EXPECT_EQ(WrongKey(std::string(128, 'k')), "");
  EXPECT_EQ(WrongKey(std::string(300, 'k')), "found 300 bytes, expected at most 128");
  EXPECT_NE(WrongKey(""), "");
}

TEST(FlagChecks, DrainTimesAreBounded) {
  for (const char* good : {"10m", "365d"}) EXPECT_EQ(WrongDrainTime(good), "") << good;
  for (const char* bad : {"1000d", "366d", "-5m", "0", "0s", "", "soon"}) {
    EXPECT_EQ(WrongDrainTime(bad), "found \"" + std::string(bad) +
                                       "\", expected a duration from now such as 10m or 2h, of at "
                                       "most 365d");
  }
}

TEST(FlagChecks, ReasonsAreOneShortLine) {
  EXPECT_EQ(WrongReason(""), "");
  EXPECT_EQ(WrongReason("new disk, \xc3\xbc"), "");
  EXPECT_EQ(WrongReason(std::string(500, 'r')), "");
  EXPECT_EQ(WrongReason(std::string(10'000, 'r')), "found 10,000 bytes, expected at most 500");
  for (const char* bad : {"two\nlines", "\x1b[31m", "\xc2\x9b", "\xff"}) {
    EXPECT_NE(WrongReason(bad).find("without control characters"), std::string::npos) << bad;
  }
}

}  // namespace
}  // namespace coxswain::cli::verbs

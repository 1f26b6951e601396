#include "common/log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coxswain::log {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

std::string WrittenBy(Level threshold, Level level, std::string_view text) {
  testing::internal::CaptureStderr();
  Init("cox-test", threshold);
  Write(level, text);
  return testing::internal::GetCapturedStderr();
}

TEST(Log, RecordHasTimeLevelProgramAndText) {
  EXPECT_THAT(WrittenBy(Level::kInfo, Level::kWarn, "disk 97 % full {}"),
              MatchesRegex("[0-9-]+T[0-9:]+\\.[0-9]+Z warning cox-test\\[[0-9]+\\]: "
                           "disk 97 % full \\{\\}\n"));
}

TEST(Log, LowerLevelsAreLeftOut) {
  EXPECT_EQ(WrittenBy(Level::kWarn, Level::kInfo, "quiet"), "");
  EXPECT_THAT(WrittenBy(Level::kDebug, Level::kDebug, "loud"), HasSubstr("loud"));
}

TEST(Log, OneRecordIsOneLine) { EXPECT_EQ(OneLine("a\nb\x1b[31mc\td"), "a\\nb\\x1b[31mc d"); }

TEST(Log, HiddenSecretsNeverAppear) {
  HideSecret("correct-horse-battery");
  EXPECT_THAT(WrittenBy(Level::kInfo, Level::kError, "token correct-horse-battery refused"),
              testing::AllOf(HasSubstr("token *** refused"), Not(HasSubstr("horse"))));
}

TEST(Log, ShortSecretsDoNotBlotOutWords) {
  HideSecret("to");
  EXPECT_EQ(OneLine("from a to b"), "from a to b");
}

TEST(Log, LevelsRoundTrip) {
  for (Level level : {Level::kDebug, Level::kInfo, Level::kWarn, Level::kError}) {
    EXPECT_EQ(ParseLevel(ToString(level)), level);
  }
  EXPECT_EQ(ParseLevel("loud"), std::nullopt);
}

}  // namespace
}  // namespace coxswain::log

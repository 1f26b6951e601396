#include "coordinator/core/handlers/exit_verdict.h"

#include <gtest/gtest.h>

#include "coordinator/core/handlers/job_end_handler.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

protocol::ExitRecord Code(int code) { return {.code = code}; }
protocol::ExitRecord Signal(int signal) { return {.signal = signal}; }

TEST(JudgeExit, TellsCausesApart) {
  EXPECT_EQ(JudgeExit(Code(0)).cause, Cause::kUser);  // premature
  EXPECT_EQ(JudgeExit(Code(1)).cause, Cause::kUser);
  EXPECT_EQ(JudgeExit(Code(10)).cause, Cause::kUser);
  EXPECT_EQ(JudgeExit(Code(11)).cause, Cause::kInfrastructure);
  EXPECT_EQ(JudgeExit(Code(12)).cause, Cause::kOutOfMemory);
  EXPECT_EQ(JudgeExit(Signal(9)).cause, Cause::kInfrastructure);
  EXPECT_EQ(JudgeExit(Signal(15)).cause, Cause::kInfrastructure);
  EXPECT_EQ(JudgeExit(Signal(11)).cause, Cause::kUser);
  EXPECT_EQ(JudgeExit({.signal = 9, .oom_killed = true}).cause, Cause::kOutOfMemory);
  EXPECT_EQ(JudgeExit({.code = 127, .note = "the program could not be started"}).cause,
            Cause::kInfrastructure);
}

TEST(JudgeExit, SurvivorsAreConsequences) {
  EXPECT_TRUE(JudgeExit(Code(11)).consequence);
  EXPECT_TRUE(JudgeExit({.signal = 15, .stopped_by_us = true}).consequence);
  EXPECT_FALSE(JudgeExit(Signal(9)).consequence);
  EXPECT_FALSE(JudgeExit(Code(1)).consequence);
}

TEST(JudgeExit, CodesOfAProgramOfTheUsers_AreItsOwn_AndMayBeTheLossOfAPeer) {
  for (int code : {1, 10, 11, 12, 13}) {
    ExitVerdict verdict = JudgeExit(Code(code), true);
    EXPECT_EQ(verdict.cause, Cause::kUser) << code;
    EXPECT_EQ(verdict.kind, protocol::FailureKind::kBug) << code;
    EXPECT_EQ(verdict.text, "ended with exit code " + std::to_string(code));
    EXPECT_TRUE(verdict.consequence) << "a lost node says more";
  }
  EXPECT_EQ(JudgeExit(Signal(9), true).cause, Cause::kInfrastructure);
}

TEST(JudgeExit, NamesTheSignal) { EXPECT_EQ(JudgeExit(Signal(11)).text, "crashed (SIGSEGV)"); }

TEST(LastWords, OnlyWhatMayTellWhy) {
  const std::string info =
      "2026-11-21T17:08:53.851266Z info cox-trainer[5294]: generation 1 formed";
  EXPECT_EQ(LastWords({.code = 1, .last_log = "a\nValueError: b\n"}, false), "ValueError: b");
  EXPECT_EQ(LastWords({.code = 1, .last_log = "ValueError: b\n" + info + "\n"}, false), "");
  EXPECT_EQ(LastWords({.signal = 11, .last_log = "assertion failed"}, false), "assertion failed");
  EXPECT_EQ(LastWords({.signal = 9, .last_log = "step 7"}, false), "");
  EXPECT_EQ(LastWords({.signal = 6, .oom_killed = true, .last_log = "step 7"}, false), "");
}

TEST(LastWords, OfAProgram_NotWhatTheTrainerSaysOfIt) {
  const std::string ours =
      "2026-11-21T17:08:53.851266Z error cox-trainer[25827]: the program ended with exit code 1\n";
  const std::string log = "a\nTraceback: ValueError boom\n" + ours;
  EXPECT_EQ(LastWords({.code = 1, .last_log = log}, true), "Traceback: ValueError boom");
  EXPECT_EQ(LastWords({.code = 1, .last_log = ours}, true), "");
  EXPECT_EQ(LastWords({.code = 10, .last_log = ours}, false), LastLine(ours));
}

TEST(BackOff, NoneThenDoublingToAMinute) {
  EXPECT_EQ(BackOff(1), base::seconds(0));
  EXPECT_EQ(BackOff(2), base::seconds(1));
  EXPECT_EQ(BackOff(3), base::seconds(2));
  EXPECT_EQ(BackOff(7), base::seconds(32));
  EXPECT_EQ(BackOff(8), base::seconds(60));
  EXPECT_EQ(BackOff(99), base::seconds(60));
}

TEST(Text, QuotesForJson) { EXPECT_EQ(JsonQuote("a\"b\\\n\x01"), "\"a\\\"b\\\\\\n\\u0001\""); }

TEST(Text, LastLineOfALog) {
  EXPECT_EQ(LastLine("first\nlast one\n\n"), "last one");
  EXPECT_EQ(LastLine("abcdef", 3), "abc...");
  EXPECT_EQ(LastLine(""), "");
}

}  // namespace
}  // namespace coxswain::coordinator::core

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/output/console.h"
#include "cli/output/table.h"
#include "cli/output/words.h"
#include "cli/output/yaml_text.h"

namespace coxswain::cli::output {
namespace {

const Terminal kPlain{};
const Terminal kColour{.tty = true, .colour = true, .unicode = true, .columns = 80};

TEST(Table, ColumnsAreAlignedAndEmptyCellsShown) {
  Table table({"ID", "STATE", "REASON"});
  table.Add({"j1", {"RUNNING", Colour::kCyan}, ""});
  table.Add({"j123", "PENDING", "needs 4,\n\xc2\x9bhas \xc3\xa9"});
  EXPECT_EQ(table.ToString(kPlain),
            "ID    STATE    REASON\n"
            "j1    RUNNING  -\n"
            "j123  PENDING  needs 4,\\n?has \xc3\xa9\n");
}

TEST(Table, ColoursDoNotDisturbTheColumns) {
  Table table({"A", "B"});
  table.Add({{"x", Colour::kRed}, "y"});
  EXPECT_EQ(table.ToString(kColour), "\033[1mA\033[0m  \033[1mB\033[0m\n\033[31mx\033[0m  y\n");
}

TEST(Fields, EmptyOnesAreLeftOut) {
  Fields fields;
  fields.Add("Name", "digits");
  fields.Add("Exit", "");
  fields.Add("Submitted", "today");
  EXPECT_EQ(fields.ToString(kPlain), "Name:      digits\nSubmitted: today\n");
}

TEST(Console, EscapeSequencesOfAJobNeverReachTheTerminal) {
  EXPECT_EQ(Harmless("a\x1b[31mb\x07\nc\td"), "a?[31mb?\nc\td");
}

TEST(Console, OtherControlCharactersAndBrokenBytesNeither) {
  EXPECT_EQ(Harmless("DEL \x7f, C1 \xc2\x9b, raw \x9b \xff"), "DEL ?, C1 ?, raw ? ?");
  EXPECT_EQ(Harmless("cut \xe2\x82"), "cut ??");
  EXPECT_EQ(Harmless("overlong \xc0\x8a \xe0\x80\x8a, surrogate \xed\xa0\x80"),
            "overlong ?? ???, surrogate ???");
  EXPECT_EQ(Harmless("\xe2\x80\xaereversed\xe2\x80\xa8"), "?reversed?");
  EXPECT_EQ(Harmless("\xc2\xa0 \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80"),
            "\xc2\xa0 \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80");
}

TEST(Console, WhatHasOneLineKeepsIt) {
  EXPECT_EQ(OneLine("red\x1b[31m\n2026-11-21  j1  forged\t!"),
            "red?[31m\\n2026-11-21  j1  forged\\t!");
}

TEST(Console, NoColourWhereTheTerminalShowsNone) {
  EXPECT_EQ(Paint(kPlain, Colour::kRed, "x"), "x");
  EXPECT_EQ(DisplayWidth("\xe2\x82\xac 5"), 3u);
}

TEST(Words, Numbers) {
  EXPECT_EQ(Count(0), "0");
  EXPECT_EQ(Count(999), "999");
  EXPECT_EQ(Count(1234567), "1,234,567");
  EXPECT_EQ(Count(-1000), "-1,000");
  EXPECT_EQ(Percent(0.8801), "88.01 %");
  EXPECT_EQ(Number(0.31219), "0.3122");
}

TEST(Words, Times) {
  EXPECT_EQ(Clock(41'200), "0:42");
  EXPECT_EQ(Clock(3'723'000), "1:02:03");
  EXPECT_EQ(Ago(1, 5'000'001), "5s ago");
  EXPECT_EQ(Ago(1, 7'200'000'001), "2h ago");
  EXPECT_EQ(Ago(0, 1), "");
}

TEST(Words, Exits) {
  EXPECT_EQ(ExitWords(3, 0), "code 3");
  EXPECT_EQ(ExitWords(0, 9), "signal 9 (Killed)");
}

TEST(YamlText, NestsAndQuotesWhatNeedsIt) {
  EXPECT_EQ(
      YamlFromJson(
          R"({"id":"j1","step":"412","on":"yes","loss":0.5,"list":[{"a":1,"b":[]},2],"empty":{}})"),
      "id: j1\nstep: \"412\"\n\"on\": \"yes\"\nloss: 0.5\nlist:\n  - a: 1\n    b: []\n  - "
      "2\nempty: {}\n");
}

TEST(YamlText, LinesBecomeABlock) {
  EXPECT_EQ(YamlFromJson(R"({"spec":"a: 1\n\nb: 2\n","odd":"x\ny"})"),
            "spec: |\n  a: 1\n\n  b: 2\nodd: \"x\\ny\"\n");
}

}  // namespace
}  // namespace coxswain::cli::output

#include "trainer/program/said_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

namespace coxswain::trainer::program {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string MistakeIn(std::string_view line) {
  return std::string(ParseSaid(line).status().message());
}

TEST(ParseSaid, CountsAndNumbersAndNestedOnes) {
  Said said = ParseSaid(R"({"step": 120, "epoch": 2, "epochs": 3, "total_steps": 4690.0,
                            "loss": 0.25, "eval": {"loss": 1, "note": "x"}, "name": "run"})")
                  .value();
  EXPECT_EQ(said.step, 120);
  EXPECT_EQ(said.epoch, 2);
  EXPECT_EQ(said.epochs, 3);
  EXPECT_EQ(said.total_steps, 4690);
  EXPECT_FALSE(said.checkpoint);
  EXPECT_THAT(said.numbers, ElementsAre(Pair("eval.loss", 1), Pair("loss", 0.25)));
}

TEST(ParseSaid, WordsOfPythonForNumbers_OutsideOfTextsAlone) {
  Said said =
      ParseSaid(R"({"a": NaN, "b": -Infinity, "c": [Infinity], "d": "NaN \\", "e": NaN})").value();
  ASSERT_EQ(said.numbers.size(), 3u);
  EXPECT_TRUE(std::isnan(said.numbers[0].second));
  EXPECT_EQ(said.numbers[1].second, -INFINITY);
  EXPECT_EQ(said.numbers[2].first, "e");
}

TEST(ParseSaid, MistakesSayWhatWasFound) {
  EXPECT_EQ(MistakeIn("step 4"), "not JSON");
  EXPECT_THAT(MistakeIn("[1]"), HasSubstr("expected an object"));
  EXPECT_THAT(MistakeIn(R"({"step": -1})"), HasSubstr("'step': found -1, expected a whole number"));
  EXPECT_THAT(MistakeIn(R"({"step": 1.5})"), HasSubstr("found 1.5"));
  EXPECT_THAT(MistakeIn(R"({"step": 1e300})"), HasSubstr("expected a whole number"));
  EXPECT_THAT(MistakeIn(R"({"step": "4"})"), HasSubstr(R"(found "4")"));
  EXPECT_EQ(MistakeIn(R"({"checkpoint": "x"})"), "a checkpoint needs its 'step'");
  EXPECT_THAT(MistakeIn(R"({"step": 1, "checkpoint": ""})"), HasSubstr("the path of a folder"));
}

class SaidFileTest : public ::testing::Test {
 protected:
  SaidFileTest()
      : path_(std::filesystem::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove(path_);
  }
  void Append(const std::string& text) { std::ofstream(path_, std::ios::app) << text; }
  std::vector<int64_t> Steps(SaidFile& file) {
    std::vector<int64_t> steps;
    for (const Said& said : file.Read(&mistakes_)) steps.push_back(said.step.value_or(-1));
    return steps;
  }

  const std::filesystem::path path_;
  std::vector<std::string> mistakes_;
};

TEST_F(SaidFileTest, WholeLinesAlone_AsTheFileGrows) {
  SaidFile file(path_);
  EXPECT_THAT(Steps(file), IsEmpty()) << "it is not there yet";
  Append("{\"step\": 1}\n{\"ste");
  EXPECT_THAT(Steps(file), ElementsAre(1));
  Append("p\": 2}\n\n{\"step\": 3}\n");
  EXPECT_THAT(Steps(file), ElementsAre(2, 3));
  EXPECT_THAT(mistakes_, IsEmpty());
}

TEST_F(SaidFileTest, WhatCannotBeRead_IsToldWithItsLine) {
  SaidFile file(path_);
  Append("{\"step\": 1}\nhello\n{\"step\": 2}\n");
  EXPECT_THAT(Steps(file), ElementsAre(1, 2));
  EXPECT_THAT(mistakes_, ElementsAre("line 2 (hello): not JSON"));
}

TEST_F(SaidFileTest, MoreThanOneCallTakes_IsLeftForTheNext) {
  std::string many;
  for (size_t i = 0; i < SaidFile::kMostLines + 3; ++i) many += "{\"step\": 7}\n";
  Append(many);
  SaidFile file(path_);
  EXPECT_EQ(Steps(file).size(), SaidFile::kMostLines);
  EXPECT_EQ(Steps(file).size(), 3u);
}

}  // namespace
}  // namespace coxswain::trainer::program

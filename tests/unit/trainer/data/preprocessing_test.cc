#include "trainer/engine/data/table/preprocessing.h"

#include <gmock/gmock.h>

#include "tests/unit/trainer/data/fake_table.h"

namespace coxswain::trainer::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

config::TableData ClassSpec() {
  config::TableData spec;
  spec.target = "row";  // as a class: row % 4
  return spec;
}

TEST(FitPreprocessing, GivesMeansOfTheTrainingRows_AndSortedNames) {
  auto source = MakeSource(TwoFakes(), ClassSpec());
  auto fitted = FitPreprocessing(*source, nullptr);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  double sum = 0, squares = 0;
  for (int row = 0; row < 103; ++row) sum += row % 7 * 1.5 - 3;
  for (int row = 0; row < 103; ++row) squares += std::pow(row % 7 * 1.5 - 3 - sum / 103, 2);
  EXPECT_NEAR(fitted->numeric[0].mean, sum / 103, 1e-14);
  EXPECT_NEAR(fitted->numeric[0].std, std::sqrt(squares / 103), 1e-13);
  EXPECT_NEAR(fitted->numeric[1].mean, 51, 1e-13);
  EXPECT_THAT(fitted->categorical[0].values, ElementsAre("a", "b"));
  EXPECT_THAT(fitted->classes, ElementsAre("0", "1", "2", "3"));
  EXPECT_THAT(fitted->class_counts, ElementsAre(26, 26, 26, 25));
  EXPECT_EQ(fitted->Shape(), (SampleShape{.dense = {2}, .categories = {3}, .classes = 4}));
}

TEST(FitPreprocessing, IsTheSameBytesEachTime_AndComesBackFromThem) {
  auto source = MakeSource(TwoFakes(), ClassSpec());
  const std::string json = ToJson(*FitPreprocessing(*source, nullptr));
  EXPECT_EQ(ToJson(*FitPreprocessing(*source, nullptr)), json);
  auto parsed = ParsePreprocessing(json);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(ToJson(*parsed), json);
  EXPECT_EQ(WhyOtherColumns(*parsed, source->columns()), "");
  EXPECT_EQ(WhatChanged(*parsed, *source), "");
  EXPECT_THAT(WhatChanged(*parsed, *MakeSource({TwoFakes()[0]}, ClassSpec())),
              "there were 2 files and there are 1");
  auto longer = std::make_shared<FakeTable>("one", 0, std::vector<int64_t>{20, 1, 31});
  EXPECT_THAT(WhatChanged(*parsed, *MakeSource({longer, TwoFakes()[1]}, ClassSpec())),
              "one had 51 rows and has 52");
  EXPECT_FALSE(ParsePreprocessing("{}").ok());
}

TEST(FitPreprocessing, OfARegression_HasTheTargetsMean) {
  config::TableData spec = FakeSpec();
  spec.standardize = true;
  auto fitted = FitPreprocessing(*MakeSource(TwoFakes(), spec), nullptr);
  ASSERT_TRUE(fitted.ok());
  EXPECT_NEAR(fitted->target.mean, 51, 1e-12);
  EXPECT_NEAR(fitted->target.std, std::sqrt((103 * 103 - 1) / 12.0), 1e-12);
  auto parsed = ParsePreprocessing(ToJson(*fitted));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->target, fitted->target);
  EXPECT_FALSE(parsed->columns.classes);
}

TEST(TableValues, ThatAreUnfit_AreNamedByFileRowGroupColumnAndRow) {
  auto fakes = TwoFakes();
  fakes[1]->nan_row = 93;  // the third of file two's second group
  auto fitted = FitPreprocessing(*MakeSource(fakes, ClassSpec()), nullptr);
  EXPECT_TRUE(absl::IsFailedPrecondition(fitted.status()));
  EXPECT_THAT(std::string(fitted.status().message()),
              AllOf(StartsWith("spec.data.train.files: two: row group 1, row 2 of it (row 42 of "
                               "the file, counted from 0), column 'y': found NaN"),
                    HasSubstr("spec.data.nan")));
  fakes[1]->nan_row = -1;
  fakes[0]->infinite_row = 0;
  fitted = FitPreprocessing(*MakeSource(fakes, ClassSpec()), nullptr);
  EXPECT_THAT(std::string(fitted.status().message()), HasSubstr("found an infinite number"));
  fakes[0]->infinite_row = -1;
  fakes[0]->null_row = 20;
  fitted = FitPreprocessing(*MakeSource(fakes, ClassSpec()), nullptr);
  EXPECT_THAT(std::string(fitted.status().message()),
              AllOf(HasSubstr("one: row group 1, row 0 of it (row 20 of the file"),
                    HasSubstr("found no value"), HasSubstr("spec.data.nulls: mean")));
}

TEST(TableValues, ThatAreMissing_AreTheMeanOrZeroIfTheJobSaysSo) {
  auto fakes = TwoFakes();
  fakes[0]->null_row = 20;
  fakes[1]->nan_row = 93;
  config::TableData spec = ClassSpec();
  spec.nan_is_null = true;
  for (config::Nulls nulls : {config::Nulls::kMean, config::Nulls::kZero}) {
    spec.nulls = nulls;
    std::shared_ptr<TableSource> source = MakeSource(fakes, spec);
    auto fitted = FitPreprocessing(*source, nullptr);
    ASSERT_TRUE(fitted.ok()) << fitted.status();
    auto by = std::make_shared<Preprocessing>(*fitted);
    auto set = MakeTableDataset(source, by, {});
    ASSERT_TRUE(set.ok());
    Rows rows;
    ASSERT_TRUE((*set)->MakeReader({1, true})->Read(-1, 0, 103, rows).ok());
    const auto* values = reinterpret_cast<const double*>(rows.dense.data());
    const double expected =
        nulls == config::Nulls::kMean ? 0 : -by->numeric[1].mean / by->numeric[1].std;
    EXPECT_DOUBLE_EQ(values[2 * 20 + 1], expected);
    EXPECT_DOUBLE_EQ(values[2 * 93 + 1], expected);
    EXPECT_DOUBLE_EQ(values[2 * 50 + 1], (50 - by->numeric[1].mean) / by->numeric[1].std);
    // b, a, missing: 2, 1, 0.
    EXPECT_THAT(std::vector<int64_t>(rows.ids.begin(), rows.ids.begin() + 4),
                ElementsAre(2, 1, 0, 2));
    EXPECT_THAT(std::vector<int64_t>(rows.labels.begin(), rows.labels.begin() + 5),
                ElementsAre(0, 1, 2, 3, 0));
  }
}

TEST(TableValues, AClassThatTrainingHasNotSeen_IsNamed) {
  auto source = MakeSource(TwoFakes(), ClassSpec());
  auto by = std::make_shared<Preprocessing>(*FitPreprocessing(*source, nullptr));
  by->classes = {"0", "1", "3"};
  auto set = MakeTableDataset(source, by, {});
  EXPECT_THAT(std::string(set.status().message()),
              AllOf(HasSubstr("row 2 of it"), HasSubstr("found the class '2'"),
                    HasSubstr("expected one of 0, 1, 3")));
}

TEST(FitPreprocessing, NumbersTooLargeToBeSpread_AreNamedByColumn) {
  auto fakes = TwoFakes();
  fakes[0]->large_row = 3;
  auto fitted = FitPreprocessing(*MakeSource(fakes, ClassSpec()), nullptr);
  EXPECT_TRUE(absl::IsFailedPrecondition(fitted.status())) << fitted.status();
  EXPECT_THAT(std::string(fitted.status().message()),
              StartsWith("spec.data.train.files: column 'y' has numbers so large that their "
                         "standard deviation is beyond"));
  config::TableData spec = FakeSpec();
  spec.standardize = true;
  spec.target = "y";
  fitted = FitPreprocessing(*MakeSource(fakes, spec), nullptr);
  EXPECT_THAT(std::string(fitted.status().message()), HasSubstr("the target 'y' has numbers so"));
}

TEST(FitPreprocessing, WholeNumbersThatAreRounded_AreWarnedOfOnceByColumn) {
  auto fakes = TwoFakes();
  for (auto& fake : fakes) fake->rounds = true;
  auto fitted = FitPreprocessing(*MakeSource(fakes, ClassSpec()), nullptr);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  ASSERT_EQ(fitted->warnings.size(), 1);
  EXPECT_THAT(fitted->warnings.front(),
              AllOf(StartsWith("spec.data.train.files: one: row group 0, row 2 of it"),
                    HasSubstr("column 'y': found 9007199254740993, a whole number beyond 2^53")));
}

TEST(FitPreprocessing, OneClassAlone_IsRefused) {
  config::TableData spec;
  spec.target = "kind";
  auto only = std::make_shared<FakeTable>("f", 0, std::vector<int64_t>{1});
  auto fitted = FitPreprocessing(*MakeSource({only}, spec), nullptr);
  EXPECT_THAT(std::string(fitted.status().message()),
              HasSubstr("the target 'kind' is 'b' in every one of the 1 rows"));
}

TEST(ChooseColumns, TakesNumbersAndTextsButNotTimes) {
  auto columns = ChooseColumns(ClassSpec(), *TwoFakes()[0]);
  ASSERT_TRUE(columns.ok());
  EXPECT_THAT(columns->numeric, ElementsAre("x", "y"));
  EXPECT_THAT(columns->categorical, ElementsAre("kind"));
}

TEST(ChooseColumns, SaysWhichIsWrong_AndTheNearest) {
  auto wrong = [](const config::TableData& spec) {
    return std::string(ChooseColumns(spec, *TwoFakes()[0]).status().message());
  };
  config::TableData spec = ClassSpec();
  spec.target = "rwo";
  EXPECT_THAT(wrong(spec), AllOf(StartsWith("spec.data.target: one has no column 'rwo'"),
                                 HasSubstr("did you mean 'row'")));
  spec = ClassSpec();
  spec.numeric = {"kind"};
  EXPECT_THAT(wrong(spec),
              StartsWith("spec.data.columns.numeric: the column 'kind' of one is of type string"));
  spec.numeric = {"x", "z z z"};
  EXPECT_THAT(wrong(spec), HasSubstr("it has x, y, kind, row, day"));
  spec = ClassSpec();
  spec.target = "kind";
  spec.task = config::TableTask::kRegression;
  EXPECT_THAT(wrong(spec), HasSubstr("spec.data.task is regression"));
  spec.target = "day";
  spec.numeric = {"day"};
  EXPECT_EQ(wrong(spec), "");
}

TEST(CheckSameColumns, NamesTheFileThatDiffers) {
  auto fakes = TwoFakes();
  auto columns = ChooseColumns(ClassSpec(), *fakes[0]);
  EXPECT_TRUE(CheckSameColumns(*columns, *fakes[0], *fakes[1]).ok());
  fakes[1]->columns_[1] = {"y", "string", ColumnKind::kText};
  EXPECT_EQ(std::string(CheckSameColumns(*columns, *fakes[0], *fakes[1]).message()),
            "the column 'y' of two is of type string, in one it is double");
  fakes[1]->columns_[1].name = "Y";
  EXPECT_THAT(
      std::string(CheckSameColumns(*columns, *fakes[0], *fakes[1]).message()),
      AllOf(StartsWith("two has no column 'y' (did you mean 'Y'?)"), HasSubstr("one has it")));
}

TEST(SortNames, WholeNumbersByValue_OthersByBytes) {
  std::vector<std::string> names = {"10", "9", "-1"};
  SortNames(&names);
  EXPECT_THAT(names, ElementsAre("-1", "9", "10"));
  names = {"10", "9", "b", "B"};
  SortNames(&names);
  EXPECT_THAT(names, ElementsAre("10", "9", "B", "b"));
}

}  // namespace
}  // namespace coxswain::trainer::data

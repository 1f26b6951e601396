// spec.data of tables: its keys, and those of other formats beside them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/config/example_job.h"

namespace coxswain::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string TableJob(const std::string& data, const std::string& more = "") {
  return "apiVersion: coxswain/v1\nkind: TrainingJob\nmetadata: {name: iris}\nspec:\n" + more +
         "  data:\n    format: csv\n    train: {files: [iris.csv, s3://bucket/more/]}\n" + data;
}

TEST(TableSection, DefaultsAndAnMlp) {
  const JobSpec job = Parsed(TableJob("    target: kind\n")).spec;
  EXPECT_THAT(job.data.table.files, ElementsAre("iris.csv", "s3://bucket/more/"));
  EXPECT_EQ(job.model.recipe, Recipe::kMlp);
  EXPECT_EQ(job.data.table.task, TableTask::kClassification);
  EXPECT_EQ(job.data.table.nulls, Nulls::kRefuse);
  EXPECT_EQ(job.data.table.buffer_bytes, 1 << 30);
  EXPECT_FALSE(job.data.HasEvaluation());
}

TEST(TableSection, TakesColumnsAndWeights) {
  const JobSpec job =
      Parsed(
          TableJob("    target: kind\n    columns: {numeric: [a b, c], categorical: [d]}\n"
                   "    evaluate: {fraction: 0.25}\n    nulls: mean\n    nan: 'null'\n"
                   "    delimiter: ';'\n    buffer: 64MiB\n  train: {class_weights: [1, 2.5]}\n"))
          .spec;
  EXPECT_THAT(job.data.table.numeric, ElementsAre("a b", "c"));
  EXPECT_THAT(job.data.table.categorical, ElementsAre("d"));
  EXPECT_EQ(job.data.table.evaluate_fraction, 0.25);
  EXPECT_TRUE(job.data.table.nan_is_null);
  EXPECT_THAT(job.train.class_weights, ElementsAre(1, 2.5));
  EXPECT_TRUE(job.data.HasEvaluation());
}

TEST(TableSection, SaysWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"    nulls: mean\n", "missing key 'target' in spec.data"},
      {"    target: a\n    classes: 3\n",
       "spec.data.classes: belongs to format idx, but spec.data.format is csv"},
      {"    target: a\n    evaluate: {images: x, fraction: 0.5}\n",
       "spec.data.evaluate.images: belongs to"},
      {"    target: a\n    evaluate: {files: [x], fraction: 0.1}\n", "cannot stand beside 'files'"},
      {"    target: a\n    evaluate: {}\n", "missing key 'files' in spec.data.evaluate"},
      {"    target: a\n    evaluate: {files: []}\n", "found an empty list"},
      {"    target: a\n    columns: {numeric: [a]}\n", "\"a\", which is the target"},
      {"    target: a\n    columns: {numeric: [b], categorical: [b]}\n", "\"b\" twice"},
      {"    target: a\n    delimiter: ';;'\n", "expected one character"},
      {"    target: a\n    nulls: median\n", "expected one of refuse, mean, zero"},
      {"    target: a\n  model: {recipe: cnn}\n",
       "the data (spec.data.format: csv) is a table, which is for the mlp"},
      {"    target: a\n    task: regression\n  train: {label_smoothing: 0.1}\n",
       "spec.train.label_smoothing: belongs to classes, but spec.data.task is regression"},
      {"    target: a\n    task: regression\n  train: {class_weights: balanced}\n",
       "spec.data.task is regression"},
      {"    target: a\n  train: {class_weights: [1, x]}\n", "found \"x\" in the list"},
  };
  for (const auto& [data, expected] : cases) {
    EXPECT_THAT(MistakesIn(TableJob(data)), ElementsAre(HasSubstr(expected))) << data;
  }
  EXPECT_THAT(MistakesIn(Replaced("    train: {images", "    target: x\n    train: {images")),
              ElementsAre(HasSubstr("spec.data.target: belongs to format parquet or csv")));
  EXPECT_THAT(MistakesIn(Replaced("epochs: 3", "epochs: 3\n    class_weights: [1, 2]")),
              ElementsAre(HasSubstr("found 2 numbers, expected 10")));
  EXPECT_THAT(MistakesIn("apiVersion: coxswain/v1\nkind: TrainingJob\nmetadata: {name: a}\nspec:\n"
                         "  model: {recipe: gpt}\n  data: {format: text, train: {files: [a.txt]}, "
                         "sequence_length: 8}\n"
                         "  train: {class_weights: balanced}\n"),
              ElementsAre(HasSubstr("class_weights: belongs to classes")));
}

TEST(TableSection, PathsBecomeAbsolute_TheRestOfTheListStays) {
  const std::string yaml =
      TableJob("    target: kind\n    evaluate: {files: [\"it's, [odd].csv\"]}\n");
  const auto overrides = AbsolutePathOverrides(Parsed(yaml).spec, "/data");
  const JobSpec job = Parsed(yaml, overrides).spec;
  EXPECT_THAT(job.data.table.files, ElementsAre("file:///data/iris.csv", "s3://bucket/more/"));
  EXPECT_THAT(job.data.table.evaluate_files, ElementsAre("file:///data/it's, [odd].csv"));
  EXPECT_THAT(AbsolutePathOverrides(job, "/elsewhere"), IsEmpty());
}

}  // namespace
}  // namespace coxswain::config

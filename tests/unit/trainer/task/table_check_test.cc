// The check of a job whose data is a table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "trainer/task/task.h"

namespace coxswain::trainer::task {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TableCheckTest : public ::testing::Test {
 protected:
  TableCheckTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "table-checkXXXXXX";
    folder_ = mkdtemp(pattern.data());
    Write("a.csv", "age,town,fare\n10,Ulm,1\n20,Bonn,2\n");
    Write("b.csv", "age,town,fare\n30,Ulm,1\n");
  }
  ~TableCheckTest() override { std::filesystem::remove_all(folder_); }

  std::string At(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(At(name)) << text;
  }
  protocol::TaskEnded Check(const std::string& data = "target: town",
                            const std::string& argument = "{}") {
    protocol::StartTask task;
    task.kind = protocol::TaskKind::kCheck;
    task.argument = argument;
    task.spec_yaml =
        "apiVersion: coxswain/v1\nkind: TrainingJob\nmetadata: {name: t}\nspec:\n  workers: 2\n"
        "  data: {format: " +
        format_ + ", train: {files: ['" + At("*.csv") + "']}, " + data +
        "}\n  checkpoint: {store: 'file://" + At("store") + "'}\n";
    return RunTask(task, "");
  }
  void ExpectUserError(const std::string& data, const ::testing::Matcher<std::string>& text) {
    protocol::TaskEnded ended = Check(data);
    EXPECT_FALSE(ended.ok);
    EXPECT_TRUE(ended.user_error);
    EXPECT_THAT(ended.error, text);
  }

  std::string folder_, format_ = "csv";
};

TEST_F(TableCheckTest, GoodTables_AreCounted) {
  protocol::TaskEnded ended = Check();
  EXPECT_TRUE(ended.ok) << ended.error;
  EXPECT_THAT(ended.result, StartsWith(R"({"train_samples":3,"numeric_columns":2,)"
                                       R"("categorical_columns":0,)"));
}

TEST_F(TableCheckTest, ColumnsThatAreNotThere_AreNamedWithTheNearest) {
  ExpectUserError("target: twon", AllOf(StartsWith("spec.data.target: "), HasSubstr("'twon'"),
                                        HasSubstr("did you mean 'town'")));
  ExpectUserError("target: town, columns: {numeric: [Age]}",
                  AllOf(StartsWith("spec.data.columns.numeric: "), HasSubstr("'age'")));
  ExpectUserError("target: fare, task: regression, columns: {numeric: [town]}",
                  HasSubstr("the column 'town' of file://" + At("a.csv") + " is of type text"));
}

TEST_F(TableCheckTest, FilesThatAreMissingEmptyCutOrDiffer_AreNamed) {
  Write("b.csv", "age,Town,fare\n30,Ulm,1\n");
  ExpectUserError("target: town",
                  AllOf(StartsWith("spec.data.train.files: file://" + At("b.csv")),
                        HasSubstr("did you mean 'Town'"), HasSubstr("a.csv has it")));
  Write("b.csv", "");
  ExpectUserError("target: town", HasSubstr(At("b.csv") + ": the file is empty"));
  Write("b.csv", "age,town,fare\n30,\"Ul");
  ExpectUserError("target: town", HasSubstr("does not end: the file is cut short"));
  Write("b.csv", "age,town,fare\nold,Ulm,1\n");
  ExpectUserError("target: town", HasSubstr("the column 'age' of file://" + At("b.csv") +
                                            " is of type text, in file://" + At("a.csv")));
  Write("b.csv", "age,town,fare\n30,Ulm,1\n");
  ExpectUserError("target: town, evaluate: {files: [" + At("test.csv") + "]}",
                  AllOf(StartsWith("spec.data.evaluate.files: "), HasSubstr("no such file")));
  format_ = "parquet";
  ExpectUserError("target: town",
                  AllOf(HasSubstr(At("a.csv")), HasSubstr("not a whole Parquet file")));
}

TEST_F(TableCheckTest, RowsCountAsMemory_WhereTheyAreKept) {
  std::string rows = "age,town,fare\n";
  for (int i = 0; i < 5'000; ++i) rows += "10,Ulm,1\n";
  Write("b.csv", rows);
  const std::string machine = R"({"machine": {"memory": 50000, "ranks": 1}})";
  protocol::TaskEnded ended = Check("target: town", machine);
  EXPECT_TRUE(ended.user_error);
  EXPECT_THAT(ended.error, AllOf(StartsWith("spec.data.buffer: each rank needs at least "),
                                 HasSubstr("and 117.23KiB for rows of its data"),
                                 HasSubstr("make the buffer smaller")));
  EXPECT_TRUE(Check("target: town", R"({"machine": {"memory": 500000, "ranks": 1}})").ok);
}

TEST_F(TableCheckTest, TooFewRows_AreRefused) {
  ExpectUserError("target: town, evaluate: {fraction: 0.0001}",
                  StartsWith("spec.data.evaluate.fraction: gives no row"));
  std::filesystem::remove(At("b.csv"));
  Write("a.csv", "age,town,fare\n10,Ulm,1\n");
  ExpectUserError("target: town", HasSubstr("found 1 rows to train on, expected at least 2"));
}

}  // namespace
}  // namespace coxswain::trainer::task

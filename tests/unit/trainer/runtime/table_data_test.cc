#include "trainer/runtime/table_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "trainer/runtime/table_files.h"

namespace coxswain::trainer {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TableDataTest : public ::testing::Test {
 protected:
  TableDataTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "table-dataXXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(At("rides/more"));
    Write("rides/b.csv", "age,town,fare\n31,Ulm,2\n52,Bonn,3\n");
    Write("rides/a.csv", "age,town,fare\n10,Ulm,1\n");
    Write("rides/more/c.csv", "fare,age,town\n9,20,Kiel\n");
    Write("rides/_notes.csv", "x\n");
    Write("rides/readme.txt", "x\n");
    spec_.format = "csv";
    spec_.table.files = {"file://" + At("rides")};
    spec_.table.target = "town";
  }
  ~TableDataTest() override { std::filesystem::remove_all(folder_); }

  std::string At(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(At(name)) << text;
  }
  absl::StatusOr<std::unique_ptr<JobData>> Read(bool keep = false) {
    return ReadJobData(spec_, keep ? JobPlace{"file://" + At("store"), "c/j1"} : JobPlace(), {});
  }
  std::string Why() { return std::string(Read().status().message()); }

  std::string folder_;
  config::Data spec_;
};

TEST_F(TableDataTest, FilesFoldersAndPatterns_InTheOrderOfNames) {
  auto find = [&](std::vector<std::string> uris) {
    for (std::string& uri : uris) uri = "file://" + At(uri);
    return FindTableFiles(uris, "csv", {});
  };
  EXPECT_THAT(*find({"rides"}),
              ElementsAre(EndsWith("/a.csv"), EndsWith("/b.csv"), EndsWith("/more/c.csv")));
  EXPECT_THAT(*find({"rides/"}), testing::SizeIs(3));
  EXPECT_THAT(*find({"rides/?.csv"}), ElementsAre(EndsWith("/a.csv"), EndsWith("/b.csv")));
  EXPECT_THAT(*find({"rides/readme.txt", "rides/b.csv"}),
              ElementsAre(EndsWith("readme.txt"), EndsWith("b.csv")));
  EXPECT_TRUE(absl::IsNotFound(find({"rides/z*.csv"}).status()));
  EXPECT_TRUE(absl::IsNotFound(find({"rode"}).status()));
  EXPECT_FALSE(find({"r*/b.csv"}).ok());
}

TEST_F(TableDataTest, RowsOfAllFiles_ByNameOfTheirColumns) {
  spec_.table.evaluate_files = {"file://" + At("rides/b.csv")};
  auto data = Read();
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ((*data)->train->size(), 4);
  EXPECT_EQ((*data)->evaluate->size(), 2);
  EXPECT_THAT((*data)->train->ClassCounts(), ElementsAre(1, 1, 2));  // Bonn, Kiel, Ulm
  data::Rows rows;
  ASSERT_TRUE((*data)->train->MakeReader({1, true})->Read(-1, 0, 4, rows).ok());
  EXPECT_THAT(rows.labels, ElementsAre(2, 2, 0, 1));
  const auto* values = reinterpret_cast<const double*>(rows.dense.data());
  EXPECT_DOUBLE_EQ(
      values[0],
      (10 - 28.25) / std::sqrt((18.25 * 18.25 + 2.75 * 2.75 + 23.75 * 23.75 + 8.25 * 8.25) / 4));
}

TEST_F(TableDataTest, PreprocessingIsWorkedOutOnce_AndKept) {
  auto first = Read(true);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(std::filesystem::exists(At("store/c/j1/preprocessing.json")));
  Write("rides/a.csv", "age,town,fare\n99,Ulm,1\n99,Ulm,7\n");
  auto second = Read(true);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)->preprocessing, (*first)->preprocessing);
  EXPECT_EQ((*second)->train->size(), 5);
  EXPECT_NE((*Read())->preprocessing, (*first)->preprocessing);
  // Another job takes it on.
  spec_.table.preprocessing = "file://" + At("store/c/j1/preprocessing.json");
  auto given = Read();
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ((*given)->train->Describe().input, (*first)->train->Describe().input);
  spec_.table.target = "fare";
  EXPECT_THAT(Why(), AllOf(StartsWith("spec.data.preprocessing: "), HasSubstr("'town'")));
}

TEST_F(TableDataTest, WhatIsWrong_BeginsWithTheKeyAndNamesTheFile) {
  Write("rides/b.csv", "age,town,fare\n31,Ulm,2\n52,Bonn,\n");
  EXPECT_THAT(Why(),
              AllOf(StartsWith("spec.data.train.files: file://"), HasSubstr("b.csv: line 3, "),
                    HasSubstr("column 'fare'"), HasSubstr("found no value")));
  Write("rides/b.csv", "age,city,fare\n31,Ulm,2\n");
  EXPECT_THAT(Why(), AllOf(StartsWith("spec.data.train.files: file://"),
                           HasSubstr("b.csv has no column 'town'")));
  spec_.table.files = {"file://" + At("none.csv")};
  EXPECT_THAT(Why(), AllOf(StartsWith("spec.data.train.files: "), HasSubstr("on every machine")));
  EXPECT_TRUE(absl::IsNotFound(Read().status()));
}

TEST(WhyOtherPreprocessing, TellsTablesApart) {
  EXPECT_EQ(WhyOtherPreprocessing("", ""), "");
  EXPECT_EQ(WhyOtherPreprocessing("", "{}"), "it was not trained on a table");
}

}  // namespace
}  // namespace coxswain::trainer

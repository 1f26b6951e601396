#include "trainer/table/csv_file.h"

#include <gmock/gmock.h>

#include "common/base/rng.h"
#include "tests/unit/trainer/table/table_folder.h"
#include "trainer/table/csv_values.h"

namespace coxswain::trainer::table {
namespace {

using data::ColumnInfo;
using data::ColumnKind;
using data::ColumnValues;
using data::ReadAs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const TableFormat kCsv{.csv = true};

using TestCsv = TableFolder;

TEST_F(TestCsv, ReadsQuotesNullsAndTypes) {
  auto file = Open(Write("a.csv",
                         "\xef\xbb\xbfname,n,flag,day,\"a, b\"\r\n"
                         "\"line\nend, \"\"x\"\"\",1.5,true,2024-01-02,NA\r\n"
                         "\r\n"
                         ",-2e3,False,1970-01-02 00:00:01,\"NA\"\r\n"
                         "c,,true,1970-01-01,z"),
                   kCsv);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT((*file)->columns(),
              ElementsAre(ColumnInfo{"name", "text", ColumnKind::kText},
                          ColumnInfo{"n", "number", ColumnKind::kNumber},
                          ColumnInfo{"flag", "true or false", ColumnKind::kBool},
                          ColumnInfo{"day", "date or time", ColumnKind::kTime},
                          ColumnInfo{"a, b", "text", ColumnKind::kText}));
  EXPECT_THAT((*file)->groups(), ElementsAre(3));
  std::vector<ColumnValues> out;
  absl::Status read = (*file)->Read(0,
                                    {{"n", ReadAs::kNumbers},
                                     {"name", ReadAs::kTexts},
                                     {"a, b", ReadAs::kTexts},
                                     {"flag", ReadAs::kNumbers},
                                     {"day", ReadAs::kNumbers}},
                                    &out);
  ASSERT_TRUE(read.ok()) << read;
  EXPECT_THAT(out[0].numbers, ElementsAre(1.5, -2000, 0));
  EXPECT_THAT(out[0].nulls, ElementsAre(false, false, true));
  EXPECT_THAT(TextsOf(out[1]), ElementsAre("line\nend, \"x\"", "-", "c"));
  EXPECT_THAT(TextsOf(out[2]), ElementsAre("-", "NA", "z"));
  EXPECT_THAT(out[3].numbers, ElementsAre(1, 0, 1));
  EXPECT_THAT(out[4].numbers, ElementsAre(1704153600, 86401, 0));
}

TEST_F(TestCsv, LargeFilesAreReadInPieces_InAnyOrder) {
  TableFormat format{.csv = true, .delimiter = ';', .piece_bytes = 16 << 10};
  std::string text = "row;text\n";
  const int64_t rows = 3'000;
  for (int64_t row = 0; row < rows; ++row) {
    text += std::to_string(row) + (row % 1000 == 7 ? ";\"two\nlines; " : ";\"some value ") +
            std::to_string(row) + "\"\n";
  }
  auto file = Open(Write("a.csv", text), format);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto groups = (*file)->groups();
  ASSERT_GT(groups.size(), 1);
  int64_t all = 0;
  for (int64_t group : groups) all += group;
  EXPECT_EQ(all, rows);
  int64_t first = rows;
  for (size_t group = groups.size(); group-- > 0;) {
    first -= groups[group];
    std::vector<ColumnValues> out;
    ASSERT_TRUE((*file)->Read(group, {{"row", ReadAs::kNumbers}}, &out).ok());
    ASSERT_EQ(out[0].numbers.size(), static_cast<size_t>(groups[group]));
    EXPECT_EQ(out[0].numbers.front(), static_cast<double>(first));
    EXPECT_EQ(out[0].numbers.back(), static_cast<double>(first + groups[group] - 1));
  }
  format.look_only = true;
  auto look = Open(At("a.csv"), format);
  ASSERT_TRUE(look.ok());
  EXPECT_TRUE((*look)->groups().empty());
  EXPECT_EQ((*look)->columns(), (*file)->columns());
}

TEST_F(TestCsv, WhatIsWrong_IsNamedByRow) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "the file is empty"},
      {"a,b\n", "has no row but that of the names"},
      {"a,b\n1,2\n3\n", "bad.csv: line 3: found 1 value, expected 2"},
      {"a,b\r\n\"1\r\n1\",2\r\n\r\n3\r\n", "bad.csv: line 5: found 1 value, expected 2"},
      {"a,b\r1,2\r3\r", "bad.csv: line 3: found 1 value, expected 2"},
      {"a,b\n1,\"2\n3,4\n", "a quoted value of the row that begins in line 2 does not end"},
      {"a,a\n1,2\n", "two columns have the name 'a'"},
      {"a,\n1,2\n", "column 2 has no name"},
      {"PAR1....", "a Parquet file, but spec.data.format is csv"},
      {"\x1f\x8b....", "packed by gzip"}};
  for (const auto& [text, said] : cases) {
    auto file = Open(Write("bad.csv", text), kCsv);
    EXPECT_TRUE(absl::IsFailedPrecondition(file.status())) << text;
    EXPECT_THAT(std::string(file.status().message()),
                AllOf(HasSubstr(At("bad.csv")), HasSubstr(said)));
  }
  const std::string late = Write("late.csv", "a,b\n1,x\n2,y\nthree,z\n");
  auto file = Open(late, {.csv = true, .piece_bytes = 4});
  ASSERT_TRUE(file.ok());
  std::vector<ColumnValues> out;
  EXPECT_THAT(std::string((*file)->Read(2, {{"a", ReadAs::kNumbers}}, &out).message()),
              HasSubstr("line 4, column 'a': found 'three', expected a number"));
  auto early = Open(late, kCsv);
  ASSERT_TRUE(early.ok());
  EXPECT_EQ((*early)->columns()[0].type, "text ('three' in line 4)");
}

TEST_F(TestCsv, TextThatIsNotUtf8_IsNamedByLine) {
  auto file = Open(Write("a.csv", "name,n\n\"two\nlines\",1\nok,2\ncaf\xe9,3\n"), kCsv);
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<ColumnValues> out;
  absl::Status read = (*file)->Read(0, {{"name", ReadAs::kTexts}}, &out);
  EXPECT_TRUE(absl::IsFailedPrecondition(read)) << read;
  EXPECT_THAT(std::string(read.message()),
              AllOf(HasSubstr("a.csv: line 5, column 'name': found a text that is not UTF-8"),
                    HasSubstr("write the file as UTF-8")));
  file = Open(Write("b.csv", "n,caf\xe9\n1,2\n"), kCsv);
  EXPECT_THAT(std::string(file.status().message()),
              HasSubstr("b.csv: line 1, the name of column 2: found a text that is not UTF-8"));
  file = Open(Write("c.csv", "n\n1\n2\n\xe9\n"), kCsv);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT((*file)->columns().front().type, HasSubstr("('?' in line 4)"));
}

TEST_F(TestCsv, WholeNumbersThatAreRounded_AreNoted) {
  auto file = Open(Write("a.csv",
                         "even,odd,far,float,minus\n"
                         "1,1,1,1,1\n"
                         "9007199254740994,+9007199254740993,123456789012345678901,1e300,"
                         "-9007199254740993\n"),
                   kCsv);
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<ColumnValues> out;
  ASSERT_TRUE((*file)->Read(0, {{"even"}, {"odd"}, {"far"}, {"float"}, {"minus"}}, &out).ok());
  EXPECT_EQ(out[0].rounded_row, -1);
  EXPECT_EQ(out[1].rounded_row, 1);
  EXPECT_EQ(out[1].rounded, "+9007199254740993");
  EXPECT_EQ(out[2].rounded_row, 1);
  EXPECT_EQ(out[3].rounded_row, -1);
  EXPECT_EQ(out[4].rounded, "-9007199254740993");
}

TEST(NumberOf, TakesWhatPeopleWrite_OfTheColumnsKindAlone) {
  EXPECT_EQ(NumberOf(" +7 ", ColumnKind::kNumber), 7);
  EXPECT_EQ(NumberOf("1e-3", ColumnKind::kNumber), 1e-3);
  EXPECT_TRUE(std::isnan(*NumberOf("NaN", ColumnKind::kNumber)));
  for (const char* text : {"", "one", "1,5", "0x10", "1 2", "true", "2024-01-02"}) {
    EXPECT_FALSE(NumberOf(text, ColumnKind::kNumber)) << text;
  }
  EXPECT_EQ(NumberOf("TRUE", ColumnKind::kBool), 1);
  EXPECT_FALSE(NumberOf("1", ColumnKind::kBool));
  EXPECT_EQ(NumberOf("2024-01-02T03:04:05Z", ColumnKind::kTime), 1704164645);
  EXPECT_FALSE(NumberOf("7", ColumnKind::kTime));
}

// However the bytes come, and wherever pieces end.
TEST(CsvScanner, CutsAtRowsOnly) {
  base::Rng rng(5);
  for (int round = 0; round < 200; ++round) {
    std::string text = "h\n";
    int64_t rows = 0;
    for (uint64_t i = rng.Below(30); i > 0; --i, ++rows) {
      static const char* const kRows[] = {"a\n", "\"x\ny\"\r\n", "\n\nb,\"\"\"\"\n", "5\" pipe\n",
                                          "\"\",\"\n\"\n"};
      text += kRows[rng.Below(5)];
    }
    CsvScanner scanner(',', 1 + static_cast<int64_t>(rng.Below(20)));
    for (size_t at = 0; at < text.size();) {
      const size_t count = std::min<size_t>(text.size() - at, 1 + rng.Below(7));
      scanner.Feed(std::string_view(text).substr(at, count));
      at += count;
    }
    ASSERT_TRUE(scanner.Finish()) << text;
    int64_t found = 0, end = 2;
    for (const CsvPiece& piece : scanner.pieces()) {
      EXPECT_EQ(piece.offset, end);
      end = piece.offset + piece.bytes;
      found += piece.rows;
    }
    EXPECT_EQ(found, rows) << text;
    EXPECT_EQ(scanner.rows(), rows);
  }
}

}  // namespace
}  // namespace coxswain::trainer::table

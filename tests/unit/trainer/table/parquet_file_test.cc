#include "trainer/table/parquet_file.h"

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_decimal.h>
#include <arrow/array/builder_dict.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/builder_time.h>
#include <gmock/gmock.h>

#include "tests/unit/trainer/table/table_folder.h"

namespace coxswain::trainer::table {
namespace {

using data::ColumnKind;
using data::ColumnValues;
using data::ReadAs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <class Builder, class... Values>
std::shared_ptr<arrow::Array> Made(Builder&& builder, const Values&... values) {
  auto append = [&](const auto& value) {
    if constexpr (std::is_null_pointer_v<std::decay_t<decltype(value)>>) {
      EXPECT_TRUE(builder.AppendNull().ok());
    } else {
      EXPECT_TRUE(builder.Append(value).ok());
    }
  };
  (append(values), ...);
  return *builder.Finish();
}

using TestParquet = TableFolder;

std::shared_ptr<arrow::Table> Sample() {
  arrow::MemoryPool* pool = arrow::default_memory_pool();
  auto decimal = arrow::decimal128(9, 2);
  auto time = arrow::timestamp(arrow::TimeUnit::MILLI);
  std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>> columns = {
      {"whole", Made(arrow::Int16Builder(), 7, nullptr, -3)},
      {"real", Made(arrow::FloatBuilder(), 0.5f, 1.5f, 2.5f)},
      {"flag", Made(arrow::BooleanBuilder(), true, false, nullptr)},
      {"price", Made(arrow::Decimal128Builder(decimal, pool), arrow::Decimal128(1250),
                     arrow::Decimal128(-5), nullptr)},
      {"day", Made(arrow::Date32Builder(), 1, nullptr, -1)},
      {"at", Made(arrow::TimestampBuilder(time, pool), 1500, 0, 86'400'000)},
      {"name", Made(arrow::StringBuilder(), "b", "a", nullptr)},
      {"group", Made(arrow::StringDictionaryBuilder(pool), "x", nullptr, "x")}};
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (auto& [name, array] : columns) {
    fields.push_back(arrow::field(name, array->type()));
    arrays.push_back(array);
  }
  return arrow::Table::Make(arrow::schema(fields), arrays);
}

TEST_F(TestParquet, ReadsEveryTypeByRowGroup) {
  auto file = Open(WriteParquet("a.parquet", Sample(), 2), {});
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT((*file)->groups(), ElementsAre(2, 1));
  std::vector<ColumnKind> kinds;
  for (const auto& column : (*file)->columns()) kinds.push_back(column.kind);
  EXPECT_THAT(kinds, ElementsAre(ColumnKind::kNumber, ColumnKind::kNumber, ColumnKind::kBool,
                                 ColumnKind::kNumber, ColumnKind::kTime, ColumnKind::kTime,
                                 ColumnKind::kText, ColumnKind::kText));
  std::vector<ColumnValues> out;
  absl::Status read = (*file)->Read(0,
                                    {{"price", ReadAs::kNumbers},
                                     {"whole", ReadAs::kNumbers},
                                     {"flag", ReadAs::kNumbers},
                                     {"day", ReadAs::kNumbers},
                                     {"at", ReadAs::kNumbers},
                                     {"name", ReadAs::kTexts},
                                     {"group", ReadAs::kTexts},
                                     {"whole", ReadAs::kTexts},
                                     {"flag", ReadAs::kTexts}},
                                    &out);
  ASSERT_TRUE(read.ok()) << read;
  EXPECT_THAT(out[0].numbers, ElementsAre(12.5, -0.05));
  EXPECT_THAT(out[0].nulls, IsEmpty());
  EXPECT_EQ(out[1].numbers[0], 7);
  EXPECT_THAT(out[1].nulls, ElementsAre(false, true));
  EXPECT_THAT(out[2].numbers, ElementsAre(1, 0));
  EXPECT_EQ(out[3].numbers[0], 86400);
  EXPECT_THAT(out[4].numbers, ElementsAre(1.5, 0));
  EXPECT_THAT(TextsOf(out[5]), ElementsAre("b", "a"));
  EXPECT_THAT(TextsOf(out[6]), ElementsAre("x", "-"));
  EXPECT_THAT(TextsOf(out[7]), ElementsAre("7", "-"));
  EXPECT_THAT(TextsOf(out[8]), ElementsAre("true", "false"));
  ASSERT_TRUE((*file)->Read(1, {{"name", ReadAs::kTexts}, {"group", ReadAs::kTexts}}, &out).ok());
  EXPECT_THAT(TextsOf(out[0]), ElementsAre("-"));
  EXPECT_THAT(TextsOf(out[1]), ElementsAre("x"));
}

TEST_F(TestParquet, WholeNumbersThatAreRounded_AreNoted) {
  arrow::Int64Builder whole;
  arrow::UInt64Builder natural;
  ASSERT_TRUE(whole.AppendValues({1, 9007199254740992, -9007199254740993}).ok());
  ASSERT_TRUE(natural.AppendValues({uint64_t{1} << 63, 7, ~uint64_t{0}}).ok());
  auto table = arrow::Table::Make(
      arrow::schema({arrow::field("whole", arrow::int64()), arrow::field("n", arrow::uint64())}),
      {*whole.Finish(), *natural.Finish()});
  auto file = Open(WriteParquet("a.parquet", table, 3), {});
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<ColumnValues> out;
  ASSERT_TRUE((*file)->Read(0, {{"whole"}, {"n"}}, &out).ok());
  EXPECT_EQ(out[0].rounded_row, 2);
  EXPECT_EQ(out[0].rounded, "-9007199254740993");
  EXPECT_EQ(out[1].rounded_row, 2);
  EXPECT_EQ(out[1].rounded, "18446744073709551615");
}

TEST_F(TestParquet, WholeFloatsMayBeClasses_OthersAreNamed) {
  auto table = arrow::Table::Make(arrow::schema({arrow::field("y", arrow::float64())}),
                                  {Made(arrow::DoubleBuilder(), 1.0, 2.0, 2.5)});
  auto file = Open(WriteParquet("a.parquet", table, 2), {});
  std::vector<ColumnValues> out;
  ASSERT_TRUE((*file)->Read(0, {{"y", ReadAs::kTexts}}, &out).ok());
  EXPECT_THAT(TextsOf(out[0]), ElementsAre("1", "2"));
  absl::Status read = (*file)->Read(1, {{"y", ReadAs::kTexts}}, &out);
  EXPECT_TRUE(absl::IsFailedPrecondition(read));
  EXPECT_THAT(std::string(read.message()),
              AllOf(HasSubstr("row group 1, column 'y'"), HasSubstr("row 0 holds 2.5")));
}

TEST_F(TestParquet, EmptyCutAndOtherFiles_AreRefused) {
  const std::string path = WriteParquet("a.parquet", Sample(), 2);
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<int64_t>(bytes.size()));
  for (const auto& [name, content, said] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"empty", "", "the file is empty"},
           {"cut", bytes.substr(0, bytes.size() / 2), "not a whole Parquet file"},
           {"text", "a,b\n1,2\n3,4\n5,6\n", "not a whole Parquet file"}}) {
    auto file = Open(Write(name, content), {});
    EXPECT_TRUE(absl::IsFailedPrecondition(file.status())) << name;
    EXPECT_THAT(std::string(file.status().message()), AllOf(HasSubstr(At(name)), HasSubstr(said)));
  }
  // The footer is whole, a page is not.
  for (size_t i = 4; i < 60; ++i) bytes[i] = static_cast<char>(~bytes[i]);
  auto damaged = Open(Write("damaged", bytes), {});
  ASSERT_TRUE(damaged.ok());
  std::vector<ColumnValues> out;
  absl::Status read = (*damaged)->Read(0, {{"whole", ReadAs::kNumbers}}, &out);
  EXPECT_TRUE(absl::IsFailedPrecondition(read)) << read;
  EXPECT_THAT(std::string(read.message()), HasSubstr("row group 0, column 'whole'"));
}

// A page that decodes, to another value: only its checksum tells.
TEST_F(TestParquet, ValueThatHasChanged_IsRefusedByThePagesChecksum) {
  auto table = arrow::Table::Make(arrow::schema({arrow::field("x", arrow::float64())}),
                                  {Made(arrow::DoubleBuilder(), 1.0, 2.0, 123.456)});
  const std::string path = WriteParquet("a.parquet", table, 3, true);
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<int64_t>(bytes.size()));
  const double value = 123.456;
  const size_t at = bytes.find(std::string(reinterpret_cast<const char*>(&value), sizeof value));
  ASSERT_NE(at, std::string::npos);
  std::vector<ColumnValues> out;
  ASSERT_TRUE((*Open(path, {}))->Read(0, {{"x", ReadAs::kNumbers}}, &out).ok());
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  auto changed = Open(Write("changed", bytes), {});
  ASSERT_TRUE(changed.ok());
  absl::Status read = (*changed)->Read(0, {{"x", ReadAs::kNumbers}}, &out);
  EXPECT_TRUE(absl::IsFailedPrecondition(read)) << read;
  EXPECT_THAT(std::string(read.message()), HasSubstr("row group 0, column 'x'"));
}

}  // namespace
}  // namespace coxswain::trainer::table

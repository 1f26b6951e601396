// A folder with tables in it.
#pragma once

#include <arrow/io/file.h>
#include <arrow/table.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "trainer/table/table_module.h"

namespace coxswain::trainer::table {

class TableFolder : public ::testing::Test {
 protected:
  TableFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "tableXXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~TableFolder() override { std::filesystem::remove_all(folder_); }

  std::string At(const std::string& name) const { return folder_ + "/" + name; }
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(At(name), std::ios::binary) << bytes;
    return At(name);
  }
  std::string WriteParquet(const std::string& name, const std::shared_ptr<arrow::Table>& table,
                           int64_t group_rows, bool checksums = false) const {
    auto file = arrow::io::FileOutputStream::Open(At(name));
    EXPECT_TRUE(file.ok());
    parquet::WriterProperties::Builder properties;
    if (checksums) properties.disable_dictionary()->enable_page_checksum();
    EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), *file, group_rows,
                                           properties.build())
                    .ok());
    EXPECT_TRUE((*file)->Close().ok());
    return At(name);
  }
  absl::StatusOr<std::unique_ptr<data::TableFile>> Open(const std::string& path,
                                                        const TableFormat& format) const {
    auto object = blob::OpenObject(path, {});
    EXPECT_TRUE(object.ok());
    return OpenTable(*std::move(object), path, format);
  }

  std::string folder_;
};

// The texts of a column by row; "-" for null.
inline std::vector<std::string> TextsOf(const data::ColumnValues& values) {
  std::vector<std::string> texts;
  for (int32_t code : values.codes) {
    texts.push_back(code < 0 ? "-" : values.texts[static_cast<size_t>(code)]);
  }
  return texts;
}

}  // namespace coxswain::trainer::table

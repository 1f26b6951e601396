#include "trainer/table/parquet_file.h"

#include <arrow/array.h>
#include <arrow/chunked_array.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <parquet/schema.h>

#include <algorithm>

#include "trainer/table/arrow_values.h"

namespace coxswain::trainer::table {

ParquetFile::ParquetFile(std::shared_ptr<BlobInput> input) : BlobTable(std::move(input)) {}
ParquetFile::~ParquetFile() = default;

absl::StatusOr<std::unique_ptr<data::TableFile>> ParquetFile::Open(
    std::shared_ptr<BlobInput> input) {
  std::unique_ptr<ParquetFile> file(new ParquetFile(std::move(input)));
  if (absl::Status read = file->ReadFooter(); !read.ok()) return read;
  return file;
}

absl::Status ParquetFile::ReadFooter() {
  const std::string unfit = "not a whole Parquet file (of another format, or cut short)";
  parquet::arrow::FileReaderBuilder builder;
  // Where a writer gave pages a checksum: damaged values that decode are still wrong.
  parquet::ReaderProperties pages = parquet::default_reader_properties();
  pages.set_page_checksum_verification(true);
  arrow::Status opened = builder.Open(input_, pages);
  if (!opened.ok()) return input_->Explain(unfit, opened);
  parquet::ArrowReaderProperties properties = parquet::default_arrow_reader_properties();
  properties.set_pre_buffer(true);
  builder.properties(properties);
  auto built = builder.Build();
  if (!built.ok()) return input_->Explain(unfit, built.status());
  reader_ = *std::move(built);
  std::shared_ptr<arrow::Schema> schema;
  arrow::Status read = reader_->GetSchema(&schema);
  if (!read.ok()) return input_->Explain("its schema", read);
  for (const auto& field : schema->fields()) {
    columns_.push_back({field->name(), field->type()->ToString(), KindOf(*field->type())});
  }
  const auto metadata = reader_->parquet_reader()->metadata();
  for (int group = 0; group < metadata->num_row_groups(); ++group) {
    groups_.push_back(metadata->RowGroup(group)->num_rows());
  }
  return absl::OkStatus();
}

absl::StatusOr<int> ParquetFile::IndexOf(const std::string& name) const {
  // A plain column's path in the schema is its name.
  const auto schema = reader_->parquet_reader()->metadata()->schema();
  for (int i = 0; i < schema->num_columns(); ++i) {
    const auto path = schema->Column(i)->path()->ToDotVector();
    if (path.size() == 1 && path[0] == name) return i;
  }
  return absl::FailedPreconditionError(uri() + ": column '" + name + "' is not there");
}

absl::Status ParquetFile::ReadColumns(size_t group, const std::vector<data::ColumnRequest>& columns,
                                      std::vector<data::ColumnValues>* out) {
  std::vector<int> indices;
  for (const data::ColumnRequest& column : columns) {
    absl::StatusOr<int> index = IndexOf(column.name);
    if (!index.ok()) return index.status();
    if (std::find(indices.begin(), indices.end(), *index) == indices.end()) {
      indices.push_back(*index);
    }
  }
  std::string where = "row group " + std::to_string(group);
  if (columns.size() == 1) where += ", column '" + columns[0].name + "'";
  auto table = reader_->ReadRowGroup(static_cast<int>(group), indices);
  if (!table.ok()) return input_->Explain(where, table.status());
  out->assign(columns.size(), {});
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string here =
        "row group " + std::to_string(group) + ", column '" + columns[i].name + "'";
    const auto values = (*table)->GetColumnByName(columns[i].name);
    if (values == nullptr || values->length() != groups_[group]) {
      return absl::FailedPreconditionError(
          uri() + ": " + here + ": found " +
          std::to_string(values == nullptr ? 0 : values->length()) + " values, expected " +
          std::to_string(groups_[group]));
    }
    auto converted =
        columns[i].as == data::ReadAs::kNumbers ? AsNumbers(*values) : AsTexts(*values);
    if (!converted.ok()) return input_->Explain(here, converted.status());
    (*out)[i] = *std::move(converted);
  }
  return absl::OkStatus();
}

absl::Status ParquetFile::ReadGuarded(size_t group, const std::vector<data::ColumnRequest>& columns,
                                      std::vector<data::ColumnValues>* out) {
  try {
    return ReadColumns(group, columns, out);
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(uri() + ": row group " + std::to_string(group) + ": " +
                                         error.what());
  }
}

absl::Status ParquetFile::Read(size_t group, const std::vector<data::ColumnRequest>& columns,
                               std::vector<data::ColumnValues>* out) {
  std::lock_guard lock(mutex_);
  // All at once, so that a store is asked for few and large ranges.
  absl::Status read = ReadGuarded(group, columns, out);
  if (!absl::IsFailedPrecondition(read)) return read;
  // Which column is it?
  std::vector<data::ColumnValues> alone;
  for (const data::ColumnRequest& column : columns) {
    absl::Status one = ReadGuarded(group, {column}, &alone);
    if (!one.ok()) return one;
  }
  return read;
}

}  // namespace coxswain::trainer::table

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

#include "trainer/table/arrow_values.h"

namespace coxswain::trainer::table {

ParquetFile::ParquetFile(std::shared_ptr<BlobInput> input) : input_(std::move(input)) {}
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
  arrow::Status opened = builder.Open(input_);
  if (!opened.ok()) return input_->Explain(unfit, opened);
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

absl::Status ParquetFile::ReadColumn(size_t group, const data::ColumnRequest& column,
                                     data::ColumnValues* out) {
  const std::string where = "row group " + std::to_string(group) + ", column '" + column.name + "'";
  // A plain column's path in the schema is its name.
  const auto schema = reader_->parquet_reader()->metadata()->schema();
  int index = -1;
  for (int i = 0; i < schema->num_columns(); ++i) {
    const auto path = schema->Column(i)->path()->ToDotVector();
    if (path.size() == 1 && path[0] == column.name) index = i;
  }
  if (index < 0) return absl::FailedPreconditionError(uri() + ": " + where + ": is not there");
  auto table = reader_->ReadRowGroup(static_cast<int>(group), {index});
  if (!table.ok()) return input_->Explain(where, table.status());
  const arrow::ChunkedArray& values = *(*table)->column(0);
  if (values.length() != groups_[group]) {
    return absl::FailedPreconditionError(uri() + ": " + where + ": found " +
                                         std::to_string(values.length()) + " values, expected " +
                                         std::to_string(groups_[group]));
  }
  auto converted = column.as == data::ReadAs::kNumbers ? AsNumbers(values) : AsTexts(values);
  if (!converted.ok()) return input_->Explain(where, converted.status());
  *out = *std::move(converted);
  return absl::OkStatus();
}

absl::Status ParquetFile::Read(size_t group, const std::vector<data::ColumnRequest>& columns,
                               std::vector<data::ColumnValues>* out) {
  std::lock_guard lock(mutex_);
  out->assign(columns.size(), {});
  for (size_t i = 0; i < columns.size(); ++i) {
    try {
      absl::Status read = ReadColumn(group, columns[i], &(*out)[i]);
      if (!read.ok()) return read;
    } catch (const std::exception& error) {
      return absl::FailedPreconditionError(uri() + ": row group " + std::to_string(group) +
                                           ", column '" + columns[i].name + "': " + error.what());
    }
  }
  return absl::OkStatus();
}

}  // namespace coxswain::trainer::table

// A CSV file with a row of names. Its row groups are pieces of about 4 MiB, found by one look at
// all of it; what columns hold is judged by the first piece.
#pragma once

#include <arrow/chunked_array.h>

#include <map>
#include <memory>

#include "trainer/table/blob_table.h"
#include "trainer/table/csv_scanner.h"
#include "trainer/table/table_module.h"

namespace coxswain::trainer::table {

class CsvFile final : public BlobTable {
 public:
  static absl::StatusOr<std::unique_ptr<data::TableFile>> Open(std::shared_ptr<BlobInput> input,
                                                               const TableFormat& format);

  absl::Status Read(size_t group, const std::vector<data::ColumnRequest>& columns,
                    std::vector<data::ColumnValues>* out) override;
  std::string PlaceOf(size_t group, int64_t row) const override;

 private:
  using Texts = std::map<std::string, std::shared_ptr<arrow::ChunkedArray>>;

  CsvFile(std::shared_ptr<BlobInput> input, char delimiter)
      : BlobTable(std::move(input)), delimiter_(delimiter) {}
  absl::Status Scan(const TableFormat& format);
  absl::Status ReadNames(const CsvPiece& header);
  absl::Status JudgeColumns();
  // Values of columns of these names as they stand there; empty: of all.
  absl::StatusOr<Texts> ReadTexts(const CsvPiece& piece,
                                  const std::vector<std::string>& names) const;
  // Of the file, counted from 1, in which a row begins; 0: it cannot be read any more.
  int64_t LineOf(const CsvPiece& piece, int64_t row) const;
  std::string LineText(const CsvPiece& piece, int64_t row) const;
  data::ColumnInfo Judge(const std::string& name, const arrow::ChunkedArray& values) const;
  data::ColumnKind KindOf(const std::string& name) const;
  absl::Status Wrong(const std::string& what) const;

  const char delimiter_;
  std::vector<std::string> names_;
  std::vector<CsvPiece> pieces_;
};

}  // namespace coxswain::trainer::table

// A Parquet file; its row groups are those of a table.
#pragma once

#include <memory>
#include <mutex>

#include "trainer/engine/data/table/table_file.h"
#include "trainer/table/blob_input.h"

namespace parquet::arrow {
class FileReader;
}

namespace coxswain::trainer::table {

class ParquetFile final : public data::TableFile {
 public:
  static absl::StatusOr<std::unique_ptr<data::TableFile>> Open(std::shared_ptr<BlobInput> input);
  ~ParquetFile() override;

  const std::string& uri() const override { return input_->uri(); }
  const std::vector<data::ColumnInfo>& columns() const override { return columns_; }
  const std::vector<int64_t>& groups() const override { return groups_; }
  absl::Status Read(size_t group, const std::vector<data::ColumnRequest>& columns,
                    std::vector<data::ColumnValues>* out) override;

 private:
  explicit ParquetFile(std::shared_ptr<BlobInput> input);
  absl::Status ReadFooter();
  absl::StatusOr<int> IndexOf(const std::string& name) const;
  absl::Status ReadColumns(size_t group, const std::vector<data::ColumnRequest>& columns,
                           std::vector<data::ColumnValues>* out);
  // The same, with what libraries throw as a status.
  absl::Status ReadGuarded(size_t group, const std::vector<data::ColumnRequest>& columns,
                           std::vector<data::ColumnValues>* out);

  const std::shared_ptr<BlobInput> input_;
  std::mutex mutex_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::vector<data::ColumnInfo> columns_;
  std::vector<int64_t> groups_;
};

}  // namespace coxswain::trainer::table

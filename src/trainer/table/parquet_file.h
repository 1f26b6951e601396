// A Parquet file; its row groups are those of a table.
#pragma once

#include <memory>
#include <mutex>

#include "trainer/table/blob_table.h"

namespace parquet::arrow {
class FileReader;
}

namespace coxswain::trainer::table {

class ParquetFile final : public BlobTable {
 public:
  static absl::StatusOr<std::unique_ptr<data::TableFile>> Open(std::shared_ptr<BlobInput> input);
  ~ParquetFile() override;

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

  std::mutex mutex_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
};

}  // namespace coxswain::trainer::table

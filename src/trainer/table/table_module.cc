#include "trainer/table/table_module.h"

#include "trainer/table/csv_file.h"
#include "trainer/table/parquet_file.h"

namespace coxswain::trainer::table {

absl::StatusOr<std::unique_ptr<data::TableFile>> OpenTable(blob::ObjectAt object,
                                                           const std::string& uri,
                                                           const TableFormat& format) {
  auto input = BlobInput::Open(std::move(object), uri);
  if (!input.ok()) return input.status();
  try {  // Arrow gives statuses, but what it is made of may throw
    if (format.csv) return CsvFile::Open(*std::move(input), format);
    return ParquetFile::Open(*std::move(input));
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(uri + ": cannot be read: " + error.what());
  }
}

}  // namespace coxswain::trainer::table

extern "C" __attribute__((visibility("default"))) void CoxswainOpenTable(
    coxswain::trainer::blob::ObjectAt object, const std::string& uri,
    const coxswain::trainer::table::TableFormat& format,
    absl::StatusOr<std::unique_ptr<coxswain::trainer::data::TableFile>>* file) {
  *file = coxswain::trainer::table::OpenTable(std::move(object), uri, format);
}

// What the module libcoxswain_tables.so offers: opening a Parquet or CSV file. It is built with the
// same compiler and flags as the program that loads it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "trainer/blob/blob_store.h"
#include "trainer/engine/data/table/table_file.h"

namespace coxswain::trainer::table {

struct TableFormat {
  bool csv = false;
  char delimiter = ',';
  // Of CSV: look at the first rows only. Its row groups are not known then, but for a file that is
  // no longer than those rows.
  bool look_only = false;
  // Of CSV: its row groups end with the row that makes them so long. The order of samples depends
  // on it.
  int64_t piece_bytes = 4 << 20;
};

// `uri`: of the object, for messages. FAILED_PRECONDITION: the file is empty, cut or of another
// format; other codes: the store's.
absl::StatusOr<std::unique_ptr<data::TableFile>> OpenTable(blob::ObjectAt object,
                                                           const std::string& uri,
                                                           const TableFormat& format);

inline constexpr char kTablesModule[] = "libcoxswain_tables.so";
inline constexpr char kOpenTableSymbol[] = "CoxswainOpenTable";
using OpenTableFunction = void (*)(blob::ObjectAt object, const std::string& uri,
                                   const TableFormat& format,
                                   absl::StatusOr<std::unique_ptr<data::TableFile>>* file);

}  // namespace coxswain::trainer::table

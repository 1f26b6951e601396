// Which columns of a table go in and which one comes out.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/engine/data/table/table_file.h"

namespace coxswain::trainer::data {

struct TableColumns {
  std::vector<std::string> numeric, categorical;  // in the order in which they go in
  std::string target;
  bool classes = true;  // the target is a class, not a number

  // Numeric columns, categorical ones, the target.
  std::vector<ColumnRequest> Requests() const;
  // 8 bytes a number, 4 a category, 8 the target.
  int64_t row_bytes() const;
};

// From the columns of a set's first file. Errors, INVALID_ARGUMENT, begin with the key that is to
// be changed: a column that is not there (with the nearest name), one of a type that cannot be
// what it is asked for, no feature at all.
absl::StatusOr<TableColumns> ChooseColumns(const config::TableData& spec, const TableFile& first);

// Whether another file has what was chosen from `first`, of the same kinds. INVALID_ARGUMENT names
// both files and the column.
absl::Status CheckSameColumns(const TableColumns& chosen, const TableFile& first,
                              const TableFile& other);

}  // namespace coxswain::trainer::data

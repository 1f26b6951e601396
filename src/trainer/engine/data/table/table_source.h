// All files of a set of rows, in order, and which of their rows belong to it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/job_spec.h"
#include "trainer/engine/data/table/column_choice.h"
#include "trainer/engine/data/table/table_file.h"

namespace coxswain::trainer::data {

using TableFiles = std::vector<std::shared_ptr<TableFile>>;

// Which rows of the files: `fraction` of them are for evaluation, chosen by their place in the
// files alone.
struct RowChoice {
  double fraction = 0;
  bool evaluation = false;  // the rows of the fraction; otherwise all others
  bool Takes(int64_t row) const;
};

// One row group, and what of it belongs to the set.
struct RowGroup {
  size_t file = 0, group = 0;
  int64_t first_row = 0;  // counted over all files
  int64_t rows = 0;
  int64_t taken = 0;
};

// A row group's values, freed of what the job does not allow: a number that is missing and whose
// column's mean stands for it is NaN, and no other is.
struct GroupValues {
  std::vector<ColumnValues> columns;  // as TableColumns::Requests
  std::vector<int64_t> taken;         // rows of the group that belong to the set, ascending
};

// Immutable, and for any thread.
class TableSource {
 public:
  // `key`: "spec.data.train.files", for messages.
  TableSource(std::string key, TableFiles files, TableColumns columns,
              const config::TableData& spec, RowChoice choice);

  const TableColumns& columns() const { return columns_; }
  const config::TableData& spec() const { return spec_; }
  const std::string& key() const { return key_; }
  const TableFiles& files() const { return files_; }
  const std::vector<RowGroup>& groups() const { return groups_; }
  int64_t size() const { return size_; }  // rows taken

  // FAILED_PRECONDITION names file, row group, column and row of what is unfit.
  absl::StatusOr<GroupValues> Read(size_t group) const;
  // The same of a row (of the group) that is found unfit later.
  absl::Status Unfit(size_t group, int64_t row, const std::string& column,
                     const std::string& what) const;

 private:
  absl::Status Clean(size_t group, const std::string& column, bool target,
                     const std::vector<int64_t>& taken, ColumnValues* values) const;

  const std::string key_;
  const TableFiles files_;
  const TableColumns columns_;
  const config::TableData spec_;
  const RowChoice choice_;
  std::vector<RowGroup> groups_;
  int64_t size_ = 0;
};

}  // namespace coxswain::trainer::data

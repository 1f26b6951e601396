// Rows of a CSV file by column name; errors name file, line and column.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <vector>

namespace coxswain::sim::trace {

class Csv {
 public:
  // NotFound: no such file. InvalidArgument: a column is missing, or a row has too few or too many.
  // `header`: the first line names the columns; otherwise these are all, in order.
  static absl::StatusOr<Csv> Read(const std::string& path, const std::vector<std::string>& columns,
                                  bool header = true);

  size_t size() const { return rows_.size(); }
  const std::string& Text(size_t row, const std::string& column) const {
    return rows_[row][columns_.at(column)];
  }
  // InvalidArgument: no number, or below `least`.
  std::string Place(size_t row) const;  // "FILE:LINE"
  absl::StatusOr<double> Number(size_t row, const std::string& column, double least = 0) const;

 private:
  std::string path_;
  std::map<std::string, size_t> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<size_t> lines_;
};

}  // namespace coxswain::sim::trace

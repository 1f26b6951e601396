// Rows of a CSV file by column name; errors name file, line and column.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <vector>

#include "sim/trace/number_text.h"

namespace coxswain::sim::trace {

// What is later or lasts longer than about a year is a mistake, of the unit perhaps.
inline constexpr double kLongest = 3e7;  // seconds

class Csv {
 public:
  // NotFound: it cannot be read. InvalidArgument: it is no text, a column is missing, or a row has
  // too few or too many. `header`: the first line names the columns; otherwise these are all, in
  // order.
  static absl::StatusOr<Csv> Read(const std::string& path, const std::vector<std::string>& columns,
                                  bool header = true);

  size_t size() const { return rows_.size(); }
  const std::string& Text(size_t row, const std::string& column) const {
    return rows_[row][columns_.at(column)];
  }
  std::string Place(size_t row) const;  // "FILE:LINE"

  // InvalidArgument: not one of these.
  absl::StatusOr<double> Number(size_t row, const std::string& column, double least = 0,
                                double most = kAny) const;
  absl::StatusOr<double> Whole(size_t row, const std::string& column, double least,
                               double most) const;
  absl::StatusOr<std::string> Name(size_t row, const std::string& column) const;

 private:
  absl::Status AddLine(const std::string& line, size_t number, size_t fields);
  absl::StatusOr<double> InRange(size_t row, const std::string& column,
                                 const NumberRange& range) const;
  absl::Status Wrong(size_t row, const std::string& column, const std::string& expected) const;

  std::string path_;
  std::map<std::string, size_t> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<size_t> lines_;
};

}  // namespace coxswain::sim::trace

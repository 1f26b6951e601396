#include "sim/trace/csv.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <cmath>
#include <fstream>

namespace coxswain::sim::trace {
namespace {

// Fields in quotes may hold commas, as in Pollux' placements.
std::vector<std::string> Split(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else if (c != '\r') {
      fields.back().push_back(c);
    }
  }
  return fields;
}

}  // namespace

absl::StatusOr<Csv> Csv::Read(const std::string& path, const std::vector<std::string>& columns,
                              bool header) {
  std::ifstream in(path);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  Csv csv;
  csv.path_ = path;
  std::string line;
  std::vector<std::string> names = columns;
  if (header) {
    std::getline(in, line);
    names = Split(line);
  }
  for (size_t i = 0; i < names.size(); ++i) csv.columns_[names[i]] = i;
  for (const std::string& wanted : columns) {
    if (csv.columns_.contains(wanted)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":1: there is no column '", wanted, "'; the line is: ", line));
  }
  for (size_t number = header ? 2 : 1; std::getline(in, line); ++number) {
    if (line.empty() || line == "\r") continue;
    std::vector<std::string> fields = Split(line);
    if (fields.size() != names.size()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", number, ": found ", fields.size(),
                                                     " fields, expected ", names.size()));
    }
    csv.rows_.push_back(std::move(fields));
    csv.lines_.push_back(number);
  }
  return csv;
}

std::string Csv::Place(size_t row) const { return absl::StrCat(path_, ":", lines_[row]); }

absl::StatusOr<double> Csv::Number(size_t row, const std::string& column, double least) const {
  const std::string& text = Text(row, column);
  double value = 0;
  if (absl::SimpleAtod(text, &value) && std::isfinite(value) && value >= least) return value;
  return absl::InvalidArgumentError(absl::StrCat(Place(row), ": ", column, ": found '", text,
                                                 "', expected a number of at least ", least));
}

}  // namespace coxswain::sim::trace

#include "sim/trace/csv.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "common/base/utf8.h"

namespace coxswain::sim::trace {
namespace {

constexpr size_t kMostShown = 60;  // of what was found, bytes

// Empty: text.
std::string WhyNoText(const std::string& line) {
  for (size_t i = 0; i < line.size();) {
    size_t length = base::Utf8Length(std::string_view(line).substr(i));
    auto byte = static_cast<unsigned char>(line[i]);
    if (length == 0 || (byte < ' ' && byte != '\t' && byte != '\r') || byte == 0x7f) {
      return absl::StrCat("found byte 0x", absl::Hex(byte, absl::kZeroPad2), " at column ", i + 1,
                          ", expected the text of a CSV file");
    }
    i += length;
  }
  return "";
}

// Fields in quotes may hold commas, as in Pollux' placements. False: a quote is not closed.
bool Split(const std::string& line, std::vector<std::string>* fields) {
  fields->assign(1, "");
  bool quoted = false;
  for (char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields->emplace_back();
    } else if (c != '\r') {
      fields->back().push_back(c);
    }
  }
  return !quoted;
}

std::string Shortened(const std::string& text) {
  return text.size() <= kMostShown ? text : text.substr(0, kMostShown) + "...";
}

absl::Status At(const std::string& path, size_t line, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ":", line, ": ", what));
}

absl::Status CheckLine(const std::string& path, const std::string& line, size_t number,
                       std::vector<std::string>* fields) {
  if (std::string why = WhyNoText(line); !why.empty()) return At(path, number, why);
  if (Split(line, fields)) return absl::OkStatus();
  return At(path, number, "a quote (\") is not closed");
}

}  // namespace

absl::StatusOr<Csv> Csv::Read(const std::string& path, const std::vector<std::string>& columns,
                              bool header) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::NotFoundError(absl::StrCat(path, ": found a folder, expected a CSV file"));
  }
  std::ifstream in(path);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", path, ": ", strerror(errno)));
  Csv csv;
  csv.path_ = path;
  std::string line;
  std::vector<std::string> names = columns;
  if (header) {
    if (!std::getline(in, line)) {
      return At(path, 1,
                "found nothing, expected the names of columns: " + absl::StrJoin(columns, ","));
    }
    if (absl::Status status = CheckLine(path, line, 1, &names); !status.ok()) return status;
  }
  for (size_t i = 0; i < names.size(); ++i) csv.columns_[names[i]] = i;
  for (const std::string& wanted : columns) {
    if (csv.columns_.contains(wanted)) continue;
    return At(path, 1,
              absl::StrCat("there is no column '", wanted, "'; the line is: ", Shortened(line)));
  }
  for (size_t number = header ? 2 : 1; std::getline(in, line); ++number) {
    if (line.empty() || line == "\r") continue;
    if (absl::Status status = csv.AddLine(line, number, names.size()); !status.ok()) return status;
  }
  return csv;
}

absl::Status Csv::AddLine(const std::string& line, size_t number, size_t fields) {
  std::vector<std::string> row;
  if (absl::Status status = CheckLine(path_, line, number, &row); !status.ok()) return status;
  if (row.size() != fields) {
    return At(path_, number, absl::StrCat("found ", row.size(), " fields, expected ", fields));
  }
  rows_.push_back(std::move(row));
  lines_.push_back(number);
  return absl::OkStatus();
}

std::string Csv::Place(size_t row) const { return absl::StrCat(path_, ":", lines_[row]); }

absl::Status Csv::Wrong(size_t row, const std::string& column, const std::string& expected) const {
  return At(
      path_, lines_[row],
      absl::StrCat(column, ": found '", Shortened(Text(row, column)), "', expected ", expected));
}

absl::StatusOr<double> Csv::InRange(size_t row, const std::string& column,
                                    const NumberRange& range) const {
  if (std::optional<double> value = ReadNumber(Text(row, column), range)) return *value;
  return Wrong(row, column, Expected(range));
}

absl::StatusOr<double> Csv::Number(size_t row, const std::string& column, double least,
                                   double most) const {
  return InRange(row, column, {.least = least, .most = most});
}

absl::StatusOr<double> Csv::Whole(size_t row, const std::string& column, double least,
                                  double most) const {
  return InRange(row, column, {least, most, NumberKind::kWhole});
}

absl::StatusOr<std::string> Csv::Name(size_t row, const std::string& column) const {
  const std::string& text = Text(row, column);
  if (text.find_first_not_of(" \t") != std::string::npos) return text;
  return Wrong(row, column, "a name");
}

}  // namespace coxswain::sim::trace

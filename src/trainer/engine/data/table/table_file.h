// One file of a table: what trainer/table opens and everything here reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace coxswain::trainer::data {

enum class ColumnKind { kNumber, kBool, kText, kTime, kOther };

struct ColumnInfo {
  std::string name;
  std::string type;  // as the file calls it, for messages: "int64"
  ColumnKind kind = ColumnKind::kOther;
  // Of a text column most of whose values are numbers, what is in the way: "1 of 1000 values is no
  // number: 'oops' in line 602".
  std::string stray = "";
  friend bool operator==(const ColumnInfo&, const ColumnInfo&) = default;
};

enum class ReadAs { kNumbers, kTexts };

struct ColumnRequest {
  std::string name;
  ReadAs as = ReadAs::kNumbers;
};

// The values of one column in one row group.
struct ColumnValues {
  std::vector<double> numbers;  // as numbers; times in seconds since 1970
  std::vector<bool> nulls;      // of them, by row; empty: none
  int64_t rounded_row = -1;     // the first whole number that a double cannot hold; below 0: none
  std::string rounded;          // as it stands there
  std::vector<int32_t> codes;   // as texts: place in `texts`; below 0: null
  std::vector<std::string> texts;  // distinct
};

// Thread-safe. Errors: FAILED_PRECONDITION: what is in the file is unfit (the text names file, row
// group and column); NOT_FOUND, PERMISSION_DENIED, and retryable codes: the store.
class TableFile {
 public:
  virtual ~TableFile() = default;
  virtual const std::string& uri() const = 0;
  virtual const std::vector<ColumnInfo>& columns() const = 0;
  // Rows of each row group: a file's own, or of CSV the pieces it is read in.
  virtual const std::vector<int64_t>& groups() const = 0;
  // One of `out` for each of `columns`, which are there.
  virtual absl::Status Read(size_t group, const std::vector<ColumnRequest>& columns,
                            std::vector<ColumnValues>* out) = 0;
  // Where a row is, for messages: "row group 1, row 2 of it (row 42 of the file, counted from 0)",
  // or a text file's "line 44".
  virtual std::string PlaceOf(size_t group, int64_t row) const;
};

}  // namespace coxswain::trainer::data

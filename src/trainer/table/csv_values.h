// Texts of a CSV file as what they stand for.
#pragma once

#include <arrow/array.h>
#include <arrow/chunked_array.h>

#include <optional>
#include <string_view>
#include <vector>

#include "trainer/engine/data/table/table_file.h"

namespace coxswain::trainer::table {

// What stands for a missing value, unquoted: nothing, NA, N/A, null, NULL.
std::vector<std::string> CsvNulls();

// What a column of texts holds: numbers, true and false, dates and times (ISO 8601), else texts.
// One without any value counts as numbers.
data::ColumnKind KindOfTexts(const arrow::ChunkedArray& column);

// With blanks around it. kNumber: "1.5", "-2e3", "+7", "nan", "inf"; kBool: "true" and "false" in
// any case as 1 and 0; kTime: dates and times in seconds since 1970. Nothing: it is none.
std::optional<double> NumberOf(std::string_view text, data::ColumnKind kind);

// Every value by NumberOf. `*wrong_row`: of the first that is none; below 0: all are.
data::ColumnValues NumbersOfTexts(const arrow::ChunkedArray& column, data::ColumnKind kind,
                                  int64_t* wrong_row);

// Of the values that are there: how many are numbers, and how many and which is the first that is
// none.
struct NumberCount {
  int64_t numbers = 0, others = 0;
  int64_t first_other = -1;
};
NumberCount CountNumbers(const arrow::ChunkedArray& column);

}  // namespace coxswain::trainer::table

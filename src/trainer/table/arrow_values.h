// Arrow's columns as plain numbers and texts.
#pragma once

#include <arrow/array.h>
#include <arrow/chunked_array.h>
#include <arrow/result.h>
#include <arrow/type.h>

#include "trainer/engine/data/table/table_file.h"

namespace coxswain::trainer::table {

data::ColumnKind KindOf(const arrow::DataType& type);

// Whole numbers and floating point of any width, decimals, true (1) and false (0), dates and times
// (seconds), and dictionaries of these.
arrow::Result<data::ColumnValues> AsNumbers(const arrow::ChunkedArray& column);

// Texts (which must be UTF-8), whole numbers, true/false, dates and times as Arrow writes them, and
// dictionaries of these. Floating point only where every value is a whole number.
arrow::Result<data::ColumnValues> AsTexts(const arrow::ChunkedArray& column);

}  // namespace coxswain::trainer::table

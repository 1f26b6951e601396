#include "trainer/table/csv_values.h"

#include <arrow/type.h>
#include <arrow/util/value_parsing.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace coxswain::trainer::table {
namespace {

using data::ColumnKind;
using data::ColumnValues;

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<double> Plain(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool SameWord(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

std::optional<double> Truth(std::string_view text) {
  if (SameWord(text, "true")) return 1;
  if (SameWord(text, "false")) return 0;
  return std::nullopt;
}

std::optional<double> Time(std::string_view text) {
  int64_t microseconds = 0;
  bool zone = false;
  if (text.ends_with('Z')) text.remove_suffix(1);
  if (!arrow::internal::ParseTimestampISO8601(text.data(), text.size(), arrow::TimeUnit::MICRO,
                                              &microseconds, &zone)) {
    return std::nullopt;
  }
  return static_cast<double>(microseconds) / 1e6;
}

// Whether it is a whole number that its double is not equal to.
bool IsRounded(std::string_view text, double value) {
  constexpr double kExact = 0x1p53;  // and below: all
  if (std::abs(value) < kExact) return false;
  if (text.starts_with('+')) text.remove_prefix(1);
  int64_t whole = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (end != text.data() + text.size()) return false;  // "1e300" is as large as it says
  if (error != std::errc()) return true;
  return std::abs(value) >= 0x1p63 || static_cast<int64_t>(value) != whole;
}

// Calls `take` with each value and its row, until it returns false.
template <class Take>
void EachText(const arrow::ChunkedArray& column, const Take& take) {
  int64_t row = 0;
  for (const auto& chunk : column.chunks()) {
    const auto& texts = static_cast<const arrow::BinaryArray&>(*chunk);
    for (int64_t i = 0; i < texts.length(); ++i, ++row) {
      if (!texts.IsNull(i) && !take(row, Trimmed(texts.GetView(i)))) return;
    }
  }
}

}  // namespace

std::vector<std::string> CsvNulls() { return {"", "NA", "N/A", "null", "NULL"}; }

std::optional<double> NumberOf(std::string_view text, ColumnKind kind) {
  text = Trimmed(text);
  if (kind == ColumnKind::kTime) return Time(text);
  return kind == ColumnKind::kBool ? Truth(text) : Plain(text);
}

ColumnKind KindOfTexts(const arrow::ChunkedArray& column) {
  bool numbers = true, truths = true, times = true, any = false;
  EachText(column, [&](int64_t, std::string_view text) {
    any = true;
    numbers = numbers && Plain(text).has_value();
    truths = truths && Truth(text).has_value();
    times = times && Time(text).has_value();
    return numbers || truths || times;
  });
  if (!any || numbers) return ColumnKind::kNumber;
  if (truths) return ColumnKind::kBool;
  return times ? ColumnKind::kTime : ColumnKind::kText;
}

NumberCount CountNumbers(const arrow::ChunkedArray& column) {
  NumberCount count;
  EachText(column, [&](int64_t row, std::string_view text) {
    if (NumberOf(text, ColumnKind::kNumber)) {
      ++count.numbers;
    } else if (count.others++ == 0) {
      count.first_other = row;
    }
    return true;
  });
  return count;
}

ColumnValues NumbersOfTexts(const arrow::ChunkedArray& column, ColumnKind kind,
                            int64_t* wrong_row) {
  ColumnValues out;
  *wrong_row = -1;
  out.numbers.resize(static_cast<size_t>(column.length()));
  if (column.null_count() > 0) {
    size_t row = 0;
    out.nulls.resize(out.numbers.size());
    for (const auto& chunk : column.chunks()) {
      for (int64_t i = 0; i < chunk->length(); ++i) out.nulls[row++] = chunk->IsNull(i);
    }
  }
  EachText(column, [&](int64_t row, std::string_view text) {
    auto value = NumberOf(text, kind);
    if (value) {
      out.numbers[static_cast<size_t>(row)] = *value;
      if (kind == ColumnKind::kNumber && out.rounded_row < 0 && IsRounded(text, *value)) {
        out.rounded_row = row;
        out.rounded = text;
      }
    } else {
      *wrong_row = row;
    }
    return value.has_value();
  });
  return out;
}

}  // namespace coxswain::trainer::table

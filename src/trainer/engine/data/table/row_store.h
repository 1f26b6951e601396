// Rows of a table as a model takes them, row after row.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "trainer/engine/data/dataset.h"
#include "trainer/engine/data/table/preprocessing.h"
#include "trainer/engine/data/table/table_source.h"

namespace coxswain::trainer::data {

class RowStore {
 public:
  explicit RowStore(const SampleShape& shape)
      : numbers_(shape.dense_size()), codes_(shape.ids_size()), classes_(shape.classes > 0) {}

  int64_t size() const { return static_cast<int64_t>(targets_.size()); }
  void Reserve(int64_t rows);
  void Clear();
  // Rows [begin, end) of another store of the same shape.
  void Append(const RowStore& from, int64_t begin, int64_t end);
  // Makes `rows` as large as `count` rows need.
  void Begin(int64_t count, bool float64, Rows& rows) const;
  // Writes row `row` to place `place` of `rows`.
  void Copy(int64_t row, int64_t place, bool float64, Rows& rows) const;

 private:
  friend class RowEncoder;
  int64_t numbers_, codes_;
  bool classes_;
  std::vector<double> number_values_;
  std::vector<int32_t> code_values_;
  std::vector<double> targets_;  // a class's number, or a number as it goes in
};

// Values to rows. Any thread.
class RowEncoder {
 public:
  // Both must outlive it.
  RowEncoder(const TableSource& source, const Preprocessing& preprocessing);
  // Appends the taken rows of a group. FAILED_PRECONDITION: a class that training has not seen.
  absl::Status Append(size_t group, const GroupValues& values, RowStore* to) const;

 private:
  using Places = std::unordered_map<std::string, int32_t>;
  absl::Status AppendTargets(size_t group, const GroupValues& values, RowStore* to) const;

  const TableSource& source_;
  const Preprocessing& preprocessing_;
  std::vector<Places> categories_;
  Places classes_;
};

}  // namespace coxswain::trainer::data
